//! The notices this slice raises, in the account's language (R10.1).

use florin_platform::notice::{Notice, SECRET};

use crate::domain::{account::Account, confirmation, vat_number::VatNumberState};

/// The code that confirms the account.
pub(crate) fn confirmation(account: &Account) -> Notice {
    let language = account.profile.language.clone();
    let handle = &account.handle;
    let (subject, body) = match language.as_str() {
        "fr" => (
            "Confirmez votre compte",
            format!(
                "Bonjour,\n\nvotre identifiant est {handle}. Votre code de confirmation est {SECRET}. \
                     Il est valable 24 heures et ne sert qu'une fois.\n"
            ),
        ),
        "nl" => (
            "Bevestig uw account",
            format!(
                "Hallo,\n\nuw klant-ID is {handle}. Uw bevestigingscode is {SECRET}. \
                     Hij is 24 uur geldig en werkt één keer.\n"
            ),
        ),
        "de" => (
            "Bestätigen Sie Ihr Konto",
            format!(
                "Guten Tag,\n\nIhre Kundenkennung ist {handle}. Ihr Bestätigungscode ist {SECRET}. \
                     Er gilt 24 Stunden und nur einmal.\n"
            ),
        ),
        _ => (
            "Confirm your account",
            format!(
                "Hello,\n\nyour handle is {handle}. Your confirmation code is {SECRET}. \
                     It is good for 24 hours and works once.\n"
            ),
        ),
    };
    Notice {
        kind: "account.confirmation",
        language,
        subject: subject.to_owned(),
        body,
        secret_purpose: Some(confirmation::purpose(account.id, account.confirmation.generation)),
    }
}

/// A register answered about the VAT number, and what it says is new.
pub(crate) fn vat_number(account: &Account, number: &str, state: VatNumberState) -> Notice {
    let language = account.profile.language.clone();
    let confirmed = state == VatNumberState::Confirmed;
    let (subject, body) = match (language.as_str(), confirmed) {
        ("fr", true) => (
            "Votre numéro de TVA est confirmé",
            format!(
                "Bonjour,\n\nvotre numéro de TVA {number} est confirmé. Dès aujourd'hui, la TVA est autoliquidée : \
                 nos factures n'en comptent pas.\n"
            ),
        ),
        ("fr", false) => (
            "Votre numéro de TVA n'est pas confirmé",
            format!(
                "Bonjour,\n\nvotre numéro de TVA {number} n'est pas enregistré auprès de l'administration. Dès \
                 aujourd'hui, nos factures comptent la TVA de votre pays. Vérifiez-le, ou corrigez-le dans votre compte.\n"
            ),
        ),
        ("nl", true) => (
            "Uw btw-nummer is bevestigd",
            format!(
                "Hallo,\n\nuw btw-nummer {number} is bevestigd. Vanaf vandaag wordt de btw verlegd: onze facturen \
                 bevatten er geen.\n"
            ),
        ),
        ("nl", false) => (
            "Uw btw-nummer is niet bevestigd",
            format!(
                "Hallo,\n\nuw btw-nummer {number} is niet geregistreerd. Vanaf vandaag bevatten onze facturen de btw \
                 van uw land. Controleer het nummer of wijzig het in uw account.\n"
            ),
        ),
        ("de", true) => (
            "Ihre USt-IdNr. ist bestätigt",
            format!(
                "Guten Tag,\n\nIhre USt-IdNr. {number} ist bestätigt. Ab heute sind Sie Steuerschuldner der \
                 Umsatzsteuer: unsere Rechnungen weisen keine aus.\n"
            ),
        ),
        ("de", false) => (
            "Ihre USt-IdNr. ist nicht bestätigt",
            format!(
                "Guten Tag,\n\nIhre USt-IdNr. {number} ist nicht registriert. Ab heute enthalten unsere Rechnungen \
                 die Umsatzsteuer Ihres Landes. Bitte prüfen Sie die Nummer, oder ändern Sie sie in Ihrem Konto.\n"
            ),
        ),
        (_, true) => (
            "Your VAT number is confirmed",
            format!(
                "Hello,\n\nyour VAT number {number} is confirmed. From today on you account for the VAT yourself: our \
                 invoices charge none.\n"
            ),
        ),
        (_, false) => (
            "Your VAT number is not confirmed",
            format!(
                "Hello,\n\nyour VAT number {number} is not registered with the authorities. From today on our invoices \
                 charge the VAT of your country. Check the number, or change it in your account.\n"
            ),
        ),
    };
    Notice { kind: "account.vat_number", language, subject: subject.to_owned(), body, secret_purpose: None }
}
