use super::{
    AuditEvent,
    scalar::{DeviceRef, OrganisationRef, StandingName, Timestamp},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// Nobody looked yet.
    Open,
    /// Somebody looks.
    Acknowledged,
    /// It is over.
    Closed,
}

/// How grave something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertSeverity {
    /// To be known.
    Informational,
    /// No action needed.
    Low,
    /// Somebody should look.
    Medium,
    /// Somebody should act.
    High,
    /// Act at once.
    Critical,
}

/// What became of quarantine by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertQuarantine {
    /// The rule did not ask for it, or not enough is proven with the device's own key.
    NotAsked,
    /// The device went into quarantine.
    Done,
    /// The limit of the hour held it back.
    HeldBack,
    /// The device is another's by now, or stands otherwise.
    Impossible,
}

/// What an event weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertWeigh {
    /// One.
    #[default]
    Events,
    /// What its detail `count` says.
    Count,
}

/// Of whom events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertGroup {
    /// One device.
    Device,
    /// The devices of one product line.
    Product,
    /// One address of IPv4, one /64 of IPv6.
    Source,
    /// One person or member.
    Person,
    /// The organisation.
    Organisation,
}

/// What happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertAutomatic {
    /// Nothing.
    #[default]
    None,
    /// The device goes into quarantine, where its own key speaks against it.
    Quarantine,
}

/// Which events a rule watches: all that is said must hold, and of each list one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertWatch {
    /// Kinds of security events (docs/audit.md).
    #[schema(min_items = 1, max_items = 32)]
    pub kinds: Vec<String>,
    /// `success`, `failure`, `error`; any where none is named.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 32)]
    pub outcomes: Vec<String>,
    /// Doors: `rest`, `est`, `console`, …, or of messages `mqtt`, `http`, `websocket`, `coap`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 32)]
    pub doors: Vec<String>,
    /// Values of details, by their key; `*` at an end stands for anything.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub details: BTreeMap<String, Vec<String>>,
    /// Prefixes of addresses that an event must come from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 32)]
    pub sources: Vec<String>,
    /// Prefixes that it must not come from.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 32)]
    pub except_sources: Vec<String>,
    /// Hours of the day (UTC): from the first until before the second.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<Vec<u8>>, min_items = 2, max_items = 2)]
    pub hours_utc: Option<(u8, u8)>,
}

/// A rule: what is too much, and what follows (docs/alerts.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Its name.
    #[schema(min_length = 1, max_length = 32, pattern = "^[a-z][a-z0-9-]*$")]
    pub name: String,
    /// What it raises, in English.
    #[schema(min_length = 1, max_length = 120)]
    pub title: String,
    /// What it raises, in Japanese; as in English where it is not said.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    #[schema(max_length = 120)]
    pub title_ja: String,
    /// It is switched off.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub off: bool,
    /// Which events.
    pub watch: AlertWatch,
    /// What each weighs.
    #[serde(default)]
    pub weigh: AlertWeigh,
    /// How much within the window is too much.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub threshold: u32,
    /// The window, in seconds.
    #[schema(minimum = 10, maximum = 86_400)]
    pub window_s: u32,
    /// Of whom events are counted together.
    pub group: AlertGroup,
    /// How grave it is.
    pub severity: AlertSeverity,
    /// Code of what somebody should do.
    #[schema(min_length = 1, max_length = 64)]
    pub suggest: String,
    /// What happens by itself; quarantine only where it counts per device.
    #[serde(default)]
    pub automatic: AlertAutomatic,
    /// For how long after an alert was closed none is raised again, in seconds.
    #[serde(default)]
    #[schema(maximum = 604_800)]
    pub cooldown_s: u32,
}

/// Where a rule comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertRuleOrigin {
    /// It is built in, and nobody changed it.
    Builtin,
    /// It is built in, and the organisation changed it.
    Changed,
    /// It is the organisation's.
    Own,
}

/// A rule as it holds.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertRuleStands {
    /// The rule.
    pub rule: AlertRule,
    /// Where it comes from.
    pub origin: AlertRuleOrigin,
    /// Which change of it this is; 0 where nobody changed it.
    pub revision: u64,
    /// When it was changed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed: Option<Timestamp>,
    /// By whom.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub changed_by: Option<String>,
}

/// What an organisation chose about alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSettings {
    /// Devices that go into quarantine by themselves within an hour, at most.
    #[schema(maximum = 1000)]
    pub quarantine_per_hour: u32,
}

