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
        Guard, Tx,
        certificate::{self as store, Intent},
        key,
    },
};
use crypto::{PublicKey, Signer, UnixTime, random};
use pki::{
    AlternativeName, Certificate, HardwareModuleName, IssueError, MudReference, Prepared, Profile,
    Request, Serial, Subject,
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
    /// what an IDevID says of its product line's usage description
    pub(crate) mud: Option<Arc<MudReference>>,
    /// row of the organisation that the certificate belongs to
    pub(crate) organisation: i64,
    /// row of the device that it is for
    pub(crate) device: Option<i64>,
}

/// A certificate to be issued, and what is done around its signature.
pub(crate) struct Issue<C, S, D> {
    pub(crate) order: Order,
    /// the security event that the certificate is part of
    pub(crate) event: audit::SecurityEvent,
    /// runs with the intent and may refuse, before it changes anything
    pub(crate) check: C,
    /// runs outside any transaction, when the certificate is signed: for further signatures
    pub(crate) between: S,
    /// runs with the completion, in the same transaction
    pub(crate) done: D,
}

/// What is known of a certificate between its two commits.
struct Begun<S, D> {
    /// where its outcome goes
    place: usize,
    prepared: Prepared,
    signer: Arc<dyn Signer>,
    /// row of the signer's key
    key: i64,
    serial: Serial,
    intent: Intent,
    /// the security event, but for what the certificate adds
    event: audit::SecurityEvent,
    between: S,
    done: D,
}

