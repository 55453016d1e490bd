//! Updates of three kinds through the real platform, and how much memory each takes. Run as a test it
//! uses small images and looks at what is installed; as a measurement (docs/performance.md) it uses large
//! ones with the optimised program, and holds the peak against the limit.
//!
//! ```sh
//! cargo build --release --locked -p agent
//! TEGATA_AGENT=$PWD/target/release/tegata-agent TEGATA_AGENT_MIB=256 \
//!     cargo test --workspace --all-features --test it memory -- --nocapture
//! ```

use crate::{
    campaign::Maker,
    platform::Platform,
    sealed::{make_delta, seal},
    sealed_campaign::told,
    world::{Machine, image},
};
use std::time::{Duration, Instant};

const MIB: usize = 1024 * 1024;
/// Length of images in a test, in MiB.
const SMALL: usize = 5;
/// What an agent may take, in KiB.
const PEAK_KIB_MAX: u64 = 30 * 1024;

/// One round; the peak of its resident memory in KiB, and how long it took.
fn round(machine: &Machine) -> (u64, Duration) {
    let begun = Instant::now();
    let mut child = machine.command(&["once"]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // The kernel's own high-water mark: looking seldom misses only the very end.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    (peak, begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_whole_sealed_and_by_delta_stay_within_memory() {
    let platform = Platform::new(86_400).await;
    let maker = Maker::new(&platform).await;
    let mut machine = told(&platform, &maker).await;
    let caller = &platform.maker.caller;
    let mib = std::env::var("TEGATA_AGENT_MIB").map_or(SMALL, |text| text.parse().unwrap());
    let first = image(1, mib * MIB);
    let mut second = first.clone();
    for at in (0..second.len()).step_by(3 * MIB) {
        second.splice(at..at + 5, *b"changed");
    }
    let third = image(3, mib * MIB);
    for (version, bytes, base, sealed) in [
        ("1.0", &first, None, false),
        ("2.0", &second, Some(&first), true),
        ("3.0", &third, None, true),
    ] {
        let release = maker.draft(version).await;
        let mut length = bytes.len();
        let mut files = vec![("fw.img", bytes.clone(), None)];
        if let Some(base) = base {
            let (delta, header) = make_delta(base, bytes);
            length = delta.len();
            files.push(("fw.delta", delta, Some(header)));
        }
        for (name, bytes, delta) in files {
            if !sealed {
                maker.add(&release, name, &bytes).await;
                continue;
            }
            let whole = seal(&bytes);
            maker.add(&release, name, &whole.bytes).await;
            if let Some(header) = delta {
                platform.service.state_delta(caller, &release, name, header).await.unwrap();
            }
            let given = platform.service.give_content_key(caller, &release, name, &whole.key);
            given.await.unwrap();
        }
        maker.publish(&release, version).await;
        maker.campaign(release).await;
        let (peak, took) = round(&machine);
        assert_eq!(&machine.start(), bytes, "{version}");
        let (after, _) = round(&machine);
        println!(
            "{version}: {length} bytes travel, sealed {sealed}, delta {}: peak {peak} KiB in {:.1} s; \
             confirming {after} KiB",
            base.is_some(),
            took.as_secs_f64()
        );
        machine.settle(&mut |_| panic!("no further start"));
        // A debug build of ours says little.
        if std::env::var_os("TEGATA_AGENT").is_some() {
            assert!(peak.max(after) <= PEAK_KIB_MAX, "{version}: {peak} KiB");
        }
    }
}
