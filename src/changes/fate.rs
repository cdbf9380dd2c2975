//! What the deciding function says of all numbers of a shape at once, and where two configurations say something else.

use std::collections::HashMap;

use emcc_policies::digits::Digits;
use emcc_policies::numbers::{Budget, Part, Shape, Symbols, Traced};

use super::callers::Who;
use super::leave::Called;
use super::paired::{self, Pair};
use super::{Asked, Disagreement, Stopped, decided, read, read_in};
use crate::config::plan::Plan;
use crate::engine::decide::{Decision, NextHop, Target};
use crate::engine::reject::Reject;
use crate::neighbour::Address;

/// What asking about one shape costs, in steps of the search.
pub(super) const STEPS_PER_SHAPE: usize = 20_000;

/// Numbers that are decided otherwise in the same way.
pub(super) struct Found {
    pub(super) shapes: Vec<Shape>,
    /// One of them.
    pub(super) example: Digits,
    /// The turn of circular groups it shows at.
    pub(super) turn: usize,
}

/// A decision without the called numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Frame {
    emergency: bool,
    status: Option<u16>,
    hops: Vec<Hop>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Hop {
    kind: Kind,
    address: Address,
    calling: Option<Digits>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Trunk,
    Gateway,
    CallControl,
    Phone,
}

/// A called number as made from the one dialed, in words that fit numbers of other lengths too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Made {
    /// These digits, then the dialed ones without so many at the beginning and at the end.
    Dialed { before: Vec<u8>, without: usize, without_last: usize },
    /// Anything else.
    Parts(Vec<Part>),
}

/// What becomes of every number of a shape, at one turn.
#[derive(Clone)]
pub(super) struct Fate {
    frame: Frame,
    /// The called number of each hop.
    pub(super) called: Vec<Vec<Part>>,
    /// The number that is read in the one dialed (P-23).
    read: Traced,
}

/// A decision in a frame, and the called number of each hop.
type Framed = fn(&Decision, &Digits) -> (Frame, Vec<Digits>);

fn frame(decision: &Decision, read: &Digits) -> (Frame, Vec<Digits>) {
    let kind = |to| match to {
        NextHop::Remote(_) => Kind::Trunk,
        NextHop::Phone { .. } => Kind::Phone,
        NextHop::Peer(_) | NextHop::Named => Kind::CallControl,
    };
    let all = decision.next_hops.as_slice();
    let hops = all.iter().map(|hop| Hop {
        kind: if hop.is_gateway { Kind::Gateway } else { kind(hop.to) },
        address: hop.address,
        calling: hop.calling,
    });
    let status = decision.refusal.map(|refusal| Reject::Refusal(refusal).answer().status);
    let called = all.iter().map(|hop| hop.called.unwrap_or(*read)).collect();
    (Frame { emergency: decision.emergency, status, hops: hops.collect() }, called)
}

/// As [`frame`], with each address at its first place alone, and behind all of them those addresses again, with the number
/// each is asked for last. Whether the last resort asks a gateway again depends on what the route made of these very digits,
/// not on their shape (P-23): it does where the two numbers differ.
fn framed_twice(decision: &Decision, read: &Digits) -> (Frame, Vec<Digits>) {
    let (Frame { emergency, status, hops: all }, numbers) = frame(decision, read);
    let is_first = |place: &usize| {
        let address = all.get(*place).map(|hop| hop.address);
        all.iter().take(*place).all(|earlier| Some(earlier.address) != address)
    };
    let first: Vec<usize> = (0..all.len()).filter(is_first).collect();
    let last = first.iter().filter_map(|place| {
        let address = all.get(*place)?.address;
        all.iter().rposition(|hop| hop.address == address)
    });
    let called = first.iter().copied().chain(last).filter_map(|place| numbers.get(place).copied()).collect();
    let hops = first.iter().filter_map(|place| all.get(*place).cloned()).collect();
    (Frame { emergency, status, hops }, called)
}

/// Whether two decisions of one dialed number differ in what happens; `read` is the number each side reads in it.
pub(super) fn is_other(now: &Decision, next: &Decision, read: [&Digits; 2]) -> bool {
    let [of_now, of_next] = read;
    frame(now, of_now) != frame(next, of_next)
}

