//! Credit nobody pays for: vouchers and grants.

use florin_api::credit::v1::{GrantLaunchPadRequest, GrantLoyaltyRequest, RedeemVoucherRequest};

use super::{World, instant, money, race, refused, send, timestamp};
use crate::model::{
    act::Sent,
    books::{At, Cents, Kind, Life, Lot, days_later},
};

impl World {
    pub(super) async fn redeem(&mut self, account: usize, project: usize, code: usize, sent: Sent) {
        let request = self.redemption(account, project, code);
        let caller = &self.players[account].customer.caller;
        let answer = send(sent, || async { caller.vouchers().redeem_voucher(request.clone()).await }).await;
        if self.books[account].projects[project].life != Life::Active {
            refused(answer, "PROJECT_NOT_LIVE");
        } else if self.codes[code].used {
            refused(answer, "VOUCHER_ALREADY_USED");
        } else {
            let credit = answer.expect("it can be redeemed");
            self.redeemed(account, project, code, credit.name, instant(credit.issue_time.as_ref()));
        }
    }

    pub(super) async fn redeem_race(&mut self, account: usize, project: usize, code: usize, clients: usize) {
        let mut requests = Vec::new();
        for _ in 0..clients {
            requests.push(self.redemption(account, project, code));
        }
        let caller = &self.players[account].customer.caller;
        let redeem = |request| async move { caller.vouchers().redeem_voucher(request).await };
        let answers = race(requests, redeem).await;
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let is_live = self.books[account].projects[project].life == Life::Active;
        assert_eq!(won, usize::from(is_live && !self.codes[code].used), "one use, one lot: {answers:#?}");
        for credit in answers.into_iter().flatten() {
            self.redeemed(account, project, code, credit.name, instant(credit.issue_time.as_ref()));
        }
    }

    fn redemption(&mut self, account: usize, project: usize, code: usize) -> RedeemVoucherRequest {
        RedeemVoucherRequest {
            parent: self.books[account].projects[project].name.clone(),
            code: self.codes[code].text.clone(),
            request_id: self.request_id(),
            ..Default::default()
        }
    }

    fn redeemed(&mut self, account: usize, project: usize, code: usize, name: String, issued: At) {
        let code = &mut self.codes[code];
        code.used = true;
        let lot = Lot {
            project: Some(project),
            only: code.only,
            expires: Some(days_later(issued, code.days)),
            ..Lot::new(Some(name), Kind::Voucher, code.cents, issued)
        };
        self.books[account].keep(lot);
    }

    pub(super) async fn launch_pad(&mut self, account: usize, cents: Cents, days: u64, sent: Sent) {
        let expires = days_later(self.now, days);
        let request = GrantLaunchPadRequest {
            parent: self.players[account].customer.account.clone(),
            amount: Some(money(cents)),
            reason: "a startup".to_owned(),
            expire_time: Some(timestamp(expires)),
            request_id: self.request_id(),
            ..Default::default()
        };
        let operator = &self.florin.operator;
        let grant = send(sent, || async { operator.grants().grant_launch_pad(request.clone()).await });
        let grant = grant.await.expect("it is granted");
        let issued = instant(grant.create_time.as_ref());
        let lot = Lot::new(Some(grant.credit), Kind::LaunchPad, cents, issued);
        self.books[account].keep(Lot { expires: Some(expires), ..lot });
    }

    pub(super) async fn loyalty(&mut self, account: usize, cents: Cents, sent: Sent) {
        let request = GrantLoyaltyRequest {
            parent: self.players[account].customer.account.clone(),
            amount: Some(money(cents)),
            reason: "an apology".to_owned(),
            request_id: self.request_id(),
            ..Default::default()
        };
        let operator = &self.florin.operator;
        let grant = send(sent, || async { operator.grants().grant_loyalty(request.clone()).await });
        let grant = grant.await.expect("it is granted");
        let issued = instant(grant.create_time.as_ref());
        self.books[account].keep(Lot::new(Some(grant.credit), Kind::Loyalty, cents, issued));
    }
}
