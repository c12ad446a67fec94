//! Movements of money: what the ledger records beside the value of lots (R14.3), in the same chains (R14.4); and the
//! order in which the journal of a period reads both.
//!
//! What was invoiced, captured and credited before this step is carried forward as balances, account by account, so
//! that the sums of the ledger reconcile from here on. A balance is dated by the last thing that made it.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{
        Statement, Value,
        prelude::{DateTimeUtc, Uuid},
    },
};
use sha2::{Digest, Sha256};

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE money_movement (
    account_id uuid NOT NULL REFERENCES account (account_id),
    sequence bigint NOT NULL CHECK (sequence > 0),
    kind text NOT NULL CHECK (kind IN ('INVOICED', 'CREDIT_INVOICED', 'VAT_INVOICED', 'CAPTURED', 'APPLIED', 'REFUNDED',
        'TAKEN_BACK', 'CAME_BACK', 'OWED_AGAIN', 'CREDITED', 'SALE_CREDITED', 'VAT_CREDITED', 'VAT_RECHARGED',
        'SALE_RESTORED', 'SALE_REVOKED', 'WRITTEN_OFF', 'RECOVERED', 'CARRIED_FORWARD')),
    debit_ledger text NOT NULL,
    credit_ledger text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    tax_category text,
    tax_rate text,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    document text NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account_id, sequence),
    CHECK (debit_ledger <> credit_ledger),
    CHECK ((tax_category IS NULL) = (tax_rate IS NULL))
);
CREATE INDEX money_movement_recorded ON money_movement (recorded_at, account_id, sequence);
CREATE INDEX credit_movement_recorded ON credit_movement (recorded_at, account_id, sequence)";

const MOVEMENT: Guard = Guard {
    table: "money_movement",
    key: &["account_id", "sequence"],
    frozen: &[
        "account_id",
        "sequence",
        "kind",
        "debit_ledger",
        "credit_ledger",
        "currency",
        "amount",
        "tax_category",
        "tax_rate",
        "effective_at",
        "recorded_at",
        "document",
        "digest",
    ],
    refused_if: None,
};

/// A balance to carry forward: the ledger account, and what it should have more on its debit side, with the last
/// instant that made it so, by currency, of account `$1`.
const BALANCES: [(&str, &str); 4] = [
    (
        "RECEIVABLES",
        "SELECT currency, CAST(SUM(amount) AS bigint), MAX(last) FROM ( \
         SELECT i.currency AS currency, i.amount_incl_tax AS amount, i.issued_at AS last FROM invoice i \
         JOIN invoice_state s ON s.account_id = i.account_id AND s.invoice_id = i.id \
         WHERE i.account_id = $1 AND s.state IN ('ISSUED', 'COLLECTING') UNION ALL \
         SELECT currency, amount - credited, opened_at FROM debt WHERE account_id = $1 AND closed_at IS NULL \
         ) owed GROUP BY currency ORDER BY currency",
    ),
    (
        "CASH",
        "SELECT currency, CAST(SUM(amount - refunded - disputed) AS bigint), MAX(updated_at) FROM payment \
         WHERE account_id = $1 AND state IN ('SUCCEEDED', 'REFUNDED') GROUP BY currency ORDER BY currency",
    ),
    (
        "VAT_PAYABLE",
        "SELECT currency, CAST(SUM(amount) AS bigint), MAX(last) FROM ( \
         SELECT currency, -tax_total AS amount, issued_at AS last FROM invoice WHERE account_id = $1 UNION ALL \
         SELECT currency, tax_total, issued_at FROM credit_note WHERE account_id = $1 \
         ) taxed GROUP BY currency ORDER BY currency",
    ),
    (
        "CREDIT_SALES",
        "SELECT currency, CAST(SUM(amount) AS bigint), MAX(last) FROM ( \
         SELECT currency, -net AS amount, paid_at AS last FROM credit_order WHERE account_id = $1 \
         AND state = 'PAID' AND lot_id IS NULL AND withdrawn_at IS NULL UNION ALL \
         SELECT currency, CASE WHEN credit_ledger = 'CREDIT_SALES' THEN amount ELSE -amount END, recorded_at \
         FROM credit_movement WHERE account_id = $1 \
         AND (debit_ledger = 'CREDIT_SALES' OR credit_ledger = 'CREDIT_SALES') \
         ) sold GROUP BY currency ORDER BY currency",
    ),
];

/// How many accounts are looked at before the next are read.
const PAGE: usize = 500;

fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    let length =
        <u32 as TryFrom<usize>>::try_from(value.len()).expect("a column is shorter than four gigabytes");
    bytes.extend(length.to_be_bytes());
    bytes.extend(value);
}

