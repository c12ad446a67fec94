//! Reads the tables of `tests/golden`, which a finance person can check by hand, and compares them
//! with what Florin answers. `tests/golden/README.txt` says how to read them.

use std::{collections::BTreeMap, fmt::Write as _, num::NonZeroU32};

use florin_settlement::{
    AccountRef, Currency, Due, DueLine, Instant, LineKey, Lot, LotId, LotKind, LotOwner, LotParts, Money,
    Month, Percentage, Plan, PlanFamily, ProjectRef, Quantity, Restriction, TaxCategory, TaxRate, UnitPrice,
    canonical, parse_decimal, plan, rounding,
};

const SETTLEMENTS: [(&str, &str); 3] = [
    ("order.txt", include_str!("golden/order.txt")),
    ("eligibility.txt", include_str!("golden/eligibility.txt")),
    ("lines.txt", include_str!("golden/lines.txt")),
];
const ROUNDING: &str = include_str!("golden/rounding.txt");

const ACCOUNT: u128 = 1;
const PROJECT: u128 = 2;
const FOREIGN: u128 = 3;

#[test]
fn every_settlement_of_the_golden_tables_comes_out_as_written() {
    let mut report = String::new();
    let mut count = 0;
    for (file, text) in SETTLEMENTS {
        for case in cases(text) {
            count += 1;
            for (how, answer) in [("as written", case.answer()), ("in reverse", case.reversed().answer())] {
                if answer != case.expected {
                    report.push_str(&difference(file, &case.title, how, &case.expected, &answer));
                }
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    assert!(count >= 15, "only {count} cases were read");
}

#[test]
fn every_rounding_of_the_golden_table_comes_out_as_written() {
    let rows = ROUNDING.lines().map(words).filter(|row| !row.is_empty()).collect::<Vec<_>>();
    for row in &rows {
        let (question, answer) = row.split_at(row.iter().position(|word| *word == "=").expect("an ="));
        assert_eq!(rounded(question), answer[1..].join(" "), "{}", row.join(" "));
    }
    assert!(rows.len() >= 20, "only {} rows were read", rows.len());
}

/// One settlement: what is given and what is expected, each a list of rows.
struct Case<'a> {
    title: String,
    given: Vec<Vec<&'a str>>,
    expected: Vec<String>,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for row in text.lines().map(words).filter(|row| !row.is_empty()) {
        if row[0] == "case" {
            cases.push(Case { title: row[1..].join(" "), given: Vec::new(), expected: Vec::new() });
            continue;
        }
        let case = cases.last_mut().expect("a table begins with a case");
        match row[0] {
            "at" | "in" | "lot" | "line" => case.given.push(row),
            "debit" | "skip" | "tax" | "rest" | "error" => case.expected.push(row.join(" ")),
            other => panic!("unknown row {other:?} in case {:?}", case.title),
        }
    }
    cases
}

fn words(row: &str) -> Vec<&str> {
    row.split('#').next().unwrap_or_default().split_whitespace().collect()
}

impl<'a> Case<'a> {
    fn reversed(&self) -> Case<'a> {
        let given = self.given.iter().rev().cloned().collect();
        Case { title: self.title.clone(), given, expected: self.expected.clone() }
    }

    fn rows(&self, name: &str) -> impl Iterator<Item = &[&'a str]> {
        self.given.iter().filter(move |row| row[0] == name).map(|row| &row[1..])
    }

    fn one(&self, name: &str) -> &'a str {
        self.rows(name).next().expect("the row is there")[0]
    }

    fn answer(&self) -> Vec<String> {
        let at = instant(self.one("at"));
        let currency = Currency::parse(self.one("in")).expect("a currency");
        let names = self.names();
        let lots = self.rows("lot").map(|row| lot(row, &names, currency)).collect::<Vec<_>>();
        let lines = self.rows("line").map(|row| line(row, currency)).collect();
        let due =
            Due::try_new(AccountRef::from_u128(ACCOUNT), ProjectRef::from_u128(PROJECT), currency, lines);
        match plan(&due.expect("a due"), &lots, at) {
            Ok(plan) => rows_of(&plan, &names),
            Err(error) => vec![format!("error {error}")],
        }
    }

    /// Every lot's id: the place of its name in the alphabet.
    fn names(&self) -> BTreeMap<&'a str, LotId> {
        let mut names = self.rows("lot").map(|row| row[0]).collect::<Vec<_>>();
        names.sort_unstable();
        names.dedup();
        (1..).map(LotId::from_u128).zip(names).map(|(id, name)| (name, id)).collect()
    }
}

