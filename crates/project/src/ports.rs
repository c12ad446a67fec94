//! What this slice asks of slices above it, injected by `server`.
//!
//! | port | implemented by | asked |
//! |---|---|---|
//! | [`DebtStanding`] | `invoicing` | before a project is created (R4.1, R9.3) |
//! | [`InvoiceForecast`] | `invoicing` | when usage is shown and foretold (R5.6) |
//! | [`Receivables`] | `invoicing` | when a funding standing is computed (R4.8) |

use std::collections::{HashMap, HashSet};

use florin_credit::ProjectId;
use florin_platform::{db::Reader, id::AccountId};
use florin_settlement::{Instant, LotKind, Money, Month};

use crate::domain::usage::{BillableProject, RatedLine};

/// What an implementation may fail with; it becomes INTERNAL.
pub type PortError = Box<dyn std::error::Error + Send + Sync>;

/// Debts, as seen from projects.
#[async_trait::async_trait]
pub trait DebtStanding: Send + Sync {
    /// Whether the account has an unpaid debt. Asked with the account locked when `reader` is within a
    /// transaction.
    async fn has_debt(&self, reader: Reader<'_>, account: AccountId) -> Result<bool, PortError>;
}

/// Invoices to come, as seen from projects.
#[async_trait::async_trait]
pub trait InvoiceForecast: Send + Sync {
    /// The month whose invoice of the project is issued next: a month that is over, or the present one.
    async fn next_month(
        &self,
        reader: Reader<'_>,
        now: Instant,
        project: &BillableProject,
    ) -> Result<Month, PortError>;

    /// Who would pay `lines` of `wanted`, when `projects` of one account, in settlement order and each with what is
    /// due of it, are settled for `month`: decided by the code that issues invoices (R8.5).
    async fn payment(
        &self,
        reader: Reader<'_>,
        month: Month,
        projects: Vec<(BillableProject, Vec<RatedLine>)>,
        wanted: ProjectId,
    ) -> Result<ForecastPayment, PortError>;
}

/// Who would pay what is foretold of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastPayment {
    /// When the month is settled (R7.3).
    pub settlement: Instant,
    /// The lots, in the order in which they are taken (R7.1).
    pub debits: Vec<ForecastDebit>,
    /// What they leave to pay in money, before tax.
    pub remainder: Money,
}

/// What one lot would pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastDebit {
    /// The lot's resource name.
    pub credit: String,
    /// Its kind.
    pub kind: LotKind,
    /// How much.
    pub amount: Money,
}

/// Invoices and debts, as seen from what a project may spend.
#[async_trait::async_trait]
pub trait Receivables: Send + Sync {
    /// Those of `accounts` with an unpaid debt.
    async fn in_debt(
        &self,
        reader: Reader<'_>,
        accounts: &[AccountId],
    ) -> Result<HashSet<AccountId>, PortError>;

    /// Up to which month's end use of each of `projects` is invoiced. Nothing is said of those of which no month is.
    async fn billed_until(
        &self,
        reader: Reader<'_>,
        projects: &[(AccountId, ProjectId)],
    ) -> Result<HashMap<(AccountId, ProjectId), Instant>, PortError>;
}
