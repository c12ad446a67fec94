//! The journal of an issuer (R8.8), over the wire and as CSV: what was sold, taxed, deferred, used, lapsed and paid.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use florin_api::{
    account::v1::TaxCategory,
    invoicing::v1::{ExportJournalRequest, JournalEntry, LedgerAccount, LedgerTotal},
};
use florin_platform::wire;
use florin_server::journal::{self, JournalArgs};
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{pay_by_link, said},
    florin::{Florin, refusal, violated},
};
use tonic::{Code, Status};

fn request(from: &str, to: &str) -> ExportJournalRequest {
    let at = |text| Some(wire::timestamp(Instant::parse(text).unwrap()));
    ExportJournalRequest { parent: "issuers/fr".to_owned(), start_time: at(from), end_time: at(to) }
}

/// The entries and totals of a journal.
async fn export(
    florin: &Florin,
    request: ExportJournalRequest,
) -> Result<(Vec<JournalEntry>, Vec<LedgerTotal>), Status> {
    let mut stream = florin.operator.accounting().export_journal(request).await?.into_inner();
    let (mut entries, mut totals) = (Vec::new(), Vec::new());
    while let Some(message) = stream.message().await? {
        assert!(totals.is_empty(), "the totals are the last message");
        entries.extend(message.entries);
        totals = message.totals;
    }
    Ok((entries, totals))
}

/// Debits less credits of each ledger account, as people write it, from the entries.
fn balances(entries: &[JournalEntry]) -> BTreeMap<String, i64> {
    let mut balances = BTreeMap::new();
    for entry in entries {
        let amount = wire::amount(entry.amount.as_ref().unwrap()).unwrap().minor();
        *balances.entry(name(entry.debit())).or_default() += amount;
        *balances.entry(name(entry.credit())).or_default() -= amount;
    }
    balances
}

fn name(account: LedgerAccount) -> String {
    account.as_str_name().trim_start_matches("LEDGER_ACCOUNT_").to_owned()
}

fn kinds<'e>(entries: &'e [JournalEntry], kind: &str) -> Vec<&'e JournalEntry> {
    entries.iter().filter(|entry| entry.kind == kind).collect()
}

