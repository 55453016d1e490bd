//! What an owner tells a device, and what the device says to that (GW-8): commands and
//! configuration. docs/command.md.
//!
//! A command goes to `me/down/commands/{id}`, the device answers on `me/up/commands/{id}`. What is
//! wanted of its settings goes to `me/down/configuration`, and it says what it runs with on
//! `me/up/configuration`. Pure: texts and bytes in, values out.

use crate::{
    ERASURE_PROOF_BYTES_MAX, Encoding, FormatRule,
    device_log::{DEVICE_LOG_UP, DeviceLogError, LogSegment},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt, str::FromStr};

/// Longest name of a command, in bytes.
pub const COMMAND_NAME_MAX: usize = 64;
/// Most bytes of a command's parameters, as JSON.
pub const PARAMETERS_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of settings, as JSON.
pub const SETTINGS_BYTES_MAX: usize = 32 * 1024;
/// Longest detail of an answer, in characters.
pub const ANSWER_DETAIL_MAX: usize = 1000;
/// Most levels of nesting in parameters and settings.
pub const COMMAND_DEPTH_MAX: u8 = 16;

/// Where commands go, below the device's space.
pub const COMMANDS_DOWN: &str = "down/commands/";
/// Where answers to commands come in, below the device's space.
const COMMANDS_UP: &str = "up/commands/";
/// Where wanted settings go, below the device's space.
pub const CONFIGURATION_DOWN: &str = "down/configuration";
/// Where the device says what it runs with, below its space.
const CONFIGURATION_UP: &str = "up/configuration";

/// Why a command, settings or an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// a name is not one
    #[error(
        "a command's name has 1 to {COMMAND_NAME_MAX} of a-z, 0-9 and -, and begins with a letter"
    )]
    Name,
    /// an id is not one
    #[error("a command's id has 32 hexadecimal digits")]
    Id,
    /// not an object of JSON, too long or too deep
    #[error(
        "it must be a JSON object of at most {0} bytes, {COMMAND_DEPTH_MAX} levels deep, with each \
         name once"
    )]
    Object(usize),
    /// an answer that says nothing known
    #[error(
        "an answer is {{\"state\": \"accepted\", \"done\", \"failed\" or \"rejected\", \"detail\": up \
         to {ANSWER_DETAIL_MAX} characters, \"proof\": base64}}"
    )]
    Answer,
    /// a report of settings that is none
    #[error("a report is {{\"version\": number, \"settings\": object}}")]
    Report,
    /// a piece of the device's log that is none
    #[error(transparent)]
    Log(#[from] DeviceLogError),
}

/// A command's id: random, so that nobody guesses another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub [u8; 16]);

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for CommandId {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(CommandError::Id);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| CommandError::Id)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// What a device is to do. Names that mean the same everywhere are constants here; a device may know
/// others, and rejects what it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandName(String);

impl CommandName {
    /// starts the device again
    pub const RESTART: &'static str = "restart";
    /// runs the self-tests
    pub const SELF_TEST: &'static str = "self-test";
    /// forgets settings and data; the device keeps its identity
    pub const FACTORY_RESET: &'static str = "factory-reset";
    /// erases every key of the device, its identity's too: it is nobody after that
    pub const ERASE_KEYS: &'static str = "erase-keys";

    /// Reads one.
    ///
    /// # Errors
    /// [`CommandError::Name`].
    pub fn new(name: &str) -> Result<Self, CommandError> {
        let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let right = begins && name.len() <= COMMAND_NAME_MAX && name.bytes().all(known);
        right.then(|| Self(name.to_owned())).ok_or(CommandError::Name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what it does cannot be undone from afar.
    pub fn is_final(&self) -> bool {
        matches!(self.0.as_str(), Self::FACTORY_RESET | Self::ERASE_KEYS)
    }
}

/// An object of JSON in one canonical line: names sorted, no spaces.
///
/// # Errors
/// [`CommandError::Object`] where it is none, has a name twice, or is longer than `bytes_max`.
pub fn canonical_object(text: &[u8], bytes_max: usize) -> Result<String, CommandError> {
    let wrong = || CommandError::Object(bytes_max);
    let rule = FormatRule {
        encoding: Encoding::Json,
        bytes_max: u32::try_from(bytes_max).unwrap_or(u32::MAX),
        depth_max: COMMAND_DEPTH_MAX,
    };
    rule.check(text).map_err(|_| wrong())?;
    let mut value: Value = serde_json::from_slice(text).map_err(|_| wrong())?;
    if !value.is_object() {
        return Err(wrong());
    }
    value.sort_all_objects();
    let line = value.to_string();
    (line.len() <= bytes_max).then_some(line).ok_or_else(wrong)
}

/// A command as the device hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandMessage<'a> {
    /// which
    pub id: CommandId,
    /// what to do
    pub name: &'a str,
    /// with what, as [`canonical_object`] gave it
    pub parameters: &'a str,
    /// when it was given
    pub issued_at: UnixTime,
    /// after which it must not be begun
    pub expires_at: UnixTime,
}

impl CommandMessage<'_> {
    /// Where it goes, below the device's space.
    pub fn topic(&self) -> String {
        format!("{COMMANDS_DOWN}{}", self.id)
    }

