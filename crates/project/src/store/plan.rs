//! Rows of the catalogue: plans and price versions. Reference data; they belong to no account.

use std::collections::BTreeMap;

use florin_platform::{
    column::{At, Code, CorruptRow, Rate},
    db::{BINDS_MAX, Tx, sql},
};
use florin_settlement::{Instant, PlanFamily, UnitPrice};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::{
    catalogue_file::Additions,
    plan::{ChargeModel, Plan, PlanCode, PriceVersion, PricedPlan, Timing, Unit},
};

const TABLE: &str = "plan";
const PLAN_COLUMNS: &str =
    "code, display_name, family, charge_model, unit, charge_timing, retired_at, version";
const PRICE_COLUMNS: &str = "plan, currency, effective_at, unit_price, monthly_price";

/// The catalogue, or a part of it, by code.
pub(crate) type Catalogue = BTreeMap<PlanCode, PricedPlan>;

/// Every plan with every price version.
pub(crate) async fn all(connection: &impl ConnectionTrait) -> Result<Catalogue, DbErr> {
    let text = format!("SELECT {PLAN_COLUMNS} FROM plan");
    let plans = connection.query_all_raw(sql(connection, &text, [])).await?;
    let prices = format!("SELECT {PRICE_COLUMNS} FROM plan_price");
    let prices = connection.query_all_raw(sql(connection, &prices, [])).await?;
    assembled(&plans, &prices)
}

/// The plans of `codes` that exist, with every price version, in two queries.
pub(crate) async fn of_codes(
    connection: &impl ConnectionTrait,
    codes: &[&PlanCode],
) -> Result<Catalogue, DbErr> {
    let mut found = Catalogue::new();
    for chunk in codes.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let values = || chunk.iter().map(|code| Value::from(code.as_str()));
        let text = format!("SELECT {PLAN_COLUMNS} FROM plan WHERE code IN ({places})");
        let plans = connection.query_all_raw(sql(connection, &text, values())).await?;
        let text = format!("SELECT {PRICE_COLUMNS} FROM plan_price WHERE plan IN ({places})");
        let prices = connection.query_all_raw(sql(connection, &text, values())).await?;
        found.extend(assembled(&plans, &prices)?);
    }
    Ok(found)
}

/// The plan, if it exists.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    code: &PlanCode,
) -> Result<Option<PricedPlan>, DbErr> {
    Ok(of_codes(connection, &[code]).await?.remove(code))
}

/// Which plans a list wants.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// All if none is named.
    pub(crate) families: Vec<PlanFamily>,
    /// Also those that are no longer sold.
    pub(crate) with_retired: bool,
}

