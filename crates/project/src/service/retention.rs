//! Forgetting events whose ids need not be remembered any more (R5.4).
//!
//! Once a month all events are looked at in the order of their keys, some thousands at a time, and the old ones
//! deleted. There is no index by age: it would cost every event as much as the event itself, for a look that is
//! taken once a month.

use florin_platform::db::Tx;
use florin_settlement::{Instant, Month};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    error::Error,
    store::{
        usage_event::{self, Sweep},
        usage_month::{month_of, number_of},
    },
};

/// How many events are looked at in one transaction.
const LOOKED_AT: u32 = 5000;

/// When there is something to do: in a month for which nothing was done yet, or now, if a month was not finished.
pub(crate) async fn next_due(connection: &impl ConnectionTrait) -> Result<Option<Instant>, DbErr> {
    match usage_event::sweep(connection).await? {
        Some(Sweep { month, after: Some(_) }) => Ok(Some(month_of(month)?.start())),
        Some(Sweep { month, after: None }) => Ok(Some(month_of(month)?.end())),
        None if usage_event::any(connection).await? => Ok(Some(Instant::MIN)),
        None => Ok(None),
    }
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// There are more events to look at.
    MoreToLookAt,
    /// All were looked at.
    Done,
    /// The month is done with.
    NothingDue,
}

/// Looks at the next events and deletes those received more than `memory_months` before `month`.
pub(crate) async fn forget_some(tx: &Tx, month: Month, memory_months: u32) -> Result<Step, Error> {
    let after = match usage_event::sweep(tx).await? {
        Some(Sweep { month: done, after: None }) if done >= number_of(month) => return Ok(Step::NothingDue),
        Some(Sweep { month: begun, after }) if begun == number_of(month) => after,
        Some(_) | None => None,
    };
    let horizon = horizon(month, memory_months);
    let after = usage_event::forget(tx, horizon, after.as_ref(), LOOKED_AT).await?;
    let step = if after.is_some() { Step::MoreToLookAt } else { Step::Done };
    usage_event::keep_sweep(tx, &Sweep { month: number_of(month), after }).await?;
    Ok(step)
}

/// The first instant of the month `memory_months` before `month`: who received an event then has remembered it long
/// enough.
fn horizon(month: Month, memory_months: u32) -> Instant {
    (0..memory_months).fold(month, |month, _| month.previous()).start()
}
