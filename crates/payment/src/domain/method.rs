//! The payment method and its states (R3.1, R3.2).
//!
//! ```text
//! CREATING ──► VALIDATING ──► VALID ──► EXPIRED | REPLACED | CANCELED
//!     │             └───────► FAILED
//!     └──► VALID | FAILED | REJECTED      CREATING | VALIDATING ──► CANCELED
//! ```
//! A VALID method on which a charge was declined for good stays VALID for everybody to see, and pays nothing
//! any more (R3.6): [`PaymentMethod::can_pay`].

use std::fmt;

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::Instant;

use super::watch::{Awaited, Watch};

/// The longest label, in characters.
pub(crate) const LABEL_CHARACTERS_MAX: usize = 255;
/// The longest token of a provider, in bytes.
pub(crate) const TOKEN_BYTES_MAX: usize = 255;
/// How many days before a bank account is debited its holder is told, unless the mandate says otherwise (R3.6).
pub const NOTICE_DAYS_DEFAULT: u32 = 2;
/// What a method on which a charge was declined for good is instead of VALID, in the words of a refusal.
const DECLINED_FOR_GOOD: &str = "DECLINED_FOR_GOOD";

/// Marks ids of payment methods.
#[derive(Debug)]
pub enum PaymentMethodMark {}
impl Kind for PaymentMethodMark {
    const PREFIX: &'static str = "pm";
}
/// The id of a payment method, and the provider's idempotency key of its registration.
pub type PaymentMethodId = Id<PaymentMethodMark>;

/// What kind of method it is (R3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MethodKind {
    /// A card, with 3-D Secure.
    Card,
    /// Direct debit from a bank account, with a mandate.
    BankAccount,
    /// A PayPal account.
    Paypal,
}

impl MethodKind {
    /// Every kind, in the order of offers.
    pub const ALL: [Self; 3] = [Self::Card, Self::BankAccount, Self::Paypal];

    /// The stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Card => "CARD",
            Self::BankAccount => "BANK_ACCOUNT",
            Self::Paypal => "PAYPAL",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for MethodKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The states of R3.2, with what each of them carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MethodState {
    /// Stored, and on its way to the provider.
    Creating(Watch),
    /// Waits for the customer.
    Validating {
        /// Where the customer must go.
        action_url: String,
        /// When to ask how it ended.
        watch: Watch,
    },
    /// Can pay.
    Valid,
    /// The customer did not pass the check, or let it lapse.
    Failed {
        /// The provider's word for it.
        code: String,
    },
    /// The provider refused it.
    Rejected {
        /// The provider's word for it.
        code: String,
    },
    /// The card's date is over.
    Expired,
    /// A newer method took its place.
    Replaced,
    /// Removed by the customer.
    Canceled,
}

impl MethodState {
    /// The stored form.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Creating(_) => "CREATING",
            Self::Validating { .. } => "VALIDATING",
            Self::Valid => "VALID",
            Self::Failed { .. } => "FAILED",
            Self::Rejected { .. } => "REJECTED",
            Self::Expired => "EXPIRED",
            Self::Replaced => "REPLACED",
            Self::Canceled => "CANCELED",
        }
    }

    /// When to look at it again, while it is unfinished.
    #[must_use]
    pub fn watch(&self) -> Option<Watch> {
        match self {
            Self::Creating(watch) | Self::Validating { watch, .. } => Some(*watch),
            Self::Valid
            | Self::Failed { .. }
            | Self::Rejected { .. }
            | Self::Expired
            | Self::Replaced
            | Self::Canceled => None,
        }
    }
}

/// The last month of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CardExpiry {
    /// As in 2031.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl CardExpiry {
    /// The first instant at which the card can no longer pay: the start of the month after.
    #[must_use]
    pub fn end(self) -> Instant {
        Instant::midnight(i32::from(self.year), u32::from(self.month), 1)
            .map_or(Instant::MAX, Instant::start_of_next_month)
    }
}

