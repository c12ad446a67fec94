//! What every provider must do, checked against one.
//!
//! An adapter's test makes a provider, an account, and a [`Script`]: tokens with which the provider can be
//! brought to each outcome. [`check`] answers everything it does otherwise than the port promises.

use florin_platform::id::AccountId;
use florin_settlement::{Instant, Money};

use super::{
    Charge, ChargeKey, ChargeOutcome, GiveBack, MethodKey, Provider, RefundOutcome, Register, Registration,
    Source,
};
use crate::{
    MethodKind, PaymentMethodId,
    domain::{
        payment::{Initiator, PaymentId},
        refund::RefundId,
    },
};

/// How many ask the same thing at once.
const AT_ONCE: usize = 8;

/// Tokens that bring the provider to each outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// A card that becomes VALID at once, having passed 3-D Secure, and can be charged.
    pub card_frictionless: String,
    /// A card that asks for 3-D Secure when it is registered or given for once.
    pub card_with_action: String,
    /// A card that becomes VALID at once and whose charges are declined, for now.
    pub card_declined_soft: String,
    /// A card that becomes VALID at once and whose charges are declined for good.
    pub card_declined_final: String,
    /// A card that becomes VALID at once, and whose charges are captured while the answer is lost.
    pub card_answer_lost: String,
    /// A card the provider refuses to register.
    pub card_rejected: String,
    /// A bank account: its registration waits for the mandate.
    pub bank_account: String,
    /// What the provider does not know.
    pub unknown: String,
    /// An amount it can take.
    pub amount: Money,
    /// When the keys are made.
    pub at: Instant,
}

/// A promise of the port that the provider breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach(String);

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every promise `provider` breaks; empty if it keeps them all.
pub async fn check(provider: &dyn Provider, account: AccountId, script: &Script) -> Vec<Breach> {
    let mut trial = Trial { provider, account, script, breaches: Vec::new() };
    trial.recognition().await;
    trial.registration().await;
    trial.charges().await;
    trial.one_off_charges().await;
    trial.lost_answers().await;
    trial.refunds().await;
    trial.breaches
}

struct Trial<'t> {
    provider: &'t dyn Provider,
    account: AccountId,
    script: &'t Script,
    breaches: Vec<Breach>,
}

