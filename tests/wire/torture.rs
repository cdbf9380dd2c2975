//! Every message of RFC 4475 and RFC 5118, said to the running node: what it refuses is told so, what it passes on leaves
//! as it came, what may not be answered is not.

use emcc_trunk::engine::reject::Reject;
use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::{Message, Name, ViaRef};

use crate::ground::{Ground, answer, call_id, next_but, status, text, with};
use crate::invalid::{INVALID, Verdict};
use crate::line::{Line, TCP_V4, TCP_V6, TLS_V4, TLS_V6, UDP_V4, UDP_V6, Wire};
use crate::valid::{IPV6, VALID, wire};

/// What the node does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// It goes to the gateway as it came.
    Forward,
    /// Its sender hears this status.
    Refuse(u16),
    /// Nobody hears anything.
    Nothing,
}

/// Name, octets and verdict of every message, over a transport.
pub(crate) fn messages(over: Transport) -> Vec<(&'static str, Vec<u8>, Want)> {
    let valid = VALID.iter().chain(IPV6).map(|(name, _, text)| (*name, wire(text), want_of_valid(name, over)));
    let invalid = INVALID.iter().map(|(name, _, verdict, text)| {
        let want = match verdict {
            Verdict::Forward { .. } => Want::Forward,
            Verdict::Refuse(why) => Want::Refuse(Reject::Malformed(*why).answer().status),
            Verdict::Drop(_) => Want::Nothing,
        };
        (*name, wire(text), want)
    });
    valid.chain(invalid).collect()
}

fn want_of_valid(name: &str, over: Transport) -> Want {
    match name {
        // Sections 3.3.2 and 3.3.3: schemes we do not route.
        "unkscm" | "novelsc" => Want::Refuse(416),
        // Section 3.3.5: extensions we do not have.
        "bext01" => Want::Refuse(420),
        // Section 3.3.11.
        "zeromf" => Want::Refuse(483),
        // Responses to nothing we sent.
        "unreason" | "noreason" | "bcast" => Want::Nothing,
        // RFC 2543 let a body run to the end of the connection; RFC 3261 section 18.3 does not.
        "inv2543" if over != Transport::Udp => Want::Refuse(400),
        _ => Want::Forward,
    }
}

/// With the Route headers that lead over the node to the gateway, right behind the start line.
pub(crate) fn routed(ground: &Ground, octets: &[u8]) -> Vec<u8> {
    let line = octets.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
    [&octets[..line], ground.routes().as_bytes(), &octets[line..]].concat()
}

fn every_message_gets_its_verdict(test: &str, line: Line) {
    let mut ground = Ground::new(test, line);
    let mut done = Vec::new();
    for (name, octets, want) in messages(line.transport) {
        // Some messages share Via, method and Call-ID with another: in one node's life they are copies of each other.
        if matches!(name, "cparam01" | "port-ambiguous" | "port-unambiguous" | "ipv6-correct-abnf-2-colons") {
            drop(ground);
            ground = Ground::new(test, line);
        }
        done.retain(|id| *id != call_id(&octets));
        match want {
            Want::Forward => forwarded(&mut ground, name, &octets, &mut done),
            Want::Refuse(status) => refused(&mut ground, name, &octets, status),
            Want::Nothing => dropped(&mut ground, name, &octets, &done),
        }
        ground.nothing_else(name, &done);
    }
    // The last node heard the messages that are refused.
    let malformed = INVALID.iter().filter(|(.., verdict, _)| !matches!(verdict, Verdict::Forward { .. })).count();
    let told = ground.node.metric("emcc_sip_messages_dropped_total", &["reason=\"malformed\""]);
    assert!(told > 0 && told <= malformed as u64, "{told} of {malformed}");
    assert_eq!(ground.node.metric("emcc_sip_messages_dropped_total", &["reason=\"panic\""]), 0);
    assert_eq!(ground.node.metric("emcc_sip_send_failures_total", &[]), 0, "nothing went to anybody else");
}

/// Nobody hears anything, and it is counted for what it is and nothing else.
fn dropped(ground: &mut Ground, name: &str, octets: &[u8], done: &[Vec<u8>]) {
    let reason = match name {
        "scalarlg" => "reason=\"malformed\"",
        // Its first line is none of SIP's.
        "bigcode" => "reason=\"not_sip\"",
        "bcast" | "unreason" | "noreason" => "reason=\"stray\"",
        _ => panic!("{name} may not be dropped"),
    };
    let counts = |ground: &Ground| {
        [&[reason][..], &[]].map(|labels| ground.node.metric("emcc_sip_messages_dropped_total", labels))
    };
    let before = counts(ground);
    ground.near.send(octets);
    ground.nothing_else(name, done);
    assert_eq!(counts(ground), before.map(|count| count + 1), "{name}: {reason}, and all reasons together");
}

