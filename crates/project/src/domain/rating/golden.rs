//! Reads the tables of `tests/golden`, which a finance person can check by hand, and compares them with what
//! rating answers. `tests/golden/README.txt` says how to read them.

use std::fmt::Write as _;

use super::*;
use crate::domain::{
    plan::{Plan, PriceVersion, PricedPlan, Unit},
    tariff::{OwnPrice, OwnPrices},
};

const PRICES: &str = include_str!("../../../tests/golden/prices.txt");
const TABLES: [(&str, &str); 3] = [
    ("hours.txt", include_str!("../../../tests/golden/hours.txt")),
    ("months.txt", include_str!("../../../tests/golden/months.txt")),
    ("advance.txt", include_str!("../../../tests/golden/advance.txt")),
];

#[test]
fn every_case_of_the_golden_tables_comes_out_as_written() {
    let (plans, own) = price_list();
    let tariff = Tariff::new(Currency::EUR, &plans).with_own(&own);
    let (mut report, mut count) = (String::new(), 0);
    for (file, text) in TABLES {
        for case in cases(text) {
            count += 1;
            for (how, held) in case.orders() {
                let answer = case.answer(&held, &tariff);
                if answer != case.expected {
                    let _ = writeln!(report, "{file}: {} ({how})", case.title);
                    let _ = writeln!(report, "  written: {:#?}\n  is: {answer:#?}", case.expected);
                }
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    assert!(count >= 60, "only {count} cases were read");
}

/// What a resource held, what is asked, and what is expected.
#[derive(Default)]
struct Case {
    title: String,
    held: Vec<Held>,
    month: Option<Month>,
    known: Option<Instant>,
    expected: Vec<String>,
}

impl Case {
    /// The intervals as written, and in reverse: the order changes nothing.
    fn orders(&self) -> [(&'static str, Vec<Held>); 2] {
        let reversed = self.held.iter().rev().cloned().collect();
        [("as written", self.held.clone()), ("in reverse", reversed)]
    }

    fn answer(&self, held: &[Held], tariff: &Tariff<'_>) -> Vec<String> {
        let month = self.month.expect("a case says its month");
        let known = self.known.unwrap_or_else(|| month.end().plus_hours(6));
        let mut answer = match rate(held, tariff, month.period(), known) {
            Ok(lines) => lines.iter().map(|line| format!("line {}", written(line))).collect(),
            Err(error) => vec![format!("error {error}")],
        };
        let Some((new, before)) = self.held.split_last() else { return answer };
        if tariff.plans_in_advance(&new.plan) {
            let due = due_at_once(before, new, tariff).expect("everything is priced");
            answer.push(due.map_or("at once nothing".to_owned(), |due| format!("at once {}", written(&due))));
        }
        answer
    }
}

impl Tariff<'_> {
    fn plans_in_advance(&self, code: &PlanCode) -> bool {
        self.plan(code).is_ok_and(|priced| priced.plan.timing == Timing::Advance)
    }
}

fn written(line: &Rated) -> String {
    let divisor = if line.divisor.get() == 1 { String::new() } else { format!("/{}", line.divisor) };
    let Rated { plan, quantity, unit_price, net, .. } = line;
    let (from, to) = (short(line.period.from()), short(line.period.to()));
    format!("{plan} {quantity}{divisor} x {} = {} {from} .. {to}", unit_price.amount(), net.to_decimal())
}

fn short(at: Instant) -> String {
    let text = at.to_string().replace('T', " ");
    let text = text.trim_end_matches('Z');
    text.strip_suffix(" 00:00:00").or_else(|| text.strip_suffix(":00")).unwrap_or(text).to_owned()
}

/// A row without its remark, in words.
fn words(row: &str) -> Vec<&str> {
    row.split('#').next().unwrap_or_default().split_whitespace().collect()
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for row in text.lines().map(words).filter(|row| !row.is_empty()) {
        if row[0] == "case" {
            cases.push(Case { title: row[1..].join(" "), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().expect("the first row begins a case");
        match row[0] {
            "held" => {
                let (from, to) = span(&row[3..]);
                case.held.push(Held { plan: code(row[1]), size: quantity(row[2]), from, to });
            }
            "month" => case.month = Some(Month::parse(row[1]).expect("a month")),
            "known" => case.known = Some(instant(&row[1..])),
            "line" | "error" | "at" => case.expected.push(row.join(" ")),
            other => panic!("{other} begins no row"),
        }
    }
    cases
}

/// `from .. to`; `-` for what still runs.
fn span(row: &[&str]) -> (Instant, Option<Instant>) {
    let dots = row.iter().position(|word| *word == "..").expect("from .. to");
    let to = &row[dots + 1..];
    (instant(&row[..dots]), if to == ["-"] { None } else { Some(instant(to)) })
}

fn instant(words: &[&str]) -> Instant {
    let time = match words.get(1).copied().unwrap_or("00:00") {
        short if short.len() == 5 => format!("{short}:00"),
        full => full.to_owned(),
    };
    Instant::parse(&format!("{}T{time}Z", words[0])).expect("an instant")
}

fn code(text: &str) -> PlanCode {
    PlanCode::parse(text).expect("a code")
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).expect("a quantity")
}

fn price(text: &str) -> UnitPrice {
    UnitPrice::parse(text, Currency::EUR).expect("a price")
}

fn price_list() -> (BTreeMap<PlanCode, PricedPlan>, OwnPrices) {
    let mut listed: Vec<(Plan, Vec<PriceVersion>)> = Vec::new();
    let mut own = OwnPrices::new();
    for row in PRICES.lines().map(words).filter(|row| !row.is_empty()) {
        if row[0] == "plan" {
            listed.push((plan(&row), Vec::new()));
            continue;
        }
        let (plan, versions) = listed.last_mut().expect("the first row begins a plan");
        let (amount, when) = row[1..].split_last().expect("a price");
        match row[0] {
            "price" => {
                versions.push(PriceVersion { price: price(amount), monthly: None, effective: instant(when) });
            }
            "own" => {
                let (effective, ends) = if when.contains(&"..") { span(when) } else { (instant(when), None) };
                let negotiated = OwnPrice { price: price(amount), monthly: None, effective, ends };
                own.entry(plan.code.clone()).or_default().push(negotiated);
            }
            other => panic!("{other} begins no row"),
        }
    }
    let listed =
        listed.into_iter().map(|(plan, versions)| (plan.code.clone(), PricedPlan::new(plan, versions)));
    (listed.collect(), own)
}

fn plan(row: &[&str]) -> Plan {
    let model = ChargeModel::parse(row[2]).expect("a model");
    Plan {
        code: code(row[1]),
        display_name: row[1].to_owned(),
        family: florin_settlement::PlanFamily::Instance,
        model,
        unit: Unit::parse(row[3], model).expect("a unit"),
        timing: if row[4..] == ["in", "advance"] { Timing::Advance } else { Timing::Arrears },
        retired: None,
        version: 1,
    }
}
