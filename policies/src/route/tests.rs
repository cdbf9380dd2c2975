//! Claims about routes, on the dial plans of a pair of clusters: HQ is home, BR is visited.

use std::sync::Arc;

use super::*;
use crate::digits::{Digits, Discard, Mask, Pattern, Transform};
use crate::emergency::{Called, EmergencyNumbers};
use crate::pstn_access::{Arrival, ClusterId, NamedPhone, PstnAccessCss, TrunkSide, accept};
use crate::route::{DevicePoolId, Distribution, LocalRouteGroupId, LocalRouteGroups, Member, PeerId, PeerKind};
use crate::route::{RouteGroup, RouteList, RouteListId, TransformSpaces, Transformations};
use crate::search_space::{DialPlanBuilder, Hours, PartitionId, Row, Target, TranslateCss, of_emcc_phone, of_phone};
use crate::trail::Numbers;

fn digits(text: &str) -> Digits {
    Digits::from_bytes(text.as_bytes()).unwrap()
}

struct Cluster {
    plan: DialPlan,
    book: RouteBook,
    peers: &'static [&'static str],
    css: Vec<CssId>,
}

const LOCAL: RouteListId = RouteListId(0);

/// Builds one cluster: partitions by number, search spaces as lists of them, rows as (pattern, partition, target).
fn cluster(
    partitions: u32,
    spaces: &[&[u32]],
    rows: &[(&str, u32, Target, bool)],
    book: RouteBook,
    peers: &'static [&'static str],
) -> Cluster {
    let mut builder = DialPlanBuilder::default();
    for _ in 0..partitions {
        builder.partition(None);
    }
    let css = spaces.iter().map(|space| builder.css(&space.iter().copied().map(PartitionId).collect::<Vec<_>>()));
    let css = css.collect();
    for (text, partition, target, emergency) in rows {
        let pattern = Pattern::parse(text).unwrap();
        let discard = pattern.has_dot().then_some(Discard::PreDot);
        let called_mask = matches!(target, Target::Translate { .. }).then(|| Mask::parse("999").unwrap());
        builder.row(Row {
            pattern,
            partition: Some(PartitionId(*partition)),
            urgent: *emergency,
            emergency: *emergency,
            transform: Transform { discard, called_mask, ..Transform::default() }.into(),
            target: *target,
        });
    }
    Cluster { plan: builder.build(), book, peers, css }
}

const PHONES: Target = Target::DirectoryNumber { peer: Some(PeerId(0)), intercom: false };
const OUT: Target = Target::RouteList(LOCAL);

// Search spaces of HQ.
const HQ_TRUNK: usize = 0;
const ADJUNCT_LONDON: usize = 1;
const LINE: usize = 2;
const EMCC: usize = 3;
const HQ_PHONE: usize = 4;

fn hq() -> Cluster {
    let (emergency, london, local, internal) = (0, 1, 2, 3);
    let by_hq = Target::RouteList(RouteListId(1));
    cluster(
        4,
        &[&[emergency, local], &[london], &[internal, emergency], &[local], &[internal, emergency, local]],
        &[
            ("9.999", london, OUT, true),
            ("9.911", emergency, OUT, true),
            ("911", emergency, OUT, true),
            ("9.1[2-9]XX[2-9]XXXXXX", local, by_hq, false),
            ("9.0!", local, OUT, false),
            ("9.1900!", local, Target::Block, false),
            ("5XXX", internal, PHONES, false),
        ],
        RouteBook {
            lists: vec![
                RouteList { members: vec![(Member::Standard, None)] },
                RouteList { members: vec![(Member::Group(RouteGroupId(0)), None)] },
            ],
            groups: vec![RouteGroup { peers: [PeerId(1)].into(), distribution: Distribution::TopDown }],
            peers: vec![PeerKind::CallControl, PeerKind::Gateway],
            last_resort: vec![PeerId(1)],
            ..RouteBook::default()
        },
        &["cc-hq", "gw-hq"],
    )
}

// Search spaces of BR.
const BR_TRUNK: usize = 0;
const BR_PHONE: usize = 1;

fn br() -> Cluster {
    let (emergency, translate, national, europe, internal) = (0, 1, 2, 3, 4);
    cluster(
        5,
        &[&[emergency, translate, national], &[emergency, europe, national, internal], &[emergency]],
        &[
            ("911", translate, Target::Translate { css: TranslateCss::Css(CssId(2)) }, true),
            ("999", emergency, OUT, true),
            ("112", europe, OUT, true),
            ("0!", national, OUT, false),
            ("7XXX", internal, PHONES, false),
        ],
        RouteBook {
            lists: vec![RouteList { members: vec![(Member::Standard, None)] }],
            groups: vec![
                RouteGroup { peers: [PeerId(1), PeerId(2)].into(), distribution: Distribution::TopDown },
                RouteGroup { peers: [PeerId(3)].into(), distribution: Distribution::TopDown },
            ],
            peers: vec![PeerKind::CallControl, PeerKind::Gateway, PeerKind::Gateway, PeerKind::Gateway],
            last_resort: vec![PeerId(2)],
            ..RouteBook::default()
        },
        &["cc-br", "gw-br-1", "gw-br-2", "gw-trunk-pool"],
    )
}

