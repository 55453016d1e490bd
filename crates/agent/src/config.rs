//! The configuration file: TOML, read as it is written, then checked once. An unknown key is an
//! error: a misspelt limit must not look as if it were set.

use crate::{Failure, files};
use crypto::KeyAlgorithm;
use device::{DeviceId, OrganisationId, ProductId};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use update::{TargetPath, campaign::LogTrust};

/// Longest configuration file, in bytes.
const BYTES_MAX: u64 = 64 * 1024;
/// Most keys of logs, and of witnesses.
const LOG_KEYS_MAX: usize = 16;
/// Longest hook, in words.
const WORDS_MAX: usize = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    server: String,
    roots: PathBuf,
    state: PathBuf,
    hardware_id: String,
    identity: RawIdentity,
    #[serde(default)]
    self_test: RawSelfTest,
    #[serde(default)]
    update: RawUpdate,
    #[serde(default, rename = "repository")]
    repositories: Vec<RawRepository>,
    director: Option<RawRepository>,
    log: Option<RawLog>,
    slots: Option<RawSlots>,
    commands: Option<RawCommands>,
    #[serde(default)]
    messages: RawMessages,
    telemetry: Option<RawTelemetry>,
    device_log: Option<RawDeviceLog>,
    peer: Option<RawPeer>,
    #[serde(default)]
    tamper: Vec<RawTamper>,
    #[serde(default)]
    hooks: RawHooks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommands {
    poll_s: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessages {
    #[serde(default)]
    sign: bool,
    #[serde(default)]
    encrypt: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTelemetry {
    kept: Option<usize>,
    #[serde(default, rename = "source")]
    sources: Vec<RawSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeviceLog {
    kept: Option<usize>,
    tell_s: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPeer {
    poll_s: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    name: String,
    every_s: Option<u64>,
    file: Option<PathBuf>,
    command: Option<Vec<String>>,
    timeout_s: Option<u64>,
    figure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTamper {
    name: String,
    file: Option<PathBuf>,
    command: Option<Vec<String>>,
    tampered: String,
    debounce_ms: Option<u64>,
    action: Option<String>,
}

/// Most groups that a device belongs to: every ticket is tried with every key.
const GROUP_KEYS_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    serial_number: String,
    device: Option<String>,
    label: Option<String>,
    idevid: Option<PathBuf>,
    sealing_key: PathBuf,
    bind_to: Option<PathBuf>,
    algorithm: Option<String>,
    #[serde(default)]
    group_keys: Vec<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawSelfTest {
    manifest: Option<PathBuf>,
    manifest_signature: Option<PathBuf>,
    manifest_key: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawUpdate {
    follow: Option<String>,
    poll_s: Option<u64>,
    download_within_s: Option<u64>,
    boot_within_s: Option<u64>,
    confirm_within_s: Option<u64>,
    boots_max: Option<u8>,
    bytes_per_s_min: Option<u64>,
    security_version_min: Option<u64>,
    #[serde(default)]
    confirm_by_hand: bool,
    #[serde(default)]
    roll_back: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepository {
    organisation: String,
    root: PathBuf,
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    keys: Vec<String>,
    #[serde(default)]
    witnesses: Vec<String>,
    quorum: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlots {
    a: Option<PathBuf>,
    b: Option<PathBuf>,
    spool: Option<PathBuf>,
    boot_record: Option<PathBuf>,
    running_file: Option<PathBuf>,
    running_parameter: Option<String>,
    name_a: Option<String>,
    name_b: Option<String>,
    boot_id: Option<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawHooks {
    install: Option<Vec<String>>,
    activate: Option<Vec<String>>,
    reboot: Option<Vec<String>>,
    health: Option<Vec<String>>,
    confirm: Option<Vec<String>>,
    rollback: Option<Vec<String>>,
    reset: Option<Vec<String>>,
    configure: Option<Vec<String>>,
    command: Option<Vec<String>>,
    timeout_s: Option<u64>,
}

/// What an agent is told, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// address of the platform: `https://host:port`
    pub server: String,
    /// certificates that the platform's certificate must lead to, in PEM
    pub roots: PathBuf,
    /// the agent's own folder
    pub state: PathBuf,
    /// the kind of hardware, as targets name it
    pub hardware_id: String,
    /// who the device is
    pub identity: Identity,
    /// what the program is compared with
    pub self_test: SelfTest,
    /// how it updates
    pub update: Update,
    /// image repositories that it trusts, by organisation
    pub repositories: BTreeMap<String, Repository>,
    /// the director that says which file this device runs
    pub director: Option<Director>,
    /// the log that is told of each assignment before it is given out
    pub log: Option<LogTrust>,
    /// where images go; without it the device does not update
    pub slots: Option<SlotPlaces>,
    /// how it hears commands and settings of its owner; without it the device takes none
    pub commands: Option<Commands>,
    /// how what it says is protected above the transport
    pub messages: Messages,
    /// what it publishes of itself
    pub telemetry: Option<Telemetry>,
    /// the device's own log, where it hands one over
    pub device_log: Option<DeviceLog>,
    /// how it comes to what it decides by about other devices, where it does
    pub peer: Option<Peer>,
    /// inputs that say that somebody tampers with it
    pub tamper: Vec<TamperInput>,
    /// commands at the steps of an update, and those that an owner's commands lead to
    pub hooks: Hooks,
}

/// How what a device says is protected above the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// its key signs it
    pub sign: bool,
    /// and it is encrypted for the device's owner
    pub encrypt: bool,
}

/// The device's own log.
#[derive(Clone, Debug)]
pub struct DeviceLog {
    /// most entries that wait for the platform
    pub kept: usize,
    /// seconds after which the platform is told, at the latest
    pub tell_s: u64,
}

/// How a device comes to what it decides by about other devices.
#[derive(Clone, Debug)]
pub struct Peer {
    /// seconds between questions for a newer trust bundle
    pub poll_s: u64,
}

/// What a device publishes of itself.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// most messages that wait for the platform
    pub kept: usize,
    /// where they come from
    pub sources: Vec<Source>,
}

/// A source of telemetry.
#[derive(Clone, Debug)]
pub struct Source {
    /// its topic is `me/up/telemetry/` and this
    pub name: String,
    /// seconds between questions
    pub every_s: u64,
    /// what is asked
    pub kind: SourceKind,
}

/// What a source of telemetry is.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// the contents of a file
    File(PathBuf),
    /// what a command says, within so many seconds
    Command(Vec<String>, u64),
    /// seconds since the machine started
    Uptime,
    /// load of the last minute
    Load,
    /// memory that is left, in KiB
    MemoryAvailable,
}

/// An input that says that somebody tampers with the device.
#[derive(Clone, Debug)]
pub struct TamperInput {
    /// its name
    pub name: String,
    /// how to see it
    pub look: TamperLook,
    /// what it says then
    pub tampered: String,
    /// looks in a row at which it must say so
    pub looks: u32,
    /// what follows
    pub action: TamperAction,
}

/// How to see an input.
#[derive(Clone, Debug)]
pub enum TamperLook {
    /// a file, such as the value of a GPIO in sysfs
    File(PathBuf),
    /// what a command says
    Command(Vec<String>),
}

/// What follows from tampering; the later the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TamperAction {
    /// the platform is told
    Report,
    /// and the agent stops
    Stop,
    /// and every key is erased
    EraseKeys,
}

/// Milliseconds between looks at the inputs.
pub(crate) const LOOK_FILE_MS: u64 = 250;
/// The same where one of them is a command.
pub(crate) const LOOK_COMMAND_MS: u64 = 2000;

/// How a device hears what its owner tells it.
#[derive(Clone, Debug)]
pub struct Commands {
    /// seconds between questions, less up to a quarter by chance
    pub poll_s: u64,
}

/// Who the device is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// as its certificates carry it
    pub serial_number: String,
    /// the platform's id of it; a one-time code needs it
    pub device: Option<DeviceId>,
    /// label of the EST path: a product line
    pub label: Option<ProductId>,
    /// certificate chain and key of the maker, in PEM; sealed at first use
    pub idevid: Option<PathBuf>,
    /// file of at least 32 random bytes that seals the keys
    pub sealing_key: PathBuf,
    /// file whose contents belong to this machine, such as /etc/machine-id
    pub bind_to: Option<PathBuf>,
    /// kind of its own keys
    pub algorithm: KeyAlgorithm,
    /// files of keys that it shares with a group, for sealed images
    pub group_keys: Vec<PathBuf>,
}

/// What the program is compared with: a signed list, or what was there at the first start.
#[derive(Clone, Debug)]
pub enum SelfTest {
    /// the hash of the first start
    Recorded,
    /// a file of `sha256sum` lines, its signature, and the key in PEM
    Manifest {
        /// lines `HASH  PATH`
        list: PathBuf,
        /// over the bytes of the list
        signature: PathBuf,
        /// SubjectPublicKeyInfo
        key: PathBuf,
    },
}

/// How the device updates.
#[derive(Clone, Debug)]
pub struct Update {
    /// follow this target of the only repository instead of asking for assignments
    pub follow: Option<TargetPath>,
    /// seconds between polls, where the platform says nothing else
    pub poll_s: u64,
    /// seconds in which a download must be done
    pub download_within_s: u64,
    /// seconds in which the machine must have been started again
    pub boot_within_s: u64,
    /// seconds after the start in which the new image must be healthy
    pub confirm_within_s: u64,
    /// starts of the new image before the old one comes back
    pub boots_max: u8,
    /// slowest mirror that is borne, in bytes per second
    pub bytes_per_s_min: u64,
    /// lowest security version that is ever installed
    pub security_version_min: u64,
    /// a healthy image waits for `tegata-agent confirm`
    pub confirm_by_hand: bool,
    /// a campaign may lead back to an earlier release of no lower security version
    pub roll_back: bool,
}

/// An image repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// its first trusted root
    pub root: PathBuf,
    /// path below the server, without a slash at the end
    pub path: String,
}

/// A director.
#[derive(Clone, Debug)]
pub struct Director {
    /// whose
    pub organisation: OrganisationId,
    /// its first trusted root, and where its metadata are
    pub repository: Repository,
}

/// Where images go and how to see which one runs.
#[derive(Clone, Debug)]
pub struct SlotPlaces {
    /// the two places, or none where a hook writes them
    pub pair: Option<(PathBuf, PathBuf)>,
    /// where an image waits for the hook that installs it
    pub spool: Option<PathBuf>,
    /// what boot scripts read
    pub boot_record: Option<PathBuf>,
    /// how to see which slot runs
    pub running: Running,
    /// names of the slots, as `running` shows them
    pub names: (String, String),
    /// where the kernel tells one start from another
    pub boot_id: PathBuf,
}

/// Where the name of the running slot stands.
#[derive(Clone, Debug)]
pub enum Running {
    /// in a file
    File(PathBuf),
    /// in a parameter of the kernel's command line
    Parameter(String),
}

/// Commands, with their arguments, run without a shell.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// writes the spooled image to the other slot
    pub install: Option<Vec<String>>,
    /// makes the boot loader try the other slot
    pub activate: Option<Vec<String>>,
    /// starts the machine again
    pub reboot: Option<Vec<String>>,
    /// whether the new image works
    pub health: Option<Vec<String>>,
    /// makes the boot loader keep the new slot
    pub confirm: Option<Vec<String>>,
    /// makes the boot loader go back
    pub rollback: Option<Vec<String>>,
    /// forgets data and settings
    pub reset: Option<Vec<String>>,
    /// takes up settings
    pub configure: Option<Vec<String>>,
    /// does a command of another name
    pub command: Option<Vec<String>>,
    /// seconds that a command may take
    pub timeout_s: u64,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// `configuration`: which key, and what it must be.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let bytes = files::read(path, BYTES_MAX)?
            .ok_or_else(|| bad(format!("there is no {shown}; docs/agent.md has an example")))?;
        let text = String::from_utf8(bytes).map_err(|_| bad(format!("{shown} is not UTF-8")))?;
        Self::parse(&text)
    }

    /// Reads and checks the text of a file.
    ///
    /// # Errors
    /// `configuration`.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let raw: Raw = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        crate::net::Origin::parse(&raw.server)
            .map_err(|failure| bad(format!("server: {}", failure.detail)))?;
        for (name, path) in [("state", &raw.state), ("roots", &raw.roots)] {
            absolute(name, path)?;
        }
        name("hardware_id", &raw.hardware_id)?;
        let update = update(&raw.update)?;
        let mut repositories = BTreeMap::new();
        for one in raw.repositories {
            let (organisation, repository) = repository(one)?;
            if repositories.insert(organisation.clone(), repository).is_some() {
                return Err(bad(format!("two repositories are called {organisation}")));
            }
        }
        let director = raw.director.map(director).transpose()?;
        let log = raw.log.as_ref().map(log).transpose()?;
        let named = [("director", director.is_some()), ("log", log.is_some())];
        for (table, _) in named.into_iter().filter(|(_, there)| *there) {
            if raw.identity.device.is_none() {
                return Err(bad(format!(
                    "[{table}] needs identity.device: what is said is said to it"
                )));
            }
            if update.follow.is_some() {
                return Err(bad(format!(
                    "[{table}] has no say where update.follow chooses the target"
                )));
            }
        }
        if update.follow.is_some() && repositories.len() != 1 {
            return Err(bad("update.follow needs exactly one [[repository]]"));
        }
        let hooks = hooks(raw.hooks)?;
        let slots = raw.slots.map(|slots| self::slots(slots, &hooks)).transpose()?;
        if update.follow.is_some() && slots.is_none() {
            return Err(bad("update.follow needs [slots]"));
        }
        let commands = raw.commands.map(|raw| commands(&raw)).transpose()?;
        let telemetry = raw.telemetry.map(telemetry).transpose()?;
        let device_log = raw.device_log.map(|raw| device_log(&raw)).transpose()?;
        let peer = raw.peer.map(|raw| peer(&raw)).transpose()?;
        let tamper = tamper(raw.tamper)?;
        let messages = Messages { sign: raw.messages.sign, encrypt: raw.messages.encrypt };
        if messages.encrypt && !messages.sign {
            return Err(bad("messages.encrypt needs messages.sign: what is encrypted is signed"));
        }
        Ok(Self {
            server: raw.server,
            roots: raw.roots,
            state: raw.state,
            hardware_id: raw.hardware_id,
            identity: identity(raw.identity)?,
            self_test: self_test(raw.self_test)?,
            update,
            repositories,
            director,
            log,
            slots,
            commands,
            messages,
            telemetry,
            device_log,
            peer,
            tamper,
            hooks,
        })
    }
}

