//! The shape of a catalogue file: which fields there are, before anything is read from them.

use florin_platform::violation::Violations;
use serde_norway::{Mapping, Value};

/// What a field may hold.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    List,
    TextByKey,
}

/// Name, kind, and whether it must be there.
type Field = (&'static str, Kind, bool);

const FILE: &[Field] = &[("plans", Kind::List, true)];
const PLAN: &[Field] = &[
    ("code", Kind::Text, true),
    ("name", Kind::Text, true),
    ("family", Kind::Text, true),
    ("model", Kind::Text, true),
    ("unit", Kind::Text, true),
    ("charged", Kind::Text, false),
    ("retired", Kind::Text, false),
    ("prices", Kind::List, true),
];
const PRICE: &[Field] = &[
    ("effective", Kind::Text, true),
    ("per_unit", Kind::TextByKey, false),
    ("per_month", Kind::TextByKey, false),
];

/// Checks the shape of a file: every field that is missing or unknown.
///
/// # Errors
/// What is not YAML, with its line; or every field of the wrong kind, with all that is missing or unknown:
/// nothing can be read then.
pub(super) fn check(text: &str) -> Result<Violations, Violations> {
    let value: Value = serde_norway::from_str(text).map_err(|error| Violations::one("file", error))?;
    let mut walk = Walk::default();
    walk.record("", &value, FILE);
    for (index, plan) in list(&value, "plans").iter().enumerate() {
        let path = format!("plans[{index}]");
        walk.record(&path, plan, PLAN);
        for (index, price) in list(plan, "prices").iter().enumerate() {
            walk.record(&format!("{path}.prices[{index}]"), price, PRICE);
        }
    }
    if walk.is_unreadable { Err(walk.violations) } else { Ok(walk.violations) }
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_sequence).map_or(&[], Vec::as_slice)
}

#[derive(Default)]
struct Walk {
    violations: Violations,
    is_unreadable: bool,
}

impl Walk {
    fn record(&mut self, path: &str, value: &Value, fields: &[Field]) {
        let Some(record) = value.as_mapping() else {
            let path = if path.is_empty() { "file" } else { path };
            return self.unreadable(path, "must be a record of fields");
        };
        let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        for (field, kind, required) in fields {
            match record.get(*field) {
                None | Some(Value::Null) if *required => self.violations.add(below(field), "is required"),
                None | Some(Value::Null) => {}
                Some(value) => self.field(&below(field), value, *kind),
            }
        }
        for key in unknown(record, fields) {
            self.violations.add(below(&key), "is not a field of a catalogue file");
        }
    }

    fn field(&mut self, path: &str, value: &Value, kind: Kind) {
        match kind {
            Kind::Text if is_text(value) => {}
            Kind::Text => self.unreadable(path, "must be text"),
            Kind::List if value.is_sequence() => {}
            Kind::List => self.unreadable(path, "must be a list"),
            Kind::TextByKey => match value.as_mapping() {
                Some(entries) => {
                    for (key, value) in entries {
                        if !is_text(key) || !is_text(value) {
                            self.unreadable(path, "must be a price as text by currency");
                        }
                    }
                }
                None => self.unreadable(path, "must be a price as text by currency"),
            },
        }
    }

    fn unreadable(&mut self, path: &str, wrong: &str) {
        self.is_unreadable = true;
        self.violations.add(path, wrong);
    }
}

fn is_text(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_bool()
}

fn unknown(record: &Mapping, fields: &[Field]) -> Vec<String> {
    let known = |key: &str| fields.iter().any(|(field, _, _)| *field == key);
    let text = |key: &Value| key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
    let keys = record.keys().map(text);
    keys.filter(|key| !known(key)).collect()
}

/// On which line each of `count` plans says its code, from 1; none if that cannot be told.
pub(super) fn lines_of_plans(text: &str, count: usize) -> Vec<usize> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split('#').next().unwrap_or_default();
        let parts: Vec<&str> = code.split("code").collect();
        for two in parts.windows(2) {
            let begins = two[0].chars().next_back().is_none_or(|last| " \"'{,".contains(last));
            let ends = two[1].trim_start_matches(['"', '\'']).trim_start().starts_with(':');
            if begins && ends {
                lines.push(number);
            }
        }
    }
    if lines.len() == count { lines } else { Vec::new() }
}
