//! Use cases about the verdict: challenge a device, gather the facts, judge.
//!
//! The store is not believed for being the store. The history is replayed from the events as they
//! were signed: each must be signed by a key that the platform's CA certified for its reporter, be
//! legal after those before it, and be what the ledger has a commitment to; the newest is held
//! against the signed tree, so that a change in the database shows (LG-2). docs/store.md says what
//! is believed nonetheless.

use crate::{
    Service, ServiceError,
    live::{HOLD, SignerEntry},
    record,
    store::{
        Tx, campaign as campaigns,
        certificate::{self as certificates, CertificateRow, Status},
        device::{self as devices, DeviceRow},
        event::{self as events, EventRow},
        organisation as organisations, release as releases,
    },
};
use crypto::{Sha256, UnixTime, random};
use device::{
    CertificateFact, Challenge, Context, CredentialProfile, DeviceId, DeviceKind, EventKind,
    EventPlace, Evidence, History, JudgePolicy, Layer, OrganisationId, PartFact, Passport, Phase,
    ProofFact, ProofRefusal, Reason, ReasonCode, ReleaseFact, Revocation, Roles, Severity,
    SignedEvent, SignedProof, StandingKind, State, Verdict, file::Sources, judge,
    state::CLOCK_TOLERANCE_SECONDS,
};
use ledger::Commitment;
use pki::{Certificate, Profile};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

/// Most events of a history that are replayed for a verdict.
pub(crate) const EVENTS_MAX: usize = 16_384;

/// Facts about certificates, and what was found wrong on the way.
type Facts = (Vec<CertificateFact>, Vec<Reason>);

/// What is asked, and what came with the question.
#[derive(Debug, Clone, Default)]
pub struct VerifyRequest {
    /// the device's answer to a challenge: COSE_Sign1
    pub proof: Option<Vec<u8>>,
    /// certificates that the device presented, its own first
    pub presented: Vec<Certificate>,
    /// the organisation in whose domain the device is presented
    pub presented_by: Option<OrganisationId>,
    /// what is demanded; the installation's own policy where absent
    pub policy: Option<JudgePolicy>,
}

/// Everything that facts are made of, read in one snapshot.
pub(crate) struct Gathered {
    pub(crate) row: DeviceRow,
    pub(crate) events: Vec<EventRow>,
    pub(crate) certificates: Vec<CertificateRow>,
    pub(crate) roles: HashMap<OrganisationId, Roles>,
    pub(crate) parts: Vec<PartFact>,
    pub(crate) hosts: Vec<DeviceId>,
}

impl Service {
    /// What verdicts of this installation demand, for callers that ask for a part to be otherwise.
    pub fn judge_policy(&self) -> &JudgePolicy {
        &self.config.judge
    }

    /// A fresh challenge for a device. Whether the device exists does not show. Public; the door
    /// limits the rate.
    ///
    /// # Errors
    /// `too-many-challenges`.
    pub async fn challenge(&self, device: &DeviceId) -> Result<Challenge, ServiceError> {
        let now = self.now();
        let expires = now.plus(self.config.challenge_s);
        let nonce: [u8; 32] = random::bytes();
        let mut open = self.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= self.config.limits.challenges {
            open.retain(|_, (_, expires)| *expires >= now);
        }
        if open.len() >= self.config.limits.challenges {
            return Err(ServiceError::too_many(
                "too-many-challenges",
                "too many challenges are open; repeat in a minute",
            ));
        }
        open.insert(nonce, (*device, expires));
        Ok(Challenge { device: *device, nonce, expires })
    }

