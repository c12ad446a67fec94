//! The notices this slice raises, in the account's language (R10.1).
//!
//! What is said of a suspended project always says that its resources are charged while they exist (R4.3).

use florin_account::Account;
use florin_platform::{
    call::Right,
    notice::{Notice, SECRET},
};
use florin_settlement::Instant;

use crate::domain::{
    life::{Deletion, DeletionCause, OperatorSuspension, SuspensionCause},
    project::Project,
};

fn notice(kind: &'static str, account: &Account, (subject, body): (String, String)) -> Notice {
    Notice { kind, language: account.profile.language.clone(), subject, body, secret_purpose: None }
}

/// The sentence that goes with every suspension (R4.3).
fn still_charged(language: &str) -> &'static str {
    match language {
        "fr" => {
            "Les ressources d'un projet suspendu restent facturées tant qu'elles existent : supprimez celles dont \
             vous n'avez plus besoin."
        }
        "nl" => {
            "Resources van een geschorst project worden aangerekend zolang ze bestaan: verwijder wat u niet meer \
             nodig hebt."
        }
        "de" => {
            "Ressourcen eines gesperrten Projekts werden berechnet, solange sie bestehen: Löschen Sie, was Sie \
             nicht mehr brauchen."
        }
        _ => {
            "Resources of a suspended project are charged while they exist: remove those you no longer need."
        }
    }
}

/// An operator suspended the project.
pub(crate) fn suspended_by_operator(
    account: &Account,
    project: &Project,
    said: &OperatorSuspension,
) -> Notice {
    let language = account.profile.language.as_str();
    let (name, reason, charged) = (&project.name, &said.reason, still_charged(language));
    let text = match language {
        "fr" => (
            format!("Votre projet « {name} » est suspendu"),
            format!("Bonjour,\n\nvotre projet « {name} » est suspendu. Motif : {reason}\n\n{charged}\n"),
        ),
        "nl" => (
            format!("Uw project “{name}” is geschorst"),
            format!("Hallo,\n\nuw project “{name}” is geschorst. Reden: {reason}\n\n{charged}\n"),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ ist gesperrt"),
            format!("Guten Tag,\n\nIhr Projekt „{name}“ ist gesperrt. Grund: {reason}\n\n{charged}\n"),
        ),
        _ => (
            format!("Your project “{name}” is suspended"),
            format!("Hello,\n\nyour project “{name}” is suspended. Reason: {reason}\n\n{charged}\n"),
        ),
    };
    notice("project.suspended", account, text)
}

/// The project is suspended for an unpaid debt (R9.2).
pub(crate) fn suspended_for_debt(account: &Account, project: &Project) -> Notice {
    let language = account.profile.language.as_str();
    let (name, charged) = (&project.name, still_charged(language));
    let text = match language {
        "fr" => (
            format!("Votre projet « {name} » est suspendu"),
            format!(
                "Bonjour,\n\nvotre projet « {name} » est suspendu parce qu'une facture n'est pas payée. Il reprend \
                 dès que la dette est réglée.\n\n{charged}\n"
            ),
        ),
        "nl" => (
            format!("Uw project “{name}” is geschorst"),
            format!(
                "Hallo,\n\nuw project “{name}” is geschorst omdat een factuur niet betaald is. Het wordt hervat zodra \
                 de schuld voldaan is.\n\n{charged}\n"
            ),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ ist gesperrt"),
            format!(
                "Guten Tag,\n\nIhr Projekt „{name}“ ist gesperrt, weil eine Rechnung nicht bezahlt ist. Es läuft \
                 weiter, sobald die Schuld beglichen ist.\n\n{charged}\n"
            ),
        ),
        _ => (
            format!("Your project “{name}” is suspended"),
            format!(
                "Hello,\n\nyour project “{name}” is suspended because an invoice is unpaid. It resumes as soon as the \
                 debt is paid.\n\n{charged}\n"
            ),
        ),
    };
    notice("project.suspended", account, text)
}

/// The project is ACTIVE again.
pub(crate) fn resumed(account: &Account, project: &Project) -> Notice {
    let name = &project.name;
    let text = match account.profile.language.as_str() {
        "fr" => (
            format!("Votre projet « {name} » a repris"),
            format!(
                "Bonjour,\n\nvotre projet « {name} » n'est plus suspendu. Ses ressources ont été facturées pendant \
                 la suspension, et continuent de l'être.\n"
            ),
        ),
        "nl" => (
            format!("Uw project “{name}” is hervat"),
            format!(
                "Hallo,\n\nuw project “{name}” is niet langer geschorst. De resources zijn tijdens de schorsing \
                 aangerekend en blijven dat.\n"
            ),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ läuft wieder"),
            format!(
                "Guten Tag,\n\nIhr Projekt „{name}“ ist nicht mehr gesperrt. Seine Ressourcen wurden während der \
                 Sperre berechnet und werden es weiterhin.\n"
            ),
        ),
        _ => (
            format!("Your project “{name}” has resumed"),
            format!(
                "Hello,\n\nyour project “{name}” is no longer suspended. Its resources were charged during the \
                 suspension, and go on being charged.\n"
            ),
        ),
    };
    notice("project.resumed", account, text)
}

