//! The journal of an issuer for a period (R8.8), from the ledger alone.
//!
//! | question | answer |
//! |---|---|
//! | which movements | those recorded in the period, of the issuer's accounts; a late lapse is in the period that found it |
//! | why balanced | a movement debits as much as it credits (R14.3) |
//! | why the same again | the period is over, and what is recorded never changes |
//! | how much memory | a page of movements of each kind, and the sums |

use std::collections::{BTreeMap, BTreeSet};

use florin_account::ledger::{Entry, LedgerAccount, Recorded};
use florin_platform::{column::CorruptRow, db::Db, id::AccountId};
use florin_settlement::{Currency, Instant, Money, Period};
use sea_orm::ConnectionTrait;

use super::movements::{Movements, Wanted};
use crate::{error::Error, store};

/// How many entries are given at a time.
const ENTRIES: usize = 500;

/// A movement of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalEntry {
    pub(crate) movement: Recorded,
    pub(crate) entry: Entry,
    pub(crate) amount: Money,
    /// The number of the invoice or credit note that says so.
    pub(crate) number: Option<String>,
}

/// What entries come to on a ledger account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LedgerTotal {
    pub(crate) account: LedgerAccount,
    pub(crate) debit: Money,
    pub(crate) credit: Money,
}

/// What a journal gives, in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The next entries; at least one.
    Entries(Vec<JournalEntry>),
    /// What they all come to: the last.
    Totals(Vec<LedgerTotal>),
}

/// A journal that is being read.
#[derive(Debug)]
pub(crate) struct Journal {
    db: Db,
    issuer: String,
    movements: Movements,
    totals: BTreeMap<(Currency, LedgerAccount), (Money, Money)>,
    /// Whose accounts were met last: a billing run records those of one issuer together.
    known: BTreeMap<AccountId, bool>,
    is_over: bool,
}

impl Journal {
    /// The journal of `issuer` for `period`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::JournalNotOver`].
    pub(crate) async fn begin(db: &Db, now: Instant, issuer: String, period: Period) -> Result<Self, Error> {
        if florin_account::issuer(db.reader(), &issuer).await?.is_none() {
            return Err(Error::NotFound(format!("issuers/{issuer}")));
        }
        if now < period.to() {
            return Err(Error::JournalNotOver { end: period.to() });
        }
        let movements = Movements::new(Wanted::RecordedIn(period));
        let (totals, known) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { db: db.clone(), issuer, movements, totals, known, is_over: false })
    }

    /// What comes next; nothing after the totals.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, Error> {
        if self.is_over {
            return Ok(None);
        }
        let entries = self.entries().await?;
        if !entries.is_empty() {
            return Ok(Some(Part::Entries(entries)));
        }
        self.is_over = true;
        let total = |((_, account), (debit, credit)): (&(Currency, LedgerAccount), &(Money, Money))| {
            LedgerTotal { account: *account, debit: *debit, credit: *credit }
        };
        Ok(Some(Part::Totals(self.totals.iter().map(total).collect())))
    }

    async fn entries(&mut self) -> Result<Vec<JournalEntry>, Error> {
        let db = self.db.clone();
        let reader = db.reader();
        loop {
            let mut read = Vec::with_capacity(ENTRIES);
            while read.len() < ENTRIES
                && let Some(movement) = self.movements.next(reader).await?
            {
                read.push(movement);
            }
            let is_end = read.is_empty();
            self.know(reader, &read).await?;
            read.retain(|movement| self.known.get(&movement.account()).copied().unwrap_or_default());
            if is_end || !read.is_empty() {
                return self.numbered(reader, read).await;
            }
        }
    }

    /// Finds out which accounts of `movements` are the issuer's.
    async fn know(&mut self, reader: &impl ConnectionTrait, movements: &[Recorded]) -> Result<(), Error> {
        let met: BTreeSet<_> = movements.iter().map(Recorded::account).collect();
        self.known.retain(|account, _| met.contains(account));
        let unknown: Vec<_> = met.into_iter().filter(|account| !self.known.contains_key(account)).collect();
        for account in florin_account::find_many(reader, &unknown).await? {
            self.known.insert(account.id, account.issuer == self.issuer);
        }
        Ok(())
    }

    async fn numbered(
        &mut self,
        reader: &impl ConnectionTrait,
        movements: Vec<Recorded>,
    ) -> Result<Vec<JournalEntry>, Error> {
        let documents: BTreeSet<_> = movements.iter().map(|movement| movement.document.as_str()).collect();
        let numbers = store::journal::numbers(reader, &documents).await?;
        let mut entries = Vec::with_capacity(movements.len());
        for movement in movements {
            let corrupt = || CorruptRow::new("a movement", "of no ledger account or currency");
            let entry = movement.entry().ok_or_else(corrupt).map_err(sea_orm::DbErr::from)?;
            let amount = movement.amount().ok_or_else(corrupt).map_err(sea_orm::DbErr::from)?;
            self.total(entry, amount)?;
            let number = numbers.get(&movement.document).cloned();
            entries.push(JournalEntry { movement, entry, amount, number });
        }
        Ok(entries)
    }

    fn total(&mut self, entry: Entry, amount: Money) -> Result<(), Error> {
        let zero = Money::zero(amount.currency());
        let (debit, _) = self.totals.entry((amount.currency(), entry.debit)).or_insert((zero, zero));
        *debit = debit.checked_add(amount)?;
        let (_, credit) = self.totals.entry((amount.currency(), entry.credit)).or_insert((zero, zero));
        *credit = credit.checked_add(amount)?;
        Ok(())
    }
}
