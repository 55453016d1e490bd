//! `tegata sim`: a small fleet and its attackers against a real server, with expectations that are met and
//! with one that is not.

use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// From nothing to a platform whose maker has a product line with an issuing CA.
const SETUP: &str = r"
set -eu
echo 'only this test knows these words' > words
tegata init --dir data --root root --root-passphrase-file words --name sim.test
cp data/root.pem root.pem
tegata --version > /dev/null
";
const MAKER: &str = r"
set -eu
tegata org create maker --name Maker --role maker
tegata org add-member maker --name line --role administrator --role operator --role station --out maker.pem
export TEGATA_CREDENTIAL=maker.pem
tegata org add-signer maker --out signer.pem
tegata product create maker gate --name Gate --model G1 --root-of-trust software
tegata ca request maker --product gate --name 'Gate CA' --years 0 --out gate.request
tegata ca sign --root root --passphrase-file words --request gate.request --out gate.pem --yes
tegata ca install --certificate gate.pem
";

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bash(dir: &Path, script: &str, server: &str) {
    let bin = Path::new(env!("CARGO_BIN_EXE_tegata")).parent().unwrap();
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(dir)
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("TEGATA_SERVER", server)
        .env("TEGATA_ROOTS", "root.pem")
        .env("TEGATA_CREDENTIAL", "admin.pem")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The server and the ports of its TLS, MQTT and WebSocket doors.
fn serve(dir: &Path) -> (Server, [u16; 4]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tegata"))
        .args(["serve", "--dir", "data", "--listen", "127.0.0.1:0"])
        .args(["--listen-public", "127.0.0.1:0", "--console", "off", "--stop-with-stdin"])
        .args(["--mqtt", "127.0.0.1:0", "--mqtt-websocket", "127.0.0.1:0"])
        .args(["--coap", "127.0.0.1:0", "--coap-raw-keys"])
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let server = Server(child);
    let port = |text: &str| text.rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let mut ports = [0; 4];
    for line in lines.by_ref() {
        if let Some(rest) = line.strip_prefix("serving https://") {
            ports[0] = port(rest.split(' ').next().unwrap());
        } else if let Some(rest) = line.strip_prefix("mqtts://") {
            ports[1] = port(rest);
        } else if let Some(rest) = line.strip_prefix("wss://") {
            ports[2] = port(rest.trim_end_matches("/mqtt"));
        } else if let Some(rest) = line.strip_prefix("coaps://") {
            ports[3] = port(rest);
            break;
        }
    }
    std::thread::spawn(move || lines.for_each(drop));
    (server, ports)
}

struct Desk {
    dir: tempfile::TempDir,
    ports: [u16; 4],
    _server: Server,
}

impl Desk {
    fn sim(&self, command: &str, more: &[&str]) -> Output {
        let [tls, mqtt, websocket, coap] = self.ports;
        let mut sim = Command::new(env!("CARGO_BIN_EXE_tegata"));
        sim.args(["--json", "sim", command]).args(more).args(["--state", "state"]);
        if command == "run" {
            sim.args(["--key", "signer.pem", "--connections", "60"])
                .args(["--mqtt-port", &mqtt.to_string()])
                .args(["--websocket-port", &websocket.to_string()])
                .args(["--coap-port", &coap.to_string()]);
        }
        sim.current_dir(self.dir.path())
            .env("TEGATA_SERVER", format!("https://localhost:{tls}"))
            .env("TEGATA_ROOTS", "root.pem")
            .env("TEGATA_CREDENTIAL", "maker.pem")
            .output()
            .unwrap()
    }

    fn play(&self, scenario: &str, code: i32) -> Value {
        std::fs::write(self.dir.path().join("scenario.toml"), scenario).unwrap();
        let output = self.sim("run", &["scenario.toml"]);
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}\n{complained}");
        serde_json::from_str(&said).unwrap()
    }
}

