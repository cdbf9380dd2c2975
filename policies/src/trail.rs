//! What was decided on the way and why, as facts; words are made only when somebody asks.

use std::fmt;

use smallvec::SmallVec;

use crate::emergency::{GoesOn, Recognised};
use crate::pstn_access::{PstnAccessCss, Refusal};
use crate::route::{DevicePoolId, NoRoute, Party, PeerId, RouteGroupId, RouteListId};
use crate::search_space::{CssId, PartitionId, PatternId};

/// The steps of one decision, in order.
pub type Trail = SmallVec<[Step; 8]>;

/// Whose part of a search space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CssPart {
    /// The adjunct CSS of a roaming device pool.
    Adjunct,
    /// A line's.
    Line,
    /// The EMCC CSS of a device profile.
    Emcc,
    /// A device's own.
    Device,
    /// A trunk's.
    Trunk,
}

/// One step of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A part of the search space in effect, in order.
    SearchSpace {
        /// Whose.
        part: CssPart,
        /// Which.
        css: CssId,
    },
    /// The search space choice of PSTN access (P-9).
    PstnAccessCss(PstnAccessCss),
    /// A translation won and was passed (D-15).
    Translated {
        /// It.
        pattern: PatternId,
    },
    /// The closest match of the last pass (D-8).
    MatchWon {
        /// It.
        pattern: PatternId,
    },
    /// A transformation pattern made the calling number that leaves (D-24).
    CallingTransformed {
        /// The pattern, among those for calling numbers.
        pattern: PatternId,
        /// To which peer; none: over the EMCC trunk.
        to: Option<PeerId>,
    },
    /// A transform made a calling number for a next hop that is not told who calls: it does not leave.
    CallingNotTold {
        /// To which peer; none: over the EMCC trunk.
        to: Option<PeerId>,
    },
    /// A transformation pattern made the called number that leaves (D-25).
    CalledTransformed {
        /// The pattern, among those for called numbers.
        pattern: PatternId,
        /// To which peer; none: over the EMCC trunk.
        to: Option<PeerId>,
    },
    /// Analysis or route gave no hop.
    NoRoute(NoRoute),
    /// A local route group was looked up in a device pool (P-11, P-22).
    LocalRouteGroup {
        /// The pool.
        pool: Option<DevicePoolId>,
        /// What it stands for there; none: skipped.
        group: Option<RouteGroupId>,
    },
    /// A local route group of an EMCC phone at home: over the trunk (P-4, P-5).
    TrunkToVisiting,
    /// A member of a route list left out: its transform would make a number too long.
    TooLong {
        /// The list.
        list: RouteListId,
        /// The member, from 1.
        member: u16,
    },
    /// A member of a route list left out: its transform leaves nothing of the called number.
    NoDigitsLeft {
        /// The list.
        list: RouteListId,
        /// The member, from 1.
        member: u16,
    },
    /// A next hop left out: its name leads to no address yet.
    NoAddress {
        /// The peer; none: the EMCC trunk.
        to: Option<PeerId>,
    },
    /// A next hop of an emergency call that had no address when it began, and has one now (P-23).
    AddressFound {
        /// The peer; none: the EMCC trunk.
        to: Option<PeerId>,
    },
    /// The EMCC trunk left out: PSTN access is not active with the cluster it leads to (P-14).
    TrunkInactive,
    /// The EMCC trunk left out: the session is secure, and its addresses have no TLS (S-7).
    TrunkNotSecure,
    /// A next hop left out: without the SRTP keys that may not be on it no audio is left (S-5).
    KeysBarred {
        /// The peer; none: the EMCC trunk.
        to: Option<PeerId>,
    },
    /// The SRTP keys of the offer are taken out on the way to the first hop (S-5).
    KeysRemoved,
    /// The SRTP keys of an emergency call leave in the clear (S-6).
    KeysInClear,
    /// A peer that is no gateway, left out of a visiting phone's route (P-12).
    NotCoLocated {
        /// It.
        peer: PeerId,
    },
    /// The call is an emergency call (P-23).
    EmergencyRecognised(Recognised),
    /// Its search space gave no way, so it went on (P-23).
    EmergencyGoesOn {
        /// Why.
        why: NoRoute,
        /// Where.
        to: GoesOn,
    },
    /// The device pool a roaming phone was placed in (G-6, G-8).
    RoamingPool {
        /// It.
        pool: DevicePoolId,
        /// Fields of the filter that agree.
        score: u16,
        /// It is the template's: no other matches.
        fallback: bool,
    },
    /// What the call booked on the link to the other cluster, per direction the larger (V-18).
    Booked {
        /// Audio, kbit/s.
        audio_kbps: u32,
        /// Video, kbit/s.
        video_kbps: u32,
    },
    /// The link has no room and the policy lets the audio go on as best effort (9.2).
    BestEffort,
    /// The link has no room for video: the call goes on as audio only (9.2).
    AudioOnly,
    /// The link has no room (9.2).
    LinkFull {
        /// Asked for, kbit/s.
        asked_kbps: u32,
        /// Free, kbit/s.
        free_kbps: u32,
    },
    /// An emergency call was admitted above the limit (P-23).
    OverLimit {
        /// How far, kbit/s.
        kbps: u32,
    },
    /// An earlier pass of the call has booked what it needs.
    BookedAlready,
    /// A phone's own call goes to call control, which decides where it goes.
    ToCallControl,
    /// A call along the Path of a registered phone.
    ToPhone,
    /// An emergency call keeps codecs that the region would have refused (P-23).
    CodecsKept,
    /// The home dial plan has no way to where the EMCC phone is for its emergency call; that over the trunk is added (P-23).
    EmergencyWherePhoneIs,
    /// The last resort closes the list of hops.
    LastResort,
    /// There is no last resort, and nothing else is left: the emergency call is refused (P-23).
    NoLastResort,
    /// So many next hops are down, or asked to be left alone: they are tried last (P-8).
    TriedLast {
        /// How many.
        hops: u8,
    },
    /// A call of the trunk was refused (P-14).
    Refused(Refusal),
    /// An emergency call that would have been refused (P-15).
    NotRefused(Refusal),
}

