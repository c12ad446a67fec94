//! One test body, two tests: the same law on both backends.

use std::future::Future;

use crate::{Backend, TestDatabase};

/// Writes each function as two tests, `…::on_sqlite` and `…::on_postgres`, with a fresh migrated database.
///
/// ```
/// use florin_testbed::{TestDatabase, on_both_backends};
///
/// on_both_backends! {
///     /// R6.2: a voucher is used up before cloud credit is touched.
///     async fn voucher_is_debited_before_cloud_credit(db: TestDatabase) {
///         let connection = db.connect().await;
///         assert!(connection.ping().await.is_ok());
///     }
/// }
/// ```
///
/// A body may return a `Result`; an `Err` fails the test.
#[macro_export]
macro_rules! on_both_backends {
    ($(
        $(#[$attribute:meta])*
        async fn $law:ident($database:ident: TestDatabase) $(-> $outcome:ty)? $body:block
    )+) => {$(
        $(#[$attribute])*
        #[cfg(test)]
        mod $law {
            #[allow(unused_imports, reason = "a body may need nothing from around it")]
            use super::*;

            async fn law($database: $crate::TestDatabase) $(-> $outcome)? $body

            #[test]
            fn on_sqlite() $(-> $outcome)? {
                $crate::uphold($crate::Backend::Sqlite, law)
            }

            #[test]
            fn on_postgres() $(-> $outcome)? {
                $crate::uphold($crate::Backend::Postgres, law)
            }
        }
    )+};
}

/// Runs one law on a fresh database of `backend`, on a runtime of its own with two worker threads, so that
/// a body may block one of them.
///
/// # Panics
/// When no runtime or no database can be made, and when the law does not hold.
pub fn uphold<Law, Upheld>(backend: Backend, law: Law) -> Upheld::Output
where
    Law: FnOnce(TestDatabase) -> Upheld,
    Upheld: Future,
{
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
        .block_on(async { law(TestDatabase::create(backend).await).await })
}
