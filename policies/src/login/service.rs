//! Whether a service of a remote cluster may be used (L-32).

/// What decides over one service (EMCC, PSTN access, RSVP agent) of one remote cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Active in this cluster's own intercluster service profile.
    pub is_active: bool,
    /// Enabled here for that remote cluster.
    pub is_enabled: bool,
    /// What the last remote cluster update brought; true until the first one ends (L-29, L-32).
    pub remote_activated: bool,
}

impl ServiceState {
    /// Whether a login may rely on it.
    #[must_use]
    pub const fn serves_login(self) -> bool {
        self.is_active && self.is_enabled && self.remote_activated
    }

    /// Whether a call of a standing session may use it. A remote cluster that did not answer its update stops logins
    /// only.
    #[must_use]
    pub const fn serves_calls(self) -> bool {
        self.is_active && self.is_enabled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_needs_all_three_and_a_standing_call_only_ours() {
        for bits in 0..8u8 {
            let (is_active, is_enabled, remote_activated) = (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0);
            let state = ServiceState { is_active, is_enabled, remote_activated };
            assert_eq!(state.serves_login(), bits == 7, "{state:?}");
            assert_eq!(state.serves_calls(), bits & 3 == 3, "{state:?}");
        }
    }
}
