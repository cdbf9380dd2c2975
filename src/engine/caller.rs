//! Who calls, and what that makes of the call: search space, device pool, session, link (D-5, P-2).

use emcc_policies::digits::Digits;
use emcc_policies::search_space::{CssId, SearchSpace, of_emcc_phone, of_phone};
use emcc_policies::trail::{CssPart, Step};

use super::decide::{Decision, Question, Role};
use super::register::{Claim, claimed, claimed_device};
use crate::config::plan::{DeviceId, Plan, SessionId, Side, UserId};
use crate::sip::{Message, Name, NameAddrRef};

impl Decision {
    /// Who calls: by the device marks, then by P-Asserted-Identity (one or two values, RFC 3325 section 9.1), then by From.
    /// The caller of an emergency call is also whoever it says it is: the device its Contact names stands where help has to
    /// go, and a number may be that of several phones; then whoever registered from that address.
    pub(super) fn find_caller(&mut self, plan: &Plan, question: &Question<'_>, is_emergency: bool) {
        let aside = question.aside.as_ref();
        if let Some(name) = question.device {
            let mut further = question.further_devices();
            if let Some(claim) = named(plan, name).or_else(|| further.find_map(|name| named(plan, name))) {
                return self.is_caller(plan, question, claim);
            }
        }
        if is_emergency {
            let device = aside.and_then(|aside| claimed_device(plan, aside.message));
            if let Some(claim) = device.or(question.registered_there.map(Claim::Session)) {
                return self.is_caller(plan, question, claim);
            }
        }
        let [asserted, from] = question.numbers;
        if asserted.is_some_and(|number| self.has_number(plan, &number)) {
            return;
        }
        if let (Some(first), Some(aside)) = (asserted, aside) {
            let others = aside.message.addresses(Name::PAssertedIdentity);
            let mut others = others.filter_map(|address| super::invite::number(&address.ok()?.uri));
            if others.any(|number| number != first && self.has_number(plan, &number)) {
                return;
            }
        }
        if from.is_some_and(|number| self.has_number(plan, &number)) {
            return;
        }
        let Some(aside) = aside else { return };
        if !is_emergency {
            if question.is_believed {
                self.forwarded(plan, aside.message);
            }
        } else if let Some(claim) = claimed(plan, aside.message, &aside.from) {
            self.is_caller(plan, question, claim);
        }
    }

    /// A call of somebody else that call control sends on for one of ours, as `Diversion` (RFC 5806, the last one first) or
    /// else `History-Info` (RFC 7044, the last one last) tells: it goes where that one may call. An EMCC phone of theirs has
    /// no part in it, so that neither its search space nor its link does.
    fn forwarded(&mut self, plan: &Plan, message: &Message<'_>) {
        let number = |address: Result<NameAddrRef<'_>, _>| super::invite::number(&address.ok()?.uri);
        let diverted = message.addresses(Name::Diversion).filter_map(number).find(|number| is_of_ours(plan, number));
        let before = || message.addresses(Name::HistoryInfo).filter_map(number).filter(|n| is_of_ours(plan, n)).last();
        let Some(number) = diverted.or_else(before) else { return };
        match plan.device_with_number(number.as_str()) {
            Some(device) => self.ordinary(plan, device, Some(&number)),
            None => self.line(plan, plan.user_with_number(number.as_str())),
        }
    }

    /// Takes that phone for the caller; of several lines of a device the one it says counts (D-5).
    fn is_caller(&mut self, plan: &Plan, question: &Question<'_>, claim: Claim) {
        match claim {
            Claim::Session(session) => self.roaming(plan, session),
            Claim::Device(device) => {
                let lines = plan.device(device).map(|device| &device.directory_numbers);
                let is_line =
                    |said: &&Digits| lines.is_some_and(|lines| lines.iter().any(|line| **line == *said.as_str()));
                self.ordinary(plan, device, question.numbers.iter().flatten().find(is_line));
            }
        }
    }

    /// Takes whoever has that number for the caller: a device of this cluster goes before an EMCC session. `false` where
    /// nobody has it.
    fn has_number(&mut self, plan: &Plan, number: &Digits) -> bool {
        if let Some(device) = plan.device_with_number(number.as_str()) {
            self.ordinary(plan, device, Some(number));
            return true;
        }
        let Some(user) = plan.user_with_number(number.as_str()) else { return false };
        if let Some(session) = plan.session_of(user).filter(|id| plan.is_home(*id)) {
            self.roaming(plan, session);
            return true;
        }
        self.line(plan, Some(user));
        true
    }

    /// A user without a phone: line CSS alone.
    fn line(&mut self, plan: &Plan, user: Option<UserId>) {
        self.user = user;
        let line = user.and_then(|user| plan.user(user)).and_then(|user| user.line_css);
        self.search_with(&[(CssPart::Line, line)], of_phone(line, None));
    }

    /// A phone of an EMCC session: adjunct CSS, line CSS, EMCC CSS (P-2).
    pub(super) fn roaming(&mut self, plan: &Plan, id: SessionId) {
        self.role = Role::Home;
        self.session = Some(id);
        let Some(session) = plan.session(id) else { return };
        let Side::Home { user: owner, visiting, ref roaming, .. } = session.side else { return };
        let device_pool = roaming.device_pool;
        self.link = Some(visiting);
        self.device_pool = device_pool;
        self.user = Some(owner);
        let user = plan.user(owner);
        let adjunct = device_pool.and_then(|pool| plan.device_pool(pool)).and_then(|pool| pool.adjunct_css);
        if let Some(pool) = device_pool {
            let score = u16::try_from(roaming.score).unwrap_or(u16::MAX);
            self.trail.push(Step::RoamingPool { pool, score, fallback: roaming.fallback });
        }
        let (line, emcc) = (user.and_then(|user| user.line_css), user.and_then(|user| user.emcc_css));
        let parts = [(CssPart::Adjunct, adjunct), (CssPart::Line, line), (CssPart::Emcc, emcc)];
        self.search_with(&parts, of_emcc_phone(adjunct, line, emcc));
    }

    /// A phone of this cluster: line CSS, then device CSS (D-5).
    fn ordinary(&mut self, plan: &Plan, id: DeviceId, number: Option<&Digits>) {
        self.device = Some(id);
        let Some(device) = plan.device(id) else { return };
        self.device_pool = Some(device.device_pool);
        let number = number.map(Digits::as_str).or_else(|| device.directory_numbers.first().map(AsRef::as_ref));
        self.user = number.and_then(|number| plan.user_with_number(number));
        let line = self.user.and_then(|user| plan.user(user)).and_then(|user| user.line_css);
        self.search_with(&[(CssPart::Line, line), (CssPart::Device, device.css)], of_phone(line, device.css));
    }

    fn search_with(&mut self, parts: &[(CssPart, Option<CssId>)], space: SearchSpace) {
        let steps = parts.iter().filter_map(|(part, css)| Some(Step::SearchSpace { part: *part, css: (*css)? }));
        self.trail.extend(steps);
        self.css = space;
    }
}

/// Whom a device of this name makes the caller.
fn named(plan: &Plan, name: &[u8]) -> Option<Claim> {
    let name = std::str::from_utf8(name).ok()?;
    let session = plan.session_on(name).filter(|id| plan.is_home(*id));
    session.map(Claim::Session).or_else(|| plan.device_named(name).map(Claim::Device))
}

/// Whether a device or a user of this cluster has that number.
fn is_of_ours(plan: &Plan, number: &Digits) -> bool {
    plan.device_with_number(number.as_str()).is_some() || plan.user_with_number(number.as_str()).is_some()
}
