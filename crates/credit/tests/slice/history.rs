//! What the database itself refuses, on both backends (R6.2, R6.8).

use florin_testbed::{Backend, on_both_backends};

use crate::world::World;

on_both_backends! {
    /// R6.2: no statement changes a lot, except that its value falls; movements are history.
    async fn lots_and_movements_are_guarded_by_the_database(database: TestDatabase) {
        let world = World::new(&database).await;
        world.grant(100).await;
        let refused = [
            "UPDATE credit_lot SET remaining = remaining + 1",
            "UPDATE credit_lot SET initial = initial + 1",
            "UPDATE credit_lot SET kind = 'LOYALTY'",
            "UPDATE credit_lot SET currency = 'USD'",
            "UPDATE credit_lot SET expires_at = NULL",
            "UPDATE credit_lot SET restriction = 'STORAGE'",
            "UPDATE credit_lot SET description = 'more'",
            "DELETE FROM credit_lot",
            "UPDATE credit_movement SET amount = amount + 1",
            "UPDATE credit_movement SET remaining_after = 0",
            "UPDATE credit_movement SET reference = 'else'",
            "UPDATE credit_movement SET sequence = sequence + 1",
            "DELETE FROM credit_movement",
            "UPDATE credit_grant SET reason = 'else'",
            "DELETE FROM credit_grant",
        ];
        for statement in refused {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
        let evasions: &[&str] = match database.backend() {
            Backend::Sqlite => &[
                "INSERT OR REPLACE INTO credit_lot SELECT account_id, id, project_id, kind, currency, initial * 10, \
                 remaining * 10, issued_at, expires_at, restriction, origin, origin_reference, masked_code, \
                 description FROM credit_lot",
                "REPLACE INTO credit_movement SELECT * FROM credit_movement",
                "UPDATE OR REPLACE credit_lot SET remaining = remaining + 1",
                "INSERT OR REPLACE INTO credit_movement SELECT account_id, sequence + 1000, lot_id, lot_kind, kind, \
                 currency, amount * 10, remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, \
                 reference FROM credit_movement",
                "INSERT OR REPLACE INTO credit_movement (rowid, account_id, sequence, lot_id, lot_kind, kind, \
                 currency, amount, remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, \
                 reference) SELECT rowid, account_id, sequence + 1000, lot_id, lot_kind, kind, currency, amount, \
                 remaining_after, debit_ledger, credit_ledger, effective_at, recorded_at, 'x' FROM credit_movement",
                "UPDATE credit_movement SET rowid = rowid + 1000",
            ],
            Backend::Postgres => &[
                "TRUNCATE credit_movement",
                "TRUNCATE credit_lot CASCADE",
                "TRUNCATE credit_grant",
                "INSERT INTO credit_lot SELECT * FROM credit_lot ON CONFLICT (account_id, id) \
                 DO UPDATE SET remaining = credit_lot.remaining + 1",
            ],
        };
        for statement in evasions {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
        assert_eq!(world.count("SELECT remaining FROM credit_lot", []).await, 10_000);
        let fallen = world.execute("UPDATE credit_lot SET remaining = remaining - 1", []).await;
        assert_eq!(fallen.expect("a lot's value may fall"), 1);
        assert!(world.execute("UPDATE credit_lot SET remaining = -1", []).await.is_err());
    }

    /// R6.1: value bought or redeemed belongs to a project, value granted to an account; one source, one lot.
    async fn the_database_knows_who_can_own_what_and_that_one_source_issues_one_lot(database: TestDatabase) {
        let world = World::new(&database).await;
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
