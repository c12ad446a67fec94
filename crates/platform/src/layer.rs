//! The tower layers every request passes, outermost first.
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

use axum::{body::Body, response::Response};
use tonic::Status;

use crate::refusal::Refusal;

fn refuse(refusal: Refusal) -> Response {
    Status::from(refusal).into_http::<Body>()
}

fn method_of(request: &axum::extract::Request) -> String {
    request.uri().path().trim_start_matches('/').to_owned()
}
