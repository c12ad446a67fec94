//! Debts: collected again, dunned, paid, held, written off; and the end of projects (R9, R4.6).

use florin_api::invoicing::v1::{self as wire, collection_service_server::CollectionService, debt, invoice};
use florin_credit::GrantKind;
use florin_platform::{id::AccountId, wire::parse_child};
use florin_project::ProjectState;
use florin_testbed::on_both_backends;
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Code, Status};

use crate::world::{Mood, World, at, cents, customer, operator};

const BILLED: &str = "2027-04-01T06:00:00Z";

struct Story {
    account: AccountId,
    card: String,
    project: String,
}

/// An account whose March, ten hours of an instance, was billed while the till was in `mood`.
async fn billed(world: &World, name: &str, mood: Mood) -> Story {
    let account = world.account(name).await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    let instance = world.add(&project, "instance", 1).await;
    world.move_to("2027-03-01T09:30:00Z").await;
    world.remove(&instance).await;
    world.till.set(mood);
    world.live_until(BILLED).await;
    Story { account, card, project }
}

async fn debts(world: &World, account: AccountId) -> Vec<wire::Debt> {
    let request = wire::ListDebtsRequest { parent: format!("accounts/{account}"), ..Default::default() };
    world.collection().list_debts(customer(account, request)).await.expect("debts").into_inner().debts
}

