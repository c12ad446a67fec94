//! The audit (R14.5): silent while all is well, also beside a busy server; and nothing that was changed behind Florin's
//! back escapes it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering},
};

use florin_api::invoicing::v1::{
    self as wire, collection_service_server::CollectionService, credited_portion::Measure,
    invoice_service_server::InvoiceService,
};
use florin_credit::GrantKind;
use florin_invoicing::{CreditNoteReason, CreditedMoney, Extent, NewCreditNote, issue_credit_note};
use florin_platform::{
    call::Call,
    column::At,
    db::{Tx, sql},
    finding::Finding,
    id::AccountId,
    wire::parse_child,
};
use florin_testbed::{Backend, disarm, on_both_backends};
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::{
    books::{audit, audit_as_seen_by},
    world::{Mood, World, cents, eur, operator},
};

/// A customer whose books have something of everything: credit bought, granted, used and given back; invoices paid by
/// credit and in money, one of them not at all; a credit note; a refund. And what still runs.
async fn busy(world: &World) -> (AccountId, String) {
    let account = world.account("buyer").await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    world.buy(account, &project, 30, &card).await.expect("bought");
    world.buy(account, &project, 10, &card).await.expect("bought");
    world.grant(account, GrantKind::LaunchPad, 100).await;
    world.voucher(&project, 5).await;
    let instance = world.add(&project, "instance", 1).await;
    world.move_to("2027-04-01T06:00:00Z").await;
    world.bill().await;
    let invoice = world.monthly(account).await.remove(0);
    let invoice = parse_child("invoices", &invoice.name).expect("a name").1;
    let new = &NewCreditNote {
        account,
        invoice,
        extent: Extent::net(1, eur(4500)),
        reason: CreditNoteReason::Correction,
        explanation: "a test".to_owned(),
        money: CreditedMoney::ToCustomer,
    };
    let (call, clock) = (&Call::by_job("test"), world.platform.clock);
    let issue = |tx: Tx| async move {
        florin_account::lock(&tx, &[account]).await?;
        let now = clock.now(&tx).await?;
        issue_credit_note(&tx, now, call, new).await
    };
    let issued = world.platform.db.write(issue).await.expect("credited");
    assert!(!issued.refunds.is_empty() && !issued.returned.is_empty(), "money and credit came back");
    (account, instance)
}

/// As [`busy`], and a customer whose debt is given up, but for a part that is credited.
async fn lossy(world: &World) {
    let (_, instance) = busy(world).await;
    world.remove(&instance).await;
    let account = world.account("debtor").await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    world.add(&project, "instance", 1).await;
    world.till.set(Mood::Declines);
    world.live_until("2027-05-01T06:00:00Z").await;
    let parent = format!("accounts/{account}");
    let request = wire::ListDebtsRequest { parent, ..Default::default() };
    let debt =
        world.collection().list_debts(operator(request)).await.expect("debts").into_inner().debts.remove(0);
    let request =
        wire::WriteOffDebtRequest { name: debt.name, reason: "gone".to_owned(), ..Default::default() };
    world.collection().write_off_debt(operator(request)).await.expect("written off");
    let net = florin_api::money::Money { currency_code: "EUR".to_owned(), units: 1, nanos: 0 };
    let portion = wire::CreditedPortion { line_number: 1, measure: Some(Measure::Net(net)) };
    let request = wire::CreateCreditNoteRequest {
        invoice: debt.invoice,
        lines: vec![portion],
        reason: "an outage".to_owned(),
        ..Default::default()
    };
    let note =
        world.invoice_rpc().create_credit_note(operator(request)).await.expect("credited").into_inner();
    assert_eq!((cents(note.amount_incl_tax.as_ref()), cents(note.refunded_incl_tax.as_ref())), (120, 0));
}

/// What the audit finds after `text` was run with triggers and foreign keys off. Nothing of it stays.
async fn planted(world: &World, text: &str, values: Vec<Value>) -> Result<Vec<Finding>, DbErr> {
    let tx = world.platform.db.begin_write().await?;
    disarm(&tx).await?;
    let changed = tx.execute_raw(sql(&tx, text, values)).await?.rows_affected();
    assert!(changed > 0, "nothing was changed by {text}");
    let found = audit_as_seen_by(&tx).await;
    tx.rollback().await;
    Ok(found)
}

