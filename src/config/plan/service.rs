//! What the configuration says of a call's service: facts the engine asks for on every call.

use super::{Neighbour, Plan, RemoteClusterId, SessionId, Side};
use crate::neighbour::headers::Headers;
use crate::neighbour::mark::DeviceHeader;
use emcc_policies::admission::RsvpPolicy;
use emcc_policies::route::{DevicePoolId, LocalRouteGroups};

/// What a neighbour is believed and told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// It belongs to the trust domain of RFC 3325.
    pub identity: bool,
    /// Locations may leave towards it.
    pub location: bool,
}

impl Plan {
    /// What that neighbour is believed and told; nobody in particular is neither.
    #[must_use]
    pub fn trust(&self, neighbour: Option<Neighbour>) -> Trust {
        let of = match neighbour {
            Some(Neighbour::Peer(peer)) => self.peer(peer).map(|row| (row.trust_identity, row.send_geolocation)),
            Some(Neighbour::Remote { cluster, .. }) => {
                self.remote_cluster(cluster).map(|row| (row.trust_identity, row.send_geolocation))
            }
            // Who stands in a network is known by nothing but its address.
            Some(Neighbour::Phone) | None => None,
        };
        let (identity, location) = of.unwrap_or_default();
        Trust { identity, location }
    }

    /// The header that carries the device mark to and from that neighbour (P-13).
    #[must_use]
    pub fn device_header(&self, neighbour: Neighbour) -> &DeviceHeader {
        let configured = match neighbour {
            Neighbour::Peer(peer) => self.peer(peer).map(|row| &row.device_header),
            Neighbour::Remote { cluster, .. } => self.remote_cluster(cluster).map(|row| &row.device_header),
            Neighbour::Phone => None,
        };
        configured.unwrap_or(&DeviceHeader::CallInfo)
    }

    /// The headers that neighbour may not send.
    #[must_use]
    pub fn headers_removed(&self, neighbour: Option<Neighbour>) -> Headers {
        if self.trusts_everybody {
            return Headers::NONE;
        }
        let terms = neighbour.and_then(|neighbour| self.terms(neighbour));
        terms.map_or(Headers::NONE, |terms| terms.headers_removed.clone())
    }

    /// Whether every neighbour belongs to the trust domain and may send every header, so that nothing ends here.
    #[must_use]
    pub fn trusts_everybody(&self) -> bool {
        self.trusts_everybody
    }

    /// Whether a session is that of our own user, abroad.
    #[must_use]
    pub fn is_home(&self, id: SessionId) -> bool {
        self.session(id).is_some_and(|session| matches!(session.side, Side::Home { .. }))
    }

    /// What the local route groups of a device pool stand for.
    #[must_use]
    pub fn local_route_groups(&self, id: DevicePoolId) -> Option<&LocalRouteGroups> {
        self.device_pool(id).map(|pool| &pool.local_route_groups)
    }

    /// Whether calls may use PSTN access with that cluster (P-14, L-32 for standing sessions).
    #[must_use]
    pub fn pstn_access_active(&self, remote: RemoteClusterId) -> bool {
        self.profile.pstn_access && self.remote_cluster(remote).is_some_and(|remote| remote.services.pstn_access)
    }

    /// The RSVP policy of a call on the link to that cluster: none where the RSVP agent service is not active (L-31).
    #[must_use]
    pub fn policy(&self, remote: RemoteClusterId, is_pstn_access: bool) -> RsvpPolicy {
        match self.remote_cluster(remote) {
            Some(row) if self.profile.rsvp_agent && row.services.rsvp_agent => {
                if is_pstn_access {
                    row.pstn_access_rsvp_policy
                } else {
                    row.rsvp_policy
                }
            }
            _ => RsvpPolicy::None,
        }
    }
}
