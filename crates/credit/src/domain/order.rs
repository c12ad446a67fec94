//! The credit order: how cloud credit is bought (R6.3, R6.4).
//!
//! ```text
//! AWAITING_PAYMENT ◄──► PROCESSING ──► PAID ──► (lot issued, at once or after 14 days)
//!     │        └──► CANCELED
//!     └──► EXPIRED                     never while a payment is in progress
//!                        PAID ──► WITHDRAWN     within 14 days, before the lot is issued
//! ```

use florin_account::Treatment;
use florin_payment::PaymentId;
use florin_platform::{
    id::{AccountId, Id, Kind},
    secret::{ServerKey, TOKEN_PURPOSE},
};
use florin_settlement::{
    Currency, Instant, Money, MoneyError, RoundingError, TaxCategory, TaxRate, rounding,
};

use super::{lot::CreditId, project_ref::ProjectId};

/// The most whole currency units one order can buy (R6.3).
pub(crate) const UNITS_MAX: i64 = 99_999_999;
/// An order not paid in so many hours expires (R6.3).
pub(crate) const EXPIRE_AFTER_HOURS: u32 = 24;
/// Bought credit lives so many calendar months from its payment (R6.4).
pub(crate) const CREDIT_MONTHS: u32 = 13;
/// Who has a right of withdrawal and did not give it up gets the lot so many days after paying (R6.4).
pub(crate) const WITHDRAWAL_DAYS: u32 = 14;

/// Marks ids of credit orders.
#[derive(Debug)]
pub enum OrderKind {}
impl Kind for OrderKind {
    const PREFIX: &'static str = "order";
}
/// The id of a credit order.
pub type OrderId = Id<OrderKind>;

/// What is wrong with an amount to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Another currency than the account's (R1.1).
    #[error("the amount must be in {0}, the currency of the account")]
    Currency(Currency),
    /// Not a whole number of units, or out of range (R6.3).
    #[error("the amount must be a whole number of currency units, from 1 to {UNITS_MAX}")]
    NotWholeUnits,
    /// Less than initial credit must be (R4.2).
    #[error("initial credit must be at least {0}")]
    BelowMinimum(Money),
}

/// Checks an amount a customer wants to buy.
///
/// # Errors
/// [`AmountError`], except for the minimum of initial credit: see [`check_minimum`].
pub fn check_amount(net: Money, currency: Currency) -> Result<(), AmountError> {
    if net.currency() != currency {
        return Err(AmountError::Currency(currency));
    }
    match net.to_units_nanos() {
        (1..=UNITS_MAX, 0) => Ok(()),
        (_, _) => Err(AmountError::NotWholeUnits),
    }
}

/// Checks that initial credit reaches the account's minimum (R4.2).
///
/// # Errors
/// [`AmountError::BelowMinimum`], [`AmountError::Currency`].
pub(crate) fn check_minimum(net: Money, minimum: Money) -> Result<(), AmountError> {
    match net.compare(minimum) {
        Ok(order) if order.is_ge() => Ok(()),
        Ok(_) => Err(AmountError::BelowMinimum(minimum)),
        Err(_) => Err(AmountError::Currency(minimum.currency())),
    }
}

/// What an order comes to, for one customer on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// The credit bought, excluding VAT.
    pub net: Money,
    /// How VAT treats it.
    pub tax_category: TaxCategory,
    /// The rate, in percent.
    pub tax_rate: TaxRate,
    /// What has to be said about the VAT.
    pub tax_mention: Option<String>,
    /// The VAT.
    pub tax: Money,
    /// What is to be paid.
    pub gross: Money,
}

