//! The judge of optimality: every possible allocation, tried one by one (R7.5).
//!
//! Knows nothing of flows, cuts or slack. Small instances only.

/// A lot: what it has, and for each line whether it may pay it.
pub(crate) struct Lot {
    pub(crate) remaining: i64,
    pub(crate) may_pay: Vec<bool>,
}

/// What each lot pays of each line.
pub(crate) type Allocation = Vec<Vec<i64>>;

/// Of all allocations, the one with the lexicographically greatest vector of debits, and among those
/// the lexicographically greatest one over (lot, line).
pub(crate) fn best(lots: &[Lot], lines: &[i64]) -> Allocation {
    let mut search = Search { lots, best: None };
    search.visit(&mut Vec::new(), &mut lines.to_vec());
    search.best.expect("paying nothing at all is possible").1
}

struct Search<'a> {
    lots: &'a [Lot],
    best: Option<(Vec<i64>, Allocation)>,
}

impl Search<'_> {
    fn visit(&mut self, rows: &mut Allocation, open: &mut Vec<i64>) {
        let Some(lot) = self.lots.get(rows.len()) else {
            let debits = rows.iter().map(|row| row.iter().sum()).collect();
            let candidate = (debits, rows.clone());
            if self.best.as_ref().is_none_or(|best| candidate > *best) {
                self.best = Some(candidate);
            }
            return;
        };
        rows.push(Vec::new());
        self.fill(lot, lot.remaining, rows, open);
        rows.pop();
    }

    fn fill(&mut self, lot: &Lot, left: i64, rows: &mut Allocation, open: &mut Vec<i64>) {
        let line = rows.last().map_or(0, Vec::len);
        if line == open.len() {
            let row = rows.pop().expect("a row is being filled");
            rows.push(row.clone());
            self.visit(rows, open);
            rows.pop();
            rows.push(row);
            return;
        }
        let most = if lot.may_pay[line] { left.min(open[line]) } else { 0 };
        for amount in 0..=most {
            open[line] -= amount;
            rows.last_mut().expect("a row is being filled").push(amount);
            self.fill(lot, left - amount, rows, open);
            rows.last_mut().expect("a row is being filled").pop();
            open[line] += amount;
        }
    }
}
