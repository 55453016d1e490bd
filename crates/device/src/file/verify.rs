use super::{
    PassportFile, SignedStatement, Statement,
    certificates::{Signers, Sources},
    history::Replay,
};
use crate::{
    CertificateFact, Challenge, DeviceId, Evidence, JudgePolicy, Layer, Moment, OrganisationId,
    Passport, ProofFact, ProofRefusal, Reason, ReasonCode as Code, SignedProof, Verdict, judge,
    passport::History,
};
use crypto::UnixTime;
use ledger::{Checkpoint, LedgerError, LogKey, TreeHead, WitnessKey};
use pki::{Certificate, Crl, KP_DOCUMENT_SIGNING, ObjectIdentifier, oid, validate::Anchors};

/// commonName of the certificate that signs passports. The issuing CA gives it to the platform's
/// passport signer only, so that no other service can speak for the platform.
pub const PASSPORT_SIGNER_COMMON_NAME: &str = "passport signer";

/// Organisations' signers and the passport signer.
pub(super) const SIGNER_USAGES: &[ObjectIdentifier] = &[KP_DOCUMENT_SIGNING];
/// The passport signer may be a service certificate as well.
const PASSPORT_USAGES: &[ObjectIdentifier] = &[KP_DOCUMENT_SIGNING, oid::KP_SERVER_AUTH];

/// What a verifier trusts before it sees the file.
#[derive(Clone, Debug, Default)]
pub struct TrustAnchors {
    /// root certificates
    pub roots: Anchors,
    /// keys of the log, several where the key was changed
    pub logs: Vec<LogKey>,
    /// keys of witnesses
    pub witnesses: Vec<WitnessKey>,
    /// how many witnesses must have cosigned
    pub quorum: usize,
    /// the platform whose statements count; `None` for any below the roots
    pub platform: Option<OrganisationId>,
}

/// How a file is to be judged.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// what is asked of the device
    pub policy: JudgePolicy,
    /// the device that the file should be about
    pub device: Option<DeviceId>,
    /// a challenge of one's own, with the device's answer
    pub challenge: Option<(Challenge, Vec<u8>)>,
    /// the organisation in whose domain the device is presented
    pub presented_by: Option<OrganisationId>,
    /// revocation lists that the verifier has, beside those in the file
    pub crls: Vec<Crl>,
}

impl PassportFile {
    /// Judges the file offline: nothing in it is believed that the anchors do not vouch for.
    pub fn verify(
        &self,
        anchors: &TrustAnchors,
        options: &VerifyOptions,
        now: UnixTime,
    ) -> Verdict {
        judge(&self.facts(anchors, options, now), &options.policy, now)
    }

    /// The facts that the file proves, with findings where it does not.
    pub fn facts(
        &self,
        anchors: &TrustAnchors,
        options: &VerifyOptions,
        now: UnixTime,
    ) -> Passport {
        let crls: Vec<Crl> = self.crls.iter().chain(&options.crls).cloned().collect();
        let authorities: Vec<Certificate> =
            self.certificates.iter().filter(|certificate| certificate.is_ca()).cloned().collect();
        let sources = Sources { certificates: &authorities, crls: &crls, anchors: &anchors.roots };
        let mut signers = Signers::new(sources, &self.certificates);
        let claimed = self.statement.unverified();
        let mut passport =
            Passport::new(self.device(), History::Unusable, claimed.issued_at.min(now));
        passport.presented_by.clone_from(&options.presented_by);
        if let Some(device) = options.device
            && device != passport.device
        {
            let evidence = vec![Evidence::Device(passport.device), Evidence::Device(device)];
            passport.findings.push(Reason::new(Code::HistoryForeign, Layer::Device, evidence));
        }
        let tree = self.verified_tree(anchors, options, now, &mut passport);
        let statement = match statement(&self.statement, anchors, &mut signers) {
            Ok(statement) => statement,
            Err(why) => {
                let evidence = vec![Evidence::Key(self.statement.key_id()), Evidence::Detail(why)];
                let reason = Reason::new(Code::StatementUntrusted, Layer::Service, evidence);
                passport.findings.push(reason);
                return passport;
            }
        };
        self.tree_agrees(statement, &mut passport);
        let mut replay = Replay {
            file: self,
            statement,
            tree: tree.as_ref(),
            now,
            findings: Vec::new(),
            flawed: false,
            places: Vec::new(),
        };
        let history = replay.run(&mut signers);
        let Replay { findings, places, .. } = replay;
        passport.findings.extend(findings);
        passport.events = places;
        passport.history = history;
        passport.as_of = statement.issued_at;
        passport.fresh_until = Some(statement.expires);
        passport.parts.clone_from(&statement.parts);
        passport.hosts.clone_from(&statement.hosts);
        passport.newest_release.clone_from(&statement.newest_release);
        self.device_certificates(statement, &sources, now, &mut passport);
        passport.proof = self.possession(statement, options, now);
        passport
    }

