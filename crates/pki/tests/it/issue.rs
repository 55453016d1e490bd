//! Issuance, requests and certs-only messages: read back by other parsers, checked by openssl.

use crate::{openssl, world, world::NOW};
use const_oid::AssociatedOid as _;
use crypto::{KeyAlgorithm, Signer as _, UnixTime};
use der::{Decode as _, Encode as _};
use pki::{
    AlternativeName, Certificate, Csr, CsrBuilder, IssueError, IssuerInfo, KeyPolicy, KeyUsage,
    Locations, Prepared, Profile, Request, Subject, cms,
    lint::{Severity, lint},
    prepare,
    validate::{Anchors, Options, validate},
};
use proptest::prelude::*;
use std::sync::OnceLock;
use world::Authority;
use x509_cert::ext::pkix;

/// One authority of each kind, made once: keys are slow to make.
fn authorities() -> &'static [(KeyAlgorithm, Authority, Authority)] {
    static ALL: OnceLock<Vec<(KeyAlgorithm, Authority, Authority)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let make = |algorithm: KeyAlgorithm| {
            let root = world::root(algorithm, algorithm.strength_bits() >= 128);
            let ca = world::issuing_ca(&root, algorithm, world::locations("gates"));
            (algorithm, root, ca)
        };
        KeyAlgorithm::GENERATED.into_iter().map(make).collect()
    })
}

fn p256() -> &'static Authority {
    static CA: OnceLock<Authority> = OnceLock::new();
    CA.get_or_init(|| {
        let root = world::root(KeyAlgorithm::EcdsaP256, true);
        world::issuing_ca(&root, KeyAlgorithm::EcdsaP256, world::locations("gates"))
    })
}

#[test]
fn every_profile_with_every_algorithm_is_read_back_by_another_parser() {
    for (algorithm, root, ca) in authorities() {
        let anchors: Anchors = [root.certificate.clone()].into_iter().collect();
        let sent = [ca.certificate.clone()];
        let key = world::key(*algorithm);
        for profile in Profile::ALL.into_iter().filter(|profile| *profile != Profile::Root) {
            let issuer = if profile == Profile::IssuingCa { root } else { ca };
            let request = world::request(profile, &key, &issuer.info);
            let prepared = prepare(profile, &issuer.info, &request).unwrap();
            assert_eq!(prepared.findings(), [], "{profile} {algorithm}");
            let certificate = prepared.sign(&issuer.key).unwrap();
            compare(&certificate, profile, &request, issuer);
            same_as_read(&certificate);
            let options = Options { allow_ca_leaf: true, ..Options::any(NOW) };
            validate(&certificate, &sent, &anchors, &options)
                .unwrap_or_else(|error| panic!("{profile} {algorithm}: {error}"));
        }
    }
}

/// A certificate that was just signed is what a reader makes of its DER, in every part.
fn same_as_read(signed: &Certificate) {
    let read = Certificate::from_der(signed.der()).unwrap();
    assert_eq!(signed.tbs_der(), read.tbs_der());
    assert_eq!(signed.version(), read.version());
    assert_eq!(signed.serial(), read.serial());
    assert_eq!(signed.issuer_der(), read.issuer_der());
    assert_eq!(signed.subject_der(), read.subject_der());
    assert_eq!(signed.spki_der(), read.spki_der());
    assert_eq!(signed.not_before(), read.not_before());
    assert_eq!(signed.not_after(), read.not_after());
    assert_eq!(signed.times_conform(), read.times_conform());
    assert_eq!(signed.signature_scheme(), read.signature_scheme());
    assert_eq!(signed.signature(), read.signature());
    assert_eq!(signed.extensions(), read.extensions());
    assert_eq!(signed.public_key(), read.public_key());
    assert_eq!(signed.fingerprint(), read.fingerprint());
}

