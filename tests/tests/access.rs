//! Who may call what, proven for every method of every service (R2.6), and what the layers answer (R12).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use florin_api::{account::v1::GetAccountRequest, project::v1::ListPlansRequest};
use florin_platform::call::Role;
use florin_server::access::ACCESS;
use florin_testbed::{Backend, TestDatabase, on_both_backends};
use florin_tests::florin::{Florin, config, refusal};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::{Code, Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

/// Every method of every service of Florin's, as `package.Service/Method`, with whether it streams.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(florin_api::FILE_DESCRIPTOR_SET).unwrap();
    let mut methods = Vec::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("florin.")) {
        for service in &file.service {
            for method in &service.method {
                methods.push(format!("{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    methods
}

/// Calls `method` with an empty request.
async fn call(florin: &Florin, token: Option<&str>, method: &str) -> Result<(), Status> {
    let mut grpc = Grpc::new(florin.anonymous.channel());
    grpc.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let path = format!("/{method}").parse().unwrap();
    let codec: ProstCodec<(), ()> = ProstCodec::default();
    grpc.unary(request, path, codec).await.map(|_| ())
}

#[test]
fn every_method_is_in_the_access_table_and_nothing_else_is() {
    let mut known: Vec<_> = ACCESS.iter().map(|(method, _)| (*method).to_owned()).collect();
    let mut served = methods();
    known.sort();
    served.sort();
    assert_eq!(known, served);
}

on_both_backends! {
    /// R2.6
    async fn every_method_refuses_whom_the_table_does_not_name(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let session = session_token(&florin, &ada.email).await;
        for (method, rule) in ACCESS {
            if !rule.anonymous {
                let status = call(&florin, None, method).await.unwrap_err();
                assert_eq!(refusal(&status), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()), "{method}");
            }
            if !rule.anonymous && !rule.customer {
                let status = call(&florin, Some(&session), method).await.unwrap_err();
                assert_eq!(refusal(&status), (Code::PermissionDenied, "PERMISSION_DENIED".to_owned()), "{method}");
            }
            let status = call(&florin, Some("flst_unknown"), method).await.unwrap_err();
            assert_eq!(refusal(&status), (Code::Unauthenticated, "UNAUTHENTICATED".to_owned()), "{method}");
        }
        florin.stop().await;
    }

    /// R2.6: a service without the role is refused, one with it is let in.
    async fn a_service_needs_one_of_the_roles_of_the_method(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        for role in Role::ALL {
            let token = florin_tests::florin::service_token(&db, role).await;
            for (method, rule) in ACCESS.iter().filter(|(_, rule)| !rule.anonymous) {
                let answer = call(&florin, Some(&token), method).await;
                let refused = matches!(&answer, Err(status) if status.code() == Code::PermissionDenied);
                assert_eq!(refused, !rule.roles.contains(&role), "{method} by {role:?}: {answer:?}");
            }
        }
        florin.stop().await;
    }

    /// R2.6: where anybody may call, a service is nobody in particular; it cannot use a customer's card.
    async fn a_service_cannot_pay_with_a_customers_card(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 5).await;
        let methods = florin_api::payment::v1::ListPaymentMethodsRequest { parent: ada.account.clone(), ..Default::default() };
        let methods = ada.caller.payment_methods().list_payment_methods(methods).await.unwrap().into_inner();
        let card = methods.payment_methods[0].name.clone();
        for role in Role::ALL {
            let token = florin_tests::florin::service_token(&db, role).await;
            let service = florin_tests::florin::Customer { caller: florin.anonymous.with_token(&token), ..ada.clone() };
            let status = service.pay(&order.name, &card).await.unwrap_err();
            assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()), "{role:?}");
        }
        florin.stop().await;
    }

    /// R2.2, R10.1: only the sandbox plays the mailbox; nobody else reads the secrets in notices.
    async fn secrets_in_notices_are_masked_for_everybody_but_the_sandbox(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let operator = florin_tests::florin::service_token(&db, Role::Operator).await;
        let operator = florin.anonymous.with_token(&operator);
        let list = florin_api::operation::v1::ListNoticesRequest { parent: ada.account.clone(), ..Default::default() };
        for reader in [&ada.caller, &operator] {
            let notices = reader.notices().list_notices(list.clone()).await.unwrap().into_inner().notices;
            assert!(notices.iter().any(|notice| notice.body.contains("••••")));
        }
        let code = florin.mailed_code(&ada.account).await;
        assert_eq!(code.len(), 9);
        florin.stop().await;
    }

    /// R12.2: also what the transport itself answers carries an ErrorInfo.
    async fn an_unknown_method_and_a_broken_message_are_explained(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let status = call(&florin, Some(&florin.token()), "florin.account.v1.AccountService/Nonsense").await;
        assert_eq!(refusal(&status.unwrap_err()).1, "PERMISSION_DENIED");
        let mut grpc = Grpc::new(florin.anonymous.channel());
        grpc.ready().await.unwrap();
        let path = "/florin.project.v1.CatalogService/ListPlans".parse().unwrap();
        // Field 1 is a number; here it is sent as text.
        let codec: ProstCodec<GetAccountRequest, ()> = ProstCodec::default();
        let broken = Request::new(GetAccountRequest { name: "not a number".to_owned() });
        let status = grpc.unary(broken, path, codec).await.unwrap_err();
        assert_ne!(status.code(), Code::Ok);
        let _ = refusal(&status);
        florin.stop().await;
    }

    /// R12.4, R12.2: a message larger than allowed is refused, with its reason.
    async fn a_message_that_is_too_large_is_refused(db: TestDatabase) {
        let mut settings = config(&db);
        settings.message_bytes_max = 1024;
        let florin = Florin::start_with(settings).await;
        let get = GetAccountRequest { name: "x".repeat(2000) };
        let status = florin.operator.accounts().get_account(get).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::OutOfRange, "MESSAGE_TOO_LARGE".to_owned()));
        florin.stop().await;
    }

    /// R12.4
    async fn a_deadline_is_honoured_and_more_calls_than_fit_are_refused(db: TestDatabase) {
        let mut settings = config(&db);
        settings.deadline_max = Duration::from_nanos(1);
        let florin = Florin::start_with(settings).await;
        let status = florin.anonymous.catalog().list_plans(ListPlansRequest::default()).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()));
        florin.stop().await;

        let mut settings = config(&db);
        settings.calls_max = 1;
        let florin = Florin::start_with(settings).await;
        let calls = (0..64).map(|_| {
            let mut catalog = florin.anonymous.catalog();
            async move { catalog.list_plans(ListPlansRequest::default()).await }
        });
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().any(Result::is_ok));
        for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refusal(status), (Code::ResourceExhausted, "OVERLOADED".to_owned()));
        }
        florin.stop().await;
    }
}

