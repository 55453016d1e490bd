//! The process dies at every named point: nothing acknowledged is lost, nothing is half there, log
//! and store agree.

use crate::world::{Org, Thing, World, config, csr, open, product};
use device::DeviceKind;
use service::{Config, EnrolRequest, Enrolled, Service, ServiceError, fault};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

async fn enrol(service: &Service, maker: &Org, thing: &Thing) -> Result<Enrolled, ServiceError> {
    let request =
        EnrolRequest { label: Some(product("gate")), csr: csr(&thing.key, &thing.serial) };
    service.enrol_device(&maker.station, &request, None).await
}

fn count(dir: &Path, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(dir.join("tegata.db")).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// What must hold after any crash and the next opening.
async fn whole(service: &Service, dir: &Path) {
    service.integrate_now().await.unwrap();
    let check = service.check_log(&service.local_administrator()).await.unwrap();
    assert!(check.problems.is_empty(), "{:?}", check.problems);
    let chain = service.audit_verify(&service.local_administrator()).await.unwrap();
    assert_eq!(chain.broken, None);
    assert_eq!(count(dir, "SELECT count(*) FROM intent"), 0, "intents");
    // Each device certificate has its event, each such event its certificate.
    let half = "SELECT
        (SELECT count(*) FROM certificate WHERE device IS NOT NULL AND status IN (1, 2, 3))
      - (SELECT count(*) FROM event WHERE kind = 7)";
    assert_eq!(count(dir, half), 0, "half an issuance");
    let burned = "SELECT count(*) FROM certificate WHERE status = 4 AND NOT EXISTS
        (SELECT 1 FROM revocation WHERE revocation.ca = certificate.ca
            AND revocation.serial = certificate.serial)";
    assert_eq!(count(dir, burned), 0, "an abandoned serial number that is not revoked");
}

#[tokio::test]
async fn both_outcomes_at_every_point() {
    for point in fault::POINTS {
        let armed = Arc::new(AtomicBool::new(false));
        let trigger = armed.clone();
        let faults =
            fault::Faults::injected(move |name| name == point && trigger.load(Ordering::SeqCst));
        let world = World::with(Config { faults: Some(faults), ..config() }).await;
        let maker = world.maker("maker", "gate", DeviceKind::Device).await;
        let before = world.made(&maker, "gate", Vec::new()).await;
        let kept = enrol(&world.service, &maker, &before).await.unwrap();
        let thing = world.made(&maker, "gate", Vec::new()).await;
        world.service.integrate_now().await.unwrap();
        armed.store(true, Ordering::SeqCst);
        let outcome = enrol(&world.service, &maker, &thing).await;
        if let Ok(_later) = &outcome {
            // A fault of the integrator: the acknowledgement does not depend on it.
            let integrated = world.service.integrate_now().await;
            assert!(integrated.is_err() || point == fault::AFTER_CHECKPOINT, "{point}");
        }
        world.service.close();

        let service = open(world.path(), config(), &world.clock);
        whole(&service, world.path()).await;
        let good = async |enrolled: &Enrolled| {
            service.identify_certificate(&enrolled.certificate).await.unwrap();
        };
        good(&kept).await;
        let events = service.device(&maker.station, &thing.id).await.unwrap().events;
        match &outcome {
            Ok(enrolled) => {
                good(enrolled).await;
                assert_eq!(events, 2, "{point}");
            }
            // Not acknowledged: there or not, and the device can try again.
            Err(_) => {
                assert!([1, 2].contains(&events), "{point}");
                enrol(&service, &maker, &thing).await.unwrap();
            }
        }
        service.close();
    }
}

const DIRECTORY: &str = "TEGATA_TEST_DIRECTORY";

/// What the next test runs in a process of its own and kills; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn child() {
    let Ok(dir) = std::env::var(DIRECTORY) else { return };
    let world = Arc::new(World::at(Path::new(&dir), config()).await);
    let maker = Arc::new(world.maker("maker", "gate", DeviceKind::Device).await);
    // More rounds than any point needs: whoever is to die dies long before.
    for _ in 0..2000 {
        let mut tasks = Vec::new();
        for _ in 0..5 {
            let (world, maker) = (world.clone(), maker.clone());
            tasks.push(tokio::spawn(async move {
                let thing = world.made(&maker, "gate", Vec::new()).await;
                let mut out = std::io::stdout();
                writeln!(out, "made {}", thing.id).unwrap();
                let enrolled = enrol(&world.service, &maker, &thing).await.unwrap();
                let (leaf, serial) = (enrolled.recorded.leaf, enrolled.certificate.serial());
                writeln!(out, "enrolled {} {serial} {leaf}", thing.id).unwrap();
                out.flush().unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
}

#[tokio::test]
async fn killed_at_every_point() {
    // Setting up takes about 60 commits and 20 integrations, which are left alone.
    for (point, times) in [
        (fault::BEFORE_COMMIT, [90, 140]),
        (fault::AFTER_COMMIT, [90, 140]),
        (fault::BEFORE_SIGNATURE, [15, 60]),
        (fault::AFTER_SIGNATURE, [15, 60]),
        (fault::BEFORE_TILES, [8, 12]),
        (fault::BEFORE_CHECKPOINT, [8, 12]),
        (fault::AFTER_CHECKPOINT, [8, 12]),
    ] {
        for time in times {
            let dir = tempfile::tempdir().unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["crash::child", "--exact", "--nocapture", "--test-threads=1"])
                .env(DIRECTORY, dir.path())
                .env(fault::VARIABLE, format!("{point}:{time}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
                .lines()
                .map_while(Result::ok)
                .collect();
            let status = child.wait().unwrap();
            let signal = std::os::unix::process::ExitStatusExt::signal(&status);
            assert_eq!(signal, Some(9), "{point}:{time} was not reached");

            let clock = crate::world::TestClock::new();
            let service = open(dir.path(), config(), &clock);
            whole(&service, dir.path()).await;
            service.close();
            drop(service);
            for line in &lines {
                let words: Vec<&str> = line.split(' ').collect();
                match words.as_slice() {
                    ["made", device] => {
                        let sql = format!(
                            "SELECT count(*) FROM device WHERE device_id = x'{device}' AND sequence > 0"
                        );
                        assert_eq!(count(dir.path(), &sql), 1, "{point}:{time} lost {line}");
                    }
                    ["enrolled", device, serial, leaf] => {
                        let sql = format!(
                            "SELECT count(*) FROM certificate
                             JOIN device ON device.id = certificate.device
                             JOIN event ON event.device = device.id AND event.leaf = {leaf}
                             WHERE device_id = x'{device}' AND serial = x'{serial}' AND status = 1"
                        );
                        assert_eq!(count(dir.path(), &sql), 1, "{point}:{time} lost {line}");
                    }
                    _ => {}
                }
            }
        }
    }
}
