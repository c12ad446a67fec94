//! Issuers, VAT treatment, accounts and their lock row, sign-in, terms and rights.
//!
//! Owns: who a customer is, who sells to them, how they are taxed, and who is calling.
//! Always holds: every account has one lock row, taken first by every money transaction ([`lock`]);
//! an account's currency and issuer never change (R1.1).
//! Refuses to know: projects, credit and invoices.

mod convert;
mod domain;
mod error;
mod events;
mod grpc;
mod notices;
mod registry;
mod service;
mod store;

pub mod jobs;
pub mod seed;

/// What the messages of other slices take from this one.
pub mod wire {
    pub use crate::convert::tax_status::tax_category;
}

pub use domain::{
    account::{Account, AccountState, LANGUAGES, Profile},
    evidence::EvidenceKind,
    issuer::{Issuer, LegalMentions},
    legal_form::LegalForm,
    parties::Parties,
    terms::TermsDocument,
    vat::Treatment,
};
pub use error::{Error, RightRefused};
pub use grpc::{account::AccountRpc, auth::AuthRpc, issuer::IssuerRpc};
pub use registry::{Consultation, Registered, RegistrySilent, VatRegistry};
pub use service::{
    authenticate::TokenAuthenticator,
    evidence::record_country_evidence,
    limits::set_project_limit,
    query::{
        billing_delays, domestic_vat_rate, find, find_many, is_in_eu, issuer, issuer_of_country, issuers,
        of_series, series_in_use, unaccepted_terms,
    },
    terms::document_name as terms_document_name,
    tokens::register_service_token,
    vat::{VatRules, vat_treatment},
    vat_number::VatNumbers,
};

/// Rights: who may do what on a named resource (R4.5).
pub mod rights {
    pub use crate::{
        domain::right::{Grant, Reach, RightId, RightKind},
        service::rights::{
            NewGrant, find, grant, list, reach, reach_account, revoke, right_name, shared_with,
        },
    };
}

/// The ledger: its accounts, and the chain of an account's movements (R14.3, R14.4). The movements themselves are
/// written by the slices whose facts they are.
pub mod ledger {
    pub use crate::{
        domain::{
            chain::{Canonical, Digest, Link, Unchained},
            journal::{Balances, Recorded},
            ledger::{Entry, LedgerAccount},
        },
        service::chain::{accounts, extend, heads},
        store::movements::MovementTable,
    };
}

use std::collections::HashMap;

use florin_platform::{db::Tx, id::AccountId};
use sea_orm::DbErr;

/// Locks `accounts` until the transaction ends, in id order: the first statement of every money
/// transaction. Two settlements of one account therefore never overlap (R7.7).
pub async fn lock(tx: &Tx, accounts: &[AccountId]) -> Result<(), DbErr> {
    store::lock::take(tx, accounts).await
}

/// Locks `accounts` as [`lock`] does, without counting a change: for transactions that only append, thousands of
/// rows a second. How many changes each account that exists has had: as long as its number is the same, nobody has
/// changed anything of the account with [`lock`] taken.
pub async fn hold(tx: &Tx, accounts: &[AccountId]) -> Result<HashMap<AccountId, i64>, DbErr> {
    store::lock::hold(tx, accounts).await
}
