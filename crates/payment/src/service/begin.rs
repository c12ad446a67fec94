//! The first half of a payment: the attempt is stored, so that the provider's answer has a place to go.
//!
//! | question | answer |
//! |---|---|
//! | what is locked | the account, by the caller, before this runs |
//! | what goes on while another payment for the same reference is SCHEDULED, PROCESSING or PENDING | nothing: IN_PROGRESS |
//! | what if the method was declined for good before | it is not asked again (R3.6): MethodNotValid |
//! | and while another waits for the customer | this one takes its place; if the customer pays both after all, the second money goes back (R6.3) |
//! | when is a bank account debited | after the mandate's notice period, of which its holder is told here (R3.6) |
//! | how many statements | a handful, however many payments begin together |
//! | what if too many cards were tried at links, or automatic attempts declined | AttemptsLimited |
//! | what makes the charge happen once | the payment's id is the provider's key |

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use florin_account::Account;
use florin_platform::{
    audit, call::Call, db::Tx, id::AccountId, notice, outbox, outbox::Fact, wire, wire::account_name,
};
use florin_settlement::Instant;

use super::{
    limits::check_links,
    names::{method_name, payment_name},
};
use crate::{
    domain::{
        limit::{AUTOMATIC_DECLINES_PER_DAY_MAX, STOPPED, day_before},
        method::{MethodKind, PaymentMethod, PaymentMethodId},
        payment::{Initiator, Means, NewPayment, Payment, PaymentId, PaymentState},
    },
    error::Error,
    events::PaymentStarted,
    notices, store,
};

/// How long to wait when automatic attempts were declined too often.
const RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Stores the attempt to take `new` from `account`, which the caller has locked. Then commit, and
/// [`Payments::drive`](crate::Payments::drive) it with no transaction open.
///
/// # Errors
/// [`Error::MethodNotValid`], [`Error::FirstPaymentNeedsCard`] (R3.3), [`Error::InProgress`],
/// [`Error::AttemptsLimited`], [`Error::CurrencyMismatch`] (R1.1), [`Error::NotPayable`] for an amount that is
/// not above zero.
pub async fn begin(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: AccountId,
    new: NewPayment,
) -> Result<PaymentId, Error> {
    let begun = begin_many(tx, at, call, vec![(account, new)]).await?.pop();
    begun.unwrap_or_else(|| Err(Error::NotFound(account_name(account))))
}

/// As [`begin`], for many payments of many accounts, all locked: for each, in the order given, its id or why it may
/// not be made. One that is refused keeps no other from being made.
///
/// # Errors
/// The database's; whatever else stands in the way of a payment is in its place.
pub async fn begin_many(
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: Vec<(AccountId, NewPayment)>,
) -> Result<Vec<Result<PaymentId, Error>>, Error> {
    let mut facts = Facts::read(tx, at, &new).await?;
    let mut begun = Vec::with_capacity(new.len());
    let mut stored = Vec::with_capacity(new.len());
    for (account, new) in new {
        let decided = facts.decide(at, account, new);
        begun.push(decided.map(|payment| {
            let id = payment.id;
            facts.on_their_way.insert((account, payment.reference.clone()), payment.clone());
            stored.push(payment);
            id
        }));
    }
    store::payment::insert(tx, &stored).await?;
    store::payment::set_on_their_way(tx, &stored).await?;
    let names = stored.iter().map(|payment| payment_name(payment.account, payment.id)).collect::<Vec<_>>();
    let named = || stored.iter().zip(&names);
    let audited = named().map(|(payment, name)| (payment.account, name.as_str())).collect::<Vec<_>>();
    audit::record_many(tx, at, call, &audited).await?;
    let told = named().map(|(payment, name)| Fact::new(payment.account, &started(payment, name)));
    outbox::append_many(tx, at, told.collect()).await?;
    notice::raise_many(tx, at, stored.iter().filter_map(|payment| facts.announcement(payment)).collect())
        .await?;
    Ok(begun)
}

fn started(payment: &Payment, name: &str) -> PaymentStarted {
    PaymentStarted {
        payment: name.to_owned(),
        reference: payment.reference.clone(),
        amount_incl_tax: Some(wire::money(payment.amount)),
        collect_time: payment.collect.map(wire::timestamp),
    }
}

/// What decides whether payments may be made, read for all of them in a handful of queries.
struct Facts {
    owners: HashMap<AccountId, Account>,
    methods: HashMap<(AccountId, PaymentMethodId), PaymentMethod>,
    /// Who has paid before (R3.3).
    captured: HashSet<AccountId>,
    /// Automatic attempts of the last 24 hours that were declined.
    declined: HashMap<(AccountId, PaymentMethodId), u64>,
    /// How long an account's payment links may not be tried again.
    links_limited: HashMap<AccountId, Duration>,
    on_their_way: HashMap<(AccountId, String), Payment>,
}

