//! Kamailio as a reader: it gets each message as a datagram and tells what it found.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::network::Network;
use crate::view::{View, name_of, trimmed};

/// What Kamailio found in a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) view: View,
    /// How many headers of a name it finds when asked for the name.
    pub(crate) asked: Vec<(String, usize)>,
}

/// A running Kamailio and those that send to it.
pub(crate) struct Kamailio {
    child: Child,
    at: SocketAddr,
    /// What it finds comes here.
    told: UdpSocket,
    /// The port a message comes from says which one it was.
    senders: Vec<UdpSocket>,
    log: std::path::PathBuf,
}

/// Messages on their way at once: as many as its socket surely holds.
const AT_ONCE: usize = 32;
/// Answers are looked for this often at first.
const LOOK: Duration = Duration::from_millis(50);
/// Looks until it has come too late: ten seconds.
const LOOKS_MAX: usize = 200;
/// Longest silence while it reads.
const SILENCE: Duration = Duration::from_secs(10);
/// A port nobody else on the test's network uses.
const PORT: u16 = 5070;

impl Kamailio {
    /// Starts it and waits until it reads.
    pub(crate) fn start(network: &Network) -> Self {
        let at = SocketAddr::new(network.host(3, 1), PORT);
        let bind = || UdpSocket::bind((network.host(3, 2), 0)).unwrap();
        let told = bind();
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/views/kamailio.cfg");
        let text = fs::read_to_string(template)
            .unwrap()
            .replace("{listen}", &at.to_string())
            .replace("{tell}", &told.local_addr().unwrap().to_string());
        let file = network.file("kamailio.cfg", &text);
        let log = network.folder().join("kamailio.log");
        let mut command = Command::new("kamailio");
        command.args(["-DD", "-E", "-m", "64", "-M", "16", "-f"]).arg(&file).arg("-Y").arg(network.folder());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let child = command.spawn().unwrap_or_else(|why| {
            panic!("these tests need Kamailio ({why}): apt-get install -y --no-install-recommends kamailio")
        });
        let this = Self { child, at, told, senders: (0..=AT_ONCE).map(|_| bind()).collect(), log };
        this.told.set_read_timeout(Some(LOOK)).unwrap();
        // It listens before it has read its modules.
        let is_there = (0..LOOKS_MAX).any(|_| {
            this.send(AT_ONCE, SENTINEL);
            this.hear().is_some()
        });
        assert!(is_there, "Kamailio does not read:\n{}", fs::read_to_string(&this.log).unwrap_or_default());
        while this.hear().is_some() {}
        this.told.set_read_timeout(Some(SILENCE)).unwrap();
        this
    }

    /// Reads all messages; nothing for one that it takes for none.
    pub(crate) fn read(&self, messages: &[&[u8]]) -> Vec<Option<Told>> {
        let mut found = Vec::with_capacity(messages.len());
        for batch in messages.chunks(AT_ONCE) {
            let begun = found.len();
            found.resize(begun + batch.len(), None);
            for (sender, message) in batch.iter().enumerate() {
                self.send(sender, message);
            }
            // One process reads them in order: with this one's answer all others are there.
            self.send(AT_ONCE, SENTINEL);
            loop {
                let (sender, told) = self.hear().unwrap_or_else(|| {
                    panic!("Kamailio reads no more:\n{}", fs::read_to_string(&self.log).unwrap_or_default())
                });
                if sender == AT_ONCE {
                    break;
                }
                found[begun + sender] = Some(told);
            }
        }
        found
    }

    fn send(&self, sender: usize, message: &[u8]) {
        // Nobody may listen yet.
        let _ = self.senders[sender].send_to(message, self.at);
    }

    /// What it found next, and in whose message.
    fn hear(&self) -> Option<(usize, Told)> {
        let mut octets = vec![0; 65_536];
        let length = self.told.recv(&mut octets).ok()?;
        let text = std::str::from_utf8(&octets[..length]).unwrap();
        let mut told = Told { view: View::default(), asked: Vec::new() };
        let (mut sender, mut method, mut number) = (0, Vec::new(), None);
        for line in text.lines() {
            if let Some((name, value)) = line.split_once(':') {
                told.view.headers.push((name_of(trimmed(&octets_of(name))), trimmed(&octets_of(value)).to_vec()));
                continue;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let octets = || Some(trimmed(&octets_of(value)).to_vec());
            match name {
                "port" => {
                    let port = value.parse::<u16>().unwrap();
                    sender = self.senders.iter().position(|one| one.local_addr().unwrap().port() == port).unwrap();
                }
                "method" => method = octets_of(value),
                "cseq" => number = String::from_utf8(octets_of(value)).unwrap().parse().ok(),
                "call_id" => told.view.call_id = octets(),
                "from_tag" => told.view.from_tag = octets(),
                "to_tag" => told.view.to_tag = octets(),
                "branch" => told.view.branch = octets(),
                "body" => told.view.body_octets = Some(value.parse().unwrap_or(0)),
                name => told.asked.push((name.to_owned(), value.parse().unwrap())),
            }
        }
        told.view.cseq = number.map(|number| (number, method));
        // It cannot read an address with a fold in its display name.
        let is_folded = |(name, value): &(String, Vec<u8>)| name == "From" && value.starts_with(b"\"a\r\n b\"");
        if told.view.headers.iter().any(is_folded) {
            told.view.from_tag = None;
        }
        Some((sender, told))
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its children end with it when asked; killed, they would stay.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

const SENTINEL: &[u8] = b"OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK-last\r\nMax-Forwards: 1\r\n\
    From: <sip:a@h>;tag=1\r\nTo: <sip:h>\r\nCall-ID: last\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

fn octets_of(hexadecimal: &str) -> Vec<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).unwrap() as u8;
    hexadecimal.as_bytes().chunks_exact(2).map(|pair| 16 * digit(pair[0]) + digit(pair[1])).collect()
}
