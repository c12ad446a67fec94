//! Credit notes on the wire.

use florin_api::invoicing::v1::{self as wire, credit_note::Reason};
use florin_credit::{credit_id, project_name};
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{money, parse_account, parse_child, timestamp},
};

use super::invoice::tax_line;
use crate::domain::{
    credit_note::{CREDIT_NOTES, CreditNote, CreditNoteId, CreditNoteReason},
    invoice::{INVOICES, InvoiceId, invoice_name},
};

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
    }
}

fn reason(reason: CreditNoteReason) -> Reason {
    match reason {
        CreditNoteReason::Correction => Reason::Correction,
        CreditNoteReason::Dispute => Reason::Dispute,
        CreditNoteReason::Withdrawal => Reason::Withdrawal,
    }
}
