use crate::{About, Automatic, Rule, Window, group::device_of};
use audit::SecurityEvent;
use crypto::UnixTime;
use device::DeviceId;
use std::collections::{BTreeMap, HashMap};

/// Events that a hit names, at most.
pub const EVIDENCE_MAX: usize = 16;
/// Windows that are kept of one organisation, and of all.
pub const KEYS_OF_ONE_MAX: usize = 5_000;
/// Windows that are kept in all.
pub const KEYS_MAX: usize = 50_000;
/// Windows that are dropped at a time, and for how long nobody looks again where none was over.
const DROPPED: usize = 64;
const FRUITLESS_S: i64 = 10;

/// That an event counted for a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// whose rule
    pub organisation: String,
    /// which
    pub rule: String,
    /// whom it is about
    pub about: About,
    /// how much this event weighs, and how much of that a device's own key speaks for
    pub weight: u32,
    /// places in the log of what counted last, oldest first
    pub evidence: Vec<u64>,
    /// when the event was
    pub at: UnixTime,
    threshold: u32,
    automatic: Automatic,
    window: Window,
}

impl Hit {
    /// How much came within the window, after `since` where something was closed then.
    pub fn count_since(&self, since: Option<UnixTime>) -> u32 {
        self.window.count(self.at, since).0
    }

    /// As [`Self::count_since`], of what a device's own key speaks for.
    pub fn authentic_since(&self, since: Option<UnixTime>) -> u32 {
        self.window.count(self.at, since).1
    }

    /// When what is counted came, oldest first, as closely as a window tells.
    pub fn parts_since(&self, since: Option<UnixTime>) -> Vec<(UnixTime, u32)> {
        self.window.parts(self.at, since)
    }

    /// Whether it is too much.
    pub fn is_reached(&self) -> bool {
        self.is_reached_since(None)
    }

    /// Whether what came after `since` alone is too much.
    pub fn is_reached_since(&self, since: Option<UnixTime>) -> bool {
        self.count_since(since) >= self.threshold
    }

    /// Whether what a device's own key speaks for alone is too much.
    pub fn is_authentic(&self) -> bool {
        self.authentic_since(None) >= self.threshold
    }

    /// Whether the device is to go into quarantine by itself: the rule says so and what its own key
    /// speaks for alone is too much.
    pub fn quarantines(&self, since: Option<UnixTime>) -> bool {
        self.automatic == Automatic::Quarantine && self.authentic_since(since) >= self.threshold
    }
}

#[derive(Debug)]
struct Counting {
    window: Window,
    evidence: Vec<u64>,
}

/// By rule and whom it is about.
type OfOne = HashMap<(String, About), Counting>;

/// What is counted at present. Bounded: an organisation that is full of windows that still count loses
/// count of further ones, says so ([`Self::overflow`]), and takes nobody else's room.
#[derive(Debug, Default)]
pub struct Watching {
    organisations: BTreeMap<String, OfOne>,
    keys: usize,
    overflow: BTreeMap<String, u64>,
    /// when nothing was found that is over, of an organisation or, without a name, of all
    fruitless: BTreeMap<String, i64>,
}

impl Watching {
    /// Counts an event of an organisation by its rules; `sequence` is its place in the log. `product`
    /// finds a device's product line, and is asked only where a rule counts by it.
    pub fn observe(
        &mut self,
        organisation: &str,
        rules: &[Rule],
        sequence: u64,
        event: &SecurityEvent,
        product: &dyn Fn(&DeviceId) -> Option<String>,
    ) -> Vec<Hit> {
        let mut hits = Vec::new();
        for rule in rules.iter().filter(|rule| !rule.off && rule.watch.sees(event)) {
            let Some(about) = About::of(rule.group, event, product) else { continue };
            let key = (rule.name.clone(), about);
            let at = event.at();
            if !self.has_room(organisation, &key, at) {
                let missed = self.overflow.entry(organisation.to_owned()).or_default();
                *missed = missed.saturating_add(1);
                continue;
            }
            let weight = rule.weigh.of(event);
            let authentic = device_of(event)
                .is_some_and(|(device, own)| own && key.1.device().is_none_or(|it| *it == device));
            let of_one = self.organisations.entry(organisation.to_owned()).or_default();
            let counting = of_one.entry(key.clone()).or_insert_with(|| {
                self.keys = self.keys.saturating_add(1);
                Counting { window: Window::new(rule.window_s), evidence: Vec::new() }
            });
            counting.window.add(at, weight, authentic);
            if counting.evidence.len() >= EVIDENCE_MAX {
                counting.evidence.remove(0);
            }
            counting.evidence.push(sequence);
            hits.push(Hit {
                organisation: organisation.to_owned(),
                rule: key.0,
                about: key.1,
                weight,
                evidence: counting.evidence.clone(),
                at,
                threshold: rule.threshold,
                automatic: rule.automatic,
                window: counting.window.clone(),
            });
        }
        hits
    }

