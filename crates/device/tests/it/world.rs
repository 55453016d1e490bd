//! A small world with a root, a CA, organisations, a log and a witness, from which passport files
//! are made.

use crate::support::{id, key, org, product};
use crypto::{Sha256, Signer, SoftwareKey, UnixTime, sha256};
use device::{
    Build, Cause, Challenge, Credential, CredentialProfile, DeviceId, DeviceKind, Event, EventKind,
    OrganisationId, Part, PartFact, PassportFile, Phase, Proof, Revocation, Roles, RootOfTrust,
    SignedEvent, SignedProof, StandingKind, State, Statement, TrustAnchors,
    file::{EventContents, EventEntry, StatedCertificate, StatedProof, state_digest},
    state::Context,
};
use ledger::{
    Commitment, Log, SignedCheckpoint,
    memory::{MemoryCheckpoints, MemoryLeaves, MemoryObjects},
    witness::{AddCheckpoint, Witness},
};
use pki::{
    AlternativeName, Certificate, HardwareModuleName, IssuerInfo, Locations, ObjectIdentifier,
    Profile, Request, Serial, Subject, prepare,
};
use std::sync::Arc;

pub(crate) const NOW: UnixTime = UnixTime(1_795_000_000);
/// Certificates of the world are valid from here.
pub(crate) const DAWN: UnixTime = UnixTime(NOW.0 - 30 * 86_400);
const DUSK: UnixTime = UnixTime(NOW.0 + 300 * 86_400);

pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    pub(crate) key: SoftwareKey,
}

impl Ca {
    /// A root and the issuing CA below it.
    pub(crate) fn new(seed: u8) -> (Certificate, Self) {
        let (root, ca) = (key(seed), key(seed + 1));
        let subject = Subject::named(format!("root {seed}"));
        let own = IssuerInfo::self_signed(&subject, root.public_key(), DAWN, UnixTime::NEVER);
        let life = (DAWN, UnixTime::NEVER);
        let request = Request::new(serial(1), subject, root.public_key().clone(), life);
        let root_certificate =
            prepare(Profile::Root, &own.unwrap(), &request).unwrap().sign(&root).unwrap();
        let issuer = IssuerInfo::from_certificate(&root_certificate, Locations::default()).unwrap();
        let subject = Subject::named(format!("ca {seed}"));
        let request = Request::new(serial(2), subject, ca.public_key().clone(), life);
        let certificate =
            prepare(Profile::IssuingCa, &issuer, &request).unwrap().sign(&root).unwrap();
        (root_certificate, Self { certificate, key: ca })
    }

    pub(crate) fn issuer(&self) -> IssuerInfo {
        let locations =
            Locations { crl: Some("http://pki.example/ca.crl".into()), ..Locations::default() };
        IssuerInfo::from_certificate(&self.certificate, locations).unwrap()
    }

    pub(crate) fn issue(
        &self,
        profile: Profile,
        key: &SoftwareKey,
        number: u8,
        (organisation, name): (&str, &str),
        life: (UnixTime, UnixTime),
    ) -> Certificate {
        let device = matches!(profile, Profile::Chip | Profile::Idevid | Profile::Ldevid);
        let subject = Subject {
            organisation: organisation.into(),
            common_name: name.into(),
            serial_number: if device { id(1).to_string() } else { String::new() },
            ..Subject::default()
        };
        let mut request = Request::new(serial(number), subject, key.public_key().clone(), life);
        if profile == Profile::Service {
            request.alternative_names = vec![AlternativeName::Dns("tegata.example".into())];
        }
        request.hardware_module = (profile == Profile::Idevid).then(|| HardwareModuleName {
            hw_type: ObjectIdentifier::new_unwrap("1.3.6.1.4.1.99999.1"),
            hw_serial_num: id(1).as_bytes().to_vec(),
        });
        prepare(profile, &self.issuer(), &request).unwrap().sign(&self.key).unwrap()
    }
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[0x10, number]).unwrap()
}

type MemoryLog = Log<Arc<MemoryLeaves>, MemoryObjects, MemoryCheckpoints>;