/// The pool whose Standard Local Route Group is that route group.
fn pool(group: u32) -> LocalRouteGroups {
    LocalRouteGroups { standard: Some(RouteGroupId(group)), named: vec![(LocalRouteGroupId(0), RouteGroupId(group))] }
}

impl Cluster {
    fn decide(&self, css: &[CssId], dialed: &str, caller: Caller<'_>, marked: bool) -> (Decision, Trail) {
        let (mut trail, dialed) = (Trail::new(), digits(dialed));
        let emergency = self.book.emergency.recognise(&self.plan, Called::Number(&dialed), marked);
        let (calling, turns) = (None, &(|_| 0usize) as &dyn Fn(RouteGroupId) -> usize);
        let call = Call { css, dialed: Some(dialed), calling, caller, emergency, at: Civil(0), turns };
        (decide(&self.plan, &self.book, &call, &mut trail), trail)
    }

    /// Hops as `name:called`, or why there is none.
    fn told(&self, decision: &Decision) -> String {
        let hop = |hop: &Hop| {
            let name = match hop.to {
                NextHop::TrunkToVisiting => "trunk",
                NextHop::Peer(peer) => self.peers[peer.0 as usize],
            };
            format!("{name}:{}", hop.called.map_or_else(|| "-".to_owned(), |called| called.to_string()))
        };
        match decision.hops.is_empty() {
            true => format!("{:?}", decision.refused.unwrap()),
            false => decision.hops.iter().map(hop).collect::<Vec<_>>().join(" "),
        }
    }

    fn spaces(&self, of: &[usize]) -> Vec<CssId> {
        of.iter().map(|place| self.css[*place]).collect()
    }

    fn won(&self, decision: &Decision) -> &str {
        decision.won.and_then(|id| self.plan.row(id)).map_or("-", |row| row.pattern.text())
    }
}

/// Alice of HQ, logged in on a phone in London.
#[test]
fn a_roaming_phone_at_home_leaves_over_the_trunk_by_a_local_route_group_p4_trap_10() {
    let hq = hq();
    let css = of_emcc_phone(Some(hq.css[ADJUNCT_LONDON]), Some(hq.css[LINE]), Some(hq.css[EMCC]));
    for (dialed, won, want, emergency) in [
        ("9999", "9.999", "trunk:999 gw-hq:999", true),
        ("9911", "9.911", "trunk:911 gw-hq:911", true),
        ("911", "911", "trunk:911 gw-hq:911", true),
        ("912125551234", "9.1[2-9]XX[2-9]XXXXXX", "gw-hq:12125551234", false),
        ("902071234567", "9.0!", "trunk:02071234567", false),
        ("919005551234", "9.1900!", "Blocked", false),
        ("5002", "5XXX", "cc-hq:5002", false),
        ("999", "-", "Incomplete", false),
        ("112", "-", "NoMatch", false),
        ("50", "-", "Incomplete", false),
    ] {
        let (decision, _) = hq.decide(&css, dialed, Caller::RoamingAtHome, false);
        assert_eq!((hq.told(&decision).as_str(), hq.won(&decision)), (want, won), "{dialed}");
        assert_eq!(decision.emergency, emergency, "{dialed}");
        assert!(decision.alarms.is_empty());
    }
}

/// P-18: with an emergency responder that serves both clusters there is no adjunct CSS; the number is home's own, and
/// leads to home's responder. Where that fails, the call is tried where the phone is before the last resort (P-23).
#[test]
fn without_an_adjunct_css_an_emergency_number_leads_where_home_says_p18() {
    let (to_responder, by_location) = (Target::RouteList(RouteListId(1)), OUT);
    let book = hq().book;
    let rows = [("911", 0, to_responder, true), ("9.0!", 0, by_location, false)];
    let home = cluster(1, &[&[0]], &rows, book, &["cc-hq", "gw-hq"]);
    let css = of_emcc_phone(None, Some(home.css[0]), None);
    let told = |dialed| home.told(&home.decide(&css, dialed, Caller::RoamingAtHome, false).0);
    assert_eq!(told("911"), "gw-hq:911 trunk:911");
    assert_eq!(told("9012"), "trunk:012");
}