on_both_backends! {
    /// R8.8: credit that is bought and used, a voucher that pays, money for the rest; VAT by rate, to the cent.
    async fn a_journal_tells_what_was_sold_taxed_deferred_used_and_paid(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 5).await;
        let paid = pay_by_link(&florin, &order, "card-approved").await.unwrap();
        florin.approve(&paid.payment.unwrap().name).await;
        let codes = florin.codes(florin.campaign(10), 1).await;
        ada.redeem(&project, &codes[0]).await.unwrap();
        florin.advance_to("2027-03-04T09:40:00Z").await;
        let instance = ada.add(&project, "plans/b3-8", "1").await.unwrap();
        florin.advance_to("2027-03-12T16:30:00Z").await;
        ada.remove(&instance.name).await;
        florin.advance_to("2027-04-01T06:30:00Z").await;

        let (march, totals) = export(&florin, request("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z")).await.unwrap();
        assert_eq!(kinds(&march, "INVOICED").len(), 0, "March's usage is invoiced in April");
        let sold = kinds(&march, "CREDIT_INVOICED");
        assert_eq!(sold.len(), 1);
        assert_eq!(said(sold[0].amount.as_ref()), "5.00 EUR");
        assert_eq!((sold[0].debit(), sold[0].credit()), (LedgerAccount::Receivables, LedgerAccount::CreditSales));
        assert_eq!(sold[0].document_number, "FR-P-2027-000001");
        let vat = kinds(&march, "VAT_INVOICED");
        assert_eq!((vat[0].tax_category(), vat[0].tax_rate.as_ref().unwrap().value.as_str()), (TaxCategory::Standard, "20"));
        let march = balances(&march);
        let of = |balances: &BTreeMap<String, i64>, account: &str| balances.get(account).copied().unwrap_or_default();
        assert_eq!(
            ["CASH", "RECEIVABLES", "VAT_PAYABLE", "CREDIT_SALES", "DEFERRED_INCOME", "PRICE_REDUCTIONS_OUTSTANDING"]
                .map(|account| of(&march, account)),
            [600, 0, -100, 0, -500, -1000]
        );
        for total in &totals {
            let minor = |money: &Option<_>| wire::amount(money.as_ref().unwrap()).unwrap().minor();
            let balance = minor(&total.debit) - minor(&total.credit);
            assert_eq!(balance, of(&march, &name(total.ledger_account())), "{:?}", total.ledger_account());
        }

        // 22.20 in April's journal: 10.00 of voucher, 5.00 of credit, 7.20 in money and its VAT.
        florin.advance_to("2027-05-01T00:00:00Z").await;
        let (april, _) = export(&florin, request("2027-04-01T00:00:00Z", "2027-05-01T00:00:00Z")).await.unwrap();
        let april = balances(&april);
        assert_eq!(
            ["CASH", "RECEIVABLES", "VAT_PAYABLE", "INCOME", "DEFERRED_INCOME", "PRICE_REDUCTIONS_TAKEN"]
                .map(|account| of(&april, account)),
            [864, 0, -144, -1220, 500, -1000]
        );
        // Any two neighbouring periods are together what one over both is, and again the same.
        let (both, _) = export(&florin, request("2027-03-01T00:00:00Z", "2027-05-01T00:00:00Z")).await.unwrap();
        let sum = |account: &str| of(&march, account) + of(&april, account);
        assert!(balances(&both).iter().all(|(account, balance)| *balance == sum(account)));
        let again = export(&florin, request("2027-03-01T00:00:00Z", "2027-05-01T00:00:00Z")).await.unwrap();
        assert_eq!(again.0, both);
        florin.stop().await;
    }

    /// The command line writes what the stream gives, and its totals.
    async fn the_command_writes_the_journal_as_csv(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let order = ada.order(&project, 5).await;
        let paid = pay_by_link(&florin, &order, "card-approved").await.unwrap();
        florin.approve(&paid.payment.unwrap().name).await;
        florin.advance_to("2027-04-01T00:00:00Z").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("march.csv");
        let args = JournalArgs {
            server: florin.url(),
            token: florin.token(),
            issuer: "issuers/fr".to_owned(),
            from: "2027-03-01T00:00:00Z".to_owned(),
            to: "2027-04-01T00:00:00Z".to_owned(),
            output: Some(file.clone()),
        };
        journal::run(&args).await.unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let (entries, totals) = export(&florin, request(&args.from, &args.to)).await.unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(rows[0][..4], ["record", "record_time", "effective_time", "account"]);
        let of = |record: &str| rows.iter().filter(|row| row[0] == record).count();
        assert_eq!((of("ENTRY"), of("TOTAL")), (entries.len(), 2 * totals.len()));
        assert!(rows.iter().any(|row| {
            row[5] == "VAT_INVOICED" && row[9..15] == ["RECEIVABLES", "VAT_PAYABLE", "STANDARD", "20", "1.00", "EUR"]
        }), "{text}");
        florin.stop().await;
    }

    /// A period that is not over, not one, or of nobody; and only finance reads the books.
    async fn a_journal_is_refused_with_its_reason(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let ada = florin.customer("ada").await;
        let march = || request("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z");
        let refused = export(&florin, march()).await.unwrap_err();
        assert_eq!(refusal(&refused), (Code::FailedPrecondition, "PERIOD_NOT_OVER".to_owned()));
        let refused = export(&florin, ExportJournalRequest::default()).await.unwrap_err();
        assert_eq!(violated(&refused), ["parent", "start_time", "end_time"]);
        let refused = export(&florin, request("2027-02-01T00:00:00Z", "2027-02-01T00:00:00Z")).await.unwrap_err();
        assert_eq!(violated(&refused), ["end_time"]);
        let unknown = ExportJournalRequest { parent: "issuers/xx".to_owned(), ..request("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z") };
        let refused = export(&florin, unknown).await.unwrap_err();
        assert_eq!(refusal(&refused).0, Code::NotFound);
        let refused = ada.caller.accounting().export_journal(march()).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let (entries, totals) = export(&florin, request("2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")).await.unwrap();
        assert!(entries.is_empty() && totals.is_empty());
        florin.stop().await;
    }
}
