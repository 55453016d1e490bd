//! Use cases: security events to a SIEM as they happen (LG-3). docs/stream.md.
//!
//! The audit log is the spool: a stream is a place in it, which moves on when a receiver has taken
//! events. So a receiver that stands still costs nothing, stops no door and loses nothing, and who
//! reads the log later knows what each receiver was sent. Connections are the server's.

use crate::{
    Service, ServiceError,
    live::found,
    store::{
        audit_head,
        stream::{self as store, Reached, StreamRow},
    },
};
use audit::{SecurityEvent, stream::Record};
use crypto::{Secret, Sha256, UnixTime};
use device::OrganisationId;
use pki::Certificate;
use policy::{Action, Caller, Resource};
use std::path::PathBuf;

/// Most streams of an installation.
pub const STREAMS_MAX: usize = 16;
/// Longest text that says why a receiver took nothing, in characters.
const FAILURE_CHARS_MAX: usize = 300;
/// Longest `Authorization` field, in bytes.
const AUTHORIZATION_BYTES_MAX: usize = 4096;
/// Longest list of root certificates, in bytes and in certificates.
const ROOTS_MAX: (usize, usize) = (64 * 1024, 16);
/// What is counted of what a receiver has not got yet.
const BEHIND_MAX: u64 = 1_000_000;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamTarget {
    /// syslog over TLS (RFC 5425): `syslog-tls://HOST[:PORT]`, port 6514 where none is named
    SyslogTls {
        /// name or address, which the receiver's certificate must be for
        host: String,
        /// port
        port: u16,
    },
    /// lines of JSON in a `POST`: `https://HOST[:PORT]/PATH`
    Https {
        /// name or address, which the receiver's certificate must be for
        host: String,
        /// port
        port: u16,
        /// path and query
        path: String,
    },
    /// lines of JSON in a file of the data directory: `file`
    File,
}

impl StreamTarget {
    /// Reads one of the three forms.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "file" {
            return Some(Self::File);
        }
        let (scheme, host, port, path) = address(text)?;
        match (scheme, path.as_str()) {
            ("syslog-tls", "/") => Some(Self::SyslogTls { host, port: port.unwrap_or(6514) }),
            ("https", _) => Some(Self::Https { host, port: port.unwrap_or(443), path }),
            _ => None,
        }
    }
}

/// Scheme, host, port, and path with query of a receiver; no user, no fragment.
pub(crate) fn address(text: &str) -> Option<(&str, String, Option<u16>, String)> {
    let plain = text.len() <= 1024 && text.bytes().all(|byte| byte.is_ascii_graphic());
    let (scheme, rest) = text.split_once("://").filter(|_| plain)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let (host, port) = match authority.rsplit_once(':') {
        // `[::1]` without a port has colons, too.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let named = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    if bare.is_empty() || !named || port == Some(0) || path.contains('#') {
        return None;
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some((scheme, bare.to_ascii_lowercase(), port, path))
}

/// A stream that somebody wants.
#[derive(Debug)]
pub struct NewAuditStream {
    /// its name: `a-z 0-9 -`, at most 32, a letter first
    pub name: String,
    /// whose events; everybody's where nobody is named
    pub organisation: Option<OrganisationId>,
    /// where they go, as [`StreamTarget::parse`] reads it
    pub target: String,
    /// CAs of the receiver, in PEM
    pub roots: Option<String>,
    /// `Authorization` field for `https`
    pub authorization: Option<Secret>,
    /// from the first event of the log on; otherwise from now on
    pub from_beginning: bool,
}

/// A stream and how far its receiver has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditStreamView {
    /// its name
    pub name: String,
    /// whose events; everybody's where nobody is named
    pub organisation: Option<OrganisationId>,
    /// where they go
    pub target: String,
    /// nothing is sent for now
    pub paused: bool,
    /// since when there is the stream
    pub created_at: UnixTime,
    /// who made it
    pub created_by: String,
    /// place in the log after which it begins
    pub starts_after: u64,
    /// place in the log of the last event that was delivered
    pub sequence: u64,
    /// its number within the stream
    pub number: u64,
    /// events that wait, counted up to a million
    pub behind: u64,
    /// when events were delivered last
    pub delivered_at: Option<UnixTime>,
    /// since when delivery fails
    pub failing_since: Option<UnixTime>,
    /// why
    pub failure: Option<String>,
}