fn bad(detail: impl Into<String>) -> Failure {
    Failure::malformed("configuration", detail)
}

fn absolute(key: &str, path: &Path) -> Result<(), Failure> {
    if path.is_absolute() { Ok(()) } else { Err(bad(format!("{key} must be an absolute path"))) }
}

fn absolutes<'a>(
    paths: impl IntoIterator<Item = (&'a str, &'a Option<PathBuf>)>,
) -> Result<(), Failure> {
    paths
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_ref()?)))
        .try_for_each(|(key, path)| absolute(key, path))
}

fn name(key: &str, text: &str) -> Result<(), Failure> {
    let good = !text.is_empty() && text.len() <= 128 && !text.chars().any(char::is_control);
    if good { Ok(()) } else { Err(bad(format!("{key} must have 1 to 128 printable bytes"))) }
}

fn identity(raw: RawIdentity) -> Result<Identity, Failure> {
    name("identity.serial_number", &raw.serial_number)?;
    absolutes([
        ("identity.idevid", &raw.idevid),
        ("identity.sealing_key", &Some(raw.sealing_key.clone())),
        ("identity.bind_to", &raw.bind_to),
    ])?;
    for path in &raw.group_keys {
        absolute("identity.group_keys", path)?;
    }
    if raw.group_keys.len() > GROUP_KEYS_MAX {
        return Err(bad("identity.group_keys has more than 16 files"));
    }
    let device = raw.device.map(|text| text.parse::<DeviceId>()).transpose();
    let label = raw.label.map(|text| text.parse::<ProductId>()).transpose();
    let algorithm = raw.algorithm.as_deref().unwrap_or("p256").parse::<KeyAlgorithm>();
    Ok(Identity {
        serial_number: raw.serial_number,
        device: device.map_err(|error| bad(format!("identity.device: {error}")))?,
        label: label.map_err(|error| bad(format!("identity.label: {error}")))?,
        idevid: raw.idevid,
        sealing_key: raw.sealing_key,
        bind_to: raw.bind_to,
        algorithm: algorithm.map_err(|error| bad(format!("identity.algorithm: {error}")))?,
        group_keys: raw.group_keys,
    })
}

