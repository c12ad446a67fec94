//! Documents, one by one: each is recomputed from its stored record alone (R7.8), and bears the number it was given.

use std::{collections::BTreeMap, error::Error as _};

use florin_platform::{
    finding::{AccountRange, Finding, Findings},
    id::AccountId,
};
use florin_settlement::rounding;
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use super::credit_notes;
use crate::{
    domain::{
        credit_note::{CreditNote, CreditNoteId, credit_note_name},
        invoice::{Invoice, InvoiceId, invoice_name},
        record::{ProofError, prove},
    },
    store::{self, audit::Bearer},
};

/// How many documents are read at a time.
const PAGE: u64 = 200;

/// Recomputes every invoice of `accounts` with its credit notes, and looks for the number of each document.
pub(crate) async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let mut after = (AccountId::from_u128(0), Uuid::nil());
    loop {
        let page = store::audit::invoices(connection, accounts, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.account_id, last.id);
        let name = |bearer: &Bearer| invoice_name(bearer.account_id, InvoiceId::from_uuid(bearer.id));
        check_numbers(connection, &page, name, findings).await?;
        for of_account in page.chunk_by(|one, next| one.account_id == next.account_id) {
            let ids: Vec<_> = of_account.iter().map(|bearer| InvoiceId::from_uuid(bearer.id)).collect();
            check_invoices(connection, of_account[0].account_id, &ids, findings).await?;
        }
    }
    let mut after = (AccountId::from_u128(0), Uuid::nil());
    loop {
        let page = store::audit::credit_notes(connection, accounts, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = (last.account_id, last.id);
        let name = |bearer: &Bearer| credit_note_name(bearer.account_id, CreditNoteId::from_uuid(bearer.id));
        check_numbers(connection, &page, name, findings).await?;
    }
    Ok(())
}

/// Each document stands in its series under the number it bears.
async fn check_numbers(
    connection: &impl ConnectionTrait,
    bearers: &[Bearer],
    name: impl Fn(&Bearer) -> String,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let numbers: Vec<_> = bearers.iter().filter_map(|bearer| parse(&bearer.number)).collect();
    let assigned: BTreeMap<_, _> = store::audit::assigned(connection, &numbers).await?.into_iter().collect();
    for bearer in bearers {
        let to = parse(&bearer.number).and_then(|number| assigned.get(&number));
        if to != Some(&(bearer.account_id, bearer.id)) {
            findings.add(Finding {
                what: "a document bears a number that was given to it",
                place: name(bearer),
                expected: "its number in its series".to_owned(),
                found: bearer.number.clone(),
            });
        }
    }
    Ok(())
}

/// `FR-P-2027-000012` as series, year and number.
pub(super) fn parse(number: &str) -> Option<(String, i64, i64)> {
    let mut parts = number.rsplitn(3, '-');
    let (number, year, series) = (parts.next()?, parts.next()?, parts.next()?);
    Some((series.to_owned(), year.parse().ok()?, number.parse().ok()?))
}

async fn check_invoices(
    connection: &impl ConnectionTrait,
    account: AccountId,
    ids: &[InvoiceId],
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let (invoices, notes) = match read(connection, account, ids).await {
        Ok(read) => read,
        // One of them is not what was written: which?
        Err(DbErr::Type(reason)) => {
            match ids {
                [] => {}
                [id] => findings.add(unreadable(account, *id, reason)),
                _ => {
                    for id in ids {
                        Box::pin(check_invoices(connection, account, &[*id], findings)).await?;
                    }
                }
            }
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    for invoice in &invoices {
        let of_invoice = notes.iter().filter(|note| note.invoice == invoice.id).collect();
        check_invoice(connection, invoice, of_invoice, findings).await?;
    }
    credit_notes::check_effects(connection, account, &notes, findings).await
}

async fn read(
    connection: &impl ConnectionTrait,
    account: AccountId,
    ids: &[InvoiceId],
) -> Result<(Vec<Invoice>, Vec<CreditNote>), DbErr> {
    let invoices = store::document::of_ids(connection, account, ids).await?;
    Ok((invoices, store::credit_note::of_invoices(connection, account, ids).await?))
}

fn unreadable(account: AccountId, id: InvoiceId, reason: String) -> Finding {
    Finding {
        what: "an invoice and its credit notes could have been written",
        place: invoice_name(account, id),
        expected: "an invoice".to_owned(),
        found: reason,
    }
}

async fn check_invoice(
    connection: &impl ConnectionTrait,
    invoice: &Invoice,
    notes: Vec<&CreditNote>,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let content = &invoice.content;
    for (number, line) in (1..).zip(&content.lines) {
        let place = || format!("{} line {number}", invoice.name());
        let net = rounding::line_net(line.quantity, line.unit_price, line.divisor);
        let net = net.map_or_else(|error| error.to_string(), |net| net.to_string());
        findings.compare("a line is its quantity at its price", place, &net, &line.net.to_string());
    }
    let record = store::settlement::find(connection, content.account, invoice.id, content.currency).await;
    let record = match record {
        Ok(record) => record,
        Err(DbErr::Type(reason)) => {
            findings.add(unreadable(content.account, invoice.id, reason));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    match prove(content, &record) {
        Ok(_) => credit_notes::recompute(invoice, &record, notes, findings),
        Err(error) => findings.add(Finding {
            what: "a settlement is what the law gives",
            place: invoice.name(),
            expected: "what follows from its record".to_owned(),
            found: cause(&error),
        }),
    }
    Ok(())
}

fn cause(error: &ProofError) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_number_is_read_from_its_end() {
        assert_eq!(parse("FR-P-2027-000012"), Some(("FR-P".to_owned(), 2027, 12)));
        assert_eq!(parse("FR-2027-1000000"), Some(("FR".to_owned(), 2027, 1_000_000)));
        assert_eq!(parse("FR-2027"), None);
    }
}
