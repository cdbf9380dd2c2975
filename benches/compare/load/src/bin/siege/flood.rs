//! INVITE, OPTIONS and REGISTER over UDP, so many a second, from many addresses or from one.
#![allow(clippy::disallowed_methods)] // a load generator reads the clock: that is what it is for

use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::Instant;

use crate::arguments::Siege;
use crate::read::Received;
use crate::system;

/// Port requests come from.
const PORT: u16 = 5060;
/// Requests sent in one go at most, after which answers are looked for.
const BURST: u64 = 64;
/// Pause while nothing is due, nanoseconds.
const PAUSE_NS: u64 = 2_000_000;
/// Sockets looked at for answers in one go.
const LOOKED_AT: usize = 8;
/// Answers taken of one socket in one go.
const TAKEN_MAX: usize = 256;
/// Methods, by turns.
const METHODS: [&str; 3] = ["INVITE", "OPTIONS", "REGISTER"];
/// Makes a request as long as a call's with its description: octets of a header nobody reads.
const PADDING: usize = 700;

/// What was answered.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answers {
    statuses: Vec<(u16, u64)>,
    acknowledged: u64,
}

/// Sends for as long as was asked.
///
/// # Errors
///
/// An address that cannot be had.
pub fn flood(siege: &Siege) -> io::Result<String> {
    let sockets: Vec<UdpSocket> = (0..siege.addresses)
        .map(|number| {
            let socket = UdpSocket::bind((siege.address(number), PORT))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        })
        .collect::<io::Result<_>>()?;
    let padding = "x".repeat(PADDING);
    let mark = std::process::id();
    let (began, mut text, mut answers) = (Instant::now(), String::new(), Answers::default());
    let (mut number, mut not_sent, mut looked) = (0_u64, 0_u64, 0);
    let all = u64::from(siege.rate) * siege.seconds;
    let limit_s = siege.limit_s.min(siege.seconds * 2);
    while number < all && !system::is_stopped() && began.elapsed().as_secs() < limit_s {
        let due = (began.elapsed().as_secs_f64() * f64::from(siege.rate)) as u64;
        let burst = due.min(all).saturating_sub(number).min(BURST);
        for _ in 0..burst {
            let from = (number % u64::from(siege.addresses)) as u32;
            text.clear();
            request(&mut text, siege.address(from), siege.target, mark, number, &padding);
            // A full buffer is a lost datagram.
            not_sent += u64::from(sockets[from as usize].send_to(text.as_bytes(), siege.target).is_err());
            number += 1;
        }
        for _ in 0..LOOKED_AT.min(sockets.len()) {
            looked = (looked + 1) % sockets.len();
            answers.take(&sockets[looked], siege, &mut text)?;
        }
        if burst == 0 {
            system::wait(&[], PAUSE_NS);
        }
    }
    let elapsed = began.elapsed();
    for socket in &sockets {
        answers.take(socket, siege, &mut text)?;
    }
    let statuses: Vec<String> = answers.statuses.iter().map(|(status, count)| format!("[{status},{count}]")).collect();
    Ok(format!(
        "{{\"sent\":{number},\"not_sent\":{not_sent},\"sent_per_s\":{:.0},\"answers\":{},\"acknowledged\":{},\
         \"elapsed_ms\":{},\"flood_cpu_us\":{},\"statuses\":[{}]}}",
        number as f64 / elapsed.as_secs_f64(),
        answers.statuses.iter().map(|(_, count)| count).sum::<u64>(),
        answers.acknowledged,
        elapsed.as_millis(),
        system::cpu_us(),
        statuses.join(",")
    ))
}

fn request(out: &mut String, at: Ipv4Addr, target: SocketAddrV4, mark: u32, number: u64, padding: &str) {
    let method = METHODS[(number % METHODS.len() as u64) as usize];
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "{method} sip:{number}@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {at}:{PORT};branch=z9hG4bK-f{mark}-{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{number}@{at}>;tag=f{number}\r\nTo: <sip:{number}@{target}>\r\n\
         Call-ID: {number}-{mark}@{at}\r\nCSeq: 1 {method}\r\nContact: <sip:{number}@{at}:{PORT}>\r\n\
         Subject: {padding}\r\nContent-Length: 0\r\n\r\n"
    );
}

