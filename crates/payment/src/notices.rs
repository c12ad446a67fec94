//! The notices this slice raises, in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::Notice;
use florin_settlement::{Instant, Money};

use crate::domain::{method::PaymentMethod, payment::Payment};

/// A payment made without the customer being there was declined.
pub(crate) fn declined(account: &Account, payment: &Payment, code: &str) -> Notice {
    let (amount, reference) = (payment.amount, &payment.reference);
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Paiement refusé",
            format!(
                "Bonjour,\n\nle paiement de {amount} pour {reference} a été refusé ({code}). \
                     Veuillez vérifier votre moyen de paiement ou payer autrement.\n"
            ),
        ),
        "nl" => (
            "Betaling geweigerd",
            format!(
                "Hallo,\n\nde betaling van {amount} voor {reference} is geweigerd ({code}). \
                     Controleer uw betaalmiddel of betaal op een andere manier.\n"
            ),
        ),
        "de" => (
            "Zahlung abgelehnt",
            format!(
                "Guten Tag,\n\ndie Zahlung von {amount} für {reference} wurde abgelehnt ({code}). \
                     Bitte prüfen Sie Ihr Zahlungsmittel oder zahlen Sie auf anderem Weg.\n"
            ),
        ),
        _ => (
            "Payment declined",
            format!(
                "Hello,\n\nthe payment of {amount} for {reference} was declined ({code}). \
                     Please check your payment method, or pay another way.\n"
            ),
        ),
    };
    notice("payment.declined", account, subject, body)
}

/// Money that nothing wanted has gone back to its source (R6.3).
pub(crate) fn returned(account: &Account, payment: &Payment) -> Notice {
    let (amount, reference) = (payment.amount, &payment.reference);
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Paiement remboursé",
            format!(
                "Bonjour,\n\nvotre paiement de {amount} pour {reference} n'était plus attendu. \
                     Il est remboursé sur le moyen de paiement utilisé.\n"
            ),
        ),
        "nl" => (
            "Betaling teruggestort",
            format!(
                "Hallo,\n\nuw betaling van {amount} voor {reference} werd niet meer verwacht. \
                     Het bedrag gaat terug naar het gebruikte betaalmiddel.\n"
            ),
        ),
        "de" => (
            "Zahlung erstattet",
            format!(
                "Guten Tag,\n\nIhre Zahlung von {amount} für {reference} wurde nicht mehr erwartet. \
                     Der Betrag geht an das verwendete Zahlungsmittel zurück.\n"
            ),
        ),
        _ => (
            "Payment returned",
            format!(
                "Hello,\n\nyour payment of {amount} for {reference} was no longer expected. \
                     The money goes back to the payment method it came from.\n"
            ),
        ),
    };
    notice("payment.returned", account, subject, body)
}

/// A part of a payment has gone back to its source.
pub(crate) fn refunded(account: &Account, payment: &Payment, amount: Money) -> Notice {
    let reference = &payment.reference;
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Remboursement",
            format!(
                "Bonjour,\n\n{amount} de votre paiement pour {reference} sont remboursés sur le moyen de \
                     paiement utilisé.\n"
            ),
        ),
        "nl" => (
            "Terugbetaling",
            format!(
                "Hallo,\n\n{amount} van uw betaling voor {reference} gaat terug naar het gebruikte \
                     betaalmiddel.\n"
            ),
        ),
        "de" => (
            "Erstattung",
            format!(
                "Guten Tag,\n\n{amount} Ihrer Zahlung für {reference} gehen an das verwendete \
                     Zahlungsmittel zurück.\n"
            ),
        ),
        _ => (
            "Refund",
            format!(
                "Hello,\n\n{amount} of your payment for {reference} goes back to the payment method it came \
                     from.\n"
            ),
        ),
    };
    notice("payment.refunded", account, subject, body)
}

/// A bank account is going to be debited (R3.6).
pub(crate) fn announced(account: &Account, payment: &Payment, masked: &str, collect: Instant) -> Notice {
    let (amount, reference) = (payment.amount, &payment.reference);
    let day = day(collect);
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Prélèvement à venir",
            format!(
                "Bonjour,\n\nnous prélèverons {amount} sur le compte {masked} le {day}, pour {reference}. \
                     Veuillez veiller à ce que le compte soit approvisionné.\n"
            ),
        ),
        "nl" => (
            "Aankondiging van een incasso",
            format!(
                "Hallo,\n\nop {day} schrijven wij {amount} af van rekening {masked}, voor {reference}. \
                     Zorg voor voldoende saldo.\n"
            ),
        ),
        "de" => (
            "Ankündigung einer Lastschrift",
            format!(
                "Guten Tag,\n\nam {day} ziehen wir {amount} vom Konto {masked} ein, für {reference}. \
                     Bitte sorgen Sie für Deckung.\n"
            ),
        ),
        _ => (
            "Upcoming direct debit",
            format!(
                "Hello,\n\non {day} we will debit {amount} from the account {masked}, for {reference}. \
                     Please see that the account is covered.\n"
            ),
        ),
    };
    notice("payment.announced", account, subject, body)
}

