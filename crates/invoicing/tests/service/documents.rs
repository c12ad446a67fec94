//! Invoices and credit notes as documents (R8.6): made of what was issued, the same bytes whenever they are asked for.

use florin_api::invoicing::v1::{
    self as wire, invoice::Kind, invoice_document::Format, invoice_service_server::InvoiceService,
};
use florin_credit::GrantKind;
use florin_platform::{db::sql, id::AccountId};
use florin_testbed::on_both_backends;
use sea_orm::ConnectionTrait;
use tonic::{Code, Status};

use crate::{
    advance::PLANS,
    world::{World, customer, operator},
};

async fn document(world: &World, name: &str, format: Format) -> Result<wire::InvoiceDocument, Status> {
    let (name, format) = (name.to_owned(), format.into());
    let rpc = world.invoice_rpc();
    let answer = if name.contains("/creditNotes/") {
        rpc.get_credit_note_document(operator(wire::GetCreditNoteDocumentRequest { name, format })).await
    } else {
        rpc.get_invoice_document(operator(wire::GetInvoiceDocumentRequest { name, format })).await
    };
    answer.map(tonic::Response::into_inner)
}

async fn text(world: &World, name: &str) -> String {
    let document = document(world, name, Format::Text).await.expect("a document");
    String::from_utf8(document.content).expect("text")
}

async fn set(world: &World, text: &str) -> Result<(), sea_orm::DbErr> {
    let writer = world.platform.db.migrator();
    writer.execute_raw(sql(writer, text, [])).await.map(drop)
}

/// An account that speaks `language`, with every kind of credit, and its March: 222 hours of an instance.
async fn billed(world: &World, language: &str) -> (AccountId, wire::Invoice) {
    let account = world.account("ada").await;
    set(world, &format!("UPDATE account SET language = '{language}', organisation = 'Ada & <Sons>'"))
        .await
        .expect("set");
    let card = world.card(account).await;
    let project = world.project(account, Some(&card)).await;
    world.grant(account, GrantKind::LaunchPad, 300).await;
    world.voucher(&project, 10).await;
    world.buy(account, &project, 5, &card).await.expect("bought");
    let instance = world.add(&project, "instance", 1).await;
    world.move_to("2027-03-10T05:30:00Z").await;
    world.remove(&instance).await;
    world.live_until("2027-04-01T06:00:00Z").await;
    (account, world.monthly(account).await.remove(0))
}

async fn whole_note(world: &World, invoice: &wire::Invoice) -> wire::CreditNote {
    let request = wire::CreateCreditNoteRequest {
        invoice: invoice.name.clone(),
        whole: true,
        reason: "an outage".to_owned(),
        ..Default::default()
    };
    world.invoice_rpc().create_credit_note(operator(request)).await.expect("credited").into_inner()
}

