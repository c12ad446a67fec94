//! The invoice of a paid credit order (R6.3, R8.1): the same code as every other, with no lot in sight.
//!
//! No lot of any kind ever pays for a credit order (R6.2): the draft is made of no lots at all. The
//! settlement instant is the payment's (R7.3), and so is the day that decides the VAT (R8.4): what was
//! charged by the payment is what is invoiced.

use std::{num::NonZeroU32, time::Duration};

use florin_account::Account;
use florin_credit::CreditOrder;
use florin_payment::PaymentId;
use florin_platform::{call::Call, db::Tx, wire::account_name};
use florin_settlement::{Instant, Period, Quantity, UnitPrice};

use super::issue::{Collection, issue_one};
use crate::{
    domain::{
        charge::{Bill, Charge, LineTax, Subject},
        draft::draft,
        invoice::{InvoiceId, Occasion},
    },
    error::Error,
    store,
};

/// Issues the purchase invoice of `order`, paid by `payment` at `at`; once per order.
pub(crate) async fn issue_purchase(
    tx: &Tx,
    at: Instant,
    call: &Call,
    order: &CreditOrder,
    payment: PaymentId,
) -> Result<InvoiceId, Error> {
    if let Some(issued) = store::invoice::of_order(tx, order.account, order.id).await? {
        return Ok(issued);
    }
    let missing = || Error::NotFound(account_name(order.account));
    let account = florin_account::find(tx, order.account).await?.ok_or_else(missing)?;
    let draft = draft(bill(order, &account, at)?, &[], at)?;
    let issued = issue_one(tx, at, call, draft, Collection::PaidBy(payment)).await?;
    let id = issued.map(|issued| issued.id);
    id.ok_or_else(|| Error::NotFound(format!("the purchase invoice of {}", order.number)))
}

fn bill(order: &CreditOrder, account: &Account, at: Instant) -> Result<Bill, Error> {
    let price = order.final_price();
    let period = Period::try_new(at, at.plus(Duration::from_micros(1)))
        .map_err(|error| sea_orm::DbErr::Type(error.to_string()))?;
    let unit_price = UnitPrice::try_new(price.net.to_decimal(), price.net.currency())
        .map_err(|error| sea_orm::DbErr::Type(error.to_string()))?;
    let charge = Charge {
        subject: Subject::Credit,
        description: description(&account.profile.language, &order.number),
        period,
        quantity: Quantity::whole(1),
        divisor: NonZeroU32::MIN,
        unit: String::new(),
        unit_price,
        net: price.net,
        tax: LineTax {
            category: price.tax_category,
            rate: price.tax_rate,
            mention: price.tax_mention.clone().unwrap_or_default(),
        },
        late: false,
    };
    Ok(Bill {
        account: account.id,
        project: order.project,
        issuer: account.issuer.clone(),
        occasion: Occasion::Purchase(order.id),
        currency: account.currency,
        charges: vec![charge],
        advance_until: None,
    })
}

fn description(language: &str, number: &str) -> String {
    match language {
        "fr" => format!("Crédit cloud, commande {number}"),
        "nl" => format!("Cloudtegoed, bestelling {number}"),
        "de" => format!("Cloud-Guthaben, Bestellung {number}"),
        _ => format!("Cloud credit, order {number}"),
    }
}
