//! The statements a call makes, recorded and played again without Florin: the raw baseline.
//!
//! A call is made once on a copy of the database, and what it did there, with everything that was bound, is played on
//! another copy of the same database: the same rows under the same ids, in the same transactions.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant as Stopwatch},
};

use florin_platform::db::{Db, Observed, Observer};
use futures::{StreamExt, stream};
use sea_orm::{ConnectionTrait, Statement};
use tokio::task::Id;

/// What a call did, in order.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A read outside of transactions.
    Alone(Statement),
    /// A transaction that was committed.
    Transaction(Vec<Statement>),
}

#[derive(Clone, Debug)]
enum Event {
    Began,
    Ran(Statement),
    Commits,
}

/// Everything that was observed, by the task that did it; jobs have tasks of their own.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    observed: Mutex<HashMap<Option<Id>, Vec<Event>>>,
    idle: Mutex<HashSet<Option<Id>>>,
}

impl Recorder {
    /// What is to be told.
    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let recorder = Arc::clone(self);
        Arc::new(move |observed| {
            let event = match observed {
                Observed::Began => Event::Began,
                Observed::Ran(statement) => Event::Ran(statement.clone()),
                Observed::Commits => Event::Commits,
            };
            held(&recorder.observed).entry(tokio::task::try_id()).or_default().push(event);
        })
    }

    /// Nobody calls: whatever was observed until now is nobody's call, nor is what its tasks will do.
    pub(crate) fn idle(&self) {
        held(&self.idle).extend(held(&self.observed).drain().map(|(task, _)| task));
    }

    /// What the one call did that was made since.
    pub(crate) fn call(&self) -> Vec<Step> {
        let observed: Vec<_> = held(&self.observed).drain().collect();
        let idle = held(&self.idle);
        let calls = observed.into_iter().filter(|(task, _)| !idle.contains(task));
        calls.flat_map(|(_, events)| steps(events)).collect()
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn steps(events: Vec<Event>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Option<Vec<Statement>> = None;
    for event in events {
        match (event, &mut open) {
            (Event::Began, _) => open = Some(Vec::new()),
            (Event::Ran(statement), Some(transaction)) => transaction.push(statement),
            (Event::Ran(statement), None) => steps.push(Step::Alone(statement)),
            (Event::Commits, _) => steps.extend(open.take().map(Step::Transaction)),
        }
    }
    steps
}

/// How many statements a call made, and how many of them wrote.
pub(crate) fn counted(call: &[Step]) -> (usize, usize) {
    let statements = call.iter().flat_map(|step| match step {
        Step::Alone(statement) => std::slice::from_ref(statement),
        Step::Transaction(statements) => statements,
    });
    statements.fold((0, 0), |(all, writes), statement| (all + 1, writes + usize::from(!is_read(statement))))
}

fn is_read(statement: &Statement) -> bool {
    statement.sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
}

/// What is played of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Every statement.
    All,
    /// What writes, and nothing that was read to decide it.
    Writes,
}

/// Plays `calls` on `db`, so many at a time; how long each took, and all of them.
pub(crate) async fn play(
    db: &Db,
    calls: &[Vec<Step>],
    part: Part,
    at_a_time: usize,
) -> (Vec<Duration>, Duration) {
    let begun = Stopwatch::now();
    let each = stream::iter(calls)
        .map(|call| async move {
            let begun = Stopwatch::now();
            for step in call {
                step.play(db, part).await;
            }
            begun.elapsed()
        })
        .buffer_unordered(at_a_time)
        .collect()
        .await;
    (each, begun.elapsed())
}

impl Step {
    async fn play(&self, db: &Db, part: Part) {
        match self {
            Self::Alone(statement) if part == Part::All => {
                db.reader().query_all_raw(statement.clone()).await.unwrap();
            }
            Self::Alone(_) => {}
            Self::Transaction(statements) => {
                let tx = db.begin_write().await.unwrap();
                for statement in statements.iter().filter(|one| part == Part::All || !is_read(one)) {
                    tx.query_all_raw(statement.clone()).await.unwrap();
                }
                tx.commit().await.unwrap();
            }
        }
    }
}
