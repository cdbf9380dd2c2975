//! Connections that say nothing, and those that begin what they never end.
#![allow(clippy::disallowed_methods)] // a load generator reads the clock: that is what it is for

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::arguments::Siege;
use crate::system;

/// Pause between two looks at silent connections, nanoseconds.
const LOOK_NS: u64 = 100_000_000;
/// How long an answer, or room to write, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Opens the connections and keeps them until somebody says so.
///
/// # Errors
///
/// No descriptor or port is left. A node that does not let one in is counted.
pub fn idle(siege: &Siege) -> io::Result<String> {
    let began = Instant::now();
    let is_over = || system::is_stopped() || began.elapsed().as_secs() >= siege.limit_s;
    let mut open: Vec<Option<TcpStream>> = Vec::with_capacity(siege.connections as usize);
    let (mut opened, mut refused) = (0_u64, 0_u64);
    for connection in 0..siege.connections {
        if is_over() {
            break;
        }
        open.push(enter(siege, connection, &mut opened, &mut refused)?);
    }
    println!("open");
    io::stdout().flush()?;
    let (opening_ms, mut closed) = (began.elapsed().as_millis(), 0_u64);
    loop {
        let is_last = system::take_go() || is_over();
        let mut standing = 0;
        for (stream, connection) in open.iter_mut().zip(0..) {
            if stream.as_ref().is_some_and(is_standing) {
                standing += 1;
                continue;
            }
            if siege.again && !is_last {
                closed += u64::from(stream.take().is_some());
                *stream = enter(siege, connection, &mut opened, &mut refused)?;
            }
        }
        if is_last {
            return Ok(format!(
                "{{\"opened\":{opened},\"refused\":{refused},\"closed_meanwhile\":{closed},\"kept\":{},\
                 \"standing\":{standing},\"opening_ms\":{opening_ms}}}",
                open.iter().flatten().count()
            ));
        }
        system::wait(&[], LOOK_NS);
    }
}

