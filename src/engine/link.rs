//! The links to remote clusters: each one's books and keepalive under one lock, never held together with a table.

use std::sync::{Mutex, MutexGuard, PoisonError};

use emcc_policies::admission::{Ask, Direction, Grant, Held, Link, LinkFull, Pool, Released, RsvpPolicy, Video};
use emcc_policies::keepalive::{Action, Heard, Keepalive, PeerEpoch};
use emcc_policies::moment::Moment;
use emcc_policies::region::Shaped;
use emcc_policies::trail::Step;

use super::decide::Decision;
use super::effects::Party;
use super::media::{Rates, ask, ask_without_offer};
use super::reject::Refusal;
use crate::config::plan::{Plan, RemoteCluster};
use crate::limits::REMOTE_CLUSTERS_MAX;

/// Every link of this process, in slots that outlive a reload: a cluster that leaves the configuration and comes back
/// finds its books.
pub struct Links {
    slots: Box<[Mutex<Option<Slot>>]>,
}

/// One link: who, what is booked, whether the other end lives.
struct Slot {
    id: Box<str>,
    link: Link,
    keepalive: Keepalive,
    /// Calls that hold something, or lost it and want it back.
    calls: u32,
    /// Earliest hint that waits in a wheel.
    armed: Option<Moment>,
    /// When the remote cluster was last found restarted.
    restarted_at: Option<Moment>,
}

/// What a due keepalive asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Rest,
    /// Send a KeepAlive to the address whose turn it is, counted round and round.
    Send {
        /// How many addresses stayed silent before it.
        turn: usize,
    },
    /// The other end is lost; this was taken back.
    Lost(Released),
}

/// One number of the books, for people and metrics.
#[derive(Clone, Debug)]
pub struct Book {
    /// Remote cluster.
    pub cluster: Box<str>,
    /// Which pool.
    pub pool: Pool,
    /// Which way.
    pub direction: Direction,
    /// Booked, kbit/s.
    pub used_kbps: u64,
    /// Limit, kbit/s, where there is one.
    pub capacity_kbps: Option<u32>,
}

impl Default for Links {
    fn default() -> Self {
        Self { slots: (0..REMOTE_CLUSTERS_MAX).map(|_| Mutex::new(None)).collect() }
    }
}

impl Links {
    /// The slot of a remote cluster, set to what the configuration now says of it.
    pub fn slot_of(&self, remote: &RemoteCluster, plan: &Plan) -> u16 {
        let capacity = remote.link;
        let interval_s = plan.feature.rsvp_keepalive_s;
        for (number, slot) in self.slots.iter().enumerate() {
            let mut slot = lock(slot);
            match slot.as_mut() {
                Some(known) if known.id == remote.id => {
                    known.link.set_capacity(capacity);
                    known.keepalive.set_interval(interval_s);
                    known.keepalive.set_addresses(remote.rsvp_trunk.len());
                }
                Some(_) => continue,
                None => {
                    let Some(mut keepalive) = Keepalive::new(interval_s) else { continue };
                    keepalive.set_addresses(remote.rsvp_trunk.len());
                    let link = Link::new(number as u32, capacity);
                    *slot = Some(Slot {
                        id: remote.id.clone(),
                        link,
                        keepalive,
                        calls: 0,
                        armed: None,
                        restarted_at: None,
                    });
                }
            }
            return number as u16;
        }
        // More clusters than slots: the configuration's own bound is the same, so this takes many reloads with ever
        // new names; the last slot then answers for nobody and admits by policy `none`.
        u16::MAX
    }

    fn with<R>(&self, slot: u16, work: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        lock(self.slots.get(usize::from(slot))?).as_mut().map(work)
    }

    /// Books a call. The second value is a deadline for the slot's keepalive, when one must be set.
    ///
    /// # Errors
    /// [`LinkFull`] as the policy says (9.2).
    pub fn reserve(
        &self,
        slot: u16,
        policy: RsvpPolicy,
        ask: Ask,
        is_emergency: bool,
        now: Moment,
    ) -> Option<Result<(Grant, Option<Moment>), LinkFull>> {
        self.with(slot, |slot| {
            let grant = slot.link.reserve(policy, ask, is_emergency)?;
            slot.calls += 1;
            if policy != RsvpPolicy::None {
                slot.keepalive.resources_held(now);
            }
            Ok((grant, slot.arm()))
        })
    }

    /// Changes what a call holds.
    ///
    /// # Errors
    /// [`LinkFull`] when it would grow and there is no room; nothing changed then.
    pub fn adjust(&self, slot: u16, held: &mut Held, to: Ask) -> Result<(), LinkFull> {
        self.with(slot, |slot| slot.link.adjust(held, to)).unwrap_or(Ok(()))
    }

    /// Books again what a lost peer cost, unless it is still lost. `None` when the booking stands or must wait.
    pub fn retry(&self, slot: u16, held: &mut Held, ask: Ask, now: Moment) -> Option<Result<Video, LinkFull>> {
        self.with(slot, |slot| {
            if slot.keepalive.is_lost() {
                return None;
            }
            let video = if !held.is_current(&slot.link) {
                slot.link.retry(held, ask)
            } else if held.booked(&slot.link) == Ask::default() && ask != Ask::default() {
                // Best effort so far (9.2): asked again until there is room.
                slot.link.adjust(held, ask).map(|()| Video::NotAsked)
            } else {
                return None;
            };
            if video.is_ok() {
                slot.keepalive.resources_held(now);
            }
            Some(video)
        })?
    }

