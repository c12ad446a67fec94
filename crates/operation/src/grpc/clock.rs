//! `florin.sandbox.v1.ClockService`. Served in sandbox mode only.

use std::sync::Mutex;

use florin_api::sandbox::v1::{
    AdvanceClockRequest, AdvanceClockResponse, Clock, GetClockRequest, advance_clock_request::Target,
    clock_service_server::ClockService,
};
use florin_platform::{
    Platform, call::Call, db::Tx, id::AccountId, idempotency::RequestKey, violation::Violations,
    wire::instant,
};
use florin_settlement::Instant;
use tonic::{Request, Response, Status};

use crate::{convert, error::Error, schedule::Schedule, store};

/// The longest way the clock goes in one call.
const DAYS_MAX: i64 = 3660;

/// The sandbox clock.
#[derive(Clone)]
pub struct ClockRpc {
    platform: Platform,
    schedule: Schedule,
}

impl ClockRpc {
    /// Serves the clock of `platform`; `schedule` knows what becomes due.
    #[must_use]
    pub fn new(platform: Platform, schedule: Schedule) -> Self {
        Self { platform, schedule }
    }
}

#[tonic::async_trait]
impl ClockService for ClockRpc {
    async fn get_clock(&self, _: Request<GetClockRequest>) -> Result<Response<Clock>, Status> {
        let times = store::times(&self.platform, self.platform.db.reader()).await.map_err(Error::from)?;
        Ok(Response::new(convert::clock(&times)))
    }

    async fn advance_clock(
        &self,
        request: Request<AdvanceClockRequest>,
    ) -> Result<Response<AdvanceClockResponse>, Status> {
        let call = Call::of(&request);
        let request = &request.into_inner();
        let key = RequestKey::new(&self.platform, &call, AccountId::NONE, &request.request_id, request);
        let runs = &Mutex::new(Vec::new());
        // The target is absolute from here on: a repeated request goes on, it does not go further.
        let begin = |_tx, now| async move { target(request, now).map(|target| target.micros().to_string()) };
        let between = |target: String| async move {
            let done = self.schedule.advance(read(&target)?).await?;
            *runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = done;
            Ok::<_, Error>(())
        };
        let finish = |tx: Tx, _now, _target| async move {
            let runs = runs.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
            let job_runs = runs.iter().map(convert::job_run).collect();
            let clock = convert::clock(&store::times(&self.platform, &tx).await?);
            Ok(AdvanceClockResponse { clock: Some(clock), job_runs })
        };
        Ok(Response::new(self.platform.mutate_in_two(&key, begin, between, finish).await?))
    }
}

fn target(request: &AdvanceClockRequest, now: Instant) -> Result<Instant, Error> {
    let (field, target) = match &request.target {
        Some(Target::TargetTime(time)) => ("target_time", instant(time).map_err(str::to_owned)),
        Some(Target::Duration(duration)) => ("duration", after(now, duration)),
        None => ("target_time", Err("give a target time or a duration".to_owned())),
    };
    let target = target.map_err(|error| Violations::one(field, error))?;
    if target < now {
        return Err(Error::ClockBackwards);
    }
    if target.micros() - now.micros() > DAYS_MAX * 86_400_000_000 {
        return Err(Violations::one(field, format!("at most {DAYS_MAX} days at a time")).into());
    }
    Ok(target)
}

fn after(now: Instant, duration: &prost_types::Duration) -> Result<Instant, String> {
    duration
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(duration.nanos / 1000)))
        .and_then(|micros| now.micros().checked_add(micros))
        .and_then(|micros| Instant::from_micros(micros).ok())
        .ok_or_else(|| "leaves the calendar".to_owned())
}

fn read(target: &str) -> Result<Instant, Error> {
    let micros: i64 = target.parse().map_err(|_| Error::NotFound("the clock's target".to_owned()))?;
    Instant::from_micros(micros).map_err(|_| Error::NotFound("the clock's target".to_owned()))
}
