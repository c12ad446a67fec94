//! Notices and clocks on the wire.

pub(crate) mod approval;

use florin_api::{operation::v1 as operation, sandbox::v1 as sandbox};
use florin_platform::{
    notice::SECRET,
    secret::ServerKey,
    wire::{child_name, timestamp},
};

use crate::{
    schedule::JobRun,
    store::{Raised, Times},
};

/// What stands for a secret that is not for this reader.
const MASKED: &str = "••••";

/// Whether a reader may see the secrets in notices: a sandbox plays the mailbox, nobody else does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Secrets<'k> {
    /// Derived for this answer only.
    Shown(&'k ServerKey),
    /// Left out.
    Masked,
}

/// Renders a notice.
pub(crate) fn notice(raised: &Raised, secrets: Secrets<'_>) -> operation::Notice {
    let body = match (&raised.secret_purpose, secrets) {
        (Some(purpose), Secrets::Shown(key)) => raised.body.replace(SECRET, &key.reveal(purpose)),
        (Some(_), Secrets::Masked) => raised.body.replace(SECRET, MASKED),
        (None, _) => raised.body.clone(),
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
pub(crate) fn clock(times: &Times) -> sandbox::Clock {
    let offset = times.now.micros() - times.machine.micros();
    sandbox::Clock {
        name: "clock".to_owned(),
        current_time: Some(timestamp(times.now)),
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
        done_count: i64::from(run.done.unwrap_or_default()),
        failed: run.done.is_none(),
    }
}
