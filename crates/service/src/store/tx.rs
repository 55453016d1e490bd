//! What a command sees of the transaction it runs in.

use crate::{
    ServiceError,
    own_keys::{OwnKey, OwnKeyKind},
};
use audit::{Chain, SecurityEvent};
use crypto::{Sha256, UnixTime};
use ledger::Commitment;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A change that memory outside the store must follow once it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// There are so many leaves now: the integrator has work.
    Leaves(u64),
    /// A certificate is revoked or suspended.
    Revoked { ca: i64, serial: Vec<u8>, reason: u8, at: UnixTime },
    /// A suspended certificate works again.
    Released { ca: i64, serial: Vec<u8> },
    /// Contents were erased: their old pages must go from the write-ahead log as well.
    Scrub,
    /// Members, tokens, signers, products or CAs changed: what is cached of them is stale.
    Directory,
    /// A device, by its row, stands otherwise than before or has another owner.
    Device(i64),
    /// A device, by its row, has another certificate in place of the one that it had.
    Recertified(i64),
    /// There is something new to tell a device, by its row.
    Downlink(i64),
    /// What organisations ask for before operation, or what is in operation, changed.
    Operations,
    /// Directors changed.
    Directors,
    /// Other policies are in force of an organisation, by its row.
    Policies(i64),
    /// schemas of an organisation, by its row
    Schemas(i64),
    /// What a product line's data is for, by its row.
    Purposes(i64),
    /// What an organisation agreed to, by its row; for one device alone, where it is named.
    Consents { organisation: i64, device: Option<i64> },
    /// What an organisation chose about trust between devices, by its row.
    PeerTrust(i64),
    /// What a product line's maker says that its devices connect to, by its row.
    Mud(i64),
    /// Routes changed.
    Routes,
    /// Rules of alerts changed.
    AlertRules,
    /// A key, by its row, is destroyed: memory holds it no more.
    KeyDestroyed(i64),
    /// The server shows another key to devices that take no certificate.
    ServerKey(ShownKey),
    /// The platform signs with another key.
    OwnKey(OwnKeyKind, OwnKey),
}

/// A key that is shown by itself.
#[derive(Clone)]
pub(crate) struct ShownKey(pub(crate) Arc<dyn crypto::Signer>);

impl std::fmt::Debug for ShownKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ShownKey({})", self.0.public_key().fingerprint())
    }
}

impl PartialEq for ShownKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.public_key() == other.0.public_key()
    }
}

impl Eq for ShownKey {}

/// A transaction on the writer thread. A command that fails leaves nothing behind but what
/// [`Tx::on_refusal`] holds.
pub(crate) struct Tx<'a> {
    connection: &'a Connection,
    origin: &'a str,
    state: State,
    effects: Vec<Effect>,
    counts: Vec<KeyCount>,
    refusal: Vec<SecurityEvent>,
    standing: Option<&'a StandingChanges>,
    /// what most commands run, at hand
    message: Option<CachedStatement<'a>>,
}

/// Counts changes to devices and to certificates, whoever makes them: as long as it stays the same, so
/// does what the store says of them. What is undone counts as well.
#[derive(Debug, Clone)]
pub(super) struct StandingChanges(Arc<AtomicU64>);

impl StandingChanges {
    /// Follows the one connection that writes.
    pub(super) fn follow(connection: &mut Connection) -> Result<Self, ServiceError> {
        let count = Arc::new(AtomicU64::new(1));
        let counts = Arc::clone(&count);
        connection.update_hook(Some(move |_, _: &str, table: &str, _| {
            if matches!(table, "device" | "certificate") {
                counts.fetch_add(1, Ordering::Relaxed);
            }
        }))?;
        Ok(Self(count))
    }

