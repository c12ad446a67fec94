//! Reads, also for the slices above.

use florin_account::{Account, AccountState, Parties, rights};
use florin_platform::{
    call::Call,
    db::Reader,
    id::{AccountId, Id, Kind},
    page::Page,
    secret::digest,
    violation::Violations,
    wire::account_name,
};
use florin_settlement::{Instant, LotKind};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        campaign::{Campaign, CampaignId},
        grant::Grant,
        lot::{CreditId, LotStanding, LotState},
        movement::Movement,
        order::{CreditOrder, OrderId},
        project_ref::ProjectId,
        redemption::Redemption,
    },
    error::Error,
    names::{campaign_name, credit_name, order_name, project_name},
    ports::{GateView, ProjectGate},
    store::{self, lot::Scope},
};

/// The account, or NOT_FOUND.
pub(crate) async fn account(connection: &impl ConnectionTrait, id: AccountId) -> Result<Account, Error> {
    florin_account::find(connection, id).await?.ok_or_else(|| Error::NotFound(account_name(id)))
}

/// The account, if it is ACTIVE.
pub(crate) async fn active_account(
    connection: &impl ConnectionTrait,
    id: AccountId,
) -> Result<Account, Error> {
    let account = account(connection, id).await?;
    match account.state {
        AccountState::Active => Ok(account),
        AccountState::Pending | AccountState::Suspended | AccountState::Closed => {
            Err(Error::AccountNotActive { state: account.state.as_str() })
        }
    }
}

/// Lets the caller reach what belongs to `project` of `account` and was `named`: the account, a service, or a
/// guest whose right lets this call in (R4.5). To anybody else it does not exist. Nothing but the account
/// itself reaches what belongs to no project.
pub(crate) async fn reach(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    project: Option<ProjectId>,
    named: &str,
) -> Result<(), Error> {
    match project {
        Some(project) => {
            let resource = project_name(account, project);
            rights::reach(connection, call, account, &resource, || named.to_owned()).await?;
            Ok(())
        }
        None if call.may_see(account) => Ok(()),
        None => Err(Error::NotFound(named.to_owned())),
    }
}

/// The same for an order, whose project is looked up where a guest asks.
pub(crate) async fn reach_order(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: OrderId,
) -> Result<(), Error> {
    let name = order_name(account, id);
    if call.may_see(account) {
        return Ok(());
    }
    let found = match call.guest() {
        Some(_) => find_order(connection, account, id).await?,
        None => None,
    };
    let found = found.ok_or_else(|| Error::NotFound(name.clone()))?;
    reach(connection, call, account, Some(found.project), &name).await
}

/// What the project slice says of a project, or NOT_FOUND.
pub(crate) async fn project(
    gate: &dyn ProjectGate,
    reader: Reader<'_>,
    account: AccountId,
    project: ProjectId,
) -> Result<GateView, Error> {
    let view = gate.project(reader, account, project).await.map_err(Error::Port)?;
    view.ok_or_else(|| Error::NotFound(project_name(account, project)))
}

/// What the project slice says of a project, if value can still come to it.
pub(crate) async fn live_project(
    gate: &dyn ProjectGate,
    reader: Reader<'_>,
    account: AccountId,
    id: ProjectId,
) -> Result<GateView, Error> {
    let view = project(gate, reader, account, id).await?;
    if view.live { Ok(view) } else { Err(Error::ProjectNotLive(project_name(account, id))) }
}

/// The order whose payment link holds `token`, if there is one (R6.3): who has the link may see what it asks for.
///
/// # Errors
/// [`DbErr`].
pub async fn order_by_link(
    connection: &impl ConnectionTrait,
    token: &str,
) -> Result<Option<CreditOrder>, DbErr> {
    match store::order::by_link(connection, digest(token)).await? {
        Some((account, order)) => store::order::find(connection, account, order).await,
        None => Ok(None),
    }
}

/// The order of `account`, if it exists.
///
/// # Errors
/// [`Error::Database`].
pub async fn find_order(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: OrderId,
) -> Result<Option<CreditOrder>, Error> {
    Ok(store::order::find(connection, account, order).await?)
}

/// The order, or NOT_FOUND.
pub(crate) async fn order(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: OrderId,
) -> Result<CreditOrder, Error> {
    find_order(connection, account, id).await?.ok_or_else(|| Error::NotFound(order_name(account, id)))
}

/// An order and its parties as they were when it was placed: what its document is made of.
pub(crate) async fn order_document(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: OrderId,
) -> Result<(CreditOrder, Parties), Error> {
    let order = order(connection, account, id).await?;
    let parties = store::charge::parties(connection, account, id).await?;
    Ok((order, parties.ok_or_else(|| Error::NotFound(order_name(account, id)))?))
}