    /// Gives back what a call holds; the last one ends the keepalive.
    pub fn release(&self, slot: u16, held: Held) -> bool {
        self.with(slot, |slot| {
            slot.calls = slot.calls.saturating_sub(1);
            if slot.calls == 0 {
                slot.keepalive.resources_gone();
            }
            slot.link.release(held)
        })
        .unwrap_or(false)
    }

    /// A KeepAlive or an acknowledgment came.
    pub fn heard(&self, slot: u16, now: Moment) -> Heard {
        self.with(slot, |slot| slot.keepalive.heard(now)).unwrap_or(Heard::Noted)
    }

    /// What the link counts for a call now.
    #[must_use]
    pub fn booked(&self, slot: u16, held: &Held) -> Ask {
        self.with(slot, |slot| held.booked(&slot.link)).unwrap_or_default()
    }

    /// The deadline a hint is needed for in that slot, if any.
    pub fn arm(&self, slot: u16) -> Option<Moment> {
        self.with(slot, Slot::arm)?
    }

    /// The start a remote cluster names.
    pub fn peer_epoch(&self, slot: u16, epoch: u64, now: Moment) -> PeerEpoch {
        let told = self.with(slot, |slot| {
            let told = slot.keepalive.peer_epoch(epoch);
            slot.restarted_at = if told == PeerEpoch::Restarted { Some(now) } else { slot.restarted_at };
            told
        });
        told.unwrap_or(PeerEpoch::Same)
    }

    /// When a restart of the remote cluster was last noticed: what it was asked before is known to nobody there.
    #[must_use]
    pub fn restarted_at(&self, slot: u16) -> Option<Moment> {
        self.with(slot, |slot| slot.restarted_at).flatten()
    }

    /// A hint of the slot came due. The second value is its next deadline.
    pub fn beat(&self, slot: u16, now: Moment) -> (Beat, Option<Moment>) {
        self.with(slot, |slot| {
            slot.armed = None;
            let beat = match slot.keepalive.poll(now) {
                Action::Nothing { .. } => Beat::Rest,
                Action::Send { .. } => Beat::Send { turn: slot.keepalive.turn() },
                Action::Lost { .. } => Beat::Lost(slot.link.release_all()),
            };
            (beat, slot.arm())
        })
        .unwrap_or((Beat::Rest, None))
    }

    /// Whether `held` still counts on its link.
    #[must_use]
    pub fn is_current(&self, slot: u16, held: &Held) -> bool {
        self.with(slot, |slot| held.is_current(&slot.link)).unwrap_or(false)
    }

    /// Emergency calls that went above a limit, over all links.
    #[must_use]
    pub fn emergencies_over_limit(&self) -> u64 {
        self.slots.iter().filter_map(|slot| lock(slot).as_ref().map(|slot| slot.link.emergencies_over_limit())).sum()
    }

    /// The books of every link.
    #[must_use]
    pub fn books(&self) -> Vec<Book> {
        let mut books = Vec::new();
        for slot in &self.slots {
            let slot = lock(slot);
            let Some(slot) = slot.as_ref() else { continue };
            let capacity = slot.link.capacity();
            for pool in [Pool::Audio, Pool::Video] {
                for direction in [Direction::Outward, Direction::Inward] {
                    books.push(Book {
                        cluster: slot.id.clone(),
                        pool,
                        direction,
                        used_kbps: slot.link.used_kbps(pool, direction),
                        capacity_kbps: match pool {
                            Pool::Audio => capacity.audio_kbps,
                            Pool::Video => capacity.video_kbps,
                        },
                    });
                }
            }
        }
        books
    }
}

impl Slot {
    /// The deadline a hint is needed for, or `None` when one waits that is early enough or nothing is to come.
    fn arm(&mut self) -> Option<Moment> {
        let next = self.keepalive.next()?;
        if self.armed.is_some_and(|armed| armed <= next) {
            return None;
        }
        self.armed = Some(next);
        Some(next)
    }
}

impl Decision {
    /// What the call asks of its link: what its offer does at worst, and without an offer the dearest within the cap (V-18).
    pub(crate) fn wanted(&self, plan: &Plan, shaped: Option<&Shaped>, is_ipv4: bool) -> Ask {
        match shaped {
            Some(shaped) => ask(self, shaped, Party::Caller, Rates::WorstCase),
            None => ask_without_offer(plan, self, is_ipv4),
        }
    }

    /// Notes that the link has no room for the call, and says why it is refused (9.2).
    pub(crate) fn no_room(&mut self, full: LinkFull, shaped: Option<&Shaped>) -> Refusal {
        let LinkFull { asked_kbps, free_kbps, .. } = full;
        self.trail.push(Step::LinkFull { asked_kbps, free_kbps });
        Refusal::LinkFull { precondition: shaped.is_some_and(|shaped| shaped.has_mandatory_qos) }
    }
}

/// A worker that panicked left the books as they were before its step: every step of `Link` is a few additions.
fn lock(slot: &Mutex<Option<Slot>>) -> MutexGuard<'_, Option<Slot>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
