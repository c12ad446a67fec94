//! Rights on a project: given, taken back, listed (R4.5). The rows and the rules are the account slice's.

use florin_account::{
    Account, RightRefused,
    rights::{self, Grant, NewGrant, Reach, RightId, right_name},
};
use florin_credit::ProjectId;
use florin_platform::{
    call::{Call, Right},
    db::Tx,
    id::AccountId,
    notice, outbox,
    page::Page,
    wire::account_name,
};
use florin_settlement::Instant;
use sea_orm::ConnectionTrait;

use super::query;
use crate::{
    convert::right::wire_level,
    domain::project::{Project, project_name},
    error::Error,
    events::{RightGranted, RightRevoked},
    notices,
};

/// A right, and who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) grant: Grant,
    pub(crate) handle: String,
}

/// Gives `grantee` a right on the project, and tells both accounts.
pub(crate) async fn grant(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    (grantee, right): (&str, Right),
) -> Result<Held, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let reach = query::reach(tx, call, account, project).await?;
    let project = query::owned(tx, call, account, project).await?;
    let name = project.resource_name();
    if !reach.may_grant(right) {
        return Err(insufficient(reach, name, right).into());
    }
    if !project.state.is_live() {
        return Err(Error::NotLive(project.state));
    }
    let new = NewGrant { account, resource: name, grantee: grantee.to_owned(), right };
    let (grant, grantee) = rights::grant(tx, at, call, new).await?;
    let fact = RightGranted {
        right: right_name(&grant),
        grantee: account_name(grantee.id),
        level: wire_level(right).into(),
    };
    outbox::append(tx, at, account, &fact).await?;
    tell(tx, at, &project, &grantee, |of, owner| {
        notices::right_granted(of, owner, &grantee, &project, right)
    })
    .await?;
    Ok(Held { grant, handle: grantee.handle })
}

/// Takes a right back, and tells both accounts.
pub(crate) async fn revoke(
    tx: &Tx,
    at: Instant,
    call: &Call,
    (account, project, id): (AccountId, ProjectId, RightId),
) -> Result<Held, Error> {
    query::reach(tx, call, account, project).await?;
    florin_account::lock(tx, &[account]).await?;
    let reach = query::reach(tx, call, account, project).await?;
    let project = query::owned(tx, call, account, project).await?;
    let resource = project.resource_name();
    let missing = || Error::NotFound(format!("{resource}/rights/{id}"));
    let found = rights::find(tx, account, id).await?.filter(|grant| grant.resource == resource);
    let found = found.ok_or_else(missing)?;
    if !reach.may_revoke(&found) {
        let right = found.right;
        return Err(insufficient(reach, right_name(&found), right).into());
    }
    let grant = rights::revoke(tx, at, call, found).await?.ok_or_else(missing)?;
    let grantee_name = account_name(grant.grantee);
    let fact = RightRevoked { right: right_name(&grant), grantee: grantee_name.clone() };
    outbox::append(tx, at, account, &fact).await?;
    let grantee = florin_account::find(tx, grant.grantee).await?;
    let grantee = grantee.ok_or(Error::NotFound(grantee_name))?;
    let right = grant.right;
    tell(tx, at, &project, &grantee, |of, owner| {
        notices::right_revoked(of, owner, &grantee, &project, right)
    })
    .await?;
    Ok(Held { grant, handle: grantee.handle })
}

/// A page of the rights others hold on the project.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    call: &Call,
    (account, project): (AccountId, ProjectId),
    page: &Page,
) -> Result<Vec<Held>, Error> {
    let project = query::owned(connection, call, account, project).await?;
    let grants = rights::list(connection, account, &project.resource_name(), page).await?;
    with_handles(connection, grants).await
}

/// A page of the rights `account` holds on the projects of others.
pub(crate) async fn held_by(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    page: &Page,
) -> Result<Vec<Held>, Error> {
    let account = query::owner(connection, call, account).await?;
    let grants = rights::shared_with(connection, account.id, page).await?;
    Ok(grants.into_iter().map(|grant| Held { grant, handle: account.handle.clone() }).collect())
}

async fn with_handles(connection: &impl ConnectionTrait, grants: Vec<Grant>) -> Result<Vec<Held>, Error> {
    let mut ids: Vec<_> = grants.iter().map(|grant| grant.grantee).collect();
    ids.sort_unstable();
    ids.dedup();
    let holders = florin_account::find_many(connection, &ids).await?;
    let handle = |grant: &Grant| {
        let holder = holders.iter().find(|holder| holder.id == grant.grantee);
        holder.map(|holder| holder.handle.clone()).unwrap_or_default()
    };
    Ok(grants.into_iter().map(|grant| Held { handle: handle(&grant), grant }).collect())
}

/// Raises a notice to the project's account and one to the holder, each in its language.
async fn tell(
    tx: &Tx,
    at: Instant,
    project: &Project,
    grantee: &Account,
    text: impl Fn(&Account, &Account) -> notice::Notice,
) -> Result<(), Error> {
    let missing = || Error::NotFound(project_name(project.account, project.id));
    let owner = florin_account::find(tx, project.account).await?.ok_or_else(missing)?;
    for to in [&owner, grantee] {
        notice::raise(tx, at, to.id, &text(to, &owner)).await?;
    }
    Ok(())
}

fn insufficient(reach: Reach, name: String, right: Right) -> RightRefused {
    let held = match reach {
        Reach::Guest(_, held) => held,
        Reach::Itself | Reach::Service => Vec::new(),
    };
    let needed: &[Right] =
        if right == Right::Owner { &[Right::Owner] } else { &[Right::Owner, Right::Admin] };
    RightRefused::Insufficient { name, held, needed }
}
