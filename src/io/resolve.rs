//! Names of neighbours, looked up in the background (RFC 3263): at the start, before an answer grows too old, and with
//! growing pauses after a failure. No call ever waits for it: calls go by the last good answer. A start and a reload wait, for a
//! short time, so that their first call finds one.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use emcc_policies::moment::Moment;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Clock;
use crate::config::plan::Plan;
use crate::engine::Engine;
use crate::limits::{ADDRESSES_PER_NAME_MAX, FIRST_LOOKUPS_MS_MAX, LOOKUPS_AT_ONCE_MAX};
use crate::neighbour::locate::{Located, Named, Naptr, Service, Srv, hosts, preferred, targets};
use crate::neighbour::select::Rank;
use crate::neighbour::{Address, Transport};

/// How often it looks whether a name is due; a name new after a reload waits as long.
const LOOK: Duration = Duration::from_secs(1);
/// A name server that has not answered by then is asked again, or the next one is.
const QUESTION: Duration = Duration::from_secs(2);
/// Longest time for the addresses of one SRV target: within that of the name, so that what others have is not lost.
const TARGET: Duration = Duration::from_secs(10);
/// Longest time for one name, all its questions together.
const LOOKUP: Duration = Duration::from_secs(20);
/// Shortest and longest time an answer counts, whatever its records say.
const ANSWER_S: std::ops::RangeInclusive<u64> = 5..=3_600;
/// Longest time an answer counts of which a part failed.
const PART_S_MAX: u64 = 30;
/// Pause after the first failure; it doubles with every further one.
const AGAIN_MS: u64 = 1_000;
/// Longest pause after a failure.
const AGAIN_MS_MAX: u64 = 60_000;
/// Shortest time from the end of one look-up to the next, where calls find that their hop has no address.
const WANTED_MS: u64 = 2_000;

/// Why a name leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoWay {
    /// The DNS has no such name, or no address for it.
    #[error("no such name, or no address for it")]
    Unknown,
    /// The DNS gave no usable answer.
    #[error("no usable answer from the DNS")]
    Unanswered,
    /// This host names no DNS server.
    #[error("this host has no usable DNS configuration")]
    NoServer,
}

/// Where a name leads, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its addresses.
    pub located: Vec<Located>,
    /// Seconds the answer counts.
    pub ttl_s: u64,
    /// Of no target the DNS failed to say where it is.
    pub is_whole: bool,
    /// The DNS failed to say which services there are, or where, and this is where the name leads without: better than nothing,
    /// and worse than any answer before it.
    pub is_guess: bool,
}

/// What this node can reach, and whom it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Name servers; none: those of the host.
    pub servers: Box<[SocketAddr]>,
    /// Transports it listens on.
    pub transports: Vec<Transport>,
    /// Whether it listens on IPv4.
    pub v4: bool,
    /// Whether it listens on IPv6.
    pub v6: bool,
}

/// The look-ups, on a thread of their own. Dropping it stops them.
pub struct Resolver {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// Looks up every name of the engine's configuration, the present one and those to come, and tells the engine.
    ///
    /// # Errors
    /// The system gives no thread or no reactor.
    pub fn start(engine: Arc<Engine>, clock: Clock) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, mut stopped) = watch::channel(false);
        let thread = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = Lookups::new(engine, clock).run() => {}
                    // Ends by an error only when the node is gone, which is the same.
                    _ = stopped.wait_for(|stop| *stop) => {}
                }
            });
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked is gone already, and said so.
            let _ = thread.join();
        }
    }
}

/// Looks names up once, a few at a time, and waits for all of them; for `check`.
///
/// # Errors
/// The system gives no reactor.
pub fn look_up(names: &[Named], reach: &Reach) -> io::Result<Vec<Result<Found, NoWay>>> {
    look_up_within(Duration::MAX, names, reach)
}