fn whats(found: &[Finding]) -> BTreeSet<&'static str> {
    found.iter().map(|finding| finding.what).collect()
}

const CHAINED: &str = "a movement is what was chained";
const GAPLESS: &str = "a chain has every movement once";
const HEAD: &str = "the head of a chain is its last movement";
const LEDGER: &str = "the ledger says what other rows say";
const LAW: &str = "a settlement is what the law gives";
const COVER: &str = "what invoices say lots paid is what lots paid";
const LOT: &str = "what remains of a lot is what its movements leave";
const INITIAL: &str = "a lot begins with what its ISSUED movement says";
const LINE: &str = "a line is its quantity at its price";
const BEARER: &str = "a document bears a number that was given to it";
const BORNE: &str = "a number is borne by its document";
const COUNT: &str = "a series counts every number";

const NOTE_VAT: &str =
    "the VAT of a credit note is that of everything credited, less what was credited before";
const NOTE_CREDIT: &str = "a credit note gives back what the plan of its invoice took too much";
const NOTE_SUMS: &str = "the sums of a credit note are those of its parts";
const NOTE_LOT: &str = "what a credit note gives back is a lot";
const NOTE_BACK: &str = "what goes back because of a credit note is the sum of its refunds";
const NOTE_MADE: &str = "the refunds of a credit note are made";
const PAYMENT_BACK: &str = "what went back of a payment is what its refunds say";
const REDEEMED: &str = "the lot of a redeemed code is what its campaign gives";
const GRANTED: &str = "a campaign has granted what its codes gave";
const ASIDE: &str = "what the codes of a campaign may still give is set aside";

/// A corruption of the rows that account for each ledger account.
const LEDGER_ACCOUNTS: &[(&str, &str)] = &[
    ("RECEIVABLES", "UPDATE invoice_state SET state = 'ISSUED', paid_at = NULL WHERE state = 'PAID'"),
    ("CASH", "UPDATE payment SET refunded = refunded + 1"),
    (
        "VAT_PAYABLE",
        "UPDATE credit_note SET tax_total = tax_total + 1, amount_incl_tax = amount_incl_tax + 1",
    ),
    ("CREDIT_SALES", "UPDATE credit_order SET lot_id = NULL WHERE net = 1000"),
    (
        "DEFERRED_INCOME",
        "UPDATE credit_lot SET remaining = remaining + 1 WHERE kind = 'CLOUD_CREDIT' AND remaining < initial",
    ),
    (
        "PRICE_REDUCTIONS_OUTSTANDING",
        "UPDATE credit_lot SET remaining = remaining + 1 WHERE kind = 'VOUCHER' AND remaining < initial",
    ),
    (
        "INCOME",
        "UPDATE invoice SET net_total = net_total + 1, net_after_credit = net_after_credit + 1, \
      amount_incl_tax = amount_incl_tax + 1 WHERE kind = 'MONTHLY'",
    ),
    ("CUSTOMER_BALANCE", "UPDATE payment_refund SET state = 'DONE', look_at = NULL"),
    ("BAD_DEBTS", "UPDATE debt SET amount = amount + 1 WHERE ending = 'WRITTEN_OFF'"),
];

