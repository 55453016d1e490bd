//! What doors must know at once, in memory: the set of revoked certificates, and caches that
//! follow commits.

use crate::{
    ServiceError,
    cache::Cache,
    keys::Keys,
    own_keys::OwnKeys,
    store::{
        Effect, Effects, ShownKey,
        organisation::{MemberRow, OrganisationRow, ProductRow, SignerRow},
    },
};
use crypto::{PublicKey, Sha256, UnixTime};
use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::watch;

/// Why and since when a certificate does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revoked {
    /// CRLReason (RFC 5280 section 5.3.1); 6 is a suspension
    pub(crate) reason: u8,
    pub(crate) at: UnixTime,
}

/// CRLReason certificateHold.
pub(crate) const HOLD: u8 = 6;

/// An organisation's signing key, ready to verify.
#[derive(Debug)]
pub(crate) struct SignerEntry {
    pub(crate) row: SignerRow,
    pub(crate) key: PublicKey,
    pub(crate) organisation: OrganisationRow,
    /// whether the platform certified this key for this organisation, below a trusted root
    pub(crate) certified: bool,
    /// CA and serial number of that certificate
    pub(crate) issued: Option<(i64, Box<[u8]>)>,
}

/// By CA and serial number.
type RevokedSet = HashMap<(i64, Box<[u8]>), Revoked>;

/// Memory beside the store.
pub(crate) struct Live {
    revoked: RwLock<RevokedSet>,
    epoch: AtomicU64,
    /// whose sessions have to be looked at again
    pub(crate) changes: crate::messages::Changes,
    /// the key that is shown to devices that take no certificate
    pub(crate) server_key: watch::Sender<Option<Arc<dyn crypto::Signer>>>,
    /// the keys that are open, once the store is
    pub(crate) keys: OnceLock<Arc<Keys>>,
    /// the keys that sign in the platform's name, once they are open
    pub(crate) own_keys: OnceLock<Arc<OwnKeys>>,
    pub(crate) organisations: Cache<String, Option<OrganisationRow>>,
    pub(crate) organisations_by_id: Cache<i64, Option<OrganisationRow>>,
    pub(crate) products_by_id: Cache<i64, Option<Arc<ProductRow>>>,
    /// what is in force at the doors, by organisation
    pub(crate) policies: Cache<i64, Arc<crate::policies::InForce>>,
    /// what it decided; dropped with it
    pub(crate) decisions: Cache<crate::policies::DecisionKey, admission::PolicyAnswer>,
    /// devices, as policies know them
    pub(crate) device_facts: Cache<device::DeviceId, Arc<crate::policies::Facts>>,
    /// what goes into the trust bundles of an owner's devices, by its row
    pub(crate) peer_contents: Cache<i64, Arc<crate::peers::Made>>,
    /// what payloads must be, by organisation
    pub(crate) schemas: Cache<i64, Arc<crate::schemas::LiveSchemas>>,
    /// what data is for, by product line
    pub(crate) purposes: Cache<i64, Arc<crate::purposes::LinePurposes>>,
    /// what stands of that, by device and owner
    pub(crate) device_purposes: Cache<(i64, i64), Arc<crate::purposes::DevicePurposes>>,
    /// what makers say that devices connect to, by product line
    pub(crate) muds: Cache<i64, Option<Arc<crate::mud::KeptMud>>>,
    pub(crate) mud_references: Cache<i64, Option<Arc<pki::MudReference>>>,
    /// routes, by organisation
    pub(crate) routes: Cache<i64, Arc<Vec<crate::routes::LiveRoute>>>,
    /// rules of alerts that are not off, by organisation
    pub(crate) alert_rules: Cache<String, Arc<Vec<alert::Rule>>>,
    /// whether product lines are in operation
    pub(crate) operations: Cache<i64, crate::diagnoses::Gated>,
    pub(crate) signers: Cache<Sha256, Option<Arc<SignerEntry>>>,
    pub(crate) members: Cache<Sha256, Option<Arc<MemberRow>>>,
    /// emptied whenever CAs change
    pub(crate) cas: Cache<(), Arc<crate::ca::CaIndex>>,
    pub(crate) roots: Cache<(), Arc<pki::validate::Anchors>>,
    /// events whose signature was found right since the start: leaf and commitment
    pub(crate) verified: Cache<(u64, ledger::Commitment), ()>,
    /// releases that campaigns give out; a published one does not change
    pub(crate) contents: Cache<i64, Arc<crate::updates::Content>>,
    /// upper levels of the trees of campaigns' members, which do not change
    pub(crate) member_trees: Cache<i64, Arc<update::campaign::members::Levels>>,
    /// what signs for devices, by organisation
    pub(crate) directors: Cache<i64, Option<Arc<crate::updates::DirectorOnline>>>,
    /// what was signed for devices, by organisation and device
    pub(crate) directed: Cache<(i64, i64), Arc<crate::updates::Directions>>,
    /// fingerprints of devices' keys, by their certificates'
    pub(crate) device_keys: Cache<Sha256, Sha256>,
    pub(crate) ocsp: Cache<crate::ocsp::AnswerKey, Arc<pki::ocsp::Presigned>>,
    pub(crate) crls: Cache<i64, Arc<crate::crl::CrlView>>,
    /// the newest checkpoint with the quorum of witnesses
    pub(crate) witnessed: RwLock<Option<ledger::SignedCheckpoint>>,
    /// leaves committed; the integrator sleeps on it
    leaves: Mutex<Wanted>,
    wake: Condvar,
}