async fn pay(world: &World, story: &Story, request_id: &str) -> Result<wire::PayDebtResponse, Status> {
    let request = wire::PayDebtRequest {
        parent: format!("accounts/{}", story.account),
        payment_method: story.card.clone(),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    world.collection().pay_debt(customer(story.account, request)).await.map(tonic::Response::into_inner)
}

async fn state(world: &World, story: &Story) -> ProjectState {
    let (account, id) = parse_child("projects", &story.project).expect("a name");
    let found = florin_project::find(world.platform.db.reader(), account, id).await.expect("a read");
    found.expect("a project").state
}

async fn notices(world: &World, account: AccountId) -> Vec<String> {
    let reader = world.platform.db.reader();
    let text = "SELECT kind FROM notice WHERE account_id = $1 ORDER BY id";
    let query = Statement::from_sql_and_values(reader.get_database_backend(), text, [account.into()]);
    let rows = reader.query_all_raw(query).await.expect("notices");
    let kinds = rows.iter().map(|row| row.try_get_by_index::<String>(0).expect("a kind"));
    kinds.filter(|kind| kind.starts_with("invoicing.")).collect()
}

/// The clock of a test goes on by itself, by less than a second.
fn seconds(time: Option<&prost_types::Timestamp>) -> i64 {
    time.expect("a time").seconds
}

on_both_backends! {
    /// R9.1, R9.2: retried on days 1, 3 and 5; warned, suspended on day 7; paid, it resumes at once.
    async fn a_debt_is_retried_and_suspends_and_its_payment_resumes(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "owes", Mood::DeclinesForNow).await;
        let owed = debts(&world, story.account).await.remove(0);
        assert_eq!((owed.state(), owed.cause()), (debt::State::Open, debt::Cause::Declined));
        assert_eq!(cents(owed.owed_incl_tax.as_ref()), 133);
        assert_eq!(owed.next_step(), debt::Step::Retry);
        assert_eq!(seconds(owed.next_step_time.as_ref()), at("2027-04-02T06:00:00Z").micros() / 1_000_000);
        assert_eq!(world.till.charges(), 1);
        world.live_until("2027-04-06T07:00:00Z").await;
        assert_eq!(world.till.charges(), 4);
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        world.live_until("2027-04-08T07:00:00Z").await;
        assert_eq!(world.till.charges(), 4);
        assert_eq!(state(&world, &story).await, ProjectState::Suspended);
        let told = notices(&world, story.account).await;
        assert_eq!(told.iter().filter(|kind| *kind == "invoicing.unpaid").count(), 4);
        assert_eq!(told.iter().filter(|kind| *kind == "invoicing.suspension-ahead").count(), 1);
        world.till.set(Mood::Approves);
        let paid = pay(&world, &story, "").await.expect("paid");
        assert!(paid.open_debts.is_empty());
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        assert_eq!(debts(&world, story.account).await[0].state(), debt::State::Paid);
        assert_eq!(world.monthly(story.account).await[0].state(), invoice::State::Paid);
    }

    /// R9.1: after a final decline the others are tried, once, if the customer allowed it.
    async fn other_methods_are_tried_once_if_allowed(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("two-cards").await;
        let card = world.card(account).await;
        world.fallback_card(account).await;
        let project = world.project(account, Some(&card)).await;
        let instance = world.add(&project, "instance", 1).await;
        world.move_to("2027-03-01T09:30:00Z").await;
        world.remove(&instance).await;
        world.till.set(Mood::DeclinesOnce);
        world.live_until(BILLED).await;
        assert_eq!(world.till.charges(), 2);
        assert_eq!(debts(&world, account).await[0].state(), debt::State::Paid);
        let story = billed_alone(&world).await;
        assert_eq!(debts(&world, story).await[0].state(), debt::State::Open);
    }

    /// R9.1: a pending payment stops the clock; when it fails the clock goes on where it stood.
    async fn a_pending_payment_stops_the_clock(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "waits", Mood::DeclinesForNow).await;
        world.till.set(Mood::Ponders);
        let payment = pay(&world, &story, "").await.expect("begun").payment.expect("a payment").name;
        let owed = debts(&world, story.account).await.remove(0);
        assert!(owed.next_step_time.is_none() && owed.pause_time.is_some());
        let again = pay(&world, &story, "").await.expect_err("one at a time");
        assert_eq!(again.code(), Code::FailedPrecondition);
        world.live_until("2027-04-21T06:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        world.till.set(Mood::Declines);
        let id = parse_child("payments", &payment).expect("a name").1;
        let call = florin_platform::call::Call::by_job("test");
        world.payments.drive(&call, story.account, id).await.expect("declined");
        world.live_until("2027-04-27T06:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        world.live_until("2027-04-28T07:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Suspended);
    }

    /// R9.1: what was cut off before it stopped the clock has stopped it before anybody is warned of a suspension.
    async fn a_pending_payment_stops_the_clock_also_if_that_was_lost(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "waits", Mood::DeclinesForNow).await;
        world.till.set(Mood::Ponders);
        pay(&world, &story, "").await.expect("begun");
        // As it was before, with nothing left to try again.
        let lost = "UPDATE dunning SET paused_at = NULL, retries_done = 3, step_at = clock_at";
        db.connect().await.execute_unprepared(lost).await.expect("forgotten");
        world.live_until("2027-04-20T06:00:00Z").await;
        let owed = debts(&world, story.account).await.remove(0);
        assert!(owed.next_step_time.is_none() && owed.pause_time.is_some(), "{owed:?}");
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        let told = notices(&world, story.account).await;
        assert!(!told.iter().any(|kind| kind == "invoicing.suspension-ahead"), "{told:?}");
    }

    /// R9.3: ten at once, one payment; the same request again, the same answer; a settlement that waits for the
    /// customer lapses after an hour.
    async fn one_settlement_is_pending_at_a_time(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "hurries", Mood::DeclinesForNow).await;
        world.till.set(Mood::Asks);
        let tries = (0..10).map(|_| pay(&world, &story, ""));
        let begun = futures::future::join_all(tries).await;
        assert_eq!(begun.iter().filter(|tried| tried.is_ok()).count(), 1);
        world.live_until("2027-04-01T06:59:00Z").await;
        assert!(pay(&world, &story, "").await.is_err());
        world.live_until("2027-04-01T07:01:00Z").await;
        world.till.set(Mood::Approves);
        let charged = world.till.charges();
        let first = pay(&world, &story, "once").await.expect("paid");
        let second = pay(&world, &story, "once").await.expect("replayed");
        assert_eq!(first, second);
        assert_eq!(world.till.charges(), charged + 1);
        let nothing = pay(&world, &story, "").await.expect_err("nothing is owed");
        assert_eq!(nothing.code(), Code::FailedPrecondition);
    }

    /// R9.4: lots pay at issue; credit added later pays nothing of a debt by itself.
    async fn credit_added_while_a_debt_is_open_pays_nothing_of_it(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "rich", Mood::Declines).await;
        world.grant(story.account, GrantKind::LaunchPad, 10_000).await;
        world.live_until("2027-04-05T06:00:00Z").await;
        assert_eq!(debts(&world, story.account).await[0].state(), debt::State::Open);
        let lots = florin_credit::lots::of_accounts(world.platform.db.reader(), &[story.account]).await;
        assert_eq!(lots.expect("lots")[0].1.remaining().minor(), 10_000);
    }

    /// R9.2, R4.6: held, nothing is deleted; released, the customer is warned first; then the project ends with its
    /// FINAL invoice, once, and no run bills it again.
    async fn an_unpaid_debt_ends_in_a_deletion_with_its_final_invoice(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "never", Mood::Declines).await;
        world.add(&story.project, "instance", 1).await;
        let name = format!("accounts/{}", story.account);
        let hold = wire::HoldDeletionRequest {
            name: name.clone(),
            reason: "talks".to_owned(),
            ..Default::default()
        };
        world.collection().hold_deletion(operator(hold)).await.expect("held");
        world.live_until("2027-06-10T00:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Suspended);
        assert!(debts(&world, story.account).await[0].deletion_held);
        let release = wire::ReleaseDeletionRequest { name, ..Default::default() };
        world.collection().release_deletion(operator(release)).await.expect("released");
        world.live_until("2027-06-16T23:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Suspended);
        world.live_until("2027-06-17T01:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Deleting);
        world.live_until("2027-08-02T00:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Deleted);
        let invoices = world.invoices(story.account).await;
        let of_kind = |kind| invoices.iter().filter(|invoice| invoice.kind() == kind).collect::<Vec<_>>();
        assert_eq!(of_kind(invoice::Kind::Monthly).len(), 3, "March, April, May");
        let [last] = of_kind(invoice::Kind::Final)[..] else { panic!("one final invoice") };
        // 1 June to 17 June 00:00, when the hour that has just begun counts too.
        assert_eq!(last.number, "FR-P-2027-000001");
        assert!(cents(last.net_total.as_ref()) > 0);
        assert_eq!(seconds(last.settlement_time.as_ref()), at("2027-06-18T00:00:00Z").micros() / 1_000_000);
        assert_eq!(debts(&world, story.account).await.len(), 4);
    }

    /// R6.13: within the limit an operator gives a debt up alone; what was suspended resumes.
    async fn a_debt_is_written_off(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "lost", Mood::Declines).await;
        world.live_until("2027-04-09T00:00:00Z").await;
        assert_eq!(state(&world, &story).await, ProjectState::Suspended);
        let name = debts(&world, story.account).await.remove(0).name;
        let request = wire::WriteOffDebtRequest { name, reason: "uncollectable".to_owned(), ..Default::default() };
        let refused = wire::WriteOffDebtRequest { reason: " ".to_owned(), ..request.clone() };
        let refused = world.collection().write_off_debt(operator(refused)).await.expect_err("no reason");
        assert_eq!(refused.code(), Code::InvalidArgument);
        let given_up = world.collection().write_off_debt(operator(request)).await.expect("written off");
        assert_eq!(given_up.into_inner().state(), debt::State::WrittenOff);
        assert_eq!(state(&world, &story).await, ProjectState::Active);
        assert_eq!(world.monthly(story.account).await[0].state(), invoice::State::WrittenOff);
    }

    async fn another_customers_debt_does_not_exist(db: TestDatabase) {
        let world = World::open(&db).await;
        let story = billed(&world, "victim", Mood::Declines).await;
        let stranger = world.account("stranger").await;
        let name = debts(&world, story.account).await.remove(0).name;
        let rpc = world.collection();
        let get = rpc.get_debt(customer(stranger, wire::GetDebtRequest { name: name.clone() })).await;
        assert_eq!(get.expect_err("a stranger").code(), Code::NotFound);
        let parent = format!("accounts/{}", story.account);
        let list = wire::ListDebtsRequest { parent: parent.clone(), ..Default::default() };
        assert_eq!(rpc.list_debts(customer(stranger, list)).await.expect_err("a stranger").code(), Code::NotFound);
        let payment_method = story.card.clone();
        let pay = wire::PayDebtRequest { parent, payment_method, ..Default::default() };
        assert_eq!(rpc.pay_debt(customer(stranger, pay)).await.expect_err("a stranger").code(), Code::NotFound);
        let invoice = world.monthly(story.account).await.remove(0).name;
        let pay = wire::PayInvoiceRequest {
            name: invoice,
            payment_method: story.card.clone(),
            ..Default::default()
        };
        assert_eq!(rpc.pay_invoice(customer(stranger, pay)).await.expect_err("a stranger").code(), Code::NotFound);
    }
}

/// An account whose only method was declined for good, and which allowed nothing else.
async fn billed_alone(world: &World) -> AccountId {
    let account = world.account("one-card").await;
    let card = world.card(account).await;
    world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    let instance = world.add(&project, "instance", 1).await;
    world.live_until("2027-04-01T09:30:00Z").await;
    world.remove(&instance).await;
    world.till.set(Mood::DeclinesOnce);
    world.live_until("2027-05-01T06:00:00Z").await;
    account
}
