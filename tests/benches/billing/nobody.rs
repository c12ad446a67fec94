//! A provider nobody asks: lots pay for everything.

use florin_payment::MethodKind;
use florin_payment::provider::{
    Capabilities, Charge, ChargeReport, Forget, GiveBack, News, Notice, NoticeRefused, Provider,
    ProviderUnknown, RawNotice, RefundReport, Register, Registration,
};
use florin_settlement::Instant;

/// Answers nothing.
#[derive(Debug)]
pub(crate) struct Nobody;

fn silent<T>() -> Result<T, ProviderUnknown> {
    Err(ProviderUnknown::new("nobody is there"))
}

#[async_trait::async_trait]
impl Provider for Nobody {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kinds: &[MethodKind::Card],
            refundable: &[],
            approved_apart: &[],
            news: News::Asked,
            statement_characters_max: 22,
        }
    }

    async fn recognise(&self, _: &str) -> Result<Option<MethodKind>, ProviderUnknown> {
        silent()
    }

    async fn register(&self, _: &Register) -> Result<Registration, ProviderUnknown> {
        silent()
    }

    async fn registration(
        &self,
        _: &Register,
        _: Option<&str>,
    ) -> Result<Option<Registration>, ProviderUnknown> {
        silent()
    }

    async fn forget(&self, _: &Forget) -> Result<(), ProviderUnknown> {
        silent()
    }

    async fn charge(&self, _: &Charge) -> Result<ChargeReport, ProviderUnknown> {
        silent()
    }

    async fn fetch(&self, _: &Charge, _: Option<&str>) -> Result<Option<ChargeReport>, ProviderUnknown> {
        silent()
    }

    async fn refund(&self, _: &GiveBack) -> Result<RefundReport, ProviderUnknown> {
        silent()
    }

    async fn fetch_refund(
        &self,
        _: &GiveBack,
        _: Option<&str>,
    ) -> Result<Option<RefundReport>, ProviderUnknown> {
        silent()
    }

    async fn read_notice(&self, _: &RawNotice, _: Instant) -> Result<Vec<Notice>, NoticeRefused> {
        Err(NoticeRefused::NotPushed)
    }
}
