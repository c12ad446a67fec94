//! Funding and holds on the wire.

use florin_api::project::v1 as wire;
use florin_credit::ProjectId;
use florin_platform::{
    id::AccountId,
    violation::Violations,
    wire::{decimal, money, parse_grandchild, rate, timestamp},
};
use florin_settlement::{Decimal, DecimalError, MoneyError, Quantity};
use prost_types::Duration;

use super::{plan, project};
use crate::{
    domain::{
        funding::{Denial, Wanted},
        hold::{
            COUNT_MAX, COVER_HOURS, COVER_HOURS_MAX, Hold, HoldEnd, HoldId, HoldState, LIFETIME_SECONDS,
            LIFETIME_SECONDS_MAX,
        },
        resource::{SIZE_MAX, SIZE_SCALE_MAX, resource_name},
    },
    error::denial_reason,
    service::{
        funding::{Ask, Checked, Launch},
        holds::NewHold,
    },
};

const SECONDS_PER_HOUR: i64 = 3600;

/// Reads the name of a hold in `field`.
pub(crate) fn hold_name(field: &str, name: &str) -> Result<(AccountId, ProjectId, HoldId), Violations> {
    parse_grandchild("projects", "holds", name).map_err(|error| Violations::one(field, error))
}

/// Reads the hold a resource is to be added on; empty for none. It must be one of the project's.
pub(crate) fn hold_of(
    (account, project): (AccountId, ProjectId),
    name: &str,
) -> Result<Option<HoldId>, Violations> {
    if name.is_empty() {
        return Ok(None);
    }
    let (owner, of, hold) = hold_name("hold", name)?;
    if (owner, of) == (account, project) {
        Ok(Some(hold))
    } else {
        Err(Violations::one("hold", "must be a hold of the parent project"))
    }
}

/// Reads a CheckFunding request.
pub(crate) fn ask(request: &wire::CheckFundingRequest) -> Result<Ask, Violations> {
    let mut violations = Violations::new();
    let named = take(&mut violations, project::name("name", &request.name));
    let launch = if request.plan.is_empty() {
        None
    } else {
        let parts = (request.count, request.size.as_ref(), request.cover.as_ref());
        launch(&request.plan, parts, &mut violations)
    };
    violations.finish_with(named.map(|(account, project)| Ask { account, project, launch }))
}

/// Reads a PlaceHold request.
pub(crate) fn new_hold(request: &wire::PlaceHoldRequest) -> Result<NewHold, Violations> {
    let mut violations = Violations::new();
    let named = take(&mut violations, project::name("parent", &request.parent));
    let parts = (request.count, request.size.as_ref(), request.cover.as_ref());
    let launch = launch(&request.plan, parts, &mut violations);
    let lifetime_seconds = match &request.lifetime {
        None => LIFETIME_SECONDS,
        Some(given) => {
            let seconds = u64::try_from(given.seconds).unwrap_or_default();
            let fits = (1..=LIFETIME_SECONDS_MAX).contains(&seconds) && given.nanos == 0;
            violations.check("lifetime", fits, format!("must be whole seconds, 1 to {LIFETIME_SECONDS_MAX}"));
            seconds
        }
    };
    violations.finish_with(named.zip(launch).map(|((account, project), launch)| NewHold {
        account,
        project,
        launch,
        lifetime_seconds,
    }))
}

type Parts<'r> = (i32, Option<&'r florin_api::money::Decimal>, Option<&'r Duration>);

