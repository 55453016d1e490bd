//! Which purposes speak of a topic. Asked for each message: filters are a tree, and an answer is two words
//! of bits.

use super::PURPOSES_MAX;
use crate::topic::{TopicFilter, TopicName};
use crypto::UnixTime;
use std::collections::HashMap;

/// The purposes of a product line, by topic.
#[derive(Debug, Default)]
pub struct Purposes {
    names: Vec<Box<str>>,
    root: Node,
}

/// What filters say at a level of a topic.
#[derive(Debug, Default)]
struct Node {
    named: HashMap<Box<str>, Node>,
    any: Option<Box<Node>>,
    /// purposes with a filter that ends here
    here: u32,
    /// purposes with a filter that ends with `#` here
    below: u32,
}

impl Node {
    fn add<'a>(&mut self, mut levels: impl Iterator<Item = &'a str>, bit: u32) {
        match levels.next() {
            None => self.here |= bit,
            Some("#") => self.below |= bit,
            Some("+") => self.any.get_or_insert_default().add(levels, bit),
            Some(level) => self.named.entry(level.into()).or_default().add(levels, bit),
        }
    }

    fn find<'a>(&self, mut levels: impl Iterator<Item = &'a str> + Clone) -> u32 {
        let Some(level) = levels.next() else { return self.here | self.below };
        let named = self.named.get(level).map_or(0, |node| node.find(levels.clone()));
        let any = self.any.as_ref().map_or(0, |node| node.find(levels));
        self.below | named | any
    }
}

impl Purposes {
    /// Those with these names and filters; beyond [`PURPOSES_MAX`] none are taken.
    pub fn new<'a>(all: impl IntoIterator<Item = (&'a str, Vec<TopicFilter>)>) -> Self {
        let mut made = Self::default();
        for (at, (name, filters)) in all.into_iter().take(PURPOSES_MAX).enumerate() {
            made.names.push(name.into());
            for filter in filters {
                made.root.add(filter.levels(), bit(at));
            }
        }
        made
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// What a message of a topic below the device's space may be used for, where `since` says for each
    /// purpose since when it stands.
    pub fn of(&self, topic: &TopicName, since: &[Option<UnixTime>]) -> TopicUses {
        if self.names.is_empty() {
            return TopicUses::default();
        }
        self.of_received(topic, since, &[], None)
    }

    /// As [`Self::of`], of a message that came at a time: consent to a use is no consent to what came
    /// before it. A purpose that `begun` names is not asked about what came before that.
    pub fn of_received(
        &self,
        topic: &TopicName,
        since: &[Option<UnixTime>],
        begun: &[Option<UnixTime>],
        received_at: Option<UnixTime>,
    ) -> TopicUses {
        let before =
            |begun: &Option<UnixTime>| begun.zip(received_at).is_some_and(|(begun, at)| at < begun);
        let earlier = begun.iter().take(PURPOSES_MAX).enumerate();
        let earlier = earlier.filter(|(_, it)| before(it)).fold(0, |bits, (at, _)| bits | bit(at));
        let all = self.root.find(topic.as_str().split('/')) & !earlier;
        let stands = |since: &Option<UnixTime>| match (since, received_at) {
            (Some(since), Some(at)) => *since <= at,
            (since, _) => since.is_some(),
        };
        let standing = since.iter().take(PURPOSES_MAX).enumerate();
        let standing =
            standing.filter(|(_, it)| stands(it)).fold(0, |bits, (at, _)| bits | bit(at));
        TopicUses { all, standing: all & standing }
    }

    /// The names of the purposes that a message may not be used for.
    pub fn refused(&self, uses: TopicUses) -> Vec<&str> {
        let names = self.names.iter().enumerate();
        let missing = |at: usize| (uses.all & !uses.standing) & bit(at) != 0;
        names.filter(|(at, _)| missing(*at)).map(|(_, name)| &**name).collect()
    }

    /// The place of a purpose.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|it| &**it == name)
    }
}

fn bit(at: usize) -> u32 {
    u32::try_from(at).ok().and_then(|at| 1_u32.checked_shl(at)).unwrap_or(0)
}

/// What a message may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TopicUses {
    /// purposes that speak of its topic
    all: u32,
    /// those of them that stand
    standing: u32,
}

impl TopicUses {
    /// Whether it may come in: its topic is of no purpose, or one of them stands.
    pub fn admitted(self) -> bool {
        self.all == 0 || self.standing != 0
    }

    /// Whether every purpose of its topic stands: it may go anywhere.
    pub fn unrestricted(self) -> bool {
        self.all == self.standing
    }

    /// Whether no purpose speaks of its topic.
    pub fn is_free(self) -> bool {
        self.all == 0
    }

    /// Whether a purpose, by its place, speaks of its topic and stands.
    pub fn serves(self, place: usize) -> bool {
        self.standing & bit(place) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(topic: &str) -> TopicName {
        TopicName::new(topic).unwrap()
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    #[test]
    fn a_message_comes_in_for_what_was_agreed_and_goes_nowhere_else() {
        let care = ("care", vec![filter("up/+/state"), filter("up/hours")]);
        let ads = ("ads", vec![filter("up/location/#"), filter("up/hours")]);
        let purposes = Purposes::new([care, ads]);
        let (now, never) = (Some(UnixTime(5)), None);
        let of = |topic: &str, since: [Option<UnixTime>; 2]| purposes.of(&name(topic), &since);
        assert!(of("up/other", [never, never]).is_free());
        assert!(of("up/other", [never, never]).unrestricted());
        assert!(!of("up/location", [now, never]).admitted());
        assert!(!of("up/location/x/y", [now, never]).admitted());
        assert!(of("up/location/x/y", [never, now]).admitted());
        let hours = of("up/hours", [now, never]);
        assert!(hours.admitted() && !hours.unrestricted());
        let places = (purposes.place("care").unwrap(), purposes.place("ads").unwrap());
        assert!(hours.serves(places.0) && !hours.serves(places.1));
        assert_eq!(purposes.refused(hours), ["ads"]);
        let old = purposes.of_received(&name("up/hours"), &[now, never], &[], Some(UnixTime(4)));
        assert!(!old.admitted());
        assert!(Purposes::new([]).of(&name("up/x"), &[]).admitted());
        // More than there may be are none, and shift nobody else's.
        let many: Vec<_> = (0..40).map(|at| format!("p{at}")).collect();
        let many = many.iter().map(|it| (it.as_str(), vec![filter("up/x")]));
        let many = Purposes::new(many);
        assert!(many.place("p31").is_some() && many.place("p32").is_none());
        assert!(!many.of(&name("up/x"), &[None; 40]).admitted());
    }

    proptest! {
        /// The tree says what each filter says.
        #[test]
        fn the_tree_finds_what_the_filters_match(
            filters in proptest::collection::vec("up(/(a|b|\\+)){0,3}(/#)?", 1..8),
            topic in "up(/(a|b|c)){0,4}",
        ) {
            let all: Vec<_> = filters.iter().enumerate()
                .map(|(at, text)| (format!("p{at}"), filter(text))).collect();
            let purposes = Purposes::new(all.iter().map(|(name, it)| (name.as_str(), vec![it.clone()])));
            let topic = name(&topic);
            let uses = purposes.of(&topic, &vec![Some(UnixTime(0)); all.len()]);
            for (name, filter) in &all {
                let place = purposes.place(name).unwrap();
                prop_assert_eq!(uses.serves(place), filter.matches_below(&topic), "{:?}", filter);
            }
        }
    }
}
