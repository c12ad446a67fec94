//! What a register says of a customer's VAT number becomes what is known of it (R8.4).
//!
//! | step | where |
//! |---|---|
//! | a number is given, changed or taken back | [`claim`], in the transaction of the change |
//! | the account is confirmed | [`ask`], in the same transaction |
//! | which number, and who asks | read, no transaction |
//! | the register is asked | no transaction |
//! | the answer is kept; news of the number is told | one transaction, with the account locked; an answer about a number the customer no longer has is dropped |

use std::sync::Arc;

use florin_platform::{
    Platform, audit, call::Call, db::Tx, id::AccountId, notice, outbox, wire::account_name,
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr};

use super::vat::VatRules;
use crate::{
    domain::{
        account::{Account, AccountState},
        vat_number::{Asking, CheckId, VatCheck, VatNumberStanding, VatNumberState, to_ask_about},
    },
    error::Error,
    events::VatNumberChecked,
    notices,
    registry::{Consultation, Registered, VatRegistry},
    store::{lock, tax_status},
};

/// What is known of the number `account` has from now on: that it claims it, or, without one, that the one `before`
/// is withdrawn.
pub(super) async fn claim(
    tx: &Tx,
    at: Instant,
    account: &Account,
    before: Option<&str>,
) -> Result<(), DbErr> {
    let (number, state) = match (&account.profile.vat_number, before) {
        (Some(number), _) => (number.as_str(), VatNumberState::Claimed),
        (None, Some(before)) => (before, VatNumberState::Withdrawn),
        (None, None) => return Ok(()),
    };
    tax_status::insert_standing(tx, &VatNumberStanding::new(account.id, number, state, at)).await?;
    ask(tx, at, account).await
}

/// Has the register asked about the number of `account`, if it has one and somebody answers for it: an address that was
/// never confirmed makes nobody ask anything.
pub(super) async fn ask(tx: &Tx, at: Instant, account: &Account) -> Result<(), DbErr> {
    let asking = tax_status::asking(tx, account.id).await?;
    let asking = if is_worth_asking(account) { asking.soon(at) } else { asking.never() };
    tax_status::save_asking(tx, account.id, asking).await
}

fn is_worth_asking(account: &Account) -> bool {
    let answers = match account.state {
        AccountState::Active | AccountState::Suspended => true,
        AccountState::Pending | AccountState::Closed => false,
    };
    answers && account.profile.vat_number.is_some()
}

/// VAT numbers, and the register that knows them.
#[derive(Clone)]
pub struct VatNumbers {
    pub(crate) platform: Platform,
    registry: Arc<dyn VatRegistry>,
    recheck_days: u32,
}

impl std::fmt::Debug for VatNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VatNumbers").field("registry", &self.registry.name()).finish_non_exhaustive()
    }
}

impl VatNumbers {
    /// Numbers kept in `platform`, known to `registry`, which is asked again every `recheck_days`.
    #[must_use]
    pub fn new(platform: Platform, registry: Arc<dyn VatRegistry>, recheck_days: u32) -> Self {
        Self { platform, registry, recheck_days }
    }

    /// Asks the register about the number of `account`, if there is one to ask about; whether it answered. Call it
    /// with no transaction open.
    pub(crate) async fn check(&self, call: &Call, account: AccountId) -> Result<bool, Error> {
        let Some(asked) = question(self.platform.db.reader(), account).await? else {
            self.ask_no_more(account).await?;
            return Ok(true);
        };
        let answer = self.registry.consult(&asked).await;
        if let Err(silent) = &answer {
            tracing::warn!(%account, error = silent as &dyn std::error::Error, "a VAT number could not be checked");
        }
        let (asked, answered) = (&asked, answer.as_ref().ok());
        let record = |tx: Tx| async move {
            lock::take(&tx, &[account]).await?;
            let at = self.platform.clock.now(&tx).await?;
            let asking = tax_status::asking(&tx, account).await?;
            let asking = match answered {
                _ if question(&tx, account).await?.as_ref() != Some(asked) => asking.soon(at),
                Some(registered) => {
                    self.learn(&tx, at, call, account, &asked.number, registered).await?;
                    Asking::answered(at, self.recheck_days)
                }
                None => asking.silent(at),
            };
            Ok(tax_status::save_asking(&tx, account, asking).await?)
        };
        self.platform.db.write::<_, Error, _>(record).await.map(|()| answered.is_some())
    }

    async fn ask_no_more(&self, account: AccountId) -> Result<(), Error> {
        let written = self.platform.db.write::<_, Error, _>(|tx| async move {
            lock::take(&tx, &[account]).await?;
            let asking = tax_status::asking(&tx, account).await?;
            Ok(tax_status::save_asking(&tx, account, asking.never()).await?)
        });
        written.await
    }

    /// Keeps the answer, and tells whoever it concerns if it is news.
    async fn learn(
        &self,
        tx: &Tx,
        at: Instant,
        call: &Call,
        account: AccountId,
        number: &str,
        registered: &Registered,
    ) -> Result<(), Error> {
        let check = VatCheck {
            account,
            id: CheckId::generate(at),
            number: number.to_owned(),
            registry: self.registry.name().to_owned(),
            registered: registered.is_registered,
            consultation: registered.consultation.clone(),
            checked: at,
        };
        tax_status::insert_check(tx, &check).await?;
        let state = VatNumberState::answered(registered.is_registered);
        let known = tax_status::standings(tx, &[account]).await?.remove(&account).unwrap_or_default();
        if known.last().is_some_and(|last| last.number == number && last.state == state) {
            return Ok(());
        }
        let standing = VatNumberStanding::new(account, number, state, at);
        tax_status::insert_standing(tx, &standing).await?;
        let name = account_name(account);
        audit::record(tx, at, call, account, &name).await?;
        let confirmed = registered.is_registered;
        outbox::append(tx, at, account, &VatNumberChecked { account: name, confirmed }).await?;
        let account = super::query::owned(tx, account).await?;
        notice::raise(tx, at, account.id, &notices::vat_number(&account, number, state)).await?;
        Ok(())
    }
}

/// What a register is to be asked about `account`, if anything.
async fn question(
    connection: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<Consultation>, Error> {
    let account = super::query::owned(connection, account).await?;
    if !is_worth_asking(&account) {
        return Ok(None);
    }
    let rules = VatRules::read(connection, []).await?;
    let (issuer, place) = rules.seller(&account)?;
    Ok(to_ask_about(&account, place)
        .map(|number| Consultation { number: number.to_owned(), requester: issuer.vat_number.clone() }))
}
