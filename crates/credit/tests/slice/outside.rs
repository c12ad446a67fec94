//! The outside world of this slice: a provider in memory, the slices above, and what listens to payments.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use florin_credit::{
    CreditOrder, GateView, OrderReversal, PortError, ProjectGate, ProjectId, SettlementHorizon, orders,
};
use florin_payment::{
    BoxError, Dispute, MethodKind, MoneyMoved, Outcomes, Payment, PaymentMethodId, Provider, RefundId,
    Settled,
    provider::{
        Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, Forget, GiveBack, News, Notice,
        NoticeRefused, ProviderUnknown, RawNotice, RefundOutcome, RefundReport, Register, Registration,
        Source,
    },
};
use florin_platform::{
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
};
use florin_settlement::Instant;

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Charges by what the token says: `declined` declines, `later` waits for the customer until
/// [`Bank::pass`], anything else succeeds.
#[derive(Debug, Default)]
pub(crate) struct Bank {
    charges: Mutex<HashMap<ChargeKey, ChargeOutcome>>,
    refunds: Mutex<HashSet<RefundId>>,
    refuses: AtomicBool,
    is_closed: AtomicBool,
}

impl Bank {
    /// The customer passes the check of every charge that waits for it.
    pub(crate) fn pass(&self) {
        for outcome in held(&self.charges).values_mut() {
            if matches!(outcome, ChargeOutcome::ActionRequired { .. }) {
                *outcome = ChargeOutcome::Succeeded;
            }
        }
    }

    /// Whether registered methods are declined from now on.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Nobody gets an answer from now on.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }

    fn open(&self) -> Result<(), ProviderUnknown> {
        if self.is_closed.load(Ordering::SeqCst) { Err(ProviderUnknown::new("closed")) } else { Ok(()) }
    }

    /// How many charges went back.
    pub(crate) fn refunded(&self) -> usize {
        held(&self.refunds).len()
    }
}

#[async_trait::async_trait]
impl Provider for Bank {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &[MethodKind::Card],
            refundable: &[MethodKind::Card],
            approved_apart: &[MethodKind::Card],
            news: News::Asked,
            statement_characters_max: 22,
        }
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        self.open()?;
        Ok((token != "unknown").then_some(MethodKind::Card))
    }

    async fn register(&self, _: &Register) -> Result<Registration, ProviderUnknown> {
        Err(ProviderUnknown::new("not part of these tests"))
    }

    async fn registration(
        &self,
        _: &Register,
        _: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        Ok(None)
    }

    async fn forget(&self, _: &Forget) -> Result<(), ProviderUnknown> {
        Ok(())
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        let outcome = match &charge.source {
            Source::OneOffCard { token } if token == "declined" => {
                ChargeOutcome::DeclinedSoft { code: "insufficient_funds".to_owned() }
            }
            Source::OneOffCard { token } if token == "later" => {
                ChargeOutcome::ActionRequired { url: "https://bank.example.com/3ds".to_owned() }
            }
            Source::Registered { .. } if self.refuses.load(Ordering::SeqCst) => {
                ChargeOutcome::DeclinedSoft { code: "insufficient_funds".to_owned() }
            }
            Source::OneOffCard { .. } | Source::Registered { .. } => ChargeOutcome::Succeeded,
        };
        Ok(report(held(&self.charges).entry(charge.key).or_insert(outcome).clone()))
    }

    async fn fetch(&self, charge: &Charge, _: Option<&str>) -> Result<Option<ChargeReport>, ProviderUnknown> {
        Ok(held(&self.charges).get(&charge.key).cloned().map(report))
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        held(&self.refunds).insert(refund.key);
        Ok(RefundReport { reference: None, outcome: RefundOutcome::Done })
    }

    async fn fetch_refund(
        &self,
        _: &GiveBack,
        _: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        Ok(None)
    }

    async fn read_notice(&self, _: &RawNotice, _: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        Err(NoticeRefused::NotPushed)
    }
}

fn report(outcome: ChargeOutcome) -> ChargeReport {
    ChargeReport { reference: None, outcome, disputes: Vec::new() }
}

/// What the slice that owns invoices does with the outcome of an order's payment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Till(pub(crate) Arc<Projects>);

