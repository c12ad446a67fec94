//! Credit orders and their payment links; lots and movements; campaigns, codes, redemptions; grants.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const ORDERS: &str = "
CREATE TABLE credit_order (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    number text NOT NULL,
    project_id uuid NOT NULL,
    initial boolean NOT NULL,
    currency text NOT NULL,
    net bigint NOT NULL CHECK (net > 0),
    tax_category text NOT NULL,
    tax_rate text NOT NULL,
    tax_mention text,
    tax bigint NOT NULL CHECK (tax >= 0),
    gross bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('AWAITING_PAYMENT', 'PROCESSING', 'PAID', 'CANCELED', 'EXPIRED')),
    payment_id uuid,
    paid_at timestamptz,
    supply_at timestamptz,
    lot_id uuid,
    purchase_invoice text,
    withdrawable boolean NOT NULL,
    supply_requested_at timestamptz,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, number),
    CHECK (gross = net + tax),
    CHECK ((state = 'PAID') = (paid_at IS NOT NULL)),
    CHECK ((state = 'PAID') = (supply_at IS NOT NULL)),
    CHECK (lot_id IS NULL OR state = 'PAID'),
    CHECK (payment_id IS NOT NULL OR state IN ('AWAITING_PAYMENT', 'CANCELED', 'EXPIRED'))
);
CREATE INDEX credit_order_expiry ON credit_order (expires_at) WHERE state = 'AWAITING_PAYMENT';
CREATE INDEX credit_order_supply ON credit_order (supply_at) WHERE state = 'PAID' AND lot_id IS NULL;
CREATE TABLE payment_link (
    token_digest bytea NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL,
    order_id uuid NOT NULL
)";

const LOTS: &str = "
CREATE TABLE credit_lot (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    project_id uuid,
    kind text NOT NULL CHECK (kind IN ('VOUCHER', 'CLOUD_CREDIT', 'LAUNCHPAD', 'LOYALTY')),
    currency text NOT NULL,
    initial bigint NOT NULL CHECK (initial > 0),
    remaining bigint NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    restriction text NOT NULL,
    origin text NOT NULL,
    origin_reference text NOT NULL,
    masked_code text,
    description text NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, origin, origin_reference),
    CHECK (remaining >= 0 AND remaining <= initial),
    CHECK ((kind IN ('VOUCHER', 'CLOUD_CREDIT')) = (project_id IS NOT NULL))
);
CREATE TABLE credit_movement (
    account_id uuid NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    lot_id uuid NOT NULL,
    lot_kind text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ISSUED', 'DEBITED', 'EXPIRED', 'FORFEITED', 'DISPUTED', 'CLAWBACK')),
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    remaining_after bigint NOT NULL CHECK (remaining_after >= 0),
    debit_ledger text NOT NULL,
    credit_ledger text NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    reference text NOT NULL,
    PRIMARY KEY (account_id, sequence),
    UNIQUE (account_id, lot_id, kind, reference),
    FOREIGN KEY (account_id, lot_id) REFERENCES credit_lot (account_id, id),
    CHECK (debit_ledger <> credit_ledger)
);
CREATE INDEX credit_movement_lot ON credit_movement (account_id, lot_id, sequence);
CREATE TABLE credit_lot_due (
    account_id uuid NOT NULL,
    lot_id uuid NOT NULL,
    task text NOT NULL CHECK (task IN ('LAPSE', 'WARN_60', 'WARN_30', 'WARN_7')),
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, lot_id, task),
    FOREIGN KEY (account_id, lot_id) REFERENCES credit_lot (account_id, id)
);
CREATE INDEX credit_lot_due_at ON credit_lot_due (due_at)";

