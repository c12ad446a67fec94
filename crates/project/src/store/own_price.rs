//! Rows of prices negotiated with accounts (R5.1).

use std::collections::BTreeMap;

use florin_platform::{
    column::{At, Code, Rate},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::among,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use super::plan::{amounts, code_of};
use crate::domain::{
    plan::PlanCode,
    tariff::{OwnPrice, OwnPrices},
};

/// Everything negotiated with `accounts`, by account, plan and effective instant, in one query.
pub(crate) async fn of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, OwnPrices>, DbErr> {
    let mut found: BTreeMap<AccountId, OwnPrices> = BTreeMap::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let (condition, values) = among(connection.get_database_backend(), "account_id", 1, chunk);
        let text = format!(
            "SELECT account_id, plan, effective_at, ends_at, currency, unit_price, monthly_price \
             FROM account_price WHERE {condition} ORDER BY account_id, plan, effective_at"
        );
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let currency: Code = row.try_get("", "currency")?;
            let (price, monthly) = amounts(&row, currency)?;
            let (effective, ends): (At, Option<At>) =
                (row.try_get("", "effective_at")?, row.try_get("", "ends_at")?);
            let own = OwnPrice { price, monthly, effective: effective.into(), ends: ends.map(Into::into) };
            let plan: String = row.try_get("", "plan")?;
            let of_account = found.entry(row.try_get("", "account_id")?).or_default();
            of_account.entry(code_of(&plan)?).or_default().push(own);
        }
    }
    Ok(found)
}

/// Everything negotiated with anybody, by account, plan and effective instant.
pub(crate) async fn all(connection: &impl ConnectionTrait) -> Result<BTreeMap<AccountId, OwnPrices>, DbErr> {
    let text = "SELECT DISTINCT account_id FROM account_price";
    let rows = connection.query_all_raw(sql(connection, text, [])).await?;
    let accounts: Vec<AccountId> =
        rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?;
    of_accounts(connection, &accounts).await
}

/// Keeps what was negotiated. The plan is locked, and no price of the account begins at the same instant.
pub(crate) async fn insert(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    plan: &PlanCode,
    own: OwnPrice,
) -> Result<(), DbErr> {
    super::plan::changed(tx).await?;
    tx.touch(account);
    let text = "INSERT INTO account_price (account_id, plan, effective_at, ends_at, currency, unit_price, \
                monthly_price, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        account.into(),
        plan.as_str().into(),
        At::from(own.effective).into(),
        own.ends.map(At::from).into(),
        Code(own.price.currency()).into(),
        Rate(own.price.amount()).into(),
        own.monthly.map(|monthly| Rate(monthly.amount())).into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Ends the price that began at `effective`.
pub(crate) async fn end(
    tx: &Tx,
    account: AccountId,
    plan: &PlanCode,
    effective: Instant,
    ends: Instant,
) -> Result<(), DbErr> {
    super::plan::changed(tx).await?;
    tx.touch(account);
    let text = "UPDATE account_price SET ends_at = $4 \
                WHERE account_id = $1 AND plan = $2 AND effective_at = $3";
    let values = [account.into(), plan.as_str().into(), At::from(effective).into(), At::from(ends).into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}
