//! Credit where it ends: of projects that are deleted while money is on its way, and where what is available falls short.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{
        ConfigureTopUpRequest, Credit, CreditOrder, GetCreditOrderRequest, ListCreditOrdersRequest, TopUp,
        credit, credit_order,
    },
    invoicing::v1::invoice,
    payment::v1::{GetPaymentRequest, payment},
    project::v1::{CheckFundingRequest, PlaceHoldRequest, project},
    sandbox::v1::{DisputePaymentRequest, WinDisputeRequest},
};
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, pay_by_link, said},
    florin::{Customer, Florin},
};

/// An order of `units` euros, paid with the customer's card `card` and supplied at once.
async fn bought(ada: &Customer, project: &str, card: &str, units: i64) -> CreditOrder {
    let order = ada.order(project, units).await;
    ada.pay(&order.name, card).await.unwrap().credit_order.unwrap()
}

async fn paid_orders(ada: &Customer) -> usize {
    let request = ListCreditOrdersRequest {
        parent: ada.account.clone(),
        states: vec![credit_order::State::Paid.into()],
        ..Default::default()
    };
    let listed = ada.caller.credit_orders().list_credit_orders(request).await.unwrap().into_inner();
    listed.credit_orders.len()
}

/// A customer with a card that is charged at once, and a project.
async fn customer(florin: &Florin) -> (Customer, String, String) {
    let ada = florin.customer("ada").await;
    let card = ada.card("card-frictionless").await.name;
    let project = ada.create_project(None).await.unwrap().name;
    (ada, card, project)
}

