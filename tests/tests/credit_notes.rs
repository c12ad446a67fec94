//! Operators correct invoices over the wire (R7.9, R6.13), and what a won dispute of an invoice gives back (R3.7).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    invoicing::v1::{
        CreateCreditNoteRequest, CreditNote, CreditedPortion, GetCreditNoteRequest, Invoice,
        ListCreditNotesRequest, PayDebtRequest, credited_portion::Measure, invoice,
    },
    operation::v1::ApproveRequest,
    payment::v1::{GetPaymentRequest, Payment},
    sandbox::v1::{DisputePaymentRequest, WinDisputeRequest},
};
use florin_platform::call::Role;
use florin_server::client::Caller;
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::{
    acts::{euros, said},
    florin::{Customer, Florin, refusal, service_token_of},
};
use tonic::{Code, Status};

/// Somebody of finance, by name.
async fn finance(florin: &Florin, db: &TestDatabase, name: &str) -> Caller {
    florin.anonymous.with_token(&service_token_of(db, name, &[Role::Finance]).await)
}

fn whole(invoice: &Invoice) -> CreateCreditNoteRequest {
    CreateCreditNoteRequest {
        invoice: invoice.name.clone(),
        whole: true,
        reason: "an outage".to_owned(),
        ..Default::default()
    }
}

fn units_of_first_line(invoice: &Invoice, units: i64) -> CreateCreditNoteRequest {
    let lines = vec![CreditedPortion { line_number: 1, measure: Some(Measure::Net(euros(units))) }];
    CreateCreditNoteRequest { whole: false, lines, ..whole(invoice) }
}

async fn create(by: &Caller, request: CreateCreditNoteRequest) -> Result<CreditNote, Status> {
    by.invoices().create_credit_note(request).await.map(tonic::Response::into_inner)
}

async fn notes(ada: &Customer) -> Vec<CreditNote> {
    let request = ListCreditNotesRequest { parent: ada.account.clone(), ..Default::default() };
    ada.caller.invoices().list_credit_notes(request).await.unwrap().into_inner().credit_notes
}

async fn payment(ada: &Customer, name: &str) -> Payment {
    let request = GetPaymentRequest { name: name.to_owned() };
    ada.caller.payments().get_payment(request).await.unwrap().into_inner()
}

on_both_backends! {
    /// R7.9: the customer reads what was credited, and the payment tells what went back.
    async fn a_credited_invoice_gives_its_money_back_through_the_provider(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, invoice) = florin.customer_billed().await;
        let denied = create(&ada.caller, whole(&invoice)).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        let vera = finance(&florin, &db, "vera").await;
        let part = create(&vera, units_of_first_line(&invoice, 1)).await.unwrap();
        assert_eq!((said(part.net_total.as_ref()).as_str(), part.reason().as_str_name()), ("1.00 EUR", "REASON_CORRECTION"));
        assert_eq!(said(part.refunded_incl_tax.as_ref()), "1.20 EUR");
        let rest = create(&vera, whole(&invoice)).await.unwrap();
        let listed = notes(&ada).await;
        assert_eq!(listed, [part, rest.clone()]);
        let request = GetCreditNoteRequest { name: rest.name.clone() };
        assert_eq!(ada.caller.invoices().get_credit_note(request).await.unwrap().into_inner(), rest);
        let paid = payment(&ada, &invoice.payment).await;
        assert_eq!(said(paid.refunded_amount_incl_tax.as_ref()), said(invoice.amount_incl_tax.as_ref()));
        let more = create(&vera, whole(&invoice)).await.unwrap_err();
        assert_eq!(refusal(&more), (Code::FailedPrecondition, "CREDIT_NOTE_EXCEEDS_INVOICE".to_owned()));
        florin.stop().await;
    }

    /// R6.13: above the limit nothing happens until somebody else agrees, also when it is asked for in portions.
    async fn a_large_correction_waits_for_a_second_operator(db: TestDatabase) {
        let settings = florin_server::config::Config {
            approval_limits: florin_platform::approval::Limits::new(10, Vec::new()),
            ..florin_tests::florin::config(&db)
        };
        let florin = Florin::start_with(settings).await;
        let (ada, invoice) = florin.customer_billed().await;
        let (vera, otto) = (finance(&florin, &db, "vera").await, finance(&florin, &db, "otto").await);
        create(&vera, units_of_first_line(&invoice, 7)).await.unwrap();
        let asked = create(&vera, units_of_first_line(&invoice, 7)).await.unwrap();
        assert_eq!((asked.name.as_str(), asked.number.as_str()), ("", ""));
        assert_eq!(said(asked.amount_incl_tax.as_ref()), "8.40 EUR");
        assert_eq!(notes(&ada).await.len(), 1, "nothing has happened");
        let approve = || ApproveRequest {
            name: asked.approval.clone(),
            reason: "it was an outage".to_owned(),
            ..Default::default()
        };
        let alone = vera.approvals().approve(approve()).await.unwrap_err();
        assert_eq!(refusal(&alone).1, "APPROVAL_BY_REQUESTER");
        let approved = otto.approvals().approve(approve()).await.unwrap().into_inner();
        let listed = notes(&ada).await;
        assert_eq!(listed.iter().map(|note| said(note.refunded_incl_tax.as_ref())).collect::<Vec<_>>(), ["8.40 EUR"; 2]);
        assert_eq!(approved.result, listed[1].name);
        florin.advance_to("2027-04-01T08:00:00Z").await;
        let paid = payment(&ada, &invoice.payment).await;
        assert_eq!(said(paid.refunded_amount_incl_tax.as_ref()), "16.80 EUR");
        florin.stop().await;
    }

    /// R3.7: who pays what a bank took back gets it back once the dispute is won, and not more than once.
    async fn what_was_paid_in_place_of_a_disputed_payment_goes_back_once_it_is_won(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, invoice) = florin.customer_billed().await;
        let request = DisputePaymentRequest { name: invoice.payment.clone(), ..Default::default() };
        florin.operator.payment_outcomes().dispute_payment(request).await.unwrap();
        assert!(ada.credits().await.iter().all(|credit| said(credit.remaining_amount.as_ref()) == "0.00 EUR"), "no loyalty");
        let card = ada.card("card-frictionless").await.name;
        let pay =
            PayDebtRequest { parent: ada.account.clone(), payment_method: card, ..Default::default() };
        let second = ada.caller.collection().pay_debt(pay).await.unwrap().into_inner().payment.unwrap();
        let paid_again = ada.invoices(invoice::Kind::Monthly).await.remove(0);
        assert_eq!(paid_again.state(), invoice::State::Paid);
        let win = || WinDisputeRequest { name: invoice.payment.clone(), ..Default::default() };
        florin.operator.payment_outcomes().win_dispute(win()).await.unwrap();
        let _ = florin.operator.payment_outcomes().win_dispute(win()).await;
        florin.advance_to("2027-04-01T09:00:00Z").await;
        let back = payment(&ada, &second.name).await;
        assert_eq!(said(back.refunded_amount_incl_tax.as_ref()), said(invoice.amount_incl_tax.as_ref()));
        assert!(payment(&ada, &invoice.payment).await.refunded_amount_incl_tax.is_none());
        assert_eq!(ada.invoices(invoice::Kind::Monthly).await[0].state(), invoice::State::Paid);
        florin.stop().await;
    }
}
