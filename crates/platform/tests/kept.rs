//! Whoever asks query after query has a connection of its own, until it breaks.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_platform::db::{Db, Kept, Question};
use florin_testbed::{Backend, TestDatabase, on_both_backends};
use sea_orm::{ConnectionTrait, DbErr, sqlx};

/// What the connection says of itself, after it was told to say so if it is `told`.
async fn mark(kept: &Kept, backend: Backend, told: bool) -> Result<String, DbErr> {
    let (tell, ask) = match backend {
        Backend::Postgres => ("SET application_name TO 'kept'", "SHOW application_name"),
        Backend::Sqlite => {
            ("PRAGMA cache_size = 77", "SELECT CAST(cache_size AS text) FROM pragma_cache_size")
        }
    };
    let question = |text| match backend {
        Backend::Postgres => Question::Postgres(sqlx::query(text)),
        Backend::Sqlite => Question::Sqlite(sqlx::query(text)),
    };
    if told {
        kept.rows(question(tell)).await?;
    }
    let rows = kept.rows(question(ask)).await?;
    rows[0].try_get_by_index(0)
}

on_both_backends! {
    async fn one_connection_answers_one_question_after_the_other(db: TestDatabase) {
        let kept = Kept::new(Db::connect(db.url()).await.unwrap());
        // The pool has several, and hands out another one each time.
        let asked = (0..20).map(|_| mark(&kept, db.backend(), false));
        assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok));
        let marked = mark(&kept, db.backend(), true).await.unwrap();
        for _ in 0..20 {
            assert_eq!(mark(&kept.clone(), db.backend(), false).await.unwrap(), marked);
        }
    }
}

#[tokio::test]
async fn a_connection_that_broke_is_not_kept() {
    let db = TestDatabase::create(Backend::Postgres).await;
    let kept = Kept::new(Db::connect(db.url()).await.unwrap());
    let marked = mark(&kept, db.backend(), true).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kept' \
               AND datname = current_database()";
    db.connect().await.execute_unprepared(end).await.unwrap();
    assert!(mark(&kept, db.backend(), false).await.is_err());
    assert_ne!(mark(&kept, db.backend(), false).await.unwrap(), marked);
}
