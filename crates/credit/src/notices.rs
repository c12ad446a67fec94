//! The notices this slice raises, in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::{Notice, SECRET};
use florin_settlement::Instant;

use crate::domain::{
    lot::CreditLot,
    order::{CreditOrder, PaymentLinks, link_purpose},
};

/// An order was placed; the link stands in the text when it is sent or read, and nowhere before.
pub(crate) fn ordered(account: &Account, order: &CreditOrder, links: &PaymentLinks) -> Notice {
    let language = account.profile.language.clone();
    let (number, net, gross) = (&order.number, order.price.net, order.price.gross);
    let (link, until) = (links.url_of(SECRET), order.expires);
    let (subject, body) = match language.as_str() {
        "fr" => (
            format!("Votre commande {number}"),
            format!(
                "Bonjour,\n\nvotre commande de crédit cloud {number} s'élève à {net} HT, soit {gross} TTC. \
                 Payez-la avant le {until} :\n{link}\n"
            ),
        ),
        "nl" => (
            format!("Uw bestelling {number}"),
            format!(
                "Hallo,\n\nuw bestelling {number} voor cloudkrediet bedraagt {net} excl. btw, {gross} incl. btw. \
                 Betaal ze vóór {until}:\n{link}\n"
            ),
        ),
        "de" => (
            format!("Ihre Bestellung {number}"),
            format!(
                "Guten Tag,\n\nIhre Bestellung {number} über Cloud-Guthaben beträgt {net} netto, {gross} brutto. \
                 Bitte zahlen Sie bis {until}:\n{link}\n"
            ),
        ),
        _ => (
            format!("Your order {number}"),
            format!(
                "Hello,\n\nyour order {number} for cloud credit comes to {net} excluding VAT, {gross} including \
                 VAT. Pay it before {until}:\n{link}\n"
            ),
        ),
    };
    Notice {
        kind: "credit.ordered",
        language,
        subject,
        body,
        secret_purpose: Some(link_purpose(order.account, order.id)),
    }
}

/// Credit was received.
pub(crate) fn received(account: &Account, lot: &CreditLot) -> Notice {
    let language = account.profile.language.clone();
    let (amount, description) = (lot.initial, &lot.description);
    // The same text as in every answer and warning (R6.8).
    let until = lot.expires.map(|expires| expires.to_string());
    let (subject, body) = match (language.as_str(), until) {
        ("fr", Some(until)) => (
            "Crédit reçu",
            format!("Bonjour,\n\n{amount} ({description}) sont à votre disposition jusqu'au {until}.\n"),
        ),
        ("fr", None) => {
            ("Crédit reçu", format!("Bonjour,\n\n{amount} ({description}) sont à votre disposition.\n"))
        }
        ("nl", Some(until)) => (
            "Krediet ontvangen",
            format!("Hallo,\n\n{amount} ({description}) staat tot {until} tot uw beschikking.\n"),
        ),
        ("nl", None) => {
            ("Krediet ontvangen", format!("Hallo,\n\n{amount} ({description}) staat tot uw beschikking.\n"))
        }
        ("de", Some(until)) => (
            "Guthaben erhalten",
            format!("Guten Tag,\n\n{amount} ({description}) stehen Ihnen bis {until} zur Verfügung.\n"),
        ),
        ("de", None) => (
            "Guthaben erhalten",
            format!("Guten Tag,\n\n{amount} ({description}) stehen Ihnen zur Verfügung.\n"),
        ),
        (_, Some(until)) => (
            "Credit received",
            format!("Hello,\n\n{amount} ({description}) is at your disposal until {until}.\n"),
        ),
        (_, None) => {
            ("Credit received", format!("Hello,\n\n{amount} ({description}) is at your disposal.\n"))
        }
    };
    Notice { kind: "credit.received", language, subject: subject.to_owned(), body, secret_purpose: None }
}

