//! The audit of credit (R14.5): lots, their movements, their orders and campaigns against each other. Read only.

use florin_account::ledger::{Balances, LedgerAccount};
use florin_platform::{
    finding::{AccountRange, Finding, Findings, check_all},
    id::AccountId,
    wire::account_name,
};
use florin_settlement::{LotId, LotKind};
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    domain::{campaign::CampaignId, lot::credit_id, movement::MovementKind},
    names::campaign_name,
    store::{
        self,
        audit::{Booked, CHECKS, Counted, GivenBack, Sum},
    },
};

/// How many offers of campaigns are read at a time.
const CAMPAIGNS: u64 = 1000;

/// Checks every lot and movement of `accounts`.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn check(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    check_all(&CHECKS, connection, accounts, findings).await?;
    for booked in store::audit::booked(connection, accounts).await? {
        check_entry(&booked, findings);
    }
    Ok(())
}

/// Checks every campaign (R6.12): what it has granted is what its codes gave, and what they may still give is set aside.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn check_campaigns(
    connection: &impl ConnectionTrait,
    findings: &mut Findings<'_>,
) -> Result<(), DbErr> {
    let mut after = (CampaignId::from_u128(0), String::new());
    loop {
        let page = store::audit::campaigns(connection, (after.0, &after.1), CAMPAIGNS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.campaign, last.currency.clone());
        page.iter().for_each(|counted| check_campaign(counted, findings));
    }
}

fn check_campaign(counted: &Counted, findings: &mut Findings<'_>) {
    let place = || format!("{} {}", campaign_name(counted.campaign), counted.currency);
    for (what, expected, found) in [
        ("a campaign counts every code of it", counted.codes, counted.code_count),
        ("a campaign counts every redemption", counted.redemptions, counted.use_count),
        ("the codes of a campaign count every redemption", counted.redemptions, counted.uses),
        ("a campaign has granted what its codes gave", counted.redeemed, counted.granted),
        ("what the codes of a campaign may still give is set aside", counted.grantable, counted.reserved),
    ] {
        findings.compare(what, place, &expected, &found);
    }
}

fn check_entry(booked: &Booked, findings: &mut Findings<'_>) {
    let kind = MovementKind::parse(&booked.kind).ok();
    let entry =
        kind.zip(LotKind::parse(&booked.lot_kind).ok()).map(|(kind, lot)| kind.entry(lot, booked.issued));
    let expected = entry.map(|entry| format!("{} / {}", entry.debit.as_str(), entry.credit.as_str()));
    let found = format!("{} / {}", booked.debit, booked.credit);
    if expected.as_ref() != Some(&found) {
        findings.add(Finding {
            what: "a movement stands in the ledger accounts of its kind",
            place: format!("{} {} {}", account_name(booked.account), booked.lot_kind, booked.kind),
            expected: expected.unwrap_or_else(|| "a known kind".to_owned()),
            found,
        });
    }
}

/// What the ledger should say of the lots and orders of `accounts`, account by account: DEFERRED_INCOME,
/// PRICE_REDUCTIONS_OUTSTANDING, CREDIT_SALES, and INCOME as far as it comes from credit.
///
/// # Errors
/// [`DbErr`] when they cannot be read.
pub async fn expected(
    connection: &impl ConnectionTrait,
    accounts: AccountRange,
) -> Result<Vec<(AccountId, Balances)>, DbErr> {
    let mut expected = Vec::new();
    for (account, kind, currency, minor) in store::audit::remaining(connection, accounts).await? {
        let ledger = match LotKind::parse(&kind) {
            Ok(LotKind::CloudCredit) => LedgerAccount::DeferredIncome,
            Ok(LotKind::Voucher | LotKind::LaunchPad | LotKind::Loyalty) => {
                LedgerAccount::PriceReductionsOutstanding
            }
            Err(error) => return Err(DbErr::Type(error.to_string())),
        };
        expected.push((account, Balances::one(ledger, currency, -i128::from(minor))));
    }
    for (account, _, currency, minor) in store::audit::unsupplied(connection, accounts).await? {
        let balances = Balances::one(LedgerAccount::CreditSales, currency, -i128::from(minor));
        expected.push((account, balances));
    }
    for (account, _, currency, minor) in store::audit::used(connection, accounts).await? {
        expected.push((account, Balances::one(LedgerAccount::Income, currency, -i128::from(minor))));
    }
    Ok(expected)
}

/// What stands of `lots` of `account`, which credit notes gave back.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn given_back(
    connection: &impl ConnectionTrait,
    account: AccountId,
    lots: &[LotId],
) -> Result<Vec<GivenBack>, DbErr> {
    let lots: Vec<_> = lots.iter().map(|lot| credit_id(*lot)).collect();
    store::audit::given_back(connection, account, &lots).await
}

/// What lots of `accounts` paid of invoices, by kind of lot, in minor units.
///
/// # Errors
/// [`DbErr`] when it cannot be read.
pub async fn debited(connection: &impl ConnectionTrait, accounts: AccountRange) -> Result<Vec<Sum>, DbErr> {
    store::audit::debited(connection, accounts).await
}
