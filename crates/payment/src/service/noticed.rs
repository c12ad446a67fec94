//! What a provider pushes is verified, and then only a reason to ask it ([`crate::provider::notice`]).

use florin_platform::call::Call;

use super::{methods::Methods, payments::Payments};
use crate::{
    error::Error,
    provider::{NoticeRefused, NoticeSubject, ProviderUnknown, RawNotice},
};

/// Why a notice was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// It is not believed, or cannot be read.
    #[error(transparent)]
    Refused(#[from] NoticeRefused),
    /// It is believed, and what it is about could not be looked at: it is to be delivered again.
    #[error("what the notice is about could not be looked at")]
    Later(#[source] Error),
}

/// Takes in a notice; how many things were looked at because of it. Call it with no transaction open. What the
/// notice is about and Florin does not know is none of its business: several systems may share one provider.
///
/// # Errors
/// [`NoticeError::Refused`] for a notice not to be delivered again, [`NoticeError::Later`] for one that is.
pub async fn take_notice(
    payments: &Payments,
    methods: &Methods,
    call: &Call,
    raw: &RawNotice,
) -> Result<usize, NoticeError> {
    let now = payments.platform.clock.now(payments.platform.db.reader()).await;
    let now = now.map_err(|error| NoticeError::Later(error.into()))?;
    let notices = match payments.provider.read_notice(raw, now).await {
        Ok(notices) => notices,
        Err(NoticeRefused::Unknown(unknown)) => return Err(later(unknown)),
        Err(refused) => return Err(refused.into()),
    };
    let mut looked = 0;
    for notice in &notices {
        let done = match notice.about {
            NoticeSubject::Charge(key) => payments.noticed(call, key.account, key.payment).await.map(|_| ()),
            NoticeSubject::Method(key) => methods.noticed(call, key.account, key.method).await.map(|_| ()),
            NoticeSubject::Refund { account, refund, .. } => payments.give_back(call, account, refund).await,
        };
        match done {
            Ok(()) => looked += 1,
            Err(Error::NotFound(name)) => {
                tracing::info!(notice = notice.id, name, "a notice of nothing here")
            }
            Err(error) => return Err(NoticeError::Later(error)),
        }
    }
    Ok(looked)
}

fn later(unknown: ProviderUnknown) -> NoticeError {
    NoticeError::Later(Error::ProviderUnavailable(unknown))
}
