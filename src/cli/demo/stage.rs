//! Call control, gateways and phones on loopback sockets, moved by one loop of short turns.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use emcc_policies::moment::Moment;

use super::acts::{Act, DEVICE, HOME_CLUSTER, Plays, Who};
use super::phone::Phone;
use crate::agent::{Answerer, Caller, Codec, Event, Input, Outcome, Outputs, Script, Setup, Talk, Timers};
use crate::cli::halt::Halt;
use crate::engine::ids::Ids;
use crate::io::{Clock, StartError};
use crate::neighbour::{Address, Transport};

/// Longest wait for a datagram to call control in one turn: the pace of everybody else.
const TURN: Duration = Duration::from_millis(1);
/// Datagrams taken from one socket in one turn.
const DATAGRAMS_A_TURN: usize = 64;
/// Longest datagram an agent hears.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Messages of a call an agent keeps a line of.
const RECORD_ROOM: usize = 256;
/// What gateways speak.
const GATEWAY_CODECS: [Codec; 5] = [Codec::G722, Codec::ISAC, Codec::PCMU, Codec::PCMA, Codec::G729];

/// Where the pair's configuration has call control and gateways.
pub(super) const CONTROL: ([u8; 4], &str) = ([127, 0, 1, 10], "cc-hq");
/// Gateways by address and name: home's, then the two of London.
pub(super) const GATEWAYS: [([u8; 4], &str); 3] =
    [([127, 0, 1, 20], "gw-hq"), ([127, 0, 2, 20], "gw-br-1"), ([127, 0, 2, 21], "gw-br-2")];
/// The port of all of them.
pub(super) const PORT: u16 = 5060;

/// A gateway with its line to the public network.
pub(super) struct Gateway {
    pub(super) name: &'static str,
    pub(super) phone: Phone,
    socket: UdpSocket,
    answerer: Answerer,
}

/// Everybody who is no node.
pub(super) struct Stage {
    clock: Clock,
    control: UdpSocket,
    pub(super) phone: Phone,
    pub(super) gateways: Vec<Gateway>,
    caller: Option<Caller>,
    ids: Ids,
    buffer: Vec<u8>,
    out: Outputs,
}

impl Stage {
    /// Binds every address of call control and gateways.
    pub(super) fn build(clock: Clock) -> Result<Self, Halt> {
        let mut ids = Ids::new(3, 0);
        let mut gateways = Vec::new();
        for (ip, name) in GATEWAYS {
            let at = SocketAddr::from((ip, PORT));
            let phone = phone(at)?;
            let answerer = answerer(name, at, Script::answering(0), &phone, &mut ids);
            gateways.push(Gateway { name, phone, socket: bind(at)?, answerer });
        }
        let at = SocketAddr::from((CONTROL.0, PORT));
        let control = bind(at)?;
        let paced = control.set_nonblocking(false).and_then(|()| control.set_read_timeout(Some(TURN)));
        paced.map_err(|error| taken(at, &error))?;
        Ok(Self {
            clock,
            control,
            phone: phone(at)?,
            gateways,
            caller: None,
            ids,
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            out: Outputs::default(),
        })
    }

    /// The moment it is.
    pub(super) fn now(&self) -> Moment {
        self.clock.now().moment
    }

    /// Sets the scene of an act and places its call towards `node`.
    pub(super) fn begin(&mut self, act: &Act, node: SocketAddr) {
        self.phone.reset();
        let scripts = [Plays::Answer, act.gateways[0], act.gateways[1]];
        for (gateway, plays) in self.gateways.iter_mut().zip(scripts) {
            gateway.phone.reset();
            let at = SocketAddr::new(gateway.phone.address().ip(), PORT);
            gateway.answerer = answerer(gateway.name, at, plays.script(), &gateway.phone, &mut self.ids);
        }
        let me = SocketAddr::from((CONTROL.0, PORT));
        let talk = Talk::new(self.phone.address(), act.offer);
        let user = match act.who {
            Who::Alice => "5001",
            Who::Bob => "5002",
        };
        let mut setup = Setup::new(user, act.dialled, me, node, talk);
        setup.supports_100rel = true;
        setup.record_room = RECORD_ROOM;
        let setup = match act.who {
            Who::Alice => setup.on_device(DEVICE, HOME_CLUSTER),
            Who::Bob => setup,
        };
        let identity = format!("<sip:{user}@{}>", me.ip());
        let setup = setup.with("P-Asserted-Identity", &identity);
        let stream = self.ids.next_u64();
        let mut caller = Caller::new(setup, Ids::new(4, stream));
        caller.start(self.now(), &mut self.out);
        self.caller = Some(caller);
        self.send(None);
    }