    /// Forgets what was counted for a rule of an organisation, since it changed.
    pub fn forget(&mut self, organisation: &str, rule: &str) {
        if let Some(of_one) = self.organisations.get_mut(organisation) {
            let before = of_one.len();
            of_one.retain(|(name, _), _| name != rule);
            self.keys = self.keys.saturating_sub(before.saturating_sub(of_one.len()));
        }
    }

    /// How many events were not counted since the last time, for want of room: by organisation.
    pub fn overflow(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.overflow)
    }

    /// Windows that are kept.
    pub fn keys(&self) -> usize {
        self.keys
    }

    fn has_room(&mut self, organisation: &str, key: &(String, About), now: UnixTime) -> bool {
        let of_one = self.organisations.get(organisation);
        let count = of_one.map_or(0, HashMap::len);
        let known = of_one.is_some_and(|of_one| of_one.contains_key(key));
        if known || (count < KEYS_OF_ONE_MAX && self.keys < KEYS_MAX) {
            return true;
        }
        // Its own windows that are over go first, then everybody's.
        self.drop_over(Some(organisation), now) || {
            let full = self.organisations.get(organisation).map_or(0, HashMap::len);
            full < KEYS_OF_ONE_MAX && self.drop_over(None, now)
        }
    }

    /// Drops some windows that count no more, of an organisation or of all. Whether there were any.
    fn drop_over(&mut self, of: Option<&str>, now: UnixTime) -> bool {
        let whose = of.unwrap_or_default();
        let last = self.fruitless.get(whose);
        if last.is_some_and(|last| (0..FRUITLESS_S).contains(&now.0.saturating_sub(*last))) {
            return false;
        }
        let mut dropped = 0_usize;
        for (name, of_one) in &mut self.organisations {
            if of.is_some_and(|of| of != name) {
                continue;
            }
            let over: Vec<_> = of_one
                .iter()
                .filter(|(_, counting)| counting.window.is_over(now))
                .take(DROPPED)
                .map(|(key, _)| key.clone())
                .collect();
            dropped = dropped.saturating_add(over.len());
            for key in over {
                of_one.remove(&key);
            }
        }
        self.keys = self.keys.saturating_sub(dropped);
        if dropped == 0 {
            self.fruitless.insert(whose.to_owned(), now.0);
        } else {
            self.fruitless.remove(whose);
        }
        dropped > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin;
    use audit::{Kind, Outcome};
    use proptest::prelude::*;

    fn rule(json: &serde_json::Value) -> Rule {
        let mut whole = serde_json::json!({
            "name": "x", "title": "x", "watch": {"kinds": ["rate-limit"]}, "threshold": 3,
            "window_s": 150, "group": "device", "severity": "high", "suggest": "quarantine",
        });
        for (key, value) in json.as_object().unwrap() {
            whole[key] = value.clone();
        }
        Rule::parse(&whole.to_string()).unwrap()
    }

    fn flood(device: u8, at: i64) -> SecurityEvent {
        SecurityEvent::new(UnixTime(at), Kind::RateLimit, Outcome::Failure)
            .actor(&format!("device {}", DeviceId::from_bytes([device; 16])))
            .detail("count", "2")
    }

    #[test]
    fn it_counts_per_group_and_by_weight() {
        let rules = [rule(&serde_json::json!({"weigh": "count"}))];
        let mut watching = Watching::default();
        let mut see = |device, at| {
            let hits = watching.observe("a", &rules, 1, &flood(device, at), &|_| None);
            hits[0].is_reached()
        };
        assert!(!see(1, 1000) && !see(2, 1000));
        assert!(see(1, 1010), "twice two is more than three");
        assert!(!see(2, 5000), "what is old counts no more");
    }

    #[test]
    fn only_its_own_key_puts_a_device_into_quarantine() {
        let rules = [rule(&serde_json::json!({"automatic": "quarantine"}))];
        let mut watching = Watching::default();
        let id = DeviceId::from_bytes([1; 16]);
        // Somebody else names the device, as often as they like.
        let slander = SecurityEvent::new(UnixTime(1000), Kind::RateLimit, Outcome::Failure)
            .actor("anonymous")
            .subject(&id.to_string());
        for _ in 0..50 {
            let hits = watching.observe("a", &rules, 1, &slander, &|_| None);
            assert!(!hits[0].quarantines(None));
        }
        for (n, expected) in [(1, false), (2, false), (3, true)] {
            let hits = watching.observe("a", &rules, n, &flood(1, 1000), &|_| None);
            assert!(hits[0].is_reached());
            assert_eq!(hits[0].quarantines(None), expected, "{n}");
        }
    }

    #[test]
    fn who_fills_the_memory_takes_nobody_elses() {
        let rules =
            [rule(&serde_json::json!({"watch": {"kinds": ["connection"]}, "group": "source"}))];
        let mut watching = Watching::default();
        let from = |n: u32, at: i64| {
            SecurityEvent::new(UnixTime(at), Kind::Connection, Outcome::Failure)
                .source(n.to_be_bytes().into())
        };
        for n in 0..KEYS_OF_ONE_MAX as u32 + 10 {
            watching.observe("a", &rules, 1, &from(n, 1000), &|_| None);
        }
        assert_eq!(watching.keys(), KEYS_OF_ONE_MAX);
        assert_eq!(watching.overflow().get("a"), Some(&10));
        assert!(watching.overflow().is_empty());
        assert_eq!(watching.observe("b", &rules, 1, &from(1, 1000), &|_| None).len(), 1);
        // Later there is room again.
        assert_eq!(watching.observe("a", &rules, 1, &from(u32::MAX, 9000), &|_| None).len(), 1);
        watching.forget("a", "x");
        assert_eq!(watching.keys(), 1);
    }

    /// Whoever starts anew and counts again what a window holds comes to the same.
    #[test]
    fn counting_again_gives_the_same() {
        let (mut whole, mut again) = (Watching::default(), Watching::default());
        let rules = [rule(&serde_json::json!({}))];
        for at in 0..100 {
            whole.observe("a", &rules, at, &flood(1, 1000 + at as i64 * 10), &|_| None);
        }
        for at in 80..100 {
            again.observe("a", &rules, at, &flood(1, 1000 + at as i64 * 10), &|_| None);
        }
        let next = flood(1, 2000);
        assert_eq!(
            whole.observe("a", &rules, 100, &next, &|_| None),
            again.observe("a", &rules, 100, &next, &|_| None)
        );
    }

    proptest! {
        /// Evidence is bounded, and a hit never says more than was observed.
        #[test]
        fn hits_are_bounded(times in proptest::collection::vec(0_i64..2_000, 1..60)) {
            let mut watching = Watching::default();
            for (n, at) in times.iter().enumerate() {
                for hit in watching.observe("a", builtin(), n as u64, &flood(1, *at), &|_| None) {
                    prop_assert!(hit.evidence.len() <= EVIDENCE_MAX);
                    prop_assert!(hit.count_since(None) as usize <= 2 * (n + 1));
                    prop_assert!(hit.authentic_since(None) <= hit.count_since(None));
                }
            }
        }
    }
}
