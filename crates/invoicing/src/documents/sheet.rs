//! What a document says, before it is written in a format.

use florin_account::Parties;
use florin_settlement::{FundingKind, Instant, LotKind, Money, TaxCategory};

use super::{
    CreditNoteSheet, InvoiceSheet, Prepaid,
    words::{Words, words},
};
use crate::domain::{
    charge::{Charge, Subject},
    credit_note::Reduction,
    invoice::{Content, Occasion, TaxLine},
};

/// The programme's name, in every language.
const LAUNCH_PAD: &str = "LaunchPad";

/// A document, line by line.
pub(super) struct Sheet {
    pub(super) language: String,
    pub(super) title: String,
    /// Heading and text of seller and buyer.
    pub(super) parties: [(&'static str, String); 2],
    pub(super) facts: Vec<(&'static str, String)>,
    /// The headings of the columns of [`Item`].
    pub(super) columns: [&'static str; 4],
    pub(super) items: Vec<Item>,
    pub(super) sums: Vec<Sum>,
    pub(super) mentions: Vec<String>,
}

/// A line of an invoice, or what is credited of one.
pub(super) struct Item {
    /// Its number in the invoice.
    pub(super) number: u32,
    /// What it is.
    pub(super) description: String,
    /// When it was used.
    pub(super) period: String,
    /// How much of it at which price; empty where an amount was credited.
    pub(super) quantity: String,
    /// What it comes to, excluding VAT.
    pub(super) net: Money,
}

/// One of the sums below the lines.
pub(super) struct Sum {
    pub(super) label: String,
    pub(super) amount: String,
    /// Whether it is what everything comes to.
    pub(super) is_total: bool,
}

impl Sum {
    fn of(label: impl Into<String>, amount: Money) -> Self {
        Self { label: label.into(), amount: amount.to_string(), is_total: false }
    }

    fn less(label: impl Into<String>, amount: Money) -> Self {
        Self { label: label.into(), amount: format!("-{amount}"), is_total: false }
    }

    fn total(label: impl Into<String>, amount: Money) -> Self {
        Self { is_total: true, ..Self::of(label, amount) }
    }
}

pub(super) fn of_invoice(sheet: &InvoiceSheet) -> Sheet {
    let InvoiceSheet { invoice, parties, prepaid } = sheet;
    let (words, content) = (words(&parties.language), &invoice.content);
    let mut facts = vec![
        (words.number, invoice.number.clone()),
        (words.date, day(invoice.issued)),
        (words.project, content.project.to_string()),
    ];
    match content.occasion {
        Occasion::Monthly(month) | Occasion::ProRata { month, .. } => {
            facts.push((words.month, month.to_string()));
        }
        Occasion::Purchase(_) | Occasion::Final => {}
    }
    let items = (1_u32..).zip(&content.lines).map(|(number, line)| item(words, number, line));
    Sheet {
        title: format!("{} {}", words.invoice, invoice.number),
        facts,
        items: items.collect(),
        sums: sums_of_invoice(words, content, prepaid),
        mentions: mentions(words, parties, &content.tax_lines, !content.totals.credit_applied.is_zero()),
        ..blank(words, parties)
    }
}

pub(super) fn of_credit_note(sheet: &CreditNoteSheet) -> Sheet {
    let CreditNoteSheet { note, invoice, parties, returned } = sheet;
    let words = words(&parties.language);
    let facts = vec![
        (words.number, note.number.clone()),
        (words.date, day(note.issued)),
        (words.corrects, format!("{}, {}", invoice.number, day(invoice.issued))),
        (words.reason, note.explanation.clone()),
        (words.project, note.project.to_string()),
    ];
    let items = note.lines.iter().filter_map(|line| credited(words, &invoice.content, line));
    let totals = note.totals;
    let mut sums = vec![Sum::of(words.net_total, totals.net_total)];
    sums.extend(returned.iter().map(|(kind, amount)| {
        Sum::less(format!("{}: {}", words.returned, kind_name(words, *kind)), *amount)
    }));
    sums.push(Sum::of(words.net_money, totals.net_money));
    sums.extend(note.tax_lines.iter().map(|line| tax(words, line)));
    sums.push(Sum::total(words.credited_total, totals.amount_incl_tax));
    if note.lowered_debt.is_positive() {
        sums.push(Sum::of(words.lowered, note.lowered_debt));
    }
    sums.extend(note.refunds.iter().map(|refund| Sum::of(words.refunded, refund.amount)));
    Sheet {
        title: format!("{} {}", words.credit_note, note.number),
        facts,
        items: items.collect(),
        sums,
        mentions: mentions(words, parties, &note.tax_lines, !totals.credit_returned.is_zero()),
        ..blank(words, parties)
    }
}

fn blank(words: &'static Words, parties: &Parties) -> Sheet {
    Sheet {
        language: parties.language.clone(),
        title: String::new(),
        parties: [(words.seller, parties.seller.clone()), (words.buyer, parties.buyer.clone())],
        facts: Vec::new(),
        columns: [words.description, words.period, words.quantity, words.net],
        items: Vec::new(),
        sums: Vec::new(),
        mentions: Vec::new(),
    }
}

fn item(words: &Words, number: u32, line: &Charge) -> Item {
    let late = if line.late { format!(" ({})", words.late) } else { String::new() };
    Item {
        number,
        description: format!("{}{late}", description(line)),
        period: match line.subject {
            Subject::Usage(_) => format!("{} – {}", minute(line.period.from()), minute(line.period.to())),
            Subject::Credit => day(line.period.from()),
        },
        quantity: quantity(line, &line.quantity.to_string()),
        net: line.net,
    }
}

fn credited(words: &Words, content: &Content, reduction: &Reduction) -> Option<Item> {
    let line = content.line(reduction.line)?;
    let told = reduction.quantity.map(|credited| quantity(line, &credited.to_string()));
    Some(Item { quantity: told.unwrap_or_default(), net: reduction.net, ..item(words, reduction.line, line) })
}

fn description(line: &Charge) -> String {
    let Subject::Usage(usage) = &line.subject else { return line.description.clone() };
    let place = if usage.region.is_empty() { String::new() } else { format!(", {}", usage.region) };
    if usage.resource_name.is_empty() {
        format!("{}{place}", line.description)
    } else {
        format!("{}, {}{place}", line.description, usage.resource_name)
    }
}

fn quantity(line: &Charge, units: &str) -> String {
    let divisor = line.divisor.get();
    let share = if divisor == 1 { String::new() } else { format!("/{divisor}") };
    format!("{units}{share} {} × {}", line.unit, line.unit_price).replace("  ", " ")
}

fn sums_of_invoice(words: &Words, content: &Content, prepaid: &[Prepaid]) -> Vec<Sum> {
    let totals = content.totals;
    let mut sums = vec![Sum::of(words.net_total, totals.net_total)];
    for debit in &content.debits {
        match debit.kind {
            FundingKind::Voucher => sums.push(Sum::less(words.voucher, debit.amount)),
            FundingKind::CloudCredit => sums.extend(prepaid.iter().map(|prepaid| {
                Sum::less(format!("{} ({})", words.cloud_credit, prepaid.purchase_invoice), prepaid.amount)
            })),
            FundingKind::LaunchPad => sums.push(Sum::less(LAUNCH_PAD, debit.amount)),
            FundingKind::Loyalty => sums.push(Sum::less(words.loyalty, debit.amount)),
            // What is left to pay in money is told below.
            FundingKind::PaymentMethod => {}
        }
    }
    if !totals.credit_applied.is_zero() {
        sums.push(Sum::of(words.net_after_credit, totals.net_after_credit));
    }
    sums.extend(content.tax_lines.iter().map(|line| tax(words, line)));
    sums.push(Sum::total(words.to_pay, totals.amount_incl_tax));
    sums
}

fn tax(words: &Words, line: &TaxLine) -> Sum {
    let rate = match line.category {
        TaxCategory::Standard => format!("{} %", line.rate),
        TaxCategory::ReverseCharge
        | TaxCategory::OutOfScope
        | TaxCategory::ZeroRated
        | TaxCategory::Exempt => "0 %".to_owned(),
    };
    Sum::of(format!("{} {rate} ({} {})", words.tax, words.on, line.base), line.tax)
}

fn kind_name(words: &Words, kind: LotKind) -> &'static str {
    match kind {
        LotKind::Voucher => words.voucher,
        LotKind::CloudCredit => words.cloud_credit,
        LotKind::LaunchPad => LAUNCH_PAD,
        LotKind::Loyalty => words.loyalty,
    }
}

/// What must be said by law: of each rate once, how credit is taxed (R7.4), and of the seller.
fn mentions(words: &Words, parties: &Parties, tax_lines: &[TaxLine], has_credit: bool) -> Vec<String> {
    let mut mentions: Vec<String> = Vec::new();
    for line in tax_lines.iter().filter(|line| !line.mention.is_empty()) {
        if !mentions.contains(&line.mention) {
            mentions.push(line.mention.clone());
        }
    }
    if has_credit {
        mentions.push(words.credit_mention.to_owned());
    }
    mentions.extend(parties.mentions.lines().map(|line| line.trim().to_owned()));
    mentions
}

fn day(at: Instant) -> String {
    at.as_datetime().format("%Y-%m-%d").to_string()
}

/// In UTC, as every boundary is (R1.6).
fn minute(at: Instant) -> String {
    at.as_datetime().format("%Y-%m-%d %H:%M").to_string()
}
