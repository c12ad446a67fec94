//! Etags: a short fingerprint of a resource's version (AIP-154).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

/// The etag of version `version` of what `name` names.
#[must_use]
pub fn of(name: &str, version: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update(version.to_be_bytes());
    BASE64URL_NOPAD.encode(&hash.finalize()[..9])
}

/// Whether `given` allows a change of version `version`; an empty etag asks for no check.
#[must_use]
pub fn allows(given: &str, name: &str, version: i64) -> bool {
    given.is_empty() || given == of(name, version)
}
