//! `emcc-trunk diff`: which numbers would be decided otherwise under another configuration, and for whom.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::Args;
use emcc_policies::digits::{Digits, dialable};
use emcc_policies::moment::Civil;
use emcc_policies::numbers::{Shape, listed};
use emcc_policies::route::{Party, PeerKind};
use emcc_policies::trail::Names as _;
use serde::Serialize;

use super::halt::Halt;
use super::named::NamedNeighbours;
use super::progress::Progress;
use super::{Answer, explain, finish};
use crate::changes::{self, Asked, Group};
use crate::config::{self, Plan};
use crate::engine::decide::{Decision, NextHop};
use crate::engine::reject::Reject;
use crate::io::Clock;

/// Exit code where something changes and that is to fail.
const CHANGED: u8 = 1;
/// Exit code where not everything could be looked at.
const INCOMPLETE: u8 = 1;
/// Sets of numbers shown to people for one change.
const NUMBERS_TOLD_MAX: usize = 12;

#[derive(Args)]
pub(super) struct Diff {
    /// The configuration in service
    #[arg(long, value_name = "NOW")]
    config: PathBuf,
    /// The configuration that may come
    #[arg(long, value_name = "NEXT")]
    candidate: PathBuf,
    /// When the calls are made, as 2026-03-29T01:00:00Z or in Unix seconds; now unless given
    #[arg(long, value_name = "UTC", value_parser = explain::instant::parse, allow_hyphen_values = true)]
    at: Option<Civil>,
    /// The calling number; without it one of letters that shows what becomes of any
    #[arg(long, value_name = "NUMBER", value_parser = calling)]
    calling: Option<Digits>,
    /// Exit with 1 if anything changes
    #[arg(long)]
    fail_on_change: bool,
    /// Print one JSON object on standard output
    #[arg(long)]
    json: bool,
}

fn calling(text: &str) -> Result<Digits, &'static str> {
    let digits = dialable(text.as_bytes()).ok().filter(|digits| !digits.is_empty());
    digits.ok_or("a number has the digits 0-9, *, #, + and A-D, at most 48 of them")
}

/// Compares and gives back the exit code.
pub(super) fn run(diff: &Diff) -> u8 {
    let answer = diff.answer();
    let failed = answer.as_ref().map_or(0, |answer| match answer {
        Compared { complete: false, .. } => INCOMPLETE,
        compared if diff.fail_on_change && (compared.changed() > 0 || compared.has_others()) => CHANGED,
        _ => 0,
    });
    match finish(answer, diff.json) {
        0 => failed,
        code => code,
    }
}

/// The keys of the contract, in its order.
#[derive(Serialize)]
struct Compared {
    complete: bool,
    callers_only_now: Vec<Callers>,
    callers_only_next: Vec<Callers>,
    changes: Vec<Change>,
    leaving: Vec<Leaving>,
    settings: Vec<Setting>,
}

/// Numbers of which another becomes as they leave (D-24, D-25).
#[derive(Serialize)]
struct Leaving {
    party: &'static str,
    to: Vec<String>,
    numbers: Vec<String>,
    example: String,
    now: Option<String>,
    next: Option<String>,
}

/// A setting of region or link (M-1, V-9).
#[derive(Serialize)]
struct Setting {
    setting: &'static str,
    now: Option<String>,
    next: Option<String>,
    callers: Vec<Callers>,
}

#[derive(Serialize)]
struct Callers {
    count: usize,
    example: String,
}

#[derive(Serialize)]
struct Change {
    emergency: bool,
    callers: Callers,
    numbers: Vec<String>,
    /// How many of them, at the end, are emergency numbers written otherwise: people are told of these together.
    #[serde(skip)]
    written: usize,
    example: String,
    turn: usize,
    now: Decided,
    next: Decided,
}

#[derive(Serialize)]
struct Decided {
    outcome: &'static str,
    #[serde(rename = "match")]
    matched: Option<Matched>,
    translations: Vec<String>,
    emergency: bool,
    next_hops: Vec<Hop>,
    status: Option<u16>,
}

#[derive(Serialize)]
struct Matched {
    pattern: String,
    partition: Option<String>,
}

#[derive(Serialize)]
struct Hop {
    name: String,
    address: String,
    called: String,
    calling: Option<String>,
}

