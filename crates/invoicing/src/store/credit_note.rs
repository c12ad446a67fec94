//! Rows of credit notes: written once, guarded; never more than was invoiced, which the database holds too.

use std::collections::BTreeMap;

use florin_platform::{
    column::{At, Code, CorruptRow, Minor, Rate},
    db::{Tx, sql},
    id::AccountId,
    set::insert_all,
};
use florin_project::ProjectId;
use florin_settlement::{Currency, LotId, Money, Quantity, TaxCategory, TaxRate};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, QueryResult, QuerySelect, Set, entity::prelude::*};
use uuid::Uuid;

use super::{parties::PartiesId, refund};
use crate::domain::{
    credit_note::{CreditNote, CreditNoteId, CreditNoteReason, CreditTotals, Earlier, Reduction, Returned},
    invoice::{InvoiceId, TaxLine},
};

mod line {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note_line")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: CreditNoteId,
        pub(super) invoice_id: InvoiceId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line_number: i64,
        pub(super) net: Minor,
        pub(super) quantity: Option<Rate>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod tax {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note_tax")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: CreditNoteId,
        pub(super) invoice_id: InvoiceId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) position: i64,
        pub(super) category: String,
        pub(super) rate: Rate,
        pub(super) base: Minor,
        pub(super) tax: Minor,
        pub(super) mention: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod returned {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note_return")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) credit_note_id: CreditNoteId,
        pub(super) invoice_id: InvoiceId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) source_lot_id: Uuid,
        pub(super) lot_id: Uuid,
        pub(super) amount: Minor,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credit_note")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    id: CreditNoteId,
    number: String,
    invoice_id: InvoiceId,
    project_id: ProjectId,
    issuer: String,
    currency: Code,
    reason: String,
    explanation: String,
    net_total: Minor,
    credit_returned: Minor,
    net_money: Minor,
    tax_total: Minor,
    amount_incl_tax: Minor,
    lowered_debt: Minor,
    refunded: Minor,
    issued_at: At,
    parties_id: Option<PartiesId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "credit_note";

impl tax::Model {
    fn tax_line(self, currency: Currency) -> Result<TaxLine, CorruptRow> {
        Ok(TaxLine {
            category: TaxCategory::parse(&self.category).map_err(CorruptRow::of(TABLE))?,
            rate: TaxRate::try_new(self.rate.0).map_err(CorruptRow::of(TABLE))?,
            base: self.base.money(currency),
            tax: self.tax.money(currency),
            mention: self.mention,
        })
    }
}

impl line::Model {
    fn reduction(&self, currency: Currency) -> Result<Reduction, CorruptRow> {
        let line = u32::try_from(self.line_number).map_err(CorruptRow::of(TABLE))?;
        Ok(Reduction { line, net: self.net.money(currency), quantity: self.quantity()? })
    }

