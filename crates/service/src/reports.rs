//! Reports: the audit chain, the accounts of keys, what expires, how much there is.

use crate::{
    CertificateView, Page, Paged, Service, ServiceError,
    keys::{Purpose, Use},
    store::{certificate, device as devices, event, key, log},
};
use audit::{Chain, ChainVerifier, SecurityEvent};
use crypto::{Sha256, UnixTime};
use device::{OrganisationId, Phase};
use pki::{KeyInUse, KeyPolicy, Notice, Profile};
use policy::{Action, Caller, Resource};

/// Rows walked per read when the audit chain is verified.
const STEP: usize = 4096;

/// A security event as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditView {
    /// its number
    pub sequence: u64,
    /// the event
    pub event: SecurityEvent,
    /// the chain's hash after it
    pub hash: Sha256,
}

/// What the verification of the audit chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditCheck {
    /// events that hold
    pub events: u64,
    /// heads in the ledger that the chain was held against
    pub anchors: usize,
    /// the first place where it does not hold
    pub broken: Option<String>,
    /// the same in Japanese
    pub broken_ja: Option<String>,
}

impl AuditCheck {
    /// Where it does not hold; the first place counts.
    fn broke(&mut self, english: String, japanese: String) {
        if self.broken.is_none() {
            (self.broken, self.broken_ja) = (Some(english), Some(japanese));
        }
    }
}

/// A use of a platform key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUseView {
    /// the key
    pub key: Sha256,
    /// what the key is for
    pub purpose: &'static str,
    /// when
    pub at: UnixTime,
    /// what it signed: certificate, crl, passport, …
    pub what: &'static str,
    /// which: serial number, CRL number, device
    pub subject: Vec<u8>,
    /// on whose request
    pub by: String,
}

/// The account of a platform key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAccount {
    /// the key
    pub key: Sha256,
    /// what it is for
    pub purpose: &'static str,
    /// kind of key
    pub algorithm: String,
    /// since when
    pub created_at: UnixTime,
    /// until when
    pub not_after: UnixTime,
    /// since when it signs nothing more
    pub retired_at: Option<UnixTime>,
    /// since when its private half is gone
    pub destroyed_at: Option<UnixTime>,
    /// how often it signed what
    pub uses: Vec<(&'static str, u64)>,
}

/// How much there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistics {
    /// devices per phase; those whose history has not begun are not in a phase
    pub devices: Vec<(Option<Phase>, u64)>,
    /// events
    pub events: u64,
    /// certificates that were handed out
    pub certificates: u64,
    /// certificates that are revoked or suspended
    pub revoked: usize,
}

