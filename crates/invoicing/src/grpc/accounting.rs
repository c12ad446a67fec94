//! `florin.invoicing.v1.AccountingService`.

use std::pin::Pin;

use florin_api::invoicing::v1::{
    ExportJournalRequest, ExportJournalResponse, accounting_service_server::AccountingService,
};
use florin_platform::Platform;
use futures::{Stream, StreamExt, stream};
use tonic::{Request, Response, Status};

use crate::{convert, error::Error, service::journal::Journal};

/// The accounting service over `platform`.
#[derive(Clone, Debug)]
pub struct AccountingRpc {
    platform: Platform,
}

impl AccountingRpc {
    /// Serves the ledger kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl AccountingService for AccountingRpc {
    type ExportJournalStream = Pin<Box<dyn Stream<Item = Result<ExportJournalResponse, Status>> + Send>>;

    async fn export_journal(
        &self,
        request: Request<ExportJournalRequest>,
    ) -> Result<Response<Self::ExportJournalStream>, Status> {
        let (issuer, period) = convert::journal::wanted(request.get_ref()).map_err(Error::from)?;
        let db = &self.platform.db;
        let now = self.platform.clock.now(db.reader()).await.map_err(Error::from)?;
        let journal = Journal::begin(db, now, issuer, period).await?;
        // The next part is read when the caller has taken the one before.
        let parts = stream::try_unfold(journal, |mut journal| async move {
            let part = journal.next().await?;
            Ok::<_, Error>(part.map(|part| (convert::journal::part(&part), journal)))
        });
        Ok(Response::new(Box::pin(parts.map(|part| part.map_err(Status::from)))))
    }
}
