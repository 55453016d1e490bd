//! What this machine can do, and what a process used of it.

use crypto::{KeyAlgorithm, PublicKey, Signer as _, SoftwareKey};
use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How many threads the benches load: one per core.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// The clock of the benches.
#[expect(clippy::disallowed_methods, reason = "benches measure time")]
pub fn clock() -> Instant {
    Instant::now()
}

/// What all cores together can do.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// how often per second
    pub per_second: f64,
    /// CPU time of one, in microseconds
    pub cpu_us: f64,
}

/// How often per second all cores together can do `work`, over about a second.
pub fn rate_on_all_cores<W: FnMut() + Send>(make: impl Fn() -> W) -> anyhow::Result<Limit> {
    let cpu_s = cpu_seconds(std::process::id())?;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let start = clock();
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            let (stop, done, mut work) = (stop.clone(), done.clone(), make());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    work();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(1000));
        stop.store(true, Ordering::Relaxed);
    });
    let done = done.load(Ordering::Relaxed);
    let per_second = per_second(done, start.elapsed());
    let cpu_s = cpu_seconds(std::process::id())? - cpu_s;
    Ok(Limit { per_second, cpu_us: 1e6 * cpu_s / count_f64(done.max(1)) })
}

/// A count as a rate.
pub fn per_second(count: u64, elapsed: Duration) -> f64 {
    count_f64(count) / elapsed.as_secs_f64().max(f64::EPSILON)
}

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "counts of a bench stay far below 2^52")]
pub fn count_f64(count: u64) -> f64 {
    count as f64
}

/// The crypto limit of issuance: one CSR check, of a key that was not seen before, and one signature
/// per certificate, all cores.
pub fn csr_check_and_sign(algorithm: KeyAlgorithm) -> anyhow::Result<Limit> {
    let key = Arc::new(SoftwareKey::generate(algorithm)?);
    let scheme = key.public_key().default_scheme();
    let request = vec![7_u8; 300];
    let signature = key.sign(scheme, &request)?;
    rate_on_all_cores(|| {
        let (key, request, signature) = (key.clone(), request.clone(), signature.clone());
        move || {
            let good = PublicKey::from_spki(key.public_key().spki())
                .is_ok_and(|key| key.verify(scheme, &request, &signature).is_ok());
            let signed = key.sign(scheme, &request).is_ok();
            std::hint::black_box(good && signed);
        }
    })
}

/// The crypto limit of events: one signature check per event, all cores.
pub fn verify(algorithm: KeyAlgorithm) -> anyhow::Result<Limit> {
    let key = Arc::new(SoftwareKey::generate(algorithm)?);
    let scheme = key.public_key().default_scheme();
    let event = vec![7_u8; 300];
    let signature = key.sign(scheme, &event)?;
    rate_on_all_cores(|| {
        let (key, event, signature) = (key.clone(), event.clone(), signature.clone());
        move || {
            std::hint::black_box(key.public_key().verify(scheme, &event, &signature).is_ok());
        }
    })
}

/// How many fdatasync of 4 KiB a second the disk under `dir` does.
pub fn fdatasync_rate(dir: &Path) -> anyhow::Result<f64> {
    let path = dir.join("fsync.bench");
    let mut file = File::create(&path)?;
    let (start, mut count) = (clock(), 0);
    while start.elapsed() < Duration::from_millis(500) {
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        count += 1;
    }
    let rate = per_second(count, start.elapsed());
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// CPU time that a process has used, user and system (proc_pid_stat(5), fields 14 and 15).
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) =
        stat.rsplit_once(") ").ok_or_else(|| anyhow::anyhow!("cannot read /proc/{pid}/stat"))?;
    let ticks: u32 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u32>().unwrap_or_default())
        .sum();
    // USER_HZ is 100 on every Linux architecture that Rust supports.
    Ok(f64::from(ticks) / 100.0)
}

/// Bytes that a process has written to files and sockets (proc_pid_io(5), wchar).
pub fn written_bytes(pid: u32) -> anyhow::Result<u64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    io.lines()
        .find_map(|line| line.strip_prefix("wchar:"))
        .and_then(|rest| rest.trim().parse().ok())
        .ok_or_else(|| anyhow::anyhow!("cannot read /proc/{pid}/io"))
}

/// Resident memory of a process in MiB (proc_pid_status(5), VmRSS).
pub fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .ok_or_else(|| anyhow::anyhow!("cannot read VmRSS"))?;
    Ok(f64::from(kib) / 1024.0)
}
