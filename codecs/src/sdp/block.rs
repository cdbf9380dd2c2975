//! The lines of a session description, each taken in for what the rules ask of it: what the session part says for all
//! blocks, and of a media block its `m=` line and the attributes that speak of it or of one of its formats.

use super::{
    About, Direction, FORMATS_MAX, Format, Malformed, Media, MediaKind, PAYLOAD_TYPE_MAX, attribute, is_space,
    name_and_value, payload_type_and_rest, place_of, words,
};
use crate::bandwidth::AddressFamily;
use crate::catalogue::{Named, Usual, decimal, encoding_of};

/// What the session part says for blocks that say nothing.
#[derive(Clone, Copy)]
pub(super) struct Defaults {
    pub(super) direction: Direction,
    pub(super) family: AddressFamily,
}

impl Defaults {
    pub(super) fn line(&mut self, text: &[u8]) -> About {
        match text {
            [b'b', b'=', ..] => return About::Bandwidth,
            [b'c', b'=', value @ ..] => self.family = connection_family(value).unwrap_or(self.family),
            [b'a', b'=', ..] => {
                let direction = attribute(text).and_then(|(name, _)| Direction::of(name));
                self.direction = direction.unwrap_or(self.direction);
            }
            _ => {}
        }
        About::Other
    }
}

/// The family of a `c=` line by its value.
fn connection_family(value: &[u8]) -> Option<AddressFamily> {
    let mut words = words(value);
    let _network = words.next()?;
    Some(if words.next()?.eq_ignore_ascii_case(b"IP6") { AddressFamily::V6 } else { AddressFamily::V4 })
}

/// A media block being read, besides what its [`Media`] tells.
pub(super) struct Block {
    /// Whether it said which way it flows.
    said_direction: bool,
    /// Of each payload type the place of its first format, from 1.
    places: [u8; 128],
    /// Whether a payload type has more than one format.
    has_twins: bool,
}

impl Block {
    pub(super) const NEW: Self = Self { said_direction: false, places: [0; 128], has_twins: false };

    /// Reads `<media> <port>[/<count>] <protocol> <format>...`, the value of a line of `description`.
    pub(super) fn media_line<'a>(
        &mut self,
        media: &mut Media<'a>,
        value: &'a [u8],
        description: &[u8],
    ) -> Result<(), Malformed> {
        let line = media.lines.end;
        let bad = Malformed::MediaLine { line };
        let mut words = words(value);
        let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err(bad);
        };
        media.kind = match kind {
            k if k.eq_ignore_ascii_case(b"audio") => MediaKind::Audio,
            k if k.eq_ignore_ascii_case(b"video") => MediaKind::Video,
            k if k.eq_ignore_ascii_case(b"image") => MediaKind::Image,
            _ => MediaKind::Other,
        };
        let mut halves = port.splitn(2, |b| *b == b'/');
        media.port = halves.next().and_then(decimal).and_then(|n| u16::try_from(n).ok()).ok_or(bad)?;
        media.ports = halves.next().map_or(Some(1), decimal).ok_or(bad)?;
        media.port_bytes = place_of(port, description);
        media.protocol = protocol;
        let (mut rest, mut number) = (words.rest, 1_u8);
        while let Some((token, payload_type, behind)) = next_format(rest) {
            if media.formats.len() == FORMATS_MAX {
                return Err(Malformed::TooManyFormats { line });
            }
            if let Some(first) = payload_type.and_then(|payload_type| self.places.get_mut(usize::from(payload_type))) {
                self.has_twins |= *first != 0;
                *first = if *first == 0 { number } else { *first };
            }
            let known = payload_type.and_then(Usual::of_payload_type);
            media.formats.push(Format {
                token,
                payload_type,
                encoding: known.map(|known| known.encoding),
                named: known.map_or(Named::Unknown, |known| known.named),
                fmtp: &[],
                fmtp_lines: 0,
                rtpmap_lines: 0,
            });
            (rest, number) = (behind, number.saturating_add(1));
        }
        let (Some(first), Some(last)) = (media.formats.first(), media.formats.last()) else { return Err(bad) };
        media.format_bytes = place_of(first.token, description).start..place_of(last.token, description).end;
        Ok(())
    }

    /// Takes another line in; what it speaks of.
    pub(super) fn line<'a>(&mut self, media: &mut Media<'a>, text: &'a [u8]) -> About {
        match text {
            [b'a', b'=', body @ ..] => return self.attribute(media, body),
            [b'b', b'=', ..] => return About::Bandwidth,
            [b'c', b'=', value @ ..] => media.family = connection_family(value).unwrap_or(media.family),
            _ => {}
        }
        About::Other
    }

    /// Takes in what stands behind `a=`.
    fn attribute<'a>(&mut self, media: &mut Media<'a>, body: &'a [u8]) -> About {
        if let Some(value) = body.strip_prefix(b"rtpmap:") {
            let Some((payload_type, rest)) = payload_type_and_rest(value) else { return About::Other };
            let (encoding, named) = encoding_of(rest);
            let first = self.each_format(media, payload_type, |format| {
                // Of two lines neither is believed.
                let is_first = format.rtpmap_lines == 0;
                (format.encoding, format.named) = if is_first { (encoding, named) } else { (None, Named::Unknown) };
                format.rtpmap_lines = format.rtpmap_lines.saturating_add(1);
            });
            return first.map_or(About::Other, About::Rtpmap);
        }
        if let Some(value) = body.strip_prefix(b"fmtp:") {
            let Some((payload_type, rest)) = payload_type_and_rest(value) else { return About::Other };
            let first = self.each_format(media, payload_type, |format| {
                format.fmtp = if format.fmtp_lines == 0 { rest } else { &[] };
                format.fmtp_lines = format.fmtp_lines.saturating_add(1);
            });
            return first.map_or(About::Other, About::Fmtp);
        }
        if body == b"bundle-only" {
            media.is_bundle_only = true;
            return About::BundleOnly;
        }
        self.of_the_block(media, body);
        About::Other
    }

    /// Does something to every format of a payload type; the place of the first.
    fn each_format<'a>(
        &self,
        media: &mut Media<'a>,
        payload_type: u8,
        mut edit: impl FnMut(&mut Format<'a>),
    ) -> Option<u8> {
        let first = self.places.get(usize::from(payload_type))?.checked_sub(1)?;
        if self.has_twins {
            let alike = media.formats.iter_mut().filter(|format| format.payload_type == Some(payload_type));
            alike.for_each(edit);
        } else {
            edit(media.formats.get_mut(usize::from(first))?);
        }
        Some(first)
    }

    /// Takes an attribute in that speaks of the whole block.
    fn of_the_block(&mut self, media: &mut Media<'_>, body: &[u8]) {
        let (name, value) = name_and_value(body);
        match name {
            b"ptime" => media.ptime_ms = milliseconds(value),
            b"maxptime" => media.max_ptime_ms = milliseconds(value),
            b"crypto" => media.has_crypto = true,
            b"curr" | b"des" | b"conf" => {
                let mut words = words(value);
                if words.next() == Some(b"qos") {
                    media.has_qos = true;
                    media.has_mandatory_qos |= name == b"des" && words.next() == Some(b"mandatory");
                }
            }
            _ => {
                if let Some(direction) = Direction::of(name)
                    && !self.said_direction
                {
                    media.direction = direction;
                    self.said_direction = true;
                }
            }
        }
    }
}

