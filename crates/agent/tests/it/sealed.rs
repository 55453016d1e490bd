//! Sealed images and deltas: only the device that was given a ticket reads them, whatever is wrong with
//! a delta the whole image comes, and the program may die at every step of either.

use crate::{
    kill::Stage,
    site::{Site, TARGET, custom},
    world::image,
};
use agent::fault;
use crypto::{Secret, agreement::CONTENT_KEY_BYTES, random, sha256};
use serde_json::{Value, json};
use std::{collections::BTreeSet, io::Cursor};
use update::{
    Custom,
    delta::{self, Image},
    sealed::{Header, Plain, Sealer},
};

const DELTA: &str = "gate/bg1/firmware.delta";
const TICKETS: &str = "/install/artifacts/0/sealed/tickets";
const DELTA_TICKETS: &str = "/install/artifacts/0/delta/sealed/tickets";
const LENGTH: usize = 5 * 1024 * 1024;

pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) key: Secret,
}

pub(crate) fn seal(plain: &[u8]) -> Sealed {
    let key = random::secret::<CONTENT_KEY_BYTES>();
    let plain_image = Plain { length: plain.len() as u64, sha256: sha256(plain) };
    let header = Header { chunk_bytes: 65_536, plain: plain_image, salt: random::bytes() };
    let mut bytes = Vec::new();
    let mut sealer = Sealer::begin(&key, header, &mut bytes).unwrap();
    sealer.push(plain, &mut bytes).unwrap();
    sealer.finish(&mut bytes).unwrap();
    Sealed { bytes, header, key }
}

fn again(key: &Secret) -> Secret {
    Secret::new(key.expose().to_vec())
}

pub(crate) fn make_delta(base: &[u8], result: &[u8]) -> (Vec<u8>, delta::Header) {
    let header = delta::Header { base: Image::of(base), result: Image::of(result) };
    let mut out = Vec::new();
    let (from, to) = (&mut Cursor::new(base), &mut &*result);
    let limits = delta::Limits::DEFAULT;
    delta::diff(from, header.base, to, header.result, 3, &limits, &mut out).unwrap();
    (out, header)
}

/// The next image: mostly the one before.
fn next(base: &[u8]) -> Vec<u8> {
    let mut next = base.to_vec();
    next.splice(1000..1010, *b"another text");
    next.extend(image(9, LENGTH));
    next
}

/// Tells devices to install a file; `more` is what comes with it.
fn assign(site: &Site, action: u64, file: &[u8], more: &Value) {
    site.assign(action, file);
    let mut behaviour = site.behaviour();
    let artifact = &mut behaviour.poll["install"]["artifacts"][0];
    for (name, value) in more.as_object().unwrap() {
        artifact[name] = value.clone();
    }
}

/// Publishes a sealed image, and assigns it.
fn release_sealed(site: &Site, action: u64, counter: u64, plain: &[u8]) -> Sealed {
    let sealed = seal(plain);
    let said = Custom { sealed: Some(sealed.header.plain), ..custom(counter) };
    site.release(&sealed.bytes, &said);
    assign(site, action, &sealed.bytes, &json!({"sealed": {"plain": {}, "tickets": []}}));
    let mut behaviour = site.behaviour();
    behaviour.poll["install"]["encryption_key_wanted"] = json!(true);
    behaviour.sealed = vec![(TICKETS, sealed.header, again(&sealed.key))];
    drop(behaviour);
    sealed
}

/// Publishes a delta beside the image that is followed.
fn offer_delta(site: &Site, action: u64, counter: u64, whole: &[u8], delta: &[u8], said: &Custom) {
    site.release(whole, &custom(counter));
    site.release_at(DELTA, delta, said);
    let hash = sha256(delta).to_string();
    assign(site, action, whole, &json!({"delta": {"path": DELTA, "sha256": hash}}));
}

fn delta_of(counter: u64, header: delta::Header) -> Custom {
    Custom { delta: Some(header), ..custom(counter) }
}

