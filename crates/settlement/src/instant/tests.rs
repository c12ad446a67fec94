use super::*;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

#[test]
fn an_instant_is_truncated_to_microseconds() {
    let fine = DateTime::from_timestamp(0, 123_456_789).expect("in range");
    assert_eq!(Instant::new(fine).micros(), 123_456);
    let before_the_epoch = DateTime::from_timestamp(-1, 999_999_999).expect("in range");
    assert_eq!(Instant::new(before_the_epoch).micros(), -1);
    assert_eq!(at("2027-03-01T00:00:00.1234567Z").to_string(), "2027-03-01T00:00:00.123456Z");
}

#[test]
fn an_instant_reads_back_as_it_prints() {
    for text in ["2027-03-01T00:00:00Z", "2027-03-01T23:59:59.999999Z", "0001-01-01T00:00:00Z"] {
        assert_eq!(at(text).to_string(), text);
        assert_eq!(Instant::new(at(text).as_datetime()), at(text));
        assert_eq!(Instant::from_micros(at(text).micros()), Ok(at(text)));
    }
    assert_eq!(at("2027-03-01T02:00:00+02:00"), at("2027-03-01T00:00:00Z"));
    assert_eq!(Instant::parse("2027-03-01"), Err(InstantError::Malformed));
}

#[test]
fn instants_end_with_the_year_9999() {
    assert_eq!(Instant::MIN.to_string(), "0001-01-01T00:00:00Z");
    assert_eq!(Instant::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Instant::from_micros(Instant::MAX.micros() + 1), Err(InstantError::OutOfRange));
    assert_eq!(Instant::from_micros(Instant::MIN.micros() - 1), Err(InstantError::OutOfRange));
    assert_eq!(Instant::new(DateTime::<Utc>::MAX_UTC), Instant::MAX);
    assert_eq!(Instant::new(DateTime::<Utc>::MIN_UTC), Instant::MIN);
    assert_eq!(Instant::MAX.plus_months_clamped(u32::MAX), Instant::MAX);
    assert_eq!(Instant::MAX.plus_days(u32::MAX), Instant::MAX);
    assert_eq!(Instant::MAX.plus_seconds(u64::MAX), Instant::MAX);
    assert_eq!(Instant::MAX.plus(Duration::MAX), Instant::MAX);
    assert_eq!(Instant::MIN.minus(Duration::MAX), Instant::MIN);
    assert_eq!(Instant::MAX.ceil_hour(), Instant::MAX);
    assert_eq!(Instant::MAX.start_of_next_month(), Instant::MAX);
}

/// (start, months, end): calendar arithmetic, clamped to the last day of the month (R1.6).
const MONTHS: [(&str, u32, &str); 26] = [
    ("2025-01-31", 13, "2026-02-28"),
    ("2025-01-30", 13, "2026-02-28"),
    ("2025-01-29", 13, "2026-02-28"),
    ("2025-01-28", 13, "2026-02-28"),
    ("2027-01-31", 13, "2028-02-29"),
    ("2027-01-29", 13, "2028-02-29"),
    ("2027-01-28", 13, "2028-02-28"),
    ("2027-02-28", 13, "2028-03-28"),
    ("2027-03-31", 13, "2028-04-30"),
    ("2027-04-30", 13, "2028-05-30"),
    ("2027-05-31", 13, "2028-06-30"),
    ("2027-06-30", 13, "2028-07-30"),
    ("2027-07-31", 13, "2028-08-31"),
    ("2027-08-31", 13, "2028-09-30"),
    ("2027-09-30", 13, "2028-10-30"),
    ("2027-10-31", 13, "2028-11-30"),
    ("2027-11-30", 13, "2028-12-30"),
    ("2027-12-31", 13, "2029-01-31"),
    ("2028-02-29", 12, "2029-02-28"),
    ("2028-02-29", 13, "2029-03-29"),
    ("2028-02-29", 48, "2032-02-29"),
    ("2027-01-31", 1, "2027-02-28"),
    ("2028-01-31", 1, "2028-02-29"),
    ("2099-01-31", 13, "2100-02-28"),
    ("1999-01-31", 13, "2000-02-29"),
    ("2027-12-31", 0, "2027-12-31"),
];

#[test]
fn months_are_calendar_months_clamped_to_the_last_day() {
    for (start, months, end) in MONTHS {
        for time in ["00:00:00", "16:30:05.000001"] {
            let got = at(&format!("{start}T{time}Z")).plus_months_clamped(months);
            assert_eq!(got, at(&format!("{end}T{time}Z")), "{start} + {months} months");
        }
    }
}

#[test]
fn a_month_starts_on_the_first_at_midnight() {
    let leap = at("2028-02-29T23:59:59.999999Z");
    assert_eq!(leap.start_of_month(), at("2028-02-01T00:00:00Z"));
    assert_eq!(leap.start_of_next_month(), at("2028-03-01T00:00:00Z"));
    let first = at("2027-12-01T00:00:00Z");
    assert_eq!(first.start_of_month(), first);
    assert_eq!(first.start_of_next_month(), at("2028-01-01T00:00:00Z"));
    assert_eq!(leap.day_of_month(), 29);
    assert_eq!(leap.floor_day(), at("2028-02-29T00:00:00Z"));
}

