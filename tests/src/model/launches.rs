//! What may be started, in the model: holds, and what is *available* (R4.8).
//!
//! Two families make it short: what can be paid is what may pay for one of them, and what may pay for both.

use chrono::TimeDelta;

use super::{
    books::{Account, At, Cents, Family, Life, Resource, hour_end, month_of},
    time::settlement,
};

/// For so many hours a prepaid-only project must be able to pay for what it starts.
pub const COVER_HOURS: i64 = 24;

const EVERYTHING: &[Family] = &[Family::Instance, Family::Storage];
const SETS: [&[Family]; 3] = [&[Family::Instance], &[Family::Storage], EVERYTHING];

/// Credit reserved for a launch.
#[derive(Clone, Debug)]
pub struct Hold {
    /// What the server calls it; a part that belongs to a resource has a name nobody is told.
    pub name: String,
    /// In which project.
    pub project: usize,
    /// For what.
    pub family: Family,
    /// How much each of them is.
    pub size: i64,
    /// For how many.
    pub count: i64,
    /// How many were started on it.
    pub used: i64,
    /// What each is estimated to cost.
    pub unit: Cents,
    /// The resource it belongs to.
    pub resource: Option<usize>,
    /// When it ends.
    pub expires: At,
    /// Whether it was given back.
    pub released: bool,
}

impl Hold {
    /// Whether something can still be started on it at `at`.
    #[must_use]
    pub fn is_open(&self, at: At) -> bool {
        self.resource.is_none() && !self.released && self.used < self.count && at < self.expires
    }
}

/// Credit that ends before the next settlement, and credit that outlives it.
#[derive(Clone, Copy, Debug, Default)]
struct Pot {
    before: Cents,
    after: Cents,
}

impl Pot {
    /// What it can pay when so much of an earlier month is not invoiced: what ends before can pay that only.
    fn pays(self, arrears: Cents) -> Cents {
        self.after + self.before.min(arrears.max(0))
    }
}

impl Account {
    /// What `resource` costs from `at` on for so many hours, the one begun counted.
    #[must_use]
    pub fn estimate(resource: &Resource, hours: i64) -> Cents {
        let begun = hour_end(resource.from) - TimeDelta::hours(1);
        resource.cost(begun, begun + TimeDelta::hours(hours))
    }

    /// What a project can still spend at `at`: Σ lots alive at the next settlement − unbilled use − holds; of the
    /// account's lots what its other projects do not need.
    #[must_use]
    pub fn available(&self, project: usize, at: At) -> Cents {
        self.left(project, EVERYTHING, at)
    }

    /// What of that may pay for `family`.
    #[must_use]
    pub fn available_for(&self, project: usize, family: Family, at: At) -> Cents {
        let sets = SETS.into_iter().filter(|set| set.contains(&family));
        sets.map(|set| self.left(project, set, at)).min().expect("everything is one of them")
    }

    /// Whether a prepaid-only project can pay `estimate` for `family`.
    #[must_use]
    pub fn can_start(&self, project: usize, family: Family, estimate: Cents, at: At) -> bool {
        let available = self.available_for(project, family, at);
        !self.projects[project].prepaid_only || (available > 0 && available >= estimate)
    }

    fn left(&self, project: usize, families: &[Family], at: At) -> Cents {
        let others: Cents = (0..self.projects.len())
            .filter(|other| *other != project)
            .map(|other| self.lack(other, at))
            .sum();
        let arrears = self.arrears(project, at);
        // What the project's own lots do not pay of the month before, the account's may.
        let rest = arrears - self.pot(Some(project), EVERYTHING, (project, at)).pays(arrears);
        let shared = self.pot(None, families, (project, at)).pays(rest);
        self.own(project, families, at) - self.need(project, families, at) + (shared - others).max(0)
    }

    /// What a project needs of the account's lots, having used its own.
    fn lack(&self, project: usize, at: At) -> Cents {
        let lack = |set| self.need(project, set, at) - self.own(project, set, at);
        SETS.into_iter().map(lack).max().unwrap_or_default().max(0)
    }

    fn own(&self, project: usize, families: &[Family], at: At) -> Cents {
        self.pot(Some(project), families, (project, at)).pays(self.arrears(project, at))
    }

    /// The lots of `owner` that may pay for any of `families`, for the use of `project` at `at`.
    fn pot(&self, owner: Option<usize>, families: &[Family], (project, at): (usize, At)) -> Pot {
        let next = settlement(month_of(at));
        let earlier = settlement(self.projects[project].unsettled);
        let mut pot = Pot::default();
        for lot in self.lots.iter().filter(|lot| lot.project == owner && lot.pays_for(families)) {
            let outlives = |instant: At| lot.expires.is_none_or(|expires| instant < expires);
            if lot.issued <= next && outlives(next) {
                pot.after += lot.unspent();
            } else if earlier < next && outlives(earlier) {
                pot.before += lot.remaining(at);
            }
        }
        pot
    }

    fn need(&self, project: usize, families: &[Family], at: At) -> Cents {
        let of = |family: &Family| {
            self.unbilled(project, *family, hour_end(at)) + self.reserved(project, *family, at)
        };
        families.iter().map(of).sum()
    }

    /// What was used in months that are not settled and of the present one.
    fn unbilled(&self, project: usize, family: Family, until: At) -> Cents {
        if self.projects[project].life == Life::Deleted {
            return 0;
        }
        let own = self.resources.iter().filter(|known| known.project == project && known.family == family);
        own.map(|resource| resource.cost(self.projects[project].unsettled, until)).sum()
    }

    /// What of that is of a month before the present one.
    fn arrears(&self, project: usize, at: At) -> Cents {
        EVERYTHING.iter().map(|family| self.unbilled(project, *family, month_of(at))).sum()
    }

    /// What open holds keep: all of it while they wait, then what their resource has not used of it.
    fn reserved(&self, project: usize, family: Family, at: At) -> Cents {
        let live = |hold: &&Hold| hold.project == project && hold.family == family && at < hold.expires;
        let kept = self.holds.iter().filter(live).map(|hold| match hold.resource {
            None if hold.released => 0,
            None => hold.unit * (hold.count - hold.used),
            Some(resource) => {
                let resource = &self.resources[resource];
                let used = resource.cost(resource.from, hour_end(at));
                if resource.to.is_some() { 0 } else { (hold.unit - used).max(0) }
            }
        });
        kept.sum()
    }

    /// So many cents may *available* differ by: use grows in cents counted up for each resource, and is rounded anew
    /// whenever it is computed.
    #[must_use]
    pub fn rounding(&self) -> Cents {
        2 + Cents::try_from(self.resources.iter().filter(|resource| resource.to.is_none()).count())
            .expect("few")
    }
}