/// Compares what was asked for with what the x509-cert crate reads.
fn compare(certificate: &Certificate, profile: Profile, request: &Request, issuer: &Authority) {
    let read = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let tbs = &read.tbs_certificate;
    assert_eq!(read.to_der().unwrap(), certificate.der());
    assert_eq!(tbs.version, x509_cert::Version::V3);
    assert_eq!(tbs.serial_number.as_bytes(), request.serial.as_bytes());
    assert_eq!(tbs.issuer.to_der().unwrap(), issuer.certificate.subject_der());
    assert_eq!(tbs.subject.to_der().unwrap(), request.subject.to_der().unwrap());
    let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs() as i64;
    assert_eq!(seconds(tbs.validity.not_before), request.not_before.0);
    assert_eq!(seconds(tbs.validity.not_after), request.not_after.0);
    let spki = tbs.subject_public_key_info.to_der().unwrap();
    assert_eq!(spki, request.public_key.spki());

    let (critical, usage) = tbs.get::<pkix::KeyUsage>().unwrap().unwrap();
    assert!(critical);
    assert_eq!(KeyUsage(usage.0.bits()), profile.key_usage());
    let (_, ski) = tbs.get::<pkix::SubjectKeyIdentifier>().unwrap().unwrap();
    assert_eq!(ski.0.as_bytes(), request.public_key.key_identifier());
    let (_, aki) = tbs.get::<pkix::AuthorityKeyIdentifier>().unwrap().unwrap();
    assert_eq!(aki.key_identifier.unwrap().as_bytes(), issuer.info.key_identifier());
    let purposes = tbs.get::<pkix::ExtendedKeyUsage>().unwrap();
    assert_eq!(purposes.map(|(_, p)| p.0).unwrap_or_default(), profile.extended_key_usage());
    let constraints = tbs.get::<pkix::BasicConstraints>().unwrap();
    match profile {
        Profile::IssuingCa => {
            let (critical, constraints) = constraints.unwrap();
            assert!(critical && constraints.ca);
            assert_eq!(constraints.path_len_constraint, Some(0));
        }
        _ => assert!(constraints.is_none()),
    }
    let names = tbs.get::<pkix::SubjectAltName>().unwrap().map_or(0, |(_, names)| names.0.len());
    let module = usize::from(request.hardware_module.is_some());
    assert_eq!(names, request.alternative_names.len() + module);
    assert_eq!(certificate.hardware_module_name(), request.hardware_module);
    let published = profile != Profile::OcspSigner;
    assert_eq!(tbs.get::<pkix::CrlDistributionPoints>().unwrap().is_some(), published);
    assert_eq!(tbs.get::<pkix::AuthorityInfoAccessSyntax>().unwrap().is_some(), published);
    let nocheck =
        tbs.extensions.as_ref().unwrap().iter().any(|e| e.extn_id == pki::oid::OCSP_NOCHECK);
    assert_eq!(nocheck, profile == Profile::OcspSigner);
    assert_eq!(pkix::KeyUsage::OID, pki::oid::KEY_USAGE);
}

#[test]
fn openssl_accepts_every_classical_chain() {
    if !openssl::is_there() {
        return;
    }
    let classical = authorities().iter().filter(|(algorithm, ..)| !algorithm.is_post_quantum());
    for (algorithm, root, ca) in classical {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        file("root.pem", &root.certificate.to_pem());
        file("ca.pem", &ca.certificate.to_pem());
        let key = world::key(*algorithm);
        for profile in Profile::ALL.into_iter().filter(|profile| !profile.is_ca()) {
            let request = world::request(profile, &key, &ca.info);
            file("leaf.pem", &world::issue(ca, profile, &request).to_pem());
            let purpose: &[&str] = match profile {
                Profile::Service => &["-purpose", "sslserver", "-verify_hostname", "est.example"],
                Profile::Ldevid | Profile::Operator => &["-purpose", "sslclient"],
                Profile::OcspSigner => &["-purpose", "ocsphelper"],
                _ => &["-purpose", "any"],
            };
            let time = NOW.0.to_string();
            let mut arguments = vec!["verify", "-x509_strict", "-attime", &time];
            arguments.extend(["-CAfile", "root.pem", "-untrusted", "ca.pem"]);
            arguments.extend(purpose);
            arguments.push("leaf.pem");
            let (good, output) = openssl::run(folder.path(), &arguments);
            assert!(good, "{profile} {algorithm}: {output}");
            let (_, text) =
                openssl::run(folder.path(), &["x509", "-in", "leaf.pem", "-noout", "-text"]);
            assert!(text.contains("URI:http://pki.example") || profile == Profile::OcspSigner);
        }
    }
}

