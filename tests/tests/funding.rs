//! What may be spent, over the wire: before launches, through months and invoices (R4.8, R5.7).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::GrantLaunchPadRequest,
    invoicing::v1::invoice,
    project::v1::{
        AddResourceRequest, Budget, CheckFundingRequest, CheckFundingResponse, CreateBudgetRequest,
        DeleteBudgetRequest, GetCurrentUsageRequest, GetSpendingControlsRequest, ListBudgetsRequest,
        ListHoldsRequest, PlaceHoldRequest, Resource, SetPrepaidOnlyRequest, SetSpendCapRequest, budget,
        hold,
    },
};
use florin_platform::{call::Role, wire};
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, said},
    florin::{Customer, Florin, refusal, service_token},
};
use tonic::Code;

async fn check(florin: &Florin, project: &str, plan: &str) -> CheckFundingResponse {
    let request =
        CheckFundingRequest { name: project.to_owned(), plan: plan.to_owned(), ..Default::default() };
    florin.operator.funding().check_funding(request).await.unwrap().into_inner()
}

fn reasons(answer: &CheckFundingResponse) -> Vec<&'static str> {
    answer
        .refusals
        .iter()
        .map(|refusal| refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_"))
        .collect()
}

fn cents(amount: Option<&florin_api::money::Money>) -> i64 {
    let amount = amount.unwrap();
    amount.units * 100 + i64::from(amount.nanos) / 10_000_000
}

/// *Available* as a customer would add it up: what is left of credit that outlives the settlement of `settled`, less
/// what is used and not invoiced, less what is held; within a cent of rounding for every line.
async fn is_as_added_up(florin: &Florin, ada: &Customer, project: &str, settled: &str, invoiced: bool) {
    let settled = Instant::parse(settled).unwrap();
    let credits = ada.credits().await;
    let outlives = credits.iter().filter(|credit| {
        credit.expire_time.as_ref().is_none_or(|expires| wire::instant(expires).unwrap() > settled)
    });
    let credit: i64 = outlives.map(|credit| cents(credit.remaining_amount.as_ref())).sum();
    let usage = GetCurrentUsageRequest { parent: project.to_owned() };
    let usage = ada.caller.usage().get_current_usage(usage).await.unwrap().into_inner();
    let holds = ListHoldsRequest { parent: project.to_owned(), open_only: true, ..Default::default() };
    let holds = florin.operator.funding().list_holds(holds).await.unwrap().into_inner().holds;
    let open = holds.iter().filter(|hold| hold.state() == hold::State::Open);
    let held: i64 = open.map(|hold| cents(hold.amount.as_ref())).sum();
    let available = cents(check(florin, project, "").await.available.as_ref());
    let added_up = credit - cents(usage.net_total.as_ref()) - held;
    let rounding = i64::try_from(usage.lines.len()).unwrap() + 1;
    assert!(
        (available - added_up).abs() <= rounding,
        "available is {available}, added up {added_up}: {credit} of credit, {held} held, invoiced: {invoiced}"
    );
}

async fn prepaid_only(customer: &Customer, project: &str) {
    let name = format!("{project}/spendingControls");
    let request = SetPrepaidOnlyRequest { name, prepaid_only: true, ..Default::default() };
    customer.caller.budgets().set_prepaid_only(request).await.unwrap();
}

