//! What the layers answer when what is inside misbehaves (R12.1, R12.2).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{Request, Response},
    middleware::{Next, from_fn_with_state},
    routing::post,
};
use florin_platform::{
    access::{Access, AccessTable, Authenticator},
    call::{Call, Principal},
    layer::{self, Admission, Bounds, Front},
};
use sea_orm::DbErr;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;

/// Knows nobody.
struct Nobody;

#[async_trait::async_trait]
impl Authenticator for Nobody {
    async fn authenticate(&self, _: &str) -> Result<Option<Principal>, DbErr> {
        Ok(None)
    }
}

const OPEN: Access = Access { anonymous: true, customer: true, roles: &[], shared: &[] };

async fn panics() -> Response<Body> {
    panic!("a secret detail")
}

async fn answers_without_details() -> Response<Body> {
    Status::unimplemented("").into_http()
}

async fn takes_for_ever() -> Response<Body> {
    futures::future::pending().await
}

async fn says_who_calls(request: Request<Body>) -> Response<Body> {
    let call = request.extensions().get::<Call>().cloned().unwrap();
    Response::new(Body::from(format!("{} {} {}", call.principal, call.method, call.trace)))
}

async fn rpc(State(front): State<Front>, request: Request<Body>, next: Next) -> Response<Body> {
    let answered = |request| layer::answered(&front, request, |request| next.run(request));
    layer::traced(request, answered).await
}

fn house() -> Router {
    let table = ["svc/Panic", "svc/Bare", "svc/Slow", "svc/Who"].map(|method| (method, OPEN));
    let front = Front {
        admission: Admission::new(AccessTable::new(&table), Arc::new(Nobody)),
        bounds: Bounds::new(Duration::from_secs(30), 16),
    };
    Router::new()
        .route("/svc/Panic", post(panics))
        .route("/svc/Bare", post(answers_without_details))
        .route("/svc/Slow", post(takes_for_ever))
        .route("/svc/Who", post(says_who_calls))
        .layer(from_fn_with_state(front, rpc))
}

async fn call(path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    house().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

fn refusal(response: &Response<Body>) -> (Code, String) {
    let status = Status::from_header_map(response.headers()).unwrap();
    (status.code(), status.get_error_details().error_info().unwrap().reason.clone())
}

#[tokio::test]
async fn a_panic_is_internal_and_tells_nothing_but_the_request_id() {
    let response = call("/svc/Panic", &[("x-request-id", "abc")]).await;
    assert_eq!(refusal(&response), (Code::Internal, "INTERNAL".to_owned()));
    let status = Status::from_header_map(response.headers()).unwrap();
    assert!(!status.message().contains("secret detail"));
    assert_eq!(status.get_error_details().request_info().unwrap().request_id, "abc");
    assert_eq!(response.headers()["x-request-id"], "abc");
}

#[tokio::test]
async fn an_error_without_details_is_explained() {
    assert_eq!(refusal(&call("/svc/Bare", &[]).await), (Code::Unimplemented, "UNIMPLEMENTED".to_owned()));
}

#[tokio::test]
async fn the_callers_deadline_is_honoured() {
    let response = call("/svc/Slow", &[("grpc-timeout", "50m")]).await;
    assert_eq!(refusal(&response), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
}

#[tokio::test]
async fn a_method_nobody_listed_and_a_token_nobody_knows_are_refused() {
    assert_eq!(refusal(&call("/svc/Unlisted", &[]).await).0, Code::Unauthenticated);
    let response = call("/svc/Who", &[("authorization", "Bearer nonsense")]).await;
    assert_eq!(refusal(&response), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()));
}

#[tokio::test]
async fn what_is_inside_learns_who_calls_and_a_broken_request_id_is_replaced() {
    let response = call("/svc/Who", &[("x-request-id", "not one word")]).await;
    let given = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_ne!(given, "not one word");
    let body = axum::body::to_bytes(response.into_body(), 1024).await.unwrap();
    assert_eq!(body, format!("anonymous svc/Who {given}"));
}