/// The whole reason phrase of each 400: it names the part at fault, and is the RFC's word for it.
const PHRASES: [(&str, &str); 21] = [
    ("badinv01", "Malformed Via"),
    ("clerr", "Content-Length larger than the datagram"),
    ("ncl", "Malformed Content-Length"),
    ("scalar02", "CSeq number out of range"),
    ("scalar02 with a CSeq in range", "Max-Forwards out of range"),
    ("quotbal", "Malformed To"),
    ("ltgtruri", "Request-URI in angle brackets"),
    ("lwsruri", "White space in the Request-URI"),
    ("lwsstart", "White space in the Request-URI"),
    ("trws", "White space at the end of the request line"),
    ("escruri", "Header fields in the Request-URI"),
    ("baddate", "Malformed Date"),
    ("regbadct", "Malformed Contact"),
    ("badaspec", "Malformed To"),
    ("baddn", "Malformed From"),
    ("mismatch01", "CSeq method does not match the request"),
    ("mismatch02", "CSeq method does not match the request"),
    ("insuf", "Missing From"),
    ("multi01", "Two From headers"),
    ("mcl01", "Content-Length headers that differ"),
    ("ipv6-bad", "Malformed Request-URI"),
];

/// What a refusal is to say.
fn phrase(name: &str, status: u16) -> &'static str {
    match (status, name) {
        (505, _) => "Version Not Supported",
        (483, _) => "Too Many Hops",
        (420, _) => "Bad Extension",
        (416, _) => "Unsupported URI Scheme",
        (400, "inv2543") => "Missing Content-Length",
        (400, _) => PHRASES.iter().find(|(of, _)| *of == name).unwrap_or_else(|| panic!("no phrase for {name}")).1,
        _ => panic!("{name}: no phrase for a {status}"),
    }
}

/// The refusal says what is wrong to whoever sent the message. A stream that cannot be framed ends with it.
fn refused(ground: &mut Ground, name: &str, octets: &[u8], want: u16) {
    ground.near.send(octets);
    let is_short = name == "clerr" && ground.line.transport != Transport::Udp;
    if is_short {
        ground.near.finish();
    }
    let told = ground.near.next().unwrap_or_else(|| panic!("{name}: closed without a word"));
    assert_eq!(status(&told), want, "{name}:\n{}", text(&told));
    let phrase = phrase(name, want);
    let line = text(&told).split("\r\n").next().unwrap().to_owned();
    let words = line.strip_prefix(&format!("SIP/2.0 {want} ")).unwrap();
    // To a UDP address nobody was heard at, a refusal that would be longer than its request has fewer words, and at last
    // the short names of headers and none.
    let is_longer = told.len() - words.len() + phrase.len() > octets.len() || text(&told).contains("\r\nv:");
    let is_cut = ground.line.transport == Transport::Udp && is_longer && matches!(words, "" | "Bad Request");
    assert!(words == phrase || is_cut, "{name}: {phrase}? {}", text(&told));
    assert_eq!(call_id(&told), call_id(octets), "{name}");
    if want == 420 {
        for tag in ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"] {
            assert!(text(&told).contains(&format!("Unsupported: {tag}")), "{name}: {}", text(&told));
        }
    }
    if ground.line.transport != Transport::Udp && is_unframeable(name) {
        assert_eq!(ground.near.next(), None, "{name}: the stream is over");
        ground.reconnect();
    }
}

/// What leaves nobody sure where the message after it begins.
fn is_unframeable(name: &str) -> bool {
    matches!(name, "ncl" | "mcl01" | "clerr" | "inv2543")
}

fn forwarded(ground: &mut Ground, name: &str, octets: &[u8], done: &mut Vec<Vec<u8>>) {
    let sent = routed(ground, octets);
    let trailing = with(&sent, |message| message.trailing());
    let counted = |ground: &Ground| ground.node.metric("emcc_sip_trailing_octets_total", &[]);
    let before = if trailing > 0 { counted(ground) } else { 0 };
    ground.near.send(&sent);
    let heard = next_but(&mut ground.far, done);
    assert_unchanged(ground, name, &sent, &heard);
    if trailing > 0 && ground.line.transport != Transport::Udp {
        // On a stream the octets behind a message are the next one: `dblreq`'s INVITE to nobody we know.
        assert_eq!(status(&next_but(&mut *ground.near, done)), 100, "{name}");
        let told = next_but(&mut *ground.near, done);
        assert_eq!(status(&told), 404, "{name}: {}", text(&told));
        assert_ne!(call_id(&told), call_id(octets), "{name}");
    }
    ground.far_answers(name, &sent, &heard, done);
    if trailing > 0 {
        assert_eq!(counted(ground), before + 1, "{name}: the octets behind it are counted");
    }
    if trailing > 0 && ground.line.transport != Transport::Udp {
        // The second message states fewer octets of body than it has: what follows on the stream is none.
        ground.reconnect();
    }
}

