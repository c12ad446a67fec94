//! Documents over the wire (R8.6): of every kind of invoice, with what is late (R8.9) and what the issuer must say, for
//! whoever may read them (R4.5).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    account::v1::GetIssuerRequest,
    invoicing::v1::{
        CreateCreditNoteRequest, CreditNote, GetCreditNoteDocumentRequest, GetInvoiceDocumentRequest,
        Invoice, InvoiceDocument, invoice, invoice_document::Format,
    },
    money::Decimal,
    project::v1::{GrantRightRequest, RecordUsageRequest, RevokeRightRequest, Right, UsageEvent, right},
};
use florin_platform::wire;
use florin_server::client::Caller;
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::said,
    florin::{Florin, refusal},
};
use tonic::{Code, Status};

async fn document(by: &Caller, name: &str, format: Format) -> Result<String, Status> {
    let (name, format) = (name.to_owned(), format.into());
    let answer: InvoiceDocument = if name.contains("/creditNotes/") {
        by.invoices()
            .get_credit_note_document(GetCreditNoteDocumentRequest { name, format })
            .await?
            .into_inner()
    } else {
        by.invoices().get_invoice_document(GetInvoiceDocumentRequest { name, format }).await?.into_inner()
    };
    Ok(String::from_utf8(answer.content).unwrap())
}

