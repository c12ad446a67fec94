//! Rows of settlement records: everything needed to explain and recompute a settlement (R7.8).

use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::Tx,
    id::AccountId,
    set::insert_all,
};
use florin_settlement::{
    AccountRef, Currency, LineKey, Lot, LotId, LotKind, LotOwner, LotParts, ProjectRef, RecordedDebit,
    Restriction, SkipReason,
};
use sea_orm::{ConnectionTrait, DbErr, QueryOrder, Set, entity::prelude::*};
use uuid::Uuid;

use crate::domain::{
    invoice::{Content, InvoiceId},
    record::{RecordedLot, SettlementRecord},
};

mod lot {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settlement_lot")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) invoice_id: InvoiceId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) position: i64,
        pub(super) lot_id: Uuid,
        pub(super) kind: String,
        pub(super) owner_project_id: Option<Uuid>,
        pub(super) currency: Code,
        pub(super) initial: Minor,
        pub(super) remaining_before: Minor,
        pub(super) taken: Minor,
        pub(super) remaining_after: Minor,
        pub(super) issued_at: At,
        pub(super) expires_at: Option<At>,
        pub(super) restriction: String,
        pub(super) skip_reason: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

mod paid {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settlement_debit")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: AccountId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) invoice_id: InvoiceId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) lot_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line_number: i64,
        pub(super) amount: Minor,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}
}

const TABLE: &str = "settlement_lot";

impl lot::Model {
    fn recorded(&self) -> Result<RecordedLot, CorruptRow> {
        let currency = self.currency.0;
        let owner = match self.owner_project_id {
            Some(project) => LotOwner::Project(ProjectRef::from_u128(project.as_u128())),
            None => LotOwner::Account(AccountRef::from_u128(self.account_id.as_u128())),
        };
        let parts = LotParts {
            id: LotId::from_u128(self.lot_id.as_u128()),
            kind: LotKind::parse(&self.kind).map_err(CorruptRow::of(TABLE))?,
            owner,
            initial: self.initial.money(currency),
            remaining: self.remaining_before.money(currency),
            issued: self.issued_at.into(),
            expires: self.expires_at.map(Into::into),
            restriction: Restriction::parse(&self.restriction).map_err(CorruptRow::of(TABLE))?,
        };
        let skipped = self.skip_reason.as_deref().map(SkipReason::parse).transpose();
        Ok(RecordedLot {
            lot: Lot::try_new(parts).map_err(CorruptRow::of(TABLE))?,
            taken: self.taken.money(currency),
            after: self.remaining_after.money(currency),
            skipped: skipped.map_err(CorruptRow::of(TABLE))?,
        })
    }
}

fn lot_row(id: InvoiceId, account: AccountId, position: i64, recorded: &RecordedLot) -> lot::ActiveModel {
    let RecordedLot { lot, taken, after, skipped } = recorded;
    lot::ActiveModel {
        account_id: Set(account),
        invoice_id: Set(id),
        position: Set(position),
        lot_id: Set(Uuid::from_u128(lot.id().as_u128())),
        kind: Set(lot.kind().as_str().to_owned()),
        owner_project_id: Set(lot.project().map(|project| Uuid::from_u128(project.as_u128()))),
        currency: Set(Code(lot.currency())),
        initial: Set(lot.initial().into()),
        remaining_before: Set(lot.remaining().into()),
        taken: Set((*taken).into()),
        remaining_after: Set((*after).into()),
        issued_at: Set(lot.issued().into()),
        expires_at: Set(lot.expires().map(Into::into)),
        restriction: Set(lot.restriction().as_text()),
        skip_reason: Set(skipped.map(|reason| reason.as_str().to_owned())),
    }
}

pub(crate) async fn insert(
    tx: &Tx,
    records: &[(InvoiceId, &Content, SettlementRecord)],
) -> Result<(), DbErr> {
    let mut lots = Vec::new();
    let mut debits = Vec::new();
    for (id, content, record) in records {
        for (position, recorded) in (1_i64..).zip(&record.lots) {
            lots.push(lot_row(*id, content.account, position, recorded));
        }
        debits.extend(record.debits.iter().map(|debit| paid::ActiveModel {
            account_id: Set(content.account),
            invoice_id: Set(*id),
            lot_id: Set(Uuid::from_u128(debit.lot.as_u128())),
            line_number: Set(i64::from(debit.line.as_u32())),
            amount: Set(debit.amount.into()),
        }));
    }
    insert_all(tx, lots).await?;
    insert_all(tx, debits).await
}

/// The record of one invoice's settlement.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
    currency: Currency,
) -> Result<SettlementRecord, DbErr> {
    let lots = lot::Entity::find()
        .filter(lot::Column::AccountId.eq(account))
        .filter(lot::Column::InvoiceId.eq(invoice))
        .order_by_asc(lot::Column::Position)
        .all(connection)
        .await?;
    let debits = paid::Entity::find()
        .filter(paid::Column::AccountId.eq(account))
        .filter(paid::Column::InvoiceId.eq(invoice))
        .order_by_asc(paid::Column::LineNumber)
        .all(connection)
        .await?;
    let mut record = SettlementRecord { lots: Vec::with_capacity(lots.len()), debits: Vec::new() };
    for row in &lots {
        record.lots.push(row.recorded()?);
    }
    for row in debits {
        let line = u32::try_from(row.line_number).map_err(CorruptRow::of("settlement_debit"))?;
        record.debits.push(RecordedDebit {
            lot: LotId::from_u128(row.lot_id.as_u128()),
            line: LineKey::from_u32(line),
            amount: row.amount.money(currency),
        });
    }
    Ok(record)
}
