//! Rated usage on the wire.

use florin_api::project::v1 as wire;
use florin_platform::wire::{decimal, money, timestamp};
use florin_settlement::{Currency, Instant, Money, MoneyError, Period, PlanFamily};

use super::plan::{plan_name, wire_family};
use crate::domain::{resource::resource_name, usage::RatedLine};

/// Renders the usage of one project. Totals are sums of rounded lines (R1.4).
pub(crate) fn current(
    lines: &[RatedLine],
    period: Period,
    as_of: Instant,
    currency: Currency,
) -> Result<wire::GetCurrentUsageResponse, MoneyError> {
    let mut family_totals = Vec::new();
    for family in PlanFamily::ALL {
        let mut of_family = lines.iter().filter(|line| line.family == family).map(|line| line.net).peekable();
        if of_family.peek().is_some() {
            let net = Money::sum(of_family, currency)?;
            family_totals
                .push(wire::UsageFamilyTotal { family: wire_family(family).into(), net: Some(money(net)) });
        }
    }
    let total = Money::sum(lines.iter().map(|line| line.net), currency)?;
    Ok(wire::GetCurrentUsageResponse {
        period_start_time: Some(timestamp(period.from())),
        period_end_time: Some(timestamp(period.to())),
        as_of_time: Some(timestamp(as_of)),
        lines: lines.iter().map(line).collect(),
        family_totals,
        net_total: Some(money(total)),
    })
}

fn line(line: &RatedLine) -> wire::UsageLine {
    wire::UsageLine {
        resource: resource_name(line.account, line.project, line.resource),
        resource_display_name: line.resource_name.clone(),
        plan: plan_name(&line.plan),
        family: wire_family(line.family).into(),
        region: line.region.clone(),
        quantity: Some(decimal(line.quantity.value())),
        unit: line.unit.clone(),
        currency_code: line.unit_price.currency().code().to_owned(),
        unit_price: Some(decimal(line.unit_price.amount())),
        net: Some(money(line.net)),
        usage_start_time: Some(timestamp(line.period.from())),
        usage_end_time: Some(timestamp(line.period.to())),
        labels: line.labels.clone(),
        quantity_divisor: i32::try_from(line.divisor.get()).unwrap_or(i32::MAX),
    }
}
