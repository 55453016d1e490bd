use crate::{
    GeneralName, HardwareModuleName, IssueError, KeyUsage, MudReference, Name, ObjectIdentifier,
    Serial, oid,
    strict::{Reader, only},
    write::{Writer, fragment, tag},
};
use crypto::{PublicKey, UnixTime};
use std::{fmt, net::IpAddr, str::FromStr};

/// What a certificate is for. `docs/profiles.md` lists every field of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Trust anchor, made in a ceremony, its key taken offline
    Root,
    /// CA of a maker, product line or owner
    IssuingCa,
    /// A chip's identity, made where the chip is made
    Chip,
    /// The maker's long-lived identity of a device (IEEE 802.1AR-2018 section 8)
    Idevid,
    /// The owner's short-lived identity of a device (IEEE 802.1AR-2018 section 8)
    Ldevid,
    /// Server, gateway or application
    Service,
    /// Key of an organisation that signs life events
    OrganisationSigner,
    /// Key that signs software for devices: bundles of SWUpdate and RAUC (RFC 5652)
    SoftwareSigner,
    /// Client certificate of a person or factory station
    Operator,
    /// Delegated OCSP responder (RFC 6960 section 4.2.2.2)
    OcspSigner,
    /// Key of an organisation that messages of its devices are encrypted for (RFC 9052 section 5.1)
    MessageRecipient,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 11] = [
        Self::Root,
        Self::IssuingCa,
        Self::Chip,
        Self::Idevid,
        Self::Ldevid,
        Self::Service,
        Self::OrganisationSigner,
        Self::SoftwareSigner,
        Self::Operator,
        Self::OcspSigner,
        Self::MessageRecipient,
    ];

    /// Name in commands, files and the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::IssuingCa => "issuing-ca",
            Self::Chip => "chip",
            Self::Idevid => "idevid",
            Self::Ldevid => "ldevid",
            Self::Service => "service",
            Self::OrganisationSigner => "organisation-signer",
            Self::SoftwareSigner => "software-signer",
            Self::Operator => "operator",
            Self::OcspSigner => "ocsp-signer",
            Self::MessageRecipient => "message-recipient",
        }
    }

    /// Whether its subjects sign certificates.
    pub fn is_ca(self) -> bool {
        matches!(self, Self::Root | Self::IssuingCa)
    }

    /// keyUsage. The same for every algorithm: signatures only, so that RFC 9881 section 5 (ML-DSA)
    /// and RFC 8410 section 5 (Ed25519) hold, and no key is ever used for key transport (KM-5). The one
    /// exception agrees on keys and does nothing else: it is on P-256, and signs nothing.
    pub fn key_usage(self) -> KeyUsage {
        match self {
            Self::Root | Self::IssuingCa => KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN),
            Self::OrganisationSigner => {
                KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::NON_REPUDIATION)
            }
            Self::MessageRecipient => KeyUsage::KEY_AGREEMENT,
            _ => KeyUsage::DIGITAL_SIGNATURE,
        }
    }

    /// extKeyUsage; empty where the extension is absent.
    pub fn extended_key_usage(self) -> &'static [ObjectIdentifier] {
        match self {
            // IEEE 802.1AR-2018 leaves the use of a DevID open, and a maker cannot know it.
            Self::Root | Self::IssuingCa | Self::Chip | Self::Idevid => &[],
            // There is none for COSE; keyAgreement alone opens no door.
            Self::MessageRecipient => &[],
            Self::Ldevid | Self::Operator => &[oid::KP_CLIENT_AUTH],
            Self::Service => &[oid::KP_SERVER_AUTH, oid::KP_CLIENT_AUTH],
            Self::OrganisationSigner => &[KP_DOCUMENT_SIGNING],
            Self::SoftwareSigner => &[oid::KP_CODE_SIGNING, oid::KP_EMAIL_PROTECTION],
            Self::OcspSigner => &[oid::KP_OCSP_SIGNING],
        }
    }
}

