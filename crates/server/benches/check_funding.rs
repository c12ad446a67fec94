//! How fast `CheckFunding` answers, as a ratio to a bare echo on the same server in the same run (R4.8).
//!
//! The echo is a gRPC method that answers a message of the same size and does nothing: no layer, no token, no
//! database. It lives here and nowhere else. Both are called by the same clients, over the same kind of connections,
//! in turns, in this process; what the client costs is therefore in both.
//!
//! `cargo run -p florin-testbed -- run -- cargo bench -p florin-server --bench check_funding`

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{Router, routing::post_service};
use florin_api::project::v1::{
    CheckFundingRequest, CheckFundingResponse, funding_service_client::FundingServiceClient,
};
use florin_server::{
    config::{Config, Flags},
    serve, telemetry,
};
use florin_testbed::{Backend, TestDatabase};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tonic::{Request, Response, Status, body::Body, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

/// The server's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROJECTS: usize = 10_000;
const CONNECTIONS: usize = 8;
const CALLS_AT_ONCE: usize = 16;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(4);
const ECHO: &str = "/bench.v1.Echo/Echo";

/// Answers at once.
#[derive(Clone)]
struct Echo(Arc<CheckFundingResponse>);

impl tonic::server::UnaryService<CheckFundingRequest> for Echo {
    type Response = CheckFundingResponse;
    type Future = Ready<Result<Response<CheckFundingResponse>, Status>>;

    fn call(&mut self, _: Request<CheckFundingRequest>) -> Self::Future {
        ready(Ok(Response::new((*self.0).clone())))
    }
}

impl tower::Service<http::Request<axum::body::Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = futures::future::BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<axum::body::Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let codec: ProstCodec<CheckFundingResponse, CheckFundingRequest> = ProstCodec::default();
            Ok(tonic::server::Grpc::new(codec).unary(echo, request).await)
        })
    }
}

/// What a round came to.
#[derive(Clone, Copy, Debug)]
struct Round {
    per_second: u64,
    p99: Duration,
}

