//! Agents against messages written by hand: what no agent of ours would send, and what others do.

use super::*;
use crate::sip::{Index, Message, Name, scan};

/// An answerer and whatever it said to the last message.
struct Desk {
    answerer: Answerer,
    now: Moment,
}

const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";

impl Desk {
    fn new(script: Script) -> Self {
        let answerer = Answerer::new("gw", at(2), script, talk(40_000), Timers::default(), 64, Ids::new(1, 1));
        Self { answerer, now: Moment(0) }
    }

    /// Sends a request from port 9; gives back what came, in short.
    fn tell(&mut self, method: &str, cseq: u32, branch: &str, to_tag: &str, more: &str, body: &str) -> Vec<String> {
        let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:911@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK{branch}\r\n\
             From: <sip:a@h>;tag=far\r\nTo: <sip:911@h>{to_tag}\r\nCall-ID: one\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:a@127.0.0.1:9>\r\n{more}{kind}\r\n{body}"
        );
        let mut out = Outputs::default();
        self.answerer.handle(self.now, Input::Datagram { from: at(9), bytes: text.as_bytes() }, &mut out);
        out.sends.iter().map(|sent| summary(&sent.bytes)).collect()
    }

    fn wait(&mut self, ms: u64) -> Vec<String> {
        let end = self.now.plus_ms(ms);
        let mut said = Vec::new();
        while let Some(due) = self.answerer.next_due().filter(|due| *due <= end) {
            self.now = due;
            let mut out = Outputs::default();
            self.answerer.handle(due, Input::Due, &mut out);
            said.extend(out.sends.iter().map(|sent| summary(&sent.bytes)));
        }
        self.now = end;
        said
    }

    fn tag(&self) -> String {
        let tags: Vec<_> = self.answerer.calls().map(|call| call.dialog.local_tag.clone()).collect();
        String::from_utf8(tags.last().unwrap().clone()).unwrap()
    }
}

#[test]
fn an_offer_nobody_speaks_is_refused_with_488() {
    let mut desk = Desk::new(Script { ring_after_ms: None, ..Script::answering(0) });
    let offer = OFFER.replace("RTP/AVP 0", "RTP/AVP 96");
    assert_eq!(desk.tell("INVITE", 1, "1", "", "", &offer), ["100 Trying", "488 Not Acceptable Here"]);
    // Said again until its ACK, which any branch of this CSeq brings.
    assert_eq!(desk.wait(500), ["488 Not Acceptable Here"]);
    let tag = desk.tag();
    assert!(desk.tell("ACK", 1, "1", &tag, "", "").is_empty());
    assert!(desk.wait(60_000).is_empty());
    assert_eq!(desk.answerer.calls().count(), 0);
}

#[test]
fn an_invite_that_comes_again_on_another_branch_is_another_call() {
    let mut desk = Desk::new(Script::rejecting(503));
    assert_eq!(desk.tell("INVITE", 1, "1", "", "", OFFER).last().unwrap(), "503 Service Unavailable");
    assert_eq!(desk.tell("INVITE", 1, "1", "", "", OFFER), ["503 Service Unavailable"], "a repetition");
    desk.answerer.script = Script { ring_after_ms: None, ..Script::answering(0) };
    assert_eq!(desk.tell("INVITE", 1, "2", "", "", OFFER), ["100 Trying", "200 OK [PCMU]"], "a new try");
    assert_eq!(desk.answerer.calls().count(), 2);
    assert_eq!(desk.answerer.counts().duplicates, 1);
}

#[test]
fn requests_out_of_place_get_the_status_of_their_fault() {
    let mut desk = Desk::new(Script { ring_after_ms: None, ..Script::answering(0) });
    desk.tell("INVITE", 5, "1", "", "", OFFER);
    let tag = desk.tag();
    desk.tell("ACK", 5, "2", &tag, "", "");
    for (method, cseq, to_tag, want) in [
        ("INFO", 5, tag.as_str(), "500 CSeq out of order"),
        ("INFO", 4, &tag, "500 CSeq out of order"),
        ("INFO", 6, "stranger", "481 Call/Transaction Does Not Exist"),
        ("PRACK", 7, &tag, "481 Call/Transaction Does Not Exist"),
        ("REFER", 8, &tag, "405 Method Not Allowed"),
        ("NOTIFY", 9, &tag, "200 OK"),
        ("BYE", 10, &tag, "200 OK"),
        ("INFO", 11, &tag, "481 Call/Transaction Does Not Exist"),
    ] {
        let branch = format!("{method}{cseq}");
        assert_eq!(desk.tell(method, cseq, &branch, to_tag, "", ""), [want], "{method} {cseq} {to_tag}");
    }
}

