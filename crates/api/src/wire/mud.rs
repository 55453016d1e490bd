use super::scalar::{Base64, DeviceRef, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A usage description of a product line (RFC 8520), to be kept here and read by everybody (docs/mud.md).
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMud {
    /// The file, as it is: at most 262,144 bytes.
    pub file: Base64,
    /// Its signature (section 13.1): detached CMS SignedData in DER, at most 65,536 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<Base64>,
    /// Certificates in PEM that the signature is checked against: 1 to 8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 65_536)]
    pub anchors: Option<String>,
    /// Why; owners of the devices are told of a change.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// Why a usage description is withdrawn.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MudWithdrawal {
    /// Why; owners of the devices are told.
    #[schema(min_length = 1, max_length = 300)]
    pub reason: String,
}

/// What IDevIDs of a product line that are issued from now on say of its usage description.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMudUrl {
    /// Where the file is: https://…, 253 bytes at most.
    #[schema(min_length = 9, max_length = 253, example = "https://maker.example/gate.json")]
    pub url: String,
    /// Certificate in PEM of who signs the file; its subject goes into IDevIDs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 65_536)]
    pub signer: Option<String>,
}

/// What IDevIDs of a product line say of its usage description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MudUrl {
    /// Where the file is.
    pub url: String,
    /// Name of who signs it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<String>,
    /// By whom that was set.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A version of a product line's usage description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MudVersion {
    /// Its number.
    pub version: u64,
    /// SHA-256 of the file; without: the maker withdrew what was there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// Bytes of the file, where they are kept still.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<u64>,
    /// Whose signature goes with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<String>,
    /// Until when the certificates of that signature hold.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer_until: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A usage description with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MudFile {
    /// Which version.
    pub version: MudVersion,
    /// Where the file says that it is to be found.
    pub mud_url: String,
    /// Where it says that its signature is to be found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mud_signature: Option<String>,
    /// Where everybody reads the version in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub served_at: Option<String>,
    /// Where everybody reads its signature.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature_served_at: Option<String>,
    /// Which connections it allows, in plain words.
    pub allows: Vec<String>,
    /// The file, as it came.
    pub file: Base64,
    /// Its signature, as it came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signature: Option<Base64>,
    /// The certificates that the signature was checked against, in PEM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub anchors: Option<String>,
}

/// Connections that devices were seen to have.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFlows {
    /// Each of them.
    #[schema(min_items = 1, max_items = 1000)]
    pub flows: Vec<NewFlow>,
}

/// A connection that a device was seen to have: `to` or `from`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFlow {
    /// Which device.
    pub device: DeviceRef,
    /// Whom it connected to: HOST:PORT, with `/tcp` or `/udp` after it. A name says more than an address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 300, example = "gate.example:8883/tcp")]
    pub to: Option<String>,
    /// Who connected to it, and to which port of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 300, example = "192.0.2.1:22/tcp")]
    pub from: Option<String>,
    /// How often.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 1)]
    pub count: Option<u32>,
}

/// What came of flows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowsJudged {
    /// Flows that the maker's file allows.
    pub allowed: u64,
    /// Flows of which the file alone does not tell: it names what the owner's network knows.
    pub unknown: u64,
    /// Flows of devices whose maker keeps no file here.
    pub without: u64,
    /// Connections that it does not allow.
    pub outside: Vec<FlowOutside>,
}

/// A connection that the maker's file does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlowOutside {
    /// Of which device.
    pub device: DeviceRef,
    /// Which.
    #[schema(example = "to gate.example:22/tcp")]
    pub connection: String,
}

/// A connection of a device that its maker's file does not allow, as it was told of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutsideMud {
    /// Which.
    #[schema(example = "to gate.example:22/tcp")]
    pub connection: String,
    /// Who said so last: `device` in its log, or `owner`.
    pub told_by: String,
    /// How often it was told of.
    pub times: u64,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// Which version of the maker's file did not allow it then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// What the version in force says now: `allowed`, `denied`, `unknown` (the file alone does not tell), or
    /// `no-file`.
    pub now: String,
    /// The newest of the eight versions before it that allowed it. Where one device is asked about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed_by: Option<u64>,
}

/// The same with its device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutsideMudOfDevice {
    /// Which device.
    pub device: DeviceRef,
    /// Its serial number.
    pub serial_number: String,
    /// Its product line, MAKER/PRODUCT.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<String>,
    /// The connection.
    #[serde(flatten)]
    pub outside: OutsideMud,
}

/// How often such connections were told of on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutsideMudDay {
    /// When the day began, UTC.
    pub day: Timestamp,
    /// By devices in their logs.
    pub by_devices: u64,
    /// By the owner.
    pub by_owner: u64,
}

/// Of which product line.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OutsideMudQuery {
    /// Product line, MAKER/PRODUCT; without: all.
    #[param(max_length = 130, example = "maker-a/gate")]
    pub line: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// A usage description as it is suggested, unsigned: to be looked at, changed and signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MudSuggestion {
    /// The file.
    pub file: Base64,
    /// Which connections it allows, in plain words.
    pub allows: Vec<String>,
    /// Devices that were looked at: they told of connections within 30 days.
    pub devices: u32,
    /// Devices that had to have shown a connection.
    pub needed: u32,
    /// On so many days each.
    pub days: u32,
    /// Whom the devices connected to, and what became of it: 512 at most.
    pub seen: Vec<MudSeen>,
}

/// Whom devices connected to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MudSeen {
    /// Whom: HOST:PORT/tcp or udp; `local:PORT/…` is anybody in the device's own networks.
    #[schema(example = "gate.example:8883/tcp")]
    pub to: String,
    /// How many devices.
    pub devices: u32,
    /// On how many days the one that did it most often did.
    pub days: u32,
    /// When first.
    pub first: Timestamp,
    /// When last.
    pub last: Timestamp,
    /// `entry`: the file allows it; `owners-service`: name resolution and time are allowed anyhow; `too-few`
    /// devices or days; `too-many`: there is no room.
    pub taken: String,
}

/// Of which product line, and how much has to be seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MudSuggestionQuery {
    /// Product line, MAKER/PRODUCT.
    #[param(max_length = 130, example = "maker-a/gate")]
    pub line: String,
    /// Devices that have to have shown a connection; and of more than 30 a tenth.
    #[param(minimum = 2, maximum = 64, default = 3)]
    pub devices: Option<u32>,
    /// On so many days each.
    #[param(minimum = 1, maximum = 30, default = 3)]
    pub days: Option<u32>,
    /// Where the file will be found: https://…; without: here, where this console has such an address.
    #[param(max_length = 253)]
    pub url: Option<String>,
}

/// Of which product line, and of how many days.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OutsideMudDaysQuery {
    /// Product line, MAKER/PRODUCT; without: all.
    #[param(max_length = 130, example = "maker-a/gate")]
    pub line: Option<String>,
    /// The last so many days.
    #[param(minimum = 1, maximum = 30, default = 14)]
    pub days: Option<u8>,
}
