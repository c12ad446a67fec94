//! The ceilings of [`crate::domain::limit`], looked up with the account locked.

use florin_platform::id::AccountId;
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        limit::{
            AUTOMATIC_DECLINES_PER_DAY_MAX, AutomaticAttempts, LINK_ATTEMPTS_PER_DAY_MAX,
            REFUSED_REGISTRATIONS_PER_DAY_MAX, REGISTRATIONS_PER_DAY_MAX, STOPPED, day_before, was_declined,
        },
        method::PaymentMethodId,
    },
    error::Error,
    store,
};

/// Refuses if the account began or failed to register too many methods lately.
pub(crate) async fn check_registrations(
    connection: &impl ConnectionTrait,
    account: AccountId,
    at: Instant,
) -> Result<(), Error> {
    let since = day_before(at);
    for (nth, refused) in [(REGISTRATIONS_PER_DAY_MAX, false), (REFUSED_REGISTRATIONS_PER_DAY_MAX, true)] {
        let reached = store::method::nth_latest(connection, account, since, nth, refused).await?;
        wait_for(reached, at)?;
    }
    Ok(())
}

/// Refuses if too many cards were tried through the account's payment links lately.
pub(crate) async fn check_links(
    connection: &impl ConnectionTrait,
    account: AccountId,
    at: Instant,
) -> Result<(), Error> {
    let nth = LINK_ATTEMPTS_PER_DAY_MAX;
    let reached = store::payment::nth_latest_one_off(connection, account, day_before(at), nth).await?;
    wait_for(reached, at)
}

/// The next place is free a day after the attempt that took the last one.
fn wait_for(reached: Option<Instant>, at: Instant) -> Result<(), Error> {
    match reached {
        None => Ok(()),
        Some(attempt) => {
            Err(Error::AttemptsLimited { retry_after: attempt.plus_days(1).saturating_since(at) })
        }
    }
}

/// Whether another automatic attempt may be made on a method at `at`.
pub(crate) async fn allows_another(
    connection: &impl ConnectionTrait,
    account: AccountId,
    method: PaymentMethodId,
    at: Instant,
) -> Result<bool, DbErr> {
    let day = store::payment::automatic(connection, (account, method), day_before(at), STOPPED).await?;
    Ok(day.declined < AUTOMATIC_DECLINES_PER_DAY_MAX)
}

/// How automatic attempts on a method have gone up to `at` (R6.10).
pub async fn automatic_attempts(
    connection: &impl ConnectionTrait,
    account: AccountId,
    method: PaymentMethodId,
    at: Instant,
) -> Result<AutomaticAttempts, DbErr> {
    let day = store::payment::automatic(connection, (account, method), day_before(at), STOPPED).await?;
    let latest = store::payment::latest_automatic(connection, account, method).await?;
    Ok(AutomaticAttempts {
        today: day.attempts,
        declined_today: day.declined,
        last_declined: was_declined(latest.as_ref()),
    })
}
