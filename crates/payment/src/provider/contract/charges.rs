//! Approved, declined, pending, and with an action of the customer.

use super::{
    AT_ONCE, Actor, Charge, ChargeOutcome, Decision, Finality, Initiator, MethodKind, Source, Trial, said,
    same, word,
};

impl Trial<'_> {
    pub(super) async fn charges(&mut self) {
        self.outcomes_at_once().await;
        self.many_at_once().await;
        self.one_off_cards().await;
        if self.capabilities.kinds.contains(&MethodKind::BankAccount) {
            self.bank_debits().await;
        }
    }

    async fn outcomes_at_once(&mut self) {
        for (actor, expected) in [
            (Actor::Card, "succeeded"),
            (Actor::CardDeclinedSoft, "declined soft"),
            (Actor::CardDeclinedFinal, "declined final"),
        ] {
            let Some((_, charge)) = self.registered(MethodKind::Card, actor).await else { continue };
            let never = self.provider().fetch(&charge, None).await;
            self.hold("a charge that never arrived is not known", matches!(never, Ok(None)), &never);
            let first = self.provider().charge(&charge).await;
            self.hold(&format!("a charge on {actor:?} is {expected}"), said(&first) == expected, &first);
            let again = self.provider().charge(&charge).await;
            let kept = same(&first, &again);
            self.hold("charging again under the same key is the same charge", kept, &again);
            let reference = first.as_ref().ok().and_then(|report| report.reference.clone());
            for reference in [None, reference.as_deref()] {
                let known = self.provider().fetch(&charge, reference).await;
                let found = matches!((&first, &known), (Ok(first), Ok(Some(known))) if first == known);
                self.hold("a charge can be looked up, with and without a reference", found, &known);
            }
            let taken = if expected == "succeeded" { charge.amount.minor() } else { 0 };
            self.took(&charge, taken).await;
        }
    }

    /// The provider's own books say that exactly so much was taken.
    pub(super) async fn took(&mut self, charge: &Charge, minor: i64) {
        let moved = self.stage.moved(charge.key).await;
        self.hold(&format!("exactly {minor} is taken"), moved.captured == minor, &moved);
    }

    async fn many_at_once(&mut self) {
        let Some((_, charge)) = self.registered(MethodKind::Card, Actor::Card).await else { return };
        let answers = (0..AT_ONCE).map(|_| self.provider().charge(&charge));
        for answer in futures::future::join_all(answers).await {
            // A provider may refuse to do one thing twice at once; it may not do it twice.
            let kept = answer.is_err() || said(&answer) == "succeeded";
            self.hold("charging many times at once under one key is one charge", kept, &answer);
        }
        let report = self.standing(&charge, None).await;
        let succeeded = report.as_ref().is_some_and(|report| report.outcome == ChargeOutcome::Succeeded);
        self.hold("one of many at once succeeded", succeeded, &report);
        self.took(&charge, charge.amount.minor()).await;
    }

    async fn one_off_cards(&mut self) {
        let decline = Decision::Declined { code: "declined_by_test".to_owned(), finality: Finality::Soft };
        for (decision, expected) in [(Decision::Approved, "succeeded"), (decline, "declined soft")] {
            let token = self.stage.token(Actor::CardWithAction).await;
            let charge = self.charge_on(Source::OneOffCard { token }, Initiator::Customer).await;
            let waits = self.provider().charge(&charge).await;
            let sent = matches!(&waits, Ok(report)
                if matches!(&report.outcome, ChargeOutcome::ActionRequired { url } if url.contains("://")));
            self.hold("a card given for once passes 3-D Secure first (R3.3)", sent, &waits);
            let again = self.provider().charge(&charge).await;
            self.hold("asking again does not make it pass", said(&again) == "action required", &again);
            self.took(&charge, 0).await;
            self.decided(&charge, &decision, expected).await;
        }
        if self.capabilities.kinds.contains(&MethodKind::BankAccount) {
            let token = self.stage.token(Actor::BankAccount).await;
            let bank = self.charge_on(Source::OneOffCard { token }, Initiator::Customer).await;
            let refused = self.provider().charge(&bank).await;
            self.hold(
                "nothing but a card pays for once (R3.3)",
                said(&refused) == "declined final",
                &refused,
            );
        }
    }

    async fn bank_debits(&mut self) {
        let decline = Decision::Declined { code: "insufficient_funds".to_owned(), finality: Finality::Soft };
        for (decision, expected) in [(Decision::Approved, "succeeded"), (decline, "declined soft")] {
            let Some((_, charge)) = self.registered(MethodKind::BankAccount, Actor::BankAccount).await else {
                return;
            };
            let pending = self.provider().charge(&charge).await;
            self.hold("a bank debit takes its time", said(&pending) == "pending", &pending);
            self.decided(&charge, &decision, expected).await;
        }
    }

    /// Whoever is awaited decides, and the charge goes as they say; deciding again changes nothing.
    async fn decided(&mut self, charge: &Charge, decision: &Decision, expected: &str) {
        for _ in 0..2 {
            self.stage.decide_charge(charge.key, decision).await;
            let report = self.standing(charge, None).await;
            let went = report.as_ref().is_some_and(|report| word(&report.outcome) == expected);
            self.hold(&format!("a charge decided so is {expected}"), went, &report);
        }
        let taken = if expected == "succeeded" { charge.amount.minor() } else { 0 };
        self.took(charge, taken).await;
    }
}