    /// The verdict on a device. Who has nothing to do with the device gets outcome and reasons,
    /// and no evidence.
    ///
    /// # Errors
    /// `role`, `unauthenticated`; where the store fails.
    pub async fn verify_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
        request: VerifyRequest,
    ) -> Result<Verdict, ServiceError> {
        self.organisation_works(caller, Action::VerifyDevice)?;
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        let related = match &row {
            Some(row) => {
                let state = record::state_of(row).unwrap_or_default();
                self.stand(caller, row, state.as_ref(), |resource| {
                    policy::authorize(caller, Action::VerifyDevice, resource).is_ok()
                })?
            }
            None => false,
        };
        if !related {
            let _permit = self.authorize(caller, Action::VerifyStranger, &Resource::unknown())?;
        }
        let mut verdict = self.verify(device, request).await?;
        if !related {
            verdict.reasons.iter_mut().for_each(|reason| reason.evidence.clear());
        }
        Ok(verdict)
    }

    /// The device itself answers a challenge. Public: nobody learns more than outcome and reasons.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn prove(
        &self,
        device: &DeviceId,
        request: VerifyRequest,
    ) -> Result<Verdict, ServiceError> {
        let mut verdict = self.verify(device, request).await?;
        verdict.reasons.iter_mut().for_each(|reason| reason.evidence.clear());
        Ok(verdict)
    }

    async fn verify(
        &self,
        device: &DeviceId,
        request: VerifyRequest,
    ) -> Result<Verdict, ServiceError> {
        let now = self.now();
        // The proof first: what it shows may enter the history that is then judged.
        let (proof, vouched) = match &request.proof {
            Some(bytes) => self.accept_proof(device, bytes, &request.presented, now).await?,
            None => (ProofFact::NotAsked, false),
        };
        let plain = request.policy.is_none()
            && match proof {
                ProofFact::NotAsked => {
                    request.presented.is_empty() && request.presented_by.is_none()
                }
                ProofFact::Valid { .. } => vouched,
                ProofFact::Refused { .. } => false,
            };
        let (mut passport, gathered) = self.passport_facts(device, &request.presented, now)?;
        passport.proof = proof;
        passport.presented_by = request.presented_by;
        let policy = request.policy.as_ref().unwrap_or(&self.config.judge);
        let verdict = judge(&passport, policy, now);
        // What anybody could make of a device by showing junk in its name is nobody's last word.
        if plain && let Some(Gathered { row, .. }) = &gathered {
            self.verdicts.note(row.id, row.owner, row.maker, &verdict);
        }
        if verdict.outcome == device::Outcome::Rejected {
            let reason = verdict.main_reason().map_or("none", |reason| reason.code.name());
            self.note(
                audit::SecurityEvent::new(now, audit::Kind::Verdict, audit::Outcome::Failure)
                    .subject(&device.to_string())
                    .detail("reason", reason),
            );
        }
        Ok(verdict)
    }

    /// Checks an answer to a challenge and keeps its counter. The challenge is used up by the first
    /// answer, right or wrong. Also says whether somebody here vouches for the key.
    async fn accept_proof(
        &self,
        device: &DeviceId,
        bytes: &[u8],
        presented: &[Certificate],
        now: UnixTime,
    ) -> Result<(ProofFact, bool), ServiceError> {
        let refused = |cause, key| Ok((ProofFact::Refused { cause, key }, false));
        let Ok(signed) = SignedProof::parse(bytes) else {
            return refused(ProofRefusal::Unreadable, None);
        };
        let key_id = signed.key_id();
        let nonce = signed.unverified().nonce;
        let open = self.challenges.lock().unwrap_or_else(PoisonError::into_inner).remove(&nonce);
        let Some((challenged, expires)) = open else {
            return refused(ProofRefusal::Replayed, Some(key_id));
        };
        if challenged != *device {
            return refused(ProofRefusal::Unreadable, Some(key_id));
        }
        let row = self.read(|connection| devices::device(connection, device.as_bytes()))?;
        let Some(row) = row else { return refused(ProofRefusal::WrongKey, Some(key_id)) };
        let on_record = self
            .read(|connection| certificates::certificates_of(connection, row.id))?
            .into_iter()
            .filter(|row| row.status != Status::Abandoned)
            .filter_map(|row| Certificate::from_der(&row.der).ok());
        let of_key = |certificate: &Certificate| {
            certificate.public_key().is_ok_and(|key| key.fingerprint() == key_id)
        };
        // A presented certificate lends its key only where it is of somebody else's CA and the
        // device's own by its name: what we issued is on record for its device, or for another.
        // The chain is judged by itself.
        let index = self.ca_index()?;
        let own = |certificate: &&Certificate| {
            certificate.common_name().as_deref() == Some(device.to_string().as_str())
                && index.issuer_of(certificate).is_none()
        };
        let recorded = on_record.into_iter().find(&of_key);
        let vouched = recorded.is_some();
        let certificate =
            recorded.or_else(|| presented.iter().filter(own).find(|c| of_key(c)).cloned());
        let Some(certificate) = certificate else {
            return refused(ProofRefusal::WrongKey, Some(key_id));
        };
        let Ok(key) = certificate.public_key() else {
            return refused(ProofRefusal::WrongKey, Some(key_id));
        };
        let challenge = Challenge { device: *device, nonce, expires };
        let proof = match signed.verify(key, &challenge, now) {
            Ok(proof) => proof.into_inner(),
            Err(error) => return refused(ProofRefusal::from(&error), Some(key_id)),
        };
        let (platform, device, bytes) = (Arc::clone(&self.platform), *device, bytes.to_vec());
        let counter = proof.counter;
        let valid = |highest| ProofFact::Valid {
            key: key_id,
            counter,
            highest,
            device_time: proof.device_time,
            received_at: now,
        };
        if !vouched {
            // Nothing of a key that nobody here vouches for is kept: anybody can make one.
            return Ok((valid(None), false));
        }
        let highest = self
            .commit(move |tx| {
                keep_counter(tx, &platform, row.id, device, &key_id, counter, &bytes, now)
            })
            .await?;
        Ok((valid(highest), true))
    }

    /// The facts about a device, with what they were made of.
    pub(crate) fn passport_facts(
        &self,
        device: &DeviceId,
        presented: &[Certificate],
        now: UnixTime,
    ) -> Result<(Passport, Option<Gathered>), ServiceError> {
        let Some(gathered) = self.read(|connection| self.gather(connection, device))? else {
            let mut passport = Passport::new(*device, History::Unknown, now);
            let (facts, findings) = self.presented_facts(presented, None, now)?;
            passport.certificates = facts;
            passport.findings = findings;
            return Ok((passport, None));
        };
        let mut passport = Passport::new(*device, History::Unusable, now);
        passport.events = places(&gathered.events);
        match self.replay(&gathered, now) {
            Ok(state) => passport.history = History::Known(Box::new(state)),
            Err(reason) => passport.findings.push(*reason),
        }
        passport.parts.clone_from(&gathered.parts);
        passport.hosts.clone_from(&gathered.hosts);
        passport.newest_release =
            self.read(|connection| newest_release(connection, &gathered.row))?;
        passport.findings.extend(self.said_of_itself(&gathered.row)?);
        let (facts, findings) = if presented.is_empty() {
            self.recorded_facts(&gathered, now)?
        } else {
            self.presented_facts(presented, Some(&gathered.row), now)?
        };
        passport.certificates = facts;
        passport.findings.extend(findings);
        passport.fresh_until = None;
        Ok((passport, Some(gathered)))
    }

    fn gather(
        &self,
        connection: &Connection,
        device: &DeviceId,
    ) -> Result<Option<Gathered>, ServiceError> {
        let Some(row) = devices::device(connection, device.as_bytes())? else { return Ok(None) };
        if row.state.is_none() && row.events == 0 {
            return Ok(None);
        }
        let events = events::events(connection, row.id, 0, EVENTS_MAX)?;
        let certificates = certificates::certificates_of(connection, row.id)?;
        let mut roles = HashMap::new();
        for event in &events {
            let organisation = organisations::organisation_by_id(connection, event.reporter)?;
            if let Some(organisation) = organisation {
                let id = crate::service::slug(&organisation.slug)?;
                let bits = Roles::from_bits(organisation.roles.into()).unwrap_or(Roles::NONE);
                roles.insert(id, bits);
            }
        }
        // What a claim without evidence says counts against nobody who has any.
        let rivals = |part: &[u8; 16], this: i64| -> Result<Vec<DeviceId>, ServiceError> {
            let claims = devices::claims_on(connection, part)?;
            let vouched = claims.iter().any(|claim| claim.whole == this && claim.vouched);
            let rivals =
                claims.iter().filter(|rival| rival.whole != this && (rival.vouched || !vouched));
            Ok(rivals.map(|rival| DeviceId::from_bytes(rival.device)).collect())
        };
        let hosts = devices::claims_on(connection, &row.device_id)?
            .iter()
            .filter(|claim| claim.whole != row.id && claim.vouched)
            .map(|claim| DeviceId::from_bytes(claim.device))
            .collect();
        let state = record::state_of(&row).unwrap_or_default();
        let mut parts = Vec::new();
        for part in state.iter().flat_map(State::parts) {
            let known = devices::device(connection, part.device.as_bytes())?;
            let status = known.and_then(|known| {
                let phase = Phase::from_code(known.phase.into())?;
                Some((phase, StandingKind::from_code(known.standing.into())?))
            });
            let elsewhere = rivals(part.device.as_bytes(), row.id)?;
            parts.push(PartFact { part: *part, status, elsewhere });
        }
        Ok(Some(Gathered { row, events, certificates, roles, parts, hosts }))
    }

    /// What the history adds up to, from the signed events alone; or where it does not hold.
    fn replay(&self, gathered: &Gathered, now: UnixTime) -> Result<State, Box<Reason>> {
        let row = &gathered.row;
        let mut state: Option<State> = None;
        for (at, event) in gathered.events.iter().enumerate() {
            let place = || evidence(event);
            let altered = |why: &str| altered(vec![place(), Evidence::Detail(why.into())]);
            if event.sequence != at as u64 {
                return Err(altered("events are missing or reordered in the store"));
            }
            let Some(commitment) = event.commitment else {
                return Err(altered("its leaf is missing from the store"));
            };
            let Some((salt, cose)) = &event.contents else {
                let after = event.state_after.as_deref().map(State::decode);
                let Some(Ok(after)) = after else {
                    return Err(altered("the state after an erased event is damaged"));
                };
                if after.head() != commitment || after.sequence() != event.sequence {
                    return Err(altered("the state after an erased event is another's"));
                }
                state = Some(after);
                continue;
            };
            if ledger::commit(salt, cose) != commitment {
                return Err(altered("the event is not the one that the ledger holds"));
            }
            let Ok(signed) = SignedEvent::parse(cose) else {
                return Err(altered("the event cannot be read"));
            };
            if !self.signature_holds(&signed, event.leaf, &commitment) {
                return Err(altered("the event is not signed by a key of its reporter"));
            }
            let event = signed.unverified();
            let roles = gathered.roles.get(&event.reporter).copied().unwrap_or(Roles::NONE);
            let context = Context::new(now, roles);
            let next = match &state {
                None => State::start(event, commitment, &context),
                Some(state) => state.apply(event, commitment, &context),
            };
            state = Some(next.map_err(|illegal| altered(&illegal.to_string()))?);
        }
        let whole = |why: &str| altered(vec![Evidence::Detail(why.into())]);
        let Some(state) = state else {
            return Err(whole("the events are missing from the store"));
        };
        let stored = record::state_of(row).ok().flatten();
        let owner = self.organisation_id(row.owner).ok();
        if stored.as_ref() != Some(&state)
            || row.events != state.events()
            || owner.as_ref() != Some(state.owner())
            || state.device().as_bytes() != &row.device_id
            || row.phase != state.phase().code()
            || row.standing != state.standing().kind().code()
        {
            return Err(whole("the device's record is not what its events add up to"));
        }
        self.anchored(&gathered.events)?;
        Ok(state)
    }

    /// Whether an event is signed by a key that the platform certified for its reporter. What was
    /// found right once is remembered by its leaf and commitment, which bind the event's bytes.
    fn signature_holds(&self, signed: &SignedEvent, leaf: u64, commitment: &Commitment) -> bool {
        let verify = || {
            let reporter = signed.unverified().reporter.as_str();
            match self.signer_entry(&signed.key_id())? {
                Some(signer)
                    if signer.certified
                        && signer.organisation.slug == reporter
                        && self.worked(&signer, signed.unverified().at)
                        && signed.verify(&signer.key).is_ok() =>
                {
                    Ok(())
                }
                _ => Err(ServiceError::refused("event-signature", "the signature is wrong")),
            }
        };
        self.live.verified.get_or_load((leaf, *commitment), verify).is_ok()
    }

    /// Whether a signing key had not ended when it signed; the reporter's clock may be ahead.
    fn worked(&self, signer: &SignerEntry, at: UnixTime) -> bool {
        let revoked = signer
            .issued
            .as_ref()
            .and_then(|(ca, serial)| self.live.revoked(*ca, serial))
            .filter(|revoked| revoked.reason != HOLD)
            .map(|revoked| revoked.at);
        let ends = [Some(signer.row.not_after), signer.row.retired_at, revoked];
        let at = at.plus(-CLOCK_TOLERANCE_SECONDS);
        ends.into_iter().flatten().all(|end| at <= end)
    }

    /// Holds the events against the signed tree. Each names the one before, so the newest vouches
    /// for all, and the one before each erased event for those before it.
    fn anchored(&self, events: &[EventRow]) -> Result<(), Box<Reason>> {
        let checkpoint = self.log.latest();
        let head = checkpoint.claimed();
        let covered: Vec<&EventRow> =
            events.iter().take_while(|event| event.leaf < head.size).collect();
        for (at, event) in covered.iter().enumerate() {
            let next = covered.get(at.saturating_add(1));
            if next.is_some_and(|next| next.contents.is_some()) {
                continue;
            }
            let Some(commitment) = event.commitment else {
                let why = Evidence::Detail("its leaf is missing from the store".into());
                return Err(altered(vec![evidence(event), why]));
            };
            let proof = self.log.inclusion_proof(event.leaf, head.size).map_err(|error| {
                let evidence = vec![evidence(event), Evidence::Detail(error.to_string())];
                Box::new(Reason::new(ReasonCode::LogUnverified, Layer::Service, evidence))
            })?;
            if ledger::verify_inclusion(&commitment, &proof, &head.root).is_err() {
                let why = Evidence::Detail("the signed log holds another leaf".into());
                return Err(altered(vec![evidence(event), why]));
            }
        }
        Ok(())
    }

    /// Facts about certificates on record: the newest of each profile that is the present owner's
    /// or maker's. What cannot be examined is a finding.
    fn recorded_facts(&self, gathered: &Gathered, now: UnixTime) -> Result<Facts, ServiceError> {
        let row = &gathered.row;
        let mut facts = Facts::default();
        for chosen in current(gathered) {
            let Ok(certificate) = Certificate::from_der(&chosen.der) else {
                let why = "a certificate in the store is damaged";
                facts.1.push(*altered(vec![Evidence::Detail(why.into())]));
                continue;
            };
            let profile = credential_profile(chosen.profile);
            let revocation = self.revocation(Some((chosen.ca, chosen)), now);
            self.fact(&mut facts, &certificate, &[], profile, kind_of(row), revocation, now)?;
        }
        Ok(facts)
    }

    /// Facts about what the device presented: its own certificate, with the others as help.
    fn presented_facts(
        &self,
        presented: &[Certificate],
        row: Option<&DeviceRow>,
        now: UnixTime,
    ) -> Result<Facts, ServiceError> {
        let mut facts = Facts::default();
        let Some((own, help)) = presented.split_first() else { return Ok(facts) };
        let index = self.ca_index()?;
        let issued = match index.issuer_of(own) {
            Some(ca) => self
                .read(|connection| {
                    certificates::certificate(connection, ca.id, own.serial().as_bytes())
                })?
                .filter(|issued| issued.der == own.der())
                .map(|issued| (ca.id, issued)),
            None => None,
        };
        let named = || Evidence::Certificate {
            fingerprint: own.fingerprint(),
            serial: own.serial().as_bytes().to_vec(),
        };
        if let Some((_, issued)) = &issued
            && (issued.device.is_none() || issued.device != row.map(|row| row.id))
        {
            let why = Evidence::Detail("it was issued to another device or to a member".into());
            let evidence = vec![named(), why];
            let reason = Reason::new(ReasonCode::CredentialUnlisted, Layer::Device, evidence);
            facts.1.push(reason.at_least(Severity::Reject));
        }
        // What we did not issue claims to be an IDevID: a maker's word that nobody here knows.
        let profile = match &issued {
            Some((_, issued)) => credential_profile(issued.profile),
            None => Some(CredentialProfile::Idevid),
        };
        let revocation = self.revocation(issued.as_ref().map(|(ca, row)| (*ca, row)), now);
        let kind = row.map_or(DeviceKind::Device, kind_of);
        self.fact(&mut facts, own, help, profile, kind, revocation, now)?;
        Ok(facts)
    }

    #[expect(clippy::too_many_arguments, reason = "each is a fact of its own")]
    fn fact(
        &self,
        facts: &mut Facts,
        certificate: &Certificate,
        help: &[Certificate],
        profile: Option<CredentialProfile>,
        kind: DeviceKind,
        revocation: Revocation,
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        let anchors = self.anchors()?;
        let sources = Sources { certificates: help, crls: &[], anchors: &anchors };
        match CertificateFact::examine(certificate, profile, kind, revocation, &sources, now) {
            Ok(fact) => facts.0.push(fact),
            Err(error) => {
                let named = Evidence::Certificate {
                    fingerprint: certificate.fingerprint(),
                    serial: certificate.serial().as_bytes().to_vec(),
                };
                let evidence = vec![named, Evidence::Detail(error.to_string())];
                let reason = Reason::new(ReasonCode::WeakAlgorithm, Layer::Device, evidence);
                facts.1.push(reason.at_least(Severity::Reject));
            }
        }
        Ok(())
    }

    /// Status of a certificate that we issued.
    pub(crate) fn revocation(
        &self,
        issued: Option<(i64, &CertificateRow)>,
        now: UnixTime,
    ) -> Revocation {
        let Some((ca, row)) = issued else { return Revocation::Unknown };
        match self.live.revoked(ca, &row.serial) {
            None if row.status == Status::Good => Revocation::Good { as_of: now },
            None => Revocation::Revoked { at: now },
            Some(revoked) if revoked.reason == HOLD => Revocation::Suspended { at: revoked.at },
            Some(revoked) => Revocation::Revoked { at: revoked.at },
        }
    }
}

