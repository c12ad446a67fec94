//! `florin.invoicing.v1.InvoiceService`.

use florin_api::invoicing::v1::{
    CreditNote, EstimateInvoiceRequest, EstimateInvoiceResponse, ExplainSettlementRequest,
    ExplainSettlementResponse, GetCreditNoteRequest, GetInvoiceRequest, Invoice, ListCreditNotesRequest,
    ListCreditNotesResponse, ListInvoicesRequest, ListInvoicesResponse,
    invoice_service_server::InvoiceService,
};
use florin_platform::{Platform, call::Call, page::Page};
use tonic::{Request, Response, Status};

use crate::{
    convert,
    error::Error,
    service::{estimate, query},
};

/// The invoice service over `platform`.
#[derive(Clone, Debug)]
pub struct InvoiceRpc {
    platform: Platform,
}

impl InvoiceRpc {
    /// Serves invoices kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[tonic::async_trait]
impl InvoiceService for InvoiceRpc {
    async fn estimate_invoice(
        &self,
        request: Request<EstimateInvoiceRequest>,
    ) -> Result<Response<EstimateInvoiceResponse>, Status> {
        let call = Call::of(&request);
        let (account, project) =
            convert::invoice::project("parent", &request.get_ref().parent).map_err(Error::from)?;
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await.map_err(Error::from)?;
        let estimate = estimate::estimate(reader, now, &call, account, project).await?;
        Ok(Response::new(convert::invoice::estimate(&estimate)))
    }

    async fn get_invoice(&self, request: Request<GetInvoiceRequest>) -> Result<Response<Invoice>, Status> {
        let call = Call::of(&request);
        let (account, id) = convert::invoice::name("name", &request.get_ref().name).map_err(Error::from)?;
        let invoice = query::invoice(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(convert::invoice::invoice(&invoice)))
    }

    async fn list_invoices(
        &self,
        request: Request<ListInvoicesRequest>,
    ) -> Result<Response<ListInvoicesResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, filter) = convert::invoice::filter(&request).map_err(Error::from)?;
        let query = format!("ListInvoices/{account}/{filter:?}");
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let found = query::invoices(self.platform.db.reader(), &call, account, &filter, &page).await?;
        let (invoices, next_page_token) =
            page.cut(&self.platform.key, found, |invoice| invoice.id.to_string());
        let invoices = invoices.iter().map(convert::invoice::invoice).collect();
        Ok(Response::new(ListInvoicesResponse { invoices, next_page_token }))
    }

    async fn explain_settlement(
        &self,
        request: Request<ExplainSettlementRequest>,
    ) -> Result<Response<ExplainSettlementResponse>, Status> {
        let call = Call::of(&request);
        let (account, id) = convert::invoice::name("name", &request.get_ref().name).map_err(Error::from)?;
        let (invoice, record) = query::explanation(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(convert::explanation::explanation(&invoice, &record)))
    }

    async fn get_credit_note(
        &self,
        request: Request<GetCreditNoteRequest>,
    ) -> Result<Response<CreditNote>, Status> {
        let call = Call::of(&request);
        let (account, id) =
            convert::credit_note::name("name", &request.get_ref().name).map_err(Error::from)?;
        let note = query::credit_note(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(convert::credit_note::credit_note(&note)))
    }

    async fn list_credit_notes(
        &self,
        request: Request<ListCreditNotesRequest>,
    ) -> Result<Response<ListCreditNotesResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let (account, invoice) = convert::credit_note::filter(&request).map_err(Error::from)?;
        let query = format!("ListCreditNotes/{account}/{invoice:?}");
        let page = Page::parse(&self.platform.key, &query, request.page_size, &request.page_token)
            .map_err(Error::from)?;
        let found = query::credit_notes(self.platform.db.reader(), &call, account, invoice, &page).await?;
        let (notes, next_page_token) = page.cut(&self.platform.key, found, |note| note.id.to_string());
        let credit_notes = notes.iter().map(convert::credit_note::credit_note).collect();
        Ok(Response::new(ListCreditNotesResponse { credit_notes, next_page_token }))
    }
}
