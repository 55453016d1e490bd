//! Use cases: the key of an organisation that its devices encrypt messages for (GW-4), its certificate, and the
//! end of former ones. docs/cose.md.

use crate::{
    Service, ServiceError,
    issue::Order,
    live::found,
    store::{
        Tx,
        certificate::{Status, certificate_by_fingerprint},
        key as keys, message_key as store,
    },
};
use admission::EncryptedMessage;
use crypto::{Sha256, UnixTime};
use device::OrganisationId;
use pki::{Certificate, Profile, Subject};
use policy::{Action, Caller, Resource};
use rusqlite::Connection;
use std::sync::Arc;

/// How long such a key is encrypted for, in seconds; at two thirds of that another takes its place by itself.
const VALIDITY_S: i64 = 365 * 86_400;
/// How much longer than the present key's certificate the next one has to last, in seconds: near its end a CA
/// would make ever shorter ones.
const GAIN_S: i64 = 30 * 86_400;
/// How long what is encrypted for a former key is taken at most, in seconds.
pub const MESSAGE_KEY_ACCEPTED_S_MAX: i64 = 366 * 86_400;
/// The same where nobody says, in seconds.
pub const MESSAGE_KEY_ACCEPTED_S: i64 = 30 * 86_400;
/// Former keys that are accepted at once.
const FORMER_MAX: usize = 8;
/// commonName of the certificates.
const COMMON_NAME: &str = "messages";

/// A key that devices of an organisation encrypt for, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageKeyView {
    /// SHA-256 of its SubjectPublicKeyInfo: its name in messages
    pub key: Sha256,
    /// its certificate, then the CA's
    pub chain: Vec<Certificate>,
    /// when and by whom it was made
    pub made: (UnixTime, String),
    /// why
    pub reason: String,
    /// of a former one: until when what is encrypted for it is taken
    pub accepted_until: Option<UnixTime>,
    /// when it was destroyed
    pub destroyed_at: Option<UnixTime>,
}

/// Another key for an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessageKey {
    /// why
    pub reason: String,
    /// for how many seconds what is encrypted for former ones is still taken, at most; 0: they are destroyed
    /// at once
    pub accept_former_s: i64,
}

