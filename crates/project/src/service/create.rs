//! Creating a project: the conditions, its funding, one place of the limit (R4.1, R4.2).
//!
//! | step | what |
//! |---|---|
//! | lock | the account: places are counted and funding is judged while nobody else can change either |
//! | decide | every unmet condition at once; then what funds the project |
//! | fund | a method at hand or offered, an order for initial credit, a voucher redeemed |
//! | write | the project, last: a refused funding creates none |

use florin_account::Account;
use florin_credit::{Context, PaymentLinks, ProjectId, orders, vouchers};
use florin_payment::{MethodKind, MethodState, PaymentMethodId};
use florin_platform::{
    Platform, audit,
    call::Call,
    db::{Reader, Tx},
    id::AccountId,
    outbox,
    wire::account_name,
};
use florin_settlement::{Instant, Money};
use sea_orm::DbErr;

use super::{eligibility, fund, query};
use crate::{
    domain::{
        eligibility::{FundingDecision, Ineligible, Offer, Standing},
        project::{Funding, Project, ProjectName},
    },
    error::Error,
    events::ProjectCreated,
    ports::DebtStanding,
    store,
};

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct NewProject {
    pub(crate) account: AccountId,
    pub(crate) name: ProjectName,
    pub(crate) offer: Option<Offer>,
}

/// What creating a project needs besides the database.
#[derive(Clone, Copy)]
pub(crate) struct Ports<'a> {
    /// Who owes.
    pub(crate) debts: &'a dyn DebtStanding,
    /// Makes the payment link of an order for initial credit.
    pub(crate) links: &'a PaymentLinks,
}

/// Creates the project in `tx`. The inner refusal is that of a voucher code: it leaves a trace, and no
/// project.
pub(crate) async fn create_project(
    tx: &Tx,
    ports: Ports<'_>,
    at: Instant,
    call: &Call,
    new: NewProject,
) -> Result<Result<Project, Error>, Error> {
    query::visible(call, new.account, || account_name(new.account))?;
    florin_account::lock(tx, &[new.account]).await?;
    let reader = Reader::Within(tx);
    let account = query::owner(tx, call, new.account).await?;
    let eligibility::Known { standing, lapsed, .. } =
        eligibility::known(reader, ports.debts, at, &account).await?;
    let decision = standing.decide(new.offer).map_err(|reason| refusal(account.id, reason))?;

    let id = ProjectId::generate(at);
    let first = First { tx, at, call, links: ports.links, account: &account, project: id };
    let funded = match first.fund(&standing, decision).await? {
        Ok(funded) => funded,
        Err(refused) => return Ok(Err(refused)),
    };
    let (funding, is_pending) = match funded {
        Funded::Now(funding) => (funding, false),
        Funded::Later(funding) => (funding, true),
    };
    let begin = if is_pending { Project::pending } else { Project::active };
    let project = begin(account.id, id, new.name, funding, account.currency, at);

    for lapsed in lapsed {
        fund::cancel_found(tx, at, call, lapsed).await?;
    }
    let name = project.resource_name();
    store::project::insert(tx, &project).await?;
    audit::record(tx, at, call, account.id, &name).await?;
    outbox::append(tx, at, account.id, &ProjectCreated { project: name, pending_funding: is_pending })
        .await?;
    Ok(Ok(project))
}

/// Decides and answers as [`create_project`] would, and writes nothing: the transaction is rolled back. A
/// refused voucher code still counts as tried, or codes could be guessed for free.
pub(crate) async fn rehearse(
    platform: &Platform,
    ports: Ports<'_>,
    call: &Call,
    new: &NewProject,
) -> Result<Project, Error> {
    let outcome = platform
        .db
        .write(|tx| async move {
            let now = platform.clock.now(&tx).await?;
            match create_project(&tx, ports, now, call, new.clone()).await? {
                Ok(project) => Err(Rehearsed::Well(project)),
                Err(refused) => Ok(refused),
            }
        })
        .await;
    match outcome {
        Ok(refused) | Err(Rehearsed::Badly(refused)) => Err(refused),
        Err(Rehearsed::Well(project)) => Ok(project),
    }
}

