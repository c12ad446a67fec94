//! Captured money the payer's bank takes back, for a while or for good.

use florin_settlement::Money;

use super::{Charge, ChargeOutcome, DisputeStanding, Trial};
use DisputeStanding::{Lost, Open, Won};

impl Trial<'_> {
    pub(super) async fn disputes(&mut self) {
        for (first, then) in [(Open, Some(Won)), (Open, Some(Lost)), (Lost, None), (Lost, Some(Won))] {
            let Some((charge, reference)) = self.captured().await else { return };
            let amount = charge.amount;
            self.stage.dispute(charge.key, amount, first).await;
            self.stands(&charge, reference.as_deref(), amount, first).await;
            if let Some(then) = then {
                self.stage.decide_dispute(charge.key, then).await;
                self.stands(&charge, reference.as_deref(), amount, then).await;
            }
        }
        let Some((charge, reference)) = self.captured().await else { return };
        let part = Money::new(charge.amount.minor() / 2, charge.amount.currency());
        self.stage.dispute(charge.key, part, Open).await;
        self.stands(&charge, reference.as_deref(), part, Open).await;
    }

    async fn stands(
        &mut self,
        charge: &Charge,
        reference: Option<&str>,
        amount: Money,
        standing: DisputeStanding,
    ) {
        let Some(report) = self.standing(charge, reference).await else { return };
        let captured = report.outcome == ChargeOutcome::Succeeded;
        self.hold("a disputed charge is still one that succeeded", captured, &report);
        let one = match report.disputes.as_slice() {
            [dispute] => {
                dispute.standing == standing && dispute.amount == amount && !dispute.reference.is_empty()
            }
            _ => false,
        };
        self.hold(&format!("a charge tells of its dispute: {standing:?} of {amount}"), one, &report);
        let again = self.standing(charge, None).await;
        self.hold("asking again tells of the same dispute", again.as_ref() == Some(&report), &again);
    }
}
