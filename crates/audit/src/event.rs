use crate::{AuditError, Key, Kind, Severity, Text};
use crypto::UnixTime;
use minicbor::{Decoder, Encoder};
use std::{collections::BTreeMap, net::IpAddr};

/// Most details one event carries; further ones are dropped and the last is marked.
pub const DETAILS_MAX: usize = 16;

/// Longest encoding of an event, in bytes: the sum of what the fields may be.
pub const EVENT_BYTES_MAX: usize = 8 * 1024;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// done
    Success,
    /// refused by a rule, or wrong
    Failure,
    /// the platform could not (disk, key, database); nothing was decided
    Error,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Error];

    /// Stable name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Where it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Door {
    /// the REST API
    Rest,
    /// EST (RFC 7030)
    Est,
    /// OCSP responder
    Ocsp,
    /// tiles, checkpoints, CRLs, CA certificates, health
    Public,
    /// the console, where people sign in
    Console,
    /// a command on the machine itself
    Command,
    /// the platform itself: a schedule, a recovery, an integration
    Internal,
    /// a device told it of itself, later; the platform has not seen it
    Device,
}

impl Door {
    /// Every door.
    pub const ALL: [Self; 8] = [
        Self::Rest,
        Self::Est,
        Self::Ocsp,
        Self::Public,
        Self::Console,
        Self::Command,
        Self::Internal,
        Self::Device,
    ];

    /// Stable name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Est => "est",
            Self::Ocsp => "ocsp",
            Self::Public => "public",
            Self::Console => "console",
            Self::Command => "command",
            Self::Internal => "internal",
            Self::Device => "device",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.name() == name)
    }
}

/// One security event (LG-1). No secrets, no personal data in any field: see the crate's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    at: UnixTime,
    kind: Kind,
    severity: Severity,
    outcome: Outcome,
    door: Door,
    organisation: Option<Text>,
    actor: Option<Text>,
    subject: Option<Text>,
    source: Option<IpAddr>,
    details: BTreeMap<Key, Text>,
}

impl SecurityEvent {
    /// An event with the kind's usual severity, of the platform itself ([`Door::Internal`]).
    pub fn new(at: UnixTime, kind: Kind, outcome: Outcome) -> Self {
        Self {
            at,
            kind,
            severity: kind.severity(outcome == Outcome::Success),
            outcome,
            door: Door::Internal,
            organisation: None,
            actor: None,
            subject: None,
            source: None,
            details: BTreeMap::new(),
        }
    }

    /// Sets the door.
    #[must_use]
    pub fn door(mut self, door: Door) -> Self {
        self.door = door;
        self
    }

    /// Sets the severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the organisation whose log this belongs to; without one it is the platform's.
    #[must_use]
    pub fn organisation(mut self, organisation: &str) -> Self {
        self.organisation = Some(Text::new(organisation));
        self
    }

    /// Sets who did it: `member maker-a/line-3`, `device <id>`, `anonymous`.
    #[must_use]
    pub fn actor(mut self, actor: &str) -> Self {
        self.actor = Some(Text::new(actor));
        self
    }

    /// Sets what it was done to: a device id, a serial number, a member's name.
    #[must_use]
    pub fn subject(mut self, subject: &str) -> Self {
        self.subject = Some(Text::new(subject));
        self
    }

