//! Buying cloud credit (R6.3, R6.4).

use florin_api::credit::v1::{
    CancelCreditOrderRequest, CreditOrder, GetCreditOrderDocumentRequest, GetCreditOrderRequest,
    ListCreditOrdersRequest, PayCreditOrderRequest, PreviewCreditOrderRequest, credit::State as LotState,
    credit_order::State, credit_order_service_server::CreditOrderService,
};
use florin_api::payment::v1::payment::State as PaymentState;
use florin_credit::{GateView, orders};
use florin_platform::{
    call::{Call, Principal},
    id::Id,
    wire,
};
use florin_testbed::on_both_backends;
use futures::future::join_all;
use tonic::{Code, Response, Status};

use crate::world::{FIRST, PENDING, World, euros, reason};

impl World {
    async fn get(&self, name: &str) -> CreditOrder {
        let request = GetCreditOrderRequest { name: name.to_owned() };
        self.order_rpc().get_credit_order(self.request(request)).await.expect("an order").into_inner()
    }

    async fn cancel(&self, name: &str) -> Result<CreditOrder, Status> {
        let request =
            CancelCreditOrderRequest { name: name.to_owned(), ..CancelCreditOrderRequest::default() };
        self.order_rpc().cancel_credit_order(self.request(request)).await.map(Response::into_inner)
    }
}

