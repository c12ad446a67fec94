//! The built-in payment provider of a sandbox (R3.7): no money moves, and tokens say what happens.
//!
//! It stands outside of Florin and is written that way: it knows accounts and payments only as keys, keeps
//! what it did in tables of its own (`sandbox_provider_…`), in transactions of its own, and forgets nothing
//! when the server restarts. The documented tokens are in [`test_means`].
//!
//! | what waits | for whom | until |
//! |---|---|---|
//! | a registration, a card given for once | the customer at the action URL, played by `PaymentOutcomeService` | an hour, then it lapses |
//! | a bank debit | the bank, played by `PaymentOutcomeService` | three days, then it goes as the token says |

mod books;
mod disputes;
mod notices;
pub mod test_means;

use florin_payment::{
    CustomerDecisions, Decided, Decision, DisputeStanding, Finality, MethodKind, PaymentMethodId, Provider,
    provider::{
        Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, Forget, GiveBack, MethodKey, News,
        Notice, NoticeRefused, NoticeSubject, ProviderUnknown, RawNotice, RefundOutcome, RefundReport,
        Register, Registration, Source,
    },
};
use florin_platform::{Platform, db::Tx};
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr};

use books::{BookedCharge, BookedMethod, ChargeState, MethodState};
use test_means::{Answer, Charging, Registering, TestMeans};

const LAPSED: &str = "authentication_abandoned";
const FORGOTTEN: &str = "payment_method_forgotten";
const REFERENCE: &str = "sandbox/";
const STATEMENT_CHARACTERS_MAX: usize = 22;

/// The sandbox's provider.
#[derive(Clone, Debug)]
pub struct SandboxProvider {
    platform: Platform,
    public_url: String,
}

impl SandboxProvider {
    /// A provider that keeps its books in `platform` and sends customers to pages below `public_url`.
    #[must_use]
    pub fn new(platform: Platform, public_url: &str) -> Self {
        Self { platform, public_url: public_url.trim_end_matches('/').to_owned() }
    }

    /// The notice this provider pushes at `now` about a change; `event` tells two changes of one thing apart.
    #[must_use]
    pub fn notice(&self, about: NoticeSubject, event: &str, now: Instant) -> RawNotice {
        notices::sign(&self.platform.key, about, event, now)
    }

    fn registration_of(&self, key: MethodKey, booked: &BookedMethod, now: Instant) -> Registration {
        let means = TestMeans::of(&booked.token);
        let details = |passed| means.map(|means| means.details(passed, booked.created)).unwrap_or_default();
        let code = |otherwise: &str| booked.code.clone().unwrap_or_else(|| otherwise.to_owned());
        if booked.forgotten {
            return Registration::Revoked { code: FORGOTTEN.to_owned() };
        }
        match booked.state_at(now) {
            MethodState::Waiting => Registration::ActionRequired {
                reference: Some(reference_of(key, booked)),
                url: format!(
                    "{}/sandbox/accounts/{}/paymentMethods/{}",
                    self.public_url, key.account, key.method
                ),
                details: details(false),
            },
            MethodState::Valid => {
                Registration::Valid { reference: reference_of(key, booked), details: details(true) }
            }
            MethodState::Failed => Registration::Failed { code: code(LAPSED) },
            MethodState::Rejected => Registration::Rejected { code: code("rejected") },
        }
    }

    fn outcome_of(&self, key: ChargeKey, booked: &BookedCharge, now: Instant) -> ChargeOutcome {
        let (state, code) = booked.state_at(now);
        match state {
            ChargeState::Waiting => ChargeOutcome::ActionRequired {
                url: format!("{}/sandbox/accounts/{}/payments/{}", self.public_url, key.account, key.payment),
            },
            ChargeState::Pending => ChargeOutcome::Pending,
            ChargeState::Captured => ChargeOutcome::Succeeded,
            ChargeState::DeclinedSoft => ChargeOutcome::DeclinedSoft { code },
            ChargeState::DeclinedFinal => ChargeOutcome::DeclinedFinal { code },
        }
    }

    async fn report(
        &self,
        connection: &impl ConnectionTrait,
        key: ChargeKey,
        booked: &BookedCharge,
        now: Instant,
    ) -> Result<ChargeReport, DbErr> {
        Ok(ChargeReport {
            reference: Some(format!("sandbox/charges/{}", key.payment)),
            outcome: self.outcome_of(key, booked, now),
            disputes: disputes::of_charge(connection, key, booked.amount.currency()).await?,
        })
    }
}

/// What this provider calls a method: whose it is, which, and its token, which says what its charges do.
fn reference_of(key: MethodKey, booked: &BookedMethod) -> String {
    format!("{REFERENCE}{}/{}", key.method, booked.token)
}

