//! Changed copies: what nobody touched leaves octet for octet, and what was changed stands where a plain model puts it.

use emcc_fuzz::Dials;
use emcc_trunk::sip::{Editor, Index, Message, Start, scan};

/// What may be done to one field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Stays,
    Goes,
    NewValue,
    LineBefore,
}

#[test]
fn edits() {
    bolero::check!(name = "edit").with_iterations(0).for_each(|input: &[u8]| check(input));
    emcc_fuzz::replay("edit", 40_000, check);
}

/// The input is sixteen octets of choices and the message.
fn check(input: &[u8]) {
    let mut dials = Dials::new(input);
    let choices = dials.take(16);
    let octets = dials.rest();
    let mut index = Index::new();
    let Ok(message) = scan(octets, &mut index) else { return };
    let mut out = b"before".to_vec();
    let whole = Editor::new().write(&message, &mut out);
    assert_eq!(&out[whole], message.bytes(), "without a change every octet stays");
    changes(&message, choices);
}

fn changes(message: &Message<'_>, choices: &[u8]) {
    let choice = |place: usize| choices.get(place % 15).copied().unwrap_or(0).wrapping_add((place / 15) as u8) % 8;
    let change = |place: usize| match choice(place) {
        1 => Change::Goes,
        2 => Change::NewValue,
        3 => Change::LineBefore,
        _ => Change::Stays,
    };
    let last = choices.last().copied().unwrap_or(0);
    let (new_uri, new_top, new_end) = (last & 1 != 0, last & 2 != 0, last & 4 != 0);

    let mut editor = Editor::new();
    // The order of the calls must not matter: fields from behind, then what stands before them.
    for (place, field) in message.fields().iter().enumerate().rev() {
        match change(place) {
            Change::Stays => {}
            Change::Goes => editor.remove_field(message, place),
            Change::NewValue => editor.replace(field.value, b"new"),
            Change::LineBefore => editor.insert_before_field(message, place, b"Before: it"),
        }
    }
    if new_end {
        editor.append_header(message, b"End: it");
    }
    if new_top {
        editor.push_top(message, b"Top: it");
    }
    if new_uri {
        editor.request_uri(message, b"sip:new");
    }
    let mut out = Vec::new();
    editor.write(message, &mut out);
    let want = model(message, change, new_uri, new_top, new_end);
    assert_eq!(out.escape_ascii().to_string(), want.escape_ascii().to_string());
}

/// The same changes, made the slow way.
fn model(message: &Message<'_>, change: impl Fn(usize) -> Change, uri: bool, top: bool, end: bool) -> Vec<u8> {
    let octets = message.bytes();
    let part = |from: u32, to: u32| &octets[from as usize..to as usize];
    let first = message.fields().first().map(|field| field.line.start);
    // Without a field the empty line ends the head: the start line ends where it begins.
    let start_end = first.unwrap_or(message.head_end() - 2);
    let mut want = Vec::new();
    match message.start() {
        Start::Request { uri: span, .. } if uri => {
            want.extend_from_slice(part(0, span.start));
            want.extend_from_slice(b"sip:new");
            want.extend_from_slice(part(span.end, start_end));
        }
        _ => want.extend_from_slice(part(0, start_end)),
    }
    // At one place texts stand in the order they were given: a line before the first field came before the top one.
    let mut lines = Vec::new();
    let mut at = start_end;
    for (place, field) in message.fields().iter().enumerate() {
        if change(place) == Change::LineBefore {
            lines.extend_from_slice(b"Before: it\r\n");
        }
        if top && place == 0 {
            lines.extend_from_slice(b"Top: it\r\n");
        }
        match change(place) {
            Change::Goes => {}
            Change::NewValue => {
                lines.extend_from_slice(part(at, field.value.start));
                lines.extend_from_slice(b"new");
                lines.extend_from_slice(part(field.value.end, field.line.end));
            }
            _ => lines.extend_from_slice(part(at, field.line.end)),
        }
        at = field.line.end;
    }
    want.extend_from_slice(&lines);
    if end {
        want.extend_from_slice(b"End: it\r\n");
    }
    if top && first.is_none() {
        want.extend_from_slice(b"Top: it\r\n");
    }
    want.extend_from_slice(part(at, octets.len() as u32));
    want
}
