//! Rows of what fell due in advance (R5.3): written once, billed once.

use std::num::NonZeroU32;

use florin_credit::ProjectId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor, Rate},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Instant, Period, Quantity, UnitPrice};
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use super::{
    plan::code_of,
    resource::{Ordinal, labels},
};
use crate::domain::{
    plan::PlanCode,
    rating::Rated,
    resource::{Labels, Resource, ResourceId},
    usage::{AdvanceBilled, AdvanceDue},
};

const TABLE: &str = "advance_charge";

/// Keeps what fell due at `at` as `resource` began to hold the plan of its interval `ordinal`.
pub(crate) async fn insert(
    tx: &Tx,
    at: Instant,
    resource: &Resource,
    ordinal: Ordinal,
    due: &Rated,
) -> Result<(), DbErr> {
    let text = "INSERT INTO advance_charge (account_id, resource_id, ordinal, project_id, plan, due_at, \
                period_from, period_to, quantity, divisor, currency, unit_price, price_effective_at, net) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let values = [
        resource.account.into(),
        resource.id.into(),
        ordinal.0.into(),
        resource.project.into(),
        due.plan.as_str().into(),
        At::from(at).into(),
        At::from(due.period.from()).into(),
        At::from(due.period.to()).into(),
        Rate(due.quantity.value()).into(),
        i64::from(due.divisor.get()).into(),
        Code(due.unit_price.currency()).into(),
        Rate(due.unit_price.amount()).into(),
        At::from(due.price_effective).into(),
        Minor::from(due.net).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What fell due in advance and is on no invoice.
#[derive(Clone, Debug)]
pub(crate) struct Unbilled {
    pub(crate) account: AccountId,
    pub(crate) project: ProjectId,
    pub(crate) resource: ResourceId,
    pub(crate) name: String,
    pub(crate) region: String,
    pub(crate) labels: Labels,
    pub(crate) due: Rated,
}

/// What fell due for `projects` up to `until` and is on no invoice, in the order (account, project,
/// resource, interval).
pub(crate) async fn unbilled(
    connection: &impl ConnectionTrait,
    projects: &[(AccountId, ProjectId)],
    until: Instant,
) -> Result<Vec<Unbilled>, DbErr> {
    let columns = [("account_id", Kind::Uuid), ("project_id", Kind::Uuid), ("until", Kind::Instant)];
    let mut wanted = Set::new(columns, projects.len());
    for (account, project) in projects {
        wanted.push([(*account).into(), (*project).into(), At::from(until).into()]);
    }
    let text = |rows: &str| {
        format!(
            "SELECT c.account_id, c.project_id, c.resource_id, c.plan, c.period_from, c.period_to, \
                    c.quantity, c.divisor, c.currency, c.unit_price, c.price_effective_at, c.net, \
                    r.display_name, r.region, r.labels \
             FROM {rows} \
             JOIN advance_charge c ON c.account_id = v.account_id AND c.project_id = v.project_id \
             JOIN resource r ON r.account_id = c.account_id AND r.id = c.resource_id \
             WHERE c.billed_at IS NULL AND c.due_at <= v.until \
             ORDER BY c.account_id, c.project_id, c.resource_id, c.ordinal"
        )
    };
    wanted.read(connection, text).await?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Unbilled, DbErr> {
    let instant = |column: &str| row.try_get::<At>("", column).map(Instant::from);
    let (plan, labels_text): (String, String) = (row.try_get("", "plan")?, row.try_get("", "labels")?);
    let (currency, unit_price): (Code, Rate) = (row.try_get("", "currency")?, row.try_get("", "unit_price")?);
    let (quantity, net): (Rate, Minor) = (row.try_get("", "quantity")?, row.try_get("", "net")?);
    let divisor: i64 = row.try_get("", "divisor")?;
    let divisor = u32::try_from(divisor).ok().and_then(NonZeroU32::new);
    let due = Rated {
        plan: code_of(&plan)?,
        price_effective: instant("price_effective_at")?,
        period: Period::try_new(instant("period_from")?, instant("period_to")?)
            .map_err(CorruptRow::of(TABLE))?,
        quantity: Quantity::try_new(quantity.0).map_err(CorruptRow::of(TABLE))?,
        divisor: divisor.ok_or_else(|| CorruptRow::new(TABLE, "a divisor below 1"))?,
        unit_price: UnitPrice::try_new(unit_price.0, currency.0).map_err(CorruptRow::of(TABLE))?,
        net: net.money(currency.0),
    };
    Ok(Unbilled {
        account: row.try_get("", "account_id")?,
        project: row.try_get("", "project_id")?,
        resource: row.try_get("", "resource_id")?,
        name: row.try_get("", "display_name")?,
        region: row.try_get("", "region")?,
        labels: labels(&labels_text)?,
        due,
    })
}

/// The codes of the plans of `unbilled`, once each.
pub(crate) fn plans_of(unbilled: &[Unbilled]) -> Vec<&PlanCode> {
    let codes: std::collections::BTreeSet<&PlanCode> =
        unbilled.iter().map(|charge| &charge.due.plan).collect();
    codes.into_iter().collect()
}

/// The first things that fell due in advance and are on no invoice: each account, project and instant once,
/// oldest first, at most `limit` of them.
pub(crate) async fn first_due(
    connection: &impl ConnectionTrait,
    limit: u32,
) -> Result<Vec<AdvanceDue>, DbErr> {
    let text = "SELECT DISTINCT due_at, account_id, project_id FROM advance_charge WHERE billed_at IS NULL \
                ORDER BY due_at, account_id, project_id LIMIT $1";
    let rows = connection.query_all_raw(sql(connection, text, [i64::from(limit).into()])).await?;
    rows.iter()
        .map(|row| {
            let due: At = row.try_get_by_index(0)?;
            let (account, project) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
            Ok(AdvanceDue { account, project, due: due.into() })
        })
        .collect()
}

/// Since when each of `accounts` has something due in advance that is on no invoice.
pub(crate) async fn oldest_unbilled(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, Instant)>, DbErr> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let places = (1..=chunk.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT account_id, MIN(due_at) FROM advance_charge \
             WHERE billed_at IS NULL AND account_id IN ({places}) GROUP BY account_id"
        );
        let values = chunk.iter().map(|account| Value::from(*account));
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let due: At = row.try_get_by_index(1)?;
            found.push((row.try_get_by_index(0)?, due.into()));
        }
    }
    Ok(found)
}

/// Notes which invoice bills what fell due for which project, up to when; how many charges that were.
pub(crate) async fn bill(tx: &Tx, at: Instant, billed: &[AdvanceBilled]) -> Result<u64, DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("project_id", Kind::Uuid),
        ("until", Kind::Instant),
        ("invoice_id", Kind::Uuid),
        ("billed_at", Kind::Instant),
    ];
    let mut set = Set::new(columns, billed.len());
    for billed in billed {
        let (until, at) = (At::from(billed.until), At::from(at));
        set.push([
            billed.account.into(),
            billed.project.into(),
            until.into(),
            billed.invoice.into(),
            at.into(),
        ]);
    }
    let text = |rows: &str| {
        format!(
            "UPDATE advance_charge SET billed_at = v.billed_at, invoice_id = v.invoice_id FROM {rows} \
             WHERE advance_charge.account_id = v.account_id AND advance_charge.project_id = v.project_id \
             AND advance_charge.billed_at IS NULL AND advance_charge.due_at <= v.until"
        )
    };
    set.execute(tx, text).await
}