fn launch(plan: &str, (count, size, cover): Parts<'_>, violations: &mut Violations) -> Option<Launch> {
    let plan = take(violations, plan::code("plan", plan));
    let count = if count == 0 { 1 } else { i64::from(count) };
    violations.check("count", (1..=COUNT_MAX).contains(&count), format!("must be 1 to {COUNT_MAX}"));
    let size = size.and_then(|size| {
        let read = rate(size, SIZE_SCALE_MAX).map_err(|error: DecimalError| error.to_string());
        let read = read.and_then(|value| Quantity::try_new(value).map_err(|error| error.to_string()));
        let size = violations.take("size", read)?;
        let bounded = !size.is_zero() && size <= Quantity::whole(SIZE_MAX);
        violations.check("size", bounded, format!("must be above 0, at most {SIZE_MAX}"));
        Some(size)
    });
    let cover_hours = cover.map_or(COVER_HOURS, |cover| {
        let whole = cover.nanos == 0 && cover.seconds % SECONDS_PER_HOUR == 0;
        let hours = cover.seconds / SECONDS_PER_HOUR;
        violations.check(
            "cover",
            whole && (1..=COVER_HOURS_MAX).contains(&hours),
            format!("must be whole hours, 1 to {COVER_HOURS_MAX}"),
        );
        hours
    });
    plan.map(|plan| Launch { plan, size, count, cover_hours })
}

fn take<T>(violations: &mut Violations, read: Result<T, Violations>) -> Option<T> {
    read.map_err(|wrong| violations.extend(wrong)).ok()
}

/// Renders an answer.
pub(crate) fn checked(checked: &Checked) -> wire::CheckFundingResponse {
    let (standing, at) = (&checked.standing, checked.at);
    let amount = |minor| Some(money(standing.money(minor)));
    let available = standing.available_at(at);
    let (for_plan, estimate) = match &checked.wanted {
        Wanted::Something { family, estimate, .. } => {
            (standing.available_for(*family, at), Some(money(*estimate)))
        }
        Wanted::Nothing | Wanted::Unavailable(_) => (available, None),
    };
    wire::CheckFundingResponse {
        allowed: checked.denials.is_empty(),
        refusals: checked.denials.iter().map(refusal).collect(),
        available: amount(available),
        available_for_plan: amount(for_plan),
        estimated_cost: estimate,
        burn_per_hour: Some(decimal(standing.burn.value().unwrap_or(Decimal::MAX))),
        runway: standing.runway_at(at).map(|seconds| Duration { seconds, nanos: 0 }),
        spent: amount(standing.spent_at(at)),
        spend_cap: standing.spend_cap.and_then(amount),
        prepaid_only: standing.prepaid_only,
        as_of_time: Some(timestamp(at)),
        valid_until_time: Some(timestamp(checked.valid_until())),
    }
}

fn refusal(denial: &Denial) -> wire::FundingRefusal {
    wire::FundingRefusal { reason: denial_reason(denial).into(), message: denial.message() }
}

/// Renders a hold as it is at `at`.
pub(crate) fn hold(hold: &Hold, at: florin_settlement::Instant) -> Result<wire::Hold, MoneyError> {
    let count = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    let (state, ended) = match hold.state_at(at) {
        HoldState::Open => (wire::hold::State::Open, None),
        HoldState::Attached => (wire::hold::State::Attached, None),
        HoldState::Ended(end, ended) => (wire_end(end), Some(ended)),
    };
    Ok(wire::Hold {
        name: hold.name(),
        plan: plan::plan_name(hold.plan.as_str()),
        count: count(hold.count),
        used_count: count(hold.used),
        size: Some(decimal(hold.size.value())),
        amount: Some(money(hold.amount()?)),
        cover: Some(Duration { seconds: hold.cover_hours.saturating_mul(SECONDS_PER_HOUR), nanos: 0 }),
        resource: hold
            .resource
            .map(|resource| resource_name(hold.account, hold.project, resource))
            .unwrap_or_default(),
        state: state.into(),
        create_time: Some(timestamp(hold.created)),
        expire_time: Some(timestamp(hold.expires)),
        end_time: ended.map(timestamp),
    })
}

const fn wire_end(end: HoldEnd) -> wire::hold::State {
    match end {
        HoldEnd::Released => wire::hold::State::Released,
        HoldEnd::TimedOut => wire::hold::State::TimedOut,
        HoldEnd::Used => wire::hold::State::Used,
        HoldEnd::Removed => wire::hold::State::Removed,
    }
}
