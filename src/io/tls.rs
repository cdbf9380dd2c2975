//! TLS on streams: the handshake at both ends, and whose certificate it showed. What follows is a stream as any other.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::Driver;
use super::stream::{Open, Outgoing, Place, carry, give_up};
use super::worker::{Shared, Worker};
use crate::certificates::{Certificates, is_for, server_name};
use crate::limits::{HANDSHAKE_MS_MAX, HANDSHAKES_MAX};
use crate::metrics::StreamEvent;
use crate::neighbour::CertificateName;

/// How long the handshake of a connection that a neighbour opened may take.
const HANDSHAKE: Duration = Duration::from_millis(HANDSHAKE_MS_MAX);

/// What handshakes need.
pub(super) struct Tls {
    certificates: Arc<Certificates>,
    /// Handshakes under way on connections that neighbours opened.
    handshakes: AtomicUsize,
}

impl Tls {
    pub(super) fn new(certificates: Arc<Certificates>) -> Self {
        Self { certificates, handshakes: AtomicUsize::new(0) }
    }

    /// A place among the handshakes under way, given back when dropped.
    fn begin(&self) -> Option<Begun<'_>> {
        // Taken first: two that come together may both be refused, never both be let in.
        let begun = Begun(&self.handshakes);
        (self.handshakes.fetch_add(1, Relaxed) < HANDSHAKES_MAX).then_some(begun)
    }
}

struct Begun<'t>(&'t AtomicUsize);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Why a connection carries nothing.
enum Refused {
    TooMany,
    /// A newer one of its address has its place.
    Displaced,
    TooLong,
    Broken(std::io::Error),
    WrongName(Option<CertificateName>),
}

/// Lets a neighbour in that opened a connection, once it has proved its name; closes it otherwise.
pub(super) async fn accept<D: Driver>(
    worker: Rc<Worker<D>>,
    stream: TcpStream,
    open: Open,
    place: Place,
    queue: mpsc::Receiver<Outgoing>,
) {
    let remote = place.flow.remote;
    let answered = tokio::select! {
        biased;
        () = open.displaced() => Err(Refused::Displaced),
        answered = answered(&worker.shared, remote, stream) => answered,
    };
    match answered {
        Ok(stream) => {
            let (read, write) = tokio::io::split(stream);
            carry(worker, read, write, open, place, queue).await;
        }
        Err(refused) => {
            said(&worker.shared, remote, &refused);
            let transport = place.flow.transport;
            drop(place);
            give_up(&worker, transport, queue);
        }
    }
}

async fn answered<D: Driver>(
    shared: &Shared<D>,
    remote: SocketAddr,
    stream: TcpStream,
) -> Result<server::TlsStream<TcpStream>, Refused> {
    let tls = shared.tls.as_ref().ok_or(Refused::TooMany)?;
    let begun = tls.begin().ok_or(Refused::TooMany)?;
    // Held for this handshake: a swap meanwhile is for those that begin after it.
    let acceptor = TlsAcceptor::from(Arc::clone(&tls.certificates.current().server));
    let stream = timeout(HANDSHAKE, acceptor.accept(stream)).await.map_err(|_| Refused::TooLong)?;
    let stream = stream.map_err(Refused::Broken)?;
    drop(begun);
    named(shared, remote, stream.get_ref().1.peer_certificates())?;
    Ok(stream)
}

/// Shakes hands with a neighbour we connected to. `None` is said and counted already; the caller limits the time.
pub(super) async fn open<D: Driver>(
    shared: &Shared<D>,
    remote: SocketAddr,
    stream: TcpStream,
) -> Option<client::TlsStream<TcpStream>> {
    let opened = async {
        let tls = shared.tls.as_ref().ok_or(Refused::TooMany)?;
        let name = shared.driver.certificate_name(remote).ok_or(Refused::WrongName(None))?;
        let asked = server_name(&name).ok_or(Refused::WrongName(None))?;
        let connector = TlsConnector::from(Arc::clone(&tls.certificates.current().client));
        let stream = connector.connect(asked, stream).await.map_err(Refused::Broken)?;
        named(shared, remote, stream.get_ref().1.peer_certificates())?;
        Ok(stream)
    };
    opened.await.inspect_err(|refused| said(shared, remote, refused)).ok()
}

/// Who is at an address must also show the certificate of it (RFC 5922).
fn named<D: Driver>(
    shared: &Shared<D>,
    remote: SocketAddr,
    shown: Option<&[CertificateDer<'_>]>,
) -> Result<(), Refused> {
    let wanted = shared.driver.certificate_name(remote);
    match (&wanted, shown.and_then(<[_]>::first)) {
        (Some(wanted), Some(certificate)) if is_for(certificate, wanted) => Ok(()),
        _ => Err(Refused::WrongName(wanted)),
    }
}

/// Counts a refusal and says why; nothing of what came is in the text.
fn said<D: Driver>(shared: &Shared<D>, remote: SocketAddr, refused: &Refused) {
    let event = match refused {
        Refused::TooMany => StreamEvent::TooMany,
        Refused::Displaced => StreamEvent::Displaced,
        Refused::TooLong | Refused::Broken(_) => StreamEvent::HandshakeFailed,
        Refused::WrongName(_) => StreamEvent::WrongName,
    };
    shared.counters.stream(event);
    match refused {
        Refused::TooMany => tracing::warn!(%remote, "TLS connection refused: too many handshakes"),
        // Said of the one that has its place.
        Refused::Displaced => {}
        Refused::TooLong => tracing::warn!(%remote, "TLS handshake took too long"),
        Refused::Broken(error) => tracing::warn!(%remote, "TLS handshake failed: {error}"),
        Refused::WrongName(Some(wanted)) => {
            tracing::warn!(%remote, "TLS connection closed: its certificate is not that of {wanted}");
        }
        Refused::WrongName(None) => tracing::warn!(%remote, "TLS connection closed: no neighbour is there"),
    }
}
