//! A provider in memory: does what its tokens say, counts what it did, and can lose its connection.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use florin_payment::{
    CardExpiry, CustomerDecisions, Decided, Decision, DisputeStanding, Finality, MethodDetails, MethodKind,
    Provider, RefundId,
    provider::{
        Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, DisputeReport, Forget, GiveBack,
        MethodKey, News, Notice, NoticeRefused, NoticeSubject, ProviderUnknown, RawNotice, RefundOutcome,
        RefundReport, Register, Registration, Source, contract::Moved,
    },
};
use florin_platform::{
    db::{Db, Tx, sql},
    secret::digest,
};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbBackend};

/// How well the network works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Network {
    #[default]
    Up,
    /// Nothing arrives.
    Down,
    /// The next question does not arrive.
    LosesNextQuestion,
    /// Everything arrives; the answer to what changes something does not come back.
    AnswersLost,
    /// As `AnswersLost`, once.
    LosesNextAnswer,
}

#[derive(Debug)]
struct Booked {
    outcome: ChargeOutcome,
    amount: Money,
    refunded: i64,
    disputes: Vec<DisputeReport>,
}

#[derive(Debug, Default)]
struct Memory {
    network: Network,
    methods: HashMap<MethodKey, (String, Registration)>,
    charges: HashMap<ChargeKey, Booked>,
    refunds: HashMap<RefundId, RefundReport>,
    pushed: Vec<(NoticeSubject, usize)>,
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
        let memory = self.memory();
        memory.charges.values().filter(|booked| booked.outcome == ChargeOutcome::Succeeded).count()
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

    /// Whether the method of this key was forgotten.
    pub(crate) fn forgot(&self, key: MethodKey) -> bool {
        matches!(self.memory().methods.get(&key), Some((_, Registration::Revoked { .. })))
    }

    /// The provider says something else of a registered method from now on.
    pub(crate) fn says_of_method(&self, key: MethodKey, registration: Registration) {
        if let Some(known) = self.memory().methods.get_mut(&key) {
            known.1 = registration;
        }
    }

    /// The provider says something else of a charge from now on.
    pub(crate) fn says_of_charge(&self, key: ChargeKey, outcome: ChargeOutcome) {
        if let Some(known) = self.memory().charges.get_mut(&key) {
            known.outcome = outcome;
        }
    }

    pub(crate) fn moved(&self, key: ChargeKey) -> Moved {
        let memory = self.memory();
        let Some(booked) = memory.charges.get(&key) else { return Moved::default() };
        let captured = if booked.outcome == ChargeOutcome::Succeeded { booked.amount.minor() } else { 0 };
        Moved { captured, refunded: booked.refunded }
    }

    /// The notices pushed since this was last asked, signed at `now`.
    pub(crate) fn pushed(&self, now: Instant) -> Vec<RawNotice> {
        let pushed = std::mem::take(&mut self.memory().pushed);
        pushed.into_iter().map(|(about, number)| signed(about, number, now)).collect()
    }

    async fn arrive(&self) -> Result<(), ProviderUnknown> {
        if let Some(db) = &self.watched {
            no_transaction_is_open(db).await;
        }
        let mut memory = self.memory();
        memory.calls += 1;
        match memory.network {
            Network::Up | Network::AnswersLost | Network::LosesNextAnswer | Network::LosesNextQuestion => {
                Ok(())
            }
            Network::Down => Err(ProviderUnknown::new("connection refused")),
        }
    }

    /// As [`Self::arrive`], for what changes something.
    async fn arrive_to_change(&self) -> Result<(), ProviderUnknown> {
        self.arrive().await?;
        let mut memory = self.memory();
        if memory.network == Network::LosesNextQuestion {
            memory.network = Network::Up;
            return Err(ProviderUnknown::new("timeout"));
        }
        Ok(())
    }