impl Answers {
    /// Counts what a socket has; what refuses an INVITE gets its ACK where that was asked for.
    fn take(&mut self, socket: &UdpSocket, siege: &Siege, text: &mut String) -> io::Result<()> {
        let mut datagram = [0; 2_048];
        for _ in 0..TAKEN_MAX {
            let Ok((length, _)) = socket.recv_from(&mut datagram) else { break };
            let Some(answer) = Received::read(&datagram[..length]) else { continue };
            let Some(status) = answer.status() else { continue };
            match self.statuses.iter_mut().find(|(known, _)| *known == status) {
                Some((_, count)) => *count += 1,
                None => self.statuses.push((status, 1)),
            }
            if siege.acknowledge && status >= 300 && answer.method() == b"INVITE" {
                text.clear();
                acknowledge(text, &answer, siege.target);
                self.acknowledged += u64::from(socket.send_to(text.as_bytes(), siege.target).is_ok());
            }
        }
        Ok(())
    }
}

/// The ACK of a refusal has its top Via, From, To and Call-ID (RFC 3261 section 17.1.1.3).
fn acknowledge(out: &mut String, refusal: &Received<'_>, target: SocketAddrV4) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let via = refusal.vias.as_slice().first().map(|via| text(via)).unwrap_or_default();
    let number = text(refusal.call_id);
    let number = number.split('-').next().unwrap_or_default();
    let _ = write!(
        out,
        "ACK sip:{number}@{target} SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
        text(refusal.from),
        text(refusal.to),
        text(refusal.call_id)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn siege(line: &str) -> Siege {
        Siege::read(line.split_whitespace().map(str::to_owned)).unwrap()
    }

    #[test]
    fn methods_and_addresses_take_turns_at_the_rate_asked_for() {
        let node = UdpSocket::bind("127.0.7.93:0").unwrap();
        node.set_nonblocking(true).unwrap();
        let at = node.local_addr().unwrap();
        let line = format!("flood --target {at} --from 127.0.7.94 --addresses 2 --rate 60 --seconds 1");
        let report = flood(&siege(&line)).unwrap();
        assert!(report.starts_with("{\"sent\":60,\"not_sent\":0,\"sent_per_s\":6"), "{report}");
        let (mut octets, mut seen) = ([0; 2_048], Vec::new());
        while let Ok((length, from)) = node.recv_from(&mut octets) {
            let request = Received::read(&octets[..length]).unwrap();
            assert!((900..1_200).contains(&length), "{length} octets");
            seen.push((from.ip().to_string(), String::from_utf8(request.method().to_vec()).unwrap()));
        }
        assert_eq!(seen.len(), 60);
        for (number, (from, method)) in seen.iter().enumerate() {
            assert_eq!(
                (from.as_str(), method.as_str()),
                (["127.0.7.94", "127.0.7.95"][number % 2], METHODS[number % 3])
            );
        }
    }

    #[test]
    fn a_refused_invite_is_acknowledged_and_other_answers_are_counted() {
        let node = UdpSocket::bind("127.0.7.93:0").unwrap();
        let from = UdpSocket::bind("127.0.7.96:0").unwrap();
        from.set_nonblocking(true).unwrap();
        let siege = siege(&format!("flood --target {} --from 127.0.7.96 --acknowledge", node.local_addr().unwrap()));
        let mut text = String::new();
        for number in 0..2 {
            text.clear();
            request(&mut text, [127, 0, 7, 96].into(), siege.target, 7, number, "");
            let head = text.split_once("\r\n").unwrap().1.replace("To: <sip:0@", "To: <sip:0@b>;tag=9;x=<");
            node.send_to(format!("SIP/2.0 500 No\r\n{head}").as_bytes(), from.local_addr().unwrap()).unwrap();
        }
        let mut answers = Answers::default();
        answers.take(&from, &siege, &mut text).unwrap();
        assert_eq!(answers, Answers { statuses: vec![(500, 2)], acknowledged: 1 });
        let mut octets = [0; 2_048];
        let (length, _) = node.recv_from(&mut octets).unwrap();
        let ack = String::from_utf8(octets[..length].to_vec()).unwrap();
        assert!(ack.starts_with("ACK sip:0@") && ack.contains("branch=z9hG4bK-f7-0\r\n"), "{ack}");
        assert!(ack.contains("tag=9") && ack.contains("Call-ID: 0-7@127.0.7.96\r\nCSeq: 1 ACK\r\n"), "{ack}");
    }
}
