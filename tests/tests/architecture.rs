//! The shape of the workspace, enforced: arrows between crates, and what each layer may name.

use std::fmt::Display;

use florin_tests::crate_graph::{CrateGraph, MAY_NAME, Use};
use florin_tests::source::{self, SourceFile};
use florin_tests::tidy::{self, SLICES};

/// Fails with everything wrong at once.
fn assert_none<Wrong: Display>(what: &str, violations: &[Wrong]) {
    let list: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} {what}:\n{}\n", list.len(), list.join("\n"));
}

fn wrong_arrows(graph: &CrateGraph) -> Vec<String> {
    graph.wrong_arrows().iter().map(ToString::to_string).collect()
}

fn wrong_in(path: &str, text: &str) -> Vec<String> {
    tidy::check(&SourceFile::parse(path, text)).iter().map(ToString::to_string).collect()
}

#[test]
fn crates_name_only_what_is_below_them() {
    let graph = CrateGraph::of_workspace().expect("cargo reads this workspace");
    assert_none("wrong arrows", &graph.wrong_arrows());
}

#[test]
fn every_line_of_the_table_is_a_crate() {
    let graph = CrateGraph::of_workspace().expect("cargo reads this workspace");
    let names: Vec<&str> = graph.names().collect();
    let gone: Vec<&str> =
        MAY_NAME.iter().map(|(name, _)| *name).filter(|name| !names.contains(name)).collect();
    assert_none("lines of MAY_NAME without a crate", &gone);
}

#[test]
fn a_planted_arrow_upwards_is_caught_and_nothing_else() {
    let sound = CrateGraph::default()
        .with("invoicing", Use::Code, "credit")
        .with("credit", Use::Code, "payment")
        .with("credit", Use::Code, "sea-orm")
        .with("credit", Use::Tests, "testbed")
        .with("tests", Use::Code, "server")
        .with_build_script("api");
    assert_eq!(wrong_arrows(&sound), [""; 0]);

    let planted = sound.with("credit", Use::Code, "invoicing");
    assert_eq!(wrong_arrows(&planted), ["credit → invoicing: invoicing is not below credit"]);
}

#[test]
fn an_arrow_upwards_is_wrong_for_a_crates_tests_too() {
    let graph =
        CrateGraph::default().with("account", Use::Tests, "server").with("server", Use::Code, "testbed");
    assert_eq!(
        wrong_arrows(&graph),
        ["account → server: server is not below account", "server → testbed: testbed is not below server"]
    );
}

#[test]
fn settlement_stays_pure_and_only_api_is_generated() {
    let graph = CrateGraph::default()
        .with("settlement", Use::Code, "tokio")
        .with("settlement", Use::Tests, "tracing")
        .with_build_script("credit")
        .with("shipping", Use::Code, "platform");
    assert_eq!(
        wrong_arrows(&graph),
        [
            "credit has a build script; only api may",
            "settlement → tokio: settlement is pure: no I/O, clock, randomness, wire or table types",
            "shipping has no line in MAY_NAME",
        ]
    );
}

#[test]
fn the_sources_are_tidy() {
    let files = source::workspace().expect("the sources can be read");
    assert!(files.len() > 20, "the walk over the sources found {} files", files.len());
    let mut violations: Vec<_> = files.iter().flat_map(tidy::check).collect();
    violations.extend(SLICES.iter().flat_map(|slice| tidy::check_slice(&source::root(), slice)));
    violations.sort();
    assert_none("untidy places", &violations);
}

#[test]
fn the_domain_names_no_database_wire_or_runtime() {
    let text =
        "use sea_orm::Value;\n// tonic is fine in a comment\nfn f() { let s = \"tokio\"; prost::x(s) }\n";
    assert_eq!(
        wrong_in("crates/credit/src/domain/lot.rs", text),
        [
            "crates/credit/src/domain/lot.rs:1: domain names `sea_orm`: the domain knows no database, wire or runtime",
            "crates/credit/src/domain/lot.rs:3: domain names `prost`: the domain knows no database, wire or runtime",
        ]
    );
    assert_eq!(wrong_in("crates/credit/src/store/lot.rs", text), [""; 0]);
}

#[test]
fn only_convert_names_both_the_wire_and_the_domain() {
    let text = "use florin_api::credit::v1 as wire;\nuse crate::domain::Lot;\n";
    let wrong = "names `florin_api` and the domain: only convert/ may name both";
    assert_eq!(
        wrong_in("crates/credit/src/grpc/lots.rs", text),
        [format!("crates/credit/src/grpc/lots.rs:2: grpc {wrong}")]
    );
    assert_eq!(wrong_in("crates/credit/src/convert/lots.rs", text), [""; 0]);
    assert_eq!(wrong_in("crates/credit/src/error.rs", text), [""; 0]);
}

#[test]
fn the_store_knows_no_wire_and_the_edge_no_database() {
    assert_eq!(
        wrong_in("crates/account/src/store/rows.rs", "use florin_api::x;\n"),
        [
            "crates/account/src/store/rows.rs:1: store names `florin_api`: the store knows no wire; convert/ translates"
        ]
    );
    assert_eq!(
        wrong_in("crates/account/src/grpc/rows.rs", "\nuse sea_orm::x;\n"),
        ["crates/account/src/grpc/rows.rs:2: grpc names `sea_orm`: the edge knows no database; store/ reads"]
    );
}

#[test]
fn money_is_never_a_binary_float() {
    let text = "/// No f64 here.\nfn f(x: f64) -> u32 { let _ = 1.0_f32; 0xf32 }\n";
    assert_eq!(
        wrong_in("crates/settlement/src/money.rs", text),
        [
            "crates/settlement/src/money.rs:2: `f64`: money is never a binary float",
            "crates/settlement/src/money.rs:2: `1.0_f32`: money is never a binary float",
        ]
    );
    assert_eq!(wrong_in("crates/server/src/telemetry.rs", text), [""; 0]);
}

#[test]
fn long_files_and_empty_names_are_refused() {
    assert_eq!(
        wrong_in("migrations/src/long.rs", &"\n".repeat(601)),
        ["migrations/src/long.rs:601: 601 lines, at most 600"]
    );
    assert_eq!(
        wrong_in("crates/credit/src/utils.rs", "mod helpers;\n"),
        [
            "crates/credit/src/utils.rs:1: a module called `utils` tells no story",
            "crates/credit/src/utils.rs:1: a module called `helpers` tells no story",
        ]
    );
}

/// The README's error table names every reason a client may see, and no other.
#[test]
fn the_readme_explains_every_reason() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("a README");
    let table = readme.split("## Errors").nth(1).expect("an error table");
    let explained: std::collections::BTreeSet<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .map(str::to_owned)
        .collect();
    let known: std::collections::BTreeSet<_> = (1..10_000)
        .filter_map(|number| florin_api::error::v1::ErrorReason::try_from(number).ok())
        .map(|reason| florin_platform::refusal::reason_name(reason).to_owned())
        .collect();
    assert_eq!(explained, known);
}
