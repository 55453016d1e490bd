//! Settings that the owner wants: taken up by a hook, and reported as they run.

use super::{
    line::{Line, Taken},
    say::Saying,
};
use crate::{
    Agent, Failure, clock, fault,
    files::{self, Mode, STATE},
    hooks, log,
    store::Store,
};
use admission::encode_configuration;
use serde::{Deserialize, Serialize};

/// The record of what runs.
const RECORD: &str = "settings";
/// What the hook reads.
const FILE: &str = "settings.json";
/// Seconds before settings that were not taken up are tried again.
const AGAIN_S: u64 = 600;

/// What the device runs with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    kept: Option<Kept>,
    /// a version that was not taken up, and when that was, in seconds since the machine started
    tried: Option<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u64,
    /// a JSON object in one canonical line
    settings: String,
    /// the platform knows
    told: bool,
}

impl Settings {
    pub(crate) fn read(store: &Store) -> Result<Self, Failure> {
        Ok(Self { kept: store.record(RECORD)?, tried: None })
    }

    /// The version that runs.
    pub(crate) fn version(&self) -> Option<u64> {
        self.kept.as_ref().map(|kept| kept.version)
    }

    /// Forgets them: what is wanted is taken up anew.
    pub(crate) fn forget(&mut self, store: &Store) -> Result<(), Failure> {
        *self = Self::default();
        files::remove(&store.path(FILE))?;
        files::remove(&store.path(RECORD))
    }

    fn keep(&mut self, store: &Store, kept: Kept) -> Result<(), Failure> {
        store.keep(RECORD, &kept)?;
        self.kept = Some(kept);
        Ok(())
    }
}

impl Agent {
    /// Takes up what is wanted, where it is news, and says what runs.
    pub(super) fn configure(
        &mut self,
        line: &mut Line<'_>,
        version: u64,
        settings: &str,
    ) -> Result<(), Failure> {
        let known = self.settings.kept.clone();
        let runs =
            known.as_ref().is_some_and(|kept| kept.version == version && kept.settings == settings);
        if !runs {
            // Versions of a device only grow, whoever owns it.
            if let Some(kept) = known.filter(|kept| kept.version >= version) {
                let detail = format!("version {version} is wanted, and {} runs", kept.version);
                log::warning("settings-replayed", &detail);
                return Ok(());
            }
            if !self.take_up(version, settings)? {
                return Ok(());
            }
        }
        self.report_settings(line)
    }

    /// Whether the hook took them up.
    fn take_up(&mut self, version: u64, settings: &str) -> Result<bool, Failure> {
        let Some(hook) = self.config.hooks.configure.clone() else {
            if self.settings.tried.is_none_or(|(tried, _)| tried != version) {
                log::warning(
                    "hook-missing",
                    "settings are wanted, and there is no hooks.configure",
                );
                self.settings.tried = Some((version, clock::uptime_s()));
            }
            return Ok(false);
        };
        let now = clock::uptime_s();
        let soon = |(tried, at): (u64, u64)| tried == version && now.saturating_sub(at) < AGAIN_S;
        if self.settings.tried.is_some_and(soon) {
            return Ok(false);
        }
        let path = self.store.path(FILE);
        files::replace(&path, settings.as_bytes(), Mode::Private, STATE)?;
        fault::point("settings-written");
        let variables =
            [("SETTINGS", path.into_os_string()), ("SETTINGS_VERSION", version.to_string().into())];
        if let Err(failure) = hooks::call(&hook, &variables, self.config.hooks.timeout_s) {
            log::warning(failure.code, &format!("settings {version}: {}", failure.detail));
            self.settings.tried = Some((version, now));
            return Ok(false);
        }
        fault::point("settings-taken-up");
        let kept = Kept { version, settings: settings.to_owned(), told: false };
        self.settings.keep(&self.store, kept)?;
        log::info("settings", &format!("version {version} runs"));
        Ok(true)
    }

    fn report_settings(&mut self, line: &mut Line<'_>) -> Result<(), Failure> {
        let Some(kept) = self.settings.kept.clone().filter(|kept| !kept.told) else {
            return Ok(());
        };
        let said = encode_configuration(kept.version, &kept.settings);
        let saying = Saying {
            topic: "up/configuration",
            media_type: "application/json",
            payload: &said,
            sample: None,
        };
        if let Taken::Never(why) = self.say(line, &saying)? {
            log::warning("platform-unknown", &why);
        }
        fault::point("settings-told");
        self.settings.keep(&self.store, Kept { told: true, ..kept })
    }
}
