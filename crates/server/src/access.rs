//! Who may call what: one table for every RPC (R2.6). A test walks every method of every service.

use florin_platform::{
    access::{Access, AccessTable},
    call::{
        Right,
        Role::{self, ControlPlane, Finance, Marketing, Operator, Sandbox},
    },
};

const ANYONE: Access = Access { anonymous: true, customer: true, roles: &[], shared: &[] };

/// Anybody, and one of `roles` for any account.
const fn anyone_and(roles: &'static [Role]) -> Access {
    Access { anonymous: true, customer: true, roles, shared: &[] }
}

/// The customer themselves, or one of `roles` for any account.
const fn customer(roles: &'static [Role]) -> Access {
    Access { anonymous: false, customer: true, roles, shared: &[] }
}

/// One of `roles` only.
const fn service(roles: &'static [Role]) -> Access {
    Access { anonymous: false, customer: false, roles, shared: &[] }
}

/// The customer themselves, one of `roles` for any account, or another account that holds one of `rights` on
/// the project (R4.5). This column is the table of rights; README shows it to people.
const fn shared(roles: &'static [Role], rights: &'static [Right]) -> Access {
    Access { anonymous: false, customer: true, roles, shared: rights }
}

/// What runs in a project and how much of it was used: everybody with a right.
const MEMBERS: &[Right] = &Right::ALL;
/// What a project costs, and with what it is paid.
const ACCOUNTANTS: &[Right] = &[Right::Owner, Right::Admin, Right::Billing, Right::ReadOnly];
/// Buying, redeeming and paying for a project, and how much it may spend.
const PAYERS: &[Right] = &[Right::Owner, Right::Admin, Right::Billing];
/// Adding, resizing and removing what runs.
const TECHNICIANS: &[Right] = &[Right::Owner, Right::Admin, Right::Technical];
/// The project itself: its name, its rights, its end.
const MANAGERS: &[Right] = &[Right::Owner, Right::Admin];

