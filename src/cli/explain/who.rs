//! Whom `--from` and `--via` name.

use emcc_policies::digits::{Digits, dialable};

use crate::cli::halt::Halt;
use crate::config::plan::{Plan, SessionId, Side};
use crate::engine::decide::Source;

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
}

/// Source of an INVITE that comes from the phone itself (`sip.phones`).
const PHONE: &str = "phone";

/// The caller that `who`, a device name, a user id or a directory number, is here (`via` is `local`), or is made to be
/// by the cluster whose trunk the INVITE comes over.
pub(super) fn find(plan: &Plan, who: &str, via: &str) -> Result<Caller, Halt> {
    if via == PHONE && plan.remote_cluster_with_id(via).is_none() {
        if plan.sip.phones.is_empty() {
            return Err(Halt::NoPhones);
        }
        return find(plan, who, "local").map(|caller| at_phone(plan, caller));
    }
    if via != "local" {
        let remote = plan.remote_cluster_with_id(via).ok_or_else(|| Halt::UnknownSource(via.into()))?;
        // Only a device can be marked; whom this cluster does not know may still call over the trunk (P-14, P-15).
        let device = visiting_device(plan, who).unwrap_or(who);
        let source = Source::Trunk(remote);
        return Ok(Caller { source, device: Some(device.into()), number: None, session: None });
    }
    let source = Source::CallControl;
    let marked = |device: &str| Ok(Caller { source, device: Some(device.into()), number: None, session: None });
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
    Ok(Caller { source, device: None, number, session: None })
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
    Caller { source: Source::Phone, device: None, number, session }
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
