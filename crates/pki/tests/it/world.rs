//! A small world of authorities: what issuance, revocation and the linters' example share.

use crypto::{KeyAlgorithm, Signer as _, SoftwareKey, UnixTime, random};
use pki::{
    AlternativeName, Certificate, HardwareModuleName, IssuerInfo, Locations, MudReference,
    ObjectIdentifier, Profile, Request, Serial, Subject, prepare,
};
use std::sync::LazyLock;

/// November 2026
pub(crate) const NOW: UnixTime = UnixTime(1_795_000_000);

/// A CA with its key.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    pub(crate) key: SoftwareKey,
    pub(crate) info: IssuerInfo,
}

pub(crate) fn key(algorithm: KeyAlgorithm) -> SoftwareKey {
    SoftwareKey::generate(algorithm).unwrap()
}

pub(crate) fn serial() -> Serial {
    Serial::from_random(random::bytes())
}

pub(crate) fn locations(name: &str) -> Locations {
    Locations {
        crl: Some(format!("http://pki.example/crl/{name}.crl")),
        crl_shards: 1,
        ocsp: Some("http://pki.example/ocsp".into()),
        ca_issuers: Some(format!("http://pki.example/ca/{name}.cer")),
    }
}

/// A root; without an end where `forever`.
pub(crate) fn root(algorithm: KeyAlgorithm, forever: bool) -> Authority {
    let key = key(algorithm);
    let subject = subject(Profile::Root);
    let policy = pki::KeyPolicy::default();
    let (from, to) = policy.usual_validity(Profile::Root, algorithm, None, NOW);
    let to = if forever { UnixTime::NEVER } else { to };
    let issuer = IssuerInfo::self_signed(&subject, key.public_key(), from, to).unwrap();
    let request = Request::new(serial(), subject, key.public_key().clone(), (from, to));
    let certificate = prepare(Profile::Root, &issuer, &request).unwrap().sign(&key).unwrap();
    let info = IssuerInfo::from_certificate(&certificate, locations("root")).unwrap();
    Authority { certificate, key, info }
}

/// A CA below `issuer`, living as long as it.
pub(crate) fn issuing_ca(
    issuer: &Authority,
    algorithm: KeyAlgorithm,
    locations: Locations,
) -> Authority {
    let key = key(algorithm);
    let mut request = request(Profile::IssuingCa, &key, &issuer.info);
    if issuer.certificate.not_after() == UnixTime::NEVER {
        request.not_after = UnixTime::NEVER;
    }
    let certificate = issue(issuer, Profile::IssuingCa, &request);
    let info = IssuerInfo::from_certificate(&certificate, locations).unwrap();
    Authority { certificate, key, info }
}

pub(crate) fn issue(issuer: &Authority, profile: Profile, request: &Request) -> Certificate {
    prepare(profile, &issuer.info, request).unwrap().sign(&issuer.key).unwrap()
}

pub(crate) fn subject(profile: Profile) -> Subject {
    let common_name = match profile {
        Profile::Root => "Example Maker Root CA",
        Profile::IssuingCa => "Example Maker Gates CA",
        Profile::Chip => "EX1 secure element",
        Profile::Idevid => "Gate G7",
        Profile::Ldevid => "gate-7.north.owner.example",
        Profile::Service => "est.example",
        Profile::OrganisationSigner => "Example Maker events",
        Profile::SoftwareSigner => "Example Maker software",
        Profile::Operator => "Line 3",
        Profile::OcspSigner => "Example Maker OCSP",
        Profile::MessageRecipient => "messages",
    };
    let device = matches!(profile, Profile::Chip | Profile::Idevid | Profile::Ldevid);
    Subject {
        country: "JP".into(),
        organisation: "株式会社 Example".into(),
        common_name: common_name.into(),
        serial_number: if device { "G7-00042".into() } else { String::new() },
        ..Subject::default()
    }
}

/// A request that has everything its profile needs.
/// Where a file is, and who signs it.
pub(crate) fn mud() -> MudReference {
    static SIGNER: LazyLock<Certificate> =
        LazyLock::new(|| root(KeyAlgorithm::EcdsaP256, true).certificate);
    MudReference::new("https://maker.example/gate-7.json", Some(&SIGNER)).unwrap()
}

pub(crate) fn request(profile: Profile, key: &SoftwareKey, issuer: &IssuerInfo) -> Request {
    // Agreed on are keys on P-256 alone, whatever signs.
    static AGREES: LazyLock<SoftwareKey> = LazyLock::new(|| self::key(KeyAlgorithm::EcdsaP256));
    let key = if profile == Profile::MessageRecipient { &AGREES } else { key }.public_key();
    let validity = issuer.key_policy().usual_validity(profile, key.algorithm(), Some(issuer), NOW);
    let mut request = Request::new(serial(), subject(profile), key.clone(), validity);
    match profile {
        Profile::Chip | Profile::Idevid => {
            request.hardware_module = Some(HardwareModuleName {
                hw_type: ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.7"),
                hw_serial_num: b"G7-00042".to_vec(),
            });
            if profile == Profile::Idevid {
                request.mud = Some(mud());
            }
        }
        Profile::Ldevid => {
            request.alternative_names =
                vec![AlternativeName::Uri("https://id.owner.example/8004/G700042".into())];
        }
        Profile::Service => {
            request.alternative_names = vec![
                AlternativeName::Dns("est.example".into()),
                AlternativeName::Ip([192, 0, 2, 7].into()),
                AlternativeName::Ip("2001:db8::7".parse().unwrap()),
            ];
        }
        _ => {}
    }
    request
}
