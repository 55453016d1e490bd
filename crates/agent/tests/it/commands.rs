//! What an owner tells a device, through the real platform: heard, done once, answered; also by a
//! program that is killed at every named step.

use crate::{
    platform::{Platform, Thing},
    world::Files,
};
use admission::{CommandId, KeysErased};
use agent::fault;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use device::Kind;
use serde_json::{Value, json};
use service::{
    CertificateQuery, CertificateStatus, CommandState, CommandView, ErrorKind, NewCommand,
    NewConfiguration, Page,
};
use std::{os::unix::process::ExitStatusExt as _, time::Duration};

const SIGKILL: i32 = 9;

/// An enrolled device that takes commands. `open` counts how often it was done.
pub(crate) struct Device<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) thing: Thing,
    files: Files,
}

impl std::ops::Deref for Device<'_> {
    type Target = Files;
    fn deref(&self) -> &Files {
        &self.files
    }
}

const SLOTS: &str = "[slots]\na = \"@@/a.img\"\nb = \"@@/b.img\"\nboot_record = \"@@/boot\"\n\
                     running_file = \"@@/running\"\nboot_id = \"@@/boot_id\"\n";
const HOOKS: &str = "[hooks]\nreboot = [\"/bin/sh\", \"-c\", \"echo >>@@/reboots\"]\n\
     reset = [\"/bin/sh\", \"-c\", \"rm -f @@/data; echo fresh\"]\n\
     configure = [\"/bin/sh\", \"-c\", \"test ! -e @@/broken && cp \\\"$1\\\" @@/runs\", \"sh\", \"{settings}\"]\n\
     command = [\"/bin/sh\", \"-c\", \"echo \\\"$TEGATA_PARAMETERS\\\" >>@@/done; test $1 = open && echo $1 it is\", \"sh\", \"{command}\"]\n";

impl<'a> Device<'a> {
    async fn new(platform: &'a Platform) -> Self {
        Self::with(platform, "").await
    }

    /// One with more configuration.
    pub(crate) async fn with(platform: &'a Platform, more: &str) -> Self {
        let (thing, _) = platform.sold().await;
        let files = Files::new();
        files.write("roots.pem", platform.root.certificate().to_pem().as_bytes());
        files.secret("sealing.key", &[9; 32]);
        files.write("boot", b"tegata-boot 1\ngood=a\n");
        files.write("a.img", b"image");
        files.write("running", b"a");
        files.write("boot_id", b"start 1");
        let text = format!(
            "server = \"{}\"\nroots = \"@@/roots.pem\"\nstate = \"@@/state\"\n\
             hardware_id = \"gate-bg1\"\n\
             [identity]\nserial_number = \"{}\"\ndevice = \"{}\"\nsealing_key = \"@@/sealing.key\"\n\
             [commands]\npoll_s = 1\n{more}{SLOTS}{HOOKS}",
            platform.address, thing.serial_number, thing.id,
        );
        let at = files.path("").display().to_string();
        files.write("agent.toml", text.replace("@@", at.trim_end_matches('/')).as_bytes());
        files.write("code", platform.code(&thing).await.as_bytes());
        let code = files.path("code").display().to_string();
        files.ok(&["enrol", "--code-file", &code]);
        Self { platform, thing, files }
    }

    pub(crate) async fn give(&self, name: &str, parameters: &Value) -> CommandId {
        let new = NewCommand {
            name: name.into(),
            parameters: parameters.to_string(),
            reason: "for a test".into(),
            lifetime_s: 3600,
        };
        let owner = &self.platform.owner.caller;
        self.platform.service.give_command(owner, &self.thing.id, new).await.unwrap().id
    }

    async fn known(&self, id: &CommandId) -> CommandView {
        let owner = &self.platform.owner.caller;
        self.platform.service.command(owner, &self.thing.id, id).await.unwrap()
    }

    /// How a command ended, and what the device said.
    async fn ended(&self, id: &CommandId) -> (CommandState, String) {
        let known = self.known(id).await;
        (known.state, known.detail.unwrap_or_default())
    }

    /// One round; whether it was killed at the point.
    pub(crate) fn killed_at(&self, point: &str) -> bool {
        let output = self.command(&["once"]).env(fault::VARIABLE, point).output().unwrap();
        output.status.signal() == Some(SIGKILL)
    }

