//! Issuance: two commits around one signature (KM-1).
//!
//! 1. Intent: the to-be-signed bytes and the use of the CA's key are committed.
//! 2. The certificate is signed, outside any transaction.
//! 3. Certificate, life event, leaf and security event are committed together; only then is the
//!    certificate handed out.
//!
//! A crash between 1 and 3 leaves an intent; opening abandons it (see `service::recover`).

use crate::{
    Service, ServiceError,
    ca::CaEntry,
    fault,
    keys::Use,
    store::{
        Tx,
        certificate::{self as store, CertificateRow, NewCertificate},
        key,
    },
};
use crypto::{PublicKey, UnixTime, random};
use pki::{
    AlternativeName, Certificate, HardwareModuleName, IssueError, Prepared, Profile, Request,
    Serial, Subject,
};
use policy::Caller;
use std::sync::Arc;

/// How far a certificate's validity begins in the past, in seconds: clocks differ.
const BACKDATE_S: i64 = 300;

/// What is to be issued.
pub(crate) struct Order {
    pub(crate) ca: Arc<CaEntry>,
    pub(crate) profile: Profile,
    pub(crate) subject: Subject,
    pub(crate) public_key: PublicKey,
    /// end of validity; cut where the CA's own ends before
    pub(crate) not_after: UnixTime,
    pub(crate) alternative_names: Vec<AlternativeName>,
    pub(crate) hardware_module: Option<HardwareModuleName>,
    /// row of the organisation that the certificate belongs to
    pub(crate) organisation: i64,
    /// row of the device that it is for
    pub(crate) device: Option<i64>,
}

/// How a completion is kept apart from others in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// It may be refused when it has changed something already.
    Apart,
    /// It makes sure of everything before it changes anything, which is cheaper.
    Checked,
}