/// An event as a receiver gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedEvent {
    /// number within the stream
    pub number: u64,
    /// place in the log
    pub sequence: u64,
    /// hash of the chain up to here
    pub hash: Sha256,
    /// the event
    pub event: SecurityEvent,
}

/// A stream for whoever delivers it. `revision` changes with its settings.
#[derive(Debug)]
pub struct OpenedStream {
    /// identifies it, also against a later one of the same name
    pub id: i64,
    /// changes with its settings
    pub revision: u64,
    /// its name
    pub name: String,
    /// where events go
    pub target: StreamTarget,
    /// CAs of the receiver
    pub roots: Vec<Certificate>,
    /// `Authorization` field
    pub authorization: Option<Secret>,
    /// how far the receiver has come
    pub place: StreamPlace,
}

/// The last event that a receiver has: place in the log and number within the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPlace {
    /// place in the log
    pub sequence: u64,
    /// number within the stream
    pub number: u64,
}

impl From<Reached> for StreamPlace {
    fn from(Reached { sequence, number }: Reached) -> Self {
        Self { sequence, number }
    }
}

impl From<StreamPlace> for Reached {
    fn from(StreamPlace { sequence, number }: StreamPlace) -> Self {
        Self { sequence, number }
    }
}

impl StreamedEvent {
    /// The place after it.
    pub fn place(&self) -> StreamPlace {
        StreamPlace { sequence: self.sequence, number: self.number }
    }

    /// Its place as the forms of `audit` take it.
    pub fn record<'a>(&self, stream: &'a str) -> Record<'a> {
        Record { stream, number: self.number, sequence: self.sequence, hash: self.hash }
    }

    /// The OCSF object that receivers get.
    pub fn object(&self, stream: &str) -> serde_json::Value {
        self.record(stream).object(&self.event, env!("CARGO_PKG_VERSION"))
    }

    /// The same on one line.
    pub fn json(&self, stream: &str) -> String {
        self.record(stream).json(&self.event, env!("CARGO_PKG_VERSION"))
    }
}