#[test]
fn a_cancel_ends_only_what_is_not_answered() {
    let mut desk = Desk::new(Script::new(Behaviour::Ring));
    desk.tell("INVITE", 1, "1", "", "", OFFER);
    assert_eq!(desk.tell("CANCEL", 1, "1", "", "", ""), ["200 OK", "487 Request Terminated"]);
    let mut desk = Desk::new(Script { ring_after_ms: None, ..Script::answering(0) });
    desk.tell("INVITE", 1, "1", "", "", OFFER);
    assert_eq!(desk.tell("CANCEL", 1, "1", "", "", ""), ["200 OK"]);
    assert!(desk.answerer.calls().all(Call::is_up));
}

#[test]
fn a_bye_before_the_answer_ends_the_invite() {
    let mut desk = Desk::new(Script::new(Behaviour::Ring));
    desk.tell("INVITE", 1, "1", "", "", OFFER);
    let tag = desk.tag();
    assert_eq!(desk.tell("BYE", 2, "2", &tag, "", ""), ["200 OK", "487 Request Terminated"]);
    assert!(desk.answerer.calls().all(Call::is_over));
}

#[test]
fn a_reliable_response_nobody_acknowledges_ends_the_call_after_64_t1() {
    let mut desk = Desk::new(Script { uses_100rel: true, ..Script::answering(1_000) });
    let said = desk.tell("INVITE", 1, "1", "", "Supported: 100rel\r\n", OFFER);
    assert_eq!(said, ["100 Trying", "180 Ringing"]);
    let said = desk.wait(40_000);
    // At 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s (RFC 3262, section 3), then the refusal and its repetitions.
    assert_eq!(said.iter().filter(|line| *line == "180 Ringing").count(), 6, "{said:?}");
    assert!(said.iter().all(|line| !line.starts_with("200")), "the answer waits for PRACK: {said:?}");
    assert_eq!(desk.answerer.calls().next().unwrap().outcome(), Some(Outcome::Refused(500)));
}

#[test]
fn without_the_callers_consent_ringing_is_not_reliable() {
    let mut desk = Desk::new(Script { uses_100rel: true, ..Script::answering(100) });
    desk.tell("INVITE", 1, "1", "", "", OFFER);
    assert_eq!(desk.wait(100), ["200 OK [PCMU]"]);
}

#[test]
fn a_silent_answerer_answers_no_probe_either() {
    let mut desk = Desk::new(Script::new(Behaviour::Silent));
    assert!(desk.tell("OPTIONS", 1, "1", "", "", "").is_empty());
    assert_eq!((desk.answerer.counts().received, desk.answerer.counts().sent), (1, 0));
}

/// A caller that has sent its INVITE, and the INVITE.
fn calling() -> (Caller, Vec<u8>) {
    let mut caller = Caller::new(setup(), Ids::new(1, 1));
    let mut out = Outputs::default();
    caller.start(Moment(0), &mut out);
    (caller, out.sends.remove(0).bytes)
}

/// What the caller says to a response to `request` with that status, To tag and more headers.
fn respond(caller: &mut Caller, request: &[u8], status: u16, tag: &str, more: &[(&str, &[u8])]) -> Vec<Datagram> {
    let mut index = Index::new();
    let request: Message<'_> = scan(request, &mut index).unwrap();
    let mut headers = vec![("Contact", &b"<sip:gw@127.0.0.1:7>"[..])];
    headers.extend_from_slice(more);
    let mut bytes = Vec::new();
    let reply =
        crate::sip::reply::Reply { to_tag: Some(tag), headers: &headers, ..crate::sip::reply::Reply::new(status) };
    reply.write(&request, &mut bytes).unwrap();
    let mut out = Outputs::default();
    caller.handle(Moment(100), Input::Datagram { from: at(2), bytes: &bytes }, &mut out);
    out.sends
}

fn lines(sent: &[Datagram]) -> Vec<String> {
    sent.iter().map(|datagram| summary(&datagram.bytes)).collect()
}

