//! Extending the catalogue: plans, price versions, retirements (R5.1).
//!
//! | taken | why |
//! |---|---|
//! | the account's lock row, when a price is negotiated with it | its usage is not rated meanwhile |
//! | the plan's row | two who price or change a plan take turns |
//!
//! A price begins and ends in the future: what was rated stays as it was.

use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    etag,
    id::AccountId,
    outbox,
    violation::Violations,
    wire::{account_name, decimal, timestamp},
};
use florin_settlement::Instant;

use super::catalogue;
use crate::{
    domain::{
        catalogue_file::{Addable, NotAddable, may_add},
        plan::{ChargeModel, Plan, PlanCode, PriceVersion, PricedPlan, earliest_change},
        tariff::OwnPrice,
    },
    error::Error,
    events::{PlanCreated, PlanRetired, PlanUpdated, PriceVersionAdded, PriceVersionEnded},
    store,
};

/// The fields an Update may name.
pub(crate) const UPDATABLE: &[&str] = &["display_name"];

/// `plans/{plan}`.
pub(crate) fn name(code: &PlanCode) -> String {
    format!("plans/{code}")
}

/// A price to add.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PriceAdded {
    /// To the list.
    Listed(PriceVersion),
    /// Negotiated with an account.
    Negotiated(AccountId, OwnPrice),
}

/// Adds a plan with its first prices.
pub(crate) async fn create_plan(
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: &PricedPlan,
) -> Result<PricedPlan, Error> {
    let code = &new.plan.code;
    if store::plan::find(tx, code).await?.is_some() || !store::plan::insert(tx, at, &new.plan).await? {
        return Err(Error::PlanExists(code.to_string()));
    }
    for version in new.versions() {
        store::plan::insert_price(tx, code, version).await?;
    }
    let plan = name(code);
    audit::record(tx, at, call, AccountId::NONE, &plan).await?;
    outbox::append(tx, at, AccountId::NONE, &PlanCreated { plan }).await?;
    for version in new.versions() {
        tell_price(tx, at, code, PriceAdded::Listed(version)).await?;
    }
    catalogue::plan(tx, code).await
}

/// Calls a plan `display_name`.
pub(crate) async fn rename_plan(
    tx: &Tx,
    at: Instant,
    call: &Call,
    code: &PlanCode,
    given_etag: &str,
    display_name: &str,
) -> Result<PricedPlan, Error> {
    let known = locked(tx, code, given_etag).await?;
    store::plan::save(tx, &Plan { display_name: display_name.to_owned(), ..known.plan }).await?;
    let plan = name(code);
    audit::record(tx, at, call, AccountId::NONE, &plan).await?;
    outbox::append(tx, at, AccountId::NONE, &PlanUpdated { plan }).await?;
    catalogue::plan(tx, code).await
}

/// Retires a plan from `from` on.
pub(crate) async fn retire_plan(
    tx: &Tx,
    at: Instant,
    call: &Call,
    code: &PlanCode,
    given_etag: &str,
    from: Option<Instant>,
) -> Result<PricedPlan, Error> {
    let known = locked(tx, code, given_etag).await?;
    if let Some(retired) = known.plan.retired.filter(|retired| *retired <= at) {
        return Err(Error::PlanRetired { plan: code.to_string(), retired });
    }
    let from = from.unwrap_or(at);
    if from < at {
        return Err(Violations::one("retire_time", "must not be in the past").into());
    }
    store::plan::save(tx, &Plan { retired: Some(from), ..known.plan }).await?;
    let plan = name(code);
    audit::record(tx, at, call, AccountId::NONE, &plan).await?;
    let retire_time = Some(timestamp(from));
    outbox::append(tx, at, AccountId::NONE, &PlanRetired { plan, retire_time }).await?;
    catalogue::plan(tx, code).await
}

/// Adds a price version.
pub(crate) async fn add_price(
    tx: &Tx,
    at: Instant,
    call: &Call,
    code: &PlanCode,
    given_etag: &str,
    added: PriceAdded,
) -> Result<PricedPlan, Error> {
    if let PriceAdded::Negotiated(account, _) = added {
        florin_account::lock(tx, &[account]).await?;
    }
    let known = locked(tx, code, given_etag).await?;
    let monthly = match added {
        PriceAdded::Listed(version) => version.monthly,
        PriceAdded::Negotiated(_, own) => own.monthly,
    };
    if monthly.is_some() && known.plan.model == ChargeModel::Monthly {
        let wrong = "is for what is charged by the hour; give unit_price";
        return Err(Violations::one("price.monthly_price", wrong).into());
    }
    let (owner, subject) = match added {
        PriceAdded::Listed(version) => {
            list(tx, at, &known, version).await?;
            (AccountId::NONE, name(code))
        }
        PriceAdded::Negotiated(account, own) => {
            negotiate(tx, at, &known, account, own).await?;
            (account, format!("{}/prices/{code}", account_name(account)))
        }
    };
    audit::record(tx, at, call, owner, &subject).await?;
    tell_price(tx, at, code, added).await?;
    catalogue::plan(tx, code).await
}

