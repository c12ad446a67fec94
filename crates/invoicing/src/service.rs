//! Commands and queries. A command: begin, lock, read, decide, write; the caller commits.

pub(crate) mod advance;
pub(crate) mod audit;
pub(crate) mod bounces;
pub(crate) mod collect;
pub(crate) mod collection;
pub(crate) mod collector;
pub(crate) mod correct;
pub(crate) mod credit_note;
pub(crate) mod debts;
pub(crate) mod dispute;
pub(crate) mod documents;
pub(crate) mod dunning;
pub(crate) mod estimate;
pub(crate) mod final_invoice;
pub(crate) mod forecast;
pub(crate) mod issue;
pub(crate) mod items;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod monthly;
pub(crate) mod movements;
pub(crate) mod outcomes;
pub(crate) mod pay;
pub(crate) mod ports;
pub(crate) mod purchase;
pub(crate) mod query;
pub(crate) mod returns;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod settle;
pub(crate) mod watch;
pub(crate) mod work;

// What the edge calls things by.
pub(crate) use crate::domain::{
    debt::{DEBT_SETTLEMENTS, DebtId, DebtSettlementMark, debt_name},
    invoice::InvoiceId,
};
