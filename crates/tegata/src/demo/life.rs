//! The life of a fleet, step by step, as everybody in it plays it through the doors.

use crate::{
    demo::{
        crowd::each,
        people::{Line, Who},
        plan::{Admission, Fate, Plan},
        thing::{BATCH, Chip, Thing, Tip, fingerprint, report, report_many, sign},
        world::World,
    },
    remote::only,
};
use anyhow::Context as _;
use api::wire::{
    ChipBatch, CodesWanted, Device, Enrolled, NewChip, NewDevice, NewDevices, Outcomes, Purchase,
    PurchaseList, ReleasedCode,
    scalar::{Base64, CsrPem, DeviceRef, OrganisationRef, ProductRef},
};
use crypto::{KeyAlgorithm, SoftwareKey};
use device::{Build, Cause, DeviceId, DeviceKind, EventKind, OrganisationId, Part};
use indicatif::ProgressBar;
use std::{collections::HashMap, sync::Arc};

/// A device with its life.
#[derive(Clone)]
pub(super) struct Life {
    pub(super) plan: Plan,
    pub(super) thing: Thing,
    /// the one-time code that was released for it
    pub(super) code: Option<String>,
    /// for its repair
    pub(super) spare: Option<Chip>,
    /// the certificate that a former owner gave it
    pub(super) former: Option<api::Identity>,
}

impl Life {
    /// The owner's organisation.
    pub(super) fn owner<'w>(
        &self,
        world: &'w World,
    ) -> anyhow::Result<&'w crate::demo::people::Organisation> {
        world.of(self.thing.owner)
    }
}