/// The bank wants the customer to confirm a payment Florin initiated (R3.6).
pub(crate) fn action_required(account: &Account, payment: &Payment, url: &str) -> Notice {
    let (amount, reference) = (payment.amount, &payment.reference);
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Paiement à confirmer",
            format!(
                "Bonjour,\n\nvotre banque vous demande de confirmer le paiement de {amount} pour {reference}. \
                     Confirmez-le ici :\n\n{url}\n"
            ),
        ),
        "nl" => (
            "Betaling te bevestigen",
            format!(
                "Hallo,\n\nuw bank vraagt u de betaling van {amount} voor {reference} te bevestigen. \
                     Dat kan hier:\n\n{url}\n"
            ),
        ),
        "de" => (
            "Zahlung zu bestätigen",
            format!(
                "Guten Tag,\n\nIhre Bank bittet Sie, die Zahlung von {amount} für {reference} zu bestätigen. \
                     Das geht hier:\n\n{url}\n"
            ),
        ),
        _ => (
            "Payment to confirm",
            format!(
                "Hello,\n\nyour bank asks you to confirm the payment of {amount} for {reference}. \
                     Please do so here:\n\n{url}\n"
            ),
        ),
    };
    notice("payment.action_required", account, subject, body)
}

/// A card ends soon (R3.5).
pub(crate) fn expires_soon(account: &Account, method: &PaymentMethod, days: u32) -> Notice {
    let masked = &method.details.masked;
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Votre carte expire bientôt",
            format!(
                "Bonjour,\n\nvotre carte {masked} expire dans {days} jours au plus. Enregistrez-en une autre \
                     pour que vos factures restent payées.\n"
            ),
        ),
        "nl" => (
            "Uw kaart verloopt binnenkort",
            format!(
                "Hallo,\n\nuw kaart {masked} verloopt binnen {days} dagen. Registreer een andere, zodat uw \
                     facturen betaald blijven.\n"
            ),
        ),
        "de" => (
            "Ihre Karte läuft bald ab",
            format!(
                "Guten Tag,\n\nIhre Karte {masked} läuft in höchstens {days} Tagen ab. Bitte hinterlegen Sie \
                     eine andere, damit Ihre Rechnungen bezahlt bleiben.\n"
            ),
        ),
        _ => (
            "Your card expires soon",
            format!(
                "Hello,\n\nyour card {masked} expires in {days} days at most. Please register another one, so \
                     that your invoices stay paid.\n"
            ),
        ),
    };
    notice("payment.method_expires", account, subject, body)
}

/// The provider can no longer charge a method.
pub(crate) fn revoked(account: &Account, method: &PaymentMethod) -> Notice {
    let masked = &method.details.masked;
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Moyen de paiement retiré",
            format!(
                "Bonjour,\n\n{masked} ne peut plus être débité : l'autorisation a été retirée. Veuillez \
                     enregistrer un autre moyen de paiement.\n"
            ),
        ),
        "nl" => (
            "Betaalmiddel ingetrokken",
            format!(
                "Hallo,\n\nvan {masked} kan niet meer worden afgeschreven: de machtiging is ingetrokken. \
                     Registreer een ander betaalmiddel.\n"
            ),
        ),
        "de" => (
            "Zahlungsmittel widerrufen",
            format!(
                "Guten Tag,\n\n{masked} kann nicht mehr belastet werden: Die Ermächtigung wurde widerrufen. \
                     Bitte hinterlegen Sie ein anderes Zahlungsmittel.\n"
            ),
        ),
        _ => (
            "Payment method revoked",
            format!(
                "Hello,\n\n{masked} can no longer be charged: its authorisation was withdrawn. Please register \
                     another payment method.\n"
            ),
        ),
    };
    notice("payment.method_revoked", account, subject, body)
}

/// The day of an instant, as every language here reads it.
fn day(at: Instant) -> String {
    at.as_datetime().format("%Y-%m-%d").to_string()
}

fn notice(kind: &'static str, account: &Account, subject: &str, body: String) -> Notice {
    let language = account.profile.language.clone();
    Notice { kind, language, subject: subject.to_owned(), body, secret_purpose: None }
}
