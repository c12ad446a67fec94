//! Credit notes (R7.9): never more than was invoiced, gapless numbers, and history.

use florin_api::invoicing::v1::{self as wire, invoice_service_server::InvoiceService};
use florin_credit::GrantKind;
use florin_invoicing::{
    CorrectionError, CreditNote, CreditNoteReason, CreditedMoney, Error, Extent, InvoiceId, NewCreditNote,
    issue_credit_note,
};
use florin_platform::{call::Call, db::Tx, id::AccountId, wire::parse_child};
use florin_testbed::on_both_backends;
use sea_orm::ConnectionTrait;
use tonic::Code;

use crate::world::{World, cents, eur, operator};

/// An account that bought 30.00 of credit, and the purchase invoice.
async fn bought(world: &World) -> (AccountId, InvoiceId) {
    // The sale is credited, and the credit is still there: in the service only who withdraws or disputes is credited.
    world.books.excuse("the ledger says what other rows say");
    let account = world.account("buyer").await;
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    world.buy(account, &project, 30, &card).await.expect("bought");
    let invoices = world.invoices(account).await;
    (account, parse_child("invoices", &invoices[0].name).expect("a name").1)
}

async fn credit(
    world: &World,
    account: AccountId,
    invoice: InvoiceId,
    minor: i64,
) -> Result<CreditNote, Error> {
    let new = &NewCreditNote {
        account,
        invoice,
        extent: Extent::net(1, eur(minor)),
        reason: CreditNoteReason::Correction,
        explanation: "a test".to_owned(),
        money: CreditedMoney::ToCustomer,
    };
    let call = &Call::by_job("test");
    let clock = world.platform.clock;
    let issue = |tx: Tx| async move {
        florin_account::lock(&tx, &[account]).await?;
        let now = clock.now(&tx).await?;
        issue_credit_note(&tx, now, call, new).await
    };
    world.platform.db.write(issue).await
}

async fn notes(world: &World, account: AccountId) -> Vec<wire::CreditNote> {
    let request =
        wire::ListCreditNotesRequest { parent: format!("accounts/{account}"), ..Default::default() };
    let rpc = world.invoice_rpc();
    rpc.list_credit_notes(operator(request)).await.expect("notes").into_inner().credit_notes
}

