//! Writing what money and what is owed do (R14.3): in the transaction of the fact itself, a set at a time.

use florin_payment::{MoneyMoved, Payment, payment_name};
use florin_platform::db::Tx;
use florin_settlement::Instant;

use crate::{
    domain::money::{MoneyKind, Posting},
    error::Error,
    service::dispute::dispute_name,
    store,
};

/// Records `postings`, in their order, at `at`; their accounts are locked. Two statements for the ends of the chains
/// and one for the rows, however many there are.
pub(crate) async fn post(
    tx: &Tx,
    at: Instant,
    postings: impl IntoIterator<Item = Posting>,
) -> Result<(), Error> {
    let postings: Vec<_> = postings.into_iter().collect();
    Ok(store::money::append(tx, at, &postings).await?)
}

/// What a movement of a payment's money does to the books.
pub(crate) fn moved(at: Instant, payment: &Payment, moved: MoneyMoved<'_>) -> Option<Posting> {
    let of_payment = payment_name(payment.account, payment.id);
    let (kind, amount, document) = match moved {
        MoneyMoved::Captured => (MoneyKind::Captured, payment.amount, of_payment),
        MoneyMoved::WentBack(amount) => (MoneyKind::Refunded, amount, of_payment),
        MoneyMoved::TakenBack(dispute) => (MoneyKind::TakenBack, dispute.amount, dispute_name(dispute)),
        MoneyMoved::CameBack(dispute) => (MoneyKind::CameBack, dispute.amount, dispute_name(dispute)),
    };
    Posting::of(payment.account, kind, amount, at, &document)
}
