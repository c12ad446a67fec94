//! How customers are taxed (R8.4), for one of them or for a whole billing run.

use std::collections::{HashMap, HashSet};

use florin_settlement::{Instant, TaxRate};
use sea_orm::{ConnectionTrait, DbErr};

use super::query::no_rate;
use crate::{
    domain::{
        account::Account,
        issuer::Issuer,
        vat::{Place, RateMissing, Treatment, treatment},
    },
    store,
};

/// Everything customers are taxed by, read in three queries for however many of them and however many days.
#[derive(Clone, Debug)]
pub struct VatRules {
    issuers: HashMap<String, Issuer>,
    member_states: HashSet<String>,
    /// By country, oldest first.
    rates: HashMap<String, Vec<(Instant, TaxRate)>>,
}

impl VatRules {
    /// Reads them.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(connection: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let issuers = store::issuer::all(connection).await?;
        Ok(Self {
            issuers: issuers.into_iter().map(|issuer| (issuer.id.clone(), issuer)).collect(),
            member_states: store::issuer::member_states(connection).await?,
            rates: store::issuer::vat_rates(connection).await?,
        })
    }

    /// How the account is taxed on the day of `at` (R8.4). Until a VAT number has been confirmed through a
    /// validation port, VAT is charged.
    ///
    /// # Errors
    /// [`DbErr::RecordNotFound`] when reference data is incomplete.
    pub fn treatment(&self, account: &Account, at: Instant) -> Result<Treatment, DbErr> {
        let missing = || DbErr::RecordNotFound(format!("issuers/{}", account.issuer));
        let issuer = self.issuers.get(&account.issuer).ok_or_else(missing)?;
        let country = &account.profile.country;
        let in_eu = |country: &String| self.member_states.contains(country);
        let place = Place::of(issuer, in_eu(&issuer.country), country, in_eu(country));
        let rate = self.rate(country, at);
        treatment(place, &account.profile, false, rate).map_err(|RateMissing| no_rate(country, at))
    }

    /// The rate in force in `country` at `at`, if one is.
    fn rate(&self, country: &str, at: Instant) -> Option<TaxRate> {
        let rates = self.rates.get(country)?;
        rates.iter().rev().find(|(effective, _)| *effective <= at).map(|(_, rate)| *rate)
    }
}

/// As [`VatRules::treatment`], for one account on one day.
///
/// # Errors
/// The database's; [`DbErr::RecordNotFound`] when reference data is incomplete.
pub async fn vat_treatment(
    connection: &impl ConnectionTrait,
    account: &Account,
    at: Instant,
) -> Result<Treatment, DbErr> {
    VatRules::read(connection).await?.treatment(account, at)
}