/// What a device's maker has published for its product and hardware.
fn newest_release(
    connection: &Connection,
    row: &DeviceRow,
) -> Result<Option<ReleaseFact>, ServiceError> {
    let Some(product) = row.product else { return Ok(None) };
    let hardware =
        campaigns::software(connection, row.id)?.and_then(|software| software.software.hardware_id);
    let newest = campaigns::newest_release(connection, product, hardware.as_deref())?;
    let floor = releases::gate(connection, product)?.map_or(0, |gate| gate.security_floor);
    Ok(newest.map(|newest| ReleaseFact { newest, security_floor: floor }))
}

/// Compares the counter with the highest before, in the transaction that keeps it: of two proofs
/// at the same time one is second. What it shows about the device enters the history.
#[expect(clippy::too_many_arguments, reason = "the body of one transaction")]
fn keep_counter(
    tx: &mut Tx<'_>,
    platform: &Arc<crate::service::Platform>,
    row: i64,
    device: DeviceId,
    key: &Sha256,
    counter: u64,
    proof: &[u8],
    now: UnixTime,
) -> Result<Option<u64>, ServiceError> {
    let highest = devices::proof_counter(tx, row, key)?;
    let state =
        devices::device_by_row(tx, row)?.and_then(|row| record::state_of(&row).ok().flatten());
    let Some(state) = state else { return Ok(highest) };
    match highest {
        Some(highest) if counter <= highest => {
            let known = state.alarms().copied_keys.iter().any(|(copied, _)| copied == key);
            if !known {
                let kind = EventKind::ProofRefused {
                    reason: ReasonCode::KeyCopied,
                    key: Some(*key),
                    counters: Some((highest, counter)),
                };
                record::apply_platform(tx, platform, &device, &kind, None, now)?;
            }
        }
        _ => devices::set_proof_counter(tx, row, key, counter, now, proof)?,
    }
    let ended = matches!(state.phase(), Phase::Retired | Phase::Disposed);
    if ended && state.alarms().reappeared.is_none() {
        let kind = EventKind::Reappeared { key: Some(*key) };
        record::apply_platform(tx, platform, &device, &kind, None, now)?;
    }
    Ok(highest)
}

