//! Acts that wait for a second person (R6.13): asked for here, decided by the operators' RPCs.
//!
//! | question | answer |
//! |---|---|
//! | what is kept | the request as it was made, who made it and why; never what it will mean |
//! | who performs it | an [`Act`] of the slice that owns the outcome, in the transaction that approves |
//! | what makes it happen once | a conditional update of the row, before the act |
//! | when does it lapse | at its instant, whether or not anything has run |

use florin_api::event::v1::ApprovalRequested;
use florin_settlement::{Instant, Money};
use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};
use tonic::Status;

use crate::{
    audit,
    call::{Call, Role},
    column::{At, CorruptRow},
    db::{Tx, sql},
    id::{AccountId, Id, Kind},
    outbox,
    wire::{child_name, timestamp},
};

/// Who has not been answered in so many days asks again (R6.13).
pub const LAPSE_AFTER_DAYS: u32 = 7;
/// The longest reason, of whoever asks and of whoever decides, in characters.
pub const REASON_CHARACTERS_MAX: usize = 500;

/// Marks ids of approvals.
#[derive(Debug)]
pub enum Mark {}
impl Kind for Mark {
    const PREFIX: &'static str = "approval";
}
/// The id of an approval.
pub type ApprovalId = Id<Mark>;

/// `accounts/{account}/approvals/{approval}`.
#[must_use]
pub fn approval_name(account: AccountId, approval: ApprovalId) -> String {
    child_name(account, "approvals", approval)
}

/// An act to ask approval for.
#[derive(Clone, Debug)]
pub struct NewApproval<'a> {
    /// The account it is about.
    pub account: AccountId,
    /// The full name of the request message: what finds the [`Act`] again.
    pub kind: &'static str,
    /// The request, encoded.
    pub payload: Vec<u8>,
    /// What it would do, in one line, for whoever decides.
    pub summary: String,
    /// Why, in the words of whoever asks.
    pub reason: &'a str,
}

/// How far an approval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// Nobody has decided, and there is still time.
    Pending,
    /// The act has taken effect.
    Approved,
    /// It never will.
    Rejected,
    /// Nobody decided in time.
    Lapsed,
}

/// What somebody else said to an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Instant,
    /// What the act made, a resource name; `None` if it was rejected.
    pub result: Option<String>,
}

/// An act somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The account it is about.
    pub account: AccountId,
    /// Its id.
    pub id: ApprovalId,
    /// The full name of the request message.
    pub kind: String,
    /// The request, encoded.
    pub payload: Vec<u8>,
    /// What it would do, in one line.
    pub summary: String,
    /// Why.
    pub reason: String,
    /// Who asked, as in the audit log.
    pub requested_by: String,
    /// When.
    pub requested: Instant,
    /// When it lapses.
    pub expires: Instant,
    /// What was decided, if anything was.
    pub decision: Option<Decision>,
}

impl Approval {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        approval_name(self.account, self.id)
    }

    /// The state as of `at`.
    #[must_use]
    pub fn state_at(&self, at: Instant) -> ApprovalState {
        match &self.decision {
            Some(Decision { result: Some(_), .. }) => ApprovalState::Approved,
            Some(Decision { result: None, .. }) => ApprovalState::Rejected,
            None if self.expires <= at => ApprovalState::Lapsed,
            None => ApprovalState::Pending,
        }
    }
}

/// Up to how much one person may do alone. Above it an act waits for a second one (R6.13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    units: i64,
    amounts: Vec<Money>,
}

impl Limits {
    /// `amounts`, each for its currency; so many whole units in every other one.
    #[must_use]
    pub fn new(units: i64, amounts: Vec<Money>) -> Self {
        Self { units, amounts }
    }

    /// Whether `amount` needs a second person. What cannot be compared does.
    #[must_use]
    pub fn needs_approval(&self, amount: Money) -> bool {
        match self.amounts.iter().find(|limit| limit.currency() == amount.currency()) {
            Some(limit) => amount.minor() > limit.minor(),
            None => Money::from_units_nanos(self.units, 0, amount.currency())
                .map_or(true, |limit| amount.minor() > limit.minor()),
        }
    }
}

