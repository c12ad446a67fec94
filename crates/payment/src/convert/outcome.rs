//! What the sandbox decides, on the wire.

use florin_api::sandbox::v1 as wire;
use florin_platform::{id::AccountId, violation::Violations, wire::amount};

use super::{method, payment};
use crate::{
    domain::{
        dispute::DisputeStanding,
        payment::{Finality, Payment, PaymentId},
    },
    service::{
        names::{parse_method, parse_payment},
        query::Shown,
        sandbox::{BankAct, Decision, Subject},
    },
};

const CODE_DEFAULT: &str = "declined_by_test";
const CODE_BYTES_MAX: usize = 64;

/// A payment or a method, afterwards.
#[derive(Clone, Debug)]
pub(crate) enum Afterwards {
    Payment(Payment),
    Method(Shown),
}

/// Reads the name of a payment or of a method.
pub(crate) fn subject(name: &str) -> Result<Subject, Violations> {
    match (parse_payment(name), parse_method(name)) {
        (Ok((account, payment)), _) => Ok(Subject::Payment(account, payment)),
        (_, Ok((account, method))) => Ok(Subject::Method(account, method)),
        (Err(error), Err(_)) => Err(Violations::one("name", format!("{error}, nor of a payment method"))),
    }
}

/// Reads a DeclinePayment request.
pub(crate) fn declined(request: &wire::DeclinePaymentRequest) -> Result<Decision, Violations> {
    let mut code = request.decline_code.as_str();
    if code.is_empty() {
        code = CODE_DEFAULT;
    }
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if code.len() > CODE_BYTES_MAX || !code.bytes().all(word) {
        let rule = format!("must be at most {CODE_BYTES_MAX} lower-case letters, digits and underscores");
        return Err(Violations::one("decline_code", rule));
    }
    let finality = if request.decline_final { Finality::Final } else { Finality::Soft };
    Ok(Decision::Declined { code: code.to_owned(), finality })
}

/// Reads a DisputePayment request.
pub(crate) fn disputed(
    request: &wire::DisputePaymentRequest,
) -> Result<((AccountId, PaymentId), BankAct), Violations> {
    let mut violations = Violations::new();
    let name = violations.take("name", parse_payment(&request.name));
    let amount = request.amount_incl_tax.as_ref().and_then(|money| {
        let amount = violations.take("amount_incl_tax", amount(money))?;
        violations.check("amount_incl_tax", amount.is_positive(), "must be above zero");
        Some(amount)
    });
    let standing = if request.bounced { DisputeStanding::Lost } else { DisputeStanding::Open };
    violations.finish_with(name.map(|name| (name, BankAct::Dispute(amount, standing))))
}

/// Renders what was approved.
pub(crate) fn approved(afterwards: &Afterwards) -> wire::ApprovePaymentResponse {
    use wire::approve_payment_response::Subject;
    let subject = match afterwards {
        Afterwards::Payment(paid) => Subject::Payment(payment::payment(paid)),
        Afterwards::Method(shown) => Subject::PaymentMethod(method::method(shown)),
    };
    wire::ApprovePaymentResponse { subject: Some(subject) }
}

/// Renders what was declined.
pub(crate) fn refused(afterwards: &Afterwards) -> wire::DeclinePaymentResponse {
    use wire::decline_payment_response::Subject;
    let subject = match afterwards {
        Afterwards::Payment(declined) => Subject::Payment(payment::payment(declined)),
        Afterwards::Method(shown) => Subject::PaymentMethod(method::method(shown)),
    };
    wire::DeclinePaymentResponse { subject: Some(subject) }
}
