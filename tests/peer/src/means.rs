//! What the payer types in at the form, as tokens. Those that begin with `pm_card_` are Stripe's own test tokens
//! as far as Stripe has one that does the same.
//!
//! | token | set up | charged |
//! |---|---|---|
//! | `pm_card_visa` | at once, 3-D Secure without a question | captured |
//! | `pm_card_authenticationRequired` | 3-D Secure at the action URL | captured |
//! | `pm_peer_no_three_d_secure` | at once, without 3-D Secure | captured |
//! | `pm_peer_declined_soft` | at once | declined: `insufficient_funds` |
//! | `pm_peer_declined_final` | at once | declined: `stolen_card` |
//! | `pm_peer_asks_again` | at once | declined off session: `authentication_required`; 3-D Secure on session |
//! | `pm_peer_rejected` | declined: `card_not_supported` | — |
//! | `pm_peer_sepa` | at once, with the mandate accepted at the form | processing until the bank decides |
//! | `pm_peer_paypal` | approval at the action URL | captured |

/// One documented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
    /// What stands for it.
    pub token: &'static str,
    /// `card`, `sepa_debit` or `paypal`.
    pub kind: &'static str,
    /// The last digits.
    pub last4: &'static str,
    /// Whether the customer is asked when they are there.
    pub(crate) asks: Asks,
    /// The code it is declined with when it is set up.
    pub(crate) refused: Option<&'static str>,
    /// The code it is declined with when it is charged.
    pub(crate) declined: Option<&'static str>,
}

/// What authentication a means asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// It passes without a question.
    Nothing,
    /// The customer has to act.
    Customer,
    /// It has none.
    NotSupported,
}

const CARD: Means = Means {
    token: "pm_card_visa",
    kind: "card",
    last4: "4242",
    asks: Asks::Nothing,
    refused: None,
    declined: None,
};

/// Every token there is.
pub const MEANS: [Means; 9] = [
    CARD,
    Means { token: "pm_card_authenticationRequired", last4: "3184", asks: Asks::Customer, ..CARD },
    Means { token: "pm_peer_no_three_d_secure", last4: "0055", asks: Asks::NotSupported, ..CARD },
    Means { token: "pm_peer_declined_soft", last4: "9995", declined: Some("insufficient_funds"), ..CARD },
    Means { token: "pm_peer_declined_final", last4: "9979", declined: Some("stolen_card"), ..CARD },
    Means { token: "pm_peer_asks_again", last4: "3178", declined: Some("authentication_required"), ..CARD },
    Means { token: "pm_peer_rejected", last4: "0002", refused: Some("card_not_supported"), ..CARD },
    Means { token: "pm_peer_sepa", kind: "sepa_debit", last4: "3000", asks: Asks::NotSupported, ..CARD },
    Means { token: "pm_peer_paypal", kind: "paypal", last4: "", asks: Asks::Customer, ..CARD },
];

/// What `token` stands for.
#[must_use]
pub fn of(token: &str) -> Option<Means> {
    MEANS.into_iter().find(|means| means.token == token)
}
