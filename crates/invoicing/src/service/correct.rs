//! Operators correct an invoice (R7.9, R6.13). Bought credit is not among what they give back (R6.2).

use florin_platform::{call::Call, db::Tx};
use florin_settlement::{Instant, Money};

pub(crate) use super::credit_note::write;
use super::credit_note::{self, Decided, NewCreditNote};
use crate::{
    domain::{
        credit_note::{CorrectionError, CreditNote},
        invoice::Occasion,
    },
    error::Error,
    store,
};

/// Decides a correction of an account's invoice; the account is locked, unless nothing is written.
pub(crate) async fn decide(tx: &Tx, at: Instant, new: &NewCreditNote) -> Result<Decided, Error> {
    let decided = credit_note::decide(tx, at, new).await?;
    match decided.invoice.content.occasion {
        Occasion::Purchase(_) => Err(CorrectionError::BoughtCredit.into()),
        Occasion::Monthly(_) | Occasion::ProRata { .. } | Occasion::Final => Ok(decided),
    }
}

/// Issues a correction of an invoice of an account that is locked.
pub(crate) async fn issue(
    tx: &Tx,
    at: Instant,
    call: &Call,
    new: &NewCreditNote,
) -> Result<CreditNote, Error> {
    write(tx, at, call, decide(tx, at, new).await?).await
}

/// What the corrections of the invoice give together with what was decided: who may do so much alone may not do more
/// in portions.
pub(crate) async fn value_with(tx: &Tx, decided: &Decided) -> Result<Money, Error> {
    let note = &decided.note;
    let corrected = store::credit_note::corrected(tx, note.account, note.invoice, note.currency).await?;
    Ok(corrected.value.checked_add(note.value()?)?)
}