/// One corruption of each kind, and exactly what is found of it.
const CORRUPTIONS: &[(&str, &[&str])] = &[
    (
        "UPDATE credit_lot SET remaining = remaining - 1 WHERE remaining > 0 AND kind = 'LAUNCHPAD'",
        &[LOT, LEDGER],
    ),
    ("UPDATE credit_lot SET initial = initial + 1 WHERE origin = 'VOUCHER_CODE'", &[INITIAL, LOT, REDEEMED]),
    (
        "UPDATE credit_order SET net = net + 100, gross = gross + 100 WHERE net = 1000",
        &["the lot of a credit order is what was bought"],
    ),
    ("UPDATE invoice_line SET net = net + 1 WHERE late = FALSE AND resource_id IS NOT NULL", &[LINE, LAW]),
    ("UPDATE invoice_line SET quantity = '1' WHERE resource_id IS NOT NULL", &[LINE]),
    (
        "UPDATE invoice SET tax_total = tax_total + 1, amount_incl_tax = amount_incl_tax + 1 WHERE kind = 'MONTHLY'",
        &[LAW, LEDGER],
    ),
    ("UPDATE invoice_tax SET tax = tax + 1", &[LAW]),
    ("UPDATE invoice_debit SET amount = amount + 1 WHERE funding_kind = 'VOUCHER'", &[LAW, COVER]),
    (
        "UPDATE settlement_lot SET taken = taken - 1, remaining_after = remaining_after + 1 WHERE taken > 1",
        &[LAW],
    ),
    ("UPDATE settlement_debit SET amount = amount + 1", &[LAW]),
    ("DELETE FROM settlement_debit", &[LAW]),
    (
        "UPDATE invoice SET settlement_at = issued_at, number = 'FR-2027-000009' WHERE number = 'FR-2027-000001'",
        &[BEARER, BORNE],
    ),
    (
        "DELETE FROM invoice_number WHERE series = 'FR-P' AND number = 1",
        &[BEARER, "the numbers of a series have no gap"],
    ),
    ("DELETE FROM invoice_number WHERE series = 'FR-P' AND number = 2", &[BEARER, COUNT]),
    ("UPDATE invoice_series SET last_number = last_number + 1 WHERE series = 'FR-C'", &[COUNT]),
    (
        "UPDATE invoice_state SET state = 'OVERDUE', paid_at = NULL WHERE state = 'PAID'",
        &["an invoice is OVERDUE as long as a debt of it is open"],
    ),
    (
        "DELETE FROM invoice_state",
        &["an invoice has a state", "an invoice and its credit notes could have been written"],
    ),
    ("UPDATE credit_note_line SET net = net + 1", &[NOTE_SUMS, NOTE_VAT, NOTE_CREDIT]),
    (
        "UPDATE credit_note_line SET net = net + 1000000",
        &["a credit note credits what is left of its invoice"],
    ),
    ("UPDATE credit_note_line SET net = net - 1", &[NOTE_SUMS, NOTE_VAT, NOTE_CREDIT]),
    ("DELETE FROM credit_note_line", &["a credit note credits what is left of its invoice"]),
    ("UPDATE credit_note_tax SET tax = tax + 1", &[NOTE_VAT]),
    ("UPDATE credit_note_tax SET rate = '19'", &[NOTE_VAT]),
    (
        "UPDATE credit_note_tax SET category = 'NONE'",
        &["an invoice and its credit notes could have been written"],
    ),
    (
        "UPDATE credit_note SET net_total = net_total + 1, net_money = net_money + 1, \
      amount_incl_tax = amount_incl_tax + 1",
        &[NOTE_SUMS, LEDGER],
    ),
    ("UPDATE credit_note SET lowered_debt = lowered_debt + 1 WHERE refunded = 0", &[LEDGER]),
    ("UPDATE credit_note SET refunded = refunded - 1 WHERE refunded > 0", &[NOTE_BACK, LEDGER]),
    ("UPDATE credit_note_return SET amount = amount + 1", &[NOTE_CREDIT, NOTE_LOT]),
    ("UPDATE credit_note_return SET lot_id = source_lot_id", &[NOTE_LOT]),
    ("DELETE FROM credit_note_return", &[NOTE_CREDIT]),
    (
        "UPDATE credit_lot SET restriction = 'STORAGE' WHERE origin = 'CREDIT_NOTE'",
        &["what comes back of a lot is a lot like it"],
    ),
    ("UPDATE invoice_refund SET amount = amount - 1", &[NOTE_BACK, NOTE_MADE]),
    ("UPDATE payment_refund SET amount = amount - 1", &[NOTE_MADE, LEDGER]),
    ("UPDATE payment_refund SET purpose = 'another'", &[NOTE_MADE]),
    ("UPDATE payment_refund SET state = 'DONE', look_at = NULL", &[PAYMENT_BACK, LEDGER]),
    ("UPDATE loyalty_claim SET taken = taken - 1", &["what is taken back of loyalty is what its claim says"]),
    (
        "INSERT INTO loyalty_netting (account_id, invoice, currency, amount, created_at) \
      SELECT account_id, 'x', currency, amount + 1, created_at FROM loyalty_claim",
        &["no more loyalty is netted than is owed"],
    ),
    ("UPDATE debt SET amount = amount + 1 WHERE ending = 'WRITTEN_OFF'", &[LEDGER]),
    ("UPDATE campaign SET code_count = code_count + 1", &["a campaign counts every code of it", ASIDE]),
    ("UPDATE campaign SET use_count = use_count - 1", &["a campaign counts every redemption", ASIDE]),
    ("UPDATE voucher_code SET uses = 0", &["the codes of a campaign count every redemption"]),
    ("UPDATE campaign_offer SET granted = granted - 100", &[GRANTED]),
    ("UPDATE campaign_offer SET granted = 0, reserved = 500", &[GRANTED, ASIDE]),
    ("UPDATE voucher_redemption SET amount = amount - 1", &[GRANTED, REDEEMED]),
    ("UPDATE payment SET refunded = refunded + 1", &[PAYMENT_BACK, LEDGER]),
    (
        "UPDATE payment SET disputed = disputed + 1",
        &["what was taken back of a payment is what its disputes say", LEDGER],
    ),
    (
        "DELETE FROM credit_movement WHERE kind = 'DEBITED' AND lot_kind = 'VOUCHER'",
        &[GAPLESS, LOT, COVER, LEDGER],
    ),
    ("DELETE FROM money_movement WHERE kind = 'CAPTURED' AND amount = 1200", &[GAPLESS, LEDGER]),
    ("UPDATE account_lock SET movement_sequence = movement_sequence + 1", &[HEAD]),
];

