//! The bundle on disk: fetched or handed over, believed, kept; never an older one again.
//!
//! ```text
//! trust/bundle   as it came
//! trust/number   the newest number that was kept here
//! trust/seen     the latest time that was seen while a bundle was good
//! trust/ended    the newest number of a bundle that was seen to have ended
//! trust/lock     held by whoever writes the others
//! ```

use crate::{
    Failure, clock, fault,
    files::{self, Mode, STATE},
    identity::Identity,
    log,
    net::{Call, Client},
    store::Store,
};
use ::peer::{BUNDLE_BYTES_MAX, BundleError, CLOCK_TOLERANCE_S, Code, TrustBundle};
use crypto::UnixTime;
use device::DeviceId;
use pki::{Certificate, validate::Anchors};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::fs::File;

const FOLDER: &str = "trust";
pub(super) const BUNDLE: &str = "trust/bundle";
const NUMBER: &str = "trust/number";
const SEEN: &str = "trust/seen";
const ASKED: &str = "trust/asked";
const ENDED: &str = "trust/ended";
const LOCK: &str = "trust/lock";
/// Seconds by which the time moves on before it is kept again.
const SEEN_EVERY_S: i64 = 600;

/// What became of a bundle that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// it is kept, with this number
    Kept(u64),
    /// it is the one that is kept already
    Known,
}

/// Who this device is, and whose, as its owner's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    device: DeviceId,
    owner: String,
}

/// Who this device is, as its owner's certificate says.
///
/// # Errors
/// `not-enrolled`.
pub(super) fn own_device(identity: &Identity<'_>) -> Result<Own, Failure> {
    let none = || Failure::refused("not-enrolled", "run: tegata-agent enrol");
    let shown = identity.ldevid()?.ok_or_else(none)?;
    let leaf = shown.chain.first().ok_or_else(none)?;
    own_of(leaf)
}

fn own_of(leaf: &Certificate) -> Result<Own, Failure> {
    let device = leaf.common_name().unwrap_or_default().parse().map_err(|_| {
        let detail = "the device's certificate does not name a device of this platform";
        Failure::refused("trust-bundle-other", detail)
    })?;
    Ok(Own { device, owner: leaf.organization().unwrap_or_default() })
}

/// The bundle that is kept, believed anew.
///
/// # Errors
/// `trust-bundle-none`, `trust-bundle-refused`, `trust-bundle-older`, `trust-bundle-other`.
pub(super) fn load(
    store: &Store,
    roots: &[Certificate],
    own: &Own,
) -> Result<TrustBundle, Failure> {
    let bytes = read(store)?.ok_or_else(|| {
        let detail = "the device has no trust bundle yet; run: tegata-agent peer fetch";
        Failure::unavailable("trust-bundle-none", detail)
    })?;
    let bundle = believed(&bytes, roots, own)?;
    require_newest(bundle.statement().number, numbered(store)?)?;
    Ok(bundle)
}

fn read(store: &Store) -> Result<Option<Vec<u8>>, Failure> {
    files::read(&store.path(BUNDLE), u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX))
}

fn believed(bytes: &[u8], roots: &[Certificate], own: &Own) -> Result<TrustBundle, Failure> {
    let bundle = verified(bytes, roots)?;
    let statement = bundle.statement();
    let other = |what: String| Err(Failure::refused("trust-bundle-other", what));
    if statement.device != own.device {
        return other(format!("the trust bundle is for device {}", statement.device));
    }
    // What a former owner chose decides nothing for the present one.
    if statement.owner.as_str() != own.owner {
        let Own { owner, .. } = own;
        return other(format!("the trust bundle is {}'s, the device {owner}'s", statement.owner));
    }
    Ok(bundle)
}

fn verified(bytes: &[u8], roots: &[Certificate]) -> Result<TrustBundle, Failure> {
    let roots: Anchors = roots.iter().cloned().collect();
    Ok(TrustBundle::verify(bytes, &roots).map_err(|it| refused(&it))?.into_inner())
}

fn refused(error: &BundleError) -> Failure {
    Failure::refused("trust-bundle-refused", error.to_string())
}

/// Waits until nobody else writes there: a listener's conversations, other commands and the agent do so at
/// the same time. Whoever holds it takes it no second time.
fn hold(store: &Store) -> Result<File, Failure> {
    files::folder(&store.path(FOLDER))?;
    let path = store.path(LOCK);
    let failed = |error: std::io::Error| files::write_failed(&path, &error);
    let lock = File::options().create(true).append(true).open(&path).map_err(failed)?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
    Ok(lock)
}

