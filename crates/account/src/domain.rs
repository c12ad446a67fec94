//! Types and rules of accounts: no database, no wire, no clock.

pub(crate) mod account;
pub(crate) mod chain;
pub(crate) mod confirmation;
pub(crate) mod evidence;
pub(crate) mod issuer;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod legal_form;
pub(crate) mod parties;
pub(crate) mod password;
pub(crate) mod right;
pub(crate) mod secret;
pub(crate) mod terms;
pub(crate) mod text;
pub(crate) mod vat;
pub(crate) mod vat_number;
