//! Rows of the ranges a run is divided into, and of who works on which.
//!
//! | question | answer |
//! |---|---|
//! | who may bill a range? | whoever moves its cursor: the move names where it was, so that of two only one commits |
//! | what is the hold for, then? | so that two do not do the same work; it is the machine's time, and ends by itself when its holder dies |
//! | what happens to the range of a worker that was killed? | the next one takes it up at its cursor |

use std::collections::HashSet;

use florin_platform::{
    column::CorruptRow,
    db::{Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use sea_orm::{ConnectionTrait, DbErr, QueryResult};

use crate::domain::billing_run::{BillingRange, BillingRunId, Tally};

/// How often a range is looked for that nobody else takes in the same moment.
const TRIES_MAX: usize = 8;

/// Who works on a range, until when in microseconds of the machine's time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold<'a> {
    pub(crate) holder: &'a str,
    pub(crate) now: i64,
    pub(crate) until: i64,
}

/// Adds the ranges of a run.
pub(crate) async fn insert(tx: &Tx, ranges: &[BillingRange]) -> Result<(), DbErr> {
    const ACCOUNT: Kind = Kind::Optional(&Kind::Uuid);
    let columns = [
        ("run_id", Kind::Uuid),
        ("ordinal", Kind::Number),
        ("series", Kind::Number),
        ("after_account", ACCOUNT),
        ("to_account", ACCOUNT),
        ("cursor_account", ACCOUNT),
        ("done", Kind::Flag),
        ("invoiced_count", Kind::Number),
        ("nothing_due_count", Kind::Number),
        ("set_aside_count", Kind::Number),
        ("held_until_micros", Kind::Number),
    ];
    let mut set = Set::new(columns, ranges.len());
    for range in ranges {
        set.push([
            range.run.into(),
            range.ordinal.into(),
            i64::from(range.series).into(),
            range.after.into(),
            range.to.into(),
            range.cursor.into(),
            false.into(),
            0_i64.into(),
            0_i64.into(),
            0_i64.into(),
            0_i64.into(),
        ]);
    }
    set.insert(tx, "billing_range").await
}

/// Takes a range of the run that is not done and that nobody holds, if there is one; of a series nobody is at, if there
/// is one of those: its numbers need not be waited for.
pub(crate) async fn take(tx: &Tx, run: BillingRunId, hold: Hold<'_>) -> Result<Option<BillingRange>, DbErr> {
    // Who comes second to the same range finds it held, and looks for the next.
    let text = "UPDATE billing_range SET holder = $2, held_until_micros = $3 \
                WHERE run_id = $1 AND ordinal = (SELECT free.ordinal FROM billing_range free \
                WHERE free.run_id = $1 AND NOT free.done AND free.held_until_micros <= $4 \
                ORDER BY EXISTS (SELECT 1 FROM billing_range held WHERE held.run_id = $1 \
                AND held.series = free.series AND NOT held.done AND held.held_until_micros > $4), free.ordinal \
                LIMIT 1) AND NOT done AND held_until_micros <= $4 \
                RETURNING run_id, ordinal, series, after_account, to_account, cursor_account";
    for _ in 0..TRIES_MAX {
        let values = [run.into(), hold.holder.into(), hold.until.into(), hold.now.into()];
        if let Some(row) = tx.query_one_raw(sql(tx, text, values)).await? {
            return read(&row).map(Some);
        }
        let any =
            "SELECT 1 FROM billing_range WHERE run_id = $1 AND NOT done AND held_until_micros <= $2 LIMIT 1";
        if tx.query_one_raw(sql(tx, any, [run.into(), hold.now.into()])).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(None)
}

fn read(row: &QueryResult) -> Result<BillingRange, DbErr> {
    let series: i64 = row.try_get_by_index(2)?;
    Ok(BillingRange {
        run: row.try_get_by_index(0)?,
        ordinal: row.try_get_by_index(1)?,
        series: u32::try_from(series).map_err(CorruptRow::of("billing_range"))?,
        after: row.try_get_by_index(3)?,
        to: row.try_get_by_index(4)?,
        cursor: row.try_get_by_index(5)?,
    })
}

/// Gives back what `holder` holds of the run.
pub(crate) async fn release(tx: &Tx, run: BillingRunId, holder: &str) -> Result<(), DbErr> {
    let text =
        "UPDATE billing_range SET held_until_micros = 0 WHERE run_id = $1 AND holder = $2 AND NOT done";
    tx.execute_raw(sql(tx, text, [run.into(), holder.into()])).await.map(|_| ())
}

/// Moves the cursor of a range, counts what was done, and holds it on. False if it is not where `range` says: then
/// somebody else did the batch, and this transaction must not commit.
pub(crate) async fn advance(
    tx: &Tx,
    range: &BillingRange,
    to: AccountId,
    tally: Tally,
    hold: Hold<'_>,
) -> Result<bool, DbErr> {
    let text = "UPDATE billing_range SET cursor_account = $3, invoiced_count = invoiced_count + $4, \
                nothing_due_count = nothing_due_count + $5, set_aside_count = set_aside_count + $6, \
                holder = $7, held_until_micros = $8 \
                WHERE run_id = $1 AND ordinal = $2 AND NOT done AND cursor_account IS NOT DISTINCT FROM $9";
    let values = [
        range.run.into(),
        range.ordinal.into(),
        to.into(),
        tally.invoiced.into(),
        tally.nothing_due.into(),
        tally.set_aside.into(),
        hold.holder.into(),
        hold.until.into(),
        range.cursor.into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Nothing of a range is left to do; false if it is not where `range` says.
pub(crate) async fn finish(tx: &Tx, range: &BillingRange) -> Result<bool, DbErr> {
    let text = "UPDATE billing_range SET done = TRUE, held_until_micros = 0 \
                WHERE run_id = $1 AND ordinal = $2 AND NOT done AND cursor_account IS NOT DISTINCT FROM $3";
    let values = [range.run.into(), range.ordinal.into(), range.cursor.into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Whether a range of the run is not done.
pub(crate) async fn any_open(connection: &impl ConnectionTrait, run: BillingRunId) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM billing_range WHERE run_id = $1 AND NOT done LIMIT 1";
    Ok(connection.query_one_raw(sql(connection, text, [run.into()])).await?.is_some())
}

/// Takes away the ranges of a run that has completed.
pub(crate) async fn remove(tx: &Tx, run: BillingRunId) -> Result<(), DbErr> {
    let text = "DELETE FROM billing_range WHERE run_id = $1";
    tx.execute_raw(sql(tx, text, [run.into()])).await.map(|_| ())
}

/// Those of `accounts`, each with its series, that the run is done with.
pub(crate) async fn behind(
    connection: &impl ConnectionTrait,
    run: BillingRunId,
    accounts: &[(AccountId, u32)],
) -> Result<HashSet<AccountId>, DbErr> {
    let columns = [("account_id", Kind::Uuid), ("run_id", Kind::Uuid), ("series", Kind::Number)];
    let mut wanted = Set::new(columns, accounts.len());
    for (account, series) in accounts {
        wanted.push([(*account).into(), run.into(), i64::from(*series).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT v.account_id FROM {rows} JOIN billing_range r ON r.run_id = v.run_id AND r.series = v.series \
             AND (r.after_account IS NULL OR r.after_account < v.account_id) \
             AND (r.to_account IS NULL OR v.account_id <= r.to_account) \
             WHERE r.done OR v.account_id <= r.cursor_account"
        )
    };
    wanted.read(connection, text).await?.iter().map(|row| row.try_get_by_index(0)).collect()
}
