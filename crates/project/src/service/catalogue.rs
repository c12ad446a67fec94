//! The catalogue: read by everybody, extended from a file, never edited (R5.1).

use florin_account::{Account, Issuer};
use florin_platform::{
    call::{Call, Principal},
    db::Tx,
    page::Page,
};
use florin_settlement::{Currency, Instant, PlanFamily, TaxRate};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{
        catalogue_file::{Additions, CatalogueFile},
        plan::{PlanCode, PricedPlan},
    },
    error::Error,
    store::{self, plan::Added},
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

/// Adds the plans and price versions of a YAML file at `at`. Importing the same file again adds nothing.
///
/// # Errors
/// [`Error::Invalid`] with every violation: of the file's form, and every edit of a known plan or price.
pub async fn import(tx: &Tx, at: Instant, yaml: &str) -> Result<Imported, Error> {
    let file = CatalogueFile::parse(yaml)?;
    let known = store::plan::all(tx).await?;
    let additions: Additions = file.additions(&known, at)?;
    match store::plan::add(tx, at, &additions).await? {
        Added::Everything => Ok(Imported {
            plans: additions.plans.len(),
            changed: additions.changed.len(),
            prices: additions.prices.len(),
        }),
        Added::NotEverything => Err(Error::ImportInProgress),
    }
}

/// In which currency and with which tax prices are shown (R1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// Every currency, net only: nobody said who asks.
    EveryCurrency,
    /// One currency, with the tax at this rate.
    WithTax(Currency, TaxRate),
}

/// How prices are shown to `call`: as the named issuer sells at home, or as the customer is sold to.
pub(crate) async fn display(
    connection: &impl ConnectionTrait,
    call: &Call,
    issuer: Option<&str>,
    at: Instant,
) -> Result<Display, Error> {
    if let Some(id) = issuer {
        let missing = || Error::NotFound(format!("issuers/{id}"));
        let issuer: Issuer = florin_account::issuer(connection, id).await?.ok_or_else(missing)?;
        let rate = florin_account::domestic_vat_rate(connection, &issuer, at).await?;
        return Ok(Display::WithTax(issuer.currency, rate));
    }
    match &call.principal {
        Principal::Customer { account, .. } => {
            let missing = || DbErr::RecordNotFound(format!("accounts/{account}"));
            let account: Account = florin_account::find(connection, *account).await?.ok_or_else(missing)?;
            let treatment = florin_account::vat_treatment(connection, &account, at).await?;
            Ok(Display::WithTax(account.currency, treatment.rate))
        }
        Principal::Anonymous | Principal::Service { .. } => Ok(Display::EveryCurrency),
    }
}

/// The plan, or PLAN_UNKNOWN.
pub(crate) async fn plan(connection: &impl ConnectionTrait, code: &PlanCode) -> Result<PricedPlan, Error> {
    let found = store::plan::find(connection, code).await?;
    found.ok_or_else(|| Error::PlanUnknown(code.to_string()))
}

/// A page of the plans that are sold at `at`, by code.
pub(crate) async fn plan_page(
    connection: &impl ConnectionTrait,
    families: &[PlanFamily],
    at: Instant,
    page: &Page,
) -> Result<Vec<PricedPlan>, Error> {
    let after = page.after.as_deref().unwrap_or_default();
    Ok(store::plan::list(connection, families, at, after, page.fetch()).await?)
}
