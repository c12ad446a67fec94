//! `florin.invoicing.v1.CollectionService`.

use florin_api::invoicing::v1::{
    Debt, GetDebtRequest, HoldDeletionRequest, HoldDeletionResponse, ListDebtsRequest, ListDebtsResponse,
    PayDebtRequest, PayDebtResponse, PayInvoiceRequest, PayInvoiceResponse, ReleaseDeletionRequest,
    ReleaseDeletionResponse, WriteOffDebtRequest, collection_service_server::CollectionService,
};
use florin_payment::{Payment, PaymentId, Payments};
use florin_platform::{
    Platform,
    approval::{self, Limits, NewApproval},
    call::Call,
    db::Tx,
    id::AccountId,
    idempotency::RequestKey,
    page::Page,
    violation::Violations,
};
use florin_settlement::Instant;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    acts::WRITE_OFF_DEBT,
    convert::{self, collection as wire},
    error::Error,
    service::{
        DEBT_SETTLEMENTS, DebtId, DebtSettlementMark, InvoiceId,
        collection::{self, rehearse},
        dunning::after_drive,
        pay, query,
    },
    store::debt::Wanted,
};

/// The collection service: what customers pay with `payments`, and what operators do alone within `limits`.
#[derive(Clone, Debug)]
pub struct CollectionRpc {
    platform: Platform,
    payments: Payments,
    limits: Limits,
}

impl CollectionRpc {
    /// Serves debts kept in `platform`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments, limits: Limits) -> Self {
        Self { platform, payments, limits }
    }

    /// Takes a payment that was begun as far as it goes now.
    async fn drive(&self, call: &Call, account: AccountId, reference: &str) -> Result<(), Error> {
        let payment = self.payments.drive(call, account, read(reference)?).await?;
        if florin_platform::wire::parse_child::<DebtSettlementMark>(DEBT_SETTLEMENTS, &payment.reference)
            .is_ok()
        {
            return collection::pause_settlement(&self.platform, &payment).await;
        }
        after_drive(&self.platform, &payment).await
    }
}

fn read(reference: &str) -> Result<PaymentId, Error> {
    Ok(PaymentId::parse(reference).map_err(|error| Violations::one("name", error))?)
}

async fn payment(tx: &Tx, account: AccountId, id: PaymentId) -> Result<Payment, Error> {
    let found = florin_payment::find(tx, account, id).await?;
    found.ok_or_else(|| Error::NotFound(florin_payment::payment_name(account, id)))
}

async fn paid_invoice(
    tx: &Tx,
    call: &Call,
    account: AccountId,
    invoice: InvoiceId,
    id: PaymentId,
) -> Result<PayInvoiceResponse, Error> {
    let invoice = query::invoice(tx, call, account, invoice).await?;
    let payment = payment(tx, account, id).await?;
    Ok(PayInvoiceResponse {
        invoice: Some(convert::invoice::invoice(&invoice)),
        payment: Some(florin_payment::render(&payment)),
    })
}

async fn paid_debts(tx: &Tx, account: AccountId, id: PaymentId) -> Result<PayDebtResponse, Error> {
    let payment = payment(tx, account, id).await?;
    Ok(PayDebtResponse {
        open_debts: open_debts(tx, account).await?,
        payment: Some(florin_payment::render(&payment)),
    })
}

async fn open_debts(tx: &Tx, account: AccountId) -> Result<Vec<Debt>, Error> {
    Ok(query::open_debts(tx, account).await?.iter().map(wire::debt).collect())
}

/// Writes a debt off, or asks for a second operator where the amount needs one (R6.13).
async fn write_off(
    tx: &Tx,
    at: Instant,
    call: &Call,
    limits: &Limits,
    (account, id): (AccountId, DebtId),
    request: &WriteOffDebtRequest,
) -> Result<Debt, Error> {
    let debt = pay::owed(tx, account, id).await?;
    let owed = debt.owed()?;
    let mut approval = String::new();
    if limits.needs_approval(owed) {
        let asked = NewApproval {
            account,
            kind: WRITE_OFF_DEBT,
            payload: request.encode_to_vec(),
            summary: format!("write off {owed} of {}", request.name),
            reason: request.reason.trim(),
        };
        approval = approval::request(tx, at, call, asked).await?.name();
    } else {
        pay::write_off(tx, at, call, account, id).await?;
    }
    Ok(Debt { approval, ..wire::debt(&query::debt(tx, call, account, id).await?) })
}

