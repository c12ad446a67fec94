use super::*;

fn at(text: &str) -> Instant {
    Instant::parse(text).expect("an instant")
}

fn offer(amount: i64, budget: i64) -> Offer {
    let eur = |minor| Money::new(minor, Currency::EUR);
    Offer { amount: eur(amount), budget: eur(budget), reserved: eur(0), granted: eur(0) }
}

fn terms() -> Terms {
    Terms {
        display_name: "Summer".to_owned(),
        description: "Summer voucher".to_owned(),
        redeem_from: at("2027-06-01T00:00:00Z"),
        redeem_until: at("2027-09-01T00:00:00Z"),
        lifetime: Lifetime::Days(90),
        use_limit: None,
        per_account_limit: 1,
        audience: Audience::Anyone,
        countries: BTreeSet::new(),
        exclusion_group: None,
        restriction: Restriction::Unrestricted,
        method_required: false,
        code_style: CodeStyle::SingleUse,
    }
}

fn fields(terms: &Terms, offers: &[Offer]) -> Vec<String> {
    let violations = terms.violations(offers, at("2027-05-01T00:00:00Z"));
    violations.as_slice().iter().map(|violation| violation.field.clone()).collect()
}

#[test]
fn every_violation_comes_at_once() {
    assert!(fields(&terms(), &[offer(1000, 100_000)]).is_empty());
    let wrong = Terms {
        display_name: String::new(),
        redeem_until: at("2027-06-01T00:00:00Z"),
        lifetime: Lifetime::Days(0),
        use_limit: Some(0),
        per_account_limit: 0,
        countries: BTreeSet::from(["france".to_owned()]),
        ..terms()
    };
    let expected = [
        "campaign.display_name",
        "campaign.redeem_end_time",
        "campaign.lot_lifetime_days",
        "campaign.use_limit",
        "campaign.per_account_limit",
        "campaign.countries",
        "campaign.amounts",
    ];
    assert_eq!(fields(&wrong, &[]), expected);
}

#[test]
fn the_budget_covers_at_least_one_redemption_in_every_currency() {
    assert_eq!(fields(&terms(), &[offer(1000, 999)]), ["campaign.budgets"]);
    assert_eq!(fields(&terms(), &[offer(0, 10)]), ["campaign.amounts"]);
    assert_eq!(fields(&terms(), &[offer(10, 10), offer(10, 10)]), ["campaign.amounts"]);
}

#[test]
fn a_life_shorter_than_a_month_may_miss_every_settlement() {
    let with = |lifetime| Terms { lifetime, ..terms() }.misses_settlement();
    assert!(with(Lifetime::Days(31)));
    assert!(!with(Lifetime::Days(32)));
    assert!(with(Lifetime::Until(at("2027-09-20T00:00:00Z"))));
    assert!(!with(Lifetime::Until(at("2027-10-02T00:00:00Z"))));
}

fn campaign(offer: Offer) -> Campaign {
    let id = CampaignId::from_u128(1);
    let created = at("2027-05-01T00:00:00Z");
    let offers = vec![offer];
    Campaign { id, terms: terms(), offers, code_count: 9, use_count: 2, disabled: None, version: 1, created }
}

#[test]
fn what_codes_may_still_give_ends_with_the_window_the_limit_the_budget_and_the_campaign() {
    let eur = |minor| Money::new(minor, Currency::EUR);
    let offer = Offer { reserved: eur(7000), granted: eur(2000), ..offer(1000, 20_500) };
    let (open, over) = (at("2027-06-01T00:00:00Z"), at("2027-09-01T00:00:00Z"));
    let single = campaign(offer);
    assert_eq!(single.grantable(&offer, open), eur(7000));
    assert_eq!(single.grantable(&offer, over), eur(0));
    let disabled = Campaign { disabled: Some(open), ..campaign(offer) };
    assert_eq!(disabled.grantable(&offer, open), eur(0));
    let limited = Campaign { terms: Terms { use_limit: Some(5), ..terms() }, ..campaign(offer) };
    assert_eq!(limited.grantable(&offer, open), eur(3000));
    let shared = Campaign { terms: Terms { code_style: CodeStyle::Shared, ..terms() }, ..campaign(offer) };
    assert_eq!(shared.grantable(&offer, open), eur(18_000), "18.5 times, so 18 times");
    assert_eq!(Campaign { code_count: 0, ..campaign(offer) }.grantable(&offer, open), eur(0));
}
