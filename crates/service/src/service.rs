//! The service: opening, recovery, closing, and what all use cases share.

use crate::{
    Clock, Config, ServiceError, Setup,
    fault::Faults,
    keys::{Keys, Purpose},
    live::{Live, Revoked, found},
    own_keys::OwnKeys,
    pool::Pool,
    sequencer::{self, CheckpointFile, LedgerLog, Published, Threads},
    store::{
        self, Sizes, Store, Tx, certificate,
        key::{self as key_store},
        meta,
        organisation::{self as organisation_store, OrganisationRow, SignerRow},
    },
};
use crypto::{KeyAlgorithm, PublicKey, Sha256, Signer, UnixTime, sealed::Unlock};
use device::{DeviceId, OrganisationId};
use pki::{
    Certificate, KP_DOCUMENT_SIGNING, KeyUsage,
    validate::{self, Options},
};
use policy::{Action, Caller, Permit, Resource};
use std::{
    collections::HashMap,
    fs::File,
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex, PoisonError, Weak},
};
use tokio::sync::watch;

/// File that one process at a time locks.
const LOCK: &str = "lock";
/// Intents that recovery abandons per transaction.
const RECOVERY_BATCH: usize = 1000;

/// The platform's use cases. Cloning is cheap; all clones are one service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

/// The platform's own organisation and keys.
pub(crate) struct Platform {
    pub(crate) organisation: OrganisationRow,
    pub(crate) id: OrganisationId,
    /// sign life events on the platform's behalf, and passport statements
    pub(crate) keys: Arc<OwnKeys>,
}

#[doc(hidden)]
pub struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) live: Arc<Live>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) log: LedgerLog,
    checkpoint_file: CheckpointFile,
    pub(crate) log_key_row: i64,
    pub(crate) origin: String,
    pub(crate) dir: std::path::PathBuf,
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) platform: Arc<Platform>,
    pub(crate) faults: Faults,
    pub(crate) pool: Pool,
    pub(crate) desk: crate::fleet::Desk,
    pub(crate) audit_checks: crate::audit_checks::AuditChecks,
    pub(crate) published: watch::Sender<Published>,
    pub(crate) people: crate::people::State,
    pub(crate) updates: crate::updates::State,
    pub(crate) traffic: crate::messages::TrafficState,
    pub(crate) schema_found: crate::schemas::Found,
    pub(crate) long_checks: Arc<crate::schemas::LongChecks>,
    pub(crate) presence: crate::messages::Presence,
    pub(crate) behaviour: crate::behaviour::Behaviour,
    pub(crate) following: tokio::sync::Mutex<crate::alerts::Following>,
    pub(crate) challenges: Mutex<HashMap<[u8; 32], (DeviceId, UnixTime)>>,
    pub(crate) verdicts: crate::fleet::Verdicts,
    pub(crate) overviews: crate::fleet::Overviews,
    pub(crate) visits: crate::public_scan::Visits,
    pub(crate) public_answers: crate::public::PublicAnswers,
    threads: Threads,
    lock: Mutex<Option<File>>,
}

impl Deref for Service {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Service {
    /// Makes a new installation in the empty directory `dir`: the store, the platform's own
    /// organisation, and its keys for the log, for events and for passports, sealed under
    /// `unlock`. What follows is a ceremony: [`crate::ceremony`].
    ///
    /// # Errors
    /// `store-exists` where there is one already, `locked` for a passphrase that is too short.
    pub fn create(
        dir: &Path,
        unlock: &Unlock<'_>,
        setup: &Setup,
        clock: &dyn Clock,
    ) -> Result<(), ServiceError> {
        std::fs::create_dir_all(dir).map_err(|error| directory(dir, &error))?;
        let _lock = lock(dir)?;
        let now = clock.now();
        for key in &setup.witness_keys {
            key.parse::<::ledger::WitnessKey>()
                .map_err(|error| ServiceError::malformed("witness-key", error.to_string()))?;
        }
        let (keys, canary) = Keys::create(unlock)?;
        let rows = [Purpose::Log, Purpose::Events, Purpose::Passports]
            .map(|purpose| keys.generate(purpose, KeyAlgorithm::Ed25519, now, UnixTime::NEVER));
        store::create(dir, &setup.origin, |tx| {
            meta::set(tx, meta::CANARY, &canary)?;
            meta::set(tx, meta::WITNESSES, setup.witness_keys.join("\n").as_bytes())?;
            meta::set(tx, meta::QUORUM, setup.quorum.to_string().as_bytes())?;
            let roles = device::Roles::PLATFORM.bits();
            organisation_store::insert_organisation(
                tx,
                policy::PLATFORM,
                &setup.platform_name,
                roles,
                now,
            )?;
            for row in rows {
                let (_, row) = row?;
                let event = audit::SecurityEvent::new(
                    now,
                    audit::Kind::KeyLifecycle,
                    audit::Outcome::Success,
                )
                .subject(&row.fingerprint.to_string())
                .detail("purpose", Purpose::name(row.purpose))
                .detail("what", "generated");
                key_store::insert_key(tx, &row)?;
                tx.audit(&event)?;
            }
            Ok(())
        })
    }

