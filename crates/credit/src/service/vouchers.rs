//! Checking and redeeming voucher codes (R6.6).
//!
//! | question | answer |
//! |---|---|
//! | locks | the account; its wrong tries; and last, because everybody shares them, the code, the campaign, its offer |
//! | the last use, wanted by many | conditional updates: one gets it, the others are refused and nothing of theirs stays |
//! | which refusal leaves a trace | only an unknown code: it is counted, and too many lock entry for an hour |

use florin_account::Account;
use florin_platform::{
    audit,
    call::Call,
    db::Tx,
    id::AccountId,
    outbox,
    wire::{account_name, timestamp},
};
use florin_settlement::{Currency, Instant, LotKind, Money};
use sea_orm::ConnectionTrait;

use super::{ledger, query};
use crate::{
    domain::{
        campaign::{Campaign, CodeStyle},
        code::{Code, StoredCode},
        lot::{CreditLot, NewLot, Origin},
        project_ref::ProjectId,
        redemption::{Context, Redeemer, Redemption, RedemptionId, VoucherRefusal, judge, used_up},
    },
    error::Error,
    events::{VoucherEntryLocked, VoucherRedeemed},
    names::{campaign_name, lot_name},
    store,
};

/// What a code would give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    code: Code,
    stored: StoredCode,
    campaign: Campaign,
    amount: Money,
}

impl Voucher {
    /// What a lot would begin with.
    #[must_use]
    pub const fn amount(&self) -> Money {
        self.amount
    }

    /// The campaign behind the code.
    pub(crate) const fn campaign(&self) -> &Campaign {
        &self.campaign
    }
}

/// Redeems `code` into a VOUCHER lot of `project`. The account is locked and ACTIVE; that the project can
/// take value is the caller's to know, and the project need not be stored yet.
///
/// The inner error is a refusal that leaves a trace, for `Platform::mutate_or_trace`: nothing but the
/// count of wrong tries was written, so commit it, and write nothing else.
///
/// # Errors
/// [`Error::Voucher`] with its own reason for each refusal of R6.6, [`Error::VoucherEntryLocked`].
pub async fn redeem(
    tx: &Tx,
    at: Instant,
    call: &Call,
    account: &Account,
    project: ProjectId,
    code: &str,
    context: Context,
) -> Result<Result<CreditLot, Error>, Error> {
    let voucher = match check(tx, at, account, code, context).await? {
        Ok(voucher) => voucher,
        Err(refused) => return Ok(Err(refused)),
    };
    let Voucher { code, stored, campaign, amount } = voucher;
    let terms = &campaign.terms;
    let redemption = RedemptionId::generate(at);
    let new = NewLot {
        account: account.id,
        project: Some(project),
        kind: LotKind::Voucher,
        amount,
        issued: at,
        expires: Some(terms.lifetime.expiry(at)),
        restriction: terms.restriction,
        origin: Origin::VoucherCode { redemption, masked: code.masked() },
        description: terms.description.clone(),
    };
    let lot = ledger::issue(tx, at, account, new).await?;
    let record = Redemption {
        id: redemption,
        account: account.id,
        project,
        campaign: campaign.id,
        code_digest: stored.digest.clone(),
        exclusion_group: terms.exclusion_group.clone(),
        amount,
        lot: lot.id,
        redeemed: at,
    };
    store::redemption::insert(tx, &record).await?;
    let name = lot_name(&lot);
    audit::record(tx, at, call, account.id, &name).await?;
    let fact = VoucherRedeemed { campaign: campaign_name(campaign.id), credit: name };
    outbox::append(tx, at, account.id, &fact).await?;
    take_use(tx, &campaign, stored, amount.currency()).await?;
    Ok(Ok(lot))
}