/// Everything the platform holds about one device, to be spoiled by the tests.
pub(crate) struct World {
    pub(crate) ca: Ca,
    pub(crate) anchors: TrustAnchors,
    pub(crate) signers: Vec<(OrganisationId, SoftwareKey, Certificate)>,
    pub(crate) passport_signer: (SoftwareKey, Certificate),
    pub(crate) device_key: SoftwareKey,
    pub(crate) idevid: Certificate,
    pub(crate) ldevid: Certificate,
    pub(crate) witness: Witness,
    pub(crate) leaves: Arc<MemoryLeaves>,
    pub(crate) log: MemoryLog,
    pub(crate) state: State,
    pub(crate) states: Vec<State>,
    pub(crate) events: Vec<(Vec<u8>, [u8; 32], u64)>,
    pub(crate) proof: SignedProof,
}

pub(crate) const REPORTERS: [(&str, Roles); 5] = [
    ("barrier", Roles::MAKER),
    ("hakobu", Roles::NONE),
    ("mamoru", Roles::NONE),
    ("kankyo", Roles::RECYCLER),
    ("tegata", Roles::PLATFORM),
];

pub(crate) fn challenge() -> Challenge {
    Challenge { device: id(1), nonce: [3; 32], expires: NOW.plus(60) }
}

pub(crate) fn log(origin: &str, seed: u8) -> (Arc<MemoryLeaves>, MemoryLog) {
    let leaves = Arc::new(MemoryLeaves::default());
    let log = Log::open(
        Arc::clone(&leaves),
        MemoryObjects::default(),
        MemoryCheckpoints::default(),
        origin,
        Arc::new(key(seed)),
    );
    (leaves, log.unwrap())
}

impl World {
    /// The device in operation at mamoru, made by barrier.
    pub(crate) fn new() -> Self {
        Self::of(id(1))
    }

