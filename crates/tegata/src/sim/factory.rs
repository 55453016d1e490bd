//! The factory: registers devices, begins their histories, and gets their certificates over EST, as a
//! station does.

use super::store::{Store, Thing};
use crate::{clock, output, remote::Remote};
use anyhow::{Context as _, bail, ensure};
use api::{
    client::{Call, Est},
    wire::{Device, ITEMS_MAX, NewDevice, NewDevices, Outcomes, Recorded, WhoAmI},
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{
    Build, DeviceId, DeviceKind, Event, EventKind, OrganisationId, ProductId, SignedEvent,
};
use std::{sync::Arc, time::Duration};

/// Certificates asked for at once.
const AT_ONCE: usize = 32;
/// How often a request is made again where there are too many.
const AGAIN: u32 = 30;

/// Who enrols.
pub struct Factory {
    /// REST, as the operator
    pub remote: Remote,
    /// the operator's organisation
    pub organisation: OrganisationId,
    /// what signs the first event of a device
    pub key: Option<SoftwareKey>,
}

impl Factory {
    /// The operator's organisation, asked of the platform.
    pub async fn new(remote: Remote, key: Option<SoftwareKey>) -> anyhow::Result<Self> {
        let who: WhoAmI = remote.get("/v1/whoami").await?;
        let organisation = who.organisation.context(
            "the credential belongs to no organisation; give that of a member of the maker",
        )?;
        Ok(Self { remote, organisation: organisation.0, key })
    }

    /// Enrols devices of a product line until the folder has `count` of them; how many were new.
    pub async fn fill(
        &self,
        store: &mut Store,
        product: &str,
        count: usize,
    ) -> anyhow::Result<usize> {
        let product = ProductId::new(product)?;
        let there = store.line(product.as_str())?.places().len();
        let lacking = count.saturating_sub(there);
        if lacking == 0 {
            return Ok(0);
        }
        let key = self.key.as_ref().with_context(|| {
            format!(
                "{lacking} devices of {product} are to be enrolled; give --key FILE, a signing key of \
                 {} (tegata org add-signer)",
                self.organisation
            )
        })?;
        let est = Est::new(self.remote.client().clone(), Some(product.as_str()));
        store.add_issuers(est.ca_certificates().await?)?;
        // Nothing that was begun and given up stands in the way.
        let batch = hex::encode(crypto::random::bytes::<3>());
        let bar = output::progress(u64::try_from(lacking)?, "devices enrolled", false);
        let mut done = 0;
        while done < lacking {
            let some = (lacking - done).min(usize::try_from(ITEMS_MAX)?);
            let serials: Vec<String> = (done..done + some)
                .map(|number| format!("SIM-{}-{batch}-{number:06}", store.prefix))
                .collect();
            let registered = self.register(&product, &serials).await?;
            let made = self.assemble(&product, key, registered, serials).await?;
            for piece in crate::bench::pieces(made, 250) {
                let things = certify(&est, piece, &bar).await?;
                let first = things.first().context("no device")?;
                let leaf = pki::Certificate::from_der(&first.certificate)?;
                ensure!(store.issuer(&leaf).is_some(), "EST names no CA above the certificates");
                store.line(product.as_str())?.add(&things)?;
            }
            done += some;
            if bar.is_hidden() && lacking > some {
                eprintln!("{done} of {lacking} devices of {product} enrolled");
            }
        }
        bar.finish_and_clear();
        Ok(lacking)
    }

    async fn register(
        &self,
        product: &ProductId,
        serials: &[String],
    ) -> anyhow::Result<Vec<(DeviceId, DeviceKind)>> {
        let devices = serials
            .iter()
            .map(|serial| NewDevice { serial_number: serial.clone(), id: None })
            .collect();
        let body = NewDevices { product: product.as_str().parse()?, devices };
        let all: Outcomes<Device> = self.remote.post("/v1/devices", &body).await?;
        ensure!(all.items.len() == serials.len(), "the server did not answer for every device");
        let mut out = Vec::with_capacity(serials.len());
        for outcome in all.items {
            let device =
                crate::remote::only(vec![outcome]).context("a device is not registered")?;
            out.push((device.id.0, device.kind.0));
        }
        Ok(out)
    }

    /// Makes each device's key and begins its history with it.
    async fn assemble(
        &self,
        product: &ProductId,
        signer: &SoftwareKey,
        devices: Vec<(DeviceId, DeviceKind)>,
        serials: Vec<String>,
    ) -> anyhow::Result<Vec<(DeviceId, String, SoftwareKey)>> {
        let (mut made, mut events) = (Vec::new(), Vec::new());
        for ((id, kind), serial) in devices.into_iter().zip(serials) {
            let key = SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?;
            let event = Event {
                device: id,
                sequence: 0,
                previous: None,
                kind: EventKind::Assembled {
                    kind,
                    build: Build::MassProduction,
                    product: product.clone(),
                    root_of_trust: None,
                    key: Some(key.public_key().fingerprint()),
                    parts: Vec::new(),
                },
                at: clock::now(),
                reporter: self.organisation.clone(),
                actor: Some("simulator".to_owned()),
                place: None,
                evidence: Vec::new(),
                on_behalf: None,
                reason: None,
            };
            events.extend_from_slice(SignedEvent::sign(signer, &event)?.as_bytes());
            made.push((id, serial, key));
        }
        let call = Call::post("/v1/events/batch", "application/cbor-seq", events);
        let all: Outcomes<Recorded> = self.remote.client().send(call).await?.json()?;
        ensure!(all.items.len() == made.len(), "the server did not answer for every history");
        for outcome in all.items {
            crate::remote::only(vec![outcome]).context("a history does not begin")?;
        }
        Ok(made)
    }
}

/// Gets the certificates of devices, many at once; in the devices' order.
async fn certify(
    est: &Est,
    devices: Vec<(DeviceId, String, SoftwareKey)>,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Vec<Thing>> {
    let (est, bar) = (Arc::new(est.clone()), bar.clone());
    let numbered: Vec<_> = devices.into_iter().enumerate().collect();
    let (mut things, _) = crate::bench::drive(numbered, AT_ONCE, move |(number, device)| {
        let (est, bar) = (est.clone(), bar.clone());
        async move {
            let (id, serial, key) = device;
            let csr = crate::csr::for_device(&serial, None, &key)?;
            let mut tries = 0;
            let certificate = loop {
                match est.enrol(&csr, None).await {
                    Ok(certificate) => break certificate.der().to_vec(),
                    Err(error) if too_many(&error) && tries < AGAIN => {
                        tries += 1;
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                    Err(error) => {
                        return Err(anyhow::Error::from(error).context(format!(
                            "no certificate for {serial}; the credential must be a factory \
                             station's of the maker (role station)"
                        )));
                    }
                }
            };
            bar.inc(1);
            Ok((number, Thing { id, serial, key, certificate }))
        }
    })
    .await?;
    things.sort_unstable_by_key(|(number, _)| *number);
    Ok(things.into_iter().map(|(_, thing)| thing).collect())
}

fn too_many(error: &api::ClientError) -> bool {
    matches!(error.status(), Some(202 | 429 | 503))
}

/// Reads a signing key.
pub fn read_key(path: &std::path::Path) -> anyhow::Result<SoftwareKey> {
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the signing key {}", path.display()))?;
    match SoftwareKey::from_pem(&pem) {
        Ok(key) => Ok(key),
        Err(error) => bail!("{} is no signing key: {error}", path.display()),
    }
}
