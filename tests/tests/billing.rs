//! Billing runs over the wire: watched, canceled, resumed, and what they set aside billed later (R8.7).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    google::r#type::Date,
    invoicing::v1::{
        BillingItem, BillingRun, CancelBillingRunRequest, GetBillingRunRequest, ListBillingItemsRequest,
        RetryBillingItemRequest, StartBillingRunRequest, WatchBillingRunRequest, WatchBillingRunResponse,
        billing_item, billing_run,
    },
};
use florin_platform::call::Role;
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::florin::{Florin, refusal, service_token};
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Code, Status};

const SETTLEMENT: &str = "2027-04-01T06:00:00Z";

async fn execute(db: &TestDatabase, text: &str) {
    let connection = db.connect().await;
    let statement = Statement::from_string(connection.get_database_backend(), text);
    assert_eq!(connection.execute_raw(statement).await.unwrap().rows_affected(), 1, "{text}");
}

async fn start(florin: &Florin, request_id: &str) -> Result<BillingRun, Status> {
    let request = StartBillingRunRequest {
        issuer: "issuers/fr".to_owned(),
        billing_month: Some(Date { year: 2027, month: 3, day: 0 }),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    Ok(florin.operator.billing_runs().start_billing_run(request).await?.into_inner())
}

async fn get(florin: &Florin, name: &str) -> BillingRun {
    let request = GetBillingRunRequest { name: name.to_owned() };
    florin.operator.billing_runs().get_billing_run(request).await.unwrap().into_inner()
}

async fn cancel(florin: &Florin, name: &str, request_id: &str) -> Result<BillingRun, Status> {
    let request = CancelBillingRunRequest { name: name.to_owned(), request_id: request_id.to_owned() };
    Ok(florin.operator.billing_runs().cancel_billing_run(request).await?.into_inner())
}

async fn watch(florin: &Florin, name: &str) -> Result<tonic::Streaming<WatchBillingRunResponse>, Status> {
    let request = WatchBillingRunRequest { name: name.to_owned() };
    Ok(florin.operator.billing_runs().watch_billing_run(request).await?.into_inner())
}

async fn next(watched: &mut tonic::Streaming<WatchBillingRunResponse>) -> Option<BillingRun> {
    watched.message().await.unwrap().map(|told| told.billing_run.unwrap())
}

async fn items(florin: &Florin, run: &str, page_size: i32, page_token: &str) -> (Vec<BillingItem>, String) {
    let request = ListBillingItemsRequest {
        parent: run.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        ..Default::default()
    };
    let page = florin.operator.billing_runs().list_billing_items(request).await.unwrap().into_inner();
    (page.billing_items, page.next_page_token)
}

async fn retry(florin: &Florin, name: &str, request_id: &str) -> Result<BillingItem, Status> {
    let request = RetryBillingItemRequest {
        name: name.to_owned(),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    Ok(florin.operator.billing_runs().retry_billing_item(request).await?.into_inner())
}

on_both_backends! {
    /// A run whose only range another server holds: it is watched while it waits, canceled, and resumed.
    async fn a_run_is_watched_canceled_and_resumed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (customer, project) = florin.customer_with_project("ada").await;
        customer.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to(SETTLEMENT).await;
        let completed = start(&florin, "").await.unwrap();
        assert_eq!(completed.state(), billing_run::State::Completed);
        assert_eq!((completed.project_count, completed.invoiced_count), (1, 1));
        let mut watched = watch(&florin, &completed.name).await.unwrap();
        assert_eq!(next(&mut watched).await.unwrap().state(), billing_run::State::Completed);
        assert_eq!(next(&mut watched).await, None, "it ends with the run");
        let refused = cancel(&florin, &completed.name, "").await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "RUN_COMPLETED".to_owned()));

        // The month after, begun by a server that has a range and does not get on.
        let run = "INSERT INTO billing_run (id, issuer, month, settlement_at, state, project_count, invoiced_count, \
                   nothing_due_count, set_aside_count, started_at) SELECT project_id, 'fr', '2027-02', settlement_at, \
                   'RUNNING', 1, 0, 0, 0, issued_at FROM invoice WHERE kind = 'MONTHLY'";
        execute(&db, run).await;
        let range = "INSERT INTO billing_range (run_id, ordinal, done, invoiced_count, nothing_due_count, \
                     set_aside_count, holder, held_until_micros) SELECT id, 0, FALSE, 0, 0, 0, 'another', \
                     4000000000000000 FROM billing_run WHERE state = 'RUNNING'";
        execute(&db, range).await;
        let february = StartBillingRunRequest {
            issuer: "issuers/fr".to_owned(),
            billing_month: Some(Date { year: 2027, month: 2, day: 0 }),
            ..Default::default()
        };
        let started = florin.operator.billing_runs().start_billing_run(february.clone()).await.unwrap();
        let name = started.into_inner().name;
        let (mut one, mut other) = (watch(&florin, &name).await.unwrap(), watch(&florin, &name).await.unwrap());
        assert_eq!(next(&mut one).await.unwrap().state(), billing_run::State::Running);
        assert_eq!(next(&mut other).await.unwrap().state(), billing_run::State::Running);
        let canceled = cancel(&florin, &name, "c1").await.unwrap();
        assert_eq!(canceled.state(), billing_run::State::Canceled);
        assert_eq!(cancel(&florin, &name, "c1").await.unwrap(), canceled);
        for watched in [&mut one, &mut other] {
            assert_eq!(next(watched).await.unwrap().state(), billing_run::State::Canceled);
            assert_eq!(next(watched).await, None, "it ends with the cancellation");
        }
        execute(&db, "UPDATE billing_range SET held_until_micros = 0").await;
        let resumed = florin.operator.billing_runs().start_billing_run(february).await.unwrap().into_inner();
        assert_eq!((resumed.state(), &resumed.name), (billing_run::State::Running, &name));
        let mut watched = watch(&florin, &name).await.unwrap();
        let mut last = None;
        while let Some(run) = next(&mut watched).await {
            last = Some(run);
        }
        assert_eq!(last.unwrap().state(), billing_run::State::Completed, "the server takes it up by itself");
        let unknown = watch(&florin, "billingRuns/garbage").await.unwrap_err();
        assert_eq!(unknown.code(), Code::InvalidArgument);
        florin.stop().await;
    }

    /// What was set aside is listed page by page, tried in vain, corrected and billed; once, whoever repeats it.
    async fn what_was_set_aside_is_listed_and_billed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        for name in ["ada", "ben"] {
            let (customer, project) = florin.customer_with_project(name).await;
            customer.add(&project, "plans/b3-8", "1").await.unwrap();
        }
        let connection = db.connect().await;
        connection.execute_unprepared("UPDATE resource SET labels = 'garbage'").await.unwrap();
        florin.advance_to(SETTLEMENT).await;
        let run = start(&florin, "").await.unwrap();
        assert_eq!((run.invoiced_count, run.set_aside_count, run.set_aside_items.len()), (0, 2, 2));
        let (first, token) = items(&florin, &run.name, 1, "").await;
        let (second, end) = items(&florin, &run.name, 1, &token).await;
        assert_eq!((first.len(), second.len(), end.as_str()), (1, 1, ""));
        assert_eq!(first[0].state(), billing_item::State::SetAside);

        let unfit = retry(&florin, &first[0].name, "r1").await.unwrap_err();
        assert_eq!(refusal(&unfit), (Code::FailedPrecondition, "BILLING_ITEM_UNFIT".to_owned()));
        connection.execute_unprepared("UPDATE resource SET labels = '{}'").await.unwrap();
        let billed = retry(&florin, &first[0].name, "r1").await.unwrap();
        assert_eq!((billed.state(), billed.attempt_count), (billing_item::State::Invoiced, 3));
        assert!(!billed.invoice.is_empty());
        assert_eq!(retry(&florin, &first[0].name, "r1").await.unwrap(), billed);
        assert_eq!(retry(&florin, &first[0].name, "r2").await.unwrap(), billed);
        let report = get(&florin, &run.name).await;
        assert_eq!((report.set_aside_count, report.retried_count), (2, 1));
        assert_eq!(report.set_aside_items.len(), 1);
        let nobody = format!("{}/items/proj_00000000000000000000000000", run.name);
        assert_eq!(retry(&florin, &nobody, "").await.unwrap_err().code(), Code::NotFound);

        let reader = service_token(&db, Role::Operator).await;
        let reader = florin.anonymous.with_token(&reader);
        let request = RetryBillingItemRequest { name: second[0].name.clone(), ..Default::default() };
        let refused = reader.billing_runs().retry_billing_item(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        florin.stop().await;
    }
}
