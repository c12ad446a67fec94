//! What kind of person an account is (R2.1).

/// The legal form of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegalForm {
    /// A natural person.
    Individual,
    /// A company.
    Corporation,
    /// An association.
    Association,
    /// A public body.
    Administration,
    /// Anything else.
    Other,
}

impl LegalForm {
    const ALL: [Self; 5] =
        [Self::Individual, Self::Corporation, Self::Association, Self::Administration, Self::Other];

    /// The stored form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "INDIVIDUAL",
            Self::Corporation => "CORPORATION",
            Self::Association => "ASSOCIATION",
            Self::Administration => "ADMINISTRATION",
            Self::Other => "OTHER",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == text)
    }
}
