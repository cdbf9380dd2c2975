//! A small DNS server: it answers what it is told to, falls silent or fails, and remembers what it was asked.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// A running server; it lives as long as the process.
pub(crate) struct Dns {
    pub(crate) at: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Default)]
struct Zone {
    records: Vec<(String, u32, RData)>,
    /// Answers nothing.
    is_silent: bool,
    /// Answers that it cannot.
    fails: bool,
    /// Names it cannot answer for; silently where so marked.
    failing: Vec<(String, bool)>,
    asked: Vec<(String, RecordType)>,
}

/// What a host or a service says of its own time: the shortest the node takes is longer.
const TTL_S: u32 = 1;

impl Dns {
    /// A server at that address, which knows nothing yet.
    pub(crate) fn start(at: SocketAddr) -> Self {
        let socket = UdpSocket::bind(at).unwrap();
        let at = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(Zone::default()));
        let serves = Arc::clone(&zone);
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = serves.lock().unwrap().answer(&buffer[..length]) {
                    // Who asked may be gone.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { at, zone }
    }

    /// Answers nothing any more, or again.
    pub(crate) fn silent(&self, is_silent: bool) {
        self.zone.lock().unwrap().is_silent = is_silent;
    }

    /// Says of everything that it failed, from now on.
    pub(crate) fn fail(&self) {
        self.zone.lock().unwrap().fails = true;
    }

    /// Says of that name alone that it failed, from now on, or nothing at all.
    pub(crate) fn fail_for(&self, name: &str, is_silent: bool) {
        self.zone.lock().unwrap().failing.push((name.to_owned(), is_silent));
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.zone.lock().unwrap().records.clear();
    }

    /// A record that may be kept for `ttl_s` seconds.
    pub(crate) fn record(&self, name: &str, ttl_s: u32, data: RData) {
        self.zone.lock().unwrap().records.push((name.to_owned(), ttl_s, data));
    }

    /// A host's address.
    pub(crate) fn host(&self, name: &str, ip: IpAddr) {
        let data = match ip {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.record(name, TTL_S, data);
    }

    /// A target of a service.
    pub(crate) fn service(&self, name: &str, priority: u16, port: u16, target: &str) {
        let target = Name::from_ascii(format!("{target}.")).unwrap();
        self.record(name, TTL_S, RData::SRV(SRV::new(priority, 0, port, target)));
    }

    /// A service a domain has, the one of the lowest order before all others.
    pub(crate) fn domain(&self, name: &str, order: u16, service: &str, replacement: &str) {
        let replacement = Name::from_ascii(format!("{replacement}.")).unwrap();
        let [flags, service, regexp] = ["s", service, ""].map(|text| text.as_bytes().to_vec().into());
        self.record(name, TTL_S, RData::NAPTR(NAPTR::new(order, 10, flags, service, regexp, replacement)));
    }

    /// What it was asked since the last look, in order.
    pub(crate) fn asked(&self) -> Vec<(String, RecordType)> {
        std::mem::take(&mut self.zone.lock().unwrap().asked)
    }
}

impl Zone {
    fn answer(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?.clone();
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        self.asked.push((name.clone(), query.query_type()));
        let failing = self.failing.iter().find(|(failing, _)| *failing == name).map(|(_, is_silent)| *is_silent);
        if self.is_silent || failing == Some(true) {
            return None;
        }
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.add_query(query.clone());
        let own: Vec<_> = self.records.iter().filter(|(owner, ..)| *owner == name).collect();
        if self.fails || failing.is_some() {
            answer.metadata.response_code = ResponseCode::ServFail;
            return answer.to_vec().ok();
        }
        if own.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for (_, ttl_s, data) in own.into_iter().filter(|(.., data)| data.record_type() == query.query_type()) {
            answer.add_answer(Record::from_rdata(query.name().clone(), *ttl_s, data.clone()));
        }
        answer.to_vec().ok()
    }
}
