//! The afterlife of a paid order (R6.4, R6.11): disputed, won, withdrawn, against a small model.

use florin_credit::{lots, orders};
use florin_invoicing::MoneyOutcomes;
use florin_payment::{BoxError, Dispute, DisputeId, DisputeStanding, Outcomes, Payment};
use florin_platform::{call::Call, db::sql, id::AccountId};
use florin_settlement::{
    AccountRef, Due, DueLine, LineKey, Period, PlanFamily, ProjectRef, TaxCategory, TaxRate, plan,
};
use florin_testbed::{TestDatabase, on_both_backends};
use sea_orm::ConnectionTrait;

use crate::{
    dice::{Dice, scale},
    world::{World, eur},
};

/// The order of every history: 30.00 of credit, 36.00 with VAT.
const NET: i64 = 3000;
const GROSS: i64 = 3600;

/// An order that was bought and paid, and its payment.
struct Bought {
    world: World,
    account: AccountId,
    project: florin_project::ProjectId,
    payment: Payment,
}

impl Bought {
    async fn new(db: &TestDatabase) -> Self {
        let world = World::open(db).await;
        let account = world.account("buyer").await;
        let text = "UPDATE account SET legal_form = 'CORPORATION'";
        let writer = world.platform.db.migrator();
        writer.execute_raw(sql(writer, text, [])).await.expect("a company");
        let card = world.card(account).await;
        let project = world.project(account, Some(&card)).await;
        let order = world.buy(account, &project, NET / 100, &card).await.expect("bought");
        let (_, order) = orders::of_reference(&order).expect("an order");
        let reader = world.platform.db.reader();
        let order = orders::find(reader, account, order).await.expect("a query").expect("an order");
        let payment = order.payment.expect("it is paid");
        let payment = florin_payment::find(reader, account, payment).await.expect("a query").expect("one");
        Self { project: order.project, world, account, payment }
    }

    fn dispute(&self, number: u128, gross: i64) -> Dispute {
        Dispute {
            account: self.account,
            id: DisputeId::from_u128(number),
            payment: self.payment.id,
            reference: format!("dp_{number}"),
            amount: eur(gross),
            code: "fraudulent".to_owned(),
            standing: DisputeStanding::Open,
            opened: self.payment.updated,
            updated: self.payment.updated,
        }
    }

    async fn tell(&self, dispute: &Dispute, won: bool) {
        let (platform, payment, call) = (&self.world.platform, &self.payment, &Call::by_job("test"));
        let told = platform.db.write::<_, BoxError, _>(|tx| async move {
            let at = platform.clock.now(&tx).await?;
            florin_account::lock(&tx, &[payment.account]).await?;
            if won {
                MoneyOutcomes.dispute_won(&tx, at, call, payment, dispute).await
            } else {
                MoneyOutcomes.disputed(&tx, at, call, payment, dispute).await
            }
        });
        told.await.expect("taken in");
    }

    /// An invoice takes `minor` of the credit; it is not written.
    async fn spend(&self, minor: i64, invoice: u32) {
        self.world.books.excuse("what invoices say lots paid is what lots paid");
        let (platform, account) = (&self.world.platform, self.account);
        let at = self.world.now().await;
        let line = DueLine {
            key: LineKey::from_u32(1),
            family: PlanFamily::Instance,
            tax_category: TaxCategory::Standard,
            tax_rate: TaxRate::parse("20").expect("a rate"),
            plan: "b3-8".to_owned(),
            resource: "one".to_owned(),
            period: Period::month_of(at),
            net: eur(minor),
        };
        let owner = AccountRef::from_u128(account.as_u128());
        let project = ProjectRef::from_u128(self.project.as_u128());
        let due = Due::try_new(owner, project, eur(0).currency(), vec![line]).expect("a due");
        let alive =
            lots::alive_for(platform.db.reader(), account, Some(self.project), at).await.expect("lots");
        let plan = plan(&due, &alive, at).expect("a plan");
        let settlement = &[(account, format!("accounts/a/invoices/{invoice}"), plan)];
        let debited = platform.db.write(|tx| async move {
            florin_account::lock(&tx, &[account]).await?;
            lots::debit(&tx, at, settlement).await
        });
        debited.await.expect("debited");
    }