impl Service {
    /// Begins a stream. Platform administrators do: events go out from the platform's machine to
    /// wherever the stream says.
    ///
    /// # Errors
    /// `role`; `stream-name`, `stream-target`, `stream-roots`, `stream-authorization`,
    /// `stream-exists`, `too-many-streams`; `not-found` for the organisation.
    pub async fn begin_audit_stream(
        &self,
        caller: &Caller,
        new: NewAuditStream,
    ) -> Result<AuditStreamView, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        check_name(&new.name)?;
        let target = StreamTarget::parse(&new.target).ok_or_else(|| {
            ServiceError::malformed(
                "stream-target",
                "a receiver is syslog-tls://HOST:PORT, https://HOST/PATH or file",
            )
        })?;
        let roots = new.roots.as_deref().map(read_roots).transpose()?;
        if roots.is_none() && target != StreamTarget::File {
            return Err(ServiceError::malformed(
                "stream-roots",
                "give the certificate of the CA which the receiver's certificate is under, in PEM",
            ));
        }
        let authorization = match &new.authorization {
            None => None,
            Some(_) if !matches!(target, StreamTarget::Https { .. }) => {
                return Err(ServiceError::malformed(
                    "stream-authorization",
                    "only https has an Authorization field; syslog receivers know the platform by \
                     its certificate",
                ));
            }
            Some(secret) => Some(self.keys.seal_secret(&label(&new.name), check_secret(secret)?)?),
        };
        if let Some(organisation) = &new.organisation {
            self.organisation_row(organisation.as_str())?;
        }
        let now = self.now();
        let row = StreamRow {
            id: 0,
            name: new.name,
            organisation: new.organisation.map(|organisation| organisation.to_string()),
            target: new.target,
            roots: new.roots.filter(|_| target != StreamTarget::File),
            authorization,
            paused: false,
            revision: 0,
            created_at: now,
            created_by: caller.to_string(),
            starts_after: 0,
            at: Reached { sequence: 0, number: 0 },
            delivered_at: None,
            failing_since: None,
            failure: None,
        };
        let event = self.stream_event(caller, &row.name, "begun").detail("target", &row.target);
        let name = row.name.clone();
        self.commit(move |tx| {
            let known = store::streams(tx)?;
            if known.iter().any(|known| known.name == row.name) {
                return Err(ServiceError::conflict(
                    "stream-exists",
                    "there is a stream of this name; choose another, or end that one first",
                ));
            }
            if known.len() >= STREAMS_MAX {
                return Err(ServiceError::refused(
                    "too-many-streams",
                    "an installation has 16 streams at most; end one first",
                ));
            }
            let starts_after = match new.from_beginning {
                true => 0,
                false => audit_head(tx)?.map_or(0, |head| head.sequence),
            };
            store::insert(tx, &StreamRow { starts_after, ..row })?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        self.audit_stream(caller, &name).await
    }

    /// Every stream.
    ///
    /// # Errors
    /// `role`.
    pub async fn audit_streams(
        &self,
        caller: &Caller,
    ) -> Result<Vec<AuditStreamView>, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ReadAuditLog, &platform)?;
        let service = self.clone();
        let read = self.pool.begin(move || {
            let rows = service.read(store::streams)?;
            rows.into_iter().map(|row| service.stream_view(row)).collect()
        });
        read.outcome().await?
    }

    /// One stream.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn audit_stream(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<AuditStreamView, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ReadAuditLog, &platform)?;
        let row = found(self.read(|connection| store::stream(connection, name))?, "stream")?;
        let service = self.clone();
        self.pool.begin(move || service.stream_view(row)).outcome().await?
    }

    /// Pauses a stream, or lets it go on from where it stands. Nothing is lost by a pause.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn pause_audit_stream(
        &self,
        caller: &Caller,
        name: &str,
        paused: bool,
    ) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let event = self.stream_event(caller, name, if paused { "paused" } else { "resumed" });
        let name = name.to_owned();
        self.commit(move |tx| {
            found(store::pause(tx, &name, paused)?.then_some(()), "stream")?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Ends a stream. What its receiver has stays there; what it has not got yet is in the log.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn end_audit_stream(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let event = self.stream_event(caller, name, "ended");
        let name = name.to_owned();
        self.commit(move |tx| {
            found(store::delete(tx, &name)?.then_some(()), "stream")?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// What a receiver was sent, in order, to be held against what it has: events after a place, up
    /// to the last that was delivered. `None` is the stream's beginning.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn delivered_events(
        &self,
        caller: &Caller,
        name: &str,
        after: Option<StreamPlace>,
        limit: u32,
    ) -> Result<Vec<StreamedEvent>, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ReadAuditLog, &platform)?;
        let row = found(self.read(|connection| store::stream(connection, name))?, "stream")?;
        let beginning = StreamPlace { sequence: row.starts_after, number: 0 };
        let after = after.unwrap_or(beginning);
        let limit = usize::try_from(limit.clamp(1, self.config.limits.page)).unwrap_or(1);
        let service = self.clone();
        let last = row.at.sequence;
        let read = self.pool.begin(move || service.streamed(&row, after, limit));
        let mut events = read.outcome().await??;
        events.retain(|event| event.sequence <= last);
        Ok(events)
    }

    /// Every stream that is not paused, for whoever delivers: its id and the revision of its settings.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn live_streams(&self, caller: &Caller) -> Result<Vec<(i64, u64)>, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let rows = self.read(store::streams)?;
        Ok(rows.iter().filter(|row| !row.paused).map(|row| (row.id, row.revision)).collect())
    }

    /// A stream with its secrets, for whoever delivers.
    ///
    /// # Errors
    /// `not-found` where it has ended.
    pub fn open_stream(&self, caller: &Caller, id: i64) -> Result<OpenedStream, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let row = found(self.read(|connection| store::stream_of_id(connection, id))?, "stream")?;
        let damaged = || ServiceError::fatal("store-damaged", "a stream's row is damaged");
        Ok(OpenedStream {
            id: row.id,
            revision: row.revision,
            target: StreamTarget::parse(&row.target).ok_or_else(damaged)?,
            roots: row.roots.as_deref().map(read_roots).transpose()?.unwrap_or_default(),
            authorization: row
                .authorization
                .map(|sealed| self.keys.open_secret(&label(&row.name), &sealed))
                .transpose()?,
            place: row.at.into(),
            name: row.name,
        })
    }

    /// Events of a stream after a place, for whoever delivers. It may block for as long as a read
    /// takes.
    ///
    /// # Errors
    /// `not-found` where the stream has ended.
    pub fn next_of_stream(
        &self,
        caller: &Caller,
        id: i64,
        after: StreamPlace,
        limit: usize,
    ) -> Result<Vec<StreamedEvent>, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let row = found(self.read(|connection| store::stream_of_id(connection, id))?, "stream")?;
        self.streamed(&row, after, limit)
    }

    /// Moves a stream on: its receiver has the events after `from` up to `to`. `false` where the
    /// stream does not stand at `from`: it was ended, or somebody else delivers.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub async fn stream_reached(
        &self,
        caller: &Caller,
        id: i64,
        from: StreamPlace,
        to: StreamPlace,
    ) -> Result<bool, ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let now = self.now();
        let again = self.delivery_event(id, audit::Outcome::Success)?;
        self.commit(move |tx| {
            let failed =
                store::stream_of_id(tx, id)?.is_some_and(|row| row.failing_since.is_some());
            let moved = store::reach(tx, id, from.into(), to.into(), now)?;
            if let Some(event) = again.filter(|_| moved && failed) {
                tx.audit(&event)?;
            }
            Ok(moved)
        })
        .await
    }

    /// Notes that a receiver took nothing. The first time since it did, this is a security event.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub async fn stream_failed(
        &self,
        caller: &Caller,
        id: i64,
        why: &str,
    ) -> Result<(), ServiceError> {
        let _permit = self.authorize(caller, Action::ConfigurePlatform, &Resource::platform())?;
        let why: String = why.chars().filter(|c| !c.is_control()).take(FAILURE_CHARS_MAX).collect();
        let Some(row) = self.read(|connection| store::stream_of_id(connection, id))? else {
            return Ok(());
        };
        if row.failure.as_deref() == Some(why.as_str()) {
            return Ok(());
        }
        let now = self.now();
        let event = self.delivery_event(id, audit::Outcome::Failure)?;
        self.commit(move |tx| {
            let first = store::stream_of_id(tx, id)?.is_some_and(|row| row.failing_since.is_none());
            if store::fail(tx, id, &why, now)?
                && first
                && let Some(event) = event
            {
                tx.audit(&event.detail("why", &why))?;
            }
            Ok(())
        })
        .await
    }

    /// The file of a stream whose target is one.
    pub fn stream_file(&self, name: &str) -> PathBuf {
        self.dir.join("streams").join(format!("{name}.jsonl"))
    }

    /// What receivers know the platform by: the host in the origin of its log.
    pub fn stream_host(&self) -> &str {
        self.origin.split('/').next().unwrap_or_default()
    }

    fn streamed(
        &self,
        row: &StreamRow,
        after: StreamPlace,
        limit: usize,
    ) -> Result<Vec<StreamedEvent>, ServiceError> {
        let organisation = row.organisation.as_deref();
        let rows = self.read(|c| store::events(c, organisation, after.sequence, limit))?;
        let damaged =
            |_| ServiceError::fatal("audit-damaged", "a security event is damaged; verify");
        (after.number.saturating_add(1)..)
            .zip(rows)
            .map(|(number, row)| {
                Ok(StreamedEvent {
                    number,
                    sequence: row.sequence,
                    hash: row.hash,
                    event: SecurityEvent::decode(&row.event).map_err(damaged)?,
                })
            })
            .collect()
    }

    fn stream_view(&self, row: StreamRow) -> Result<AuditStreamView, ServiceError> {
        let organisation = row.organisation.as_deref();
        let behind = self.read(|connection| {
            let head = audit_head(connection)?.map_or(0, |head| head.sequence);
            store::between(connection, organisation, row.at.sequence, head, BEHIND_MAX)
        })?;
        let damaged = |_| ServiceError::fatal("store-damaged", "a stream's row is damaged");
        Ok(AuditStreamView {
            organisation: organisation.map(OrganisationId::new).transpose().map_err(damaged)?,
            name: row.name,
            target: row.target,
            paused: row.paused,
            created_at: row.created_at,
            created_by: row.created_by,
            starts_after: row.starts_after,
            sequence: row.at.sequence,
            number: row.at.number,
            behind,
            delivered_at: row.delivered_at,
            failing_since: row.failing_since,
            failure: row.failure,
        })
    }

    fn stream_event(&self, caller: &Caller, name: &str, what: &str) -> SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .detail("what", "audit-stream")
            .detail("stream", name)
            .detail("change", what)
    }

    fn delivery_event(
        &self,
        id: i64,
        outcome: audit::Outcome,
    ) -> Result<Option<SecurityEvent>, ServiceError> {
        let row = self.read(|connection| store::stream_of_id(connection, id))?;
        let caller = Caller::Platform { task: "audit-stream" };
        Ok(row.map(|row| {
            self.event(&caller, audit::Kind::Delivery, outcome)
                .detail("stream", &row.name)
                .detail("target", &row.target)
        }))
    }
}

