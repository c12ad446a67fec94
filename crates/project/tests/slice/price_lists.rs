//! Extending the catalogue: plans, price versions, prices negotiated with an account, files (R5.1, R1.4, R1.5).

use florin_api::{
    money::Decimal,
    project::v1::{
        AddPriceVersionRequest, AddResourceRequest, CreatePlanRequest, EndPriceVersionRequest,
        ExportCatalogueRequest, GetCurrentUsageRequest, GetPlanRequest, ImportCatalogueRequest,
        ListPlansRequest, Plan, PlanFamily, PriceVersion, Resource, RetirePlanRequest, UpdatePlanRequest,
        catalog_service_server::CatalogService, catalogue_change::Kind, export_catalogue_request::Format,
        plan::ChargeModel, resource_service_server::ResourceService, usage_service_server::UsageService,
    },
};
use florin_platform::{id::AccountId, wire::account_name};
use florin_testbed::on_both_backends;
use prost_types::{FieldMask, Timestamp};
use tonic::{Code, Request, Status};

use crate::setting::{House, at, by, by_service, reason};

const LISTED: &str = "";

fn time(text: &str) -> Option<Timestamp> {
    Some(florin_platform::wire::timestamp(at(text)))
}

fn decimal(text: &str) -> Option<Decimal> {
    Some(Decimal { value: text.to_owned() })
}

fn price(currency: &str, amount: &str, from: &str) -> PriceVersion {
    PriceVersion {
        currency_code: currency.to_owned(),
        unit_price: decimal(amount),
        effective_time: time(from),
        ..PriceVersion::default()
    }
}

fn new_plan(code: &str, prices: Vec<PriceVersion>) -> CreatePlanRequest {
    let plan = Plan {
        display_name: "A new plan".to_owned(),
        family: PlanFamily::Instance.into(),
        charge_model: ChargeModel::Hourly.into(),
        unit: "hour".to_owned(),
        prices,
        ..Plan::default()
    };
    CreatePlanRequest { plan_id: code.to_owned(), plan: Some(plan), ..CreatePlanRequest::default() }
}

async fn create(house: &House, request: CreatePlanRequest) -> Result<Plan, Status> {
    Ok(house.catalog().create_plan(by_service(request)).await?.into_inner())
}

async fn add(house: &House, plan: &str, account: &str, price: PriceVersion) -> Result<Plan, Status> {
    let price = Some(PriceVersion { account: account.to_owned(), ..price });
    let request = AddPriceVersionRequest { name: format!("plans/{plan}"), price, ..Default::default() };
    Ok(house.catalog().add_price_version(by_service(request)).await?.into_inner())
}

async fn seen_by(house: &House, account: AccountId, plan: &str) -> Plan {
    let request = GetPlanRequest { name: format!("plans/{plan}"), ..GetPlanRequest::default() };
    house.catalog().get_plan(by(account, request)).await.expect("a plan").into_inner()
}

fn amounts(plan: &Plan) -> Vec<(bool, String)> {
    let amount = |price: &PriceVersion| price.unit_price.clone().unwrap_or_default().value;
    plan.prices.iter().map(|price| (!price.account.is_empty(), amount(price))).collect()
}

fn violations(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let details = status.get_error_details();
    let fields = details.bad_request().expect("violations").field_violations.clone();
    fields.into_iter().map(|violation| violation.field).collect()
}

