//! Notices, the sandbox clock and jobs: what operators see and run.
//!
//! Owns: reading notices, moving the sandbox clock, running what is due ([`Schedule`]).
//! Always holds: time in the sandbox passes from due instant to due instant, never over one (R1.7).
//! Refuses to know: what a notice says and what a job does; those belong to the slice that owns them.

mod convert;
mod error;
mod grpc;
mod schedule;
mod store;

pub use error::Error;
pub use grpc::{clock::ClockRpc, notice::NoticeRpc};
pub use schedule::{JobRun, Schedule, ScheduleError};
