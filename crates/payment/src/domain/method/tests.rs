use super::*;

fn at(second: u64) -> Instant {
    Instant::midnight(2026, 1, 1).expect("a day").plus_seconds(second)
}

fn account() -> AccountId {
    AccountId::generate(at(0))
}

fn card() -> PaymentMethod {
    PaymentMethod::creating(account(), MethodKind::Card, "mine".into(), "token".into(), at(0))
}

fn details() -> MethodDetails {
    let expiry = Some(CardExpiry { year: 2026, month: 2 });
    MethodDetails { masked: "VISA **** 4242".into(), expiry, three_d_secure: true, country: None }
}

fn valid() -> Registration {
    Registration::Valid { reference: "ref".into(), details: details() }
}

fn action() -> Registration {
    let details = MethodDetails { three_d_secure: false, ..details() };
    Registration::ActionRequired { reference: None, url: "https://provider/1".into(), details }
}

fn validating() -> PaymentMethod {
    let MethodNews::Waiting(method) = card().learn(action(), at(1)) else {
        panic!("the customer has to act")
    };
    method
}

fn became_valid() -> PaymentMethod {
    let MethodNews::BecameValid(method) = validating().learn(valid(), at(2)) else {
        panic!("the customer acted")
    };
    method
}

#[test]
fn a_card_is_created_validated_and_valid() {
    assert_eq!(card().state.as_str(), "CREATING");
    assert_eq!(card().chargeable(), None);
    assert_eq!(validating().state.as_str(), "VALIDATING");
    assert!(!validating().may_pay_first(), "3-D Secure is not passed yet");
    let method = became_valid();
    assert_eq!((method.state.clone(), method.chargeable()), (MethodState::Valid, Some("ref")));
    assert!(method.may_pay_first());
    assert_eq!(method.version, 3);
}

#[test]
fn a_customer_who_is_not_done_changes_nothing_but_the_next_look() {
    let MethodNews::Waiting(later) = validating().learn(action(), at(5)) else { panic!("still waiting") };
    assert_eq!(later.version, validating().version);
    assert_eq!(later.state.watch().map(|watch| watch.looks), Some(1));
}

#[test]
fn what_is_finished_learns_nothing() {
    let rejected = Registration::Rejected { code: "stolen".into() };
    assert_eq!(became_valid().learn(rejected.clone(), at(9)).kind(), "settled");
    let MethodNews::Refused(method) = card().learn(rejected, at(1)) else { panic!("refused") };
    assert_eq!(method.state.as_str(), "REJECTED");
    assert_eq!(method.learn(valid(), at(2)).kind(), "settled");
}

#[test]
fn only_a_card_that_passed_three_d_secure_may_pay_first() {
    let mut method = became_valid();
    method.kind = MethodKind::Paypal;
    assert!(!method.may_pay_first());
}

#[test]
fn a_card_expires_with_the_end_of_its_last_month() {
    let last = Instant::midnight(2026, 3, 1).expect("a day").minus(std::time::Duration::from_micros(1));
    assert_eq!(became_valid().expired(last), None);
    let over = Instant::midnight(2026, 3, 1).expect("a day");
    assert_eq!(became_valid().expired(over).map(|method| method.state), Some(MethodState::Expired));
    assert_eq!(card().expired(over), None, "what is not VALID does not expire");
    assert_eq!(CardExpiry { year: 2026, month: 12 }.end(), Instant::midnight(2027, 1, 1).expect("a day"));
}

impl MethodNews {
    fn kind(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::BecameValid(_) => "became valid",
            Self::Refused(_) => "refused",
            Self::Renewed(_) => "renewed",
            Self::Revoked(_) => "revoked",
            Self::Settled(_) => "settled",
        }
    }
}