    pub(crate) fn of(device: DeviceId) -> Self {
        let (root, ca) = Ca::new(0x10);
        let (leaves, log) = log("log.example/tegata", 0x20);
        let witness =
            Witness::new("witness.example", Arc::new(key(0x21)), vec![log.key().clone()]).unwrap();
        let life = (DAWN, DUSK);
        let signers: Vec<_> = REPORTERS
            .iter()
            .enumerate()
            .map(|(number, (name, _))| {
                let number = number as u8;
                let key = key(0x30 + number);
                let certificate = ca.issue(
                    Profile::OrganisationSigner,
                    &key,
                    0x30 + number,
                    (name, "event signer"),
                    life,
                );
                (org(name), key, certificate)
            })
            .collect();
        let signer = key(0x40);
        let name = ("tegata", device::file::PASSPORT_SIGNER_COMMON_NAME);
        let certificate = ca.issue(Profile::OrganisationSigner, &signer, 0x40, name, life);
        let device_key = key(0x50);
        let idevid = ca.issue(
            Profile::Idevid,
            &device_key,
            0x50,
            ("barrier", "gate"),
            (DAWN, UnixTime::NEVER),
        );
        let ldevid = ca.issue(Profile::Ldevid, &device_key, 0x51, ("mamoru", "gate"), life);
        let proof = Proof::answer(&Challenge { device, ..challenge() }, 7, Some(NOW), None);
        let proof = SignedProof::sign(&device_key, &proof).unwrap();
        let first = Event {
            device,
            sequence: 0,
            previous: None,
            kind: EventKind::Assembled {
                kind: DeviceKind::Device,
                build: Build::MassProduction,
                product: product("gate-7"),
                root_of_trust: Some(RootOfTrust::Tpm),
                key: Some(device_key.public_key().fingerprint()),
                parts: vec![Part { device: id(9), kind: DeviceKind::Chip }],
            },
            at: NOW.plus(-10_000),
            reporter: org("barrier"),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        let anchors = TrustAnchors {
            roots: [root].into_iter().collect(),
            logs: vec![log.key().clone()],
            witnesses: vec![witness.key().clone()],
            quorum: 1,
            platform: None,
        };
        let placeholder =
            State::start(&first, Commitment(Sha256::default()), &Context::new(NOW, Roles::MAKER))
                .unwrap();
        let mut world = Self {
            ca,
            anchors,
            signers,
            passport_signer: (signer, certificate),
            device_key,
            idevid,
            ldevid,
            witness,
            leaves,
            log,
            state: placeholder,
            states: Vec::new(),
            events: Vec::new(),
            proof,
        };
        world.leaves.append(&[ledger::commit(&[0xaa; 32], b"another device's event")]);
        let bytes = world.sign(&first);
        let commitment = world.store(&bytes);
        world.state = State::start(&first, commitment, &Context::new(NOW, Roles::MAKER)).unwrap();
        world.states.push(world.state.clone());
        let (idevid, ldevid) = (world.idevid.clone(), world.ldevid.clone());
        world
            .then("tegata", credential(&idevid, CredentialProfile::Idevid, "barrier"))
            .then("barrier", EventKind::TransferOffered { to: org("mamoru") })
            .then("mamoru", EventKind::TransferAccepted { from: org("barrier") })
            .then("barrier", EventKind::Shipped { to: org("mamoru") })
            .then("mamoru", EventKind::Received { from: org("barrier") })
            .then("mamoru", EventKind::Onboarded { owner: org("mamoru") })
            .then("tegata", credential(&ldevid, CredentialProfile::Ldevid, "mamoru"))
            .then("mamoru", EventKind::OperationStarted);
        world
    }

    fn key_of(&self, name: &OrganisationId) -> &SoftwareKey {
        &self.signers.iter().find(|(signer, ..)| signer == name).unwrap().1
    }

    pub(crate) fn sign(&self, event: &Event) -> Vec<u8> {
        SignedEvent::sign(self.key_of(&event.reporter), event).unwrap().as_bytes().to_vec()
    }

    fn store(&mut self, bytes: &[u8]) -> Commitment {
        let salt = sha256(bytes).0;
        let commitment = ledger::commit(&salt, bytes);
        self.leaves.append(&[commitment]);
        // Other devices' events stand in between.
        let index = 1 + 2 * self.events.len() as u64;
        self.leaves.append(&[ledger::commit(&salt, b"noise")]);
        self.events.push((bytes.to_vec(), salt, index));
        commitment
    }

    pub(crate) fn next(&self, reporter: &str, kind: EventKind) -> Event {
        Event {
            device: self.state.device(),
            sequence: self.state.events(),
            previous: Some(self.state.head()),
            kind,
            at: self.state.last_at().plus(60),
            reporter: org(reporter),
            actor: Some("worker".into()),
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        }
    }

    pub(crate) fn then(&mut self, reporter: &str, kind: EventKind) -> &mut Self {
        let event = self.next(reporter, kind);
        let bytes = self.sign(&event);
        let commitment = self.store(&bytes);
        let (_, roles) = REPORTERS.iter().find(|(name, _)| *name == reporter).unwrap();
        self.state = self.state.apply(&event, commitment, &Context::new(NOW, *roles)).unwrap();
        self.states.push(self.state.clone());
        self
    }

    /// Records an event that the state machine refuses, as a platform that lies would.
    pub(crate) fn force(&mut self, event: &Event) -> &mut Self {
        let bytes = self.sign(event);
        self.store(&bytes);
        self
    }

    /// The newest checkpoint with the witness's cosignature.
    pub(crate) fn checkpoint(&self) -> SignedCheckpoint {
        let signed = self.log.integrate(NOW).unwrap();
        cosigned(&self.witness, signed)
    }

    pub(crate) fn entries(&self) -> Vec<EventEntry> {
        let size = self.log.latest().claimed().size;
        self.events
            .iter()
            .map(|(bytes, salt, index)| EventEntry {
                index: *index,
                proof: self.log.inclusion_proof(*index, size).unwrap().hashes,
                contents: EventContents::Present { bytes: bytes.clone(), salt: *salt },
            })
            .collect()
    }

    pub(crate) fn statement(&self, checkpoint: &SignedCheckpoint) -> Statement {
        let stated = |certificate: &Certificate, profile| StatedCertificate {
            fingerprint: certificate.fingerprint(),
            profile,
            revocation: Revocation::Good { as_of: NOW },
        };
        Statement {
            newest_release: None,
            platform: org("tegata"),
            state: self.state.clone(),
            management_number: Some(device::ManagementNumber::from_random([5; 13])),
            roles: REPORTERS
                .iter()
                .filter(|(_, roles)| *roles != Roles::NONE)
                .map(|(name, roles)| (org(name), *roles))
                .collect(),
            certificates: vec![
                stated(&self.idevid, CredentialProfile::Idevid),
                stated(&self.ldevid, CredentialProfile::Ldevid),
            ],
            counters: vec![(self.device_key.public_key().fingerprint(), 7)],
            proof: Some(StatedProof { digest: sha256(self.proof.as_bytes()), received_at: NOW }),
            parts: vec![PartFact {
                part: Part { device: id(9), kind: DeviceKind::Chip },
                status: Some((Phase::Installed, StandingKind::Good)),
                elsewhere: Vec::new(),
            }],
            hosts: Vec::new(),
            erased: Vec::new(),
            revoked_signers: Vec::new(),
            tree: checkpoint.claimed().clone(),
            issued_at: NOW,
            expires: NOW.plus(7 * 86_400),
        }
    }

    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let mut all = vec![
            self.ca.certificate.clone(),
            self.idevid.clone(),
            self.ldevid.clone(),
            self.passport_signer.1.clone(),
        ];
        all.extend(self.signers.iter().map(|(.., certificate)| certificate.clone()));
        all
    }

