//! The program as a process that talks to a peer: started, spoken to, and killed without a warning.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use florin_peer::{Peer, Signed};
use florin_platform::{db::sql, id::AccountId, secret::ServerKey, wire};
use florin_testbed::TestDatabase;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::bytes::Bytes;
use sea_orm::ConnectionTrait;

const FLORIN: &str = env!("CARGO_BIN_EXE_florin");
pub(crate) const SECRET_KEY: &str = "sk_test_peer";
pub(crate) const WEBHOOK_SECRET: &str = "whsec_peer";
const SERVER_KEY: &str = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlIG9uZXM=";

/// A server process that talks to a peer; killed if a test forgets it.
pub(crate) struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program with the settings of a shop outside a sandbox.
pub(crate) fn florin(db: &TestDatabase, peer: &Peer, command: &[&str]) -> Command {
    let mut florin = Command::new(FLORIN);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLORIN_")) {
        florin.env_remove(name);
    }
    florin
        .args(command)
        .args(["--database-url", db.url(), "--listen", "127.0.0.1:0", "--log", "warn", "--sandbox", "false"])
        .env("FLORIN_SERVER_KEY", SERVER_KEY)
        .env("FLORIN_PUBLIC_URL", "https://pay.example.com")
        .env("FLORIN_PAYMENT_PROVIDER", "stripe")
        .env("FLORIN_STRIPE_URL", peer.url())
        .env("FLORIN_STRIPE_SECRET_KEY", SECRET_KEY)
        .env("FLORIN_STRIPE_PUBLISHABLE_KEY", "pk_test_peer")
        .env("FLORIN_STRIPE_WEBHOOK_SECRETS", format!("whsec_next,{WEBHOOK_SECRET}"));
    florin
}

/// What the program prints when it is run to its end.
pub(crate) fn told(db: &TestDatabase, peer: &Peer, command: &[&str]) -> String {
    let output = florin(db, peer, command).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    pub(crate) fn start(db: &TestDatabase, peer: &Peer) -> Self {
        let mut child = florin(db, peer, &["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.filter_map(|line| line.strip_prefix("florin listens on ").map(str::to_owned)).next();
        Self { child, url: format!("http://{}", address.expect("the server says where it is")) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// SIGKILL: the process does nothing more, not even close what it had open.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) async fn push(&self, event: &Signed) -> u16 {
        push(&self.url, event).await.expect("the server answers")
    }

    pub(crate) async fn page(&self, path: &str) -> (u16, String, String) {
        let request = Request::get(format!("{}{path}", self.url)).body(Full::new(Bytes::new())).unwrap();
        let response = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        let policy =
            response.headers().get("content-security-policy").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, policy.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }
}

/// Delivers `event` to the server at `url`; its answer, if it lived to give one.
pub(crate) async fn push(url: &str, event: &Signed) -> Option<u16> {
    let request = Request::post(format!("{url}/webhooks/stripe"))
        .header("content-type", "application/json")
        .header("stripe-signature", &event.signature)
        .body(Full::new(Bytes::from(event.body.clone())))
        .unwrap();
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await;
    answer.ok().map(|answer| answer.status().as_u16())
}

/// The code that was mailed to `account`: it is told to nobody, and derived again from the server's key.
pub(crate) async fn mailed_code(db: &TestDatabase, account: &str) -> String {
    let account: AccountId = wire::parse_account(account).unwrap();
    let reader = db.connect().await;
    let text = "SELECT secret_purpose FROM notice WHERE kind = 'account.confirmation' AND account_id = $1";
    let row = reader.query_one_raw(sql(&reader, text, [account.into()])).await.unwrap().unwrap();
    let purpose: String = row.try_get_by_index(0).unwrap();
    let key = data_encoding::BASE64.decode(SERVER_KEY.as_bytes()).unwrap();
    ServerKey::try_new(key).unwrap().reveal(&purpose)
}