#[async_trait::async_trait]
impl Outcomes for Till {
    async fn money_moved(&self, _: &Tx, _: Instant, _: &Payment, _: MoneyMoved<'_>) -> Result<(), BoxError> {
        Ok(())
    }

    async fn settled(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        payment: &Payment,
    ) -> Result<Settled, BoxError> {
        let (account, order) = orders::of_reference(&payment.reference).ok_or("not an order")?;
        Ok(match orders::paid(tx, at, call, &*self.0, (account, order), payment).await? {
            orders::PaidOrder::Issued(..)
            | orders::PaidOrder::Deferred(_)
            | orders::PaidOrder::Already(_) => Settled::Accepted,
            orders::PaidOrder::NotPayable => Settled::Unwanted,
        })
    }

    async fn failed(&self, tx: &Tx, at: Instant, call: &Call, payment: &Payment) -> Result<(), BoxError> {
        let (account, order) = orders::of_reference(&payment.reference).ok_or("not an order")?;
        orders::payment_failed(tx, at, call, account, order, payment).await?;
        Ok(())
    }

    async fn disputed(&self, _: &Tx, _: Instant, _: &Call, _: &Payment, _: &Dispute) -> Result<(), BoxError> {
        Ok(())
    }

    async fn dispute_won(
        &self,
        _: &Tx,
        _: Instant,
        _: &Call,
        _: &Payment,
        _: &Dispute,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    async fn method_valid(
        &self,
        _: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        _: PaymentMethodId,
    ) -> Result<(), BoxError> {
        Ok(())
    }

    async fn method_refused(
        &self,
        _: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        _: PaymentMethodId,
    ) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Projects as the tests want them, and what was told of them.
#[derive(Debug, Default)]
pub(crate) struct Projects {
    views: Mutex<HashMap<ProjectId, (AccountId, GateView)>>,
    told: Mutex<Vec<String>>,
}

impl Projects {
    pub(crate) fn set(&self, account: AccountId, project: ProjectId, view: GateView) {
        held(&self.views).insert(project, (account, view));
    }

    /// `funded` and `unfunded`, in order.
    pub(crate) fn told(&self) -> Vec<String> {
        held(&self.told).clone()
    }
}

#[async_trait::async_trait]
impl ProjectGate for Projects {
    async fn project(
        &self,
        _: Reader<'_>,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<GateView>, PortError> {
        let found = held(&self.views).get(&project).copied();
        Ok(found.filter(|(owner, _)| *owner == account).map(|(_, view)| view))
    }

    async fn is_funded(&self, _: Reader<'_>, _: AccountId) -> Result<bool, PortError> {
        Ok(false)
    }

    async fn funded(
        &self,
        _: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        project: Option<ProjectId>,
    ) -> Result<(), PortError> {
        held(&self.told).push(if project.is_some() { "funded".to_owned() } else { "all funded".to_owned() });
        Ok(())
    }

    async fn unfunded(
        &self,
        _: &Tx,
        _: Instant,
        _: &Call,
        _: AccountId,
        _: ProjectId,
    ) -> Result<(), PortError> {
        held(&self.told).push("unfunded".to_owned());
        Ok(())
    }
}

/// The settlement instant from which on every account has an unissued invoice, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Unissued(Mutex<Option<Instant>>);

impl Unissued {
    pub(crate) fn since(&self, settlement: Option<Instant>) {
        *held(&self.0) = settlement;
    }
}

#[async_trait::async_trait]
impl SettlementHorizon for Unissued {
    async fn unissued_since(
        &self,
        _: &Tx,
        _: Instant,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Instant>, PortError> {
        let since = *held(&self.0);
        Ok(since.map(|since| accounts.iter().map(|account| (*account, since)).collect()).unwrap_or_default())
    }
}

/// The orders that were withdrawn from, by number.
#[derive(Debug, Default)]
pub(crate) struct Reversals(Mutex<Vec<String>>);

impl Reversals {
    pub(crate) fn told(&self) -> Vec<String> {
        held(&self.0).clone()
    }
}

#[async_trait::async_trait]
impl OrderReversal for Reversals {
    async fn withdrawn(&self, _: &Tx, _: Instant, _: &Call, order: &CreditOrder) -> Result<(), PortError> {
        held(&self.0).push(order.number.clone());
        Ok(())
    }
}