fn self_test(raw: RawSelfTest) -> Result<SelfTest, Failure> {
    absolutes([
        ("self_test.manifest", &raw.manifest),
        ("self_test.manifest_signature", &raw.manifest_signature),
        ("self_test.manifest_key", &raw.manifest_key),
    ])?;
    match (raw.manifest, raw.manifest_signature, raw.manifest_key) {
        (None, None, None) => Ok(SelfTest::Recorded),
        (Some(list), Some(signature), Some(key)) => Ok(SelfTest::Manifest { list, signature, key }),
        _ => Err(bad(
            "self_test needs all of manifest, manifest_signature and manifest_key, or none of them",
        )),
    }
}

fn update(raw: &RawUpdate) -> Result<Update, Failure> {
    let within = |key: &str, value: Option<u64>, default: u64, least: u64, most: u64| {
        let value = value.unwrap_or(default);
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(bad(format!("update.{key} must be {least} to {most}")))
        }
    };
    let follow = raw.follow.as_ref().map(TargetPath::new).transpose();
    let boots = within("boots_max", raw.boots_max.map(u64::from), 3, 1, 20)?;
    Ok(Update {
        follow: follow.map_err(|error| bad(format!("update.follow: {error}")))?,
        poll_s: within("poll_s", raw.poll_s, 300, 1, 86_400)?,
        download_within_s: within(
            "download_within_s",
            raw.download_within_s,
            7 * 86_400,
            1,
            90 * 86_400,
        )?,
        boot_within_s: within("boot_within_s", raw.boot_within_s, 86_400, 1, 30 * 86_400)?,
        confirm_within_s: within("confirm_within_s", raw.confirm_within_s, 600, 1, 86_400)?,
        boots_max: u8::try_from(boots).unwrap_or(3),
        bytes_per_s_min: within("bytes_per_s_min", raw.bytes_per_s_min, 128, 1, 1 << 30)?,
        security_version_min: raw.security_version_min.unwrap_or(0),
        confirm_by_hand: raw.confirm_by_hand,
        roll_back: raw.roll_back,
    })
}

