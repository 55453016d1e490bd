//! The fleet at work. A device that sleeps costs a place in a list and a time in a heap; only one that is
//! connected has a task.

mod schedule;

use super::{
    dice::{self, Word},
    figures::Figures,
    net::{Credential, Doors, From},
    payload::{Which, payload},
    scenario::{Group, Keeping, Scenario},
    session::{Saying, Sent, Session, why},
    store::{Place, Store},
};
use crate::clock;
use anyhow::Context as _;
use device::DeviceId;
use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Messages that wait on a device, at most.
const KEPT_MAX: u32 = 1000;
/// Counters run ahead by so many a second: more than a device may send.
const COUNTERS_PER_SECOND: u64 = 64;
/// After a connection that came to nothing.
const BACK_OFF_MS: u64 = 2000;
/// Silence after which a connected device says that it is there.
const PING: Duration = Duration::from_secs(300);

/// Before a device that lost its connection opens another.
const AFTER_LOSS: Duration = Duration::from_millis(200);
/// Silence after which a device that listens sleeps again.
const QUIET: Duration = Duration::from_millis(300);

/// What the fleet remembers of a device.
#[derive(Debug, Default)]
pub struct Member {
    /// messages that were due so far
    made: u32,
    /// the first of them that is not settled
    next: u32,
    /// whether that one was sent before
    sent: bool,
    /// whether it lost a connection
    lost: bool,
}

/// A group at work.
pub struct GroupAtWork {
    /// what it should do
    pub group: Group,
    /// its product line
    pub product: String,
    /// its place in the scenario
    pub number: u64,
    /// where its devices begin in their product line
    pub offset: usize,
    /// where its members begin
    pub first: usize,
    /// how many do what they should; the others are attackers'
    pub honest: u32,
    /// whether they keep their connections
    pub stays: bool,
    /// what came of it
    pub figures: Mutex<Figures>,
}

/// Everything that plays.
pub struct Play {
    /// what is played
    pub scenario: Scenario,
    /// by which seed
    pub seed: u64,
    /// its groups
    pub groups: Vec<GroupAtWork>,
    /// keys and certificates
    pub store: Store,
    /// where to
    pub doors: Doors,
    members: Vec<Mutex<Member>>,
    permits: Arc<Semaphore>,
    began: OnceLock<Instant>,
    /// about when it began, in seconds since 1970
    pub began_at: i64,
    /// somebody said that it is enough
    pub stopped: AtomicBool,
    /// orders that the owner has not given yet: who stays connected waits for them
    pub orders: AtomicUsize,
    /// of devices that are looked at closely: beginnings of the hashes of what was acknowledged
    pub witnessed: Mutex<HashMap<usize, Vec<[u8; 8]>>>,
}

/// Whether a message that was sent again may be refused so because the platform has it (docs/gateway.md).
fn is_heard_before(reason: &str) -> bool {
    matches!(reason, "PUBACK 0x99" | "HTTP 400" | "CoAP 4.00")
}

