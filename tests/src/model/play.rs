//! The same act done to the server and to the model.

use chrono::TimeDelta;
use florin_api::{
    credit::v1::{
        Campaign, CancelCreditOrderRequest, CreateCreditOrderRequest, CreditOrder, GetCreditOrderRequest,
        GrantLaunchPadRequest, GrantLoyaltyRequest, PayCreditOrderRequest, PaymentLinkSource,
        RedeemVoucherRequest, campaign, credit_order, pay_credit_order_request::Source,
    },
    money::Money,
    payment::v1::payment,
    project::v1::{AddResourceRequest, GetPlanRequest, PlanFamily, RemoveResourceRequest, Resource},
    sandbox::v1::{
        AdvanceClockRequest, ApprovePaymentRequest, GetClockRequest, advance_clock_request::Target,
    },
};
use futures::future::join_all;
use rust_decimal::Decimal;
use tonic::{Code, Response, Status};

use super::{
    act::{Act, Paying, Sent},
    books::{self, Account, At, Bought, Cents, Family, Kind, Lot, Order, Project, days_later},
};
use crate::{
    acts::euros,
    florin::{Customer, Florin, refusal},
};

/// Who has no consent waits so long for the credit (R6.4).
const WITHDRAWAL_DAYS: u64 = 14;

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
}

const PLANS: [(Family, &str); 2] =
    [(Family::Instance, "plans/b3-8"), (Family::Storage, "plans/volume-classic")];