/// id-kp-documentSigning (RFC 9336): what organisations sign are statements that people read.
/// Without an extKeyUsage the key would pass as a TLS client's or server's as well.
pub const KP_DOCUMENT_SIGNING: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.36");

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = IssueError;
    fn from_str(text: &str) -> Result<Self, IssueError> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| IssueError::UnknownProfile(text.chars().take(40).collect()))
    }
}

/// A subject's name. Empty fields are left out; the order in the certificate is that of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subject {
    /// countryName: two capital letters (ISO 3166)
    pub country: String,
    /// organizationName, at most 64 characters
    pub organisation: String,
    /// organizationalUnitName, at most 64 characters: here the product line
    pub organisational_unit: String,
    /// commonName, at most 64 characters
    pub common_name: String,
    /// serialNumber: a device's own, at most 64 characters of PrintableString
    pub serial_number: String,
}

/// Upper bounds of X.520 as RFC 5280 appendix A.1 gives them, in characters.
const NAME_CHARACTERS_MAX: usize = 64;

impl Subject {
    /// A subject that has a commonName only.
    pub fn named(common_name: impl Into<String>) -> Self {
        Self { common_name: common_name.into(), ..Self::default() }
    }

    /// Takes the known attributes of a name, the first of each type; others are dropped.
    pub fn from_name(name: &Name<'_>) -> Self {
        let text = |oid| name.attribute(&oid).unwrap_or_default();
        Self {
            country: text(oid::COUNTRY_NAME),
            organisation: text(oid::ORGANIZATION_NAME),
            organisational_unit: text(oid::ORGANIZATIONAL_UNIT_NAME),
            common_name: text(oid::COMMON_NAME),
            serial_number: text(oid::SERIAL_NUMBER),
        }
    }

    /// The `Name` in DER.
    ///
    /// # Errors
    /// [`IssueError::Subject`] names the field and its rule.
    pub fn to_der(&self) -> Result<Vec<u8>, IssueError> {
        self.check()?;
        let parts = [
            (oid::COUNTRY_NAME, tag::PRINTABLE_STRING, &self.country),
            (oid::ORGANIZATION_NAME, tag::UTF8_STRING, &self.organisation),
            (oid::ORGANIZATIONAL_UNIT_NAME, tag::UTF8_STRING, &self.organisational_unit),
            (oid::COMMON_NAME, tag::UTF8_STRING, &self.common_name),
            (oid::SERIAL_NUMBER, tag::PRINTABLE_STRING, &self.serial_number),
        ];
        Ok(fragment(|w| {
            w.sequence(|w| {
                for (oid, tag, text) in parts.iter().filter(|(.., text)| !text.is_empty()) {
                    w.nested(tag::SET, |w| {
                        w.sequence(|w| {
                            w.oid(oid);
                            w.tlv(*tag, text.as_bytes());
                        });
                    });
                }
            });
        }))
    }

    fn check(&self) -> Result<(), IssueError> {
        let refuse = |field, rule| Err(IssueError::Subject { field, rule });
        let country = self.country.as_bytes();
        if !(country.is_empty() || country.len() == 2 && country.iter().all(u8::is_ascii_uppercase))
        {
            return refuse("countryName", "must be two capital letters");
        }
        for (field, text) in [
            ("organizationName", &self.organisation),
            ("organizationalUnitName", &self.organisational_unit),
            ("commonName", &self.common_name),
            ("serialNumber", &self.serial_number),
        ] {
            if text.chars().count() > NAME_CHARACTERS_MAX {
                return refuse(field, "has more than 64 characters");
            }
            if text.chars().any(char::is_control) {
                return refuse(field, "has control characters");
            }
            if text.trim() != text {
                return refuse(field, "begins or ends with white space");
            }
        }
        if !self.serial_number.bytes().all(is_printable) {
            return refuse(
                "serialNumber",
                "has characters outside PrintableString (letters, digits, space and ' ( ) + , - . / : = ?)",
            );
        }
        if self == &Self::default() {
            return refuse("subject", "is empty");
        }
        Ok(())
    }
}

/// X.680 section 41.4.
pub(crate) fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
}

