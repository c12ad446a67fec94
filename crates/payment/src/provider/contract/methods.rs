//! Registering, approving, refusing and forgetting methods.

use super::{Actor, ChargeOutcome, Decision, Finality, MethodKind, Registration, Trial, same};
use crate::provider::Forget;

impl Trial<'_> {
    pub(super) async fn methods(&mut self) {
        self.recognition().await;
        self.registration_at_once().await;
        for (kind, actor) in [
            (MethodKind::Card, Actor::CardWithAction),
            (MethodKind::BankAccount, Actor::BankAccount),
            (MethodKind::Paypal, Actor::Paypal),
        ] {
            if !self.capabilities.kinds.contains(&kind) {
                continue;
            }
            if self.capabilities.approved_apart.contains(&kind) {
                self.registration_with_action(kind, actor).await;
            } else {
                let register = self.register_as(kind, actor).await;
                let valid = self.provider().register(&register).await;
                let kept = matches!(valid, Ok(Registration::Valid { .. }));
                self.hold(&format!("{actor:?} is approved at the form"), kept, &valid);
            }
        }
        let rejected = self.register_as(MethodKind::Card, Actor::CardRejected).await;
        let answer = self.provider().register(&rejected).await;
        self.hold("a card can be rejected", matches!(answer, Ok(Registration::Rejected { .. })), &answer);
        self.forgetting().await;
    }

    async fn recognition(&mut self) {
        for (actor, kind) in [
            (Actor::Card, MethodKind::Card),
            (Actor::BankAccount, MethodKind::BankAccount),
            (Actor::Paypal, MethodKind::Paypal),
        ] {
            if self.capabilities.kinds.contains(&kind) {
                let seen = self.provider().recognise(&self.stage.token(actor).await).await;
                self.hold(
                    &format!("{actor:?} is recognised"),
                    matches!(seen, Ok(Some(seen)) if seen == kind),
                    &seen,
                );
            }
        }
        let nothing = self.provider().recognise(&self.stage.token(Actor::Nobody).await).await;
        self.hold("an unknown token is said to be unknown", matches!(nothing, Ok(None)), &nothing);
    }

    async fn registration_at_once(&mut self) {
        let card = self.register_as(MethodKind::Card, Actor::Card).await;
        let never = self.provider().registration(&card, None).await;
        self.hold("a registration that never arrived is not known", matches!(never, Ok(None)), &never);
        let first = self.provider().register(&card).await;
        let passed = matches!(&first, Ok(Registration::Valid { details, .. }) if details.three_d_secure);
        self.hold("a card that becomes VALID has passed 3-D Secure", passed, &first);
        let hidden = matches!(&first, Ok(Registration::Valid { details, .. })
            if !details.masked.is_empty() && details.masked.chars().filter(char::is_ascii_digit).count() <= 4);
        self.hold("at most four digits of a card are shown", hidden, &first);
        let dated = matches!(&first, Ok(Registration::Valid { details, .. }) if details.expiry.is_some());
        self.hold("a card has a last month", dated, &first);
        let again = self.provider().register(&card).await;
        let kept = same(&first, &again);
        self.hold("registering again under the same key is the same registration", kept, &again);
        let reference = match &first {
            Ok(Registration::Valid { reference, .. }) => Some(reference.as_str()),
            Ok(_) | Err(_) => None,
        };
        for reference in [None, reference] {
            let known = self.provider().registration(&card, reference).await;
            let found = matches!((&first, &known), (Ok(first), Ok(Some(known))) if first == known);
            self.hold("a registration can be looked up, with and without a reference", found, &known);
        }
    }

    async fn registration_with_action(&mut self, kind: MethodKind, actor: Actor) {
        let decline = Decision::Declined { code: "declined_by_test".to_owned(), finality: Finality::Final };
        for decision in [Decision::Approved, decline] {
            let register = self.register_as(kind, actor).await;
            let waits = self.provider().register(&register).await;
            let Ok(Registration::ActionRequired { reference, url, details }) = &waits else {
                self.hold(&format!("{actor:?} has to be approved by the customer"), false, &waits);
                continue;
            };
            self.hold("whoever has to act is told where", url.contains("://"), &waits);
            self.hold(
                "nothing has passed 3-D Secure before the customer acted",
                !details.three_d_secure,
                &waits,
            );
            let meanwhile = self.provider().registration(&register, reference.as_deref()).await;
            let waiting = matches!(meanwhile, Ok(Some(Registration::ActionRequired { .. })));
            self.hold("asking does not approve", waiting, &meanwhile);
            self.stage.decide_method(register.key, &decision).await;
            let after = self.provider().registration(&register, reference.as_deref()).await;
            let kept = match (&after, &decision) {
                (Ok(Some(Registration::Valid { details, .. })), Decision::Approved) => {
                    details.three_d_secure == (kind == MethodKind::Card)
                }
                (Ok(Some(Registration::Failed { code })), Decision::Declined { .. }) => !code.is_empty(),
                (Ok(_) | Err(_), Decision::Approved | Decision::Declined { .. }) => false,
            };
            self.hold(&format!("{actor:?} follows what the customer decides"), kept, &after);
        }
    }

    async fn forgetting(&mut self) {
        let Some((register, charge)) = self.registered(MethodKind::Card, Actor::Card).await else { return };
        let reference = match &charge.source {
            crate::provider::Source::Registered { reference, .. } => Some(reference.clone()),
            crate::provider::Source::OneOffCard { .. } => None,
        };
        let forget = Forget { key: register.key, reference: reference.clone() };
        for turn in ["a method can be forgotten", "what is forgotten can be forgotten again"] {
            let done = self.provider().forget(&forget).await;
            self.hold(turn, done.is_ok(), &done);
        }
        let after = self.provider().registration(&register, reference.as_deref()).await;
        let gone = matches!(after, Ok(None | Some(Registration::Revoked { .. })));
        self.hold("what is forgotten is revoked, or not known", gone, &after);
        let charged = self.provider().charge(&charge).await;
        let refused =
            matches!(&charged, Ok(report) if matches!(report.outcome, ChargeOutcome::DeclinedFinal { .. }));
        self.hold("what is forgotten is never charged again", refused, &charged);
        let never = self.register_as(MethodKind::Card, Actor::Card).await;
        let done = self.provider().forget(&Forget { key: never.key, reference: None }).await;
        self.hold("forgetting what never arrived is done already", done.is_ok(), &done);
    }
}