/// Another value for each column of a movement that its checks allow, beside the account, the sequence and times.
const COLUMNS: &[(&str, &str, &str)] = &[
    (
        "credit_movement",
        "lot_id",
        "(SELECT id FROM credit_lot WHERE origin = 'CREDIT_NOTE' ORDER BY id LIMIT 1)",
    ),
    ("credit_movement", "lot_kind", "'LOYALTY'"),
    ("credit_movement", "kind", "'FORFEITED'"),
    ("credit_movement", "currency", "'EUS'"),
    ("credit_movement", "currency", "'USD'"),
    ("credit_movement", "amount", "amount + 1"),
    ("credit_movement", "remaining_after", "remaining_after + 1"),
    ("credit_movement", "debit_ledger", "'CASH'"),
    ("credit_movement", "credit_ledger", "'CASI'"),
    ("credit_movement", "reference", "reference || 'x'"),
    ("money_movement", "kind", "'CARRIED_FORWARD'"),
    ("money_movement", "debit_ledger", "'INCOMF'"),
    ("money_movement", "credit_ledger", "'BAD_DEBTS'"),
    ("money_movement", "currency", "'USD'"),
    ("money_movement", "amount", "amount + 1"),
    ("money_movement", "tax_rate", "tax_rate || '1'"),
    ("money_movement", "tax_category", "'ZERO_RATED'"),
    ("money_movement", "document", "document || 'x'"),
];

