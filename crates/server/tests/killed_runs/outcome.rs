//! What a run comes to, without what is made anew each time: ids, numbers, the instant of writing.

use std::collections::BTreeMap;

use florin_api::{
    credit::v1::{Credit, ListCreditsRequest},
    invoicing::v1::{Debt, Invoice, ListDebtsRequest, ListInvoicesRequest},
    operation::v1::ListNoticesRequest,
    payment::v1::{ListPaymentsRequest, Payment, payment},
};
use florin_platform::db::sql;
use florin_server::client::Caller;
use florin_testbed::TestDatabase;
use prost::Message;
use sea_orm::ConnectionTrait;

use crate::town::Town;

const PAGE: i32 = 1000;

/// What one project was billed, what was tried to collect it, and what is owed of it.
#[derive(Clone, Debug, PartialEq)]
struct Billed {
    invoice: Invoice,
    payments: Vec<Payment>,
    debts: Vec<Debt>,
}

/// What there is about everybody after a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// By project.
    billed: BTreeMap<String, Vec<Billed>>,
    /// In order.
    numbers: Vec<String>,
    /// By account. What was earned has no order: which payment was answered first is chance.
    credits: BTreeMap<String, Vec<Credit>>,
    /// By account and kind.
    notices: BTreeMap<(String, String), usize>,
    /// Of everybody, by kind.
    events: BTreeMap<String, i64>,
    /// What the provider says it took: how many charges, and how much.
    captured: (i64, i64),
}

impl Outcome {
    pub(crate) async fn of(town: &Town, db: &TestDatabase, operator: &Caller) -> Self {
        let mut outcome = Self {
            billed: BTreeMap::new(),
            numbers: Vec::new(),
            credits: BTreeMap::new(),
            notices: BTreeMap::new(),
            events: events(db).await,
            captured: captured(db).await,
        };
        for account in &town.accounts {
            outcome.read(operator, account).await;
        }
        outcome.numbers.sort();
        outcome
    }

    async fn read(&mut self, operator: &Caller, account: &str) {
        let parent = || account.to_owned();
        let request = ListInvoicesRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let invoices = operator.invoices().list_invoices(request).await.unwrap().into_inner().invoices;
        let request = ListPaymentsRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let payments = operator.payments().list_payments(request).await.unwrap().into_inner().payments;
        let request = ListDebtsRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let debts = operator.collection().list_debts(request).await.unwrap().into_inner().debts;
        let request = ListCreditsRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let credits = operator.credits().list_credits(request).await.unwrap().into_inner().credits;
        let request = ListNoticesRequest { parent: parent(), page_size: PAGE, ..Default::default() };
        let notices = operator.notices().list_notices(request).await.unwrap().into_inner().notices;

        for invoice in invoices {
            self.numbers.push(invoice.number.clone());
            let billed = Billed {
                payments: payments
                    .iter()
                    .filter(|paid| paid.reference == invoice.name)
                    .map(timeless_payment)
                    .collect(),
                debts: debts.iter().filter(|debt| debt.invoice == invoice.name).map(timeless_debt).collect(),
                invoice: timeless_invoice(&invoice),
            };
            self.billed.entry(invoice.project).or_default().push(billed);
        }
        let mut credits: Vec<Credit> = credits.iter().map(timeless_credit).collect();
        credits.sort_by_key(Message::encode_to_vec);
        self.credits.insert(account.to_owned(), credits);
        for notice in notices {
            *self.notices.entry((account.to_owned(), notice.kind)).or_default() += 1;
        }
    }

    /// R8.3: each project once, the numbers without a gap; each invoice paid at most once, and what the provider took
    /// is what was paid.
    pub(crate) fn say_sound(&self) {
        let numbers: Vec<String> =
            (1..=self.numbers.len()).map(|number| format!("FR-2027-{number:06}")).collect();
        assert_eq!(self.numbers, numbers);
        let mut paid = (0, 0);
        for (project, billed) in &self.billed {
            assert_eq!(billed.len(), 1, "{project}: {billed:#?}");
            let succeeded =
                billed[0].payments.iter().filter(|paid| paid.state() == payment::State::Succeeded);
            let succeeded: Vec<_> = succeeded.collect();
            assert!(succeeded.len() <= 1, "{project}: {billed:#?}");
            assert!(billed[0].debts.len() <= 1, "{project}: {billed:#?}");
            for payment in succeeded {
                let amount = payment.amount_incl_tax.as_ref().unwrap();
                paid = (paid.0 + 1, paid.1 + amount.units * 100 + i64::from(amount.nanos / 10_000_000));
            }
        }
        assert_eq!(self.captured, paid);
        assert!(paid.0 > 0 && self.billed.values().any(|billed| !billed[0].debts.is_empty()));
    }

    /// It is what `expected` is, project by project.
    pub(crate) fn say_same(&self, expected: &Self) {
        assert_eq!(self.billed.keys().collect::<Vec<_>>(), expected.billed.keys().collect::<Vec<_>>());
        for (project, billed) in &self.billed {
            assert_eq!(billed, &expected.billed[project], "{project}");
        }
        assert_eq!(self.numbers, expected.numbers);
        for (account, credits) in &self.credits {
            assert_eq!(credits, &expected.credits[account], "{account}");
        }
        assert_eq!(self.notices, expected.notices);
        assert_eq!(self.events, expected.events);
        assert_eq!(self.captured, expected.captured);
    }
}

fn timeless_invoice(invoice: &Invoice) -> Invoice {
    let has_payment = if invoice.payment.is_empty() { "" } else { "some" };
    Invoice {
        name: String::new(),
        number: String::new(),
        issue_time: None,
        pay_time: None,
        payment: has_payment.to_owned(),
        ..invoice.clone()
    }
}

fn timeless_payment(payment: &Payment) -> Payment {
    Payment {
        name: String::new(),
        reference: String::new(),
        create_time: None,
        settle_time: None,
        ..payment.clone()
    }
}

fn timeless_debt(debt: &Debt) -> Debt {
    Debt {
        name: String::new(),
        invoice: String::new(),
        open_time: None,
        next_step_time: None,
        ..debt.clone()
    }
}

/// What was earned is a lot of the invoice that was paid.
fn timeless_credit(credit: &Credit) -> Credit {
    if credit.origin() != florin_api::credit::v1::credit::Origin::Earning {
        return credit.clone();
    }
    Credit {
        name: String::new(),
        origin_reference: String::new(),
        issue_time: None,
        expire_time: None,
        ..credit.clone()
    }
}

async fn events(db: &TestDatabase) -> BTreeMap<String, i64> {
    let reader = db.connect().await;
    let text = "SELECT kind, CAST(COUNT(*) AS bigint) FROM event GROUP BY kind";
    let rows = reader.query_all_raw(sql(&reader, text, [])).await.unwrap();
    let read =
        |row: &sea_orm::QueryResult| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
    rows.iter().map(read).collect()
}

/// The sandbox's provider keeps books of its own.
async fn captured(db: &TestDatabase) -> (i64, i64) {
    let reader = db.connect().await;
    let text = "SELECT CAST(COUNT(*) AS bigint), CAST(COALESCE(SUM(amount), 0) AS bigint) \
                FROM sandbox_provider_charge WHERE state = 'CAPTURED'";
    let row = reader.query_one_raw(sql(&reader, text, [])).await.unwrap().unwrap();
    (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap())
}
