//! What may be spent: standings kept true, holds, budgets, caps (R4.8, R5.7).

use florin_api::{
    money::Decimal,
    project::v1::{
        AddPriceVersionRequest, AddResourceRequest, Budget, CheckFundingRequest, CheckFundingResponse,
        CreateBudgetRequest, GetBudgetRequest, Hold, PlaceHoldRequest, PriceVersion, ReleaseHoldRequest,
        RemoveResourceRequest, Resource, SetPrepaidOnlyRequest, SetSpendCapRequest, UpdateBudgetRequest,
        budget, budget_service_server::BudgetService, catalog_service_server::CatalogService,
        funding_service_server::FundingService, hold, resource_service_server::ResourceService,
    },
};
use florin_credit::{GrantKind, grants};
use florin_platform::{
    call::Call,
    id::AccountId,
    job::Job,
    wire::{account_name, money, timestamp},
};
use florin_project::{BudgetRpc, FundingRpc, spending};
use florin_settlement::{Currency, Money, Restriction};
use florin_testbed::on_both_backends;
use futures::future::join_all;
use tonic::{Code, Status};

use crate::setting::{House, at, by, by_service, project_id, reason, unmet};

fn euros(minor: i64) -> Option<florin_api::money::Money> {
    Some(money(Money::new(minor, Currency::EUR)))
}

fn cents(amount: Option<&florin_api::money::Money>) -> i64 {
    let amount = amount.expect("an amount");
    amount.units * 100 + i64::from(amount.nanos) / 10_000_000
}

impl House {
    fn funding(&self) -> FundingRpc {
        FundingRpc::new(self.platform.clone(), self.standings.clone())
    }

    fn budgets(&self) -> BudgetRpc {
        BudgetRpc::new(self.platform.clone())
    }

    fn jobs(&self) -> Vec<std::sync::Arc<dyn Job>> {
        spending::jobs(&self.platform, &self.standings)
    }

    /// Runs what is due at every instant up to `text`, as the schedule would.
    async fn live_until(&self, text: &str) {
        let jobs = self.jobs();
        loop {
            let mut next = None;
            for job in &jobs {
                next = next.into_iter().chain(job.next_due().await.expect("it tells")).min();
            }
            let Some(due) = next.filter(|due| *due <= at(text)) else { break };
            let clock = self.platform.clock;
            let moved = self.platform.db.write(|tx| async move { clock.move_to(&tx, due).await }).await;
            moved.expect("the clock moves");
            for job in &jobs {
                job.run(500).await.expect("it runs");
            }
        }
        let (clock, target) = (self.platform.clock, at(text));
        let moved = self.platform.db.write(|tx| async move { clock.move_to(&tx, target).await }).await;
        moved.expect("the clock moves");
    }

    /// Gives the account credit that all its projects share.
    async fn grant(&self, account: AccountId, cents: i64, expires: &str) {
        let platform = &self.platform;
        let call = &Call::by_job("test");
        let granted = platform.db.write(|tx| async move {
            florin_account::lock(&tx, &[account]).await?;
            let now = platform.clock.now(&tx).await?;
            let new = grants::NewGrant {
                account,
                kind: GrantKind::LaunchPad,
                amount: Money::new(cents, Currency::EUR),
                expires: Some(at(expires)),
                restriction: Restriction::Unrestricted,
                reason: "a test".to_owned(),
            };
            grants::give(&tx, now, call, &florin_project::Gate, new).await
        });
        granted.await.expect("granted");
    }

    async fn check(&self, project: &str, plan: &str) -> CheckFundingResponse {
        let request =
            CheckFundingRequest { name: project.to_owned(), plan: plan.to_owned(), ..Default::default() };
        self.funding().check_funding(by_service(request)).await.expect("an answer").into_inner()
    }

    async fn available(&self, project: &str) -> i64 {
        cents(self.check(project, "").await.available.as_ref())
    }

