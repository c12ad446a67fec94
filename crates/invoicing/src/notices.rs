//! The notices this slice raises, in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::Notice;
use florin_settlement::Money;

use crate::domain::{credit_note::CreditNote, invoice::Content, standing::Standing};

fn notice(kind: &'static str, account: &Account, subject: String, body: String) -> Notice {
    Notice { kind, language: account.profile.language.clone(), subject, body, secret_purpose: None }
}

/// An invoice was issued: what it comes to, and what covers it.
pub(crate) fn issued(account: &Account, number: &str, content: &Content, standing: Standing) -> Notice {
    let totals = content.totals;
    let (net, credit, tax, gross) =
        (totals.net_total, totals.credit_applied, totals.tax_total, totals.amount_incl_tax);
    let words = Words::of(account);
    let paid = match standing {
        Standing::Paid { .. } => words.paid,
        Standing::Collecting { .. } | Standing::Issued => words.collecting,
        Standing::Overdue { .. } | Standing::WrittenOff => words.unpaid,
    };
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            format!("Votre facture {number}"),
            format!(
                "Bonjour,\n\nvotre facture {number} s'élève à {net} hors taxes. Couvert par vos crédits : {credit}. \
                 TVA : {tax}. À payer : {gross} TTC. {paid}\n"
            ),
        ),
        "nl" => (
            format!("Uw factuur {number}"),
            format!(
                "Hallo,\n\nuw factuur {number} bedraagt {net} exclusief btw. Gedekt door uw tegoeden: {credit}. \
                 Btw: {tax}. Te betalen: {gross} inclusief btw. {paid}\n"
            ),
        ),
        "de" => (
            format!("Ihre Rechnung {number}"),
            format!(
                "Guten Tag,\n\nIhre Rechnung {number} beträgt {net} netto. Durch Guthaben gedeckt: {credit}. \
                 Umsatzsteuer: {tax}. Zu zahlen: {gross} brutto. {paid}\n"
            ),
        ),
        _ => (
            format!("Your invoice {number}"),
            format!(
                "Hello,\n\nyour invoice {number} comes to {net} excluding VAT. Covered by your credit: {credit}. \
                 VAT: {tax}. To pay: {gross} including VAT. {paid}\n"
            ),
        ),
    };
    notice("invoicing.invoice", account, subject, body)
}

/// An invoice could not be collected.
pub(crate) fn unpaid(account: &Account, number: &str, amount: Money) -> Notice {
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            format!("Facture {number} impayée"),
            format!(
                "Bonjour,\n\nle paiement de {amount} pour la facture {number} n'a pas abouti. \
                 Vérifiez votre moyen de paiement. Sans règlement, vos projets seront suspendus.\n"
            ),
        ),
        "nl" => (
            format!("Factuur {number} onbetaald"),
            format!(
                "Hallo,\n\nde betaling van {amount} voor factuur {number} is niet gelukt. \
                 Controleer uw betaalmethode. Zonder betaling worden uw projecten opgeschort.\n"
            ),
        ),
        "de" => (
            format!("Rechnung {number} unbezahlt"),
            format!(
                "Guten Tag,\n\ndie Zahlung von {amount} für Rechnung {number} ist fehlgeschlagen. \
                 Prüfen Sie Ihre Zahlungsart. Ohne Zahlung werden Ihre Projekte gesperrt.\n"
            ),
        ),
        _ => (
            format!("Invoice {number} is unpaid"),
            format!(
                "Hello,\n\nthe payment of {amount} for invoice {number} did not succeed. \
                 Check your payment method. Unless it is paid, your projects will be suspended.\n"
            ),
        ),
    };
    notice("invoicing.unpaid", account, subject, body)
}

/// A credit note was issued.
pub(crate) fn credited(account: &Account, note: &CreditNote, invoice: &str) -> Notice {
    let (number, totals) = (&note.number, note.totals);
    let (credit, gross) = (totals.credit_returned, totals.amount_incl_tax);
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            format!("Votre avoir {number}"),
            format!(
                "Bonjour,\n\nl'avoir {number} corrige votre facture {invoice} : {gross} TTC, et {credit} rendus \
                 en crédit.\n"
            ),
        ),
        "nl" => (
            format!("Uw creditnota {number}"),
            format!(
                "Hallo,\n\ncreditnota {number} corrigeert uw factuur {invoice}: {gross} inclusief btw, en {credit} \
                 terug als tegoed.\n"
            ),
        ),
        "de" => (
            format!("Ihre Gutschrift {number}"),
            format!(
                "Guten Tag,\n\ndie Gutschrift {number} berichtigt Ihre Rechnung {invoice}: {gross} brutto, und \
                 {credit} zurück als Guthaben.\n"
            ),
        ),
        _ => (
            format!("Your credit note {number}"),
            format!(
                "Hello,\n\ncredit note {number} corrects your invoice {invoice}: {gross} including VAT, and \
                 {credit} returned as credit.\n"
            ),
        ),
    };
    notice("invoicing.credit-note", account, subject, body)
}

struct Words {
    paid: &'static str,
    collecting: &'static str,
    unpaid: &'static str,
}

impl Words {
    fn of(account: &Account) -> Self {
        match account.profile.language.as_str() {
            "fr" => Self {
                paid: "Elle est réglée.",
                collecting: "Elle est prélevée sur votre moyen de paiement par défaut.",
                unpaid: "Aucun moyen de paiement ne permet de la prélever : elle est due.",
            },
            "nl" => Self {
                paid: "Zij is betaald.",
                collecting: "Zij wordt geïnd via uw standaard betaalmethode.",
                unpaid: "Er is geen betaalmethode om haar te innen: zij is verschuldigd.",
            },
            "de" => Self {
                paid: "Sie ist bezahlt.",
                collecting: "Sie wird über Ihre Standard-Zahlungsart eingezogen.",
                unpaid: "Es gibt keine Zahlungsart, um sie einzuziehen: Sie ist fällig.",
            },
            _ => Self {
                paid: "It is paid.",
                collecting: "It is being collected from your default payment method.",
                unpaid: "There is no payment method to collect it from: it is due.",
            },
        }
    }
}
