//! Placing and giving up orders on behalf of a caller: what the RPCs do around [`super::orders`].

use florin_platform::{
    Platform,
    call::Call,
    db::{Reader, Tx},
    etag,
    id::AccountId,
};
use florin_settlement::{Instant, Money};

use super::{
    orders::{self, NewOrder},
    query,
};
use crate::{
    domain::{
        order::{CreditOrder, OrderId, PaymentLinks},
        project_ref::ProjectId,
    },
    error::Error,
    names::order_name,
    ports::ProjectGate,
};

/// What a caller wants to buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Purchase {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) net: Money,
}

/// What `purchase` would come to now, and the instant it was computed at. Writes nothing.
pub(crate) async fn preview(
    platform: &Platform,
    gate: &dyn ProjectGate,
    purchase: Purchase,
) -> Result<(CreditOrder, Instant), Error> {
    let reader = Reader::Committed(&platform.db);
    let at = platform.clock.now(&reader).await?;
    let account = query::account(&reader, purchase.account).await?;
    let view = query::live_project(gate, reader, purchase.account, purchase.project).await?;
    let Purchase { project, net, .. } = purchase;
    let new = NewOrder { account: &account, project, net, initial: view.pending };
    Ok((orders::preview(&reader, at, &new).await?, at))
}

/// Places an order for a live project of an ACTIVE account. An order for a project that still waits for
/// its funding is an initial one (R4.2).
pub(crate) async fn place(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    links: &PaymentLinks,
    purchase: Purchase,
) -> Result<CreditOrder, Error> {
    florin_account::lock(tx, &[purchase.account]).await?;
    let account = query::active_account(tx, purchase.account).await?;
    let view = query::live_project(gate, Reader::Within(tx), purchase.account, purchase.project).await?;
    let Purchase { project, net, .. } = purchase;
    orders::create(tx, at, call, links, NewOrder { account: &account, project, net, initial: view.pending })
        .await
}

/// Gives up an order; a project that waits for it is canceled with it (R4.3).
pub(crate) async fn give_up(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    (account, order): (AccountId, OrderId),
    etag: &str,
) -> Result<CreditOrder, Error> {
    florin_account::lock(tx, &[account]).await?;
    let found = query::order(tx, account, order).await?;
    let name = order_name(account, order);
    if !etag::allows(etag, &name, found.version) {
        return Err(Error::EtagMismatch(name));
    }
    let canceled = orders::cancel(tx, at, call, account, order).await?;
    orders::gate_unfunded(tx, at, call, gate, &canceled).await?;
    Ok(canceled)
}
