//! Whether the addresses to listen on can be had: what passes here, starts.

use crate::config::address::Transport;
use crate::config::document::Document;
use crate::config::report::{Place, Report};
use std::io::{Error, ErrorKind};
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Whether to look at this host besides the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Files alone (`--offline`).
    Offline,
    /// Also try to bind every listening address, and let go of it at once.
    Bind,
}

pub(super) fn check(document: &Document, probe: Probe, report: &Report) {
    if probe == Probe::Offline {
        return;
    }
    for listen in &document.sip.listen {
        said(listen.value.transport, listen.value.socket, &listen.place, report);
    }
    if let Some(admin) = &document.admin_listen {
        said(Transport::Tcp, admin.value, &admin.place, report);
    }
}

fn said(transport: Transport, socket: SocketAddr, place: &Place, report: &Report) {
    let Err(error) = bound(transport, socket) else { return };
    let what = format!("{transport}:{socket} cannot be bound");
    match error.kind() {
        ErrorKind::AddrInUse => {
            report.warning(place, format!("{what}: it is in use"), "Stop the other program before starting this node.");
        }
        ErrorKind::AddrNotAvailable => {
            report.error(
                place,
                format!("{what}: this host has no such address"),
                "Write an address of this host, or check with --offline.",
            );
        }
        ErrorKind::PermissionDenied => {
            report.error(
                place,
                format!("{what}: this user may not bind port {}", socket.port()),
                "Write a port above 1023.",
            );
        }
        _ => report.error(place, format!("{what}: {error}"), "Write an address this host can listen on."),
    }
}

fn bound(transport: Transport, socket: SocketAddr) -> Result<(), Error> {
    match transport {
        Transport::Udp => UdpSocket::bind(socket).map(drop),
        Transport::Tcp | Transport::Tls => TcpListener::bind(socket).map(drop),
    }
}
