//! Measured usage: taken once, judged row by row, summed exactly (R5.4, R5.5).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the counts of a test are small"
)]

use std::collections::BTreeMap;

use florin_api::{
    error::v1::ErrorReason,
    money::Decimal,
    project::v1::{
        AddResourceRequest, Project, RecordUsageRequest, RecordUsageResponse, RemoveResourceRequest,
        Resource, UsageEvent, resource_service_server::ResourceService, usage_service_server::UsageService,
        usage_verdict::Outcome,
    },
};
use florin_platform::{call::Call, db::sql, id::AccountId, job::Job, wire::timestamp};
use florin_project::{RatedLine, UsageRpc, usage::of_projects};
use florin_settlement::{Month, Quantity};
use florin_testbed::{disarm, on_both_backends};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use sea_orm::ConnectionTrait;
use tonic::Code;

use crate::{
    books::audit_as_seen_by,
    setting::{House, at, by, by_service, project_id, reason},
};

const EGRESS: &str = "object-egress";

/// How many more cases than in continuous integration.
fn scale() -> u32 {
    let asked = std::env::var_os("FLORIN_TEST_SCALE").and_then(|scale| scale.to_str()?.parse().ok());
    asked.unwrap_or(1).max(1)
}

pub(crate) async fn resource(house: &House, account: AccountId, project: &Project, plan: &str) -> Resource {
    let resource =
        Resource { plan: format!("plans/{plan}"), region: "gra".to_owned(), ..Resource::default() };
    let request = AddResourceRequest {
        parent: project.name.clone(),
        resource: Some(resource),
        ..AddResourceRequest::default()
    };
    house.resources().add_resource(by(account, request)).await.expect("added").into_inner()
}

pub(crate) fn event(id: &str, resource: &Resource, quantity: &str, instant: &str) -> UsageEvent {
    UsageEvent {
        id: id.to_owned(),
        resource: resource.name.clone(),
        quantity: Some(Decimal { value: quantity.to_owned() }),
        usage_time: Some(timestamp(at(instant))),
        label: String::new(),
    }
}

pub(crate) async fn record(rpc: &UsageRpc, events: Vec<UsageEvent>) -> RecordUsageResponse {
    let request = by_service(RecordUsageRequest { events });
    rpc.record_usage(request).await.expect("recorded").into_inner()
}

/// (accepted, duplicate, refused).
fn counts(response: &RecordUsageResponse) -> (i32, i32, i32) {
    let counts = response.counts.expect("counts");
    (counts.accepted_count, counts.duplicate_count, counts.refused_count)
}

fn outcomes(response: &RecordUsageResponse) -> Vec<(Outcome, ErrorReason)> {
    response.verdicts.iter().map(|verdict| (verdict.outcome(), verdict.reason())).collect()
}

async fn due(house: &House, account: AccountId, project: &Project, month: &str) -> Vec<RatedLine> {
    let period = Month::parse(month).expect("a month").period();
    let wanted = [(account, project_id(project))];
    of_projects(house.platform.db.reader(), &wanted, period, period.to()).await.expect("rated")
}

/// Closes the month of the project, as the billing run does.
async fn close(house: &House, account: AccountId, project: &Project, month: &str) {
    let (platform, project) = (&house.platform, project_id(project));
    let month = Month::parse(month).expect("a month");
    platform
        .db
        .write::<_, florin_project::Error, _>(|tx| async move {
            florin_account::lock(&tx, &[account]).await?;
            let now = platform.clock.now(&tx).await?;
            florin_project::usage::close(&tx, now, month, &[(account, project)]).await
        })
        .await
        .expect("closed");
}

