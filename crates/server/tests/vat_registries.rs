//! The registers of VAT numbers keep one contract, and what is VIES's own: its gateways that do not answer (R8.4).

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use florin_account::{Consultation, VatRegistry};
use florin_platform::{Platform, clock::Clock, db::Db, secret::ServerKey};
use florin_server::registry::{
    sandbox::{SandboxRegistry, UNKNOWN},
    vies::Vies,
};
use florin_testbed::{Backend, TestDatabase};
use serde_json::{Value, json};

const KNOWN: &str = "DE136695976";
const REQUESTER: &str = "FR40303265045";

fn about(number: &str) -> Consultation {
    Consultation { number: number.to_owned(), requester: REQUESTER.to_owned() }
}

/// What every register keeps to.
async fn keeps_the_contract(registry: &dyn VatRegistry) {
    let known = registry.consult(&about(KNOWN)).await.expect("an answer");
    assert!(known.is_registered && !known.consultation.is_empty(), "{known:?}");
    let unknown = registry.consult(&about(UNKNOWN[0])).await.expect("an answer");
    assert!(!unknown.is_registered, "{unknown:?}");
    assert!(registry.name().bytes().all(|byte| byte.is_ascii_uppercase()), "{}", registry.name());
}

/// VIES, as far as it is asked: answers with what is said, and keeps the questions.
#[derive(Clone, Default)]
struct Peer {
    asked: Arc<Mutex<Vec<Value>>>,
    answer: Arc<Mutex<Option<Value>>>,
}

impl Peer {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/rest-api/", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/rest-api/check-vat-number", post(check)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn answers(&self, answer: Value) {
        *self.answer.lock().expect("unpoisoned") = Some(answer);
    }
}

async fn check(State(peer): State<Peer>, body: String) -> String {
    let question: Value = serde_json::from_str(&body).expect("a question in JSON");
    let known = question["countryCode"] == "DE" && question["vatNumber"] == KNOWN[2..];
    let usual = json!({
        "countryCode": question["countryCode"], "vatNumber": question["vatNumber"],
        "requestDate": "2027-03-01T08:00:00.000Z", "valid": known, "requestIdentifier": "WAPIAAAAY1234567",
        "name": "---", "address": "---",
    });
    peer.asked.lock().expect("unpoisoned").push(question);
    peer.answer.lock().expect("unpoisoned").clone().unwrap_or(usual).to_string()
}

#[tokio::test]
async fn the_sandboxs_register_keeps_the_contract() {
    let db = TestDatabase::create(Backend::Sqlite).await;
    let platform = Platform {
        db: Db::connect(db.url()).await.expect("the database opens"),
        clock: Clock::Sandbox,
        key: ServerKey::try_new(vec![7; 32]).expect("long enough"),
    };
    keeps_the_contract(&SandboxRegistry::new(platform)).await;
}

#[tokio::test]
async fn vies_keeps_the_contract_and_is_told_who_asks() {
    let peer = Peer::default();
    let vies = Vies::new(&peer.start().await, Duration::from_secs(5)).expect("certificates");
    keeps_the_contract(&vies).await;
    let asked = peer.asked.lock().expect("unpoisoned").clone();
    let first = json!({
        "countryCode": "DE", "vatNumber": "136695976",
        "requesterMemberStateCode": "FR", "requesterNumber": "40303265045",
    });
    assert_eq!(asked[0], first);
}

#[tokio::test]
async fn vies_is_silent_where_it_cannot_tell() {
    let peer = Peer::default();
    let url = peer.start().await;
    let vies = Vies::new(&url, Duration::from_secs(5)).expect("certificates");
    for answer in [
        json!({ "actionSucceed": false, "errorWrappers": [{ "error": "MS_UNAVAILABLE" }] }),
        json!({ "actionSucceed": false, "errorWrappers": [] }),
        json!({ "valid": false, "userError": "MS_MAX_CONCURRENT_REQ" }),
        json!("not what was expected"),
    ] {
        peer.answers(answer.clone());
        assert!(vies.consult(&about(KNOWN)).await.is_err(), "{answer}");
    }
    peer.answers(json!({ "valid": true, "userError": "VALID", "requestIdentifier": null }));
    let answered = vies.consult(&about(KNOWN)).await.expect("an answer");
    assert_eq!((answered.is_registered, answered.consultation.as_str()), (true, ""));
    let nobody = Vies::new("http://127.0.0.1:9", Duration::from_secs(5)).expect("certificates");
    assert!(nobody.consult(&about(KNOWN)).await.is_err());
    let elsewhere =
        Vies::new(&url.replace("rest-api", "elsewhere"), Duration::from_secs(5)).expect("certificates");
    assert!(elsewhere.consult(&about(KNOWN)).await.is_err(), "an error status says nothing");
}

#[tokio::test]
async fn nobody_waits_longer_for_vies_than_they_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let vies = Vies::new(&url, Duration::from_millis(50)).expect("certificates");
    assert!(vies.consult(&about(KNOWN)).await.is_err());
}
