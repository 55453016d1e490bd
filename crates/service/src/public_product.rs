//! Use cases about what a maker tells buyers of a product line.

use crate::{
    ProductView, Service, ServiceError,
    products::product_view,
    store::{
        Effect, organisation as organisations,
        public::{self as store, LabelRow, PublicRow},
    },
};
use crypto::{Sha256, UnixTime};
use device::{Gtin, OrganisationId, ProductId};
use policy::{Action, Caller, Resource};

/// Most security labels of one product.
pub const LABELS_MAX: usize = 8;
/// Longest URL that is shown, in bytes.
const URL_BYTES_MAX: usize = 500;
/// Longest name for buyers, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Longest level, number or version, in characters.
const WORD_CHARS_MAX: usize = 64;

/// A scheme under which products get security labels. Names and numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LabelScheme {
    /// Japan: labelling scheme of IPA, levels ★1 to ★4
    JcStar,
    /// Singapore: Cybersecurity Labelling Scheme, levels 1 to 4
    Cls,
    /// European Union: CE marking under the Cyber Resilience Act
    CraCe,
    /// United States: Cyber Trust Mark
    CyberTrustMark,
    /// Germany: IT-Sicherheitskennzeichen of the BSI
    BsiLabel,
    /// Common Criteria (ISO/IEC 15408) certificate
    CommonCriteria,
    /// IEC 62443-4-2 certificate
    Iec62443,
    /// another
    Other,
}

impl LabelScheme {
    /// Every scheme.
    pub const ALL: [Self; 8] = [
        Self::JcStar,
        Self::Cls,
        Self::CraCe,
        Self::CyberTrustMark,
        Self::BsiLabel,
        Self::CommonCriteria,
        Self::Iec62443,
        Self::Other,
    ];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::JcStar => "jc-star",
            Self::Cls => "cls",
            Self::CraCe => "cra-ce",
            Self::CyberTrustMark => "cyber-trust-mark",
            Self::BsiLabel => "bsi-label",
            Self::CommonCriteria => "common-criteria",
            Self::Iec62443 => "iec-62443-4-2",
            Self::Other => "other",
        }
    }

    /// As it is written on products.
    pub fn title(self) -> &'static str {
        match self {
            Self::JcStar => "JC-STAR",
            Self::Cls => "CLS (Singapore)",
            Self::CraCe => "CE (EU CRA)",
            Self::CyberTrustMark => "U.S. Cyber Trust Mark",
            Self::BsiLabel => "BSI IT-Sicherheitskennzeichen",
            Self::CommonCriteria => "Common Criteria",
            Self::Iec62443 => "IEC 62443-4-2",
            Self::Other => "",
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::JcStar => 1,
            Self::Cls => 2,
            Self::CraCe => 3,
            Self::CyberTrustMark => 4,
            Self::BsiLabel => 5,
            Self::CommonCriteria => 6,
            Self::Iec62443 => 7,
            Self::Other => 255,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.code() == code)
    }
}

impl std::fmt::Display for LabelScheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for LabelScheme {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|scheme| scheme.name()).collect();
            format!("no label scheme is called so; choose one of: {}", names.join(" "))
        })
    }
}

/// A security label that a product bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityLabel {
    /// the scheme
    pub scheme: LabelScheme,
    /// level within the scheme, e.g. `★1`
    pub level: Option<String>,
    /// number in the scheme's register
    pub number: Option<String>,
    /// its entry in the scheme's register, `https://…`
    pub url: Option<String>,
    /// until when it is valid
    pub valid_until: Option<UnixTime>,
}

/// The newest firmware that a maker has announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firmware {
    /// version as its maker writes it
    pub version: String,
    /// SHA-256 as devices measure it; without it nobody can tell whether a device has it
    pub digest: Option<Sha256>,
}

/// What buyers are told of a product line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductPublic {
    /// trade item number
    pub gtin: Option<Gtin>,
    /// name for buyers in Japanese
    pub name_ja: Option<String>,
    /// name for buyers in English
    pub name_en: Option<String>,
    /// where buyers turn to: support, and what to do about a counterfeit; `https://…`
    pub contact_url: Option<String>,
    /// newest firmware announced
    pub firmware: Option<Firmware>,
    /// security labels
    pub labels: Vec<SecurityLabel>,
}

