//! The ends of the accounts' chains of movements, on their lock rows (R14.4).

use std::collections::HashMap;

use florin_platform::{
    column::CorruptRow,
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set, among},
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::chain::{Digest, Link};

const TABLE: &str = "account_lock";

/// The last link of the chain of each of `accounts`; accounts that do not exist are left out.
pub(crate) async fn heads(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Link>, DbErr> {
    let mut heads = HashMap::with_capacity(accounts.len());
    for chunk in accounts.chunks(BINDS_MAX) {
        let (condition, ids) = among(connection.get_database_backend(), "account_id", 1, chunk);
        let text = format!(
            "SELECT account_id, movement_sequence, movement_head FROM account_lock WHERE {condition}"
        );
        for row in connection.query_all_raw(sql(connection, &text, ids)).await? {
            let account: AccountId = row.try_get_by_index(0)?;
            let head: Option<Vec<u8>> = row.try_get_by_index(2)?;
            let digest = match head {
                Some(bytes) => Digest::from_bytes(&bytes)
                    .ok_or_else(|| CorruptRow::new(TABLE, "a head that is no digest"))?,
                None => Digest::genesis(account),
            };
            heads.insert(account, Link { sequence: row.try_get_by_index(1)?, digest });
        }
    }
    Ok(heads)
}

/// Accounts after `after`, in the order of their ids.
pub(crate) async fn accounts(
    connection: &impl ConnectionTrait,
    after: AccountId,
    fetch: u64,
) -> Result<Vec<AccountId>, DbErr> {
    let text = format!(
        "SELECT account_id FROM account_lock WHERE account_id > $1 ORDER BY account_id LIMIT {fetch}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [after.into()])).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Moves the ends of the chains of locked accounts.
pub(crate) async fn advance(tx: &Tx, heads: &[(AccountId, Link)]) -> Result<(), DbErr> {
    let columns = [("account_id", Kind::Uuid), ("sequence", Kind::Number), ("head", Kind::Bytes)];
    let mut set = Set::new(columns, heads.len());
    for (account, head) in heads {
        set.push([(*account).into(), head.sequence.into(), head.digest.as_bytes().to_vec().into()]);
    }
    let text = |rows: &str| {
        format!(
            "UPDATE account_lock SET movement_sequence = v.sequence, movement_head = v.head FROM {rows} \
             WHERE account_lock.account_id = v.account_id"
        )
    };
    set.execute(tx, text).await.map(|_| ())
}