fn label(name: &str) -> String {
    format!("tegata/audit-stream/{name}")
}

/// The name of a stream or a route.
pub(crate) fn check_name(name: &str) -> Result<(), ServiceError> {
    let good = name.len() <= 32
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if good {
        return Ok(());
    }
    Err(ServiceError::malformed(
        "stream-name",
        "a name has a to z, 0 to 9 and -, begins with a letter and has 32 at most",
    ))
}

fn check_secret(secret: &Secret) -> Result<&Secret, ServiceError> {
    let bytes = secret.expose();
    let good = !bytes.is_empty()
        && bytes.len() <= AUTHORIZATION_BYTES_MAX
        && bytes.iter().all(|byte| (0x20..0x7f).contains(byte));
    if good {
        return Ok(secret);
    }
    Err(ServiceError::malformed(
        "stream-authorization",
        "an Authorization field is printable ASCII of 4096 bytes at most, such as `Bearer TOKEN`",
    ))
}

/// CAs of a receiver.
pub(crate) fn read_roots(pem: &str) -> Result<Vec<Certificate>, ServiceError> {
    let (bytes, most) = ROOTS_MAX;
    let refused = |why: String| {
        ServiceError::malformed("stream-roots", format!("the CA certificates: {why}"))
    };
    if pem.len() > bytes {
        return Err(refused("longer than 64 KiB".into()));
    }
    let roots =
        Certificate::from_pem_chain(pem, most).map_err(|error| refused(error.to_string()))?;
    if roots.is_empty() {
        return Err(refused("there is none in the file; give them in PEM".into()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_or_refused() {
        let syslog = |host: &str, port| Some(StreamTarget::SyslogTls { host: host.into(), port });
        assert_eq!(StreamTarget::parse("syslog-tls://siem.example"), syslog("siem.example", 6514));
        assert_eq!(StreamTarget::parse("syslog-tls://[::1]:7000"), syslog("::1", 7000));
        assert_eq!(StreamTarget::parse("syslog-tls://[::1]"), syslog("::1", 6514));
        assert_eq!(
            StreamTarget::parse("https://Siem.example:8088/services/collector?x=1"),
            Some(StreamTarget::Https {
                host: "siem.example".into(),
                port: 8088,
                path: "/services/collector?x=1".into()
            })
        );
        let bare = StreamTarget::parse("https://a.example?x").unwrap();
        assert!(matches!(bare, StreamTarget::Https { path, port: 443, .. } if path == "/?x"));
        assert_eq!(StreamTarget::parse("file"), Some(StreamTarget::File));
        for wrong in [
            "",
            "file:/etc/passwd",
            "http://a.example/",
            "syslog://a.example",
            "syslog-tls://a.example/x",
            "https://user:pass@a.example/",
            "https:///x",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a b/",
            "https://a.example/#x",
            "https://a.example/\r\nX: y",
        ] {
            assert_eq!(StreamTarget::parse(wrong), None, "{wrong:?}");
        }
    }
}
