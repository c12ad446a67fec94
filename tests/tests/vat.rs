//! How customers are taxed, and what has to be known of them for it (R8.4).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_api::{
    account::v1::{
        Account, ConfirmAccountRequest, CreateAccountRequest, GetTaxStatusRequest, LegalForm, TaxCategory,
        TaxStatus, UpdateAccountRequest,
        country_evidence::Kind,
        vat_number_standing::State::{self, Claimed, Confirmed, Refused, Withdrawn},
    },
    invoicing::v1::{EstimateInvoiceRequest, Invoice, invoice},
    operation::v1::ListNoticesRequest,
    project::v1::create_project_request::Funding,
};
use florin_server::registry::sandbox::{IN_ODD_MONTHS, SILENT_BEFORE_NOON, UNKNOWN};
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::said,
    florin::{Customer, Florin, new_account, refusal, violated},
};
use tonic::{Code, Status};

const GERMAN: &str = "DE136695976";

/// A German company with this VAT number.
fn company(name: &str, vat_number: &str) -> CreateAccountRequest {
    let request = new_account(name);
    let account = Account {
        country: "DE".to_owned(),
        legal_form: LegalForm::Corporation.into(),
        organisation: "Beispiel GmbH".to_owned(),
        vat_number: vat_number.to_owned(),
        ..request.account.unwrap()
    };
    CreateAccountRequest { account: Some(account), ..request }
}

async fn tax_status(customer: &Customer) -> TaxStatus {
    let request = GetTaxStatusRequest { name: format!("{}/taxStatus", customer.account) };
    customer.caller.accounts().get_tax_status(request).await.unwrap().into_inner()
}

/// What is known of the customer's numbers, oldest first.
async fn states(customer: &Customer) -> Vec<State> {
    tax_status(customer).await.vat_number_standings.iter().rev().map(|standing| standing.state()).collect()
}

async fn set_number(customer: &Customer, vat_number: &str) -> Result<Account, Status> {
    let account =
        Account { name: customer.account.clone(), vat_number: vat_number.to_owned(), ..Account::default() };
    let request = UpdateAccountRequest {
        account: Some(account),
        update_mask: Some(prost_types::FieldMask { paths: vec!["vat_number".to_owned()] }),
        ..Default::default()
    };
    Ok(customer.caller.accounts().update_account(request).await?.into_inner())
}

async fn notices(florin: &Florin, customer: &Customer) -> Vec<String> {
    let request = ListNoticesRequest {
        parent: customer.account.clone(),
        kinds: vec!["account.vat_number".to_owned()],
        ..Default::default()
    };
    let listed = florin.operator.notices().list_notices(request).await.unwrap().into_inner();
    listed.notices.into_iter().map(|notice| notice.subject).collect()
}

/// The tax lines of an invoice: category, mention, what is taxed, the tax.
fn taxes(invoice: &Invoice) -> Vec<(TaxCategory, bool, String, String)> {
    let line = |line: &florin_api::invoicing::v1::TaxLine| {
        let told = !line.mention.is_empty();
        (line.category(), told, said(line.base.as_ref()), said(line.tax.as_ref()))
    };
    invoice.tax_lines.iter().map(line).collect()
}

/// A project with a card of the customer's, and a resource that costs something every hour.
async fn running(customer: &Customer, card: &str) -> String {
    let card = customer.card(card).await;
    let project = customer.create_project(Some(Funding::PaymentMethod(card.name))).await.unwrap();
    customer.add(&project.name, "plans/b3-8", "1").await.unwrap();
    project.name
}