/// The newest number that is put down.
fn numbered(store: &Store) -> Result<u64, Failure> {
    Ok(store.record::<u64>(NUMBER)?.unwrap_or(0))
}

/// Puts a number down, where a crash kept it from being so.
fn number(store: &Store, number: u64) -> Result<(), Failure> {
    if number > numbered(store)? { store.keep(NUMBER, &number) } else { Ok(()) }
}

fn require_newest(number: u64, newest: u64) -> Result<(), Failure> {
    if number < newest {
        let detail = format!("the trust bundle has number {number}, and {newest} was here before");
        return Err(Failure::refused("trust-bundle-older", detail));
    }
    Ok(())
}

/// Takes a bundle: where this returns, it is on disk, and no older one counts any more.
///
/// # Errors
/// As [`load`]; `trust-bundle-ended`, `clock-behind`, `state-write`, `disk-full`.
pub(crate) fn take(
    store: &Store,
    roots: &[Certificate],
    own: &Own,
    bytes: &[u8],
) -> Result<Taken, Failure> {
    let bundle = believed(bytes, roots, own)?;
    let of = bundle.statement().number;
    let _lock = hold(store)?;
    let kept = read(store)?;
    // After a crash the bundle that is kept may be newer than the number; whose it was counts nothing.
    let there = kept.as_deref().and_then(|kept| verified(kept, roots).ok());
    let there = there.filter(|kept| kept.statement().device == own.device);
    let there = there.map(|kept| kept.statement().number);
    require_newest(of, numbered(store)?.max(there.unwrap_or(0)))?;
    if kept.as_deref() == Some(bytes) {
        number(store, of)?;
        return Ok(Taken::Known);
    }
    // Where another one stands in its place that is older, or none, it comes back.
    if there == Some(of) {
        let detail = format!("another trust bundle with number {of} was here before");
        return Err(Failure::refused("trust-bundle-older", detail));
    }
    time(store, &bundle)?;
    files::replace(&store.path(BUNDLE), bytes, Mode::Private, STATE)?;
    fault::point("trust-bundle-written");
    // After a crash here the number is still the older one, and the bundle that is kept says the newer.
    number(store, of)?;
    Ok(Taken::Kept(of))
}

/// The time by which is decided.
///
/// # Errors
/// `clock-behind` where the machine's clock is behind what was seen before, `trust-bundle-ended`.
pub(super) fn now(store: &Store, bundle: &TrustBundle) -> Result<UnixTime, Failure> {
    let time = time(store, bundle);
    let kept = match &time {
        Ok(now) => see(store, *now),
        Err(failure) if failure.code == ENDED_CODE => end(store, bundle.statement().number),
        Err(_) => Ok(()),
    };
    if let Err(failure) = kept {
        log::warning(failure.code, &failure.detail);
    }
    time
}

const ENDED_CODE: &str = "trust-bundle-ended";

/// The time; nothing is put down.
fn time(store: &Store, bundle: &TrustBundle) -> Result<UnixTime, Failure> {
    let now = clock::wall();
    let seen = seen(store)?;
    if now < seen.plus(-CLOCK_TOLERANCE_S) {
        let detail = format!(
            "the clock says {now}, and {seen} was seen before; set it, or where that was wrong run: \
             tegata-agent self-test --accept-clock"
        );
        return Err(Failure::refused("clock-behind", detail));
    }
    // What has ended stays so, whatever the clock says later.
    if bundle.statement().number <= ended(store)? {
        let detail = "the trust bundle was seen to have ended; run: tegata-agent peer fetch";
        return Err(Failure::refused(ENDED_CODE, detail));
    }
    bundle.require_good(now).map_err(|refused| {
        let code = match refused.code {
            Code::ClockBehind => "clock-behind",
            _ => ENDED_CODE,
        };
        Failure::refused(code, refused.detail)
    })?;
    Ok(now)
}

/// Puts the time down, in steps. No further than the end of a bundle: a clock that is far ahead for a
/// moment ends the bundle, until the platform says that it is good.
fn see(store: &Store, now: UnixTime) -> Result<(), Failure> {
    if now.since(seen(store)?) <= SEEN_EVERY_S {
        return Ok(());
    }
    let _lock = hold(store)?;
    if now > seen(store)? { store.keep(SEEN, &now.0) } else { Ok(()) }
}

/// Puts down that a bundle has ended.
fn end(store: &Store, number: u64) -> Result<(), Failure> {
    if number <= ended(store)? {
        return Ok(());
    }
    let _lock = hold(store)?;
    if number > ended(store)? { store.keep(ENDED, &number) } else { Ok(()) }
}

