//! The catalogue in memory, as new as its version in the database.
//!
//! Whoever asks has read the version, with whatever else it read; a copy of another version is read anew. So an
//! answer is never given by an older catalogue than the one it was asked under, on however many replicas.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use florin_platform::{
    db::{Db, Tx},
    id::AccountId,
};
use florin_settlement::Currency;
use sea_orm::DbErr;

use crate::{
    domain::{
        plan::PlanCode,
        tariff::{OwnPrices, Tariff},
    },
    store::{self, plan::Catalogue},
};

/// A copy of the catalogue.
#[derive(Clone, Debug, Default)]
pub(crate) struct PriceList(Arc<RwLock<Option<Known>>>);

#[derive(Clone, Debug)]
struct Known {
    version: i64,
    prices: Arc<Prices>,
}

/// Plans, their prices, and what was negotiated with accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices {
    pub(crate) catalogue: Catalogue,
    pub(crate) own: BTreeMap<AccountId, OwnPrices>,
}

static NOTHING: OwnPrices = OwnPrices::new();

impl Prices {
    /// What `account` pays.
    pub(crate) fn tariff(&self, account: AccountId, currency: Currency) -> Tariff<'_> {
        Tariff::new(currency, &self.catalogue).with_own(self.own.get(&account).unwrap_or(&NOTHING))
    }

    /// The prices of the plans of `codes`, read in a transaction.
    pub(crate) async fn of(tx: &Tx, codes: &[&PlanCode], accounts: &[AccountId]) -> Result<Self, DbErr> {
        let catalogue = store::plan::of_codes(tx, codes).await?;
        Ok(Self { catalogue, own: store::own_price::of_accounts(tx, accounts).await? })
    }
}

impl PriceList {
    /// The catalogue as of `version` or newer.
    pub(crate) async fn at(&self, db: &Db, version: i64) -> Result<Arc<Prices>, DbErr> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.version >= version) {
            return Ok(known.prices);
        }
        // The version first: what is read after it may be newer, never older.
        let reader = db.reader();
        let version = store::plan::version(reader).await?;
        let catalogue = store::plan::all(reader).await?;
        let prices = Arc::new(Prices { catalogue, own: store::own_price::all(reader).await? });
        let known = Known { version, prices: Arc::clone(&prices) };
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_none_or(|kept| kept.version < version) {
            *kept = Some(known);
        }
        Ok(prices)
    }
}
