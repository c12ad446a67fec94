//! Secrets derived from one server key, so that none is ever stored with an answer.
//!
//! A token, code or link is `HMAC-SHA256(key, purpose)`; what is stored is its digest. Answering the
//! same request again derives the same secret again.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The key everything secret is derived from. At least 32 bytes.
#[derive(Clone)]
pub struct ServerKey(Vec<u8>);

/// The key is too short to keep a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a server key needs at least {} bytes", ServerKey::BYTES_MIN)]
pub struct ServerKeyTooShort;

impl std::fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerKey(…)")
    }
}

impl ServerKey {
    /// The shortest key accepted.
    pub const BYTES_MIN: usize = 32;

    /// Takes the configured key.
    pub fn try_new(bytes: impl Into<Vec<u8>>) -> Result<Self, ServerKeyTooShort> {
        let bytes = bytes.into();
        if bytes.len() < Self::BYTES_MIN { Err(ServerKeyTooShort) } else { Ok(Self(bytes)) }
    }

    /// The 32 bytes that belong to `purpose`.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A 256-bit token for `purpose`, safe in a URL.
    #[must_use]
    pub fn token(&self, purpose: &str) -> String {
        BASE64URL_NOPAD.encode(&self.derive(purpose))
    }

    /// A code a person can type: eight letters and digits without look-alikes, `ABCD-2345`.
    #[must_use]
    pub fn short_code(&self, purpose: &str) -> String {
        let text = BASE32_NOPAD.encode(&self.derive(purpose)[..5]);
        format!("{}-{}", &text[..4], &text[4..8])
    }
}

/// Purposes that begin so are told as a [`ServerKey::token`], all others as a [`ServerKey::short_code`].
pub const TOKEN_PURPOSE: &str = "token/";

impl ServerKey {
    /// The secret of `purpose` in the form in which its owner was told it: what stands in a notice.
    #[must_use]
    pub fn reveal(&self, purpose: &str) -> String {
        if purpose.starts_with(TOKEN_PURPOSE) { self.token(purpose) } else { self.short_code(purpose) }
    }
}

/// What is stored of a secret of full entropy: its SHA-256.
#[must_use]
pub fn digest(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether two digests are equal, in constant time.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
