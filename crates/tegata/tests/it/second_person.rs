//! The commands about people and second persons, against a running server; and a server that is
//! killed between the approval of an act and the act.

use serde_json::Value;
use service::fault;
use std::{
    io::{BufRead as _, BufReader},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

const SIGKILL: i32 = 9;

/// A server that does not outlive the test.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start(dir: &Path, kill_at: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tegata"));
        command
            .args(["serve", "--dir", "data", "--listen", "127.0.0.1:0"])
            .args(["--listen-public", "127.0.0.1:0", "--console", "127.0.0.1:0"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env_remove(fault::VARIABLE);
        if let Some(point) = kill_at {
            command.env(fault::VARIABLE, point);
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (address, _) = line.strip_prefix("serving https://")?.split_once(" and ")?;
            Some(address.parse::<std::net::SocketAddr>().unwrap().port())
        });
        // Its pipe is read to the end, so that it never waits for a reader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port: port.expect("the server opened its door") }
    }

    /// Runs a command with a credential.
    pub(crate) fn try_run(&self, dir: &Path, credential: &str, command: &str) -> Output {
        run(dir, Some((self.port, credential)), command)
    }

    /// Runs a command that must work; the lines of JSON that it prints.
    pub(crate) fn run(&self, dir: &Path, credential: &str, command: &str) -> Vec<Value> {
        let output = self.try_run(dir, credential, &format!("{command} --json"));
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that must be refused; what it says.
    pub(crate) fn refused(&self, dir: &Path, credential: &str, command: &str) -> String {
        let output = self.try_run(dir, credential, command);
        assert!(!output.status.success(), "{command}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// The newest request of the platform's organisation.
    fn newest(&self, dir: &Path) -> (String, Value) {
        let all = self.run(dir, "second.pem", "approval list platform");
        (all[0]["id"].as_str().unwrap().to_owned(), all[0].clone())
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn run(dir: &Path, at: Option<(u16, &str)>, command: &str) -> Output {
    let mut tegata = Command::new(env!("CARGO_BIN_EXE_tegata"));
    tegata.args(command.split(' ')).current_dir(dir).env("LANG", "C.UTF-8");
    if let Some((port, credential)) = at {
        tegata
            .env("TEGATA_SERVER", format!("https://localhost:{port}"))
            .env("TEGATA_ROOTS", "data/root.pem")
            .env("TEGATA_CREDENTIAL", credential);
    }
    tegata.output().unwrap()
}

/// The fields `name` of each, in order.
fn each<'a>(all: &'a [Value], name: &str) -> Vec<&'a str> {
    all.iter().map(|one| one[name].as_str().unwrap()).collect()
}

fn roles(server: &Server, dir: &Path, handle: &str) -> Vec<String> {
    let people = server.run(dir, "admin.pem", "person list platform");
    let person = people.iter().find(|one| one["handle"] == handle).unwrap();
    let roles = person["roles"].as_array().unwrap();
    roles.iter().map(|role| role.as_str().unwrap().to_owned()).collect()
}

#[test]
fn people_are_managed_and_two_decide_also_when_the_server_dies_between() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("pass"), "correct horse battery staple\n").unwrap();
    let made = run(dir, None, "init --dir data --root root --root-passphrase-file pass");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let server = Server::start(dir, None);

    // People: invited by a link that is printed once, invited again, listed.
    let invited =
        server.run(dir, "admin.pem", "person invite platform hanako --name Hanako --role reader");
    let link = invited[0]["link"].as_str().unwrap().to_owned();
    assert!(link.contains("/invitation/tgi_"), "{link}");
    let again = server.run(dir, "admin.pem", "person invite platform hanako --again");
    assert_ne!(again[0]["link"], invited[0]["link"]);
    let people = server.run(dir, "admin.pem", "person list platform");
    assert_eq!(
        (each(&people, "handle"), each(&people, "state")),
        (vec!["hanako"], vec!["invited"])
    );
    let taken = "person invite platform hanako --name Other --role reader";
    assert!(server.refused(dir, "admin.pem", taken).contains("handle"));
    assert!(server.run(dir, "admin.pem", "person sessions platform hanako").is_empty());
    server.run(dir, "admin.pem", "person sessions platform hanako --end");

    // Another organisation's first administrator.
    server.run(dir, "admin.pem", "org create shop --name Shop");
    let first = |server: &Server| {
        let found = server.run(dir, "admin.pem", "org first shop");
        found[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(first(&server), "wanted");
    let invite = "person invite shop taro --name Taro --role administrator";
    server.run(dir, "admin.pem", invite);
    assert_eq!(first(&server), "invited");

    // With a second administrator, roles take two.
    server.run(
        dir,
        "admin.pem",
        "org add-member platform --name second --role administrator --out second.pem",
    );
    let promote = "person roles platform hanako --role administrator";
    let said = server.refused(dir, "admin.pem", promote);
    let (id, waiting) = server.newest(dir);
    assert!(said.contains(&id) && waiting["state"] == "waiting", "{said}: {waiting}");
    assert_eq!(waiting["can_approve"], true);
    for own in ["approve", "reject"] {
        let said = server.refused(dir, "admin.pem", &format!("approval {own} {id}"));
        assert!(said.contains("another administrator"), "{said}");
    }
    let rejected = server.run(dir, "second.pem", &format!("approval reject {id}"));
    assert_eq!(rejected[0]["state"], "rejected");
    assert_eq!(roles(&server, dir, "hanako"), ["reader"]);

    server.refused(dir, "admin.pem", promote);
    let (id, _) = server.newest(dir);
    let withdrawn = server.run(dir, "admin.pem", &format!("approval withdraw {id}"));
    assert_eq!(withdrawn[0]["state"], "withdrawn");
    let late = server.refused(dir, "second.pem", &format!("approval approve {id}"));
    assert!(late.contains("decided"), "{late}");

    server.refused(dir, "admin.pem", promote);
    let (id, _) = server.newest(dir);
    let done = server.run(dir, "second.pem", &format!("approval approve {id}"));
    assert_eq!(done[0]["state"], "done");
    assert_eq!(roles(&server, dir, "hanako"), ["administrator"]);
    let shown = server.try_run(dir, "second.pem", &format!("approval show {id}"));
    assert!(text(&shown.stdout).contains("hanako"), "{}", text(&shown.stdout));

    // The policy itself takes two as soon as anything does.
    let rule = |server: &Server, act: &str| {
        let rules = server.run(dir, "admin.pem", "approval policy platform");
        rules.iter().find(|rule| rule["act"] == act).unwrap()["required"].as_bool().unwrap()
    };
    assert!(rule(&server, "change-roles") && !rule(&server, "export"));
    server.refused(dir, "admin.pem", "approval policy platform --require export");
    let (id, _) = server.newest(dir);
    server.run(dir, "second.pem", &format!("approval approve {id}"));
    assert!(rule(&server, "export"));

    // Last resorts are for who is lost, not for who never came.
    let unknown = server.refused(dir, "admin.pem", "person recover platform nobody");
    assert!(unknown.contains("hint:") || unknown.contains("no such"), "{unknown}");
    drop(server);
    let recover =
        "person recover platform hanako --data data --console-url https://console.example";
    let said = run(dir, None, recover);
    assert!(!said.status.success() && text(&said.stderr).contains("registered"));

    // Killed after the approval is durable and before the act is done: the next start does it.
    let mut server = Server::start(dir, Some(fault::BEFORE_ACT));
    server.refused(dir, "admin.pem", "person roles platform hanako --role reader");
    let (id, waiting) = server.newest(dir);
    assert_eq!(waiting["state"], "waiting");
    server.refused(dir, "second.pem", &format!("approval approve {id}"));
    let status = server.child.wait().unwrap();
    assert_eq!(status.signal(), Some(SIGKILL), "it died at the named step: {status}");
    drop(server);
    let server = Server::start(dir, None);
    // A thread of its own does it, soon after the door is open.
    let state = || server.run(dir, "second.pem", &format!("approval show {id}"))[0].clone();
    let done = std::iter::repeat_with(|| {
        std::thread::sleep(Duration::from_millis(100));
        state()
    })
    .take(600)
    .find(|view| view["state"] != "approved")
    .expect("carried out within a minute and more");
    assert_eq!((&done["state"], &done["outcome"]), (&"done".into(), &"done".into()));
    assert_eq!(roles(&server, dir, "hanako"), ["reader"]);
    // Once, and not once more.
    let changes = server.run(dir, "admin.pem", "audit list --kind account-change");
    let done = changes.iter().filter(|event| {
        event["details"]["what"] == "roles-changed" && event["details"]["roles"] == "reader"
    });
    assert_eq!(done.count(), 1, "{changes:?}");
    server.run(dir, "second.pem", "audit verify");
}