#[test]
fn an_hour_is_a_wall_clock_hour() {
    let touched = at("2027-03-04T09:40:00Z");
    assert_eq!(touched.floor_hour(), at("2027-03-04T09:00:00Z"));
    assert_eq!(touched.ceil_hour(), at("2027-03-04T10:00:00Z"));
    let full = at("2027-03-04T09:00:00Z");
    assert_eq!((full.floor_hour(), full.ceil_hour()), (full, full));
    let before_the_epoch = at("1969-12-31T23:30:00Z");
    assert_eq!(before_the_epoch.floor_hour(), at("1969-12-31T23:00:00Z"));
    assert_eq!(before_the_epoch.ceil_hour(), at("1970-01-01T00:00:00Z"));
}

#[test]
fn from_the_4th_0940_to_the_12th_1630_is_200_hours_touched() {
    let from = at("2027-03-04T09:40:00Z").floor_hour();
    let to = at("2027-03-12T16:30:00Z").ceil_hour();
    assert_eq!(to.saturating_since(from), Duration::from_secs(200 * 3_600));
    assert_eq!(from.saturating_since(to), Duration::ZERO);
}

#[test]
fn days_hours_and_seconds_are_exact() {
    let start = at("2027-02-28T23:59:59Z");
    assert_eq!(start.plus_seconds(1), at("2027-03-01T00:00:00Z"));
    assert_eq!(start.plus_hours(24), start.plus_days(1));
    assert_eq!(start.plus_days(35).minus_days(35), start);
    assert_eq!(start.plus(Duration::from_nanos(1_999)).micros(), start.micros() + 1);
    assert_eq!(start.plus(Duration::from_secs(5)).minus(Duration::from_secs(5)), start);
    assert_eq!(Instant::midnight(2027, 2, 29), None);
}

/// R1.6, R6.4: credit lives 13 calendar months, clamped to the month's last day; at every month end, in leap years
/// and between them.
#[test]
fn thirteen_months_from_every_month_end() {
    let table = [
        ("2023-01-31", "2024-02-29"),
        ("2023-02-28", "2024-03-28"),
        ("2023-03-31", "2024-04-30"),
        ("2023-04-30", "2024-05-30"),
        ("2023-05-31", "2024-06-30"),
        ("2023-06-30", "2024-07-30"),
        ("2023-07-31", "2024-08-31"),
        ("2023-08-31", "2024-09-30"),
        ("2023-09-30", "2024-10-30"),
        ("2023-10-31", "2024-11-30"),
        ("2023-11-30", "2024-12-30"),
        ("2023-12-31", "2025-01-31"),
        ("2024-01-31", "2025-02-28"),
        ("2024-02-29", "2025-03-29"),
        ("2024-03-31", "2025-04-30"),
        ("2024-04-30", "2025-05-30"),
        ("2024-05-31", "2025-06-30"),
        ("2024-06-30", "2025-07-30"),
        ("2024-07-31", "2025-08-31"),
        ("2024-08-31", "2025-09-30"),
        ("2024-09-30", "2025-10-30"),
        ("2024-10-31", "2025-11-30"),
        ("2024-11-30", "2025-12-30"),
        ("2024-12-31", "2026-01-31"),
        ("2027-01-31", "2028-02-29"),
        ("2027-02-28", "2028-03-28"),
        ("2027-03-31", "2028-04-30"),
        ("2027-04-30", "2028-05-30"),
        ("2027-05-31", "2028-06-30"),
        ("2027-06-30", "2028-07-30"),
        ("2027-07-31", "2028-08-31"),
        ("2027-08-31", "2028-09-30"),
        ("2027-09-30", "2028-10-30"),
        ("2027-10-31", "2028-11-30"),
        ("2027-11-30", "2028-12-30"),
        ("2027-12-31", "2029-01-31"),
        ("2028-01-31", "2029-02-28"),
        ("2028-02-29", "2029-03-29"),
        ("2028-03-31", "2029-04-30"),
        ("2028-04-30", "2029-05-30"),
        ("2028-05-31", "2029-06-30"),
        ("2028-06-30", "2029-07-30"),
        ("2028-07-31", "2029-08-31"),
        ("2028-08-31", "2029-09-30"),
        ("2028-09-30", "2029-10-30"),
        ("2028-10-31", "2029-11-30"),
        ("2028-11-30", "2029-12-30"),
        ("2028-12-31", "2030-01-31"),
        ("2026-01-29", "2027-02-28"),
        ("2026-01-30", "2027-02-28"),
        ("2027-01-29", "2028-02-29"),
        ("2027-01-30", "2028-02-29"),
        ("2027-01-28", "2028-02-28"),
        ("2024-02-29", "2025-03-29"),
        ("2099-01-31", "2100-02-28"),
        ("2399-01-31", "2400-02-29"),
    ];
    for (from, to) in table {
        for time in ["00:00:00Z", "23:59:59.999999Z"] {
            let at = |day: &str| Instant::parse(&format!("{day}T{time}")).expect("an instant");
            assert_eq!(at(from).plus_months_clamped(13), at(to), "{from}");
        }
    }
}
