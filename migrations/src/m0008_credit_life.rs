//! Acts that wait for approval; what an order's payment was charged with, its parties and its withdrawal; lots that
//! give value back; disabled campaigns; top-ups; loyalty taken back.

use sea_orm_migration::prelude::*;

use crate::{
    dialect::{self, is_sqlite},
    guard::Guard,
};

const TABLES: &str = "
CREATE TABLE approval (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    payload bytea NOT NULL,
    summary text NOT NULL,
    reason text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED')),
    decided_by text,
    decision_reason text,
    decided_at timestamptz,
    result text,
    PRIMARY KEY (account_id, id),
    CHECK ((state = 'PENDING') = (decided_by IS NULL)),
    CHECK ((state = 'PENDING') = (decided_at IS NULL)),
    CHECK ((state = 'APPROVED') = (result IS NOT NULL)),
    CHECK (state <> 'APPROVED' OR decided_by <> requested_by)
);
CREATE INDEX approval_newest ON approval (id);
ALTER TABLE credit_order ADD COLUMN withdrawn_at timestamptz;
CREATE TABLE credit_order_charge (
    account_id uuid NOT NULL,
    order_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    tax_category text NOT NULL,
    tax_rate text NOT NULL,
    tax_mention text,
    tax bigint NOT NULL CHECK (tax >= 0),
    gross bigint NOT NULL CHECK (gross >= tax),
    quoted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, order_id, payment_id),
    FOREIGN KEY (account_id, order_id) REFERENCES credit_order (account_id, id)
);
CREATE TABLE credit_order_document (
    account_id uuid NOT NULL,
    order_id uuid NOT NULL,
    language text NOT NULL,
    seller text NOT NULL,
    buyer text NOT NULL,
    PRIMARY KEY (account_id, order_id),
    FOREIGN KEY (account_id, order_id) REFERENCES credit_order (account_id, id)
);
ALTER TABLE credit_lot ADD COLUMN source_lot_id uuid;
ALTER TABLE credit_lot ADD COLUMN root_lot_id uuid;
CREATE INDEX credit_lot_source ON credit_lot (account_id, source_lot_id) WHERE source_lot_id IS NOT NULL;
CREATE INDEX credit_lot_root ON credit_lot (account_id, root_lot_id) WHERE root_lot_id IS NOT NULL;
CREATE INDEX voucher_redemption_campaign ON voucher_redemption (campaign_id, id);
ALTER TABLE campaign ADD COLUMN disabled_at timestamptz;
CREATE TABLE top_up (
    account_id uuid NOT NULL REFERENCES account (account_id),
    project_id uuid NOT NULL,
    currency text NOT NULL,
    threshold bigint NOT NULL CHECK (threshold > 0),
    amount bigint NOT NULL CHECK (amount > 0),
    interval_seconds bigint NOT NULL CHECK (interval_seconds > 0),
    monthly_ceiling bigint NOT NULL,
    supply_consent_at timestamptz,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'STOPPED', 'OFF')),
    stop_reason text,
    check_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, project_id),
    CHECK (monthly_ceiling >= amount),
    CHECK ((state = 'STOPPED') = (stop_reason IS NOT NULL)),
    CHECK ((state = 'ACTIVE') = (check_at IS NOT NULL))
);
CREATE INDEX top_up_check ON top_up (check_at) WHERE state = 'ACTIVE';
CREATE TABLE top_up_order (
    account_id uuid NOT NULL,
    order_id uuid NOT NULL,
    project_id uuid NOT NULL,
    net bigint NOT NULL CHECK (net > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, order_id),
    FOREIGN KEY (account_id, order_id) REFERENCES credit_order (account_id, id)
);
CREATE INDEX top_up_order_project ON top_up_order (account_id, project_id, created_at);
CREATE TABLE loyalty_claim (
    account_id uuid NOT NULL,
    source text NOT NULL,
    invoice text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    taken bigint NOT NULL CHECK (taken >= 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, source),
    CHECK (taken <= amount)
);
CREATE TABLE loyalty_netting (
    account_id uuid NOT NULL,
    invoice text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, invoice)
);
CREATE TABLE order_dispute (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    order_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    revoked bigint NOT NULL CHECK (revoked >= 0),
    owed bigint NOT NULL CHECK (owed >= 0),
    debt_id uuid,
    opened_at timestamptz NOT NULL,
    won_at timestamptz,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, order_id) REFERENCES credit_order (account_id, id),
    CHECK ((owed = 0) = (debt_id IS NULL))
);
CREATE INDEX order_dispute_payment ON order_dispute (account_id, payment_id)";

/// What was asked for stays what was asked for, and a decision stands (R6.13).
const APPROVAL: Guard = Guard {
    table: "approval",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "kind",
        "payload",
        "summary",
        "reason",
        "requested_by",
        "requested_at",
        "expires_at",
    ],
    refused_if: Some("old.state <> 'PENDING'"),
};

/// As before, and who withdrew has withdrawn, and gets no lot (R6.4).
const ORDER: Guard = Guard {
    table: "credit_order",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "number",
        "project_id",
        "initial",
        "currency",
        "net",
        "tax_category",
        "tax_rate",
        "tax_mention",
        "tax",
        "gross",
        "withdrawable",
        "created_at",
        "expires_at",
    ],
    refused_if: Some(
        "(old.state IN ('PAID', 'CANCELED', 'EXPIRED') AND new.state <> old.state) \
         OR (old.paid_at IS NOT NULL AND (new.paid_at <> old.paid_at OR new.supply_at <> old.supply_at)) \
         OR (old.paid_at IS NOT NULL AND (new.payment_id IS NULL OR new.payment_id <> old.payment_id)) \
         OR (old.lot_id IS NOT NULL AND (new.lot_id IS NULL OR new.lot_id <> old.lot_id)) \
         OR (old.purchase_invoice IS NOT NULL \
             AND (new.purchase_invoice IS NULL OR new.purchase_invoice <> old.purchase_invoice)) \
         OR (old.withdrawn_at IS NOT NULL AND (new.withdrawn_at IS NULL OR new.withdrawn_at <> old.withdrawn_at)) \
         OR (new.withdrawn_at IS NOT NULL AND (new.lot_id IS NOT NULL OR new.state <> 'PAID'))",
    ),
};