async fn round<F, Fut>(channels: &[Channel], call: F) -> Round
where
    F: Fn(Channel, usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let until = Instant::now() + ROUND;
    let callers = (0..CONNECTIONS * CALLS_AT_ONCE).map(|caller| {
        let (channel, call) = (channels[caller % CONNECTIONS].clone(), call.clone());
        tokio::spawn(async move {
            let mut took = Vec::with_capacity(100_000);
            let mut number = caller;
            while Instant::now() < until {
                let began = Instant::now();
                call(channel.clone(), number).await;
                took.push(began.elapsed());
                number = number.wrapping_mul(31).wrapping_add(7);
            }
            took
        })
    });
    let mut took: Vec<Duration> = Vec::new();
    for caller in join_all(callers.collect::<Vec<_>>()).await {
        took.extend(caller.unwrap());
    }
    took.sort_unstable();
    let per_second = u64::try_from(took.len()).unwrap() / ROUND.as_secs();
    Round { per_second, p99: took[took.len() * 99 / 100] }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

async fn run(connection: &DatabaseConnection, text: &str) {
    let backend = connection.get_database_backend();
    connection.execute_raw(Statement::from_string(backend, text.to_owned())).await.unwrap();
}

/// Ten thousand projects with something running in each, as copies of one; their names.
async fn projects(database: &TestDatabase) -> Vec<String> {
    let connection = database.connect().await;
    let account = florin_platform::id::AccountId::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let hex = |id: u128| match database.backend() {
        Backend::Sqlite => format!("X'{id:032x}'"),
        Backend::Postgres => format!("'{}'", uuid(id)),
    };
    let owner = hex(account.as_u128());
    let seed = "INSERT INTO account (account_id, handle, state, email, password_hash, country, legal_form, given_name, \
        family_name, organisation, street, postal_code, city, region, language, issuer, currency, project_limit, \
        confirmation_generation, confirmation_wrong, version, created_at, updated_at) VALUES \
        (OWNER, 'bench-fl', 'ACTIVE', 'b@example.com', '', 'FR', 'INDIVIDUAL', 'B', 'B', '', 's', '1', 'c', '', 'en', \
        'fr', 'EUR', 3, 0, 0, 1, '2027-01-01T00:00:00+00:00', '2027-01-01T00:00:00+00:00')";
    run(&connection, &seed.replace("OWNER", &owner)).await;
    let mut names = Vec::with_capacity(PROJECTS);
    let ids: Vec<u128> = (0..PROJECTS as u128)
        .map(|n| {
            0x0190_0000_0000_7000_8000_0000_0000_0000
                | (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff)
        })
        .collect();
    for chunk in ids.chunks(500) {
        let rows = chunk.iter().map(|id| {
            format!(
                "({owner}, {}, 'Bench', 'ACTIVE', 'NOT_ASKED', 'EUR', 1, '2027-01-01T00:00:00+00:00', \
                 '2027-01-01T00:00:00+00:00', '2027-01-01T00:00:00+00:00')",
                hex(*id)
            )
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        run(&connection, &format!(
            "INSERT INTO project (account_id, id, display_name, state, funding, currency, version, created_at, \
             activated_at, updated_at) VALUES {rows}"
        ))
        .await;
        let rows = chunk.iter().map(|id| {
            format!(
                "({owner}, {}, 'ACTIVE', 'EUR', false, true, 100000, 500000, 0, 0, '0', 1234, 1234, 266, '0.111', \
                 '0.111', '0.111', 3, 1, 0, '', false, false, false, '2027-03-01T09:00:00+00:00', \
                 '2027-04-01T00:00:00+00:00', '2027-04-01T00:00:00+00:00', 100, 500, 500)",
                hex(*id)
            )
        });
        let rows = rows.collect::<Vec<_>>().join(", ");
        run(&connection, &format!(
            "INSERT INTO funding_standing (account_id, project_id, state, currency, in_debt, prepaid_only, spend_cap, \
             own_credit, shared_credit, others_need, others_rate, unbilled, spent, reserved, accrual, conversion, burn, \
             instances, storages, options, restricted, cap_reached, exhausted, unrated, through_at, valid_until, \
             due_at, instance_quota, storage_quota, option_quota) VALUES {rows}"
        ))
        .await;
        names.extend(chunk.iter().map(|id| {
            florin_platform::wire::child_name(account, "projects", florin_project::ProjectId::from_u128(*id))
        }));
    }
    if database.backend() == Backend::Postgres {
        run(&connection, "ANALYZE funding_standing").await;
    }
    names
}

fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

async fn measure(backend: Backend) {
    let database = TestDatabase::create(backend).await;
    let flags = Flags {
        database_url: Some(database.url().to_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        sandbox_clock_start: Some("2027-03-01T08:00:00Z".to_owned()),
        log: Some("warn".to_owned()),
        ..Flags::default()
    };
    let config = Config::load(&flags).unwrap();
    telemetry::start(&config);
    let echo = Echo(Arc::default());
    // The first start seeds; the projects are copied in; then it is measured.
    serve::start(config.clone()).await.unwrap().stop().await.unwrap();
    let names = Arc::new(projects(&database).await);
    let routes = Router::new().route(ECHO, post_service(echo));
    let running = serve::start_beside(config, routes).await.unwrap();
    let server = format!("http://{}", running.address);
    let connect = || async { Channel::from_shared(server.clone()).unwrap().connect().await.unwrap() };
    let channels = join_all((0..CONNECTIONS).map(|_| connect())).await;
    let bearer: tonic::metadata::MetadataValue<_> =
        format!("Bearer {}", running.sandbox_token).parse().unwrap();

    let ask = {
        let names = Arc::clone(&names);
        move |number: usize| CheckFundingRequest {
            name: names[number % PROJECTS].clone(),
            plan: "plans/b3-8".to_owned(),
            ..CheckFundingRequest::default()
        }
    };
    let check = {
        let (ask, bearer) = (ask.clone(), bearer.clone());
        move |channel: Channel, number: usize| {
            let mut request = Request::new(ask(number));
            request.metadata_mut().insert("authorization", bearer.clone());
            async move {
                let answer = FundingServiceClient::new(channel).check_funding(request).await.unwrap();
                assert!(answer.get_ref().allowed, "{answer:?}");
            }
        }
    };
    let bare = move |channel: Channel, number: usize| {
        let request = Request::new(ask(number));
        async move {
            let mut grpc = Grpc::new(channel);
            grpc.ready().await.unwrap();
            let codec: ProstCodec<CheckFundingRequest, CheckFundingResponse> = ProstCodec::default();
            grpc.unary(request, ECHO.parse().unwrap(), codec).await.unwrap();
        }
    };
    // Warm: connections, prepared statements, prices.
    round(&channels, check.clone()).await;
    // A ratio of neighbours: what else the machine does in a round, it does to both.
    let (mut ratios, mut slower) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let echo = round(&channels, bare.clone()).await;
        let check = round(&channels, check.clone()).await;
        println!("  round {number}: echo {echo:?}, CheckFunding {check:?}");
        ratios.push(check.per_second * 1000 / echo.per_second.max(1));
        slower.push(u64::try_from(check.p99.as_micros() * 100 / echo.p99.as_micros().max(1)).unwrap());
    }
    let (ratio, slower) = (median(ratios), median(slower));
    println!(
        "{backend:?}: CheckFunding is at 0.{ratio:03} of the echo's calls a second, its p99 at {}.{:02} times the echo's \
         (medians of {ROUNDS} rounds)",
        slower / 100,
        slower % 100
    );
    running.stop().await.unwrap();
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let only = std::env::args().find(|argument| argument == "sqlite" || argument == "postgres");
    runtime.block_on(async {
        for (name, backend) in [("sqlite", Backend::Sqlite), ("postgres", Backend::Postgres)] {
            if only.as_deref().is_none_or(|only| only == name) {
                measure(backend).await;
            }
        }
    });
}
