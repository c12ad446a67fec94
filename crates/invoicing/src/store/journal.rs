//! The numbers of documents a journal names.

use std::collections::{BTreeMap, BTreeSet};

use florin_platform::{
    db::{BINDS_MAX, sql},
    id::AccountId,
    wire::parse_child,
};
use sea_orm::{ConnectionTrait, DbErr, Value};
use uuid::Uuid;

use crate::domain::{
    credit_note::{CREDIT_NOTES, CreditNoteId, credit_note_name},
    invoice::{INVOICES, InvoiceId, invoice_name},
};

/// The number of each of `documents`, which are resource names, that is an invoice or a credit note.
pub(crate) async fn numbers(
    connection: &impl ConnectionTrait,
    documents: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, DbErr> {
    let invoices = documents.iter().filter_map(|name| parse_child(INVOICES, name).ok());
    let invoices: Vec<_> = invoices.map(|(account, id): (_, InvoiceId)| (account, id.uuid())).collect();
    let notes = documents.iter().filter_map(|name| parse_child(CREDIT_NOTES, name).ok());
    let notes: Vec<_> = notes.map(|(account, id): (_, CreditNoteId)| (account, id.uuid())).collect();
    let mut numbers = BTreeMap::new();
    for (account, id, number) in of(connection, "invoice", &invoices).await? {
        numbers.insert(invoice_name(account, InvoiceId::from_uuid(id)), number);
    }
    for (account, id, number) in of(connection, "credit_note", &notes).await? {
        numbers.insert(credit_note_name(account, CreditNoteId::from_uuid(id)), number);
    }
    Ok(numbers)
}

async fn of(
    connection: &impl ConnectionTrait,
    table: &str,
    keys: &[(AccountId, Uuid)],
) -> Result<Vec<(AccountId, Uuid, String)>, DbErr> {
    let mut found = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(BINDS_MAX / 2) {
        let places = (0..chunk.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2));
        let text = format!(
            "SELECT account_id, id, number FROM {table} WHERE (account_id, id) IN (VALUES {})",
            places.collect::<Vec<_>>().join(", ")
        );
        let values = chunk.iter().flat_map(|(account, id)| [Value::from(*account), (*id).into()]);
        for row in connection.query_all_raw(sql(connection, &text, values)).await? {
            found.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?));
        }
    }
    Ok(found)
}