    async fn place(&self, project: &str, plan: &str, count: i32) -> Result<Hold, Status> {
        let request = PlaceHoldRequest {
            parent: project.to_owned(),
            plan: plan.to_owned(),
            count,
            ..Default::default()
        };
        Ok(self.funding().place_hold(by_service(request)).await?.into_inner())
    }

    async fn add_on(&self, project: &str, plan: &str, hold: &str) -> Result<Resource, Status> {
        let resource = Resource { plan: plan.to_owned(), region: "gra".to_owned(), ..Default::default() };
        let request = AddResourceRequest {
            parent: project.to_owned(),
            resource: Some(resource),
            hold: hold.to_owned(),
            ..Default::default()
        };
        Ok(self.resources().add_resource(by_service(request)).await?.into_inner())
    }

    async fn remove(&self, name: &str) {
        let request = RemoveResourceRequest { name: name.to_owned(), ..Default::default() };
        self.resources().remove_resource(by_service(request)).await.expect("removed");
    }

    async fn prepaid_only(&self, account: AccountId, project: &str) {
        let request = SetPrepaidOnlyRequest {
            name: format!("{project}/spendingControls"),
            prepaid_only: true,
            ..Default::default()
        };
        self.budgets().set_prepaid_only(by(account, request)).await.expect("set");
    }

    async fn cap(&self, account: AccountId, project: &str, cents: Option<i64>) {
        let request = SetSpendCapRequest {
            name: format!("{project}/spendingControls"),
            spend_cap: cents.and_then(euros),
            ..Default::default()
        };
        self.budgets().set_spend_cap(by(account, request)).await.expect("set");
    }

    /// From `effective` on an hour of `b3-8` costs so many euros: everybody, or `account` if it is not empty.
    async fn price(&self, unit_price: &str, effective: &str, account: &str) {
        let price = PriceVersion {
            currency_code: "EUR".to_owned(),
            unit_price: Some(Decimal { value: unit_price.to_owned() }),
            effective_time: Some(timestamp(at(effective))),
            account: account.to_owned(),
            ..PriceVersion::default()
        };
        let request = AddPriceVersionRequest {
            name: "plans/b3-8".to_owned(),
            price: Some(price),
            ..AddPriceVersionRequest::default()
        };
        self.catalog().add_price_version(by_service(request)).await.expect("added");
    }

    /// What the rows say is what everything they are computed from comes to; only cents of rounding lie between.
    async fn is_consistent(&self, account: AccountId, context: &str) {
        for compared in self.standings.compare(&self.platform, account).await.expect("compared") {
            assert_eq!(compared.difference, None, "{context}");
            let (stored, computed) = (compared.stored, compared.computed);
            // Each line of a resource is rounded once, and so is their sum.
            let near = |one: i64, other: i64| (one - other).abs() <= 20;
            assert!(
                near(stored.0, computed.0) && near(stored.1, computed.1),
                "{context}: stored {stored:?}, computed {computed:?}"
            );
        }
    }

    async fn events(&self, kind: &str) -> i64 {
        self.count(&format!("event WHERE kind = 'florin.event.v1.{kind}'")).await
    }
}

fn reasons(answer: &CheckFundingResponse) -> Vec<String> {
    let name = |refusal: &florin_api::project::v1::FundingRefusal| {
        refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_").to_owned()
    };
    answer.refusals.iter().map(name).collect()
}

