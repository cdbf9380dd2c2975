//! Laws of plans, over generated configurations: a look-up finds what reading the whole table would find.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a failing test may panic anywhere

use emcc_policies::location::Geolocation;
use emcc_policies::route::PeerId;
use emcc_policies::search_space::{CssId, Target};
use emcc_policies::trail::Names;
use emcc_trunk::config::plan::{DeviceId, Neighbour, UserId};
use emcc_trunk::config::{Address, Plan, Transport, load};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A configuration as numbers: small enough to shrink well, wide enough to have shared names and addresses.
#[derive(Clone, Debug)]
struct World {
    /// Last octet and port of each peer's address, and whether it is TCP.
    peers: Vec<(u8, u16, bool)>,
    /// Number, search space and pool of each device.
    devices: Vec<(u16, u8, u8)>,
    /// Number and search space of each user.
    users: Vec<(u16, u8)>,
    /// Partitions of each search space.
    spaces: Vec<Vec<u8>>,
    /// City of each device pool.
    cities: Vec<u8>,
}

fn world() -> impl Strategy<Value = World> {
    (
        prop::collection::vec((1..6u8, 5_060..5_063u16, any::<bool>()), 1..6),
        prop::collection::vec((0..40u16, 0..8u8, 0..8u8), 0..12),
        prop::collection::vec((0..40u16, 0..8u8), 0..12),
        prop::collection::vec(prop::collection::vec(0..5u8, 0..4), 1..5),
        prop::collection::vec(0..4u8, 1..5),
    )
        .prop_map(|(peers, devices, users, spaces, cities)| World { peers, devices, users, spaces, cities })
}

impl World {
    fn text(&self) -> String {
        let mut text =
            String::from("[cluster]\nid = \"N\"\n[sip]\nlisten = [\"udp:127.1.0.1:5060\", \"tcp:127.1.0.1:5060\"]\n");
        text += "[feature]\ngeolocation_filter = \"city\"\n[emcc_template]\ndevice_pool = \"DP0\"\n";
        text += "[[geolocation_filter]]\nname = \"city\"\nfields = [\"A3\"]\n";
        let mut seen = Vec::new();
        for (index, &(octet, port, tcp)) in self.peers.iter().enumerate() {
            if seen.contains(&(octet, port, tcp)) {
                continue; // two neighbours at one address are an error
            }
            seen.push((octet, port, tcp));
            let kind = if index % 2 == 0 { "call-control" } else { "gateway" };
            let transport = if tcp { "tcp" } else { "udp" };
            let _ = writeln!(
                text,
                "[[peer]]\nname = \"P{index}\"\nkind = \"{kind}\"\naddresses = [\"{transport}:127.2.0.{octet}:{port}\"]"
            );
        }
        for (index, city) in self.cities.iter().enumerate() {
            let _ = writeln!(text, "[[geolocation]]\nname = \"GL{index}\"\nA3 = \"City {city}\"");
            let _ = writeln!(text, "[[device_pool]]\nname = \"DP{index}\"\ngeolocation = \"GL{index}\"");
        }
        for (index, partitions) in self.spaces.iter().enumerate() {
            let mut names: Vec<_> = partitions.iter().map(|number| format!("\"PT{number}\"")).collect();
            names.dedup();
            let _ = writeln!(text, "[[css]]\nname = \"CSS{index}\"\npartitions = [{}]", names.join(", "));
        }
        for (index, &(number, css, pool)) in self.devices.iter().enumerate() {
            let (css, pool) = (usize::from(css) % self.spaces.len(), usize::from(pool) % self.cities.len());
            let _ = writeln!(
                text,
                "[[device]]\nname = \"sepAb{index}\"\ncss = \"CSS{css}\"\ndevice_pool = \"DP{pool}\"\ndirectory_numbers = [\"7{number:03}\"]"
            );
        }
        for (index, &(number, css)) in self.users.iter().enumerate() {
            let css = usize::from(css) % self.spaces.len();
            let _ = writeln!(
                text,
                "[[user]]\nid = \"u{index}\"\nline_css = \"CSS{css}\"\ndirectory_number = \"7{number:03}\""
            );
        }
        text
    }

