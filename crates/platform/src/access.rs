//! Who may call which RPC (R2.6): one table, checked before a request is read.

use std::collections::HashMap;

use florin_api::error::v1::ErrorReason;
use tonic::Code;

use crate::{
    call::{Principal, Right, Role},
    refusal::Refusal,
};

/// Who may call an RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Without saying who they are.
    pub anonymous: bool,
    /// A customer, for their own account.
    pub customer: bool,
    /// A service with one of these roles, for any account.
    pub roles: &'static [Role],
    /// A customer with one of these rights on a resource of another account, for that resource (R4.5).
    pub shared: &'static [Right],
}

/// As what a caller was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// As a service that may act on any account.
    ByRole,
    /// As who they are: a customer for their own account, or anybody.
    AsThemselves,
}

/// Full method name → who may call it. A method that is not in the table may be called by nobody.
#[derive(Clone, Debug)]
pub struct AccessTable(HashMap<&'static str, Access>);

impl AccessTable {
    /// The table of `rows`.
    #[must_use]
    pub fn new(rows: &[(&'static str, Access)]) -> Self {
        Self(rows.iter().copied().collect())
    }

    /// The rule of `method`, as in `florin.account.v1.AccountService/GetAccount`.
    #[must_use]
    pub fn rule(&self, method: &str) -> Option<Access> {
        self.0.get(method).copied()
    }

    /// Which rights on a resource of another account let a customer call `method` for it.
    #[must_use]
    pub fn shared(&self, method: &str) -> &'static [Right] {
        self.rule(method).map_or(&[], |rule| rule.shared)
    }

    /// Lets `principal` call `method`, or says why not.
    pub fn admit(&self, method: &str, principal: &Principal) -> Result<Admitted, Refusal> {
        let nobody = Access { anonymous: false, customer: false, roles: &[], shared: &[] };
        let rule = self.rule(method).unwrap_or(nobody);
        if let Principal::Service { roles, .. } = principal
            && roles.iter().any(|role| rule.roles.contains(role))
        {
            return Ok(Admitted::ByRole);
        }
        let admitted = match principal {
            Principal::Anonymous if rule.anonymous => true,
            Principal::Anonymous => {
                return Err(unauthenticated("this call needs a session or service token"));
            }
            Principal::Customer { .. } => rule.customer || rule.anonymous,
            Principal::Service { .. } => rule.anonymous,
        };
        if admitted { Ok(Admitted::AsThemselves) } else { Err(denied(method, principal)) }
    }
}

/// The refusal of somebody who has not said who they are, or whose token is not good.
#[must_use]
pub fn unauthenticated(message: &str) -> Refusal {
    Refusal::new(Code::Unauthenticated, ErrorReason::Unauthenticated, message)
}

fn denied(method: &str, principal: &Principal) -> Refusal {
    Refusal::new(
        Code::PermissionDenied,
        ErrorReason::PermissionDenied,
        format!("{principal} may not call {method}"),
    )
    .with("method", method)
}

/// Finds out who holds a bearer token. Implemented by the slice that owns sessions and service tokens.
#[async_trait::async_trait]
pub trait Authenticator: Send + Sync {
    /// The principal, or none if the token is unknown, expired or revoked.
    async fn authenticate(&self, bearer: &str) -> Result<Option<Principal>, sea_orm::DbErr>;
}