fn enter(siege: &Siege, connection: u32, opened: &mut u64, refused: &mut u64) -> io::Result<Option<TcpStream>> {
    let mut connected = system::connect(siege.address_of(connection), siege.target);
    while matches!(&connected, Err(error) if error.kind() == ErrorKind::Interrupted) && !system::is_stopped() {
        // The signal that ends the wait is no answer of the node's.
        connected = system::connect(siege.address_of(connection), siege.target);
    }
    match connected {
        Ok(stream) => {
            stream.set_nonblocking(true)?;
            *opened += 1;
            Ok(Some(stream))
        }
        Err(error) if is_nodes_doing(&error) => {
            *refused += 1;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether the node, not this machine, let nobody in.
fn is_nodes_doing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// Whether the node has not closed its end.
fn is_standing(stream: &TcpStream) -> bool {
    matches!(stream.peek(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// What became of connections that promised.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    too_large: u64,
    otherwise: u64,
    nothing: u64,
    left_open: u64,
}

/// Connections that announce what they never send.
///
/// # Errors
///
/// No descriptor or port is left.
pub fn promise(siege: &Siege) -> io::Result<String> {
    let began = Instant::now();
    let (mut opened, mut refused, mut told, mut most) = (0, 0, Told::default(), 0);
    let mut open = VecDeque::new();
    for connection in 0..siege.connections {
        if system::is_stopped() || began.elapsed().as_secs() >= siege.limit_s {
            break;
        }
        if open.len() >= siege.at_once as usize {
            told.hear(open.pop_front());
        }
        let Some(mut stream) = enter(siege, connection, &mut opened, &mut refused)? else { continue };
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // The node may have refused it before all is written.
        let _ = stream.write_all(&begun(siege, connection));
        open.push_back(stream);
        most = most.max(open.len());
    }
    open.into_iter().for_each(|stream| told.hear(Some(stream)));
    Ok(format!(
        "{{\"opened\":{opened},\"refused\":{refused},\"at_once\":{most},\"answered_413\":{},\"answered_otherwise\":{},\
         \"closed_unanswered\":{},\"left_open\":{},\"elapsed_ms\":{}}}",
        told.too_large,
        told.otherwise,
        told.nothing,
        told.left_open,
        began.elapsed().as_millis()
    ))
}

impl Told {
    /// Reads a connection to its end.
    fn hear(&mut self, stream: Option<TcpStream>) {
        let Some(stream) = stream else { return };
        let mut answer = Vec::new();
        let end = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        if matches!(end, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)) {
            self.left_open += 1;
        } else if answer.starts_with(b"SIP/2.0 413 ") {
            self.too_large += 1;
        } else if answer.is_empty() {
            self.nothing += 1;
        } else {
            self.otherwise += 1;
        }
    }
}

/// The beginning of a message of that length.
fn begun(siege: &Siege, connection: u32) -> Vec<u8> {
    let (at, target) = (siege.address_of(connection), siege.target);
    let mut octets = format!(
        "INVITE sip:{connection}@{target} SIP/2.0\r\nVia: SIP/2.0/TCP {at}:5060;branch=z9hG4bK-p{connection}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@{at}>;tag=p{connection}\r\nTo: <sip:{connection}@{target}>\r\n\
         Call-ID: p{connection}@{at}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{at};transport=tcp>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n",
        siege.length
    )
    .into_bytes();
    octets.resize(octets.len() + siege.body, b'x');
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn siege(line: &str) -> Siege {
        Siege::read(line.split_whitespace().map(str::to_owned)).unwrap()
    }

    /// A listener whose answer to each connection is that text, and then its end.
    fn node(says: &'static str, connections: usize) -> (std::net::SocketAddr, std::thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.7.90:0").unwrap();
        let at = listener.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let mut first = Vec::new();
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                let mut octets = [0; 65_536];
                let length = stream.read(&mut octets).unwrap();
                if first.is_empty() {
                    first = octets[..length].to_vec();
                }
                stream.write_all(says.as_bytes()).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                while matches!(stream.read(&mut octets), Ok(1..)) {}
            }
            first
        });
        (at, serving)
    }

    #[test]
    fn a_promise_is_a_whole_head_some_of_its_body_and_what_is_said_to_it() {
        for (says, counted) in [
            ("SIP/2.0 413 Too Large\r\n\r\n", "\"answered_413\":3,\"answered_otherwise\":0,\"closed_unanswered\":0"),
            ("SIP/2.0 400 Bad\r\n\r\n", "\"answered_413\":0,\"answered_otherwise\":3,\"closed_unanswered\":0"),
            ("", "\"answered_413\":0,\"answered_otherwise\":0,\"closed_unanswered\":3"),
        ] {
            let (at, serving) = node(says, 3);
            let siege =
                siege(&format!("promise --target {at} --from 127.0.7.91 --connections 3 --at-once 2 --body 100"));
            let report = promise(&siege).unwrap();
            assert!(report.contains(counted), "{report}");
            assert!(report.contains("\"opened\":3,\"refused\":0,\"at_once\":2"), "{report}");
            let sent = String::from_utf8(serving.join().unwrap()).unwrap();
            let (head, body) = sent.split_once("\r\n\r\n").unwrap();
            assert!(head.ends_with("Content-Length: 200000000") && body == "x".repeat(100), "{sent}");
        }
    }

    #[test]
    fn a_connection_stands_until_the_other_end_closes() {
        let listener = TcpListener::bind("127.0.7.90:0").unwrap();
        let at = listener.local_addr().unwrap();
        let siege = siege(&format!("idle --target {at} --from 127.0.7.91 --connections 1"));
        let (mut opened, mut refused) = (0, 0);
        let stream = enter(&siege, 0, &mut opened, &mut refused).unwrap().unwrap();
        let (other, from) = listener.accept().unwrap();
        assert_eq!((from.ip().to_string().as_str(), opened, refused), ("127.0.7.91", 1, 0));
        assert!(is_standing(&stream));
        drop((other, listener));
        std::iter::repeat_with(|| is_standing(&stream)).take(1_000_000).find(|stands| !stands).unwrap();
        assert!(enter(&siege, 0, &mut opened, &mut refused).unwrap().is_none());
        assert_eq!((opened, refused), (1, 1), "nobody listens: the node's doing");
    }
}
