//! Rows of debts: opened, lowered by credit notes, closed; otherwise never changed.

use florin_payment::PaymentId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{BINDS_MAX, Tx, sql},
    id::AccountId,
    set::insert_all,
};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QuerySelect, Set, entity::prelude::*};

use crate::domain::{
    debt::{Debt, DebtCause, DebtEnding, DebtId},
    invoice::InvoiceId,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "debt")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: DebtId,
    invoice_id: InvoiceId,
    currency: Code,
    amount: Minor,
    cause: String,
    credited: Minor,
    opened_at: At,
    closed_at: Option<At>,
    ending: Option<String>,
    payment_id: Option<PaymentId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "debt";

impl TryFrom<Model> for Debt {
    type Error = CorruptRow;

    fn try_from(row: Model) -> Result<Self, CorruptRow> {
        let currency = row.currency.0;
        let ending = match (row.ending.as_deref(), row.payment_id) {
            (Some("PAID"), Some(payment)) => Some(DebtEnding::Paid(payment)),
            (Some("WRITTEN_OFF"), None) => Some(DebtEnding::WrittenOff),
            (Some("CREDITED"), None) => Some(DebtEnding::Credited),
            (Some("DISPUTE_WON"), None) => Some(DebtEnding::DisputeWon),
            (None, None) => None,
            (ending, _) => return Err(CorruptRow::new(TABLE, format!("{ending:?} does not fit its data"))),
        };
        let ended = match (row.closed_at, ending) {
            (Some(at), Some(ending)) => Some((at.into(), ending)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(CorruptRow::new(TABLE, "closed without an end")),
        };
        Ok(Self {
            account: row.account_id,
            id: row.id,
            invoice: row.invoice_id,
            amount: row.amount.money(currency),
            credited: row.credited.money(currency),
            cause: DebtCause::parse(&row.cause).ok_or_else(|| CorruptRow::new(TABLE, "unknown cause"))?,
            opened: row.opened_at.into(),
            ended,
        })
    }
}

fn read(rows: Vec<Model>) -> Result<Vec<Debt>, DbErr> {
    Ok(rows.into_iter().map(Debt::try_from).collect::<Result<_, _>>()?)
}

/// Opens debts; at most one is open per invoice, which the database also holds.
pub(crate) async fn open(tx: &Tx, debts: &[Debt]) -> Result<(), DbErr> {
    debts.iter().for_each(|debt| tx.touch(debt.account));
    let rows = debts.iter().map(|debt| ActiveModel {
        account_id: Set(debt.account),
        id: Set(debt.id),
        invoice_id: Set(debt.invoice),
        currency: Set(Code(debt.amount.currency())),
        amount: Set(debt.amount.into()),
        cause: Set(debt.cause.as_str().to_owned()),
        credited: Set(debt.credited.into()),
        opened_at: Set(debt.opened.into()),
        closed_at: Set(None),
        ending: Set(None),
        payment_id: Set(None),
    });
    insert_all(tx, rows.collect()).await
}

/// Closes an open debt; whether it was open.
pub(crate) async fn close(
    tx: &Tx,
    at: Instant,
    account: AccountId,
    debt: DebtId,
    ending: DebtEnding,
) -> Result<bool, DbErr> {
    tx.touch(account);
    let payment = match ending {
        DebtEnding::Paid(payment) => Some(payment),
        DebtEnding::WrittenOff | DebtEnding::Credited | DebtEnding::DisputeWon => None,
    };
    let text = "UPDATE debt SET closed_at = $3, ending = $4, payment_id = $5 \
                WHERE account_id = $1 AND id = $2 AND closed_at IS NULL";
    let values = [account.into(), debt.into(), At::from(at).into(), ending.as_str().into(), payment.into()];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() > 0)
}

/// Lowers what is owed of an open debt by `amount`, which the database keeps within what is owed.
pub(crate) async fn lower(tx: &Tx, account: AccountId, debt: DebtId, amount: Money) -> Result<(), DbErr> {
    let text = "UPDATE debt SET credited = credited + $3 \
                WHERE account_id = $1 AND id = $2 AND closed_at IS NULL";
    let values = [account.into(), debt.into(), amount.minor().into()];
    tx.execute_raw(sql(tx, text, values)).await.map(|_| ())
}

/// One debt of the account, if it exists.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: DebtId,
) -> Result<Option<Debt>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(row.map(Debt::try_from).transpose()?)
}

/// The open debt of an invoice, if there is one.
pub(crate) async fn open_of(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
) -> Result<Option<Debt>, DbErr> {
    let row = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.eq(invoice))
        .filter(Column::ClosedAt.is_null())
        .one(connection)
        .await?;
    Ok(row.map(Debt::try_from).transpose()?)
}

/// Every debt an invoice ever had, oldest first.
pub(crate) async fn of_invoice(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
) -> Result<Vec<Debt>, DbErr> {
    let rows = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.eq(invoice))
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    read(rows)
}

/// The debt of an invoice that `payment` paid, if it paid one.
pub(crate) async fn paid_by(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    payment: PaymentId,
) -> Result<Option<Debt>, DbErr> {
    let row = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.eq(invoice))
        .filter(Column::PaymentId.eq(payment))
        .order_by_desc(Column::Id)
        .one(connection)
        .await?;
    Ok(row.map(Debt::try_from).transpose()?)
}

/// Which debts are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All there ever were.
    All,
    /// Those still owed.
    Open,
}

/// Debts of the account, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    wanted: Wanted,
    after: Option<DebtId>,
    fetch: u64,
) -> Result<Vec<Debt>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    query = match wanted {
        Wanted::All => query,
        Wanted::Open => query.filter(Column::ClosedAt.is_null()),
    };
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    read(query.all(connection).await?)
}

/// Every open debt of `accounts`, by account, oldest first.
pub(crate) async fn open_of_accounts(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<Vec<Debt>, DbErr> {
    let mut debts = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let rows = Entity::find()
            .filter(Column::AccountId.is_in(chunk.iter().copied()))
            .filter(Column::ClosedAt.is_null())
            .order_by_asc(Column::AccountId)
            .order_by_asc(Column::Id)
            .all(connection)
            .await?;
        debts.extend(read(rows)?);
    }
    Ok(debts)
}

/// Whether the account owes anything (R9.3).
pub(crate) async fn exists(connection: &impl ConnectionTrait, account: AccountId) -> Result<bool, DbErr> {
    let text = "SELECT 1 FROM debt WHERE account_id = $1 AND closed_at IS NULL LIMIT 1";
    Ok(connection.query_one_raw(sql(connection, text, [account.into()])).await?.is_some())
}

/// The invoices the account owes money for, the oldest debt first; at most `limit`.
pub(crate) async fn owed_for(
    connection: &impl ConnectionTrait,
    account: AccountId,
    limit: usize,
) -> Result<Vec<InvoiceId>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::ClosedAt.is_null())
        .order_by_asc(Column::OpenedAt)
        .limit(u64::try_from(limit).ok());
    Ok(query.all(connection).await?.into_iter().map(|row| row.invoice_id).collect())
}
