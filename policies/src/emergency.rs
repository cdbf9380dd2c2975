//! What is an emergency call, and where it goes when analysis gives it no way (P-23).

use crate::digits::Digits;
use crate::route::{Caller, NoRoute};
use crate::search_space::{Analysis, DialPlan, Outcome, PatternId};

/// The emergency numbers a node is configured with, beside those its own patterns mark. There is no built-in list.
#[derive(Clone, Debug, Default)]
pub struct EmergencyNumbers {
    /// The numbers, without access code.
    pub numbers: Vec<Digits>,
    /// Access codes that may stand before one of `numbers`.
    pub access_codes: Vec<Digits>,
}

/// What an emergency call was recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// A configured number, as dialed.
    Number,
    /// A configured number behind an access code.
    BehindAccessCode,
    /// A pattern of this node marked so, in any partition.
    OwnPattern(PatternId),
    /// `urn:service:sos` or one of its sub-services.
    ServiceUrn,
    /// `Priority: emergency` on the trunk, set by the home cluster.
    PriorityMark,
    /// A pattern marked so, won on the way through translations.
    OnTheWay,
}

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called<'a> {
    /// A number.
    Number(&'a Digits),
    /// A request URI that is no number, as received.
    Uri(&'a [u8]),
}

/// An emergency call, and the number it goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// What it was recognised by.
    pub by: Recognised,
    /// The number as dialed, or as translated into an emergency number; none for a service URN.
    pub dialed: Option<Digits>,
    /// The number without access code; for a service URN the first configured, none where there is none.
    pub number: Option<Digits>,
}

/// Where an emergency call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoesOn {
    /// Over the trunk: the phone is there.
    TrunkToVisiting,
    /// By the emergency patterns of every partition, resolved from the caller's device pool.
    EmergencyPatterns,
    /// To the configured last resort.
    LastResort,
}

/// What somebody has to be told about an emergency call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Its search space gave no way, and it went on.
    WentOn {
        /// Why.
        why: NoRoute,
        /// Where.
        to: GoesOn,
    },
    /// It came over the trunk for a phone this cluster does not know (P-15).
    UnknownPhone,
    /// It came over the trunk without naming a phone (P-15).
    MissingDevice,
}

impl EmergencyNumbers {
    /// Whether a call is an emergency call. Asked before anything else is decided; `marked` is the priority mark of a
    /// trunk, believed by the caller of this function.
    #[must_use]
    pub fn recognise(&self, plan: &DialPlan, called: Called<'_>, marked: bool) -> Option<Emergency> {
        match called {
            Called::Uri(uri) if is_service_sos(uri) => {
                Some(Emergency { by: Recognised::ServiceUrn, dialed: None, number: self.numbers.first().copied() })
            }
            Called::Uri(_) if marked => {
                Some(Emergency { by: Recognised::PriorityMark, dialed: None, number: self.numbers.first().copied() })
            }
            Called::Uri(_) => None,
            Called::Number(dialed) => self.recognise_number(plan, dialed, marked),
        }
    }

    fn recognise_number(&self, plan: &DialPlan, dialed: &Digits, marked: bool) -> Option<Emergency> {
        let found = |by, number| Some(Emergency { by, dialed: Some(*dialed), number: Some(number) });
        if self.numbers.contains(dialed) {
            return found(Recognised::Number, *dialed);
        }
        let behind = |known: fn(&Self, &DialPlan, &Digits) -> bool| {
            let rests = self.access_codes.iter().filter_map(|code| dialed.without_prefix(code));
            rests.into_iter().find(|rest| known(self, plan, rest))
        };
        if let Some(rest) = behind(|own, _, rest| own.numbers.contains(rest)) {
            return found(Recognised::BehindAccessCode, rest);
        }
        if let Some(id) = plan.emergency_match(dialed) {
            // The access code is one configured, before a number that is an emergency by itself, or what the pattern
            // itself sets apart by its dot.
            let rest = behind(|_, plan, rest| plan.emergency_match(rest).is_some()).or_else(|| {
                let taken = plan.row(id)?.pattern.before_dot(dialed)?;
                Some(dialed.from(taken)).filter(|rest| !rest.is_empty())
            });
            return found(Recognised::OwnPattern(id), rest.unwrap_or(*dialed));
        }
        if marked { found(Recognised::PriorityMark, *dialed) } else { None }
    }
}

impl Emergency {
    /// A call that turned out to be one only while its number was translated. It goes on with what the emergency pattern
    /// was reached by, where one was: the number as dialed is nobody's emergency number.
    pub(crate) fn on_the_way(dialed: Option<Digits>, plan: &DialPlan, analysis: Option<&Analysis>) -> Self {
        let reached = match analysis.map(|analysis| &analysis.outcome) {
            Some(Outcome::Found { row, dialed, .. }) => {
                plan.row(*row).filter(|row| row.emergency).map(|row| (row, dialed))
            }
            _ => None,
        };
        let by = Recognised::OnTheWay;
        let Some((row, reached)) = reached else { return Self { by, dialed, number: dialed } };
        let rest = row.pattern.before_dot(reached).map(|taken| reached.from(taken)).filter(|rest| !rest.is_empty());
        Self { by, dialed: Some(*reached), number: Some(rest.unwrap_or(*reached)) }
    }

