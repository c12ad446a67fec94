//! The later life of payments and payment methods, over the wire: disputes, announced debits, removal.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{GetCreditOrderRequest, credit_order},
    invoicing::v1::{GetInvoiceRequest, Invoice, invoice},
    payment::v1::{
        CreatePaymentMethodRequest, DeletePaymentMethodRequest, GetPaymentRequest, ListPaymentsRequest,
        Payment, PaymentMethod, PaymentMethodKind, UpdatePaymentMethodRequest, payment, payment_method,
    },
    sandbox::v1::{
        ApprovePaymentRequest, DisputePaymentRequest, LoseDisputeRequest, WinDisputeRequest,
        approve_payment_response::Subject,
    },
};
use florin_server::client::Caller;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{pay_by_link, said},
    florin::{Customer, Florin, refusal},
};
use tonic::{Code, Status};

async fn delete(customer: &Customer, name: &str) -> Result<PaymentMethod, Status> {
    let request = DeletePaymentMethodRequest { name: name.to_owned(), ..Default::default() };
    customer.caller.payment_methods().delete_payment_method(request).await.map(tonic::Response::into_inner)
}

async fn payment_of(customer: &Customer, name: &str) -> Payment {
    let request = GetPaymentRequest { name: name.to_owned() };
    customer.caller.payments().get_payment(request).await.unwrap().into_inner()
}

async fn invoice_of(customer: &Customer, name: &str) -> Invoice {
    let request = GetInvoiceRequest { name: name.to_owned() };
    customer.caller.invoices().get_invoice(request).await.unwrap().into_inner()
}

/// A customer whose March is invoiced and paid by card; the invoice.
async fn billed(florin: &Florin, name: &str) -> (Customer, Invoice) {
    let (customer, project) = florin.customer_with_project(name).await;
    florin.advance_to("2027-03-04T09:40:00Z").await;
    let instance = customer.add(&project, "plans/b3-8", "1").await.unwrap();
    florin.advance_to("2027-03-12T16:30:00Z").await;
    customer.remove(&instance.name).await;
    florin.advance_to("2027-04-01T07:00:00Z").await;
    let invoice = customer.invoices(invoice::Kind::Monthly).await.remove(0);
    assert_eq!(invoice.state(), invoice::State::Paid);
    (customer, invoice)
}

