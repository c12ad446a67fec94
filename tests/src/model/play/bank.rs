//! The payer's bank, played through the sandbox, and the debts it leaves (R6.11, R9.3).

use florin_api::{
    invoicing::v1::PayDebtRequest,
    payment::v1::{Payment, payment},
    sandbox::v1::{DisputePaymentRequest, LoseDisputeRequest, WinDisputeRequest},
};

use super::{World, cents, money, race, refused, send};
use crate::model::{
    act::{Bank, Sent},
    books::{Cents, Standing, gross},
};

impl World {
    pub(super) async fn bank(&mut self, account: usize, order: usize, does: Bank, sent: Sent) {
        match does {
            Bank::Dispute { gross, bounced } => self.dispute(account, order, gross, bounced, sent).await,
            Bank::DisputeRace(clients) => self.dispute_race(account, order, clients).await,
            Bank::Win => self.win(account, order, sent).await,
            Bank::Lose => self.lose(account, order, sent).await,
        }
    }

    async fn dispute(&mut self, account: usize, order: usize, amount: Cents, bounced: bool, sent: Sent) {
        let request = DisputePaymentRequest {
            amount_incl_tax: Some(money(amount)),
            bounced,
            ..self.disputed(account, order)
        };
        let bank = self.florin.operator.clone();
        let answer =
            send(sent, || async { bank.payment_outcomes().dispute_payment(request.clone()).await }).await;
        if amount > self.here(account, order) {
            return refused(answer, "PAYMENT_NOT_DISPUTABLE");
        }
        let payment = answer.expect("so much is here").payment.expect("a payment");
        let standing = if bounced { Standing::Lost } else { Standing::Open };
        self.books[account].dispute(order, amount, standing, self.now);
        self.is_away(account, order, &payment);
    }

    /// All of what is there is taken back once, whoever asks for it.
    async fn dispute_race(&mut self, account: usize, order: usize, clients: usize) {
        let whole = gross(self.books[account].orders[order].net);
        let requests: Vec<_> = (0..clients).map(|_| self.disputed(account, order)).collect();
        let bank = self.florin.operator.clone();
        let dispute = |request| {
            let mut bank = bank.payment_outcomes();
            async move { bank.dispute_payment(request).await }
        };
        let answers = race(requests, dispute).await;
        let taken = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_here = self.here(account, order) == whole;
        assert_eq!(taken, usize::from(is_here), "all of it is taken back once: {answers:#?}");
        if is_here {
            self.books[account].dispute(order, whole, Standing::Open, self.now);
        }
    }

    async fn win(&mut self, account: usize, order: usize, sent: Sent) {
        let name = self.books[account].orders[order].payment.clone();
        let request = WinDisputeRequest { name, request_id: self.request_id() };
        let bank = self.florin.operator.clone();
        let answer =
            send(sent, || async { bank.payment_outcomes().win_dispute(request.clone()).await }).await;
        match self.latest(account, order) {
            Some(Standing::Open | Standing::Lost) => {
                let payment = answer.expect("it can be won").payment.expect("a payment");
                self.books[account].win(order, self.now);
                self.is_away(account, order, &payment);
            }
            Some(Standing::Won) | None => refused(answer, "PAYMENT_NOT_DISPUTABLE"),
        }
    }

    async fn lose(&mut self, account: usize, order: usize, sent: Sent) {
        let name = self.books[account].orders[order].payment.clone();
        let request = LoseDisputeRequest { name, request_id: self.request_id() };
        let bank = self.florin.operator.clone();
        let answer =
            send(sent, || async { bank.payment_outcomes().lose_dispute(request.clone()).await }).await;
        match self.latest(account, order) {
            Some(Standing::Open) => {
                let payment = answer.expect("it can be lost").payment.expect("a payment");
                let dispute = self.books[account].orders[order].disputes.last_mut();
                dispute.expect("a dispute").standing = Standing::Lost;
                self.is_away(account, order, &payment);
            }
            Some(Standing::Lost | Standing::Won) | None => refused(answer, "PAYMENT_NOT_DISPUTABLE"),
        }
    }

    pub(super) async fn pay_debts(&mut self, account: usize, sent: Sent) {
        let player = &self.players[account];
        let (caller, parent, payment_method) =
            (player.customer.caller.clone(), player.customer.account.clone(), player.card.clone());
        let request_id = self.request_id();
        let request = PayDebtRequest { parent, payment_method, request_id, ..Default::default() };
        let answer = send(sent, || async { caller.collection().pay_debt(request.clone()).await }).await;
        let owed = self.books[account].owed();
        if owed == 0 {
            return refused(answer, "NOTHING_OWED");
        }
        let paid = answer.expect("it can be paid").payment.expect("a payment");
        assert_eq!((paid.state(), cents(paid.amount_incl_tax.as_ref())), (payment::State::Succeeded, owed));
        self.books[account].pay_debts();
    }

    fn disputed(&mut self, account: usize, order: usize) -> DisputePaymentRequest {
        let name = self.books[account].orders[order].payment.clone();
        DisputePaymentRequest { name, request_id: self.request_id(), ..Default::default() }
    }

    /// What of an order's payment the bank has not taken back.
    fn here(&self, account: usize, order: usize) -> Cents {
        gross(self.books[account].orders[order].net) - self.books[account].away(order)
    }

    fn latest(&self, account: usize, order: usize) -> Option<Standing> {
        self.books[account].orders[order].disputes.last().map(|dispute| dispute.standing)
    }

    fn is_away(&self, account: usize, order: usize, payment: &Payment) {
        let away = payment.disputed_amount_incl_tax.as_ref().map_or(0, |amount| cents(Some(amount)));
        assert_eq!(away, self.books[account].away(order), "{payment:?}");
    }
}