/// Takes the shared rows last, and after everything that follows from the account's own: whoever else wants them waits
/// for little more than the commit. Whoever comes too late is refused, and the transaction with them.
async fn take_use(tx: &Tx, campaign: &Campaign, code: StoredCode, currency: Currency) -> Result<(), Error> {
    tx.derive().await?;
    let style = campaign.terms.code_style;
    if !store::code::use_once(tx, code.digest).await? {
        return Err(used_up(style).into());
    }
    if !store::campaign::use_once(tx, campaign.id).await? {
        let meanwhile = query::campaign(tx, campaign.id).await?.disabled.is_some();
        let refusal = if meanwhile { VoucherRefusal::Disabled } else { VoucherRefusal::UseLimitReached };
        return Err(refusal.into());
    }
    let is_granted = match style {
        CodeStyle::SingleUse => store::campaign::grant_reserved(tx, campaign.id, currency).await?,
        CodeStyle::Shared => store::campaign::grant_free(tx, campaign.id, currency).await?,
    };
    if is_granted { Ok(()) } else { Err(VoucherRefusal::UseLimitReached.into()) }
}

/// What `code` would give now. Nothing is taken, and an unknown code counts as a wrong try all the same:
/// the inner error is as in [`redeem`].
///
/// # Errors
/// As [`redeem`].
pub async fn check(
    tx: &Tx,
    at: Instant,
    account: &Account,
    code: &str,
    context: Context,
) -> Result<Result<Voucher, Error>, Error> {
    let entry = store::entry::find(tx, account.id).await?;
    if let Some(until) = entry.lock_at(at) {
        return Err(Error::locked(at, until));
    }
    let Some((code, stored)) = look_up(tx, code).await? else {
        let after = entry.wrong_try(at);
        store::entry::save(tx, account.id, after).await?;
        if let Some(until) = after.lock_at(at) {
            tell_locked(tx, at, account.id, until).await?;
        }
        return Ok(Err(VoucherRefusal::Unknown.into()));
    };
    let campaign = query::campaign(tx, stored.campaign).await?;
    let redeemer = redeemer(tx, account, &campaign, context).await?;
    let amount = judge(&campaign, &stored, &redeemer, at)?;
    if is_spent(&campaign, amount) {
        return Err(VoucherRefusal::UseLimitReached.into());
    }
    Ok(Ok(Voucher { code, stored, campaign, amount }))
}

async fn look_up(connection: &impl ConnectionTrait, text: &str) -> Result<Option<(Code, StoredCode)>, Error> {
    let Some(code) = Code::parse(text) else { return Ok(None) };
    let stored = store::code::find(connection, code.digest()).await?;
    Ok(stored.map(|stored| (code, stored)))
}

async fn tell_locked(tx: &Tx, at: Instant, account: AccountId, until: Instant) -> Result<(), Error> {
    let fact = VoucherEntryLocked { account: account_name(account), unlock_time: Some(timestamp(until)) };
    outbox::append(tx, at, account, &fact).await?;
    Ok(())
}

async fn redeemer(
    tx: &Tx,
    account: &Account,
    campaign: &Campaign,
    context: Context,
) -> Result<Redeemer, Error> {
    let group = campaign.terms.exclusion_group.as_deref();
    let (redeemed, redeemed_of_group) = store::redemption::before(tx, account.id, campaign.id, group).await?;
    Ok(Redeemer {
        account: account.id,
        country: account.profile.country.clone(),
        currency: account.currency,
        is_new: !florin_payment::has_captured(tx, account.id).await?,
        context,
        redeemed,
        redeemed_of_group,
    })
}

/// Whether a SHARED campaign's budget leaves nothing for one more. Single-use codes have theirs set aside.
fn is_spent(campaign: &Campaign, amount: Money) -> bool {
    let Some(offer) = campaign.offer(amount.currency()) else { return true };
    match campaign.terms.code_style {
        CodeStyle::SingleUse => false,
        CodeStyle::Shared => {
            let left = offer.budget.minor() - offer.granted.minor() - offer.reserved.minor();
            left < amount.minor()
        }
    }
}