on_both_backends! {
    /// R5.4, R5.5: what an intake remembers of a resource is never older than what its events are judged at.
    async fn an_intake_that_remembers_sees_every_change(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("remembered@example.com").await;
        let (bucket, other) =
            (resource(&house, account, &project, EGRESS).await, resource(&house, account, &project, EGRESS).await);
        let (rpc, second) = (house.usage(), house.usage());
        house.now_is("2027-03-20T12:00:00Z").await;
        let early = "2027-03-10T10:00:00Z";
        for (n, rpc) in [&rpc, &second, &rpc].into_iter().enumerate() {
            let events = vec![event(&format!("e{n}"), &bucket, "1", early), event(&format!("o{n}"), &other, "1", early)];
            assert_eq!(counts(&record(rpc, events).await), (2, 0, 0));
        }
        let request = RemoveResourceRequest { name: bucket.name.clone(), ..RemoveResourceRequest::default() };
        house.resources().remove_resource(by(account, request)).await.expect("removed");
        house.now_is("2027-03-21T12:00:00Z").await;
        let after = "2027-03-21T00:00:00Z";
        let outside = (Outcome::Refused, ErrorReason::UsageOutsideLifetime);
        for (n, rpc) in [&rpc, &second, &rpc].into_iter().enumerate() {
            let events = vec![
                event(&format!("late{n}"), &bucket, "1", early),
                event(&format!("gone{n}"), &bucket, "1", after),
                event(&format!("there{n}"), &other, "1", after),
            ];
            let verdicts = outcomes(&record(rpc, events).await);
            let accepted = (Outcome::Accepted, ErrorReason::Unspecified);
            assert_eq!(verdicts, [accepted, outside, accepted]);
        }
        close(&house, account, &project, "2027-03").await;
        for (n, rpc) in [&rpc, &second].into_iter().enumerate() {
            let events = vec![event(&format!("closed{n}"), &other, "0.5", early)];
            assert_eq!(counts(&record(rpc, events).await), (1, 0, 0));
        }
        let april: Vec<_> = due(&house, account, &project, "2027-04").await;
        let late: Vec<_> = april.iter().filter(|line| line.quantity == Quantity::whole(1)).collect();
        assert_eq!(late.len(), 1, "what came after March was closed is April's: {april:?}");
    }

    /// R5.4, R5.5: every refusal has its reason, and harms no neighbour.
    async fn each_row_gets_its_own_verdict(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("rows@example.com").await;
        let (other, others_project) = house.funded("other@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        let instance = resource(&house, account, &project, "b3-8").await;
        let gone = resource(&house, account, &project, EGRESS).await;
        let others = resource(&house, other, &others_project, EGRESS).await;
        house.now_is("2027-03-05T00:00:00Z").await;
        let request = RemoveResourceRequest { name: gone.name.clone(), ..RemoveResourceRequest::default() };
        house.resources().remove_resource(by(account, request)).await.expect("removed");
        house.now_is("2027-03-20T12:00:00Z").await;

        let foreign = others.name.replace(&others_project.name, &project.name);
        let missing = bucket.name.replace("res_", "res_0").chars().take(bucket.name.len()).collect::<String>();
        let of = |name: &str| Resource { name: name.to_owned(), ..Resource::default() };
        let ok = "2027-03-10T10:00:00Z";
        let rows = [
            (event("ok-1", &bucket, "1.5", ok), None),
            (event("", &bucket, "1", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("has space", &bucket, "1", ok), Some(ErrorReason::UsageEventMalformed)),
            (event(&"x".repeat(65), &bucket, "1", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("m1", &of("buckets/1"), "1", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("m2", &bucket, "-1", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("m3", &bucket, "1e3", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("m4", &bucket, "0.00000000001", ok), Some(ErrorReason::UsageEventMalformed)),
            (event("m5", &bucket, "1000000000001", ok), Some(ErrorReason::UsageEventMalformed)),
            (UsageEvent { quantity: None, ..event("m6", &bucket, "1", ok) }, Some(ErrorReason::UsageEventMalformed)),
            (UsageEvent { usage_time: None, ..event("m7", &bucket, "1", ok) }, Some(ErrorReason::UsageEventMalformed)),
            (UsageEvent { label: "x".repeat(256), ..event("m8", &bucket, "1", ok) }, Some(ErrorReason::UsageEventMalformed)),
            (event("f1", &of(&foreign), "1", ok), Some(ErrorReason::UsageResourceUnknown)),
            (event("f2", &of(&missing), "1", ok), Some(ErrorReason::UsageResourceUnknown)),
            (event("t1", &bucket, "1", "2027-03-20T12:02:00Z"), Some(ErrorReason::UsageInFuture)),
            (event("t2", &bucket, "1", "2027-02-13T11:59:00Z"), Some(ErrorReason::UsageTooOld)),
            (event("l1", &bucket, "1", "2027-03-01T07:59:59Z"), Some(ErrorReason::UsageOutsideLifetime)),
            (event("l2", &gone, "1", ok), Some(ErrorReason::UsageOutsideLifetime)),
            (event("l3", &gone, "1", "2027-03-04T10:00:00Z"), None),
            (event("n1", &instance, "1", ok), Some(ErrorReason::UsageNotMetered)),
            (event("ok-1", &bucket, "2", ok), Some(ErrorReason::UsageEventConflict)),
            (event("ok-other", &others, "0", ok), None),
            (event("ok-2", &bucket, "0.0000000001", ok), None),
        ];
        let rpc = house.usage();
        let answer = record(&rpc, rows.iter().map(|(event, _)| event.clone()).collect()).await;
        for ((event, expected), verdict) in rows.iter().zip(&answer.verdicts) {
            let (outcome, why) = match expected {
                None => (Outcome::Accepted, ErrorReason::Unspecified),
                Some(reason) => (Outcome::Refused, *reason),
            };
            assert_eq!((verdict.outcome(), verdict.reason()), (outcome, why), "{} {}", event.id, verdict.message);
            assert_eq!(verdict.message.is_empty(), expected.is_none());
            assert!(event.id.starts_with(&verdict.event_id));
        }
        assert_eq!(answer.verdicts.iter().map(|verdict| verdict.index).collect::<Vec<_>>(), (0..23).collect::<Vec<_>>());
        assert_eq!(counts(&answer), (4, 0, 19));
        assert_eq!(house.count("usage_event").await, 4);
        let lines = due(&house, account, &project, "2027-03").await;
        let quantities: Vec<_> = lines.iter().filter(|line| line.plan == EGRESS).map(|line| line.quantity.value().to_string()).collect();
        assert_eq!(quantities, ["1.5000000001", "1"]);

        let platform = &house.platform;
        platform
            .db
            .write::<_, florin_project::Error, _>(|tx| async move {
                florin_account::lock(&tx, &[account]).await?;
                let now = platform.clock.now(&tx).await?;
                florin_project::begin_dunning_deletion(&tx, now, &Call::by_job("test"), &[account]).await.map(|_| ())
            })
            .await
            .expect("deleting");
        let answer = record(&rpc, vec![event("grace", &bucket, "1", ok)]).await;
        assert_eq!(counts(&answer), (1, 0, 0), "late usage has its grace");
        house.now_is("2027-03-22T12:00:00Z").await;
        let answer = record(&rpc, vec![event("late", &bucket, "1", ok), event("ok-1", &bucket, "1.5", ok)]).await;
        assert_eq!(
            outcomes(&answer),
            [(Outcome::Refused, ErrorReason::UsageProjectEnded), (Outcome::Duplicate, ErrorReason::Unspecified)]
        );
    }

    async fn a_batch_has_events_and_not_too_many(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("batch@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-03-02T08:00:00Z").await;
        let rpc = house.usage();
        for events in [0, 5001] {
            let events = (0..events).map(|n| event(&n.to_string(), &bucket, "1", "2027-03-01T08:00:00Z")).collect();
            let refused = rpc.record_usage(by_service(RecordUsageRequest { events })).await.expect_err("refused");
            assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT_VIOLATIONS"));
        }
        let events = (0..5000).map(|n| event(&n.to_string(), &bucket, "1", "2027-03-02T08:00:00Z")).collect();
        assert_eq!(counts(&record(&rpc, events).await), (5000, 0, 0));
    }

    /// R5.4: once per account, within a batch and over batches; the same id with other content is a conflict.
    async fn an_event_id_counts_once_per_account(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("once@example.com").await;
        let (other, others_project) = house.funded("twice@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        let second = resource(&house, account, &project, EGRESS).await;
        let others = resource(&house, other, &others_project, EGRESS).await;
        house.now_is("2027-03-10T00:00:00Z").await;
        let (rpc, when) = (house.usage(), "2027-03-05T10:00:00Z");
        let one = event("a", &bucket, "10", when);
        let answer = record(&rpc, vec![one.clone(), one.clone(), event("a", &others, "10", when)]).await;
        let accepted = (Outcome::Accepted, ErrorReason::Unspecified);
        let duplicate = (Outcome::Duplicate, ErrorReason::Unspecified);
        assert_eq!(outcomes(&answer), [accepted, duplicate, accepted]);

        let same = UsageEvent { quantity: Some(Decimal { value: "10.00".to_owned() }), ..one.clone() };
        let others = [
            event("a", &bucket, "11", when),
            event("a", &second, "10", when),
            event("a", &bucket, "10", "2027-03-05T10:00:01Z"),
            UsageEvent { label: "x".to_owned(), ..one.clone() },
        ];
        let answer = record(&rpc, [&[same][..], &others[..]].concat()).await;
        let conflict = (Outcome::Refused, ErrorReason::UsageEventConflict);
        assert_eq!(outcomes(&answer), [duplicate, conflict, conflict, conflict, conflict]);

        let lines = due(&house, account, &project, "2027-03").await;
        assert_eq!(lines.iter().map(|line| line.quantity).collect::<Vec<_>>(), [Quantity::whole(10)]);
        assert_eq!(house.count("usage_event").await, 2);
    }

    /// R5.4: what is taken to be new because this replica has not written it, and is known to another, is written once.
    async fn what_another_replica_wrote_is_added_to_and_not_written_twice(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("replicas@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-03-10T00:00:00Z").await;
        let (one, two) = (house.usage(), house.usage());
        let when = "2027-03-05T10:00:00Z";
        for (rpc, id) in [(&one, "a"), (&two, "b"), (&one, "c"), (&two, "d")] {
            let answer = record(rpc, vec![event(id, &bucket, "1.5", when)]).await;
            assert_eq!(counts(&answer), (1, 0, 0), "{id}: another event in the same hour");
        }
        // An hour nobody has seen goes along with one the other replica has.
        let new = event("e", &bucket, "1.5", "2027-03-05T11:00:00Z");
        assert_eq!(counts(&record(&one, vec![new, event("d", &bucket, "1.5", when)]).await), (1, 1, 0));
        let lines = due(&house, account, &project, "2027-03").await;
        let quantities: Vec<_> = lines.iter().map(|line| line.quantity.value().to_string()).collect();
        assert_eq!(quantities, ["7.5"]);
        assert_eq!((house.count("usage_event").await, house.count("usage_hour").await), (5, 2));
    }

    /// R5.4: an id is looked up before its event is found too old.
    async fn an_old_event_sent_again_is_a_duplicate_not_too_old(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("again@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-03-02T00:00:00Z").await;
        let rpc = house.usage();
        let known = event("known", &bucket, "1", "2027-03-01T10:00:00Z");
        record(&rpc, vec![known.clone()]).await;
        house.now_is("2027-08-01T00:00:00Z").await;
        let answer = record(&rpc, vec![
            known,
            event("known", &bucket, "2", "2027-03-01T10:00:00Z"),
            event("new", &bucket, "1", "2027-03-01T10:00:00Z"),
        ])
        .await;
        assert_eq!(
            outcomes(&answer),
            [
                (Outcome::Duplicate, ErrorReason::Unspecified),
                (Outcome::Refused, ErrorReason::UsageEventConflict),
                (Outcome::Refused, ErrorReason::UsageTooOld),
            ]
        );
    }

    /// R5.4: from however many clients at once.
    async fn fifty_clients_with_overlapping_batches_count_each_event_once(db: TestDatabase) {
        let house = House::open(db).await;
        let mut buckets = Vec::new();
        for n in 0..3 {
            let (account, project) = house.funded(&format!("client{n}@example.com")).await;
            let bucket = resource(&house, account, &project, EGRESS).await;
            buckets.push((account, project, bucket));
        }
        house.now_is("2027-03-20T00:00:00Z").await;
        let (ids, batch) = (200 * scale() as usize, 100 * scale() as usize);
        let events: Vec<_> = (0..ids)
            .map(|n| {
                let hour = format!("2027-03-{:02}T{:02}:30:00Z", 2 + n % 17, n % 24);
                event(&format!("e{n}"), &buckets[n % 3].2, "0.3333333333", &hour)
            })
            .collect();
        let rpc = house.usage();
        let clients = (0..50).map(|client| {
            let rpc = rpc.clone();
            let mut own: Vec<_> = (0..batch).map(|n| events[(client * 37 + n * (1 + client % 3)) % ids].clone()).collect();
            if client % 2 == 0 {
                own.reverse();
            }
            tokio::spawn(async move {
                let mut sums = (0, 0, 0);
                for part in own.chunks(if client % 5 == 0 { 1 } else { 40 }) {
                    let (accepted, duplicate, refused) = counts(&record(&rpc, part.to_vec()).await);
                    sums = (sums.0 + accepted, sums.1 + duplicate, sums.2 + refused);
                }
                sums
            })
        });
        let (mut accepted, mut answered) = (0, 0);
        for client in clients.collect::<Vec<_>>() {
            let sums = client.await.expect("a client");
            assert_eq!(sums.2, 0, "nothing is refused");
            accepted += sums.0;
            answered += sums.0 + sums.1;
        }
        assert_eq!(answered as usize, 50 * batch, "every event was answered");
        assert_eq!(accepted as usize, ids, "every id was accepted by exactly one");
        assert_eq!(house.count("usage_event").await as usize, ids);
        let mut units = 0_i128;
        for (account, project, _) in &buckets {
            for line in due(&house, *account, project, "2027-03").await {
                units += line.quantity.value().mantissa() * 10_i128.pow(10 - line.quantity.value().scale());
            }
        }
        assert_eq!(units, ids as i128 * 3_333_333_333);
    }

    /// R1.4: however events are divided into batches, ordered and repeated, the sums and the lines are the same.
    async fn any_partition_order_and_repetition_gives_the_same_lines(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("any@example.com").await;
        let mut buckets = Vec::new();
        for _ in 0..(4 * scale()) {
            buckets.push(resource(&house, account, &project, EGRESS).await);
        }
        house.now_is("2027-03-28T01:00:00Z").await;
        let rpc = house.usage();
        let mut runner = TestRunner::deterministic();
        let quantity = (0_u64..1_000_000, 0_u64..10_000_000_000);
        let cases = proptest::collection::vec((quantity, 0_u64..40, 1_usize..4), 1..60);
        for (case, bucket) in buckets.iter().enumerate() {
            let drawn = cases.new_tree(&mut runner).expect("a case").current();
            let mut sent = Vec::new();
            let mut expected = 0_i128;
            for (index, ((units, fraction), minute, times)) in drawn.iter().enumerate() {
                expected += i128::from(*units) * 10_000_000_000 + i128::from(*fraction);
                let quantity = format!("{units}.{fraction:010}");
                let when = format!("2027-03-28T00:00:{minute:02}Z");
                let event = event(&format!("case{case}-{index}"), bucket, &quantity, &when);
                sent.extend(std::iter::repeat_n(event, *times));
            }
            let order = proptest::collection::vec(proptest::prelude::any::<u32>(), sent.len());
            let keys = order.new_tree(&mut runner).expect("an order").current();
            let mut shuffled: Vec<_> = keys.into_iter().zip(sent).collect();
            shuffled.sort_by_key(|(key, _)| *key);
            let mut rest: Vec<_> = shuffled.into_iter().map(|(_, event)| event).collect();
            let mut accepted = 0;
            while !rest.is_empty() {
                let part = (1_usize..=rest.len()).new_tree(&mut runner).expect("a part").current();
                let tail = rest.split_off(part);
                accepted += counts(&record(&rpc, rest).await).0;
                rest = tail;
            }
            assert_eq!(accepted as usize, drawn.len(), "case {case}");
            let lines = due(&house, account, &project, "2027-03").await;
            let line = lines.iter().find(|line| bucket.name.ends_with(&line.resource.to_string())).expect("a line");
            let value = line.quantity.value();
            assert_eq!(value.mantissa() * 10_i128.pow(10 - value.scale()), expected, "case {case}");
            // 0.011 a GiB: half a cent away from zero.
            let parts = expected * 11;
            let cents = (parts + 50_000_000_000) / 100_000_000_000;
            assert_eq!(i128::from(line.net.minor()), cents, "case {case}");
        }
    }

    /// R1.2, R1.4: only the tenth decimal of the price makes the cent.
    async fn the_tenth_decimal_of_a_unit_price_decides_a_cent(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("tenth@example.com").await;
        for (plan, price) in [("fine-a", "0.0000000049"), ("fine-b", "0.0000000050")] {
            let text = "INSERT INTO plan (code, display_name, family, charge_model, unit, created_at) \
                        VALUES ($1, $1, 'OPTION', 'METERED', 'request', '2027-01-01T00:00:00+00:00')";
            house.execute(text, [plan.into()]).await.expect("a plan");
            let text = "INSERT INTO plan_price (plan, currency, effective_at, unit_price) \
                        VALUES ($1, 'EUR', '2027-01-01T00:00:00+00:00', $2)";
            house.execute(text, [plan.into(), price.into()]).await.expect("a price");
        }
        let (a, b) = (resource(&house, account, &project, "fine-a").await, resource(&house, account, &project, "fine-b").await);
        house.now_is("2027-03-02T00:00:00Z").await;
        let rpc = house.usage();
        // A million requests, in a hundred events.
        let events = (0..100).flat_map(|n| {
            [event(&format!("a{n}"), &a, "10000", "2027-03-01T09:00:00Z"), event(&format!("b{n}"), &b, "10000", "2027-03-01T09:00:00Z")]
        });
        record(&rpc, events.collect()).await;
        let nets: BTreeMap<_, _> = due(&house, account, &project, "2027-03").await.into_iter().map(|line| (line.plan, line.net.minor())).collect();
        assert_eq!((nets["fine-a"], nets["fine-b"]), (0, 1));
    }

    /// R5.1: each hour at the price in force in it.
    async fn a_price_change_cuts_a_measured_month_in_two_lines(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("change@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        let requests = resource(&house, account, &project, "object-requests-write").await;
        let text = "INSERT INTO plan_price (plan, currency, effective_at, unit_price) \
                    VALUES ($1, 'EUR', '2027-03-10T12:00:00+00:00', '1')";
        house.execute(text, [EGRESS.into()]).await.expect("a price");
        house.now_is("2027-03-20T00:00:00Z").await;
        record(&house.usage(), vec![
            event("before", &bucket, "100", "2027-03-10T11:59:59.999999Z"),
            event("after", &bucket, "7", "2027-03-10T12:00:00Z"),
            event("later", &bucket, "3", "2027-03-15T12:00:00Z"),
            event("early-request", &requests, "200", "2027-03-10T11:00:00Z"),
            event("late-request", &requests, "300", "2027-03-15T12:00:00Z"),
        ])
        .await;
        let lines = due(&house, account, &project, "2027-03").await;
        let found: Vec<_> = lines.iter().map(|line| (line.quantity, line.net.minor(), line.period.from(), line.period.to())).collect();
        assert_eq!(
            found,
            [
                (Quantity::whole(100), 110, at("2027-03-10T11:00:00Z"), at("2027-03-10T12:00:00Z")),
                (Quantity::whole(10), 1000, at("2027-03-10T12:00:00Z"), at("2027-03-15T13:00:00Z")),
                (Quantity::whole(500), 260, at("2027-03-10T11:00:00Z"), at("2027-03-15T13:00:00Z")),
            ],
            "what another plan measured is not cut"
        );
    }

    /// R5.5: what comes after its month was invoiced is due with the next one, once, at its own price.
    async fn usage_of_a_closed_month_is_due_with_the_next_open_one(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("late@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-04-01T06:00:00Z").await;
        let rpc = house.usage();
        record(&rpc, vec![
            event("march", &bucket, "100", "2027-03-31T23:59:59Z"),
            event("april", &bucket, "10", "2027-04-01T00:00:00Z"),
        ])
        .await;
        let quantities = |lines: &[RatedLine]| lines.iter().map(|line| (line.period.from(), line.quantity)).collect::<Vec<_>>();
        let (march, april) = (at("2027-03-31T23:00:00Z"), at("2027-04-01T00:00:00Z"));
        assert_eq!(quantities(&due(&house, account, &project, "2027-03").await), [(march, Quantity::whole(100))]);
        close(&house, account, &project, "2027-03").await;
        close(&house, account, &project, "2027-03").await;
        assert!(due(&house, account, &project, "2027-03").await.is_empty(), "what is invoiced is due no more");

        record(&rpc, vec![event("late", &bucket, "1", "2027-03-31T23:30:00Z")]).await;
        let lines = due(&house, account, &project, "2027-04").await;
        assert_eq!(quantities(&lines), [(march, Quantity::whole(1)), (april, Quantity::whole(10))]);

        // A month nobody looked at stays open: the next one that is billed carries it.
        house.now_is("2027-06-01T06:00:00Z").await;
        let removed = RemoveResourceRequest { name: bucket.name.clone(), ..RemoveResourceRequest::default() };
        house.resources().remove_resource(by(account, removed)).await.expect("removed");
        let lines = due(&house, account, &project, "2027-07").await;
        assert_eq!(quantities(&lines), [(march, Quantity::whole(1)), (april, Quantity::whole(10))]);
        let july = Month::parse("2027-07").expect("a month").period();
        let billable = async || {
            let reader = house.platform.db.reader();
            florin_project::billable_count(reader, july, july.to(), &[account]).await.expect("counted")
        };
        assert_eq!(billable().await, 1, "a project with nothing but late usage is billed");
        close(&house, account, &project, "2027-07").await;
        assert_eq!(billable().await, 0);
    }

    /// What was recorded is history; the database itself says so.
    async fn recorded_usage_is_not_changed(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("history@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-03-02T08:00:00Z").await;
        record(&house.usage(), vec![event("e", &bucket, "1", "2027-03-02T08:00:00Z")]).await;
        close(&house, account, &project, "2027-02").await;
        for text in [
            "UPDATE usage_event SET units = 2",
            "UPDATE usage_hour SET units = 0, event_count = event_count + 1",
            "UPDATE usage_hour SET units = 2",
            "UPDATE usage_hour SET billed_with = 202704, event_count = event_count + 1",
            "DELETE FROM usage_hour",
            "UPDATE usage_month SET units = 0, event_count = event_count + 1",
            "UPDATE usage_month SET units = 2",
            "UPDATE usage_month SET last_hour = first_hour, first_hour = last_hour, units = 2",
            "UPDATE usage_month SET billed_with = 202704, event_count = event_count + 1",
            "DELETE FROM usage_month",
            "DELETE FROM usage_closing",
            "UPDATE usage_closing SET month = 202701",
        ] {
            assert!(house.execute(text, []).await.is_err(), "{text}");
        }
    }

    /// R14.5: what is planted is found, and nothing else.
    async fn the_audit_finds_what_is_not_the_sum_of_its_parts(db: TestDatabase) {
        const MONTH: &str = "a month of measured usage is the sum of its hours";
        const HOURLESS: &str = "a month of measured usage has hours";
        const EVENTS: &str = "measured usage is the sum of its events";
        let house = House::open(db).await;
        let (account, project) = house.funded("sums@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        house.now_is("2027-03-02T09:00:00Z").await;
        let events = ["2027-03-01T08:30:00Z", "2027-03-02T08:00:00Z", "2027-03-02T08:59:59Z"].iter().enumerate();
        let events = events.map(|(n, instant)| event(&format!("e{n}"), &bucket, "0.9999999999", instant));
        record(&house.usage(), events.collect()).await;
        for (text, expected) in [
            ("UPDATE usage_month SET fraction = fraction - 1", &[MONTH, EVENTS][..]),
            ("UPDATE usage_month SET event_count = 4", &[MONTH]),
            ("UPDATE usage_month SET first_hour = last_hour", &[MONTH]),
            ("UPDATE usage_hour SET units = units + 1 WHERE event_count = 2", &[MONTH]),
            ("UPDATE usage_hour SET plan = 'object-ingress'", &[MONTH, HOURLESS]),
            ("DELETE FROM usage_hour", &[HOURLESS]),
            ("DELETE FROM usage_month", &[MONTH, EVENTS]),
            ("UPDATE usage_event SET units = 7 WHERE event_id = 'e1'", &[EVENTS]),
            ("DELETE FROM usage_event WHERE event_id = 'e1'", &[]),
        ] {
            let tx = house.platform.db.begin_write().await.expect("begun");
            disarm(&tx).await.expect("disarmed");
            let changed = tx.execute_raw(sql(&tx, text, [])).await.expect("planted").rows_affected();
            assert!(changed > 0, "{text}");
            let found: Vec<_> = audit_as_seen_by(&tx).await.iter().map(|finding| finding.what).collect();
            tx.rollback().await;
            assert_eq!(found, expected, "{text}");
        }
    }

    /// R5.4: ids are remembered 13 months; then events go, and their sums stay.
    async fn events_are_forgotten_after_thirteen_months_and_sums_are_not(db: TestDatabase) {
        let house = House::open(db).await;
        let (account, project) = house.funded("memory@example.com").await;
        let bucket = resource(&house, account, &project, EGRESS).await;
        let jobs = florin_project::jobs::all(&house.platform, 13);
        let forget: &dyn Job = &*jobs[0];
        assert_eq!(forget.next_due().await.expect("told"), None);
        let rpc = house.usage();
        house.now_is("2027-03-02T08:00:00Z").await;
        record(&rpc, (0..6000).step_by(2).map(|n| event(&format!("{n:05}"), &bucket, "1", "2027-03-02T08:00:00Z")).collect()).await;
        house.now_is("2028-04-01T00:00:00Z").await;
        record(&rpc, (1..6000).step_by(2).map(|n| event(&format!("{n:05}"), &bucket, "1", "2028-04-01T00:00:00Z")).collect()).await;
        while forget.run(1).await.expect("ran") > 0 {}
        assert_eq!(house.count("usage_event").await, 6000, "13 months and not a day less");
        assert_eq!(forget.next_due().await.expect("told"), Some(at("2028-05-01T00:00:00Z")));
        house.now_is("2028-05-01T00:00:00Z").await;
        while forget.run(1).await.expect("ran") > 0 {}
        assert_eq!(house.count("usage_event").await, 3000);
        assert_eq!(forget.next_due().await.expect("told"), Some(at("2028-06-01T00:00:00Z")));
        let connection = house.platform.db.reader();
        let text = "SELECT CAST(SUM(units) AS bigint), CAST(SUM(event_count) AS bigint) FROM usage_hour";
        let row = connection.query_one_raw(sql(connection, text, [])).await.expect("read").expect("a row");
        let sums: (i64, i64) = (row.try_get_by_index(0).expect("units"), row.try_get_by_index(1).expect("events"));
        assert_eq!(sums, (6000, 6000));
    }
}
