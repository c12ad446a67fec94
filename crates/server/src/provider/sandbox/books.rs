//! What the sandbox's provider remembers. Time passes by comparing instants: nothing has to run for a page to
//! lapse or for a bank to decide.

use florin_payment::provider::{Charge, ChargeKey, GiveBack, MethodKey};
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{Tx, sql},
};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    LAPSED, after_authentication,
    test_means::{Charging, TestMeans},
};

const LAPSE_AFTER_SECONDS: u64 = 3600;
const BANK_DECIDES_AFTER_DAYS: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MethodState {
    Waiting,
    Valid,
    Failed,
    Rejected,
}

impl MethodState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Valid, Self::Failed, Self::Rejected];

    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Valid => "VALID",
            Self::Failed => "FAILED",
            Self::Rejected => "REJECTED",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChargeState {
    Waiting,
    Pending,
    Captured,
    DeclinedSoft,
    DeclinedFinal,
}

impl ChargeState {
    const ALL: [Self; 5] =
        [Self::Waiting, Self::Pending, Self::Captured, Self::DeclinedSoft, Self::DeclinedFinal];

    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Pending => "PENDING",
            Self::Captured => "CAPTURED",
            Self::DeclinedSoft => "DECLINED_SOFT",
            Self::DeclinedFinal => "DECLINED_FINAL",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct BookedMethod {
    pub(super) token: String,
    pub(super) code: Option<String>,
    pub(super) created: Instant,
    pub(super) forgotten: bool,
    state: MethodState,
}

impl BookedMethod {
    /// Where it stands at `now`.
    pub(super) fn state_at(&self, now: Instant) -> MethodState {
        let lapsed = self.created.plus_seconds(LAPSE_AFTER_SECONDS) <= now;
        if self.state == MethodState::Waiting && lapsed { MethodState::Failed } else { self.state }
    }
}

#[derive(Clone, Debug)]
pub(super) struct BookedCharge {
    pub(super) amount: Money,
    token: String,
    code: Option<String>,
    state: ChargeState,
    created: Instant,
}

impl BookedCharge {
    /// Where it stands at `now`, and the code of a decline.
    pub(super) fn state_at(&self, now: Instant) -> (ChargeState, String) {
        let booked = || (self.state, self.code.clone().unwrap_or_default());
        match self.state {
            ChargeState::Waiting if self.created.plus_seconds(LAPSE_AFTER_SECONDS) <= now => {
                (ChargeState::DeclinedSoft, LAPSED.to_owned())
            }
            ChargeState::Pending if self.created.plus_days(BANK_DECIDES_AFTER_DAYS) <= now => {
                match TestMeans::of(&self.token).map(|means| means.charging) {
                    Some(Charging::PendingThenDeclined(code)) => (ChargeState::DeclinedSoft, code.to_owned()),
                    Some(
                        Charging::PendingThenCaptured
                        | Charging::Captured
                        | Charging::Action
                        | Charging::DeclinedSoft(_)
                        | Charging::DeclinedFinal(_),
                    )
                    | None => (ChargeState::Captured, String::new()),
                }
            }
            ChargeState::Waiting
            | ChargeState::Pending
            | ChargeState::Captured
            | ChargeState::DeclinedSoft
            | ChargeState::DeclinedFinal => booked(),
        }
    }