    /// Something was undone, what it may have changed among it.
    pub(super) fn undone(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Uses of a key within the same hour, to be added to those on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct KeyCount {
    key: i64,
    what: u8,
    at: UnixTime,
}

impl KeyCount {
    fn hour(&self) -> i64 {
        self.at.0.div_euclid(3600)
    }
}

/// What rolling back to a savepoint restores.
#[derive(Clone, Copy, Default)]
struct State {
    next_leaf: Option<u64>,
    next_message: Option<i64>,
    audit: Option<Chain>,
    effects: usize,
    counts: usize,
}

/// Marks where a command began.
pub(super) struct Mark(State);

impl<'a> Tx<'a> {
    pub(super) fn new(connection: &'a Connection, origin: &'a str) -> Self {
        let state = State::default();
        let (effects, counts, refusal) = (Vec::new(), Vec::new(), Vec::new());
        Self { connection, origin, state, effects, counts, refusal, standing: None, message: None }
    }

    /// As [`Self::new`], on the connection that all changes go through.
    pub(super) fn following(
        connection: &'a Connection,
        origin: &'a str,
        standing: &'a StandingChanges,
    ) -> Self {
        Self { standing: Some(standing), ..Self::new(connection, origin) }
    }

    /// How often devices and certificates have changed, this transaction's own changes among them;
    /// `None` where nobody counts. The number is good on the writer's thread alone.
    pub(crate) fn standing_changes(&self) -> Option<u64> {
        self.standing.map(|it| it.0.load(Ordering::Relaxed))
    }

    /// The number of the next message; `first` finds it for the first of a transaction.
    pub(crate) fn next_message(
        &mut self,
        first: impl FnOnce(&Connection) -> Result<i64, ServiceError>,
    ) -> Result<i64, ServiceError> {
        let number = match self.state.next_message {
            Some(number) => number,
            None => first(self.connection)?,
        };
        self.state.next_message = Some(number.saturating_add(1));
        Ok(number)
    }

    /// The statement that puts a message in. A crowd's messages come together: to look it up for each would
    /// be to hash and to compare its text.
    pub(super) fn message_insert(&mut self) -> Result<&mut CachedStatement<'a>, ServiceError> {
        let statement = match self.message.take() {
            Some(statement) => statement,
            None => self.connection.prepare_cached(super::message::INSERT)?,
        };
        Ok(self.message.insert(statement))
    }

    fn undone(&self) {
        if let Some(standing) = self.standing {
            standing.undone();
        }
    }

    /// Appends a leaf to the ledger's sequence and returns its index.
    pub(crate) fn append_leaf(&mut self, commitment: &Commitment) -> Result<u64, ServiceError> {
        let index = match self.state.next_leaf {
            Some(index) => index,
            None => self
                .connection
                .prepare_cached("SELECT max(idx) FROM leaf")?
                .query_row([], |row| row.get::<_, Option<i64>>(0))?
                .map_or(0, |last| last.unsigned_abs().saturating_add(1)),
        };
        self.connection
            .prepare_cached("INSERT INTO leaf (idx, commitment) VALUES (?1, ?2)")?
            .execute(params![to_i64(index), commitment.as_bytes()])?;
        self.state.next_leaf = Some(index.saturating_add(1));
        Ok(index)
    }

    /// Appends a security event to the audit chain; it commits with the change that it describes.
    pub(crate) fn audit(&mut self, event: &SecurityEvent) -> Result<Chain, ServiceError> {
        self.audit_encoded(event, &event.encode())
    }

    /// As [`Self::audit`], where the event was encoded before: off the writer's thread.
    pub(crate) fn audit_encoded(
        &mut self,
        event: &SecurityEvent,
        bytes: &[u8],
    ) -> Result<Chain, ServiceError> {
        let head = match self.state.audit {
            Some(head) => head,
            None => audit_head(self.connection)?.unwrap_or_else(|| Chain::start(self.origin)),
        };
        let next = head.append(bytes);
        self.connection
            .prepare_cached(
                "INSERT INTO audit (seq, at, organisation, kind, event, hash)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                to_i64(next.sequence),
                event.at().0,
                event.organisation_of(),
                event.kind().name(),
                bytes,
                next.hash.as_bytes()
            ])?;
        self.state.audit = Some(next);
        Ok(next)
    }

