//! What was there before movements were chained, money was booked and usage was summed by month is in order afterwards
//! (R14.3, R14.4, R5.6).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_migrations::{Migrator, MigratorTrait};
use florin_platform::{
    column::At,
    db::{Db, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::florin::audit;
use sea_orm::{ConnectionTrait, DbErr, Value};
use uuid::Uuid;

/// The last step before the chain.
const BEFORE: &str = "m0019_chain";

const ISSUER: &str = "INSERT INTO issuer (id, legal_name, street, postal_code, city, country, vat_number, currency, \
     series_prefix, billing_delay_seconds, initial_credit_minimum, loyalty_rate) \
     VALUES ('fr', 'F', 's', 'p', 'c', 'FR', 'v', 'EUR', 'FR', 0, 3000, '1')";

const ACCOUNT: &str = "INSERT INTO account (account_id, handle, state, email, password_hash, country, legal_form, \
     given_name, family_name, organisation, street, postal_code, city, region, language, issuer, currency, \
     project_limit, confirmation_generation, confirmation_wrong, version, created_at, updated_at) \
     VALUES ($1, 'aa00001-fl', 'ACTIVE', 'a@example.com', 'x', 'FR', 'INDIVIDUAL', 'a', 'b', '', '', '', '', '', 'en', \
     'fr', 'EUR', 3, 1, 0, 1, $2, $2)";

const LOCK: &str = "INSERT INTO account_lock (account_id, version, movement_sequence) VALUES ($1, 1, 3)";

const LOT: &str = "INSERT INTO credit_lot (account_id, id, project_id, kind, currency, initial, remaining, issued_at, \
     expires_at, restriction, origin, origin_reference, description, source_lot_id, root_lot_id) \
     VALUES ($1, $2, $1, 'CLOUD_CREDIT', 'EUR', $3, $4, $5, NULL, '', $6, $7, 'd', $8, $8)";

const MOVEMENT: &str = "INSERT INTO credit_movement (account_id, sequence, lot_id, lot_kind, kind, currency, amount, \
     remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, reference) \
     VALUES ($1, $2, $3, 'CLOUD_CREDIT', $4, 'EUR', $5, $6, $7, $8, $9, $9, '')";

const PAYMENT: &str = "INSERT INTO payment (account_id, id, amount, currency, reference, one_off_token, initiator, state, \
     settled_at, looks, created_at, updated_at) \
     VALUES ($1, $1, 3600, 'EUR', 'r', 't', 'CUSTOMER', 'SUCCEEDED', $2, 0, $2, $2)";

const HOUR: &str = "INSERT INTO usage_hour (account_id, project_id, billed_with, resource_id, plan, hour_at, \
     usage_month, units, fraction, event_count) VALUES ($1, $1, 202703, $1, 'p', $2, 202703, 1, 9999999999, 2)";

/// A lot of 30.00 that paid 5.00 of an invoice, which is not written; one in which these came back by a credit note; and
/// money that was captured; and two hours of measured usage.
async fn before(connection: &impl ConnectionTrait, account: AccountId) -> Result<(), DbErr> {
    let at: Value = At::from(Instant::parse("2027-03-01T08:00:00.000001Z").unwrap()).into();
    let run =
        async |text: &str, values: Vec<Value>| connection.execute_raw(sql(connection, text, values)).await;
    let owner: Value = account.into();
    let (first, second): (Value, Value) = (Uuid::from_u128(11).into(), Uuid::from_u128(12).into());
    run(ISSUER, vec![]).await?;
    run(ACCOUNT, vec![owner.clone(), at.clone()]).await?;
    run(LOCK, vec![owner.clone()]).await?;
    let lot = |id: &Value, initial: i64, remaining: i64, origin: &str, source: Option<Uuid>| {
        let (origin, reference) = (Value::from(origin), Value::from(origin));
        vec![
            owner.clone(),
            id.clone(),
            initial.into(),
            remaining.into(),
            at.clone(),
            origin,
            reference,
            source.into(),
        ]
    };
    run(LOT, lot(&first, 3000, 2500, "GRANT", None)).await?;
    let movement = |sequence: i64, lot: &Value, kind: &str, amount: i64, after: i64, entry: [&str; 2]| {
        let [debit, credit] = entry.map(Value::from);
        let (kind, amount, after) = (kind.into(), amount.into(), after.into());
        vec![owner.clone(), sequence.into(), lot.clone(), kind, amount, after, debit, credit, at.clone()]
    };
    let issued = ["CREDIT_SALES", "DEFERRED_INCOME"];
    run(MOVEMENT, movement(1, &first, "ISSUED", 3000, 3000, issued)).await?;
    run(MOVEMENT, movement(2, &first, "DEBITED", 500, 2500, ["DEFERRED_INCOME", "INCOME"])).await?;
    run(LOT, lot(&second, 500, 500, "CREDIT_NOTE", Some(Uuid::from_u128(11)))).await?;
    run(MOVEMENT, movement(3, &second, "ISSUED", 500, 500, issued)).await?;
    run(PAYMENT, vec![owner.clone(), at]).await?;
    for hour in ["2027-03-01T08:00:00Z", "2027-03-31T23:00:00Z"] {
        let hour: Value = At::from(Instant::parse(hour).unwrap()).into();
        run(HOUR, vec![owner.clone(), hour]).await?;
    }
    Ok(())
}

on_both_backends! {
    /// Chains of movements that were there verify, balances are carried forward, and months are summed.
    async fn what_was_there_is_chained_and_carried_forward(db: TestDatabase) -> Result<(), DbErr> {
        let old = TestDatabase::create_empty(db.backend()).await;
        let connection = old.connect().await;
        let steps = Migrator::migrations().iter().position(|step| step.name() == BEFORE).unwrap();
        Migrator::up(&connection, Some(u32::try_from(steps).unwrap())).await?;
        let account = AccountId::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
        before(&connection, account).await?;
        Migrator::up(&connection, None).await?;
        let found = audit(old.url()).await;
        let [missing] = found.as_slice() else { panic!("one invoice is missing, and nothing else: {found:#?}") };
        assert!(missing.starts_with("what invoices say lots paid is what lots paid"), "{missing}");
        let reader = Db::connect(old.url()).await?;
        let text = "SELECT CAST(COUNT(*) AS bigint) FROM money_movement WHERE kind = 'CARRIED_FORWARD' \
                    AND account_id = $1";
        let row = reader.reader().query_one_raw(sql(reader.reader(), text, [account.into()])).await?.unwrap();
        assert_eq!(row.try_get_by_index::<i64>(0)?, 2, "cash, and sales of credit that nothing invoiced");
        let text = "SELECT units, fraction, event_count FROM usage_month";
        let row = reader.reader().query_one_raw(sql(reader.reader(), text, [])).await?.unwrap();
        let sums: [i64; 3] = [row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?];
        assert_eq!(sums, [3, 9_999_999_998, 4], "parts that make a unit are carried over");
        Ok(())
    }
}
