use super::*;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn treatment(percent: &str) -> Treatment {
    let rate = TaxRate::parse(percent).expect("a rate");
    Treatment { category: TaxCategory::Standard, rate, mention: None }
}

const FIRST: PaymentId = PaymentId::from_u128(1);
const SECOND: PaymentId = PaymentId::from_u128(2);

fn order() -> CreditOrder {
    let created = at("2027-01-31T10:00:00Z");
    CreditOrder {
        id: OrderId::from_u128(7),
        account: AccountId::from_u128(8),
        number: number(OrderId::from_u128(7), created),
        project: ProjectId::from_u128(9),
        initial: false,
        charged: None,
        price: Price::of(eur(3000), &treatment("20")).expect("a price"),
        state: OrderState::AwaitingPayment,
        payment: None,
        purchase_invoice: None,
        withdrawable: false,
        supply_requested: None,
        created,
        expires: created.plus_hours(EXPIRE_AFTER_HOURS),
        version: 1,
        updated: created,
    }
}

fn paying(order: CreditOrder, payment: PaymentId, consent: Consent) -> CreditOrder {
    order.begin_payment(at("2027-01-31T11:00:00Z"), payment, consent).expect("awaits payment")
}

#[test]
fn credit_is_bought_in_whole_units_from_1_to_99_999_999() {
    let check = |minor| check_amount(eur(minor), Currency::EUR);
    assert_eq!(check(100), Ok(()));
    assert_eq!(check(9_999_999_900), Ok(()));
    for wrong in [0, -100, 99, 101, 9_999_999_901, 10_000_000_000] {
        assert_eq!(check(wrong), Err(AmountError::NotWholeUnits), "{wrong}");
    }
    let yen = Money::new(1, Currency::JPY);
    assert_eq!(check_amount(yen, Currency::JPY), Ok(()));
    assert_eq!(check_amount(yen, Currency::EUR), Err(AmountError::Currency(Currency::EUR)));
}

#[test]
fn initial_credit_reaches_the_minimum_exactly_or_more() {
    assert_eq!(check_minimum(eur(3000), eur(3000)), Ok(()));
    assert_eq!(check_minimum(eur(2900), eur(3000)), Err(AmountError::BelowMinimum(eur(3000))));
}

#[test]
fn the_buyer_pays_the_net_and_its_tax() {
    let price = Price::of(eur(3000), &treatment("20")).expect("a price");
    assert_eq!((price.tax, price.gross), (eur(600), eur(3600)));
}

#[test]
fn an_order_expires_by_its_instant_but_never_while_a_payment_is_in_progress() {
    let (last, over) = (at("2027-02-01T09:59:59.999999Z"), at("2027-02-01T10:00:00Z"));
    assert_eq!(order().state_at(last), OrderState::AwaitingPayment);
    assert_eq!(order().state_at(over), OrderState::Expired);
    assert_eq!(order().begin_payment(over, FIRST, Consent::NotGiven), Err(OrderRefusal::Expired));
    assert_eq!(order().cancel(over), Err(OrderRefusal::Expired));
    let paying = paying(order(), FIRST, Consent::NotGiven);
    assert_eq!(paying.state_at(over), OrderState::Processing);
    assert_eq!(paying.clone().expire(over), None);
    let failed = paying.payment_failed(over).expect("its payment failed");
    assert_eq!(failed.state_at(over), OrderState::Expired);
    assert!(failed.expire(over).is_some_and(|order| order.state == OrderState::Expired));
}

#[test]
fn an_order_being_paid_is_not_canceled_and_can_be_paid_again_once_the_payment_failed() {
    let now = at("2027-01-31T11:00:01Z");
    let paying = paying(order(), FIRST, Consent::NotGiven);
    assert_eq!(paying.clone().cancel(now), Err(OrderRefusal::PaymentInProgress(Some(FIRST))));
    let failed = paying.payment_failed(now).expect("it was being paid");
    assert_eq!(failed.state_at(now), OrderState::AwaitingPayment);
    assert_eq!(failed.payment, Some(FIRST));
    assert_eq!(order().payment_failed(now), None);
}

#[test]
fn the_first_money_pays_an_order_once_and_anything_else_goes_back() {
    let now = at("2027-01-31T11:00:02Z");
    // The customer began a second payment while the first one waited for 3-D Secure, then passed the first.
    let replaced = paying(paying(order(), FIRST, Consent::NotGiven), SECOND, Consent::NotGiven);
    let Paid::Now(paid) = replaced.pay(now, FIRST, None) else { panic!("the order is payable") };
    assert_eq!(paid.state, OrderState::Paid { paid: now, supply: now, lot: None });
    assert_eq!(paid.payment, Some(FIRST));
    assert!(matches!(paid.clone().pay(now, FIRST, None), Paid::Before(_)));
    assert_eq!(paid.clone().pay(now, SECOND, None), Paid::NotPayable);
    assert!(matches!(paid.cancel(now), Err(OrderRefusal::Done(OrderState::Paid { .. }))));
    let canceled = order().cancel(now).expect("awaits payment");
    assert_eq!(canceled.pay(now, FIRST, None), Paid::NotPayable);
    assert_eq!(order().pay(at("2027-02-01T10:00:00Z"), FIRST, None), Paid::NotPayable);
}

