//! What is an emergency call, and where it goes when analysis gives it no way (P-23).

use std::borrow::Cow;

use crate::digits::{Digits, DigitsError, dialable, without_spaces};
use crate::route::{Caller, NoRoute};
use crate::search_space::{Analysis, DialPlan, Outcome, PatternId, Row};

/// The emergency numbers a node is configured with, beside those its own patterns mark. There is no built-in list.
#[derive(Clone, Debug, Default)]
pub struct EmergencyNumbers {
    /// The numbers, without access code.
    pub numbers: Vec<Digits>,
    /// Access codes that may stand before one of `numbers`.
    pub access_codes: Vec<Digits>,
}

/// Most characters of an emergency number that a leading `+` may stand before. It is less than any number of E.164 has behind
/// its `+`, so that no call to another country is ever taken for an emergency.
pub const PLUS_DIGITS_MAX: usize = 6;

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
    /// The number that is called by the user part of a URI, or by a text of somebody's: as [`dialable`] reads it, or the
    /// emergency number it is but for how it is written. That is one with spaces in it, behind a `+` (with at most
    /// [`PLUS_DIGITS_MAX`] characters behind that, so that it is no number of E.164) or behind a `+` and a country code, before
    /// the `#` that ends the dialling at some phones, or
    /// several of these (P-23), or before a pause (`,`) and what is dialled after it. What is an emergency number as written is
    /// left alone, and so is everything that is none either way. A pattern somebody has for the number as written counts less:
    /// emergencies are recognised before anything else.
    ///
    /// # Errors
    /// As [`dialable`], where it is not an emergency number written with spaces.
    pub fn read(&self, plan: &DialPlan, written: &[u8]) -> Result<Digits, DigitsError> {
        match dialable(written) {
            Ok(dialed) => Ok(self.meant(plan, dialed).unwrap_or(dialed)),
            Err(why) => {
                let dialed = loosely(written).map_err(|_| why)?;
                let is_one = self.recognise_number(plan, &dialed, false).is_some();
                if is_one { Ok(dialed) } else { self.meant(plan, dialed).ok_or(why) }
            }
        }
    }

    /// The emergency number that is meant by one which is none as written.
    fn meant(&self, plan: &DialPlan, dialed: Digits) -> Option<Digits> {
        let written = dialed.as_bytes();
        let without_end = written.strip_suffix(b"#");
        let without_plus = |text: &'_ [u8]| {
            let rest = text.strip_prefix(b"+")?;
            (rest.len() <= PLUS_DIGITS_MAX).then(|| Digits::of_valid(rest))
        };
        if without_end.is_none() && without_plus(written).is_none()
            || self.recognise_number(plan, &dialed, false).is_some()
        {
            return None;
        }
        let tried = [without_end.map(Digits::of_valid), without_plus(written), without_end.and_then(without_plus)];
        let is_one = |number: &Digits| !number.is_empty() && self.recognise_number(plan, number, false).is_some();
        tried.into_iter().flatten().find(is_one).or_else(|| {
            // A phone that writes what is dialled as E.164 puts the country code before it.
            let behind = without_plus(without_end.unwrap_or(written))?;
            let number = behind.from(country_code_digits(behind.as_bytes()));
            self.is_one_by_itself(plan, &number).then_some(number)
        })
    }

    /// Whether it is an emergency number without any access code before it.
    fn is_one_by_itself(&self, plan: &DialPlan, number: &Digits) -> bool {
        let by = (!number.is_empty()).then(|| self.recognise_number(plan, number, false)).flatten();
        by.is_some_and(|found| found.number == Some(*number))
    }

    /// Whether a call is an emergency call. Asked before anything else is decided; `marked` is the priority mark of a
    /// trunk, believed by the caller of this function.
    #[must_use]
    pub fn recognise(&self, plan: &DialPlan, called: Called<'_>, marked: bool) -> Option<Emergency> {
        match called {
            Called::Uri(uri) if service_sos(uri).is_some() => {
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
        Self { by, dialed: Some(*reached), number: Some(number_of(row, reached)) }
    }

    /// The numbers to look for among all emergency patterns, in order: the pattern that recognised a call is found by the
    /// number as dialed or translated, a configured number by itself; then as it would be dialed behind an access code.
    pub(crate) fn tried_in_patterns(&self, access_codes: &[Digits]) -> impl Iterator<Item = Digits> {
        let both = match self.by {
            Recognised::OwnPattern(_) | Recognised::OnTheWay => [self.dialed, self.number],
            _ => [self.number, self.dialed],
        };
        let behind = access_codes.iter().filter_map(move |code| code.then(&self.number?).ok());
        both.into_iter().flatten().chain(behind)
    }
}

/// The emergency number that a pattern takes `dialed` for: without what its dot sets apart, the access code.
#[must_use]
pub fn number_of(row: &Row, dialed: &Digits) -> Digits {
    let rest = row.pattern.before_dot(dialed).map(|taken| dialed.from(taken)).filter(|rest| !rest.is_empty());
    rest.unwrap_or(*dialed)
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

/// The emergency service or one of its sub-services (RFC 5031 section 4.2), where a request URI names one; letters compare
/// without case. What stands behind it, parameters or the components of RFC 8141 section 2.3, names no other service and is
/// left out. An unreserved character of its name written as `%` and two digits is that character.
#[must_use]
pub fn service_sos(uri: &[u8]) -> Option<Cow<'_, [u8]>> {
    const URN: &[u8] = b"urn:service:";
    const SOS: &[u8] = b"sos";
    let service = uri.split(|octet| matches!(octet, b';' | b'?' | b'#')).next()?;
    let (urn, name) = service.split_at_checked(URN.len())?;
    if !urn.eq_ignore_ascii_case(URN) {
        return None;
    }
    let (service, name) = if name.contains(&b'%') {
        let name = unreserved_decoded(name);
        (Cow::Owned([urn, name.as_slice()].concat()), Cow::Owned(name))
    } else {
        (Cow::Borrowed(service), Cow::Borrowed(name))
    };
    let (head, sub_service) = name.split_at_checked(SOS.len())?;
    let is_one = head.eq_ignore_ascii_case(SOS) && matches!(sub_service.first(), None | Some(b'.'));
    is_one.then_some(service)
}

/// A text with each unreserved character (RFC 3986 section 2.3) that is written as `%` and two hexadecimal digits as itself;
/// nothing else that is written so, since it would mean something else then (section 6.2.2.2).
fn unreserved_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((octet, behind)) = rest.split_first() {
        let (octet, behind) = match (octet, behind) {
            (b'%', [high, low, behind @ ..]) => match hexadecimal(*high).zip(hexadecimal(*low)) {
                Some((high, low)) if is_unreserved(high << 4 | low) => (high << 4 | low, behind),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            (octet, behind) => (*octet, behind),
        };
        decoded.push(octet);
        rest = behind;
    }
    decoded
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~')
}

/// The digits of a number with spaces in it, or with pauses behind it: one that may be an emergency number all the same.
///
/// # Errors
/// As [`dialable`], of what is left.
pub fn loosely(written: &[u8]) -> Result<Digits, DigitsError> {
    without_spaces(before_pauses(written))
}

/// How many digits the country code has that a number of E.164 begins with: one in zones 1 and 7, else two or three.
fn country_code_digits(number: &[u8]) -> usize {
    match number {
        [b'1' | b'7', ..] => 1,
        [b'2', b'0' | b'7', ..]
        | [b'3', b'0'..=b'4' | b'6' | b'9', ..]
        | [b'4', b'0' | b'1' | b'3'..=b'9', ..]
        | [b'5', b'1'..=b'8', ..]
        | [b'6', b'0'..=b'6', ..]
        | [b'8', b'1' | b'2' | b'4' | b'6', ..]
        | [b'9', b'0'..=b'5' | b'8', ..] => 2,
        _ => 3,
    }
}

/// A number without the pauses behind it and what is dialled after them; as written where there is anything else behind.
fn before_pauses(written: &[u8]) -> &[u8] {
    let is_dialled = |octet: &u8| octet.is_ascii_digit() || matches!(octet, b',' | b'*' | b'#');
    match written.iter().position(|octet| *octet == b',').and_then(|pause| written.split_at_checked(pause)) {
        Some((number, behind)) if behind.iter().all(is_dialled) => number,
        _ => written,
    }
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
    fn p_23_a_number_written_otherwise_is_the_emergency_number_it_means() {
        let (plan, own) = (plan(&["9.999", "911", "88", "88#"]), configured(&["112", "5550911"], &["9"]));
        for (written, want) in [
            // One as written is what it is; separators are no digits (RFC 3966 section 3).
            ("911", Ok("911")),
            ("9-1-1", Ok("911")),
            ("(9)1.1", Ok("911")),
            ("9112", Ok("9112")),
            // The end of dialling, and a plus that is no country code's.
            ("112#", Ok("112")),
            ("112%23", Ok("112")),
            ("911%23", Ok("911")),
            ("88#", Ok("88#")),
            ("+911", Ok("911")),
            ("%2B112", Ok("112")),
            ("+9999", Ok("9999")),
            ("+1-1.2#", Ok("112")),
            // A country code before it, in a number too short to be one of E.164.
            ("+1911", Ok("911")),
            ("+44112#", Ok("112")),
            ("+353112", Ok("112")),
            ("+1 911", Ok("911")),
            ("+44911", Ok("911")),
            ("+1112", Ok("112")),
            ("+21112", Ok("+21112")),
            ("+19112", Ok("+19112")),
            ("+1999", Ok("+1999")),
            ("+19999", Ok("+19999")),
            ("1911", Ok("1911")),
            ("+1", Ok("+1")),
            ("9112#;phone-context=x", Ok("9112")),
            ("9999#", Ok("9999")),
            ("5550911#", Ok("5550911")),
            // Spaces.
            ("9 1 1", Ok("911")),
            ("%20112", Ok("112")),
            ("+1%2012%20", Ok("112")),
            ("99%2099%23", Ok("9999")),
            // Pauses, and what is dialled after them.
            ("911,,5", Ok("911")),
            ("112,", Ok("112")),
            ("+9%20112,,12#", Ok("9112")),
            ("5001,,911", Err(DigitsError::NotDialable { at: 4 })),
            ("911,alice", Err(DigitsError::NotDialable { at: 3 })),
            (",911", Err(DigitsError::NotDialable { at: 0 })),
            // Nobody's emergency number: left as written.
            ("112##", Ok("112##")),
            ("++112", Ok("++112")),
            ("#112", Ok("#112")),
            ("112*", Ok("112*")),
            ("999#", Ok("999#")),
            ("+", Ok("+")),
            ("#", Ok("#")),
            ("", Ok("")),
            ("5001#", Ok("5001#")),
            ("+5550911", Ok("+5550911")),
            ("50%2001", Err(DigitsError::NotDialable { at: 2 })),
            ("alice", Err(DigitsError::NotDialable { at: 1 })),
            ("9 1 x", Err(DigitsError::NotDialable { at: 1 })),
            (" ", Err(DigitsError::NotDialable { at: 0 })),
        ] {
            let read = own.read(&plan, written.as_bytes());
            assert_eq!(read.as_ref().map(Digits::as_str).map_err(|why| *why), want, "{written}");
        }
    }

    #[test]
    fn p_23_no_number_of_another_country_is_read_as_an_emergency_number() {
        // India is +91, and everything behind 911 is flagged.
        let (plan, own) = (plan(&["911!", "9.11!"]), configured(&["112"], &["9"]));
        for written in ["+9112345678", "+91123456", "+91 1234 5678", "+9112345678#", "+911234567", "+1 12 3456789"] {
            let read = own.read(&plan, written.as_bytes());
            assert!(read.is_err() || read.is_ok_and(|number| number.as_bytes().starts_with(b"+")), "{written}");
        }
        assert_eq!(own.read(&plan, b"+911234").map(|number| number.len()), Ok(6), "nobody's number of E.164");
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
            (b"urn:service:sos;x=1", true),
            (b"urn:service:sos?x", true),
            (b"urn:service:sos.fire#f", true),
            (b"urn:service:sos%2Efire", true),
            (b"urn:service:s%6Fs", true),
            (b"urn:service:%73%4f%53%2efire;x", true),
            // No more than unreserved characters, once, and those of the name alone.
            (b"urn:service:sos%3Bx", false),
            (b"urn:service:sos%2", false),
            (b"urn:service:sos%", false),
            (b"urn:service:sos%252Efire", false),
            (b"urn:service%3Asos", false),
            (b"%75rn:service:sos", false),
            (b"urn:service:sos%78", false),
            (b"urn:service:sosx;y", false),
            (b"urn:service:?sos", false),
            (b"urn:service:sosx", false),
            (b"urn:service:test.sos", false),
            (b"sip:alice@example.org", false),
            (b"", false),
        ] {
            assert_eq!(service_sos(uri).is_some(), want);
            let found = configured(&["112", "999"], &[]).recognise(&plan(&[]), Called::Uri(uri), false);
            assert_eq!(found.map(|e| e.number), want.then(|| Some(digits("112"))));
        }
        let named =
            |uri: &'static [u8]| service_sos(uri).map(|service| String::from_utf8(service.into_owned()).unwrap());
        assert_eq!(named(b"URN:service:sos.fire;x?y#z").as_deref(), Some("URN:service:sos.fire"));
        assert_eq!(named(b"URN:service:%73os%2Efi%2Dre%2F;x").as_deref(), Some("URN:service:sos.fi-re%2F"));
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