#[test]
fn idevids_live_for_ever_only_below_issuers_that_do() {
    let never = UnixTime::NEVER;
    let ca = p256();
    assert_eq!(ca.certificate.not_after(), never);
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Idevid, &key, &ca.info);
    assert_eq!(request.not_after, never);
    let certificate = world::issue(ca, Profile::Idevid, &request);
    assert_eq!(certificate.not_after(), never);
    assert!(certificate.times_conform());
    assert!(certificate.der().windows(15).any(|bytes| bytes == b"99991231235959Z"));

    let mortal = world::root(KeyAlgorithm::EcdsaP256, false);
    let ca = world::issuing_ca(&mortal, KeyAlgorithm::EcdsaP256, Locations::default());
    let mut request = world::request(Profile::Idevid, &key, &ca.info);
    assert_eq!(request.not_after, ca.certificate.not_after(), "shortened to its issuer's");
    request.not_after = never;
    assert!(matches!(
        prepare(Profile::Idevid, &ca.info, &request),
        Err(IssueError::OutlivesIssuer { .. })
    ));
}

#[test]
fn requests_that_break_a_rule_are_refused_with_its_name() {
    let ca = p256();
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let check = |profile, change: &dyn Fn(&mut Request), want: &str| {
        let mut request = world::request(profile, &key, &ca.info);
        change(&mut request);
        let error = prepare(profile, &ca.info, &request).unwrap_err().to_string();
        assert!(error.contains(want), "{profile}: {error}");
    };
    check(Profile::Idevid, &|r| r.subject.serial_number.clear(), "IEEE 802.1AR section 8.6");
    check(Profile::Idevid, &|r| r.hardware_module = None, "hardware module name");
    check(Profile::Service, &|r| r.alternative_names.clear(), "needs a DNS name");
    check(Profile::Operator, &|r| r.path_length = Some(0), "it is not a CA");
    let other = world::key(KeyAlgorithm::EcdsaP384).public_key().clone();
    check(Profile::MessageRecipient, &|r| r.public_key = other.clone(), "a key on P-256");
    check(Profile::Operator, &|r| r.not_after = r.not_before.plus(-1), "must begin before it ends");
    check(Profile::Operator, &|r| r.not_before = UnixTime(-700_000_000), "between 1950 and 9999");
    check(Profile::Operator, &|r| r.not_before = UnixTime(0), "is not within the issuer's");
    check(Profile::Operator, &|r| r.not_after = NOW.plus(800 * 86_400), "live at most 732 days");
    check(Profile::Operator, &|r| r.subject = Subject::default(), "subject is empty");
    check(
        Profile::Service,
        &|r| r.alternative_names = vec![AlternativeName::Dns("a_b.example".into())],
        "A-labels",
    );
    check(Profile::IssuingCa, &|_| {}, "pathLenConstraint allows no CA below it");
    check(Profile::Root, &|_| {}, "their own issuers");
    let own = |r: &mut Request| r.public_key = ca.key.public_key().clone();
    check(Profile::Operator, &own, "subject's key is the issuer's key");

    let rsa = world::key(KeyAlgorithm::Rsa(2048));
    let mut request = world::request(Profile::Idevid, &rsa, &ca.info);
    prepare(Profile::Idevid, &ca.info, &request).unwrap();
    request.not_after = UnixTime::NEVER;
    match prepare(Profile::Idevid, &ca.info, &request) {
        Err(IssueError::Policy(violation)) => {
            assert!(violation.rule.starts_with("SP 800-57 part 1 table 4"), "{violation}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn issuers_are_checked_once() {
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Operator, &key, &p256().info);
    let operator = world::issue(p256(), Profile::Operator, &request);
    assert!(matches!(
        IssuerInfo::from_certificate(&operator, Locations::default()),
        Err(IssueError::Issuer(_))
    ));
    let ca = &p256().certificate;
    let https = Locations { ocsp: Some("https://pki.example/ocsp".into()), ..Locations::default() };
    assert!(IssuerInfo::from_certificate(ca, https).is_err());
    let shards = Locations { crl_shards: 8, ..world::locations("gates") };
    assert!(IssuerInfo::from_certificate(ca, shards).is_err(), "no {{shard}} in its URL");
}

#[test]
fn a_stricter_policy_is_obeyed() {
    let ca = p256();
    let mut policy = KeyPolicy::default();
    policy.lifetimes.retain(|lifetime| lifetime.profile != Profile::Operator);
    let info = ca.info.clone().with_key_policy(std::sync::Arc::new(policy));
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Operator, &key, &ca.info);
    let error = prepare(Profile::Operator, &info, &request).unwrap_err().to_string();
    assert!(error.contains("no lifetime is set for operator certificates"), "{error}");
}

#[test]
fn an_intent_is_taken_up_again_and_signed_by_its_issuer_only() {
    for (algorithm, _, ca) in authorities() {
        let key = world::key(KeyAlgorithm::EcdsaP256);
        let request = world::request(Profile::Ldevid, &key, &ca.info);
        let prepared = prepare(Profile::Ldevid, &ca.info, &request).unwrap();
        let recorded = prepared.tbs().to_vec();
        drop(prepared);
        let again = Prepared::from_tbs(recorded.clone()).unwrap();
        assert_eq!(again, Prepared::from_tbs_as(Profile::Ldevid, recorded.clone()).unwrap());
        let stranger = world::key(*algorithm);
        assert_eq!(again.clone().sign(&stranger), Err(IssueError::OtherSigner));
        let certificate = again.sign(&ca.key).unwrap();
        assert_eq!(certificate.tbs_der(), recorded);
        assert_eq!(certificate.serial(), &request.serial);
        assert!(matches!(
            Prepared::from_tbs_as(Profile::Service, recorded),
            Err(IssueError::Lint(_))
        ));
    }
}

#[test]
fn rsa_issuers_may_sign_with_pss() {
    let (_, root, ca) = authorities().iter().find(|(a, ..)| *a == KeyAlgorithm::Rsa(3072)).unwrap();
    let scheme = crypto::SignatureScheme::RsaPssSha256;
    let info = ca.info.clone().with_scheme(scheme).unwrap();
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Operator, &key, &info);
    let certificate = prepare(Profile::Operator, &info, &request).unwrap().sign(&ca.key).unwrap();
    assert_eq!(certificate.signature_scheme(), Ok(scheme));
    let anchors: Anchors = [root.certificate.clone()].into_iter().collect();
    validate(&certificate, std::slice::from_ref(&ca.certificate), &anchors, &Options::any(NOW))
        .unwrap();
    assert!(p256().info.clone().with_scheme(scheme).is_err());
}

