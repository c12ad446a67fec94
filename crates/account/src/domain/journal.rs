//! A movement as it stands in the ledger, whichever slice wrote it: for audits and for the journal.

use std::collections::BTreeMap;

use florin_platform::id::AccountId;
use florin_settlement::{Currency, Instant, Money};

use super::{
    chain::{Digest, Unchained},
    ledger::{Entry, LedgerAccount},
};

/// A movement as it is stored: also when that is not what was ever written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in its account's chain.
    pub sequence: i64,
    /// The digest that is stored; none if it is not one.
    pub digest: Option<Digest>,
    /// Its columns as they were hashed.
    pub unchained: Unchained,
    /// Its kind.
    pub kind: String,
    /// The kind of lot it is about; none for money.
    pub lot_kind: Option<String>,
    /// The name of the ledger account it debits.
    pub debit: String,
    /// The name of the one it credits.
    pub credit: String,
    /// The code of its currency.
    pub currency: String,
    /// Its amount, in minor units.
    pub minor: i64,
    /// The category and rate of the VAT it is about, if it is about VAT.
    pub tax: Option<(String, String)>,
    /// As of when it counts.
    pub effective: Instant,
    /// When it was written.
    pub recorded: Instant,
    /// What says so: a resource name; empty for lapses.
    pub document: String,
}

impl Recorded {
    /// Whose.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.unchained.account
    }

    /// Its amount; none in a currency that does not exist.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        Currency::parse(&self.currency).ok().map(|currency| Money::new(self.minor, currency))
    }

    /// The ledger accounts it debits and credits; none if there are no such accounts.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        let account = |name: &str| LedgerAccount::parse(name).ok();
        Some(Entry { debit: account(&self.debit)?, credit: account(&self.credit)? })
    }
}

/// What movements add up to, by currency and ledger account: minor units, debits less credits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances(BTreeMap<(Currency, LedgerAccount), i128>);

impl Balances {
    /// One balance, on the debit side.
    #[must_use]
    pub fn one(account: LedgerAccount, currency: Currency, minor: i128) -> Self {
        Self(BTreeMap::from([((currency, account), minor)]))
    }

    /// And what others add up to.
    pub fn extend(&mut self, others: &Self) {
        for ((currency, account), minor) in &others.0 {
            self.debit(*account, *currency, *minor);
        }
    }

    /// And a movement.
    pub fn add(&mut self, entry: Entry, amount: Money) {
        self.debit(entry.debit, amount.currency(), i128::from(amount.minor()));
        self.debit(entry.credit, amount.currency(), -i128::from(amount.minor()));
    }

    /// So much more on the debit side of one ledger account.
    pub fn debit(&mut self, account: LedgerAccount, currency: Currency, minor: i128) {
        *self.0.entry((currency, account)).or_default() += minor;
    }

    /// What stands on the debit side, less what stands on the credit side.
    #[must_use]
    pub fn of(&self, account: LedgerAccount, currency: Currency) -> i128 {
        self.0.get(&(currency, account)).copied().unwrap_or_default()
    }

    /// The currencies in which anything stands.
    pub fn currencies(&self) -> impl Iterator<Item = Currency> {
        let mut currencies: Vec<_> = self.0.keys().map(|(currency, _)| *currency).collect();
        currencies.dedup();
        currencies.into_iter()
    }
}
