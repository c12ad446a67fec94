//! Invoices and estimates on the wire.

use florin_account::wire::tax_category;
use florin_api::{
    credit::v1::FundingKind as WireFundingKind, google::r#type::Date, invoicing::v1 as wire,
    project::v1::PlanFamily as WirePlanFamily,
};
use florin_credit::{order_name, project_name};
use florin_payment::payment_name;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{decimal, money, parse_account, parse_child, timestamp},
};
use florin_project::{ProjectId, resource_name};
use florin_settlement::{FundingKind, LotKind, Month, PlanFamily};

use crate::{
    domain::{
        charge::{Charge, Subject},
        invoice::{Content, Debit, INVOICES, Invoice, InvoiceId, InvoiceKind, Occasion, TaxLine},
        standing::InvoiceState,
    },
    service::estimate::Estimate,
    store::invoice::Filter,
};

/// Reads the name of an invoice in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, InvoiceId), Violations> {
    parse_child(INVOICES, name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of a project in `field`.
pub(crate) fn project(field: &str, name: &str) -> Result<(AccountId, ProjectId), Violations> {
    parse_child("projects", name).map_err(|error| Violations::one(field, error))
}

/// Reads whose invoices a list wants, and which of them.
pub(crate) fn filter(request: &wire::ListInvoicesRequest) -> Result<(AccountId, Filter), Violations> {
    let mut violations = Violations::new();
    let account = violations.take("parent", parse_account(&request.parent));
    let mut filter = Filter::default();
    if !request.project.is_empty()
        && let Some((owner, id)) = violations.take("project", parse_child("projects", &request.project))
    {
        violations.check(
            "project",
            Some(owner) == account,
            "must be of the account whose invoices are listed",
        );
        filter.project = Some(id);
    }
    for kind in request.kinds() {
        match kind {
            wire::invoice::Kind::Monthly => filter.kinds.push(InvoiceKind::Monthly),
            wire::invoice::Kind::Purchase => filter.kinds.push(InvoiceKind::Purchase),
            wire::invoice::Kind::ProRata => filter.kinds.push(InvoiceKind::ProRata),
            wire::invoice::Kind::Final => filter.kinds.push(InvoiceKind::Final),
            wire::invoice::Kind::Unspecified => violations.add("kinds", "must be kinds of invoice"),
        }
    }
    for state in request.states() {
        match self::state(state) {
            Some(state) => filter.states.push(state),
            None => violations.add("states", "must be states of an invoice"),
        }
    }
    violations.finish_with(account.map(|account| (account, filter)))
}

fn state(state: wire::invoice::State) -> Option<InvoiceState> {
    match state {
        wire::invoice::State::Unspecified => None,
        wire::invoice::State::Issued => Some(InvoiceState::Issued),
        wire::invoice::State::Collecting => Some(InvoiceState::Collecting),
        wire::invoice::State::Paid => Some(InvoiceState::Paid),
        wire::invoice::State::Overdue => Some(InvoiceState::Overdue),
        wire::invoice::State::WrittenOff => Some(InvoiceState::WrittenOff),
    }
}

/// Renders an issued invoice.
pub(crate) fn invoice(invoice: &Invoice) -> wire::Invoice {
    let owner = invoice.content.account;
    wire::Invoice {
        name: invoice.name(),
        number: invoice.number.clone(),
        state: wire_state(invoice.standing.state()).into(),
        amount_paid_incl_tax: Some(money(invoice.amount_paid())),
        issue_time: Some(timestamp(invoice.issued)),
        pay_time: invoice.standing.paid_at().map(timestamp),
        payment: invoice.standing.payment().map(|payment| payment_name(owner, payment)).unwrap_or_default(),
        ..content(&invoice.content)
    }
}

/// Renders an estimate: the same document, without name, number, state and issue time.
pub(crate) fn estimate(estimate: &Estimate) -> wire::EstimateInvoiceResponse {
    wire::EstimateInvoiceResponse {
        invoice: Some(content(&estimate.content)),
        as_of_time: Some(timestamp(estimate.as_of)),
    }
}

fn content(content: &Content) -> wire::Invoice {
    let owner = content.account;
    let (kind, credit_order, billing_month) = match content.occasion {
        Occasion::Monthly(month) => (wire::invoice::Kind::Monthly, String::new(), Some(date(month))),
        Occasion::Purchase(order) => (wire::invoice::Kind::Purchase, order_name(owner, order), None),
        Occasion::ProRata { month, .. } => (wire::invoice::Kind::ProRata, String::new(), Some(date(month))),
        Occasion::Final => (wire::invoice::Kind::Final, String::new(), None),
    };
    let totals = content.totals;
    wire::Invoice {
        kind: kind.into(),
        project: project_name(owner, content.project),
        issuer: format!("issuers/{}", content.issuer),
        credit_order,
        billing_month,
        lines: (1..).zip(&content.lines).map(|(number, line)| self::line(content, number, line)).collect(),
        net_total: Some(money(totals.net_total)),
        debits: content.debits.iter().map(debit).collect(),
        credit_applied: Some(money(totals.credit_applied)),
        net_after_credit: Some(money(totals.net_after_credit)),
        tax_lines: content.tax_lines.iter().map(tax_line).collect(),
        tax_total: Some(money(totals.tax_total)),
        amount_incl_tax: Some(money(totals.amount_incl_tax)),
        settlement_time: Some(timestamp(content.settlement)),
        ..wire::Invoice::default()
    }
}

/// A month as a date without a day.
pub(crate) fn date(month: Month) -> Date {
    Date { year: month.year(), month: i32::try_from(month.month()).unwrap_or_default(), day: 0 }
}

fn line(content: &Content, number: i32, line: &Charge) -> wire::InvoiceLine {
    let common = wire::InvoiceLine {
        line_number: number,
        description: line.description.clone(),
        usage_start_time: Some(timestamp(line.period.from())),
        usage_end_time: Some(timestamp(line.period.to())),
        quantity: Some(decimal(line.quantity.value())),
        unit: line.unit.clone(),
        currency_code: content.currency.code().to_owned(),
        unit_price: Some(decimal(line.unit_price.amount())),
        net: Some(money(line.net)),
        tax_category: tax_category(line.tax.category).into(),
        tax_rate: Some(decimal(line.tax.rate.percent())),
        late: line.late,
        quantity_divisor: i32::try_from(line.divisor.get()).unwrap_or(i32::MAX),
        ..wire::InvoiceLine::default()
    };
    match &line.subject {
        Subject::Usage(usage) => wire::InvoiceLine {
            resource: resource_name(content.account, content.project, usage.resource),
            resource_display_name: usage.resource_name.clone(),
            plan: format!("plans/{}", usage.plan),
            family: family(usage.family).into(),
            region: usage.region.clone(),
            labels: usage.labels.clone(),
            ..common
        },
        Subject::Credit => common,
    }
}

fn debit(debit: &Debit) -> wire::FundingDebit {
    wire::FundingDebit { kind: funding_kind(debit.kind).into(), amount: Some(money(debit.amount)) }
}

/// Renders the VAT of one category and rate.
pub(crate) fn tax_line(line: &TaxLine) -> wire::TaxLine {
    wire::TaxLine {
        category: tax_category(line.category).into(),
        rate: Some(decimal(line.rate.percent())),
        base: Some(money(line.base)),
        tax: Some(money(line.tax)),
        mention: line.mention.clone(),
    }
}

/// Renders a step of the debit order.
pub(crate) fn funding_kind(kind: FundingKind) -> WireFundingKind {
    match kind {
        FundingKind::Voucher => WireFundingKind::Voucher,
        FundingKind::CloudCredit => WireFundingKind::CloudCredit,
        FundingKind::LaunchPad => WireFundingKind::Launchpad,
        FundingKind::Loyalty => WireFundingKind::Loyalty,
        FundingKind::PaymentMethod => WireFundingKind::PaymentMethod,
    }
}

/// Renders the kind of a lot.
pub(crate) fn lot_kind(kind: LotKind) -> WireFundingKind {
    funding_kind(kind.funding_kind())
}

/// Renders a plan family.
pub(crate) fn family(family: PlanFamily) -> WirePlanFamily {
    match family {
        PlanFamily::Instance => WirePlanFamily::Instance,
        PlanFamily::Storage => WirePlanFamily::Storage,
        PlanFamily::Option => WirePlanFamily::Option,
    }
}

fn wire_state(state: InvoiceState) -> wire::invoice::State {
    match state {
        InvoiceState::Issued => wire::invoice::State::Issued,
        InvoiceState::Collecting => wire::invoice::State::Collecting,
        InvoiceState::Paid => wire::invoice::State::Paid,
        InvoiceState::Overdue => wire::invoice::State::Overdue,
        InvoiceState::WrittenOff => wire::invoice::State::WrittenOff,
    }
}