on_both_backends! {
    async fn an_order_is_paid_through_its_link_without_a_session_and_becomes_one_lot(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        assert_eq!(order.state(), State::AwaitingPayment);
        assert_eq!(order.tax_amount, Some(euros(6)));
        assert_eq!(order.amount_incl_tax, Some(euros(36)));
        assert!(order.payment_link.starts_with("https://florin.example.com/pay/"), "{}", order.payment_link);
        assert!(world.credits(world.account).await.is_empty(), "nothing before it is paid");

        let paid = world.pay(&order, "card").await.expect("paid");
        assert_eq!(paid.payment.as_ref().map(|payment| payment.state()), Some(PaymentState::Succeeded));
        let paid = paid.credit_order.expect("the order");
        assert_eq!(paid.state(), State::Paid);
        assert_eq!(paid.payment_link, "");

        let credits = world.credits(world.account).await;
        let [credit] = credits.as_slice() else { panic!("one lot") };
        assert_eq!(credit.name, paid.credit);
        assert_eq!(credit.remaining_amount, Some(euros(30)));
        assert_eq!(credit.origin_reference, order.name);
        let issued = wire::instant(&credit.issue_time.expect("issued")).expect("an instant");
        let expires = wire::instant(&credit.expire_time.expect("expires")).expect("an instant");
        assert_eq!(expires, issued.plus_months_clamped(13));
        assert!(expires.to_string().starts_with("2028-02-29T"), "{expires}");
        assert_eq!(world.movements(&credit.name).await.len(), 1);
        world.check_ledger().await;
    }

    /// Section 11: what was answered is answered again, also while the provider cannot be asked what the card is.
    async fn who_paid_gets_the_same_answer_again_whoever_cannot_be_reached(database: TestDatabase) {
        let world = World::new(&database).await;
        let (order, other) = (world.order(30).await.expect("an order"), world.order(30).await.expect("another"));
        let pay = async |order: &CreditOrder, request_id: &str| {
            let request = PayCreditOrderRequest { request_id: request_id.into(), ..world.payment(order, "card") };
            let request = world.request_by(Principal::Anonymous, "pay", request);
            world.order_rpc().pay_credit_order(request).await.map(Response::into_inner)
        };
        let paid = pay(&order, "once").await.expect("paid");
        world.bank.close();
        assert_eq!(pay(&order, "once").await.expect("the same"), paid);
        assert_eq!(pay(&other, "another").await.expect_err("nobody knows the card").code(), Code::Unavailable);
        assert_eq!(pay(&other, "once").await.expect_err("not the same request").code(), Code::Unavailable);
    }

    async fn a_link_pays_its_own_order_only_and_nobody_without_it_gets_in(database: TestDatabase) {
        let world = World::new(&database).await;
        let (first, second) = (world.order(30).await.expect("an order"), world.order(40).await.expect("an order"));
        let crossed = CreditOrder { payment_link: second.payment_link.clone(), ..first.clone() };
        assert_eq!(reason(world.pay(&crossed, "card").await), "PAYMENT_LINK_INVALID");
        let guessed = CreditOrder { payment_link: "https://florin.example.com/pay/guess".into(), ..first.clone() };
        assert_eq!(reason(world.pay(&guessed, "card").await), "PAYMENT_LINK_INVALID");
        let stranger = Principal::Customer { account: world.new_account("CORPORATION").await, session: Id::from_u128(1) };
        let request = GetCreditOrderRequest { name: first.name.clone() };
        let request = world.request_by(stranger, "get", request);
        let seen = world.order_rpc().get_credit_order(request).await;
        assert_eq!(seen.err().map(|status| status.code()), Some(Code::NotFound));
        let stored = world.count("SELECT COUNT(*) FROM payment_link WHERE length(token_digest) = 32", []).await;
        assert_eq!(stored, 2, "only digests are stored");
    }

    async fn amounts_are_whole_units_in_the_accounts_currency_and_initial_ones_reach_the_minimum(database: TestDatabase) {
        let world = World::new(&database).await;
        for units in [0, -1, 100_000_000] {
            assert_eq!(reason(world.order(units).await), "AMOUNT_NOT_WHOLE_UNITS", "{units}");
        }
        let with = |change: fn(&mut CreditOrder)| {
            let mut request = world.new_order(world.account, world.project, 30);
            request.credit_order.as_mut().map(change).expect("an order");
            async { world.order_rpc().create_credit_order(world.request(request)).await }
        };
        let cents = with(|order| order.amount.as_mut().expect("an amount").nanos = 10_000_000).await;
        assert_eq!(reason(cents), "AMOUNT_NOT_WHOLE_UNITS");
        let finer = with(|order| order.amount.as_mut().expect("an amount").nanos = 1).await;
        assert_eq!(reason(finer), "AMOUNT_NOT_WHOLE_UNITS");
        let dollars = with(|order| order.amount.as_mut().expect("an amount").currency_code = "USD".into()).await;
        assert_eq!(reason(dollars), "CURRENCY_MISMATCH");
        world.projects.set(world.account, world.project, PENDING);
        assert_eq!(reason(world.order(29).await), "ORDER_AMOUNT_TOO_SMALL");
        assert!(world.order(30).await.expect("an order").initial);
    }

    async fn a_preview_shows_the_order_and_writes_nothing(database: TestDatabase) {
        let world = World::new(&database).await;
        let create = world.new_order(world.account, world.project, 30);
        let request = PreviewCreditOrderRequest { parent: create.parent.clone(), credit_order: create.credit_order.clone() };
        let preview = world.order_rpc().preview_credit_order(world.request(request)).await.expect("a preview").into_inner();
        assert_eq!(preview.credit_order.and_then(|order| order.amount_incl_tax), Some(euros(36)));
        assert!(!preview.immediate_supply_consent_needed);
        let rehearsed = florin_api::credit::v1::CreateCreditOrderRequest { validate_only: true, ..create };
        let rehearsed = world.order_rpc().create_credit_order(world.request(rehearsed)).await.expect("an order").into_inner();
        assert_eq!((rehearsed.name.as_str(), rehearsed.payment_link.as_str()), ("", ""));
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_order", []).await, 0);
    }

    async fn the_same_request_id_places_one_order_and_gets_its_link_again(database: TestDatabase) {
        let world = World::new(&database).await;
        let mut request = world.new_order(world.account, world.project, 30);
        request.request_id = "one".into();
        let place = |request| async { world.order_rpc().create_credit_order(world.request(request)).await };
        let (first, second) = (place(request.clone()).await, place(request.clone()).await);
        assert_eq!(first.expect("an order").into_inner(), second.expect("the same").into_inner());
        request.credit_order.as_mut().expect("an order").amount = Some(euros(31));
        assert_eq!(reason(place(request).await), "REQUEST_ID_REUSED");
        let link = world.links.token(world.account, florin_credit::OrderId::from_u128(0));
        let stored = world.count("SELECT COUNT(*) FROM idempotency WHERE answer IS NOT NULL", []).await;
        assert_eq!((stored, link.len()), (1, 43));
    }

    /// R6.4: exactly once, however often and however concurrently the payment is confirmed.
    async fn twenty_confirmations_at_once_issue_one_lot(database: TestDatabase) {
        let world = &World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let answer = world.pay(&order, "later").await.expect("begun");
        let payment = answer.payment.expect("a payment");
        assert_eq!(payment.state(), PaymentState::ActionRequired);
        world.bank.pass();
        let id = florin_payment::PaymentId::parse(payment.name.rsplit('/').next().unwrap_or_default()).expect("an id");
        let call = &Call::by_job("test");
        let confirmed = (0..20).map(|_| world.payments.drive(call, world.account, id));
        for driven in join_all(confirmed).await {
            driven.expect("driven");
        }
        assert_eq!(world.credits(world.account).await.len(), 1);
        let found = florin_payment::find(world.platform.db.reader(), world.account, id).await;
        let payment = &found.expect("a query").expect("a payment");
        let (account, order) = orders::of_reference(&payment.reference).expect("an order");
        let again = world.platform.db.write(|tx| async move {
            florin_account::lock(&tx, &[account]).await?;
            orders::paid(&tx, payment.updated, call, &*world.projects, (account, order), payment).await
        });
        assert!(matches!(again.await, Ok(orders::PaidOrder::Already(_))));
        assert_eq!(world.credits(world.account).await.len(), 1);
        world.check_ledger().await;
    }

    /// R6.3: money that comes twice goes back and never becomes a lot.
    async fn the_second_of_two_payments_goes_back(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let first = world.pay(&order, "later").await.expect("begun").payment.expect("a payment");
        let second = world.pay(&order, "card").await.expect("paid").credit_order.expect("the order");
        assert_eq!(second.state(), State::Paid);
        world.bank.pass();
        let id = florin_payment::PaymentId::parse(first.name.rsplit('/').next().unwrap_or_default()).expect("an id");
        world.payments.drive(&Call::by_job("test"), world.account, id).await.expect("driven");
        assert_eq!(world.credits(world.account).await.len(), 1);
        assert_eq!(world.bank.refunded(), 1);
        assert_eq!(world.get(&order.name).await.payment, second.payment);
    }

    async fn a_declined_order_can_be_paid_again_and_a_paid_one_cannot(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let declined = world.pay(&order, "declined").await.expect("an answer");
        assert_eq!(declined.payment.map(|payment| payment.state()), Some(PaymentState::Declined));
        assert_eq!(declined.credit_order.map(|order| order.state()), Some(State::AwaitingPayment));
        world.pay(&order, "card").await.expect("paid");
        assert_eq!(reason(world.pay(&order, "card").await), "ORDER_NOT_PAYABLE");
        assert_eq!(reason(world.cancel(&order.name).await), "ORDER_NOT_CANCELABLE");
        assert_eq!(world.credits(world.account).await.len(), 1);
    }

    async fn a_repeated_payment_request_charges_once(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let mut request = world.payment(&order, "card");
        request.request_id = "pay-once".into();
        let pay = || async {
            let request = world.request_by(Principal::Anonymous, "pay", request.clone());
            world.order_rpc().pay_credit_order(request).await.map(Response::into_inner)
        };
        assert_eq!(pay().await.expect("paid"), pay().await.expect("replayed"));
        assert_eq!(world.count("SELECT COUNT(*) FROM payment", []).await, 1);
        assert_eq!(world.credits(world.account).await.len(), 1);
    }

    async fn a_rehearsed_payment_takes_no_money(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let request = florin_api::credit::v1::PayCreditOrderRequest { validate_only: true, ..world.payment(&order, "card") };
        let answer = world.order_rpc().pay_credit_order(world.request_by(Principal::Anonymous, "pay", request)).await;
        let answer = answer.expect("an answer").into_inner();
        assert_eq!(answer.payment.map(|payment| payment.name), Some(String::new()));
        assert_eq!(world.count("SELECT COUNT(*) FROM payment", []).await, 0);
        assert_eq!(world.get(&order.name).await.state(), State::AwaitingPayment);
    }

    async fn a_canceled_order_frees_its_pending_project_and_its_money_goes_back(database: TestDatabase) {
        let world = World::new(&database).await;
        world.projects.set(world.account, world.project, PENDING);
        let order = world.order(30).await.expect("an order");
        assert_eq!(world.cancel(&order.name).await.expect("canceled").state(), State::Canceled);
        assert_eq!(world.projects.told(), ["unfunded"]);
        assert_eq!(reason(world.pay(&order, "card").await), "ORDER_NOT_PAYABLE");
        world.projects.set(world.account, world.project, FIRST);
        let other = world.order(30).await.expect("an order");
        world.cancel(&other.name).await.expect("canceled");
        assert_eq!(world.projects.told(), ["unfunded"], "only an initial order funds a project");
        world.projects.set(world.account, world.project, PENDING);
        let (one, another) = (world.order(30).await.expect("an order"), world.order(40).await.expect("an order"));
        world.cancel(&one.name).await.expect("canceled");
        assert_eq!(world.projects.told(), ["unfunded"], "another order can still fund it");
        world.cancel(&another.name).await.expect("canceled");
        assert_eq!(world.projects.told(), ["unfunded", "unfunded"]);
    }

    async fn orders_are_listed_in_order_by_state_and_page(database: TestDatabase) {
        let world = World::new(&database).await;
        let mut names = Vec::new();
        for units in 1..=5 {
            names.push(world.order(units).await.expect("an order").name);
        }
        world.cancel(&names[1]).await.expect("canceled");
        let list = async |request: ListCreditOrdersRequest| {
            let parent = wire::account_name(world.account);
            let request = ListCreditOrdersRequest { parent, ..request };
            world.order_rpc().list_credit_orders(world.request(request)).await.expect("a list").into_inner()
        };
        let mut seen = Vec::new();
        let mut page_token = String::new();
        loop {
            let page = list(ListCreditOrdersRequest { page_size: 2, page_token, ..ListCreditOrdersRequest::default() }).await;
            seen.extend(page.credit_orders.into_iter().map(|order| order.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, names);
        let states = vec![State::Canceled.into()];
        let canceled = list(ListCreditOrdersRequest { states, ..ListCreditOrdersRequest::default() }).await;
        assert_eq!(canceled.credit_orders.iter().map(|order| &order.name).collect::<Vec<_>>(), [&names[1]]);
    }

    /// R8.4: for credit the day of the payment decides the VAT, and what is charged is kept.
    async fn the_day_of_the_payment_decides_the_vat(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let rise = florin_platform::column::At::from(world.now().await.plus_hours(1));
        let text = "INSERT INTO vat_rate (country, effective_at, rate) VALUES ('FR', $1, '21')";
        world.execute(text, [rise.into()]).await.expect("a new rate");
        let before = world.order(40).await.expect("an order");
        assert_eq!(world.pay(&before, "later").await.expect("begun").payment.expect("one").amount_incl_tax, Some(euros(48)));
        world.move_to(world.now().await.plus_hours(2)).await;
        assert_eq!(world.get(&order.name).await.amount_incl_tax, Some(euros(36)), "as of its creation");
        let paid = world.pay(&order, "card").await.expect("paid");
        let charged = florin_api::google::r#type::Money { currency_code: "EUR".into(), units: 36, nanos: 300_000_000 };
        assert_eq!(paid.payment.expect("a payment").amount_incl_tax, Some(charged.clone()));
        let paid = paid.credit_order.expect("the order");
        assert_eq!((paid.state(), paid.amount_incl_tax.clone()), (State::Paid, Some(charged)));
        assert_eq!(paid.tax_rate.map(|rate| rate.value), Some("21".to_owned()));
        assert_eq!(world.get(&order.name).await.amount_incl_tax, paid.amount_incl_tax);
        // What was begun before the change is worth what was charged then.
        world.bank.pass();
        let name = world.get(&before.name).await.payment;
        let id = florin_payment::PaymentId::parse(name.rsplit('/').next().unwrap_or_default()).expect("an id");
        world.payments.drive(&Call::by_job("test"), world.account, id).await.expect("driven");
        let old = world.get(&before.name).await;
        assert_eq!((old.state(), old.amount_incl_tax), (State::Paid, Some(euros(48))));
        assert_eq!(world.count("SELECT COUNT(*) FROM credit_order_charge", []).await, 1);
        for statement in ["UPDATE credit_order_charge SET tax = 0", "DELETE FROM credit_order_charge"] {
            assert!(world.execute(statement, []).await.is_err(), "{statement}");
        }
        world.check_ledger().await;
    }

    /// R6.3: money that arrives for a project that is gone goes back and never becomes a lot.
    async fn money_for_a_project_that_is_gone_goes_back(database: TestDatabase) {
        let world = World::new(&database).await;
        let order = world.order(30).await.expect("an order");
        let payment = world.pay(&order, "later").await.expect("begun").payment.expect("a payment");
        world.projects.set(world.account, world.project, GateView { live: false, over: true, ..FIRST });
        world.bank.pass();
        let id = florin_payment::PaymentId::parse(payment.name.rsplit('/').next().unwrap_or_default()).expect("an id");
        world.payments.drive(&Call::by_job("test"), world.account, id).await.expect("driven");
        assert!(world.credits(world.account).await.is_empty());
        assert_eq!(world.bank.refunded(), 1);
        assert_eq!(world.get(&order.name).await.state(), State::Canceled);
    }

    /// R6.3: printable, in the customer's language, with the seller's mentions, and the same bytes later.
    async fn an_orders_document_is_the_same_whatever_happens_later(database: TestDatabase) {
        let mut world = World::new(&database).await;
        world.account = world.new_account("INDIVIDUAL").await;
        world.project = world.new_project(world.account, FIRST).await;
        let text = "UPDATE account SET language = 'fr', family_name = '<Lovelace>' WHERE account_id = $1";
        world.execute(text, [world.account.into()]).await.expect("a French customer");
        let order = world.order(30).await.expect("an order");
        let document = async || {
            let request = GetCreditOrderDocumentRequest { name: order.name.clone() };
            let got = world.order_rpc().get_credit_order_document(world.request(request)).await.expect("a document");
            let got = got.into_inner();
            assert_eq!(got.content_type, "text/html; charset=utf-8");
            assert_eq!(got.file_name, format!("{}.html", order.number));
            String::from_utf8(got.content).expect("text")
        };
        let first = document().await;
        for part in ["Bon de commande", "Florin SAS", "FR40303265045", "Ada &lt;Lovelace&gt;", "36.00 EUR", "rétracter", &order.number] {
            assert!(first.contains(part), "{part} is not in {first}");
        }
        let text = "UPDATE account SET language = 'de', family_name = 'King', city = 'London' WHERE account_id = $1";
        world.execute(text, [world.account.into()]).await.expect("another name");
        world.pay(&order, "card").await.expect("paid");
        world.pass_days(3).await;
        assert_eq!(document().await, first);
        let stranger = Principal::Customer { account: world.new_account("CORPORATION").await, session: Id::from_u128(1) };
        let request = GetCreditOrderDocumentRequest { name: order.name.clone() };
        let seen = world.order_rpc().get_credit_order_document(world.request_by(stranger, "get", request)).await;
        assert_eq!(seen.err().map(|status| status.code()), Some(Code::NotFound));
        assert!(world.execute("UPDATE credit_order_document SET seller = 'x'", []).await.is_err());
        assert!(world.execute("UPDATE credit_order_document SET buyer = 'x'", []).await.is_err());
        assert!(world.execute("UPDATE credit_order_document SET buyer = ''", []).await.is_ok(), "erased (R2.8)");
    }

    /// R6.4: who did not ask for immediate supply may withdraw until the lot is issued, and gets no lot then.
    async fn a_consumer_may_withdraw_for_14_days_and_gets_no_lot_then(database: TestDatabase) {
        let mut world = World::new(&database).await;
        world.account = world.new_account("INDIVIDUAL").await;
        world.project = world.new_project(world.account, FIRST).await;
        let world = &world;
        let withdraw = async |name: &str| {
            let named = orders::of_reference(name).expect("an order");
            let withdrawn = world.platform.db.write(|tx| async move {
                let at = world.platform.clock.now(&tx).await?;
                orders::withdraw(&tx, at, &Call::by_job("test"), &*world.reversals, named, "").await
            });
            withdrawn.await.map_err(Status::from)
        };
        let (order, kept) = (world.order(30).await.expect("an order"), world.order(40).await.expect("an order"));
        assert_eq!(reason(withdraw(&order.name).await), "ORDER_NOT_WITHDRAWABLE");
        let paid = world.pay(&order, "card").await.expect("paid").credit_order.expect("the order");
        assert_eq!(paid.withdrawal_end_time, paid.supply_time);
        world.pay(&kept, "card").await.expect("paid");
        world.pass_days(13).await;
        withdraw(&order.name).await.expect("withdrawn");
        let gone = world.get(&order.name).await;
        assert_eq!((gone.state(), gone.supply_time, gone.withdrawal_end_time), (State::Withdrawn, None, None));
        assert_eq!(reason(withdraw(&order.name).await), "ORDER_NOT_WITHDRAWABLE");
        assert_eq!(world.reversals.told(), std::slice::from_ref(&order.number), "the money goes back once");
        world.pass_days(1).await;
        assert_eq!(world.credits(world.account).await.len(), 1, "the other order is supplied");
        assert_eq!(reason(withdraw(&kept.name).await), "ORDER_NOT_WITHDRAWABLE");
        assert_eq!(reason(world.pay(&order, "card").await), "ORDER_NOT_PAYABLE");
        assert!(world.execute("UPDATE credit_order SET withdrawn_at = NULL", []).await.is_err());
        let states = vec![State::Withdrawn.into()];
        let listed = ListCreditOrdersRequest { parent: wire::account_name(world.account), states, ..Default::default() };
        let listed = world.order_rpc().list_credit_orders(world.request(listed)).await.expect("a list").into_inner();
        assert_eq!(listed.credit_orders.len(), 1);
        world.check_ledger().await;
    }

    /// R6.4: who keeps the right of withdrawal gets the lot after 14 days.
    async fn a_consumer_without_consent_is_supplied_after_14_days(database: TestDatabase) {
        let mut world = World::new(&database).await;
        world.account = world.new_account("INDIVIDUAL").await;
        world.project = world.new_project(world.account, FIRST).await;
        let order = world.order(30).await.expect("an order");
        let paid = world.pay(&order, "card").await.expect("paid").credit_order.expect("the order");
        assert_eq!((paid.state(), paid.credit.as_str()), (State::Paid, ""));
        world.pass_days(13).await;
        assert!(world.credits(world.account).await.is_empty());
        world.pass_days(1).await;
        let credits = world.credits(world.account).await;
        let [credit] = credits.as_slice() else { panic!("one lot") };
        assert_eq!(credit.issue_time, paid.supply_time);
        assert_eq!(credit.state(), LotState::Active);
        let expires = wire::instant(&credit.expire_time.expect("expires")).expect("an instant");
        let pay_time = wire::instant(&paid.pay_time.expect("paid")).expect("an instant");
        assert_eq!(expires, pay_time.plus_months_clamped(13));
        world.check_ledger().await;
    }

    async fn a_consumer_with_consent_is_supplied_at_once_and_the_consent_is_recorded(database: TestDatabase) {
        let mut world = World::new(&database).await;
        world.account = world.new_account("INDIVIDUAL").await;
        world.project = world.new_project(world.account, FIRST).await;
        let order = world.order(30).await.expect("an order");
        let request = florin_api::credit::v1::PayCreditOrderRequest {
            immediate_supply_consent: true,
            ..world.payment(&order, "card")
        };
        let paid = world.order_rpc().pay_credit_order(world.request_by(Principal::Anonymous, "pay", request)).await;
        assert_ne!(paid.expect("paid").into_inner().credit_order.expect("the order").credit, "");
        let text = "SELECT COUNT(*) FROM credit_order WHERE supply_requested_at IS NOT NULL";
        assert_eq!(world.count(text, []).await, 1);
    }
}
