//! Updates from end to end, and each way in which they fail.

use crate::{
    site::{Site, custom},
    world::{Machine, image},
};
use update::Custom;

const MIB: usize = 1024 * 1024;

fn last(machine: &Machine) -> (String, String) {
    let last = machine.status()["update"]["last"].clone();
    let text = |name: &str| last[name].as_str().unwrap_or_default().to_owned();
    (text("execution"), text("code"))
}

/// A machine with a certificate that runs release 1, known and confirmed.
fn ready(site: &Site, hooks: &str, limits: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::with(site, &image(0, 1000), hooks, limits);
    machine.enrol();
    site.release(&image(1, 9 * MIB), &custom(1));
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(1, 9 * MIB));
    machine
}

#[test]
fn an_update_is_a_success_only_after_its_start() {
    let site = Site::new();
    let mut machine = Machine::new(&site, &image(0, 1000));
    machine.refused(&["once"], "not-enrolled");
    machine.enrol();
    machine.refused(&["once"], "unknown-target");
    site.release(&image(1, 9 * MIB), &custom(1));
    let said = machine.ok(&["once"]);
    assert_eq!(said["outcome"], "restarting");
    assert_eq!(said["update"]["phase"]["phase"], "booting");
    assert_eq!(said["update"]["last"], serde_json::Value::Null, "nothing is done yet");
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=a\ntrying=b\ntries=3\n");
    // Not started again: asked again, and nothing else.
    assert_eq!(machine.ok(&["once"])["outcome"], "restarting");
    assert_eq!(machine.image(), image(0, 1000));
    assert_eq!(machine.start(), image(1, 9 * MIB));
    let said = machine.ok(&["once"]);
    assert_eq!(said["update"]["last"]["execution"], "success");
    assert_eq!(said["update"]["release_counter"], 1);
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=b\n");
    // The next one goes into the other slot, and the same one is not fetched again.
    let before = site.behaviour().log.len();
    machine.ok(&["once"]);
    let fetched = site.behaviour().log[before..].iter().any(|line| line.contains("/targets/"));
    assert!(!fetched);
    site.release(&image(2, 1000), &custom(2));
    machine.settle(&mut |_| {});
    assert_eq!((machine.running().as_str(), machine.image()), ("a", image(2, 1000)));
    assert_eq!(machine.read("b.img"), image(1, 9 * MIB), "what was there before is kept");
}

#[test]
fn a_download_goes_on_where_it_stopped() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[]);
    let new = image(2, 9 * MIB);
    site.release(&new, &custom(2));
    site.behaviour().cut_after = Some(7 * MIB);
    machine.refused(&["once"], "connection");
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);
    let ranged = |site: &Site| -> Vec<String> {
        let behaviour = site.behaviour();
        let lines = behaviour.log.iter().filter(|line| line.contains("bytes="));
        lines.map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    let ranges = ranged(&site);
    assert_eq!(ranges.len(), 1, "{ranges:?}");
    let from: usize = ranges[0][6..ranges[0].len() - 1].parse().unwrap();
    assert!((4 * MIB..=7 * MIB).contains(&from), "{from}");

    // A server that knows no ranges sends it all, and it is taken from the beginning.
    let new = image(3, 9 * MIB);
    site.release(&new, &custom(3));
    site.behaviour().cut_after = Some(7 * MIB);
    site.behaviour().no_ranges = true;
    machine.refused(&["once"], "connection");
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);

    // What the medium lost of the first part shows at the end; then it comes anew, once.
    site.behaviour().no_ranges = false;
    let new = image(4, 9 * MIB);
    site.release(&new, &custom(4));
    site.behaviour().cut_after = Some(7 * MIB);
    machine.refused(&["once"], "connection");
    let slot = if machine.running() == "a" { "b.img" } else { "a.img" };
    let mut half = machine.read(slot);
    half[100] ^= 1;
    machine.write(slot, &half);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);
}

#[test]
fn other_bytes_than_signed_are_never_activated() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[]);
    let good = machine.read("boot");
    let new = image(2, 9 * MIB);
    site.release(&new, &custom(2));
    // Altered on the way at every attempt.
    for bytes in site.behaviour().targets.values_mut().filter(|bytes| **bytes == new) {
        bytes[5 * MIB] ^= 1;
    }
    machine.ok(&["once"]);
    assert_eq!(last(&machine), ("failure".into(), "wrong-software".into()));
    assert_eq!(machine.read("boot"), good);
    // A mirror that sends more than was signed for.
    for bytes in site.behaviour().targets.values_mut() {
        if bytes.len() == new.len() {
            bytes.push(0);
        }
    }
    machine.ok(&["once"]);
    assert_eq!(last(&machine), ("failure".into(), "endless-data".into()));
    // Whole again: the same release goes on.
    for bytes in site.behaviour().targets.values_mut() {
        if bytes.len() == new.len() + 1 {
            *bytes = new.clone();
        }
    }
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);
}

