//! Purposes of data (PR-2): any text is a purpose or not; topics are found by the tree as by the filters.
#![no_main]

use admission::{Basis, DataPurpose, Purposes, TopicFilter, TopicName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let topic = lines.next().unwrap_or_default().to_owned();
    let topics: Vec<_> = lines.map(str::to_owned).collect();
    let line = text.to_owned();
    let says = DataPurpose {
        title_en: line.clone(),
        title_ja: topic.clone(),
        explanation_en: line.clone(),
        explanation_ja: line.clone(),
        topics: topics.clone(),
        basis: Basis::Necessary(topic.clone()),
        recipients: topics.clone(),
        retention_days: 1,
    };
    if let Ok(checked) = says.checked() {
        assert_eq!(checked.clone().checked(), Ok(checked));
    }
    let filters = topics.iter().filter_map(|it| DataPurpose::topic(it).ok());
    let filters: Vec<_> = filters.filter_map(|it| TopicFilter::new(it).ok()).collect();
    let Ok(name) = TopicName::new(topic) else { return };
    let found = filters.iter().any(|filter| filter.matches_below(&name));
    let uses = Purposes::new([("all", filters)]).of(&name, &[None]);
    assert_eq!(uses.is_free(), !found);
});