/// Requests for a file, since `site` was asked last.
fn fetched(site: &Site, what: &str) -> usize {
    let log = std::mem::take(&mut site.behaviour().log);
    log.iter().filter(|line| line.contains("/targets/") && line.contains(what)).count()
}

#[test]
fn a_sealed_image_is_opened_on_the_way_into_the_slot() {
    let stage = Stage::new();
    let mut machine = stage.machine("", &[("told", "true")]);
    let plain = image(5, LENGTH);
    let sealed = release_sealed(&stage.site, 1, 3, &plain);
    // Cut in the middle: it goes on there, in the middle of the ciphertext.
    stage.site.behaviour().cut_after = Some(LENGTH - 1000);
    machine.refused(&["once"], "connection");
    let received = machine.status()["update"]["phase"]["received"].as_u64().unwrap();
    assert!(received >= 4 * 1024 * 1024 && received < LENGTH as u64, "{received}");
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), plain);
    assert_eq!(stage.site.heard(1).last().map(String::as_str), Some("confirmed"));
    let log = std::mem::take(&mut stage.site.behaviour().log);
    let from: Vec<u64> = log
        .iter()
        .filter_map(|line| line.rsplit_once("bytes=")?.1.strip_suffix('-')?.parse().ok())
        .collect();
    assert!(from.iter().any(|from| *from > 4 * 1024 * 1024), "it went on: {log:?}");
    // What it says that it runs is what lies in the slot.
    let mut behaviour = stage.site.behaviour();
    assert_eq!(behaviour.statements.len(), 1);
    behaviour.poll = json!({"next_poll_s": 30});
    drop(behaviour);
    machine.settle(&mut |_| {});
    let said = stage.site.behaviour().polls.last().unwrap()["digest"].clone();
    assert_eq!(said, sha256(&plain).to_string());
    assert_ne!(said, sha256(&sealed.bytes).to_string());
}

#[test]
fn what_is_sealed_for_others_is_not_begun() {
    let stage = Stage::new();
    let machine = stage.machine("", &[("told", "true")]);
    fetched(&stage.site, "");
    release_sealed(&stage.site, 1, 3, &image(5, 100_000));
    // It states its key, and nobody wraps for it.
    stage.site.behaviour().sealed.clear();
    machine.refused(&["once"], "no-ticket");
    assert_eq!(fetched(&stage.site, "firmware"), 0, "nothing was fetched");
    assert_eq!(machine.status()["update"]["phase"]["phase"], "idle");
    // A ticket for its key that wraps another content key: found at the first byte, reported.
    let sealed = release_sealed(&stage.site, 2, 4, &image(6, 100_000));
    stage.site.behaviour().sealed = vec![(TICKETS, sealed.header, Secret::new(vec![1; 32]))];
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["last"]["code"], "wrong-software");
    assert_eq!(machine.image(), stage.old);
}

#[test]
fn what_is_altered_or_is_not_what_was_signed_for_is_not_installed() {
    let stage = Stage::new();
    let mut machine = stage.machine("", &[("told", "true")]);
    let plain = image(5, 400_000);
    release_sealed(&stage.site, 1, 3, &plain);
    // Altered once on the way, it comes right at the second time.
    stage.site.behaviour().alter_at = Some(200_000);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), plain);
    // A file whose inside is another than was signed for.
    let other = seal(&image(7, 300_000));
    let said =
        Custom { sealed: Some(Plain { length: 300_000, sha256: sha256(b"else") }), ..custom(4) };
    stage.site.release(&other.bytes, &said);
    assign(&stage.site, 2, &other.bytes, &json!({"sealed": {"tickets": []}}));
    let mut behaviour = stage.site.behaviour();
    behaviour.poll["install"]["encryption_key_wanted"] = json!(true);
    behaviour.sealed = vec![(TICKETS, other.header, other.key)];
    drop(behaviour);
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["last"]["code"], "wrong-software");
    assert_eq!(machine.image(), plain);
}

