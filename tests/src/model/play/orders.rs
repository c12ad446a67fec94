//! Credit orders: placed, paid in every way, given up, withdrawn from.

use florin_api::{
    credit::v1::{
        CancelCreditOrderRequest, CreateCreditOrderRequest, CreditOrder, GetCreditOrderRequest,
        PayCreditOrderRequest, PaymentLinkSource, WithdrawCreditOrderRequest, credit_order,
        pay_credit_order_request::Source,
    },
    payment::v1::payment,
    sandbox::v1::ApprovePaymentRequest,
};
use futures::future::join_all;
use tonic::Code;

use super::{World, instant, race, refused, send};
use crate::{
    acts::euros,
    florin::refusal,
    model::{
        act::{Paying, Sent},
        books::{Bought, Life, Order, days_later},
    },
};

/// Who has no consent waits so long for the credit (R6.4).
const WITHDRAWAL_DAYS: u64 = 14;

impl World {
    pub(super) async fn order(&mut self, account: usize, project: usize, units: i64, sent: Sent) {
        let player = &self.players[account];
        let order = CreditOrder {
            project: self.books[account].projects[project].name.clone(),
            amount: Some(euros(units)),
            ..Default::default()
        };
        let request = CreateCreditOrderRequest {
            parent: player.customer.account.clone(),
            credit_order: Some(order),
            request_id: self.request_id(),
            ..Default::default()
        };
        let caller = &self.players[account].customer.caller;
        let order =
            send(sent, || async { caller.credit_orders().create_credit_order(request.clone()).await });
        let order = order.await;
        if self.books[account].projects[project].life != Life::Active {
            return refused(order, "PROJECT_NOT_LIVE");
        }
        let order = order.expect("the order is placed");
        self.books[account].orders.push(Order {
            token: order.payment_link.rsplit('/').next().unwrap_or_default().to_owned(),
            name: order.name,
            project,
            net: units * 100,
            expires: instant(order.expire_time.as_ref()),
            state: Bought::Open,
            paid: None,
            payment: String::new(),
            lots: Vec::new(),
            disputes: Vec::new(),
            credited: 0,
        });
    }

    pub(super) async fn pay(&mut self, account: usize, order: usize, how: Paying, consent: bool, sent: Sent) {
        let (caller, card) = (&self.players[account].customer.caller, &self.players[account].card);
        let known = self.books[account].orders[order].clone();
        let is_payable = known.state == Bought::Open && self.now < known.expires;
        let link = |card: &str| {
            let (token, provider_token) = (known.token.clone(), card.to_owned());
            Source::PaymentLink(PaymentLinkSource { token, provider_token })
        };
        let request = |source, request_id| PayCreditOrderRequest {
            name: known.name.clone(),
            source: Some(source),
            immediate_supply_consent: consent,
            request_id,
            ..Default::default()
        };
        self.requests += 1;
        let id = |client: usize| format!("payment-{}-{client}", self.requests);
        let first = id(0);
        let answer = match how {
            Paying::Method => {
                let request = request(Source::PaymentMethod(card.clone()), first);
                send(sent, || async { caller.credit_orders().pay_credit_order(request.clone()).await }).await
            }
            Paying::Link | Paying::LinkDeclined | Paying::LinkConfirmed(_) => {
                let card = match how {
                    Paying::LinkDeclined => "card-declined-soft",
                    Paying::LinkConfirmed(_) => "card-approved",
                    Paying::Link | Paying::Method | Paying::Race(_) => "card-frictionless",
                };
                let (request, caller) = (request(link(card), first), &self.florin.anonymous);
                send(sent, || async { caller.credit_orders().pay_credit_order(request.clone()).await }).await
            }
            Paying::Race(clients) => {
                let requests =
                    (0..clients).map(|client| request(Source::PaymentMethod(card.clone()), id(client)));
                let pay = |request| async move { caller.credit_orders().pay_credit_order(request).await };
                let mut won = race(requests, pay).await.into_iter();
                let first = won.next().expect("somebody raced");
                won.fold(first, |best, next| if best.is_ok() { best } else { next })
            }
        };
        if !is_payable {
            let (code, reason) = refusal(&answer.expect_err("it cannot be paid"));
            assert_eq!(code, Code::FailedPrecondition, "{reason}");
            return;
        }
        let payment = answer.expect("it can be paid").payment.expect("a payment was made");
        if let Paying::LinkConfirmed(clients) = how {
            assert_eq!(payment.state(), payment::State::ActionRequired);
            self.confirm(&payment.name, clients).await;
        }
        let paid = self.read_order(account, &known.name).await;
        if how == Paying::LinkDeclined {
            assert_eq!(paid.state(), credit_order::State::AwaitingPayment);
            return;
        }
        assert_eq!(paid.state(), credit_order::State::Paid, "{how:?}");
        let at = instant(paid.pay_time.as_ref());
        let known = &mut self.books[account].orders[order];
        known.paid = Some(at);
        known.payment = paid.payment;
        if consent {
            self.books[account].supply(order, at, Some(paid.credit));
        } else {
            assert_eq!(paid.credit, "", "who may withdraw waits (R6.4)");
            known.state = Bought::Waits(days_later(at, WITHDRAWAL_DAYS));
        }
    }

