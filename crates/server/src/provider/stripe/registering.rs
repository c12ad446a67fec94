//! Methods: SetupIntents, and the payment methods that come out of them.

use florin_payment::{
    MethodKind,
    provider::{CardExpiry, Forget, MethodDetails, MethodKey, ProviderUnknown, Register, Registration},
};

use super::{
    ABANDONED, KEYS_LIVE, StripeProvider,
    charging::of_reference,
    client::is_id,
    created_around,
    form::Form,
    kind_name,
    object::{Expandable, PaymentMethod, SetupIntent, Trouble},
};

const ABANDONED_CODE: &str = "authentication_abandoned";
/// The customer did not pass the check; any other decline is Stripe's or the bank's.
const NOT_AUTHENTICATED: &str = "setup_intent_authentication_failure";
const EXPANDED: [&str; 3] = ["payment_method", "latest_attempt", "mandate"];

impl StripeProvider {
    /// Registers a method, once per key.
    pub(super) async fn set_up(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        if self.is_over(method.begun, KEYS_LIVE).await? {
            let found = self.set_up_before(method, None).await?;
            let never = || Registration::Failed { code: "never_received".to_owned() };
            return Ok(found.unwrap_or_else(never));
        }
        if !is_id(&method.token) {
            return Ok(Registration::Rejected { code: "token_unknown".to_owned() });
        }
        let mut form = Form::new()
            .with("confirm", true)
            .with("customer", self.customer(method.key.account).await?)
            .with("payment_method", &method.token)
            .with("payment_method_types[]", kind_name(method.kind))
            .with("usage", "off_session")
            .with("return_url", &self.return_url)
            .with("metadata[florin_account]", method.key.account)
            .with("metadata[florin_method]", method.key.method);
        form = match method.kind {
            MethodKind::Card => form.with("payment_method_options[card][request_three_d_secure]", "any"),
            // The mandate's text stands beside the form; the token is made when it is accepted.
            MethodKind::BankAccount | MethodKind::Paypal => {
                form.with("mandate_data[customer_acceptance][type]", "offline")
            }
        };
        let form = EXPANDED.into_iter().fold(form, |form, path| form.with("expand[]", path));
        let key = method.key.method.to_string();
        let answer = self.client.post::<SetupIntent>("/v1/setup_intents", &form, &key).await?;
        match answer.decided {
            Ok(intent) => self.stands(method, intent).await,
            Err(Trouble { setup_intent: Some(intent), .. }) => self.stands(method, *intent).await,
            Err(trouble) if trouble.is_about_the_method() => {
                Ok(Registration::Rejected { code: trouble.word() })
            }
            Err(trouble) => {
                tracing::error!(code = trouble.word(), message = trouble.message, "Stripe refuses to set up");
                Err(ProviderUnknown::new(format!("Stripe refuses to set up: {}", trouble.word())))
            }
        }
    }

    /// How a registration stands; none if its key never arrived.
    pub(super) async fn set_up_before(
        &self,
        method: &Register,
        reference: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        match self.setup_of(method, reference).await? {
            Some(intent) => self.stands(method, intent).await.map(Some),
            None => Ok(None),
        }
    }

    async fn setup_of(
        &self,
        method: &Register,
        reference: Option<&str>,
    ) -> Result<Option<SetupIntent>, ProviderUnknown> {
        let id = method.key.method.to_string();
        let is_it = |intent: &SetupIntent| intent.metadata.get("florin_method") == Some(&id);
        let expanded = |form: Form, start: &str| {
            EXPANDED.into_iter().fold(form, |form, path| form.with("expand[]", format!("{start}{path}")))
        };
        if let Some(intent) = reference.filter(|reference| reference.starts_with("seti_") && is_id(reference))
        {
            let query = expanded(Form::new(), "");
            let answer =
                self.client.get::<SetupIntent>(&format!("/v1/setup_intents/{intent}"), &query).await?;
            return Ok(answer.decided.ok().filter(is_it));
        }
        let query = match reference.and_then(of_reference) {
            Some((_, method)) => Form::new().with("payment_method", method).with("limit", 100),
            None => {
                let customer = self.customer(method.key.account).await?;
                created_around(Form::new().with("customer", customer), method.begun)
            }
        };
        Ok(self.client.all("/v1/setup_intents", &expanded(query, "data."), is_it).await?.pop())
    }

