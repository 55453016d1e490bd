use super::scalar::{
    Base64, CauseName, CertificatePem, CsrPem, DeviceRef, Digest, KindName, NumberText,
    OrganisationRef, PhaseName, ProductRef, StandingName, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A chip, module, board or device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// Identifier.
    pub id: DeviceRef,
    /// Number printed on it.
    pub management_number: NumberText,
    /// Its maker.
    pub maker: OrganisationRef,
    /// Its product line, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<ProductRef>,
    /// Kind of device.
    pub kind: KindName,
    /// Its maker's serial number.
    pub serial_number: String,
    /// Who owns it.
    pub owner: OrganisationRef,
    /// Phase of its life; absent before its first event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Good, suspended or revoked.
    pub standing: StandingName,
    /// Events in its history.
    pub events: u64,
    /// Commitment of the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<Digest>,
    /// When it was registered.
    pub created: Timestamp,
}

/// A device to be registered before its first enrolment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// Its maker's serial number, unique in the product line.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub serial_number: String,
    /// Identifier, where the maker chooses it; random otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<DeviceRef>,
}

/// Devices to be registered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevices {
    /// Their product line, of the caller's organisation.
    pub product: ProductRef,
    /// Each is registered, or refused, alone.
    #[schema(min_items = 1, max_items = 1000)]
    pub devices: Vec<NewDevice>,
}

/// Which devices of a list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Of this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// How the organisation stands to them; its own devices where absent.
    pub relation: Option<Relation>,
    /// Of this product line.
    #[param(value_type = Option<ProductRef>)]
    pub product: Option<String>,
    /// The maker of that product line; the organisation itself where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub maker: Option<String>,
    /// In this phase of life.
    #[param(value_type = Option<PhaseName>)]
    pub phase: Option<String>,
    /// Of this standing.
    #[param(value_type = Option<StandingName>)]
    pub standing: Option<String>,
    /// Whose serial number begins so.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub serial: Option<String>,
    /// The `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// How an organisation stands to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// it owns it
    Owner,
    /// it made it
    Maker,
    /// it is shared with it
    Shared,
    /// its ownership is offered to it
    Offered,
}

impl Relation {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Maker => "maker",
            Self::Offered => "offered",
            Self::Shared => "shared",
        }
    }
}

/// What anyone may know who has a device's management number in hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublicDevice {
    /// Number printed on it.
    pub management_number: NumberText,
    /// Its maker's name.
    pub maker: String,
    /// Its product's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<String>,
    /// Phase of its life; absent before its first event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Good, suspended or revoked.
    pub standing: StandingName,
    /// Until when it is supported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub support_end: Option<Timestamp>,
}

/// Why something is done to a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CauseGiven {
    /// Cause; it goes into the device's history.
    pub cause: CauseName,
    /// Why, in words; it stands in the event and goes when the event's contents are erased. At most
    /// 300 characters on one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 300)]
    pub reason: Option<String>,
}

/// One-time codes to be released.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CodesWanted {
    /// Devices that may enrol with a code.
    #[schema(min_items = 1, max_items = 1000)]
    pub devices: Vec<DeviceRef>,
    /// Seconds until the codes end.
    #[schema(minimum = 60, maximum = 2_592_000)]
    pub lifetime_s: u32,
}

/// A one-time code, shown this once.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleasedCode {
    /// The one device that may use it.
    pub device: DeviceRef,
    /// The code: the password of EST's HTTP Basic authentication, with the device's identifier or
    /// management number as the user.
    pub code: String,
    /// Its end.
    pub expires: Timestamp,
}

/// A purchase list: whoever bought these devices vouches for them, and they may enrol as its own.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PurchaseList {
    /// The devices.
    #[schema(min_items = 1, max_items = 1000)]
    pub entries: Vec<Purchase>,
}

/// One line of a purchase list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// Its maker.
    pub maker: OrganisationRef,
    /// Its product line.
    pub product: ProductRef,
    /// Its maker's serial number.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$")]
    pub serial_number: String,
}

/// Chip certificates to be issued at the line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChipBatch {
    /// Each is issued, or refused, alone.
    #[schema(min_items = 1, max_items = 1000)]
    pub chips: Vec<NewChip>,
}

/// One chip of a batch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChip {
    /// The chip.
    pub device: DeviceRef,
    /// Its first event, chip-made, as a COSE_Sign1 message of its maker; absent where it is
    /// recorded already.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 87384)]
    pub made: Option<Base64>,
    /// Request signed by the key that the chip made and keeps.
    pub csr: CsrPem,
}

/// A certificate issued to a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// The device.
    pub device: DeviceRef,
    /// SHA-256 of the certificate.
    pub fingerprint: Digest,
    /// The certificate and the CAs above it.
    pub chain: Vec<CertificatePem>,
    /// The event of it in the device's history.
    pub recorded: super::Recorded,
}

/// When a device should renew its certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RenewalInfo {
    /// The device's own moment: renew from here on. Spread over the fleet.
    pub from: Timestamp,
    /// Until when it should be done.
    pub until: Timestamp,
    /// End of the certificate.
    pub expires: Timestamp,
}

/// A share of a device: another organisation may read its passport.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// With whom.
    pub organisation: OrganisationRef,
    /// Until when; until it is ended where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
}

/// How long a device is shared.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareTerms {
    /// Until when; until it is ended where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub until: Option<Timestamp>,
}

/// What is to be erased of a device's history.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    /// Sequence numbers of the events whose contents go; all of them where absent. Their places
    /// and commitments stay.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_items = 1, max_items = 1000)]
    pub sequences: Option<Vec<u64>>,
}

/// What the next event of a device must chain to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// Sequence number that the next event must have.
    pub next_sequence: u64,
    /// Commitment of the last event, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Digest>,
}

/// A challenge for a device.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Challenge {
    /// 32 random bytes that the device signs into its proof.
    pub nonce: Base64,
    /// Its end.
    pub expires: Timestamp,
}