/// The names behind the ids of a plan.
pub trait Names {
    /// Of a partition.
    fn partition(&self, id: PartitionId) -> &str;
    /// Of a search space.
    fn css(&self, id: CssId) -> &str;
    /// Text of a pattern.
    fn pattern(&self, id: PatternId) -> &str;
    /// Text of a transformation pattern.
    fn transformation(&self, party: Party, id: PatternId) -> &str;
    /// Of a device pool.
    fn device_pool(&self, id: DevicePoolId) -> &str;
    /// Of a peer.
    fn peer(&self, id: PeerId) -> &str;
    /// Of a route list.
    fn route_list(&self, id: RouteListId) -> &str;
    /// Of a route group.
    fn route_group(&self, id: RouteGroupId) -> &str;
}

impl Step {
    /// The step in words.
    #[must_use]
    pub fn told(&self, names: &dyn Names) -> String {
        self.words(names).to_string()
    }

    /// The step in words, for who writes them on.
    #[must_use]
    pub fn words<'a>(&self, names: &'a dyn Names) -> impl fmt::Display + use<'a> {
        Told { step: *self, names }
    }
}

struct Told<'a> {
    step: Step,
    names: &'a dyn Names,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names;
        match self.step {
            Step::SearchSpace { part, css } => {
                let whose = match part {
                    CssPart::Adjunct => "adjunct",
                    CssPart::Line => "line",
                    CssPart::Emcc => "EMCC",
                    CssPart::Device => "device",
                    CssPart::Trunk => "trunk",
                };
                write!(f, "search space, {whose}: {}", names.css(css))
            }
            Step::PstnAccessCss(PstnAccessCss::Trunk) => f.write_str("pstn-access CSS: trunk"),
            Step::PstnAccessCss(PstnAccessCss::OriginalDevice) => f.write_str("pstn-access CSS: original device"),
            Step::Translated { pattern } => write!(f, "translated by {}", names.pattern(pattern)),
            Step::MatchWon { pattern } => write!(f, "closest match: {}", names.pattern(pattern)),
            Step::CallingTransformed { pattern, to } => transformed(f, names, Party::Calling, pattern, to),
            Step::CallingNotTold { to } => {
                let to = to.map_or("the EMCC trunk", |peer| names.peer(peer));
                write!(f, "{to} is not told the calling number that transforms make (trust_identity)")
            }
            Step::CalledTransformed { pattern, to } => transformed(f, names, Party::Called, pattern, to),
            Step::NoRoute(why) => write!(f, "no route: {}", no_route(why)),
            Step::LocalRouteGroup { pool, group } => {
                let pool = pool.map_or("no device pool", |pool| names.device_pool(pool));
                let group = group.map_or("nothing, skipped", |group| names.route_group(group));
                write!(f, "local route group of {pool}: {group}")
            }
            Step::TooLong { list, member } => {
                write!(f, "member {member} of {} left out: a number would be too long", names.route_list(list))
            }
            Step::NoDigitsLeft { list, member } => {
                write!(f, "member {member} of {} left out: nothing would be left of the number", names.route_list(list))
            }
            Step::NoAddress { to } => {
                let to = to.map_or("the EMCC trunk", |peer| names.peer(peer));
                write!(f, "{to} left out: its name leads to no address")
            }
            Step::AddressFound { to } => {
                let to = to.map_or("the EMCC trunk", |peer| names.peer(peer));
                write!(f, "{to} taken in: its name leads to an address now")
            }
            Step::TrunkInactive => f.write_str("the EMCC trunk left out: PSTN access is not active with that cluster"),
            Step::TrunkNotSecure => f.write_str("the EMCC trunk left out: a secure session needs TLS there"),
            Step::KeysBarred { to } => {
                let to = to.map_or("the EMCC trunk", |peer| names.peer(peer));
                write!(f, "{to} left out: SRTP keys may not leave without TLS, and without them there is no audio")
            }
            Step::KeysRemoved => f.write_str("SRTP keys taken out: they may not leave without TLS"),
            Step::KeysInClear => f.write_str("emergency: SRTP keys leave in the clear"),
            Step::TrunkToVisiting => f.write_str("local route group of an EMCC phone: trunk to its visited cluster"),
            Step::NotCoLocated { peer } => write!(f, "{} is not a gateway beside the phone", names.peer(peer)),
            Step::EmergencyRecognised(by) => match by {
                Recognised::Number => f.write_str("emergency: a configured number"),
                Recognised::BehindAccessCode => f.write_str("emergency: a configured number behind an access code"),
                Recognised::OwnPattern(id) => write!(f, "emergency: matches {}", names.pattern(id)),
                Recognised::ServiceUrn => f.write_str("emergency: urn:service:sos"),
                Recognised::PriorityMark => f.write_str("emergency: marked by the home cluster"),
                Recognised::OnTheWay => f.write_str("emergency: a pattern on the way"),
            },
            Step::EmergencyGoesOn { why, to } => {
                let to = match to {
                    GoesOn::TrunkToVisiting => "over the trunk to the visited cluster",
                    GoesOn::EmergencyPatterns => "with the emergency patterns of every partition",
                    GoesOn::LastResort => "to the last resort",
                };
                write!(f, "emergency goes on {to}: {}", no_route(why))
            }
            Step::RoamingPool { pool, fallback: true, .. } => {
                write!(f, "roaming device pool: {}, the template's, because none matches", names.device_pool(pool))
            }
            Step::RoamingPool { pool, score, .. } => {
                write!(f, "roaming device pool: {}, {score} fields agree", names.device_pool(pool))
            }
            Step::Booked { audio_kbps, video_kbps } => {
                write!(f, "booked {audio_kbps} kbit/s of audio and {video_kbps} kbit/s of video")
            }
            Step::BestEffort => f.write_str("link full: goes on as best effort, audio only"),
            Step::AudioOnly => f.write_str("link full for video: goes on as audio only"),
            Step::LinkFull { asked_kbps, free_kbps } => {
                write!(f, "link full: {asked_kbps} kbit/s asked, {free_kbps} free")
            }
            Step::OverLimit { kbps } => write!(f, "emergency: admitted {kbps} kbit/s above the link's limit"),
            Step::BookedAlready => f.write_str("booked already by an earlier pass of this call"),
            Step::ToCallControl => f.write_str("from the phone itself: to call control"),
            Step::ToPhone => f.write_str("along the Path of a registered phone"),
            Step::CodecsKept => f.write_str("emergency: keeps codecs the region would refuse"),
            Step::EmergencyWherePhoneIs => {
                f.write_str("emergency: the phone is at the visited cluster, which is tried as well, over the trunk")
            }
            Step::LastResort => f.write_str("emergency: the last resort closes the list"),
            Step::NoLastResort => {
                f.write_str("emergency: there is no last resort to go on to, so nothing is left to try")
            }
            Step::TriedLast { hops } => write!(f, "tried last, because down or asked to be left alone: {hops} hops"),
            Step::Refused(why) => write!(f, "refused: {}", refusal(why)),
            Step::NotRefused(why) => write!(f, "emergency, so not refused: {}", refusal(why)),
        }
    }
}

