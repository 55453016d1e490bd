//! Routes (GW-5): which admitted messages of an organisation's devices go on, and in what form.
//! docs/routes.md.
//!
//! Pure: where messages go, how long they wait and what becomes of them there is `service`'s and
//! `server`'s. A [`RouteRule`] is the question whether a message goes; an [`Envelope`] is what a
//! receiver gets, and what a [`Condition`] looks at.

mod condition;
mod envelope;

pub use condition::{CONDITION_BYTES_MAX, Condition, ConditionError};
pub use envelope::{ENVELOPE_DEPTH_MAX, ENVELOPE_VALUES_MAX, Envelope, RoutedMessage};

use crate::topic::{TopicFilter, TopicName};
use std::cell::OnceCell;

/// Which messages a route takes.
#[derive(Debug, Clone, Default)]
pub struct RouteRule {
    /// those of one product line, `MAKER/PRODUCT`; of any where there is none
    pub product: Option<String>,
    /// those of topics below the device's space; of any where there is none
    pub filter: Option<TopicFilter>,
    /// those of which this holds
    pub condition: Option<Condition>,
}

/// A message that rules are held against; its envelope is made once, and where one is looked at.
#[derive(Debug)]
pub struct Candidate<'a> {
    message: &'a RoutedMessage<'a>,
    topic: Option<TopicName>,
    envelope: OnceCell<Envelope>,
}

impl<'a> Candidate<'a> {
    /// A message.
    pub fn new(message: &'a RoutedMessage<'a>) -> Self {
        let topic = TopicName::new(message.topic).ok();
        Self { message, topic, envelope: OnceCell::new() }
    }

    /// What a receiver would get.
    pub fn envelope(&self) -> &Envelope {
        self.envelope.get_or_init(|| Envelope::of(self.message))
    }
}

impl RouteRule {
    /// Whether a message goes this way.
    pub fn takes(&self, candidate: &Candidate<'_>) -> bool {
        let product = self.product.as_deref();
        if product.is_some() && product != candidate.message.product {
            return false;
        }
        let Some(topic) = &candidate.topic else { return false };
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(topic)) {
            return false;
        }
        self.condition.as_ref().is_none_or(|condition| condition.holds(candidate.envelope()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::UnixTime;
    use device::DeviceId;

    pub(super) fn message<'a>(
        topic: &'a str,
        media_type: Option<&'a str>,
        payload: &'a [u8],
    ) -> RoutedMessage<'a> {
        RoutedMessage {
            device: DeviceId::from_bytes([7; 16]),
            product: Some("maker/gate"),
            topic,
            door: "mqtt",
            received_at: UnixTime(1_700_000_000),
            media_type,
            payload,
        }
    }

    #[test]
    fn a_rule_takes_what_fits_all_of_it() {
        let hot = message("up/temperature", None, br#"{"celsius": 31.5}"#);
        let rule =
            |product: Option<&str>, filter: Option<&str>, condition: Option<&str>| RouteRule {
                product: product.map(str::to_owned),
                filter: filter.map(|text| TopicFilter::new(text).unwrap()),
                condition: condition.map(|text| Condition::parse(text).unwrap()),
            };
        for (rule, takes) in [
            (rule(None, None, None), true),
            (rule(Some("maker/gate"), Some("up/#"), Some("$[?@.celsius > 30]")), true),
            (rule(Some("maker/other"), None, None), false),
            (rule(None, Some("up/humidity"), None), false),
            (rule(None, Some("+/temperature"), None), true),
            (rule(None, None, Some("$[?@.celsius > 32]")), false),
            (rule(None, None, Some("$.payload.celsius")), true),
            (rule(None, None, Some("$.payload.kelvin")), false),
        ] {
            assert_eq!(rule.takes(&Candidate::new(&hot)), takes, "{rule:?}");
        }
    }
}
