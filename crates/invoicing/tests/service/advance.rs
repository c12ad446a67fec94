//! What is charged in advance: invoiced at once, then with the month before, and never twice (R5.3, R8.1, R8.5).

use florin_api::{
    credit::v1::FundingKind,
    google::r#type::Decimal,
    invoicing::v1::{self as wire, invoice::Kind, invoice::State},
    project::v1::{ResizeResourceRequest, SwitchToMonthlyRequest, resource_service_server::ResourceService},
};
use florin_credit::{GrantKind, SettlementHorizon};
use florin_invoicing::{Horizon, jobs};
use florin_platform::{db::Tx, id::AccountId};
use florin_testbed::on_both_backends;
use sea_orm::DbErr;

use crate::world::{World, at, cents, operator, standings};

pub(crate) const PLANS: &str = r#"
plans:
  - code: metal
    name: Dedicated server
    family: INSTANCE
    model: MONTHLY
    unit: month
    charged: ADVANCE
    prices:
      - effective: 2015-01-01T00:00:00Z
        per_unit: { EUR: "93" }
  - code: seats
    name: Seats
    family: OPTION
    model: MONTHLY
    unit: seat-month
    charged: ADVANCE
    prices:
      - effective: 2015-01-01T00:00:00Z
        per_unit: { EUR: "31" }
"#;

/// A customer with a card, and plans that are charged in advance.
async fn customer(world: &World) -> (AccountId, String) {
    world.plans(PLANS).await;
    let account = world.account("ada").await;
    let card = world.card(account).await;
    (account, world.project(account, Some(&card)).await)
}

/// Runs the job of invoices in advance once; how much it did.
async fn charge(world: &World) -> u32 {
    let all =
        jobs::all(&world.platform, world.runs(), &world.payments, florin_invoicing::DunningRules::default());
    let job = all.into_iter().find(|job| job.name() == "invoicing.advance").expect("a job");
    job.run(100).await.expect("charged")
}

async fn resize(world: &World, resource: &str, size: u32) {
    let rpc = florin_project::ResourceRpc::new(world.platform.clone(), standings());
    let size = Some(Decimal { value: size.to_string() });
    let request = ResizeResourceRequest { name: resource.to_owned(), size, ..Default::default() };
    rpc.resize_resource(operator(request)).await.expect("resized");
}

async fn switch(world: &World, resource: &str, plan: &str) {
    let rpc = florin_project::ResourceRpc::new(world.platform.clone(), standings());
    let plan = format!("plans/{plan}");
    let request = SwitchToMonthlyRequest { name: resource.to_owned(), plan, ..Default::default() };
    rpc.switch_to_monthly(operator(request)).await.expect("switched");
}

async fn of_kind(world: &World, account: AccountId, kind: Kind) -> Vec<wire::Invoice> {
    world.invoices(account).await.into_iter().filter(|invoice| invoice.kind() == kind).collect()
}

/// Plan, quantity, divisor, net in cents, first day, of every line.
fn lines(invoice: &wire::Invoice) -> Vec<(String, String, i32, i64, String)> {
    let line = |line: &wire::InvoiceLine| {
        let from = line.usage_start_time.as_ref().and_then(|time| florin_platform::wire::instant(time).ok());
        let from = from.map(|at| at.to_string()[..10].to_owned()).unwrap_or_default();
        let quantity = line.quantity.clone().unwrap_or_default().value;
        let plan = line.plan.trim_start_matches("plans/").to_owned();
        (plan, quantity, line.quantity_divisor, cents(line.net.as_ref()), from)
    };
    invoice.lines.iter().map(line).collect()
}

fn line(
    plan: &str,
    quantity: &str,
    divisor: i32,
    net: i64,
    from: &str,
) -> (String, String, i32, i64, String) {
    (plan.to_owned(), quantity.to_owned(), divisor, net, from.to_owned())
}

