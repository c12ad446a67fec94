use florin_settlement::Currency;

use super::*;

fn at(second: u64) -> Instant {
    Instant::midnight(2026, 1, 1).expect("a day").plus_seconds(second)
}

fn payment() -> Payment {
    let new = NewPayment {
        amount: Money::new(3600, Currency::parse("EUR").expect("a currency")),
        reference: "accounts/a/creditOrders/o".into(),
        means: Means::OneOff { provider_token: "secret-token".into() },
        initiator: Initiator::Customer,
    };
    Payment::begin(AccountId::generate(at(0)), new, None, at(0))
}

fn automatic(collect: Option<Instant>) -> Payment {
    let new = NewPayment {
        amount: Money::new(3600, Currency::EUR),
        reference: "accounts/a/invoices/i".into(),
        means: Means::Method(PaymentMethodId::generate(at(0))),
        initiator: Initiator::Merchant,
    };
    Payment::begin(AccountId::generate(at(0)), new, collect, at(0))
}

fn waiting(payment: Payment, outcome: ChargeOutcome) -> Payment {
    let PaymentNews::Waiting(payment) = payment.learn(outcome, at(1)) else { panic!("it is still open") };
    payment
}

fn action() -> ChargeOutcome {
    ChargeOutcome::ActionRequired { url: "https://provider/1".into() }
}

fn finals() -> [ChargeOutcome; 3] {
    let code = || "insufficient_funds".to_owned();
    [
        ChargeOutcome::Succeeded,
        ChargeOutcome::DeclinedSoft { code: code() },
        ChargeOutcome::DeclinedFinal { code: code() },
    ]
}

#[test]
fn every_open_state_can_end_in_every_final_one() {
    let open = [payment(), waiting(payment(), action()), waiting(payment(), ChargeOutcome::Pending)];
    for payment in open {
        for outcome in finals() {
            let (state, news) = match payment.clone().learn(outcome, at(9)) {
                PaymentNews::Succeeded(payment) => (payment.state, "SUCCEEDED"),
                PaymentNews::Declined(payment) => (payment.state, "DECLINED"),
                PaymentNews::Waiting(_) | PaymentNews::Settled(_) => panic!("it became final"),
            };
            assert_eq!(state.as_str(), news);
            assert_eq!(state.settled(), Some(at(9)));
            assert_eq!(state.watch(), None);
        }
    }
}

#[test]
fn a_final_outcome_stays_whatever_comes_later() {
    for first in finals() {
        let settled = match payment().learn(first, at(1)) {
            PaymentNews::Succeeded(payment) | PaymentNews::Declined(payment) => payment,
            PaymentNews::Waiting(_) | PaymentNews::Settled(_) => panic!("it became final"),
        };
        for later in finals().into_iter().chain([ChargeOutcome::Pending, action()]) {
            assert_eq!(settled.clone().learn(later, at(2)), PaymentNews::Settled(settled.clone()));
        }
        assert_eq!(settled.clone().unanswered(at(3)), settled);
    }
}

#[test]
fn a_pending_bank_debit_is_looked_at_each_day() {
    let pending = waiting(payment(), ChargeOutcome::Pending);
    assert_eq!(pending.state.watch().map(|watch| watch.next), Some(at(1).plus_days(1)));
    let later = waiting(pending, ChargeOutcome::Pending);
    assert_eq!(later.state.watch().map(|watch| watch.looks), Some(1));
}

#[test]
fn a_lost_answer_leaves_the_payment_processing() {
    let later = payment().unanswered(at(30));
    assert_eq!(later.state.as_str(), "PROCESSING");
    assert_eq!(later.state.watch().map(|watch| watch.next), Some(at(90)));
}

#[test]
fn only_captured_money_can_go_back() {
    let open = payment();
    assert_eq!(open.clone().gave_back(open.amount, at(5)), open);
    let PaymentNews::Succeeded(paid) = payment().learn(ChargeOutcome::Succeeded, at(1)) else {
        panic!("paid")
    };
    let part = paid.clone().gave_back(Money::new(1200, Currency::EUR), at(5));
    assert_eq!((part.state.as_str(), part.refunded.minor()), ("SUCCEEDED", 1200));
    let back = part.gave_back(Money::new(2400, Currency::EUR), at(6));
    assert_eq!(back.state, PaymentState::Refunded { settled: at(1) });
}

#[test]
fn what_has_to_be_announced_is_scheduled_whoever_initiates_it() {
    let debit = automatic(Some(at(86_400)));
    assert_eq!((debit.state.as_str(), debit.scheduled()), ("SCHEDULED", Some(at(86_400))));
    assert_eq!(debit.state.watch().map(|watch| watch.next), Some(at(86_400)));
    assert_eq!(automatic(None).scheduled(), Some(at(0)), "a card is due at once");
    assert_eq!(payment().scheduled(), None, "a customer who is there does not wait");
    let released = debit.released(at(86_400));
    assert_eq!(released.state.as_str(), "PROCESSING");
    assert_eq!(released.clone().released(at(86_500)), released);
}

#[test]
fn an_action_asked_for_before_the_debit_was_accepted_does_not_come_back() {
    let pending = waiting(payment(), ChargeOutcome::Pending);
    let later = waiting(pending, action());
    assert_eq!(later.state.as_str(), "PENDING");
}

#[test]
fn a_token_is_never_printed() {
    assert!(!format!("{:?}", payment()).contains("secret-token"));
}
