//! What sets of rows promise, on a database.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use florin_platform::{
    db::Db,
    id::AccountId,
    set::{Kind, Set},
};
use florin_testbed::{Backend, TestDatabase};
use sea_orm::{ConnectionTrait, DbErr};

const ROWS: u128 = 2000;
const WANTED: u128 = 100;

/// The rows of a set are looked up in a table much larger than the set: what a batch takes does not grow with
/// everybody else's rows.
#[tokio::test]
async fn sqlite_looks_a_set_up_and_scans_nothing() {
    let database = TestDatabase::create_empty(Backend::Sqlite).await;
    let db = Db::connect(database.url()).await.unwrap();
    let table = "CREATE TABLE shelf (id BLOB NOT NULL PRIMARY KEY, number INTEGER NOT NULL) STRICT";
    db.migrator().execute_unprepared(table).await.unwrap();
    let fill = db.write::<_, DbErr, _>(|tx| async move {
        let mut rows = Set::new([("id", Kind::Uuid), ("number", Kind::Number)], 0);
        (0..ROWS).for_each(|id| rows.push([AccountId::from_u128(id).into(), 0_i64.into()]));
        rows.insert(&tx, "shelf").await
    });
    fill.await.unwrap();
    db.migrator().execute_unprepared("ANALYZE").await.unwrap();

    let joined = "SELECT s.number FROM {rows} JOIN shelf s ON s.id = v.id ORDER BY s.id";
    let changed = "UPDATE shelf SET number = 1 FROM {rows} WHERE shelf.id = v.id";
    for statement in [joined, changed] {
        let mut wanted = Set::new([("id", Kind::Uuid)], 0);
        (0..WANTED).for_each(|id| wanted.push([AccountId::from_u128(id).into()]));
        let explain = |rows: &str| format!("EXPLAIN QUERY PLAN {}", statement.replace("{rows}", rows));
        let steps = wanted.query(db.migrator(), explain).await.unwrap();
        let steps = steps.iter().map(|step| step.try_get_by_index(3).unwrap()).collect::<Vec<String>>();
        assert!(
            steps.iter().any(|step| step.starts_with("SEARCH s") && step.contains("(id=?)")),
            "{steps:#?}"
        );
    }
}
