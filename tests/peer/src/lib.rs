//! A payment provider that speaks Stripe's API over HTTP, and does as a test tells it.
//!
//! It knows nothing of Florin: it answers requests as Stripe publishes them, keeps books of its own, and pushes
//! signed events. What it answers has Stripe's shapes ([`shapes`]), and what it is asked is held against Stripe's
//! parameters.
//!
//! | a test may | with |
//! |---|---|
//! | choose what a card, an IBAN or a PayPal account does | a documented token: [`means`] |
//! | play the customer and the bank | [`Peer::approve`], [`Peer::decline`] |
//! | take captured money back, and decide the dispute | [`Peer::dispute`], [`Peer::decide_dispute`] |
//! | renew a card, revoke a mandate | [`Peer::renew_card`], [`Peer::revoke_mandate`] |
//! | lose a question or an answer, or hold it back | [`Peer::next`], [`Fault`], [`Peer::let_go`] |
//! | deliver events late, twice, in any order, forged | [`Peer::take_events`], [`Peer::sign`], [`Peer::push_to`] |
//! | move the clock | [`Peer::set_now`] |
//! | read what moved | [`Peer::moved`], [`Peer::asked`] |

mod answer;
mod books;
mod event;
mod form;
mod intents;
pub mod means;
mod money;
mod server;
mod setups;
pub mod shapes;

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Notify, Semaphore},
    task::JoinHandle,
};

use books::Books;
pub use event::Signed;

/// What happens to the next request that changes something.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It does not arrive: nothing is done, and the connection breaks.
    LoseQuestion,
    /// It arrives and is done, and the connection breaks before the answer.
    LoseAnswer,
    /// It arrives and is never done, and never answered.
    NeverDo,
    /// It arrives and is done, and never answered.
    NeverAnswer,
    /// It arrives and is done, and the answer waits until it is let go: [`Peer::let_go`].
    HoldAnswer,
    /// Nothing is done; the answer is this HTTP status.
    Status(u16),
}

/// What moved for one payment, in the smallest unit of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many charges succeeded.
    pub charges: usize,
    /// What they captured.
    pub captured: i64,
    /// What was given back, disputes apart.
    pub refunded: i64,
}

/// A running peer.
#[derive(Debug)]
pub struct Peer {
    url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

/// What requests and tests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) books: Mutex<Books>,
    /// Told whenever an event is written or a request arrives.
    pub(crate) stirred: Notify,
    /// As many held answers as may go.
    pub(crate) released: Semaphore,
}

impl State {
    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("nobody panics while keeping the books")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// A peer on a port of its own that knows one account, by its secret key, and signs with `webhook_secret`.
    pub async fn start(secret_key: &str, webhook_secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let books = Mutex::new(Books::new(&url, secret_key, webhook_secret));
        let state = Arc::new(State { books, stirred: Notify::new(), released: Semaphore::new(0) });
        let router = server::router(state.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the peer serves");
        });
        Self { url, state, task }
    }

    /// Where it listens: the base of its addresses.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// It is now this many seconds after 1970, and stays so.
    pub fn set_now(&self, seconds: i64) {
        self.state.books().now = Some(seconds);
    }

    /// The next request that changes something suffers this.
    pub fn next(&self, fault: Fault) {
        self.state.books().faults.push_back(fault);
    }

    /// Waits until `done` says yes of the books.
    async fn until(&self, mut done: impl FnMut(&Books) -> bool) {
        loop {
            let stirred = self.state.stirred.notified();
            if done(&self.state.books()) {
                return;
            }
            stirred.await;
        }
    }

    /// Waits until no fault is left: the last one has been suffered.
    pub async fn suffered(&self) {
        self.until(|books| books.faults.is_empty()).await;
    }

    /// One answer that is held back, or will be, goes its way.
    pub fn let_go(&self) {
        self.state.released.add_permits(1);
    }

    /// The customer, or the bank, lets an intent (`pi_…` or `seti_…`) succeed. Who is not awaited changes nothing.
    pub fn approve(&self, intent: &str) {
        self.decide(intent, None);
    }

    /// They do not, with this code.
    pub fn decline(&self, intent: &str, code: &str) {
        self.decide(intent, Some(code));
    }

    fn decide(&self, intent: &str, code: Option<&str>) {
        let mut books = self.state.books();
        if intent.starts_with("seti_") {
            books.decide_setup(intent, code);
        } else {
            books.decide_payment(intent, code);
        }
        self.stirred(books);
    }

    /// The payer's bank takes `amount` of a captured payment back: a chargeback if it `can_be_won`, a debit that
    /// bounced otherwise. The dispute's id.
    #[must_use]
    pub fn dispute(&self, intent: &str, amount: i64, can_be_won: bool) -> String {
        let mut books = self.state.books();
        let dispute = books.open_dispute(intent, amount, can_be_won);
        self.stirred(books);
        dispute
    }

    /// The newest dispute of a payment is decided.
    pub fn decide_dispute(&self, intent: &str, won: bool) {
        let mut books = self.state.books();
        books.close_dispute(intent, won);
        self.stirred(books);
    }

    /// The network tells of a card's new date.
    pub fn renew_card(&self, method: &str, year: i32, month: u32) {
        let mut books = self.state.books();
        books.renew_card(method, year, month);
        self.stirred(books);
    }

    /// The bank tells that a mandate is over.
    pub fn revoke_mandate(&self, method: &str) {
        let mut books = self.state.books();
        books.revoke_mandate(method);
        self.stirred(books);
    }

    fn stirred(&self, books: MutexGuard<'_, Books>) {
        drop(books);
        self.state.stirred.notify_waiters();
    }

    /// The payment or setup intent that carries this metadata, if there is exactly one.
    #[must_use]
    pub fn intent_with(&self, key: &str, value: &str) -> Option<String> {
        let books = self.state.books();
        let mut found = books.intents_with(key, value);
        let first = found.next()?;
        assert!(found.next().is_none(), "more than one intent has {key}={value}");
        Some(first)
    }

    /// An object as it is now, by its id.
    #[must_use]
    pub fn object(&self, id: &str) -> Option<Value> {
        self.state.books().object(id)
    }

    /// Every object and every event there is.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        self.state.books().everything()
    }

    /// What moved for all payments that carry this metadata.
    #[must_use]
    pub fn moved(&self, key: &str, value: &str) -> Moved {
        self.state.books().moved(key, value)
    }

    /// Every request that arrived, as `POST /v1/refunds`, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.state.books().asked.clone()
    }

    /// The events since this was last called, oldest first, signed now. Those pushed somewhere are among them.
    #[must_use]
    pub fn take_events(&self) -> Vec<Signed> {
        let mut books = self.state.books();
        let events = std::mem::take(&mut books.untaken);
        events.iter().map(|event| books.signed(event)).collect()
    }

    /// `body` as if the peer had sent it now.
    #[must_use]
    pub fn sign(&self, body: &str) -> Signed {
        self.state.books().sign(body)
    }

    /// From now on events are pushed to `address`, again and again until they are taken.
    pub fn push_to(&self, address: &str) {
        event::push(self.state.clone(), address.to_owned());
    }
}

pub use event::signature;
