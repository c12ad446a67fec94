//! What goes on an invoice before anything is taken: charges, each rounded once (R1.4).

use std::{collections::BTreeMap, num::NonZeroU32};

use florin_account::Treatment;
use florin_platform::id::AccountId;
use florin_project::{ProjectId, ResourceId};
use florin_settlement::{
    Currency, Instant, Money, Period, PlanFamily, Quantity, TaxCategory, TaxRate, UnitPrice,
};

use super::invoice::Occasion;

/// One charge: a resource × plan × price × period, or credit that was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What is charged for.
    pub subject: Subject,
    /// What it is, for the customer.
    pub description: String,
    /// When it was used; for bought credit the instant of the payment.
    pub period: Period,
    /// How many units; of a pro-rated month the days charged (R5.3).
    pub quantity: Quantity,
    /// 1; of a pro-rated month its days.
    pub divisor: NonZeroU32,
    /// What one unit is.
    pub unit: String,
    /// The price of one.
    pub unit_price: UnitPrice,
    /// Quantity × price / divisor, rounded once (R1.4).
    pub net: Money,
    /// How VAT treats it, on the last day of its period (R8.4).
    pub tax: LineTax,
    /// Whether it belongs to a month already invoiced (R5.5).
    pub late: bool,
}

/// How VAT treats a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineTax {
    /// The category.
    pub category: TaxCategory,
    /// The rate in percent; zero outside the standard category.
    pub rate: TaxRate,
    /// What the document has to say about it; empty when nothing.
    pub mention: String,
}

impl From<Treatment> for LineTax {
    fn from(treatment: Treatment) -> Self {
        let mention = treatment.mention.unwrap_or_default().to_owned();
        Self { category: treatment.category, rate: treatment.rate, mention }
    }
}

/// What is charged for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Something that ran in the project.
    Usage(Usage),
    /// Cloud credit that was bought.
    Credit,
}

/// Something that ran in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Which resource.
    pub resource: ResourceId,
    /// What the customer calls it.
    pub resource_name: String,
    /// The code of its plan.
    pub plan: String,
    /// The family of its plan.
    pub family: PlanFamily,
    /// Where it ran; empty when the plan has no place.
    pub region: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl Subject {
    /// The family restricted lots look at. Bought credit has none: no lot is ever offered for it
    /// (R6.2), so that the one named here decides nothing.
    #[must_use]
    pub fn family(&self) -> PlanFamily {
        match self {
            Self::Usage(usage) => usage.family,
            Self::Credit => PlanFamily::Option,
        }
    }

    /// The plan's code, empty for bought credit.
    #[must_use]
    pub fn plan(&self) -> &str {
        match self {
            Self::Usage(usage) => &usage.plan,
            Self::Credit => "",
        }
    }

    /// The resource as the invoice order compares it; empty for bought credit.
    #[must_use]
    pub fn resource(&self) -> String {
        match self {
            Self::Usage(usage) => usage.resource.to_string(),
            Self::Credit => String::new(),
        }
    }
}

/// Everything one invoice is made of, before settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Who pays.
    pub account: AccountId,
    /// For which project.
    pub project: ProjectId,
    /// Who sells, as in `issuers/{issuer}`.
    pub issuer: String,
    /// What the invoice is for.
    pub occasion: Occasion,
    /// The account's one currency.
    pub currency: Currency,
    /// In any order.
    pub charges: Vec<Charge>,
    /// Up to when the charges hold everything that fell due in advance (R5.3); none if they hold nothing of
    /// it. Whoever issues the invoice notes that it is billed.
    pub advance_until: Option<Instant>,
}
