//! The documented tokens: what is typed in at the sandbox's form, and what happens then.
//!
//! | token | registered or given for once | charged |
//! |---|---|---|
//! | `card-approved` | 3-D Secure at the action URL, then fine | captured |
//! | `card-frictionless` | fine at once, 3-D Secure passed without asking | captured |
//! | `card-declined-soft` | fine at once | declined, may be retried (`insufficient_funds`) |
//! | `card-declined-final` | fine at once | declined for good (`stolen_card`) |
//! | `card-3ds-declined` | fails 3-D Secure (`authentication_failed`) | — |
//! | `card-3ds-each-time` | fine at once | 3-D Secure at the action URL each time, then captured |
//! | `card-expiring` | fine at once; its last month is the next one | captured |
//! | `card-german` | fine at once; issued in Germany, where all others are French | captured |
//! | `card-rejected` | refused (`card_not_supported`) | — |
//! | `card-timeout-approved` | fine at once | captured, and the first answer is lost |
//! | `card-timeout-declined` | fine at once | declined, may be retried, and the first answer is lost |
//! | `iban-approved` | the mandate at the action URL, then fine | pending, captured after three days |
//! | `iban-declined` | the mandate at the action URL, then fine | pending, bounces after three days |
//! | `paypal-approved` | the approval at the action URL, then fine | captured |
//! | `paypal-declined` | the approval at the action URL, then fine | declined for good (`payer_account_restricted`) |
//!
//! Given for once, through a payment link, only cards are accepted (R3.3).

use chrono::Datelike;
use florin_payment::{CardExpiry, MethodDetails, MethodKind};
use florin_settlement::Instant;

/// A way to pay that exists in sandboxes only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestMeans {
    /// What stands for it.
    pub token: &'static str,
    /// What kind it is.
    pub kind: MethodKind,
    /// What may be shown of it.
    pub masked: &'static str,
    /// What happens when it is registered.
    pub registering: Registering,
    /// What happens when it is charged.
    pub charging: Charging,
    /// Whether the answer to a charge arrives.
    pub answer: Answer,
    /// How long a card lasts.
    pub lasts: Lasts,
    /// Where it was issued, or is kept.
    pub country: &'static str,
}

/// What happens when a method is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registering {
    /// It can be charged at once.
    Valid,
    /// The customer has to act.
    Action,
    /// The customer fails the check.
    Fails(&'static str),
    /// The provider refuses it.
    Rejected(&'static str),
}

/// What happens when it is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charging {
    /// The money is captured.
    Captured,
    /// The customer has to pass 3-D Secure for this charge, too.
    Action,
    /// Declined, for now.
    DeclinedSoft(&'static str),
    /// Declined for good.
    DeclinedFinal(&'static str),
    /// The bank takes three days and pays.
    PendingThenCaptured,
    /// The bank takes three days and does not pay.
    PendingThenDeclined(&'static str),
}

/// Whether the answer to a charge arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It does.
    Arrives,
    /// The first does not.
    LostOnce,
}

/// How long a card lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// Until the end of 2060.
    Long,
    /// Until the end of the month after it was registered.
    UntilNextMonth,
}

const HOME: &str = "FR";
const CARD_EXPIRY: CardExpiry = CardExpiry { year: 2060, month: 12 };

/// Every token there is.
pub const TEST_MEANS: [TestMeans; 15] = [
    card("card-approved", "VISA **** 4242", Registering::Action, Charging::Captured),
    card("card-frictionless", "VISA **** 0077", Registering::Valid, Charging::Captured),
    card(
        "card-declined-soft",
        "VISA **** 9995",
        Registering::Valid,
        Charging::DeclinedSoft("insufficient_funds"),
    ),
    card("card-declined-final", "VISA **** 9979", Registering::Valid, Charging::DeclinedFinal("stolen_card")),
    card(
        "card-3ds-declined",
        "VISA **** 3063",
        Registering::Fails("authentication_failed"),
        Charging::Captured,
    ),
    card("card-3ds-each-time", "VISA **** 3184", Registering::Valid, Charging::Action),
    TestMeans {
        lasts: Lasts::UntilNextMonth,
        ..card("card-expiring", "VISA **** 0341", Registering::Valid, Charging::Captured)
    },
    TestMeans {
        country: "DE",
        ..card("card-german", "VISA **** 0276", Registering::Valid, Charging::Captured)
    },
    card("card-rejected", "VISA **** 0002", Registering::Rejected("card_not_supported"), Charging::Captured),
    TestMeans {
        answer: Answer::LostOnce,
        ..card("card-timeout-approved", "VISA **** 5126", Registering::Valid, Charging::Captured)
    },
    TestMeans {
        answer: Answer::LostOnce,
        ..card(
            "card-timeout-declined",
            "VISA **** 5134",
            Registering::Valid,
            Charging::DeclinedSoft("do_not_honor"),
        )
    },
    other("iban-approved", MethodKind::BankAccount, "FR76 **** 0189", Charging::PendingThenCaptured),
    other(
        "iban-declined",
        MethodKind::BankAccount,
        "FR76 **** 0191",
        Charging::PendingThenDeclined("insufficient_funds"),
    ),
    other("paypal-approved", MethodKind::Paypal, "a***@example.com", Charging::Captured),
    other(
        "paypal-declined",
        MethodKind::Paypal,
        "d***@example.com",
        Charging::DeclinedFinal("payer_account_restricted"),
    ),
];

const fn card(
    token: &'static str,
    masked: &'static str,
    registering: Registering,
    charging: Charging,
) -> TestMeans {
    TestMeans {
        token,
        kind: MethodKind::Card,
        masked,
        registering,
        charging,
        answer: Answer::Arrives,
        lasts: Lasts::Long,
        country: HOME,
    }
}

const fn other(token: &'static str, kind: MethodKind, masked: &'static str, charging: Charging) -> TestMeans {
    TestMeans {
        token,
        kind,
        masked,
        registering: Registering::Action,
        charging,
        answer: Answer::Arrives,
        lasts: Lasts::Long,
        country: HOME,
    }
}

impl TestMeans {
    /// What `token` stands for, if it is documented.
    #[must_use]
    pub fn of(token: &str) -> Option<Self> {
        TEST_MEANS.into_iter().find(|means| means.token == token)
    }

    /// What may be shown of it when it is registered at `at`, before or after the customer passed the check.
    pub(super) fn details(self, passed: bool, at: Instant) -> MethodDetails {
        let is_card = self.kind == MethodKind::Card;
        let expiry = match self.lasts {
            Lasts::Long => CARD_EXPIRY,
            Lasts::UntilNextMonth => month_after(at).unwrap_or(CARD_EXPIRY),
        };
        MethodDetails {
            masked: self.masked.to_owned(),
            expiry: is_card.then_some(expiry),
            three_d_secure: is_card && passed,
            country: Some(self.country.to_owned()),
        }
    }
}

fn month_after(at: Instant) -> Option<CardExpiry> {
    let next = at.start_of_next_month().as_datetime();
    Some(CardExpiry { year: u16::try_from(next.year()).ok()?, month: u8::try_from(next.month()).ok()? })
}