/// The same for so long at most: what has no answer by then is unanswered.
fn look_up_within(most: Duration, names: &[Named], reach: &Reach) -> io::Result<Vec<Result<Found, NoWay>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(async {
        let Some(resolver) = resolver(reach) else { return vec![Err(NoWay::NoServer); names.len()] };
        let mut answers = vec![Err(NoWay::Unanswered); names.len()];
        let mut running = JoinSet::new();
        let all = async {
            for (place, name) in names.iter().enumerate() {
                if running.len() >= LOOKUPS_AT_ONCE_MAX {
                    let done = running.join_next().await;
                    keep(done.and_then(Result::ok), &mut answers);
                }
                let (resolver, name, reach) = (resolver.clone(), name.clone(), reach.clone());
                running.spawn(async move { (place, located(&resolver, &name, &reach).await) });
            }
            while let Some(done) = running.join_next().await {
                keep(done.ok(), &mut answers);
            }
        };
        // Where time is up the answers that came count.
        let _ = tokio::time::timeout(most, all).await;
        answers
    }))
}

/// Tells the engine where the names of a configuration lead that lead nowhere yet, before its first call: at the start, and
/// before a reload swaps it in. Waits [`FIRST_LOOKUPS_MS_MAX`] at most; what is missing then comes from [`Resolver`]. Not to be
/// called within a runtime.
///
/// # Errors
/// The system gives no reactor.
pub fn look_up_first(engine: &Engine, plan: &Plan, clock: Clock) -> io::Result<()> {
    let names: Vec<Named> = plan.names().filter(|name| engine.leads_nowhere(name)).cloned().collect();
    if names.is_empty() {
        return Ok(());
    }
    let reach = Reach::new(&plan.sip.dns, plan.sip.listen.iter().map(|listen| listen.address));
    let answers = look_up_within(Duration::from_millis(FIRST_LOOKUPS_MS_MAX), &names, &reach)?;
    for (name, answer) in names.iter().zip(answers) {
        match answer {
            Ok(found) => drop(engine.located(name, found.located, clock.now().moment)),
            Err(why) => tracing::warn!(%name, "a neighbour's name has no address yet: {why}; its calls go elsewhere"),
        }
    }
    Ok(())
}

/// Puts a finished look-up's answer at its place.
fn keep(done: Option<(usize, Result<Found, NoWay>)>, answers: &mut [Result<Found, NoWay>]) {
    if let Some((place, answer)) = done
        && let Some(slot) = answers.get_mut(place)
    {
        *slot = answer;
    }
}

/// When a name is looked up next.
#[derive(Clone, Copy, Debug, Default)]
struct Due {
    at: Moment,
    /// When the last look-up ended.
    ended: Moment,
    /// Failures in a row.
    failures: u32,
    is_running: bool,
    /// A call wanted it while it was being looked up.
    is_wanted: bool,
}

impl Due {
    /// After an answer: a tenth of its time before it is too old. After a failure: a pause that doubles.
    fn after(self, answer: &Result<Found, NoWay>, now: Moment) -> Self {
        match answer {
            Ok(found) => Self { at: now.plus_ms(found.ttl_s.saturating_mul(900)), ended: now, ..Self::default() },
            Err(_) => {
                let most = if self.is_wanted { WANTED_MS } else { AGAIN_MS_MAX };
                let pause_ms = AGAIN_MS.saturating_mul(1 << self.failures.min(16)).min(most);
                let failures = self.failures.saturating_add(1);
                Self { at: now.plus_ms(pause_ms), ended: now, failures, ..Self::default() }
            }
        }
    }

    /// A call found no address under the name: the next look-up is due as soon as may be, whatever the pause was.
    fn want(&mut self) {
        self.is_wanted = self.is_running;
        self.at = self.at.min(self.ended.plus_ms(WANTED_MS));
    }
}

/// The state of the background look-ups.
struct Lookups {
    engine: Arc<Engine>,
    clock: Clock,
    due: HashMap<Named, Due>,
    running: JoinSet<(Named, Result<Found, NoWay>)>,
    /// Whom to ask, and what it was made for.
    resolver: Option<(Reach, TokioResolver)>,
}

impl Lookups {
    fn new(engine: Arc<Engine>, clock: Clock) -> Self {
        Self { engine, clock, due: HashMap::new(), running: JoinSet::new(), resolver: None }
    }

