//! Overload control as Via parameters carry it: `oc`, `oc-algo`, `oc-validity`, `oc-seq` (RFC 7339 section 4; the rate
//! algorithm is RFC 7415's).
//!
//! A client that takes part writes `oc` into its Via. The server writes its load into that very Via of the responses, and
//! nobody else ever sees it: the Via comes off at the client.

use super::edit::{Editor, push_decimal};
use super::message::{Message, Span};
use super::octet::behind;
use super::param::skip_space;
use super::read::Value;
use super::scan::decimal;
use super::via::ViaRef;
use smallvec::SmallVec;

/// What this node writes behind its own branch: that it takes part. Only the loss algorithm is named, although a rate is
/// obeyed, too: Kamailio 5.6 takes a comma within quotes for the end of the Via value and drops the request unanswered.
pub const OFFER: &[u8] = b";oc;oc-algo=\"loss\"";
/// How long a report holds where it does not say, milliseconds (RFC 7339 section 4.3).
pub const VALIDITY_MS_DEFAULT: u32 = 500;
/// Removed parameters of one Via kept without the heap.
const PARAMS_INLINE: usize = 4;

/// How requests are to be reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Leave out a percentage.
    Loss,
    /// Send so many a second at most.
    Rate,
}

/// A place in a neighbour's sequence of reports, as the decimal number it is written as, in hundred-thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(u64);

/// What a response says about the load of who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlRef {
    /// What `value` means.
    pub algorithm: Algorithm,
    /// Per cent to leave out, 0 to 100, or requests a second.
    pub value: u32,
    /// How long it holds, milliseconds; 0 ends the control.
    pub validity_ms: u32,
    /// Later reports are greater.
    pub sequence: Sequence,
}

/// What this node says about its own load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Per cent of new requests to leave out; 0 ends the control.
    pub loss_percent: u8,
    /// Unix time, milliseconds: it grows over a restart too.
    pub at_ms: u64,
}

/// Whether a Via has an `oc` parameter. A look at the octets, cheap enough for every response.
#[must_use]
pub fn offers_control(via: &[u8]) -> bool {
    memchr::memchr_iter(b';', via).any(|at| {
        let rest = skip_space(behind(via, at).unwrap_or_default());
        let is_named = rest.get(..2).is_some_and(|name| name.eq_ignore_ascii_case(b"oc"));
        is_named && rest.get(2).is_none_or(|next| matches!(next, b';' | b'=' | b',' | b' ' | b'\t' | b'\r'))
    })
}

impl ControlRef {
    /// What the Via of a response says; `None` where it says nothing, or nothing this node could obey.
    #[must_use]
    pub fn of(via: &ViaRef<'_>) -> Option<Self> {
        let number = |name| via.params.value(name).and_then(decimal);
        let value = u32::try_from(number("oc")?).ok()?;
        let algorithm = match via.params.value("oc-algo") {
            Some(name) if name.eq_ignore_ascii_case(b"rate") => Algorithm::Rate,
            Some(name) if !name.eq_ignore_ascii_case(b"loss") => return None,
            _ if value > 100 => return None,
            // Every server knows loss (RFC 7339 section 6), so one that does not say which means that.
            _ => Algorithm::Loss,
        };
        // One beyond 32 bits means for long, and who keeps a report bounds it all the same.
        let validity_ms = match via.params.has("oc-validity") {
            true => u32::try_from(number("oc-validity")?).unwrap_or(u32::MAX),
            false => VALIDITY_MS_DEFAULT,
        };
        let sequence = match via.params.value("oc-seq") {
            Some(text) => Sequence::parse(text)?,
            None => Sequence::default(),
        };
        Some(Self { algorithm, value, validity_ms, sequence })
    }
}

impl Sequence {
    /// At most twelve digits, and at most five after the point (RFC 7339 section 9).
    fn parse(text: &[u8]) -> Option<Self> {
        let (whole, part) = match memchr::memchr(b'.', text) {
            Some(point) => (text.get(..point)?, behind(text, point)?),
            None => (text, &b"0"[..]),
        };
        if whole.len() > 12 || part.len() > 5 {
            return None;
        }
        let scale = 10_u64.pow(5_u32.saturating_sub(u32::try_from(part.len()).ok()?));
        let part = decimal(part)?.saturating_mul(scale);
        Some(Self(decimal(whole)?.saturating_mul(100_000).saturating_add(part)))
    }
}

impl Report {
    /// Writes the parameters, the first semicolon included.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b";oc=");
        push_decimal(out, u64::from(self.loss_percent.min(100)));
        out.extend_from_slice(b";oc-algo=\"loss\";oc-validity=");
        push_decimal(out, if self.loss_percent > 0 { u64::from(VALIDITY_MS_DEFAULT) } else { 0 });
        out.extend_from_slice(b";oc-seq=");
        push_decimal(out, self.at_ms / 1_000);
        out.push(b'.');
        // Three digits, with their zeros.
        let part = self.at_ms % 1_000;
        out.extend([part / 100, part / 10 % 10, part % 10].map(|digit| b'0' | (digit % 10) as u8));
    }
}

