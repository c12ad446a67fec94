//! What is given up, disputed and credited, in every order: nothing of it stays in an account of the books that is not
//! its own (R14.3). Each test ends with the audit of its books.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    credit::v1::{CreditOrder, PayCreditOrderRequest, pay_credit_order_request::Source},
    invoicing::v1::{
        CreateCreditNoteRequest, CreditNote, CreditedPortion, Debt, Invoice, ListDebtsRequest,
        WriteOffDebtRequest, credited_portion::Measure, debt, invoice,
    },
    money::Money,
    payment::v1::{GetPaymentRequest, ListPaymentMethodsRequest},
    sandbox::v1::{DisputePaymentRequest, WinDisputeRequest},
};
use florin_platform::db::{Db, sql};
use florin_testbed::{TestDatabase, on_both_backends};
use florin_tests::{
    acts::{euros, said},
    florin::{Customer, Florin},
};

async fn dispute(florin: &Florin, payment: &str, amount: Option<Money>) {
    let request =
        DisputePaymentRequest { name: payment.to_owned(), amount_incl_tax: amount, ..Default::default() };
    florin.operator.payment_outcomes().dispute_payment(request).await.unwrap();
}

async fn win(florin: &Florin, payment: &str) {
    let request = WinDisputeRequest { name: payment.to_owned(), ..Default::default() };
    florin.operator.payment_outcomes().win_dispute(request).await.unwrap();
}

async fn debts(ada: &Customer) -> Vec<Debt> {
    let request = ListDebtsRequest { parent: ada.account.clone(), ..Default::default() };
    ada.caller.collection().list_debts(request).await.unwrap().into_inner().debts
}

async fn write_off(florin: &Florin, ada: &Customer) {
    let open = debts(ada).await.into_iter().find(|debt| debt.state() == debt::State::Open).unwrap();
    let request = WriteOffDebtRequest { name: open.name, reason: "gone".to_owned(), ..Default::default() };
    florin.operator.collection().write_off_debt(request).await.unwrap();
}

async fn credit(florin: &Florin, invoice: &Invoice, net: Option<Money>) -> CreditNote {
    let portion = |net| CreditedPortion { line_number: 1, measure: Some(Measure::Net(net)) };
    let request = CreateCreditNoteRequest {
        invoice: invoice.name.clone(),
        whole: net.is_none(),
        lines: net.map(portion).into_iter().collect(),
        reason: "an outage".to_owned(),
        ..Default::default()
    };
    florin.operator.invoices().create_credit_note(request).await.unwrap().into_inner()
}

async fn refunded(ada: &Customer, payment: &str) -> String {
    let request = GetPaymentRequest { name: payment.to_owned() };
    let payment = ada.caller.payments().get_payment(request).await.unwrap().into_inner();
    payment.refunded_amount_incl_tax.as_ref().map_or_else(|| "nothing".to_owned(), |back| said(Some(back)))
}

/// Debits less credits of ledger accounts, in cents.
async fn balances<const N: usize>(db: &TestDatabase, accounts: [&str; N]) -> [i64; N] {
    let db = Db::connect(db.url()).await.unwrap();
    let mut found = [0; N];
    for (place, account) in found.iter_mut().zip(accounts) {
        let text = "SELECT CAST(COALESCE(SUM(CASE WHEN debit_ledger = $1 THEN amount ELSE -amount END), 0) AS bigint) \
                    FROM money_movement WHERE debit_ledger = $1 OR credit_ledger = $1";
        let row =
            sea_orm::ConnectionTrait::query_one_raw(db.reader(), sql(db.reader(), text, [account.into()]))
                .await;
        *place = row.unwrap().unwrap().try_get_by_index(0).unwrap();
    }
    found
}

/// An order of `net` euros, paid with the customer's card and supplied at once.
async fn bought(ada: &Customer, project: &str, net: i64) -> CreditOrder {
    let order = ada.order(project, net).await;
    let methods = ListPaymentMethodsRequest { parent: ada.account.clone(), ..Default::default() };
    let methods = ada.caller.payment_methods().list_payment_methods(methods).await.unwrap().into_inner();
    let request = PayCreditOrderRequest {
        name: order.name,
        source: Some(Source::PaymentMethod(methods.payment_methods[0].name.clone())),
        immediate_supply_consent: true,
        ..Default::default()
    };
    ada.caller.credit_orders().pay_credit_order(request).await.unwrap().into_inner().credit_order.unwrap()
}

const HELD: &str = "CUSTOMER_BALANCE";
const LOST: &str = "BAD_DEBTS";

