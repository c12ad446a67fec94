//! What the database itself refuses, on both backends (R6.2, R6.8).

use std::time::Duration;

use florin_api::credit::v1::{
    GetCreditRequest, ListCreditsRequest, credit::State, credit_service_server::CreditService,
};
use florin_platform::wire;
use florin_testbed::{Backend, on_both_backends};
use sea_orm::DbErr;

use crate::world::{World, reason};

/// Every column of a lot but what remains of it, every column of a movement, and another value for each.
const FROZEN: [(&str, &str, &str); 32] = [
    ("credit_lot", "remaining", "remaining + 1"),
    ("credit_lot", "account_id", "id"),
    ("credit_lot", "id", "account_id"),
    ("credit_lot", "project_id", "id"),
    ("credit_lot", "kind", "'LOYALTY'"),
    ("credit_lot", "currency", "'USD'"),
    ("credit_lot", "initial", "initial + 1"),
    ("credit_lot", "issued_at", "$1"),
    ("credit_lot", "expires_at", "$1"),
    ("credit_lot", "expires_at", "NULL"),
    ("credit_lot", "restriction", "'STORAGE'"),
    ("credit_lot", "origin", "'EARNING'"),
    ("credit_lot", "origin_reference", "'else'"),
    ("credit_lot", "masked_code", "'else'"),
    ("credit_lot", "description", "'more'"),
    ("credit_lot", "source_lot_id", "id"),
    ("credit_lot", "root_lot_id", "id"),
    ("credit_movement", "account_id", "lot_id"),
    ("credit_movement", "sequence", "sequence + 1"),
    ("credit_movement", "lot_id", "account_id"),
    ("credit_movement", "lot_kind", "'VOUCHER'"),
    ("credit_movement", "kind", "'DEBITED'"),
    ("credit_movement", "currency", "'USD'"),
    ("credit_movement", "amount", "amount + 1"),
    ("credit_movement", "remaining_after", "0"),
    ("credit_movement", "debit_ledger", "'else'"),
    ("credit_movement", "credit_ledger", "'else'"),
    ("credit_movement", "effective_at", "$1"),
    ("credit_movement", "recorded_at", "$1"),
    ("credit_movement", "reference", "'else'"),
    ("credit_movement", "digest", "NULL"),
    ("credit_grant", "reason", "'else'"),
];

/// Refused because it is history, and for no other reason.
fn assert_history(refused: Result<u64, DbErr>, statement: &str) {
    let error = refused.expect_err(statement).to_string();
    assert!(error.contains("it is history"), "{statement}: {error}");
}

