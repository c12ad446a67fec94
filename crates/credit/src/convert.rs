//! Between the wire and the domain: the only place that names both.

pub(crate) mod campaign;
pub(crate) mod credit;
pub(crate) mod grant;
pub(crate) mod order;
pub(crate) mod top_up;
pub(crate) mod voucher;

use florin_api::{google::r#type::Money as WireMoney, project::v1::PlanFamily as WireFamily};
use florin_platform::{id::AccountId, violation::Violations, wire};
use florin_settlement::{Money, PlanFamily, Restriction};

use crate::domain::project_ref::ProjectId;

/// Reads the name of an account in `field`.
pub(crate) fn account(field: &str, name: &str) -> Result<AccountId, Violations> {
    wire::parse_account(name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of a project in `field`.
pub(crate) fn project(field: &str, name: &str) -> Result<(AccountId, ProjectId), Violations> {
    wire::parse_child("projects", name).map_err(|error| Violations::one(field, error))
}

/// Reads the name of a project in `field` that has to be one of `account`.
fn project_of(field: &str, name: &str, account: AccountId) -> Result<ProjectId, Violations> {
    let (owner, project) = project(field, name)?;
    if owner == account {
        Ok(project)
    } else {
        Err(Violations::one(field, "must be a project of the account in parent"))
    }
}

/// Reads an amount that has to be there; finer than the minor unit is refused (R1.3).
fn amount(field: &str, money: Option<&WireMoney>) -> Result<Money, Violations> {
    let money = money.ok_or_else(|| Violations::one(field, "is required"))?;
    wire::amount(money).map_err(|error| Violations::one(field, error))
}

/// Reads the families a lot is restricted to; any when there are none.
fn restriction(field: &str, families: &[i32]) -> Result<Restriction, Violations> {
    let mut violations = Violations::new();
    let mut read = Vec::with_capacity(families.len());
    for (n, number) in families.iter().enumerate() {
        let family = match WireFamily::try_from(*number) {
            Ok(WireFamily::Instance) => Ok(PlanFamily::Instance),
            Ok(WireFamily::Storage) => Ok(PlanFamily::Storage),
            Ok(WireFamily::Option) => Ok(PlanFamily::Option),
            Ok(WireFamily::Unspecified) | Err(_) => Err("is not a plan family"),
        };
        read.extend(violations.take(&format!("{field}[{n}]"), family));
    }
    violations.finish()?;
    Ok(match read.split_first() {
        Some((first, others)) => Restriction::only(*first, others),
        None => Restriction::Unrestricted,
    })
}

/// Renders a restriction.
fn families(restriction: Restriction) -> Vec<i32> {
    let family = |family| match family {
        PlanFamily::Instance => WireFamily::Instance,
        PlanFamily::Storage => WireFamily::Storage,
        PlanFamily::Option => WireFamily::Option,
    };
    match restriction {
        Restriction::Unrestricted => Vec::new(),
        Restriction::Only(set) => set.families().map(|of| family(of).into()).collect(),
    }
}
