//! Certificates and paths: any bytes are an error or a certificate with exactly one encoding, and
//! no bytes are believed that no trusted key has signed.
#![no_main]

use crypto::UnixTime;
use libfuzzer_sys::fuzz_target;
use pki::{
    Certificate, MudReference,
    validate::{Anchors, Conformance, Options, PathError, validate},
};

fuzz_target!(|bytes: &[u8]| {
    // The input is one certificate, or several one after another.
    let mut certificates = Vec::new();
    let mut rest = bytes;
    while let Some((one, after)) = split(rest) {
        if let Ok(certificate) = Certificate::from_der(one) {
            assert_eq!(certificate.der(), one, "bytes are kept as received");
            assert!(certificate.tbs_der().len() < one.len());
            let _ = (certificate.subject().to_string(), certificate.public_key().is_ok());
            let _ = certificate.hardware_module_name();
            if let Some(Ok(mud)) = certificate.extensions().mud() {
                let again = MudReference::kept(mud.url(), mud.signer_der());
                assert_eq!(again.as_ref(), Ok(&mud), "what was read is kept");
                assert_eq!(mud.signer().is_some(), mud.signer_der().is_some());
            }
            let pem = certificate.to_pem();
            assert_eq!(Certificate::from_pem(&pem).as_ref(), Ok(&certificate));
            certificates.push(certificate);
        }
        rest = after;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Certificate::from_pem_chain(text, 4);
    }

    let Some((leaf, others)) = certificates.split_first() else { return };
    let options = Options {
        conformance: Conformance::Lenient,
        depth_max: 8,
        ..Options::any(UnixTime(1_767_225_600))
    };
    match validate(leaf, others, &Anchors::default(), &options) {
        Err(PathError::Expired { .. }) => panic!("a rule was applied to an untrusted path"),
        Err(_) => {}
        Ok(path) => panic!("nothing is trusted, and yet: {path:?}"),
    }
    // With everything trusted, whatever holds must be a path whose links verify.
    let anchors: Anchors = others.iter().cloned().collect();
    if let Ok(path) = validate(leaf, others, &anchors, &options) {
        for (certificate, issuer) in path.issued() {
            let key = issuer.public_key().expect("keys of a path are usable");
            let scheme = certificate.signature_scheme().expect("as are its schemes");
            key.verify(scheme, certificate.tbs_der(), certificate.signature())
                .expect("and its signatures hold");
        }
    }
});

/// The first DER value of `bytes`, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match bytes {
        [_, 0x81, length, ..] => 3 + usize::from(*length),
        [_, 0x82, high, low, ..] => 4 + (usize::from(*high) << 8 | usize::from(*low)),
        [_, length @ 0..=0x7f, ..] => 2 + usize::from(*length),
        _ => return None,
    };
    bytes.split_at_checked(length)
}