    async fn run(mut self) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => self.begin(),
                Some(done) = self.running.join_next() => {
                    // A look-up that panicked is begun again when its time has passed.
                    if let Ok((name, answer)) = done {
                        self.take(&name, answer);
                    }
                }
            }
        }
    }

    /// Begins what is due.
    fn begin(&mut self) {
        let plan = self.engine.plan();
        let now = self.clock.now().moment;
        self.due.retain(|name, _| plan.names().any(|named| named == name));
        for name in plan.names() {
            self.due.entry(name.clone()).or_default();
        }
        if self.due.is_empty() {
            return;
        }
        if self.engine.takes_wish_for_names() {
            let nowhere = self.due.iter_mut().filter(|(name, _)| self.engine.leads_nowhere(name));
            nowhere.for_each(|(_, due)| due.want());
        }
        let reach = Reach::new(&plan.sip.dns, plan.sip.listen.iter().map(|listen| listen.address));
        if self.resolver.as_ref().is_none_or(|(made_for, _)| *made_for != reach) {
            self.resolver = resolver(&reach).map(|resolver| (reach.clone(), resolver));
        }
        let ready = self.due.iter().filter(|(_, due)| !due.is_running && due.at <= now);
        let mut ready: Vec<(Moment, Named)> = ready.map(|(name, due)| (due.at, name.clone())).collect();
        // Whoever waits longest comes first: of many names none is passed over.
        ready.sort();
        for (_, name) in ready.into_iter().take(LOOKUPS_AT_ONCE_MAX.saturating_sub(self.running.len())) {
            let Some((_, resolver)) = &self.resolver else {
                self.take(&name, Err(NoWay::NoServer));
                continue;
            };
            if let Some(due) = self.due.get_mut(&name) {
                due.is_running = true;
            }
            let (resolver, reach) = (resolver.clone(), reach.clone());
            self.running.spawn(async move {
                let answer = located(&resolver, &name, &reach).await;
                (name, answer)
            });
        }
    }

    /// Tells the engine of an answer and plans the next look-up.
    fn take(&mut self, name: &Named, answer: Result<Found, NoWay>) {
        let now = self.clock.now().moment;
        let Some(due) = self.due.get_mut(name) else { return };
        let is_first_failure = due.failures == 0;
        *due = due.after(&answer, now);
        self.engine.counters().name_looked_up(answer.is_ok());
        match answer {
            Ok(found) if found.is_guess && !self.engine.leads_nowhere(name) => {}
            Ok(found) => {
                let is_other = if found.is_whole {
                    self.engine.located(name, found.located, now)
                } else {
                    self.engine.located_in_part(name, found.located, now)
                };
                if is_other {
                    tracing::info!(%name, ttl_s = found.ttl_s, "a neighbour's name leads elsewhere than before");
                }
            }
            Err(why) if is_first_failure => {
                tracing::warn!(%name, "a neighbour's name was not found: {why}; its last addresses stay");
            }
            Err(_) => {}
        }
    }
}

impl Reach {
    /// That of a node with these DNS servers and listening addresses.
    #[must_use]
    pub fn new(servers: &[SocketAddr], listen: impl Iterator<Item = Address> + Clone) -> Self {
        let mut transports: Vec<Transport> = listen.clone().map(|address| address.transport).collect();
        transports.sort_unstable();
        transports.dedup();
        let listens = |is_v4| listen.clone().any(|address| address.speaks(is_v4));
        Self { servers: servers.into(), transports, v4: listens(true), v6: listens(false) }
    }
}

