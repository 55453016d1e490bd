//! Certification requests and certs-only messages: any bytes are an error, or a request that keeps
//! its bytes, asks for well-formed names, and proves possession only by its own key's signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::{Csr, Subject, cms};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(csr) = Csr::parse(bytes) {
        assert_eq!(csr.der(), bytes, "bytes are kept as received");
        let _ = (csr.subject().to_string(), csr.challenge_password(), csr.alternative_names());
        let _ = csr.hardware_module_name();
        // What is taken from a request either makes a name or is refused with a reason.
        let _ = Subject::from_name(&csr.subject()).to_der();
        let key = csr.public_key().clone();
        if let Ok(verified) = csr.verify() {
            assert_eq!(*verified.public_key(), key);
        }
    }
    if let Ok(certificates) = cms::parse_certs_only(bytes) {
        let again = cms::certs_only(&certificates);
        assert_eq!(cms::parse_certs_only(&again).map(|all| all.len()), Ok(certificates.len()));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Csr::from_pem(text);
    }
});