impl Diff {
    fn answer(&self) -> Result<Compared, Halt> {
        let progress = Progress::of_stages(!self.json);
        let load = |path: &Path| {
            let loaded = config::load_watched(path, &|stage| progress.at(&stage)).map_err(Halt::refused)?;
            Ok(loaded.plan)
        };
        let mut named = NamedNeighbours::default();
        let (now, next) = (named.locate(load(&self.config)?), named.locate(load(&self.candidate)?));
        drop(progress);
        let mut asked = Asked::everything(self.at.unwrap_or_else(|| Clock::start().now().civil));
        asked.calling = self.calling.or(asked.calling);
        let found = changes::between(&now, &next, &asked).map_err(|_| Halt::Disagreement)?;
        let callers = |group: &Group| Callers { count: group.size, example: group.example.to_string() };
        let change = |change: changes::Change| {
            let group = found.groups.get(change.group)?;
            let emergency = change.is_emergency();
            let (own, written) = match change.example {
                None => (vec![SERVICE.into()], Vec::new()),
                Some(_) => numbers(change.shapes, [&now, &next]),
            };
            Some(Change {
                emergency,
                callers: callers(group),
                example: change.example.map_or_else(|| SERVICE.into(), |number| number.to_string()),
                turn: change.turn,
                now: Decided::of(&now, &change.now, change.example, &named),
                next: Decided::of(&next, &change.next, change.example, &named),
                written: written.len(),
                numbers: own.into_iter().chain(written).collect(),
            })
        };
        Ok(Compared {
            complete: found.is_complete,
            callers_only_now: found.only_now.iter().map(callers).collect(),
            callers_only_next: found.only_next.iter().map(callers).collect(),
            settings: found.settings.iter().map(|setting| Setting::of(setting, &found.groups)).collect(),
            leaving: found.leaving.into_iter().map(Leaving::of).collect(),
            changes: found.changes.into_iter().filter_map(change).collect(),
        })
    }
}

/// The numbers of a change, and those that are only emergency numbers written otherwise (P-23).
fn numbers(shapes: Vec<Shape>, plans: [&Plan; 2]) -> (Vec<String>, Vec<String>) {
    let is_itself = |shape: &Shape| plans.iter().all(|plan| changes::read(plan, &shape.example()) == shape.example());
    let (own, written): (Vec<Shape>, Vec<Shape>) = shapes.into_iter().partition(is_itself);
    (listed(own), listed(written))
}

const SERVICE: &str = "urn:service:sos";
/// The EMCC trunk among the ends numbers leave by.
const TRUNK: &str = "emcc_trunk";

impl Leaving {
    fn of(found: changes::Leaving) -> Self {
        let end = |name: Option<Box<str>>| name.map_or_else(|| TRUNK.to_owned(), String::from);
        Self {
            party: match found.party {
                Party::Calling => "calling",
                Party::Called => "called",
            },
            to: found.to.into_iter().map(end).collect(),
            numbers: listed(found.shapes),
            example: found.example.to_string(),
            now: found.now.map(|number| number.to_string()),
            next: found.next.map(|number| number.to_string()),
        }
    }
}

impl Setting {
    fn of(found: &changes::Setting, groups: &[Group]) -> Self {
        let callers = |whose: &changes::Whose| {
            let (example, count) = whose.told(groups);
            Callers { count, example }
        };
        Self {
            setting: found.name,
            now: found.now.clone(),
            next: found.next.clone(),
            callers: found.whose.iter().map(callers).collect(),
        }
    }
}

impl Decided {
    fn of(plan: &Plan, decision: &Decision, dialed: Option<Digits>, named: &NamedNeighbours) -> Self {
        let row = decision.matched.and_then(|id| plan.dial_plan.row(id));
        let name = |to| match to {
            NextHop::Remote(id) => plan.remote_cluster(id).map(|remote| remote.id.to_string()),
            NextHop::Peer(id) => plan.peer(id).map(|peer| peer.name.to_string()),
            NextHop::Named | NextHop::Phone { .. } => None,
        };
        let as_it_came = || dialed.map_or_else(|| SERVICE.into(), |number| changes::read(plan, &number).to_string());
        let hops = decision.next_hops.iter().map(|hop| Hop {
            name: name(hop.to).unwrap_or_default(),
            address: named.shown(hop.address),
            called: hop.called.map_or_else(as_it_came, |number| number.to_string()),
            calling: hop.calling.map(|number| number.to_string()),
        });
        Self {
            outcome: match decision.next_hops.first().map(|hop| hop.to) {
                None => "reject",
                Some(NextHop::Remote(_)) => "emcc-trunk",
                Some(NextHop::Peer(id)) if plan.routes.kind(id) == Some(PeerKind::Gateway) => "gateway",
                Some(NextHop::Peer(_) | NextHop::Named) => "call-control",
                Some(NextHop::Phone { .. }) => "phone",
            },
            matched: row.map(|row| Matched {
                pattern: row.pattern.text().to_owned(),
                partition: row.partition.map(|id| plan.partition(id).to_owned()),
            }),
            translations: decision.translations.iter().map(|id| plan.pattern(*id).to_owned()).collect(),
            emergency: decision.emergency,
            next_hops: hops.collect(),
            status: decision.refusal.map(|refusal| Reject::Refusal(refusal).answer().status),
        }
    }

