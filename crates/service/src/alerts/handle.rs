//! What people do about alerts.

use super::{ALERT_NOTE_CHARS_MAX, AlertDetail, event_of, raise::note};
use crate::{
    DeviceAct, Recorded, Service, ServiceError,
    live::found,
    store::{
        alert::{self as store, AlertRow, State},
        alert_receiver,
    },
};
use alert::About;
use device::{Cause, DeviceId, OrganisationId};
use policy::{Action, Caller};

impl Service {
    /// Says that somebody looks at an alert.
    ///
    /// # Errors
    /// `role`, `not-found`, `alert-closed`, `alert-note`, `alert-full`.
    pub async fn acknowledge_alert(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: u64,
        words: Option<&str>,
    ) -> Result<AlertDetail, ServiceError> {
        let to = ("acknowledged", Some(State::Acknowledged));
        self.handle_alert(caller, (organisation, id), to, words).await
    }

    /// Says that it is over. The same counts from nothing then.
    ///
    /// # Errors
    /// As [`Self::acknowledge_alert`].
    pub async fn close_alert(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: u64,
        words: Option<&str>,
    ) -> Result<AlertDetail, ServiceError> {
        let to = ("closed", Some(State::Closed));
        self.handle_alert(caller, (organisation, id), to, words).await
    }

    /// Puts the device that an alert is about into quarantine: it is suspended for an anomaly, its
    /// certificates do not work, its sessions end. [`Self::release_for_alert`] ends that.
    ///
    /// # Errors
    /// `role`, `not-found`, `alert-no-device`; the state machine's refusals by their codes.
    pub async fn quarantine_for_alert(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: u64,
        words: Option<&str>,
    ) -> Result<Recorded, ServiceError> {
        let act = DeviceAct::Suspend { cause: Cause::Anomaly };
        self.act_for_alert(caller, (organisation, id), (act, "quarantined"), words).await
    }

    /// Releases the device that an alert is about.
    ///
    /// # Errors
    /// As [`Self::quarantine_for_alert`].
    pub async fn release_for_alert(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        id: u64,
        words: Option<&str>,
    ) -> Result<Recorded, ServiceError> {
        let to = (DeviceAct::Release, "released");
        self.act_for_alert(caller, (organisation, id), to, words).await
    }

    async fn act_for_alert(
        &self,
        caller: &Caller,
        (organisation, id): (&OrganisationId, u64),
        (act, what): (DeviceAct, &'static str),
        words: Option<&str>,
    ) -> Result<Recorded, ServiceError> {
        let row = self.alert_for(caller, Action::HandleAlerts, (organisation, id))?;
        let words = checked(words)?;
        let device = device_of(&row)?;
        let why = words.clone().unwrap_or_else(|| format!("alert {id}: {}", row.title));
        let why: String = why.replace('\n', " ").chars().take(crate::REASON_CHARS_MAX).collect();
        let done = self.perform_act_because(caller, &device, &act, Some(&why)).await?;
        // The act is in the device's history whatever happens now; this says why it was done.
        self.write_note(caller, (organisation, &row), (what, None), words).await?;
        Ok(done)
    }

    async fn handle_alert(
        &self,
        caller: &Caller,
        (organisation, id): (&OrganisationId, u64),
        to: (&'static str, Option<State>),
        words: Option<&str>,
    ) -> Result<AlertDetail, ServiceError> {
        let row = self.alert_for(caller, Action::HandleAlerts, (organisation, id))?;
        let words = checked(words)?;
        self.write_note(caller, (organisation, &row), to, words).await?;
        self.alert(caller, organisation, id).await
    }

    async fn write_note(
        &self,
        caller: &Caller,
        (organisation, row): (&OrganisationId, &AlertRow),
        (what, state): (&'static str, Option<State>),
        words: Option<String>,
    ) -> Result<(), ServiceError> {
        let now = self.now();
        let who = caller.to_string();
        let event = event_of(row, organisation.as_str(), what, now).actor(&who);
        let (id, owner) = (row.id, row.organisation);
        self.commit(move |tx| {
            let row = found(store::alert(tx, owner, id)?, "alert")?;
            if let Some(state) = state {
                if row.state == State::Closed {
                    return Err(ServiceError::conflict(
                        "alert-closed",
                        "the alert is closed; a new one is raised if it happens again",
                    )
                    .in_japanese("この警報は終了しています。再び起きれば新しい警報が出ます"));
                }
                store::set_state(tx, id, state, now)?;
            }
            let room = note(tx, id, now, &who, what, words)?;
            if !room && state != Some(State::Closed) {
                return Err(ServiceError::refused(
                    "alert-full",
                    "an alert takes 200 notes at most; close it",
                )
                .in_japanese("1つの警報に記録できるのは200件までです。終了してください"));
            }
            alert_receiver::tell(tx, (owner, id), row.severity, what, now)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }
}

fn device_of(row: &AlertRow) -> Result<DeviceId, ServiceError> {
    match About::parse(&row.about) {
        Some(About::Device(device)) => Ok(device),
        _ => Err(ServiceError::refused(
            "alert-no-device",
            "the alert is not about one device; act on the devices themselves",
        )
        .in_japanese(
            "この警報は1台の機器についてのものではありません。機器の画面で操作してください",
        )),
    }
}

fn checked(words: Option<&str>) -> Result<Option<String>, ServiceError> {
    let Some(words) = words.map(str::trim).filter(|words| !words.is_empty()) else {
        return Ok(None);
    };
    let plain = |c: char| !c.is_control() || c == '\n';
    let most = usize::try_from(ALERT_NOTE_CHARS_MAX).unwrap_or(usize::MAX);
    if words.chars().count() > most || !words.chars().all(plain) {
        return Err(ServiceError::malformed("alert-note", "a note has 1,000 characters at most")
            .in_japanese("メモは1,000文字までです"));
    }
    Ok(Some(words.to_owned()))
}