fn genesis(account: Uuid) -> Vec<u8> {
    let mut bytes = vec![1];
    field(&mut bytes, b"genesis");
    field(&mut bytes, account.as_bytes());
    Sha256::digest(&bytes).to_vec()
}

/// A balance of one ledger account that is carried forward.
struct Balance {
    ledger: &'static str,
    currency: String,
    /// Minor units on the debit side; never zero.
    debit: i64,
    last: DateTimeUtc,
}

impl Balance {
    fn sides(&self) -> (&'static str, &'static str) {
        if self.debit > 0 { (self.ledger, "OPENING_BALANCE") } else { ("OPENING_BALANCE", self.ledger) }
    }

    fn amount(&self) -> Result<i64, DbErr> {
        self.debit.checked_abs().ok_or_else(|| DbErr::Migration("a balance beyond 64 bits".to_owned()))
    }

    /// In the form that was version 1 when this step was written.
    fn digest(&self, previous: &[u8], account: Uuid, sequence: i64) -> Result<Vec<u8>, DbErr> {
        let (debit, credit) = self.sides();
        let mut bytes = vec![1];
        field(&mut bytes, b"money_movement");
        field(&mut bytes, account.as_bytes());
        field(&mut bytes, &sequence.to_be_bytes());
        for text in ["CARRIED_FORWARD", debit, credit, &self.currency] {
            field(&mut bytes, text.as_bytes());
        }
        field(&mut bytes, &self.amount()?.to_be_bytes());
        // Neither a category of VAT nor a rate.
        bytes.extend([0xff; 8]);
        for at in [self.last, self.last] {
            field(&mut bytes, &at.timestamp_micros().to_be_bytes());
        }
        field(&mut bytes, b"");
        Ok(Sha256::new().chain_update(previous).chain_update(bytes).finalize().to_vec())
    }
}

fn statement(manager: &SchemaManager<'_>, text: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(manager.get_database_backend(), text, values)
}

async fn balances(manager: &SchemaManager<'_>, account: Uuid) -> Result<Vec<Balance>, DbErr> {
    let mut balances = Vec::new();
    for (ledger, text) in BALANCES {
        let rows = manager.get_connection().query_all_raw(statement(manager, text, vec![account.into()]));
        for row in rows.await? {
            let debit = row.try_get_by_index(1)?;
            if debit != 0 {
                let (currency, last) = (row.try_get_by_index(0)?, row.try_get_by_index(2)?);
                balances.push(Balance { ledger, currency, debit, last });
            }
        }
    }
    Ok(balances)
}

async fn carry_forward(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let mut after = Uuid::nil();
    loop {
        let text = format!(
            "SELECT account_id, movement_sequence, movement_head FROM account_lock WHERE account_id > $1 \
             ORDER BY account_id LIMIT {PAGE}"
        );
        let accounts = connection.query_all_raw(statement(manager, &text, vec![after.into()])).await?;
        for row in &accounts {
            let account: Uuid = row.try_get_by_index(0)?;
            let head: Option<Vec<u8>> = row.try_get_by_index(2)?;
            let head = head.unwrap_or_else(|| genesis(account));
            carry_forward_of(manager, account, (row.try_get_by_index(1)?, head)).await?;
            after = account;
        }
        if accounts.len() < PAGE {
            return Ok(());
        }
    }
}

async fn carry_forward_of(
    manager: &SchemaManager<'_>,
    account: Uuid,
    (mut sequence, mut head): (i64, Vec<u8>),
) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let balances = balances(manager, account).await?;
    for balance in &balances {
        sequence += 1;
        head = balance.digest(&head, account, sequence)?;
        let (debit, credit) = balance.sides();
        let text = "INSERT INTO money_movement (account_id, sequence, kind, debit_ledger, credit_ledger, currency, \
                    amount, tax_category, tax_rate, effective_at, recorded_at, document, digest) \
                    VALUES ($1, $2, 'CARRIED_FORWARD', $3, $4, $5, $6, NULL, NULL, $7, $7, '', $8)";
        let values = vec![
            account.into(),
            sequence.into(),
            debit.into(),
            credit.into(),
            balance.currency.as_str().into(),
            balance.amount()?.into(),
            balance.last.into(),
            head.clone().into(),
        ];
        connection.execute_raw(statement(manager, text, values)).await?;
    }
    if !balances.is_empty() {
        let text = "UPDATE account_lock SET movement_sequence = $2, movement_head = $3 WHERE account_id = $1";
        let values = vec![account.into(), sequence.into(), head.into()];
        connection.execute_raw(statement(manager, text, values)).await?;
    }
    Ok(())
}

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        carry_forward(manager).await?;
        MOVEMENT.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
