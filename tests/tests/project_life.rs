//! The life of a project over the wire: suspended, resumed, quotas and limits, deleted in two steps (R4).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{GetCreditOrderRequest, credit_order},
    operation::v1::ListNoticesRequest,
    project::v1::{
        AcknowledgeSuspensionRequest, ConfirmProjectDeletionRequest, ListQuotasRequest,
        ListSuspensionAcknowledgementsRequest, PlanFamily, Project, Quota, RequestProjectDeletionRequest,
        ResumeProjectRequest, SetProjectLimitRequest, SetQuotaRequest, SuspendProjectRequest,
        WithdrawProjectDeletionRequest, project,
    },
};
use florin_testbed::on_both_backends;
use florin_tests::florin::{Customer, Florin, refusal};
use futures::future::join_all;
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn suspend(florin: &Florin, project: &str) -> Result<Project, Status> {
    let request = SuspendProjectRequest {
        name: project.to_owned(),
        reason: "mining was reported".to_owned(),
        ..Default::default()
    };
    Ok(florin.operator.projects().suspend_project(request).await?.into_inner())
}

async fn resume(florin: &Florin, project: &str) -> Result<Project, Status> {
    let request = ResumeProjectRequest { name: project.to_owned(), ..Default::default() };
    Ok(florin.operator.projects().resume_project(request).await?.into_inner())
}

async fn ask_deletion(who: &Customer, project: &str) -> Result<(), Status> {
    let request = RequestProjectDeletionRequest { name: project.to_owned(), ..Default::default() };
    who.caller.projects().request_project_deletion(request).await.map(drop)
}

async fn confirm(who: &Customer, project: &str, token: &str, request_id: &str) -> Result<Project, Status> {
    let request = ConfirmProjectDeletionRequest {
        name: project.to_owned(),
        token: token.to_owned(),
        request_id: request_id.to_owned(),
    };
    Ok(who.caller.projects().confirm_project_deletion(request).await?.into_inner())
}

/// The bodies of the notices of `kind`, newest first, with their secrets.
async fn told(florin: &Florin, account: &str, kind: &str) -> Vec<String> {
    let request =
        ListNoticesRequest { parent: account.to_owned(), kinds: vec![kind.to_owned()], ..Default::default() };
    let notices = florin.operator.notices().list_notices(request).await.unwrap().into_inner().notices;
    notices.into_iter().map(|notice| notice.body).collect()
}

fn metadata(status: &Status, key: &str) -> String {
    status.get_error_details().error_info().unwrap().metadata[key].clone()
}

