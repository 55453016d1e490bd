//! What a device hears, read by the device: the other side of [`crate::CommandMessage`] and of what
//! [`crate::Said`] reads. docs/command.md.

use crate::{
    COMMAND_DEPTH_MAX, COMMANDS_DOWN, CONFIGURATION_DOWN, CommandError, CommandId, CommandName,
    CommandProgress, Encoding, FormatRule, OWN, PARAMETERS_BYTES_MAX, SETTINGS_BYTES_MAX,
    canonical_object,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::UnixTime;
use serde::Deserialize;
use serde_json::Value;

/// Most bytes of what a device is told at once: 32 commands and settings, with room for names.
pub const DOWNLINKS_BYTES_MAX: usize = 512 * 1024;
/// Most things that a device is told at once.
const DOWNLINKS_MAX: usize = 64;

/// Something that a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// to do something once
    Command {
        /// which
        id: CommandId,
        /// what
        name: CommandName,
        /// with what: a JSON object in one canonical line
        parameters: String,
        /// when it was given
        issued_at: UnixTime,
        /// after which it must not be begun
        expires_at: UnixTime,
    },
    /// to run with these settings
    Configuration {
        /// their version
        version: u64,
        /// a JSON object in one canonical line
        settings: String,
    },
}

// Further members are for later versions of the platform: they are not looked at.
#[derive(Deserialize)]
struct CommandForm {
    id: String,
    name: String,
    parameters: Value,
    issued: i64,
    expires: i64,
}

#[derive(Deserialize)]
struct ConfigurationForm {
    version: u64,
    settings: Value,
}

#[derive(Deserialize)]
struct Item {
    topic: String,
    payload: Value,
}

impl Heard {
    /// Reads a message whose topic is `below` the device's space; `None` where the topic is about
    /// something else.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn read(below: &str, payload: &[u8]) -> Result<Option<Self>, CommandError> {
        let bytes_max = SETTINGS_BYTES_MAX.saturating_add(1024);
        let rule = rule(bytes_max, COMMAND_DEPTH_MAX.saturating_add(1));
        if below == CONFIGURATION_DOWN {
            rule.check(payload).map_err(|_| CommandError::Report)?;
            let form: ConfigurationForm =
                serde_json::from_slice(payload).map_err(|_| CommandError::Report)?;
            if i64::try_from(form.version).is_err() {
                return Err(CommandError::Report);
            }
            let settings = form.settings.to_string();
            let settings = canonical_object(settings.as_bytes(), SETTINGS_BYTES_MAX)?;
            return Ok(Some(Self::Configuration { version: form.version, settings }));
        }
        let Some(id) = below.strip_prefix(COMMANDS_DOWN) else { return Ok(None) };
        rule.check(payload).map_err(|_| CommandError::Id)?;
        let form: CommandForm = serde_json::from_slice(payload).map_err(|_| CommandError::Id)?;
        // The topic and what is said must agree on which command it is.
        if form.id != id {
            return Err(CommandError::Id);
        }
        let parameters = form.parameters.to_string();
        Ok(Some(Self::Command {
            id: id.parse()?,
            name: CommandName::new(&form.name)?,
            parameters: canonical_object(parameters.as_bytes(), PARAMETERS_BYTES_MAX)?,
            issued_at: UnixTime(form.issued),
            expires_at: UnixTime(form.expires),
        }))
    }

    /// Reads what `GET /v1/messages` answers. What cannot be read holds up nothing else; what is
    /// about something else is left out.
    ///
    /// # Errors
    /// [`CommandError::Object`] where it is no such list.
    pub fn read_list(bytes: &[u8]) -> Result<Vec<Result<Self, CommandError>>, CommandError> {
        let wrong = || CommandError::Object(DOWNLINKS_BYTES_MAX);
        let rule = rule(DOWNLINKS_BYTES_MAX, COMMAND_DEPTH_MAX.saturating_add(3));
        rule.check(bytes).map_err(|_| wrong())?;
        let items: Vec<Item> = serde_json::from_slice(bytes).map_err(|_| wrong())?;
        if items.len() > DOWNLINKS_MAX {
            return Err(wrong());
        }
        let own = |topic: &str| {
            let below = topic.strip_prefix(OWN).and_then(|rest| rest.strip_prefix('/'));
            below.map(str::to_owned)
        };
        let read = items.into_iter().filter_map(|item| {
            let below = own(&item.topic)?;
            Self::read(&below, item.payload.to_string().as_bytes()).transpose()
        });
        Ok(read.collect())
    }
}

