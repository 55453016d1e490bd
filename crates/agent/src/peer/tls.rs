//! TLS 1.3 between two devices: each shows its owner's certificate, and each certificate must lead to an
//! authority of the other's trust bundle. Names of hosts prove nothing here and are not looked at.

use super::Judge;
use crate::{Failure, identity::Credential, net::tls13_signature};
use ::peer::{Code, Peer, Refused};
use crypto::{
    UnixTime,
    tls::{signing_key, supported},
};
use pki::Certificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime as TlsTime},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The protocol, as both sides name it (RFC 7301): what is no conversation of devices ends here.
pub(super) const ALPN: &[u8] = b"tegata-peer/1";
/// Certificates that a device may show.
const SHOWN_MAX: usize = 8;

/// What became of the other's certificate in a handshake.
#[derive(Clone, Default)]
pub(super) struct Outcome(Arc<Mutex<Option<Result<Peer, Refused>>>>);

impl Outcome {
    fn put(&self, outcome: Result<Peer, Refused>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }

    /// `None`: no certificate was looked at.
    pub(super) fn take(&self) -> Option<Result<Peer, Refused>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certified(shown: &Credential) -> CertifiedKey {
    let chain = shown.chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    CertifiedKey::new(chain, signing_key(shown.key.clone()))
}

fn bad(error: &Error) -> Failure {
    Failure::malformed("credential", error.to_string())
}

/// For the device that is asked.
///
/// # Errors
/// `credential`.
pub(super) fn server(
    judge: &Arc<Judge>,
    shown: &Credential,
    now: UnixTime,
    outcome: &Outcome,
) -> Result<Arc<ServerConfig>, Failure> {
    let verifier = Verifier { judge: judge.clone(), now, outcome: outcome.clone() };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(&error))?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified(shown))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Every conversation is judged anew, by the bundle of now.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// For the device that asks.
///
/// # Errors
/// `credential`.
pub(super) fn client(
    judge: &Arc<Judge>,
    shown: &Credential,
    now: UnixTime,
    outcome: &Outcome,
) -> Result<Arc<ClientConfig>, Failure> {
    let verifier = Verifier { judge: judge.clone(), now, outcome: outcome.clone() };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| bad(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified(shown))));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

struct Verifier {
    judge: Arc<Judge>,
    now: UnixTime,
    outcome: Outcome,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    fn look(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), Error> {
        let outcome = self.authenticated(end_entity, intermediates);
        let code = outcome.as_ref().err().map(|refused| refused.code);
        self.outcome.put(outcome);
        let Some(code) = code else { return Ok(()) };
        // What the other hears: what the standard has a word for, and no more.
        Err(Error::InvalidCertificate(match code {
            Code::UnknownAuthority => CertificateError::UnknownIssuer,
            Code::CertificateExpired => CertificateError::Expired,
            Code::CertificateRevoked | Code::CertificateSuspended => CertificateError::Revoked,
            _ => CertificateError::ApplicationVerificationFailure,
        }))
    }

    fn authenticated(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<Peer, Refused> {
        let wrong =
            |detail: &str| Refused { code: Code::CertificateWrong, detail: detail.to_owned() };
        if intermediates.len() >= SHOWN_MAX {
            return Err(wrong("more than 8 certificates were shown"));
        }
        let chain = std::iter::once(end_entity).chain(intermediates);
        let read = |der: &CertificateDer<'_>| {
            Certificate::from_der(der).map_err(|error| wrong(&error.to_string()))
        };
        let chain: Vec<Certificate> = chain.map(read).collect::<Result<_, _>>()?;
        self.judge.bundle().authenticate(&chain, self.now)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: TlsTime,
    ) -> Result<ServerCertVerified, Error> {
        self.look(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
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

impl ClientCertVerifier for Verifier {
    /// None: a stranger is not told whom this device trusts.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: TlsTime,
    ) -> Result<ClientCertVerified, Error> {
        self.look(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
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