on_both_backends! {
    async fn a_plan_is_created_renamed_and_retired(db: TestDatabase) {
        let house = House::open(db).await;
        let prices = vec![price("EUR", "0.5", "2020-01-01T00:00:00Z"), price("USD", "0.6", "2020-01-01T00:00:00Z")];
        let rehearsed = CreatePlanRequest { validate_only: true, ..new_plan("x1-2", prices.clone()) };
        assert_eq!(create(&house, rehearsed).await.expect("well").prices.len(), 2);
        let created = create(&house, new_plan("x1-2", prices.clone())).await.expect("not there yet");
        assert_eq!((created.name.as_str(), created.prices.len()), ("plans/x1-2", 2));
        let twice = create(&house, new_plan("x1-2", prices)).await.expect_err("there");
        assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "PLAN_EXISTS"));

        let rename = |etag: &str| UpdatePlanRequest {
            plan: Some(Plan { display_name: "Renamed".to_owned(), etag: etag.to_owned(), ..created.clone() }),
            update_mask: Some(FieldMask { paths: vec!["display_name".to_owned()] }),
            ..UpdatePlanRequest::default()
        };
        let renamed = house.catalog().update_plan(by_service(rename(&created.etag))).await.expect("renamed").into_inner();
        assert_eq!((renamed.display_name.as_str(), renamed.etag == created.etag), ("Renamed", false));
        let stale = house.catalog().update_plan(by_service(rename(&created.etag))).await.expect_err("stale");
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
        let family = UpdatePlanRequest {
            update_mask: Some(FieldMask { paths: vec!["family".to_owned()] }),
            ..rename("")
        };
        let refused = house.catalog().update_plan(by_service(family)).await.expect_err("never changes");
        assert_eq!(violations(&refused), ["update_mask"]);

        let retire = |at: &str| RetirePlanRequest {
            name: "plans/x1-2".to_owned(),
            retire_time: if at.is_empty() { None } else { time(at) },
            ..RetirePlanRequest::default()
        };
        let past = house.catalog().retire_plan(by_service(retire("2027-02-01T00:00:00Z"))).await.expect_err("past");
        assert_eq!(violations(&past), ["retire_time"]);
        house.catalog().retire_plan(by_service(retire("2027-06-01T00:00:00Z"))).await.expect("announced");
        house.catalog().retire_plan(by_service(retire(""))).await.expect("earlier after all");
        let again = house.catalog().retire_plan(by_service(retire(""))).await.expect_err("twice");
        assert_eq!(reason(&again), "PLAN_RETIRED");
        let undone = house.execute("UPDATE plan SET retired_at = NULL WHERE code = 'x1-2'", []).await.expect_err("never");
        assert!(undone.to_string().contains("it is history"), "{undone}");

        let listed = |show_retired| ListPlansRequest { page_size: 1000, show_retired, ..ListPlansRequest::default() };
        for (show_retired, expected) in [(false, 0), (true, 1)] {
            let plans = house.catalog().list_plans(Request::new(listed(show_retired))).await.expect("listed").into_inner();
            assert_eq!(plans.plans.iter().filter(|plan| plan.name == "plans/x1-2").count(), expected);
        }
    }

    async fn everything_wrong_with_a_new_plan_is_named_at_once(db: TestDatabase) {
        let house = House::open(db).await;
        let mut wrong = new_plan("X 1", vec![
            price("EUR", "0.5", "2027-04-01T00:30:00Z"),
            price("XXL", "-1", "2027-04-01T00:00:00Z"),
            PriceVersion { monthly_price: decimal("1"), ..price("EUR", "1", "2027-04-01T00:00:00Z") },
        ]);
        if let Some(plan) = &mut wrong.plan {
            plan.unit = "month".to_owned();
            plan.set_charge_timing(florin_api::project::v1::plan::ChargeTiming::Advance);
            plan.display_name = String::new();
        }
        let refused = create(&house, wrong).await.expect_err("all of it");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(
            violations(&refused),
            [
                "plan_id",
                "plan.display_name",
                "plan.unit",
                "plan.charge_timing",
                "plan.prices[0].effective_time",
                "plan.prices[1].currency_code",
                "plan.prices[1].unit_price",
                "plan.prices[2]",
            ]
        );
    }

    /// R5.1: superseded on a full hour of the future, never edited; what was used keeps its price.
    async fn a_list_price_is_superseded_from_the_next_full_hour_on(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("prices@example.com").await;
        house.now_is("2027-03-10T09:40:00Z").await;
        let resource = Resource { plan: "plans/b3-8".to_owned(), ..Resource::default() };
        let request = AddResourceRequest { parent: project.name.clone(), resource: Some(resource), ..Default::default() };
        house.resources().add_resource(by(account, request)).await.expect("added");

        let off = add(&house, "b3-8", LISTED, price("EUR", "0.2", "2027-03-10T12:00:01Z")).await.expect_err("off the hour");
        assert_eq!((reason(&off).as_str(), violations(&off)), ("INVALID_ARGUMENT_VIOLATIONS", vec!["price.effective_time".to_owned()]));
        let nanos = PriceVersion {
            effective_time: Some(Timestamp { nanos: 1, ..time("2027-03-10T12:00:00Z").unwrap_or_default() }),
            ..price("EUR", "0.2", "2027-03-10T12:00:00Z")
        };
        assert_eq!(violations(&add(&house, "b3-8", LISTED, nanos).await.expect_err("a nanosecond off")), ["price.effective_time"]);
        for early in ["2027-03-10T09:00:00Z", "2015-06-01T00:00:00Z"] {
            let refused = add(&house, "b3-8", LISTED, price("EUR", "0.2", early)).await.expect_err(early);
            assert_eq!((refused.code(), reason(&refused).as_str()), (Code::FailedPrecondition, "PRICE_EFFECTIVE_TOO_EARLY"));
        }
        add(&house, "b3-8", LISTED, price("EUR", "0.2", "2027-03-10T10:00:00Z")).await.expect("the next full hour");
        let twice = add(&house, "b3-8", LISTED, price("EUR", "0.3", "2027-03-10T10:00:00Z")).await.expect_err("never edited");
        assert_eq!((twice.code(), reason(&twice).as_str()), (Code::AlreadyExists, "PRICE_VERSION_EXISTS"));
        let unknown = add(&house, "b9-9", LISTED, price("EUR", "1", "2027-04-01T00:00:00Z")).await.expect_err("unknown");
        assert_eq!(reason(&unknown), "PLAN_UNKNOWN");
        // Nobody can have used it in Swiss francs.
        add(&house, "b3-8", LISTED, price("CHF", "0.1", "2020-01-01T00:00:00Z")).await.expect("the first in its currency");

        house.now_is("2027-03-10T11:59:00Z").await;
        let usage = house.usage().get_current_usage(by(account, GetCurrentUsageRequest { parent: project.name.clone() })).await;
        let lines = usage.expect("usage").into_inner().lines;
        let lines: Vec<_> = lines
            .iter()
            .map(|line| {
                let text = |decimal: &Option<Decimal>| decimal.clone().unwrap_or_default().value;
                (text(&line.quantity), text(&line.unit_price))
            })
            .collect();
        assert_eq!(lines, [("1".to_owned(), "0.111".to_owned()), ("2".to_owned(), "0.2".to_owned())]);
    }

    /// R1.4: the price of an hour is a 720th of the price of a month, fixed when the version is created.
    async fn a_monthly_price_is_kept_beside_the_hourly_one_it_gives(db: TestDatabase) {
        let house = House::open(db).await;
        let by_month = PriceVersion {
            unit_price: None,
            monthly_price: decimal("0.05"),
            ..price("EUR", "0", "2027-04-01T00:00:00Z")
        };
        let priced = add(&house, "volume-classic", LISTED, by_month.clone()).await.expect("added");
        let version = priced.prices.iter().find(|price| price.effective_time == by_month.effective_time).expect("there");
        assert_eq!(version.unit_price, decimal("0.0000694444"));
        assert_eq!(version.monthly_price, decimal("0.05"));
        let refused = add(&house, "b3-8.monthly", LISTED, by_month).await.expect_err("by the month");
        assert_eq!(violations(&refused), ["price.monthly_price"]);
    }

    /// R5.1, R1.5: shown to the account and to roles, used by rating, unknown to everybody else.
    async fn a_negotiated_price_takes_the_place_of_the_list_price_for_its_account(db: TestDatabase) {
        let house = House::open(db).await;
        let (ada, project) = house.funded("ada@example.com").await;
        let bob = house.account("BE", "bob@example.com").await;
        let name = account_name(ada);
        house.now_is("2027-03-10T09:40:00Z").await;
        let resource = Resource { plan: "plans/b3-8".to_owned(), ..Resource::default() };
        let request = AddResourceRequest { parent: project.name.clone(), resource: Some(resource), ..Default::default() };
        house.resources().add_resource(by(ada, request)).await.expect("added");

        let early = add(&house, "b3-8", &name, price("EUR", "0.1", "2027-03-10T09:00:00Z")).await.expect_err("rated");
        assert_eq!(reason(&early), "PRICE_EFFECTIVE_TOO_EARLY");
        let dollars = add(&house, "b3-8", &name, price("USD", "0.1", "2027-03-10T12:00:00Z")).await.expect_err("in euros");
        assert_eq!(reason(&dollars), "CURRENCY_MISMATCH");
        let backwards = PriceVersion { end_time: time("2027-03-10T12:00:00Z"), ..price("EUR", "0.1", "2027-03-10T12:00:00Z") };
        assert_eq!(violations(&add(&house, "b3-8", &name, backwards).await.expect_err("empty")), ["price.end_time"]);
        let listed_end = PriceVersion { end_time: time("2027-04-10T12:00:00Z"), ..price("EUR", "0.1", "2027-03-10T12:00:00Z") };
        assert_eq!(violations(&add(&house, "b3-8", LISTED, listed_end).await.expect_err("listed")), ["price.end_time"]);

        let own = PriceVersion { end_time: time("2027-03-10T14:00:00Z"), ..price("EUR", "0.0555555555", "2027-03-10T12:00:00Z") };
        let shown = add(&house, "b3-8", &name, own.clone()).await.expect("negotiated");
        assert_eq!(amounts(&shown), [(false, "0.111".to_owned()), (true, "0.0555555555".to_owned())]);
        let twice = add(&house, "b3-8", &name, own).await.expect_err("never edited");
        assert_eq!(reason(&twice), "PRICE_VERSION_EXISTS");

        house.now_is("2027-03-10T12:30:00Z").await;
        let plan = seen_by(&house, ada, "b3-8").await;
        let current = plan.current_price.clone().expect("a price");
        assert_eq!((current.unit_price, current.account.as_str()), (decimal("0.0555555555"), name.as_str()));
        assert_eq!(current.unit_price_incl_tax, decimal("0.0666666666"), "with the VAT of the account's country");
        assert_eq!(amounts(&seen_by(&house, bob, "b3-8").await), [(false, "0.111".to_owned())]);
        let request = GetPlanRequest { name: "plans/b3-8".to_owned(), account: name.clone(), ..GetPlanRequest::default() };
        let by_role = house.catalog().get_plan(by_service(request.clone())).await.expect("by role").into_inner();
        assert_eq!(by_role, plan);
        let anonymous = house.catalog().get_plan(Request::new(request.clone())).await.expect_err("nobody");
        let stranger = house.catalog().get_plan(by(bob, request)).await.expect_err("a stranger");
        assert_eq!((reason(&anonymous).as_str(), reason(&stranger).as_str()), ("NOT_FOUND", "NOT_FOUND"));

        house.now_is("2027-03-10T15:30:00Z").await;
        let usage = house.usage().get_current_usage(by(ada, GetCurrentUsageRequest { parent: project.name.clone() })).await;
        let lines: Vec<_> = usage.expect("usage").into_inner().lines.into_iter().map(|line| {
            (line.quantity.unwrap_or_default().value, line.unit_price.unwrap_or_default().value)
        }).collect();
        assert_eq!(
            lines,
            [("5".to_owned(), "0.111".to_owned()), ("2".to_owned(), "0.0555555555".to_owned())],
            "09 to 12 and 14 to 16 by the list, 12 to 14 as negotiated"
        );
    }

    async fn a_negotiated_price_without_an_end_is_ended_once(db: TestDatabase) {
        let house = House::open(db).await;
        let ada = house.account("FR", "ada@example.com").await;
        let name = account_name(ada);
        add(&house, "b3-8", &name, price("EUR", "0.1", "2027-03-02T00:00:00Z")).await.expect("negotiated");
        let end = |from: &str, to: &str| EndPriceVersionRequest {
            name: "plans/b3-8".to_owned(),
            account: name.clone(),
            effective_time: time(from),
            end_time: time(to),
            ..EndPriceVersionRequest::default()
        };
        house.now_is("2027-03-05T10:20:00Z").await;
        let rpc = house.catalog();
        let missing = rpc.end_price_version(by_service(end("2027-03-03T00:00:00Z", "2027-04-01T00:00:00Z"))).await;
        assert_eq!(reason(&missing.expect_err("none begins then")), "NOT_FOUND");
        let early = rpc.end_price_version(by_service(end("2027-03-02T00:00:00Z", "2027-03-05T10:00:00Z"))).await;
        assert_eq!(reason(&early.expect_err("rated")), "PRICE_EFFECTIVE_TOO_EARLY");
        let ended = rpc.end_price_version(by_service(end("2027-03-02T00:00:00Z", "2027-03-05T11:00:00Z"))).await;
        assert_eq!(ended.expect("ended").into_inner().prices[1].end_time, time("2027-03-05T11:00:00Z"));
        let again = rpc.end_price_version(by_service(end("2027-03-02T00:00:00Z", "2027-03-06T11:00:00Z"))).await;
        assert_eq!(reason(&again.expect_err("twice")), "PRICE_ENDS_ALREADY");
        for text in [
            "UPDATE account_price SET ends_at = NULL",
            "UPDATE account_price SET unit_price = '0.2'",
            "DELETE FROM account_price",
        ] {
            assert!(house.execute(text, []).await.expect_err(text).to_string().contains("it is history"), "{text}");
        }
        house.now_is("2027-03-05T11:00:00Z").await;
        let current = seen_by(&house, ada, "b3-8").await.current_price.expect("a price");
        assert_eq!((current.unit_price, current.account.as_str()), (decimal("0.111"), ""));
    }

    /// Exported and imported again, a catalogue has not changed; a file is taken as a whole or not at all.
    async fn a_catalogue_goes_out_and_comes_in_as_a_file(db: TestDatabase) {
        let house = House::open(db).await;
        let rpc = house.catalog();
        let import = |content: &[u8], validate_only| {
            let request = ImportCatalogueRequest { content: content.to_vec(), validate_only, ..Default::default() };
            rpc.import_catalogue(by_service(request))
        };
        for format in [Format::Yaml, Format::Json] {
            let request = ExportCatalogueRequest { format: format.into() };
            let content = rpc.export_catalogue(by_service(request)).await.expect("exported").into_inner().content;
            assert_eq!(import(&content, false).await.expect("the same").into_inner().changes, [], "{format:?}");
        }
        let file = br#"{"plans": [
            {"code": "b3-8", "name": "B3-8", "family": "INSTANCE", "model": "HOURLY", "unit": "hour", "prices": [
                {"effective": "2027-04-01T00:00:00Z", "per_unit": {"EUR": "0.12"}}]},
            {"code": "x1-2", "name": "X1-2", "family": "INSTANCE", "model": "MONTHLY", "unit": "month",
             "charged": "ADVANCE", "retired": "2029-01-01T00:00:00Z",
             "prices": [{"effective": "2020-01-01T00:00:00Z", "per_unit": {"EUR": "10"}}]}]}"#;
        let plans = house.count("plan").await;
        let foreseen = import(file, true).await.expect("rehearsed").into_inner().changes;
        let kinds: Vec<_> = foreseen.iter().map(|change| (change.kind(), change.plan.as_str())).collect();
        assert_eq!(
            kinds,
            [
                (Kind::PlanAdded, "plans/x1-2"),
                (Kind::PlanRenamed, "plans/b3-8"),
                (Kind::PriceAdded, "plans/b3-8"),
                (Kind::PriceAdded, "plans/x1-2"),
            ]
        );
        assert_eq!(house.count("plan").await, plans, "a rehearsal keeps nothing");
        assert_eq!(import(file, false).await.expect("imported").into_inner().changes, foreseen);
        assert_eq!(import(file, false).await.expect("again").into_inner().changes, []);
        assert_eq!(house.count("plan").await, plans + 1);

        let half = br#"{"plans": [
            {"code": "x1-4", "name": "X1-4", "family": "INSTANCE", "model": "HOURLY", "unit": "hour",
             "prices": [{"effective": "2020-01-01T00:00:00Z", "per_unit": {"EUR": "1"}}]},
            {"code": "b3-8", "name": "B3-8", "family": "INSTANCE", "model": "HOURLY", "unit": "hour", "prices": [
                {"effective": "2027-03-01T08:00:00Z", "per_unit": {"EUR": "0.12"}},
                {"effective": "2015-01-01T00:00:00Z", "per_unit": {"EUR": "0.12"}}]}]}"#;
        let refused = import(half, false).await.expect_err("an edit and the past");
        assert_eq!(
            violations(&refused),
            ["plans[b3-8].prices[2015-01-01T00:00:00Z].EUR", "plans[b3-8].prices[2027-03-01T08:00:00Z].EUR"]
        );
        assert_eq!(house.count("plan").await, plans + 1, "all of it or nothing");
    }

    /// Two who price the same instant at once: one of them wins.
    async fn of_two_prices_at_one_instant_one_is_kept(db: TestDatabase) {
        let house = House::open(db).await;
        let both = futures::future::join_all((1..=4).map(|cents| {
            let house = &house;
            async move { add(house, "b3-8", LISTED, price("EUR", &format!("0.{cents}"), "2027-04-01T00:00:00Z")).await }
        }))
        .await;
        assert_eq!(both.iter().filter(|answer| answer.is_ok()).count(), 1);
        for refused in both.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!(reason(refused), "PRICE_VERSION_EXISTS");
        }
    }
}
