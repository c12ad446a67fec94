//! The notices this slice raises, in the account's language (R10.1).

use florin_platform::notice::{Notice, SECRET};

use crate::domain::{account::Account, confirmation};

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
