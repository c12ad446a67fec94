//! What the server says against what the model says.

use std::collections::BTreeMap;

use florin_api::{
    credit::v1::{
        Credit, FundingKind, ListCreditOrdersRequest, ListCreditsRequest, ListMovementsRequest, Movement,
        credit, credit_order, movement,
    },
    invoicing::v1::{ListDebtsRequest, debt, invoice},
    money::Money,
    payment::v1::ListPaymentsRequest,
    project::v1::{CheckFundingRequest, ListHoldsRequest, hold, project},
};

use super::{
    books::{Account, At, Bought, Cents, Invoice, Kind, Life, Lot, Occasion, gross},
    play::{Player, World, cents, instant},
};
use crate::florin::Florin;

/// More than any history here makes.
const EVERYTHING: i32 = 1000;

impl World {
    /// Compares everything of every account; says with `at` which step it was.
    ///
    /// # Panics
    /// On the first difference.
    pub async fn check(&mut self, at: &str) {
        for (player, books) in self.players.iter().zip(&mut self.books) {
            credits_agree(player, books, self.now, at).await;
            orders_agree(player, books, self.now, at).await;
            invoices_agree(player, books, at).await;
            debts_agree(player, books, at).await;
            projects_agree(&self.florin, player, books, self.now, at).await;
        }
    }
}

async fn credits_agree(player: &Player, books: &mut Account, now: At, at: &str) {
    let caller = &player.customer.caller;
    let request = ListCreditsRequest {
        parent: player.customer.account.clone(),
        page_size: EVERYTHING,
        ..Default::default()
    };
    let said = caller.credits().list_credits(request).await.expect("credits").into_inner().credits;
    assert_eq!(said.len(), books.lots.len(), "{at}: lots: {said:#?}\nbut the model has {:#?}", books.lots);
    for credit in &said {
        let lot = recognised(&mut books.lots, credit, &books.projects);
        agrees(credit, lot, now, at);
    }

    let mut sequences = Vec::new();
    for credit in &said {
        let request =
            ListMovementsRequest { parent: credit.name.clone(), page_size: EVERYTHING, ..Default::default() };
        let movements = caller.credits().list_movements(request).await.expect("movements").into_inner();
        adds_up(credit, &movements.movements, at);
        sequences.extend(movements.movements.iter().map(|movement| movement.sequence));
    }
    // Movements of money stand between them: the audit at the end sees that none is missing.
    let count = sequences.len();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), count, "{at}: the account's movements have numbers of their own");
}

/// The model's lot of that name. A lot the server issued by itself gets its name and instant here.
fn recognised<'a>(lots: &'a mut [Lot], credit: &Credit, projects: &[super::books::Project]) -> &'a Lot {
    let named = lots.iter().position(|lot| lot.name.as_ref() == Some(&credit.name));
    let found = named.unwrap_or_else(|| {
        let new = lots.iter().position(|lot| {
            let project = lot.project.map_or("", |n| projects[n].name.as_str());
            lot.name.is_none()
                && lot.kind == kind(credit)
                && lot.initial == cents(credit.initial_amount.as_ref())
                && credit.project == project
                && credit.expire_time.as_ref().map(|time| instant(Some(time))) == lot.expires
        });
        new.unwrap_or_else(|| panic!("nobody was given {credit:#?}; the model has {lots:#?}"))
    });
    let lot = &mut lots[found];
    if lot.name.is_none() {
        let issued = instant(credit.issue_time.as_ref());
        assert!(lot.issued <= issued, "{credit:?} came before {}", lot.issued);
        lot.issued = issued;
        lot.name = Some(credit.name.clone());
    }
    lot
}

fn agrees(credit: &Credit, lot: &Lot, now: At, at: &str) {
    let told = [
        cents(credit.initial_amount.as_ref()),
        cents(credit.used_amount.as_ref()),
        cents(credit.lapsed_amount.as_ref()),
        cents(credit.revoked_amount.as_ref()),
        cents(credit.remaining_amount.as_ref()),
    ];
    let known = [lot.initial, lot.debited, lot.lapsed(now), lot.revoked, lot.remaining(now)];
    assert_eq!(told, known, "{at}: initial, used, lapsed, revoked, remaining of {credit:#?} and {lot:#?}");
    assert!(told.iter().all(|amount| *amount >= 0), "{at}: {credit:?}");
    assert_eq!(told[0], told[1..].iter().sum::<Cents>(), "{at}: {credit:?}");
    assert_eq!(kind(credit), lot.kind, "{at}");
    assert_eq!(instant(credit.issue_time.as_ref()), lot.issued, "{at}: {credit:?}");
    assert_eq!(credit.expire_time.as_ref().map(|time| instant(Some(time))), lot.expires, "{at}: {credit:?}");
    let is_live = matches!(credit.state(), credit::State::Active);
    assert_eq!(is_live, lot.remaining(now) > 0, "{at}: {credit:?}");
}