    /// The tree that the trusted log and witnesses vouch for.
    fn verified_tree(
        &self,
        anchors: &TrustAnchors,
        options: &VerifyOptions,
        now: UnixTime,
        passport: &mut Passport,
    ) -> Option<TreeHead> {
        let mut add = |code, detail: Evidence| {
            passport.findings.push(Reason::new(code, Layer::Service, vec![detail]));
        };
        let log = match self.log_key(anchors) {
            Ok(log) => log,
            Err(error) => {
                add(Code::LogUnverified, Evidence::Detail(error.to_string()));
                return None;
            }
        };
        let verify = |quorum| self.checkpoint.verify(log, &anchors.witnesses, quorum);
        let checkpoint: Checkpoint = match verify(anchors.quorum) {
            Ok(checkpoint) => checkpoint.into_inner(),
            Err(LedgerError::Quorum { have, need }) => {
                let (found, expected) = (have as u64, need as u64);
                add(Code::WitnessesMissing, Evidence::Count { found, expected });
                verify(0).ok()?.into_inner()
            }
            Err(error) => {
                add(Code::LogUnverified, Evidence::Detail(error.to_string()));
                return None;
            }
        };
        if let Some(at) = checkpoint.witnessed_at(anchors.quorum)
            && now.since(at) > options.policy.evidence_age_seconds_max
        {
            add(Code::StaleEvidence, Evidence::Time { moment: Moment::CosignedAt, at });
        }
        let Checkpoint { origin, size, root, .. } = checkpoint;
        Some(TreeHead { origin, size, root })
    }