#[test]
fn a_delta_makes_the_image_from_the_one_that_runs() {
    let stage = Stage::new();
    let mut machine = stage.machine("", &[("told", "true")]);
    fetched(&stage.site, "");
    let new = next(&stage.old);
    let (delta, header) = make_delta(&stage.old, &new);
    offer_delta(&stage.site, 1, 3, &new, &delta, &delta_of(3, header));
    // Cut on the way: it goes on.
    stage.site.behaviour().cut_after = Some(4_500_000);
    machine.refused(&["once"], "connection");
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);
    assert_eq!(fetched(&stage.site, "firmware.img"), 0, "the whole image was not needed");
    assert!(!machine.path("state/delta").exists());
}

#[test]
fn a_sealed_delta_is_opened_first() {
    let stage = Stage::new();
    let mut machine = stage.machine("", &[("told", "true")]);
    fetched(&stage.site, "");
    let new = next(&stage.old);
    let (plain, header) = make_delta(&stage.old, &new);
    let whole = seal(&new);
    let sealed = seal(&plain);
    let said = Custom { sealed: Some(whole.header.plain), ..custom(3) };
    stage.site.release(&whole.bytes, &said);
    let said = Custom { sealed: Some(sealed.header.plain), ..delta_of(3, header) };
    stage.site.release_at(DELTA, &sealed.bytes, &said);
    let more = json!({"sealed": {"tickets": []}, "delta": {"path": DELTA,
        "sha256": sha256(&sealed.bytes).to_string(), "sealed": {"tickets": []}}});
    assign(&stage.site, 1, &whole.bytes, &more);
    let mut behaviour = stage.site.behaviour();
    behaviour.poll["install"]["encryption_key_wanted"] = json!(true);
    behaviour.sealed =
        vec![(TICKETS, whole.header, whole.key), (DELTA_TICKETS, sealed.header, sealed.key)];
    drop(behaviour);
    machine.settle(&mut |_| {});
    assert_eq!(machine.image(), new);
    assert_eq!(fetched(&stage.site, "firmware.img"), 0, "the whole image was not needed");
}

#[test]
fn whatever_is_wrong_with_a_delta_the_whole_image_comes() {
    let stage = Stage::new();
    let new = next(&stage.old);
    let (good, header) = make_delta(&stage.old, &new);
    let another = make_delta(&stage.old, &image(8, 1000));
    let forged = {
        // Signed for as the right one, and makes something else.
        let mut forged = header.to_bytes();
        forged.extend(&another.0[delta::HEADER_BYTES..]);
        forged
    };
    let damage = |site: &Site| {
        let mut behaviour = site.behaviour();
        let name = format!("gate/bg1/{}.firmware.delta", sha256(&good));
        behaviour.targets.get_mut(&name).unwrap()[500] ^= 1;
    };
    let remove = |site: &Site| site.behaviour().targets.retain(|name, _| name.contains(".img"));
    let other_hardware = Custom { hardware_ids: vec!["gate-bg2".into()], ..delta_of(3, header) };
    let nothing = |_: &Site| {};
    let check = |action, bytes: &[u8], said: &Custom, change: &dyn Fn(&Site), base_altered| {
        let mut machine = stage.machine("", &[("told", "true")]);
        offer_delta(&stage.site, action, 3, &new, bytes, said);
        change(&stage.site);
        if base_altered {
            // What runs was written to since it was installed.
            let name = format!("{}.img", machine.running());
            let mut image = machine.read(&name);
            image[7] ^= 1;
            machine.write(&name, &image);
        }
        fetched(&stage.site, "");
        machine.settle(&mut |_| {});
        assert_eq!(machine.image(), new, "{action}");
        assert_eq!(fetched(&stage.site, "firmware.img"), 1, "{action}: the whole image");
        assert_eq!(stage.site.heard(action).last().map(String::as_str), Some("confirmed"));
        assert!(!machine.path("state/delta").exists(), "{action}");
    };
    check(1, &forged, &delta_of(3, header), &nothing, false);
    check(2, &good, &delta_of(3, header), &damage, false);
    check(3, &good, &delta_of(3, header), &remove, false);
    check(4, &good, &delta_of(3, header), &nothing, true);
    check(5, &another.0, &delta_of(3, another.1), &nothing, false);
    check(6, &good, &custom(3), &nothing, false);
    check(7, &good, &other_hardware, &nothing, false);
    // A delta is no image, whoever assigns it.
    let machine = stage.machine("", &[("told", "true")]);
    stage.site.release(&good, &delta_of(3, header));
    stage.site.assign(8, &good);
    machine.ok(&["once"]);
    assert_eq!(machine.status()["update"]["last"]["code"], "not-an-image");
    assert_eq!(TARGET, "gate/bg1/firmware.img");
}

