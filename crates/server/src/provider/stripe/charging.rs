//! Charges: PaymentIntents, from the create to the last dispute.

use florin_payment::{
    Initiator,
    provider::{
        Charge, ChargeKey, ChargeOutcome, ChargeReport, DisputeReport, DisputeStanding, ProviderUnknown,
        Source,
    },
};
use florin_settlement::Instant;

use super::{
    ABANDONED, KEYS_LIVE, StripeProvider, amount,
    client::is_id,
    created_around,
    form::Form,
    kind_name,
    object::{Dispute, PaymentIntent, Trouble},
};

const ABANDONED_CODE: &str = "authentication_abandoned";
const NOT_PASSED: &str = "three_d_secure_not_passed";
const NEVER_RECEIVED: &str = "never_received";

impl StripeProvider {
    /// Takes money, once per key.
    pub(super) async fn take(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        if self.is_over(charge.begun, KEYS_LIVE).await? {
            // Stripe may have forgotten the key: what is not there by now is never sent again.
            let found = self.taken_before(charge, None).await?;
            let never = ChargeOutcome::DeclinedSoft { code: NEVER_RECEIVED.to_owned() };
            return Ok(found.unwrap_or_else(|| made_nothing(never)));
        }
        let Some(form) = self.charge_form(charge).await? else {
            let code = "payment_method_unusable".to_owned();
            return Ok(made_nothing(ChargeOutcome::DeclinedFinal { code }));
        };
        let key = charge.key.payment.to_string();
        let answer = self.client.post::<PaymentIntent>("/v1/payment_intents", &form, &key).await?;
        match answer.decided {
            Ok(intent) => self.report(charge, intent).await,
            Err(Trouble { payment_intent: Some(intent), .. }) => self.report(charge, *intent).await,
            Err(trouble) if trouble.is_about_the_method() => {
                Ok(made_nothing(ChargeOutcome::DeclinedFinal { code: trouble.word() }))
            }
            Err(trouble) if trouble.param.as_deref() == Some("amount") => {
                Ok(made_nothing(ChargeOutcome::DeclinedSoft { code: trouble.word() }))
            }
            Err(trouble) => Err(unexpected(&trouble)),
        }
    }

    /// How a charge stands; none if its key never arrived.
    pub(super) async fn taken_before(
        &self,
        charge: &Charge,
        reference: Option<&str>,
    ) -> Result<Option<ChargeReport>, ProviderUnknown> {
        match self.intent_of(charge.key, charge.begun, reference, &charge.source).await? {
            Some(intent) => self.report(charge, intent).await.map(Some),
            None => Ok(None),
        }
    }

    /// The create of a charge; none if what pays cannot be a method of Stripe's.
    async fn charge_form(&self, charge: &Charge) -> Result<Option<Form>, ProviderUnknown> {
        let Some(minor) = amount::to_stripe(charge.amount) else {
            return Err(ProviderUnknown::new(format!("Stripe has no amount of {}", charge.amount)));
        };
        let form = Form::new()
            .with("amount", minor)
            .with("currency", charge.amount.currency().code().to_ascii_lowercase())
            .with("confirm", true)
            .with("description", &charge.description)
            .with("metadata[florin_account]", charge.key.account)
            .with("metadata[florin_payment]", charge.key.payment)
            .with("expand[]", "latest_charge");
        let form = match &charge.source {
            Source::Registered { kind, reference } => {
                let Some((customer, method)) = of_reference(reference) else { return Ok(None) };
                let statement = match kind {
                    florin_payment::MethodKind::Card => "statement_descriptor_suffix",
                    florin_payment::MethodKind::BankAccount | florin_payment::MethodKind::Paypal => {
                        "statement_descriptor"
                    }
                };
                let form = form
                    .with("customer", customer)
                    .with("payment_method", method)
                    .with("payment_method_types[]", kind_name(*kind))
                    .with(statement, &charge.statement);
                match charge.initiator {
                    Initiator::Merchant => form.with("off_session", true),
                    Initiator::Customer => form.with("return_url", &self.return_url),
                }
            }
            Source::OneOffCard { token } => {
                if !is_id(token) {
                    return Ok(None);
                }
                form.with("customer", self.customer(charge.key.account).await?)
                    .with("payment_method", token)
                    .with("payment_method_types[]", "card")
                    .with("statement_descriptor_suffix", &charge.statement)
                    .with("payment_method_options[card][request_three_d_secure]", "any")
                    .with("capture_method", "manual")
                    .with("return_url", &self.return_url)
            }
        };
        Ok(Some(form))
    }

    /// The intent of a charge begun at `begun`, by what Stripe calls it, or else by our key among what the customer
    /// has from that day.
    pub(super) async fn intent_of(
        &self,
        key: ChargeKey,
        begun: Instant,
        reference: Option<&str>,
        source: &Source,
    ) -> Result<Option<PaymentIntent>, ProviderUnknown> {
        let payment = key.payment.to_string();
        let is_it = |intent: &PaymentIntent| intent.metadata.get("florin_payment") == Some(&payment);
        if let Some(reference) = reference.filter(|reference| is_id(reference)) {
            let query = Form::new().with("expand[]", "latest_charge");
            let answer =
                self.client.get::<PaymentIntent>(&format!("/v1/payment_intents/{reference}"), &query).await?;
            return Ok(answer.decided.ok().filter(is_it));
        }
        let customer = match source {
            Source::Registered { reference, .. } => match of_reference(reference) {
                Some((customer, _)) => customer.to_owned(),
                None => return Ok(None),
            },
            Source::OneOffCard { .. } => self.customer(key.account).await?,
        };
        let query = Form::new().with("customer", customer).with("expand[]", "data.latest_charge");
        let query = created_around(query, begun);
        Ok(self.client.all("/v1/payment_intents", &query, is_it).await?.pop())
    }

