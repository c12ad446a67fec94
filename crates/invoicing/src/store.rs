//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod billing_run;
pub(crate) mod credit_note;
pub(crate) mod debit;
pub(crate) mod debt;
pub(crate) mod debt_settlement;
pub(crate) mod dispute;
pub(crate) mod document;
pub(crate) mod dunning;
pub(crate) mod invoice;
pub(crate) mod line;
pub(crate) mod number;
pub(crate) mod receivables;
pub(crate) mod set_aside;
pub(crate) mod settlement;
pub(crate) mod standing;
pub(crate) mod tax;

use florin_platform::db::{BINDS_MAX, Tx};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, Iterable};

/// Inserts `rows` in statements of a bounded number of binds.
async fn insert_all<A>(tx: &Tx, rows: Vec<A>) -> Result<(), DbErr>
where
    A: ActiveModelTrait + Send,
{
    let columns = <<A::Entity as EntityTrait>::Column as Iterable>::iter().count();
    for chunk in rows.chunks(BINDS_MAX / columns.max(1)) {
        A::Entity::insert_many(chunk.to_vec()).exec_without_returning(tx).await?;
    }
    Ok(())
}
