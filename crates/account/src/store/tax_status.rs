//! Rows of what is known of VAT numbers and of countries (R8.4), and when registers are asked again.

use std::collections::HashMap;

use florin_platform::{
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::AccountId,
    set::among,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Value};

use crate::domain::{
    evidence::{CountryEvidence, EvidenceKind},
    vat_number::{Asking, SHOWN_MAX, VatCheck, VatNumberStanding, VatNumberState},
};

const STANDING: &str = "vat_number_standing";
const EVIDENCE: &str = "country_evidence";

/// Keeps what is known of a number from now on.
pub(crate) async fn insert_standing(tx: &Tx, standing: &VatNumberStanding) -> Result<(), DbErr> {
    let text = "INSERT INTO vat_number_standing (account_id, id, vat_number, state, effective_at) \
                VALUES ($1, $2, $3, $4, $5)";
    let values: [Value; 5] = [
        standing.account.into(),
        standing.id.into(),
        standing.number.as_str().into(),
        standing.state.as_str().into(),
        At::from(standing.effective).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// What has been known of the numbers of `accounts`, oldest first.
pub(crate) async fn standings(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Vec<VatNumberStanding>>, DbErr> {
    let mut of_account: HashMap<AccountId, Vec<VatNumberStanding>> = HashMap::new();
    if accounts.is_empty() {
        return Ok(of_account);
    }
    let (condition, values) = among(connection.get_database_backend(), "account_id", 1, accounts);
    let text = format!(
        "SELECT account_id, id, vat_number, state, effective_at FROM vat_number_standing WHERE {condition} \
         ORDER BY account_id, effective_at, id"
    );
    for row in connection.query_all_raw(sql(connection, &text, values)).await? {
        let standing = read_standing(&row)?;
        of_account.entry(standing.account).or_default().push(standing);
    }
    Ok(of_account)
}

fn read_standing(row: &QueryResult) -> Result<VatNumberStanding, DbErr> {
    let state: String = row.try_get_by_index(3)?;
    Ok(VatNumberStanding {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        number: row.try_get_by_index(2)?,
        state: VatNumberState::parse(&state).ok_or_else(|| CorruptRow::new(STANDING, "unknown state"))?,
        effective: row.try_get_by_index::<At>(4)?.into(),
    })
}

/// Keeps an answer of a register.
pub(crate) async fn insert_check(tx: &Tx, check: &VatCheck) -> Result<(), DbErr> {
    let text = "INSERT INTO vat_check \
                (account_id, id, vat_number, registry, registered, consultation, checked_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values: [Value; 7] = [
        check.account.into(),
        check.id.into(),
        check.number.as_str().into(),
        check.registry.as_str().into(),
        check.registered.into(),
        check.consultation.as_str().into(),
        At::from(check.checked).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The last answers of registers about `account`, newest first.
pub(crate) async fn last_checks(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<VatCheck>, DbErr> {
    let text = format!(
        "SELECT account_id, id, vat_number, registry, registered, consultation, checked_at FROM vat_check \
         WHERE account_id = $1 ORDER BY id DESC LIMIT {SHOWN_MAX}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [account.into()])).await?;
    rows.iter().map(read_check).collect()
}

fn read_check(row: &QueryResult) -> Result<VatCheck, DbErr> {
    Ok(VatCheck {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        number: row.try_get_by_index(2)?,
        registry: row.try_get_by_index(3)?,
        registered: row.try_get_by_index(4)?,
        consultation: row.try_get_by_index(5)?,
        checked: row.try_get_by_index::<At>(6)?.into(),
    })
}

/// Keeps when a register is asked about `account`.
pub(crate) async fn save_asking(tx: &Tx, account: AccountId, asking: Asking) -> Result<(), DbErr> {
    let text = "INSERT INTO vat_check_due (account_id, asked_at, due_at, failures) VALUES ($1, $2, $3, $4) \
                ON CONFLICT (account_id) DO UPDATE SET asked_at = excluded.asked_at, due_at = excluded.due_at, \
                failures = excluded.failures";
    let values: [Value; 4] = [
        account.into(),
        asking.asked.map(At::from).into(),
        asking.due.map(At::from).into(),
        i64::from(asking.failures).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// When a register is asked about `account`: never, if nobody has said so.
pub(crate) async fn asking(connection: &impl ConnectionTrait, account: AccountId) -> Result<Asking, DbErr> {
    let text = "SELECT asked_at, due_at, failures FROM vat_check_due WHERE account_id = $1";
    let Some(row) = connection.query_one_raw(sql(connection, text, [account.into()])).await? else {
        return Ok(Asking::default());
    };
    let instant = |index| Ok::<_, DbErr>(row.try_get_by_index::<Option<At>>(index)?.map(Instant::from));
    let failures: i64 = row.try_get_by_index(2)?;
    let failures = u32::try_from(failures).map_err(CorruptRow::of("vat_check_due"))?;
    Ok(Asking { asked: instant(0)?, due: instant(1)?, failures })
}

/// When the next register is asked, if one is.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    let text = "SELECT due_at FROM vat_check_due WHERE due_at IS NOT NULL ORDER BY due_at LIMIT 1";
    let row = connection.query_one_raw(sql(connection, text, [])).await?;
    row.map(|row| Ok(row.try_get_by_index::<At>(0)?.into())).transpose()
}

/// The accounts about which a register is to be asked at `at`, at most `limit`, the longest due first.
pub(crate) async fn due(
    connection: &impl ConnectionTrait,
    at: Instant,
    limit: u32,
) -> Result<Vec<AccountId>, DbErr> {
    let text = "SELECT account_id FROM vat_check_due WHERE due_at <= $1 ORDER BY due_at, account_id LIMIT $2";
    let values = [At::from(at).into(), i64::from(limit).into()];
    let rows = connection.query_all_raw(sql(connection, text, values)).await?;
    rows.iter().map(|row| row.try_get_by_index(0)).collect()
}

/// Keeps a piece of evidence.
pub(crate) async fn insert_evidence(tx: &Tx, evidence: &CountryEvidence) -> Result<(), DbErr> {
    let text = "INSERT INTO country_evidence (account_id, id, kind, country, source, recorded_at) \
                VALUES ($1, $2, $3, $4, $5, $6)";
    let values: [Value; 6] = [
        evidence.account.into(),
        evidence.id.into(),
        evidence.kind.as_str().into(),
        evidence.country.as_str().into(),
        evidence.source.as_str().into(),
        At::from(evidence.recorded).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// The last evidence of the country of `account`, newest first.
pub(crate) async fn last_evidence(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Vec<CountryEvidence>, DbErr> {
    let text = format!(
        "SELECT account_id, id, kind, country, source, recorded_at FROM country_evidence \
         WHERE account_id = $1 ORDER BY recorded_at DESC, id DESC LIMIT {SHOWN_MAX}"
    );
    let rows = connection.query_all_raw(sql(connection, &text, [account.into()])).await?;
    rows.iter().map(read_evidence).collect()
}

fn read_evidence(row: &QueryResult) -> Result<CountryEvidence, DbErr> {
    let kind: String = row.try_get_by_index(2)?;
    Ok(CountryEvidence {
        account: row.try_get_by_index(0)?,
        id: row.try_get_by_index(1)?,
        kind: EvidenceKind::parse(&kind).ok_or_else(|| CorruptRow::new(EVIDENCE, "unknown kind"))?,
        country: row.try_get_by_index(3)?,
        source: row.try_get_by_index(4)?,
        recorded: row.try_get_by_index::<At>(5)?.into(),
    })
}
