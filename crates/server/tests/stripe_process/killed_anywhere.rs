//! The server is killed again and again at random instants, while customers buy and never give up.
//!
//! `FLORIN_TEST_SCALE` multiplies how often; `FLORIN_TEST_SEED` chooses the instants anew.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use florin_api::{
    credit::v1::{CreditOrder, PayCreditOrderResponse, credit_order},
    payment::v1::payment,
};
use florin_peer::Fault;
use florin_server::client::Caller;
use florin_testbed::on_both_backends;
use tokio::{sync::watch, task::JoinHandle};
use tonic::{Code, Status};

use crate::{
    books::{Books, numbered_without_a_gap},
    shop::{Buyer, Shop, pay},
    standstill::time_passes,
};

const KILLS: usize = 6;
const CUSTOMERS: usize = 3;
/// The longest a server lives, in milliseconds from when it answers.
const LIFE_MAX: u64 = 500;
const PAUSE: Duration = Duration::from_millis(20);
/// So much everybody buys at least, however slow the servers are.
const BOUGHT_MIN: usize = 2;
/// So often a customer asks for one thing: nobody is that patient.
const ASKED_MAX: usize = 2000;

#[expect(clippy::disallowed_methods, reason = "tests read their scale and seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Says which seed failed, whatever panicked.
struct Seed(u64);

impl Drop for Seed {
    #[expect(clippy::print_stderr, reason = "a failed test says how to see it fail again")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay with FLORIN_TEST_SEED={}", self.0);
        }
    }
}

/// What was acknowledged to a customer, in the order in which it was.
#[derive(Debug, Default)]
struct Journal {
    orders: Vec<CreditOrder>,
    paid: Vec<PayCreditOrderResponse>,
}

/// Asks until there is an answer. A dead server is no answer; a refusal is one, and wrong here.
async fn insist<T, Asking: Future<Output = Result<T, Status>>>(
    server: &watch::Receiver<Caller>,
    ask: impl Fn(Caller) -> Asking,
) -> T {
    for _ in 0..ASKED_MAX {
        let caller = server.borrow().clone();
        match ask(caller).await {
            Ok(answer) => return answer,
            Err(status) if is_nobody(&status) => tokio::time::sleep(PAUSE).await,
            Err(status) => panic!("refused: {status:?}"),
        }
    }
    panic!("nobody answers");
}

/// That there was nobody to answer, or not to the end.
fn is_nobody(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
}

/// Buys until told to stop, and something at least; what was begun is brought to its end.
async fn buy(buyer: Buyer, server: watch::Receiver<Caller>, stop: Arc<AtomicBool>) -> Journal {
    let mut journal = Journal::default();
    while !stop.load(Ordering::SeqCst) || journal.paid.len() < BOUGHT_MIN {
        let ordering = buyer.ordering(&format!("order-{}", journal.orders.len()));
        let order = insist(&server, |caller| {
            let (caller, request) = (buyer.customer.calling(&caller), ordering.clone());
            async move { Ok(caller.credit_orders().create_credit_order(request).await?.into_inner()) }
        });
        let order = order.await;
        journal.orders.push(order.clone());
        let paid = insist(&server, |caller| pay(buyer.customer.calling(&caller), buyer.paying(&order))).await;
        journal.paid.push(paid);
    }
    journal
}

/// What was acknowledged is there, and is answered again to who asks again.
async fn say_kept(shop: &Shop<'_>, buyer: &Buyer, journal: &Journal, books: &Books) {
    assert_eq!(journal.orders.len(), journal.paid.len());
    assert_eq!(
        journal.orders.iter().map(|order| &order.name).collect::<Vec<_>>(),
        books.orders.iter().map(|order| &order.name).collect::<Vec<_>>()
    );
    for (number, (order, paid)) in journal.orders.iter().zip(&journal.paid).enumerate() {
        let payment = paid.payment.as_ref().unwrap();
        assert_eq!(payment.reference, order.name);
        let found = books.payments.iter().find(|found| found.name == payment.name).unwrap();
        if payment.state() == payment::State::Succeeded {
            assert_eq!(found, payment);
            assert_eq!(paid.credit_order.as_ref().unwrap().state(), credit_order::State::Paid);
        } else {
            // The answer of the provider was lost, and came later.
            assert_eq!(payment.state(), payment::State::Processing, "{payment:?}");
            assert_eq!(found.state(), payment::State::Succeeded);
        }
        assert_eq!(pay(shop.caller(&buyer.customer), buyer.paying(order)).await.unwrap(), *paid);
        let ordering = buyer.ordering(&format!("order-{number}"));
        let again = shop.caller(&buyer.customer).credit_orders().create_credit_order(ordering).await.unwrap();
        assert_eq!(again.into_inner(), *order);
    }
}

on_both_backends! {
    /// R6.3, R6.4, R12.3
    async fn killed_anywhere_every_order_is_paid_once_and_what_was_acknowledged_stays(db: TestDatabase) {
        let seed = Seed(number("FLORIN_TEST_SEED").unwrap_or(1));
        let mut random = fastrand::Rng::with_seed(seed.0);
        let mut shop = Shop::open(&db).await;
        let mut buyers = Vec::new();
        for name in 0..CUSTOMERS {
            buyers.push(shop.buyer(&format!("customer{name}")).await);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (told, server) = watch::channel(shop.anonymous());
        let buying: Vec<JoinHandle<Journal>> = buyers
            .iter()
            .map(|buyer| tokio::spawn(buy(buyer.clone(), server.clone(), stop.clone())))
            .collect();
        for _ in 0..KILLS * usize::try_from(number("FLORIN_TEST_SCALE").unwrap_or(1)).unwrap() {
            match random.u8(..4) {
                0 => shop.peer.next(Fault::LoseAnswer),
                1 => shop.peer.next(Fault::LoseQuestion),
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(random.u64(..LIFE_MAX))).await;
            shop.kill();
            time_passes(&db).await;
            shop.restart().await;
            told.send(shop.anonymous()).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        let mut bought = 0;
        for (buyer, journal) in buyers.iter().zip(buying) {
            let journal = journal.await.unwrap();
            bought += journal.paid.len();
            let books = Books::settled(&shop, &buyer.customer).await;
            books.say_bought(journal.paid.len());
            say_kept(&shop, buyer, &journal, &books).await;
            Books::of(&shop, &buyer.customer).await.say_bought(journal.paid.len());
        }
        assert_eq!(numbered_without_a_gap(&shop).await, bought);
    }
}