/// The same bytes with the first occurrence of `from` replaced by as many bytes.
fn replaced(tbs: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = tbs.windows(from.len()).position(|bytes| bytes == from).expect("occurs");
    let mut out = tbs.to_vec();
    out[at..at + to.len()].copy_from_slice(to);
    out
}

#[test]
fn the_linter_finds_every_defect() {
    let ca = p256();
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Service, &key, &ca.info);
    let good = prepare(Profile::Service, &ca.info, &request).unwrap().tbs().to_vec();
    assert_eq!(lint(&good, Some(Profile::Service)), []);
    let check = |from: &[u8], to: &[u8], want: &str| {
        let findings = lint(&replaced(&good, from, to), Some(Profile::Service));
        let found = findings.iter().any(|f| f.code == want && f.severity == Severity::Error);
        assert!(found, "{want}: {findings:?}");
    };
    let ski = key.public_key().key_identifier();
    let mut other_ski = ski;
    other_ski[0] ^= 1;
    let with = |prefix: &[u8], rest: &[u8]| [prefix, rest].concat();
    check(&[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1], "version");
    let serial = request.serial.to_der();
    let negative = replaced(&serial, &serial[2..3], &[0xc0]);
    check(&serial, &negative, "serial");
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA224
    check(b"\x3d\x04\x03\x02", b"\x3d\x04\x03\x01", "signature-algorithm");
    check(&key.public_key().bits()[..8], &[4, 1, 1, 1, 1, 1, 1, 1], "public-key");
    check(b"\x13\x02JP", b"\x13\x02J_", "name-bounds");
    check(b"\x17\x0d26", b"\x17\x0d49", "validity-order");
    check(&with(&[4, 20], &ski), &with(&[4, 20], &other_ski), "ski-method");
    check(ca.info.key_identifier(), &ski, "aki-own-key");
    check(b"\x55\x1d\x23", b"\x55\x1d\x7f", "aki-missing");
    check(b"\x55\x1d\x0e", b"\x55\x1d\x7f", "ski-missing");
    check(b"\x55\x1d\x0f", b"\x55\x1d\x7f", "key-usage-missing");
    check(b"\x55\x1d\x0f", b"\x55\x1d\x7f", "critical-unknown");
    check(b"\x55\x1d\x11", b"\x55\x1d\x7f", "service-name");
    check(b"\x0f\x01\x01\xff", b"\x0f\x01\x01\x00", "extensions");
    check(b"\x03\x02\x07\x80", b"\x03\x02\x05\x20", "key-usage-signing-only");
    check(b"\x03\x02\x07\x80", b"\x03\x02\x05\x20", "profile-key-usage");
    check(b"\x03\x02\x07\x80", b"\x03\x02\x02\x04", "key-usage-ca");
    check(b"\x07\x03\x02", b"\x07\x03\x04", "profile-eku");
    check(b"\x82\x0best.example", b"\x82\x0best_example", "san-syntax");
    check(b"http://pki", b"ldap://pki", "location-http");
    check(b"http://pki", b"http:// ki", "location-http");

    let codes = |tbs: &[u8], profile| -> Vec<&str> {
        lint(tbs, Some(profile)).into_iter().map(|finding| finding.code).collect()
    };
    assert_eq!(codes(&good[1..], Profile::Service), ["der"]);
    assert_eq!(codes(&with(&good, &[0]), Profile::Service), ["der"]);
    assert_eq!(codes(&good, Profile::OcspSigner), ["profile-eku", "ocsp-nocheck"]);
    assert_eq!(
        codes(&good, Profile::Idevid),
        ["profile-eku", "devid-serial-number", "idevid-hardware-module"]
    );
    assert_eq!(
        codes(&good, Profile::IssuingCa),
        ["profile-ca", "profile-key-usage", "profile-eku", "profile-path-length"]
    );
    let idevid = world::request(Profile::Idevid, &key, &ca.info);
    let idevid = prepare(Profile::Idevid, &ca.info, &idevid).unwrap().tbs().to_vec();
    assert!(codes(&idevid, Profile::Ldevid).contains(&"validity-endless"));
}

