//! What buyers are told, labels, and look-ups of printed numbers.

use super::scalar::{DeviceRef, Digest, NumberText, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What buyers are told of a product line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProductPublic {
    /// End of security updates, where it is promised.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub support_end: Option<Timestamp>,
    /// Trade item number, 14 digits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gtin: Option<String>,
    /// Name for buyers in Japanese.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name_ja: Option<String>,
    /// Name for buyers in English.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name_en: Option<String>,
    /// Where buyers turn to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contact_url: Option<String>,
    /// Newest firmware announced.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub firmware: Option<FirmwareVersion>,
    /// Security labels.
    pub labels: Vec<SecurityLabel>,
}

/// The newest firmware that a maker has announced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirmwareVersion {
    /// Version as its maker writes it.
    #[schema(min_length = 1, max_length = 64)]
    pub version: String,
    /// SHA-256 as devices measure it; without it nobody can tell whether a device has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
}

/// A security label that a product bears.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityLabel {
    /// The scheme: jc-star, cls, cra-ce, cyber-trust-mark, bsi-label, common-criteria,
    /// iec-62443-4-2 or other.
    #[schema(min_length = 3, max_length = 40, pattern = "^[a-z0-9-]+$")]
    pub scheme: String,
    /// Level within the scheme; names the scheme where that is `other`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 64)]
    pub level: Option<String>,
    /// Number in the scheme's register.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 64)]
    pub number: Option<String>,
    /// Its entry in the scheme's register: https only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_length = 500, pattern = "^https://")]
    pub url: Option<String>,
    /// Until when it is valid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid_until: Option<Timestamp>,
}

/// A change of what buyers are told. What is absent stays, what is null goes (RFC 7396).
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductChange {
    /// End of security updates.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<Timestamp>)]
    pub support_end: Option<Option<Timestamp>>,
    /// Trade item number: 8, 12, 13 or 14 digits, the last one the check digit.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[0-9]{8,14}$")]
    pub gtin: Option<Option<String>>,
    /// Name for buyers in Japanese.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub name_ja: Option<Option<String>>,
    /// Name for buyers in English.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100)]
    pub name_en: Option<Option<String>>,
    /// Where buyers turn to: https only.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 500, pattern = "^https://")]
    pub contact_url: Option<Option<String>>,
    /// Newest firmware announced.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "present")]
    #[schema(value_type = Option<FirmwareVersion>)]
    pub firmware: Option<Option<FirmwareVersion>>,
    /// All security labels anew.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(max_items = 8)]
    pub labels: Option<Vec<SecurityLabel>>,
}

/// Tells `null` from absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// What a look at the printed code leads to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelLink {
    /// GS1 Digital Link where the product has a GTIN, else the page
    #[default]
    Best,
    /// `/p/{management number}`
    Page,
    /// `/01/{GTIN}/21/{serial}`
    Gs1,
}

/// Kind of code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LabelCode {
    /// QR Code
    #[default]
    Qr,
    /// Data Matrix
    DataMatrix,
}

/// Form of a picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PictureForm {
    /// SVG
    #[default]
    Svg,
    /// PNG
    Png,
}

/// Form of a sheet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SheetForm {
    /// PDF, any number of sheets
    #[default]
    Pdf,
    /// SVG, one sheet
    Svg,
}

/// The code of one device, as a picture.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LabelQuery {
    /// Form.
    #[serde(default)]
    #[param(inline)]
    pub format: PictureForm,
    /// Kind of code.
    #[serde(default)]
    #[param(inline)]
    pub code: LabelCode,
    /// Where it leads.
    #[serde(default)]
    #[param(inline)]
    pub link: LabelLink,
    /// Size of a module in print, in micrometres.
    #[param(minimum = 250, maximum = 2000, default = 500)]
    pub module_um: Option<u32>,
    /// Pixels per module, for PNG.
    #[param(minimum = 1, maximum = 40, default = 8)]
    pub pixels: Option<u32>,
}

/// Labels to be printed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelSheets {
    /// The devices, in the order of the labels.
    #[schema(min_items = 1, max_items = 1000)]
    pub devices: Vec<DeviceRef>,
    /// Geometry: a4-24, a4-65, roll-62x29, roll-50x25 or roll-25x25.
    #[schema(min_length = 3, max_length = 20, pattern = "^[a-z0-9-]+$")]
    pub sheet: String,
    /// Form.
    #[serde(default)]
    pub format: SheetForm,
    /// Kind of code.
    #[serde(default)]
    pub code: LabelCode,
    /// Where it leads.
    #[serde(default)]
    pub link: LabelLink,
    /// Own line of text on each label: at most 60 Latin letters, digits and signs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(min_length = 1, max_length = 60, pattern = "^[ -~]+$")]
    pub text: Option<String>,
    /// Size of a module in print, in micrometres; as large as fits, up to 600, where absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(minimum = 250, maximum = 2000)]
    pub module_um: Option<u32>,
    /// Positions of the first sheet that are used up.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 64)]
    pub skip: u32,
}

/// What look-ups of a device's number add up to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Scans {
    /// Look-ups in the last seven days that were counted.
    pub sightings: u64,
    /// Most different networks within a day.
    pub networks: u64,
    /// Journeys between look-ups that nobody can make in the time.
    pub journeys: u64,
    /// What is of concern: many-networks or impossible-travel.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub concern: Option<String>,
    /// Since when.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// When last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<Timestamp>,
}

/// A device whose look-ups need its owner's attention.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScanAlarm {
    /// The device.
    pub device: DeviceRef,
    /// Its number.
    pub number: NumberText,
    /// What is of concern: many-networks or impossible-travel.
    pub concern: String,
    /// The same for people, in English.
    pub en: String,
    /// The same for people, in Japanese.
    pub ja: String,
    /// Since when.
    pub since: Timestamp,
    /// When last.
    pub last: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_absent() {
        let change: ProductChange =
            serde_json::from_str(r#"{"gtin": null, "name_en": "Gate"}"#).unwrap();
        assert_eq!(change.gtin, Some(None));
        assert_eq!(change.name_en, Some(Some("Gate".into())));
        assert_eq!(change.name_ja, None);
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(text, r#"{"gtin":null,"name_en":"Gate"}"#);
        assert!(serde_json::from_str::<ProductChange>(r#"{"x": 1}"#).is_err());
    }
}
