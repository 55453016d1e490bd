//! Use case: export a passport file, which anybody verifies offline.

use crate::{
    Service, ServiceError,
    keys::Use,
    live::found,
    own_keys::PASSPORT_CERTIFICATE,
    store::{device as devices, key, meta},
    verdict::{self, Gathered},
};
use crypto::{UnixTime, sha256};
use device::{
    DeviceId, ManagementNumber, Passport, SignedEvent, SignedProof, State,
    file::{EventContents, EventEntry, PassportFile, StatedCertificate, StatedProof, Statement},
};
use ledger::{SignedCheckpoint, WitnessKey};
use pki::Certificate;
use policy::{Action, Caller};
use std::{collections::BTreeMap, time::Duration};

/// How often an export looks whether witnesses have cosigned.
const COSIGNATURE_POLL: Duration = Duration::from_millis(20);

/// A passport file, and how well its checkpoint is witnessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedPassport {
    /// the file
    pub bytes: Vec<u8>,
    /// witnesses of this installation that cosigned its checkpoint
    pub cosignatures: usize,
    /// how many of them readers of this installation should ask for
    pub quorum: usize,
}

impl ExportedPassport {
    /// Whether readers who ask for this installation's quorum will believe the file's log.
    pub fn is_witnessed(&self) -> bool {
        self.cosignatures >= self.quorum
    }
}

impl Service {
    /// The passport file of a device: its events with proofs against the newest checkpoint, its
    /// certificates, and the platform's signed statement about the rest. Its name ends in
    /// `.tegata`.
    ///
    /// # Errors
    /// As [`Self::export_witnessed`].
    pub async fn export_passport(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<u8>, ServiceError> {
        self.export_witnessed(caller, device).await.map(|exported| exported.bytes)
    }

    /// As [`Self::export_passport`], with how many witnesses cosigned. They are waited for as long
    /// as [`crate::Config::cosignature_wait_ms`] says.
    ///
    /// # Errors
    /// `not-found`, `not-begun`, `history-altered` where the store contradicts the ledger;
    /// `witnesses-missing` where too few witnesses cosigned in time and
    /// [`crate::Config::passports_unwitnessed`] does not allow such files.
    pub async fn export_witnessed(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<ExportedPassport, ServiceError> {
        let known = self.device_for(caller, Action::ExportPassport, device)?;
        known.begun()?;
        let now = self.now();
        let (passport, gathered) = self.passport_facts(device, &[], now)?;
        let gathered = found(gathered, "device")?;
        let Some(state) = passport.state().cloned() else {
            return Err(ServiceError::fatal(
                "history-altered",
                "the device's history in the store is not what the ledger holds; check the log \
                 and restore a backup",
            ));
        };
        let last = gathered.events.last().map_or(0, |event| event.leaf);
        let (checkpoint, cosignatures, quorum) = self.checkpoint_over(last).await?;
        let mut proofs = self.read(|connection| devices::proofs_of(connection, gathered.row.id))?;
        let keys: Vec<_> = passport.certificates.iter().map(|fact| fact.key).collect();
        proofs.retain(|proof| keys.contains(&proof.key));
        // An old proof says nothing about now, and would make the file stale from the start.
        let age = self.config.judge.evidence_age_seconds_max;
        let newest =
            proofs.iter().filter(|proof| now.since(proof.at) <= age).max_by_key(|proof| proof.at);
        let mut pool = Pool::default();
        let statement = self.statement(&gathered, &passport, state, &checkpoint, &mut pool, now)?;
        let statement = Statement {
            counters: proofs.iter().map(|proof| (proof.key, proof.counter)).collect(),
            proof: newest
                .map(|proof| StatedProof { digest: sha256(&proof.proof), received_at: proof.at }),
            ..statement
        };
        let entries = self.entries(&gathered, &checkpoint, &mut pool)?;
        let signer = self.platform.keys.passports();
        if !pool.has_key(signer.signer.public_key()) {
            return Err(ServiceError::unavailable(
                "key-rotated",
                "the key that signs passports was replaced at this moment; repeat",
            ));
        }
        let (row, by, subject) = (signer.row, caller.to_string(), *device.as_bytes());
        self.commit(move |tx| {
            key::insert_key_use(tx, row, now, Use::Passport as u8, &subject, &by)
        })
        .await?;
        let signed = statement
            .sign(signer.signer.as_ref())
            .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))?;
        let proof = newest.and_then(|proof| SignedProof::parse(&proof.proof).ok());
        let certificates = pool.certificates.into_values().collect();
        let file = PassportFile::new(signed, entries, checkpoint, certificates, proof.as_ref());
        Ok(ExportedPassport { bytes: file.encode(), cosignatures, quorum })
    }

