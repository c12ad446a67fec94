//! Calls about what runs in a project, what it may spend and what it owes, made in a way that changes nothing: an
//! etag nobody has seen, another currency, an invoice that is paid. Who is let in is told so; others never get there.

use florin_api::{
    credit::v1::GetCreditOrderDocumentRequest,
    invoicing::v1::{GetInvoiceDocumentRequest, ListCreditNotesRequest, PayInvoiceRequest, invoice_document},
    money::Money,
    project::v1::{
        Budget, CheckFundingRequest, CreateBudgetRequest, DeleteBudgetRequest, GetBudgetRequest,
        GetHoldRequest, GetSpendingControlsRequest, GetUsageForecastRequest, ListBudgetsRequest,
        ListHoldsRequest, ListUsageHistoryRequest, ResizeResourceRequest, Resource, SetPrepaidOnlyRequest,
        SetSpendCapRequest, SwitchToMonthlyRequest, UpdateBudgetRequest, UpdateResourceRequest, budget,
    },
};
use florin_tests::{acts::euros, florin::Customer};
use prost_types::FieldMask;
use tonic::Status;

use crate::World;

/// Seen by nobody.
const ETAG: &str = "unseen";

pub(crate) fn budget(amount: Money) -> Budget {
    Budget {
        display_name: "March".to_owned(),
        amount: Some(amount),
        basis: budget::Basis::Actual.into(),
        ..Budget::default()
    }
}

fn mask(path: &str) -> Option<FieldMask> {
    Some(FieldMask { paths: vec![path.to_owned()] })
}

impl World {
    /// Makes the call `method` as `who`; none if it is not of this kind.
    pub(crate) async fn spend(&self, who: &Customer, method: &str) -> Option<Result<(), Status>> {
        let made = match method.split_once('/')?.0 {
            "ResourceService" => self.change(who, method).await?,
            "BudgetService" => self.watch(who, method).await,
            "FundingService" | "UsageService" => self.look(who, method).await?,
            "CollectionService" | "InvoiceService" | "CreditOrderService" => self.settle(who, method).await?,
            _ => return None,
        };
        Some(made)
    }

    async fn change(&self, who: &Customer, method: &str) -> Option<Result<(), Status>> {
        let (mut resources, name, etag) = (who.caller.resources(), self.resource.clone(), ETAG.to_owned());
        let made = match method {
            "ResourceService/UpdateResource" => {
                let display_name = "web".to_owned();
                let resource = Some(Resource { name, etag, display_name, ..Resource::default() });
                let update_mask = mask("display_name");
                let request = UpdateResourceRequest { resource, update_mask, ..Default::default() };
                resources.update_resource(request).await.map(drop)
            }
            "ResourceService/ResizeResource" => {
                let plan = "plans/b3-16".to_owned();
                let request = ResizeResourceRequest { name, plan, etag, ..Default::default() };
                resources.resize_resource(request).await.map(drop)
            }
            "ResourceService/SwitchToMonthly" => {
                let plan = "plans/b3-8-monthly".to_owned();
                let request = SwitchToMonthlyRequest { name, plan, etag, ..Default::default() };
                resources.switch_to_monthly(request).await.map(drop)
            }
            _ => return None,
        };
        Some(made)
    }

    async fn look(&self, who: &Customer, method: &str) -> Option<Result<(), Status>> {
        let (mut usage, mut funding) = (who.caller.usage(), who.caller.funding());
        let parent = self.project.clone();
        let made = match method {
            "UsageService/GetUsageForecast" => {
                usage.get_usage_forecast(GetUsageForecastRequest { parent }).await.map(drop)
            }
            "UsageService/ListUsageHistory" => {
                let request = ListUsageHistoryRequest { parent, ..Default::default() };
                usage.list_usage_history(request).await.map(drop)
            }
            "FundingService/CheckFunding" => {
                let request = CheckFundingRequest { name: parent, ..Default::default() };
                funding.check_funding(request).await.map(drop)
            }
            "FundingService/GetHold" => {
                funding.get_hold(GetHoldRequest { name: self.hold.clone() }).await.map(drop)
            }
            "FundingService/ListHolds" => {
                funding.list_holds(ListHoldsRequest { parent, ..Default::default() }).await.map(drop)
            }
            _ => return None,
        };
        Some(made)
    }

    async fn watch(&self, who: &Customer, method: &str) -> Result<(), Status> {
        let (mut budgets, parent, etag) = (who.caller.budgets(), self.project.clone(), ETAG.to_owned());
        let (name, controls) = (self.budget.clone(), format!("{parent}/spendingControls"));
        match method {
            "BudgetService/CreateBudget" => {
                let dollars = Money { currency_code: "USD".to_owned(), units: 5, nanos: 0 };
                let request =
                    CreateBudgetRequest { parent, budget: Some(budget(dollars)), ..Default::default() };
                budgets.create_budget(request).await.map(drop)
            }
            "BudgetService/GetBudget" => budgets.get_budget(GetBudgetRequest { name }).await.map(drop),
            "BudgetService/ListBudgets" => {
                budgets.list_budgets(ListBudgetsRequest { parent, ..Default::default() }).await.map(drop)
            }
            "BudgetService/UpdateBudget" => {
                let budget = Some(Budget { name, etag, ..budget(euros(6)) });
                let request =
                    UpdateBudgetRequest { budget, update_mask: mask("amount"), ..Default::default() };
                budgets.update_budget(request).await.map(drop)
            }
            "BudgetService/DeleteBudget" => budgets
                .delete_budget(DeleteBudgetRequest { name, etag, ..Default::default() })
                .await
                .map(drop),
            "BudgetService/GetSpendingControls" => {
                let request = GetSpendingControlsRequest { name: controls };
                budgets.get_spending_controls(request).await.map(drop)
            }
            "BudgetService/SetSpendCap" => {
                let request = SetSpendCapRequest { name: controls, etag, ..Default::default() };
                budgets.set_spend_cap(request).await.map(drop)
            }
            "BudgetService/SetPrepaidOnly" => {
                let request = SetPrepaidOnlyRequest { name: controls, etag, ..Default::default() };
                budgets.set_prepaid_only(request).await.map(drop)
            }
            other => panic!("no call is written for {other}"),
        }
    }

    async fn settle(&self, who: &Customer, method: &str) -> Option<Result<(), Status>> {
        let invoice = self.paid.purchase_invoice.clone();
        let made = match method {
            "CollectionService/PayInvoice" => {
                let request = PayInvoiceRequest {
                    name: invoice,
                    payment_method: self.card.clone(),
                    ..PayInvoiceRequest::default()
                };
                who.caller.collection().pay_invoice(request).await.map(drop)
            }
            "InvoiceService/GetInvoiceDocument" => {
                let format = invoice_document::Format::Html.into();
                let request = GetInvoiceDocumentRequest { name: invoice, format };
                who.caller.invoices().get_invoice_document(request).await.map(drop)
            }
            "InvoiceService/ListCreditNotes" => {
                let parent = self.ada.account.clone();
                let request = ListCreditNotesRequest { parent, invoice, ..Default::default() };
                who.caller.invoices().list_credit_notes(request).await.map(drop)
            }
            "CreditOrderService/GetCreditOrderDocument" => {
                let request = GetCreditOrderDocumentRequest { name: self.paid.name.clone() };
                who.caller.credit_orders().get_credit_order_document(request).await.map(drop)
            }
            _ => return None,
        };
        Some(made)
    }
}