#[test]
fn what_is_not_for_this_device_is_refused_by_name() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[("security_version_min", "1")]);
    site.release(&image(5, 1000), &custom(5));
    machine.settle(&mut |_| {});
    let check = |custom: Custom, code: &str| {
        site.release(&image(6, 1000), &custom);
        let said = machine.ok(&["once"]);
        assert_eq!(said["outcome"], "rest");
        assert_eq!(last(&machine), ("rejected".into(), code.into()));
        assert_eq!(machine.image(), image(5, 1000));
    };
    check(Custom { hardware_ids: vec!["gate-bg2".into()], ..custom(6) }, "wrong-hardware");
    check(Custom { hardware_ids: Vec::new(), ..custom(6) }, "wrong-hardware");
    check(Custom { security_version: None, ..custom(6) }, "release-unmarked");
    check(Custom { release_counter: None, ..custom(6) }, "release-unmarked");
    check(Custom { security_version: Some(0), ..custom(6) }, "below-floor");
    check(Custom { security_version: Some(4), ..custom(6) }, "security-rollback");
    check(Custom { release_counter: Some(4), ..custom(6) }, "release-rollback");
    check(Custom { release_counter: Some(5), ..custom(6) }, "release-rollback");
    // Said once, not at every poll.
    let before = machine.status()["update"]["next_report"].clone();
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["next_report"], before);
}

#[test]
fn attacks_on_the_repository_are_told_apart() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[]);
    let old = site.behaviour().metadata.clone();
    site.release(&image(2, 1000), &custom(2));
    machine.settle(&mut |_| {});
    let new = site.behaviour().metadata.clone();
    site.behaviour().metadata = old;
    machine.refused(&["once"], "rollback");
    site.behaviour().metadata = new.clone();
    machine.ok(&["once"]);
    // Somebody else's repository.
    site.behaviour().metadata = Site::new().behaviour().metadata.clone();
    machine.refused(&["once"], "wrong-keys");
    site.behaviour().metadata = new;
    site.behaviour().metadata.insert("timestamp.json".into(), b"{".to_vec());
    machine.refused(&["once"], "malformed-metadata");
    site.behaviour().metadata.remove("timestamp.json");
    machine.refused(&["once"], "missing-metadata");
    site.behaviour().metadata.insert("timestamp.json".into(), vec![b' '; 20_000]);
    machine.refused(&["once"], "endless-data");
    // Another platform: its certificate leads nowhere.
    let other = Site::new();
    machine.configure(&other, "", &[]);
    machine.refused(&["once"], "tls");
}

#[test]
fn an_image_that_does_not_work_is_left() {
    let site = Site::new();
    let hooks = "health = [\"/bin/false\"]\n";
    let mut machine = Machine::with(&site, &image(0, 1000), hooks, &[("confirm_within_s", "1")]);
    machine.enrol();
    site.release(&image(1, 1000), &custom(1));
    let mut seen = Vec::new();
    machine.settle(&mut |image| seen.push(image.to_vec()));
    assert_eq!(seen, [image(1, 1000), image(0, 1000)]);
    assert_eq!(last(&machine), ("failure".into(), "unhealthy".into()));
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=a\n");
    // It is not tried again and again.
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["phase"]["phase"], "idle");
    // A release that mends it is.
    machine.configure(&site, "", &[]);
    site.release(&image(2, 1000), &custom(2));
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(2, 1000));
}

#[test]
fn an_image_that_does_not_come_up_is_left_by_the_boot_script() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[("boots_max", "2")]);
    site.release(&image(2, 1000), &custom(2));
    machine.ok(&["once"]);
    // It hangs before the agent starts; a watchdog starts the machine, again and again.
    assert_eq!(machine.start(), image(2, 1000));
    assert_eq!(machine.start(), image(2, 1000));
    assert_eq!(machine.start(), image(1, 9 * MIB));
    machine.settle(&mut |_| panic!("no further start"));
    assert_eq!(last(&machine), ("failure".into(), "boot-failed".into()));
    let running = machine.status()["update"]["last"]["running"]["release_counter"].clone();
    assert_eq!(running, 1);
}

