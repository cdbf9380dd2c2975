//! Every bound of the engine, each with its own name. A queue, a table or a loop without one is a bug.

/// Longest SIP message accepted, in octets, start line to the last octet of the body.
pub const MESSAGE_BYTES_MAX: usize = 262_144;

/// Longest head (start line, headers and the empty line) accepted, in octets. Above it: 513.
pub const HEAD_BYTES_MAX: usize = 65_536;

/// Header fields in a request as it comes; a folded field counts once.
pub const HEADERS_MAX: usize = 128;

/// Header fields that a response may have beyond that, and a request once this node has added its own: it carries back every
/// Via and Record-Route of its request, ours and those of the hops behind us included, and what its sender adds.
pub const HEADERS_ADDED_MAX: usize = 32;

/// Longest start line or header field in octets, its folded continuation lines included.
pub const LINE_BYTES_MAX: usize = 8_192;

/// Via values in a request as it comes. RFC 4475's legal `longreq` carries 34, so the usual 32 would refuse it.
pub const VIA_VALUES_MAX: usize = 64;

/// Values of Route, and of Record-Route, in a request as it comes.
pub const ROUTE_VALUES_MAX: usize = 64;

/// Via values, and Record-Route values, that a response may have beyond that: this node adds one and up to two, and each
/// hop behind it records its own. Whatever is let through, its answer can be read.
pub const VALUES_ADDED_MAX: usize = 8;

/// Contact values in one message.
pub const CONTACT_VALUES_MAX: usize = 64;

/// Sets of neighbours that were others before a reload, or before a name led elsewhere, and are still heard in the calls that
/// began then. Each is looked through for a sender nobody else is.
pub const FORMER_SENDERS_MAX: usize = 64;

/// Ended calls of one worker that wait for their lines in the log.
pub const ENDED_WAITING_MAX: usize = 16;

/// Empty lines (CRLF) skipped before a start line in one datagram (RFC 3261, section 7.5).
pub const LEADING_CRLF_MAX: usize = 16;

/// Connections of the node, whoever opened them; fewer where the system allows fewer descriptors.
pub const CONNECTIONS_MAX: usize = 4_096;

/// Of these, only remote clusters and connections of our own making may take the last ones.
pub const CONNECTIONS_FOR_TRUNKS: usize = 256;

/// Of those before these, only configured neighbours may take the last ones: phones are many, and whoever has enough of their
/// addresses would keep call control and gateways out.
pub const CONNECTIONS_FOR_NEIGHBOURS: usize = 256;

/// Connections of one IP address of phones, accepted or opened to where a phone says that it listens.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;

/// Connections accepted from one IP address of a configured neighbour.
pub const CONNECTIONS_PER_NEIGHBOUR_MAX: usize = 192;

/// File descriptors left for everything that is no SIP connection.
pub const DESCRIPTORS_KEPT: usize = 256;

/// Messages that wait to be written to one connection; one more closes it. At two thousand calls a second that is what one
/// lost segment of a wide-area path holds up; small ones reach it before the octets below do.
pub const QUEUED_MESSAGES_MAX: usize = 4_096;

/// Octets that wait to be written to one connection; more close it.
pub const QUEUED_BYTES_MAX: usize = 4 * 1_048_576;

/// Requests written to one connection last whose transactions are told when it ends.
pub const WRITTEN_REQUESTS_MAX: usize = 256;

/// Octets each connection may hold unread and, again, unwritten, without asking the common budget.
pub const CONNECTION_SHARE_BYTES: usize = 16_384;

/// Octets all connections together may hold beyond their shares.
pub const CONNECTIONS_BYTES_MAX: usize = 67_108_864;

/// How long an accepted connection may take to its first octet, milliseconds.
pub const FIRST_BYTE_MS_MAX: u64 = 4_000;

/// How long a message may take from its first octet to its last, and one of ours to be taken, milliseconds.
pub const STREAM_MESSAGE_MS_MAX: u64 = 8_000;

/// Silence after which a neighbour's connection is closed, milliseconds.
pub const STREAM_IDLE_MS_MAX: u64 = 3_600_000;

/// How long a refused connection is read on, so that its other end finds the refusal, milliseconds.
pub const STREAM_LINGER_MS: u64 = 2_000;

/// UDP addresses remembered because they have shown that they hear us; an even number.
pub const VERIFIED_ADDRESSES_MAX: usize = 8_192;

/// Inputs remembered because handling them failed inside the node.
pub const QUARANTINED_MAX: usize = 64;

/// A message within its limits never asks for more than the connections' budget has.
const _: () = assert!(MESSAGE_BYTES_MAX < CONNECTIONS_BYTES_MAX && MESSAGE_BYTES_MAX < QUEUED_BYTES_MAX);
const _: () = assert!(CONNECTIONS_FOR_TRUNKS + CONNECTIONS_FOR_NEIGHBOURS < CONNECTIONS_MAX);
// One neighbour of which all connections broke at once opens them anew beside phones that took all they may.
const _: () = assert!(CONNECTIONS_PER_NEIGHBOUR_MAX <= CONNECTIONS_FOR_NEIGHBOURS);
// One neighbour that never shakes hands leaves room for those of others.
const _: () = assert!(CONNECTIONS_PER_NEIGHBOUR_MAX < HANDSHAKES_MAX);

