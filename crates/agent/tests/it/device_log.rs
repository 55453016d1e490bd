//! The device's own log through the real platform (LG-5): also by a program that is killed at awkward
//! moments, and when nobody hears it for a while.

use crate::commands::Device;
use crate::platform::Platform;
use admission::device_log::{Began, LogKind, LogOutcome, LogSeverity};
use agent::fault::POINTS_DEVICE_LOG;
use service::{DeviceLogEntryView, Page};

const LOG: &str = "[device_log]\nkept = 16\n\
    [[tamper]]\nname = \"lid\"\nfile = \"@@/lid\"\ntampered = \"1\"\ndebounce_ms = 0\n";

/// What the platform has, the oldest first; that nothing is missing.
async fn told(device: &Device<'_>) -> Vec<DeviceLogEntryView> {
    let (service, owner) = (&device.platform.service, &device.platform.owner.caller);
    let page = Page { after: None, limit: 500 };
    let mut told = service.device_log(owner, &device.thing.id, &page).await.unwrap().items;
    told.reverse();
    told
}

async fn stretches(device: &Device<'_>) -> Vec<(Began, u64, u64)> {
    let (service, owner) = (&device.platform.service, &device.platform.owner.caller);
    let found = service.device_log_stretches(owner, &device.thing.id).await.unwrap();
    assert!(found.iter().all(|it| it.broken_at.is_none()));
    found.iter().rev().map(|it| (it.because, it.missing, it.declared)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_told_once_whenever_the_agent_dies() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, LOG).await;
    device.write("lid", b"0");
    device.ok(&["once"]);
    let first = told(&device).await;
    let kinds: Vec<_> = first.iter().map(|it| it.entry.kind).collect();
    assert_eq!(kinds, [LogKind::Boot, LogKind::Credential]);
    assert_eq!(first[0].entry.subject.as_deref(), Some("machine"));
    let mut expected = first.len();
    for point in POINTS_DEVICE_LOG {
        // Opened and looked at, with a death at this point on the way.
        for (lid, severity) in [("1", LogSeverity::Critical), ("0", LogSeverity::Low)] {
            device.write("lid", lid.as_bytes());
            if lid == "0" {
                device.ok(&["self-test", "--accept-tamper"]);
            }
            assert!(device.killed_at(point), "{point}");
            device.ok(&["once"]);
            device.ok(&["once"]);
            let all = told(&device).await;
            expected += 1;
            assert_eq!(all.len(), expected, "{point}: {all:?}");
            let last = &all[expected - 1].entry;
            assert_eq!((last.kind, last.severity), (LogKind::Physical, severity));
            assert_eq!((last.outcome, last.subject.as_deref()), (LogOutcome::Success, Some("lid")));
        }
    }
    let numbers: Vec<u64> = told(&device).await.iter().map(|it| it.sequence).collect();
    assert!(numbers.iter().copied().eq(1..=expected as u64), "{numbers:?}");
    assert_eq!(stretches(&device).await, [(Began::First, 0, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_note_is_told_once() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, LOG).await;
    device.write("lid", b"0");
    device.ok(&["once"]);
    let before = told(&device).await.len();
    let login = ["note", "local-login", "--outcome", "failure", "--actor", "root"];
    for point in POINTS_DEVICE_LOG {
        device.ok(&login);
        assert!(device.killed_at(point), "{point}");
        device.ok(&["once"]);
    }
    let mut more = login.to_vec();
    more.extend(["--severity", "high", "--detail", "port=ttyS0"]);
    device.ok(&more);
    device.ok(&["once"]);
    device.ok(&["once"]);
    let all = told(&device).await;
    assert_eq!(all.len(), before + 4);
    let last = &all.last().unwrap().entry;
    assert_eq!((last.kind, last.severity), (LogKind::LocalLogin, LogSeverity::High));
    assert_eq!((last.outcome, last.actor.as_deref()), (LogOutcome::Failure, Some("root")));
    assert_eq!(last.details["port"], "ttyS0");
    // What is no note is refused, and a file that is none stops nothing.
    for wrong in [["note", "login"], ["note", "local-login --outcome=maybe"]] {
        assert!(!device.run(&wrong).status.success());
    }
    assert!(!device.run(&["note", "boot", "--severity", "5"]).status.success());
    assert!(!device.run(&["note", "boot", "--detail", "port"]).status.success());
    std::fs::write(device.path("state/notes/0-0"), b"{").unwrap();
    device.ok(&["once"]);
    assert_eq!(told(&device).await.len(), before + 4);
    assert_eq!(std::fs::read_dir(device.path("state/notes")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_room_the_oldest_go_and_it_shows() {
    let platform = Platform::new(86_400).await;
    let device = Device::with(&platform, LOG).await;
    device.write("lid", b"0");
    device.ok(&["once"]);
    let before = told(&device).await.len();
    // Nobody answers.
    let text = String::from_utf8(device.read("agent.toml")).unwrap();
    let away = text.replace(&platform.address, "https://127.0.0.1:9");
    device.write("agent.toml", away.as_bytes());
    for _ in 0..10 {
        device.write("lid", b"1");
        assert!(!device.run(&["once"]).status.success());
        device.write("lid", b"0");
        device.ok(&["self-test", "--accept-tamper"]);
        assert!(!device.run(&["once"]).status.success());
    }
    device.write("agent.toml", text.as_bytes());
    device.ok(&["once"]);
    let all = told(&device).await;
    assert_eq!(all.len(), before + 16);
    assert_eq!(stretches(&device).await, [(Began::First, 0, 0), (Began::Gap, 4, 4)]);
    // A device that lost its state begins another log, and that shows too.
    std::fs::remove_file(device.path("state/device-log")).unwrap();
    device.ok(&["once"]);
    assert_eq!(stretches(&device).await.last().map(|it| it.0), Some(Began::Restart));
}
