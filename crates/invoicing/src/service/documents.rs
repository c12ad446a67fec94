//! What printable documents are made of (R8.6): what was issued, and its parties as they were then.

use florin_platform::{call::Call, id::AccountId, wire::parse_child};
use florin_settlement::{LotId, LotKind, Money};
use sea_orm::ConnectionTrait;

use super::query;
use crate::{
    documents::{CreditNoteSheet, InvoiceSheet, Prepaid},
    domain::{
        credit_note::{CreditNote, CreditNoteId, credit_note_name},
        invoice::{INVOICES, Invoice, InvoiceId, invoice_name},
        record::SettlementRecord,
    },
    error::Error,
    store,
};

/// Everything the document of an invoice says; NOT_FOUND is also what other customers' invoices are.
pub(crate) async fn invoice(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: InvoiceId,
) -> Result<InvoiceSheet, Error> {
    let (invoice, record) = query::explanation(connection, call, account, id).await?;
    let missing = || Error::NotFound(invoice_name(account, id));
    let parties = store::parties::of_invoice(connection, account, id).await?.ok_or_else(missing)?;
    let prepaid = prepaid(connection, &invoice, &record).await?;
    Ok(InvoiceSheet { invoice, parties, prepaid })
}

/// Everything the document of a credit note says; NOT_FOUND is also what other customers' notes are.
pub(crate) async fn credit_note(
    connection: &impl ConnectionTrait,
    call: &Call,
    account: AccountId,
    id: CreditNoteId,
) -> Result<CreditNoteSheet, Error> {
    let note = query::credit_note(connection, call, account, id).await?;
    let missing = || Error::NotFound(credit_note_name(account, id));
    let parties = store::parties::of_credit_note(connection, account, id).await?.ok_or_else(missing)?;
    let corrected = store::document::find(connection, account, note.invoice).await?;
    let invoice = corrected.ok_or_else(|| Error::NotFound(invoice_name(account, note.invoice)))?;
    let record = store::settlement::find(connection, account, note.invoice, note.currency).await?;
    let returned = returned(&note, &record)?;
    Ok(CreditNoteSheet { note, invoice, parties, returned })
}

/// The cloud credit an invoice used, by the invoice it was bought with, in debit order (R7.4).
async fn prepaid(
    connection: &impl ConnectionTrait,
    invoice: &Invoice,
    record: &SettlementRecord,
) -> Result<Vec<Prepaid>, Error> {
    let account = invoice.content.account;
    let used =
        record.lots.iter().filter(|of| of.lot.kind() == LotKind::CloudCredit && of.taken.is_positive());
    let used: Vec<_> = used.map(|of| (of.lot.id(), of.taken)).collect();
    let lots: Vec<LotId> = used.iter().map(|(lot, _)| *lot).collect();
    let mut prepaid: Vec<Prepaid> = Vec::new();
    for (lot, purchase) in florin_credit::lots::purchases(connection, account, &lots).await? {
        let (_, bought_with): (AccountId, InvoiceId) =
            parse_child(INVOICES, &purchase).map_err(|_| Error::UnknownReference(purchase.clone()))?;
        let head = store::invoice::find(connection, account, bought_with).await?;
        let number = head.ok_or_else(|| Error::NotFound(purchase.clone()))?.number;
        let Some((_, amount)) = used.iter().find(|(id, _)| *id == lot) else { continue };
        match prepaid.iter_mut().find(|prepaid| prepaid.purchase_invoice == number) {
            Some(same) => same.amount = same.amount.checked_add(*amount)?,
            None => prepaid.push(Prepaid { amount: *amount, purchase_invoice: number }),
        }
    }
    Ok(prepaid)
}

/// What a note gave back as credit, by kind, in debit order.
fn returned(note: &CreditNote, record: &SettlementRecord) -> Result<Vec<(LotKind, Money)>, Error> {
    let mut kinds: Vec<(LotKind, Money)> = Vec::new();
    for of in &record.lots {
        for returned in note.returned.iter().filter(|returned| returned.source == of.lot.id()) {
            let kind = of.lot.kind();
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, sum)) => *sum = sum.checked_add(returned.amount)?,
                None => kinds.push((kind, returned.amount)),
            }
        }
    }
    Ok(kinds)
}
