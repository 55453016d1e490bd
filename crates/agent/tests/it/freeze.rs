//! A mirror that stands still: what the device has seen is kept and told, and what it is told of is
//! missed before anything expires.

use crate::{
    site::{Site, custom},
    world::{Machine, image},
};
use serde_json::{Value, json};
use update::{Limits, Signed, Timestamp};

/// A device that runs release 1, confirmed, told by action 1.
fn ready(site: &Site) -> Machine {
    let mut machine = Machine::with(site, &image(0, 1000), "", &[("told", "true")]);
    machine.enrol();
    site.release(&image(1, 1000), &custom(1));
    site.assign(1, &image(1, 1000));
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(1, 1000));
    machine
}

/// The version of the timestamp that is served.
fn served(site: &Site) -> u64 {
    let bytes = site.behaviour().metadata["timestamp.json"].clone();
    let signed = Signed::<Timestamp>::parse(&bytes, &Limits::DEFAULT).unwrap();
    signed.unverified().header.version.number()
}

/// What the device said last that it has seen.
fn said(site: &Site) -> Value {
    site.behaviour().polls.last().unwrap()["metadata"][0].clone()
}

fn tell(site: &Site, timestamp: u64) {
    site.behaviour().poll["metadata"] =
        json!([{"organisation": "kairo", "director": false, "timestamp": timestamp}]);
}

#[test]
fn what_a_mirror_holds_back_is_missed_before_it_expires() {
    let site = Site::new();
    let mut machine = ready(&site);
    let old = served(&site);
    machine.ok(&["once"]);
    let seen = said(&site);
    assert_eq!((&seen["organisation"], &seen["director"]), (&json!("kairo"), &json!(false)));
    assert_eq!(seen["timestamp"], old);
    assert!(seen["asked_s"].as_u64().unwrap() < 3600, "{seen}");
    // The mirror stands still while release 2 comes out, and the platform says that there is more.
    let frozen = site.behaviour().metadata.clone();
    site.release(&image(2, 1000), &custom(2));
    let fresh = site.behaviour().metadata.clone();
    let new = served(&site);
    assert!(new > old);
    site.behaviour().metadata = frozen;
    site.assign(2, &image(2, 1000));
    tell(&site, new);
    machine.refused(&["once"], "freeze");
    let detail = site.behaviour().feedback.last().unwrap()["detail"].to_string();
    assert!(detail.contains("[freeze]"), "{detail}");
    assert_eq!(machine.image(), image(1, 1000));
    // It asked and got no more than before: so it says at the next poll.
    machine.refused(&["once"], "freeze");
    assert_eq!(said(&site)["timestamp"], old);
    // Where nothing is to be installed, it looks all the same, and goes on.
    site.behaviour().poll = json!({"next_poll_s": 30});
    tell(&site, new);
    let output = machine.run(&["once"]);
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && words.contains("[freeze]"), "{words}");
    // It thaws.
    site.behaviour().metadata = fresh;
    site.assign(2, &image(2, 1000));
    tell(&site, new);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), image(2, 1000));
    machine.ok(&["once"]);
    assert_eq!(said(&site)["timestamp"], new);
}

#[test]
fn what_was_seen_is_worth_nothing_once_it_is_damaged_and_stops_nothing() {
    let site = Site::new();
    let machine = ready(&site);
    machine.ok(&["once"]);
    assert_eq!(said(&site)["timestamp"], served(&site));
    let place = format!("state/tuf/{}/seen", hex::encode("kairo"));
    let mut kept = machine.read(&place);
    let last = kept.len() - 2;
    kept[last] ^= 1;
    machine.write(&place, &kept);
    site.behaviour().poll = json!({"next_poll_s": 30});
    machine.ok(&["once"]);
    assert_eq!(said(&site), Value::Null);
    // The look that follows mends it.
    machine.ok(&["once"]);
    assert_eq!(said(&site)["timestamp"], served(&site));
}

#[test]
fn a_version_that_is_an_option_reaches_no_command() {
    let site = Site::new();
    let machine = ready(&site);
    for bad in ["-rf", "--help"] {
        let two = image(2, 1000);
        let custom = update::Custom { version: Some(bad.to_owned()), ..custom(2) };
        site.release(&two, &custom);
        site.assign(2, &two);
        machine.ok(&["once"]);
        let last = site.behaviour().feedback.last().unwrap().clone();
        assert_eq!(
            (&last["execution"], &last["action"]),
            (&json!("rejected"), &json!(2)),
            "{last}"
        );
        assert!(last["detail"].as_str().unwrap().contains("[release-version]"), "{last}");
        assert_eq!(machine.image(), image(1, 1000));
    }
}