    /// What an intent means, once it was taken as far as it goes without the customer.
    async fn report(&self, charge: &Charge, intent: PaymentIntent) -> Result<ChargeReport, ProviderUnknown> {
        let with_charge = || intent.latest_charge.as_ref().and_then(|charge| charge.object());
        let declined_soft = |code: &str| ChargeOutcome::DeclinedSoft { code: code.to_owned() };
        let mut disputes = Vec::new();
        let outcome = match intent.status.as_str() {
            "succeeded" => {
                if with_charge().is_none_or(|charge| charge.disputed) {
                    disputes = self.disputes_of(&intent.id).await?;
                }
                ChargeOutcome::Succeeded
            }
            "processing" => ChargeOutcome::Pending,
            "requires_action" if self.is_over(charge.begun, ABANDONED).await? => {
                return self.give_up(charge, &intent).await;
            }
            "requires_action" => {
                let url = intent.next_action.as_ref().and_then(super::object::NextAction::url);
                let url = url.ok_or_else(|| ProviderUnknown::new("the customer has to act, nowhere"))?;
                ChargeOutcome::ActionRequired { url }
            }
            "requires_capture" => {
                let details = with_charge().and_then(|charge| charge.payment_method_details.as_ref());
                let passed = details.is_some_and(super::object::MethodDetails::passed_three_d_secure);
                return if passed {
                    self.capture(charge, &intent).await
                } else {
                    self.give_up(charge, &intent).await
                };
            }
            "requires_payment_method" => intent
                .last_payment_error
                .as_ref()
                .map_or_else(|| declined_soft("payment_method_required"), Trouble::outcome),
            // We cancel what nobody confirmed, which was never authorised, and what did not pass 3-D Secure.
            "canceled" if intent.latest_charge.is_some() => {
                ChargeOutcome::DeclinedFinal { code: NOT_PASSED.to_owned() }
            }
            "canceled" => declined_soft(ABANDONED_CODE),
            other => return Err(ProviderUnknown::new(format!("the intent is {other}"))),
        };
        Ok(ChargeReport { reference: Some(intent.id), outcome, disputes })
    }

    async fn capture(
        &self,
        charge: &Charge,
        intent: &PaymentIntent,
    ) -> Result<ChargeReport, ProviderUnknown> {
        let form = Form::new().with("expand[]", "latest_charge");
        self.moved(charge, intent, "capture", &form).await
    }

    async fn give_up(
        &self,
        charge: &Charge,
        intent: &PaymentIntent,
    ) -> Result<ChargeReport, ProviderUnknown> {
        let form = Form::new().with("cancellation_reason", "abandoned").with("expand[]", "latest_charge");
        self.moved(charge, intent, "cancel", &form).await
    }

    /// Moves an intent on. If somebody else did so in the meantime, the next look sees where to.
    async fn moved(
        &self,
        charge: &Charge,
        intent: &PaymentIntent,
        verb: &str,
        form: &Form,
    ) -> Result<ChargeReport, ProviderUnknown> {
        let path = format!("/v1/payment_intents/{}/{verb}", intent.id);
        let key = format!("{}/{verb}", charge.key.payment);
        let answer = self.client.post::<PaymentIntent>(&path, form, &key).await?;
        let intent = answer.decided.map_err(|trouble| unexpected(&trouble))?;
        if intent.status == "requires_capture" || intent.status == "requires_action" {
            return Err(ProviderUnknown::new(format!("the intent is {} still", intent.status)));
        }
        Box::pin(self.report(charge, intent)).await
    }

    /// Every dispute of a payment in which money moved, oldest first. An inquiry takes none.
    async fn disputes_of(&self, intent: &str) -> Result<Vec<DisputeReport>, ProviderUnknown> {
        let query = Form::new().with("payment_intent", intent).with("limit", 100);
        let mut found: Vec<Dispute> = self.client.all("/v1/disputes", &query, |_| true).await?;
        found.reverse();
        let reports = found.into_iter().filter_map(|dispute| Some((standing(&dispute.status)?, dispute)));
        reports
            .map(|(standing, dispute)| {
                let amount = amount::from_stripe(dispute.amount, &dispute.currency);
                let amount = amount.ok_or_else(|| ProviderUnknown::new("an amount that is none of ours"))?;
                Ok(DisputeReport { reference: dispute.id, amount, code: dispute.reason, standing })
            })
            .collect()
    }
}

fn standing(status: &str) -> Option<DisputeStanding> {
    match status {
        "needs_response" | "under_review" => Some(DisputeStanding::Open),
        "won" => Some(DisputeStanding::Won),
        "lost" => Some(DisputeStanding::Lost),
        // `warning_…` are inquiries, and what was `prevented` never became more.
        _ => None,
    }
}

/// The customer and the method in the reference of a VALID method.
pub(super) fn of_reference(reference: &str) -> Option<(&str, &str)> {
    reference.split_once('/').filter(|(customer, method)| is_id(customer) && is_id(method))
}

fn made_nothing(outcome: ChargeOutcome) -> ChargeReport {
    ChargeReport { reference: None, outcome, disputes: Vec::new() }
}

fn unexpected(trouble: &Trouble) -> ProviderUnknown {
    tracing::error!(code = trouble.word(), message = trouble.message, "Stripe refuses a charge");
    ProviderUnknown::new(format!("Stripe refuses the charge: {}", trouble.word()))
}