async fn session_token(florin: &Florin, email: &str) -> String {
    let request = florin_api::account::v1::LoginRequest {
        login: email.to_owned(),
        password: florin_tests::florin::PASSWORD.to_owned(),
        ..Default::default()
    };
    florin.anonymous.auth().login(request).await.unwrap().into_inner().token
}

on_both_backends! {
    /// R12.5: several servers may start at once on one new database, and live at the same instant.
    async fn servers_that_start_at_once_share_one_database(db: TestDatabase) {
        let servers = futures::future::join_all((0..3).map(|_| Florin::start(&db))).await;
        let (ada, _) = servers[0].customer_with_project("ada").await;
        servers[1].advance_to("2027-03-20T00:00:00Z").await;
        let clock = servers[2].anonymous.clock().get_clock(florin_api::sandbox::v1::GetClockRequest {}).await.unwrap();
        let now = florin_platform::wire::instant(clock.into_inner().current_time.as_ref().unwrap()).unwrap();
        assert!(now >= florin_settlement::Instant::parse("2027-03-20T00:00:00Z").unwrap());
        let get = GetAccountRequest { name: ada.account.clone() };
        servers[2].operator.accounts().get_account(get).await.unwrap();
        for server in servers {
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn health_and_both_reflections_answer_without_a_token() {
    let db = TestDatabase::create(Backend::Sqlite).await;
    let florin = Florin::start(&db).await;
    let mut health = tonic_health::pb::health_client::HealthClient::new(florin.anonymous.channel());
    let answer = health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.status(), tonic_health::pb::health_check_response::ServingStatus::Serving);
    assert!(
        florin_tests::florin::reflected_v1(&florin)
            .await
            .contains(&"florin.credit.v1.CreditService".to_owned())
    );
    assert!(
        florin_tests::florin::reflected_v1alpha(&florin)
            .await
            .contains(&"florin.credit.v1.CreditService".to_owned())
    );
    florin.stop().await;
}
