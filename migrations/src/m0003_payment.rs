//! Payment methods and which one is the default; payments, refunds; what the sandbox provider remembers.

use sea_orm_migration::prelude::*;

use crate::{dialect, guard::Guard};

const TABLES: &str = "
CREATE TABLE offered_payment_method (
    issuer text NOT NULL REFERENCES issuer (id),
    country text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('CARD', 'BANK_ACCOUNT', 'PAYPAL')),
    PRIMARY KEY (issuer, country, kind)
);
CREATE TABLE payment_method (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('CARD', 'BANK_ACCOUNT', 'PAYPAL')),
    state text NOT NULL CHECK (state IN
        ('CREATING', 'VALIDATING', 'VALID', 'FAILED', 'REJECTED', 'EXPIRED', 'REPLACED', 'CANCELED')),
    label text NOT NULL,
    provider_token text NOT NULL,
    provider_reference text,
    masked_details text NOT NULL,
    expiry_year bigint,
    expiry_month bigint CHECK (expiry_month BETWEEN 1 AND 12),
    expires_at timestamptz,
    three_d_secure boolean NOT NULL,
    action_url text,
    refusal_code text,
    looks bigint NOT NULL CHECK (looks >= 0),
    look_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    CHECK ((expiry_year IS NULL) = (expiry_month IS NULL)),
    CHECK ((expiry_year IS NULL) = (expires_at IS NULL)),
    CHECK ((state = 'VALIDATING') = (action_url IS NOT NULL)),
    CHECK ((state IN ('FAILED', 'REJECTED')) = (refusal_code IS NOT NULL)),
    CHECK ((state IN ('CREATING', 'VALIDATING')) = (look_at IS NOT NULL)),
    CHECK (state <> 'VALID' OR provider_reference IS NOT NULL)
);
CREATE INDEX payment_method_look ON payment_method (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX payment_method_expiry ON payment_method (expires_at) WHERE state = 'VALID' AND expires_at IS NOT NULL;
CREATE TABLE default_payment_method (
    account_id uuid NOT NULL PRIMARY KEY,
    method_id uuid NOT NULL,
    FOREIGN KEY (account_id, method_id) REFERENCES payment_method (account_id, id)
);
CREATE TABLE payment (
    account_id uuid NOT NULL REFERENCES account (account_id),
    id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    reference text NOT NULL,
    method_id uuid,
    one_off_token text,
    initiator text NOT NULL CHECK (initiator IN ('CUSTOMER', 'MERCHANT')),
    state text NOT NULL CHECK (state IN
        ('PROCESSING', 'ACTION_REQUIRED', 'PENDING', 'SUCCEEDED', 'DECLINED', 'REFUNDED')),
    action_url text,
    decline_code text,
    decline_final boolean,
    settled_at timestamptz,
    looks bigint NOT NULL CHECK (looks >= 0),
    look_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, method_id) REFERENCES payment_method (account_id, id),
    CHECK ((method_id IS NULL) = (one_off_token IS NOT NULL)),
    CHECK ((state = 'ACTION_REQUIRED') = (action_url IS NOT NULL)),
    CHECK ((state = 'DECLINED') = (decline_code IS NOT NULL)),
    CHECK ((state = 'DECLINED') = (decline_final IS NOT NULL)),
    CHECK ((state IN ('PROCESSING', 'ACTION_REQUIRED', 'PENDING')) = (look_at IS NOT NULL)),
    CHECK ((settled_at IS NULL) = (look_at IS NOT NULL))
);
CREATE INDEX payment_by_reference ON payment (account_id, reference);
CREATE INDEX payment_look ON payment (look_at) WHERE look_at IS NOT NULL;
CREATE TABLE open_payment (
    account_id uuid NOT NULL,
    reference text NOT NULL,
    payment_id uuid NOT NULL,
    PRIMARY KEY (account_id, reference),
    FOREIGN KEY (account_id, payment_id) REFERENCES payment (account_id, id)
);
CREATE TABLE payment_refund (
    account_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('UNWANTED')),
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('REQUESTED', 'DONE', 'REFUSED')),
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
CREATE INDEX payment_refund_look ON payment_refund (look_at) WHERE look_at IS NOT NULL;
CREATE TABLE sandbox_provider_method (
    account_id uuid NOT NULL,
    method_id uuid NOT NULL,
    token text NOT NULL,
    state text NOT NULL CHECK (state IN ('WAITING', 'VALID', 'FAILED', 'REJECTED')),
    code text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, method_id)
);
CREATE TABLE sandbox_provider_charge (
    account_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    token text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('WAITING', 'PENDING', 'CAPTURED', 'DECLINED_SOFT', 'DECLINED_FINAL')),
    code text,
    refunded bigint NOT NULL CHECK (refunded >= 0 AND refunded <= amount),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, payment_id)
);
CREATE TABLE sandbox_provider_refund (
    account_id uuid NOT NULL,
    refund_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (account_id, refund_id)
)";

/// What was attempted never changes, and what is final stays final but for money that goes back.
const PAYMENT: Guard = Guard {
    table: "payment",
    key: &["account_id", "id"],
    frozen: &[
        "account_id",
        "id",
        "amount",
        "currency",
        "reference",
        "method_id",
        "one_off_token",
        "initiator",
        "created_at",
    ],
    refused_if: Some(
        "old.settled_at IS NOT NULL AND new.settled_at <> old.settled_at \
         OR old.settled_at IS NOT NULL AND new.settled_at IS NULL \
         OR old.state IN ('DECLINED', 'REFUNDED') AND new.state <> old.state \
         OR old.state = 'SUCCEEDED' AND new.state NOT IN ('SUCCEEDED', 'REFUNDED') \
         OR new.state = 'REFUNDED' AND old.state NOT IN ('SUCCEEDED', 'REFUNDED')",
    ),
};

const REFUND: Guard = Guard {
    table: "payment_refund",
    key: &["account_id", "id"],
    frozen: &["account_id", "id", "payment_id", "purpose", "amount", "currency", "created_at"],
    refused_if: Some("old.state <> 'REQUESTED' AND new.state <> old.state"),
};

#[derive(DeriveMigrationName)]
pub(crate) struct Step;

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::create(manager, TABLES).await?;
        PAYMENT.install(manager).await?;
        REFUND.install(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