fn repository(raw: RawRepository) -> Result<(String, Repository), Failure> {
    name("repository.organisation", &raw.organisation)?;
    absolute("repository.root", &raw.root)?;
    let path = raw.path.unwrap_or_else(|| format!("/tuf/{}", raw.organisation));
    let good = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%');
    if !path.starts_with('/') || !path.chars().all(good) || path.contains("/..") {
        return Err(bad("repository.path must be a path of the server, such as /tuf/kairo"));
    }
    let path = path.trim_end_matches('/').to_owned();
    Ok((raw.organisation, Repository { root: raw.root, path }))
}

fn director(raw: RawRepository) -> Result<Director, Failure> {
    name("director.organisation", &raw.organisation)?;
    let organisation = OrganisationId::new(&raw.organisation)
        .map_err(|error| bad(format!("director.organisation: {error}")))?;
    let path = raw.path.unwrap_or_else(|| format!("/tuf/director/{organisation}"));
    let (_, repository) = repository(RawRepository { path: Some(path), ..raw })?;
    Ok(Director { organisation, repository })
}

fn log(raw: &RawLog) -> Result<LogTrust, Failure> {
    let logs = raw.keys.iter().map(|text| text.parse());
    let logs: Vec<_> = logs
        .collect::<Result<_, _>>()
        .map_err(|error: ledger::LedgerError| bad(format!("log.keys: {error}")))?;
    let witnesses = raw.witnesses.iter().map(|text| text.parse());
    let witnesses: Vec<_> = witnesses
        .collect::<Result<_, _>>()
        .map_err(|error: ledger::LedgerError| bad(format!("log.witnesses: {error}")))?;
    if logs.is_empty() || logs.len() > LOG_KEYS_MAX || witnesses.len() > LOG_KEYS_MAX {
        return Err(bad(format!(
            "log.keys must have 1 to {LOG_KEYS_MAX} keys, log.witnesses at most as many"
        )));
    }
    let quorum = raw.quorum.unwrap_or(witnesses.len());
    if quorum > witnesses.len() {
        return Err(bad("log.quorum must not be more than the number of log.witnesses"));
    }
    Ok(LogTrust { logs, witnesses, quorum })
}