#[test]
fn killed_at_every_step_of_a_sealed_image_it_ends_in_the_old_or_the_new() {
    let stage = Stage::new();
    let points = ["before-state-write", "slot-opened", "piece-written", "download-complete"];
    for (action, point) in (1..).zip(points) {
        let mut machine = stage.machine("", &[("told", "true")]);
        release_sealed(&stage.site, action, 2, &stage.new);
        let mut reached = false;
        for (time, power) in [(1, false), (70, true), (2, false)] {
            let kill_at = format!("{point}:{time}");
            reached |= stage.round(&mut machine, Some(&kill_at), power);
        }
        assert!(reached, "nothing died at {point}");
        machine.settle(&mut |image| assert!(image == stage.old || image == stage.new));
        assert_eq!(machine.image(), stage.new, "{point}");
        let heard = stage.site.heard(action);
        assert_eq!(heard.last().map(String::as_str), Some("confirmed"), "{point}");
    }
}

#[test]
fn killed_at_every_step_of_a_delta_it_ends_in_the_old_or_the_new() {
    let stage = Stage::new();
    let (delta, header) = make_delta(&stage.old, &stage.new);
    let mut reached = BTreeSet::new();
    let others = ["piece-written", "download-complete", "before-state-write"];
    for (action, point) in (1..).zip(fault::POINTS_DELTA.into_iter().chain(others)) {
        let mut machine = stage.machine("", &[("told", "true")]);
        offer_delta(&stage.site, action, 2, &stage.new, &delta, &delta_of(2, header));
        fetched(&stage.site, "");
        for (time, power) in [(1, false), (5, true), (2, false)] {
            let kill_at = format!("{point}:{time}");
            if stage.round(&mut machine, Some(&kill_at), power) {
                reached.insert(point);
            }
        }
        machine.settle(&mut |image| assert!(image == stage.old || image == stage.new));
        assert_eq!(machine.image(), stage.new, "{point}");
        assert_eq!(fetched(&stage.site, "firmware.img"), 0, "{point}: the delta was enough");
        let heard = stage.site.heard(action);
        assert_eq!(heard.last().map(String::as_str), Some("confirmed"), "{point}");
        assert!(!machine.path("state/delta").exists(), "{point}");
    }
    assert_eq!(reached.len(), 6, "{reached:?}");
}

#[test]
fn a_self_test_goes_along_and_a_failed_one_is_told() {
    let stage = Stage::new();
    let mut machine = stage.machine("", &[("told", "true")]);
    stage.site.behaviour().poll = json!({"next_poll_s": 30});
    machine.settle(&mut |_| {});
    let tests = |said: &Value| -> Vec<(String, String)> {
        let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
        let tests = said["self_test"].as_array().unwrap();
        tests.iter().map(|one| (text(one, "test"), text(one, "outcome"))).collect()
    };
    let said = stage.site.behaviour().polls.last().unwrap().clone();
    let names: Vec<String> = tests(&said).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["program", "algorithms", "configuration", "state", "clock"]);
    // It was seen in the year 2100: the clock went back.
    let record = |value: i64| {
        let body = value.to_string();
        format!("tegata-agent 1 {}\n{body}\n", sha256(body.as_bytes()))
    };
    machine.write("state/clock", record(4_102_444_800).as_bytes());
    let before = stage.site.behaviour().polls.len();
    machine.refused(&["once"], "clock-back");
    let polls = stage.site.behaviour().polls.clone();
    assert_eq!(polls.len(), before + 1, "it says so, once");
    let last = polls.last().unwrap();
    assert!(tests(last).contains(&("clock".into(), "wait".into())), "{last}");
}
