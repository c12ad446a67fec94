//! Captured money that the payer's bank takes back (R3.7, R6.11), as the provider reports it with each charge.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, first |
//! | what makes each step happen once | what is known of each dispute is read after the lock, and only a step on from there is told |
//! | in what order do notices have to come | in any: a notice is a reason to ask, and the answer lists every dispute as it is |
//! | what of money nothing wanted, which went back | only the books are told: nobody had it |

use florin_platform::{outbox, wire};
use florin_settlement::Money;

use super::{names::payment_name, record::Recorder};
use crate::{
    domain::{
        dispute::{Dispute, DisputeNews, DisputeReport},
        payment::Payment,
        refund::Purpose,
    },
    error::Error,
    events::{PaymentDisputeLost, PaymentDisputeWon, PaymentDisputed},
    outcomes::MoneyMoved,
    store,
};

impl Recorder<'_> {
    /// Takes in every dispute the provider reports of a captured payment.
    pub(crate) async fn disputes(
        &self,
        payment: Payment,
        reports: &[DisputeReport],
    ) -> Result<Payment, Error> {
        if reports.is_empty() {
            return Ok(payment);
        }
        let mut known = store::dispute::of_payment(self.tx, payment.account, payment.id).await?;
        let mut told = Vec::new();
        for report in reports {
            let place = known.iter().position(|dispute| dispute.reference == report.reference);
            let before = place.map(|place| known.swap_remove(place));
            let (dispute, is_news) = self.dispute(&payment, before, report).await?;
            told.extend(is_news);
            known.push(dispute);
        }
        let away = known.iter().filter(|dispute| dispute.holds_money()).map(|dispute| dispute.amount);
        let disputed = Money::sum(away, payment.amount.currency()).map_err(Error::Amount)?;
        let payment = if disputed == payment.disputed {
            payment
        } else {
            let payment = Payment { disputed, updated: self.at, ..payment };
            store::payment::save(self.tx, &payment).await?;
            self.audit_payment(&payment).await?;
            payment
        };
        self.tell(&payment, &told).await?;
        Ok(payment)
    }

    /// Writes what is new of one dispute; what has to be told of it.
    async fn dispute(
        &self,
        payment: &Payment,
        before: Option<Dispute>,
        report: &DisputeReport,
    ) -> Result<(Dispute, Option<Told>), Error> {
        let Self { tx, at, .. } = self;
        let name = payment_name(payment.account, payment.id);
        let amount_incl_tax = Some(wire::money(report.amount));
        Ok(match Dispute::learn(payment, before, report, *at) {
            DisputeNews::Known(dispute) => (dispute, None),
            DisputeNews::OverBefore(dispute) => {
                store::dispute::insert(tx, &dispute).await?;
                (dispute, None)
            }
            DisputeNews::Opened(dispute) => {
                store::dispute::insert(tx, &dispute).await?;
                self.money_moved(payment, MoneyMoved::TakenBack(&dispute)).await?;
                let fact = PaymentDisputed {
                    payment: name,
                    reference: payment.reference.clone(),
                    dispute: dispute.id.to_string(),
                    amount_incl_tax,
                    code: dispute.code.clone(),
                };
                outbox::append(tx, *at, payment.account, &fact).await?;
                (dispute.clone(), Some(Told::Opened(dispute)))
            }
            DisputeNews::Won(dispute) => {
                store::dispute::save(tx, &dispute).await?;
                self.money_moved(payment, MoneyMoved::CameBack(&dispute)).await?;
                let fact =
                    PaymentDisputeWon { payment: name, dispute: dispute.id.to_string(), amount_incl_tax };
                outbox::append(tx, *at, payment.account, &fact).await?;
                (dispute.clone(), Some(Told::Won(dispute)))
            }
            DisputeNews::Lost(dispute) => {
                store::dispute::save(tx, &dispute).await?;
                let fact =
                    PaymentDisputeLost { payment: name, dispute: dispute.id.to_string(), amount_incl_tax };
                outbox::append(tx, *at, payment.account, &fact).await?;
                (dispute, None)
            }
        })
    }

    async fn tell(&self, payment: &Payment, told: &[Told]) -> Result<(), Error> {
        let Self { tx, at, call, outcomes } = self;
        let unwanted = Purpose::unwanted();
        if told.is_empty()
            || store::refund::for_purpose(*tx, payment.account, payment.id, &unwanted).await?.is_some()
        {
            return Ok(());
        }
        for told in told {
            match told {
                Told::Opened(dispute) => outcomes.disputed(tx, *at, call, payment, dispute).await,
                Told::Won(dispute) => outcomes.dispute_won(tx, *at, call, payment, dispute).await,
            }
            .map_err(Error::Outcome)?;
        }
        Ok(())
    }
}

/// What is told of a dispute.
enum Told {
    Opened(Dispute),
    Won(Dispute),
}
