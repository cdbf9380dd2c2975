//! One running node with two neighbours on one line: call control, which says what the test wants, and a gateway, which
//! hears what is passed on.

use std::fmt::Write;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};

use emcc_trunk::neighbour::Transport;
use emcc_trunk::sip::reply::Reply;
use emcc_trunk::sip::{Index, Message, Name, scan};

use crate::line::{Datagrams, Far, Halves, Line, Stream, Wire, connect};
use crate::network::Network;
use crate::node::Node;
use crate::papers::Papers;

/// Ports besides 5060 that Vias of the torture messages name.
const VIA_PORTS: [u16; 4] = [5050, 5070, 6050, 19823];

pub(crate) struct Ground {
    pub(crate) node: Node,
    pub(crate) line: Line,
    /// Where the node listens.
    pub(crate) sip: SocketAddr,
    /// Call control's address.
    pub(crate) near_at: SocketAddr,
    /// Where its connections come from; port 0 for any.
    near_from: SocketAddr,
    /// The gateway's address.
    pub(crate) far_at: SocketAddr,
    pub(crate) near: Box<dyn Wire>,
    pub(crate) far: Far,
    papers: Option<Rc<Papers>>,
    serial: u32,
    _network: Network,
    _v6: Option<MutexGuard<'static, ()>>,
}

/// There is one IPv6 loopback address, and its ports are the tests' by turns.
static V6: Mutex<()> = Mutex::new(());

impl Ground {
    pub(crate) fn new(test: &str, line: Line) -> Self {
        Self::with_peers(test, line, &[("cc", "call-control"), ("gw", "gateway")])
    }

    /// Without a gateway: then call control is known by its IP address from whatever port, over IPv6 too.
    pub(crate) fn of_call_control(test: &str, line: Line) -> Self {
        Self::with_peers(test, line, &[("cc", "call-control")])
    }

    /// With these two neighbours: their names and kinds.
    pub(crate) fn with_peers(test: &str, line: Line, peers: &[(&str, &str)]) -> Self {
        let turn = line.is_v6.then(|| V6.lock().unwrap_or_else(PoisonError::into_inner));
        let network = Network::claim(test);
        let [sip, near_at, far_at] = if line.is_v6 {
            // One address for all three: the port tells them apart.
            [5062, 5060, 5064].map(|port| SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)))
        } else {
            [1, 10, 20].map(|host| SocketAddr::new(network.host(1, host), line.transport.default_port()))
        };
        let is_tls = line.transport == Transport::Tls;
        let papers = is_tls.then(|| Rc::new(Papers::issue(network.folder(), sip.ip(), near_at.ip(), far_at.ip())));
        let name = line.transport.uri_name();
        let tls = papers.as_ref().map(|papers| papers.row.as_str()).unwrap_or_default();
        let mut text = format!(
            "[cluster]\nid = \"W\"\nversion = \"12.0\"\nsecurity_mode = \"mixed\"\n\n\
             [sip]\nlisten = [\"{name}:{sip}\"]\n{tls}workers = 1\nsession_expires_s = 0\nhealth_s = 0\n\n\
             [admin]\nlisten = \"{}:9411\"\n",
            network.host(1, 1)
        );
        for ((peer, kind), at) in peers.iter().zip([near_at, far_at]) {
            let _ = write!(text, "\n[[peer]]\nname = \"{peer}\"\nkind = \"{kind}\"\naddresses = [\"{name}:{at}\"]\n");
        }
        let far = Far::open(line, far_at, sip, papers.clone());
        let node = Node::start(&network, "node.toml", &text);
        let needs_port = line.is_v6 && peers.len() > 1;
        let near_from = if needs_port { near_at } else { SocketAddr::new(near_at.ip(), 0) };
        let (near, serial) = (Box::new(Gone), 0);
        let mut ground = Self {
            node,
            line,
            sip,
            near_at,
            near_from,
            far_at,
            near,
            far,
            papers,
            serial,
            _network: network,
            _v6: turn,
        };
        ground.near = ground.opened();
        ground
    }

    /// Speaks from a new connection where there are connections.
    pub(crate) fn reconnect(&mut self) {
        if self.line.transport != Transport::Udp {
            // The old one goes first: it may have the same two ports.
            self.near = Box::new(Gone);
            self.near = self.opened();
        }
    }

    fn opened(&self) -> Box<dyn Wire> {
        match self.line.transport {
            Transport::Udp => Box::new(Datagrams::open(self.near_at, &VIA_PORTS, self.sip)),
            _ => Box::new(Stream::of(self.connect())),
        }
    }

    /// One more connection of call control's.
    pub(crate) fn connect(&self) -> Box<dyn Halves> {
        match &self.papers {
            Some(papers) => papers.connect(self.near_from, self.sip),
            None => Box::new(connect(self.near_from, self.sip)),
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

    /// A whole call of call control's to the gateway: INVITE, 200, ACK, BYE and its 200.
    pub(crate) fn call(&mut self) {
        let (name, near, far) = (self.line.transport.uri_name(), self.near_at, self.far_at);
        let (called, routes) = (format!("sip:gw@{far};transport={name}"), self.routes());
        let headers = format!("{routes}Contact: <sip:cc@{near};transport={name}>\r\n");
        let invite = self.request("INVITE", "sip:x@example.com", &headers);
        self.near.send(&invite);
        let heard = self.far.next().expect("the INVITE comes");
        let contact = format!("<{called}>");
        let headers = [("Contact", contact.as_bytes())];
        let reply = Reply { to_tag: Some("gateway"), has_record_route: true, headers: &headers, ..Reply::new(200) };
        let mut answer_of_call = Vec::new();
        with(&heard, |message| reply.write(message, &mut answer_of_call).unwrap());
        self.far.send(&answer_of_call);
        let back = std::iter::repeat_with(|| self.near.next().expect("the answer comes"));
        let back = back.take(2).find(|heard| status(heard) >= 200).expect("an answer behind its 100");
        assert_eq!((status(&back), call_id(&back)), (200, call_id(&invite)));
        let recorded: Vec<String> =
            with(&back, |message| message.values(Name::RecordRoute).map(|value| text(value.text)).collect());
        let routes_of_call: String = recorded.iter().rev().map(|route| format!("Route: {route}\r\n")).collect();
        for (method, cseq) in [("ACK", 1), ("BYE", 2)] {
            let within = text(&invite)
                .replace("INVITE sip:x@example.com ", &format!("{method} {called} "))
                .replace(&routes, &routes_of_call)
                .replace("branch=z9hG4bK-", &format!("branch=z9hG4bK-{method}-"))
                .replace(&format!("To: <sip:gw@{near}>"), &format!("To: <sip:gw@{near}>;tag=gateway"))
                .replace("CSeq: 1 INVITE", &format!("CSeq: {cseq} {method}"));
            self.near.send(within.as_bytes());
            let heard = self.far.next().expect("what belongs to the call comes");
            assert!(text(&heard).starts_with(&format!("{method} {called} ")), "{}", text(&heard));
            if method == "BYE" {
                self.far.send(&answer(&heard, 200));
                let back = self.near.next().expect("the BYE is answered");
                assert_eq!((status(&back), call_id(&back)), (200, call_id(&invite)));
            }
        }
    }

    /// The node's resident set, kB.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.node.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
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