impl Service {
    /// Keys that devices of an organisation encrypt for, the newest first, with former ones.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn message_keys(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<MessageKeyView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadOrganisation, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let rows = self.read(|connection| store::of(connection, row.id))?;
        rows.into_iter().map(|row| self.message_key_view(row)).collect()
    }

    /// Makes the key that an organisation's devices encrypt for from now on; one before it is accepted for a
    /// time, and then destroyed.
    ///
    /// # Errors
    /// `not-found`, `role`; `reason`, `accept-former`, `no-ca`, `message-keys`; as issuance.
    pub async fn replace_message_key(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        new: &NewMessageKey,
    ) -> Result<MessageKeyView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageMessageKey, &resource)?;
        let reason = why(&new.reason)?;
        if !(0..=MESSAGE_KEY_ACCEPTED_S_MAX).contains(&new.accept_former_s) {
            return Err(ServiceError::malformed(
                "accept-former",
                "former keys are accepted for 0 to 31,622,400 seconds (366 days)",
            )
            .in_japanese("以前の鍵を受け付ける期間は0〜31,622,400秒（366日）で指定してください"));
        }
        self.next_message_key(caller, organisation, reason, new.accept_former_s).await
    }

    /// Destroys a key of an organisation, whether devices encrypt for it at present or did. Needs no CA.
    ///
    /// # Errors
    /// `not-found`, `role`; `reason`.
    pub async fn destroy_message_key(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        key: &Sha256,
        reason: &str,
    ) -> Result<MessageKeyView, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageMessageKey, &resource)?;
        let reason = why(reason)?;
        let id = self.organisation_row(organisation.as_str())?.id;
        let (service, by, key, now) = (self.clone(), caller.to_string(), *key, self.now());
        let row = self
            .commit(move |tx| {
                let row = found(store::named(tx, id, &key)?, "key")?;
                if row.destroyed_at.is_none() {
                    service.destroy_key_of(tx, &row, (&by, &reason), now)?;
                }
                found(store::named(tx, id, &key)?, "key")
            })
            .await?;
        self.forget_message_keys()?;
        self.message_key_view(row)
    }

    async fn next_message_key(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        reason: String,
        accept_former_s: i64,
    ) -> Result<MessageKeyView, ServiceError> {
        let row = self.organisation_row(organisation.as_str())?;
        let ca = self.ca_index()?.by_slug(organisation.as_str()).cloned().ok_or_else(|| {
            ServiceError::refused(
                "no-ca",
                "the organisation has no CA of its own yet, which its devices trust; it requests one",
            )
            .in_japanese("組織にはまだ、機器が信頼する認証局がありません。先に認証局を申請してください")
        })?;
        let now = self.now();
        let not_after = now.plus(VALIDITY_S);
        let (public, key) = self.keys.generate_agreement(now, not_after)?;
        let fingerprint = public.fingerprint();
        let order = Order {
            ca: Arc::clone(&ca),
            profile: Profile::MessageRecipient,
            subject: Subject {
                organisation: organisation.to_string(),
                ..Subject::named(COMMON_NAME)
            },
            public_key: public,
            not_after,
            alternative_names: Vec::new(),
            hardware_module: None,
            mud: None,
            organisation: row.id,
            device: None,
        };
        let event = self
            .event(caller, audit::Kind::KeyLifecycle, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .severity(audit::Severity::Medium)
            .subject(&fingerprint.to_string())
            .detail("purpose", "messages")
            .detail("reason", &reason);
        let (by, service, until) = (caller.to_string(), self.clone(), now.plus(accept_former_s));
        let (id, kept_reason, kept_by) = (row.id, reason.clone(), by.clone());
        let ca_row = ca.id;
        let (certificate, ()) = self
            .issue(
                caller,
                order,
                move |tx| match store::former(tx, Some(id))?.len() < FORMER_MAX {
                    true => Ok(()),
                    // With nothing accepted from now on, they all go.
                    false if accept_former_s == 0 => Ok(()),
                    false => Err(ServiceError::conflict(
                        "message-keys",
                        "8 former keys are still accepted: wait until one is over, or accept none",
                    )
                    .in_japanese(
                        "受け付け中の以前の鍵が8個あります。期限が切れるまで待つか、以前の鍵を受け付けない設定にしてください",
                    )),
                },
                move |tx, certificate, ()| {
                    if let Some(present) = store::present(tx, id)? {
                        store::accept_until(tx, present.id, until)?;
                    }
                    let mut event = event.detail("what", "made");
                    for former in store::former(tx, Some(id))? {
                        let sooner = former.accepted_until.is_some_and(|at| at <= until);
                        let until = if sooner { former.accepted_until } else { Some(until) };
                        let Some(until) = until else { continue };
                        store::accept_until(tx, former.id, until)?;
                        if until <= now {
                            service.destroy_key_of(tx, &former, (&kept_by, &kept_reason), now)?;
                        }
                        event = event.detail("former", &former.fingerprint.to_string());
                    }
                    let row = store::MessageKeyRow {
                        id: 0,
                        organisation: id,
                        key: keys::insert_key(tx, &key)?,
                        fingerprint,
                        ca: ca_row,
                        certificate: certificate.der().to_vec(),
                        made_at: now,
                        made_by: kept_by,
                        reason: kept_reason,
                        accepted_until: None,
                        destroyed_at: None,
                    };
                    store::insert(tx, &row)?;
                    tx.audit(&event.detail("accepted-until", &until.to_string())).map(|_| ())
                },
            )
            .await?;
        self.forget_message_keys()?;
        Ok(MessageKeyView {
            key: fingerprint,
            chain: [vec![certificate], ca.chain()].concat(),
            made: (now, by),
            reason,
            accepted_until: None,
            destroyed_at: None,
        })
    }

    fn destroy_key_of(
        &self,
        tx: &mut Tx<'_>,
        row: &store::MessageKeyRow,
        (by, reason): (&str, &str),
        now: UnixTime,
    ) -> Result<(), ServiceError> {
        store::destroy(tx, row, now)?;
        let organisation = self.organisation_id(row.organisation)?;
        let kind = audit::Kind::KeyLifecycle;
        let event = audit::SecurityEvent::new(now, kind, audit::Outcome::Success)
            .actor(by)
            .organisation(organisation.as_str())
            .severity(audit::Severity::Medium)
            .subject(&row.fingerprint.to_string())
            .detail("purpose", "messages")
            .detail("what", "destroyed")
            .detail("certificate", &crypto::sha256(&row.certificate).to_string())
            .detail("reason", reason);
        tx.audit(&event).map(|_| ())
    }

    /// What is open in memory of keys that are destroyed goes as well, once that is committed. Also by and by: who
    /// was reading meanwhile may have opened one once more.
    fn forget_message_keys(&self) -> Result<(), ServiceError> {
        for key in self.read(store::destroyed)? {
            self.keys.forget(key);
        }
        Ok(())
    }

    /// Destroys keys whose time is over, and replaces those whose certificates will be, where the CA leaves more
    /// time. Done now and then by itself.
    ///
    /// # Errors
    /// Where the store fails; as issuance.
    pub async fn tend_message_keys(&self) -> Result<(), ServiceError> {
        let now = self.now();
        let caller = Caller::Platform { task: "renewal" };
        if !self.read(|connection| over(connection, now))?.is_empty() {
            let (service, by) = (self.clone(), caller.to_string());
            self.commit(move |tx| {
                for row in over(tx, now)? {
                    service.destroy_key_of(tx, &row, (&by, "its time is over"), now)?;
                }
                Ok(())
            })
            .await?;
        }
        self.forget_message_keys()?;
        let mut outcome = Ok(());
        for row in self.read(store::all_present)? {
            let Ok(certificate) = Certificate::from_der(&row.certificate) else { continue };
            let (from, to) = (certificate.not_before(), certificate.not_after());
            let organisation = self.organisation_id(row.organisation)?;
            // Where no CA makes a longer one, this one is the last, and goes with its certificate.
            let more = self.ca_index()?.by_slug(organisation.as_str()).is_some_and(|ca| {
                let end = now.plus(VALIDITY_S).min(ca.issuer.not_after());
                !ca.retired && end >= to.plus(GAIN_S)
            });
            if more && now > from.plus(to.since(from) / 3 * 2) {
                // Who has the former certificate may use it to its end.
                let left = to.since(now).clamp(0, MESSAGE_KEY_ACCEPTED_S_MAX);
                let reason = "two thirds of the former one's time are over".to_owned();
                let made = self.next_message_key(&caller, &organisation, reason, left).await;
                outcome = outcome.and(made.map(|_| ()));
            }
        }
        outcome
    }

    /// The key that a device encrypts for: its owner's present one.
    ///
    /// # Errors
    /// `no-message-key`.
    pub fn message_key_of(
        &self,
        sender: &crate::DoorSender,
    ) -> Result<MessageKeyView, ServiceError> {
        let row = self.read(|connection| {
            let Some(row) = store::present(connection, sender.rows().1)? else { return Ok(None) };
            // One whose certificate is suspended or revoked is for nobody, though it was not destroyed.
            let name = crypto::sha256(&row.certificate);
            let certificate = certificate_by_fingerprint(connection, &name)?;
            let good = certificate.is_some_and(|it| it.status == Status::Good);
            Ok(Some(row).filter(|_| good))
        })?;
        let row = row.ok_or_else(|| {
            ServiceError::conflict(
                "no-message-key",
                "the device's owner has no key to encrypt for whose certificate is good; its administrator \
                 makes one: tegata org message-key",
            )
            .in_japanese(
                "機器の所有者には暗号化用の鍵がまだありません。管理者が tegata org message-key で作成してください",
            )
        })?;
        self.message_key_view(row)
    }

    /// The signed message within an encrypted one, and for which key it was. `None` where it is for no key that
    /// this organisation has at present, or does not open: these are not told apart.
    pub(crate) fn decrypt_message(
        &self,
        organisation: i64,
        message: &EncryptedMessage,
    ) -> Result<Option<(i64, Vec<u8>)>, ServiceError> {
        let (name, now) = (message.recipient(), self.now());
        self.read(|connection| {
            let Some(row) = store::accepted(connection, organisation, &name, now)? else {
                return Ok(None);
            };
            let key = self.keys.agreement(connection, row.key)?;
            Ok(message.open(&key).ok().map(|signed| (row.id, signed)))
        })
    }

    fn message_key_view(&self, row: store::MessageKeyRow) -> Result<MessageKeyView, ServiceError> {
        let damaged = || ServiceError::fatal("store-damaged", "a message key's row is damaged");
        let certificate = Certificate::from_der(&row.certificate).map_err(|_| damaged())?;
        let ca = self.ca_index()?.by_id(row.ca).cloned().ok_or_else(damaged)?;
        Ok(MessageKeyView {
            key: row.fingerprint,
            chain: [vec![certificate], ca.chain()].concat(),
            made: (row.made_at, row.made_by),
            reason: row.reason,
            accepted_until: row.accepted_until,
            destroyed_at: row.destroyed_at,
        })
    }
}

fn why(reason: &str) -> Result<String, ServiceError> {
    crate::fleet::reason(Some(reason))?.ok_or_else(|| {
        ServiceError::malformed("reason", "say why: whoever looks at the keys later asks")
            .in_japanese("理由を書いてください。後で鍵を確認する人が必要とします")
    })
}

/// Former keys that are accepted no more, and present ones whose certificates have ended.
fn over(connection: &Connection, now: UnixTime) -> Result<Vec<store::MessageKeyRow>, ServiceError> {
    let mut over = store::former(connection, None)?;
    over.retain(|row| row.accepted_until.is_some_and(|at| at <= now));
    let mut present = store::all_present(connection)?;
    present.retain(|row| {
        Certificate::from_der(&row.certificate).is_ok_and(|it| it.not_after() <= now)
    });
    over.append(&mut present);
    Ok(over)
}
