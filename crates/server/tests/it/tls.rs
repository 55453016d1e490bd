//! Who gets in, with which TLS, and for how long.

use crate::world::{World, key, problem, refused};
use api::{ClientError, Identity, Settings, client::Call, wire::RevocationReason};
use http::StatusCode;
use rustls::ProtocolVersion;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_with_modern_key_exchange() {
    let world = World::new().await;
    let identity = &world.platform.identity;
    let client = world.client(Some(identity));
    let session = client.connect().await.unwrap().session().clone();
    assert_eq!(session.tls, Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.group.as_deref(), Some("X25519MLKEM768"));
    assert!(session.exporter.is_some());

    let settings = Settings { tls12_only: true, ..Settings::default() };
    let client = world.client_with(Some(identity), settings);
    let session = client.connect().await.unwrap().session().clone();
    assert_eq!(session.tls, Some(ProtocolVersion::TLSv1_2));
    assert!(session.suite.unwrap().starts_with("TLS_ECDHE_"));
    assert_eq!(session.exporter, None);
    let answer = client.send(Call::get("/v1/whoami")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);

    let settings = Settings { http2: true, ..Settings::default() };
    let client = world.client_with(Some(identity), settings);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        calls.spawn(async move { client.send(Call::get("/v1/whoami")).await.unwrap().status });
    }
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
}

/// A TLS 1.2 ClientHello that offers `suites` only.
fn hello(suites: &[u16]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(u16::try_from(suites.len() * 2).unwrap().to_be_bytes());
    suites.iter().for_each(|suite| body.extend(suite.to_be_bytes()));
    body.extend([1, 0]);
    // supported_groups: P-256; signature_algorithms: ECDSA and RSA with SHA-256
    let extensions = [
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, 0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04,
        0x03, 0x04, 0x01,
    ];
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    handshake.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_suites_are_refused() {
    let world = World::new().await;
    let answer = |suites: &'static [u16]| {
        let address = world.tls;
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&hello(suites)).await.unwrap();
            let mut record = [0; 7];
            timeout(Duration::from_secs(5), stream.read_exact(&mut record)).await.unwrap().unwrap();
            record
        }
    };
    // A good suite shows that the hello itself is fine: a ServerHello comes back.
    let record = answer(&[0xc02b]).await;
    assert_eq!((record[0], record[5]), (22, 2), "{record:?}");
    for weak in [
        &[0x002f, 0x0035][..], // static RSA, CBC
        &[0xc009, 0xc013],     // ECDHE with CBC and SHA-1
        &[0x009c],             // static RSA with GCM
        &[0x0005, 0x000a],     // RC4, 3DES
        &[0x009e],             // finite-field DHE
    ] {
        let record = answer(weak).await;
        assert_eq!((record[0], record[5], record[6]), (21, 2, 40), "{weak:x?}: handshake_failure");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_get_in() {
    let world = World::new().await;
    // Nobody: every route but the public ones asks for a credential.
    let (status, code) = refused(&world.client(None), Call::get("/v1/whoami")).await;
    assert_eq!((status, code.as_str()), (401, "unauthenticated"));
    let health = world.client(None).send(Call::get("/v1/health")).await.unwrap();
    assert_eq!(health.status, StatusCode::OK);

    // A certificate of another root.
    let other = World::new().await;
    let client = world.client(Some(&other.platform.identity));
    let error = client.send(Call::get("/v1/health")).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. } | ClientError::Http(_)), "{error}");

    // The certificate without its key: the client refuses to, so the handshake is signed wrongly.
    let mut stolen = world.platform.identity.clone();
    stolen.key = Arc::new(key());
    let roots = [world.root.certificate().clone()];
    let base = format!("https://{}", world.tls);
    let error = api::Client::new(&base, &roots, Some(&stolen), Settings::default()).unwrap_err();
    assert!(matches!(error, ClientError::Credential(_)));
    let liar = Identity { chain: stolen.chain, key: Arc::new(Liar(key(), world.platform.clone())) };
    let client = world.client(Some(&liar));
    let error = client.send(Call::get("/v1/health")).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. } | ClientError::Http(_)), "{error}");

    // A client that trusts another root does not talk to us.
    let roots = [other.root.certificate().clone()];
    let client = api::Client::new(&base, &roots, None, Settings::default()).unwrap();
    let error = client.send(Call::get("/v1/health")).await.unwrap_err();
    let ClientError::Tls { cause, .. } = error else { panic!("{error}") };
    assert!(
        cause.contains("no trusted certificate") || cause.contains("does not verify"),
        "{cause}"
    );
}

