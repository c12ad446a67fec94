//! `florin.invoicing.v1.InvoiceService`.

use florin_api::invoicing::v1::{
    CreateCreditNoteRequest, CreditNote, EstimateInvoiceRequest, EstimateInvoiceResponse,
    ExplainSettlementRequest, ExplainSettlementResponse, GetCreditNoteDocumentRequest, GetCreditNoteRequest,
    GetInvoiceDocumentRequest, GetInvoiceRequest, Invoice, InvoiceDocument, ListCreditNotesRequest,
    ListCreditNotesResponse, ListInvoicesRequest, ListInvoicesResponse,
    invoice_service_server::InvoiceService,
};
use florin_payment::Payments;
use florin_platform::{
    Platform,
    approval::{self, Limits, NewApproval},
    call::Call,
    db::Tx,
    idempotency::RequestKey,
    page::Page,
    wire::parse_child,
};
use florin_settlement::Instant;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    acts::CREATE_CREDIT_NOTE,
    convert, documents,
    error::Error,
    service::{
        collection::rehearse, correct, credit_note::NewCreditNote, documents as sheets, estimate, query,
        returns,
    },
};

/// The collection of payments in resource names.
const PAYMENTS: &str = "payments";

/// The invoice service: what customers read, and what operators correct alone within `limits`. Refunds are made
/// through `payments`.
#[derive(Clone, Debug)]
pub struct InvoiceRpc {
    platform: Platform,
    payments: Payments,
    limits: Limits,
}

impl InvoiceRpc {
    /// Serves invoices kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments, limits: Limits) -> Self {
        Self { platform, payments, limits }
    }

    /// Has the provider give back what `note` says; what does not work now the reconcile job does.
    async fn give_back(&self, call: &Call, note: &CreditNote) {
        for refunded in &note.refunds {
            if let Ok((account, payment)) = parse_child(PAYMENTS, &refunded.payment) {
                returns::drive(&self.payments, call, account, payment).await;
            }
        }
    }
}

/// Issues a credit note, or asks for a second operator where the amount needs one (R6.13).
async fn create(
    tx: &Tx,
    at: Instant,
    call: &Call,
    limits: &Limits,
    new: &NewCreditNote,
    request: &CreateCreditNoteRequest,
) -> Result<CreditNote, Error> {
    florin_account::lock(tx, &[new.account]).await?;
    let decided = correct::decide(tx, at, new).await?;
    let value = correct::value_with(tx, &decided).await?;
    if !limits.needs_approval(value) {
        return Ok(convert::credit_note::credit_note(&correct::write(tx, at, call, decided).await?));
    }
    let asked = NewApproval {
        account: new.account,
        kind: CREATE_CREDIT_NOTE,
        payload: request.encode_to_vec(),
        summary: format!("credit {} of {}", decided.note.value()?, request.invoice),
        reason: request.reason.trim(),
    };
    let approval = approval::request(tx, at, call, asked).await?.name();
    Ok(CreditNote { approval, ..convert::credit_note::preview(&decided.note, &decided.credit) })
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

    async fn get_invoice_document(
        &self,
        request: Request<GetInvoiceDocumentRequest>,
    ) -> Result<Response<InvoiceDocument>, Status> {
        let call = Call::of(&request);
        let ((account, id), format) =
            convert::document::of_invoice(request.get_ref()).map_err(Error::from)?;
        let sheet = sheets::invoice(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(convert::document::document(documents::invoice(&sheet, format))))
    }

    async fn get_credit_note_document(
        &self,
        request: Request<GetCreditNoteDocumentRequest>,
    ) -> Result<Response<InvoiceDocument>, Status> {
        let call = Call::of(&request);
        let ((account, id), format) =
            convert::document::of_credit_note(request.get_ref()).map_err(Error::from)?;
        let sheet = sheets::credit_note(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(convert::document::document(documents::credit_note(&sheet, format))))
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

    async fn create_credit_note(
        &self,
        request: Request<CreateCreditNoteRequest>,
    ) -> Result<Response<CreditNote>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let new = &convert::credit_note::creation(request).map_err(Error::from)?;
        if request.validate_only {
            let show = |tx: Tx, now| async move {
                florin_account::lock(&tx, &[new.account]).await?;
                let decided = correct::decide(&tx, now, new).await?;
                Ok(convert::credit_note::preview(&decided.note, &decided.credit))
            };
            return Ok(Response::new(rehearse(&self.platform, show).await?));
        }
        let key = RequestKey::new(&self.platform, call, new.account, &request.request_id, request);
        let limits = &self.limits;
        let create = |tx: Tx, now| async move { create(&tx, now, call, limits, new, request).await };
        let note = self.platform.mutate::<_, Error, _>(&key, create).await?;
        self.give_back(call, &note).await;
        Ok(Response::new(note))
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
