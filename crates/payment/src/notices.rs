//! The notices this slice raises, in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::Notice;

use crate::domain::payment::Payment;

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

fn notice(kind: &'static str, account: &Account, subject: &str, body: String) -> Notice {
    let language = account.profile.language.clone();
    Notice { kind, language, subject: subject.to_owned(), body, secret_purpose: None }
}
