//! Notices: signed, and believed for nothing but what to look at.

use std::time::Duration;

use super::{
    Actor, Charge, ChargeOutcome, Decision, DisputeStanding, Initiator, MethodKind, Notice, NoticeRefused,
    NoticeSubject, RawNotice, Source, Trial,
};
use crate::provider::News;

/// After so long, a notice is a replay.
const LATE: Duration = Duration::from_secs(24 * 3600);

impl Trial<'_> {
    pub(super) async fn notices(&mut self) {
        if self.capabilities.news == News::Asked {
            let raw = RawNotice { headers: Vec::new(), body: b"{}".to_vec() };
            let answer = self.provider().read_notice(&raw, self.stage.now().await).await;
            let kept = matches!(answer, Err(NoticeRefused::NotPushed));
            self.hold("who pushes no notices believes none", kept, &answer);
            return;
        }
        // What was pushed for the acts before is not asked for.
        self.stage.pushed().await;
        self.of_methods().await;
        let Some((charge, raws)) = self.of_a_charge().await else { return };
        self.out_of_order_and_twice(&charge, &raws).await;
        let Some(raw) = raws.first() else { return };
        self.forged(raw).await;
        self.late(raw).await;
    }

    async fn read(&mut self, raw: &RawNotice) -> Vec<Notice> {
        let now = self.stage.now().await;
        match self.provider().read_notice(raw, now).await {
            Ok(notices) => notices,
            Err(error) => {
                self.hold("what the provider pushes can be read", false, &error);
                Vec::new()
            }
        }
    }

    async fn of_methods(&mut self) {
        let register = self.register_as(MethodKind::Card, Actor::CardWithAction).await;
        let waits = self.provider().register(&register).await;
        self.hold("a card can be registered", waits.is_ok(), &waits);
        self.stage.decide_method(register.key, &Decision::Approved).await;
        let mut about = Vec::new();
        for raw in self.stage.pushed().await {
            about.extend(self.read(&raw).await.into_iter().map(|notice| notice.about));
        }
        let told = about.contains(&NoticeSubject::Method(register.key));
        self.hold("a notice tells that a method was approved", told, &about);
    }

    /// A charge given for once, approved by the customer, disputed and won, with what was pushed on the way.
    async fn of_a_charge(&mut self) -> Option<(Charge, Vec<RawNotice>)> {
        let token = self.stage.token(Actor::CardWithAction).await;
        let charge = self.charge_on(Source::OneOffCard { token }, Initiator::Customer).await;
        let waits = self.provider().charge(&charge).await;
        self.hold("a card can be given for once", waits.is_ok(), &waits);
        let mut raws = Vec::new();
        self.stage.decide_charge(charge.key, &Decision::Approved).await;
        raws.extend(self.told_of(&charge, "a notice tells that a charge was approved").await);
        self.stage.dispute(charge.key, charge.amount, DisputeStanding::Open).await;
        raws.extend(self.told_of(&charge, "a notice tells of a dispute").await);
        self.stage.decide_dispute(charge.key, DisputeStanding::Won).await;
        raws.extend(self.told_of(&charge, "a notice tells that a dispute was won").await);
        Some((charge, raws))
    }

    /// The notices about `charge` pushed since the last act; there is one.
    async fn told_of(&mut self, charge: &Charge, promise: &str) -> Vec<RawNotice> {
        let mut found = Vec::new();
        let pushed = self.stage.pushed().await;
        for raw in &pushed {
            if self.read(raw).await.iter().any(|notice| notice.about == NoticeSubject::Charge(charge.key)) {
                found.push(raw.clone());
            }
        }
        self.hold(promise, !found.is_empty(), &pushed);
        found
    }

    /// Whatever comes last, asking tells how it is.
    async fn out_of_order_and_twice(&mut self, charge: &Charge, raws: &[RawNotice]) {
        for raw in raws.iter().rev().chain(raws) {
            let first = self.read(raw).await;
            let again = self.read(raw).await;
            self.hold("a notice delivered again is the same notice", first == again, &again);
            let Some(report) = self.standing(charge, None).await else { return };
            let settled = report.outcome == ChargeOutcome::Succeeded
                && report.disputes.iter().all(|dispute| dispute.standing == DisputeStanding::Won);
            self.hold("a late notice takes nothing back", settled, &report);
        }
    }

    async fn forged(&mut self, raw: &RawNotice) {
        let now = self.stage.now().await;
        let mut other_body = raw.clone();
        other_body.body.push(b' ');
        let unsigned = RawNotice { headers: Vec::new(), body: raw.body.clone() };
        let mut other_signature = raw.clone();
        for (_, value) in &mut other_signature.headers {
            *value = value.chars().map(|character| if character == 'a' { 'b' } else { 'a' }).collect();
        }
        for forged in [other_body, unsigned, other_signature] {
            let answer = self.provider().read_notice(&forged, now).await;
            let kept = matches!(answer, Err(NoticeRefused::Forged));
            self.hold("a forged notice is not believed", kept, &answer);
        }
    }

    async fn late(&mut self, raw: &RawNotice) {
        self.stage.pass(LATE).await;
        let answer = self.provider().read_notice(raw, self.stage.now().await).await;
        self.hold("a notice from long ago is a replay", matches!(answer, Err(NoticeRefused::Stale)), &answer);
    }
}
