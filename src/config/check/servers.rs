//! Servers that are written as a default and its backup (table 2).

use crate::config::document::Document;
use crate::config::report::Report;

pub(super) fn check(document: &Document, report: &Report) {
    for servers in [&document.feature.login_tftp_servers, &document.feature.remote_cluster_update_servers] {
        if let Some(third) = servers.get(2) {
            let message = format!("\"{}\" is a third server, and there are at most 2", third.value);
            report.error(&third.place, message, "Write the default server and its backup.");
        }
        if let Some(backup) = servers.get(1).filter(|backup| servers.first().is_some_and(|s| s.value == backup.value)) {
            let message = format!("\"{}\" is its own backup", backup.value);
            report.warning(&backup.place, message, "Name another server, or leave the backup out.");
        }
    }
}
