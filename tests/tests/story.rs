//! The story over the wire, on both databases: from an empty machine to a settled invoice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{
        CreditOrder, FundingKind, GetCreditOrderRequest, GrantLaunchPadRequest, GrantLoyaltyRequest,
        credit_order,
    },
    invoicing::v1::{EstimateInvoiceRequest, ExplainSettlementRequest, Invoice, invoice},
    payment::v1::payment,
    project::v1::{
        GetCurrentUsageRequest, InitialCredit, Project, UpdateProjectRequest,
        create_project_request::Funding, project,
    },
};
use florin_platform::wire;
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, pay_by_link, said},
    florin::{Customer, Florin},
};

/// Gives the customer, whose project is `project`, 10 of voucher, 5 of credit, 3 of LaunchPad, 1 of loyalty.
async fn fund(florin: &Florin, ada: &Customer, project: &str) {
    let order = ada.order(project, 5).await;
    let paid = pay_by_link(florin, &order, "card-approved").await.unwrap();
    let payment = paid.payment.unwrap();
    assert_eq!(payment.state(), payment::State::ActionRequired);
    florin.approve(&payment.name).await;
    let codes = florin.codes(florin.campaign(10), 1).await;
    ada.redeem(project, &codes[0]).await.unwrap();
    let expire_time = Some(wire::timestamp(Instant::parse("2028-03-01T00:00:00Z").unwrap()));
    let request = GrantLaunchPadRequest {
        parent: ada.account.clone(),
        amount: Some(euros(3)),
        reason: "startup programme".to_owned(),
        expire_time,
        ..Default::default()
    };
    florin.operator.grants().grant_launch_pad(request).await.unwrap();
    let request = GrantLoyaltyRequest {
        parent: ada.account.clone(),
        amount: Some(euros(1)),
        reason: "a kind word".to_owned(),
        ..Default::default()
    };
    florin.operator.grants().grant_loyalty(request).await.unwrap();
}

/// The worked example: 200 hours of an instance and 103 of a 250 GiB volume.
async fn use_some(florin: &Florin, ada: &Customer, project: &str) {
    florin.advance_to("2027-03-04T09:40:00Z").await;
    let instance = ada.add(project, "plans/b3-8", "1").await.unwrap();
    florin.advance_to("2027-03-08T10:00:00Z").await;
    let volume = ada.add(project, "plans/volume-classic", "250").await.unwrap();
    florin.advance_to("2027-03-12T16:30:00Z").await;
    ada.remove(&instance.name).await;
    ada.remove(&volume.name).await;
}

fn debits(invoice: &Invoice) -> Vec<(FundingKind, String)> {
    invoice.debits.iter().map(|debit| (debit.kind(), said(debit.amount.as_ref()))).collect()
}

/// What an estimate and the issued document must agree on: lines, debits, taxes and total, as text.
fn document(invoice: &Invoice) -> Vec<String> {
    let lines = invoice.lines.iter().map(|line| {
        let quantity = &line.quantity.as_ref().expect("a quantity").value;
        format!("line {} {quantity} {}", line.plan, said(line.net.as_ref()))
    });
    let debits = debits(invoice).into_iter().map(|(kind, amount)| format!("debit {kind:?} {amount}"));
    let taxes = invoice.tax_lines.iter().map(|line| {
        let rate = &line.rate.as_ref().expect("a rate").value;
        format!("tax {rate} {}", said(line.tax.as_ref()))
    });
    let total = format!("total {}", said(invoice.amount_incl_tax.as_ref()));
    lines.chain(debits).chain(taxes).chain([total]).collect()
}

