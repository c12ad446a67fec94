//! What other accounts may do in a project: every cell of the table of rights, over the wire (R4.5).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod spending;

use florin_api::{
    credit::v1::{
        CancelCreditOrderRequest, CheckVoucherRequest, CreateCreditOrderRequest, CreditOrder,
        GetCreditOrderRequest, GetCreditRequest, ListCreditOrdersRequest, ListCreditsRequest,
        ListMovementsRequest, PreviewCreditOrderRequest, credit_order,
    },
    invoicing::v1::{
        EstimateInvoiceRequest, ExplainSettlementRequest, GetDebtRequest, GetInvoiceRequest,
        ListDebtsRequest, ListInvoicesRequest, PayDebtRequest, PayInvoiceRequest, PayInvoiceResponse,
        invoice,
    },
    operation::v1::ListNoticesRequest,
    payment::v1::{
        GetPaymentMethodRequest, ListPaymentMethodsRequest, ListPaymentsRequest,
        SetDefaultPaymentMethodRequest,
    },
    project::v1::{
        CancelProjectRequest, ConfirmProjectDeletionRequest, CreateBudgetRequest, GetCurrentUsageRequest,
        GetProjectRequest, GetResourceRequest, GrantRightRequest, ListHeldRightsRequest, ListProjectsRequest,
        ListQuotasRequest, ListResourcesRequest, ListRightsRequest, PlaceHoldRequest, Project,
        RemoveResourceRequest, RequestProjectDeletionRequest, RevokeRightRequest, Right,
        UpdateProjectRequest, WithdrawProjectDeletionRequest, right::Level,
    },
};
use florin_platform::call;
use florin_server::access::ACCESS;
use florin_testbed::on_both_backends;
use florin_tests::{
    acts::{euros, pay_by_link},
    florin::{Customer, Florin, refusal},
};
use tonic::{Code, Status};

const LEVELS: [Level; 5] = [Level::Owner, Level::Admin, Level::Billing, Level::Technical, Level::ReadOnly];

/// Which of OWNER, ADMIN, BILLING, TECHNICAL and READ_ONLY let another account in: the table of README.
const TABLE: &[(&str, &str)] = &[
    ("ProjectService/GetProject", "OABTR"),
    ("ProjectService/ListQuotas", "OABTR"),
    ("ProjectService/UpdateProject", "OA   "),
    ("ProjectService/CancelProject", "OA   "),
    ("ProjectService/RequestProjectDeletion", "OA   "),
    ("ProjectService/WithdrawProjectDeletion", "OA   "),
    ("ProjectService/ConfirmProjectDeletion", "OA   "),
    ("ProjectService/GrantRight", "OA   "),
    ("ProjectService/ListRights", "OA   "),
    ("ProjectService/RevokeRight", "OA   "),
    ("ResourceService/GetResource", "OABTR"),
    ("ResourceService/ListResources", "OABTR"),
    ("ResourceService/AddResource", "OA T "),
    ("ResourceService/RemoveResource", "OA T "),
    ("ResourceService/UpdateResource", "OA T "),
    ("ResourceService/ResizeResource", "OA T "),
    ("ResourceService/SwitchToMonthly", "OA T "),
    ("UsageService/GetCurrentUsage", "OABTR"),
    ("UsageService/GetUsageForecast", "OABTR"),
    ("UsageService/ListUsageHistory", "OABTR"),
    ("FundingService/CheckFunding", "OABTR"),
    ("FundingService/GetHold", "OABTR"),
    ("FundingService/ListHolds", "OABTR"),
    ("BudgetService/GetBudget", "OAB R"),
    ("BudgetService/ListBudgets", "OAB R"),
    ("BudgetService/GetSpendingControls", "OAB R"),
    ("BudgetService/CreateBudget", "OAB  "),
    ("BudgetService/UpdateBudget", "OAB  "),
    ("BudgetService/DeleteBudget", "OAB  "),
    ("BudgetService/SetSpendCap", "OAB  "),
    ("BudgetService/SetPrepaidOnly", "OAB  "),
    ("InvoiceService/EstimateInvoice", "OAB R"),
    ("InvoiceService/GetInvoice", "OAB R"),
    ("InvoiceService/ListInvoices", "OAB R"),
    ("InvoiceService/GetInvoiceDocument", "OAB R"),
    ("InvoiceService/ExplainSettlement", "OAB R"),
    ("InvoiceService/ListCreditNotes", "OAB R"),
    ("CollectionService/PayInvoice", "OAB  "),
    ("CreditService/ListCredits", "OAB R"),
    ("CreditService/GetCredit", "OAB R"),
    ("CreditService/ListMovements", "OAB R"),
    ("CreditOrderService/GetCreditOrder", "OAB R"),
    ("CreditOrderService/ListCreditOrders", "OAB R"),
    ("CreditOrderService/GetCreditOrderDocument", "OAB R"),
    ("CreditOrderService/PreviewCreditOrder", "OAB  "),
    ("CreditOrderService/CreateCreditOrder", "OAB  "),
    ("CreditOrderService/PayCreditOrder", "OAB  "),
    ("CreditOrderService/CancelCreditOrder", "OAB  "),
    ("VoucherService/CheckVoucher", "OAB  "),
    ("VoucherService/RedeemVoucher", "OAB  "),
    ("PaymentMethodService/GetPaymentMethod", "OAB  "),
    ("PaymentMethodService/ListPaymentMethods", "OAB  "),
];

