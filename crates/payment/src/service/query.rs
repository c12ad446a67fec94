//! Reads, also for the slices above.

use std::collections::BTreeSet;

use florin_account::{Account, rights};
use florin_platform::{
    call::Call,
    id::{AccountId, Id, Kind},
    page::Page,
    violation::Violations,
    wire::account_name,
};
use sea_orm::{ConnectionTrait, DbErr};

use super::names::{method_name, payment_name};
use crate::{
    domain::{
        dispute::Dispute,
        method::{MethodKind, PaymentMethod, PaymentMethodId},
        payment::{Payment, PaymentId},
    },
    error::Error,
    store::{self, payment::Narrowed},
};

/// The payment of `account`, if it exists.
pub async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentId,
) -> Result<Option<Payment>, DbErr> {
    store::payment::find(connection, account, id).await
}

/// Every payment of `account` for `reference`, oldest first.
pub async fn of_reference(
    connection: &impl ConnectionTrait,
    account: AccountId,
    reference: &str,
) -> Result<Vec<Payment>, DbErr> {
    store::payment::of_reference(connection, account, reference).await
}

/// The method of `account`, if it exists.
pub async fn find_method(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentMethodId,
) -> Result<Option<PaymentMethod>, DbErr> {
    store::method::find(connection, account, id).await
}

/// The method invoices of `account` are collected from, if it has one (R3.4).
pub async fn default_method(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<PaymentMethod>, DbErr> {
    Ok(default_methods(connection, &[account]).await?.pop())
}

/// The default methods of those of `accounts` that have one, by account, in one query.
pub async fn default_methods(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<PaymentMethod>, DbErr> {
    store::method::default_methods(connection, accounts).await
}

/// The methods of `account` that can pay: VALID, and never declined for good; oldest first.
pub async fn methods_valid(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<PaymentMethod>, DbErr> {
    store::method::able(connection, account).await
}

/// The methods that may be tried once when the default one was declined for good, in the customer's order; the
/// default is none of them, and neither is a method the customer does not allow it for (R9.1).
pub async fn fallbacks(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<PaymentMethod>, DbErr> {
    let default = default_id(connection, account).await?;
    let mut methods = methods_valid(connection, account).await?;
    methods.retain(|method| method.fallback_order.is_some() && Some(method.id) != default);
    methods.sort_by_key(|method| (method.fallback_order, method.id));
    Ok(methods)
}

/// The disputes of a payment, oldest first (R6.11).
pub async fn disputes(
    connection: &impl ConnectionTrait,
    account: AccountId,
    payment: PaymentId,
) -> Result<Vec<Dispute>, DbErr> {
    store::dispute::of_payment(connection, account, payment).await
}

/// Whether money of `account` was ever captured and kept: what lifts the rule of the first payment (R3.3).
pub async fn has_captured(connection: &impl ConnectionTrait, account: AccountId) -> Result<bool, DbErr> {
    Ok(store::payment::captured(connection, &BTreeSet::from([account])).await?.contains(&account))
}

/// A method, and whether it is the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) method: PaymentMethod,
    pub(crate) is_default: bool,
}

/// Lets the caller see the account's methods: the account, a service, or whoever has a right to pay for
/// anything of it (R4.5). To anybody else what is `named` does not exist.
pub(crate) async fn reach_methods(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    named: &str,
) -> Result<(), Error> {
    rights::reach_account(connection, call, account, || named.to_owned()).await?;
    Ok(())
}

pub(crate) async fn owned_account(
    connection: &impl ConnectionTrait,
    id: AccountId,
) -> Result<Account, Error> {
    florin_account::find(connection, id).await?.ok_or_else(|| Error::NotFound(account_name(id)))
}

pub(crate) async fn owned_method(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentMethodId,
) -> Result<PaymentMethod, Error> {
    let found = store::method::find(connection, account, id).await?;
    found.ok_or_else(|| Error::NotFound(method_name(account, id)))
}

pub(crate) async fn shown_method(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentMethodId,
) -> Result<Shown, Error> {
    let method = owned_method(connection, account, id).await?;
    let is_default = default_id(connection, account).await? == Some(id);
    Ok(Shown { method, is_default })
}

pub(crate) async fn owned_payment(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: PaymentId,
) -> Result<Payment, Error> {
    let found = store::payment::find(connection, account, id).await?;
    found.ok_or_else(|| Error::NotFound(payment_name(account, id)))
}

pub(crate) async fn default_id(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<PaymentMethodId>, DbErr> {
    Ok(store::method::defaults(connection, &[account]).await?.pop().map(|(_, method)| method))
}

/// A page of the methods of an account, oldest first.
pub(crate) async fn list_methods(
    connection: &impl ConnectionTrait,
    account: AccountId,
    page: &Page,
) -> Result<Vec<Shown>, Error> {
    let default = default_id(connection, account).await?;
    let methods = store::method::list(connection, account, after(page)?, page.fetch()).await?;
    Ok(methods.into_iter().map(|method| Shown { is_default: default == Some(method.id), method }).collect())
}

/// A page of the payments of an account, oldest first.
pub(crate) async fn list_payments(
    connection: &impl ConnectionTrait,
    account: AccountId,
    narrowed: &Narrowed,
    page: &Page,
) -> Result<Vec<Payment>, Error> {
    Ok(store::payment::list(connection, account, narrowed, after(page)?, page.fetch()).await?)
}

/// A kind on offer, and whether the account can register one now (R3.1, R3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) kind: MethodKind,
    pub(crate) available: bool,
}

/// What the issuer offers in the account's country, as far as the provider can register it.
pub(crate) async fn offers(
    connection: &impl ConnectionTrait,
    account: &Account,
    registrable: &[MethodKind],
) -> Result<Vec<Offer>, Error> {
    let captured = has_captured(connection, account.id).await?;
    let kinds = store::offer::kinds(connection, &account.issuer, &account.profile.country).await?;
    Ok(kinds
        .into_iter()
        .filter(|kind| registrable.contains(kind))
        .map(|kind| Offer { kind, available: captured || kind == MethodKind::Card })
        .collect())
}

fn after<K: Kind>(page: &Page) -> Result<Option<Id<K>>, Error> {
    let after = page.after.as_deref().map(Id::parse).transpose();
    Ok(after.map_err(|error| Violations::one("page_token", error))?)
}
