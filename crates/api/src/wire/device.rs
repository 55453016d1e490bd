use super::scalar::{
    Base64, CauseName, CertificatePem, CsrPem, DeviceRef, Digest, KindName, NumberText,
    OrganisationRef, PhaseName, ProductRef, RootOfTrustName, StandingName, Timestamp,
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
    /// Who has it in hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub holder: Option<OrganisationRef>,
    /// Phase of its life; absent before its first event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub phase: Option<PhaseName>,
    /// Good, suspended or revoked.
    pub standing: StandingName,
    /// Events in its history.
    pub events: u64,
    /// When it was registered.
    pub created: Timestamp,
}

/// A device to be registered before its first enrolment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevice {
    /// Its product line, of the caller's organisation.
    pub product: ProductRef,
    /// Its maker's serial number, unique in the product line.
    #[schema(min_length = 1, max_length = 64)]
    pub serial_number: String,
    /// Identifier, where the maker chooses it; random otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<DeviceRef>,
}

/// Devices to be registered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDevices {
    /// Each is registered, or refused, alone.
    #[schema(min_items = 1, max_items = 1000)]
    pub devices: Vec<NewDevice>,
}

/// Which devices of a list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeviceQuery {
    /// Made, owned or held by this organisation; the caller's own where absent.
    #[param(value_type = Option<OrganisationRef>)]
    pub organisation: Option<String>,
    /// Of this product line.
    #[param(value_type = Option<ProductRef>)]
    pub product: Option<String>,
    /// In this phase of life.
    #[param(value_type = Option<PhaseName>)]
    pub phase: Option<String>,
    /// Of this standing.
    #[param(value_type = Option<StandingName>)]
    pub standing: Option<String>,
    /// Whose serial number, management number or identifier begins so.
    #[param(min_length = 1, max_length = 64)]
    pub text: Option<String>,
    /// The `next` of the page before.
    #[param(max_length = 200, min_length = 1)]
    pub after: Option<String>,
    /// Most items wanted.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<u32>,
}

/// What anyone may know who has a device's management number in hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublicDevice {
    /// Number printed on it.
    pub management_number: NumberText,
    /// Its maker's name.
    pub maker: String,
    /// Its product's name.
    pub product: String,
    /// Its model.
    pub model: String,
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
    #[schema(min_length = 1, max_length = 64)]
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
    /// Its serial number, unique in the product line.
    #[schema(min_length = 1, max_length = 64)]
    pub serial_number: String,
    /// Request signed by the key that the chip made and keeps.
    pub csr: CsrPem,
    /// What keeps the key.
    pub root_of_trust: RootOfTrustName,
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
    /// The event of it in the device's history, where it was recorded there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recorded: Option<super::Recorded>,
}

/// When a device should renew its certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RenewalInfo {
    /// Not before.
    pub window_start: Timestamp,
    /// Not after.
    pub window_end: Timestamp,
    /// The device's own moment in the window, spread over the fleet.
    pub suggested: Timestamp,
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
    /// Why, for the record.
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
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