/// Shared methods with a test of their own, because it takes more than a call to have what they are about.
const ELSEWHERE: [&str; 3] =
    ["CollectionService/GetDebt", "InvoiceService/GetCreditNote", "InvoiceService/GetCreditNoteDocument"];

/// What only the account itself may do, whatever right another one holds.
const NEVER: &[&str] = &[
    "ProjectService/ListProjects",
    "PaymentMethodService/SetDefaultPaymentMethod",
    "PaymentService/ListPayments",
    "InvoiceService/ListInvoices of the account",
    "CreditService/ListCredits of the account",
    "CreditOrderService/ListCreditOrders of the account",
    "NoticeService/ListNotices",
    "ProjectService/GetProject of another project",
];

/// Ada's, with something of each kind.
struct World {
    florin: Florin,
    ada: Customer,
    project: String,
    other: String,
    resource: String,
    order: String,
    paid: CreditOrder,
    credit: String,
    card: String,
    hold: String,
    budget: String,
    zoe: String,
}

impl World {
    async fn new(florin: Florin) -> Self {
        let (ada, project) = florin.customer_with_project("ada").await;
        let other = ada.create_project(None).await.unwrap().name;
        let resource = ada.add(&project, "plans/b3-8", "1").await.unwrap().name;
        let paid = ada.order(&project, 5).await;
        let methods = ListPaymentMethodsRequest { parent: ada.account.clone(), ..Default::default() };
        let methods = ada.caller.payment_methods().list_payment_methods(methods).await.unwrap().into_inner();
        let card = methods.payment_methods[0].name.clone();
        ada.pay(&paid.name, &card).await.unwrap();
        let get = GetCreditOrderRequest { name: paid.name.clone() };
        let paid = ada.caller.credit_orders().get_credit_order(get).await.unwrap().into_inner();
        let credit = ada.credits().await[0].name.clone();
        let order = ada.order(&project, 7).await.name;
        let zoe = florin.customer("zoe").await.account;
        let place = PlaceHoldRequest {
            parent: project.clone(),
            plan: "plans/b3-8".to_owned(),
            ..PlaceHoldRequest::default()
        };
        let hold = florin.operator.funding().place_hold(place).await.unwrap().into_inner().name;
        let budget = CreateBudgetRequest {
            parent: project.clone(),
            budget: Some(spending::budget(euros(5))),
            ..CreateBudgetRequest::default()
        };
        let budget = ada.caller.budgets().create_budget(budget).await.unwrap().into_inner().name;
        Self { florin, ada, project, other, resource, order, paid, credit, card, hold, budget, zoe }
    }