/// One configuration, as one caller meets it.
pub(super) struct Side<'a> {
    pub(super) plan: &'a Plan,
    /// The same without transformation patterns, if it has any.
    pub(super) bare: Option<&'a Plan>,
    pub(super) called: &'a Called<'a>,
    pub(super) who: &'a Who,
    pub(super) asked: &'a Asked,
}

impl<'a> Side<'a> {
    fn of(side: &'a paired::Side<'_>, who: &'a Who, asked: &'a Asked) -> Self {
        Self { plan: side.plan, bare: side.bare.as_ref(), called: &side.called, who, asked }
    }

    pub(super) fn decided(&self, dialed: &Digits, turn: usize) -> Result<Decision, Disagreement> {
        let decision = decided(self.plan, self.who, Target::Digits(*dialed), self.asked, turn);
        decision.ok_or(Disagreement { number: *dialed })
    }

    fn asked(&self, dialed: &Digits, turn: usize) -> Result<(Frame, Vec<Digits>), Disagreement> {
        self.asked_for(dialed, turn, frame)
    }

    fn asked_for(&self, dialed: &Digits, turn: usize, framed: Framed) -> Result<(Frame, Vec<Digits>), Disagreement> {
        Ok(framed(&self.decided(dialed, turn)?, &read(self.plan, dialed)))
    }

    /// What becomes of all numbers of a shape, which take one way.
    pub(super) fn fate(&self, shape: &Shape, turn: usize) -> Result<Fate, Disagreement> {
        self.fate_for(shape, turn, frame)
    }

    /// The pieces of a shape of which the last resort asks the same gateways again for all numbers (P-23).
    fn asked_again(&self, shape: Shape, turn: usize, budget: &mut Budget) -> Result<Vec<Shape>, Stopped> {
        if self.plan.routes.last_resort.is_empty() || !self.decided(&shape.example(), turn)?.emergency {
            return Ok(vec![shape]);
        }
        let (mut open, mut done) = (vec![shape], Vec::new());
        while let Some(shape) = open.pop() {
            budget.spend(STEPS_PER_SHAPE)?;
            let Some(place) = (0..shape.len()).find(|place| shape.at(*place).len() > 1) else {
                done.push(shape);
                continue;
            };
            let pieces = match self.fate_for(&shape, turn, framed_twice) {
                Ok(fate) => fate.by_numbers_asked_last(&shape),
                Err(_) => Vec::new(),
            };
            match pieces.len() {
                1 if self.fate(&shape, turn).is_ok() => done.push(shape),
                // These digits make something else of the number than their shape says: one after the other.
                0 | 1 => open.extend(shape.at(place).bytes().map(|byte| shape.with(place, Symbols::only(byte)))),
                _ => open.extend(pieces),
            }
        }
        Ok(done)
    }

    /// Asks about the first number of a shape, then about one for each bit of a place's number, with another character
    /// at every place that has that bit: a character of the called number came from the place whose bits it changed
    /// with.
    fn fate_for(&self, shape: &Shape, turn: usize, framed: Framed) -> Result<Fate, Disagreement> {
        let base = shape.example();
        let (frame, first) = self.asked_for(&base, turn, framed)?;
        let free: Vec<usize> = (0..shape.len()).filter(|place| shape.at(*place).len() > 1).collect();
        let number_of = |place: usize| free.iter().position(|known| *known == place).map_or(0, |at| at + 1);
        let mut codes: Vec<Vec<usize>> = first.iter().map(|number| vec![0; number.len()]).collect();
        let bits = if free.is_empty() { 0 } else { free.len().ilog2() + 1 };
        for bit in 0..bits {
            let dialed = shape.number(|place| number_of(place) >> bit & 1 == 1);
            let (other, called) = self.asked_for(&dialed, turn, framed)?;
            let alike = other == frame && called.iter().map(Digits::len).eq(first.iter().map(Digits::len));
            if !alike {
                return Err(Disagreement { number: dialed });
            }
            for (code, (a, b)) in codes.iter_mut().zip(first.iter().zip(&called)) {
                let pairs = a.as_bytes().iter().zip(b.as_bytes());
                for (code, (a, b)) in code.iter_mut().zip(pairs) {
                    *code |= usize::from(a != b) << bit;
                }
            }
        }
        let part = |(code, byte): (&usize, &u8)| match code.checked_sub(1) {
            None => Some(Part::Literal(*byte)),
            Some(at) => free.get(at).and_then(|place| u8::try_from(*place).ok()).map(Part::Place),
        };
        let called = codes.iter().zip(&first).map(|(codes, number)| {
            let parts: Option<Vec<Part>> = codes.iter().zip(number.as_bytes()).map(part).collect();
            parts.ok_or(Disagreement { number: base })
        });
        Ok(Fate { frame, called: called.collect::<Result<_, _>>()?, read: read_in(self.plan, &base) })
    }
}

