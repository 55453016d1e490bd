//! What every bench needs: an installation, a maker of chips with its CA, and chips.

use super::load;
use crate::{
    cli::UnlockArgs,
    clock,
    commands::{Unlocking, init},
};
use api::Identity;
use crypto::{KeyAlgorithm, Sha256, Signer as _, SoftwareKey, cose::Sign1, random, sha256_of};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, RootOfTrust,
    SignedEvent,
};
use ledger::Commitment;
use pki::Certificate;
use policy::{Caller, Role, Roles};
use service::{
    CaKind, Config, NewMember, NewOrganisation, NewProduct, NewSigner, SIGNER_PROOF_CONTENT_TYPE,
    Service,
    ceremony::{CaSpec, Root},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Events in one call: what a production line gathers in a moment.
pub const BATCH: usize = 256;
/// Calls under way at once.
pub const CALLS: usize = 8;

/// An installation with one maker.
pub struct World {
    dir: PathBuf,
    root: Root,
    service: Service,
    maker: Arc<Maker>,
}

/// A maker of chips.
pub struct Maker {
    /// its id
    pub organisation: OrganisationId,
    /// its product line
    pub product: ProductId,
    /// signs its life events
    signer: SoftwareKey,
    /// its station, as the service knows it
    pub caller: Caller,
    /// its station, as TLS knows it
    pub identity: Identity,
}

/// A chip at the factory.
pub struct Chip {
    /// the chip
    pub device: DeviceId,
    /// its key, which never leaves it
    pub key: Arc<SoftwareKey>,
}

/// A chip with its certificate.
pub struct Certified {
    /// the chip
    pub chip: Chip,
    /// its certificate, then the CA's
    pub chain: Vec<Certificate>,
}

impl World {
    /// Makes an installation below `dir` and opens it.
    pub async fn create(dir: &Path) -> anyhow::Result<Self> {
        let data = dir.join("data");
        std::fs::create_dir_all(&data)?;
        let unlocking = unlocking(&data, true)?;
        let passphrase = random::secret::<32>();
        let plan = init::Plan {
            name: "bench.tegata.local",
            root_dir: &dir.join("root"),
            root_unlock: crypto::sealed::Unlock::KeyFile(&passphrase),
            algorithm: KeyAlgorithm::EcdsaP256,
            witness_keys: &[],
        };
        let made = init::prepare(&data, &unlocking.unlock(), &plan).await?;
        let service = open(&data)?;
        let maker = Maker::join(&service, &made.root).await?;
        Ok(Self { dir: data, root: made.root, service, maker: Arc::new(maker) })
    }

    /// The service.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The maker.
    pub fn maker(&self) -> &Arc<Maker> {
        &self.maker
    }

    /// The root certificate.
    pub fn root(&self) -> &Certificate {
        self.root.certificate()
    }

    /// A CA of the maker's for one more product line.
    pub async fn issuing_ca(&self, product: &ProductId) -> anyhow::Result<()> {
        issuing_ca(&self.service, &self.root, &self.maker.organisation, product).await
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes the service, so that another process may open it.
    pub async fn close(&self) -> anyhow::Result<()> {
        let service = self.service.clone();
        Ok(tokio::task::spawn_blocking(move || service.close()).await?)
    }

    /// Opens it again, as a restart would.
    pub fn reopen(&mut self) -> anyhow::Result<()> {
        self.service = tokio::task::block_in_place(|| open(&self.dir))?;
        Ok(())
    }

    /// Chips with their keys: made, on record, not certified.
    pub async fn make_chips(
        &self,
        count: usize,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Vec<Chip>> {
        let made = load::prepare(count, bar, |_| {
            let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
            let chip = Chip { device: DeviceId::from_bytes(random::bytes()), key: Arc::new(key) };
            let event = self.maker.chip_made(chip.device, chip.key.public_key().fingerprint())?;
            Ok((chip, event))
        })?;
        let (chips, events): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        let (service, maker) = (self.service.clone(), self.maker.clone());
        load::drive(load::pieces(events, BATCH), CALLS, move |events| {
            let (service, maker) = (service.clone(), maker.clone());
            async move {
                for outcome in service.record_events(&maker.caller, events).await? {
                    outcome?;
                }
                Ok(())
            }
        })
        .await?;
        Ok(chips)
    }
}

impl Maker {
    async fn join(service: &Service, root: &Root) -> anyhow::Result<Self> {
        let local = service.local_administrator();
        let organisation = OrganisationId::new("maker")?;
        let product = ProductId::new("chip-a")?;
        let new = NewOrganisation {
            id: organisation.clone(),
            name: "Maker".to_owned(),
            roles: device::Roles::MAKER,
        };
        service.create_organisation(&local, new).await?;
        let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
        let member = NewMember {
            organisation: organisation.clone(),
            name: "station".to_owned(),
            roles: Roles::of(&[Role::Administrator, Role::Operator, Role::Station]),
            csr: crate::csr::for_name("station", &key)?,
        };
        let member = service.add_member(&local, member).await?;
        let caller = service.identify_certificate(&member.certificate).await?;
        let chain = std::iter::once(member.certificate).chain(member.chain).collect();
        let identity = Identity { chain, key: Arc::new(key) };
        let new = NewProduct {
            organisation: organisation.clone(),
            id: product.clone(),
            name: "Chip A".to_owned(),
            model: "A1".to_owned(),
            kind: DeviceKind::Chip,
            root_of_trust: RootOfTrust::SecureElement,
            support_end: None,
            ldevid_validity_s: None,
        };
        service.create_product(&caller, new).await?;
        issuing_ca(service, root, &organisation, &product).await?;
        let signer = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
        let new = NewSigner {
            organisation: organisation.clone(),
            spki: signer.public_key().spki().to_vec(),
            proof: Sign1::sign(
                &signer,
                SIGNER_PROOF_CONTENT_TYPE,
                organisation.as_str().as_bytes(),
                b"",
            )?,
        };
        service.register_signer(&local, new).await?;
        Ok(Self { organisation, product, signer, caller, identity })
    }

    /// The signed event that begins a chip's history.
    pub fn chip_made(&self, device: DeviceId, key: Sha256) -> anyhow::Result<Vec<u8>> {
        self.sign(
            device,
            0,
            None,
            EventKind::ChipMade {
                build: Build::MassProduction,
                product: Some(self.product.clone()),
                root_of_trust: RootOfTrust::SecureElement,
                key,
            },
        )
    }

    /// The signed event that begins a device's history.
    pub fn assembled(
        &self,
        device: DeviceId,
        product: &ProductId,
        key: Sha256,
    ) -> anyhow::Result<Vec<u8>> {
        let kind = EventKind::Assembled {
            kind: DeviceKind::Device,
            build: Build::MassProduction,
            product: product.clone(),
            root_of_trust: Some(RootOfTrust::SecureElement),
            key: Some(key),
            parts: Vec::new(),
        };
        self.sign(device, 0, None, kind)
    }

    /// A signed event in the middle of a device's life.
    pub fn tested(
        &self,
        device: DeviceId,
        sequence: u64,
        previous: Commitment,
    ) -> anyhow::Result<Vec<u8>> {
        let standard = Some("final test 7".to_owned());
        self.sign(device, sequence, Some(previous), EventKind::Tested { passed: true, standard })
    }

    fn sign(
        &self,
        device: DeviceId,
        sequence: u64,
        previous: Option<Commitment>,
        kind: EventKind,
    ) -> anyhow::Result<Vec<u8>> {
        let event = Event {
            device,
            sequence,
            previous,
            kind,
            at: clock::now(),
            reporter: self.organisation.clone(),
            actor: None,
            place: None,
            evidence: Vec::new(),
            on_behalf: None,
            reason: None,
        };
        Ok(SignedEvent::sign(&self.signer, &event)?.as_bytes().to_vec())
    }
}

/// A CA that certifies the devices of a product line.
async fn issuing_ca(
    service: &Service,
    root: &Root,
    organisation: &OrganisationId,
    product: &ProductId,
) -> anyhow::Result<()> {
    let local = service.local_administrator();
    let spec = CaSpec {
        organisation: organisation.clone(),
        product: Some(product.clone()),
        kind: CaKind::Device,
        name: format!("{product} CA"),
        algorithm: KeyAlgorithm::EcdsaP256,
        years: 0,
    };
    let request = service.request_ca(&local, spec).await?;
    let certificate = root.sign_ca(&request, pki::Locations::default(), clock::now())?;
    service.install_ca(&local, certificate).await?;
    Ok(())
}

/// The id of the `n`-th device of a fleet: as good as random, and not kept in memory.
pub fn fleet_id(n: usize) -> DeviceId {
    let digest = sha256_of(&[b"bench fleet", &n.to_be_bytes()]);
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    DeviceId::from_bytes(id)
}

/// How the keys of a bench's data directory open.
pub fn unlocking(dir: &Path, create: bool) -> anyhow::Result<Unlocking> {
    Unlocking::read(&UnlockArgs { passphrase_file: None, key_file: None }, dir, create)
}

fn open(dir: &Path) -> anyhow::Result<Service> {
    let unlocking = unlocking(dir, false)?;
    Ok(Service::open(dir, &unlocking.unlock(), Config::default(), Arc::new(clock::SystemClock))?)
}