    fn plan(&self) -> Plan {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("law-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, self.text()).expect("the target folder can be written");
        let loaded = load(&path);
        let _ = std::fs::remove_file(&path);
        loaded.unwrap_or_else(|problems| panic!("{problems:#?}\n{}", self.text())).plan
    }
}

/// The owners of every peer address at this IP address and transport.
fn at(plan: &Plan, address: Address) -> Vec<(u16, PeerId)> {
    let all = (0..).map(PeerId).zip(&plan.peers).flat_map(|(id, peer)| peer.addresses.iter().map(move |a| (*a, id)));
    let here = all.filter(|(a, _)| (a.transport, a.socket.ip()) == (address.transport, address.socket.ip()));
    here.map(|(a, id)| (a.socket.port(), id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn a_name_or_number_finds_the_first_row_that_has_it(world in world()) {
        let plan = world.plan();
        for (index, device) in plan.devices.iter().enumerate() {
            prop_assert_eq!(plan.device_named(&device.name.to_uppercase()), Some(DeviceId(index as u32)));
        }
        for (index, user) in plan.users.iter().enumerate() {
            prop_assert_eq!(plan.user_with_id(&user.id), Some(UserId(index as u32)));
        }
        for number in 0..40 {
            let number = format!("7{number:03}");
            let device = plan.devices.iter().position(|d| d.directory_numbers.iter().any(|n| **n == *number));
            let user = plan.users.iter().position(|u| u.directory_number.as_deref() == Some(&*number));
            prop_assert_eq!(plan.device_with_number(&number).map(|id| id.0 as usize), device);
            prop_assert_eq!(plan.user_with_number(&number).map(|id| id.0 as usize), user);
        }
    }

    #[test]
    fn an_address_finds_its_only_owner_whatever_the_port_and_of_several_the_ports(world in world(), port in 5_060..5_064u16) {
        let plan = world.plan();
        for octet in 1..7 {
            for transport in [Transport::Udp, Transport::Tcp] {
                let socket = std::net::SocketAddr::from(([127, 2, 0, octet], port));
                let owners = at(&plan, Address { transport, socket });
                let only = owners.first().filter(|(_, first)| owners.iter().all(|(_, owner)| owner == first));
                let by_port = owners.iter().find(|(listed, _)| *listed == port);
                let want = only.or(by_port).map(|(_, owner)| Neighbour::Peer(*owner));
                prop_assert_eq!(plan.neighbour(transport, socket), want);
            }
        }
    }

    #[test]
    fn every_number_of_a_device_or_user_has_one_row_at_the_first_call_control(world in world()) {
        let plan = world.plan();
        let mut rows: Vec<_> = plan.dial_plan.rows().map(|(_, row)| (row.pattern.text().to_owned(), row.target)).collect();
        let first = Target::DirectoryNumber { peer: Some(PeerId(0)), intercom: false };
        prop_assert!(rows.iter().all(|(_, target)| *target == first));
        let numbers = plan.devices.iter().flat_map(|d| d.directory_numbers.iter());
        let mut numbers: Vec<_> = numbers.chain(plan.users.iter().filter_map(|u| u.directory_number.as_ref())).collect();
        numbers.sort_unstable();
        numbers.dedup();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(rows.iter().map(|row| &*row.0).collect::<Vec<_>>(), numbers.iter().map(|n| &***n).collect::<Vec<_>>());
    }

    #[test]
    fn search_spaces_keep_their_names_and_a_phone_has_its_line_first(world in world()) {
        let plan = world.plan();
        for (index, _) in world.spaces.iter().enumerate() {
            prop_assert_eq!(plan.css(CssId(index as u32)), format!("CSS{index}"));
        }
        for device in plan.devices.iter() {
            let user = device.directory_numbers.first().and_then(|number| plan.user_with_number(number));
            let line = user.and_then(|id| plan.user(id)).and_then(|user| user.line_css);
            let want: Vec<_> = line.into_iter().chain(device.css).collect();
            prop_assert_eq!(device.search_space.to_vec(), want);
        }
    }

    #[test]
    fn a_visiting_phone_gets_the_first_pool_of_its_city_or_the_templates(world in world(), city in 0..6u8) {
        let plan = world.plan();
        let phone = Geolocation::parse(&format!("A3=city  {city}")).expect("a location");
        let chosen = plan.roaming_pool(Some(&phone));
        let want = world.cities.iter().position(|pool| *pool == city);
        prop_assert_eq!(chosen.fallback, want.is_none());
        let name = chosen.device_pool.map(|pool| Names::device_pool(&plan, pool).to_owned());
        prop_assert_eq!(name, Some(format!("DP{}", want.unwrap_or(0))));
    }
}
