//! Where a message of a stream ends is never in doubt: what two parsers could read differently is told so, and closes.

use std::net::IpAddr;

use crate::ground::{Ground, text};
use crate::line::{Halves, Line, TCP_V4, TCP_V6, TLS_V4, TLS_V6};

/// One cut in so many is asked of the kernel, which takes its time.
const SAMPLE: usize = 101;
/// Pings until all that came before them has been read; more is a node that does not read.
const PINGS_MAX: usize = 1_000;

/// Every line that is a stream.
const LINES: [Line; 4] = [TCP_V4, TCP_V6, TLS_V4, TLS_V6];

/// What a stream is answered: statuses in order, `pong`s between them, and whether the node closed.
fn answers(mut stream: Box<dyn Halves>) -> Vec<String> {
    stream.end();
    let mut heard = Vec::new();
    // Closed by a reset, should the node not read to the end, is an end too; what came before counts.
    let _ = stream.read_to_end(&mut heard);
    let mut found = Vec::new();
    let mut rest = text(&heard);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\r\n") {
            found.push("pong".to_owned());
            rest = after.to_owned();
            continue;
        }
        let (head, after) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {rest}"));
        found.push(head.split(' ').nth(1).unwrap().to_owned());
        rest = after.to_owned();
    }
    found
}

fn options(ground: &mut Ground, length: &str, body: &str) -> String {
    text(&ground.options()).replace("Content-Length: 0\r\n", length).trim_end().to_owned() + "\r\n\r\n" + body
}

/// A stream on a connection of its own.
fn played(ground: &Ground, octets: &[u8]) -> Vec<String> {
    let mut stream = ground.connect();
    // The node may stop the sender before all is written.
    let _ = stream.write_all(octets);
    answers(stream)
}

fn framings(test: &str, line: Line) {
    let mut ground = Ground::of_call_control(test, line);
    let plain = |ground: &mut Ground| options(ground, "Content-Length: 0\r\n", "");
    let hidden = plain(&mut ground);
    let of = |length: usize| format!("Content-Length: {length}\r\n");
    let header = |octets: usize| format!("X-Long: {}\r\nContent-Length: 0\r\n", "y".repeat(octets));
    let two = plain(&mut ground) + &plain(&mut ground);
    let pings = format!("\r\n\r\n\r\n\r\n{}", plain(&mut ground));
    let rows: Vec<(&str, String, &[&str])> = vec![
        ("two requests in one segment", two, &["200", "200"]),
        (
            "a length shorter than a body that looks like a request",
            options(&mut ground, "Content-Type: message/sip\r\nContent-Length: 0\r\n", "") + &hidden,
            &["200", "200"],
        ),
        ("a length that covers a whole request", options(&mut ground, &of(hidden.len()), &hidden), &["200"]),
        ("lengths 0 and 500", options(&mut ground, "Content-Length: 0\r\nContent-Length: 500\r\n", &hidden), &["400"]),
        ("lengths 500 and, compact, 0", options(&mut ground, "Content-Length: 500\r\nl: 0\r\n", &hidden), &["400"]),
        ("length -1", options(&mut ground, "Content-Length: -1\r\n", &hidden), &["400"]),
        ("length +0", options(&mut ground, "Content-Length: +0\r\n", &hidden), &["400"]),
        ("length 0x0", options(&mut ground, "Content-Length: 0x0\r\n", &hidden), &["400"]),
        ("a folded length", options(&mut ground, "Content-Length:\r\n 0\r\n", &hidden), &["200", "200"]),
        ("no length", options(&mut ground, "", &hidden), &["400"]),
        ("length 2^32", options(&mut ground, "Content-Length: 4294967296\r\n", &hidden), &["413"]),
        ("length 2^64", options(&mut ground, "Content-Length: 18446744073709551616\r\n", &hidden), &["413"]),
        ("length 4000000000", options(&mut ground, "Content-Length: 4000000000\r\n", &hidden), &["413"]),
        ("length \"0 500\"", options(&mut ground, "Content-Length: 0 500\r\n", &hidden), &["400"]),
        ("lines that end in LF", plain(&mut ground).replace("\r\n", "\n") + &hidden, &["400"]),
        ("two pings and a request", pings, &["pong", "pong", "200"]),
        ("a header of 70 kB", options(&mut ground, &header(70_000), &hidden), &["513"]),
        ("a header of 300 kB", options(&mut ground, &header(300_000), &hidden), &["513"]),
    ];
    for (name, octets, want) in rows {
        assert_eq!(played(&ground, octets.as_bytes()), want, "{name}");
    }
    assert_eq!(ground.node.metric("emcc_sip_trailing_octets_total", &[]), 1, "the body that was cut short is counted");
}

fn unfinished(test: &str, line: Line) {
    let mut ground = Ground::of_call_control(test, line);
    let body = options(&mut ground, "Content-Length: 10\r\n", "abc");
    assert_eq!(played(&ground, body.as_bytes()), ["400"]);
    let head = text(&ground.options());
    assert_eq!(played(&ground, head.trim_end().as_bytes()), ["400"]);
    assert_eq!(played(&ground, &head.as_bytes()[..30]), Vec::<String>::new(), "no Via: nobody to tell");
}

