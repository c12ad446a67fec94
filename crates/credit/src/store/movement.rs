//! Rows of movements: appended, never changed. Also what they add up to.

use std::collections::HashMap;

use florin_account::ledger::{self, Canonical, Digest, Entry, LedgerAccount, Link, Unchained};
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::{Kind, Set},
};
use florin_settlement::{Instant, LotKind, Money};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use super::{lot, lot::Scope};
use crate::domain::{
    lot::{CreditId, CreditLot, LotStanding, LotState},
    movement::{Fact, Movement, MovementKind},
};

pub(crate) const TABLE: &str = "credit_movement";
const COLUMNS: &str = "account_id, sequence, lot_id, lot_kind, kind, currency, amount, remaining_after, \
                       debit_ledger, credit_ledger, effective_at, recorded_at, reference, digest";
const COLUMN_COUNT: usize = 14;

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    sequence: i64,
    lot_id: CreditId,
    lot_kind: String,
    kind: String,
    currency: Code,
    amount: Minor,
    remaining_after: Minor,
    debit_ledger: String,
    credit_ledger: String,
    effective_at: At,
    recorded_at: At,
    reference: String,
    digest: Vec<u8>,
}

impl TryFrom<Row> for Movement {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        let currency = row.currency.0;
        let digest = Digest::from_bytes(&row.digest).ok_or_else(|| CorruptRow::new(TABLE, "no digest"))?;
        let ledger = |name: &str| LedgerAccount::parse(name).map_err(CorruptRow::of(TABLE));
        Ok(Self {
            link: Link { sequence: row.sequence, digest },
            fact: Fact {
                account: row.account_id,
                lot: row.lot_id,
                lot_kind: LotKind::parse(&row.lot_kind).map_err(CorruptRow::of(TABLE))?,
                kind: MovementKind::parse(&row.kind).map_err(CorruptRow::of(TABLE))?,
                entry: Entry { debit: ledger(&row.debit_ledger)?, credit: ledger(&row.credit_ledger)? },
                amount: row.amount.money(currency),
                remaining_after: row.remaining_after.money(currency),
                effective: row.effective_at.into(),
                recorded: row.recorded_at.into(),
                reference: row.reference,
            },
        })
    }
}

fn values(link: &Link, fact: &Fact) -> [Value; COLUMN_COUNT] {
    [
        fact.account.into(),
        link.sequence.into(),
        fact.lot.into(),
        fact.lot_kind.as_str().into(),
        fact.kind.as_str().into(),
        Code(fact.amount.currency()).into(),
        fact.amount.minor().into(),
        fact.remaining_after.minor().into(),
        fact.entry.debit.as_str().into(),
        fact.entry.credit.as_str().into(),
        At::from(fact.effective).into(),
        At::from(fact.recorded).into(),
        fact.reference.as_str().into(),
        link.digest.as_bytes().to_vec().into(),
    ]
}

/// The columns after the sequence, in the order of the table (R14.4).
fn unchained(fact: &Fact) -> Unchained {
    let columns = Canonical::new()
        .id(fact.lot)
        .text(fact.lot_kind.as_str())
        .text(fact.kind.as_str())
        .text(fact.amount.currency().code())
        .integer(fact.amount.minor())
        .integer(fact.remaining_after.minor())
        .text(fact.entry.debit.as_str())
        .text(fact.entry.credit.as_str())
        .instant(fact.effective)
        .instant(fact.recorded)
        .text(&fact.reference);
    Unchained { account: fact.account, table: TABLE, columns }
}

/// Appends movements to the chains of their accounts, which are locked; many in one statement.
pub(crate) async fn append(tx: &Tx, facts: &[Fact]) -> Result<(), DbErr> {
    let columns = [
        ("account_id", Kind::Uuid),
        ("sequence", Kind::Number),
        ("lot_id", Kind::Uuid),
        ("lot_kind", Kind::Text),
        ("kind", Kind::Text),
        ("currency", Kind::Text),
        ("amount", Kind::Number),
        ("remaining_after", Kind::Number),
        ("debit_ledger", Kind::Text),
        ("credit_ledger", Kind::Text),
        ("effective_at", Kind::Instant),
        ("recorded_at", Kind::Instant),
        ("reference", Kind::Text),
        ("digest", Kind::Bytes),
    ];
    let links = ledger::extend(tx, &facts.iter().map(unchained).collect::<Vec<_>>()).await?;
    let mut set = Set::new(columns, facts.len());
    links.iter().zip(facts).for_each(|(link, fact)| set.push(values(link, fact)));
    set.insert(tx, TABLE).await
}

/// A lot's movements in recording order, after sequence `after`.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lot: CreditId,
    after: i64,
    fetch: u64,
) -> Result<Vec<Movement>, DbErr> {
    let text = format!(
        "SELECT {COLUMNS} FROM credit_movement WHERE account_id = $1 AND lot_id = $2 AND sequence > $3 \
         ORDER BY sequence LIMIT {fetch}"
    );
    let rows =
        connection.query_all_raw(sql(connection, &text, [account.into(), lot.into(), after.into()])).await?;
    rows.iter().map(|row| Ok(Movement::try_from(Row::from_query_result(row, "")?)?)).collect()
}

/// An account's movements of one kind about `reference`, in recording order.
pub(crate) async fn of_reference(
    connection: &impl ConnectionTrait,
    account: AccountId,
    kind: MovementKind,
    reference: &str,
) -> Result<Vec<Movement>, DbErr> {
    let text = format!(
        "SELECT {COLUMNS} FROM credit_movement WHERE account_id = $1 AND kind = $2 AND reference = $3 \
         ORDER BY sequence"
    );
    let values = [account.into(), kind.as_str().into(), reference.into()];
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(|row| Ok(Movement::try_from(Row::from_query_result(row, "")?)?)).collect()
}