on_both_backends! {
    /// R4.8: what is available is what the customer can add up, before and after the month is invoiced.
    async fn what_is_available_can_be_added_up_and_survives_an_invoice(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 40).await;
        let paid = florin_tests::acts::pay_by_link(&florin, &order, "card-approved").await.unwrap();
        florin.approve(&paid.payment.unwrap().name).await;
        let short = GrantLaunchPadRequest {
            parent: ada.account.clone(),
            amount: Some(euros(7)),
            reason: "ends before the settlement".to_owned(),
            expire_time: Some(wire::timestamp(Instant::parse("2027-03-31T00:00:00Z").unwrap())),
            ..Default::default()
        };
        florin.operator.grants().grant_launch_pad(short).await.unwrap();
        is_as_added_up(&florin, &ada, &project, "2027-04-01T06:00:00Z", false).await;
        let engine = ada.add(&project, "plans/b3-8", "1").await.unwrap();
        ada.add(&project, "plans/volume-classic", "250").await.unwrap();
        is_as_added_up(&florin, &ada, &project, "2027-04-01T06:00:00Z", false).await;
        florin.advance_to("2027-03-09T17:10:00Z").await;
        is_as_added_up(&florin, &ada, &project, "2027-04-01T06:00:00Z", false).await;
        let answer = check(&florin, &project, "plans/b3-8").await;
        assert!(answer.allowed && answer.runway.is_some());
        ada.remove(&engine.name).await;
        is_as_added_up(&florin, &ada, &project, "2027-04-01T06:00:00Z", false).await;
        let before = cents(check(&florin, &project, "").await.available.as_ref());
        florin.advance_to("2027-04-01T05:30:00Z").await;
        let late = cents(check(&florin, &project, "").await.available.as_ref());
        assert!(late < before, "the volume goes on: {late} after {before}");
        florin.advance_to("2027-04-01T06:30:00Z").await;
        assert_eq!(ada.invoices(invoice::Kind::Monthly).await.len(), 1);
        // Invoiced: lots have less, and as much less is unbilled.
        is_as_added_up(&florin, &ada, &project, "2027-05-01T06:00:00Z", true).await;
        let after = cents(check(&florin, &project, "").await.available.as_ref());
        assert!((late - after).abs() <= 4, "{late} before the invoice, {after} after it");
        florin.stop().await;
    }

    /// R4.8: a debt, a suspension and a plan that is not there are answers, with everything at once.
    async fn control_planes_are_told_every_reason(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        assert_eq!(reasons(&check(&florin, &project, "plans/b3-8").await), [""; 0]);
        prepaid_only(&ada, &project).await;
        let cap = SetSpendCapRequest {
            name: format!("{project}/spendingControls"),
            spend_cap: Some(euros(0)),
            ..Default::default()
        };
        ada.caller.budgets().set_spend_cap(cap).await.unwrap();
        let denied = check(&florin, &project, "plans/b3-8").await;
        assert_eq!(reasons(&denied), ["SPEND_CAP_REACHED", "PREPAID_FUNDS_EXHAUSTED"]);
        let denied = check(&florin, &project, "plans/nowhere").await;
        assert_eq!(reasons(&denied), ["SPEND_CAP_REACHED", "PLAN_UNKNOWN"]);
        let controls = GetSpendingControlsRequest { name: format!("{project}/spendingControls") };
        let controls = ada.caller.budgets().get_spending_controls(controls).await.unwrap().into_inner();
        assert!(controls.spend_cap_reached && controls.funds_exhausted);
        assert_eq!(said(controls.spend_cap.as_ref()), "0.00 EUR");
        // AddResource minds what is not paid for, and no cap.
        let refused = ada.add(&project, "plans/b3-8", "1").await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "PREPAID_FUNDS_EXHAUSTED".to_owned()));
        florin.stop().await;
    }

    /// R2.6: control planes place holds, customers look at theirs, and nobody at anybody else's.
    async fn holds_are_for_control_planes_and_repeat_safely(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let eve = florin.customer("eve").await;
        let order = ada.order(&project, 5).await;
        let paid = florin_tests::acts::pay_by_link(&florin, &order, "card-approved").await.unwrap();
        florin.approve(&paid.payment.unwrap().name).await;
        prepaid_only(&ada, &project).await;
        let token = service_token(&db, Role::ControlPlane).await;
        let plane = florin.anonymous.with_token(&token);
        let request = PlaceHoldRequest {
            parent: project.clone(),
            plan: "plans/b3-8".to_owned(),
            request_id: "launch-1".to_owned(),
            ..Default::default()
        };
        let placed = plane.funding().place_hold(request.clone()).await.unwrap().into_inner();
        let again = plane.funding().place_hold(request.clone()).await.unwrap().into_inner();
        assert_eq!(placed, again);
        assert_eq!(said(placed.amount.as_ref()), "2.66 EUR");
        let denied = ada.caller.funding().place_hold(request.clone()).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        let second = PlaceHoldRequest { request_id: "launch-2".to_owned(), ..request };
        let full = plane.funding().place_hold(second).await.unwrap_err();
        assert_eq!(refusal(&full).1, "PREPAID_FUNDS_EXHAUSTED");
        let list = ListHoldsRequest { parent: project.clone(), ..Default::default() };
        assert_eq!(ada.caller.funding().list_holds(list.clone()).await.unwrap().into_inner().holds, std::slice::from_ref(&placed));
        let hidden = eve.caller.funding().list_holds(list).await.unwrap_err();
        assert_eq!(refusal(&hidden).1, "NOT_FOUND");
        let resource = Resource { plan: "plans/b3-8".to_owned(), region: "gra".to_owned(), ..Default::default() };
        let add = AddResourceRequest {
            parent: project.clone(),
            resource: Some(resource),
            hold: placed.name.clone(),
            ..Default::default()
        };
        plane.resources().add_resource(add).await.unwrap();
        let open = ListHoldsRequest { parent: project.clone(), open_only: true, ..Default::default() };
        let open = plane.funding().list_holds(open).await.unwrap().into_inner().holds;
        assert_eq!(open.iter().map(|hold| hold.state()).collect::<Vec<_>>(), [hold::State::Attached]);
        florin.stop().await;
    }

    /// R5.7: budgets belong to the customer; they are listed, deleted, and told of by mail.
    async fn budgets_are_the_customers_own(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let eve = florin.customer("eve").await;
        let budget = Budget {
            display_name: "Web".to_owned(),
            amount: Some(euros(1)),
            basis: budget::Basis::Actual.into(),
            ..Default::default()
        };
        let create = CreateBudgetRequest { parent: project.clone(), budget: Some(budget), ..Default::default() };
        let hidden = eve.caller.budgets().create_budget(create.clone()).await.unwrap_err();
        assert_eq!(refusal(&hidden).1, "NOT_FOUND");
        let created = ada.caller.budgets().create_budget(create).await.unwrap().into_inner();
        assert_eq!(created.threshold_percents, [50, 80, 100]);
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-03-01T20:00:00Z").await;
        let notices = florin_api::operation::v1::ListNoticesRequest {
            parent: ada.account.clone(),
            kinds: vec!["project.budget-threshold".to_owned()],
            ..Default::default()
        };
        let notices = ada.caller.notices().list_notices(notices).await.unwrap().into_inner().notices;
        assert_eq!(notices.len(), 3, "{notices:?}");
        let list = ListBudgetsRequest { parent: project.clone(), ..Default::default() };
        let budgets = ada.caller.budgets().list_budgets(list.clone()).await.unwrap().into_inner().budgets;
        assert_eq!(budgets[0].reached_percents, [50, 80, 100]);
        let delete = DeleteBudgetRequest { name: created.name, ..Default::default() };
        ada.caller.budgets().delete_budget(delete).await.unwrap();
        assert!(ada.caller.budgets().list_budgets(list).await.unwrap().into_inner().budgets.is_empty());
        florin.stop().await;
    }
}
