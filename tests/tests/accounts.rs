//! Accounts over the wire (R2.1, R2.2, R2.3, R12.1): created once, confirmed once, told apart from nobody's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::account::v1::{
    AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, GetAccountRequest,
    GetIssuerRequest, ListAccountsRequest, ListRequiredFieldsRequest, ListTermsRequest, LoginRequest,
    ResendConfirmationRequest, UpdateAccountRequest, account::State,
};
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::florin::{Customer, Florin, PASSWORD, new_account, refusal, violated};
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn count(db: &TestDatabase, table: &str) -> i64 {
    let raw = db.connect().await;
    let text = format!("SELECT CAST(COUNT(*) AS bigint) FROM {table}");
    let statement = Statement::from_string(raw.get_database_backend(), text);
    raw.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn execute(db: &TestDatabase, text: &str) {
    let raw = db.connect().await;
    raw.execute_raw(Statement::from_string(raw.get_database_backend(), text)).await.unwrap();
}

async fn login(florin: &Florin, login: &str, password: &str) -> Result<(), Status> {
    let request =
        LoginRequest { login: login.to_owned(), password: password.to_owned(), ..Default::default() };
    florin.anonymous.auth().login(request).await.map(|_| ())
}

async fn read(customer: &Customer) -> Account {
    let request = GetAccountRequest { name: customer.account.clone() };
    customer.caller.accounts().get_account(request).await.unwrap().into_inner()
}

async fn update(customer: &Customer, account: Account, paths: &[&str]) -> Result<Account, Status> {
    let paths: Vec<_> = paths.iter().map(|path| (*path).to_owned()).collect();
    let update_mask = Some(prost_types::FieldMask { paths });
    let request = UpdateAccountRequest { account: Some(account), update_mask, ..Default::default() };
    customer.caller.accounts().update_account(request).await.map(tonic::Response::into_inner)
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
        florin.advance_to("2027-03-01T08:00:50Z").await;
        let status = resend().await.unwrap_err();
        assert_eq!(refusal(&status), (Code::ResourceExhausted, "CONFIRMATION_RATE_LIMITED".to_owned()));
        let pause = status.get_error_details().retry_info().unwrap().retry_delay.unwrap();
        assert!(pause < std::time::Duration::from_secs(60), "what remains, not {pause:?}");
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

    /// R2.2: a code never revives an account that was stopped.
    async fn a_suspended_account_is_not_confirmed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let created = florin.anonymous.accounts().create_account(new_account("ada")).await.unwrap().into_inner();
        execute(&db, "UPDATE account SET state = 'SUSPENDED'").await;
        let code = florin.mailed_code(&created.name).await;
        let request = ConfirmAccountRequest { name: created.name.clone(), code, ..Default::default() };
        let status = florin.anonymous.accounts().confirm_account(request).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::FailedPrecondition, "ACCOUNT_ALREADY_CONFIRMED".to_owned()));
        assert_eq!(count(&db, "account WHERE state = 'SUSPENDED'").await, 1);
        florin.stop().await;
    }

    /// R2.3: guesses in parallel are counted like guesses in a row.
    async fn parallel_guesses_do_not_slip_past_the_throttle(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let guesses = (0..30).map(|_| login(&florin, &ada.email, "wrong wrong wrong"));
        let answers = futures::future::join_all(guesses).await;
        let reasons: Vec<_> = answers.iter().map(|answer| refusal(answer.as_ref().unwrap_err()).1).collect();
        assert_eq!(reasons.iter().filter(|reason| *reason == "LOGIN_REFUSED").count(), 10, "{reasons:?}");
        assert_eq!(reasons.iter().filter(|reason| *reason == "LOGIN_THROTTLED").count(), 20, "{reasons:?}");
        let status = login(&florin, &ada.email, PASSWORD).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::ResourceExhausted, "LOGIN_THROTTLED".to_owned()));
        assert_eq!(count(&db, "session").await, 1, "that of before");
        florin.stop().await;
    }

    /// R2.3: an account has one count, by whatever name it is tried.
    async fn address_and_handle_share_one_count(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let handle = read(&ada).await.handle;
        for _ in 0..5 {
            login(&florin, &ada.email, "wrong wrong wrong").await.unwrap_err();
            login(&florin, &handle, "wrong wrong wrong").await.unwrap_err();
        }
        for name in [&ada.email, &handle] {
            let status = login(&florin, name, PASSWORD).await.unwrap_err();
            assert_eq!(refusal(&status).1, "LOGIN_THROTTLED");
        }
        florin.stop().await;
    }

    /// R2.3: a login nobody has is throttled like one somebody has.
    async fn an_unknown_login_is_throttled_like_a_known_one(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        for _ in 0..10 {
            let status = login(&florin, "nobody@example.com", PASSWORD).await.unwrap_err();
            assert_eq!(refusal(&status).1, "LOGIN_REFUSED");
        }
        let status = login(&florin, "Nobody@example.com ", PASSWORD).await.unwrap_err();
        assert_eq!(refusal(&status).1, "LOGIN_THROTTLED");
        florin.stop().await;
    }

    /// R12.1, R12.4: what no text may be is a violation, never a failure of the database.
    async fn unreadable_texts_are_violations(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        for (name, password, field) in [
            ("ada\0@example.com", PASSWORD, "login"),
            ("", PASSWORD, "login"),
            ("ada@example.com", "", "password"),
            (&"x".repeat(255), PASSWORD, "login"),
            ("ada@example.com", &"x".repeat(257), "password"),
        ] {
            assert_eq!(violated(&login(&florin, name, password).await.unwrap_err()), [field]);
        }
        let mut request = new_account("eve");
        request.password = "abcd".repeat(65);
        let account = request.account.as_mut().unwrap();
        account.country = "F\0".to_owned();
        account.given_name = "E\0ve".to_owned();
        let status = florin.anonymous.accounts().create_account(request).await.unwrap_err();
        let mut fields = violated(&status);
        fields.sort();
        assert_eq!(fields, ["account.country", "account.given_name", "password"]);

        let mut unserved = new_account("eve");
        unserved.account.as_mut().unwrap().country = "ZZ".to_owned();
        let status = florin.anonymous.accounts().create_account(unserved).await.unwrap_err();
        assert_eq!(violated(&status), ["account.country"]);

        let name = "accounts/acct_01jzzzzzzzfzzrzzzzzzzzzzzz".to_owned();
        let request = ConfirmAccountRequest { name, code: "AAAA\0".to_owned(), ..Default::default() };
        let status = florin.anonymous.accounts().confirm_account(request).await.unwrap_err();
        assert_eq!(violated(&status), ["code"]);
        let request = ListRequiredFieldsRequest { country: "F\0".to_owned(), legal_form: 0 };
        let status = florin.anonymous.accounts().list_required_fields(request).await.unwrap_err();
        assert_eq!(violated(&status), ["country", "legal_form"]);
        let request = GetIssuerRequest { name: "issuers/f\0".to_owned() };
        let status = florin.anonymous.issuers().get_issuer(request).await.unwrap_err();
        assert_eq!(violated(&status), ["name"]);
        let request = ListAccountsRequest { states: vec![2, 0, 77], page_size: -1, ..Default::default() };
        let status = florin.operator.accounts().list_accounts(request).await.unwrap_err();
        assert_eq!(violated(&status), ["states", "states", "page_size"]);
        florin.stop().await;
    }

    /// R2.1, AIP-134: only what the mask names changes, and a mask there must be.
    async fn an_update_without_a_mask_changes_nothing(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let before = read(&ada).await;
        let request = UpdateAccountRequest { account: Some(before.clone()), ..Default::default() };
        let status = ada.caller.accounts().update_account(request).await.unwrap_err();
        assert_eq!(violated(&status), ["update_mask"]);
        let status = update(&ada, before.clone(), &[]).await.unwrap_err();
        assert_eq!(violated(&status), ["update_mask"]);
        let status = update(&ada, before.clone(), &["rescue_email"]).await.unwrap_err();
        assert_eq!(violated(&status), ["update_mask"]);

        let moved = Address { street: "2 rue Kellermann".to_owned(), city: "Roubaix".to_owned(), ..Default::default() };
        let changed = Account { address: Some(moved), family_name: "King".to_owned(), ..before.clone() };
        let after = update(&ada, changed, &["address.street", "family_name"]).await.unwrap();
        let address = before.address.clone().unwrap();
        let expected = Address { street: "2 rue Kellermann".to_owned(), ..address };
        assert_eq!(after.address, Some(expected));
        assert_eq!(after.family_name, "King");
        assert_eq!((after.given_name, after.rescue_email), (before.given_name, before.rescue_email));
        florin.stop().await;
    }

    /// R2.2: who was stopped changes and accepts nothing, and is told the state.
    async fn a_suspended_account_neither_changes_nor_accepts(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let before = read(&ada).await;
        let parent = ada.account.clone();
        let listed = ada.caller.accounts().list_terms(ListTermsRequest { parent, ..Default::default() }).await;
        let terms_documents = vec![listed.unwrap().into_inner().terms_documents[0].name.clone()];
        execute(&db, "UPDATE account SET state = 'SUSPENDED'").await;
        let request = AcceptTermsRequest { name: ada.account.clone(), terms_documents, ..Default::default() };
        let accepted = ada.caller.accounts().accept_terms(request).await.unwrap_err();
        for status in [accepted, update(&ada, before, &["language"]).await.unwrap_err()] {
            assert_eq!(refusal(&status), (Code::FailedPrecondition, "ACCOUNT_NOT_ACTIVE".to_owned()));
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().metadata["state"], "SUSPENDED");
        }
        florin.stop().await;
    }

    /// R2.5: the version in force is listed and can be accepted; the one it replaced is neither.
    async fn only_the_current_terms_are_listed_and_accepted(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        execute(
            &db,
            "INSERT INTO terms_document (issuer, version, title, body, effective_at) \
             SELECT issuer, 10, title, body, '2027-03-01T00:00:00.000000Z' FROM terms_document WHERE issuer = 'fr'",
        )
        .await;
        let request = ListTermsRequest { parent: ada.account.clone(), ..Default::default() };
        let listed = ada.caller.accounts().list_terms(request).await.unwrap().into_inner().terms_documents;
        let names: Vec<_> = listed.iter().map(|document| document.name.as_str()).collect();
        assert_eq!(names, ["issuers/fr/terms/10"]);
        assert_eq!(listed[0].accept_time, None);
        let accept = |names: &[&str]| {
            let terms_documents = names.iter().map(|name| (*name).to_owned()).collect();
            let request = AcceptTermsRequest { name: ada.account.clone(), terms_documents, ..Default::default() };
            let mut accounts = ada.caller.accounts();
            async move { accounts.accept_terms(request).await }
        };
        let status = accept(&["issuers/fr/terms/1"]).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::FailedPrecondition, "TERMS_VERSION_UNKNOWN".to_owned()));
        let status = accept(&["issuers/fr/terms/10", "terms/10"]).await.unwrap_err();
        assert_eq!(violated(&status), ["terms_documents[1]"]);
        let twice = accept(&["issuers/fr/terms/10", "issuers/fr/terms/10"]).await.unwrap().into_inner();
        assert!(twice.terms_documents.iter().all(|document| document.accept_time.is_some()));
        florin.stop().await;
    }

    /// R8.4: where there is no VAT, a domestic customer pays none, and prices are shown.
    async fn a_country_without_vat_shows_its_prices(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let request = florin_api::project::v1::ListPlansRequest { issuer: "issuers/us".to_owned(), ..Default::default() };
        florin.anonymous.catalog().list_plans(request).await.unwrap();
        execute(&db, "DELETE FROM vat_rate WHERE country = 'US'").await;
        let request = florin_api::project::v1::ListPlansRequest { issuer: "issuers/us".to_owned(), ..Default::default() };
        let status = florin.anonymous.catalog().list_plans(request).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::Internal, "INTERNAL".to_owned()));
        florin.stop().await;
    }

    /// R2.6: roles added to a service later reach the token it has.
    async fn a_registered_token_gets_the_roles_of_the_last_registration(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let token = florin_tests::florin::service_token(&db, florin_platform::call::Role::Marketing).await;
        let caller = florin.anonymous.with_token(&token);
        let list = || {
            let mut accounts = caller.accounts();
            async move { accounts.list_accounts(ListAccountsRequest::default()).await }
        };
        assert_eq!(list().await.unwrap_err().code(), Code::PermissionDenied);
        execute(&db, "UPDATE service_token SET roles = 'JANITOR' WHERE name = 'only-marketing'").await;
        assert_eq!(list().await.unwrap_err().code(), Code::Internal);
        florin_tests::florin::service_token(&db, florin_platform::call::Role::Marketing).await;
        assert_eq!(list().await.unwrap_err().code(), Code::PermissionDenied);
        florin.stop().await;
    }
}
