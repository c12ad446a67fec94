//! Whether a declined method may be tried again (R3.6).
//!
//! Stripe passes on what the networks advise; where it does (`advice_code`), that decides. Otherwise:
//!
//! | for good | why |
//! |---|---|
//! | `lost_card`, `stolen_card`, `pickup_card`, `restricted_card`, `fraudulent`, `merchant_blacklist`, `security_violation` | the card is blocked, or is to be |
//! | `expired_card`, `incorrect_number`, `invalid_number`, `invalid_account`, `new_account_information_available`, `account_closed`, `bank_account_…`, `no_account`, … | there is no such card or account any more |
//! | `card_not_supported`, `currency_not_supported`, `transaction_not_allowed`, `service_not_allowed` | it never can pay this |
//! | `stop_payment_order`, `revocation_of_authorization`, `revocation_of_all_authorizations`, `debit_not_authorized`, `recipient_deceased` | the holder took the permission back |
//! | `payment_method_…` codes of requests | the method is not usable at Stripe |
//!
//! Every other code, and one that is not known, is for now: `insufficient_funds`, `do_not_honor`,
//! `generic_decline`, `try_again_later`, `processing_error`, `authentication_required`, …

use florin_payment::{Finality, provider::ChargeOutcome};

use super::object::Trouble;

const FOR_GOOD: [&str; 28] = [
    "account_closed",
    "bank_account_closed",
    "bank_account_unusable",
    "branch_does_not_exist",
    "card_not_supported",
    "currency_not_supported",
    "debit_not_authorized",
    "expired_card",
    "fraudulent",
    "incorrect_account_holder_name",
    "incorrect_number",
    "invalid_account",
    "invalid_account_number",
    "invalid_number",
    "lost_card",
    "merchant_blacklist",
    "new_account_information_available",
    "no_account",
    "pickup_card",
    "recipient_deceased",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "stop_payment_order",
    "transaction_not_allowed",
];

impl Trouble {
    /// The most precise word for it.
    pub(super) fn word(&self) -> String {
        let word = self.decline_code.as_ref().or(self.code.as_ref()).or(Some(&self.kind));
        word.filter(|word| !word.is_empty()).cloned().unwrap_or_else(|| "declined".to_owned())
    }

    /// Whether trying again may help.
    pub(super) fn finality(&self) -> Finality {
        match self.advice_code.as_deref() {
            Some("do_not_try_again") => return Finality::Final,
            Some("try_again_later") => return Finality::Soft,
            Some(_) | None => {}
        }
        let word = self.word();
        let unusable = word.starts_with("payment_method_");
        if unusable || FOR_GOOD.contains(&word.as_str()) { Finality::Final } else { Finality::Soft }
    }

    /// It as the outcome of a charge.
    pub(super) fn outcome(&self) -> ChargeOutcome {
        let code = self.word();
        match self.finality() {
            Finality::Soft => ChargeOutcome::DeclinedSoft { code },
            Finality::Final => ChargeOutcome::DeclinedFinal { code },
        }
    }

    /// Whether it is about the payment method: that one will not do.
    pub(super) fn is_about_the_method(&self) -> bool {
        let named = self.param.as_deref().is_some_and(|param| param.starts_with("payment_method"));
        let code = self.code.as_deref().unwrap_or_default();
        named || code.starts_with("payment_method_") || code.ends_with("_incompatible_payment_method")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(decline_code: &str, advice_code: Option<&str>) -> Trouble {
        Trouble {
            kind: "card_error".into(),
            code: Some("card_declined".into()),
            decline_code: Some(decline_code.into()),
            advice_code: advice_code.map(Into::into),
            ..Trouble::default()
        }
    }

    #[test]
    fn what_the_networks_forbid_is_for_good_and_the_rest_for_now() {
        for code in ["lost_card", "stolen_card", "expired_card", "stop_payment_order", "card_not_supported"] {
            assert_eq!(trouble(code, None).finality(), Finality::Final, "{code}");
        }
        for code in
            ["insufficient_funds", "do_not_honor", "generic_decline", "authentication_required", "new"]
        {
            assert_eq!(trouble(code, None).finality(), Finality::Soft, "{code}");
        }
    }

    #[test]
    fn advice_goes_before_the_code() {
        assert_eq!(trouble("generic_decline", Some("do_not_try_again")).finality(), Finality::Final);
        assert_eq!(trouble("restricted_card", Some("try_again_later")).finality(), Finality::Soft);
        assert_eq!(trouble("stolen_card", Some("confirm_card_data")).finality(), Finality::Final);
    }

    #[test]
    fn the_most_precise_word_is_told() {
        assert_eq!(trouble("do_not_honor", None).word(), "do_not_honor");
        assert_eq!(
            Trouble { code: Some("card_declined".into()), ..Trouble::default() }.word(),
            "card_declined"
        );
        assert_eq!(Trouble::default().word(), "declined");
    }
}