/// Why no price could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The tax does not fit.
    #[error("the tax could not be computed")]
    Tax(#[from] RoundingError),
    /// The sum does not fit.
    #[error("the amount could not be summed")]
    Sum(#[from] MoneyError),
}

impl Price {
    /// The price of `net` worth of credit under `treatment` (R8.4).
    ///
    /// # Errors
    /// [`PriceError`], which no amount within [`UNITS_MAX`] meets.
    pub fn of(net: Money, treatment: &Treatment) -> Result<Self, PriceError> {
        let tax = rounding::tax(net, treatment.rate)?;
        Ok(Self {
            net,
            tax_category: treatment.category,
            tax_rate: treatment.rate,
            tax_mention: treatment.mention.map(str::to_owned),
            tax,
            gross: net.checked_add(tax)?,
        })
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Can be paid or canceled, until it expires.
    AwaitingPayment,
    /// A payment is on its way; while it is, the order does not expire.
    Processing,
    /// The money has been captured. No way back (R6.4).
    Paid {
        /// When Florin recorded it.
        paid: Instant,
        /// When the lot is issued: then, or after the time to withdraw.
        supply: Instant,
        /// The lot, once issued.
        lot: Option<CreditId>,
    },
    /// Paid, and the customer withdrew before the lot was issued (R6.4).
    Withdrawn {
        /// When Florin recorded the payment.
        paid: Instant,
        /// When the lot would have been issued.
        supply: Instant,
        /// When they withdrew.
        withdrawn: Instant,
    },
    /// Given up before it was paid.
    Canceled,
    /// Not paid in time.
    Expired,
}

impl OrderState {
    /// The stored form.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::Processing => "PROCESSING",
            Self::Paid { .. } => "PAID",
            Self::Withdrawn { .. } => "WITHDRAWN",
            Self::Canceled => "CANCELED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// A credit order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditOrder {
    /// Its id.
    pub id: OrderId,
    /// Who buys.
    pub account: AccountId,
    /// The number people use.
    pub number: String,
    /// What the credit is for.
    pub project: ProjectId,
    /// Whether it funds the account's first project (R4.2).
    pub initial: bool,
    /// What it comes to, as of when it was placed.
    pub price: Price,
    /// What was charged where the VAT was another on the day of the payment (R8.4); set once it is paid.
    pub charged: Option<Price>,
    /// How far it is.
    pub state: OrderState,
    /// The latest attempt to pay it.
    pub payment: Option<PaymentId>,
    /// The resource name of the purchase invoice, once there is one.
    pub purchase_invoice: Option<String>,
    /// Whether consumer law gives the buyer a right of withdrawal (R6.4).
    pub withdrawable: bool,
    /// When the buyer expressly asked for immediate supply and acknowledged that the right is lost (R6.4).
    pub supply_requested: Option<Instant>,
    /// When it was placed.
    pub created: Instant,
    /// When it expires, unless a payment is in progress.
    pub expires: Instant,
    /// Grows with every change.
    pub version: i64,
    /// When it last changed.
    pub updated: Instant,
}

/// Why an order cannot be paid or canceled now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// Paid or canceled.
    #[error("the order is {}", .0.as_str())]
    Done(OrderState),
    /// Not paid in time.
    #[error("the order has expired; place a new one")]
    Expired,
    /// A payment is on its way.
    #[error("a payment of this order is on its way")]
    PaymentInProgress(Option<PaymentId>),
}

impl CreditOrder {
    /// The state as of `at`: an order that was not paid in time is EXPIRED by its instant, not by a job.
    #[must_use]
    pub fn state_at(&self, at: Instant) -> OrderState {
        match self.state {
            OrderState::AwaitingPayment if self.expires <= at => OrderState::Expired,
            OrderState::AwaitingPayment
            | OrderState::Processing
            | OrderState::Paid { .. }
            | OrderState::Withdrawn { .. }
            | OrderState::Canceled
            | OrderState::Expired => self.state,
        }
    }

    /// `payment` begins; the buyer may have asked for immediate supply with it. It may take the place of
    /// one that still waits for the customer: whether there is room for it is the payment slice's to say.
    ///
    /// # Errors
    /// [`OrderRefusal`] if it is paid, canceled or, at `at`, expired.
    pub fn begin_payment(
        self,
        at: Instant,
        payment: PaymentId,
        consent: Consent,
    ) -> Result<Self, OrderRefusal> {
        self.check_payable(at)?;
        // The consent is that of this attempt: an earlier one that did not pay gave up no right.
        let supply_requested = match consent {
            Consent::ImmediateSupply if self.withdrawable => Some(at),
            Consent::ImmediateSupply | Consent::NotGiven => None,
        };
        Ok(Self { supply_requested, payment: Some(payment), ..self.moved(OrderState::Processing, at) })
    }

    /// Whether a payment may begin at `at`.
    ///
    /// # Errors
    /// [`OrderRefusal`] if it is paid, canceled or, at `at`, expired.
    pub fn check_payable(&self, at: Instant) -> Result<(), OrderRefusal> {
        let state = self.state_at(at);
        match state {
            OrderState::AwaitingPayment | OrderState::Processing => Ok(()),
            OrderState::Expired => Err(OrderRefusal::Expired),
            OrderState::Paid { .. } | OrderState::Withdrawn { .. } | OrderState::Canceled => {
                Err(OrderRefusal::Done(state))
            }
        }
    }

    /// No payment is on its way any more: the order can be paid again, until it expires. `None` if the
    /// order has moved on and does not care.
    #[must_use]
    pub fn payment_failed(self, at: Instant) -> Option<Self> {
        let waits = self.state == OrderState::Processing;
        waits.then(|| self.moved(OrderState::AwaitingPayment, at))
    }

    /// What was paid, or is to be as far as is known.
    #[must_use]
    pub fn final_price(&self) -> &Price {
        self.charged.as_ref().unwrap_or(&self.price)
    }

    /// `payment`, made for this order and charged with `charged` unless it is as ordered, succeeded at `at`. Of
    /// several the first one pays.
    #[must_use]
    pub fn pay(self, at: Instant, payment: PaymentId, charged: Option<Price>) -> Paid {
        match self.state_at(at) {
            OrderState::Processing | OrderState::AwaitingPayment => {
                // What was consented to with another attempt does not bind whoever paid with this one.
                let consented = self.supply_requested.is_some() && self.payment == Some(payment);
                let waits = self.withdrawable && !consented;
                let supply = if waits { at.plus_days(WITHDRAWAL_DAYS) } else { at };
                let supply_requested = self.supply_requested.filter(|_| consented);
                let paid = self.moved(OrderState::Paid { paid: at, supply, lot: None }, at);
                Paid::Now(Self { payment: Some(payment), supply_requested, charged, ..paid })
            }
            OrderState::Paid { .. } | OrderState::Withdrawn { .. } if self.payment == Some(payment) => {
                Paid::Before(self)
            }
            OrderState::Paid { .. }
            | OrderState::Withdrawn { .. }
            | OrderState::Canceled
            | OrderState::Expired => Paid::NotPayable,
        }
    }

    /// The lot of a paid order has been issued. An order that has one keeps it.
    #[must_use]
    pub fn supplied(self, at: Instant, lot: CreditId) -> Self {
        match self.state {
            OrderState::Paid { paid, supply, lot: None } => {
                self.moved(OrderState::Paid { paid, supply, lot: Some(lot) }, at)
            }
            OrderState::Paid { lot: Some(_), .. }
            | OrderState::Withdrawn { .. }
            | OrderState::AwaitingPayment
            | OrderState::Processing
            | OrderState::Canceled
            | OrderState::Expired => self,
        }
    }

    /// The customer gives it up.
    ///
    /// # Errors
    /// [`OrderRefusal`] unless it awaits payment at `at`: after payment there is no canceling (R6.4).
    pub fn cancel(self, at: Instant) -> Result<Self, OrderRefusal> {
        if self.state == OrderState::Processing {
            return Err(OrderRefusal::PaymentInProgress(self.payment));
        }
        self.check_payable(at)?;
        Ok(self.moved(OrderState::Canceled, at))
    }

    /// Until when the customer may withdraw, seen from `at`: while the lot is not issued (R6.4).
    #[must_use]
    pub fn withdrawable_until(&self, at: Instant) -> Option<Instant> {
        match self.state {
            OrderState::Paid { supply, lot: None, .. } if self.withdrawable && at < supply => Some(supply),
            OrderState::Paid { .. }
            | OrderState::Withdrawn { .. }
            | OrderState::AwaitingPayment
            | OrderState::Processing
            | OrderState::Canceled
            | OrderState::Expired => None,
        }
    }

    /// The customer withdraws; `None` where there is no such right at `at`.
    #[must_use]
    pub fn withdraw(self, at: Instant) -> Option<Self> {
        self.withdrawable_until(at)?;
        let OrderState::Paid { paid, supply, .. } = self.state else { return None };
        Some(self.moved(OrderState::Withdrawn { paid, supply, withdrawn: at }, at))
    }

    /// Nothing can be bought for its project any more; `None` if it is paid or done with.
    #[must_use]
    pub fn abandon(self, at: Instant) -> Option<Self> {
        match self.state {
            OrderState::AwaitingPayment | OrderState::Processing => {
                Some(self.moved(OrderState::Canceled, at))
            }
            OrderState::Paid { .. }
            | OrderState::Withdrawn { .. }
            | OrderState::Canceled
            | OrderState::Expired => None,
        }
    }

    /// Records that it was not paid in time; `None` if it still can be, is being paid, or is done with.
    #[must_use]
    pub fn expire(self, at: Instant) -> Option<Self> {
        let is_over = self.state == OrderState::AwaitingPayment && self.expires <= at;
        is_over.then(|| self.moved(OrderState::Expired, at))
    }

    /// Its purchase invoice has been issued.
    #[must_use]
    pub fn invoiced(self, at: Instant, invoice: &str) -> Self {
        let state = self.state;
        Self { purchase_invoice: Some(invoice.to_owned()), ..self.moved(state, at) }
    }

    fn moved(self, state: OrderState, at: Instant) -> Self {
        Self { state, version: self.version + 1, updated: at, ..self }
    }
}

/// Whether the buyer asks for the credit at once, knowing that a right of withdrawal is lost by it (R6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Expressly asked and acknowledged.
    ImmediateSupply,
    /// Nothing was said.
    NotGiven,
}

