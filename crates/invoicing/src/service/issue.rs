//! Issuing: from drafts to invoices, in one transaction, set by set.
//!
//! | taken | in which order | why |
//! |---|---|---|
//! | the accounts' lock rows | before anything is read, by the caller | two settlements of an account never overlap (R7.7) |
//! | lots | [`florin_credit::lots::debit`], with the plans | only a plan debits a lot (R7.6) |
//! | what fell due in advance | noted as billed, with the invoice that bills it | never twice (R5.3) |
//! | payments | begun here, together, driven after the commit | no network inside a transaction |
//! | the books | by [`ledger::post`], in one set | every movement in the transaction of its fact (R14.3) |
//! | the series | last, a block for the batch | gapless, without a lock storm (R8.3) |
//!
//! However many drafts there are, each table is written once, and the rows of one are made ready while the database
//! takes those of another. What needs the number comes after it and nothing else does: the series is held for as short as
//! can be.
//!
//! Every kind of document is issued here (R8.1). Exactly once: an invoice per project and month, per order,
//! per charge in advance, and per project's end is also a unique key; the caller has looked, under the lock.

use std::{collections::BTreeMap, iter};

use florin_account::{Account, Issuer};
use florin_payment::{Initiator, Means, NewPayment, PaymentId, payment_name};
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    notice,
    outbox::{self, Fact},
    wire::{account_name, child_name, money},
};
use florin_project::AdvanceBilled;
use florin_settlement::Instant;

use super::{debts, ledger};
use crate::{
    domain::{
        billing_run::BillingRunId,
        debt::{Debt, DebtCause},
        draft::InvoiceDraft,
        invoice::{Content, InvoiceId, InvoiceKind, invoice_name},
        money::{MoneyKind, Posting},
        number::{Numbered, Series},
        standing::Standing,
    },
    error::Error,
    events::{DebtOpened, InvoiceIssued, InvoicePaid},
    notices,
    store::{self, invoice::NewInvoice},
};

/// How what remains is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collection {
    /// From the account's default method (R9.1).
    DefaultMethod,
    /// It was, by this payment.
    PaidBy(PaymentId),
}

/// Drafts to issue together.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    /// Whose series numbers them.
    pub(crate) issuer: &'a Issuer,
    /// Which of its series.
    pub(crate) kind: InvoiceKind,
    /// The run they belong to, if they do.
    pub(crate) run: Option<BillingRunId>,
    /// Their accounts, locked.
    pub(crate) accounts: &'a BTreeMap<AccountId, Account>,
    /// In the order of their numbers; each with something due.
    pub(crate) drafts: &'a [InvoiceDraft],
    /// How what remains is paid.
    pub(crate) collection: Collection,
}

/// An invoice that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    pub(crate) account: AccountId,
    pub(crate) id: InvoiceId,
    /// The payment to drive once the transaction is committed.
    pub(crate) to_drive: Option<PaymentId>,
}

struct Ready<'a> {
    id: InvoiceId,
    name: String,
    draft: &'a InvoiceDraft,
    standing: Standing,
}

impl Ready<'_> {
    fn content(&self) -> &Content {
        &self.draft.content
    }

    fn owner(&self) -> AccountId {
        self.draft.content.account
    }
}

/// Issues the drafts of `batch` at `at`: lots debited, payments begun, everything written.
pub(crate) async fn issue(
    tx: &Tx,
    at: Instant,
    call: &Call,
    batch: &Batch<'_>,
) -> Result<Vec<Issued>, Error> {
    let ready = collected(tx, at, call, batch).await?;
    tokio::try_join!(book(tx, at, &ready, batch.collection), write(tx, at, call, &ready))?;
    number(tx, at, batch, &ready).await?;
    Ok(ready.iter().map(|ready| issued(ready, batch.collection)).collect())
}

