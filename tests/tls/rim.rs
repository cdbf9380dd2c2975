//! A rim with a TLS listener over real loopback sockets, driven by a stand-in, and clients and servers around it that
//! know nothing of this program but its messages.
#![allow(dead_code)] // every test file uses its part

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emcc_trunk::certificates::{Certificates, Files, Material};
use emcc_trunk::engine::effects::{Effects, Input, Now, StreamEnd, TransactionKey};
use emcc_trunk::io::{Clock, Driver, Node, PROC, Setup, StreamLimits};
use emcc_trunk::metrics::Exporter;
use emcc_trunk::neighbour::{Address, CertificateName, Flow, Transport};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConnection, StreamOwned};

use crate::ends::{client, server};
use crate::pki::{self, Authority, Pair};

/// Longest wait for anything; a test that reaches it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The name of the neighbour at 127.0.0.1, and at 127.0.0.2 none but its address.
pub(crate) const NEIGHBOUR: &str = "br.example.com";
/// The node's own.
pub(crate) const NODE: &str = "hq.example.com";

/// What the engine hears of a message that was to go out over a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It never left.
    Failed(u128),
    /// It was written, and the stream ended before an answer.
    Ended(u128),
}

/// Echoes what comes in; tells what fails.
pub(crate) struct Echo {
    heard: Mutex<Sender<Heard>>,
    names: HashMap<IpAddr, CertificateName>,
}

impl Driver for Echo {
    type Worker = Effects;

    fn worker(&self, _stream: u64) -> Effects {
        Effects::default()
    }

    fn handle(&self, effects: &mut Effects, _: Now, input: Input<'_>) {
        match input {
            Input::Message { flow, bytes } => match told(bytes) {
                // The datagram names the address a message is to go to.
                Some(remote) => {
                    let flow = Flow { transport: Transport::Tls, listener: 0, remote, connection: 0 };
                    effects.send_copy(flow, message(7).as_bytes(), Some(TransactionKey(7)));
                }
                None => effects.send_copy(flow, bytes, None),
            },
            Input::StreamEnded { transaction, end: StreamEnd::Ours | StreamEnd::Theirs } => {
                self.tell(Heard::Ended(transaction.0))
            }
            Input::Failed(key) | Input::StreamEnded { transaction: key, end: StreamEnd::Unwritten } => {
                self.tell(Heard::Failed(key.0));
            }
            Input::Due(_) | Input::Beat => {}
        }
    }

    fn effects(effects: &mut Effects) -> &mut Effects {
        effects
    }

    fn certificate_name(&self, remote: SocketAddr) -> Option<CertificateName> {
        self.names.get(&remote.ip()).cloned()
    }

    fn is_neighbour(&self, _: Transport, remote: SocketAddr) -> bool {
        self.names.contains_key(&remote.ip())
    }
}

impl Echo {
    fn tell(&self, heard: Heard) {
        let _ = self.heard.lock().unwrap().send(heard);
    }
}

fn told(bytes: &[u8]) -> Option<SocketAddr> {
    std::str::from_utf8(bytes).ok()?.strip_prefix("send ")?.parse().ok()
}

/// A SIP message that frames.
pub(crate) fn message(number: u32) -> String {
    format!(
        "MESSAGE sip:1@hq SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK{number}\r\nContent-Length: 2\r\n\r\nhi"
    )
}

/// The node and who certifies it.
pub(crate) struct Rim {
    pub(crate) node: Node,
    pub(crate) certificates: Arc<Certificates>,
    pub(crate) authority: Authority,
    pub(crate) folder: PathBuf,
    exporter: Exporter,
    heard: Receiver<Heard>,
}

impl Rim {
    pub(crate) fn new(test: &str, workers: usize) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tls").join(test);
        let authority = Authority::new("root of the neighbours");
        let certificates =
            Arc::new(Certificates::new(Material::load(&files(&folder, &authority.sign(&[NODE]), &authority)).unwrap()));
        let (sender, heard) = channel();
        let names = [("127.0.0.1", NEIGHBOUR), ("127.0.0.2", "127.0.0.2")]
            .map(|(ip, name)| (ip.parse().unwrap(), CertificateName::parse(name).unwrap()));
        let driver = Echo { heard: Mutex::new(sender), names: names.into() };
        let (exporter, counters) = Exporter::new();
        let listen = [Transport::Tls, Transport::Udp]
            .map(|transport| Address { transport, socket: "127.0.0.1:0".parse().unwrap() });
        let node = Node::start(Setup {
            listen: listen.to_vec(),
            workers,
            driver: Arc::new(driver),
            clock: Clock::start(),
            counters,
            certificates: Some(Arc::clone(&certificates)),
            seed: 7,
            streams: StreamLimits::default(),
            proc: PROC.into(),
        });
        Self { node: node.unwrap(), certificates, authority, folder, exporter, heard }
    }

    pub(crate) fn at(&self) -> SocketAddr {
        self.node.local()[0].socket
    }

    /// A plain stream to the TLS port.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.at()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A neighbour's connection that shows `pair`, or nothing.
    pub(crate) fn dial(&self, pair: Option<&Pair>) -> StreamOwned<ClientConnection, TcpStream> {
        dial(self.connect(), client(&self.authority, pair))
    }

    /// Has the node send a message to `remote`.
    pub(crate) fn send_to(&self, remote: SocketAddr) {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(format!("send {remote}").as_bytes(), self.node.local()[1].socket).unwrap();
    }

    /// What is heard next of a message that was to go out.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Holds the count of an event to a number that it may still be on its way to: a connection is closed first.
    pub(crate) fn counts(&self, event: &str, want: u64) {
        let begun = std::time::Instant::now();
        while self.counted(event) < want && begun.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!(self.counted(event), want, "{event}");
    }

    pub(crate) fn counted(&self, event: &str) -> u64 {
        let series = format!("emcc_stream_events_total{{event=\"{event}\"}}");
        let text = self.exporter.render(&[]);
        let line = text.lines().find(|line| line.starts_with(&series)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}

pub(crate) fn files(folder: &std::path::Path, pair: &Pair, authority: &Authority) -> Files {
    let [certificate, key, trust] = pki::write(folder, "node", pair, &authority.pem);
    Files { certificate, key, trust }
}

pub(crate) fn dial(stream: TcpStream, config: Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from(NODE).unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// A neighbour that listens, shows `pair` and asks for a certificate: the next connection, shaken hands with.
pub(crate) fn answer(
    listener: &TcpListener,
    authority: &Authority,
    pair: &Pair,
) -> StreamOwned<ServerConnection, TcpStream> {
    let stream = listener.accept().unwrap().0;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ServerConnection::new(server(authority, pair)).unwrap(), stream)
}

/// Reads as many octets as `want` has, and compares.
pub(crate) fn reads(stream: &mut impl Read, want: &str) {
    let mut buffer = vec![0; want.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer).unwrap(), want);
}

/// Whether a message comes back.
pub(crate) fn echoes(stream: &mut (impl Read + Write), number: u32) -> bool {
    let text = message(number);
    let mut buffer = vec![0; text.len()];
    stream.write_all(text.as_bytes()).is_ok() && stream.read_exact(&mut buffer).is_ok() && buffer == text.as_bytes()
}
