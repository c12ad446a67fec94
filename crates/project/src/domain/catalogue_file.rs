//! A catalogue written down: plans and their price versions as a YAML or JSON file (R5.1).
//!
//! Owns: the file's form, what importing it would add to a known catalogue, and writing one down.
//! Always holds: every violation is named at once, by path, plan and line; a known plan or price version is
//! never edited; a new price of a plan in use begins in the future, because the past has been rated; what is
//! written down reads back as the same.
//! Refuses to know: how it is stored.
//!
//! JSON is read as the YAML it is. Amounts are text, so that none goes through a binary float (R1.2); an
//! amount written as a number in YAML is read by its digits.

use std::collections::BTreeMap;

use florin_platform::violation::Violations;
use florin_settlement::{Currency, Instant, UnitPrice};

use super::plan::{Plan, PlanCode, PriceVersion, PricedPlan, earliest_change};

mod entry;
mod shape;
mod writing;

pub(crate) use writing::{Format, write};

/// The longest display name, in characters.
const DISPLAY_NAME_CHARACTERS_MAX: usize = 100;

/// A catalogue, read and checked by itself.
#[derive(Clone, Debug)]
pub(crate) struct CatalogueFile {
    plans: Vec<PricedPlan>,
    lines: Vec<usize>,
}

/// What importing a file adds to a known catalogue; nothing when it was imported before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Additions {
    /// Plans nobody knew.
    pub plans: Vec<Plan>,
    /// Known plans that are called something else, or are retired now.
    pub changed: Vec<Changed>,
    /// Price versions nobody knew.
    pub prices: Vec<(PlanCode, PriceVersion)>,
}

/// A plan before and after an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// As it was.
    pub before: Plan,
    /// As it is.
    pub after: Plan,
}

impl CatalogueFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong in it, by path.
    pub(crate) fn parse(text: &str) -> Result<Self, Violations> {
        let mut violations = shape::check(text)?;
        let file: entry::File = serde_norway::from_str(text).map_err(|error| {
            // What the shape did not show: the violations so far are told with it.
            let mut violations = violations.clone();
            violations.add("file", error);
            violations
        })?;
        let lines = shape::lines_of_plans(text, file.count());
        let plans = file.read(&mut violations);
        let codes = plans.iter().map(|priced| (priced.at, priced.plan.plan.code.as_str()));
        let places =
            codes.map(|(at, code)| (format!("plans[{at}]"), code.to_owned(), lines.get(at).copied()));
        let places: Vec<_> = places.collect();
        located(violations, &places).finish()?;
        Ok(Self { plans: plans.into_iter().map(|read| read.plan).collect(), lines })
    }

    /// What importing it at `at` adds to `known`.
    ///
    /// # Errors
    /// Every edit of what is known, and every price that would change the past.
    pub(crate) fn additions(
        &self,
        known: &BTreeMap<PlanCode, PricedPlan>,
        at: Instant,
    ) -> Result<Additions, Violations> {
        let mut violations = Violations::new();
        let mut additions = Additions::default();
        for written in &self.plans {
            let code = &written.plan.code;
            match known.get(code) {
                None => {
                    additions.plans.push(written.plan.clone());
                    additions.prices.extend(written.versions().map(|version| (code.clone(), version)));
                }
                Some(known) => additions.compare(written, known, at, &mut violations),
            }
        }
        let places = self.plans.iter().enumerate().map(|(index, priced)| {
            let code = priced.plan.code.to_string();
            (format!("plans[{code}]"), code, self.lines.get(index).copied())
        });
        located(violations, &places.collect::<Vec<_>>()).finish().map(|()| additions)
    }
}

