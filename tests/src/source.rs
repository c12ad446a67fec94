//! The workspace's sources as tokens with line numbers: comments, strings and layout are gone, so that a
//! rule about names sees names only.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use proc_macro2::{TokenStream, TokenTree};

/// One Rust file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The path below the workspace's root, with `/`.
    pub path: String,
    /// The number of lines.
    pub lines: usize,
    /// The tokens, or why there are none.
    pub tokens: Result<Vec<Token>, String>,
}

/// One token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// As written.
    pub text: String,
    /// From 1.
    pub line: usize,
    /// Names and literals are told apart from the rest.
    pub kind: TokenKind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name or keyword.
    Name,
    /// A string, character or number.
    Literal,
    /// Everything else, one character each.
    Sign,
}

impl SourceFile {
    /// Reads text as the file at `path`.
    #[must_use]
    pub fn parse(path: &str, text: &str) -> SourceFile {
        let tokens = TokenStream::from_str(text).map_err(|error| error.to_string()).map(|stream| {
            let mut tokens = Vec::new();
            flatten(stream, &mut tokens);
            tokens
        });
        SourceFile { path: path.to_owned(), lines: text.lines().count(), tokens }
    }

    /// The tokens; none when the file is no Rust, which is a violation of its own.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        self.tokens.as_deref().unwrap_or_default()
    }

    /// The folder `crates/<name>` this file is in, if any.
    #[must_use]
    pub fn crate_name(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// The layer: the folder or file directly under `crates/<name>/src`.
    #[must_use]
    pub fn layer(&self) -> Option<&str> {
        let (_, inside) = self.path.strip_prefix("crates/")?.split_once("/src/")?;
        inside.split('/').next().map(|layer| layer.trim_end_matches(".rs"))
    }
}

/// The root of this workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Every Rust file under `crates`, `migrations` and `tests`, in the order of their paths.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn workspace() -> io::Result<Vec<SourceFile>> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["crates", "migrations", "tests"] {
        collect(&root.join(folder), &mut paths)?;
    }
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            Ok(SourceFile::parse(&relative, &fs::read_to_string(path)?))
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => flatten(group.stream(), tokens),
            TokenTree::Ident(name) => {
                tokens.push(Token { text: name.to_string(), line, kind: TokenKind::Name })
            }
            TokenTree::Punct(sign) => {
                tokens.push(Token { text: sign.to_string(), line, kind: TokenKind::Sign })
            }
            TokenTree::Literal(literal) => {
                tokens.push(Token { text: literal.to_string(), line, kind: TokenKind::Literal });
            }
        }
    }
}
