//! Placing, taking and releasing holds (R4.8), each with the account locked: nobody else reserves meanwhile.
//!
//! What is available is computed from everything it depends on, under the lock; the hold placed stands in the
//! standing's row before this transaction ends.

use florin_credit::ProjectId;
use florin_platform::{
    audit, call::Call, db::Tx, id::AccountId, outbox, page::Page, violation::Violations, wire::money,
};
use florin_settlement::{Instant, Quantity};
use sea_orm::ConnectionTrait;

use super::{
    funding::{Ask, Launch, checked, estimate},
    price_list::Prices,
    query,
    standings::Standings,
};
use crate::{
    domain::{
        funding::{Denial, Standing},
        hold::{COVER_HOURS, Hold, HoldEnd, HoldId, HoldState, covered_until, hold_name},
        plan::PlanCode,
        project::{Project, project_name},
        resource::ResourceId,
    },
    error::Error,
    events::{HoldPlaced, HoldReleased},
    store,
};

/// What to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewHold {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) launch: Launch,
    pub(crate) lifetime_seconds: u64,
}

/// Reserves what a launch is estimated to cost, if it may start.
pub(crate) async fn place(
    tx: &Tx,
    standings: &Standings,
    at: Instant,
    call: &Call,
    new: &NewHold,
) -> Result<Hold, Error> {
    let name = || project_name(new.account, new.project);
    query::visible(call, new.account, name)?;
    florin_account::lock(tx, &[new.account]).await?;
    let standing = standing(tx, standings, at, (new.account, new.project)).await?;
    let prices = Prices::of(tx, &[&new.launch.plan], &[new.account]).await?;
    let currency = standing.currency;
    let checked = checked(standing, Some(&new.launch), &prices, at)?;
    if !checked.denials.is_empty() {
        return Err(Error::Denied { project: name(), denials: checked.denials });
    }
    let tariff = prices.tariff(new.account, currency);
    let plan = tariff.plan(&new.launch.plan)?;
    let size = new.launch.sized(&plan.plan)?;
    let hold = Hold {
        account: new.account,
        id: HoldId::generate(at),
        project: new.project,
        plan: new.launch.plan.clone(),
        family: plan.plan.family,
        size,
        count: new.launch.count,
        used: 0,
        unit_amount: estimate(&new.launch.plan, size, new.launch.cover_hours, &tariff, at)?,
        cover_hours: new.launch.cover_hours,
        resource: None,
        created: at,
        expires: at.plus_seconds(new.lifetime_seconds),
        ended: None,
    };
    store::hold::insert(tx, &hold).await?;
    audit::record(tx, at, call, hold.account, &hold.name()).await?;
    let fact = HoldPlaced { hold: hold.name(), amount: Some(money(hold.amount()?)) };
    outbox::append(tx, at, hold.account, &fact).await?;
    Ok(hold)
}

/// The standing of a project whose account is locked, true at `at`.
async fn standing(
    tx: &Tx,
    standings: &Standings,
    at: Instant,
    (account, project): (AccountId, ProjectId),
) -> Result<Standing, Error> {
    let of_account = standings.computed_anew(tx, at, &[account]).await?;
    let found = of_account.into_iter().find(|standing| standing.project == project);
    found.ok_or_else(|| Error::NotFound(project_name(account, project)))
}

/// Gives back what of a hold no resource has taken; nothing happens to one that has ended, or belongs to a resource.
pub(crate) async fn release(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project, id): (AccountId, ProjectId, HoldId),
) -> Result<Hold, Error> {
    query::visible(call, account, || hold_name(account, project, id))?;
    florin_account::lock(tx, &[account]).await?;
    let hold = owned(tx, call, (account, project, id)).await?;
    match hold.state_at(at) {
        HoldState::Attached | HoldState::Ended(_, _) => Ok(hold),
        HoldState::Open => {
            let hold = Hold { ended: Some((HoldEnd::Released, at)), ..hold };
            store::hold::save(tx, &hold).await?;
            audit::record(tx, at, call, account, &hold.name()).await?;
            outbox::append(tx, at, account, &HoldReleased { hold: hold.name() }).await?;
            Ok(hold)
        }
    }
}

