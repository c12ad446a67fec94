//! The debit order, money and rounding: pure rules, no I/O.
//!
//! Owns: what an amount is ([`Money`]), where it may be rounded ([`rounding`]), what an instant and a
//! month are ([`Instant`], [`Month`]), the order in which money is taken ([`DEBIT_ORDER`], [`plan`]),
//! what may be given back ([`give_back`]), and how a stored settlement is proven ([`recompute`]).
//! Always holds: the same input gives the same answer on every machine; Σ debits + remainder = due;
//! nothing is rounded outside [`rounding`]; no value moves from one lot to another.
//! Refuses to know: the clock, the network, the database, the wire, and who is asking.

mod allocation;
mod considered;
mod currency;
mod debit_order;
mod decimal;
mod due;
mod family;
mod give_back;
mod identity;
mod instant;
mod kind;
mod lot;
mod money;
mod period;
mod plan;
mod planning;
mod rate;
mod record;
pub mod rounding;
mod tax;

// Money and numbers (R1).
pub use currency::{Currency, CurrencyError};
pub use decimal::{DecimalError, canonical, parse_decimal};
pub use money::{Money, MoneyError};
pub use rate::{Percentage, Quantity, RateError, TaxRate, UnitPrice};
pub use rounding::RoundingError;
pub use rust_decimal::Decimal;
pub use tax::TaxCategory;

// Time (R1.6).
pub use instant::{Instant, InstantError};
pub use period::{Month, Period, PeriodError};

// Who owns what, and what may pay for what (R6.1).
pub use family::{FamilySet, PlanFamily, Restriction};
pub use identity::{AccountRef, LineKey, LotId, LotOwner, ProjectRef};
pub use kind::{FundingKind, LotKind, UnknownName};
pub use lot::{Lot, LotError, LotParts};

// The law and its application (R7).
pub use considered::{Considered, LineDebit, LotDebit, SkipReason};
pub use debit_order::DEBIT_ORDER;
pub use due::{Due, DueError, DueLine};
pub use give_back::{EarlierReturns, GiveBack, GiveBackError, ReturnedCredit, give_back};
pub use plan::{Plan, PlanError, PlannedLine, TaxBase};
pub use planning::plan;
pub use record::{Difference, RecomputeError, RecordedDebit, recompute};
