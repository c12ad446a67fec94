//! Where time comes from (R1.7).
//!
//! In production it is the machine's. In sandbox mode it is the machine's plus an offset kept in a
//! database row, so that every replica lives at the same instant and a lifecycle takes a second.

use chrono::Utc;
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::db::{Tx, sql};

/// The injected clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// The machine's clock moved by the offset in the database.
    Sandbox,
}

impl Clock {
    /// The present instant, in UTC microseconds, as seen through `connection`.
    pub async fn now(self, connection: &impl ConnectionTrait) -> Result<Instant, DbErr> {
        let machine = machine_time();
        match self {
            Self::System => Ok(machine),
            Self::Sandbox => {
                let statement = sql(connection, "SELECT offset_micros FROM sandbox_clock WHERE id = 1", []);
                let offset: i64 = match connection.query_one_raw(statement).await? {
                    Some(row) => row.try_get_by_index(0)?,
                    None => 0,
                };
                shifted(machine, offset)
            }
        }
    }

    /// The present instant, where the sandbox's offset was read with something else.
    ///
    /// # Errors
    /// A sandbox clock that left the calendar.
    pub fn now_ahead_by(self, offset_micros: i64) -> Result<Instant, DbErr> {
        match self {
            Self::System => Ok(machine_time()),
            Self::Sandbox => shifted(machine_time(), offset_micros),
        }
    }

    /// Makes `target` the present, or leaves the clock alone if it is past it already. Only the sandbox can.
    ///
    /// The later of two moves at once wins, whichever commits first: the offset only grows.
    pub async fn move_to(self, tx: &Tx, target: Instant) -> Result<Moved, DbErr> {
        if self == Self::System {
            return Ok(Moved::NotASandbox);
        }
        let text = "INSERT INTO sandbox_clock (id, offset_micros) VALUES (1, $1) \
                    ON CONFLICT (id) DO UPDATE SET offset_micros = excluded.offset_micros \
                    WHERE sandbox_clock.offset_micros < excluded.offset_micros";
        let offset = target.micros() - machine_time().micros();
        let grown = tx.execute_raw(sql(tx, text, [offset.into()])).await?.rows_affected() == 1;
        Ok(if grown { Moved::Done } else { Moved::Passed })
    }

    /// Sets where a new sandbox begins: at `start`, or now. Has no effect on a sandbox that has begun.
    pub async fn begin_sandbox(tx: &Tx, start: Option<Instant>) -> Result<(), DbErr> {
        let offset = start.map_or(0, |start| start.micros() - machine_time().micros());
        let text = "INSERT INTO sandbox_clock (id, offset_micros) VALUES (1, $1) ON CONFLICT (id) DO NOTHING";
        tx.execute_raw(sql(tx, text, [offset.into()])).await?;
        Ok(())
    }
}

/// What became of an attempt to move the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It is now the wanted instant.
    Done,
    /// The clock is past the target already; it does not go back.
    Passed,
    /// The machine's clock is not ours to move.
    NotASandbox,
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
fn machine_time() -> Instant {
    Instant::new(Utc::now())
}

fn shifted(machine: Instant, offset_micros: i64) -> Result<Instant, DbErr> {
    machine
        .micros()
        .checked_add(offset_micros)
        .and_then(|micros| Instant::from_micros(micros).ok())
        .ok_or_else(|| DbErr::Custom("the sandbox clock left the calendar".to_owned()))
}