/// The parameters of overload control in a Via value, each with its semicolon: what a report takes the place of.
pub(super) fn control_spans(message: &Message<'_>, via: &Value<'_>) -> SmallVec<[Span; PARAMS_INLINE]> {
    let Ok(parsed) = ViaRef::parse(via.text) else { return SmallVec::new() };
    let is_control = |name: &[u8]| {
        [&b"oc"[..], b"oc-algo", b"oc-validity", b"oc-seq"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let params = parsed.params.iter().filter(|param| is_control(param.name));
    let spans = params.filter_map(|param| {
        let (name, end) = (message.span_of(param.name)?, message.span_of(param.value.unwrap_or(param.name))?.end);
        let before = message.bytes().get(via.span.start as usize..name.start as usize)?;
        let semicolon = memchr::memrchr(b';', before)?;
        Some(Span { start: via.span.behind(semicolon).start, end })
    });
    spans.collect()
}

impl Editor {
    /// Writes this node's load into a Via that asked for it, in place of what it said of overload control.
    pub fn report(&mut self, message: &Message<'_>, via: &Value<'_>, report: Report) {
        for span in control_spans(message, via) {
            self.replace(span, b"");
        }
        let mut text = Vec::with_capacity(64);
        report.write(&mut text);
        self.replace(Span { start: via.span.end, end: via.span.end }, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, Name, scan};

    fn read(params: &str) -> Option<ControlRef> {
        ControlRef::of(&ViaRef::parse(format!("SIP/2.0/UDP h;branch=z9hG4bK1{params}").as_bytes()).unwrap())
    }

    #[test]
    fn rfc_7339_section_4_reports_are_read() {
        let loss = |value, validity_ms, sequence| {
            Some(ControlRef { algorithm: Algorithm::Loss, value, validity_ms, sequence: Sequence(sequence) })
        };
        for (params, want) in [
            (";oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782", loss(20, 500, 128_232_161_578_200)),
            (";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1282321892.439", loss(0, 0, 128_232_189_243_900)),
            (";OC=100;Oc-Algo=\"LOSS\"", loss(100, 500, 0)),
            (";oc=7;oc-seq=12.5", loss(7, 500, 1_250_000)),
            (";oc=7;oc-seq=12", loss(7, 500, 1_200_000)),
            (";oc=20;oc-validity=99999999999", loss(20, u32::MAX, 0)),
            (";oc=20;oc-validity=99999999999999999999999", loss(20, u32::MAX, 0)),
            // What cannot be obeyed is not guessed at.
            (";oc=99999999999", None),
            (";oc", None),
            (";oc=101", None),
            (";oc=-1", None),
            (";oc=20;oc-algo=\"A\"", None),
            (";oc=20;oc-algo=\"loss,rate\"", None),
            (";oc=20;oc-validity=x", None),
            (";oc=20;oc-seq=1.123456", None),
            (";oc=20;oc-seq=1234567890123.1", None),
            (";oc-algo=\"loss\"", None),
            ("", None),
        ] {
            assert_eq!(read(params), want, "{params}");
        }
        let rate = read(";oc=150;oc-algo=\"rate\";oc-validity=1000;oc-seq=1282321615.782").unwrap();
        assert_eq!(
            (rate.algorithm, rate.value, rate.validity_ms),
            (Algorithm::Rate, 150, 1_000),
            "RFC 7415 section 3.4"
        );
    }

    #[test]
    fn later_reports_are_greater_whatever_digits_their_parts_have() {
        let at = |text: &str| Sequence::parse(text.as_bytes()).unwrap();
        assert!(at("1.9") > at("1.10") && at("2.0") > at("1.99999") && at("1.5") == at("1.50000"));
    }

    #[test]
    fn an_offer_is_seen_in_the_octets_however_it_is_written() {
        for (via, want) in [
            ("SIP/2.0/UDP h;branch=z9hG4bK1;oc;oc-algo=\"loss,A\"", true),
            ("SIP/2.0/UDP h;oc", true),
            ("SIP/2.0/UDP h ; OC ;branch=x", true),
            ("SIP/2.0/UDP h;oc=20;branch=x", true),
            ("SIP/2.0/UDP h;branch=z9hG4bK1", false),
            ("SIP/2.0/UDP oc;branch=oc", false),
            ("SIP/2.0/UDP h;oc-algo=\"loss\";ocean", false),
            ("", false),
        ] {
            assert_eq!(offers_control(via.as_bytes()), want, "{via}");
        }
    }

    #[test]
    fn our_own_report_is_read_back_and_a_calm_one_ends_the_control() {
        for (report, text) in [
            (
                Report { loss_percent: 20, at_ms: 1_282_321_615_782 },
                ";oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782",
            ),
            (
                Report { loss_percent: 0, at_ms: 1_282_321_892_039 },
                ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1282321892.039",
            ),
        ] {
            let mut out = Vec::new();
            report.write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            let read = read(text).unwrap();
            assert_eq!((read.value, read.validity_ms > 0), (report.loss_percent.into(), report.loss_percent > 0));
        }
    }

    #[test]
    fn a_report_takes_the_place_of_the_offer_and_leaves_every_other_octet() {
        let report = Report { loss_percent: 5, at_ms: 1_000_001 };
        let said = ";oc=5;oc-algo=\"loss\";oc-validity=500;oc-seq=1000.001";
        for (vias, want) in [
            (
                "Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP p;branch=z9;oc;oc-algo=\"loss,A\"\r\n",
                format!("Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP p;branch=z9{said}\r\n"),
            ),
            (
                "Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP p ; oc = 3 ;oc-seq=9;branch=z9 , SIP/2.0/UDP q;oc\r\n",
                format!("Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP p  ;branch=z9{said} , SIP/2.0/UDP q;oc\r\n"),
            ),
        ] {
            let text = format!("SIP/2.0 200 OK\r\n{vias}CSeq: 1 INVITE\r\n\r\n");
            let mut index = Index::new();
            let message = scan(text.as_bytes(), &mut index).unwrap();
            let second = message.values(Name::Via).nth(1).unwrap();
            let (mut editor, mut out) = (Editor::new(), Vec::new());
            editor.begin();
            editor.report(&message, &second, report);
            editor.write(&message, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("SIP/2.0 200 OK\r\n{want}CSeq: 1 INVITE\r\n\r\n"));
        }
    }
}
