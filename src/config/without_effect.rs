//! Keys that are accepted and checked but do nothing in this version. One table: whoever makes a key work deletes its row.

/// Path of a key without array indexes (`*` stands for every key of the table), and what does not happen.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("admin.tls", "the admin page speaks plain HTTP on a loopback address"),
    ("device.location", "locations are not evaluated"),
    ("device_pool.location", "locations are not evaluated"),
    ("emergency.priority_kbps", "emergency calls are admitted above the limit anyway"),
    ("feature.login_tftp_servers", "no login service runs, so no phone is told of a server"),
    ("feature.remote_cluster_update_interval_min", "no remote cluster update runs"),
    ("feature.remote_cluster_update_servers", "no remote cluster update runs"),
    ("feature.stale_device_interval_min", "no login service runs, so no session turns stale"),
    ("media.*", "media flows past this node"),
    ("remote_cluster.fqdn", "remote clusters are known by their addresses"),
    ("remote_cluster.media", "media flows past this node"),
    ("rsvp.dscp_audio", "media flows past this node and is not marked"),
    ("rsvp.dscp_failed", "media flows past this node and is not marked"),
    ("rsvp.dscp_video", "media flows past this node and is not marked"),
    ("rsvp.mid_call", "a call whose reservation is lost goes on as best effort"),
    ("rsvp.mid_call_retries", "a call whose reservation is lost goes on as best effort"),
    ("store.*", "calls and sessions are kept in memory alone"),
    ("user.pin_hash", "no login service runs, so no PIN is asked"),
    ("user.profiles", "no login service runs, so no device profile is chosen"),
];

/// What does not happen although this key is written; `None` for a key that works.
pub(super) fn without_effect(class: &str, key: &str) -> Option<&'static str> {
    let found = WITHOUT_EFFECT.iter().find(|(path, _)| match path.strip_prefix(class) {
        Some(rest) if class.is_empty() => rest == key,
        Some(rest) => rest.strip_prefix('.').is_some_and(|last| last == "*" || last == key),
        None => false,
    });
    found.map(|(_, why)| *why)
}

/// Whether some key of a table does nothing.
pub(super) fn has_keys_without_effect(class: &str) -> bool {
    class.is_empty()
        || WITHOUT_EFFECT.iter().any(|(path, _)| path.strip_prefix(class).is_some_and(|rest| rest.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_a_whole_table_and_a_top_level_table_can_be_without_effect() {
        for (class, key, silent) in [
            ("media", "ports", false),
            ("sip", "phones", true),
            ("sip", "listen", true),
            ("", "schedule", true),
            ("", "media", true),
            ("peer", "device_header", true),
            ("peer", "tls_name", true),
            ("peer", "name", true),
        ] {
            assert_eq!(without_effect(class, key).is_none(), silent, "{class}.{key}");
            assert!(silent || has_keys_without_effect(class), "{class}");
        }
    }

    #[test]
    fn the_table_is_sorted_so_that_a_row_is_easily_found() {
        assert!(WITHOUT_EFFECT.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
