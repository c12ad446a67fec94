//! The facts others may consume: ids only, never personal data (R2.8).

pub(crate) use florin_api::event::v1::{
    AccountConfirmed, AccountCreated, AccountUpdated, ProjectLimitChanged, TermsAccepted, VatNumberChecked,
};