/// What the integrator has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// number of leaves that are committed
    pub(crate) leaves: u64,
    /// somebody waits: do not gather any longer
    pub(crate) at_once: bool,
    pub(crate) stop: bool,
}

impl Live {
    pub(crate) fn new(ocsp_answers: usize) -> Self {
        Self {
            revoked: RwLock::new(HashMap::new()),
            epoch: AtomicU64::new(1),
            changes: crate::messages::Changes::default(),
            server_key: watch::Sender::new(None),
            keys: OnceLock::new(),
            own_keys: OnceLock::new(),
            organisations: Cache::new(10_000),
            organisations_by_id: Cache::new(10_000),
            products_by_id: Cache::new(10_000),
            policies: Cache::new(10_000),
            decisions: Cache::new(16_384),
            device_facts: Cache::new(100_000),
            // As large as a bundle each.
            peer_contents: Cache::new(32),
            schemas: Cache::new(2_000),
            purposes: Cache::new(10_000),
            device_purposes: Cache::new(100_000),
            // Some of them have a quarter of a megabyte.
            muds: Cache::new(64),
            mud_references: Cache::new(1024),
            routes: Cache::new(10_000),
            alert_rules: Cache::new(10_000),
            operations: Cache::new(10_000),
            signers: Cache::new(10_000),
            members: Cache::new(10_000),
            cas: Cache::new(1),
            roots: Cache::new(1),
            verified: Cache::new(100_000),
            contents: Cache::new(10_000),
            member_trees: Cache::new(64),
            directors: Cache::new(10_000),
            directed: Cache::new(16_384),
            device_keys: Cache::new(100_000),
            witnessed: RwLock::new(None),
            ocsp: Cache::new(ocsp_answers),
            crls: Cache::new(10_000),
            leaves: Mutex::new(Wanted::default()),
            wake: Condvar::new(),
        }
    }

    /// Why a certificate does not work; `None` where nothing is held against it.
    pub(crate) fn revoked(&self, ca: i64, serial: &[u8]) -> Option<Revoked> {
        self.revoked_key(&(ca, serial.into()))
    }

