//! Operators correct invoices (R7.9, R6.13): what is credited, where the money goes, and what becomes of loyalty.

use florin_api::invoicing::v1::{
    self as wire, collection_service_server::CollectionService, credited_portion::Measure,
    invoice_service_server::InvoiceService,
};
use florin_credit::GrantKind;
use florin_platform::id::AccountId;
use florin_testbed::on_both_backends;
use futures::future::join_all;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::world::{Mood, World, cents, customer, operator};

/// An account, and the invoice of its March.
struct Billed {
    account: AccountId,
    card: String,
    invoice: wire::Invoice,
}

/// An account whose March, so many hours of an instance, was billed while the till was in `mood`.
async fn billed(world: &World, name: &str, hours: u32, mood: Mood) -> Billed {
    let account = world.account(name).await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    let instance = world.add(&project, "instance", 1).await;
    world.move_to(&world.now().await.plus_hours(hours - 1).to_string()).await;
    world.remove(&instance).await;
    world.till.set(mood);
    world.live_until("2027-04-01T06:00:00Z").await;
    let invoice = world.monthly(account).await.remove(0);
    Billed { account, card, invoice }
}

impl Billed {
    fn request(&self) -> wire::CreateCreditNoteRequest {
        wire::CreateCreditNoteRequest {
            invoice: self.invoice.name.clone(),
            reason: "an outage".to_owned(),
            ..Default::default()
        }
    }

    fn of_first_line(&self, measure: Measure) -> wire::CreateCreditNoteRequest {
        let lines = vec![wire::CreditedPortion { line_number: 1, measure: Some(measure) }];
        wire::CreateCreditNoteRequest { lines, ..self.request() }
    }

    fn net(&self, minor: i32) -> wire::CreateCreditNoteRequest {
        let (units, nanos) = (i64::from(minor / 100), minor % 100 * 10_000_000);
        let currency_code = "EUR".to_owned();
        let amount = florin_api::google::r#type::Money { currency_code, units, nanos };
        self.of_first_line(Measure::Net(amount))
    }

