//! The calls of the demonstration, and what each must come to.

use super::pair::Edit;
use crate::agent::{Behaviour, Codec, Script};

/// The phone that visits London, and its owner.
pub(super) const DEVICE: &str = "SEP001122334455";
pub(super) const HOME_CLUSTER: &str = "HQ";

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// Alice of HQ, logged in on a phone in London: call control marks the phone.
    Alice,
    /// Bob of HQ at his own phone there.
    Bob,
}

/// What is done to a call while it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The phones talk, then the caller hangs up.
    Talk,
    /// The caller gives up while it rings.
    GiveUp,
    /// The visited cluster's node vanishes.
    LosePeer,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) who: Who,
    pub(super) dialled: &'static str,
    pub(super) offer: &'static [Codec],
    pub(super) edits: &'static [Edit],
    /// What the gateways in London do.
    pub(super) gateways: [Plays; 2],
    pub(super) turn: Turn,
    /// What must happen, in the words of the report.
    pub(super) expected: &'static str,
}

/// What a gateway does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plays {
    /// Rings and answers.
    Answer,
    /// Rings, reliably, and answers.
    AnswerReliably,
    /// Refuses with a status.
    Reject(u16),
    /// Says nothing.
    Silent,
    /// Rings for ever.
    Ring,
}

impl Plays {
    pub(super) fn script(self) -> Script {
        match self {
            Self::Answer => Script::answering(60),
            Self::AnswerReliably => Script { uses_100rel: true, ..Script::answering(60) },
            Self::Reject(status) => Script::rejecting(status),
            Self::Silent => Script::new(Behaviour::Silent),
            Self::Ring => Script::new(Behaviour::Ring),
        }
    }
}

const NARROW: &[Codec] = &[Codec::PCMU, Codec::G729];
const WIDE: &[Codec] = &[Codec::G722, Codec::ISAC, Codec::PCMU, Codec::G729];

const HQ_CAP_64: Edit = Edit::Hq("region_max_audio_kbps = 8\n", "region_max_audio_kbps = 64\n");
const BR_CAP_64: Edit = Edit::Br("[feature]\n", "[feature]\nregion_max_audio_kbps = 64\n");
const HQ_LOSSY: Edit = Edit::Hq("region_link_loss = \"low-loss\"", "region_link_loss = \"lossy\"");
const BR_LOSSY: Edit = Edit::Br("[feature]\n", "[feature]\nregion_link_loss = \"lossy\"\n");
const SMALL_LINK: Edit = Edit::Hq("link_audio_kbps = 2000", "link_audio_kbps = 10");
const SHORT_KEEPALIVE: [Edit; 2] = [
    Edit::Hq("rsvp_keepalive_s = 15", "rsvp_keepalive_s = 1"),
    Edit::Br("[feature]\n", "[feature]\nrsvp_keepalive_s = 1\n"),
];
const SHORT_PATIENCE: Edit = Edit::Br("[sip]\n", "[sip]\nno_response_s = 1\n");

/// Every call, in order. The last one takes the visited cluster's node away.
pub(super) fn acts() -> Vec<Act> {
    let plain = Act {
        name: "",
        who: Who::Alice,
        dialled: "902079460000",
        offer: NARROW,
        edits: &[],
        gateways: [Plays::Answer; 2],
        turn: Turn::Talk,
        expected: "",
    };
    vec![
        Act {
            name: "emergency, dialled as at home: 9911",
            dialled: "9911",
            expected: "answered by gw-br-1; called 999; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "emergency, dialled as in London: 9999",
            dialled: "9999",
            expected: "answered by gw-br-1; called 999; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "London number: the gateway is London's",
            gateways: [Plays::AnswerReliably, Plays::Answer],
            expected: "answered by gw-br-1; called 02079460000; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "number at home: the gateway is home's",
            dialled: "919195551234",
            expected: "answered by gw-hq; called 19195551234; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "local call of a phone at home",
            who: Who::Bob,
            dialled: "919195551234",
            expected: "answered by gw-hq; called 19195551234; offered PCMU G729; PCMU both ways",
            ..plain.clone()
        },
        Act { name: "blocked number", dialled: "919005551234", expected: "refused 403", ..plain.clone() },
        Act {
            name: "caller gives up while it rings",
            gateways: [Plays::Ring; 2],
            turn: Turn::GiveUp,
            expected: "refused 487",
            ..plain.clone()
        },
        Act {
            name: "first gateway out of service",
            gateways: [Plays::Reject(503), Plays::Answer],
            expected: "answered by gw-br-2; called 02079460000; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "first gateway silent",
            edits: &[SHORT_PATIENCE],
            gateways: [Plays::Silent, Plays::Answer],
            expected: "answered by gw-br-2; called 02079460000; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "link too small for a call",
            edits: &[SMALL_LINK],
            expected: "refused 488, Warning 370",
            ..plain.clone()
        },
        Act {
            name: "link too small, but an emergency",
            dialled: "9911",
            edits: &[SMALL_LINK],
            expected: "answered by gw-br-1; called 999; offered G729; G729 both ways",
            ..plain.clone()
        },
        Act {
            name: "wideband under a cap of 64 kbit/s, low-loss link",
            offer: WIDE,
            edits: &[HQ_CAP_64, BR_CAP_64],
            expected: "answered by gw-br-1; called 02079460000; offered G722 isac PCMU G729; G722 both ways",
            ..plain.clone()
        },
        Act {
            name: "wideband under a cap of 64 kbit/s, lossy link",
            offer: WIDE,
            edits: &[HQ_CAP_64, HQ_LOSSY, BR_CAP_64, BR_LOSSY],
            expected: "answered by gw-br-1; called 02079460000; offered isac G722 PCMU G729; isac both ways",
            ..plain.clone()
        },
        Act {
            name: "London's node vanishes under a standing call",
            edits: &SHORT_KEEPALIVE,
            turn: Turn::LosePeer,
            expected: "answered by gw-br-1; called 02079460000; offered G729; G729 both ways; link released",
            ..plain
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::super::pair::{BR, HQ, plans};
    use super::*;

    #[test]
    fn every_act_runs_on_a_pair_that_loads() {
        for act in acts() {
            for edit in act.edits {
                let (text, from) = match edit {
                    Edit::Hq(from, _) => (HQ, from),
                    Edit::Br(from, _) => (BR, from),
                };
                assert_eq!(text.matches(from).count(), 1, "{}: {from:?} stands once", act.name);
            }
            let loaded = plans(act.edits);
            assert!(loaded.is_ok(), "{}: {:?}", act.name, loaded.err());
        }
    }

    #[test]
    fn acts_have_names_of_their_own_and_expectations() {
        let acts = acts();
        for (place, act) in acts.iter().enumerate() {
            assert!(!act.name.is_empty() && !act.expected.is_empty());
            assert!(acts.iter().skip(place + 1).all(|other| other.name != act.name), "{}", act.name);
        }
        let lost = acts.iter().position(|act| act.turn == Turn::LosePeer);
        assert_eq!(lost, Some(acts.len() - 1), "nothing can follow a lost node");
    }
}
