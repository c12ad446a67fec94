//! Accounts over the wire (R2.1, R2.2, R2.3, R12.1): created once, confirmed once, told apart from nobody's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::account::v1::{
    ConfirmAccountRequest, CreateAccountRequest, GetAccountRequest, LoginRequest, ResendConfirmationRequest,
    UpdateAccountRequest, account::State,
};
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::florin::{Florin, PASSWORD, new_account, refusal, violated};
use sea_orm::{ConnectionTrait, Statement};
use tonic::Code;

async fn count(db: &TestDatabase, table: &str) -> i64 {
    let raw = db.connect().await;
    let text = format!("SELECT CAST(COUNT(*) AS bigint) FROM {table}");
    let statement = Statement::from_string(raw.get_database_backend(), text);
    raw.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

on_both_backends! {
    /// R2.1, R12.1
    async fn every_violation_of_a_new_account_is_named_at_once(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let mut request = new_account("eve");
        let account = request.account.as_mut().unwrap();
        account.email = "nobody".to_owned();
        account.rescue_email = "nobody".to_owned();
        account.given_name = String::new();
        account.language = "tlh".to_owned();
        account.vat_number = "FR00000000000".to_owned();
        account.address.as_mut().unwrap().city = String::new();
        request.password = "short".to_owned();
        let status = florin.anonymous.accounts().create_account(request).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::InvalidArgument, "INVALID_ARGUMENT_VIOLATIONS".to_owned()));
        let mut fields = violated(&status);
        fields.sort();
        assert_eq!(fields, [
            "account.address.city", "account.email", "account.given_name", "account.language",
            "account.rescue_email", "account.rescue_email", "account.vat_number", "password",
        ]);
        assert_eq!(count(&db, "account").await, 0);
        florin.stop().await;
    }

    /// Section 11: the same request id, the same bytes, one account with its audit row, event and notice.
    async fn a_repeated_creation_gives_the_same_account(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let request = CreateAccountRequest { request_id: "once".to_owned(), ..new_account("ada") };
        let calls = (0..16).map(|_| {
            let (mut accounts, request) = (florin.anonymous.accounts(), request.clone());
            async move { accounts.create_account(request).await.map(tonic::Response::into_inner) }
        });
        let answers = futures::future::join_all(calls).await;
        let first = answers[0].as_ref().unwrap();
        for answer in &answers {
            assert_eq!(answer.as_ref().unwrap(), first);
        }
        for table in ["account", "account_lock", "audit_entry", "event", "notice"] {
            assert_eq!(count(&db, table).await, 1, "{table}");
        }
        let other = CreateAccountRequest { request_id: "once".to_owned(), ..new_account("bob") };
        let status = florin.anonymous.accounts().create_account(other).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
        let long = CreateAccountRequest { request_id: "x".repeat(65), ..new_account("carl") };
        let status = florin.anonymous.accounts().create_account(long).await.unwrap_err();
        assert_eq!(violated(&status), ["request_id"]);
        florin.stop().await;
    }

    /// R2.1: one account per e-mail address, whoever is first.
    async fn an_address_leads_to_one_account_under_concurrency(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let calls = (0..16).map(|_| {
            let mut accounts = florin.anonymous.accounts();
            async move { accounts.create_account(new_account("ada")).await }
        });
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for status in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(refusal(status), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));
        }
        assert_eq!(count(&db, "account").await, 1);
        florin.stop().await;
    }

    /// R2.2: a wrong code leaves its trace; after five the code is dead and another has to be sent.
    async fn a_code_dies_of_wrong_guesses_and_another_is_sent(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let created = florin.anonymous.accounts().create_account(new_account("ada")).await.unwrap().into_inner();
        assert_eq!(created.state(), State::Pending);
        let confirm = |code: &str| {
            let (mut accounts, name, code) = (florin.anonymous.accounts(), created.name.clone(), code.to_owned());
            async move { accounts.confirm_account(ConfirmAccountRequest { name, code, ..Default::default() }).await }
        };
        let right = florin.mailed_code(&created.name).await;
        for _ in 0..5 {
            let status = confirm("AAAA-AAAA").await.unwrap_err();
            assert_eq!(refusal(&status), (Code::FailedPrecondition, "CONFIRMATION_CODE_WRONG".to_owned()));
        }
        let status = confirm(&right).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::FailedPrecondition, "CONFIRMATION_CODE_EXPIRED".to_owned()));

        let resend = || {
            let (mut accounts, name) = (florin.anonymous.accounts(), created.name.clone());
            async move { accounts.resend_confirmation(ResendConfirmationRequest { name, ..Default::default() }).await }
        };
        let status = resend().await.unwrap_err();
        assert_eq!(refusal(&status), (Code::ResourceExhausted, "CONFIRMATION_RATE_LIMITED".to_owned()));
        florin.advance_to("2027-03-01T08:02:00Z").await;
        resend().await.unwrap();
        let confirmed = confirm(&florin.mailed_code(&created.name).await).await.unwrap().into_inner();
        assert_eq!(confirmed.state(), State::Active);
        let status = confirm(&right).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::FailedPrecondition, "ACCOUNT_ALREADY_CONFIRMED".to_owned()));
        florin.stop().await;
    }

    /// R2.3, R12.1: nobody learns which accounts exist.
    async fn a_stranger_cannot_tell_missing_from_foreign(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let eve = florin.customer("eve").await;
        let get = |name: &str| {
            let (mut accounts, name) = (eve.caller.accounts(), name.to_owned());
            async move { accounts.get_account(GetAccountRequest { name }).await.unwrap_err() }
        };
        let foreign = get(&ada.account).await;
        let missing = get("accounts/acct_01jzzzzzzzfzzrzzzzzzzzzzzz").await;
        assert_eq!(refusal(&foreign), (Code::NotFound, "NOT_FOUND".to_owned()));
        assert_eq!(refusal(&missing), refusal(&foreign));
        let strip = |status: &tonic::Status| status.message().split_once(' ').unwrap().1.to_owned();
        assert_eq!(strip(&foreign), strip(&missing));

        let login = |login: &str, password: &str| {
            let request = LoginRequest { login: login.to_owned(), password: password.to_owned(), ..Default::default() };
            let mut auth = florin.anonymous.auth();
            async move { auth.login(request).await.unwrap_err() }
        };
        let wrong = login(&ada.email, "not the password at all").await;
        let unknown = login("nobody@example.com", PASSWORD).await;
        assert_eq!(refusal(&wrong), (Code::Unauthenticated, "LOGIN_REFUSED".to_owned()));
        assert_eq!((refusal(&wrong), wrong.message()), (refusal(&unknown), unknown.message()));
        florin.stop().await;
    }

    /// R2.3: after ten failures even the right password waits.
    async fn failed_logins_are_throttled(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let login = |password: &str| {
            let request =
                LoginRequest { login: ada.email.clone(), password: password.to_owned(), ..Default::default() };
            let mut auth = florin.anonymous.auth();
            async move { auth.login(request).await }
        };
        for _ in 0..10 {
            login("wrong wrong wrong").await.unwrap_err();
        }
        let status = login(PASSWORD).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::ResourceExhausted, "LOGIN_THROTTLED".to_owned()));
        florin.advance_to("2027-03-01T08:30:00Z").await;
        login(PASSWORD).await.unwrap();
        florin.stop().await;
    }

    /// Section 11: a stale etag changes nothing, and only what may be updated is.
    async fn an_update_names_its_fields_and_its_version(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let get = GetAccountRequest { name: ada.account.clone() };
        let before = ada.caller.accounts().get_account(get).await.unwrap().into_inner();
        let update = |etag: &str, paths: &[&str]| {
            let mut account = before.clone();
            account.etag = etag.to_owned();
            account.language = "fr".to_owned();
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let update_mask = Some(prost_types::FieldMask { paths });
            let request = UpdateAccountRequest { account: Some(account), update_mask, ..Default::default() };
            let mut accounts = ada.caller.accounts();
            async move { accounts.update_account(request).await }
        };
        let status = update("stale", &["language"]).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::Aborted, "ETAG_MISMATCH".to_owned()));
        let status = update(&before.etag, &["language", "currency_code"]).await.unwrap_err();
        assert_eq!(violated(&status), ["update_mask"]);
        let after = update(&before.etag, &["language"]).await.unwrap().into_inner();
        assert_eq!(after.language, "fr");
        assert_ne!(after.etag, before.etag);
        assert_eq!(after.given_name, before.given_name);
        florin.stop().await;
    }
}
