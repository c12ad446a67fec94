//! Passwords: argon2id, on a thread of its own (R2.3).

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

/// The shortest password accepted, in characters.
pub(crate) const CHARACTERS_MIN: usize = 12;
/// The longest, in bytes; hashing costs the same whatever the length.
pub(crate) const BYTES_MAX: usize = 256;

/// Hashing failed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Why `password` is too weak, if it is.
pub(crate) fn check(password: &str) -> Result<(), String> {
    let long_enough = password.chars().count() >= CHARACTERS_MIN && password.len() <= BYTES_MAX;
    let distinct = password.chars().collect::<std::collections::HashSet<_>>().len();
    if long_enough && distinct >= 4 {
        Ok(())
    } else {
        Err(format!("must have at least {CHARACTERS_MIN} characters, at least 4 of them different"))
    }
}

/// The PHC string of `password`, with a fresh salt. Slow on purpose: call it off the async threads.
pub(crate) fn hash(password: &str) -> Result<String, HashError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| HashError(error.to_string()))
}

/// Whether `password` is the one behind `hash`. Slow on purpose.
#[must_use]
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_verified_against_its_own_hash_only() {
        let hashed = hash("correct horse battery").expect("hashes");
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify("correct horse battery", &hashed));
        assert!(!verify("correct horse batterz", &hashed));
        assert!(!verify("correct horse battery", "not a hash"));
    }

    #[test]
    fn a_short_or_monotonous_password_is_refused() {
        assert!(check("short").is_err());
        assert!(check("aaaaaaaaaaaaaaaa").is_err());
        assert!(check("correct horse battery").is_ok());
    }
}
