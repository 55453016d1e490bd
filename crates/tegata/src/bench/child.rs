//! `tegata serve` in a process of its own, so that its memory and CPU time are its own.

use anyhow::Context as _;
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// For how long a server is given to end by itself, in tenths of a second.
const ENDS_WITHIN_TENTHS: u32 = 300;

/// A server that runs until it is dropped, or this process ends.
pub struct ServerProcess {
    child: Child,
    /// where the TLS door listens
    pub tls: SocketAddr,
    /// where the door for public data listens
    pub public: SocketAddr,
    /// where the doors for messages listen, where they were asked for
    messages: Option<MessageDoors>,
}

/// Where the doors for messages listen that are not the TLS door.
#[derive(Debug, Clone, Copy)]
pub struct MessageDoors {
    /// MQTT
    pub mqtt: SocketAddr,
    /// MQTT over WebSocket
    pub websocket: SocketAddr,
    /// CoAP
    pub coap: SocketAddr,
}

impl ServerProcess {
    /// Starts this same program as a server of the data directory `dir`; returns when it serves.
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        Self::start_with(dir, &[], false)
    }

    /// The same with further arguments, and with the doors for messages where `messages` says so.
    pub fn start_with(dir: &Path, more: &[&str], messages: bool) -> anyhow::Result<Self> {
        let doors = ["--mqtt", "--mqtt-websocket", "--coap"].map(|door| [door, "127.0.0.1:0"]);
        let doors = if messages { doors.as_flattened() } else { &[] };
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--listen-public", "127.0.0.1:0"])
            // Its end of the pipe is closed when this process ends, even by SIGKILL.
            .args(["--console", "off", "--stop-with-stdin"])
            // The load comes from few addresses; what is measured is not how it is turned away.
            .args(["--requests-per-source", "1000000"])
            .args(more)
            .args(doors)
            .arg("--dir")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server's process")?;
        let stderr = child.stderr.take().context("the server's process has no stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = String::new();
        let (mut served, mut mqtt, mut websocket, mut coap) = (None, None, None, None);
        // The doors are named one after the other, and this one last.
        while served.is_none() || (messages && coap.is_none()) {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(address) = line.strip_prefix("mqtts://") {
                mqtt = address.trim().parse().ok();
            } else if let Some(address) = line.strip_prefix("wss://") {
                websocket = address.trim().trim_end_matches("/mqtt").parse().ok();
            } else if let Some(address) = line.strip_prefix("coaps://") {
                coap = address.trim().parse().ok();
            } else if let Some(found) = addresses(&line) {
                served = Some(found);
            } else {
                said.push_str(&line);
            }
        }
        let found = match (mqtt, websocket, coap) {
            (Some(mqtt), Some(websocket), Some(coap)) => {
                Some(MessageDoors { mqtt, websocket, coap })
            }
            _ => None,
        };
        let served = served.filter(|_| found.is_some() == messages);
        let Some((tls, public)) = served else {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("the server did not start: {said}");
        };
        // Somebody must read on, or the server blocks once the pipe is full.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("server: {line}");
            }
        });
        Ok(Self { child, tls, public, messages: found })
    }

    /// Where its doors for messages are.
    pub fn doors(&self) -> anyhow::Result<MessageDoors> {
        self.messages.context("the server has no doors for messages")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for ServerProcess {
    /// Lets it end by itself, which is when an instrumented one writes down what it did.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        for _ in 0..ENDS_WITHIN_TENTHS {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads `serving https://A and http://B`.
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (tls, public) = line.strip_prefix("serving https://")?.split_once(" and http://")?;
    Some((tls.parse().ok()?, public.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = addresses("serving https://127.0.0.1:8443 and http://[::1]:80");
        assert_eq!(read, Some(("127.0.0.1:8443".parse().unwrap(), "[::1]:80".parse().unwrap())));
        assert_eq!(addresses("warn: something"), None);
    }
}
