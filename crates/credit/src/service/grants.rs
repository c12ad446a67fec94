//! Credit given by operators: LAUNCHPAD and LOYALTY (R6.7, R6.13).

use florin_account::Account;
use florin_platform::{
    approval::{self, Approval, Limits, NewApproval},
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    outbox,
    violation::Violations,
    wire,
};
use florin_settlement::{Instant, Money, Restriction};

use super::{ledger, query};
use crate::{
    domain::{
        grant::{Grant, GrantId, GrantKind, REASON_CHARACTERS_MAX},
        lot::{NewLot, Origin},
        order::AmountError,
    },
    error::Error,
    events::CreditGranted,
    names::{grant_name, lot_name},
    ports::ProjectGate,
    store,
};

/// A grant to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Who gets it.
    pub account: AccountId,
    /// LAUNCHPAD or LOYALTY.
    pub kind: GrantKind,
    /// How much, excluding VAT.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// When the lot expires; of `None`, as its kind has it.
    pub expires: Option<Instant>,
    /// What it may pay for.
    pub restriction: Restriction,
}

/// What became of a grant somebody asked for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// It has been made.
    Given(Grant),
    /// It waits for a second operator (R6.13).
    Waits(Approval),
}

/// A grant as it was asked for: what waits for approval is the request itself.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) kind: &'static str,
    pub(crate) payload: Vec<u8>,
}

/// Gives an account a lot, or asks for a second operator where the amount needs one (R6.13).
pub(crate) async fn ask(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    limits: &Limits,
    new: NewGrant,
    request: Request,
) -> Result<Asked, Error> {
    if !limits.needs_approval(new.amount) {
        return give(tx, at, call, gate, new).await.map(Asked::Given);
    }
    granted_to(tx, at, &new).await?;
    let asked = NewApproval {
        account: new.account,
        kind: request.kind,
        payload: request.payload,
        summary: format!(
            "grant {} of {} to {}",
            new.amount,
            new.kind.description(),
            wire::account_name(new.account)
        ),
        reason: &new.reason,
    };
    Ok(Asked::Waits(approval::request(tx, at, call, asked).await?))
}

/// Whom a grant is for, locked, if it can be made.
async fn granted_to(tx: &Tx, at: Instant, new: &NewGrant) -> Result<Account, Error> {
    violations(new, at).finish()?;
    florin_account::lock(tx, &[new.account]).await?;
    let account = query::active_account(tx, new.account).await?;
    if new.amount.currency() != account.currency {
        return Err(AmountError::Currency(account.currency).into());
    }
    Ok(account)
}

/// Gives an account a lot, and locks it for that. A LAUNCHPAD grant also funds a first project (R4.2). Whether one
/// operator may do so alone is the caller's to know.
///
/// # Errors
/// [`Error::Invalid`], [`Error::NotFound`], [`Error::AccountNotActive`], [`Error::Amount`] for another
/// currency.
pub async fn give(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    new: NewGrant,
) -> Result<Grant, Error> {
    give_as(tx, at, call, gate, new, call.principal.to_string()).await
}

/// As [`give`], in the name of whoever asked for it.
pub(crate) async fn give_as(
    tx: &Tx,
    at: Instant,
    call: &Call,
    gate: &dyn ProjectGate,
    new: NewGrant,
    grantor: String,
) -> Result<Grant, Error> {
    let account = granted_to(tx, at, &new).await?;
    let id = GrantId::generate(at);
    let lot = NewLot {
        account: new.account,
        project: None,
        kind: new.kind.lot_kind(),
        amount: new.amount,
        issued: at,
        expires: new.expires.or_else(|| new.kind.expiry(at)),
        restriction: new.restriction,
        origin: Origin::Grant(id),
        description: new.kind.description().to_owned(),
    };
    let lot = ledger::issue(tx, at, &account, lot).await?;
    let grant = Grant {
        id,
        account: new.account,
        kind: new.kind,
        amount: new.amount,
        reason: new.reason,
        lot: lot.id,
        grantor,
        created: at,
    };
    store::grant::insert(tx, &grant).await?;
    let name = grant_name(new.account, id);
    audit::record(tx, at, call, new.account, &name).await?;
    let fact = CreditGranted { grant: name, credit: lot_name(&lot), amount: Some(wire::money(grant.amount)) };
    outbox::append(tx, at, new.account, &fact).await?;
    match new.kind {
        GrantKind::LaunchPad => gate.funded(tx, at, call, new.account, None).await.map_err(Error::Port)?,
        GrantKind::Loyalty => {}
    }
    Ok(grant)
}

fn violations(new: &NewGrant, at: Instant) -> Violations {
    let mut violations = Violations::new();
    violations.check("amount", new.amount.is_positive(), "must be above zero");
    let reason = (1..=REASON_CHARACTERS_MAX).contains(&new.reason.trim().chars().count());
    violations.check("reason", reason, format!("must be 1 to {REASON_CHARACTERS_MAX} characters"));
    violations.check("expire_time", new.expires.is_none_or(|expires| at < expires), "must lie in the future");
    violations
}
