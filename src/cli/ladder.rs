//! A call as a ladder: one column a party, one arrow a message.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

/// Characters from one column to the next.
const GAP: usize = 28;
/// Characters before the first column: the time.
const MARGIN: usize = 9;

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    /// Milliseconds from the ladder's start.
    pub(super) at_ms: u64,
    /// Column it leaves.
    pub(super) from: usize,
    /// Column it goes to.
    pub(super) to: usize,
    /// Method and number, or status and reason.
    pub(super) label: String,
    /// What stands right of the ladder: the codecs of its description.
    pub(super) aside: String,
}

/// Draws a ladder. Colours are always written; a stream that is no terminal takes them out.
pub(super) fn draw(columns: &[&str], arrows: &[Arrow]) -> String {
    let mut out = String::new();
    let bold = Style::new().bold();
    let _ = write!(out, "{:>MARGIN$}{bold}", "ms  ");
    let heading: String = columns.iter().map(|column| format!("{column:<GAP$}")).collect();
    let _ = write!(out, "{}", heading.trim_end());
    let _ = writeln!(out, "{bold:#}");
    for arrow in arrows {
        let (colour, dim) = (Style::new().fg_color(Some(colour(&arrow.label).into())), Style::new().dimmed());
        let _ = write!(out, "{:>7}  ", arrow.at_ms);
        let (left, right) = (arrow.from.min(arrow.to), arrow.from.max(arrow.to));
        for column in 0..columns.len() {
            match column {
                _ if column == left && left < right => {
                    let line = shaft(&arrow.label, (right - left) * GAP - 1, arrow.from < arrow.to);
                    let _ = write!(out, "{dim}|{dim:#}{colour}{line}{colour:#}");
                }
                _ if column > left && column < right => {}
                _ if column + 1 == columns.len() => {
                    let _ = write!(out, "{dim}|{dim:#}");
                }
                _ => {
                    let _ = write!(out, "{dim}{:<GAP$}{dim:#}", "|");
                }
            }
        }
        if !arrow.aside.is_empty() {
            let _ = write!(out, "  {}", arrow.aside);
        }
        out.push('\n');
    }
    out
}

/// A shaft of `width` characters with its label inside; a label too long is cut.
fn shaft(label: &str, width: usize, is_rightwards: bool) -> String {
    let room = width.saturating_sub(5);
    let label: String = match label.chars().count() > room {
        true => label.chars().take(room.saturating_sub(1)).chain(['~']).collect(),
        false => label.to_owned(),
    };
    let tail = "-".repeat(width.saturating_sub(label.chars().count() + 4));
    match is_rightwards {
        true => format!("- {label} {tail}>"),
        false => format!("<- {label} {tail}"),
    }
}

fn colour(label: &str) -> AnsiColor {
    match label.as_bytes() {
        [b'1', _, _, b' ', ..] => AnsiColor::Yellow,
        [b'2', _, _, b' ', ..] => AnsiColor::Green,
        [b'3'..=b'6', _, _, b' ', ..] => AnsiColor::Red,
        _ => AnsiColor::Cyan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(columns: &[&str], arrows: &[Arrow]) -> String {
        anstream::adapter::strip_str(&draw(columns, arrows)).to_string()
    }

    fn arrow(from: usize, to: usize, label: &str, aside: &str) -> Arrow {
        Arrow { at_ms: 5, from, to, label: label.into(), aside: aside.into() }
    }

    #[test]
    fn arrows_end_at_their_columns() {
        let text = plain(
            &["cc-hq", "HQ", "gw"],
            &[
                arrow(0, 1, "INVITE 911", "PCMU"),
                arrow(2, 1, "200 OK", ""),
                arrow(2, 0, "BYE", ""),
                arrow(0, 1, "481 Call/Transaction Does Not Exist", ""),
            ],
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "     ms  cc-hq                       HQ                          gw");
        assert_eq!(lines[1], "      5  |- INVITE 911 ------------->|                           |  PCMU");
        assert_eq!(lines[2], "      5  |                           |<- 200 OK -----------------|");
        assert_eq!(lines[3], "      5  |<- BYE ------------------------------------------------|");
        assert_eq!(lines[4], "      5  |- 481 Call/Transaction ~ ->|                           |");
    }

    #[test]
    fn colours_tell_requests_and_kinds_of_responses_apart() {
        for (label, want) in [
            ("INVITE 911", AnsiColor::Cyan),
            ("180 Ringing", AnsiColor::Yellow),
            ("200 OK", AnsiColor::Green),
            ("488 Not Acceptable Here", AnsiColor::Red),
            ("2", AnsiColor::Cyan),
        ] {
            assert_eq!(colour(label), want, "{label}");
        }
    }
}