    /// Makes the call `method` as `who`, in a way that would do little.
    async fn call(&self, who: &Customer, method: &str) -> Result<(), Status> {
        if let Some(made) = self.spend(who, method).await {
            return made;
        }
        let Self { project, order, ada, credit, .. } = self;
        let (named, parent) = (|| project.clone(), || ada.account.clone());
        let caller = &who.caller;
        let buy = || Some(CreditOrder { project: named(), amount: Some(euros(5)), ..CreditOrder::default() });
        match method {
            "ProjectService/GetProject" => {
                caller.projects().get_project(GetProjectRequest { name: named() }).await.map(drop)
            }
            "ProjectService/GetProject of another project" => {
                caller.projects().get_project(GetProjectRequest { name: self.other.clone() }).await.map(drop)
            }
            "ProjectService/ListProjects" => {
                let request = ListProjectsRequest { parent: parent(), ..Default::default() };
                caller.projects().list_projects(request).await.map(drop)
            }
            "ProjectService/ListQuotas" => {
                caller.projects().list_quotas(ListQuotasRequest { parent: named() }).await.map(drop)
            }
            "ProjectService/UpdateProject" => {
                let project = Project { name: named(), display_name: "Web".to_owned(), ..Project::default() };
                let update_mask = Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] });
                let request =
                    UpdateProjectRequest { project: Some(project), update_mask, ..Default::default() };
                caller.projects().update_project(request).await.map(drop)
            }
            "ProjectService/CancelProject" => {
                let request = CancelProjectRequest { name: named(), ..Default::default() };
                caller.projects().cancel_project(request).await.map(drop)
            }
            "ProjectService/RequestProjectDeletion" => {
                let request = RequestProjectDeletionRequest { name: named(), ..Default::default() };
                caller.projects().request_project_deletion(request).await.map(drop)
            }
            "ProjectService/WithdrawProjectDeletion" => {
                let request = WithdrawProjectDeletionRequest { name: named(), ..Default::default() };
                caller.projects().withdraw_project_deletion(request).await.map(drop)
            }
            "ProjectService/ConfirmProjectDeletion" => {
                let token = "wrong".to_owned();
                let request = ConfirmProjectDeletionRequest { name: named(), token, ..Default::default() };
                caller.projects().confirm_project_deletion(request).await.map(drop)
            }
            "ProjectService/GrantRight" => give(who, project, "nobody-fl", Level::ReadOnly).await.map(drop),
            "ProjectService/ListRights" => {
                let request = ListRightsRequest { parent: named(), ..Default::default() };
                caller.projects().list_rights(request).await.map(drop)
            }
            "ProjectService/RevokeRight" => {
                let request = RevokeRightRequest { name: self.right_of_zoe().await, ..Default::default() };
                caller.projects().revoke_right(request).await.map(drop)
            }
            "ResourceService/GetResource" => {
                let request = GetResourceRequest { name: self.resource.clone() };
                caller.resources().get_resource(request).await.map(drop)
            }
            "ResourceService/ListResources" => {
                let request = ListResourcesRequest { parent: named(), ..Default::default() };
                caller.resources().list_resources(request).await.map(drop)
            }
            "ResourceService/AddResource" => who.add(project, "plans/b3-8", "1").await.map(drop),
            "ResourceService/RemoveResource" => {
                let name = ada.add(project, "plans/b3-8", "1").await?.name;
                let request = RemoveResourceRequest { name, ..Default::default() };
                caller.resources().remove_resource(request).await.map(drop)
            }
            "UsageService/GetCurrentUsage" => {
                let request = GetCurrentUsageRequest { parent: named() };
                caller.usage().get_current_usage(request).await.map(drop)
            }
            "InvoiceService/EstimateInvoice" => {
                caller.invoices().estimate_invoice(EstimateInvoiceRequest { parent: named() }).await.map(drop)
            }
            "InvoiceService/GetInvoice" => {
                let name = self.paid.purchase_invoice.clone();
                caller.invoices().get_invoice(GetInvoiceRequest { name }).await.map(drop)
            }
            "InvoiceService/ListInvoices" => {
                let request =
                    ListInvoicesRequest { parent: parent(), project: named(), ..Default::default() };
                caller.invoices().list_invoices(request).await.map(drop)
            }
            "InvoiceService/ListInvoices of the account" => {
                let request = ListInvoicesRequest { parent: parent(), ..Default::default() };
                caller.invoices().list_invoices(request).await.map(drop)
            }
            "InvoiceService/ExplainSettlement" => {
                let name = self.paid.purchase_invoice.clone();
                caller.invoices().explain_settlement(ExplainSettlementRequest { name }).await.map(drop)
            }
            "CreditService/ListCredits" => {
                let request = ListCreditsRequest { parent: named(), ..Default::default() };
                caller.credits().list_credits(request).await.map(drop)
            }
            "CreditService/ListCredits of the account" => {
                let request = ListCreditsRequest { parent: parent(), ..Default::default() };
                caller.credits().list_credits(request).await.map(drop)
            }
            "CreditService/GetCredit" => caller
                .credits()
                .get_credit(GetCreditRequest { name: credit.clone(), ..Default::default() })
                .await
                .map(drop),
            "CreditService/ListMovements" => {
                let request = ListMovementsRequest { parent: credit.clone(), ..Default::default() };
                caller.credits().list_movements(request).await.map(drop)
            }
            "CreditOrderService/GetCreditOrder" => {
                let request = GetCreditOrderRequest { name: order.clone() };
                caller.credit_orders().get_credit_order(request).await.map(drop)
            }
            "CreditOrderService/ListCreditOrders" => {
                let request =
                    ListCreditOrdersRequest { parent: parent(), project: named(), ..Default::default() };
                caller.credit_orders().list_credit_orders(request).await.map(drop)
            }
            "CreditOrderService/ListCreditOrders of the account" => {
                let request = ListCreditOrdersRequest { parent: parent(), ..Default::default() };
                caller.credit_orders().list_credit_orders(request).await.map(drop)
            }
            "CreditOrderService/PreviewCreditOrder" => {
                let request = PreviewCreditOrderRequest { parent: parent(), credit_order: buy() };
                caller.credit_orders().preview_credit_order(request).await.map(drop)
            }
            "CreditOrderService/CreateCreditOrder" => {
                let request =
                    CreateCreditOrderRequest { parent: parent(), credit_order: buy(), ..Default::default() };
                caller.credit_orders().create_credit_order(request).await.map(drop)
            }
            "CreditOrderService/PayCreditOrder" => {
                let order = ada.order(project, 6).await.name;
                who.pay(&order, &self.card).await.map(drop)
            }
            "CreditOrderService/CancelCreditOrder" => {
                let name = ada.order(project, 6).await.name;
                let request = CancelCreditOrderRequest { name, ..Default::default() };
                caller.credit_orders().cancel_credit_order(request).await.map(drop)
            }
            "VoucherService/CheckVoucher" => {
                let code = self.florin.codes(self.florin.campaign(1), 1).await.remove(0);
                let request = CheckVoucherRequest { parent: parent(), project: named(), code };
                caller.vouchers().check_voucher(request).await.map(drop)
            }
            "VoucherService/RedeemVoucher" => {
                let code = self.florin.codes(self.florin.campaign(1), 1).await.remove(0);
                who.redeem(project, &code).await.map(drop)
            }
            "PaymentMethodService/GetPaymentMethod" => {
                let request = GetPaymentMethodRequest { name: self.card.clone() };
                caller.payment_methods().get_payment_method(request).await.map(drop)
            }
            "PaymentMethodService/ListPaymentMethods" => {
                let request = ListPaymentMethodsRequest { parent: parent(), ..Default::default() };
                caller.payment_methods().list_payment_methods(request).await.map(drop)
            }
            "PaymentMethodService/SetDefaultPaymentMethod" => {
                let request =
                    SetDefaultPaymentMethodRequest { name: self.card.clone(), ..Default::default() };
                caller.payment_methods().set_default_payment_method(request).await.map(drop)
            }
            "PaymentService/ListPayments" => {
                let request = ListPaymentsRequest { parent: parent(), ..Default::default() };
                caller.payments().list_payments(request).await.map(drop)
            }
            "NoticeService/ListNotices" => {
                let request = ListNoticesRequest { parent: parent(), ..Default::default() };
                caller.notices().list_notices(request).await.map(drop)
            }
            other => panic!("no call is written for {other}"),
        }
    }

    /// A right that zoe holds; Ada gives it if nobody has yet, or somebody took it back.
    async fn right_of_zoe(&self) -> String {
        if let Ok(right) = give(&self.ada, &self.project, &self.zoe, Level::Technical).await {
            return right.name;
        }
        let request = ListRightsRequest { parent: self.project.clone(), ..Default::default() };
        let rights = self.ada.caller.projects().list_rights(request).await.unwrap().into_inner().rights;
        rights.into_iter().find(|right| right.grantee == self.zoe).unwrap().name
    }
}

