//! Notices and clocks on the wire.

use florin_api::{operation::v1 as operation, sandbox::v1 as sandbox};
use florin_platform::{
    notice::SECRET,
    secret::ServerKey,
    wire::{child_name, timestamp},
};
use florin_settlement::Instant;

use crate::{schedule::JobRun, store::Raised};

/// Renders a notice; its secret, if it has one, is derived for this answer only.
pub(crate) fn notice(raised: &Raised, key: &ServerKey) -> operation::Notice {
    let body = match &raised.secret_purpose {
        Some(purpose) => raised.body.replace(SECRET, &key.reveal(purpose)),
        None => raised.body.clone(),
    };
    operation::Notice {
        name: child_name(raised.account_id, "notices", raised.id),
        kind: raised.kind.clone(),
        language: raised.language.clone(),
        subject: raised.subject.clone(),
        body,
        create_time: Some(timestamp(raised.created_at.into())),
    }
}

/// Renders the sandbox clock; the offset is against the machine's.
pub(crate) fn clock(now: Instant, machine: Instant) -> sandbox::Clock {
    let offset = now.micros() - machine.micros();
    sandbox::Clock {
        name: "clock".to_owned(),
        current_time: Some(timestamp(now)),
        offset: Some(prost_types::Duration {
            seconds: offset / 1_000_000,
            nanos: i32::try_from(offset % 1_000_000 * 1000).unwrap_or_default(),
        }),
    }
}

/// Renders a run of a job.
pub(crate) fn job_run(run: &JobRun) -> sandbox::JobRun {
    sandbox::JobRun {
        job: run.job.to_owned(),
        run_time: Some(timestamp(run.at)),
        done_count: i64::from(run.done),
    }
}