fn cuts(test: &str, line: Line) {
    let mut ground = Ground::of_call_control(test, line);
    let first = options(&mut ground, "Content-Length: 5\r\n", "ab\r\nc");
    let second = options(&mut ground, "l :\r\n 0\r\n", "");
    let bad = options(&mut ground, "Content-Length: 1x\r\n", "");
    let stream = format!("{first}\r\n\r\n{second}{bad}{first}");
    let want = played(&ground, stream.as_bytes());
    assert_eq!(want, ["200", "pong", "200", "400"]);
    let mut other = ground.connect();
    for cut in 1..stream.len() {
        let (head, tail) = stream.as_bytes().split_at(cut);
        let mut connection = ground.connect();
        connection.write_all(head).unwrap();
        // Pings of another connection, answered (RFC 5626 section 4.4.1): the one worker has taken the connection, and read
        // what came before.
        ping(&mut *other);
        ping(&mut *other);
        if cut % SAMPLE == 1 {
            let pings = (0..PINGS_MAX).find(|_| unread(&ground) == 0 || ping(&mut *other));
            assert!(pings.is_some(), "cut at {cut}: {} octets are still unread", unread(&ground));
        }
        let _ = connection.write_all(tail);
        assert_eq!(answers(connection), want, "cut at {cut}");
    }
}

/// A ping and its pong. Gives back `false`: it proves nothing by itself.
fn ping(stream: &mut dyn Halves) -> bool {
    let mut pong = [0; 2];
    stream.write_all(b"\r\n\r\n").unwrap();
    stream.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"\r\n");
    false
}

/// Octets, and connections not yet taken, that wait in the kernel at the node's address.
fn unread(ground: &Ground) -> u64 {
    let (table, octets) = match ground.sip.ip() {
        IpAddr::V4(ip) => ("tcp", ip.octets().to_vec()),
        IpAddr::V6(ip) => ("tcp6", ip.octets().to_vec()),
    };
    // As /proc/net writes it: words of four octets in the host's order.
    let words = octets.chunks(4).map(|word| format!("{:08X}", u32::from_ne_bytes(word.try_into().unwrap())));
    let local = format!("{}:{:04X}", words.collect::<String>(), ground.sip.port());
    let rows = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap();
    let queues = rows.lines().filter_map(|row| {
        let mut columns = row.split_whitespace().skip(1);
        let (at, _remote, _state, queues) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        (at == local).then(|| u64::from_str_radix(queues.split_once(':').unwrap().1, 16).unwrap())
    });
    let waiting: Vec<u64> = queues.collect();
    assert!(waiting.len() > 2, "the kernel lists the node's sockets: {rows}");
    waiting.iter().sum()
}

fn lengths(test: &str, line: Line) {
    let mut ground = Ground::of_call_control(test, line);
    let promise = options(&mut ground, "Content-Length: 200000000\r\n", "");
    // Within what a message may have, and not sent: as many as one address may open.
    let waits = options(&mut ground, "Content-Length: 250000\r\n", "x");
    let before_kb = ground.resident_kb();
    for _ in 0..500 {
        assert_eq!(played(&ground, promise.as_bytes()), ["413"]);
    }
    let open: Vec<Box<dyn Halves>> = (0..60)
        .map(|_| {
            let mut stream = ground.connect();
            stream.write_all(waits.as_bytes()).unwrap();
            stream
        })
        .collect();
    // One more is still served, so all before it have been read.
    let one_more = ground.options();
    assert_eq!(played(&ground, &one_more), ["200"]);
    let grown_kb = ground.resident_kb().saturating_sub(before_kb);
    assert!(grown_kb < 16_384, "{grown_kb} kB for {} promises of 200 MB and {} of 250 kB", 500, open.len());
}

#[test]
fn every_framing_of_rfc_3261_18_3_has_one_meaning_or_none() {
    for (line, test) in LINES.into_iter().zip(["framing-tcp-v4", "framing-tcp-v6", "framing-tls-v4", "framing-tls-v6"])
    {
        framings(test, line);
    }
}

#[test]
fn a_message_that_never_ends_is_told_so() {
    for (line, test) in
        LINES.into_iter().zip(["unfinished-tcp-v4", "unfinished-tcp-v6", "unfinished-tls-v4", "unfinished-tls-v6"])
    {
        unfinished(test, line);
    }
}

#[test]
fn a_stream_cut_anywhere_gives_the_same_answers() {
    for (line, test) in LINES.into_iter().zip(["cuts-tcp-v4", "cuts-tcp-v6", "cuts-tls-v4", "cuts-tls-v6"]) {
        cuts(test, line);
    }
}

#[test]
fn lengths_nobody_will_wait_for_cost_no_memory() {
    for (line, test) in LINES.into_iter().zip(["lengths-tcp-v4", "lengths-tcp-v6", "lengths-tls-v4", "lengths-tls-v6"])
    {
        lengths(test, line);
    }
}