/// `owner` gives `grantee` a right on `project`.
async fn give(owner: &Customer, project: &str, grantee: &str, level: Level) -> Result<Right, Status> {
    let right = Right { grantee: grantee.to_owned(), level: level.into(), ..Right::default() };
    let request = GrantRightRequest { parent: project.to_owned(), right: Some(right), ..Default::default() };
    Ok(owner.caller.projects().grant_right(request).await?.into_inner())
}

/// Pays `invoice` of whoever it belongs to.
async fn pay(who: &Customer, invoice: &str, method: &str) -> Result<PayInvoiceResponse, Status> {
    let request = PayInvoiceRequest {
        name: invoice.to_owned(),
        payment_method: method.to_owned(),
        ..PayInvoiceRequest::default()
    };
    Ok(who.caller.collection().pay_invoice(request).await?.into_inner())
}

async fn take(who: &Customer, right: &str) -> Result<Right, Status> {
    let request = RevokeRightRequest { name: right.to_owned(), ..Default::default() };
    Ok(who.caller.projects().revoke_right(request).await?.into_inner())
}

fn reason(answer: &Result<(), Status>) -> String {
    answer.as_ref().err().map(|status| refusal(status).1).unwrap_or_default()
}

/// Refusals of who was let in, where the call as it is made here cannot succeed.
const LET_IN: [&str; 8] = [
    "ETAG_MISMATCH",
    "CURRENCY_MISMATCH",
    "INVOICE_NOT_PAYABLE",
    "GRANTEE_UNKNOWN",
    "PROJECT_NOT_PENDING",
    "DELETION_NOT_REQUESTED",
    "DELETION_TOKEN_WRONG",
    "DELETION_REQUEST_RATE_LIMITED",
];