    /// The payload: JSON.
    pub fn encode(&self) -> Vec<u8> {
        let parameters: Value = serde_json::from_str(self.parameters).unwrap_or_default();
        let whole = serde_json::json!({
            "id": self.id.to_string(),
            "name": self.name,
            "parameters": parameters,
            "issued": self.issued_at.0,
            "expires": self.expires_at.0,
        });
        whole.to_string().into_bytes()
    }
}

/// Wanted settings as the device hears them: JSON.
pub fn encode_configuration(version: u64, settings: &str) -> Vec<u8> {
    let settings: Value = serde_json::from_str(settings).unwrap_or_default();
    serde_json::json!({ "version": version, "settings": settings }).to_string().into_bytes()
}

/// How far a device is with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandProgress {
    /// it will do it, or has begun
    Accepted,
    /// it has done it
    Done,
    /// it tried
    Failed,
    /// it will not: it does not know it, or must not
    Rejected,
}

impl CommandProgress {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }
}

/// What a message of a device says to its owner's side: about what it was told, and its log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// an answer to a command
    Answer {
        /// to which
        command: CommandId,
        /// how far it is
        progress: CommandProgress,
        /// more, in the device's words; control characters are gone
        detail: Option<String>,
        /// what proves it, as it came: nobody has looked at it
        proof: Option<Vec<u8>>,
    },
    /// what it runs with
    Configuration {
        /// the version that it took up
        version: u64,
        /// in one canonical line
        settings: String,
    },
    /// a piece of its log
    Log(LogSegment),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerForm {
    state: CommandProgress,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    proof: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportForm {
    version: u64,
    settings: Value,
}

impl Said {
    /// Reads a message whose topic is `below` the device's space; `None` where the topic is about
    /// something else.
    ///
    /// # Errors
    /// [`CommandError`] where the topic is about this and the payload is not.
    pub fn read(below: &str, payload: &[u8]) -> Result<Option<Self>, CommandError> {
        if below == CONFIGURATION_UP {
            return Self::report(payload).map(Some);
        }
        if below == DEVICE_LOG_UP {
            return Ok(Some(Self::Log(LogSegment::decode(payload)?)));
        }
        match below.strip_prefix(COMMANDS_UP) {
            Some(id) => Self::answer(id.parse()?, payload).map(Some),
            None => Ok(None),
        }
    }

    fn answer(command: CommandId, payload: &[u8]) -> Result<Self, CommandError> {
        let rule = FormatRule { encoding: Encoding::Json, bytes_max: 16 * 1024, depth_max: 1 };
        rule.check(payload).map_err(|_| CommandError::Answer)?;
        let form: AnswerForm = serde_json::from_slice(payload).map_err(|_| CommandError::Answer)?;
        let detail = form.detail.map(|text| text.replace(char::is_control, " "));
        if detail.as_ref().is_some_and(|text| text.chars().count() > ANSWER_DETAIL_MAX) {
            return Err(CommandError::Answer);
        }
        let proof = form.proof.map(|text| STANDARD.decode(text)).transpose();
        let proof = proof.map_err(|_| CommandError::Answer)?;
        if proof.as_ref().is_some_and(|proof| proof.len() > ERASURE_PROOF_BYTES_MAX) {
            return Err(CommandError::Answer);
        }
        Ok(Self::Answer { command, progress: form.state, detail, proof })
    }

    fn report(payload: &[u8]) -> Result<Self, CommandError> {
        let rule = FormatRule {
            encoding: Encoding::Json,
            bytes_max: u32::try_from(SETTINGS_BYTES_MAX).unwrap_or(u32::MAX).saturating_add(64),
            depth_max: COMMAND_DEPTH_MAX.saturating_add(1),
        };
        rule.check(payload).map_err(|_| CommandError::Report)?;
        let form: ReportForm = serde_json::from_slice(payload).map_err(|_| CommandError::Report)?;
        // As the store can count.
        if i64::try_from(form.version).is_err() {
            return Err(CommandError::Report);
        }
        let settings = canonical_object(form.settings.to_string().as_bytes(), SETTINGS_BYTES_MAX)?;
        Ok(Self::Configuration { version: form.version, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn topic() -> String {
        format!("up/commands/{ID}")
    }

    #[test]
    fn an_answer_is_read_and_anything_else_on_its_topic_is_refused() {
        let said = Said::read(&topic(), br#"{"state":"done","detail":"12\n34"}"#).unwrap();
        let Some(Said::Answer { command, progress, detail, proof: None }) = said else {
            panic!("no answer")
        };
        assert_eq!(command.to_string(), ID);
        assert_eq!((progress, detail.as_deref()), (CommandProgress::Done, Some("12 34")));
        let long = format!(r#"{{"state":"done","detail":"{}"}}"#, "x".repeat(1001));
        for wrong in [
            "",
            "{}",
            "done",
            "null",
            r#"{"state":"Done"}"#,
            r#"{"state":"done","state":"failed"}"#,
            r#"{"state":"done","more":1}"#,
            r#"{"state":"done","proof":"*"}"#,
            r#"{"state":"done"} x"#,
            &long,
        ] {
            assert_eq!(
                Said::read(&topic(), wrong.as_bytes()),
                Err(CommandError::Answer),
                "{wrong}"
            );
        }
        for topic in ["up/commands/", "up/commands/1", &format!("{}/x", topic())] {
            assert_eq!(Said::read(topic, br#"{"state":"done"}"#), Err(CommandError::Id), "{topic}");
        }
        assert_eq!(Said::read("up/temperature", b"21.5"), Ok(None));
        assert_eq!(Said::read("up/configurations", b"21.5"), Ok(None));
    }

    #[test]
    fn a_report_of_settings_has_a_version_and_an_object() {
        let said = Said::read("up/configuration", br#"{"version":3,"settings":{"b":1, "a":[2]}}"#);
        let settings = r#"{"a":[2],"b":1}"#.to_owned();
        assert_eq!(said, Ok(Some(Said::Configuration { version: 3, settings })));
        for wrong in [
            r#"{"version":-1,"settings":{}}"#,
            r#"{"version":18446744073709551615,"settings":{}}"#,
            r#"{"settings":{}}"#,
            r#"{"version":1}"#,
            "[]",
        ] {
            let read = Said::read("up/configuration", wrong.as_bytes());
            assert_eq!(read, Err(CommandError::Report), "{wrong}");
        }
        for wrong in [r#"{"version":1,"settings":[]}"#, r#"{"version":1,"settings":null}"#] {
            let read = Said::read("up/configuration", wrong.as_bytes());
            assert_eq!(read, Err(CommandError::Object(SETTINGS_BYTES_MAX)), "{wrong}");
        }
    }

    #[test]
    fn names_of_commands() {
        for right in ["restart", "a", "set-2", "erase-keys"] {
            assert_eq!(CommandName::new(right).unwrap().as_str(), right);
        }
        for wrong in ["", "-a", "2a", "Restart", "a b", "a/b", &"a".repeat(65)] {
            assert_eq!(CommandName::new(wrong), Err(CommandError::Name), "{wrong}");
        }
        assert!(CommandName::new("erase-keys").unwrap().is_final());
        assert!(!CommandName::new("restart").unwrap().is_final());
    }

    #[test]
    fn a_command_is_heard_as_it_was_given() {
        let parameters = canonical_object(br#"{ "delay_s": 5 }"#, PARAMETERS_BYTES_MAX).unwrap();
        let command = CommandMessage {
            id: ID.parse().unwrap(),
            name: "restart",
            parameters: &parameters,
            issued_at: UnixTime(10),
            expires_at: UnixTime(20),
        };
        assert_eq!(command.topic(), format!("down/commands/{ID}"));
        let heard: Value = serde_json::from_slice(&command.encode()).unwrap();
        let wanted = serde_json::json!({
            "id": ID, "name": "restart", "parameters": {"delay_s": 5}, "issued": 10, "expires": 20
        });
        assert_eq!(heard, wanted);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_what_it_reads_reads_again(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            text in r#"\{"(version|state|settings|detail)":[ -~]{0,40}\}"#,
        ) {
            for payload in [&payload[..], text.as_bytes()] {
                for below in [topic().as_str(), "up/configuration"] {
                    if let Ok(Some(Said::Configuration { version, settings })) =
                        Said::read(below, payload)
                    {
                        let again = encode_configuration(version, &settings);
                        let read = Said::read(below, &again);
                        prop_assert_eq!(read, Ok(Some(Said::Configuration { version, settings })));
                    }
                }
            }
        }

        #[test]
        fn ids_come_back(bytes in any::<[u8; 16]>()) {
            prop_assert_eq!(CommandId(bytes).to_string().parse(), Ok(CommandId(bytes)));
        }

        #[test]
        fn what_is_canonical_stays_so(pairs in proptest::collection::btree_map("[a-c]{1,2}", any::<i32>(), 0..6)) {
            let text = serde_json::to_string_pretty(&pairs).unwrap();
            let once = canonical_object(text.as_bytes(), 1000).unwrap();
            prop_assert_eq!(canonical_object(once.as_bytes(), 1000), Ok(once));
        }
    }
}
