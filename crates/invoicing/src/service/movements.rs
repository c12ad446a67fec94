//! The movements of the ledger, of lots and of money, as one sequence; a page of each in memory.

use std::collections::VecDeque;

use florin_account::ledger::{MovementTable, Recorded};
use florin_platform::{finding::AccountRange, id::AccountId};
use florin_settlement::{Instant, Period};
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::audit as store;

/// How many movements of each kind are read at a time.
const PAGE: u64 = 1000;

/// Which movements, and in what order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted {
    /// Those of accounts, in the order of their chains.
    Chains(AccountRange),
    /// Those recorded in a period, in the order of recording.
    RecordedIn(Period),
}

/// The place of a movement in either order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    recorded: Instant,
    account: AccountId,
    sequence: i64,
}

impl Wanted {
    /// Before the first.
    fn start(self) -> Place {
        let recorded = match self {
            Self::Chains(_) => Instant::MIN,
            Self::RecordedIn(period) => period.from(),
        };
        Place { recorded, account: AccountId::from_u128(0), sequence: 0 }
    }

    fn place(self, movement: &Recorded) -> Place {
        let recorded = match self {
            Self::Chains(_) => Instant::MIN,
            Self::RecordedIn(_) => movement.recorded,
        };
        Place { recorded, account: movement.account(), sequence: movement.sequence }
    }

    /// A page of `table`.
    async fn page(
        self,
        connection: &impl ConnectionTrait,
        table: MovementTable,
        after: Place,
    ) -> Result<Vec<Recorded>, DbErr> {
        let Place { recorded, account, sequence } = after;
        match self {
            Self::Chains(accounts) => table.of_chains(connection, accounts, (account, sequence), PAGE).await,
            Self::RecordedIn(period) => {
                table.recorded_before(connection, period.to(), (recorded, account, sequence), PAGE).await
            }
        }
    }
}

/// A walk through the movements that are wanted.
#[derive(Debug)]
pub(crate) struct Movements {
    wanted: Wanted,
    of_lots: Kind,
    of_money: Kind,
}

/// One of the two tables.
#[derive(Debug)]
struct Kind {
    read: VecDeque<Recorded>,
    /// After what the next page begins; none once there is no more.
    after: Option<Place>,
}

impl Kind {
    /// Where the next page has to be read from, if one has to.
    fn wants_page(&mut self) -> Option<Place> {
        if self.read.is_empty() { self.after.take() } else { None }
    }

    /// A page that is not full is the last.
    fn turn(&mut self, wanted: Wanted, page: Vec<Recorded>) {
        let is_full = u64::try_from(page.len()).is_ok_and(|read| read >= PAGE);
        self.after = page.last().filter(|_| is_full).map(|last| wanted.place(last));
        self.read = page.into();
    }
}

impl Movements {
    /// From the first.
    pub(crate) fn new(wanted: Wanted) -> Self {
        let kind = || Kind { read: VecDeque::new(), after: Some(wanted.start()) };
        Self { wanted, of_lots: kind(), of_money: kind() }
    }

    /// The next, if there is one.
    pub(crate) async fn next(
        &mut self,
        connection: &impl ConnectionTrait,
    ) -> Result<Option<Recorded>, DbErr> {
        let wanted = self.wanted;
        if let Some(after) = self.of_lots.wants_page() {
            let page = wanted.page(connection, florin_credit::audit::MOVEMENTS, after).await?;
            self.of_lots.turn(wanted, page);
        }
        if let Some(after) = self.of_money.wants_page() {
            let page = wanted.page(connection, store::MOVEMENTS, after).await?;
            self.of_money.turn(wanted, page);
        }
        let place = |kind: &Kind| kind.read.front().map(|movement| wanted.place(movement));
        let from = match (place(&self.of_lots), place(&self.of_money)) {
            (Some(lot), Some(money)) if money < lot => &mut self.of_money,
            (None, Some(_)) => &mut self.of_money,
            (Some(_), Some(_) | None) | (None, None) => &mut self.of_lots,
        };
        Ok(from.read.pop_front())
    }
}
