//! Voucher codes: what they look like, and how they are made again (R6.5).
//!
//! Sixteen readable characters, `7KQ2-M9XD-40RT-VB6P`: 75 bits derived from the server key by campaign,
//! batch and index, then a check character. Stored is only the digest. Because a code is derived, a
//! repeated request streams the same codes without any of them being kept.

use florin_platform::{
    id::{Id, Kind},
    secret::{ServerKey, digest},
};

use super::campaign::CampaignId;

/// Digits and capitals without `I`, `L`, `O` and `U`.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters that carry the code; one check character follows.
const PAYLOAD: usize = 15;
const GROUP: usize = 4;
/// The longest text looked at as a code, in bytes.
pub const TEXT_BYTES_MAX: usize = 64;

/// Marks batches of codes.
#[derive(Debug)]
pub(crate) enum BatchKind {}
impl Kind for BatchKind {
    const PREFIX: &'static str = "batch";
}
/// One call that generated codes.
pub(crate) type BatchId = Id<BatchKind>;

/// A well-formed code: sixteen characters of the alphabet whose check character is right.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code([u8; PAYLOAD + 1]);

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Code {
    /// The code number `index` of a batch.
    #[must_use]
    pub(crate) fn derive(key: &ServerKey, campaign: CampaignId, batch: BatchId, index: u32) -> Self {
        let bytes = key.derive(&format!("voucher/{campaign}/{batch}/{index}"));
        let mut values = [0; PAYLOAD + 1];
        for (value, byte) in values.iter_mut().zip(&bytes[..PAYLOAD]) {
            *value = byte & 31;
        }
        values[PAYLOAD] = check(&values[..PAYLOAD]);
        Self(values)
    }

    /// Reads what a customer typed: case, dashes and spaces do not matter, and look-alikes are read as
    /// what they look like. `None` for what cannot be a code.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut values = [0; PAYLOAD + 1];
        let mut filled = 0;
        for character in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            *values.get_mut(filled)? = value(character)?;
            filled += 1;
        }
        let is_code = filled == PAYLOAD + 1 && check(&values[..PAYLOAD]) == values[PAYLOAD];
        is_code.then_some(Self(values))
    }

    /// What is stored of it.
    #[must_use]
    pub(crate) fn digest(&self) -> Vec<u8> {
        digest(&self.plain())
    }

    /// What may be shown of it again: its last four characters.
    #[must_use]
    pub(crate) fn masked(&self) -> String {
        format!("****-****-****-{}", &self.plain()[PAYLOAD + 1 - GROUP..])
    }

    fn plain(&self) -> String {
        self.0.iter().map(|value| char::from(ALPHABET[usize::from(*value)])).collect()
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = self.plain();
        let groups: Vec<_> = (0..plain.len()).step_by(GROUP).map(|at| &plain[at..at + GROUP]).collect();
        f.write_str(&groups.join("-"))
    }
}

fn value(character: char) -> Option<u8> {
    let character = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let found = ALPHABET.iter().position(|known| char::from(*known) == character)?;
    u8::try_from(found).ok()
}

/// Σ αⁱ·xᵢ in the field of 32 elements: any one wrong character, and any two exchanged, change it.
fn check(values: &[u8]) -> u8 {
    values.iter().fold(0, |sum, value| times_alpha(sum ^ value))
}

fn times_alpha(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 32 == 0 { doubled } else { (doubled ^ 0b10_0101) & 31 }
}

/// A code as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredCode {
    /// Its digest.
    pub digest: Vec<u8>,
    /// The campaign it belongs to.
    pub campaign: CampaignId,
    /// How often it was redeemed.
    pub uses: i64,
    /// How often it may be; `None` for as often as the campaign allows.
    pub use_limit: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(index: u32) -> Code {
        let key = ServerKey::try_new(vec![9; 32]).expect("long enough");
        Code::derive(&key, CampaignId::from_u128(1), BatchId::from_u128(2), index)
    }

    #[test]
    fn a_code_is_read_whatever_its_case_dashes_and_look_alikes() {
        for index in 0..200 {
            let code = code(index);
            let text = code.to_string();
            assert_eq!(text.len(), 19);
            let typed = text.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            assert_eq!(Code::parse(&text).as_ref(), Some(&code));
            assert_eq!(Code::parse(&typed).as_ref(), Some(&code), "{typed}");
        }
    }

    #[test]
    fn one_wrong_character_or_two_exchanged_are_noticed() {
        let text: Vec<char> = code(0).to_string().chars().filter(|c| *c != '-').collect();
        for at in 0..text.len() {
            for other in ALPHABET.iter().map(|byte| char::from(*byte)).filter(|c| *c != text[at]) {
                let mut wrong = text.clone();
                wrong[at] = other;
                assert_eq!(Code::parse(&wrong.iter().collect::<String>()), None);
            }
            for with in at + 1..text.len() {
                let mut wrong = text.clone();
                wrong.swap(at, with);
                let expected = (text[at] == text[with]).then(|| code(0));
                assert_eq!(Code::parse(&wrong.iter().collect::<String>()), expected);
            }
        }
    }

    #[test]
    fn the_same_index_gives_the_same_code_and_another_index_another() {
        assert_eq!(code(7), code(7));
        assert_ne!(code(7), code(8));
    }

    #[test]
    fn what_is_shown_again_and_logged_hides_all_but_four_characters() {
        let code = code(3);
        assert!(code.masked().starts_with("****-****-****-"));
        assert_eq!(format!("{code:?}"), code.masked());
        assert!(code.to_string().ends_with(&code.masked()[15..]));
    }

    #[test]
    fn what_cannot_be_a_code_is_none() {
        for text in ["", "SUMMER", "7KQ2-M9XD-40RT-VB6", "UUUU-UUUU-UUUU-UUUU", &"A".repeat(65)] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }
}
