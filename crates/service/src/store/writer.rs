//! The one writer: gathers what is queued into one transaction and one fsync (group commit).
//!
//! While one batch is being committed the next one gathers by itself, so a lone caller does not wait
//! and a crowd shares. Where the last batch was a crowd's, the writer takes naps of a millisecond, at
//! most four, as long as somebody comes in each: a commit costs as much as many commands, and those
//! who were answered a moment ago are on their way back. Each command has a
//! savepoint; one that is refused leaves the others alone. Callers are told after the commit.

use super::{Effect, Sizes, Tx, checkpoint::Checkpoints, tx::StandingChanges};
use crate::{
    ServiceError,
    fault::{self, Faults},
};
use rusqlite::Connection;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

/// Follows committed changes; called on the writer thread, in order, before callers are told.
pub(crate) trait Effects: Send + Sync {
    /// The changes of one commit, in order.
    fn committed(&self, effects: Vec<Effect>);
}

/// Counters for health and metrics.
#[derive(Default)]
pub(crate) struct Counters {
    /// commits that had something in them
    pub(crate) commits: AtomicU64,
    /// commands that were run
    pub(crate) commands: AtomicU64,
}

/// How long the writer waits at a time for the rest of a crowd, and how often at most.
const NAP: Duration = Duration::from_millis(1);
const NAPS_MAX: usize = 4;
/// Commands in one batch from which on it is a crowd.
const CROWD_MIN: usize = 16;

/// The queue to the writer thread.
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    alive: Arc<AtomicBool>,
    counters: Arc<Counters>,
}

impl Writer {
    pub(super) fn start(
        mut connection: Connection,
        checkpoints: Checkpoints,
        origin: String,
        sizes: &Sizes,
        faults: Faults,
        effects: Arc<dyn Effects>,
    ) -> Result<Self, ServiceError> {
        let (sender, receiver) = mpsc::channel(sizes.queue.max(1));
        let alive = Arc::new(AtomicBool::new(true));
        let counters = Arc::new(Counters::default());
        let standing = StandingChanges::follow(&mut connection)?;
        let worker = Worker {
            connection,
            checkpoints,
            origin,
            standing,
            receiver,
            runtime: Handle::try_current().ok(),
            batch: sizes.batch.max(1),
            faults,
            effects,
            counters: counters.clone(),
        };
        let flag = alive.clone();
        let thread = std::thread::Builder::new()
            .name("tegata-writer".into())
            .spawn(move || {
                // Also when the worker panics: nobody may take a dead writer for a slow one.
                let _guard = ClearOnDrop(flag);
                worker.run();
            })
            .map_err(|_| ServiceError::fatal("no-thread", "the writer thread cannot be started"))?;
        Ok(Self {
            queue: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
            alive,
            counters,
        })
    }

