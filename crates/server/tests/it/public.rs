//! What everybody may read, and checks by its signature: OCSP, CRLs, CA certificates, the log.

use crate::world::{Org, Thing, World, now, problem};
use api::{
    Identity,
    client::{Answer, Call, percent_encode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use device::Cause;
use http::{StatusCode, header};
use pki::{
    Certificate,
    crl::Crl,
    ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
};

async fn device(world: &World) -> (Org, Thing, Identity) {
    let maker = world.maker("maker", "gate").await;
    let thing = world.made(&maker, "gate").await;
    let idevid = world.idevid(&maker, "gate", &thing).await;
    (maker, thing, idevid)
}

fn request(certificate: &Certificate, issuer: &Certificate, nonce: Option<Vec<u8>>) -> Vec<u8> {
    let ids = vec![CertId::of(certificate, issuer).unwrap()];
    OcspRequest { ids, nonce }.to_der()
}

fn status(answer: &Answer, certificate: &Certificate, issuer: &Certificate) -> CertStatus {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.media_type().as_deref(), Some("application/ocsp-response"));
    let response = OcspResponse::parse(&answer.body).unwrap();
    response.verify(issuer, now()).unwrap();
    response.answer_about(certificate, issuer).unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn ocsp_by_get_and_post() {
    let world = World::new().await;
    let (maker, thing, idevid) = device(&world).await;
    let (leaf, issuer) = (&idevid.chain[0], &idevid.chain[1]);
    let der = request(leaf, issuer, None);
    let path = format!("/ocsp/{}", percent_encode(&BASE64_STANDARD.encode(&der)));
    for client in [world.plain(), world.client(None)] {
        let call = Call::post("/ocsp", "application/ocsp-request", der.clone());
        let posted = client.send(call).await.unwrap();
        assert_eq!(status(&posted, leaf, issuer), CertStatus::Good);
        assert_eq!(posted.headers[header::CACHE_CONTROL], "no-store");
        let got = client.send(Call::get(path.clone())).await.unwrap();
        assert_eq!(status(&got, leaf, issuer), CertStatus::Good);
        let keep = got.headers[header::CACHE_CONTROL].to_str().unwrap();
        assert!(keep.starts_with("max-age=") && keep.contains("public"), "{keep}");
        let etag = got.headers[header::ETAG].clone();
        let again = Call::get(path.clone()).header(header::IF_NONE_MATCH, etag);
        let again = client.send(again).await.unwrap();
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
        assert!(again.body.is_empty());
    }
    // With a nonce nobody may keep the answer.
    let der = request(leaf, issuer, Some(vec![7; 32]));
    let call = Call::post("/ocsp", "application/ocsp-request", der);
    let answer = world.plain().send(call).await.unwrap();
    assert_eq!(status(&answer, leaf, issuer), CertStatus::Good);
    assert_eq!(OcspResponse::parse(&answer.body).unwrap().nonce(), Some(&[7; 32][..]));

    let revoked = world.rest(&maker.admin).revoke_device(&thing.id, Cause::KeyCompromise).await;
    revoked.unwrap();
    // At once: the answer that was kept is not given again.
    let got = world.plain().send(Call::get(path)).await.unwrap();
    assert!(matches!(status(&got, leaf, issuer), CertStatus::Revoked { .. }));

    // A CRL says the same.
    let answer = world.plain().send(Call::get("/crl/maker.gate.crl")).await.unwrap();
    assert_eq!(answer.media_type().as_deref(), Some("application/pkix-crl"));
    let crl = Crl::parse(&answer.body).unwrap();
    assert!(crl.entries().iter().any(|entry| entry.serial == *leaf.serial()));
    let answer = world.plain().send(Call::get("/ca/maker.gate.der")).await.unwrap();
    assert_eq!(Certificate::from_der(&answer.body).unwrap(), *issuer);
    for path in ["/crl/maker.gate", "/crl/nowhere.crl", "/ca/nowhere.der", "/ca/..%2f..%2fx.der"] {
        let answer = world.plain().send(Call::get(path)).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        problem(&answer);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_ocsp_requests_get_ocsp_errors() {
    let world = World::new().await;
    let malformed = [0x30, 0x03, 0x0a, 0x01, 0x01];
    let post = |body: Vec<u8>| Call::post("/ocsp", "application/ocsp-request", body);
    for call in [
        post(vec![]),
        post(vec![0x30]),
        post(vec![0x30, 0x80, 0, 0]),
        post(vec![0xff; 100]),
        Call::get("/ocsp/%zz"),
        Call::get("/ocsp/!!!!"),
        Call::get("/ocsp/MAA="),
    ] {
        let shown = format!("{call:?}");
        let answer = world.plain().send(call).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{shown}");
        assert_eq!(&answer.body[..], malformed, "{shown}");
    }
    let call = Call::post("/ocsp", "text/plain", vec![0x30]);
    let answer = world.plain().send(call).await.unwrap();
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_and_checkpoint() {
    let world = World::new().await;
    device(&world).await;
    let size = world.service.integrate_now().await.unwrap();
    let trust = world.rest(&world.platform).trust().await.unwrap();
    let key: ledger::LogKey = trust.log_key.parse().unwrap();
    let plain = world.plain();
    let note = plain.send(Call::get("/log/checkpoint")).await.unwrap();
    let checkpoint =
        ledger::SignedCheckpoint::parse(&note.body).unwrap().verify(&key, &[], 0).unwrap();
    assert!(checkpoint.size >= size && size > 0);
    let path = format!("/log/tile/0/000.p/{}", checkpoint.size);
    let tile = plain.send(Call::get(path)).await.unwrap();
    assert_eq!(tile.status, StatusCode::OK);
    assert_eq!(u64::try_from(tile.body.len()).unwrap(), checkpoint.size * 32);
    let path = format!("/log/tile/entries/000.p/{}", checkpoint.size);
    let entries = plain.send(Call::get(path)).await.unwrap();
    assert_eq!(entries.status, StatusCode::OK);
    for path in [
        "/log/tile/0/999",
        "/log/tile/99/000",
        "/log/tile/../../store.db",
        "/log/tile/%2e%2e/%2e%2e/store.db",
        "/log/tile/0/000/",
        "/log/tile/x",
    ] {
        let answer = plain.send(Call::get(path)).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        problem(&answer);
    }
    // The door for public data has nothing else.
    for path in ["/v1/trust", "/v1/whoami", "/v1/devices", "/v1/openapi.json"] {
        let answer = plain.send(Call::get(path)).await.unwrap();
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let health = plain.send(Call::get("/v1/health")).await.unwrap();
    let health: api::wire::Health = health.json().unwrap();
    assert!(health.ok && health.writer);
}
