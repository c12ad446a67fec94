//! Pages of a list: a bounded size and a signed token (AIP-158).

use data_encoding::BASE64URL_NOPAD;

use crate::{
    secret::{self, ServerKey},
    violation::Violations,
};

/// The page size when none is asked for.
pub const SIZE_DEFAULT: u32 = 50;
/// The largest page; asking for more gets this many.
pub const SIZE_MAX: u32 = 1000;
const MAC_BYTES: usize = 16;

/// Which page of one query is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most this many rows.
    pub size: u32,
    /// The sort key of the last row of the page before, if there was one.
    pub after: Option<String>,
    query: String,
}

impl Page {
    /// Reads `page_size` and `page_token`; a token is good only for the `query` it came from, which is
    /// the method, the parent and the filter, joined.
    pub fn parse(key: &ServerKey, query: &str, size: i32, token: &str) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let size = match u32::try_from(size) {
            Ok(0) => SIZE_DEFAULT,
            Ok(size) => size.min(SIZE_MAX),
            Err(_) => {
                violations.add("page_size", "must not be negative");
                SIZE_DEFAULT
            }
        };
        let after =
            if token.is_empty() { None } else { violations.take("page_token", open(key, query, token)) };
        violations.finish().map(|()| Self { size, after, query: query.to_owned() })
    }

    /// How many rows to fetch: one more than the page holds tells whether there is a next one.
    #[must_use]
    pub fn fetch(&self) -> u64 {
        u64::from(self.size) + 1
    }

    /// Cuts `rows` to the page and gives the token of the next, empty at the end.
    pub fn cut<T>(
        &self,
        key: &ServerKey,
        mut rows: Vec<T>,
        sort_key: impl Fn(&T) -> String,
    ) -> (Vec<T>, String) {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let token = rows.last().map(|last| seal(key, &self.query, &sort_key(last))).unwrap_or_default();
        (rows, token)
    }
}

fn mac(key: &ServerKey, query: &str, after: &str) -> Vec<u8> {
    key.derive(&format!("page/{query}/{after}"))[..MAC_BYTES].to_vec()
}

fn seal(key: &ServerKey, query: &str, after: &str) -> String {
    let mut bytes = mac(key, query, after);
    bytes.extend_from_slice(after.as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

fn open(key: &ServerKey, query: &str, token: &str) -> Result<String, &'static str> {
    let refused = "is not a page token of this list";
    let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).map_err(|_| refused)?;
    let (given, after) = bytes.split_at_checked(MAC_BYTES).ok_or(refused)?;
    let after = std::str::from_utf8(after).map_err(|_| refused)?;
    if secret::same(given, &mac(key, query, after)) { Ok(after.to_owned()) } else { Err(refused) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ServerKey {
        ServerKey::try_new(vec![7; 32]).expect("long enough")
    }

    #[test]
    fn a_token_leads_to_the_next_page_of_its_own_query_only() {
        let page = Page::parse(&key(), "ListThings/a", 2, "").expect("valid");
        let (rows, token) = page.cut(&key(), vec![1, 2, 3], ToString::to_string);
        assert_eq!(rows, [1, 2]);
        assert_eq!(
            Page::parse(&key(), "ListThings/a", 2, &token).expect("valid").after.as_deref(),
            Some("2")
        );
        assert!(Page::parse(&key(), "ListThings/b", 2, &token).is_err());
        assert!(Page::parse(&key(), "ListThings/a", 2, "garbage").is_err());
    }

    #[test]
    fn the_last_page_has_no_token_and_no_page_is_larger_than_the_maximum() {
        let page = Page::parse(&key(), "q", i32::MAX, "").expect("valid");
        assert_eq!(page.size, SIZE_MAX);
        assert_eq!(page.cut(&key(), vec![1], ToString::to_string).1, "");
        assert!(Page::parse(&key(), "q", -1, "").is_err());
    }
}