    /// As [`Self::revoked`], for who asks again and again.
    pub(crate) fn revoked_key(&self, key: &(i64, Box<[u8]>)) -> Option<Revoked> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.get(key).copied()
    }

    /// Puts one revocation in, at opening.
    pub(crate) fn load(&self, ca: i64, serial: &[u8], revoked: Revoked) {
        let mut set = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
        set.insert((ca, serial.into()), revoked);
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    pub(crate) fn revoked_count(&self) -> usize {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Changes what the integrator has to do and wakes it.
    pub(crate) fn want(&self, change: impl FnOnce(&mut Wanted)) {
        let mut wanted = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *wanted;
        change(&mut wanted);
        if wanted.at_once || wanted.stop || (before.leaves == 0) != (wanted.leaves == 0) {
            self.wake.notify_all();
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        *self.leaves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `duration`, less where somebody waits or all ends; takes up `at_once`.
    pub(crate) fn sleep(&self, duration: std::time::Duration) -> Wanted {
        let wanted = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut wanted, _) = self
            .wake
            .wait_timeout_while(wanted, duration, |wanted| !wanted.at_once && !wanted.stop)
            .unwrap_or_else(PoisonError::into_inner);
        let now = *wanted;
        wanted.at_once = false;
        now
    }

    /// Sleeps for `duration`, or until all ends; true where it does.
    pub(crate) fn rest(&self, duration: std::time::Duration) -> bool {
        let wanted = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let (wanted, _) = self
            .wake
            .wait_timeout_while(wanted, duration, |wanted| !wanted.stop)
            .unwrap_or_else(PoisonError::into_inner);
        wanted.stop
    }

    /// As [`Self::rest`]; also ends when `work` is there, after [`Self::ring`].
    pub(crate) fn rest_unless(
        &self,
        duration: std::time::Duration,
        work: &std::sync::atomic::AtomicBool,
    ) -> bool {
        let wanted = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        let (wanted, _) = self
            .wake
            .wait_timeout_while(wanted, duration, |wanted| {
                !wanted.stop && !work.load(Ordering::SeqCst)
            })
            .unwrap_or_else(PoisonError::into_inner);
        wanted.stop
    }

    /// Wakes whoever rests until there is work.
    pub(crate) fn ring(&self) {
        let _wanted = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    fn set_revoked(&self, key: (i64, Box<[u8]>), revoked: Option<Revoked>) {
        let ca = key.0;
        let serial = key.1.clone();
        {
            let mut set = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
            match revoked {
                Some(revoked) => set.insert(key, revoked),
                None => set.remove(&key),
            };
        }
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.changes.add(crate::messages::Change::Certificate(ca, serial.clone()));
        self.ocsp.forget(&crate::ocsp::AnswerKey::new(ca, &serial, false));
        self.ocsp.forget(&crate::ocsp::AnswerKey::new(ca, &serial, true));
        self.crls.forget(&ca);
        self.peer_contents.clear();
    }
}

impl Effects for Live {
    fn committed(&self, effects: Vec<Effect>) {
        let mut leaves = None;
        for effect in effects {
            match effect {
                Effect::Leaves(count) => leaves = Some(count),
                Effect::Scrub => {}
                Effect::Revoked { ca, serial, reason, at } => {
                    self.set_revoked((ca, serial.into()), Some(Revoked { reason, at }));
                }
                Effect::Released { ca, serial } => self.set_revoked((ca, serial.into()), None),
                Effect::Operations => self.operations.clear(),
                Effect::Directors => self.directors.clear(),
                Effect::Policies(organisation) => {
                    // The decisions last: those that are being made with the older set are not kept.
                    self.policies.forget(&organisation);
                    self.decisions.clear();
                    self.peer_contents.forget(&organisation);
                    self.changes.add(crate::messages::Change::Policies(organisation));
                }
                Effect::PeerTrust(organisation) => self.peer_contents.forget(&organisation),
                Effect::Schemas(organisation) => self.schemas.forget(&organisation),
                Effect::Purposes(product) => {
                    // What stands for devices last: what is being read with the older text is not kept.
                    self.purposes.forget(&product);
                    self.device_purposes.forget_where(|_, it| it.is_of(product));
                    self.changes.add(crate::messages::Change::Purposes);
                }
                Effect::Consents { organisation, device } => {
                    match device {
                        Some(device) => self.device_purposes.forget(&(device, organisation)),
                        None => {
                            self.device_purposes
                                .forget_where(|(_, owner), _| *owner == organisation);
                        }
                    }
                    self.changes.add(crate::messages::Change::Policies(organisation));
                }
                Effect::Mud(product) => {
                    self.muds.forget(&product);
                    self.mud_references.forget(&product);
                }
                Effect::Routes => self.routes.clear(),
                Effect::AlertRules => self.alert_rules.clear(),
                Effect::KeyDestroyed(key) => {
                    if let Some(keys) = self.keys.get() {
                        keys.forget(key);
                    }
                }
                Effect::OwnKey(kind, key) => {
                    if let Some(keys) = self.own_keys.get() {
                        keys.replace(kind, key);
                    }
                }
                Effect::ServerKey(ShownKey(key)) => drop(self.server_key.send_replace(Some(key))),
                Effect::Directory => {
                    self.alert_rules.clear();
                    self.organisations.clear();
                    self.organisations_by_id.clear();
                    self.products_by_id.clear();
                    self.device_facts.clear();
                    self.decisions.clear();
                    self.operations.clear();
                    self.signers.clear();
                    self.members.clear();
                    self.cas.clear();
                    self.roots.clear();
                    self.directors.clear();
                    self.peer_contents.clear();
                    self.epoch.fetch_add(1, Ordering::SeqCst);
                    self.changes.add(crate::messages::Change::Directory);
                }
                Effect::Device(row) => {
                    self.device_facts.clear();
                    self.peer_contents.clear();
                    self.device_purposes.forget_where(|(device, _), _| *device == row);
                    self.decisions.clear();
                    self.changes.add(crate::messages::Change::Device(row));
                }
                Effect::Recertified(row) => {
                    self.changes.add(crate::messages::Change::Recertified(row));
                }
                Effect::Downlink(row) => {
                    self.changes.add(crate::messages::Change::Downlink(row));
                }
            }
        }
        if let Some(count) = leaves {
            self.want(|wanted| wanted.leaves = count);
        }
    }
}

/// The row, or the error that tells a caller nothing about other tenants.
pub(crate) fn found<T>(row: Option<T>, what: &'static str) -> Result<T, ServiceError> {
    row.ok_or_else(|| ServiceError::not_found(what))
}