/// The certificates that matter now: of each profile the newest, unless it was a former owner's.
pub(crate) fn current(gathered: &Gathered) -> Vec<&CertificateRow> {
    let row = &gathered.row;
    let mut chosen: Vec<&CertificateRow> = Vec::new();
    for certificate in &gathered.certificates {
        let issued = certificate.status != Status::Abandoned;
        let ldevid = certificate.profile == Profile::Ldevid as u8;
        let own = certificate.organisation == if ldevid { row.owner } else { row.maker };
        if issued && own && !chosen.iter().any(|other| other.profile == certificate.profile) {
            chosen.push(certificate);
        }
    }
    chosen
}

pub(crate) fn credential_profile(profile: u8) -> Option<CredentialProfile> {
    match Profile::ALL.into_iter().find(|known| *known as u8 == profile) {
        Some(Profile::Chip) => Some(CredentialProfile::Chip),
        Some(Profile::Idevid) => Some(CredentialProfile::Idevid),
        Some(Profile::Ldevid) => Some(CredentialProfile::Ldevid),
        _ => None,
    }
}

fn kind_of(row: &DeviceRow) -> DeviceKind {
    DeviceKind::from_code(row.kind.into()).unwrap_or(DeviceKind::Device)
}

fn places(events: &[EventRow]) -> Vec<EventPlace> {
    events
        .iter()
        .filter_map(|event| {
            Some(EventPlace {
                sequence: event.sequence,
                index: event.leaf,
                commitment: event.commitment?,
            })
        })
        .collect()
}

fn evidence(event: &EventRow) -> Evidence {
    Evidence::Event {
        sequence: event.sequence,
        index: Some(event.leaf),
        commitment: event.commitment,
    }
}

fn altered(evidence: Vec<Evidence>) -> Box<Reason> {
    Box::new(Reason::new(ReasonCode::HistoryAltered, Layer::Device, evidence))
}
