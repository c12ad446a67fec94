//! The books: every object there is, by its id.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde_json::{Value, json};

use crate::{
    Fault, Moved,
    answer::{Answer, Refused},
    form::Form,
    means::{self, Means},
};

/// A customer is found by search only so many seconds after it was made.
const SEARCH_LAGS_SECONDS: i64 = 60;
/// The most objects in one page of a list.
const PAGE_MAX: i64 = 100;

/// What was answered under an idempotency key.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) fingerprint: String,
    pub(crate) answer: Answer,
    pub(crate) at: i64,
}

/// Everything the peer knows.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) url: String,
    pub(crate) secret_key: String,
    pub(crate) webhook_secret: String,
    /// The API version of the last request; events are told in it.
    pub(crate) version: String,
    pub(crate) now: Option<i64>,
    count: u64,
    /// Objects by id; ids grow, so that this is the order of creation.
    objects: BTreeMap<String, Value>,
    /// What each payment method was made of.
    pub(crate) made_of: HashMap<String, Means>,
    pub(crate) kept: HashMap<String, Kept>,
    pub(crate) faults: VecDeque<Fault>,
    pub(crate) events: Vec<Value>,
    pub(crate) untaken: Vec<Value>,
    pub(crate) asked: Vec<String>,
}

impl Books {
    pub(crate) fn new(url: &str, secret_key: &str, webhook_secret: &str) -> Self {
        Self {
            url: url.to_owned(),
            secret_key: secret_key.to_owned(),
            webhook_secret: webhook_secret.to_owned(),
            version: String::new(),
            now: None,
            count: 0,
            objects: BTreeMap::new(),
            made_of: HashMap::new(),
            kept: HashMap::new(),
            faults: VecDeque::new(),
            events: Vec::new(),
            untaken: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Seconds since 1970.
    #[expect(clippy::disallowed_methods, reason = "the peer is not Florin and has its own time")]
    pub(crate) fn now(&self) -> i64 {
        let machine = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        self.now.unwrap_or_else(|| {
            i64::try_from(machine().expect("it is later than 1970").as_secs()).expect("it is not that late")
        })
    }

    pub(crate) fn id(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}_{:014}Peer", self.count)
    }

    pub(crate) fn put(&mut self, object: Value) {
        let id = object["id"].as_str().expect("an object has an id").to_owned();
        self.objects.insert(id, object);
    }

    pub(crate) fn object(&self, id: &str) -> Option<Value> {
        self.objects.get(id).cloned()
    }

    pub(crate) fn everything(&self) -> Vec<Value> {
        self.objects.values().chain(&self.events).cloned().collect()
    }

    pub(crate) fn get(&self, id: &str, param: &str) -> Result<Value, Refused> {
        self.object(id).ok_or_else(|| Answer::missing(id, param))
    }

    /// Objects whose ids begin with `prefix`, newest first.
    pub(crate) fn all<'b>(&'b self, prefix: &'b str) -> impl Iterator<Item = &'b Value> {
        let start = format!("{prefix}_");
        self.objects
            .values()
            .rev()
            .filter(move |object| object["id"].as_str().is_some_and(|id| id.starts_with(&start)))
    }

    pub(crate) fn intents_with<'b>(
        &'b self,
        key: &'b str,
        value: &'b str,
    ) -> impl Iterator<Item = String> + 'b {
        let payments = self.all("pi").chain(self.all("seti"));
        let found = payments.filter(move |intent| intent["metadata"][key] == value);
        found.map(|intent| text(intent, "id"))
    }

    pub(crate) fn moved(&self, key: &str, value: &str) -> Moved {
        let mut moved = Moved::default();
        for intent in self.all("pi").filter(|intent| intent["metadata"][key] == value) {
            for charge in self.all("ch").filter(|charge| charge["payment_intent"] == intent["id"]) {
                let captured = number(charge, "amount_captured");
                moved.charges += usize::from(captured > 0);
                moved.captured += captured;
                moved.refunded += number(charge, "amount_refunded");
            }
        }
        moved
    }

    /// One page of a list, newest first, narrowed as the query says.
    pub(crate) fn list(&self, prefix: &str, url: &str, query: &Form, narrow: &[&str]) -> Answer {
        let at = |name: &str| query.number(&format!("created[{name}]"));
        let fits = |object: &&Value| {
            let created = number(object, "created");
            narrow.iter().all(|name| query.get(name).is_none_or(|wanted| object[*name] == wanted))
                && at("gte").is_none_or(|from| created >= from)
                && at("lte").is_none_or(|to| created <= to)
        };
        let after = query.get("starting_after");
        let found = self
            .all(prefix)
            .skip_while(|object| after.is_some_and(|after| object["id"] != after))
            .skip(usize::from(after.is_some()))
            .filter(fits);
        let limit =
            usize::try_from(query.number("limit").unwrap_or(10).clamp(1, PAGE_MAX)).expect("a small number");
        let mut page: Vec<Value> = found.take(limit + 1).cloned().collect();
        let has_more = page.len() > limit;
        page.truncate(limit);
        for object in &mut page {
            self.expand(
                object,
                &query
                    .list("expand")
                    .iter()
                    .filter_map(|path| path.strip_prefix("data."))
                    .collect::<Vec<_>>(),
            );
        }
        Answer::list(url, &page, has_more)
    }

    /// Puts the objects in the place of their ids.
    pub(crate) fn expand(&self, object: &mut Value, paths: &[&str]) {
        for path in paths {
            let (first, rest) = path.split_once('.').unwrap_or((path, ""));
            let found = object[first].as_str().and_then(|id| self.object(id));
            if let Some(mut inner) = found {
                if !rest.is_empty() {
                    self.expand(&mut inner, &[rest]);
                }
                object[first] = inner;
            } else if object[first].is_object() && !rest.is_empty() {
                self.expand(&mut object[first], &[rest]);
            }
        }
    }

    pub(crate) fn create_customer(&mut self, form: &Form) -> Answer {
        let customer = json!({
            "id": self.id("cus"),
            "object": "customer",
            "address": null,
            "balance": 0,
            "created": self.now(),
            "currency": null,
            "default_source": null,
            "delinquent": false,
            "description": form.get("description"),
            "discount": null,
            "email": form.get("email"),
            "invoice_prefix": "PEER0001",
            "livemode": false,
            "metadata": form.map("metadata"),
            "name": form.get("name"),
            "phone": null,
            "preferred_locales": [],
            "shipping": null,
            "tax_exempt": "none",
            "test_clock": null,
        });
        self.put(customer.clone());
        Answer::fine(customer)
    }

    /// Finds customers by one entry of their metadata; what is new is not found yet.
    pub(crate) fn search_customers(&self, query: &Form) -> Result<Answer, Refused> {
        let wanted = query.get("query").unwrap_or_default();
        let parts: Vec<&str> = wanted.split(['\'', '"']).collect();
        let [start, key, colon, value, ""] = parts.as_slice() else {
            return Err(Answer::invalid(None, Some("query"), "the query cannot be read"));
        };
        if (*start, *colon) != ("metadata[", "]:") {
            return Err(Answer::invalid(None, Some("query"), "the query cannot be read"));
        }
        let before = self.now() - SEARCH_LAGS_SECONDS;
        let found = self.all("cus").filter(|customer| {
            customer["metadata"][*key] == **value && number(customer, "created") <= before
        });
        let data: Vec<Value> = found.cloned().collect();
        Ok(Answer::fine(json!({
            "object": "search_result",
            "url": "/v1/customers/search",
            "has_more": false,
            "next_page": null,
            "data": data,
        })))
    }

    /// The method a request names: one that is there, or one made of a documented token.
    pub(crate) fn method(&mut self, named: &str) -> Result<Value, Refused> {
        if let Some(known) = self.object(named) {
            return Ok(known);
        }
        let means = means::of(named).ok_or_else(|| Answer::missing(named, "payment_method"))?;
        let id = self.id("pm");
        let mut method = json!({
            "id": id,
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": {
                "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
                "email": null, "name": null, "phone": null, "tax_id": null,
            },
            "created": self.now(),
            "customer": null,
            "livemode": false,
            "metadata": {},
            "type": means.kind,
        });
        method[means.kind] = match means.kind {
            "card" => json!({
                "brand": "visa",
                "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
                "country": "FR",
                "display_brand": "visa",
                "exp_month": 12,
                "exp_year": 2060,
                "fingerprint": "PeerPeerPeerPeer",
                "funding": "credit",
                "generated_from": null,
                "last4": means.last4,
                "networks": { "available": ["visa"], "preferred": null },
                "regulated_status": "unregulated",
                "three_d_secure_usage": { "supported": means.asks != means::Asks::NotSupported },
                "wallet": null,
            }),
            "sepa_debit" => json!({
                "bank_code": "20041",
                "branch_code": "01005",
                "country": "FR",
                "fingerprint": "PeerPeerPeerPeer",
                "generated_from": { "charge": null, "setup_attempt": null },
                "last4": means.last4,
            }),
            _ => json!({ "country": "FR", "payer_email": "ada@example.com", "payer_id": "PEERPEERPEER1" }),
        };
        self.made_of.insert(id, means);
        Ok(method)
    }

    pub(crate) fn detach(&mut self, id: &str) -> Result<Answer, Refused> {
        let mut method = self.get(id, "payment_method")?;
        if method["customer"].is_null() {
            let message =
                "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(Answer::invalid(None, None, message));
        }
        method["customer"] = Value::Null;
        self.put(method.clone());
        self.tell("payment_method.detached", &method);
        Ok(Answer::fine(method))
    }

    pub(crate) fn renew_card(&mut self, id: &str, year: i32, month: u32) {
        let mut method = self.object(id).expect("the method is there");
        method["card"]["exp_year"] = json!(year);
        method["card"]["exp_month"] = json!(month);
        self.put(method.clone());
        self.tell("payment_method.automatically_updated", &method);
    }

    pub(crate) fn revoke_mandate(&mut self, method: &str) {
        let found = self.all("mandate").find(|mandate| mandate["payment_method"] == method).cloned();
        let mut mandate = found.expect("the method has a mandate");
        mandate["status"] = json!("inactive");
        self.put(mandate.clone());
        self.tell("mandate.updated", &mandate);
    }
}

pub(crate) fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

pub(crate) fn number(object: &Value, name: &str) -> i64 {
    object[name].as_i64().unwrap_or_default()
}

/// An error as Stripe tells of it, on an intent and in an answer.
pub(crate) fn error(code: &str, decline_code: Option<&str>, method: &Value) -> Value {
    let mut error = json!({
        "type": if code == "setup_intent_authentication_failure" || code == "payment_intent_authentication_failure" {
            "invalid_request_error"
        } else {
            "card_error"
        },
        "code": code,
        "doc_url": format!("https://docs.stripe.com/error-codes/{}", code.replace('_', "-")),
        "message": "The payment method was not accepted.",
        "payment_method": method,
    });
    if let Some(decline_code) = decline_code {
        error["decline_code"] = json!(decline_code);
    }
    if matches!(decline_code, Some("stolen_card" | "card_not_supported")) {
        error["advice_code"] = json!("do_not_try_again");
    }
    error
}