/// What a payment was charged with stays what it was charged with (R8.4).
const CHARGE: Guard = Guard {
    table: "credit_order_charge",
    key: &["account_id", "order_id", "payment_id"],
    frozen: &[
        "account_id",
        "order_id",
        "payment_id",
        "tax_category",
        "tax_rate",
        "tax_mention",
        "tax",
        "gross",
        "quoted_at",
    ],
    refused_if: None,
};

/// A document stays as it was; only the buyer's personal data can be erased (R2.8).
const DOCUMENT: Guard = Guard {
    table: "credit_order_document",
    key: &["account_id", "order_id"],
    frozen: &["account_id", "order_id", "language", "seller"],
    refused_if: Some("new.buyer <> old.buyer AND new.buyer <> ''"),
};

/// As before, and a lot's source is part of what it is (R6.2, R7.9).
const LOT: Guard = Guard {
    table: "credit_lot",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "project_id",
        "kind",
        "currency",
        "initial",
        "issued_at",
        "expires_at",
        "restriction",
        "origin",
        "origin_reference",
        "masked_code",
        "description",
        "source_lot_id",
        "root_lot_id",
    ],
    refused_if: Some("new.remaining > old.remaining"),
};

/// As before, and what is disabled stays disabled (R6.5).
const CAMPAIGN: Guard = Guard {
    table: "campaign",
    key: &["id"],
    frozen: &[
        "id",
        "display_name",
        "description",
        "redeem_from",
        "redeem_until",
        "lot_lifetime_days",
        "lot_expires_at",
        "use_limit",
        "per_account_limit",
        "audience",
        "audience_account",
        "countries",
        "exclusion_group",
        "restriction",
        "method_required",
        "code_style",
        "created_at",
    ],
    refused_if: Some(
        "new.use_count < old.use_count OR new.code_count < old.code_count \
         OR (old.disabled_at IS NOT NULL AND (new.disabled_at IS NULL OR new.disabled_at <> old.disabled_at \
             OR new.use_count <> old.use_count OR new.code_count <> old.code_count))",
    ),
};

const TOP_UP_ORDER: Guard = Guard {
    table: "top_up_order",
    key: &["account_id", "order_id"],
    frozen: &["account_id", "order_id", "project_id", "net", "created_at"],
    refused_if: None,
};

/// What a dispute came to stays what it came to; it is won once (R6.11).
const DISPUTE: Guard = Guard {
    table: "order_dispute",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "payment_id",
        "order_id",
        "currency",
        "amount",
        "revoked",
        "owed",
        "opened_at",
    ],
    refused_if: Some("old.won_at IS NOT NULL"),
};

const LOYALTY_CLAIM: Guard = Guard {
    table: "loyalty_claim",
    key: &["account_id", "source"],
    frozen: &["account_id", "source", "invoice", "currency", "amount", "taken", "created_at"],
    refused_if: None,
};

const LOYALTY_NETTING: Guard = Guard {
    table: "loyalty_netting",
    key: &["account_id", "invoice"],
    frozen: &["account_id", "invoice", "currency", "amount", "created_at"],
    refused_if: None,
};

/// What comes back of a lot never exceeds what was taken from it for that reason (R7.9, R6.11).
const RETURNED_MORE: &str = "new.initial + (SELECT CAST(COALESCE(SUM(initial), 0) AS bigint) FROM credit_lot \
     WHERE account_id = new.account_id AND source_lot_id = new.source_lot_id AND origin = new.origin) > \
     (SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM credit_movement WHERE account_id = new.account_id \
     AND lot_id = new.source_lot_id AND kind = CASE new.origin WHEN 'CREDIT_NOTE' THEN 'DEBITED' \
     WHEN 'DISPUTE_WON' THEN 'DISPUTED' ELSE '' END)";

async fn bound_returns(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let refusal = "more comes back of a lot than was taken from it";
    let statements = if is_sqlite(manager) {
        vec![format!(
            "CREATE TRIGGER credit_lot_return_bound BEFORE INSERT ON credit_lot \
             WHEN new.source_lot_id IS NOT NULL AND {RETURNED_MORE} \
             BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
        )]
    } else {
        vec![
            format!(
                "CREATE FUNCTION florin_bound_return() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN IF {RETURNED_MORE} THEN RAISE EXCEPTION '{refusal}' \
                 USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN new; END $$"
            ),
            "CREATE TRIGGER credit_lot_return_bound BEFORE INSERT ON credit_lot FOR EACH ROW \
             WHEN (new.source_lot_id IS NOT NULL) EXECUTE FUNCTION florin_bound_return()"
                .to_owned(),
        ]
    };
    for statement in statements {
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        for guard in [ORDER, LOT, CAMPAIGN] {
            guard.replace(manager).await?;
        }
        for guard in [APPROVAL, CHARGE, DOCUMENT, TOP_UP_ORDER, DISPUTE, LOYALTY_CLAIM, LOYALTY_NETTING] {
            guard.install(manager).await?;
        }
        bound_returns(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