#[test]
fn any_other_phone_leaves_by_the_local_route_group_of_its_pool_p22() {
    let (hq, groups) = (hq(), pool(0));
    let css = of_phone(Some(hq.css[LINE]), Some(hq.css[HQ_PHONE]));
    let caller = Caller::Local { pool: Some(DevicePoolId(0)), groups: &groups };
    for (dialed, want) in [
        ("9911", "gw-hq:911"),
        ("902071234567", "gw-hq:02071234567"),
        ("5001", "cc-hq:5001"),
        ("919005551234", "Blocked"),
        // Not in this phone's search space, but an emergency pattern of the cluster.
        ("9999", "gw-hq:999"),
    ] {
        assert_eq!(hq.told(&hq.decide(&css, dialed, caller, false).0), want, "{dialed}");
    }
    let (decision, _) = hq.decide(&css, "9999", caller, false);
    assert_eq!((hq.won(&decision), decision.refused), ("9.999", Some(NoRoute::NoMatch)));
    let to = GoesOn::EmergencyPatterns;
    assert_eq!(decision.alarms.as_slice(), [Alarm::WentOn { why: NoRoute::NoMatch, to }]);
    // Trap 10 the other way round: the pool has no such group, and the call fails.
    let none = LocalRouteGroups::default();
    let caller = Caller::Local { pool: None, groups: &none };
    assert_eq!(hq.told(&hq.decide(&css, "902071234567", caller, false).0), "Exhausted");
    assert_eq!(hq.told(&hq.decide(&css, "9911", caller, false).0), "gw-hq:911");
}

/// Two sites, each with an emergency pattern of its own in a partition of its own, and its own gateway behind it.
#[test]
fn an_emergency_that_goes_on_asks_the_callers_own_search_space_before_those_of_other_sites_p23() {
    let site = |list| Target::RouteList(RouteListId(list));
    let member = |group| RouteList { members: vec![(Member::Group(RouteGroupId(group)), None)] };
    let group = |peer| RouteGroup { peers: [PeerId(peer)].into(), distribution: Distribution::TopDown };
    let book = RouteBook {
        lists: vec![member(0), member(1)],
        groups: vec![group(0), group(1)],
        peers: vec![PeerKind::Gateway; 2],
        last_resort: vec![],
        emergency: Arc::new(EmergencyNumbers { numbers: vec![digits("911")], access_codes: vec![digits("9")] }),
        transformations: None,
    };
    let rows = [
        ("911", 0, site(0), true),
        ("911", 1, site(1), true),
        ("!", 2, Target::Block, false),
        // A site that has the number behind its access code alone.
        ("9.911", 3, site(1), true),
    ];
    let sites = cluster(4, &[&[0], &[1], &[2], &[2, 1], &[3]], &rows, book, &["gw-a", "gw-b"]);
    let groups = LocalRouteGroups::default();
    for caller in [Caller::Local { pool: None, groups: &groups }, Caller::Visiting { pool: None, groups: &groups }] {
        for (space, want) in (0..).zip(["gw-a:911", "gw-b:911", "gw-a:911", "gw-b:911", "gw-b:911"]) {
            let told = |dialed| sites.told(&sites.decide(&[sites.css[space]], dialed, caller, false).0);
            assert_eq!((told("911"), told("9911")), (want.to_owned(), want.to_owned()), "search space {space}");
            let urn = sites.book.emergency.recognise(&sites.plan, Called::Uri(b"urn:service:sos"), false);
            let (css, turns) = ([sites.css[space]], &(|_| 0usize) as &dyn Fn(RouteGroupId) -> usize);
            let call = Call { css: &css, dialed: None, calling: None, caller, emergency: urn, at: Civil(0), turns };
            assert_eq!(sites.told(&decide(&sites.plan, &sites.book, &call, &mut Trail::new())), want, "the URN");
        }
    }
}

/// The closest pattern asks for a local route group that the caller's pool does not have.
#[test]
fn an_emergency_that_goes_on_tries_every_emergency_pattern_of_its_number_p23() {
    let named = RouteList { members: vec![(Member::Named(LocalRouteGroupId(7)), None)] };
    let mut book = hq().book;
    book.last_resort.clear();
    book.lists.push(named);
    let nowhere = Target::RouteList(RouteListId(2));
    let rows = [("911", 0, nowhere, true), ("91[1-3]", 1, OUT, true), ("911", 2, Target::Block, true)];
    let hq = cluster(3, &[&[0]], &rows, book, &["cc-hq", "gw-hq"]);
    let groups = pool(0);
    let equal = [("911", 0, nowhere, true), ("911", 1, OUT, true), ("91[1-3]", 2, Target::Block, true)];
    let same = cluster(3, &[&[0]], &equal, hq.book.clone(), hq.peers);
    for caller in [Caller::Local { pool: None, groups: &groups }, Caller::Visiting { pool: None, groups: &groups }] {
        assert_eq!(same.told(&same.decide(&[same.css[0]], "911", caller, false).0), "gw-hq:911");
        let (decision, _) = hq.decide(&hq.spaces(&[0]), "911", caller, false);
        assert_eq!((hq.told(&decision).as_str(), hq.won(&decision)), ("gw-hq:911", "91[1-3]"));
        assert_eq!(decision.refused, Some(NoRoute::Exhausted));
    }
}