    /// One line.
    fn sentence(&self) -> String {
        let mut text = match (self.next_hops.as_slice(), self.status) {
            ([], Some(status)) => format!("refused with {status}"),
            ([], None) => "refused".into(),
            (hops, _) => {
                let hop = |hop: &Hop| {
                    let calling = hop.calling.as_ref().map(|number| format!(" calling {number}")).unwrap_or_default();
                    format!("{} at {} called {}{calling}", hop.name, hop.address, hop.called)
                };
                format!("{} {}", self.outcome, hops.iter().map(hop).collect::<Vec<_>>().join(", then "))
            }
        };
        if !self.translations.is_empty() {
            text += &format!("; translated by {}", self.translations.join(", "));
        }
        match &self.matched {
            Some(Matched { pattern, partition: Some(partition) }) => text += &format!("; by {pattern} in {partition}"),
            Some(Matched { pattern, partition: None }) => text += &format!("; by {pattern}"),
            None => {}
        }
        if self.emergency {
            text += "; emergency";
        }
        text
    }
}

impl Answer for Compared {
    fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let bold = Style::new().bold();
        let red = AnsiColor::Red.on_default().bold();
        for change in &self.changes {
            if change.emergency {
                write!(out, "{red}EMERGENCY{red:#} ")?;
            }
            writeln!(out, "{bold}{}{bold:#}", told(&change.callers))?;
            tell_numbers(&change.numbers, change.written, out)?;
            let turn = if change.turn > 0 { format!(" at turn {}", change.turn + 1) } else { String::new() };
            writeln!(out, "  {}{turn}", change.example)?;
            writeln!(out, "    now:  {}\n    next: {}", change.now.sentence(), change.next.sentence())?;
        }
        for Leaving { party, to, numbers, example, now, next } in &self.leaving {
            writeln!(out, "{bold}{party} number{bold:#} that leaves by {}", to.join(", "))?;
            tell_numbers(numbers, 0, out)?;
            let stays = || "stays as the route made it".to_owned();
            let becomes =
                |made: &Option<String>| made.as_ref().map_or_else(stays, |number| format!("becomes {number}"));
            writeln!(out, "  {example}\n    now:  {}\n    next: {}", becomes(now), becomes(next))?;
        }
        for Setting { setting, now, next, callers } in &self.settings {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
            writeln!(out, "{bold}{setting}{bold:#}\n    now:  {}\n    next: {}", value(now), value(next))?;
            callers.iter().try_for_each(|callers| writeln!(out, "  of {}", told(callers)))?;
        }
        for (list, which) in [(&self.callers_only_now, "now"), (&self.callers_only_next, "next")] {
            for callers in list {
                writeln!(out, "only {which}: {bold}{}{bold:#}", told(callers))?;
            }
        }
        match self.changed() {
            0 if self.has_others() => writeln!(out, "nothing changes for callers of both")?,
            0 => writeln!(out, "nothing changes")?,
            1 => writeln!(out, "1 change")?,
            more => writeln!(out, "{more} changes")?,
        }
        if !self.complete {
            writeln!(out, "{red}incomplete:{red:#} the bound on the search was reached; there may be more changes")?;
        }
        Ok(())
    }
}

impl Compared {
    /// How many changes there are of all kinds.
    fn changed(&self) -> usize {
        self.changes.len() + self.leaving.len() + self.settings.len()
    }

    /// Whether one of the two has callers that the other has not.
    fn has_others(&self) -> bool {
        !self.callers_only_now.is_empty() || !self.callers_only_next.is_empty()
    }
}

/// One line; the last so many of several are emergency numbers written otherwise, which are told of together.
fn tell_numbers(numbers: &[String], written: usize, out: &mut dyn Write) -> io::Result<()> {
    let own = match numbers.len().saturating_sub(written) {
        0 => numbers.len(),
        own => own,
    };
    let shown: Vec<&str> = numbers.iter().take(own.min(NUMBERS_TOLD_MAX)).map(String::as_str).collect();
    write!(out, "  numbers: {}", shown.join(", "))?;
    let otherwise = numbers.len() - own;
    if own > shown.len() {
        write!(out, " and {} more", own - shown.len())?;
    }
    if otherwise > 0 {
        write!(out, " and {otherwise} forms with a +, a country code or a last #")?;
    }
    if own > shown.len() || otherwise > 0 {
        write!(out, " (--json lists them)")?;
    }
    writeln!(out)
}

fn told(callers: &Callers) -> String {
    match callers.count {
        1 => callers.example.clone(),
        count => format!("{count} callers, such as {}", callers.example),
    }
}
