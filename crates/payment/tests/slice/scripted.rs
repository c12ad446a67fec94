//! A provider in memory: does what its tokens say, counts what it did, and can lose its connection.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use florin_payment::{
    CardExpiry, CustomerDecisions, Decided, Decision, Finality, MethodDetails, MethodKind, Provider,
    RefundId,
    provider::{
        Charge, ChargeKey, ChargeOutcome, GiveBack, MethodKey, ProviderUnknown, RefundOutcome, Register,
        Registration, Source,
        contract::{self, Script},
    },
};
use florin_platform::{
    db::{Db, sql},
    id::AccountId,
};
use florin_settlement::{Currency, Instant, Money};
use sea_orm::{ConnectionTrait, DbBackend};

/// How well the network works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Network {
    #[default]
    Up,
    /// Nothing arrives.
    Down,
    /// Everything arrives; the answer to what changes something does not come back.
    AnswersLost,
}

#[derive(Debug, Default)]
struct Memory {
    network: Network,
    methods: HashMap<MethodKey, (String, Registration)>,
    charges: HashMap<ChargeKey, (ChargeOutcome, i64)>,
    refunds: HashMap<RefundId, RefundOutcome>,
    calls: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    memory: Mutex<Memory>,
    /// When set, every call proves first that no transaction is open on it.
    watched: Option<Db>,
}

impl Scripted {
    pub(crate) fn watching(db: &Db) -> Self {
        Self { watched: Some(db.clone()), ..Self::default() }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn network(&self, network: Network) {
        self.memory().network = network;
    }

    /// How many charges took money.
    pub(crate) fn captured(&self) -> usize {
        self.memory().charges.values().filter(|(outcome, _)| *outcome == ChargeOutcome::Succeeded).count()
    }

    pub(crate) fn charges(&self) -> usize {
        self.memory().charges.len()
    }

    pub(crate) fn refunds(&self) -> usize {
        self.memory().refunds.len()
    }

    pub(crate) fn calls(&self) -> u32 {
        self.memory().calls
    }

    async fn arrive(&self) -> Result<(), ProviderUnknown> {
        if let Some(db) = &self.watched {
            no_transaction_is_open(db).await;
        }
        let mut memory = self.memory();
        memory.calls += 1;
        match memory.network {
            Network::Up | Network::AnswersLost => Ok(()),
            Network::Down => Err(ProviderUnknown::new("connection refused")),
        }
    }

    fn answer<T>(&self, answer: T) -> Result<T, ProviderUnknown> {
        match self.memory().network {
            Network::Up => Ok(answer),
            Network::Down | Network::AnswersLost => Err(ProviderUnknown::new("connection reset")),
        }
    }
}

/// SQLite has one writer: whoever can begin at once is alone. PostgreSQL is asked who is inside.
async fn no_transaction_is_open(db: &Db) {
    if db.backend() == DbBackend::Postgres {
        let text = "SELECT CAST(count(*) AS bigint) FROM pg_stat_activity \
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let row =
            db.reader().query_one_raw(sql(db.reader(), text, [])).await.expect("a query").expect("a row");
        let open: i64 = row.try_get_by_index(0).expect("a count");
        assert_eq!(open, 0, "a transaction is open while the provider is called");
    } else {
        let begun = tokio::time::timeout(Duration::from_secs(2), db.begin_write()).await;
        let tx = begun.expect("a transaction is open while the provider is called").expect("it can begin");
        tx.rollback().await;
    }
}

fn kind(token: &str) -> Option<MethodKind> {
    match token.split('-').next() {
        Some("card") => Some(MethodKind::Card),
        Some("iban") => Some(MethodKind::BankAccount),
        Some("paypal") => Some(MethodKind::Paypal),
        _ => None,
    }
}

fn details(token: &str, passed: bool) -> MethodDetails {
    let expiry = (kind(token) == Some(MethodKind::Card)).then_some(CardExpiry { year: 2026, month: 6 });
    MethodDetails { masked: "VISA **** 4242".into(), expiry, three_d_secure: passed && expiry.is_some() }
}

fn valid(token: &str) -> Registration {
    Registration::Valid { reference: format!("ref/{token}"), details: details(token, true) }
}

fn registration(token: &str) -> Registration {
    match token {
        "card-rejected" => Registration::Rejected { code: "stolen_card".into() },
        "card-approved" | "iban-approved" | "paypal-approved" => Registration::ActionRequired {
            url: "https://provider.test/act".into(),
            details: details(token, false),
        },
        _ => valid(token),
    }
}

fn outcome(charge: &Charge) -> ChargeOutcome {
    let (token, once) = match &charge.source {
        Source::Registered { reference } => (reference.trim_start_matches("ref/"), false),
        Source::OneOffCard { token } => (token.as_str(), true),
    };
    if once && kind(token) != Some(MethodKind::Card) {
        return ChargeOutcome::DeclinedFinal { code: "card_required".into() };
    }
    match token {
        "card-approved" if once => ChargeOutcome::ActionRequired { url: "https://provider.test/act".into() },
        "card-declined-soft" => ChargeOutcome::DeclinedSoft { code: "insufficient_funds".into() },
        "card-declined-final" => ChargeOutcome::DeclinedFinal { code: "stolen_card".into() },
        "iban-approved" => ChargeOutcome::Pending,
        _ => ChargeOutcome::Succeeded,
    }
}

#[async_trait::async_trait]
impl Provider for Scripted {
    fn kinds(&self) -> &'static [MethodKind] {
        &MethodKind::ALL
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        self.arrive().await?;
        Ok(kind(token))
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        self.arrive().await?;
        let first = || (method.token.clone(), registration(&method.token));
        let known = self.memory().methods.entry(method.key).or_insert_with(first).1.clone();
        self.answer(known)
    }