    /// Records `event` should the command fail: refusals are logged, although nothing else of the
    /// command stays.
    pub(crate) fn on_refusal(&mut self, event: SecurityEvent) {
        self.refusal.push(event);
    }

    /// Accounts for one use of a key, in the same commit: the uses of all its commands are added
    /// to the counts at once.
    pub(crate) fn count_key_use(&mut self, key: i64, what: u8, at: UnixTime) {
        self.counts.push(KeyCount { key, what, at });
    }

    /// Announces a change to the memory outside the store, after the commit.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Runs a part of a command that may fail by itself: then nothing of it stays.
    pub(crate) fn attempt<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.connection.prepare_cached("SAVEPOINT part")?.execute([])?;
        let (state, effects, counts) = (self.state, self.effects.len(), self.counts.len());
        let outcome = work(self);
        if outcome.is_err() {
            self.undone();
            if self.connection.is_autocommit() {
                return Err(ServiceError::batch_undone());
            }
            self.connection.prepare_cached("ROLLBACK TO part")?.execute([])?;
            self.state = state;
            self.effects.truncate(effects);
            self.counts.truncate(counts);
        }
        self.connection.prepare_cached("RELEASE part")?.execute([])?;
        outcome
    }

    pub(super) fn savepoint(&mut self) -> Result<Mark, ServiceError> {
        self.connection.prepare_cached("SAVEPOINT command")?.execute([])?;
        Ok(self.mark())
    }

    /// Begins a command that needs no savepoint.
    pub(super) fn mark(&mut self) -> Mark {
        self.refusal.clear();
        self.state.effects = self.effects.len();
        self.state.counts = self.counts.len();
        Mark(self.state)
    }

    pub(super) fn release(&mut self) -> Result<(), ServiceError> {
        self.connection.prepare_cached("RELEASE command")?.execute([])?;
        Ok(())
    }

    pub(super) fn roll_back(&mut self, mark: &Mark) -> Result<(), ServiceError> {
        self.undone();
        self.connection.prepare_cached("ROLLBACK TO command")?.execute([])?;
        self.take_back(mark)?;
        self.release()
    }

    /// Forgets a command that changed no row, and records its refusal.
    pub(super) fn take_back(&mut self, mark: &Mark) -> Result<(), ServiceError> {
        self.state = mark.0;
        self.effects.truncate(mark.0.effects);
        self.counts.truncate(mark.0.counts);
        for event in std::mem::take(&mut self.refusal) {
            self.audit(&event)?;
        }
        Ok(())
    }

    /// Writes what was gathered; what remains is to commit.
    pub(super) fn finish(mut self) -> Result<Vec<Effect>, ServiceError> {
        let mut counts = std::mem::take(&mut self.counts);
        counts.sort_unstable();
        for uses in counts.chunk_by(|a, b| (a.key, a.what, a.hour()) == (b.key, b.what, b.hour())) {
            if let Some(first) = uses.first() {
                let count = u64::try_from(uses.len()).unwrap_or(u64::MAX);
                super::key::count_key_use(&mut self, first.key, first.what, first.at, count)?;
            }
        }
        if let Some(count) = self.state.next_leaf {
            self.effects.push(Effect::Leaves(count));
        }
        Ok(self.effects)
    }
}

impl Deref for Tx<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// The head of the audit chain; `None` while it is empty.
pub(crate) fn audit_head(connection: &Connection) -> Result<Option<Chain>, ServiceError> {
    let row = connection
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))
        .optional()?;
    Ok(row.map(|(sequence, hash)| Chain { sequence: sequence.unsigned_abs(), hash: Sha256(hash) }))
}

/// SQLite's integers are signed; ours that are stored never reach 2^63.
pub(crate) fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