    /// Sets the address of the caller. IPv4 in IPv6 clothing is undressed, so that one machine has
    /// one address.
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source.to_canonical());
        self
    }

    /// Adds a detail; a second value for one key replaces the first. Beyond [`DETAILS_MAX`] the
    /// detail is dropped and `more` says so.
    #[must_use]
    pub fn detail(mut self, key: &str, value: &str) -> Self {
        let key = Key::new(key);
        if self.details.contains_key(&key) || self.details.len() < DETAILS_MAX - 1 {
            self.details.insert(key, Text::new(value));
        } else {
            self.details.insert(Key::new("more"), Text::new("details were dropped"));
        }
        self
    }

    /// When, by the platform's clock.
    pub fn at(&self) -> UnixTime {
        self.at
    }

    /// What.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// How much it matters.
    pub fn severity_of(&self) -> Severity {
        self.severity
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Where it came in.
    pub fn door_of(&self) -> Door {
        self.door
    }

    /// Whose log it belongs to.
    pub fn organisation_of(&self) -> Option<&str> {
        self.organisation.as_ref().map(Text::as_str)
    }

    /// Who did it.
    pub fn actor_of(&self) -> Option<&str> {
        self.actor.as_ref().map(Text::as_str)
    }

    /// What it was done to.
    pub fn subject_of(&self) -> Option<&str> {
        self.subject.as_ref().map(Text::as_str)
    }

    /// The caller's address.
    pub fn source_of(&self) -> Option<IpAddr> {
        self.source
    }

    /// Details by key, sorted.
    pub fn details(&self) -> impl Iterator<Item = (&str, &str)> {
        self.details.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// One line for people, in English.
    pub fn english(&self) -> String {
        self.line(self.kind.english(), " by ", " on ", self.outcome.name())
    }

    /// One line for people, in Japanese.
    pub fn japanese(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Success => "成功",
            Outcome::Failure => "拒否・失敗",
            Outcome::Error => "内部エラー",
        };
        self.line(self.kind.japanese(), " 実行者 ", " 対象 ", outcome)
    }

    fn line(&self, kind: &str, by: &str, on: &str, outcome: &str) -> String {
        let mut line = format!("{kind}: {outcome}");
        let mut add = |before: &str, text: &str| {
            line.push_str(before);
            line.push_str(text);
        };
        if let Some(actor) = self.actor_of() {
            add(by, actor);
        }
        if let Some(subject) = self.subject_of() {
            add(on, subject);
        }
        for (index, (key, value)) in self.details().enumerate() {
            add(if index == 0 { "; " } else { ", " }, key);
            add("=", value);
        }
        line
    }

    /// The deterministic encoding (RFC 8949 section 4.2.1) of `docs/audit.md`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        // Writing to a Vec cannot fail: its error type is uninhabited.
        let _infallible = self.write(&mut Encoder::new(&mut out));
        out
    }

    fn write(
        &self,
        cbor: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        let optional = [
            self.organisation.is_some(),
            self.actor.is_some(),
            self.subject.is_some(),
            self.source.is_some(),
            !self.details.is_empty(),
        ];
        let fields = 5 + optional.iter().map(|present| u64::from(*present)).sum::<u64>();
        cbor.map(fields)?;
        cbor.u8(1)?.i64(self.at.0)?;
        cbor.u8(2)?.str(self.kind.name())?;
        cbor.u8(3)?.u8(self.severity.number())?;
        cbor.u8(4)?.str(self.outcome.name())?;
        cbor.u8(5)?.str(self.door.name())?;
        for (key, text) in [(6, &self.organisation), (7, &self.actor), (8, &self.subject)] {
            if let Some(text) = text {
                cbor.u8(key)?.str(text.as_str())?;
            }
        }
        match self.source {
            Some(IpAddr::V4(address)) => _ = cbor.u8(9)?.bytes(&address.octets())?,
            Some(IpAddr::V6(address)) => _ = cbor.u8(9)?.bytes(&address.octets())?,
            None => {}
        }
        if !self.details.is_empty() {
            cbor.u8(10)?.map(self.details.len() as u64)?;
            let mut sorted: Vec<_> = self.details().collect();
            // Encoded text sorts by length first (RFC 8949 section 4.2.1, bytewise order).
            sorted.sort_by_key(|(key, _)| (key.len(), *key));
            for (key, value) in sorted {
                cbor.str(key)?.str(value)?;
            }
        }
        Ok(())
    }

    /// Reads exactly what [`SecurityEvent::encode`] writes; any other encoding of the same event
    /// is refused, so that one event has one hash.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, AuditError> {
        if bytes.len() > EVENT_BYTES_MAX {
            return Err(AuditError::TooLong { found: bytes.len(), most: EVENT_BYTES_MAX });
        }
        let event = read(&mut Decoder::new(bytes))?;
        if event.encode() != bytes {
            return Err(AuditError::Malformed("not the deterministic encoding"));
        }
        Ok(event)
    }
}

fn read(cbor: &mut Decoder<'_>) -> Result<SecurityEvent, AuditError> {
    let bad = AuditError::Malformed;
    let fields = cbor.map().ok().flatten().ok_or(bad("not a map of known length"))?;
    if fields > 10 {
        return Err(bad("unknown fields"));
    }
    let (mut at, mut kind, mut severity, mut outcome, mut door) = (None, None, None, None, None);
    let (mut organisation, mut actor, mut subject, mut source) = (None, None, None, None);
    let mut details = BTreeMap::new();
    for _ in 0..fields {
        match cbor.u8().map_err(|_| bad("a field's number"))? {
            1 => at = cbor.i64().ok().map(UnixTime),
            2 => kind = cbor.str().ok().and_then(Kind::from_name),
            3 => severity = cbor.u8().ok().and_then(Severity::from_number),
            4 => outcome = cbor.str().ok().and_then(Outcome::from_name),
            5 => door = cbor.str().ok().and_then(Door::from_name),
            6 => organisation = Some(text(cbor)?),
            7 => actor = Some(text(cbor)?),
            8 => subject = Some(text(cbor)?),
            9 => source = Some(address(cbor)?),
            10 => details = read_details(cbor)?,
            _ => return Err(bad("unknown fields")),
        }
    }
    Ok(SecurityEvent {
        at: at.ok_or(bad("time"))?,
        kind: kind.ok_or(bad("kind"))?,
        severity: severity.ok_or(bad("severity"))?,
        outcome: outcome.ok_or(bad("outcome"))?,
        door: door.ok_or(bad("door"))?,
        organisation,
        actor,
        subject,
        source,
        details,
    })
}

fn text(cbor: &mut Decoder<'_>) -> Result<Text, AuditError> {
    cbor.str().ok().and_then(Text::exact).ok_or(AuditError::Malformed("text"))
}

fn address(cbor: &mut Decoder<'_>) -> Result<IpAddr, AuditError> {
    let bad = AuditError::Malformed("source address");
    let bytes = cbor.bytes().map_err(|_| bad.clone())?;
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Ok(IpAddr::from(octets));
    }
    let address = IpAddr::from(<[u8; 16]>::try_from(bytes).map_err(|_| bad.clone())?);
    if address.to_canonical() == address { Ok(address) } else { Err(bad) }
}

fn read_details(cbor: &mut Decoder<'_>) -> Result<BTreeMap<Key, Text>, AuditError> {
    let bad = AuditError::Malformed("details");
    let count = cbor.map().ok().flatten().ok_or(bad.clone())?;
    if count == 0 || count > DETAILS_MAX as u64 {
        return Err(bad);
    }
    let mut details = BTreeMap::new();
    for _ in 0..count {
        let key = cbor.str().ok().and_then(Key::exact).ok_or(bad.clone())?;
        details.insert(key, text(cbor)?);
    }
    Ok(details)
}
