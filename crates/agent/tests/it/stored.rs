//! What a device says of itself through the real platform: tampering, telemetry; also
//! when nobody hears it for a while, and by a program that is killed at awkward moments.

use crate::commands::Device;
use crate::platform::Platform;
use serde_json::{Value, json};
use service::Page;
use std::time::Duration;

const MORE: &str = "[telemetry]\nkept = 5\n\
    [[telemetry.source]]\nname = \"heat\"\nfile = \"@@/heat\"\nevery_s = 1\n\
    [[telemetry.source]]\nname = \"slow\"\ncommand = [\"/bin/sleep\", \"60\"]\ntimeout_s = 1\nevery_s = 3600\n";

/// Whether the device's self-tests passed, and what it says of tampering.
async fn tested(device: &Device<'_>) -> (bool, Option<String>) {
    let (service, owner) = (&device.platform.service, &device.platform.owner.caller);
    let said = service.self_test(owner, &device.thing.id).await.unwrap();
    let found = said.findings.iter().find(|one| one.test == "tamper");
    (said.passed, found.map(|one| one.code.clone()))
}

/// Values of telemetry that the platform has, the oldest first.
async fn values(device: &Device<'_>) -> Vec<Value> {
    let (service, owner) = (&device.platform.service, &device.platform.owner);
    let page = Page { after: None, limit: 500 };
    let found = service.messages(&owner.caller, &device.thing.id, &page).await.unwrap().items;
    let mut values: Vec<Value> = found
        .into_iter()
        .filter(|one| one.topic == "up/telemetry/heat")
        .map(|one| serde_json::from_slice(&one.payload).unwrap())
        .collect();
    values.reverse();
    values
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_for_a_while_the_oldest_go_and_are_counted() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, MORE).await;
    device.write("heat", b"1");
    device.ok(&["once"]);
    assert_eq!(values(&device).await.len(), 1);
    // Killed between the answer and its note: said again, and refused as heard before.
    assert!(device.killed_at("after-telemetry"));
    device.ok(&["once"]);
    assert_eq!(values(&device).await.len(), 3);
    // Nobody answers.
    let text = String::from_utf8(device.read("agent.toml")).unwrap();
    let away = text.replace(&platform.address, "https://127.0.0.1:9");
    for number in 2..=9 {
        device.write("agent.toml", away.as_bytes());
        device.write("heat", number.to_string().as_bytes());
        assert!(!device.run(&["once"]).status.success());
    }
    device.write("agent.toml", text.as_bytes());
    device.write("heat", b"nan");
    assert!(device.killed_at("after-telemetry"));
    device.ok(&["once"]);
    let all = values(&device).await;
    let mut heard: Vec<_> = all.iter().map(|one| one["value"].clone()).collect();
    assert_eq!(heard.pop(), Some(json!("nan")));
    assert_eq!(heard.first(), Some(&json!(1)));
    let counters: Vec<_> = all.iter().map(|one| one["sequence"].as_u64().unwrap()).collect();
    assert!(counters.windows(2).all(|two| two[0] < two[1]), "{counters:?}");
    assert!(all.last().unwrap()["dropped"].as_u64().unwrap() >= 4, "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_is_told_at_once_and_counts_in_the_verdict() {
    let platform = Platform::new(86_400).await;
    let lid =
        "[[tamper]]\nname = \"lid\"\nfile = \"@@/lid\"\ntampered = \"1\"\ndebounce_ms = 300\n";
    let device = Device::with(&platform, lid).await;
    device.write("lid", b"0\n");
    device.ok(&["once"]);
    let fine = (true, None);
    assert_eq!(tested(&device).await, fine);
    let mut child = device.command(&["run"]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    // Too short to be believed.
    device.write("lid", b"1\n");
    std::thread::sleep(Duration::from_millis(100));
    device.write("lid", b"0\n");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(tested(&device).await, fine);
    device.write("lid", b"1\n");
    for _ in 0..80 {
        if tested(&device).await != fine {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = (false, Some("tamper".to_owned()));
    assert_eq!(tested(&device).await, seen);
    // It stays so, also after the lid is shut, until somebody has looked.
    device.write("lid", b"0\n");
    device.ok(&["once"]);
    assert_eq!(tested(&device).await, seen);
    device.ok(&["self-test", "--accept-tamper"]);
    device.ok(&["once"]);
    assert_eq!(tested(&device).await, fine);
}

#[tokio::test(flavor = "multi_thread")]
async fn tampering_may_stop_the_agent_or_cost_it_its_keys() {
    let platform = Platform::new(86_400).await;
    for action in ["stop", "erase-keys"] {
        let lid = format!(
            "[[tamper]]\nname = \"lid\"\nfile = \"@@/lid\"\ntampered = \"1\"\ndebounce_ms = 0\n\
             action = \"{action}\"\n"
        );
        let device = Device::with(&platform, &lid).await;
        // A wire that is cut says so, too.
        assert!(!device.run(&["once"]).status.success(), "{action}");
        assert_eq!(tested(&device).await, (false, Some("tamper".into())), "{action}");
        let keys = device.path("state/identity/ldevid").exists();
        assert_eq!(keys, action == "stop", "{action}");
        assert_eq!(device.path("sealing.key").exists(), keys, "{action}");
    }
}