/// The method and the token in a reference.
fn referenced(reference: &str) -> Option<(PaymentMethodId, &str)> {
    let (method, token) = reference.strip_prefix(REFERENCE)?.split_once('/')?;
    Some((PaymentMethodId::parse(method).ok()?, token))
}

/// How a charge on `source` begins.
fn opening(source: &Source, token: &str) -> (ChargeState, Option<&'static str>) {
    let refused = |code| (ChargeState::DeclinedFinal, Some(code));
    let Some(means) = TestMeans::of(token) else { return refused("token_unknown") };
    match source {
        Source::Registered { .. } if means.charging == Charging::Action => (ChargeState::Waiting, None),
        Source::Registered { .. } => after_authentication(means.charging),
        Source::OneOffCard { .. } if means.kind != MethodKind::Card => refused("card_required"),
        Source::OneOffCard { .. } => match means.registering {
            Registering::Valid => after_authentication(means.charging),
            Registering::Action => (ChargeState::Waiting, None),
            Registering::Fails(code) | Registering::Rejected(code) => refused(code),
        },
    }
}

fn after_authentication(charging: Charging) -> (ChargeState, Option<&'static str>) {
    match charging {
        Charging::Captured | Charging::Action => (ChargeState::Captured, None),
        Charging::DeclinedSoft(code) => (ChargeState::DeclinedSoft, Some(code)),
        Charging::DeclinedFinal(code) => (ChargeState::DeclinedFinal, Some(code)),
        Charging::PendingThenCaptured | Charging::PendingThenDeclined(_) => (ChargeState::Pending, None),
    }
}

fn unknown(error: DbErr) -> ProviderUnknown {
    ProviderUnknown::new(error)
}

/// What this provider says of a refund it did, or did not do.
fn refunded(refund: &GiveBack, done: bool) -> RefundReport {
    if done {
        let reference = Some(format!("sandbox/refunds/{}", refund.key));
        RefundReport { reference, outcome: RefundOutcome::Done }
    } else {
        let outcome = RefundOutcome::Refused { code: "nothing_left_to_refund".to_owned() };
        RefundReport { reference: None, outcome }
    }
}

#[async_trait::async_trait]
impl Provider for SandboxProvider {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &MethodKind::ALL,
            approved_apart: &MethodKind::ALL,
            refundable: &MethodKind::ALL,
            news: News::Pushed,
            statement_characters_max: STATEMENT_CHARACTERS_MAX,
        }
    }

    async fn recognise(&self, token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        Ok(TestMeans::of(token).map(|means| means.kind))
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        let (state, code) = match TestMeans::of(&method.token).map(|means| means.registering) {
            Some(Registering::Valid) => (MethodState::Valid, None),
            Some(Registering::Action) => (MethodState::Waiting, None),
            Some(Registering::Fails(code)) => (MethodState::Failed, Some(code)),
            Some(Registering::Rejected(code)) => (MethodState::Rejected, Some(code)),
            None => (MethodState::Rejected, Some("token_unknown")),
        };
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            let booked = books::book_method(&tx, method.key, &method.token, state, code, now).await?;
            Ok(self.registration_of(method.key, &booked, now))
        });
        written.await.map_err(unknown)
    }

    async fn registration(
        &self,
        method: &Register,
        _: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(unknown)?;
        let booked = books::method(reader, method.key).await.map_err(unknown)?;
        Ok(booked.map(|booked| self.registration_of(method.key, &booked, now)))
    }

    async fn forget(&self, method: &Forget) -> Result<(), ProviderUnknown> {
        let written = self.platform.db.write(|tx| async move { books::forget_method(&tx, method.key).await });
        written.await.map_err(unknown)
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        let (method, token) = match &charge.source {
            Source::Registered { reference, .. } => match referenced(reference) {
                Some((method, token)) => (Some(method), token),
                None => (None, ""),
            },
            Source::OneOffCard { token } => (None, token.as_str()),
        };
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            let (mut state, mut code) = opening(&charge.source, token);
            if let Some(method) = method {
                let key = MethodKey { account: charge.key.account, method };
                if books::method(&tx, key).await?.is_none_or(|booked| booked.forgotten) {
                    (state, code) = (ChargeState::DeclinedFinal, Some(FORGOTTEN));
                }
            }
            let (booked, is_new) = books::book_charge(&tx, charge, token, state, code, now).await?;
            Ok::<_, DbErr>((self.report(&tx, charge.key, &booked, now).await?, is_new))
        });
        let (report, is_new) = written.await.map_err(unknown)?;
        let lost = is_new && TestMeans::of(token).is_some_and(|means| means.answer == Answer::LostOnce);
        if lost { Err(ProviderUnknown::new("the answer was lost, as this token asks")) } else { Ok(report) }
    }

    async fn fetch(&self, charge: &Charge, _: Option<&str>) -> Result<Option<ChargeReport>, ProviderUnknown> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(unknown)?;
        let Some(booked) = books::charge(reader, charge.key).await.map_err(unknown)? else { return Ok(None) };
        self.report(reader, charge.key, &booked, now).await.map(Some).map_err(unknown)
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            books::lock_charge(&tx, refund.charge).await?;
            if books::is_refunded(&tx, refund).await? {
                return Ok(refunded(refund, true));
            }
            let captured = books::charge(&tx, refund.charge)
                .await?
                .is_some_and(|booked| booked.state_at(now).0 == ChargeState::Captured);
            let done = captured && books::book_refund(&tx, refund).await?;
            Ok::<_, DbErr>(refunded(refund, done))
        });
        written.await.map_err(unknown)
    }

    async fn fetch_refund(
        &self,
        refund: &GiveBack,
        _: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        let done = books::is_refunded(self.platform.db.reader(), refund).await.map_err(unknown)?;
        Ok(done.then(|| refunded(refund, true)))
    }

    async fn read_notice(&self, raw: &RawNotice, now: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        notices::read(&self.platform.key, raw, now)
    }
}

