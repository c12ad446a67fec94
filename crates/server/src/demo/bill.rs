//! The month ends: estimated, issued, settled, explained (R7, R8).

use florin_api::{
    credit::v1::FundingKind,
    invoicing::v1::{
        ConsideredLot, EstimateInvoiceRequest, ExplainSettlementRequest, Invoice, ListInvoicesRequest,
        TaxLine, considered_lot::SkipReason, invoice,
    },
};

use super::{Stage, credit::kind, people::Customer, print, usage::decimal};
use crate::cli::CliError;

pub(super) async fn settled_and_explained(stage: &Stage, ada: &Customer) -> Result<(), CliError> {
    print::chapter("The estimate, on the 12th");
    let request = EstimateInvoiceRequest { parent: ada.project.clone() };
    let estimate = ada.caller.invoices().estimate_invoice(request).await?.into_inner().invoice;
    totals(&estimate.ok_or("there is nothing to estimate")?);

    print::chapter("The month ends; the billing run issues and settles");
    stage.move_clock(stage.month.end().plus_hours(7)).await?;
    let request = ListInvoicesRequest {
        parent: ada.account.clone(),
        project: ada.project.clone(),
        kinds: vec![invoice::Kind::Monthly.into()],
        ..Default::default()
    };
    let invoices = ada.caller.invoices().list_invoices(request).await?.into_inner().invoices;
    let issued = invoices.first().ok_or("no monthly invoice was issued")?;
    print::sentence(&format!("invoice {} is {:?}", issued.number, issued.state()));
    totals(issued);
    explanation(ada, &issued.name).await
}

fn totals(invoice: &Invoice) {
    let mut rows = vec![vec!["usage, net".to_owned(), print::money(invoice.net_total.as_ref())]];
    let lots = invoice.debits.iter().filter(|debit| debit.kind() != FundingKind::PaymentMethod);
    for debit in lots {
        rows.push(vec![format!("− {}", kind(debit.kind())), print::money(debit.amount.as_ref())]);
    }
    rows.push(vec!["net after credit".to_owned(), print::money(invoice.net_after_credit.as_ref())]);
    rows.extend(invoice.tax_lines.iter().map(tax_row));
    rows.push(vec!["to pay".to_owned(), print::money(invoice.amount_incl_tax.as_ref())]);
    print::table(&["", ">amount"], rows);
}

fn tax_row(line: &TaxLine) -> Vec<String> {
    let base = print::money(line.base.as_ref());
    vec![format!("+ VAT {} % of {base}", decimal(line.rate.as_ref())), print::money(line.tax.as_ref())]
}

async fn explanation(ada: &Customer, invoice: &str) -> Result<(), CliError> {
    print::chapter("The settlement, line by line");
    let request = ExplainSettlementRequest { name: invoice.to_owned() };
    let explained = ada.caller.invoices().explain_settlement(request).await?.into_inner();
    let order: Vec<_> = explained.debit_order().map(kind).collect();
    print::sentence(&format!("the debit order: {}", order.join(" → ")));
    print::sentence(&format!(
        "{} due at {}",
        print::money(explained.due.as_ref()),
        print::date(explained.settlement_time.as_ref())
    ));
    let rows = explained.considered_lots.iter().map(lot_row).collect();
    print::table(&["kind", "lot", "expires", ">before", ">taken", ">after", "from lines, or why not"], rows);
    print::sentence(&format!(
        "{} remains; with its VAT the payment method pays {}",
        print::money(explained.remainder.as_ref()),
        print::money(explained.payment_method_amount_incl_tax.as_ref())
    ));
    Ok(())
}

fn lot_row(lot: &ConsideredLot) -> Vec<String> {
    let lines: Vec<_> = lot
        .allocations
        .iter()
        .map(|allocation| {
            format!("{} of line {}", print::money(allocation.amount.as_ref()), allocation.line_number)
        })
        .collect();
    let note = if lines.is_empty() { skipped(lot.skip_reason()).to_owned() } else { lines.join(", ") };
    vec![
        kind(lot.kind()).to_owned(),
        lot.description.clone(),
        print::date(lot.expire_time.as_ref()),
        print::money(lot.balance_before.as_ref()),
        print::money(lot.taken.as_ref()),
        print::money(lot.balance_after.as_ref()),
        note,
    ]
}

fn skipped(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Unspecified => "",
        SkipReason::Expired => "expired",
        SkipReason::NotYetIssued => "not yet issued",
        SkipReason::Restricted => "restricted to other families",
        SkipReason::Empty => "empty",
        SkipReason::Currency => "another currency",
        SkipReason::ForeignOwner => "of another project",
        SkipReason::NothingDue => "nothing left due",
    }
}
