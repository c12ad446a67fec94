//! What time does to the model: credit that waits is supplied, months are settled, projects end.

use std::collections::BTreeMap;

use chrono::{TimeDelta, TimeZone, Utc};

use super::books::{
    Account, At, Bought, Cents, Family, Invoice, Kind, Life, Lot, Occasion, gross, month_of, months_later,
};

/// What loyalty earns of what is paid in money, in percent.
const LOYALTY_PERCENT: i64 = 1;
/// The issuer settles so long after the month.
const DELAY: TimeDelta = TimeDelta::hours(6);

/// Something that happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Supply(usize),
    Settle,
    End(usize),
}

/// When the month that begins with `month` is settled.
#[must_use]
pub fn settlement(month: At) -> At {
    months_later(month, 1) + DELAY
}

impl Account {
    /// Time passes from `from` to `to`.
    pub fn pass(&mut self, from: At, to: At) {
        for (at, event) in self.events(from, to) {
            match event {
                Event::Supply(order) => self.supply_late(order, at),
                Event::Settle => self.settle(at),
                Event::End(project) => self.end(project, at),
            }
        }
    }

    /// What happens in `(from, to]`, in order.
    fn events(&self, from: At, to: At) -> Vec<(At, Event)> {
        let first = month_of(from) + DELAY;
        let settlements = (0..).map(|n| months_later(first, n)).take_while(|at| *at <= to);
        let mut events: Vec<_> = settlements.filter(|at| from < *at).map(|at| (at, Event::Settle)).collect();
        for (n, order) in self.orders.iter().enumerate() {
            if let Bought::Waits(at) = order.state
                && at <= to
            {
                events.push((at, Event::Supply(n)));
            }
        }
        for (n, project) in self.projects.iter().enumerate() {
            if let Life::Deleting(at) = project.life
                && at <= to
            {
                events.push((at, Event::End(n)));
            }
        }
        events.sort_unstable();
        events
    }

    /// The time to withdraw is over (R6.4). What comes for a project that is over goes at once (R6.8).
    fn supply_late(&mut self, order: usize, at: At) {
        self.supply(order, at, None);
        let project = self.orders[order].project;
        if self.projects[project].life == Life::Deleted {
            self.forfeit(project, at);
        }
    }

    /// Settles the month before `at` for every project, in order (R7.7).
    fn settle(&mut self, at: At) {
        let end = month_of(at);
        for project in 0..self.projects.len() {
            if self.projects[project].life != Life::Deleted {
                let begin = self.projects[project].unsettled;
                let month = Utc.from_utc_datetime(&begin.naive_utc()).date_naive();
                self.bill(project, (begin, end), Occasion::Month(month), at);
            }
        }
    }

    /// A project's grace is over: everything unbilled is invoiced, what credit it has left goes (R4.6, R6.8).
    fn end(&mut self, project: usize, at: At) {
        let begin = self.projects[project].unsettled;
        self.bill(project, (begin, months_later(month_of(at), 1)), Occasion::Final, at);
        self.forfeit(project, at);
        self.projects[project].life = Life::Deleted;
    }

    /// Invoices what a project used in `[begin, end)`, settled at `at`, and collects what lots do not pay.
    fn bill(&mut self, project: usize, (begin, end): (At, At), occasion: Occasion, at: At) {
        self.projects[project].unsettled = end;
        let mut due: BTreeMap<Family, Cents> = BTreeMap::new();
        for resource in self.resources.iter().filter(|resource| resource.project == project) {
            *due.entry(resource.family).or_default() += resource.cost(begin, end);
        }
        let net: Cents = due.values().sum();
        if net == 0 {
            return;
        }
        let credit = self.debit(project, &due, at);
        let remainder = net - credit;
        self.invoices.push(Invoice { project, occasion, net, credit, gross: gross(remainder) });
        self.earn(remainder * LOYALTY_PERCENT / 100, at);
    }

    /// Takes what is due from lots, each as much as it can give after those before it (R7.1, R7.2, R7.5).
    ///
    /// Lots pay for one family or for all, so what is possible has a closed form: no family's own lots give
    /// more than it costs, and all together give no more than everything costs.
    fn debit(&mut self, project: usize, due: &BTreeMap<Family, Cents>, at: At) -> Cents {
        let mut order: Vec<usize> = (0..self.lots.len())
            .filter(|n| {
                let lot = &self.lots[*n];
                lot.project.is_none_or(|owner| owner == project) && lot.issued <= at && lot.remaining(at) > 0
            })
            .collect();
        order.sort_by_key(|n| {
            let lot = &self.lots[*n];
            (lot.kind, lot.expires.unwrap_or(At::MAX_UTC), lot.only.is_none(), lot.issued, lot.name.clone())
        });
        let mut slack = due.clone();
        let mut total: Cents = due.values().sum();
        let mut taken = 0;
        for n in order {
            let lot = &mut self.lots[n];
            let own = lot.only.map_or(total, |family| slack.get(&family).copied().unwrap_or(0));
            let amount = lot.unspent().min(own).min(total);
            lot.debited += amount;
            if let Some(family) = lot.only
                && amount > 0
            {
                *slack.entry(family).or_default() -= amount;
            }
            total -= amount;
            taken += amount;
        }
        taken
    }

    /// Loyalty earned by paying at `at`: it counts from a moment later on.
    fn earn(&mut self, amount: Cents, at: At) {
        if amount > 0 {
            let earned =
                self.lots.iter().filter(|lot| lot.name.is_none() && lot.kind == Kind::Loyalty).count();
            let later = TimeDelta::microseconds(1 + i64::try_from(earned).expect("few lots"));
            self.keep(Lot::new(None, Kind::Loyalty, amount, at + later));
        }
    }
}