impl Facts {
    async fn read(tx: &Tx, at: Instant, new: &[(AccountId, NewPayment)]) -> Result<Self, Error> {
        let accounts = new.iter().map(|(account, _)| *account).collect::<BTreeSet<_>>();
        let method = |(account, new): &(AccountId, NewPayment)| match &new.means {
            Means::Method(method) => Some((*account, *method)),
            Means::OneOff { .. } => None,
        };
        let automatic = new.iter().filter(|(_, new)| new.initiator == Initiator::Merchant);
        let automatic = automatic.filter_map(method).collect();
        let methods = store::method::find_many(tx, &new.iter().filter_map(method).collect()).await?;
        let first = methods.iter().filter(|method| !method.may_pay_first()).map(|method| method.account);
        let captured = store::payment::captured(tx, &first.collect()).await?;
        let mut links_limited = HashMap::new();
        for (account, _) in new.iter().filter(|new| method(new).is_none()) {
            match check_links(tx, *account, at).await {
                Ok(()) => {}
                Err(Error::AttemptsLimited { retry_after }) => {
                    links_limited.insert(*account, retry_after);
                }
                Err(error) => return Err(error),
            }
        }
        let references = new.iter().map(|(account, new)| (*account, new.reference.as_str())).collect();
        let owners = florin_account::find_many(tx, &accounts.into_iter().collect::<Vec<_>>()).await?;
        let on_their_way = store::payment::all_on_their_way(tx, &references).await?;
        Ok(Self {
            owners: owners.into_iter().map(|owner| (owner.id, owner)).collect(),
            methods: methods.into_iter().map(|method| ((method.account, method.id), method)).collect(),
            captured,
            declined: store::payment::declined(tx, &automatic, day_before(at), STOPPED).await?,
            links_limited,
            on_their_way: on_their_way
                .into_iter()
                .map(|payment| ((payment.account, payment.reference.clone()), payment))
                .collect(),
        })
    }

    /// The payment, if it may be made.
    fn decide(&self, at: Instant, account: AccountId, new: NewPayment) -> Result<Payment, Error> {
        let owner = self.owners.get(&account).ok_or_else(|| Error::NotFound(account_name(account)))?;
        let expected = owner.currency;
        if new.amount.currency() != expected {
            return Err(Error::CurrencyMismatch { expected });
        }
        if new.amount.minor() <= 0 {
            return Err(Error::NotPayable(new.amount));
        }
        let collected = match &new.means {
            Means::Method(method) => collected_at(self.may_pay(account, *method, new.initiator)?, at),
            Means::OneOff { .. } => match self.links_limited.get(&account) {
                Some(wait) => return Err(Error::AttemptsLimited { retry_after: *wait }),
                None => None,
            },
        };
        if let Some(other) = self.on_their_way.get(&(account, new.reference.clone())) {
            may_be_replaced(other)?;
        }
        Ok(Payment::begin(account, new, collected, at))
    }

    /// The registered method that is to pay, if it may. A one-off card is a card with 3-D Secure by the terms of
    /// its charge.
    fn may_pay(
        &self,
        account: AccountId,
        id: PaymentMethodId,
        initiator: Initiator,
    ) -> Result<&PaymentMethod, Error> {
        let key = (account, id);
        let method = self.methods.get(&key).ok_or_else(|| Error::NotFound(method_name(account, id)))?;
        if method.chargeable().is_none() {
            return Err(Error::MethodNotValid { state: method.standing() });
        }
        if !method.may_pay_first() && !self.captured.contains(&account) {
            return Err(Error::FirstPaymentNeedsCard);
        }
        let declined = self.declined.get(&key).copied().unwrap_or_default();
        if initiator == Initiator::Merchant && declined >= AUTOMATIC_DECLINES_PER_DAY_MAX {
            return Err(Error::AttemptsLimited { retry_after: RETRY_AFTER });
        }
        Ok(method)
    }

    /// What the holder of a bank account is told before it is debited.
    fn announcement(&self, payment: &Payment) -> Option<(AccountId, notice::Notice)> {
        let Means::Method(method) = &payment.means else { return None };
        let (owner, collect) = (self.owners.get(&payment.account)?, payment.collect?);
        let method = self.methods.get(&(payment.account, *method))?;
        Some((owner.id, notices::announced(owner, payment, &method.details.masked, collect)))
    }
}

/// When a bank account may be debited of what is begun at `at`; none for what is not announced (R3.6).
fn collected_at(method: &PaymentMethod, at: Instant) -> Option<Instant> {
    match method.kind {
        MethodKind::BankAccount => Some(at.plus_days(method.notice_days)),
        MethodKind::Card | MethodKind::Paypal => None,
    }
}

fn may_be_replaced(other: &Payment) -> Result<(), Error> {
    match other.state {
        PaymentState::Scheduled(_) | PaymentState::Processing(_) | PaymentState::Pending(_) => {
            Err(Error::InProgress { payment: payment_name(other.account, other.id) })
        }
        PaymentState::ActionRequired { .. }
        | PaymentState::Succeeded { .. }
        | PaymentState::Declined { .. }
        | PaymentState::Refunded { .. } => Ok(()),
    }
}
