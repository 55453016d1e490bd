//! Simulated hardware: chips and devices with their own keys, which never leave them.

use crate::{
    commands::credential_pem,
    demo::{
        people::{Line, Organisation, Who, client},
        world::World,
    },
    remote::{Remote, only},
};
use anyhow::Context as _;
use api::{
    Identity,
    client::{Call, Est, EstConnection},
    wire::{Head, Outcomes, Recorded, SignedEvents, scalar::Base64},
};
use crypto::{KeyAlgorithm, Secret, Sha256, Signer, SoftwareKey, UnixTime};
use device::{DeviceId, Event, EventKind, Proof, SignedEvent, SignedProof};
use enrolment::est::BasicCredential;
use ledger::Commitment;
use pki::{Certificate, CsrBuilder, Subject};
use std::sync::Arc;

/// Where a history continues; unknown where somebody else may have added to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tip(Option<(u64, Option<Commitment>)>);

impl Tip {
    /// Before the first event.
    pub(super) const BEGIN: Self = Self(Some((0, None)));

    /// After an event that was recorded.
    pub(super) fn after(recorded: &Recorded) -> Self {
        Self(Some((recorded.sequence + 1, Some(Commitment(recorded.commitment.0)))))
    }
}

/// A chip with its root of trust.
#[derive(Clone)]
pub(super) struct Chip {
    pub(super) id: DeviceId,
    pub(super) serial_number: String,
    pub(super) key: Arc<SoftwareKey>,
    /// its certificate with the CAs above it
    pub(super) chain: Vec<Certificate>,
    pub(super) tip: Tip,
}

impl Chip {
    /// What it shows of itself.
    pub(super) fn identity(&self) -> Identity {
        Identity { chain: self.chain.clone(), key: self.key.clone() }
    }
}

/// A device.
#[derive(Clone)]
pub(super) struct Thing {
    pub(super) id: DeviceId,
    pub(super) line: Line,
    pub(super) serial_number: String,
    pub(super) chip: Chip,
    /// its own key, made with it
    pub(super) key: Arc<SoftwareKey>,
    pub(super) idevid: Option<Identity>,
    pub(super) ldevid: Option<Identity>,
    /// its key, to be kept in a file for a look
    ldevid_key: Option<Arc<SoftwareKey>>,
    pub(super) owner: Who,
    /// counter of its proofs of possession
    pub(super) counter: u64,
    pub(super) tip: Tip,
}

impl Thing {
    /// What it shows of itself first of all: the owner's certificate, else the maker's.
    pub(super) fn identity(&self) -> anyhow::Result<&Identity> {
        self.ldevid.as_ref().or(self.idevid.as_ref()).context("the device has no certificate yet")
    }

    /// The certificate of [`Self::identity`].
    pub(super) fn certificate(&self) -> anyhow::Result<&Certificate> {
        leaf(self.identity()?)
    }