fn label(key: &str, text: &str) -> Result<(), Failure> {
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    let good = (1..=32).contains(&text.len()) && text.bytes().all(known);
    if good { Ok(()) } else { Err(bad(format!("{key} must have 1 to 32 of a-z, 0-9 and -"))) }
}

fn program(key: &str, words: &[String]) -> Result<(), Failure> {
    let absolute = words.first().map(Path::new).is_some_and(Path::is_absolute);
    if absolute && words.len() <= WORDS_MAX {
        return Ok(());
    }
    Err(bad(format!("{key} must be a program with its absolute path and at most 31 arguments")))
}

fn device_log(raw: &RawDeviceLog) -> Result<DeviceLog, Failure> {
    let (kept, tell_s) = (raw.kept.unwrap_or(500), raw.tell_s.unwrap_or(60));
    if !(16..=2000).contains(&kept) || !(1..=86_400).contains(&tell_s) {
        return Err(bad("device_log.kept must be 16 to 2000, device_log.tell_s 1 to 86400"));
    }
    Ok(DeviceLog { kept, tell_s })
}

fn peer(raw: &RawPeer) -> Result<Peer, Failure> {
    let poll_s = raw.poll_s.unwrap_or(3600);
    if !(10..=86_400).contains(&poll_s) {
        return Err(bad("peer.poll_s must be 10 to 86400"));
    }
    Ok(Peer { poll_s })
}

