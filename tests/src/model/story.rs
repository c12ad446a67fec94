//! A history in figures without names: what it comes to must not depend on where it was lived.

use std::collections::BTreeMap;

use super::{
    books::{Account, At, Bought, Cents, Family, Invoice, Kind, Life},
    play::World,
};

/// What an account has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Of each kind, project and restriction: initial, used, revoked, lapsed, remaining. Of lots that came at one
    /// instant, names decide which pays first, and names are drawn by lot: their sum is told.
    credit: BTreeMap<(Kind, Option<usize>, Option<Family>), [Cents; 5]>,
    orders: Vec<(Cents, Paid)>,
    invoices: Vec<Invoice>,
    holds: Vec<(Cents, i64)>,
    running: usize,
    deleted: usize,
    owed: Cents,
    returned: Cents,
}

/// How an order stands, without instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paid {
    No,
    Yes,
    Back,
}

impl World {
    /// What every account has now. The model agreed with the server when it was last checked.
    #[must_use]
    pub fn figures(&self) -> Vec<Figures> {
        self.books.iter().map(|books| figures(books, self.now)).collect()
    }
}

fn figures(books: &Account, now: At) -> Figures {
    let mut credit: BTreeMap<_, [Cents; 5]> = BTreeMap::new();
    for lot in &books.lots {
        let sums = credit.entry((lot.kind, lot.project, lot.only)).or_default();
        let amounts = [lot.initial, lot.debited, lot.revoked, lot.lapsed(now), lot.remaining(now)];
        sums.iter_mut().zip(amounts).for_each(|(sum, amount)| *sum += amount);
    }
    let orders = books.orders.iter().map(|order| {
        let paid = match order.state {
            Bought::Open | Bought::Canceled => Paid::No,
            Bought::Supplied | Bought::Waits(_) => Paid::Yes,
            Bought::Withdrawn => Paid::Back,
        };
        (order.net, paid)
    });
    Figures {
        credit,
        orders: orders.collect(),
        invoices: books.invoices.clone(),
        holds: books.holds.iter().map(|hold| (hold.unit, hold.used)).collect(),
        running: books.resources.iter().filter(|resource| resource.to.is_none()).count(),
        deleted: books.projects.iter().filter(|project| project.life == Life::Deleted).count(),
        owed: books.owed(),
        returned: books.returned(),
    }
}
