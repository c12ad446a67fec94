//! The port to whoever knows what an account still has to pay for. Implemented above this slice, injected by
//! `server`.

use florin_platform::{db::Reader, id::AccountId};

use crate::outcomes::BoxError;

/// Asked before the last method that can pay is removed (R3.4).
#[async_trait::async_trait]
pub trait MethodNeeds: Send + Sync {
    /// The resource names of what still needs a way to pay: live projects, debts. Empty if nothing does. Of
    /// many, the first [`NEEDS_MAX`] are enough.
    async fn needed_by(&self, reader: Reader<'_>, account: AccountId) -> Result<Vec<String>, BoxError>;
}

/// How many names a refusal lists at most.
pub const NEEDS_MAX: usize = 10;
