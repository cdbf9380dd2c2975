//! A node's rim: sockets bound, workers started, and joined at the end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use super::bounds::StreamLimits;
use super::quarantine::Quarantine;
use super::stream::{self, OPENINGS_MAX, Opening, Streams};
use super::tls::Tls;
use super::udp::{self, Datagrams, Turnstile};
use super::worker::{Shared, Worker};
use super::{Clock, Driver, StartError, sockets};
use crate::certificates::Certificates;
use crate::metrics::Counters;
use crate::neighbour::{Address, Transport};

/// What a node needs to start.
pub struct Setup<D> {
    /// Listening addresses; a flow's `listener` is the place here.
    pub listen: Vec<Address>,
    /// Worker threads; at least one is started.
    pub workers: usize,
    /// Who is driven.
    pub driver: Arc<D>,
    /// The node's clock.
    pub clock: Clock,
    /// What the rim counts.
    pub counters: Counters,
    /// What connections over TLS show and trust; needed where a listener is one of TLS.
    pub certificates: Option<Arc<Certificates>>,
    /// Seed of the rim's hashes: random in service.
    pub seed: u64,
    /// Bounds and time limits of streams.
    pub streams: StreamLimits,
    /// Where the kernel keeps its accounts of threads and processors: [`PROC`](super::PROC).
    pub proc: PathBuf,
}

/// Running workers. Dropping it stops them.
pub struct Node {
    local: Vec<Address>,
    order: watch::Sender<Order>,
    /// Ends the readers of datagrams.
    halt: Box<dyn Fn() + Send + Sync>,
    threads: Vec<JoinHandle<()>>,
}

impl Node {
    /// Binds every address, then starts the workers: either all of it or nothing.
    ///
    /// # Errors
    /// [`StartError`], which names the address that cannot be used.
    pub fn start<D: Driver>(setup: Setup<D>) -> Result<Self, StartError> {
        let mut bound = Vec::with_capacity(setup.listen.len());
        for address in &setup.listen {
            if address.transport == Transport::Tls && setup.certificates.is_none() {
                return Err(StartError::NoCertificate(*address));
            }
            bound.push(Listener::bind(*address)?);
        }
        if u16::try_from(bound.len()).is_err() {
            return Err(StartError::TooManyListeners);
        }
        let local: Vec<Address> = bound.iter().map(|listener| listener.address).collect();
        // Everything that can fail is done before the first thread runs.
        let workers = setup.workers.max(1);
        let failed = |error: std::io::Error| StartError::Worker(error.kind());
        let mut prepared = Vec::new();
        for _ in 0..workers {
            prepared.push(Prepared::new(&bound).map_err(failed)?);
        }
        let (senders, openings): (Vec<_>, Vec<_>) = (0..workers).map(|_| mpsc::channel(OPENINGS_MAX)).unzip();
        let sockets = bound.into_iter().map(Listener::datagrams).collect::<Result<_, _>>().map_err(failed)?;
        let shared = Arc::new(Shared {
            driver: setup.driver,
            clock: setup.clock,
            counters: setup.counters,
            streams: Arc::new(Streams::new(setup.seed, setup.streams.within(sockets::descriptors()))),
            quarantine: Quarantine::new(setup.seed),
            openings: senders.into(),
            sockets,
            turnstiles: local.iter().map(|_| Turnstile::default()).collect(),
            local: local.clone(),
            tls: setup.certificates.map(Tls::new),
            proc: setup.proc,
            stopping: AtomicBool::new(false),
        });
        let (order, orders) = watch::channel(Order::Serve);
        let readers: Vec<u16> = (0u16..)
            .zip(&shared.sockets)
            .filter(|(_, socket)| socket.is_some())
            .map(|(listener, _)| listener)
            .collect();
        let halt = Arc::clone(&shared);
        let mut node = Self { local, order, halt: Box::new(move || halt.stop()), threads: Vec::new() };
        // On an error the node is dropped, which stops the workers that run already.
        for (number, (worker, openings)) in (0u64..).zip(prepared.into_iter().zip(openings)) {
            let (shared, orders) = (Arc::clone(&shared), orders.clone());
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            let thread = thread.spawn(move || worker.run(shared, number, openings, orders));
            node.threads.push(thread.map_err(failed)?);
        }
        let turns = (0..workers).flat_map(|_| &readers);
        for (number, listener) in (workers as u64..).zip(turns.copied()) {
            let shared = Arc::clone(&shared);
            let thread = thread::Builder::new().name(format!("datagrams-{number}"));
            let thread = thread.spawn(move || udp::serve(&Worker::new(shared, number), listener));
            node.threads.push(thread.map_err(failed)?);
        }
        Ok(node)
    }