/// A change of what buyers are told: what is `None` stays, `Some(None)` goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductChange {
    /// end of support
    pub support_end: Option<Option<UnixTime>>,
    /// trade item number
    pub gtin: Option<Option<Gtin>>,
    /// name for buyers in Japanese
    pub name_ja: Option<Option<String>>,
    /// name for buyers in English
    pub name_en: Option<Option<String>>,
    /// where buyers turn to
    pub contact_url: Option<Option<String>>,
    /// newest firmware announced
    pub firmware: Option<Option<Firmware>>,
    /// all security labels anew
    pub labels: Option<Vec<SecurityLabel>>,
}

impl Service {
    /// What buyers are told of a product line.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn product_public(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
    ) -> Result<ProductPublic, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadProduct, &resource)?;
        let row = self.product_row(organisation, product)?;
        self.read(|connection| store::product_public(connection, row.id)).and_then(public_view)
    }

    /// Changes what buyers are told of a product line. Old and new values are in the audit chain: a
    /// promise that was moved can be found again.
    ///
    /// # Errors
    /// `nothing-to-change`, `name`, `url`, `label`, `firmware`, `not-found`, `role`.
    pub async fn change_product(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        change: ProductChange,
    ) -> Result<(ProductView, ProductPublic), ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ChangeProduct, &resource)?;
        if change == ProductChange::default() {
            return Err(ServiceError::malformed(
                "nothing-to-change",
                "name at least one thing to change",
            ));
        }
        check(&change)?;
        let id = self.product_row(organisation, product)?.id;
        let now = self.now();
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "product-changed");
        let row = self
            .commit(move |tx| {
                let missing = || ServiceError::not_found("product line");
                let mut row = organisations::product_by_id(tx, id)?.ok_or_else(missing)?;
                let mut public = store::product_public(tx, id)?;
                let mut event = event;
                let words = |time: Option<UnixTime>| {
                    time.map_or_else(|| "none".to_owned(), |time| time.to_string())
                };
                if let Some(support_end) = change.support_end {
                    let told = format!("{} → {}", words(row.support_end), words(support_end));
                    event = event.detail("support-end", &told);
                    row.support_end = support_end;
                    store::set_support_end(tx, id, support_end)?;
                }
                for (name, told) in apply(change, &mut public) {
                    event = event.detail(name, &told);
                }
                store::set_product_public(tx, id, &public, now)?;
                tx.effect(Effect::Directory);
                tx.audit(&event)?;
                Ok((row, public))
            })
            .await?;
        Ok((product_view(organisation.clone(), row.0)?, public_view(row.1)?))
    }
}

/// Changes the row; returns what was changed, from what to what.
fn apply(change: ProductChange, row: &mut PublicRow) -> Vec<(&'static str, String)> {
    let mut told = Vec::new();
    let mut set = |name, place: &mut Option<String>, value: Option<Option<String>>| {
        let Some(value) = value else { return };
        let words = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        told.push((name, format!("{} → {}", words(place), words(&value))));
        *place = value;
    };
    let gtin = change.gtin.map(|gtin| gtin.map(|gtin| gtin.to_string()));
    set("gtin", &mut row.gtin, gtin);
    set("name-ja", &mut row.name_ja, change.name_ja);
    set("name-en", &mut row.name_en, change.name_en);
    set("contact-url", &mut row.contact_url, change.contact_url);
    if let Some(firmware) = change.firmware {
        let (version, digest) =
            firmware.map_or((None, None), |firmware| (Some(firmware.version), firmware.digest));
        set("firmware", &mut row.firmware, Some(version));
        row.firmware_digest = digest;
        if let Some(digest) = digest {
            told.push(("firmware-digest", digest.to_string()));
        }
    }
    if let Some(labels) = change.labels {
        let words: Vec<String> = labels
            .iter()
            .map(|label| {
                let of = |part: &Option<String>| part.clone().unwrap_or_default();
                format!("{} {} {}", label.scheme, of(&label.level), of(&label.number))
            })
            .collect();
        told.push(("labels", words.join("; ")));
        row.labels = labels
            .into_iter()
            .map(|label| LabelRow {
                scheme: label.scheme.code(),
                level: label.level,
                number: label.number,
                url: label.url,
                valid_until: label.valid_until,
            })
            .collect();
    }
    told
}

