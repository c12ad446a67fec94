use super::*;
use crate::domain::plan::Timing;

const FILE: &str = r#"
plans:
  - code: volume-classic
    name: Classic volume
    family: STORAGE
    model: HOURLY
    unit: GiB-hour
    prices:
      - effective: 2020-01-01T00:00:00Z
        per_month: { EUR: "0.04", USD: "0.0432" }
"#;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn known(yaml: &str) -> BTreeMap<PlanCode, PricedPlan> {
    let file = CatalogueFile::parse(yaml).expect("a sound file");
    file.plans.into_iter().map(|priced| (priced.plan.code.clone(), priced)).collect()
}

fn fields(violations: &Violations) -> Vec<&str> {
    violations.as_slice().iter().map(|violation| violation.field.as_str()).collect()
}

#[test]
fn a_monthly_price_becomes_a_720th_of_it_per_hour() {
    let known = known(FILE);
    let volume = known.values().next().expect("one plan");
    let prices: Vec<_> = volume.versions().map(|version| version.price.to_string()).collect();
    assert_eq!(prices, ["0.0000555556 EUR", "0.00006 USD"]);
}

#[test]
fn importing_the_same_file_again_adds_nothing() {
    let file = CatalogueFile::parse(FILE).expect("a sound file");
    let first = file.additions(&BTreeMap::new(), at("2027-01-01T00:00:00Z")).expect("sound");
    assert_eq!((first.plans.len(), first.prices.len()), (1, 2));
    assert_eq!(file.additions(&known(FILE), at("2027-01-01T00:00:00Z")), Ok(Additions::default()));
}

#[test]
fn an_edit_of_a_known_plan_or_price_is_refused_and_every_one_is_named() {
    let edited = FILE.replace("0.0432", "0.05").replace("family: STORAGE", "family: OPTION");
    let file = CatalogueFile::parse(&edited).expect("sound by itself");
    let refused = file.additions(&known(FILE), at("2027-01-01T00:00:00Z")).expect_err("it edits");
    assert_eq!(
        fields(&refused),
        ["plans[volume-classic]", "plans[volume-classic].prices[2020-01-01T00:00:00Z].USD"]
    );
}

#[test]
fn a_price_in_use_is_superseded_in_the_future_only() {
    let superseded = |effective: &str| {
        let version = format!("      - {{ effective: {effective}, per_unit: {{ EUR: \"0.1\" }} }}\n");
        let file = CatalogueFile::parse(&(FILE.to_owned() + &version)).expect("sound by itself");
        file.additions(&known(FILE), at("2027-01-01T00:30:00Z")).map(|additions| additions.prices.len())
    };
    assert_eq!(superseded("2027-01-01T01:00:00Z"), Ok(1));
    assert!(superseded("2027-01-01T00:00:00Z").is_err());
}

#[test]
fn a_new_name_is_a_change_and_not_an_edit() {
    let file = CatalogueFile::parse(&FILE.replace("Classic volume", "Volume")).expect("a sound file");
    let additions = file.additions(&known(FILE), at("2027-01-01T00:00:00Z")).expect("no edit");
    assert_eq!((additions.changed.len(), additions.prices.len()), (1, 0));
}

#[test]
fn everything_wrong_in_a_file_is_named_at_once() {
    let wrong = r#"
plans:
  - code: A plan
    name: ""
    family: DISK
    model: HOURLY
    unit: month
    prices:
      - effective: 2020-01-01T00:30:00Z
        per_unit: { EUR: "0.00000000001", XAU: "1" }
      - effective: 2020-02-01T00:00:00Z
  - code: b3-8
    name: B3-8
    family: INSTANCE
    model: MONTHLY
    unit: month
    prices:
      - effective: 2020-01-01T00:00:00Z
        per_unit: { EUR: "1" }
        per_month: { EUR: "1" }
"#;
    let violations = CatalogueFile::parse(wrong).expect_err("everything is wrong");
    assert_eq!(
        fields(&violations),
        [
            "plans[0].code",
            "plans[0].family",
            "plans[0].unit",
            "plans[0].name",
            "plans[0].prices[0].effective",
            "plans[0].prices[0].per_unit.EUR",
            "plans[0].prices[0].per_unit.XAU",
            "plans[0].prices[1]",
            "plans[1].prices[0].per_month",
            "plans[1].prices[0]",
        ]
    );
}

