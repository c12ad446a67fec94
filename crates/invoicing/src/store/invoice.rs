//! Rows of invoices: what an invoice says about itself, once and for all (R8.2).

use florin_credit::OrderId;
use florin_platform::{
    column::{At, Code, CorruptRow, Minor},
    db::{BINDS_MAX, Tx},
    id::AccountId,
    set::{insert_all, is_among},
};
use florin_project::ProjectId;
use florin_settlement::{Instant, Month};
use sea_orm::{
    Condition, ConnectionTrait, DbErr, QueryOrder, QuerySelect, Set, entity::prelude::*, sea_query::Query,
};

use super::{parties::PartiesId, standing};
use crate::domain::{
    billing_run::BillingRunId,
    invoice::{CauseId, Content, InvoiceId, InvoiceKind, Occasion, Totals},
    standing::InvoiceState,
};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account_id: AccountId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: InvoiceId,
    pub(crate) number: String,
    kind: String,
    pub(crate) project_id: ProjectId,
    pub(crate) issuer: String,
    month: Option<String>,
    credit_order_id: Option<OrderId>,
    cause_id: Option<CauseId>,
    run_id: Option<BillingRunId>,
    pub(crate) currency: Code,
    net_total: Minor,
    credit_applied: Minor,
    net_after_credit: Minor,
    tax_total: Minor,
    amount_incl_tax: Minor,
    pub(crate) settlement_at: At,
    pub(crate) issued_at: At,
    parties_id: Option<PartiesId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}
impl ActiveModelBehavior for ActiveModel {}

const TABLE: &str = "invoice";

impl Model {
    /// What the invoice is for.
    pub(crate) fn occasion(&self) -> Result<Occasion, CorruptRow> {
        let month = self.month.as_deref().map(Month::parse).transpose().map_err(CorruptRow::of(TABLE))?;
        match (self.kind.as_str(), month, self.credit_order_id, self.cause_id) {
            ("MONTHLY", Some(month), None, None) => Ok(Occasion::Monthly(month)),
            ("PURCHASE", None, Some(order), None) => Ok(Occasion::Purchase(order)),
            ("PRO_RATA", Some(month), None, Some(cause)) => Ok(Occasion::ProRata { month, cause }),
            ("FINAL", None, None, None) => Ok(Occasion::Final),
            (kind, ..) => Err(CorruptRow::new(TABLE, format!("a {kind} without its occasion"))),
        }
    }

    /// Its sums.
    pub(crate) fn totals(&self) -> Totals {
        let currency = self.currency.0;
        Totals {
            net_total: self.net_total.money(currency),
            credit_applied: self.credit_applied.money(currency),
            net_after_credit: self.net_after_credit.money(currency),
            tax_total: self.tax_total.money(currency),
            amount_incl_tax: self.amount_incl_tax.money(currency),
        }
    }
}

/// An invoice to write: everything is decided, its number is taken.
#[derive(Clone, Debug)]
pub(crate) struct NewInvoice<'a> {
    pub(crate) id: InvoiceId,
    pub(crate) number: String,
    pub(crate) issued: Instant,
    pub(crate) run: Option<BillingRunId>,
    /// Who its parties are now.
    pub(crate) parties: PartiesId,
    pub(crate) content: &'a Content,
}

fn active(new: &NewInvoice<'_>) -> ActiveModel {
    let content = new.content;
    let (month, order, cause) = match content.occasion {
        Occasion::Monthly(month) => (Some(month.to_string()), None, None),
        Occasion::Purchase(order) => (None, Some(order), None),
        Occasion::ProRata { month, cause } => (Some(month.to_string()), None, Some(cause)),
        Occasion::Final => (None, None, None),
    };
    ActiveModel {
        account_id: Set(content.account),
        id: Set(new.id),
        number: Set(new.number.clone()),
        kind: Set(content.occasion.kind().as_str().to_owned()),
        project_id: Set(content.project),
        issuer: Set(content.issuer.clone()),
        month: Set(month),
        credit_order_id: Set(order),
        cause_id: Set(cause),
        run_id: Set(new.run),
        currency: Set(Code(content.currency)),
        net_total: Set(content.totals.net_total.into()),
        credit_applied: Set(content.totals.credit_applied.into()),
        net_after_credit: Set(content.totals.net_after_credit.into()),
        tax_total: Set(content.totals.tax_total.into()),
        amount_incl_tax: Set(content.totals.amount_incl_tax.into()),
        settlement_at: Set(content.settlement.into()),
        issued_at: Set(new.issued.into()),
        parties_id: Set(Some(new.parties)),
    }
}

