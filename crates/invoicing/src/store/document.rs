//! Whole invoices: written in one go, read back with all their parts.

use std::collections::BTreeMap;

use florin_platform::{column::CorruptRow, db::Tx, id::AccountId};
use florin_settlement::{DEBIT_ORDER, Money};
use sea_orm::{ConnectionTrait, DbErr};

use super::{credit_note, debit, invoice, line, settlement, standing, tax};
use crate::domain::{
    charge::Charge,
    draft::InvoiceDraft,
    invoice::{Content, Debit, Invoice, InvoiceId, TaxLine},
    record::SettlementRecord,
    standing::Standing,
};

/// Writes everything of `drafts` but the invoices themselves, whose numbers are taken last.
pub(crate) async fn insert_parts(tx: &Tx, drafts: &[(InvoiceId, &InvoiceDraft)]) -> Result<(), DbErr> {
    let contents = drafts.iter().map(|(id, draft)| (*id, &draft.content)).collect::<Vec<_>>();
    let records = drafts.iter().map(|(id, draft)| (*id, &draft.content, SettlementRecord::of(&draft.plan)));
    let records = records.collect::<Vec<_>>();
    tokio::try_join!(
        line::insert(tx, &contents),
        debit::insert(tx, &contents),
        tax::insert(tx, &contents),
        settlement::insert(tx, &records),
    )?;
    Ok(())
}

/// One invoice of the account, if it exists.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: InvoiceId,
) -> Result<Option<Invoice>, DbErr> {
    let head = invoice::find(connection, account, id).await?;
    Ok(assemble(connection, account, head.into_iter().collect()).await?.pop())
}

/// Those of the account's invoices that have one of `ids`.
pub(crate) async fn of_ids(
    connection: &impl ConnectionTrait,
    account: AccountId,
    ids: &[InvoiceId],
) -> Result<Vec<Invoice>, DbErr> {
    let heads = invoice::find_many(connection, account, ids).await?;
    assemble(connection, account, heads).await
}

/// A page of the account's invoices, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &invoice::Filter,
    after: Option<InvoiceId>,
    fetch: u64,
) -> Result<Vec<Invoice>, DbErr> {
    let heads = invoice::list(connection, account, filter, after, fetch).await?;
    assemble(connection, account, heads).await
}

#[derive(Default)]
struct Parts {
    lines: Vec<Charge>,
    debits: Vec<Debit>,
    tax_lines: Vec<TaxLine>,
    standing: Option<Standing>,
    lowered: i64,
}

async fn assemble(
    connection: &impl ConnectionTrait,
    account: AccountId,
    heads: Vec<invoice::Model>,
) -> Result<Vec<Invoice>, DbErr> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let ids = heads.iter().map(|head| head.id).collect::<Vec<_>>();
    let currencies: BTreeMap<_, _> = heads.iter().map(|head| (head.id, head.currency.0)).collect();
    let mut parts: BTreeMap<InvoiceId, Parts> = BTreeMap::new();
    for row in line::of(connection, account, &ids).await? {
        let of = row.invoice_id;
        parts.entry(of).or_default().lines.push(row.charge(currencies[&of])?);
    }
    for row in debit::of(connection, account, &ids).await? {
        parts.entry(row.invoice_id).or_default().debits.push(row.debit(currencies[&row.invoice_id])?);
    }
    for row in tax::of(connection, account, &ids).await? {
        let of = row.invoice_id;
        parts.entry(of).or_default().tax_lines.push(row.tax_line(currencies[&of])?);
    }
    for row in standing::of(connection, account, &ids).await? {
        parts.entry(row.invoice_id).or_default().standing = Some(Standing::try_from(&row)?);
    }
    for (invoice, lowered) in credit_note::lowered(connection, account, &ids).await? {
        parts.entry(invoice).or_default().lowered = lowered;
    }
    let mut invoices = Vec::with_capacity(heads.len());
    for head in heads {
        let parts = parts.remove(&head.id).unwrap_or_default();
        invoices.push(whole(head, parts)?);
    }
    Ok(invoices)
}

fn whole(head: invoice::Model, mut parts: Parts) -> Result<Invoice, CorruptRow> {
    for line in &mut parts.lines {
        let of = |tax: &&TaxLine| tax.category == line.tax.category && tax.rate == line.tax.rate;
        if let Some(tax) = parts.tax_lines.iter().find(of) {
            line.tax.mention.clone_from(&tax.mention);
        }
    }
    let place = |debit: &Debit| DEBIT_ORDER.iter().position(|kind| *kind == debit.kind);
    parts.debits.sort_by_key(place);
    let standing = parts.standing.ok_or_else(|| CorruptRow::new("invoice", "without a state"))?;
    Ok(Invoice {
        id: head.id,
        issued: head.issued_at.into(),
        standing,
        lowered: Money::new(parts.lowered, head.currency.0),
        content: Content {
            occasion: head.occasion()?,
            account: head.account_id,
            project: head.project_id,
            issuer: head.issuer.clone(),
            currency: head.currency.0,
            settlement: head.settlement_at.into(),
            lines: parts.lines,
            debits: parts.debits,
            tax_lines: parts.tax_lines,
            totals: head.totals(),
        },
        number: head.number,
    })
}