/// How near the end of a card its holder has been warned (R3.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warned {
    /// Not yet.
    #[default]
    Never,
    /// Thirty days before.
    Month,
    /// Seven days before.
    Week,
}

impl Warned {
    /// Every warning, the first first.
    pub(crate) const WARNINGS: [Self; 2] = [Self::Month, Self::Week];

    /// How many days before the end this one is given; 0 for none.
    #[must_use]
    pub(crate) fn days(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::Month => 30,
            Self::Week => 7,
        }
    }

    /// Reads the number of days.
    #[must_use]
    pub(crate) fn of_days(days: i64) -> Option<Self> {
        [Self::Never, Self::Month, Self::Week].into_iter().find(|warned| i64::from(warned.days()) == days)
    }

    /// The latest warning whose time has come at `at` for a card that ends at `end`.
    fn come(end: Instant, at: Instant) -> Self {
        let come = |warning: &Self| end.minus_days(warning.days()) <= at;
        Self::WARNINGS.into_iter().rfind(come).unwrap_or(Self::Never)
    }
}

/// What may be shown of a method. Card numbers never enter Florin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodDetails {
    /// As in `VISA **** 4242`.
    pub masked: String,
    /// The last month of a card.
    pub expiry: Option<CardExpiry>,
    /// Whether it passed 3-D Secure (R3.3).
    pub three_d_secure: bool,
    /// Where the card was issued or the account is kept, ISO 3166-1 alpha-2, if the provider says (R8.4).
    pub country: Option<String>,
}

/// A registered way to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentMethod {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: PaymentMethodId,
    /// What kind it is.
    pub kind: MethodKind,
    /// Where it stands.
    pub state: MethodState,
    /// The customer's own name for it.
    pub label: String,
    /// What the provider's form gave for it; needed to register it.
    pub token: String,
    /// What the provider calls it, once it knows it.
    pub provider_reference: Option<String>,
    /// What may be shown of it.
    pub details: MethodDetails,
    /// The provider's word for the decline that was for good, if there was one (R3.6).
    pub declined_for_good: Option<String>,
    /// Its place among the methods that may be tried when the default one is declined for good, the lowest
    /// first; none if the customer does not allow it (R9.1).
    pub fallback_order: Option<u32>,
    /// How many days before it is debited the customer is told; for bank accounts (R3.6).
    pub notice_days: u32,
    /// How near its end the customer has been warned (R3.5).
    pub warned: Warned,
    /// The method it takes the place of when it becomes VALID.
    pub replaces: Option<PaymentMethodId>,
    /// Grows with every change.
    pub version: i64,
    /// When it was registered.
    pub created: Instant,
    /// When it last changed.
    pub updated: Instant,
}

/// What the provider says about a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It can be charged.
    Valid {
        /// What the provider calls it.
        reference: String,
        /// What may be shown of it.
        details: MethodDetails,
    },
    /// The customer has to do something first: 3-D Secure, a mandate, PayPal's approval.
    ActionRequired {
        /// What the provider calls the registration so far.
        reference: Option<String>,
        /// Where.
        url: String,
        /// What may be shown of it.
        details: MethodDetails,
    },
    /// The customer did not pass the check, or let it lapse.
    Failed {
        /// The provider's word for it.
        code: String,
    },
    /// The provider refused it.
    Rejected {
        /// The provider's word for it.
        code: String,
    },
    /// It could be charged once and no longer can: the mandate was withdrawn, the agreement ended, or the
    /// provider was told to forget it.
    Revoked {
        /// The provider's word for it.
        code: String,
    },
}

/// What news about a method mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MethodNews {
    /// Nothing changed for anybody else; the row is to be kept up to date.
    Waiting(PaymentMethod),
    /// It can pay from now on.
    BecameValid(PaymentMethod),
    /// It never will.
    Refused(PaymentMethod),
    /// It can still pay, and is shown otherwise: the card was renewed, say.
    Renewed(PaymentMethod),
    /// It can no longer pay, as of now.
    Revoked(PaymentMethod),
    /// It was finished before; there is nothing to write.
    Settled(PaymentMethod),
}

