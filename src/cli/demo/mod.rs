//! `emcc-trunk demo`: two clusters on loopback, and every promise of the node shown by a call.
//!
//! Both nodes are the real thing: engine, sockets, configuration. Call control, gateways and phones are the agents of
//! [`crate::agent`] on sockets of their own. Each act says beforehand what it must come to.

mod acts;
mod pair;
mod phone;
mod report;
mod stage;

use std::io::Write;
use std::net::SocketAddr;

use emcc_policies::moment::Moment;

use self::acts::{Act, Turn, acts};
use self::pair::{Hop, Pair};
use self::phone::PACKETS;
use self::report::{Report, Told};
use self::stage::Stage;
use super::halt::Halt;
use super::{complain, failed, object};
use crate::agent::{Outcome, told};
use crate::io::Clock;
use crate::sip::{Index, Name, scan};

/// Longest time an act may take to be answered or refused, in ms.
const SETUP_MS_MAX: u64 = 5_000;
/// Longest time the phones may take to say what they have to say, in ms.
const TALK_MS_MAX: u64 = 2_000;
/// Longest time a call may take to end on every side, in ms.
const END_MS_MAX: u64 = 2_000;
/// How long it rings before a caller gives up, in ms.
const RING_MS: u64 = 200;
/// Two silent intervals of the keepalive, and a third for the clocks, in ms.
const LOSS_MS_MAX: u64 = 3_500;
/// Packets, of those sent, that must arrive for a direction to count as heard.
const HEARD_MIN: u64 = PACKETS as u64 - 3;

/// Plays every act and gives back the exit code.
pub(super) fn run(json: bool) -> u8 {
    match play(json) {
        Ok(report) => {
            let printed = if json { object(&report) } else { report.sum_up(&mut anstream::stderr().lock()) };
            match printed {
                Ok(()) => u8::from(!report.ok),
                Err(error) => complain(&Halt::Output(error)),
            }
        }
        Err(halt) => failed(&halt, json),
    }
}

fn play(json: bool) -> Result<Report, Halt> {
    let clock = Clock::start();
    let mut pair = Pair::start(clock)?;
    let mut stage = Stage::build(clock)?;
    let mut report = Report { ok: true, calls: Vec::new() };
    for act in acts() {
        pair.reload(act.edits)?;
        let told = perform(&act, &mut pair, &mut stage);
        if !json {
            told.show(report.calls.len() + 1, &mut anstream::stderr().lock()).map_err(Halt::Output)?;
        }
        report.ok &= told.ok;
        report.calls.push(told);
    }
    if !json {
        writeln!(anstream::stderr().lock()).map_err(Halt::Output)?;
    }
    Ok(report)
}

/// Plays one act to its end on every side.
fn perform(act: &Act, pair: &mut Pair, stage: &mut Stage) -> Told {
    pair.forget();
    let began = stage.now();
    stage.begin(act, pair.hq.address());
    let mut happened = match act.turn {
        Turn::GiveUp => {
            stage.turn_until(RING_MS, |_| false);
            stage.hang_up();
            stage.turn_until(SETUP_MS_MAX, Stage::is_over);
            how_it_ended(stage, &pair.hops(), pair.hq.address())
        }
        Turn::Talk | Turn::LosePeer => {
            let is_settled = |stage: &Stage| stage.caller().is_none_or(|caller| caller.call().outcome().is_some());
            stage.turn_until(SETUP_MS_MAX, is_settled);
            if stage.answered().is_some() {
                let is_said = |stage: &Stage| {
                    let far = stage.answered().is_some_and(|g| g.phone.is_done() && g.phone.heard() >= HEARD_MIN);
                    far && stage.phone.is_done() && stage.phone.heard() >= HEARD_MIN
                };
                stage.turn_until(TALK_MS_MAX, is_said);
            }
            how_it_ended(stage, &pair.hops(), pair.hq.address())
        }
    };
    if act.turn == Turn::LosePeer {
        happened.push(lose(pair, stage));
    }
    stage.hang_up();
    // Nobody answers a BYE to a node that is gone.
    let limit_ms = if act.turn == Turn::LosePeer { 0 } else { END_MS_MAX };
    let is_clean = stage.turn_until(limit_ms, |stage| stage.is_over() && pair.hq.calls() + pair.br.calls() == 0);
    if !is_clean && act.turn != Turn::LosePeer {
        happened.push("not over on every side".to_owned());
    }
    tell(act, pair, stage, began, happened.join("; "))
}

/// Takes London's node away and waits for the home cluster to take back what the link holds.
fn lose(pair: &mut Pair, stage: &mut Stage) -> String {
    let held_kbps = pair.hq.booked_kbps();
    if held_kbps == 0 {
        return "nothing was booked on the link".to_owned();
    }
    pair.br.vanish();
    match stage.turn_until(LOSS_MS_MAX, |_| pair.hq.booked_kbps() == 0) {
        true => "link released".to_owned(),
        false => format!("link still holds {} kbit/s", pair.hq.booked_kbps()),
    }
}

