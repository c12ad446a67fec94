//! Taking the steps of dunning that are due (R9.1, R9.2): account by account, each step once.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the accounts of a batch, first, in order |
//! | what makes a step happen once | the plan is read again under the lock and moves with the step |
//! | may a pending payment be overtaken | no: before projects are touched, what is on its way is looked at |
//! | who moves money | nobody in the transaction: payments begin there and are driven after the commit |
//! | one account that fails | the batch is tried again account by account; the bad one is put off for an hour |

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use florin_account::Account;
use florin_payment::{
    Initiator, Means, NewPayment, Payment, PaymentId, PaymentMethodId, PaymentState, Payments,
};
use florin_platform::{Platform, call::Call, db::Tx, id::AccountId, notice, wire::parse_child};
use florin_settlement::Instant;

use super::debts;
use crate::{
    domain::{
        debt::Debt,
        dunning::{Dunning, DunningRules, Hold, NextStep, Step},
        invoice::{INVOICES, InvoiceId, invoice_name},
        standing::Standing,
    },
    error::Error,
    notices,
    store::{self, dunning::Planned},
};

/// How many accounts a transaction takes.
const BATCH: usize = 20;
/// How long what could not be done is put off.
const PUT_OFF: Duration = Duration::from_secs(3600);
/// When a payment without an answer is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(15 * 60);

/// Collects debts over one platform, through one [`Payments`], under one set of rules.
#[derive(Clone, Debug)]
pub struct Dunnings {
    platform: Platform,
    payments: Payments,
    rules: Arc<DunningRules>,
}

/// Payments to drive once the batch is committed.
type ToDrive = Vec<(AccountId, PaymentId)>;

impl Dunnings {
    /// Dunning of debts kept in `platform`, by `rules`, retried through `payments`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments, rules: DunningRules) -> Self {
        Self { platform, payments, rules: Arc::new(rules) }
    }

    /// When the next step is due.
    pub(crate) async fn next_due(&self) -> Result<Option<Instant>, Error> {
        let reader = self.platform.db.reader();
        let dues =
            [store::dunning::next_due(reader).await?, store::debt_settlement::next_over(reader).await?];
        Ok(dues.into_iter().flatten().min())
    }

    /// Takes what is due of at most `limit` accounts; of how many it did.
    pub(crate) async fn run(&self, call: &Call, limit: u32) -> Result<u32, Error> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let mut done = 0_u32;
        for settlement in store::debt_settlement::over(reader, now, limit).await? {
            let lapse = |tx: Tx| async move { super::pay::lapse(&tx, now, settlement).await };
            self.platform.db.write(lapse).await?;
            done = done.saturating_add(1);
        }
        let mut accounts = store::dunning::due(reader, now, limit).await?;
        accounts.sort_unstable();
        for batch in accounts.chunks(BATCH) {
            match self.take(call, batch).await {
                Ok(()) => {}
                Err(error) if error.is_passing() => return Err(error),
                Err(_) => self.one_by_one(call, batch).await?,
            }
            done = done.saturating_add(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        }
        Ok(done)
    }

    async fn one_by_one(&self, call: &Call, accounts: &[AccountId]) -> Result<(), Error> {
        for account in accounts {
            let Err(error) = self.take(call, &[*account]).await else { continue };
            if error.is_passing() {
                return Err(error);
            }
            tracing::error!(%account, error = &error as &dyn std::error::Error, "dunning is put off");
            let clock = self.platform.clock;
            let put_off = |tx: Tx| async move {
                florin_account::lock(&tx, &[*account]).await?;
                let now = clock.now(&tx).await?;
                store::dunning::look_again(&tx, *account, now.plus(PUT_OFF)).await
            };
            self.platform.db.write(put_off).await?;
        }
        Ok(())
    }

    async fn take(&self, call: &Call, accounts: &[AccountId]) -> Result<(), Error> {
        let (clock, rules) = (self.platform.clock, &*self.rules);
        let steps = |tx: Tx| async move {
            florin_account::lock(&tx, accounts).await?;
            let at = clock.now(&tx).await?;
            Steps::read(&tx, at, call, rules, accounts).await?.take().await
        };
        let to_drive: ToDrive = self.platform.db.write(steps).await?;
        for (account, payment) in to_drive {
            match self.payments.drive(call, account, payment).await {
                Ok(payment) => after_drive(&self.platform, &payment).await?,
                Err(error) => {
                    tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
                }
            }
        }
        Ok(())
    }
}

