//! `florin.project.v1.UsageService`.

use std::{pin::Pin, sync::Arc};

use florin_api::project::v1::{
    GetCurrentUsageRequest, GetCurrentUsageResponse, GetUsageForecastRequest, GetUsageForecastResponse,
    ListUsageHistoryRequest, ListUsageHistoryResponse, RecordUsageRequest, RecordUsageResponse,
    StreamUsageRequest, StreamUsageResponse, usage_service_server::UsageService,
};
use florin_platform::{Platform, call::Call, page::Page};
use futures::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tonic::{Request, Response, Status, Streaming};

use crate::{
    Project,
    convert::{self, metering::Sent},
    error::Error,
    ports::InvoiceForecast,
    service::{
        consumption,
        ingest::Batch,
        intake::{Receipt, UsageIntake},
        query,
    },
};

/// How many batches of one stream are read ahead of their answers: as many as two transactions of small ones take.
/// The events in them are bounded by the intake's room.
const BATCHES_AHEAD: usize = 16;
/// How many months of history a page has, if not said, and at most.
const MONTHS_DEFAULT: i32 = 12;
const MONTHS_MAX: i32 = 36;

/// The usage service over `platform`.
#[derive(Clone)]
pub struct UsageRpc {
    platform: Platform,
    intake: UsageIntake,
    invoices: Arc<dyn InvoiceForecast>,
}

impl UsageRpc {
    /// Serves the usage kept in `platform`; what is measured goes through `intake`.
    #[must_use]
    pub fn new(platform: Platform, intake: UsageIntake, invoices: Arc<dyn InvoiceForecast>) -> Self {
        Self { platform, intake, invoices }
    }

    async fn project(&self, call: &Call, parent: &str) -> Result<Project, Error> {
        let (account, project) = convert::project::name("parent", parent)?;
        query::owned(self.platform.db.reader(), call, account, project).await
    }
}

/// The answers of a stream, in the order of its batches.
type Answers = Pin<Box<dyn Stream<Item = Result<StreamUsageResponse, Status>> + Send>>;

#[tonic::async_trait]
impl UsageService for UsageRpc {
    async fn record_usage(
        &self,
        request: Request<RecordUsageRequest>,
    ) -> Result<Response<RecordUsageResponse>, Status> {
        let source = Call::of(&request).principal.to_string();
        let mut sent = convert::metering::batch(request.into_inner().events).map_err(Error::from)?;
        let events = sent.take_events();
        let verdicts = self.intake.record(Batch { source, events }).await?;
        Ok(Response::new(convert::metering::recorded(sent, verdicts)))
    }

    type StreamUsageStream = Answers;

    async fn stream_usage(
        &self,
        request: Request<Streaming<StreamUsageRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let place = self.intake.stream()?;
        let source = Call::of(&request).principal.to_string();
        let (taken, waiting) = mpsc::channel(BATCHES_AHEAD);
        let reader = StreamReader { intake: self.intake.clone(), source, taken, _place: place };
        tokio::spawn(reader.read(request.into_inner()));
        Ok(Response::new(answers(waiting)))
    }

    async fn get_current_usage(
        &self,
        request: Request<GetCurrentUsageRequest>,
    ) -> Result<Response<GetCurrentUsageResponse>, Status> {
        let project = self.project(&Call::of(&request), &request.get_ref().parent).await?;
        let db = &self.platform.db;
        let now = self.platform.clock.now(db.reader()).await.map_err(Error::from)?;
        let current = consumption::current(db, now, &*self.invoices, &project).await?;
        let rendered = convert::usage::current(&current, now, project.currency).map_err(Error::from)?;
        Ok(Response::new(rendered))
    }

    async fn get_usage_forecast(
        &self,
        request: Request<GetUsageForecastRequest>,
    ) -> Result<Response<GetUsageForecastResponse>, Status> {
        let project = self.project(&Call::of(&request), &request.get_ref().parent).await?;
        let db = &self.platform.db;
        let now = self.platform.clock.now(db.reader()).await.map_err(Error::from)?;
        let foretold = consumption::foretell(db, now, &*self.invoices, &project).await?;
        let rendered = convert::usage::forecast(&foretold, now, project.currency).map_err(Error::from)?;
        Ok(Response::new(rendered))
    }

    async fn list_usage_history(
        &self,
        request: Request<ListUsageHistoryRequest>,
    ) -> Result<Response<ListUsageHistoryResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let size = if request.page_size == 0 { MONTHS_DEFAULT } else { request.page_size.min(MONTHS_MAX) };
        let query = format!("ListUsageHistory/{}", request.parent);
        let page = Page::parse(&self.platform.key, &query, size, &request.page_token).map_err(Error::from)?;
        let project = self.project(&call, &request.parent).await?;
        let db = &self.platform.db;
        let now = self.platform.clock.now(db.reader()).await.map_err(Error::from)?;
        let found = consumption::history(db, now, &project, &page).await?;
        let (months, next_page_token) =
            page.cut(&self.platform.key, found, |monthly| monthly.month.to_string());
        let months = months.iter().map(|monthly| convert::usage::monthly(monthly, project.currency));
        let months = months.collect::<Result<_, _>>().map_err(Error::from)?;
        Ok(Response::new(ListUsageHistoryResponse { months, next_page_token }))
    }
}

/// A batch that was taken, or why the stream ends.
type Taken = Result<(i64, Sent, Receipt), Status>;

/// Reads a stream's batches and puts them in the intake, a few ahead of their answers.
struct StreamReader {
    intake: UsageIntake,
    source: String,
    taken: mpsc::Sender<Taken>,
    _place: OwnedSemaphorePermit,
}

impl StreamReader {
    async fn read(self, mut batches: Streaming<StreamUsageRequest>) {
        while let Some(taken) = self.next(&mut batches).await {
            let ended = taken.is_err();
            // Nobody waits for the answers any more, or this was the last.
            if self.taken.send(taken).await.is_err() || ended {
                return;
            }
        }
    }

    async fn next(&self, batches: &mut Streaming<StreamUsageRequest>) -> Option<Taken> {
        let idle_max = self.intake.idle_max();
        let next = tokio::select! {
            next = tokio::time::timeout(idle_max, batches.message()) => next,
            () = self.taken.closed() => return None,
        };
        match next {
            Ok(Ok(Some(batch))) => Some(self.take(batch).await),
            Ok(Ok(None)) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(_) => Some(Err(Error::StreamIdle { seconds: idle_max.as_secs() }.into())),
        }
    }

    async fn take(&self, batch: StreamUsageRequest) -> Taken {
        let mut sent = convert::metering::batch(batch.events).map_err(Error::from)?;
        let events = sent.take_events();
        let receipt = self.intake.put(Batch { source: self.source.clone(), events }).await?;
        Ok((batch.sequence, sent, receipt))
    }
}

fn answers(waiting: mpsc::Receiver<Taken>) -> Answers {
    let answered = stream::unfold(Some(waiting), |waiting| async move {
        let mut waiting = waiting?;
        let answer = match waiting.recv().await? {
            Ok((sequence, sent, receipt)) => receipt
                .verdicts()
                .await
                .map(|verdicts| convert::metering::streamed(sequence, sent, verdicts))
                .map_err(Status::from),
            Err(status) => Err(status),
        };
        let goes_on = answer.is_ok().then_some(waiting);
        Some((answer, goes_on))
    });
    answered.boxed()
}
