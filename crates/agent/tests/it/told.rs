//! A device that is told what to install, and says what came of it.

use crate::{
    site::{Site, custom},
    world::{Machine, image},
};
use serde_json::json;

const TOLD: (&str, &str) = ("told", "true");

/// A device that runs release 1, confirmed, told by action 1.
fn ready(site: &Site, more: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::with(site, &image(0, 1000), "", &[&[TOLD], more].concat());
    machine.enrol();
    site.release(&image(1, 1000), &custom(1));
    site.assign(1, &image(1, 1000));
    machine.settle(&mut |_| {});
    assert_eq!(
        site.heard(1),
        ["downloading", "downloaded", "installed", "proceeding", "confirmed"]
    );
    machine
}

#[test]
fn the_platform_hears_each_step_and_success_only_at_the_end() {
    let site = Site::new();
    let mut machine = ready(&site, &[]);
    {
        let behaviour = site.behaviour();
        let mut before = behaviour.polls.first().unwrap().clone();
        before.as_object_mut().unwrap().remove("self_test");
        assert_eq!(before, json!({"hardware_id": "gate-bg1", "confirmed": true}));
        let digest = crypto::sha256(&image(1, 1000)).to_string();
        let runs = json!({"hardware_id": "gate-bg1", "version": "1.0", "release_counter": 1,
            "security_version": 1, "digest": digest, "confirmed": true});
        assert_eq!(behaviour.feedback.last().unwrap()["installed"], runs);
    }
    // The same action again: said again, done never.
    let before = site.behaviour().log.len();
    machine.ok(&["once"]);
    assert_eq!(site.heard(1).last().unwrap(), "confirmed");
    assert!(!site.behaviour().log[before..].iter().any(|line| line.contains("/targets/")));
    // Another action for what runs: done at once.
    site.assign(2, &image(1, 1000));
    machine.ok(&["once"]);
    assert_eq!(site.heard(2), ["confirmed"]);
    // Nobody listens: the update goes on, and all is told later, once.
    site.release(&image(2, 1000), &custom(2));
    site.assign(3, &image(2, 1000));
    machine.ok(&["once"]);
    site.behaviour().deaf = true;
    machine.start();
    let output = machine.run(&["once"]);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(machine.status()["update"]["last"]["execution"], "success");
    assert_eq!(site.heard(3), ["downloading", "downloaded", "installed"]);
    machine.run(&["once"]);
    site.behaviour().deaf = false;
    machine.ok(&["once"]);
    assert_eq!(site.heard(3).last().unwrap(), "confirmed");
    assert_eq!(machine.status()["update"]["outbox"], json!([]));
}

#[test]
fn the_platform_cannot_make_it_install_what_its_repositories_do_not_vouch_for() {
    let site = Site::new();
    let mut machine = ready(&site, &[]);
    let check = |machine: &mut Machine, action: u64, code: &str| {
        machine.ok(&["once"]);
        let behaviour = site.behaviour();
        let last = behaviour.feedback.last().unwrap();
        assert_eq!((&last["action"], &last["execution"]), (&json!(action), &json!("rejected")));
        assert!(last["detail"].as_str().unwrap().contains(code), "{last}");
        drop(behaviour);
        assert_eq!(machine.image(), image(1, 1000));
    };
    // A file that nobody signed for.
    site.release(&image(2, 1000), &custom(2));
    site.assign(2, &image(3, 1000));
    check(&mut machine, 2, "[other-file]");
    // An old release that is still signed for.
    site.release(&image(3, 1000), &custom(0));
    site.assign(3, &image(3, 1000));
    check(&mut machine, 3, "[security-rollback]");
    // Also where the platform says that it is to go back.
    site.release(&image(4, 1000), &update::Custom { release_counter: Some(0), ..custom(1) });
    site.assign(4, &image(4, 1000));
    site.behaviour().poll["install"]["purpose"] = json!("roll-back");
    check(&mut machine, 4, "[release-rollback]");
    // For other hardware.
    site.assign(5, &image(4, 1000));
    site.behaviour().poll["install"]["artifacts"][0]["hardware_ids"] = json!(["gate-bg2"]);
    check(&mut machine, 5, "[wrong-hardware]");
    // A path that leads elsewhere on the disk.
    site.assign(6, &image(4, 1000));
    site.behaviour().poll["install"]["artifacts"][0]["path"] = json!("../../etc/passwd");
    machine.refused(&["once"], "unknown-target");
    site.behaviour().poll = json!({"install": 7});
    machine.refused(&["once"], "platform-answer");
}

