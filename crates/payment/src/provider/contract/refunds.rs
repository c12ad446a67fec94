//! Captured money goes back to its source, and never more of it than was captured.

use florin_settlement::Money;

use super::{AT_ONCE, Actor, Charge, GiveBack, MethodKind, RefundId, RefundOutcome, Trial};
use crate::provider::{ProviderUnknown, RefundReport};

fn accepted(answer: &Result<RefundReport, ProviderUnknown>) -> bool {
    matches!(answer, Ok(report) if matches!(report.outcome, RefundOutcome::Done | RefundOutcome::Pending))
}

fn refused(answer: &Result<RefundReport, ProviderUnknown>) -> bool {
    matches!(answer, Ok(report) if matches!(report.outcome, RefundOutcome::Refused { .. }))
}

impl Trial<'_> {
    pub(super) async fn refunds(&mut self) {
        if !self.capabilities.refundable.contains(&MethodKind::Card) {
            return;
        }
        self.nothing_captured().await;
        self.whole_and_twice().await;
        self.in_parts().await;
        self.many_refunds_at_once().await;
    }

    async fn nothing_captured(&mut self) {
        let Some((_, charge)) = self.registered(MethodKind::Card, Actor::CardDeclinedSoft).await else {
            return;
        };
        let answer = self.provider().charge(&charge).await;
        let reference = answer.ok().and_then(|report| report.reference);
        let unpaid = self.give_back(&charge, reference, charge.amount).await;
        let answer = self.provider().refund(&unpaid).await;
        self.hold("what was never captured does not go back", refused(&answer), &answer);
    }

    async fn whole_and_twice(&mut self) {
        let Some((charge, reference)) = self.captured().await else { return };
        let refund = self.give_back(&charge, reference.clone(), charge.amount).await;
        for turn in ["captured money goes back", "giving back again under the same key is the same refund"] {
            let answer = self.provider().refund(&refund).await;
            self.hold(turn, accepted(&answer), &answer);
        }
        let known = self.provider().fetch_refund(&refund, None).await;
        self.hold("a refund can be looked up by its key", matches!(known, Ok(Some(_))), &known);
        let other = self.give_back(&charge, reference, charge.amount).await;
        let answer = self.provider().refund(&other).await;
        self.hold("no more goes back than was captured", refused(&answer), &answer);
        self.gave_back(&charge, charge.amount.minor()).await;
    }

    async fn in_parts(&mut self) {
        let Some((charge, reference)) = self.captured().await else { return };
        let part = |minor| Money::new(minor, charge.amount.currency());
        let first = charge.amount.minor() / 3;
        for minor in [first, charge.amount.minor() - first] {
            let refund = self.give_back(&charge, reference.clone(), part(minor)).await;
            let answer = self.provider().refund(&refund).await;
            self.hold("money goes back in parts", accepted(&answer), &answer);
        }
        let more = self.give_back(&charge, reference, part(1)).await;
        let answer = self.provider().refund(&more).await;
        self.hold("the parts are never more than the whole", refused(&answer), &answer);
        self.gave_back(&charge, charge.amount.minor()).await;
    }

    async fn many_refunds_at_once(&mut self) {
        let Some((charge, reference)) = self.captured().await else { return };
        let refund = self.give_back(&charge, reference, charge.amount).await;
        let answers = (0..AT_ONCE).map(|_| self.provider().refund(&refund));
        for answer in futures::future::join_all(answers).await {
            let kept = answer.is_err() || accepted(&answer);
            self.hold("giving back many times at once under one key is one refund", kept, &answer);
        }
        self.gave_back(&charge, charge.amount.minor()).await;
    }

    pub(super) async fn give_back(
        &self,
        charge: &Charge,
        charge_reference: Option<String>,
        amount: Money,
    ) -> GiveBack {
        let begun = self.stage.now().await;
        GiveBack { key: RefundId::generate(begun), charge: charge.key, charge_reference, amount, begun }
    }

    /// The provider's own books say that exactly so much went back.
    pub(super) async fn gave_back(&mut self, charge: &Charge, minor: i64) {
        let moved = self.stage.moved(charge.key).await;
        self.hold(&format!("exactly {minor} goes back"), moved.refunded == minor, &moved);
    }
}