/// `cause` is over, and the project stays suspended for the other one.
pub(crate) fn still_suspended(account: &Account, project: &Project, cause: SuspensionCause) -> Notice {
    let language = account.profile.language.as_str();
    let (name, charged) = (&project.name, still_charged(language));
    let text = match (language, cause) {
        ("fr", SuspensionCause::Debt) => (
            format!("Votre projet « {name} » reste suspendu"),
            format!(
                "Bonjour,\n\nvotre dette est réglée, mais votre projet « {name} » reste suspendu par notre équipe. \
                 Contactez-nous.\n\n{charged}\n"
            ),
        ),
        ("fr", SuspensionCause::Operator) => (
            format!("Votre projet « {name} » reste suspendu"),
            format!(
                "Bonjour,\n\nnotre équipe a levé sa suspension de votre projet « {name} », mais une facture n'est pas \
                 payée : il reprend dès que la dette est réglée.\n\n{charged}\n"
            ),
        ),
        ("nl", SuspensionCause::Debt) => (
            format!("Uw project “{name}” blijft geschorst"),
            format!(
                "Hallo,\n\nuw schuld is voldaan, maar uw project “{name}” blijft door ons team geschorst. Neem contact \
                 met ons op.\n\n{charged}\n"
            ),
        ),
        ("nl", SuspensionCause::Operator) => (
            format!("Uw project “{name}” blijft geschorst"),
            format!(
                "Hallo,\n\nons team heeft zijn schorsing van uw project “{name}” opgeheven, maar een factuur is niet \
                 betaald: het wordt hervat zodra de schuld voldaan is.\n\n{charged}\n"
            ),
        ),
        ("de", SuspensionCause::Debt) => (
            format!("Ihr Projekt „{name}“ bleibt gesperrt"),
            format!(
                "Guten Tag,\n\nIhre Schuld ist beglichen, aber Ihr Projekt „{name}“ bleibt durch unser Team gesperrt. \
                 Bitte melden Sie sich bei uns.\n\n{charged}\n"
            ),
        ),
        ("de", SuspensionCause::Operator) => (
            format!("Ihr Projekt „{name}“ bleibt gesperrt"),
            format!(
                "Guten Tag,\n\nunser Team hat seine Sperre Ihres Projekts „{name}“ aufgehoben, aber eine Rechnung ist \
                 nicht bezahlt: Es läuft weiter, sobald die Schuld beglichen ist.\n\n{charged}\n"
            ),
        ),
        (_, SuspensionCause::Debt) => (
            format!("Your project “{name}” stays suspended"),
            format!(
                "Hello,\n\nyour debt is paid, but your project “{name}” stays suspended by our team. Please contact \
                 us.\n\n{charged}\n"
            ),
        ),
        (_, SuspensionCause::Operator) => (
            format!("Your project “{name}” stays suspended"),
            format!(
                "Hello,\n\nour team has lifted its suspension of your project “{name}”, but an invoice is unpaid: it \
                 resumes as soon as the debt is paid.\n\n{charged}\n"
            ),
        ),
    };
    notice("project.suspended", account, text)
}

