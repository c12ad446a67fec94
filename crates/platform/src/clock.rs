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

    /// Makes `target` the present. Only the sandbox can; it never goes back.
    pub async fn move_to(self, tx: &Tx, target: Instant) -> Result<Moved, DbErr> {
        if self == Self::System {
            return Ok(Moved::NotASandbox);
        }
        if target < self.now(tx).await? {
            return Ok(Moved::Backwards);
        }
        set_offset(tx, target.micros() - machine_time().micros()).await?;
        Ok(Moved::Done)
    }

    /// Sets where a new sandbox begins. Has no effect once its clock has been set.
    pub async fn start_sandbox_at(tx: &Tx, start: Instant) -> Result<(), DbErr> {
        let offset = start.micros() - machine_time().micros();
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
    /// The target lies before the present.
    Backwards,
    /// The machine's clock is not ours to move.
    NotASandbox,
}

async fn set_offset(tx: &Tx, offset: i64) -> Result<(), DbErr> {
    let text = "INSERT INTO sandbox_clock (id, offset_micros) VALUES (1, $1) \
                ON CONFLICT (id) DO UPDATE SET offset_micros = excluded.offset_micros";
    tx.execute_raw(sql(tx, text, [offset.into()])).await?;
    Ok(())
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