    fn quantity(&self) -> Result<Option<Quantity>, CorruptRow> {
        let quantity = self.quantity.as_ref().map(|quantity| Quantity::try_new(quantity.0));
        quantity.transpose().map_err(CorruptRow::of(TABLE))
    }
}

/// Writes the parts of a note, whose number is taken last: lines, VAT, and what came back as credit.
pub(crate) async fn insert_parts(tx: &Tx, note: &CreditNote) -> Result<(), DbErr> {
    let lines = note.lines.iter().map(|reduction| line::ActiveModel {
        account_id: Set(note.account),
        credit_note_id: Set(note.id),
        invoice_id: Set(note.invoice),
        line_number: Set(i64::from(reduction.line)),
        net: Set(reduction.net.into()),
        quantity: Set(reduction.quantity.map(|quantity| Rate(quantity.value()))),
    });
    insert_all(tx, lines.collect()).await?;
    let taxes = (1_i64..).zip(&note.tax_lines).map(|(position, line)| tax::ActiveModel {
        account_id: Set(note.account),
        credit_note_id: Set(note.id),
        invoice_id: Set(note.invoice),
        position: Set(position),
        category: Set(line.category.as_str().to_owned()),
        rate: Set(Rate(line.rate.percent())),
        base: Set(line.base.into()),
        tax: Set(line.tax.into()),
        mention: Set(line.mention.clone()),
    });
    insert_all(tx, taxes.collect()).await?;
    let returns = note.returned.iter().map(|returned| returned::ActiveModel {
        account_id: Set(note.account),
        credit_note_id: Set(note.id),
        invoice_id: Set(note.invoice),
        source_lot_id: Set(Uuid::from_u128(returned.source.as_u128())),
        lot_id: Set(Uuid::from_u128(returned.lot.as_u128())),
        amount: Set(returned.amount.into()),
    });
    insert_all(tx, returns.collect()).await
}

/// Writes the note itself, with its number.
pub(crate) async fn insert(tx: &Tx, note: &CreditNote, parties: PartiesId) -> Result<(), DbErr> {
    let totals = note.totals;
    let row = ActiveModel {
        account_id: Set(note.account),
        id: Set(note.id),
        number: Set(note.number.clone()),
        invoice_id: Set(note.invoice),
        project_id: Set(note.project),
        issuer: Set(note.issuer.clone()),
        currency: Set(Code(note.currency)),
        reason: Set(note.reason.as_str().to_owned()),
        explanation: Set(note.explanation.clone()),
        net_total: Set(totals.net_total.into()),
        credit_returned: Set(totals.credit_returned.into()),
        net_money: Set(totals.net_money.into()),
        tax_total: Set(totals.tax_total.into()),
        amount_incl_tax: Set(totals.amount_incl_tax.into()),
        lowered_debt: Set(note.lowered_debt.into()),
        refunded: Set(note.refunded().map_err(CorruptRow::of(TABLE))?.into()),
        issued_at: Set(note.issued.into()),
        parties_id: Set(Some(parties)),
    };
    Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// What the notes of an invoice gave so far, all together.
pub(crate) async fn earlier(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    currency: Currency,
) -> Result<Earlier, DbErr> {
    let mut earlier = Earlier::none(currency);
    let sum = |row: &QueryResult, column: usize| -> Result<Money, DbErr> {
        Ok(Money::new(row.try_get_by_index::<i64>(column)?, currency))
    };
    let keys = || [account.into(), invoice.into()];
    let lines = line::Entity::find()
        .filter(line::Column::AccountId.eq(account))
        .filter(line::Column::InvoiceId.eq(invoice))
        .all(connection)
        .await?;
    for row in lines {
        earlier.add(&row.reduction(currency)?).map_err(CorruptRow::of(TABLE))?;
    }
    let text = "SELECT source_lot_id, CAST(SUM(amount) AS bigint) FROM credit_note_return \
                WHERE account_id = $1 AND invoice_id = $2 GROUP BY source_lot_id";
    for row in connection.query_all_raw(sql(connection, text, keys())).await? {
        let lot: Uuid = row.try_get_by_index(0)?;
        earlier.returned.push((LotId::from_u128(lot.as_u128()), sum(&row, 1)?));
    }
    earlier.net_money = net_money(connection, account, invoice, currency).await?;
    let taxes = tax::Entity::find()
        .filter(tax::Column::AccountId.eq(account))
        .filter(tax::Column::InvoiceId.eq(invoice))
        .all(connection)
        .await?;
    for row in taxes {
        earlier.tax_lines.push(row.tax_line(currency)?);
    }
    Ok(earlier)
}

/// What the notes of an invoice credited in money so far, net.
pub(crate) async fn net_money(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    currency: Currency,
) -> Result<Money, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(net_money), 0) AS bigint) FROM credit_note \
                WHERE account_id = $1 AND invoice_id = $2";
    let row = connection.query_one_raw(sql(connection, text, [account.into(), invoice.into()])).await?;
    let minor: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    Ok(Money::new(minor, currency))
}

/// What operators' corrections of an invoice came to so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrected {
    /// Credit and money together, with VAT.
    pub(crate) value: Money,
    /// What of the money neither lowered a debt nor went back: it had never been paid.
    pub(crate) forgiven: Money,
}

/// See [`Corrected`].
pub(crate) async fn corrected(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    currency: Currency,
) -> Result<Corrected, DbErr> {
    let text = "SELECT CAST(COALESCE(SUM(credit_returned + amount_incl_tax), 0) AS bigint), \
                CAST(COALESCE(SUM(amount_incl_tax - lowered_debt - refunded), 0) AS bigint) FROM credit_note \
                WHERE account_id = $1 AND invoice_id = $2 AND reason = $3";
    let values = [account.into(), invoice.into(), CreditNoteReason::Correction.as_str().into()];
    let row = connection.query_one_raw(sql(connection, text, values)).await?;
    let (value, forgiven) = match row {
        Some(row) => (row.try_get_by_index(0)?, row.try_get_by_index(1)?),
        None => (0, 0),
    };
    Ok(Corrected { value: Money::new(value, currency), forgiven: Money::new(forgiven, currency) })
}

