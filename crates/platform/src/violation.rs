//! Violations of a request, collected and returned all at once (R12.1).

use std::fmt;

/// One field that cannot be accepted as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field in the request, as in `address.country`.
    pub field: String,
    /// What is wrong, in words for the caller.
    pub description: String,
}

/// Everything that is wrong with one request; never empty once it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl std::error::Error for Violations {}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.0.iter().map(|v| format!("{}: {}", v.field, v.description)).collect();
        f.write_str(&fields.join("; "))
    }
}

impl Violations {
    /// No violation yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Exactly one violation.
    pub fn one(field: impl Into<String>, description: impl fmt::Display) -> Self {
        let mut violations = Self::new();
        violations.add(field, description);
        violations
    }

    /// Adds one.
    pub fn add(&mut self, field: impl Into<String>, description: impl fmt::Display) {
        self.0.push(Violation { field: field.into(), description: description.to_string() });
    }

    /// Adds one unless `holds`.
    pub fn check(&mut self, field: &str, holds: bool, description: impl fmt::Display) {
        if !holds {
            self.add(field, description);
        }
    }

    /// Keeps the value of a parse, or its error as a violation of `field`.
    pub fn take<T, E: fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.add(field, error)).ok()
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The violations so far.
    #[must_use]
    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }

    /// `Ok` if there is none.
    pub fn finish(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The value assembled from [`Violations::take`]n parts, if nothing was violated.
    pub fn finish_with<T>(self, value: Option<T>) -> Result<T, Self> {
        match (self.0.is_empty(), value) {
            (true, Some(value)) => Ok(value),
            (true, None) => Err(Self::one("request", "incomplete")),
            (false, _) => Err(self),
        }
    }
}
