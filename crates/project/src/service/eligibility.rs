//! What is known of an account that wants a project, gathered (R4.1, R4.2).

use florin_account::{Account, Issuer};
use florin_platform::{call::Call, db::Reader, id::AccountId};
use florin_settlement::{Instant, LotKind, Money, rounding};
use sea_orm::DbErr;

use super::query;
use crate::{
    domain::{
        eligibility::{Standing, UnmetCondition},
        project::ProjectName,
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
    let (standing, counts) = standing(reader, debts, at, &account).await?;
    let minimum = initial_credit_minimum(&reader, &account).await?;
    let treatment = florin_account::vat_treatment(&reader, &account, at).await?;
    let tax = rounding::tax(minimum, treatment.rate)?;
    Ok(Eligibility {
        unmet: standing.unmet(),
        funding_required: standing.is_funding_required(),
        initial_credit_minimum: minimum,
        initial_credit_minimum_incl_tax: minimum.checked_add(tax)?,
        offered_name: ProjectName::offered(counts.total),
        live_projects: standing.live_projects,
        project_limit: standing.project_limit,
    })
}

/// Everything the decision needs. With the account locked it stays true until the transaction ends.
pub(crate) async fn standing(
    reader: Reader<'_>,
    debts: &dyn DebtStanding,
    at: Instant,
    account: &Account,
) -> Result<(Standing, store::project::Counts), Error> {
    let counts = store::project::counts(&reader, account.id).await?;
    let unaccepted = florin_account::unaccepted_terms(&reader, account, at).await?;
    let method = match florin_payment::default_method(&reader, account.id).await? {
        Some(method) => Some(method.id),
        None => florin_payment::methods_valid(&reader, account.id).await?.first().map(|method| method.id),
    };
    let lots = florin_credit::lots::alive_for(&reader, account.id, None, at).await?;
    let standing = Standing {
        account_state: account.state,
        unaccepted_terms: unaccepted
            .iter()
            .map(florin_account::terms_document_name)
            .collect(),
        has_debt: debts.has_debt(reader, account.id).await?,
        live_projects: counts.live,
        project_limit: account.project_limit,
        is_funded: counts.ever_active > 0,
        has_launchpad: lots.iter().any(|lot| lot.kind() == LotKind::LaunchPad && lot.remaining().is_positive()),
        valid_method: method,
    };
    Ok((standing, counts))
}

/// The least and preset initial credit, net: the account's own, or the issuer's (R4.2).
pub(crate) async fn initial_credit_minimum(
    reader: &Reader<'_>,
    account: &Account,
) -> Result<Money, Error> {
    if let Some(minimum) = account.initial_credit_minimum {
        return Ok(minimum);
    }
    let missing = || DbErr::RecordNotFound(format!("issuers/{}", account.issuer));
    let issuer: Issuer = florin_account::issuer(reader, &account.issuer).await?.ok_or_else(missing)?;
    Ok(issuer.initial_credit_minimum)
}