/// Changes recorded against one message before the editor's list moves to the heap.
pub const SPLICES_INLINE: usize = 16;

/// Max-Forwards of a request this node makes itself (RFC 3261, section 8.1.1.6).
pub const MAX_FORWARDS_FIRST: u8 = 70;

/// Max-Breadth of a request that came without one (RFC 5393, section 5.3.3).
pub const MAX_BREADTH_FIRST: u8 = 60;

/// What this node adds to a request: Via, two Record-Routes, Max-Forwards, Max-Breadth, the device mark, Priority,
/// P-Asserted-Identity, three of a session timer, three of a location and Content-Length.
const _: () = assert!(HEADERS_ADDED_MAX >= 16 && VALUES_ADDED_MAX >= 2);

/// Positions in a message are stored as `u32`, so a message must never outgrow them.
const _: () = assert!(MESSAGE_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(HEAD_BYTES_MAX <= MESSAGE_BYTES_MAX && LINE_BYTES_MAX <= HEAD_BYTES_MAX);

/// Transactions at a time; a row is some hundred bytes and what it may have to repeat.
pub const TRANSACTIONS_MAX: usize = 1_000_000;

/// Calls at a time.
pub const CALLS_MAX: usize = 250_000;

/// Share of a table's rows that ordinary calls may take; the rest is kept for emergency calls and for calls that stand.
pub const ORDINARY_ROWS_PERCENT: usize = 90;

/// How often one call may pass the node, and how many tries of it may linger, at a time.
pub const PASSES_MAX: u8 = 8;
/// The same of an emergency call: a phone that tries again and again while its tries linger is no loop.
pub const EMERGENCY_PASSES_MAX: u8 = 64;

/// Parties behind one call that may have answered it, when somebody behind us forks.
pub const LEGS_MAX: usize = 4;

/// Early dialogs of a call that are told apart by their answers, and of an emergency call also by their try: as many parties
/// as may ring behind all its hops.
pub const EARLY_DIALOGS_MAX: usize = 16;

/// Remote clusters a process has links to, over all reloads.
pub const REMOTE_CLUSTERS_MAX: usize = 256;

/// Longest time from INVITE to the final response, milliseconds: only for calls whose other end fell silent without
/// a word, since ringing has its own limit (`sip.ring_s`) and an emergency call's has none.
pub const SETUP_MS_MAX: u64 = 3 * 3_600_000;

/// From one look at the hops of an emergency call that hunts to the next, milliseconds: is one of them slow or down?
pub const EMERGENCY_LOOK_MS: u64 = 2_000;

/// The same of one that has no way at all until a name leads to an address, milliseconds.
pub const EMERGENCY_NAMES_LOOK_MS: u64 = 500;

/// INVITEs of one emergency call that may be open when its last hop is taken for dead and asked again: a gateway that
/// comes and goes leaves one behind each time.
pub const EMERGENCY_OPEN_MAX: usize = 16;

/// How long an emergency call waits for a gateway that says no more than 100 before it tries the next hop beside it,
/// milliseconds.
pub const EMERGENCY_TRYING_MS: u64 = 8_000;

/// The same of a trunk, milliseconds: the node behind it goes through its own gateways meanwhile, and only when it has found
/// none of them is the call to go to another country. Enough for two of its gateways, and most of a third.
pub const EMERGENCY_TRUNK_TRYING_MS: u64 = 3 * EMERGENCY_TRYING_MS;

/// How much longer than its own Timer C an emergency call keeps a trunk that says no more than 100, milliseconds: the Timer C
/// of the node behind it begins anew with each of its gateways.
pub const EMERGENCY_TRUNK_MORE_MS: u64 = 60_000;

/// The far node has come to its second gateway when the near one leaves it.
const _: () = assert!(EMERGENCY_TRUNK_TRYING_MS > 2 * (EMERGENCY_TRYING_MS + EMERGENCY_LOOK_MS));
const _: () = assert!(EMERGENCY_TRUNK_MORE_MS > EMERGENCY_TRUNK_TRYING_MS);

/// Longest a call may stand, milliseconds.
pub const CALL_MS_MAX: u64 = 24 * 3_600_000;

/// From the answer to the adjustment of its booking, milliseconds (V-18).
pub const ADJUST_AFTER_MS: u64 = 1_000;

/// From the answer to the moment a call lets go of what only its setup needed, milliseconds: calls that are over by then
/// never pay for it.
pub const SETTLES_AFTER_MS: u64 = ADJUST_AFTER_MS;

/// Networks of phones a configuration may name; each is looked through for a sender nobody else is.
pub const PHONE_NETWORKS_MAX: usize = 64;

/// EMCC sessions whose phones may be registered through this node at a time: MaxPhones (L-27).
pub const REGISTERED_MAX: usize = 60_000;

/// Contacts one session may have registered at a time.
pub const CONTACTS_MAX: usize = 4;

/// Longest a contact is kept without being registered anew, seconds; a registrar that grants more is refreshed sooner.
pub const REGISTRATION_S_MAX: u32 = 7 * 86_400;

/// Further passes of one call that ride on the booking of its first.
pub const RIDERS_MAX: usize = 8;

/// Addresses of neighbours whose health is watched; those beyond count as up.
pub const WATCHED_MAX: usize = 1_024;

/// Other IP addresses of a neighbour by which a request of it is looked for, as one that came from there.
pub const OTHER_ADDRESSES_MAX: usize = 16;

/// Names of neighbours that are looked up.
pub const NAMES_MAX: usize = 256;

/// Addresses kept of one name.
pub const ADDRESSES_PER_NAME_MAX: usize = 16;

/// Names looked up at a time.
pub const LOOKUPS_AT_ONCE_MAX: usize = 8;

/// How long a start, or a reload, waits for the addresses of names that lead nowhere yet, milliseconds: a name server that lost
/// one question has been asked again by then, and one that is silent keeps nobody from serving.
pub const FIRST_LOOKUPS_MS_MAX: u64 = 4_000;

/// Health probes sent in one beat, a second; more wait for the next.
pub const PROBES_PER_BEAT_MAX: usize = 64;

/// Longest a 503 may ask to be left alone, in seconds (RFC 3261, section 20.33).
pub const RETRY_AFTER_S_MAX: u32 = 600;

/// Neighbours whose reports of load are kept (RFC 7339).
pub const CONTROLLED_MAX: usize = 1_024;

/// Longest time such a report holds, milliseconds, whatever it says: later ones come with every response.
pub const CONTROL_VALIDITY_MS_MAX: u64 = 60_000;

/// Calls ended in one turn when the time to drain is over.
pub const ENDED_AT_ONCE_MAX: usize = 256;

/// Levels of multipart bodies within each other that are looked through.
pub const BODY_DEPTH_MAX: usize = 3;

/// Parts of a multipart body that are looked through.
pub const BODY_PARTS_MAX: usize = 16;

/// Octets of a message in one UDP datagram over IPv4: 65,535 less the headers of IP and UDP.
pub const DATAGRAM_PAYLOAD_MAX: usize = 65_507;

/// Octets, levels and names of a location's XML.
pub use emcc_policies::location::pidf::{PIDF_BYTES_MAX, XML_DEPTH_MAX, XML_NAMES_MAX};

/// Characters of an emergency number behind a `+`.
pub use emcc_policies::emergency::PLUS_DIGITS_MAX;

/// TLS handshakes of connections that neighbours opened, at a time; one more closes the newest.
pub const HANDSHAKES_MAX: usize = 256;

/// Longest TLS handshake, milliseconds. Where we connect, connecting and handshake together have less: `CONNECT` of
/// `io/stream.rs`, since a call waits for it.
pub const HANDSHAKE_MS_MAX: u64 = 5_000;

/// Octets of a file of certificates or of a key.
pub const CERTIFICATE_FILE_BYTES_MAX: u64 = 1_048_576;

/// Certificates from our own to the last below a root.
pub const CERTIFICATES_IN_CHAIN_MAX: usize = 8;

/// Roots that neighbours' certificates may come from.
pub const ROOTS_MAX: usize = 256;

/// Patterns `explain call` lists that matched and did not win.
pub const EXPLAINED_ALTERNATIVES_MAX: usize = 32;

/// Circular route groups a call remembers its turn in.
pub const GROUPS_REMEMBERED_MAX: usize = 4;

/// Callers `explain call --bulk` keeps in mind between rows.
pub const BULK_CALLERS_MAX: usize = 100_000;

/// Threads that read the files of a configuration for somebody who waits: each holds the tree of one file meanwhile, some
/// ten times its size.
pub const CONFIGURATION_THREADS_MAX: usize = 4;

/// Names with spaces and no quotes that are told of in one file of a configuration.
pub const SPACED_NAMES_MAX: usize = 64;

/// Devices listed at one problem of a configuration that is told of several together.
pub const PROBLEM_DEVICES_MAX: usize = 1_000;

/// Combinations of open and closed schedules at which a check looks at a dial plan.
pub const SCHEDULED_MOMENTS_MAX: usize = 64;

/// Octets of a file of calls for `explain call --bulk`.
pub const BULK_BYTES_MAX: u64 = 1_073_741_824;

/// Replaced configurations on their way to the thread that gives them back to the heap.
pub const REPLACED_PLANS_MAX: usize = 16;

/// Steps a comparison of two configurations may take (`emcc-trunk diff`), one pattern followed by one character each: some
/// half a minute.
pub const DIFF_STEPS_MAX: u64 = 4_000_000_000;
