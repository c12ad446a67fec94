//! Deciding acts that wait for a second person (R6.13).
//!
//! | step | why there |
//! |---|---|
//! | the account is locked, then the approval's row | money transactions begin with the account; two who decide at once take turns |
//! | still pending, by somebody else, with the act's role | read after the lock |
//! | the act takes effect | in the same transaction: one effect, or none and no decision |
//! | the decision is written | last, with what the act made |

use std::sync::Arc;

use florin_api::event::v1::{ApprovalGranted, ApprovalRejected};
use florin_platform::{
    approval::{self, Act, Approval, ApprovalId, ApprovalState, Decision, REASON_CHARACTERS_MAX},
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    outbox,
    violation::Violations,
};
use florin_settlement::Instant;

use crate::error::Error;

/// Every act that can wait, by the request it performs.
#[derive(Clone, Default)]
pub struct Acts(Vec<Arc<dyn Act>>);

impl std::fmt::Debug for Acts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|act| act.kind())).finish()
    }
}

impl Acts {
    /// The acts of the slices.
    #[must_use]
    pub fn new(acts: Vec<Arc<dyn Act>>) -> Self {
        Self(acts)
    }

    fn of(&self, approval: &Approval) -> Result<&dyn Act, Error> {
        let act = self.0.iter().find(|act| act.kind() == approval.kind);
        act.map(AsRef::as_ref).ok_or_else(|| Error::ActUnknown(approval.kind.clone()))
    }
}

/// What is to be decided, and what is said to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) account: AccountId,
    pub(crate) id: ApprovalId,
    pub(crate) reason: String,
}

impl Verdict {
    fn check(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        let fits = (1..=REASON_CHARACTERS_MAX).contains(&self.reason.trim().chars().count());
        violations.check("reason", fits, format!("must be 1 to {REASON_CHARACTERS_MAX} characters"));
        violations.finish()
    }

    fn decision(&self, at: Instant, call: &Call, result: Option<String>) -> Decision {
        Decision { by: call.principal.to_string(), reason: self.reason.trim().to_owned(), at, result }
    }
}

/// The act takes effect, with the approval of whoever calls.
pub(crate) async fn approve(
    tx: &Tx,
    at: Instant,
    call: &Call,
    acts: &Acts,
    verdict: &Verdict,
) -> Result<Approval, Error> {
    let (pending, act) = undecided(tx, at, call, acts, verdict).await?;
    if pending.requested_by == call.principal.to_string() {
        return Err(Error::ApprovalByRequester);
    }
    let result =
        act.perform(tx, at, call, &pending).await.map_err(|refused| Error::Act(Box::new(refused)))?;
    let decided = write(tx, at, call, pending, verdict.decision(at, call, Some(result.clone()))).await?;
    let fact = ApprovalGranted { approval: decided.name(), result };
    outbox::append(tx, at, decided.account, &fact).await?;
    Ok(decided)
}

/// The act never takes effect.
pub(crate) async fn reject(
    tx: &Tx,
    at: Instant,
    call: &Call,
    acts: &Acts,
    verdict: &Verdict,
) -> Result<Approval, Error> {
    let (pending, _) = undecided(tx, at, call, acts, verdict).await?;
    let decided = write(tx, at, call, pending, verdict.decision(at, call, None)).await?;
    let fact = ApprovalRejected { approval: decided.name() };
    outbox::append(tx, at, decided.account, &fact).await?;
    Ok(decided)
}

async fn undecided<'a>(
    tx: &Tx,
    at: Instant,
    call: &Call,
    acts: &'a Acts,
    verdict: &Verdict,
) -> Result<(Approval, &'a dyn Act), Error> {
    verdict.check()?;
    florin_account::lock(tx, &[verdict.account]).await?;
    approval::lock(tx, verdict.account, verdict.id).await?;
    let name = || approval::approval_name(verdict.account, verdict.id);
    let found = approval::find(tx, verdict.account, verdict.id).await?;
    let found = found.ok_or_else(|| Error::NotFound(name()))?;
    let act = acts.of(&found)?;
    if !call.has_role(act.role()) {
        return Err(Error::RoleMissing { role: act.role() });
    }
    match found.state_at(at) {
        ApprovalState::Pending => Ok((found, act)),
        state @ (ApprovalState::Approved | ApprovalState::Rejected | ApprovalState::Lapsed) => {
            Err(Error::ApprovalNotPending { state: word(state) })
        }
    }
}

async fn write(
    tx: &Tx,
    at: Instant,
    call: &Call,
    pending: Approval,
    decision: Decision,
) -> Result<Approval, Error> {
    if !approval::decide(tx, &pending, &decision).await? {
        return Err(Error::ApprovalNotPending { state: word(ApprovalState::Approved) });
    }
    audit::record(tx, at, call, pending.account, &pending.name()).await?;
    Ok(Approval { decision: Some(decision), ..pending })
}

/// A state in the words of a refusal.
fn word(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "PENDING",
        ApprovalState::Approved => "APPROVED",
        ApprovalState::Rejected => "REJECTED",
        ApprovalState::Lapsed => "LAPSED",
    }
}
