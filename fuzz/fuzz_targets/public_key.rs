//! SubjectPublicKeyInfo and AlgorithmIdentifier: any bytes are an error or an acceptable key.
#![no_main]

use crypto::{PublicKey, SignatureScheme};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(scheme) = SignatureScheme::from_algorithm_identifier(bytes) {
        assert_eq!(
            SignatureScheme::from_algorithm_identifier(scheme.algorithm_identifier()),
            Ok(scheme)
        );
    }
    if let Ok(key) = PublicKey::from_spki(bytes) {
        assert_eq!(key.spki(), bytes, "a key has one encoding");
        assert!(key.algorithm().strength_bits() >= 112);
        assert!(key.verify(key.default_scheme(), b"message", b"no signature").is_err());
    }
});