impl World {
    /// Customers with two projects each, and codes of three campaigns.
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
            let mut projects = Vec::new();
            for _ in 0..2 {
                let project = customer.create_project(None).await.expect("a VALID card funds it");
                projects.push(Project { name: project.name });
            }
            books.push(Account { projects, ..Account::default() });
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
        Self { florin, players, books, codes, now, prices, requests: 0 }
    }

    /// Does `act` to both.
    pub async fn perform(&mut self, act: &Act, sent: Sent) {
        match *act {
            Act::Order { account, project, units } => self.order(account, project, units, sent).await,
            Act::Pay { account, order, how, consent } => self.pay(account, order, how, consent, sent).await,
            Act::Cancel { account, order } => self.cancel(account, order, sent).await,
            Act::Redeem { account, project, code } => self.redeem(account, project, code, sent).await,
            Act::RedeemRace { account, project, code, clients } => {
                self.redeem_race(account, project, code, clients).await;
            }
            Act::LaunchPad { account, cents, days } => self.launch_pad(account, cents, days, sent).await,
            Act::Loyalty { account, cents } => self.loyalty(account, cents, sent).await,
            Act::Run { account, project, family, size } => {
                self.run(account, project, family, size, sent).await;
            }
            Act::Stop { account, resource } => self.stop(account, resource, sent).await,
            Act::Wait(time) => self.wait(time).await,
        }
        let then = now(&self.florin).await;
        for account in &mut self.books {
            account.pass(self.now, then);
        }
        self.now = then;
    }

    async fn order(&mut self, account: usize, project: usize, units: i64, sent: Sent) {
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
        let order = order.await.expect("the order is placed");
        self.books[account].orders.push(Order {
            token: order.payment_link.rsplit('/').next().unwrap_or_default().to_owned(),
            name: order.name,
            project,
            net: units * 100,
            expires: instant(order.expire_time.as_ref()),
            state: Bought::Open,
            paid: None,
        });
    }

    async fn pay(&mut self, account: usize, order: usize, how: Paying, consent: bool, sent: Sent) {
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
                let racers = (0..clients).map(|client| {
                    let request = request(Source::PaymentMethod(card.clone()), id(client));
                    async move { caller.credit_orders().pay_credit_order(request).await }
                });
                let answers = join_all(racers).await;
                let mut won = answers.into_iter().map(|answer| answer.map(Response::into_inner));
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
        if consent {
            known.state = Bought::Supplied;
            let lot = books::cloud_credit(known, at, at, Some(paid.credit));
            self.books[account].lots.push(lot);
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

    async fn cancel(&mut self, account: usize, order: usize, sent: Sent) {
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

    async fn redeem(&mut self, account: usize, project: usize, code: usize, sent: Sent) {
        let request = self.redemption(account, project, code);
        let caller = &self.players[account].customer.caller;
        let answer = send(sent, || async { caller.vouchers().redeem_voucher(request.clone()).await }).await;
        if self.codes[code].used {
            let (_, reason) = refusal(&answer.expect_err("it was used"));
            assert_eq!(reason, "VOUCHER_ALREADY_USED");
        } else {
            let credit = answer.expect("it can be redeemed");
            self.redeemed(account, project, code, credit.name, instant(credit.issue_time.as_ref()));
        }
    }

    async fn redeem_race(&mut self, account: usize, project: usize, code: usize, clients: usize) {
        let mut requests = Vec::new();
        for _ in 0..clients {
            requests.push(self.redemption(account, project, code));
        }
        let caller = &self.players[account].customer.caller;
        let all =
            requests.into_iter().map(|request| async { caller.vouchers().redeem_voucher(request).await });
        let answers: Vec<_> = join_all(all).await;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        assert_eq!(won, usize::from(!self.codes[code].used), "one use, one lot: {answers:#?}");
        for credit in answers.into_iter().flatten().map(Response::into_inner) {
            self.redeemed(account, project, code, credit.name, instant(credit.issue_time.as_ref()));
        }
    }

    fn redemption(&mut self, account: usize, project: usize, code: usize) -> RedeemVoucherRequest {
        RedeemVoucherRequest {
            parent: self.books[account].projects[project].name.clone(),
            code: self.codes[code].text.clone(),
            request_id: self.request_id(),
            ..Default::default()
        }
    }

    fn redeemed(&mut self, account: usize, project: usize, code: usize, name: String, issued: At) {
        let code = &mut self.codes[code];
        code.used = true;
        let lot = Lot {
            only: code.only,
            expires: Some(days_later(issued, code.days)),
            ..granted(name, Kind::Voucher, code.cents, issued)
        };
        self.books[account].lots.push(Lot { project: Some(project), ..lot });
    }

    async fn launch_pad(&mut self, account: usize, cents: Cents, days: u64, sent: Sent) {
        let expires = days_later(self.now, days);
        let request = GrantLaunchPadRequest {
            parent: self.players[account].customer.account.clone(),
            amount: Some(money(cents)),
            reason: "a startup".to_owned(),
            expire_time: Some(timestamp(expires)),
            request_id: self.request_id(),
            ..Default::default()
        };
        let operator = &self.florin.operator;
        let grant = send(sent, || async { operator.grants().grant_launch_pad(request.clone()).await });
        let grant = grant.await.expect("it is granted");
        let lot = granted(grant.credit, Kind::LaunchPad, cents, instant(grant.create_time.as_ref()));
        self.books[account].lots.push(Lot { expires: Some(expires), ..lot });
    }

    async fn loyalty(&mut self, account: usize, cents: Cents, sent: Sent) {
        let request = GrantLoyaltyRequest {
            parent: self.players[account].customer.account.clone(),
            amount: Some(money(cents)),
            reason: "an apology".to_owned(),
            request_id: self.request_id(),
            ..Default::default()
        };
        let operator = &self.florin.operator;
        let grant = send(sent, || async { operator.grants().grant_loyalty(request.clone()).await });
        let grant = grant.await.expect("it is granted");
        let lot = granted(grant.credit, Kind::Loyalty, cents, instant(grant.create_time.as_ref()));
        self.books[account].lots.push(lot);
    }

    async fn run(&mut self, account: usize, project: usize, family: Family, size: i64, sent: Sent) {
        let (_, plan) = PLANS.iter().find(|(known, _)| *known == family).expect("a plan of each family");
        let resource = Resource {
            plan: (*plan).to_owned(),
            size: Some(florin_api::money::Decimal { value: size.to_string() }),
            ..Resource::default()
        };
        let request = AddResourceRequest {
            parent: self.books[account].projects[project].name.clone(),
            resource: Some(resource),
            request_id: self.request_id(),
            hold: String::new(),
        };
        let caller = &self.players[account].customer.caller;
        let added = send(sent, || async { caller.resources().add_resource(request.clone()).await });
        let added = added.await.expect("it starts");
        self.books[account].resources.push(books::Resource {
            name: added.name,
            project,
            family,
            price: self.prices[usize::from(family == Family::Storage)],
            size,
            from: instant(added.create_time.as_ref()),
            to: None,
        });
    }

    async fn stop(&mut self, account: usize, resource: usize, sent: Sent) {
        let request_id = self.request_id();
        let known = &mut self.books[account].resources[resource];
        let request = RemoveResourceRequest { name: known.name.clone(), request_id, ..Default::default() };
        let caller = &self.players[account].customer.caller;
        let removed = send(sent, || async { caller.resources().remove_resource(request.clone()).await });
        known.to = Some(instant(removed.await.expect("it stops").remove_time.as_ref()));
    }

    async fn wait(&self, time: TimeDelta) {
        let seconds = prost_types::Duration { seconds: time.num_seconds(), nanos: 0 };
        let request = AdvanceClockRequest { target: Some(Target::Duration(seconds)), ..Default::default() };
        let answer = self.florin.operator.clock().advance_clock(request).await.expect("the clock moves");
        let failed: Vec<_> = answer.into_inner().job_runs.into_iter().filter(|run| run.failed).collect();
        assert!(failed.is_empty(), "every job runs: {failed:?}");
    }

    async fn read_order(&self, account: usize, name: &str) -> CreditOrder {
        let request = GetCreditOrderRequest { name: name.to_owned() };
        let caller = &self.players[account].customer.caller;
        caller.credit_orders().get_credit_order(request).await.expect("the order").into_inner()
    }

    fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("request-{}", self.requests)
    }
}

fn granted(name: String, kind: Kind, initial: Cents, issued: At) -> Lot {
    Lot {
        name: Some(name),
        kind,
        project: None,
        only: None,
        initial,
        debited: 0,
        revoked: 0,
        forfeited: 0,
        issued,
        expires: None,
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