/// What changes is told apart by, for one turn: both frames, and what is made of the numbers.
type Told = (Frame, Vec<Made>, Frame, Vec<Made>);

/// Of shapes in which every number takes one way as far as its hops, the numbers whose decisions differ, those alike
/// together.
pub(super) fn differences(
    pair: &Pair<'_>,
    who: &Who,
    asked: &Asked,
    shapes: Vec<Shape>,
    budget: &mut Budget,
    found: &mut Vec<Found>,
) -> Result<(), Stopped> {
    let mut places: HashMap<(usize, Told), usize> = HashMap::new();
    let (now, next) = (Side::of(&pair.now, who, asked), Side::of(&pair.next, who, asked));
    for shape in shapes {
        let mut left = vec![shape];
        // What differs at an earlier turn is told by that one.
        for turn in 0..pair.turns {
            let mut pieces = Vec::new();
            for shape in std::mem::take(&mut left) {
                for shape in now.leaving(shape, turn, budget)? {
                    pieces.extend(next.leaving(shape, turn, budget)?);
                }
            }
            let mut alike = Vec::new();
            for shape in pieces {
                for shape in now.asked_again(shape, turn, budget)? {
                    alike.extend(next.asked_again(shape, turn, budget)?);
                }
            }
            for shape in alike {
                let (old, new) = (now.fate(&shape, turn)?, next.fate(&shape, turn)?);
                let mut differing = Vec::new();
                if old.frame == new.frame {
                    parted(&old.called, &new.called, shape, &mut differing, &mut left);
                } else {
                    differing.push(shape);
                }
                for shape in differing {
                    let told = (old.frame.clone(), old.made(&shape), new.frame.clone(), new.made(&shape));
                    let place = *places.entry((turn, told)).or_insert(found.len());
                    match found.get_mut(place) {
                        Some(known) => known.shapes.push(shape),
                        None => {
                            let example = shape.example();
                            // The last word is the deciding function's.
                            if now.asked(&example, turn)? == next.asked(&example, turn)? {
                                return Err(Disagreement { number: example }.into());
                            }
                            found.push(Found { shapes: vec![shape], example, turn });
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Parts a shape into the numbers of which two lists of numbers made differ, and the others.
pub(super) fn parted<M: AsRef<[Part]>>(
    old: &[M],
    new: &[M],
    shape: Shape,
    differing: &mut Vec<Shape>,
    equal: &mut Vec<Shape>,
) {
    let lengths = |made: &[M]| made.iter().map(|parts| parts.as_ref().len()).collect::<Vec<_>>();
    if lengths(old) != lengths(new) {
        return differing.push(shape);
    }
    let (old, new) = (old.iter().flat_map(AsRef::as_ref), new.iter().flat_map(AsRef::as_ref));
    let pairs: Vec<(Part, Part)> = old.copied().zip(new.copied()).collect();
    let mut open = vec![(shape, pairs.as_slice())];
    while let Some((shape, pairs)) = open.pop() {
        let Some((pair, rest)) = pairs.split_first() else {
            equal.push(shape);
            continue;
        };
        match *pair {
            (a, b) if a == b => open.push((shape, rest)),
            (Part::Literal(a), Part::Literal(b)) if a != b => differing.push(shape),
            (Part::Place(place), Part::Literal(byte)) | (Part::Literal(byte), Part::Place(place)) => {
                let place = usize::from(place);
                let here = shape.at(place);
                let (same, other) = (here.both(Symbols::only(byte)), here.without(Symbols::only(byte)));
                if !other.is_empty() {
                    differing.push(shape.with(place, other));
                }
                if !same.is_empty() {
                    open.push((shape.with(place, same), rest));
                }
            }
            (Part::Place(a), Part::Place(_)) => {
                // Character by character, until one side is fixed.
                let place = usize::from(a);
                let here = shape.at(place);
                if here.len() > 1 {
                    open.extend(here.bytes().map(|byte| (shape.with(place, Symbols::only(byte)), pairs)));
                } else {
                    fixed(shape, *pair, rest, &mut open, differing);
                }
            }
            _ => open.push((shape, rest)),
        }
    }
}

/// Shapes in pieces, in each of which two numbers made are equal for all numbers or for none.
pub(super) fn by_equal(shapes: Vec<Shape>, one: &[Part], other: &[Part]) -> Vec<Shape> {
    let mut pieces = Vec::new();
    for shape in shapes {
        let mut equal = Vec::new();
        parted(&[one], &[other], shape, &mut pieces, &mut equal);
        pieces.append(&mut equal);
    }
    pieces
}

/// Two places, the first of which has one character: the second either has the same or differs.
fn fixed<'p>(
    shape: Shape,
    pair: (Part, Part),
    rest: &'p [(Part, Part)],
    open: &mut Vec<(Shape, &'p [(Part, Part)])>,
    differing: &mut Vec<Shape>,
) {
    let (Part::Place(a), Part::Place(b)) = pair else { return };
    let (a, b) = (usize::from(a), usize::from(b));
    let (same, other) = (shape.at(b).both(shape.at(a)), shape.at(b).without(shape.at(a)));
    if !other.is_empty() {
        differing.push(shape.with(b, other));
    }
    if !same.is_empty() {
        open.push((shape.with(b, same), rest));
    }
}

impl Fate {
    /// Of what was [framed twice](framed_twice): the pieces of the shape in which each address is asked for one number, or
    /// for two, whatever its digits.
    fn by_numbers_asked_last(&self, shape: &Shape) -> Vec<Shape> {
        let (first, last) = self.called.split_at(self.frame.hops.len().min(self.called.len()));
        let mut pieces = vec![shape.clone()];
        for (first, last) in first.iter().zip(last).filter(|(first, last)| first != last) {
            pieces = by_equal(pieces, first, last);
        }
        pieces
    }

    /// In words that fit an emergency number however it is written: what is made of the number that is read.
    fn made(&self, shape: &Shape) -> Vec<Made> {
        let whole = Traced::dialed(shape.len(), 0);
        if self.read == whole {
            return self.called.iter().map(|parts| made(parts, shape)).collect();
        }
        let symbols = |part: &Part| match *part {
            Part::Place(place) => shape.at(usize::from(place)),
            Part::Literal(byte) => Symbols::only(byte),
        };
        let inner = Shape::new(self.read.parts().iter().map(symbols));
        let place = |part: &Part| match *part {
            Part::Place(_) => self.read.parts().iter().position(|known| known == part),
            Part::Literal(_) => None,
        };
        let within = |part: &Part| place(part).and_then(|at| u8::try_from(at).ok()).map_or(*part, Part::Place);
        self.called.iter().map(|parts| made(&parts.iter().map(within).collect::<Vec<_>>(), &inner)).collect()
    }
}

/// A number in words that fit other lengths: the longest end of it that is an end of the dialed number.
pub(super) fn made(parts: &[Part], shape: &Shape) -> Made {
    let is_at = |part: &Part, place: usize| match *part {
        Part::Place(from) => usize::from(from) == place,
        Part::Literal(byte) => shape.at(place) == Symbols::only(byte),
    };
    for without_last in 0..=1 {
        let Some(end) = shape.len().checked_sub(without_last) else { continue };
        for without in 0..end {
            let Some(head) = parts.len().checked_sub(end - without) else { continue };
            let Some((before, tail)) = parts.split_at_checked(head) else { continue };
            let literals = before.iter().map(|part| match *part {
                Part::Literal(byte) => Some(byte),
                Part::Place(_) => None,
            });
            let literals: Option<Vec<u8>> = literals.collect();
            if let Some(before) = literals.filter(|_| tail.iter().zip(without..).all(|(part, at)| is_at(part, at))) {
                return Made::Dialed { before, without, without_last };
            }
        }
    }
    Made::Parts(parts.to_vec())
}
