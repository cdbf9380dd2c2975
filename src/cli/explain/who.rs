//! Whom `--from` and `--via` name.

use emcc_policies::digits::{Digits, dialable};
use emcc_policies::route::{PeerId, PeerKind};

use crate::cli::halt::Halt;
use crate::config::plan::{Plan, RemoteClusterId, SessionId, Side};
use crate::engine::decide::Source;
use crate::engine::unsent::Sender;
use crate::neighbour::Transport;

/// A caller as an INVITE would show it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Caller {
    pub(super) source: Source,
    /// The device mark.
    pub(super) device: Option<String>,
    /// The number in From, where there is no mark.
    pub(super) number: Option<Digits>,
    /// The session of the phone, where the INVITE comes from the phone itself.
    pub(super) session: Option<SessionId>,
    /// The gateway it comes from.
    pub(super) gateway: Option<PeerId>,
}

impl Caller {
    fn marked(source: Source, device: &str) -> Self {
        Self { device: Some(device.into()), ..Self::with_number(source, None) }
    }

    fn with_number(source: Source, number: Option<Digits>) -> Self {
        Self { source, device: None, number, session: None, gateway: None }
    }

    /// Who sends its INVITE; over which transport, where that is known.
    pub(super) fn sender(&self, plan: &Plan, over: Option<Transport>) -> Sender {
        match self.gateway {
            Some(gateway) => Sender::of_peer(plan, gateway, over),
            None => Sender::of(plan, self.source, over),
        }
    }
}

/// Source of an INVITE that comes from call control.
const LOCAL: &str = "local";
/// Source of an INVITE that comes from the phone itself (`sip.phones`).
const PHONE: &str = "phone";
/// What says that the name of a remote cluster follows, and not that of a gateway.
const CLUSTER: &str = "cluster:";
/// What says that the name of a gateway follows, and neither a word nor the ID of a remote cluster.
const GATEWAY: &str = "gateway:";

/// Where an INVITE comes from.
enum Via {
    CallControl,
    Phone,
    Trunk(RemoteClusterId),
    Gateway(PeerId),
}

/// What `--via` names. Cluster IDs and names of peers are two lists: one name may stand in both.
fn source(plan: &Plan, via: &str) -> Result<Via, Halt> {
    let cluster = |id: &str| plan.remote_cluster_with_id(id);
    let gateway = |name: &str| {
        let mut peers = (0..).map(PeerId).zip(&plan.peers);
        let found = peers.find(|(_, peer)| peer.kind == PeerKind::Gateway && *peer.name == *name);
        found.map(|(id, _)| id)
    };
    if via == LOCAL {
        return Ok(Via::CallControl);
    }
    let found = match (cluster(via), gateway(via)) {
        (None, _) if via == PHONE => Some(Via::Phone),
        (Some(_), Some(_)) => return Err(Halt::AmbiguousSource(via.into())),
        (Some(cluster), None) => Some(Via::Trunk(cluster)),
        (None, Some(gateway)) => Some(Via::Gateway(gateway)),
        (None, None) => None,
    };
    let told = || {
        let of_cluster = via.strip_prefix(CLUSTER).and_then(cluster).map(Via::Trunk);
        of_cluster.or_else(|| via.strip_prefix(GATEWAY).and_then(gateway).map(Via::Gateway))
    };
    found.or_else(told).ok_or_else(|| Halt::UnknownSource(via.into()))
}

/// The caller that `who`, a device name, a user id or a directory number, is here (`via` is `local`), or is made to be
/// by the cluster whose trunk the INVITE comes over; behind a gateway whoever has that number.
pub(super) fn find(plan: &Plan, who: &str, via: &str) -> Result<Caller, Halt> {
    match source(plan, via)? {
        Via::CallControl => ours(plan, who),
        Via::Phone if plan.sip.phones.is_empty() => Err(Halt::NoPhones),
        Via::Phone => ours(plan, who).map(|caller| at_phone(plan, caller)),
        Via::Trunk(remote) => {
            // Only a device can be marked; whom this cluster does not know may still call over the trunk (P-14, P-15).
            let device = visiting_device(plan, who).unwrap_or(who);
            Ok(Caller::marked(Source::Trunk(remote), device))
        }
        Via::Gateway(gateway) => {
            let number = dialable(who.as_bytes()).ok().filter(|number| !number.is_empty());
            let number = number.ok_or_else(|| Halt::NoNumber(who.into()))?;
            Ok(Caller { gateway: Some(gateway), ..Caller::with_number(Source::Gateway, Some(number)) })
        }
    }
}