fn transformed(
    f: &mut fmt::Formatter<'_>,
    names: &dyn Names,
    party: Party,
    pattern: PatternId,
    to: Option<PeerId>,
) -> fmt::Result {
    let which = match party {
        Party::Calling => "calling",
        Party::Called => "called",
    };
    let to = to.map_or("the EMCC trunk", |peer| names.peer(peer));
    write!(f, "{which} number for {to} by transformation pattern {}", names.transformation(party, pattern))
}

fn no_route(why: NoRoute) -> &'static str {
    match why {
        NoRoute::NoMatch => "no pattern matches",
        NoRoute::Incomplete => "only longer numbers match",
        NoRoute::Blocked => "a blocking pattern won",
        NoRoute::StillTranslating => "translations do not end",
        NoRoute::NotCoLocated => "not a gateway beside the phone",
        NoRoute::Exhausted => "no member of the route list leads anywhere",
        NoRoute::Intercom => "no intercom for an EMCC phone",
    }
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::OtherTrunk => "not the trunk for PSTN access",
        Refusal::ServiceInactive => "PSTN access is not active",
        Refusal::MissingDevice => "no device named",
        Refusal::UnknownPhone => "unknown phone",
        Refusal::NobodyLoggedIn => "nobody is logged in on the phone",
        Refusal::OtherCluster => "somebody of another cluster is logged in on the phone",
    }
}

