//! Where alerts go: web hooks, and mail over TLS.

use super::read::{AlertView, view};
use crate::{
    Service, ServiceError,
    live::found,
    routes::{signing_key, signing_key_text},
    store::{
        alert as alerts,
        alert_receiver::{self as store, NoticeRow, ReceiverRow},
    },
    streams::{address, check_name, read_roots},
};
use audit::Severity;
use crypto::{Secret, UnixTime};
use device::{Language, OrganisationId};
use pki::Certificate;
use policy::{Action, Caller, Resource};

/// Most receivers of an organisation, and of all.
pub const ALERT_RECEIVERS_MAX: (usize, usize) = (8, 1000);
/// Most addresses that a mail goes to.
pub const MAIL_TO_MAX: usize = 8;
/// Attempts before a receiver is not told any more, until somebody asks for it.
const ATTEMPTS_MAX: u32 = 50;
/// Longest text that says why something failed, in characters.
const WHY_CHARS_MAX: usize = 300;
/// Longest user and password of a mail server, in bytes.
const LOGIN_BYTES_MAX: usize = 512;

/// Where alerts go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertTarget {
    /// a web hook: `https://HOST[:PORT]/PATH`
    Https {
        /// name or address, which the receiver's certificate must be for
        host: String,
        /// port
        port: u16,
        /// path and query
        path: String,
    },
    /// a mail server, by a connection that is made secure before anything is said
    /// (`smtp://HOST[:587]`, STARTTLS, RFC 3207) or is from its beginning (`smtps://HOST[:465]`,
    /// RFC 8314)
    Mail {
        /// name or address, which the server's certificate must be for
        host: String,
        /// port
        port: u16,
        /// whether it is secure from its beginning
        implicit: bool,
    },
}

impl AlertTarget {
    /// Reads one of the three forms.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, host, port, path) = address(text)?;
        let mail = |implicit, usual| {
            let port = port.unwrap_or(usual);
            (path == "/").then(|| Self::Mail { host: host.clone(), port, implicit })
        };
        match scheme {
            "smtp" => mail(false, 587),
            "smtps" => mail(true, 465),
            "https" => Some(Self::Https { host, port: port.unwrap_or(443), path }),
            _ => None,
        }
    }
}

/// A receiver as somebody wants it.
#[derive(Debug)]
pub struct NewAlertReceiver {
    /// where alerts go, as [`AlertTarget::parse`] reads it
    pub target: String,
    /// who mail is from
    pub mail_from: Option<String>,
    /// who mail goes to
    pub mail_to: Vec<String>,
    /// in which language
    pub language: Language,
    /// alerts at least so grave
    pub severity: Severity,
    /// CAs of the receiver, in PEM; those of the machine where there are none
    pub roots: Option<String>,
    /// key of a web hook, `whsec_…`, or `USER:PASSWORD` of a mail server; what is there stays where none
    /// is given
    pub secret: Option<Secret>,
    /// nothing is sent for now
    pub paused: bool,
}

/// A receiver and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertReceiverView {
    /// its name
    pub name: String,
    /// where alerts go
    pub target: String,
    /// who mail is from
    pub mail_from: Option<String>,
    /// who mail goes to
    pub mail_to: Vec<String>,
    /// in which language
    pub language: Language,
    /// alerts at least so grave
    pub severity: Severity,
    /// CAs of the receiver, in PEM
    pub roots: Option<String>,
    /// nothing is sent for now
    pub paused: bool,
    /// when it was changed
    pub changed_at: UnixTime,
    /// by whom
    pub changed_by: String,
    /// what waits
    pub waiting: u64,
    /// what it did not take
    pub dead: u64,
    /// what it took
    pub delivered: u64,
    /// what went for want of room
    pub dropped: u64,
    /// when it took something last
    pub delivered_at: Option<UnixTime>,
    /// since when it takes nothing
    pub failing_since: Option<UnixTime>,
    /// why
    pub failure: Option<String>,
}

/// A receiver that was put.
#[derive(Debug)]
pub struct PutAlertReceiver {
    /// as it is now
    pub view: AlertReceiverView,
    /// the key of a web hook that was made for it; it is not shown again
    pub secret: Option<Secret>,
}

/// A receiver for whoever delivers.
#[derive(Debug)]
pub struct OpenedAlertReceiver {
    /// identifies it
    pub id: i64,
    /// where alerts go
    pub target: AlertTarget,
    /// who mail is from
    pub mail_from: String,
    /// who mail goes to
    pub mail_to: Vec<String>,
    /// in which language
    pub language: Language,
    /// CAs of the receiver
    pub roots: Vec<Certificate>,
    /// key of a web hook, or `USER:PASSWORD`
    pub secret: Option<Secret>,
}