on_both_backends! {
    /// R7.1 to the cent: 23.63 used; voucher, credit, LaunchPad and loyalty first; the card pays the rest and its VAT.
    async fn a_month_is_used_invoiced_settled_and_explained(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        fund(&florin, &ada, &project).await;
        use_some(&florin, &ada, &project).await;

        let request = GetCurrentUsageRequest { parent: project.clone() };
        let usage = ada.caller.usage().get_current_usage(request).await.unwrap().into_inner();
        let mut nets: Vec<_> = usage.lines.iter().map(|line| said(line.net.as_ref())).collect();
        nets.sort();
        assert_eq!(nets, ["1.43 EUR", "22.20 EUR"]);
        assert_eq!(said(usage.net_total.as_ref()), "23.63 EUR");

        let request = EstimateInvoiceRequest { parent: project.clone() };
        let estimate = ada.caller.invoices().estimate_invoice(request).await.unwrap().into_inner().invoice.unwrap();

        assert!(ada.invoices(invoice::Kind::Monthly).await.is_empty());
        florin.advance_to("2027-04-01T06:30:00Z").await;
        let invoices = ada.invoices(invoice::Kind::Monthly).await;
        assert_eq!(invoices.len(), 1);
        let issued = &invoices[0];
        assert_eq!(issued.number, "FR-2027-000001");
        assert_eq!(issued.state(), invoice::State::Paid);
        assert_eq!(document(issued), document(&estimate));
        assert_eq!(debits(issued), [
            (FundingKind::Voucher, "10.00 EUR".to_owned()),
            (FundingKind::CloudCredit, "5.00 EUR".to_owned()),
            (FundingKind::Launchpad, "3.00 EUR".to_owned()),
            (FundingKind::Loyalty, "1.00 EUR".to_owned()),
            (FundingKind::PaymentMethod, "4.63 EUR".to_owned()),
        ]);
        assert_eq!(said(issued.net_total.as_ref()), "23.63 EUR");
        assert_eq!(said(issued.net_after_credit.as_ref()), "4.63 EUR");
        assert_eq!(said(issued.tax_total.as_ref()), "0.93 EUR");
        assert_eq!(said(issued.amount_incl_tax.as_ref()), "5.56 EUR");
        assert_eq!(said(issued.amount_paid_incl_tax.as_ref()), "5.56 EUR");

        let request = ExplainSettlementRequest { name: issued.name.clone() };
        let explained = ada.caller.invoices().explain_settlement(request).await.unwrap().into_inner();
        let order: Vec<_> = explained.debit_order().collect();
        assert_eq!(order, [
            FundingKind::Voucher, FundingKind::CloudCredit, FundingKind::Launchpad, FundingKind::Loyalty,
            FundingKind::PaymentMethod,
        ]);
        let taken: Vec<_> = explained
            .considered_lots
            .iter()
            .map(|lot| (lot.kind(), said(lot.balance_before.as_ref()), said(lot.taken.as_ref()), said(lot.balance_after.as_ref())))
            .collect();
        let gone = |kind, amount: &str| (kind, amount.to_owned(), amount.to_owned(), "0.00 EUR".to_owned());
        assert_eq!(taken, [
            gone(FundingKind::Voucher, "10.00 EUR"),
            gone(FundingKind::CloudCredit, "5.00 EUR"),
            gone(FundingKind::Launchpad, "3.00 EUR"),
            gone(FundingKind::Loyalty, "1.00 EUR"),
        ]);
        assert_eq!(said(explained.due.as_ref()), "23.63 EUR");
        assert_eq!(said(explained.remainder.as_ref()), "4.63 EUR");
        assert_eq!(said(explained.payment_method_amount_incl_tax.as_ref()), "5.56 EUR");

        // Nothing happens twice when time goes on.
        florin.advance_to("2027-04-20T00:00:00Z").await;
        assert_eq!(ada.invoices(invoice::Kind::Monthly).await.len(), 1);
        florin.stop().await;
    }

    /// R4.2: a card that passes 3-D Secure makes the first project active by itself.
    async fn a_card_funds_the_first_project_once_it_passed_3d_secure(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let card = ada.card("card-approved").await;
        let project = ada.create_project(Some(Funding::PaymentMethod(card.name.clone()))).await.unwrap();
        assert_eq!(project.state(), project::State::PendingFunding);
        florin.approve(&card.name).await;
        assert_eq!(ada.project(&project.name).await.state(), project::State::Active);
        // R4.2: later projects need none.
        assert_eq!(ada.create_project(None).await.unwrap().state(), project::State::Active);
        florin.stop().await;
    }

    /// R4.2, R6.3, R6.4: thirty euros of initial credit appear, with their expiry, once the order is paid.
    async fn initial_credit_funds_the_first_project_once_it_is_paid(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ben = florin.customer("ben").await;
        let funding = Funding::InitialCredit(InitialCredit { amount: Some(euros(30)) });
        let project = ben.create_project(Some(funding)).await.unwrap();
        assert_eq!(project.state(), project::State::PendingFunding);
        let get = GetCreditOrderRequest { name: project.credit_order.clone() };
        let order: CreditOrder = ben.caller.credit_orders().get_credit_order(get.clone()).await.unwrap().into_inner();
        assert_eq!(said(order.amount_incl_tax.as_ref()), "36.00 EUR");
        assert!(order.initial);
        assert!(ben.credits().await.is_empty(), "credit exists only once paid");

        let paid = pay_by_link(&florin, &order, "card-approved").await.unwrap();
        let payment = paid.payment.unwrap();
        assert_eq!(payment.state(), payment::State::ActionRequired);
        assert!(ben.credits().await.is_empty());
        florin.approve(&payment.name).await;
        assert_eq!(ben.project(&project.name).await.state(), project::State::Active);
        let credits = ben.credits().await;
        assert_eq!(credits.len(), 1);
        assert_eq!(said(credits[0].remaining_amount.as_ref()), "30.00 EUR");
        let issued = wire::instant(credits[0].issue_time.as_ref().unwrap()).unwrap();
        let expires = wire::instant(credits[0].expire_time.as_ref().unwrap()).unwrap();
        assert_eq!(expires, issued.plus_months_clamped(13));
        let order = ben.caller.credit_orders().get_credit_order(get).await.unwrap().into_inner();
        assert_eq!(order.state(), credit_order::State::Paid);
        assert_eq!(order.credit, credits[0].name);
        let purchases = ben.invoices(invoice::Kind::Purchase).await;
        assert_eq!(purchases.len(), 1);
        assert_eq!(said(purchases[0].amount_incl_tax.as_ref()), "36.00 EUR");
        assert_eq!(purchases[0].state(), invoice::State::Paid);
        florin.stop().await;
    }

    /// R4.2: a voucher funds the first project in the same breath.
    async fn a_voucher_funds_the_first_project_at_once(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let cora = florin.customer("cora").await;
        let codes = florin.codes(florin.campaign(25), 1).await;
        let project = cora.create_project(Some(Funding::VoucherCode(codes[0].clone()))).await.unwrap();
        assert_eq!(project.state(), project::State::Active);
        let credits = cora.credits().await;
        assert_eq!(said(credits[0].remaining_amount.as_ref()), "25.00 EUR");
        assert_eq!(credits[0].kind(), FundingKind::Voucher);
        florin.stop().await;
    }

    /// R4.4
    async fn a_project_is_renamed_at_any_time(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, name) = florin.customer_with_project("ada").await;
        let rename = |display_name: &str| {
            let project = Project { name: name.clone(), display_name: display_name.to_owned(), ..Project::default() };
            let update_mask = Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] });
            let mut projects = ada.caller.projects();
            async move {
                projects
                    .update_project(UpdateProjectRequest { project: Some(project), update_mask, ..Default::default() })
                    .await
            }
        };
        assert_eq!(rename("Analytical Engine").await.unwrap().into_inner().display_name, "Analytical Engine");
        let status = rename("").await.unwrap_err();
        assert_eq!(florin_tests::florin::violated(&status), ["project.display_name"]);
        florin.stop().await;
    }
}
