//! A document in plain text: lines of at most [`WIDTH`] characters where what customers wrote allows it, amounts to the
//! right.

use super::sheet::{Item, Sheet};

const WIDTH: usize = 78;
/// How far the second line of an item is indented.
const INDENT: usize = 4;

pub(super) fn written(sheet: &Sheet) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    line(&sheet.title);
    line(&"=".repeat(sheet.title.chars().count()));
    line("");
    for (name, value) in &sheet.facts {
        line(&format!("{name}: {}", one_line(value)));
    }
    for (heading, party) in &sheet.parties {
        line("");
        line(heading);
        party.lines().for_each(|part| line(&format!("  {part}")));
    }
    line("");
    line(&"-".repeat(WIDTH));
    for item in &sheet.items {
        line(&format!("{:<INDENT$}{}", format!("{}.", item.number), one_line(&item.description)));
        line(&format!("{:INDENT$}{}", "", item.period));
        line(&amount(item));
    }
    line(&"-".repeat(WIDTH));
    for sum in &sheet.sums {
        if sum.is_total {
            line(&"-".repeat(WIDTH));
        }
        line(&spread(&sum.label, &sum.amount));
    }
    for mention in &sheet.mentions {
        line("");
        wrapped(mention).iter().for_each(|part| line(part));
    }
    text
}

fn amount(item: &Item) -> String {
    spread(&format!("{:INDENT$}{}", "", item.quantity), &item.net.to_string())
}

/// `left` and `right` at the ends of a line.
fn spread(left: &str, right: &str) -> String {
    let room = WIDTH.saturating_sub(left.chars().count()).max(right.chars().count() + 1);
    format!("{left}{right:>room$}")
}

/// What customers wrote, without what would begin another line.
fn one_line(text: &str) -> String {
    text.split(char::is_control).collect::<Vec<_>>().join(" ")
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_stand_to_the_right_and_never_touch_their_label() {
        assert_eq!(spread("Net", "10.00 EUR").chars().count(), WIDTH);
        let long = "x".repeat(WIDTH);
        assert_eq!(spread(&long, "1.00 EUR"), format!("{long} 1.00 EUR"));
    }

    #[test]
    fn what_a_customer_wrote_begins_no_line_of_its_own() {
        assert_eq!(one_line("web\n99. Free\r\tthings"), "web 99. Free  things");
        assert!(wrapped(&"word ".repeat(40)).iter().all(|line| line.chars().count() <= WIDTH));
    }
}
