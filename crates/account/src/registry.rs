//! The port to the registers of VAT numbers (R8.4).
//!
//! | rule | |
//! |---|---|
//! | no transaction is open while a register is asked | the answer may take as long as the network likes |
//! | `Ok` is what the authority says | it is kept with its instant and the register's id of the consultation |
//! | `Err` says nothing about the number | what was known stays so, and the register is asked again |

use std::sync::Arc;

/// A question to a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consultation {
    /// The number, with the prefix of its country.
    pub number: String,
    /// The VAT number of who asks, which makes the register keep the consultation.
    pub requester: String,
}

/// What a register says of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whether the number is registered now.
    pub is_registered: bool,
    /// What the register calls the consultation: evidence that it was asked. Empty if it gave none.
    pub consultation: String,
}

/// No answer came, or one that cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the register of VAT numbers gave no usable answer")]
pub struct RegistrySilent {
    #[source]
    cause: Arc<dyn std::error::Error + Send + Sync>,
}

impl RegistrySilent {
    /// Silent, because of `cause`.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: cause.into().into() }
    }
}

/// A register of VAT numbers.
#[async_trait::async_trait]
pub trait VatRegistry: Send + Sync {
    /// Its name, as it is kept with its answers.
    fn name(&self) -> &'static str;

    /// Asks about a number.
    async fn consult(&self, consultation: &Consultation) -> Result<Registered, RegistrySilent>;
}
