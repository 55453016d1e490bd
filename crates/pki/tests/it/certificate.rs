//! Reading certificates.

use crate::chain::{self, Chain, Made, NOW, Template};
use crypto::KeyAlgorithm;
use pki::{
    CERTIFICATE_BYTES_MAX, Certificate, CertificateError, HardwareModuleName, ObjectIdentifier,
    oid,
    validate::{Anchors, Options, validate},
};
use proptest::prelude::*;

#[test]
fn accessors_tell_what_is_inside() {
    let hw_type = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55738.3");
    let value = chain::seq(&[chain::oid_der(hw_type), chain::tlv(0x04, b"SN-1")]);
    let module = chain::other(oid::ON_HARDWARE_MODULE_NAME, &value);
    let made = Template::leaf("sensor 7").names(&[module]).self_signed();
    let certificate = &made.certificate;
    assert_eq!(certificate.common_name().as_deref(), Some("sensor 7"));
    assert_eq!(certificate.serial_number_attribute(), None);
    assert_eq!(
        certificate.hardware_module_name(),
        Some(HardwareModuleName { hw_type, hw_serial_num: b"SN-1".to_vec() })
    );
    assert!(certificate.is_self_issued());
    assert!(!certificate.is_ca());
    assert_eq!(certificate.version(), 3);
    assert!(certificate.is_valid_at(NOW));
    assert_eq!(certificate.fingerprint(), crypto::sha256(certificate.der()));
    // The slices lie in the certificate, as received.
    let at = |part: &[u8]| certificate.der().windows(part.len()).position(|w| w == part);
    assert_eq!(at(certificate.tbs_der()), Some(4));
    assert!(at(certificate.spki_der()) < at(certificate.signature()));
    let key = certificate.public_key().unwrap();
    key.verify(
        certificate.signature_scheme().unwrap(),
        certificate.tbs_der(),
        certificate.signature(),
    )
    .unwrap();
}

#[test]
fn pem_is_read_with_whatever_stands_around_it() {
    let chain = Chain::new();
    let (leaf, ca) = (&chain.leaf.certificate, &chain.ca.certificate);
    let text = format!("subject: x\n{}some words\r\n{}", leaf.to_pem(), ca.to_pem());
    assert_eq!(Certificate::from_pem_chain(&text, 2).unwrap(), [leaf.clone(), ca.clone()]);
    assert_eq!(Certificate::from_pem(&text).unwrap(), *leaf);
    assert_eq!(Certificate::from_pem_chain(&text, 1), Err(CertificateError::TooMany(1)));
    assert_eq!(Certificate::from_pem("nothing"), Err(CertificateError::NoPem));
    let crlf = leaf.to_pem().replace('\n', "\r\n");
    assert_eq!(Certificate::from_pem(&crlf).unwrap(), *leaf);
    let cut = leaf.to_pem().replace("-----END", "");
    assert_eq!(
        Certificate::from_pem(&cut),
        Err(CertificateError::Pem { number: 1, reason: "its END line is missing" })
    );
    let bad = text.replacen("MII", "!II", 1);
    assert_eq!(
        Certificate::from_pem_chain(&bad, 9),
        Err(CertificateError::Pem { number: 1, reason: "its contents are not base64" })
    );
}

/// Replaces the first occurrence of `from` in the DER, where lengths stay the same.
fn altered(made: &Made, from: &[u8], to: &[u8]) -> Result<Certificate, CertificateError> {
    assert_eq!(from.len(), to.len());
    let mut der = made.certificate.der().to_vec();
    let at = der.windows(from.len()).position(|window| window == from).expect("pattern occurs");
    der[at..at + from.len()].copy_from_slice(to);
    Certificate::from_der(&der)
}