on_both_backends! {
    async fn a_business_abroad_accounts_for_the_tax_once_its_number_is_confirmed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let acme = florin.customer_as(company("acme", GERMAN)).await;
        florin.advance_to("2027-03-01T08:05:00Z").await;
        let status = tax_status(&acme).await;
        assert_eq!(status.tax_category(), TaxCategory::ReverseCharge);
        assert!(status.tax_mention.contains("Art. 196"), "{}", status.tax_mention);
        assert_eq!(states(&acme).await, [Claimed, Confirmed]);
        let [check] = &status.vat_checks[..] else { panic!("{status:?}") };
        assert!(check.registered && check.consultation.starts_with("SANDBOX-DE136695976-"), "{check:?}");
        let day = |time: Option<prost_types::Timestamp>| time.unwrap().seconds / 86_400;
        assert_eq!(day(status.next_check_time) - day(check.check_time), 30);
        assert_eq!(notices(&florin, &acme).await, ["Your VAT number is confirmed"]);

        // Credit is taxed as on the day of its payment, usage as on the last day of its period.
        let card = acme.card("card-german").await;
        let project = acme.create_project(Some(Funding::PaymentMethod(card.name.clone()))).await.unwrap().name;
        let order = acme.order(&project, 30).await;
        assert_eq!(order.tax_category(), TaxCategory::ReverseCharge);
        assert_eq!(said(order.amount_incl_tax.as_ref()), "30.00 EUR");
        acme.pay(&order.name, &card.name).await.unwrap();
        let purchase = acme.invoices(invoice::Kind::Purchase).await.remove(0);
        let reversed = (TaxCategory::ReverseCharge, true, "30.00 EUR".to_owned(), "0.00 EUR".to_owned());
        assert_eq!(taxes(&purchase), [reversed]);
        acme.add(&project, "plans/t2-45", "1").await.unwrap();
        let request = EstimateInvoiceRequest { parent: project.clone() };
        let estimate = acme.caller.invoices().estimate_invoice(request).await.unwrap().into_inner();
        assert_eq!(taxes(&estimate.invoice.unwrap())[0].0, TaxCategory::ReverseCharge);
        florin.advance_to("2027-04-01T06:00:00Z").await;
        let monthly = acme.invoices(invoice::Kind::Monthly).await.remove(0);
        let [(TaxCategory::ReverseCharge, true, _, tax)] = &taxes(&monthly)[..] else { panic!("{monthly:?}") };
        assert_eq!(tax, "0.00 EUR");
        assert_eq!(monthly.amount_incl_tax, monthly.net_after_credit);
        florin.stop().await;
    }

    async fn a_number_no_register_knows_changes_nothing(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let acme = florin.customer_as(company("acme", UNKNOWN[0])).await;
        florin.advance_to("2027-03-01T08:05:00Z").await;
        let status = tax_status(&acme).await;
        assert_eq!((status.tax_category(), status.tax_rate.unwrap().value), (TaxCategory::Standard, "19".to_owned()));
        assert_eq!(states(&acme).await, [Claimed, Refused]);
        assert!(!status.vat_checks[0].registered);
        assert_eq!(notices(&florin, &acme).await, ["Your VAT number is not confirmed"]);
        florin.stop().await;
    }

    /// What was known then decides, whenever it is billed; what is asked again and found the same is kept, and no news.
    async fn a_number_is_asked_about_again_and_each_month_is_taxed_as_it_was_then(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let acme = florin.customer_as(company("acme", IN_ODD_MONTHS[0])).await;
        florin.advance_to("2027-03-01T08:05:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed]);
        running(&acme, "card-german").await;
        // Asked again on March 31st, April 30th and May 30th.
        florin.advance_to("2027-05-01T06:00:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed, Refused]);
        florin.advance_to("2027-06-01T06:00:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed, Refused, Confirmed]);
        assert_eq!(tax_status(&acme).await.vat_checks.len(), 4);
        assert_eq!(notices(&florin, &acme).await.len(), 3, "the check of March 31st was no news");
        let mut monthly = acme.invoices(invoice::Kind::Monthly).await;
        monthly.sort_by(|one, other| one.number.cmp(&other.number));
        let categories: Vec<_> = monthly.iter().map(|one| taxes(one)[0].0).collect();
        let reverse = TaxCategory::ReverseCharge;
        assert_eq!(categories, [reverse, TaxCategory::Standard, reverse]);
        florin.stop().await;
    }

    async fn a_register_that_does_not_answer_is_asked_again_and_vat_is_charged_until_it_does(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let acme = florin.customer_as(company("acme", SILENT_BEFORE_NOON[0])).await;
        florin.advance_to("2027-03-01T11:59:00Z").await;
        let status = tax_status(&acme).await;
        assert_eq!(status.tax_category(), TaxCategory::Standard);
        assert!(status.vat_checks.is_empty() && status.next_check_time.is_some());
        assert_eq!(states(&acme).await, [Claimed]);
        florin.advance_to("2027-03-01T20:00:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed]);
        // Later silence changes nothing of what is known: the next question is asked on a morning, too.
        florin.advance_to("2027-04-02T08:00:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed]);
        florin.stop().await;
    }

    async fn a_number_is_changed_and_taken_back(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let acme = florin.customer_as(company("acme", "")).await;
        assert!(states(&acme).await.is_empty());
        let refused = set_number(&acme, "DE111111111").await.unwrap_err();
        assert_eq!(violated(&refused), ["account.vat_number"]);
        assert_eq!(set_number(&acme, "de 136.695.976").await.unwrap().vat_number, GERMAN);
        florin.advance_to("2027-03-01T08:05:00Z").await;
        assert_eq!(states(&acme).await, [Claimed, Confirmed]);
        set_number(&acme, UNKNOWN[0]).await.unwrap();
        assert_eq!(tax_status(&acme).await.tax_category(), TaxCategory::Standard, "another number is not confirmed");
        // However often it is given: the register is left in peace for a while.
        for _ in 0..20 {
            set_number(&acme, UNKNOWN[0]).await.unwrap();
        }
        florin.advance_to("2027-03-01T09:00:00Z").await;
        assert_eq!(tax_status(&acme).await.vat_checks.len(), 2);
        assert_eq!(states(&acme).await.last(), Some(&Refused));
        set_number(&acme, "").await.unwrap();
        assert_eq!(states(&acme).await.last(), Some(&Withdrawn));
        assert_eq!(tax_status(&acme).await.next_check_time, None);
        florin.stop().await;
    }

    /// Who registers thousands of accounts makes nobody ask thousands of questions.
    async fn nobody_is_asked_before_the_account_is_confirmed(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let created = florin.anonymous.accounts().create_account(company("acme", GERMAN)).await.unwrap().into_inner();
        florin.advance_to("2027-03-01T09:00:00Z").await;
        let request = GetTaxStatusRequest { name: format!("{}/taxStatus", created.name) };
        let status = florin.operator.accounts().get_tax_status(request.clone()).await.unwrap().into_inner();
        assert!(status.vat_checks.is_empty() && status.next_check_time.is_none(), "{status:?}");
        let code = florin.mailed_code(&created.name).await;
        let confirmation = ConfirmAccountRequest { name: created.name, code, ..Default::default() };
        florin.anonymous.accounts().confirm_account(confirmation).await.unwrap();
        florin.advance_to("2027-03-01T10:00:00Z").await;
        let status = florin.operator.accounts().get_tax_status(request).await.unwrap().into_inner();
        assert_eq!((status.tax_category(), status.vat_checks.len()), (TaxCategory::ReverseCharge, 1));
        florin.stop().await;
    }

    /// Only where the answer changes the tax is anybody asked.
    async fn nobody_is_asked_about_customers_at_home_or_numbers_of_other_countries(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let request = new_account("ada");
        let account = Account { vat_number: "FR40303265045".to_owned(), ..request.account.clone().unwrap() };
        let ada = florin.customer_as(CreateAccountRequest { account: Some(account), ..request }).await;
        let acme = florin.customer_as(company("acme", "FR40303265045")).await;
        florin.advance_to("2027-03-02T08:00:00Z").await;
        for (customer, rate) in [(ada, "20"), (acme, "19")] {
            let status = tax_status(&customer).await;
            assert!(status.vat_checks.is_empty() && status.next_check_time.is_none(), "{status:?}");
            assert_eq!(states(&customer).await, [Claimed]);
            assert_eq!((status.tax_category(), status.tax_rate.unwrap().value), (TaxCategory::Standard, rate.to_owned()));
        }
        florin.stop().await;
    }

    async fn two_pieces_of_evidence_prove_a_consumers_country(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let request = new_account("grete");
        let account = Account { country: "DE".to_owned(), ..request.account.clone().unwrap() };
        let grete = florin.customer_as(CreateAccountRequest { account: Some(account), ..request }).await;
        grete.card("card-frictionless").await;
        let status = tax_status(&grete).await;
        assert_eq!((status.tax_category(), status.tax_rate.unwrap().value), (TaxCategory::Standard, "19".to_owned()));
        let evidence: Vec<_> =
            status.country_evidence.iter().map(|piece| (piece.kind(), piece.country.as_str())).collect();
        assert_eq!(evidence, [(Kind::PaymentMethod, "FR"), (Kind::BillingAddress, "DE")]);
        assert!(!status.country_proven, "the card speaks for another country");
        let card = grete.card("card-german").await;
        let status = tax_status(&grete).await;
        assert_eq!((status.country_evidence[0].source.as_str(), status.country_proven), (card.name.as_str(), true));
        florin.stop().await;
    }

    async fn how_a_customer_is_taxed_is_nobody_elses_business(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, eve) = (florin.customer("ada").await, florin.customer("eve").await);
        let request = GetTaxStatusRequest { name: format!("{}/taxStatus", ada.account) };
        let refused = eve.caller.accounts().get_tax_status(request.clone()).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::NotFound, "NOT_FOUND".to_owned()));
        florin.operator.accounts().get_tax_status(request).await.unwrap();
        let malformed = GetTaxStatusRequest { name: ada.account.clone() };
        let refused = ada.caller.accounts().get_tax_status(malformed).await.unwrap_err();
        assert_eq!((refused.code(), violated(&refused)), (Code::InvalidArgument, vec!["name".to_owned()]));
        florin.stop().await;
    }
}