/// The whole table; a method that is missing here may be called by nobody.
pub const ACCESS: &[(&str, Access)] = &[
    ("florin.account.v1.AccountService/CreateAccount", ANYONE),
    ("florin.account.v1.AccountService/ConfirmAccount", ANYONE),
    ("florin.account.v1.AccountService/ResendConfirmation", ANYONE),
    ("florin.account.v1.AccountService/ListRequiredFields", ANYONE),
    ("florin.account.v1.AccountService/GetAccount", customer(&[Operator, Finance])),
    ("florin.account.v1.AccountService/ListAccounts", service(&[Operator, Finance])),
    ("florin.account.v1.AccountService/UpdateAccount", customer(&[Operator])),
    ("florin.account.v1.AccountService/GetTaxStatus", customer(&[Operator, Finance])),
    ("florin.account.v1.AccountService/ListTerms", customer(&[Operator])),
    ("florin.account.v1.AccountService/AcceptTerms", customer(&[])),
    ("florin.account.v1.AuthService/Login", ANYONE),
    ("florin.account.v1.AuthService/Logout", customer(&[])),
    ("florin.account.v1.IssuerService/GetIssuer", ANYONE),
    ("florin.account.v1.IssuerService/ListIssuers", ANYONE),
    ("florin.payment.v1.PaymentMethodService/ListOfferedKinds", customer(&[Operator])),
    ("florin.payment.v1.PaymentMethodService/CreatePaymentMethod", customer(&[])),
    ("florin.payment.v1.PaymentMethodService/ConfirmPaymentMethod", customer(&[])),
    ("florin.payment.v1.PaymentMethodService/GetPaymentMethod", shared(&[Operator, Finance], PAYERS)),
    ("florin.payment.v1.PaymentMethodService/ListPaymentMethods", shared(&[Operator, Finance], PAYERS)),
    ("florin.payment.v1.PaymentMethodService/SetDefaultPaymentMethod", customer(&[])),
    ("florin.payment.v1.PaymentMethodService/UpdatePaymentMethod", customer(&[])),
    ("florin.payment.v1.PaymentMethodService/DeletePaymentMethod", customer(&[])),
    ("florin.payment.v1.PaymentService/GetPayment", customer(&[Operator, Finance])),
    ("florin.payment.v1.PaymentService/ListPayments", customer(&[Operator, Finance])),
    ("florin.project.v1.ProjectService/CheckEligibility", customer(&[Operator])),
    ("florin.project.v1.ProjectService/CreateProject", customer(&[])),
    ("florin.project.v1.ProjectService/CancelProject", shared(&[Operator], MANAGERS)),
    ("florin.project.v1.ProjectService/GetProject", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.project.v1.ProjectService/ListProjects", customer(&[Operator, ControlPlane, Finance])),
    ("florin.project.v1.ProjectService/UpdateProject", shared(&[Operator], MANAGERS)),
    ("florin.project.v1.ProjectService/SuspendProject", service(&[Operator])),
    ("florin.project.v1.ProjectService/ResumeProject", service(&[Operator])),
    ("florin.project.v1.ProjectService/AcknowledgeSuspension", service(&[ControlPlane])),
    ("florin.project.v1.ProjectService/ListSuspensionAcknowledgements", service(&[Operator, ControlPlane])),
    ("florin.project.v1.ProjectService/RequestProjectDeletion", shared(&[], MANAGERS)),
    ("florin.project.v1.ProjectService/WithdrawProjectDeletion", shared(&[Operator], MANAGERS)),
    ("florin.project.v1.ProjectService/ConfirmProjectDeletion", shared(&[], MANAGERS)),
    ("florin.project.v1.ProjectService/GrantRight", shared(&[], MANAGERS)),
    // Everybody may give up what they hold; what else they may revoke is decided by the account slice.
    ("florin.project.v1.ProjectService/RevokeRight", shared(&[Operator], MEMBERS)),
    ("florin.project.v1.ProjectService/ListRights", shared(&[Operator], MANAGERS)),
    ("florin.project.v1.ProjectService/ListHeldRights", customer(&[Operator])),
    ("florin.project.v1.ProjectService/SetQuota", service(&[Operator])),
    ("florin.project.v1.ProjectService/ListQuotas", shared(&[Operator, ControlPlane], MEMBERS)),
    ("florin.project.v1.ProjectService/SetProjectLimit", service(&[Operator])),
    ("florin.project.v1.ResourceService/AddResource", shared(&[ControlPlane], TECHNICIANS)),
    ("florin.project.v1.ResourceService/GetResource", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.project.v1.ResourceService/ListResources", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.project.v1.ResourceService/UpdateResource", shared(&[ControlPlane], TECHNICIANS)),
    ("florin.project.v1.ResourceService/ResizeResource", shared(&[ControlPlane], TECHNICIANS)),
    ("florin.project.v1.ResourceService/SwitchToMonthly", shared(&[ControlPlane], TECHNICIANS)),
    ("florin.project.v1.ResourceService/RemoveResource", shared(&[ControlPlane], TECHNICIANS)),
    // Anybody may see the list; an account's own prices are seen by the account, or in one of these roles.
    ("florin.project.v1.CatalogService/GetPlan", anyone_and(&[Operator, Marketing, Finance, ControlPlane])),
    ("florin.project.v1.CatalogService/ListPlans", anyone_and(&[Operator, Marketing, Finance, ControlPlane])),
    ("florin.project.v1.CatalogService/CreatePlan", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/UpdatePlan", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/AddPriceVersion", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/EndPriceVersion", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/RetirePlan", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/ImportCatalogue", service(&[Operator, Marketing])),
    ("florin.project.v1.CatalogService/ExportCatalogue", service(&[Operator, Marketing, Finance])),
    ("florin.project.v1.UsageService/RecordUsage", service(&[ControlPlane])),
    ("florin.project.v1.UsageService/StreamUsage", service(&[ControlPlane])),
    ("florin.project.v1.FundingService/CheckFunding", shared(&[ControlPlane, Operator], MEMBERS)),
    ("florin.project.v1.FundingService/PlaceHold", service(&[ControlPlane])),
    ("florin.project.v1.FundingService/ReleaseHold", service(&[ControlPlane])),
    ("florin.project.v1.FundingService/GetHold", shared(&[ControlPlane, Operator], MEMBERS)),
    ("florin.project.v1.FundingService/ListHolds", shared(&[ControlPlane, Operator], MEMBERS)),
    ("florin.project.v1.BudgetService/CreateBudget", shared(&[Operator], PAYERS)),
    ("florin.project.v1.BudgetService/GetBudget", shared(&[Operator], ACCOUNTANTS)),
    ("florin.project.v1.BudgetService/ListBudgets", shared(&[Operator], ACCOUNTANTS)),
    ("florin.project.v1.BudgetService/UpdateBudget", shared(&[Operator], PAYERS)),
    ("florin.project.v1.BudgetService/DeleteBudget", shared(&[Operator], PAYERS)),
    ("florin.project.v1.BudgetService/GetSpendingControls", shared(&[Operator], ACCOUNTANTS)),
    ("florin.project.v1.BudgetService/SetSpendCap", shared(&[Operator], PAYERS)),
    ("florin.project.v1.BudgetService/SetPrepaidOnly", shared(&[Operator], PAYERS)),
    ("florin.project.v1.UsageService/GetCurrentUsage", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.project.v1.UsageService/GetUsageForecast", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.project.v1.UsageService/ListUsageHistory", shared(&[Operator, ControlPlane, Finance], MEMBERS)),
    ("florin.credit.v1.CreditOrderService/PreviewCreditOrder", shared(&[Operator], PAYERS)),
    ("florin.credit.v1.CreditOrderService/CreateCreditOrder", shared(&[], PAYERS)),
    // A payment link needs no session: whoever holds the link may pay (R6.3).
    ("florin.credit.v1.CreditOrderService/PayCreditOrder", Access { shared: PAYERS, ..ANYONE }),
    ("florin.credit.v1.CreditOrderService/CancelCreditOrder", shared(&[Operator], PAYERS)),
    ("florin.credit.v1.CreditOrderService/GetCreditOrder", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditOrderService/ListCreditOrders", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditOrderService/WithdrawCreditOrder", customer(&[Operator])),
    ("florin.credit.v1.CreditOrderService/GetCreditOrderDocument", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditService/ListCredits", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditService/GetCredit", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditService/ListMovements", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.credit.v1.CreditService/ConfigureTopUp", customer(&[])),
    ("florin.credit.v1.CreditService/GetTopUp", customer(&[Operator, Finance])),
    ("florin.credit.v1.VoucherService/CheckVoucher", shared(&[], PAYERS)),
    ("florin.credit.v1.VoucherService/RedeemVoucher", shared(&[], PAYERS)),
    ("florin.credit.v1.CampaignService/CreateCampaign", service(&[Marketing])),
    ("florin.credit.v1.CampaignService/GetCampaign", service(&[Marketing, Finance])),
    ("florin.credit.v1.CampaignService/ListCampaigns", service(&[Marketing, Finance])),
    ("florin.credit.v1.CampaignService/GenerateCodes", service(&[Marketing])),
    ("florin.credit.v1.CampaignService/DisableCampaign", service(&[Marketing])),
    ("florin.credit.v1.CampaignService/ListRedemptions", service(&[Marketing, Finance])),
    ("florin.credit.v1.CampaignService/GetCampaignReport", service(&[Marketing, Finance])),
    ("florin.credit.v1.GrantService/GrantLaunchPad", service(&[Finance])),
    ("florin.credit.v1.GrantService/GrantLoyalty", service(&[Finance])),
    ("florin.credit.v1.GrantService/ListGrants", customer(&[Operator, Finance])),
    ("florin.invoicing.v1.InvoiceService/EstimateInvoice", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/GetInvoice", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/ListInvoices", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/ExplainSettlement", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/GetInvoiceDocument", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/GetCreditNoteDocument", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/CreateCreditNote", service(&[Finance])),
    ("florin.invoicing.v1.InvoiceService/GetCreditNote", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.InvoiceService/ListCreditNotes", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.CollectionService/PayInvoice", shared(&[], PAYERS)),
    ("florin.invoicing.v1.CollectionService/PayDebt", customer(&[])),
    ("florin.invoicing.v1.CollectionService/GetDebt", shared(&[Operator, Finance], ACCOUNTANTS)),
    ("florin.invoicing.v1.CollectionService/ListDebts", customer(&[Operator, Finance])),
    ("florin.invoicing.v1.CollectionService/WriteOffDebt", service(&[Finance])),
    ("florin.invoicing.v1.CollectionService/HoldDeletion", service(&[Operator, Finance])),
    ("florin.invoicing.v1.CollectionService/ReleaseDeletion", service(&[Operator, Finance])),
    ("florin.invoicing.v1.AccountingService/ExportJournal", service(&[Finance])),
    ("florin.invoicing.v1.BillingRunService/StartBillingRun", service(&[Finance])),
    ("florin.invoicing.v1.BillingRunService/GetBillingRun", service(&[Finance, Operator])),
    ("florin.invoicing.v1.BillingRunService/ListBillingRuns", service(&[Finance, Operator])),
    ("florin.invoicing.v1.BillingRunService/WatchBillingRun", service(&[Finance, Operator])),
    ("florin.invoicing.v1.BillingRunService/CancelBillingRun", service(&[Finance])),
    ("florin.invoicing.v1.BillingRunService/RetryBillingItem", service(&[Finance])),
    ("florin.invoicing.v1.BillingRunService/ListBillingItems", service(&[Finance, Operator])),
    // Who decides needs the role of the act as well: the service asks for it.
    ("florin.operation.v1.ApprovalService/ListApprovals", service(&[Finance, Operator])),
    ("florin.operation.v1.ApprovalService/GetApproval", service(&[Finance, Operator])),
    ("florin.operation.v1.ApprovalService/Approve", service(&[Finance, Operator])),
    ("florin.operation.v1.ApprovalService/Reject", service(&[Finance, Operator])),
    ("florin.operation.v1.NoticeService/ListNotices", customer(&[Operator])),
    ("florin.operation.v1.NoticeService/GetNotice", customer(&[Operator])),
    ("florin.sandbox.v1.ClockService/GetClock", ANYONE),
    ("florin.sandbox.v1.ClockService/AdvanceClock", service(&[Sandbox])),
    ("florin.sandbox.v1.PaymentOutcomeService/ApprovePayment", service(&[Sandbox])),
    ("florin.sandbox.v1.PaymentOutcomeService/DeclinePayment", service(&[Sandbox])),
    ("florin.sandbox.v1.PaymentOutcomeService/DisputePayment", service(&[Sandbox])),
    ("florin.sandbox.v1.PaymentOutcomeService/WinDispute", service(&[Sandbox])),
    ("florin.sandbox.v1.PaymentOutcomeService/LoseDispute", service(&[Sandbox])),
];

/// The table the admission layer asks.
#[must_use]
pub fn table() -> AccessTable {
    AccessTable::new(ACCESS)
}
