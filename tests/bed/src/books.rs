//! What is looked at when a test is over: the books of its database.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
};

/// What an audit of the database at a URL finds: what does not hold, `: `, and of what; a line each.
pub type Audit = fn(String) -> Pin<Box<dyn Future<Output = Vec<String>>>>;

/// The books of a test's database: audited when the value is dropped, unless the test fails anyway. Whatever the test did,
/// nothing may differ.
#[derive(Debug)]
pub struct Books {
    url: String,
    audit: Audit,
    excused: Mutex<Vec<&'static str>>,
}

impl Books {
    /// Those of the database at `url`, which outlives them.
    #[must_use]
    pub fn of(url: &str, audit: Audit) -> Self {
        Self { url: url.to_owned(), audit, excused: Mutex::default() }
    }

    /// The test itself writes what contradicts a rule.
    pub fn excuse(&self, what: &'static str) {
        self.excused.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (url, audit) = (std::mem::take(&mut self.url), self.audit);
        // The runtime of the test is in the middle of something.
        let audited = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(audit(url))
        });
        let mut found = audited.join().expect("everything can be read");
        let excused = self.excused.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|line| !excused.iter().any(|what| line.starts_with(&format!("{what}: "))));
        assert!(found.is_empty(), "the audit found differences:\n{}", found.join("\n"));
    }
}
