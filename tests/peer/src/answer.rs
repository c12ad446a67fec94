//! What a request is answered with.

use serde_json::{Value, json};

/// A status and a body.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// Why a request is refused.
pub(crate) type Refused = Answer;

impl Answer {
    pub(crate) fn fine(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// What cannot be done as it was asked.
    pub(crate) fn invalid(code: Option<&str>, param: Option<&str>, message: &str) -> Self {
        let mut error = json!({ "type": "invalid_request_error", "message": message });
        for (name, value) in [("code", code), ("param", param)] {
            if let Some(value) = value {
                error[name] = json!(value);
            }
        }
        Self { status: 400, body: json!({ "error": error }) }
    }

    /// Nothing has this id.
    pub(crate) fn missing(id: &str, param: &str) -> Self {
        let message = format!("No such object: '{id}'");
        Self { status: 404, ..Self::invalid(Some("resource_missing"), Some(param), &message) }
    }

    /// The bank says no; `intent` is what it was about.
    pub(crate) fn declined(error: &Value, name: &str, intent: &Value) -> Self {
        let mut error = error.clone();
        error[name] = intent.clone();
        Self { status: 402, body: json!({ "error": error }) }
    }

    pub(crate) fn list(url: &str, data: &[Value], has_more: bool) -> Self {
        Self::fine(json!({ "object": "list", "url": url, "has_more": has_more, "data": data }))
    }
}