impl Service {
    /// Issues a certificate. `check` runs with the intent and may refuse, before it changes
    /// anything; `done` runs with the completion, in the same transaction.
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
        let issue = Issue { order, event, check, between, done };
        let outcomes = self.issue_all(caller, Guard::Savepoint, vec![Ok(issue)]).await;
        outcomes.into_iter().next().unwrap_or_else(|| Err(ServiceError::stopped()))
    }

    /// Issues certificates together: their intents share one commit, their completions another, and
    /// each is refused by itself. What is refused already stays so. The outcomes are in their order.
    ///
    /// With [`Guard::Checked`] `done` refuses before it changes anything, which is cheaper.
    pub(crate) async fn issue_all<A, B, T, C, S, D>(
        &self,
        caller: &Caller,
        guard: Guard,
        issues: Vec<Result<Issue<C, S, D>, ServiceError>>,
    ) -> Vec<Result<(Certificate, T), ServiceError>>
    where
        A: Send + 'static,
        B: Send + 'static,
        T: Send + 'static,
        C: FnOnce(&mut Tx<'_>) -> Result<A, ServiceError> + Send + 'static,
        S: FnOnce(&Certificate, A) -> Result<B, ServiceError>,
        D: FnOnce(&mut Tx<'_>, &Certificate, B) -> Result<T, ServiceError> + Send + 'static,
    {
        let now = self.now();
        let by: Arc<str> = caller.to_string().into();
        let mut outcomes: Vec<_> = issues.iter().map(|_| None).collect();
        let (mut begun, mut works) = (Vec::new(), Vec::new());
        for (place, issue) in issues.into_iter().enumerate() {
            match issue.and_then(|issue| self.begin_issue(place, issue, now)) {
                Ok((one, check)) => {
                    let (tbs, intent) = (one.prepared.tbs().to_vec(), one.intent.clone());
                    let (key, by) = (one.key, Arc::clone(&by));
                    works.push(move |tx: &mut Tx<'_>| {
                        let checked = check(tx)?;
                        let row = store::insert_intent(tx, &intent, &tbs)?;
                        let (what, subject) = (Use::Certificate as u8, &intent.serial);
                        key::insert_key_use(tx, key, now, what, subject, &by)?;
                        Ok((row, checked))
                    });
                    begun.push(one);
                }
                Err(error) => put(&mut outcomes, place, Err(error)),
            }
        }
        let intents = self.store.writer.run_each(Guard::Checked, works).await;
        let intents = each(intents, begun.len());

        let (mut certificates, mut works, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (one, intent) in begun.into_iter().zip(intents) {
            let Begun {
                place, prepared, signer, serial, intent: what, event, between, done, ..
            } = one;
            let (row, checked) = match intent {
                Ok(intent) => intent,
                Err(error) => {
                    put(&mut outcomes, place, Err(error));
                    continue;
                }
            };
            let signed =
                self.sign(prepared, signer.as_ref(), |certificate| between(certificate, checked));
            let (certificate, checked) = match signed {
                Ok(signed) => signed,
                Err(error) => {
                    put(&mut outcomes, place, Err(error));
                    refused.push(row);
                    continue;
                }
            };
            let event = match event.subject_of() {
                Some(_) => event.detail("serial", &serial.to_string()),
                None => event.subject(&serial.to_string()),
            };
            let encoded = event.encode();
            certificates.push((place, row, certificate.clone()));
            works.push(move |tx: &mut Tx<'_>| {
                // First what can be refused; an intent goes away only while opening.
                let outcome = done(tx, &certificate, checked)?;
                if !store::complete_intent(tx, row, &what, &certificate)? {
                    return Err(ServiceError::conflict(
                        "intent-gone",
                        "the request was abandoned meanwhile; repeat it",
                    ));
                }
                tx.audit_encoded(&event, &encoded)?;
                Ok(outcome)
            });
        }
        let completions = self.store.writer.run_each(guard, works).await;
        let completions = each(completions, certificates.len());
        for ((place, row, certificate), completed) in certificates.into_iter().zip(completions) {
            if completed.is_err() {
                refused.push(row);
            }
            put(&mut outcomes, place, completed.map(|outcome| (certificate, outcome)));
        }
        for row in refused {
            // Where the writer is gone as well, recovery does it.
            let _ = self
                .commit(move |tx| match store::intended(tx, row)? {
                    Some((intent, tbs)) => abandon(tx, row, &intent, &tbs, now, "refused"),
                    None => Ok(()),
                })
                .await;
        }
        let lost = || Err(ServiceError::stopped());
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
    }

    /// What comes before the intent: the to-be-signed bytes are written and linted.
    fn begin_issue<C, S, D>(
        &self,
        place: usize,
        issue: Issue<C, S, D>,
        now: UnixTime,
    ) -> Result<(Begun<S, D>, C), ServiceError> {
        let Issue { order, event, check, between, done } = issue;
        let (prepared, serial, (not_before, not_after)) = self.prepare(&order, now)?;
        let signer = self.signer(order.ca.key)?;
        let event = event.detail("profile", order.profile.name()).detail("ca", &order.ca.slug);
        let intent = Intent {
            ca: order.ca.id,
            serial: serial.as_bytes().into(),
            profile: order.profile as u8,
            organisation: order.organisation,
            device: order.device,
            subject_key: store::short_key(&order.public_key.fingerprint()),
            not_before,
            not_after,
        };
        let key = order.ca.key;
        let begun = Begun { place, prepared, signer, key, serial, intent, event, between, done };
        Ok((begun, check))
    }

    /// The step between the two commits.
    fn sign<B>(
        &self,
        prepared: Prepared,
        signer: &dyn Signer,
        between: impl FnOnce(&Certificate) -> Result<B, ServiceError>,
    ) -> Result<(Certificate, B), ServiceError> {
        self.faults.point(fault::BEFORE_SIGNATURE)?;
        let signed = prepared
            .sign(signer)
            .map_err(|error| refused(&error))
            .and_then(|certificate| between(&certificate).map(|b| (certificate, b)));
        self.faults.point(fault::AFTER_SIGNATURE)?;
        signed
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
        request.mud = order.mud.as_deref().cloned();
        let prepared =
            pki::prepare(order.profile, issuer, &request).map_err(|error| refused(&error))?;
        Ok((prepared, serial, (not_before, not_after)))
    }
}

/// Keeps the outcome of one of many.
fn put<T>(outcomes: &mut [Option<T>], place: usize, outcome: T) {
    if let Some(slot) = outcomes.get_mut(place) {
        *slot = Some(outcome);
    }
}

/// The outcomes of a commit; the same for all where it was lost.
fn each<T>(
    commit: Result<Vec<Result<T, ServiceError>>, ServiceError>,
    count: usize,
) -> Vec<Result<T, ServiceError>> {
    commit.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}

/// Burns an intent: it never becomes a certificate, and its serial number counts as revoked.
pub(crate) fn abandon(
    tx: &mut Tx<'_>,
    row: i64,
    intent: &Intent,
    tbs: &[u8],
    now: UnixTime,
    why: &'static str,
) -> Result<(), ServiceError> {
    if !store::abandon_intent(tx, row, intent, tbs)? {
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