    /// What the credit of the order can still pay.
    async fn remaining(&self) -> i64 {
        let now = self.world.now().await;
        let found = lots::of_accounts(self.world.platform.db.reader(), &[self.account]).await.expect("lots");
        found.iter().filter(|(_, lot)| lot.is_alive_at(now)).map(|(_, lot)| lot.remaining().minor()).sum()
    }

    async fn number(&self, text: &str) -> i64 {
        let reader = self.world.platform.db.reader();
        let row = reader.query_one_raw(sql(reader, text, [])).await.expect("a query").expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    async fn owed(&self) -> i64 {
        let text =
            "SELECT CAST(COALESCE(SUM(amount - credited), 0) AS bigint) FROM debt WHERE closed_at IS NULL";
        self.number(text).await
    }

    async fn credited(&self) -> i64 {
        self.number("SELECT CAST(COALESCE(SUM(amount_incl_tax), 0) AS bigint) FROM credit_note").await
    }

    /// Σ movements of every lot is what remains of it.
    async fn check_ledger(&self, history: &str) {
        let text = "SELECT COUNT(*) FROM credit_lot l WHERE l.remaining < 0 OR l.remaining <> (SELECT \
                    CAST(COALESCE(SUM(CASE WHEN m.kind = 'ISSUED' THEN m.amount ELSE -m.amount END), 0) AS bigint) \
                    FROM credit_movement m WHERE m.account_id = l.account_id AND m.lot_id = l.id)";
        assert_eq!(self.number(text).await, 0, "a lot differs from its movements: {history}");
    }
}

/// A dispute, as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Unheard,
    Open { revoked: i64, owed: i64 },
    Won,
}

/// What an order and its disputes come to, in cents: R6.11 and nothing else. All amounts are multiples of 5 cents
/// net and 6 cents gross, so that VAT of 20 % is exact.
#[derive(Clone, Debug)]
struct Model {
    remaining: i64,
    expired: bool,
    disputes: [(i64, Known); 2],
}

impl Model {
    fn open(&mut self, of: usize) {
        let (gross, Known::Unheard) = self.disputes[of] else { return };
        let wanted = gross * 5 / 6;
        let revoked = wanted.min(self.remaining);
        self.remaining -= revoked;
        self.disputes[of].1 = Known::Open { revoked, owed: gross - revoked * 6 / 5 };
    }

    fn win(&mut self, of: usize) {
        let (_, Known::Open { revoked, .. }) = self.disputes[of] else { return };
        if !self.expired {
            self.remaining += revoked;
        }
        self.disputes[of].1 = Known::Won;
    }

    fn owed(&self) -> i64 {
        let owed = |known: &Known| if let Known::Open { owed, .. } = known { *owed } else { 0 };
        self.disputes.iter().map(|(_, known)| owed(known)).sum()
    }
}

async fn live(db: &TestDatabase, seed: u64) {
    let bought = Bought::new(db).await;
    let mut dice = Dice::new(seed);
    let first = [GROSS, 1200, 2400][usize::try_from(dice.roll(3)).expect("small")];
    let parts = [first, if first == GROSS { 0 } else { GROSS - first }];
    let mut model =
        Model { remaining: NET, expired: false, disputes: parts.map(|gross| (gross, Known::Unheard)) };
    let mut history = format!("seed {seed}, disputes over {parts:?}:");
    for step in 0..14_u32 {
        let of = usize::from(parts[1] > 0 && dice.roll(2) == 1);
        let dispute = bought.dispute(7 + u128::from(of == 1), parts[of]);
        match dice.roll(8) {
            0..=2 if model.remaining > 0 => {
                let units = u64::try_from(model.remaining / 5).expect("above zero");
                let minor = 5 * i64::try_from(1 + dice.roll(units)).expect("small");
                history.push_str(&format!(" spend {minor};"));
                bought.spend(minor, step).await;
                model.remaining -= minor;
            }
            0..=4 => {
                let times = 1 + dice.roll(2);
                history.push_str(&format!(" dispute {of} × {times};"));
                for _ in 0..times {
                    bought.tell(&dispute, false).await;
                }
                model.open(of);
            }
            5 | 6 => {
                let times = 1 + dice.roll(2);
                history.push_str(&format!(" win {of} × {times};"));
                for _ in 0..times {
                    bought.tell(&dispute, true).await;
                }
                model.win(of);
            }
            _ if dice.roll(3) == 0 => {
                history.push_str(" expire;");
                let later = bought.world.now().await.plus_months_clamped(14);
                bought.world.move_to(&later.to_string()).await;
                (model.remaining, model.expired) = (0, true);
            }
            _ => {}
        }
        assert_eq!(bought.remaining().await, model.remaining, "what remains: {history}");
        assert_eq!(bought.owed().await, model.owed(), "what is owed: {history}");
        bought.check_ledger(&history).await;
    }
}

