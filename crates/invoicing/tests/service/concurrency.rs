//! Everything that settles one account, at once (R7.7): runs, final and pro-rata invoices, credit notes.

use std::sync::Arc;

use florin_api::invoicing::v1::{
    self as wire, CreateCreditNoteRequest, credited_portion::Measure, invoice::Kind,
    invoice_service_server::InvoiceService,
};
use florin_credit::GrantKind;
use florin_platform::{call::Call, db::sql, id::AccountId, job::Job, wire::parse_child};
use florin_testbed::on_both_backends;
use futures::future::{BoxFuture, join_all};
use sea_orm::ConnectionTrait;

use crate::{
    advance::PLANS,
    world::{World, cents, operator},
};

/// How many of each settle at once: fifty together.
const EACH: usize = 10;
const NOTES: usize = 20;

/// An account with three projects that share LaunchPad and loyalty, have an invoice of March, ran through April, were
/// charged in advance and are at their end.
async fn at_its_end(world: &World) -> (AccountId, wire::Invoice) {
    world.plans(PLANS).await;
    let account = world.account("ada").await;
    let card = world.card(account).await;
    let mut projects = vec![world.project(account, Some(&card)).await];
    projects.push(world.project(account, None).await);
    projects.push(world.project(account, None).await);
    world.grant(account, GrantKind::LaunchPad, 5_000).await;
    world.grant(account, GrantKind::Loyalty, 8_000).await;
    world.voucher(&projects[0], 10).await;
    world.buy(account, &projects[1], 10, &card).await.expect("bought");
    for project in &projects {
        world.add(project, "instance", 1).await;
    }
    world.live_until("2027-04-01T06:00:00Z").await;
    let march = world.monthly(account).await.pop().expect("an invoice");
    world.grant(account, GrantKind::LaunchPad, 20_000).await;
    world.move_to("2027-05-01T04:30:00Z").await;
    for project in &projects {
        world.add(project, "metal", 1).await;
    }
    let clock = world.platform.clock;
    let delete = |tx: florin_platform::db::Tx| async move {
        florin_account::lock(&tx, &[account]).await?;
        let now = clock.now(&tx).await?;
        florin_project::begin_dunning_deletion(&tx, now, &Call::by_job("test"), &[account]).await
    };
    world.platform.db.write(delete).await.expect("deleted");
    world.move_to("2027-05-02T08:00:00Z").await;
    (account, march)
}

/// Credits one cent of the first line.
async fn note(world: &World, invoice: &str) -> usize {
    let amount =
        florin_api::google::r#type::Money { currency_code: "EUR".to_owned(), units: 0, nanos: 10_000_000 };
    let lines = vec![wire::CreditedPortion { line_number: 1, measure: Some(Measure::Net(amount)) }];
    let request = CreateCreditNoteRequest {
        invoice: invoice.to_owned(),
        lines,
        reason: "a test".to_owned(),
        ..Default::default()
    };
    world.invoice_rpc().create_credit_note(operator(request)).await.expect("credited");
    1
}

/// Runs a job; how much it did. Who was overtaken by another runner has undone its own work, and comes again.
async fn once(job: Arc<dyn Job>) -> usize {
    match job.run(100).await {
        Ok(done) => usize::try_from(done).expect("few"),
        Err(error) => {
            assert!(error.to_string().contains("another runner"), "{error:?}");
            1
        }
    }
}

async fn number(world: &World, text: &str) -> i64 {
    let reader = world.platform.db.reader();
    let row = reader.query_one_raw(sql(reader, text, [])).await.expect("a query").expect("a row");
    row.try_get_by_index(0).expect("a number")
}

/// That every sum is exact: lots against their movements and debits, invoices against their parts, numbers without gap.
async fn check_sums(world: &World, account: AccountId) {
    for (what, text) in [
        (
            "lots that differ from their movements",
            "SELECT COUNT(*) FROM credit_lot l WHERE l.remaining < 0 OR l.remaining <> (SELECT \
             CAST(COALESCE(SUM(CASE WHEN m.kind = 'ISSUED' THEN m.amount ELSE -m.amount END), 0) AS bigint) \
             FROM credit_movement m WHERE m.account_id = l.account_id AND m.lot_id = l.id)",
        ),
        (
            "lots whose debits are not those of their settlements",
            "SELECT COUNT(*) FROM credit_lot l WHERE (SELECT CAST(COALESCE(SUM(m.amount), 0) AS bigint) \
             FROM credit_movement m WHERE m.account_id = l.account_id AND m.lot_id = l.id AND m.kind = 'DEBITED') <> \
             (SELECT CAST(COALESCE(SUM(d.amount), 0) AS bigint) FROM settlement_debit d \
             WHERE d.account_id = l.account_id AND d.lot_id = l.id)",
        ),
        (
            "invoices whose debits are not their credit",
            "SELECT COUNT(*) FROM invoice i WHERE i.credit_applied <> (SELECT CAST(COALESCE(SUM(d.amount), 0) AS bigint) \
             FROM settlement_debit d WHERE d.account_id = i.account_id AND d.invoice_id = i.id) OR i.net_total <> \
             (SELECT CAST(COALESCE(SUM(l.net), 0) AS bigint) FROM invoice_line l \
             WHERE l.account_id = i.account_id AND l.invoice_id = i.id)",
        ),
        (
            "series with gaps",
            "SELECT COUNT(*) FROM invoice_series s WHERE s.last_number <> (SELECT COUNT(*) FROM invoice_number n \
             WHERE n.series = s.series AND n.year = s.year)",
        ),
    ] {
        assert_eq!(number(world, text).await, 0, "{what}");
    }
    for invoice in world.invoices(account).await {
        let (owner, id) = parse_child("invoices", &invoice.name).expect("a name");
        let proven = florin_invoicing::prove_settlement(world.platform.db.reader(), owner, id).await;
        proven.unwrap_or_else(|error| panic!("{}: {error:?}", invoice.number));
    }
}

