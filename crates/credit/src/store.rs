//! Private rows and queries. A row becomes a domain value by `TryFrom`; a corrupt one is a loud error.

pub(crate) mod audit;
pub(crate) mod campaign;
pub(crate) mod charge;
pub(crate) mod code;
pub(crate) mod due;
pub(crate) mod entry;
pub(crate) mod grant;
pub(crate) mod lot;
pub(crate) mod loyalty;
pub(crate) mod movement;
pub(crate) mod order;
pub(crate) mod redemption;
pub(crate) mod top_up;

/// `($1, $2), ($3, $4)`: the places of `rows` rows of `columns` columns.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row = (1..=columns).map(|column| format!("${}", row * columns + column)).collect::<Vec<_>>();
        format!("({})", row.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn every_place_has_its_own_number() {
        assert_eq!(places(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(places(0, 3), "");
    }
}