/// Takes from the lots and posts to the books, one after the other: both lengthen the accounts' chains.
async fn book(tx: &Tx, at: Instant, ready: &[Ready<'_>], collection: Collection) -> Result<(), Error> {
    let debits = ready.iter().map(|ready| (ready.owner(), ready.name.clone(), ready.draft.plan.clone()));
    florin_credit::lots::debit(tx, at, &debits.collect::<Vec<_>>()).await?;
    ledger::post(tx, at, ready.iter().flat_map(|ready| postings(ready, at, collection))).await
}

/// Writes what needs no number.
async fn write(tx: &Tx, at: Instant, call: &Call, ready: &[Ready<'_>]) -> Result<(), Error> {
    let parts = ready.iter().map(|ready| (ready.id, ready.draft)).collect::<Vec<_>>();
    let standings = ready.iter().map(|ready| (ready.owner(), ready.id, ready.standing)).collect::<Vec<_>>();
    let debts = ready.iter().filter_map(|ready| debt(ready, at)).collect::<Vec<_>>();
    let names = ready.iter().map(|ready| (ready.owner(), ready.name.as_str())).collect::<Vec<_>>();
    let billed = ready.iter().filter_map(billed_in_advance).collect::<Vec<_>>();
    tokio::try_join!(
        store::document::insert_parts(tx, &parts),
        store::standing::insert(tx, at, &standings),
        debts::insert(tx, &debts),
        audit::record_many(tx, at, call, &names),
        florin_project::advance::bill(tx, at, &billed),
    )?;
    Ok(())
}

/// What an invoice does to the books; one that was paid before it was issued is paid at once.
fn postings(ready: &Ready<'_>, at: Instant, collection: Collection) -> Vec<Posting> {
    let mut postings = Posting::of_invoice(ready.content(), &ready.name);
    match collection {
        Collection::DefaultMethod => {}
        Collection::PaidBy(_) => {
            let amount = ready.content().totals.amount_incl_tax;
            postings.extend(Posting::of(ready.owner(), MoneyKind::Applied, amount, at, &ready.name));
        }
    }
    postings
}

/// What an invoice says to bill of what fell due in advance: its draft had all of it ([`super::settle`]).
fn billed_in_advance(ready: &Ready<'_>) -> Option<AdvanceBilled> {
    let (account, project) = (ready.owner(), ready.content().project);
    let until = ready.draft.advance_until?;
    Some(AdvanceBilled { account, project, until, invoice: ready.id.uuid() })
}

fn issued(ready: &Ready<'_>, collection: Collection) -> Issued {
    let to_drive = match collection {
        Collection::DefaultMethod => ready.standing.payment(),
        Collection::PaidBy(_) => None,
    };
    Issued { account: ready.owner(), id: ready.id, to_drive }
}

/// Issues one document of the account of `draft`, which is locked, in between two runs; none if there is
/// nothing due (R8.1). What it returns is driven after the commit.
pub(crate) async fn issue_one(
    tx: &Tx,
    at: Instant,
    call: &Call,
    draft: InvoiceDraft,
    collection: Collection,
) -> Result<Option<Issued>, Error> {
    if draft.is_nothing_due() {
        return Ok(None);
    }
    let owner = draft.content.account;
    let missing = || Error::NotFound(account_name(owner));
    let account = florin_account::find(tx, owner).await?.ok_or_else(missing)?;
    let issuer = florin_account::issuer(tx, &draft.content.issuer)
        .await?
        .ok_or_else(|| Error::NotFound(format!("issuers/{}", draft.content.issuer)))?;
    let batch = Batch {
        issuer: &issuer,
        kind: draft.content.occasion.kind(),
        run: None,
        accounts: &BTreeMap::from([(owner, account)]),
        drafts: &[draft],
        collection,
    };
    Ok(issue(tx, at, call, &batch).await?.pop())
}

/// Begins the payments and decides where each invoice stands.
async fn collected<'a>(
    tx: &Tx,
    at: Instant,
    call: &Call,
    batch: &'a Batch<'a>,
) -> Result<Vec<Ready<'a>>, Error> {
    let mut ready = Vec::with_capacity(batch.drafts.len());
    for draft in batch.drafts {
        let id = InvoiceId::generate(at);
        let name = invoice_name(draft.content.account, id);
        let standing = match batch.collection {
            Collection::PaidBy(payment) => Standing::Paid { payment: Some(payment), at },
            Collection::DefaultMethod => Standing::first(draft.content.totals.amount_incl_tax, None, at),
        };
        ready.push(Ready { id, name, draft, standing });
    }
    match batch.collection {
        Collection::PaidBy(_) => {}
        Collection::DefaultMethod => begin(tx, at, call, &mut ready).await?,
    }
    Ok(ready)
}