/// Something to tell a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertNotice {
    /// its number; the same whenever it is sent again
    pub id: i64,
    /// what happened: `raised`, `quarantined`, `closed`, …
    pub what: String,
    /// when
    pub at: UnixTime,
    /// how often it was tried
    pub attempts: u32,
    /// the alert as it is now
    pub alert: AlertView,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertTold {
    /// it was taken
    Taken,
    /// it is never taken
    Never(String),
    /// not now; after so many seconds again
    Later(String, u32),
}

fn label(organisation: &OrganisationId, name: &str) -> String {
    format!("tegata/alert-receiver/{organisation}/{name}")
}

fn receiver_view(row: ReceiverRow) -> Result<AlertReceiverView, ServiceError> {
    let damaged = || ServiceError::fatal("store-damaged", "a receiver's row is damaged");
    Ok(AlertReceiverView {
        name: row.name,
        target: row.target,
        mail_from: row.mail_from,
        mail_to: serde_json::from_str(&row.mail_to).map_err(|_| damaged())?,
        language: if row.japanese { Language::Ja } else { Language::En },
        severity: Severity::from_number(row.severity).ok_or_else(damaged)?,
        roots: row.roots,
        paused: row.paused,
        changed_at: row.changed_at,
        changed_by: row.changed_by,
        waiting: row.waiting,
        dead: row.dead,
        delivered: row.delivered,
        dropped: row.dropped,
        delivered_at: row.delivered_at,
        failing_since: row.failing_since,
        failure: row.failure,
    })
}