/// Says that it has another's key, and signs with its own.
struct Liar(crypto::SoftwareKey, crate::world::Member);

impl crypto::Signer for Liar {
    fn public_key(&self) -> &crypto::PublicKey {
        self.1.identity.key.public_key()
    }

    fn sign(
        &self,
        scheme: crypto::SignatureScheme,
        message: &[u8],
    ) -> Result<Vec<u8>, crypto::SignError> {
        crypto::Signer::sign(&self.0, scheme, message)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_ends_on_open_connections() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let client = world.client(Some(&maker.reader.identity));
    let mut connection = client.connect().await.unwrap();
    assert_eq!(connection.send(Call::get("/v1/whoami")).await.unwrap().status, StatusCode::OK);

    let page = api::wire::CertificateQuery::default();
    let all = world.rest(&maker.admin).certificates(&page).await.unwrap();
    let own = maker.reader.certificate();
    let view = all.items.iter().find(|view| view.fingerprint.0 == own.fingerprint()).unwrap();
    world
        .rest(&world.platform)
        .revoke_certificate(&view.authority, own.serial(), RevocationReason::KeyCompromise)
        .await
        .unwrap();
    // Not within a second but from the next request on: no clock decides this test.
    let answer = connection.send(Call::get("/v1/whoami")).await.unwrap();
    assert_eq!(problem(&answer)["code"], "credential-revoked");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // Nor does a new handshake, or a resumed session.
    for _ in 0..2 {
        assert!(client.send(Call::get("/v1/whoami")).await.is_err());
    }

    // A member that was removed is nobody any more.
    let client = world.client(Some(&maker.station.identity));
    let mut connection = client.connect().await.unwrap();
    assert_eq!(connection.send(Call::get("/v1/whoami")).await.unwrap().status, StatusCode::OK);
    let fingerprint = maker.station.certificate().fingerprint();
    world.rest(&maker.admin).remove_member(&maker.id, &fingerprint).await.unwrap();
    let answer = connection.send(Call::get("/v1/whoami")).await.unwrap();
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    problem(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_work_only_with_their_certificate() {
    let world = World::new().await;
    let maker = world.maker("maker", "gate").await;
    let rest = world.rest(&maker.admin);
    let new = api::wire::NewToken {
        roles: vec![api::wire::scalar::RoleName(policy::Role::Auditor)],
        lifetime_s: 600,
    };
    let issued = rest.issue_token(&new).await.unwrap();
    let with_token = world.client(Some(&maker.admin.identity)).with_token(&issued.token);
    let me: api::wire::WhoAmI =
        with_token.call(Call::get("/v1/whoami")).await.unwrap().json().unwrap();
    assert_eq!(me.roles.len(), 1);
    // Fewer rights than the certificate alone has.
    let product = serde_json::json!({
        "id": "new-line", "name": "N", "model": "M", "kind": "device", "root_of_trust": "tpm"
    });
    let create =
        Call::new(http::Method::POST, "/v1/organisations/maker/products").json(&product).unwrap();
    let (status, _) = refused(&with_token, create.clone()).await;
    assert_eq!(status, 403);
    rest.client().call(create).await.unwrap();
    // Another's certificate, no certificate, a changed token.
    let elsewhere = world.client(Some(&maker.reader.identity)).with_token(&issued.token);
    assert_eq!(refused(&elsewhere, Call::get("/v1/whoami")).await.0, 401);
    let bare = world.client(None).with_token(&issued.token);
    assert_eq!(refused(&bare, Call::get("/v1/whoami")).await.0, 401);
    let wrong = world.client(Some(&maker.admin.identity)).with_token("x");
    assert_eq!(refused(&wrong, Call::get("/v1/whoami")).await.0, 401);
    rest.revoke_token(&issued.id.0).await.unwrap();
    assert_eq!(refused(&with_token, Call::get("/v1/whoami")).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_and_lets_requests_end() {
    let mut world = World::new().await;
    let client = world.client(Some(&Identity {
        chain: world.platform.identity.chain.clone(),
        key: world.platform.identity.key.clone(),
    }));
    assert_eq!(client.send(Call::get("/v1/whoami")).await.unwrap().status, StatusCode::OK);
    let running = world.running.take().unwrap();
    // Sooner than the grace that open requests have (10 s).
    timeout(Duration::from_secs(9), running.shutdown()).await.unwrap();
    assert!(client.send(Call::get("/v1/whoami")).await.is_err());
}
