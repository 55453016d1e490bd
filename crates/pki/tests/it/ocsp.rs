//! OCSP: read back by another parser, checked by openssl as a client.

use crate::{openssl, world, world::NOW};
use crypto::{KeyAlgorithm, SoftwareKey, UnixTime};
use der::{Decode as _, Encode as _};
use pki::{
    Certificate, Profile,
    crl::RevocationReason,
    ocsp::{
        Answer, CertId, CertStatus, ErrorStatus, IssuerHash, OcspError, OcspRequest, OcspResponse,
        Responder,
    },
};
use proptest::prelude::*;
use std::{collections::HashMap, sync::OnceLock};
use world::Authority;

struct Scene {
    root: Authority,
    ca: Authority,
    leaf: Certificate,
    signer: SoftwareKey,
    delegate: Certificate,
}

fn scene(algorithm: KeyAlgorithm) -> Scene {
    let root = world::root(algorithm, false);
    let ca = world::issuing_ca(&root, algorithm, world::locations("gates"));
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let leaf = world::issue(&ca, Profile::Ldevid, &world::request(Profile::Ldevid, &key, &ca.info));
    let signer = world::key(algorithm);
    let request = world::request(Profile::OcspSigner, &signer, &ca.info);
    let delegate = world::issue(&ca, Profile::OcspSigner, &request);
    Scene { root, ca, leaf, signer, delegate }
}

fn p256() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| scene(KeyAlgorithm::EcdsaP256))
}

const HELD: CertStatus =
    CertStatus::Revoked { at: UnixTime(NOW.0 - 60), reason: RevocationReason::CertificateHold };
const BROKEN: CertStatus =
    CertStatus::Revoked { at: UnixTime(NOW.0 - 60), reason: RevocationReason::Unspecified };

fn answer(id: CertId, status: CertStatus) -> Answer {
    Answer { id, status, this_update: NOW, next_update: Some(NOW.plus(3600)) }
}

fn ids(scene: &Scene) -> [CertId; 2] {
    let issuer = scene.ca.certificate.public_key().unwrap();
    IssuerHash::both(scene.ca.certificate.subject_der(), issuer)
        .map(|issuer| CertId { issuer, serial: *scene.leaf.serial() })
}

#[test]
fn every_algorithm_signs_responses_that_another_parser_reads() {
    use x509_ocsp as other;
    for algorithm in KeyAlgorithm::GENERATED {
        let scene = scene(algorithm);
        let [sha1, sha256] = ids(&scene);
        assert_eq!(CertId::of(&scene.leaf, &scene.ca.certificate), Ok(sha1));
        let answers = [
            answer(sha1, HELD),
            answer(sha256, CertStatus::Good),
            Answer { next_update: None, ..answer(sha1, CertStatus::Unknown) },
            answer(sha256, BROKEN),
        ];
        let responder = Responder::delegated(&scene.delegate).unwrap();
        let der = responder.prepare(&answers, Some(&[9; 32]), NOW).sign(&scene.signer).unwrap();

        let read = other::OcspResponse::from_der(&der).unwrap();
        assert_eq!(read.to_der().unwrap(), der);
        assert_eq!(read.response_status, other::OcspResponseStatus::Successful);
        let basic = read.response_bytes.unwrap().response;
        let basic = other::BasicOcspResponse::from_der(basic.as_bytes()).unwrap();
        let data = &basic.tbs_response_data;
        assert_eq!(data.responses.len(), 4);
        assert_eq!(data.nonce().unwrap().0.as_bytes(), [9; 32]);
        assert!(matches!(data.responder_id, other::ResponderId::ByKey(_)));
        assert!(matches!(
            data.responses[0].cert_status,
            other::CertStatus::Revoked(ref info) if info.revocation_reason
                == Some(x509_cert::ext::pkix::CrlReason::CertificateHold)
        ));
        assert!(matches!(data.responses[1].cert_status, other::CertStatus::Good(_)));
        assert!(matches!(data.responses[2].cert_status, other::CertStatus::Unknown(_)));
        assert!(data.responses[2].next_update.is_none());
        assert_eq!(basic.certs.unwrap()[0].to_der().unwrap(), scene.delegate.der());

        let ours = OcspResponse::parse(&der).unwrap();
        assert_eq!(ours.answers(), answers);
        assert_eq!(ours.nonce(), Some(&[9; 32][..]));
        assert_eq!(ours.produced_at(), NOW);
        ours.verify(&scene.ca.certificate, NOW).unwrap();
        let found = ours.answer_about(&scene.leaf, &scene.ca.certificate).unwrap();
        assert_eq!(found.status, HELD);
        assert!(ours.answer_about(&scene.delegate, &scene.ca.certificate).is_none());
    }
}