/// What of these lots has lapsed because they expired, in minor units, by lot.
pub(crate) async fn lapses(
    connection: &impl ConnectionTrait,
    lots: &[(AccountId, CreditId)],
) -> Result<HashMap<CreditId, i64>, DbErr> {
    let mut lapses = HashMap::new();
    if lots.is_empty() {
        return Ok(lapses);
    }
    let mut wanted = Set::new([("account_id", Kind::Uuid), ("lot_id", Kind::Uuid)], lots.len());
    lots.iter().for_each(|(account, lot)| wanted.push([(*account).into(), (*lot).into()]));
    let text = |rows: &str| {
        format!(
            "SELECT m.lot_id, m.amount FROM credit_movement m JOIN {rows} \
             ON m.account_id = v.account_id AND m.lot_id = v.lot_id WHERE m.kind = 'EXPIRED'"
        )
    };
    for row in wanted.read(connection, text).await? {
        lapses.insert(row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    }
    Ok(lapses)
}

/// What a lot's movements of one kind add up to, and the place of the last of them.
#[derive(Debug, FromQueryResult)]
struct Sum {
    lot_id: CreditId,
    kind: String,
    total: i64,
    last: i64,
}

/// The standing of each lot, in the order given: now, or by what was effective at `as_of` (R6.8).
pub(crate) async fn standings(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lots: Vec<CreditLot>,
    as_of: Option<Instant>,
) -> Result<Vec<LotStanding>, DbErr> {
    let by = as_of.unwrap_or(Instant::MAX);
    let mut standings: Vec<_> = lots.into_iter().map(untouched).collect();
    for chunk in standings.chunks_mut(BINDS_MAX - 2) {
        let wanted = (3..chunk.len() + 3).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let text = format!(
            "SELECT lot_id, kind, CAST(COALESCE(SUM(amount), 0) AS bigint) AS total, MAX(sequence) AS last \
             FROM credit_movement WHERE account_id = $1 AND effective_at <= $2 AND lot_id IN ({wanted}) \
             GROUP BY lot_id, kind ORDER BY MAX(sequence)"
        );
        let ids = chunk.iter().map(|standing| Value::from(standing.lot.id));
        let values = [Value::from(account), At::from(by).into()].into_iter().chain(ids);
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            let sum = Sum::from_query_result(&row, "")?;
            if let Some(standing) = chunk.iter_mut().find(|standing| standing.lot.id == sum.lot_id) {
                add(standing, &sum)?;
            }
        }
    }
    if as_of.is_some() {
        for standing in &mut standings {
            standing.lot.remaining = left(standing)?;
        }
    }
    Ok(standings)
}

/// What movements have left of a lot.
fn left(standing: &LotStanding) -> Result<Money, CorruptRow> {
    let taken = [standing.used, standing.lapsed, standing.revoked];
    let left = taken.into_iter().try_fold(standing.lot.initial, Money::checked_sub);
    left.map_err(CorruptRow::of(TABLE))
}

fn untouched(lot: CreditLot) -> LotStanding {
    let zero = Money::zero(lot.initial.currency());
    LotStanding { lot, used: zero, lapsed: zero, revoked: zero, last: MovementKind::Issued }
}

/// Sums come in the order of their last movement, so the last one names the newest kind.
fn add(standing: &mut LotStanding, sum: &Sum) -> Result<(), CorruptRow> {
    let kind = MovementKind::parse(&sum.kind).map_err(CorruptRow::of(TABLE))?;
    let total = Money::new(sum.total, standing.lot.initial.currency());
    let place = match kind {
        MovementKind::Issued => None,
        MovementKind::Debited => Some(&mut standing.used),
        MovementKind::Expired | MovementKind::Forfeited => Some(&mut standing.lapsed),
        MovementKind::Disputed | MovementKind::Clawback => Some(&mut standing.revoked),
    };
    if let Some(place) = place {
        *place = place.checked_add(total).map_err(CorruptRow::of(TABLE))?;
    }
    debug_assert!(sum.last > 0, "sequences start at 1");
    standing.last = kind;
    Ok(())
}

/// Which lots are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Whose.
    pub(crate) scope: Scope,
    /// Only of these kinds; all when empty.
    pub(crate) kinds: Vec<LotKind>,
    /// Only in these states; all when empty.
    pub(crate) states: Vec<LotState>,
    /// As they were then; as they are when there is none.
    pub(crate) as_of: Option<Instant>,
}

/// Lots in the order they were issued, with their standings. States are those of `at`.
pub(crate) async fn list_lots(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &Filter,
    at: Instant,
    after: Option<CreditId>,
    fetch: u64,
) -> Result<Vec<LotStanding>, DbErr> {
    let mut found = Vec::new();
    let mut after = after;
    // A state is what movements say, not a column: read on until the page is full or nothing is left.
    loop {
        let lots = lot::page(connection, account, filter, after, fetch).await?;
        let read = lots.len();
        after = lots.last().map(|lot| lot.id);
        for standing in standings(connection, account, lots, filter.as_of).await? {
            if filter.states.is_empty() || filter.states.contains(&standing.state_at(at)) {
                found.push(standing);
            }
        }
        let is_full = u64::try_from(found.len()).is_ok_and(|found| found >= fetch);
        let is_last = u64::try_from(read).is_ok_and(|read| read < fetch);
        if is_full || is_last {
            found.truncate(usize::try_from(fetch).unwrap_or(usize::MAX));
            return Ok(found);
        }
    }
}
