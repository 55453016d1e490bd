//! A device proves that it has erased its keys: the proof is verified against its certificate, kept
//! with the command, and its certificates are revoked in the same commit (KM-4, GW-8).

use super::{CommandView, moved, read::view};
use crate::{
    Service, ServiceError,
    certificates::note_in_history,
    service::Platform,
    store::{
        Tx,
        certificate::{self as certificates, CertificateRow, Status},
        command as store, device as devices,
    },
};
use admission::{CommandId, CommandName, CommandProgress, KeysErased, Said};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::{Sha256, UnixTime, sha256};
use device::DeviceId;
use pki::{Certificate, crl::RevocationReason};
use policy::{Action, Caller};
use std::sync::Arc;

/// A proof that was verified when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureView {
    /// SHA-256 of the proof: what the event of the device's disposal names
    pub digest: Sha256,
    /// what it says
    pub says: KeysErased,
    /// as it came: COSE_Sign1
    pub statement: Vec<u8>,
}

impl ErasureView {
    pub(super) fn of(statement: Vec<u8>) -> Option<Self> {
        let says = KeysErased::claimed(&statement).ok()?;
        Some(Self { digest: sha256(&statement), says, statement })
    }
}

/// Whether what a device says proves what it must. Only the end of *erase-keys* has something to
/// prove.
pub(crate) fn holds(tx: &Tx<'_>, mine: (i64, i64), said: &Said) -> Result<bool, ServiceError> {
    let Said::Answer { command, progress, proof: Some(proof), .. } = said else {
        return Ok(true);
    };
    // About a command that it never got it may say what it likes.
    let Some(row) = store::command(tx, mine, &command.0)? else { return Ok(true) };
    let fits = row.name == CommandName::ERASE_KEYS && *progress == CommandProgress::Done;
    Ok(fits && signer_of(tx, mine.0, &row, proof)?.is_some())
}

/// By which certificate a proof is about this command: one that was issued to this device, and was not
/// revoked when the command was given. Whoever has the key of an older one proves nothing with it.
fn signer_of(
    tx: &Tx<'_>,
    device: i64,
    command: &store::CommandRow,
    proof: &[u8],
) -> Result<Option<CertificateRow>, ServiceError> {
    let Ok(claimed) = KeysErased::claimed(proof) else { return Ok(None) };
    let row = certificates::certificate_by_fingerprint(tx, &claimed.certificate)?;
    let own = row.filter(|row| row.device == Some(device) && row.status != Status::Abandoned);
    let Some(row) = own else { return Ok(None) };
    let ended = match row.status {
        Status::Revoked => certificates::revoked_at(tx, &row)?,
        _ => None,
    };
    if ended.is_some_and(|ended| ended < command.issued_at) {
        return Ok(None);
    }
    let certificate = Certificate::from_der(&row.der)
        .map_err(|_| ServiceError::fatal("store-damaged", "a certificate is damaged"))?;
    let verified = certificate.public_key().ok().map(|key| KeysErased::verify(proof, key));
    let about = matches!(verified, Some(Ok(says)) if says.command.0 == command.reference);
    Ok(about.then_some(row))
}

/// Keeps a proof that holds, and revokes what the device cannot use any more: its certificates of
/// this owner, as they were when it signed. Its maker's is the maker's to revoke, and what it enrolled
/// for since has a key that was not erased.
pub(super) fn take(
    tx: &mut Tx<'_>,
    platform: &Arc<Platform>,
    (mine, row): ((i64, i64), &store::CommandRow),
    proof: &[u8],
    actor: &str,
    event: SecurityEvent,
    now: UnixTime,
) -> Result<(), ServiceError> {
    if row.proof.is_some() {
        return Ok(());
    }
    let Some(signer) = signer_of(tx, mine.0, row, proof)? else { return Ok(()) };
    store::set_proof(tx, row.id, proof)?;
    let reason = RevocationReason::CessationOfOperation;
    let mut ended = Vec::new();
    for certificate in certificates::certificates_of(tx, mine.0)? {
        let works = matches!(certificate.status, Status::Good | Status::Suspended);
        if certificate.organisation != mine.1 || !works || certificate.id > signer.id {
            continue;
        }
        certificates::revoke(tx, &certificate, Status::Revoked, reason.code(), now)?;
        note_in_history(tx, platform, &certificate, reason, actor, now)?;
        ended.push(hex::encode(&certificate.serial));
    }
    let event = event
        .detail("command", &CommandId(row.reference).to_string())
        .detail("proof", &sha256(proof).to_string())
        .detail("serials", &ended.join(" "));
    tx.audit(&event).map(|_| ())
}

/// The security event of a proof that was taken.
pub(super) fn event(
    (device, organisation): (&str, &str),
    actor: &str,
    now: UnixTime,
) -> SecurityEvent {
    SecurityEvent::new(now, Kind::CertificateRevoked, Outcome::Success)
        .organisation(organisation)
        .actor(actor)
        .subject(device)
        .detail("what", "keys-erased")
}

impl Service {
    /// Somebody hands in the proof of a device that could not send it any more. Who that is proves
    /// nothing: the signature does.
    ///
    /// # Errors
    /// `not-found`, `role`; `erasure-proof` where it is none, or about something else.
    pub async fn hand_in_erasure(
        &self,
        caller: &Caller,
        device: &DeviceId,
        command: &CommandId,
        proof: Vec<u8>,
    ) -> Result<CommandView, ServiceError> {
        let known = self.device_for(caller, Action::CommandDevice, device)?;
        let owner = self.organisation_id(known.row.owner)?;
        let (mine, id, now) = ((known.row.id, known.row.owner), *command, self.now());
        let (platform, actor) = (Arc::clone(&self.platform), caller.to_string());
        let event = event((&device.to_string(), owner.as_str()), &actor, now);
        let answered = SecurityEvent::new(now, Kind::ConfigurationChange, Outcome::Success)
            .organisation(owner.as_str())
            .actor(&actor)
            .subject(&device.to_string())
            .detail("what", "command-answered")
            .detail("command", &command.to_string())
            .detail("name", CommandName::ERASE_KEYS)
            .detail("state", CommandProgress::Done.name());
        let row = self
            .commit(move |tx| {
                let owns = devices::device_by_row(tx, mine.0)?.is_some_and(|it| it.owner == mine.1);
                if !owns {
                    return Err(moved());
                }
                let row = store::command(tx, mine, &id.0)?
                    .ok_or_else(|| ServiceError::not_found("command"))?;
                let erases = row.name == CommandName::ERASE_KEYS;
                if !erases || signer_of(tx, mine.0, &row, &proof)?.is_none() {
                    return Err(ServiceError::refused(
                        "erasure-proof",
                        "this does not prove that the device erased its keys by this command; \
                         fetch it from the device with: tegata-agent status",
                    )
                    .in_japanese(
                        "このコマンドによる鍵の消去を証明するものではありません。機器で tegata-agent status \
                         を実行し、証明を取得してください",
                    ));
                }
                if !row.state.is_answered() {
                    store::set_state(tx, row.id, store::State::Done, None, now)?;
                    tx.audit(&answered)?;
                }
                take(tx, &platform, (mine, &row), &proof, &actor, event, now)?;
                store::command(tx, mine, &id.0)
            })
            .await?;
        row.map(|row| view(row, now)).ok_or_else(moved)
    }
}