/// RFC 3261 section 25.1: a `sip` URI without a user names nobody.
#[test]
fn a_transform_that_leaves_nothing_of_this_number_is_no_way_and_never_for_an_emergency_d22_p23() {
    let rows = [("41.X?", 0, OUT, false), ("42.X?", 0, PHONES, false), ("08.X?", 0, OUT, true)];
    let mut book = hq().book;
    book.last_resort.clear();
    let hq = cluster(1, &[&[0]], &rows, book, &["cc-hq", "gw-hq"]);
    let groups = pool(0);
    let caller = Caller::Local { pool: None, groups: &groups };
    for (dialed, want) in [("415", "gw-hq:5"), ("41", "Exhausted"), ("42", "NoMatch"), ("08", "gw-hq:08")] {
        let (decision, trail) = hq.decide(&hq.spaces(&[0]), dialed, caller, false);
        assert_eq!(hq.told(&decision), want, "{dialed}");
        let is_told = trail.iter().any(|step| matches!(step, Step::NoDigitsLeft { member: 1, .. }));
        assert_eq!(is_told, want == "Exhausted", "{dialed}");
    }
}

/// The phone in London, its call come over the trunk. Trap 11: group 0 is its own pool's, 1 the trunk's.
#[test]
fn a_visiting_phone_leaves_by_the_gateways_beside_it_p11_trap_11() {
    let (br, groups) = (br(), pool(0));
    let caller = Caller::Visiting { pool: Some(DevicePoolId(0)), groups: &groups };
    for (space, dialed, marked, won, want, alarms) in [
        (BR_TRUNK, "999", false, "999", "gw-br-1:999 gw-br-2:999", 0),
        (BR_TRUNK, "911", false, "999", "gw-br-1:999 gw-br-2:999", 0),
        (BR_TRUNK, "112", false, "112", "gw-br-1:112 gw-br-2:112", 1),
        (BR_TRUNK, "02071234567", false, "0!", "gw-br-1:02071234567 gw-br-2:02071234567", 0),
        (BR_TRUNK, "7001", false, "-", "NoMatch", 0),
        (BR_PHONE, "112", false, "112", "gw-br-1:112 gw-br-2:112", 0),
        (BR_PHONE, "911", false, "999", "gw-br-1:999 gw-br-2:999", 1),
        // P-12: a phone of the cluster is no gateway.
        (BR_PHONE, "7001", false, "7XXX", "NotCoLocated", 0),
        (BR_PHONE, "7001", true, "7XXX", "gw-br-2:7001", 2),
        (BR_TRUNK, "110", true, "-", "gw-br-2:110", 2),
    ] {
        let (decision, _) = br.decide(&br.spaces(&[space]), dialed, caller, marked);
        assert_eq!((br.told(&decision).as_str(), br.won(&decision)), (want, won), "{dialed}");
        assert_eq!(decision.alarms.len(), alarms, "{dialed}");
    }
}

#[test]
fn the_whole_way_of_an_emergency_at_the_visited_cluster_is_told() {
    let (br, groups) = (br(), pool(0));
    let arrival = Arrival {
        on_selected_trunk: true,
        profile_active: true,
        remote_active: true,
        phone: NamedPhone::Known {
            device_pool: Some(DevicePoolId(0)),
            css: Some(br.css[BR_PHONE]),
            logged_in: Some(ClusterId(0)),
        },
        sender: ClusterId(0),
        emergency: true,
    };
    let side = TrunkSide { setting: PstnAccessCss::Trunk, css: Some(br.css[BR_TRUNK]), device_pool: None };
    let mut told = Trail::new();
    let choice = accept(&arrival, &side, &mut told).unwrap();
    let caller = Caller::Visiting { pool: choice.device_pool, groups: &groups };
    let (decision, trail) = br.decide(choice.css.as_slice(), "911", caller, true);
    assert_eq!(decision.translations.len(), 1);
    told.extend(trail);
    assert_eq!(
        told.iter().map(|step| step.told(&Numbers)).collect::<Vec<_>>(),
        [
            "pstn-access CSS: trunk",
            "emergency: matches 911",
            "translated by 911",
            "closest match: 911",
            "local route group of DP: RG",
            "emergency: the last resort closes the list",
        ]
    );
}