/// The clock of a debt stands still while the bank takes its days. Cut off before it could be said, it is said when
/// the next step finds the payment on its way. Of an action that is needed the customer is told by the payment itself.
pub(crate) async fn after_drive(platform: &Platform, payment: &Payment) -> Result<(), Error> {
    let Ok((owner, invoice)) = parse_child(INVOICES, &payment.reference) else { return Ok(()) };
    match &payment.state {
        PaymentState::Scheduled(_) | PaymentState::Pending(_) => {
            let pause = |tx: Tx| async move {
                florin_account::lock(&tx, &[owner]).await?;
                pause(&tx, owner, invoice, payment.created).await
            };
            platform.db.write(pause).await
        }
        PaymentState::Processing(_)
        | PaymentState::ActionRequired { .. }
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => Ok(()),
    }
}

/// A payment of the invoice is pending since `since`: the clock of its debt stands still.
pub(crate) async fn pause(
    tx: &Tx,
    account: AccountId,
    invoice: InvoiceId,
    since: Instant,
) -> Result<(), Error> {
    let Some(debt) = store::debt::open_of(tx, account, invoice).await? else { return Ok(()) };
    let Some(planned) = store::dunning::find(tx, account, debt.id).await? else { return Ok(()) };
    let next = planned.next.map(|next| NextStep { at: None, ..next });
    store::dunning::save(tx, &Planned { dunning: planned.dunning.paused(since), next, ..planned }).await?;
    Ok(())
}

/// One batch of steps: everything it needs, read once.
struct Steps<'s> {
    tx: &'s Tx,
    at: Instant,
    call: &'s Call,
    rules: &'s DunningRules,
    debts: Vec<Debt>,
    planned: BTreeMap<(AccountId, crate::DebtId), Planned>,
    held: HashSet<AccountId>,
    accounts: BTreeMap<AccountId, Account>,
    defaults: BTreeMap<AccountId, PaymentMethodId>,
    suspended: BTreeSet<AccountId>,
    deleted: BTreeSet<AccountId>,
    begun: ToDrive,
}

impl<'s> Steps<'s> {
    async fn read(
        tx: &'s Tx,
        at: Instant,
        call: &'s Call,
        rules: &'s DunningRules,
        accounts: &[AccountId],
    ) -> Result<Self, Error> {
        let planned = store::dunning::of_accounts(tx, accounts).await?;
        let owners = florin_account::find_many(tx, accounts).await?;
        let defaults = florin_payment::default_methods(tx, accounts).await?;
        Ok(Self {
            tx,
            at,
            call,
            rules,
            debts: store::debt::open_of_accounts(tx, accounts).await?,
            planned: planned.into_iter().map(|row| ((row.account, row.debt), row)).collect(),
            held: store::dunning::held(tx, accounts).await?,
            accounts: owners.into_iter().map(|account| (account.id, account)).collect(),
            defaults: defaults.into_iter().map(|method| (method.account, method.id)).collect(),
            suspended: BTreeSet::new(),
            deleted: BTreeSet::new(),
            begun: ToDrive::new(),
        })
    }

    async fn take(mut self) -> Result<ToDrive, Error> {
        for debt in std::mem::take(&mut self.debts) {
            let Some(planned) = self.planned.get(&(debt.account, debt.id)).copied() else { continue };
            if planned.next.and_then(|next| next.at).is_some_and(|due| due <= self.at) {
                self.advance(&debt, planned).await?;
            }
        }
        // Projects last, account by account: several debts of an account suspend them once.
        let suspended = self.suspended.iter().copied().collect::<Vec<_>>();
        florin_project::suspend_all_of(self.tx, self.at, self.call, &suspended).await?;
        let deleted = self.deleted.iter().copied().collect::<Vec<_>>();
        florin_project::begin_dunning_deletion(self.tx, self.at, self.call, &deleted).await?;
        Ok(self.begun)
    }

    /// Takes the steps of one debt that are due, and plans the next.
    async fn advance(&mut self, debt: &Debt, planned: Planned) -> Result<(), Error> {
        let hold = if self.held.contains(&debt.account) { Hold::Held } else { Hold::Free };
        let mut dunning = planned.dunning;
        let next = loop {
            let next = dunning.next(self.rules, hold);
            let Some(NextStep { step, at: Some(due) }) = next else { break next };
            if due > self.at {
                break next;
            }
            match self.step(debt, &mut dunning, step).await? {
                Taken::Done => dunning = dunning.took(step, self.at, self.rules),
                Taken::Begun => {
                    dunning = dunning.took(step, self.at, self.rules);
                    let next = dunning.next(self.rules, hold);
                    let later = self.at.plus(LOOK_AGAIN);
                    break next.map(|next| NextStep { at: next.at.map(|at| at.max(later)), ..next });
                }
                Taken::Waits => {
                    break Some(NextStep { step, at: Some(self.at.plus(LOOK_AGAIN)) });
                }
                Taken::Paused => break dunning.next(self.rules, hold),
            }
        };
        store::dunning::save(self.tx, &Planned { dunning, next, ..planned }).await?;
        Ok(())
    }

