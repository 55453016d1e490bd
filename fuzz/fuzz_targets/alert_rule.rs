//! Rules of alerts: any text is a rule or not; a rule is written as it is read, and counts within its bounds
//! whatever events there are.
#![no_main]

use alert::{EVIDENCE_MAX, Rule, Watching};
use audit::{Kind, Outcome, SecurityEvent};
use crypto::UnixTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(rule) = Rule::parse(text) else { return };
    assert_eq!(Rule::parse(&rule.json()).as_ref(), Ok(&rule));
    let mut watching = Watching::default();
    let rules = [rule];
    for number in 0..40_i64 {
        let event =
            SecurityEvent::new(UnixTime(number * 977), Kind::Authorisation, Outcome::Failure)
                .actor("device 00112233445566778899aabbccddeeff")
                .source([192, 0, 2, 1].into())
                .detail("reason", "topic")
                .detail("count", "3");
        for hit in watching.observe("acme", &rules, 1, &event, &|_| Some("acme/gate".to_owned())) {
            assert!(hit.evidence.len() <= EVIDENCE_MAX);
            assert!(hit.authentic_since(None) <= hit.count_since(None));
        }
    }
});
