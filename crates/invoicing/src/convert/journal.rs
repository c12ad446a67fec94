//! The journal on the wire.

use florin_account::{ledger::LedgerAccount, wire::tax_category};
use florin_api::invoicing::v1 as wire;
use florin_platform::{
    violation::Violations,
    wire::{account_name, instant, money, timestamp},
};
use florin_settlement::{LotKind, Period, TaxCategory};

use super::{billing_run::issuer_id, invoice::funding_kind};
use crate::service::journal::{JournalEntry, LedgerTotal, Part};

/// Reads an ExportJournal request: whose journal, and of when.
pub(crate) fn wanted(request: &wire::ExportJournalRequest) -> Result<(String, Period), Violations> {
    let mut violations = Violations::new();
    let issuer = violations.take("parent", issuer_id(&request.parent));
    let mut at = |field, time: &Option<_>| match time {
        Some(time) => violations.take(field, instant(time)),
        None => {
            violations.add(field, "is required");
            None
        }
    };
    let (from, to) = (at("start_time", &request.start_time), at("end_time", &request.end_time));
    let period = match from.zip(to) {
        Some((from, to)) => violations.take("end_time", Period::try_new(from, to)),
        None => None,
    };
    violations.finish_with(issuer.zip(period))
}

/// Renders a part of a journal.
pub(crate) fn part(part: &Part) -> wire::ExportJournalResponse {
    match part {
        Part::Entries(entries) => {
            wire::ExportJournalResponse { entries: entries.iter().map(entry).collect(), totals: Vec::new() }
        }
        Part::Totals(totals) => {
            wire::ExportJournalResponse { entries: Vec::new(), totals: totals.iter().map(total).collect() }
        }
    }
}

fn entry(entry: &JournalEntry) -> wire::JournalEntry {
    let movement = &entry.movement;
    let (category, rate) = movement.tax.clone().unzip();
    let category = category.and_then(|category| TaxCategory::parse(&category).ok());
    let lot_kind = movement.lot_kind.as_deref().and_then(|kind| LotKind::parse(kind).ok());
    wire::JournalEntry {
        account: account_name(movement.account()),
        sequence: movement.sequence,
        kind: movement.kind.clone(),
        debit: ledger_account(entry.entry.debit).into(),
        credit: ledger_account(entry.entry.credit).into(),
        amount: Some(money(entry.amount)),
        record_time: Some(timestamp(movement.recorded)),
        effective_time: Some(timestamp(movement.effective)),
        document: movement.document.clone(),
        document_number: entry.number.clone().unwrap_or_default(),
        credit_kind: lot_kind.map(|kind| funding_kind(kind.funding_kind()).into()).unwrap_or_default(),
        tax_category: category.map(|category| tax_category(category).into()).unwrap_or_default(),
        tax_rate: rate.map(|value| florin_api::google::r#type::Decimal { value }),
    }
}

fn total(total: &LedgerTotal) -> wire::LedgerTotal {
    wire::LedgerTotal {
        ledger_account: ledger_account(total.account).into(),
        debit: Some(money(total.debit)),
        credit: Some(money(total.credit)),
    }
}

fn ledger_account(account: LedgerAccount) -> wire::LedgerAccount {
    match account {
        LedgerAccount::Receivables => wire::LedgerAccount::Receivables,
        LedgerAccount::Cash => wire::LedgerAccount::Cash,
        LedgerAccount::CustomerBalance => wire::LedgerAccount::CustomerBalance,
        LedgerAccount::VatPayable => wire::LedgerAccount::VatPayable,
        LedgerAccount::Income => wire::LedgerAccount::Income,
        LedgerAccount::CreditSales => wire::LedgerAccount::CreditSales,
        LedgerAccount::DeferredIncome => wire::LedgerAccount::DeferredIncome,
        LedgerAccount::LapsedIncome => wire::LedgerAccount::LapsedIncome,
        LedgerAccount::PriceReductionsOffered => wire::LedgerAccount::PriceReductionsOffered,
        LedgerAccount::PriceReductionsOutstanding => wire::LedgerAccount::PriceReductionsOutstanding,
        LedgerAccount::PriceReductionsTaken => wire::LedgerAccount::PriceReductionsTaken,
        LedgerAccount::BadDebts => wire::LedgerAccount::BadDebts,
        LedgerAccount::OpeningBalance => wire::LedgerAccount::OpeningBalance,
    }
}
