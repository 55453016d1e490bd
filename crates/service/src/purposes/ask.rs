//! A message is held against what its owner agreed to.

use crate::{DoorSender, Service, ServiceError, store::purpose as store};
use admission::{
    Basis, ConsentDecision, Decided, Purposes, Said, TopicFilter, TopicName, TopicUses,
    stands_since,
};
use crypto::UnixTime;
use std::sync::Arc;

/// The purposes of a device's product line, and since when each stands for it.
#[derive(Debug, Default)]
pub(crate) struct DevicePurposes {
    /// row of the product line
    product: Option<i64>,
    line: Arc<Purposes>,
    /// topics on which the device must sign
    signed: Arc<Purposes>,
    /// and those on which it must encrypt besides
    encrypted: Arc<Purposes>,
    since: Vec<Option<UnixTime>>,
    /// when those began that nobody withdrew: what came before was free of them
    begun: Vec<Option<UnixTime>>,
}

/// Decisions of a kind by which it is seen since when a purpose stands.
const DECISIONS: usize = 64;

/// The purpose that a route serves: the row of its product line, and its name.
pub(crate) type Served = (i64, String);

impl DevicePurposes {
    /// Whether they are a product line's, by its row.
    pub(crate) fn is_of(&self, product: i64) -> bool {
        self.product == Some(product)
    }

    /// Whether they leave everything as it is.
    fn asks_nothing(&self) -> bool {
        self.line.is_empty() && self.signed.is_empty() && self.encrypted.is_empty()
    }
}

/// What a message may be used for: by the purposes of the device in whose space it is, and of its sender's,
/// where that is another.
#[derive(Debug, Default)]
pub(crate) struct MessageUses(Vec<(Arc<DevicePurposes>, TopicUses)>, Wanted);

/// How a message must be protected.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted {
    signed: bool,
    encrypted: bool,
}

impl MessageUses {
    /// Whether it may come in.
    pub(crate) fn admitted(&self) -> bool {
        self.0.iter().all(|(_, uses)| uses.admitted())
    }

    /// Whether it may go by a route, which may serve one purpose.
    pub(crate) fn goes_by(&self, purpose: Option<&Served>) -> bool {
        let Some((product, purpose)) = purpose else {
            return self.0.iter().all(|(_, uses)| uses.unrestricted());
        };
        let serves = |(all, uses): &(Arc<DevicePurposes>, TopicUses)| {
            // Another product line may have a purpose of that name, which is another.
            all.is_of(*product) && all.line.place(purpose).is_some_and(|place| uses.serves(place))
        };
        self.0.iter().any(serves) && self.0.iter().all(|it| serves(it) || it.1.is_free())
    }

    /// Whether what is not signed is refused.
    pub(crate) fn wants_signature(&self) -> bool {
        self.1.signed || self.1.encrypted
    }

    /// Why a message is refused that is not protected as it must be.
    pub(crate) fn lacks(&self, signed: bool, encrypted: bool) -> Option<&'static str> {
        match () {
            () if self.1.encrypted && !encrypted => {
                Some("what this topic carries must be encrypted")
            }
            () if self.1.signed && !signed => Some("what this topic carries must be signed"),
            () => None,
        }
    }

    /// For the owner: which purposes are not agreed to.
    pub(crate) fn told(&self) -> String {
        let refused = self.0.iter().flat_map(|(all, uses)| all.line.refused(*uses));
        format!("not agreed to: {}", refused.collect::<Vec<_>>().join(", "))
    }
}

impl Service {
    /// The purposes of a product line. From memory, but for the first time.
    fn purposes_of_line(&self, product: i64) -> Result<Arc<LinePurposes>, ServiceError> {
        self.live.purposes.get_or_load(product, || {
            let rows = self.read(|connection| store::of_product(connection, product))?;
            let filters = |row: &store::PurposeRow| {
                // What was put was read: a row that says something else is damaged, and what it is about
                // cannot be known.
                let read = row.says.topics.iter().map(|topic| TopicFilter::new(topic.as_str()));
                read.collect::<Result<Vec<_>, _>>()
                    .map_err(|_| ServiceError::fatal("store-damaged", "a purpose's row is damaged"))
            };
            let mut all = Vec::new();
            for row in &rows {
                all.push((row.name.as_str(), filters(row)?));
            }
            let topics = Arc::new(Purposes::new(all));
            let wanted = self.read(|connection| store::signed_topics(connection, product))?;
            let (signed, encrypted) =
                wanted.map(|(signed, encrypted, ..)| (signed, encrypted)).unwrap_or_default();
            let wanted = |wanted: &[String]| {
                let wanted = wanted.iter().map(|topic| TopicFilter::new(topic.as_str()));
                let wanted: Vec<_> = wanted.collect::<Result<_, _>>().map_err(|_| {
                    let message = "a product line's signed topics are damaged";
                    ServiceError::fatal("store-damaged", message)
                })?;
                let wanted = (!wanted.is_empty()).then_some(("wanted", wanted));
                Ok::<_, ServiceError>(Arc::new(Purposes::new(wanted)))
            };
            let (signed, encrypted) = (wanted(&signed)?, wanted(&encrypted)?);
            Ok(Arc::new(LinePurposes { topics, signed, encrypted, rows }))
        })
    }

