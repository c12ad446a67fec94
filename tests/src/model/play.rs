//! The same act done to the server and to the model.
//!
//! | part | acts |
//! |---|---|
//! | [`orders`] | ordering credit, paying, giving up, withdrawing |
//! | [`bank`] | disputes, and the debts they leave |
//! | [`gifts`] | vouchers and grants |
//! | [`launches`] | holds, and what is started and stopped |
//! | [`projects`] | projects that begin and end |

use chrono::{TimeDelta, Timelike};
use florin_api::{
    credit::v1::{Campaign, campaign},
    money::Money,
    project::v1::{GetPlanRequest, PlanFamily},
    sandbox::v1::{AdvanceClockRequest, GetClockRequest, advance_clock_request::Target},
};
use futures::future::join_all;
use rust_decimal::Decimal;
use tonic::{Code, Response, Status};

use super::{
    act::{Act, Sent},
    books::{Account, At, Cents, Family, days_later},
};
use crate::florin::{Customer, Florin, refusal};

mod bank;
mod gifts;
mod launches;
mod orders;
mod projects;

const PLANS: [(Family, &str); 2] =
    [(Family::Instance, "plans/b3-8"), (Family::Storage, "plans/volume-classic")];

/// A voucher code, and what it should give.
#[derive(Clone, Debug)]
pub struct Voucher {
    text: String,
    cents: Cents,
    only: Option<Family>,
    days: u64,
    used: bool,
}

/// A customer, and the card everything is charged to.
#[derive(Debug)]
pub struct Player {
    /// Who calls.
    pub customer: Customer,
    card: String,
}

/// A server and its model, side by side.
#[derive(Debug)]
pub struct World {
    /// The server.
    pub florin: Florin,
    /// Its customers.
    pub players: Vec<Player>,
    /// What they should have.
    pub books: Vec<Account>,
    /// The codes there are.
    pub codes: Vec<Voucher>,
    /// The present, as the server said last.
    pub now: At,
    prices: [Decimal; 2],
    requests: u64,
    /// Where the clock was set to last. What is done there takes seconds, which are not planned: the same seed meets
    /// the same hours wherever it is lived.
    planned: At,
}

impl World {
    /// Customers with two projects each, the second of which is prepaid-only, and codes of three campaigns.
    pub async fn begin(florin: Florin, customers: usize) -> Self {
        let mut prices = [Decimal::ZERO; 2];
        for (n, (_, plan)) in PLANS.iter().enumerate() {
            prices[n] = hourly_price(&florin, plan).await;
        }
        let mut players = Vec::new();
        let mut books = Vec::new();
        for n in 0..customers {
            let customer = florin.customer(&format!("player{n}")).await;
            let card = customer.card("card-frictionless").await.name;
            books.push(Account::default());
            players.push(Player { customer, card });
        }
        let mut codes = Vec::new();
        for (cents, only, days) in
            [(2500, None, 90), (1000, Some(Family::Instance), 30), (700, Some(Family::Storage), 400)]
        {
            let texts = florin.codes(campaign_of(&florin, cents, only, days), 4).await;
            codes.extend(texts.into_iter().map(|text| Voucher { text, cents, only, days, used: false }));
        }
        let now = now(&florin).await;
        let mut world = Self { florin, players, books, codes, now, prices, requests: 0, planned: now };
        for account in 0..customers {
            for _ in 0..2 {
                world.found(account, Sent::Once).await;
            }
        }
        world.wait(TimeDelta::minutes(10), 20).await;
        world.now = self::now(&world.florin).await;
        world
    }

    /// Does `act` to both.
    pub async fn perform(&mut self, act: &Act, sent: Sent) {
        match *act {
            Act::Order { account, project, units } => self.order(account, project, units, sent).await,
            Act::Pay { account, order, how, consent } => self.pay(account, order, how, consent, sent).await,
            Act::Cancel { account, order } => self.cancel(account, order, sent).await,
            Act::Withdraw { account, order } => self.withdraw(account, order, sent).await,
            Act::Bank { account, order, does } => self.bank(account, order, does, sent).await,
            Act::PayDebts { account } => self.pay_debts(account, sent).await,
            Act::Redeem { account, project, code } => self.redeem(account, project, code, sent).await,
            Act::RedeemRace { account, project, code, clients } => {
                self.redeem_race(account, project, code, clients).await;
            }
            Act::LaunchPad { account, cents, days } => self.launch_pad(account, cents, days, sent).await,
            Act::Loyalty { account, cents } => self.loyalty(account, cents, sent).await,
            Act::Hold { account, project, family, size, count, minutes } => {
                let wanted = launches::Wanted { account, project, family, size, count, minutes };
                self.hold(&wanted, sent).await;
            }
            Act::HoldRace { account, project, family, size, clients } => {
                let wanted = launches::Wanted { account, project, family, size, count: 1, minutes: 90 };
                self.hold_race(&wanted, clients).await;
            }
            Act::Release { account, hold } => self.release(account, hold, sent).await,
            Act::Run { account, project, family, size, hold } => {
                self.run(account, project, (family, size), hold, sent).await;
            }
            Act::Stop { account, resource } => self.stop(account, resource, sent).await,
            Act::Found { account } => self.found(account, sent).await,
            Act::Delete { account, project } => self.delete(account, project, sent).await,
            Act::Wait { time, minute } => self.wait(time, minute).await,
        }
        let then = now(&self.florin).await;
        for account in &mut self.books {
            account.pass(self.now, then);
        }
        self.now = then;
    }

