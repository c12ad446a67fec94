//! What funds an account's first project, and that later ones need nothing (R4.2, R4.3).

use std::sync::Arc;

use florin_api::{
    credit::v1::{
        Campaign, CreateCampaignRequest, GenerateCodesRequest, GrantLaunchPadRequest,
        campaign::{Audience, CodeStyle, LotLifetime},
        campaign_service_server::CampaignService,
        grant_service_server::GrantService,
    },
    money::Money,
    project::v1::{
        CancelProjectRequest, CreateProjectRequest, InitialCredit,
        create_project_request::Funding as Offer,
        project::{Funding, State},
        project_service_server::ProjectService,
    },
};
use florin_credit::{
    CampaignRpc, GrantRpc, OrderId, OrderState, PaymentLinks, ProjectGate, ProjectId, orders,
};
use florin_payment::PaymentMethodId;
use florin_platform::{
    approval::Limits,
    call::Call,
    column::At,
    id::AccountId,
    wire::{account_name, child_name, timestamp},
};
use florin_project::{Gate, ProjectState};
use florin_testbed::on_both_backends;
use futures::StreamExt;
use tonic::Code;

use crate::setting::{House, at, by, by_service, initial_credit, new_project, project_id, reason};

/// Up to a thousand whole units are granted by one operator alone.
fn limits() -> Limits {
    Limits::new(1000, Vec::new())
}

fn credit(currency: &str, units: i64, nanos: i32) -> Option<Offer> {
    let amount = Money { currency_code: currency.to_owned(), units, nanos };
    Some(Offer::InitialCredit(InitialCredit { amount: Some(amount) }))
}

