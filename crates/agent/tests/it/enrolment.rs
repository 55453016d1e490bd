//! First certificate, renewal, and answers that are lost.

use crate::{
    site::Site,
    world::{Machine, image},
};

#[test]
fn enrols_once_with_a_code_and_renews_in_its_window() {
    let site = Site::new();
    let machine = Machine::new(&site, &image(0, 10));
    machine.write("code", b"WRONG");
    let code = machine.path("code").display().to_string();
    machine.refused(&["enrol"], "no-voucher");
    machine.refused(&["enrol", "--code-file", &code], "enrolment-refused");
    // Issued so long ago that it is in its window at once.
    site.behaviour().age_s = 80_000;
    site.behaviour().life_s = 4_000;
    machine.enrol();
    let first = machine.status()["identity"].clone();
    site.behaviour().life_s = 86_400;
    site.behaviour().age_s = 60;
    machine.refused(&["once"], "unknown-target");
    let second = machine.status()["identity"].clone();
    assert_ne!(first["serial"], second["serial"]);
    // Now there is time: nothing is asked for.
    machine.refused(&["once"], "unknown-target");
    assert_eq!(machine.status()["identity"], second);
    let behaviour = site.behaviour();
    let [first, second] = behaviour.issued.as_slice() else { panic!("two certificates") };
    assert_ne!(first.spki_der(), second.spki_der(), "a new key with each certificate");
}

#[test]
fn a_certificate_whose_answer_was_lost_is_asked_for_with_the_same_key() {
    let site = Site::new();
    let machine = Machine::new(&site, &image(0, 10));
    machine.write("code", b"CODE-1");
    let code = machine.path("code").display().to_string();
    site.behaviour().lose_certificate = true;
    machine.refused(&["enrol", "--code-file", &code], "connection");
    // Codes are used up by the first use: another one, the same key.
    machine.refused(&["enrol", "--code-file", &code], "enrolment-refused");
    site.behaviour().code = Some("CODE-2".to_owned());
    machine.write("code", b"CODE-2\n");
    machine.ok(&["enrol", "--code-file", &code]);
    let behaviour = site.behaviour();
    let keys: Vec<_> = behaviour.issued.iter().map(|one| one.spki_der().to_vec()).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
    // The private key is nowhere in the clear, and for its owner alone.
    let kept = machine.read("state/identity/ldevid");
    assert!(!kept.windows(5).any(|five| five == b"BEGIN"));
    agent::Config::read(&machine.path("agent.toml")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(machine.path("state/identity/ldevid")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
}
