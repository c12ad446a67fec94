use std::sync::Arc;

use axum::{extract::Request, http::HeaderValue, response::Response};

use crate::{
    access::{AccessTable, Admitted, Authenticator, unauthenticated},
    call::{Call, Principal, TRACE},
    refusal::Refusal,
};

/// What admission needs: the table, and somebody who knows tokens.
#[derive(Clone)]
pub struct Admission {
    table: Arc<AccessTable>,
    authenticator: Arc<dyn Authenticator>,
}

impl Admission {
    /// Admission by `table`, with tokens known to `authenticator`.
    pub fn new(table: AccessTable, authenticator: Arc<dyn Authenticator>) -> Self {
        Self { table: Arc::new(table), authenticator }
    }
}

/// Finds out who calls and whether they may; what is inside finds the [`Call`] on the request.
///
/// Health and reflection are open: they tell nothing about customers.
pub async fn admitted<F: Future<Output = Response>>(
    admission: &Admission,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let method = super::method_of(&request).to_owned();
    if method.starts_with("grpc.") {
        return next(request).await;
    }
    // Read first: a request cannot be held across an await, its body is not shared between threads.
    let authorization = request.headers().get("authorization").cloned();
    let principal = match principal(admission, authorization.as_ref()).await {
        Ok(principal) => principal,
        Err(refusal) => return super::refuse(refusal),
    };
    let by_role = match admission.table.admit(&method, &principal) {
        Ok(admitted) => admitted == Admitted::ByRole,
        Err(refusal) => return super::refuse(refusal),
    };
    let trace = TRACE.try_with(Clone::clone).unwrap_or_default();
    let shared = admission.table.shared(&method);
    request.extensions_mut().insert(Call { principal, method, trace, by_role, shared });
    next(request).await
}

async fn principal(admission: &Admission, authorization: Option<&HeaderValue>) -> Result<Principal, Refusal> {
    let Some(header) = authorization else { return Ok(Principal::Anonymous) };
    let bearer = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .ok_or_else(|| unauthenticated("authorization must be of the form `Bearer TOKEN`"))?;
    admission
        .authenticator
        .authenticate(bearer.trim())
        .await
        .map_err(|error| Refusal::database(&error))?
        .ok_or_else(|| unauthenticated("the token is unknown, expired or revoked"))
}