/// Names for tests that look at none.
#[cfg(test)]
pub(crate) struct Numbers;

#[cfg(test)]
impl Names for Numbers {
    fn partition(&self, _: PartitionId) -> &str {
        "PT"
    }
    fn css(&self, _: CssId) -> &str {
        "CSS"
    }
    fn pattern(&self, _: PatternId) -> &str {
        "911"
    }
    fn transformation(&self, _: Party, _: PatternId) -> &str {
        "5XXX"
    }
    fn device_pool(&self, _: DevicePoolId) -> &str {
        "DP"
    }
    fn peer(&self, _: PeerId) -> &str {
        "gw"
    }
    fn route_list(&self, _: RouteListId) -> &str {
        "RL"
    }
    fn route_group(&self, _: RouteGroupId) -> &str {
        "RG"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_by_name() {
        for (step, want) in [
            (Step::SearchSpace { part: CssPart::Emcc, css: CssId(0) }, "search space, EMCC: CSS"),
            (Step::PstnAccessCss(PstnAccessCss::Trunk), "pstn-access CSS: trunk"),
            (Step::PstnAccessCss(PstnAccessCss::OriginalDevice), "pstn-access CSS: original device"),
            (Step::MatchWon { pattern: PatternId(0) }, "closest match: 911"),
            (
                Step::LocalRouteGroup { pool: Some(DevicePoolId(0)), group: Some(RouteGroupId(0)) },
                "local route group of DP: RG",
            ),
            (
                Step::LocalRouteGroup { pool: Some(DevicePoolId(0)), group: None },
                "local route group of DP: nothing, skipped",
            ),
            (
                Step::CallingTransformed { pattern: PatternId(0), to: Some(PeerId(0)) },
                "calling number for gw by transformation pattern 5XXX",
            ),
            (
                Step::CalledTransformed { pattern: PatternId(0), to: None },
                "called number for the EMCC trunk by transformation pattern 5XXX",
            ),
            (Step::TooLong { list: RouteListId(0), member: 2 }, "member 2 of RL left out: a number would be too long"),
            (
                Step::NoDigitsLeft { list: RouteListId(0), member: 2 },
                "member 2 of RL left out: nothing would be left of the number",
            ),
            (Step::NoAddress { to: Some(PeerId(0)) }, "gw left out: its name leads to no address"),
            (Step::AddressFound { to: None }, "the EMCC trunk taken in: its name leads to an address now"),
            (Step::TrunkNotSecure, "the EMCC trunk left out: a secure session needs TLS there"),
            (
                Step::KeysBarred { to: Some(PeerId(0)) },
                "gw left out: SRTP keys may not leave without TLS, and without them there is no audio",
            ),
            (Step::KeysRemoved, "SRTP keys taken out: they may not leave without TLS"),
            (Step::NoRoute(NoRoute::Blocked), "no route: a blocking pattern won"),
            (
                Step::EmergencyGoesOn { why: NoRoute::NoMatch, to: GoesOn::TrunkToVisiting },
                "emergency goes on over the trunk to the visited cluster: no pattern matches",
            ),
            (Step::Refused(Refusal::UnknownPhone), "refused: unknown phone"),
        ] {
            assert_eq!(step.told(&Numbers), want);
        }
    }

    #[test]
    fn a_trail_is_small_enough_to_live_on_the_stack() {
        assert!(size_of::<Trail>() <= 160, "{}", size_of::<Trail>());
    }
}
