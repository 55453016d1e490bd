//! EST over TLS (RFC 7030 as RFC 8951 clarifies it): docs/est.md.
//!
//! Paths are `/.well-known/est/OPERATION` and `/.well-known/est/LABEL/OPERATION`; the label is a
//! product line. `/LABEL/.well-known/est/OPERATION` is understood too, since clients that are given
//! a URL with a path make it so (strongSwan does).

mod problem;

use crate::{
    app::App,
    authenticated::{ThisPeer, by_certificate, check_credential},
    body,
    peer::Peer,
};
use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use crypto::Secret;
use enrolment::est::{
    BasicCredential, ChannelBinding, CsrAttributes, Method, Operation, Route, ServerKey,
    TlsVersion,
    body::{CERTS_ONLY, CSR_ATTRIBUTES, PKCS10, REQUEST_BYTES_MAX, check_type, decode, encode},
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use policy::Caller;
use problem::Refusal;
use service::{EnrolRequest, Enrolled};
use std::sync::Arc;

const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/.well-known/est/{operation}", any(answer))
        .route("/.well-known/est/{label}/{operation}", any(answer))
        .route("/{label}/.well-known/est/{operation}", any(answer))
}

async fn answer(
    State(app): State<App>,
    ThisPeer(peer): ThisPeer,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    let Route { product: label, operation } = Route::parse(request.uri().path())
        .map_err(|error| Refusal::not_found(&error.to_string()))?;
    if operation == Operation::FullCmc {
        return Err(Refusal::not_offered("full CMC is not offered; use simpleenroll"));
    }
    if request.method().as_str() != operation.method().name() {
        return Err(Refusal::method(operation.method() == Method::Get));
    }
    match operation {
        Operation::CaCerts => {
            let certificates = app.service.ca_certificates(label.as_ref()).await?;
            Ok(encoded(CERTS_ONLY, encode(&pki::cms::certs_only(&certificates))))
        }
        Operation::CsrAttrs => {
            // Only for labels that there are.
            app.service.ca_certificates(label.as_ref()).await?;
            let attributes = CsrAttributes {
                channel_binding: exporter(&peer).is_some(),
                ..CsrAttributes::default()
            };
            if attributes == CsrAttributes::default() {
                return Ok(StatusCode::NO_CONTENT.into_response());
            }
            let der = attributes.encode().map_err(|_| Refusal::internal())?;
            Ok(encoded(CSR_ATTRIBUTES, encode(&der)))
        }
        _ => {
            let (head, body) = request.into_parts();
            // Who asks comes first: nobody unknown makes us keep a body.
            let caller = caller(&app, &peer, &head.headers).await?;
            let kind = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            check_type(kind, PKCS10)?;
            let body = body::read(body, REQUEST_BYTES_MAX, app.limits.body_time).await?;
            let request = EnrolRequest { label, csr: decode(&body)? };
            issue(&app, &caller, operation, &request, &binding(&peer)).await
        }
    }
}

async fn issue(
    app: &App,
    caller: &Caller,
    operation: Operation,
    request: &EnrolRequest,
    binding: &ChannelBinding<'_>,
) -> Result<Response, Refusal> {
    match operation {
        Operation::SimpleReenroll => {
            Ok(certificate(&app.service.reenrol_device(caller, request, Some(binding)).await?))
        }
        Operation::ServerKeygen => {
            let (enrolled, private_key) =
                app.service.server_keygen(caller, request, Some(binding)).await?;
            let certs_only = pki::cms::certs_only(&[enrolled.certificate]);
            let (kind, body) = ServerKey { private_key, certs_only }.encode();
            let kind = HeaderValue::from_str(&kind).map_err(|_| Refusal::internal())?;
            // The key's bytes are wiped once they are sent.
            let body = Body::from(Bytes::from_owner(Wiped(body)));
            Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
        }
        _ => Ok(certificate(&app.service.enrol_device(caller, request, Some(binding)).await?)),
    }
}

/// RFC 7030 section 4.2.3: only the issued certificate; the CAs are at cacerts.
fn certificate(enrolled: &Enrolled) -> Response {
    let issued = std::slice::from_ref(&enrolled.certificate);
    encoded(CERTS_ONLY, encode(&pki::cms::certs_only(issued)))
}

fn encoded(kind: &'static str, body: Vec<u8>) -> Response {
    // RFC 8951 section 3.2 makes the second header meaningless; older clients look for it.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (TRANSFER_ENCODING, HeaderValue::from_static("base64")),
    ];
    (headers, body).into_response()
}

/// A one-time code where one is sent, the client certificate otherwise.
async fn caller(app: &App, peer: &Peer, headers: &HeaderMap) -> Result<Arc<Caller>, Refusal> {
    if let Some(certificate) = peer.certificate() {
        check_credential(app, certificate)?;
    }
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        app.failures.peek(peer.source).map_err(Refusal::too_many)?;
        let value = value.to_str().map_err(|_| Refusal::basic("the header is not text"))?;
        let basic =
            BasicCredential::parse(value).map_err(|error| Refusal::basic(error.to_string()))?;
        return match app.service.identify_code(basic.user(), basic.password()).await {
            Ok(caller) => Ok(Arc::new(caller)),
            Err(error) => {
                let _ = app.failures.take(peer.source);
                Err(error.into())
            }
        };
    }
    if peer.certificate().is_none() {
        return Err(Refusal::basic(
            "connect with the chip's or device's certificate, or send a one-time code with HTTP \
             Basic: the device's identifier or management number, and the code",
        ));
    }
    Ok(by_certificate(app, peer).await?)
}

/// What a request may be bound to (RFC 9266). The TLS library shows neither `tls-unique` nor whether
/// TLS 1.2 has the extended master secret, so that TLS 1.3 alone can be bound to.
fn binding(peer: &Peer) -> ChannelBinding<'_> {
    let exporter = exporter(peer);
    let version = if exporter.is_some() { TlsVersion::Tls13 } else { TlsVersion::Tls12 };
    ChannelBinding { version, exporter, unique: None }
}

fn exporter(peer: &Peer) -> Option<&[u8]> {
    peer.session.as_ref()?.exporter.as_ref().map(<[u8; 32]>::as_slice)
}

struct Wiped(Secret);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}