/// Σ movements = remaining, each says what it left, and none came before the one it follows (R14.3).
fn adds_up(credit: &Credit, movements: &[Movement], at: &str) {
    let mut remaining = 0;
    let mut sequence = 0;
    for movement in movements {
        let amount = cents(movement.amount.as_ref());
        remaining += match movement.kind() {
            movement::Kind::Issued => amount,
            movement::Kind::Debited
            | movement::Kind::Expired
            | movement::Kind::Forfeited
            | movement::Kind::Disputed
            | movement::Kind::Clawback => -amount,
            movement::Kind::Unspecified => panic!("{at}: {movement:?}"),
        };
        assert_eq!(remaining, cents(movement.remaining_after.as_ref()), "{at}: {movement:?}");
        assert!(sequence < movement.sequence, "{at}: {movements:?}");
        sequence = movement.sequence;
    }
    let left = cents(credit.remaining_amount.as_ref());
    // A lapse holds from its instant on, written down or not (R6.8).
    assert!(remaining == left || left == 0, "{at}: {credit:?} {movements:?}");
}

async fn orders_agree(player: &Player, books: &Account, now: At, at: &str) {
    let request = ListCreditOrdersRequest {
        parent: player.customer.account.clone(),
        page_size: EVERYTHING,
        ..Default::default()
    };
    let answer = player.customer.caller.credit_orders().list_credit_orders(request).await.expect("orders");
    let said = answer.into_inner().credit_orders;
    assert_eq!(said.len(), books.orders.len(), "{at}: orders");
    for order in &said {
        let known = books.orders.iter().find(|known| known.name == order.name).expect("an order of ours");
        let state = match known.state {
            Bought::Open if known.expires <= now => credit_order::State::Expired,
            Bought::Open => credit_order::State::AwaitingPayment,
            Bought::Canceled => credit_order::State::Canceled,
            Bought::Supplied | Bought::Waits(_) => credit_order::State::Paid,
            Bought::Withdrawn => credit_order::State::Withdrawn,
        };
        assert_eq!(order.state(), state, "{at}: {order:?}");
        assert_eq!(order.credit.is_empty(), known.state != Bought::Supplied, "{at}: {order:?}");
        assert_eq!(cents(order.amount_incl_tax.as_ref()), gross(known.net), "{at}: {order:?}");
    }
    let paid = books.orders.iter().filter(|order| order.paid.is_some());
    let mut bought: Vec<Cents> = paid.map(|order| gross(order.net)).collect();
    let purchases = player.customer.invoices(invoice::Kind::Purchase).await;
    let mut invoiced: Vec<_> = purchases.iter().map(|i| cents(i.amount_incl_tax.as_ref())).collect();
    bought.sort_unstable();
    invoiced.sort_unstable();
    assert_eq!(invoiced, bought, "{at}: one purchase invoice for each paid order");
}

async fn invoices_agree(player: &Player, books: &Account, at: &str) {
    let zero = Money::default();
    let mut said = Vec::new();
    for kind in [invoice::Kind::Monthly, invoice::Kind::Final] {
        for invoice in player.customer.invoices(kind).await {
            assert_eq!(invoice.state(), invoice::State::Paid, "{at}: {invoice:?}");
            said.push(Invoice {
                project: books.projects.iter().position(|p| p.name == invoice.project).expect("our project"),
                occasion: occasion(&invoice),
                net: cents(invoice.net_total.as_ref()),
                credit: cents(invoice.credit_applied.as_ref().or(Some(&zero))),
                gross: cents(invoice.amount_incl_tax.as_ref()),
            });
        }
    }
    let sorted = |invoices: &[Invoice]| {
        let keyed = invoices.iter().map(|invoice| ((invoice.occasion, invoice.project), *invoice));
        keyed.collect::<BTreeMap<_, _>>()
    };
    assert_eq!(said.len(), books.invoices.len(), "{at}: invoices {said:?} and {:?}", books.invoices);
    assert_eq!(sorted(&said), sorted(&books.invoices), "{at}: invoices");
}

