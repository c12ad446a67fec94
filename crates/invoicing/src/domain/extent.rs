//! What of an invoice is to be credited, and what that comes to line by line (R7.9).
//!
//! Always holds: quantities that together are a line's quantity come to exactly the line's net, in whatever portions
//! they are credited: a portion is what the line comes to with what is left before, less what it comes to with what
//! is left after, each rounded once (R1.4).

use florin_settlement::{Money, Quantity, rounding};

use super::{
    charge::Charge,
    credit_note::{CorrectionError, Earlier, Reduction},
    invoice::Content,
};

/// How much of an invoice is to be credited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything that notes before have left of it.
    Whole,
    /// So much of these lines.
    Lines(Vec<Portion>),
}

/// How much of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// The line's number in the invoice, from 1.
    pub line: u32,
    /// How much of it.
    pub measure: Measure,
}

/// In what a portion of a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// So much of its net.
    Net(Money),
    /// So many of its units.
    Quantity(Quantity),
}

impl Extent {
    /// So much of one line's net.
    #[must_use]
    pub fn net(line: u32, net: Money) -> Self {
        Self::Lines(vec![Portion { line, measure: Measure::Net(net) }])
    }
}

/// What `extent` comes to, by line, after what `earlier` notes gave.
pub(crate) fn reductions(
    content: &Content,
    earlier: &Earlier,
    extent: &Extent,
) -> Result<Vec<Reduction>, CorrectionError> {
    match extent {
        Extent::Whole => whole(content, earlier),
        Extent::Lines(portions) => {
            portions.iter().map(|portion| reduction(content, earlier, portion)).collect()
        }
    }
}

fn whole(content: &Content, earlier: &Earlier) -> Result<Vec<Reduction>, CorrectionError> {
    let mut reductions = Vec::with_capacity(content.lines.len());
    for (line, charge) in (1_u32..).zip(&content.lines) {
        let net = earlier.left_of(line, charge)?;
        if net.is_positive() {
            reductions.push(Reduction { line, net, quantity: None });
        }
    }
    if reductions.is_empty() { Err(CorrectionError::NothingLeft) } else { Ok(reductions) }
}

fn reduction(content: &Content, earlier: &Earlier, portion: &Portion) -> Result<Reduction, CorrectionError> {
    let line = portion.line;
    match portion.measure {
        Measure::Net(net) => Ok(Reduction { line, net, quantity: None }),
        Measure::Quantity(quantity) => {
            let charge = content.line(line).ok_or(CorrectionError::UnknownLine(line))?;
            let net = net_of(charge, earlier.quantity_of(line), quantity)?.ok_or_else(|| {
                let left = earlier.left_of(line, charge).unwrap_or(Money::zero(content.currency));
                CorrectionError::MoreThanInvoiced { line, left }
            })?;
            Ok(Reduction { line, net, quantity: Some(quantity) })
        }
    }
}

/// What `more` units of a line come to, of which so many are credited already; none if there are not as many.
fn net_of(charge: &Charge, credited: Quantity, more: Quantity) -> Result<Option<Money>, CorrectionError> {
    let left = charge.quantity.checked_sub(credited).ok();
    let Some((before, after)) = left.and_then(|before| Some((before, before.checked_sub(more).ok()?))) else {
        return Ok(None);
    };
    let net = |quantity| rounding::line_net(quantity, charge.unit_price, charge.divisor);
    Ok(Some(net(before)?.checked_sub(net(after)?)?))
}