on_both_backends! {
    /// The whole way: at once, with the month before, and nothing twice.
    async fn a_plan_in_advance_is_invoiced_at_once_and_then_on_each_first(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = customer(&world).await;
        world.move_to("2027-03-15T12:00:00Z").await;
        let server = world.add(&project, "metal", 1).await;
        let estimated = world.estimate(&project).await;
        assert_eq!(lines(&estimated), [line("metal", "17", 31, 5100, "2027-03-15")], "in the estimate at once");
        assert_eq!((charge(&world).await, charge(&world).await), (1, 0));

        let invoices = of_kind(&world, account, Kind::ProRata).await;
        let [invoice] = invoices.as_slice() else { panic!("one, not {}", invoices.len()) };
        assert_eq!(lines(invoice), lines(&estimated));
        assert_eq!((invoice.number.as_str(), invoice.state()), ("FR-P-2027-000001", State::Paid));
        assert_eq!((cents(invoice.net_total.as_ref()), cents(invoice.amount_incl_tax.as_ref())), (5100, 6120));
        assert!(lines(&world.estimate(&project).await).is_empty(), "not a second time");

        world.move_to("2027-04-01T06:00:00Z").await;
        let estimated = world.estimate(&project).await;
        world.bill().await;
        world.move_to("2027-04-10T00:00:00Z").await;
        world.remove(&server).await;
        assert_eq!(charge(&world).await, 0);
        world.move_to("2027-05-01T06:00:00Z").await;
        world.bill().await;
        let monthly = world.monthly(account).await;
        assert_eq!(monthly.len(), 1, "nothing is due for May");
        assert_eq!(lines(&monthly[0]), [line("metal", "1", 1, 9300, "2027-04-01")]);
        assert!(!monthly[0].lines[0].late);
        assert_eq!(lines(&estimated), lines(&monthly[0]));
        for invoice in world.invoices(account).await {
            let name = florin_platform::wire::parse_child("invoices", &invoice.name).expect("a name");
            florin_invoicing::prove_settlement(world.platform.db.reader(), name.0, name.1).await.expect("proven");
        }
    }

    /// R7.3: settled at the instant it fell due: credit alive then pays, however late the job comes.
    async fn credit_that_was_alive_when_it_fell_due_pays_and_does_not_lapse_before(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = customer(&world).await;
        world.grant_until(account, GrantKind::LaunchPad, 2000, "2027-03-15T12:30:00Z").await;
        world.move_to("2027-03-15T12:00:00Z").await;
        world.add(&project, "metal", 1).await;
        world.move_to("2027-03-15T13:00:00Z").await;
        let waits = |tx: Tx| async move {
            let now = at("2027-03-15T13:00:00Z");
            Ok::<_, DbErr>(Horizon.unissued_since(&tx, now, &[account]).await.expect("told").get(&account).copied())
        };
        let since = world.platform.db.write(waits).await.expect("read").expect("it waits");
        assert!(since < at("2027-03-15T12:01:00Z"), "a lapse waits for what fell due before: {since}");
        assert_eq!(charge(&world).await, 1);
        assert_eq!(world.platform.db.write(waits).await.expect("read"), None);
        let invoice = &of_kind(&world, account, Kind::ProRata).await[0];
        let debits: Vec<_> = invoice.debits.iter().map(|debit| (debit.kind(), cents(debit.amount.as_ref()))).collect();
        assert_eq!(debits, [(FundingKind::Launchpad, 2000), (FundingKind::PaymentMethod, 3100)]);
    }

    /// If the job could not run, the month's invoice bills what is left; then there is nothing for the job.
    async fn what_was_not_invoiced_at_once_stands_on_the_invoice_of_the_month(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = customer(&world).await;
        world.move_to("2027-03-31T23:30:00Z").await;
        world.add(&project, "metal", 1).await;
        world.move_to("2027-04-01T06:00:00Z").await;
        let estimated = world.estimate(&project).await;
        world.bill().await;
        assert_eq!(charge(&world).await, 0);
        let monthly = world.monthly(account).await;
        assert_eq!(
            lines(&monthly[0]),
            [line("metal", "1", 31, 300, "2027-03-31"), line("metal", "1", 1, 9300, "2027-04-01")]
        );
        assert_eq!(lines(&estimated), lines(&monthly[0]));
        assert!(of_kind(&world, account, Kind::ProRata).await.is_empty());
    }

    async fn growth_is_charged_once_a_switch_from_its_day_and_removal_gives_nothing_back(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = customer(&world).await;
        world.move_to("2027-03-14T09:00:00Z").await;
        let seats = world.add(&project, "seats", 2).await;
        let web = world.add(&project, "instance", 1).await;
        assert_eq!(charge(&world).await, 1);
        world.move_to("2027-03-22T10:20:00Z").await;
        resize(&world, &seats, 5).await;
        resize(&world, &seats, 1).await;
        resize(&world, &seats, 4).await;
        assert_eq!(charge(&world).await, 1);
        world.move_to("2027-03-22T10:40:00Z").await;
        switch(&world, &web, "metal").await;
        world.remove(&web).await;
        world.remove(&seats).await;
        assert_eq!(charge(&world).await, 1);
        world.move_to("2027-04-01T06:00:00Z").await;
        world.bill().await;
        let at_once: Vec<_> = of_kind(&world, account, Kind::ProRata).await.iter().flat_map(lines).collect();
        assert_eq!(
            at_once,
            [
                line("seats", "36", 31, 3600, "2027-03-14"),
                line("seats", "30", 31, 3000, "2027-03-22"),
                line("metal", "10", 31, 3000, "2027-03-22"),
            ]
        );
        // 09:00 on the 14th to the hour of the switch, 10 to 11 on the 22nd.
        assert_eq!(lines(&world.monthly(account).await[0]), [line("instance", "194", 1, 2153, "2027-03-14")]);
    }

    async fn two_servers_invoice_what_fell_due_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, project) = customer(&world).await;
        for _ in 0..3 {
            world.add(&project, "metal", 1).await;
        }
        let done = futures::future::join_all((0..4).map(|_| charge(&world))).await;
        assert!(done.iter().sum::<u32>() >= 3, "{done:?}");
        let invoices = of_kind(&world, account, Kind::ProRata).await;
        let billed: i64 = invoices.iter().map(|invoice| cents(invoice.net_total.as_ref())).sum();
        assert_eq!((billed, invoices.len()), (3 * 9300, 3));
        assert_eq!(charge(&world).await, 0);
    }
}
