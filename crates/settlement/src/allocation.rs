//! The arithmetic of R7.5: how much each lot gives, and to which lines.
//!
//! Owns: the debit vector and the allocation over lines, both on bare minor units of one currency.
//! Always holds: the vector is the lexicographically greatest that lots and lines permit; with it, the
//! allocation is the lexicographically greatest over (lot in debit order, line in invoice order).
//! Refuses to know: kinds, dates, owners. It is given eligible lots, already in debit order.
//!
//! Why this is exact and not a greedy guess: lots and lines form a flow network in which all lines of
//! one family are reached by the same lots. By max-flow min-cut the lots can give amounts `d` all at
//! once if and only if for every set `T` of families
//!
//! > Σ d of the lots that may pay only within `T`  ≤  Σ net of the lines within `T`.
//!
//! The difference of the two sides is the *slack* of `T`. A lot may give as much as the least slack
//! of all sets that contain it, given the lots before it: that is the lexicographically greatest
//! vector. Paying `x` of family `f` from a lot then lowers only the slack of the sets that contain `f`
//! but not the whole lot (value of `f` that lots restricted to `T` can no longer reach), so the largest
//! `x` that leaves every later lot its amount is again a least slack. There are 2^families sets: eight.
//! Sums stay within 64 bits because each is bounded by the total due, which fits.

use crate::{FamilySet, PlanFamily};

/// What an eligible lot offers: minor units, and the families it may pay for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) families: FamilySet,
    pub(crate) remaining: i64,
}

/// What a line asks for, in minor units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) family: PlanFamily,
    pub(crate) net: i64,
}

/// An amount that the line at `line` (its place in the demands) gets from a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) line: usize,
    pub(crate) amount: i64,
}

/// For each offer, in order, what it pays of each line: shares above zero, in the order of the lines.
pub(crate) fn allocate(offers: &[Offer], demands: &[Demand]) -> Vec<Vec<Share>> {
    let mut slack = Slack::of(demands);
    let debits = offers.iter().map(|offer| slack.take_most(*offer)).collect::<Vec<_>>();
    let mut open = demands.to_vec();
    let mut first_open = 0;
    let mut shares = Vec::with_capacity(offers.len());
    for (offer, debit) in offers.iter().zip(debits) {
        // Lines before this one are fully paid; nobody need look at them again.
        first_open += open.iter().skip(first_open).take_while(|demand| demand.net == 0).count();
        shares.push(spread(offer.families, debit, &mut open, first_open, &mut slack));
    }
    shares
}

/// Spreads `debit` over the open lines, the earliest line getting the most that still leaves every
/// later lot its own debit.
fn spread(
    families: FamilySet,
    debit: i64,
    open: &mut [Demand],
    first_open: usize,
    slack: &mut Slack,
) -> Vec<Share> {
    let mut left = debit;
    let mut shares = Vec::new();
    for (line, demand) in open.iter_mut().enumerate().skip(first_open) {
        if left == 0 {
            break;
        }
        if !families.contains(demand.family) {
            continue;
        }
        let amount = left.min(demand.net).min(slack.spare(families, demand.family));
        if amount > 0 {
            slack.commit(families, demand.family, amount);
            demand.net -= amount;
            left -= amount;
            shares.push(Share { line, amount });
        }
    }
    shares
}

/// For every set of families: what its lines ask for, less what lots confined to it give.
struct Slack([i64; FamilySet::SUBSETS]);

impl Slack {
    fn of(demands: &[Demand]) -> Self {
        let mut slack = [0; FamilySet::SUBSETS];
        for demand in demands {
            for (subset, sum) in slack.iter_mut().enumerate() {
                if FamilySet::of(demand.family).is_within(subset) {
                    *sum += demand.net;
                }
            }
        }
        Self(slack)
    }

    /// The most this offer can give after all offers before it; given from now on.
    fn take_most(&mut self, offer: Offer) -> i64 {
        let confining = |subset: &usize| offer.families.is_within(*subset);
        let least =
            self.0.iter().enumerate().filter(|(subset, _)| confining(subset)).map(|(_, sum)| *sum).min();
        let debit = offer.remaining.min(least.unwrap_or(0));
        for (_, sum) in self.0.iter_mut().enumerate().filter(|(subset, _)| confining(subset)) {
            *sum -= debit;
        }
        debit
    }

    /// The most that a lot of these families may pay of `family` without taking what a lot confined
    /// to fewer families will need.
    fn spare(&self, families: FamilySet, family: PlanFamily) -> i64 {
        let touched = self.0.iter().enumerate().filter(|(subset, _)| is_touched(families, family, *subset));
        touched.map(|(_, sum)| *sum).min().unwrap_or(i64::MAX)
    }

    fn commit(&mut self, families: FamilySet, family: PlanFamily, amount: i64) {
        for (subset, sum) in self.0.iter_mut().enumerate() {
            if is_touched(families, family, subset) {
                *sum -= amount;
            }
        }
    }
}

fn is_touched(families: FamilySet, family: PlanFamily, subset: usize) -> bool {
    FamilySet::of(family).is_within(subset) && !families.is_within(subset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PlanFamily::{Instance, Option, Storage};

    fn only(families: &[PlanFamily], remaining: i64) -> Offer {
        let (first, others) = families.split_first().expect("a family");
        let set = others.iter().fold(FamilySet::of(*first), |set, family| set.with(*family));
        Offer { families: set, remaining }
    }

    fn table(offers: &[Offer], demands: &[(PlanFamily, i64)]) -> Vec<Vec<(usize, i64)>> {
        let demands = demands.iter().map(|(family, net)| Demand { family: *family, net: *net });
        let shares = allocate(offers, &demands.collect::<Vec<_>>());
        let pairs = |row: Vec<Share>| row.iter().map(|share| (share.line, share.amount)).collect();
        shares.into_iter().map(pairs).collect()
    }

    #[test]
    fn an_earlier_lot_leaves_a_restricted_one_its_only_line() {
        let any = only(&PlanFamily::ALL, 10);
        let storage = only(&[Storage], 10);
        let rows = table(&[any, storage], &[(Storage, 10), (Instance, 10)]);
        assert_eq!(rows, [vec![(1, 10)], vec![(0, 10)]]);
    }

    #[test]
    fn an_earlier_lot_gives_all_it_can_even_when_a_later_one_starves() {
        let any = only(&PlanFamily::ALL, 15);
        let storage = only(&[Storage], 10);
        let rows = table(&[any, storage], &[(Storage, 10), (Instance, 10)]);
        assert_eq!(rows, [vec![(0, 5), (1, 10)], vec![(0, 5)]]);
    }

    #[test]
    fn three_lots_in_a_ring_each_find_their_place() {
        let ring = [only(&[Instance, Storage], 10), only(&[Storage, Option], 10), only(&[Instance], 10)];
        let rows = table(&ring, &[(Instance, 10), (Storage, 10), (Option, 10)]);
        assert_eq!(rows, [vec![(1, 10)], vec![(2, 10)], vec![(0, 10)]]);
    }
}
