//! Credit orders, campaigns and codes, lots and their append-only movements.
//!
//! Owns: how cloud credit is bought ([`orders`]), codes redeemed ([`vouchers`]), credit granted
//! ([`grants`], [`loyalty`]), and every unit of value a lot ever had ([`lots`]).
//! Always holds: a lot's value only falls (R6.2); one source issues one lot (R6.4); Σ movements of a lot
//! is its remaining value, in the database as in the code; an invoice debits lots only by a
//! [`florin_settlement::Plan`] (R7.6).
//! Refuses to know: invoices, which are opaque references; projects, beyond the two [ports](ProjectGate).

mod acts;
mod convert;
mod documents;
mod domain;
mod error;
mod events;
mod grpc;
mod names;
mod notices;
mod ports;
mod service;
mod store;

pub mod jobs;

pub use acts::acts;
pub use domain::{
    campaign::CampaignId,
    code::TEXT_BYTES_MAX as VOUCHER_TEXT_BYTES_MAX,
    grant::{Grant, GrantId, GrantKind},
    lot::{
        CreditId, CreditKind, CreditLot, LotState, Origin, ReturnCause, Returned, credit_id, settlement_id,
    },
    order::{
        AmountError, Consent, CreditOrder, OrderId, OrderKind, OrderRefusal, OrderState, PaymentLinks, Price,
        check_amount,
    },
    project_ref::{ProjectId, ProjectKind},
    redemption::{Context, VoucherRefusal},
};
pub use error::{Error, OrderVerb};
pub use grpc::{
    campaigns::CampaignRpc, credits::CreditRpc, grants::GrantRpc, orders::CreditOrderRpc,
    vouchers::VoucherRpc,
};
pub use names::{credit_name, grant_name, lot_name, order_name, project_name};
pub use ports::{AvailableFunds, GateView, OrderReversal, PortError, ProjectGate, SettlementHorizon};
pub use service::lots::{forfeit_account, forfeit_project};

/// Buying cloud credit (R6.3, R6.4).
pub mod orders {
    pub use crate::service::{
        orders::{
            NewOrder, PaidOrder, cancel, create, initial_minimum, invoiced, of_reference, paid,
            payment_failed, preview, withdraw,
        },
        query::{find_order as find, open_orders, order_by_link as by_link},
    };
}

/// Disputed orders, and what comes back of them (R6.11).
pub mod disputes {
    pub use crate::service::disputes::{restore, revoke};
}

/// Lots: which can pay, what a plan takes, what is forfeited (R6.8, R7.6).
pub mod lots {
    pub use crate::service::lots::{
        GiveBack, alive_for, debit, forfeit, give_back, lapsed, of_accounts, purchases,
    };
}

/// What an audit looks at, and the movements behind a journal (R14.5, R8.8).
pub mod audit {
    pub use crate::{
        service::audit::{check, check_campaigns, debited, expected, given_back},
        store::audit::{GivenBack, MOVEMENTS},
    };
}

/// Voucher codes (R6.6).
pub mod vouchers {
    pub use crate::service::vouchers::{Voucher, check, redeem};
}

/// Credit given by operators (R6.7).
pub mod grants {
    pub use crate::service::grants::{NewGrant, give};
}

/// Loyalty, earned by paying (R6.7).
pub mod loyalty {
    pub use crate::service::loyalty::{TakenBack, earn, take_back};
}