/// Takes a lock, whoever panicked before.
pub fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Play {
    /// Sets the fleet up. The store has the devices.
    pub fn new(
        scenario: Scenario,
        seed: u64,
        store: Store,
        doors: Doors,
        connections: u32,
    ) -> anyhow::Result<Self> {
        let mut offsets: HashMap<String, usize> = HashMap::new();
        let (mut groups, mut first) = (Vec::new(), 0);
        let stays = scenario.stays(connections);
        for (number, group) in scenario.groups.iter().enumerate() {
            let product = scenario.product(group).context("a group without a product")?.to_owned();
            let count = usize::try_from(group.count)?;
            let offset = offsets.entry(product.clone()).or_default();
            groups.push(GroupAtWork {
                group: group.clone(),
                number: u64::try_from(number)?,
                offset: *offset,
                first,
                honest: group.count - scenario.taken(&group.name),
                stays: stays && group.connection == Keeping::Always,
                product,
                figures: Mutex::default(),
            });
            *offset += count;
            first += count;
        }
        Ok(Self {
            seed,
            groups,
            store,
            doors,
            members: (0..first).map(|_| Mutex::default()).collect(),
            permits: Arc::new(Semaphore::new(usize::try_from(connections)?)),
            began: OnceLock::new(),
            began_at: clock::now().0,
            stopped: AtomicBool::new(false),
            orders: AtomicUsize::new(scenario.orders.len()),
            witnessed: Mutex::default(),
            scenario,
        })
    }

    /// Milliseconds since it began.
    pub fn now_ms(&self) -> u64 {
        let began = self.began.get_or_init(clock::instant);
        u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// From now on it is played.
    pub fn begin(&self) {
        let _now = self.now_ms();
    }

    /// Whether everybody should stop at once.
    pub fn over(&self) -> bool {
        let end = self.scenario.duration.ms().saturating_add(self.scenario.drain.ms());
        self.stopped.load(Ordering::Relaxed) || self.now_ms() >= end
    }

    fn draining(&self) -> bool {
        self.now_ms() >= self.scenario.duration.ms()
    }

    /// The device of a group.
    pub fn place(&self, at: &GroupAtWork, number: u32) -> anyhow::Result<Place> {
        let line = self.store.opened(&at.product).context("the product line was not opened")?;
        let place = line.places().get(at.offset + usize::try_from(number)?);
        place.copied().context("the folder lacks a device")
    }

    /// What a device shows, and its serial number.
    pub fn credential(
        &self,
        at: &GroupAtWork,
        number: u32,
    ) -> anyhow::Result<(DeviceId, String, Credential)> {
        let place = self.place(at, number)?;
        let line = self.store.opened(&at.product).context("the product line was not opened")?;
        let thing = line.read(place.at())?;
        let leaf = pki::Certificate::from_der(&thing.certificate)?;
        let issuer = self.store.issuer(&leaf).context("the folder lacks the CA above a device")?;
        let (id, serial) = (thing.id, thing.serial.clone());
        Ok((id, serial, Credential::new(thing, issuer)))
    }

    /// A counter of this run: above those of the run before.
    pub fn counter(&self, number: u64) -> u64 {
        self.began_at.unsigned_abs().saturating_mul(COUNTERS_PER_SECOND).saturating_add(number)
    }

    /// When a message of a device is due.
    fn due_ms(&self, at: &GroupAtWork, number: u32, sequence: u32) -> u64 {
        let (group, device) = (at.number, u64::from(number));
        let begin = dice::share(self.seed, Word::Begin, &[group, device]);
        let begin = part(self.scenario.ramp_up.ms(), begin);
        let jitter = dice::share(self.seed, Word::Jitter, &[group, device, u64::from(sequence)]);
        let period = at.group.period.ms();
        let range = part(period, at.group.jitter);
        let jitter = part(range.saturating_mul(2), jitter);
        let regular = begin.saturating_add(period.saturating_mul(u64::from(sequence)));
        regular.saturating_add(jitter).saturating_sub(range)
    }

    /// Whether a device is away.
    fn away(&self, at: &GroupAtWork, number: u32, now_ms: u64) -> bool {
        let Some(offline) = &at.group.offline else { return false };
        let here = [at.number, u64::from(number)];
        if dice::share(self.seed, Word::Away, &here) >= offline.share {
            return false;
        }
        let every = offline.every.ms().max(1);
        let phase = part(every, dice::share(self.seed, Word::Phase, &here));
        now_ms.saturating_add(phase) % every < offline.lasts.ms()
    }

    /// Makes the messages that are due; the time of the next one.
    fn make(&self, at: &GroupAtWork, number: u32, member: &mut Member) -> Option<u64> {
        let (now, end) = (self.now_ms(), self.scenario.duration.ms());
        let most = at.group.messages.unwrap_or(u32::MAX);
        let mut made = 0;
        let next = loop {
            if member.made >= most {
                break None;
            }
            let due = self.due_ms(at, number, member.made);
            if due >= end {
                break None;
            }
            if due > now {
                break Some(due);
            }
            member.made += 1;
            made += 1;
        };
        let waiting = member.made - member.next;
        let dropped = waiting.saturating_sub(KEPT_MAX);
        if dropped > 0 {
            member.next += dropped;
            member.sent = false;
        }
        let mut figures = locked(&at.figures);
        figures.made += made;
        figures.dropped += u64::from(dropped);
        next
    }

    fn member(&self, at: &GroupAtWork, number: u32) -> Option<MutexGuard<'_, Member>> {
        self.members.get(at.first + usize::try_from(number).ok()?).map(locked)
    }

    /// Opens a connection of a device.
    async fn connect(&self, at: &GroupAtWork, number: u32) -> anyhow::Result<(Session, String)> {
        let opened = async {
            let (id, serial, credential) = self.credential(at, number)?;
            let from = From::Home(home(at, number));
            let client = id.to_string();
            let (mut session, took) =
                Session::open_timed(&self.doors, at.group.door, &credential, &client, from).await?;
            if at.group.commands {
                session.listen().await?;
            }
            anyhow::Ok((session, serial, took))
        }
        .await;
        let lost = opened.is_ok()
            && self.member(at, number).is_some_and(|mut it| std::mem::take(&mut it.lost));
        let mut figures = locked(&at.figures);
        match &opened {
            Ok((.., took)) => {
                figures.connects += 1;
                figures.reconnects += u64::from(lost);
                figures.handshake.add(*took);
            }
            Err(error) => {
                figures.failed += 1;
                figures.reasons.add(&why(error));
            }
        }
        opened.map(|(session, serial, _)| (session, serial))
    }

    /// The message that is to be sent next, and whether it was sent before; from now on it was.
    fn waiting(&self, at: &GroupAtWork, number: u32) -> Option<(u32, bool)> {
        let mut member = self.member(at, number)?;
        if member.next == member.made {
            return None;
        }
        let again = std::mem::replace(&mut member.sent, true);
        Some((member.next, again))
    }

    /// Sends what waits. An error is a connection that is lost.
    async fn send(
        &self,
        at: &GroupAtWork,
        number: u32,
        session: &mut Session,
        serial: &str,
    ) -> anyhow::Result<()> {
        while let Some((sequence, again)) = self.waiting(at, number) {
            let due = i64::try_from(self.due_ms(at, number, sequence) / 1000)?;
            let which = Which {
                seed: self.seed,
                group: at.number,
                device: u64::from(number),
                sequence: u64::from(sequence),
                at: self.began_at.saturating_add(due),
                serial,
            };
            let payload = payload(&at.group, &which)?;
            let topic = format!("me/up/{}", at.group.topic);
            let saying = Saying {
                topic: &topic,
                payload: &payload,
                format: at.group.format,
                counter: at.group.counter.then(|| self.counter(u64::from(sequence))),
            };
            let asked = clock::instant();
            let said = session.send(&saying).await;
            self.settle(at, number, again, &said, &payload, asked.elapsed());
            said?;
            let answered = session.answer().await?;
            locked(&at.figures).answered += answered;
        }
        Ok(())
    }

    fn settle(
        &self,
        at: &GroupAtWork,
        number: u32,
        again: bool,
        said: &anyhow::Result<Sent>,
        payload: &[u8],
        took: Duration,
    ) {
        let Some(mut member) = self.member(at, number) else { return };
        let mut figures = locked(&at.figures);
        match said {
            Ok(Sent::Acknowledged) => {
                figures.acknowledged += 1;
                figures.latency.add(took);
                let key = at.first + usize::try_from(number).unwrap_or(0);
                if let Some(list) = locked(&self.witnessed).get_mut(&key) {
                    list.push(mark(payload));
                }
            }
            Ok(Sent::Refused(reason)) if again && is_heard_before(reason) => {
                figures.repeated += 1;
                figures.reasons.add(&format!("sent again: {reason}"));
            }
            Ok(Sent::Refused(reason)) => {
                figures.refused += 1;
                figures.reasons.add(reason);
            }
            Err(error) => {
                figures.reasons.add(&why(error));
                member.lost = true;
                if at.group.counter {
                    // With its counter it may be sent again: it is heard once.
                    return;
                }
                figures.unanswered += 1;
            }
        }
        member.next += 1;
        member.sent = false;
    }

    /// A device that listens hears what waited for it before it sleeps again.
    async fn linger(&self, at: &GroupAtWork, session: &mut Session) -> anyhow::Result<()> {
        if at.group.commands {
            session.hear(QUIET).await?;
            let answered = session.answer().await?;
            locked(&at.figures).answered += answered;
        }
        Ok(())
    }

    /// One visit of a device that sleeps: what is due is sent. When it comes again, if it does.
    async fn visit(&self, at: &GroupAtWork, number: u32) -> Option<u64> {
        let next = {
            let mut member = self.member(at, number)?;
            let next = self.make(at, number, &mut member);
            if member.next == member.made {
                return next;
            }
            next
        };
        let now = self.now_ms();
        if !self.draining() && self.away(at, number, now) {
            // It looks again when it would speak, or soon where there is nothing more to say.
            return Some(next.unwrap_or(now.saturating_add(BACK_OFF_MS)));
        }
        if let Ok((mut session, serial)) = self.connect(at, number).await
            && self.send(at, number, &mut session, &serial).await.is_ok()
            && self.linger(at, &mut session).await.is_ok()
        {
            session.close().await;
        }
        let waits = self.member(at, number).is_some_and(|member| member.next < member.made);
        match (waits, next) {
            (false, next) => next,
            (true, next) => {
                let again = self.now_ms().saturating_add(BACK_OFF_MS);
                Some(next.map_or(again, |next| next.min(again)))
            }
        }
    }

    /// The whole life of a device that stays connected.
    async fn stay(&self, at: &GroupAtWork, number: u32) {
        let mut open: Option<(Session, String)> = None;
        let mut spoke = clock::instant();
        while !self.over() {
            let (next, waits) = match self.member(at, number) {
                None => return,
                Some(mut member) => {
                    let next = self.make(at, number, &mut member);
                    (next, member.next < member.made)
                }
            };
            let (now, draining) = (self.now_ms(), self.draining());
            if draining && !waits && self.orders.load(Ordering::Relaxed) == 0 {
                break;
            }
            let away = !draining && self.away(at, number, now);
            if away && let Some((session, _)) = open.take() {
                session.close().await;
            }
            let begins = self.due_ms(at, number, 0) <= now;
            if !away && begins && open.is_none() {
                open = self.connect(at, number).await.ok();
            }
            let mut again = now.saturating_add(BACK_OFF_MS);
            if let Some((session, serial)) = &mut open {
                again = u64::MAX;
                let quiet = spoke.elapsed() >= PING;
                if waits || quiet {
                    spoke = clock::instant();
                }
                let said = match (waits, quiet) {
                    (true, _) => self.send(at, number, session, serial).await,
                    (false, true) => session.ping().await,
                    (false, false) => Ok(()),
                };
                if said.is_err() {
                    open = None;
                    tokio::time::sleep(AFTER_LOSS).await;
                    continue;
                }
            }
            let until = next.unwrap_or(u64::MAX).min(again).min(self.scenario.duration.ms());
            let until = if draining { again } else { until };
            let pause = Duration::from_millis(until.saturating_sub(self.now_ms()).max(1));
            if let Err(error) = self.hears(at, &mut open, pause).await {
                open = None;
                locked(&at.figures).reasons.add(&why(&error));
                if let Some(mut member) = self.member(at, number) {
                    member.lost = true;
                }
            }
        }
        if let Some((mut session, _)) = open
            && self.linger(at, &mut session).await.is_ok()
        {
            session.close().await;
        }
    }

    /// Waits, and answers what is heard meanwhile.
    async fn hears(
        &self,
        at: &GroupAtWork,
        open: &mut Option<(Session, String)>,
        pause: Duration,
    ) -> anyhow::Result<()> {
        let pause = pause.min(Duration::from_secs(1));
        let Some((session, _)) = open else {
            tokio::time::sleep(pause).await;
            return Ok(());
        };
        // Only waiting is given up: that loses nothing.
        let ready = tokio::select! {
            ready = session.readable() => ready,
            () = tokio::time::sleep(pause) => return Ok(()),
        };
        ready?;
        session.take().await?;
        let answered = session.answer().await?;
        locked(&at.figures).answered += answered;
        Ok(())
    }
}

impl Scenario {
    /// Whether devices that keep their connections can, with so many at once.
    pub fn stays(&self, connections: u32) -> bool {
        let always = self.groups.iter().filter(|group| group.connection == Keeping::Always);
        let always: u64 = always.map(|group| u64::from(group.count)).sum();
        let sleeps = self.groups.iter().any(|group| group.connection == Keeping::Sleeping);
        always.saturating_add(u64::from(sleeps)) <= u64::from(connections)
    }
}

/// Which address of the fleet's network a device has.
pub fn home(at: &GroupAtWork, number: u32) -> u64 {
    u64::try_from(at.first).unwrap_or(0).saturating_add(u64::from(number))
}

/// The beginning of a payload's hash.
pub fn mark(payload: &[u8]) -> [u8; 8] {
    let hash = crypto::sha256(payload);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of at most a week in milliseconds"
)]
fn part(of: u64, share: f64) -> u64 {
    (of as f64 * share) as u64
}

/// What a device costs while it sleeps, in bytes.
pub const BYTES_PER_DEVICE: usize = std::mem::size_of::<Mutex<Member>>()
    + std::mem::size_of::<Place>()
    + std::mem::size_of::<Reverse<(u64, u32, u32)>>();
