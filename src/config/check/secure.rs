//! Secure EMCC sessions, and the trunks they need TLS on (S-7).

use super::names::Dangled;
use crate::config::address::Transport;
use crate::config::document::{Document, RemoteCluster, Service};
use crate::config::plan::build::security_between;
use crate::config::report::Report;
use emcc_policies::login::Security;

/// Warns of each cluster whose sessions may be secure by tables 6 to 8 while no address of the trunk to it is TLS.
pub(super) fn check(document: &Document, dangled: &Dangled<'_>, report: &Report) {
    // An address that was not understood may be the one of TLS, a mode that was not the other one.
    if dangled.is_slipped(&["remote_cluster", "cluster", "feature"]) {
        return;
    }
    for cluster in &document.remote_clusters {
        // A domain's records say which transport; TLS may be among them.
        let may_be_tls = |transport: Option<Transport>| transport.is_none_or(|transport| transport == Transport::Tls);
        let Some(first) = cluster.trunk.first() else { continue };
        if cluster.trunk.iter().any(|at| may_be_tls(at.value.transport())) {
            continue;
        }
        let Some(whose) = abroad(document, cluster).or_else(|| guest(document, cluster)) else { continue };
        let message = format!(
            "{whose} is secure (tables 6 to 8), and no address of the trunk to \"{}\" is tls: its calls cannot use it, \
             save in an emergency (S-7)",
            cluster.id.value
        );
        let fix = "Write the trunk's tls address, or make the phone's security_mode non-secure.";
        report.warning(&first.place, message, fix);
    }
}

/// A session of a user of ours there, as that cluster said of its phone.
fn abroad(document: &Document, cluster: &RemoteCluster) -> Option<String> {
    let is_there = |id: &str| id.eq_ignore_ascii_case(&cluster.id.value);
    let mut sessions = document.sessions.iter().filter(|session| {
        session.visiting_cluster.as_ref().is_some_and(|id| is_there(&id.value))
            && session.security_mode.as_ref().is_some_and(|mode| mode.value == Security::Secure)
    });
    let session = sessions.next()?;
    let is_secure = security_between(document, Some(cluster), false, Security::Secure) == Some(Security::Secure);
    is_secure.then(|| format!("the session on {}", session.device.value))
}

/// A phone of ours that a guest from there may log in on.
fn guest(document: &Document, cluster: &RemoteCluster) -> Option<String> {
    let is_secure = |mode: &Security| *mode == Security::Secure;
    let mut devices = document.devices.iter();
    let device = devices.find(|device| device.security_mode.as_ref().is_some_and(|mode| is_secure(&mode.value)))?;
    let logs_in = cluster.offers(Service::Emcc, &document.feature)
        && security_between(document, Some(cluster), true, Security::Secure).as_ref().is_some_and(is_secure);
    logs_in.then(|| format!("a guest's session on {}", device.name.value))
}
