//! What the sources must not do, read from the sources.
//!
//! | rule | where |
//! |---|---|
//! | `domain/` names no database, wire or runtime crate | every slice |
//! | `store/` never names the wire, `grpc/` never names the database | every slice |
//! | only `convert/` names both the wire and the domain | every slice; exceptions in [`NAMES_BOTH`] |
//! | no `f32`, no `f64` | [`COUNTS_MONEY`] |
//! | at most [`LINES_MAX`] lines | every file |
//! | no module called by what it is not about | every file |
//! | a README and a module doc | every slice |

use std::path::Path;
use std::{fmt, fs};

use crate::source::{SourceFile, Token, TokenKind};

/// The slices: crates with the common skeleton.
pub const SLICES: [&str; 6] = ["account", "payment", "credit", "project", "invoicing", "operation"];

/// The crates in which binary floating point has no business (R1.2).
pub const COUNTS_MONEY: [&str; 6] = ["settlement", "account", "payment", "credit", "project", "invoicing"];

/// The longest file there may be.
pub const LINES_MAX: usize = 600;

/// The layers besides `convert` that may name both the wire and the domain, and why.
pub const NAMES_BOTH: [(&str, &str); 2] =
    [("lib", "the facade lists what the crate offers"), ("error", "each domain error has its wire reason")];

/// Module names that say nothing.
const SAYS_NOTHING: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "misc"];

/// What the crates of the wire, the database and the runtime are called in code.
const WIRE: &str = "florin_api";
const DATABASE: [&str; 3] = ["sea_orm", "sea_orm_migration", "sqlx"];
const OUTSIDE_DOMAIN: [&str; 8] =
    ["sea_orm", "sea_orm_migration", "sqlx", "tonic", "tonic_types", "prost", "prost_types", "tokio"];

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The path below the workspace's root.
    pub path: String,
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub wrong: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.wrong)
    }
}

/// Everything wrong with one file.
#[must_use]
pub fn check(file: &SourceFile) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut report = |line: usize, wrong: String| {
        violations.push(Violation { path: file.path.clone(), line, wrong });
    };
    if let Err(error) = &file.tokens {
        report(1, format!("is not Rust: {error}"));
    }
    if file.lines > LINES_MAX {
        report(LINES_MAX + 1, format!("{} lines, at most {LINES_MAX}", file.lines));
    }
    let in_path = file.path.split('/').map(|part| part.trim_end_matches(".rs"));
    for name in in_path.filter(|name| SAYS_NOTHING.contains(name)) {
        report(1, format!("a module called `{name}` tells no story"));
    }
    for pair in file.tokens().windows(2) {
        if pair[0].text == "mod" && SAYS_NOTHING.contains(&pair[1].text.as_str()) {
            report(pair[1].line, format!("a module called `{}` tells no story", pair[1].text));
        }
    }
    check_layer(file, &mut report);
    check_numbers(file, &mut report);
    violations
}

fn check_layer(file: &SourceFile, report: &mut impl FnMut(usize, String)) {
    let (Some(of), Some(layer)) = (file.crate_name(), file.layer()) else { return };
    if !SLICES.contains(&of) {
        return;
    }
    let mut refuse = |refused: &[&str], why: &str| {
        for token in names(file).filter(|token| refused.contains(&token.text.as_str())) {
            report(token.line, format!("{layer} names `{}`: {why}", token.text));
        }
    };
    match layer {
        "domain" => {
            refuse(&OUTSIDE_DOMAIN, "the domain knows no database, wire or runtime");
            refuse(&[WIRE], "the domain knows no wire; convert/ translates");
        }
        "store" => refuse(&[WIRE], "the store knows no wire; convert/ translates"),
        "grpc" => refuse(&DATABASE, "the edge knows no database; store/ reads"),
        _ => {}
    }
    if layer == "convert" || layer == "domain" || NAMES_BOTH.iter().any(|(exempt, _)| *exempt == layer) {
        return;
    }
    let names_wire = names(file).any(|token| token.text == WIRE);
    let in_domain = file.tokens().windows(3).find(|three| {
        three[0].kind == TokenKind::Name
            && three[0].text == "domain"
            && three[1].text == ":"
            && three[2].text == ":"
    });
    if let (true, Some(three)) = (names_wire, in_domain) {
        report(three[0].line, format!("{layer} names `{WIRE}` and the domain: only convert/ may name both"));
    }
}

fn check_numbers(file: &SourceFile, report: &mut impl FnMut(usize, String)) {
    if file.layer().is_none() || !file.crate_name().is_some_and(|of| COUNTS_MONEY.contains(&of)) {
        return;
    }
    for token in file.tokens().iter().filter(|token| is_float(token)) {
        report(token.line, format!("`{}`: money is never a binary float", token.text));
    }
}

fn is_float(token: &Token) -> bool {
    let of_type = |text: &str| text.ends_with("f32") || text.ends_with("f64");
    match token.kind {
        TokenKind::Name => token.text == "f32" || token.text == "f64",
        TokenKind::Literal => {
            token.text.starts_with(|first: char| first.is_ascii_digit())
                && !token.text.starts_with("0x")
                && of_type(&token.text)
        }
        TokenKind::Sign => false,
    }
}

fn names(file: &SourceFile) -> impl Iterator<Item = &Token> {
    file.tokens().iter().filter(|token| token.kind == TokenKind::Name)
}

/// What every slice has beside its code.
#[must_use]
pub fn check_slice(root: &Path, slice: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut demand = |file: &str, holds: fn(&str) -> bool, wrong: &str| {
        let path = format!("crates/{slice}/{file}");
        if !fs::read_to_string(root.join(&path)).is_ok_and(|text| holds(&text)) {
            violations.push(Violation { path, line: 1, wrong: wrong.to_owned() });
        }
    };
    demand(
        "README.md",
        |text| !text.trim().is_empty(),
        "a slice has a README: what it owns, what always holds",
    );
    demand("src/lib.rs", |text| text.starts_with("//! "), "a slice's lib.rs begins with a module doc");
    violations
}
