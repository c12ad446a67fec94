//! What there is about a customer afterwards: over the wire, in the rows nobody shows, and at the peer's.

use std::{collections::BTreeSet, time::Duration};

use florin_api::{
    credit::v1::{Credit, CreditOrder, ListCreditOrdersRequest, ListCreditsRequest, credit, credit_order},
    invoicing::v1::{Invoice, ListInvoicesRequest, invoice},
    operation::v1::ListNoticesRequest,
    payment::v1::{ListPaymentsRequest, Payment, payment},
};
use florin_peer::Moved;
use florin_platform::{db::sql, id::AccountId, wire};
use sea_orm::ConnectionTrait;

use crate::{
    shop::{Customer, Shop, last},
    standstill::time_passes,
};

/// As many as anybody has in these tests.
const PAGE: i32 = 1000;
/// An order of 30.00 with VAT, in cents.
const GROSS: i64 = 3600;
/// What tells of one paid order, once each.
const FACTS: [&str; 4] = ["CreditOrderPaid", "CreditIssued", "InvoiceIssued", "InvoicePaid"];
const WAIT: Duration = Duration::from_millis(50);
/// So often it is looked whether something has happened: a minute at least.
const LOOKS_MAX: usize = 1200;

/// Everything there is about one account.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) orders: Vec<CreditOrder>,
    pub(crate) credits: Vec<Credit>,
    pub(crate) purchases: Vec<Invoice>,
    pub(crate) payments: Vec<Payment>,
    pub(crate) notices: Vec<String>,
    events: Vec<String>,
    debts: usize,
    refunds_open: usize,
    pub(crate) moved: Moved,
}

impl Books {
    pub(crate) async fn of(shop: &Shop<'_>, customer: &Customer) -> Self {
        let caller = &shop.caller(customer);
        let parent = || customer.account.clone();
        let orders = ListCreditOrdersRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let credits = ListCreditsRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let kinds = vec![invoice::Kind::Purchase.into()];
        let invoices = ListInvoicesRequest { parent: parent(), page_size: PAGE, kinds, ..Default::default() };
        let payments = ListPaymentsRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let notices = ListNoticesRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let (mut orders_of, mut credits_of) = (caller.credit_orders(), caller.credits());
        let (mut invoices_of, mut payments_of) = (caller.invoices(), caller.payments());
        let mut notices_of = caller.notices();
        let (orders, credits, invoices, payments, notices) = tokio::try_join!(
            orders_of.list_credit_orders(orders),
            credits_of.list_credits(credits),
            invoices_of.list_invoices(invoices),
            payments_of.list_payments(payments),
            notices_of.list_notices(notices),
        )
        .unwrap();
        let account: AccountId = wire::parse_account(&customer.account).unwrap();
        let refunds = "SELECT state FROM payment_refund WHERE account_id = $1 AND state = 'REQUESTED'";
        Self {
            orders: orders.into_inner().credit_orders,
            credits: credits.into_inner().credits,
            purchases: invoices.into_inner().invoices,
            payments: payments.into_inner().payments,
            notices: notices.into_inner().notices.into_iter().map(|notice| notice.kind).collect(),
            events: rows(shop, account, "SELECT kind FROM event WHERE account_id = $1").await,
            debts: rows(shop, account, "SELECT currency FROM debt WHERE account_id = $1").await.len(),
            refunds_open: rows(shop, account, refunds).await.len(),
            moved: shop.peer.moved("florin_account", last(&customer.account)),
        }
    }

    /// The same, as soon as `done` says yes of it.
    pub(crate) async fn once(shop: &Shop<'_>, customer: &Customer, done: impl Fn(&Self) -> bool) -> Self {
        for _ in 0..LOOKS_MAX {
            let books = Self::of(shop, customer).await;
            if done(&books) {
                return books;
            }
            tokio::time::sleep(WAIT).await;
        }
        panic!("it never comes to that: {:#?}", Self::of(shop, customer).await);
    }

    /// The same, once nothing is on its way any more: time has passed, and the jobs have finished everything.
    pub(crate) async fn settled(shop: &Shop<'_>, customer: &Customer) -> Self {
        time_passes(shop.db).await;
        // What was read first may have changed while the rest was read; now nothing changes any more.
        Self::once(shop, customer, |books| !books.is_unsettled()).await;
        Self::of(shop, customer).await
    }