/// Somebody wants the project deleted: the token that confirms it, good until `until` (R4.6).
pub(crate) fn deletion_token(
    account: &Account,
    project: &Project,
    until: Instant,
    purpose: String,
) -> Notice {
    let name = &project.name;
    let text = match account.profile.language.as_str() {
        "fr" => (
            format!("Supprimer votre projet « {name} » ?"),
            format!(
                "Bonjour,\n\nla suppression de votre projet « {name} » a été demandée. Elle supprime toutes ses \
                 ressources, et ce qu'il lui reste de crédit et de bons est perdu après la dernière facture. Pour la \
                 confirmer, donnez ce jeton avant le {until} :\n{SECRET}\n\nSi vous ne le voulez pas, ne faites rien.\n"
            ),
        ),
        "nl" => (
            format!("Uw project “{name}” verwijderen?"),
            format!(
                "Hallo,\n\ner is gevraagd uw project “{name}” te verwijderen. Daarmee verdwijnen al zijn resources, en \
                 wat het nog aan krediet en vouchers heeft, vervalt na de laatste factuur. Geef ter bevestiging vóór \
                 {until} dit token op:\n{SECRET}\n\nWilt u dit niet, doe dan niets.\n"
            ),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ löschen?"),
            format!(
                "Guten Tag,\n\ndie Löschung Ihres Projekts „{name}“ wurde verlangt. Sie entfernt alle Ressourcen, und \
                 was ihm an Guthaben und Gutscheinen bleibt, verfällt nach der Schlussrechnung. Zur Bestätigung geben \
                 Sie bis {until} dieses Token an:\n{SECRET}\n\nWollen Sie das nicht, tun Sie nichts.\n"
            ),
        ),
        _ => (
            format!("Delete your project “{name}”?"),
            format!(
                "Hello,\n\nthe deletion of your project “{name}” was requested. It removes all its resources, and what \
                 credit and vouchers it has left are forfeited after the final invoice. To confirm, give this token \
                 before {until}:\n{SECRET}\n\nIf you do not want this, do nothing.\n"
            ),
        ),
    };
    Notice { secret_purpose: Some(purpose), ..notice("project.deletion-token", account, text) }
}

/// Metering has stopped; the final invoice is to come (R4.6).
pub(crate) fn deletion_started(account: &Account, project: &Project, deletion: &Deletion) -> Notice {
    let language = account.profile.language.as_str();
    let (name, stopped, ends) = (&project.name, deletion.stopped, deletion.grace_ends);
    let why = match (language, deletion.cause) {
        (_, DeletionCause::Customer) => "",
        ("fr", DeletionCause::Debt) => " parce qu'une dette est restée impayée",
        ("nl", DeletionCause::Debt) => " omdat een schuld onbetaald is gebleven",
        ("de", DeletionCause::Debt) => ", weil eine Schuld unbezahlt geblieben ist",
        (_, DeletionCause::Debt) => " because a debt stayed unpaid",
    };
    let text = match language {
        "fr" => (
            format!("Votre projet « {name} » est en cours de suppression"),
            format!(
                "Bonjour,\n\nvotre projet « {name} » est supprimé{why}. Ses ressources sont supprimées et ne sont plus \
                 facturées depuis le {stopped}. La dernière facture est émise après le {ends} ; ce qu'il reste alors \
                 de crédit et de bons est perdu.\n"
            ),
        ),
        "nl" => (
            format!("Uw project “{name}” wordt verwijderd"),
            format!(
                "Hallo,\n\nuw project “{name}” wordt verwijderd{why}. Zijn resources zijn verwijderd en worden sinds \
                 {stopped} niet meer aangerekend. De laatste factuur volgt na {ends}; wat dan aan krediet en vouchers \
                 overblijft, vervalt.\n"
            ),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ wird gelöscht"),
            format!(
                "Guten Tag,\n\nIhr Projekt „{name}“ wird gelöscht{why}. Seine Ressourcen sind entfernt und werden seit \
                 {stopped} nicht mehr berechnet. Die Schlussrechnung folgt nach {ends}; was dann an Guthaben und \
                 Gutscheinen bleibt, verfällt.\n"
            ),
        ),
        _ => (
            format!("Your project “{name}” is being deleted"),
            format!(
                "Hello,\n\nyour project “{name}” is being deleted{why}. Its resources are removed and not charged since \
                 {stopped}. The final invoice follows after {ends}; what credit and vouchers are left then are \
                 forfeited.\n"
            ),
        ),
    };
    notice("project.deletion-started", account, text)
}

/// The project is over.
pub(crate) fn deleted(account: &Account, project: &Project) -> Notice {
    let name = &project.name;
    let text = match account.profile.language.as_str() {
        "fr" => (
            format!("Votre projet « {name} » est supprimé"),
            format!(
                "Bonjour,\n\nvotre projet « {name} » est supprimé. Rien ne sera plus facturé pour lui ; ses factures \
                 restent à votre disposition.\n"
            ),
        ),
        "nl" => (
            format!("Uw project “{name}” is verwijderd"),
            format!(
                "Hallo,\n\nuw project “{name}” is verwijderd. Er wordt niets meer voor aangerekend; zijn facturen \
                 blijven beschikbaar.\n"
            ),
        ),
        "de" => (
            format!("Ihr Projekt „{name}“ ist gelöscht"),
            format!(
                "Guten Tag,\n\nIhr Projekt „{name}“ ist gelöscht. Dafür wird nichts mehr berechnet; seine Rechnungen \
                 bleiben abrufbar.\n"
            ),
        ),
        _ => (
            format!("Your project “{name}” is deleted"),
            format!(
                "Hello,\n\nyour project “{name}” is deleted. Nothing more will be charged for it; its invoices remain \
                 available.\n"
            ),
        ),
    };
    notice("project.deleted", account, text)
}