#[test]
fn a_campaign_may_lead_back_where_the_device_lets_itself_be_led() {
    let site = Site::new();
    let mut machine = ready(&site, &[("roll_back", "true")]);
    site.release(&image(2, 1000), &update::Custom { security_version: Some(1), ..custom(2) });
    site.assign(2, &image(2, 1000));
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(2, 1000));
    site.release(&image(1, 1000), &custom(1));
    site.assign(3, &image(1, 1000));
    site.behaviour().poll["install"]["purpose"] = json!("roll-back");
    machine.settle(&mut |_| {});
    assert_eq!(
        (machine.image(), site.heard(3).pop().unwrap()),
        (image(1, 1000), "confirmed".into())
    );
    // Never below a security version that it has had.
    site.release(&image(5, 1000), &update::Custom { security_version: Some(0), ..custom(1) });
    site.assign(4, &image(5, 1000));
    site.behaviour().poll["install"]["purpose"] = json!("roll-back");
    machine.ok(&["once"]);
    assert_eq!(site.heard(4), ["rejected"]);
}

#[test]
fn what_is_taken_back_does_not_run() {
    let site = Site::new();
    let mut machine = ready(&site, &[]);
    site.release(&image(2, 1000), &custom(2));
    site.assign(2, &image(2, 1000));
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["phase"]["phase"], "booting");
    // The platform says so at the next poll; a device that waits for its start asks, too.
    site.behaviour().poll = json!({"cancel": 2, "next_poll_s": 30});
    machine.settle(&mut |image_| assert_eq!(image_, image(1, 1000), "it must not run"));
    assert_eq!(machine.image(), image(1, 1000));
    assert_eq!(site.heard(2).last().unwrap(), "cancelled");
    assert_eq!(machine.read("boot"), b"tegata-boot 1\ngood=b\n");
    // Said again, it stays what it was; and what never began ends likewise.
    machine.ok(&["once"]);
    assert_eq!(site.heard(2).last().unwrap(), "cancelled");
    site.behaviour().poll = json!({"cancel": 99, "next_poll_s": 30});
    machine.ok(&["once"]);
    assert_eq!(site.heard(99), ["cancelled"]);
}

#[test]
fn a_repository_in_trouble_holds_up_no_other() {
    let site = Site::new();
    let mut machine = ready(&site, &[]);
    // Another organisation's, which is asked first and is not there.
    let text = String::from_utf8(machine.read("agent.toml")).unwrap();
    let at = machine.path("root.json");
    let ahead = format!(
        "[[repository]]\norganisation = \"ahead\"\nroot = \"{}\"\npath = \"/tuf/nowhere\"\n[slots]",
        at.display()
    );
    machine.write("agent.toml", text.replacen("[slots]", &ahead, 1).as_bytes());
    site.release(&image(2, 1000), &custom(2));
    site.assign(2, &image(2, 1000));
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(2, 1000));
    assert_eq!(site.heard(2).last().unwrap(), "confirmed");
    // As long as one cannot be heard, no other's word is final.
    site.assign(3, &image(3, 1000));
    let output = machine.run(&["once"]);
    assert!(!output.status.success());
    assert!(site.heard(3).iter().all(|said| said == "proceeding"), "{:?}", site.heard(3));
}
