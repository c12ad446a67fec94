//! An estimate at the issuing instant is the invoice (R8.5): over random accounts, lots, usage and instants.

use florin_api::invoicing::v1::{self as wire, invoice::Kind};
use florin_credit::GrantKind;
use florin_platform::{id::AccountId, wire::parse_child};
use florin_settlement::Instant;
use florin_testbed::{TestDatabase, on_both_backends};

use crate::{
    advance::PLANS,
    dice::{Dice, scale},
    world::{World, as_estimated, at, cents},
};

const SETTLEMENT: &str = "2027-04-01T06:00:00Z";
/// When the random part of the month is over.
const MONTH_ENDS: &str = "2027-04-01T00:00:00Z";
/// Expiries around everything that matters: in the month, between its end and its settlement, at the settlement to the
/// microsecond, and soon after.
const EXPIRIES: [&str; 7] = [
    "2027-03-20T00:00:00Z",
    "2027-04-01T00:00:00Z",
    "2027-04-01T05:59:59.999999Z",
    SETTLEMENT,
    "2027-04-01T06:00:00.000001Z",
    "2027-04-01T09:00:00Z",
    "2027-09-01T00:00:00Z",
];

/// A customer of a random history.
struct Customer {
    account: AccountId,
    card: Option<String>,
    projects: Vec<String>,
    running: Vec<String>,
}

impl Customer {
    async fn new(world: &World, dice: &mut Dice, name: &str) -> Self {
        let account = world.account(name).await;
        let card = if dice.roll(3) > 0 { Some(world.card(account).await) } else { None };
        if card.is_none() {
            world.grant(account, GrantKind::LaunchPad, 500).await;
        }
        let mut projects = vec![world.project(account, card.as_deref()).await];
        for _ in 0..dice.roll(3) {
            projects.push(world.project(account, None).await);
        }
        Self { account, card, projects, running: Vec::new() }
    }

    /// One thing that happens to the account; what it was.
    async fn live(&mut self, world: &World, dice: &mut Dice) -> String {
        let project = dice.pick(&self.projects).clone();
        let minor = i64::try_from(1 + dice.roll(3000)).expect("small");
        match dice.roll(10) {
            0..=3 => {
                let (plan, size) = *dice.pick(&[
                    ("instance", 1),
                    ("volume", 250),
                    ("volume", 7),
                    ("metal", 1),
                    ("seats", 3),
                ]);
                self.running.push(world.add(&project, plan, size).await);
                format!("{size} {plan}")
            }
            4 | 5 if !self.running.is_empty() => {
                let one =
                    usize::try_from(dice.roll(u64::try_from(self.running.len()).expect("few"))).expect("few");
                world.remove(&self.running.swap_remove(one)).await;
                "remove".to_owned()
            }
            4..=6 => {
                let (kind, expires) =
                    (*dice.pick(&[GrantKind::LaunchPad, GrantKind::Loyalty]), *dice.pick(&EXPIRIES));
                if at(expires) > world.now().await.plus_hours(1) {
                    world.grant_until(self.account, kind, minor, expires).await;
                }
                format!("{kind:?} {minor} until {expires}")
            }
            7 => {
                world.grant(self.account, GrantKind::Loyalty, minor).await;
                format!("loyalty {minor}")
            }
            8 => {
                world.voucher(&project, 1 + minor / 100).await;
                "voucher".to_owned()
            }
            _ => {
                if let Some(card) = &self.card {
                    world.buy(self.account, &project, 1 + minor / 100, card).await.expect("bought");
                }
                "buy".to_owned()
            }
        }
    }
}

/// A random March of a few accounts, and its invoices against their estimates.
async fn live(db: &TestDatabase, seed: u64) {
    let world = World::open(db).await;
    world.plans(PLANS).await;
    let mut dice = Dice::new(seed);
    let mut customers = Vec::new();
    for name in ["ada", "bob"] {
        customers.push(Customer::new(&world, &mut dice, name).await);
    }
    let mut history = format!("seed {seed}:");
    loop {
        let next = world.now().await.plus_hours(1 + u32::try_from(dice.roll(96)).expect("small"));
        if next >= at(MONTH_ENDS) {
            break;
        }
        world.move_to(&next.to_string()).await;
        let one = usize::try_from(dice.roll(2)).expect("small");
        history.push_str(&format!("\n  {next} {one}: {}", customers[one].live(&world, &mut dice).await));
        if dice.roll(3) == 0 {
            world.job("invoicing.advance").run(100).await.expect("charged");
            history.push_str("; charged in advance");
        }
    }
    let issued: Instant = at(SETTLEMENT).plus_hours(u32::try_from(dice.roll(5)).expect("small"));
    world.move_to(&issued.to_string()).await;
    history.push_str(&format!("\n  issued at {issued}"));
    if dice.roll(2) == 0 {
        world.lapse().await;
        history.push_str(", after lapses");
    }
    let mut estimates = Vec::new();
    for customer in &customers {
        for project in &customer.projects {
            estimates.push((customer.account, world.estimate(project).await));
        }
    }
    if dice.roll(2) == 0 {
        world.lapse().await;
        history.push_str(", lapses before the issue");
    }
    world.bill().await;
    for (account, estimate) in estimates {
        check(&world, account, &estimate, &history).await;
    }
}

async fn check(world: &World, account: AccountId, estimate: &wire::Invoice, history: &str) {
    let issued = world.monthly(account).await;
    let issued = issued.iter().find(|invoice| invoice.project == estimate.project);
    let Some(issued) = issued else {
        assert_eq!(cents(estimate.net_total.as_ref()), 0, "{history}\n  {} has no invoice", estimate.project);
        return;
    };
    assert_eq!(&as_estimated(issued), estimate, "{history}");
    assert_eq!(issued.kind(), Kind::Monthly);
    let (owner, id) = parse_child("invoices", &issued.name).expect("a name");
    let proven = florin_invoicing::prove_settlement(world.platform.db.reader(), owner, id).await;
    proven.unwrap_or_else(|error| panic!("{history}\n  {error:?}"));
}

on_both_backends! {
    /// R8.5: the same document, to the last field, whatever the account has and whenever it is issued.
    async fn an_estimate_at_the_issuing_instant_is_the_invoice(db: TestDatabase) {
        for seed in 1..=4 * scale() {
            let own = TestDatabase::create(db.backend()).await;
            live(&own, seed).await;
        }
    }
}
