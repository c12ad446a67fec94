//! The numbers of documents: gapless, dates in order, each borne by a document (R8.3).

use florin_platform::finding::{Finding, Findings};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::number::digits,
    store::audit::{self as store, Counter, Given},
};

/// How many numbers are read at a time.
const PAGE: u64 = 1000;

/// Checks every series. Numbers never change, and those up to where a series has come are all there: no page has to be
/// read as of the same moment as another.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn check(connection: &impl ConnectionTrait, findings: &mut Findings<'_>) -> Result<(), DbErr> {
    for counter in &store::series(connection).await? {
        check_series(connection, counter, findings).await?;
    }
    Ok(())
}

async fn check_series(
    connection: &impl ConnectionTrait,
    counter: &Counter,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let mut walk = Walk { counter, last: 0, issued: Instant::MIN };
    while walk.last < counter.last_number {
        let page = store::numbers(connection, counter, walk.last, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for given in page.iter().filter(|given| given.number <= counter.last_number) {
            walk.take(given, findings);
        }
        if page.iter().any(|given| given.number > counter.last_number) {
            break;
        }
    }
    walk.end(findings);
    Ok(())
}

struct Walk<'a> {
    counter: &'a Counter,
    last: i64,
    issued: Instant,
}

impl Walk<'_> {
    fn name(&self) -> String {
        format!("{}-{}", self.counter.series, self.counter.year)
    }

    fn take(&mut self, given: &Given, findings: &mut Findings<'_>) {
        let number = digits(&self.name(), given.number);
        let next = self.last + 1;
        findings.compare("the numbers of a series have no gap", || self.name(), &next, &given.number);
        self.last = given.number;
        let borne = given.borne.clone().unwrap_or_else(|| "no document".to_owned());
        findings.compare("a number is borne by its document", || number.clone(), &number, &borne);
        let Some(issued) = given.issued_at.map(Instant::from) else { return };
        if issued < self.issued {
            findings.add(Finding {
                what: "documents of a series are issued in order",
                place: number,
                expected: format!("not before {}", self.issued),
                found: issued.to_string(),
            });
        }
        self.issued = self.issued.max(issued);
    }

    fn end(&self, findings: &mut Findings<'_>) {
        let Counter { last_number, last_issued_at, .. } = self.counter;
        findings.compare("a series counts every number", || self.name(), &self.last, last_number);
        if self.last == *last_number {
            let last = Instant::from(*last_issued_at).to_string();
            let place = || self.name();
            findings.compare("a series knows its last date", place, &self.issued.to_string(), &last);
        }
    }
}