    /// The 3-D Secure step is confirmed by so many at once: at least one is heard.
    async fn confirm(&self, payment: &str, clients: usize) {
        let approve = ApprovePaymentRequest { name: payment.to_owned(), ..Default::default() };
        let all = (0..clients).map(|_| {
            let approve = approve.clone();
            async move { self.florin.operator.payment_outcomes().approve_payment(approve).await }
        });
        let answers = join_all(all).await;
        assert!(answers.iter().any(Result::is_ok), "somebody is heard: {answers:?}");
    }

    pub(super) async fn cancel(&mut self, account: usize, order: usize, sent: Sent) {
        let request_id = self.request_id();
        let known = &mut self.books[account].orders[order];
        let request = CancelCreditOrderRequest { name: known.name.clone(), request_id, ..Default::default() };
        let caller = &self.players[account].customer.caller;
        let answer =
            send(sent, || async { caller.credit_orders().cancel_credit_order(request.clone()).await });
        let answer = answer.await;
        if known.state == Bought::Open && self.now < known.expires {
            assert_eq!(answer.expect("it can be canceled").state(), credit_order::State::Canceled);
            known.state = Bought::Canceled;
        } else {
            assert_eq!(answer.expect_err("it cannot be canceled").code(), Code::FailedPrecondition);
        }
    }

    pub(super) async fn withdraw(&mut self, account: usize, order: usize, sent: Sent) {
        let request_id = self.request_id();
        let known = &mut self.books[account].orders[order];
        let request =
            WithdrawCreditOrderRequest { name: known.name.clone(), request_id, ..Default::default() };
        let caller = &self.players[account].customer.caller;
        let answer =
            send(sent, || async { caller.credit_orders().withdraw_credit_order(request.clone()).await });
        let answer = answer.await;
        match known.state {
            Bought::Waits(supply) if self.now < supply => {
                assert_eq!(answer.expect("there is time").state(), credit_order::State::Withdrawn);
                known.state = Bought::Withdrawn;
            }
            Bought::Open | Bought::Canceled | Bought::Supplied | Bought::Waits(_) | Bought::Withdrawn => {
                refused(answer, "ORDER_NOT_WITHDRAWABLE");
            }
        }
    }

    async fn read_order(&self, account: usize, name: &str) -> CreditOrder {
        let request = GetCreditOrderRequest { name: name.to_owned() };
        let caller = &self.players[account].customer.caller;
        caller.credit_orders().get_credit_order(request).await.expect("the order").into_inner()
    }
}