const CAMPAIGNS: &str = "
CREATE TABLE campaign (
    id uuid NOT NULL PRIMARY KEY,
    display_name text NOT NULL,
    description text NOT NULL,
    redeem_from timestamptz NOT NULL,
    redeem_until timestamptz NOT NULL,
    lot_lifetime_days bigint CHECK (lot_lifetime_days > 0),
    lot_expires_at timestamptz,
    use_limit bigint CHECK (use_limit > 0),
    per_account_limit bigint NOT NULL CHECK (per_account_limit > 0),
    audience text NOT NULL CHECK (audience IN ('ANYONE', 'NEW_CUSTOMERS', 'FIRST_PROJECT', 'ACCOUNT')),
    audience_account uuid,
    countries text NOT NULL,
    exclusion_group text,
    restriction text NOT NULL,
    method_required boolean NOT NULL,
    code_style text NOT NULL CHECK (code_style IN ('SINGLE_USE', 'SHARED')),
    code_count bigint NOT NULL CHECK (code_count >= 0),
    use_count bigint NOT NULL CHECK (use_count >= 0),
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK ((lot_lifetime_days IS NULL) <> (lot_expires_at IS NULL)),
    CHECK ((audience = 'ACCOUNT') = (audience_account IS NOT NULL)),
    CHECK (use_limit IS NULL OR use_count <= use_limit),
    CHECK (code_style = 'SINGLE_USE' OR code_count <= 1)
);
CREATE TABLE campaign_offer (
    campaign_id uuid NOT NULL REFERENCES campaign (id),
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    budget bigint NOT NULL,
    reserved bigint NOT NULL CHECK (reserved >= 0),
    granted bigint NOT NULL CHECK (granted >= 0),
    PRIMARY KEY (campaign_id, currency),
    CHECK (reserved + granted <= budget)
);
CREATE TABLE voucher_code (
    digest bytea NOT NULL PRIMARY KEY,
    campaign_id uuid NOT NULL REFERENCES campaign (id),
    batch_id uuid NOT NULL,
    uses bigint NOT NULL CHECK (uses >= 0),
    use_limit bigint CHECK (use_limit > 0),
    CHECK (use_limit IS NULL OR uses <= use_limit)
);
CREATE TABLE voucher_redemption (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    campaign_id uuid NOT NULL REFERENCES campaign (id),
    code_digest bytea NOT NULL,
    exclusion_group text,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    lot_id uuid NOT NULL,
    redeemed_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, lot_id),
    FOREIGN KEY (account_id, lot_id) REFERENCES credit_lot (account_id, id)
);
CREATE TABLE voucher_entry (
    account_id uuid NOT NULL PRIMARY KEY,
    wrong bigint NOT NULL CHECK (wrong >= 0),
    since_at timestamptz,
    locked_until timestamptz
);
CREATE TABLE credit_grant (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('LAUNCHPAD', 'LOYALTY')),
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    reason text NOT NULL,
    lot_id uuid NOT NULL,
    grantor text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, lot_id),
    FOREIGN KEY (account_id, lot_id) REFERENCES credit_lot (account_id, id)
)";

/// What was ordered stays what was ordered (R6.3).
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
             AND (new.purchase_invoice IS NULL OR new.purchase_invoice <> old.purchase_invoice))",
    ),
};

/// A link pays the order it was made for, and no other (R6.3).
const LINK: Guard = Guard {
    table: "payment_link",
    key: &["token_digest"],
    frozen: &["token_digest", "account_id", "order_id"],
    refused_if: None,
};

/// A lot's value only falls, and nothing else of it changes (R6.2).
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
    ],
    refused_if: Some("new.remaining > old.remaining"),
};

/// Movements are history (R6.8).
const MOVEMENT: Guard = Guard {
    table: "credit_movement",
    key: &["account_id", "sequence"],
    frozen: &[
        "account_id",
        "sequence",
        "lot_id",
        "lot_kind",
        "kind",
        "currency",
        "amount",
        "remaining_after",
        "debit_ledger",
        "credit_ledger",
        "effective_at",
        "recorded_at",
        "reference",
    ],
    refused_if: None,
};

/// What a campaign promised stays what it promised, and its uses only grow (R6.5, R6.12).
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
    refused_if: Some("new.use_count < old.use_count OR new.code_count < old.code_count"),
};

const OFFER: Guard = Guard {
    table: "campaign_offer",
    key: &["campaign_id", "currency"],
    frozen: &["campaign_id", "currency", "amount", "budget"],
    refused_if: Some("new.granted < old.granted"),
};

/// A use that was taken is not given back (R6.6).
const CODE: Guard = Guard {
    table: "voucher_code",
    key: &["digest"],
    frozen: &["digest", "campaign_id", "batch_id", "use_limit"],
    refused_if: Some("new.uses < old.uses"),
};

const REDEMPTION: Guard = Guard {
    table: "voucher_redemption",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "project_id",
        "campaign_id",
        "code_digest",
        "exclusion_group",
        "currency",
        "amount",
        "lot_id",
        "redeemed_at",
    ],
    refused_if: None,
};

const GRANT: Guard = Guard {
    table: "credit_grant",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "kind", "currency", "amount", "reason", "lot_id", "grantor", "created_at"],
    refused_if: None,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for tables in [ORDERS, LOTS, CAMPAIGNS] {
            dialect::create(manager, tables).await?;
        }
        for guard in [ORDER, LINK, LOT, MOVEMENT, CAMPAIGN, OFFER, CODE, REDEMPTION, GRANT] {
            guard.install(manager).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