on_both_backends! {
    /// Several per invoice, in a series of their own, the VAT exact in the end, and nothing beyond.
    async fn an_invoice_is_credited_in_pieces_and_never_beyond(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, invoice) = bought(&world).await;
        for minor in [1001, 1001, 998] {
            let issued = credit(&world, account, invoice, minor).await.expect("credited");
            // The invoice is paid: nothing is left to lower, all of it goes back.
            assert_eq!(issued.refunded().expect("a sum"), issued.totals.amount_incl_tax);
        }
        let notes = notes(&world, account).await;
        let numbers: Vec<_> = notes.iter().map(|note| note.number.as_str()).collect();
        assert_eq!(numbers, ["FR-C-2027-000001", "FR-C-2027-000002", "FR-C-2027-000003"]);
        let total: i64 = notes.iter().map(|note| cents(note.amount_incl_tax.as_ref())).sum();
        assert_eq!(total, 3600);
        assert_eq!(cents(notes[0].tax_total.as_ref()), 200);
        let more = credit(&world, account, invoice, 1).await.expect_err("all is credited");
        assert!(matches!(more, Error::Correction(CorrectionError::MoreThanInvoiced { line: 1, .. })));
    }

    /// R7.9: what a lot had paid comes back as a new lot of the same kind and expiry, what was money as money; the
    /// old lot stays as it is.
    async fn what_credit_had_paid_comes_back_as_credit(db: TestDatabase) {
        let world = World::open(&db).await;
        let account = world.account("user").await;
        let card = world.card(account).await;
        let project = world.project(account, Some(&card)).await;
        world.grant(account, GrantKind::LaunchPad, 100).await;
        let instance = world.add(&project, "instance", 1).await;
        world.move_to("2027-03-01T19:30:00Z").await;
        world.remove(&instance).await;
        world.move_to("2027-04-01T06:00:00Z").await;
        world.bill().await;
        let invoice = world.monthly(account).await.remove(0);
        assert_eq!(cents(invoice.net_total.as_ref()), 222);
        let id = parse_child("invoices", &invoice.name).expect("a name").1;
        // 1.22 were money, 1.00 was LaunchPad: of 2.00 the first 1.22 are money.
        let issued = credit(&world, account, id, 200).await.expect("credited");
        assert_eq!(issued.totals.net_money, eur(122));
        assert_eq!(issued.totals.credit_returned, eur(78));
        assert_eq!(issued.refunded().expect("a sum"), eur(146));
        let [returned] = issued.returned.as_slice() else { panic!("one lot came back") };
        assert_eq!(returned.amount, eur(78));
        assert_ne!(returned.lot, returned.source);
        let lots = florin_credit::lots::of_accounts(world.platform.db.reader(), &[account]).await.expect("lots");
        let back = lots.iter().find(|(_, lot)| lot.id() == returned.lot).expect("the lot that came back");
        assert_eq!((back.1.kind(), back.1.remaining()), (florin_settlement::LotKind::LaunchPad, eur(78)));
        let rest = credit(&world, account, id, 22).await.expect("credited");
        assert_eq!((rest.totals.net_money, rest.totals.credit_returned), (eur(0), eur(22)));
        assert!(credit(&world, account, id, 1).await.is_err());
    }

    /// Twenty at once, each a fifth: five are issued, one after the other.
    async fn concurrent_notes_never_credit_more_than_was_invoiced(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, invoice) = bought(&world).await;
        let tries = (0..20).map(|_| credit(&world, account, invoice, 600));
        let issued = futures::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(issued, 5);
        let numbers: Vec<_> = notes(&world, account).await.into_iter().map(|note| note.number).collect();
        assert_eq!(numbers.last().map(String::as_str), Some("FR-C-2027-000005"));
        assert_eq!(numbers.len(), 5);
    }

    /// The database holds the limit itself, and keeps what was written.
    async fn the_database_refuses_more_than_was_invoiced_and_any_change(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, invoice) = bought(&world).await;
        credit(&world, account, invoice, 2500).await.expect("credited");
        let raw = world.platform.db.reader();
        let copy = "INSERT INTO credit_note_line (account_id, credit_note_id, invoice_id, line_number, net) \
                    SELECT account_id, credit_note_id, invoice_id, line_number + 0, net FROM credit_note_line";
        let copies = [
            copy.replace("line_number + 0", "line_number + 1"),
            "INSERT INTO credit_note SELECT account_id, invoice_id, 'X', invoice_id, project_id, issuer, currency, \
             reason, explanation, net_total, credit_returned, net_money, tax_total, amount_incl_tax, lowered_debt, \
             issued_at, parties_id, refunded FROM credit_note".to_owned(),
        ];
        for text in copies {
            let refused = raw.execute_unprepared(&text).await.expect_err("refused").to_string();
            assert!(refused.contains("more than there was"), "{refused}");
        }
        for text in [
            "UPDATE credit_note SET amount_incl_tax = amount_incl_tax, explanation = 'x'",
            "UPDATE credit_note_line SET net = 1",
            "UPDATE credit_note_tax SET tax = 0",
            "DELETE FROM credit_note",
            "DELETE FROM credit_note_line",
            "UPDATE invoice_series SET last_number = last_number - 1",
            "DELETE FROM invoice_series",
            "UPDATE invoice SET kind = 'FINAL'",
            "UPDATE invoice SET cause_id = id",
        ] {
            assert!(raw.execute_unprepared(text).await.is_err(), "{text}");
        }
    }

    async fn another_customers_credit_note_does_not_exist(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, invoice) = bought(&world).await;
        let name = credit(&world, account, invoice, 100).await.expect("credited").name();
        let stranger = world.account("stranger").await;
        let rpc = world.invoice_rpc();
        let get = |name: String| wire::GetCreditNoteRequest { name };
        assert_eq!(rpc.get_credit_note(operator(get(name.clone()))).await.expect("a note").into_inner().name, name);
        let refused = rpc.get_credit_note(crate::world::customer(stranger, get(name.clone()))).await;
        assert_eq!(refused.expect_err("a stranger").code(), Code::NotFound);
        let request =
            wire::ListCreditNotesRequest { parent: format!("accounts/{account}"), ..Default::default() };
        let refused = rpc.list_credit_notes(crate::world::customer(stranger, request)).await;
        assert_eq!(refused.expect_err("a stranger").code(), Code::NotFound);
    }
}
