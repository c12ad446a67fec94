//! Resource names of this slice.

use florin_platform::{
    id::AccountId,
    wire::{child_name, grandchild_name, parse_child, top_name},
};

use crate::domain::{
    campaign::CampaignId,
    grant::GrantId,
    lot::{CreditId, CreditLot},
    order::OrderId,
    project_ref::ProjectId,
};

/// `accounts/{account}/projects/{project}`.
#[must_use]
pub fn project_name(account: AccountId, project: ProjectId) -> String {
    child_name(account, "projects", project)
}

/// `accounts/{account}/creditOrders/{credit_order}`.
#[must_use]
pub fn order_name(account: AccountId, order: OrderId) -> String {
    child_name(account, "creditOrders", order)
}

/// Reads the name of a credit order; `None` for the name of anything else.
#[must_use]
pub(crate) fn parse_order(name: &str) -> Option<(AccountId, OrderId)> {
    parse_child("creditOrders", name).ok()
}

/// `accounts/{account}/projects/{project}/credits/{credit}`, or `accounts/{account}/credits/{credit}`.
#[must_use]
pub fn credit_name(account: AccountId, project: Option<ProjectId>, credit: CreditId) -> String {
    match project {
        Some(project) => grandchild_name(account, "projects", project, "credits", credit),
        None => child_name(account, "credits", credit),
    }
}

/// The name of `lot`.
#[must_use]
pub fn lot_name(lot: &CreditLot) -> String {
    credit_name(lot.account, lot.project, lot.id)
}

/// `accounts/{account}/grants/{grant}`.
#[must_use]
pub fn grant_name(account: AccountId, grant: GrantId) -> String {
    child_name(account, "grants", grant)
}

/// `campaigns/{campaign}`.
#[must_use]
pub(crate) fn campaign_name(campaign: CampaignId) -> String {
    top_name("campaigns", campaign)
}

/// `accounts/{account}/projects/{project}/topUp`.
#[must_use]
pub(crate) fn top_up_name(account: AccountId, project: ProjectId) -> String {
    format!("{}/{TOP_UP}", project_name(account, project))
}

/// Reads the name of a top-up; `None` for the name of anything else.
#[must_use]
pub(crate) fn parse_top_up(name: &str) -> Option<(AccountId, ProjectId)> {
    let project = name.strip_suffix(TOP_UP)?.strip_suffix('/')?;
    parse_child("projects", project).ok()
}

const TOP_UP: &str = "topUp";