    /// The trusted key that signed the checkpoint.
    fn log_key<'a>(&self, anchors: &'a TrustAnchors) -> Result<&'a LogKey, LedgerError> {
        let mut why = LedgerError::NoLogSignature("any trusted log".into());
        for key in &anchors.logs {
            match self.checkpoint.verify(key, &[], 0) {
                Ok(_) => return Ok(key),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn tree_agrees(&self, statement: &Statement, passport: &mut Passport) {
        let (claimed, stated) = (self.checkpoint.claimed(), &statement.tree);
        if claimed != stated {
            let evidence = vec![
                Evidence::Count { found: claimed.size, expected: stated.size },
                Evidence::Digests { found: claimed.root, expected: stated.root },
                Evidence::Detail("the checkpoint is not the one of the statement".into()),
            ];
            passport.findings.push(Reason::new(
                Code::StatementContradicted,
                Layer::Service,
                evidence,
            ));
        }
    }

    fn device_certificates(
        &self,
        statement: &Statement,
        sources: &Sources<'_>,
        now: UnixTime,
        passport: &mut Passport,
    ) {
        let kind = statement.state.kind();
        for stated in &statement.certificates {
            let fact = self.certificate(stated.fingerprint).map(|certificate| {
                CertificateFact::examine(
                    certificate,
                    Some(stated.profile),
                    kind,
                    stated.revocation,
                    sources,
                    now,
                )
            });
            let problem = match fact {
                Some(Ok(fact)) => {
                    passport.certificates.push(fact);
                    continue;
                }
                Some(Err(error)) => error.to_string(),
                None => "a certificate that the statement names is not in the file".into(),
            };
            let evidence = vec![
                Evidence::Certificate { fingerprint: stated.fingerprint, serial: Vec::new() },
                Evidence::Detail(problem),
            ];
            passport.findings.push(Reason::new(Code::ChainBroken, Layer::Device, evidence));
        }
    }

    fn certificate(&self, fingerprint: crypto::Sha256) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| certificate.fingerprint() == fingerprint)
    }

    /// One's own challenge counts first; else the last proof that the platform accepted.
    fn possession(
        &self,
        statement: &Statement,
        options: &VerifyOptions,
        now: UnixTime,
    ) -> ProofFact {
        let refused = |cause, key| ProofFact::Refused { cause, key };
        if let Some((challenge, answer)) = &options.challenge {
            // One's own challenge may have been another device's: its answer says nothing here.
            if challenge.device != statement.state.device() {
                return refused(ProofRefusal::Unreadable, None);
            }
            let Ok(proof) = SignedProof::parse(answer) else {
                return refused(ProofRefusal::Unreadable, None);
            };
            let Some(key) = self.device_key(statement, &proof) else {
                return refused(ProofRefusal::WrongKey, Some(proof.key_id()));
            };
            let highest = statement.counters.iter().find(|(name, _)| *name == proof.key_id());
            return match proof.verify(key, challenge, now) {
                Err(error) => refused(ProofRefusal::from(&error), Some(proof.key_id())),
                Ok(verified) => ProofFact::Valid {
                    key: proof.key_id(),
                    counter: verified.counter,
                    highest: highest.map(|(_, counter)| *counter),
                    device_time: verified.device_time,
                    received_at: now,
                },
            };
        }
        let (Some(bytes), Some(stated)) = (&self.proof, &statement.proof) else {
            return ProofFact::NotAsked;
        };
        let Ok(proof) = SignedProof::parse(bytes) else {
            return refused(ProofRefusal::Unreadable, None);
        };
        if crypto::sha256(bytes) != stated.digest {
            return refused(ProofRefusal::Replayed, Some(proof.key_id()));
        }
        let Some(key) = self.device_key(statement, &proof) else {
            return refused(ProofRefusal::WrongKey, Some(proof.key_id()));
        };
        match proof.verify_signature(key) {
            Err(error) => refused(ProofRefusal::from(&error), Some(proof.key_id())),
            Ok(verified) if verified.device != statement.state.device() => {
                refused(ProofRefusal::Unreadable, Some(proof.key_id()))
            }
            // The platform compared the counter with those before when it accepted the proof.
            Ok(verified) => ProofFact::Valid {
                key: proof.key_id(),
                counter: verified.counter,
                highest: None,
                device_time: verified.device_time,
                received_at: stated.received_at,
            },
        }
    }

    /// The key of a proof among the device's own certificates.
    fn device_key(&self, statement: &Statement, proof: &SignedProof) -> Option<&crypto::PublicKey> {
        statement
            .certificates
            .iter()
            .filter_map(|stated| self.certificate(stated.fingerprint)?.public_key().ok())
            .find(|key| key.fingerprint() == proof.key_id())
    }
}

/// The statement, where a passport signer of a trusted platform signed it.
fn statement<'a>(
    signed: &'a SignedStatement,
    anchors: &TrustAnchors,
    signers: &mut Signers<'_>,
) -> Result<&'a Statement, String> {
    let claimed = signed.unverified();
    if let Some(platform) = &anchors.platform
        && *platform != claimed.platform
    {
        return Err(format!("made by {}, trusted is {platform}", claimed.platform));
    }
    let fits = |certificate: &Certificate| {
        certificate.common_name().as_deref() == Some(PASSPORT_SIGNER_COMMON_NAME)
            && certificate.organization().as_deref() == Some(claimed.platform.as_str())
    };
    let key = signers.find(signed.key_id(), claimed.issued_at, PASSPORT_USAGES, fits)?;
    signed.verify(key).map(|statement| statement.into_inner()).map_err(|error| error.to_string())
}
