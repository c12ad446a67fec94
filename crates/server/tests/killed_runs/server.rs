//! The program as a process in sandbox mode, killed without a warning.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use florin_server::client::Caller;
use florin_testbed::TestDatabase;
use sea_orm::ConnectionTrait;

const FLORIN: &str = env!("CARGO_BIN_EXE_florin");
/// Where the clock begins.
const START: &str = "2027-03-01T08:00:00Z";
/// Small batches: a run of a few hundred projects is many transactions.
const BATCH: &str = "3";

/// A server process; killed if a test forgets it.
pub(crate) struct Server {
    child: Child,
    url: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    pub(crate) fn start(db: &TestDatabase) -> Self {
        let mut florin = Command::new(FLORIN);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLORIN_")) {
            florin.env_remove(name);
        }
        let mut child = florin
            .args(["serve", "--database-url", db.url(), "--listen", "127.0.0.1:0", "--log", "error"])
            .args(["--sandbox-clock-start", START])
            .env("FLORIN_BILLING_BATCH", BATCH)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let listens = lines.find_map(|line| line.strip_prefix("florin listens on ").map(str::to_owned));
        let address = listens.expect("the server says where it is");
        let url = format!("http://{}", address.split(' ').next().unwrap());
        let token = lines.find(|line| line.trim().starts_with("flst_")).expect("a sandbox token");
        // The last it says.
        lines.find(|line| line.contains("GetClock")).expect("an example");
        Self { child, url, token: token.trim().to_owned() }
    }

    pub(crate) async fn anonymous(&self) -> Caller {
        Caller::connect(&self.url).await.unwrap()
    }

    /// Somebody who may do everything.
    pub(crate) async fn operator(&self) -> Caller {
        self.anonymous().await.with_token(&self.token)
    }

    /// SIGKILL: the process does nothing more, not even close what it had open.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The leases of a dead server, and its holds on ranges of a run, end by themselves after seconds; nobody waits for
/// that here.
pub(crate) async fn leases_end(db: &TestDatabase) {
    let connection = db.connect().await;
    connection.execute_unprepared("UPDATE job_lease SET until_micros = 0").await.unwrap();
    connection.execute_unprepared("UPDATE billing_range SET held_until_micros = 0").await.unwrap();
    connection.close().await.unwrap();
}
