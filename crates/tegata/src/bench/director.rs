//! Directors: metadata that are signed for each device when it asks, and answers from memory.

use super::{Bench, figure::Figure, issue, load, machine, world::World};
use crypto::{KeyAlgorithm, Signer as _, SoftwareKey};
use policy::{Caller, DeviceCredential};
use std::sync::Arc;
use update::{
    Key, Signed, Signers,
    director::{RootKeys, draft_root},
    repository::sign_as,
};

const BENCH: &str = "update";
const TARGET: f64 = 3_000.0;
/// Devices that ask.
const DEVICES: usize = 4_000;
/// Questions under way at once.
const AT_ONCE: usize = 64;

/// Devices that ask for the first time, each for a version of its own: one durable write and three
/// signatures. Then those that ask again, and hear the same from memory.
pub(super) async fn run(bench: &Bench, world: &World) -> anyhow::Result<()> {
    begin(world).await?;
    let count = bench.count(DEVICES);
    let chips = world.make_chips(count, &bench.progress(count, "making devices")).await?;
    let bar = bench.progress(count, "certifying devices");
    let (certified, _) = issue::certify(world, chips, &bar).await?;
    let mut callers = Vec::new();
    for one in &certified {
        let leaf = one.chain.first().ok_or_else(|| anyhow::anyhow!("no certificate"))?;
        callers.push(Caller::Device {
            device: one.chip.device,
            organisation: world.maker().organisation.clone(),
            credential: DeviceCredential::Idevid,
            certificate: leaf.fingerprint(),
        });
    }
    let callers = Arc::new(callers);
    // Nothing is kept of a device yet: all that is said to it is signed.
    show(bench, "signed director answers", &ask(world, &callers).await?)?;
    show(bench, "director answers from memory", &ask(world, &callers).await?)
}

/// The maker's director with a root.
async fn begin(world: &World) -> anyhow::Result<()> {
    let (service, maker) = (world.service(), world.maker());
    let view = service.begin_director(&maker.caller, &maker.organisation).await?;
    let offline = SoftwareKey::generate(KeyAlgorithm::Ed25519)?;
    let key = |role: &str| -> anyhow::Result<Key> {
        let key = view.keys.iter().find(|key| key.role == role);
        let key = key.ok_or_else(|| anyhow::anyhow!("no key for {role}"))?;
        Ok(Key::from_file(key.public.as_bytes())?)
    };
    let keys = RootKeys {
        root: Some(Signers { keys: vec![Key::from_public(offline.public_key())?], threshold: 1 }),
        targets: key("targets")?,
        snapshot: key("snapshot")?,
        timestamp: key("timestamp")?,
    };
    let mut root = Signed::draft(draft_root(None, &keys, service.now().plus(365 * 86_400))?);
    let authority = root.own_authority();
    sign_as(&mut root, &authority, &offline)?;
    service.push_director_root(&maker.caller, &maker.organisation, root.to_bytes()?).await?;
    Ok(())
}

/// What came of questions.
struct Answered {
    count: usize,
    elapsed_s: f64,
    cpu_s: f64,
}

async fn ask(world: &World, callers: &Arc<Vec<Caller>>) -> anyhow::Result<Answered> {
    let work: Vec<usize> = (0..callers.len()).collect();
    let (service, callers) = (world.service().clone(), Arc::clone(callers));
    let of = world.maker().organisation.clone();
    let cpu_s = machine::cpu_seconds(std::process::id())?;
    let (answers, elapsed) = load::drive(work, AT_ONCE, move |n| {
        let (service, callers, of) = (service.clone(), Arc::clone(&callers), of.clone());
        async move {
            let caller = callers.get(n).ok_or_else(|| anyhow::anyhow!("no such device"))?;
            let mut bytes = 0;
            for name in ["timestamp.json", "1.snapshot.json", "1.targets.json"] {
                bytes += service.director_metadata(caller, &of, name).await?.len();
            }
            anyhow::ensure!(bytes > 900, "an answer of {bytes} bytes");
            Ok(bytes)
        }
    })
    .await?;
    let cpu_s = machine::cpu_seconds(std::process::id())? - cpu_s;
    Ok(Answered { count: answers.len(), elapsed_s: elapsed.as_secs_f64(), cpu_s })
}

fn show(bench: &Bench, what: &str, answered: &Answered) -> anyhow::Result<()> {
    let count = machine::count_f64(answered.count as u64);
    let per_core = count / answered.cpu_s.max(0.01);
    let of_cpu = format!("{what}, three files each, per CPU second, by the use case");
    bench.show(&Figure::new(BENCH, of_cpu, per_core, "1/s", TARGET, "target"))?;
    let all = count / answered.elapsed_s.max(0.01);
    let what = format!("{what}, three files each, all cores by the clock");
    bench.show(&Figure::new(BENCH, what, all, "1/s", TARGET, "target of one core"))
}
