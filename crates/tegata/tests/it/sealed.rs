//! `tegata update seal` and its kin, from a device's identity to the opened image; and deltas.

use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime};
use pki::{
    Certificate, HardwareModuleName, IssuerInfo, Locations, Profile, Request, Serial, Subject,
    prepare,
};
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kf"), [7; 32]).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tegata"))
            .args(["--json", "update"])
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env("TEGATA_KEY_FILE", "kf")
            .output()
            .unwrap()
    }

    fn ok(&self, line: &str) -> serde_json::Value {
        let output = self.run(line);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{complained}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, line: &str, why: &str) {
        let output = self.run(line);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}\n{complained}");
        assert!(complained.contains(why), "{line}\n{complained}\nlacks {why:?}");
    }

    /// A root and credentials below it, as files.
    fn world(&self, root: &str, leaves: &[(&str, Profile)]) {
        let now =
            UnixTime(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap());
        let (from, to) = (now.plus(-3600), now.plus(86_400));
        let key = || SoftwareKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let serial = || Serial::from_random(crypto::random::bytes());
        let root_key = key();
        let name = Subject::named(format!("{root} root"));
        let issuer = IssuerInfo::self_signed(&name, root_key.public_key(), from, to).unwrap();
        let request = Request::new(serial(), name, root_key.public_key().clone(), (from, to));
        let root_certificate: Certificate =
            prepare(Profile::Root, &issuer, &request).unwrap().sign(&root_key).unwrap();
        fs::write(self.path(&format!("{root}.pem")), root_certificate.to_pem()).unwrap();
        let issuer = IssuerInfo::from_certificate(&root_certificate, Locations::default()).unwrap();
        for (leaf, profile) in leaves {
            let key = key();
            let subject = Subject { serial_number: (*leaf).into(), ..Subject::named(*leaf) };
            let mut request = Request::new(serial(), subject, key.public_key().clone(), (from, to));
            if *profile == Profile::Ldevid {
                request.hardware_module = Some(HardwareModuleName {
                    hw_type: pki::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.7"),
                    hw_serial_num: leaf.as_bytes().to_vec(),
                });
            }
            let certificate =
                prepare(*profile, &issuer, &request).unwrap().sign(&root_key).unwrap();
            let text = certificate.to_pem() + &key.to_pem().unwrap();
            fs::write(self.path(&format!("{leaf}.pem")), text).unwrap();
        }
    }
}

#[test]
fn an_image_opens_for_those_with_a_ticket_alone() {
    let desk = Desk::new();
    desk.world("ours", &[("gate-7", Profile::Ldevid), ("signer", Profile::OrganisationSigner)]);
    desk.world("theirs", &[("thief", Profile::Ldevid)]);
    let image: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(desk.path("image"), &image).unwrap();

    for device in ["gate-7", "thief"] {
        desk.ok(&format!("encryption-key --identity {device}.pem --out keys/{device}"));
    }
    desk.ok("encryption-key --identity signer.pem --group north --curve x25519 --out keys/north");
    desk.refused("encryption-key --identity signer.pem --out keys/x", "give --group");
    desk.refused(
        "encryption-key --identity gate-7.pem --group x --out keys/x",
        "organisation-signer",
    );
    desk.ok("seal image --out image.sealed --content-key keys/image");
    let sealed = fs::read(desk.path("image.sealed")).unwrap();
    assert!(!sealed.windows(64).any(|window| window == &image[..64]), "it can be read");
    desk.refused("seal image --out other --content-key keys/image", "never overwrite");
    assert!(!desk.path("other").exists());

    let ticket = |recipient: &str, certificate: &str, anchor: &str| {
        format!(
            "ticket image.sealed --content-key keys/image --recipient keys/{recipient}.statement \
             --certificate {certificate}.pem --anchor {anchor}.pem --out {recipient}.ticket"
        )
    };
    let unseal = |ticket: &str, key: &str| {
        format!("unseal image.sealed --ticket {ticket}.ticket --key keys/{key}.sealed --out opened")
    };
    let made = desk.ok(&ticket("gate-7", "gate-7", "ours"));
    assert!(made["recipient"].as_str().unwrap().contains("gate-7"), "{made}");
    let made = desk.ok(&ticket("north", "signer", "ours"));
    assert!(made["recipient"].as_str().unwrap().contains("group north"), "{made}");
    for who in ["gate-7", "north"] {
        desk.ok(&unseal(who, who));
        assert_eq!(fs::read(desk.path("opened")).unwrap(), image);
        fs::remove_file(desk.path("opened")).unwrap();
    }

    // A stranger's key, and our device's certificate under a stranger's statement.
    desk.refused(&ticket("thief", "thief", "ours"), "not known");
    desk.refused(&ticket("thief", "gate-7", "ours"), "another key");
    desk.ok(&ticket("thief", "thief", "theirs"));
    desk.refused(&unseal("gate-7", "thief"), "another device or group");

    // Altered, cut, and a ticket of another image.
    let ok = fs::read(desk.path("gate-7.ticket")).unwrap();
    for (name, bytes) in [
        ("altered", [&sealed[..5000], &[sealed[5000] ^ 1], &sealed[5001..]].concat()),
        ("cut", sealed[..sealed.len() - 70_000].to_vec()),
        ("grown", [&sealed[..], b"x"].concat()),
    ] {
        fs::write(desk.path("image.sealed"), bytes).unwrap();
        let output = desk.run(&unseal("gate-7", "gate-7"));
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(!desk.path("opened").exists(), "{name}: something was left behind");
    }
    desk.ok("seal image --out image.sealed --content-key keys/again");
    assert_eq!(fs::read(desk.path("gate-7.ticket")).unwrap(), ok);
    desk.refused(&unseal("gate-7", "gate-7"), "another image");
}

#[test]
fn a_delta_makes_its_image_from_its_base_alone() {
    let desk = Desk::new();
    let base: Vec<u8> =
        (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut next = base.clone();
    next[1000..1013].copy_from_slice(b"version 2.4.1");
    fs::write(desk.path("base"), &base).unwrap();
    fs::write(desk.path("next"), &next).unwrap();
    let made = desk.ok("delta base next --out delta");
    assert!(made["length"].as_u64().unwrap() < 5_000, "{made}");
    desk.ok("patch base delta --out patched");
    assert_eq!(fs::read(desk.path("patched")).unwrap(), next);
    desk.refused("patch next delta --out other", "another image than the one");
    assert!(!desk.path("other").exists());
    let delta = fs::read(desk.path("delta")).unwrap();
    fs::write(desk.path("delta"), &delta[..delta.len() - 3]).unwrap();
    desk.refused("patch base delta --out other", "");
    assert!(!desk.path("other").exists());
}