fn telemetry(raw: RawTelemetry) -> Result<Telemetry, Failure> {
    let kept = raw.kept.unwrap_or(1000);
    if !(1..=2000).contains(&kept) {
        return Err(bad("telemetry.kept must be 1 to 2000"));
    }
    if !(1..=32).contains(&raw.sources.len()) {
        return Err(bad("[telemetry] needs 1 to 32 [[telemetry.source]]"));
    }
    let sources = raw.sources.into_iter().map(|raw| {
        label("telemetry.source.name", &raw.name)?;
        let every_s = raw.every_s.unwrap_or(60);
        let timeout_s = raw.timeout_s.unwrap_or(10);
        if !(1..=86_400).contains(&every_s) || !(1..=60).contains(&timeout_s) {
            let what = "every_s must be 1 to 86400, timeout_s 1 to 60";
            return Err(bad(format!("telemetry.source {}: {what}", raw.name)));
        }
        let kind = match (raw.file, raw.command, raw.figure.as_deref()) {
            (Some(path), None, None) => {
                absolute("telemetry.source.file", &path)?;
                SourceKind::File(path)
            }
            (None, Some(words), None) => {
                program("telemetry.source.command", &words)?;
                SourceKind::Command(words, timeout_s)
            }
            (None, None, Some("uptime")) => SourceKind::Uptime,
            (None, None, Some("load")) => SourceKind::Load,
            (None, None, Some("memory-available")) => SourceKind::MemoryAvailable,
            _ => {
                let what = "needs one of file, command and figure (uptime, load, memory-available)";
                return Err(bad(format!("telemetry.source {} {what}", raw.name)));
            }
        };
        Ok(Source { name: raw.name, every_s, kind })
    });
    Ok(Telemetry { kept, sources: sources.collect::<Result<_, _>>()? })
}