/// A caller of this cluster, through call control.
fn ours(plan: &Plan, who: &str) -> Result<Caller, Halt> {
    let source = Source::CallControl;
    let marked = |device: &str| Ok(Caller::marked(source, device));
    let is_abroad = |id| plan.session(id).is_some_and(|session| matches!(session.side, Side::Home { .. }));
    if plan.device_named(who).is_some() || plan.session_on(who).is_some_and(is_abroad) {
        return marked(who);
    }
    let user = plan.user_with_id(who);
    if let Some(session) = user.and_then(|user| plan.session_of(user)).and_then(|id| plan.session(id)) {
        return marked(&session.device);
    }
    let number = match user.and_then(|user| plan.user(user)) {
        Some(user) => user.directory_number.as_deref(),
        None => Some(who),
    };
    let number = number.and_then(|number| dialable(number.as_bytes()).ok()).filter(|number| {
        plan.device_with_number(number.as_str()).is_some() || plan.user_with_number(number.as_str()).is_some()
    });
    if number.is_none() && user.is_none() {
        return Err(Halt::UnknownCaller(who.into()));
    }
    Ok(Caller::with_number(source, number))
}

/// The same caller as its phone sends the INVITE to this node itself: known by its session, if it has one.
fn at_phone(plan: &Plan, caller: Caller) -> Caller {
    let by_device = caller.device.as_deref().and_then(|device| plan.session_on(device));
    let by_number = || plan.session_of(plan.user_with_number(caller.number?.as_str())?);
    let session = by_device.or_else(by_number).filter(|id| plan.is_home(*id));
    let number = caller.number.or_else(|| {
        let device = plan.device(plan.device_named(caller.device.as_deref()?)?)?;
        dialable(device.directory_numbers.first()?.as_bytes()).ok()
    });
    Caller { session, ..Caller::with_number(Source::Phone, number) }
}

/// The phone of this cluster that a user from elsewhere is logged in on, or that has the directory number.
fn visiting_device<'p>(plan: &'p Plan, who: &str) -> Option<&'p str> {
    if plan.device_named(who).is_some() {
        return None;
    }
    let visitor = plan.sessions.iter().find(|s| matches!(s.side, Side::Visiting { .. }) && &*s.user == who);
    let by_number = || plan.device_with_number(who).and_then(|id| plan.device(id)).map(|device| &*device.name);
    visitor.map(|session| &*session.device).or_else(by_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use std::path::Path;

    fn found(file: &str, who: &str, via: &str) -> Result<Caller, Halt> {
        let pair = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/pair");
        find(&config::load(&pair.join(file)).unwrap().plan, who, via)
    }

    #[test]
    fn a_session_marks_its_phone_whoever_names_it() {
        for (file, who, via, device) in [
            ("hq.toml", "alice", "local", "SEP001122334455"),
            ("hq.toml", "SEP001122334455", "local", "SEP001122334455"),
            ("hq.toml", "SEP00AA00AA0001", "local", "SEP00AA00AA0001"),
            ("br.toml", "alice", "HQ", "SEP001122334455"),
            ("br.toml", "7001", "HQ", "SEP001122334455"),
            ("br.toml", "SEP001122334455", "HQ", "SEP001122334455"),
            ("br.toml", "SEPFFFFFFFFFFFF", "HQ", "SEPFFFFFFFFFFFF"),
        ] {
            let caller = found(file, who, via).unwrap();
            assert_eq!((caller.device.as_deref(), caller.number), (Some(device), None), "{file} {who}");
            assert_eq!(matches!(caller.source, Source::Trunk(_)), via != "local", "{file} {who}");
        }
    }

    #[test]
    fn a_user_at_home_and_a_number_call_by_number() {
        for (who, number) in [("bob", "5002"), ("5002", "5002"), ("5001", "5001")] {
            let caller = found("hq.toml", who, "local").unwrap();
            assert_eq!(caller.number.map(|digits| digits.to_string()).as_deref(), Some(number), "{who}");
        }
    }

    #[test]
    fn nobody_is_found_where_nobody_is() {
        for (file, who, via) in
            [("hq.toml", "mallory", "local"), ("hq.toml", "5555", "local"), ("br.toml", "alice", "local")]
        {
            assert!(matches!(found(file, who, via), Err(Halt::UnknownCaller(_))), "{file} {who}");
        }
        assert!(matches!(found("hq.toml", "alice", "MARS"), Err(Halt::UnknownSource(_))));
        assert!(matches!(found("hq.toml", "alice", "phone"), Err(Halt::NoPhones)), "it has no sip.phones");
    }
}
