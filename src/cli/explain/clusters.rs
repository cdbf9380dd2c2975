//! The clusters a call is followed through: the one asked, and those its trunks lead to.

use std::path::{Path, PathBuf};

use emcc_codecs::sdp::Malformed;

use super::walk::{Asked, CallAnswer, Cluster, Onwards};
use super::who::Caller;
use crate::cli::halt::Halt;
use crate::cli::named::NamedNeighbours;
use crate::cli::progress::Progress;
use crate::config;
use crate::engine::decide::Source;

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
        let remotes = remotes.iter().map(known).collect::<Result<_, _>>()?;
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
        if let Some((remote, from, Onwards { over, device, to, calling, offer, is_emergency, .. })) = there {
            // Over a trunk come the device's name, the number and the mark (P-13, P-23).
            let caller = Caller { source: Source::Trunk(from), device, number: None, session: None, gateway: None };
            let is_marked_emergency = is_emergency;
            let over = Some(over);
            let asked = Asked { caller, over, to, calling, offer, is_marked_emergency, with_alternatives, at };
            walked.answer.remote = Some(Box::new(remote.walk(asked)?.answer));
        }
        Ok(walked.answer)
    }
}

fn cluster(path: &Path, progress: &Progress) -> Result<Cluster, Halt> {
    let (loaded, places) = config::load_with_places(path, &|stage| progress.at(&stage)).map_err(Halt::refused)?;
    let mut named = NamedNeighbours::default();
    Ok(Cluster { plan: named.locate(loaded.plan), places, named })
}