/// Credit is about to expire, in so many `days`: what is at stake, and which settlement can still use it (R6.8).
pub(crate) fn expiring(account: &Account, lot: &CreditLot, days: u64, last: Option<Instant>) -> Notice {
    let language = account.profile.language.clone();
    let (amount, description) = (lot.remaining, &lot.description);
    let expires = lot.expires.map(|expires| expires.to_string()).unwrap_or_default();
    let last = last.map(|last| last.to_string());
    let (subject, body, chance) = match language.as_str() {
        "fr" => (
            format!("Votre crédit expire dans {days} jours"),
            format!("Bonjour,\n\n{amount} ({description}) expirent le {expires}."),
            last.map(|last| format!("Dernier règlement qui peut encore l'utiliser : {last}.")),
        ),
        "nl" => (
            format!("Uw krediet vervalt over {days} dagen"),
            format!("Hallo,\n\n{amount} ({description}) vervalt op {expires}."),
            last.map(|last| format!("Laatste afrekening die het nog kan gebruiken: {last}.")),
        ),
        "de" => (
            format!("Ihr Guthaben verfällt in {days} Tagen"),
            format!("Guten Tag,\n\n{amount} ({description}) verfallen am {expires}."),
            last.map(|last| format!("Letzte Abrechnung, die es noch nutzen kann: {last}.")),
        ),
        _ => (
            format!("Your credit expires in {days} days"),
            format!("Hello,\n\n{amount} ({description}) expires on {expires}."),
            last.map(|last| format!("Last settlement that can still use it: {last}.")),
        ),
    };
    let body = chance.map_or_else(|| format!("{body}\n"), |chance| format!("{body} {chance}\n"));
    Notice { kind: "credit.expiring", language, subject, body, secret_purpose: None }
}

/// The customer withdrew from an order in time: the money is on its way back (R6.4).
pub(crate) fn withdrawn(account: &Account, order: &CreditOrder) -> Notice {
    let language = account.profile.language.clone();
    let (number, gross) = (&order.number, order.final_price().gross);
    let (subject, body) = match language.as_str() {
        "fr" => (
            format!("Rétractation de la commande {number}"),
            format!("Bonjour,\n\nvotre rétractation est enregistrée. {gross} vous sont remboursés.\n"),
        ),
        "nl" => (
            format!("Herroeping van bestelling {number}"),
            format!("Hallo,\n\nuw herroeping is geregistreerd. {gross} wordt u terugbetaald.\n"),
        ),
        "de" => (
            format!("Widerruf der Bestellung {number}"),
            format!("Guten Tag,\n\nIhr Widerruf ist eingegangen. {gross} werden Ihnen erstattet.\n"),
        ),
        _ => (
            format!("Withdrawal from order {number}"),
            format!("Hello,\n\nyour withdrawal is recorded. {gross} is on its way back to you.\n"),
        ),
    };
    Notice { kind: "credit.order_withdrawn", language, subject, body, secret_purpose: None }
}

/// A top-up has stopped, and says so (R6.10).
pub(crate) fn top_up_stopped(account: &Account, project: &str, reason: &str) -> Notice {
    let language = account.profile.language.clone();
    let (subject, body) = match language.as_str() {
        "fr" => (
            "Rechargement automatique arrêté",
            format!(
                "Bonjour,\n\nle rechargement automatique de {project} est arrêté ({reason}). Rien n'est plus débité \
                 tant que vous ne le configurez pas à nouveau.\n"
            ),
        ),
        "nl" => (
            "Automatisch opladen gestopt",
            format!(
                "Hallo,\n\nhet automatisch opladen van {project} is gestopt ({reason}). Er wordt niets meer \
                 afgeschreven tot u het opnieuw instelt.\n"
            ),
        ),
        "de" => (
            "Automatisches Aufladen angehalten",
            format!(
                "Guten Tag,\n\ndas automatische Aufladen von {project} ist angehalten ({reason}). Es wird nichts mehr \
                 abgebucht, bis Sie es neu einrichten.\n"
            ),
        ),
        _ => (
            "Top-up stopped",
            format!(
                "Hello,\n\nthe top-up of {project} has stopped ({reason}). Nothing more is charged until you \
                 configure it again.\n"
            ),
        ),
    };
    let subject = subject.to_owned();
    Notice { kind: "credit.top_up_stopped", language, subject, body, secret_purpose: None }
}
