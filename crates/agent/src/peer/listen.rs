//! A device that other devices ask: bounded in connections, time and memory.

use super::{Judge, journal::Journal, kept::BUNDLE, talk};
use crate::{
    Config, Failure,
    clock::uptime_s,
    identity::{Credential, Identity},
    log,
    store::Store,
};
use ::peer::Side;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::Write as _,
    net::{IpAddr, Ipv6Addr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// Most conversations at a time, and those of one address.
const TALKS_MAX: usize = 32;
const TALKS_OF_ONE_MAX: usize = 8;
/// Rest after a failure to take a connection.
const REST: Duration = Duration::from_millis(200);
/// Seconds between lines about connections that were refused.
const TOLD_EVERY_S: u64 = 60;

/// What decides, and by which files.
struct Ready {
    judge: Arc<Judge>,
    shown: Credential,
    of: Vec<Option<(u64, i64, i64)>>,
}

/// A listening device.
struct Listener {
    config: Config,
    ready: Mutex<Option<Arc<Ready>>>,
    talks: Mutex<HashMap<IpAddr, usize>>,
    journal: Mutex<Journal>,
    json: bool,
}

/// Serves until it is stopped, or until it has served so many conversations.
///
/// # Errors
/// `connection` where the address cannot be had.
pub(super) fn listen(
    config: &Config,
    address: &str,
    most: Option<u64>,
    json: bool,
) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::unavailable("connection", format!("{address}: {error}"));
    let socket = TcpListener::bind(address).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    let listener = Arc::new(Listener {
        config: config.clone(),
        ready: Mutex::default(),
        talks: Mutex::default(),
        journal: Mutex::default(),
        json,
    });
    // What is wrong already is said before anybody asks.
    if let Err(failure) = listener.ready() {
        log::warning(failure.code, &failure.detail);
    }
    listener.say(&json!({"listening": bound.to_string()}));
    let mut served: u64 = 0;
    let (mut full, mut told_s): (u64, u64) = (0, 0);
    while most.is_none_or(|most| served < most) {
        let (stream, from) = match socket.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                log::warning("connection", &error.to_string());
                thread::sleep(REST);
                continue;
            }
        };
        served = served.saturating_add(1);
        let from = from.ip().to_canonical();
        if full > 0 && uptime_s().saturating_sub(told_s) >= TOLD_EVERY_S {
            let what = format!("{full} refused: too many conversations at a time");
            log::warning("connection", &what);
            (full, told_s) = (0, uptime_s());
        }
        let Some(place) = Place::take(&listener, from) else {
            full = full.saturating_add(1);
            continue;
        };
        if most.is_some() {
            listener.serve(stream, from);
            drop(place);
            continue;
        }
        let of = listener.clone();
        let begun = thread::Builder::new().name("peer".to_owned()).spawn(move || {
            of.serve(stream, from);
            drop(place);
        });
        if let Err(error) = begun {
            log::warning("connection", &error.to_string());
        }
    }
    Ok(())
}

/// A conversation's place among those that there may be.
struct Place {
    listener: Arc<Listener>,
    from: IpAddr,
}

impl Place {
    fn take(listener: &Arc<Listener>, from: IpAddr) -> Option<Self> {
        let from = source_of(from);
        let mut talks = listener.talks.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = talks.values().sum();
        let own = talks.get(&from).copied().unwrap_or(0);
        if all >= TALKS_MAX || own >= TALKS_OF_ONE_MAX {
            return None;
        }
        talks.insert(from, own.saturating_add(1));
        Some(Self { listener: listener.clone(), from })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut talks = self.listener.talks.lock().unwrap_or_else(PoisonError::into_inner);
        let left = talks.get(&self.from).copied().unwrap_or(0).saturating_sub(1);
        match left {
            0 => talks.remove(&self.from),
            left => talks.insert(self.from, left),
        };
    }
}

impl Listener {
    fn serve(&self, stream: TcpStream, from: IpAddr) {
        let ready = match self.ready() {
            Ok(ready) => ready,
            Err(failure) => return self.failed(&failure, from),
        };
        match talk::serve(&ready.judge, &ready.shown, stream) {
            Ok(talked) => {
                let number = ready.judge.bundle().statement().number;
                let (decision, operation) = (&talked.decision, talked.operation.as_str());
                self.journal().put(&self.config, decision, Side::Serves, operation, number);
                let mut shown = ready.judge.shown(decision, Side::Serves, operation);
                if let Some(shown) = shown.as_object_mut() {
                    shown.insert("from".to_owned(), from.to_string().into());
                }
                self.say(&shown);
            }
            Err(failure) => self.failed(&failure, from),
        }
    }

    fn failed(&self, failure: &Failure, from: IpAddr) {
        // What a stranger sends that is no conversation is nothing that was decided.
        if !matches!(failure.code, "connection" | "tls" | "peer-refused") {
            self.journal().undecided(&self.config, failure.code);
        }
        log::warning(failure.code, &format!("{from}: {}", failure.detail));
        let from = from.to_string();
        self.say(&json!({"permitted": false, "code": failure.code, "detail": failure.detail, "from": from}));
    }

    fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What decides now: read anew where the bundle or the device's certificate is another.
    fn ready(&self) -> Result<Arc<Ready>, Failure> {
        let store = Store::look(&self.config.state);
        let of = vec![stamp(&store, BUNDLE), stamp(&store, "identity/ldevid")];
        let mut kept = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = kept.as_ref().filter(|ready| ready.of == of) {
            return Ok(ready.clone());
        }
        // What was is not good enough where it cannot be read again.
        *kept = None;
        let shown = credential(&self.config)?;
        let judge = Arc::new(Judge::open(&self.config)?);
        let ready = Arc::new(Ready { judge, shown, of });
        *kept = Some(ready.clone());
        Ok(ready)
    }

    fn say(&self, value: &Value) {
        let text = if self.json { value.to_string() } else { line(value) };
        // Where nobody reads it any more the device serves on.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

/// Whose connections are counted together: an IPv4 address, or an IPv6 /64 network.
fn source_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)))
        }
    }
}

/// A line for people.
fn line(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    if let Some(address) = value.get("listening").and_then(Value::as_str) {
        return format!("listening at {address}");
    }
    let device = value.pointer("/peer/device").and_then(Value::as_str).unwrap_or("unknown device");
    format!("{} {device} {} ({})", text("code"), text("operation"), text("from"))
}

/// Which file that is: a file that was replaced is another.
fn stamp(store: &Store, name: &str) -> Option<(u64, i64, i64)> {
    let meta = std::fs::metadata(store.path(name)).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

/// What the device shows.
///
/// # Errors
/// `not-enrolled`.
pub(super) fn credential(config: &Config) -> Result<Credential, Failure> {
    let store = Store::look(&config.state);
    let none = || Failure::refused("not-enrolled", "run: tegata-agent enrol");
    Identity::open(config, &store)?.ldevid()?.ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_source() {
        let of = |text: &str| source_of(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