fn tamper(raw: Vec<RawTamper>) -> Result<Vec<TamperInput>, Failure> {
    if raw.len() > 16 {
        return Err(bad("there are more than 16 [[tamper]]"));
    }
    let any_command = raw.iter().any(|one| one.command.is_some());
    let look_ms = if any_command { LOOK_COMMAND_MS } else { LOOK_FILE_MS };
    let inputs = raw.into_iter().map(|raw| {
        label("tamper.name", &raw.name)?;
        let debounce_ms = raw.debounce_ms.unwrap_or(500);
        if debounce_ms > 60_000 {
            return Err(bad("tamper.debounce_ms must be 0 to 60000"));
        }
        let look = match (raw.file, raw.command) {
            (Some(path), None) => {
                absolute("tamper.file", &path)?;
                TamperLook::File(path)
            }
            (None, Some(words)) => {
                program("tamper.command", &words)?;
                TamperLook::Command(words)
            }
            _ => return Err(bad(format!("tamper {} needs file or command", raw.name))),
        };
        let action = match raw.action.as_deref() {
            None | Some("report") => TamperAction::Report,
            Some("stop") => TamperAction::Stop,
            Some("erase-keys") => TamperAction::EraseKeys,
            Some(_) => return Err(bad("tamper.action must be report, stop or erase-keys")),
        };
        let looks = u32::try_from(debounce_ms / look_ms).unwrap_or(0).saturating_add(1);
        Ok(TamperInput { name: raw.name, look, tampered: raw.tampered, looks, action })
    });
    inputs.collect()
}

fn commands(raw: &RawCommands) -> Result<Commands, Failure> {
    let poll_s = raw.poll_s.unwrap_or(60);
    if !(1..=86_400).contains(&poll_s) {
        return Err(bad("commands.poll_s must be 1 to 86400"));
    }
    Ok(Commands { poll_s })
}

fn hooks(raw: RawHooks) -> Result<Hooks, Failure> {
    let named = [
        ("install", &raw.install),
        ("activate", &raw.activate),
        ("reboot", &raw.reboot),
        ("health", &raw.health),
        ("confirm", &raw.confirm),
        ("rollback", &raw.rollback),
        ("reset", &raw.reset),
        ("configure", &raw.configure),
        ("command", &raw.command),
    ];
    for (key, hook) in named {
        let Some(words) = hook else { continue };
        let program = words.first().map(Path::new);
        if words.len() > WORDS_MAX || !program.is_some_and(Path::is_absolute) {
            return Err(bad(format!(
                "hooks.{key} must be a program with its absolute path and at most 31 arguments, \
                 such as [\"/usr/bin/rauc\", \"install\", \"{{image}}\"]"
            )));
        }
    }
    let timeout_s = raw.timeout_s.unwrap_or(600);
    if !(1..=86_400).contains(&timeout_s) {
        return Err(bad("hooks.timeout_s must be 1 to 86400"));
    }
    Ok(Hooks {
        install: raw.install,
        activate: raw.activate,
        reboot: raw.reboot,
        health: raw.health,
        confirm: raw.confirm,
        rollback: raw.rollback,
        reset: raw.reset,
        configure: raw.configure,
        command: raw.command,
        timeout_s,
    })
}