impl Ground {
    /// The gateway refuses what it heard, and call control hears that.
    fn far_answers(&mut self, name: &str, sent: &[u8], heard: &[u8], done: &mut Vec<Vec<u8>>) {
        let is_invite = with(heard, |message| message.method()) == Some(emcc_trunk::sip::Method::Invite);
        self.far.send(&answer(heard, 404));
        let id = call_id(heard);
        let told = if is_invite { self.past_trying(name, sent, done) } else { next_but(&mut *self.near, done) };
        if is_invite {
            let ack = next_but(&mut self.far, done);
            assert!(ack.starts_with(b"ACK "), "{name}: {}", text(&ack));
        }
        assert_eq!((status(&told), call_id(&told)), (404, id.clone()), "{name}: {}", text(&told));
        done.push(id);
    }

    /// What call control hears of an INVITE of its own after the 100. Before anybody was heard at its UDP address there is a
    /// 100 only where the INVITE has room for it and a refusal.
    fn past_trying(&mut self, name: &str, sent: &[u8], done: &[Vec<u8>]) -> Vec<u8> {
        let told = next_but(&mut *self.near, done);
        if status(&told) == 100 {
            return next_but(&mut *self.near, done);
        }
        let head = told.len() - with(&told, |message| message.body().len());
        let has_room = 2 * head <= sent.len();
        assert!(self.line.transport == Transport::Udp && !has_room, "{name}: a 100 comes before\n{}", text(&told));
        told
    }
}

/// The header lines of a message, each with its folds.
fn fields<'m>(message: &Message<'m>) -> Vec<(Name, &'m [u8])> {
    message.fields().iter().map(|field| (field.name, message.text(field.line))).collect()
}

/// Nothing but what a proxy must change is changed (RFC 3261, section 16.6).
fn assert_unchanged(ground: &Ground, name: &str, sent: &[u8], heard: &[u8]) {
    let own_via = format!("Via: SIP/2.0/{} {};branch=z9hG4bK-emcc-", ground.line.transport.via_name(), ground.sip);
    let own_route = format!("Record-Route: <sip:{};lr", ground.sip);
    with(sent, |before| {
        with(heard, |after| {
            let start = |octets: &[u8]| text(octets.split(|octet| *octet == b'\r').next().unwrap());
            assert_eq!(start(heard), start(sent), "{name}");
            assert_eq!(text(after.body()), text(before.body()), "{name}");
            let mut left = fields(after).into_iter().filter(|(_, line)| !line.starts_with(own_route.as_bytes()));
            let (_, via) = left.next().unwrap();
            assert!(via.starts_with(own_via.as_bytes()), "{name}: {}", text(via));
            let mut left: Vec<_> = left.collect();
            let has_hops = before.first(Name::MaxForwards).is_some();
            if !has_hops {
                let added = left.iter().position(|(name, _)| *name == Name::MaxForwards).unwrap();
                left.remove(added);
            }
            // RFC 5393, section 5.3.3: a request that names no breadth gets one.
            let is_breadth =
                |line: &[u8]| line.get(..12).is_some_and(|name| name.eq_ignore_ascii_case(b"Max-Breadth:"));
            if !fields(before).iter().any(|(_, line)| is_breadth(line)) {
                left.retain(|(_, line)| !is_breadth(line));
            }
            // Our own Route, the first field, is taken off.
            let wanted = fields(before).split_off(1);
            assert_eq!(left.len(), wanted.len(), "{name}: {}", text(heard));
            let mut is_first_via = true;
            for ((header, now), (_, was)) in left.into_iter().zip(wanted) {
                match header {
                    Name::MaxForwards => {
                        let hops = |line: &[u8]| text(line).split(':').nth(1).unwrap().trim().parse::<u8>().unwrap();
                        assert_eq!(hops(now), hops(was) - 1, "{name}");
                    }
                    Name::Via if std::mem::take(&mut is_first_via) => assert_via_filled_in(ground, name, after, before),
                    _ => assert_eq!(text(now), text(was), "{name}"),
                }
            }
        });
    });
}

/// The sender's Via says where it really came from (RFC 3261, section 18.2.1) and is the same otherwise.
fn assert_via_filled_in(ground: &Ground, name: &str, after: &Message<'_>, before: &Message<'_>) {
    let via = |message: &Message<'_>, place| {
        let value = message.values(Name::Via).nth(place).unwrap();
        let via = ViaRef::parse(value.text).unwrap();
        (text(via.sent_by), via.branch.map(text), via.received())
    };
    let (now, was) = (via(after, 1), via(before, 0));
    assert_eq!((&now.0, &now.1), (&was.0, &was.1), "{name}");
    assert_eq!(now.2, Some(ground.near_at.ip()), "{name}");
}

