//! What a transaction, a repeated request and the sandbox clock promise, on both databases.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use florin_api::operation::v1::GetNoticeRequest as Answer;
use florin_platform::{
    Platform,
    call::Call,
    clock::{Clock, Moved},
    db::{Db, Tx, sql},
    id::AccountId,
    idempotency::{Forget, RequestIdRefused, RequestKey},
    job::{Job, lease},
    secret::ServerKey,
};
use florin_settlement::Instant;
use florin_testbed::{TestDatabase, on_both_backends};
use sea_orm::{ConnectionTrait, DbErr};

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Database(#[from] DbErr),
    #[error(transparent)]
    RequestId(#[from] RequestIdRefused),
    #[error("refused")]
    Refused,
}

async fn platform(db: &TestDatabase) -> Platform {
    Platform {
        db: Db::connect(db.url()).await.unwrap(),
        clock: Clock::Sandbox,
        key: ServerKey::try_new(vec![1; 32]).unwrap(),
    }
}

/// A lease row stands in for any row: its counter is what the tests write.
async fn add(tx: &Tx, name: &str, amount: i64) -> Result<(), DbErr> {
    let text = "INSERT INTO job_lease (name, holder, until_micros) VALUES ($1, 'test', $2) \
                ON CONFLICT (name) DO UPDATE SET until_micros = job_lease.until_micros + excluded.until_micros";
    tx.execute_raw(sql(tx, text, [name.into(), amount.into()])).await.map(|_| ())
}

async fn sum(platform: &Platform, name: &str) -> i64 {
    let reader = platform.db.reader();
    let text = "SELECT until_micros FROM job_lease WHERE name = $1";
    let row = reader.query_one_raw(sql(reader, text, [name.into()])).await.unwrap();
    row.map_or(0, |row| row.try_get_by_index(0).unwrap())
}

fn key(platform: &Platform, id: &str, body: &str) -> RequestKey {
    RequestKey::new(platform, &Call::by_job("test"), AccountId::NONE, id, &Answer { name: body.to_owned() })
}

on_both_backends! {
    async fn no_concurrent_write_is_lost(db: TestDatabase) {
        let platform = &platform(&db).await;
        let writers = (0..8).map(|_| async move {
            for _ in 0..25 {
                platform.db.write::<_, DbErr, _>(|tx| async move { add(&tx, "counter", 1).await }).await.unwrap();
            }
        });
        futures::future::join_all(writers).await;
        assert_eq!(sum(platform, "counter").await, 200);
    }

    async fn nothing_of_a_refused_write_is_kept(db: TestDatabase) {
        let platform = &platform(&db).await;
        let refused = platform.db.write::<(), Failure, _>(|tx| async move {
            add(&tx, "counter", 1).await?;
            Err(Failure::Refused)
        });
        assert!(matches!(refused.await, Err(Failure::Refused)));
        assert_eq!(sum(platform, "counter").await, 0);
    }

    /// PostgreSQL would answer `Ok` to this COMMIT and keep nothing; SQLite would keep the rest.
    async fn a_transaction_with_a_swallowed_error_refuses_to_commit(db: TestDatabase) {
        let platform = &platform(&db).await;
        let swallowed = platform.db.write::<(), DbErr, _>(|tx| async move {
            add(&tx, "counter", 1).await?;
            let _ = tx.execute_unprepared("INSERT INTO no_such_table VALUES (1)").await;
            Ok(())
        });
        assert!(swallowed.await.is_err());
        assert_eq!(sum(platform, "counter").await, 0);
    }

    /// Two transactions that lock two rows in opposite order: one is thrown out and runs again as a whole.
    async fn a_deadlock_is_resolved_by_running_the_whole_transaction_again(db: TestDatabase) {
        let platform = &platform(&db).await;
        for name in ["a", "b"] {
            platform.db.write::<_, DbErr, _>(|tx| async move { add(&tx, name, 0).await }).await.unwrap();
        }
        let runs = Arc::new(AtomicU32::new(0));
        let write = |first: &'static str, second: &'static str| {
            let runs = Arc::clone(&runs);
            async move {
                let runs = &runs;
                platform.db.write::<_, DbErr, _>(|tx| async move {
                    runs.fetch_add(1, Ordering::SeqCst);
                    add(&tx, first, 1).await?;
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    add(&tx, second, 1).await
                }).await
            }
        };
        let (left, right) = tokio::join!(write("a", "b"), write("b", "a"));
        left.unwrap();
        right.unwrap();
        assert_eq!((sum(platform, "a").await, sum(platform, "b").await), (2, 2));
        assert!(runs.load(Ordering::SeqCst) >= 2);
    }

    /// R12.4: the client is gone, the future is dropped, nothing is kept and nobody waits.
    async fn a_dropped_write_rolls_back(db: TestDatabase) {
        let platform = &platform(&db).await;
        let endless = platform.db.write::<(), DbErr, _>(|tx| async move {
            add(&tx, "counter", 1).await?;
            futures::future::pending().await
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), endless).await.is_err());
        platform.db.write::<_, DbErr, _>(|tx| async move { add(&tx, "counter", 5).await }).await.unwrap();
        assert_eq!(sum(platform, "counter").await, 5);
    }

    /// Section 11: 32 clients with one request id at once, one effect, the same bytes for all.
    async fn one_request_id_has_one_effect_and_one_answer(db: TestDatabase) {
        let platform = &platform(&db).await;
        let effects = &AtomicU32::new(0);
        let calls = (0..32).map(|_| async move {
            let key = key(platform, "r1", "body");
            platform.mutate::<Answer, Failure, _>(&key, |tx, _| async move {
                add(&tx, "counter", 1).await?;
                Ok(Answer { name: format!("effect {}", effects.fetch_add(1, Ordering::SeqCst)) })
            }).await.unwrap()
        });
        let answers = futures::future::join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(sum(platform, "counter").await, 1);
        let other = key(platform, "r1", "another body");
        let refused = platform.mutate::<Answer, Failure, _>(&other, |_, _| async { Ok(Answer::default()) }).await;
        assert!(matches!(refused, Err(Failure::RequestId(RequestIdRefused::Reused))));
    }

    /// A refusal is decided anew each time; what it left as a trace stays.
    async fn a_refusal_is_not_remembered_but_its_trace_is(db: TestDatabase) {
        let platform = &platform(&db).await;
        let tried = AtomicU32::new(0);
        let tried = &tried;
        for expected in [true, true, false] {
            let key = key(platform, "r1", "body");
            let outcome = platform.mutate_or_trace::<Answer, Failure, _>(&key, |tx, _| async move {
                add(&tx, "tries", 1).await?;
                let refused = tried.fetch_add(1, Ordering::SeqCst) < 2;
                Ok(if refused { Err(Failure::Refused) } else { Ok(Answer::default()) })
            }).await;
            assert_eq!(outcome.is_err(), expected);
        }
        assert_eq!(sum(platform, "tries").await, 3);
    }

    /// A call cut off between its two transactions goes on where it stopped; begun once, finished once.
    async fn a_call_in_two_steps_resumes_under_its_first_reference(db: TestDatabase) {
        let platform = &platform(&db).await;
        let between = AtomicU32::new(0);
        let between = &between;
        let run = || async move {
            let key = key(platform, "r1", "body");
            platform.mutate_in_two::<Answer, Failure, _, _, _>(
                &key,
                |tx, _| async move { add(&tx, "begun", 1).await?; Ok("first".to_owned()) },
                |reference| async move {
                    assert_eq!(reference, "first");
                    if between.fetch_add(1, Ordering::SeqCst) == 0 { Err(Failure::Refused) } else { Ok(()) }
                },
                |tx, _, reference| async move { add(&tx, "finished", 1).await?; Ok(Answer { name: reference }) },
            ).await
        };
        assert!(run().await.is_err());
        assert_eq!((sum(platform, "begun").await, sum(platform, "finished").await), (1, 0));
        assert_eq!(run().await.unwrap().name, "first");
        assert_eq!(run().await.unwrap().name, "first");
        assert_eq!((sum(platform, "begun").await, sum(platform, "finished").await), (1, 1));
        assert_eq!(between.load(Ordering::SeqCst), 2);
    }

    /// R1.7: the offset is a row, so every replica lives at the same instant; and time does not go back.
    async fn replicas_share_the_sandbox_clock(db: TestDatabase) {
        let (one, other) = (&platform(&db).await, &platform(&db).await);
        let target = Instant::parse("2031-05-01T00:00:00Z").unwrap();
        let moved = one.db.write::<_, DbErr, _>(|tx| async move { one.clock.move_to(&tx, target).await });
        assert_eq!(moved.await.unwrap(), Moved::Done);
        let seen = other.clock.now(other.db.reader()).await.unwrap();
        assert!(seen >= target && seen < target.plus_hours(1));
        let back = other.db.write::<_, DbErr, _>(|tx| async move {
            other.clock.move_to(&tx, Instant::parse("2030-01-01T00:00:00Z").unwrap()).await
        });
        assert_eq!(back.await.unwrap(), Moved::Passed);
    }

    /// Section 11: for thirty days the same request has the same answer; after that its row is gone.
    async fn a_request_is_remembered_for_thirty_days_and_then_forgotten(db: TestDatabase) {
        let platform = &platform(&db).await;
        let job = &Forget::new(platform.clone());
        let ask = || async {
            let key = key(platform, "r1", "body");
            let asked = platform.mutate::<Answer, Failure, _>(&key, |tx, _| async move {
                add(&tx, "effects", 1).await?;
                Ok(Answer::default())
            });
            asked.await.unwrap();
            sum(platform, "effects").await
        };
        let wait = |days: u32| async move {
            let moved = platform.db.write::<_, DbErr, _>(|tx| async move {
                let now = platform.clock.now(&tx).await?;
                platform.clock.move_to(&tx, now.plus_days(days)).await
            });
            assert_eq!(moved.await.unwrap(), Moved::Done);
            job.run(100).await.unwrap()
        };
        assert_eq!(ask().await, 1);
        let due = job.next_due().await.unwrap().unwrap();
        assert!(due >= platform.clock.now(platform.db.reader()).await.unwrap().plus_days(30));
        assert_eq!(wait(30).await, 0);
        assert_eq!(ask().await, 1, "it is replayed");
        assert_eq!(wait(2).await, 1);
        assert_eq!(job.next_due().await.unwrap(), None);
        assert_eq!(ask().await, 2, "it was forgotten");
    }

    /// R12.5: a job belongs to one replica until its lease ends.
    async fn a_lease_is_held_by_one_replica_at_a_time(db: TestDatabase) {
        let platform = &platform(&db).await;
        let takers = (0..8).map(|n| async move { lease(platform, "job", &format!("replica {n}"), 60).await.unwrap() });
        let taken = futures::future::join_all(takers).await;
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
        let holder = taken.iter().position(|taken| *taken).unwrap();
        assert!(lease(platform, "job", &format!("replica {holder}"), -1).await.unwrap(), "the holder renews");
        assert!(lease(platform, "job", "another", 60).await.unwrap(), "an ended lease is free");
    }
}
