//! Payment intents: money taken, at once, after the customer acted, or when the bank has decided.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Refused},
    books::{Books, error, number, text},
    form::Form,
    means::{Asks, Means},
    setups::three_d_secure,
};

impl Books {
    pub(crate) fn create_payment(&mut self, form: &Form) -> Result<Answer, Refused> {
        let mut method = self.method(form.get("payment_method").unwrap_or_default())?;
        let kind = text(&method, "type");
        if !form.list("payment_method_types").contains(&kind.as_str()) {
            let code = "payment_intent_incompatible_payment_method";
            return Err(Answer::invalid(
                Some(code),
                Some("payment_method"),
                "not one of payment_method_types",
            ));
        }
        let customer = self.get(form.get("customer").unwrap_or_default(), "customer")?;
        let off_session = form.is_true("off_session");
        let known = self.object(&text(&method, "id")).is_some();
        if (known || off_session) && method["customer"] != customer["id"] {
            let message =
                "The provided PaymentMethod was detached from a Customer. It may not be used again.";
            return Err(Answer::invalid(None, Some("payment_method"), message));
        }
        if form.number("amount").is_none_or(|amount| amount < 1) {
            return Err(Answer::invalid(
                Some("parameter_invalid_integer"),
                Some("amount"),
                "an amount is needed",
            ));
        }
        let means = self.made_of[&text(&method, "id")];
        if method["customer"].is_null() {
            self.put(method.clone());
        }
        let mut intent = self.new_payment(form, &method);
        self.tell("payment_intent.created", &intent);
        let wanted = form.get("payment_method_options[card][request_three_d_secure]");
        let asked = !off_session && (wanted.is_some_and(|wanted| wanted != "automatic"));
        let asks_again = means.declined == Some("authentication_required") && !off_session;
        if (asked && means.asks == Asks::Customer) || asks_again {
            intent["status"] = json!("requires_action");
            intent["next_action"] = self.redirect(&text(&intent, "id"), form.get("return_url"));
            self.put(intent.clone());
            self.tell("payment_intent.requires_action", &intent);
        } else {
            let authenticated = if asked { means.asks } else { Asks::NotSupported };
            intent = self.attempt(intent, &mut method, means, authenticated)?;
        }
        self.expand(&mut intent, &form.list("expand"));
        Ok(Answer::fine(intent))
    }

    fn new_payment(&mut self, form: &Form, method: &Value) -> Value {
        let id = self.id("pi");
        json!({
            "id": id,
            "object": "payment_intent",
            "amount": form.number("amount"),
            "amount_capturable": 0,
            "amount_details": { "tip": {} },
            "amount_received": 0,
            "application": null,
            "application_fee_amount": null,
            "automatic_payment_methods": null,
            "canceled_at": null,
            "cancellation_reason": null,
            "capture_method": form.get("capture_method").unwrap_or("automatic_async"),
            "client_secret": format!("{id}_secret_Peer"),
            "confirmation_method": "automatic",
            "created": self.now(),
            "currency": form.get("currency"),
            "customer": form.get("customer"),
            "description": form.get("description"),
            "last_payment_error": null,
            "latest_charge": null,
            "livemode": false,
            "metadata": form.map("metadata"),
            "next_action": null,
            "on_behalf_of": null,
            "payment_method": method["id"],
            "payment_method_options": {},
            "payment_method_types": form.list("payment_method_types"),
            "processing": null,
            "receipt_email": null,
            "review": null,
            "setup_future_usage": null,
            "shipping": null,
            "statement_descriptor": form.get("statement_descriptor"),
            "statement_descriptor_suffix": form.get("statement_descriptor_suffix"),
            "status": "requires_confirmation",
            "transfer_data": null,
            "transfer_group": null,
        })
    }

    /// Asks the bank.
    fn attempt(
        &mut self,
        mut intent: Value,
        method: &mut Value,
        means: Means,
        authenticated: Asks,
    ) -> Result<Value, Refused> {
        if let Some(code) = means.declined.filter(|_| authenticated != Asks::Customer) {
            return Err(self.refuse(intent, method, "card_declined", Some(code)));
        }
        let mut charge = self.charge(&intent, method, authenticated);
        intent["latest_charge"] = charge["id"].clone();
        intent["next_action"] = Value::Null;
        let told = if means.kind == "sepa_debit" {
            charge["status"] = json!("pending");
            charge["captured"] = json!(true);
            intent["status"] = json!("processing");
            "payment_intent.processing"
        } else if intent["capture_method"] == "manual" {
            charge["status"] = json!("succeeded");
            intent["status"] = json!("requires_capture");
            intent["amount_capturable"] = intent["amount"].clone();
            "payment_intent.amount_capturable_updated"
        } else {
            capture(&mut intent, &mut charge);
            "payment_intent.succeeded"
        };
        self.put(charge);
        self.put(intent.clone());
        self.tell(told, &intent);
        Ok(intent)
    }

