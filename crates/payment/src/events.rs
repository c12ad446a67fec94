//! The facts others may consume: ids and amounts only (R10.2).

pub(crate) use florin_api::event::v1::{
    DefaultPaymentMethodChanged, PaymentDeclined, PaymentDisputeLost, PaymentDisputeWon, PaymentDisputed,
    PaymentMethodBecameValid, PaymentMethodCreated, PaymentMethodDeclinedForGood, PaymentMethodExpired,
    PaymentMethodExpiresSoon, PaymentMethodRefused, PaymentMethodRemoved, PaymentMethodReplaced,
    PaymentMethodRevoked, PaymentRefundRefused, PaymentRefundRequested, PaymentRefunded, PaymentStarted,
    PaymentSucceeded,
};
