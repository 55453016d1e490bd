use super::{ClientError, Settings};
use crypto::{Signer, UnixTime, tls::signing_key};
use pki::{
    Certificate,
    validate::{Anchors, Options, PathError, ServerName, validate},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{self, CertificateDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::sync::Arc;

/// Certificates that a server may show.
const SHOWN_MAX: usize = 8;

/// What a client shows of itself: its certificate, the CAs above it, and its key.
#[derive(Clone)]
pub struct Identity {
    /// Leaf first, without the root.
    pub chain: Vec<Certificate>,
    /// The leaf's key, wherever it is.
    pub key: Arc<dyn Signer>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let leaf = self.chain.first().map(Certificate::fingerprint);
        write!(f, "Identity({leaf:?})")
    }
}

pub(super) fn client_config(
    roots: &[Certificate],
    identity: Option<&Identity>,
    settings: &Settings,
) -> Result<ClientConfig, ClientError> {
    let versions: &[&rustls::SupportedProtocolVersion] = if settings.tls12_only {
        &[&rustls::version::TLS12]
    } else {
        &[&rustls::version::TLS13, &rustls::version::TLS12]
    };
    let builder = ClientConfig::builder_with_provider(crate::tls::provider())
        .with_protocol_versions(versions)
        .map_err(|error| ClientError::Credential(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier {
            anchors: roots.iter().cloned().collect(),
            schemes: crate::tls::schemes(),
        }));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let leaf = identity
                .chain
                .first()
                .ok_or_else(|| ClientError::Credential("there is no certificate".into()))?;
            if leaf.spki_der() != identity.key.public_key().spki() {
                return Err(ClientError::Credential(
                    "the key is not the certificate's; give the key that it was issued for".into(),
                ));
            }
            let chain = identity
                .chain
                .iter()
                .map(|certificate| CertificateDer::from(certificate.der().to_vec()))
                .collect();
            let certified = CertifiedKey::new(chain, signing_key(identity.key.clone()));
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols =
        vec![if settings.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    Ok(config)
}

/// Checks the server's certificate with the validator that checks everything else.
struct Verifier {
    anchors: Anchors,
    schemes: Vec<SignatureScheme>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &pki_types::ServerName<'_>,
        _ocsp_response: &[u8],
        now: pki_types::UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if intermediates.len() >= SHOWN_MAX {
            return Err(CertificateError::BadEncoding.into());
        }
        let read = |der: &CertificateDer<'_>| {
            Certificate::from_der(der).map_err(|_| Error::from(CertificateError::BadEncoding))
        };
        let leaf = read(end_entity)?;
        let intermediates = intermediates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let name = server_name
            .to_str()
            .parse::<ServerName>()
            .map_err(|_| CertificateError::NotValidForName)?;
        let now = UnixTime(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        validate(&leaf, &intermediates, &self.anchors, &Options::server(now, name))
            .map(|_| ServerCertVerified::assertion())
            .map_err(|error: PathError| {
                // Our own words: they say what to do next.
                CertificateError::Other(OtherError(Arc::new(error))).into()
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crate::tls::verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        crate::tls::verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