on_both_backends! {
    /// R14.5: what is planted is found, and nothing else.
    async fn every_kind_of_corruption_is_found(db: TestDatabase) {
        let world = World::open(&db).await;
        lossy(&world).await;
        assert_eq!(whats(&audit(db.url()).await), BTreeSet::new());
        let mut wrong = Vec::new();
        for (text, expected) in CORRUPTIONS {
            let found = match planted(&world, text, Vec::new()).await {
                Ok(found) => found,
                Err(error) => {
                    wrong.push(format!("{text}: {error}"));
                    continue;
                }
            };
            let (whats, expected) = (whats(&found), expected.iter().copied().collect::<BTreeSet<_>>());
            if whats != expected {
                wrong.push(format!("{text}: expected {expected:#?}, found {found:#?}"));
            }
        }
        for (account, text) in LEDGER_ACCOUNTS {
            let found = planted(&world, text, Vec::new()).await.unwrap_or_else(|error| panic!("{text}: {error}"));
            let place = format!(" {account} EUR");
            if !found.iter().any(|finding| finding.what == LEDGER && finding.place.ends_with(&place)) {
                wrong.push(format!("{text}: expected {account}, found {found:#?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert_eq!(whats(&audit(db.url()).await), BTreeSet::new(), "nothing of it stayed");
    }

    /// R14.4: whichever column of whichever movement is changed, the chain tells which movement it was.
    async fn changing_any_column_of_a_movement_breaks_its_chain(db: TestDatabase) {
        let world = World::open(&db).await;
        busy(&world).await;
        let later = world.now().await.plus_days(1);
        let mut wrong = Vec::new();
        for (table, column, value) in COLUMNS {
            let row = place_of(&world, table, column).await;
            let text = format!("UPDATE {table} SET {column} = {value} WHERE sequence = $1");
            check_broken(&world, &text, vec![row.into()], row, &mut wrong).await;
        }
        for (table, column) in
            ["credit_movement", "money_movement"].into_iter().flat_map(|table| ["effective_at", "recorded_at"].map(|column| (table, column)))
        {
            let row = place_of(&world, table, column).await;
            let text = format!("UPDATE {table} SET {column} = $2 WHERE sequence = $1");
            check_broken(&world, &text, vec![row.into(), At::from(later).into()], row, &mut wrong).await;
            if db.backend() == Backend::Sqlite {
                // The same instant, in other words.
                let text = format!("UPDATE {table} SET {column} = replace({column}, '+00:00', 'Z') WHERE sequence = $1");
                check_broken(&world, &text, vec![row.into()], row, &mut wrong).await;
            }
        }
        for table in ["credit_movement", "money_movement"] {
            let row = place_of(&world, table, "digest").await;
            let text = format!("UPDATE {table} SET digest = $2 WHERE sequence = $1");
            check_broken(&world, &text, vec![row.into(), vec![7_u8; 32].into()], row, &mut wrong).await;
            let text = format!("UPDATE {table} SET sequence = sequence + 1000 WHERE sequence = $1");
            let found = planted(&world, &text, vec![row.into()]).await.expect("changed");
            assert!(whats(&found).contains(GAPLESS), "{text}: {found:#?}");
        }
        let found = planted(&world, "UPDATE account_lock SET movement_head = $1", vec![vec![7_u8; 32].into()]).await;
        let expected = BTreeSet::from(["the head of a chain is its last digest"]);
        assert_eq!(whats(&found.expect("changed")), expected);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// R14.5: beside a server that bills, sells, refunds and grants, the audit finds nothing.
    async fn beside_a_busy_server_the_audit_is_silent(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, _) = busy(&world).await;
        let other = world.account("other").await;
        let card = world.card(other).await;
        let project = world.project(other, Some(&card)).await;
        world.add(&project, "instance", 1).await;
        let audits = AtomicU32::new(0);
        // For as many months as an audit takes that begins and ends among them, and two at least.
        let work = async {
            for month in 5..=12 {
                world.buy(other, &project, 20, &card).await.expect("bought");
                world.grant(account, GrantKind::Loyalty, 50).await;
                world.move_to(&format!("2027-{month:02}-01T06:00:00Z")).await;
                world.bill().await;
                if month > 5 && audits.load(Ordering::SeqCst) > 0 {
                    break;
                }
            }
        };
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                () = &mut work => break,
                found = audit(db.url()) => {
                    assert_eq!(found, Vec::new());
                    audits.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        assert!(audits.load(Ordering::SeqCst) > 0, "it was audited meanwhile");
    }
}

/// The first movement in whose `column` something stands that can be changed.
async fn place_of(world: &World, table: &str, column: &str) -> i64 {
    let kind = match column {
        "kind" | "reference" | "lot_id" if table == "credit_movement" => "kind = 'DEBITED'",
        "tax_rate" | "tax_category" => "kind = 'VAT_INVOICED'",
        _ => "amount > 0",
    };
    let text = format!("SELECT sequence FROM {table} WHERE {kind} ORDER BY sequence LIMIT 1");
    let reader = world.platform.db.reader();
    let row = reader.query_one_raw(sql(reader, &text, [])).await.expect("a query").expect("a movement");
    row.try_get_by_index(0).expect("a sequence")
}

async fn check_broken(world: &World, text: &str, values: Vec<Value>, row: i64, wrong: &mut Vec<String>) {
    let found = planted(world, text, values).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    let broken: Vec<_> = found.iter().filter(|finding| finding.what == CHAINED).collect();
    let place = format!("movement {row}");
    if broken.len() != 1 || !broken[0].place.ends_with(&place) {
        wrong.push(format!("{text} at {row}: {found:#?}"));
    }
}
