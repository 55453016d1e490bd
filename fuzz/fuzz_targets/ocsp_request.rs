//! OCSP requests by POST and GET, and responses: any bytes are an error that has a status, or a
//! message within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pki::ocsp::{NONCE_BYTES_MAX, OcspRequest, OcspResponse, REQUESTS_MAX};

fuzz_target!(|bytes: &[u8]| {
    match OcspRequest::parse(bytes) {
        Ok(request) => {
            assert!((1..=REQUESTS_MAX).contains(&request.ids.len()));
            assert!(
                request.nonce.as_ref().is_none_or(|n| (1..=NONCE_BYTES_MAX).contains(&n.len()))
            );
            // Our own encoding of what was read reads the same.
            assert_eq!(OcspRequest::parse(&request.to_der()), Ok(request));
        }
        Err(error) => assert_eq!(error.status().to_der().len(), 5),
    }
    if let Ok(path) = std::str::from_utf8(bytes) {
        let _ = OcspRequest::from_get_path(path);
    }
    if let Ok(response) = OcspResponse::parse(bytes) {
        assert!(response.answers().len() <= REQUESTS_MAX);
        assert!(response.answers().iter().all(|answer| response.answer(&answer.id).is_some()));
    }
});
