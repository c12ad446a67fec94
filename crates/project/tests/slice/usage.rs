//! Resources and what they come to (R5.2, R5.3, R5.6, R1.4).

use std::sync::atomic::{AtomicUsize, Ordering};

use florin_api::project::v1::{
    AddResourceRequest, GetCurrentUsageRequest, GetCurrentUsageResponse, ListResourcesRequest, Project,
    RemoveResourceRequest, Resource, resource::State, resource_service_server::ResourceService,
    usage_service_server::UsageService,
};
use florin_platform::{column::At, db::sql, id::AccountId};
use florin_project::{ProjectId, ResourceId, billable, billable_count, usage::of_projects};
use florin_settlement::{Month, Period};
use florin_testbed::on_both_backends;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tonic::{Code, Status};

use crate::setting::{House, at, by, initial_credit, reason};

async fn add(
    house: &House,
    account: AccountId,
    project: &Project,
    resource: Resource,
) -> Result<Resource, Status> {
    let parent = project.name.clone();
    let request = AddResourceRequest { parent, resource: Some(resource), ..AddResourceRequest::default() };
    Ok(house.resources().add_resource(by(account, request)).await?.into_inner())
}

fn of_plan(plan: &str, size: &str) -> Resource {
    let size = (!size.is_empty()).then(|| florin_api::money::Decimal { value: size.to_owned() });
    Resource { plan: format!("plans/{plan}"), size, region: "gra".to_owned(), ..Resource::default() }
}

async fn remove(house: &House, account: AccountId, resource: &Resource) -> Result<Resource, Status> {
    let request = RemoveResourceRequest { name: resource.name.clone(), ..RemoveResourceRequest::default() };
    Ok(house.resources().remove_resource(by(account, request)).await?.into_inner())
}

async fn current(house: &House, account: AccountId, project: &Project) -> GetCurrentUsageResponse {
    let request = GetCurrentUsageRequest { parent: project.name.clone() };
    house.usage().get_current_usage(by(account, request)).await.expect("usage").into_inner()
}

fn march() -> Period {
    Month::parse("2027-03").expect("a month").period()
}

/// Counts the queries that go through it.
struct Counted<'a>(&'a DatabaseConnection, AtomicUsize);

#[async_trait::async_trait]
impl ConnectionTrait for Counted<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }
    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.execute_raw(statement).await
    }
    async fn execute_unprepared(&self, text: &str) -> Result<ExecResult, DbErr> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.execute_unprepared(text).await
    }
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.query_one_raw(statement).await
    }
    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.query_all_raw(statement).await
    }
}

/// So many ACTIVE projects with one instance each, straight into the tables.
async fn crowd(house: &House, account: AccountId, projects: usize) -> Vec<(AccountId, ProjectId)> {
    let created = at("2027-03-01T09:00:00Z");
    let mut crowd = Vec::new();
    let tx = house.platform.db.begin_write().await.expect("begun");
    for _ in 0..projects {
        let (project, resource) = (ProjectId::generate(created), ResourceId::generate(created));
        let text = "INSERT INTO project (account_id, id, display_name, state, funding, currency, version, created_at, \
                    activated_at, updated_at) VALUES ($1, $2, 'Crowd', 'ACTIVE', 'NOT_ASKED', 'EUR', 1, $3, $3, $3)";
        let when = || At::from(created).into();
        tx.execute_raw(sql(&tx, text, [account.into(), project.into(), when()])).await.expect("a project");
        let text = "INSERT INTO resource (account_id, id, project_id, display_name, plan, size, region, labels, version, \
                    created_at) VALUES ($1, $2, $3, 'vm', 'b3-8', '1', 'gra', '{}', 1, $4)";
        let values = [account.into(), resource.into(), project.into(), when()];
        tx.execute_raw(sql(&tx, text, values)).await.expect("a resource");
        let text = "INSERT INTO resource_interval (account_id, resource_id, ordinal, project_id, plan, size, started_at) \
                    VALUES ($1, $2, 1, $3, 'b3-8', '1', $4)";
        let values = [account.into(), resource.into(), project.into(), when()];
        tx.execute_raw(sql(&tx, text, values)).await.expect("an interval");
        crowd.push((account, project));
    }
    tx.commit().await.expect("committed");
    crowd
}

