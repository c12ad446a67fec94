//! Invoice numbers: one counter row per series and year, owned by the issuer, taken last (R8.3).
//!
//! | question | answer |
//! |---|---|
//! | why gapless | the counter moves in the transaction that writes the documents: rolled back together |
//! | why increasing | the counter row is locked from the taking to the commit |
//! | why no lock storm | it is taken last, a block for the whole batch |
//! | issue dates | the counter keeps the latest; who comes after is never dated before |

use florin_platform::{
    column::At,
    db::{Tx, sql},
    set::{Kind, Set},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::number::{Block, Numbered, Series, year_of};

/// How often a counter is looked for: it is made at most once.
const TRIES_MAX: usize = 3;

/// Takes `count` consecutive numbers of `series` for documents issued at `at`.
pub(crate) async fn take(
    tx: &Tx,
    issuer: &str,
    series: Series,
    count: i64,
    at: Instant,
) -> Result<Block, DbErr> {
    let year = year_of(at);
    for _ in 0..TRIES_MAX {
        if let Some((last, issued)) = advance(tx, issuer, &series, year, count, at).await? {
            return Ok(Block { series, year, first: last - count + 1, issued });
        }
        // The first of its year; who comes second waits here, and then finds the counter.
        let text = "INSERT INTO invoice_series (series, year, issuer, last_number, last_issued_at) \
                    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let values = values(issuer, &series, year, count, at);
        if tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1 {
            return Ok(Block { series, year, first: 1, issued: at });
        }
    }
    Err(DbErr::RecordNotFound(format!("series {} of {issuer}", series.as_str())))
}

async fn advance(
    tx: &Tx,
    issuer: &str,
    series: &Series,
    year: i32,
    count: i64,
    at: Instant,
) -> Result<Option<(i64, Instant)>, DbErr> {
    let text = "UPDATE invoice_series SET last_number = last_number + $4, \
                last_issued_at = CASE WHEN last_issued_at > $5 THEN last_issued_at ELSE $5 END \
                WHERE series = $1 AND year = $2 AND issuer = $3 RETURNING last_number, last_issued_at";
    let values = values(issuer, series, year, count, at);
    let Some(row) = tx.query_one_raw(sql(tx, text, values)).await? else { return Ok(None) };
    let issued: At = row.try_get_by_index(1)?;
    Ok(Some((row.try_get_by_index(0)?, issued.into())))
}

fn values(issuer: &str, series: &Series, year: i32, count: i64, at: Instant) -> [Value; 5] {
    [series.as_str().into(), i64::from(year).into(), issuer.into(), count.into(), At::from(at).into()]
}

/// Writes down which document has which number.
pub(crate) async fn assign(tx: &Tx, numbered: &[Numbered]) -> Result<(), DbErr> {
    let columns = [
        ("series", Kind::Text),
        ("year", Kind::Number),
        ("number", Kind::Number),
        ("account_id", Kind::Uuid),
        ("invoice_id", Kind::Uuid),
    ];
    let mut set = Set::new(columns, numbered.len());
    for given in numbered {
        set.push([
            given.number.series.as_str().into(),
            i64::from(given.number.year).into(),
            given.number.number.into(),
            given.account.into(),
            given.document.into(),
        ]);
    }
    set.insert(tx, "invoice_number").await
}