fn occasion(invoice: &florin_api::invoicing::v1::Invoice) -> Occasion {
    if invoice.kind() == invoice::Kind::Final {
        return Occasion::Final;
    }
    let month = invoice.billing_month.as_ref().expect("a month");
    let day = chrono::NaiveDate::from_ymd_opt(
        month.year,
        u32::try_from(month.month).expect("a month"),
        u32::try_from(month.day.max(1)).expect("a day"),
    );
    Occasion::Month(day.expect("a month"))
}

/// What is owed, and what went back of what was paid for nothing (R6.11).
async fn debts_agree(player: &Player, books: &Account, at: &str) {
    let (caller, parent) = (&player.customer.caller, &player.customer.account);
    let request = ListDebtsRequest {
        parent: parent.clone(),
        page_size: EVERYTHING,
        open_only: true,
        ..Default::default()
    };
    let debts = caller.collection().list_debts(request).await.expect("debts").into_inner().debts;
    assert!(debts.iter().all(|debt| debt.cause() == debt::Cause::Bounced), "{at}: {debts:?}");
    let owed: Cents = debts.iter().map(|debt| cents(debt.owed_incl_tax.as_ref())).sum();
    assert_eq!(owed, books.owed(), "{at}: owed, {debts:#?}");

    let request = ListPaymentsRequest { parent: parent.clone(), page_size: EVERYTHING, ..Default::default() };
    let payments = caller.payments().list_payments(request).await.expect("payments").into_inner().payments;
    let back = payments.iter().filter_map(|payment| payment.refunded_amount_incl_tax.as_ref());
    let withdrawn = books.orders.iter().filter(|order| order.state == Bought::Withdrawn);
    let withdrawn: Cents = withdrawn.map(|order| gross(order.net)).sum();
    let returned: Cents = back.map(|amount| cents(Some(amount))).sum();
    assert_eq!(returned, books.returned() + withdrawn, "{at}: what went back");
}

/// How far projects are, what is reserved in them, and what they can still spend (R4.8).
async fn projects_agree(florin: &Florin, player: &Player, books: &Account, now: At, at: &str) {
    let funding = florin.operator.funding();
    for (n, known) in books.projects.iter().enumerate() {
        let said = player.customer.project(&known.name).await;
        let state = match known.life {
            Life::Active => project::State::Active,
            Life::Deleting(_) => project::State::Deleting,
            Life::Deleted => project::State::Deleted,
        };
        assert_eq!(said.state(), state, "{at}: {known:?}");

        let request = ListHoldsRequest {
            parent: known.name.clone(),
            page_size: EVERYTHING,
            open_only: true,
            ..Default::default()
        };
        let said = funding.clone().list_holds(request).await.expect("holds").into_inner().holds;
        let open = said.iter().filter(|hold| hold.state() == hold::State::Open);
        let open: BTreeMap<_, _> = open.map(|hold| (&hold.name, i64::from(hold.used_count))).collect();
        let expected = books.holds.iter().filter(|hold| hold.project == n && hold.is_open(now));
        let expected: BTreeMap<_, _> = expected.map(|hold| (&hold.name, hold.used)).collect();
        assert_eq!(open, expected, "{at}: open holds");

        if known.life == Life::Active {
            let request = CheckFundingRequest { name: known.name.clone(), ..Default::default() };
            let said = funding.clone().check_funding(request).await.expect("an answer").into_inner();
            let (available, expected) = (cents(said.available.as_ref()), books.available(n, now));
            let rounding = books.rounding();
            assert!(
                (available - expected).abs() <= rounding,
                "{at}: {available} is available in {n}, but {expected} should be: {said:#?}\n{books:#?}"
            );
            let spent = known.prepaid_only && expected <= 0;
            if expected.abs() > rounding {
                assert_eq!(said.allowed, books.owed() == 0 && !spent, "{at}: {said:?}");
            }
        }
    }
}

fn kind(credit: &Credit) -> Kind {
    match credit.kind() {
        FundingKind::Voucher => Kind::Voucher,
        FundingKind::CloudCredit => Kind::CloudCredit,
        FundingKind::Launchpad => Kind::LaunchPad,
        FundingKind::Loyalty => Kind::Loyalty,
        FundingKind::PaymentMethod | FundingKind::Unspecified => panic!("not a lot: {credit:?}"),
    }
}
