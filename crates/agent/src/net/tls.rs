use crate::{Failure, identity::Credential};
use crypto::{
    UnixTime,
    tls::{HandshakeVersion, handshake_scheme, signing_key, supported},
};
use pki::{
    Certificate,
    validate::{Anchors, Options, ServerName, validate},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, PeerIncompatible,
    PeerMisbehaved, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{self, CertificateDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::sync::Arc;

/// Certificates that a server may show.
const SHOWN_MAX: usize = 8;

/// TLS 1.3 and nothing older; the server's certificate must lead to one of `roots` by the rules of
/// the crate `pki`, and `shown` is what the device shows of itself.
///
/// # Errors
/// `credential`.
pub fn client_config(
    roots: &[Certificate],
    shown: Option<&Credential>,
) -> Result<Arc<ClientConfig>, Failure> {
    let bad = |detail: String| Failure::malformed("credential", detail);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier {
            anchors: roots.iter().cloned().collect(),
        }));
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(credential) => {
            let chain = credential.chain.iter();
            let chain = chain.map(|one| CertificateDer::from(one.der().to_vec())).collect();
            let certified = CertifiedKey::new(chain, signing_key(credential.key.clone()));
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A device that speaks every few minutes gains little, and each answer is of this handshake.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

struct Verifier {
    anchors: Anchors,
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
            .map_err(|error| CertificateError::Other(OtherError(Arc::new(error))).into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        supported()
    }
}

/// The proof of a key in a handshake of TLS 1.3 (RFC 8446 section 4.4.3).
pub(crate) fn tls13_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let certificate =
        Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let key = certificate.public_key().map_err(|_| CertificateError::BadEncoding)?;
    let scheme = handshake_scheme(HandshakeVersion::Tls13, key.algorithm(), signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    key.verify(scheme, message, signed.signature()).map_err(|_| CertificateError::BadSignature)?;
    Ok(HandshakeSignatureValid::assertion())
}
