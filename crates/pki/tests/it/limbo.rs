//! C2SP x509-limbo: every case, under the options it documents. What we decide otherwise than the
//! case expects is in [`DEVIATIONS`] and in `docs/path-validation.md`, each with its reason.

use crypto::UnixTime;
use pki::{
    Certificate, Crl, KeyUsage, ObjectIdentifier, oid,
    validate::{Anchors, Options, PathError, Purpose, ServerName, check_crls, validate},
};
use serde::Deserialize;

/// Cases that we decide otherwise, with the reason.
const DEVIATIONS: &[(&str, &str)] = &[
    ("webpki::aki::root-with-aki-all-fields", AKI_FIELDS),
    ("webpki::cn::ipv4-hex-mismatch", COMMON_NAME),
    ("webpki::cn::ipv4-leading-zeros-mismatch", COMMON_NAME),
    ("webpki::cn::ipv6-uppercase-mismatch", COMMON_NAME),
    ("webpki::cn::ipv6-uncompressed-mismatch", COMMON_NAME),
    ("webpki::cn::ipv6-non-rfc5952-mismatch", COMMON_NAME),
    ("webpki::cn::punycode-not-in-san", COMMON_NAME),
    ("webpki::cn::utf8-vs-punycode-mismatch", COMMON_NAME),
    ("webpki::cn::not-in-san", COMMON_NAME),
    ("webpki::cn::case-mismatch", COMMON_NAME),
    ("webpki::eku::ee-anyeku", EKU_FORM),
    ("webpki::eku::ee-critical-eku", EKU_FORM),
    ("webpki::eku::root-has-eku", EKU_ROOT),
    ("webpki::nc::permitted-dns-match-noncritical", NC_CRITICAL),
    ("webpki::san::public-suffix-multi-label-wildcard-san", PUBLIC_SUFFIX),
    ("webpki::san::public-suffix-private-namespace-wildcard-san", PUBLIC_SUFFIX),
    ("webpki::san::san-critical-with-nonempty-subject", SAN_CRITICAL),
];

const AKI_FIELDS: &str =
    "RFC 5280 section 4.2.1.1 allows issuer and serial number beside the key identifier";
const COMMON_NAME: &str =
    "the common name is never compared with anything (RFC 9525), so its form harms nobody";
const EKU_FORM: &str = "RFC 5280 section 4.2.1.12 allows both: the wanted usage is there";
const EKU_ROOT: &str =
    "a root that limits itself to a usage limits what is below it; private roots do";
const NC_CRITICAL: &str = "RFC 5280 section 4.2.1.10 demands critical, and rfc5280::nc::permitted-dns-match-noncritical too";
const PUBLIC_SUFFIX: &str =
    "the list of public suffixes is for browsers; devices' names are private";
const SAN_CRITICAL: &str = "RFC 5280 section 4.2.1.6 only recommends it otherwise";

#[derive(Deserialize)]
struct Limbo {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    signature_algorithms: Vec<String>,
    key_usage: Vec<String>,
    extended_key_usage: Vec<String>,
    expected_result: String,
    expected_peer_name: Option<PeerName>,
    expected_peer_names: Vec<PeerName>,
    max_chain_depth: Option<usize>,
    crls: Vec<String>,
}

#[derive(Deserialize, Debug)]
struct PeerName {
    kind: String,
    value: String,
}

/// Where a case names no time: certificates without a story are valid from 1970 to 2969.
const SOME_TIME: UnixTime = UnixTime(1_767_225_600);

fn options(case: &Case) -> Options {
    let time = case.validation_time.as_deref().map_or(SOME_TIME, rfc3339);
    let mut options = Options::any(time);
    options.purpose = match (case.validation_kind.as_str(), &case.extended_key_usage[..]) {
        ("SERVER", []) => Purpose::Server,
        ("CLIENT", []) => Purpose::Client,
        (_, usages) => Purpose::Usages(usages.iter().map(|name| usage(name)).collect()),
    };
    options.key_usage = KeyUsage(case.key_usage.iter().map(|name| key_usage(name).0).sum());
    options.server_name = case.expected_peer_name.as_ref().map(|name| {
        assert!(matches!(name.kind.as_str(), "DNS" | "IP"), "{name:?}");
        // Made by hand where it would not parse: the case is about the certificate.
        name.value.parse().unwrap_or_else(|_| ServerName::Dns(name.value.clone()))
    });
    options.depth_max = case.max_chain_depth.unwrap_or(8);
    // Cases of the web's namespace ask for its additional rules; we have switches for two of them.
    if case.id.starts_with("webpki::") {
        options.allow_ca_leaf = false;
        options.require_extended_key_usage = true;
    }
    assert!(case.signature_algorithms.is_empty(), "{}: not implemented", case.id);
    options
}