impl Service {
    /// Issues a certificate. `check` runs with the intent and may refuse; `done` runs with the
    /// completion, in the same transaction.
    pub(crate) async fn issue<A, T>(
        &self,
        caller: &Caller,
        order: Order,
        check: impl FnOnce(&mut Tx<'_>) -> Result<A, ServiceError> + Send + 'static,
        done: impl FnOnce(&mut Tx<'_>, &Certificate, A) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<(Certificate, T), ServiceError>
    where
        A: Send + 'static,
        T: Send + 'static,
    {
        let event = self.event(caller, audit::Kind::CertificateIssued, audit::Outcome::Success);
        let between = |_: &Certificate, checked| Ok(checked);
        self.issue_with(caller, order, Commit::Apart, event, check, between, done).await
    }

    /// As [`Self::issue`]; `event` is the security event that the certificate is part of, and
    /// `between` runs outside any transaction, when the certificate is signed: for further
    /// signatures.
    #[expect(clippy::too_many_arguments, reason = "three steps and what they need")]
    pub(crate) async fn issue_with<A, B, T>(
        &self,
        caller: &Caller,
        order: Order,
        commit: Commit,
        event: audit::SecurityEvent,
        check: impl FnOnce(&mut Tx<'_>) -> Result<A, ServiceError> + Send + 'static,
        between: impl FnOnce(&Certificate, A) -> Result<B, ServiceError>,
        done: impl FnOnce(&mut Tx<'_>, &Certificate, B) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<(Certificate, T), ServiceError>
    where
        A: Send + 'static,
        B: Send + 'static,
        T: Send + 'static,
    {
        let now = self.now();
        let prepared = self.prepare(&order, now)?;
        let signer = self.signer(order.ca.key)?;
        let by = caller.to_string();
        let (tbs, serial) = (prepared.0.tbs().to_vec(), prepared.1);
        let (not_before, not_after) = prepared.2;
        let (ca, key_row) = (order.ca.id, order.ca.key);
        let subject_key = order.public_key.fingerprint();
        let (profile, organisation, device) =
            (order.profile as u8, order.organisation, order.device);
        let (intent, checked) = self
            .store
            .writer
            .run_checked(move |tx| {
                let checked = check(tx)?;
                let intent = store::insert_intent(
                    tx,
                    &NewCertificate {
                        ca,
                        serial: serial.as_bytes(),
                        profile,
                        organisation,
                        device,
                        subject_key: &subject_key,
                        not_before,
                        not_after,
                        tbs: &tbs,
                    },
                )?;
                key::insert_key_use(
                    tx,
                    key_row,
                    now,
                    Use::Certificate as u8,
                    serial.as_bytes(),
                    &by,
                )?;
                Ok((intent, checked))
            })
            .await?;
        self.faults.point(fault::BEFORE_SIGNATURE)?;
        let signed = prepared
            .0
            .sign(signer.as_ref())
            .map_err(|error| refused(&error))
            .and_then(|certificate| between(&certificate, checked).map(|b| (certificate, b)));
        self.faults.point(fault::AFTER_SIGNATURE)?;
        let event = match event.subject_of() {
            Some(_) => event.detail("serial", &serial.to_string()),
            None => event.subject(&serial.to_string()),
        };
        let event = event.detail("profile", order.profile.name()).detail("ca", &order.ca.slug);
        let outcome = match signed {
            Ok((certificate, checked)) => {
                let handed_out = certificate.clone();
                let encoded = event.encode();
                let complete = move |tx: &mut Tx<'_>| {
                    // First what can be refused; an intent goes away only while opening.
                    let outcome = done(tx, &certificate, checked)?;
                    if !store::complete_intent(tx, intent, &certificate)? {
                        return Err(ServiceError::conflict(
                            "intent-gone",
                            "the request was abandoned meanwhile; repeat it",
                        ));
                    }
                    tx.audit_encoded(&event, &encoded)?;
                    Ok(outcome)
                };
                match commit {
                    Commit::Apart => self.commit(complete).await,
                    Commit::Checked => self.store.writer.run_checked(complete).await,
                }
                .map(|outcome| (handed_out, outcome))
            }
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            // Where the writer is gone as well, recovery does it.
            let _ = self
                .commit(move |tx| match store::certificate(tx, ca, serial.as_bytes())? {
                    Some(intent) if intent.status == store::Status::Intended => {
                        abandon(tx, &intent, now, "refused")
                    }
                    _ => Ok(()),
                })
                .await;
        }
        outcome
    }

    fn prepare(
        &self,
        order: &Order,
        now: UnixTime,
    ) -> Result<(Prepared, Serial, (UnixTime, UnixTime)), ServiceError> {
        // What is needed to answer for what it issued goes on.
        if order.ca.retired && order.profile != Profile::OcspSigner {
            return Err(ServiceError::refused(
                "ca-retired",
                "this CA is retired and certifies nothing more; ask the organisation for another",
            ));
        }
        let issuer = &order.ca.issuer;
        let not_before = now.plus(-BACKDATE_S).max(issuer.not_before());
        let not_after = order.not_after.min(issuer.not_after());
        let serial = serial_at(now);
        let mut request = Request::new(
            serial,
            order.subject.clone(),
            order.public_key.clone(),
            (not_before, not_after),
        );
        request.alternative_names.clone_from(&order.alternative_names);
        request.hardware_module.clone_from(&order.hardware_module);
        let prepared =
            pki::prepare(order.profile, issuer, &request).map_err(|error| refused(&error))?;
        Ok((prepared, serial, (not_before, not_after)))
    }
}

/// Burns an intent: it never becomes a certificate, and its serial number counts as revoked.
pub(crate) fn abandon(
    tx: &mut Tx<'_>,
    intent: &CertificateRow,
    now: UnixTime,
    why: &'static str,
) -> Result<(), ServiceError> {
    if !store::abandon_intent(tx, intent.id)? {
        return Ok(());
    }
    // cessationOfOperation: it never operated.
    store::insert_revocation(tx, intent.ca, &intent.serial, 5, now)?;
    let event =
        audit::SecurityEvent::new(now, audit::Kind::CertificateIssued, audit::Outcome::Failure)
            .subject(&hex::encode(&intent.serial))
            .detail("reason", "abandoned")
            .detail("by", why);
    tx.audit(&event)?;
    Ok(())
}

/// A serial number of 40 bits of time and 86 random bits: unique, not guessable, and neighbours in
/// time are neighbours in the index, so that a million old certificates do not slow new ones down.
fn serial_at(now: UnixTime) -> Serial {
    let mut bytes: [u8; 16] = random::bytes();
    let seconds = now.0.to_be_bytes();
    for (to, from) in bytes.iter_mut().zip(seconds.iter().skip(3)) {
        *to = *from;
    }
    Serial::from_random(bytes)
}

/// Why nothing was issued.
pub(crate) fn refused(error: &IssueError) -> ServiceError {
    match error {
        IssueError::Sign(_) | IssueError::OtherSigner => {
            ServiceError::unavailable("signing-failed", error.to_string())
        }
        _ => ServiceError::refused("certificate-refused", error.to_string()),
    }
}
