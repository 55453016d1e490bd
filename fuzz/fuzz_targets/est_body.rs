//! EST: whatever comes over the wire is an error or has one meaning.
#![no_main]

use enrolment::est::{
    BasicCredential, CsrAttributes, Operation, Route, ServerKey, body,
    client::{Answer, Request},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(der) = body::decode(bytes) {
        assert_eq!(body::decode(&body::encode(&der)).as_ref(), Ok(&der));
        if let Ok(csr) = pki::Csr::parse(&der) {
            assert_eq!(csr.der(), der);
            let _ = csr.verify();
        }
        if let Ok(attributes) = CsrAttributes::parse(&der)
            && let Ok(written) = attributes.encode()
        {
            assert_eq!(CsrAttributes::parse(&written), Ok(attributes));
        }
    }
    if let Ok(answer) = ServerKey::parse("multipart/mixed; boundary=b", bytes) {
        let (content_type, written) = answer.encode();
        let again = ServerKey::parse(&content_type, written.expose()).expect("own encoding");
        assert_eq!(again.private_key.expose(), answer.private_key.expose());
        assert_eq!(again.certs_only, answer.certs_only);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(route) = Route::parse(text) {
            assert_eq!(Route::parse(&route.path()), Ok(route));
        }
        if let Ok(credential) = BasicCredential::parse(text) {
            assert!(!credential.user().contains(':') && !credential.password().is_empty());
        }
        let _ = ServerKey::parse(text, bytes);
    }
    for operation in [Operation::CaCerts, Operation::CsrAttrs, Operation::ServerKeygen] {
        let content_type = match operation {
            Operation::CaCerts => body::CERTS_ONLY,
            Operation::CsrAttrs => body::CSR_ATTRIBUTES,
            _ => "multipart/mixed; boundary=b",
        };
        let request = Request::get(operation, None);
        if let Ok(Answer::Certificates(certificates)) =
            request.answer(200, Some(content_type), None, bytes)
        {
            assert!(!certificates.is_empty());
        }
    }
});
