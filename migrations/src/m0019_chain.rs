//! Movements become a chain of hashes per account (R14.4): each has a digest, and the account's lock row the last one.
//!
//! What there is gets its digests here, in the form that was version 1 when this step was written. Before that, lots
//! that a credit note had given back get the ledger accounts that such lots have: their use is undone, nothing is
//! sold.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{
        DbBackend, QueryResult, Statement, TryGetable, Value,
        prelude::{DateTimeUtc, Uuid},
    },
};
use sha2::{Digest, Sha256};

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

const COLUMNS: &str = "
ALTER TABLE account_lock ADD COLUMN movement_head bytea;
ALTER TABLE credit_movement ADD COLUMN digest bytea";

const CREDITED: &str = "UPDATE credit_movement SET debit_ledger = CASE debit_ledger \
    WHEN 'CREDIT_SALES' THEN 'INCOME' ELSE 'PRICE_REDUCTIONS_TAKEN' END \
    WHERE kind = 'ISSUED' AND EXISTS (SELECT 1 FROM credit_lot lot \
    WHERE lot.account_id = credit_movement.account_id AND lot.id = credit_movement.lot_id \
    AND lot.origin = 'CREDIT_NOTE')";

/// What holds of the new columns, once they are filled: the table, the column, what it is on SQLite, the check.
const HELD: [(&str, &str, &str, &str); 2] = [
    ("account_lock", "movement_head", "", "CHECK ((movement_sequence = 0) = (movement_head IS NULL))"),
    ("credit_movement", "digest", " NOT NULL", "CHECK (length(digest) = 32)"),
];

const MOVEMENT: Guard = Guard {
    table: "credit_movement",
    key: &["account_id", "sequence"],
    frozen: &[
        "account_id",
        "sequence",
        "lot_id",
        "lot_kind",
        "kind",
        "currency",
        "amount",
        "remaining_after",
        "debit_ledger",
        "credit_ledger",
        "effective_at",
        "recorded_at",
        "reference",
        "digest",
    ],
    refused_if: None,
};

/// A chain only grows.
const LOCK: Guard = Guard {
    table: "account_lock",
    key: &["account_id"],
    frozen: &["account_id"],
    refused_if: Some("new.movement_sequence < old.movement_sequence"),
};

/// How many movements are read at a time.
const PAGE: usize = 500;

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    let length =
        <u32 as TryFrom<usize>>::try_from(value.len()).expect("a column is shorter than four gigabytes");
    bytes.extend(length.to_be_bytes());
    bytes.extend(value);
}

fn genesis(account: Uuid) -> [u8; 32] {
    let mut bytes = vec![1];
    field(&mut bytes, b"genesis");
    field(&mut bytes, account.as_bytes());
    Sha256::digest(&bytes).into()
}

/// The columns of a movement, in the order in which they are hashed.
const HASHED: &str = "account_id, sequence, lot_id, lot_kind, kind, currency, amount, remaining_after, \
                      debit_ledger, credit_ledger, effective_at, recorded_at, reference";

/// The digest of a row of [`HASHED`] columns that follows `previous`.
fn digest(previous: [u8; 32], row: &QueryResult) -> Result<[u8; 32], DbErr> {
    fn get<T: TryGetable>(row: &QueryResult, index: usize) -> Result<T, DbErr> {
        row.try_get_by_index(index)
    }
    let mut bytes = vec![1];
    field(&mut bytes, b"credit_movement");
    field(&mut bytes, get::<Uuid>(row, 0)?.as_bytes());
    field(&mut bytes, &get::<i64>(row, 1)?.to_be_bytes());
    field(&mut bytes, get::<Uuid>(row, 2)?.as_bytes());
    for index in [3, 4, 5] {
        field(&mut bytes, get::<String>(row, index)?.as_bytes());
    }
    for index in [6, 7] {
        field(&mut bytes, &get::<i64>(row, index)?.to_be_bytes());
    }
    for index in [8, 9] {
        field(&mut bytes, get::<String>(row, index)?.as_bytes());
    }
    for index in [10, 11] {
        field(&mut bytes, &get::<DateTimeUtc>(row, index)?.timestamp_micros().to_be_bytes());
    }
    field(&mut bytes, get::<String>(row, 12)?.as_bytes());
    Ok(Sha256::new().chain_update(previous).chain_update(bytes).finalize().into())
}

async fn chain(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let backend = manager.get_database_backend();
    let statement = |text: &str, values: Vec<Value>| Statement::from_sql_and_values(backend, text, values);
    let (mut account, mut sequence, mut head) = (Uuid::nil(), 0_i64, [0; 32]);
    loop {
        let text = format!(
            "SELECT {HASHED} FROM credit_movement WHERE (account_id, sequence) > ($1, $2) \
             ORDER BY account_id, sequence LIMIT {PAGE}"
        );
        let rows = connection.query_all_raw(statement(&text, vec![account.into(), sequence.into()])).await?;
        for row in &rows {
            let of: Uuid = row.try_get_by_index(0)?;
            if of != account {
                (account, head) = (of, genesis(of));
            }
            sequence = row.try_get_by_index(1)?;
            head = digest(head, row)?;
            let text = "UPDATE credit_movement SET digest = $3 WHERE account_id = $1 AND sequence = $2";
            let values = vec![account.into(), sequence.into(), head.to_vec().into()];
            connection.execute_raw(statement(text, values)).await?;
        }
        if rows.len() < PAGE {
            break;
        }
    }
    let heads = "UPDATE account_lock SET movement_head = (SELECT digest FROM credit_movement last \
                 WHERE last.account_id = account_lock.account_id \
                 AND last.sequence = account_lock.movement_sequence) WHERE movement_sequence > 0";
    connection.execute_unprepared(heads).await.map(|_| ())
}

/// What holds of a column from now on. SQLite keeps a table as the text that made it, and the text is changed, as its
/// manual tells for checks.
async fn hold(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if !is_sqlite(manager) {
        for (table, column, not_null, check) in HELD {
            if !not_null.is_empty() {
                let text = format!("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL");
                connection.execute_unprepared(&text).await?;
            }
            connection.execute_unprepared(&format!("ALTER TABLE {table} ADD {check}")).await?;
        }
        return Ok(());
    }
    connection.execute_unprepared("PRAGMA writable_schema = ON").await?;
    for (table, column, not_null, check) in HELD {
        let text = "UPDATE sqlite_schema SET sql = replace(sql, $1, $2) \
                    WHERE type = 'table' AND name = $3 AND instr(sql, $1) > 0";
        let before = format!("{column} BLOB");
        let values = [before.clone().into(), format!("{before}{not_null} {check}").into(), table.into()];
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, text, values);
        if connection.execute_raw(statement).await?.rows_affected() != 1 {
            return Err(DbErr::Migration(format!("the table {table} has no {before}")));
        }
    }
    connection.execute_unprepared("PRAGMA writable_schema = RESET").await.map(|_| ())
}

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, COLUMNS).await?;
        MOVEMENT.lift(manager).await?;
        manager.get_connection().execute_unprepared(CREDITED).await?;
        chain(manager).await?;
        hold(manager).await?;
        MOVEMENT.install(manager).await?;
        LOCK.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