    async fn stands(&self, method: &Register, intent: SetupIntent) -> Result<Registration, ProviderUnknown> {
        let paying = intent.payment_method.as_ref().and_then(Expandable::object);
        Ok(match intent.status.as_str() {
            "succeeded" => valid(&intent, paying)?,
            "requires_action" if self.is_over(method.begun, ABANDONED).await? => {
                self.abandon(method.key, &intent.id).await?;
                Registration::Failed { code: ABANDONED_CODE.to_owned() }
            }
            "requires_action" => {
                let url = intent.next_action.as_ref().and_then(super::object::NextAction::url);
                let url = url.ok_or_else(|| ProviderUnknown::new("the customer has to act, nowhere"))?;
                let details = paying.map(|paying| details(paying, false)).unwrap_or_default();
                Registration::ActionRequired { reference: Some(intent.id), url, details }
            }
            "requires_payment_method" => {
                let trouble = intent.last_setup_error.unwrap_or_default();
                let code = trouble.word();
                if trouble.code.as_deref() == Some(NOT_AUTHENTICATED) {
                    Registration::Failed { code }
                } else {
                    Registration::Rejected { code }
                }
            }
            "canceled" => Registration::Failed { code: ABANDONED_CODE.to_owned() },
            other => return Err(ProviderUnknown::new(format!("the setup intent is {other}"))),
        })
    }

    async fn abandon(&self, key: MethodKey, intent: &str) -> Result<(), ProviderUnknown> {
        let form = Form::new().with("cancellation_reason", "abandoned");
        let path = format!("/v1/setup_intents/{intent}/cancel");
        let answer = self.client.post::<SetupIntent>(&path, &form, &format!("{}/cancel", key.method)).await?;
        answer.known().map(|_| ())
    }

    /// Forgets a method. What was never registered, or is forgotten, is done with.
    pub(super) async fn detach(&self, method: &Forget) -> Result<(), ProviderUnknown> {
        let Some(reference) = &method.reference else { return Ok(()) };
        if let Some((_, paying)) = of_reference(reference) {
            let path = format!("/v1/payment_methods/{paying}/detach");
            let key = format!("{}/detach", method.key.method);
            self.client.post::<PaymentMethod>(&path, &Form::new(), &key).await?;
        } else if reference.starts_with("seti_") && is_id(reference) {
            let form = Form::new().with("cancellation_reason", "requested_by_customer");
            let path = format!("/v1/setup_intents/{reference}/cancel");
            self.client.post::<SetupIntent>(&path, &form, &format!("{}/forget", method.key.method)).await?;
        }
        Ok(())
    }
}

/// A method that was set up, unless it was taken back since.
fn valid(intent: &SetupIntent, paying: Option<&PaymentMethod>) -> Result<Registration, ProviderUnknown> {
    let (Some(paying), Some(customer)) = (paying, &intent.customer) else {
        return Err(ProviderUnknown::new("a setup intent that succeeded names no method or no customer"));
    };
    if paying.customer.is_none() {
        return Ok(Registration::Revoked { code: "detached".to_owned() });
    }
    let mandate = intent.mandate.as_ref().and_then(Expandable::object);
    if mandate.is_some_and(|mandate| mandate.status == "inactive") {
        return Ok(Registration::Revoked { code: "mandate_inactive".to_owned() });
    }
    let attempt = intent.latest_attempt.as_ref().and_then(Expandable::object);
    let how = attempt.and_then(|attempt| attempt.payment_method_details.as_ref());
    let passed = how.is_some_and(super::object::MethodDetails::passed_three_d_secure);
    Ok(Registration::Valid {
        reference: format!("{customer}/{}", paying.id),
        details: details(paying, passed),
    })
}

/// What may be shown of a method.
fn details(paying: &PaymentMethod, passed: bool) -> MethodDetails {
    let PaymentMethod { card, sepa_debit, paypal, .. } = paying;
    let masked = match (card, sepa_debit, paypal) {
        (Some(card), _, _) => format!("{} **** {}", card.brand.to_ascii_uppercase(), card.last4),
        (None, Some(debit), _) => {
            let country = debit.country.as_deref().unwrap_or_default();
            format!("{country} **** {}", debit.last4.as_deref().unwrap_or_default()).trim().to_owned()
        }
        (None, None, Some(paypal)) => paypal.payer_email.as_deref().map(masked_email).unwrap_or_default(),
        (None, None, None) => String::new(),
    };
    let expiry = card.as_ref().map(|card| CardExpiry { year: card.exp_year, month: card.exp_month });
    let country = match (card, sepa_debit, paypal) {
        (Some(card), _, _) => card.country.clone(),
        (None, Some(debit), _) => debit.country.clone(),
        (None, None, Some(paypal)) => paypal.country.clone(),
        (None, None, None) => None,
    };
    MethodDetails { masked, expiry, three_d_secure: card.is_some() && passed, country }
}

/// The first letter and the domain.
fn masked_email(email: &str) -> String {
    let (name, domain) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{domain}", name.chars().take(1).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_by_its_first_letter_and_domain() {
        assert_eq!(masked_email("ada@example.com"), "a***@example.com");
        assert_eq!(masked_email("élan@example.com"), "é***@example.com");
        assert_eq!(masked_email(""), "***@");
    }
}
