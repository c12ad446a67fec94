//! The `florin` program as it is run: settings, migration, the demo, and its end.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use florin_api::{
    credit::v1::{Campaign, CreateCampaignRequest, campaign},
    money::Money,
};
use florin_testbed::{Backend, TestDatabase, on_both_backends};
use sea_orm::ConnectionTrait;

const FLORIN: &str = env!("CARGO_BIN_EXE_florin");

/// A server process; killed if a test forgets it.
struct Server {
    child: Child,
    address: String,
    token: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(db: &TestDatabase, grace_seconds: u32) -> Self {
        let mut child = florin()
            .args(["serve", "--database-url", db.url(), "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--sandbox-clock-start", "2027-03-01T08:00:00Z"])
            .env("FLORIN_SHUTDOWN_GRACE_SECONDS", grace_seconds.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut address, mut token) = (String::new(), String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix("florin listens on ") {
                rest.split(' ').next().unwrap().clone_into(&mut address);
            }
            if line.trim().starts_with("flst_") {
                line.trim().clone_into(&mut token);
            }
            if line.contains("GetClock") {
                break;
            }
        }
        assert!(!address.is_empty() && !token.is_empty(), "the server did not say where it is");
        Self { child, address, token }
    }

    /// Sends SIGTERM and waits; the exit code and how long it took.
    fn terminate(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        (self.child.wait().unwrap().code(), started.elapsed())
    }
}

fn florin() -> Command {
    let mut command = Command::new(FLORIN);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLORIN_")) {
        command.env_remove(name);
    }
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_wrong_setting_is_named_at_once() {
    let output = florin()
        .args(["serve", "--database-url", "mysql://x", "--listen", "nowhere", "--log", "=="])
        .env("FLORIN_CALLS_MAX", "0")
        .output()
        .unwrap();
    assert!(!output.status.success());
    for field in ["database_url", "listen", "log", "calls_max"] {
        assert!(text(&output).contains(&format!("  {field}: ")), "{field} is missing in {}", text(&output));
    }
}

#[test]
fn flags_win_over_the_environment_and_the_environment_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("florin.toml");
    std::fs::write(&file, "listen = \"in the file\"\nlog_format = \"in the file\"\ncalls_max = 0\n").unwrap();
    let output = florin()
        .args(["serve", "--listen", "in the flag", "--config", file.to_str().unwrap()])
        .env("FLORIN_LISTEN", "in the environment")
        .env("FLORIN_LOG_FORMAT", "in the environment")
        .output()
        .unwrap();
    let text = text(&output);
    assert!(text.contains("log_format: must be text or json, not in the environment"), "{text}");
    assert!(text.contains("calls_max"), "{text}");
    let unknown = folder.path().join("unknown.toml");
    std::fs::write(&unknown, "colour = \"red\"\n").unwrap();
    let output = florin().args(["serve", "--config", unknown.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success());
}

