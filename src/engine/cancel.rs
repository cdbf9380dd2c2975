//! Cancelling a hop: as soon as it has said anything, and not before (RFC 3261 section 9.1).

use bytes::Bytes;

use super::Turn;
use super::effects::{Hint, TransactionKey};
use super::forward::Launch;
use crate::neighbour::Flow;
use crate::sip::{Method, build, essentials_of_taken};
use crate::transaction::row::{Cancel, Machine, Purpose, Row};
use crate::transaction::{LIFETIME_MS, client_invite};

impl Turn<'_> {
    /// Asks a client INVITE transaction to be cancelled as soon as that is allowed; `reason` is what the CANCEL's Reason
    /// header says, if anything.
    pub(crate) fn cancel_client(&mut self, key: TransactionKey, reason: Bytes) {
        let now = self.now.moment;
        let ready = self.engine.transactions.with(&key, |row: &mut Row| match (row.machine, row.cancel) {
            (Machine::ClientInvite(client_invite::State::Proceeding), Cancel::No | Cancel::Pending) => {
                row.cancel = Cancel::Sent;
                // A hop that ignores its CANCEL is given up after 64 T1 (RFC 3261 section 9.1).
                row.timing.wait(now, LIFETIME_MS);
                Some((row.flow, row.request.clone(), row.timing.arm()))
            }
            (Machine::ClientInvite(client_invite::State::Calling), Cancel::No) => {
                row.cancel = Cancel::Pending;
                row.response = reason.clone();
                None
            }
            (Machine::ClientInvite(state @ client_invite::State::Overdue), Cancel::No) => {
                // Not repeated any more; should it be heard of all the same, it is cancelled then.
                row.machine = Machine::ClientInvite(client_invite::step(state, client_invite::Event::Silence).0);
                row.enter(now);
                row.cancel = Cancel::Pending;
                row.response = reason.clone();
                None
            }
            _ => None,
        });
        if let Some(Some((flow, request, hint))) = ready {
            if let Some(at) = hint {
                self.effects.hints.push((at, Hint::Transaction(key)));
            }
            self.send_cancel(flow, &request, &reason);
        }
    }

    /// Sends our CANCEL for a request of ours.
    pub(crate) fn send_cancel(&mut self, flow: Flow, request: &[u8], reason: &[u8]) {
        let mut index = self.desk.index.take().unwrap_or_default();
        if let Ok(message) = crate::sip::scan(request, &mut index)
            && let Some(range) = build::cancel_for(&message, reason, &mut self.effects.arena)
            && let Ok(of) = essentials_of_taken(&message)
        {
            let key = self.client_key(of.via.branch.unwrap_or_default(), b"CANCEL");
            self.launch(key, flow, range, Launch::own(Purpose::Cancel, Method::Cancel));
        }
        self.desk.index = Some(index);
    }
}
