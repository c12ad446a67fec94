//! The provider of these tests keeps the contract of every provider.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use florin_payment::{
    CustomerDecisions, Decided, Decision, DisputeStanding, Provider,
    provider::{
        ChargeKey, MethodKey, RawNotice,
        contract::{self, Actor, Loss, Moved, Stage},
    },
};
use florin_platform::id::AccountId;
use florin_settlement::{Currency, Instant, Money};

use crate::scripted::{Network, Scripted};

struct InMemory {
    provider: Scripted,
    account: AccountId,
    now: Mutex<Instant>,
}

#[async_trait::async_trait]
impl Stage for InMemory {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn account(&self) -> AccountId {
        self.account
    }

    fn amount(&self) -> Money {
        Money::new(1200, Currency::EUR)
    }

    async fn now(&self) -> Instant {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(&self, duration: Duration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.plus(duration);
    }

    async fn token(&self, actor: Actor) -> String {
        let token = match actor {
            Actor::Card => "card-frictionless",
            Actor::CardWithAction => "card-approved",
            Actor::CardDeclinedSoft => "card-declined-soft",
            Actor::CardDeclinedFinal => "card-declined-final",
            Actor::CardRejected => "card-rejected",
            Actor::BankAccount => "iban-approved",
            Actor::Paypal => "paypal-approved",
            Actor::Nobody => "nothing",
        };
        token.to_owned()
    }

    async fn decide_charge(&self, key: ChargeKey, decision: &Decision) {
        self.provider.decide_charge(key, decision).await.expect("it can be decided");
    }

    async fn decide_method(&self, key: MethodKey, decision: &Decision) {
        self.provider.decide_method(key, decision).await.expect("it can be decided");
    }

    async fn dispute(&self, key: ChargeKey, amount: Money, standing: DisputeStanding) {
        assert_eq!(self.provider.dispute_charge(key, Some(amount), standing), Decided::Stands);
    }

    async fn decide_dispute(&self, key: ChargeKey, standing: DisputeStanding) {
        assert_eq!(self.provider.decide_dispute(key, standing), Decided::Stands);
    }

    async fn lose(&self, loss: Loss) {
        self.provider.network(match loss {
            Loss::Question => Network::LosesNextQuestion,
            Loss::Answer => Network::LosesNextAnswer,
        });
    }

    async fn moved(&self, key: ChargeKey) -> Moved {
        self.provider.moved(key)
    }

    async fn pushed(&self) -> Vec<RawNotice> {
        self.provider.pushed(self.now().await)
    }
}

#[tokio::test]
async fn the_provider_of_these_tests_keeps_the_contract() {
    let at = Instant::midnight(2026, 1, 1).expect("a day");
    let stage =
        InMemory { provider: Scripted::default(), account: AccountId::generate(at), now: Mutex::new(at) };
    let breaches = contract::check(&stage).await;
    assert!(breaches.is_empty(), "{breaches:#?}");
}
