//! The catalogue: imported once, shown to everybody, never edited (R5.1, R1.5).

use std::collections::BTreeMap;

use florin_api::project::v1::{
    GetPlanRequest, ListPlansRequest, Plan, PlanFamily, catalog_service_server::CatalogService,
};
use florin_platform::db::Db;
use florin_project::catalogue::{Imported, import};
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use tonic::{Code, Request};

use crate::setting::{CATALOGUE, House, at, by, reason};

async fn imported(db: &Db, now: Instant, yaml: &str) -> Result<Imported, florin_project::Error> {
    db.write(|tx| async move { import(&tx, now, yaml).await }).await
}

async fn plan(house: &House, name: &str, issuer: &str) -> Plan {
    let request =
        GetPlanRequest { name: name.to_owned(), issuer: issuer.to_owned(), ..GetPlanRequest::default() };
    house.catalog().get_plan(Request::new(request)).await.expect("a plan").into_inner()
}

fn prices(plan: &Plan) -> BTreeMap<String, (String, Option<String>)> {
    let price = |version: &florin_api::project::v1::PriceVersion| {
        let net = version.unit_price.clone().unwrap_or_default().value;
        (
            version.currency_code.clone(),
            (net, version.unit_price_incl_tax.clone().map(|decimal| decimal.value)),
        )
    };
    plan.prices.iter().map(price).collect()
}