/// How a rehearsal ends: always with a rollback, except for the trace of a refused code.
enum Rehearsed {
    Well(Project),
    Badly(Error),
}

impl From<Error> for Rehearsed {
    fn from(error: Error) -> Self {
        Self::Badly(error)
    }
}

impl From<DbErr> for Rehearsed {
    fn from(error: DbErr) -> Self {
        Self::Badly(error.into())
    }
}

fn refusal(account: AccountId, reason: Ineligible) -> Error {
    match reason {
        Ineligible::Unmet(unmet) => Error::Ineligible { account: account_name(account), unmet },
        Ineligible::FundingNotAsked => Error::FundingNotAsked,
    }
}

/// Whether the funding is there, or to come.
enum Funded {
    Now(Funding),
    Later(Funding),
}

/// A first project on its way to be funded.
struct First<'a> {
    tx: &'a Tx,
    at: Instant,
    call: &'a Call,
    links: &'a PaymentLinks,
    account: &'a Account,
    project: ProjectId,
}

impl First<'_> {
    async fn fund(
        &self,
        standing: &Standing,
        decision: FundingDecision,
    ) -> Result<Result<Funded, Error>, Error> {
        let funded = match decision {
            FundingDecision::NotAsked => Funded::Now(Funding::NotAsked),
            FundingDecision::LaunchPadAtHand => Funded::Now(Funding::LaunchPad),
            FundingDecision::MethodAtHand(method) => Funded::Now(Funding::PaymentMethod(method)),
            FundingDecision::Offered(Offer::PaymentMethod(method)) => self.offered_method(method).await?,
            FundingDecision::Offered(Offer::InitialCredit(net)) => self.initial_credit(net).await?,
            FundingDecision::Offered(Offer::Voucher(code)) => return self.voucher(standing, &code).await,
        };
        Ok(Ok(funded))
    }

    /// A method that is VALID funds at once, one that is VALIDATING later. Until a payment was captured it
    /// must be a card that passed 3-D Secure, or is about to (R3.3).
    async fn offered_method(&self, id: PaymentMethodId) -> Result<Funded, Error> {
        let account = self.account.id;
        let missing = || Error::NotFound(florin_payment::method_name(account, id));
        let method = florin_payment::find_method(self.tx, account, id).await?.ok_or_else(missing)?;
        let validating = matches!(method.state, MethodState::Validating { .. });
        let may_be_first = method.may_pay_first() || validating && method.kind == MethodKind::Card;
        if !may_be_first && !florin_payment::has_captured(self.tx, account).await? {
            return Err(florin_payment::Error::FirstPaymentNeedsCard.into());
        }
        let funding = Funding::PaymentMethod(method.id);
        match &method.state {
            MethodState::Valid if method.can_pay() => Ok(Funded::Now(funding)),
            MethodState::Validating { .. } => Ok(Funded::Later(funding)),
            MethodState::Valid
            | MethodState::Creating(_)
            | MethodState::Failed { .. }
            | MethodState::Rejected { .. }
            | MethodState::Expired
            | MethodState::Replaced
            | MethodState::Canceled => Err(Error::MethodNotUsable { state: method.standing() }),
        }
    }

    /// Orders initial credit for the project to come; the least there is when no amount is named.
    async fn initial_credit(&self, net: Option<Money>) -> Result<Funded, Error> {
        let Self { tx, at, call, links, account, project } = *self;
        let net = match net {
            Some(net) => net,
            None => orders::initial_minimum(tx, account).await?,
        };
        let new = orders::NewOrder { account, project, net, initial: true };
        let order = orders::create(tx, at, call, links, new).await?;
        Ok(Funded::Later(Funding::CreditOrder(order.id)))
    }

    /// Redeems the code into a lot of the project to come.
    async fn voucher(&self, standing: &Standing, code: &str) -> Result<Result<Funded, Error>, Error> {
        let Self { tx, at, call, account, project, .. } = *self;
        let context = Context { first_project: true, has_method: standing.valid_method.is_some() };
        let redeemed = vouchers::redeem(tx, at, call, account, project, code, context).await?;
        Ok(redeemed.map(|_| Funded::Now(Funding::Voucher)).map_err(Error::from))
    }
}
