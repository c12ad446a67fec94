//! Credit that was bought, redeemed and granted (R6).

use florin_api::{
    credit::v1::{
        CreateCreditOrderRequest, CreditOrder, FundingKind, GrantLaunchPadRequest, GrantLoyaltyRequest,
        ListCreditsRequest, RedeemVoucherRequest,
    },
    project::v1::{Project, UpdateProjectRequest},
};
use florin_platform::wire;

use super::{
    Stage,
    people::{Customer, euros, pay_by_link, voucher},
    print,
};
use crate::cli::CliError;

pub(super) async fn bought_redeemed_and_granted(stage: &Stage, ada: &Customer) -> Result<(), CliError> {
    print::chapter("Ada renames her project, buys credit and redeems a voucher");
    let request = UpdateProjectRequest {
        project: Some(Project {
            name: ada.project.clone(),
            display_name: "Analytical Engine".to_owned(),
            ..Project::default()
        }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
        ..Default::default()
    };
    let renamed = ada.caller.projects().update_project(request).await?.into_inner();
    print::sentence(&format!("the project is now called “{}”", renamed.display_name));

    let order = CreditOrder { project: ada.project.clone(), amount: Some(euros(5)), ..Default::default() };
    let request = CreateCreditOrderRequest {
        parent: ada.account.clone(),
        credit_order: Some(order),
        ..Default::default()
    };
    let order = ada.caller.credit_orders().create_credit_order(request).await?.into_inner();
    print::sentence(&format!(
        "purchase order {}: {} net + {} VAT = {}",
        order.number,
        print::money(order.amount.as_ref()),
        print::money(order.tax_amount.as_ref()),
        print::money(order.amount_incl_tax.as_ref())
    ));
    pay_by_link(stage, &order.name, &order.payment_link).await?;

    let code = voucher(stage, "Spring", 10).await?;
    let request =
        RedeemVoucherRequest { parent: ada.project.clone(), code: code.clone(), ..Default::default() };
    let lot = ada.caller.vouchers().redeem_voucher(request).await?.into_inner();
    print::sentence(&format!("voucher {code} gives {}", print::money(lot.initial_amount.as_ref())));

    let year_later = Some(wire::timestamp(stage.moment(2, 9, 0).plus_months_clamped(12)));
    let request = GrantLaunchPadRequest {
        parent: ada.account.clone(),
        amount: Some(euros(3)),
        reason: "startup programme".to_owned(),
        expire_time: year_later,
        ..Default::default()
    };
    stage.operator.grants().grant_launch_pad(request).await?;
    let request = GrantLoyaltyRequest {
        parent: ada.account.clone(),
        amount: Some(euros(1)),
        reason: "a kind word".to_owned(),
        ..Default::default()
    };
    stage.operator.grants().grant_loyalty(request).await?;
    print::sentence("an operator grants 3 EUR of LaunchPad and 1 EUR of loyalty to the account");
    credits(ada).await
}

/// The credits and vouchers as the customer knows them (R6.9).
async fn credits(ada: &Customer) -> Result<(), CliError> {
    let request = ListCreditsRequest { parent: ada.account.clone(), ..Default::default() };
    let credits = ada.caller.credits().list_credits(request).await?.into_inner().credits;
    let rows = credits
        .iter()
        .map(|credit| {
            vec![
                kind(credit.kind()).to_owned(),
                credit.description.clone(),
                print::money(credit.initial_amount.as_ref()),
                print::money(credit.remaining_amount.as_ref()),
                print::date(credit.expire_time.as_ref()),
            ]
        })
        .collect();
    print::table(&["kind", "description", ">initial", ">remaining", "expires"], rows);
    Ok(())
}

/// A funding kind as people say it.
pub(super) fn kind(kind: FundingKind) -> &'static str {
    match kind {
        FundingKind::Unspecified => "?",
        FundingKind::Voucher => "voucher",
        FundingKind::CloudCredit => "cloud credit",
        FundingKind::Launchpad => "LaunchPad",
        FundingKind::Loyalty => "loyalty",
        FundingKind::PaymentMethod => "payment method",
    }
}
