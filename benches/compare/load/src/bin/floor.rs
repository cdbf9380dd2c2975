//! The floor of every comparison: a program that forwards datagrams unread. What comes from the called side goes to the
//! caller, anything else goes to the called side; that is all any SIP node on this path has to do at the very least.
//!
//! `floor LISTEN CALLER CALLED`, each an address of 127.0.0.0/8 with a port. Runs until it is killed.

use std::net::{SocketAddr, UdpSocket};
use std::process::ExitCode;

/// Longest datagram forwarded, octets.
const DATAGRAM_BYTES_MAX: usize = 4_096;

fn main() -> ExitCode {
    let addresses: Vec<SocketAddr> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let [listen, caller, called] = addresses[..] else {
        eprintln!("usage: floor LISTEN CALLER CALLED");
        return ExitCode::from(2);
    };
    if addresses.iter().any(|address| !address.ip().is_loopback()) {
        eprintln!("floor: loopback addresses only");
        return ExitCode::from(2);
    }
    match forward(listen, caller, called) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("floor: {listen}: {error}");
            ExitCode::from(3)
        }
    }
}

fn forward(listen: SocketAddr, caller: SocketAddr, called: SocketAddr) -> std::io::Result<std::convert::Infallible> {
    let socket = UdpSocket::bind(listen)?;
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    loop {
        // A closed port of one side shows as an error of the next call; the other side goes on.
        let Ok((length, from)) = socket.recv_from(&mut datagram) else { continue };
        let to = if from == called { caller } else { called };
        let _ = socket.send_to(&datagram[..length], to);
    }
}