/// Plans wanted by `filter`, as they are at `at`, after the code `after`.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    filter: &Filter,
    at: Instant,
    after: &str,
    fetch: u64,
) -> Result<Vec<PricedPlan>, DbErr> {
    let families = if filter.families.is_empty() { &PlanFamily::ALL[..] } else { &filter.families };
    let names: Vec<&str> = families.iter().map(|family| family.as_str()).collect();
    let places = (4..4 + names.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let sold = if filter.with_retired { "$2 = $2" } else { "(retired_at IS NULL OR retired_at > $2)" };
    let text = format!(
        "SELECT {PLAN_COLUMNS} FROM plan WHERE code > $1 AND {sold} \
         AND family IN ({places}) ORDER BY code LIMIT $3"
    );
    let limit = i64::try_from(fetch).unwrap_or(i64::MAX);
    let values = [Value::from(after), At::from(at).into(), limit.into()];
    let values = values.into_iter().chain(names.into_iter().map(Value::from));
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    let plans = rows.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let codes: Vec<&PlanCode> = plans.iter().map(|plan| &plan.code).collect();
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    // In the order of the query, which is the database's collation: the last one is where the next page begins.
    let mut found = of_codes(connection, &codes).await?;
    Ok(codes.into_iter().filter_map(|code| found.remove(code)).collect())
}

/// Grows with every change of the catalogue: a copy made at another version is old.
pub(crate) async fn version(connection: &impl ConnectionTrait) -> Result<i64, DbErr> {
    let text = "SELECT version FROM catalogue_version WHERE id = 1";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the catalogue's version".to_owned()))?.try_get_by_index(0)
}

/// Says that the catalogue has changed.
pub(crate) async fn changed(tx: &Tx) -> Result<(), DbErr> {
    let text = "UPDATE catalogue_version SET version = version + 1 WHERE id = 1";
    tx.execute_raw(sql(tx, text, [])).await.map(|_| ())
}

/// Adds plans and prices. Whoever adds at the same time is found out: see [`Added`].
pub(crate) async fn add(tx: &Tx, at: Instant, additions: &Additions) -> Result<Added, DbErr> {
    let mut complete = true;
    for changed in &additions.changed {
        save(tx, &changed.after).await?;
    }
    for plan in &additions.plans {
        complete &= insert(tx, at, plan).await?;
    }
    let mut superseded: Vec<&PlanCode> = Vec::new();
    for (code, version) in &additions.prices {
        complete &= insert_price(tx, code, *version).await?;
        let is_known = !additions.plans.iter().any(|plan| plan.code == *code)
            && !additions.changed.iter().any(|changed| changed.after.code == *code);
        if is_known && superseded.last() != Some(&code) {
            superseded.push(code);
        }
    }
    for code in superseded {
        touch(tx, code).await?;
    }
    Ok(if complete { Added::Everything } else { Added::NotEverything })
}

/// Adds a plan; whether nobody else was faster.
pub(crate) async fn insert(tx: &Tx, at: Instant, plan: &Plan) -> Result<bool, DbErr> {
    changed(tx).await?;
    let text = "INSERT INTO plan (code, display_name, family, charge_model, unit, charge_timing, created_at, \
                retired_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let values = [
        plan.code.as_str().into(),
        plan.display_name.as_str().into(),
        plan.family.as_str().into(),
        plan.model.as_str().into(),
        plan.unit.as_str().into(),
        plan.timing.as_str().into(),
        At::from(at).into(),
        plan.retired.map(At::from).into(),
        plan.version.into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Adds a price version; whether nobody else was faster.
pub(crate) async fn insert_price(tx: &Tx, code: &PlanCode, version: PriceVersion) -> Result<bool, DbErr> {
    changed(tx).await?;
    super::standing::limit_to(tx, code, version.effective).await?;
    let text = "INSERT INTO plan_price (plan, currency, effective_at, unit_price, monthly_price) \
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let values = [
        code.as_str().into(),
        Code(version.price.currency()).into(),
        At::from(version.effective).into(),
        Rate(version.price.amount()).into(),
        version.monthly.map(|monthly| Rate(monthly.amount())).into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Keeps what a plan is called and when it retires; its version grows by one.
pub(crate) async fn save(tx: &Tx, plan: &Plan) -> Result<(), DbErr> {
    changed(tx).await?;
    let text = "UPDATE plan SET display_name = $2, retired_at = $3, version = version + 1 WHERE code = $1";
    let retired = plan.retired.map(At::from);
    let values = [plan.code.as_str().into(), plan.display_name.as_str().into(), retired.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Notes that something of a plan changed.
pub(crate) async fn touch(tx: &Tx, code: &PlanCode) -> Result<(), DbErr> {
    changed(tx).await?;
    let text = "UPDATE plan SET version = version + 1 WHERE code = $1";
    tx.execute_raw(sql(tx, text, [code.as_str().into()])).await.map(|_| ())
}

/// Locks a plan until the end of the transaction; whether there is one. Whoever changes a plan or prices it
/// takes turns.
pub(crate) async fn lock(tx: &Tx, code: &PlanCode) -> Result<bool, DbErr> {
    let text = "UPDATE plan SET version = version WHERE code = $1";
    Ok(tx.execute_raw(sql(tx, text, [code.as_str().into()])).await?.rows_affected() == 1)
}

/// What became of additions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// All of them are there.
    Everything,
    /// Somebody else added some of the same first; it is not known what they hold.
    NotEverything,
}

fn assembled(plans: &[QueryResult], prices: &[QueryResult]) -> Result<Catalogue, DbErr> {
    let mut versions: BTreeMap<PlanCode, Vec<PriceVersion>> = BTreeMap::new();
    for row in prices {
        let code: String = row.try_get("", "plan")?;
        versions.entry(code_of(&code)?).or_default().push(price(row)?);
    }
    plans
        .iter()
        .map(|row| {
            let plan = plan(row)?;
            let versions = versions.remove(&plan.code).unwrap_or_default();
            Ok((plan.code.clone(), PricedPlan::new(plan, versions)))
        })
        .collect()
}

/// A code read back from a row.
pub(crate) fn code_of(text: &str) -> Result<PlanCode, CorruptRow> {
    PlanCode::parse(text).map_err(CorruptRow::of(TABLE))
}

fn plan(row: &QueryResult) -> Result<Plan, DbErr> {
    let text = |column: &str| row.try_get::<String>("", column);
    let family = PlanFamily::parse(&text("family")?).map_err(CorruptRow::of(TABLE))?;
    let model = ChargeModel::parse(&text("charge_model")?)
        .ok_or_else(|| CorruptRow::new(TABLE, "unknown charge model"))?;
    Ok(Plan {
        code: code_of(&text("code")?)?,
        display_name: text("display_name")?,
        family,
        model,
        unit: Unit::parse(&text("unit")?, model).map_err(CorruptRow::of(TABLE))?,
        timing: Timing::parse(&text("charge_timing")?)
            .ok_or_else(|| CorruptRow::new(TABLE, "unknown timing"))?,
        retired: row.try_get::<Option<At>>("", "retired_at")?.map(Into::into),
        version: row.try_get("", "version")?,
    })
}

fn price(row: &QueryResult) -> Result<PriceVersion, DbErr> {
    let currency: Code = row.try_get("", "currency")?;
    let effective: At = row.try_get("", "effective_at")?;
    let (price, monthly) = amounts(row, currency)?;
    Ok(PriceVersion { price, monthly, effective: effective.into() })
}

/// The price of a row, and the monthly one it was derived from.
pub(crate) fn amounts(row: &QueryResult, currency: Code) -> Result<(UnitPrice, Option<UnitPrice>), DbErr> {
    let read = |rate: Rate| UnitPrice::try_new(rate.0, currency.0).map_err(CorruptRow::of("plan_price"));
    let monthly: Option<Rate> = row.try_get("", "monthly_price")?;
    Ok((read(row.try_get("", "unit_price")?)?, monthly.map(read).transpose()?))
}