pub(crate) async fn insert(tx: &Tx, invoices: &[NewInvoice<'_>]) -> Result<(), DbErr> {
    for new in invoices {
        match new.content.occasion {
            Occasion::Monthly(_) | Occasion::ProRata { .. } | Occasion::Final => {
                tx.touch(new.content.account)
            }
            // What was bought was used by nobody: its lot says what it changes.
            Occasion::Purchase(_) => {}
        }
    }
    insert_all(tx, invoices.iter().map(active).collect()).await
}

/// Those of the account's invoices that have one of `ids`, by id.
pub(crate) async fn find_many(
    connection: &impl ConnectionTrait,
    account: AccountId,
    ids: &[InvoiceId],
) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(Column::Id)
        .all(connection)
        .await
}

pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    account: AccountId,
    id: InvoiceId,
) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id((account, id)).one(connection).await
}

/// The purchase invoice of an order, if there is one.
pub(crate) async fn of_order(
    connection: &impl ConnectionTrait,
    account: AccountId,
    order: OrderId,
) -> Result<Option<InvoiceId>, DbErr> {
    let row = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::CreditOrderId.eq(order))
        .one(connection)
        .await?;
    Ok(row.map(|row| row.id))
}

/// The final invoice of a project, if there is one.
pub(crate) async fn final_of(
    connection: &impl ConnectionTrait,
    account: AccountId,
    project: ProjectId,
) -> Result<Option<InvoiceId>, DbErr> {
    let row = Entity::find()
        .filter(Column::AccountId.eq(account))
        .filter(Column::ProjectId.eq(project))
        .filter(Column::Kind.eq(InvoiceKind::Final.as_str()))
        .one(connection)
        .await?;
    Ok(row.map(|row| row.id))
}

/// The projects among those of `accounts` that have their invoice of `month`.
pub(crate) async fn invoiced(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
    month: Month,
) -> Result<Vec<(AccountId, ProjectId)>, DbErr> {
    let mut projects = Vec::new();
    for chunk in accounts.chunks(BINDS_MAX) {
        let rows: Vec<(AccountId, ProjectId)> = Entity::find()
            .select_only()
            .column(Column::AccountId)
            .column(Column::ProjectId)
            .filter(is_among(connection.get_database_backend(), Column::AccountId, chunk))
            .filter(Column::Kind.eq(InvoiceKind::Monthly.as_str()))
            .filter(Column::Month.eq(month.to_string()))
            .into_tuple()
            .all(connection)
            .await?;
        projects.extend(rows);
    }
    Ok(projects)
}

/// Which invoices of an account are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) project: Option<ProjectId>,
    pub(crate) kinds: Vec<InvoiceKind>,
    pub(crate) states: Vec<InvoiceState>,
}

/// The invoices of `account`, oldest first.
pub(crate) async fn list(
    connection: &impl ConnectionTrait,
    account: AccountId,
    filter: &Filter,
    after: Option<InvoiceId>,
    fetch: u64,
) -> Result<Vec<Model>, DbErr> {
    let mut wanted = Condition::all().add(Column::AccountId.eq(account));
    if let Some(project) = filter.project {
        wanted = wanted.add(Column::ProjectId.eq(project));
    }
    if !filter.kinds.is_empty() {
        wanted = wanted.add(Column::Kind.is_in(filter.kinds.iter().map(|kind| kind.as_str())));
    }
    if !filter.states.is_empty() {
        let states = filter.states.iter().map(|state| state.as_str());
        let mut in_state = Query::select();
        in_state
            .column(standing::Column::InvoiceId)
            .from(standing::Entity)
            .and_where(standing::Column::AccountId.eq(account))
            .and_where(standing::Column::State.is_in(states));
        wanted = wanted.add(Column::Id.in_subquery(in_state));
    }
    if let Some(after) = after {
        wanted = wanted.add(Column::Id.gt(after));
    }
    Entity::find().filter(wanted).order_by_asc(Column::Id).limit(fetch).all(connection).await
}