#[test]
fn malformed_certificates_are_refused_with_a_reason() {
    let made = Template::leaf("device").self_signed();
    let malformed = |from: &[u8], to: &[u8], field, reason| {
        assert_eq!(
            altered(&made, from, to),
            Err(CertificateError::Malformed { field, reason }),
            "{field}"
        );
    };
    malformed(
        b"\xa0\x03\x02\x01\x02",
        b"\xa0\x03\x02\x01\x00",
        "version",
        "writes a default value out",
    );
    malformed(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03", "version", "is none of 1, 2, 3");
    malformed(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", "extensions", "need version 3");
    malformed(b"\x02\x04\x01", b"\x02\x04\x81", "serialNumber", "is negative");
    malformed(
        b"\x0c\x06device",
        b"\x0c\x06\xffevice",
        "issuer",
        "has text that does not fit its type",
    );
    malformed(
        b"\x17\x0d25",
        b"\x17\x0d2x",
        "notBefore",
        "has a time that is not in the form YYMMDDHHMMSSZ",
    );
    malformed(b"\x01\x01\xff", b"\x01\x01\x00", "extensions", "writes a default value out");
    malformed(
        b"\x01\x01\xff",
        b"\x01\x01\x7f",
        "extensions",
        "has a BOOLEAN that is neither TRUE nor FALSE",
    );
    malformed(b"\x03\x02\x07\x80", b"\x03\x02\x06\x80", "keyUsage", "has bits that are not in DER");
    assert_eq!(
        altered(&made, oid::SUBJECT_KEY_IDENTIFIER.as_bytes(), oid::KEY_USAGE.as_bytes()),
        Err(CertificateError::DuplicateExtension(oid::KEY_USAGE))
    );
    // ecdsa-with-SHA384 inside, SHA-256 outside
    assert_eq!(
        altered(&made, b"\xce\x3d\x04\x03\x02", b"\xce\x3d\x04\x03\x03"),
        Err(CertificateError::AlgorithmsDiffer)
    );
    let mut longer = made.certificate.der().to_vec();
    longer.push(0);
    assert_eq!(
        Certificate::from_der(&longer),
        Err(CertificateError::Malformed { field: "certificate", reason: "goes on after its end" })
    );
    let huge = vec![0x30; CERTIFICATE_BYTES_MAX + 1];
    assert_eq!(
        Certificate::from_der(&huge),
        Err(CertificateError::TooLarge { length: CERTIFICATE_BYTES_MAX + 1 })
    );
}

/// Whether leaf and intermediate, in this form, lead to `root`.
fn holds(leaf: &[u8], ca: &[u8], root: &Made) -> bool {
    let (Ok(leaf), Ok(ca)) = (Certificate::from_der(leaf), Certificate::from_der(ca)) else {
        return false;
    };
    let anchors: Anchors = [root.certificate.clone()].into_iter().collect();
    validate(&leaf, &[ca], &anchors, &Options::client(NOW)).is_ok()
}

#[test]
fn no_altered_byte_survives() {
    let chain = Chain::new();
    let (leaf, ca) = (chain.leaf.certificate.der(), chain.ca.certificate.der());
    assert!(holds(leaf, ca, &chain.root));
    for at in 0..leaf.len() {
        let mut bad = leaf.to_vec();
        bad[at] ^= 1 << (at % 8);
        assert!(!holds(&bad, ca, &chain.root), "byte {at} of the leaf");
    }
    for at in 0..ca.len() {
        let mut bad = ca.to_vec();
        bad[at] ^= 1 << (at % 8);
        assert!(!holds(leaf, &bad, &chain.root), "byte {at} of the intermediate");
    }
}

fn some_algorithm() -> impl Strategy<Value = KeyAlgorithm> {
    prop::sample::select(vec![
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::MlDsa44,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn chains_of_any_length_and_algorithm_hold_and_break(
        algorithms in prop::collection::vec(some_algorithm(), 2..7),
        order in any::<prop::sample::Index>(),
        victim in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let last = algorithms.len() - 1;
        let mut chain = vec![Template::ca("CA 0").algorithm(algorithms[0]).self_signed()];
        for (number, algorithm) in algorithms.iter().enumerate().skip(1) {
            let template = if number == last {
                Template::leaf("device")
            } else {
                Template::ca(&format!("CA {number}"))
            };
            chain.push(template.algorithm(*algorithm).issued_by(&chain[number - 1]));
        }
        let anchors: Anchors = [chain[0].certificate.clone()].into_iter().collect();
        let mut sent: Vec<_> = chain[1..last].iter().map(|made| made.certificate.clone()).collect();
        if !sent.is_empty() {
            let by = order.index(sent.len());
            sent.rotate_left(by);
        }
        let leaf = chain[last].certificate.clone();
        let options = Options::client(NOW);
        let path = validate(&leaf, &sent, &anchors, &options).unwrap();
        prop_assert_eq!(path.certificates().len(), chain.len());
        for (have, made) in path.certificates().iter().rev().zip(&chain) {
            prop_assert_eq!(have, &made.certificate);
        }

        // One byte of one certificate other
        let number = victim.index(last) + 1;
        let mut der = chain[number].certificate.der().to_vec();
        let at = place.index(der.len());
        der[at] ^= flip;
        if let Ok(bad) = Certificate::from_der(&der) {
            let all = |certificate: &Certificate| {
                if *certificate == chain[number].certificate { bad.clone() } else { certificate.clone() }
            };
            let sent: Vec<_> = sent.iter().map(all).collect();
            prop_assert!(validate(&all(&leaf), &sent, &anchors, &options).is_err());
        }
    }

    #[test]
    fn bytes_never_panic_and_have_one_meaning(
        mut der in Just(Template::leaf("device").self_signed().certificate.der().to_vec()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        for (place, byte) in edits {
            let at = place.index(der.len());
            der[at] = byte;
        }
        if let Some(cut) = cut {
            der.truncate(cut.index(der.len()));
        }
        if let Ok(certificate) = Certificate::from_der(&der) {
            prop_assert_eq!(certificate.der(), der);
            let _ = (certificate.subject().to_string(), certificate.public_key().is_ok());
            let pem = certificate.to_pem();
            prop_assert_eq!(Certificate::from_pem(&pem).unwrap(), certificate);
        }
    }
}