#[test]
fn requests_are_what_another_parser_reads() {
    let [sha1, sha256] = ids(p256());
    let request = OcspRequest { ids: vec![sha1, sha256], nonce: Some(vec![3; 32]) };
    let der = request.to_der();
    let read = x509_ocsp::OcspRequest::from_der(&der).unwrap();
    assert_eq!(read.to_der().unwrap(), der);
    assert_eq!(read.tbs_request.request_list.len(), 2);
    let first = &read.tbs_request.request_list[0].req_cert;
    assert_eq!(first.serial_number.as_bytes(), p256().leaf.serial().as_bytes());
    assert_eq!(read.nonce().unwrap().0.as_bytes(), [3; 32]);
    assert_eq!(OcspRequest::parse(&der), Ok(request));
}

#[test]
fn a_serial_number_answers_for_its_own_issuer_only() {
    let (scene, stranger) = (p256(), scene(KeyAlgorithm::EcdsaP256));
    let responder = Responder::delegated(&scene.delegate).unwrap();
    let mut presigned = HashMap::new();
    for id in ids(scene) {
        let made = responder.presign(&answer(id, CertStatus::Good), NOW, &scene.signer).unwrap();
        presigned.insert(id, made);
    }
    let [sha1, sha256] = ids(scene);
    for id in [sha1, sha256] {
        let ours = OcspResponse::parse(presigned[&id].der()).unwrap();
        assert_eq!(ours.answer(&id).unwrap().status, CertStatus::Good);
    }
    for issuer in ids(&stranger).map(|id| id.issuer) {
        assert!(!presigned.contains_key(&CertId { issuer, serial: sha1.serial }));
    }
    let made = &presigned[&sha1];
    assert!(made.is_current(NOW) && made.is_current(NOW.plus(3599)));
    assert!(!made.is_current(NOW.plus(3600)) && !made.is_current(NOW.plus(-1)));
    let caching = made.caching(NOW.plus(600));
    assert_eq!(caching.cache_control(), "max-age=3000, public, no-transform, must-revalidate");
    assert_ne!(caching.etag, presigned[&sha256].caching(NOW).etag);
}

#[test]
fn openssl_believes_what_it_should() {
    if !openssl::is_there() {
        return;
    }
    let classical =
        KeyAlgorithm::GENERATED.into_iter().filter(|algorithm| !algorithm.is_post_quantum());
    for algorithm in classical {
        let scene = scene(algorithm);
        let folder = tempfile::tempdir().unwrap();
        let file =
            |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        file("root.pem", scene.root.certificate.to_pem().as_bytes());
        file("ca.pem", scene.ca.certificate.to_pem().as_bytes());
        file("leaf.pem", scene.leaf.to_pem().as_bytes());
        let responder = Responder::delegated(&scene.delegate).unwrap();
        for (hash, nonce) in [("-sha1", "-nonce"), ("-sha256", "-nonce"), ("-sha1", "-no_nonce")] {
            let mut arguments = vec!["ocsp", "-issuer", "ca.pem", hash, "-cert", "leaf.pem"];
            arguments.extend([nonce, "-reqout", "request.der"]);
            let (good, output) = openssl::run(folder.path(), &arguments);
            assert!(good, "{output}");
            let request = std::fs::read(folder.path().join("request.der")).unwrap();
            let request = OcspRequest::parse(&request).unwrap();
            assert_eq!(request.nonce.is_some(), nonce == "-nonce");
            let [sha1, sha256] = ids(&scene);
            let want = if hash == "-sha1" { sha1 } else { sha256 };
            assert_eq!(request.ids, [want]);

            for (status, said) in [
                (CertStatus::Good, "leaf.pem: good"),
                (HELD, "Reason: certificateHold"),
                (CertStatus::Unknown, "leaf.pem: unknown"),
            ] {
                let answers = [answer(want, status)];
                let response = responder
                    .prepare(&answers, request.nonce.as_deref(), NOW)
                    .sign(&scene.signer)
                    .unwrap();
                file("response.der", &response);
                let time = NOW.0.to_string();
                // -no_nonce: add no other one to the request, which has its own.
                // The command checks thisUpdate against the machine's clock: allow for a century.
                let mut arguments = vec!["ocsp", "-reqin", "request.der", "-no_nonce"];
                arguments.extend([
                    "-respin",
                    "response.der",
                    "-CAfile",
                    "root.pem",
                    "-attime",
                    &time,
                ]);
                arguments.extend(["-validity_period", "3155760000"]);
                arguments.extend(["-issuer", "ca.pem", hash, "-cert", "leaf.pem"]);
                let (good, output) = openssl::run(folder.path(), &arguments);
                assert!(good && output.contains("Response verify OK"), "{algorithm} {output}");
                assert!(output.contains(said), "{algorithm} {output}");
                assert!(!output.contains("nonce") && !output.contains("Nonce"), "{output}");
            }
        }
        let stranger = Responder::issuer(crypto::Signer::public_key(&scene.signer));
        let response = stranger.prepare(&[answer(ids(&scene)[0], CertStatus::Good)], None, NOW);
        file("response.der", &response.sign(&scene.signer).unwrap());
        let arguments = [
            "ocsp",
            "-respin",
            "response.der",
            "-CAfile",
            "root.pem",
            "-issuer",
            "ca.pem",
            "-cert",
            "leaf.pem",
        ];
        let (_, output) = openssl::run(folder.path(), &arguments);
        assert!(output.contains("Response Verify Failure"), "{output}");
    }
}

