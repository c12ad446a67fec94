//! The data rules of R14.2, as a check of a [`Schema`].
//!
//! A table is a customer table unless it stands in one of the four lists here: then each entry says why
//! it is not. Customer tables have `account_id` first in every key, so that a database can be divided by
//! account.

use std::fmt;

use crate::schema::{Column, Schema, Table};

/// The column every key of a customer table begins with.
const OWNER: &str = "account_id";

/// Facts that are the same for every account.
pub const REFERENCE_TABLES: &[(&str, &str)] = &[
    ("billing_run", "a month of an issuer, about all its accounts"),
    ("campaign", "a promotion, for whoever redeems its codes (R6.5)"),
    ("campaign_offer", "what a campaign gives and may grant in a currency (R6.12)"),
    ("catalogue_version", "grows with the catalogue, so that copies of it know when they are old"),
    ("invoice_series", "an issuer's counters, one per series and year (R8.3)"),
    ("issuer", "the provider's legal entities"),
    ("issuer_country", "which issuer sells in which country"),
    ("offered_payment_method", "which kinds an issuer offers in which country"),
    ("plan", "the catalogue"),
    ("plan_price", "the catalogue's prices, version by version"),
    ("project_policy", "an issuer's terms for projects: the grace of a deletion (R4.6)"),
    (
        "quota_default",
        "how much of a plan family a project may hold unless an operator says otherwise (R4.7)",
    ),
    ("required_field", "what an issuer asks of its customers"),
    ("terms_document", "an issuer's terms, version by version"),
    ("vat_rate", "rates by country and date"),
];

/// Keyed by what is looked up, before the account is known.
pub const DIRECTORY_TABLES: &[(&str, &str)] = &[
    ("account_directory", "e-mail or handle → account"),
    ("invoice_number", "series, year, number → document: an issuer's, not an account's (R8.3)"),
    ("login_throttle", "counts failures by whatever name was tried, known or not"),
    ("payment_link", "payment link's token digest → order (R6.3)"),
    ("right_directory", "grantee → rights on other accounts' projects (R4.5)"),
    ("service_token", "token digest → internal service, which has no account"),
    ("session_directory", "token digest → account"),
    ("voucher_code", "code digest → campaign and uses left (R6.5)"),
];

/// An issuer's own: numbers without gaps, and the runs that take them.
pub const ISSUER_TABLES: &[(&str, &str)] = &[
    ("billing_range", "a range of the accounts of a run, and who works on it"),
    ("billing_run", "one per issuer and month, over all accounts"),
    ("invoice_number", "series, year, number → document"),
    ("invoice_series", "the last number of each series and year"),
];

/// The machinery's own state, about no account.
pub const PLATFORM_TABLES: &[(&str, &str)] = &[
    ("job_lease", "which replica runs a job"),
    ("sandbox_clock", "the one offset all replicas share"),
    ("usage_retention", "how far the deletion of old usage events has come (R5.4)"),
];

/// Types that round.
const ROUNDING_TYPES: [&str; 6] = ["numeric", "decimal", "real", "double", "float", "money"];

/// Words of a DEFAULT that reads the database's clock.
const CLOCK_WORDS: [&str; 9] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "now(",
    "clock_timestamp",
    "strftime(",
    "datetime(",
    "unixepoch(",
    "julianday(",
];

/// A place where the schema breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// A table, or a table's column.
    pub place: String,
    /// What is wrong.
    pub wrong: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.wrong)
    }
}

/// Everything wrong with a schema, sorted.
#[must_use]
pub fn check(schema: &Schema) -> Vec<Fault> {
    let mut faults: Vec<Fault> = schema
        .sequences
        .iter()
        .map(|name| fault(name, "is a sequence; ids are made by Florin, numbers in tables"))
        .collect();
    for (name, table) in &schema.tables {
        check_columns(name, table, &mut faults);
        check_nature(name, table, &mut faults);
        if is_customer(name) {
            check_keys(name, table, &mut faults);
            check_references(name, table, schema, &mut faults);
        }
    }
    faults.sort();
    faults
}

/// Entries of the lists that name no table of `schema`: an exception outlives its reason easily.
#[must_use]
pub fn stale_exceptions(schema: &Schema) -> Vec<Fault> {
    exceptions()
        .filter(|name| !schema.tables.contains_key(*name))
        .map(|name| fault(name, "is listed in schema_rules and is no table"))
        .collect()
}

fn exceptions() -> impl Iterator<Item = &'static str> {
    REFERENCE_TABLES
        .iter()
        .chain(DIRECTORY_TABLES)
        .chain(ISSUER_TABLES)
        .chain(PLATFORM_TABLES)
        .map(|(name, _)| *name)
}

fn is_customer(table: &str) -> bool {
    !exceptions().any(|name| name == table)
}

fn check_columns(name: &str, table: &Table, faults: &mut Vec<Fault>) {
    for column in &table.columns {
        let place = format!("{name}.{}", column.name);
        if ROUNDING_TYPES.iter().any(|rounding| column.type_name.contains(rounding)) {
            faults.push(fault(
                &place,
                &format!("is {}; amounts are integers, rates are text", column.type_name),
            ));
        }
        if column.identity {
            faults.push(fault(&place, "is an identity column; ids are made by Florin"));
        }
        let Some(default) = column.default.as_deref().map(str::to_ascii_lowercase) else { continue };
        if default.contains("nextval(") {
            faults.push(fault(&place, "is counted by a sequence; ids are made by Florin"));
        } else if is_time(column) || CLOCK_WORDS.iter().any(|word| default.contains(word)) {
            faults.push(fault(&place, "has a default time; time comes from the injected clock"));
        }
    }
}

/// On SQLite a time is text: there only its name tells.
fn is_time(column: &Column) -> bool {
    ["time", "date"].iter().any(|word| column.type_name.contains(word)) || column.name.ends_with("_at")
}

fn check_nature(name: &str, table: &Table, faults: &mut Vec<Fault>) {
    if table.autoincrement {
        faults.push(fault(name, "is numbered by AUTOINCREMENT; ids are made by Florin"));
    }
    if !table.strict {
        faults.push(fault(name, "is not STRICT; SQLite would store any value in any column"));
    }
    if table.primary_key.is_empty() {
        faults.push(fault(name, "has no primary key"));
    }
}

fn has_owner(table: &Table) -> bool {
    table.columns.iter().any(|column| column.name == OWNER)
}

fn check_keys(name: &str, table: &Table, faults: &mut Vec<Fault>) {
    if !has_owner(table) {
        faults.push(fault(name, "has no account_id and is in no list of schema_rules"));
        return;
    }
    let primary = Some(&table.primary_key).filter(|key| !key.is_empty());
    for key in primary.into_iter().chain(&table.unique_keys) {
        if key.first().is_none_or(|first| first != OWNER) {
            faults.push(fault(name, &format!("the key ({}) does not begin with account_id", key.join(", "))));
        }
    }
}

fn check_references(name: &str, table: &Table, schema: &Schema, faults: &mut Vec<Fault>) {
    let owned = |to: &str| is_customer(to) && schema.tables.get(to).is_some_and(has_owner);
    for reference in table.references.iter().filter(|reference| owned(&reference.to)) {
        if !reference.pairs.iter().any(|(here, there)| here == OWNER && there == OWNER) {
            let to = &reference.to;
            faults.push(fault(
                name,
                &format!("refers to {to} without account_id: it may be another account's"),
            ));
        }
    }
}

fn fault(place: &str, wrong: &str) -> Fault {
    Fault { place: place.to_owned(), wrong: wrong.to_owned() }
}
