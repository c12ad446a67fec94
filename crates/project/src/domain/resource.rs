//! Resources: something running in a project (R5.2).
//!
//! Owns: what a resource is called, where it runs, and its labels.
//! Always holds: a resource never changes project or place, and a removed one never comes back.
//! Refuses to know: what it costs ([`super::rating`]).

use std::collections::BTreeMap;

use florin_credit::ProjectId;
use florin_platform::{
    id::{AccountId, Id, Kind},
    violation::Violations,
    wire::grandchild_name,
};
use florin_settlement::{Instant, Quantity};

use super::plan::{Plan, PlanCode};

/// Marks ids of resources.
#[derive(Debug)]
pub enum ResourceKind {}
impl Kind for ResourceKind {
    const PREFIX: &'static str = "res";
}
/// The id of a resource.
pub type ResourceId = Id<ResourceKind>;

/// The longest display name, in characters.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 255;
/// The longest region, in bytes.
const REGION_BYTES_MAX: usize = 63;
/// The most labels.
const LABELS_MAX: usize = 64;
/// The longest label key, in characters.
const KEY_CHARACTERS_MAX: usize = 63;
/// The longest label value, in characters.
const VALUE_CHARACTERS_MAX: usize = 255;
/// The most decimals of a size.
pub(crate) const SIZE_SCALE_MAX: u32 = 6;
/// The largest size: a million GiB is a petabyte.
pub(crate) const SIZE_MAX: u32 = 1_000_000_000;

/// The customer's own keys and values. A line carries those its resource has when the line is made.
pub type Labels = BTreeMap<String, String>;

/// Something running in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Whose.
    pub account: AccountId,
    /// Its id.
    pub id: ResourceId,
    /// The project it lives in, for life.
    pub project: ProjectId,
    /// What the customer calls it; may be empty.
    pub display_name: String,
    /// The plan it runs under now, or ran under when it was removed.
    pub plan: PlanCode,
    /// How much of the plan: GiB for storage, 1 for what has no size.
    pub size: Quantity,
    /// Where it runs; empty when that does not matter.
    pub region: String,
    /// The customer's keys and values.
    pub labels: Labels,
    /// Grows with every change.
    pub version: i64,
    /// From when on it is charged.
    pub created: Instant,
    /// Until when it is charged.
    pub removed: Option<Instant>,
}

impl Resource {
    /// `accounts/{account}/projects/{project}/resources/{resource}`.
    #[must_use]
    pub fn name(&self) -> String {
        resource_name(self.account, self.project, self.id)
    }

    /// The resource, going on under `plan` in `size`.
    #[must_use]
    pub(crate) fn changed_to(&self, plan: PlanCode, size: Quantity) -> Self {
        Self { plan, size, version: self.version + 1, ..self.clone() }
    }

    /// The resource with another name or labels.
    #[must_use]
    pub(crate) fn updated(&self, change: &Change) -> Self {
        Self {
            display_name: change.display_name.clone().unwrap_or_else(|| self.display_name.clone()),
            labels: change.labels.clone().unwrap_or_else(|| self.labels.clone()),
            version: self.version + 1,
            ..self.clone()
        }
    }

    /// The resource, gone from `at` on; none if it was gone before.
    #[must_use]
    pub fn removed_at(self, at: Instant) -> Option<Self> {
        match self.removed {
            None => Some(Self { removed: Some(at.max(self.created)), version: self.version + 1, ..self }),
            Some(_) => None,
        }
    }
}

/// `accounts/{account}/projects/{project}/resources/{resource}`.
#[must_use]
pub fn resource_name(account: AccountId, project: ProjectId, resource: ResourceId) -> String {
    grandchild_name(account, "projects", project, "resources", resource)
}

/// What an update changes; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// What to call it.
    pub display_name: Option<String>,
    /// All its keys and values.
    pub labels: Option<Labels>,
}

impl Change {
    /// Everything that is wrong by itself; fields under `prefix`.
    #[must_use]
    pub(crate) fn violations(&self, prefix: &str) -> Violations {
        let mut violations = Violations::new();
        if let Some(name) = &self.display_name {
            check_name(prefix, name, &mut violations);
        }
        if let Some(labels) = &self.labels {
            check_labels(prefix, labels, &mut violations);
        }
        violations
    }
}

/// Whether a resource is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceState {
    /// There, and charged, running or stopped.
    Active,
    /// No longer there.
    Removed,
}

/// What a customer asks for; judged with its plan by [`NewResource::violations`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewResource {
    /// The plan to create it from.
    pub plan: PlanCode,
    /// What to call it.
    pub display_name: String,
    /// How much of the plan; 1 when not said.
    pub size: Option<Quantity>,
    /// Where to run it.
    pub region: String,
    /// The customer's keys and values.
    pub labels: Labels,
}

impl NewResource {
    /// Everything that is wrong by itself; fields under `prefix`.
    #[must_use]
    pub(crate) fn violations(&self, prefix: &str) -> Violations {
        let mut violations = Violations::new();
        check_name(prefix, &self.display_name, &mut violations);
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        violations.check(
            &format!("{prefix}region"),
            self.region.len() <= REGION_BYTES_MAX && self.region.bytes().all(plain),
            format!("must have at most {REGION_BYTES_MAX} lower-case letters, digits and dashes"),
        );
        check_labels(prefix, &self.labels, &mut violations);
        if let Some(size) = self.size {
            check_size(prefix, size, &mut violations);
        }
        violations
    }

