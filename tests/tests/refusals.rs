//! What the story refuses: no terms, no funding, a wrong voucher, an unpaid order, an expired lot, somebody
//! else's project.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{FundingKind, GetCreditOrderRequest, credit, credit_order},
    invoicing::v1::{ExplainSettlementRequest, considered_lot, invoice},
    payment::v1::payment,
    project::v1::{GetProjectRequest, InitialCredit, create_project_request::Funding, project},
};
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, pay_by_link, said},
    florin::{Florin, refusal},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The reasons of all unmet conditions.
fn unmet(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let failure = details.precondition_failure().expect("unmet conditions are listed");
    failure.violations.iter().map(|violation| violation.r#type.clone()).collect()
}

on_both_backends! {
    /// R4.1: every unmet condition at once.
    async fn without_terms_and_funding_there_is_no_project(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let eve = florin.customer_without_terms("eve").await;
        let status = eve.create_project(None).await.unwrap_err();
        assert_eq!(refusal(&status).0, Code::FailedPrecondition);
        assert_eq!(unmet(&status), ["TERMS_NOT_ACCEPTED", "FUNDING_REQUIRED"]);

        let ada = florin.customer("ada").await;
        let status = ada.create_project(None).await.unwrap_err();
        assert_eq!(unmet(&status), ["FUNDING_REQUIRED"]);
        florin.stop().await;
    }

    /// R4.2: initial credit has a minimum.
    async fn too_little_initial_credit_is_refused(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let funding = Funding::InitialCredit(InitialCredit { amount: Some(euros(29)) });
        let status = ada.create_project(Some(funding)).await.unwrap_err();
        assert_eq!(refusal(&status).1, "ORDER_AMOUNT_TOO_SMALL");
        florin.stop().await;
    }

    /// R4.2, R6.6: a refused voucher creates no project; a used one is used.
    async fn a_wrong_or_used_voucher_creates_nothing(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let status = ada.create_project(Some(Funding::VoucherCode("NOSUCHCODE".to_owned()))).await.unwrap_err();
        assert_eq!(refusal(&status).1, "VOUCHER_UNKNOWN");

        let codes = florin.codes(florin.campaign(25), 1).await;
        let cora = florin.customer("cora").await;
        cora.create_project(Some(Funding::VoucherCode(codes[0].clone()))).await.unwrap();
        let status = ada.create_project(Some(Funding::VoucherCode(codes[0].clone()))).await.unwrap_err();
        assert_eq!(refusal(&status).1, "VOUCHER_ALREADY_USED");
        let list = florin_api::project::v1::ListProjectsRequest { parent: ada.account.clone(), ..Default::default() };
        assert!(ada.caller.projects().list_projects(list).await.unwrap().into_inner().projects.is_empty());
        florin.stop().await;
    }

    /// R6.3: an order nobody pays expires, takes its project along, and never becomes a lot.
    async fn an_unpaid_order_expires_and_gives_nothing(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ben = florin.customer("ben").await;
        let funding = Funding::InitialCredit(InitialCredit { amount: Some(euros(30)) });
        let project = ben.create_project(Some(funding)).await.unwrap();
        let get = GetCreditOrderRequest { name: project.credit_order.clone() };
        let order = ben.caller.credit_orders().get_credit_order(get.clone()).await.unwrap().into_inner();
        florin.advance_to("2027-03-03T08:00:00Z").await;
        let status = pay_by_link(&florin, &order, "card-approved").await.unwrap_err();
        let order = ben.caller.credit_orders().get_credit_order(get).await.unwrap().into_inner();
        assert_eq!(order.state(), credit_order::State::Expired);
        assert_eq!(refusal(&status), (Code::FailedPrecondition, "ORDER_EXPIRED".to_owned()));
        assert!(ben.credits().await.is_empty());
        assert_eq!(ben.project(&project.name).await.state(), project::State::Canceled);
        florin.stop().await;
    }

    /// R3.3, R6.3: a declined card pays nothing, and the order can be paid again.
    async fn a_declined_payment_leaves_the_order_payable(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 5).await;
        let paid = pay_by_link(&florin, &order, "card-approved").await.unwrap();
        let payment = paid.payment.unwrap();
        assert_eq!(payment.state(), payment::State::ActionRequired);
        florin.decline(&payment.name).await;
        assert!(ada.credits().await.is_empty());
        let again = pay_by_link(&florin, &order, "card-approved").await.unwrap();
        florin.approve(&again.payment.unwrap().name).await;
        assert_eq!(ada.credits().await.len(), 1);
        florin.stop().await;
    }

    /// R7.3: a lot that expired before the settlement instant pays nothing, whatever the day of the usage.
    async fn an_expired_lot_pays_nothing(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let mut campaign = florin.campaign(10);
        campaign.lot_lifetime = Some(florin_api::credit::v1::campaign::LotLifetime::LotLifetimeDays(10));
        let codes = florin.codes(campaign, 1).await;
        ada.redeem(&project, &codes[0]).await.unwrap();
        florin.advance_to("2027-03-04T09:40:00Z").await;
        let instance = ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-03-12T16:30:00Z").await;
        ada.remove(&instance.name).await;
        florin.advance_to("2027-04-01T06:30:00Z").await;

        let invoices = ada.invoices(invoice::Kind::Monthly).await;
        let kinds: Vec<_> = invoices[0].debits.iter().map(florin_api::invoicing::v1::FundingDebit::kind).collect();
        assert_eq!(kinds, [FundingKind::PaymentMethod]);
        assert_eq!(said(invoices[0].net_after_credit.as_ref()), "22.20 EUR");
        let request = ExplainSettlementRequest { name: invoices[0].name.clone() };
        let explained = ada.caller.invoices().explain_settlement(request).await.unwrap().into_inner();
        // R7.8: it is named, with why it paid nothing, although its lapse was recorded before.
        let [expired] = &explained.considered_lots[..] else { panic!("{:?}", explained.considered_lots) };
        assert_eq!(expired.skip_reason(), considered_lot::SkipReason::Expired);
        assert_eq!(said(expired.taken.as_ref()), "0.00 EUR");
        assert_eq!(said(explained.remainder.as_ref()), "22.20 EUR");
        let credits = ada.credits().await;
        let voucher = credits.iter().find(|credit| credit.kind() == FundingKind::Voucher).unwrap();
        assert_eq!(voucher.state(), credit::State::Expired);
        assert_eq!(said(voucher.lapsed_amount.as_ref()), "10.00 EUR");
        assert_eq!(said(voucher.used_amount.as_ref()), "0.00 EUR");
        florin.stop().await;
    }

    /// R12.1: somebody else's project does not exist.
    async fn another_customers_project_does_not_exist(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let (eve, _) = florin.customer_with_project("eve").await;
        let get = GetProjectRequest { name: project.clone() };
        let status = eve.caller.projects().get_project(get).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::NotFound, "NOT_FOUND".to_owned()));
        let status = eve.add(&project, "plans/b3-8", "1").await.unwrap_err();
        assert_eq!(refusal(&status).1, "NOT_FOUND");
        let codes = florin.codes(florin.campaign(10), 1).await;
        let status = eve.redeem(&project, &codes[0]).await.unwrap_err();
        assert_eq!(refusal(&status).1, "NOT_FOUND");
        let card = ada.card("card-approved").await;
        let order = ada.order(&project, 5).await;
        let status = eve.pay(&order.name, &card.name).await.unwrap_err();
        assert_eq!(refusal(&status).1, "NOT_FOUND");
        florin.stop().await;
    }

    /// R9.1: a card that is declined leaves a debt, and a debt stops new projects (R9.3).
    async fn a_declined_invoice_is_overdue_and_stops_new_projects(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let cora = florin.customer("cora").await;
        let codes = florin.codes(florin.campaign(1), 1).await;
        let project = cora.create_project(Some(Funding::VoucherCode(codes[0].clone()))).await.unwrap();
        florin.advance_to("2027-03-04T09:40:00Z").await;
        cora.add(&project.name, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-04-01T06:30:00Z").await;
        let invoices = cora.invoices(invoice::Kind::Monthly).await;
        assert_eq!(invoices[0].state(), invoice::State::Overdue);
        let status = cora.create_project(None).await.unwrap_err();
        assert_eq!(unmet(&status), ["DEBT_UNPAID"]);
        florin.stop().await;
    }
}
