//! Passwords: argon2id, on a thread of its own (R2.3).

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use super::secret::Secret;

/// The shortest password accepted, in characters.
pub(crate) const CHARACTERS_MIN: usize = 12;
/// The longest, in bytes; hashing costs the same whatever the length.
pub(crate) const BYTES_MAX: usize = 256;
/// So many of its characters must differ.
const DISTINCT_MIN: usize = 4;

/// Verified against when there is no account, so that a miss takes as long as a hit.
static NOBODY: LazyLock<Secret> =
    LazyLock::new(|| hash("nobody's").expect("argon2 accepts its own parameters, and there is randomness"));

/// Hashing failed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

impl HashError {
    pub(crate) fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Why `password` is too weak, if it is.
pub(crate) fn check(password: &str) -> Result<(), String> {
    let long_enough = password.chars().count() >= CHARACTERS_MIN && password.len() <= BYTES_MAX;
    let distinct = password.chars().collect::<std::collections::HashSet<_>>().len();
    if long_enough && distinct >= DISTINCT_MIN {
        Ok(())
    } else {
        Err(format!(
            "must have at least {CHARACTERS_MIN} characters, at least {DISTINCT_MIN} of them different, \
             and at most {BYTES_MAX} bytes"
        ))
    }
}

/// The PHC string of `password`, with a fresh salt. Slow on purpose: call it off the async threads.
pub(crate) fn hash(password: &str) -> Result<Secret, HashError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| Secret::new(hash.to_string()))
        .map_err(HashError::of)
}

/// Whether `password` is the one behind `hash`. Without a hash it is not, and that takes just as long.
/// Slow on purpose.
#[must_use]
pub(crate) fn verify(password: &str, hash: Option<&Secret>) -> bool {
    // Made here whoever calls first: otherwise the first miss would take longer than a hit.
    let nobody = LazyLock::force(&NOBODY);
    let verified = PasswordHash::new(hash.unwrap_or(nobody).expose())
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
    verified && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_against_its_own_hash_only() {
        let hashed = hash("correct horse battery").expect("hashes");
        assert!(hashed.expose().starts_with("$argon2id$"));
        assert!(verify("correct horse battery", Some(&hashed)));
        assert!(!verify("correct horse batterz", Some(&hashed)));
        assert!(!verify("correct horse battery", Some(&Secret::new("not a hash"))));
    }

    /// The hash of nobody parses and asks for as much memory and time as anybody's: a miss costs a run.
    #[test]
    fn without_an_account_verifying_is_as_dear_and_always_wrong() {
        assert!(!verify("nobody's", None));
        let hashed = hash("correct horse battery").expect("hashes");
        let parameters = |hash: &Secret| {
            let hash = PasswordHash::new(hash.expose()).expect("a hash");
            (hash.algorithm.to_string(), hash.version, hash.params.to_string())
        };
        assert_eq!(parameters(&NOBODY), parameters(&hashed));
    }

    #[test]
    fn a_short_or_monotonous_password_is_refused() {
        assert!(check("short").is_err());
        assert!(check("aaaaaaaaaaaaaaaa").is_err());
        assert!(check("correct horse battery").is_ok());
        assert!(check("twelve chars").is_ok());
        assert!(check(&"abcd".repeat(64)).is_ok());
        assert!(check(&"abcd".repeat(65)).is_err());
    }
}