/// The latest time that is known to have been.
fn seen(store: &Store) -> Result<UnixTime, Failure> {
    Ok(store.record::<i64>(SEEN)?.map(UnixTime).unwrap_or_default())
}

fn ended(store: &Store) -> Result<u64, Failure> {
    Ok(store.record::<u64>(ENDED)?.unwrap_or(0))
}

/// Looks at the clock while nothing is decided, so that a bundle ends on a device that nobody asks.
pub(crate) fn look(store: &Store) {
    let looked = read(store).and_then(|kept| {
        let Some(claimed) = kept.and_then(|kept| TrustBundle::claimed(&kept).ok()) else {
            return Ok(());
        };
        let now = clock::wall();
        if now > claimed.expires { end(store, claimed.number) } else { see(store, now) }
    });
    if let Err(failure) = looked {
        log::warning(failure.code, &failure.detail);
    }
}

/// Takes the clock as it is for right.
///
/// # Errors
/// `state-write`.
pub(crate) fn accept_clock(store: &Store) -> Result<(), Failure> {
    let _lock = hold(store)?;
    files::remove(&store.path(ENDED))?;
    files::remove(&store.path(SEEN))
}

/// Whether it is time to ask for a bundle. The clock counts here, as it may: asking too often or too
/// rarely decides nothing.
pub(crate) fn due(store: &Store, poll_s: u64) -> bool {
    let asked = store.record::<i64>(ASKED).ok().flatten().unwrap_or(0);
    let poll_s = i64::try_from(poll_s).unwrap_or(i64::MAX);
    !(0..poll_s).contains(&clock::wall().since(UnixTime(asked)))
}

/// Asks the platform for a bundle, and takes it. `None`: the one that is kept is the newest.
///
/// # Errors
/// As [`take`]; `trust-bundle-none` where the platform has none for this device; `connection`, `tls`,
/// `http`, `http-status`.
pub(crate) fn fetch(
    store: &Store,
    client: &Client,
    roots: &[Certificate],
    leaf: &Certificate,
) -> Result<Option<u64>, Failure> {
    let own = own_of(leaf)?;
    {
        let _lock = hold(store)?;
        store.keep(ASKED, &clock::wall().0)?;
    }
    let known = load(store, roots, &own).ok();
    let path = format!("/v1/devices/{}/trust-bundle", own.device);
    let mut call = Call::get(&path).with("Accept", ::peer::MEDIA_TYPE.to_owned());
    if let Some(known) = &known {
        call = call.with("If-None-Match", format!("\"{}\"", known.statement().number));
    }
    let mut connection = client.connect()?;
    let mut reply = connection.send(&call)?;
    let status = reply.head.status;
    let bytes = reply.all(u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX))?;
    match status {
        200 => {}
        304 => {
            if let Some(known) = known {
                confirm(store, known.statement().number)?;
            }
            return Ok(None);
        }
        404 | 409 => {
            let text = String::from_utf8_lossy(&bytes);
            let start: String = text.chars().take(300).collect();
            let detail = format!("the platform has no trust bundle for this device: {start}");
            return Err(Failure::unavailable("trust-bundle-none", detail));
        }
        _ => {
            let detail = format!("{path} is answered {status}");
            return Err(Failure::unavailable("http-status", detail));
        }
    }
    match take(store, roots, &own, &bytes)? {
        Taken::Kept(number) => {
            log::info("trust-bundle", &format!("number {number} is kept"));
            Ok(Some(number))
        }
        Taken::Known => Ok(None),
    }
}

/// The platform gives this one out now: it is the newest, and has not ended.
fn confirm(store: &Store, of: u64) -> Result<(), Failure> {
    let _lock = hold(store)?;
    number(store, of)?;
    if ended(store)? == of { files::remove(&store.path(ENDED)) } else { Ok(()) }
}

/// What is kept, for people. Believed by nobody: to decide by it, it is read anew.
///
/// # Errors
/// `state-damaged`, `state-read`.
pub(crate) fn shown(store: &Store) -> Result<Value, Failure> {
    let Some(bytes) = read(store)? else { return Ok(Value::Null) };
    let newest = store.record::<u64>(NUMBER)?;
    Ok(match TrustBundle::claimed(&bytes) {
        Ok(claimed) => json!({
            "number": claimed.number,
            "newest": newest,
            "owner": claimed.owner.to_string(),
            "issued": claimed.issued_at.to_string(),
            "expires": claimed.expires.to_string(),
            "ended": clock::wall() > claimed.expires,
        }),
        Err(error) => json!({"damaged": error.to_string(), "newest": newest}),
    })
}

#[cfg(test)]
mod tests;
