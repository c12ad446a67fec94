//! Who would pay what is foretold: [`florin_project::InvoiceForecast`] (R5.6), by the code that issues (R8.5).

use florin_credit::{CreditId, credit_name};
use florin_platform::{db::Reader, id::AccountId};
use florin_project::{
    BillableProject, ForecastDebit, ForecastPayment, InvoiceForecast, ProjectId, RatedLine,
};
use florin_settlement::{Instant, LotDebit, Month};

use super::{estimate, settle::settle_lines};
use crate::{domain::billing_run::settlement_of, error::Error};

type PortError = Box<dyn std::error::Error + Send + Sync>;

/// Invoices to come, as seen from projects.
#[derive(Clone, Copy, Debug, Default)]
pub struct Forecasts;

#[async_trait::async_trait]
impl InvoiceForecast for Forecasts {
    async fn next_month(
        &self,
        reader: Reader<'_>,
        now: Instant,
        project: &BillableProject,
    ) -> Result<Month, PortError> {
        Ok(estimate::month_of(&reader, now, project).await?.0)
    }

    async fn payment(
        &self,
        reader: Reader<'_>,
        month: Month,
        projects: Vec<(BillableProject, Vec<RatedLine>)>,
        wanted: ProjectId,
    ) -> Result<ForecastPayment, PortError> {
        Ok(payment(reader, month, projects, wanted).await?)
    }
}

async fn payment(
    reader: Reader<'_>,
    month: Month,
    projects: Vec<(BillableProject, Vec<RatedLine>)>,
    wanted: ProjectId,
) -> Result<ForecastPayment, Error> {
    let (projects, lines): (Vec<_>, Vec<_>) = projects.into_iter().unzip();
    let owner = projects.first().map_or(AccountId::NONE, |project| project.account);
    let missing = || Error::NotFound(florin_credit::project_name(owner, wanted));
    let account = florin_account::find(&reader, owner).await?.ok_or_else(missing)?;
    let issuer = florin_account::issuer(&reader, &account.issuer).await?.ok_or_else(missing)?;
    let settlement = settlement_of(month, &issuer);
    let lines = lines.into_iter().flatten().collect();
    let settled = settle_lines(&reader, month, settlement, &projects, lines).await?;
    let of_project = settled.drafts.into_iter().find(|(project, _)| project.project == wanted);
    let draft = of_project.ok_or_else(missing)?.1?;
    Ok(ForecastPayment {
        settlement,
        debits: draft.plan.debits().map(|debit| foretold(owner, debit)).collect(),
        remainder: draft.content.totals.net_after_credit,
    })
}

fn foretold(owner: AccountId, debit: &LotDebit) -> ForecastDebit {
    let lot = debit.lot();
    let credit = CreditId::from_u128(lot.id().as_u128());
    let project = lot.project().map(|project| ProjectId::from_u128(project.as_u128()));
    ForecastDebit { credit: credit_name(owner, project, credit), kind: lot.kind(), amount: debit.amount() }
}
