//! Values that JSON has no type for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Sha256, UnixTime};
use pki::Certificate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr, Schema,
        schema::{KnownFormat, SchemaFormat, SchemaType, Type},
    },
};

/// A point in time: RFC 3339, in UTC, to the second (`2026-11-21T03:00:00Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub UnixTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use time::{OffsetDateTime, format_description::well_known::Rfc3339};
        // Years beyond 9999 and before 0 have no RFC 3339 form; fractions of a second are dropped.
        OffsetDateTime::parse(text, &Rfc3339)
            .map(|time| Self(UnixTime(time.unix_timestamp())))
            .map_err(|_| "not a time as in 2026-11-21T03:00:00Z (RFC 3339)")
    }
}

impl From<UnixTime> for Timestamp {
    fn from(time: UnixTime) -> Self {
        Self(time)
    }
}

/// Bytes, as base64 with padding (RFC 4648 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl FromStr for Base64 {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        STANDARD.decode(text).map(Self).map_err(|_| "not base64 with padding (RFC 4648 section 4)")
    }
}

/// A SHA-256 digest, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub Sha256);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Digest {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        Sha256::from_hex(text)
            .filter(|_| lower)
            .map(Self)
            .ok_or("not a SHA-256 digest of 64 lower-case hexadecimal digits")
    }
}

impl From<Sha256> for Digest {
    fn from(digest: Sha256) -> Self {
        Self(digest)
    }
}

/// A certificate in PEM.
#[derive(Debug, Clone)]
pub struct CertificatePem(pub Certificate);

impl fmt::Display for CertificatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_pem())
    }
}

impl FromStr for CertificatePem {
    type Err = pki::CertificateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Certificate::from_pem(text).map(Self)
    }
}

/// A certificate request (PKCS#10) in PEM; here its DER, neither read nor verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsrPem(pub Vec<u8>);

impl fmt::Display for CsrPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = STANDARD.encode(&self.0);
        f.write_str("-----BEGIN CERTIFICATE REQUEST-----\n")?;
        let mut rest = text.as_str();
        while let Some((line, after)) =
            rest.split_at_checked(64).filter(|(line, _)| !line.is_empty())
        {
            writeln!(f, "{line}")?;
            rest = after;
        }
        if !rest.is_empty() {
            writeln!(f, "{rest}")?;
        }
        f.write_str("-----END CERTIFICATE REQUEST-----\n")
    }
}

impl FromStr for CsrPem {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match der::Document::from_pem(text) {
            Ok(("CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST", document)) => {
                Ok(Self(document.into_vec()))
            }
            _ => Err("not PEM of the label CERTIFICATE REQUEST; make one with openssl req -new"),
        }
    }
}

/// Declares a newtype around a domain type that is text on the wire.
macro_rules! domain_text {
    ($($(#[$doc:meta])* $name:ident($inner:ty): $schema:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            pub struct $name(pub $inner);

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(&self.0, f)
                }
            }

            impl FromStr for $name {
                type Err = <$inner as FromStr>::Err;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    text.parse().map(Self)
                }
            }

            impl From<$inner> for $name {
                fn from(inner: $inner) -> Self {
                    Self(inner)
                }
            }
        )+
        as_text! { $($name: $schema;)+ }
    };
}

