//! How many connections a node has, of whom, and how long each may take for what it does.

use std::time::Duration;

use crate::limits;

/// Bounds and time limits of a node's streams; smaller ones let a test reach them.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Connections at a time.
    pub connections: usize,
    /// Of these, kept for trunks and for connections of our own making.
    pub for_trunks: usize,
    /// Of the others, kept for configured neighbours.
    pub for_neighbours: usize,
    /// Of one IP address of phones at a time, those to it as well.
    pub per_address: usize,
    /// Accepted from one IP address of a configured neighbour at a time.
    pub per_neighbour: usize,
    /// From accepting to the first octet.
    pub first_byte: Duration,
    /// From a message's first octet to its last.
    pub message: Duration,
    /// Until the other end has taken one message of ours.
    pub write: Duration,
    /// Silence between messages.
    pub idle: Duration,
    /// How long a refused stream is read on.
    pub linger: Duration,
    /// Messages that wait to be written to one connection.
    pub queued: usize,
    /// Octets that wait to be written to one connection.
    pub queued_bytes: usize,
    /// Octets all connections together hold beyond the share of each, unread and unwritten.
    pub budget_bytes: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self {
            connections: limits::CONNECTIONS_MAX,
            for_trunks: limits::CONNECTIONS_FOR_TRUNKS,
            for_neighbours: limits::CONNECTIONS_FOR_NEIGHBOURS,
            per_address: limits::CONNECTIONS_PER_ADDRESS_MAX,
            per_neighbour: limits::CONNECTIONS_PER_NEIGHBOUR_MAX,
            first_byte: Duration::from_millis(limits::FIRST_BYTE_MS_MAX),
            message: Duration::from_millis(limits::STREAM_MESSAGE_MS_MAX),
            write: Duration::from_millis(limits::STREAM_MESSAGE_MS_MAX),
            idle: Duration::from_millis(limits::STREAM_IDLE_MS_MAX),
            linger: Duration::from_millis(limits::STREAM_LINGER_MS),
            queued: limits::QUEUED_MESSAGES_MAX,
            queued_bytes: limits::QUEUED_BYTES_MAX,
            budget_bytes: limits::CONNECTIONS_BYTES_MAX,
        }
    }
}

impl StreamLimits {
    /// The same where no more than so many file descriptors can be had.
    pub(super) fn within(self, descriptors: usize) -> Self {
        let most = descriptors.saturating_sub(limits::DESCRIPTORS_KEPT).max(1);
        let connections = self.connections.min(most);
        let quarter = connections / 4;
        let per_neighbour = self.per_neighbour.min(quarter.max(self.per_address));
        let for_neighbours = self.for_neighbours.min(quarter / 2);
        Self { connections, for_trunks: self.for_trunks.min(quarter), for_neighbours, per_neighbour, ..self }
    }

    /// Connections there may be at a time until nobody of that rank gets another one.
    pub(super) fn most(self, rank: Rank) -> usize {
        let kept = match rank {
            Rank::Trunk => 0,
            Rank::Neighbour => self.for_trunks,
            Rank::Phone => self.for_trunks.saturating_add(self.for_neighbours),
        };
        self.connections.saturating_sub(kept)
    }
}

/// Whom one more connection is with: the last ones are kept for those named later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// A phone, whoever opens it.
    Phone,
    /// A configured neighbour that opens it.
    Neighbour,
    /// A remote cluster, or a neighbour to which we open it.
    Trunk,
}
