//! The clusters a call is followed through: the one asked, and those its trunks lead to.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use emcc_codecs::sdp::Malformed;

use super::walk::{Asked, CallAnswer, Cluster, Onwards};
use super::who::Caller;
use crate::cli::halt::Halt;
use crate::cli::named::NamedNeighbours;
use crate::cli::progress::Progress;
use crate::config;
use crate::config::plan::{Listen, Plan, RemoteCluster};
use crate::engine::decide::Source;
use crate::neighbour::Address;

/// The clusters at hand.
pub(super) struct Clusters {
    /// The one the call begins at.
    pub(super) here: Cluster,
    remotes: Vec<Cluster>,
}

impl Clusters {
    /// Loads the configuration of the cluster asked, and those of others.
    pub(super) fn load(config: &Path, remotes: &[PathBuf], is_json: bool) -> Result<Self, Halt> {
        let progress = Progress::of_stages(!is_json);
        let here = cluster(config, &progress)?;
        let known = |path: &PathBuf| {
            let remote = cluster(path, &progress)?;
            let (near, far) = (&here.plan, &remote.plan);
            let is_known = near.remote_cluster_with_id(&far.cluster.id).is_some();
            if is_known && far.remote_cluster_with_id(&near.cluster.id).is_some() {
                Ok(remote)
            } else {
                Err(Halt::Strangers(path.clone(), near.cluster.id.clone(), far.cluster.id.clone()))
            }
        };
        let remotes: Vec<_> = remotes.iter().map(known).collect::<Result<_, _>>()?;
        for remote in &remotes {
            for (from, to) in [(&here, remote), (remote, &here)] {
                if let Some(words) = unheard(from, to) {
                    writeln!(anstream::stderr().lock(), "emcc-trunk: {words}").map_err(Halt::Output)?;
                }
            }
        }
        Ok(Self { here, remotes })
    }

    /// The call here, and at the cluster whose trunk is its first hop, where that is at hand.
    pub(super) fn follow(&self, asked: Asked) -> Result<CallAnswer, Malformed> {
        let (at, with_alternatives) = (asked.at, asked.with_alternatives);
        let mut walked = self.here.walk(asked)?;
        let there = walked.onwards.and_then(|onwards| {
            let is_there = |remote: &&Cluster| remote.plan.cluster.id == onwards.cluster;
            let remote = self.remotes.iter().find(is_there)?;
            let from = remote.plan.remote_cluster_with_id(&self.here.plan.cluster.id)?;
            Some((remote, from, onwards))
        });
        if let Some((remote, from, Onwards { cluster, over, device, to, calling, offer, is_emergency })) = there {
            // Over a trunk come the device's name, in the header that was agreed, the number and the mark (P-13, P-23).
            let is_heard = |to: &RemoteCluster| {
                let here = &self.here.plan;
                let sent = here.remote_cluster_with_id(&cluster).and_then(|id| here.remote_cluster(id));
                sent.is_some_and(|sent| sent.device_header == to.device_header)
            };
            let device = device.filter(|_| remote.plan.remote_cluster(from).is_some_and(is_heard));
            let caller = Caller { source: Source::Trunk(from), device, number: None, session: None, gateway: None };
            let is_marked_emergency = is_emergency;
            let over = Some(over);
            let asked = Asked { caller, over, to, calling, offer, is_marked_emergency, with_alternatives, at };
            walked.answer.remote = Some(Box::new(remote.walk(asked)?.answer));
        }
        Ok(walked.answer)
    }
}

/// What is to be said where a node listens nowhere that the other one sends to, or takes it for a stranger. Names say
/// nothing here, nor does a listener at every address.
fn unheard(from: &Cluster, to: &Cluster) -> Option<String> {
    let of = |Cluster { plan, named, .. }: &Cluster, other: &Plan| {
        let remote = plan.remote_cluster(plan.remote_cluster_with_id(&other.cluster.id)?)?;
        let is_known = !remote.addresses.is_empty() && !remote.addresses.iter().any(|at| named.is_named(*at));
        is_known.then(|| remote.addresses.clone())
    };
    let (sent_to, heard_from) = (of(from, &to.plan)?, of(to, &from.plan)?);
    let (from, to) = (&from.plan, &to.plan);
    let (ours, theirs) = (&from.cluster.id, &to.cluster.id);
    let is_there = |at: &Address| {
        to.sip.listen.iter().any(|listen| {
            let ip = listen.address.socket.ip();
            let is_at = |ip: IpAddr| ip.is_unspecified() || ip == at.socket.ip();
            listen.address.transport == at.transport
                && (listen.advertised == at.socket || listen.address.socket.port() == at.socket.port() && is_at(ip))
        })
    };
    if !sent_to.iter().any(is_there) {
        return Some(format!(
            "{ours} sends to {theirs} at {}, where {theirs} does not listen: unless addresses are translated on the way, no \
             call gets there",
            sent_to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    let is_known = |listen: &Listen| {
        let ips = [listen.address.socket.ip(), listen.advertised.ip()];
        ips.iter().any(|ip| ip.is_unspecified() || heard_from.iter().any(|at| at.socket.ip() == *ip))
    };
    let is_stranger = !from.sip.listen.iter().any(is_known);
    is_stranger.then(|| {
        format!(
            "{theirs} knows {ours} at {} alone, where {ours} does not listen: unless addresses are translated on the way, \
             {theirs} drops its calls as a stranger's",
            heard_from.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        )
    })
}

fn cluster(path: &Path, progress: &Progress) -> Result<Cluster, Halt> {
    let (loaded, places) = config::load_with_places(path, &|stage| progress.at(&stage)).map_err(Halt::refused)?;
    let mut named = NamedNeighbours::default();
    Ok(Cluster { plan: named.locate(loaded.plan), places, named })
}
