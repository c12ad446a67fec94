//! Who moves the money: the settings of payment providers.

use florin_platform::violation::Violations;
use http::{Uri, uri::Scheme};

/// A secret of the settings; it is never written to a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the configured secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Who moves the money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentProvider {
    /// Nobody does: the sandbox plays.
    Sandbox,
    /// Stripe.
    Stripe(StripeAccount),
}

/// An account at Stripe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeAccount {
    /// Where its API is.
    pub url: String,
    /// `sk_…`, or a restricted `rk_…`.
    pub secret_key: Secret,
    /// `pk_…`, which pages show.
    pub publishable_key: String,
    /// `whsec_…`; several while one replaces the other.
    pub webhook_secrets: Vec<Secret>,
}

/// The settings as they are written.
pub(super) struct Written<'w> {
    pub(super) sandbox: bool,
    pub(super) public_url: &'w str,
    pub(super) provider: &'w str,
    pub(super) url: &'w str,
    pub(super) secret_key: &'w str,
    pub(super) publishable_key: &'w str,
    pub(super) webhook_secrets: &'w str,
}

impl Written<'_> {
    /// Checks them, naming everything that is wrong.
    pub(super) fn check(&self, violations: &mut Violations) -> Option<PaymentProvider> {
        match (self.provider, self.sandbox) {
            ("" | "sandbox", true) => Some(PaymentProvider::Sandbox),
            ("stripe", false) => Some(self.stripe(violations)),
            ("" | "sandbox", false) => {
                violations
                    .add("payment_provider", "must be stripe outside a sandbox: the sandbox's only plays");
                None
            }
            ("stripe", true) => {
                let wrong =
                    "must be sandbox in a sandbox, whose clock Stripe does not follow; set sandbox to false";
                violations.add("payment_provider", wrong);
                None
            }
            (other, _) => {
                violations.add("payment_provider", format!("must be sandbox or stripe, not {other}"));
                None
            }
        }
    }

    fn stripe(&self, violations: &mut Violations) -> PaymentProvider {
        violations.check("stripe_url", is_safe(self.url), "must begin with https://, or be on this machine");
        let secret = self.secret_key.starts_with("sk_") || self.secret_key.starts_with("rk_");
        violations.check("stripe_secret_key", secret, "is required, and begins with sk_ or rk_");
        let publishable = self.publishable_key.starts_with("pk_");
        violations.check("stripe_publishable_key", publishable, "is required, and begins with pk_");
        let secrets: Vec<&str> =
            self.webhook_secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
        let signed = !secrets.is_empty() && secrets.iter().all(|secret| secret.starts_with("whsec_"));
        let wrong = "at least one is required, each begins with whsec_, with commas between them";
        violations.check("stripe_webhook_secrets", signed, wrong);
        let wrong = "is required: customers come back to it from 3-D Secure";
        violations.check("public_url", is_address(self.public_url), wrong);
        PaymentProvider::Stripe(StripeAccount {
            url: self.url.trim_end_matches('/').to_owned(),
            secret_key: Secret::new(self.secret_key),
            publishable_key: self.publishable_key.to_owned(),
            webhook_secrets: secrets.into_iter().map(Secret::new).collect(),
        })
    }
}

fn is_address(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.scheme().is_some() && url.host().is_some())
}

/// Whether nobody on the way can read what is sent there.
pub(super) fn is_safe(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let here = url.host().is_some_and(|host| {
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    url.host().is_some()
        && (url.scheme() == Some(&Scheme::HTTPS) || (here && url.scheme() == Some(&Scheme::HTTP)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(written: &Written<'_>) -> Vec<String> {
        let mut violations = Violations::new();
        written.check(&mut violations);
        violations.as_slice().iter().map(|violation| violation.field.clone()).collect()
    }

    const RIGHT: Written<'static> = Written {
        sandbox: false,
        public_url: "https://pay.example.com",
        provider: "stripe",
        url: "https://api.stripe.com",
        secret_key: "sk_live_1",
        publishable_key: "pk_live_1",
        webhook_secrets: "whsec_new, whsec_old",
    };

    #[test]
    fn stripe_needs_keys_secrets_and_a_way_back() {
        let mut violations = Violations::new();
        let Some(PaymentProvider::Stripe(account)) = RIGHT.check(&mut violations) else {
            panic!("{violations:?}")
        };
        assert_eq!(account.webhook_secrets, [Secret::new("whsec_new"), Secret::new("whsec_old")]);
        assert!(violations.as_slice().is_empty());
        let empty = Written {
            public_url: "",
            url: "http://api.stripe.com",
            secret_key: "",
            publishable_key: "sk_live_1",
            webhook_secrets: " , ",
            ..RIGHT
        };
        let expected = [
            "stripe_url",
            "stripe_secret_key",
            "stripe_publishable_key",
            "stripe_webhook_secrets",
            "public_url",
        ];
        assert_eq!(fields(&empty), expected);
        assert_eq!(fields(&Written { url: "http://127.0.0.1:1", ..RIGHT }), [""; 0]);
    }

    #[test]
    fn a_sandbox_plays_and_nothing_else_does() {
        for (sandbox, provider, right) in [
            (true, "", true),
            (true, "sandbox", true),
            (false, "stripe", true),
            (false, "", false),
            (false, "sandbox", false),
            (true, "stripe", false),
            (true, "other", false),
        ] {
            assert_eq!(
                fields(&Written { sandbox, provider, ..RIGHT }).is_empty(),
                right,
                "{sandbox} {provider}"
            );
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("sk_live_1")), "Secret(…)");
    }
}
