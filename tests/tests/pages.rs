//! The pages a person sees, through a browser without a screen, on both databases.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    account::v1::{Account, UpdateAccountRequest},
    credit::v1::{CancelCreditOrderRequest, CreditOrder, FundingKind, GetCreditOrderRequest, credit_order},
    payment::v1::{GetPaymentMethodRequest, ListPaymentsRequest, Payment, payment, payment_method},
    project::v1::{Project, UpdateProjectRequest},
};
use florin_testbed::on_both_backends;
use florin_tests::{
    browser::{Browser, Seen},
    florin::{Customer, Florin},
};
use prost_types::FieldMask;

/// A server, a customer with a project, an order of 30 euros, and a browser.
struct Desk {
    florin: Florin,
    ada: Customer,
    project: String,
    order: CreditOrder,
    browser: Browser,
}

impl Desk {
    async fn open(db: &florin_testbed::TestDatabase) -> Self {
        let florin = Florin::start(db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 30).await;
        let browser = Browser::at(&florin.url());
        Self { florin, ada, project, order, browser }
    }

    fn link(&self) -> &str {
        &self.order.payment_link
    }

    /// Sends the form on the order's page.
    async fn pay(&self, page: &Seen, card: &str) -> Seen {
        let request_id = page.field("request_id");
        let fields = [("request_id", &*request_id), ("provider_token", card), ("immediate_supply", "yes")];
        self.browser.post(self.link(), &fields).await
    }

    /// Pays with a card that asks for 3-D Secure; the page it asks on.
    async fn up_to_three_d_secure(&self) -> String {
        let page = self.browser.get(self.link()).await;
        let sent = self.pay(&page, "card-approved").await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        let waiting = self.browser.get(self.link()).await;
        assert!(waiting.body.contains("Your bank asks you to confirm"), "{}", waiting.body);
        waiting.link(&format!("{}/sandbox/", self.florin.url()))
    }

    /// Presses a button on a sandbox page.
    async fn decide(&self, address: &str, decision: &str) -> Seen {
        let page = self.browser.get(address).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let request_id = page.field("request_id");
        let sent = self.browser.post(address, &[("request_id", &*request_id), ("decision", decision)]).await;
        assert_eq!(sent.status, 303, "{}", sent.body);
        self.browser.get(&sent.header("location")).await
    }

    async fn state(&self) -> credit_order::State {
        let request = GetCreditOrderRequest { name: self.order.name.clone() };
        self.ada.caller.credit_orders().get_credit_order(request).await.unwrap().into_inner().state()
    }

    async fn payments(&self) -> Vec<Payment> {
        let request = ListPaymentsRequest { parent: self.ada.account.clone(), ..Default::default() };
        self.ada.caller.payments().list_payments(request).await.unwrap().into_inner().payments
    }

    async fn bought(&self) -> usize {
        let credits = self.ada.credits().await;
        credits.iter().filter(|credit| credit.kind() == FundingKind::CloudCredit).count()
    }
}

