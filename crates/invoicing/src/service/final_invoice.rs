//! The end of a project (R4.6): at the end of its grace everything unbilled is invoiced, what credit is left is
//! forfeited, and the deletion is finished; in one transaction.
//!
//! | question | answer |
//! |---|---|
//! | what is unbilled | the months whose settlement instant lies after the end of the grace: no run bills the project then |
//! | and the months before | they are billed by their runs, and the final invoice waits for them: settlements keep their order |
//! | settled when | at the end of the grace (R7.3) |
//! | when is credit forfeited | after it has paid (R6.8) |
//! | exactly once | DELETING is read under the lock; one FINAL invoice per project is also a unique key |

use florin_account::{Account, Issuer};
use florin_payment::{PaymentId, Payments};
use florin_platform::{Platform, call::Call, db::Tx, id::AccountId};
use florin_project::{Project, ProjectState};
use florin_settlement::{Instant, Month};

use super::{
    dunning::after_drive,
    issue::{Collection, issue_one},
    ports::unissued_since,
    settle,
};
use crate::{
    domain::{billing_run::settlement_of, charge::Bill, draft::draft, invoice::Occasion},
    error::Error,
    store,
};

/// Final invoices over one platform, collected through one [`Payments`].
#[derive(Clone, Debug)]
pub struct FinalInvoices {
    platform: Platform,
    payments: Payments,
}

/// What became of the end of a project.
enum Ended {
    /// It is over; the payment, if there is one, is to be driven.
    Over(Option<PaymentId>),
    /// An earlier settlement of the account is not issued yet.
    Waits,
}

impl FinalInvoices {
    /// Final invoices of projects kept in `platform`, collected through `payments`.
    #[must_use]
    pub fn new(platform: Platform, payments: Payments) -> Self {
        Self { platform, payments }
    }

    /// When the next grace ends.
    pub(crate) async fn next_due(&self) -> Result<Option<Instant>, Error> {
        Ok(florin_project::next_final(self.platform.db.reader()).await?)
    }

    /// Ends at most `limit` projects whose grace is over; how many it did. What ails one stops no other.
    pub(crate) async fn run(&self, call: &Call, limit: u32) -> Result<u32, Error> {
        let reader = self.platform.db.reader();
        let now = self.platform.clock.now(reader).await?;
        let mut done = 0_u32;
        for project in florin_project::due_for_final(reader, now, limit).await? {
            match self.end(call, &project).await {
                Ok(Ended::Over(payment)) => {
                    done = done.saturating_add(1);
                    if let Some(payment) = payment {
                        self.collect(call, project.account, payment).await?;
                    }
                }
                Ok(Ended::Waits) => {}
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    tracing::error!(
                        project = project.resource_name(),
                        error = cause,
                        "a project's end waits"
                    );
                }
            }
        }
        Ok(done)
    }

    async fn end(&self, call: &Call, project: &Project) -> Result<Ended, Error> {
        let clock = self.platform.clock;
        let finish = |tx: Tx| async move {
            florin_account::lock(&tx, &[project.account]).await?;
            let at = clock.now(&tx).await?;
            finish(&tx, at, call, project).await
        };
        self.platform.db.write(finish).await
    }

    async fn collect(&self, call: &Call, account: AccountId, payment: PaymentId) -> Result<(), Error> {
        match self.payments.drive(call, account, payment).await {
            Ok(payment) => after_drive(&self.platform, &payment).await,
            Err(error) => {
                tracing::warn!(%payment, error = &error as &dyn std::error::Error, "collection waits");
                Ok(())
            }
        }
    }
}

async fn finish(tx: &Tx, at: Instant, call: &Call, project: &Project) -> Result<Ended, Error> {
    let (owner, id) = (project.account, project.id);
    let Some(project) = florin_project::find(tx, owner, id).await? else { return Ok(Ended::Over(None)) };
    let Some(deletion) = project.deletion.filter(|_| project.state == ProjectState::Deleting) else {
        return Ok(Ended::Over(None));
    };
    let settlement = deletion.grace_ends;
    if at < settlement {
        return Ok(Ended::Waits);
    }
    let waits = unissued_since(tx, at, &[owner]).await?;
    if waits.get(&owner).is_some_and(|earlier| *earlier <= settlement) {
        return Ok(Ended::Waits);
    }
    let mut payment = None;
    if store::invoice::final_of(tx, owner, id).await?.is_none() {
        let months = months(tx, &project, settlement).await?;
        let bill = bill(tx, at, &project, settlement, &months).await?;
        let since = months.first().map_or(settlement, |month| month.start());
        let lots = settle::lots_by_account(tx, &[owner], since, settlement).await?.remove(&owner);
        let draft = draft(bill, &lots.unwrap_or_default(), settlement)?;
        let issued = issue_one(tx, at, call, draft, Collection::DefaultMethod).await?;
        payment = issued.and_then(|issued| issued.to_drive);
    }
    florin_credit::forfeit_project(tx, at, call, owner, id).await?;
    florin_project::finish_deletion(tx, at, call, owner, id).await?;
    Ok(Ended::Over(payment))
}

/// The months no run bills the project for: those settled after the end of its grace, oldest first.
async fn months(tx: &Tx, project: &Project, settlement: Instant) -> Result<Vec<Month>, Error> {
    let issuer = issuer(tx, &owner(tx, project).await?).await?;
    let mut months = vec![Month::of(settlement)];
    let mut month = Month::of(settlement).previous();
    while settlement_of(month, &issuer) > settlement && month.end() > project.created {
        months.push(month);
        month = month.previous();
    }
    months.reverse();
    Ok(months)
}

async fn owner(tx: &Tx, project: &Project) -> Result<Account, Error> {
    let missing = || Error::NotFound(florin_platform::wire::account_name(project.account));
    florin_account::find(tx, project.account).await?.ok_or_else(missing)
}

async fn issuer(tx: &Tx, account: &Account) -> Result<Issuer, Error> {
    let missing = || Error::NotFound(format!("issuers/{}", account.issuer));
    florin_account::issuer(tx, &account.issuer).await?.ok_or_else(missing)
}

/// Everything the project used in `months` and has not been billed for. Each month is closed once it is read:
/// what is measured is read with the first month that is open.
async fn bill(
    tx: &Tx,
    at: Instant,
    project: &Project,
    settlement: Instant,
    months: &[Month],
) -> Result<Bill, Error> {
    let account = owner(tx, project).await?;
    let keys = [(account.id, project.id)];
    let mut charges = Vec::new();
    for month in months {
        let lines = florin_project::usage::of_projects(tx, &keys, month.period(), settlement).await?;
        charges.extend(settle::charges_of(tx, &account, *month, lines).await?);
        florin_project::usage::close(tx, at, *month, &keys).await?;
    }
    let due = florin_project::advance::unbilled(tx, &keys, settlement).await?;
    charges.extend(settle::charges_of(tx, &account, Month::of(settlement), due).await?);
    Ok(Bill {
        account: account.id,
        project: project.id,
        issuer: account.issuer.clone(),
        occasion: Occasion::Final,
        currency: account.currency,
        charges,
        advance_until: Some(settlement),
    })
}