/// What takes effect when it is approved. Implemented by the slice that owns the outcome, injected by `server`.
#[async_trait::async_trait]
pub trait Act: Send + Sync {
    /// The full name of the request message it performs.
    fn kind(&self) -> &'static str;

    /// The role it takes to ask for it, and so to decide it.
    fn role(&self) -> Role;

    /// Performs what `approval` holds, inside the transaction that approves it, with its account locked; the
    /// name of what it made. A refusal undoes the approval as well.
    async fn perform(&self, tx: &Tx, at: Instant, call: &Call, approval: &Approval)
    -> Result<String, Status>;
}

/// Asks for `new`: its row, the audit row and the event. The account is locked.
pub async fn request(tx: &Tx, at: Instant, call: &Call, new: NewApproval<'_>) -> Result<Approval, DbErr> {
    let approval = Approval {
        account: new.account,
        id: ApprovalId::generate(at),
        kind: new.kind.to_owned(),
        payload: new.payload,
        summary: new.summary,
        reason: new.reason.to_owned(),
        requested_by: call.principal.to_string(),
        requested: at,
        expires: at.plus_days(LAPSE_AFTER_DAYS),
        decision: None,
    };
    let text = "INSERT INTO approval (account_id, id, kind, payload, summary, reason, requested_by, requested_at, \
                expires_at, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'PENDING')";
    let values = [
        approval.account.into(),
        approval.id.into(),
        approval.kind.as_str().into(),
        approval.payload.clone().into(),
        approval.summary.as_str().into(),
        approval.reason.as_str().into(),
        approval.requested_by.as_str().into(),
        At::from(approval.requested).into(),
        At::from(approval.expires).into(),
    ];
    tx.execute_raw(sql(tx, text, values)).await?;
    let name = approval.name();
    audit::record(tx, at, call, approval.account, &name).await?;
    let fact = ApprovalRequested {
        approval: name,
        act_type: approval.kind.clone(),
        expire_time: Some(timestamp(approval.expires)),
    };
    outbox::append(tx, at, approval.account, &fact).await?;
    Ok(approval)
}

/// Writes down `decision`; false if something was decided before. Of two at once one waits for the other.
pub async fn decide(tx: &Tx, approval: &Approval, decision: &Decision) -> Result<bool, DbErr> {
    let text = "UPDATE approval SET state = $3, decided_by = $4, decision_reason = $5, decided_at = $6, result = $7 \
                WHERE account_id = $1 AND id = $2 AND state = 'PENDING'";
    let state = if decision.result.is_some() { "APPROVED" } else { "REJECTED" };
    let values = [
        approval.account.into(),
        approval.id.into(),
        state.into(),
        decision.by.as_str().into(),
        decision.reason.as_str().into(),
        At::from(decision.at).into(),
        decision.result.clone().into(),
    ];
    Ok(tx.execute_raw(sql(tx, text, values)).await?.rows_affected() == 1)
}

/// Locks the row of an approval until the transaction ends. Whoever decides does so before reading it.
pub async fn lock(tx: &Tx, account: AccountId, id: ApprovalId) -> Result<(), DbErr> {
    let text = "UPDATE approval SET state = state WHERE account_id = $1 AND id = $2 AND state = 'PENDING'";
    tx.execute_raw(sql(tx, text, [account.into(), id.into()])).await.map(|_| ())
}

/// One approval.
pub async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: ApprovalId,
) -> Result<Option<Approval>, DbErr> {
    let text = format!("SELECT {COLUMNS} FROM approval WHERE account_id = $1 AND id = $2");
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), id.into()])).await?;
    row.map(|row| Ok(Approval::try_from(Row::from_query_result(&row, "")?)?)).transpose()
}

/// Which approvals are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Of this account; of all when there is none.
    pub account: Option<AccountId>,
    /// In one of these states; in any when there is none.
    pub states: Vec<ApprovalState>,
}

