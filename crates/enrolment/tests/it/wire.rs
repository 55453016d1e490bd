use crate::{CSR, ENROLL_RESPONSE};
use enrolment::est::{
    BasicCredential, BasicError, Method, MultipartError, Operation, Route, RouteError, ServerKey,
    body::{self, BodyError},
    boundary_of,
};
use proptest::prelude::*;

#[test]
fn paths() {
    let check = |path: &str, product: Option<&str>, operation| {
        let expected = Route { product: product.map(|text| text.parse().unwrap()), operation };
        assert_eq!(Route::parse(path).as_ref(), Ok(&expected), "{path}");
        assert_eq!(Route::parse(&expected.path()), Ok(expected));
    };
    check("/.well-known/est/cacerts", None, Operation::CaCerts);
    check("/.well-known/est/gate-4/simpleenroll", Some("gate-4"), Operation::SimpleEnroll);
    check("/gate-4/.well-known/est/simplereenroll", Some("gate-4"), Operation::SimpleReenroll);
    check("/.well-known/est/gate-4/serverkeygen", Some("gate-4"), Operation::ServerKeygen);
    let refuse = |path: &str, error| assert_eq!(Route::parse(path), Err(error), "{path}");
    refuse("", RouteError::NotEst);
    refuse("/", RouteError::NotEst);
    refuse("/.well-known/est", RouteError::NotEst);
    refuse("/.well-known/established", RouteError::NotEst);
    refuse("/.well-known/est/", RouteError::Operation);
    refuse("/.well-known/est/cacerts/", RouteError::Operation);
    refuse("/.well-known/est/gate-4", RouteError::Operation);
    refuse("/.well-known/est/CACERTS", RouteError::Operation);
    refuse("/.well-known/est/../v1/devices", RouteError::Operation);
    refuse("/.well-known/est/cacerts/cacerts", RouteError::Label);
    refuse("/.well-known/est/Gate/cacerts", RouteError::Label);
    refuse("/.well-known/est//cacerts", RouteError::Label);
    refuse("/a/b/.well-known/est/cacerts", RouteError::Label);
    refuse("gate-4/.well-known/est/cacerts", RouteError::NotEst);
    refuse("/gate-4/.well-known/est/gate-5/cacerts", RouteError::NotEst);
    refuse(&format!("/.well-known/est/{}/cacerts", "a".repeat(300)), RouteError::NotEst);
}

#[test]
fn operations() {
    for operation in Operation::ALL {
        let posts = operation.method() == Method::Post;
        assert_eq!(operation.request_type().is_some(), posts);
        assert_eq!(operation.needs_authentication(), posts);
    }
}

#[test]
fn the_standards_request_is_read_in_every_form_that_clients_send() {
    let der = body::decode(CSR).unwrap();
    assert_eq!(der[..4], [0x30, 0x82, 0x02, 0x85]);
    let one_line: Vec<u8> = CSR.iter().copied().filter(|byte| *byte != b'\n').collect();
    let text = std::str::from_utf8(CSR).unwrap();
    for form in [
        String::from_utf8(one_line).unwrap(),
        text.replace('\n', "\r\n"),
        text.replace('\n', "\n   "),
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"),
        format!("\r\n{text}\r\n\r\n"),
        String::from_utf8(body::encode(&der)).unwrap(),
        String::from_utf8(body::encode_lines(&der)).unwrap(),
    ] {
        assert_eq!(body::decode(form.as_bytes()).as_ref(), Ok(&der), "{form}");
    }
    // Its signature is SHA-1, which is refused where it is read as a request, with the reason.
    let error = pki::Csr::parse(&der).unwrap_err().to_string();
    assert!(error.contains("sha1WithRSAEncryption is refused"), "{error}");
}

#[test]
fn the_standards_answer_is_read() {
    let der = body::decode(ENROLL_RESPONSE).unwrap();
    let certificates = pki::cms::parse_certs_only(&der).unwrap();
    assert_eq!(certificates.len(), 1);
    assert_eq!(certificates[0].common_name().unwrap(), "demostep4 1368141352");
    assert_eq!(certificates[0].serial().as_bytes(), [21]);
}