    /// Where it goes when whoever is awaited lets it happen.
    pub(super) fn approved(&self) -> (ChargeState, Option<&'static str>) {
        match (self.state, TestMeans::of(&self.token)) {
            (ChargeState::Waiting, Some(means)) => after_authentication(means.charging),
            (
                ChargeState::Waiting
                | ChargeState::Pending
                | ChargeState::Captured
                | ChargeState::DeclinedSoft
                | ChargeState::DeclinedFinal,
                _,
            ) => (ChargeState::Captured, None),
        }
    }
}

/// Books a registration, unless its key is booked already; what is booked.
pub(super) async fn book_method(
    tx: &Tx,
    key: MethodKey,
    token: &str,
    state: MethodState,
    code: Option<&str>,
    at: Instant,
) -> Result<BookedMethod, DbErr> {
    let text = "INSERT INTO sandbox_provider_method (account_id, method_id, token, state, code, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let values = [
        key.account.into(),
        key.method.into(),
        token.into(),
        state.as_str().into(),
        code.into(),
        At::from(at).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    method(tx, key).await?.ok_or_else(|| DbErr::RecordNotFound("sandbox_provider_method".to_owned()))
}

/// What is booked of a registration.
pub(super) async fn method(
    connection: &impl ConnectionTrait,
    key: MethodKey,
) -> Result<Option<BookedMethod>, DbErr> {
    let text = "SELECT token, state, code, created_at, forgotten FROM sandbox_provider_method \
                WHERE account_id = $1 AND method_id = $2";
    let row =
        connection.query_one_raw(sql(connection, text, [key.account.into(), key.method.into()])).await?;
    let Some(row) = row else { return Ok(None) };
    let stored: String = row.try_get_by_index(1)?;
    let state = MethodState::ALL.into_iter().find(|state| state.as_str() == stored);
    Ok(Some(BookedMethod {
        token: row.try_get_by_index(0)?,
        state: state.ok_or_else(|| CorruptRow::new("sandbox_provider_method", "unknown state"))?,
        code: row.try_get_by_index(2)?,
        created: row.try_get_by_index::<At>(3)?.into(),
        forgotten: row.try_get_by_index(4)?,
    }))
}

/// Forgets a registration.
pub(super) async fn forget_method(tx: &Tx, key: MethodKey) -> Result<(), DbErr> {
    let text = "UPDATE sandbox_provider_method SET forgotten = TRUE WHERE account_id = $1 AND method_id = $2";
    tx.execute_raw(sql(tx, text, [key.account.into(), key.method.into()])).await.map(|_| ())
}

/// Waits until nobody else changes this registration: who reads it now reads what was decided.
pub(super) async fn lock_method(tx: &Tx, key: MethodKey) -> Result<(), DbErr> {
    let text = "UPDATE sandbox_provider_method SET state = state WHERE account_id = $1 AND method_id = $2";
    tx.execute_raw(sql(tx, text, [key.account.into(), key.method.into()])).await.map(|_| ())
}

/// Writes down what the customer decided about a registration.
pub(super) async fn decide_method(
    tx: &Tx,
    key: MethodKey,
    state: MethodState,
    code: Option<&str>,
) -> Result<(), DbErr> {
    let text =
        "UPDATE sandbox_provider_method SET state = $3, code = $4 WHERE account_id = $1 AND method_id = $2";
    let values = [key.account.into(), key.method.into(), state.as_str().into(), code.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Books a charge, unless its key is booked already; what is booked, and whether it is new.
pub(super) async fn book_charge(
    tx: &Tx,
    wanted: &Charge,
    token: &str,
    state: ChargeState,
    code: Option<&str>,
    at: Instant,
) -> Result<(BookedCharge, bool), DbErr> {
    let text = "INSERT INTO sandbox_provider_charge \
                (account_id, payment_id, token, amount, currency, state, code, refunded, created_at) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8) ON CONFLICT DO NOTHING";
    let values = [
        wanted.key.account.into(),
        wanted.key.payment.into(),
        token.into(),
        wanted.amount.minor().into(),
        wanted.amount.currency().code().into(),
        state.as_str().into(),
        code.into(),
        At::from(at).into(),
    ];
    let is_new = tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1;
    let booked = charge(tx, wanted.key).await?;
    let booked = booked.ok_or_else(|| DbErr::RecordNotFound("sandbox_provider_charge".to_owned()))?;
    Ok((booked, is_new))
}

/// What is booked of a charge.
pub(super) async fn charge(
    connection: &impl ConnectionTrait,
    key: ChargeKey,
) -> Result<Option<BookedCharge>, DbErr> {
    let text = "SELECT token, state, code, created_at, amount, currency FROM sandbox_provider_charge \
                WHERE account_id = $1 AND payment_id = $2";
    let row =
        connection.query_one_raw(sql(connection, text, [key.account.into(), key.payment.into()])).await?;
    let Some(row) = row else { return Ok(None) };
    let stored: String = row.try_get_by_index(1)?;
    let state = ChargeState::ALL.into_iter().find(|state| state.as_str() == stored);
    Ok(Some(BookedCharge {
        token: row.try_get_by_index(0)?,
        state: state.ok_or_else(|| CorruptRow::new("sandbox_provider_charge", "unknown state"))?,
        code: row.try_get_by_index(2)?,
        created: row.try_get_by_index::<At>(3)?.into(),
        amount: row.try_get_by_index::<Minor>(4)?.money(row.try_get_by_index::<Code>(5)?.0),
    }))
}

/// Waits until nobody else changes this charge or gives it back: who reads it now reads what was decided.
pub(super) async fn lock_charge(tx: &Tx, key: ChargeKey) -> Result<(), DbErr> {
    let text = "UPDATE sandbox_provider_charge SET state = state WHERE account_id = $1 AND payment_id = $2";
    tx.execute_raw(sql(tx, text, [key.account.into(), key.payment.into()])).await.map(|_| ())
}

/// Writes down what the customer or the bank decided about a charge.
pub(super) async fn decide_charge(
    tx: &Tx,
    key: ChargeKey,
    state: ChargeState,
    code: Option<&str>,
) -> Result<(), DbErr> {
    let text =
        "UPDATE sandbox_provider_charge SET state = $3, code = $4 WHERE account_id = $1 AND payment_id = $2";
    let values = [key.account.into(), key.payment.into(), state.as_str().into(), code.into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// Whether this refund is booked.
pub(super) async fn is_refunded(connection: &impl ConnectionTrait, refund: &GiveBack) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM sandbox_provider_refund WHERE account_id = $1 AND refund_id = $2";
    let values = [refund.charge.account.into(), refund.key.into()];
    Ok(connection.query_one_raw(sql(connection, text, values)).await?.is_some())
}

/// Books a refund; false if more would go back than was captured.
pub(super) async fn book_refund(tx: &Tx, refund: &GiveBack) -> Result<bool, DbErr> {
    let text = "UPDATE sandbox_provider_charge SET refunded = refunded + $3 \
                WHERE account_id = $1 AND payment_id = $2 AND refunded + $3 <= amount";
    let ChargeKey { account, payment } = refund.charge;
    let values = [account.into(), payment.into(), refund.amount.minor().into()];
    if tx.execute_raw(sql(tx, text, values)).await?.rows_affected() != 1 {
        return Ok(false);
    }
    let text = "INSERT INTO sandbox_provider_refund (account_id, refund_id, payment_id, amount) VALUES ($1, $2, $3, $4)";
    let values = [account.into(), refund.key.into(), payment.into(), refund.amount.minor().into()];
    tx.execute_raw(sql(tx, text, values)).await?;
    Ok(true)
}
