//! The afterlife of a paid order in the model (R6.4, R6.11): disputed, won, withdrawn, its debt paid.

use super::books::{Account, At, Bought, Cents, Dispute, Kind, Life, Lot, Standing, gross, net};

impl Account {
    /// What of an order's payment is away, with tax.
    #[must_use]
    pub fn away(&self, order: usize) -> Cents {
        let disputes = self.orders[order].disputes.iter();
        disputes.filter(|dispute| dispute.standing != Standing::Won).map(|dispute| dispute.gross).sum()
    }

    /// The bank takes back `amount`, with tax, of what paid an order: what is unused of its credit is revoked and
    /// credited, the rest is owed, together the disputed gross.
    ///
    /// # Panics
    /// If the order is not paid.
    pub fn dispute(&mut self, order: usize, amount: Cents, standing: Standing, at: At) {
        if let Bought::Waits(_) = self.orders[order].state {
            self.supply(order, at, None);
        }
        let away = self.away(order);
        let wanted = self.net_of(order, away + amount) - self.net_of(order, away);
        let mut left = wanted;
        let mut revoked = Vec::new();
        for lot in self.in_order_of_issue(order) {
            let part = self.lots[lot].remaining(at).min(left);
            if part > 0 {
                self.lots[lot].revoked += part;
                left -= part;
                revoked.push((lot, part));
            }
        }
        let credited = self.credit(order, wanted - left);
        let owed = if left == 0 { 0 } else { amount - credited };
        let dispute = Dispute { gross: amount, opened: at, standing, revoked, owed, settled: false };
        self.orders[order].disputes.push(dispute);
        let project = self.orders[order].project;
        if self.projects[project].life == Life::Deleted {
            self.forfeit(project, at);
        }
    }

    /// The latest dispute of an order is won: what it revoked comes back as new lots, what it made owed is not.
    ///
    /// # Panics
    /// If there is none.
    pub fn win(&mut self, order: usize, at: At) {
        let dispute = self.orders[order].disputes.last_mut().expect("a dispute");
        dispute.standing = Standing::Won;
        for (lot, amount) in dispute.revoked.clone() {
            let Lot { project, expires, .. } = self.lots[lot];
            let back = Lot { project, expires, ..Lot::new(None, Kind::CloudCredit, amount, at) };
            let back = self.keep(back);
            self.orders[order].lots.push(back);
        }
        let project = self.orders[order].project;
        if self.projects[project].life == Life::Deleted {
            self.forfeit(project, at);
        }
    }

    /// What is owed, with tax.
    #[must_use]
    pub fn owed(&self) -> Cents {
        self.debts().map(|dispute| dispute.owed).sum()
    }

    /// Since when something is.
    #[must_use]
    pub fn owed_since(&self) -> Option<At> {
        self.debts().filter(|dispute| dispute.owed > 0).map(|dispute| dispute.opened).min()
    }

    /// All of it is paid.
    pub fn pay_debts(&mut self) {
        for dispute in self.orders.iter_mut().flat_map(|order| &mut order.disputes) {
            dispute.settled |= dispute.standing != Standing::Won && dispute.owed > 0;
        }
    }

    /// What was paid of debts that are not owed any more, with tax: it goes back.
    #[must_use]
    pub fn returned(&self) -> Cents {
        let disputes = self.orders.iter().flat_map(|order| &order.disputes);
        let won = disputes.filter(|dispute| dispute.settled && dispute.standing == Standing::Won);
        won.map(|dispute| dispute.owed).sum()
    }

    fn debts(&self) -> impl Iterator<Item = &Dispute> {
        let disputes = self.orders.iter().flat_map(|order| &order.disputes);
        disputes.filter(|dispute| dispute.standing != Standing::Won && !dispute.settled)
    }

    /// The lots of an order: of several that came at once, the one with the smaller name first, as among lots that pay.
    fn in_order_of_issue(&self, order: usize) -> Vec<usize> {
        let mut lots = self.orders[order].lots.clone();
        lots.sort_by_key(|lot| self.lots[*lot].name.clone());
        lots
    }

    /// The net of so much of what paid an order; of all of it all of its net.
    fn net_of(&self, order: usize, amount: Cents) -> Cents {
        let whole = self.orders[order].net;
        if amount >= gross(whole) { whole } else { net(amount) }
    }

    /// Credits `amount` of an order, before tax; what that comes to with tax. The tax of all notes together is the tax
    /// of all they credit; nothing is credited twice.
    fn credit(&mut self, order: usize, amount: Cents) -> Cents {
        let order = &mut self.orders[order];
        let before = order.credited;
        order.credited = (before + amount).min(order.net);
        if before + amount > order.net { gross(amount) } else { gross(before + amount) - gross(before) }
    }
}
