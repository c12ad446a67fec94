//! What this slice asks of slices above it, injected by `server`.
//!
//! | port | implemented by | asked |
//! |---|---|---|
//! | [`DebtStanding`] | `invoicing` | before a project is created (R4.1, R9.3) |

use florin_platform::{db::Reader, id::AccountId};

/// What an implementation may fail with; it becomes INTERNAL.
pub type PortError = Box<dyn std::error::Error + Send + Sync>;

/// Debts, as seen from projects.
#[async_trait::async_trait]
pub trait DebtStanding: Send + Sync {
    /// Whether the account has an unpaid debt. Asked with the account locked when `reader` is within a
    /// transaction.
    async fn has_debt(&self, reader: Reader<'_>, account: AccountId) -> Result<bool, PortError>;
}