#[test]
fn bodies_that_are_refused() {
    let check = |body: &[u8], error| assert_eq!(body::decode(body), Err(error));
    check(b"", BodyError::Empty);
    check(b" \r\n\t", BodyError::Empty);
    check(&[0x30, 0x82, 0x01, 0x00], BodyError::Binary);
    check(b"MAA", BodyError::Base64);
    check(b"MAA=MAA=", BodyError::Base64);
    check(b"MAB=", BodyError::Base64);
    check(b"M-A_", BodyError::Base64);
    check(b"-----BEGIN X-----\nMAA=\n", BodyError::Base64);
    check(b"-----BEGIN X-----\nMAA=\n-----END X-----\nMAA=", BodyError::Base64);
    check(b"-----BEGIN ", BodyError::Base64);
    check(&[0xff; 8], BodyError::Base64);
    let most = body::REQUEST_BYTES_MAX;
    assert!(body::decode(&vec![b'A'; most]).is_ok());
    check(&vec![b'A'; most + 4], BodyError::TooLong { found: most + 4, most });
}

#[test]
fn media_types() {
    let check = |found, good: bool| {
        assert_eq!(body::check_type(found, body::CERTS_ONLY).is_ok(), good, "{found:?}");
    };
    check(Some("application/pkcs7-mime"), true);
    check(Some("application/pkcs7-mime; smime-type=certs-only"), true);
    check(Some("Application/PKCS7-MIME ;smime-type=\"certs-only\""), true);
    check(Some("application/pkcs10"), false);
    check(Some(""), false);
    check(None, false);
}

