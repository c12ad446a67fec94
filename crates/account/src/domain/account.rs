//! The account: who the customer is, and in which state (R2.1, R2.2).

use florin_platform::{id::AccountId, violation::Violations};
use florin_settlement::{Currency, Instant, Money};

use super::{
    confirmation::Confirmation,
    legal_form::LegalForm,
    secret::Secret,
    text::{fits, is_country, is_plain},
};

/// The longest text field accepted, in characters.
pub(crate) const TEXT_CHARACTERS_MAX: usize = 255;

/// A customer account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; first in every row it owns.
    pub id: AccountId,
    /// The public handle, as in `ab12345-fl`.
    pub handle: String,
    /// Where it stands in its life.
    pub state: AccountState,
    /// What the customer told about themselves.
    pub profile: Profile,
    /// The argon2id hash of the password.
    pub password_hash: Secret,
    /// The provider's legal entity that sells to it; follows from the country.
    pub issuer: String,
    /// Its one currency, for life (R1.1).
    pub currency: Currency,
    /// Which of the issuer's number series its documents belong to, from 0, for life (R8.3).
    pub series: u32,
    /// How many live projects it may have.
    pub project_limit: u32,
    /// A minimum for initial credit of its own, instead of the issuer's (R4.2).
    pub initial_credit_minimum: Option<Money>,
    /// The confirmation that is awaited while PENDING.
    pub confirmation: Confirmation,
    /// When it was confirmed.
    pub confirmed: Option<Instant>,
    /// Grows with every change.
    pub version: i64,
    /// When it was created.
    pub created: Instant,
    /// When it last changed.
    pub updated: Instant,
}

/// The states of R2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// The mailed code has not come back yet.
    Pending,
    /// It may create projects.
    Active,
    /// An operator stopped it.
    Suspended,
    /// For good.
    Closed,
}

impl AccountState {
    const ALL: [Self; 4] = [Self::Pending, Self::Active, Self::Suspended, Self::Closed];

    /// The stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Closed => "CLOSED",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What a customer tells about themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Lower case.
    pub email: String,
    /// Another address, for the day the first is lost.
    pub rescue_email: Option<String>,
    /// ISO 3166 alpha-2, upper case.
    pub country: String,
    /// Individual, corporation…
    pub legal_form: LegalForm,
    /// Given name of the person, or of the contact.
    pub given_name: String,
    /// Family name of the person, or of the contact.
    pub family_name: String,
    /// The organisation's name; empty for individuals.
    pub organisation: String,
    /// Street and number.
    pub street: String,
    /// Postal code.
    pub postal_code: String,
    /// City.
    pub city: String,
    /// State, province or region, where addresses have one.
    pub region: String,
    /// One of [`LANGUAGES`].
    pub language: String,
    /// With its country prefix; syntax and check digits verified.
    pub vat_number: Option<String>,
}

/// Languages notices are written in (R10.1); the first is the default.
pub const LANGUAGES: [&str; 4] = ["en", "fr", "nl", "de"];