/// A further name of the subject (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlternativeName {
    /// dNSName; internationalised names as A-labels
    Dns(String),
    /// iPAddress
    Ip(IpAddr),
    /// uniformResourceIdentifier
    Uri(String),
    /// rfc822Name
    Email(String),
}

impl AlternativeName {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::Email(text) => w.tlv(tag::context(1), text.as_bytes()),
            Self::Dns(text) => w.tlv(tag::context(2), text.as_bytes()),
            Self::Uri(text) => w.tlv(tag::context(6), text.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => w.tlv(tag::context(7), &address.octets()),
            Self::Ip(IpAddr::V6(address)) => w.tlv(tag::context(7), &address.octets()),
        }
    }

    /// The alternative name that a name as read is, where it is of one of these kinds.
    pub fn from_general_name(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::Dns(name) => Some(Self::Dns(name.clone())),
            GeneralName::Uri(uri) => Some(Self::Uri(uri.clone())),
            GeneralName::Email(address) => Some(Self::Email(address.clone())),
            GeneralName::Ip(_) => name.ip().map(Self::Ip),
            _ => None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), IssueError> {
        let (kind, text, problem) = match self {
            Self::Ip(_) => return Ok(()),
            Self::Dns(name) => ("DNS name", name, dns_problem(name)),
            Self::Uri(uri) => ("URI", uri, uri_problem(uri)),
            Self::Email(address) => ("e-mail address", address, email_problem(address)),
        };
        match problem {
            None => Ok(()),
            Some(rule) => {
                let name = text.chars().take(80).collect();
                Err(IssueError::AlternativeName { kind, name, rule })
            }
        }
    }
}

impl GeneralName {
    /// The hardware module's name, where it is one and well-formed (RFC 4108 section 5).
    pub fn hardware_module_name(&self) -> Option<HardwareModuleName> {
        match self {
            Self::Other { type_id, value } if *type_id == oid::ON_HARDWARE_MODULE_NAME => {
                let mut fields = Reader::new(only(value, tag::SEQUENCE).ok()?.value);
                let hw_type = fields.oid().ok()?;
                let hw_serial_num = fields.expect(tag::OCTET_STRING).ok()?.value.to_vec();
                fields.finish().ok()?;
                Some(HardwareModuleName { hw_type, hw_serial_num })
            }
            _ => None,
        }
    }
}

/// "Preferred name syntax" of RFC 1034 section 3.5 with underscores refused, as RFC 5280 section
/// 4.2.1.6 asks; a wildcard may be the whole first label (RFC 9525 section 6.3).
pub(crate) fn dns_problem(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 253 {
        return Some("must have 1 to 253 characters");
    }
    let rest = name.strip_prefix("*.").unwrap_or(name);
    if rest != name && !rest.contains('.') {
        return Some("has a wildcard above every domain");
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (!rest.split('.').all(label)).then_some(
        "has a label that is not 1 to 63 letters, digits and inner hyphens (use A-labels)",
    )
}

/// Absolute, with a scheme and something after it (RFC 5280 section 4.2.1.6).
pub(crate) fn uri_problem(uri: &str) -> Option<&'static str> {
    let Some((scheme, rest)) = uri.split_once(':') else { return Some("has no scheme") };
    let mut letters = scheme.bytes();
    let scheme_is_good = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !scheme_is_good || rest.is_empty() {
        return Some("is not absolute");
    }
    let forbidden = |byte: u8| !byte.is_ascii_graphic() || b"<>\"{}|\\^`".contains(&byte);
    if uri.len() > 512 || uri.bytes().any(forbidden) {
        return Some("is longer than 512 bytes or has characters that must be escaped");
    }
    None
}

fn email_problem(address: &str) -> Option<&'static str> {
    let Some((local, domain)) = address.rsplit_once('@') else { return Some("has no @") };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    if local.is_empty() || local.len() > 64 || !local.bytes().all(atom) {
        return Some("has a local part that is not plain ASCII");
    }
    dns_problem(domain)
}

