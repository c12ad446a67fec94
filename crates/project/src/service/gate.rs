//! The answers this slice gives to credit: [`florin_credit::ProjectGate`].

use florin_credit::{GateView, ProjectGate, ProjectId};
use florin_platform::{
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
};
use florin_settlement::Instant;

use super::{fund, query};
use crate::{domain::project::ProjectState, ports::PortError, store};

/// Projects, as seen from credit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate;

#[async_trait::async_trait]
impl ProjectGate for Gate {
    async fn project(
        &self,
        reader: Reader<'_>,
        account: AccountId,
        project: ProjectId,
    ) -> Result<Option<GateView>, PortError> {
        let Some(project) = store::project::find(&reader, account, project).await? else { return Ok(None) };
        let ever_active = store::project::counts(&reader, account).await?.ever_active;
        let others = ever_active - u32::from(project.activated.is_some());
        Ok(Some(GateView {
            live: project.state.is_live(),
            over: project.state.is_over(),
            first: others == 0,
            pending: project.state == ProjectState::PendingFunding,
        }))
    }

    async fn is_funded(&self, reader: Reader<'_>, account: AccountId) -> Result<bool, PortError> {
        Ok(query::is_funded(&reader, account).await?)
    }

    async fn funded(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        project: Option<ProjectId>,
    ) -> Result<(), PortError> {
        match project {
            Some(project) => {
                fund::activate(tx, at, call, account, project).await?;
            }
            None => {
                for project in store::project::pending_of(tx, account).await? {
                    fund::activate_found(tx, at, call, project).await?;
                }
            }
        }
        Ok(())
    }

    async fn unfunded(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        project: ProjectId,
    ) -> Result<(), PortError> {
        let Some(project) = store::project::find(tx, account, project).await? else { return Ok(()) };
        if !fund::awaits_a_method(tx, &project).await? {
            fund::cancel_found(tx, at, call, project).await?;
        }
        Ok(())
    }
}