    fn units(&self, value: &str) -> wire::CreateCreditNoteRequest {
        let value = value.to_owned();
        self.of_first_line(Measure::Quantity(florin_api::google::r#type::Decimal { value }))
    }

    fn whole(&self) -> wire::CreateCreditNoteRequest {
        wire::CreateCreditNoteRequest { whole: true, ..self.request() }
    }

    async fn state(&self, world: &World) -> wire::invoice::State {
        world.monthly(self.account).await[0].state()
    }
}

async fn create(world: &World, request: wire::CreateCreditNoteRequest) -> Result<wire::CreditNote, Status> {
    world.invoice_rpc().create_credit_note(operator(request)).await.map(tonic::Response::into_inner)
}

fn reason(refused: &Status) -> String {
    refused.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

async fn debts(world: &World, account: AccountId) -> Vec<wire::Debt> {
    let request = wire::ListDebtsRequest { parent: format!("accounts/{account}"), ..Default::default() };
    world.collection().list_debts(operator(request)).await.expect("debts").into_inner().debts
}

async fn pay_debts(world: &World, account: AccountId, card: &str) {
    let request = wire::PayDebtRequest {
        parent: format!("accounts/{account}"),
        payment_method: card.to_owned(),
        ..Default::default()
    };
    world.collection().pay_debt(customer(account, request)).await.expect("paid");
}

/// What is left of the loyalty of the account.
async fn loyalty(world: &World, account: AccountId) -> i64 {
    let lots = florin_credit::lots::of_accounts(world.platform.db.reader(), &[account]).await.expect("lots");
    let loyalty = lots.iter().filter(|(_, lot)| lot.kind() == florin_settlement::LotKind::Loyalty);
    loyalty.map(|(_, lot)| lot.remaining().minor()).sum()
}

on_both_backends! {
    /// R7.9: 20 hours, 2.22 net, 2.66 with VAT: an amount, then units, then the rest; what was paid goes back, to the
    /// cent, and a preview says it before.
    async fn an_invoice_is_credited_by_amount_by_units_and_in_whole(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Approves).await;
        assert_eq!(cents(billed.invoice.amount_incl_tax.as_ref()), 266);
        let mut given = Vec::new();
        for request in [billed.net(50), billed.units("10"), billed.whole()] {
            let preview = wire::CreateCreditNoteRequest { validate_only: true, ..request.clone() };
            let preview = create(&world, preview).await.expect("a preview");
            let note = create(&world, request).await.expect("credited");
            assert_eq!((preview.name.as_str(), preview.number.as_str()), ("", ""));
            let issued = wire::CreditNote {
                name: String::new(),
                number: String::new(),
                issue_time: None,
                ..note.clone()
            };
            assert_eq!(preview, issued);
            assert_eq!(note.refunded_incl_tax, note.amount_incl_tax, "it was paid: all of it goes back");
            assert_eq!(note.refunds[0].payment, billed.invoice.payment);
            given.push((cents(note.net_total.as_ref()), cents(note.refunded_incl_tax.as_ref())));
        }
        // 0.444 of VAT in all: 0.10, then 0.32 less 0.10, then 0.44 less 0.32.
        assert_eq!(given, [(50, 60), (111, 133), (61, 73)]);
        assert_eq!(world.till.given_back(), [60, 133, 73]);
        for request in [billed.whole(), billed.net(1), billed.units("1")] {
            let more = create(&world, request).await.expect_err("nothing is left");
            assert_eq!(reason(&more), "CREDIT_NOTE_EXCEEDS_INVOICE");
        }
    }

    async fn a_request_that_says_nothing_clear_is_refused_with_every_violation(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Approves).await;
        let both = wire::CreateCreditNoteRequest { whole: true, reason: " ".to_owned(), ..billed.net(1) };
        for (request, fields) in [
            (both, vec!["lines", "reason"]),
            (billed.request(), vec!["lines"]),
            (billed.units("0"), vec!["lines[0].quantity"]),
            (billed.units("0.0000001"), vec!["lines"]),
            (billed.net(0), vec!["lines"]),
        ] {
            let refused = create(&world, request).await.expect_err("refused");
            assert_eq!(refused.code(), Code::InvalidArgument);
            let violations = refused.get_details_bad_request().expect("violations").field_violations;
            assert_eq!(violations.iter().map(|one| one.field.as_str()).collect::<Vec<_>>(), fields);
        }
        let missing = format!("accounts/{}/invoices/{}", billed.account, florin_invoicing::InvoiceId::from_u128(7));
        let missing = wire::CreateCreditNoteRequest { invoice: missing, ..billed.whole() };
        assert_eq!(create(&world, missing).await.expect_err("missing").code(), Code::NotFound);
    }

    /// R3.6, R7.9: an answer of the provider that is lost is asked for again, and the money goes back once; so is a
    /// repeated request one note.
    async fn a_refund_is_made_once_whatever_is_lost_or_repeated(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Approves).await;
        world.till.lose_refunds(true);
        let request = wire::CreateCreditNoteRequest { request_id: "once".to_owned(), ..billed.whole() };
        let note = create(&world, request.clone()).await.expect("credited");
        assert_eq!(create(&world, request.clone()).await.expect("replayed"), note);
        let other = wire::CreateCreditNoteRequest { reason: "another".to_owned(), ..request };
        assert_eq!(reason(&create(&world, other).await.expect_err("reused")), "REQUEST_ID_REUSED");
        world.till.lose_refunds(false);
        world.move_to("2027-04-01T08:00:00Z").await;
        world.reconcile().await;
        assert_eq!(world.till.given_back(), [266]);
        let reader = world.platform.db.reader();
        let payments = florin_payment::of_reference(reader, billed.account, &billed.invoice.name).await;
        assert_eq!(payments.expect("payments")[0].refunded.minor(), 266);
    }

