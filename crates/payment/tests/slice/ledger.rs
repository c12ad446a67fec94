//! What is paid for, in these tests: remembers in the database what it was told, so that what was told twice
//! shows, and what was rolled back does not.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use florin_payment::{
    BoxError, Dispute, MethodNeeds, MoneyMoved, Outcomes, Payment, PaymentId, PaymentMethodId, Settled,
};
use florin_platform::{
    call::Call,
    db::{Reader, Tx, sql},
    id::AccountId,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

const TABLES: [&str; 2] = [
    "CREATE TABLE told (what text NOT NULL, subject text NOT NULL, reference text NOT NULL)",
    "CREATE TABLE moved (payment text NOT NULL, currency text NOT NULL, amount bigint NOT NULL)",
];

/// Accepts the first payment of each reference, and can be made to fail.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) fails: AtomicBool,
    /// What needs a payment method.
    pub(crate) needs: Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl MethodNeeds for Ledger {
    async fn needed_by(&self, _: Reader<'_>, _: AccountId) -> Result<Vec<String>, BoxError> {
        Ok(self.needs.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Ledger {
    pub(crate) async fn prepare(connection: &impl ConnectionTrait) {
        for table in TABLES {
            connection.execute_unprepared(table).await.expect("a table can be made");
        }
    }

    /// What it was told of the money of a payment, in minor units.
    pub(crate) async fn moved(connection: &impl ConnectionTrait, payment: PaymentId) -> i64 {
        let text = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM moved WHERE payment = $1";
        let statement = sql(connection, text, [payment.to_string().into()]);
        let row = connection.query_one_raw(statement).await.expect("a query").expect("a sum");
        row.try_get_by_index(0).expect("a number")
    }

    /// What it was told about `subject`, in order of the alphabet.
    pub(crate) async fn told(connection: &impl ConnectionTrait, subject: &str) -> Vec<String> {
        let text = "SELECT what FROM told WHERE subject = $1 ORDER BY what";
        let rows = connection.query_all_raw(sql(connection, text, [subject.into()])).await.expect("a query");
        rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
    }

    async fn note(&self, tx: &Tx, what: &str, subject: String, reference: &str) -> Result<(), BoxError> {
        let text = "INSERT INTO told (what, subject, reference) VALUES ($1, $2, $3)";
        tx.execute_raw(sql(tx, text, [what.into(), subject.into(), reference.into()])).await?;
        if self.fails.load(Ordering::SeqCst) { Err("made to fail".into()) } else { Ok(()) }
    }
}

async fn is_paid(tx: &Tx, reference: &str) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM told WHERE what = 'accepted' AND reference = $1";
    Ok(tx.query_one_raw(sql(tx, text, [reference.into()])).await?.is_some())
}

#[async_trait::async_trait]
impl Outcomes for Ledger {
    async fn money_moved(
        &self,
        tx: &Tx,
        _: Instant,
        payment: &Payment,
        moved: MoneyMoved<'_>,
    ) -> Result<(), BoxError> {
        let (sign, amount) = match moved {
            MoneyMoved::Captured => (1, payment.amount),
            MoneyMoved::CameBack(dispute) => (1, dispute.amount),
            MoneyMoved::WentBack(amount) => (-1, amount),
            MoneyMoved::TakenBack(dispute) => (-1, dispute.amount),
        };
        let text = "INSERT INTO moved (payment, currency, amount) VALUES ($1, $2, $3)";
        let currency = amount.currency().code();
        let values = [payment.id.to_string().into(), currency.into(), (sign * amount.minor()).into()];
        tx.execute_raw(sql(tx, text, values)).await?;
        Ok(())
    }

    async fn settled(&self, tx: &Tx, _: Instant, _: &Call, payment: &Payment) -> Result<Settled, BoxError> {
        let unwanted = is_paid(tx, &payment.reference).await?;
        let what = if unwanted { "unwanted" } else { "accepted" };
        self.note(tx, what, payment.id.to_string(), &payment.reference).await?;
        Ok(if unwanted { Settled::Unwanted } else { Settled::Accepted })
    }

    async fn failed(&self, tx: &Tx, _: Instant, _: &Call, payment: &Payment) -> Result<(), BoxError> {
        self.note(tx, "failed", payment.id.to_string(), &payment.reference).await
    }

    async fn disputed(
        &self,
        tx: &Tx,
        _: Instant,
        _: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError> {
        self.note(tx, &format!("disputed {}", dispute.amount), payment.id.to_string(), &payment.reference)
            .await
    }

    async fn dispute_won(
        &self,
        tx: &Tx,
        _: Instant,
        _: &Call,
        payment: &Payment,
        dispute: &Dispute,
    ) -> Result<(), BoxError> {
        self.note(tx, &format!("won {}", dispute.amount), payment.id.to_string(), &payment.reference).await
    }

    async fn method_valid(
        &self,
        tx: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        self.note(tx, "valid", method.to_string(), "").await
    }

    async fn method_refused(
        &self,
        tx: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        method: PaymentMethodId,
    ) -> Result<(), BoxError> {
        self.note(tx, "refused", method.to_string(), "").await
    }
}