/// A document as text, on one line.
async fn text(by: &Caller, name: &str) -> String {
    let text = document(by, name, Format::Text).await.unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn missing(text: &str, parts: &[&str]) -> Vec<String> {
    parts
        .iter()
        .filter(|part| !text.contains(**part))
        .map(|part| format!("{part} is missing in {text}"))
        .collect()
}

fn event(id: &str, resource: &str, quantity: &str, at: &str) -> UsageEvent {
    UsageEvent {
        id: id.to_owned(),
        resource: resource.to_owned(),
        quantity: Some(Decimal { value: quantity.to_owned() }),
        usage_time: Some(wire::timestamp(Instant::parse(at).unwrap())),
        label: String::new(),
    }
}

async fn record(florin: &Florin, events: Vec<UsageEvent>) {
    let count = i32::try_from(events.len()).unwrap();
    let answer =
        florin.operator.usage().record_usage(RecordUsageRequest { events }).await.unwrap().into_inner();
    assert_eq!(answer.counts.unwrap().accepted_count, count);
}

/// What the French issuer must say in English.
async fn mentions(by: &Caller) -> Vec<String> {
    let request = GetIssuerRequest { name: "issuers/fr".to_owned() };
    let issuer = by.issuers().get_issuer(request).await.unwrap().into_inner();
    let mentions: Vec<_> = issuer.legal_mentions["en"].lines().map(str::to_owned).collect();
    assert_eq!(mentions.len(), 2, "{mentions:?}");
    mentions
}

on_both_backends! {
    /// R8.1, R8.6, R8.9: every kind of invoice as text and as HTML, with what its issuer must say; usage that came late is
    /// on the next invoice, with the period it was used in.
    async fn every_invoice_has_its_documents_and_late_usage_its_own_period(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        ada.order(&project, 5).await;
        let egress = ada.add(&project, "plans/object-egress", "1").await.unwrap().name;
        florin.advance_to("2027-03-16T00:00:00Z").await;
        record(&florin, vec![event("one", &egress, "1000", "2027-03-15T10:20:00Z")]).await;
        florin.advance_to("2027-04-03T00:00:00Z").await;
        let late = event("two", &egress, "2000", "2027-03-20T11:00:00Z");
        record(&florin, vec![late, event("three", &egress, "500", "2027-04-02T12:00:00Z")]).await;
        florin.advance_to("2027-05-10T00:00:00Z").await;
        let monthly = ada.invoices(invoice::Kind::Monthly).await;
        let of_month = |invoice: &Invoice| invoice.lines.iter().map(|line| line.late).collect::<Vec<_>>();
        assert_eq!(monthly.iter().map(of_month).collect::<Vec<_>>(), [vec![false], vec![true, false]]);
        let [first, second] = [0, 1].map(|n| said(monthly[n].net_total.as_ref()));
        assert_eq!((first.as_str(), second.as_str()), ("11.00 EUR", "27.50 EUR"));
        let period = |n: usize| {
            let line = &monthly[1].lines[n];
            [line.usage_start_time, line.usage_end_time].map(|at| wire::instant(&at.unwrap()).unwrap().to_string())
        };
        assert_eq!(period(0), ["2027-03-20T11:00:00Z", "2027-03-20T12:00:00Z"]);
        assert_eq!(period(1), ["2027-04-02T12:00:00Z", "2027-04-02T13:00:00Z"]);
        let april = text(&ada.caller, &monthly[1].name).await;
        let parts = ["(late usage) 2027-03-20 11:00 – 2027-03-20 12:00 2000 GiB × 0.011 EUR 22.00 EUR", "5.50 EUR"];
        assert_eq!(missing(&april, &parts), Vec::<String>::new());

        ada.add(&project, "plans/metal-s", "1").await.unwrap();
        florin.advance_to("2027-05-11T00:00:00Z").await;
        record(&florin, vec![event("four", &egress, "100", "2027-05-10T13:00:00Z")]).await;
        florin.delete_project(&ada, &project).await;
        florin.advance_to("2027-05-13T00:00:00Z").await;
        let mentions = mentions(&ada.caller).await;
        for (kind, title) in [
            (invoice::Kind::Monthly, "Invoice FR-2027-"),
            (invoice::Kind::ProRata, "Invoice FR-P-2027-"),
            (invoice::Kind::Final, "Invoice FR-P-2027-"),
        ] {
            let invoice = ada.invoices(kind).await.pop().unwrap();
            let said_total = said(invoice.amount_incl_tax.as_ref());
            let text = text(&ada.caller, &invoice.name).await;
            let parts = [title, "Seller Florin SAS", "Buyer ada Test", &said_total];
            assert_eq!(missing(&text, &parts), Vec::<String>::new(), "{kind:?}");
            let html = document(&ada.caller, &invoice.name, Format::Html).await.unwrap();
            let heading = format!("<h1>Invoice {}</h1>", invoice.number);
            let parts = ["<html lang=\"en\">", &heading, "Florin SAS", &said_total];
            assert_eq!(missing(&html, &parts), Vec::<String>::new(), "{kind:?}");
            for mention in &mentions {
                assert!(text.contains(mention) && html.contains(mention), "{kind:?}: {mention} is missing");
            }
        }
        florin.stop().await;
    }

    /// R4.5, R12.1: the documents of an invoice and of its credit notes are read by whoever may read these.
    async fn documents_are_read_with_a_right_to_the_bills_of_their_project(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-04-01T07:00:00Z").await;
        let invoice = ada.invoices(invoice::Kind::Monthly).await.remove(0);
        let request = CreateCreditNoteRequest {
            invoice: invoice.name.clone(),
            whole: true,
            reason: "an outage".to_owned(),
            ..Default::default()
        };
        let note: CreditNote = florin.operator.invoices().create_credit_note(request).await.unwrap().into_inner();
        let names = [invoice.name, note.name];
        let ben = florin.customer("ben").await;
        let refused = async |by: &Caller, name: &str| refusal(&document(by, name, Format::Text).await.unwrap_err());
        for name in &names {
            assert_eq!(refused(&ben.caller, name).await, (Code::NotFound, "NOT_FOUND".to_owned()), "{name} by a stranger");
            assert_eq!(refused(&florin.anonymous, name).await.0, Code::Unauthenticated, "{name} by nobody");
        }
        for (level, reads) in [(right::Level::Technical, false), (right::Level::ReadOnly, true), (right::Level::Billing, true)] {
            let right = Right { grantee: ben.account.clone(), level: level.into(), ..Right::default() };
            let request =
                GrantRightRequest { parent: project.clone(), right: Some(right), ..Default::default() };
            let right = ada.caller.projects().grant_right(request).await.unwrap().into_inner();
            for name in &names {
                if reads {
                    let own = document(&ada.caller, name, Format::Text).await.unwrap();
                    assert_eq!(document(&ben.caller, name, Format::Text).await.unwrap(), own, "{name} by {level:?}");
                } else {
                    let told = refused(&ben.caller, name).await;
                    assert_eq!(told, (Code::PermissionDenied, "RIGHT_INSUFFICIENT".to_owned()), "{name} by {level:?}");
                }
            }
            let request = RevokeRightRequest { name: right.name, ..Default::default() };
            ada.caller.projects().revoke_right(request).await.unwrap();
            for name in &names {
                assert_eq!(refused(&ben.caller, name).await.0, Code::NotFound, "{name} by a former {level:?}");
            }
        }
        florin.stop().await;
    }
}
