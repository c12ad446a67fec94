//! Setup intents: a method made ready to be charged while the customer is away.

use serde_json::{Value, json};

use crate::{
    answer::{Answer, Refused},
    books::{Books, error, text},
    form::Form,
    means::Asks,
};

impl Books {
    pub(crate) fn create_setup(&mut self, form: &Form) -> Result<Answer, Refused> {
        let mut method = self.method(form.get("payment_method").unwrap_or_default())?;
        let kind = text(&method, "type");
        if !form.list("payment_method_types").contains(&kind.as_str()) {
            let code = "setup_intent_incompatible_payment_method";
            return Err(Answer::invalid(
                Some(code),
                Some("payment_method"),
                "not one of payment_method_types",
            ));
        }
        if kind != "card" && form.get("mandate_data[customer_acceptance][type]").is_none() {
            return Err(Answer::invalid(None, Some("mandate_data"), "a mandate is needed"));
        }
        let customer = self.get(form.get("customer").unwrap_or_default(), "customer")?;
        let means = self.made_of[&text(&method, "id")];
        let id = self.id("seti");
        let mut intent = json!({
            "id": id,
            "object": "setup_intent",
            "application": null,
            "attach_to_self": false,
            "automatic_payment_methods": null,
            "cancellation_reason": null,
            "client_secret": format!("{id}_secret_Peer"),
            "created": self.now(),
            "customer": customer["id"],
            "description": form.get("description"),
            "flow_directions": null,
            "last_setup_error": null,
            "latest_attempt": null,
            "livemode": false,
            "mandate": null,
            "metadata": form.map("metadata"),
            "next_action": null,
            "on_behalf_of": null,
            "payment_method": method["id"],
            "payment_method_options": {},
            "payment_method_types": form.list("payment_method_types"),
            "single_use_mandate": null,
            "status": "requires_confirmation",
            "usage": "off_session",
        });
        self.tell("setup_intent.created", &intent);
        self.put(method.clone());
        if let Some(code) = means.refused {
            let error = error("card_declined", Some(code), &method);
            intent["status"] = json!("requires_payment_method");
            intent["payment_method"] = Value::Null;
            intent["last_setup_error"] = error.clone();
            self.put(intent.clone());
            self.tell("setup_intent.setup_failed", &intent);
            return Err(Answer::declined(&error, "setup_intent", &intent));
        }
        if means.asks == Asks::Customer {
            intent["status"] = json!("requires_action");
            intent["next_action"] = self.redirect(&id, form.get("return_url"));
            self.put(intent.clone());
            self.tell("setup_intent.requires_action", &intent);
        } else {
            method["customer"] = customer["id"].clone();
            self.put(method);
            intent = self.set_up(intent, means.asks);
        }
        self.expand(&mut intent, &form.list("expand"));
        Ok(Answer::fine(intent))
    }

    /// Where the customer is sent.
    pub(crate) fn redirect(&self, intent: &str, return_url: Option<&str>) -> Value {
        json!({
            "type": "redirect_to_url",
            "redirect_to_url": { "return_url": return_url, "url": format!("{}/redirect/{intent}", self.url) },
        })
    }

    fn set_up(&mut self, mut intent: Value, asks: Asks) -> Value {
        let mut method = self.object(&text(&intent, "payment_method")).expect("the method is there");
        method["customer"] = intent["customer"].clone();
        self.put(method.clone());
        let kind = text(&method, "type");
        let mut details = json!({ "type": kind });
        details[&kind] = if kind == "card" {
            json!({
                "brand": "visa", "checks": null, "country": "FR", "exp_month": 12, "exp_year": 2060,
                "fingerprint": "PeerPeerPeerPeer", "funding": "credit", "last4": method["card"]["last4"],
                "network": "visa", "three_d_secure": three_d_secure(asks), "wallet": null,
            })
        } else {
            json!({})
        };
        let attempt = json!({
            "id": self.id("setatt"),
            "object": "setup_attempt",
            "application": null,
            "attach_to_self": false,
            "created": self.now(),
            "customer": intent["customer"],
            "flow_directions": null,
            "livemode": false,
            "on_behalf_of": null,
            "payment_method": method["id"],
            "payment_method_details": details,
            "setup_error": null,
            "setup_intent": intent["id"],
            "status": "succeeded",
            "usage": "off_session",
        });
        if kind != "card" {
            let mandate = self.mandate(&method, &kind);
            intent["mandate"] = mandate["id"].clone();
            self.put(mandate);
        }
        intent["status"] = json!("succeeded");
        intent["next_action"] = Value::Null;
        intent["latest_attempt"] = attempt["id"].clone();
        self.put(attempt);
        self.put(intent.clone());
        self.tell("setup_intent.succeeded", &intent);
        intent
    }

    fn mandate(&mut self, method: &Value, kind: &str) -> Value {
        let mut details = json!({ "type": kind });
        details[kind] = match kind {
            "sepa_debit" => {
                json!({ "reference": "PEERMANDATE1", "url": "https://hooks.stripe.com/mandate/peer" })
            }
            _ => json!({ "billing_agreement_id": "B-PEER", "payer_id": "PEERPEERPEER1" }),
        };
        json!({
            "id": self.id("mandate"),
            "object": "mandate",
            "customer_acceptance": { "accepted_at": self.now(), "offline": {}, "type": "offline" },
            "livemode": false,
            "multi_use": {},
            "payment_method": method["id"],
            "payment_method_details": details,
            "status": "active",
            "type": "multi_use",
        })
    }

    pub(crate) fn decide_setup(&mut self, id: &str, code: Option<&str>) {
        let mut intent = self.object(id).expect("the setup intent is there");
        if intent["status"] != "requires_action" {
            return;
        }
        let Some(_) = code else {
            self.set_up(intent, Asks::Customer);
            return;
        };
        let method = self.object(&text(&intent, "payment_method")).expect("the method is there");
        intent["last_setup_error"] = error("setup_intent_authentication_failure", None, &method);
        intent["status"] = json!("requires_payment_method");
        intent["payment_method"] = Value::Null;
        intent["next_action"] = Value::Null;
        self.put(intent.clone());
        self.tell("setup_intent.setup_failed", &intent);
    }

    pub(crate) fn cancel_setup(&mut self, id: &str, form: &Form) -> Result<Answer, Refused> {
        let mut intent = self.get(id, "intent")?;
        if intent["status"] == "succeeded" || intent["status"] == "canceled" {
            let code = "setup_intent_unexpected_state";
            return Err(Answer::invalid(Some(code), None, "it cannot be canceled any more"));
        }
        intent["status"] = json!("canceled");
        intent["next_action"] = Value::Null;
        intent["cancellation_reason"] = json!(form.get("cancellation_reason"));
        self.put(intent.clone());
        self.tell("setup_intent.canceled", &intent);
        Ok(Answer::fine(intent))
    }
}

/// How 3-D Secure went.
pub(crate) fn three_d_secure(asks: Asks) -> Value {
    match asks {
        Asks::NotSupported => Value::Null,
        Asks::Nothing | Asks::Customer => json!({
            "authentication_flow": if asks == Asks::Customer { "challenge" } else { "frictionless" },
            "electronic_commerce_indicator": "05",
            "result": "authenticated",
            "result_reason": null,
            "transaction_id": "5f1d3e0a-0000-4000-8000-000000000000",
            "version": "2.2.0",
        }),
    }
}
