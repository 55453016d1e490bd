//! Scenarios: what is played, read from TOML with limits. Nothing here does anything.

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// Most bytes of a scenario.
pub const BYTES_MAX: usize = 64 * 1024;
/// Most devices of all groups.
pub const DEVICES_MAX: u64 = 1_000_000;
const GROUPS_MAX: usize = 64;
const ATTACKERS_MAX: usize = 64;
const ORDERS_MAX: usize = 64;
const FIELDS_MAX: usize = 64;
const CHOICES_MAX: usize = 64;
const TEXT_MAX: usize = 1000;
const PAYLOAD_MAX: usize = 65_536;
const VICTIMS_MAX: u32 = 1000;
const ATTEMPTS_MAX: u32 = 1_000_000;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// what it is called
    pub name: String,
    /// what chance goes by
    #[serde(default)]
    pub seed: u64,
    /// product line of the devices, where a group names none
    pub product: Option<String>,
    /// how long it is played
    pub duration: Span,
    /// over which time the devices begin
    #[serde(default)]
    pub ramp_up: Span,
    /// how long devices may take afterwards to send what waits
    #[serde(default = "usual_drain")]
    pub drain: Span,
    /// devices that do what they should
    #[serde(rename = "group")]
    pub groups: Vec<Group>,
    /// those who do not
    #[serde(rename = "attacker", default)]
    pub attackers: Vec<Attacker>,
    /// what the owner tells devices
    #[serde(rename = "command", default)]
    pub orders: Vec<Order>,
    /// what must come of it
    #[serde(default)]
    pub expect: Expect,
}

fn usual_drain() -> Span {
    Span(Duration::from_secs(30))
}

/// Devices that behave alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// what it is called
    pub name: String,
    /// product line
    pub product: Option<String>,
    /// how many
    pub count: u32,
    /// the door that they use
    #[serde(default)]
    pub door: Door,
    /// how they keep connections
    #[serde(default)]
    pub connection: Keeping,
    /// time between messages of a device
    pub period: Span,
    /// by which share of the period a message may be earlier or later
    #[serde(default)]
    pub jitter: f64,
    /// most messages of a device
    pub messages: Option<u32>,
    /// topic below `me/up/`
    #[serde(default = "usual_topic")]
    pub topic: String,
    /// whether each message carries its counter: then one that was not acknowledged is sent again
    #[serde(default = "yes")]
    pub counter: bool,
    /// form of the payload
    #[serde(default)]
    pub format: Format,
    /// least size of a payload in bytes
    #[serde(default)]
    pub size: usize,
    /// what the payload says
    #[serde(default)]
    pub payload: BTreeMap<String, Field>,
    /// devices that are away now and then
    pub offline: Option<Offline>,
    /// whether they listen for commands and answer them (MQTT doors)
    #[serde(default)]
    pub commands: bool,
    /// devices of which every acknowledged message is looked for at the platform
    #[serde(default = "usual_sample")]
    pub sample: u32,
    /// what must come of it
    #[serde(default)]
    pub expect: GroupExpect,
}

fn usual_topic() -> String {
    "sim".to_owned()
}

fn usual_sample() -> u32 {
    20
}

fn yes() -> bool {
    true
}

/// A door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// MQTT 5 over TLS
    #[default]
    Mqtt,
    /// the same over WebSocket
    Websocket,
    /// HTTP over TLS
    Http,
    /// CoAP over DTLS
    Coap,
    /// the same, where device and server show their public keys alone (RFC 7250)
    CoapRawKey,
}

impl Door {
    /// Its name, as a scenario has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Websocket => "websocket",
            Self::Http => "http",
            Self::Coap => "coap",
            Self::CoapRawKey => "coap-raw-key",
        }
    }

    /// Whether the platform can say something there that it was not asked for.
    pub fn listens(self) -> bool {
        matches!(self, Self::Mqtt | Self::Websocket)
    }
}

/// How connections are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeping {
    /// connect, send, disconnect
    #[default]
    Sleeping,
    /// one connection for as long as it goes
    Always,
}

/// A form of payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JSON
    #[default]
    Json,
    /// CBOR
    Cbor,
}

