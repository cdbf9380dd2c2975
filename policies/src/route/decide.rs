//! One call from its dialed number to its hops: analysis, route, and for an emergency what follows when either fails.

use smallvec::SmallVec;

use super::transformation::Leaving;
use super::{Caller, Hop, Hops, NextHop, NoRoute, Outbound, PeerKind, RouteBook, RouteGroupId, add, add_called};
use crate::digits::Digits;
use crate::emergency::{Alarm, Emergency, GoesOn, goes_on_after, number_of};
use crate::moment::Civil;
use crate::search_space::{Analysis, CssId, DialPlan, Outcome, PatternId};
use crate::trail::{Step, Trail};

/// A call to be routed.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The search spaces in effect, in order.
    pub css: &'a [CssId],
    /// The called number; none: a service URN, which no pattern matches.
    pub dialed: Option<Digits>,
    /// The caller's number, if known.
    pub calling: Option<Digits>,
    /// Who calls.
    pub caller: Caller<'a>,
    /// That it is an emergency call, recognised before (P-23).
    pub emergency: Option<Emergency>,
    /// When.
    pub at: Civil,
    /// For each circular group, the place of the peer whose turn it is.
    pub turns: &'a dyn Fn(RouteGroupId) -> usize,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The pattern that won the last pass; none when nothing matched there.
    pub won: Option<PatternId>,
    /// Translations on the way, in order.
    pub translations: SmallVec<[PatternId; 4]>,
    /// It is an emergency call: recognised before, or a pattern on the way is one.
    pub emergency: bool,
    /// Places to try, in order; an emergency's last resort included.
    pub hops: Hops,
    /// Why there is none, or why an emergency call had to go on past analysis.
    pub refused: Option<NoRoute>,
    /// What somebody has to be told.
    pub alarms: SmallVec<[Alarm; 3]>,
}

/// Where an analysis leads.
struct Followed {
    hops: Hops,
    /// The emergency number a pattern flagged so was reached by through translations, where it leads to a gateway: the
    /// PSTN's own. One that leads to no gateway is known in this cluster alone.
    translated: Option<Digits>,
}

/// Routes one call. The steps are added to `trail`.
#[must_use]
pub fn decide(plan: &DialPlan, book: &RouteBook, call: &Call<'_>, trail: &mut Trail) -> Decision {
    if let Some(emergency) = call.emergency {
        trail.push(Step::EmergencyRecognised(emergency.by));
    }
    let mut decision = Decision {
        won: None,
        translations: SmallVec::new(),
        emergency: call.emergency.is_some(),
        hops: Hops::new(),
        refused: None,
        alarms: SmallVec::new(),
    };
    let analysis = call.dialed.map(|dialed| plan.analyse(call.css, &dialed, call.calling.as_ref(), call.at));
    let routed = match &analysis {
        Some(analysis) => decision.follow(plan, book, call, analysis, trail),
        None => Err(NoRoute::NoMatch),
    };
    let mut translated = None;
    match routed {
        Ok(followed) => (decision.hops, translated) = (followed.hops, followed.translated),
        Err(why) => {
            trail.push(Step::NoRoute(why));
            decision.refused = Some(why);
        }
    }
    if decision.emergency {
        let recognised = call.emergency.unwrap_or_else(|| {
            let found = Emergency::on_the_way(call.dialed, plan, analysis.as_ref());
            trail.push(Step::EmergencyRecognised(found.by));
            found
        });
        decision.go_on(plan, book, call, &recognised, translated, trail);
    }
    decision
}

impl Decision {
    /// Takes in what an analysis found, and resolves it.
    fn follow(
        &mut self,
        plan: &DialPlan,
        book: &RouteBook,
        call: &Call<'_>,
        analysis: &Analysis,
        trail: &mut Trail,
    ) -> Result<Followed, NoRoute> {
        self.emergency |= analysis.emergency;
        trail.extend(analysis.translations.iter().map(|&pattern| Step::Translated { pattern }));
        self.translations.clone_from(&analysis.translations);
        self.won = analysis.outcome.row();
        trail.extend(self.won.map(|pattern| Step::MatchWon { pattern }));
        match &analysis.outcome {
            Outcome::Found { row, dialed, calling } => {
                let row = plan.row(*row).ok_or(NoRoute::NoMatch)?;
                let outbound =
                    Outbound { row, dialed, calling: calling.as_ref(), caller: call.caller, turns: call.turns };
                let mut hops = book.resolve(&outbound, trail)?;
                for hop in &mut hops {
                    self.leave(book, hop, *calling, call.at, trail);
                }
                let is_gateway = |hop: &Hop| hop.to.peer().and_then(|id| book.kind(id)) == Some(PeerKind::Gateway);
                let is_known_outside = row.emergency && !self.translations.is_empty() && hops.iter().any(is_gateway);
                Ok(Followed { hops, translated: is_known_outside.then(|| number_of(row, dialed)) })
            }
            Outcome::Blocked { .. } => Err(NoRoute::Blocked),
            Outcome::Nothing => Err(NoRoute::NoMatch),
            Outcome::OnlyBeginnings => Err(NoRoute::Incomplete),
            Outcome::StillTranslating { .. } => Err(NoRoute::StillTranslating),
        }
    }

