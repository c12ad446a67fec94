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
pub mod test_means;

use florin_payment::{
    CustomerDecisions, Decided, Decision, Finality, MethodKind, Provider,
    provider::{
        Charge, ChargeKey, ChargeOutcome, GiveBack, MethodKey, ProviderUnknown, RefundOutcome, Register,
        Registration, Source,
    },
};
use florin_platform::Platform;
use florin_settlement::Instant;
use sea_orm::DbErr;

use books::{BookedCharge, BookedMethod, ChargeState, MethodState};
use test_means::{Answer, Charging, Registering, TestMeans};

const LAPSED: &str = "authentication_abandoned";
const REFERENCE: &str = "sandbox/";

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

    fn registration_of(&self, key: MethodKey, booked: &BookedMethod, now: Instant) -> Registration {
        let means = TestMeans::of(&booked.token);
        let code = |otherwise: &str| booked.code.clone().unwrap_or_else(|| otherwise.to_owned());
        match booked.state_at(now) {
            MethodState::Waiting => Registration::ActionRequired {
                url: format!(
                    "{}/sandbox/accounts/{}/paymentMethods/{}",
                    self.public_url, key.account, key.method
                ),
                details: means.map(|means| means.details(false)).unwrap_or_default(),
            },
            MethodState::Valid => Registration::Valid {
                reference: format!("{REFERENCE}{}", booked.token),
                details: means.map(|means| means.details(true)).unwrap_or_default(),
            },
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
}

/// How a charge on `source` begins.
fn opening(source: &Source, token: &str) -> (ChargeState, Option<&'static str>) {
    let refused = |code| (ChargeState::DeclinedFinal, Some(code));
    let Some(means) = TestMeans::of(token) else { return refused("token_unknown") };
    match source {
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
        Charging::Captured => (ChargeState::Captured, None),
        Charging::DeclinedSoft(code) => (ChargeState::DeclinedSoft, Some(code)),
        Charging::DeclinedFinal(code) => (ChargeState::DeclinedFinal, Some(code)),
        Charging::PendingThenCaptured | Charging::PendingThenDeclined(_) => (ChargeState::Pending, None),
    }
}

fn unknown(error: DbErr) -> ProviderUnknown {
    ProviderUnknown::new(error)
}

#[async_trait::async_trait]
impl Provider for SandboxProvider {
    fn kinds(&self) -> &'static [MethodKind] {
        &MethodKind::ALL
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

    async fn registration(&self, key: MethodKey) -> Result<Option<Registration>, ProviderUnknown> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(unknown)?;
        let booked = books::method(reader, key).await.map_err(unknown)?;
        Ok(booked.map(|booked| self.registration_of(key, &booked, now)))
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeOutcome, ProviderUnknown> {
        let token = match &charge.source {
            Source::Registered { reference } => reference.strip_prefix(REFERENCE).unwrap_or_default(),
            Source::OneOffCard { token } => token,
        };
        let (state, code) = opening(&charge.source, token);
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            let (booked, is_new) = books::book_charge(&tx, charge, token, state, code, now).await?;
            Ok::<_, DbErr>((self.outcome_of(charge.key, &booked, now), is_new))
        });
        let (outcome, is_new) = written.await.map_err(unknown)?;
        let lost = is_new && TestMeans::of(token).is_some_and(|means| means.answer == Answer::LostOnce);
        if lost { Err(ProviderUnknown::new("the answer was lost, as this token asks")) } else { Ok(outcome) }
    }

    async fn fetch(&self, key: ChargeKey) -> Result<Option<ChargeOutcome>, ProviderUnknown> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(unknown)?;
        let booked = books::charge(reader, key).await.map_err(unknown)?;
        Ok(booked.map(|booked| self.outcome_of(key, &booked, now)))
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundOutcome, ProviderUnknown> {
        let written = self.platform.db.write(|tx| async move {
            let now = self.platform.clock.now(&tx).await?;
            books::lock_charge(&tx, refund.charge).await?;
            if books::is_refunded(&tx, refund).await? {
                return Ok(RefundOutcome::Done);
            }
            let captured = books::charge(&tx, refund.charge)
                .await?
                .is_some_and(|booked| booked.state_at(now).0 == ChargeState::Captured);
            let done = captured && books::book_refund(&tx, refund).await?;
            let refused = || RefundOutcome::Refused { code: "nothing_left_to_refund".to_owned() };
            Ok::<_, DbErr>(if done { RefundOutcome::Done } else { refused() })
        });
        written.await.map_err(unknown)
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
}
