//! Who knows which VAT numbers are registered: the settings of registers (R8.4).

use florin_platform::violation::Violations;

use super::payment::is_safe;

/// Who knows which VAT numbers are registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// The sandbox plays.
    Sandbox,
    /// VIES.
    Vies {
        /// Where its REST interface is.
        url: String,
    },
}

/// Checks the settings as they are written.
pub(super) fn check(
    sandbox: bool,
    registry: &str,
    url: &str,
    violations: &mut Violations,
) -> Option<Registry> {
    match (registry, sandbox) {
        ("" | "sandbox", true) => Some(Registry::Sandbox),
        ("" | "vies", false) | ("vies", true) => {
            violations.check("vies_url", is_safe(url), "must begin with https://, or be on this machine");
            Some(Registry::Vies { url: url.to_owned() })
        }
        ("sandbox", false) => {
            violations.add("vat_registry", "must be vies outside a sandbox: the sandbox's only plays");
            None
        }
        (other, _) => {
            violations.add("vat_registry", format!("must be sandbox or vies, not {other}"));
            None
        }
    }
}