fn lot(row: &[&str], names: &BTreeMap<&str, LotId>, currency: Currency) -> Lot {
    let (amount_currency, row) = match row {
        [name, kind, owner, amount, code, time, families] => {
            (Currency::parse(code).expect("a currency"), [name, kind, owner, amount, time, families])
        }
        [name, kind, owner, amount, time, families] => {
            (currency, [name, kind, owner, amount, time, families])
        }
        other => panic!("not a lot: {other:?}"),
    };
    let [name, kind, owner, amount, time, families] = row.map(|word| *word);
    let kind = LotKind::parse(kind).expect("a lot kind");
    let number = |own| match owner {
        "own" => own,
        "foreign" => FOREIGN,
        other => panic!("unknown owner {other:?}"),
    };
    let owner = match kind {
        LotKind::Voucher | LotKind::CloudCredit => LotOwner::Project(ProjectRef::from_u128(number(PROJECT))),
        LotKind::LaunchPad | LotKind::Loyalty => LotOwner::Account(AccountRef::from_u128(number(ACCOUNT))),
    };
    let remaining = money(amount, amount_currency);
    let initial = if remaining.is_zero() { Money::new(1, amount_currency) } else { remaining };
    let (issued, expires) = time.split_once("..").expect("from..to");
    let expires = if expires == "never" { None } else { Some(instant(expires)) };
    let restriction = Restriction::parse(if families == "ANY" { "" } else { families }).expect("families");
    let parts = LotParts {
        id: names[name],
        kind,
        owner,
        initial,
        remaining,
        issued: instant(issued),
        expires,
        restriction,
    };
    Lot::try_new(parts).expect("a lot")
}

fn line(row: &[&str], currency: Currency) -> DueLine {
    let [number, family, category, rate, plan, resource, month, net] = row else {
        panic!("not a line: {row:?}")
    };
    DueLine {
        key: LineKey::from_u32(number.parse().expect("a number")),
        family: PlanFamily::parse(family).expect("a family"),
        tax_category: TaxCategory::parse(category).expect("a category"),
        tax_rate: TaxRate::parse(rate).expect("a rate"),
        plan: (*plan).to_owned(),
        resource: (*resource).to_owned(),
        period: Month::parse(month).expect("a month").period(),
        net: money(net, currency),
    }
}

/// A plan in the words of the tables.
fn rows_of(plan: &Plan, names: &BTreeMap<&str, LotId>) -> Vec<String> {
    let name = |id| names.iter().find(|(_, known)| **known == id).map_or("?", |(name, _)| *name);
    let mut rows = Vec::new();
    for lot in plan.considered() {
        let mut row = match lot.skipped() {
            Some(reason) => format!("skip {} {}", name(lot.id()), reason.as_str()),
            None => {
                format!("debit {} {} leaves {}", name(lot.id()), amount(lot.taken()), amount(lot.after()))
            }
        };
        for paid in lot.lines() {
            write!(row, " {}={}", paid.line(), amount(paid.amount())).expect("a text grows");
        }
        rows.push(row);
    }
    for base in plan.tax_bases() {
        rows.push(format!("tax {} {} {}", base.tax_category.as_str(), base.tax_rate, amount(base.base)));
    }
    rows.push(format!("rest {}", amount(plan.remainder())));
    rows
}

fn rounded(question: &[&str]) -> String {
    let currency = Currency::parse(question.last().expect("a currency")).expect("a currency");
    let rate = |text| TaxRate::parse(text).expect("a rate");
    let price = |text| UnitPrice::parse(text, currency).expect("a price");
    let result = match question {
        ["hourly", monthly, _] => return canonical(rounding::hourly_from_monthly(price(monthly)).amount()),
        ["split", gross, percent, _] => {
            let (net, tax) = rounding::split_gross(money(gross, currency), rate(percent)).expect("fits");
            return format!("{} {}", amount(net), amount(tax));
        }
        ["line", quantity, "x", unit_price, "/", divisor, _] => {
            let divisor: NonZeroU32 = divisor.parse().expect("a divisor");
            rounding::line_net(Quantity::parse(quantity).expect("a quantity"), price(unit_price), divisor)
        }
        ["tax", net, percent, _] => rounding::tax(money(net, currency), rate(percent)),
        ["loyalty", paid, percent, _] => {
            let percent = Percentage::parse(percent).expect("a percentage");
            rounding::loyalty_earning(money(paid, currency), percent)
        }
        other => panic!("unknown calculation {other:?}"),
    };
    amount(result.expect("fits"))
}

fn money(text: &str, currency: Currency) -> Money {
    Money::from_decimal(parse_decimal(text, 28).expect("a number"), currency).expect("an amount")
}

fn amount(money: Money) -> String {
    money.to_decimal().to_string()
}

fn instant(text: &str) -> Instant {
    let full = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    Instant::parse(&full).expect("an instant")
}

/// Both sides, row by row, with a mark where they differ.
fn difference(file: &str, title: &str, how: &str, expected: &[String], answer: &[String]) -> String {
    let mut text = format!("{file}: {title} (given {how})\n");
    for index in 0..expected.len().max(answer.len()) {
        let side = |rows: &[String]| rows.get(index).cloned().unwrap_or_default();
        let (expected, answer) = (side(expected), side(answer));
        if expected == answer {
            writeln!(text, "    {expected}").expect("a text grows");
        } else {
            writeln!(text, "  - {expected}\n  + {answer}").expect("a text grows");
        }
    }
    text
}