    /// Queues `work` and waits until it is committed or refused. What was queued runs even where
    /// the caller goes away meanwhile.
    ///
    /// # Errors
    /// Those of `work`; `stopped` where the writer ended before it could answer.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> impl Future<Output = Result<T, ServiceError>> + Send {
        // Put in its box here: nobody who waits for it carries it along.
        self.send(command(work, Guard::Savepoint, true))
    }

    /// As [`Self::run`], for work that makes sure of everything before it changes anything. It
    /// needs no savepoint, and a savepoint costs a copy of every page that the work touches.
    ///
    /// # Errors
    /// As [`Self::run`]. Work that refuses after all when it has changed something undoes the
    /// whole batch: nobody loses what was acknowledged, but everybody must repeat.
    pub(crate) fn run_checked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> impl Future<Output = Result<T, ServiceError>> + Send {
        self.send(command(work, Guard::Checked, true))
    }

    /// As [`Self::run_checked`] for many works in one place of the queue and one commit: each is
    /// refused by itself. The outcomes are in their order.
    ///
    /// # Errors
    /// `stopped`, and what loses the whole commit.
    pub(crate) async fn run_each<F, T>(
        &self,
        guard: Guard,
        works: Vec<F>,
    ) -> Result<Vec<Result<T, ServiceError>>, ServiceError>
    where
        F: FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
        T: Send + 'static,
    {
        if works.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let (parts, outcomes) = (works.len(), Vec::with_capacity(works.len()));
        let (awaited, works) = (in_runtime(), works.into_iter());
        let job = Box::new(Group { guard, awaited, parts, works, outcomes, reply });
        self.send((job, answer)).await
    }

    async fn send<T: Send + 'static>(
        &self,
        (job, answer): (Box<dyn Job>, Answer<T>),
    ) -> Result<T, ServiceError> {
        if let Some(job) = self.offer(job)? {
            let queue = self.queue().ok_or_else(ServiceError::stopped)?;
            queue.send(job).await.map_err(|_| ServiceError::stopped())?;
        }
        answer.await.map_err(|_| ServiceError::stopped())?
    }

    /// Queues a job; it comes back where there is no room for it now.
    fn offer(&self, job: Box<dyn Job>) -> Result<Option<Box<dyn Job>>, ServiceError> {
        // What is refused is dropped when the lock is free again: it may hold whatever it likes.
        let offered = {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            match &*queue {
                Some(queue) => queue.try_send(job),
                None => Err(mpsc::error::TrySendError::Closed(job)),
            }
        };
        match offered {
            Ok(()) => Ok(None),
            Err(mpsc::error::TrySendError::Full(job)) => Ok(Some(job)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ServiceError::stopped()),
        }
    }

    /// Queues `work` without waiting for it; it is dropped where the queue is full.
    pub(crate) fn queue_quietly(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<(), ServiceError> + Send + 'static,
    ) {
        let (job, _nobody) = command(work, Guard::Savepoint, true);
        if let Some(queue) = self.queue()
            && queue.try_send(job).is_err()
        {
            tracing::warn!("the writer's queue is full; a note was dropped");
        }
    }

    /// As [`Self::run`], for threads outside any asynchronous runtime.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub(crate) fn run_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let (job, answer) = command(work, Guard::Savepoint, false);
        let queue = self.queue().ok_or_else(ServiceError::stopped)?;
        // Not `blocking_send`: it must work within a runtime's thread too (opening, tests).
        let mut job = Some(job);
        while let Some(next) = job.take() {
            match queue.try_send(next) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(back)) => {
                    std::thread::sleep(Duration::from_millis(1));
                    job = Some(back);
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(ServiceError::stopped()),
            }
        }
        drop(queue);
        wait(answer)
    }

    /// Whether the thread still runs.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Commits what is queued and ends the thread.
    pub(crate) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    fn queue(&self) -> Option<mpsc::Sender<Box<dyn Job>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// Waits for an answer without a runtime.
fn wait<T>(answer: oneshot::Receiver<Result<T, ServiceError>>) -> Result<T, ServiceError> {
    crate::join::block_on(answer).map_err(|_| ServiceError::stopped())?
}

struct ClearOnDrop(Arc<AtomicBool>);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// Whether a task of a runtime runs here: one of the service's own threads may wait for a future, too. To ask
/// for the runtime itself would count its holders, which all its threads write.
fn in_runtime() -> bool {
    tokio::task::try_id().is_some()
}

type Answer<T> = oneshot::Receiver<Result<T, ServiceError>>;

/// How the rest of the batch is kept safe from a command that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// It runs in a savepoint.
    Savepoint,
    /// It refuses before it changes anything.
    Checked,
}

trait Job: Send {
    fn guard(&self) -> Guard;
    /// Whether a task of a runtime waits for it, and no thread.
    fn is_awaited(&self) -> bool;
    /// How many commands it is; each is kept apart from the others.
    fn parts(&self) -> usize {
        1
    }
    /// Runs the next of them; false: undo what it did.
    ///
    /// # Errors
    /// Only where the store itself is lost, and with it the whole batch.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<bool, ServiceError>;
    /// Tells the caller.
    fn answer(self: Box<Self>, lost: Option<&ServiceError>);
}

/// Many commands of one caller.
struct Group<F, T> {
    guard: Guard,
    awaited: bool,
    parts: usize,
    works: std::vec::IntoIter<F>,
    outcomes: Vec<Result<T, ServiceError>>,
    reply: oneshot::Sender<Result<Vec<Result<T, ServiceError>>, ServiceError>>,
}

