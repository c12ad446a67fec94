//! Field masks: which fields an Update may change (AIP-134).

use crate::violation::Violations;

/// The fields to change. A change without a mask would clear what the caller left out, so there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask(Vec<&'static str>);

impl Mask {
    /// Reads a mask; each path must be one of `allowed`, `*` stands for all of them.
    pub fn parse(
        mask: Option<&prost_types::FieldMask>,
        allowed: &'static [&'static str],
    ) -> Result<Self, Violations> {
        let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else {
            return Err(Violations::one(
                "update_mask",
                format!("is required: name some of {}", allowed.join(", ")),
            ));
        };
        let mut violations = Violations::new();
        let mut fields = Vec::new();
        for path in &mask.paths {
            match allowed.iter().find(|field| **field == path) {
                Some(field) => fields.push(*field),
                None if path == "*" => fields.extend(allowed),
                None => violations.add(
                    "update_mask",
                    format!("{path} cannot be updated; these can: {}", allowed.join(", ")),
                ),
            }
        }
        violations.finish().map(|()| Self(fields))
    }

    /// Whether `field` is to be changed.
    #[must_use]
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(&field)
    }
}
