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
use ledger::SignedCheckpoint;
use pki::Certificate;
use policy::{Action, Caller};
use std::collections::BTreeMap;

/// Rounds of the integrator that an export waits for cosignatures.
const ROUNDS_MAX: usize = 16;

impl Service {
    /// The passport file of a device: its events with proofs against the newest checkpoint, its
    /// certificates, and the platform's signed statement about the rest. Its name ends in
    /// `.tegata`.
    ///
    /// # Errors
    /// `not-found`, `not-begun`, `history-altered` where the store contradicts the ledger.
    pub async fn export_passport(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<Vec<u8>, ServiceError> {
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
        let checkpoint = self.checkpoint_over(last).await?;
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
        let (row, by, subject) =
            (self.platform.passports_key, caller.to_string(), *device.as_bytes());
        self.commit(move |tx| {
            key::insert_key_use(tx, row, now, Use::Passport as u8, &subject, &by)
        })
        .await?;
        let signed = statement
            .sign(self.platform.passports.as_ref())
            .map_err(|error| ServiceError::unavailable("signing-failed", error.to_string()))?;
        let proof = newest.and_then(|proof| SignedProof::parse(&proof.proof).ok());
        let certificates = pool.certificates.into_values().collect();
        Ok(PassportFile::new(signed, entries, checkpoint, certificates, proof.as_ref()).encode())
    }

    /// A checkpoint that covers a leaf: cosigned by witnesses where there are any and they answer
    /// in time.
    async fn checkpoint_over(&self, leaf: u64) -> Result<SignedCheckpoint, ServiceError> {
        if self.log.latest().claimed().size <= leaf {
            self.integrate_now().await?;
        }
        if !self.config.witnesses.is_empty() {
            let mut watch = self.published.subscribe();
            for _ in 0..ROUNDS_MAX {
                if let Some(cosigned) = self.log.latest_cosigned()
                    && cosigned.claimed().size > leaf
                {
                    return Ok(cosigned);
                }
                watch.changed().await.map_err(|_| ServiceError::stopped())?;
            }
        }
        let latest = self.log.latest();
        if latest.claimed().size <= leaf {
            return Err(ServiceError::unavailable(
                "log-behind",
                "the log is behind; repeat in a few seconds",
            ));
        }
        Ok(latest)
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
    fn add(&mut self, certificate: Certificate) {
        self.certificates.insert(certificate.fingerprint(), certificate);
    }
}
