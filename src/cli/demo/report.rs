//! What the demonstration prints: a ladder and the decisions of each call, and a table of all at the end.

use std::io::{self, Write};
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use emcc_policies::moment::Moment;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::pair::Hop;
use super::stage::{CONTROL, GATEWAYS};
use crate::agent::told;
use crate::cli::ladder::{Arrow, draw};

/// Widest column of names in the table.
const NAME_WIDTH: usize = 50;

/// Everything that was played.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether every call did what it should.
    pub(super) ok: bool,
    /// The calls in order.
    pub(super) calls: Vec<Told>,
}

/// One act, as it went.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: &'static str,
    pub(super) dialled: &'static str,
    pub(super) ok: bool,
    pub(super) expected: &'static str,
    pub(super) happened: String,
    pub(super) ladder: (Vec<&'static str>, Vec<Arrow>),
    /// Node and the steps of its decision.
    pub(super) decisions: Vec<(&'static str, Vec<String>)>,
    /// Node and alarm.
    pub(super) alarms: Vec<(&'static str, String)>,
    /// RTP packets each phone of an answered call sends.
    pub(super) packets_sent: u16,
    /// RTP packets of the agreed payload type that arrived.
    pub(super) packets_to_caller: u64,
    pub(super) packets_to_gateway: u64,
}

const OK: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green))).bold();
const FAILED: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red))).bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

impl Report {
    /// The table: expected against happened.
    pub(super) fn sum_up(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self.calls.iter().map(|told| told.name.len()).max().unwrap_or(0).min(NAME_WIDTH);
        for (number, told) in (1..).zip(&self.calls) {
            let verdict = told.verdict();
            writeln!(out, "{number:>3}  {:<width$}  {verdict}  {}", told.name, told.happened)?;
            if !told.ok {
                writeln!(out, "{:>3}  {:<width$}  {FAILED}{:<6}{FAILED:#}  {}", "", "", "wanted", told.expected)?;
            }
        }
        let good = self.calls.iter().filter(|told| told.ok).count();
        let style = if self.ok { OK } else { FAILED };
        writeln!(out, "\n{style}{good} of {} calls did what they should{style:#}", self.calls.len())
    }
}

