//! The explanation of a settlement on the wire (R7.8): from the stored record, and nothing else.

use florin_api::invoicing::v1 as wire;
use florin_credit::{CreditId, ProjectId, credit_name};
use florin_platform::wire::{money, timestamp};
use florin_project::resource_name;
use florin_settlement::{DEBIT_ORDER, LineKey, LotId, LotKind, Restriction, SkipReason};

use super::invoice::{family, funding_kind, lot_kind, tax_line};
use crate::domain::{
    charge::Subject,
    invoice::{Content, Invoice},
    record::{RecordedLot, SettlementRecord},
};

/// Renders what covered `invoice`.
pub(crate) fn explanation(invoice: &Invoice, record: &SettlementRecord) -> wire::ExplainSettlementResponse {
    let content = &invoice.content;
    wire::ExplainSettlementResponse {
        invoice: invoice.name(),
        settlement_time: Some(timestamp(content.settlement)),
        debit_order: DEBIT_ORDER.into_iter().map(|kind| funding_kind(kind).into()).collect(),
        due: Some(money(content.totals.net_total)),
        considered_lots: record.lots.iter().map(|lot| considered(content, record, lot)).collect(),
        remainder: Some(money(content.totals.net_after_credit)),
        tax_lines: content.tax_lines.iter().map(tax_line).collect(),
        payment_method_amount_incl_tax: Some(money(content.totals.amount_incl_tax)),
    }
}

fn considered(content: &Content, record: &SettlementRecord, recorded: &RecordedLot) -> wire::ConsideredLot {
    let lot = &recorded.lot;
    let credit = CreditId::from_uuid(uuid::Uuid::from_u128(lot.id().as_u128()));
    let project = lot.project().map(|project| ProjectId::from_uuid(uuid::Uuid::from_u128(project.as_u128())));
    wire::ConsideredLot {
        credit: credit_name(content.account, project, credit),
        kind: lot_kind(lot.kind()).into(),
        description: description(lot.kind()).to_owned(),
        issue_time: Some(timestamp(lot.issued())),
        expire_time: lot.expires().map(timestamp),
        restricted_families: restricted(lot.restriction()),
        balance_before: Some(money(lot.remaining())),
        taken: Some(money(recorded.taken)),
        balance_after: Some(money(recorded.after)),
        allocations: allocations(content, record, lot.id()),
        skip_reason: skip_reason(recorded.skipped).into(),
    }
}

fn restricted(restriction: Restriction) -> Vec<i32> {
    match restriction {
        Restriction::Unrestricted => Vec::new(),
        Restriction::Only(set) => set.families().map(|of| family(of).into()).collect(),
    }
}

fn allocations(content: &Content, record: &SettlementRecord, lot: LotId) -> Vec<wire::LotAllocation> {
    let of_lot = record.debits.iter().filter(|debit| debit.lot == lot);
    let allocation = |debit: &florin_settlement::RecordedDebit| wire::LotAllocation {
        line_number: i32::try_from(debit.line.as_u32()).unwrap_or(i32::MAX),
        resource: resource(content, debit.line),
        amount: Some(money(debit.amount)),
    };
    of_lot.map(allocation).collect()
}

fn resource(content: &Content, line: LineKey) -> String {
    let place = usize::try_from(line.as_u32()).ok().and_then(|number| number.checked_sub(1));
    match place.and_then(|place| content.lines.get(place)).map(|line| &line.subject) {
        Some(Subject::Usage(usage)) => resource_name(content.account, content.project, usage.resource),
        Some(Subject::Credit) | None => String::new(),
    }
}

/// What a lot is, by its kind: the record needs no other slice to be explained.
fn description(kind: LotKind) -> &'static str {
    match kind {
        LotKind::Voucher => "Voucher",
        LotKind::CloudCredit => "Cloud credit",
        LotKind::LaunchPad => "LaunchPad credit",
        LotKind::Loyalty => "Loyalty credit",
    }
}

fn skip_reason(reason: Option<SkipReason>) -> wire::considered_lot::SkipReason {
    use wire::considered_lot::SkipReason as Wire;
    match reason {
        None => Wire::Unspecified,
        Some(SkipReason::Currency) => Wire::Currency,
        Some(SkipReason::ForeignOwner) => Wire::ForeignOwner,
        Some(SkipReason::NotYetIssued) => Wire::NotYetIssued,
        Some(SkipReason::Expired) => Wire::Expired,
        Some(SkipReason::Empty) => Wire::Empty,
        Some(SkipReason::Restricted) => Wire::Restricted,
        Some(SkipReason::NothingLeftDue) => Wire::NothingDue,
    }
}
