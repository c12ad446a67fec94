//! Money on its way back.

use florin_payment::provider::{GiveBack, ProviderUnknown, RefundOutcome, RefundReport, Source};
use florin_settlement::Instant;

use super::{
    KEYS_LIVE, StripeProvider, amount,
    client::is_id,
    form::Form,
    object::{PaymentIntent, Refund},
};

impl StripeProvider {
    /// Gives captured money back, once per key.
    pub(super) async fn give_back(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        let Some(intent) = self.intent_given_back(refund).await? else {
            return Ok(refused("never_received"));
        };
        if self.is_over(refund.begun, KEYS_LIVE).await? {
            let found = self.refund_with_key(refund, &intent.id).await?;
            return Ok(found.map_or_else(|| refused("never_received"), reported));
        }
        let Some(minor) = amount::to_stripe(refund.amount) else { return Ok(refused("amount_unknown")) };
        let form = Form::new()
            .with("payment_intent", &intent.id)
            .with("amount", minor)
            .with("metadata[florin_account]", refund.charge.account)
            .with("metadata[florin_payment]", refund.charge.payment)
            .with("metadata[florin_refund]", refund.key);
        let answer = self.client.post::<Refund>("/v1/refunds", &form, &refund.key.to_string()).await?;
        Ok(match answer.decided {
            Ok(made) => reported(made),
            Err(trouble) => refused(&trouble.word()),
        })
    }

    /// How a refund stands; none if its key never arrived.
    pub(super) async fn given_back_before(
        &self,
        refund: &GiveBack,
        reference: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        if let Some(reference) = reference.filter(|reference| is_id(reference)) {
            let answer = self.client.get::<Refund>(&format!("/v1/refunds/{reference}"), &Form::new()).await?;
            return Ok(answer.decided.ok().map(reported));
        }
        match self.intent_given_back(refund).await? {
            Some(intent) => Ok(self.refund_with_key(refund, &intent.id).await?.map(reported)),
            None => Ok(None),
        }
    }

    async fn intent_given_back(&self, refund: &GiveBack) -> Result<Option<PaymentIntent>, ProviderUnknown> {
        // An id begins with the milliseconds at which it was made.
        let millis = i64::try_from(refund.charge.payment.as_u128() >> 80).map_err(ProviderUnknown::new)?;
        let begun = Instant::from_micros(millis.saturating_mul(1000)).map_err(ProviderUnknown::new)?;
        let nobody = Source::OneOffCard { token: String::new() };
        self.intent_of(refund.charge, begun, refund.charge_reference.as_deref(), &nobody).await
    }

    async fn refund_with_key(
        &self,
        refund: &GiveBack,
        intent: &str,
    ) -> Result<Option<Refund>, ProviderUnknown> {
        let key = refund.key.to_string();
        let query = Form::new().with("payment_intent", intent).with("limit", 100);
        let is_it = |made: &Refund| made.metadata.get("florin_refund") == Some(&key);
        Ok(self.client.all("/v1/refunds", &query, is_it).await?.pop())
    }
}

fn reported(refund: Refund) -> RefundReport {
    let outcome = match refund.status.as_deref() {
        Some("succeeded") => RefundOutcome::Done,
        Some("failed" | "canceled") => {
            let code = refund.failure_reason.or(refund.status).unwrap_or_default();
            RefundOutcome::Refused { code }
        }
        // `pending`, `requires_action`, or no status at all.
        Some(_) | None => RefundOutcome::Pending,
    };
    RefundReport { reference: Some(refund.id), outcome }
}

fn refused(code: &str) -> RefundReport {
    RefundReport { reference: None, outcome: RefundOutcome::Refused { code: code.to_owned() } }
}
