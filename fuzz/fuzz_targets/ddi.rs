//! What comes in through the hawkBit DDI door: the first byte chooses feedback, confirmation,
//! attributes, or parts of an address. Any bytes are refused, or mean one thing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use update::{
    campaign::{Execution, Feedback},
    ddi::{
        ConfigData, Confirmation, Said, action_number, cancel_feedback, deployment_feedback,
        is_host,
    },
};

fn feedback(bytes: &[u8]) {
    let Ok(said) = serde_json::from_slice::<Said>(bytes) else { return };
    let sure = deployment_feedback(&said, true).ok();
    let unsure = deployment_feedback(&said, false).ok();
    let cancel = cancel_feedback(&said).ok();
    assert_eq!(sure.is_some(), unsure.is_some(), "the same words are known to both");
    for said in [&sure, &unsure, &cancel].into_iter().flatten() {
        assert!(said.progress.is_none_or(|percent| percent <= 100));
        assert!(said.installed.is_none(), "nobody says here what runs");
    }
    let is = |said: &Option<Feedback>, what| said.as_ref().is_some_and(|s| s.execution == what);
    assert!(!is(&unsure, Execution::Confirmed), "success without a confirmed boot");
    assert!(!is(&cancel, Execution::Confirmed) && !is(&cancel, Execution::Installed));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((form, bytes)) = bytes.split_first() else { return };
    match form % 5 {
        0 => feedback(bytes),
        1 => {
            let said = serde_json::from_slice::<Confirmation>(bytes).ok();
            if let Some(said) = said.and_then(|said| said.feedback().ok()) {
                let words = [Execution::Proceeding, Execution::Rejected];
                assert!(words.contains(&said.execution), "yes or no");
            }
        }
        2 => drop(serde_json::from_slice::<ConfigData>(bytes)),
        3 => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            if let Some(action) = action_number(text) {
                let plain = text.trim_start_matches('0');
                assert_eq!(action.to_string(), if plain.is_empty() { "0" } else { plain });
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            if is_host(text) {
                assert!(text.is_ascii() && !text.contains(|c: char| c.is_ascii_control()));
                assert!(!text.contains(['/', '@', '?', '#', '\\', '%', ' ']), "only the host");
            }
        }
    }
});
