//! The server is killed around what follows a charge: 3-D Secure, a notice of the provider, money that goes back.

use florin_api::{
    credit::v1::{CreditOrder, PayCreditOrderRequest, PayCreditOrderResponse, credit_order},
    payment::v1::payment,
};
use florin_peer::{Fault, Signed};
use florin_testbed::on_both_backends;

use crate::{
    books::{Books, numbered_without_a_gap},
    server::push,
    shop::{Buyer, Shop, pay, paying_by_link},
    standstill::{Standstill, time_passes},
};

/// A card that asks for 3-D Secure at the link.
const ASKS: &str = "pm_card_authenticationRequired";
/// A notice is delivered so often at once.
const DELIVERIES: usize = 3;

/// An order somebody pays at its link, who has to act now.
struct Waiting {
    order: CreditOrder,
    request: PayCreditOrderRequest,
    answer: PayCreditOrderResponse,
}

impl Waiting {
    fn payment(&self) -> &str {
        &self.answer.payment.as_ref().unwrap().name
    }
}

async fn waiting(shop: &Shop<'_>, buyer: &Buyer) -> Waiting {
    let order = shop.order(buyer).await;
    let request = paying_by_link(&order, ASKS);
    let answer = pay(shop.anonymous(), request.clone()).await.unwrap();
    assert_eq!(answer.payment.as_ref().unwrap().state(), payment::State::ActionRequired);
    Waiting { order, request, answer }
}

/// Lets time pass, so that the job comes to what suffers `fault`, and kills the server there.
async fn kill_at(shop: &mut Shop<'_>, fault: Fault) {
    shop.peer.next(fault);
    time_passes(shop.db).await;
    shop.peer.suffered().await;
    shop.kill();
    time_passes(shop.db).await;
}

/// Delivers `events` several times at once; all are taken.
async fn deliver_again_and_again(shop: &Shop<'_>, events: &[Signed]) {
    let all = (0..DELIVERIES).flat_map(|_| events).map(|event| shop.server.push(event));
    assert!(futures::future::join_all(all).await.iter().all(|status| *status == 200));
}

on_both_backends! {
    /// The customer comes back from their bank while there is no server; capturing is killed twice.
    async fn killed_around_three_d_secure_money_is_captured_once(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let waiting = waiting(&shop, &ada).await;
        shop.kill();
        shop.peer.approve(&shop.charge_of(waiting.payment()));

        shop.restart().await;
        kill_at(&mut shop, Fault::NeverDo).await;
        shop.peer.next(Fault::NeverAnswer);
        shop.restart().await;
        shop.peer.suffered().await;
        assert_eq!(Books::of(&shop, &ada.customer).await.credits.len(), 0, "not recorded yet");
        shop.kill();

        shop.restart().await;
        Books::settled(&shop, &ada.customer).await.say_bought(1);
        let replayed = pay(shop.anonymous(), waiting.request.clone()).await.unwrap();
        assert_eq!(replayed, waiting.answer, "what was answered stays the answer");
        Books::settled(&shop, &ada.customer).await.say_bought(1);
        assert_eq!(numbered_without_a_gap(&shop).await, 1);
    }

    /// The provider tells again whoever did not say that it heard.
    async fn killed_while_a_notice_is_taken_in_it_is_taken_in_once(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let waiting = waiting(&shop, &ada).await;
        drop(shop.deliver().await);
        shop.peer.approve(&shop.charge_of(waiting.payment()));
        let events = shop.peer.take_events();

        let standstill = Standstill::begin(&db).await;
        let (url, event) = (shop.server.url().to_owned(), events[0].clone());
        let delivery = tokio::spawn(async move { push(&url, &event).await });
        standstill.awaited().await;
        shop.kill();
        assert_eq!(delivery.await.unwrap(), None, "nobody said that it was heard");
        standstill.end().await;
        shop.restart().await;
        let books = Books::of(&shop, &ada.customer).await;
        assert_eq!(books.orders[0].state(), credit_order::State::Processing);
        assert_eq!((books.moved.charges, books.credits.len()), (1, 0));

        deliver_again_and_again(&shop, &events).await;
        Books::of(&shop, &ada.customer).await.say_bought(1);
        let rest = shop.peer.take_events();
        deliver_again_and_again(&shop, &rest).await;
        Books::settled(&shop, &ada.customer).await.say_bought(1);
        assert_eq!(numbered_without_a_gap(&shop).await, 1);
    }

    /// R6.3: money for an order that is paid already goes back, wherever the server is killed on the way.
    async fn killed_while_money_goes_back_it_goes_back_once(db: TestDatabase) {
        let mut shop = Shop::open(&db).await;
        let ada = shop.buyer("ada").await;
        let waiting = waiting(&shop, &ada).await;
        let paid = pay(shop.caller(&ada.customer), ada.paying(&waiting.order)).await.unwrap();
        assert_eq!(paid.credit_order.unwrap().state(), credit_order::State::Paid);
        shop.peer.approve(&shop.charge_of(waiting.payment()));

        // It is captured first; the refund is never made.
        shop.peer.next(Fault::HoldAnswer);
        shop.peer.let_go();
        kill_at(&mut shop, Fault::NeverDo).await;
        // It is made, and nobody hears of it.
        shop.peer.next(Fault::NeverAnswer);
        shop.restart().await;
        shop.peer.suffered().await;
        shop.kill();

        shop.restart().await;
        let books = Books::settled(&shop, &ada.customer).await;
        books.say_bought_and_given_back(1, 1);
        books.only_payment(&waiting.order, payment::State::Refunded);
        let events = shop.peer.take_events();
        deliver_again_and_again(&shop, &events).await;
        Books::settled(&shop, &ada.customer).await.say_bought_and_given_back(1, 1);
        assert_eq!(numbered_without_a_gap(&shop).await, 1);
    }
}
