//! What speaks for the country in which a customer is (R8.4): a consumer in another member state is charged that
//! country's rate, and two pieces of evidence that agree have to be kept for it.

use florin_platform::id::{AccountId, Id, Kind};
use florin_settlement::Instant;

/// How many pieces have to agree.
pub(crate) const PIECES_REQUIRED: usize = 2;

/// Marks ids of pieces of evidence.
#[derive(Debug)]
pub(crate) enum EvidenceMark {}
impl Kind for EvidenceMark {
    const PREFIX: &'static str = "evidence";
}
/// The id of a piece of evidence.
pub(crate) type EvidenceId = Id<EvidenceMark>;

/// What kind of evidence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// The address the customer gave for bills.
    BillingAddress,
    /// Where a card was issued, or a bank account is kept.
    PaymentMethod,
}

impl EvidenceKind {
    const ALL: [Self; 2] = [Self::BillingAddress, Self::PaymentMethod];

    /// The stored form.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BillingAddress => "BILLING_ADDRESS",
            Self::PaymentMethod => "PAYMENT_METHOD",
        }
    }

    /// Reads the stored form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CountryEvidence {
    pub(crate) account: AccountId,
    pub(crate) id: EvidenceId,
    pub(crate) kind: EvidenceKind,
    /// ISO 3166 alpha-2.
    pub(crate) country: String,
    /// The resource it comes from.
    pub(crate) source: String,
    pub(crate) recorded: Instant,
}

/// Whether pieces of different sources prove that the customer is in `country`.
pub(crate) fn proves(evidence: &[CountryEvidence], country: &str) -> bool {
    let mut sources: Vec<_> = evidence
        .iter()
        .filter(|piece| piece.country == country)
        .map(|piece| (piece.kind.as_str(), piece.source.as_str()))
        .collect();
    sources.sort_unstable();
    sources.dedup();
    sources.len() >= PIECES_REQUIRED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(kind: EvidenceKind, country: &str, source: &str) -> CountryEvidence {
        CountryEvidence {
            account: AccountId::from_u128(1),
            id: EvidenceId::from_u128(1),
            kind,
            country: country.to_owned(),
            source: source.to_owned(),
            recorded: Instant::MIN,
        }
    }

    #[test]
    fn two_pieces_of_different_sources_prove_a_country() {
        let address = piece(EvidenceKind::BillingAddress, "DE", "accounts/1");
        let german = piece(EvidenceKind::PaymentMethod, "DE", "accounts/1/paymentMethods/1");
        let french = piece(EvidenceKind::PaymentMethod, "FR", "accounts/1/paymentMethods/2");
        assert!(proves(&[address.clone(), german], "DE"));
        assert!(!proves(&[address.clone(), french], "DE"));
        assert!(!proves(&[address.clone(), address], "DE"), "the same piece twice is one");
    }
}
