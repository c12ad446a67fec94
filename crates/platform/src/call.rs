//! Who is calling, and what for.

use std::fmt;

use crate::id::{AccountId, Id, Kind};

/// Marks ids of sign-in sessions.
#[derive(Debug)]
pub enum Session {}
impl Kind for Session {
    const PREFIX: &'static str = "sess";
}

/// What an internal service may do (R2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Support and administration: accounts, projects, notices.
    Operator,
    /// Control planes: resources and usage.
    ControlPlane,
    /// Finance: billing runs, invoices, grants.
    Finance,
    /// Promotions: campaigns and codes.
    Marketing,
    /// Moves the sandbox clock and decides sandbox payments.
    Sandbox,
}

impl Role {
    /// Every role, for a token that has them all.
    pub const ALL: [Self; 5] =
        [Self::Operator, Self::ControlPlane, Self::Finance, Self::Marketing, Self::Sandbox];

    /// The stored and configured form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "OPERATOR",
            Self::ControlPlane => "CONTROL_PLANE",
            Self::Finance => "FINANCE",
            Self::Marketing => "MARKETING",
            Self::Sandbox => "SANDBOX",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// What one account may let another do with a resource of its own (R4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Whatever the account itself may do with it.
    Owner,
    /// The same, but for making and unmaking owners.
    Admin,
    /// What costs and is paid.
    Billing,
    /// What runs.
    Technical,
    /// Reading.
    ReadOnly,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Billing, Self::Technical, Self::ReadOnly];

    /// The stored form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "OWNER",
            Self::Admin => "ADMIN",
            Self::Billing => "BILLING",
            Self::Technical => "TECHNICAL",
            Self::ReadOnly => "READ_ONLY",
        }
    }

    /// Reads the stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == text)
    }
}

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody has said who they are.
    Anonymous,
    /// A customer's session.
    Customer {
        /// Whose.
        account: AccountId,
        /// Which sign-in.
        session: Id<Session>,
    },
    /// An internal service.
    Service {
        /// Its name, as in the audit log.
        name: String,
        /// What it may do.
        roles: Vec<Role>,
    },
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Customer { account, .. } => write!(f, "accounts/{account}"),
            Self::Service { name, .. } => write!(f, "services/{name}"),
        }
    }
}

/// One RPC on its way through the house.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub principal: Principal,
    /// The full method, as in `florin.account.v1.AccountService/CreateAccount`.
    pub method: String,
    /// The request id of logs and support, as answered in `x-request-id`.
    pub trace: String,
    /// Whether the access table let a service in for one of its roles, to act on any account.
    pub by_role: bool,
    /// Any of these rights lets another account make this call for a resource that was shared with it, as
    /// the access table has it; none for most. The rights themselves are looked up where the resource is
    /// known.
    pub shared: &'static [Right],
}

impl Call {
    /// The call a request belongs to, as the access layer recorded it.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self {
            principal: Principal::Anonymous,
            method: String::new(),
            trace: String::new(),
            by_role: false,
            shared: &[],
        })
    }

    /// What the schedule does by itself, as it stands in the audit log.
    #[must_use]
    pub fn by_job(name: &str) -> Self {
        Self {
            principal: Principal::Service { name: format!("jobs/{name}"), roles: Vec::new() },
            method: name.to_owned(),
            trace: String::new(),
            by_role: true,
            shared: &[],
        }
    }

    /// Whether the caller may see `account`: the account itself, or a service the access table let in for
    /// one of its roles. A service that calls what anybody may call is nobody in particular there.
    #[must_use]
    pub fn may_see(&self, owner: AccountId) -> bool {
        match &self.principal {
            Principal::Anonymous => false,
            Principal::Customer { account, .. } => *account == owner,
            Principal::Service { .. } => self.by_role,
        }
    }

    /// The account whose rights on others' resources may admit it here: a customer's, where the access table
    /// lets any right in.
    #[must_use]
    pub fn guest(&self) -> Option<AccountId> {
        match &self.principal {
            Principal::Customer { account, .. } if !self.shared.is_empty() => Some(*account),
            Principal::Customer { .. } | Principal::Anonymous | Principal::Service { .. } => None,
        }
    }

    /// Whether the caller is a service that has `role`.
    #[must_use]
    pub fn has_role(&self, role: Role) -> bool {
        matches!(&self.principal, Principal::Service { roles, .. } if roles.contains(&role))
    }
}

tokio::task_local! {
    pub(crate) static TRACE: String;
}

/// The request id of the call being served by this task, if any.
#[must_use]
pub fn current_trace() -> Option<String> {
    TRACE.try_with(Clone::clone).ok()
}
