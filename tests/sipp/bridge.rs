//! Encrypts the plain streams of SIPp, whose package speaks no TLS.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::DerefMut;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData, StreamOwned};

/// Longest wait for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one side is listened to before the other.
const LOOK: Duration = Duration::from_millis(5);

/// Takes plain streams at `at`, and carries each over a TLS connection of its own to the node.
pub(crate) fn dials(config: Arc<ClientConfig>, at: SocketAddr, node: SocketAddr) {
    each_at(at, move |plain| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(at.ip(), 0).into())?;
        socket.connect(&node.into())?;
        let session = ClientConnection::new(Arc::clone(&config), node.ip().into()).unwrap();
        carry(plain, StreamOwned::new(session, socket.into()))
    });
}

/// Takes TLS connections of the node at `at`, and carries each over a plain stream to `to`.
pub(crate) fn answers(config: Arc<ServerConfig>, at: SocketAddr, to: SocketAddr) {
    each_at(at, move |secret| {
        let session = ServerConnection::new(Arc::clone(&config)).unwrap();
        carry(TcpStream::connect(to)?, StreamOwned::new(session, secret))
    });
}

/// Serves every stream that comes, as long as the process lives.
fn each_at(at: SocketAddr, serve: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) {
    let listener = TcpListener::bind(at).unwrap();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = serve.clone();
            // A stream that ends is what a test waits for, or fails by.
            thread::spawn(move || drop(serve(stream)));
        }
    });
}

fn carry<C, S>(mut plain: TcpStream, mut secret: StreamOwned<C, TcpStream>) -> std::io::Result<()>
where
    C: DerefMut<Target = ConnectionCommon<S>>,
    S: SideData,
{
    secret.sock.set_read_timeout(Some(PATIENCE))?;
    secret.conn.complete_io(&mut secret.sock)?;
    plain.set_read_timeout(Some(LOOK))?;
    secret.sock.set_read_timeout(Some(LOOK))?;
    while passes(&mut plain, &mut secret)? && passes(&mut secret, &mut plain)? {}
    secret.conn.send_close_notify();
    secret.flush()
}

/// Passes on what has come; whether more may come.
fn passes(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<bool> {
    let mut octets = [0; 16_384];
    match from.read(&mut octets) {
        Ok(0) => Ok(false),
        Ok(length) => to.write_all(&octets[..length]).and_then(|()| to.flush()).map(|()| true),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(true),
        Err(error) => Err(error),
    }
}
