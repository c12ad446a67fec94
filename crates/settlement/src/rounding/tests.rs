use super::*;
use crate::canonical;

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn price(text: &str) -> UnitPrice {
    UnitPrice::parse(text, Currency::EUR).expect("a price")
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

fn rate(text: &str) -> TaxRate {
    TaxRate::parse(text).expect("a rate")
}

#[test]
fn the_half_goes_away_from_zero() {
    let table =
        [(5, 2, 3), (-5, 2, -3), (4, 3, 1), (5, 3, 2), (-4, 3, -1), (-5, 3, -2), (0, 7, 0), (1, 2, 1)];
    for (numerator, denominator, nearest) in table {
        assert_eq!(half_away_from_zero(numerator, denominator), nearest, "{numerator}/{denominator}");
    }
    assert_eq!(half_away_from_zero(i128::MAX, 1), i128::MAX);
    assert_eq!(half_away_from_zero(i128::MAX - 1, i128::MAX), 1);
}

#[test]
fn an_hourly_price_is_the_monthly_price_over_720_to_ten_decimals() {
    let hourly = |text| canonical(hourly_from_monthly(price(text)).amount());
    assert_eq!(hourly("0.04"), "0.0000555556");
    assert_eq!(hourly("72"), "0.1");
    assert_eq!(hourly("0"), "0");
    // 0.0000000360 / 720 is exactly half of the tenth decimal: away from zero.
    assert_eq!(hourly("0.000000036"), "0.0000000001");
    assert_eq!(hourly("0.0000000359"), "0");
    assert_eq!(hourly("999999999999999999.9999999999"), "1388888888888888.8888888889");
}

#[test]
fn the_worked_example_is_23_63() {
    let instance = line_net(Quantity::whole(200), price("0.111"), ONE).expect("fits");
    let held = quantity("250").checked_mul(quantity("103")).expect("fits");
    let storage = line_net(held, price("0.0000555556"), ONE).expect("fits");
    assert_eq!((instance, storage), (eur(2_220), eur(143)));
    assert_eq!(instance.checked_add(storage), Ok(eur(2_363)));
}

#[test]
fn the_tenth_decimal_of_a_price_can_change_the_cent() {
    // 0.005000004 is a cent, 0.004999995 is none.
    assert_eq!(line_net(quantity("90"), price("0.0000555556"), ONE), Ok(eur(1)));
    assert_eq!(line_net(quantity("90"), price("0.0000555555"), ONE), Ok(eur(0)));
}

#[test]
fn a_line_is_rounded_once_half_away_from_zero() {
    let net = |units, unit_price| line_net(quantity(units), price(unit_price), ONE).map(Money::minor);
    assert_eq!(net("1", "0.005"), Ok(1));
    assert_eq!(net("1", "0.0049999999"), Ok(0));
    assert_eq!(net("3", "0.005"), Ok(2));
    assert_eq!(net("0.1", "0.05"), Ok(1));
    assert_eq!(net("0", "1"), Ok(0));
    let yen = UnitPrice::parse("0.5", Currency::JPY).expect("a price");
    assert_eq!(line_net(Quantity::whole(3), yen, ONE), Ok(Money::new(2, Currency::JPY)));
    let dinar = UnitPrice::parse("12", Currency::TND).expect("a price");
    assert_eq!(line_net(Quantity::whole(2), dinar, ONE), Ok(Money::new(24_000, Currency::TND)));
}

#[test]
fn a_month_is_pro_rated_by_days_with_one_division() {
    let days = |count: u32| NonZeroU32::new(count).expect("not zero");
    let net = |used, of| line_net(Quantity::whole(used), price("10"), days(of)).map(Money::minor);
    assert_eq!(net(31, 31), Ok(1_000));
    assert_eq!(net(15, 31), Ok(484));
    assert_eq!(net(1, 30), Ok(33));
    assert_eq!(net(2, 30), Ok(67));
    assert_eq!(net(29, 29), Ok(1_000));
}

#[test]
fn what_does_not_fit_is_an_error_never_a_wrong_amount() {
    let huge = quantity("999999999999999999.9999999999");
    let most = price("999999999999999999.9999999999");
    assert_eq!(line_net(huge, most, ONE), Err(RoundingError::Overflow));
    assert_eq!(line_net(quantity("999999999999999999"), price("1"), ONE), Err(RoundingError::Overflow));
    let close = line_net(quantity("92233720368547758"), price("1"), ONE);
    assert_eq!(close, Ok(eur(9_223_372_036_854_775_800)));
    assert_eq!(tax(eur(i64::MAX), rate("100")), Ok(eur(i64::MAX)));
}

#[test]
fn tax_is_rounded_half_away_from_zero_and_odd() {
    let of = |minor, text| tax(eur(minor), rate(text)).map(Money::minor);
    assert_eq!(of(2_363, "20"), Ok(473));
    assert_eq!(of(10, "5"), Ok(1));
    assert_eq!(of(-10, "5"), Ok(-1));
    assert_eq!(of(9, "5"), Ok(0));
    assert_eq!(of(1_000, "5.5"), Ok(55));
    assert_eq!(of(1_000, "0"), Ok(0));
    for minor in [1, 7, 333, 12_345, 99_999] {
        assert_eq!(of(-minor, "19.6"), of(minor, "19.6").map(|tax| -tax));
    }
}

#[test]
fn loyalty_is_rounded_down() {
    let one = Percentage::parse("1").expect("a percentage");
    assert_eq!(loyalty_earning(eur(199), one), Ok(eur(1)));
    assert_eq!(loyalty_earning(eur(99), one), Ok(eur(0)));
    assert_eq!(loyalty_earning(eur(0), one), Ok(eur(0)));
    assert_eq!(loyalty_earning(eur(-1), one), Err(RoundingError::NegativeEarning));
}

#[test]
fn a_gross_payment_splits_into_net_and_tax_without_losing_a_cent() {
    let split =
        |minor, text| split_gross(eur(minor), rate(text)).map(|(net, tax)| (net.minor(), tax.minor()));
    assert_eq!(split(12_000, "20"), Ok((10_000, 2_000)));
    assert_eq!(split(100, "20"), Ok((83, 17)));
    assert_eq!(split(3, "20"), Ok((2, 1)));
    assert_eq!(split(1_000, "0"), Ok((1_000, 0)));
    assert_eq!(split(-100, "20"), Ok((-83, -17)));
    for minor in 0..500 {
        let (net, tax) = split_gross(eur(minor), rate("5.5")).expect("fits");
        assert_eq!(net.checked_add(tax), Ok(eur(minor)));
    }
}