/// Trap 12.
#[test]
fn the_original_device_search_space_is_the_phones_p9_trap_12() {
    let rows = [("999", 0, OUT, false), ("911", 1, OUT, false)];
    let visited = cluster(2, &[&[0], &[1]], &rows, br().book, &["cc-br", "gw-br-1", "gw-br-2", "gw-trunk-pool"]);
    let groups = pool(0);
    let caller = Caller::Visiting { pool: None, groups: &groups };
    let told = |dialed| visited.told(&visited.decide(&[visited.css[0]], dialed, caller, false).0);
    assert_eq!(told("999"), "gw-br-1:999 gw-br-2:999");
    assert_eq!(told("911"), "NoMatch");
}

/// Trap 22.
#[test]
fn an_emergency_number_without_a_pattern_goes_to_where_the_phone_is_trap_22() {
    let mut hq = hq();
    hq.book.emergency = Arc::new(EmergencyNumbers { numbers: vec![digits("112")], access_codes: vec![digits("9")] });
    let css = hq.spaces(&[ADJUNCT_LONDON, LINE, EMCC]);
    for dialed in ["112", "9112"] {
        let (decision, _) = hq.decide(&css, dialed, Caller::RoamingAtHome, false);
        assert_eq!(hq.told(&decision), "trunk:112 gw-hq:112", "{dialed}");
        assert!(matches!(decision.alarms.as_slice(), [Alarm::WentOn { to: GoesOn::TrunkToVisiting, .. }]));
    }
    let groups = pool(0);
    let local = Caller::Local { pool: None, groups: &groups };
    let (decision, _) = hq.decide(&css, "9112", local, false);
    assert_eq!((hq.told(&decision).as_str(), decision.alarms.len()), ("gw-hq:112", 2));
}

#[test]
fn a_service_urn_goes_on_as_the_first_number_or_unchanged() {
    let mut hq = hq();
    for (numbers, want) in [(vec![digits("911")], "trunk:911 gw-hq:911"), (vec![], "trunk:- gw-hq:-")] {
        hq.book.emergency = Arc::new(EmergencyNumbers { numbers, ..EmergencyNumbers::default() });
        let emergency = hq.book.emergency.recognise(&hq.plan, Called::Uri(b"urn:service:sos.fire"), false);
        let css = hq.spaces(&[HQ_TRUNK]);
        let (caller, turns) = (Caller::RoamingAtHome, &(|_| 0usize) as &dyn Fn(RouteGroupId) -> usize);
        let call = Call { css: &css, dialed: None, calling: None, caller, emergency, at: Civil(0), turns };
        assert_eq!(hq.told(&decide(&hq.plan, &hq.book, &call, &mut Trail::new())), want);
    }
}

/// One route pattern `9.0!` with PreDot, and the route list given.
fn one_list(members: Vec<(Member, Option<Transform>)>, groups: Vec<RouteGroup>) -> Cluster {
    let (gateway, book) = (PeerKind::Gateway, RouteBook::default());
    let lists = vec![RouteList { members }];
    let peers = vec![PeerKind::CallControl, gateway, gateway, gateway];
    let book = RouteBook { lists, groups, peers, ..book };
    cluster(1, &[&[0]], &[("9.0!", 0, OUT, false)], book, &["cc", "gw-1", "gw-2", "gw-3"])
}

fn group(peers: &[u32], distribution: Distribution) -> RouteGroup {
    RouteGroup { peers: peers.iter().copied().map(PeerId).collect(), distribution }
}

#[test]
fn a_members_transform_replaces_the_patterns_d23() {
    let to = |place| Member::Group(RouteGroupId(place));
    let prefixed = |discard| Some(Transform { discard, prefix: digits("00"), ..Transform::default() });
    let members = vec![
        (to(0), None),
        (to(1), prefixed(None)),
        (to(2), prefixed(Some(Discard::NoDigits))),
        // A peer stays at its first place.
        (to(0), prefixed(None)),
    ];
    let groups = [1, 2, 3].map(|peer| group(&[peer], Distribution::TopDown)).to_vec();
    let cluster = one_list(members, groups);
    let (decision, _) = cluster.decide(&cluster.css, "9012", Caller::RoamingAtHome, false);
    assert_eq!(cluster.told(&decision), "gw-1:012 gw-2:00012 gw-3:009012");
}

#[test]
fn every_local_route_group_of_a_roaming_phone_is_the_trunk_once_p5() {
    let named = |name| Member::Named(LocalRouteGroupId(name));
    let members =
        vec![(named(0), None), (Member::Group(RouteGroupId(0)), None), (Member::Standard, None), (named(9), None)];
    let cluster = one_list(members, vec![group(&[1], Distribution::TopDown)]);
    let roaming = cluster.decide(&cluster.css, "9012", Caller::RoamingAtHome, false);
    assert_eq!(cluster.told(&roaming.0), "trunk:012 gw-1:012");
    let groups = pool(0);
    let local = Caller::Local { pool: None, groups: &groups };
    assert_eq!(cluster.told(&cluster.decide(&cluster.css, "9012", local, false).0), "gw-1:012");
}

