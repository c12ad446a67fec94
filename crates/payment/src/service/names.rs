//! Resource names.

use florin_platform::{
    id::AccountId,
    wire::{NameError, child_name, parse_child},
};

use crate::domain::{method::PaymentMethodId, payment::PaymentId};

const METHODS: &str = "paymentMethods";
const PAYMENTS: &str = "payments";

/// `accounts/{account}/paymentMethods/{payment_method}`.
#[must_use]
pub fn method_name(account: AccountId, method: PaymentMethodId) -> String {
    child_name(account, METHODS, method)
}

/// `accounts/{account}/payments/{payment}`.
#[must_use]
pub fn payment_name(account: AccountId, payment: PaymentId) -> String {
    child_name(account, PAYMENTS, payment)
}

/// Reads `accounts/{account}/paymentMethods/{payment_method}`.
pub(crate) fn parse_method(name: &str) -> Result<(AccountId, PaymentMethodId), NameError> {
    parse_child(METHODS, name)
}

/// Reads `accounts/{account}/payments/{payment}`.
pub(crate) fn parse_payment(name: &str) -> Result<(AccountId, PaymentId), NameError> {
    parse_child(PAYMENTS, name)
}