    /// The listening addresses in their order, with the ports that stand for a port of 0.
    #[must_use]
    pub fn local(&self) -> &[Address] {
        &self.local
    }

    /// Ends every ordinary call: the drain's time is over. The workers go on for what that causes, and for emergencies.
    pub fn end_calls(&self) {
        self.order.send_replace(Order::EndCalls);
    }

    /// Stops the workers and waits for them. What waits to be written is lost: drain first.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.order.send_replace(Order::Stop);
        (self.halt)();
        for thread in self.threads.drain(..) {
            // A worker that panicked is gone already, and said so.
            let _ = thread.join();
        }
    }
}

/// What the workers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Serve,
    EndCalls,
    Stop,
}

/// One bound address.
struct Listener {
    address: Address,
    socket: Socket,
}

enum Socket {
    Datagrams(std::net::UdpSocket),
    Streams(std::net::TcpListener),
}

impl Listener {
    fn bind(address: Address) -> Result<Self, StartError> {
        let (socket, local) = match address.transport {
            Transport::Udp => {
                let socket = sockets::datagrams(address.socket)?;
                let local = socket.local_addr();
                (Socket::Datagrams(socket), local)
            }
            Transport::Tcp | Transport::Tls => {
                let socket = sockets::streams(address)?;
                let local = socket.local_addr();
                (Socket::Streams(socket), local)
            }
        };
        let local: SocketAddr = local.map_err(|error| StartError::Listen { address, kind: error.kind() })?;
        Ok(Self { address: Address { socket: local, ..address }, socket })
    }
}

impl Listener {
    /// The socket every worker sends datagrams through; none for a listener of streams.
    fn datagrams(self) -> std::io::Result<Option<Datagrams>> {
        match self.socket {
            Socket::Datagrams(socket) => Datagrams::new(socket).map(Some),
            Socket::Streams(_) => Ok(None),
        }
    }
}

/// A worker's reactor with every listener of streams registered, before its thread runs.
struct Prepared {
    runtime: Runtime,
    streams: Vec<(u16, TcpListener)>,
}

impl Prepared {
    fn new(bound: &[Listener]) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut streams = Vec::new();
        let entered = runtime.enter();
        for (number, listener) in (0u16..).zip(bound) {
            if let Socket::Streams(socket) = &listener.socket {
                streams.push((number, TcpListener::from_std(socket.try_clone()?)?));
            }
        }
        drop(entered);
        Ok(Self { runtime, streams })
    }

    fn run<D: Driver>(
        self,
        shared: Arc<Shared<D>>,
        number: u64,
        openings: mpsc::Receiver<Opening>,
        mut orders: watch::Receiver<Order>,
    ) {
        let Self { runtime, streams } = self;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, async move {
            let worker = Rc::new(Worker::new(shared, number));
            for (listener, socket) in streams {
                tokio::task::spawn_local(stream::accept(Rc::clone(&worker), socket, listener));
            }
            tokio::task::spawn_local(stream::open(Rc::clone(&worker), openings));
            tokio::task::spawn_local(Rc::clone(&worker).tick());
            if number == 0 {
                tokio::task::spawn_local(Rc::clone(&worker).beat());
            }
            let mut told = Order::Serve;
            // Ends by an error only when the node is gone, which is the same as being told to stop.
            while let Ok(order) = orders.wait_for(|order| *order != told).await.map(|order| *order) {
                told = order;
                match order {
                    Order::EndCalls if number == 0 => worker.clone().end_calls().await,
                    Order::Serve | Order::EndCalls => {}
                    Order::Stop => break,
                }
            }
        });
    }
}