    /// What stands for a device of an owner, by their rows. From memory, but for the first time.
    pub(crate) fn purposes_of_device(
        &self,
        device: i64,
        owner: i64,
    ) -> Result<Arc<DevicePurposes>, ServiceError> {
        self.live.device_purposes.get_or_load((device, owner), || {
            let facts = self.read(|connection| store::owner_and_product(connection, device))?;
            let Some((owner_now, Some(product))) = facts else { return Ok(Arc::default()) };
            let line = self.purposes_of_line(product)?;
            let (since, begun) = self.read(|connection| {
                let (mut since, mut begun) = (Vec::new(), Vec::new());
                for row in &line.rows {
                    let of = (owner, row.purpose);
                    let decided: (Vec<Decided>, Vec<Decided>) = match row.says.basis {
                        Basis::Consent => (
                            store::decided_last(connection, of, None, DECISIONS)?,
                            store::decided_last(connection, of, Some(device), DECISIONS)?,
                        ),
                        Basis::Necessary(_) => (Vec::new(), Vec::new()),
                    };
                    let both = (&*decided.0, &*decided.1);
                    let stands = stands_since(&row.says.basis, row.version, both, DECISIONS);
                    // With another owner its word is over, whatever it was.
                    let needs = row.says.basis == Basis::Consent && owner_now != owner;
                    since.push(stands.filter(|_| !row.ended && !needs));
                    let withdrawn = both
                        .0
                        .iter()
                        .chain(both.1)
                        .any(|it| it.decision == ConsentDecision::Withdrawn);
                    begun.push((!withdrawn && !needs).then_some(row.begun_at));
                }
                Ok((since, begun))
            })?;
            Ok(Arc::new(DevicePurposes {
                product: Some(product),
                line: Arc::clone(&line.topics),
                signed: Arc::clone(&line.signed),
                encrypted: Arc::clone(&line.encrypted),
                since,
                begun,
            }))
        })
    }

    /// What a message may be used for; `received_at`: where it is not coming in now.
    pub(crate) fn message_uses(
        &self,
        (device, owner): (i64, i64),
        path: &str,
        received_at: Option<UnixTime>,
    ) -> Result<MessageUses, ServiceError> {
        let mut all = MessageUses::default();
        self.add_uses(&mut all, (device, owner), (path, true), received_at)?;
        Ok(all)
    }

    /// As [`Self::message_uses`], of a topic in another device's space, which is named whole: that device's
    /// purposes count, and the sender's too.
    pub(crate) fn message_uses_beside(
        &self,
        (device, owner): (i64, i64),
        whole: &str,
        received_at: Option<UnixTime>,
    ) -> Result<MessageUses, ServiceError> {
        let permission::Whose::Device(other) = permission::Whose::of(whole) else {
            return self.message_uses((device, owner), whole, received_at);
        };
        let path = whole.splitn(3, '/').nth(2).unwrap_or_default();
        let mut all = MessageUses::default();
        self.add_uses(&mut all, (device, owner), (path, false), received_at)?;
        if let Some(found) = self.device_facts(&other)? {
            self.add_uses(&mut all, (found.row, owner), (path, false), received_at)?;
        }
        Ok(all)
    }

    fn add_uses(
        &self,
        all: &mut MessageUses,
        (device, owner): (i64, i64),
        (path, own): (&str, bool),
        received_at: Option<UnixTime>,
    ) -> Result<(), ServiceError> {
        let of = (device, owner);
        if self.live.device_purposes.ask(&of, |known| known.asks_nothing()) == Some(true) {
            return Ok(());
        }
        let known = self.purposes_of_device(device, owner)?;
        if known.asks_nothing() {
            return Ok(());
        }
        // The root of a space is no name of a topic, and no filter speaks of it.
        let Ok(topic) = TopicName::new(path) else { return Ok(()) };
        // Where nobody signed, nothing stands.
        all.1.signed |= !known.signed.of(&topic, &[]).is_free();
        all.1.encrypted |= !known.encrypted.of(&topic, &[]).is_free();
        if own && is_for_platform(path) {
            return Ok(());
        }
        let uses = known.line.of_received(&topic, &known.since, &known.begun, received_at);
        all.0.push((known, uses));
        Ok(())
    }

    /// Whether a device may be sent what others say on a topic, for want of consent: of the device in whose
    /// space it is.
    pub(crate) fn may_be_used(
        &self,
        sender: &DoorSender,
        topic: &TopicName,
        received_at: Option<UnixTime>,
    ) -> bool {
        let own = topic.as_str().strip_prefix(sender.space().root());
        let uses = match own.and_then(|rest| rest.strip_prefix('/')) {
            Some(own) => self.message_uses(sender.rows(), own, received_at),
            None => {
                let permission::Whose::Device(device) = permission::Whose::of(topic.as_str())
                else {
                    return true;
                };
                self.device_facts(&device).and_then(|found| {
                    let Some(found) = found else { return Ok(MessageUses::default()) };
                    let path = topic.as_str().splitn(3, '/').nth(2).unwrap_or_default();
                    self.message_uses((found.row, found.owner), path, received_at)
                })
            }
        };
        match uses {
            Ok(uses) => uses.admitted(),
            Err(error) => {
                tracing::error!(%error, "purposes could not be looked up: nothing is sent");
                false
            }
        }
    }
}

/// What goes to the platform itself has forms of its own, and serves the device's security and care.
fn is_for_platform(path: &str) -> bool {
    path.starts_with("up/") && !matches!(Said::read(path, b""), Ok(None))
}

/// The purposes of a product line, with their texts.
#[derive(Debug)]
pub(crate) struct LinePurposes {
    topics: Arc<Purposes>,
    signed: Arc<Purposes>,
    encrypted: Arc<Purposes>,
    pub(super) rows: Vec<store::PurposeRow>,
}
