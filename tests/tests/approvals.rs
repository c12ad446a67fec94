//! What one operator may not do alone (R6.13), over the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{Grant, GrantLaunchPadRequest, ListCreditsRequest, ListGrantsRequest, grant},
    operation::v1::{
        Approval, ApproveRequest, GetApprovalRequest, ListApprovalsRequest, RejectRequest, approval,
    },
};
use florin_platform::call::Role;
use florin_server::client::Caller;
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::{
    acts::euros,
    florin::{Customer, Florin, refusal, service_token_of},
};
use futures::future::join_all;
use prost::Message;
use tonic::{Code, Status};

/// Somebody of finance, by name.
async fn finance(florin: &Florin, db: &TestDatabase, name: &str) -> Caller {
    florin.anonymous.with_token(&service_token_of(db, name, &[Role::Finance]).await)
}

async fn grant(by: &Caller, to: &Customer, units: i64) -> Grant {
    let request = GrantLaunchPadRequest {
        parent: to.account.clone(),
        amount: Some(euros(units)),
        reason: "a promising startup".to_owned(),
        ..Default::default()
    };
    by.grants().grant_launch_pad(request).await.unwrap().into_inner()
}

async fn approve(by: &Caller, name: &str) -> Result<Approval, Status> {
    let request =
        ApproveRequest { name: name.to_owned(), reason: "I know them".to_owned(), ..Default::default() };
    by.approvals().approve(request).await.map(tonic::Response::into_inner)
}

async fn reject(by: &Caller, name: &str) -> Result<Approval, Status> {
    let request =
        RejectRequest { name: name.to_owned(), reason: "too much".to_owned(), ..Default::default() };
    by.approvals().reject(request).await.map(tonic::Response::into_inner)
}

async fn credits(florin: &Florin, customer: &Customer) -> usize {
    let request = ListCreditsRequest { parent: customer.account.clone(), ..Default::default() };
    florin.operator.credits().list_credits(request).await.unwrap().into_inner().credits.len()
}

async fn pending(florin: &Florin, parent: &str) -> Vec<Approval> {
    let request = ListApprovalsRequest {
        parent: parent.to_owned(),
        states: vec![approval::State::Pending.into()],
        ..Default::default()
    };
    florin.operator.approvals().list_approvals(request).await.unwrap().into_inner().approvals
}

on_both_backends! {
    /// R6.13: above the limit nothing happens until somebody else agrees; then it happens once.
    async fn a_large_grant_waits_for_a_second_operator_and_takes_effect_once(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let (vera, otto) = (finance(&florin, &db, "vera").await, finance(&florin, &db, "otto").await);

        let small = grant(&vera, &ada, 1000).await;
        assert_eq!(small.state(), grant::State::Granted);
        assert_eq!(credits(&florin, &ada).await, 1);

        let asked = grant(&vera, &ada, 1001).await;
        assert_eq!(asked.state(), grant::State::PendingApproval);
        assert_eq!((asked.name.as_str(), asked.credit.as_str()), ("", ""));
        assert_eq!(credits(&florin, &ada).await, 1, "nothing has happened");
        let waiting = pending(&florin, "accounts/-").await;
        assert_eq!(waiting.iter().map(|approval| &approval.name).collect::<Vec<_>>(), [&asked.approval]);
        assert_eq!(pending(&florin, &ada.account).await, waiting);
        assert_eq!(waiting[0].requester, "services/vera");
        let act = waiting[0].act.clone().unwrap();
        assert_eq!(act.type_url, "type.googleapis.com/florin.credit.v1.GrantLaunchPadRequest");
        let act = GrantLaunchPadRequest::decode(act.value.as_slice()).unwrap();
        assert_eq!(act.amount, Some(euros(1001)));

        let alone = approve(&vera, &asked.approval).await.unwrap_err();
        assert_eq!(refusal(&alone), (Code::PermissionDenied, "APPROVAL_BY_REQUESTER".to_owned()));
        let support = florin.anonymous.with_token(&service_token_of(&db, "sam", &[Role::Operator]).await);
        let without_role = approve(&support, &asked.approval).await.unwrap_err();
        assert_eq!(refusal(&without_role), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()));
        let silent = ApproveRequest { name: asked.approval.clone(), ..Default::default() };
        let silent = otto.approvals().approve(silent).await.unwrap_err();
        assert_eq!(refusal(&silent).1, "INVALID_ARGUMENT_VIOLATIONS");

        let tries = join_all((0..8).map(|_| approve(&otto, &asked.approval))).await;
        let (won, lost): (Vec<_>, Vec<_>) = tries.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "one effect, whoever else approves at the same time");
        for late in lost {
            assert_eq!(refusal(&late.unwrap_err()).1, "APPROVAL_NOT_PENDING");
        }
        let approved = won.into_iter().next().unwrap().unwrap();
        assert_eq!((approved.state(), approved.decider.as_str()), (approval::State::Approved, "services/otto"));
        assert_eq!(credits(&florin, &ada).await, 2);
        let listed = ListGrantsRequest { parent: ada.account.clone(), ..Default::default() };
        let grants = florin.operator.grants().list_grants(listed).await.unwrap().into_inner().grants;
        assert_eq!(grants[1].name, approved.result);
        assert_eq!((grants[1].grantor.as_str(), grants[1].amount.clone()), ("services/vera", Some(euros(1001))));
        assert!(pending(&florin, "accounts/-").await.is_empty());
        florin.stop().await;
    }

    /// R6.13: rejected, or 7 days without a decision: it never takes effect.
    async fn a_rejected_or_lapsed_request_never_takes_effect(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let (vera, otto) = (finance(&florin, &db, "vera").await, finance(&florin, &db, "otto").await);
        let refused = grant(&vera, &ada, 5000).await.approval;
        assert_eq!(reject(&otto, &refused).await.unwrap().state(), approval::State::Rejected);
        assert_eq!(refusal(&approve(&otto, &refused).await.unwrap_err()).1, "APPROVAL_NOT_PENDING");
        let taken_back = grant(&vera, &ada, 5000).await.approval;
        assert_eq!(reject(&vera, &taken_back).await.unwrap().state(), approval::State::Rejected);

        let forgotten = grant(&vera, &ada, 5000).await.approval;
        let read = async || {
            let request = GetApprovalRequest { name: forgotten.clone() };
            florin.operator.approvals().get_approval(request).await.unwrap().into_inner()
        };
        let expires = florin_platform::wire::instant(&read().await.expire_time.unwrap()).unwrap();
        florin.advance_to(&expires.minus_days(1).to_string()).await;
        assert_eq!(read().await.state(), approval::State::Pending);
        florin.advance_to(&expires.to_string()).await;
        assert_eq!(read().await.state(), approval::State::Lapsed);
        assert_eq!(refusal(&approve(&otto, &forgotten).await.unwrap_err()).1, "APPROVAL_NOT_PENDING");
        assert_eq!(credits(&florin, &ada).await, 0);
        florin.stop().await;
    }
}