    /// A checkpoint that covers a leaf, with how many witnesses cosigned it and how many should
    /// have: waits for the quorum until the deadline, and takes the best that there is then.
    async fn checkpoint_over(
        &self,
        leaf: u64,
    ) -> Result<(SignedCheckpoint, usize, usize), ServiceError> {
        if self.log.latest().claimed().size <= leaf {
            self.integrate_now().await?;
        }
        let store = self.trust_store().await?;
        let keys: Vec<WitnessKey> =
            store.witness_keys.iter().filter_map(|key| key.parse().ok()).collect();
        let quorum = usize::try_from(store.quorum).unwrap_or(usize::MAX);
        let covers = |checkpoint: &SignedCheckpoint| checkpoint.claimed().size > leaf;
        let best = || {
            let latest = self.log.latest();
            let cosigned = self.log.latest_cosigned().filter(covers);
            let best = cosigned.or_else(|| covers(&latest).then_some(latest))?;
            let verified = best.verify(self.log.key(), &keys, 0);
            let have = verified.map_or(0, |verified| verified.cosigned_at.len());
            Some((best, have))
        };
        let enough = async {
            loop {
                match best() {
                    // Nobody is asked to cosign where no witness is configured.
                    Some((_, have)) if have >= quorum || self.config.witnesses.is_empty() => return,
                    _ => tokio::time::sleep(COSIGNATURE_POLL).await,
                }
            }
        };
        let wait = Duration::from_millis(self.config.cosignature_wait_ms);
        // Late or not: what there is now is looked at below.
        let _ = tokio::time::timeout(wait, enough).await;
        let Some((checkpoint, have)) = best() else {
            return Err(ServiceError::unavailable(
                "log-behind",
                "the log is behind; repeat in a few seconds",
            ));
        };
        if have < quorum && !self.config.passports_unwitnessed {
            return Err(ServiceError::unavailable(
                "witnesses-missing",
                format!(
                    "{have} of {quorum} witnesses cosigned the log in time; look after them and \
                     repeat, or let the server export without them"
                ),
            ));
        }
        Ok((checkpoint, have, quorum))
    }

    fn statement(
        &self,
        gathered: &Gathered,
        passport: &Passport,
        state: State,
        checkpoint: &SignedCheckpoint,
        pool: &mut Pool,
        now: UnixTime,
    ) -> Result<Statement, ServiceError> {
        let row = &gathered.row;
        let index = self.ca_index()?;
        for ca in index.all().filter(|ca| ca.kind == crate::CaKind::Platform) {
            pool.add(ca.certificate.clone());
        }
        let mut certificates = Vec::new();
        for chosen in verdict::current(gathered) {
            let Some(profile) = verdict::credential_profile(chosen.profile) else { continue };
            let Ok(certificate) = Certificate::from_der(&chosen.der) else { continue };
            if let Some(ca) = index.by_id(chosen.ca) {
                pool.add(ca.certificate.clone());
            }
            certificates.push(StatedCertificate {
                fingerprint: certificate.fingerprint(),
                profile,
                revocation: self.revocation(Some((chosen.ca, chosen)), now),
            });
            pool.add(certificate);
        }
        let der = self.read(|connection| meta::value(connection, PASSPORT_CERTIFICATE))?;
        let signer = der.and_then(|der| Certificate::from_der(&der).ok()).ok_or_else(|| {
            ServiceError::refused(
                "no-platform-ca",
                "the platform's passport signer has no certificate yet; install the platform's CA",
            )
        })?;
        pool.add(signer);
        let roles: BTreeMap<_, _> =
            gathered.roles.iter().filter(|(_, roles)| roles.bits() != 0).collect();
        let management: Option<ManagementNumber> = row.management.parse().ok();
        Ok(Statement {
            platform: self.platform.id.clone(),
            state,
            management_number: management,
            roles: roles.into_iter().map(|(id, roles)| (id.clone(), *roles)).collect(),
            certificates,
            counters: Vec::new(),
            proof: None,
            parts: passport.parts.clone(),
            hosts: passport.hosts.clone(),
            erased: runs(gathered)
                .filter_map(|(sequence, state)| state.map(|state| (sequence, sha256(state))))
                .collect(),
            revoked_signers: self.revoked_signers(gathered, pool)?,
            tree: checkpoint.claimed().clone(),
            issued_at: now,
            expires: now.plus(self.config.passport_s),
            newest_release: passport.newest_release.clone(),
        })
    }

