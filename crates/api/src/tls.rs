//! TLS as both sides use it: one set of algorithms, certificates and handshake signatures checked by
//! our own code (`pki`, `crypto`), channel bindings.

use crypto::tls::{HandshakeVersion, handshake_scheme, supported};
use pki::Certificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid, crypto::CryptoProvider,
};
use std::sync::Arc;

/// Label and length of the tls-exporter channel binding (RFC 9266 section 2).
const CHANNEL_BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// The algorithms of every TLS session: AES-GCM and ChaCha20-Poly1305; ECDHE in TLS 1.2 and 1.3,
/// and ML-KEM-768 with X25519 before them in TLS 1.3. There are no others to switch on: static RSA,
/// CBC, RC4 and finite-field groups do not exist in this build.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Signature schemes for certificates and handshakes, ours and not rustls's: the same that
/// certificates are validated with.
pub fn schemes() -> Vec<SignatureScheme> {
    supported()
}

/// Checks a handshake signature of TLS 1.2 with the key of the peer's certificate (RFC 5246 section
/// 7.4.8).
///
/// # Errors
/// Where the certificate has no usable key, the signature is wrong, or its scheme is not one that
/// this version allows such a key ([`handshake_scheme`]): TLS leaves that to whoever verifies.
pub fn verify_tls12(
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify(HandshakeVersion::Tls12, message, certificate, signed)
}

/// As [`verify_tls12`], of TLS 1.3 (RFC 8446 section 4.4.3).
///
/// # Errors
/// As there.
pub fn verify_tls13(
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    verify(HandshakeVersion::Tls13, message, certificate, signed)
}

/// The tls-exporter channel binding of a session whose exporter is `export`: `false` where it has
/// none.
pub fn channel_binding(export: impl FnOnce(&mut [u8; 32], &[u8]) -> bool) -> Option<[u8; 32]> {
    let mut binding = [0; 32];
    export(&mut binding, CHANNEL_BINDING_LABEL).then_some(binding)
}

fn verify(
    version: HandshakeVersion,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let certificate =
        Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let key = certificate.public_key().map_err(|_| CertificateError::BadEncoding)?;
    let scheme = handshake_scheme(version, key.algorithm(), signed.scheme)
        .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    key.verify(scheme, message, signed.signature()).map_err(|_| CertificateError::BadSignature)?;
    Ok(HandshakeSignatureValid::assertion())
}
