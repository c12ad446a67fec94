//! The notices this slice raises, in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::Notice;
use florin_settlement::{Instant, Money};

use crate::domain::{
    credit_note::CreditNote,
    dunning::{NextStep, Step},
    invoice::Content,
    standing::Standing,
};

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

/// An invoice could not be collected: what is owed, and what follows.
pub(crate) fn owed(account: &Account, number: &str, amount: Money, next: Option<NextStep>) -> Notice {
    let at = next.and_then(|next| Some((next.step, next.at?)));
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            format!("Facture {number} impayée"),
            format!(
                "Bonjour,\n\nla facture {number} n'a pas pu être réglée : {amount} restent dus. Vous pouvez la payer à \
                 tout moment avec l'un de vos moyens de paiement. {}\n",
                match at {
                    Some((Step::Retry | Step::TryOthers, at)) => format!("Nous réessaierons le {at}."),
                    Some(_) | None => "Sans règlement, vos projets seront suspendus.".to_owned(),
                }
            ),
        ),
        "nl" => (
            format!("Factuur {number} onbetaald"),
            format!(
                "Hallo,\n\nfactuur {number} kon niet worden geïnd: {amount} staat open. U kunt haar op elk moment \
                 betalen met een van uw betaalmethodes. {}\n",
                match at {
                    Some((Step::Retry | Step::TryOthers, at)) => format!("Wij proberen het opnieuw op {at}."),
                    Some(_) | None => "Zonder betaling worden uw projecten opgeschort.".to_owned(),
                }
            ),
        ),
        "de" => (
            format!("Rechnung {number} unbezahlt"),
            format!(
                "Guten Tag,\n\ndie Rechnung {number} konnte nicht eingezogen werden: {amount} sind offen. Sie können \
                 sie jederzeit mit einer Ihrer Zahlungsarten bezahlen. {}\n",
                match at {
                    Some((Step::Retry | Step::TryOthers, at)) => format!("Wir versuchen es am {at} erneut."),
                    Some(_) | None => "Ohne Zahlung werden Ihre Projekte gesperrt.".to_owned(),
                }
            ),
        ),
        _ => (
            format!("Invoice {number} is unpaid"),
            format!(
                "Hello,\n\ninvoice {number} could not be collected: {amount} is owed. You can pay it at any time with \
                 one of your payment methods. {}\n",
                match at {
                    Some((Step::Retry | Step::TryOthers, at)) => format!("We will try again on {at}."),
                    Some(_) | None => "Unless it is paid, your projects will be suspended.".to_owned(),
                }
            ),
        ),
    };
    notice("invoicing.unpaid", account, subject, body)
}

/// The projects will be suspended, and when.
pub(crate) fn suspension_ahead(account: &Account, number: &str, amount: Money, at: Instant) -> Notice {
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Vos projets vont être suspendus".to_owned(),
            format!(
                "Bonjour,\n\n{amount} de la facture {number} restent dus. Sans règlement, vos projets seront suspendus \
                 le {at}. Leurs ressources restent facturées tant qu'elles existent.\n"
            ),
        ),
        "nl" => (
            "Uw projecten worden opgeschort".to_owned(),
            format!(
                "Hallo,\n\n{amount} van factuur {number} staat nog open. Zonder betaling worden uw projecten op {at} \
                 opgeschort. Hun resources blijven in rekening gebracht zolang zij bestaan.\n"
            ),
        ),
        "de" => (
            "Ihre Projekte werden gesperrt".to_owned(),
            format!(
                "Guten Tag,\n\n{amount} der Rechnung {number} sind noch offen. Ohne Zahlung werden Ihre Projekte am {at} \
                 gesperrt. Ihre Ressourcen werden berechnet, solange es sie gibt.\n"
            ),
        ),
        _ => (
            "Your projects are about to be suspended".to_owned(),
            format!(
                "Hello,\n\n{amount} of invoice {number} is still owed. Unless it is paid, your projects will be suspended \
                 on {at}. Their resources are charged for as long as they exist.\n"
            ),
        ),
    };
    notice("invoicing.suspension-ahead", account, subject, body)
}

/// The projects will be deleted, and when.
pub(crate) fn deletion_ahead(account: &Account, number: &str, amount: Money, at: Instant) -> Notice {
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Vos projets vont être supprimés".to_owned(),
            format!(
                "Bonjour,\n\n{amount} de la facture {number} restent dus. Sans règlement, vos projets et leurs données \
                 seront supprimés le {at}. Ce qui reste de leurs crédits est alors perdu.\n"
            ),
        ),
        "nl" => (
            "Uw projecten worden verwijderd".to_owned(),
            format!(
                "Hallo,\n\n{amount} van factuur {number} staat nog open. Zonder betaling worden uw projecten en hun \
                 gegevens op {at} verwijderd. Wat van hun tegoeden over is, vervalt dan.\n"
            ),
        ),
        "de" => (
            "Ihre Projekte werden gelöscht".to_owned(),
            format!(
                "Guten Tag,\n\n{amount} der Rechnung {number} sind noch offen. Ohne Zahlung werden Ihre Projekte und ihre \
                 Daten am {at} gelöscht. Was von ihrem Guthaben übrig ist, verfällt dann.\n"
            ),
        ),
        _ => (
            "Your projects are about to be deleted".to_owned(),
            format!(
                "Hello,\n\n{amount} of invoice {number} is still owed. Unless it is paid, your projects and their data will \
                 be deleted on {at}. What is left of their credit lapses then.\n"
            ),
        ),
    };
    notice("invoicing.deletion-ahead", account, subject, body)
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
