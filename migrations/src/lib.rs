//! The schema, step by step: frozen history, no live types.
//!
//! SQL is written once in PostgreSQL's words and translated for SQLite by [`dialect`]. Rules every
//! step keeps, checked by the schema tests (R14.2):
//!
//! - a customer table has `account_id` first in its primary key and in every unique key;
//! - no sequence, no decimal, no float, no default time;
//! - what must never change is refused by the database itself, through [`guard`].

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod dialect;
mod guard;
mod m0001_platform;
mod m0002_account;
mod m0003_payment;
mod m0004_credit;
mod m0005_project;
mod m0006_invoicing;
mod m0007_payment_life;
mod m0008_credit_life;
mod m0009_forgetting;
mod m0010_project_life;
mod m0011_catalogue;
mod m0012_usage;
mod m0013_collection;
mod m0014_funding;
mod m0016_usage_hour;
mod m0017_corrections;
mod m0018_billing_ranges;
mod m0019_chain;
mod m0020_money_movement;
mod m0021_tax_status;
mod m0022_series;
mod m0023_recovered;
mod m0024_legal_mentions;
mod m0025_accounts_of_a_series;
mod m0026_usage_month;

/// Runs the steps, in order.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_platform::Step),
            Box::new(m0002_account::Step),
            Box::new(m0003_payment::Step),
            Box::new(m0004_credit::Step),
            Box::new(m0005_project::Step),
            Box::new(m0006_invoicing::Step),
            Box::new(m0007_payment_life::Step),
            Box::new(m0008_credit_life::Step),
            Box::new(m0009_forgetting::Step),
            Box::new(m0010_project_life::Step),
            Box::new(m0011_catalogue::Step),
            Box::new(m0012_usage::Step),
            Box::new(m0013_collection::Step),
            Box::new(m0014_funding::Step),
            Box::new(m0016_usage_hour::Step),
            Box::new(m0017_corrections::Step),
            Box::new(m0018_billing_ranges::Step),
            Box::new(m0019_chain::Step),
            Box::new(m0020_money_movement::Step),
            Box::new(m0021_tax_status::Step),
            Box::new(m0022_series::Step),
            Box::new(m0023_recovered::Step),
            Box::new(m0024_legal_mentions::Step),
            Box::new(m0025_accounts_of_a_series::Step),
            Box::new(m0026_usage_month::Step),
        ]
    }
}
