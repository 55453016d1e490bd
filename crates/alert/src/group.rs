use crate::Prefix;
use audit::{Kind, SecurityEvent};
use device::DeviceId;
use std::fmt;

/// Of whom events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// one device
    Device,
    /// the devices of one product line
    Product,
    /// one source: an address of IPv4, a /64 of IPv6
    Source,
    /// one person or member
    Person,
    /// the organisation as a whole
    Organisation,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 5] =
        [Self::Device, Self::Product, Self::Source, Self::Person, Self::Organisation];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Product => "product",
            Self::Source => "source",
            Self::Person => "person",
            Self::Organisation => "organisation",
        }
    }

    /// Reads a stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// Whom an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// a device
    Device(DeviceId),
    /// a product line, `MAKER/PRODUCT`
    Product(String),
    /// a source
    Source(Prefix),
    /// a person or member, `person acme/aiko`
    Person(String),
    /// the organisation
    Organisation,
}

impl About {
    /// Whom an event speaks of within a group; `None` where it speaks of nobody of that kind.
    /// `product` finds a device's product line.
    pub fn of(
        group: Group,
        event: &SecurityEvent,
        product: &dyn Fn(&DeviceId) -> Option<String>,
    ) -> Option<Self> {
        Some(match group {
            Group::Device => Self::Device(device_of(event)?.0),
            Group::Product => Self::Product(product(&device_of(event)?.0)?),
            Group::Source => Self::Source(Prefix::line(event.source_of()?)),
            Group::Person => {
                let actor = event.actor_of()?;
                let known = ["person ", "member "].iter().any(|kind| actor.starts_with(kind));
                Self::Person(known.then(|| actor.to_owned())?)
            }
            Group::Organisation => Self::Organisation,
        })
    }

    /// The device, where it is about one.
    pub fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Device(device) => Some(device),
            _ => None,
        }
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        Some(match (Group::from_name(kind)?, rest) {
            (Group::Device, device) => Self::Device(device.parse().ok()?),
            (Group::Product, product) if !product.is_empty() => Self::Product(product.to_owned()),
            (Group::Source, source) => Self::Source(source.parse().ok()?),
            (Group::Person, person) if !person.is_empty() => Self::Person(person.to_owned()),
            (Group::Organisation, "") => Self::Organisation,
            _ => return None,
        })
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(device) => write!(f, "device {device}"),
            Self::Product(product) => write!(f, "product {product}"),
            Self::Source(source) => write!(f, "source {source}"),
            Self::Person(person) => write!(f, "person {person}"),
            Self::Organisation => f.write_str("organisation"),
        }
    }
}

/// Reasons for which somebody is turned away who may not be there at all. A certificate of a former
/// owner, or of the maker alone, names the device too: what comes with it is not the owner's device.
const UNWELCOME: [&str; 9] = [
    "identity",
    "expired",
    "raw-key-former",
    "revoked",
    "suspended",
    "quarantined",
    "retired",
    "wrong-owner",
    "organisation-suspended",
];

/// The device that an event speaks of, and whether it proved with its own key that it is that device:
/// who acts is known by a certificate that works, what is acted on is only named. A token is no key of
/// the device's. The word of its owner's people about connections that it opened counts as much; whoever
/// reaches it can open one to it, so that such a one proves nothing about the device.
pub(crate) fn device_of(event: &SecurityEvent) -> Option<(DeviceId, bool)> {
    let acts = event.actor_of().and_then(|actor| actor.strip_prefix("device "));
    if let Some(device) = acts.and_then(|id| id.parse().ok()) {
        let mut details = event.details();
        let unwelcome = details.any(|(key, value)| key == "reason" && UNWELCOME.contains(&value));
        let reached = event.kind() == Kind::Deviation
            && event.details().any(|detail| detail == ("opened_by", "peer"));
        return Some((device, !unwelcome && !reached));
    }
    let device = event.subject_of().and_then(|id| id.parse().ok())?;
    // What its owner's people saw of its connections: who may report that may suspend it as well.
    let vouched = event.kind() == Kind::Deviation
        && event.details().any(|detail| detail == ("told_by", "owner"))
        && event.details().any(|detail| detail == ("opened_by", "device"));
    Some((device, vouched))
}

#[cfg(test)]
mod tests {
    use super::*;
    use audit::Outcome;
    use crypto::UnixTime;

    const ID: &str = "00112233445566778899aabbccddeeff";

    fn event() -> SecurityEvent {
        SecurityEvent::new(UnixTime(0), Kind::Authentication, Outcome::Failure)
    }

    #[test]
    fn only_its_own_key_speaks_for_a_device() {
        let id: DeviceId = ID.parse().unwrap();
        let of = |event: SecurityEvent| device_of(&event);
        assert_eq!(of(event().actor(&format!("device {ID}"))), Some((id, true)));
        let turned_away = event().actor(&format!("device {ID}")).detail("reason", "wrong-owner");
        assert_eq!(of(turned_away), Some((id, false)), "a former owner's certificate");
        let former = event().actor(&format!("device {ID}")).detail("reason", "raw-key-former");
        assert_eq!(of(former), Some((id, false)), "a key that it has no more");
        let refused = event().actor(&format!("device {ID}")).detail("reason", "topic");
        assert_eq!(of(refused), Some((id, true)));
        assert_eq!(of(event().subject(ID)), Some((id, false)));
        assert_eq!(of(event().actor(&format!("device {ID} by its token"))), None);
        let token = event().actor(&format!("device {ID} by its token")).subject(ID);
        assert_eq!(of(token), Some((id, false)));
        assert_eq!(of(event().actor("anonymous")), None);
        let seen = |kind, by, opened_by| {
            SecurityEvent::new(UnixTime(0), kind, Outcome::Failure)
                .actor("member acme/gate")
                .subject(ID)
                .detail("told_by", by)
                .detail("opened_by", opened_by)
        };
        let owner = seen(Kind::Deviation, "owner", "device");
        assert_eq!(of(owner), Some((id, true)), "its owner's people");
        assert_eq!(
            of(seen(Kind::Deviation, "owner", "peer")),
            Some((id, false)),
            "a stranger came"
        );
        assert_eq!(of(seen(Kind::Deviation, "device", "device")), Some((id, false)));
        assert_eq!(of(seen(Kind::DeviceLog, "owner", "device")), Some((id, false)));
        let own = |opened_by| {
            let event = SecurityEvent::new(UnixTime(0), Kind::Deviation, Outcome::Failure);
            event.actor(&format!("device {ID}")).detail("opened_by", opened_by)
        };
        assert_eq!(of(own("device")), Some((id, true)));
        assert_eq!(of(own("peer")), Some((id, false)), "a stranger came");
    }

    #[test]
    fn whom_it_is_about_comes_back() {
        for about in [
            About::Device(ID.parse().unwrap()),
            About::Product("acme/gate-3".into()),
            About::Source("192.0.2.1".parse().unwrap()),
            About::Person("person acme/aiko".into()),
            About::Organisation,
        ] {
            assert_eq!(About::parse(&about.to_string()), Some(about));
        }
        for wrong in ["", "device", "device x", "product ", "source ", "organisation x", "x y"] {
            assert_eq!(About::parse(wrong), None, "{wrong}");
        }
    }
}