on_both_backends! {
    /// The worked example, through the API and the clock: 22.20 + 1.43 = 23.63.
    async fn two_hundred_hours_and_a_volume_come_to_23_euros_63(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("example@example.com").await;
        house.now_is("2027-03-04T09:40:00Z").await;
        let instance = add(&house, account, &project, of_plan("b3-8", "")).await.expect("added");
        house.now_is("2027-03-08T10:00:00Z").await;
        let volume = add(&house, account, &project, of_plan("volume-classic", "250")).await.expect("added");
        house.now_is("2027-03-12T16:30:00Z").await;
        remove(&house, account, &instance).await.expect("removed");
        remove(&house, account, &volume).await.expect("removed");
        house.now_is("2027-03-20T12:00:00Z").await;

        let usage = current(&house, account, &project).await;
        let lines: Vec<_> = usage
            .lines
            .iter()
            .map(|line| {
                let net = line.net.clone().unwrap_or_default();
                let quantity = line.quantity.clone().unwrap_or_default().value;
                (line.plan.as_str(), quantity, net.units, net.nanos)
            })
            .collect();
        assert_eq!(
            lines,
            [
                ("plans/b3-8", "200".to_owned(), 22, 200_000_000),
                ("plans/volume-classic", "25750".to_owned(), 1, 430_000_000),
            ]
        );
        let total = usage.net_total.expect("a total");
        assert_eq!((total.currency_code.as_str(), total.units, total.nanos), ("EUR", 23, 630_000_000));
        assert_eq!(usage.family_totals.len(), 2);

        house.now_is("2027-04-01T06:00:00Z").await;
        assert!(current(&house, account, &project).await.lines.is_empty(), "April is empty");
    }

    /// R5.2: added and removed with effect at once, and once.
    async fn a_resource_is_charged_from_its_first_to_its_last_hour(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("hours@example.com").await;
        let wanted = Resource {
            display_name: "web".to_owned(),
            labels: [("team".to_owned(), "blue".to_owned())].into(),
            ..of_plan("b3-8", "")
        };
        let added = add(&house, account, &project, wanted).await.expect("added");
        assert_eq!((added.state(), added.size.clone().map(|size| size.value)), (State::Active, Some("1".to_owned())));
        let usage = current(&house, account, &project).await;
        assert_eq!(usage.lines[0].quantity.clone().map(|quantity| quantity.value).as_deref(), Some("1"));
        assert_eq!((usage.lines[0].resource_display_name.as_str(), usage.lines[0].region.as_str()), ("web", "gra"));
        assert_eq!(usage.lines[0].labels["team"], "blue");

        let removed = remove(&house, account, &added).await.expect("removed");
        assert_eq!(removed.state(), State::Removed);
        let again = remove(&house, account, &added).await.expect_err("twice");
        assert_eq!(reason(&again), "RESOURCE_REMOVED");
        house.now_is("2027-03-05T00:00:00Z").await;
        let usage = current(&house, account, &project).await;
        assert_eq!(usage.lines[0].quantity.clone().map(|quantity| quantity.value).as_deref(), Some("1"));

        let list = |state: State| ListResourcesRequest {
            parent: project.name.clone(),
            states: vec![state.into()],
            ..ListResourcesRequest::default()
        };
        let rpc = house.resources();
        assert!(rpc.list_resources(by(account, list(State::Active))).await.expect("listed").get_ref().resources.is_empty());
        let gone = rpc.list_resources(by(account, list(State::Removed))).await.expect("listed").into_inner();
        assert_eq!(gone.resources, [removed]);
    }

    /// R5.3: pro-rated by days, due once, not reduced by removal.
    async fn a_monthly_plan_is_charged_by_days_in_its_first_month(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("monthly@example.com").await;
        house.now_is("2027-03-15T12:00:00Z").await;
        let added = add(&house, account, &project, of_plan("b3-8.monthly", "")).await.expect("added");
        remove(&house, account, &added).await.expect("removed");
        let usage = current(&house, account, &project).await;
        let line = &usage.lines[0];
        let net = line.net.clone().expect("an amount");
        assert_eq!(line.quantity.clone().map(|quantity| quantity.value).as_deref(), Some("17"));
        assert_eq!((line.quantity_divisor, net.units, net.nanos), (31, 21, 910_000_000));
    }

    async fn a_resource_needs_an_active_project_and_a_plan_that_is_sold(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "pending@example.com").await;
        let pending = house.create(account, "Web", initial_credit()).await.expect("created");
        let refused = add(&house, account, &pending, of_plan("b3-8", "")).await.expect_err("pending");
        assert_eq!(reason(&refused), "PROJECT_NOT_ACTIVE");

        let (account, project) = house.funded("buyer@example.com").await;
        let unknown = add(&house, account, &project, of_plan("b9-99", "")).await.expect_err("unknown");
        assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::NotFound, "PLAN_UNKNOWN"));
        let sized = add(&house, account, &project, of_plan("b3-8", "2")).await.expect_err("no size");
        assert_eq!(sized.code(), Code::InvalidArgument);
        let wrong = Resource { region: "GRA!".to_owned(), ..of_plan("volume-classic", "-1") };
        assert_eq!(add(&house, account, &project, wrong).await.expect_err("wrong").code(), Code::InvalidArgument);

        house.execute("UPDATE plan SET retired_at = '2027-03-01T00:00:00+00:00' WHERE code = 'c3-8'", []).await.expect("retired");
        let retired = add(&house, account, &project, of_plan("c3-8", "")).await.expect_err("retired");
        assert_eq!(reason(&retired), "PLAN_RETIRED");
        let text = "INSERT INTO plan (code, display_name, family, charge_model, unit, created_at) \
                    VALUES ('free', 'Free', 'OPTION', 'HOURLY', 'hour', '2027-03-01T00:00:00+00:00')";
        house.execute(text, []).await.expect("a plan nobody priced");
        let unpriced = add(&house, account, &project, of_plan("free", "")).await.expect_err("unpriced");
        assert_eq!(reason(&unpriced), "PLAN_PRICE_MISSING");
    }

    /// Set-oriented: as many queries for 500 projects as for one.
    async fn usage_of_five_hundred_projects_takes_as_many_queries_as_of_one(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "crowd@example.com").await;
        let crowd = crowd(&house, account, 500).await;
        let mut counts = Vec::new();
        for projects in [&crowd[..1], &crowd[..]] {
            let counted = Counted(house.platform.db.reader(), AtomicUsize::new(0));
            let lines = of_projects(&counted, projects, march(), at("2027-04-01T06:00:00Z")).await.expect("rated");
            assert_eq!(lines.len(), projects.len());
            assert!(lines.iter().all(|line| line.quantity == florin_settlement::Quantity::whole(735)));
            counts.push(counted.1.load(Ordering::SeqCst));
        }
        assert_eq!(counts, [5, 5]);
        let twice = [crowd[0], crowd[0]];
        let lines = of_projects(house.platform.db.reader(), &twice, march(), at("2027-04-01T06:00:00Z")).await;
        assert_eq!(lines.expect("rated").len(), 1, "a project named twice is charged once");
    }

    /// R7.7: the billing run reads the projects of its accounts in settlement order.
    async fn billable_projects_come_in_settlement_order(db: TestDatabase) {
        let house = House::open(db).await;
        let (one, two) = (house.account("FR", "a@example.com").await, house.account("BE", "b@example.com").await);
        let mut expected = crowd(&house, one, 3).await;
        expected.extend(crowd(&house, two, 2).await);
        expected.sort();
        house.create(two, "Without resources", None).await.expect("created");
        let reader = house.platform.db.reader();
        let settlement = at("2027-04-01T06:00:00Z");
        let of = async |accounts: &[AccountId], limit| {
            let found = billable(reader, march(), settlement, accounts, limit).await.expect("read");
            found.iter().map(|project| (project.account, project.project)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[one, two], 10).await, expected);
        assert_eq!(of(&[one, two], 4).await, expected[..4], "the first of them");
        assert_eq!(of(&[two], 10).await, expected[3..], "nobody else's");
        assert_eq!(billable_count(reader, march(), settlement, &[one, two]).await, Ok(5));
        let february = Month::parse("2027-02").expect("a month").period();
        assert_eq!(billable_count(reader, february, settlement, &[one, two]).await, Ok(0));
    }
}