#[test]
fn a_consumer_who_keeps_the_right_of_withdrawal_is_supplied_after_14_days() {
    let now = at("2027-01-31T11:00:02Z");
    let consumer = CreditOrder { withdrawable: true, ..order() };
    let supply = |consent| match paying(consumer.clone(), FIRST, consent).pay(now, FIRST, None) {
        Paid::Now(CreditOrder { state: OrderState::Paid { supply, .. }, .. }) => supply,
        Paid::Now(_) | Paid::Before(_) | Paid::NotPayable => panic!("the order is payable"),
    };
    assert_eq!(supply(Consent::ImmediateSupply), now);
    assert_eq!(supply(Consent::NotGiven), at("2027-02-14T11:00:02Z"));
}

#[test]
fn consent_is_recorded_with_its_instant_and_only_where_it_means_something() {
    let consumer = CreditOrder { withdrawable: true, ..order() };
    let asked = paying(consumer, FIRST, Consent::ImmediateSupply);
    assert_eq!(asked.supply_requested, Some(at("2027-01-31T11:00:00Z")));
    assert_eq!(paying(order(), FIRST, Consent::ImmediateSupply).supply_requested, None);
}

/// R6.4: who pays gives up the right of withdrawal, nobody does it for them.
#[test]
fn consent_belongs_to_the_attempt_that_pays() {
    let now = at("2027-01-31T11:00:02Z");
    let consumer = CreditOrder { withdrawable: true, ..order() };
    let tried = paying(paying(consumer.clone(), FIRST, Consent::ImmediateSupply), SECOND, Consent::NotGiven);
    let offered = paying(paying(consumer, FIRST, Consent::NotGiven), SECOND, Consent::ImmediateSupply);
    for (waiting, payment) in [(tried, SECOND), (offered, FIRST)] {
        let Paid::Now(paid) = waiting.pay(now, payment, None) else { panic!("the order is payable") };
        assert_eq!(paid.supply_requested, None);
        let OrderState::Paid { supply, .. } = paid.state else { panic!("the order is paid") };
        assert_eq!(supply, at("2027-02-14T11:00:02Z"));
    }
}

#[test]
fn a_supplied_order_keeps_its_lot() {
    let now = at("2027-01-31T11:00:02Z");
    let Paid::Now(paid) = paying(order(), FIRST, Consent::NotGiven).pay(now, FIRST, None) else {
        panic!("the order is payable")
    };
    let supplied = paid.supplied(now, CreditId::from_u128(1)).supplied(now, CreditId::from_u128(2));
    assert_eq!(
        supplied.state,
        OrderState::Paid { paid: now, supply: now, lot: Some(CreditId::from_u128(1)) }
    );
}

#[test]
fn a_link_is_the_same_every_time_and_another_for_every_order() {
    let key = ServerKey::try_new(vec![5; 32]).expect("long enough");
    let links = PaymentLinks::new(&key, "https://pay.example.com/");
    let url = links.url(AccountId::from_u128(1), OrderId::from_u128(1));
    assert!(url.starts_with("https://pay.example.com/pay/"), "{url}");
    assert_eq!(url, links.url(AccountId::from_u128(1), OrderId::from_u128(1)));
    assert_ne!(url, links.url(AccountId::from_u128(1), OrderId::from_u128(2)));
}

#[test]
fn a_number_has_a_year_and_readable_characters() {
    let id = OrderId::generate(at("2027-01-31T10:00:00Z"));
    let number = number(id, at("2027-01-31T10:00:00Z"));
    assert!(number.starts_with("CO-2027-"), "{number}");
    assert_eq!(number.len(), 17);
}

/// R6.4: until the lot is issued, and not by whoever asked for it at once.
#[test]
fn a_withdrawal_is_for_those_who_wait_for_their_lot() {
    let now = at("2027-01-31T10:00:00Z");
    let paid = |order: CreditOrder, consent| match paying(order, FIRST, consent).pay(now, FIRST, None) {
        Paid::Now(paid) => paid,
        Paid::Before(_) | Paid::NotPayable => panic!("the order is payable"),
    };
    let consumer = || CreditOrder { withdrawable: true, ..order() };
    let waiting = paid(consumer(), Consent::NotGiven);
    let end = now.plus_days(WITHDRAWAL_DAYS);
    assert_eq!(waiting.withdrawable_until(now), Some(end));
    assert!(waiting.clone().withdraw(end).is_none(), "the 14 days are over");
    let withdrawn = waiting.clone().withdraw(now.plus_days(13)).expect("in time");
    assert!(matches!(withdrawn.state, OrderState::Withdrawn { .. }));
    assert!(withdrawn.clone().withdraw(now.plus_days(13)).is_none());
    assert_eq!(withdrawn.clone().pay(now, SECOND, None), Paid::NotPayable);
    let supplied = waiting.supplied(end, CreditId::from_u128(9));
    assert!(supplied.withdraw(now).is_none());
    assert!(paid(consumer(), Consent::ImmediateSupply).withdraw(now).is_none());
    assert!(paid(order(), Consent::NotGiven).withdraw(now).is_none(), "a company has no such right");
    assert!(consumer().withdraw(now).is_none(), "not paid");
}