/// Says at each violation which plan it is about, and on which line that one stands.
fn located(violations: Violations, places: &[(String, String, Option<usize>)]) -> Violations {
    let mut told = Violations::new();
    for violation in violations.as_slice() {
        let belongs = |prefix: &str| {
            violation.field.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let place = places.iter().find(|(prefix, _, _)| belongs(prefix));
        let description = &violation.description;
        match place {
            Some((_, code, Some(line))) => {
                told.add(&violation.field, format!("{description} (plan {code}, line {line})"));
            }
            Some((_, code, None)) => told.add(&violation.field, format!("{description} (plan {code})")),
            None => told.add(&violation.field, description),
        }
    }
    told
}

impl Additions {
    /// Whether there is nothing to add.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.plans.is_empty() && self.changed.is_empty() && self.prices.is_empty()
    }

    fn compare(
        &mut self,
        written: &PricedPlan,
        known: &PricedPlan,
        at: Instant,
        violations: &mut Violations,
    ) {
        let (plan, before) = (&written.plan, &known.plan);
        let path = format!("plans[{}]", plan.code);
        let unchanged = plan.family == before.family
            && plan.model == before.model
            && plan.unit == before.unit
            && plan.timing == before.timing;
        violations.check(&path, unchanged, "family, model, unit and timing of a plan never change");
        let retired = plan.retired.or(before.retired);
        let moved = retired != before.retired;
        let past = before.retired.is_some_and(|retired| retired <= at);
        violations.check(&format!("{path}.retired"), !(moved && past), "was retired at another time");
        if plan.display_name != before.display_name || moved {
            let after = Plan { display_name: plan.display_name.clone(), retired, ..before.clone() };
            self.changed.push(Changed { before: before.clone(), after });
        }
        for version in written.versions() {
            let currency = version.price.currency();
            let field = format!("{path}.prices[{}].{currency}", version.effective);
            match may_add(known, version, at) {
                Ok(Addable::New) => self.prices.push((plan.code.clone(), version)),
                Ok(Addable::Known) => {}
                Err(NotAddable::Edit(known)) => {
                    violations.add(field, format!("is {known} for ever; supersede it with a later version"));
                }
                Err(NotAddable::TooEarly(earliest)) => {
                    violations
                        .add(field, format!("must begin at {earliest} or later: usage is rated already"));
                }
            }
        }
    }
}

/// What a price version is to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addable {
    /// It can be added.
    New,
    /// It is there.
    Known,
}

/// Why a price version cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAddable {
    /// This other price begins at the same instant.
    Edit(UnitPrice),
    /// Usage would be rated anew; the earliest instant.
    TooEarly(Instant),
}

/// Whether `version` can be added to the list prices of `known` at `at`. The first price in a currency may
/// begin on any full hour: nobody can have used the plan in it (R5.1).
pub(crate) fn may_add(known: &PricedPlan, version: PriceVersion, at: Instant) -> Result<Addable, NotAddable> {
    let versions = known.versions_in(version.price.currency());
    let earliest = earliest_change(at);
    match versions.iter().find(|known| known.effective == version.effective) {
        Some(known) if known.price == version.price => Ok(Addable::Known),
        Some(known) => Err(NotAddable::Edit(known.price)),
        None if !versions.is_empty() && version.effective < earliest => Err(NotAddable::TooEarly(earliest)),
        None => Ok(Addable::New),
    }
}

/// Reads a price in `currency`, the first given as `unit` or else as `monthly` (R1.4); fields under `path`.
pub(crate) fn read_price(
    path: &str,
    code: &str,
    text: &str,
    violations: &mut Violations,
) -> Option<UnitPrice> {
    let currency = violations.take(path, Currency::parse(code))?;
    violations.take(path, UnitPrice::parse(text, currency))
}

/// What is wrong with a display name, as a violation of `field`.
pub(crate) fn check_display_name(field: &str, name: &str, violations: &mut Violations) {
    let named = (1..=DISPLAY_NAME_CHARACTERS_MAX).contains(&name.chars().count())
        && !name.chars().any(char::is_control);
    violations.check(
        field,
        named,
        format!("must have 1 to {DISPLAY_NAME_CHARACTERS_MAX} characters and no control characters"),
    );
}

#[cfg(test)]
mod tests;