#[test]
fn a_circular_group_begins_with_the_peer_whose_turn_it_is() {
    let members = vec![(Member::Group(RouteGroupId(0)), None)];
    for (distribution, turn, want) in [
        (Distribution::TopDown, 1, "gw-1:012 gw-2:012 gw-3:012"),
        (Distribution::Circular, 0, "gw-1:012 gw-2:012 gw-3:012"),
        (Distribution::Circular, 1, "gw-2:012 gw-3:012 gw-1:012"),
        (Distribution::Circular, 5, "gw-3:012 gw-1:012 gw-2:012"),
    ] {
        let cluster = one_list(members.clone(), vec![group(&[1, 2, 3], distribution)]);
        let turns: &dyn Fn(RouteGroupId) -> usize = &|_| turn;
        let (dialed, caller) = (Some(digits("9012")), Caller::RoamingAtHome);
        let css = &cluster.css;
        let call = Call { css, dialed, calling: None, caller, emergency: None, at: Civil(0), turns };
        assert_eq!(cluster.told(&decide(&cluster.plan, &cluster.book, &call, &mut Trail::new())), want);
    }
    let empty = one_list(members, vec![group(&[], Distribution::Circular)]);
    assert_eq!(empty.told(&empty.decide(&empty.css, "9012", Caller::RoamingAtHome, false).0), "Exhausted");
}

#[test]
fn only_gateways_are_left_to_a_visiting_phone_p12() {
    let groups = pool(0);
    let visiting = Caller::Visiting { pool: None, groups: &groups };
    for (peers, want) in [(&[0, 1][..], "gw-1:012"), (&[0], "NotCoLocated"), (&[], "Exhausted")] {
        let cluster = one_list(vec![(Member::Standard, None)], vec![group(peers, Distribution::TopDown)]);
        assert_eq!(cluster.told(&cluster.decide(&cluster.css, "9012", visiting, false).0), want);
    }
}

#[test]
fn a_directory_number_is_its_call_controls_and_intercom_is_not_for_emcc() {
    let any = Target::DirectoryNumber { peer: None, intercom: false };
    let intercom = Target::DirectoryNumber { peer: Some(PeerId(0)), intercom: true };
    let book = RouteBook { peers: vec![PeerKind::CallControl, PeerKind::Gateway], ..RouteBook::default() };
    let cluster = cluster(1, &[&[0]], &[("5XXX", 0, any, false), ("6XXX", 0, intercom, false)], book, &["cc", "gw"]);
    let groups = LocalRouteGroups::default();
    let local = Caller::Local { pool: None, groups: &groups };
    for (dialed, caller, want) in [
        ("5001", local, "cc:5001"),
        ("5001", Caller::RoamingAtHome, "cc:5001"),
        ("6001", local, "cc:6001"),
        ("6001", Caller::RoamingAtHome, "Intercom"),
    ] {
        assert_eq!(cluster.told(&cluster.decide(&cluster.css, dialed, caller, false).0), want, "{dialed}");
    }
}

#[derive(Debug)]
struct Never;

impl Hours for Never {
    fn open(&self, _: Civil) -> bool {
        false
    }
}

/// One partition, closed or not; a call control and a gateway, and no last resort.
fn one_partition(closed: bool, rows: Vec<Row>) -> Cluster {
    let mut builder = DialPlanBuilder::default();
    let partition = builder.partition(closed.then(|| Arc::new(Never) as Arc<dyn Hours>));
    let css = vec![builder.css(&[partition])];
    for row in rows {
        builder.row(Row { partition: Some(partition), ..row });
    }
    let book = RouteBook {
        lists: vec![RouteList { members: vec![(Member::Standard, None)] }],
        groups: vec![group(&[1], Distribution::TopDown)],
        peers: vec![PeerKind::CallControl, PeerKind::Gateway],
        ..RouteBook::default()
    };
    Cluster { plan: builder.build(), book, peers: &["cc", "gw"], css }
}

fn plain(text: &str, target: Target, emergency: bool, transform: Transform) -> Row {
    let pattern = Pattern::parse(text).unwrap();
    Row { pattern, partition: None, urgent: false, emergency, transform: transform.into(), target }
}

