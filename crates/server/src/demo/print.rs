//! The voice of the tale: titles, sentences, tables.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use florin_api::money::Money;
use florin_platform::wire;
use florin_settlement::Instant;

use crate::cli::say;

pub(super) fn title(text: &str) {
    say("");
    say(text);
    say(&"═".repeat(text.chars().count()));
}

pub(super) fn chapter(text: &str) {
    say("");
    say(&format!("── {text}"));
    say("");
}

pub(super) fn sentence(text: &str) {
    say(&format!("  {text}"));
}

pub(super) fn detail(text: &str) {
    say(&format!("    · {text}"));
}

pub(super) fn time(at: Instant) {
    say(&format!("  [clock] {}", at.as_datetime().format("%Y-%m-%d %H:%M")));
}

/// A table; columns whose title begins with `>` are numbers and stand on the right.
pub(super) fn table(titles: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles.iter().map(|title| title.trim_start_matches('>')));
    for row in rows {
        table.add_row(row);
    }
    for (column, title) in table.column_iter_mut().zip(titles) {
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.to_string().lines() {
        say(&format!("  {line}"));
    }
}

/// An amount as people write it.
pub(super) fn money(amount: Option<&Money>) -> String {
    match amount {
        None => "–".to_owned(),
        Some(amount) => wire::amount(amount).map_or_else(|error| error, |amount| amount.to_string()),
    }
}

/// A timestamp as people write it.
pub(super) fn date(time: Option<&prost_types::Timestamp>) -> String {
    match time.map(wire::instant) {
        None => "never".to_owned(),
        Some(Ok(at)) => at.as_datetime().format("%Y-%m-%d %H:%M").to_string(),
        Some(Err(error)) => error.to_owned(),
    }
}
