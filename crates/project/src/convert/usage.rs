//! Rated usage on the wire. Totals are sums of rounded lines (R1.4).

use std::collections::BTreeMap;

use florin_api::{google::r#type::Date, project::v1 as wire};
use florin_platform::wire::{decimal, money, timestamp};
use florin_settlement::{Currency, Instant, LotKind, Money, MoneyError, Month, PlanFamily};

use super::plan::{plan_name, wire_family};
use crate::{
    domain::{resource::resource_name, usage::RatedLine},
    ports::ForecastDebit,
    service::consumption::{Current, Foretold, Monthly},
};

/// Renders what a project used since the 1st.
pub(crate) fn current(
    current: &Current,
    as_of: Instant,
    currency: Currency,
) -> Result<wire::GetCurrentUsageResponse, MoneyError> {
    let lines = &current.lines;
    Ok(wire::GetCurrentUsageResponse {
        period_start_time: Some(timestamp(current.period.from())),
        period_end_time: Some(timestamp(current.period.to())),
        as_of_time: Some(timestamp(as_of)),
        family_totals: family_totals(lines, currency)?,
        plan_totals: totals(lines, currency, |line| plan_name(&line.plan))?,
        region_totals: totals(lines, currency, |line| line.region.clone())?,
        resource_totals: totals(lines, currency, |line| {
            resource_name(line.account, line.project, line.resource)
        })?,
        net_total: Some(money(net(lines, currency)?)),
        lines: lines.iter().map(line).collect(),
        late_net_total: Some(money(net(&current.late, currency)?)),
        late_lines: current.late.iter().map(line).collect(),
    })
}

/// Renders what a project will have used.
pub(crate) fn forecast(
    foretold: &Foretold,
    as_of: Instant,
    currency: Currency,
) -> Result<wire::GetUsageForecastResponse, MoneyError> {
    Ok(wire::GetUsageForecastResponse {
        period_start_time: Some(timestamp(foretold.period.from())),
        period_end_time: Some(timestamp(foretold.period.to())),
        as_of_time: Some(timestamp(as_of)),
        lines: foretold.lines.iter().map(line).collect(),
        family_totals: family_totals(&foretold.lines, currency)?,
        net_total: Some(money(net(&foretold.lines, currency)?)),
        used_net_total: Some(money(net(&foretold.used, currency)?)),
        settlement_time: Some(timestamp(foretold.payment.settlement)),
        debits: foretold.payment.debits.iter().map(debit).collect(),
        remainder: Some(money(foretold.payment.remainder)),
    })
}

/// Renders what a project used in a month.
pub(crate) fn monthly(monthly: &Monthly, currency: Currency) -> Result<wire::MonthlyUsage, MoneyError> {
    let lines = &monthly.lines;
    let on_time = lines.iter().filter(|line| line.billed_with.is_none()).map(|line| line.net);
    Ok(wire::MonthlyUsage {
        month: Some(date(monthly.month)),
        lines: lines.iter().map(line).collect(),
        family_totals: family_totals(lines, currency)?,
        net_total: Some(money(net(lines, currency)?)),
        on_time_net_total: Some(money(Money::sum(on_time, currency)?)),
        close_time: monthly.closed.map(timestamp),
    })
}

fn net(lines: &[RatedLine], currency: Currency) -> Result<Money, MoneyError> {
    Money::sum(lines.iter().map(|line| line.net), currency)
}

fn family_totals(lines: &[RatedLine], currency: Currency) -> Result<Vec<wire::UsageFamilyTotal>, MoneyError> {
    let mut family_totals = Vec::new();
    for family in PlanFamily::ALL {
        let mut of_family = lines.iter().filter(|line| line.family == family).map(|line| line.net).peekable();
        if of_family.peek().is_some() {
            let net = Money::sum(of_family, currency)?;
            family_totals
                .push(wire::UsageFamilyTotal { family: wire_family(family).into(), net: Some(money(net)) });
        }
    }
    Ok(family_totals)
}

fn totals(
    lines: &[RatedLine],
    currency: Currency,
    key: impl Fn(&RatedLine) -> String,
) -> Result<Vec<wire::UsageGroupTotal>, MoneyError> {
    let mut groups: BTreeMap<String, Vec<Money>> = BTreeMap::new();
    for line in lines {
        groups.entry(key(line)).or_default().push(line.net);
    }
    let total = |(key, nets): (String, Vec<Money>)| {
        Ok(wire::UsageGroupTotal { key, net: Some(money(Money::sum(nets, currency)?)) })
    };
    groups.into_iter().map(total).collect()
}

fn date(month: Month) -> Date {
    Date { year: month.year(), month: i32::try_from(month.month()).unwrap_or_default(), day: 0 }
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
        billing_month: line.billed_with.map(date),
    }
}

fn debit(debit: &ForecastDebit) -> wire::ForecastDebit {
    use wire::forecast_debit::Kind;
    let kind = match debit.kind {
        LotKind::Voucher => Kind::Voucher,
        LotKind::CloudCredit => Kind::CloudCredit,
        LotKind::LaunchPad => Kind::Launchpad,
        LotKind::Loyalty => Kind::Loyalty,
    };
    wire::ForecastDebit { credit: debit.credit.clone(), kind: kind.into(), amount: Some(money(debit.amount)) }
}
