//! Three customers, three ways to fund the first project (R4.2).

use florin_api::{
    account::v1::{
        AcceptTermsRequest, Account, Address, ConfirmAccountRequest, CreateAccountRequest, LegalForm,
        ListTermsRequest, LoginRequest,
    },
    credit::v1::{
        Campaign, CreateCampaignRequest, GenerateCodesRequest, GetCreditOrderRequest, PayCreditOrderRequest,
        PaymentLinkSource, campaign, pay_credit_order_request::Source,
    },
    money::Money,
    operation::v1::ListNoticesRequest,
    payment::v1::{CreatePaymentMethodRequest, PaymentMethod, PaymentMethodKind, payment},
    project::v1::{
        CheckEligibilityRequest, CreateProjectRequest, GetProjectRequest, InitialCredit, Project,
        create_project_request::Funding, project,
    },
    sandbox::v1::ApprovePaymentRequest,
};
use florin_platform::wire;

use super::{Stage, print};
use crate::{cli::CliError, client::Caller};

const PASSWORD: &str = "correct horse battery staple";

/// A customer who signed in, and their first project.
pub(super) struct Customer {
    pub(super) caller: Caller,
    pub(super) account: String,
    pub(super) project: String,
}

/// Euros, without cents.
pub(super) fn euros(units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

pub(super) async fn three_ways_to_fund(stage: &Stage) -> Result<Customer, CliError> {
    print::chapter("Three customers, three ways to fund the first project");
    let ada = with_a_card(stage).await?;
    with_initial_credit(stage).await?;
    with_a_voucher(stage).await?;
    Ok(ada)
}

/// Creates an account, confirms it with the mailed code, signs in and accepts the terms.
async fn sign_up(stage: &Stage, given_name: &str, family_name: &str) -> Result<(Caller, String), CliError> {
    let suffix = stage.month.to_string();
    // A story told twice against one server needs other addresses the second time.
    let email = format!("{}.{suffix}.{}@example.com", given_name.to_lowercase(), std::process::id());
    let account = Account {
        email: email.clone(),
        country: "FR".to_owned(),
        legal_form: LegalForm::Individual.into(),
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        address: Some(Address {
            street: "1 rue de la Paix".to_owned(),
            postal_code: "75002".to_owned(),
            city: "Paris".to_owned(),
            region: String::new(),
        }),
        language: "en".to_owned(),
        ..Account::default()
    };
    let request =
        CreateAccountRequest { account: Some(account), password: PASSWORD.to_owned(), ..Default::default() };
    let created = stage.anonymous.accounts().create_account(request).await?.into_inner();

    let request = ListNoticesRequest {
        parent: created.name.clone(),
        kinds: vec!["account.confirmation".to_owned()],
        ..Default::default()
    };
    let notices = stage.operator.notices().list_notices(request).await?.into_inner().notices;
    let mail = notices.first().ok_or("no confirmation was mailed")?;
    let code = code_in(&mail.body).ok_or("the confirmation mail has no code")?;
    let request =
        ConfirmAccountRequest { name: created.name.clone(), code: code.clone(), ..Default::default() };
    let account = stage.anonymous.accounts().confirm_account(request).await?.into_inner();

    let request = LoginRequest { login: email, password: PASSWORD.to_owned(), ..Default::default() };
    let token = stage.anonymous.auth().login(request).await?.into_inner().token;
    let caller = stage.anonymous.with_token(&token);
    print::sentence(&format!(
        "{given_name} {family_name} is {}: confirmed with the mailed code {code}, {:?}, sold to by {}",
        account.handle,
        account.state(),
        account.issuer
    ));

    let request = CheckEligibilityRequest { parent: account.name.clone() };
    let check = caller.projects().check_eligibility(request).await?.into_inner();
    for unmet in &check.unmet_conditions {
        print::detail(&format!("not yet eligible: {}", unmet.message));
    }
    let request = ListTermsRequest { parent: account.name.clone(), ..Default::default() };
    let terms = caller.accounts().list_terms(request).await?.into_inner().terms_documents;
    let names: Vec<String> = terms.iter().map(|document| document.name.clone()).collect();
    print::detail(&format!("accepts {}", names.join(", ")));
    let request =
        AcceptTermsRequest { name: account.name.clone(), terms_documents: names, ..Default::default() };
    caller.accounts().accept_terms(request).await?;
    Ok((caller, account.name))
}

/// The code is the only word of the shape `ABCD-2345`.
fn code_in(body: &str) -> Option<String> {
    body.split_whitespace()
        .map(|word| word.trim_end_matches('.'))
        .find(|word| word.len() == 9 && word.as_bytes()[4] == b'-')
        .map(str::to_owned)
}

async fn create(caller: &Caller, account: &str, name: &str, funding: Funding) -> Result<Project, CliError> {
    let request = CreateProjectRequest {
        parent: account.to_owned(),
        project: Some(Project { display_name: name.to_owned(), ..Project::default() }),
        funding: Some(funding),
        ..Default::default()
    };
    let project = caller.projects().create_project(request).await?.into_inner();
    print::detail(&format!("creates the project “{name}”: {:?}", project.state()));
    Ok(project)
}

async fn expect_active(caller: &Caller, project: &str) -> Result<(), CliError> {
    let request = GetProjectRequest { name: project.to_owned() };
    let project = caller.projects().get_project(request).await?.into_inner();
    if project.state() != project::State::Active {
        return Err(format!("{} should be active, but is {:?}", project.name, project.state()).into());
    }
    print::detail("the project is Active by itself");
    Ok(())
}

async fn with_a_card(stage: &Stage) -> Result<Customer, CliError> {
    let (caller, account) = sign_up(stage, "Ada", "Lovelace").await?;
    let request = CreatePaymentMethodRequest {
        parent: account.clone(),
        payment_method: Some(PaymentMethod { kind: PaymentMethodKind::Card.into(), ..Default::default() }),
        provider_token: "card-approved".to_owned(),
        ..Default::default()
    };
    let card = caller.payment_methods().create_payment_method(request).await?.into_inner();
    print::detail(&format!("registers {}: {:?}, asked for 3-D Secure", card.masked_details, card.state()));
    let project = create(&caller, &account, "Project 1", Funding::PaymentMethod(card.name.clone())).await?;
    let request = ApprovePaymentRequest { name: card.name, ..Default::default() };
    stage.operator.payment_outcomes().approve_payment(request).await?;
    print::detail("passes 3-D Secure");
    expect_active(&caller, &project.name).await?;
    Ok(Customer { caller, account, project: project.name })
}

async fn with_initial_credit(stage: &Stage) -> Result<(), CliError> {
    let (caller, account) = sign_up(stage, "Ben", "Franklin").await?;
    let funding = Funding::InitialCredit(InitialCredit { amount: Some(euros(30)) });
    let project = create(&caller, &account, "Kites", funding).await?;
    let request = GetCreditOrderRequest { name: project.credit_order.clone() };
    let order = caller.credit_orders().get_credit_order(request).await?.into_inner();
    print::detail(&format!(
        "order {}: {} net, {} with VAT",
        order.number,
        print::money(order.amount.as_ref()),
        print::money(order.amount_incl_tax.as_ref())
    ));
    pay_by_link(stage, &order.name, &order.payment_link).await?;
    expect_active(&caller, &project.name).await
}

/// Pays an order through its payment link, as somebody without a session.
pub(super) async fn pay_by_link(stage: &Stage, order: &str, link: &str) -> Result<(), CliError> {
    let token = link.rsplit('/').next().unwrap_or_default().to_owned();
    let source = PaymentLinkSource { token, provider_token: "card-approved".to_owned() };
    let request = PayCreditOrderRequest {
        name: order.to_owned(),
        source: Some(Source::PaymentLink(source)),
        immediate_supply_consent: true,
        ..Default::default()
    };
    let paid = stage.anonymous.credit_orders().pay_credit_order(request).await?.into_inner();
    let payment = paid.payment.ok_or("the answer names no payment")?;
    print::detail(&format!("pays through the link: {:?}", payment.state()));
    if payment.state() == payment::State::ActionRequired {
        let request = ApprovePaymentRequest { name: payment.name, ..Default::default() };
        stage.operator.payment_outcomes().approve_payment(request).await?;
        print::detail("passes 3-D Secure: the order is paid");
    }
    Ok(())
}

/// A campaign whose codes are worth `amount`, and one code of it.
pub(super) async fn voucher(stage: &Stage, name: &str, amount: i64) -> Result<String, CliError> {
    let campaign = Campaign {
        display_name: name.to_owned(),
        description: name.to_owned(),
        amounts: vec![euros(amount)],
        redeem_start_time: Some(wire::timestamp(stage.month.start())),
        redeem_end_time: Some(wire::timestamp(stage.month.end())),
        lot_lifetime: Some(campaign::LotLifetime::LotLifetimeDays(90)),
        audience: campaign::Audience::Anyone.into(),
        budgets: vec![euros(amount * 10)],
        code_style: campaign::CodeStyle::SingleUse.into(),
        ..Campaign::default()
    };
    let request = CreateCampaignRequest { campaign: Some(campaign), ..Default::default() };
    let campaign = stage.operator.campaigns().create_campaign(request).await?.into_inner();
    let request = GenerateCodesRequest { name: campaign.name, count: 1, ..Default::default() };
    let mut codes = stage.operator.campaigns().generate_codes(request).await?.into_inner();
    let batch = codes.message().await?.ok_or("no code was generated")?;
    Ok(batch.codes.first().cloned().ok_or("no code was generated")?)
}

async fn with_a_voucher(stage: &Stage) -> Result<(), CliError> {
    let (caller, account) = sign_up(stage, "Cora", "Sandel").await?;
    let code = voucher(stage, "Welcome", 25).await?;
    print::detail(&format!("was given the voucher {code}"));
    let project = create(&caller, &account, "Letters", Funding::VoucherCode(code)).await?;
    expect_active(&caller, &project.name).await
}
