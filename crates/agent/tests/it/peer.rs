//! Trust between devices through the real platform (AU-6): bundles are fetched, kept and never older, also by a
//! program that is killed; and what is decided.

use crate::{commands::Device, platform::Platform};
use agent::fault::POINTS_TRUST;
use service::{NewPeerTrust, NewPolicySet};
use std::os::unix::process::ExitStatusExt as _;

const PEER: &str = "[peer]\npoll_s = 10\n[device_log]\n";
const SIGKILL: i32 = 9;
const POLICIES: &str = r#"@id("gates-open") permit(principal in Product::"maker/gate-4",
    action == Action::"peer", resource) when { context.operation == "open" };"#;
const CASES: &str = r#"{"organisation": "owner", "devices": {"one": {"product": "maker/gate-4"}},
    "cases": [{"name": "opens", "by": "one", "does": "peer", "device": "one", "operation": "open",
               "expect": "allowed"}]}"#;

async fn open(platform: &Platform, hours: i64) {
    let (service, owner) = (&platform.service, &platform.owner.caller);
    let (policies, cases) = (POLICIES.into(), CASES.into());
    let new = NewPolicySet { policies, cases, reason: "test".into() };
    let made = service.put_policy_set(owner, new).await.unwrap();
    service.test_policy_set(owner, made.version).await.unwrap();
    service.activate_policy_set(owner, Some(made.version), "test").await.unwrap();
    choose(platform, hours).await;
}

async fn choose(platform: &Platform, hours: i64) {
    let new = NewPeerTrust {
        life_s: hours * 3600,
        makers: Vec::new(),
        organisations: Vec::new(),
        products: Vec::new(),
    };
    platform.service.set_peer_trust(&platform.owner.caller, new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_kept_and_an_older_one_is_never_again() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, PEER).await;
    device.refused(&["peer", "fetch"], "trust-bundle-none");
    open(&platform, 1).await;
    // The agent does it by itself, once it is time again.
    std::fs::remove_file(device.path("state/trust/asked")).unwrap();
    device.ok(&["once"]);
    let first = device.read("state/trust/bundle");
    let number = |device: &Device<'_>| device.ok(&["status"])["trust_bundle"]["number"].as_u64();
    let mut last = number(&device).unwrap();
    // The second state that is written is the bundle, the third its number.
    let second = "state-written-not-renamed:2";
    let third = "state-written-not-renamed:3";
    let points = POINTS_TRUST.into_iter().chain([second, third]);
    for (hours, point) in (2..).zip(points) {
        choose(&platform, hours).await;
        let killed = device.command(&["peer", "fetch"]).env(agent::fault::VARIABLE, point).output();
        assert_eq!(killed.unwrap().status.signal(), Some(SIGKILL), "{point}");
        // Whole, whichever it is; and then the newest.
        let there = number(&device).unwrap();
        let is_new = ["trust-bundle-written", third].contains(&point);
        assert!(if is_new { there > last } else { there == last }, "{point}");
        device.ok(&["peer", "fetch"]);
        let now = number(&device).unwrap();
        assert!(now > last, "{point}");
        last = now;
    }
    device.write("older", &first);
    let older = device.path("older").display().to_string();
    device.refused(&["peer", "take", &older], "trust-bundle-older");
    let mut altered = first.clone();
    let at = altered.len() / 2;
    altered[at] ^= 1;
    device.write("altered", &altered);
    let altered = device.path("altered").display().to_string();
    device.refused(&["peer", "take", &altered], "trust-bundle-refused");
    // Who puts the older one in its place decides nothing with it.
    device.write("state/trust/bundle", &first);
    let none = ["peer", "decide", "--certificate", &older, "--operation", "Open"];
    device.refused(&none, "certificate");
    let chain = device.path("roots.pem").display().to_string();
    device.refused(
        &["peer", "decide", "--certificate", &chain, "--operation", "open"],
        "trust-bundle-older",
    );
    device.ok(&["peer", "fetch"]);
    let said = device.run(&["peer", "decide", "--certificate", &chain, "--operation", "open"]);
    assert_eq!(said.status.code(), Some(3));
    let said: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(said["permitted"], false, "{said}");
}
