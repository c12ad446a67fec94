//! Amounts in Stripe's smallest units, which are ours but for three currencies.

use florin_settlement::{Currency, Money};

/// How many of Stripe's units one of ours is: Stripe writes two decimals where ISO 4217 has none.
fn units(currency: Currency) -> i64 {
    match currency.code() {
        "ISK" | "UGX" => 100,
        _ => 1,
    }
}

/// How many of ours one of Stripe's units is: Stripe writes no decimals where ISO 4217 has two.
fn per_unit(currency: Currency) -> i64 {
    if currency.code() == "MGA" { 100 } else { 1 }
}

/// `amount` as Stripe writes it; nothing if it has no such amount.
pub(super) fn to_stripe(amount: Money) -> Option<i64> {
    let per_unit = per_unit(amount.currency());
    if amount.minor() % per_unit != 0 {
        return None;
    }
    (amount.minor() / per_unit).checked_mul(units(amount.currency()))
}

/// What Stripe's `amount` of `currency` is; nothing if it cannot be written exactly.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<Money> {
    let currency = Currency::parse(&currency.to_ascii_uppercase()).ok()?;
    if amount % units(currency) != 0 {
        return None;
    }
    let minor = (amount / units(currency)).checked_mul(per_unit(currency))?;
    Some(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_come_back_as_they_went() {
        for (code, minor, stripe) in
            [("EUR", 3600, 3600), ("JPY", 500, 500), ("ISK", 500, 50_000), ("MGA", 500, 5)]
        {
            let amount = Money::new(minor, Currency::parse(code).expect("a currency"));
            assert_eq!(to_stripe(amount), Some(stripe), "{code}");
            assert_eq!(from_stripe(stripe, &code.to_ascii_lowercase()), Some(amount), "{code}");
        }
        assert_eq!(to_stripe(Money::new(550, Currency::parse("MGA").expect("a currency"))), None);
        assert_eq!(from_stripe(550, "isk"), None);
        assert_eq!(from_stripe(1, "euro"), None);
    }
}
