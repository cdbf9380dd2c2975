//! A small DNS server: it answers what it is told to, falls silent, and remembers who asked.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record};

/// A running server; it lives as long as the process.
pub(crate) struct Dns {
    pub(crate) at: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

#[derive(Default)]
struct Zone {
    records: Vec<(String, RData)>,
    is_silent: bool,
}

/// What every record says of its own time: the shortest the node takes is longer.
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

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.zone.lock().unwrap().records.clear();
    }

    /// A host's address.
    pub(crate) fn host(&self, name: &str, ip: IpAddr) {
        let data = match ip {
            IpAddr::V4(ip) => RData::A(A(ip)),
            IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
        };
        self.zone.lock().unwrap().records.push((name.to_owned(), data));
    }

    /// A target of a service.
    pub(crate) fn service(&self, name: &str, priority: u16, port: u16, target: &str) {
        let target = Name::from_ascii(format!("{target}.")).unwrap();
        let data = RData::SRV(SRV::new(priority, 0, port, target));
        self.zone.lock().unwrap().records.push((name.to_owned(), data));
    }
}

impl Zone {
    fn answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first().filter(|_| !self.is_silent)?.clone();
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.add_query(query.clone());
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let own: Vec<&RData> = self.records.iter().filter(|(owner, _)| *owner == name).map(|(_, data)| data).collect();
        if own.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        for data in own.into_iter().filter(|data| data.record_type() == query.query_type()) {
            answer.add_answer(Record::from_rdata(query.name().clone(), TTL_S, data.clone()));
        }
        answer.to_vec().ok()
    }
}
