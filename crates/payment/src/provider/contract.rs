//! What every provider must do, checked against one.
//!
//! An adapter's test builds a [`Stage`]: the provider under test, and the world behind it as far as it can be
//! played there. [`check`] plays every act on it and answers everything the provider does otherwise than the
//! port promises. A stage plays; only [`check`] judges.

mod charges;
mod disputes;
mod lost;
mod methods;
mod notices;
mod refunds;

use std::time::Duration;

use florin_platform::id::AccountId;
use florin_settlement::{Instant, Money};

use super::{
    Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, DisputeStanding, GiveBack, MethodKey,
    Notice, NoticeRefused, NoticeSubject, Provider, ProviderUnknown, RawNotice, RefundOutcome, Register,
    Registration, Source,
};
use crate::{
    Decision, MethodKind, PaymentMethodId,
    domain::{
        payment::{Finality, Initiator, PaymentId},
        refund::RefundId,
    },
};

/// How many ask the same thing at once.
const AT_ONCE: usize = 8;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A card that becomes VALID at once, having passed 3-D Secure, and can be charged.
    Card,
    /// A card that asks for 3-D Secure when it is registered or given for once, and can be charged after it.
    CardWithAction,
    /// A card that becomes VALID at once and whose charges are declined, for now.
    CardDeclinedSoft,
    /// A card that becomes VALID at once and whose charges are declined for good.
    CardDeclinedFinal,
    /// A card the provider refuses to register.
    CardRejected,
    /// A bank account: its registration waits for the mandate, unless that is given at the form; its charges are
    /// PENDING until the bank decides.
    BankAccount,
    /// A PayPal account: its registration waits for the approval, and it can be charged after it.
    Paypal,
    /// What the provider does not know.
    Nobody,
}

/// What the network does to one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The question does not arrive.
    Question,
    /// The question arrives and is acted upon; the answer does not come back.
    Answer,
}

/// What a provider's own books say moved for one charge, in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// What was taken.
    pub captured: i64,
    /// What was given back, disputes apart.
    pub refunded: i64,
}

/// The world behind a provider, as far as a test can play it.
#[async_trait::async_trait]
pub trait Stage: Send + Sync {
    /// The provider under test.
    fn provider(&self) -> &dyn Provider;

    /// Whose methods and charges these are.
    fn account(&self) -> AccountId;

    /// An amount the provider can take; at least 4 minor units.
    fn amount(&self) -> Money;

    /// What time it is for Florin.
    async fn now(&self) -> Instant;

    /// Lets time pass.
    async fn pass(&self, duration: Duration);

    /// A token of `actor`, as the provider's form would give it. A form gives a new one each time; a test
    /// provider may always give the same.
    async fn token(&self, actor: Actor) -> String;

    /// The customer, or the bank, decides a charge that waits for them.
    async fn decide_charge(&self, key: ChargeKey, decision: &Decision);

    /// The customer decides a registration that waits for them.
    async fn decide_method(&self, key: MethodKey, decision: &Decision);

    /// The payer's bank takes back so much of a captured charge: a chargeback if `standing` is OPEN, a debit
    /// that bounces if it is LOST.
    async fn dispute(&self, key: ChargeKey, amount: Money, standing: DisputeStanding);

    /// The dispute of a charge is decided: WON or LOST.
    async fn decide_dispute(&self, key: ChargeKey, standing: DisputeStanding);

    /// The next exchange that changes something at the provider suffers `loss`.
    async fn lose(&self, loss: Loss);

    /// What the provider's own books say of a charge.
    async fn moved(&self, key: ChargeKey) -> Moved;

    /// The notices pushed since this was last asked, oldest first. A provider that pushes none is not asked.
    async fn pushed(&self) -> Vec<RawNotice>;
}

/// A promise of the port that the provider breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach(String);

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every promise the provider on `stage` breaks; empty if it keeps them all.
pub async fn check(stage: &dyn Stage) -> Vec<Breach> {
    let capabilities = stage.provider().capabilities();
    let mut trial = Trial { stage, capabilities, breaches: Vec::new() };
    trial.capabilities();
    trial.methods().await;
    trial.charges().await;
    trial.lost_answers().await;
    trial.refunds().await;
    trial.disputes().await;
    trial.notices().await;
    trial.breaches
}