impl Trial<'_> {
    fn hold(&mut self, promise: &str, kept: bool, seen: &dyn std::fmt::Debug) {
        if !kept {
            self.breaches.push(Breach(format!("{promise}; seen: {seen:?}")));
        }
    }

    fn method_key(&self) -> MethodKey {
        MethodKey { account: self.account, method: PaymentMethodId::generate(self.script.at) }
    }

    fn charge_key(&self) -> ChargeKey {
        ChargeKey { account: self.account, payment: PaymentId::generate(self.script.at) }
    }

    fn register_as(&self, kind: MethodKind, token: &str) -> Register {
        Register { key: self.method_key(), kind, token: token.to_owned() }
    }

    fn charge_of(&self, source: Source, initiator: Initiator) -> Charge {
        let description = "contract".to_owned();
        Charge { key: self.charge_key(), amount: self.script.amount, source, initiator, description }
    }

    /// Registers `token` and gives a merchant-initiated charge on it, if it became VALID at once.
    async fn on_registered(&mut self, token: &str) -> Option<Charge> {
        let registered = self.provider.register(&self.register_as(MethodKind::Card, token)).await;
        match registered {
            Ok(Registration::Valid { reference, .. }) => {
                Some(self.charge_of(Source::Registered { reference }, Initiator::Merchant))
            }
            other => {
                self.hold(&format!("{token} becomes VALID at once"), false, &other);
                None
            }
        }
    }

    async fn recognition(&mut self) {
        let Script { card_frictionless, bank_account, unknown, .. } = self.script;
        let card = self.provider.recognise(card_frictionless).await;
        self.hold("a card is recognised as one", matches!(card, Ok(Some(MethodKind::Card))), &card);
        let bank = self.provider.recognise(bank_account).await;
        self.hold(
            "a bank account is recognised as one",
            matches!(bank, Ok(Some(MethodKind::BankAccount))),
            &bank,
        );
        let nothing = self.provider.recognise(unknown).await;
        self.hold("an unknown token is said to be unknown", matches!(nothing, Ok(None)), &nothing);
        self.hold(
            "cards are on offer",
            self.provider.kinds().contains(&MethodKind::Card),
            &self.provider.kinds(),
        );
    }

    async fn registration(&mut self) {
        let never = self.provider.registration(self.method_key()).await;
        self.hold("a registration that never arrived is not known", matches!(never, Ok(None)), &never);

        let card = self.register_as(MethodKind::Card, &self.script.card_frictionless);
        let first = self.provider.register(&card).await;
        let passed = matches!(&first, Ok(Registration::Valid { details, .. }) if details.three_d_secure);
        self.hold("a card that becomes VALID has passed 3-D Secure", passed, &first);
        let hidden = matches!(&first, Ok(Registration::Valid { details, .. })
            if !details.masked.is_empty() && details.masked.chars().filter(char::is_ascii_digit).count() <= 4);
        self.hold("at most four digits of a card are shown", hidden, &first);
        let again = self.provider.register(&card).await;
        self.hold(
            "registering again under the same key is the same registration",
            same(&first, &again),
            &again,
        );
        let known = self.provider.registration(card.key).await;
        let found = matches!((&first, &known), (Ok(first), Ok(Some(known))) if first == known);
        self.hold("a registration can be looked up by its key", found, &known);

        for (kind, token) in [
            (MethodKind::Card, &self.script.card_with_action),
            (MethodKind::BankAccount, &self.script.bank_account),
        ] {
            let waits = self.provider.register(&self.register_as(kind, token)).await;
            let sent = matches!(&waits, Ok(Registration::ActionRequired { url, .. }) if url.contains("://"));
            self.hold("whoever has to act is told where", sent, &waits);
            let unproven =
                matches!(&waits, Ok(Registration::ActionRequired { details, .. }) if !details.three_d_secure);
            self.hold("nothing has passed 3-D Secure before the customer acted", unproven, &waits);
        }
        let rejected =
            self.provider.register(&self.register_as(MethodKind::Card, &self.script.card_rejected)).await;
        self.hold("a card can be rejected", matches!(rejected, Ok(Registration::Rejected { .. })), &rejected);
    }

    async fn charges(&mut self) {
        let never = self.provider.fetch(self.charge_key()).await;
        self.hold("a charge that never arrived is not known", matches!(never, Ok(None)), &never);
        let Script { card_frictionless, card_declined_soft, card_declined_final, .. } = self.script;
        for (token, expected) in [
            (card_frictionless, "succeeded"),
            (card_declined_soft, "declined soft"),
            (card_declined_final, "declined final"),
        ] {
            let Some(charge) = self.on_registered(token).await else { continue };
            let first = self.provider.charge(&charge).await;
            self.hold(&format!("a charge on {token} is {expected}"), word(&first) == expected, &first);
            let again = self.provider.charge(&charge).await;
            self.hold("charging again under the same key is the same charge", same(&first, &again), &again);
            let known = self.provider.fetch(charge.key).await;
            let found = matches!((&first, &known), (Ok(first), Ok(Some(known))) if first == known);
            self.hold("a charge can be looked up by its key", found, &known);
        }
    }

    async fn one_off_charges(&mut self) {
        let Script { card_with_action, bank_account, .. } = self.script;
        let card = Source::OneOffCard { token: card_with_action.clone() };
        let charge = self.charge_of(card, Initiator::Customer);
        let waits = self.provider.charge(&charge).await;
        let sent = matches!(&waits, Ok(ChargeOutcome::ActionRequired { url }) if url.contains("://"));
        self.hold("a card given for once passes 3-D Secure first (R3.3)", sent, &waits);
        let again = self.provider.charge(&charge).await;
        self.hold("asking again does not make it pass", same(&waits, &again), &again);
        let bank = Source::OneOffCard { token: bank_account.clone() };
        let refused = self.provider.charge(&self.charge_of(bank, Initiator::Customer)).await;
        self.hold("nothing but a card pays for once (R3.3)", word(&refused) == "declined final", &refused);
    }

    async fn lost_answers(&mut self) {
        let Some(charge) = self.on_registered(&self.script.card_answer_lost).await else { return };
        let lost = self.provider.charge(&charge).await;
        self.hold("a lost answer is an error, not an outcome", lost.is_err(), &lost);
        let known = self.provider.fetch(charge.key).await;
        self.hold(
            "a lost answer is found by its key",
            matches!(known, Ok(Some(ChargeOutcome::Succeeded))),
            &known,
        );
    }

    async fn refunds(&mut self) {
        let Some(charge) = self.on_registered(&self.script.card_frictionless).await else { return };
        let unpaid = self.give_back(charge.key);
        let refused = self.provider.refund(&unpaid).await;
        let kept = matches!(refused, Ok(RefundOutcome::Refused { .. }));
        self.hold("what was never captured does not go back", kept, &refused);
        if let Err(error) = self.provider.charge(&charge).await {
            self.hold("a charge to be given back succeeds", false, &error);
        }
        let refund = self.give_back(charge.key);
        for turn in ["captured money goes back", "giving back again under the same key is the same refund"] {
            let done = self.provider.refund(&refund).await;
            self.hold(turn, matches!(done, Ok(RefundOutcome::Done)), &done);
        }
        let Some(other) = self.on_registered(&self.script.card_frictionless).await else { return };
        if let Err(error) = self.provider.charge(&other).await {
            self.hold("a charge to be given back succeeds", false, &error);
        }
        let refund = self.give_back(other.key);
        for done in futures::future::join_all((0..AT_ONCE).map(|_| self.provider.refund(&refund))).await {
            let kept = matches!(done, Ok(RefundOutcome::Done));
            self.hold("giving back many times at once under one key is one refund", kept, &done);
        }
        let twice = self.provider.refund(&self.give_back(charge.key)).await;
        let kept = matches!(twice, Ok(RefundOutcome::Refused { .. }));
        self.hold("no more goes back than was captured", kept, &twice);
    }

    fn give_back(&self, charge: ChargeKey) -> GiveBack {
        GiveBack { key: RefundId::generate(self.script.at), charge, amount: self.script.amount }
    }
}

fn same<T: PartialEq, E>(one: &Result<T, E>, other: &Result<T, E>) -> bool {
    matches!((one, other), (Ok(one), Ok(other)) if one == other)
}

fn word<E>(outcome: &Result<ChargeOutcome, E>) -> &'static str {
    match outcome {
        Ok(ChargeOutcome::Succeeded) => "succeeded",
        Ok(ChargeOutcome::Pending) => "pending",
        Ok(ChargeOutcome::DeclinedSoft { .. }) => "declined soft",
        Ok(ChargeOutcome::DeclinedFinal { .. }) => "declined final",
        Ok(ChargeOutcome::ActionRequired { .. }) => "action required",
        Err(_) => "unknown",
    }
}
