//! Topics by their first levels: what a device writes into further ones (numbers, times) is no topic of
//! its own.

/// Levels of a topic that are told apart, at most.
pub const DEPTH_MAX: u8 = 3;
/// Longest topic that is told apart whole, in bytes.
pub const TOPIC_BYTES_MAX: usize = 96;

/// The first levels of a topic, and whether that is not all of it.
pub fn topic_prefix(topic: &str, depth: u8) -> (&str, bool) {
    let mut end = topic.len().min(TOPIC_BYTES_MAX);
    while !topic.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    let head = topic.get(..end).unwrap_or_default();
    let mut slashes = head.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    let last = usize::from(depth.max(1)).saturating_sub(1);
    match slashes.nth(last) {
        Some((at, _)) => (head.get(..at).unwrap_or_default(), true),
        None => (head, head.len() < topic.len()),
    }
}

/// A topic as a profile keeps it: whole, or its first levels and `/#`.
pub fn topic_feature(topic: &str, depth: u8) -> String {
    match topic_prefix(topic, depth) {
        (whole, false) => whole.to_owned(),
        (head, true) => format!("{}/#", head.trim_end_matches("/#")),
    }
}

/// Whether what is kept of topics holds one, itself or by what it begins with.
pub fn is_ordinary_topic(feature: &str, holds: impl Fn(&str) -> bool) -> bool {
    let whole = feature.strip_suffix("/#").unwrap_or(feature);
    let beginnings = whole.match_indices('/').filter_map(|(at, _)| whole.get(..at));
    // As many as there are levels to tell apart; what was accepted may be as coarse as one.
    let mut coarser = beginnings.take(usize::from(DEPTH_MAX)).map(|head| format!("{head}/#"));
    holds(feature) || holds(&format!("{whole}/#")) || coarser.any(|it| holds(&it)) || holds("#")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn topics_are_told_apart_by_their_first_levels() {
        assert_eq!(topic_feature("up/t", 3), "up/t");
        assert_eq!(topic_feature("up/job/7", 3), "up/job/7");
        assert_eq!(topic_feature("up/job/7/result", 3), "up/job/7/#");
        assert_eq!(topic_feature("up/job/7/result", 2), "up/job/#");
        assert_eq!(topic_feature("up/job/7/result", 1), "up/#");
        assert!(topic_feature(&"x".repeat(500), 3).len() <= TOPIC_BYTES_MAX + 2);
        let known = |it: &str| it == "up/job/#";
        assert!(is_ordinary_topic("up/job/7", known) && is_ordinary_topic("up/job/7/#", known));
        assert!(is_ordinary_topic("up/job", known));
        assert!(!is_ordinary_topic("up/jobs", known) && !is_ordinary_topic("up/#", known));
        assert!(is_ordinary_topic("a", |it| it == "#"));
    }

    proptest! {
        #[test]
        fn any_topic_has_a_short_feature_that_is_ordinary_once_kept(
            topic in ".{0,300}", depth in 0_u8..5
        ) {
            let feature = topic_feature(&topic, depth);
            prop_assert!(feature.len() <= TOPIC_BYTES_MAX + 2);
            prop_assert!(is_ordinary_topic(&feature, |it| it == feature));
        }
    }
}
