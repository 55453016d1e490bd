//! What a device says, signed and encrypted for its owner, through the real platform; also by a program that is
//! killed at awkward moments.

use crate::{commands::Device, platform::Platform};
use serde_json::{Value, json};
use service::{CommandState, MessageView, NewMessageKey, Page};
use std::collections::BTreeSet;

const SIGNED: &str = "[messages]\nsign = true\n";
const ENCRYPTED: &str = "[messages]\nsign = true\nencrypt = true\n";
const MORE: &str = "[telemetry]\nkept = 50\n\
    [[telemetry.source]]\nname = \"heat\"\nfile = \"@@/heat\"\nevery_s = 1\n[device_log]\n";

/// What the platform has of it, the newest first.
async fn messages(device: &Device<'_>) -> Vec<MessageView> {
    let (service, owner) = (&device.platform.service, &device.platform.owner);
    let page = Page { after: None, limit: 500 };
    service.messages(&owner.caller, &device.thing.id, &page).await.unwrap().items
}

async fn ended(device: &Device<'_>, id: &admission::CommandId) -> CommandState {
    let owner = &device.platform.owner.caller;
    device.platform.service.command(owner, &device.thing.id, id).await.unwrap().state
}

async fn another_key(platform: &Platform, accept_former_s: i64) {
    let new = NewMessageKey { reason: "for a test".into(), accept_former_s };
    let owner = &platform.owner;
    platform.service.replace_message_key(&owner.caller, &owner.id, &new).await.unwrap();
}

/// Numbers of its samples that the platform has.
fn samples(messages: &[MessageView]) -> Vec<u64> {
    let heat = messages.iter().filter(|one| one.topic == "up/telemetry/heat");
    let read = heat.map(|one| serde_json::from_slice::<Value>(&one.payload).unwrap());
    read.map(|one| one["sequence"].as_u64().unwrap()).collect()
}

async fn everything_must_be_signed(platform: &Platform) {
    let (maker, line) = (&platform.maker, crate::platform::PRODUCT.parse().unwrap());
    let topics = (vec!["up/#".to_owned()], None);
    platform.service.set_signed_topics(&maker.caller, (&maker.id, &line), topics).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_signed_is() {
    let platform = Platform::new(86_400).await;
    everything_must_be_signed(&platform).await;
    let device = Device::with(&platform, &format!("{SIGNED}{MORE}")).await;
    device.write("heat", b"1");
    let open = device.give("open", &json!({})).await;
    device.ok(&["once"]);
    assert_eq!(ended(&device, &open).await, CommandState::Done);
    let kept = messages(&device).await;
    let topics: BTreeSet<_> = kept.iter().filter_map(|one| one.topic.split('/').nth(1)).collect();
    assert_eq!(topics, BTreeSet::from(["commands", "log", "telemetry"]), "{kept:?}");
    assert!(kept.iter().all(|one| one.signed_by.is_some() && !one.encrypted));
    // One that does not sign is not heard.
    let silent = Device::with(&platform, MORE).await;
    silent.write("heat", b"1");
    silent.run(&["once"]);
    assert_eq!(messages(&silent).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_openly_that_is_to_be_encrypted() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, &format!("{ENCRYPTED}{MORE}")).await;
    device.write("heat", b"1");
    let open = device.give("open", &json!({})).await;
    // The owner has no key yet.
    device.run(&["once"]);
    assert_eq!(messages(&device).await, []);
    assert_ne!(ended(&device, &open).await, CommandState::Done);
    another_key(&platform, 0).await;
    device.ok(&["once"]);
    assert_eq!(ended(&device, &open).await, CommandState::Done);
    let kept = messages(&device).await;
    assert!(kept.len() >= 3 && kept.iter().all(|one| one.encrypted), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_erased_where_the_proof_could_not_be_said() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, ENCRYPTED).await;
    let erase = device.give("erase-keys", &json!({})).await;
    device.run(&["once"]);
    assert!(device.path("state/identity/ldevid").exists());
    another_key(&platform, 0).await;
    device.ok(&["once"]);
    let owner = &platform.owner.caller;
    let known = platform.service.command(owner, &device.thing.id, &erase).await.unwrap();
    let detail = known.detail.unwrap_or_default();
    assert_eq!(known.state, CommandState::Rejected, "{detail}");
    assert!(detail.contains("[no-message-key]"), "{detail}");
    assert!(device.path("state/identity/ldevid").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_step_each_sample_is_taken_once() {
    let platform = Platform::new(86_400).await;
    another_key(&platform, 0).await;
    let device = Device::with(&platform, &format!("{ENCRYPTED}{MORE}")).await;
    device.write("heat", b"1");
    device.ok(&["once"]);
    for point in ["before-telemetry", "message-numbered", "after-telemetry", "message-numbered:2"] {
        assert!(device.killed_at(point), "{point}");
    }
    device.ok(&["once"]);
    let kept = messages(&device).await;
    let numbers = samples(&kept);
    let distinct: BTreeSet<_> = numbers.iter().collect();
    assert_eq!(distinct.len(), numbers.len(), "said twice: {numbers:?}");
    assert!(numbers.len() >= 4, "lost: {numbers:?}");
    assert!(kept.iter().all(|one| one.encrypted && one.signed_by.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_of_the_owner_is_found_and_nothing_is_lost() {
    let platform = Platform::new(86_400).await;
    another_key(&platform, 0).await;
    let device = Device::with(&platform, &format!("{ENCRYPTED}{MORE}")).await;
    device.write("heat", b"1");
    let mut child = device.command(&["run"]).spawn().unwrap();
    let wait = async |more: usize| {
        for _ in 0..200 {
            if samples(&messages(&device).await).len() >= more {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("only {:?}", samples(&messages(&device).await));
    };
    wait(1).await;
    // The one that it knows is destroyed while it runs.
    another_key(&platform, 0).await;
    let before = samples(&messages(&device).await).len();
    wait(before + 2).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let mut numbers = samples(&messages(&device).await);
    numbers.reverse();
    let known: BTreeSet<_> = numbers.iter().collect();
    assert_eq!(known.len(), numbers.len(), "said twice: {numbers:?}");
}
