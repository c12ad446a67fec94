//! What invoices have earned, what was taken back of it, and what is still owed: rows written once.

use florin_platform::{
    column::{At, Code, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money, MoneyError};
use sea_orm::{ConnectionTrait, DbErr};

const TABLE: &str = "loyalty_claim";

/// What one invoice has earned so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What its lots began with, and what was netted.
    earned: Money,
    /// What was taken back, or is to be.
    claimed: Money,
    /// How often it has earned.
    pub(crate) turns: u32,
}

impl Standing {
    /// What it holds now.
    pub(crate) fn held(&self) -> Result<Money, MoneyError> {
        self.earned.checked_sub(self.claimed)
    }
}

/// How an invoice stands.
pub(crate) async fn standing(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: &str,
    currency: Currency,
) -> Result<Standing, DbErr> {
    let sum = |column: &str| format!("CAST(COALESCE(SUM({column}), 0) AS bigint)");
    let of_invoice = |column: &str| format!("({column} = $2 OR {column} LIKE $3)");
    let text = format!(
        "SELECT (SELECT {} FROM credit_lot WHERE account_id = $1 AND origin = 'EARNING' AND {lot}), \
         (SELECT {} FROM loyalty_netting WHERE account_id = $1 AND {netting}), \
         (SELECT {} FROM loyalty_claim WHERE account_id = $1 AND invoice = $2), \
         (SELECT COUNT(*) FROM credit_lot WHERE account_id = $1 AND origin = 'EARNING' AND {lot}), \
         (SELECT COUNT(*) FROM loyalty_netting n WHERE account_id = $1 AND {netting} AND NOT EXISTS \
         (SELECT 1 FROM credit_lot l WHERE l.account_id = $1 AND l.origin = 'EARNING' \
         AND (l.origin_reference = n.invoice OR (n.invoice = $4 AND l.origin_reference = $2))))",
        sum("initial"),
        sum("amount"),
        sum("amount"),
        lot = of_invoice("origin_reference"),
        netting = of_invoice("invoice"),
    );
    let values = [account.into(), invoice.into(), later(invoice).into(), format!("{invoice}#1").into()];
    let row = connection
        .query_one_raw(sql(connection, &text, values))
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("sums of earnings".to_owned()))?;
    let amount = |index| row.try_get_by_index(index).map(|minor: i64| Money::new(minor, currency));
    let count = |index| -> Result<u32, DbErr> {
        let count: i64 = row.try_get_by_index(index)?;
        Ok(u32::try_from(count).map_err(CorruptRow::of(TABLE))?)
    };
    let earned = amount(0)?.checked_add(amount(1)?).map_err(CorruptRow::of(TABLE))?;
    Ok(Standing { earned, claimed: amount(2)?, turns: count(3)? + count(4)? })
}

/// The pattern of an invoice's second and later earnings. Ids hold no `%`; their `_` stands for itself as well.
pub(crate) fn later(invoice: &str) -> String {
    format!("{invoice}#%")
}

/// What an account still owes since its earnings were taken back.
pub(crate) async fn owed(
    connection: &impl ConnectionTrait,
    account: AccountId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST((SELECT COALESCE(SUM(amount - taken), 0) FROM loyalty_claim WHERE account_id = $1) \
                - (SELECT COALESCE(SUM(amount), 0) FROM loyalty_netting WHERE account_id = $1) AS bigint)";
    let row = connection.query_one_raw(sql(connection, text, [account.into()])).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}

/// Whether `source` has taken back what it could.
pub(crate) async fn is_claimed(
    connection: &impl ConnectionTrait,
    account: AccountId,
    source: &str,
) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM loyalty_claim WHERE account_id = $1 AND source = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), source.into()])).await?;
    Ok(row.is_some())
}

/// An earning taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) account: AccountId,
    pub(crate) source: &'a str,
    pub(crate) invoice: &'a str,
    pub(crate) amount: Money,
    pub(crate) taken: Money,
}

pub(crate) async fn insert_claim(tx: &Tx, at: Instant, claim: &Claim<'_>) -> Result<(), DbErr> {
    let text = "INSERT INTO loyalty_claim (account_id, source, invoice, currency, amount, taken, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = [
        claim.account.into(),
        claim.source.into(),
        claim.invoice.into(),
        Code(claim.amount.currency()).into(),
        claim.amount.minor().into(),
        claim.taken.minor().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

pub(crate) async fn insert_netting(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    invoice: &str,
    amount: Money,
) -> Result<(), DbErr> {
    let text = "INSERT INTO loyalty_netting (account_id, invoice, currency, amount, created_at) \
                VALUES ($1, $2, $3, $4, $5)";
    let values = [
        account.into(),
        invoice.into(),
        Code(amount.currency()).into(),
        amount.minor().into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
