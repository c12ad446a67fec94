//! The life of methods and payments after their first day: removal, replacement and fallback of methods,
//! announced bank debits, refunds in parts, disputes; and what the sandbox's provider remembers of them.

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

/// What was added to rows that exist. A payment that is announced is PENDING, and the provider does not know
/// it yet.
const COLUMNS: &str = "
ALTER TABLE payment_method ADD COLUMN declined_code text;
ALTER TABLE payment_method ADD COLUMN fallback_order bigint CHECK (fallback_order >= 1);
ALTER TABLE payment_method ADD COLUMN warned_days bigint NOT NULL DEFAULT 0 CHECK (warned_days IN (0, 30, 7));
ALTER TABLE payment_method ADD COLUMN replaces uuid;
ALTER TABLE payment_method ADD COLUMN notice_days bigint NOT NULL DEFAULT 2 CHECK (notice_days >= 0);
ALTER TABLE payment ADD COLUMN provider_reference text;
ALTER TABLE payment ADD COLUMN collect_at timestamptz;
ALTER TABLE payment ADD COLUMN announced boolean NOT NULL DEFAULT FALSE
    CHECK (NOT announced OR (state = 'PENDING' AND provider_reference IS NULL));
ALTER TABLE payment ADD COLUMN refunded bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0 AND refunded <= amount);
ALTER TABLE payment ADD COLUMN disputed bigint NOT NULL DEFAULT 0 CHECK (disputed >= 0);
ALTER TABLE sandbox_provider_method ADD COLUMN forgotten boolean NOT NULL DEFAULT FALSE;
UPDATE payment SET refunded = amount WHERE state = 'REFUNDED';
UPDATE payment_method SET declined_code = (SELECT MIN(payment.decline_code) FROM payment
    WHERE payment.account_id = payment_method.account_id AND payment.method_id = payment_method.id
    AND payment.decline_final);
CREATE INDEX payment_by_method ON payment (account_id, method_id, created_at)";

const TABLES: &str = "
CREATE TABLE payment_dispute (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    reference text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    code text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'WON', 'LOST')),
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, payment_id, reference),
    FOREIGN KEY (account_id, payment_id) REFERENCES payment (account_id, id)
);
CREATE TABLE payment_method_forgetting (
    account_id uuid NOT NULL,
    method_id uuid NOT NULL,
    looks bigint NOT NULL CHECK (looks >= 0),
    look_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, method_id),
    FOREIGN KEY (account_id, method_id) REFERENCES payment_method (account_id, id)
);
CREATE INDEX payment_method_forgetting_look ON payment_method_forgetting (look_at);
CREATE TABLE sandbox_provider_dispute (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    number bigint NOT NULL CHECK (number >= 1),
    amount bigint NOT NULL CHECK (amount > 0),
    code text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'WON', 'LOST')),
    PRIMARY KEY (account_id, payment_id, number)
)";

/// Refunds in parts: a purpose is any one word for why, and one payment may have several.
const REFUNDS: &str = "
CREATE TABLE payment_refund_in_parts (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose <> ''),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('REQUESTED', 'DONE', 'REFUSED')),
    provider_reference text,
    refusal_code text,
    looks bigint NOT NULL CHECK (looks >= 0),
    look_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, payment_id, purpose),
    FOREIGN KEY (account_id, payment_id) REFERENCES payment (account_id, id),
    CHECK ((state = 'REQUESTED') = (look_at IS NOT NULL)),
    CHECK ((state = 'REFUSED') = (refusal_code IS NOT NULL))
);
INSERT INTO payment_refund_in_parts (account_id, id, payment_id, purpose, amount, currency, state,
    provider_reference, refusal_code, looks, look_at, created_at, updated_at)
    SELECT account_id, id, payment_id, purpose, amount, currency, state,
    NULL, refusal_code, looks, look_at, created_at, updated_at FROM payment_refund;
DROP TABLE payment_refund;
ALTER TABLE payment_refund_in_parts RENAME TO payment_refund;
CREATE INDEX payment_refund_look ON payment_refund (look_at) WHERE look_at IS NOT NULL";

/// No more goes back than was captured, whoever writes the row (R7.9). What a bank took back itself is away
/// already.
const BOUNDED_SQLITE: &str = "CREATE TRIGGER payment_refund_bounded BEFORE INSERT ON payment_refund \
    WHEN new.amount + (SELECT COALESCE(SUM(amount), 0) FROM payment_refund \
            WHERE account_id = new.account_id AND payment_id = new.payment_id AND state <> 'REFUSED') \
        > COALESCE((SELECT amount - disputed FROM payment \
            WHERE account_id = new.account_id AND id = new.payment_id \
            AND state IN ('SUCCEEDED', 'REFUNDED') AND currency = new.currency), 0) \
    BEGIN SELECT RAISE(ABORT, 'more would go back than was captured'); END";
const BOUNDED_POSTGRES: [&str; 2] = [
    "CREATE FUNCTION florin_bound_refund() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF new.amount + (SELECT COALESCE(SUM(amount), 0) FROM payment_refund \
            WHERE account_id = new.account_id AND payment_id = new.payment_id AND state <> 'REFUSED') \
        > COALESCE((SELECT amount - disputed FROM payment \
            WHERE account_id = new.account_id AND id = new.payment_id \
            AND state IN ('SUCCEEDED', 'REFUNDED') AND currency = new.currency FOR UPDATE), 0) \
        THEN RAISE EXCEPTION 'more would go back than was captured' \
            USING ERRCODE = 'integrity_constraint_violation'; END IF; \
        RETURN new; END $$",
    "CREATE TRIGGER payment_refund_bounded BEFORE INSERT ON payment_refund \
        FOR EACH ROW EXECUTE FUNCTION florin_bound_refund()",
];

const GUARDS: [Guard; 2] = [
    Guard {
        table: "payment_refund",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "payment_id", "purpose", "amount", "currency", "created_at"],
        refused_if: Some("old.state <> 'REQUESTED' AND new.state <> old.state"),
    },
    // A dispute that was won stays won; one that was lost may still be won.
    Guard {
        table: "payment_dispute",
        key: &["account_id", "id"],
        frozen: &["account_id", "id", "payment_id", "reference", "amount", "currency", "code", "opened_at"],
        refused_if: Some(
            "old.state = 'WON' AND new.state <> 'WON' OR old.state = 'LOST' AND new.state = 'OPEN'",
        ),
    },
];

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, COLUMNS).await?;
        dialect::create(manager, TABLES).await?;
        dialect::create(manager, REFUNDS).await?;
        let connection = manager.get_connection();
        if is_sqlite(manager) {
            connection.execute_unprepared(BOUNDED_SQLITE).await?;
        } else {
            for statement in BOUNDED_POSTGRES {
                connection.execute_unprepared(statement).await?;
            }
        }
        for guard in GUARDS {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
