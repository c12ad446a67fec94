//! Questions that do not arrive, and answers that do not come back.

use super::{Actor, Loss, MethodKind, RefundOutcome, Registration, Trial, said, word};

impl Trial<'_> {
    pub(super) async fn lost_answers(&mut self) {
        for (actor, expected) in [(Actor::Card, "succeeded"), (Actor::CardDeclinedSoft, "declined soft")] {
            self.lost_charge_answer(actor, expected).await;
        }
        self.lost_charge_question().await;
        self.lost_registration().await;
        self.lost_refund().await;
    }

    /// It times out, and then turns out approved, or declined.
    async fn lost_charge_answer(&mut self, actor: Actor, expected: &str) {
        let Some((_, charge)) = self.registered(MethodKind::Card, actor).await else { return };
        self.stage.lose(Loss::Answer).await;
        let lost = self.provider().charge(&charge).await;
        self.hold("a lost answer is an error, not an outcome", lost.is_err(), &lost);
        let report = self.standing(&charge, None).await;
        let found = report.as_ref().is_some_and(|report| word(&report.outcome) == expected);
        self.hold(&format!("a lost answer is found by its key: {expected}"), found, &report);
        let again = self.provider().charge(&charge).await;
        self.hold("asking again answers what was lost", said(&again) == expected, &again);
        let taken = if expected == "succeeded" { charge.amount.minor() } else { 0 };
        self.took(&charge, taken).await;
    }

    async fn lost_charge_question(&mut self) {
        let Some((_, charge)) = self.registered(MethodKind::Card, Actor::Card).await else { return };
        self.stage.lose(Loss::Question).await;
        let lost = self.provider().charge(&charge).await;
        self.hold("a lost question is an error, not an outcome", lost.is_err(), &lost);
        let never = self.provider().fetch(&charge, None).await;
        self.hold("a charge that never arrived is not known", matches!(never, Ok(None)), &never);
        let again = self.provider().charge(&charge).await;
        self.hold("what never arrived can be asked again", said(&again) == "succeeded", &again);
        self.took(&charge, charge.amount.minor()).await;
    }

    async fn lost_registration(&mut self) {
        let card = self.register_as(MethodKind::Card, Actor::Card).await;
        self.stage.lose(Loss::Answer).await;
        let lost = self.provider().register(&card).await;
        self.hold("a lost answer is an error, not a registration", lost.is_err(), &lost);
        let known = self.provider().registration(&card, None).await;
        let found = matches!(known, Ok(Some(Registration::Valid { .. })));
        self.hold("a lost registration is found by its key", found, &known);
    }

    async fn lost_refund(&mut self) {
        let Some((charge, reference)) = self.captured().await else { return };
        let refund = self.give_back(&charge, reference, charge.amount).await;
        let never = self.provider().fetch_refund(&refund, None).await;
        self.hold("a refund that never arrived is not known", matches!(never, Ok(None)), &never);
        self.stage.lose(Loss::Answer).await;
        let lost = self.provider().refund(&refund).await;
        self.hold("a lost answer is an error, not a refund", lost.is_err(), &lost);
        let known = self.provider().fetch_refund(&refund, None).await;
        let found =
            matches!(&known, Ok(Some(report)) if !matches!(report.outcome, RefundOutcome::Refused { .. }));
        self.hold("a lost refund is found by its key", found, &known);
        let again = self.provider().refund(&refund).await;
        self.hold("giving back what was lost is the same refund", again.is_ok(), &again);
        self.gave_back(&charge, charge.amount.minor()).await;
    }
}
