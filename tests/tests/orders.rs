//! The afterlife of a paid credit order, over the wire: withdrawn, disputed, won (R6.4, R6.11).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{
        Credit, CreditOrder, GetCreditOrderDocumentRequest, ListCreditsRequest, PayCreditOrderRequest,
        WithdrawCreditOrderRequest, credit, credit_order, pay_credit_order_request::Source,
    },
    invoicing::v1::{CreditNote, ListCreditNotesRequest},
    payment::v1::{GetPaymentRequest, ListPaymentMethodsRequest, payment},
    sandbox::v1::{DisputePaymentRequest, WinDisputeRequest},
};
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, said},
    florin::{Customer, Florin, refusal},
};

/// An order of 30.00, paid with the customer's card.
async fn bought(ada: &Customer, project: &str, consent: bool) -> CreditOrder {
    let order = ada.order(project, 30).await;
    let methods = ListPaymentMethodsRequest { parent: ada.account.clone(), ..Default::default() };
    let methods = ada.caller.payment_methods().list_payment_methods(methods).await.unwrap().into_inner();
    let request = PayCreditOrderRequest {
        name: order.name,
        source: Some(Source::PaymentMethod(methods.payment_methods[0].name.clone())),
        immediate_supply_consent: consent,
        ..Default::default()
    };
    ada.caller.credit_orders().pay_credit_order(request).await.unwrap().into_inner().credit_order.unwrap()
}

async fn credits(ada: &Customer) -> Vec<Credit> {
    let request = ListCreditsRequest { parent: ada.account.clone(), ..Default::default() };
    ada.caller.credits().list_credits(request).await.unwrap().into_inner().credits
}

async fn notes(florin: &Florin, ada: &Customer) -> Vec<CreditNote> {
    let request = ListCreditNotesRequest { parent: ada.account.clone(), ..Default::default() };
    florin.operator.invoices().list_credit_notes(request).await.unwrap().into_inner().credit_notes
}

on_both_backends! {
    /// R6.11: what is unused is revoked and credited; won, a new lot of the old kind and expiry replaces it.
    async fn a_disputed_order_loses_its_credit_and_a_won_dispute_brings_it_back(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = bought(&ada, &project, true).await;
        let outcomes = || florin.operator.payment_outcomes();
        let dispute = DisputePaymentRequest { name: order.payment.clone(), ..Default::default() };
        outcomes().dispute_payment(dispute).await.unwrap();
        let revoked = credits(&ada).await;
        assert_eq!((revoked.len(), revoked[0].state()), (1, credit::State::Revoked));
        let notes = notes(&florin, &ada).await;
        assert_eq!(notes.iter().map(|note| said(note.amount_incl_tax.as_ref())).collect::<Vec<_>>(), ["36.00 EUR"]);
        let win = WinDisputeRequest { name: order.payment.clone(), ..Default::default() };
        outcomes().win_dispute(win).await.unwrap();
        let back = credits(&ada).await;
        assert_eq!((back.len(), back[1].state(), back[1].origin()), (2, credit::State::Active, credit::Origin::DisputeWon));
        assert_eq!((back[1].expire_time, &back[1].source_credit), (back[0].expire_time, &back[0].name));
        assert_eq!(back[1].remaining_amount, Some(euros(30)));
        florin.stop().await;
    }

    /// R6.4: who did not ask for immediate supply may withdraw: the money goes back, a credit note says so.
    async fn a_withdrawn_order_is_credited_and_its_money_goes_back(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = bought(&ada, &project, false).await;
        assert!(credits(&ada).await.is_empty() && order.withdrawal_end_time.is_some());
        let document = GetCreditOrderDocumentRequest { name: order.name.clone() };
        let document = ada.caller.credit_orders().get_credit_order_document(document).await.unwrap().into_inner();
        assert!(String::from_utf8(document.content).unwrap().contains(&order.number));
        let request = WithdrawCreditOrderRequest {
            name: order.name.clone(),
            request_id: "once".to_owned(),
            ..Default::default()
        };
        let withdrawn = ada.caller.credit_orders().withdraw_credit_order(request.clone()).await.unwrap().into_inner();
        assert_eq!(withdrawn.state(), credit_order::State::Withdrawn);
        let again = ada.caller.credit_orders().withdraw_credit_order(request).await.unwrap().into_inner();
        assert_eq!(again, withdrawn);
        let anew = WithdrawCreditOrderRequest { name: order.name.clone(), ..Default::default() };
        let anew = ada.caller.credit_orders().withdraw_credit_order(anew).await.unwrap_err();
        assert_eq!(refusal(&anew).1, "ORDER_NOT_WITHDRAWABLE");
        assert_eq!(notes(&florin, &ada).await.len(), 1);
        florin.advance_to("2027-04-02T00:00:00Z").await;
        let request = GetPaymentRequest { name: order.payment.clone() };
        let payment = ada.caller.payments().get_payment(request).await.unwrap().into_inner();
        assert_eq!(payment.state(), payment::State::Refunded);
        assert!(credits(&ada).await.is_empty(), "no lot after 14 days");
        florin.stop().await;
    }
}