struct Trial<'t> {
    stage: &'t dyn Stage,
    capabilities: Capabilities,
    breaches: Vec<Breach>,
}

impl<'t> Trial<'t> {
    fn provider(&self) -> &'t dyn Provider {
        self.stage.provider()
    }

    fn hold(&mut self, promise: &str, kept: bool, seen: &dyn std::fmt::Debug) {
        if !kept {
            self.breaches.push(Breach(format!("{promise}; seen: {seen:?}")));
        }
    }

    fn capabilities(&mut self) {
        let Capabilities { kinds, refundable, statement_characters_max, .. } = self.capabilities;
        self.hold("cards are on offer", kinds.contains(&MethodKind::Card), &kinds);
        let offered = refundable.iter().all(|kind| kinds.contains(kind));
        self.hold("only what is on offer is given back", offered, &refundable);
        self.hold("a statement says something", statement_characters_max >= 5, &statement_characters_max);
    }

    async fn register_as(&self, kind: MethodKind, actor: Actor) -> Register {
        let begun = self.stage.now().await;
        let key = MethodKey { account: self.stage.account(), method: PaymentMethodId::generate(begun) };
        Register { key, kind, token: self.stage.token(actor).await, begun }
    }

    async fn charge_on(&self, source: Source, initiator: Initiator) -> Charge {
        let begun = self.stage.now().await;
        Charge {
            key: ChargeKey { account: self.stage.account(), payment: PaymentId::generate(begun) },
            amount: self.stage.amount(),
            source,
            initiator,
            description: "contract".to_owned(),
            statement: "FLORIN".chars().take(self.capabilities.statement_characters_max).collect(),
            begun,
        }
    }

    /// Registers `actor`, approving what has to be approved, and gives the registration and a charge on it that
    /// Florin initiates.
    async fn registered(&mut self, kind: MethodKind, actor: Actor) -> Option<(Register, Charge)> {
        let register = self.register_as(kind, actor).await;
        let mut answer = self.provider().register(&register).await.map(Some);
        if let Ok(Some(Registration::ActionRequired { reference, .. })) = &answer {
            let reference = reference.clone();
            self.stage.decide_method(register.key, &Decision::Approved).await;
            answer = self.provider().registration(&register, reference.as_deref()).await;
        }
        match answer {
            Ok(Some(Registration::Valid { reference, .. })) => {
                let source = Source::Registered { kind, reference };
                let charge = self.charge_on(source, Initiator::Merchant).await;
                Some((register, charge))
            }
            other => {
                self.hold(&format!("{actor:?} can be registered"), false, &other);
                None
            }
        }
    }

    /// A charge that was captured, and what the provider calls it.
    async fn captured(&mut self) -> Option<(Charge, Option<String>)> {
        let (_, charge) = self.registered(MethodKind::Card, Actor::Card).await?;
        match self.provider().charge(&charge).await {
            Ok(ChargeReport { outcome: ChargeOutcome::Succeeded, reference, .. }) => {
                Some((charge, reference))
            }
            other => {
                self.hold("a charge on a good card succeeds", false, &other);
                None
            }
        }
    }

    /// How a charge stands; a breach if the provider does not know it.
    async fn standing(&mut self, charge: &Charge, reference: Option<&str>) -> Option<ChargeReport> {
        match self.provider().fetch(charge, reference).await {
            Ok(Some(report)) => Some(report),
            other => {
                self.hold("a charge that arrived is known", false, &other);
                None
            }
        }
    }
}

fn same<T: PartialEq, E>(one: &Result<T, E>, other: &Result<T, E>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

fn word(outcome: &ChargeOutcome) -> &'static str {
    match outcome {
        ChargeOutcome::Succeeded => "succeeded",
        ChargeOutcome::Pending => "pending",
        ChargeOutcome::DeclinedSoft { .. } => "declined soft",
        ChargeOutcome::DeclinedFinal { .. } => "declined final",
        ChargeOutcome::ActionRequired { .. } => "action required",
    }
}

fn said(answer: &Result<ChargeReport, ProviderUnknown>) -> &'static str {
    answer.as_ref().map_or("unknown", |report| word(&report.outcome))
}
