//! Which crate may name which.
//!
//! The law is [`MAY_NAME`]: one line per crate, everything below it on its line of ARCHITECTURE.md's map.
//! What is not in the table is refused, a crate that is not in the table too.
//!
//! To see it at work, plant a wrong arrow and run the test:
//! ```text
//! cargo add -p florin-payment florin-operation
//! cargo test -p florin-tests --test architecture
//! ```
//! An arrow that closes a circle, as `credit → invoicing`, is refused by cargo before any test can run;
//! the rule reports it all the same, which a test shows on a graph made by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand, TargetKind};

/// Before every crate's own name.
const PREFIX: &str = "florin-";

/// The crate of each line may name the crates after it, and no other of the workspace.
pub const MAY_NAME: [(&str, &[&str]); 13] = [
    ("settlement", &[]),
    ("api", &[]),
    ("migrations", &[]),
    ("testbed", &["migrations"]),
    ("peer", &[]),
    ("platform", &["settlement", "api"]),
    ("account", &["settlement", "api", "platform"]),
    ("operation", &["settlement", "api", "platform", "account"]),
    ("payment", &["settlement", "api", "platform", "account"]),
    ("credit", &["settlement", "api", "platform", "account", "payment"]),
    ("project", &["settlement", "api", "platform", "account", "payment", "credit"]),
    ("invoicing", &["settlement", "api", "platform", "account", "payment", "credit", "project"]),
    (
        "server",
        &[
            "settlement",
            "api",
            "platform",
            "account",
            "payment",
            "credit",
            "project",
            "invoicing",
            "operation",
            "migrations",
        ],
    ),
];

/// Black-box tests stand above everything.
const NAMES_ANYTHING: &str = "tests";

/// What only a crate's own tests may name besides: the databases they run on, and a provider to talk to.
const TESTS_MAY_NAME: [&str; 2] = ["testbed", "peer"];

/// What a crate must do without, and why.
pub const DOES_WITHOUT: [(&str, &[&str], &str); 3] = [
    (
        "settlement",
        &[
            "tokio",
            "async-trait",
            "futures",
            "sea-orm",
            "tonic",
            "prost",
            "prost-types",
            "getrandom",
            "uuid",
            "tracing",
        ],
        "settlement is pure: no I/O, clock, randomness, wire or table types",
    ),
    ("api", &["sea-orm", "tokio"], "api holds generated code only"),
    ("migrations", &["sea-orm"], "migrations are frozen history: no live entity"),
];

/// The crate with the workspace's only build script.
const MAY_BUILD: &str = "api";

/// The workspace as its manifests declare it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrateGraph {
    members: BTreeMap<String, Member>,
}

/// One crate of the workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Member {
    dependencies: Vec<(Use, String)>,
    has_build_script: bool,
}

/// What a dependency is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// The crate itself, or its build script.
    Code,
    /// The crate's own tests.
    Tests,
}

/// A rule a crate breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongArrow {
    /// A crate names another that is not below it.
    NotBelow {
        /// Who names.
        from: String,
        /// Who is named.
        to: String,
    },
    /// A crate names a library it must do without.
    DoesWithout {
        /// The crate.
        from: String,
        /// The library.
        library: String,
        /// Why it must do without.
        reason: &'static str,
    },
    /// A crate other than `api` has a build script.
    BuildScript {
        /// The crate.
        of: String,
    },
    /// A crate that [`MAY_NAME`] does not place.
    Unplaced {
        /// The crate.
        name: String,
    },
}

impl fmt::Display for WrongArrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongArrow::NotBelow { from, to } => write!(f, "{from} → {to}: {to} is not below {from}"),
            WrongArrow::DoesWithout { from, library, reason } => write!(f, "{from} → {library}: {reason}"),
            WrongArrow::BuildScript { of } => write!(f, "{of} has a build script; only {MAY_BUILD} may"),
            WrongArrow::Unplaced { name } => write!(f, "{name} has no line in MAY_NAME"),
        }
    }
}

impl CrateGraph {
    /// Reads the manifests of this workspace.
    ///
    /// # Errors
    /// When cargo cannot read them.
    pub fn of_workspace() -> Result<CrateGraph, cargo_metadata::Error> {
        let metadata = MetadataCommand::new()
            .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .features(CargoOpt::AllFeatures)
            .no_deps()
            .exec()?;
        let mut graph = CrateGraph::default();
        for package in metadata.workspace_packages() {
            let member = graph.member(&package.name);
            member.has_build_script =
                package.targets.iter().any(|target| target.kind.contains(&TargetKind::CustomBuild));
            for dependency in &package.dependencies {
                let purpose =
                    if dependency.kind == DependencyKind::Development { Use::Tests } else { Use::Code };
                member.dependencies.push((purpose, short(&dependency.name).to_owned()));
            }
        }
        Ok(graph)
    }

    /// Adds an arrow, for graphs made by hand. Names go without `florin-`.
    #[must_use]
    pub fn with(mut self, from: &str, purpose: Use, to: &str) -> CrateGraph {
        self.member(from).dependencies.push((purpose, to.to_owned()));
        self
    }

    /// Adds a build script, for graphs made by hand.
    #[must_use]
    pub fn with_build_script(mut self, of: &str) -> CrateGraph {
        self.member(of).has_build_script = true;
        self
    }

    /// The names of all crates, without `florin-`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// Everything that breaks a rule, in the order of the crates' names.
    #[must_use]
    pub fn wrong_arrows(&self) -> Vec<WrongArrow> {
        self.members.iter().flat_map(|(name, member)| self.wrong_arrows_of(name, member)).collect()
    }

    fn wrong_arrows_of(&self, name: &str, member: &Member) -> Vec<WrongArrow> {
        let mut wrong = Vec::new();
        if member.has_build_script && name != MAY_BUILD {
            wrong.push(WrongArrow::BuildScript { of: name.to_owned() });
        }
        if name == NAMES_ANYTHING {
            return wrong;
        }
        let Some((_, below)) = MAY_NAME.iter().find(|(placed, _)| *placed == name) else {
            wrong.push(WrongArrow::Unplaced { name: name.to_owned() });
            return wrong;
        };
        for (purpose, to) in &member.dependencies {
            let allowed = below.contains(&to.as_str())
                || (*purpose == Use::Tests && TESTS_MAY_NAME.contains(&to.as_str()));
            if self.is_own(to) && !allowed {
                wrong.push(WrongArrow::NotBelow { from: name.to_owned(), to: to.clone() });
            }
            let ban = DOES_WITHOUT
                .iter()
                .find(|(from, libraries, _)| *from == name && libraries.contains(&to.as_str()));
            if let (Some((_, _, reason)), Use::Code) = (ban, purpose) {
                wrong.push(WrongArrow::DoesWithout { from: name.to_owned(), library: to.clone(), reason });
            }
        }
        wrong
    }

    fn is_own(&self, name: &str) -> bool {
        self.members.contains_key(name) || MAY_NAME.iter().any(|(placed, _)| *placed == name)
    }

    fn member(&mut self, name: &str) -> &mut Member {
        self.members.entry(short(name).to_owned()).or_default()
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}