    /// A device fresh from the line.
    pub(super) fn new(
        line: Line,
        serial_number: String,
        chip: Chip,
        algorithm: KeyAlgorithm,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            id: DeviceId::from_bytes(crypto::random::bytes()),
            line,
            serial_number,
            chip,
            key: Arc::new(SoftwareKey::generate(algorithm)?),
            idevid: None,
            ldevid: None,
            ldevid_key: None,
            owner: line.maker(),
            counter: 0,
            tip: Tip::BEGIN,
        })
    }

    /// The owner's certificate and its key, as `tegata device verify --prove-with` reads them.
    pub(super) fn credential(&self) -> anyhow::Result<Secret> {
        let key = self.ldevid_key.as_ref().context("no LDevID yet")?;
        credential_pem(&self.identity()?.chain, key)
    }

    /// Answers a challenge.
    pub(super) fn prove(&mut self, nonce: [u8; 32]) -> anyhow::Result<Vec<u8>> {
        self.counter += 1;
        let key = Arc::clone(&self.identity()?.key);
        answer(key.as_ref(), self.id, nonce, self.counter, crate::clock::now())
    }

    /// The events of a life, reported by `reporter`, in order.
    pub(super) async fn live(
        &mut self,
        world: &World,
        reporter: Who,
        kind: EventKind,
    ) -> anyhow::Result<()> {
        let reporter = world.of(reporter)?;
        self.tip = report(reporter, self.id, self.tip, kind).await?;
        Ok(())
    }

    /// The first certificate of its maker, authenticated by the chip's.
    pub(super) async fn enrol_with_chip(&mut self, world: &World) -> anyhow::Result<()> {
        let identity = self.chip.identity();
        let mut est = connect(world, Some(&identity), None).await?;
        let csr = request(&self.serial_number, est.challenge_password(), self.key.as_ref())?;
        let leaf = est.enrol(&csr, None).await.context("enrolment with the chip certificate")?;
        self.idevid = Some(Identity { chain: world.chain(leaf)?, key: self.key.clone() });
        self.tip = Tip::default();
        Ok(())
    }

    /// The first certificate of its owner, authenticated by the maker's.
    pub(super) async fn enrol_with_idevid(&mut self, world: &World) -> anyhow::Result<()> {
        let idevid = self.idevid.as_ref().context("no IDevID yet")?;
        let mut est = connect(world, Some(idevid), Some(self.line.slug())).await?;
        let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?);
        let csr = request(&self.serial_number, est.challenge_password(), key.as_ref())?;
        let leaf = est.enrol(&csr, None).await.context("enrolment with the IDevID")?;
        self.owned(world, leaf, key)
    }

    /// The first certificate of its owner, authenticated by a one-time code.
    pub(super) async fn enrol_with_code(
        &mut self,
        world: &World,
        code: &str,
    ) -> anyhow::Result<()> {
        let code = BasicCredential::new(&self.id.to_string(), code)?;
        let mut est = connect(world, None, None).await?;
        let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?);
        let csr = request(&self.serial_number, est.challenge_password(), key.as_ref())?;
        let leaf = est.enrol(&csr, Some(&code)).await.context("enrolment with a one-time code")?;
        self.owned(world, leaf, key)
    }

    /// A new certificate for the old, with a new key.
    pub(super) async fn renew(&mut self, world: &World) -> anyhow::Result<()> {
        let old = self.ldevid.clone().context("no LDevID yet")?;
        self.reenrol(world, &old).await
    }

    /// Comes back with the IDevID after the LDevID has ended.
    pub(super) async fn come_back(&mut self, world: &World) -> anyhow::Result<()> {
        let idevid = self.idevid.clone().context("no IDevID yet")?;
        self.reenrol(world, &idevid).await
    }

    async fn reenrol(&mut self, world: &World, shown: &Identity) -> anyhow::Result<()> {
        let old = leaf(self.ldevid.as_ref().context("no LDevID yet")?)?.clone();
        let mut est = connect(world, Some(shown), None).await?;
        let key = Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?);
        let csr = CsrBuilder {
            // RFC 7030 section 4.2.2: the names stay as they are.
            subject: Subject::from_name(&old.subject()),
            challenge_password: est.challenge_password(),
            ..CsrBuilder::default()
        }
        .build(key.as_ref())?;
        let leaf = est.reenrol(&csr).await.context("re-enrolment")?;
        self.owned(world, leaf, key)
    }

    fn owned(
        &mut self,
        world: &World,
        leaf: Certificate,
        key: Arc<SoftwareKey>,
    ) -> anyhow::Result<()> {
        self.ldevid_key = Some(key.clone());
        self.ldevid = Some(Identity { chain: world.chain(leaf)?, key });
        self.tip = Tip::default();
        Ok(())
    }
}

/// The first certificate of a chain.
pub(super) fn leaf(identity: &Identity) -> anyhow::Result<&Certificate> {
    identity.chain.first().context("the chain is empty")
}

