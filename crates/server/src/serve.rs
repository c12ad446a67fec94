//! Serving: bind, answer, stop gracefully, and stop all the same when grace runs out (R12.5).

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use florin_account::TokenAuthenticator;
use florin_platform::{
    db::Observer,
    layer::{self, Admission, Bounds, Front},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};

use crate::{
    access,
    cli::{CliError, say},
    config::Config,
    pages,
    webhook::Webhooks,
    wiring::{self, Wired},
};

const KEEPALIVE: Duration = Duration::from_secs(30);

/// A server that is running.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// A token that may call everything, in a sandbox; empty outside of one.
    pub sandbox_token: String,
    stop: CancellationToken,
    task: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Running {
    /// Stops gracefully and waits for the end.
    pub async fn stop(self) -> Result<(), CliError> {
        self.stop.cancel();
        Ok(self.task.await??)
    }

    /// The signal that makes the server stop.
    #[must_use]
    pub fn stop_signal(&self) -> CancellationToken {
        self.stop.clone()
    }
}

/// Starts a server: opens the database, migrates and seeds a sandbox, binds, answers.
pub async fn start(config: Config) -> Result<Running, CliError> {
    start_beside(config, Router::new()).await
}

/// As [`start`], with `beside` served at the same port, outside of every layer: nobody asks there who calls. For
/// programs that embed Florin, as its benchmarks do.
pub async fn start_beside(config: Config, beside: Router) -> Result<Running, CliError> {
    start_with(config, beside, None).await
}

/// As [`start`], with an observer who is told of every statement: for programs that embed Florin and measure it.
pub async fn start_observed(config: Config, observer: Observer) -> Result<Running, CliError> {
    start_with(config, Router::new(), Some(observer)).await
}

async fn start_with(config: Config, beside: Router, observer: Option<Observer>) -> Result<Running, CliError> {
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let Wired { platform, routes, site, webhooks, health, schedule, sandbox_token } =
        wiring::wire(&config, address, observer).await?;

    let admission = Admission::new(access::table(), Arc::new(TokenAuthenticator::new(platform.clone())));
    let bounds = Bounds::new(config.deadline_max, config.calls_max);
    let site = site
        .router()
        .merge(webhooks.map(Webhooks::router).unwrap_or_default())
        .layer(from_fn_with_state(bounds.clone(), page));
    let rpcs = routes.into_axum_router().layer(from_fn_with_state(Front { admission, bounds }, rpc));
    let routes = rpcs.merge(site).merge(beside);

    let stop = CancellationToken::new();
    let server = Server::builder()
        // Browsers; RPCs need HTTP/2 all the same.
        .accept_http1(true)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .max_concurrent_streams(Some(256))
        .add_routes(Routes::from(routes))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), {
            let stop = stop.clone();
            async move { stop.cancelled().await }
        });
    let (stopping, grace) = (stop.clone(), config.shutdown_grace);
    let task = tokio::spawn(async move {
        let hurry = async {
            stopping.cancelled().await;
            health.set_unready().await;
            // A client that holds its connection open without a word would keep a graceful stop waiting.
            tokio::time::sleep(grace).await;
        };
        let orderly = async {
            // Jobs hand over: the one that is running is finished, none is begun.
            let (served, ()) = tokio::join!(server, schedule.keep_running(&stopping));
            served
        };
        tokio::select! {
            served = orderly => served,
            () = hurry => {
                tracing::warn!("the grace time is over; stopping all the same");
                Ok(())
            }
        }
    });
    tracing::info!(%address, database = %platform.db.backend_name(), "serving");
    Ok(Running { address, sandbox_token: sandbox_token.unwrap_or_default(), stop, task })
}

/// The layers of an RPC.
async fn rpc(State(front): State<Front>, request: Request, next: Next) -> Response {
    let answered = |request| layer::answered(&front, request, |request| next.run(request));
    layer::traced(request, |request| pages::not_for_people(request, answered)).await
}

/// The layers of a page and of a webhook.
async fn page(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let bounded = |request| layer::bounded(&bounds, request, |request| next.run(request));
    let guarded = |request| layer::guarded(bounded(request));
    layer::traced(request, |request| pages::readable(request, guarded)).await
}

/// Serves until SIGTERM or Ctrl-C, and tells a newcomer what to do next.
pub async fn until_stopped(config: Config) -> Result<(), CliError> {
    let running = start(config).await?;
    greet(&running);
    let stop = running.stop_signal();
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(running.task.await??)
}

/// Says where the server is and, in a sandbox, what to try.
fn greet(running: &Running) {
    let (address, token) = (running.address, &running.sandbox_token);
    if token.is_empty() {
        say(&format!("florin listens on {address}"));
        return;
    }
    say(&format!("florin listens on {address} (sandbox: the clock moves and payments play)"));
    say("");
    say("a sandbox service token, which may call everything:");
    say(&format!("  {token}"));
    say("");
    say("try it:");
    say(&format!("  grpcurl -plaintext {address} florin.project.v1.CatalogService/ListPlans"));
    say(&format!(
        "  grpcurl -plaintext -H 'authorization: Bearer {token}' {address} florin.sandbox.v1.ClockService/GetClock"
    ));
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