#[test]
fn a_closed_partition_does_not_lose_an_emergency_call_p23_d4() {
    let pre_dot = Transform { discard: Some(Discard::PreDot), ..Transform::NONE };
    let rows = || {
        vec![
            plain("911", OUT, true, Transform::NONE),
            plain("9.911", OUT, true, pre_dot),
            plain("5XXX", PHONES, false, Transform::NONE),
        ]
    };
    let groups = pool(0);
    let here = Some(DevicePoolId(0));
    let (local, visiting) =
        (Caller::Local { pool: here, groups: &groups }, Caller::Visiting { pool: here, groups: &groups });
    for (closed, dialed, caller, want) in [
        (false, "911", local, "gw:911"),
        (true, "911", local, "gw:911"),
        (true, "9911", local, "gw:911"),
        (true, "911", visiting, "gw:911"),
        (true, "911", Caller::RoamingAtHome, "trunk:911"),
        (false, "5001", local, "cc:5001"),
        (true, "5001", local, "NoMatch"),
    ] {
        let cluster = one_partition(closed, rows());
        let (decision, _) = cluster.decide(&cluster.css, dialed, caller, false);
        assert_eq!(cluster.told(&decision), want, "{dialed}, closed: {closed}");
        // Somebody is told that it had to go on.
        assert_eq!(decision.alarms.is_empty(), !(closed && decision.emergency), "{dialed}");
    }
}

#[test]
fn the_trail_goes_on_to_a_last_resort_only_where_there_is_one_p23() {
    let groups = LocalRouteGroups::default();
    let caller = Caller::Local { pool: None, groups: &groups };
    for (last_resort, want, told) in [
        (vec![], "NoMatch", "emergency: there is no last resort to go on to, so nothing is left to try"),
        (vec![PeerId(1)], "gw:112", "emergency goes on to the last resort: no pattern matches"),
    ] {
        let mut cluster = one_partition(false, Vec::new());
        cluster.book.emergency =
            Arc::new(EmergencyNumbers { numbers: vec![digits("112")], ..EmergencyNumbers::default() });
        cluster.book.last_resort = last_resort;
        let (decision, trail) = cluster.decide(&cluster.css, "112", caller, false);
        assert_eq!(cluster.told(&decision), want);
        let lines: Vec<String> = trail.iter().map(|step| step.told(&Numbers)).collect();
        let goes_on = |line: &&String| line.contains("last resort") && !line.contains("closes the list");
        assert_eq!(lines.iter().filter(goes_on).collect::<Vec<_>>(), [told], "{lines:#?}");
        // Somebody is told of each way it went on, and of none that is not there.
        assert_eq!(decision.alarms.len(), 1 + cluster.book.last_resort.len());
    }
}

/// A call control and two gateways, the first of them the last resort; every row in one partition.
fn with_last_resort(rows: Vec<Row>, members: Vec<(Member, Option<Transform>)>) -> Cluster {
    let mut cluster = one_partition(false, rows);
    cluster.book = RouteBook {
        lists: vec![RouteList { members }],
        groups: vec![group(&[0], Distribution::TopDown), group(&[1], Distribution::TopDown)],
        peers: vec![PeerKind::CallControl, PeerKind::Gateway, PeerKind::Gateway],
        last_resort: vec![PeerId(1), PeerId(2)],
        ..RouteBook::default()
    };
    Cluster { peers: &["cc", "gw-1", "gw-2"], ..cluster }
}

