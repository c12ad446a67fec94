//! A customer's VAT number, and since when it is confirmed (R8.4).
//!
//! ```text
//! CLAIMED ──► CONFIRMED ◄──► REFUSED        any ──► WITHDRAWN, or CLAIMED when it is another number
//! ```
//! Only a register of the authorities confirms a number; a register that does not answer changes nothing.

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::Instant;

use super::{account::Account, vat::Place};

/// How many standings and checks of one account are shown, the newest.
pub(crate) const SHOWN_MAX: usize = 100;
/// However often a customer gives a number, a register is asked no sooner after the last time.
const PAUSE_SECONDS_MIN: u64 = 5 * 60;
/// The first pause after a register did not answer; it doubles each time.
const FIRST_PAUSE_SECONDS: u64 = 15 * 60;
const PAUSE_SECONDS_MAX: u64 = 24 * 3600;
/// After so many doublings the longest pause is reached.
const DOUBLINGS_MAX: u32 = 7;

/// Marks ids of standings.
#[derive(Debug)]
pub(crate) enum StandingKind {}
impl Kind for StandingKind {
    const PREFIX: &'static str = "vatstanding";
}
/// The id of a standing.
pub(crate) type StandingId = Id<StandingKind>;

/// Marks ids of checks.
#[derive(Debug)]
pub(crate) enum CheckKind {}
impl Kind for CheckKind {
    const PREFIX: &'static str = "vatcheck";
}
/// The id of a check.
pub(crate) type CheckId = Id<CheckKind>;

/// What is known of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VatNumberState {
    /// The customer gave it.
    Claimed,
    /// A register knows it.
    Confirmed,
    /// A register does not know it, or no longer.
    Refused,
    /// The customer took it back.
    Withdrawn,
}

impl VatNumberState {
    const ALL: [Self; 4] = [Self::Claimed, Self::Confirmed, Self::Refused, Self::Withdrawn];

    /// The stored form.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "CLAIMED",
            Self::Confirmed => "CONFIRMED",
            Self::Refused => "REFUSED",
            Self::Withdrawn => "WITHDRAWN",
        }
    }

    /// Reads the stored form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// What a register's answer makes of a number.
    pub(crate) fn answered(registered: bool) -> Self {
        if registered { Self::Confirmed } else { Self::Refused }
    }
}

/// What is known of a number from an instant on, until the next standing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VatNumberStanding {
    pub(crate) account: AccountId,
    pub(crate) id: StandingId,
    pub(crate) number: String,
    pub(crate) state: VatNumberState,
    pub(crate) effective: Instant,
}

impl VatNumberStanding {
    pub(crate) fn new(account: AccountId, number: &str, state: VatNumberState, at: Instant) -> Self {
        Self { account, id: StandingId::generate(at), number: number.to_owned(), state, effective: at }
    }
}

/// An answer of a register, kept as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VatCheck {
    pub(crate) account: AccountId,
    pub(crate) id: CheckId,
    pub(crate) number: String,
    /// Which register.
    pub(crate) registry: String,
    pub(crate) registered: bool,
    /// What the register calls this consultation; empty if it gave it no id.
    pub(crate) consultation: String,
    pub(crate) checked: Instant,
}

/// Whether the number is confirmed on the day of `at`, given all that is known of it, oldest first. What became known
/// in the course of the day counts for all of it.
pub(crate) fn is_confirmed_on(standings: &[VatNumberStanding], at: Instant) -> bool {
    let end = at.floor_day().plus_days(1);
    let last = standings.iter().rev().find(|standing| standing.effective < end);
    last.is_some_and(|standing| standing.state == VatNumberState::Confirmed)
}

/// The number of `account` to ask a register about: only where the answer changes the VAT, and only one of the
/// customer's own country.
pub(crate) fn to_ask_about(account: &Account, place: Place) -> Option<&str> {
    let number = account.profile.vat_number.as_deref()?;
    (place == Place::OtherEu && country_of(number) == account.profile.country).then_some(number)
}

/// The country a number begins with, in ISO 3166: Greece calls itself EL there.
fn country_of(number: &str) -> &str {
    match number.get(..2).unwrap_or_default() {
        "EL" => "GR",
        country => country,
    }
}

/// When a register is asked about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asking {
    /// When it was last asked.
    pub(crate) asked: Option<Instant>,
    /// When it is asked next.
    pub(crate) due: Option<Instant>,
    /// How often in a row it has not answered.
    pub(crate) failures: u32,
}

impl Asking {
    /// The customer gave a number at `at`.
    pub(crate) fn soon(self, at: Instant) -> Self {
        let due = self.asked.map_or(at, |asked| at.max(asked.plus_seconds(PAUSE_SECONDS_MIN)));
        Self { due: Some(due), ..self }
    }

    /// There is nothing to ask about.
    pub(crate) fn never(self) -> Self {
        Self { due: None, ..self }
    }

    /// It answered at `at`.
    pub(crate) fn answered(at: Instant, recheck_days: u32) -> Self {
        Self { asked: Some(at), due: Some(at.plus_days(recheck_days)), failures: 0 }
    }

    /// It did not answer at `at`.
    pub(crate) fn silent(self, at: Instant) -> Self {
        let pause = (FIRST_PAUSE_SECONDS << self.failures.min(DOUBLINGS_MAX)).min(PAUSE_SECONDS_MAX);
        let failures = self.failures.saturating_add(1);
        Self { asked: Some(at), due: Some(at.plus_seconds(pause)), failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(day: u32, hour: u32) -> Instant {
        Instant::midnight(2027, 3, day).expect("a day").plus_hours(hour)
    }

    fn standing(state: VatNumberState, effective: Instant) -> VatNumberStanding {
        VatNumberStanding::new(AccountId::from_u128(1), "DE136695976", state, effective)
    }

    #[test]
    fn the_standing_of_a_day_is_the_last_that_became_known_by_its_end() {
        let standings = [
            standing(VatNumberState::Claimed, instant(1, 9)),
            standing(VatNumberState::Confirmed, instant(3, 23)),
            standing(VatNumberState::Refused, instant(20, 0)),
        ];
        for (day, confirmed) in [(1, false), (2, false), (3, true), (19, true), (20, false), (31, false)] {
            assert_eq!(is_confirmed_on(&standings, instant(day, 0)), confirmed, "on the {day}th");
        }
        assert!(!is_confirmed_on(&[], instant(1, 0)));
    }

    #[test]
    fn a_register_that_does_not_answer_is_asked_less_and_less_often() {
        let (mut asking, mut at) = (Asking::default().soon(instant(1, 0)), instant(1, 0));
        let mut minutes = Vec::new();
        for _ in 0..9 {
            asking = asking.silent(at);
            let due = asking.due.expect("it is asked again");
            minutes.push(due.saturating_since(at).as_secs() / 60);
            at = due;
        }
        assert_eq!(minutes, [15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
        assert_eq!(Asking::answered(at, 30).silent(at).failures, 1, "an answer begins anew");
    }

    #[test]
    fn a_register_is_not_asked_as_often_as_a_customer_likes() {
        let asking = Asking::answered(instant(1, 0), 30);
        assert_eq!(asking.soon(instant(1, 0)).due, Some(instant(1, 0).plus_seconds(300)));
        assert_eq!(asking.soon(instant(1, 1)).due, Some(instant(1, 1)));
        assert_eq!(asking.never().soon(instant(1, 0)).due, Some(instant(1, 0).plus_seconds(300)));
    }

    #[test]
    fn greek_numbers_begin_with_el() {
        assert_eq!([country_of("EL123456789"), country_of("DE136695976")], ["GR", "DE"]);
    }
}
