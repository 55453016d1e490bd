use crate::{CSR, ENROLL_RESPONSE};
use crypto::KeyAlgorithm;
use enrolment::est::{
    BasicCredential, CsrAttributes, Method, Operation, ServerKey,
    body::{self, BodyError},
    client::{Answer, ClientError, Request},
};

fn enroll() -> Request {
    let csr = body::decode(CSR).unwrap();
    let code = BasicCredential::new("SN-1", "008J4-CT4AN-K7F24-SNAXW-SQFEW").unwrap();
    Request::post(Operation::SimpleEnroll, Some("gate-4".parse().unwrap()), &csr, Some(&code))
}

#[test]
fn requests_are_what_servers_read() {
    let request = enroll();
    assert_eq!((request.method, request.method.name()), (Method::Post, "POST"));
    assert_eq!(request.path, "/.well-known/est/gate-4/simpleenroll");
    assert_eq!(request.content_type, Some("application/pkcs10"));
    assert_eq!(body::decode(&request.body), body::decode(CSR));
    let header = request.authorization.as_ref().unwrap();
    let header = std::str::from_utf8(header.expose()).unwrap();
    assert_eq!(BasicCredential::parse(header).unwrap().user(), "SN-1");
    let get = Request::get(Operation::CaCerts, None);
    assert_eq!((get.method.name(), get.path.as_str()), ("GET", "/.well-known/est/cacerts"));
    assert!(get.body.is_empty() && get.content_type.is_none() && get.authorization.is_none());
}

#[test]
fn answers_are_read() {
    let certs = Some("application/pkcs7-mime; smime-type=certs-only");
    let answer = enroll().answer(200, certs, None, ENROLL_RESPONSE).unwrap();
    let Answer::Certificates(certificates) = answer else { panic!("{answer:?}") };
    assert_eq!(certificates.len(), 1);

    let answer = enroll().answer(202, None, Some("120"), b"").unwrap();
    assert!(matches!(answer, Answer::Later(120)), "{answer:?}");
    let answer = enroll().answer(202, None, Some("Fri, 31 Dec 1999 23:59:59 GMT"), b"").unwrap();
    assert!(matches!(answer, Answer::Later(60)), "{answer:?}");

    let csr_attributes = Request::get(Operation::CsrAttrs, None);
    let wanted = CsrAttributes {
        channel_binding: true,
        key: Some(KeyAlgorithm::MlDsa65),
        others: Vec::new(),
    };
    let sent = body::encode(&wanted.encode().unwrap());
    let answer = csr_attributes.answer(200, Some("application/csrattrs"), None, &sent).unwrap();
    assert!(matches!(answer, Answer::Attributes(read) if read == wanted));
    let answer = csr_attributes.answer(204, None, None, b"").unwrap();
    assert!(matches!(answer, Answer::Attributes(read) if read == CsrAttributes::default()));

    let csr = body::decode(CSR).unwrap();
    let keygen = Request::post(Operation::ServerKeygen, None, &csr, None);
    let certs_only = body::decode(ENROLL_RESPONSE).unwrap();
    let key = ServerKey { private_key: crypto::Secret::new(vec![0x30, 0]), certs_only };
    let (content_type, sent) = key.encode();
    let answer = keygen.answer(200, Some(&content_type), None, sent.expose()).unwrap();
    let Answer::ServerKey { private_key, certificates } = answer else { panic!("{answer:?}") };
    assert_eq!((private_key.expose(), certificates.len()), (&[0x30, 0][..], 1));
}

#[test]
fn other_answers_are_errors() {
    let certs = Some("application/pkcs7-mime");
    let text = Some("text/plain");
    let error = enroll().answer(200, text, None, ENROLL_RESPONSE).unwrap_err();
    assert!(matches!(error, ClientError::Body(BodyError::MediaType { .. })));
    let error = enroll().answer(200, certs, None, b"MAA=").unwrap_err();
    assert!(matches!(error, ClientError::Certificates(_)));
    let none = body::encode(&pki::cms::certs_only(&[]));
    assert_eq!(enroll().answer(200, certs, None, &none).unwrap_err(), ClientError::Empty);
    let error = enroll().answer(401, text, None, b"use\r\nyour code\n").unwrap_err();
    assert_eq!(error.to_string(), "the server refused with HTTP status 401: use  your code");
    let long = enroll().answer(500, None, None, &[b'x'; 2000]).unwrap_err();
    assert!(long.to_string().len() < 600);
}