    /// Opens the installation in `dir`, finishes or abandons what a crash left behind, and starts
    /// its threads. Blocks for a moment; needs no asynchronous runtime.
    ///
    /// # Errors
    /// `locked` for a wrong passphrase, `in-use` where another process has it open, and errors
    /// that say what is wrong with the store or the log.
    pub fn open(
        dir: &Path,
        unlock: &Unlock<'_>,
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServiceError> {
        let faults = config.faults.clone().unwrap_or_else(Faults::from_environment);
        let people = crate::people::State::new(config.console_url.as_deref(), &config.people)?;
        let lock = lock(dir)?;
        let live = Arc::new(Live::new(config.limits.ocsp_answers));
        let sizes = Sizes {
            readers: config.readers,
            writer_cache_kib: config.writer_cache_kib,
            reader_cache_kib: config.reader_cache_kib,
            ..Sizes::default()
        };
        let store = Arc::new(Store::open(dir, &sizes, faults.clone(), live.clone())?);
        let read = |key| store.readers.read(|connection| meta::value(connection, key));
        let unfinished = || ServiceError::fatal("store-unfinished", "the store lacks its settings");
        let canary = read(meta::CANARY)?.ok_or_else(unfinished)?;
        let origin = read(meta::ORIGIN)?
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(unfinished)?;
        let keys = Keys::unlock(unlock, &canary)?;
        let keys = Arc::clone(live.keys.get_or_init(|| Arc::new(keys)));
        let (platform, log_signer, log_key_row) = store.readers.read(|connection| {
            let key = |purpose| {
                let row = key_store::key_for(connection, purpose as u8)?.ok_or_else(unfinished)?;
                Ok::<_, ServiceError>((keys.signer(connection, row.id)?, row.id))
            };
            let own = OwnKeys::new(key(Purpose::Events)?, key(Purpose::Passports)?);
            let own = Arc::clone(live.own_keys.get_or_init(|| Arc::new(own)));
            let (log, log_key) = key(Purpose::Log)?;
            let organisation = organisation_store::organisation(connection, policy::PLATFORM)?
                .ok_or_else(unfinished)?;
            let id = OrganisationId::new(policy::PLATFORM).map_err(|_| unfinished())?;
            let platform = Platform { organisation, id, keys: own };
            certificate::each_revocation(connection, None, |row| {
                live.load(row.ca, &row.serial, Revoked { reason: row.reason, at: row.at });
            })?;
            Ok((platform, log, log_key))
        })?;
        recover(&store, clock.now())?;
        let (log, checkpoint_file) =
            sequencer::open_log(dir, &store, &origin, log_signer, &faults)?;
        let size = log.latest().claimed().size;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let service = Self(Arc::new(Inner {
            store,
            live,
            keys,
            log,
            checkpoint_file,
            log_key_row,
            origin,
            dir: dir.to_owned(),
            config,
            clock,
            platform: Arc::new(platform),
            faults,
            pool: Pool::start(cores)?,
            desk: crate::fleet::Desk::start()?,
            audit_checks: Default::default(),
            published: sequencer::published(size),
            people,
            updates: crate::updates::State::open(dir)?,
            traffic: crate::messages::TrafficState::new(&admission::Quotas::default()),
            schema_found: crate::schemas::Found::default(),
            long_checks: Arc::default(),
            presence: Default::default(),
            behaviour: Default::default(),
            following: Default::default(),
            challenges: Mutex::new(HashMap::new()),
            verdicts: crate::fleet::Verdicts::default(),
            overviews: crate::fleet::Overviews::default(),
            visits: crate::public_scan::Visits::default(),
            public_answers: crate::public::PublicAnswers::default(),
            threads: Threads::default(),
            lock: Mutex::new(Some(lock)),
        }));
        service.threads.start(&service)?;
        service.note(
            audit::SecurityEvent::new(service.now(), audit::Kind::Start, audit::Outcome::Success)
                .detail("version", env!("CARGO_PKG_VERSION")),
        );
        Ok(service)
    }

    /// Commits what is queued, integrates once more, and ends the threads. Clones that are still
    /// about get `stopped` from then on.
    pub fn close(&self) {
        let event =
            audit::SecurityEvent::new(self.now(), audit::Kind::Stop, audit::Outcome::Success);
        let _ = self.store.writer.run_blocking(move |tx| tx.audit(&event).map(|_| ()));
        self.live.want(|wanted| wanted.stop = true);
        self.threads.join();
        self.pool.close();
        self.desk.close();
        self.store.writer.close();
        drop(self.checkpoint_file.lock().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// The present time, by the clock that was given.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(weak: &Weak<Inner>) -> Option<Self> {
        weak.upgrade().map(Self)
    }

    /// A caller for commands on the machine itself, which needs no authentication beyond having
    /// the data directory and its passphrase. Never for a door.
    pub fn local_administrator(&self) -> Caller {
        Caller::Platform { task: "command" }
    }

    /// The one gate (invariant 6). Refusals to authenticated callers are recorded.
    pub(crate) fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        resource: &Resource<'_>,
    ) -> Result<Permit, ServiceError> {
        if let Err(error) = self.organisation_works(caller, action) {
            self.note(
                self.event(caller, audit::Kind::Authorisation, audit::Outcome::Failure)
                    .detail("action", action.name())
                    .detail("reason", error.code()),
            );
            return Err(error);
        }
        policy::authorize(caller, action, resource).map_err(|denied| {
            if denied.answer() != policy::Answer::Unauthenticated {
                self.note(
                    self.event(caller, audit::Kind::Authorisation, audit::Outcome::Failure)
                        .detail("action", action.name())
                        .detail("reason", denied.internal()),
                );
            }
            let text = denied.to_string();
            match denied.answer() {
                policy::Answer::Unauthenticated => {
                    ServiceError::unauthenticated("unauthenticated", text)
                }
                policy::Answer::NotFound => ServiceError::not_found("thing"),
                policy::Answer::Forbidden => ServiceError::forbidden("role", text),
            }
        })
    }

    /// A security event by `caller`, as of now.
    pub(crate) fn event(
        &self,
        caller: &Caller,
        kind: audit::Kind,
        outcome: audit::Outcome,
    ) -> audit::SecurityEvent {
        let event = audit::SecurityEvent::new(self.now(), kind, outcome).actor(&caller.to_string());
        match caller.organisation() {
            Some(organisation) => event.organisation(organisation.as_str()),
            None => event,
        }
    }

    /// Records a security event without waiting for it; dropped where the queue is full, which the
    /// refused caller's own rate limit prevents.
    pub(crate) fn note(&self, event: audit::SecurityEvent) {
        self.store.writer.queue_quietly(move |tx| tx.audit(&event).map(|_| ()));
    }

    /// Commits a command.
    pub(crate) fn commit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> impl Future<Output = Result<T, ServiceError>> + Send {
        self.store.writer.run(work)
    }

    /// Reads on a snapshot.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.store.readers.read(work)
    }

