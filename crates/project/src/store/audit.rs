//! The audit of measured usage (R14.5): events, hours and months against each other. Read only.

use florin_platform::{
    finding::{AccountRange, Check, Findings, check_all},
    id::AccountId,
    wire::account_name,
};
use sea_orm::{ConnectionTrait, DbErr, prelude::Uuid};

use crate::domain::resource::ResourceId;

fn resource_place(account: AccountId, id: Uuid, _: i64) -> String {
    format!("{} resource {}", account_name(account), ResourceId::from_uuid(id))
}

fn month_place(account: AccountId, id: Uuid, month: i64) -> String {
    format!("{} in {month}", resource_place(account, id, month))
}

/// Quantities as columns `units`, `fraction` and `events`: whole units and 10⁻¹⁰ parts of rows, fewer than make a unit.
macro_rules! total {
    ($events:literal) => {
        concat!(
            "CAST(SUM(units) AS bigint) + CAST(SUM(fraction) AS bigint) / 10000000000 AS units, \
             CAST(SUM(fraction) AS bigint) % 10000000000 AS fraction, CAST(",
            $events,
            " AS bigint) AS events"
        )
    };
}

/// A total in words.
macro_rules! told {
    ($row:literal) => {
        concat!(
            "COALESCE(CAST(",
            $row,
            ".events AS text) || ' events, ' || CAST(",
            $row,
            ".units AS text) || ' and ' \
             || CAST(",
            $row,
            ".fraction AS text) || 'e-10', 'nothing')"
        )
    };
}

/// What a sum of a month is found by, of the rows `h` and `m`.
macro_rules! same_month {
    () => {
        "m.account_id = h.account_id AND m.project_id = h.project_id AND m.billed_with = h.billed_with \
         AND m.resource_id = h.resource_id AND m.plan = h.plan AND m.usage_month = h.usage_month"
    };
}

/// The rules, each as a query for what breaks it.
const CHECKS: [Check; 3] = [
    Check {
        what: "a month of measured usage is the sum of its hours",
        place: month_place,
        text: concat!(
            "SELECT h.account_id AS account_id, h.resource_id AS id, h.usage_month AS part, ",
            told!("h"),
            " AS expected, ",
            told!("m"),
            " AS found FROM (SELECT account_id, project_id, billed_with, resource_id, plan, usage_month, \
             MIN(hour_at) AS first_hour, MAX(hour_at) AS last_hour, ",
            total!("SUM(event_count)"),
            " FROM usage_hour WHERE account_id BETWEEN $1 AND $2 \
             GROUP BY account_id, project_id, billed_with, resource_id, plan, usage_month) h \
             LEFT JOIN (SELECT usage_month.*, event_count AS events FROM usage_month) m ON ",
            same_month!(),
            " WHERE m.events IS NULL OR m.units <> h.units OR m.fraction <> h.fraction OR m.events <> h.events \
             OR m.first_hour <> h.first_hour OR m.last_hour <> h.last_hour"
        ),
    },
    Check {
        what: "a month of measured usage has hours",
        place: month_place,
        text: concat!(
            "SELECT m.account_id AS account_id, m.resource_id AS id, m.usage_month AS part, 'hours' AS expected, \
             'none' AS found FROM usage_month m WHERE m.account_id BETWEEN $1 AND $2 \
             AND NOT EXISTS (SELECT 1 FROM usage_hour h WHERE ",
            same_month!(),
            ")"
        ),
    },
    // Events are forgotten in time; their sums stay.
    Check {
        what: "measured usage is the sum of its events",
        place: resource_place,
        text: concat!(
            "SELECT e.account_id AS account_id, e.resource_id AS id, CAST(0 AS bigint) AS part, ",
            told!("e"),
            " AS expected, ",
            told!("m"),
            " AS found FROM (SELECT account_id, resource_id, ",
            total!("COUNT(*)"),
            " FROM usage_event WHERE account_id BETWEEN $1 AND $2 GROUP BY account_id, resource_id) e \
             LEFT JOIN (SELECT account_id, resource_id, ",
            total!("SUM(event_count)"),
            " FROM usage_month WHERE account_id BETWEEN $1 AND $2 GROUP BY account_id, resource_id) m \
             ON m.account_id = e.account_id AND m.resource_id = e.resource_id \
             WHERE m.events IS NULL OR m.events < e.events OR m.units < e.units \
             OR (m.events = e.events AND (m.units <> e.units OR m.fraction <> e.fraction))"
        ),
    },
];

/// Checks everything that was measured of `accounts`.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    check_all(&CHECKS, connection, accounts, findings).await
}