impl Profile {
    /// Tidies what was typed: spaces, case, the default language.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        for text in [
            &mut self.given_name,
            &mut self.family_name,
            &mut self.organisation,
            &mut self.street,
            &mut self.postal_code,
            &mut self.city,
            &mut self.region,
        ] {
            *text = text.trim().to_owned();
        }
        self.email = self.email.trim().to_lowercase();
        self.rescue_email =
            self.rescue_email.map(|email| email.trim().to_lowercase()).filter(|e| !e.is_empty());
        self.country = self.country.trim().to_uppercase();
        self.vat_number = self
            .vat_number
            .map(|number| {
                number.chars().filter(|sign| !" .-".contains(*sign)).collect::<String>().to_uppercase()
            })
            .filter(|number| !number.is_empty());
        if self.language.is_empty() {
            LANGUAGES[0].clone_into(&mut self.language);
        }
        self
    }

    /// Everything that is wrong with a tidied profile by itself; fields under `prefix`.
    #[must_use]
    pub fn violations(&self, prefix: &str) -> Violations {
        let mut violations = Violations::new();
        let field = |name: &str| format!("{prefix}{name}");
        violations.check(&field("email"), is_email(&self.email), "must be an e-mail address");
        if let Some(rescue) = &self.rescue_email {
            violations.check(&field("rescue_email"), is_email(rescue), "must be an e-mail address");
            violations.check(
                &field("rescue_email"),
                *rescue != self.email,
                "must differ from the e-mail address",
            );
        }
        let country = is_country(&self.country);
        violations.check(&field("country"), country, "must be two letters (ISO 3166-1 alpha-2)");
        let language = LANGUAGES.contains(&self.language.as_str());
        violations.check(&field("language"), language, format!("must be one of {}", LANGUAGES.join(", ")));
        if let Some(number) = &self.vat_number {
            violations.check(&field("vat_number"), is_vat_number(number), "is not a valid VAT number");
        }
        for (name, text) in [
            ("given_name", &self.given_name),
            ("family_name", &self.family_name),
            ("organisation", &self.organisation),
            ("address.street", &self.street),
            ("address.postal_code", &self.postal_code),
            ("address.city", &self.city),
            ("address.region", &self.region),
        ] {
            let rule =
                format!("must be at most {TEXT_CHARACTERS_MAX} characters, without control characters");
            violations.check(&field(name), fits(text, TEXT_CHARACTERS_MAX), rule);
        }
        violations
    }

    /// The value of a field that may be mandatory, by its name in the request.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        match name {
            "rescue_email" => Some(self.rescue_email.as_deref().unwrap_or_default()),
            "given_name" => Some(&self.given_name),
            "family_name" => Some(&self.family_name),
            "organisation" => Some(&self.organisation),
            "address.street" => Some(&self.street),
            "address.postal_code" => Some(&self.postal_code),
            "address.city" => Some(&self.city),
            "address.region" => Some(&self.region),
            "vat_number" => Some(self.vat_number.as_deref().unwrap_or_default()),
            _ => None,
        }
    }

    /// Adds every mandatory field that is empty.
    pub fn require(&self, prefix: &str, mandatory: &[String], violations: &mut Violations) {
        for name in mandatory {
            if self.field(name).is_some_and(str::is_empty) {
                violations.add(format!("{prefix}{name}"), "is required for this country and legal form");
            }
        }
    }
}

fn is_email(text: &str) -> bool {
    text.len() <= 254 && is_plain(text) && email_address::EmailAddress::is_valid(text) && text.contains('.')
}

/// EU numbers are verified by their check digits; others only for their shape.
fn is_vat_number(number: &str) -> bool {
    let shape = (4..=20).contains(&number.len())
        && number.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    shape && super::vat::is_valid_number(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile {
            email: "ada@example.com".into(),
            rescue_email: None,
            country: "FR".into(),
            legal_form: LegalForm::Individual,
            given_name: "Ada".into(),
            family_name: "Lovelace".into(),
            organisation: String::new(),
            street: "1 rue de la Paix".into(),
            postal_code: "75002".into(),
            city: "Paris".into(),
            region: String::new(),
            language: "fr".into(),
            vat_number: None,
        }
    }

    #[test]
    fn a_rescue_address_differs_from_the_address() {
        let same = Profile { rescue_email: Some(" ADA@example.com ".into()), ..profile() }.tidied();
        let violations = same.violations("account.");
        assert_eq!(violations.as_slice().len(), 1);
        assert_eq!(violations.as_slice()[0].field, "account.rescue_email");
    }

    #[test]
    fn every_violation_is_named_at_once() {
        let wrong = Profile {
            email: "nobody".into(),
            language: "tlh".into(),
            vat_number: Some("FR00000000000".into()),
            country: "F\0".into(),
            street: "1 rue\0de la Paix".into(),
            city: "x".repeat(256),
            ..profile()
        };
        let fields: Vec<_> =
            wrong.violations("").as_slice().iter().map(|violation| violation.field.clone()).collect();
        assert_eq!(fields, ["email", "country", "language", "vat_number", "address.street", "address.city"]);
    }

    #[test]
    fn a_vat_number_is_read_without_its_separators_and_with_nothing_else_dropped() {
        let number = |text: &str| Profile { vat_number: Some(text.into()), ..profile() }.tidied();
        assert_eq!(number("fr 40.303-265 045").vat_number.as_deref(), Some("FR40303265045"));
        assert!(number("fr 40.303-265 045").violations("").as_slice().is_empty());
        for wrong in ["FR40303265045\0", "CHE1234é"] {
            assert_eq!(number(wrong).violations("").as_slice().len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn a_mandatory_field_may_not_be_empty() {
        let mut violations = Violations::new();
        profile().require("account.", &["organisation".into(), "given_name".into()], &mut violations);
        assert_eq!(violations.as_slice().len(), 1);
        assert_eq!(violations.as_slice()[0].field, "account.organisation");
    }
}