    async fn step(&mut self, debt: &Debt, dunning: &mut Dunning, step: Step) -> Result<Taken, Error> {
        let warns = matches!(step, Step::WarnOfSuspension | Step::WarnOfDeletion);
        if warns && let Some(payment) = debts::on_its_way(self.tx, debt).await? {
            // Nobody is warned of what will not happen; an answer that may come at once is no reason to wait.
            if let paused @ Taken::Paused = waits_for(&payment, dunning) {
                return Ok(paused);
            }
        }
        match step {
            Step::Tell => {
                let told = Dunning { untold: None, ..*dunning };
                self.tell(debt, |account, number, amount| {
                    notices::owed(account, number, amount, told.next(self.rules, Hold::Free))
                })
                .await
            }
            Step::WarnOfSuspension => {
                let at = dunning.clock.plus_days(self.rules.suspend_after_days);
                self.tell(debt, |account, number, amount| {
                    notices::suspension_ahead(account, number, amount, at)
                })
                .await
            }
            Step::WarnOfDeletion => {
                let day = dunning.clock.plus_days(self.rules.delete_after_days);
                let at = day.max(self.at.plus_days(self.rules.deletion_warning_days));
                self.tell(debt, |account, number, amount| {
                    notices::deletion_ahead(account, number, amount, at)
                })
                .await
            }
            Step::Retry => match self.defaults.get(&debt.account).copied() {
                Some(method) => self.begin(debt, dunning, method).await,
                None => {
                    dunning.retryable = false;
                    Ok(Taken::Done)
                }
            },
            Step::TryOthers => match self.other_method(debt).await? {
                Some(method) => self.begin(debt, dunning, method).await,
                None => Ok(Taken::Done),
            },
            Step::Suspend | Step::Delete => self.touch_projects(debt, dunning, step).await,
        }
    }

    async fn tell(
        &self,
        debt: &Debt,
        text: impl Fn(&Account, &str, florin_settlement::Money) -> notice::Notice,
    ) -> Result<Taken, Error> {
        let invoice = store::invoice::find(self.tx, debt.account, debt.invoice).await?;
        if let (Some(account), Some(invoice)) = (self.accounts.get(&debt.account), invoice) {
            let told = text(account, &invoice.number, debt.owed()?);
            notice::raise(self.tx, self.at, debt.account, &told).await?;
        }
        Ok(Taken::Done)
    }

    async fn begin(
        &mut self,
        debt: &Debt,
        dunning: &mut Dunning,
        method: PaymentMethodId,
    ) -> Result<Taken, Error> {
        use florin_payment::Error as Refused;
        if let Some(other) = debts::on_its_way(self.tx, debt).await? {
            return Ok(waits_for(&other, dunning));
        }
        let new = NewPayment {
            amount: debt.owed()?,
            reference: invoice_name(debt.account, debt.invoice),
            means: Means::Method(method),
            initiator: Initiator::Merchant,
        };
        match florin_payment::begin(self.tx, self.at, self.call, debt.account, new).await {
            Ok(payment) => {
                let standing = Standing::Overdue { payment: Some(payment) };
                store::standing::save(self.tx, self.at, debt.account, debt.invoice, standing).await?;
                self.begun.push((debt.account, payment));
                Ok(Taken::Begun)
            }
            Err(Refused::FirstPaymentNeedsCard | Refused::MethodNotValid { .. }) => {
                dunning.retryable = false;
                Ok(Taken::Done)
            }
            Err(Refused::AttemptsLimited { .. }) => Ok(Taken::Waits),
            Err(error) => Err(error.into()),
        }
    }

    /// The first VALID method in the customer's order that has not been tried for this invoice, if the customer
    /// allowed it (R9.1).
    async fn other_method(&self, debt: &Debt) -> Result<Option<PaymentMethodId>, Error> {
        debts::other_method(self.tx, debt.account, debt.invoice).await
    }

    async fn touch_projects(
        &mut self,
        debt: &Debt,
        dunning: &mut Dunning,
        step: Step,
    ) -> Result<Taken, Error> {
        if let Some(payment) = debts::on_its_way(self.tx, debt).await? {
            return Ok(waits_for(&payment, dunning));
        }
        let ended = if step == Step::Suspend { &mut self.suspended } else { &mut self.deleted };
        ended.insert(debt.account);
        Ok(Taken::Done)
    }
}

/// What became of a step.
enum Taken {
    /// It is taken.
    Done,
    /// A payment was begun; its outcome says what follows.
    Begun,
    /// A payment without an answer is in the way: later.
    Waits,
    /// A pending payment stops the clock.
    Paused,
}

fn waits_for(payment: &Payment, dunning: &mut Dunning) -> Taken {
    match payment.state {
        PaymentState::Scheduled(_) | PaymentState::Pending(_) => {
            *dunning = dunning.paused(payment.created);
            Taken::Paused
        }
        PaymentState::Processing(_)
        | PaymentState::ActionRequired { .. }
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => Taken::Waits,
    }
}
