//! Credit notes on the wire.

use florin_api::invoicing::v1::{self as wire, credit_note::Reason};
use florin_credit::{credit_id, project_name};
use florin_payment::payment_name;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{amount, decimal, money, parse_account, parse_child, timestamp},
};
use florin_settlement::Quantity;

use super::{collection::reason as reason_given, invoice::tax_line};
use crate::{
    domain::{
        credit_note::{CREDIT_NOTES, CreditNote, CreditNoteId, CreditNoteReason},
        extent::{Extent, Measure, Portion},
        invoice::{INVOICES, InvoiceId, invoice_name},
    },
    service::credit_note::{CreditedMoney, NewCreditNote},
};

/// How many lines one request credits at most.
const LINES_MAX: usize = 1000;

/// Reads the name of a credit note in `field`.
pub(crate) fn name(field: &str, name: &str) -> Result<(AccountId, CreditNoteId), Violations> {
    parse_child(CREDIT_NOTES, name).map_err(|error| Violations::one(field, error))
}

/// Reads whose credit notes a list wants, and of which invoice.
pub(crate) fn filter(
    request: &wire::ListCreditNotesRequest,
) -> Result<(AccountId, Option<InvoiceId>), Violations> {
    let mut violations = Violations::new();
    let account = violations.take("parent", parse_account(&request.parent));
    let mut invoice = None;
    if !request.invoice.is_empty()
        && let Some((owner, id)) = violations.take("invoice", parse_child(INVOICES, &request.invoice))
    {
        violations.check("invoice", Some(owner) == account, "must be of the account whose notes are listed");
        invoice = Some(id);
    }
    violations.finish_with(account.map(|account| (account, invoice)))
}

/// Reads what is to be credited, and why.
pub(crate) fn creation(request: &wire::CreateCreditNoteRequest) -> Result<NewCreditNote, Violations> {
    let mut violations = Violations::new();
    let invoice = violations.take("invoice", parse_child(INVOICES, &request.invoice));
    violations.check(
        "lines",
        request.whole == request.lines.is_empty(),
        "must be given unless whole is, and only then",
    );
    let few = request.lines.len() <= LINES_MAX;
    violations.check("lines", few, format!("must be at most {LINES_MAX}"));
    reason_given(&mut violations, &request.reason);
    let mut portions = Vec::with_capacity(request.lines.len().min(LINES_MAX));
    for (place, portion) in request.lines.iter().enumerate().take(LINES_MAX) {
        let read = self::portion(portion).map_err(|(field, text)| {
            violations.add(format!("lines[{place}].{field}"), text);
        });
        portions.extend(read);
    }
    let extent = if request.whole { Extent::Whole } else { Extent::Lines(portions) };
    violations.finish_with(invoice.map(|(account, invoice)| NewCreditNote {
        account,
        invoice,
        extent,
        reason: CreditNoteReason::Correction,
        explanation: request.reason.trim().to_owned(),
        money: CreditedMoney::ToCustomer,
    }))
}

/// A portion of a line, or which field of it is wrong and how.
fn portion(portion: &wire::CreditedPortion) -> Result<Portion, (&'static str, String)> {
    use wire::credited_portion::Measure as Wire;
    let line = u32::try_from(portion.line_number).ok().filter(|line| *line > 0);
    let line = line.ok_or(("line_number", "must be the number of a line".to_owned()))?;
    let measure = match &portion.measure {
        Some(Wire::Net(net)) => {
            let net = amount(net).map_err(|error| ("net", error))?;
            Measure::Net(net)
        }
        Some(Wire::Quantity(quantity)) => {
            let parsed = Quantity::parse(&quantity.value);
            let parsed = parsed.map_err(|error| ("quantity", error.to_string()))?;
            if parsed.is_zero() {
                return Err(("quantity", "must be above zero".to_owned()));
            }
            Measure::Quantity(parsed)
        }
        None => return Err(("measure", "must be given".to_owned())),
    };
    Ok(Portion { line, measure })
}

/// Renders a note that was not issued: without what only issuing gives.
pub(crate) fn preview(note: &CreditNote, credit: &[florin_settlement::ReturnedCredit]) -> wire::CreditNote {
    let returned = credit.iter().map(|credit| wire::ReturnedCredit {
        source_credit_id: credit_id(credit.source()).to_string(),
        credit_id: String::new(),
        amount: Some(money(credit.amount())),
    });
    wire::CreditNote {
        name: String::new(),
        number: String::new(),
        issue_time: None,
        returned_credits: returned.collect(),
        ..credit_note(note)
    }
}

/// Renders a credit note.
pub(crate) fn credit_note(note: &CreditNote) -> wire::CreditNote {
    let totals = note.totals;
    wire::CreditNote {
        name: note.name(),
        number: note.number.clone(),
        invoice: invoice_name(note.account, note.invoice),
        project: project_name(note.account, note.project),
        issuer: format!("issuers/{}", note.issuer),
        reason: reason(note.reason).into(),
        explanation: note.explanation.clone(),
        lines: note
            .lines
            .iter()
            .map(|line| wire::CreditedLine {
                line_number: i32::try_from(line.line).unwrap_or_default(),
                net: Some(money(line.net)),
                quantity: line.quantity.map(|quantity| decimal(quantity.value())),
            })
            .collect(),
        net_total: Some(money(totals.net_total)),
        credit_returned: Some(money(totals.credit_returned)),
        net_money: Some(money(totals.net_money)),
        tax_lines: note.tax_lines.iter().map(tax_line).collect(),
        tax_total: Some(money(totals.tax_total)),
        amount_incl_tax: Some(money(totals.amount_incl_tax)),
        lowered_debt_incl_tax: Some(money(note.lowered_debt)),
        issue_time: Some(timestamp(note.issued)),
        returned_credits: note
            .returned
            .iter()
            .map(|returned| wire::ReturnedCredit {
                source_credit_id: credit_id(returned.source).to_string(),
                credit_id: credit_id(returned.lot).to_string(),
                amount: Some(money(returned.amount)),
            })
            .collect(),
        refunded_incl_tax: note.refunded().ok().map(money),
        refunds: note
            .refunds
            .iter()
            .map(|refunded| wire::RefundedPayment {
                payment: payment_name(note.account, refunded.payment),
                amount_incl_tax: Some(money(refunded.amount)),
            })
            .collect(),
        approval: String::new(),
    }
}

fn reason(reason: CreditNoteReason) -> Reason {
    match reason {
        CreditNoteReason::Correction => Reason::Correction,
        CreditNoteReason::Dispute => Reason::Dispute,
        CreditNoteReason::Withdrawal => Reason::Withdrawal,
    }
}