/// What notes took of invoices before these were paid, in minor units; invoices without any are left out.
pub(crate) async fn lowered(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<(InvoiceId, i64)>, DbErr> {
    let rows = Entity::find()
        .select_only()
        .column(Column::InvoiceId)
        .column(Column::LoweredDebt)
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .filter(Column::LoweredDebt.gt(Minor(0)))
        .into_tuple::<(InvoiceId, i64)>()
        .all(connection)
        .await?;
    let mut sums: BTreeMap<InvoiceId, i64> = BTreeMap::new();
    for (invoice, minor) in rows {
        let sum = sums.entry(invoice).or_default();
        *sum = sum.checked_add(minor).ok_or_else(|| CorruptRow::new(TABLE, "a sum out of range"))?;
    }
    Ok(sums.into_iter().collect())
}

/// One note of the account, if it exists.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: CreditNoteId,
) -> Result<Option<CreditNote>, DbErr> {
    let row = Entity::find_by_id((account, id)).one(connection).await?;
    Ok(whole(connection, account, row.into_iter().collect()).await?.pop())
}

/// Notes of the account, oldest first; of one invoice alone, if it is given.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: Option<InvoiceId>,
    after: Option<CreditNoteId>,
    fetch: u64,
) -> Result<Vec<CreditNote>, DbErr> {
    let mut query =
        Entity::find().filter(Column::AccountId.eq(account)).order_by_asc(Column::Id).limit(fetch);
    if let Some(invoice) = invoice {
        query = query.filter(Column::InvoiceId.eq(invoice));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    let rows = query.all(connection).await?;
    whole(connection, account, rows).await
}

/// The notes of `invoices` of one account, oldest first.
pub(crate) async fn of_invoices(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoices: &[InvoiceId],
) -> Result<Vec<CreditNote>, DbErr> {
    let query = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::InvoiceId.is_in(invoices.iter().copied()))
        .order_by_asc(Column::Id);
    whole(connection, account, query.all(connection).await?).await
}

async fn whole(
    connection: &impl ConnectionTrait,
    account: AccountId,
    rows: Vec<Model>,
) -> Result<Vec<CreditNote>, DbErr> {
    let ids = rows.iter().map(|row| row.id).collect::<Vec<_>>();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut notes = rows.into_iter().map(head).collect::<Result<Vec<_>, _>>()?;
    let lines = line::Entity::find()
        .filter(line::Column::AccountId.eq(account))
        .filter(line::Column::CreditNoteId.is_in(ids.iter().copied()))
        .order_by_asc(line::Column::LineNumber)
        .all(connection)
        .await?;
    let taxes = tax::Entity::find()
        .filter(tax::Column::AccountId.eq(account))
        .filter(tax::Column::CreditNoteId.is_in(ids.iter().copied()))
        .order_by_asc(tax::Column::Position)
        .all(connection)
        .await?;
    let returns = returned::Entity::find()
        .filter(returned::Column::AccountId.eq(account))
        .filter(returned::Column::CreditNoteId.is_in(ids.iter().copied()))
        .order_by_asc(returned::Column::SourceLotId)
        .all(connection)
        .await?;
    let invoices = notes.iter().map(|note| note.invoice).collect::<Vec<_>>();
    let refunds = refund::of_invoices(connection, account, &invoices).await?;
    for note in &mut notes {
        let name = note.name();
        note.refunds = refunds.iter().filter(|of| of.source == name).map(|of| of.refunded).collect();
        for line in lines.iter().filter(|line| line.credit_note_id == note.id) {
            note.lines.push(line.reduction(note.currency)?);
        }
        for tax in taxes.iter().filter(|tax| tax.credit_note_id == note.id) {
            note.tax_lines.push(tax.clone().tax_line(note.currency)?);
        }
        for row in returns.iter().filter(|row| row.credit_note_id == note.id) {
            note.returned.push(Returned {
                source: LotId::from_u128(row.source_lot_id.as_u128()),
                lot: LotId::from_u128(row.lot_id.as_u128()),
                amount: row.amount.money(note.currency),
            });
        }
    }
    Ok(notes)
}

fn head(row: Model) -> Result<CreditNote, CorruptRow> {
    let currency = row.currency.0;
    Ok(CreditNote {
        account: row.account_id,
        id: row.id,
        number: row.number,
        invoice: row.invoice_id,
        project: row.project_id,
        issuer: row.issuer,
        currency,
        reason: CreditNoteReason::parse(&row.reason)
            .ok_or_else(|| CorruptRow::new(TABLE, "unknown reason"))?,
        explanation: row.explanation,
        lines: Vec::new(),
        tax_lines: Vec::new(),
        returned: Vec::new(),
        totals: CreditTotals {
            net_total: row.net_total.money(currency),
            credit_returned: row.credit_returned.money(currency),
            net_money: row.net_money.money(currency),
            tax_total: row.tax_total.money(currency),
            amount_incl_tax: row.amount_incl_tax.money(currency),
        },
        lowered_debt: row.lowered_debt.money(currency),
        refunds: Vec::new(),
        issued: row.issued_at.into(),
    })
}