/// What a success means to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// It is paid by it.
    Now(CreditOrder),
    /// It was paid by the same payment before.
    Before(CreditOrder),
    /// It is not payable by it: the money goes back (R6.3).
    NotPayable,
}

/// Letters and digits nobody confuses.
const READABLE: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The number of order `id`, as in `CO-2027-7KQ2-M9XD`.
#[must_use]
pub(crate) fn number(id: OrderId, at: Instant) -> String {
    let tail = id.as_u128().to_be_bytes();
    let text: String = tail[8..].iter().map(|byte| char::from(READABLE[usize::from(*byte & 31)])).collect();
    format!("CO-{}-{}-{}", at.as_datetime().format("%Y"), &text[..4], &text[4..])
}

/// What the token of an order's payment link is derived from; only its digest is stored (R6.3).
#[must_use]
pub(crate) fn link_purpose(account: AccountId, order: OrderId) -> String {
    format!("{TOKEN_PURPOSE}payment-link/{account}/{order}")
}

/// Makes payment links: a token derived from the order, under the public address.
#[derive(Clone, Debug)]
pub struct PaymentLinks {
    key: ServerKey,
    public_url: String,
}

impl PaymentLinks {
    /// Links under `public_url`, as in `https://pay.example.com`.
    pub fn new(key: &ServerKey, public_url: &str) -> Self {
        Self { key: key.clone(), public_url: public_url.trim_end_matches('/').to_owned() }
    }

    /// The token that lets its holder pay `order`.
    #[must_use]
    pub fn token(&self, account: AccountId, order: OrderId) -> String {
        self.key.token(&link_purpose(account, order))
    }

    /// Where anybody who has it can pay `order`.
    #[must_use]
    pub fn url(&self, account: AccountId, order: OrderId) -> String {
        self.url_of(&self.token(account, order))
    }

    /// The link around `token`, which a notice replaces when it is sent.
    #[must_use]
    pub fn url_of(&self, token: &str) -> String {
        format!("{}/pay/{token}", self.public_url)
    }
}

#[cfg(test)]
mod tests;
