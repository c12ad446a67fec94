//! Terms: versioned documents of an issuer, accepted version by version (R2.5).

use florin_settlement::Instant;

/// One version of an issuer's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsDocument {
    /// Whose terms.
    pub issuer: String,
    /// 1, 2, 3…
    pub version: i64,
    /// What it is called.
    pub title: String,
    /// The text itself.
    pub body: String,
    /// In force from here on.
    pub effective: Instant,
}

/// A document and when this account accepted it, if it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TermsStanding {
    /// The document.
    pub document: TermsDocument,
    /// When it was accepted.
    pub accepted: Option<Instant>,
}

/// The current terms: the newest version in force at `at`. What it replaced, and what is only announced,
/// can neither be asked for nor accepted.
#[must_use]
pub(crate) fn current(standings: &[TermsStanding], at: Instant) -> Option<&TermsStanding> {
    standings
        .iter()
        .filter(|standing| standing.document.effective <= at)
        .max_by_key(|standing| standing.document.version)
}

/// What has to be accepted before the next project: the current terms, unless they were.
#[must_use]
pub(crate) fn unaccepted(standings: &[TermsStanding], at: Instant) -> Vec<TermsDocument> {
    current(standings, at)
        .filter(|newest| newest.accepted.is_none())
        .map(|newest| newest.document.clone())
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(version: i64, effective: i64, accepted: Option<i64>) -> TermsStanding {
        let at = |micros| Instant::from_micros(micros).expect("in range");
        TermsStanding {
            document: TermsDocument {
                issuer: "fr".into(),
                version,
                title: "Terms".into(),
                body: String::new(),
                effective: at(effective),
            },
            accepted: accepted.map(at),
        }
    }

    #[test]
    fn a_new_version_must_be_accepted_again_once_it_is_in_force() {
        let standings = [standing(1, 10, Some(20)), standing(2, 30, None)];
        let versions = |at| {
            unaccepted(&standings, Instant::from_micros(at).expect("in range"))
                .iter()
                .map(|document| document.version)
                .collect::<Vec<_>>()
        };
        assert_eq!(versions(29), Vec::<i64>::new());
        assert_eq!(versions(30), [2]);
    }

    #[test]
    fn the_newest_version_in_force_is_the_current_one() {
        let standings = [standing(1, 10, Some(20)), standing(2, 30, None), standing(3, 50, None)];
        let version = |at| {
            let at = Instant::from_micros(at).expect("in range");
            current(&standings, at).map(|standing| standing.document.version)
        };
        assert_eq!([9, 10, 49, 50].map(version), [None, Some(1), Some(2), Some(3)]);
    }
}
