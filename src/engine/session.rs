//! Session timers (RFC 4028) as a proxy in the middle keeps them: what a refresh leaves with, what its answer means, and
//! when a session that nobody refreshes is over.
//!
//! Two choices of our own. RFC 4028 section 8.3 lets a proxy free what it holds and forbids it a BYE; this node ends the
//! call towards both sides all the same, since it can, and since a half that was forgotten would go on being paid for.
//! An emergency call gets no timer of ours and is not ended because one ran out (P-23).

use emcc_policies::moment::Moment;

use super::Turn;
use super::call::{Call, Phase};
use super::effects::{CallKey, Hint};
use crate::config::plan::SessionTimer;
use crate::sip::{Editor, Message, Method, Name, Span};
use crate::transaction::LIFETIME_MS;
use crate::transaction::row::Asked;

/// The deadline of a call without a session timer.
pub const NEVER: Moment = Moment(u64::MAX);

/// Min-SE of a request that names none, seconds (RFC 4028 section 5). Whoever configures a lower least takes that for it.
pub const MIN_SE_S: u32 = 90;

/// How a refresh leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What is remembered of it.
    pub asked: Asked,
    /// The Session-Expires to write, where it changes.
    pub session_expires_s: Option<u32>,
    /// The Min-SE to write, where it changes.
    pub min_se_s: Option<u32>,
}

/// A session interval below our least, asked for by somebody who can ask again: 422 with this Min-SE, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBrief(pub u32);

/// Whether a request of this method refreshes a session.
#[must_use]
pub fn is_refresh(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Update)
}

/// How a refresh leaves under `policy` (RFC 4028 section 8.1).
///
/// # Errors
/// [`TooBrief`], only where the sender supports session timers: anybody else could make nothing of a 422.
pub fn terms(message: &Message<'_>, policy: SessionTimer) -> Result<Terms, TooBrief> {
    let is_stated = message.first(Name::SessionExpires).is_some();
    if !is_stated && policy.expires_s == 0 {
        return Ok(Terms::default());
    }
    let is_uac_aware = message.has_token(Name::Supported, "timer");
    let least_s = message.number(Name::MinSe).unwrap_or(MIN_SE_S.min(policy.min_se_s));
    if !is_stated {
        let interval_s = policy.expires_s.max(least_s);
        let asked = Asked::new(interval_s, is_uac_aware);
        return Ok(Terms { asked, session_expires_s: Some(interval_s), min_se_s: None });
    }
    // One that cannot be read passes as it came: two of them would be worse.
    let Some(theirs_s) = message.session_expires().map(|header| header.interval_s) else { return Ok(Terms::default()) };
    let is_brief = theirs_s < policy.min_se_s;
    if is_brief && is_uac_aware {
        return Err(TooBrief(policy.min_se_s));
    }
    let floor_s = if is_brief { least_s.max(policy.min_se_s) } else { least_s };
    let min_se_s = (is_brief && message.number(Name::MinSe) < Some(floor_s)).then_some(floor_s);
    let lowered_s = if policy.expires_s == 0 { theirs_s } else { theirs_s.min(policy.expires_s) };
    let interval_s = lowered_s.max(floor_s);
    let session_expires_s = (interval_s != theirs_s).then_some(interval_s);
    Ok(Terms { asked: Asked::new(interval_s, is_uac_aware), session_expires_s, min_se_s })
}

impl Terms {
    /// Writes what changes. A `refresher` that came stays as it is; none is added (RFC 4028 section 8.1).
    pub(crate) fn write(self, editor: &mut Editor, message: &Message<'_>) {
        for (name, line, seconds) in [
            (Name::SessionExpires, &b"Session-Expires: "[..], self.session_expires_s),
            (Name::MinSe, b"Min-SE: ", self.min_se_s),
        ] {
            let Some(seconds) = seconds.map(u64::from) else { continue };
            match message.first(name) {
                Some((_, field)) => {
                    let value = message.text(field.value);
                    let digits = value.iter().take_while(|octet| octet.is_ascii_digit()).count();
                    let end = field.value.start.saturating_add(u32::try_from(digits).unwrap_or(0));
                    editor.text().decimal(seconds).replace(Span { start: field.value.start, end });
                }
                None => editor.text().put(line).decimal(seconds).append(message),
            }
        }
    }
}

/// What a 2xx to a refresh says of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The session interval, seconds; none: the session has no end.
    interval_s: Option<u32>,
    /// Whether the callee knows nothing of it, so that we tell the caller to refresh.
    is_ours_to_tell: bool,
}

impl Agreed {
    /// Reads a 2xx to a refresh that left with `asked` (RFC 4028 section 8.2).
    pub(crate) fn of(asked: Asked, answer: &Message<'_>) -> Self {
        if answer.first(Name::SessionExpires).is_some() {
            // One that cannot be read, or is beyond what is read, takes no timer away that was asked for.
            let stated_s =
                answer.session_expires().map(|header| header.interval_s).filter(|stated_s| *stated_s < u32::MAX);
            let asked_s = Some(asked.interval_s()).filter(|asked_s| *asked_s > 0);
            return Self { interval_s: stated_s.or(asked_s), is_ours_to_tell: false };
        }
        let is_ours_to_tell = asked.is_uac_aware() && asked.interval_s() > 0;
        Self { interval_s: is_ours_to_tell.then(|| asked.interval_s()), is_ours_to_tell }
    }

