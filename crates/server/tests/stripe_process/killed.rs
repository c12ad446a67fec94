//! The server is killed at each step around a charge, and another one is started (R3.6, R6.4, R12.3).
//!
//! | killed | how it is held there |
//! |---|---|
//! | before the attempt is stored | a standstill |
//! | after that, and before the provider did anything | the peer never does it |
//! | after the provider took the money, before it answered | the peer never answers |
//! | after the answer, before it is recorded | the answer comes in a standstill |
//! | after it is recorded, before the caller hears of it | a wire on which nothing comes back |
//!
//! Whoever comes first goes on: the job, the customer who asks again, the provider's notice, or all of them at once.

use florin_api::{
    credit::v1::{CreditOrder, PayCreditOrderRequest, PayCreditOrderResponse, credit_order},
    payment::v1::payment,
};
use florin_peer::Fault;
use florin_server::client::Caller;
use florin_testbed::on_both_backends;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::{
    books::{Books, numbered_without_a_gap},
    shop::{Buyer, Shop, pay},
    standstill::{Standstill, time_passes},
    wire::Wire,
};

/// Who goes on with what a dead server left.
#[derive(Clone, Copy, Debug)]
enum Finisher {
    Job,
    Customers,
    Notices,
    Everybody,
}

/// An order whose payment got as far as a fault.
struct Held {
    order: CreditOrder,
    request: PayCreditOrderRequest,
    call: JoinHandle<Result<PayCreditOrderResponse, Status>>,
}

impl Held {
    /// The server is dead: who waited for its answer got none.
    async fn unanswered(self) -> PayCreditOrderRequest {
        let answer = self.call.await.unwrap();
        assert!(answer.is_err(), "{answer:?}");
        self.request
    }
}

async fn hold(shop: &Shop<'_>, buyer: &Buyer, fault: Fault) -> Held {
    let order = shop.order(buyer).await;
    let request = buyer.paying(&order);
    shop.peer.next(fault);
    let call = tokio::spawn(pay(shop.caller(&buyer.customer), request.clone()));
    shop.peer.suffered().await;
    Held { order, request, call }
}

fn state_of(books: &Books, order: &CreditOrder) -> credit_order::State {
    books.orders.iter().find(|found| found.name == order.name).unwrap().state()
}

/// Two clients ask again at once, under the request ids they had: one answer each, and it is the same.
async fn ask_again(caller: Caller, requests: &[PayCreditOrderRequest]) {
    for request in requests {
        let (one, other) =
            tokio::join!(pay(caller.clone(), request.clone()), pay(caller.clone(), request.clone()));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(one, other);
        assert_eq!(one.payment.unwrap().state(), payment::State::Succeeded);
        assert_eq!(one.credit_order.unwrap().state(), credit_order::State::Paid);
    }
}

async fn go_on(shop: &Shop<'_>, buyer: &Buyer, finisher: Finisher, requests: &[PayCreditOrderRequest]) {
    let again = ask_again(shop.caller(&buyer.customer), requests);
    match finisher {
        Finisher::Job => time_passes(shop.db).await,
        Finisher::Customers => again.await,
        Finisher::Notices => drop(shop.deliver().await),
        Finisher::Everybody => {
            let deliver = async { drop(shop.deliver().await) };
            tokio::join!(time_passes(shop.db), again, deliver);
        }
    }
}

on_both_backends! {
    async fn killed_while_the_provider_is_asked_money_is_taken_once_whoever_goes_on(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let mut bought = 0;
        for finisher in [Finisher::Job, Finisher::Customers, Finisher::Notices, Finisher::Everybody] {
            let asked = hold(&shop, &ada, Fault::NeverDo).await;
            let acted = hold(&shop, &ada, Fault::NeverAnswer).await;
            shop.kill();
            shop.restart().await;

            let books = Books::of(&shop, &ada.customer).await;
            assert_eq!(books.credits.len(), bought, "no lot before the order is paid");
            for held in [&asked, &acted] {
                assert_eq!(state_of(&books, &held.order), credit_order::State::Processing);
                books.only_payment(&held.order, payment::State::Processing);
            }
            assert_eq!(books.moved.charges, bought + 1, "one was never done");

            let requests = [asked.unanswered().await, acted.unanswered().await];
            Box::pin(go_on(&shop, &ada, finisher, &requests)).await;
            bought += requests.len();
            Books::settled(&shop, &ada.customer).await.say_bought(bought);
            ask_again(shop.caller(&ada.customer), &requests).await;
            Books::of(&shop, &ada.customer).await.say_bought(bought);
        }
        assert_eq!(numbered_without_a_gap(&shop).await, bought);
    }

    async fn killed_between_two_transactions_nothing_is_lost_and_nothing_done_twice(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;

        // Nothing is stored: it did not happen, and can be asked for again.
        let order = shop.order(&ada).await;
        let standstill = Standstill::begin(&db).await;
        let call = tokio::spawn(pay(shop.caller(&ada.customer), ada.paying(&order)));
        standstill.awaited().await;
        shop.kill();
        assert!(call.await.unwrap().is_err());
        standstill.end().await;
        shop.restart().await;
        let books = Books::of(&shop, &ada.customer).await;
        assert_eq!(state_of(&books, &order), credit_order::State::AwaitingPayment);
        assert!(books.payments.is_empty() && books.moved.charges == 0, "{books:#?}");
        ask_again(shop.caller(&ada.customer), &[ada.paying(&order)]).await;
        Books::of(&shop, &ada.customer).await.say_bought(1);

        // The answer has come, and is not recorded.
        let held = hold(&shop, &ada, Fault::HoldAnswer).await;
        let standstill = Standstill::begin(&db).await;
        shop.peer.let_go();
        standstill.awaited().await;
        shop.kill();
        standstill.end().await;
        shop.restart().await;
        let books = Books::of(&shop, &ada.customer).await;
        assert_eq!(state_of(&books, &held.order), credit_order::State::Processing);
        assert_eq!((books.moved.charges, books.credits.len()), (2, 1));
        let request = held.unanswered().await;
        Books::settled(&shop, &ada.customer).await.say_bought(2);
        ask_again(shop.caller(&ada.customer), &[request]).await;
        Books::of(&shop, &ada.customer).await.say_bought(2);
        assert_eq!(numbered_without_a_gap(&shop).await, 2);
    }

    async fn killed_before_the_caller_hears_of_it_the_answer_is_there_when_asked_again(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let order = shop.order(&ada).await;
        let wire = Wire::to(shop.server.url()).await;
        let caller = ada.customer.calling(&Caller::connect(wire.url()).await.unwrap());
        wire.cut();
        let call = tokio::spawn(pay(caller, ada.paying(&order)));
        let is_paid = |books: &Books| state_of(books, &order) == credit_order::State::Paid;
        Books::once(&shop, &ada.customer, is_paid).await;
        assert!(!call.is_finished());
        shop.kill();
        assert!(call.await.unwrap().is_err());
        let mut answers = Vec::new();
        for _ in 0..2 {
            shop.restart().await;
            answers.push(pay(shop.caller(&ada.customer), ada.paying(&order)).await.unwrap());
            shop.kill();
        }
        assert_eq!(answers[0], answers[1]);
        shop.restart().await;
        Books::settled(&shop, &ada.customer).await.say_bought(1);
    }
}