    /// A key of the platform. Keys that are open need no look into the store.
    pub(crate) fn signer(&self, key: i64) -> Result<Arc<dyn Signer>, ServiceError> {
        match self.keys.opened(key) {
            Some(signer) => Ok(signer),
            None => self.read(|connection| self.keys.signer(connection, key)),
        }
    }

    /// The organisation of this name.
    pub(crate) fn organisation_row(&self, slug: &str) -> Result<OrganisationRow, ServiceError> {
        let row = self.live.organisations.get_or_load(slug.to_owned(), || {
            self.read(|connection| organisation_store::organisation(connection, slug))
        })?;
        found(row, "organisation")
    }

    /// The organisation of this row.
    pub(crate) fn organisation_of(&self, id: i64) -> Result<OrganisationRow, ServiceError> {
        let row = self.live.organisations_by_id.get_or_load(id, || {
            self.read(|connection| organisation_store::organisation_by_id(connection, id))
        })?;
        row.ok_or_else(|| ServiceError::fatal("store-damaged", "an organisation is missing"))
    }

    /// The slug of a row as an id.
    pub(crate) fn organisation_id(&self, id: i64) -> Result<OrganisationId, ServiceError> {
        slug(&self.organisation_of(id)?.slug)
    }

    /// An organisation's signing key, retired or not.
    pub(crate) fn signer_entry(
        &self,
        key: &Sha256,
    ) -> Result<Option<Arc<crate::live::SignerEntry>>, ServiceError> {
        self.live.signers.get_or_load(*key, || {
            let row: Option<SignerRow> =
                self.read(|connection| organisation_store::signer(connection, key))?;
            row.map(|row| {
                let key = PublicKey::from_spki(&row.spki).map_err(|_| {
                    ServiceError::fatal("store-damaged", "a signer's key is damaged")
                })?;
                let organisation = self.organisation_of(row.organisation)?;
                let certificate = Certificate::from_der(&row.certificate).ok();
                let index = self.ca_index()?;
                let issued = certificate.as_ref().and_then(|certificate| {
                    let ca = index.issuer_of(certificate)?;
                    Some((ca.id, certificate.serial().as_bytes().into()))
                });
                let certified = match &certificate {
                    Some(certificate) => self.certifies(certificate, &key, &organisation)?,
                    None => false,
                };
                let entry = crate::live::SignerEntry { row, key, organisation, certified, issued };
                Ok(Arc::new(entry))
            })
            .transpose()
        })
    }