/// Gives back what the open holds of `projects` reserve: nothing more is launched in them. Their accounts are
/// locked.
pub(crate) async fn release_all_of(
    tx: &Tx,
    at: Instant,
    call: &Call,
    projects: &[Project],
) -> Result<(), Error> {
    let mut accounts: Vec<_> = projects.iter().map(|project| project.account).collect();
    accounts.dedup();
    for hold in store::hold::unended_of(tx, &accounts).await? {
        let ends =
            projects.iter().any(|project| (project.account, project.id) == (hold.account, hold.project));
        if ends && hold.state_at(at) == HoldState::Open {
            let hold = Hold { ended: Some((HoldEnd::Released, at)), ..hold };
            store::hold::save(tx, &hold).await?;
            audit::record(tx, at, call, hold.account, &hold.name()).await?;
            outbox::append(tx, at, hold.account, &HoldReleased { hold: hold.name() }).await?;
        }
    }
    Ok(())
}

/// A resource about to be added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted<'a> {
    pub(crate) resource: ResourceId,
    pub(crate) plan: &'a PlanCode,
    pub(crate) size: Quantity,
    pub(crate) hold: Option<HoldId>,
}

/// Admits a resource to a project whose account is locked: on the hold it names, or, in a prepaid-only project, on
/// one placed now. Elsewhere nothing is reserved.
///
/// # Errors
/// [`Error::Denied`] when a prepaid-only project has too little; [`Error::HoldRefused`] when the hold does not fit.
pub(crate) async fn admit(
    tx: &Tx,
    standings: &Standings,
    at: Instant,
    call: &Call,
    project: &Project,
    admitted: Admitted<'_>,
) -> Result<(), Error> {
    let Admitted { resource, plan, size, hold } = admitted;
    let (account, key) = (project.account, project.id);
    if let Some(id) = hold {
        let found = owned(tx, call, (account, key, id)).await?;
        let (name, part) = (found.name(), HoldId::generate(at));
        let taken = found.taken_by(part, resource, plan, size, at);
        let (rest, attached) = taken.map_err(|refusal| Error::HoldRefused { hold: name, refusal })?;
        store::hold::save(tx, &rest).await?;
        return Ok(store::hold::insert(tx, &attached).await?);
    }
    if !store::control::find(tx, account, key).await?.prepaid_only {
        return Ok(());
    }
    let launch = Launch { plan: plan.clone(), size: Some(size), count: 1, cover_hours: COVER_HOURS };
    let prices = Prices::of(tx, &[plan], &[account]).await?;
    let standing = standing(tx, standings, at, (account, key)).await?;
    let currency = standing.currency;
    let checked = checked(standing, Some(&launch), &prices, at)?;
    // A cap and a debt are for control planes to look at; what is not paid for is refused here, too.
    let unfunded = |denial: &Denial| matches!(denial, Denial::FundsExhausted { .. });
    let denials: Vec<_> = checked.denials.into_iter().filter(unfunded).collect();
    if !denials.is_empty() {
        return Err(Error::Denied { project: project.resource_name(), denials });
    }
    let tariff = prices.tariff(account, currency);
    let priced = tariff.plan(plan)?;
    let attached = Hold {
        account,
        id: HoldId::generate(at),
        project: key,
        plan: plan.clone(),
        family: priced.plan.family,
        size,
        count: 1,
        used: 1,
        unit_amount: estimate(plan, size, COVER_HOURS, &tariff, at)?,
        cover_hours: COVER_HOURS,
        resource: Some(resource),
        created: at,
        expires: covered_until(at, COVER_HOURS),
        ended: None,
    };
    Ok(store::hold::insert(tx, &attached).await?)
}

/// The hold, or NOT_FOUND, which is also what others' holds are.
pub(crate) async fn owned(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project, id): (AccountId, ProjectId, HoldId),
) -> Result<Hold, Error> {
    let name = || hold_name(account, project, id);
    query::reach_part(connection, call, (account, project), name).await?;
    store::hold::find(connection, account, project, id).await?.ok_or_else(|| Error::NotFound(name()))
}

/// A page of a project's holds; only those open at `open_at` if it is given.
pub(crate) async fn page(
    connection: &impl ConnectionTrait,
    ask: &Ask,
    open_at: Option<Instant>,
    page: &Page,
) -> Result<Vec<Hold>, Error> {
    let after = page.after.as_deref().map(HoldId::parse).transpose();
    let after = after.map_err(|error| Error::Invalid(Violations::one("page_token", error)))?;
    Ok(store::hold::list(connection, ask.account, ask.project, open_at, after, page.fetch()).await?)
}
