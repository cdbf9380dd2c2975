//! The certificates of a ground whose line is TLS.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, StreamOwned};

use crate::ends::{client, server};
use crate::line::{Halves, connect};
use crate::pki::{Authority, write};

/// What call control and the gateway show and trust, and what the node's configuration says of its own.
pub(crate) struct Papers {
    near: Arc<ClientConfig>,
    far: Arc<ServerConfig>,
    /// The row of the node's file.
    pub(crate) row: String,
}

impl Papers {
    /// One authority for all three; each is known by its IP address.
    pub(crate) fn issue(folder: &Path, node: IpAddr, near: IpAddr, far: IpAddr) -> Self {
        let authority = Authority::new("root");
        let of = |ip: IpAddr| authority.sign(&[ip.to_string().as_str()]);
        let [certificate, key, trust] =
            write(folder, "node", &of(node), &authority.pem).map(|p| p.display().to_string());
        Self {
            near: client(&authority, Some(&of(near))),
            far: server(&authority, &of(far)),
            row: format!("tls = {{ certificate = \"{certificate}\", key = \"{key}\", trust = \"{trust}\" }}\n"),
        }
    }

    /// A connection of call control's to the node.
    pub(crate) fn connect(&self, from: SocketAddr, to: SocketAddr) -> Box<dyn Halves> {
        let session = ClientConnection::new(Arc::clone(&self.near), to.ip().into()).unwrap();
        Box::new(StreamOwned::new(session, connect(from, to)))
    }

    /// The gateway's end of a connection from the node.
    pub(crate) fn accept(&self, stream: std::net::TcpStream) -> Box<dyn Halves> {
        Box::new(StreamOwned::new(ServerConnection::new(Arc::clone(&self.far)).unwrap(), stream))
    }
}
