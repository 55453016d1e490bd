//! Devices that their maker keeps: each on record, with a history that has begun and a certificate.

use super::{
    super::{load, world::World},
    client::Thing,
};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use device::{DeviceKind, ProductId, RootOfTrust};
use pki::{CsrBuilder, Subject};
use service::{EnrolRequest, NewDevice, NewProduct};

/// Enrolments under way at once.
const AT_ONCE: usize = 64;

/// Makes so many of them.
pub async fn make(
    world: &World,
    count: usize,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<Vec<Thing>> {
    let (service, maker) = (world.service(), world.maker());
    let product = ProductId::new("gate-a")?;
    let new = NewProduct {
        organisation: maker.organisation.clone(),
        id: product.clone(),
        name: "Gate A".to_owned(),
        model: "G1".to_owned(),
        kind: DeviceKind::Device,
        root_of_trust: RootOfTrust::SecureElement,
        support_end: None,
        ldevid_validity_s: None,
    };
    service.create_product(&maker.caller, new).await?;
    world.issuing_ca(&product).await?;
    let mut things = Vec::with_capacity(count);
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in load::pieces(numbers, super::super::world::BATCH) {
        let serial = |number: usize| format!("G-{number}");
        let new = numbers
            .iter()
            .map(|number| NewDevice { id: None, serial_number: serial(*number) })
            .collect();
        let organisation = &maker.organisation;
        let views = service.register_devices(&maker.caller, organisation, &product, new).await?;
        let (mut made, mut events) = (Vec::new(), Vec::new());
        for (view, number) in views.into_iter().zip(numbers) {
            let (id, key) = (view?.id, SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?);
            events.push(maker.assembled(id, &product, key.public_key().fingerprint())?);
            made.push((id, number, key));
        }
        for outcome in service.record_events(&maker.caller, events).await? {
            outcome?;
        }
        let (service, caller) = (service.clone(), maker.caller.clone());
        let (root, label) = (world.root().clone(), product.clone());
        let (enrolled, _) = load::drive(made, AT_ONCE, move |(id, number, key)| {
            let (service, caller) = (service.clone(), caller.clone());
            let (root, label) = (root.clone(), label.clone());
            async move {
                let subject = Subject { serial_number: serial(number), ..Subject::named("gate") };
                let csr = CsrBuilder { subject, ..CsrBuilder::default() }.build(&key)?;
                let request = EnrolRequest { label: Some(label), csr };
                let enrolled = service.enrol_device(&caller, &request, None).await?;
                let own = std::iter::once(enrolled.certificate).chain(enrolled.chain);
                let chain: Vec<_> = own.filter(|it| !it.is_self_issued()).collect();
                Thing::new(id, number, key, &chain, &root)
            }
        })
        .await?;
        bar.inc(u64::try_from(enrolled.len())?);
        things.extend(enrolled);
    }
    bar.finish_and_clear();
    things.sort_by_key(|thing| thing.number);
    Ok(things)
}
