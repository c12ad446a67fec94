//! The facts others may consume: ids and amounts only (R10.2).

pub(crate) use florin_api::event::v1::{
    DefaultPaymentMethodChanged, PaymentDeclined, PaymentMethodBecameValid, PaymentMethodCreated,
    PaymentMethodExpired, PaymentMethodRefused, PaymentRefundRefused, PaymentRefundRequested,
    PaymentRefunded, PaymentStarted, PaymentSucceeded,
};