#[test]
fn codes_travel_as_basic() {
    // "Aladdin:open sesame" (RFC 7617 section 2)
    let credential = BasicCredential::parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
    assert_eq!((credential.user(), credential.password()), ("Aladdin", "open sesame"));
    assert_eq!(credential.header().expose(), b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_eq!(format!("{credential:?}"), "BasicCredential(Aladdin, ..)");
    assert!(BasicCredential::parse("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").is_ok());
    let refuse = |value: &str, error| assert_eq!(BasicCredential::parse(value).unwrap_err(), error);
    refuse("", BasicError::NotBasic);
    refuse("Bearer abc", BasicError::NotBasic);
    refuse("Basic QWxhZGRpbg==", BasicError::Malformed);
    refuse("Basic OmNvZGU=", BasicError::Malformed);
    refuse("Basic dXNlcjo=", BasicError::Malformed);
    refuse("Basic !", BasicError::Malformed);
    refuse(&format!("Basic {}", "QUFB".repeat(200)), BasicError::Malformed);
    assert!(BasicCredential::new("a:b", "code").is_err());
    assert!(BasicCredential::new("", "code").is_err());
}

/// The form of RFC 7030 appendix A.4, with its preamble, epilogue and blank before the parameter.
fn server_key_answer(boundary: &str) -> String {
    let certificates = std::str::from_utf8(ENROLL_RESPONSE).unwrap();
    format!(
        "This is the preamble.  It is to be ignored, though it\r\nis a handy place.\r\n\
         --{boundary}\r\nContent-Type: application/pkcs8\r\n\
         Content-Transfer-Encoding: base64\r\n\r\nMAMCAQU=\r\n\
         --{boundary}\r\nContent-Type: application/pkcs7-mime; smime-type=certs-only\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{certificates}\r\n\
         --{boundary}--\r\nThis is the epilogue.  It is also to be ignored.\r\n"
    )
}

const EXAMPLE: &str = "multipart/mixed ; boundary=estServerExampleBoundary";

#[test]
fn an_answer_to_serverkeygen_is_read() {
    let answer = server_key_answer("estServerExampleBoundary");
    for text in [answer.clone(), answer.replace("\r\n", "\n")] {
        let read = ServerKey::parse(EXAMPLE, text.as_bytes()).unwrap();
        assert_eq!(read.private_key.expose(), [0x30, 3, 2, 1, 5]);
        assert_eq!(read.certs_only, body::decode(ENROLL_RESPONSE).unwrap());
        let (content_type, written) = read.encode();
        let again = ServerKey::parse(&content_type, written.expose()).unwrap();
        assert_eq!(again.private_key.expose(), read.private_key.expose());
        assert_eq!(again.certs_only, read.certs_only);
        assert_eq!(again.encode().1.expose(), written.expose());
    }
}

#[test]
fn answers_to_serverkeygen_that_are_refused() {
    let good = server_key_answer("estServerExampleBoundary");
    let check = |content_type: &str, text: &str, reason: &str| {
        let error = ServerKey::parse(content_type, text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error} is not {reason}");
    };
    check("multipart/mixed", &good, "boundary");
    check("application/pkcs8", &good, "multipart/mixed");
    check(EXAMPLE, "", "last boundary");
    check(EXAMPLE, &good.replace("Boundary--", "Boundary"), "last boundary");
    check(EXAMPLE, &good.replace("application/pkcs8", "text/plain"), "neither");
    check(EXAMPLE, &good.replace("pkcs7-mime", "pkcs8"), "neither");
    check(
        EXAMPLE,
        &good.replace("Content-Type: application/pkcs8\r\n", ""),
        "without Content-Type",
    );
    check(EXAMPLE, &good.replace("MAMCAQU=", "!"), "base64");
    check(EXAMPLE, &good.replace("MAMCAQU=", ""), "empty");
    check(EXAMPLE, &good.replace("\r\n\r\n", "\r\n"), "header");
    let mut parts = good.splitn(3, "--estServer");
    let (_, without_preamble) = good.split_once("\r\n--").unwrap();
    let key_twice = format!("--estServer{}--{without_preamble}", parts.nth(1).unwrap());
    check(EXAMPLE, &key_twice, "neither");
    let three = good.replacen("MAMCAQU=", "MAMCAQU=\r\n--estServerExampleBoundary\r\n\r\n", 2);
    check(EXAMPLE, &three, "without Content-Type");
    assert_eq!(
        ServerKey::parse(EXAMPLE, &[0xff]).unwrap_err(),
        MultipartError::Malformed("not text")
    );
}

#[test]
fn boundaries() {
    let check = |content_type: &str, boundary: Option<&str>| {
        assert_eq!(boundary_of(content_type).as_deref(), boundary, "{content_type}");
    };
    check(EXAMPLE, Some("estServerExampleBoundary"));
    check("Multipart/Mixed; charset=x; BOUNDARY=\"a b\"", Some("a b"));
    check("multipart/mixed; boundary=\"a", None);
    check("multipart/mixed; boundary=", None);
    check("multipart/mixed; boundary=a\u{e9}", None);
    check(&format!("multipart/mixed; boundary={}", "a".repeat(71)), None);
    check("multipart/form-data; boundary=a", None);
}

proptest! {
    #[test]
    fn any_der_comes_back(der in proptest::collection::vec(any::<u8>(), 1..2000)) {
        let line = body::encode(&der);
        prop_assert!(line.iter().all(|byte| !byte.is_ascii_whitespace()));
        prop_assert_eq!(&body::decode(&line).unwrap(), &der);
        let lines = body::encode_lines(&der);
        prop_assert!(lines.split(|byte| *byte == b'\n').all(|line| line.len() <= 66));
        prop_assert_eq!(body::decode(&lines).unwrap(), der);
    }

    #[test]
    fn any_key_comes_back(
        key in proptest::collection::vec(any::<u8>(), 1..500),
        certs_only in proptest::collection::vec(any::<u8>(), 1..500),
    ) {
        let answer = ServerKey { private_key: crypto::Secret::new(key.clone()), certs_only };
        let (content_type, body) = answer.encode();
        let read = ServerKey::parse(&content_type, body.expose()).unwrap();
        prop_assert_eq!(read.private_key.expose(), key);
        prop_assert_eq!(read.certs_only, answer.certs_only);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,100}",
    ) {
        let _ = body::decode(&bytes);
        let _ = ServerKey::parse("multipart/mixed; boundary=a", &bytes);
        let _ = ServerKey::parse(&text, &bytes);
        let _ = Route::parse(&text);
        let _ = BasicCredential::parse(&text);
    }

    #[test]
    fn near_answers_are_read_without_panic(text in "(--a|--a--|\r\n|\n|Content-Type|: ?|application/pkcs8|MAA=){0,30}") {
        let _ = ServerKey::parse("multipart/mixed; boundary=a", text.as_bytes());
    }
}