/// A resolver that keeps nothing: what is kept, and for how long, is decided here.
fn resolver(reach: &Reach) -> Option<TokioResolver> {
    let mut builder = if reach.servers.is_empty() {
        TokioResolver::builder_tokio().ok()?
    } else {
        let servers = reach.servers.iter().map(|server| {
            let with_port = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let connections = vec![with_port(ConnectionConfig::udp()), with_port(ConnectionConfig::tcp())];
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = QUESTION;
    options.attempts = 2;
    options.cache_size = 0;
    options.ip_strategy = match (reach.v4, reach.v6) {
        (true, false) => LookupIpStrategy::Ipv4Only,
        (false, true) => LookupIpStrategy::Ipv6Only,
        _ => LookupIpStrategy::Ipv4AndIpv6,
    };
    builder.build().ok()
}

/// Where a name leads (RFC 3263 section 4).
async fn located(resolver: &TokioResolver, name: &Named, reach: &Reach) -> Result<Found, NoWay> {
    let all = async {
        let mut search = Search { resolver, ttl_s: *ANSWER_S.end(), is_whole: true, is_guess: false };
        let located = search.locate(name, &reach.transports).await?;
        let Search { is_whole, is_guess, .. } = search;
        let most = if is_whole && !is_guess { *ANSWER_S.end() } else { PART_S_MAX };
        Ok(Found { located, ttl_s: search.ttl_s.clamp(*ANSWER_S.start(), most), is_whole, is_guess })
    };
    tokio::time::timeout(LOOKUP, all).await.unwrap_or(Err(NoWay::Unanswered))
}

/// One name's questions.
struct Search<'a> {
    resolver: &'a TokioResolver,
    /// The shortest time of any record that counted.
    ttl_s: u64,
    /// Of no target the DNS failed to say where it is.
    is_whole: bool,
    /// The DNS failed for NAPTR or SRV records.
    is_guess: bool,
}

/// What the SRV records of a service say.
enum Targets {
    /// Where it is; nowhere where there are no records, or their targets have no address.
    At(Vec<Located>),
    /// It is decidedly not there (RFC 2782, a target of ".").
    NotThere,
    /// The DNS failed to say.
    Unsaid,
}

impl Search<'_> {
    async fn locate(&mut self, name: &Named, served: &[Transport]) -> Result<Vec<Located>, NoWay> {
        let mut services = Vec::new();
        if name.asks_for_transport() {
            let records = self.records(&name.host, RecordType::NAPTR).await;
            // What the DNS fails to say of the domain's wishes hides none of its services, and no address.
            self.is_guess |= records.is_err();
            let records: Vec<Naptr> = records.unwrap_or_default().into_iter().filter_map(naptr).collect();
            services = preferred(&records, served);
        }
        if services.is_empty() {
            services = name.services(served);
        }
        let mut is_offered = true;
        for service in services {
            match self.service(&service).await {
                Targets::At(found) if !found.is_empty() => return Ok(found),
                Targets::At(_) => {}
                Targets::NotThere => is_offered = false,
                Targets::Unsaid => self.is_guess = true,
            }
        }
        let nowhere = if self.is_guess { NoWay::Unanswered } else { NoWay::Unknown };
        if !is_offered {
            // The domain has said so; its host is none of the service's.
            return Err(nowhere);
        }
        let (transport, port) = name.as_host();
        let ips = self.ips(&name.host).await?;
        let rank = Rank::default();
        let found: Vec<Located> = hosts(transport, port, &ips).map(|address| Located { address, rank }).collect();
        if found.is_empty() { Err(nowhere) } else { Ok(found) }
    }

    /// The targets of a service's SRV records. They are asked for all at once, so that one the DNS is silent about keeps
    /// nobody waiting, and one that it fails for hides no other.
    async fn service(&mut self, service: &Service) -> Targets {
        let Ok(records) = self.records(&service.name, RecordType::SRV).await else { return Targets::Unsaid };
        let mut records: Vec<Srv> = records.into_iter().filter_map(srv).collect();
        records.sort_by_key(|record| record.priority);
        let is_not_there = !records.is_empty() && records.iter().all(|record| record.target.is_empty());
        if is_not_there {
            return Targets::NotThere;
        }
        records.retain(|record| !record.target.is_empty());
        records.truncate(ADDRESSES_PER_NAME_MAX);
        let mut asked = JoinSet::new();
        for (place, record) in records.iter().enumerate() {
            let (resolver, target) = (self.resolver.clone(), record.target.clone());
            asked.spawn(async move {
                let answer = tokio::time::timeout(TARGET, addresses(&resolver, &target)).await;
                (place, answer.unwrap_or(Err(NoWay::Unanswered)))
            });
        }
        let mut answers = vec![Err(NoWay::Unanswered); records.len()];
        while let Some(done) = asked.join_next().await {
            if let Ok((place, answer)) = done
                && let Some(slot) = answers.get_mut(place)
            {
                *slot = answer;
            }
        }
        let (mut found, mut failed) = (Vec::new(), false);
        for (record, answer) in records.iter().zip(answers) {
            match answer {
                // A target without an address is one target less (RFC 2782).
                Ok((ips, ttl_s)) => {
                    self.ttl_s = self.ttl_s.min(ttl_s);
                    found.extend(targets(record, service.transport, &ips));
                }
                Err(_) => failed = true,
            }
        }
        match failed {
            // What the DNS fails to say of the targets hides neither another service nor the host's own addresses.
            true if found.is_empty() => return Targets::Unsaid,
            true => self.is_whole = false,
            false => {}
        }
        Targets::At(found)
    }

    /// The records of a name; none where it has none of that type.
    async fn records(&mut self, name: &str, of: RecordType) -> Result<Vec<RData>, NoWay> {
        match self.resolver.lookup(whole(name), of).await {
            Ok(lookup) => Ok(self.counted(lookup.answers())),
            Err(error) => none_or(&error).map(|()| Vec::new()),
        }
    }

    /// The addresses of a host; none where it has none.
    async fn ips(&mut self, host: &str) -> Result<Vec<IpAddr>, NoWay> {
        let (ips, ttl_s) = addresses(self.resolver, host).await?;
        self.ttl_s = self.ttl_s.min(ttl_s);
        Ok(ips)
    }

    fn counted(&mut self, records: &[Record]) -> Vec<RData> {
        for record in records {
            self.ttl_s = self.ttl_s.min(u64::from(record.ttl));
        }
        records.iter().map(|record| record.data.clone()).collect()
    }
}

/// The addresses of a host and the shortest time of their records in seconds; none, for ever, where it has none.
async fn addresses(resolver: &TokioResolver, host: &str) -> Result<(Vec<IpAddr>, u64), NoWay> {
    let lookup = match resolver.lookup_ip(whole(host)).await {
        Ok(lookup) => lookup,
        Err(error) => return none_or(&error).map(|()| (Vec::new(), u64::MAX)),
    };
    let records = lookup.as_lookup().answers();
    let ip = |record: &Record| match &record.data {
        RData::A(ip) => Some(IpAddr::V4(ip.0)),
        RData::AAAA(ip) => Some(IpAddr::V6(ip.0)),
        _ => None,
    };
    let ttl_s = records.iter().map(|record| u64::from(record.ttl)).min().unwrap_or(u64::MAX);
    Ok((records.iter().filter_map(ip).collect(), ttl_s))
}

/// A name as it stands, without the search list of the host.
fn whole(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

/// Whether the DNS said that there is nothing, or failed to say.
fn none_or(error: &NetError) -> Result<(), NoWay> {
    if error.is_no_records_found() { Ok(()) } else { Err(NoWay::Unanswered) }
}

fn naptr(data: RData) -> Option<Naptr> {
    let RData::NAPTR(record) = data else { return None };
    Some(Naptr {
        order: record.order,
        preference: record.preference,
        replacement: text(&record.replacement),
        flags: record.flags,
        services: record.services,
    })
}

fn srv(data: RData) -> Option<Srv> {
    let RData::SRV(record) = data else { return None };
    let target = text(&record.target);
    Some(Srv { priority: record.priority, weight: record.weight, port: record.port, target })
}

/// A name as text, without the dot at its end: empty for the root, which stands for "none".
fn text(name: &hickory_resolver::proto::rr::Name) -> Box<str> {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase().into()
}

// The tests that call SIPp start the same server beside whole nodes.
#[cfg(test)]
#[path = "../../tests/sipp/dns.rs"]
#[allow(dead_code)]
mod dns;

#[cfg(test)]
mod tests {
    use super::dns::Dns;
    use super::*;
    use hickory_resolver::proto::rr::Name;
    use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};

    /// A server that knows these records.
    fn serves(records: Vec<(&str, u32, RData)>) -> Dns {
        let server = Dns::start("127.0.0.1:0".parse().unwrap());
        records.into_iter().for_each(|(name, ttl_s, data)| server.record(name, ttl_s, data));
        server
    }

    fn reach(server: &Dns) -> Reach {
        let transports = vec![Transport::Udp, Transport::Tcp];
        Reach { servers: [server.at].into(), transports, v4: true, v6: false }
    }

    #[test]
    fn a_wildcard_of_ipv6_reaches_both_families() {
        for (listen, v4, v6) in [("[::]:5060", true, true), ("[::1]:5060", false, true), ("0.0.0.0:5060", true, false)]
        {
            let address = Address { transport: Transport::Udp, socket: listen.parse().unwrap() };
            let reach = Reach::new(&[], [address].into_iter());
            assert_eq!((reach.v4, reach.v6), (v4, v6), "{listen}");
        }
    }

    fn a(last: u8) -> RData {
        RData::A(A::new(192, 0, 2, last))
    }

    fn srv_of(priority: u16, weight: u16, port: u16, target: &str) -> RData {
        RData::SRV(SRV::new(priority, weight, port, Name::from_ascii(target).unwrap()))
    }

    fn naptr_of(order: u16, service: &str, to: &str) -> RData {
        let (flags, service) = (b"s".to_vec().into(), service.as_bytes().to_vec().into());
        RData::NAPTR(NAPTR::new(order, 10, flags, service, Vec::new().into(), Name::from_ascii(to).unwrap()))
    }

    fn name(text: &str, port: Option<u16>, transport: Option<Transport>) -> Named {
        Named { host: text.into(), port, transport }
    }

    fn found(server: &Dns, name: Named) -> Result<Found, NoWay> {
        look_up(&[name], &reach(server)).unwrap().remove(0)
    }

    fn told(found: &Found) -> Vec<(String, u32, u16)> {
        let told = |located: &Located| (located.address.to_string(), located.rank.priority, located.rank.weight);
        found.located.iter().map(told).collect()
    }

    #[test]
    fn rfc_3263_4_1_a_bare_name_goes_by_naptr_srv_and_address() {
        let server = serves(vec![
            ("example.com", 300, naptr_of(20, "SIP+D2U", "_sip._udp.example.com.")),
            ("example.com", 300, naptr_of(10, "SIP+D2T", "_sip._tcp.example.com.")),
            ("_sip._tcp.example.com", 60, srv_of(2, 0, 5070, "b.example.com.")),
            ("_sip._tcp.example.com", 60, srv_of(1, 7, 5071, "a.example.com.")),
            ("a.example.com", 120, a(1)),
            ("b.example.com", 120, a(2)),
        ]);
        let found = found(&server, name("example.com", None, None)).unwrap();
        assert_eq!(told(&found), [("tcp:192.0.2.1:5071".to_owned(), 1, 7), ("tcp:192.0.2.2:5070".to_owned(), 2, 0)]);
        assert_eq!(found.ttl_s, 60, "the shortest of all that counted");
    }

    #[test]
    fn rfc_3263_4_1_without_naptr_the_services_are_asked_for_and_then_the_host() {
        let server = serves(vec![("example.com", 600, a(9))]);
        let only_host = found(&server, name("example.com", None, None)).unwrap();
        assert_eq!(told(&only_host), [("udp:192.0.2.9:5060".to_owned(), 0, 0)]);
        let asked: Vec<(String, RecordType)> = server.asked();
        let expected = [
            ("example.com", RecordType::NAPTR),
            ("_sip._udp.example.com", RecordType::SRV),
            ("_sip._tcp.example.com", RecordType::SRV),
            ("example.com", RecordType::A),
        ];
        assert_eq!(asked.iter().map(|(name, of)| (name.as_str(), *of)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rfc_3263_4_2_a_written_port_makes_it_a_host_and_a_written_transport_a_service() {
        let server = serves(vec![
            ("gw.example.com", 600, a(3)),
            ("_sip._udp.gw.example.com", 600, srv_of(0, 0, 5099, "gw.example.com.")),
        ]);
        let host = found(&server, name("gw.example.com", Some(5080), Some(Transport::Tcp))).unwrap();
        assert_eq!(told(&host), [("tcp:192.0.2.3:5080".to_owned(), 0, 0)]);
        assert_eq!(server.asked().len(), 1);
        let service = found(&server, name("gw.example.com", None, Some(Transport::Udp))).unwrap();
        assert_eq!(told(&service), [("udp:192.0.2.3:5099".to_owned(), 0, 0)]);
    }

    #[test]
    fn rfc_2782_a_service_whose_target_is_the_root_is_not_there() {
        let server = serves(vec![("_sip._udp.example.com", 60, srv_of(0, 0, 0, "."))]);
        assert_eq!(found(&server, name("example.com", None, Some(Transport::Udp))), Err(NoWay::Unknown));
    }

    #[test]
    fn rfc_2782_a_service_that_is_decidedly_not_there_is_not_looked_for_at_the_host() {
        let host = ("example.com", 60, a(9));
        let server = serves(vec![("_sip._udp.example.com", 60, srv_of(0, 0, 0, ".")), host.clone()]);
        assert_eq!(found(&server, name("example.com", None, Some(Transport::Udp))), Err(NoWay::Unknown));
        assert_eq!(found(&server, name("example.com", None, None)), Err(NoWay::Unknown), "nor another's host");
        server.record("_sip._tcp.example.com", 60, srv_of(0, 0, 5070, "example.com."));
        let over_tcp = found(&server, name("example.com", None, None)).unwrap();
        assert_eq!(told(&over_tcp), [("tcp:192.0.2.9:5070".to_owned(), 0, 0)], "its other service is there");
    }

    #[test]
    fn rfc_2782_a_target_the_dns_fails_for_or_is_silent_about_hides_no_other() {
        for is_silent in [false, true] {
            let server = serves(vec![
                ("_sip._udp.example.com", 600, srv_of(1, 0, 5060, "bad.example.com.")),
                ("_sip._udp.example.com", 600, srv_of(2, 0, 5061, "good.example.com.")),
                ("_sip._udp.example.com", 600, srv_of(3, 0, 5062, "bad2.example.com.")),
                ("good.example.com", 600, a(2)),
            ]);
            server.fail_for("bad.example.com", is_silent);
            server.fail_for("bad2.example.com", is_silent);
            let asked = name("example.com", None, Some(Transport::Udp));
            let part = found(&server, asked.clone()).unwrap();
            assert_eq!(told(&part), [("udp:192.0.2.2:5061".to_owned(), 2, 0)], "silent: {is_silent}");
            assert_eq!((part.is_whole, part.ttl_s), (false, PART_S_MAX), "soon asked again");
            server.fail_for("good.example.com", is_silent);
            assert_eq!(found(&server, asked), Err(NoWay::Unanswered), "no target at all is no answer");
        }
    }

    #[test]
    fn rfc_3263_4_a_dns_that_fails_for_naptr_or_srv_hides_no_address() {
        let (of_service, of_host) = ("tcp:192.0.2.4:5070", "udp:192.0.2.9:5060");
        for (failing, bare, want) in [
            ("_sip._udp.example.com", false, of_host),
            ("_sip._udp.example.com", true, of_service),
            ("example.com", true, of_service),
            ("t.example.com", true, of_host),
        ] {
            let server = serves(vec![
                ("example.com", 600, a(9)),
                ("_sip._tcp.example.com", 600, srv_of(0, 0, 5070, "t.example.com.")),
            ]);
            server.record("t.example.com", 600, a(4));
            server.fail_for(failing, false);
            let transport = (!bare).then_some(Transport::Udp);
            let guess = found(&server, name("example.com", None, transport)).unwrap();
            assert_eq!(told(&guess)[0].0, want, "{failing} {bare}");
            assert_eq!((guess.is_guess, guess.ttl_s), (true, PART_S_MAX), "soon asked again");
        }
        let server = serves(Vec::new());
        server.fail_for("_sip._udp.example.com", false);
        assert_eq!(found(&server, name("example.com", None, Some(Transport::Udp))), Err(NoWay::Unanswered));
    }

    #[test]
    fn a_silent_server_holds_a_start_up_for_a_bounded_time_and_hides_no_other_name() {
        let server = serves(vec![("good.example.com", 600, a(7))]);
        server.fail_for("bad.example.com", true);
        let names = ["bad.example.com", "good.example.com"].map(|host| name(host, Some(5060), None));
        let clock = Clock::start();
        let answers = look_up_within(Duration::from_millis(1_000), &names, &reach(&server)).unwrap();
        assert!(clock.now().moment.0 < 2_000, "{:?}", clock.now().moment);
        assert_eq!(answers[0], Err(NoWay::Unanswered));
        assert_eq!(told(answers[1].as_ref().unwrap())[0].0, "udp:192.0.2.7:5060");
    }

    #[test]
    fn p_23_a_name_that_a_call_wants_is_due_at_once_and_no_more_often_than_every_two_seconds() {
        let mut due = Due::default();
        for _ in 0..9 {
            due = due.after(&Err(NoWay::Unanswered), Moment(100_000));
        }
        assert_eq!(due.at, Moment(160_000));
        due.want();
        assert_eq!(due.at, Moment(102_000));
        let mut due = Due::default().after(&Err(NoWay::Unanswered), Moment(100_000));
        due.want();
        assert_eq!(due.at, Moment(101_000), "never later than it was");
        let mut due = Due { failures: 9, is_running: true, ..Due::default() };
        due.want();
        due = due.after(&Err(NoWay::Unanswered), Moment(100_000));
        assert_eq!(due.at, Moment(102_000), "wanted while it was being looked up");
        due = due.after(&Err(NoWay::Unanswered), Moment(200_000));
        assert_eq!(due.at, Moment(260_000), "nobody wanted it again");
    }

    #[test]
    fn a_name_that_is_not_there_and_a_server_that_fails_are_told_apart() {
        let server = serves(vec![("known.example.com", 60, a(1))]);
        assert_eq!(found(&server, name("unknown.example.com", None, None)), Err(NoWay::Unknown));
        server.fail();
        assert_eq!(found(&server, name("known.example.com", Some(5060), None)), Err(NoWay::Unanswered));
    }

    #[test]
    fn a_silent_server_costs_a_bounded_time() {
        let server = serves(Vec::new());
        server.silent(true);
        let clock = Clock::start();
        assert_eq!(found(&server, name("example.com", Some(5060), None)), Err(NoWay::Unanswered));
        assert!(clock.now().moment.0 < 21_000, "{:?}", clock.now().moment);
    }

    #[test]
    fn many_names_are_looked_up_a_few_at_a_time_and_each_gets_its_own_answer() {
        let names: Vec<String> = (1..=40).map(|number| format!("h{number}.example.com")).collect();
        let records = (1..)
            .zip(&names)
            .filter(|(number, _)| number % 2 == 1)
            .map(|(number, name)| (name.as_str(), 60, a(number)));
        let server = serves(records.collect());
        let named: Vec<Named> = names.iter().map(|host| name(host, Some(5060), None)).collect();
        for (number, answer) in (1..).zip(look_up(&named, &reach(&server)).unwrap()) {
            match answer {
                Ok(found) => assert_eq!(told(&found)[0].0, format!("udp:192.0.2.{number}:5060")),
                Err(why) => assert_eq!((why, number % 2), (NoWay::Unknown, 0)),
            }
        }
    }

    #[test]
    fn an_answer_is_renewed_before_it_is_too_old_and_a_failure_with_growing_pauses() {
        let ok = |ttl_s| Ok(Found { located: Vec::new(), ttl_s, is_whole: true, is_guess: false });
        let mut due = Due::default().after(&ok(100), Moment(1_000));
        assert_eq!((due.at, due.failures), (Moment(91_000), 0));
        let mut pauses = Vec::new();
        for _ in 0..9 {
            due = due.after(&Err(NoWay::Unanswered), Moment(0));
            pauses.push(due.at.0);
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(due.after(&ok(5), Moment(0)).failures, 0);
    }
}