    /// Whether a signer's certificate vouches for its key in the name of its organisation: a row
    /// of the store alone does not.
    fn certifies(
        &self,
        certificate: &Certificate,
        key: &PublicKey,
        organisation: &OrganisationRow,
    ) -> Result<bool, ServiceError> {
        let named = certificate.organization().as_deref() == Some(organisation.slug.as_str());
        let same = certificate.public_key().is_ok_and(|certified| certified == key);
        if !named || !same {
            return Ok(false);
        }
        let index = self.ca_index()?;
        let help: Vec<Certificate> =
            index.issuer_of(certificate).map(|ca| ca.certificate.clone()).into_iter().collect();
        let options = Options {
            purpose: validate::Purpose::Usages(vec![KP_DOCUMENT_SIGNING]),
            require_extended_key_usage: true,
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            allow_ca_leaf: false,
            // What it signed stays signed when it has expired.
            ..Options::any(certificate.not_before())
        };
        Ok(validate::validate(certificate, &help, &*self.anchors()?, &options).is_ok())
    }

    /// Work that is done now and then.
    pub(crate) fn tidy(&self) {
        let now = self.now();
        self.challenges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, (_, expires)| *expires >= now);
        self.store.writer.queue_quietly(move |tx| store::access::delete_expired_tokens(tx, now));
        self.tidy_people();
        if let Err(error) = crate::join::block_on(self.carry_out_approved()) {
            tracing::error!(%error, "an approved act could not be carried out");
        }
        self.forget_scans(now);
        if let Err(error) = self.collect_due_evidence() {
            tracing::warn!(%error, "evidence was not collected; it is tried again");
        }
        // What fails is in the log, and with the repository itself.
        let _told = self.renew_repositories();
        if let Err(error) = crate::join::block_on(self.renew_own_certificates()) {
            tracing::error!(%error, "the platform's own certificates could not be renewed");
        }
        if let Err(error) = crate::join::block_on(self.tend_message_keys()) {
            tracing::error!(%error, "keys that messages are encrypted for could not be seen to");
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.origin)
    }
}

/// A stored slug as an id.
pub(crate) fn slug(text: &str) -> Result<OrganisationId, ServiceError> {
    OrganisationId::new(text)
        .map_err(|_| ServiceError::fatal("store-damaged", "a stored name is damaged"))
}

/// Abandons every intent that has no certificate. Whoever asked for it was not answered, so
/// nothing that was acknowledged is lost; had it been signed before the crash, its serial number
/// is revoked, so that a signature that escaped (a core dump, a broken back end) is worth nothing.
fn recover(store: &Store, now: UnixTime) -> Result<(), ServiceError> {
    loop {
        let left = store.writer.run_blocking(move |tx| {
            let intents = certificate::intents(tx, RECOVERY_BATCH)?;
            for (row, intent, tbs) in &intents {
                crate::issue::abandon(tx, *row, intent, tbs, now, "recovery")?;
            }
            Ok(intents.len())
        })?;
        if left < RECOVERY_BATCH {
            return Ok(());
        }
    }
}

fn lock(dir: &Path) -> Result<File, ServiceError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK))
        .map_err(|error| directory(dir, &error))?;
    file.try_lock().map_err(|_| {
        ServiceError::conflict(
            "in-use",
            "another process has this data directory open; stop it, or ask it instead",
        )
    })?;
    Ok(file)
}

fn directory(dir: &Path, error: &std::io::Error) -> ServiceError {
    ServiceError::refused(
        "data-directory",
        format!("the data directory {} cannot be used: {error}", dir.display()),
    )
}