/// Chips with certificates from the line, delivered to the device maker.
pub(super) async fn make_chips(
    world: &Arc<World>,
    count: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Chip>> {
    let kaede = world.of(Who::Kaede)?;
    let yamato = world.of(Who::Yamato)?;
    let numbers: Vec<usize> = (0..count).collect();
    let mut chips = Vec::with_capacity(count);
    for numbers in numbers.chunks(BATCH) {
        let mut some = Vec::with_capacity(numbers.len());
        for number in numbers {
            some.push(Chip {
                id: DeviceId::from_bytes(crypto::random::bytes()),
                serial_number: format!("SE1-{number:06}"),
                key: Arc::new(SoftwareKey::generate(KeyAlgorithm::EcdsaP256)?),
                chain: Vec::new(),
                tip: Tip::BEGIN,
            });
        }
        register(world, Line::Chip, some.iter().map(|chip| (chip.id, &chip.serial_number))).await?;
        certify(world, &mut some).await?;
        for (reporter, kind) in [
            (kaede, EventKind::Shipped { to: yamato.id.clone() }),
            (yamato, EventKind::Received { from: kaede.id.clone() }),
        ] {
            let events = some.iter().map(|chip| (chip.id, chip.tip, kind.clone())).collect();
            let tips = report_many(reporter, events).await?;
            for (chip, tip) in some.iter_mut().zip(tips) {
                chip.tip = tip;
            }
        }
        bar.inc(some.len() as u64);
        chips.extend(some);
    }
    Ok(chips)
}

/// The first event of each chip of a batch, and its certificate, from the line.
async fn certify(world: &World, chips: &mut [Chip]) -> anyhow::Result<()> {
    let kaede = world.of(Who::Kaede)?;
    let wanted = chips
        .iter()
        .map(|chip| {
            let made = EventKind::ChipMade {
                build: Build::MassProduction,
                product: Some(Line::Chip.id()?),
                root_of_trust: Line::Chip.root_of_trust(),
                key: fingerprint(&chip.key),
            };
            let csr = crate::csr::for_device(&chip.serial_number, None, &chip.key)?;
            Ok(NewChip {
                device: DeviceRef(chip.id),
                made: Some(Base64(sign(kaede, chip.id, (0, None), made)?)),
                csr: CsrPem(csr),
            })
        })
        .collect::<anyhow::Result<_>>()?;
    let batch = ChipBatch { chips: wanted };
    let answer: Outcomes<Enrolled> = kaede.desk.post("/v1/chips", &batch).await?;
    anyhow::ensure!(answer.items.len() == chips.len(), "not every chip was answered for");
    for (chip, outcome) in chips.iter_mut().zip(answer.items) {
        let enrolled = only(vec![outcome]).context("chip certificate")?;
        chip.chain = enrolled.chain.into_iter().map(|pem| pem.0).collect();
        chip.tip = Tip::after(&enrolled.recorded);
    }
    Ok(())
}

/// Enters devices of a line in the register.
pub(super) async fn register(
    world: &World,
    line: Line,
    devices: impl Iterator<Item = (DeviceId, &String)>,
) -> anyhow::Result<()> {
    let product = line.id()?;
    let new = devices
        .map(|(id, serial_number)| NewDevice {
            serial_number: serial_number.clone(),
            id: Some(DeviceRef(id)),
        })
        .collect::<Vec<_>>();
    for some in new.chunks(BATCH) {
        let body = NewDevices { product: ProductRef(product.clone()), devices: some.to_vec() };
        let answer: Outcomes<Device> =
            world.of(line.maker())?.desk.post("/v1/devices", &body).await?;
        for outcome in answer.items {
            only(vec![outcome]).with_context(|| format!("registration of a {}", line.slug()))?;
        }
    }
    Ok(())
}

/// Devices with a chip each, and with the certificate of their maker.
pub(super) async fn make_devices(
    world: &Arc<World>,
    plans: Vec<Plan>,
    mut chips: Vec<Chip>,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Life>> {
    let mut lives = Vec::with_capacity(plans.len());
    for (number, plan) in plans.into_iter().enumerate() {
        let chip = chips.pop().context("there are not enough chips")?;
        let spare = if plan.repaired { chips.pop() } else { None };
        let serial_number = format!("{}-{number:06}", plan.line.slug().to_uppercase());
        let thing = Thing::new(plan.line, serial_number, chip, algorithm(number))?;
        lives.push(Life { plan, thing, code: None, spare, former: None });
    }
    for line in Line::ALL {
        let of_line = lives.iter().filter(|life| life.thing.line == line);
        register(world, line, of_line.map(|life| (life.thing.id, &life.thing.serial_number)))
            .await?;
    }
    let world = Arc::clone(world);
    each(lives, bar, move |mut life: Life| {
        let world = Arc::clone(&world);
        async move {
            assemble(&world, &mut life).await.with_context(|| life.thing.serial_number.clone())?;
            Ok(life)
        }
    })
    .await
}

/// Makers choose their keys: a share of the fleet is post-quantum.
fn algorithm(number: usize) -> KeyAlgorithm {
    match number % 10 {
        4 => KeyAlgorithm::EcdsaP384,
        5 => KeyAlgorithm::MlDsa44,
        6 => KeyAlgorithm::Ed25519,
        8 => KeyAlgorithm::MlDsa65,
        _ => KeyAlgorithm::EcdsaP256,
    }
}

async fn assemble(world: &World, life: &mut Life) -> anyhow::Result<()> {
    let maker = world.of(life.thing.line.maker())?;
    let thing = &mut life.thing;
    let kind = EventKind::Assembled {
        kind: DeviceKind::Device,
        build: life.plan.build,
        product: thing.line.id()?,
        root_of_trust: Some(thing.line.root_of_trust()),
        key: Some(fingerprint(&thing.key)),
        parts: vec![Part { device: thing.chip.id, kind: DeviceKind::Chip }],
    };
    thing.tip = report(maker, thing.id, thing.tip, kind).await?;
    let kind = EventKind::InstalledInto { host: thing.id };
    thing.chip.tip = report(maker, thing.chip.id, thing.chip.tip, kind).await?;
    thing.enrol_with_chip(world).await?;
    let kind = EventKind::Tested { passed: true, standard: Some("JC-STAR ★2".to_owned()) };
    thing.live(world, Who::Yamato, kind).await
}

/// From the maker by way of the distributor to the one who bought it.
pub(super) async fn deliver(world: &World, life: &mut Life) -> anyhow::Result<()> {
    let id = |who: Who| anyhow::Ok(world.of(who)?.id.clone());
    let (yamato, tokai, owner) = (id(Who::Yamato)?, id(Who::Tokai)?, id(life.plan.owner)?);
    let buyer = life.plan.owner;
    let thing = &mut life.thing;
    for (reporter, kind) in [
        (Who::Yamato, EventKind::Shipped { to: tokai.clone() }),
        (Who::Tokai, EventKind::Received { from: yamato.clone() }),
        (Who::Tokai, EventKind::Shipped { to: owner.clone() }),
        (buyer, EventKind::Received { from: tokai }),
        (Who::Yamato, EventKind::TransferOffered { to: owner }),
        (buyer, EventKind::TransferAccepted { from: yamato }),
    ] {
        thing.live(world, reporter, kind).await?;
    }
    thing.owner = buyer;
    Ok(())
}

/// Purchase lists and one-time codes, as the plans say; returns the codes by device.
pub(super) async fn vouch(
    world: &World,
    lives: &[Life],
) -> anyhow::Result<HashMap<DeviceId, String>> {
    let mut codes = HashMap::new();
    for owner in [Who::Kawa, Who::Hoshi] {
        let of = |admission: Admission| {
            lives.iter().filter(move |life| {
                let plan = &life.plan;
                life.thing.owner == owner
                    && plan.admission == admission
                    && plan.fate != Fate::Shelved
            })
        };
        let desk = &world.of(owner)?.desk;
        let bought = of(Admission::PurchaseList)
            .map(|life| {
                Ok(Purchase {
                    maker: OrganisationRef(OrganisationId::new(life.thing.line.maker().slug())?),
                    product: ProductRef(life.thing.line.id()?),
                    serial_number: life.thing.serial_number.clone(),
                })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        for entries in bought.chunks(BATCH) {
            let list = PurchaseList { entries: entries.to_vec() };
            let answer: Outcomes<serde_json::Value> =
                desk.post("/v1/purchase-lists", &list).await?;
            for outcome in answer.items {
                if let Some(problem) = outcome.refused {
                    return Err(api::ClientError::Refused(Box::new(problem)).into());
                }
            }
        }
        let wanted: Vec<_> = of(Admission::Code).map(|life| DeviceRef(life.thing.id)).collect();
        for devices in wanted.chunks(BATCH) {
            let wanted = CodesWanted { devices: devices.to_vec(), lifetime_s: 3600 };
            let answer: Outcomes<ReleasedCode> = desk.post("/v1/enrolment-codes", &wanted).await?;
            for outcome in answer.items {
                let released = only(vec![outcome]).context("one-time code")?;
                codes.insert(released.device.0, released.code);
            }
        }
    }
    Ok(codes)
}

/// Into the owner's domain and to work.
pub(super) async fn commission(world: &World, life: &mut Life) -> anyhow::Result<()> {
    let owner = life.owner(world)?.id.clone();
    let (thing, who) = (&mut life.thing, life.plan.owner);
    let onboarded = EventKind::Onboarded { owner };
    match life.plan.admission {
        Admission::PurchaseList => {
            thing.enrol_with_idevid(world).await?;
            thing.live(world, who, onboarded).await?;
        }
        Admission::Code => {
            let code = life.code.as_ref().context("no code was released for it")?;
            thing.enrol_with_code(world, code).await?;
            thing.live(world, who, onboarded).await?;
        }
        Admission::Onboarded => {
            thing.live(world, who, onboarded).await?;
            thing.enrol_with_idevid(world).await?;
        }
    }
    thing.live(world, who, EventKind::OperationStarted).await
}

/// Everything that the plan has in store after work began.
pub(super) async fn age(world: &World, life: &mut Life) -> anyhow::Result<()> {
    if life.plan.renewed {
        life.thing.renew(world).await?;
    }
    if life.plan.repaired {
        repair(world, life).await?;
    }
    if life.plan.sold_again {
        sell(world, life).await?;
    }
    let owner = life.thing.owner;
    if matches!(life.plan.fate, Fate::Retired | Fate::Disposed) {
        let kind = EventKind::Retired { cause: Cause::EndOfLife };
        life.thing.live(world, owner, kind).await?;
    }
    if life.plan.fate == Fate::Disposed {
        let from = world.of(owner)?.id.clone();
        let to = world.of(Who::Midori)?.id.clone();
        let thing = &mut life.thing;
        thing.live(world, owner, EventKind::Shipped { to }).await?;
        thing.live(world, Who::Midori, EventKind::Received { from }).await?;
        thing.live(world, Who::Midori, EventKind::Disposed { erasure_proof: None }).await?;
    }
    Ok(())
}

/// The maker comes and exchanges the chip.
async fn repair(world: &World, life: &mut Life) -> anyhow::Result<()> {
    let mut new = life.spare.take().context("no spare chip")?;
    let maker = world.of(Who::Yamato)?;
    let (owner, thing) = (life.thing.owner, &mut life.thing);
    let kind = EventKind::RepairStarted {
        repairer: maker.id.clone(),
        fault: Some("secure element worn out".to_owned()),
    };
    thing.live(world, owner, kind).await?;
    let kind = EventKind::PartExchanged {
        old: thing.chip.id,
        new: Part { device: new.id, kind: DeviceKind::Chip },
    };
    thing.live(world, Who::Yamato, kind).await?;
    let out = EventKind::RemovedFrom { host: thing.id, holder: maker.id.clone() };
    thing.chip.tip = report(maker, thing.chip.id, thing.chip.tip, out).await?;
    new.tip = report(maker, new.id, new.tip, EventKind::InstalledInto { host: thing.id }).await?;
    thing.chip = new;
    thing.live(world, Who::Yamato, EventKind::RepairFinished).await
}

/// The owner sells it where it stands; the new owner takes it in.
async fn sell(world: &World, life: &mut Life) -> anyhow::Result<()> {
    let (old, new) = (life.thing.owner, life.plan.next_owner());
    let (from, to) = (world.of(old)?.id.clone(), world.of(new)?.id.clone());
    let thing = &mut life.thing;
    thing.live(world, old, EventKind::TransferOffered { to: to.clone() }).await?;
    thing.live(world, new, EventKind::TransferAccepted { from }).await?;
    thing.owner = new;
    life.former = thing.ldevid.take();
    thing.live(world, new, EventKind::Onboarded { owner: to }).await?;
    thing.enrol_with_idevid(world).await?;
    thing.live(world, new, EventKind::OperationStarted).await
}
