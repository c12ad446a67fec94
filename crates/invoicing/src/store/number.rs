//! Invoice numbers: one counter row per series and year, owned by the issuer, taken last (R8.3).
//!
//! | question | answer |
//! |---|---|
//! | why gapless | the counter moves in the transaction that writes the invoices: rolled back together |
//! | why increasing | the counter row is locked from the taking to the commit |
//! | why no lock storm | it is taken last, a block for the whole batch |
//! | issue dates | the counter keeps the latest; who comes after is never dated before |

use florin_platform::{
    column::At,
    db::{BINDS_MAX, Tx, sql},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::number::{Block, Numbered, Series, year_of};

const COLUMNS: usize = 5;

/// Takes `count` consecutive numbers of `series` for documents issued at `at`.
pub(crate) async fn take(
    tx: &Tx,
    issuer: &str,
    series: Series,
    count: i64,
    at: Instant,
) -> Result<Block, DbErr> {
    let year = year_of(at);
    let text = "INSERT INTO invoice_series (series, year, issuer, last_number, last_issued_at) \
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT (series, year) DO UPDATE SET \
                last_number = invoice_series.last_number + excluded.last_number, \
                last_issued_at = CASE WHEN invoice_series.last_issued_at > excluded.last_issued_at \
                THEN invoice_series.last_issued_at ELSE excluded.last_issued_at END \
                RETURNING last_number, last_issued_at";
    let values =
        [series.as_str().into(), i64::from(year).into(), issuer.into(), count.into(), At::from(at).into()];
    let row = tx
        .query_one_raw(sql(tx, text, values))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound(format!("series {}", series.as_str())))?;
    let last: i64 = row.try_get_by_index(0)?;
    let issued: At = row.try_get_by_index(1)?;
    Ok(Block { series, year, first: last - count + 1, issued: issued.into() })
}

/// Writes down which invoice has which number.
pub(crate) async fn assign(tx: &Tx, numbered: &[Numbered]) -> Result<(), DbErr> {
    for chunk in numbered.chunks(BINDS_MAX / COLUMNS) {
        let places = (0..chunk.len())
            .map(|row| {
                let binds = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column));
                format!("({})", binds.collect::<Vec<_>>().join(", "))
            })
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!(
            "INSERT INTO invoice_number (series, year, number, account_id, invoice_id) VALUES {places}"
        );
        let values = chunk.iter().flat_map(|given| {
            [
                Value::from(given.number.series.as_str()),
                i64::from(given.number.year).into(),
                given.number.number.into(),
                given.account.into(),
                given.invoice.into(),
            ]
        });
        tx.execute_raw(sql(tx, &text, values)).await?;
    }
    Ok(())
}