    /// Puts the certificates of the events' signers into the file; returns the retired ones.
    fn revoked_signers(
        &self,
        gathered: &Gathered,
        pool: &mut Pool,
    ) -> Result<Vec<(crypto::Sha256, UnixTime)>, ServiceError> {
        let mut retired = BTreeMap::new();
        for event in &gathered.events {
            let Some((_, cose)) = &event.contents else { continue };
            let Ok(signed) = SignedEvent::parse(cose) else { continue };
            let Some(signer) = self.signer_entry(&signed.key_id())? else { continue };
            if let Ok(certificate) = Certificate::from_der(&signer.row.certificate) {
                if let Some(at) = signer.row.retired_at {
                    retired.insert(certificate.fingerprint(), at);
                }
                pool.add(certificate);
            }
        }
        Ok(retired.into_iter().collect())
    }

    fn entries(
        &self,
        gathered: &Gathered,
        checkpoint: &SignedCheckpoint,
        pool: &mut Pool,
    ) -> Result<Vec<EventEntry>, ServiceError> {
        let _ = pool;
        let size = checkpoint.claimed().size;
        let ends: BTreeMap<u64, &[u8]> = runs(gathered)
            .filter_map(|(sequence, state)| state.map(|state| (sequence, state)))
            .collect();
        gathered
            .events
            .iter()
            .map(|event| {
                let proof =
                    self.log.inclusion_proof(event.leaf, size).map_err(crate::sequencer::ledger)?;
                let contents = match (&event.contents, event.commitment) {
                    (Some((salt, bytes)), _) => {
                        EventContents::Present { bytes: bytes.clone(), salt: *salt }
                    }
                    (None, Some(commitment)) => EventContents::Erased {
                        commitment,
                        state_after: ends.get(&event.sequence).map(|state| state.to_vec()),
                    },
                    (None, None) => {
                        return Err(ServiceError::fatal("leaf-missing", "a leaf is missing"));
                    }
                };
                Ok(EventEntry { index: event.leaf, proof: proof.hashes, contents })
            })
            .collect()
    }
}

/// The last event of each run of erased ones, with the state after it.
fn runs(gathered: &Gathered) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
    let erased = |at: usize| gathered.events.get(at).is_some_and(|event| event.contents.is_none());
    gathered
        .events
        .iter()
        .enumerate()
        .filter(move |(at, _)| erased(*at) && !erased(at.saturating_add(1)))
        .map(|(_, event)| (event.sequence, event.state_after.as_deref()))
}

/// The certificates of a file, each once.
#[derive(Default)]
struct Pool {
    certificates: BTreeMap<crypto::Sha256, Certificate>,
}

impl Pool {
    fn has_key(&self, key: &crypto::PublicKey) -> bool {
        self.certificates
            .values()
            .any(|certificate| certificate.public_key().is_ok_and(|certified| certified == key))
    }

    fn add(&mut self, certificate: Certificate) {
        self.certificates.insert(certificate.fingerprint(), certificate);
    }
}