impl PaymentMethod {
    /// A method about to be registered.
    #[must_use]
    pub(crate) fn creating(
        account: AccountId,
        kind: MethodKind,
        label: String,
        token: String,
        at: Instant,
    ) -> Self {
        Self {
            account,
            id: PaymentMethodId::generate(at),
            kind,
            state: MethodState::Creating(Watch::begin(Awaited::Answer, at)),
            label,
            token,
            provider_reference: None,
            details: MethodDetails::default(),
            declined_for_good: None,
            fallback_order: None,
            notice_days: NOTICE_DAYS_DEFAULT,
            warned: Warned::Never,
            replaces: None,
            version: 1,
            created: at,
            updated: at,
        }
    }

    /// Whether it may make an account's first ever payment: a card that passed 3-D Secure (R3.3).
    #[must_use]
    pub fn may_pay_first(&self) -> bool {
        self.kind == MethodKind::Card && self.details.three_d_secure
    }

    /// Whether it can pay: VALID, and never declined for good.
    #[must_use]
    pub fn can_pay(&self) -> bool {
        self.state == MethodState::Valid && self.declined_for_good.is_none()
    }

    /// What the provider calls it, if it can pay.
    #[must_use]
    pub fn chargeable(&self) -> Option<&str> {
        if self.can_pay() { self.provider_reference.as_deref() } else { None }
    }