/// An alert.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its number.
    pub id: u64,
    /// Whose.
    pub organisation: OrganisationRef,
    /// The rule that raised it.
    pub rule: String,
    /// What it says, in English.
    pub title: String,
    /// What it says, in Japanese.
    pub title_ja: String,
    /// How grave it is.
    pub severity: AlertSeverity,
    /// Code of what somebody should do.
    pub suggest: String,
    /// What somebody should do, in the language that was asked for.
    pub suggestion: String,
    /// Whom it is about: `device ID`, `product MAKER/LINE`, `source ADDRESS`, `person …`,
    /// `organisation`.
    pub about: String,
    /// The device, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceRef>,
    /// How it stands.
    pub state: AlertState,
    /// How much of it came.
    pub count: u64,
    /// When it began, as closely as the rule's window tells.
    pub first: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// When it was raised.
    pub raised: Timestamp,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed: Option<Timestamp>,
    /// What became of quarantine by itself.
    pub quarantine: AlertQuarantine,
}

/// How much came within five minutes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertCount {
    /// When they began.
    pub from: Timestamp,
    /// How much.
    pub count: u64,
}

/// Something that somebody did about an alert.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertNote {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// What: `acknowledged`, `closed`, `quarantined`, `released`, …
    pub what: String,
    /// In whose words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// An alert with what it rests on.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertDetail {
    /// The alert.
    pub alert: Alert,
    /// How the device stands now, where the alert is about one that is still the organisation's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub standing: Option<StandingName>,
    /// Security events, oldest first: what it began with, and the newest.
    pub evidence: Vec<AuditEvent>,
    /// How much came when; parts without any are left out.
    pub counts: Vec<AlertCount>,
    /// Who did what, oldest first.
    pub notes: Vec<AlertNote>,
}

/// What somebody says in doing something about an alert.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertWords {
    /// What was found, or why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 1000)]
    pub note: Option<String>,
}

/// Which alerts are wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AlertQuery {
    /// In this state.
    pub state: Option<AlertState>,
    /// Those that are not closed.
    #[param(default = false)]
    pub at_work: Option<bool>,
    /// At least so grave.
    pub severity: Option<AlertSeverity>,
    /// Of one rule.
    #[param(max_length = 32)]
    pub rule: Option<String>,
    /// About one device.
    #[param(value_type = Option<DeviceRef>)]
    pub device: Option<String>,
    /// `next` of the page before.
    #[param(max_length = 20)]
    pub after: Option<String>,
    /// Most items.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// Language of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertLanguage {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

/// Where alerts are to go (docs/alerts.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlertReceiver {
    /// `https://HOST/PATH`, `smtp://HOST` (STARTTLS) or `smtps://HOST`.
    #[schema(min_length = 4, max_length = 1024)]
    pub target: String,
    /// Who mail is from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 320)]
    pub mail_from: Option<String>,
    /// Who mail goes to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    #[schema(max_items = 8)]
    pub mail_to: Vec<String>,
    /// In which language.
    #[serde(default)]
    pub language: AlertLanguage,
    /// Alerts at least so grave.
    pub severity: AlertSeverity,
    /// CA certificates of the receiver, in PEM; those that the platform's machine trusts otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 65_536)]
    pub roots: Option<String>,
    /// Key of a web hook, `whsec_…`, or `USER:PASSWORD` of a mail server; what is there stays where none
    /// is given. Never shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 512)]
    pub secret: Option<String>,
    /// Nothing is sent for now; alerts wait.
    #[serde(default)]
    pub paused: bool,
}

/// A receiver of alerts, and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertReceiver {
    /// Its name.
    pub name: String,
    /// Where alerts go.
    pub target: String,
    /// Who mail is from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mail_from: Option<String>,
    /// Who mail goes to.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub mail_to: Vec<String>,
    /// In which language.
    pub language: AlertLanguage,
    /// Alerts at least so grave.
    pub severity: AlertSeverity,
    /// Nothing is sent for now.
    pub paused: bool,
    /// When it was changed.
    pub changed: Timestamp,
    /// By whom.
    pub changed_by: String,
    /// What waits.
    pub waiting: u64,
    /// What it did not take.
    pub dead: u64,
    /// What it took.
    pub delivered: u64,
    /// What went for want of room.
    pub dropped: u64,
    /// When it took something last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered_at: Option<Timestamp>,
    /// Since when it takes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<String>,
}

/// A receiver that was put.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertReceiverPut {
    /// As it is now.
    pub receiver: AlertReceiver,
    /// The key of a web hook that was made for it; it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub secret: Option<String>,
}

/// How much waits again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AlertReceiverRetried {
    /// So much.
    pub count: u64,
}
