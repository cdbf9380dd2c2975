//! What early dialogs of one call have answered while none of them has won. The 2xx of the one that does may come without a
//! description (RFC 6337 section 2.1): then its own answer counts, whichever of them answered last.

use emcc_policies::admission::Ask;
use smallvec::{SmallVec, smallvec};

use crate::limits::EARLY_DIALOGS_MAX;

/// Answers of several early dialogs that are kept together.
const TOGETHER: usize = 4;

/// The early dialogs that have answered, each by the hash of its callee's tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum EarlyAnswers {
    /// None has.
    #[default]
    Nobodys,
    /// One has, and its answer is the last one the call had.
    Of(u64),
    /// Several have, each with what its answer needs; at most [`EARLY_DIALOGS_MAX`]. Of those beyond, the last answer counts.
    Several(Box<SmallVec<[(u64, Ask); TOGETHER]>>),
}

impl EarlyAnswers {
    /// Notes what an answer in `dialog` needs; `last` is what the answer before it needed, whosever that was.
    pub fn note(&mut self, dialog: u64, needs: Ask, last: Option<Ask>) {
        match self {
            Self::Nobodys => *self = Self::Of(dialog),
            Self::Of(first) if *first == dialog => {}
            Self::Of(first) => {
                let first = (*first, last.unwrap_or_default());
                *self = Self::Several(Box::new(smallvec![first, (dialog, needs)]));
            }
            Self::Several(known) => {
                if let Some((_, before)) = known.iter_mut().find(|(of, _)| *of == dialog) {
                    *before = needs;
                } else if known.len() < EARLY_DIALOGS_MAX {
                    known.push((dialog, needs));
                }
            }
        }
    }

    /// Whether `dialog` has answered.
    #[must_use]
    pub fn hold(&self, dialog: u64) -> bool {
        match self {
            Self::Nobodys => false,
            Self::Of(first) => *first == dialog,
            Self::Several(known) => known.iter().any(|(of, _)| *of == dialog),
        }
    }

    /// What the answer of `dialog` needs, where others have answered too.
    #[must_use]
    pub fn needs_of(&self, dialog: u64) -> Option<Ask> {
        match self {
            Self::Nobodys | Self::Of(_) => None,
            Self::Several(known) => known.iter().find(|(of, _)| *of == dialog).map(|(_, needs)| *needs),
        }
    }
}

#[cfg(test)]
mod tests {
    use emcc_policies::admission::Rate;

    use super::*;

    fn ask(kbps: u32) -> Ask {
        Ask { audio: Rate::both(kbps), ..Ask::default() }
    }

    /// Notes answers as a call does, in their order: whose, and what it needs.
    fn noted(answers: impl IntoIterator<Item = (u64, u32)>) -> EarlyAnswers {
        let (mut early, mut last) = (EarlyAnswers::default(), None);
        for (dialog, kbps) in answers {
            early.note(dialog, ask(kbps), last);
            last = Some(ask(kbps));
        }
        early
    }

    #[test]
    fn rfc_6337_2_1_each_early_dialog_keeps_the_answer_it_gave_last() {
        let one = noted([(1, 10), (1, 20)]);
        assert_eq!((one.hold(1), one.hold(2), one.needs_of(1)), (true, false, None), "what the call notes is its own");
        let three = noted([(1, 10), (1, 20), (2, 30), (3, 40), (2, 50)]);
        for (dialog, kbps) in [(1, 20), (2, 50), (3, 40)] {
            assert_eq!((three.hold(dialog), three.needs_of(dialog)), (true, Some(ask(kbps))), "{dialog}");
        }
        assert_eq!((three.hold(4), three.needs_of(4)), (false, None));
    }

    #[test]
    fn no_more_early_dialogs_are_kept_than_may_be() {
        let max = u64::try_from(EARLY_DIALOGS_MAX).unwrap_or(u64::MAX);
        let many = noted((1..=max + 1).map(|dialog| (dialog, 10)));
        assert_eq!((many.hold(1), many.hold(max), many.hold(max + 1)), (true, true, false));
    }
}