    /// A file of parts that a test may have spoiled.
    pub(crate) fn assemble(
        &self,
        statement: &Statement,
        entries: Vec<EventEntry>,
        checkpoint: SignedCheckpoint,
        certificates: Vec<Certificate>,
    ) -> PassportFile {
        let statement = statement.sign(&self.passport_signer.0).unwrap();
        PassportFile::new(statement, entries, checkpoint, certificates, Some(&self.proof))
    }

    pub(crate) fn file(&self) -> PassportFile {
        let checkpoint = self.checkpoint();
        let statement = self.statement(&checkpoint);
        self.assemble(&statement, self.entries(), checkpoint, self.certificates())
    }

    /// Replaces events by their commitments, with the marker event recorded before.
    pub(crate) fn erase(
        &mut self,
        sequences: &[u64],
    ) -> (Vec<EventEntry>, Statement, SignedCheckpoint) {
        self.then("tegata", EventKind::Erased { sequences: sequences.to_vec() });
        let checkpoint = self.checkpoint();
        let mut entries = self.entries();
        let mut statement = self.statement(&checkpoint);
        for sequence in sequences {
            let at = usize::try_from(*sequence).unwrap();
            let last = !sequences.contains(&(sequence + 1));
            let state = &self.states[at];
            let commitment = entries[at].commitment();
            entries[at].contents =
                EventContents::Erased { commitment, state_after: last.then(|| state.encode()) };
            if last {
                statement.erased.push((*sequence, state_digest(state)));
            }
        }
        (entries, statement, checkpoint)
    }
}

pub(crate) fn cosigned(witness: &Witness, signed: SignedCheckpoint) -> SignedCheckpoint {
    let body = AddCheckpoint::first(signed).to_string();
    let accepted = witness.receive(body.as_bytes()).unwrap().decide(None, NOW).unwrap();
    let checkpoint = accepted.checkpoint().clone();
    checkpoint.with_cosignatures(&[accepted.persisted()]).unwrap()
}

pub(crate) fn credential(
    certificate: &Certificate,
    profile: CredentialProfile,
    organisation: &str,
) -> EventKind {
    EventKind::CredentialIssued(Credential {
        certificate: certificate.fingerprint(),
        key: certificate.public_key().unwrap().fingerprint(),
        profile,
        organisation: org(organisation),
        not_after: certificate.not_after(),
    })
}

pub(crate) fn revoked() -> EventKind {
    EventKind::Revoked { cause: Cause::Counterfeit }
}