on_both_backends! {
    async fn the_seeded_catalogue_has_its_plans_in_three_currencies(db: TestDatabase) {
        let house = House::open(db).await;
        let listed = house.catalog().list_plans(Request::new(ListPlansRequest { page_size: 1000, ..ListPlansRequest::default() })).await;
        let plans = listed.expect("listed").into_inner().plans;
        assert!(plans.len() >= 40, "{}", plans.len());
        for plan in &plans {
            let prices = prices(plan);
            assert_eq!(prices.keys().collect::<Vec<_>>(), ["EUR", "GBP", "USD"], "{}", plan.name);
            assert!(prices.values().all(|(_, incl_tax)| incl_tax.is_none()), "nobody said for whom: {}", plan.name);
        }
        assert_eq!(prices(&plan(&house, "plans/b3-8", "").await)["EUR"].0, "0.111");
        assert_eq!(prices(&plan(&house, "plans/volume-classic", "").await)["EUR"].0, "0.0000555556");
    }

    /// R1.5: with the tax of the account's country, or of the issuer's.
    async fn prices_show_the_tax_of_who_asks(db: TestDatabase) {
        let house = House::open(db).await;
        let french = plan(&house, "plans/b3-8", "issuers/fr").await;
        assert_eq!(prices(&french), BTreeMap::from([("EUR".to_owned(), ("0.111".to_owned(), Some("0.1332".to_owned())))]));
        let account = house.account("BE", "belgian@example.com").await;
        let request = GetPlanRequest { name: "plans/b3-8".to_owned(), issuer: String::new(), ..GetPlanRequest::default() };
        let belgian = house.catalog().get_plan(by(account, request)).await.expect("a plan").into_inner();
        assert_eq!(prices(&belgian)["EUR"].1.as_deref(), Some("0.13431"));
        assert_eq!(belgian.prices.len(), 1);
        let request = GetPlanRequest { name: "plans/b3-8".to_owned(), issuer: "issuers/mars".to_owned(), ..GetPlanRequest::default() };
        assert_eq!(house.catalog().get_plan(Request::new(request)).await.expect_err("none").code(), Code::NotFound);
        let request = GetPlanRequest { name: "plans/gone".to_owned(), issuer: String::new(), ..GetPlanRequest::default() };
        let status = house.catalog().get_plan(Request::new(request)).await.expect_err("none");
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "PLAN_UNKNOWN"));
    }

    async fn plans_are_listed_by_family_in_pages(db: TestDatabase) {
        let house = House::open(db).await;
        let mut token = String::new();
        let mut names = Vec::new();
        loop {
            let request = ListPlansRequest {
                page_size: 2,
                page_token: token,
                families: vec![PlanFamily::Storage.into()],
                ..ListPlansRequest::default()
            };
            let page = house.catalog().list_plans(Request::new(request)).await.expect("listed").into_inner();
            assert!(page.plans.iter().all(|plan| plan.family() == PlanFamily::Storage));
            names.extend(page.plans.into_iter().map(|plan| plan.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert!(names.is_sorted() && names.len() == 12, "{names:?}");
    }

    /// R12.4: anybody may ask.
    async fn a_list_is_narrowed_by_few_values(db: TestDatabase) {
        let house = House::open(db).await;
        let request =
            ListPlansRequest { families: vec![PlanFamily::Storage.into(); 70_000], ..ListPlansRequest::default() };
        let refused = house.catalog().list_plans(Request::new(request)).await.expect_err("too many families");
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT_VIOLATIONS"));
    }

    /// Whatever the collation of the database: nothing is skipped between pages, nothing comes twice.
    async fn pages_of_plans_hold_every_plan_once(db: TestDatabase) {
        let house = House::open(db).await;
        for code in ["b37", "b3.7", "b4", "b3-9"] {
            let text = "INSERT INTO plan (code, display_name, family, charge_model, unit, created_at) \
                        SELECT $1, $1, family, charge_model, unit, created_at FROM plan WHERE code = 'b3-8'";
            house.execute(text, [code.into()]).await.expect("a plan");
        }
        let (mut token, mut names) = (String::new(), Vec::new());
        loop {
            let request = ListPlansRequest { page_size: 1, page_token: token, ..ListPlansRequest::default() };
            let page = house.catalog().list_plans(Request::new(request)).await.expect("listed").into_inner();
            names.extend(page.plans.into_iter().map(|plan| plan.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        names.sort_unstable();
        let listed = names.len();
        names.dedup();
        assert_eq!((i64::try_from(names.len()), listed), (Ok(house.count("plan").await), names.len()));
    }

    /// Importing is idempotent; an edit is refused with every violation and changes nothing.
    async fn a_catalogue_is_extended_and_never_edited(db: TestDatabase) {
        let house = House::open(db).await;
        let (db, now) = (&house.platform.db, at("2027-03-02T00:00:00Z"));
        let nothing = Imported { plans: 0, changed: 0, prices: 0 };
        assert_eq!(imported(db, now, CATALOGUE).await.expect("the same again"), nothing);

        let edited = CATALOGUE.replace("\"0.111\"", "\"0.112\"").replace("\"0.199\"", "\"0.2\"");
        let refused = imported(db, now, &edited).await.expect_err("two edits");
        let florin_project::Error::Invalid(violations) = refused else { panic!("{refused:?}") };
        let fields: Vec<_> = violations.as_slice().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(
            fields,
            ["plans[b3-8].prices[2015-01-01T00:00:00Z].EUR", "plans[c3-8].prices[2015-01-01T00:00:00Z].EUR"]
        );

        let dearer = CATALOGUE.replace(
            "  - code: b3-16\n",
            "      - effective: 2027-04-01T00:00:00Z\n        per_unit: { EUR: \"0.12\" }\n  - code: b3-16\n",
        );
        assert_eq!(imported(db, now, &dearer).await.expect("a version more").prices, 1);
        assert_eq!(plan(&house, "plans/b3-8", "issuers/fr").await.prices.len(), 2);
    }

    /// R5.1: the database refuses too, whoever asks.
    async fn a_price_version_cannot_be_changed_by_sql(db: TestDatabase) {
        let house = House::open(db).await;
        for text in [
            "UPDATE plan_price SET unit_price = '0.2' WHERE plan = 'b3-8'",
            "UPDATE plan_price SET effective_at = '2026-01-01T00:00:00Z' WHERE plan = 'b3-8'",
            "DELETE FROM plan_price WHERE plan = 'b3-8'",
            "UPDATE plan SET family = 'OPTION' WHERE code = 'b3-8'",
            "UPDATE plan SET charge_model = 'MONTHLY' WHERE code = 'b3-8'",
            "DELETE FROM plan WHERE code = 'b3-8'",
        ] {
            let refused = house.execute(text, []).await.expect_err(text);
            assert!(refused.to_string().contains("it is history"), "{text}: {refused}");
        }
        if house.platform.db.backend() == sea_orm::DbBackend::Sqlite {
            let replace = "INSERT OR REPLACE INTO plan_price (plan, currency, effective_at, unit_price) SELECT plan, currency, effective_at, '0' FROM plan_price";
            house.execute(replace, []).await.expect_err("REPLACE evades delete triggers");
        } else {
            house.execute("TRUNCATE plan_price", []).await.expect_err("TRUNCATE evades row triggers");
        }
        assert_eq!(prices(&plan(&house, "plans/b3-8", "").await)["EUR"].0, "0.111");
    }
}