/// That each shared lot was left by an invoice as the next one that considered it found it.
async fn check_order(world: &World, invoices: &[wire::Invoice]) {
    let mut left = std::collections::HashMap::new();
    for invoice in invoices {
        for lot in world.explain(&invoice.name).await.considered_lots {
            let before = cents(lot.balance_before.as_ref());
            if let Some(after) = left.insert(lot.credit.clone(), cents(lot.balance_after.as_ref())) {
                assert_eq!(before, after, "{} found {}", invoice.number, lot.credit);
            }
        }
    }
}

on_both_backends! {
    /// R7.7: fifty at once, and again until nothing is left to do: each once, every sum exact.
    async fn fifty_settlements_of_one_account_at_once_are_exact(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, march) = at_its_end(&world).await;
        let mut notes = NOTES;
        loop {
            let mut all: Vec<BoxFuture<'_, usize>> = Vec::new();
            for _ in 0..EACH {
                for name in ["invoicing.billing-run", "invoicing.advance", "invoicing.final-invoice"] {
                    all.push(Box::pin(once(world.job(name))));
                }
            }
            for _ in 0..notes {
                all.push(Box::pin(note(&world, &march.name)));
            }
            notes = 0;
            if join_all(all).await.into_iter().sum::<usize>() == 0 {
                break;
            }
        }
        let invoices = world.invoices(account).await;
        let of = |kind: Kind| invoices.iter().filter(|one| one.kind() == kind).cloned().collect::<Vec<_>>();
        assert_eq!((of(Kind::Monthly).len(), of(Kind::Final).len()), (6, 3), "March and April, and the end, of three");
        assert!(of(Kind::ProRata).len() <= 3);
        let charged = "SELECT CAST(COALESCE(SUM(net), 0) AS bigint) FROM invoice_line WHERE plan = 'metal'";
        assert_eq!(number(&world, charged).await, 3 * 9_300, "May in advance, of each project, once");
        assert_eq!(number(&world, "SELECT COUNT(*) FROM credit_note").await, i64::try_from(NOTES).expect("few"));
        check_sums(&world, account).await;
        assert_eq!(number(&world, "SELECT COUNT(*) FROM project WHERE state = 'DELETED'").await, 3);
    }

    /// R7.7: two invoices that share LaunchPad and loyalty settle in the order of their projects: the second finds what
    /// the first has left.
    async fn shared_lots_are_taken_in_the_order_of_the_projects(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant(account, GrantKind::LaunchPad, 3_000).await;
        world.grant(account, GrantKind::Loyalty, 1_000).await;
        let mut resources = Vec::new();
        for hour in ["2027-03-01T01:00:00Z", "2027-03-01T02:00:00Z", "2027-03-01T03:00:00Z"] {
            world.move_to(hour).await;
            let project = world.project(account, None).await;
            resources.push(world.add(&project, "instance", 1).await);
        }
        world.move_to("2027-03-09T10:30:00Z").await;
        for resource in &resources {
            world.remove(resource).await;
        }
        world.move_to("2027-04-01T06:00:00Z").await;
        join_all((0..8).map(|_| once(world.job("invoicing.billing-run")))).await;
        world.bill().await;
        let invoices = world.monthly(account).await;
        // 202, 201 and 200 hours of 0.111: the first takes 22.42 of LaunchPad; the second the other 7.58, and loyalty.
        let applied = invoices.iter().map(|invoice| cents(invoice.credit_applied.as_ref()));
        assert_eq!(applied.collect::<Vec<_>>(), [2242, 1758, 0]);
        check_order(&world, &invoices).await;
        check_sums(&world, account).await;
    }
}
