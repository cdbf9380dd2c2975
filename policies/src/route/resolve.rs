//! Route lists to hops.

use std::sync::Arc;

use super::{
    Caller, DevicePoolId, Distribution, Hop, Hops, LocalRouteGroupId, LocalRouteGroups, NextHop, PeerId, PeerKind,
    RouteGroupId, RouteListId, Transformations, add,
};
use crate::digits::{Digits, TooLong, Transform};
use crate::emergency::{EmergencyNumbers, number_of};
use crate::search_space::{Row, Target};
use crate::trail::{Step, Trail};

/// A member of a route list (P-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// A route group.
    Group(RouteGroupId),
    /// The Standard Local Route Group.
    Standard,
    /// A named local route group.
    Named(LocalRouteGroupId),
}

/// Members in priority order, each with the transform that replaces the pattern's, if it has one (D-23).
#[derive(Clone, Debug, Default)]
pub struct RouteList {
    /// The members.
    pub members: Vec<(Member, Option<Transform>)>,
}

/// Peers that do the same job.
#[derive(Clone, Debug, Default)]
pub struct RouteGroup {
    /// The peers, in order.
    pub peers: Box<[PeerId]>,
    /// Where trying them begins.
    pub distribution: Distribution,
}

/// The routes of a cluster; every id is a place in its table.
#[derive(Clone, Debug, Default)]
pub struct RouteBook {
    /// Route lists by [`RouteListId`].
    pub lists: Vec<RouteList>,
    /// Route groups by [`RouteGroupId`].
    pub groups: Vec<RouteGroup>,
    /// What each peer is, by [`PeerId`].
    pub peers: Vec<PeerKind>,
    /// Peers an emergency call is left to when everything else failed, in order (P-23).
    pub last_resort: Vec<PeerId>,
    /// What is an emergency number, and behind which access codes: a dial plan may have one in that form alone (P-23).
    pub emergency: Arc<EmergencyNumbers>,
    /// Transformation patterns, where there are any (D-24).
    pub transformations: Option<Arc<Transformations>>,
}

/// A number on its way out, and whose.
#[derive(Clone, Copy)]
pub struct Outbound<'a> {
    /// The row that won.
    pub row: &'a Row,
    /// The number it matched, before any transform of its own.
    pub dialed: &'a Digits,
    /// The calling number, translations done.
    pub calling: Option<&'a Digits>,
    /// Whose call.
    pub caller: Caller<'a>,
    /// For each circular group, the place of the peer whose turn it is; taken modulo its size.
    pub turns: &'a dyn Fn(RouteGroupId) -> usize,
}

/// Why a call has no hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No pattern matches.
    NoMatch,
    /// Only longer numbers match.
    Incomplete,
    /// A blocking pattern won (D-14).
    Blocked,
    /// Translations did not end (D-15).
    StillTranslating,
    /// A visiting phone's call that leads to no gateway of this cluster (P-12).
    NotCoLocated,
    /// Every member is a local route group that stands for nothing, or empty (P-22).
    Exhausted,
    /// An intercom line, called by an EMCC phone (table 4).
    Intercom,
}

impl RouteBook {
    /// The hops a winning row leads to, in order.
    ///
    /// # Errors
    /// It leads nowhere, or nowhere this caller may go.
    pub fn resolve(&self, call: &Outbound<'_>, trail: &mut Trail) -> Result<Hops, NoRoute> {
        match call.row.target {
            Target::RouteList(list) => self.by_list(list, call, trail),
            Target::DirectoryNumber { peer, intercom } => self.to_phone(peer, intercom, call),
            Target::Block => Err(NoRoute::Blocked),
            Target::Translate { .. } => Err(NoRoute::StillTranslating),
        }
    }

    fn by_list(&self, list: RouteListId, call: &Outbound<'_>, trail: &mut Trail) -> Result<Hops, NoRoute> {
        let mut hops = Hops::new();
        let mut forbidden = false;
        let members = self.lists.get(list.0 as usize).map(|list| list.members.as_slice()).unwrap_or_default();
        for (place, (member, own)) in (1..).zip(members) {
            let (called, calling) = match numbers(call, own.as_ref()) {
                Ok(numbers) => numbers,
                Err(why) => {
                    trail.push(match why {
                        NoNumber::TooLong => Step::TooLong { list, member: place },
                        NoNumber::Empty => Step::NoDigitsLeft { list, member: place },
                    });
                    continue;
                }
            };
            let group = match (call.caller, local(*member)) {
                (_, None) => group_of(*member),
                (Caller::RoamingAtHome, Some(_)) => {
                    trail.push(Step::TrunkToVisiting);
                    add(&mut hops, Hop { to: NextHop::TrunkToVisiting, called: Some(called), calling });
                    continue;
                }
                (Caller::Visiting { pool, groups } | Caller::Local { pool, groups }, Some(name)) => {
                    looked_up(pool, groups, name, trail)
                }
            };
            for peer in group.into_iter().flat_map(|group| self.in_turn(group, call.turns)) {
                if matches!(call.caller, Caller::Visiting { .. }) && self.kind(peer) != Some(PeerKind::Gateway) {
                    trail.push(Step::NotCoLocated { peer });
                    forbidden = true;
                    continue;
                }
                add(&mut hops, Hop { to: NextHop::Peer(peer), called: Some(called), calling });
            }
        }
        match (hops.is_empty(), forbidden) {
            (false, _) => Ok(hops),
            (true, true) => Err(NoRoute::NotCoLocated),
            (true, false) => Err(NoRoute::Exhausted),
        }
    }