/// Approvals, newest first, older than `before`. States are those of `at`.
pub async fn list(
    connection: &impl ConnectionTrait,
    filter: &Filter,
    at: Instant,
    before: Option<ApprovalId>,
    fetch: u64,
) -> Result<Vec<Approval>, DbErr> {
    let mut values: Vec<Value> = vec![At::from(at).into()];
    // The first value is named also where no state is asked for: every value has its use.
    let mut text = format!("SELECT {COLUMNS} FROM approval WHERE requested_at <= $1");
    if let Some(account) = filter.account {
        values.push(account.into());
        text.push_str(&format!(" AND account_id = ${}", values.len()));
    }
    if let Some(before) = before {
        values.push(before.into());
        text.push_str(&format!(" AND id < ${}", values.len()));
    }
    if !filter.states.is_empty() {
        let states = filter.states.iter().map(|state| match state {
            ApprovalState::Pending => "state = 'PENDING' AND expires_at > $1",
            ApprovalState::Lapsed => "state = 'PENDING' AND expires_at <= $1",
            ApprovalState::Approved => "state = 'APPROVED'",
            ApprovalState::Rejected => "state = 'REJECTED'",
        });
        let any = states.map(|state| format!("({state})")).collect::<Vec<_>>().join(" OR ");
        text.push_str(&format!(" AND ({any})"));
    }
    text.push_str(&format!(" ORDER BY id DESC LIMIT {fetch}"));
    let rows = connection.query_all_raw(sql(connection, &text, values)).await?;
    rows.iter().map(|row| Ok(Approval::try_from(Row::from_query_result(row, "")?)?)).collect()
}

const COLUMNS: &str = "account_id, id, kind, payload, summary, reason, requested_by, requested_at, expires_at, \
                       state, decided_by, decision_reason, decided_at, result";

#[derive(Debug, FromQueryResult)]
struct Row {
    account_id: AccountId,
    id: ApprovalId,
    kind: String,
    payload: Vec<u8>,
    summary: String,
    reason: String,
    requested_by: String,
    requested_at: At,
    expires_at: At,
    state: String,
    decided_by: Option<String>,
    decision_reason: Option<String>,
    decided_at: Option<At>,
    result: Option<String>,
}

impl TryFrom<Row> for Approval {
    type Error = CorruptRow;

    fn try_from(row: Row) -> Result<Self, CorruptRow> {
        let decided = row.decided_by.zip(row.decision_reason).zip(row.decided_at);
        let decision = match (row.state.as_str(), decided, row.result) {
            ("PENDING", None, None) => None,
            ("APPROVED", Some(((by, reason), at)), Some(result)) => {
                Some(Decision { by, reason, at: at.into(), result: Some(result) })
            }
            ("REJECTED", Some(((by, reason), at)), None) => {
                Some(Decision { by, reason, at: at.into(), result: None })
            }
            (_, _, _) => return Err(CorruptRow::new("approval", "a state that does not fit its decision")),
        };
        Ok(Self {
            account: row.account_id,
            id: row.id,
            kind: row.kind,
            payload: row.payload,
            summary: row.summary,
            reason: row.reason,
            requested_by: row.requested_by,
            requested: row.requested_at.into(),
            expires: row.expires_at.into(),
            decision,
        })
    }
}

#[cfg(test)]
mod tests {
    use florin_settlement::Currency;

    use super::*;

    #[test]
    fn one_person_may_do_what_does_not_exceed_the_limit_of_its_currency() {
        let limits = Limits::new(1000, vec![Money::new(50_000, Currency::EUR)]);
        assert!(!limits.needs_approval(Money::new(50_000, Currency::EUR)));
        assert!(limits.needs_approval(Money::new(50_001, Currency::EUR)));
        assert!(!limits.needs_approval(Money::new(100_000, Currency::USD)));
        assert!(limits.needs_approval(Money::new(100_001, Currency::USD)));
    }
}