fn usage(name: &str) -> ObjectIdentifier {
    match name {
        "serverAuth" => oid::KP_SERVER_AUTH,
        "clientAuth" => oid::KP_CLIENT_AUTH,
        "anyExtendedKeyUsage" => oid::ANY_EXTENDED_KEY_USAGE,
        other => panic!("extended key usage {other}"),
    }
}

fn key_usage(name: &str) -> KeyUsage {
    match name {
        "digitalSignature" => KeyUsage::DIGITAL_SIGNATURE,
        other => panic!("key usage {other}"),
    }
}

/// `2024-03-01T00:00:00.999+00:00`; fractions of a second are cut off.
fn rfc3339(text: &str) -> UnixTime {
    let text = text.strip_suffix("+00:00").unwrap_or_else(|| panic!("{text} is not UTC"));
    let numbers: Vec<i64> =
        text.split(['-', 'T', ':', '.']).map(|number| number.parse().unwrap()).collect();
    let [year, month, day, hour, minute, second, ..] = numbers[..] else { panic!("{text}") };
    let days = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum::<i64>()
        + (1..month).map(|month| days_in(year, month)).sum::<i64>()
        + day
        - 1;
    UnixTime(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Why the case is refused, or nothing.
fn decide(case: &Case) -> Result<(), String> {
    let leaf = Certificate::from_pem(&case.peer_certificate).map_err(|e| e.to_string())?;
    // Who cannot be read cannot be trusted, and cannot lie on the path.
    let readable = |pems: &[String]| -> Vec<Certificate> {
        pems.iter().filter_map(|pem| Certificate::from_pem(pem).ok()).collect()
    };
    let anchors: Anchors = readable(&case.trusted_certs).into_iter().collect();
    let intermediates = readable(&case.untrusted_intermediates);
    let options = options(case);
    let path = validate(&leaf, &intermediates, &anchors, &options)
        .map_err(|error: PathError| error.to_string())?;
    assert_eq!(path.leaf(), &leaf);
    assert!(anchors.contains(path.anchor()));
    if !case.crls.is_empty() {
        // A list that cannot be read says nothing about anybody.
        let crls: Vec<_> = case
            .crls
            .iter()
            .filter_map(|pem| Crl::parse(&crate::pem("X509 CRL", pem)).ok())
            .collect();
        check_crls(&path, &crls, options.time).map_err(|error| error.to_string())?;
    }
    for name in &case.expected_peer_names {
        assert_eq!(name.kind, "RFC822", "{}", case.id);
        let held = leaf.extensions().subject_alt_names();
        assert!(held.contains(&pki::GeneralName::Email(name.value.clone())), "{}", case.id);
    }
    Ok(())
}

#[test]
fn every_case_is_decided_as_documented() {
    let Some(text) = crate::testdata("x509-limbo/limbo.json") else { return };
    let limbo: Limbo = serde_json::from_str(&text).unwrap();
    assert!(limbo.testcases.len() >= 208, "cases are missing");
    let mut wrong = Vec::new();
    let mut deviating = Vec::new();
    for case in &limbo.testcases {
        let expected = match case.expected_result.as_str() {
            "SUCCESS" => true,
            "FAILURE" => false,
            other => panic!("{other}"),
        };
        let decision = decide(case);
        if decision.is_ok() == expected {
            continue;
        }
        let told = match &decision {
            Ok(()) => "accepted".to_owned(),
            Err(error) => format!("refused: {error}"),
        };
        match DEVIATIONS.iter().find(|(id, _)| *id == case.id) {
            Some((id, _)) => deviating.push(*id),
            None => wrong.push(format!("{}: {told}", case.id)),
        }
    }
    assert!(wrong.is_empty(), "{} cases decided otherwise:\n{}", wrong.len(), wrong.join("\n"));
    let stale: Vec<_> = DEVIATIONS.iter().filter(|(id, _)| !deviating.contains(id)).collect();
    assert!(stale.is_empty(), "no longer deviating, or no longer a case: {stale:?}");
}

#[test]
fn every_deviation_is_documented() {
    let page = include_str!("../../../../docs/path-validation.md");
    for (id, reason) in DEVIATIONS {
        assert!(page.contains(&format!("`{id}`")), "{id} is not in docs/path-validation.md");
        assert!(!reason.is_empty());
    }
}