    /// Takes turns until `is_enough` or `limit_ms` have passed; whether it was enough.
    pub(super) fn turn_until(&mut self, limit_ms: u64, mut is_enough: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now().plus_ms(limit_ms);
        loop {
            self.turn();
            if is_enough(self) {
                return true;
            }
            if self.now() >= end {
                return false;
            }
        }
    }

    /// The call of this act.
    pub(super) fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The caller hangs up, or gives up where nobody answered.
    pub(super) fn hang_up(&mut self) {
        let now = self.now();
        if let Some(caller) = self.caller.as_mut() {
            caller.call_mut().hang_up(now, &mut self.out);
        }
        self.send(None);
    }

    /// Whether the caller's side and every gateway's are over.
    pub(super) fn is_over(&self) -> bool {
        let is_caller_over = self.caller.as_ref().is_none_or(|caller| caller.call().is_over());
        is_caller_over && self.gateways.iter().all(|g| g.answerer.calls().all(|call| call.is_over()))
    }

    /// The gateway that answered and still talks, or talked.
    pub(super) fn answered(&self) -> Option<&Gateway> {
        self.gateways.iter().find(|g| g.answerer.calls().any(|call| call.outcome() == Some(Outcome::Answered)))
    }

    /// One turn: everything that came is taken, everything due is done.
    fn turn(&mut self) {
        let mut caller = self.caller.take();
        for _ in 0..DATAGRAMS_A_TURN {
            let Ok((length, from)) = self.control.recv_from(&mut self.buffer) else { break };
            let bytes = self.buffer.get(..length).unwrap_or_default();
            let now = self.clock.now().moment;
            if let Some(caller) = caller.as_mut() {
                caller.handle(now, Input::Datagram { from, bytes }, &mut self.out);
            }
        }
        let now = self.now();
        if let Some(caller) = caller.as_mut() {
            caller.handle(now, Input::Due, &mut self.out);
        }
        self.caller = caller;
        self.send(None);
        for place in 0..self.gateways.len() {
            let Some(gateway) = self.gateways.get_mut(place) else { continue };
            for _ in 0..DATAGRAMS_A_TURN {
                let Ok((length, from)) = gateway.socket.recv_from(&mut self.buffer) else { break };
                let bytes = self.buffer.get(..length).unwrap_or_default();
                gateway.answerer.handle(now, Input::Datagram { from, bytes }, &mut self.out);
            }
            gateway.answerer.handle(now, Input::Due, &mut self.out);
            gateway.phone.turn(now);
            self.send(Some(place));
        }
        self.phone.turn(now);
    }

    /// Sends what an agent said, and lets its phone speak once both agreed.
    fn send(&mut self, gateway: Option<usize>) {
        let now = self.now();
        let gateway = gateway.and_then(|place| self.gateways.get_mut(place));
        let (socket, phone) = match gateway {
            Some(gateway) => (&gateway.socket, &mut gateway.phone),
            None => (&self.control, &mut self.phone),
        };
        for datagram in self.out.sends.drain(..) {
            // What the network loses is said again.
            let _ = socket.send_to(&datagram.bytes, datagram.to);
        }
        for (_, event) in self.out.events.drain(..) {
            if let Event::Agreed(agreed) = event {
                phone.speak(agreed, now);
            }
        }
    }
}

fn answerer(name: &str, at: SocketAddr, script: Script, phone: &Phone, ids: &mut Ids) -> Answerer {
    let talk = Talk::new(phone.address(), &GATEWAY_CODECS);
    Answerer::new(name, at, script, talk, Timers::default(), RECORD_ROOM, Ids::new(5, ids.next_u64()))
}

fn bind(at: SocketAddr) -> Result<UdpSocket, Halt> {
    let socket = UdpSocket::bind(at).map_err(|error| taken(at, &error))?;
    socket.set_nonblocking(true).map_err(|error| taken(at, &error))?;
    Ok(socket)
}

fn phone(at: SocketAddr) -> Result<Phone, Halt> {
    let ip: IpAddr = at.ip();
    Phone::bind(ip).map_err(|error| taken(SocketAddr::new(ip, 0), &error))
}

fn taken(socket: SocketAddr, error: &io::Error) -> Halt {
    let address = Address { transport: Transport::Udp, socket };
    Halt::Start(match error.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse(address).into(),
        io::ErrorKind::AddrNotAvailable => StartError::NoSuchAddress(address).into(),
        kind => StartError::Listen { address, kind }.into(),
    })
}