on_both_backends! {
    /// R6.4: exactly one lot, however often the payment is confirmed: fifty times at once, over connections of their
    /// own, each two under one request id.
    async fn fifty_confirmations_at_once_issue_one_lot(db: TestDatabase) {
        let florin = &Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 30).await;
        let waiting = pay_by_link(florin, &order, "card-approved").await.unwrap().payment.unwrap();
        assert_eq!(waiting.state(), payment::State::ActionRequired);
        let confirmations = (0..50).map(|number| {
            let name = waiting.name.clone();
            async move {
                let caller = Caller::connect(&florin.url()).await.unwrap().with_token(&florin.token());
                let request = ApprovePaymentRequest { name, request_id: format!("approve-{}", number / 2) };
                caller.payment_outcomes().approve_payment(request).await
            }
        });
        let confirmed = futures::future::join_all(confirmations).await;
        for answer in &confirmed {
            match answer {
                Ok(answer) => {
                    let Some(Subject::Payment(paid)) = &answer.get_ref().subject else { panic!("{answer:?}") };
                    assert_eq!(paid.state(), payment::State::Succeeded);
                }
                Err(refused) => assert_eq!(refusal(refused).1, "NO_ACTION_AWAITED"),
            }
        }
        assert!(confirmed.iter().any(Result::is_ok));
        florin.advance_to("2027-03-01T12:00:00Z").await;
        let lots = ada.credits().await;
        assert_eq!((lots.len(), &lots[0].origin_reference), (1, &order.name));
        assert_eq!(ada.invoices(invoice::Kind::Purchase).await.len(), 1);
        let request = ListPaymentsRequest { parent: ada.account.clone(), ..Default::default() };
        let payments = ada.caller.payments().list_payments(request).await.unwrap().into_inner().payments;
        assert_eq!(payments.len(), 1);
        assert_eq!((payments[0].state(), &payments[0].refunded_amount_incl_tax), (payment::State::Succeeded, &None));
    }

    /// R3.7: a chargeback re-opens the debt; a dispute that is won closes it.
    async fn a_chargeback_reopens_an_invoice_and_its_reversal_closes_it(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, invoice) = billed(&florin, "ada").await;
        let name = invoice.payment.clone();
        let dispute = || DisputePaymentRequest { name: name.clone(), ..Default::default() };
        let disputed = florin.operator.payment_outcomes().dispute_payment(dispute()).await.unwrap().into_inner();
        let disputed = disputed.payment.unwrap();
        assert_eq!(said(disputed.disputed_amount_incl_tax.as_ref()), said(invoice.amount_incl_tax.as_ref()));
        assert_eq!(invoice_of(&ada, &invoice.name).await.state(), invoice::State::Overdue);
        let twice = florin.operator.payment_outcomes().dispute_payment(dispute()).await.unwrap_err();
        assert_eq!(refusal(&twice).1, "PAYMENT_NOT_DISPUTABLE", "all of it is away");

        let win = WinDisputeRequest { name: name.clone(), ..Default::default() };
        florin.operator.payment_outcomes().win_dispute(win).await.unwrap();
        assert_eq!(invoice_of(&ada, &invoice.name).await.state(), invoice::State::Paid);
        assert!(payment_of(&ada, &name).await.disputed_amount_incl_tax.is_none());
        let lose = LoseDisputeRequest { name, ..Default::default() };
        let late = florin.operator.payment_outcomes().lose_dispute(lose).await.unwrap_err();
        assert_eq!(refusal(&late).1, "PAYMENT_NOT_DISPUTABLE", "what was won stays won");
        florin.stop().await;
    }

    /// R3.4
    async fn the_last_method_stays_while_a_project_lives(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let first = florin_api::payment::v1::ListPaymentMethodsRequest { parent: ada.account.clone(), ..Default::default() };
        let first = ada.caller.payment_methods().list_payment_methods(first).await.unwrap().into_inner().payment_methods.remove(0);
        let refused = delete(&ada, &first.name).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "PAYMENT_METHOD_NEEDED".to_owned()));
        assert!(refused.message().contains(&project), "{refused}");

        let second = ada.card("card-frictionless").await;
        let edited = PaymentMethod { label: "the other".to_owned(), fallback_order: 1, ..second.clone() };
        let request = UpdatePaymentMethodRequest {
            payment_method: Some(edited),
            update_mask: Some(prost_types::FieldMask { paths: vec!["*".to_owned()] }),
            ..Default::default()
        };
        let edited = ada.caller.payment_methods().update_payment_method(request).await.unwrap().into_inner();
        assert_eq!((edited.label.as_str(), edited.fallback_order), ("the other", 1));
        let removed = delete(&ada, &first.name).await.unwrap();
        assert_eq!(removed.state(), payment_method::State::Canceled);
        let eve = florin.customer("eve").await;
        assert_eq!(refusal(&delete(&eve, &second.name).await.unwrap_err()).0, Code::NotFound);
        florin.stop().await;
    }

    /// R3.6, R6.3: announced, made two days later, decided after days; the order waits for it.
    async fn an_order_paid_by_bank_debit_waits_for_the_announced_day_and_the_bank(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let card = ada.card("card-frictionless").await;
        let first = ada.order(&project, 5).await;
        ada.pay(&first.name, &card.name).await.unwrap();
        let request = CreatePaymentMethodRequest {
            parent: ada.account.clone(),
            payment_method: Some(PaymentMethod { kind: PaymentMethodKind::BankAccount.into(), ..Default::default() }),
            provider_token: "iban-approved".to_owned(),
            ..Default::default()
        };
        let bank = ada.caller.payment_methods().create_payment_method(request).await.unwrap().into_inner();
        florin.approve(&bank.name).await;

        florin.advance_to("2027-03-02T00:00:00Z").await;
        let order = ada.order(&project, 20).await;
        let paying = ada.pay(&order.name, &bank.name).await.unwrap().payment.unwrap();
        assert_eq!(paying.state(), payment::State::Scheduled);
        assert!(paying.collect_time.is_some());
        florin.advance_to("2027-03-03T23:00:00Z").await;
        assert_eq!(payment_of(&ada, &paying.name).await.state(), payment::State::Scheduled);
        florin.advance_to("2027-03-04T01:00:00Z").await;
        assert_eq!(payment_of(&ada, &paying.name).await.state(), payment::State::Pending);
        florin.advance_to("2027-03-08T01:00:00Z").await;
        assert_eq!(payment_of(&ada, &paying.name).await.state(), payment::State::Succeeded);
        let request = GetCreditOrderRequest { name: order.name.clone() };
        let order = ada.caller.credit_orders().get_credit_order(request).await.unwrap().into_inner();
        assert_eq!(order.state(), credit_order::State::Paid);
        florin.stop().await;
    }
}