/// What the call came to, in the words acts expect.
fn how_it_ended(stage: &Stage, hops: &[Hop], hq: SocketAddr) -> Vec<String> {
    let Some(call) = stage.caller().map(|caller| caller.call()) else { return Vec::new() };
    match call.outcome() {
        None => return vec!["neither answered nor refused".to_owned()],
        Some(Outcome::TimedOut | Outcome::Unacknowledged) => return vec!["no answer".to_owned()],
        Some(Outcome::Refused(status)) => {
            let warning = hops.iter().rev().filter(|hop| hop.from == hq).find_map(|hop| warning(&hop.bytes, status));
            return vec![match warning {
                Some(code) => format!("refused {status}, Warning {code}"),
                None => format!("refused {status}"),
            }];
        }
        Some(Outcome::Answered) => {}
    }
    let Some(gateway) = stage.answered() else { return vec!["answered by nobody here".to_owned()] };
    let mut happened = vec![format!("answered by {}", gateway.name)];
    let at = SocketAddr::new(gateway.phone.address().ip(), stage::PORT);
    let invite = hops.iter().filter(|hop| hop.to == at).map(|hop| told(&hop.bytes));
    if let Some((line, codecs)) = invite.into_iter().find(|(line, _)| line.starts_with("INVITE ")) {
        happened.push(format!("called {}", line.trim_start_matches("INVITE ")));
        happened.push(format!("offered {}", codecs.join(" ")));
    }
    let codec = call.talk.agreed().map_or("nothing", |agreed| agreed.codec.as_str());
    happened.push(match (stage.phone.heard() >= HEARD_MIN, gateway.phone.heard() >= HEARD_MIN) {
        (true, true) => format!("{codec} both ways"),
        (true, false) => format!("{codec} towards the caller only"),
        (false, true) => format!("{codec} towards the gateway only"),
        (false, false) => "no media".to_owned(),
    });
    happened
}

/// The code of the Warning of a response of that status.
fn warning(bytes: &[u8], status: u16) -> Option<String> {
    let mut index = Index::new();
    let message = scan(bytes, &mut index).ok().filter(|message| message.status() == Some(status))?;
    let code = message.value(Name::Warning)?.split(|b| *b == b' ').next()?;
    Some(String::from_utf8_lossy(code).into_owned())
}

/// An act's outcome with its ladder and its decisions.
fn tell(act: &Act, pair: &Pair, stage: &Stage, began: Moment, happened: String) -> Told {
    let call_id = stage.caller().map(|caller| caller.call().call_id().to_vec()).unwrap_or_default();
    let shows_keepalives = act.turn == Turn::LosePeer;
    let is_of_call = |hop: &Hop| {
        let mut index = Index::new();
        let of_call = scan(&hop.bytes, &mut index).is_ok_and(|message| message.value(Name::CallId) == Some(&call_id));
        of_call || shows_keepalives
    };
    let hops: Vec<Hop> = pair.hops().into_iter().filter(is_of_call).collect();
    let mut decisions = Vec::new();
    let mut alarms = Vec::new();
    for (name, side) in [("HQ", &pair.hq), ("BR", &pair.br)] {
        decisions.extend(side.decided(&call_id).map(|steps| (name, steps)));
        alarms.extend(side.alarms().into_iter().map(|alarm| (name, alarm)));
    }
    Told {
        name: act.name,
        dialled: act.dialled,
        ok: happened == act.expected,
        expected: act.expected,
        happened,
        ladder: report::ladder(&hops, began, pair.hq.address(), pair.br.address()),
        decisions,
        alarms,
        packets_sent: PACKETS,
        packets_to_caller: stage.phone.heard(),
        packets_to_gateway: stage.answered().map_or(0, |gateway| gateway.phone.heard()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_read_from_the_response_of_its_status() {
        let text = b"SIP/2.0 488 Not Acceptable Here\r\nVia: x\r\nWarning: 370 hq \"Insufficient bandwidth\"\r\n\r\n";
        assert_eq!(warning(text, 488).as_deref(), Some("370"));
        assert_eq!(warning(text, 503), None);
        assert_eq!(warning(b"SIP/2.0 488 No\r\nVia: x\r\n\r\n", 488), None);
        assert_eq!(warning(b"BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n", 488), None);
    }

    #[test]
    fn a_direction_counts_as_heard_when_few_packets_are_missing() {
        assert!(HEARD_MIN > u64::from(PACKETS) / 2 && HEARD_MIN < u64::from(PACKETS));
    }
}