/// What one member of a payload says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// a number between two, each as likely
    Range([f64; 2]),
    /// a whole number between two
    Whole([i64; 2]),
    /// a number that wanders between two
    Walk {
        /// where
        within: [f64; 2],
        /// by how much at most from message to message
        step: f64,
    },
    /// one of these texts
    Choice(Vec<String>),
    /// always this text
    Text(String),
    /// the number of the message, from 0
    Sequence {},
    /// when the message was due, in seconds since 1970
    Time {},
    /// the serial number of the device
    Serial {},
}

/// Devices that are away now and then, and send later what they would have said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offline {
    /// share of the group
    pub share: f64,
    /// how long
    #[serde(rename = "for")]
    pub lasts: Span,
    /// how often, from one beginning to the next
    pub every: Span,
}

/// What must come of a group.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupExpect {
    /// messages acknowledged at least
    pub acknowledged_min: Option<u64>,
    /// messages refused at most
    pub refused_max: Option<u64>,
    /// messages of which nobody knows at the end, or that wait still, at most
    pub undelivered_max: Option<u64>,
    /// 99 of 100 acknowledgements take at most
    pub p99_max: Option<Span>,
}

/// Somebody who attacks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attacker {
    /// what it is called
    pub name: String,
    /// what it does
    pub kind: Attack,
    /// whose devices it has
    pub group: String,
    /// of how many devices: the last ones of the group, which then do nothing else
    #[serde(default = "one")]
    pub count: u32,
    /// when it begins
    #[serde(default)]
    pub start: Span,
    /// how often it tries, with each device
    pub attempts: Option<u32>,
    /// how long it waits in between
    #[serde(default)]
    pub every: Span,
    /// what must come of it
    #[serde(default)]
    pub expect: AttackExpect,
}

fn one() -> u32 {
    1
}

/// A kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// the certificate is used in another network while the device is connected
    StolenCertificate,
    /// more messages than a device may send
    Flood,
    /// a message that was heard comes again
    Replay,
    /// bytes that are no MQTT
    Malformed,
    /// topics of other devices
    TopicProbing,
    /// certificates of a CA that nobody trusts
    UnknownCertificate,
    /// a device that is suspended comes all the same; it is released afterwards
    Suspended,
    /// a device that is revoked comes all the same; it is gone afterwards, and another run enrols another
    Revoked,
    /// a device that is retired comes all the same; it is gone afterwards, too
    Retired,
    /// a device says that it runs an older release than before
    FirmwareRegression,
}

impl Attack {
    /// As scenarios write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::StolenCertificate => "stolen-certificate",
            Self::Flood => "flood",
            Self::Replay => "replay",
            Self::Malformed => "malformed",
            Self::TopicProbing => "topic-probing",
            Self::UnknownCertificate => "unknown-certificate",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
            Self::FirmwareRegression => "firmware-regression",
        }
    }

    /// How often it is tried, where the scenario does not say.
    pub fn usual_attempts(self) -> u32 {
        match self {
            Self::StolenCertificate | Self::FirmwareRegression => 1,
            Self::Flood => 2000,
            Self::Malformed => 30,
            Self::Replay | Self::TopicProbing | Self::Suspended | Self::Revoked | Self::Retired => {
                15
            }
            Self::UnknownCertificate => 20,
        }
    }

    /// Whether nothing of it may ever be admitted.
    pub fn never_admitted(self) -> bool {
        matches!(
            self,
            Self::Replay
                | Self::Malformed
                | Self::TopicProbing
                | Self::UnknownCertificate
                | Self::Suspended
                | Self::Revoked
                | Self::Retired
        )
    }
}

/// What must come of an attack.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackExpect {
    /// attempts admitted at most; 0 where it is not said and nothing may ever be admitted
    pub admitted_max: Option<u64>,
    /// attempts refused at least
    pub refused_min: Option<u64>,
    /// rule whose alert must be raised about each device
    pub alert: Option<String>,
}

/// A command that the owner gives to devices.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// the command
    pub name: String,
    /// whose devices
    pub group: String,
    /// how many: the first ones of the group
    #[serde(default = "one")]
    pub count: u32,
    /// when
    #[serde(default)]
    pub start: Span,
    /// within which time a device must have begun
    #[serde(default = "usual_lifetime")]
    pub lifetime: Span,
    /// devices that must have done it at the end, at least
    pub done_min: Option<u64>,
}