fn rule(bytes_max: usize, depth_max: u8) -> FormatRule {
    let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
    FormatRule { encoding: Encoding::Json, bytes_max, depth_max }
}

/// An answer to a command as the platform reads it: JSON. `proof` goes with *erase-keys* that is done.
pub fn encode_answer(
    progress: CommandProgress,
    detail: Option<&str>,
    proof: Option<&[u8]>,
) -> Vec<u8> {
    let mut whole = serde_json::json!({ "state": progress.name() });
    if let Some(members) = whole.as_object_mut() {
        if let Some(detail) = detail {
            members.insert("detail".to_owned(), detail.into());
        }
        if let Some(proof) = proof {
            members.insert("proof".to_owned(), STANDARD.encode(proof).into());
        }
    }
    whole.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommandMessage, Said, encode_configuration};
    use proptest::prelude::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn what_the_platform_says_is_what_the_device_hears() {
        let command = CommandMessage {
            id: ID.parse().unwrap(),
            name: "restart",
            parameters: r#"{"delay_s":5}"#,
            issued_at: UnixTime(10),
            expires_at: UnixTime(20),
        };
        let heard = Heard::read(&command.topic(), &command.encode()).unwrap().unwrap();
        let wanted = Heard::Command {
            id: command.id,
            name: CommandName::new("restart").unwrap(),
            parameters: r#"{"delay_s":5}"#.into(),
            issued_at: UnixTime(10),
            expires_at: UnixTime(20),
        };
        assert_eq!(heard, wanted);
        let said = encode_configuration(3, r#"{"a":1}"#);
        let heard = Heard::read("down/configuration", &said).unwrap().unwrap();
        assert_eq!(heard, Heard::Configuration { version: 3, settings: r#"{"a":1}"#.into() });
        assert_eq!(Heard::read("down/news", b"x"), Ok(None));
        let other = format!("down/commands/{}", "f".repeat(32));
        assert_eq!(Heard::read(&other, &command.encode()), Err(CommandError::Id));
    }

    #[test]
    fn a_list_is_read_past_what_cannot_be_read() {
        let list = format!(
            r#"[{{"topic":"me/down/commands/{ID}","payload":{{"id":"{ID}","name":"No Name",
            "parameters":{{}},"issued":1,"expires":2}}}},
            {{"topic":"me/down/later","payload":{{}}}},
            {{"topic":"d/other/down/configuration","payload":{{"version":9,"settings":{{}}}}}},
            {{"topic":"me/down/configuration","payload":{{"version":1,"settings":{{}}}}}}]"#
        );
        let read = Heard::read_list(list.as_bytes()).unwrap();
        let settings = Heard::Configuration { version: 1, settings: "{}".into() };
        assert_eq!(read, [Err(CommandError::Name), Ok(settings)]);
        for wrong in ["", "{}", r#"[{"topic":"me/down/x"}]"#, "[1]"] {
            assert!(Heard::read_list(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let many = vec![r#"{"topic":"me/down/later","payload":{}}"#; 65].join(",");
        assert!(Heard::read_list(format!("[{many}]").as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn answers_come_back(detail in "[ -~]{0,80}", proof in proptest::collection::vec(any::<u8>(), 1..200)) {
            let bytes = encode_answer(CommandProgress::Done, Some(&detail), Some(&proof));
            let said = Said::read(&format!("up/commands/{ID}"), &bytes).unwrap();
            let wanted = Said::Answer {
                command: ID.parse().unwrap(),
                progress: CommandProgress::Done,
                detail: Some(detail),
                proof: Some(proof),
            };
            prop_assert_eq!(said, Some(wanted));
        }

        #[test]
        fn any_bytes_are_heard_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[{\"a-z:,0-9}\\]]{0,60}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = Heard::read_list(bytes);
                let _ = Heard::read(&format!("down/commands/{ID}"), bytes);
                let _ = Heard::read("down/configuration", bytes);
            }
        }
    }
}
