//! Documents of every kind (R8.1), credit notes (R7.9), and what collection remembers (section 9).
//!
//! An invoice may also be PRO_RATA or FINAL. A credit note is written once and guarded, like an invoice; the
//! database itself refuses one that credits more than was invoiced, or returns more to a lot than was taken
//! from it. Numbers of a series only rise, and no two issuers share a series.

use sea_orm_migration::{prelude::*, sea_orm::Statement};

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

/// Checks of `invoice`: as they were, as they are.
const CHECKS: [(&str, &str); 3] = [
    (
        "CHECK (kind IN ('MONTHLY', 'PURCHASE'))",
        "CHECK (kind IN ('MONTHLY', 'PURCHASE', 'PRO_RATA', 'FINAL'))",
    ),
    (
        "CHECK ((kind = 'MONTHLY') = (month IS NOT NULL))",
        "CHECK ((kind IN ('MONTHLY', 'PRO_RATA')) = (month IS NOT NULL))",
    ),
    ("CHECK (kind = 'MONTHLY' OR credit_applied = 0)", "CHECK (kind <> 'PURCHASE' OR credit_applied = 0)"),
];

const DOCUMENTS: &str = "
ALTER TABLE invoice ADD COLUMN cause_id uuid CHECK ((kind = 'PRO_RATA') = (cause_id IS NOT NULL));
CREATE UNIQUE INDEX invoice_once_a_cause ON invoice (account_id, cause_id) WHERE kind = 'PRO_RATA';
CREATE UNIQUE INDEX invoice_once_at_the_end ON invoice (account_id, project_id) WHERE kind = 'FINAL';
ALTER TABLE debt ADD COLUMN cause text NOT NULL DEFAULT 'DECLINED'
    CHECK (cause IN ('DECLINED', 'NO_METHOD', 'BOUNCED'));
ALTER TABLE debt ADD COLUMN credited bigint NOT NULL DEFAULT 0 CHECK (credited >= 0 AND credited <= amount);
ALTER TABLE debt ADD COLUMN ending text
    CHECK (ending IN ('PAID', 'WRITTEN_OFF', 'CREDITED', 'DISPUTE_WON'))
    CHECK (ending IS NULL OR closed_at IS NOT NULL);
