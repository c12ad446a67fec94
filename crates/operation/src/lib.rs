//! Notices, approvals, the sandbox clock and jobs: what operators see and run.
//!
//! Owns: reading notices, deciding acts that wait for a second person ([`Acts`]), moving the sandbox clock, running what is due ([`Schedule`]).
//! Always holds: time in the sandbox passes from due instant to due instant, never over one (R1.7).
//! Refuses to know: what a notice says and what a job does; those belong to the slice that owns them.

mod approvals;
mod convert;
mod error;
mod grpc;
mod schedule;
mod store;

pub use approvals::Acts;
pub use error::Error;
pub use grpc::{approval::ApprovalRpc, clock::ClockRpc, notice::NoticeRpc};
pub use schedule::{JobRun, Schedule, ScheduleError};