/// The orders of a project that can still be paid, or are being paid, at `at`.
///
/// # Errors
/// [`Error::Database`].
pub async fn open_orders(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
    at: Instant,
) -> Result<Vec<CreditOrder>, Error> {
    let states = vec!["AWAITING_PAYMENT", "PROCESSING"];
    let filter = store::order::Filter { project: Some(project), states };
    Ok(store::order::list(connection, account, &filter, at, None, u64::from(u32::MAX)).await?)
}

pub(crate) async fn list_orders(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &store::order::Filter,
    at: Instant,
    page: &Page,
) -> Result<Vec<CreditOrder>, Error> {
    Ok(store::order::list(connection, account, filter, at, after(page)?, page.fetch()).await?)
}

/// Which lots are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lots {
    pub(crate) account: AccountId,
    /// That project's own; all of the account when there is none.
    pub(crate) project: Option<ProjectId>,
    pub(crate) kinds: Vec<LotKind>,
    pub(crate) states: Vec<LotState>,
    /// As they were then; as they are when there is none.
    pub(crate) as_of: Option<Instant>,
}

/// The instant lots are shown at: now, or one that has passed (R6.8).
pub(crate) fn seen_at(now: Instant, as_of: Option<Instant>) -> Result<Instant, Violations> {
    match as_of {
        Some(as_of) if now < as_of => Err(Violations::one("as_of_time", "must not lie after now")),
        Some(as_of) => Ok(as_of),
        None => Ok(now),
    }
}

pub(crate) async fn list_lots(
    connection: &impl ConnectionTrait,
    wanted: Lots,
    at: Instant,
    page: &Page,
) -> Result<Vec<LotStanding>, Error> {
    let filter = store::movement::Filter {
        scope: wanted.project.map_or(Scope::Everything, Scope::Project),
        kinds: wanted.kinds,
        states: wanted.states,
        as_of: wanted.as_of,
    };
    Ok(store::movement::list_lots(connection, wanted.account, &filter, at, after(page)?, page.fetch())
        .await?)
}

/// A lot under its name, or NOT_FOUND: also when it belongs to another project than its name says.
pub(crate) async fn lot(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: Option<ProjectId>,
    id: CreditId,
    as_of: Option<Instant>,
) -> Result<LotStanding, Error> {
    let missing = || Error::NotFound(credit_name(account, project, id));
    let found = store::lot::find(connection, account, id).await?;
    let found = found.filter(|lot| lot.project == project && as_of.is_none_or(|at| lot.issued <= at));
    let found = found.ok_or_else(missing)?;
    store::movement::standings(connection, account, vec![found], as_of).await?.pop().ok_or_else(missing)
}

pub(crate) async fn list_movements(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lot: CreditId,
    page: &Page,
) -> Result<Vec<Movement>, Error> {
    let after = page.after.as_deref().map(str::parse::<i64>).transpose();
    let after = after.map_err(|error| Violations::one("page_token", error))?;
    Ok(store::movement::list(connection, account, lot, after.unwrap_or(0), page.fetch()).await?)
}

/// The campaign, or NOT_FOUND.
pub(crate) async fn campaign(connection: &impl ConnectionTrait, id: CampaignId) -> Result<Campaign, Error> {
    store::campaign::find(connection, id).await?.ok_or_else(|| Error::NotFound(campaign_name(id)))
}

pub(crate) async fn list_campaigns(
    connection: &impl ConnectionTrait,
    page: &Page,
) -> Result<Vec<Campaign>, Error> {
    Ok(store::campaign::list(connection, after(page)?, page.fetch()).await?)
}

pub(crate) async fn list_redemptions(
    connection: &impl ConnectionTrait,
    campaign: CampaignId,
    page: &Page,
) -> Result<Vec<Redemption>, Error> {
    Ok(store::redemption::list(connection, campaign, after(page)?, page.fetch()).await?)
}

pub(crate) async fn list_grants(
    connection: &impl ConnectionTrait,
    account: AccountId,
    page: &Page,
) -> Result<Vec<Grant>, Error> {
    Ok(store::grant::list(connection, account, after(page)?, page.fetch()).await?)
}

fn after<K: Kind>(page: &Page) -> Result<Option<Id<K>>, Error> {
    let after = page.after.as_deref().map(Id::parse).transpose();
    Ok(after.map_err(|error| Violations::one("page_token", error))?)
}
