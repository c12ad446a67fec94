//! The notices of the sandbox's provider: signed with a secret derived from the server's key, in the form real
//! providers have: an instant and a signature over it and the body in one header.

use data_encoding::BASE64URL_NOPAD;
use florin_payment::provider::{ChargeKey, MethodKey, Notice, NoticeRefused, NoticeSubject, RawNotice};
use florin_platform::{
    id::{AccountId, Id},
    secret::{ServerKey, digest, same},
};
use florin_settlement::Instant;
use serde::{Deserialize, Serialize};

/// The header that carries instant and signature.
const SIGNATURE: &str = "florin-sandbox-signature";
/// How old a signature may be, and how far from the future.
const TOLERANCE_SECONDS: u64 = 300;

/// The body of a notice.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    id: String,
    kind: String,
    account: String,
    subject: String,
}

/// Signs, at `now`, that `about` changed; `event` tells two changes apart.
pub(super) fn sign(key: &ServerKey, about: NoticeSubject, event: &str, now: Instant) -> RawNotice {
    let (kind, account, subject) = match about {
        NoticeSubject::Charge(charge) => ("charge", charge.account, charge.payment.to_string()),
        NoticeSubject::Method(method) => ("method", method.account, method.method.to_string()),
        NoticeSubject::Refund { account, refund, .. } => ("refund", account, refund.to_string()),
    };
    let id = format!("{subject}/{event}");
    let body = Body { id, kind: kind.to_owned(), account: account.to_string(), subject };
    let body = serde_json::to_vec(&body).expect("a body of texts can be written");
    let signature = format!("t={},v1={}", now.micros(), mac(key, now.micros(), &body));
    RawNotice { headers: vec![(SIGNATURE.to_owned(), signature)], body }
}

/// What a notice says that arrived at `now`.
pub(super) fn read(key: &ServerKey, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
    let header = raw.header(SIGNATURE).ok_or(NoticeRefused::Forged)?;
    let (micros, given) = header
        .strip_prefix("t=")
        .and_then(|rest| rest.split_once(",v1="))
        .and_then(|(micros, given)| Some((micros.parse::<i64>().ok()?, given)))
        .ok_or(NoticeRefused::Forged)?;
    if !same(&digest(&mac(key, micros, &raw.body)), &digest(given)) {
        return Err(NoticeRefused::Forged);
    }
    if micros.abs_diff(now.micros()) > TOLERANCE_SECONDS * 1_000_000 {
        return Err(NoticeRefused::Stale);
    }
    let unreadable = |error: &dyn std::fmt::Display| NoticeRefused::Unreadable(error.to_string());
    let body: Body = serde_json::from_slice(&raw.body).map_err(|error| unreadable(&error))?;
    let account = AccountId::parse(&body.account).map_err(|error| unreadable(&error))?;
    let about = match body.kind.as_str() {
        "charge" => {
            let payment = Id::parse(&body.subject).map_err(|error| unreadable(&error))?;
            NoticeSubject::Charge(ChargeKey { account, payment })
        }
        "method" => {
            let method = Id::parse(&body.subject).map_err(|error| unreadable(&error))?;
            NoticeSubject::Method(MethodKey { account, method })
        }
        _ => return Ok(Vec::new()),
    };
    Ok(vec![Notice { id: body.id, about }])
}

fn mac(key: &ServerKey, micros: i64, body: &[u8]) -> String {
    key.token(&format!("sandbox-provider-notice/{micros}/{}", BASE64URL_NOPAD.encode(body)))
}
