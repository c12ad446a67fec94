//! The facts others may consume: ids and amounts only, never personal data (R2.8).
//!
//! What lots pay for an invoice is told by the invoice's own events, not once more per lot.

pub(crate) use florin_api::event::v1::{
    CampaignCreated, CampaignDisabled, CreditGranted, CreditIssued, CreditLapsed, CreditOrderCanceled,
    CreditOrderCreated, CreditOrderExpired, CreditOrderPaid, CreditOrderPaymentFailed,
    CreditOrderPaymentStarted, CreditOrderWithdrawn, TopUpConfigured, TopUpStopped, VoucherCodesGenerated,
    VoucherEntryLocked, VoucherRedeemed,
};