on_both_backends! {
    /// R6.10, R4.8: a top-up looks at what is available: lots, less what is used, less what is held.
    async fn a_top_up_minds_what_is_used_and_held_and_not_only_what_lots_have(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, card, project) = customer(&florin).await;
        bought(&ada, &project, &card, 40).await;
        let top_up = TopUp {
            name: format!("{project}/topUp"),
            enabled: true,
            threshold_amount: Some(euros(10)),
            amount: Some(euros(30)),
            interval: Some(prost_types::Duration { seconds: 24 * 3600, nanos: 0 }),
            monthly_ceiling_amount: Some(euros(100)),
            immediate_supply_consent: true,
            ..TopUp::default()
        };
        let request = ConfigureTopUpRequest { top_up: Some(top_up), ..Default::default() };
        ada.caller.credits().configure_top_up(request).await.unwrap();
        florin.advance_to("2027-03-01T12:00:00Z").await;
        assert_eq!(paid_orders(&ada).await, 1, "40 euros are enough");

        let hold = PlaceHoldRequest {
            parent: project.clone(),
            plan: "plans/b3-8".to_owned(),
            count: 12,
            lifetime: Some(prost_types::Duration { seconds: 3 * 3600, nanos: 0 }),
            ..Default::default()
        };
        let held = florin.operator.funding().place_hold(hold).await.unwrap().into_inner();
        assert_eq!(said(held.amount.as_ref()), "31.92 EUR");
        let check = CheckFundingRequest { name: project.clone(), ..Default::default() };
        let check = florin.operator.funding().check_funding(check).await.unwrap().into_inner();
        assert_eq!(said(check.available.as_ref()), "8.08 EUR");
        florin.advance_to("2027-03-01T13:30:00Z").await;
        assert_eq!(paid_orders(&ada).await, 2, "the lots have 40 euros, and 8.08 are available");
        let left: Vec<_> = ada.credits().await.iter().map(|lot| said(lot.remaining_amount.as_ref())).collect();
        assert_eq!(left, ["40.00 EUR", "30.00 EUR"], "a hold touches no lot");

        // What is used counts as what is held does: 1.67 euros an hour leave less than 10 of 70 after a day and a half.
        ada.add(&project, "plans/volume-classic", "30000").await.unwrap();
        florin.advance_to("2027-03-02T20:00:00Z").await;
        assert_eq!(paid_orders(&ada).await, 2);
        florin.advance_to("2027-03-03T06:00:00Z").await;
        assert_eq!(paid_orders(&ada).await, 3, "nothing is invoiced yet, and less than 10 euros are available");
        florin.stop().await;
    }

    /// R6.3, R9.2: dunning deletes a project while its order is being paid: the money goes back and is no lot.
    async fn money_that_arrives_after_a_dunning_deletion_goes_back_and_never_becomes_a_lot(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        ada.card("card-declined-soft").await;
        let project = ada.create_project(None).await.unwrap().name;
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-05-08T05:40:00Z").await;
        assert_eq!(ada.project(&project).await.state(), project::State::Suspended);
        let order = ada.order(&project, 30).await;
        let payment = pay_by_link(&florin, &order, "card-approved").await.unwrap().payment.unwrap();
        assert_eq!(payment.state(), payment::State::ActionRequired);

        florin.advance_to("2027-05-08T06:20:00Z").await;
        assert_eq!(ada.project(&project).await.state(), project::State::Deleting);
        let request = GetCreditOrderRequest { name: order.name.clone() };
        let waiting = ada.caller.credit_orders().get_credit_order(request.clone()).await.unwrap().into_inner();
        assert_eq!(waiting.state(), credit_order::State::Processing, "dunning does not wait for it, nor cancel it");
        florin.approve(&payment.name).await;
        let canceled = ada.caller.credit_orders().get_credit_order(request).await.unwrap().into_inner();
        assert_eq!((canceled.state(), canceled.credit.as_str()), (credit_order::State::Canceled, ""));

        florin.advance_to("2027-05-10T00:00:00Z").await;
        assert_eq!(ada.project(&project).await.state(), project::State::Deleted);
        let request = GetPaymentRequest { name: payment.name };
        let returned = ada.caller.payments().get_payment(request).await.unwrap().into_inner();
        assert_eq!(returned.state(), payment::State::Refunded);
        assert_eq!(said(returned.refunded_amount_incl_tax.as_ref()), "36.00 EUR");
        assert!(ada.credits().await.is_empty() && ada.invoices(invoice::Kind::Purchase).await.is_empty());
        florin.stop().await;
    }

    /// R4.6, R6.11: what comes back while a project is being deleted still pays its final invoice, and so does what
    /// was there; the rest is forfeited with the project.
    async fn a_dispute_won_in_the_grace_of_a_deletion_still_pays_the_final_invoice(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, card, project) = customer(&florin).await;
        let disputed = bought(&ada, &project, &card, 20).await;
        bought(&ada, &project, &card, 1).await;
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-03-02T07:30:00Z").await;
        let dispute = DisputePaymentRequest { name: disputed.payment.clone(), ..Default::default() };
        florin.operator.payment_outcomes().dispute_payment(dispute).await.unwrap();
        assert_eq!(florin.delete_project(&ada, &project).await.state(), project::State::Deleting);
        let win = WinDisputeRequest { name: disputed.payment, ..Default::default() };
        florin.operator.payment_outcomes().win_dispute(win).await.unwrap();
        let states: Vec<_> = ada.credits().await.iter().map(Credit::state).collect();
        assert_eq!(states, [credit::State::Revoked, credit::State::Active, credit::State::Active]);

        florin.advance_to("2027-03-03T08:00:00Z").await;
        let last = ada.invoices(invoice::Kind::Final).await.remove(0);
        let sums = [last.net_total.as_ref(), last.credit_applied.as_ref(), last.amount_incl_tax.as_ref()];
        assert_eq!(sums.map(said), ["2.66 EUR", "2.66 EUR", "0.00 EUR"]);
        let forfeited = ada.credits().await.iter().fold(0, |sum, lot| {
            assert_ne!(lot.state(), credit::State::Active);
            sum + lot.lapsed_amount.as_ref().map_or(0, |lapsed| lapsed.units * 100 + i64::from(lapsed.nanos) / 10_000_000)
        });
        assert_eq!(forfeited, 2100 - 266);
        florin.stop().await;
    }
}
