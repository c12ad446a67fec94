//! The register of a sandbox: every well-formed number is registered, but for the documented ones.
//!
//! | number | the register |
//! |---|---|
//! | `DE111111117`, `BE0111111124` | does not know it |
//! | `DE222222220`, `BE0222222248` | knows it in odd months, has struck it off in even ones |
//! | `DE333333339`, `BE0333333372` | does not answer before noon |

use chrono::{Datelike, Timelike};
use florin_account::{Consultation, Registered, RegistrySilent, VatRegistry};
use florin_platform::Platform;
use florin_settlement::Instant;

/// Numbers no register knows.
pub const UNKNOWN: [&str; 2] = ["DE111111117", "BE0111111124"];
/// Numbers that are registered in odd months only.
pub const IN_ODD_MONTHS: [&str; 2] = ["DE222222220", "BE0222222248"];
/// Numbers about which there is no answer before noon.
pub const SILENT_BEFORE_NOON: [&str; 2] = ["DE333333339", "BE0333333372"];

/// The sandbox's register.
#[derive(Clone, Debug)]
pub struct SandboxRegistry {
    platform: Platform,
}

impl SandboxRegistry {
    /// A register that tells the time by `platform`.
    #[must_use]
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

#[async_trait::async_trait]
impl VatRegistry for SandboxRegistry {
    fn name(&self) -> &'static str {
        "SANDBOX"
    }

    async fn consult(&self, consultation: &Consultation) -> Result<Registered, RegistrySilent> {
        let now = self.platform.clock.now(self.platform.db.reader()).await.map_err(RegistrySilent::new)?;
        let number = consultation.number.as_str();
        if SILENT_BEFORE_NOON.contains(&number) && now.as_datetime().hour() < 12 {
            return Err(RegistrySilent::new(
                "the sandbox's register does not answer about this number before noon",
            ));
        }
        Ok(Registered {
            is_registered: is_registered(number, now),
            consultation: consultation_id(number, now),
        })
    }
}

fn is_registered(number: &str, now: Instant) -> bool {
    let odd = now.as_datetime().month() % 2 == 1;
    !UNKNOWN.contains(&number) && (odd || !IN_ODD_MONTHS.contains(&number))
}

fn consultation_id(number: &str, now: Instant) -> String {
    format!("SANDBOX-{number}-{}", now.micros())
}