    /// That something is on its way. Payments are read before the refunds they lead to.
    fn is_unsettled(&self) -> bool {
        let is_open = |payment: &Payment| match payment.state() {
            payment::State::Processing | payment::State::ActionRequired | payment::State::Pending => true,
            payment::State::Scheduled | payment::State::Unspecified => true,
            payment::State::Succeeded | payment::State::Declined | payment::State::Refunded => false,
        };
        self.payments.iter().any(is_open) || self.refunds_open > 0
    }

    /// The one payment of `order` that is in this state.
    pub(crate) fn only_payment(&self, order: &CreditOrder, state: payment::State) -> &Payment {
        let of_order = self.payments.iter().filter(|payment| payment.reference == order.name);
        let found: Vec<_> = of_order.filter(|payment| payment.state() == state).collect();
        assert_eq!(found.len(), 1, "{state:?} of {}: {:#?}", order.number, self.payments);
        found[0]
    }

    /// Exactly `count` orders were bought, and nothing else happened: every order is PAID, by one payment, and has
    /// one lot and one invoice; the provider took as much, once each, and the customer was told once each.
    pub(crate) fn say_bought(&self, count: usize) {
        self.say_bought_and_given_back(count, 0);
    }

    /// The same, where the money of `unwanted` further payments came and went back.
    pub(crate) fn say_bought_and_given_back(&self, count: usize, unwanted: usize) {
        let amount = |orders: usize| GROSS * i64::try_from(orders).unwrap();
        let moved = Moved {
            charges: count + unwanted,
            captured: amount(count + unwanted),
            refunded: amount(unwanted),
        };
        assert_eq!(self.moved, moved, "what the provider moved");
        assert_eq!(self.debts, 0);
        let orders = names(self.orders.iter().map(|order| &order.name));
        assert_eq!((self.orders.len(), orders.len()), (count, count));
        for order in &self.orders {
            assert_eq!(order.state(), credit_order::State::Paid, "{order:#?}");
            self.only_payment(order, payment::State::Succeeded);
        }
        self.say_one_lot_and_invoice_each(&orders);
        let refunded = self.payments.iter().filter(|paid| paid.state() == payment::State::Refunded);
        assert_eq!(refunded.count(), unwanted, "{:#?}", self.payments);
        for (kind, expected) in
            [("credit.received", count), ("invoicing.invoice", count), ("payment.returned", unwanted)]
        {
            let told = self.notices.iter().filter(|notice| *notice == kind).count();
            assert_eq!(told, expected, "{kind} among {:?}", self.notices);
        }
        for fact in FACTS {
            let told = self.events.iter().filter(|kind| kind.ends_with(&format!(".{fact}"))).count();
            assert_eq!(told, count, "{fact} among {:?}", self.events);
        }
    }

    fn say_one_lot_and_invoice_each(&self, orders: &BTreeSet<&str>) {
        assert_eq!(self.credits.len(), orders.len(), "{:#?}", self.credits);
        assert_eq!(&names(self.credits.iter().map(|lot| &lot.origin_reference)), orders);
        for lot in &self.credits {
            assert_eq!(lot.state(), credit::State::Active);
            let remaining = lot.remaining_amount.as_ref().unwrap();
            assert_eq!((remaining.units, remaining.nanos), (30, 0), "{lot:#?}");
        }
        assert_eq!(self.purchases.len(), orders.len(), "{:#?}", self.purchases);
        assert_eq!(&names(self.purchases.iter().map(|invoice| &invoice.credit_order)), orders);
        assert!(self.purchases.iter().all(|invoice| invoice.state() == invoice::State::Paid));
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    names.map(String::as_str).collect()
}

/// The first column of the rows of an account.
async fn rows(shop: &Shop<'_>, account: AccountId, text: &str) -> Vec<String> {
    let reader = shop.reader().await;
    let rows = reader.query_all_raw(sql(&reader, text, [account.into()])).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// R8.3: every purchase invoice there is, numbered from one on without a gap; how many.
pub(crate) async fn numbered_without_a_gap(shop: &Shop<'_>) -> usize {
    let reader = shop.reader().await;
    let text = "SELECT number FROM invoice WHERE number LIKE '%-P-%' ORDER BY number";
    let rows = reader.query_all_raw(sql(&reader, text, [])).await.unwrap();
    for (row, expected) in rows.iter().zip(1..) {
        let number: String = row.try_get_by_index(0).unwrap();
        let counted: usize = number.rsplit('-').next().unwrap().parse().unwrap();
        assert_eq!(counted, expected, "{number}");
    }
    rows.len()
}