on_both_backends! {
    /// R4.3, R9.2: with a reason, told to the customer; acknowledged once per control plane; resources stay.
    async fn an_operator_suspends_control_planes_acknowledge_and_the_operator_lets_resume(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        assert_eq!(refusal(&resume(&florin, &project).await.unwrap_err()).1, "PROJECT_NOT_SUSPENDED");
        let acknowledge = AcknowledgeSuspensionRequest { name: project.clone(), ..Default::default() };
        let status = florin.operator.projects().acknowledge_suspension(acknowledge.clone()).await.unwrap_err();
        assert_eq!(refusal(&status).1, "PROJECT_NOT_SUSPENDED");

        let suspended = suspend(&florin, &project).await.unwrap();
        assert_eq!(suspended.state(), project::State::Suspended);
        assert_eq!(suspended.suspensions[0].reason, "mining was reported");
        assert_eq!(refusal(&suspend(&florin, &project).await.unwrap_err()).1, "PROJECT_ALREADY_SUSPENDED");
        let body = told(&florin, &ada.account, "project.suspended").await.remove(0);
        assert!(body.contains("mining was reported") && body.contains("are charged while they exist"), "{body}");
        let status = ada.add(&project, "plans/b3-8", "1").await.unwrap_err();
        assert_eq!(refusal(&status).1, "PROJECT_NOT_ACTIVE");

        let first = florin.operator.projects().acknowledge_suspension(acknowledge.clone()).await.unwrap();
        let again = florin.operator.projects().acknowledge_suspension(acknowledge.clone()).await.unwrap();
        assert_eq!(first.into_inner(), again.into_inner());
        let plane = florin_tests::florin::service_token(&db, florin_platform::call::Role::ControlPlane).await;
        let plane = florin.anonymous.with_token(&plane);
        plane.projects().acknowledge_suspension(acknowledge).await.unwrap();
        let list = ListSuspensionAcknowledgementsRequest { parent: project.clone() };
        let said = plane.projects().list_suspension_acknowledgements(list.clone()).await.unwrap().into_inner();
        assert_eq!(said.acknowledgements.len(), 2);

        let resumed = resume(&florin, &project).await.unwrap();
        assert_eq!((resumed.state(), resumed.suspensions.len()), (project::State::Active, 0));
        assert_eq!(told(&florin, &ada.account, "project.resumed").await.len(), 1);
        let said = plane.projects().list_suspension_acknowledgements(list).await.unwrap().into_inner();
        assert!(said.acknowledgements.is_empty());
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.stop().await;
    }

    /// R4.7: fifty at once never exceed the quota, and the refusal says why; raising it is an operator's act.
    async fn fifty_clients_at_once_never_exceed_a_quota(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let set = |limit| {
            let quota = Quota { name: format!("{project}/quotas/instance"), limit, ..Quota::default() };
            let request = SetQuotaRequest { quota: Some(quota), ..Default::default() };
            let mut projects = florin.operator.projects();
            async move { projects.set_quota(request).await }
        };
        let quota = set(7).await.unwrap().into_inner();
        assert_eq!((quota.limit, quota.in_use, quota.default_limit), (7, 0, 100));
        let answers = join_all((0..50).map(|_| ada.add(&project, "plans/b3-8", "1"))).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 7);
        for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refusal(status), (Code::FailedPrecondition, "QUOTA_EXCEEDED".to_owned()));
            let said = ["family", "limit", "in_use"].map(|key| metadata(status, key));
            assert_eq!(said, ["INSTANCE", "7", "7"].map(str::to_owned));
        }
        ada.add(&project, "plans/volume-classic", "10").await.unwrap();
        let removed = answers.into_iter().flatten().next().unwrap();
        ada.remove(&removed.name).await;
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        set(8).await.unwrap();
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        ada.add(&project, "plans/b3-8", "1").await.unwrap_err();
        let list = ListQuotasRequest { parent: project.clone() };
        let quotas = ada.caller.projects().list_quotas(list).await.unwrap().into_inner().quotas;
        let of = |family| quotas.iter().find(|quota| quota.family() == family).map(|quota| (quota.limit, quota.in_use));
        assert_eq!(of(PlanFamily::Instance), Some((8, 8)));
        assert_eq!(of(PlanFamily::Storage), Some((500, 1)));
        florin.stop().await;
    }

    /// R4.1: an operator raises the limit of one account.
    async fn an_operator_sets_how_many_projects_an_account_may_have(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, _) = florin.customer_with_project("ada").await;
        let set = |limit| {
            let request = SetProjectLimitRequest { account: ada.account.clone(), limit, ..Default::default() };
            let mut projects = florin.operator.projects();
            async move { projects.set_project_limit(request).await }
        };
        let one = set(1).await.unwrap().into_inner();
        assert_eq!((one.limit, one.live_project_count), (1, 1));
        assert_eq!(refusal(&ada.create_project(None).await.unwrap_err()).1, "PROJECT_LIMIT_REACHED");
        set(2).await.unwrap();
        ada.create_project(None).await.unwrap();
        assert_eq!(refusal(&set(-1).await.unwrap_err()).1, "INVALID_ARGUMENT_VIOLATIONS");
        florin.stop().await;
    }

    /// R4.6: two steps, a token that dies of guesses, of withdrawal and of age; then everything stops at once.
    async fn a_customer_deletes_a_project_with_the_mailed_token(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let eve = florin.customer("eve").await;
        let resource = ada.add(&project, "plans/b3-8", "1").await.unwrap();
        assert_eq!(refusal(&confirm(&ada, &project, "guess", "").await.unwrap_err()).1, "DELETION_NOT_REQUESTED");

        ask_deletion(&ada, &project).await.unwrap();
        let status = ask_deletion(&ada, &project).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::ResourceExhausted, "DELETION_REQUEST_RATE_LIMITED".to_owned()));
        let first = florin.mailed_deletion_token(&ada.account).await;
        let withdraw = WithdrawProjectDeletionRequest { name: project.clone(), ..Default::default() };
        ada.caller.projects().withdraw_project_deletion(withdraw).await.unwrap();
        assert_eq!(refusal(&confirm(&ada, &project, &first, "").await.unwrap_err()).1, "DELETION_NOT_REQUESTED");

        florin.advance_to("2027-03-01T09:00:00Z").await;
        ask_deletion(&ada, &project).await.unwrap();
        let old = florin.mailed_deletion_token(&ada.account).await;
        florin.advance_to("2027-03-02T09:30:00Z").await;
        assert_eq!(refusal(&confirm(&ada, &project, &old, "").await.unwrap_err()).1, "DELETION_TOKEN_EXPIRED");
        ask_deletion(&ada, &project).await.unwrap();
        for _ in 0..5 {
            assert_eq!(refusal(&confirm(&ada, &project, &old, "").await.unwrap_err()).1, "DELETION_TOKEN_WRONG");
        }
        let guessed = florin.mailed_deletion_token(&ada.account).await;
        assert_eq!(refusal(&confirm(&ada, &project, &guessed, "").await.unwrap_err()).1, "DELETION_NOT_REQUESTED");

        florin.advance_to("2027-03-02T10:00:00Z").await;
        ask_deletion(&ada, &project).await.unwrap();
        let token = florin.mailed_deletion_token(&ada.account).await;
        assert_eq!(refusal(&confirm(&eve, &project, &token, "").await.unwrap_err()).1, "NOT_FOUND");
        let order = ada.order(&project, 5).await.name;
        let answers = join_all((0..4).map(|_| confirm(&ada, &project, &token, "bye"))).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(answers.windows(2).all(|two| two[0] == two[1]), "one deletion, answered four times");
        let deleting = &answers[0];
        assert_eq!((deleting.state(), deleting.deletion_cause()), (project::State::Deleting, project::DeletionCause::Customer));
        let grace = |time: &Option<prost_types::Timestamp>| time.as_ref().unwrap().seconds;
        assert_eq!(grace(&deleting.grace_end_time) - grace(&deleting.metering_stop_time), 86_400);

        let get = florin_api::project::v1::GetResourceRequest { name: resource.name };
        let gone = ada.caller.resources().get_resource(get).await.unwrap().into_inner();
        assert_eq!(gone.remove_time, deleting.metering_stop_time);
        let get = GetCreditOrderRequest { name: order };
        let canceled = ada.caller.credit_orders().get_credit_order(get).await.unwrap().into_inner();
        assert_eq!(canceled.state(), credit_order::State::Canceled);
        for status in [
            ada.add(&project, "plans/b3-8", "1").await.map(drop).unwrap_err(),
            ask_deletion(&ada, &project).await.unwrap_err(),
            suspend(&florin, &project).await.map(drop).unwrap_err(),
        ] {
            assert!(["PROJECT_NOT_ACTIVE", "PROJECT_NOT_LIVE"].contains(&refusal(&status).1.as_str()), "{status:?}");
        }
        assert_eq!(told(&florin, &ada.account, "project.deletion-started").await.len(), 1);
        florin.stop().await;
    }
}