fn usual_lifetime() -> Span {
    Span(Duration::from_secs(600))
}

/// What must come of everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// messages that were acknowledged and that the platform does not hold, at most
    pub lost: Option<u64>,
    /// alerts about devices that nobody attacked, at most
    pub other_alerts_max: Option<u64>,
    /// rules of which an alert must be raised, about whatever
    #[serde(default)]
    pub alerts: Vec<String>,
}

/// A time such as `250ms`, `10s`, `5m`, `2h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

impl Span {
    /// In milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl std::str::FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no time; write it like 250ms, 10s, 5m or 2h");
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(at);
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(bad()),
        };
        let number: u64 = number.parse().map_err(|_| bad())?;
        let span = number.checked_mul(unit).map(Duration::from_millis).ok_or_else(bad)?;
        if span > WEEK {
            return Err(format!("{text:?} is longer than a week"));
        }
        Ok(Self(span))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Scenario {
    /// Reads a scenario and holds it against the limits.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        ensure!(text.len() <= BYTES_MAX, "a scenario has at most {BYTES_MAX} bytes");
        let scenario: Self = toml::from_str(text).context("the scenario cannot be read")?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The product line of a group.
    pub fn product<'a>(&'a self, group: &'a Group) -> Option<&'a str> {
        group.product.as_deref().or(self.product.as_deref())
    }

    /// All devices.
    pub fn devices(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.count)).sum()
    }

    /// Devices of a group that attackers have: the last ones.
    pub fn taken(&self, group: &str) -> u32 {
        self.attackers.iter().filter(|one| one.group == group).map(|one| one.count).sum()
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.name.len() <= TEXT_MAX, "name: at most {TEXT_MAX} bytes");
        ensure!(self.duration.ms() >= 1000, "duration: at least 1s");
        ensure!(!self.groups.is_empty(), "there is no [[group]]");
        ensure!(self.groups.len() <= GROUPS_MAX, "at most {GROUPS_MAX} groups");
        ensure!(self.attackers.len() <= ATTACKERS_MAX, "at most {ATTACKERS_MAX} attackers");
        ensure!(self.devices() <= DEVICES_MAX, "at most {DEVICES_MAX} devices");
        ensure!(self.expect.alerts.len() <= ATTACKERS_MAX, "expect.alerts: too many");
        for (at, group) in self.groups.iter().enumerate() {
            let twice = self.groups.iter().take(at).any(|other| other.name == group.name);
            ensure!(!twice, "two groups are called {:?}", group.name);
            group.check(self).with_context(|| format!("group {:?}", group.name))?;
        }
        for (at, attacker) in self.attackers.iter().enumerate() {
            let twice = self.attackers.iter().take(at).any(|other| other.name == attacker.name);
            ensure!(!twice, "two attackers are called {:?}", attacker.name);
            attacker.check(self).with_context(|| format!("attacker {:?}", attacker.name))?;
        }
        ensure!(self.orders.len() <= ORDERS_MAX, "at most {ORDERS_MAX} commands");
        for order in &self.orders {
            order.check(self).with_context(|| format!("command {:?}", order.name))?;
        }
        Ok(())
    }
}

impl Order {
    fn check(&self, scenario: &Scenario) -> anyhow::Result<()> {
        name(&self.name)?;
        let Some(group) = scenario.groups.iter().find(|group| group.name == self.group) else {
            bail!("there is no group {:?}", self.group);
        };
        ensure!(group.commands, "the group {:?} does not listen: commands = true", self.group);
        ensure!((1..=VICTIMS_MAX).contains(&self.count), "count: 1 to {VICTIMS_MAX}");
        ensure!(self.lifetime.ms() >= 60_000, "lifetime: at least 1m");
        Ok(())
    }
}

fn name(text: &str) -> anyhow::Result<()> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        (1..=40).contains(&text.len()) && text.chars().all(good),
        "a name has 1 to 40 of a-z, 0-9 and -"
    );
    Ok(())
}