on_both_backends! {
    /// Several processes may migrate one database at once.
    async fn migrations_take_turns(db: TestDatabase) {
        let empty = TestDatabase::create_empty(db.backend()).await;
        let runs: Vec<_> = (0..4)
            .map(|_| {
                florin()
                    .args(["migrate", "--database-url", empty.url()])
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", text(&output));
        }
    }

    /// R6.5: codes as CSV, and the same codes again to the same request, should the stream break.
    async fn voucher_codes_are_written_as_csv_and_the_same_request_gets_the_same(db: TestDatabase) {
        let server = Server::start(&db, 20);
        let url = format!("http://{}", server.address);
        let caller = florin_server::client::Caller::connect(&url).await.unwrap().with_token(&server.token);
        let euros = |units| Money { currency_code: "EUR".to_owned(), units, nanos: 0 };
        let campaign = Campaign {
            display_name: "Spring".to_owned(),
            amounts: vec![euros(10)],
            budgets: vec![euros(20_000)],
            redeem_end_time: Some(prost_types::Timestamp { seconds: 1_830_000_000, nanos: 0 }),
            lot_lifetime: Some(campaign::LotLifetime::LotLifetimeDays(90)),
            audience: campaign::Audience::Anyone.into(),
            code_style: campaign::CodeStyle::SingleUse.into(),
            ..Default::default()
        };
        let request = CreateCampaignRequest { campaign: Some(campaign), ..Default::default() };
        let campaign = caller.campaigns().create_campaign(request).await.unwrap().into_inner().name;
        let folder = tempfile::tempdir().unwrap();
        let codes = |file: &str| {
            let file = folder.path().join(file);
            let output = florin()
                .args(["campaign", "--server", &url, "--token", &server.token, "codes", &campaign])
                .args(["--count", "1201", "--request-id", "spring-a", "--output", file.to_str().unwrap()])
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", text(&output));
            std::fs::read_to_string(file).unwrap()
        };
        let first = codes("first.csv");
        let mut lines = first.lines();
        assert_eq!(lines.next(), Some("campaign,code"));
        let first_code = lines.next().unwrap().strip_prefix(&format!("{campaign},")).unwrap();
        assert_eq!(first_code.len(), 19);
        assert_eq!(first.lines().collect::<std::collections::HashSet<_>>().len(), 1202);
        assert_eq!(codes("second.csv"), first);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing half-written is left");
    }

    /// The whole story, told by the program against a running server, to the cent.
    async fn the_demo_ends_with_the_settlement_explained(db: TestDatabase) {
        let server = Server::start(&db, 5);
        let output = florin()
            .args(["demo", "--server", &format!("http://{}", server.address), "--token", &server.token])
            .output()
            .unwrap();
        let told = text(&output);
        assert!(output.status.success(), "{told}");
        for figure in ["23.63 EUR", "22.20 EUR", "1.43 EUR", "4.63 EUR", "0.93 EUR", "5.56 EUR"] {
            assert!(told.contains(figure), "{figure} is missing in\n{told}");
        }
        assert!(told.contains("voucher → cloud credit → LaunchPad → loyalty → payment method"), "{told}");

        // R14.5: its books are in order, beside the running server; and whoever touches them is found out.
        let audit = || florin().args(["audit", "--database-url", db.url()]).output().unwrap();
        let audited = audit();
        assert!(audited.status.success(), "{}", text(&audited));
        assert!(text(&audited).contains("3 accounts, 0 differences"), "{}", text(&audited));
        let statement = "UPDATE account_lock SET movement_sequence = movement_sequence + 1 WHERE movement_sequence > 0";
        db.connect().await.execute_unprepared(statement).await.unwrap();
        let audited = audit();
        assert_eq!(audited.status.code(), Some(1), "{}", text(&audited));
        assert!(text(&audited).contains("the head of a chain is its last movement: accounts/"), "{}", text(&audited));
    }
}

/// R12.5: a client that holds its connection open without a word does not keep the server alive.
#[tokio::test]
async fn sigterm_ends_the_server_within_its_grace_whoever_is_connected() {
    let db = TestDatabase::create(Backend::Sqlite).await;
    let mut server = Server::start(&db, 2);
    let silent = std::net::TcpStream::connect(&server.address).unwrap();
    let mut speaking = florin_server::client::Caller::connect(&format!("http://{}", server.address))
        .await
        .unwrap()
        .catalog();
    speaking.list_plans(florin_api::project::v1::ListPlansRequest::default()).await.unwrap();
    let (code, took) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    drop(silent);
}

/// R12.3: what was acknowledged before `kill -9` is there after a restart.
#[tokio::test]
async fn an_acknowledged_account_survives_a_kill() {
    use florin_api::account::v1::{Account, Address, CreateAccountRequest, GetAccountRequest, LegalForm};
    let db = TestDatabase::create(Backend::Sqlite).await;
    let mut server = Server::start(&db, 2);
    let caller = florin_server::client::Caller::connect(&format!("http://{}", server.address)).await.unwrap();
    let account = Account {
        email: "ada@example.com".to_owned(),
        country: "FR".to_owned(),
        legal_form: LegalForm::Individual.into(),
        given_name: "Ada".to_owned(),
        family_name: "Lovelace".to_owned(),
        address: Some(Address {
            street: "1 rue de la Paix".to_owned(),
            postal_code: "75002".to_owned(),
            city: "Paris".to_owned(),
            region: String::new(),
        }),
        ..Account::default()
    };
    let request = CreateAccountRequest {
        account: Some(account),
        password: "correct horse battery staple".to_owned(),
        request_id: "once".to_owned(),
    };
    let created = caller.accounts().create_account(request.clone()).await.unwrap().into_inner();
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = Server::start(&db, 2);
    let caller = florin_server::client::Caller::connect(&format!("http://{}", server.address)).await.unwrap();
    let operator = caller.with_token(&server.token);
    let get = GetAccountRequest { name: created.name.clone() };
    assert_eq!(operator.accounts().get_account(get).await.unwrap().into_inner(), created);
    assert_eq!(caller.accounts().create_account(request).await.unwrap().into_inner(), created);
}

/// R5.1: the catalogue of a running server as a file, out and in, with a dry run and every mistake at once.
#[test]
fn the_catalogue_is_exported_and_imported_by_the_command_line() {
    let db = database();
    let server = Server::start(&db, 2);
    let folder = tempfile::tempdir().unwrap();
    let catalogue = |what: &[&str], file: &std::path::Path| {
        let mut command = florin();
        command.args([
            "catalogue",
            "--server",
            &format!("http://{}", server.address),
            "--token",
            &server.token,
        ]);
        command.args(what).arg(file).output().unwrap()
    };
    for name in ["all.yaml", "all.json"] {
        let file = folder.path().join(name);
        let exported = catalogue(&["export"], &file);
        assert!(exported.status.success(), "{}", text(&exported));
        assert!(std::fs::read_to_string(&file).unwrap().contains("0.0000000016"), "ten decimals survive");
        let imported = catalogue(&["import"], &file);
        assert!(text(&imported).contains("nothing to change"), "{}", text(&imported));
    }
    let file = folder.path().join("more.yaml");
    let more = "plans:\n  - code: x1-2\n    name: X1-2\n    family: INSTANCE\n    model: HOURLY\n    unit: hour\n    \
                prices:\n      - { effective: 2027-05-01T00:00:00Z, per_month: { EUR: \"7.2\" } }\n";
    std::fs::write(&file, more).unwrap();
    let foreseen = text(&catalogue(&["import", "--dry-run"], &file));
    assert!(
        foreseen.contains("+ price of x1-2: 0.01 EUR (7.2 a month) from 2027-05-01T00:00:00Z on"),
        "{foreseen}"
    );
    assert!(foreseen.contains("2 changes, and none of them made"), "{foreseen}");
    assert!(text(&catalogue(&["import"], &file)).contains("2 changes made"));
    assert!(text(&catalogue(&["import"], &file)).contains("nothing to change"));

    std::fs::write(&file, more.replace("7.2", "7.3").replace("name: X1-2", "name: \"\"\n    colour: red"))
        .unwrap();
    let refused = catalogue(&["import"], &file);
    assert!(!refused.status.success());
    for wrong in
        ["plans[0].colour: is not a field", "plans[0].name: must have 1 to 100", "(plan x1-2, line 2)"]
    {
        assert!(text(&refused).contains(wrong), "{wrong}: {}", text(&refused));
    }
    let mut stranger = florin();
    stranger.args(["catalogue", "--server", &format!("http://{}", server.address), "import"]).arg(&file);
    let refused = stranger.output().unwrap();
    assert!(!refused.status.success() && text(&refused).contains("token"), "{}", text(&refused));
}

/// R12.2: whoever calls from a terminal reads what was refused, what is wrong, and the reason; and nothing else.
#[test]
fn a_refusal_is_told_in_words_and_fails() {
    let db = database();
    let server = Server::start(&db, 2);
    let journal = |issuer: &str, from: &str, to: &str| {
        let output = florin()
            .args(["journal", "--server", &format!("http://{}", server.address), "--token", &server.token])
            .args([issuer, "--from", from, "--to", to])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let (march, april) = ("2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z");
    let told = journal("issuers/fr", march, april);
    let [line] = told.lines().collect::<Vec<_>>()[..] else { panic!("one line: {told}") };
    assert!(line.starts_with("florin: ") && line.ends_with(" (PERIOD_NOT_OVER)"), "{line}");
    let told = journal("fr", april, march);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], "florin: the request is invalid (INVALID_ARGUMENT_VIOLATIONS)", "{told}");
    assert!(lines[1].starts_with("  parent: ") && lines[2].starts_with("  end_time: "), "{told}");
}

/// A database for a test that is not asynchronous itself.
fn database() -> TestDatabase {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(TestDatabase::create(Backend::Sqlite))
}