    /// Tells the caller that the refreshes are its own: the callee does not know session timers.
    pub(crate) fn write(self, editor: &mut Editor, answer: &Message<'_>) {
        let Some(interval_s) = self.interval_s.filter(|_| self.is_ours_to_tell) else { return };
        editor.text().put(b"Session-Expires: ").decimal(u64::from(interval_s)).put(b";refresher=uac").append(answer);
        if answer.has_token(Name::Require, "timer") {
            return;
        }
        match answer.first(Name::Require) {
            Some((_, field)) if !field.value.is_empty() => {
                editor.text().put(b", timer").replace(Span { start: field.value.end, end: field.value.end });
            }
            _ => editor.append_header(answer, b"Require: timer"),
        }
    }

    /// When the session is over unless it is refreshed. An interval below our least counts as that.
    fn ends_at(self, now: Moment, policy: SessionTimer) -> Moment {
        self.interval_s.map_or(NEVER, |interval_s| now.plus_ms(u64::from(interval_s.max(policy.min_se_s)) * 1_000))
    }
}

impl Call {
    /// A 2xx to a refresh went to its sender: from now on its session interval counts. Of several parties who answered the
    /// one whose session lasts longest counts until one of them is refreshed.
    pub(crate) fn session_agreed(&mut self, now: Moment, agreed: Agreed, is_another_leg: bool) {
        let ends_at = agreed.ends_at(now, self.plan.sip.session_timer);
        self.session_ends_at = if is_another_leg { self.session_ends_at.max(ends_at) } else { ends_at };
        self.session_waits = false;
    }

    /// A refresh is on its way: its answer is waited for, beyond the end of the session once. One that failed leaves no more
    /// time to the next.
    pub(crate) fn session_refreshing(&mut self, now: Moment) {
        let answered_by = now.plus_ms(LIFETIME_MS);
        if self.session_ends_at < answered_by && !self.session_waits {
            self.session_ends_at = answered_by;
            self.session_waits = true;
        }
    }
}

