//! One running node with two neighbours on one line: call control, which says what the test wants, and a gateway, which
//! hears what is passed on.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::{Index, Message, Name, scan};

use crate::line::{Datagrams, Far, Line, Stream, Wire, connect};
use crate::network::Network;
use crate::node::Node;

/// Ports besides 5060 that Vias of the torture messages name.
const VIA_PORTS: [u16; 4] = [5050, 5070, 6050, 19823];

pub(crate) struct Ground {
    pub(crate) node: Node,
    pub(crate) line: Line,
    /// Where the node listens.
    pub(crate) sip: SocketAddr,
    /// Call control's address.
    pub(crate) near_at: SocketAddr,
    /// The gateway's address.
    pub(crate) far_at: SocketAddr,
    pub(crate) near: Box<dyn Wire>,
    pub(crate) far: Far,
    serial: u32,
    _network: Network,
    _v6: Option<MutexGuard<'static, ()>>,
}

/// There is one IPv6 loopback address, and its ports are the tests' by turns.
static V6: Mutex<()> = Mutex::new(());

impl Ground {
    pub(crate) fn new(test: &str, line: Line) -> Self {
        let turn = line.is_v6.then(|| V6.lock().unwrap_or_else(PoisonError::into_inner));
        let network = Network::claim(test);
        let [sip, near_at, far_at] = if line.is_v6 {
            // One address for all three: the port tells them apart.
            [5062, 5060, 5064].map(|port| SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)))
        } else {
            [1, 10, 20].map(|host| network.sip(1, host))
        };
        let name = line.transport.uri_name();
        let mut text = format!(
            "[cluster]\nid = \"W\"\nversion = \"12.0\"\nsecurity_mode = \"mixed\"\n\n\
             [sip]\nlisten = [\"{name}:{sip}\"]\nworkers = 1\nsession_expires_s = 0\nhealth_s = 0\n\n[admin]\nlisten = \"{}:9411\"\n",
            network.host(1, 1)
        );
        for (peer, kind, at) in [("cc", "call-control", near_at), ("gw", "gateway", far_at)] {
            let _ = write!(
                text,
                "\n[[peer]]\nname = \"{peer}\"\nkind = \"{kind}\"\naddresses = [\"{name}:{at}\"]\n{METHODS}"
            );
        }
        let far = Far::open(line, far_at, sip);
        let node = Node::start(&network, "node.toml", &text);
        let near = near(line, near_at, sip);
        Self { node, line, sip, near_at, far_at, near, far, serial: 0, _network: network, _v6: turn }
    }

    /// Speaks from a new connection where there are connections.
    pub(crate) fn reconnect(&mut self) {
        if self.line.transport != Transport::Udp {
            // The old one goes first: it may have the same two ports.
            self.near = Box::new(Gone);
            self.near = near(self.line, self.near_at, self.sip);
        }
    }

    /// The Route headers that lead a message over the node to the gateway.
    pub(crate) fn routes(&self) -> String {
        let name = self.line.transport.uri_name();
        let (sip, far) = (self.sip, self.far_at);
        format!("Route: <sip:{sip};transport={name};lr>\r\nRoute: <sip:{far};transport={name};lr>\r\n")
    }

    /// A plain request of call control's to a URI, with more headers.
    pub(crate) fn request(&mut self, method: &str, uri: &str, headers: &str) -> Vec<u8> {
        self.serial += 1;
        let (serial, at) = (self.serial, self.near_at);
        let via = self.line.transport.via_name();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {at};branch=z9hG4bK-t{serial}\r\n{headers}Max-Forwards: 70\r\n\
             From: <sip:cc@{at}>;tag=f{serial}\r\nTo: <sip:gw@{at}>\r\nCall-ID: wire-{serial}@{at}\r\n\
             CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    /// An OPTIONS to the node itself.
    pub(crate) fn options(&mut self) -> Vec<u8> {
        let uri = format!("sip:{}", self.sip);
        self.request("OPTIONS", &uri, "")
    }

    /// A request that the gateway hears next, and its answer that call control hears next: whatever came before is
    /// over, and nothing else was sent to either.
    pub(crate) fn nothing_else(&mut self, name: &str, done: &[Vec<u8>]) {
        let routes = self.routes();
        let sentinel = self.request("OPTIONS", "sip:sentinel@example.com", &routes);
        self.near.send(&sentinel);
        let id = call_id(&sentinel);
        let heard = next_but(&mut self.far, done);
        assert_eq!(call_id(&heard), id, "after {name} the gateway heard\n{}", text(&heard));
        self.far.send(&answer(&heard, 200));
        let back = next_but(&mut *self.near, done);
        assert_eq!(call_id(&back), id, "after {name} call control heard\n{}", text(&back));
    }
}

/// The methods the neighbours may send: the torture messages use many, and some that nobody knows.
const METHODS: &str = "";

fn near(line: Line, at: SocketAddr, sip: SocketAddr) -> Box<dyn Wire> {
    match line.transport {
        Transport::Udp => Box::new(Datagrams::open(at, &VIA_PORTS, sip)),
        // Over IPv6 the port is all that tells call control from the gateway.
        _ => {
            let from = if line.is_v6 { at } else { SocketAddr::new(at.ip(), 0) };
            Box::new(Stream::of(connect(from, sip)))
        }
    }
}

/// No line at all.
struct Gone;

impl Wire for Gone {
    fn send(&mut self, _octets: &[u8]) {}

    fn next(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// The next message that is of none of those calls.
pub(crate) fn next_but(wire: &mut (impl Wire + ?Sized), done: &[Vec<u8>]) -> Vec<u8> {
    loop {
        let heard = wire.next().expect("a message comes");
        if !done.contains(&call_id(&heard)) {
            return heard;
        }
    }
}

/// A look into a message.
pub(crate) fn with<R>(octets: &[u8], look: impl FnOnce(&Message<'_>) -> R) -> R {
    let mut index = Index::new();
    let message = scan(octets, &mut index).unwrap_or_else(|broken| panic!("{:?} in\n{}", broken.why, text(octets)));
    look(&message)
}

/// Call-ID of a message, however broken it is.
pub(crate) fn call_id(octets: &[u8]) -> Vec<u8> {
    let mut index = Index::new();
    let message = match scan(octets, &mut index) {
        Ok(message) => Some(message),
        Err(broken) => broken.partial,
    };
    message.and_then(|message| message.value(Name::CallId)).unwrap_or_default().to_vec()
}

/// The status of a response.
pub(crate) fn status(octets: &[u8]) -> u16 {
    with(octets, |message| message.status().unwrap_or_else(|| panic!("no response:\n{}", text(octets))))
}

/// A response of the gateway's.
pub(crate) fn answer(request: &[u8], status: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let reply = Reply { to_tag: Some("gateway"), ..Reply::new(status) };
    with(request, |message| reply.write(message, &mut out).unwrap());
    out
}

/// Octets as a person reads them.
pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}
