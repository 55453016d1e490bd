//! Keys that devices encrypt messages for (docs/cose.md).

use super::{
    extract::{Created, Json, JsonBody, Path},
    messages::refused_here,
    problem::Fault,
};
use crate::{
    app::App,
    authenticated::{Authenticated, ThisPeer},
    limit::body,
};
use api::{
    problem::Code,
    wire::{
        Chain, MessageKey, NewMessageKey, OrganisationReason,
        scalar::{CertificatePem, Digest, OrganisationRef},
    },
};
use axum::extract::State;
use service::{MESSAGE_KEY_ACCEPTED_S, MessageDoor, MessageKeyView, MessageRefused};

/// Keys that devices of an organisation encrypt messages for, the newest first, with former ones
#[utoipa::path(get, path = "/v1/organisations/{organisation}/message-keys", tag = "messages",
    params(("organisation" = OrganisationRef, Path)),
    responses((status = 200, body = Vec<MessageKey>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
) -> Result<Json<Vec<MessageKey>>, Fault> {
    let found = app.service.message_keys(&caller, &organisation.0).await?;
    Ok(Json(found.into_iter().map(shown).collect()))
}

/// Makes the key that an organisation's devices encrypt messages for from now on
///
/// Its certificate is issued by the organisation's CA, which its devices trust. What is encrypted for the former
/// one is taken for the time that is said; then that is destroyed, and its certificate revoked.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/message-keys", tag = "messages",
    params(("organisation" = OrganisationRef, Path)),
    request_body = NewMessageKey, responses((status = 201, body = MessageKey)))]
pub(super) async fn replace(
    State(app): State<App>,
    caller: Authenticated,
    Path(organisation): Path<OrganisationRef>,
    JsonBody(new): JsonBody<NewMessageKey, { body::SMALL }>,
) -> Result<Created<MessageKey>, Fault> {
    let new = service::NewMessageKey {
        reason: new.reason,
        accept_former_s: new.accept_former_s.map_or(MESSAGE_KEY_ACCEPTED_S, i64::from),
    };
    let made = app.service.replace_message_key(&caller, &organisation.0, &new).await?;
    Ok(Created(shown(made)))
}

/// Destroys a key that an organisation's devices encrypt messages for, or did
///
/// At once, and without another in its place: what is encrypted for it nobody reads any more. Its certificate is
/// revoked. No CA is needed for that.
#[utoipa::path(post, path = "/v1/organisations/{organisation}/message-keys/{key}/destruction", tag = "messages",
    params(("organisation" = OrganisationRef, Path), ("key" = Digest, Path)),
    request_body = OrganisationReason, responses((status = 200, body = MessageKey)))]
pub(super) async fn destroy(
    State(app): State<App>,
    caller: Authenticated,
    Path((organisation, key)): Path<(OrganisationRef, Digest)>,
    JsonBody(why): JsonBody<OrganisationReason, { body::SMALL }>,
) -> Result<Json<MessageKey>, Fault> {
    let service = &app.service;
    let gone = service.destroy_message_key(&caller, &organisation.0, &key.0, &why.reason).await?;
    Ok(Json(shown(gone)))
}

/// The certificate of the key that the device that asks encrypts messages for: its owner's
///
/// For devices alone. Whoever brings a device this certificate, the device believes it for its issuer: it leads
/// to a root that the device trusts, its keyUsage is keyAgreement alone, and its organisation is the one of the
/// device's own certificate.
#[utoipa::path(get, path = "/v1/messages/key", tag = "messages",
    responses((status = 200, body = Chain)))]
pub(super) async fn of_device(
    State(app): State<App>,
    caller: Authenticated,
    ThisPeer(peer): ThisPeer,
) -> Result<Json<Chain>, Fault> {
    let certificate = peer.certificate().ok_or_else(|| Fault::new(Code::Unauthenticated))?;
    let sender = app.service.door_sender(&caller, certificate)?;
    let stands = sender.stands().and_then(|()| app.service.pass_request(&sender));
    if let Err(refusal) = stands {
        app.service.refuse_message(&sender, MessageDoor::Http, refusal, "");
        return Err(refused_here(MessageRefused::Refused(refusal)));
    }
    let found = app.service.message_key_of(&sender)?;
    Ok(Json(Chain { chain: found.chain.into_iter().map(CertificatePem).collect() }))
}

fn shown(view: MessageKeyView) -> MessageKey {
    let (made, made_by) = view.made;
    MessageKey {
        key: view.key.into(),
        chain: view.chain.into_iter().map(CertificatePem).collect(),
        made: made.into(),
        made_by,
        reason: view.reason,
        accepted_until: view.accepted_until.map(Into::into),
        destroyed: view.destroyed_at.map(Into::into),
    }
}