    /// How often the hook of commands ran.
    fn done(&self) -> usize {
        String::from_utf8(self.read("done")).unwrap().lines().count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_done_once_and_answered() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let open = device.give("open", &json!({"gate": "{command}"})).await;
    let unknown = device.give("sing", &json!({})).await;
    device.ok(&["once"]);
    assert_eq!(device.ended(&open).await, (CommandState::Done, "open it is".into()));
    let (state, detail) = device.ended(&unknown).await;
    assert!(state == CommandState::Failed && detail.contains("[hook-failed]"), "{detail}");
    assert_eq!(device.read("done"), b"{\"gate\":\"{command}\"}\n{}\n");
    device.ok(&["once"]);
    assert_eq!(device.done(), 2, "nothing is done twice");
    // A self-test, and a reset that leaves the identity.
    device.write("data", b"of a user");
    let test = device.give("self-test", &json!({})).await;
    let reset = device.give("factory-reset", &json!({})).await;
    device.ok(&["once"]);
    assert_eq!(device.ended(&test).await, (CommandState::Done, "5 tests passed".into()));
    assert_eq!(device.ended(&reset).await, (CommandState::Done, "fresh".into()));
    assert!(!device.path("data").exists());
    device.ok(&["once"]);
    // What is taken back before it was heard is never done.
    let late = device.give("open", &json!({})).await;
    let (service, owner) = (&platform.service, &platform.owner.caller);
    service.cancel_command(owner, &device.thing.id, &late).await.unwrap();
    device.ok(&["once"]);
    assert_eq!(device.done(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_done_when_the_machine_has_started_again() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let wrong = device.give("restart", &json!({"delay_s": 301})).await;
    let right = device.give("restart", &json!({"delay_s": 1})).await;
    assert_eq!(device.ok(&["once"])["outcome"], "restarting");
    assert_eq!(device.ended(&wrong).await.0, CommandState::Rejected);
    assert_eq!(device.ended(&right).await.0, CommandState::Accepted);
    assert_eq!(device.read("reboots"), b"\n");
    device.write("boot_id", b"start 2");
    device.ok(&["once"]);
    let (state, detail) = device.ended(&right).await;
    assert_eq!((state, detail.as_str()), (CommandState::Done, "the machine has started again"));
    assert_eq!(device.read("reboots"), b"\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_a_command_is_done_at_most_once_and_ends() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let mut done = 0;
    for point in fault::POINTS_COMMAND {
        let open = device.give("open", &json!({})).await;
        assert!(device.killed_at(point), "{point}");
        device.ok(&["once"]);
        device.ok(&["once"]);
        let (state, detail) = device.ended(&open).await;
        match point {
            "command-begun" | "command-done" => {
                assert_eq!(state, CommandState::Failed, "{point}");
                assert!(detail.contains("[interrupted]"), "{point}: {detail}");
                done += usize::from(point == "command-done");
            }
            _ => {
                assert_eq!(state, CommandState::Done, "{point}: {detail}");
                done += 1;
            }
        }
        assert_eq!(device.done(), done, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_taken_up_reported_and_settled() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let (service, owner, id) = (&platform.service, &platform.owner.caller, device.thing.id);
    let want = async |settings: &str| {
        let new = NewConfiguration {
            settings: settings.into(),
            reason: "night tariff".into(),
            replaces: None,
        };
        service.configure_device(owner, &id, new).await.unwrap();
    };
    let seen = async || service.configuration(owner, &id).await.unwrap();
    want(r#"{"interval_s": 60}"#).await;
    device.ok(&["once"]);
    assert_eq!(device.read("runs"), br#"{"interval_s":60}"#);
    assert!(seen().await.settled);
    // A hook that does not take them up: what runs stays what is reported.
    device.write("broken", b"");
    want(r#"{"interval_s": 30}"#).await;
    device.ok(&["once"]);
    assert_eq!(device.read("runs"), br#"{"interval_s":60}"#);
    let said = seen().await;
    assert_eq!((said.settled, said.reported.unwrap().version), (false, 1));
    std::fs::remove_file(device.path("broken")).unwrap();
    for point in fault::POINTS_SETTINGS {
        want(&format!(r#"{{"interval_s": 30, "point": "{point}"}}"#)).await;
        assert!(device.killed_at(point), "{point}");
        device.ok(&["once"]);
        assert!(String::from_utf8(device.read("runs")).unwrap().contains(point));
        assert!(seen().await.settled, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_that_runs_hears_its_owner_between_two_polls() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let mut child = device.command(&["run"]).spawn().unwrap();
    // After the first round, which looks at everything.
    std::thread::sleep(Duration::from_secs(3));
    let open = device.give("open", &json!({})).await;
    for _ in 0..100 {
        if device.known(&open).await.state == CommandState::Done {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(device.ended(&open).await.0, CommandState::Done);
    assert_eq!(device.done(), 1);
}

async fn works(device: &Device<'_>) -> usize {
    let (platform, id) = (device.platform, device.thing.id);
    let query = CertificateQuery { device: Some(id), status: Some(CertificateStatus::Good) };
    let owner = &platform.owner;
    let page = Page::default();
    let found = platform.service.certificates(&owner.caller, &owner.id, &query, &page).await;
    found.unwrap().items.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_erased_with_a_proof_and_the_device_is_nobody_after_that() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    assert_eq!(works(&device).await, 1);
    let secret = device.read("state/identity/ldevid");
    let erase = device.give("erase-keys", &json!({})).await;
    device.ok(&["once"]);
    let known = device.known(&erase).await;
    assert_eq!(known.state, CommandState::Done, "{known:?}");
    let proof = known.erasure.unwrap();
    let names: Vec<_> = proof.says.erased.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["ldevid", "sealing-key"]);
    assert_eq!((proof.says.command, proof.says.counter), (erase, 1));
    // Nothing of the keys is left, the certificate is revoked, and the history says so.
    assert!(!device.path("sealing.key").exists());
    assert!(std::fs::read_dir(device.path("state/identity")).unwrap().next().is_none());
    for entry in std::fs::read_dir(device.path("state")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(64).any(|part| part == &secret[secret.len() - 100..][..64]));
    }
    assert_eq!(works(&device).await, 0);
    let (service, owner) = (&platform.service, &platform.owner.caller);
    let page = Page::default();
    let events = service.history(owner, &device.thing.id, &page).await.unwrap().items;
    assert!(events.iter().any(|event| event.kind == Kind::CredentialRevoked));
    device.refused(&["once"], "configuration");
    // Another's proof, or one of another command, is none.
    let again = device.give("erase-keys", &json!({})).await;
    let wrong = service.hand_in_erasure(owner, &device.thing.id, &again, proof.statement).await;
    assert_eq!(wrong.unwrap_err().code(), "erasure-proof");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_an_erasure_there_is_no_proof_about_keys_that_are_there() {
    let platform = Platform::new(86_400).await;
    for point in ["command-begun"].into_iter().chain(fault::POINTS_ERASURE) {
        // The first time: of the answer that it is accepted, too.
        let device = Device::new(&platform).await;
        let erase = device.give("erase-keys", &json!({})).await;
        assert!(device.killed_at(point), "{point}");
        let proven = device.known(&erase).await.erasure.is_some();
        assert_eq!(proven, point == "after-command-answer", "{point}");
        device.run(&["once"]);
        let (state, detail) = device.ended(&erase).await;
        let status = device.ok(&["status"]);
        if point == "command-begun" {
            assert!(state == CommandState::Failed && detail.contains("[interrupted]"), "{detail}");
            assert!(device.path("state/identity/ldevid").exists());
            assert_eq!(works(&device).await, 1);
            continue;
        }
        assert!(!device.path("state/identity/ldevid").exists(), "{point}");
        assert!(!device.path("sealing.key").exists(), "{point}");
        assert_eq!(status["identity"], Value::Null, "{point}");
        if point == "after-command-answer" {
            assert_eq!(state, CommandState::Done);
            continue;
        }
        // It cannot be sent any more: somebody hands it in.
        assert!(!proven && works(&device).await == 1, "{point}");
        let text = status["commands"][0]["stage"]["proof"].as_str().unwrap();
        let proof = STANDARD.decode(text).unwrap();
        assert_eq!(KeysErased::claimed(&proof).unwrap().command, erase);
        let (service, owner) = (&platform.service, &platform.owner.caller);
        let stranger = &platform.maker.caller;
        let refused =
            service.hand_in_erasure(stranger, &device.thing.id, &erase, proof.clone()).await;
        assert_ne!(refused.unwrap_err().kind(), ErrorKind::Fatal);
        let done = service.hand_in_erasure(owner, &device.thing.id, &erase, proof).await.unwrap();
        assert_eq!(done.state, CommandState::Done, "{point}");
        assert_eq!(works(&device).await, 0, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_overwritten_saves_no_other_and_nobody_says_it_is_gone() {
    let platform = Platform::new(86_400).await;
    let device = Device::new(&platform).await;
    let erase = device.give("erase-keys", &json!({})).await;
    assert!(device.killed_at("erasure-recorded"));
    let first = device.path("state/identity/ldevid");
    std::fs::remove_file(&first).unwrap();
    // What is behind it is no file, and cannot be made shorter.
    std::os::unix::fs::symlink("/dev/full", &first).unwrap();
    device.refused(&["once"], "state-write");
    assert!(!device.path("sealing.key").exists());
    assert!(device.known(&erase).await.erasure.is_none());
    std::fs::remove_file(&first).unwrap();
    assert_eq!(device.ok(&["status"])["commands"][0]["stage"]["stage"], "begun");
    device.run(&["once"]);
    let status = device.ok(&["status"]);
    assert!(status["commands"][0]["stage"]["proof"].is_string(), "{status}");
}
