//! The same request, the same answer, one effect (section 11).
//!
//! | step | where |
//! |---|---|
//! | claim (owner, principal, method, request id) | first statement of the mutation's own transaction |
//! | somebody else holds it | wait for them, then replay their answer byte for byte |
//! | the same id, another body | refused |
//! | success | the answer is stored beside the effect and committed with it |
//! | refusal | the claim is rolled back, or released where the refusal leaves a trace |
//! | a month later | [`Forget`] deletes it |
//!
//! Secrets are absent from stored answers: whoever renders an answer derives them again.

mod forget;

use std::future::Future;

use florin_settlement::Instant;
use prost::Message;
use sea_orm::{ConnectionTrait, DbErr};

use crate::{
    Platform,
    call::Call,
    column::At,
    db::{Tx, sql},
    id::AccountId,
    secret,
};

pub use forget::Forget;

/// The longest request id accepted, in characters.
pub const REQUEST_ID_CHARACTERS_MAX: usize = 64;

/// Why a request id is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestIdRefused {
    /// It was used before, for another request.
    #[error("this request id was already used for another request")]
    Reused,
    /// It is too long, or not printable ASCII.
    #[error("must be at most {REQUEST_ID_CHARACTERS_MAX} printable ASCII characters")]
    Malformed,
}

/// What makes two requests the same. No request id, no memory of it.
#[derive(Clone, Debug)]
pub struct RequestKey {
    owner: AccountId,
    principal: String,
    method: String,
    request_id: String,
    fingerprint: Vec<u8>,
}

/// What the claim of a key found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nobody was here before.
    New,
    /// It was done; this was the answer.
    Answered(Vec<u8>),
    /// It was begun, under this reference, and not finished.
    Begun(String),
    /// It cannot be claimed.
    Refused(RequestIdRefused),
}

impl RequestKey {
    /// The key of `request`, which the caller calls `request_id`; an empty id asks for no replay.
    pub fn new(
        platform: &Platform,
        call: &Call,
        owner: AccountId,
        request_id: &str,
        request: &impl Message,
    ) -> Self {
        let body = data_encoding::BASE64.encode(&request.encode_to_vec());
        Self {
            owner,
            principal: call.principal.to_string(),
            method: call.method.clone(),
            request_id: request_id.to_owned(),
            fingerprint: platform.key.derive(&format!("request/{body}")).to_vec(),
        }
    }

    /// Claims the key in `tx`, waiting for whoever holds it.
    pub async fn claim(&self, tx: &Tx, at: Instant) -> Result<Claim, DbErr> {
        if self.request_id.is_empty() {
            return Ok(Claim::New);
        }
        let printable = self.request_id.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || self.request_id.len() > REQUEST_ID_CHARACTERS_MAX {
            return Ok(Claim::Refused(RequestIdRefused::Malformed));
        }
        let insert = "INSERT INTO idempotency (account_id, principal, method, request_id, fingerprint, created_at) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let values = [
            self.owner.into(),
            self.principal.as_str().into(),
            self.method.as_str().into(),
            self.request_id.as_str().into(),
            self.fingerprint.clone().into(),
            At::from(at).into(),
        ];
        if tx.execute_raw(sql(tx, insert, values)).await?.rows_affected() == 1 {
            return Ok(Claim::New);
        }
        let select = "SELECT fingerprint, answer, reference FROM idempotency \
                      WHERE account_id = $1 AND principal = $2 AND method = $3 AND request_id = $4";
        let row = tx
            .query_one_raw(sql(tx, select, self.values()))
            .await?
            .ok_or_else(|| DbErr::RecordNotFound("idempotency key vanished".to_owned()))?;
        let fingerprint: Vec<u8> = row.try_get_by_index(0)?;
        if !secret::same(&fingerprint, &self.fingerprint) {
            return Ok(Claim::Refused(RequestIdRefused::Reused));
        }
        let answer: Option<Vec<u8>> = row.try_get_by_index(1)?;
        let reference: Option<String> = row.try_get_by_index(2)?;
        Ok(match (answer, reference) {
            (Some(answer), _) => Claim::Answered(answer),
            (None, Some(reference)) => Claim::Begun(reference),
            (None, None) => Claim::New,
        })
    }

    /// Whether this very request was begun or answered before, as far as can be seen outside its transaction: what
    /// only a new one has to pass need not be asked again. [`Self::claim`] decides.
    pub async fn is_known(&self, connection: &impl ConnectionTrait) -> Result<bool, DbErr> {
        let text = "SELECT fingerprint FROM idempotency \
                    WHERE account_id = $1 AND principal = $2 AND method = $3 AND request_id = $4";
        let Some(row) = connection.query_one_raw(sql(connection, text, self.values())).await? else {
            return Ok(false);
        };
        Ok(secret::same(&row.try_get_by_index::<Vec<u8>>(0)?, &self.fingerprint))
    }

    async fn begun(&self, tx: &Tx, reference: &str) -> Result<(), DbErr> {
        self.set(tx, "reference", reference.into()).await
    }

    async fn answer(&self, tx: &Tx, answer: &impl Message) -> Result<(), DbErr> {
        self.set(tx, "answer", answer.encode_to_vec().into()).await
    }

    /// Locks the row of a begun request; the answer, if it was finished.
    async fn answered(&self, tx: &Tx) -> Result<Option<Vec<u8>>, DbErr> {
        if self.request_id.is_empty() {
            return Ok(None);
        }
        let text = "UPDATE idempotency SET reference = reference \
                    WHERE account_id = $1 AND principal = $2 AND method = $3 AND request_id = $4 RETURNING answer";
        let row = tx.query_one_raw(sql(tx, text, self.values())).await?;
        row.map_or(Ok(None), |row| row.try_get_by_index(0))
    }

    async fn release(&self, tx: &Tx) -> Result<(), DbErr> {
        let text = "DELETE FROM idempotency \
                    WHERE account_id = $1 AND principal = $2 AND method = $3 AND request_id = $4";
        tx.execute_raw(sql(tx, text, self.values())).await?;
        Ok(())
    }

    async fn set(&self, tx: &Tx, column: &str, value: sea_orm::Value) -> Result<(), DbErr> {
        if self.request_id.is_empty() {
            return Ok(());
        }
        let text = format!(
            "UPDATE idempotency SET {column} = $5 \
             WHERE account_id = $1 AND principal = $2 AND method = $3 AND request_id = $4"
        );
        tx.execute_raw(sql(tx, &text, self.values().into_iter().chain([value]))).await?;
        Ok(())
    }

    fn values(&self) -> [sea_orm::Value; 4] {
        [
            self.owner.into(),
            self.principal.as_str().into(),
            self.method.as_str().into(),
            self.request_id.as_str().into(),
        ]
    }
}

