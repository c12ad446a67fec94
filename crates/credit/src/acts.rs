//! What of this slice can wait for a second operator (R6.13): grants.

use std::sync::Arc;

use florin_platform::{
    approval::{Act, Approval},
    call::{Call, Role},
    column::CorruptRow,
    db::Tx,
    violation::Violations,
};
use florin_settlement::Instant;
use prost::Message;
use tonic::Status;

use crate::{
    convert,
    error::Error,
    names::grant_name,
    ports::ProjectGate,
    service::grants::{self, NewGrant},
};

/// The request a LAUNCHPAD grant is asked for with.
pub(crate) const GRANT_LAUNCH_PAD: &str = "florin.credit.v1.GrantLaunchPadRequest";
/// The request a LOYALTY grant is asked for with.
pub(crate) const GRANT_LOYALTY: &str = "florin.credit.v1.GrantLoyaltyRequest";

/// The acts of this slice; `gate` is told of grants that fund a first project.
#[must_use]
pub fn acts(gate: &Arc<dyn ProjectGate>) -> Vec<Arc<dyn Act>> {
    let launch_pad = |payload: &[u8]| read(payload, convert::grant::launchpad);
    let loyalty = |payload: &[u8]| read(payload, convert::grant::loyalty);
    vec![
        Arc::new(Granting { kind: GRANT_LAUNCH_PAD, read: launch_pad, gate: Arc::clone(gate) }),
        Arc::new(Granting { kind: GRANT_LOYALTY, read: loyalty, gate: Arc::clone(gate) }),
    ]
}

struct Granting {
    kind: &'static str,
    read: fn(&[u8]) -> Result<NewGrant, Error>,
    gate: Arc<dyn ProjectGate>,
}

#[async_trait::async_trait]
impl Act for Granting {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn role(&self) -> Role {
        Role::Finance
    }

    /// The grant is the requester's: the approval says who let it happen.
    async fn perform(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        approval: &Approval,
    ) -> Result<String, Status> {
        let new = (self.read)(&approval.payload)?;
        let grantor = approval.requested_by.clone();
        let grant = grants::give_as(tx, at, call, &*self.gate, new, grantor).await?;
        Ok(grant_name(grant.account, grant.id))
    }
}

fn read<Asked: Message + Default>(
    payload: &[u8],
    parse: fn(&Asked) -> Result<NewGrant, Violations>,
) -> Result<NewGrant, Error> {
    let asked = Asked::decode(payload).map_err(CorruptRow::of("approval"))?;
    Ok(parse(&asked)?)
}

#[cfg(test)]
mod tests {
    use florin_api::credit::v1::{GrantLaunchPadRequest, GrantLoyaltyRequest};
    use prost::Name;

    use super::*;

    #[test]
    fn an_act_is_found_by_the_name_of_its_request() {
        assert_eq!(GrantLaunchPadRequest::full_name(), GRANT_LAUNCH_PAD);
        assert_eq!(GrantLoyaltyRequest::full_name(), GRANT_LOYALTY);
    }
}
