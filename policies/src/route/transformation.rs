//! Transformation patterns: what a trunk or gateway makes of the two numbers of a call that leaves by it (D-24, D-25).

use super::{Hop, NextHop};
use crate::digits::Digits;
use crate::moment::Civil;
use crate::search_space::{CssId, DialPlan, PatternId};
use crate::trail::{Step, Trail};

/// Which of the two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The caller's.
    Calling,
    /// The one called.
    Called,
}

/// Search spaces of one end's transformation patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransformSpaces {
    /// For the calling number.
    pub calling: Option<CssId>,
    /// For the called number.
    pub called: Option<CssId>,
}

/// The transformation patterns of a cluster, and who uses them.
#[derive(Debug)]
pub struct Transformations {
    /// Patterns for calling numbers; the targets of the rows mean nothing.
    pub calling: DialPlan,
    /// Patterns for called numbers; the same.
    pub called: DialPlan,
    /// Those of the EMCC trunk.
    pub trunk: TransformSpaces,
    /// Those of each peer, by its id.
    pub peers: Vec<TransformSpaces>,
}

/// A call whose numbers leave.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    /// The calling number before the pattern's or route list member's transform.
    pub(super) calling: Option<Digits>,
    /// Its called number is what it is called for, and stays.
    pub(super) is_emergency: bool,
    pub(super) at: Civil,
}

impl Transformations {
    /// Transforms the numbers of a hop. The calling number's pattern is chosen by the number as it was before route
    /// pattern and route list (D-24) and works on that; the called number's by the number as it leaves. A number that no
    /// pattern matches, or that would be empty or too long, stays as it is: no call fails by a transformation pattern. Whoever
    /// calls for help is called back: a pattern that leaves nothing of its number, as one that puts the trunk's own in its
    /// place, does not count there.
    pub(super) fn apply(&self, hop: &mut Hop, call: Leaving, trail: &mut Trail) {
        let spaces = match hop.to {
            NextHop::TrunkToVisiting => self.trunk,
            NextHop::Peer(peer) => self.peers.get(peer.0 as usize).copied().unwrap_or_default(),
        };
        let to = hop.to.peer();
        if let (Some(css), Some(before)) = (spaces.calling, call.calling)
            && let Some((pattern, made)) = self.made(Party::Calling, css, &before, call.at)
            && !(call.is_emergency && self.replaces(Party::Calling, pattern))
        {
            hop.calling = Some(made);
            trail.push(Step::CallingTransformed { pattern, to });
        }
        if let (Some(css), Some(leaves)) = (spaces.called.filter(|_| !call.is_emergency), hop.called)
            && let Some((pattern, made)) = self.made(Party::Called, css, &leaves, call.at)
        {
            hop.called = Some(made);
            trail.push(Step::CalledTransformed { pattern, to });
        }
    }

    /// What the closest pattern of a search space makes of a number, and which that is; nothing where none matches, or
    /// the number would be empty or too long.
    #[must_use]
    pub fn made(&self, party: Party, css: CssId, number: &Digits, at: Civil) -> Option<(PatternId, Digits)> {
        let plan = self.patterns(party);
        let id = plan.closest_row(&[css], number, at)?;
        let row = plan.row(id)?;
        let made = row.transform.called(&row.pattern, number).ok()?;
        (!made.is_empty()).then_some((id, made))
    }

    /// Whether a pattern leaves nothing of a number.
    fn replaces(&self, party: Party, id: PatternId) -> bool {
        let mask = self.patterns(party).row(id).and_then(|row| row.transform.called_mask);
        mask.is_some_and(|mask| !mask.keeps_any())
    }

    /// The patterns for one of the two numbers.
    #[must_use]
    pub fn patterns(&self, party: Party) -> &DialPlan {
        match party {
            Party::Calling => &self.calling,
            Party::Called => &self.called,
        }
    }

    /// The text of a pattern.
    #[must_use]
    pub fn text(&self, party: Party, id: PatternId) -> &str {
        self.patterns(party).row(id).map(|row| row.pattern.text()).unwrap_or_default()
    }
}