#[tonic::async_trait]
impl CollectionService for CollectionRpc {
    async fn pay_invoice(
        &self,
        request: Request<PayInvoiceRequest>,
    ) -> Result<Response<PayInvoiceResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, id, method) = wire::invoice_payment(request).map_err(Error::from)?;
        query::invoice(self.platform.db.reader(), call, account, id).await?;
        let begun =
            |tx: Tx, now| async move { pay::begin_invoice(&tx, now, call, account, id, method).await };
        if request.validate_only {
            let show = |tx: Tx, now| async move {
                let payment = begun(tx.clone(), now).await?;
                let mut answer = paid_invoice(&tx, call, account, id, payment).await?;
                // Neither the attempt nor the invoice's mention of it is kept.
                answer.payment.iter_mut().for_each(|payment| payment.name.clear());
                answer.invoice.iter_mut().for_each(|invoice| invoice.payment.clear());
                Ok(answer)
            };
            return Ok(Response::new(rehearse(&self.platform, show).await?));
        }
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let begin = |tx, now| async move { Ok(begun(tx, now).await?.to_string()) };
        let between = |reference: String| async move { self.drive(call, account, &reference).await };
        let finish = |tx: Tx, _, reference: String| async move {
            paid_invoice(&tx, call, account, id, read(&reference)?).await
        };
        let answer = self.platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?;
        Ok(Response::new(answer))
    }

    async fn pay_debt(&self, request: Request<PayDebtRequest>) -> Result<Response<PayDebtResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let (account, debts, method) = &wire::debt_payment(request).map_err(Error::from)?;
        let account = *account;
        query::visible(self.platform.db.reader(), call, account, None).await?;
        let begun =
            |tx: Tx, now| async move { pay::begin_debts(&tx, now, call, account, debts, *method).await };
        if request.validate_only {
            let show = |tx: Tx, now| async move {
                let payment = begun(tx.clone(), now).await?;
                let mut answer = paid_debts(&tx, account, payment).await?;
                answer.payment.iter_mut().for_each(|payment| payment.name.clear());
                Ok(answer)
            };
            return Ok(Response::new(rehearse(&self.platform, show).await?));
        }
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let begin = |tx, now| async move { Ok(begun(tx, now).await?.to_string()) };
        let between = |reference: String| async move { self.drive(call, account, &reference).await };
        let finish =
            |tx: Tx, _, reference: String| async move { paid_debts(&tx, account, read(&reference)?).await };
        let answer = self.platform.mutate_in_two::<_, Error, _, _, _>(&key, begin, between, finish).await?;
        Ok(Response::new(answer))
    }

    async fn get_debt(&self, request: Request<GetDebtRequest>) -> Result<Response<Debt>, Status> {
        let call = Call::of(&request);
        let (account, id) = wire::name("name", &request.get_ref().name).map_err(Error::from)?;
        let debt = query::debt(self.platform.db.reader(), &call, account, id).await?;
        Ok(Response::new(wire::debt(&debt)))
    }

    async fn list_debts(
        &self,
        request: Request<ListDebtsRequest>,
    ) -> Result<Response<ListDebtsResponse>, Status> {
        let call = Call::of(&request);
        let request = request.into_inner();
        let account = wire::account("parent", &request.parent).map_err(Error::from)?;
        let wanted = if request.open_only { Wanted::Open } else { Wanted::All };
        let (key, reader) = (&self.platform.key, self.platform.db.reader());
        let query = format!("ListDebts/{account}/{wanted:?}");
        let page = Page::parse(key, &query, request.page_size, &request.page_token).map_err(Error::from)?;
        let found = query::debts(reader, &call, account, wanted, &page).await?;
        let (debts, next_page_token) = page.cut(key, found, |followed| followed.debt.id.to_string());
        let debts = debts.iter().map(wire::debt).collect();
        Ok(Response::new(ListDebtsResponse { debts, next_page_token }))
    }

    async fn write_off_debt(&self, request: Request<WriteOffDebtRequest>) -> Result<Response<Debt>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let debt = wire::write_off(request).map_err(Error::from)?;
        let limits = &self.limits;
        let work = |tx: Tx, now| async move { write_off(&tx, now, call, limits, debt, request).await };
        if request.validate_only {
            let rehearsed = rehearse(&self.platform, work).await?;
            return Ok(Response::new(Debt { approval: String::new(), ..rehearsed }));
        }
        let key = RequestKey::new(&self.platform, call, debt.0, &request.request_id, request);
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, work).await?))
    }

    async fn hold_deletion(
        &self,
        request: Request<HoldDeletionRequest>,
    ) -> Result<Response<HoldDeletionResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let account = wire::hold(request).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let hold = |tx: Tx, now| async move {
            pay::hold(&tx, now, call, account, Some(request.reason.trim())).await?;
            Ok(HoldDeletionResponse { debts: open_debts(&tx, account).await? })
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, hold).await?))
    }

    async fn release_deletion(
        &self,
        request: Request<ReleaseDeletionRequest>,
    ) -> Result<Response<ReleaseDeletionResponse>, Status> {
        let call = &Call::of(&request);
        let request = &request.into_inner();
        let account = wire::account("name", &request.name).map_err(Error::from)?;
        let key = RequestKey::new(&self.platform, call, account, &request.request_id, request);
        let release = |tx: Tx, now| async move {
            pay::hold(&tx, now, call, account, None).await?;
            Ok(ReleaseDeletionResponse { debts: open_debts(&tx, account).await? })
        };
        Ok(Response::new(self.platform.mutate::<_, Error, _>(&key, release).await?))
    }
}
