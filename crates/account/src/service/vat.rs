//! How customers are taxed (R8.4), for one of them or for a whole billing run.

use std::collections::{HashMap, HashSet};

use florin_platform::{id::AccountId, wire::account_name};
use florin_settlement::{Instant, TaxRate};
use sea_orm::{ConnectionTrait, DbErr};

use super::query::no_rate;
use crate::{
    domain::{
        account::Account,
        issuer::Issuer,
        vat::{Place, RateMissing, Treatment, treatment},
        vat_number::{VatNumberStanding, is_confirmed_on},
    },
    store,
};

/// Everything customers are taxed by, read in four queries for however many of them and however many days.
#[derive(Clone, Debug)]
pub struct VatRules {
    issuers: HashMap<String, Issuer>,
    member_states: HashSet<String>,
    /// By country, oldest first.
    rates: HashMap<String, Vec<(Instant, TaxRate)>>,
    /// What is known of the numbers of customers whose VAT depends on it, oldest first.
    standings: HashMap<AccountId, Vec<VatNumberStanding>>,
}

impl VatRules {
    /// Reads what decides how `accounts` are taxed.
    ///
    /// # Errors
    /// The database's; [`DbErr::RecordNotFound`] when reference data is incomplete.
    pub async fn read<'a>(
        connection: &impl ConnectionTrait,
        accounts: impl IntoIterator<Item = &'a Account>,
    ) -> Result<Self, DbErr> {
        let issuers = store::issuer::all(connection).await?;
        let mut rules = Self {
            issuers: issuers.into_iter().map(|issuer| (issuer.id.clone(), issuer)).collect(),
            member_states: store::issuer::member_states(connection).await?,
            rates: store::issuer::vat_rates(connection).await?,
            standings: HashMap::new(),
        };
        let mut abroad = Vec::new();
        for account in accounts {
            if rules.seller(account)?.1 == Place::OtherEu {
                abroad.push(account.id);
            }
        }
        rules.standings = abroad.iter().map(|id| (*id, Vec::new())).collect();
        rules.standings.extend(store::tax_status::standings(connection, &abroad).await?);
        Ok(rules)
    }

    /// How `account`, one of those that were read, is taxed on the day of `at` (R8.4).
    ///
    /// # Errors
    /// [`DbErr::RecordNotFound`] when reference data is incomplete.
    pub fn treatment(&self, account: &Account, at: Instant) -> Result<Treatment, DbErr> {
        let (_, place) = self.seller(account)?;
        let confirmed = place == Place::OtherEu && {
            let unread = || DbErr::RecordNotFound(format!("the VAT number of {}", account_name(account.id)));
            is_confirmed_on(self.standings.get(&account.id).ok_or_else(unread)?, at)
        };
        let country = &account.profile.country;
        let rate = self.rate(country, at);
        treatment(place, confirmed, rate).map_err(|RateMissing| no_rate(country, at))
    }

    /// Who sells to `account`, and where it is, seen from there.
    ///
    /// # Errors
    /// [`DbErr::RecordNotFound`] when reference data is incomplete.
    pub(super) fn seller(&self, account: &Account) -> Result<(&Issuer, Place), DbErr> {
        let missing = || DbErr::RecordNotFound(format!("issuers/{}", account.issuer));
        let issuer = self.issuers.get(&account.issuer).ok_or_else(missing)?;
        let country = &account.profile.country;
        let in_eu = |country: &String| self.member_states.contains(country);
        Ok((issuer, Place::of(issuer, in_eu(&issuer.country), country, in_eu(country))))
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
    VatRules::read(connection, [account]).await?.treatment(account, at)
}