const FLEET: &str = r#"
name = "two hundred"
seed = 3
product = "gate"
duration = "6s"
ramp_up = "2s"
drain = "60s"
[[group]]
name = "sleepers"
count = 110
period = "3s"
jitter = 0.3
sample = 110
[group.payload]
celsius = { walk = { within = [-20.0, 60.0], step = 0.5 } }
n = { sequence = {} }
[group.offline]
share = 0.3
for = "3s"
every = "5s"
[group.expect]
refused_max = 0
undelivered_max = 0
[[group]]
name = "stays"
count = 30
connection = "always"
door = "websocket"
period = "1s"
commands = true
[group.expect]
refused_max = 0
undelivered_max = 0
[[group]]
name = "posts"
count = 40
door = "http"
period = "4s"
messages = 1
format = "cbor"
size = 300
[group.expect]
acknowledged_min = 36
refused_max = 0
[[group]]
name = "small"
count = 10
door = "coap"
period = "3s"
size = 1500
sample = 10
[group.expect]
acknowledged_min = 10
refused_max = 0
undelivered_max = 0
[[group]]
name = "smallest"
count = 10
door = "coap-raw-key"
period = "3s"
sample = 10
[group.expect]
acknowledged_min = 10
refused_max = 0
undelivered_max = 0
[expect]
lost = 0
other_alerts_max = 0
"#;

const ATTACKERS: &str = r#"
alerts = ["replay"]
[[command]]
name = "blink"
group = "stays"
count = 4
start = "4s"
done_min = 4
[[command]]
name = "factory-reset"
group = "stays"
start = "4s"
[[attacker]]
name = "thief"
kind = "stolen-certificate"
group = "stays"
[attacker.expect]
alert = "stolen-certificate"
[[attacker]]
name = "echo"
kind = "replay"
group = "sleepers"
[attacker.expect]
alert = "replay"
[[attacker]]
name = "noise"
kind = "malformed"
group = "sleepers"
[attacker.expect]
alert = "malformed-storm"
[[attacker]]
name = "probe"
kind = "topic-probing"
group = "posts"
count = 2
[attacker.expect]
refused_min = 30
alert = "topic-probing"
[[attacker]]
name = "stranger"
kind = "unknown-certificate"
group = "posts"
[[attacker]]
name = "outcast"
kind = "suspended"
group = "stays"
[[attacker]]
name = "ghost"
kind = "retired"
group = "posts"
[attacker.expect]
alert = "unwelcome-device"
"#;

#[test]
fn a_small_fleet_and_its_attackers_come_to_what_is_expected_or_not() {
    let dir = tempfile::tempdir().unwrap();
    bash(dir.path(), SETUP, "https://localhost:1");
    let (server, ports) = serve(dir.path());
    bash(dir.path(), MAKER, &format!("https://localhost:{}", ports[0]));
    let desk = Desk { dir, ports, _server: server };

    let report = desk.play(&format!("{FLEET}{ATTACKERS}"), 0);
    assert_eq!((&report["enrolled"], &report["met"]), (&200.into(), &true.into()));
    for group in report["groups"].as_array().unwrap() {
        assert_eq!(group["acknowledged"], group["made"], "{group}");
        assert!(group["acknowledged"].as_u64().unwrap() >= group["devices"].as_u64().unwrap() / 2);
    }
    let held = &report["held"];
    assert_eq!((&held["lost"], &held["missing"]), (&0.into(), &0.into()));
    assert!(held["devices"].as_u64().unwrap() >= 128, "{held}");
    assert!(held["looked_for"].as_u64().unwrap() >= 128, "{held}");
    for attacker in report["attackers"].as_array().unwrap() {
        let admitted = if attacker["kind"] == "stolen-certificate" { 1 } else { 0 };
        assert_eq!(attacker["admitted"], admitted, "{attacker}");
        assert!(attacker["attempts"].as_u64().unwrap() > 0, "{attacker}");
    }

    let told = &report["commands"];
    assert_eq!((&told[0]["done"], &told[1]["done"]), (&4.into(), &0.into()), "{told}");
    assert_eq!(told[1]["others"]["rejected"], 1, "{told}");

    // The same fleet: the one that is gone has a successor, and nobody else is enrolled again. What does
    // not come is said, and so is what comes and should not.
    let wrong = "\nalerts = ['passkey-copied']\n[[attacker]]\nname = 'again'\nkind = 'topic-probing'\n\
                 group = 'posts'\n[attacker.expect]\nrefused_min = 100000\n";
    let report = desk.play(&format!("{FLEET}{wrong}"), 2);
    assert_eq!((&report["enrolled"], &report["met"]), (&1.into(), &false.into()));
    let missed: Vec<&str> = report["expectations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["met"] == false)
        .map(|it| it["what"].as_str().unwrap())
        .collect();
    assert_eq!(missed, ["alerts of passkey-copied at least 1", "again: refused at least 100000"]);

    let output = desk.sim("clean", &[]);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complained}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["retired"], 200, "{said}");
    assert!(!desk.dir.path().join("state/gate.devices").exists());
}