on_both_backends! {
    async fn a_person_pays_by_link_and_confirms_at_the_bank(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let page = desk.browser.get(desk.link()).await;
        assert_eq!(page.status, 200);
        for words in [&*desk.order.number, "A project", "30.00 EUR", "6.00 EUR", "36.00 EUR", "right of withdrawal"] {
            assert!(page.body.contains(words), "{words} is not in {}", page.body);
        }
        let bank = desk.up_to_three_d_secure().await;
        let approved = desk.decide(&bank, "approve").await;
        assert!(approved.body.contains("Approved"), "{}", approved.body);
        assert_eq!(approved.link(desk.link()), desk.link());
        let paid = desk.browser.get(desk.link()).await;
        assert!(paid.body.contains("This order is paid"), "{}", paid.body);
        assert!(!paid.body.contains("<form"), "{}", paid.body);
        assert_eq!((desk.state().await, desk.bought().await), (credit_order::State::Paid, 1));
    }

    async fn a_declined_payment_can_be_tried_again(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let bank = desk.up_to_three_d_secure().await;
        let declined = desk.decide(&bank, "decline").await;
        assert!(declined.body.contains("Declined"), "{}", declined.body);
        assert_eq!((desk.state().await, desk.bought().await), (credit_order::State::AwaitingPayment, 0));
        let page = desk.browser.get(desk.link()).await;
        assert!(page.body.contains("The last payment was declined"), "{}", page.body);
        assert_eq!(desk.pay(&page, "card-frictionless").await.status, 303);
        assert_eq!((desk.state().await, desk.bought().await), (credit_order::State::Paid, 1));
    }

    async fn a_form_sent_many_times_at_once_pays_once(db: TestDatabase) {
        let desk = &Desk::open(&db).await;
        let page = &desk.browser.get(desk.link()).await;
        let sent = futures::future::join_all((0..6).map(|_| desk.pay(page, "card-frictionless"))).await;
        assert!(sent.iter().all(|sent| sent.status == 303), "{sent:#?}");
        let payments = desk.payments().await;
        assert_eq!(payments.len(), 1, "{payments:#?}");
        assert_eq!(payments[0].state(), payment::State::Succeeded);
        assert_eq!(desk.bought().await, 1);
        let reused = desk.pay(page, "card-approved").await;
        assert_eq!(reused.status, 409, "{}", reused.body);
        assert_eq!(desk.payments().await.len(), 1);
    }

    async fn a_button_pressed_many_times_decides_once(db: TestDatabase) {
        let desk = &Desk::open(&db).await;
        let bank = &*desk.up_to_three_d_secure().await;
        let request_id = &*desk.browser.get(bank).await.field("request_id");
        let press = |decision| async move {
            desk.browser.post(bank, &[("request_id", request_id), ("decision", decision)]).await
        };
        for sent in futures::future::join_all([press("approve"), press("approve"), press("approve")]).await {
            assert_eq!(sent.status, 303, "{}", sent.body);
        }
        assert_eq!(press("decline").await.status, 303, "what is decided stays decided");
        assert_eq!((desk.state().await, desk.bought().await), (credit_order::State::Paid, 1));
    }

    async fn a_card_is_confirmed_in_the_browser(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        for (decision, state) in
            [("approve", payment_method::State::Valid), ("decline", payment_method::State::Failed)]
        {
            let card = desk.ada.card("card-approved").await;
            let page = desk.browser.get(&card.action_url).await;
            assert!(page.body.contains("VISA **** 4242"), "{}", page.body);
            desk.decide(&card.action_url, decision).await;
            let request = GetPaymentMethodRequest { name: card.name };
            let methods = desk.ada.caller.payment_methods().get_payment_method(request).await;
            assert_eq!(methods.unwrap().into_inner().state(), state);
        }
    }

    async fn what_cannot_be_paid_says_so(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let form = desk.browser.get(desk.link()).await;
        let other = desk.ada.order(&desk.project, 5).await;
        let request = CancelCreditOrderRequest { name: other.name, ..Default::default() };
        desk.ada.caller.credit_orders().cancel_credit_order(request).await.unwrap();
        let canceled = desk.browser.get(&other.payment_link).await;
        assert_eq!(canceled.status, 410);
        assert!(canceled.body.contains("canceled"), "{}", canceled.body);
        desk.florin.advance_to("2027-03-02T08:00:01Z").await;
        let expired = desk.browser.get(desk.link()).await;
        assert_eq!(expired.status, 410);
        assert!(expired.body.contains("expired"), "{}", expired.body);
        let late = desk.pay(&form, "card-frictionless").await;
        assert_eq!(late.status, 409, "{}", late.body);
        assert!(late.body.contains("can no longer be paid"), "{}", late.body);
        assert_eq!(desk.payments().await, []);
    }

    async fn who_has_no_link_sees_nothing(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let account = &desk.ada.account;
        for address in [
            "/pay/nobody-knows".to_owned(),
            "/pay/%3Cscript%3Ealert(1)%3C%2Fscript%3E".to_owned(),
            "/".to_owned(),
            "/favicon.ico".to_owned(),
            "/florin.credit.v1.CreditOrderService/PayCreditOrder".to_owned(),
            format!("/sandbox/{account}/payments/pay_01m80wzjtdebavyqtzhc0x6xp6"),
            format!("/sandbox/{account}/paymentMethods/%3Cb%3E"),
        ] {
            for seen in [desk.browser.get(&address).await, desk.browser.post(&address, &[("a", "b")]).await] {
                assert_eq!(seen.status, 404, "{address}: {}", seen.body);
                assert!(!seen.body.contains("alert"), "{}", seen.body);
            }
        }
        let french = desk.browser.clone().sending("accept-language", "tlh, fr-FR;q=0.8").get("/nowhere").await;
        assert!(french.body.contains("Cette adresse ne mène nulle part"), "{}", french.body);
    }

    async fn what_customers_type_is_escaped(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let hostile = "<script>alert(1)</script>\"'><img src=x>&";
        let request = UpdateProjectRequest {
            project: Some(Project {
                name: desk.project.clone(),
                display_name: hostile.to_owned(),
                ..Project::default()
            }),
            update_mask: Some(FieldMask { paths: vec!["display_name".to_owned()] }),
            ..Default::default()
        };
        desk.ada.caller.projects().update_project(request).await.unwrap();
        let page = desk.browser.get(desk.link()).await;
        assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.body);
        assert!(!page.body.contains("<script") && !page.body.contains("<img"), "{}", page.body);
        let sent = desk.pay(&page, hostile).await;
        assert_eq!(sent.status, 400, "{}", sent.body);
        assert!(!sent.body.contains("<img"), "{}", sent.body);
    }

    async fn pages_are_neither_framed_nor_kept_nor_scripted(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let bank = desk.up_to_three_d_secure().await;
        for address in [desk.link(), &bank, "/pay/nobody-knows", "/nowhere"] {
            let seen = desk.browser.get(address).await;
            for (name, value) in [
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(seen.header(name), value, "{name} of {address}");
            }
            let policy = seen.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src"), "{policy}");
            assert!(!seen.header("x-request-id").is_empty());
        }
        let style = desk.browser.get("/pages/style.css").await;
        assert_eq!((style.status, &*style.header("content-type")), (200, "text/css; charset=utf-8"));
    }

    async fn a_form_on_another_site_or_too_large_has_no_effect(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let page = desk.browser.get(desk.link()).await;
        let request_id = page.field("request_id");
        let fields = [("request_id", &*request_id), ("provider_token", "card-frictionless")];
        let foreign = desk.browser.clone().sending("sec-fetch-site", "cross-site");
        assert_eq!(foreign.post(desk.link(), &fields).await.status, 400);
        let large = "x".repeat(20_000);
        assert_eq!(desk.browser.post(desk.link(), &[("request_id", &large)]).await.status, 400);
        assert_eq!(desk.browser.post(desk.link(), &[("provider_token", "card-frictionless")]).await.status, 400);
        assert_eq!(desk.payments().await, []);
    }

    async fn who_keeps_the_right_of_withdrawal_is_told_when_the_credit_comes(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        let request_id = desk.browser.get(desk.link()).await.field("request_id");
        let fields = [("request_id", &*request_id), ("provider_token", "card-frictionless")];
        assert_eq!(desk.browser.post(desk.link(), &fields).await.status, 303);
        let paid = desk.browser.get(desk.link()).await;
        assert!(paid.body.contains("The credit is supplied on 2027-03-15"), "{}", paid.body);
        assert_eq!(desk.bought().await, 0);
    }

    async fn the_page_speaks_the_language_of_the_account(db: TestDatabase) {
        let desk = Desk::open(&db).await;
        for (language, words) in [("fr", "À payer TTC"), ("nl", "Te betalen"), ("de", "Zu zahlen"), ("en", "To pay")] {
            let request = UpdateAccountRequest {
                account: Some(Account {
                    name: desk.ada.account.clone(),
                    language: language.to_owned(),
                    ..Account::default()
                }),
                update_mask: Some(FieldMask { paths: vec!["language".to_owned()] }),
                ..Default::default()
            };
            desk.ada.caller.accounts().update_account(request).await.unwrap();
            let page = desk.browser.get(desk.link()).await;
            assert!(page.body.contains(words), "{}", page.body);
            assert!(page.body.contains(&format!("<html lang=\"{language}\">")), "{}", page.body);
        }
    }
}