#[test]
fn a_second_answer_is_acknowledged_and_sent_away() {
    let (mut caller, invite) = calling();
    assert_eq!(lines(&respond(&mut caller, &invite, 200, "one", &[])), ["ACK gw"]);
    assert_eq!(lines(&respond(&mut caller, &invite, 200, "one", &[])), ["ACK gw"], "a repetition");
    let sent = respond(&mut caller, &invite, 200, "two", &[]);
    assert_eq!(lines(&sent), ["ACK gw", "BYE gw"]);
    for datagram in &sent {
        let mut index = Index::new();
        let message = scan(&datagram.bytes, &mut index).unwrap();
        assert!(message.value(Name::To).unwrap().ends_with(b";tag=two"));
        assert_eq!(datagram.to, at(7));
    }
    assert!(caller.call().is_up());
}

#[test]
fn each_branch_of_a_search_counts_its_reliable_responses_alone() {
    let (mut caller, invite) = calling();
    let reliable = |rseq: &'static [u8]| [("Require", &b"100rel"[..]), ("RSeq", rseq)];
    for (tag, rseq, want) in [
        ("one", &b"7"[..], &["PRACK gw"][..]),
        ("one", b"7", &[]),
        ("one", b"8", &["PRACK gw"]),
        ("two", b"3", &["PRACK gw"]),
        ("two", b"2", &[]),
    ] {
        assert_eq!(lines(&respond(&mut caller, &invite, 180, tag, &reliable(rseq))), want, "{tag} {rseq:?}");
    }
    assert_eq!(caller.counts().duplicates, 2);
}

#[test]
fn a_refusal_is_acknowledged_on_the_invites_own_branch_each_time() {
    let (mut caller, invite) = calling();
    for _ in 0..2 {
        let sent = respond(&mut caller, &invite, 486, "one", &[]);
        assert_eq!(lines(&sent), ["ACK 9911"]);
        let (mut a, mut b) = (Index::new(), Index::new());
        let (ack, invite) = (scan(&sent[0].bytes, &mut a).unwrap(), scan(&invite, &mut b).unwrap());
        assert_eq!(ack.value(Name::Via), invite.value(Name::Via));
        assert_eq!(sent[0].to, at(2));
    }
    assert_eq!(caller.call().outcome(), Some(Outcome::Refused(486)));
    assert!(respond(&mut caller, &invite, 200, "one", &[]).is_empty(), "too late");
    assert_eq!(caller.counts().unexpected, 1);
}

#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let (mut caller, invite) = calling();
    let mut out = Outputs::default();
    caller.call_mut().hang_up(Moment(10), &mut out);
    assert!(out.sends.is_empty(), "RFC 3261, section 9.1");
    assert_eq!(lines(&respond(&mut caller, &invite, 100, "", &[])), ["CANCEL 9911"]);
    assert!(respond(&mut caller, &invite, 180, "one", &[]).is_empty(), "once");
    // The answer crossed the CANCEL: it is taken, and ended.
    assert_eq!(lines(&respond(&mut caller, &invite, 200, "one", &[])), ["ACK gw", "BYE gw"]);
}

#[test]
fn a_bye_nobody_answers_ends_the_call_all_the_same() {
    let (mut caller, invite) = calling();
    respond(&mut caller, &invite, 200, "one", &[]);
    let mut out = Outputs::default();
    caller.call_mut().hang_up(Moment(200), &mut out);
    while let Some(due) = caller.next_due() {
        caller.handle(due, Input::Due, &mut out);
    }
    let byes = lines(&out.sends).iter().filter(|line| *line == "BYE gw").count();
    // Timer E: 0, 0.5, 1.5, 3.5, 7.5 s and every 4 s until 32 s.
    assert_eq!(byes, 11);
    assert!(caller.call().is_gone());
    assert!(out.events.iter().any(|(_, event)| *event == Event::Ended { by_peer: false }));
}

#[test]
fn a_response_to_nothing_and_a_message_of_another_call_are_counted() {
    let (mut caller, invite) = calling();
    let (_, other) = {
        let mut other = Caller::new(setup(), Ids::new(2, 2));
        let mut out = Outputs::default();
        other.start(Moment(0), &mut out);
        (other, out.sends.remove(0).bytes)
    };
    assert!(respond(&mut caller, &other, 180, "one", &[]).is_empty());
    let forged = String::from_utf8(invite).unwrap().replace("branch=z9hG4bK", "branch=z9hG4bKx");
    assert!(respond(&mut caller, forged.as_bytes(), 180, "one", &[]).is_empty());
    assert_eq!(caller.counts().unexpected, 2);
}