/// Whole milliseconds of `20` or `2.5`, at least 1; `None` where it is no number or is 0.
fn milliseconds(value: &[u8]) -> Option<u32> {
    let mut parts = value.trim_ascii().splitn(2, |b| *b == b'.');
    let whole = parts.next().and_then(decimal)?;
    let has_fraction = parts.next().is_some();
    if whole == 0 && !has_fraction { None } else { Some(whole.max(1)) }
}

/// The first word of a list of formats, the payload type it is where it is one, and what stands behind it.
#[inline]
fn next_format(list: &[u8]) -> Option<(&[u8], Option<u8>, &[u8])> {
    let digit = |byte: &u8| byte & 0x0f;
    // Nearly all are one space and a number of two or three digits: told without looking for where they end.
    let (number, length) = match list {
        [b' ', a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] if ends_word(rest) => {
            (digit(a).wrapping_mul(10).wrapping_add(digit(b)), 2)
        }
        [b' ', b'1', b @ b'0'..=b'2', c @ b'0'..=b'9', rest @ ..] if ends_word(rest) => {
            (digit(b).wrapping_mul(10).wrapping_add(digit(c)).wrapping_add(100), 3)
        }
        [b' ', a @ b'0'..=b'9', rest @ ..] if ends_word(rest) => (digit(a), 1),
        _ => return spelled_format(list),
    };
    let (token, behind) = list.get(1..)?.split_at_checked(length)?;
    Some((token, (number <= PAYLOAD_TYPE_MAX).then_some(number), behind))
}

/// Whether a word ends before this.
fn ends_word(rest: &[u8]) -> bool {
    rest.first().is_none_or(is_space)
}

/// The same of a word that is written in an unusual way or is no payload type.
fn spelled_format(list: &[u8]) -> Option<(&[u8], Option<u8>, &[u8])> {
    let mut words = words(list);
    let token = words.next()?;
    let number = decimal(token).and_then(|number| u8::try_from(number).ok());
    Some((token, number.filter(|number| *number <= PAYLOAD_TYPE_MAX), words.rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ptime_of_nothing_is_none() {
        for (value, want) in
            [("20", Some(20)), (" 20 ", Some(20)), ("2.5", Some(2)), ("0.5", Some(1)), ("0", None), ("x", None)]
        {
            assert_eq!(milliseconds(value.as_bytes()), want, "{value}");
        }
    }
}
