//! A refusal for the person at the terminal: what was refused and why, what is wrong with it line by line, and the
//! reason a program would read (R12.2); of a bug the request to quote (R12.1).

use std::error::Error;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// What is told of `error`: of a refused call what it says, and not what it is made of.
#[must_use]
pub fn told(error: &(dyn Error + 'static)) -> String {
    error.downcast_ref::<Status>().map_or_else(|| error.to_string(), refusal)
}

fn refusal(status: &Status) -> String {
    let details = status.get_error_details();
    let wrong = wrong(&details);
    // The message of a request that is wrong lists what the lines below say one by one.
    let message = if wrong.is_empty() || details.bad_request().is_none() {
        status.message().to_owned()
    } else {
        "the request is invalid".to_owned()
    };
    let reason = details.error_info().map(|info| format!(" ({})", info.reason)).unwrap_or_default();
    let request = details.request_info().filter(|_| status.code() == Code::Internal);
    let request = request.map(|info| format!("\n  request: {}", info.request_id));
    format!("{message}{reason}{}{}", wrong.concat(), request.unwrap_or_default())
}

/// A line for each field that is wrong, and for each condition that does not hold.
fn wrong(details: &ErrorDetails) -> Vec<String> {
    let fields = details.bad_request().into_iter().flat_map(|request| &request.field_violations);
    let fields = fields.map(|one| format!("\n  {}: {}", one.field, one.description));
    let unmet = details.precondition_failure().into_iter().flat_map(|failure| &failure.violations);
    let unmet = unmet.map(|one| format!("\n  {}: {} ({})", one.subject, one.description, one.r#type));
    fields.chain(unmet).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn refused(message: &str, details: ErrorDetails) -> String {
        of_code(Code::FailedPrecondition, message, details)
    }

    fn of_code(code: Code, message: &str, details: ErrorDetails) -> String {
        let status = Status::with_error_details(code, message, details);
        let error: Box<dyn Error + Send + Sync> = status.into();
        told(&*error)
    }

    #[test]
    fn a_refusal_is_its_message_and_its_reason() {
        let details = ErrorDetails::with_error_info("PERIOD_NOT_OVER", "florin", HashMap::new());
        assert_eq!(refused("the period is not over", details), "the period is not over (PERIOD_NOT_OVER)");
        assert_eq!(refused("no details", ErrorDetails::new()), "no details");
    }

    #[test]
    fn everything_that_is_wrong_has_a_line() {
        let mut details = ErrorDetails::with_error_info("INVALID", "florin", HashMap::new());
        details.add_bad_request_violation("parent", "must be an issuer");
        details.add_bad_request_violation("end_time", "must lie after start_time");
        let lines = "the request is invalid (INVALID)\n  parent: must be an issuer\n  end_time: must lie after start_time";
        assert_eq!(refused("invalid: parent: …", details), lines);
        let mut details = ErrorDetails::new();
        details.add_precondition_failure_violation("UNPAID_DEBT", "accounts/a", "pay it");
        details.set_request_info("r1", "");
        assert_eq!(refused("not now", details.clone()), "not now\n  accounts/a: pay it (UNPAID_DEBT)");
        let told = of_code(Code::Internal, "a bug", details);
        assert_eq!(told, "a bug\n  accounts/a: pay it (UNPAID_DEBT)\n  request: r1");
    }

    #[test]
    fn another_error_says_what_it_says() {
        assert_eq!(told(&std::io::Error::other("no such file")), "no such file");
    }
}