    async fn registration(&self, key: MethodKey) -> Result<Option<Registration>, ProviderUnknown> {
        self.arrive().await?;
        let known = self.memory().methods.get(&key).map(|(_, registration)| registration.clone());
        Ok(known)
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeOutcome, ProviderUnknown> {
        self.arrive().await?;
        let first = || (outcome(charge), charge.amount.minor());
        let known = self.memory().charges.entry(charge.key).or_insert_with(first).0.clone();
        let lost =
            matches!(&charge.source, Source::Registered { reference } if reference == "ref/card-answer-lost");
        if lost { Err(ProviderUnknown::new("timeout")) } else { self.answer(known) }
    }

    async fn fetch(&self, key: ChargeKey) -> Result<Option<ChargeOutcome>, ProviderUnknown> {
        self.arrive().await?;
        let known = self.memory().charges.get(&key).map(|(outcome, _)| outcome.clone());
        Ok(known)
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundOutcome, ProviderUnknown> {
        self.arrive().await?;
        let outcome = {
            let mut memory = self.memory();
            let known = memory.refunds.get(&refund.key).cloned();
            known.unwrap_or_else(|| {
                let refused = RefundOutcome::Refused { code: "nothing_captured".into() };
                let Some((outcome, left)) = memory.charges.get_mut(&refund.charge) else { return refused };
                if *outcome != ChargeOutcome::Succeeded || *left < refund.amount.minor() {
                    return refused;
                }
                *left -= refund.amount.minor();
                memory.refunds.insert(refund.key, RefundOutcome::Done);
                RefundOutcome::Done
            })
        };
        self.answer(outcome)
    }
}

#[async_trait::async_trait]
impl CustomerDecisions for Scripted {
    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let mut memory = self.memory();
        let Some((outcome, _)) = memory.charges.get_mut(&key) else { return Ok(Decided::NotAwaited) };
        let wanted = match decision {
            Decision::Approved => ChargeOutcome::Succeeded,
            Decision::Declined { code, finality: Finality::Soft } => {
                ChargeOutcome::DeclinedSoft { code: code.clone() }
            }
            Decision::Declined { code, finality: Finality::Final } => {
                ChargeOutcome::DeclinedFinal { code: code.clone() }
            }
        };
        if matches!(outcome, ChargeOutcome::ActionRequired { .. } | ChargeOutcome::Pending) {
            *outcome = wanted.clone();
        }
        Ok(if *outcome == wanted { Decided::Stands } else { Decided::NotAwaited })
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let mut memory = self.memory();
        let Some((token, registration)) = memory.methods.get_mut(&key) else {
            return Ok(Decided::NotAwaited);
        };
        let wanted = match decision {
            Decision::Approved => valid(token),
            Decision::Declined { code, .. } => Registration::Failed { code: code.clone() },
        };
        if matches!(registration, Registration::ActionRequired { .. }) {
            *registration = wanted.clone();
        }
        Ok(if *registration == wanted { Decided::Stands } else { Decided::NotAwaited })
    }
}

#[tokio::test]
async fn the_provider_of_these_tests_keeps_the_contract() {
    let at = Instant::midnight(2026, 1, 1).expect("a day");
    let script = Script {
        card_frictionless: "card-frictionless".into(),
        card_with_action: "card-approved".into(),
        card_declined_soft: "card-declined-soft".into(),
        card_declined_final: "card-declined-final".into(),
        card_answer_lost: "card-answer-lost".into(),
        card_rejected: "card-rejected".into(),
        bank_account: "iban-approved".into(),
        unknown: "nothing".into(),
        amount: Money::new(1200, Currency::parse("EUR").expect("a currency")),
        at,
    };
    let breaches = contract::check(&Scripted::default(), AccountId::generate(at), &script).await;
    assert!(breaches.is_empty(), "{breaches:#?}");
}