impl<F, T> Job for Group<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send,
    T: Send,
{
    fn guard(&self) -> Guard {
        self.guard
    }

    fn is_awaited(&self) -> bool {
        self.awaited
    }

    fn parts(&self) -> usize {
        self.parts
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<bool, ServiceError> {
        let outcome = match self.works.next() {
            Some(work) => work(tx),
            None => Err(ServiceError::stopped()),
        };
        let keep = match &outcome {
            Err(error) if error.is_store_lost() => return Err(error.clone()),
            outcome => outcome.is_ok(),
        };
        self.outcomes.push(outcome);
        Ok(keep)
    }

    fn answer(self: Box<Self>, lost: Option<&ServiceError>) {
        let _ = self.reply.send(match lost {
            Some(error) => Err(error.clone()),
            None => Ok(self.outcomes),
        });
    }
}

struct Command<F, T> {
    guard: Guard,
    awaited: bool,
    work: Option<F>,
    outcome: Option<Result<T, ServiceError>>,
    reply: oneshot::Sender<Result<T, ServiceError>>,
}

fn command<F, T>(work: F, guard: Guard, awaited: bool) -> (Box<dyn Job>, Answer<T>)
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
    T: Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    let awaited = awaited && in_runtime();
    (Box::new(Command { guard, awaited, work: Some(work), outcome: None, reply }), answer)
}

impl<F, T> Job for Command<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send,
    T: Send,
{
    fn guard(&self) -> Guard {
        self.guard
    }

    fn is_awaited(&self) -> bool {
        self.awaited
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<bool, ServiceError> {
        let outcome = match self.work.take() {
            Some(work) => work(tx),
            None => Err(ServiceError::stopped()),
        };
        let keep = match &outcome {
            Err(error) if error.is_store_lost() => return Err(error.clone()),
            outcome => outcome.is_ok(),
        };
        self.outcome = Some(outcome);
        Ok(keep)
    }

    fn answer(self: Box<Self>, lost: Option<&ServiceError>) {
        let outcome = match (lost, self.outcome) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(ServiceError::stopped()),
        };
        // A caller that went away is nobody to tell.
        let _ = self.reply.send(outcome);
    }
}

/// Commands that were committed: whoever drops them tells their callers.
struct Told(Vec<Box<dyn Job>>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|job| job.answer(None));
    }
}

struct Worker {
    connection: Connection,
    checkpoints: Checkpoints,
    origin: String,
    standing: StandingChanges,
    receiver: mpsc::Receiver<Box<dyn Job>>,
    runtime: Option<Handle>,
    batch: usize,
    faults: Faults,
    effects: Arc<dyn Effects>,
    counters: Arc<Counters>,
}

impl Worker {
    fn run(mut self) {
        let mut jobs = Vec::with_capacity(self.batch);
        let mut crowd = false;
        loop {
            jobs.clear();
            let Some(first) = self.receiver.blocking_recv() else { break };
            let mut commands = first.parts();
            jobs.push(first);
            for nap in 0..=NAPS_MAX {
                let before = commands;
                while commands < self.batch
                    && let Ok(next) = self.receiver.try_recv()
                {
                    commands += next.parts();
                    jobs.push(next);
                }
                let nobody_came = nap > 0 && commands == before;
                if !crowd || commands >= self.batch || nobody_came || nap == NAPS_MAX {
                    break;
                }
                std::thread::sleep(NAP);
            }
            crowd = commands >= CROWD_MIN;
            if !self.commit(&mut jobs) {
                tracing::error!("the writer stops: the store is in doubt");
                return;
            }
        }
        self.checkpoints.stop();
        // The next start then finds no log to replay.
        self.truncate_log();
    }

    /// Moves everything from the write-ahead log into the database, where deleted contents are
    /// overwritten, and empties it. Readers on old snapshots may delay that to the next time.
    fn truncate_log(&mut self) {
        self.checkpoints.quiet();
        let truncated = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        if truncated != Ok(0) {
            tracing::warn!("the write-ahead log could not be emptied at once");
        }
    }