on_both_backends! {
    /// R6.2: no statement changes a lot, except that its value falls; movements are history.
    async fn lots_and_movements_are_guarded_by_the_database(database: TestDatabase) {
        let world = World::new(&database).await;
        world.books.excuse("what remains of a lot is what its movements leave");
        world.grant(100).await;
        let instant = florin_platform::column::At::from(world.now().await.plus_days(7));
        for (table, column, value) in FROZEN {
            let statement = format!("UPDATE {table} SET {column} = {value}");
            let refused = if value.contains("$1") {
                world.execute(&statement, [instant.into()]).await
            } else {
                world.execute(&statement, []).await
            };
            assert_history(refused, &statement);
        }
        for statement in ["DELETE FROM credit_lot", "DELETE FROM credit_movement", "DELETE FROM credit_grant"] {
            assert_history(world.execute(statement, []).await, statement);
        }
        let evasions: &[&str] = match database.backend() {
            Backend::Sqlite => &[
                "REPLACE INTO credit_lot SELECT * FROM credit_lot",
                "INSERT OR REPLACE INTO credit_lot (account_id, id, project_id, kind, currency, initial, remaining, \
                 issued_at, expires_at, restriction, origin, origin_reference, description) SELECT account_id, id, \
                 project_id, kind, currency, initial * 10, remaining * 10, issued_at, expires_at, restriction, origin, \
                 origin_reference, description FROM credit_lot",
                // Another key, and a unique key that is known: the old row would be deleted for it.
                "INSERT OR REPLACE INTO credit_lot (account_id, id, project_id, kind, currency, initial, remaining, \
                 issued_at, expires_at, restriction, origin, origin_reference, description) SELECT account_id, \
                 account_id, project_id, kind, currency, initial * 10, remaining * 10, issued_at, expires_at, \
                 restriction, origin, origin_reference, description FROM credit_lot",
                "REPLACE INTO credit_movement SELECT * FROM credit_movement",
                "UPDATE OR REPLACE credit_lot SET remaining = remaining + 1",
                "UPDATE OR IGNORE credit_lot SET remaining = remaining + 1",
                "INSERT OR REPLACE INTO credit_movement SELECT account_id, sequence + 1000, lot_id, lot_kind, kind, \
                 currency, amount * 10, remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, \
                 reference, digest FROM credit_movement",
                "INSERT OR REPLACE INTO credit_movement (rowid, account_id, sequence, lot_id, lot_kind, kind, \
                 currency, amount, remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, \
                 reference, digest) SELECT rowid, account_id, sequence + 1000, lot_id, lot_kind, kind, currency, \
                 amount, remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, 'x', digest \
                 FROM credit_movement",
                "UPDATE credit_movement SET rowid = rowid + 1000",
                "INSERT INTO credit_lot SELECT * FROM credit_lot WHERE true ON CONFLICT (account_id, id) \
                 DO UPDATE SET remaining = credit_lot.remaining + 1",
            ],
            Backend::Postgres => &[
                "TRUNCATE credit_movement",
                "TRUNCATE credit_lot CASCADE",
                "TRUNCATE credit_grant",
                "INSERT INTO credit_lot SELECT * FROM credit_lot ON CONFLICT (account_id, id) \
                 DO UPDATE SET remaining = credit_lot.remaining + 1",
                "INSERT INTO credit_movement SELECT * FROM credit_movement ON CONFLICT (account_id, sequence) \
                 DO UPDATE SET amount = credit_movement.amount + 1",
                "MERGE INTO credit_lot l USING credit_lot s ON l.id = s.id \
                 WHEN MATCHED THEN UPDATE SET remaining = l.remaining + 1",
                "MERGE INTO credit_lot l USING credit_lot s ON l.id = s.id WHEN MATCHED THEN DELETE",
            ],
        };
        for statement in evasions {
            assert_history(world.execute(statement, []).await, statement);
        }
        assert_eq!(world.count("SELECT remaining FROM credit_lot", []).await, 10_000);
        assert_eq!(world.count("SELECT amount FROM credit_movement", []).await, 10_000);
        let fallen = world.execute("UPDATE credit_lot SET remaining = remaining - 1", []).await;
        assert_eq!(fallen.expect("a lot's value may fall"), 1);
        assert!(world.execute("UPDATE credit_lot SET remaining = -1", []).await.is_err());
    }

    /// R6.8: balances as of an instant, whether or not a sweep has written down what lapsed.
    async fn a_balance_as_of_an_instant_is_the_same_before_and_after_the_sweep(database: TestDatabase) {
        let world = World::new(&database).await;
        let before = world.now().await;
        world.move_to(before.plus_days(1)).await;
        let credit = world.grant(100).await.credit;
        let granted = world.now().await;
        let lot = &world.credits(world.account).await[0];
        let expires = wire::instant(&lot.expire_time.expect("expires")).expect("an instant");
        world.move_to(granted.plus_days(30)).await;
        let settled = world.now().await;
        let plan = world.plan(4000, settled).await;
        world.debit(&[(world.account, "accounts/a/invoices/1".to_owned(), plan)]).await.expect("debited");
        let seen = async |at: florin_settlement::Instant| {
            let as_of_time = Some(wire::timestamp(at));
            let request = GetCreditRequest { name: credit.clone(), as_of_time };
            let one = world.credit_rpc().get_credit(world.request(request)).await.map(tonic::Response::into_inner);
            let parent = wire::account_name(world.account);
            let request = ListCreditsRequest { parent, as_of_time, ..ListCreditsRequest::default() };
            let all = world.credit_rpc().list_credits(world.request(request)).await.expect("a list").into_inner();
            assert_eq!(one.as_ref().ok(), all.credits.first());
            let units = |money: &Option<florin_api::google::r#type::Money>| money.as_ref().expect("an amount").units;
            one.ok().map(|lot| {
                (lot.state(), units(&lot.remaining_amount), units(&lot.used_amount), units(&lot.lapsed_amount))
            })
        };
        let moment = Duration::from_micros(1);
        let history = [
            (before, None),
            (granted, Some((State::Active, 100, 0, 0))),
            (settled.minus(moment), Some((State::Active, 100, 0, 0))),
            (settled, Some((State::Active, 60, 40, 0))),
            (expires.minus(moment), Some((State::Active, 60, 40, 0))),
            (expires, Some((State::Expired, 0, 40, 60))),
            (expires.plus_days(1), Some((State::Expired, 0, 40, 60))),
        ];
        // No job runs on the way: nothing but the instants says that the lot has expired.
        world.move_to(expires.plus_days(2)).await;
        for (at, expected) in history {
            assert_eq!(seen(at).await, expected, "before the sweep, as of {at}");
        }
        world.pass_days(1).await;
        assert_eq!(world.movements(&credit).await.len(), 3, "the sweep has written the lapse down");
        for (at, expected) in history {
            assert_eq!(seen(at).await, expected, "after the sweep, as of {at}");
        }
        let later = Some(wire::timestamp(world.now().await.plus_days(1)));
        let request = GetCreditRequest { name: credit.clone(), as_of_time: later };
        assert_eq!(reason(world.credit_rpc().get_credit(world.request(request)).await), "INVALID_ARGUMENT_VIOLATIONS");
    }

    /// R6.1: value bought or redeemed belongs to a project, value granted to an account; one source, one lot.
    async fn the_database_knows_who_can_own_what_and_that_one_source_issues_one_lot(database: TestDatabase) {
        let world = World::new(&database).await;
        world.books.excuse("a lot begins with what its ISSUED movement says");
        world.grant(100).await;
        let copy = |columns: &str| {
            format!(
                "INSERT INTO credit_lot (account_id, id, project_id, kind, currency, initial, remaining, issued_at, \
                 expires_at, restriction, origin, origin_reference, description) SELECT account_id, $1, {columns}, \
                 description FROM credit_lot"
            )
        };
        let id = florin_credit::CreditId::from_u128(7);
        let rest = "currency, initial, remaining, issued_at, expires_at, restriction, origin";
        let bought = copy(&format!("NULL, 'CLOUD_CREDIT', {rest}, 'other'"));
        assert!(world.execute(&bought, [id.into()]).await.is_err(), "bought credit without a project");
        let again = copy(&format!("NULL, kind, {rest}, origin_reference"));
        assert!(world.execute(&again, [id.into()]).await.is_err(), "the same grant twice");
        let other = copy(&format!("NULL, kind, {rest}, 'other'"));
        assert_eq!(world.execute(&other, [id.into()]).await.expect("another source"), 1);
    }

    /// R6.3: what was ordered stays what was ordered, and a paid order stays paid.
    async fn an_order_keeps_its_content_and_a_final_state_is_final(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        for statement in [
            "UPDATE credit_order SET net = 1, gross = 601",
            "UPDATE credit_order SET project_id = account_id",
            "UPDATE credit_order SET expires_at = created_at",
            "DELETE FROM credit_order",
        ] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
        world.pay(&order, "card").await.expect("paid");
        for statement in [
            "UPDATE credit_order SET state = 'CANCELED', paid_at = NULL, supply_at = NULL, lot_id = NULL",
            "UPDATE credit_order SET lot_id = NULL",
            "UPDATE credit_order SET supply_at = created_at",
            "UPDATE credit_order SET payment_id = project_id",
            "UPDATE payment_link SET order_id = account_id",
            "DELETE FROM payment_link",
        ] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
    }
}
