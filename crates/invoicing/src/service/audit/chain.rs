//! The chains of movements, link by link (R14.4), and what they add up to (R14.3).

use std::collections::BTreeMap;

use florin_account::ledger::{self, Balances, Digest, LedgerAccount, Link, Recorded};
use florin_platform::{
    finding::{AccountRange, Finding, Findings},
    id::AccountId,
    wire::account_name,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::money::MoneyKind,
    service::movements::{Movements, Wanted},
    store::audit::{self as store, DISPUTED, INCOME, LOST, UNPAID, VAT},
};

/// The ledger accounts that other rows account for, also since before movements of money were written. What is left of
/// the others is their sum, with the sign turned.
const RECONCILED: [LedgerAccount; 6] = [
    LedgerAccount::Receivables,
    LedgerAccount::Cash,
    LedgerAccount::VatPayable,
    LedgerAccount::CreditSales,
    LedgerAccount::DeferredIncome,
    LedgerAccount::PriceReductionsOutstanding,
];

/// Those of which only what was written since stands in movements.
const RECONCILED_SINCE: [LedgerAccount; 3] =
    [LedgerAccount::Income, LedgerAccount::CustomerBalance, LedgerAccount::BadDebts];

/// Walks the chains of `accounts` from end to end, and compares what their movements add up to with lots, orders,
/// invoices, debts and payments.
pub(crate) async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let mut expected = expected(connection, accounts).await?;
    let mut movements = Movements::new(Wanted::Chains(accounts));
    let mut walk: Option<Walk> = None;
    while let Some(movement) = movements.next(connection).await? {
        let account = movement.account();
        if walk.as_ref().is_some_and(|walk| walk.account != account)
            && let Some(done) = walk.take()
        {
            done.end(connection, expected.remove(&done.account), findings).await?;
        }
        walk.get_or_insert_with(|| Walk::begin(account)).take(&movement, findings);
    }
    if let Some(done) = walk {
        done.end(connection, expected.remove(&done.account), findings).await?;
    }
    // Where nothing was written, nothing may be expected.
    for (account, expected) in expected {
        Walk::begin(account).end(connection, Some(expected), findings).await?;
    }
    Ok(())
}

async fn expected(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<BTreeMap<AccountId, Balances>, DbErr> {
    let mut expected: BTreeMap<AccountId, Balances> = BTreeMap::new();
    let mut all = florin_credit::audit::expected(connection, accounts).await?;
    all.extend(florin_payment::audit::expected(connection, accounts).await?);
    for (account, balances) in all {
        expected.entry(account).or_default().extend(&balances);
    }
    for (ledger, text, sign) in [
        (LedgerAccount::Receivables, UNPAID, 1),
        (LedgerAccount::VatPayable, VAT, -1),
        (LedgerAccount::Income, INCOME, -1),
        (LedgerAccount::BadDebts, LOST, 1),
        (LedgerAccount::CustomerBalance, DISPUTED, -1),
    ] {
        for (account, currency, minor) in store::sums(connection, text, accounts).await? {
            expected.entry(account).or_default().debit(ledger, currency, sign * i128::from(minor));
        }
    }
    Ok(expected)
}

/// What was walked of one account's chain.
struct Walk {
    account: AccountId,
    /// The last link, as it follows from the one before.
    last: Link,
    /// What is stored in its place, where that is something else: who changed a movement changed one of the two.
    stored: Option<Digest>,
    balances: Balances,
    is_carried_forward: bool,
}

impl Walk {
    fn begin(account: AccountId) -> Self {
        let last = Link::genesis(account);
        Self { account, last, stored: None, balances: Balances::default(), is_carried_forward: false }
    }

    fn take(&mut self, movement: &Recorded, findings: &mut Findings<'_>) {
        let place = || format!("{} movement {}", account_name(self.account), movement.sequence);
        let expected = self.last.sequence + 1;
        findings.compare("a chain has every movement once", place, &expected, &movement.sequence);
        let next = self.last.next(&movement.unchained);
        let after_stored = self.stored.map(|digest| Link { digest, ..self.last }.next(&movement.unchained));
        let follows = movement.digest.is_some_and(|digest| {
            digest == next.digest || after_stored.is_some_and(|link| link.digest == digest)
        });
        if movement.sequence == expected && !follows {
            findings.add(Finding {
                what: "a movement is what was chained",
                place: place(),
                expected: next.digest.to_string(),
                found: movement.digest.map_or_else(|| "no digest".to_owned(), |digest| digest.to_string()),
            });
        }
        self.check_entry(movement, findings);
        let computed =
            if movement.sequence == expected { next.digest } else { movement.digest.unwrap_or(next.digest) };
        self.last = Link { sequence: movement.sequence, digest: computed };
        self.stored = movement.digest.filter(|digest| *digest != computed);
        if let (Some(entry), Some(amount)) = (movement.entry(), movement.amount()) {
            self.balances.add(entry, amount);
        }
    }

    /// Movements of lots are checked with their lots.
    fn check_entry(&mut self, movement: &Recorded, findings: &mut Findings<'_>) {
        if movement.lot_kind.is_some() {
            return;
        }
        let kind = MoneyKind::parse(&movement.kind).ok();
        self.is_carried_forward |= kind == Some(MoneyKind::CarriedForward);
        if let Some(entry) = kind.and_then(MoneyKind::entry)
            && movement.entry() != Some(entry)
        {
            findings.add(Finding {
                what: "a movement stands in the ledger accounts of its kind",
                place: format!("{} movement {}", account_name(self.account), movement.sequence),
                expected: format!("{} / {}", entry.debit.as_str(), entry.credit.as_str()),
                found: format!("{} / {}", movement.debit, movement.credit),
            });
        }
    }

    async fn end(
        &self,
        connection: &impl ConnectionTrait,
        expected: Option<Balances>,
        findings: &mut Findings<'_>,
    ) -> Result<(), DbErr> {
        let place = || account_name(self.account);
        let head = ledger::heads(connection, &[self.account]).await?.remove(&self.account);
        let head = head.unwrap_or_else(|| Link::genesis(self.account));
        findings.compare(
            "the head of a chain is its last movement",
            place,
            &self.last.sequence,
            &head.sequence,
        );
        if head.sequence == self.last.sequence
            && head.digest != self.last.digest
            && Some(head.digest) != self.stored
        {
            findings.compare(
                "the head of a chain is its last digest",
                place,
                &self.last.digest,
                &head.digest,
            );
        }
        let expected = expected.unwrap_or_default();
        let currencies = self.balances.currencies().chain(expected.currencies());
        let mut currencies: Vec<_> = currencies.collect();
        currencies.sort_unstable();
        currencies.dedup();
        let since: &[LedgerAccount] = if self.is_carried_forward { &[] } else { &RECONCILED_SINCE };
        for currency in currencies {
            for account in RECONCILED.iter().chain(since).copied() {
                let place =
                    || format!("{} {} {}", account_name(self.account), account.as_str(), currency.code());
                let (expected, found) = (expected.of(account, currency), self.balances.of(account, currency));
                findings.compare("the ledger says what other rows say", place, &expected, &found);
            }
        }
        Ok(())
    }
}