/// What a certificate shall say. The profile adds the rest.
#[derive(Clone, Debug)]
pub struct Request {
    /// Serial number, see [`Serial::from_random`]
    pub serial: Serial,
    /// Subject's name
    pub subject: Subject,
    /// Subject's key, whose possession was proved
    pub public_key: PublicKey,
    /// First second of validity
    pub not_before: UnixTime,
    /// Last second of validity; [`UnixTime::NEVER`] for chips and IDevIDs without an end
    pub not_after: UnixTime,
    /// Further names
    pub alternative_names: Vec<AlternativeName>,
    /// Name of the hardware module: required in IDevIDs, allowed in chips and LDevIDs
    pub hardware_module: Option<HardwareModuleName>,
    /// where the maker says what the device connects to: in IDevIDs alone
    pub mud: Option<MudReference>,
    /// CAs that may follow below an issuing CA (absent means none) or a root (absent means any)
    pub path_length: Option<u8>,
    /// certificatePolicies; absent where empty
    pub policies: Vec<ObjectIdentifier>,
}

impl Request {
    /// A request with what every certificate has.
    pub fn new(
        serial: Serial,
        subject: Subject,
        public_key: PublicKey,
        (not_before, not_after): (UnixTime, UnixTime),
    ) -> Self {
        Self {
            serial,
            subject,
            public_key,
            not_before,
            not_after,
            alternative_names: Vec::new(),
            hardware_module: None,
            mud: None,
            path_length: None,
            policies: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_break_their_rules_are_refused() {
        let check = |name: AlternativeName, good: bool| {
            assert_eq!(name.check().is_ok(), good, "{name:?}");
        };
        for good in ["a.example", "*.a.example", "localhost", "xn--9ckxbq5co.example"] {
            check(AlternativeName::Dns(good.into()), true);
        }
        for bad in ["", "*", "*.example", "a..b", "-a.example", "a_b.example", "日本", "a."] {
            check(AlternativeName::Dns(bad.into()), false);
        }
        check(AlternativeName::Uri("urn:dev:ops:32473-gate-7".into()), true);
        for bad in ["", "passport", ":x", "http:", "http://a b", "http://ä"] {
            check(AlternativeName::Uri(bad.into()), false);
        }
        check(AlternativeName::Email("gate@a.example".into()), true);
        for bad in ["gate", "@a.example", "g te@a.example"] {
            check(AlternativeName::Email(bad.into()), false);
        }
    }

    #[test]
    fn subjects_that_break_their_rules_are_refused() {
        let refused = |subject: Subject, want| match subject.to_der() {
            Err(IssueError::Subject { field, .. }) => assert_eq!(field, want),
            other => panic!("{other:?}"),
        };
        refused(Subject::default(), "subject");
        refused(Subject { country: "jp".into(), ..Subject::named("a") }, "countryName");
        refused(Subject::named("x".repeat(65)), "commonName");
        refused(Subject::named("a\nb"), "commonName");
        refused(Subject::named(" a"), "commonName");
        refused(Subject { serial_number: "番号".into(), ..Subject::default() }, "serialNumber");
        Subject::named("改札機 7").to_der().unwrap();
    }

    proptest! {
        #[test]
        fn subjects_survive(organisation in "[a-zA-Z日本 ]{0,20}", serial_number in "[0-9A-Z-]{0,20}", name in "[a-zäé]{1,64}") {
            let subject = Subject {
                country: "JP".into(),
                organisation: organisation.trim().into(),
                common_name: name,
                serial_number,
                ..Subject::default()
            };
            let der = subject.to_der().unwrap();
            prop_assert_eq!(Subject::from_name(&Name::parse(&der).unwrap()), subject);
        }

        #[test]
        fn random_serials_have_one_length(random: [u8; 16]) {
            let serial = Serial::from_random(random);
            prop_assert_eq!(serial.as_bytes().len(), 16);
            prop_assert_eq!(serial.to_der().len(), 18);
            prop_assert_eq!(&serial.as_bytes()[1..], &random[1..]);
        }
    }
}
