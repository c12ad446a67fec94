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
    Payment::begin(AccountId::generate(at(0)), new, at(0))
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
    assert_eq!(open.clone().refunded(at(5)), open);
    let PaymentNews::Succeeded(paid) = payment().learn(ChargeOutcome::Succeeded, at(1)) else {
        panic!("paid")
    };
    let back = paid.refunded(at(5));
    assert_eq!(back.state, PaymentState::Refunded { settled: at(1) });
}

#[test]
fn a_token_is_never_printed() {
    assert!(!format!("{:?}", payment()).contains("secret-token"));
}