    /// The numbers to look for among all emergency patterns, in order: the pattern that recognised a call is found by the
    /// number as dialed or translated, a configured number by itself.
    pub(crate) fn tried_in_patterns(&self) -> impl Iterator<Item = Digits> {
        let both = match self.by {
            Recognised::OwnPattern(_) | Recognised::OnTheWay => [self.dialed, self.number],
            _ => [self.number, self.dialed],
        };
        both.into_iter().flatten()
    }
}

/// Where an emergency call goes after analysis (`tried` is none), or after the step that gave no way either.
#[must_use]
pub fn goes_on_after(caller: Caller<'_>, tried: Option<GoesOn>) -> Option<GoesOn> {
    match (caller, tried) {
        (Caller::RoamingAtHome, None) => Some(GoesOn::TrunkToVisiting),
        (Caller::Visiting { .. } | Caller::Local { .. }, None) => Some(GoesOn::EmergencyPatterns),
        (_, Some(GoesOn::TrunkToVisiting | GoesOn::EmergencyPatterns)) => Some(GoesOn::LastResort),
        (_, Some(GoesOn::LastResort)) => None,
    }
}

/// Whether a request URI is the emergency service or one of its sub-services (RFC 5031 section 4.2); letters compare
/// without case.
#[must_use]
pub fn is_service_sos(uri: &[u8]) -> bool {
    const SOS: &[u8] = b"urn:service:sos";
    let Some((head, rest)) = uri.split_at_checked(SOS.len()) else { return false };
    head.eq_ignore_ascii_case(SOS) && matches!(rest.first(), None | Some(b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::{Pattern, RowTransform};
    use crate::route::LocalRouteGroups;
    use crate::search_space::{DialPlanBuilder, Row, Target};

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    fn plan(patterns: &[&str]) -> DialPlan {
        let mut builder = DialPlanBuilder::default();
        for text in patterns {
            let partition = Some(builder.partition(None));
            builder.row(Row {
                pattern: Pattern::parse(text).unwrap(),
                partition,
                urgent: true,
                emergency: true,
                transform: RowTransform::default(),
                target: Target::Block,
            });
        }
        builder.build()
    }

    fn configured(numbers: &[&str], access_codes: &[&str]) -> EmergencyNumbers {
        let read = |texts: &[&str]| texts.iter().map(|text| digits(text)).collect();
        EmergencyNumbers { numbers: read(numbers), access_codes: read(access_codes) }
    }

    #[test]
    fn a_number_is_an_emergency_by_list_by_access_code_and_by_own_pattern_p23() {
        let (plan, own) = (plan(&["9.999", "911", "9.911"]), configured(&["112"], &["9", "0"]));
        for (dialed, want) in [
            ("112", Some((Recognised::Number, "112"))),
            ("9112", Some((Recognised::BehindAccessCode, "112"))),
            ("0112", Some((Recognised::BehindAccessCode, "112"))),
            ("911", Some((Recognised::OwnPattern(PatternId(1)), "911"))),
            ("9911", Some((Recognised::OwnPattern(PatternId(2)), "911"))),
            ("9999", Some((Recognised::OwnPattern(PatternId(0)), "999"))),
            // An access code counts only before a listed number.
            ("0911", None),
            ("999", None),
            ("5001", None),
        ] {
            let found = own.recognise(&plan, Called::Number(&digits(dialed)), false);
            let shown = found.as_ref().map(|e| (e.by, e.number.as_ref().map(Digits::as_str).unwrap()));
            assert_eq!(shown, want, "{dialed}");
        }
    }

    #[test]
    fn without_configuration_nothing_is_an_emergency() {
        let none = EmergencyNumbers::default();
        for dialed in ["112", "911", "999"] {
            assert_eq!(none.recognise(&plan(&[]), Called::Number(&digits(dialed)), false), None);
        }
    }

    #[test]
    fn a_service_urn_goes_on_as_the_first_number() {
        for (uri, want) in [
            (&b"urn:service:sos"[..], true),
            (b"URN:Service:SOS.police", true),
            (b"urn:service:sosx", false),
            (b"urn:service:test.sos", false),
            (b"sip:alice@example.org", false),
            (b"", false),
        ] {
            assert_eq!(is_service_sos(uri), want);
            let found = configured(&["112", "999"], &[]).recognise(&plan(&[]), Called::Uri(uri), false);
            assert_eq!(found.map(|e| e.number), want.then(|| Some(digits("112"))));
        }
        let unchanged = configured(&[], &[]).recognise(&plan(&[]), Called::Uri(b"urn:service:sos"), false);
        assert_eq!(unchanged.map(|e| e.number), Some(None));
    }

    #[test]
    fn a_marked_call_is_an_emergency_whatever_its_digits() {
        let found = configured(&[], &[]).recognise(&plan(&[]), Called::Number(&digits("5001")), true);
        assert_eq!(found.map(|e| (e.by, e.number)), Some((Recognised::PriorityMark, Some(digits("5001")))));
    }

    #[test]
    fn an_emergency_call_ends_only_after_the_last_resort() {
        let groups = LocalRouteGroups::default();
        let local = Caller::Local { pool: None, groups: &groups };
        assert_eq!(goes_on_after(Caller::RoamingAtHome, None), Some(GoesOn::TrunkToVisiting));
        assert_eq!(goes_on_after(local, None), Some(GoesOn::EmergencyPatterns));
        for caller in [Caller::RoamingAtHome, local] {
            let first = goes_on_after(caller, None);
            assert_eq!(goes_on_after(caller, first), Some(GoesOn::LastResort));
            assert_eq!(goes_on_after(caller, Some(GoesOn::LastResort)), None);
        }
    }
}