    /// What it is, in the words of a refusal to let it pay.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match (&self.state, &self.declined_for_good) {
            (MethodState::Valid, Some(_)) => DECLINED_FOR_GOOD,
            (state, _) => state.as_str(),
        }
    }

    /// Whether what was begun on it goes on: it can pay, or was replaced since, which stops nothing.
    #[must_use]
    pub(crate) fn carries_on(&self) -> bool {
        let stands = matches!(self.state, MethodState::Valid | MethodState::Replaced);
        stands && self.declined_for_good.is_none()
    }

    /// Whether it is on its way to becoming VALID.
    #[must_use]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.state.watch().is_some()
    }

    /// Takes in what the provider says at `at`. What is finished stays as it is, so that news may come
    /// twice and late; a VALID method may be renewed or revoked.
    #[must_use]
    pub(crate) fn learn(self, registration: Registration, at: Instant) -> MethodNews {
        match self.state {
            MethodState::Creating(_) => self.answered(registration, Watch::begin(Awaited::Customer, at), at),
            MethodState::Validating { watch, .. } => {
                self.answered(registration, watch.looked(Awaited::Customer, at), at)
            }
            MethodState::Valid => self.heard_of_again(registration, at),
            MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Expired
            | MethodState::Replaced
            | MethodState::Canceled => MethodNews::Settled(self),
        }
    }

    /// The first answers to a registration; `waits` is the watch while the customer has to act.
    fn answered(self, registration: Registration, waits: Watch, at: Instant) -> MethodNews {
        match registration {
            Registration::Valid { reference, details } => MethodNews::BecameValid(Self {
                provider_reference: Some(reference),
                warned: warned_at_first(&details, at),
                details,
                ..self.moved(MethodState::Valid, at)
            }),
            Registration::ActionRequired { reference, url, details } => {
                let provider_reference = reference.or_else(|| self.provider_reference.clone());
                let state = MethodState::Validating { action_url: url, watch: waits };
                MethodNews::Waiting(Self { provider_reference, details, ..self.moved(state, at) })
            }
            Registration::Failed { code } | Registration::Revoked { code } => {
                MethodNews::Refused(self.moved(MethodState::Failed { code }, at))
            }
            Registration::Rejected { code } => {
                MethodNews::Refused(self.moved(MethodState::Rejected { code }, at))
            }
        }
    }

    /// What the provider says of a method that was VALID before.
    fn heard_of_again(self, registration: Registration, at: Instant) -> MethodNews {
        match registration {
            Registration::Valid { reference, details } => {
                if self.details == details && self.provider_reference.as_ref() == Some(&reference) {
                    return MethodNews::Settled(self);
                }
                let warned = if self.details.expiry == details.expiry {
                    self.warned
                } else {
                    warned_at_first(&details, at)
                };
                let provider_reference = Some(reference);
                MethodNews::Renewed(Self { provider_reference, warned, details, ..self.touched(at) })
            }
            Registration::Revoked { .. } => MethodNews::Revoked(self.moved(MethodState::Canceled, at)),
            // An answer from before it became VALID, overtaken by a later one.
            Registration::ActionRequired { .. }
            | Registration::Failed { .. }
            | Registration::Rejected { .. } => MethodNews::Settled(self),
        }
    }

    /// The method after a look at `at` that got no answer.
    #[must_use]
    pub(crate) fn unanswered(mut self, at: Instant) -> Self {
        match &mut self.state {
            MethodState::Creating(watch) => *watch = watch.looked(Awaited::Answer, at),
            MethodState::Validating { watch, .. } => *watch = watch.looked(Awaited::Customer, at),
            MethodState::Valid
            | MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Expired
            | MethodState::Replaced
            | MethodState::Canceled => {}
        }
        self
    }

    /// The method once its card's date is over; nothing for what does not expire or is not VALID.
    #[must_use]
    pub(crate) fn expired(self, at: Instant) -> Option<Self> {
        let over = self.details.expiry.is_some_and(|expiry| expiry.end() <= at);
        (over && self.state == MethodState::Valid).then(|| self.moved(MethodState::Expired, at))
    }

    /// The warning that is due at `at`, and the method once it is given (R3.5).
    #[must_use]
    pub(crate) fn warned(self, at: Instant) -> Option<(Warned, Self)> {
        let end = self.details.expiry?.end();
        let due = Warned::come(end, at);
        let is_due = self.state == MethodState::Valid && due > self.warned && at < end;
        is_due.then_some((due, Self { warned: due, ..self }))
    }

    /// The method once a charge on it was declined for good; nothing if it could not pay before (R3.6).
    #[must_use]
    pub(crate) fn declined_for_good(self, code: &str, at: Instant) -> Option<Self> {
        self.can_pay().then(|| Self { declined_for_good: Some(code.to_owned()), ..self.touched(at) })
    }

    /// The method once the customer removed it; nothing if there is nothing left to remove.
    #[must_use]
    pub(crate) fn canceled(self, at: Instant) -> Option<Self> {
        match self.state {
            MethodState::Creating(_)
            | MethodState::Validating { .. }
            | MethodState::Valid
            | MethodState::Expired => Some(self.moved(MethodState::Canceled, at)),
            MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Replaced
            | MethodState::Canceled => None,
        }
    }

    /// The method once a newer one took its place; nothing if it was not in use.
    #[must_use]
    pub(crate) fn replaced(self, at: Instant) -> Option<Self> {
        match self.state {
            MethodState::Valid | MethodState::Expired => Some(self.moved(MethodState::Replaced, at)),
            MethodState::Creating(_)
            | MethodState::Validating { .. }
            | MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Replaced
            | MethodState::Canceled => None,
        }
    }

    /// The method after it became the default, or no longer is.
    #[must_use]
    pub(crate) fn touched(self, at: Instant) -> Self {
        Self { version: self.version + 1, updated: at, ..self }
    }

    fn moved(self, state: MethodState, at: Instant) -> Self {
        let changed = self.state.as_str() != state.as_str();
        let (version, updated) = if changed { (self.version + 1, at) } else { (self.version, self.updated) };
        Self { state, version, updated, ..self }
    }
}

/// Whoever registers a card that ends soon has just read when; only what comes later is worth a warning.
fn warned_at_first(details: &MethodDetails, at: Instant) -> Warned {
    details.expiry.map_or(Warned::Never, |expiry| Warned::come(expiry.end(), at))
}

#[cfg(test)]
mod tests;
