//! What is known of an account that wants a project, gathered (R4.1, R4.2).

use florin_account::Account;
use florin_credit::{OrderState, orders};
use florin_platform::{call::Call, db::Reader, id::AccountId};
use florin_settlement::{Instant, LotKind, Money, rounding};

use super::{fund, query};
use crate::{
    domain::{
        eligibility::{Standing, UnmetCondition},
        project::{Funding, Project, ProjectName},
    },
    error::Error,
    ports::DebtStanding,
    store,
};

/// The answer to CheckEligibility.
#[derive(Clone, Debug)]
pub(crate) struct Eligibility {
    pub(crate) unmet: Vec<UnmetCondition>,
    pub(crate) funding_required: bool,
    pub(crate) initial_credit_minimum: Money,
    pub(crate) initial_credit_minimum_incl_tax: Money,
    pub(crate) offered_name: ProjectName,
    pub(crate) live_projects: u32,
    pub(crate) project_limit: u32,
}

/// Whether `account` can create a project at `at`, and what it takes.
pub(crate) async fn check(
    reader: Reader<'_>,
    debts: &dyn DebtStanding,
    at: Instant,
    call: &Call,
    account: AccountId,
) -> Result<Eligibility, Error> {
    let account = query::owner(&reader, call, account).await?;
    let Known { standing, earlier_projects, .. } = known(reader, debts, at, &account).await?;
    let minimum = orders::initial_minimum(&reader, &account).await?;
    let treatment = florin_account::vat_treatment(&reader, &account, at).await?;
    let tax = rounding::tax(minimum, treatment.rate)?;
    Ok(Eligibility {
        unmet: standing.unmet(),
        funding_required: standing.is_funding_required(),
        initial_credit_minimum: minimum,
        initial_credit_minimum_incl_tax: minimum.checked_add(tax)?,
        offered_name: ProjectName::offered(earlier_projects),
        live_projects: standing.live_projects,
        project_limit: standing.project_limit,
    })
}

/// What is known of an account.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) standing: Standing,
    /// Pending projects whose order was not paid in time. By that instant they no longer take a place,
    /// whether or not a job has said so yet (R4.3).
    pub(crate) lapsed: Vec<Project>,
    /// How many projects there ever were.
    pub(crate) earlier_projects: u64,
}

/// Everything the decision needs. With the account locked it stays true until the transaction ends.
pub(crate) async fn known(
    reader: Reader<'_>,
    debts: &dyn DebtStanding,
    at: Instant,
    account: &Account,
) -> Result<Known, Error> {
    let counts = store::project::counts(&reader, account.id).await?;
    let lapsed = lapsed(reader, at, account.id).await?;
    let unaccepted = florin_account::unaccepted_terms(&reader, account, at).await?;
    let method = match florin_payment::default_method(&reader, account.id).await? {
        Some(method) => Some(method.id),
        None => florin_payment::methods_valid(&reader, account.id).await?.first().map(|method| method.id),
    };
    let lots = florin_credit::lots::alive_for(&reader, account.id, None, at).await?;
    let freed = u32::try_from(lapsed.len()).unwrap_or(u32::MAX);
    let standing = Standing {
        account_state: account.state,
        unaccepted_terms: unaccepted.iter().map(florin_account::terms_document_name).collect(),
        has_debt: debts.has_debt(reader, account.id).await?,
        live_projects: counts.live.saturating_sub(freed),
        project_limit: account.project_limit,
        is_funded: counts.ever_active > 0,
        has_launchpad: lots
            .iter()
            .any(|lot| lot.kind() == LotKind::LaunchPad && lot.remaining().is_positive()),
        valid_method: method,
    };
    Ok(Known { standing, lapsed, earlier_projects: counts.total })
}

/// A project whose own order is over still waits for any other initial order placed for it.
async fn lapsed(reader: Reader<'_>, at: Instant, account: AccountId) -> Result<Vec<Project>, Error> {
    let mut lapsed = Vec::new();
    for project in store::project::pending_of(&reader, account).await? {
        let Funding::CreditOrder(order) = project.funding else { continue };
        let order = orders::find(&reader, account, order).await?;
        match order.map(|order| order.state_at(at)) {
            Some(OrderState::Expired | OrderState::Canceled) | None => {
                if !fund::awaits_an_order(&reader, at, account, project.id).await? {
                    lapsed.push(project);
                }
            }
            Some(
                OrderState::AwaitingPayment
                | OrderState::Processing
                | OrderState::Paid { .. }
                | OrderState::Withdrawn { .. },
            ) => {}
        }
    }
    Ok(lapsed)
}
