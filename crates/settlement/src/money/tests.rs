use super::*;
use crate::parse_decimal;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

#[test]
fn an_amount_finer_than_the_minor_unit_is_refused_never_rounded() {
    let read = |text: &str, currency| {
        Money::from_decimal(parse_decimal(text, 28).expect("a decimal"), currency).map(Money::minor)
    };
    assert_eq!(read("12.34", Currency::EUR), Ok(1_234));
    assert_eq!(read("12.340", Currency::EUR), Ok(1_234));
    assert_eq!(read("12.345", Currency::EUR), Err(MoneyError::TooFine(Currency::EUR)));
    assert_eq!(read("12.345", Currency::TND), Ok(12_345));
    assert_eq!(read("12", Currency::JPY), Ok(12));
    assert_eq!(read("12.0", Currency::JPY), Ok(12));
    assert_eq!(read("12.5", Currency::JPY), Err(MoneyError::TooFine(Currency::JPY)));
    assert_eq!(read("-0.01", Currency::EUR), Ok(-1));
    assert_eq!(read("92233720368547758.08", Currency::EUR), Err(MoneyError::Overflow));
    assert_eq!(read("9999999999999999999999999999", Currency::EUR), Err(MoneyError::Overflow));
}

#[test]
fn two_currencies_are_never_mixed() {
    let (euro, yen) = (eur(100), Money::new(100, Currency::JPY));
    let mismatch = MoneyError::CurrencyMismatch { left: Currency::EUR, right: Currency::JPY };
    assert_eq!(euro.checked_add(yen), Err(mismatch));
    assert_eq!(euro.checked_sub(yen), Err(mismatch));
    assert_eq!(euro.compare(yen), Err(mismatch));
    assert_eq!(euro.min(yen), Err(mismatch));
    assert_eq!(Money::sum([euro, yen], Currency::EUR), Err(mismatch));
    assert_ne!(euro, yen);
}

#[test]
fn overflow_is_an_error() {
    assert_eq!(eur(i64::MAX).checked_add(eur(1)), Err(MoneyError::Overflow));
    assert_eq!(eur(i64::MIN).checked_sub(eur(1)), Err(MoneyError::Overflow));
    assert_eq!(eur(i64::MIN).checked_neg(), Err(MoneyError::Overflow));
    assert_eq!(Money::sum([eur(i64::MAX), eur(1)], Currency::EUR), Err(MoneyError::Overflow));
    assert_eq!(eur(5).checked_neg(), Ok(eur(-5)));
}

#[test]
fn wire_parts_are_exact_both_ways() {
    let table = [
        (12, 340_000_000, Currency::EUR, 1_234),
        (-12, -340_000_000, Currency::EUR, -1_234),
        (0, -10_000_000, Currency::EUR, -1),
        (7, 0, Currency::JPY, 7),
        (1, 5_000_000, Currency::TND, 1_005),
    ];
    for (units, nanos, currency, minor) in table {
        let money = Money::new(minor, currency);
        assert_eq!(Money::from_units_nanos(units, nanos, currency), Ok(money));
        assert_eq!(money.to_units_nanos(), (units, nanos));
    }
    for minor in [i64::MIN, i64::MAX] {
        let (units, nanos) = eur(minor).to_units_nanos();
        assert_eq!(Money::from_units_nanos(units, nanos, Currency::EUR), Ok(eur(minor)));
    }
}

#[test]
fn crooked_wire_parts_are_refused() {
    let read = |units, nanos, currency| Money::from_units_nanos(units, nanos, currency).map(Money::minor);
    assert_eq!(read(1, -10_000_000, Currency::EUR), Err(MoneyError::SignMismatch));
    assert_eq!(read(-1, 10_000_000, Currency::EUR), Err(MoneyError::SignMismatch));
    assert_eq!(read(0, 1_000_000_000, Currency::EUR), Err(MoneyError::NanosOutOfRange));
    assert_eq!(read(0, i32::MIN, Currency::EUR), Err(MoneyError::NanosOutOfRange));
    assert_eq!(read(0, 1_000_000, Currency::EUR), Err(MoneyError::TooFine(Currency::EUR)));
    assert_eq!(read(0, 500_000_000, Currency::JPY), Err(MoneyError::TooFine(Currency::JPY)));
    assert_eq!(read(i64::MAX, 0, Currency::EUR), Err(MoneyError::Overflow));
}

#[test]
fn an_amount_prints_with_its_decimals_and_currency() {
    assert_eq!(eur(1_234).to_string(), "12.34 EUR");
    assert_eq!(eur(-5).to_string(), "-0.05 EUR");
    assert_eq!(eur(0).to_string(), "0.00 EUR");
    assert_eq!(Money::new(7, Currency::JPY).to_string(), "7 JPY");
    assert_eq!(Money::new(1_500, Currency::TND).to_string(), "1.500 TND");
}

#[test]
fn amounts_of_one_currency_are_ordered() {
    assert_eq!(eur(1).compare(eur(2)), Ok(Ordering::Less));
    assert_eq!(eur(3).min(eur(2)), Ok(eur(2)));
    assert!(eur(1).is_positive() && eur(-1).is_negative() && eur(0).is_zero());
    assert_eq!(Money::sum([], Currency::EUR), Ok(eur(0)));
}