    fn to_phone(&self, peer: Option<PeerId>, intercom: bool, call: &Outbound<'_>) -> Result<Hops, NoRoute> {
        match call.caller {
            Caller::Visiting { .. } => return Err(NoRoute::NotCoLocated),
            Caller::RoamingAtHome if intercom => return Err(NoRoute::Intercom),
            _ => {}
        }
        let (called, calling) = numbers(call, None).map_err(|_| NoRoute::NoMatch)?;
        let mut hops = Hops::new();
        let any = (0..).map(PeerId).zip(&self.peers).filter(|(_, kind)| **kind == PeerKind::CallControl);
        let any = any.map(|(id, _)| id).filter(|_| peer.is_none());
        for peer in peer.into_iter().chain(any) {
            add(&mut hops, Hop { to: NextHop::Peer(peer), called: Some(called), calling });
        }
        if hops.is_empty() { Err(NoRoute::Exhausted) } else { Ok(hops) }
    }

    /// What each member of a route list does to the numbers of a row, in order: whoever calls, and whether or not the
    /// member leads anywhere.
    pub fn transforms<'a>(
        &'a self,
        list: RouteListId,
        row: &'a Row,
    ) -> impl Iterator<Item = (Member, Transform)> + use<'a> {
        let members = self.lists.get(list.0 as usize).map(|list| list.members.as_slice()).unwrap_or_default();
        members.iter().map(|(member, own)| (*member, in_place_of(&row.transform, own.as_ref())))
    }

    /// What a peer is; nothing for an id of another plan.
    #[must_use]
    pub fn kind(&self, peer: PeerId) -> Option<PeerKind> {
        self.peers.get(peer.0 as usize).copied()
    }

    fn in_turn(&self, id: RouteGroupId, turns: &dyn Fn(RouteGroupId) -> usize) -> impl Iterator<Item = PeerId> {
        let group = self.groups.get(id.0 as usize);
        let peers = group.map(|group| &*group.peers).unwrap_or_default();
        let first = match group.map(|group| group.distribution) {
            Some(Distribution::Circular) => turns(id).checked_rem(peers.len()).unwrap_or(0),
            _ => 0,
        };
        let (before, from) = peers.split_at_checked(first).unwrap_or_default();
        from.iter().chain(before).copied()
    }
}

/// Why a call cannot leave by a member: of one of its numbers there is too much, or of the called one nothing.
enum NoNumber {
    TooLong,
    Empty,
}

impl From<TooLong> for NoNumber {
    fn from(_: TooLong) -> Self {
        Self::TooLong
    }
}

/// Both numbers as they leave by one member. A Request-URI without a user names nobody; an emergency that a transform
/// leaves nothing of leaves by its own number.
fn numbers(call: &Outbound<'_>, own: Option<&Transform>) -> Result<(Digits, Option<Digits>), NoNumber> {
    let transform = in_place_of(&call.row.transform, own);
    let called = transform.called(&call.row.pattern, call.dialed)?;
    let called = if called.is_empty() && call.row.emergency { number_of(call.row, call.dialed) } else { called };
    if called.is_empty() {
        return Err(NoNumber::Empty);
    }
    Ok((called, transform.calling(call.calling)?))
}

/// A member's transform in place of the pattern's, on the digits as dialed (D-23); a member without a discard instruction
/// of its own keeps the pattern's (D-22).
fn in_place_of(of_pattern: &Transform, own: Option<&Transform>) -> Transform {
    own.map_or(*of_pattern, |own| Transform { discard: own.discard.or(of_pattern.discard), ..*own })
}

/// A local route group's name: none is the standard one.
fn local(member: Member) -> Option<Option<LocalRouteGroupId>> {
    match member {
        Member::Group(_) => None,
        Member::Standard => Some(None),
        Member::Named(name) => Some(Some(name)),
    }
}

fn group_of(member: Member) -> Option<RouteGroupId> {
    match member {
        Member::Group(group) => Some(group),
        Member::Standard | Member::Named(_) => None,
    }
}

fn looked_up(
    pool: Option<DevicePoolId>,
    groups: &LocalRouteGroups,
    name: Option<LocalRouteGroupId>,
    trail: &mut Trail,
) -> Option<RouteGroupId> {
    let group = match name {
        None => groups.standard,
        Some(name) => groups.named.iter().find(|(known, _)| *known == name).map(|(_, group)| *group),
    };
    trail.push(Step::LocalRouteGroup { pool, group });
    group
}