async fn list(tx: &Tx, at: Instant, known: &PricedPlan, version: PriceVersion) -> Result<(), Error> {
    let code = &known.plan.code;
    match may_add(known, version, at) {
        Ok(Addable::New) => {}
        Ok(Addable::Known) | Err(NotAddable::Edit(_)) => return Err(exists(code, version.effective)),
        Err(NotAddable::TooEarly(earliest)) => return Err(Error::PriceTooEarly { earliest }),
    }
    if !store::plan::insert_price(tx, code, version).await? {
        return Err(exists(code, version.effective));
    }
    Ok(store::plan::touch(tx, code).await?)
}

async fn negotiate(
    tx: &Tx,
    at: Instant,
    known: &PricedPlan,
    account: AccountId,
    own: OwnPrice,
) -> Result<(), Error> {
    let missing = || Error::NotFound(account_name(account));
    let buyer = florin_account::find(tx, account).await?.ok_or_else(missing)?;
    if buyer.currency != own.price.currency() {
        return Err(Error::PriceCurrency { given: own.price.currency(), expected: buyer.currency });
    }
    let code = &known.plan.code;
    let earliest = earliest_change(at);
    if own.effective < earliest {
        return Err(Error::PriceTooEarly { earliest });
    }
    let negotiated =
        store::own_price::of_accounts(tx, &[account]).await?.remove(&account).unwrap_or_default();
    if negotiated.get(code).is_some_and(|own_of| own_of.iter().any(|other| other.effective == own.effective))
    {
        return Err(exists(code, own.effective));
    }
    Ok(store::own_price::insert(tx, at, account, code, own).await?)
}

fn exists(code: &PlanCode, effective: Instant) -> Error {
    Error::PriceExists { plan: code.to_string(), effective }
}

/// A negotiated price to end.
#[derive(Clone, Debug)]
pub(crate) struct PriceEnd {
    pub(crate) plan: PlanCode,
    pub(crate) account: AccountId,
    pub(crate) effective: Instant,
    pub(crate) ends: Instant,
}

/// Ends a negotiated price.
pub(crate) async fn end_price(
    tx: &Tx,
    at: Instant,
    call: &Call,
    end: &PriceEnd,
) -> Result<PricedPlan, Error> {
    let PriceEnd { plan: code, account, effective, ends } = end;
    florin_account::lock(tx, &[*account]).await?;
    let known = locked(tx, code, "").await?;
    let subject = format!("{}/prices/{code}", account_name(*account));
    let negotiated =
        store::own_price::of_accounts(tx, &[*account]).await?.remove(account).unwrap_or_default();
    let own = negotiated.get(code).into_iter().flatten().find(|own| own.effective == *effective);
    let own = own.ok_or_else(|| Error::NotFound(format!("{subject} from {effective}")))?;
    if let Some(ends) = own.ends {
        return Err(Error::PriceEnds { ends });
    }
    let earliest = earliest_change(at);
    if *ends < earliest {
        return Err(Error::PriceTooEarly { earliest });
    }
    store::own_price::end(tx, *account, code, *effective, *ends).await?;
    audit::record(tx, at, call, *account, &subject).await?;
    let fact = PriceVersionEnded {
        plan: name(code),
        account: account_name(*account),
        effective_time: Some(timestamp(*effective)),
        end_time: Some(timestamp(*ends)),
    };
    outbox::append(tx, at, *account, &fact).await?;
    Ok(known)
}

/// Tells of a price version.
pub(crate) async fn tell_price(
    tx: &Tx,
    at: Instant,
    code: &PlanCode,
    added: PriceAdded,
) -> Result<(), Error> {
    let (owner, account, price, effective, ends) = match added {
        PriceAdded::Listed(version) => {
            (AccountId::NONE, String::new(), version.price, version.effective, None)
        }
        PriceAdded::Negotiated(account, own) => {
            (account, account_name(account), own.price, own.effective, own.ends)
        }
    };
    let fact = PriceVersionAdded {
        plan: name(code),
        account,
        currency_code: price.currency().code().to_owned(),
        unit_price: Some(decimal(price.amount())),
        effective_time: Some(timestamp(effective)),
        end_time: ends.map(timestamp),
    };
    outbox::append(tx, at, owner, &fact).await?;
    Ok(())
}

/// The plan, locked, in the version the caller has seen.
async fn locked(tx: &Tx, code: &PlanCode, given_etag: &str) -> Result<PricedPlan, Error> {
    if !store::plan::lock(tx, code).await? {
        return Err(Error::PlanUnknown(code.to_string()));
    }
    let known = catalogue::plan(tx, code).await?;
    let name = name(code);
    if !etag::allows(given_etag, &name, known.plan.version) {
        return Err(Error::EtagMismatch(name));
    }
    Ok(known)
}