#[async_trait::async_trait]
impl CustomerDecisions for SandboxProvider {
    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            books::lock_charge(&tx, key).await?;
            let Some(booked) = books::charge(&tx, key).await? else { return Ok(Decided::NotAwaited) };
            let (state, _) = booked.state_at(now);
            let (wanted, code) = match decision {
                Decision::Declined { code, finality: Finality::Soft } => {
                    (ChargeState::DeclinedSoft, Some(&**code))
                }
                Decision::Declined { code, finality: Finality::Final } => {
                    (ChargeState::DeclinedFinal, Some(&**code))
                }
                Decision::Approved => booked.approved(),
            };
            let awaited = matches!(state, ChargeState::Waiting | ChargeState::Pending);
            if awaited {
                books::decide_charge(&tx, key, wanted, code).await?;
            }
            Ok::<_, DbErr>(if awaited || state == wanted { Decided::Stands } else { Decided::NotAwaited })
        });
        written.await.map_err(unknown)
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) -> Result<Decided, ProviderUnknown> {
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            books::lock_method(&tx, key).await?;
            let Some(booked) = books::method(&tx, key).await? else { return Ok(Decided::NotAwaited) };
            let state = booked.state_at(now);
            let (wanted, code) = match decision {
                Decision::Approved => (MethodState::Valid, None),
                Decision::Declined { code, .. } => (MethodState::Failed, Some(&**code)),
            };
            let awaited = state == MethodState::Waiting;
            if awaited {
                books::decide_method(&tx, key, wanted, code).await?;
            }
            Ok::<_, DbErr>(if awaited || state == wanted { Decided::Stands } else { Decided::NotAwaited })
        });
        written.await.map_err(unknown)
    }

    async fn dispute_charge(
        &self,
        tx: &Tx,
        key: ChargeKey,
        amount: Option<Money>,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown> {
        let now = self.platform.clock.now(tx).await.map_err(unknown)?;
        books::lock_charge(tx, key).await.map_err(unknown)?;
        let booked = books::charge(tx, key).await.map_err(unknown)?;
        let Some(booked) = booked else { return Ok(Decided::NotAwaited) };
        let amount = amount.unwrap_or(booked.amount);
        let earlier = disputes::of_charge(tx, key, booked.amount.currency()).await.map_err(unknown)?;
        let away = earlier.iter().filter(|dispute| dispute.standing != DisputeStanding::Won);
        let away: i64 = away.map(|dispute| dispute.amount.minor()).sum();
        let captured = booked.state_at(now).0 == ChargeState::Captured;
        if !captured || amount.minor() > booked.amount.minor() - away {
            return Ok(Decided::NotAwaited);
        }
        let code = if standing == DisputeStanding::Lost { "bounced" } else { "fraudulent" };
        disputes::open(tx, key, amount, code, standing).await.map_err(unknown)?;
        Ok(Decided::Stands)
    }

    async fn decide_dispute(
        &self,
        tx: &Tx,
        key: ChargeKey,
        standing: DisputeStanding,
    ) -> Result<Decided, ProviderUnknown> {
        books::lock_charge(tx, key).await.map_err(unknown)?;
        let decided = disputes::decide(tx, key, standing).await.map_err(unknown)?;
        Ok(if decided { Decided::Stands } else { Decided::NotAwaited })
    }
}
