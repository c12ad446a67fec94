//! The registers of VAT numbers that can be asked (R8.4).

pub mod sandbox;
pub mod vies;