#[test]
fn a_person_confirms_or_goes_back() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[("confirm_by_hand", "false")]);
    machine.configure(&site, "", &[("confirm_by_hand", "true")]);
    machine.refused(&["confirm"], "out-of-order");
    machine.refused(&["rollback"], "out-of-order");
    site.release(&image(2, 1000), &custom(2));
    machine.ok(&["once"]);
    machine.start();
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["phase"]["healthy"], true);
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=b\ntrying=a\ntries=2\n");
    machine.ok(&["confirm"]);
    machine.settle(&mut |_| {});
    assert_eq!((last(&machine).0.as_str(), machine.image()), ("success", image(2, 1000)));
    site.release(&image(3, 1000), &custom(3));
    machine.ok(&["once"]);
    machine.start();
    machine.ok(&["once"]);
    machine.ok(&["rollback"]);
    machine.settle(&mut |_| {});
    assert_eq!(last(&machine), ("failure".into(), "refused-by-hand".into()));
    assert_eq!(machine.image(), image(2, 1000));
}

#[test]
fn hooks_stand_at_their_steps() {
    let site = Site::new();
    let log = |name: &str, path: &str| {
        format!(
            "{name} = [\"/bin/sh\", \"-c\", \"echo {name} $TEGATA_SLOT $TEGATA_VERSION >>{path}\"]\n"
        )
    };
    let mut machine = Machine::new(&site, &image(0, 1000));
    let path = machine.path("log").display().to_string();
    let hooks = ["activate", "health", "confirm", "rollback"].map(|name| log(name, &path));
    machine.configure(&site, &hooks.concat(), &[]);
    machine.enrol();
    site.release(&image(1, 1000), &custom(1));
    machine.settle(&mut |_| {});
    let lines = String::from_utf8(machine.read("log")).unwrap();
    assert_eq!(lines, "activate b 1.0\nhealth b 1.0\nconfirm b 1.0\n");
    // A hook that says no to the activation ends the update where it began.
    let hooks = "activate = [\"/bin/false\"]\n";
    machine.configure(&site, hooks, &[]);
    site.release(&image(2, 1000), &custom(2));
    machine.settle(&mut |_| panic!("no start"));
    assert_eq!(last(&machine), ("failure".into(), "hook-failed".into()));
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=b\n");
}

#[test]
fn the_agent_stops_where_it_must() {
    let site = Site::new();
    let machine = Machine::new(&site, &image(0, 1000));
    machine.enrol();
    let said = machine.ok(&["self-test"]);
    let outcome = |said: &serde_json::Value| said["outcome"].as_str().unwrap().to_owned();
    assert_eq!(outcome(&said), "pass", "{said}");
    // Another program than at the first start.
    let record = machine.read("state/program-a");
    let other = r#"{"image":null,"program":"00"}"#;
    let hash = crypto::sha256(other.as_bytes());
    let keep = format!("tegata-agent 1 {hash}\n{other}\n");
    machine.write("state/program-a", keep.as_bytes());
    machine.refused(&["once"], "program-changed");
    assert_eq!(machine.run(&["self-test"]).status.code(), Some(4));
    machine.ok(&["self-test", "--accept-program"]);
    assert_eq!(machine.read("state/program-a"), record);
    // The other slot's program is another one: an update brings it.
    machine.write("state/program-b", keep.as_bytes());
    machine.ok(&["self-test"]);
    // A state that lost a byte, and one of a later version.
    machine.write("state/state", b"tegata-agent 2 00\n{}\n");
    machine.refused(&["once"], "state-version");
    machine.write("state/state", b"tegata-agent 1 00\n{}\n");
    machine.refused(&["once"], "state-damaged");
    std::fs::remove_file(machine.path("state/state")).unwrap();
    // A clock that was later before.
    let later = crate::site::now().plus(100_000).0.to_string();
    let hash = crypto::sha256(later.as_bytes());
    machine.write("state/clock", format!("tegata-agent 1 {hash}\n{later}\n").as_bytes());
    machine.refused(&["once"], "clock-back");
    machine.ok(&["self-test", "--accept-clock"]);
    machine.refused(&["once"], "unknown-target");
    // Keys that were copied to another machine.
    machine.write("machine-id", b"fedcba9876543210\n");
    machine.refused(&["once"], "sealing-key");
}

#[test]
fn an_image_may_bring_another_program() {
    let site = Site::new();
    let mut machine = ready(&site, "", &[]);
    assert_eq!(machine.running(), "b");
    // What ran in slot a before was another program than the one that runs now.
    let other = format!(r#"{{"image":"{}","program":"00"}}"#, "0".repeat(64));
    let hash = crypto::sha256(other.as_bytes());
    machine.write("state/program-a", format!("tegata-agent 1 {hash}\n{other}\n").as_bytes());
    site.release(&image(2, 1000), &custom(2));
    machine.settle(&mut |_| {});
    assert_eq!((machine.running().as_str(), last(&machine).0.as_str()), ("a", "success"));
    // From then on it is held against that one.
    let now = String::from_utf8(machine.read("state/program-a")).unwrap();
    assert!(now.contains(&crypto::sha256(&image(2, 1000)).to_string()), "{now}");
}