impl Platform {
    /// Runs a mutation once per request id: `work` and its answer commit together.
    pub async fn mutate<Answer, E, Fut>(
        &self,
        key: &RequestKey,
        work: impl Fn(Tx, Instant) -> Fut,
    ) -> Result<Answer, E>
    where
        Answer: Message + Default,
        Fut: Future<Output = Result<Answer, E>>,
        E: From<DbErr> + From<RequestIdRefused>,
    {
        self.mutate_or_trace(key, |tx, now| {
            let done = work(tx, now);
            async move { done.await.map(Ok) }
        })
        .await
    }

    /// As [`Platform::mutate`], where a refusal may leave a trace: what `work` wrote is committed when
    /// it answers `Ok(Err(refusal))`, and the refusal is decided anew the next time.
    pub async fn mutate_or_trace<Answer, E, Fut>(
        &self,
        key: &RequestKey,
        work: impl Fn(Tx, Instant) -> Fut,
    ) -> Result<Answer, E>
    where
        Answer: Message + Default,
        Fut: Future<Output = Result<Result<Answer, E>, E>>,
        E: From<DbErr> + From<RequestIdRefused>,
    {
        let work = &work;
        self.db
            .write(|tx| async move {
                let now = self.clock.now(&tx).await?;
                match key.claim(&tx, now).await? {
                    Claim::New | Claim::Begun(_) => {}
                    Claim::Answered(bytes) => return decode(&bytes).map(Ok).map_err(E::from),
                    Claim::Refused(refused) => return Err(refused.into()),
                }
                let outcome = work(tx.clone(), now).await?;
                match &outcome {
                    Ok(answer) => key.answer(&tx, answer).await?,
                    Err(_) => key.release(&tx).await?,
                }
                Ok(outcome)
            })
            .await?
    }

    /// A mutation with a call to the outside between two transactions.
    ///
    /// `begin` stores what is about to happen and names it; `between` runs with no transaction open
    /// and must be safe to repeat under the same reference; `finish` stores and answers the outcome.
    /// A repeated request whose first run was cut off goes on where that one stopped.
    pub async fn mutate_in_two<Answer, E, Begin, Between, Finish>(
        &self,
        key: &RequestKey,
        begin: impl Fn(Tx, Instant) -> Begin,
        between: impl Fn(String) -> Between,
        finish: impl Fn(Tx, Instant, String) -> Finish,
    ) -> Result<Answer, E>
    where
        Answer: Message + Default,
        Begin: Future<Output = Result<String, E>>,
        Between: Future<Output = Result<(), E>>,
        Finish: Future<Output = Result<Answer, E>>,
        E: From<DbErr> + From<RequestIdRefused>,
    {
        let (begin, finish) = (&begin, &finish);
        let begun = self
            .db
            .write(|tx| async move {
                let now = self.clock.now(&tx).await?;
                match key.claim(&tx, now).await? {
                    Claim::New => {
                        let reference = begin(tx.clone(), now).await?;
                        key.begun(&tx, &reference).await?;
                        Ok(Begun::Under(reference))
                    }
                    Claim::Begun(reference) => Ok(Begun::Under(reference)),
                    Claim::Answered(bytes) => decode(&bytes).map(Begun::Finished).map_err(E::from),
                    Claim::Refused(refused) => Err(E::from(refused)),
                }
            })
            .await?;
        let reference = match begun {
            Begun::Finished(answer) => return Ok(answer),
            Begun::Under(reference) => reference,
        };
        between(reference.clone()).await?;
        let reference = &reference;
        self.db
            .write(|tx| async move {
                // Somebody who repeated the request may have finished it meanwhile: their answer stands.
                if let Some(bytes) = key.answered(&tx).await? {
                    return decode(&bytes).map_err(E::from);
                }
                let now = self.clock.now(&tx).await?;
                let answer = finish(tx.clone(), now, reference.clone()).await?;
                key.answer(&tx, &answer).await?;
                Ok(answer)
            })
            .await
    }
}

enum Begun<Answer> {
    Under(String),
    Finished(Answer),
}

fn decode<Answer: Message + Default>(bytes: &[u8]) -> Result<Answer, DbErr> {
    Answer::decode(bytes).map_err(|error| DbErr::Type(format!("stored answer: {error}")))
}