    /// Twenty at once, each all that is left: one is issued, and the money goes back once.
    async fn of_many_at_once_one_credits_the_whole(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Approves).await;
        let notes = join_all((0..20).map(|_| create(&world, billed.whole()))).await;
        assert_eq!(notes.iter().filter(|note| note.is_ok()).count(), 1);
        assert_eq!(world.till.given_back(), [266]);
    }

    /// R7.9: money first lowers what is unpaid; what was never captured never goes back.
    async fn a_debt_is_lowered_before_anything_goes_back(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::DeclinesForNow).await;
        let note = create(&world, billed.net(100)).await.expect("credited");
        let lowered = [&note.lowered_debt_incl_tax, &note.refunded_incl_tax].map(|sum| cents(sum.as_ref()));
        assert_eq!(lowered, [120, 0]);
        assert_eq!(cents(debts(&world, billed.account).await[0].owed_incl_tax.as_ref()), 146);
        world.till.set(Mood::Approves);
        pay_debts(&world, billed.account, &billed.card).await;
        assert_eq!(billed.state(&world).await, wire::invoice::State::Paid);
        assert_eq!(loyalty(&world, billed.account).await, 1, "of the 1.22 that were paid");
        let paid = world.monthly(billed.account).await.remove(0).amount_paid_incl_tax;
        assert_eq!(cents(paid.as_ref()), 146);
        let rest = create(&world, billed.whole()).await.expect("credited");
        assert_eq!(cents(rest.refunded_incl_tax.as_ref()), 146);
        assert_eq!(world.till.given_back(), [146]);
        assert_eq!(loyalty(&world, billed.account).await, 0);
    }

    /// A debt credits leave nothing of is closed, and nobody is asked for it again.
    async fn a_debt_credited_in_whole_is_closed(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Declines).await;
        create(&world, billed.whole()).await.expect("credited");
        let debt = debts(&world, billed.account).await.remove(0);
        assert_eq!(debt.state(), wire::debt::State::Credited);
        assert_eq!(billed.state(&world).await, wire::invoice::State::Paid);
        assert_eq!((world.till.given_back().len(), loyalty(&world, billed.account).await), (0, 0));
    }

    /// What was written off was never paid: nothing of it goes back.
    async fn what_was_written_off_does_not_go_back(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Declines).await;
        let name = debts(&world, billed.account).await.remove(0).name;
        let request = wire::WriteOffDebtRequest { name, reason: "lost".to_owned(), ..Default::default() };
        world.collection().write_off_debt(operator(request)).await.expect("written off");
        let note = create(&world, billed.whole()).await.expect("credited");
        assert_eq!(cents(note.refunded_incl_tax.as_ref()), 0);
        assert_eq!(world.till.given_back(), [0_i64; 0]);
    }

    /// While a payment is on its way nobody knows whether there will be money to give back.
    async fn what_is_being_collected_waits(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::Ponders).await;
        let refused = create(&world, billed.whole()).await.expect_err("it is being collected");
        assert_eq!(reason(&refused), "INVOICE_BEING_COLLECTED");
    }

    /// R6.2: bought credit is not given back as money.
    async fn bought_credit_is_not_refunded(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("buyer").await;
        let card = world.card(account).await;
        let project = world.project(account, Some(&card)).await;
        world.buy(account, &project, 30, &card).await.expect("bought");
        let invoice = world.invoices(account).await.remove(0);
        let billed = Billed { account, card, invoice };
        let refused = create(&world, billed.whole()).await.expect_err("bought");
        assert_eq!(reason(&refused), "BOUGHT_CREDIT_NOT_REFUNDABLE");
    }

    /// One payment for the debts of two invoices: each gives back its own part of it, and no more.
    async fn an_invoice_gives_back_its_own_part_of_a_payment_for_several(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 20, Mood::DeclinesForNow).await;
        let instance = world.add(&billed.invoice.project, "instance", 1).await;
        world.move_to("2027-04-01T15:30:00Z").await;
        world.remove(&instance).await;
        world.move_to("2027-05-01T06:00:00Z").await;
        world.bill().await;
        world.till.set(Mood::Approves);
        pay_debts(&world, billed.account, &billed.card).await;
        let both = world.monthly(billed.account).await;
        assert_eq!(both.iter().map(|one| cents(one.amount_incl_tax.as_ref())).collect::<Vec<_>>(), [266, 133]);
        for (invoice, back) in both.into_iter().zip([266, 133]) {
            let billed = Billed { account: billed.account, card: String::new(), invoice };
            let note = create(&world, billed.whole()).await.expect("credited");
            assert_eq!(cents(note.refunded_incl_tax.as_ref()), back);
        }
        assert_eq!(world.till.given_back(), [266, 133]);
    }

    /// R6.7: 22.20 earned 0.22; half of it credited takes 0.11 back. What is spent is netted from what is earned later.
    async fn loyalty_earned_on_what_is_credited_is_taken_back(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 200, Mood::Approves).await;
        assert_eq!(loyalty(&world, billed.account).await, 22);
        create(&world, billed.net(1110)).await.expect("credited");
        assert_eq!(loyalty(&world, billed.account).await, 11);
        create(&world, billed.net(10)).await.expect("credited");
        assert_eq!(loyalty(&world, billed.account).await, 11, "of 11.00 as of 11.10");
        let text = "SELECT COUNT(*) FROM credit_movement WHERE kind = 'CLAWBACK'";
        let reader = world.platform.db.reader();
        let row = sea_orm::ConnectionTrait::query_one_raw(reader, florin_platform::db::sql(reader, text, [])).await;
        let clawed: i64 = row.expect("a query").expect("a row").try_get_by_index(0).expect("a number");
        assert_eq!(clawed, 1);
    }

    /// R6.7: what is taken back and was spent already is netted from what is earned later.
    async fn a_shortfall_of_loyalty_is_netted_from_later_earnings(db: TestDatabase) {
        let world = World::open(&db).await;
        let billed = billed(&world, "ada", 200, Mood::Approves).await;
        let project = world.project(billed.account, None).await;
        let mut on = world.add(&project, "instance", 1).await;
        world.move_to("2027-04-05T05:30:00Z").await;
        world.remove(&on).await;
        // 96 hours, 10.66, of which loyalty pays 0.22; 10.44 earn 0.10.
        world.live_until("2027-05-01T06:00:00Z").await;
        assert_eq!(loyalty(&world, billed.account).await, 10);
        create(&world, billed.whole()).await.expect("credited");
        assert_eq!(loyalty(&world, billed.account).await, 10, "0.22 is owed: the other invoice's stays");
        on = world.add(&project, "instance", 1).await;
        world.move_to("2027-05-14T00:30:00Z").await;
        world.remove(&on).await;
        world.live_until("2027-06-01T06:00:00Z").await;
        // 307 hours, 34.08, of which loyalty pays 0.10; 33.98 earn 0.33, of which 0.22 is netted.
        assert_eq!(loyalty(&world, billed.account).await, 11);
    }

    /// R7.9: credit comes back with the old expiry; what has expired meanwhile lapses in the same transaction.
    async fn credit_that_has_expired_meanwhile_comes_back_and_lapses_at_once(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("ada").await;
        world.grant_until(account, GrantKind::LaunchPad, 10_000, "2027-04-02T00:00:00Z").await;
        let project = world.project(account, None).await;
        let instance = world.add(&project, "instance", 1).await;
        world.move_to("2027-03-01T19:30:00Z").await;
        world.remove(&instance).await;
        world.live_until("2027-04-03T00:00:00Z").await;
        let invoice = world.monthly(account).await.remove(0);
        let billed = Billed { account, card: String::new(), invoice };
        let note = create(&world, billed.whole()).await.expect("credited");
        assert_eq!(cents(note.credit_returned.as_ref()), 222);
        let text = "SELECT COUNT(*) FROM credit_lot lot JOIN credit_movement lapse ON lapse.account_id = lot.account_id \
                    AND lapse.lot_id = lot.id WHERE lot.origin = 'CREDIT_NOTE' AND lot.remaining = 0 \
                    AND lapse.kind = 'EXPIRED' AND lapse.amount = 222";
        let reader = world.platform.db.reader();
        let row = sea_orm::ConnectionTrait::query_one_raw(reader, florin_platform::db::sql(reader, text, [])).await;
        let lapsed: i64 = row.expect("a query").expect("a row").try_get_by_index(0).expect("a number");
        assert_eq!(lapsed, 1);
    }
}
