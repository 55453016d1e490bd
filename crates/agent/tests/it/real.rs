//! The real program against the real platform.

use crate::{
    platform::{Platform, Thing},
    world::{Files, said},
};
use device::EventKind;
use std::time::Duration;

/// A device's folder with a configuration for the platform.
fn device(platform: &Platform, thing: &Thing, more: &str) -> Files {
    let files = Files::new();
    let at = files.path("").display().to_string();
    let at = at.trim_end_matches('/');
    files.write("roots.pem", platform.root.certificate().to_pem().as_bytes());
    files.secret("sealing.key", &[9; 32]);
    let text = format!(
        "server = \"{}\"\nroots = \"{at}/roots.pem\"\nstate = \"{at}/state\"\n\
         hardware_id = \"gate-bg1\"\n\
         [identity]\nserial_number = \"{}\"\ndevice = \"{}\"\nsealing_key = \"{at}/sealing.key\"\n\
         {}",
        platform.address,
        thing.serial_number,
        thing.id,
        more.replace("AT", at),
    );
    files.write("agent.toml", text.as_bytes());
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn enrols_with_a_code_of_its_owner() {
    let platform = Platform::new(86_400).await;
    let (thing, _) = platform.sold().await;
    let device = device(&platform, &thing, "");
    let code = device.path("code").display().to_string();
    device.write("code", b"AAAAA-AAAAA-AAAAA-AAAAA-AAAAA");
    device.refused(&["enrol", "--code-file", &code], "enrolment-refused");
    device.write("code", platform.code(&thing).await.as_bytes());
    let status = device.ok(&["enrol", "--code-file", &code]);
    assert!(said(&status["identity"]["subject"]).contains(&thing.serial_number), "{status}");
    let first = status["identity"]["serial"].clone();
    // The platform lets in what it issued: nothing is due.
    device.ok(&["once"]);
    assert_eq!(device.ok(&["status"])["identity"]["serial"], first);
    // Used up.
    device.refused(&["enrol", "--code-file", &code], "enrolment-refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn comes_back_by_its_makers_certificate() {
    // Certificates that end while one looks on.
    let platform = Platform::new(6).await;
    let (thing, idevid) = platform.sold().await;
    let device = device(&platform, &thing, "idevid = \"AT/idevid.pem\"\n");
    device.write("idevid.pem", idevid.as_bytes());
    device.refused(&["enrol"], "open-permissions");
    device.secret("idevid.pem", idevid.as_bytes());
    device.refused(&["once"], "enrolment-refused");
    let owner = platform.owner.id.clone();
    platform.report(&platform.owner, &thing.id, EventKind::Onboarded { owner }).await;
    let mut serials = Vec::new();
    device.ok(&["once"]);
    // Sealed: the file is not needed any more.
    std::fs::remove_file(device.path("idevid.pem")).unwrap();
    serials.push(said(&device.ok(&["status"])["identity"]["serial"]));
    for _ in 0..2 {
        // Past its end, through the grace period.
        std::thread::sleep(Duration::from_secs(8));
        device.ok(&["once"]);
        serials.push(said(&device.ok(&["status"])["identity"]["serial"]));
    }
    serials.dedup();
    assert_eq!(serials.len(), 3, "a new certificate each time");
}