#[test]
fn certs_only_messages_are_read_by_others() {
    let all: Vec<_> = authorities()
        .iter()
        .flat_map(|(_, root, ca)| [&root.certificate, &ca.certificate])
        .cloned()
        .collect();
    let der = cms::certs_only(&all);
    let mut read = cms::parse_certs_only(&der).unwrap();
    assert_eq!(read.len(), all.len());
    assert!(all.iter().all(|certificate| read.contains(certificate)));
    read.reverse();
    assert_eq!(cms::certs_only(&read), der, "order does not matter");

    let info = ::cms::content_info::ContentInfo::from_der(&der).unwrap();
    let signed: ::cms::signed_data::SignedData = info.content.decode_as().unwrap();
    assert_eq!(signed.certificates.unwrap().0.len(), all.len());
    assert_eq!(signed.signer_infos.0.len(), 0);

    if openssl::is_there() {
        let folder = tempfile::tempdir().unwrap();
        let classical: Vec<_> = all[..2].to_vec();
        std::fs::write(folder.path().join("ca.p7"), cms::certs_only(&classical)).unwrap();
        let arguments = ["pkcs7", "-inform", "DER", "-in", "ca.p7", "-print_certs", "-noout"];
        let (good, output) = openssl::run(folder.path(), &arguments);
        assert!(good && output.matches("subject=").count() == 2, "{output}");
        // and the other way round
        for (name, certificate) in ["a.pem", "b.pem"].iter().zip(&classical) {
            std::fs::write(folder.path().join(name), certificate.to_pem()).unwrap();
        }
        let arguments = [
            "crl2pkcs7",
            "-nocrl",
            "-certfile",
            "a.pem",
            "-certfile",
            "b.pem",
            "-outform",
            "DER",
            "-out",
            "b.p7",
        ];
        let (good, output) = openssl::run(folder.path(), &arguments);
        assert!(good, "{output}");
        let theirs = std::fs::read(folder.path().join("b.p7")).unwrap();
        assert_eq!(cms::parse_certs_only(&theirs), Ok(classical));
    }
}

