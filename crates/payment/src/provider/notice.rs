//! Notices a provider pushes: signed, and in no order that can be relied on.
//!
//! A notice is never more than a hint. It says what to look at, and what is believed is what the provider
//! answers when it is asked: a notice that comes twice, late, or before an older one therefore changes
//! nothing that asking would not have changed, and none has to be remembered.

use florin_platform::id::AccountId;

use super::{ChargeKey, MethodKey, ProviderUnknown};
use crate::domain::{payment::PaymentId, refund::RefundId};

/// A notice as it came over the network; nothing about it is believed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawNotice {
    /// Names and values, names in any case.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte: what is signed.
    pub body: Vec<u8>,
}

impl RawNotice {
    /// The value of the header called `name`, in any case; nothing if there is none, or more than one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value.as_str())
    }
}

/// A notice whose signature was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the event: the same when it is delivered again.
    pub id: String,
    /// What to look at.
    pub about: NoticeSubject,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeSubject {
    /// A charge changed, or a dispute of it was opened, won or lost.
    Charge(ChargeKey),
    /// A registered method changed: it was approved, refused, revoked, or its details are new.
    Method(MethodKey),
    /// A refund changed.
    Refund {
        /// Whose.
        account: AccountId,
        /// Of which payment.
        payment: PaymentId,
        /// Which.
        refund: RefundId,
    },
}

/// Why a notice is not believed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoticeRefused {
    /// Not signed by the provider, or changed on the way.
    #[error("the signature of the notice is not the provider's")]
    Forged,
    /// Signed by the provider, too long ago: a replay.
    #[error("the notice was signed too long ago")]
    Stale,
    /// Signed by the provider, and not in a form that is known.
    #[error("the notice cannot be read: {0}")]
    Unreadable(String),
    /// The provider had to be asked what it is about, and did not answer: it is to deliver it again.
    #[error(transparent)]
    Unknown(#[from] ProviderUnknown),
    /// This provider pushes no notices.
    #[error("this provider pushes no notices")]
    NotPushed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case_and_two_of_one_name_are_none() {
        let mut raw = RawNotice { headers: vec![("Signature".into(), "one".into())], body: Vec::new() };
        assert_eq!(raw.header("signature"), Some("one"));
        assert_eq!(raw.header("other"), None);
        raw.headers.push(("SIGNATURE".into(), "two".into()));
        assert_eq!(raw.header("signature"), None);
    }
}
