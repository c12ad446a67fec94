//! Who may create projects, how many, and what becomes of them (R4.1, R4.3, R4.4).

use florin_api::project::v1::{
    CancelProjectRequest, CheckEligibilityRequest, CreateProjectRequest, GetProjectRequest,
    ListProjectsRequest, Project, UpdateProjectRequest, project::State,
    project_service_server::ProjectService,
};
use florin_platform::wire::account_name;
use florin_testbed::on_both_backends;
use futures::future::join_all;
use tonic::Code;

use crate::setting::{House, by, by_service, initial_credit, new_project, project_id, reason, unmet};

fn renamed(project: &Project, name: &str, etag: &str) -> UpdateProjectRequest {
    let project = Project { display_name: name.to_owned(), etag: etag.to_owned(), ..project.clone() };
    let update_mask = Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] });
    UpdateProjectRequest { project: Some(project), update_mask, ..UpdateProjectRequest::default() }
}

on_both_backends! {
    /// R4.1: twenty at once, three places; pending projects take places too.
    async fn the_limit_of_projects_holds_under_concurrent_creations(db: TestDatabase) {
        let house = &House::open(db).await;
        let account = house.account("FR", "crowd@example.com").await;
        let wanted = (0..20).map(|n| async move { house.create(account, &format!("Rush {n}"), initial_credit()).await });
        let (created, refused): (Vec<_>, Vec<_>) = join_all(wanted).await.into_iter().partition(Result::is_ok);
        assert_eq!((created.len(), refused.len()), (3, 17));
        assert!(refused.iter().flatten().next().is_none());
        assert!(refused.into_iter().filter_map(Result::err).all(|status| reason(&status) == "PROJECT_LIMIT_REACHED"));
        assert_eq!((house.count("project").await, house.count("credit_order").await), (3, 3));
    }

    /// R4.1: all at once, in the order of the reasons, each with what to do.
    async fn every_unmet_condition_is_named_at_once(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account_without_terms("FR", "blocked@example.com").await;
        house.owes(true);
        let text = "UPDATE account SET state = 'SUSPENDED', project_limit = 0 WHERE account_id = $1";
        house.execute(text, [account.into()]).await.expect("suspended");

        let status = house.create(account, "Web", None).await.expect_err("refused");
        let expected =
            ["ACCOUNT_NOT_ACTIVE", "TERMS_NOT_ACCEPTED", "DEBT_UNPAID", "PROJECT_LIMIT_REACHED", "FUNDING_REQUIRED"];
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, expected[0]));
        assert_eq!(unmet(&status), expected);

        let request = CheckEligibilityRequest { parent: account_name(account) };
        let answer = house.projects().check_eligibility(by(account, request)).await.expect("answered").into_inner();
        assert!(!answer.eligible && answer.funding_required);
        assert_eq!(answer.unmet_conditions.len(), 4);
        assert_eq!(answer.unmet_conditions[1].terms_documents, ["issuers/fr/terms/1"]);
    }

    /// R4.2, R4.4: what a new customer is told before anything else.
    async fn eligibility_tells_the_minimum_the_limit_and_a_name(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "new@example.com").await;
        let check = || by(account, CheckEligibilityRequest { parent: account_name(account) });
        let answer = house.projects().check_eligibility(check()).await.expect("answered").into_inner();
        assert!(answer.eligible && answer.funding_required);
        assert_eq!(answer.initial_credit_minimum.map(|money| money.units), Some(30));
        assert_eq!(answer.initial_credit_minimum_incl_tax.map(|money| money.units), Some(36));
        assert_eq!(answer.default_display_name, "Project 1");
        assert_eq!((answer.live_project_count, answer.live_project_limit), (0, 3));

        house.create(account, "Web", initial_credit()).await.expect("created");
        let answer = house.projects().check_eligibility(check()).await.expect("answered").into_inner();
        assert_eq!((answer.default_display_name.as_str(), answer.live_project_count), ("Project 2", 1));
    }

    /// R4.3: given up, a pending project frees its place and its order.
    async fn a_canceled_project_frees_its_place(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "undecided@example.com").await;
        let mut pending = Vec::new();
        for n in 0..3 {
            pending.push(house.create(account, &format!("Web {n}"), initial_credit()).await.expect("created"));
        }
        house.create(account, "One more", initial_credit()).await.expect_err("no place");
        let cancel = |etag: &str| CancelProjectRequest {
            name: pending[0].name.clone(),
            etag: etag.to_owned(),
            ..CancelProjectRequest::default()
        };
        let stale = house.projects().cancel_project(by(account, cancel("stale"))).await.expect_err("stale");
        assert_eq!((stale.code(), reason(&stale).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        let canceled = house.projects().cancel_project(by(account, cancel(&pending[0].etag))).await;
        assert_eq!(canceled.expect("canceled").into_inner().state(), State::Canceled);
        let again = house.projects().cancel_project(by(account, cancel(""))).await.expect_err("twice");
        assert_eq!(reason(&again), "PROJECT_NOT_PENDING");
        assert_eq!(house.execute("UPDATE credit_order SET version = version WHERE state = 'CANCELED'", []).await, Ok(1));
        house.create(account, "One more", initial_credit()).await.expect("a place is free");
    }

    /// R4.3: an order not paid in time frees the place at its instant, whether or not a job has run.
    async fn a_project_whose_order_lapsed_takes_no_place(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "late@example.com").await;
        for n in 0..3 {
            house.create(account, &format!("Web {n}"), initial_credit()).await.expect("created");
        }
        house.create(account, "One more", initial_credit()).await.expect_err("no place");
        house.now_is("2027-03-02T08:30:00Z").await;
        house.create(account, "One more", initial_credit()).await.expect("the orders expired after a day");
        let canceled = "UPDATE project SET version = version WHERE state = 'CANCELED'";
        assert_eq!(house.execute(canceled, []).await, Ok(3));
    }

    /// Section 11: the same request id is one project and the same bytes.
    async fn a_repeated_request_is_answered_again_and_done_once(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "twice@example.com").await;
        let request =
            CreateProjectRequest { request_id: "r-1".to_owned(), ..new_project(account, "Web", initial_credit()) };
        let first = house.projects().create_project(by(account, request.clone())).await.expect("created").into_inner();
        let second = house.projects().create_project(by(account, request.clone())).await.expect("replayed").into_inner();
        assert_eq!(first, second);
        assert_eq!(house.count("project").await, 1);
        let other = CreateProjectRequest { project: Some(renamed(&first, "Other", "").project.expect("one")), ..request };
        let status = house.projects().create_project(by(account, other)).await.expect_err("another body");
        assert_eq!(reason(&status), "REQUEST_ID_REUSED");
    }

    /// Section 11: a rehearsal answers as for real and writes nothing.
    async fn validate_only_writes_nothing(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "careful@example.com").await;
        let events = house.count("event").await;
        let request = CreateProjectRequest { validate_only: true, ..new_project(account, "Web", initial_credit()) };
        let answer = house.projects().create_project(by(account, request)).await.expect("answered").into_inner();
        assert_eq!(answer.state(), State::PendingFunding);
        assert_eq!((house.count("project").await, house.count("credit_order").await), (0, 0));
        assert_eq!(house.count("event").await, events);
    }

    /// R4.4: any time, under the etag that was read.
    async fn a_project_can_be_renamed_by_who_has_read_it(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "namer@example.com").await;
        let project = house.create(account, "Web", initial_credit()).await.expect("created");
        let rpc = house.projects();
        let updated = rpc.update_project(by(account, renamed(&project, "Site", &project.etag))).await;
        let updated = updated.expect("renamed").into_inner();
        assert_eq!(updated.display_name, "Site");
        assert_ne!(updated.etag, project.etag);
        let stale = rpc.update_project(by(account, renamed(&project, "Shop", &project.etag))).await.expect_err("stale");
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let empty = rpc.update_project(by(account, renamed(&project, " ", ""))).await.expect_err("no name");
        assert_eq!(empty.code(), Code::InvalidArgument);
    }

    /// R12.1: someone else's is missing.
    async fn a_project_of_another_account_does_not_exist(db: TestDatabase) {
        let house = House::open(db).await;
        let owner = house.account("FR", "owner@example.com").await;
        let other = house.account("FR", "other@example.com").await;
        let project = house.create(owner, "Web", initial_credit()).await.expect("created");
        let get = || GetProjectRequest { name: project.name.clone() };
        let rpc = house.projects();
        let status = rpc.get_project(by(other, get())).await.expect_err("not theirs");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
        let list = ListProjectsRequest { parent: account_name(owner), ..ListProjectsRequest::default() };
        assert_eq!(rpc.list_projects(by(other, list.clone())).await.expect_err("not theirs").code(), Code::NotFound);
        assert_eq!(rpc.get_project(by_service(get())).await.expect("services may").into_inner(), project);
        let listed = rpc.list_projects(by(owner, list)).await.expect("listed").into_inner();
        assert_eq!(listed.projects, [project]);
        assert_eq!(project_id(&listed.projects[0]), project_id(&listed.projects[0]));
    }

    async fn projects_are_listed_oldest_first_in_pages(db: TestDatabase) {
        let house = House::open(db).await;
        let account = house.account("FR", "pages@example.com").await;
        for name in ["One", "Two", "Three"] {
            house.create(account, name, initial_credit()).await.expect("created");
        }
        let page = |token: String| ListProjectsRequest {
            parent: account_name(account),
            page_size: 2,
            page_token: token,
            ..ListProjectsRequest::default()
        };
        let rpc = house.projects();
        let first = rpc.list_projects(by(account, page(String::new()))).await.expect("listed").into_inner();
        let second = rpc.list_projects(by(account, page(first.next_page_token.clone()))).await.expect("listed");
        let names: Vec<_> =
            first.projects.iter().chain(&second.get_ref().projects).map(|project| project.display_name.as_str()).collect();
        assert_eq!(names, ["One", "Two", "Three"]);
        assert_eq!(second.get_ref().next_page_token, "");
    }
}