#[test]
fn the_table_is_that_of_the_server() {
    let letter = |right: &call::Right| match right {
        call::Right::Owner => 'O',
        call::Right::Admin => 'A',
        call::Right::Billing => 'B',
        call::Right::Technical => 'T',
        call::Right::ReadOnly => 'R',
    };
    let shared = ACCESS.iter().filter(|(_, access)| !access.shared.is_empty());
    for (method, _) in shared {
        let called = |row: &&str| method.ends_with(&format!(".{row}"));
        let tested = TABLE.iter().map(|(row, _)| row).chain(&ELSEWHERE).any(called);
        assert!(tested, "no test tells what rights {method} takes");
    }
    for (method, cells) in TABLE.iter().filter(|(method, _)| *method != "ProjectService/RevokeRight") {
        let (_, access) = ACCESS.iter().find(|(known, _)| known.ends_with(&format!(".{method}"))).unwrap();
        let served: String = access.shared.iter().map(letter).collect();
        assert_eq!(served, cells.replace(' ', ""), "{method}");
    }
}

on_both_backends! {
    /// R4.5: every right, every call; and to whom holds none nothing exists.
    async fn every_right_lets_in_where_the_table_says_so_and_nowhere_else(db: TestDatabase) {
        let world = World::new(Florin::start(&db).await).await;
        let stranger = world.florin.customer("eve").await;
        for (method, _) in TABLE {
            assert_eq!(reason(&world.call(&stranger, method).await), "NOT_FOUND", "{method} by a stranger");
        }
        for (column, level) in LEVELS.into_iter().enumerate() {
            let guest = world.florin.customer(&format!("guest{column}")).await;
            let right = give(&world.ada, &world.project, &guest.account, level).await.unwrap();
            for (method, cells) in TABLE {
                let answer = world.call(&guest, method).await;
                let told = reason(&answer);
                if cells.as_bytes()[column] == b' ' {
                    assert_eq!(told, "RIGHT_INSUFFICIENT", "{method} by {level:?}");
                    assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied);
                } else {
                    assert!(told.is_empty() || LET_IN.contains(&told.as_str()), "{method} by {level:?}: {answer:?}");
                }
            }
            for method in NEVER {
                assert_eq!(reason(&world.call(&guest, method).await), "NOT_FOUND", "{method} by {level:?}");
            }
            take(&world.ada, &right.name).await.unwrap();
            for (method, _) in TABLE {
                assert_eq!(reason(&world.call(&guest, method).await), "NOT_FOUND", "{method} by a former {level:?}");
            }
        }
        world.florin.stop().await;
    }

    /// R4.5: by name or by handle, once; both are told, both list it, and its holder may give it up.
    async fn a_right_is_given_by_handle_told_to_both_and_given_up(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_project("ada").await;
        let ben = florin.customer("ben").await;
        let get = florin_api::account::v1::GetAccountRequest { name: ben.account.clone() };
        let handle = ben.caller.accounts().get_account(get).await.unwrap().into_inner().handle;
        let right = give(&ada, &project, &handle.to_uppercase(), Level::Technical).await.unwrap();
        assert_eq!((right.grantee.as_str(), right.grantee_handle.as_str()), (ben.account.as_str(), handle.as_str()));
        for (grantee, expected) in [
            (ben.account.as_str(), "RIGHT_ALREADY_GRANTED"),
            ("nobody-fl", "GRANTEE_UNKNOWN"),
            ("accounts/acct_00000000000000000000000000", "GRANTEE_UNKNOWN"),
            (ada.account.as_str(), "INVALID_ARGUMENT_VIOLATIONS"),
        ] {
            let status = give(&ada, &project, grantee, Level::Technical).await.unwrap_err();
            assert_eq!(refusal(&status).1, expected, "{grantee}");
        }
        let request = ListHeldRightsRequest { parent: ben.account.clone(), ..Default::default() };
        let held = ben.caller.projects().list_held_rights(request.clone()).await.unwrap().into_inner().rights;
        assert_eq!(held, std::slice::from_ref(&right));
        for who in [&ada, &ben] {
            let kinds = vec!["project.right-granted".to_owned()];
            let request = ListNoticesRequest { parent: who.account.clone(), kinds, ..Default::default() };
            let notices = who.caller.notices().list_notices(request).await.unwrap().into_inner().notices;
            assert_eq!(notices.len(), 1);
            assert!(notices[0].body.contains(&handle) && notices[0].body.contains(&project));
        }

        let resource = ben.add(&project, "plans/b3-8", "1").await.unwrap();
        assert!(resource.name.starts_with(&project), "it is Ada's resource");
        assert!(take(&ben, &right.name).await.unwrap().revoke_time.is_some());
        assert_eq!(refusal(&take(&ben, &right.name).await.unwrap_err()).1, "NOT_FOUND");
        assert_eq!(refusal(&take(&ada, &right.name).await.unwrap_err()).1, "NOT_FOUND");
        let held = ben.caller.projects().list_held_rights(request).await.unwrap().into_inner().rights;
        assert!(held.is_empty());
        florin.stop().await;
    }

    /// R4.5: an ADMIN makes and unmakes no OWNER; a replay is refused to whose right is gone; a guest pays
    /// with the default method only, and by link.
    async fn an_admin_makes_no_owner_and_a_guest_pays_with_the_default_method_only(db: TestDatabase) {
        let world = World::new(Florin::start(&db).await).await;
        let World { florin, ada, project, zoe, .. } = &world;
        let admin = florin.customer("admin").await;
        let right = give(ada, project, &admin.account, Level::Admin).await.unwrap();
        let owners = give(ada, project, zoe, Level::Owner).await.unwrap();
        let status = give(&admin, project, &florin.customer("friend").await.account, Level::Owner).await;
        assert_eq!(refusal(&status.unwrap_err()).1, "RIGHT_INSUFFICIENT");
        assert_eq!(refusal(&take(&admin, &owners.name).await.unwrap_err()).1, "RIGHT_INSUFFICIENT");

        let second = ada.card("card-frictionless").await;
        let order = ada.order(project, 5).await;
        let status = admin.pay(&order.name, &second.name).await.unwrap_err();
        assert_eq!(refusal(&status), (Code::PermissionDenied, "ONLY_DEFAULT_METHOD".to_owned()));
        pay_by_link(florin, &order, "card-frictionless").await.unwrap();
        let order = ada.order(project, 5).await;
        let paid = admin.pay(&order.name, &world.card).await.unwrap();
        assert_eq!(paid.credit_order.unwrap().state(), credit_order::State::Paid);

        let resource = florin_api::project::v1::Resource { plan: "plans/b3-8".to_owned(), ..Default::default() };
        let request = florin_api::project::v1::AddResourceRequest {
            parent: project.clone(),
            resource: Some(resource),
            request_id: "once".to_owned(),
            ..Default::default()
        };
        let first = admin.caller.resources().add_resource(request.clone()).await.unwrap().into_inner();
        let again = admin.caller.resources().add_resource(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, again);
        let own = ada.caller.resources().add_resource(request.clone()).await.unwrap().into_inner();
        assert_ne!(first.name, own.name, "the owner's request ids are the owner's");
        take(ada, &right.name).await.unwrap();
        let status = admin.caller.resources().add_resource(request).await.unwrap_err();
        assert_eq!(refusal(&status).1, "NOT_FOUND");
        world.florin.stop().await;
    }

    /// R4.5, R9.3: with a BILLING right an invoice of the project is paid, by the account's default method; what the
    /// account owes otherwise is not the guest's affair. Debts are seen with the invoices they are for.
    async fn a_guest_pays_an_overdue_invoice_with_the_default_method(db: TestDatabase) {
        let florin = Florin::start(&db).await;
        let (ada, project) = florin.customer_with_voucher("ada").await;
        let other = ada.create_project(None).await.unwrap().name;
        florin.advance_to("2027-03-04T09:40:00Z").await;
        for project in [&project, &other] {
            ada.add(project, "plans/b3-8", "1").await.unwrap();
        }
        florin.advance_to("2027-04-01T06:30:00Z").await;
        let invoices = ada.invoices(invoice::Kind::Monthly).await;
        let of = |project: &str| invoices.iter().find(|invoice| invoice.project == project).unwrap().clone();
        let (mine, others) = (of(&project), of(&other));
        assert_eq!((mine.state(), others.state()), (invoice::State::Overdue, invoice::State::Overdue));
        let request = ListDebtsRequest { parent: ada.account.clone(), ..Default::default() };
        let debts = ada.caller.collection().list_debts(request.clone()).await.unwrap().into_inner().debts;
        let debt_of = |invoice: &str| debts.iter().find(|debt| debt.invoice == invoice).unwrap().name.clone();
        let (debt, others_debt) = (debt_of(&mine.name), debt_of(&others.name));
        let first = ada.card("card-frictionless").await.name;
        let second = ada.card("card-frictionless").await.name;

        for (name, level, sees, pays) in [
            ("tess", Level::Technical, "RIGHT_INSUFFICIENT", "RIGHT_INSUFFICIENT"),
            ("rita", Level::ReadOnly, "", "RIGHT_INSUFFICIENT"),
            ("bill", Level::Billing, "", "ONLY_DEFAULT_METHOD"),
        ] {
            let guest = florin.customer(name).await;
            give(&ada, &project, &guest.account, level).await.unwrap();
            let collection = || guest.caller.collection();
            let get = |name: &str| GetDebtRequest { name: name.to_owned() };
            assert_eq!(reason(&collection().get_debt(get(&debt)).await.map(drop)), sees, "{level:?}");
            assert_eq!(reason(&collection().get_debt(get(&others_debt)).await.map(drop)), "NOT_FOUND");
            assert_eq!(reason(&collection().list_debts(request.clone()).await.map(drop)), "NOT_FOUND");
            let all = PayDebtRequest {
                parent: ada.account.clone(),
                payment_method: first.clone(),
                ..PayDebtRequest::default()
            };
            assert_eq!(reason(&collection().pay_debt(all).await.map(drop)), "NOT_FOUND");
            assert_eq!(reason(&pay(&guest, &others.name, &first).await.map(drop)), "NOT_FOUND");
            assert_eq!(reason(&pay(&guest, &mine.name, &second).await.map(drop)), pays, "{level:?}");
            if level == Level::Billing {
                let paid = pay(&guest, &mine.name, &first).await.unwrap();
                assert_eq!(paid.invoice.unwrap().state(), invoice::State::Paid);
                assert_eq!(paid.payment.unwrap().payment_method, first);
            }
        }
        florin.stop().await;
    }
}