fn euros(units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

/// A code worth 50 euros, for anyone, once.
async fn voucher(house: &House) -> String {
    let campaign = Campaign {
        display_name: "Spring".to_owned(),
        amounts: vec![euros(50)],
        redeem_end_time: Some(timestamp(at("2027-12-31T00:00:00Z"))),
        lot_lifetime: Some(LotLifetime::LotLifetimeDays(90)),
        audience: Audience::Anyone.into(),
        budgets: vec![euros(500)],
        code_style: CodeStyle::SingleUse.into(),
        ..Campaign::default()
    };
    let rpc = CampaignRpc::new(house.platform.clone());
    let request = CreateCampaignRequest { campaign: Some(campaign), ..CreateCampaignRequest::default() };
    let created = rpc.create_campaign(by_service(request)).await.expect("a campaign").into_inner();
    let request = GenerateCodesRequest { name: created.name, count: 1, ..GenerateCodesRequest::default() };
    let mut answers = rpc.generate_codes(by_service(request)).await.expect("codes").into_inner();
    let first = answers.next().await.expect("an answer").expect("codes");
    first.codes.into_iter().next().expect("one code")
}

/// One more initial order for a project that waits for its funding.
async fn order_more(house: &House, account: AccountId, project: ProjectId) -> OrderId {
    let links = &PaymentLinks::new(&house.platform.key, "https://pay.example.com");
    let call = &Call::by_job("test");
    let placed = house.platform.db.write(|tx| async move {
        let now = house.platform.clock.now(&tx).await?;
        florin_account::lock(&tx, &[account]).await?;
        let account = &florin_account::find(&tx, account).await?.expect("an account");
        let net = orders::initial_minimum(&tx, account).await?;
        orders::create(&tx, now, call, links, orders::NewOrder { account, project, net, initial: true }).await
    });
    placed.await.expect("an order").id
}

/// A payment method, as the payment slice keeps it.
async fn method(
    house: &House,
    account: AccountId,
    kind: &str,
    state: &str,
) -> (PaymentMethodId, Option<Offer>) {
    let created = at("2027-03-01T08:00:00Z");
    let id = PaymentMethodId::generate(created);
    let text = "INSERT INTO payment_method (account_id, id, kind, state, label, provider_token, provider_reference, \
                masked_details, three_d_secure, action_url, refusal_code, looks, look_at, version, created_at, \
                updated_at) VALUES ($1, $2, $3, $4, '', 'token', 'reference', '', true, $5, $6, 0, $7, 1, $8, $8)";
    let when = |states: &[&str], text: &'static str| states.contains(&state).then_some(text);
    let values = [
        account.into(),
        id.into(),
        kind.into(),
        state.into(),
        when(&["VALIDATING"], "https://bank.example.com").into(),
        when(&["FAILED", "REJECTED"], "refused").into(),
        (state == "VALIDATING").then_some(At::from(created)).into(),
        At::from(created).into(),
    ];
    house.execute(text, values).await.expect("a method");
    (id, Some(Offer::PaymentMethod(child_name(account, "paymentMethods", id))))
}

on_both_backends! {
    /// R4.2: initial credit; ACTIVE once it is paid; then no project is asked again.
    async fn only_the_first_project_asks_for_funding(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "first@example.com").await;
        let refused = house.create(account, "Web", None).await.expect_err("no funding");
        assert_eq!(reason(&refused), "FUNDING_REQUIRED");

        let first = house.create(account, "Web", initial_credit()).await.expect("created");
        assert_eq!((first.state(), first.funding()), (State::PendingFunding, Funding::CreditOrder));
        assert!(first.credit_order.contains("/creditOrders/"), "{}", first.credit_order);
        let still = house.create(account, "Shop", None).await.expect_err("the first is not ACTIVE yet");
        assert_eq!(reason(&still), "FUNDING_REQUIRED");

        house.activate(account, project_id(&first)).await;
        house.activate(account, project_id(&first)).await;
        let asked = house.create(account, "Shop", initial_credit()).await.expect_err("not asked");
        assert_eq!(reason(&asked), "FUNDING_NOT_ASKED");
        let second = house.create(account, "Shop", None).await.expect("created");
        assert_eq!((second.state(), second.funding()), (State::Active, Funding::NotAsked));
    }

    /// R4.2, R6.3: the account's minimum, its currency, whole units.
    async fn initial_credit_has_a_minimum_and_the_accounts_currency(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "amounts@example.com").await;
        for (offer, expected) in [
            (credit("EUR", 29, 0), "ORDER_AMOUNT_TOO_SMALL"),
            (credit("USD", 30, 0), "CURRENCY_MISMATCH"),
            (credit("EUR", 30, 500_000_000), "AMOUNT_NOT_WHOLE_UNITS"),
        ] {
            assert_eq!(reason(&house.create(account, "Web", offer).await.expect_err("refused")), expected);
        }
        assert_eq!(house.count("project").await, 0);
        house.create(account, "Web", credit("EUR", 100, 0)).await.expect("more is allowed");
        let text = "UPDATE account SET initial_credit_minimum = 20000 WHERE account_id = $1";
        house.execute(text, [account.into()]).await.expect("an operator's minimum");
        let refused = house.create(account, "Web", credit("EUR", 100, 0)).await.expect_err("below it");
        assert_eq!(reason(&refused), "ORDER_AMOUNT_TOO_SMALL");
    }

    /// R4.2: a refused voucher creates no project, and its trace stays, also in a rehearsal.
    async fn a_refused_voucher_creates_no_project(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "guesser@example.com").await;
        let offer = || Some(Offer::VoucherCode("NOSUCHCODE".to_owned()));
        let refused = house.create(account, "Web", offer()).await.expect_err("unknown");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "VOUCHER_UNKNOWN"));
        assert_eq!(house.count("project").await, 0);
        let mut reasons = Vec::new();
        for _ in 0..30 {
            let request = CreateProjectRequest { validate_only: true, ..new_project(account, "Web", offer()) };
            let status = house.projects().create_project(by(account, request)).await.expect_err("unknown");
            reasons.push(reason(&status));
        }
        assert_eq!(reasons.last().map(String::as_str), Some("VOUCHER_ENTRY_LOCKED"));
    }

    /// R4.2, R4.3: VALID funds at once; VALIDATING funds when it becomes VALID.
    async fn a_payment_method_funds_when_it_is_valid(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "card@example.com").await;
        let (_, failed) = method(&house, account, "CARD", "FAILED").await;
        let refused = house.create(account, "Web", failed).await.expect_err("failed");
        assert_eq!(reason(&refused), "PAYMENT_METHOD_NOT_VALID");
        let (_, bank) = method(&house, account, "BANK_ACCOUNT", "VALIDATING").await;
        let refused = house.create(account, "Web", bank).await.expect_err("R3.3");
        assert_eq!(reason(&refused), "FIRST_PAYMENT_NEEDS_CARD");

        let (waiting, offer) = method(&house, account, "CARD", "VALIDATING").await;
        let pending = house.create(account, "Web", offer.clone()).await.expect("created");
        assert_eq!((pending.state(), pending.funding()), (State::PendingFunding, Funding::PaymentMethod));
        let (refused, other) = method(&house, account, "CARD", "VALIDATING").await;
        house.create(account, "Shop", other).await.expect("created");

        let call = &Call::by_job("test");
        let now = at("2027-03-01T09:00:00Z");
        let canceled = house.platform.db.write(|tx| async move {
            florin_project::cancel_pending_for_method(&tx, now, call, account, refused).await
        });
        assert_eq!(canceled.await.expect("canceled").len(), 1);
        let activated = house
            .platform
            .db
            .write(|tx| async move { florin_project::activate_pending_of(&tx, now, call, account).await })
            .await
            .expect("activated");
        assert_eq!(activated.len(), 1);
        assert_eq!((activated[0].id, activated[0].state), (project_id(&pending), ProjectState::Active));
        assert_eq!(activated[0].funding, florin_project::Funding::PaymentMethod(waiting));
    }

    /// R4.2: an already VALID method counts.
    async fn a_valid_method_needs_no_offer(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "ready@example.com").await;
        let (id, _) = method(&house, account, "CARD", "VALID").await;
        let project = house.create(account, "Web", None).await.expect("created");
        assert_eq!((project.state(), project.funding()), (State::Active, Funding::PaymentMethod));
        assert_eq!(project.payment_method, child_name(account, "paymentMethods", id));
    }

    /// R4.2: the lot is in the new project, in the same transaction; the code works once.
    async fn a_voucher_funds_the_first_project_at_once(db: TestDatabase) {
        let house = House::open(db).await;
        let code = voucher(&house).await;
        let offer = || Some(Offer::VoucherCode(code.clone()));
        let account = house.account("FR", "lucky@example.com").await;
        let rehearsal = CreateProjectRequest { validate_only: true, ..new_project(account, "Web", offer()) };
        house.projects().create_project(by(account, rehearsal)).await.expect("it would do");
        assert_eq!((house.count("project").await, house.count("credit_lot").await), (0, 0));

        let project = house.create(account, "Web", offer()).await.expect("created");
        assert_eq!((project.state(), project.funding()), (State::Active, Funding::Voucher));
        let lots = florin_credit::lots::alive_for(
            house.platform.db.reader(),
            account,
            Some(project_id(&project)),
            at("2027-03-02T00:00:00Z"),
        );
        assert_eq!(lots.await.expect("read").len(), 1);
        let late = house.account("FR", "late@example.com").await;
        let refused = house.create(late, "Web", offer()).await.expect_err("used");
        assert_eq!(reason(&refused), "VOUCHER_ALREADY_USED");
        assert_eq!(house.count("project").await, 1);
    }

    /// R4.2: a LaunchPad grant counts, before and after the project is created.
    async fn a_launchpad_grant_funds_projects(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "startup@example.com").await;
        let waiting = house.create(account, "Web", initial_credit()).await.expect("created");
        let grant = GrantLaunchPadRequest {
            parent: account_name(account),
            amount: Some(euros(1000)),
            reason: "startup programme".to_owned(),
            ..GrantLaunchPadRequest::default()
        };
        let rpc = GrantRpc::new(house.platform.clone(), Arc::new(Gate), limits());
        rpc.grant_launch_pad(by_service(grant)).await.expect("granted");
        let found = florin_project::find(house.platform.db.reader(), account, project_id(&waiting)).await;
        assert_eq!(found.expect("read").map(|project| project.state), Some(ProjectState::Active));
    }

    async fn a_launchpad_grant_needs_no_offer(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "startup@example.com").await;
        let grant = GrantLaunchPadRequest {
            parent: account_name(account),
            amount: Some(euros(1000)),
            reason: "startup programme".to_owned(),
            ..GrantLaunchPadRequest::default()
        };
        let rpc = GrantRpc::new(house.platform.clone(), Arc::new(Gate), limits());
        rpc.grant_launch_pad(by_service(grant)).await.expect("granted");
        let project = house.create(account, "Web", None).await.expect("created");
        assert_eq!((project.state(), project.funding()), (State::Active, Funding::Launchpad));
    }

    /// R4.3, R6.3: an order is never left to be paid for a project that is over.
    async fn giving_up_a_project_gives_up_every_order_for_it(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "twice@example.com").await;
        let project = house.create(account, "Web", initial_credit()).await.expect("created");
        let second = order_more(&house, account, project_id(&project)).await;
        let request = CancelProjectRequest { name: project.name, ..CancelProjectRequest::default() };
        house.projects().cancel_project(by(account, request)).await.expect("canceled");
        let order = florin_credit::orders::find(house.platform.db.reader(), account, second).await;
        assert_eq!(order.expect("read").expect("one").state, OrderState::Canceled);
    }

    /// R4.3: the project lives while any initial order for it can be paid.
    async fn a_project_waits_for_its_last_order(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "patient@example.com").await;
        let waiting = project_id(&house.create(account, "Web", initial_credit()).await.expect("created"));
        house.now_is("2027-03-02T07:00:00Z").await;
        order_more(&house, account, waiting).await;
        house.now_is("2027-03-02T08:30:00Z").await;
        house.create(account, "Shop", initial_credit()).await.expect("created");
        let state = || async {
            let found = florin_project::find(house.platform.db.reader(), account, waiting).await;
            found.expect("read").expect("one").state
        };
        assert_eq!(state().await, ProjectState::PendingFunding, "the second order can still be paid");
        house.now_is("2027-03-03T07:30:00Z").await;
        house.create(account, "Blog", initial_credit()).await.expect("created");
        assert_eq!(state().await, ProjectState::Canceled);
    }

    /// R4.3: a project that waits for a method and for an order is canceled when both have failed.
    async fn a_project_is_canceled_when_its_last_funding_failed(db: TestDatabase) {
        let house = &House::open(db).await;
        let account = house.account("FR", "both@example.com").await;
        let (card, offer) = method(house, account, "CARD", "VALIDATING").await;
        let waiting = project_id(&house.create(account, "Web", offer).await.expect("created"));
        order_more(house, account, waiting).await;
        let (call, now) = (&Call::by_job("test"), at("2027-03-01T09:00:00Z"));
        let state = || async {
            let found = florin_project::find(house.platform.db.reader(), account, waiting).await;
            found.expect("read").expect("one").state
        };
        let refuse = |at| async move {
            let told = house.platform.db.write(|tx| async move {
                florin_project::cancel_pending_for_method(&tx, at, call, account, card).await
            });
            told.await.expect("told").len()
        };
        let expire = |at| async move {
            let told = house.platform.db.write(|tx| async move {
                Gate.unfunded(&tx, at, call, account, waiting).await.expect("told");
                Ok::<_, sea_orm::DbErr>(())
            });
            told.await.expect("written");
        };
        assert_eq!(refuse(now).await, 0, "the order can still be paid");
        expire(at("2027-03-02T09:00:00Z")).await;
        assert_eq!(state().await, ProjectState::PendingFunding, "the card may still become VALID");
        let failed = "UPDATE payment_method SET state = 'FAILED', action_url = NULL, look_at = NULL, \
                      refusal_code = 'abandoned' WHERE id = $1";
        house.execute(failed, [card.into()]).await.expect("failed");
        expire(at("2027-03-02T09:00:00Z")).await;
        assert_eq!(state().await, ProjectState::Canceled);
    }

    /// R4.3: what credit hears of a project, and what it makes of news.
    async fn the_gate_knows_first_live_and_pending_projects(db: TestDatabase) {
        let house = &House::open(db).await;
        let account = house.account("FR", "gate@example.com").await;
        let first = project_id(&house.create(account, "Web", initial_credit()).await.expect("created"));
        let second = project_id(&house.create(account, "Shop", initial_credit()).await.expect("created"));
        let reader = || florin_platform::db::Reader::Committed(&house.platform.db);
        let view = |project| async move { Gate.project(reader(), account, project).await.expect("read").expect("one") };
        let before = view(first).await;
        assert!(before.live && before.first && before.pending);

        let (call, now) = (&Call::by_job("test"), at("2027-03-01T09:00:00Z"));
        let told = house.platform.db.write(|tx| async move {
            Gate.funded(&tx, now, call, account, Some(first)).await.expect("told");
            Gate.unfunded(&tx, now, call, account, second).await.expect("told");
            Gate.unfunded(&tx, now, call, account, first).await.expect("too late");
            Ok::<_, sea_orm::DbErr>(())
        });
        told.await.expect("written");
        let (first, second) = (view(first).await, view(second).await);
        assert!(first.live && first.first && !first.pending);
        assert!(!second.live && !second.first);
        assert!(Gate.is_funded(reader(), account).await.expect("read"));
    }
}