    /// What is wrong with it as a resource of `plan`.
    #[must_use]
    pub(crate) fn violations_under(&self, plan: &Plan, prefix: &str) -> Violations {
        violations_of_size(self.size, plan, prefix)
    }
}

/// What is wrong with `size` of `plan`: only some plans have sizes.
#[must_use]
pub(crate) fn violations_of_size(size: Option<Quantity>, plan: &Plan, prefix: &str) -> Violations {
    let mut violations = Violations::new();
    let one = size.is_none_or(|size| size == Quantity::whole(1));
    violations.check(
        &format!("{prefix}size"),
        plan.is_sized() || one,
        format!("must be 1 or absent: {} is charged per {}", plan.code, plan.unit),
    );
    violations
}

/// What is wrong with `size` by itself.
pub(crate) fn check_size(prefix: &str, size: Quantity, violations: &mut Violations) {
    let bounded = !size.is_zero() && size <= Quantity::whole(SIZE_MAX);
    let coarse = size.value().scale() <= SIZE_SCALE_MAX;
    violations.check(
        &format!("{prefix}size"),
        bounded && coarse,
        format!("must be above 0, at most {SIZE_MAX}, with up to {SIZE_SCALE_MAX} decimals"),
    );
}

fn check_name(prefix: &str, name: &str, violations: &mut Violations) {
    violations.check(
        &format!("{prefix}display_name"),
        name.chars().count() <= DISPLAY_NAME_CHARACTERS_MAX && !name.chars().any(char::is_control),
        format!("must have at most {DISPLAY_NAME_CHARACTERS_MAX} characters and no control characters"),
    );
}

fn check_labels(prefix: &str, labels: &Labels, violations: &mut Violations) {
    let field = format!("{prefix}labels");
    violations.check(&field, labels.len() <= LABELS_MAX, format!("must be at most {LABELS_MAX}"));
    let fits = |text: &str, max: usize| text.chars().count() <= max && !text.chars().any(char::is_control);
    for (key, value) in labels.iter().take(LABELS_MAX) {
        violations.check(
            &field,
            !key.is_empty() && fits(key, KEY_CHARACTERS_MAX),
            format!("keys have 1 to {KEY_CHARACTERS_MAX} characters and no control characters"),
        );
        violations.check(
            &format!("{field}[{}]", key.chars().take(KEY_CHARACTERS_MAX).collect::<String>()),
            fits(value, VALUE_CHARACTERS_MAX),
            format!("values have at most {VALUE_CHARACTERS_MAX} characters and no control characters"),
        );
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::PlanFamily;

    use super::*;
    use crate::domain::plan::{ChargeModel, Timing, Unit};

    fn new() -> NewResource {
        NewResource {
            plan: PlanCode::parse("b3-8").expect("a code"),
            display_name: "web".to_owned(),
            size: None,
            region: "gra".to_owned(),
            labels: Labels::from([("team".to_owned(), "blue".to_owned())]),
        }
    }

    fn fields(violations: &Violations) -> Vec<&str> {
        violations.as_slice().iter().map(|violation| violation.field.as_str()).collect()
    }

    #[test]
    fn every_violation_of_a_new_resource_is_named_at_once() {
        assert!(new().violations("").as_slice().is_empty());
        let labels = Labels::from([(String::new(), String::new()), ("k".to_owned(), "v".repeat(256))]);
        let wrong = NewResource {
            display_name: "x".repeat(256),
            size: Some(Quantity::ZERO),
            region: "GRA 1".to_owned(),
            labels,
            ..new()
        };
        let violations = wrong.violations("resource.");
        assert_eq!(
            fields(&violations),
            [
                "resource.display_name",
                "resource.region",
                "resource.labels",
                "resource.labels[k]",
                "resource.size"
            ]
        );
    }

    #[test]
    fn a_size_has_up_to_six_decimals_and_only_sized_plans_have_one() {
        let size = |text: &str| Some(Quantity::parse(text).expect("a quantity"));
        let sized = |text| NewResource { size: size(text), ..new() };
        assert!(sized("0.000001").violations("").as_slice().is_empty());
        assert_eq!(fields(&sized("0.0000001").violations("")), ["size"]);
        let instance = Plan {
            code: new().plan,
            display_name: "B3-8".to_owned(),
            family: PlanFamily::Instance,
            model: ChargeModel::Hourly,
            unit: Unit::parse("hour", ChargeModel::Hourly).expect("a unit"),
            timing: Timing::Arrears,
            retired: None,
            version: 1,
        };
        assert!(sized("1").violations_under(&instance, "").as_slice().is_empty());
        assert_eq!(fields(&sized("2").violations_under(&instance, "")), ["size"]);
        let volume = Plan { unit: Unit::parse("GiB-hour", ChargeModel::Hourly).expect("a unit"), ..instance };
        assert!(sized("250").violations_under(&volume, "").as_slice().is_empty());
    }

    #[test]
    fn at_most_sixty_four_labels() {
        let labels = (0..65).map(|n| (format!("k{n}"), String::new())).collect();
        assert_eq!(fields(&NewResource { labels, ..new() }.violations("")), ["labels"]);
    }
}
