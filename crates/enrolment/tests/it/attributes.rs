use crypto::KeyAlgorithm;
use enrolment::est::{AttributesError, CSR_ATTRIBUTES_BYTES_MAX, CsrAttributes, body};
use proptest::prelude::*;

#[test]
fn the_standards_examples_are_read() {
    // RFC 7030 section 4.5.2, corrected in RFC 8951 section 4
    let der = body::decode(
        b"MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJ\n\
          BgcrBgEBAQEWBggqhkjOPQQDAw==",
    )
    .unwrap();
    let read = CsrAttributes::parse(&der).unwrap();
    assert!(read.channel_binding);
    assert_eq!(read.key, Some(KeyAlgorithm::EcdsaP384));
    let others: Vec<String> = read.others.iter().map(ToString::to_string).collect();
    assert_eq!(others, ["1.2.840.113549.1.9.14"]);
    // RFC 7030 appendix A.2
    let der = body::decode(
        b"MHwGBysGAQEBARYwIgYDiDcBMRsTGVBhcnNlIFNFVCBhcyAyLjk5OS4xIGRhdGEG\n\
          CSqGSIb3DQEJBzAsBgOINwIxJQYDiDcDBgOINwQTGVBhcnNlIFNFVCBhcyAyLjk5\n\
          OS4yIGRhdGEGCSskAwMCCAEBCwYJYIZIAWUDBAIC",
    )
    .unwrap();
    let read = CsrAttributes::parse(&der).unwrap();
    assert!(read.channel_binding);
    assert_eq!(read.key, None);
    let others: Vec<String> = read.others.iter().map(ToString::to_string).collect();
    let expected = [
        "1.3.6.1.1.1.1.22",
        "2.999.1",
        "2.999.2",
        "1.3.36.3.3.2.8.1.1.11",
        "2.16.840.1.101.3.4.2.2",
    ];
    assert_eq!(others, expected);
}

#[test]
fn every_key_comes_back() {
    for key in KeyAlgorithm::GENERATED {
        for channel_binding in [false, true] {
            let attributes = CsrAttributes { channel_binding, key: Some(key), others: Vec::new() };
            let der = attributes.encode().unwrap();
            assert_eq!(CsrAttributes::parse(&der), Ok(attributes));
        }
    }
    let none = CsrAttributes::default();
    assert_eq!(none.encode().unwrap(), [0x30, 0]);
    assert_eq!(CsrAttributes::parse(&[0x30, 0]), Ok(none));
}

#[test]
fn the_p256_form_is_the_standards() {
    let attributes = CsrAttributes {
        channel_binding: true,
        key: Some(KeyAlgorithm::EcdsaP256),
        others: Vec::new(),
    };
    assert_eq!(
        hex::encode(attributes.encode().unwrap()),
        "302c06092a864886f70d010907301506072a8648ce3d0201310a06082a8648ce3d03010706082a8648ce3d040302"
    );
}

#[test]
fn attributes_that_are_refused() {
    let check = |der: &[u8], error| assert_eq!(CsrAttributes::parse(der), Err(error));
    check(b"", AttributesError::Malformed);
    check(&[0x31, 0], AttributesError::Malformed);
    check(&[0x30, 2, 5, 0], AttributesError::Malformed);
    check(&[0x30, 2, 6, 1], AttributesError::Malformed);
    check(&[0x30, 0, 0], AttributesError::Malformed);
    check(&[0x30, 7, 0x30, 5, 6, 1, 0x2a, 0x30, 0], AttributesError::Malformed);
    check(&[0x30, 3, 6, 1, 0x80], AttributesError::Malformed);
    check(&[0x30, 4, 6, 2, 0x80, 1], AttributesError::Malformed);
    check(&[0x30, 2, 6, 0], AttributesError::Malformed);
    check(&vec![0; CSR_ATTRIBUTES_BYTES_MAX + 1], AttributesError::TooLong);
    let mut many = vec![0x30, 0x81, 195];
    many.extend([6, 1, 0x2a].repeat(65));
    check(&many, AttributesError::TooLong);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = CsrAttributes::parse(&bytes);
        let mut framed = vec![0x30, bytes.len() as u8];
        framed.extend(bytes);
        if let Ok(read) = CsrAttributes::parse(&framed) {
            let again = CsrAttributes::parse(&read.encode().unwrap()).unwrap();
            prop_assert_eq!(again, read);
        }
    }
}
