//! Handing over what is told to a device, and hearing what it says to that.

use super::erased;
use crate::{
    DoorSender, Service, ServiceError, StandingChanges, device_log,
    service::Platform,
    store::{Tx, command as store},
};
use admission::{
    CONFIGURATION_DOWN, CommandId, CommandMessage, CommandProgress, Said, TopicName,
    encode_configuration,
};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use std::sync::Arc;

/// Something that is told to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downlink {
    /// where it goes, absolute
    pub topic: TopicName,
    /// what it says: JSON
    pub payload: Arc<[u8]>,
    /// for how many more seconds it is of use
    pub expires_s: Option<u32>,
    /// the command, by its row: to be put down as sent
    command: Option<i64>,
}

impl Service {
    /// What a device is to hear: commands in the order in which they were given, then its settings.
    /// `again`: also what a door gave it before and it has not answered, for one that has just come
    /// to listen or asks.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn downlinks(
        &self,
        sender: &DoorSender,
        again: bool,
    ) -> Result<Vec<Downlink>, ServiceError> {
        let (mine, now) = (sender.rows(), self.now());
        let most = usize::try_from(super::COMMANDS_OPEN_MAX).unwrap_or_default();
        let (commands, settings) = self.read(|connection| {
            let commands = store::to_hear(connection, mine, again, now, most)?;
            let wanted = store::versions(connection, mine, i64::MAX, 1)?.pop();
            let reported = store::reported(connection, mine)?;
            // Who listens already hears of settings that it has not taken up.
            let news = |it: &store::VersionRow| {
                again || reported.is_none_or(|said| said.version != it.version)
            };
            Ok((commands, wanted.filter(news)))
        })?;
        let topic = |below: &str| {
            TopicName::new(format!("{}/{below}", sender.space().root()))
                .map_err(|_| ServiceError::fatal("store-damaged", "a topic of a command"))
        };
        let mut heard = Vec::with_capacity(commands.len().saturating_add(1));
        for row in commands {
            let message = CommandMessage {
                id: CommandId(row.reference),
                name: &row.name,
                parameters: &row.parameters,
                issued_at: row.issued_at,
                expires_at: row.expires_at,
            };
            let left = row.expires_at.0.saturating_sub(now.0);
            heard.push(Downlink {
                topic: topic(&message.topic())?,
                payload: message.encode().into(),
                expires_s: Some(u32::try_from(left).unwrap_or(u32::MAX)),
                command: (row.state == store::State::Waiting).then_some(row.id),
            });
        }
        if let Some(wanted) = settings {
            heard.push(Downlink {
                topic: topic(CONFIGURATION_DOWN)?,
                payload: encode_configuration(wanted.version, &wanted.settings).into(),
                expires_s: None,
                command: None,
            });
        }
        // A policy may keep a device from hearing even its owner's side.
        heard.retain(|downlink| self.may_hear(sender, &downlink.topic));
        Ok(heard)
    }

    /// Puts down that a door gave these to the device. Nobody waits for it: what is not put down is
    /// given once more.
    pub fn handed_over<'a>(&self, downlinks: impl IntoIterator<Item = &'a Downlink>) {
        let rows: Vec<i64> = downlinks.into_iter().filter_map(|it| it.command).collect();
        if rows.is_empty() {
            return;
        }
        let now = self.now();
        self.store
            .writer
            .queue_quietly(move |tx| rows.iter().try_for_each(|row| store::sent(tx, *row, now)));
    }

    /// Whether changes say that there is something new to tell a sender. From memory.
    pub fn has_downlink(&self, changes: &StandingChanges, sender: &DoorSender) -> bool {
        changes.tells(sender.rows().0)
    }
}

/// Who says something to its owner, and in whose history it may have to stand.
pub(crate) struct Speaker {
    pub(crate) device: String,
    pub(crate) organisation: String,
    pub(crate) platform: Arc<Platform>,
    /// the door through which it says so
    pub(crate) door: u8,
    /// what its maker says that it connects to, where its log tells of connections
    pub(crate) watched: Option<crate::mud::Watched>,
}

/// Puts down what a device said, in the transaction that keeps the message. What it says to a command
/// that it never got, or to one that it has answered, changes nothing.
pub(crate) fn hear(
    tx: &mut Tx<'_>,
    mine: (i64, i64),
    said: &Said,
    speaker: &Speaker,
    now: UnixTime,
) -> Result<(), ServiceError> {
    let Speaker { device, organisation, platform, .. } = speaker;
    let actor = format!("device {device}");
    let event = |outcome, what: &str| {
        SecurityEvent::new(now, Kind::ConfigurationChange, outcome)
            .organisation(organisation)
            .actor(&actor)
            .subject(device)
            .detail("what", what)
    };
    match said {
        Said::Log(segment) => device_log::take(tx, mine, segment, speaker, now),
        Said::Answer { command, progress, detail, proof } => {
            let Some(row) = store::command(tx, mine, &command.0)? else { return Ok(()) };
            let state = match progress {
                CommandProgress::Accepted => store::State::Accepted,
                CommandProgress::Done => store::State::Done,
                CommandProgress::Failed => store::State::Failed,
                CommandProgress::Rejected => store::State::Rejected,
            };
            // A result ends it, whatever was said of it since; that it is accepted says something
            // only before that, and not of one that was taken back.
            let news = match state {
                store::State::Accepted => {
                    matches!(row.state, store::State::Waiting | store::State::Sent)
                }
                _ => !row.state.is_answered(),
            };
            if news {
                store::set_state(tx, row.id, state, detail.as_deref(), now)?;
                let outcome = match progress {
                    CommandProgress::Accepted | CommandProgress::Done => Outcome::Success,
                    CommandProgress::Failed | CommandProgress::Rejected => Outcome::Failure,
                };
                let event = event(outcome, "command-answered")
                    .detail("command", &command.to_string())
                    .detail("name", &row.name)
                    .detail("state", progress.name());
                tx.audit(&event)?;
            }
            // A proof counts also where the device had said so before without one.
            let Some(proof) = proof else { return Ok(()) };
            let event = erased::event((device, organisation), &actor, now);
            erased::take(tx, platform, (mine, &row), proof, &actor, event, now)
        }
        Said::Configuration { version, settings } => {
            let before = store::reported(tx, mine)?;
            let said =
                store::ReportedRow { version: *version, settings: settings.clone(), at: now };
            store::report(tx, mine, &said)?;
            // That it says the same again is no event.
            let same = before.is_some_and(|it| it.version == *version && it.settings == *settings);
            if same {
                return Ok(());
            }
            let event = event(Outcome::Success, "settings-reported");
            tx.audit(&event.detail("version", &version.to_string())).map(|_| ())
        }
    }
}