on_both_backends! {
    /// R6.11: every step once, whatever order and number of notices: histories against the model.
    async fn disputes_keep_to_the_model_whatever_order_and_number_of_notices(db: TestDatabase) {
        for seed in 1..=6 * scale() {
            let own = TestDatabase::create(db.backend()).await;
            live(&own, seed).await;
        }
    }

    /// R6.11: the unused part is revoked and credited, the used part owed, together the disputed gross; and back.
    async fn a_disputed_order_is_revoked_credited_and_owed_and_a_won_one_comes_back(db: TestDatabase) {
        let bought = Bought::new(&db).await;
        bought.spend(1200, 1).await;
        let expires = bought.number("SELECT COUNT(*) FROM credit_lot WHERE expires_at IS NOT NULL").await;
        assert_eq!(expires, 1);
        let dispute = bought.dispute(7, GROSS);
        bought.tell(&dispute, false).await;
        assert_eq!((bought.remaining().await, bought.credited().await, bought.owed().await), (0, 2160, 1440));
        bought.tell(&dispute, true).await;
        assert_eq!((bought.remaining().await, bought.owed().await), (1800, 0));
        let same = "SELECT COUNT(*) FROM credit_lot a JOIN credit_lot b ON b.source_lot_id = a.id \
                    AND b.expires_at = a.expires_at AND b.project_id = a.project_id AND b.kind = a.kind";
        assert_eq!(bought.number(same).await, 1, "a new lot of the old kind, owner and expiry");
        let ended = "SELECT COUNT(*) FROM debt WHERE ending = 'DISPUTE_WON'";
        assert_eq!(bought.number(ended).await, 1);
        bought.check_ledger("once").await;
    }

    /// R6.11: what was paid on the debt of a won dispute is returned, once.
    async fn what_was_paid_on_the_debt_of_a_won_dispute_is_returned(db: TestDatabase) {
        let bought = Bought::new(&db).await;
        bought.spend(NET, 1).await;
        let dispute = bought.dispute(7, GROSS);
        bought.tell(&dispute, false).await;
        assert_eq!(bought.owed().await, GROSS);
        // Paid with the money of another purchase's payment, which was captured; written past the books.
        bought.world.books.excuse("an invoice is OVERDUE as long as a debt of it is open");
        bought.world.books.excuse("the ledger says what other rows say");
        let card = bought.world.card(bought.account).await;
        let project = florin_credit::project_name(bought.account, bought.project);
        let other = bought.world.buy(bought.account, &project, 100, &card).await.expect("bought");
        let (_, other) = orders::of_reference(&other).expect("an order");
        let reader = bought.world.platform.db.reader();
        let other = orders::find(reader, bought.account, other).await.expect("a query").expect("an order");
        let payment = other.payment.expect("paid");
        let writer = bought.world.platform.db.migrator();
        let now = florin_platform::column::At::from(bought.world.now().await);
        let text = "UPDATE debt SET closed_at = $1, ending = 'PAID', payment_id = $2 WHERE closed_at IS NULL";
        writer.execute_raw(sql(writer, text, [now.into(), payment.into()])).await.expect("paid");
        bought.tell(&dispute, true).await;
        bought.tell(&dispute, true).await;
        let back = "SELECT CAST(COALESCE(SUM(amount), 0) AS bigint) FROM payment_refund";
        assert_eq!(bought.number(back).await, GROSS);
    }
}
