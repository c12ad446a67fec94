//! The notices about spending (R5.7), in the account's language (R10.1).

use florin_account::Account;
use florin_platform::notice::Notice;
use florin_settlement::Money;

use crate::domain::budget::{Basis, Budget};

fn notice(kind: &'static str, account: &Account, subject: &str, body: String) -> Notice {
    let language = account.profile.language.clone();
    Notice { kind, language, subject: subject.to_owned(), body, secret_purpose: None }
}

/// A threshold of a budget was reached.
pub(crate) fn threshold_reached(account: &Account, budget: &Budget, percent: i64, current: Money) -> Notice {
    let (name, amount) = (&budget.name, budget.amount);
    let foretold = budget.basis == Basis::Forecast;
    let (subject, body) = match (account.profile.language.as_str(), foretold) {
        ("fr", false) => (
            "Seuil de budget atteint",
            format!(
                "Bonjour,\n\nle budget « {name} » ({amount} par mois, HT) a atteint {percent} % : {current} consommés depuis le 1er du mois. Rien n'est arrêté.\n"
            ),
        ),
        ("fr", true) => (
            "Seuil de budget bientôt atteint",
            format!(
                "Bonjour,\n\nle budget « {name} » ({amount} par mois, HT) devrait atteindre {percent} % : {current} prévus à la fin du mois. Rien n'est arrêté.\n"
            ),
        ),
        ("nl", false) => (
            "Budgetdrempel bereikt",
            format!(
                "Hallo,\n\nhet budget ‘{name}’ ({amount} per maand, excl. btw) heeft {percent} % bereikt: {current} verbruikt sinds de 1e van de maand. Er wordt niets gestopt.\n"
            ),
        ),
        ("nl", true) => (
            "Budgetdrempel wordt bereikt",
            format!(
                "Hallo,\n\nhet budget ‘{name}’ ({amount} per maand, excl. btw) zal naar verwachting {percent} % bereiken: {current} aan het einde van de maand. Er wordt niets gestopt.\n"
            ),
        ),
        ("de", false) => (
            "Budgetschwelle erreicht",
            format!(
                "Guten Tag,\n\ndas Budget „{name}“ ({amount} im Monat, netto) hat {percent} % erreicht: {current} seit dem 1. des Monats verbraucht. Es wird nichts angehalten.\n"
            ),
        ),
        ("de", true) => (
            "Budgetschwelle wird erreicht",
            format!(
                "Guten Tag,\n\ndas Budget „{name}“ ({amount} im Monat, netto) wird voraussichtlich {percent} % erreichen: {current} zum Monatsende. Es wird nichts angehalten.\n"
            ),
        ),
        (_, false) => (
            "Budget threshold reached",
            format!(
                "Hello,\n\nthe budget “{name}” ({amount} a month, excluding VAT) has reached {percent} %: {current} used since the 1st of the month. Nothing is stopped.\n"
            ),
        ),
        (_, true) => (
            "Budget threshold will be reached",
            format!(
                "Hello,\n\nthe budget “{name}” ({amount} a month, excluding VAT) is forecast to reach {percent} %: {current} at the end of the month. Nothing is stopped.\n"
            ),
        ),
    };
    notice("project.budget-threshold", account, subject, body)
}

/// This month's use has reached the spend cap.
pub(crate) fn cap_reached(account: &Account, project: &str, cap: Money, spent: Money) -> Notice {
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Plafond de dépenses atteint",
            format!(
                "Bonjour,\n\n{project} a consommé {spent} ce mois-ci, pour un plafond de {cap} (HT). Rien n'est arrêté, mais rien de nouveau ne devrait être démarré.\n"
            ),
        ),
        "nl" => (
            "Uitgavenplafond bereikt",
            format!(
                "Hallo,\n\n{project} heeft deze maand {spent} verbruikt, bij een plafond van {cap} (excl. btw). Er wordt niets gestopt, maar er wordt niets nieuws gestart.\n"
            ),
        ),
        "de" => (
            "Ausgabengrenze erreicht",
            format!(
                "Guten Tag,\n\n{project} hat in diesem Monat {spent} verbraucht, bei einer Grenze von {cap} (netto). Es wird nichts angehalten, aber nichts Neues gestartet.\n"
            ),
        ),
        _ => (
            "Spend cap reached",
            format!(
                "Hello,\n\n{project} has used {spent} this month, with a cap of {cap} (excluding VAT). Nothing is stopped, but nothing new is started.\n"
            ),
        ),
    };
    notice("project.spend-cap", account, subject, body)
}

/// Nothing is available any more in a prepaid-only project.
pub(crate) fn funds_exhausted(account: &Account, project: &str) -> Notice {
    let (subject, body) = match account.profile.language.as_str() {
        "fr" => (
            "Crédit épuisé",
            format!(
                "Bonjour,\n\nle crédit de {project}, en prépaiement, est épuisé. Ce qui fonctionne continue et reste facturé ; rien de nouveau n'est démarré avant l'achat de crédit.\n"
            ),
        ),
        "nl" => (
            "Krediet uitgeput",
            format!(
                "Hallo,\n\nhet krediet van {project}, dat vooraf betaald wordt, is uitgeput. Wat draait, draait door en wordt aangerekend; er wordt niets nieuws gestart tot u krediet koopt.\n"
            ),
        ),
        "de" => (
            "Guthaben erschöpft",
            format!(
                "Guten Tag,\n\ndas Guthaben von {project}, einem Projekt mit Vorauszahlung, ist erschöpft. Was läuft, läuft weiter und wird berechnet; Neues wird erst gestartet, wenn Guthaben gekauft ist.\n"
            ),
        ),
        _ => (
            "Credit exhausted",
            format!(
                "Hello,\n\nthe credit of {project}, which is prepaid-only, is exhausted. What runs goes on and is charged; nothing new is started until credit is bought.\n"
            ),
        ),
    };
    notice("project.funds-exhausted", account, subject, body)
}
