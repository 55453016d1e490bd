//! `tegata update` from keys to a device, with keys on machines of their own; and what it refuses.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("kf"), [7; 32]).unwrap();
        fs::write(dir.path().join("firmware"), b"firmware of a barrier gate").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command line; its words have no spaces.
    fn run(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tegata"))
            .arg("--json")
            .arg("update")
            .args(line.split(' '))
            .current_dir(self.dir.path())
            .env("TEGATA_KEY_FILE", "kf")
            .env_remove("TEGATA_UPDATE_DIR")
            .output()
            .unwrap()
    }

    fn ok(&self, line: &str) -> serde_json::Value {
        let output = self.run(line);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}\n{complained}");
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// Fails, and the last line of its complaint says so.
    fn refused(&self, line: &str, why: &str) {
        let output = self.run(line);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}\n{complained}");
        assert!(complained.contains(why), "{line}\n{complained}\nlacks {why:?}");
    }

    fn keys(&self) {
        for name in ["root-1", "root-2", "root-3", "targets", "online-s", "online-t", "stranger"] {
            self.ok(&format!("key new --out keys/{name}"));
        }
    }

    fn init(&self) {
        self.ok(
            "init --root-key keys/root-1.json --root-key keys/root-2.json --root-key keys/root-3.json \
             --targets-key keys/targets.json --snapshot-key keys/online-s.json \
             --timestamp-key keys/online-t.json"
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .as_str(),
        );
    }

    fn sign(&self, role: &str, key: &str) -> serde_json::Value {
        self.ok(&format!("sign updates/staged/{role}.json --key keys/{key}.sealed --yes"))
    }
}

const PUBLISH: &str =
    "publish --snapshot-key keys/online-s.sealed --timestamp-key keys/online-t.sealed";

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn from_keys_to_a_device() {
    let desk = Desk::new();
    desk.keys();
    let mode = fs::metadata(desk.path("keys/root-1.sealed")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    desk.refused("key new --out keys/root-1", "exists already");
    desk.init();
    desk.refused(
        "publish --snapshot-key keys/online-s.sealed --timestamp-key keys/online-t.sealed",
        "root must be signed",
    );

    // Collected on several machines: only the draft travels.
    let signed = desk.sign("root", "root-1");
    assert_eq!(signed["complete"], false);
    desk.refused("sign updates/staged/root.json --key keys/stranger.sealed --yes", "may not sign");
    desk.refused("sign updates/staged/root.json --key keys/root-2.sealed", "nobody is here");
    fs::copy(desk.path("updates/staged/root.json"), desk.path("travelling.json")).unwrap();
    let signed = desk.ok("sign travelling.json --key keys/root-3.sealed --yes --expect-version 1");
    assert_eq!(
        (&signed["complete"], &signed["signatures"][0]["signatures"]),
        (&true.into(), &2.into())
    );
    fs::copy(desk.path("travelling.json"), desk.path("updates/staged/root.json")).unwrap();

    desk.ok("add-target firmware --path gate/fw.img --hardware-id gate-bg1 --security-version 3");
    desk.sign("targets", "targets");
    // A change after the signature takes it away.
    desk.ok("add-target firmware --path gate/fw.img --hardware-id gate-bg1 --security-version 4");
    desk.refused(PUBLISH, "targets must be signed");
    desk.sign("targets", "targets");
    let published = desk.ok(PUBLISH);
    assert_eq!(published["versions"]["timestamp"], 1);
    assert_eq!(names(&desk.path("updates/staged")), [""; 0]);
    assert_eq!(
        names(&desk.path("updates/metadata")),
        ["1.root.json", "1.snapshot.json", "1.targets.json", "timestamp.json"]
    );
    assert_eq!(desk.ok("check")["ends_soon"], serde_json::json!([]));

    let verify = "verify gate/fw.img --root updates/metadata/1.root.json --dir updates";
    let found = desk.ok(&format!("{verify} --out got --state state"));
    assert_eq!(found["security_version"], 4);
    assert_eq!(fs::read(desk.path("got")).unwrap(), b"firmware of a barrier gate");
    let late = desk.run(&format!("{verify} --at 2199-01-01T00:00:00Z"));
    assert_eq!(late.status.code(), Some(3));
    let said: serde_json::Value = serde_json::from_slice(&late.stdout).unwrap();
    assert_eq!((&said["outcome"], &said["code"]), (&"refused".into(), &"expired".into()));
}

#[test]
fn surprises_are_not_signed_and_not_published() {
    let desk = Desk::new();
    desk.keys();
    desk.init();
    let sign = "sign updates/staged/targets.json --key keys/targets.sealed --yes";
    desk.refused(&format!("{sign} --expect-version 2"), "not 2");
    desk.refused(&format!("{sign} --role kairo"), "not of kairo");
    desk.ok("renew targets --days 3650");
    desk.refused(sign, "longer than 366 days");
    desk.ok(&format!("{sign} --long"));
    let other = sign.replace("targets.sealed", "nothing.sealed");
    desk.refused(&format!("{other} --long"), "cannot read");
    fs::write(desk.path("kf"), [8; 32]).unwrap();
    desk.refused(&format!("{sign} --long"), "cannot open");
    fs::write(desk.path("kf"), [7; 32]).unwrap();
    desk.refused("renew timestamp", "signed online");
    let up = desk.run("add-target firmware --path ../fw.img");
    assert_eq!(up.status.code(), Some(2), "no path leads out of the folder");
    desk.refused("add-target firmware --path gate/fw.img --role kairo", "delegate to it first");
    desk.refused("remove-target gate/none", "has no target");
    desk.refused("delegate root --key keys/stranger.json --paths gate/*", "must be of a-z");
    desk.refused("rotate --add targets=keys/stranger.json", "nothing is published yet");
    desk.refused("check --dir elsewhere", "tegata update init");
    desk.sign("root", "root-1");
    desk.sign("root", "root-2");
    desk.ok(PUBLISH);
    desk.refused("rotate", "say what changes");
    desk.refused(
        "rotate --stolen --remove targets=keys/targets.json --add targets=keys/stranger.json",
        "rotate snapshot as well",
    );
    // A file that devices would be sent is gone: found by a check, not by devices.
    desk.ok("add-target firmware --path gate/fw.img");
    desk.sign("targets", "targets");
    desk.ok(PUBLISH);
    for name in names(&desk.path("updates/targets/gate")) {
        fs::remove_file(desk.path("updates/targets/gate").join(name)).unwrap();
    }
    desk.refused("check", "add it again");
    // Whoever writes into the folder publishes nothing.
    let path = desk.path("updates/metadata/timestamp.json");
    let forged = fs::read_to_string(&path).unwrap().replace("\"version\":2}}", "\"version\":9}}");
    fs::write(&path, forged).unwrap();
    desk.refused("check", "is damaged");
}
