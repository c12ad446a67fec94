//! A provider in memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use florin_payment::{
    MethodDetails, MethodKind, RefundId,
    provider::{
        Capabilities, Charge, ChargeKey, ChargeOutcome, ChargeReport, Forget, GiveBack, MethodKey, News,
        Notice, NoticeRefused, Provider, ProviderUnknown, RawNotice, RefundOutcome, RefundReport, Register,
        Registration,
    },
};
use florin_settlement::Instant;

/// A provider in memory: what it was asked to do, it does at once, unless it was told otherwise.
#[derive(Debug, Default)]
pub(crate) struct Till {
    registered: Mutex<HashMap<MethodKey, String>>,
    charged: Mutex<HashSet<ChargeKey>>,
    given_back: Mutex<HashMap<RefundId, i64>>,
    loses_refunds: AtomicBool,
    mood: Mutex<Mood>,
}

/// How the till answers charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Approves,
    Declines,
    /// For good, once; then it approves.
    DeclinesOnce,
    DeclinesForNow,
    Ponders,
    Asks,
}

impl Till {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    pub(crate) fn charges(&self) -> usize {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// What it gave back, by refund, in cents.
    pub(crate) fn given_back(&self) -> Vec<i64> {
        let given_back = self.given_back.lock().unwrap_or_else(PoisonError::into_inner);
        let mut refunds: Vec<_> = given_back.iter().map(|(key, minor)| (*key, *minor)).collect();
        refunds.sort_unstable();
        refunds.into_iter().map(|(_, minor)| minor).collect()
    }

    /// Whether it makes refunds and then does not say so.
    pub(crate) fn lose_refunds(&self, lost: bool) {
        self.loses_refunds.store(lost, Ordering::SeqCst);
    }

    fn report(&self) -> ChargeReport {
        let outcome = match *self.mood.lock().unwrap_or_else(PoisonError::into_inner) {
            Mood::Approves => ChargeOutcome::Succeeded,
            Mood::Declines | Mood::DeclinesOnce => {
                ChargeOutcome::DeclinedFinal { code: "no_funds".to_owned() }
            }
            Mood::DeclinesForNow => ChargeOutcome::DeclinedSoft { code: "try_later".to_owned() },
            Mood::Asks => ChargeOutcome::ActionRequired { url: "https://bank.example.com/3ds".to_owned() },
            Mood::Ponders => ChargeOutcome::Pending,
        };
        ChargeReport { reference: None, outcome, disputes: Vec::new() }
    }

    fn valid(token: &str) -> Registration {
        let details = MethodDetails {
            masked: "**** 4242".to_owned(),
            expiry: None,
            three_d_secure: true,
            country: None,
        };
        Registration::Valid { reference: format!("till/{token}"), details }
    }
}

#[async_trait::async_trait]
impl Provider for Till {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &[MethodKind::Card],
            refundable: &[MethodKind::Card],
            approved_apart: &[MethodKind::Card],
            news: News::Asked,
            statement_characters_max: 22,
        }
    }

    async fn recognise(&self, _token: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        Ok(Some(MethodKind::Card))
    }

    async fn register(&self, method: &Register) -> Result<Registration, ProviderUnknown> {
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        registered.insert(method.key, method.token.clone());
        Ok(Self::valid(&method.token))
    }

    async fn registration(
        &self,
        method: &Register,
        _: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        let registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(registered.get(&method.key).map(|token| Self::valid(token)))
    }

    async fn forget(&self, _: &Forget) -> Result<(), ProviderUnknown> {
        Ok(())
    }

    async fn charge(&self, charge: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner).insert(charge.key);
        let report = self.report();
        let mut mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        if *mood == Mood::DeclinesOnce {
            *mood = Mood::Approves;
        }
        Ok(report)
    }

    async fn fetch(&self, charge: &Charge, _: Option<&str>) -> Result<Option<ChargeReport>, ProviderUnknown> {
        let known = self.charged.lock().unwrap_or_else(PoisonError::into_inner).contains(&charge.key);
        Ok(known.then(|| self.report()))
    }

    async fn refund(&self, refund: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        let mut given_back = self.given_back.lock().unwrap_or_else(PoisonError::into_inner);
        given_back.insert(refund.key, refund.amount.minor());
        if self.loses_refunds.load(Ordering::SeqCst) {
            return Err(ProviderUnknown::new("the line is cut"));
        }
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