impl Service {
    /// Where an organisation's alerts go.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn alert_receivers(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
    ) -> Result<Vec<AlertReceiverView>, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        let rows = self.read(|connection| store::receivers(connection, owner))?;
        rows.into_iter().map(receiver_view).collect()
    }

    /// Makes a receiver, or changes it. What waits is told by the new settings.
    ///
    /// # Errors
    /// `role`, `not-found`; `stream-name`, `alert-target`, `alert-mail`, `route-secret`,
    /// `alert-login`, `stream-roots`, `too-many-receivers`.
    pub async fn put_alert_receiver(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
        new: NewAlertReceiver,
    ) -> Result<PutAlertReceiver, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        check_name(name)?;
        let target = AlertTarget::parse(new.target.trim()).ok_or_else(|| {
            ServiceError::malformed(
                "alert-target",
                "alerts go to https://HOST/PATH, smtp://HOST (STARTTLS) or smtps://HOST",
            )
            .in_japanese(
                "送信先は https://ホスト/パス、smtp://ホスト（STARTTLS）、smtps://ホスト のいずれかです",
            )
        })?;
        let roots = new.roots.filter(|text| !text.trim().is_empty());
        roots.as_deref().map(read_roots).transpose()?;
        let known = self.read(|connection| store::receiver(connection, owner, name))?;
        let label = label(organisation, name);
        let is_mail = matches!(target, AlertTarget::Mail { .. });
        // A secret of the one kind is none of the other. A key for signatures is never sent; a login
        // goes to the server that it was given for, and to no other.
        let before =
            known.as_ref().filter(|row| match (AlertTarget::parse(&row.target), &target) {
                (Some(AlertTarget::Https { .. }), AlertTarget::Https { .. }) => true,
                (Some(before @ AlertTarget::Mail { .. }), now) => {
                    before == *now && row.roots == roots
                }
                _ => false,
            });
        let had = known.as_ref().is_some_and(|row| {
            row.secret.is_some()
                && matches!(AlertTarget::parse(&row.target), Some(AlertTarget::Mail { .. }))
        });
        let before = before.and_then(|row| row.secret.clone());
        let (mut made, mut mail_from) = (None, None);
        let secret = if is_mail {
            check_mail(new.mail_from.as_deref(), &new.mail_to)?;
            mail_from = new.mail_from;
            match new.secret {
                Some(login) => Some(self.keys.seal_secret(&label, check_login(&login)?)?),
                None if before.is_none() && had => {
                    return Err(ServiceError::malformed(
                        "alert-login",
                        "give the login for this mail server: what the receiver has is not sent to another \
                         server, nor to one under other CAs",
                    )
                    .in_japanese(
                        "このメールサーバーのログイン情報を入力してください。登録済みのものが、別のサーバーや\
                         別のCAの相手に送られることはありません",
                    ));
                }
                None => before,
            }
        } else {
            match (new.secret, before) {
                (Some(text), _) => Some(self.keys.seal_secret(&label, &signing_key(&text)?)?),
                (None, Some(sealed)) => Some(sealed),
                (None, None) => {
                    let key = crypto::random::secret::<32>();
                    made = Some(signing_key_text(&key));
                    Some(self.keys.seal_secret(&label, &key)?)
                }
            }
        };
        let mail_to = if is_mail { new.mail_to } else { Vec::new() };
        let row = ReceiverRow {
            id: 0,
            organisation: owner,
            name: name.to_owned(),
            target: new.target.trim().to_owned(),
            mail_from,
            mail_to: serde_json::to_string(&mail_to).unwrap_or_else(|_| "[]".to_owned()),
            japanese: new.language == Language::Ja,
            severity: new.severity.number(),
            roots,
            secret,
            paused: new.paused,
            revision: 0,
            changed_at: self.now(),
            changed_by: caller.to_string(),
            delivered: 0,
            dropped: 0,
            delivered_at: None,
            failing_since: None,
            failure: None,
            waiting: 0,
            dead: 0,
        };
        let change = if known.is_some() { "changed" } else { "made" };
        let event = self
            .receiver_event(caller, organisation, (name, change))
            .detail("target", crate::routes::told_of(&row.target));
        self.commit(move |tx| {
            if store::receiver(tx, row.organisation, &row.name)?.is_none() {
                let (of_all, of_one) = store::count(tx, row.organisation)?;
                if of_one >= ALERT_RECEIVERS_MAX.0 || of_all >= ALERT_RECEIVERS_MAX.1 {
                    return Err(ServiceError::refused(
                        "too-many-receivers",
                        "alerts of an organisation go to 8 receivers at most; end one first",
                    )
                    .in_japanese("警報の送信先は組織ごとに8までです。先に1つ終了してください"));
                }
            }
            store::put(tx, &row)?;
            tx.audit(&event).map(|_| ())
        })
        .await?;
        let row = self.read(|connection| store::receiver(connection, owner, name))?;
        Ok(PutAlertReceiver { view: receiver_view(found(row, "receiver")?)?, secret: made })
    }

    /// Ends a receiver; what waits for it goes with it.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn end_alert_receiver(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<(), ServiceError> {
        let row = self.receiver_for(caller, organisation, name)?;
        let event = self.receiver_event(caller, organisation, (name, "ended"));
        self.commit(move |tx| {
            store::delete(tx, row.id)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Has what a receiver did not take wait again. How much that is.
    ///
    /// # Errors
    /// `role`, `not-found`.
    pub async fn retry_alert_receiver(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<u64, ServiceError> {
        let row = self.receiver_for(caller, organisation, name)?;
        let event = self.receiver_event(caller, organisation, (name, "retried"));
        self.commit(move |tx| {
            let count = store::retry(tx, row.id)?;
            tx.audit(&event)?;
            Ok(count)
        })
        .await
    }

    fn receiver_for(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        name: &str,
    ) -> Result<ReceiverRow, ServiceError> {
        let resource = Resource::organisation(organisation);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &resource)?;
        let owner = self.organisation_row(organisation.as_str())?.id;
        found(self.read(|connection| store::receiver(connection, owner, name))?, "receiver")
    }

    fn receiver_event(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        (name, change): (&str, &str),
    ) -> audit::SecurityEvent {
        self.event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .detail("what", "alert-receiver")
            .detail("receiver", name)
            .detail("change", change)
    }

    /// Every receiver that is not paused, for whoever delivers: its id and the revision of its settings.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn live_alert_receivers(&self, caller: &Caller) -> Result<Vec<(i64, u64)>, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &platform)?;
        self.read(store::live)
    }

    /// A receiver with its secrets, for whoever delivers.
    ///
    /// # Errors
    /// `not-found` where it has ended.
    pub fn open_alert_receiver(
        &self,
        caller: &Caller,
        id: i64,
    ) -> Result<OpenedAlertReceiver, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &platform)?;
        let row = self.read(|connection| store::receiver_of_id(connection, id))?;
        let row = found(row, "receiver")?;
        let damaged = || ServiceError::fatal("store-damaged", "a receiver's row is damaged");
        let organisation = self.organisation_id(row.organisation)?;
        let label = label(&organisation, &row.name);
        Ok(OpenedAlertReceiver {
            id,
            target: AlertTarget::parse(&row.target).ok_or_else(damaged)?,
            mail_from: row.mail_from.unwrap_or_default(),
            mail_to: serde_json::from_str(&row.mail_to).map_err(|_| damaged())?,
            language: if row.japanese { Language::Ja } else { Language::En },
            roots: row.roots.as_deref().map(read_roots).transpose()?.unwrap_or_default(),
            secret: row.secret.map(|sealed| self.keys.open_secret(&label, &sealed)).transpose()?,
        })
    }

    /// What a receiver is to be told next, for whoever delivers; `None` where nothing is due.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn next_alert_notice(
        &self,
        caller: &Caller,
        receiver: i64,
    ) -> Result<Option<AlertNotice>, ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &platform)?;
        let now = self.now();
        let next = self.read(|connection| {
            let Some(owner) = store::receiver_of_id(connection, receiver)? else { return Ok(None) };
            let Some(notice) = store::next(connection, receiver, now)? else { return Ok(None) };
            let alert = alerts::alert(connection, owner.organisation, notice.alert)?;
            Ok(Some((owner.organisation, notice, alert)))
        })?;
        let Some((owner, notice, alert)) = next else { return Ok(None) };
        let organisation = self.organisation_id(owner)?;
        let NoticeRow { id, what, at, attempts, .. } = notice;
        let alert = view(found(alert, "alert")?, &organisation)?;
        Ok(Some(AlertNotice { id, what, at, attempts, alert }))
    }

    /// Notes what became of it.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub async fn alert_told(
        &self,
        caller: &Caller,
        receiver: i64,
        notice: &AlertNotice,
        told: AlertTold,
    ) -> Result<(), ServiceError> {
        let platform = Resource::organisation(&self.platform.id);
        let _permit = self.authorize(caller, Action::ManageAlertRules, &platform)?;
        let now = self.now();
        let (id, attempts) = (notice.id, notice.attempts);
        let plain = |why: String| -> String {
            why.chars().filter(|c| !c.is_control()).take(WHY_CHARS_MAX).collect()
        };
        self.commit(move |tx| {
            let of = (receiver, id);
            match told {
                AlertTold::Taken => store::taken(tx, receiver, id, now),
                AlertTold::Later(why, pause_s) if attempts.saturating_add(1) < ATTEMPTS_MAX => {
                    let due = now.plus(i64::from(pause_s));
                    store::failed(tx, of, Some(due), &plain(why), now)
                }
                AlertTold::Never(why) | AlertTold::Later(why, _) => {
                    store::failed(tx, of, None, &plain(why), now)
                }
            }
        })
        .await
    }
}

