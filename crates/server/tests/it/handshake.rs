//! Peers that sign handshakes in ways that TLS does not allow, although the signature holds.

use crate::world::{World, copy};
use api::{Client, ClientError, Settings, client::Call};
use crypto::{KeyAlgorithm, SignatureScheme as Scheme, SoftwareKey};
use pki::{AlternativeName, Certificate, CsrBuilder, Subject};
use rustls::{
    Error, ProtocolVersion, SignatureAlgorithm, SignatureScheme,
    pki_types::CertificateDer,
    server::ServerConfig,
    sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

/// A key that signs with one scheme, whatever it is asked for.
#[derive(Clone)]
struct Stubborn {
    key: Arc<SoftwareKey>,
    scheme: Scheme,
    tls: SignatureScheme,
}

impl std::fmt::Debug for Stubborn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stubborn({:?})", self.tls)
    }
}

impl SigningKey for Stubborn {
    fn choose_scheme(&self, _offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(self.clone()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

impl Signer for Stubborn {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        crypto::Signer::sign(self.key.as_ref(), self.scheme, message)
            .map_err(|error| Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.tls
    }
}

/// RSA certificate of the platform for `localhost`, its chain and its key.
async fn rsa(world: &World) -> (Vec<Certificate>, SoftwareKey) {
    let key = SoftwareKey::generate(KeyAlgorithm::Rsa(2048)).unwrap();
    let csr = CsrBuilder { subject: Subject::named("rsa"), ..CsrBuilder::default() };
    let names = vec![AlternativeName::Dns("localhost".into())];
    let local = world.service.local_administrator();
    let csr = csr.build(&key).unwrap();
    let chain = world
        .service
        .issue_service_certificate(&local, &crate::world::id("platform"), &csr, names)
        .await
        .unwrap();
    (chain, key)
}

fn certified(chain: &[Certificate], key: Stubborn) -> SingleCertAndKey {
    let chain = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    SingleCertAndKey::from(CertifiedKey::new(chain, Arc::new(key)))
}

/// A server that completes handshakes, as far as its clients let it, and answers nothing.
async fn serve(
    version: &'static rustls::SupportedProtocolVersion,
    resolver: SingleCertAndKey,
) -> SocketAddr {
    let config = ServerConfig::builder_with_provider(api::tls::provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_signs_as_its_version_allows() {
    use rustls::version::{TLS12, TLS13};
    let world = World::new().await;
    let (chain, key) = rsa(&world).await;
    let pkcs1 = (Scheme::RsaPkcs1Sha256, SignatureScheme::RSA_PKCS1_SHA256);
    let pss = (Scheme::RsaPssSha256, SignatureScheme::RSA_PSS_SHA256);
    // Calls the signature by another scheme's name.
    let misnamed = (Scheme::RsaPssSha256, SignatureScheme::RSA_PSS_SHA384);
    for (version, (scheme, tls), accepted) in [
        (&TLS13, pss, true),
        (&TLS13, pkcs1, false),
        (&TLS13, misnamed, false),
        (&TLS12, pss, true),
        (&TLS12, pkcs1, true),
        (&TLS12, misnamed, false),
    ] {
        let key = Stubborn { key: Arc::new(copy(&key)), scheme, tls };
        let address = serve(version, certified(&chain, key)).await;
        let roots = [world.root.certificate().clone()];
        let base = format!("https://localhost:{}", address.port());
        let client = Client::new(&base, &roots, None, Settings::default()).unwrap();
        let connected = client.connect().await;
        match connected {
            Ok(connection) => {
                assert!(accepted, "{version:?} {tls:?} was accepted");
                assert_eq!(connection.session().tls, Some(version.version));
            }
            Err(error) => {
                assert!(!accepted && matches!(error, ClientError::Tls { .. }), "{tls:?}: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_as_its_version_allows() {
    let world = World::new().await;
    let key = SoftwareKey::generate(KeyAlgorithm::Rsa(2048)).unwrap();
    let csr = CsrBuilder { subject: Subject::named("rsa"), ..CsrBuilder::default() };
    let new = service::NewMember {
        organisation: crate::world::id("platform"),
        name: "rsa".into(),
        roles: policy::Role::Administrator.into(),
        csr: csr.build(&key).unwrap(),
    };
    let local = world.service.local_administrator();
    let member = world.service.add_member(&local, new).await.unwrap();
    let chain: Vec<_> = std::iter::once(member.certificate).chain(member.chain).collect();
    for (scheme, tls, accepted) in [
        (Scheme::RsaPssSha256, SignatureScheme::RSA_PSS_SHA256, true),
        (Scheme::RsaPkcs1Sha256, SignatureScheme::RSA_PKCS1_SHA256, false),
    ] {
        let stubborn = Stubborn { key: Arc::new(copy(&key)), scheme, tls };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(world.root.certificate().der().to_vec())).unwrap();
        let config = rustls::ClientConfig::builder_with_provider(api::tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(certified(&chain, stubborn)));
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = tokio::net::TcpStream::connect(world.tls).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        // In TLS 1.3 the client hears of the server's refusal when it reads.
        let call = b"GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut answer = Vec::new();
        let sent = tokio::io::AsyncWriteExt::write_all(&mut stream, call).await;
        let read = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(text.starts_with("HTTP/1.1 200"), accepted, "{tls:?}: {sent:?} {read:?} {text}");
    }
    // The server is as it was.
    let health = world.client(None).send(Call::get("/v1/health")).await.unwrap();
    assert_eq!(health.status, http::StatusCode::OK);
}