    fn refuse(
        &mut self,
        mut intent: Value,
        method: &Value,
        code: &str,
        decline_code: Option<&str>,
    ) -> Refused {
        let error = error(code, decline_code, method);
        intent["status"] = json!("requires_payment_method");
        intent["payment_method"] = Value::Null;
        intent["next_action"] = Value::Null;
        intent["last_payment_error"] = error.clone();
        self.put(intent.clone());
        self.tell("payment_intent.payment_failed", &intent);
        Answer::declined(&error, "payment_intent", &intent)
    }

    fn charge(&mut self, intent: &Value, method: &Value, authenticated: Asks) -> Value {
        let kind = text(method, "type");
        let mut details = json!({ "type": kind });
        details[&kind] = match kind.as_str() {
            "card" => json!({
                "brand": "visa", "country": "FR", "exp_month": 12, "exp_year": 2060, "funding": "credit",
                "last4": method["card"]["last4"], "network": "visa",
                "three_d_secure": three_d_secure(authenticated), "wallet": null,
            }),
            "sepa_debit" => json!({ "country": "FR", "last4": method["sepa_debit"]["last4"] }),
            _ => json!({ "country": "FR", "payer_email": "ada@example.com" }),
        };
        json!({
            "id": self.id("ch"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "captured": false,
            "created": self.now(),
            "currency": intent["currency"],
            "customer": intent["customer"],
            "disputed": false,
            "failure_code": null,
            "failure_message": null,
            "livemode": false,
            "metadata": intent["metadata"],
            "paid": true,
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": details,
            "refunded": false,
            "status": "pending",
        })
    }

    pub(crate) fn decide_payment(&mut self, id: &str, code: Option<&str>) {
        let mut intent = self.object(id).expect("the payment intent is there");
        let mut method = self.object(&text(&intent, "payment_method")).unwrap_or_default();
        match (intent["status"].as_str().unwrap_or_default(), code) {
            ("requires_action", None) => {
                let means = self.made_of[&text(&method, "id")];
                self.attempt(intent, &mut method, means, Asks::Customer).expect("who passed 3-D Secure pays");
            }
            ("requires_action", Some(_)) => {
                let _ = self.refuse(intent, &method, "payment_intent_authentication_failure", None);
            }
            ("processing", None) => {
                let mut charge = self.object(&text(&intent, "latest_charge")).expect("a charge");
                capture(&mut intent, &mut charge);
                self.put(charge);
                self.put(intent.clone());
                self.tell("payment_intent.succeeded", &intent);
            }
            ("processing", Some(code)) => {
                let mut charge = self.object(&text(&intent, "latest_charge")).expect("a charge");
                charge["status"] = json!("failed");
                charge["paid"] = json!(false);
                charge["failure_code"] = json!(code);
                self.put(charge);
                let _ = self.refuse(intent, &method, code, None);
            }
            (_, _) => {}
        }
    }

    pub(crate) fn capture_payment(&mut self, id: &str, form: &Form) -> Result<Answer, Refused> {
        let mut intent = self.get(id, "intent")?;
        if intent["status"] != "requires_capture" {
            return Err(unexpected("it cannot be captured now"));
        }
        let mut charge = self.object(&text(&intent, "latest_charge")).expect("a charge");
        capture(&mut intent, &mut charge);
        self.put(charge);
        self.put(intent.clone());
        self.tell("payment_intent.succeeded", &intent);
        self.expand(&mut intent, &form.list("expand"));
        Ok(Answer::fine(intent))
    }

    pub(crate) fn cancel_payment(&mut self, id: &str, form: &Form) -> Result<Answer, Refused> {
        let mut intent = self.get(id, "intent")?;
        if ["succeeded", "canceled", "processing"].iter().any(|done| intent["status"] == *done) {
            return Err(unexpected("it cannot be canceled any more"));
        }
        intent["status"] = json!("canceled");
        intent["next_action"] = Value::Null;
        intent["amount_capturable"] = json!(0);
        intent["canceled_at"] = json!(self.now());
        intent["cancellation_reason"] = json!(form.get("cancellation_reason"));
        self.put(intent.clone());
        self.tell("payment_intent.canceled", &intent);
        self.expand(&mut intent, &form.list("expand"));
        Ok(Answer::fine(intent))
    }
}

fn unexpected(message: &str) -> Refused {
    Answer::invalid(Some("payment_intent_unexpected_state"), None, message)
}

fn capture(intent: &mut Value, charge: &mut Value) {
    let amount = number(intent, "amount");
    intent["status"] = json!("succeeded");
    intent["amount_capturable"] = json!(0);
    intent["amount_received"] = json!(amount);
    charge["status"] = json!("succeeded");
    charge["captured"] = json!(true);
    charge["amount_captured"] = json!(amount);
}
