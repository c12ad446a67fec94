//! Credit notes, invoice by invoice: each is recomputed from the stored record of its invoice and from the notes before
//! it (R7.9): lines and VAT, what came back of which lot, what went back of which payment.

use std::{collections::BTreeMap, fmt};

use florin_credit::{credit_id, settlement_id};
use florin_payment::PaymentId;
use florin_platform::{
    finding::{Finding, Findings},
    id::AccountId,
    wire::child_name,
};
use florin_settlement::{LotId, Money};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        credit_note::{Correction, CorrectionError, CreditNote, Earlier, correct},
        invoice::{Content, Invoice, TaxLine},
        record::SettlementRecord,
    },
    store,
};

/// Recomputes `notes`, which are those of `invoice`, one after the other.
pub(super) fn recompute(
    invoice: &Invoice,
    record: &SettlementRecord,
    mut notes: Vec<&CreditNote>,
    findings: &mut Findings<'_>,
) {
    // In the order they were issued in.
    notes.sort_by_key(|note| super::documents::parse(&note.number).map(|(_, year, number)| (year, number)));
    let content = &invoice.content;
    let mut earlier = Earlier::none(content.currency);
    for note in notes {
        let corrected = correct(content, record, &earlier, &note.lines);
        let added = match &corrected {
            Ok(correction) => {
                compare(note, correction, content, findings);
                add(&mut earlier, note)
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = added {
            findings.add(Finding {
                what: "a credit note credits what is left of its invoice",
                place: note.name(),
                expected: "what is left".to_owned(),
                found: reason,
            });
            return;
        }
    }
}

fn add(earlier: &mut Earlier, note: &CreditNote) -> Result<(), String> {
    let add = |earlier: &mut Earlier| -> Result<(), CorrectionError> {
        note.lines.iter().try_for_each(|line| earlier.add(line))?;
        earlier.tax_lines.extend(note.tax_lines.iter().cloned());
        earlier.returned.extend(note.returned.iter().map(|returned| (returned.source, returned.amount)));
        earlier.net_money = earlier.net_money.checked_add(note.totals.net_money)?;
        Ok(())
    };
    add(earlier).map_err(|error| error.to_string())
}

fn compare(note: &CreditNote, given: &Correction, content: &Content, findings: &mut Findings<'_>) {
    let place = || note.name();
    let tax = |lines: &[TaxLine]| listed(lines.iter().map(tax_text));
    findings.compare(
        "the VAT of a credit note is that of everything credited, less what was credited before",
        place,
        &tax(&given.tax_lines),
        &tax(&note.tax_lines),
    );
    let credit: BTreeMap<_, _> = given.credit.iter().map(|back| (back.source(), back.amount())).collect();
    let returned: BTreeMap<_, _> = note.returned.iter().map(|back| (back.source, back.amount)).collect();
    let credit_text = |of: &BTreeMap<LotId, Money>| {
        listed(of.iter().map(|(lot, amount)| back_text(note, *lot, amount.minor())))
    };
    findings.compare(
        "a credit note gives back what the plan of its invoice took too much",
        place,
        &credit_text(&credit),
        &credit_text(&returned),
    );
    let (expected, found) = (given.totals, note.totals);
    for (expected, found) in [
        (expected.net_total, found.net_total),
        (expected.credit_returned, found.credit_returned),
        (expected.net_money, found.net_money),
        (expected.tax_total, found.tax_total),
        (expected.amount_incl_tax, found.amount_incl_tax),
    ] {
        findings.compare("the sums of a credit note are those of its parts", place, &expected, &found);
    }
    let same = note.currency == content.currency
        && note.project == content.project
        && note.issuer == content.issuer
        && note.account == content.account;
    findings.compare(
        "a credit note is of the account, project and issuer of its invoice",
        place,
        &true,
        &same,
    );
}

fn tax_text(line: &TaxLine) -> String {
    format!("{} on {} at {} % {} {}", line.tax, line.base, line.rate, line.category.as_str(), line.mention)
}

fn listed(parts: impl Iterator<Item = impl fmt::Display>) -> String {
    let parts: Vec<_> = parts.map(|part| part.to_string()).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// That the lots and the refunds of `notes` of one account are there as the notes say.
pub(super) async fn check_effects(
    connection: &impl ConnectionTrait,
    account: AccountId,
    notes: &[CreditNote],
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    if notes.is_empty() {
        return Ok(());
    }
    check_lots(connection, account, notes, findings).await?;
    let names: Vec<_> = notes.iter().map(CreditNote::name).collect();
    let ids: Vec<_> = notes.iter().map(|note| note.id).collect();
    let told = store::audit::refunded(connection, account, &ids).await?;
    let mut sent: BTreeMap<String, BTreeMap<_, i64>> = BTreeMap::new();
    for (purpose, payment, minor) in florin_payment::audit::sent_back(connection, account, &names).await? {
        sent.entry(purpose).or_default().insert(payment, minor);
    }
    for (note, name) in notes.iter().zip(names) {
        let refunds: BTreeMap<_, _> =
            note.refunds.iter().map(|refund| (refund.payment, refund.amount.minor())).collect();
        let total = told.get(&note.id).copied().unwrap_or_default();
        let place = || name.clone();
        let expected = refunds.values().copied().map(i128::from).sum::<i128>();
        findings.compare(
            "what goes back because of a credit note is the sum of its refunds",
            place,
            &expected,
            &i128::from(total),
        );
        let text = |of: &BTreeMap<PaymentId, i64>| {
            listed(of.iter().map(|(payment, minor)| format!("{minor} of {payment}")))
        };
        findings.compare(
            "the refunds of a credit note are made",
            place,
            &text(&refunds),
            &text(&sent.remove(&name).unwrap_or_default()),
        );
    }
    Ok(())
}

async fn check_lots(
    connection: &impl ConnectionTrait,
    account: AccountId,
    notes: &[CreditNote],
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let lots: Vec<_> = notes.iter().flat_map(|note| &note.returned).map(|returned| returned.lot).collect();
    let found = florin_credit::audit::given_back(connection, account, &lots).await?;
    for note in notes {
        for returned in &note.returned {
            let expected = back_text(note, returned.source, returned.amount.minor());
            let lot = found.iter().find(|back| back.lot == credit_id(returned.lot));
            let found = lot
                .and_then(|lot| lot.source.map(|source| back_text(note, settlement_id(source), lot.minor)));
            let found = found.unwrap_or_else(|| "no such lot".to_owned());
            findings.compare("what a credit note gives back is a lot", || note.name(), &expected, &found);
        }
    }
    Ok(())
}

fn back_text(note: &CreditNote, source: LotId, minor: i64) -> String {
    format!("{minor} of {}", child_name(note.account, "credits", credit_id(source)))
}
