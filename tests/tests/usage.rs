//! Measured usage over the wire: streams, senders that are cut off, and the months they race (R5.4–R5.6).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the counts of a test are small"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use florin_api::{
    invoicing::v1::{EstimateInvoiceRequest, Invoice, invoice},
    money::Decimal,
    project::v1::{
        GetCurrentUsageRequest, GetUsageForecastRequest, ListUsageHistoryRequest, RecordUsageRequest,
        StreamUsageRequest, UsageEvent, UsageLine, forecast_debit::Kind, usage_verdict::Outcome,
    },
};
use florin_platform::wire;
use florin_settlement::Instant;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::said,
    florin::{Customer, Florin},
};
use futures::{StreamExt, stream};
use tonic::Code;

const EGRESS: &str = "plans/object-egress";
/// 10⁻¹⁰ parts of a unit.
const WHOLE: i128 = 10_000_000_000;

fn scale() -> usize {
    let asked = std::env::var_os("FLORIN_TEST_SCALE").and_then(|scale| scale.to_str()?.parse().ok());
    asked.unwrap_or(1).max(1)
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn event(id: String, resource: &str, parts: i128, instant: Instant) -> UsageEvent {
    UsageEvent {
        id,
        resource: resource.to_owned(),
        quantity: Some(Decimal { value: format!("{}.{:010}", parts / WHOLE, parts % WHOLE) }),
        usage_time: Some(wire::timestamp(instant)),
        label: String::new(),
    }
}

/// A quantity in 10⁻¹⁰ parts.
fn parts(quantity: Option<&Decimal>) -> i128 {
    let text = &quantity.unwrap().value;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i128>().unwrap() * WHOLE + format!("{fraction:0<10}").parse::<i128>().unwrap()
}

async fn current(customer: &Customer, project: &str) -> Vec<UsageLine> {
    let request = GetCurrentUsageRequest { parent: project.to_owned() };
    customer.caller.usage().get_current_usage(request).await.unwrap().into_inner().lines
}

async fn record(florin: &Florin, events: Vec<UsageEvent>) -> (i32, i32, i32) {
    let answer = florin.operator.usage().record_usage(RecordUsageRequest { events }).await.unwrap();
    let counts = answer.into_inner().counts.unwrap();
    (counts.accepted_count, counts.duplicate_count, counts.refused_count)
}

async fn monthly(customer: &Customer) -> Vec<Invoice> {
    customer.invoices(invoice::Kind::Monthly).await
}

/// The `n`th of the events of a stream: every tenth is one that was sent before, just now or long ago.
fn nth(n: usize, resources: &[String], from: Instant) -> UsageEvent {
    let n = match n % 20 {
        9 => n - 9,
        19 => n / 20 * 10,
        _ => n,
    };
    let when = from.plus_seconds(n as u64 % (7 * 86_400));
    event(format!("e{n:012}"), &resources[n % resources.len()], parts_of(n), when)
}

fn parts_of(n: usize) -> i128 {
    (n as i128 % 1000) * WHOLE / 3 + n as i128
}

on_both_backends! {
    /// R5.4: a million events (in continuous integration fewer) through one stream, every tenth a duplicate.
    async fn the_sums_of_a_long_stream_are_exact(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let mut resources = Vec::new();
        for _ in 0..5 {
            resources.push(ada.add(&project, EGRESS, "1").await.unwrap().name);
        }
        florin.advance_to("2027-03-12T00:00:00Z").await;
        let (total, from) = (20_000 * scale(), at("2027-03-02T00:00:00Z"));
        let batches = {
            let resources = resources.clone();
            // Batches of all sizes, one event to two thousand.
            let mut sizes = [1_usize, 999, 2000, 500, 37, 1463].into_iter().cycle();
            let mut next = 0;
            let batches = std::iter::from_fn(move || {
                let end = total.min(next + sizes.next().unwrap_or(1));
                let events: Vec<_> = (next..end).map(|n| nth(n, &resources, from)).collect();
                let sequence = next as i64;
                next = end;
                (!events.is_empty()).then_some(StreamUsageRequest { sequence, events })
            });
            stream::iter(batches)
        };
        let mut answers = florin.operator.usage().stream_usage(batches).await.unwrap().into_inner();
        let (mut accepted, mut duplicates, mut next) = (0, 0, 0_i64);
        while let Some(answer) = answers.message().await.unwrap() {
            assert_eq!(answer.sequence, next, "answers come in the order of the batches");
            let counts = answer.counts.unwrap();
            assert_eq!(counts.refused_count, 0, "{:?}", answer.verdicts);
            assert_eq!(answer.verdicts.len() as i32, counts.duplicate_count);
            next += i64::from(counts.accepted_count + counts.duplicate_count);
            accepted += counts.accepted_count;
            duplicates += counts.duplicate_count;
        }
        assert_eq!((accepted as usize, duplicates as usize), (total - total / 10, total / 10));

        let mut expected: BTreeMap<&str, i128> = BTreeMap::new();
        for n in (0..total).filter(|n| n % 10 != 9) {
            *expected.entry(resources[n % 5].as_str()).or_default() += parts_of(n);
        }
        let lines = current(&ada, &project).await;
        let found: BTreeMap<&str, i128> =
            lines.iter().map(|line| (line.resource.as_str(), parts(line.quantity.as_ref()))).collect();
        assert_eq!(found, expected);
        florin.stop().await;
    }

    /// R5.4: who was cut off sends again what was not answered.
    async fn a_sender_that_was_cut_off_resumes_by_sending_again(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let resource = ada.add(&project, EGRESS, "1").await.unwrap().name;
        florin.advance_to("2027-03-12T00:00:00Z").await;
        let (total, from) = (3000, at("2027-03-02T00:00:00Z"));
        let batch = move |n: usize, resource: &str| StreamUsageRequest {
            sequence: n as i64,
            events: (n * 100..(n + 1) * 100)
                .map(|n| event(format!("e{n}"), resource, WHOLE, from.plus_seconds(n as u64)))
                .collect(),
        };
        let mut answered = 0;
        for cut_after in [1, 4, 9] {
            let sender = florin.anonymous.with_token(&florin.token());
            let (first, resource) = (answered, resource.clone());
            // More is sent than is answered before the line breaks.
            let batches = stream::iter((first..total / 100).map(move |n| batch(n, &resource)));
            let mut answers = sender.usage().stream_usage(batches.chain(stream::pending())).await.unwrap().into_inner();
            for _ in 0..cut_after {
                assert_eq!(answers.message().await.unwrap().unwrap().sequence, answered as i64);
                answered += 1;
            }
            drop(answers);
        }
        let rest: Vec<_> = (answered..total / 100).map(|n| batch(n, &resource)).collect();
        let mut answers = florin.operator.usage().stream_usage(stream::iter(rest)).await.unwrap().into_inner();
        while let Some(answer) = answers.message().await.unwrap() {
            assert_eq!(answer.counts.unwrap().refused_count, 0);
            assert!(answer.verdicts.iter().all(|verdict| verdict.outcome() == Outcome::Duplicate));
            answered += 1;
        }
        assert_eq!(answered, total / 100);
        assert_eq!(parts(current(&ada, &project).await[0].quantity.as_ref()), total as i128 * WHOLE);
        florin.stop().await;
    }

    /// R12.1, R12.4: a batch that cannot be one ends the stream; what was answered before stays.
    async fn a_stream_ends_with_a_batch_that_is_too_large_or_empty(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let resource = ada.add(&project, EGRESS, "1").await.unwrap().name;
        florin.advance_to("2027-03-12T00:00:00Z").await;
        for (id, wrong) in [("a", 0), ("b", 5001)] {
            let events = |count: usize| {
                let one = event(id.to_owned(), &resource, WHOLE, at("2027-03-05T00:00:00Z"));
                StreamUsageRequest { sequence: 0, events: vec![one; count] }
            };
            let batches = stream::iter([events(1), events(wrong), events(1)]);
            let mut answers = florin.operator.usage().stream_usage(batches).await.unwrap().into_inner();
            assert_eq!(answers.message().await.unwrap().unwrap().counts.unwrap().accepted_count, 1);
            assert_eq!(answers.message().await.unwrap_err().code(), Code::InvalidArgument);
        }
        assert_eq!(parts(current(&ada, &project).await[0].quantity.as_ref()), 2 * WHOLE);
        florin.stop().await;
    }

    /// R5.5, R8.5, R8.9: late usage is on the next invoice, once, marked with its own period; what was known when
    /// the month was invoiced stays answerable.
    async fn late_usage_is_on_the_next_invoice_and_nothing_is_billed_twice(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let resource = ada.add(&project, EGRESS, "1").await.unwrap().name;
        florin.advance_to("2027-04-01T03:00:00Z").await;
        let at_once = |id: &str, units: i128, when: &str| event(id.to_owned(), &resource, units * WHOLE, at(when));
        // The month is over and not invoiced yet: this is on time.
        let events = vec![at_once("m1", 1000, "2027-03-31T23:00:00Z"), at_once("a1", 100, "2027-04-01T02:00:00Z")];
        assert_eq!(record(&florin, events).await, (2, 0, 0));
        let request = GetCurrentUsageRequest { parent: project.clone() };
        let usage = ada.caller.usage().get_current_usage(request.clone()).await.unwrap().into_inner();
        assert_eq!((usage.lines.len(), usage.late_lines.len()), (1, 0), "March has an invoice of its own to come");
        florin.advance_to("2027-04-01T06:00:00Z").await;
        let invoices = monthly(&ada).await;
        assert_eq!(invoices.len(), 1);
        assert_eq!(said(invoices[0].net_total.as_ref()), "11.00 EUR");

        assert_eq!(record(&florin, vec![at_once("m2", 500, "2027-03-15T10:30:00Z")]).await, (1, 0, 0));
        let usage = ada.caller.usage().get_current_usage(request).await.unwrap().into_inner();
        assert_eq!(said(usage.net_total.as_ref()), "1.10 EUR");
        assert_eq!(said(usage.late_net_total.as_ref()), "5.50 EUR");
        let request = EstimateInvoiceRequest { parent: project.clone() };
        let estimate = ada.caller.invoices().estimate_invoice(request).await.unwrap().into_inner().invoice.unwrap();
        assert_eq!(said(estimate.net_total.as_ref()), "6.60 EUR");
        florin.advance_to("2027-05-01T06:00:00Z").await;
        let invoices = monthly(&ada).await;
        let april = invoices.iter().find(|invoice| said(invoice.net_total.as_ref()) == "6.60 EUR").unwrap();
        let lines: Vec<_> = april
            .lines
            .iter()
            .map(|line| (line.late, line.usage_start_time, said(line.net.as_ref())))
            .collect();
        let hour = |text| Some(wire::timestamp(at(text)));
        assert_eq!(
            lines,
            [
                (true, hour("2027-03-15T10:00:00Z"), "5.50 EUR".to_owned()),
                (false, hour("2027-04-01T02:00:00Z"), "1.10 EUR".to_owned()),
            ]
        );

        let request = ListUsageHistoryRequest { parent: project.clone(), page_size: 2, ..Default::default() };
        let page = ada.caller.usage().list_usage_history(request).await.unwrap().into_inner();
        let of = |page: &florin_api::project::v1::ListUsageHistoryResponse| {
            page.months
                .iter()
                .map(|month| (month.month.unwrap().month, said(month.net_total.as_ref()), said(month.on_time_net_total.as_ref()), month.close_time.is_some()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(&page),
            [(5, "0.00 EUR".to_owned(), "0.00 EUR".to_owned(), false), (4, "1.10 EUR".to_owned(), "1.10 EUR".to_owned(), true)]
        );
        let request = ListUsageHistoryRequest { parent: project, page_size: 2, page_token: page.next_page_token };
        let page = ada.caller.usage().list_usage_history(request).await.unwrap().into_inner();
        assert_eq!(of(&page), [(3, "16.50 EUR".to_owned(), "11.00 EUR".to_owned(), true)]);
        let late: Vec<_> = page.months[0].lines.iter().map(|line| line.billing_month.map(|month| month.month)).collect();
        assert_eq!(late, [None, Some(4)]);
        assert_eq!(page.next_page_token, "");
        florin.stop().await;
    }

    /// R5.6: running resources exactly, measured ones at their rate, and the lots that would pay.
    async fn a_forecast_counts_to_the_month_end_and_names_the_lots(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        florin.advance_to("2027-04-01T07:00:00Z").await;
        let resource = ada.add(&project, EGRESS, "1").await.unwrap().name;
        let codes = florin.codes(florin_api::credit::v1::Campaign {
            redeem_end_time: Some(wire::timestamp(at("2027-06-01T00:00:00Z"))),
            ..florin.campaign(10)
        }, 1).await;
        ada.redeem(&project, &codes[0]).await.unwrap();
        florin.advance_to("2027-04-11T07:00:00Z").await;
        let instance = ada.add(&project, "plans/b3-8", "1").await.unwrap().name;
        let panel = ada.add(&project, "plans/licence-panel", "1").await.unwrap().name;
        // 1000 in ten days, and some hours since the 11th: about 2971 in the month; and 20 days less 7 hours by the hour.
        let events = vec![event("e".to_owned(), &resource, 1000 * WHOLE, at("2027-04-05T00:00:00Z"))];
        assert_eq!(record(&florin, events).await, (1, 0, 0));
        let request = GetUsageForecastRequest { parent: project };
        let forecast = ada.caller.usage().get_usage_forecast(request).await.unwrap().into_inner();
        let of = |name: &str| forecast.lines.iter().find(|line| line.resource == name).unwrap();
        let hours = 20 * 24 - 7;
        let renewals = |lines: &[UsageLine]| {
            let of_panel = lines.iter().filter(|line| line.resource == panel);
            of_panel.map(|line| (line.usage_start_time, said(line.net.as_ref()))).collect::<Vec<_>>()
        };
        let may = (Some(wire::timestamp(at("2027-05-01T00:00:00Z"))), "2.40 EUR".to_owned());
        assert_eq!(renewals(&forecast.lines), std::slice::from_ref(&may), "April's days were invoiced at once");
        assert_eq!(parts(of(&instance).quantity.as_ref()), hours * WHOLE);
        let measured = parts(of(&resource).quantity.as_ref()) / WHOLE;
        assert!((2965..=2971).contains(&measured), "{measured}");
        let nets: i64 = forecast.lines.iter().map(|line| wire::amount(line.net.as_ref().unwrap()).unwrap().minor()).sum();
        let total = wire::amount(forecast.net_total.as_ref().unwrap()).unwrap().minor();
        assert_eq!(nets, total);
        let used = wire::amount(forecast.used_net_total.as_ref().unwrap()).unwrap().minor();
        assert!((1111..1200).contains(&used), "{used}");
        assert_eq!(forecast.settlement_time, Some(wire::timestamp(at("2027-05-01T06:00:00Z"))));
        let debits: Vec<_> = forecast.debits.iter().map(|debit| (debit.kind(), said(debit.amount.as_ref()))).collect();
        assert_eq!(debits, [(Kind::Voucher, "10.00 EUR".to_owned())]);
        let remainder = wire::amount(forecast.remainder.as_ref().unwrap()).unwrap().minor();
        assert_eq!(remainder, total - 1000);
        florin.advance_to("2027-05-01T06:00:00Z").await;
        let april = monthly(&ada).await.remove(0);
        let charged = april.lines.iter().filter(|line| line.resource == panel);
        let charged: Vec<_> = charged.map(|line| (line.usage_start_time, said(line.net.as_ref()))).collect();
        assert_eq!(charged, [may], "as it was foretold");
        florin.stop().await;
    }

    /// R5.5: senders race the billing run; whatever was accepted is on exactly one invoice.
    async fn nothing_is_lost_or_billed_twice_when_senders_race_the_billing_run(db: TestDatabase) {
        let florin = Arc::new(Florin::start(&db).await);
        let mut customers = Vec::new();
        for n in 0..4 {
            let (customer, project) = florin.customer_with_project(&format!("racer{n}")).await;
            let resource = customer.add(&project, EGRESS, "1").await.unwrap().name;
            customers.push((customer, resource));
        }
        florin.advance_to("2027-03-31T23:00:00Z").await;
        let resources: Arc<Vec<String>> = Arc::new(customers.iter().map(|(_, resource)| resource.clone()).collect());
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..3)
            .map(|sender| {
                let (florin, resources, stop) = (Arc::clone(&florin), Arc::clone(&resources), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut sums = vec![0_i128; resources.len()];
                    let mut n = 0;
                    // Bounded: on a busy machine senders without end would starve the run they race.
                    while n < 300 * scale() as u64 && !stop.load(Ordering::SeqCst) {
                        let when = at("2027-03-03T00:00:00Z").plus_seconds(n * 7919 % (28 * 86_400));
                        let events: Vec<_> = (0..8)
                            .map(|k| event(format!("{sender}-{n}-{k}"), &resources[k % resources.len()], WHOLE + k as i128, when))
                            .collect();
                        assert_eq!(record(&florin, events).await, (8, 0, 0));
                        for k in 0..8 {
                            sums[k % resources.len()] += WHOLE + k as i128;
                        }
                        n += 1;
                    }
                    sums
                })
            })
            .collect();
        let one_each = |round: &str| {
            let event = |(n, resource): (usize, &String)| {
                event(format!("{round}-{n}"), resource, WHOLE, at("2027-03-20T00:00:00Z"))
            };
            resources.iter().enumerate().map(event).collect::<Vec<_>>()
        };
        assert_eq!(record(&florin, one_each("before")).await, (4, 0, 0));
        florin.advance_to("2027-04-01T06:00:00Z").await;
        assert_eq!(record(&florin, one_each("after")).await, (4, 0, 0));
        stop.store(true, Ordering::SeqCst);
        let mut sent = vec![2 * WHOLE; resources.len()];
        for sender in senders {
            for (sum, sent) in sender.await.unwrap().into_iter().zip(&mut sent) {
                *sent += sum;
            }
        }
        florin.advance_to("2027-05-01T06:00:00Z").await;
        for ((customer, resource), sent) in customers.iter().zip(sent) {
            let invoices = monthly(customer).await;
            assert_eq!(invoices.len(), 2, "usage came before and after March was invoiced");
            let billed: i128 = invoices
                .iter()
                .flat_map(|invoice| &invoice.lines)
                .filter(|line| line.resource == *resource)
                .map(|line| parts(line.quantity.as_ref()))
                .sum();
            assert_eq!(billed, sent);
        }
        Arc::into_inner(florin).unwrap().stop().await;
    }
}