on_both_backends! {
    /// R8.6, R7.4: lines, what covered them, with the purchase invoice of prepaid credit, VAT and parties.
    async fn an_invoice_says_what_was_used_and_what_covered_it(db: TestDatabase) {
        let world = World::open(&db).await;
        let (_, invoice) = billed(&world, "fr").await;
        let said = text(&world, &invoice.name).await;
        // 222 hours, 24.64: 10.00, 5.00 and 3.00 of credit, 6.64 in money, 1.33 of VAT.
        for part in [
            "Facture FR-2027-000001",
            "Florin SAS",
            "FR40303265045",
            "Ada & <Sons>",
            "222 hour × 0.111 EUR",
            "24.64 EUR",
            "Bon ",
            "-10.00 EUR",
            "Crédit cloud (FR-P-2027-000001)",
            "-5.00 EUR",
            "LaunchPad",
            "-3.00 EUR",
            "TVA 20 % (sur 6.64 EUR)",
            "1.33 EUR",
            "Montant dû TTC",
            "7.97 EUR",
            "paiement d'avance",
            "SAS au capital de 10 000 EUR",
        ] {
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(part.trim()), "{part} is missing in\n{said}");
        }
        assert!(said.lines().all(|line| line.chars().count() <= 78), "{said}");
        let html = document(&world, &invoice.name, Format::Html).await.expect("a document");
        assert_eq!(html.file_name, "FR-2027-000001.html");
        assert_eq!(html.content_type, "text/html; charset=utf-8");
        let html = String::from_utf8(html.content).expect("text");
        assert!(html.contains("Ada &amp; &lt;Sons&gt;") && html.contains("<html lang=\"fr\">"), "{html}");
    }

    /// R8.6, R2.8: whatever becomes of the account, of its payment and of the issuer; but the buyer can be erased.
    async fn a_document_is_the_same_whenever_it_is_produced(db: TestDatabase) {
        let world = World::open(&db).await;
        let (_, invoice) = billed(&world, "en").await;
        let note = whole_note(&world, &invoice).await;
        let names = [invoice.name.clone(), note.name.clone()];
        let mut before = Vec::new();
        for name in &names {
            for format in [Format::Html, Format::Text] {
                before.push(document(&world, name, format).await.expect("a document"));
            }
        }
        set(&world, "UPDATE account SET language = 'de', given_name = 'Mallory', street = 'elsewhere'").await.expect("set");
        set(&world, "UPDATE issuer SET legal_name = 'Another SAS', legal_mentions = '{\"de\":\"Kapital 1 EUR\"}'").await.expect("set");
        world.live_until("2027-06-01T06:00:00Z").await;
        let mut after = Vec::new();
        for name in &names {
            for format in [Format::Html, Format::Text] {
                after.push(document(&world, name, format).await.expect("a document"));
            }
        }
        assert_eq!(after, before);
        for attempt in ["UPDATE document_parties SET seller = 'x'", "UPDATE document_parties SET buyer = 'x'",
            "UPDATE document_parties SET mentions = 'x'",
            "DELETE FROM document_parties", "UPDATE invoice SET parties_id = id"] {
            assert!(set(&world, attempt).await.is_err(), "{attempt} was let through");
        }
        set(&world, "UPDATE document_parties SET buyer = ''").await.expect("erased");
        assert!(!text(&world, &invoice.name).await.contains("Ada"));
    }

    /// Every kind of invoice has a document, and a new state of the parties is on what is issued from then on.
    async fn every_kind_of_invoice_has_a_document(db: TestDatabase) {
        let world = World::open(&db).await;
        world.plans(PLANS).await;
        let (account, _) = billed(&world, "nl").await;
        set(&world, "UPDATE account SET language = 'de'").await.expect("set");
        let project = world.project(account, None).await;
        world.add(&project, "metal", 1).await;
        world.live_until("2027-04-02T00:00:00Z").await;
        for (kind, title) in [
            (Kind::Purchase, "Factuur FR-P-2027-000001"),
            (Kind::Monthly, "Factuur FR-2027-000001"),
            (Kind::ProRata, "Rechnung FR-P-2027-000002"),
        ] {
            let invoices = world.invoices(account).await;
            let invoice = invoices.iter().find(|invoice| invoice.kind() == kind).expect("an invoice");
            let said = text(&world, &invoice.name).await;
            assert_eq!(said.lines().next(), Some(title));
        }
    }

    /// R8.6, R8.2: what an issuer must say is on all it issues, in the language of the buyer, else in English; and what is
    /// issued later says what is to be said then.
    async fn every_document_says_what_its_issuer_must_say(db: TestDatabase) {
        let world = World::open(&db).await;
        let (account, invoice) = billed(&world, "de").await;
        let note = whole_note(&world, &invoice).await;
        let invoices = world.invoices(account).await;
        let purchase = invoices.iter().find(|invoice| invoice.kind() == Kind::Purchase).expect("a purchase");
        for name in [&invoice.name, &purchase.name, &note.name] {
            let said = text(&world, name).await;
            assert!(said.ends_with("\nFlorin SAS, capital 10 000 EUR\n\nPayable at once.\n"), "{said}");
            let html = document(&world, name, Format::Html).await.expect("a document");
            let html = String::from_utf8(html.content).expect("text");
            assert!(html.contains("<p><small>Florin SAS, capital 10 000 EUR</small></p>"), "{html}");
        }
        set(&world, "UPDATE issuer SET legal_mentions = '{\"de\":\"Kapital 1 EUR\"}'").await.expect("set");
        let card = world.card(account).await;
        world.buy(account, &invoice.project, 5, &card).await.expect("bought");
        let invoices = world.invoices(account).await;
        let latest = invoices.iter().rfind(|invoice| invoice.kind() == Kind::Purchase).expect("a purchase");
        assert!(text(&world, &latest.name).await.ends_with("\nKapital 1 EUR\n"));
        assert!(text(&world, &purchase.name).await.contains("capital 10 000 EUR"));
    }

    /// R7.9: what was credited, what came back as credit, what went back in money.
    async fn a_credit_note_says_what_it_corrects_and_gives(db: TestDatabase) {
        let world = World::open(&db).await;
        let (_, invoice) = billed(&world, "en").await;
        let note = whole_note(&world, &invoice).await;
        let said = text(&world, &note.name).await;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "Credit note FR-C-2027-000001",
            "Corrects invoice: FR-2027-000001, 2027-04-01",
            "Reason: an outage",
            "Returned as credit: Voucher -10.00 EUR",
            "Returned as credit: Cloud credit -5.00 EUR",
            "Returned as credit: LaunchPad -3.00 EUR",
            "Credited in money, excluding VAT 6.64 EUR",
            "Credited in money, including VAT 7.97 EUR",
            "of which refunded to your payment method 7.97 EUR",
        ] {
            assert!(said.contains(part), "{part} is missing in\n{said}");
        }
    }

    async fn another_customers_document_does_not_exist(db: TestDatabase) {
        let world = World::open(&db).await;
        let (_, invoice) = billed(&world, "en").await;
        let stranger = world.account("stranger").await;
        let request = wire::GetInvoiceDocumentRequest { name: invoice.name.clone(), format: Format::Html.into() };
        let refused = world.invoice_rpc().get_invoice_document(customer(stranger, request)).await;
        assert_eq!(refused.expect_err("a stranger").code(), Code::NotFound);
        let refused = document(&world, &invoice.name, Format::Unspecified).await.expect_err("no format");
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}
