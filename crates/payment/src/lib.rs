//! Payment methods, the provider port, and attempts that never happen twice.
//!
//! Owns: how an account pays ([`PaymentMethod`]), each attempt to take money ([`Payment`]) and to give it
//! back, and the port to whoever moves it ([`provider::Provider`]).
//! Always holds: an attempt is stored before the provider hears of it, and its id is the provider's key, so
//! that a lost answer never becomes a second charge (R3.6); no transaction is open while the provider is
//! called; an outcome is told to [`outcomes::Outcomes`] once, and so is each step of a dispute; at most one
//! method is the default (R3.4); a method declined for good is never asked again (R3.6).
//! Refuses to know: what is paid for. A payment carries the name of it, and never reads it.

mod convert;
mod domain;
mod error;
mod events;
mod grpc;
mod notices;
mod service;
mod store;

pub mod jobs;
pub mod needs;
pub mod outcomes;
pub mod provider;
pub mod seed;

pub use convert::payment::payment as render;
pub use domain::{
    dispute::{Dispute, DisputeId, DisputeStanding},
    limit::AutomaticAttempts,
    method::{
        CardExpiry, MethodDetails, MethodKind, MethodState, NOTICE_DAYS_DEFAULT, PaymentMethod,
        PaymentMethodId, Warned,
    },
    payment::{Finality, Initiator, Means, NewPayment, Payment, PaymentId, PaymentState},
    refund::{Purpose, RefundId},
    watch::Watch,
};
pub use error::Error;
pub use grpc::{methods::PaymentMethodRpc, outcomes::PaymentOutcomeRpc, payments::PaymentRpc};
pub use needs::MethodNeeds;
pub use outcomes::{BoxError, MoneyMoved, Outcomes, Settled};
pub use provider::Provider;
/// What an audit looks at (R14.5).
pub mod audit {
    pub use crate::service::audit::{check, expected, sent_back};
}

pub use service::{
    begin::{begin, begin_many},
    limits::automatic_attempts,
    methods::Methods,
    names::{method_name, payment_name},
    noticed::{NoticeError, take_notice},
    payments::Payments,
    query::{
        default_method, default_methods, disputes, fallbacks, find, find_method, has_captured, methods_valid,
        of_reference,
    },
    refunds::{refund, refundable},
    sandbox::{CustomerDecisions, Decided, Decision},
};