fn bounds(low: f64, high: f64) -> anyhow::Result<()> {
    let fit = |number: f64| number.is_finite() && number.abs() <= 1e15;
    ensure!(fit(low) && fit(high) && low <= high, "two numbers, the lower first, up to 1e15");
    Ok(())
}

fn share(number: f64, what: &str) -> anyhow::Result<()> {
    ensure!((0.0..=1.0).contains(&number), "{what}: a share from 0 to 1");
    Ok(())
}

impl Group {
    fn check(&self, scenario: &Scenario) -> anyhow::Result<()> {
        name(&self.name)?;
        let Some(product) = scenario.product(self) else {
            bail!("name the product line: product, in the group or at the top");
        };
        device::ProductId::new(product)?;
        ensure!(self.count >= 1, "count: at least 1");
        ensure!(self.period.ms() >= 10, "period: at least 10ms");
        share(self.jitter, "jitter")?;
        ensure!(self.size <= PAYLOAD_MAX, "size: at most {PAYLOAD_MAX} bytes");
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
        let levels = self.topic.split('/').all(|level| !level.is_empty());
        ensure!(
            self.topic.len() <= 200 && levels && self.topic.chars().all(plain),
            "topic: levels of a-z, A-Z, 0-9, -, _ and ., at most 200 bytes"
        );
        ensure!(self.topic.split('/').count() <= 20, "topic: at most 20 levels");
        ensure!(
            !["log", "configuration"].contains(&self.topic.as_str())
                && !self.topic.starts_with("commands"),
            "topic: the platform reads that one itself"
        );
        ensure!(self.payload.len() <= FIELDS_MAX, "payload: at most {FIELDS_MAX} members");
        for (member, field) in &self.payload {
            ensure!(member.len() <= TEXT_MAX, "payload: a member's name is too long");
            field.check().with_context(|| format!("payload.{member}"))?;
        }
        if let Some(offline) = &self.offline {
            share(offline.share, "offline.share")?;
            ensure!(offline.lasts < offline.every, "offline.every: longer than offline.for");
        }
        if self.commands {
            ensure!(self.door.listens(), "commands: by the doors mqtt and websocket alone");
        }
        let taken = scenario.taken(&self.name);
        ensure!(taken <= self.count, "attackers have {taken} of its {} devices", self.count);
        Ok(())
    }
}

impl Field {
    fn check(&self) -> anyhow::Result<()> {
        match self {
            Self::Range([low, high]) => bounds(*low, *high),
            Self::Whole([low, high]) => {
                ensure!(
                    low <= high && low.abs() <= 1 << 50 && high.abs() <= 1 << 50,
                    "two whole numbers, the lower first"
                );
                Ok(())
            }
            Self::Walk { within: [low, high], step } => {
                bounds(*low, *high)?;
                ensure!(*step > 0.0 && step.is_finite(), "step: more than 0");
                Ok(())
            }
            Self::Choice(texts) => {
                ensure!((1..=CHOICES_MAX).contains(&texts.len()), "1 to {CHOICES_MAX} texts");
                ensure!(texts.iter().all(|text| text.len() <= TEXT_MAX), "a text is too long");
                Ok(())
            }
            Self::Text(text) => {
                ensure!(text.len() <= TEXT_MAX, "at most {TEXT_MAX} bytes");
                Ok(())
            }
            Self::Sequence {} | Self::Time {} | Self::Serial {} => Ok(()),
        }
    }
}

impl Attacker {
    fn check(&self, scenario: &Scenario) -> anyhow::Result<()> {
        name(&self.name)?;
        let Some(group) = scenario.groups.iter().find(|group| group.name == self.group) else {
            bail!("there is no group {:?}", self.group);
        };
        ensure!((1..=VICTIMS_MAX).contains(&self.count), "count: 1 to {VICTIMS_MAX}");
        let attempts = self.attempts();
        ensure!((1..=ATTEMPTS_MAX).contains(&attempts), "attempts: 1 to {ATTEMPTS_MAX}");
        if self.kind == Attack::TopicProbing {
            ensure!(group.count > self.count, "topic-probing needs another device in the group");
        }
        Ok(())
    }

    /// How often it tries, with each device.
    pub fn attempts(&self) -> u32 {
        self.attempts.unwrap_or_else(|| self.kind.usual_attempts())
    }
}
