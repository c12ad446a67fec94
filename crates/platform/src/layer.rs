//! The layers every request passes, outermost first.
//!
//! | layer | what it does |
//! |---|---|
//! | [`traced`] | gives the request its id, its span and one line in the log |
//! | [`guarded`] | turns a panic into INTERNAL |
//! | [`explained`] | sees to it that every error carries an `ErrorInfo` |
//! | [`bounded`] | honours the caller's deadline, within ours |
//! | [`admitted`] | authenticates, then asks the access table |
//!
//! Message sizes and the number of calls at once are limited where the server is built.
//!
//! Each is a function of the request and of what is inside, so that they make up one future: as services of their
//! own, each would copy all those inside of it for every call.

mod admitted;
mod bounded;
mod explained;
mod guarded;
mod traced;

pub use admitted::{Admission, admitted};
pub use bounded::{Bounds, bounded};
pub use explained::explained;
pub use guarded::guarded;
pub use traced::traced;

use axum::{body::Body, extract::Request, response::Response};
use tonic::Status;

use crate::refusal::Refusal;

/// What the layers of RPCs know.
#[derive(Clone)]
pub struct Front {
    /// Who may do what.
    pub admission: Admission,
    /// For how long, and how many at once.
    pub bounds: Bounds,
}

/// An RPC through every layer within [`traced`].
pub async fn answered<F: Future<Output = Response>>(
    front: &Front,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let admitted = |request| admitted(&front.admission, request, next);
    guarded(explained(bounded(&front.bounds, request, admitted))).await
}

fn refuse(refusal: Refusal) -> Response {
    Status::from(refusal).into_http::<Body>()
}

fn method_of(request: &Request) -> &str {
    request.uri().path().trim_start_matches('/')
}