    /// Moves the clock to so many minutes of the hour that is `time` ahead, or of the next one.
    async fn wait(&mut self, time: TimeDelta, minute: u32) {
        let hour =
            (self.planned + time).with_minute(minute).and_then(|at| at.with_second(0)?.with_nanosecond(0));
        let mut planned = hour.expect("a minute of an hour");
        while planned < self.now + TimeDelta::minutes(2) {
            planned += TimeDelta::hours(1);
        }
        self.planned = planned;
        let target = Some(Target::TargetTime(timestamp(planned)));
        let request = AdvanceClockRequest { target, ..Default::default() };
        let answer = self.florin.operator.clock().advance_clock(request).await.expect("the clock moves");
        let failed: Vec<_> = answer.into_inner().job_runs.into_iter().filter(|run| run.failed).collect();
        assert!(failed.is_empty(), "every job runs: {failed:?}");
    }

    fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("request-{}", self.requests)
    }
}

/// Sends one request as often as `sent` says. Everybody gets the same answer, and all of them succeed or none.
async fn send<Answer, Fut>(sent: Sent, call: impl Fn() -> Fut) -> Result<Answer, Status>
where
    Answer: PartialEq + std::fmt::Debug,
    Fut: Future<Output = Result<Response<Answer>, Status>>,
{
    let copies = match sent {
        Sent::Once => return call().await.map(Response::into_inner),
        Sent::Again => vec![call().await, call().await],
        Sent::AtOnce(copies) => join_all((0..copies).map(|_| call())).await,
    };
    let mut answers = copies.into_iter().map(|answer| answer.map(Response::into_inner));
    let first = answers.next().expect("it was sent");
    for answer in answers {
        match (&first, &answer) {
            (Ok(one), Ok(other)) => assert_eq!(one, other, "a repeated request has one answer"),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => panic!("a repeated request: {first:?}, {answer:?}"),
        }
    }
    first
}

/// Sends requests that differ in nothing but their ids, all at once.
async fn race<Request, Answer, Fut>(
    requests: impl IntoIterator<Item = Request>,
    call: impl Fn(Request) -> Fut,
) -> Vec<Result<Answer, Status>>
where
    Fut: Future<Output = Result<Response<Answer>, Status>>,
{
    let answers = join_all(requests.into_iter().map(call)).await;
    answers.into_iter().map(|answer| answer.map(Response::into_inner)).collect()
}

/// That an answer is a refusal because of how things stand, for this reason.
fn refused<Answer: std::fmt::Debug>(answer: Result<Answer, Status>, expected: &str) {
    let (code, reason) = refusal(&answer.expect_err(expected));
    assert_eq!((code, reason.as_str()), (Code::FailedPrecondition, expected));
}

async fn now(florin: &Florin) -> At {
    let clock = florin.operator.clock().get_clock(GetClockRequest {}).await.expect("a clock").into_inner();
    instant(clock.current_time.as_ref())
}

/// An instant of the wire.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn instant(time: Option<&prost_types::Timestamp>) -> At {
    let time = time.expect("a time");
    let nanos = u32::try_from(time.nanos).expect("a fraction of a second");
    At::from_timestamp(time.seconds, nanos).expect("within the calendar")
}

fn timestamp(at: At) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).expect("a fraction of a second");
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

/// Cents of an amount of the wire.
///
/// # Panics
/// If there is none, or if it has fractions of a cent.
#[must_use]
pub fn cents(amount: Option<&Money>) -> Cents {
    let amount = amount.expect("an amount");
    assert_eq!(amount.nanos % 10_000_000, 0, "whole cents: {amount:?}");
    amount.units * 100 + i64::from(amount.nanos / 10_000_000)
}

fn money(cents: Cents) -> Money {
    let nanos = i32::try_from(cents % 100).expect("cents") * 10_000_000;
    Money { currency_code: "EUR".to_owned(), units: cents / 100, nanos }
}

async fn hourly_price(florin: &Florin, plan: &str) -> Decimal {
    let request = GetPlanRequest { name: plan.to_owned(), ..Default::default() };
    let plan = florin.anonymous.catalog().get_plan(request).await.expect("a plan").into_inner();
    let price = plan.prices.iter().find(|price| price.currency_code == "EUR").expect("a price in euros");
    let unit_price = price.unit_price.as_ref().expect("a unit price");
    unit_price.value.parse().expect("a decimal")
}

fn campaign_of(florin: &Florin, cents: Cents, only: Option<Family>, days: u64) -> Campaign {
    let restricted = only.map(|family| match family {
        Family::Instance => PlanFamily::Instance.into(),
        Family::Storage => PlanFamily::Storage.into(),
    });
    let years_later = days_later(At::UNIX_EPOCH, 40_000);
    Campaign {
        redeem_end_time: Some(timestamp(years_later)),
        lot_lifetime: Some(campaign::LotLifetime::LotLifetimeDays(i32::try_from(days).expect("few days"))),
        restricted_families: restricted.into_iter().collect(),
        per_account_limit: Some(100),
        ..florin.campaign(cents / 100)
    }
}