impl Service {
    /// A page of an organisation's security events; of all where none is named.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn audit(
        &self,
        caller: &Caller,
        organisation: Option<&OrganisationId>,
        kind: Option<audit::Kind>,
        page: &Page,
    ) -> Result<Paged<AuditView>, ServiceError> {
        match organisation {
            Some(organisation) => {
                let resource = Resource::organisation(organisation);
                let _permit = self.authorize(caller, Action::ReadAuditLog, &resource)?;
            }
            None => {
                let resource = Resource::organisation(&self.platform.id);
                let _permit = self.authorize(caller, Action::ReadAuditLog, &resource)?;
            }
        }
        let (after, limit) = page.numbered(self.config.limits.page)?;
        let name = organisation.map(OrganisationId::as_str);
        let kind = kind.map(audit::Kind::name);
        let rows = self.read(|c| log::audit_rows(c, name, kind, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.sequence.to_string()).try_map(|row| {
            let damaged =
                |_| ServiceError::fatal("audit-damaged", "a security event is damaged; verify");
            Ok(AuditView {
                sequence: row.sequence,
                event: SecurityEvent::decode(&row.event).map_err(damaged)?,
                hash: row.hash,
            })
        })
    }

    /// Verifies the whole audit chain, and holds it against the heads in the ledger. It reads all
    /// there is, each time: what was verified before may have been changed since. So one is under
    /// way at a time in the whole installation, and each organisation waits for one at most.
    ///
    /// # Errors
    /// `role`; `audit-check-under-way` where the caller's organisation has asked already; a broken
    /// chain is no error but what the report says.
    pub async fn audit_verify(&self, caller: &Caller) -> Result<AuditCheck, ServiceError> {
        let own = caller.organisation().filter(|_| !caller.is_platform_member()).cloned();
        let whose = own.as_ref().unwrap_or(&self.platform.id);
        let resource = Resource::organisation(whose);
        let _permit = self.authorize(caller, Action::ReadAuditLog, &resource)?;
        let who = self.organisation_row(whose.as_str())?.id;
        let turn = self.audit_checks.turn(who).await?;
        let service = self.clone();
        let check = self.pool.begin(move || {
            // The turn ends with the work, whoever waits for it: to hang up gains no second one.
            let _turn = turn;
            service.verify_chain(own.as_ref())
        });
        check.outcome().await?
    }

    /// One chain holds the events of all: it is verified whole, and `own` is told of its own.
    fn verify_chain(&self, own: Option<&OrganisationId>) -> Result<AuditCheck, ServiceError> {
        let mut anchors = Vec::new();
        let mut check = AuditCheck { events: 0, anchors: 0, broken: None, broken_ja: None };
        let mut from = 0;
        loop {
            let rows = self.read(|c| log::audit_leaves(c, from, STEP))?;
            let Some(last) = rows.last() else { break };
            from = last.leaf.saturating_add(1);
            for row in &rows {
                let (hash, leaf) = self
                    .read(|c| Ok((log::audit_hash(c, row.sequence)?, event::leaf(c, row.leaf)?)))?;
                let head = hash.map(|hash| Chain { sequence: row.sequence, hash });
                let agrees = head
                    .as_ref()
                    .is_some_and(|head| Some(ledger::commit(&row.salt, &head.anchor())) == leaf);
                match head.filter(|_| agrees) {
                    Some(head) => anchors.push(head),
                    None => {
                        check.broke(
                            format!("the ledger holds another head for event {}", row.sequence),
                            format!(
                                "{}番目のイベントまでの連鎖が、公開ログの記録と一致しません",
                                row.sequence
                            ),
                        );
                    }
                }
            }
        }
        check.anchors = anchors.len();
        let mut verifier = ChainVerifier::new(Chain::start(&self.origin), anchors);
        let mut after = 0;
        loop {
            let rows = self.read(|c| log::audit_rows(c, None, None, after, STEP))?;
            let Some(last) = rows.last() else { break };
            after = last.sequence;
            for row in &rows {
                if let Err(broken) = verifier.next(row.sequence, &row.event, &row.hash) {
                    let ja = format!("{}番目のイベントで連鎖が切れています", row.sequence);
                    check.broke(broken.to_string(), ja);
                    return Ok(check);
                }
                let counts = own.is_none_or(|own| {
                    let event = SecurityEvent::decode(&row.event);
                    event.is_ok_and(|event| event.organisation_of() == Some(own.as_str()))
                });
                check.events += u64::from(counts);
            }
        }
        if let Err(broken) = verifier.finish() {
            let ja = "公開ログに記録された位置まで、連鎖が続いていません".to_owned();
            check.broke(broken.to_string(), ja);
        }
        Ok(check)
    }

    /// A page of single uses of platform keys (KM-1).
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn key_uses(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<KeyUseView>, ServiceError> {
        let _permit = self.authorize(caller, Action::ReadPlatformStatus, &Resource::platform())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|c| key::key_uses(c, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
            let damaged = || ServiceError::fatal("store-damaged", "a key's row is missing");
            let key = self.read(|c| key::key(c, row.key))?.ok_or_else(damaged)?;
            Ok(KeyUseView {
                key: key.fingerprint,
                purpose: Purpose::name(key.purpose),
                at: row.at,
                what: Use::name(row.what),
                subject: row.subject,
                by: row.by,
            })
        })
    }

    /// The accounts of all platform keys (KM-1).
    ///
    /// # Errors
    /// `role`, `page`.
    pub async fn key_accounts(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Paged<KeyAccount>, ServiceError> {
        let _permit = self.authorize(caller, Action::ReadPlatformStatus, &Resource::platform())?;
        let (after, limit) = page.rows(self.config.limits.page)?;
        let rows = self.read(|c| key::keys(c, after, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| {
            let totals = self.read(|c| key::key_totals(c, row.id))?;
            Ok(KeyAccount {
                key: row.fingerprint,
                purpose: Purpose::name(row.purpose),
                algorithm: row.algorithm,
                created_at: row.created_at,
                not_after: row.not_after,
                retired_at: row.retired_at,
                destroyed_at: row.destroyed_at,
                uses: totals.into_iter().map(|(what, count)| (Use::name(what), count)).collect(),
            })
        })
    }

    /// What breaks the key policy, or will within `days` (KM-7): the platform's CAs and signers.
    ///
    /// # Errors
    /// `role`.
    pub async fn key_policy_report(
        &self,
        caller: &Caller,
        days: u32,
    ) -> Result<Vec<Notice>, ServiceError> {
        let _permit = self.authorize(caller, Action::ReadPlatformStatus, &Resource::platform())?;
        let index = self.ca_index()?;
        let mut keys = Vec::new();
        for ca in index.all() {
            keys.push(KeyInUse {
                name: ca.slug.clone(),
                profile: Profile::IssuingCa,
                algorithm: ca.issuer.public_key().algorithm(),
                not_before: ca.issuer.not_before(),
                not_after: ca.issuer.not_after(),
            });
        }
        for root in self.anchors()?.iter() {
            if let Ok(key) = root.public_key() {
                keys.push(KeyInUse {
                    name: root.subject().to_string(),
                    profile: Profile::Root,
                    algorithm: key.algorithm(),
                    not_before: root.not_before(),
                    not_after: root.not_after(),
                });
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(KeyPolicy::default().report(&keys, self.now(), days))
    }

    /// Certificates that end within a time, soonest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn expiry_report(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        within_s: i64,
        page: &Page,
    ) -> Result<Paged<CertificateView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ReadCertificate, &resource)?;
        let row = self.organisation_row(organisation.as_str())?;
        let bad = || ServiceError::malformed("page", "not a place of this list; begin again");
        let now = self.now();
        let place = match &page.after {
            None => (now, 0),
            Some(text) => {
                let (time, id) = text.split_once('.').ok_or_else(bad)?;
                let time = time.parse().map_err(|_| bad())?;
                (UnixTime(time), id.parse().map_err(|_| bad())?)
            }
        };
        let most = self.config.limits.page;
        let limit = usize::try_from(page.limit.clamp(1, most)).unwrap_or(1);
        let before = now.plus(within_s);
        let rows =
            self.read(|c| certificate::expiring(c, Some(row.id), place, before, limit + 1))?;
        Paged::cut(rows, limit, |row| format!("{}.{}", row.not_after.0, row.id))
            .try_map(|row| self.certificate_view(&row))
    }

    /// How much there is, on the whole platform.
    ///
    /// # Errors
    /// `role`.
    pub async fn statistics(&self, caller: &Caller) -> Result<Statistics, ServiceError> {
        let _permit = self.authorize(caller, Action::ReadPlatformStatus, &Resource::platform())?;
        let service = self.clone();
        let counted = self.pool.begin(move || {
            service.read(|c| {
                Ok(Statistics {
                    devices: devices::count_by_phase(c)?
                        .into_iter()
                        .map(|(phase, count)| (Phase::from_code(phase.into()), count))
                        .collect(),
                    events: event::event_count(c)?,
                    certificates: certificate::certificate_count(c)?,
                    revoked: service.live.revoked_count(),
                })
            })
        });
        counted.outcome().await?
    }
}
