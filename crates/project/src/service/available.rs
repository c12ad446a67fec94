//! What a project can still spend, for top-ups: [`florin_credit::AvailableFunds`] (R6.10, R4.8).

use florin_credit::{AvailableFunds, PortError, ProjectId};
use florin_platform::{db::Tx, id::AccountId};
use florin_settlement::{Instant, Money};

use super::standings::Standings;

/// *Available* is computed from everything it depends on, not read from the row: what the transaction has written so
/// far counts, and the account is locked, so that nothing changes until it ends.
#[async_trait::async_trait]
impl AvailableFunds for Standings {
    async fn available(
        &self,
        tx: &Tx,
        at: Instant,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<Money>, PortError> {
        let standings = self.computed_anew(tx, at, &[account]).await?;
        let found = standings.into_iter().find(|standing| standing.project == project);
        let known = found.filter(|standing| !standing.unrated);
        Ok(known.map(|standing| standing.money(standing.available_at(at))))
    }
}