on_both_backends! {
    /// R4.8: state, debt, cap, funds and plan, all at once; an answer, not an error.
    async fn every_reason_why_something_may_not_start_is_named_at_once(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        let fine = house.check(name, "plans/b3-8").await;
        assert!(fine.allowed, "{fine:?}");
        assert_eq!(cents(fine.estimated_cost.as_ref()), 266);
        assert_eq!(reasons(&house.check(name, "plans/nonsense").await), ["PLAN_UNKNOWN"]);
        house.prepaid_only(account, name).await;
        house.cap(account, name, Some(0)).await;
        house.owes(true);
        // Who opens a debt touches the account; here only another change does.
        house.cap(account, name, Some(0)).await;
        let denied = house.check(name, "plans/b3-8").await;
        assert!(!denied.allowed);
        assert_eq!(reasons(&denied), ["DEBT_UNPAID", "SPEND_CAP_REACHED", "PREPAID_FUNDS_EXHAUSTED"]);
        let refused = house.place(name, "plans/b3-8", 1).await.expect_err("refused");
        assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "DEBT_UNPAID".to_owned()));
        assert_eq!(unmet(&refused), reasons(&denied));
        let missing = CheckFundingRequest { name: name.clone(), plan: "x".to_owned(), count: 2000, ..Default::default() };
        let invalid = house.funding().check_funding(by_service(missing)).await.expect_err("invalid");
        assert_eq!(invalid.code(), Code::InvalidArgument);
        let other = house.account("FR", "eve@example.com").await;
        let request = CheckFundingRequest { name: name.clone(), ..Default::default() };
        let hidden = house.funding().check_funding(by(other, request)).await.expect_err("hidden");
        assert_eq!(reason(&hidden), "NOT_FOUND");
    }

    /// R4.8: Σ lots alive at the next settlement − unbilled use − holds, at every hour and with a runway.
    async fn what_is_available_falls_with_every_hour_and_says_how_long_it_lasts(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.grant(account, 3_000, "2028-03-01T00:00:00Z").await;
        house.grant(account, 500, "2027-04-01T06:00:00Z").await;
        assert_eq!(house.available(name).await, 3_000);
        let engine = house.add_on(name, "plans/b3-8", "").await.expect("added");
        let now = house.check(name, "").await;
        assert_eq!(cents(now.available.as_ref()), 2_989);
        assert_eq!(now.burn_per_hour.as_ref().expect("a burn").value, "0.111");
        assert_eq!(now.runway.as_ref().expect("a runway").seconds, 969_405);
        house.live_until("2027-03-02T08:30:00Z").await;
        // 25 hours begun.
        assert_eq!(house.available(name).await, 3_000 - 278);
        house.is_consistent(account, "a day later").await;
        house.remove(&engine.name).await;
        house.live_until("2027-03-20T00:00:00Z").await;
        assert_eq!(house.available(name).await, 3_000 - 278);
        house.is_consistent(account, "when it is gone").await;
    }

    /// R4.8, R5.1: a negotiated price is counted from its hour on, and a standing holds no longer than to there.
    async fn a_negotiated_price_counts_from_its_hour_on(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.grant(account, 3_000, "2028-03-01T00:00:00Z").await;
        house.add_on(name, "plans/b3-8", "").await.expect("added");
        assert_eq!(house.available(name).await, 2_989);
        house.price("0.05", "2027-03-01T20:00:00Z", &account_name(account)).await;
        let now = house.check(name, "plans/b3-8").await;
        assert_eq!(now.valid_until_time, Some(timestamp(at("2027-03-01T20:00:00Z"))), "no longer than the price");
        house.live_until("2027-03-01T23:30:00Z").await;
        let then = house.check(name, "plans/b3-8").await;
        assert_eq!(then.burn_per_hour.expect("a burn").value, "0.05");
        assert_eq!(cents(then.estimated_cost.as_ref()), 120, "24 hours as negotiated");
        // From 8 to 20 as listed, from 20 to 24 as negotiated.
        assert_eq!(cents(then.available.as_ref()), 3_000 - 133 - 20);
        house.is_consistent(account, "under a negotiated price").await;
    }

    /// R5.7: a list price that rises within the month is foretold against budgets from its hour on.
    async fn a_dearer_list_price_reaches_a_forecast_budget(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        house.add_on(&project.name, "plans/b3-8", "").await.expect("added");
        let budget = Budget {
            display_name: "March".to_owned(),
            amount: euros(10_000),
            basis: budget::Basis::Forecast.into(),
            threshold_percents: vec![100],
            ..Budget::default()
        };
        let request = CreateBudgetRequest {
            parent: project.name.clone(),
            budget: Some(budget),
            ..CreateBudgetRequest::default()
        };
        house.budgets().create_budget(by(account, request)).await.expect("created");
        house.price("0.5", "2027-03-02T00:00:00Z", "").await;
        house.live_until("2027-03-01T23:59:00Z").await;
        assert_eq!(house.events("BudgetThresholdReached").await, 0, "81.70 by the old price");
        house.live_until("2027-03-02T00:01:00Z").await;
        assert_eq!(house.events("BudgetThresholdReached").await, 1, "about 360 by the new one");
    }

    /// R4.8: fifty launches at once never reserve more than there is.
    async fn parallel_holds_never_exceed_what_is_available(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.grant(account, 2_000, "2028-03-01T00:00:00Z").await;
        house.prepaid_only(account, name).await;
        // 2.66 for 24 hours each: seven fit into 20.00.
        let placed = join_all((0..50).map(|_| house.place(name, "plans/b3-8", 1))).await;
        let (held, refused): (Vec<_>, Vec<_>) = placed.into_iter().partition(Result::is_ok);
        assert_eq!(held.len(), 7);
        for refused in refused {
            assert_eq!(reason(&refused.expect_err("refused")), "PREPAID_FUNDS_EXHAUSTED");
        }
        assert_eq!(house.available(name).await, 2_000 - 7 * 266);
        house.is_consistent(account, "seven holds").await;
        assert_eq!(house.count("credit_movement").await, 1, "a hold writes no movement");
        assert_eq!(house.count("credit_lot WHERE remaining = initial").await, 1, "a hold touches no lot");
        // Nobody takes them: a quarter of an hour later everything is there again.
        house.live_until("2027-03-01T08:20:00Z").await;
        assert_eq!(house.available(name).await, 2_000);
        house.is_consistent(account, "timed out").await;
    }

    /// R4.8: a hold is taken by a resource, turns into its use, and is released with it.
    async fn a_hold_turns_into_use_and_is_released_at_removal(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.grant(account, 1_000, "2028-03-01T00:00:00Z").await;
        house.prepaid_only(account, name).await;
        let two = house.place(name, "plans/b3-8", 2).await.expect("placed");
        assert_eq!((cents(two.amount.as_ref()), house.available(name).await), (532, 468));
        let engine = house.add_on(name, "plans/b3-8", &two.name).await.expect("added");
        assert_eq!(house.available(name).await, 468);
        house.live_until("2027-03-01T20:30:00Z").await;
        // The one nobody took timed out; the other has become use by half, and nothing else changed.
        assert_eq!(house.available(name).await, 468 + 266);
        house.is_consistent(account, "half used").await;
        let late = house.add_on(name, "plans/b3-8", &two.name).await.expect_err("too late");
        assert_eq!(reason(&late), "HOLD_NOT_OPEN");
        house.remove(&engine.name).await;
        // 13 hours begun; the rest of the hold is free.
        assert_eq!(house.available(name).await, 1_000 - 144);
        house.is_consistent(account, "removed").await;
        // Without a hold one is placed; what it outlives is use.
        house.add_on(name, "plans/b3-8", "").await.expect("added");
        assert_eq!(house.available(name).await, 1_000 - 144 - 266);
        house.live_until("2027-03-03T20:30:00Z").await;
        assert_eq!(house.available(name).await, 1_000 - 144 - 544);
        house.is_consistent(account, "used up").await;
        let fourth = house.place(name, "plans/b3-8", 2).await.expect_err("too much");
        assert_eq!(reason(&fourth), "PREPAID_FUNDS_EXHAUSTED");
        let hold = house.place(name, "plans/b3-8", 1).await.expect("placed");
        let other = house.add_on(name, "plans/volume-classic", &hold.name).await.expect_err("another plan");
        assert_eq!(reason(&other), "HOLD_DOES_NOT_FIT");
        let release = ReleaseHoldRequest { name: hold.name, ..Default::default() };
        let released = house.funding().release_hold(by_service(release.clone())).await.expect("released").into_inner();
        assert_eq!(released.state(), hold::State::Released);
        let again = house.funding().release_hold(by_service(release)).await.expect("again").into_inner();
        assert_eq!(again, released);
        assert_eq!(house.available(name).await, 1_000 - 144 - 544);
    }

    /// R5.7: reaching the cap says no and is told once; it stops nothing, and the next month begins anew.
    async fn a_cap_is_told_once_a_month_and_stops_nothing(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.cap(account, name, Some(500)).await;
        house.add_on(name, "plans/b3-8", "").await.expect("added");
        house.live_until("2027-03-03T03:59:00Z").await;
        assert!(house.check(name, "plans/b3-8").await.allowed);
        assert_eq!(house.events("SpendCapReached").await, 0);
        // 5.00 at 0.111 an hour: 45 hours are 4.995, a line of 5.00.
        house.live_until("2027-03-03T04:00:00Z").await;
        assert_eq!(house.events("SpendCapReached").await, 1);
        assert_eq!(reasons(&house.check(name, "plans/b3-8").await), ["SPEND_CAP_REACHED"]);
        house.add_on(name, "plans/b3-8", "").await.expect("a cap stops nothing");
        house.live_until("2027-03-31T23:30:00Z").await;
        assert_eq!(house.events("SpendCapReached").await, 1);
        house.live_until("2027-04-01T00:30:00Z").await;
        assert!(house.check(name, "plans/b3-8").await.allowed);
        house.live_until("2027-04-30T00:00:00Z").await;
        assert_eq!(house.events("SpendCapReached").await, 2);
        house.cap(account, name, None).await;
        assert!(house.check(name, "plans/b3-8").await.allowed);
        house.is_consistent(account, "a month later").await;
    }

    /// R5.7: exhausted funds are told once, and that they are restored.
    async fn exhausted_funds_are_told_once_and_restored_by_credit(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        house.grant(account, 301, "2028-03-01T00:00:00Z").await;
        house.prepaid_only(account, name).await;
        house.add_on(name, "plans/b3-8", "").await.expect("added");
        house.live_until("2027-03-02T10:30:00Z").await;
        assert_eq!(house.events("PrepaidFundsExhausted").await, 0);
        // 27 hours are 3.00: with the 28th nothing is left.
        house.live_until("2027-03-02T12:30:00Z").await;
        assert_eq!(house.events("PrepaidFundsExhausted").await, 1);
        house.live_until("2027-03-05T00:00:00Z").await;
        assert_eq!(house.events("PrepaidFundsExhausted").await, 1);
        let broke = house.check(name, "plans/b3-8").await;
        assert_eq!(broke.runway.as_ref().expect("a runway").seconds, 0);
        assert_eq!(reasons(&broke), ["PREPAID_FUNDS_EXHAUSTED"]);
        house.grant(account, 5_000, "2028-03-01T00:00:00Z").await;
        assert_eq!(house.events("PrepaidFundsRestored").await, 1);
        assert!(house.check(name, "plans/b3-8").await.allowed);
    }

    /// R5.7: once per threshold and month; a raised budget is told of anew, a forecast before it happens.
    async fn a_budget_tells_once_per_threshold_and_month(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        let name = &project.name;
        let new = |basis: budget::Basis, amount| CreateBudgetRequest {
            parent: name.clone(),
            budget: Some(Budget {
                display_name: "Web".to_owned(),
                amount: euros(amount),
                basis: basis.into(),
                threshold_percents: vec![50, 100],
                ..Default::default()
            }),
            ..Default::default()
        };
        let actual = house.budgets().create_budget(by(account, new(budget::Basis::Actual, 1_000))).await;
        let actual = actual.expect("created").into_inner();
        let foretold = house.budgets().create_budget(by(account, new(budget::Basis::Forecast, 8_000))).await;
        foretold.expect("created");
        house.add_on(name, "plans/b3-8", "").await.expect("added");
        // 736 hours of March are left: 81.70 are foretold, both thresholds of the forecast at once.
        house.live_until("2027-03-01T09:00:00Z").await;
        assert_eq!(house.events("BudgetThresholdReached").await, 2);
        assert_eq!(house.count("notice WHERE kind = 'project.budget-threshold'").await, 2);
        // 5.00 of the actual one: with the 45th hour.
        house.live_until("2027-03-03T03:59:00Z").await;
        assert_eq!(house.events("BudgetThresholdReached").await, 2);
        house.live_until("2027-03-03T04:00:00Z").await;
        assert_eq!(house.events("BudgetThresholdReached").await, 3);
        house.live_until("2027-03-04T00:00:00Z").await;
        let get = GetBudgetRequest { name: actual.name.clone() };
        let shown = house.budgets().get_budget(by(account, get.clone())).await.expect("found").into_inner();
        assert_eq!((shown.reached_percents.as_slice(), cents(shown.current_amount.as_ref())), (&[50][..], 722));
        // Raised: 7.22 of 40.00 is no longer half of it.
        let raise = UpdateBudgetRequest {
            budget: Some(Budget { name: actual.name.clone(), amount: euros(4_000), etag: shown.etag.clone(), ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["amount".to_owned()] }),
            ..Default::default()
        };
        let raised = house.budgets().update_budget(by(account, raise.clone())).await.expect("raised").into_inner();
        assert_eq!(raised.reached_percents, [0; 0]);
        let stale = house.budgets().update_budget(by(account, raise)).await.expect_err("stale");
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        house.live_until("2027-03-31T23:59:00Z").await;
        // 81.70 in the end: half of 40.00 and all of it.
        assert_eq!(house.events("BudgetThresholdReached").await, 5);
        house.live_until("2027-04-02T00:00:00Z").await;
        // A new month: the forecast again at once, the actual not yet.
        assert_eq!(house.events("BudgetThresholdReached").await, 6);
        let kept = house.budgets().get_budget(by(account, get)).await.expect("found").into_inner();
        assert_eq!(kept.reached_percents, [0; 0]);
    }

    /// R5.7: only what has the label counts.
    async fn a_budget_counts_only_what_its_label_and_families_say(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        for (plan, team) in [("plans/b3-8", "blue"), ("plans/b3-8", "red")] {
            let labels = [("team".to_owned(), team.to_owned())].into();
            let resource = Resource { plan: plan.to_owned(), labels, ..Default::default() };
            let request = AddResourceRequest { parent: project.name.clone(), resource: Some(resource), ..Default::default() };
            house.resources().add_resource(by(account, request)).await.expect("added");
        }
        for (key, value, families, counted) in [
            ("", "", vec![], 22),
            ("team", "", vec![], 22),
            ("team", "blue", vec![], 11),
            ("team", "green", vec![], 0),
            ("", "", vec![florin_api::project::v1::PlanFamily::Storage.into()], 0),
        ] {
            let budget = Budget {
                display_name: "Team".to_owned(),
                amount: euros(100_000),
                basis: budget::Basis::Actual.into(),
                label_key: key.to_owned(),
                label_value: value.to_owned(),
                families,
                ..Default::default()
            };
            let request = CreateBudgetRequest { parent: project.name.clone(), budget: Some(budget), ..Default::default() };
            let created = house.budgets().create_budget(by(account, request)).await.expect("created").into_inner();
            assert_eq!(cents(created.current_amount.as_ref()), counted, "{key}={value}");
        }
    }

    /// R4.8: whatever happens in whatever order, the rows say what everything they depend on comes to.
    async fn standings_stay_true_through_random_histories(db: TestDatabase) {
        let seed = 20_270_301_u64;
        let house = House::open(db).await;
        let (account, first) = house.funded("ada@example.com").await;
        let second = house.create(account, "Second", None).await.expect("a second project");
        let projects = [first.name.clone(), second.name.clone()];
        house.prepaid_only(account, &projects[1]).await;
        let mut random = Random(seed);
        let mut now = at("2027-03-01T08:00:00Z");
        let mut running: Vec<String> = Vec::new();
        let mut holds: Vec<(usize, String)> = Vec::new();
        for step in 0..40 * scale() {
            let project = random.below(2);
            let name = &projects[project];
            let plan = ["plans/b3-8", "plans/volume-classic", "plans/b3-16"][random.below(3)];
            let what = random.below(9);
            match what {
                0 => house.grant(account, 100 + i64::try_from(random.below(900)).expect("small"), "2027-05-01T12:00:00Z").await,
                1 => house.grant(account, 50, "2028-05-01T12:00:00Z").await,
                2 | 3 => {
                    let hold = holds.iter().position(|(of, _)| *of == project).map(|index| holds.remove(index).1);
                    running.extend(house.add_on(name, plan, &hold.unwrap_or_default()).await.ok().map(|r| r.name));
                }
                4 if !running.is_empty() => house.remove(&running.swap_remove(random.below(running.len()))).await,
                5 => holds.extend(house.place(name, plan, 1).await.ok().map(|hold| (project, hold.name))),
                6 if !holds.is_empty() => {
                    let name = holds.swap_remove(random.below(holds.len())).1;
                    let request = ReleaseHoldRequest { name, ..Default::default() };
                    house.funding().release_hold(by_service(request)).await.expect("released");
                }
                7 => house.cap(account, name, Some(i64::try_from(random.below(2_000)).expect("small"))).await,
                _ => {
                    now = now.plus_seconds(60 + random.below(200_000) as u64);
                    house.live_until(&now.to_string()).await;
                }
            }
            house.is_consistent(account, &format!("seed {seed}, step {step}, act {what} in {name}")).await;
        }
    }

    /// The hot read is never older than its question: who was told that a hold is placed sees it.
    async fn an_answer_is_never_older_than_its_question(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("ada@example.com").await;
        house.grant(account, 100_000, "2028-03-01T00:00:00Z").await;
        let funding = house.funding();
        let ask = || async {
            let request = CheckFundingRequest { name: project.name.clone(), ..Default::default() };
            let answer = funding.check_funding(by_service(request)).await.expect("an answer").into_inner();
            cents(answer.available.as_ref())
        };
        let placing = async {
            for placed in 1..=20 {
                house.place(&project.name, "plans/b3-8", 1).await.expect("placed");
                assert_eq!(ask().await, 100_000 - placed * 266);
            }
        };
        let asking = async {
            let mut last = 100_000;
            for _ in 0..200 {
                let now = join_all((0..8).map(|_| ask())).await;
                assert!(now.iter().all(|now| *now <= last), "{now:?} after {last}");
                last = now.into_iter().min().expect("eight answers");
            }
        };
        futures::join!(placing, asking);
    }

    /// R4.8: what is not there is not found, whoever asks; a new project has its standing at once.
    async fn a_project_has_its_standing_from_its_first_instant(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "ada@example.com").await;
        let pending = house.create(account, "First", crate::setting::initial_credit()).await.expect("pending");
        assert_eq!(reasons(&house.check(&pending.name, "").await), ["PROJECT_NOT_ACTIVE"]);
        house.activate(account, project_id(&pending)).await;
        assert!(house.check(&pending.name, "").await.allowed);
        let answer = house.check(&pending.name, "").await;
        assert_eq!(answer.runway, None);
        let began = timestamp(at("2027-03-01T08:00:00Z"));
        assert!(answer.as_of_time.expect("an instant").seconds >= began.seconds);
    }
}

/// How much more of everything is wanted: 1 is enough for a daily run.
#[expect(clippy::disallowed_methods, reason = "the environment is how a test run is told its scale")]
fn scale() -> u64 {
    std::env::var("FLORIN_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// Numbers that are the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}