fn check(change: &ProductChange) -> Result<(), ServiceError> {
    for name in [&change.name_ja, &change.name_en].into_iter().flatten().flatten() {
        line("name", name, NAME_CHARS_MAX)?;
    }
    if let Some(Some(url)) = &change.contact_url {
        check_url(url)?;
    }
    if let Some(Some(firmware)) = &change.firmware {
        line("firmware", &firmware.version, WORD_CHARS_MAX)?;
    }
    let labels = change.labels.as_deref().unwrap_or_default();
    if labels.len() > LABELS_MAX {
        return Err(ServiceError::malformed(
            "label",
            format!("a product has at most {LABELS_MAX} security labels"),
        ));
    }
    for label in labels {
        for word in [&label.level, &label.number].into_iter().flatten() {
            line("label", word, WORD_CHARS_MAX)?;
        }
        if let Some(url) = &label.url {
            check_url(url)?;
        }
        if label.scheme == LabelScheme::Other && label.level.is_none() {
            return Err(ServiceError::malformed(
                "label",
                "a label of another scheme needs a level that names the scheme",
            ));
        }
    }
    Ok(())
}

fn line(code: &'static str, text: &str, most: usize) -> Result<(), ServiceError> {
    let length = text.chars().count();
    if text.trim() != text || !(1..=most).contains(&length) || text.chars().any(is_disguised) {
        return Err(ServiceError::malformed(
            code,
            format!(
                "from 1 to {most} characters, without control or direction characters and without \
                 a space at either end"
            ),
        ));
    }
    Ok(())
}

/// Characters that make a text look like another: controls, and Unicode's direction overrides
/// (UAX #9) and zero-width characters.
pub(crate) fn is_disguised(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A link that strangers will follow: `https`, a host by name, nothing that hides where it leads.
fn check_url(url: &str) -> Result<(), ServiceError> {
    let refused = |why: &str| Err(ServiceError::malformed("url", why.to_owned()));
    let Some(rest) = url.strip_prefix("https://") else {
        return refused("a link begins with https://");
    };
    if url.len() > URL_BYTES_MAX {
        return refused("a link has at most 500 bytes");
    }
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if !url.bytes().all(plain) {
        return refused(
            "a link has no spaces, quotes or non-ASCII characters; percent-encode them",
        );
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let good = host.contains('.')
        && !host.starts_with('.')
        && !host.ends_with('.')
        && host.bytes().all(name)
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
        && port.parse::<u16>().is_ok();
    if good { Ok(()) } else { refused("a link names a host, without a user name in front of it") }
}

pub(crate) fn public_view(row: PublicRow) -> Result<ProductPublic, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a product's row is damaged");
    let digest = row.firmware_digest;
    Ok(ProductPublic {
        gtin: row.gtin.map(|gtin| gtin.parse()).transpose().map_err(|_| damaged())?,
        name_ja: row.name_ja,
        name_en: row.name_en,
        contact_url: row.contact_url,
        firmware: row.firmware.map(|version| Firmware { version, digest }),
        labels: row
            .labels
            .into_iter()
            .map(|label| {
                Ok(SecurityLabel {
                    scheme: LabelScheme::from_code(label.scheme).ok_or_else(damaged)?,
                    level: label.level,
                    number: label.number,
                    url: label.url,
                    valid_until: label.valid_until,
                })
            })
            .collect::<Result<_, ServiceError>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_they_seem_to() {
        for good in [
            "https://maker.example/support",
            "https://maker.example:8443/a?b=c#d",
            "https://xn--eckwd4c7c.example/%E3%81%82",
        ] {
            assert!(check_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://maker.example/",
            "javascript:alert(1)",
            "https://",
            "https://localhost/",
            "https://user@maker.example/",
            "https://maker.example@evil.example/",
            "https://10.0.0.1/",
            "https://maker.example/<script>",
            "https://maker.example/\u{202e}",
            "https://maker.example:99999/",
            "https://.example/",
        ] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
        assert!(check_url(&format!("https://a.example/{}", "a".repeat(500))).is_err());
    }

    #[test]
    fn names_are_what_they_look_like() {
        assert!(line("name", "ドアセンサー G4", 100).is_ok());
        for bad in ["", " a", "a\n", "a\u{202e}b", "a\u{200b}", &"a".repeat(101)] {
            assert!(line("name", bad, 100).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn schemes_lead_back() {
        for scheme in LabelScheme::ALL {
            assert_eq!(scheme.name().parse(), Ok(scheme));
            assert_eq!(LabelScheme::from_code(scheme.code()), Some(scheme));
        }
        assert!("x".parse::<LabelScheme>().unwrap_err().contains("jc-star"));
    }
}
