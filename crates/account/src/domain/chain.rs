//! The hash chain of an account's movements (R14.4): what a stranger needs to verify it.
//!
//! ```text
//! digest(0) = SHA-256( 01 ‖ field("genesis") ‖ field(account) )
//! digest(n) = SHA-256( digest(n-1) ‖ 01 ‖ field(table) ‖ field(account) ‖ field(n) ‖ field(column) … )
//! ```
//!
//! | part | bytes |
//! |---|---|
//! | version | one byte, 01; another form has another byte |
//! | field(x) | how many bytes follow, as four bytes big-endian; then those bytes. Where there is no value: ff ff ff ff |
//! | a text | UTF-8 as it is stored |
//! | an id | the 16 bytes of the UUID |
//! | an integer | eight bytes, big-endian, two's complement; amounts are in minor units |
//! | an instant | microseconds since 1970-01-01T00:00:00Z, as an integer |
//!
//! The columns of a movement follow in the order of its table, without the digest itself. No field names a person:
//! chains still verify when personal data is erased (R2.8).

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::Instant;
use sha2::{Digest as _, Sha256};

/// Begins the form of bytes described above.
const VERSION: u8 = 1;
/// Stands for the length of a value that is not there.
const NO_VALUE: [u8; 4] = [0xff; 4];
/// What stands for the table in the digest before the first movement.
const GENESIS: &str = "genesis";

/// The digest of a movement and of everything before it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; Self::BYTES]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Digest {
    /// How long it is.
    pub const BYTES: usize = 32;

    /// What stands before the first movement of `account`.
    #[must_use]
    pub fn genesis(account: AccountId) -> Self {
        let form = Canonical(vec![VERSION]).text(GENESIS).id(account);
        Self(Sha256::digest(form.0).into())
    }

    /// The stored form.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the stored form; `None` unless it is as long as a digest.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// The columns of a movement as bytes, beginning with the one after its sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// And a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.field(text.as_bytes())
    }

    /// And a text where there may be none.
    #[must_use]
    pub fn optional(mut self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => {
                self.0.extend(NO_VALUE);
                self
            }
        }
    }

    /// And an id.
    #[must_use]
    pub fn id<K: Kind>(self, id: Id<K>) -> Self {
        self.field(id.uuid().as_bytes())
    }

    /// And an integer.
    #[must_use]
    pub fn integer(self, integer: i64) -> Self {
        self.field(&integer.to_be_bytes())
    }

    /// And an instant.
    #[must_use]
    pub fn instant(self, instant: Instant) -> Self {
        self.integer(instant.micros())
    }

    fn field(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("a column is shorter than four gigabytes");
        self.0.extend(length.to_be_bytes());
        self.0.extend(bytes);
        self
    }
}

/// A movement that is to be a link of its account's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchained {
    /// Whose.
    pub account: AccountId,
    /// The table it stands in.
    pub table: &'static str,
    /// Its columns after the sequence.
    pub columns: Canonical,
}

/// A movement's place in its account's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// From 1, in recording order.
    pub sequence: i64,
    /// Of this movement and everything before it.
    pub digest: Digest,
}

impl Link {
    /// Before the first movement of `account`.
    #[must_use]
    pub fn genesis(account: AccountId) -> Self {
        Self { sequence: 0, digest: Digest::genesis(account) }
    }

    /// The link after this one.
    #[must_use]
    pub fn next(self, movement: &Unchained) -> Self {
        let sequence = self.sequence + 1;
        let head = Canonical(vec![VERSION]).text(movement.table).id(movement.account).integer(sequence);
        let hash = Sha256::new().chain_update(self.digest.0).chain_update(head.0);
        Self { sequence, digest: Digest(hash.chain_update(&movement.columns.0).finalize().into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        AccountId::from_u128(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f)
    }

    fn movement() -> Unchained {
        let at = Instant::from_micros(1_000_001).expect("an instant");
        let columns = Canonical::new().text("ISSUED").integer(-2).instant(at).optional(None);
        Unchained { account: account(), table: "credit_movement", columns }
    }

    /// The bytes written out by hand: who changes them breaks every chain there is.
    #[test]
    fn the_form_is_what_is_written_down() {
        let mut bytes = vec![1];
        bytes.extend([0, 0, 0, 7]);
        bytes.extend(b"genesis");
        bytes.extend([0, 0, 0, 16]);
        bytes.extend(0..16);
        let genesis: [u8; 32] = Sha256::digest(&bytes).into();
        assert_eq!(Digest::genesis(account()).as_bytes(), genesis);

        let mut bytes = genesis.to_vec();
        bytes.push(1);
        bytes.extend([0, 0, 0, 15]);
        bytes.extend(b"credit_movement");
        bytes.extend([0, 0, 0, 16]);
        bytes.extend(0..16);
        bytes.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]);
        bytes.extend([0, 0, 0, 6]);
        bytes.extend(b"ISSUED");
        bytes.extend([0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254]);
        bytes.extend([0, 0, 0, 8, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x41]);
        bytes.extend([255, 255, 255, 255]);
        let first = Link::genesis(account()).next(&movement());
        assert_eq!((first.sequence, first.digest.as_bytes()), (1, &Sha256::digest(&bytes)[..]));
    }

    #[test]
    fn what_a_field_holds_cannot_move_into_the_next() {
        let link = |columns| Link::genesis(account()).next(&Unchained { columns, ..movement() });
        let (one, other) = (Canonical::new().text("ab").text("c"), Canonical::new().text("a").text("bc"));
        assert_ne!(link(one).digest, link(other).digest);
    }

    #[test]
    fn the_same_movement_is_another_link_in_another_place() {
        let first = Link::genesis(account()).next(&movement());
        let second = first.next(&movement());
        assert_eq!(second.sequence, 2);
        assert_ne!(first.digest, second.digest);
    }
}