    /// Commits one batch; false: stop.
    fn commit(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> bool {
        let changes = self.connection.total_changes();
        match self.transaction(jobs) {
            Ok(effects) => {
                self.counters.commits.fetch_add(1, Ordering::Relaxed);
                let commands: usize = jobs.iter().map(|job| job.parts()).sum();
                self.counters.commands.fetch_add(commands as u64, Ordering::Relaxed);
                let scrub = effects.contains(&Effect::Scrub);
                self.effects.committed(effects);
                if scrub {
                    self.truncate_log();
                }
                if self.faults.point(fault::AFTER_COMMIT).is_err() {
                    return false;
                }
                self.answer(jobs);
                let rows = self.connection.total_changes().wrapping_sub(changes);
                self.checkpoints.committed(&self.connection, rows);
                true
            }
            Err(error) => {
                if !self.connection.is_autocommit() {
                    let _ = self.connection.execute_batch("ROLLBACK");
                }
                self.standing.undone();
                let fatal = error.kind() == crate::ErrorKind::Fatal;
                let answer = if fatal { ServiceError::stopped() } else { error };
                jobs.drain(..).for_each(|job| job.answer(Some(&answer)));
                !fatal
            }
        }
    }

    /// Tells the callers of one batch. A crowd is told by a task of the runtime that it waits in:
    /// there, to wake somebody takes no lock and no system call. Who waits without a runtime is told
    /// at once, since it may be a thread of the runtime that waits.
    fn answer(&self, jobs: &mut Vec<Box<dyn Job>>) {
        let runtime = self.runtime.as_ref().filter(|_| jobs.len() >= CROWD_MIN);
        let Some(runtime) = runtime else {
            return jobs.drain(..).for_each(|job| job.answer(None));
        };
        let (patient, hasty): (Vec<_>, Vec<_>) = jobs.drain(..).partition(|job| job.is_awaited());
        hasty.into_iter().for_each(|job| job.answer(None));
        let patient = Told(patient);
        // Where the runtime has ended the task is dropped, and they are told by that.
        drop(runtime.spawn(async move { drop(patient) }));
    }

    fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<Vec<Effect>, ServiceError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut tx = Tx::following(&self.connection, &self.origin, &self.standing);
        for job in jobs {
            for _ in 0..job.parts() {
                self.command(&mut tx, job.as_mut())?;
            }
        }
        let effects = tx.finish()?;
        self.faults.point(fault::BEFORE_COMMIT)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(effects)
    }

    /// Runs one command, so that it leaves nothing behind where it is refused.
    fn command(&self, tx: &mut Tx<'_>, job: &mut dyn Job) -> Result<(), ServiceError> {
        match job.guard() {
            Guard::Savepoint => {
                let mark = tx.savepoint()?;
                let keep = job.run(tx)?;
                self.goes_on()?;
                if keep { tx.release() } else { tx.roll_back(&mark) }
            }
            Guard::Checked => {
                let mark = tx.mark();
                let changes = self.connection.total_changes();
                let keep = job.run(tx)?;
                self.goes_on()?;
                if keep {
                    return Ok(());
                }
                if self.connection.total_changes() != changes {
                    tracing::error!("a command changed something before it was refused");
                    return Err(ServiceError::batch_undone());
                }
                tx.take_back(&mark)
            }
        }
    }