impl TransformSpaces {
    /// The search space for one of the two numbers.
    #[must_use]
    pub fn of(self, party: Party) -> Option<CssId> {
        match party {
            Party::Calling => self.calling,
            Party::Called => self.called,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits::{Discard, Mask, Pattern, Transform};
    use crate::route::PeerId;
    use crate::search_space::{DialPlanBuilder, PartitionId, Row, Target};

    const NOW: Civil = Civil(0);

    fn digits(text: &str) -> Digits {
        Digits::from_bytes(text.as_bytes()).unwrap()
    }

    fn builder() -> DialPlanBuilder {
        let mut builder = DialPlanBuilder::default();
        let partitions = [builder.partition(None), builder.partition(None)];
        builder.css(&partitions);
        builder.css(&partitions[1..]);
        builder
    }

    fn row(pattern: &str, partition: u32, transform: Transform) -> Row {
        Row {
            pattern: Pattern::parse(pattern).unwrap(),
            partition: Some(PartitionId(partition)),
            urgent: false,
            emergency: false,
            transform: transform.into(),
            target: Target::Block,
        }
    }

    fn mask(text: &str) -> Transform {
        Transform { called_mask: Some(Mask::parse(text).unwrap()), ..Transform::NONE }
    }

    fn prefix(text: &str) -> Transform {
        Transform { prefix: digits(text), ..Transform::NONE }
    }

    fn transformations() -> Transformations {
        let (mut calling, mut called) = (builder(), builder());
        calling.row(row("5XXX", 0, mask("408555XXXX")));
        calling.row(row("50XX", 1, mask("9995550000")));
        calling.row(row("7!", 1, prefix(&"1".repeat(47))));
        called.row(row("9.!", 0, Transform { discard: Some(Discard::PreDot), ..Transform::NONE }));
        called.row(row("0.", 0, Transform { discard: Some(Discard::PreDot), ..Transform::NONE }));
        called.row(row("112", 0, prefix("00")));
        let both = TransformSpaces { calling: Some(CssId(0)), called: Some(CssId(0)) };
        let calling_alone = TransformSpaces { calling: Some(CssId(1)), called: None };
        Transformations {
            calling: calling.build(),
            called: called.build(),
            trunk: calling_alone,
            peers: vec![both, TransformSpaces::default()],
        }
    }

    /// What leaves where the calling number was `before` and has become `1` on the way.
    fn leaves(to: NextHop, before: &str, called: &str, is_emergency: bool) -> (String, String) {
        let mut hop = Hop { to, called: Some(digits(called)), calling: Some(digits("1")) };
        let call = Leaving { calling: Some(digits(before)), is_emergency, at: NOW };
        transformations().apply(&mut hop, call, &mut Trail::new());
        (hop.calling.unwrap().to_string(), hop.called.unwrap().to_string())
    }

    #[test]
    fn the_closest_pattern_for_the_number_before_the_route_makes_the_calling_number_d24_d25() {
        const FIRST: NextHop = NextHop::Peer(PeerId(0));
        for (to, before, called, want) in [
            (FIRST, "5123", "911", ("4085555123", "11")),
            // The closer of two, wherever it is.
            (FIRST, "5012", "2000", ("9995550000", "2000")),
            // A number that none matches leaves as the route made it.
            (FIRST, "6000", "2000", ("1", "2000")),
            // Too long, or nothing left: as it was.
            (FIRST, "71", "2000", ("1", "2000")),
            (FIRST, "6000", "0", ("1", "0")),
            // Each end has its own search spaces, or none.
            (NextHop::TrunkToVisiting, "5123", "911", ("1", "911")),
            (NextHop::TrunkToVisiting, "5012", "911", ("9995550000", "911")),
            (NextHop::Peer(PeerId(1)), "5012", "911", ("1", "911")),
            (NextHop::Peer(PeerId(7)), "5012", "911", ("1", "911")),
        ] {
            let (calling, called) = leaves(to, before, called, false);
            assert_eq!((calling.as_str(), called.as_str()), want, "{to:?} from {before}");
        }
    }

    #[test]
    fn an_emergency_number_leaves_as_it_is_and_its_caller_as_told_p23() {
        let first = NextHop::Peer(PeerId(0));
        assert_eq!(leaves(first, "5123", "112", true), ("4085555123".to_owned(), "112".to_owned()));
        assert_eq!(leaves(first, "5123", "112", false), ("4085555123".to_owned(), "00112".to_owned()));
        // Nobody at a trunk's own number could be called back: what the route made of the caller's leaves.
        assert_eq!(leaves(first, "5012", "112", true), ("1".to_owned(), "112".to_owned()));
        assert_eq!(leaves(first, "5012", "112", false), ("9995550000".to_owned(), "00112".to_owned()));
    }

    #[test]
    fn who_did_it_stands_in_the_trail() {
        let (mut trail, all) = (Trail::new(), transformations());
        let mut hop = Hop { to: NextHop::Peer(PeerId(0)), called: Some(digits("911")), calling: None };
        let call = Leaving { calling: Some(digits("5012")), is_emergency: false, at: NOW };
        all.apply(&mut hop, call, &mut trail);
        let to = Some(PeerId(0));
        let want = [
            Step::CallingTransformed { pattern: PatternId(1), to },
            Step::CalledTransformed { pattern: PatternId(0), to },
        ];
        assert_eq!(trail.as_slice(), want);
        assert_eq!((all.text(Party::Calling, PatternId(1)), all.text(Party::Called, PatternId(0))), ("50XX", "9.!"));
    }
}