fn slots(raw: RawSlots, hooks: &Hooks) -> Result<SlotPlaces, Failure> {
    absolutes([
        ("slots.a", &raw.a),
        ("slots.b", &raw.b),
        ("slots.spool", &raw.spool),
        ("slots.boot_record", &raw.boot_record),
        ("slots.running_file", &raw.running_file),
        ("slots.boot_id", &raw.boot_id),
    ])?;
    let pair = match (raw.a, raw.b, &raw.spool) {
        (Some(a), Some(b), None) if a != b => Some((a, b)),
        (None, None, Some(_)) if hooks.install.is_some() => None,
        _ => {
            return Err(bad(
                "slots needs two different places a and b, or spool together with hooks.install",
            ));
        }
    };
    let by_hooks = [&hooks.activate, &hooks.confirm, &hooks.rollback].iter().all(|h| h.is_some());
    if raw.boot_record.is_none() && !by_hooks {
        return Err(bad(
            "without slots.boot_record the hooks activate, confirm and rollback must all be there",
        ));
    }
    let running = match (raw.running_file, raw.running_parameter) {
        (Some(path), None) => Running::File(path),
        (None, parameter) => {
            Running::Parameter(parameter.unwrap_or_else(|| "tegata.slot".to_owned()))
        }
        _ => return Err(bad("slots: running_file or running_parameter, not both")),
    };
    let names = (
        raw.name_a.unwrap_or_else(|| "a".to_owned()),
        raw.name_b.unwrap_or_else(|| "b".to_owned()),
    );
    name("slots.name_a", &names.0)?;
    name("slots.name_b", &names.1)?;
    if names.0 == names.1 {
        return Err(bad("slots.name_a and slots.name_b must differ"));
    }
    Ok(SlotPlaces {
        pair,
        spool: raw.spool,
        boot_record: raw.boot_record,
        running,
        names,
        boot_id: raw.boot_id.unwrap_or_else(|| "/proc/sys/kernel/random/boot_id".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../systemd/agent.toml");

    #[test]
    fn the_example_is_read_and_each_mistake_is_named() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.hardware_id, "gate-bg1");
        assert_eq!(config.repositories["kairo"].path, "/tuf/kairo");
        assert_eq!(config.update.boots_max, 3);
        let check = |from: &str, to: &str, named: &str| {
            assert!(GOOD.contains(from), "{from}");
            let failure = Config::parse(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert_eq!(failure.code, "configuration");
            assert!(failure.detail.contains(named), "{to}: {failure}");
        };
        check("server = \"https://", "server = \"http://", "server");
        check("state = \"/", "state = \"", "state must be an absolute path");
        check("hardware_id", "hardware", "hardware");
        check("poll_s = 300", "poll_s = 0", "update.poll_s must be 1 to 86400");
        check("poll_s = 300", "pol_s = 300", "pol_s");
        check("b = \"/dev/mmcblk0p3\"", "b = \"/dev/mmcblk0p2\"", "two different places");
        check("boot_record = \"/boot/tegata/boot\"", "", "boot_record");
        check("\"/usr/bin/systemctl\"", "\"systemctl\"", "hooks.reboot");
        check("algorithm = \"p256\"", "algorithm = \"rsa-1024\"", "identity.algorithm");
        check("sealing_key = ", "sealing_kee = ", "sealing_kee");
        check("poll_s = 60", "poll_s = 0", "commands.poll_s must be 1 to 86400");
        let alone = "[messages]\nencrypt = true\n[commands]";
        check("[commands]", alone, "messages.encrypt needs messages.sign");
        check("configure = [\"/usr", "configure = [\"usr", "hooks.configure");
    }
}