#[test]
fn the_last_resort_dials_the_emergency_number_whatever_the_route_made_of_it_p23() {
    let to = |place| Member::Group(RouteGroupId(place));
    let prefixed = |text: &str| Some(Transform { prefix: digits(text), ..Transform::NONE });
    let pre_dot = || Transform { discard: Some(Discard::PreDot), ..Transform::NONE };
    let translate = |text: &str, made: &str, emergency| {
        let mask = Transform { called_mask: Some(Mask::parse(made).unwrap()), ..Transform::NONE };
        plain(text, Target::Translate { css: TranslateCss::Css(CssId(0)) }, emergency, mask)
    };
    let out = |text: &str, emergency| plain(text, OUT, emergency, Transform::NONE);
    let responder = |emergency| plain("5911", PHONES, emergency, Transform::NONE);
    for (what, rows, members, dialed, want) in [
        (
            "as it leaves: once",
            vec![plain("9.911", OUT, true, pre_dot())],
            vec![(to(1), None)],
            "9911",
            "gw-1:911 gw-2:911",
        ),
        (
            "a member's prefix",
            vec![out("911", true)],
            vec![(to(1), prefixed("0"))],
            "911",
            "gw-1:0911 gw-1:911 gw-2:911",
        ),
        (
            "a pattern's own transform",
            vec![plain("911", OUT, true, Transform { prefix: digits("0"), ..Transform::NONE })],
            vec![(to(1), None)],
            "911",
            "gw-1:0911 gw-1:911 gw-2:911",
        ),
        (
            "a responder",
            vec![translate("911", "5911", true), responder(false)],
            vec![],
            "911",
            "cc:5911 gw-1:911 gw-2:911",
        ),
        (
            "a responder whose number is flagged too",
            vec![translate("911", "5911", true), responder(true)],
            vec![],
            "911",
            "cc:5911 gw-1:911 gw-2:911",
        ),
        (
            "a responder behind a gateway",
            vec![translate("9.911", "5911", true), out("5911", false)],
            vec![(to(1), None)],
            "9911",
            "gw-1:5911 gw-1:911 gw-2:911",
        ),
        (
            "a responder behind a gateway whose number is flagged too",
            vec![translate("911", "5911", true), out("5911", true)],
            vec![(to(1), None)],
            "911",
            "gw-1:5911 gw-1:911 gw-2:911",
        ),
        (
            "the same by a member that is call control, behind an access code",
            vec![translate("9.911", "5911", true), out("5911", true)],
            vec![(to(0), None), (to(1), prefixed("0"))],
            "9911",
            "cc:5911 gw-1:05911 gw-1:911 gw-2:911",
        ),
        (
            "another country's number, made this one's (P-10)",
            vec![translate("911", "999", true), out("999", true)],
            vec![(to(1), None)],
            "911",
            "gw-1:999 gw-2:999",
        ),
        (
            "the same, which leaves changed",
            vec![translate("911", "999", true), out("999", true)],
            vec![(to(1), prefixed("0"))],
            "911",
            "gw-1:0999 gw-1:999 gw-2:999",
        ),
        (
            "found on the way",
            vec![translate("6911", "911", false), out("911", true)],
            vec![(to(1), prefixed("0"))],
            "6911",
            "gw-1:0911 gw-1:911 gw-2:911",
        ),
        (
            "none of its members resolves",
            vec![translate("911", "999", true), out("999", true)],
            vec![(Member::Standard, None)],
            "911",
            "gw-1:911 gw-2:911",
        ),
    ] {
        let cluster = with_last_resort(rows, members);
        let none = LocalRouteGroups::default();
        let caller = Caller::Local { pool: None, groups: &none };
        let (decision, _) = cluster.decide(&cluster.css, dialed, caller, false);
        assert_eq!(cluster.told(&decision), want, "{what}");
    }
}

#[test]
fn a_gateway_makes_the_numbers_that_leave_by_it_of_those_before_the_route_d24() {
    let fixed = Transform { calling_mask: Some(Mask::parse("9999").unwrap()), ..Transform::NONE };
    let rows = vec![plain("0!", OUT, false, fixed), plain("112", OUT, true, fixed)];
    let mut cluster = one_partition(false, rows);
    let plan = |row: Row| {
        let mut builder = DialPlanBuilder::default();
        let partition = builder.partition(None);
        builder.css(&[partition]);
        builder.row(Row { partition: Some(partition), ..row });
        builder.build()
    };
    let mask = |text: &str| Transform { called_mask: Some(Mask::parse(text).unwrap()), ..Transform::NONE };
    let spaces = TransformSpaces { calling: Some(CssId(0)), called: Some(CssId(0)) };
    cluster.book.transformations = Some(Arc::new(Transformations {
        calling: plan(plain("5XXX", Target::Block, false, mask("408555XXXX"))),
        called: plan(plain("!", Target::Block, false, mask("4420XXXX"))),
        trunk: TransformSpaces::default(),
        peers: vec![TransformSpaces::default(), spaces],
    }));
    let groups = pool(0);
    for (dialed, calling, want) in [
        ("01234", Some("5001"), ("44201234", Some("4085555001"))),
        // No pattern for it: as the route made it.
        ("01234", Some("6001"), ("44201234", Some("9999"))),
        ("01234", None, ("44201234", Some("9999"))),
        ("112", Some("5001"), ("112", Some("4085555001"))),
    ] {
        let (mut trail, dialed, calling) = (Trail::new(), digits(dialed), calling.map(digits));
        let emergency = cluster.book.emergency.recognise(&cluster.plan, Called::Number(&dialed), false);
        let caller = Caller::Local { pool: Some(DevicePoolId(0)), groups: &groups };
        let turns = &(|_| 0usize) as &dyn Fn(RouteGroupId) -> usize;
        let call = Call { css: &cluster.css, dialed: Some(dialed), calling, caller, emergency, at: Civil(0), turns };
        let decision = decide(&cluster.plan, &cluster.book, &call, &mut trail);
        let hop = decision.hops.first().unwrap();
        let (called, calling) = (hop.called.map(|d| d.to_string()), hop.calling.map(|d| d.to_string()));
        assert_eq!((called.as_deref(), calling.as_deref()), (Some(want.0), want.1), "{dialed} from {calling:?}");
    }
}
