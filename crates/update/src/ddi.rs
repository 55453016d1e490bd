//! What clients of the hawkBit DDI API v1 send, as hawkBit describes it and its clients write it:
//! docs/ddi.md. What they are answered is the server's matter.
//!
//! It is read tolerantly, because clients differ: an `id` is a number or a string, what is unknown is
//! passed over. Every text and list has a limit all the same.

use crate::campaign::{Execution, Feedback};
use serde::{Deserialize, Deserializer, de};
use std::{collections::BTreeMap, fmt};

/// Most details of one feedback that are read.
const DETAILS_MAX: usize = 64;
/// Most attributes that a device may give.
pub const ATTRIBUTES_MAX: usize = 64;
/// Longest name of a host that a device may have reached, in bytes.
const HOST_BYTES_MAX: usize = 256;
/// Most digits of an action in an address.
const DIGITS_MAX: usize = 19;

/// The number of an action, as an address names it.
pub fn action_number(text: &str) -> Option<u64> {
    let plain = (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Whether this can stand as the host in an address that a device is sent back to: nothing in it ends
/// the host, begins a path or names a person.
pub fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// A number as SWUpdate writes it, or the same as a string, as RAUC's updater does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionId(pub u64);

impl<'de> Deserialize<'de> for ActionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ActionId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number of an action, or the same as a string")
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<ActionId, E> {
                Ok(ActionId(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<ActionId, E> {
                u64::try_from(value).map(ActionId).map_err(|_| E::custom("it is negative"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ActionId, E> {
                if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(E::custom("it is no number"));
                }
                text.parse().map(ActionId).map_err(|_| E::custom("it is too large"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Feedback about an action.
#[derive(Debug, Deserialize)]
pub struct Said {
    /// the action, as many clients repeat it here
    #[serde(default)]
    pub id: Option<ActionId>,
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    execution: String,
    #[serde(default)]
    result: Outcome,
    #[serde(default)]
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
struct Outcome {
    #[serde(default)]
    finished: Option<String>,
    #[serde(default)]
    progress: Option<Progress>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    cnt: u64,
    of: u64,
}

/// A list of texts; some clients send one text.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Details {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Details {
    fn text(&self) -> Option<String> {
        let text = match self {
            Self::None => None,
            Self::One(text) => Some(text.clone()),
            Self::Many(texts) => {
                let first: Vec<&str> = texts.iter().take(DETAILS_MAX).map(String::as_str).collect();
                Some(first.join("; "))
            }
        };
        text.filter(|text| !text.is_empty())
    }
}

/// What is said about a deployment, in the platform's words. `closes_confirmed`: whether "closed with
/// success" says that the new software was booted and is kept, as SWUpdate says it.
///
/// # Errors
/// What of it is not a word of DDI.
pub fn deployment_feedback(said: &Said, closes_confirmed: bool) -> Result<Feedback, String> {
    let finished = said.status.result.finished.as_deref().unwrap_or("none");
    let execution = match (said.status.execution.as_str(), finished) {
        ("closed", "success") if closes_confirmed => Execution::Confirmed,
        ("closed", "success") => Execution::Installed,
        ("closed", "failure") => Execution::Failed,
        // The client is through and does not say with what: what is not known to have gone well has not.
        ("closed", "none") => Execution::Failed,
        ("canceled", _) => Execution::Cancelled,
        ("rejected", _) => Execution::Rejected,
        ("proceeding" | "scheduled" | "resumed", "failure") => Execution::Failed,
        // All steps are done and the action is not closed: SWUpdate says so before it restarts.
        ("proceeding", _) if said.is_through() && closes_confirmed => Execution::Installed,
        // Its next word is "closed", after a restart or not: until then the action stays on offer.
        ("proceeding", _) if said.is_through() => Execution::Installing,
        ("proceeding" | "scheduled" | "resumed", _) => Execution::Proceeding,
        ("download", _) => Execution::Downloading,
        ("downloaded", _) => Execution::Downloaded,
        (execution, _) => return Err(unknown("execution", execution)),
    };
    if !["success", "failure", "none"].contains(&finished) {
        return Err(unknown("finished", finished));
    }
    Ok(said.feedback(execution))
}

/// What is said about a cancellation. Whoever says no goes on.
///
/// # Errors
/// What of it is not a word of DDI.
pub fn cancel_feedback(said: &Said) -> Result<Feedback, String> {
    let finished = said.status.result.finished.as_deref().unwrap_or("none");
    let execution = match (said.status.execution.as_str(), finished) {
        ("closed" | "canceled", "success" | "none") => Execution::Cancelled,
        ("closed" | "canceled", "failure") | ("rejected", _) => Execution::Proceeding,
        ("proceeding" | "scheduled" | "resumed", _) => Execution::Proceeding,
        (execution, _) => return Err(unknown("execution", execution)),
    };
    Ok(said.feedback(execution))
}

fn unknown(field: &str, value: &str) -> String {
    let value: String = value.chars().take(40).collect();
    format!("status.{field}: {value:?} is not a word of DDI v1")
}

impl Said {
    fn is_through(&self) -> bool {
        let progress = self.status.result.progress.as_ref();
        progress.is_some_and(|progress| progress.of > 0 && progress.cnt >= progress.of)
    }

    fn feedback(&self, execution: Execution) -> Feedback {
        let progress = self.status.result.progress.as_ref().and_then(|progress| {
            // A number of zero steps says nothing.
            let percent = progress.cnt.saturating_mul(100).checked_div(progress.of)?;
            u8::try_from(percent.min(100)).ok()
        });
        Feedback { execution, progress, detail: self.status.details.text(), installed: None }
    }
}

/// Feedback about a confirmation.
#[derive(Debug, Deserialize)]
pub struct Confirmation {
    confirmation: String,
    #[serde(default)]
    details: Details,
}

impl Confirmation {
    /// In the platform's words.
    ///
    /// # Errors
    /// What of it is not a word of DDI.
    pub fn feedback(&self) -> Result<Feedback, String> {
        let execution = match self.confirmation.as_str() {
            "confirmed" => Execution::Proceeding,
            "denied" => Execution::Rejected,
            other => return Err(unknown("confirmation", other)),
        };
        Ok(Feedback { execution, progress: None, detail: self.details.text(), installed: None })
    }
}

/// What a device says about itself.
#[derive(Debug, Deserialize)]
pub struct ConfigData {
    /// its attributes by their names
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn both_forms_of_an_id_are_read() {
        for (id, number) in
            [("7", 7), ("\"7\"", 7), ("\"007\"", 7), ("18446744073709551615", u64::MAX)]
        {
            let text = format!(r#"{{"id":{id},"status":{{"execution":"closed"}}}}"#);
            assert_eq!(said(&text).id, Some(ActionId(number)));
        }
        for bad in
            ["-1", "\"\"", "\"7a\"", "\"+7\"", "1.5", "null7", "[7]", "\"99999999999999999999\""]
        {
            let text = format!(r#"{{"id":{bad},"status":{{"execution":"closed"}}}}"#);
            assert!(serde_json::from_str::<Said>(&text).is_err(), "{bad}");
        }
        assert_eq!(said(r#"{"status":{"execution":"closed"}}"#).id, None);
    }

    #[test]
    fn parts_of_an_address_are_plain() {
        for (text, number) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
        ] {
            assert_eq!(action_number(text), number, "{text}");
        }
        for bad in ["", "+7", "-7", " 7", "7/", "١", "18446744073709551616", "00000000000000000007"]
        {
            assert_eq!(action_number(bad), None, "{bad}");
        }
        for good in ["updates.example:8443", "[::1]:443", "127.0.0.1", "a_b"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a/b", "a@b", "a?b", "a#b", "a b", "a\r\n", "ä", &"a".repeat(257)] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn every_word_of_a_deployment_means_one_thing() {
        use Execution as E;
        let check = |execution: &str, finished: &str, closes: bool, expected: Option<E>| {
            let text = format!(
                r#"{{"id":"1","status":{{"execution":"{execution}","result":{{"finished":"{finished}"}}}}}}"#
            );
            let read = deployment_feedback(&said(&text), closes).ok().map(|said| said.execution);
            assert_eq!(read, expected, "{execution} {finished}");
        };
        check("closed", "success", true, Some(E::Confirmed));
        check("closed", "success", false, Some(E::Installed));
        check("closed", "failure", true, Some(E::Failed));
        check("closed", "failure", false, Some(E::Failed));
        check("closed", "none", true, Some(E::Failed));
        check("canceled", "success", true, Some(E::Cancelled));
        check("rejected", "none", true, Some(E::Rejected));
        check("proceeding", "none", true, Some(E::Proceeding));
        check("proceeding", "success", true, Some(E::Proceeding));
        check("proceeding", "failure", true, Some(E::Failed));
        check("scheduled", "none", true, Some(E::Proceeding));
        check("resumed", "none", true, Some(E::Proceeding));
        check("download", "none", true, Some(E::Downloading));
        check("downloaded", "none", true, Some(E::Downloaded));
        check("finished", "none", true, None);
        check("closed", "maybe", true, None);
        check("proceeding", "maybe", true, None);
    }

    #[test]
    fn every_word_of_a_cancellation_means_one_thing() {
        use Execution as E;
        let check = |execution: &str, finished: &str, expected: Option<E>| {
            let text = format!(
                r#"{{"id":1,"status":{{"execution":"{execution}","result":{{"finished":"{finished}"}}}}}}"#
            );
            assert_eq!(cancel_feedback(&said(&text)).ok().map(|said| said.execution), expected);
        };
        check("closed", "success", Some(E::Cancelled));
        check("canceled", "success", Some(E::Cancelled));
        check("closed", "failure", Some(E::Proceeding));
        check("rejected", "failure", Some(E::Proceeding));
        check("proceeding", "none", Some(E::Proceeding));
        check("download", "none", None);
    }

    #[test]
    fn details_and_progress_are_taken_as_they_come() {
        let read = |text: &str| deployment_feedback(&said(text), true).unwrap();
        let whole = read(
            r#"{"id":"1","time":"20140511T121314","status":{"execution":"proceeding","code":200,
                "result":{"finished":"none","progress":{"cnt":2,"of":5}},"details":["a","b"]},"x":1}"#,
        );
        assert_eq!((whole.progress, whole.detail.as_deref()), (Some(40), Some("a; b")));
        let one = read(r#"{"status":{"execution":"proceeding","details":"alone"}}"#);
        assert_eq!((one.progress, one.detail.as_deref()), (None, Some("alone")));
        let zero = read(
            r#"{"status":{"execution":"proceeding","result":{"progress":{"cnt":1,"of":0}},"details":[]}}"#,
        );
        assert_eq!((zero.progress, &zero.detail), (None, &None));
        let over = read(
            r#"{"status":{"execution":"proceeding","result":{"progress":{"cnt":18446744073709551615,"of":1}}}}"#,
        );
        assert_eq!((over.progress, over.execution), (Some(100), Execution::Installed));
        assert_eq!(zero.execution, Execution::Proceeding);
    }

    #[test]
    fn a_confirmation_is_a_yes_or_a_no() {
        let read = |text: &str| serde_json::from_str::<Confirmation>(text).unwrap().feedback();
        let yes = read(r#"{"confirmation":"confirmed","code":1,"details":["ok"]}"#).unwrap();
        assert_eq!(yes.execution, Execution::Proceeding);
        assert_eq!(read(r#"{"confirmation":"denied"}"#).unwrap().execution, Execution::Rejected);
        assert!(read(r#"{"confirmation":"perhaps"}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_said_means_one_thing_or_nothing(
            execution in "[a-z]{0,12}|closed|proceeding|download|downloaded|canceled|rejected|scheduled|resumed",
            finished in "[a-z]{0,8}|success|failure|none",
            id in proptest::prelude::any::<u64>(),
            (cnt, of) in (proptest::prelude::any::<u64>(), proptest::prelude::any::<u64>()),
            details in proptest::collection::vec(".{0,20}", 0..80),
        ) {
            let body = serde_json::json!({"id": id.to_string(), "status": {"execution": execution,
                "result": {"finished": finished, "progress": {"cnt": cnt, "of": of}},
                "details": details}});
            let said: Said = serde_json::from_value(body).unwrap();
            proptest::prop_assert_eq!(said.id, Some(ActionId(id)));
            let (sure, unsure) = (deployment_feedback(&said, true), deployment_feedback(&said, false));
            proptest::prop_assert_eq!(sure.is_ok(), unsure.is_ok());
            if let (Ok(sure), Ok(unsure)) = (sure, unsure) {
                proptest::prop_assert!(sure.progress.is_none_or(|percent| percent <= 100));
                // Whoever does not confirm by closing never confirms here.
                proptest::prop_assert!(unsure.execution != Execution::Confirmed);
                let closed = execution == "closed" && finished == "success";
                proptest::prop_assert_eq!(sure.execution == Execution::Confirmed, closed);
            }
            if let Ok(feedback) = cancel_feedback(&said) {
                let words = [Execution::Cancelled, Execution::Proceeding];
                proptest::prop_assert!(words.contains(&feedback.execution));
            }
        }
    }
}