#[test]
fn requests_by_openssl_are_read_and_ours_by_openssl() {
    if !openssl::is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let configuration = "[req]\nprompt=no\ndistinguished_name=dn\nattributes=at\nreq_extensions=ex\n\
        [dn]\nCN=gate 7\nserialNumber=G7-1\n[at]\nchallengePassword=einmalig\n\
        [ex]\nsubjectAltName=DNS:gate7.example,IP:192.0.2.7\nextendedKeyUsage=clientAuth\n";
    std::fs::write(folder.path().join("req.cnf"), configuration).unwrap();
    let kinds: [(&[&str], KeyAlgorithm); 4] = [
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], KeyAlgorithm::EcdsaP256),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], KeyAlgorithm::EcdsaP384),
        (&["ed25519"], KeyAlgorithm::Ed25519),
        (&["rsa:2048"], KeyAlgorithm::Rsa(2048)),
    ];
    let mut arguments = vec!["req", "-new", "-nodes", "-config", "req.cnf", "-keyout", "k.pem"];
    arguments.extend(["-out", "r.pem", "-newkey"]);
    for (kind, algorithm) in kinds {
        let all = [&arguments[..], kind].concat();
        let (good, output) = openssl::run(folder.path(), &all);
        assert!(good, "{algorithm}: {output}");
        let pem = std::fs::read_to_string(folder.path().join("r.pem")).unwrap();
        let csr = Csr::from_pem(&pem).unwrap().verify().unwrap();
        assert_eq!(csr.public_key().algorithm(), algorithm);
        assert_eq!(csr.serial_number_attribute().as_deref(), Some("G7-1"));
        assert_eq!(csr.challenge_password(), Some("einmalig"));
        assert_eq!(csr.alternative_names().len(), 2);
    }
    // too weak: refused with the reason
    for (kind, want) in [
        (&["rsa:1024"][..], "RSA modulus of 1024 bits; at least 2048 are required"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"][..], "is not supported"),
        (&["rsa:2048", "-sha1"][..], "sha1WithRSAEncryption is refused"),
    ] {
        let (good, output) = openssl::run(folder.path(), &[&arguments[..], kind].concat());
        assert!(good, "{output}");
        let pem = std::fs::read_to_string(folder.path().join("r.pem")).unwrap();
        let error = Csr::from_pem(&pem).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }

    for algorithm in [KeyAlgorithm::EcdsaP384, KeyAlgorithm::Ed25519, KeyAlgorithm::Rsa(2048)] {
        let builder = CsrBuilder {
            subject: Subject::named("gate 7"),
            alternative_names: vec![AlternativeName::Dns("gate7.example".into())],
            challenge_password: Some("einmalig".into()),
            ..CsrBuilder::default()
        };
        let der = builder.build(&world::key(algorithm)).unwrap();
        std::fs::write(folder.path().join("ours.der"), der).unwrap();
        let arguments = ["req", "-inform", "DER", "-in", "ours.der", "-verify", "-noout", "-text"];
        let (good, output) = openssl::run(folder.path(), &arguments);
        assert!(good && output.contains("verify OK"), "{output}");
        assert!(output.contains("DNS:gate7.example") && output.contains("einmalig"), "{output}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_prepared_is_read_back(
        random: [u8; 16],
        name in "[a-zA-Z0-9 äß電]{1,30}",
        labels in prop::collection::vec("[a-z0-9]{1,20}\\.example", 1..6),
        from in 0i64..1_000_000,
        length in 1i64..30_000_000,
    ) {
        static KEY: OnceLock<crypto::SoftwareKey> = OnceLock::new();
        let key = KEY.get_or_init(|| world::key(KeyAlgorithm::EcdsaP256));
        let ca = p256();
        let from = NOW.plus(from);
        let mut request = Request::new(
            pki::Serial::from_random(random),
            Subject::named(format!("x{}", name.trim())),
            key.public_key().clone(),
            (from, from.plus(length)),
        );
        request.alternative_names = labels.into_iter().map(AlternativeName::Dns).collect();
        let certificate = world::issue(ca, Profile::Service, &request);
        compare(&certificate, Profile::Service, &request, ca);
    }

    #[test]
    fn the_linter_survives_any_damage(at: prop::sample::Index, value: u8) {
        static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
        let good = GOOD.get_or_init(|| {
            let key = world::key(KeyAlgorithm::EcdsaP256);
            let request = world::request(Profile::Idevid, &key, &p256().info);
            prepare(Profile::Idevid, &p256().info, &request).unwrap().tbs().to_vec()
        });
        let mut tbs = good.clone();
        let at = at.index(tbs.len());
        tbs[at] = value;
        for profile in Profile::ALL {
            let _ = lint(&tbs, Some(profile));
        }
        let _ = lint(&tbs, None);
    }
}

/// What a certificate says of its device's usage description: as RFC 8520 section 11 has it, byte for byte.
#[test]
fn a_mud_url_is_an_ia5_string_and_its_signer_a_name() {
    let ca = p256();
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let request = world::request(Profile::Idevid, &key, &ca.info);
    let mud = request.mud.clone().unwrap();
    let certificate = world::issue(ca, Profile::Idevid, &request);
    let extension = |oid| certificate.extensions().find(&oid).unwrap();
    let url = extension(pki::oid::PE_MUD_URL);
    let text = b"https://maker.example/gate-7.json";
    let length = u8::try_from(text.len()).unwrap();
    assert_eq!(url.value, [&[0x16, length], text.as_slice()].concat());
    let signer = extension(pki::oid::PE_MUD_SIGNER);
    assert_eq!(Some(signer.value.as_slice()), mud.signer_der());
    assert!(!url.critical && !signer.critical);
    let name = x509_cert::name::Name::from_der(&signer.value).unwrap();
    assert_eq!(name.to_der().unwrap(), signer.value);
    assert_eq!(certificate.extensions().mud(), Some(Ok(mud.clone())));
    // It is the maker's to say, in an IDevID and nowhere else.
    for profile in [Profile::Ldevid, Profile::Chip, Profile::Service, Profile::Operator] {
        let mut request = world::request(profile, &key, &ca.info);
        assert_eq!(world::issue(ca, profile, &request).extensions().mud(), None);
        request.mud = Some(mud.clone());
        let refused = prepare(profile, &ca.info, &request).unwrap_err();
        assert!(matches!(refused, IssueError::Profile { .. }), "{profile}: {refused}");
    }
    let long = format!("https://maker.example/{}", "a".repeat(232));
    for wrong in [
        "",
        "http://maker.example/",
        "https://",
        "https://maker.example/\n",
        "https://門.example/",
        "https://maker.example@evil.example/",
        "https://@/",
        "https://:1/",
        &long,
    ] {
        assert!(pki::MudReference::new(wrong, None).is_err(), "{wrong}");
    }
    assert!(pki::MudReference::new(long.get(..253).unwrap(), None).is_ok());
}

proptest! {
    /// Whatever stands there, the certificate is read, and what is read is what is written.
    #[test]
    fn any_bytes_in_a_mud_extension_are_read_or_refused(
        url in proptest::collection::vec(any::<u8>(), 0..80),
        good in "https://[a-z]{1,20}\\.example/[a-z0-9]{0,40}",
        signer in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        use_good: bool,
    ) {
        let tlv = |tag: u8, value: &[u8]| {
            let length = value.len();
            let header = match u8::try_from(length) {
                Ok(length @ 0..=0x7f) => vec![tag, length],
                Ok(length) => vec![tag, 0x81, length],
                Err(_) => vec![tag, 0x82, u8::try_from(length >> 8).unwrap(), (length & 0xff) as u8],
            };
            [header, value.to_vec()].concat()
        };
        let one = |oid: pki::ObjectIdentifier, value: &[u8]| {
            tlv(0x30, &[tlv(0x06, oid.as_bytes()), tlv(0x04, value)].concat())
        };
        let value = if use_good { tlv(0x16, good.as_bytes()) } else { url };
        let mut all = one(pki::oid::PE_MUD_URL, &value);
        if let Some(signer) = &signer {
            all.extend(one(pki::oid::PE_MUD_SIGNER, signer));
        }
        let read = pki::Extensions::from_der(&tlv(0x30, &all)).unwrap();
        match read.mud().unwrap() {
            Ok(mud) => {
                prop_assert_eq!(tlv(0x16, mud.url().as_bytes()), value);
                prop_assert_eq!(mud.signer_der(), signer.as_deref());
                prop_assert_eq!(pki::MudReference::kept(mud.url(), mud.signer_der()), Ok(mud.clone()));
            }
            Err(_) => prop_assert!(!use_good || signer.is_some()),
        }
    }
}