impl Told {
    /// The call as people want to see it.
    pub(super) fn show(&self, number: usize, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{BOLD}{number}. {}{BOLD:#}  {DIM}dialled {}{DIM:#}\n", self.name, self.dialled)?;
        let (columns, arrows) = &self.ladder;
        write!(out, "{}", draw(columns, arrows))?;
        for (node, steps) in &self.decisions {
            for (place, step) in steps.iter().enumerate() {
                let node = if place == 0 { node } else { "" };
                writeln!(out, "  {BOLD}{node:<4}{BOLD:#}{step}")?;
            }
        }
        for (node, alarm) in &self.alarms {
            writeln!(out, "  {BOLD}{node:<4}{BOLD:#}{FAILED}alarm{FAILED:#} {alarm}")?;
        }
        if self.packets_to_caller + self.packets_to_gateway > 0 {
            let Self { packets_sent, packets_to_caller, packets_to_gateway, .. } = self;
            writeln!(
                out,
                "  {BOLD}RTP {BOLD:#}of {packets_sent} packets each way, {packets_to_caller} reached the caller, \
                 {packets_to_gateway} the gateway"
            )?;
        }
        writeln!(out, "  {}  {}", self.verdict(), self.happened)
    }

    fn verdict(&self) -> String {
        match self.ok {
            true => format!("{OK}{:<6}{OK:#}", "ok"),
            false => format!("{FAILED}FAILED{FAILED:#}"),
        }
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (columns, arrows) = &self.ladder;
        let ladder: Vec<String> = arrows.iter().filter_map(|arrow| line(columns, arrow)).collect();
        let steps = self.decisions.iter().flat_map(|(node, steps)| steps.iter().map(move |step| (node, step)));
        let because: Vec<String> = steps.map(|(node, step)| format!("{node}: {step}")).collect();
        let alarms: Vec<String> = self.alarms.iter().map(|(node, alarm)| format!("{node}: {alarm}")).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("dialled", self.dialled)?;
        map.serialize_entry("ok", &self.ok)?;
        map.serialize_entry("expected", self.expected)?;
        map.serialize_entry("happened", &self.happened)?;
        map.serialize_entry("because", &because)?;
        map.serialize_entry("alarms", &alarms)?;
        map.serialize_entry("packets_to_caller", &self.packets_to_caller)?;
        map.serialize_entry("packets_to_gateway", &self.packets_to_gateway)?;
        map.serialize_entry("ladder", &ladder)?;
        map.end()
    }
}

/// One message as a line of text.
fn line(columns: &[&str], arrow: &Arrow) -> Option<String> {
    let (from, to) = (columns.get(arrow.from)?, columns.get(arrow.to)?);
    let aside = if arrow.aside.is_empty() { String::new() } else { format!(" [{}]", arrow.aside) };
    Some(format!("{} ms {from} -> {to} {}{aside}", arrow.at_ms, arrow.label))
}

/// The messages of a call as a ladder; only those who took part get a column.
pub(super) fn ladder(hops: &[Hop], began: Moment, hq: SocketAddr, br: SocketAddr) -> (Vec<&'static str>, Vec<Arrow>) {
    let [home, first, second] = GATEWAYS.map(|(ip, name)| (ip.into(), name));
    let everybody = [(CONTROL.0.into(), CONTROL.1), (hq.ip(), "HQ"), home, (br.ip(), "BR"), first, second];
    let is_in = |ip| hops.iter().any(|hop| hop.from.ip() == ip || hop.to.ip() == ip);
    let present: Vec<_> = everybody.into_iter().filter(|(ip, _)| is_in(*ip)).collect();
    let column = |at: SocketAddr| present.iter().position(|(ip, _)| *ip == at.ip());
    let arrow = |hop: &Hop| {
        let (label, codecs) = told(&hop.bytes);
        let (from, to) = (column(hop.from)?, column(hop.to)?);
        Some(Arrow { at_ms: hop.at.since_ms(began), from, to, label, aside: codecs.join(" ") })
    };
    (present.iter().map(|(_, name)| *name).collect(), hops.iter().filter_map(arrow).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(at: u64, from: &str, to: &str, first_line: &str) -> Hop {
        Hop {
            at: Moment(at),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            bytes: format!("{first_line}\r\nVia: x\r\n\r\n").into_bytes(),
        }
    }

    fn told(ok: bool) -> Told {
        let (hq, br) = ("127.0.1.1:5060".parse().unwrap(), "127.0.2.1:5060".parse().unwrap());
        let hops = [
            hop(10, "127.0.1.10:5060", "127.0.1.1:5060", "INVITE sip:9911@h SIP/2.0"),
            hop(12, "127.0.1.1:5060", "127.0.2.1:5060", "INVITE sip:911@h SIP/2.0"),
            hop(15, "127.0.2.1:5060", "127.0.1.1:5060", "SIP/2.0 404 Not Found"),
            hop(16, "192.0.2.1:5060", "127.0.1.1:5060", "OPTIONS sip:h SIP/2.0"),
        ];
        Told {
            name: "a call",
            dialled: "9911",
            ok,
            expected: "answered",
            happened: if ok { "answered" } else { "refused 404" }.into(),
            ladder: ladder(&hops, Moment(10), hq, br),
            decisions: vec![("HQ", vec!["one".into(), "two".into()])],
            alarms: vec![("BR", "look".into())],
            packets_sent: 15,
            packets_to_caller: 15,
            packets_to_gateway: 14,
        }
    }

    fn plain(write: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn a_ladder_has_columns_for_those_who_took_part() {
        let (columns, arrows) = told(true).ladder;
        assert_eq!(columns, ["cc-hq", "HQ", "BR"]);
        let ways: Vec<_> = arrows.iter().map(|a| (a.at_ms, a.from, a.to, a.label.as_str())).collect();
        assert_eq!(ways, [(0, 0, 1, "INVITE 9911"), (2, 1, 2, "INVITE 911"), (5, 2, 1, "404 Not Found")]);
    }

    #[test]
    fn a_call_is_shown_with_its_decisions_alarms_and_media() {
        let text = plain(|out| told(true).show(3, out));
        for part in ["3. a call  dialled 9911", "  HQ  one\n      two\n", "BR  alarm look", "15 reached the caller, 14"]
        {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn the_table_says_what_was_wanted_where_it_failed() {
        let report = Report { ok: false, calls: vec![told(true), told(false)] };
        let text = plain(|out| report.sum_up(out));
        assert!(text.contains("  1  a call  ok      answered\n"), "{text}");
        assert!(text.contains("  2  a call  FAILED  refused 404\n             wanted  answered\n"), "{text}");
        assert!(text.contains("1 of 2 calls"), "{text}");
    }

    #[test]
    fn the_object_carries_the_table_and_the_ladders() {
        let object = serde_json::to_value(Report { ok: true, calls: vec![told(true)] }).unwrap();
        assert_eq!(object["ok"], true);
        let call = &object["calls"][0];
        assert_eq!(call["because"][1], "HQ: two");
        assert_eq!(call["ladder"][2], "5 ms BR -> HQ 404 Not Found");
        assert_eq!(call["packets_to_gateway"], 14);
    }
}