    /// Where an emergency call goes after what its search space gave, or in its place (P-23).
    fn go_on(
        &mut self,
        plan: &DialPlan,
        book: &RouteBook,
        call: &Call<'_>,
        recognised: &Emergency,
        mut translated: Option<Digits>,
        trail: &mut Trail,
    ) {
        if let Some(why) = self.refused {
            let mut tried = None;
            while let Some(next) = goes_on_after(call.caller, tried).filter(|_| self.hops.is_empty()) {
                tried = Some(next);
                if next == GoesOn::LastResort && book.last_resort.is_empty() {
                    trail.push(Step::NoLastResort);
                    break;
                }
                trail.push(Step::EmergencyGoesOn { why, to: next });
                self.alarms.push(Alarm::WentOn { why, to: next });
                match next {
                    GoesOn::TrunkToVisiting => self.add_trunk(book, call, recognised, trail),
                    GoesOn::EmergencyPatterns => {
                        translated = self.by_any_emergency_pattern(plan, book, call, recognised, trail);
                    }
                    GoesOn::LastResort => break,
                }
            }
        }
        if matches!(call.caller, Caller::RoamingAtHome)
            && !self.hops.iter().any(|hop| hop.to == NextHop::TrunkToVisiting)
        {
            // Who needs help is there, whatever the home dial plan has before.
            trail.push(Step::EmergencyWherePhoneIs);
            self.add_trunk(book, call, recognised, trail);
        }
        // Not as it leaves to any hop: what a route makes of it, a responder's number or a prefix, is for that hop alone.
        // A number that only has digits before it, a responder's (5911), is known to nobody outside either, whatever takes it.
        let is_prefixed = |made: &Digits| {
            recognised.number.is_some_and(|number| {
                made.len() > number.len() && made.as_bytes().ends_with(number.as_bytes()) && !number.is_empty()
            })
        };
        let called = translated.filter(|made| !is_prefixed(made)).or(recognised.number);
        if !book.last_resort.is_empty() {
            trail.push(Step::LastResort);
        }
        for &peer in &book.last_resort {
            let mut hop = Hop { to: NextHop::Peer(peer), called, calling: call.calling };
            self.leave(book, &mut hop, call.calling, call.at, trail);
            add_called(&mut self.hops, hop);
        }
    }

    /// The numbers of a hop as its trunk or gateway wants them; `calling` as it was before the route (D-24).
    fn leave(&self, book: &RouteBook, hop: &mut Hop, calling: Option<Digits>, at: Civil, trail: &mut Trail) {
        if let Some(transformations) = &book.transformations {
            transformations.apply(hop, Leaving { calling, is_emergency: self.emergency, at }, trail);
        }
    }

    /// Adds the way over the trunk to where an EMCC phone is.
    fn add_trunk(&mut self, book: &RouteBook, call: &Call<'_>, recognised: &Emergency, trail: &mut Trail) {
        let (called, calling) = (recognised.number, call.calling);
        let mut hop = Hop { to: NextHop::TrunkToVisiting, called, calling };
        self.leave(book, &mut hop, calling, call.at, trail);
        add(&mut self.hops, hop);
    }

    /// Takes the hops of the first emergency pattern that has some; gives back the number it was reached by, as in
    /// [`Followed`]. The caller's own search space is asked first: where every site has an emergency pattern of its own,
    /// those of the others match as closely and lead to the wrong place.
    fn by_any_emergency_pattern(
        &mut self,
        plan: &DialPlan,
        book: &RouteBook,
        call: &Call<'_>,
        recognised: &Emergency,
        trail: &mut Trail,
    ) -> Option<Digits> {
        let calling = call.calling.as_ref();
        let own = |number| plan.analyse(call.css, &number, calling, call.at);
        let any = |number| plan.analyse_emergency(&number, calling, call.at);
        let tried = || recognised.tried_in_patterns(&book.emergency.access_codes);
        let found = tried().map(own).chain(tried().map(any));
        for analysis in found {
            if !analysis.emergency || !matches!(analysis.outcome, Outcome::Found { .. }) {
                continue;
            }
            if let Ok(followed) = self.follow(plan, book, call, &analysis, trail) {
                self.hops = followed.hops;
                return followed.translated;
            }
        }
        // The closest one leads nowhere from this caller's device pool; another partition's may.
        for dialed in tried() {
            for row in plan.emergency_rows(&dialed) {
                let outcome = Outcome::Found { row, dialed, calling: call.calling };
                let analysis = Analysis { outcome, translations: SmallVec::new(), emergency: true };
                if let Ok(followed) = self.follow(plan, book, call, &analysis, trail) {
                    self.hops = followed.hops;
                    return followed.translated;
                }
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
