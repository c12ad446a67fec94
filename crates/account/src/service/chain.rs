//! Making movements links of their accounts' chains (R14.4).
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the accounts, by the caller: nobody else moves their chains meanwhile |
//! | how many statements | two for a batch: the ends are read, and written back |
//! | what of several sets in one transaction | each continues where the one before ended |

use std::collections::{BTreeMap, HashMap};

use florin_platform::{db::Tx, id::AccountId};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::chain::{Link, Unchained},
    store::chain,
};

/// Makes `movements` the next links of the chains of their accounts, which are locked: in the order given. The
/// link of each, in the same order.
///
/// # Errors
/// [`DbErr::RecordNotFound`] for an account that does not exist.
pub async fn extend(tx: &Tx, movements: &[Unchained]) -> Result<Vec<Link>, DbErr> {
    if movements.is_empty() {
        return Ok(Vec::new());
    }
    let mut accounts: Vec<_> = movements.iter().map(|movement| movement.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let mut heads = chain::heads(tx, &accounts).await?;
    let mut links = Vec::with_capacity(movements.len());
    for movement in movements {
        let head = heads.get_mut(&movement.account).ok_or_else(|| missing(movement.account))?;
        *head = head.next(movement);
        links.push(*head);
    }
    let heads: BTreeMap<_, _> = heads.into_iter().collect();
    chain::advance(tx, &heads.into_iter().collect::<Vec<_>>()).await?;
    Ok(links)
}

/// The last link of the chain of each of `accounts`; accounts that do not exist are left out.
///
/// # Errors
/// [`DbErr`], also for a head that is none.
pub async fn heads(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Link>, DbErr> {
    chain::heads(connection, accounts).await
}

/// Accounts after `after`, in the order of their ids, at most `fetch`: for who looks at all of them.
///
/// # Errors
/// [`DbErr`].
pub async fn accounts(
    connection: &impl ConnectionTrait,
    after: AccountId,
    fetch: u64,
) -> Result<Vec<AccountId>, DbErr> {
    chain::accounts(connection, after, fetch).await
}

fn missing(account: AccountId) -> DbErr {
    DbErr::RecordNotFound(format!("lock row of accounts/{account}"))
}
