//! Whether SRTP keys that stand in a description as text may pass (S-1 to S-4). What then becomes of a description is
//! `emcc_codecs::keys`'s; this says only whether.

use crate::login::Security;

/// One hop that a description comes by or leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// It is TLS.
    pub is_tls: bool,
    /// It is the trunk to another cluster.
    pub is_trunk: bool,
    /// Its configuration lets keys pass over TLS alone.
    pub demands_tls: bool,
}

/// Whether keys may be on that hop: always on TLS (S-1); without TLS never on a trunk nor in a call of a non-secure EMCC
/// session (S-2), and else where the neighbour's configuration does not forbid it (S-3).
#[must_use]
pub fn may_carry_keys(way: Way, session: Option<Security>) -> bool {
    way.is_tls || !(way.is_trunk || way.demands_tls || session == Some(Security::NonSecure))
}

/// Whether keys may pass from one hop to another: the answer's key goes back the way the offer came (S-4).
#[must_use]
pub fn may_pass_keys(ways: [Way; 2], session: Option<Security>) -> bool {
    ways.iter().all(|way| may_carry_keys(*way, session))
}

/// Whether a call may use a trunk at all: that of a secure EMCC session needs TLS there (S-7), unless it is an
/// emergency call (P-23).
#[must_use]
pub fn may_use_trunk(is_tls: bool, session: Option<Security>, is_emergency: bool) -> bool {
    is_tls || is_emergency || session != Some(Security::Secure)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NON_SECURE: Option<Security> = Some(Security::NonSecure);
    const SECURE: Option<Security> = Some(Security::Secure);

    #[test]
    fn s_1_to_s_3_say_on_which_hops_keys_may_be() {
        for (is_tls, is_trunk, demands_tls, session, want) in [
            (true, true, true, NON_SECURE, true),
            (true, false, true, None, true),
            (false, true, false, None, false),
            (false, true, false, SECURE, false),
            (false, false, false, None, true),
            (false, false, false, SECURE, true),
            (false, false, false, NON_SECURE, false),
            (false, false, true, None, false),
            (false, false, true, SECURE, false),
        ] {
            let way = Way { is_tls, is_trunk, demands_tls };
            assert_eq!(may_carry_keys(way, session), want, "{way:?} {session:?}");
        }
    }

    #[test]
    fn s_4_both_hops_must_let_keys_pass() {
        let (open, shut) = (
            Way { is_tls: false, is_trunk: false, demands_tls: false },
            Way { is_tls: false, is_trunk: true, demands_tls: false },
        );
        assert!(may_pass_keys([open, open], None));
        assert!(!may_pass_keys([open, shut], None) && !may_pass_keys([shut, open], None));
    }

    #[test]
    fn s_7_a_secure_session_needs_tls_on_the_trunk_and_an_emergency_call_needs_nothing() {
        assert!(may_use_trunk(true, SECURE, false) && may_use_trunk(false, NON_SECURE, false));
        assert!(!may_use_trunk(false, SECURE, false));
        assert!(may_use_trunk(false, SECURE, true));
    }
}