macro_rules! as_text {
    ($($name:ident: $schema:expr;)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

as_text! {
    Timestamp: text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some("time in UTC, RFC 3339, to the second"))
        .examples(["2026-11-21T03:00:00Z"]);
    Base64: text()
        .pattern(Some(
            "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
        ))
        .content_encoding("base64")
        .description(Some("bytes in base64 with padding"));
    Digest: text()
        .pattern(Some("^[0-9a-f]{64}$"))
        .description(Some("SHA-256 in lower-case hexadecimal"));
}

const SLUG: &str = "^[a-z0-9][a-z0-9-]{1,39}$";

fn one_of<T: fmt::Display>(all: &[T]) -> ObjectBuilder {
    text().enum_values(Some(all.iter().map(ToString::to_string)))
}

as_text! {
    CertificatePem: text()
        .pattern(Some("^-----BEGIN CERTIFICATE-----"))
        .max_length(Some(32 * 1024))
        .description(Some("X.509 certificate in PEM"));
    CsrPem: text()
        .pattern(Some("^-----BEGIN (NEW )?CERTIFICATE REQUEST-----"))
        .max_length(Some(32 * 1024))
        .description(Some("certificate request (PKCS#10, RFC 2986) in PEM"));
}

domain_text! {
    /// An organisation's identifier.
    OrganisationRef(device::OrganisationId): text()
        .pattern(Some(SLUG))
        .description(Some("identifier of an organisation"))
        .examples(["maker-a"]);
    /// A product line's identifier, unique within its organisation.
    ProductRef(device::ProductId): text()
        .pattern(Some(SLUG))
        .description(Some("identifier of a product line within its organisation"))
        .examples(["sensor-1"]);
    /// A device's identifier.
    DeviceRef(device::DeviceId): text()
        .pattern(Some("^[0-9a-f]{32}$"))
        .description(Some("identifier of a chip, module, board or device"))
        .examples(["00112233445566778899aabbccddeeff"]);
    /// The number printed on a device.
    NumberText(device::ManagementNumber): text()
        .pattern(Some("^TG[0-9A-HJKMNP-TV-Z]{21}$"))
        .description(Some("management number: TG, 20 random characters, a check character"));
    /// What a member may do.
    RoleName(policy::Role): one_of(&policy::Role::ALL)
        .description(Some("role of a member in its organisation (docs/access.md)"));
    /// Where in its life a device is.
    PhaseName(device::Phase): one_of(device::Phase::ALL)
        .description(Some("phase of a device's life"));
    /// Good, suspended or revoked.
    StandingName(device::StandingKind): one_of(device::StandingKind::ALL)
        .description(Some("standing of a device"));
    /// Chip, module, board or device.
    KindName(device::DeviceKind): one_of(device::DeviceKind::ALL)
        .description(Some("kind of device"));
    /// What keeps a device's private key.
    RootOfTrustName(device::RootOfTrust): one_of(device::RootOfTrust::ALL)
        .description(Some("what keeps the private key"));
    /// Why something was suspended, revoked or retired.
    CauseName(device::Cause): one_of(device::Cause::ALL)
        .description(Some("cause of a suspension, revocation or retirement"));
    /// The kind of a life event.
    EventKindName(device::Kind): one_of(device::Kind::ALL)
        .description(Some("kind of a life event"));
    /// What a verdict is wanted for.
    PurposeName(device::Purpose): one_of(device::Purpose::ALL)
        .description(Some("inspect: is it genuine? operate: may it work now?"));
    /// A verdict in a word.
    OutcomeName(device::Outcome): one_of(device::Outcome::ALL)
        .description(Some("a verdict in a word"));
    /// An algorithm of keys.
    AlgorithmName(crypto::KeyAlgorithm): one_of(&crypto::KeyAlgorithm::GENERATED)
        .description(Some("algorithm of a key"));
}

/// The kind of a security event (docs/audit.md): a schema for parameters.
#[derive(Debug, Clone, Copy)]
pub struct AuditKindName;

impl PartialSchema for AuditKindName {
    fn schema() -> RefOr<Schema> {
        text()
            .enum_values(Some(audit::Kind::ALL.map(audit::Kind::name)))
            .description(Some("kind of a security event"))
            .into()
    }
}

impl ToSchema for AuditKindName {}

/// Bytes as they are: a schema for bodies that are not JSON.
#[derive(Debug, Clone, Copy)]
pub struct Binary;

impl PartialSchema for Binary {
    fn schema() -> RefOr<Schema> {
        text().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary))).into()
    }
}

impl ToSchema for Binary {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        let time: Timestamp = "2026-11-21T12:00:00+09:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T03:00:00Z");
        let time: Timestamp = serde_json::from_str("\"9999-12-31T23:59:59Z\"").unwrap();
        assert_eq!(time.0, UnixTime::NEVER);
        for bad in ["", "2026-11-21", "2026-13-01T00:00:00Z", "now"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_and_bytes_have_one_form() {
        let digest = crypto::sha256(b"x");
        let text = serde_json::to_string(&Digest(digest)).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), Digest(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert_eq!("AAE=".parse::<Base64>().unwrap().0, [0, 1]);
        for bad in ["AAE", "AAF=", "A A=", "AA-_"] {
            assert!(bad.parse::<Base64>().is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn bytes_come_back(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let text = serde_json::to_string(&Base64(bytes.clone())).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<Base64>(&text).unwrap().0, bytes);
        }
    }
}
