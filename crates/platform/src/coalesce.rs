//! Many concurrent questions, one query (hot reads).
//!
//! | question | answer |
//! |---|---|
//! | how many queries are under way | one; what is asked meanwhile is the next one's |
//! | how old is an answer | never older than its question: a query is begun after everything in it was asked |
//! | who waits | nobody for a timer; a lone question is asked at once |
//! | the asker goes away | its answer is dropped, the others get theirs |
//! | bounded by | whatever bounds the calls being served, and `batch_max` per query |

use std::{fmt, future::Future, panic::AssertUnwindSafe};

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};

struct Question<K, V> {
    key: K,
    answer: oneshot::Sender<V>,
}

/// Asks one query for everybody who asked while the last one was under way.
pub struct Coalescer<K, V> {
    questions: mpsc::UnboundedSender<Question<K, V>>,
}

impl<K, V> Clone for Coalescer<K, V> {
    fn clone(&self) -> Self {
        Self { questions: self.questions.clone() }
    }
}

impl<K, V> fmt::Debug for Coalescer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalescer").finish_non_exhaustive()
    }
}

/// The query panicked, or the runtime is going down. Ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody answered the query")]
pub struct Unanswered;

impl<K: Send + 'static, V: Send + 'static> Coalescer<K, V> {
    /// Asks with `query`, which answers at most `batch_max` keys at once, each in its place. Runs until the last
    /// clone is gone.
    #[must_use]
    pub fn new<Q, Fut>(batch_max: usize, query: Q) -> Self
    where
        Q: Fn(Vec<K>) -> Fut + Send + 'static,
        Fut: Future<Output = Vec<V>> + Send,
    {
        let (questions, mut asked) = mpsc::unbounded_channel::<Question<K, V>>();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            let batch_max = batch_max.max(1);
            while asked.recv_many(&mut batch, batch_max).await > 0 {
                // Whoever is about to ask asks first: fewer and larger queries. A lone question loses nothing.
                tokio::task::yield_now().await;
                while batch.len() < batch_max
                    && let Ok(question) = asked.try_recv()
                {
                    batch.push(question);
                }
                let (keys, waiting): (Vec<_>, Vec<_>) =
                    batch.drain(..).map(|question| (question.key, question.answer)).unzip();
                // A panic is that query's alone: those who asked are told, and the next query is asked.
                let Ok(answers) = AssertUnwindSafe(query(keys)).catch_unwind().await else { continue };
                for (answer, waiting) in answers.into_iter().zip(waiting) {
                    // Whoever no longer waits has no use for it.
                    let _ = waiting.send(answer);
                }
            }
        });
        Self { questions }
    }

    /// What the query says of `key`.
    ///
    /// # Errors
    /// [`Unanswered`].
    pub async fn ask(&self, key: K) -> Result<V, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.questions.send(Question { key, answer }).map_err(|_| Unanswered)?;
        answered.await.map_err(|_| Unanswered)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn what_is_asked_while_a_query_is_under_way_is_one_query() {
        let (queries, released) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (counted, gate) = (Arc::clone(&queries), Arc::clone(&released));
        let asking = Coalescer::new(100, move |keys: Vec<u32>| {
            let (counted, gate) = (Arc::clone(&counted), Arc::clone(&gate));
            async move {
                if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    gate.notified().await;
                }
                keys.into_iter().map(|key| key * 2).collect()
            }
        });
        let first = tokio::spawn({
            let asking = asking.clone();
            async move { asking.ask(1).await }
        });
        while queries.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others = (2..50).map(|key| {
            let asking = asking.clone();
            tokio::spawn(async move { asking.ask(key).await })
        });
        let others: Vec<_> = others.collect();
        tokio::task::yield_now().await;
        released.notify_one();
        assert_eq!(first.await.expect("no panic"), Ok(2));
        let answers = join_all(others).await.into_iter().map(|answer| answer.expect("no panic"));
        assert!(answers.eq((2..50).map(|key| Ok(key * 2))));
        assert_eq!(queries.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn who_is_about_to_ask_is_in_the_same_query() {
        let queries = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&queries);
        let asking = Coalescer::new(100, move |keys: Vec<u32>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move { keys }
        });
        // It waits for questions.
        tokio::task::yield_now().await;
        let second = asking.clone();
        let asks_next = async { tokio::spawn(async move { second.ask(2).await }).await.expect("no panic") };
        assert_eq!(tokio::join!(asking.ask(1), asks_next), (Ok(1), Ok(2)));
        assert_eq!(queries.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_query_that_panics_leaves_nobody_waiting_and_the_next_is_asked() {
        let asking = Coalescer::new(1, |keys: Vec<u32>| async move {
            assert!(keys[0] != 1, "as the test wants it");
            keys
        });
        assert_eq!(asking.ask(1).await, Err(Unanswered));
        assert_eq!(asking.ask(2).await, Ok(2));
    }

    #[tokio::test]
    async fn no_query_is_larger_than_it_may_be() {
        let largest = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&largest);
        let asking = Coalescer::new(7, move |keys: Vec<u32>| {
            seen.fetch_max(keys.len(), Ordering::SeqCst);
            async move { keys }
        });
        let answers = join_all((0..100).map(|key| asking.ask(key))).await;
        assert!(answers.into_iter().eq((0..100).map(Ok)));
        assert!((2..=7).contains(&largest.load(Ordering::SeqCst)));
    }
}