on_both_backends! {
    /// R7.9: what was given up and is credited was no loss: the sale never was. Money that comes after all is the
    /// customer's.
    async fn a_credited_loss_is_none_and_money_that_comes_then_goes_back(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, invoice) = florin.customer_billed().await;
        dispute(&florin, &invoice.payment, None).await;
        write_off(&florin, &ada).await;
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 6074]);
        let note = credit(&florin, &invoice, Some(euros(10))).await;
        assert_eq!(said(note.refunded_incl_tax.as_ref()), "0.00 EUR");
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 4874]);
        win(&florin, &invoice.payment).await;
        florin.advance_to("2027-04-01T09:00:00Z").await;
        assert_eq!(refunded(&ada, &invoice.payment).await, "12.00 EUR", "what was credited");
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 0]);
        // The rest was paid in the end, and can be credited like everything that was.
        let note = credit(&florin, &invoice, None).await;
        assert_eq!(said(note.refunded_incl_tax.as_ref()), "48.74 EUR");
        assert_eq!(balances(&db, ["RECEIVABLES", "INCOME", "VAT_PAYABLE", HELD, LOST]).await, [0; 5]);
        florin.stop().await;
    }

    /// R3.7, R9.1: nobody asks for an invoice that was given up; what a bank takes back of what had been paid of it is
    /// lost as well, until it comes back.
    async fn what_a_bank_takes_of_an_invoice_that_was_given_up_is_given_up(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, invoice) = florin.customer_billed().await;
        dispute(&florin, &invoice.payment, Some(euros(20))).await;
        write_off(&florin, &ada).await;
        dispute(&florin, &invoice.payment, Some(euros(30))).await;
        assert_eq!(ada.invoices(invoice::Kind::Monthly).await[0].state(), invoice::State::WrittenOff);
        assert!(debts(&ada).await.iter().all(|debt| debt.state() == debt::State::WrittenOff));
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 5000]);
        win(&florin, &invoice.payment).await;
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 2000]);
        let note = credit(&florin, &invoice, None).await;
        assert_eq!(said(note.refunded_incl_tax.as_ref()), "40.74 EUR");
        florin.advance_to("2027-04-01T09:00:00Z").await;
        assert_eq!(balances(&db, ["RECEIVABLES", "INCOME", "VAT_PAYABLE", HELD, LOST]).await, [0; 5]);
        florin.stop().await;
    }

    /// R6.11, R7.4: credit that comes back with a won dispute is supplied, and its VAT is due again; as often as it is
    /// disputed.
    async fn the_vat_of_a_disputed_order_follows_its_credit(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = bought(&ada, &project, 30).await;
        let accounts = ["VAT_PAYABLE", "CASH", HELD, LOST];
        for _ in 0..2 {
            assert_eq!(balances(&db, accounts).await, [-600, 3600, 0, 0]);
            dispute(&florin, &order.payment, None).await;
            assert_eq!(balances(&db, accounts).await, [0, 0, 0, 0]);
            win(&florin, &order.payment).await;
        }
        dispute(&florin, &order.payment, Some(euros(12))).await;
        assert_eq!(balances(&db, accounts).await, [-400, 2400, 0, 0]);
        florin.stop().await;
    }

    /// R6.11: of an order that is disputed in parts each part comes to what is disputed, and pays nothing of another.
    async fn what_one_dispute_credits_pays_nothing_of_what_another_left_owed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = bought(&ada, &project, 30).await;
        let instance = ada.add(&project, "plans/b3-8", "1").await.unwrap().name;
        florin.advance_to("2027-03-20T07:30:00Z").await;
        ada.remove(&instance).await;
        florin.advance_to("2027-04-01T07:00:00Z").await;
        let invoice = ada.invoices(invoice::Kind::Monthly).await.remove(0);
        dispute(&florin, &order.payment, Some(euros(12))).await;
        let owed = async || said(debts(&ada).await.iter().find(|debt| debt.state() == debt::State::Open).unwrap().owed_incl_tax.as_ref());
        assert_eq!(owed().await, "12.00 EUR", "all of it is used");
        // 50.62, of which the credit paid 30.00: of 25.62 credited 20.62 had been money.
        let cents = |minor: i32| Money { nanos: minor * 10_000_000, ..euros(25) };
        let note = credit(&florin, &invoice, Some(cents(62))).await;
        assert_eq!(said(note.credit_returned.as_ref()), "5.00 EUR");
        dispute(&florin, &order.payment, Some(euros(24))).await;
        assert_eq!(owed().await, "30.00 EUR", "of 36.00 disputed 6.00 were unused");
        florin.advance_to("2027-04-01T09:00:00Z").await;
        assert_eq!(balances(&db, [HELD, LOST]).await, [0, 0]);
        florin.stop().await;
    }
}
