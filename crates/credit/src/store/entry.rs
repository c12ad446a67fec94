//! Rows that count an account's wrong voucher codes (R6.6).

use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::domain::entry::VoucherEntry;

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<VoucherEntry, DbErr> {
    let text = "SELECT wrong, since_at, locked_until FROM voucher_entry WHERE account_id = $1";
    let Some(row) = connection.query_one_raw(sql(connection, text, [account.into()])).await? else {
        return Ok(VoucherEntry::default());
    };
    let wrong: i64 = row.try_get_by_index(0)?;
    let since: Option<At> = row.try_get_by_index(1)?;
    let locked_until: Option<At> = row.try_get_by_index(2)?;
    Ok(VoucherEntry {
        wrong: u32::try_from(wrong).map_err(CorruptRow::of("voucher_entry"))?,
        since: since.map(Into::into),
        locked_until: locked_until.map(Into::into),
    })
}

pub(crate) async fn save(tx: &Tx, account: AccountId, entry: VoucherEntry) -> Result<(), DbErr> {
    let text = "INSERT INTO voucher_entry (account_id, wrong, since_at, locked_until) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (account_id) DO UPDATE SET wrong = excluded.wrong, since_at = excluded.since_at, \
                locked_until = excluded.locked_until";
    let values = [
        account.into(),
        i64::from(entry.wrong).into(),
        entry.since.map(At::from).into(),
        entry.locked_until.map(At::from).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
