//! What any text from outside must be, whatever it means.

/// Whether `text` has no control characters; NUL is one, and PostgreSQL stores none.
#[must_use]
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Whether `text` is plain and has at most `characters_max` characters.
#[must_use]
pub(crate) fn fits(text: &str, characters_max: usize) -> bool {
    is_plain(text) && text.chars().count() <= characters_max
}

/// Whether `text` has the form of an ISO 3166-1 alpha-2 code, in upper case.
#[must_use]
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_letters() {
        assert!(is_country("FR"));
        for wrong in ["", "F", "FRA", "F\0", "F1", "É", "fr"] {
            assert!(!is_country(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_text_has_no_control_characters_and_is_bounded_in_characters() {
        assert!(fits("éé", 2));
        assert!(!fits("ééé", 2));
        for wrong in ["a\0", "a\n", "\u{7f}", "\u{85}"] {
            assert!(!is_plain(wrong), "{wrong:?}");
        }
    }
}
