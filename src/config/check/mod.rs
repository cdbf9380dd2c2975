//! Whether the values of a document fit each other. One file a concern; each only reports.

mod adjunct;
mod callers;
mod certificates;
mod codecs;
mod emergency;
mod flagged;
mod geography;
mod helpless;
mod hours;
mod names;
mod neighbours;
mod patterns;
mod phones;
mod probe;
mod repeats;
mod secure;
mod servers;
mod sites;
mod taken;
mod usage;

pub(super) use certificates::Look;
pub use probe::Probe;

use super::document::Document;
use super::plan::build::Routing;
use super::plan::dial_plan::Dialing;
use super::report::Report;
use super::source::Unread;
use std::panic::resume_unwind;
use std::thread;

/// Reports everything that is wrong or doubtful between the values of a document that parsed. Gives back the dial plan it
/// was found on, which is made meanwhile where there are `threads`.
pub(super) fn check<'d>(
    document: &'d Document,
    probe: Probe,
    look: Look,
    threads: usize,
    unread: &Unread,
    report: &Report,
) -> Dialing<'d> {
    let (dialing, dangled) = thread::scope(|scope| {
        let made = (threads > 1).then(|| thread::Builder::new().spawn_scoped(scope, || Dialing::of(document)));
        let names = names::Names::of(document, report);
        let dangled = names::references(document, &names, unread, report);
        neighbours::check(document, &names, &dangled, report);
        phones::check(document, &names, &dangled, report);
        certificates::check(document, look, report);
        secure::check(document, &dangled, report);
        servers::check(document, report);
        geography::check(document, &names, &dangled, report);
        usage::check(document, &names, &dangled, report);
        codecs::check(document, report);
        repeats::check(document, report);
        let dialing = match made {
            Some(Ok(made)) => made.join().unwrap_or_else(|panic| resume_unwind(panic)),
            _ => Dialing::of(document),
        };
        (dialing, dangled)
    });
    let looked = hours::looked(document, report);
    adjunct::check(document, &dialing, &looked.moments, report);
    let spaces = callers::Spaces::of(document, &dialing);
    usage::combined(document, &dialing, &spaces, report);
    let routing = Routing::of(document);
    patterns::check(document, &dialing, &routing, &spaces.all, &looked.moments, report);
    emergency::check(document, &dialing, &routing, &dangled, &spaces, &looked, report);
    flagged::blocks(document, report);
    if !unread.is_slipped("emergency") {
        flagged::check(document, &dialing, &routing.book.emergency, report);
    }
    probe::check(document, probe, report);
    dialing
}

/// What of [`check`] can be said of a document that lacks what could not be read: nothing that a row of that might put
/// right. Where the named file itself is torn, nothing is.
pub(super) fn partly(document: &Document, probe: Probe, look: Look, unread: &Unread, report: &Report) {
    if unread.main {
        return;
    }
    let names = names::Names::of(document, report);
    let dangled = names::references(document, &names, unread, report);
    certificates::check(document, look, report);
    servers::check(document, report);
    repeats::check(document, report);
    patterns::alone(document, &Dialing::of(document), report);
    if !unread.tables {
        neighbours::check(document, &names, &dangled, report);
        phones::check(document, &names, &dangled, report);
        secure::check(document, &dangled, report);
    }
    if !unread.may_have("device_pool") {
        geography::check(document, &names, &dangled, report);
    }
    probe::check(document, probe, report);
}
