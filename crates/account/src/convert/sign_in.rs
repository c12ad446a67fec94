//! Signing in on the wire.

use florin_api::account::v1 as wire;
use florin_platform::violation::Violations;

use crate::{
    domain::{password, secret::Secret, text},
    service::sign_in::Credentials,
};

/// The longest login: that of an e-mail address.
const LOGIN_CHARACTERS_MAX: usize = 254;

/// Reads a Login request.
pub(crate) fn credentials(request: &wire::LoginRequest) -> Result<Credentials, Violations> {
    let mut violations = Violations::new();
    let login = request.login.trim().to_lowercase();
    violations.check(
        "login",
        !login.is_empty() && text::fits(&request.login, LOGIN_CHARACTERS_MAX),
        format!("must have 1 to {LOGIN_CHARACTERS_MAX} characters, without control characters"),
    );
    violations.check(
        "password",
        (1..=password::BYTES_MAX).contains(&request.password.len()),
        format!("must have 1 to {} bytes", password::BYTES_MAX),
    );
    violations.finish().map(|()| Credentials { login, password: Secret::new(request.password.as_str()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_bounded_before_anything_is_looked_up() {
        let violated = |login: &str, password: &str| {
            let request = wire::LoginRequest {
                login: login.to_owned(),
                password: password.to_owned(),
                ..Default::default()
            };
            let violations = credentials(&request).err().unwrap_or_default();
            violations.as_slice().iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
        };
        assert_eq!(violated(&"x".repeat(254), &"x".repeat(256)), Vec::<String>::new());
        assert_eq!(violated(&"x".repeat(255), &"x".repeat(257)), ["login", "password"]);
        assert_eq!(violated(" ", ""), ["login", "password"]);
        assert_eq!(violated("ada\0", "secret"), ["login"]);
    }
}