ALTER TABLE debt ADD COLUMN payment_id uuid CHECK (payment_id IS NULL OR ending = 'PAID');
CREATE UNIQUE INDEX issuer_once_a_series ON issuer (series_prefix);
CREATE TABLE credit_note (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    number text NOT NULL,
    invoice_id uuid NOT NULL,
    project_id uuid NOT NULL,
    issuer text NOT NULL REFERENCES issuer (id),
    currency text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('CORRECTION', 'DISPUTE', 'WITHDRAWAL')),
    explanation text NOT NULL,
    net_total bigint NOT NULL CHECK (net_total > 0),
    credit_returned bigint NOT NULL CHECK (credit_returned >= 0),
    net_money bigint NOT NULL CHECK (net_money >= 0),
    tax_total bigint NOT NULL,
    amount_incl_tax bigint NOT NULL CHECK (amount_incl_tax >= 0),
    lowered_debt bigint NOT NULL CHECK (lowered_debt >= 0 AND lowered_debt <= amount_incl_tax),
    issued_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, number),
    UNIQUE (account_id, id, invoice_id),
    FOREIGN KEY (account_id, invoice_id) REFERENCES invoice (account_id, id) DEFERRABLE INITIALLY DEFERRED,
    CHECK (net_total = credit_returned + net_money),
    CHECK (amount_incl_tax = net_money + tax_total)
);
CREATE INDEX credit_note_by_invoice ON credit_note (account_id, invoice_id);
CREATE TABLE credit_note_line (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    line_number bigint NOT NULL,
    net bigint NOT NULL CHECK (net > 0),
    PRIMARY KEY (account_id, credit_note_id, line_number),
    FOREIGN KEY (account_id, credit_note_id, invoice_id) REFERENCES credit_note (account_id, id, invoice_id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX credit_note_line_by_invoice ON credit_note_line (account_id, invoice_id, line_number);
CREATE TABLE credit_note_tax (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    category text NOT NULL,
    rate text NOT NULL,
    base bigint NOT NULL,
    tax bigint NOT NULL,
    mention text NOT NULL,
    PRIMARY KEY (account_id, credit_note_id, position),
    FOREIGN KEY (account_id, credit_note_id, invoice_id) REFERENCES credit_note (account_id, id, invoice_id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX credit_note_tax_by_invoice ON credit_note_tax (account_id, invoice_id);
CREATE TABLE credit_note_return (
    account_id uuid NOT NULL,
    credit_note_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    source_lot_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, credit_note_id, source_lot_id),
    UNIQUE (account_id, lot_id),
    FOREIGN KEY (account_id, credit_note_id, invoice_id) REFERENCES credit_note (account_id, id, invoice_id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX credit_note_return_by_source ON credit_note_return (account_id, invoice_id, source_lot_id)";

/// Working state: what is over is taken away, and stands in events and the audit log.
const COLLECTION: &str = "
CREATE TABLE dunning (
    account_id uuid NOT NULL,
    debt_id uuid NOT NULL,
    stage text NOT NULL CHECK (stage IN ('OWED', 'SUSPENDED', 'DELETING')),
    clock_at timestamptz NOT NULL,
    retries_done bigint NOT NULL CHECK (retries_done >= 0),
    retryable boolean NOT NULL,
    try_others_at timestamptz,
    untold_at timestamptz,
    warned_at timestamptz,
    paused_at timestamptz,
    step text CHECK (step IN ('TELL', 'TRY_OTHERS', 'RETRY', 'WARN_OF_SUSPENSION', 'SUSPEND', 'WARN_OF_DELETION',
        'DELETE')),
    step_at timestamptz CHECK (step_at IS NULL OR step IS NOT NULL),
    PRIMARY KEY (account_id, debt_id),
    FOREIGN KEY (account_id, debt_id) REFERENCES debt (account_id, id)
);
CREATE INDEX dunning_due ON dunning (step_at) WHERE step_at IS NOT NULL;
INSERT INTO dunning (account_id, debt_id, stage, clock_at, retries_done, retryable, untold_at, step, step_at)
    SELECT account_id, id, 'OWED', opened_at, 0, FALSE, opened_at, 'TELL', opened_at FROM debt
    WHERE closed_at IS NULL;
CREATE TABLE deletion_hold (
    account_id uuid NOT NULL PRIMARY KEY,
    reason text NOT NULL,
    held_by text NOT NULL,
    held_at timestamptz NOT NULL
);
CREATE TABLE debt_settlement (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'PAID', 'FAILED', 'LAPSED')),
    created_at timestamptz NOT NULL,
    lapses_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id)
);
CREATE UNIQUE INDEX debt_settlement_open ON debt_settlement (account_id) WHERE state = 'OPEN';
CREATE INDEX debt_settlement_lapse ON debt_settlement (lapses_at) WHERE state = 'OPEN';
CREATE TABLE debt_settlement_item (
    account_id uuid NOT NULL,
    settlement_id uuid NOT NULL,
    debt_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, settlement_id, debt_id),
    FOREIGN KEY (account_id, settlement_id) REFERENCES debt_settlement (account_id, id),
    FOREIGN KEY (account_id, debt_id) REFERENCES debt (account_id, id)
)";

/// A limit over several rows, which no CHECK can see: an INSERT beyond it is refused.
struct Limit {
    table: &'static str,
    name: &'static str,
    /// True of a `new` row that is too much.
    exceeded: &'static str,
}

const LIMITS: [Limit; 3] = [
    Limit {
        table: "credit_note_line",
        name: "credit_note_line_within_invoiced",
        exceeded: "new.net + COALESCE((SELECT SUM(earlier.net) FROM credit_note_line earlier \
                   WHERE earlier.account_id = new.account_id AND earlier.invoice_id = new.invoice_id \
                   AND earlier.line_number = new.line_number), 0) \
                   > COALESCE((SELECT line.net FROM invoice_line line WHERE line.account_id = new.account_id \
                   AND line.invoice_id = new.invoice_id AND line.line_number = new.line_number), 0)",
    },
    Limit {
        table: "credit_note",
        name: "credit_note_within_invoiced",
        exceeded: "new.amount_incl_tax + COALESCE((SELECT SUM(earlier.amount_incl_tax) FROM credit_note earlier \
                   WHERE earlier.account_id = new.account_id AND earlier.invoice_id = new.invoice_id), 0) \
                   > COALESCE((SELECT invoice.amount_incl_tax FROM invoice \
                   WHERE invoice.account_id = new.account_id AND invoice.id = new.invoice_id), 0) \
                   OR new.net_total + COALESCE((SELECT SUM(earlier.net_total) FROM credit_note earlier \
                   WHERE earlier.account_id = new.account_id AND earlier.invoice_id = new.invoice_id), 0) \
                   > COALESCE((SELECT invoice.net_total FROM invoice \
                   WHERE invoice.account_id = new.account_id AND invoice.id = new.invoice_id), 0)",
    },
    Limit {
        table: "credit_note_return",
        name: "credit_note_return_within_taken",
        exceeded: "new.amount + COALESCE((SELECT SUM(earlier.amount) FROM credit_note_return earlier \
                   WHERE earlier.account_id = new.account_id AND earlier.invoice_id = new.invoice_id \
                   AND earlier.source_lot_id = new.source_lot_id), 0) \
                   > COALESCE((SELECT SUM(debit.amount) FROM settlement_debit debit \
                   WHERE debit.account_id = new.account_id AND debit.invoice_id = new.invoice_id \
                   AND debit.lot_id = new.source_lot_id), 0)",
    },
];

impl Limit {
    async fn install(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let Self { table, name, exceeded } = self;
        let statements = if is_sqlite(manager) {
            vec![format!(
                "CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {exceeded} \
                 BEGIN SELECT RAISE(ABORT, '{name}: more than there was'); END"
            )]
        } else {
            vec![
                format!(
                    "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                     IF {exceeded} THEN RAISE EXCEPTION '{name}: more than there was' \
                     USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN new; END $$"
                ),
                format!(
                    "CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
                ),
            ]
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

const INVOICE: Guard = Guard {
    table: "invoice",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "number",
        "kind",
        "project_id",
        "issuer",
        "month",
        "credit_order_id",
        "cause_id",
        "run_id",
        "currency",
        "net_total",
        "credit_applied",
        "net_after_credit",
        "tax_total",
        "amount_incl_tax",
        "settlement_at",
        "issued_at",
    ],
    refused_if: None,
};

/// A debt is closed, lowered by credit notes, never raised, changed or forgotten.
const DEBT: Guard = Guard {
    table: "debt",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "invoice_id", "currency", "amount", "cause", "opened_at"],
    refused_if: Some("old.closed_at IS NOT NULL OR new.credited < old.credited"),
};

const GUARDS: [Guard; 5] = [
    // A counter rises, and so does the date of its documents (R8.3).
    Guard {
        table: "invoice_series",
        key: &["series", "year"],
        frozen: &["series", "year", "issuer"],
        refused_if: Some("new.last_number < old.last_number OR new.last_issued_at < old.last_issued_at"),
    },
    Guard {
        table: "credit_note",
        key: &["account_id", "id"],
        frozen: &[
            "account_id",
            "id",
            "number",
            "invoice_id",
            "project_id",
            "issuer",
            "currency",
            "reason",
            "explanation",
            "net_total",
            "credit_returned",
            "net_money",
            "tax_total",
            "amount_incl_tax",
            "lowered_debt",
            "issued_at",
        ],
        refused_if: None,
    },
    Guard {
        table: "credit_note_line",
        key: &["account_id", "credit_note_id", "line_number"],
        frozen: &["account_id", "credit_note_id", "invoice_id", "line_number", "net"],
        refused_if: None,
    },
    Guard {
        table: "credit_note_tax",
        key: &["account_id", "credit_note_id", "position"],
        frozen: &[
            "account_id",
            "credit_note_id",
            "invoice_id",
            "position",
            "category",
            "rate",
            "base",
            "tax",
            "mention",
        ],
        refused_if: None,
    },
    Guard {
        table: "credit_note_return",
        key: &["account_id", "credit_note_id", "source_lot_id"],
        frozen: &["account_id", "credit_note_id", "invoice_id", "source_lot_id", "lot_id", "amount"],
        refused_if: None,
    },
];

/// Exchanges the checks of `invoice`. SQLite keeps a table as the text that made it: the text is changed, as
/// its manual tells for checks, so that no row and no reference to the table moves.
async fn exchange_checks(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    if !is_sqlite(manager) {
        connection
            .execute_unprepared(
                "DO $$ DECLARE found record; BEGIN FOR found IN SELECT conname FROM pg_constraint \
                 WHERE conrelid = 'invoice'::regclass AND contype = 'c' \
                 AND pg_get_constraintdef(oid) LIKE '%''MONTHLY''%' LOOP \
                 EXECUTE 'ALTER TABLE invoice DROP CONSTRAINT ' || quote_ident(found.conname); \
                 END LOOP; END $$",
            )
            .await?;
        for (_, check) in CHECKS {
            connection.execute_unprepared(&format!("ALTER TABLE invoice ADD {check}")).await?;
        }
        return Ok(());
    }
    connection.execute_unprepared("PRAGMA writable_schema = ON").await?;
    for (before, after) in CHECKS {
        let text = "UPDATE sqlite_schema SET sql = replace(sql, $1, $2) \
                    WHERE type = 'table' AND name = 'invoice' AND instr(sql, $1) > 0";
        let values = [before.into(), after.into()];
        let statement = Statement::from_sql_and_values(manager.get_database_backend(), text, values);
        if connection.execute_raw(statement).await?.rows_affected() != 1 {
            return Err(DbErr::Migration(format!("the table invoice has no {before}")));
        }
    }
    connection.execute_unprepared("PRAGMA writable_schema = RESET").await.map(|_| ())
}

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        exchange_checks(manager).await?;
        dialect::create(manager, DOCUMENTS).await?;
        dialect::create(manager, COLLECTION).await?;
        for guard in [INVOICE, DEBT] {
            guard.replace(manager).await?;
        }
        for guard in GUARDS {
            guard.install(manager).await?;
        }
        for limit in LIMITS {
            limit.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
