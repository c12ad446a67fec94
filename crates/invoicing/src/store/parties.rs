//! The parties of documents as they were when these were issued: a row for each state of them, named by the documents
//! issued in it (R8.6). Only the buyer can be erased (R2.8).

use std::collections::BTreeMap;

use florin_account::{Account, Issuer, Parties};
use florin_platform::{
    db::{Tx, sql},
    id::{AccountId, Id, Kind},
    set::{Kind as Field, Set, among},
};
use florin_settlement::Instant;
use sea_orm::{ConnectionTrait, DbErr, Value};

use crate::domain::{credit_note::CreditNoteId, invoice::InvoiceId};

/// Marks ids of parties.
#[derive(Debug)]
pub(crate) enum PartiesMark {}
impl Kind for PartiesMark {
    const PREFIX: &'static str = "parties";
}
/// The id of a state of an account's parties.
pub(crate) type PartiesId = Id<PartiesMark>;

/// The parties of documents of `accounts`, which are locked, as they are now; kept if they are not yet. Two statements,
/// however many accounts.
pub(crate) async fn keep(
    tx: &Tx,
    at: Instant,
    issuer: &Issuer,
    accounts: impl Iterator<Item = &Account>,
) -> Result<BTreeMap<AccountId, PartiesId>, DbErr> {
    let wanted: Vec<_> = accounts.map(|account| (account.id, Parties::of(account, issuer))).collect();
    let owners: Vec<_> = wanted.iter().map(|(owner, _)| *owner).collect();
    let mut known = latest(tx, &owners).await?;
    let mut new = Vec::new();
    let mut ids = BTreeMap::new();
    for (owner, parties) in wanted {
        let id = match known.remove(&owner) {
            Some((id, kept)) if kept == parties => id,
            Some(_) | None => {
                let id = PartiesId::generate(at);
                new.push((owner, id, parties));
                id
            }
        };
        ids.insert(owner, id);
    }
    insert(tx, &new).await?;
    Ok(ids)
}

/// The latest parties of each of `accounts`.
async fn latest(
    connection: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<BTreeMap<AccountId, (PartiesId, Parties)>, DbErr> {
    let (owned, values) = among(connection.get_database_backend(), "account_id", 1, accounts);
    let text = format!(
        "SELECT account_id, id, language, seller, buyer, mentions FROM document_parties WHERE {owned} \
         ORDER BY account_id, id"
    );
    let mut found = BTreeMap::new();
    for row in connection.query_all_raw(sql(connection, &text, values)).await? {
        let parties = Parties {
            language: row.try_get_by_index(2)?,
            seller: row.try_get_by_index(3)?,
            buyer: row.try_get_by_index(4)?,
            mentions: row.try_get_by_index(5)?,
        };
        // The last one of an account stays.
        found.insert(row.try_get_by_index(0)?, (row.try_get_by_index(1)?, parties));
    }
    Ok(found)
}

async fn insert(tx: &Tx, new: &[(AccountId, PartiesId, Parties)]) -> Result<(), DbErr> {
    let columns = [
        ("account_id", Field::Uuid),
        ("id", Field::Uuid),
        ("language", Field::Text),
        ("seller", Field::Text),
        ("buyer", Field::Text),
        ("mentions", Field::Text),
    ];
    let mut set = Set::new(columns, new.len());
    for (account, id, parties) in new {
        set.push([
            (*account).into(),
            (*id).into(),
            parties.language.as_str().into(),
            parties.seller.as_str().into(),
            parties.buyer.as_str().into(),
            parties.mentions.as_str().into(),
        ]);
    }
    set.insert(tx, "document_parties").await
}

/// The parties of an invoice as they were when it was issued.
pub(crate) async fn of_invoice(
    connection: &impl ConnectionTrait,
    account: AccountId,
    invoice: InvoiceId,
) -> Result<Option<Parties>, DbErr> {
    of_document(connection, "invoice", account, invoice.into()).await
}

/// The parties of a credit note as they were when it was issued.
pub(crate) async fn of_credit_note(
    connection: &impl ConnectionTrait,
    account: AccountId,
    note: CreditNoteId,
) -> Result<Option<Parties>, DbErr> {
    of_document(connection, "credit_note", account, note.into()).await
}

async fn of_document(
    connection: &impl ConnectionTrait,
    table: &'static str,
    account: AccountId,
    id: Value,
) -> Result<Option<Parties>, DbErr> {
    let text = format!(
        "SELECT parties.language, parties.seller, parties.buyer, parties.mentions FROM {table} document \
         JOIN document_parties parties ON parties.account_id = document.account_id AND parties.id = document.parties_id \
         WHERE document.account_id = $1 AND document.id = $2"
    );
    let row = connection.query_one_raw(sql(connection, &text, [account.into(), id])).await?;
    row.map(|row| {
        Ok(Parties {
            language: row.try_get_by_index(0)?,
            seller: row.try_get_by_index(1)?,
            buyer: row.try_get_by_index(2)?,
            mentions: row.try_get_by_index(3)?,
        })
    })
    .transpose()
}