/// A certificate request in DER.
pub(super) fn request(
    serial_number: &str,
    challenge_password: Option<String>,
    key: &SoftwareKey,
) -> anyhow::Result<Vec<u8>> {
    crate::csr::for_device(serial_number, challenge_password, key)
}

/// A proof of possession by any key.
pub(super) fn answer(
    key: &dyn Signer,
    device: DeviceId,
    nonce: [u8; 32],
    counter: u64,
    device_time: UnixTime,
) -> anyhow::Result<Vec<u8>> {
    let proof = Proof { device, nonce, counter, device_time: Some(device_time), firmware: None };
    Ok(SignedProof::sign(key, &proof)?.as_bytes().to_vec())
}

/// An EST connection of a device's own: its requests are bound to it.
pub(super) async fn connect(
    world: &World,
    identity: Option<&Identity>,
    label: Option<&str>,
) -> anyhow::Result<EstConnection> {
    let client = client(&world.site, identity)?;
    Ok(Est::new(client, label).connect().await?)
}

/// SHA-256 of a key's SubjectPublicKeyInfo.
pub(super) fn fingerprint(key: &SoftwareKey) -> Sha256 {
    key.public_key().fingerprint()
}

/// Signs an event that continues a history.
pub(super) fn sign(
    reporter: &Organisation,
    device: DeviceId,
    (sequence, previous): (u64, Option<Commitment>),
    kind: EventKind,
) -> anyhow::Result<Vec<u8>> {
    let event = Event {
        device,
        sequence,
        previous,
        kind,
        at: crate::clock::now(),
        reporter: reporter.id.clone(),
        actor: Some("tegata demo".to_owned()),
        place: Some("JP-13".to_owned()),
        evidence: Vec::new(),
        on_behalf: None,
        reason: None,
    };
    Ok(SignedEvent::sign(&reporter.signer, &event)?.as_bytes().to_vec())
}

/// Where the history of a device goes on, asked where it is not known.
pub(super) async fn tip(
    desk: &Remote,
    device: DeviceId,
    tip: Tip,
) -> anyhow::Result<(u64, Option<Commitment>)> {
    match tip.0 {
        Some(known) => Ok(known),
        None => {
            let head: Head = desk.get(&format!("/v1/devices/{device}/head")).await?;
            Ok((head.next_sequence, head.previous.map(|digest| Commitment(digest.0))))
        }
    }
}

/// Reports one event; returns where the history goes on.
pub(super) async fn report(
    reporter: &Organisation,
    device: DeviceId,
    at: Tip,
    kind: EventKind,
) -> anyhow::Result<Tip> {
    let what = kind.kind();
    let place = tip(&reporter.desk, device, at).await?;
    let cose = sign(reporter, device, place, kind)?;
    let call = Call::post("/v1/events", "application/cose", cose);
    let recorded: Recorded = reporter
        .desk
        .client()
        .send(call)
        .await?
        .json()
        .with_context(|| format!("{what} of {device}, reported by {}", reporter.id))?;
    Ok(Tip::after(&recorded))
}

/// Reports one event of each of many devices in as few calls as possible.
pub(super) async fn report_many(
    reporter: &Organisation,
    events: Vec<(DeviceId, Tip, EventKind)>,
) -> anyhow::Result<Vec<Tip>> {
    let mut tips = Vec::with_capacity(events.len());
    for some in events.chunks(BATCH) {
        let mut signed = Vec::with_capacity(some.len());
        for (device, at, kind) in some {
            let place = tip(&reporter.desk, *device, *at).await?;
            signed.push(Base64(sign(reporter, *device, place, kind.clone())?));
        }
        let outcomes: Outcomes<Recorded> =
            reporter.desk.post("/v1/events/batch", &SignedEvents { events: signed }).await?;
        for outcome in outcomes.items {
            tips.push(Tip::after(&only(vec![outcome])?));
        }
    }
    anyhow::ensure!(tips.len() == events.len(), "the server answered for other events");
    Ok(tips)
}

/// Things sent in one call.
pub(super) const BATCH: usize = 500;