impl Turn<'_> {
    /// As [`Call::session_agreed`], for a refresh within a call that was answered.
    pub(crate) fn session_refreshed(&mut self, key: CallKey, agreed: Agreed) {
        let now = self.now.moment;
        let hint = self.engine.calls.with(&key, |call| {
            if call.phase != Phase::Hunting {
                call.session_agreed(now, agreed, false);
            }
            call.arm()
        });
        if let Some(Some(at)) = hint {
            self.effects.hints.push((at, Hint::Call(key)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Index, scan};

    const POLICY: SessionTimer = SessionTimer { min_se_s: 120, expires_s: 1_800 };

    fn with<R>(lines: &str, look: impl FnOnce(&Message<'_>) -> R) -> R {
        let text = format!("INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n{lines}Content-Length: 0\r\n\r\n");
        look(&scan(text.as_bytes(), &mut Index::new()).expect("it is well formed"))
    }

    fn leaves(lines: &str, policy: SessionTimer) -> Result<(u32, bool, Vec<String>), TooBrief> {
        with(lines, |message| {
            let terms = terms(message, policy)?;
            let (mut editor, mut out) = (Editor::new(), Vec::new());
            editor.begin();
            terms.write(&mut editor, message);
            let range = editor.write(message, &mut out);
            let text = String::from_utf8_lossy(&out[range]).into_owned();
            let is_ours = |line: &&str| ["Session-Expires", "x:", "Min-SE"].iter().any(|name| line.starts_with(name));
            let lines = text.lines().filter(is_ours).map(str::to_owned).collect();
            Ok((terms.asked.interval_s(), terms.asked.is_uac_aware(), lines))
        })
    }

    #[test]
    fn rfc_4028_8_1_what_a_request_leaves_with() {
        let off = SessionTimer { expires_s: 0, ..POLICY };
        let rows: [(&str, SessionTimer, u32, bool, &[&str]); 14] = [
            ("", off, 0, false, &[]),
            ("", POLICY, 1_800, false, &["Session-Expires: 1800"]),
            ("Supported: 100rel, timer\r\n", POLICY, 1_800, true, &["Session-Expires: 1800"]),
            ("Min-SE: 3600\r\n", POLICY, 3_600, false, &["Min-SE: 3600", "Session-Expires: 3600"]),
            ("Session-Expires: 600\r\n", POLICY, 600, false, &["Session-Expires: 600"]),
            ("k: timer\r\nx: 600;refresher=uac\r\n", POLICY, 600, true, &["x: 600;refresher=uac"]),
            ("x: 7200;refresher=uas\r\n", POLICY, 1_800, false, &["x: 1800;refresher=uas"]),
            ("Session-Expires: 7200\r\n", off, 7_200, false, &["Session-Expires: 7200"]),
            (
                "Session-Expires: 7200\r\nMin-SE: 3600\r\n",
                POLICY,
                3_600,
                false,
                &["Session-Expires: 3600", "Min-SE: 3600"],
            ),
            ("Session-Expires: 600\r\nMin-SE: 700\r\n", POLICY, 700, false, &["Session-Expires: 700", "Min-SE: 700"]),
            ("Session-Expires: 100\r\n", POLICY, 120, false, &["Session-Expires: 120", "Min-SE: 120"]),
            ("Session-Expires: 100\r\nMin-SE: 95\r\n", POLICY, 120, false, &["Session-Expires: 120", "Min-SE: 120"]),
            ("Session-Expires: 100\r\nMin-SE: 300\r\n", POLICY, 300, false, &["Session-Expires: 300", "Min-SE: 300"]),
            ("Session-Expires: soon\r\n", POLICY, 0, false, &["Session-Expires: soon"]),
        ];
        for (lines, policy, interval_s, is_aware, left) in rows {
            let left: Vec<_> = left.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(leaves(lines, policy), Ok((interval_s, is_aware, left)), "{lines:?}");
        }
    }

    /// Who configures a least below 90 s is warned, and gets what is written.
    #[test]
    fn rfc_4028_8_1_an_interval_above_a_least_below_90_s_leaves_as_it_came() {
        let low = SessionTimer { min_se_s: 20, expires_s: 60 };
        let rows: [(&str, u32, bool, &[&str]); 5] = [
            ("Session-Expires: 30\r\nSupported: timer\r\n", 30, true, &["Session-Expires: 30"]),
            ("Session-Expires: 30\r\n", 30, false, &["Session-Expires: 30"]),
            ("Session-Expires: 30\r\nMin-SE: 40\r\n", 40, false, &["Session-Expires: 40", "Min-SE: 40"]),
            ("Session-Expires: 10\r\n", 20, false, &["Session-Expires: 20", "Min-SE: 20"]),
            ("", 60, false, &["Session-Expires: 60"]),
        ];
        for (lines, interval_s, is_aware, left) in rows {
            let left: Vec<_> = left.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(leaves(lines, low), Ok((interval_s, is_aware, left)), "{lines:?}");
        }
        assert_eq!(leaves("Session-Expires: 19\r\nSupported: timer\r\n", low), Err(TooBrief(20)));
    }

    #[test]
    fn rfc_4028_8_1_only_who_supports_timers_is_told_422() {
        assert_eq!(leaves("Session-Expires: 119\r\nSupported: timer\r\n", POLICY), Err(TooBrief(120)));
        assert!(leaves("Session-Expires: 120\r\nSupported: timer\r\n", POLICY).is_ok());
        assert!(leaves("Session-Expires: 119\r\nSupported: 100rel\r\n", POLICY).is_ok());
    }

    #[test]
    fn rfc_4028_8_2_what_an_answer_means() {
        let (aware, unaware) = (Asked::new(1_800, true), Asked::new(1_800, false));
        let rows: [(&str, Asked, Option<u32>, &[&str]); 12] = [
            ("", Asked::default(), None, &[]),
            ("Session-Expires: soon\r\n", Asked::default(), None, &[]),
            ("Session-Expires: soon\r\n", aware, Some(1_800), &[]),
            ("Session-Expires: -4;refresher=uas\r\n", unaware, Some(1_800), &[]),
            ("Session-Expires:\r\n", unaware, Some(1_800), &[]),
            ("Session-Expires: 99999999999\r\n", unaware, Some(1_800), &[]),
            ("Session-Expires: 3600\r\n", unaware, Some(3_600), &[]),
            ("", unaware, None, &[]),
            ("", aware, Some(1_800), &["Session-Expires: 1800;refresher=uac", "Require: timer"]),
            (
                "Require: 100rel\r\n",
                aware,
                Some(1_800),
                &["Require: 100rel, timer", "Session-Expires: 1800;refresher=uac"],
            ),
            ("Require: timer\r\nSession-Expires: 900;refresher=uac\r\n", aware, Some(900), &[]),
            ("Session-Expires: 900;refresher=uas\r\n", unaware, Some(900), &[]),
        ];
        for (lines, asked, interval_s, written) in rows {
            with(lines, |message| {
                let agreed = Agreed::of(asked, message);
                assert_eq!(agreed.interval_s, interval_s, "{lines:?}");
                let (mut editor, mut out) = (Editor::new(), Vec::new());
                editor.begin();
                agreed.write(&mut editor, message);
                assert_eq!(editor.is_empty(), written.is_empty(), "{lines:?}");
                let range = editor.write(message, &mut out);
                let text = String::from_utf8_lossy(&out[range]).into_owned();
                for line in written {
                    assert!(text.contains(&format!("\r\n{line}\r\n")), "{line}: {text}");
                }
            });
        }
    }

    #[test]
    fn an_interval_below_our_least_counts_as_that() {
        for (interval_s, ends_at) in [(None, NEVER), (Some(0), Moment(121_000)), (Some(600), Moment(601_000))] {
            let agreed = Agreed { interval_s, is_ours_to_tell: false };
            assert_eq!(agreed.ends_at(Moment(1_000), POLICY), ends_at);
        }
    }
}