#[test]
fn errors_have_their_codes() {
    use x509_ocsp::OcspResponseStatus as Other;
    for (status, want) in [
        (ErrorStatus::MalformedRequest, Other::MalformedRequest),
        (ErrorStatus::InternalError, Other::InternalError),
        (ErrorStatus::TryLater, Other::TryLater),
        (ErrorStatus::SigRequired, Other::SigRequired),
        (ErrorStatus::Unauthorized, Other::Unauthorized),
    ] {
        let der = status.to_der();
        assert_eq!(x509_ocsp::OcspResponse::from_der(&der).unwrap().response_status, want);
        assert_eq!(OcspResponse::parse(&der).unwrap_err(), OcspError::Status(status));
    }
    assert_eq!(OcspRequest::parse(b"no DER").unwrap_err().status(), ErrorStatus::MalformedRequest);
    // The hash function becomes id-sha384.
    let mut der = OcspRequest { ids: vec![ids(p256())[1]], nonce: None }.to_der();
    let at = der.windows(4).position(|bytes| bytes == [3, 4, 2, 1]).unwrap();
    der[at + 3] = 2;
    assert_eq!(OcspRequest::parse(&der).unwrap_err().status(), ErrorStatus::Unauthorized);
}

#[test]
fn only_the_issuer_and_its_delegates_are_believed() {
    let scene = p256();
    let [id, _] = ids(scene);
    let good = [answer(id, CertStatus::Good)];
    let verify = |der: &[u8], now| {
        OcspResponse::parse(der).and_then(|r| r.verify(&scene.ca.certificate, now).map(|_| ()))
    };
    // the issuer itself
    let own = Responder::issuer(crypto::Signer::public_key(&scene.ca.key));
    let response = own.prepare(&good, None, NOW).sign(&scene.ca.key).unwrap();
    assert_eq!(verify(&response, NOW), Ok(()));
    // a delegate, while its certificate is valid
    let delegated = Responder::delegated(&scene.delegate).unwrap();
    let response = delegated.prepare(&good, None, NOW).sign(&scene.signer).unwrap();
    assert_eq!(verify(&response, NOW), Ok(()));
    let late = scene.delegate.not_after().plus(1);
    assert!(matches!(verify(&response, late), Err(OcspError::Responder(_))));
    // another issuer's delegate
    let stranger = self::scene(KeyAlgorithm::EcdsaP256);
    let responder = Responder::delegated(&stranger.delegate).unwrap();
    let response = responder.prepare(&good, None, NOW).sign(&stranger.signer).unwrap();
    assert!(matches!(verify(&response, NOW), Err(OcspError::Responder(_))));
    // a certificate of the issuer's that is for something else
    assert!(matches!(Responder::delegated(&scene.leaf), Err(OcspError::Responder(_))));
    // a key that is not in any certificate
    let nobody = world::key(KeyAlgorithm::EcdsaP256);
    let responder = Responder::issuer(crypto::Signer::public_key(&nobody));
    let response = responder.prepare(&good, None, NOW).sign(&nobody).unwrap();
    assert!(matches!(verify(&response, NOW), Err(OcspError::Responder(_))));
    // the delegate's certificate, signed with another key
    assert!(delegated.prepare(&good, None, NOW).sign(&nobody).is_err());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let scene = p256();
    let responder = Responder::delegated(&scene.delegate).unwrap();
    let good = answer(ids(scene)[0], HELD);
    let response = responder.prepare(&[good], Some(&[1]), NOW).sign(&scene.signer).unwrap();
    for at in 0..response.len() {
        for bit in [0x01, 0x80] {
            let mut altered = response.clone();
            altered[at] ^= bit;
            let verdict = OcspResponse::parse(&altered)
                .and_then(|r| r.verify(&scene.ca.certificate, NOW).map(|_| ()));
            assert!(verdict.is_err(), "byte {at} is not protected");
        }
    }
}

#[test]
fn stale_answers_are_not_current() {
    let one = answer(ids(p256())[0], CertStatus::Good);
    assert!(one.is_current(NOW) && one.is_current(NOW.plus(3600)));
    assert!(!one.is_current(NOW.plus(3601)) && !one.is_current(NOW.plus(-1)));
    assert!(!Answer { next_update: None, ..one }.is_current(NOW));
}

proptest! {
    #[test]
    fn no_input_panics(bytes: Vec<u8>) {
        let _ = OcspResponse::parse(&bytes);
    }

    #[test]
    fn no_damage_panics(at: prop::sample::Index, value: u8) {
        static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
        let good = GOOD.get_or_init(|| {
            let responder = Responder::delegated(&p256().delegate).unwrap();
            let answers = [answer(ids(p256())[0], HELD)];
            responder.prepare(&answers, Some(&[1; 32]), NOW).sign(&p256().signer).unwrap()
        });
        let mut der = good.clone();
        let at = at.index(der.len());
        der[at] = value;
        let _ = OcspResponse::parse(&der);
    }
}
