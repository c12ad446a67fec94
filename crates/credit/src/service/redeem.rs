//! Checking and redeeming a code on behalf of a caller: what the RPCs do around [`super::vouchers`].

use florin_platform::{
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
};
use florin_settlement::Instant;

use super::{
    query,
    vouchers::{self, Voucher},
};
use crate::{
    domain::{
        lot::CreditLot,
        project_ref::ProjectId,
        redemption::{Context, VoucherRefusal},
    },
    error::Error,
    ports::ProjectGate,
};

/// What `code` would give in `project`, or, without one, in the account's first project. The refusals of
/// R6.6 are an answer here; a wrong try leaves its trace all the same.
pub(crate) async fn check(
    tx: &Tx,
    at: Instant,
    gate: &dyn ProjectGate,
    account: AccountId,
    project: Option<ProjectId>,
    code: &str,
) -> Result<Result<Voucher, VoucherRefusal>, Error> {
    florin_account::lock(tx, &[account]).await?;
    let owner = query::account(tx, account).await?;
    let reader = Reader::Within(tx);
    let first_project = match project {
        Some(project) => query::project(gate, reader, account, project).await?.first,
        None => !gate.is_funded(reader, account).await.map_err(Error::Port)?,
    };
    let context = Context { first_project, has_method: has_method(tx, account).await? };
    match vouchers::check(tx, at, &owner, code, context).await {
        Ok(Ok(voucher)) => Ok(Ok(voucher)),
        Ok(Err(Error::Voucher(refusal))) | Err(Error::Voucher(refusal)) => Ok(Err(refusal)),
        Ok(Err(error)) | Err(error) => Err(error),
    }
}

/// Redeems `code` in a live project of an ACTIVE account. A project that waits for its funding has it
/// then (R4.3). The inner error leaves a trace: see [`vouchers::redeem`].
pub(crate) async fn redeem(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    account: AccountId,
    project: ProjectId,
    code: &str,
) -> Result<Result<CreditLot, Error>, Error> {
    florin_account::lock(tx, &[account]).await?;
    let owner = query::active_account(tx, account).await?;
    let view = query::live_project(gate, Reader::Within(tx), account, project).await?;
    let context = Context { first_project: view.first, has_method: has_method(tx, account).await? };
    let redeemed = vouchers::redeem(tx, at, call, &owner, project, code, context).await?;
    if redeemed.is_ok() {
        gate.funded(tx, at, call, account, Some(project)).await.map_err(Error::Port)?;
    }
    Ok(redeemed)
}

async fn has_method(tx: &Tx, account: AccountId) -> Result<bool, Error> {
    Ok(!florin_payment::methods_valid(tx, account).await?.is_empty())
}
