//! Settings that are wanted of a device, and those that it reports.

use super::{alive, because, give::still_ours};
use crate::{
    Page, Paged, Service, ServiceError,
    store::{Effect, command as store},
};
use admission::{SETTINGS_BYTES_MAX, canonical_object};
use audit::{Kind, Outcome};
use crypto::UnixTime;
use device::DeviceId;
use policy::{Action, Caller};

/// Versions of one device's settings that are kept.
const KEPT: u64 = 100;

/// Settings to be wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConfiguration {
    /// a JSON object
    pub settings: String,
    /// why, in the words of who wants them
    pub reason: String,
    /// the version that they are to replace, where that matters; zero: there must be none
    pub replaces: Option<u64>,
}

/// Settings that were wanted at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationVersion {
    /// grows by one with each change
    pub version: u64,
    /// a JSON object in one line
    pub settings: String,
    /// why
    pub reason: String,
    /// who wanted them
    pub set_by: String,
    /// when
    pub set_at: UnixTime,
}

/// What a device runs with, as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedView {
    /// the version that it took up
    pub version: u64,
    /// a JSON object in one line
    pub settings: String,
    /// when it said so
    pub at: UnixTime,
}

/// What is wanted of a device, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigurationView {
    /// what its present owner wants
    pub wanted: Option<ConfigurationVersion>,
    /// what it said to its present owner
    pub reported: Option<ReportedView>,
    /// whether it says that it runs with what is wanted
    pub settled: bool,
}

fn version(row: store::VersionRow) -> ConfigurationVersion {
    ConfigurationVersion {
        version: row.version,
        settings: row.settings,
        reason: row.reason,
        set_by: row.set_by,
        set_at: row.set_at,
    }
}

impl Service {
    /// What is wanted of a device, and what it says.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn configuration(
        &self,
        caller: &Caller,
        device: &DeviceId,
    ) -> Result<ConfigurationView, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let mine = (row.id, row.owner);
        self.read(|connection| {
            let wanted = store::versions(connection, mine, i64::MAX, 1)?.pop().map(version);
            let reported = store::reported(connection, mine)?.map(|row| ReportedView {
                version: row.version,
                settings: row.settings,
                at: row.at,
            });
            let settled = match (&wanted, &reported) {
                (Some(wanted), Some(reported)) => {
                    (wanted.version, &wanted.settings) == (reported.version, &reported.settings)
                }
                (None, _) => true,
                (Some(_), None) => false,
            };
            Ok(ConfigurationView { wanted, reported, settled })
        })
    }

    /// Settings that the present owner wanted so far, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn configuration_versions(
        &self,
        caller: &Caller,
        device: &DeviceId,
        page: &Page,
    ) -> Result<Paged<ConfigurationVersion>, ServiceError> {
        let row = self.device_for(caller, Action::ReadMessages, device)?.row;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::versions(connection, (row.id, row.owner), before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.version.to_string()).try_map(|row| Ok(version(row)))
    }

    /// Wants settings of a device. They are handed over when the device listens or asks.
    ///
    /// # Errors
    /// `not-found`, `role`, `settings`, `reason`, `device-gone`, `configuration-moved` where another
    /// version is wanted than the one that these are to replace.
    pub async fn configure_device(
        &self,
        caller: &Caller,
        device: &DeviceId,
        new: NewConfiguration,
    ) -> Result<ConfigurationVersion, ServiceError> {
        let known = self.device_for(caller, Action::CommandDevice, device)?;
        let settings = canonical_object(new.settings.as_bytes(), SETTINGS_BYTES_MAX);
        let settings = settings.map_err(|error| {
            ServiceError::malformed("settings", error.to_string()).in_japanese(
                "設定は32KiB以内、16階層以内のJSONオブジェクトで、同じ名前は1回だけにしてください",
            )
        })?;
        let reason = because(&new.reason)?;
        alive(&known.row)?;
        let owner = self.organisation_id(known.row.owner)?;
        let event = self
            .event(caller, Kind::ConfigurationChange, Outcome::Success)
            .organisation(owner.as_str())
            .subject(&device.to_string())
            .detail("what", "settings-wanted");
        let (mine, set_by, now) = ((known.row.id, known.row.owner), caller.to_string(), self.now());
        let replaces = new.replaces;
        self.commit(move |tx| {
            still_ours(tx, mine)?;
            let (newest, whose) = store::newest(tx, mine.0)?.unwrap_or_default();
            // What a former owner wanted is nobody's business, its number neither.
            let seen = if whose == mine.1 { newest } else { 0 };
            if replaces.is_some_and(|replaces| replaces != seen) {
                return Err(ServiceError::conflict(
                    "configuration-moved",
                    format!("version {seen} is wanted by now; look at it and decide again"),
                )
                .in_japanese(
                    "設定は既に変更されています。現在の版を確認してから、やり直してください",
                ));
            }
            let wanted = store::VersionRow {
                version: newest.saturating_add(1),
                settings,
                reason,
                set_by,
                set_at: now,
            };
            store::want(tx, mine, &wanted, KEPT)?;
            tx.audit(&event.detail("version", &wanted.version.to_string()))?;
            tx.effect(Effect::Downlink(mine.0));
            Ok(version(wanted))
        })
        .await
    }
}
