//! The catalogue: read by everybody, imported from a file and exported to one, never edited (R5.1).

use florin_account::{Account, Issuer};
use florin_platform::{
    audit,
    call::{Call, Principal},
    db::Tx,
    id::AccountId,
    outbox,
    page::Page,
    wire::account_name,
};
use florin_settlement::{Currency, Instant, TaxRate};
use sea_orm::ConnectionTrait;

use super::plans::{self, PriceAdded};
use crate::{
    domain::{
        catalogue_file::{Additions, CatalogueFile, Format, write},
        plan::{PlanCode, PricedPlan},
        tariff::OwnPrices,
    },
    error::Error,
    events::{PlanCreated, PlanRetired, PlanUpdated},
    store::{
        self,
        plan::{Added, Filter},
    },
};

/// What an import did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Plans that are new.
    pub plans: usize,
    /// Known plans that are called something else, or are retired now.
    pub changed: usize,
    /// Price versions that are new.
    pub prices: usize,
}

/// Adds the plans and price versions of a YAML or JSON file at `at`. Importing the same file again adds
/// nothing.
///
/// # Errors
/// [`Error::Invalid`] with every violation: of the file's form, and every edit of a known plan or price.
pub async fn import(tx: &Tx, at: Instant, text: &str) -> Result<Imported, Error> {
    let Additions { plans, changed, prices } = add(tx, at, text).await?;
    Ok(Imported { plans: plans.len(), changed: changed.len(), prices: prices.len() })
}

async fn add(tx: &Tx, at: Instant, text: &str) -> Result<Additions, Error> {
    let file = CatalogueFile::parse(text)?;
    let known = store::plan::all(tx).await?;
    let additions: Additions = file.additions(&known, at)?;
    match store::plan::add(tx, at, &additions).await? {
        Added::Everything => Ok(additions),
        Added::NotEverything => Err(Error::ImportInProgress),
    }
}

/// As [`import`], for somebody who asked for it: audited, and told of.
pub(crate) async fn import_for(tx: &Tx, at: Instant, call: &Call, text: &str) -> Result<Additions, Error> {
    let additions = add(tx, at, text).await?;
    if !additions.is_empty() {
        audit::record(tx, at, call, AccountId::NONE, "plans").await?;
    }
    for plan in &additions.plans {
        let fact = PlanCreated { plan: plans::name(&plan.code) };
        outbox::append(tx, at, AccountId::NONE, &fact).await?;
    }
    for changed in &additions.changed {
        let plan = plans::name(&changed.after.code);
        if let Some(retired) =
            changed.after.retired.filter(|_| changed.before.retired != changed.after.retired)
        {
            let retire_time = Some(florin_platform::wire::timestamp(retired));
            outbox::append(tx, at, AccountId::NONE, &PlanRetired { plan: plan.clone(), retire_time }).await?;
        }
        if changed.before.display_name != changed.after.display_name {
            outbox::append(tx, at, AccountId::NONE, &PlanUpdated { plan }).await?;
        }
    }
    for (code, version) in &additions.prices {
        plans::tell_price(tx, at, code, PriceAdded::Listed(*version)).await?;
    }
    Ok(additions)
}

/// The whole catalogue, written down.
pub(crate) async fn export(connection: &impl ConnectionTrait, format: Format) -> Result<String, Error> {
    let all = store::plan::all(connection).await?;
    Ok(write(all.values(), format))
}

/// In which currency, with which tax and for whom prices are shown (R1.5).
#[derive(Clone, Debug)]
pub(crate) enum Display {
    /// Every currency, net only: nobody said who asks.
    EveryCurrency,
    /// In one currency, with tax.
    ForOne(Shown),
}

/// Prices as somebody has them.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// In which currency.
    pub(crate) currency: Currency,
    /// With tax at which rate.
    pub(crate) rate: TaxRate,
    /// Now.
    pub(crate) at: Instant,
    /// Of an account: which, and what was negotiated with it.
    pub(crate) own: Option<(AccountId, OwnPrices)>,
}

/// Whose prices are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buyer<'a> {
    /// Those of whoever asks.
    WhoAsks,
    /// Those at which an issuer sells at home.
    Issuer(&'a str),
    /// Those of an account.
    Account(AccountId),
}

/// How prices are shown to `call`: as the issuer sells at home, or as an account is sold to.
pub(crate) async fn display(
    connection: &impl ConnectionTrait,
    call: &Call,
    buyer: Buyer<'_>,
    at: Instant,
) -> Result<Display, Error> {
    let account = match (buyer, &call.principal) {
        (Buyer::Issuer(id), _) => {
            let missing = || Error::NotFound(format!("issuers/{id}"));
            let issuer: Issuer = florin_account::issuer(connection, id).await?.ok_or_else(missing)?;
            let rate = florin_account::domestic_vat_rate(connection, &issuer, at).await?;
            return Ok(Display::ForOne(Shown { currency: issuer.currency, rate, at, own: None }));
        }
        (Buyer::Account(account), _) => account,
        (Buyer::WhoAsks, Principal::Customer { account, .. }) => *account,
        (Buyer::WhoAsks, Principal::Anonymous | Principal::Service { .. }) => {
            return Ok(Display::EveryCurrency);
        }
    };
    if !call.may_see(account) {
        return Err(Error::NotFound(account_name(account)));
    }
    display_for(connection, account, at).await
}

/// Prices as `account` has them.
pub(crate) async fn display_for(
    connection: &impl ConnectionTrait,
    id: AccountId,
    at: Instant,
) -> Result<Display, Error> {
    let missing = || Error::NotFound(account_name(id));
    let account: Account = florin_account::find(connection, id).await?.ok_or_else(missing)?;
    let treatment = florin_account::vat_treatment(connection, &account, at).await?;
    let own = store::own_price::of_accounts(connection, &[id]).await?.remove(&id).unwrap_or_default();
    let (currency, rate) = (account.currency, treatment.rate);
    Ok(Display::ForOne(Shown { currency, rate, at, own: Some((id, own)) }))
}

/// The plan, or PLAN_UNKNOWN.
pub(crate) async fn plan(connection: &impl ConnectionTrait, code: &PlanCode) -> Result<PricedPlan, Error> {
    let found = store::plan::find(connection, code).await?;
    found.ok_or_else(|| Error::PlanUnknown(code.to_string()))
}

/// A page of the plans that `filter` wants at `at`, by code.
pub(crate) async fn plan_page(
    connection: &impl ConnectionTrait,
    filter: &Filter,
    at: Instant,
    page: &Page,
) -> Result<Vec<PricedPlan>, Error> {
    let after = page.after.as_deref().unwrap_or_default();
    Ok(store::plan::list(connection, filter, at, after, page.fetch()).await?)
}