/// Begins the payments of what is to be paid from the default methods. Without one, or with one that may not pay,
/// the invoice is a debt (R9.1).
async fn begin(tx: &Tx, at: Instant, call: &Call, ready: &mut [Ready<'_>]) -> Result<(), Error> {
    use florin_payment::Error as Refused;
    let to_pay = |ready: &&mut Ready<'_>| ready.content().totals.amount_incl_tax.is_positive();
    let mut owners = ready.iter_mut().filter(to_pay).map(|ready| ready.owner()).collect::<Vec<_>>();
    owners.dedup();
    if owners.is_empty() {
        return Ok(());
    }
    let methods = florin_payment::default_methods(tx, &owners).await?;
    let methods: BTreeMap<AccountId, _> =
        methods.into_iter().map(|method| (method.account, method.id)).collect();
    let (mut paying, mut new) = (Vec::new(), Vec::new());
    for ready in ready.iter_mut().filter(to_pay) {
        let Some(method) = methods.get(&ready.owner()) else { continue };
        let payment = NewPayment {
            amount: ready.content().totals.amount_incl_tax,
            reference: ready.name.clone(),
            means: Means::Method(*method),
            initiator: Initiator::Merchant,
        };
        new.push((ready.owner(), payment));
        paying.push(ready);
    }
    let begun = florin_payment::begin_many(tx, at, call, new).await?;
    for (ready, begun) in paying.into_iter().zip(begun) {
        let payment = match begun {
            Ok(payment) => Some(payment),
            Err(
                Refused::FirstPaymentNeedsCard
                | Refused::MethodNotValid { .. }
                | Refused::AttemptsLimited { .. },
            ) => None,
            Err(error) => return Err(error.into()),
        };
        ready.standing = Standing::first(ready.content().totals.amount_incl_tax, payment, at);
    }
    Ok(())
}

fn debt(ready: &Ready<'_>, at: Instant) -> Option<Debt> {
    match ready.standing {
        Standing::Overdue { .. } => {
            let amount = ready.content().totals.amount_incl_tax;
            Some(Debt::open(ready.owner(), ready.id, amount, DebtCause::NoMethod, at))
        }
        Standing::Issued | Standing::Collecting { .. } | Standing::Paid { .. } | Standing::WrittenOff => None,
    }
}

/// Takes the numbers and writes what carries them: the invoices, their events and notices.
async fn number(tx: &Tx, at: Instant, batch: &Batch<'_>, ready: &[Ready<'_>]) -> Result<(), Error> {
    if ready.is_empty() {
        return Ok(());
    }
    let parties = store::parties::keep(tx, at, batch.issuer, batch.accounts.values()).await?;
    let series = |ready: &&Ready<'_>| batch.accounts.get(&ready.owner()).map(|account| account.series);
    let mut ready: Vec<&Ready<'_>> = ready.iter().collect();
    // Whoever takes numbers of several series takes them in one order; a batch of a run needs those of one.
    ready.sort_by_key(series);
    let mut invoices = Vec::with_capacity(ready.len());
    let mut numbered = Vec::with_capacity(ready.len());
    for of_series in ready.chunk_by(|one, next| series(one) == series(next)) {
        let count = i64::try_from(of_series.len()).unwrap_or(i64::MAX);
        let ordinal = of_series.first().and_then(series).unwrap_or_default();
        let series = Series::of(&batch.issuer.series_prefix, ordinal, batch.kind);
        let block = store::number::take(tx, &batch.issuer.id, series, count, at).await?;
        for (ready, number) in of_series.iter().zip(block.numbers()) {
            invoices.push(NewInvoice {
                id: ready.id,
                number: number.text(),
                issued: block.issued,
                run: batch.run,
                parties: *parties
                    .get(&ready.owner())
                    .ok_or_else(|| Error::NotFound(account_name(ready.owner())))?,
                content: ready.content(),
            });
            numbered.push(Numbered { number, account: ready.owner(), document: ready.id.uuid() });
        }
    }
    let (mut facts, mut told) = (Vec::with_capacity(2 * ready.len()), Vec::with_capacity(ready.len()));
    for (ready, invoice) in ready.iter().zip(&invoices) {
        facts.extend(self::facts(ready, &invoice.number));
        let account = batch.accounts.get(&ready.owner());
        told.extend(account.map(|account| {
            (account.id, notices::issued(account, &invoice.number, ready.content(), ready.standing))
        }));
    }
    tokio::try_join!(
        store::invoice::insert(tx, &invoices),
        store::number::assign(tx, &numbered),
        outbox::append_many(tx, at, facts),
        notice::raise_many(tx, at, told),
    )?;
    Ok(())
}

/// What there is to tell of an invoice: that it was issued, and what became of it at once.
fn facts(ready: &Ready<'_>, number: &str) -> impl Iterator<Item = Fact> {
    let (owner, content) = (ready.owner(), ready.content());
    let totals = content.totals;
    let payment = ready.standing.payment().map(|payment| payment_name(owner, payment)).unwrap_or_default();
    let amount_incl_tax = Some(money(totals.amount_incl_tax));
    let issued = InvoiceIssued {
        invoice: ready.name.clone(),
        number: number.to_owned(),
        project: child_name(owner, "projects", content.project),
        net_total: Some(money(totals.net_total)),
        credit_applied: Some(money(totals.credit_applied)),
        tax_total: Some(money(totals.tax_total)),
        amount_incl_tax: amount_incl_tax.clone(),
    };
    let invoice = ready.name.clone();
    let at_once = match ready.standing {
        Standing::Paid { .. } => Some(Fact::new(owner, &InvoicePaid { invoice, amount_incl_tax, payment })),
        Standing::Overdue { .. } => Some(Fact::new(owner, &DebtOpened { invoice, amount_incl_tax, payment })),
        Standing::Issued | Standing::Collecting { .. } | Standing::WrittenOff => None,
    };
    iter::once(Fact::new(owner, &issued)).chain(at_once)
}