    fn answer<T>(&self, answer: T) -> Result<T, ProviderUnknown> {
        let mut memory = self.memory();
        match memory.network {
            Network::Up | Network::LosesNextQuestion => Ok(answer),
            Network::Down | Network::AnswersLost => Err(ProviderUnknown::new("connection reset")),
            Network::LosesNextAnswer => {
                memory.network = Network::Up;
                Err(ProviderUnknown::new("connection reset"))
            }
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
    MethodDetails {
        masked: "VISA **** 4242".into(),
        expiry,
        three_d_secure: passed && expiry.is_some(),
        country: None,
    }
}

fn valid(key: MethodKey, token: &str) -> Registration {
    Registration::Valid { reference: format!("ref/{}/{token}", key.method), details: details(token, true) }
}

fn registration(key: MethodKey, token: &str) -> Registration {
    match token {
        "card-rejected" => Registration::Rejected { code: "stolen_card".into() },
        "card-approved" | "iban-approved" | "paypal-approved" => Registration::ActionRequired {
            reference: None,
            url: "https://provider.test/act".into(),
            details: details(token, false),
        },
        _ => valid(key, token),
    }
}

/// The token in the reference of a registered method.
fn referenced(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

fn outcome(charge: &Charge, forgotten: bool) -> ChargeOutcome {
    let (token, once) = match &charge.source {
        Source::Registered { reference, .. } => (referenced(reference), false),
        Source::OneOffCard { token } => (token.as_str(), true),
    };
    if forgotten {
        return ChargeOutcome::DeclinedFinal { code: "forgotten".into() };
    }
    if once && kind(token) != Some(MethodKind::Card) {
        return ChargeOutcome::DeclinedFinal { code: "card_required".into() };
    }
    match token {
        "card-approved" if once => ChargeOutcome::ActionRequired { url: "https://provider.test/act".into() },
        "card-action" => ChargeOutcome::ActionRequired { url: "https://provider.test/act".into() },
        "card-declined-soft" => ChargeOutcome::DeclinedSoft { code: "insufficient_funds".into() },
        "card-declined-final" => ChargeOutcome::DeclinedFinal { code: "stolen_card".into() },
        "iban-approved" => ChargeOutcome::Pending,
        _ => ChargeOutcome::Succeeded,
    }
}

fn report(key: ChargeKey, booked: &Booked) -> ChargeReport {
    ChargeReport {
        reference: Some(format!("charge/{}", key.payment)),
        outcome: booked.outcome.clone(),
        disputes: booked.disputes.clone(),
    }
}

/// The signature of a notice, as far as a test needs one.
fn signature(micros: i64, body: &[u8]) -> String {
    let mut text = format!("the provider's secret/{micros}/");
    text.push_str(&String::from_utf8_lossy(body));
    digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn signed(about: NoticeSubject, number: usize, now: Instant) -> RawNotice {
    let subject = match about {
        NoticeSubject::Charge(key) => format!("charge {} {}", key.account, key.payment),
        NoticeSubject::Method(key) => format!("method {} {}", key.account, key.method),
        NoticeSubject::Refund { account, payment, refund } => format!("refund {account} {payment} {refund}"),
    };
    let body = format!("event{number} {subject}").into_bytes();
    let header = format!("{} {}", now.micros(), signature(now.micros(), &body));
    RawNotice { headers: vec![("signature".into(), header)], body }
}

fn read(raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
    let header = raw.header("Signature").and_then(|header| header.split_once(' '));
    let (micros, given) = header.ok_or(NoticeRefused::Forged)?;
    let micros: i64 = micros.parse().map_err(|_| NoticeRefused::Forged)?;
    if given != signature(micros, &raw.body) {
        return Err(NoticeRefused::Forged);
    }
    if micros.abs_diff(now.micros()) > 300_000_000 {
        return Err(NoticeRefused::Stale);
    }
    let body = String::from_utf8_lossy(&raw.body).into_owned();
    let unreadable = || NoticeRefused::Unreadable(body.clone());
    let parts = body.split(' ').collect::<Vec<_>>();
    let [id, kind, account, subject, ..] = parts.as_slice() else { return Err(unreadable()) };
    let account = florin_platform::id::Id::parse(account).map_err(|_| unreadable())?;
    let about = if *kind == "charge" {
        let payment = florin_platform::id::Id::parse(subject).map_err(|_| unreadable())?;
        NoticeSubject::Charge(ChargeKey { account, payment })
    } else {
        let method = florin_platform::id::Id::parse(subject).map_err(|_| unreadable())?;
        NoticeSubject::Method(MethodKey { account, method })
    };
    Ok(vec![Notice { id: (*id).to_owned(), about }])
}

#[async_trait::async_trait]
impl Provider for Scripted {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &MethodKind::ALL,
            refundable: &MethodKind::ALL,
            approved_apart: &MethodKind::ALL,
            news: News::Pushed,
            statement_characters_max: 22,
        }
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        self.arrive().await?;
        Ok(kind(token))
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        self.arrive_to_change().await?;
        let first = || (method.token.clone(), registration(method.key, &method.token));
        let known = self.memory().methods.entry(method.key).or_insert_with(first).1.clone();
        self.answer(known)
    }

    async fn registration(
        &self,
        method: &Register,
        _: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        self.arrive().await?;
        let known = self.memory().methods.get(&method.key).map(|(_, registration)| registration.clone());
        Ok(known)
    }

    async fn forget(&self, method: &Forget) -> Result<(), ProviderUnknown> {
        self.arrive_to_change().await?;
        self.says_of_method(method.key, Registration::Revoked { code: "forgotten".into() });
        self.answer(())
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        self.arrive_to_change().await?;
        let known = {
            let mut memory = self.memory();
            let forgotten = match &charge.source {
                Source::Registered { reference, .. } => memory.methods.iter().any(|(key, (_, state))| {
                    reference.contains(&key.method.to_string())
                        && matches!(state, Registration::Revoked { .. })
                }),
                Source::OneOffCard { .. } => false,
            };
            let first = || Booked {
                outcome: outcome(charge, forgotten),
                amount: charge.amount,
                refunded: 0,
                disputes: Vec::new(),
            };
            report(charge.key, memory.charges.entry(charge.key).or_insert_with(first))
        };
        let lost = matches!(&charge.source, Source::Registered { reference, .. }
            if referenced(reference) == "card-answer-lost");
        if lost { Err(ProviderUnknown::new("timeout")) } else { self.answer(known) }
    }

    async fn fetch(&self, charge: &Charge, _: Option<&str>) -> Result<Option<ChargeReport>, ProviderUnknown> {
        self.arrive().await?;
        let known = self.memory().charges.get(&charge.key).map(|booked| report(charge.key, booked));
        Ok(known)
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        self.arrive_to_change().await?;
        let answer = {
            let mut memory = self.memory();
            let known = memory.refunds.get(&refund.key).cloned();
            known.unwrap_or_else(|| {
                let outcome = RefundOutcome::Refused { code: "nothing_captured".into() };
                let refused = RefundReport { reference: None, outcome };
                let Some(booked) = memory.charges.get_mut(&refund.charge) else { return refused };
                let left = booked.amount.minor() - booked.refunded;
                if booked.outcome != ChargeOutcome::Succeeded || left < refund.amount.minor() {
                    return refused;
                }
                booked.refunded += refund.amount.minor();
                let reference = Some(format!("refund/{}", refund.key));
                let done = RefundReport { reference, outcome: RefundOutcome::Done };
                memory.refunds.insert(refund.key, done.clone());
                done
            })
        };
        self.answer(answer)
    }

    async fn fetch_refund(
        &self,
        refund: &GiveBack,
        _: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        self.arrive().await?;
        let known = self.memory().refunds.get(&refund.key).cloned();
        Ok(known)
    }

    async fn read_notice(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        read(raw, now)
    }
}

impl Memory {
    fn push(&mut self, about: NoticeSubject) {
        let number = self.pushed.len();
        self.pushed.push((about, number));
    }
}

#[async_trait::async_trait]
impl CustomerDecisions for Scripted {
    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let mut memory = self.memory();
        memory.push(NoticeSubject::Charge(key));
        let Some(booked) = memory.charges.get_mut(&key) else { return Ok(Decided::NotAwaited) };
        let wanted = match decision {
            Decision::Approved => ChargeOutcome::Succeeded,
            Decision::Declined { code, finality: Finality::Soft } => {
                ChargeOutcome::DeclinedSoft { code: code.clone() }
            }
            Decision::Declined { code, finality: Finality::Final } => {
                ChargeOutcome::DeclinedFinal { code: code.clone() }
            }
        };
        if matches!(booked.outcome, ChargeOutcome::ActionRequired { .. } | ChargeOutcome::Pending) {
            booked.outcome = wanted.clone();
        }
        Ok(if booked.outcome == wanted { Decided::Stands } else { Decided::NotAwaited })
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let mut memory = self.memory();
        memory.push(NoticeSubject::Method(key));
        let Some((token, registration)) = memory.methods.get_mut(&key) else {
            return Ok(Decided::NotAwaited);
        };
        let wanted = match decision {
            Decision::Approved => valid(key, token),
            Decision::Declined { code, .. } => Registration::Failed { code: code.clone() },
        };
        if matches!(registration, Registration::ActionRequired { .. }) {
            *registration = wanted.clone();
        }
        Ok(if *registration == wanted { Decided::Stands } else { Decided::NotAwaited })
    }

    async fn dispute_charge(
        &self,
        _tx: &Tx,
        key: ChargeKey,
        amount: Option<Money>,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown> {
        Ok(Scripted::dispute_charge(self, key, amount, standing))
    }

    async fn decide_dispute(
        &self,
        _tx: &Tx,
        key: ChargeKey,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown> {
        Ok(Scripted::decide_dispute(self, key, standing))
    }
}

impl Scripted {
    /// The bank takes captured money back.
    pub(crate) fn dispute_charge(
        &self,
        key: ChargeKey,
        amount: Option<Money>,
        standing: DisputeStanding,
    ) -> Decided {
        let mut memory = self.memory();
        memory.push(NoticeSubject::Charge(key));
        let Some(booked) = memory.charges.get_mut(&key) else { return Decided::NotAwaited };
        if booked.outcome != ChargeOutcome::Succeeded {
            return Decided::NotAwaited;
        }
        let reference = format!("dispute/{}/{}", key.payment, booked.disputes.len());
        let amount = amount.unwrap_or(booked.amount);
        booked.disputes.push(DisputeReport { reference, amount, code: "fraudulent".into(), standing });
        Decided::Stands
    }

    /// It decides the latest of them.
    pub(crate) fn decide_dispute(&self, key: ChargeKey, standing: DisputeStanding) -> Decided {
        let mut memory = self.memory();
        memory.push(NoticeSubject::Charge(key));
        let latest = memory.charges.get_mut(&key).and_then(|booked| booked.disputes.last_mut());
        let Some(dispute) = latest else { return Decided::NotAwaited };
        dispute.standing = standing;
        Decided::Stands
    }
}