#[test]
fn an_amount_written_as_a_number_is_read_as_text_and_never_as_a_float() {
    let unquoted = FILE.replace("\"0.04\"", "0.0400000001");
    let prices: Vec<_> = known(&unquoted).values().flat_map(PricedPlan::versions).collect();
    assert_eq!(prices[0].price.to_string(), "0.0000555556 EUR");
    assert!(CatalogueFile::parse(&FILE.replace("\"0.04\"", "4e-2")).is_err());
}

#[test]
fn a_new_price_begins_at_the_next_full_hour_because_the_begun_one_is_rated() {
    let known = &known(FILE)[&PlanCode::parse("volume-classic").expect("a code")];
    let version = |effective: &str, currency| {
        let price = UnitPrice::parse("1", currency).expect("a price");
        PriceVersion { price, monthly: None, effective: at(effective) }
    };
    let now = at("2027-01-01T10:00:00Z");
    let earliest = at("2027-01-01T11:00:00Z");
    assert_eq!(
        may_add(known, version("2027-01-01T10:00:00Z", Currency::EUR), now),
        Err(NotAddable::TooEarly(earliest))
    );
    assert_eq!(may_add(known, version("2027-01-01T11:00:00Z", Currency::EUR), now), Ok(Addable::New));
    assert_eq!(may_add(known, version("2020-01-01T00:00:00Z", Currency::GBP), now), Ok(Addable::New));
}

#[test]
fn what_is_missing_unknown_or_of_the_wrong_kind_is_named_with_plan_and_line() {
    let wrong = FILE.replace("    unit: GiB-hour\n", "    units: GiB-hour\n").replace("HOURLY", "WEEKLY");
    let violations = CatalogueFile::parse(&wrong).expect_err("wrong");
    assert_eq!(fields(&violations), ["plans[0].unit", "plans[0].units", "plans[0].model"]);
    let kinds = FILE.replace("name: Classic volume", "name: [Classic, volume]").replace("prices:", "price:");
    let violations = CatalogueFile::parse(&kinds).expect_err("wrong");
    assert_eq!(fields(&violations), ["plans[0].name", "plans[0].prices", "plans[0].price"]);
    let named = FILE.replace("Classic volume", "\"\"");
    let violations = CatalogueFile::parse(&named).expect_err("wrong");
    let told = &violations.as_slice()[0].description;
    assert!(told.ends_with("(plan volume-classic, line 3)"), "{told}");
    let broken = CatalogueFile::parse("plans:\n  - code: [\n").expect_err("no YAML");
    assert!(broken.to_string().contains("line"), "{broken}");
}

#[test]
fn only_monthly_plans_are_charged_in_advance() {
    let advance = FILE.replace("    unit: GiB-hour\n", "    unit: GiB-hour\n    charged: ADVANCE\n");
    assert_eq!(fields(&CatalogueFile::parse(&advance).expect_err("by the hour")), ["plans[0].charged"]);
    let monthly = advance
        .replace("HOURLY", "MONTHLY")
        .replace("GiB-hour", "GiB-month")
        .replace("per_month", "per_unit");
    assert_eq!(known(&monthly).values().next().expect("a plan").plan.timing, Timing::Advance);
}

#[test]
fn what_is_written_down_reads_back_as_the_same_in_both_formats() {
    let seeded = include_str!("../../../../server/seed/catalogue.yaml");
    let known = known(seeded);
    assert!(known.len() >= 20);
    for format in [Format::Yaml, Format::Json] {
        let written = write(known.values(), format);
        let file = CatalogueFile::parse(&written).expect("sound");
        let again: BTreeMap<_, _> =
            file.plans.into_iter().map(|priced| (priced.plan.code.clone(), priced)).collect();
        assert_eq!(again, known, "{format:?}");
        assert_eq!(write(again.values(), format), written);
    }
}