/// `USER:PASSWORD` of a mail server.
fn check_login(login: &Secret) -> Result<&Secret, ServiceError> {
    let bytes = login.expose();
    let good = bytes.len() <= LOGIN_BYTES_MAX
        && bytes.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f)
        && bytes.iter().position(|byte| *byte == b':').is_some_and(|at| at > 0);
    good.then_some(login).ok_or_else(|| {
        ServiceError::malformed("alert-login", "a login of a mail server is USER:PASSWORD")
            .in_japanese("メールサーバーのログインは USER:PASSWORD の形です")
    })
}

fn check_mail(from: Option<&str>, to: &[String]) -> Result<(), ServiceError> {
    let good = from.is_some_and(is_mailbox)
        && (1..=MAIL_TO_MAX).contains(&to.len())
        && to.iter().all(|to| is_mailbox(to));
    good.then_some(()).ok_or_else(|| {
        ServiceError::malformed(
            "alert-mail",
            "mail has a sender and 1 to 8 recipients, each as in name@example.org",
        )
        .in_japanese("メールには差出人と1～8件の宛先（name@example.org の形）が必要です")
    })
}

/// A mailbox as SMTP takes it without quotes (RFC 5321 section 4.1.2): nothing that could begin another
/// command, header or address.
fn is_mailbox(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let dotted = |text: &str| !text.is_empty() && text.split('.').all(|part| !part.is_empty());
    (1..=64).contains(&local.len())
        && domain.len() <= 255
        && dotted(local)
        && dotted(domain)
        && local.bytes().all(atom)
        && domain.bytes().all(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_begin_nothing_else() {
        for good in ["a@b.example", "first.last+tag@sub.example.org", "x@localhost"] {
            assert!(is_mailbox(good), "{good}");
        }
        for wrong in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b\r\nRCPT TO:<x@y>",
            "<a@b>",
            "a@b>",
            "a..b@c",
            ".a@b",
            "a@b..c",
            "あ@b",
            "a@b,c@d",
            "\"a\"@b",
        ] {
            assert!(!is_mailbox(wrong), "{wrong}");
        }
    }

    #[test]
    fn targets_are_read_or_refused() {
        let mail = |port, implicit| {
            Some(AlertTarget::Mail { host: "mail.example".into(), port, implicit })
        };
        assert_eq!(AlertTarget::parse("smtp://mail.example"), mail(587, false));
        assert_eq!(AlertTarget::parse("smtps://mail.example"), mail(465, true));
        assert_eq!(AlertTarget::parse("smtp://mail.example:25"), mail(25, false));
        assert!(AlertTarget::parse("https://hooks.example/x").is_some());
        for wrong in ["", "http://a/", "smtp://a/x", "smtp://u@a", "mailto:a@b", "file"] {
            assert_eq!(AlertTarget::parse(wrong), None, "{wrong}");
        }
    }
}