#[test]
fn rfc_4475_and_rfc_5118_over_udp_and_ipv4() {
    every_message_gets_its_verdict("torture-udp-v4", UDP_V4);
}

#[test]
fn rfc_4475_and_rfc_5118_over_udp_and_ipv6() {
    every_message_gets_its_verdict("torture-udp-v6", UDP_V6);
}

#[test]
fn rfc_4475_and_rfc_5118_over_tcp_and_ipv4() {
    every_message_gets_its_verdict("torture-tcp-v4", TCP_V4);
}

#[test]
fn rfc_4475_and_rfc_5118_over_tcp_and_ipv6() {
    every_message_gets_its_verdict("torture-tcp-v6", TCP_V6);
}

#[test]
fn rfc_4475_and_rfc_5118_over_tls_and_ipv4() {
    every_message_gets_its_verdict("torture-tls-v4", TLS_V4);
}

#[test]
fn rfc_4475_and_rfc_5118_over_tls_and_ipv6() {
    every_message_gets_its_verdict("torture-tls-v6", TLS_V6);
}

/// The text of a response of the RFC's with the Vias of a request we passed on, or with one more on top.
fn as_answer(octets: &[u8], request: &[u8], keeps_vias: bool) -> Vec<u8> {
    let vias: Vec<u8> = with(request, |message| {
        let all = message.all(Name::Via).map(|(_, field)| message.text(field.line).to_vec());
        all.take(if keeps_vias { 1 } else { usize::MAX }).flatten().collect()
    });
    let (start, rest) = octets.split_at(octets.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2);
    let is_via = |line: &[u8]| line.starts_with(b"Via:");
    let rest: Vec<u8> =
        rest.split_inclusive(|octet| *octet == b'\n').filter(|l| keeps_vias || !is_via(l)).flatten().copied().collect();
    [start, &vias, &rest].concat()
}

fn responses_are_passed_on_or_dropped(test: &str, line: Line) {
    let mut ground = Ground::new(test, line);
    for (name, status_wanted) in [("noreason", None), ("unreason", Some(200)), ("bcast", Some(200))] {
        let octets = wire(VALID.iter().find(|(row, ..)| *row == name).unwrap().2);
        // The INVITE that such a response answers.
        let header = |wanted: Name| with(&octets, |message| text(message.value(wanted).unwrap()));
        let (from, call_id, to) = (header(Name::From), header(Name::CallId), header(Name::To));
        let to = to.split(";tag").next().unwrap().to_owned();
        let (routes, at, via) = (ground.routes(), ground.near_at, line.transport.via_name());
        let invite = format!(
            "INVITE sip:user@example.com SIP/2.0\r\n{routes}Via: SIP/2.0/{via} {at};branch=z9hG4bK-{name}\r\n\
             Max-Forwards: 9\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 35 INVITE\r\n\
             Contact: <sip:user@{at}>\r\nContent-Length: 0\r\n\r\n"
        );
        ground.near.send(invite.as_bytes());
        let heard = ground.far.next().unwrap();
        // `bcast` names 255.255.255.255 behind our own Via: the answer goes where the request came from all the same.
        ground.far.send(&as_answer(&octets, &heard, name == "bcast"));
        let Some(wanted) = status_wanted else {
            ground.far.send(&answer(&heard, 486));
            let told = ground.past_trying(name, invite.as_bytes(), &[]);
            assert_eq!(status(&told), 486, "{name}: a 100 stays here: {}", text(&told));
            let ack = ground.far.next().unwrap();
            assert!(ack.starts_with(b"ACK "));
            continue;
        };
        let told = ground.past_trying(name, invite.as_bytes(), &[]);
        assert_eq!(status(&told), wanted, "{name}");
        let start = |octets: &[u8]| octets.split(|octet| *octet == b'\r').next().unwrap().to_vec();
        assert_eq!(start(&told), start(&octets), "{name}: its reason phrase is its own affair");
        assert_eq!(with(&told, |m| m.body().to_vec()), with(&octets, |m| m.body().to_vec()), "{name}");
    }
    assert_eq!(ground.node.metric("emcc_sip_send_failures_total", &[]), 0, "nothing went to 255.255.255.255");
}

#[test]
fn unreason_noreason_and_bcast_as_answers_over_udp() {
    responses_are_passed_on_or_dropped("answers-udp", UDP_V4);
}

#[test]
fn unreason_noreason_and_bcast_as_answers_over_tcp() {
    responses_are_passed_on_or_dropped("answers-tcp", TCP_V4);
}

#[test]
fn unreason_noreason_and_bcast_as_answers_over_tls() {
    responses_are_passed_on_or_dropped("answers-tls", TLS_V4);
}