    /// Where the disk or memory is full SQLite may undo all of a transaction by itself. What came after
    /// that would be kept at once, each alone, beside what is thought to be there and is not.
    fn goes_on(&self) -> Result<(), ServiceError> {
        if self.connection.is_autocommit() {
            tracing::error!("the store has undone a batch");
            return Err(ServiceError::batch_undone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Store, create, meta};
    use super::*;
    use crypto::{Sha256, UnixTime};
    use ledger::Commitment;

    #[derive(Default)]
    struct Seen(Mutex<Vec<Effect>>);

    impl Effects for Seen {
        fn committed(&self, effects: Vec<Effect>) {
            self.0.lock().unwrap().extend(effects);
        }
    }

    fn open(dir: &std::path::Path, faults: Faults) -> (Store, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let store = Store::open(dir, &Sizes::default(), faults, seen.clone()).unwrap();
        (store, seen)
    }

    fn leaves(store: &Store) -> i64 {
        let count = "SELECT count(*) FROM leaf";
        store.readers.read(|c| Ok(c.query_row(count, [], |row| row.get(0))?)).unwrap()
    }

    fn append(tx: &mut Tx<'_>) -> Result<u64, ServiceError> {
        tx.append_leaf(&Commitment(Sha256([7; 32])))
    }

    #[test]
    fn a_refused_command_leaves_the_others_alone_and_is_logged() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        let (store, seen) = open(dir.path(), Faults::default());
        // The first command holds the writer until all others are queued: one batch.
        let (release, gate) = std::sync::mpsc::channel::<()>();
        let answers: Vec<_> = (0..100u64)
            .map(|n| {
                let gate = (n == 0).then(|| std::sync::mpsc::channel::<()>().1);
                let _ = gate;
                let work = move |tx: &mut Tx<'_>| {
                    tx.on_refusal(audit::SecurityEvent::new(
                        UnixTime(1),
                        audit::Kind::IllegalMove,
                        audit::Outcome::Failure,
                    ));
                    let leaf = append(tx)?;
                    if n % 10 == 3 {
                        return Err(ServiceError::refused("no", "not this one"));
                    }
                    Ok((n, leaf))
                };
                let (job, answer) = command(work, Guard::Savepoint, false);
                store.writer.queue().unwrap().try_send(job).unwrap_or_else(|_| panic!());
                answer
            })
            .collect();
        drop((release, gate));
        let outcomes: Vec<_> = answers.into_iter().map(wait).collect();
        let kept: Vec<u64> = outcomes.iter().flatten().map(|(_, leaf)| *leaf).collect();
        assert_eq!(kept, (0..90).collect::<Vec<_>>(), "indexes have no gap");
        assert_eq!(leaves(&store), 90);
        let logged: i64 = store
            .readers
            .read(|c| Ok(c.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))?))
            .unwrap();
        assert_eq!(logged, 10);
        assert_eq!(seen.0.lock().unwrap().last(), Some(&Effect::Leaves(90)));
        assert!(store.writer.counters().commits.load(Ordering::Relaxed) <= 100);
    }

    #[tokio::test]
    async fn of_a_group_each_is_refused_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        let (store, _) = open(dir.path(), Faults::default());
        let group = |late: bool| {
            (0..2000u64)
                .map(move |n| {
                    move |tx: &mut Tx<'_>| {
                        let refused = n % 10 == 3;
                        if refused && !late {
                            return Err(ServiceError::refused("no", "not this one"));
                        }
                        let leaf = append(tx)?;
                        if refused {
                            return Err(ServiceError::refused("no", "not this one"));
                        }
                        Ok((n, leaf))
                    }
                })
                .collect::<Vec<_>>()
        };
        // In savepoints it may be late, else it must be in time.
        for (guard, late, before) in [(Guard::Savepoint, true, 0), (Guard::Checked, false, 1800)] {
            let outcomes = store.writer.run_each(guard, group(late)).await.unwrap();
            assert_eq!(outcomes.len(), 2000);
            let refused: Vec<usize> = (0..2000).filter(|n| outcomes[*n].is_err()).collect();
            assert_eq!(refused, (0..2000).filter(|n| n % 10 == 3).collect::<Vec<_>>());
            let kept: Vec<u64> = outcomes.iter().flatten().map(|(_, leaf)| *leaf).collect();
            assert_eq!(kept, (before..before + 1800).collect::<Vec<_>>());
        }
        assert_eq!(leaves(&store), 3600);
        let nothing = Vec::from_iter(group(false).into_iter().take(0));
        assert_eq!(store.writer.run_each(Guard::Checked, nothing).await, Ok(Vec::new()));
        // One that is late after all takes the group with it, and nothing of it stays.
        let lost = store.writer.run_each(Guard::Checked, group(true)).await.unwrap_err();
        assert_eq!(lost.code(), "batch-undone");
        assert_eq!(leaves(&store), 3600);
        store.writer.close();
        let stopped = store.writer.run_each(Guard::Checked, group(false)).await.unwrap_err();
        assert_eq!(stopped.code(), "stopped");
    }

    #[tokio::test]
    async fn checked_commands_refuse_in_time_or_undo_their_batch() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        let (store, seen) = open(dir.path(), Faults::default());
        let refuse = || ServiceError::refused("no", "not this one");
        assert_eq!(store.writer.run_checked(append).await, Ok(0));
        let in_time = store.writer.run_checked(move |tx| {
            tx.on_refusal(audit::SecurityEvent::new(
                UnixTime(1),
                audit::Kind::IllegalMove,
                audit::Outcome::Failure,
            ));
            tx.effect(Effect::Directory);
            Err::<(), _>(refuse())
        });
        assert_eq!(in_time.await.unwrap_err().code(), "no");
        let late = store.writer.run_checked(move |tx| {
            append(tx)?;
            Err::<(), _>(refuse())
        });
        assert_eq!(late.await.unwrap_err().code(), "batch-undone");
        assert_eq!(store.writer.run_checked(append).await, Ok(1), "no gap, and the writer goes on");
        assert_eq!(leaves(&store), 2);
        let count = "SELECT count(*) FROM audit";
        let logged: i64 =
            store.readers.read(|c| Ok(c.query_row(count, [], |row| row.get(0))?)).unwrap();
        assert_eq!(logged, 1, "the refusal is on record");
        assert!(!seen.0.lock().unwrap().contains(&Effect::Directory));
    }

    #[tokio::test]
    async fn where_sqlite_undoes_a_batch_by_itself_nothing_of_it_stays_and_the_next_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        let (store, _) = open(dir.path(), Faults::default());
        assert_eq!(store.writer.run(append).await, Ok(0));
        for guard in [Guard::Savepoint, Guard::Checked] {
            // As it does on a full disk: the transaction is over, and the statement has failed.
            let works = (0..30_u64).map(|n| {
                move |tx: &mut Tx<'_>| {
                    let part = tx.attempt(|tx| {
                        let leaf = append(tx)?;
                        if n % 10 == 3 {
                            tx.execute_batch("ROLLBACK").unwrap();
                            return Err(ServiceError::unavailable("disk-full", "no room"));
                        }
                        Ok(leaf)
                    });
                    match part {
                        Err(error) if error.is_store_lost() => Err(error),
                        part => Ok(part.ok()),
                    }
                }
            });
            let lost = store.writer.run_each(guard, works.collect()).await.unwrap_err();
            assert_eq!(lost.code(), "batch-undone");
            let alone = store.writer.run(|tx| {
                append(tx)?;
                tx.execute_batch("ROLLBACK").unwrap();
                Err::<(), _>(ServiceError::refused("no", "not this one"))
            });
            assert_eq!(alone.await.unwrap_err().code(), "batch-undone");
            assert_eq!(leaves(&store), 1);
        }
        assert_eq!(store.writer.run(append).await, Ok(1), "the writer goes on, without a gap");
    }

    #[test]
    fn what_is_acknowledged_survives_and_what_dies_before_the_commit_does_not() {
        for (point, survives) in [(fault::BEFORE_COMMIT, 0), (fault::AFTER_COMMIT, 1)] {
            let dir = tempfile::tempdir().unwrap();
            create(dir.path(), "test/log", |_| Ok(())).unwrap();
            let (store, _) = open(dir.path(), Faults::injected(move |name| name == point));
            assert_eq!(store.writer.run_blocking(append).unwrap_err().code(), "stopped");
            assert_eq!(store.writer.run_blocking(append).unwrap_err().code(), "stopped");
            store.writer.close();
            assert!(!store.writer.is_alive());
            drop(store);
            let (store, _) = open(dir.path(), Faults::default());
            assert_eq!(leaves(&store), survives, "{point}");
            assert_eq!(
                store.readers.read(|c| meta::text(c, meta::ORIGIN)).unwrap().as_deref(),
                Some("test/log")
            );
        }
    }

    #[test]
    fn a_directory_is_created_once() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Store::open(
            dir.path(),
            &Sizes::default(),
            Faults::default(),
            Arc::new(Seen::default()),
        );
        assert_eq!(missing.err().unwrap().code(), "no-store");
        create(dir.path(), "test/log", |_| Ok(())).unwrap();
        assert_eq!(create(dir.path(), "test/log", |_| Ok(())).unwrap_err().code(), "store-exists");
    }
}