/// What a right is called, in `language`.
fn right_called(language: &str, right: Right) -> &'static str {
    match (language, right) {
        ("fr", Right::Owner) => "propriétaire",
        ("fr", Right::Admin) => "administration",
        ("fr", Right::Billing) => "facturation",
        ("fr", Right::Technical) => "technique",
        ("fr", Right::ReadOnly) => "lecture seule",
        ("nl", Right::Owner) => "eigenaar",
        ("nl", Right::Admin) => "beheer",
        ("nl", Right::Billing) => "facturatie",
        ("nl", Right::Technical) => "techniek",
        ("nl", Right::ReadOnly) => "alleen lezen",
        ("de", Right::Owner) => "Eigentümer",
        ("de", Right::Admin) => "Verwaltung",
        ("de", Right::Billing) => "Abrechnung",
        ("de", Right::Technical) => "Technik",
        ("de", Right::ReadOnly) => "nur lesen",
        (_, Right::Owner) => "owner",
        (_, Right::Admin) => "administration",
        (_, Right::Billing) => "billing",
        (_, Right::Technical) => "technical",
        (_, Right::ReadOnly) => "read only",
    }
}

/// A right on `project` of `owner` was given to `grantee`; told to both, each as `to`.
pub(crate) fn right_granted(
    to: &Account,
    owner: &Account,
    grantee: &Account,
    project: &Project,
    right: Right,
) -> Notice {
    let language = to.profile.language.as_str();
    let (name, right) = (&project.name, right_called(language, right));
    let (owner, grantee, resource) = (&owner.handle, &grantee.handle, project.resource_name());
    let text = match language {
        "fr" => (
            format!("Droit accordé sur le projet « {name} »"),
            format!(
                "Bonjour,\n\nle compte {owner} a accordé au compte {grantee} le droit « {right} » sur le projet \
                 « {name} » ({resource}).\n"
            ),
        ),
        "nl" => (
            format!("Recht verleend op het project “{name}”"),
            format!(
                "Hallo,\n\naccount {owner} heeft account {grantee} het recht “{right}” verleend op het project \
                 “{name}” ({resource}).\n"
            ),
        ),
        "de" => (
            format!("Recht am Projekt „{name}“ erteilt"),
            format!(
                "Guten Tag,\n\ndas Konto {owner} hat dem Konto {grantee} das Recht „{right}“ am Projekt „{name}“ \
                 ({resource}) erteilt.\n"
            ),
        ),
        _ => (
            format!("Right granted on the project “{name}”"),
            format!(
                "Hello,\n\nthe account {owner} has given the account {grantee} the right “{right}” on the project \
                 “{name}” ({resource}).\n"
            ),
        ),
    };
    notice("project.right-granted", to, text)
}

/// `grantee` no longer holds a right on `project` of `owner`; told to both, each as `to`.
pub(crate) fn right_revoked(
    to: &Account,
    owner: &Account,
    grantee: &Account,
    project: &Project,
    right: Right,
) -> Notice {
    let language = to.profile.language.as_str();
    let (name, right) = (&project.name, right_called(language, right));
    let (owner, grantee, resource) = (&owner.handle, &grantee.handle, project.resource_name());
    let text = match language {
        "fr" => (
            format!("Droit retiré sur le projet « {name} »"),
            format!(
                "Bonjour,\n\nle compte {grantee} n'a plus le droit « {right} » sur le projet « {name} » ({resource}) \
                 du compte {owner}.\n"
            ),
        ),
        "nl" => (
            format!("Recht ingetrokken op het project “{name}”"),
            format!(
                "Hallo,\n\naccount {grantee} heeft niet langer het recht “{right}” op het project “{name}” \
                 ({resource}) van account {owner}.\n"
            ),
        ),
        "de" => (
            format!("Recht am Projekt „{name}“ entzogen"),
            format!(
                "Guten Tag,\n\ndas Konto {grantee} hat das Recht „{right}“ am Projekt „{name}“ ({resource}) des Kontos \
                 {owner} nicht mehr.\n"
            ),
        ),
        _ => (
            format!("Right revoked on the project “{name}”"),
            format!(
                "Hello,\n\nthe account {grantee} no longer has the right “{right}” on the project “{name}” \
                 ({resource}) of the account {owner}.\n"
            ),
        ),
    };
    notice("project.right-revoked", to, text)
}
