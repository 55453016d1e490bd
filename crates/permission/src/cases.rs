//! Cases: what a policy set is to allow and refuse, written down by who writes the set, and tried
//! before the set may be in force. The same file is tried by `tegata policy test` without a server.

use crate::{
    facts::{Commander, DeviceFacts, MemberFacts, PeerFacts, Question},
    set::Policies,
    space::{Bound, decide_topic},
};
use admission::{
    CommandName, Direction, OWN, Problem, Problems, Says, TopicFilter, TopicName, one_line,
};
use device::{DeviceId, OrganisationId};
use serde::Deserialize;
use serde_saphyr::{Spanned, options::DuplicateKeyPolicy};
use std::collections::{BTreeMap, BTreeSet};

/// Longest file of cases, in bytes.
pub const CASES_BYTES_MAX: usize = 128 * 1024;
/// Most cases of a set. A set of as many policies as there may be tries all of them in some 50 ms.
pub const CASES_MAX: usize = 300;
/// Most devices and members that cases speak of.
const DEVICES_MAX: usize = 200;
/// Nodes of a file: mappings, lists and values.
const NODES_MAX: usize = 10_000;
/// Longest name of a case, a device or a member, in characters.
const NAME_CHARACTERS_MAX: usize = 120;
/// What is written as the owner of a device whose owner is not known.
const NO_OWNER: &str = "none";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    organisation: Spanned<String>,
    #[serde(default)]
    devices: BTreeMap<String, Spanned<RawDevice>>,
    #[serde(default)]
    members: BTreeMap<String, Spanned<RawMember>>,
    cases: Vec<Spanned<RawCase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDevice {
    id: Option<String>,
    product: Option<String>,
    owner: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    by: String,
    does: Does,
    topic: Option<String>,
    device: Option<String>,
    command: Option<String>,
    operation: Option<String>,
    expect: Expected,
    because: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Does {
    Publish,
    Subscribe,
    Receive,
    Command,
    Peer,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allowed,
    Refused,
}

/// Cases that make sense: every device that they speak of is there.
#[derive(Debug, Clone)]
pub struct Cases {
    organisation: OrganisationId,
    devices: BTreeMap<String, DeviceFacts>,
    cases: Vec<Case>,
}

#[derive(Debug, Clone)]
struct Case {
    name: String,
    what: What,
    allowed: bool,
    because: Option<BTreeSet<String>>,
}

#[derive(Debug, Clone)]
enum What {
    Topic { by: DeviceFacts, direction: Direction, topic: String },
    Command { by: Who, device: DeviceFacts, name: CommandName },
    Peer { by: PeerFacts, to: PeerFacts, operation: CommandName },
}

#[derive(Debug, Clone)]
enum Who {
    Device(DeviceFacts),
    Member(MemberFacts),
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// its name
    pub name: String,
    /// whether it came out as expected
    pub passed: bool,
    /// whether it was allowed
    pub allowed: bool,
    /// what decided: ids of policies, or the own space; empty where nothing allows it
    pub because: Vec<String>,
    /// what was expected instead, where it did not pass
    pub instead: Option<String>,
}

/// What came of all cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// one by one, in their order
    pub cases: Vec<Tried>,
    /// ids of policies that decided no case: nothing is known of them
    pub untried: Vec<String>,
}

impl Report {
    /// Whether every case came out as expected.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.passed)
    }

    /// How many did not.
    pub fn failures(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed).count()
    }
}

impl Cases {
    /// Reads cases from YAML, of which JSON is a part.
    ///
    /// # Errors
    /// [`Problems`], with places and hints.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        if text.len() > CASES_BYTES_MAX {
            let message = format!("the cases have more than {CASES_BYTES_MAX} bytes");
            return Err(Problem::new((0, 0), message, "write fewer cases").into());
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_events: 4 * NODES_MAX,
                max_nodes: NODES_MAX,
                max_depth: 8,
                max_aliases: 0,
                max_anchors: 0,
                max_documents: 1,
                max_merge_keys: 0,
                max_total_scalar_bytes: CASES_BYTES_MAX,
            },
            duplicate_keys: DuplicateKeyPolicy::Error,
            strict_booleans: true,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        let raw: RawFile = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map_or((0, 0), |place| {
                (
                    usize::try_from(place.line()).unwrap_or(0),
                    usize::try_from(place.column()).unwrap_or(0),
                )
            });
            let message = one_line(&error.render());
            Problems::from(Problem::new(place, message, "docs/policies.md has an example"))
        })?;
        Self::check(raw)
    }

    /// Whose policies they are for.
    pub fn organisation(&self) -> &OrganisationId {
        &self.organisation
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cases.len()
    }

    fn check(raw: RawFile) -> Result<Self, Problems> {
        let at = |line: u64| (usize::try_from(line).unwrap_or(0), 0);
        let line = at(raw.organisation.referenced.line());
        let organisation = slug(&raw.organisation.value, line)?;
        if raw.cases.is_empty() || raw.cases.len() > CASES_MAX {
            let message = format!("there are {} cases", raw.cases.len());
            let hint = format!("write 1 to {CASES_MAX}");
            return Err(Problem::new((0, 0), message, hint).into());
        }
        if raw.devices.len().saturating_add(raw.members.len()) > DEVICES_MAX {
            let message = format!("there are more than {DEVICES_MAX} devices and members");
            return Err(Problem::new((0, 0), message, "one of each class does").into());
        }
        let mut devices = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for (name, device) in raw.devices {
            let line = at(device.referenced.line());
            named(&name, line)?;
            let facts = facts(&name, &device.value, &organisation, line)?;
            if !ids.insert(facts.device) {
                let message = format!("two devices have the id {}", facts.device);
                return Err(Problem::new(line, message, "give each its own, or none").into());
            }
            devices.insert(name, facts);
        }
        let mut members = BTreeMap::new();
        for (name, member) in raw.members {
            let line = at(member.referenced.line());
            named(&name, line)?;
            if devices.contains_key(&name) {
                let message = format!("{name} is a device and a member");
                return Err(Problem::new(line, message, "give one another name").into());
            }
            let roles = member.value.roles;
            members.insert(
                name.clone(),
                MemberFacts { name, organisation: organisation.clone(), roles },
            );
        }
        let mut cases = Vec::with_capacity(raw.cases.len());
        for case in raw.cases {
            let line = at(case.referenced.line());
            cases.push(Case::check(case.value, &devices, &members, line)?);
        }
        let owned = |(name, facts): (String, PeerFacts)| facts.owned().map(|facts| (name, facts));
        let devices = devices.into_iter().filter_map(owned).collect();
        Ok(Self { organisation, devices, cases })
    }

    /// Tries them.
    pub fn run(&self, policies: &Policies) -> Report {
        let mut decided = BTreeSet::new();
        let cases = self
            .cases
            .iter()
            .map(|case| {
                let (allowed, because, failed) = self.decide(case, policies);
                decided.extend(because.iter().cloned());
                let found: BTreeSet<_> = because.iter().cloned().collect();
                let right = case.because.as_ref().is_none_or(|expected| *expected == found);
                let passed = allowed == case.allowed && right && failed.is_empty();
                let instead = (!passed).then(|| match failed.first() {
                    Some(failed) => format!("a policy failed: {failed}"),
                    None => case.expectation(),
                });
                Tried { name: case.name.clone(), passed, allowed, because, instead }
            })
            .collect();
        let untried = policies.ids().iter().filter(|id| !decided.contains(*id)).cloned().collect();
        Report { cases, untried }
    }

    fn decide(&self, case: &Case, policies: &Policies) -> (bool, Vec<String>, Vec<String>) {
        match &case.what {
            What::Topic { by, direction, topic } => {
                let known = |device: &DeviceId| {
                    let found = self.devices.values().find(|facts| facts.device == *device);
                    found.filter(|facts| facts.owner == by.owner).cloned()
                };
                let bound = Bound { policies, by, known };
                let (decision, failed) = decide_topic(&bound, *direction, topic);
                (decision.allowed, decision.because, failed)
            }
            What::Command { by, device, name } => {
                let by = match by {
                    Who::Device(facts) => Commander::Device(facts),
                    Who::Member(facts) => Commander::Member(facts),
                };
                let verdict = policies.ask(&Question::Command { by, device, name });
                let answer = verdict.answer;
                (answer.says == Says::Permit, answer.because, verdict.failed)
            }
            What::Peer { by, to, operation } => {
                let of = &self.organisation;
                let verdict = policies.ask(&Question::Peer { of, by, to, operation });
                let answer = verdict.answer;
                (answer.says == Says::Permit, answer.because, verdict.failed)
            }
        }
    }
}

impl Case {
    fn check(
        raw: RawCase,
        devices: &BTreeMap<String, PeerFacts>,
        members: &BTreeMap<String, MemberFacts>,
        line: (usize, usize),
    ) -> Result<Self, Problems> {
        named(&raw.name, line)?;
        let wrong = |message: String, hint: &str| Problems::from(Problem::new(line, message, hint));
        let peer_of = |name: &str| {
            let hint = "write it below devices, with its product line";
            devices
                .get(name)
                .cloned()
                .ok_or_else(|| wrong(format!("no device is called {name}"), hint))
        };
        let device = |name: &str| {
            let hint = "write its owner; a device whose owner is not known is for peer alone";
            let message = || format!("{name} has no owner");
            peer_of(name)?.owned().ok_or_else(|| wrong(message(), hint))
        };
        let direction = match raw.does {
            Does::Publish => Some(Direction::Publish),
            Does::Subscribe => Some(Direction::Subscribe),
            Does::Receive => Some(Direction::Receive),
            Does::Command | Does::Peer => None,
        };
        let peer = matches!(raw.does, Does::Peer);
        let named = match (peer, raw.command, raw.operation) {
            (true, None, operation) => operation,
            (false, command, None) => command,
            _ => None,
        };
        let what = match (direction, raw.topic, raw.device, named) {
            (Some(direction), Some(topic), None, None) => {
                let by = device(&raw.by)?;
                let topic = absolute(&topic, &by, devices);
                let read = match direction {
                    Direction::Subscribe => TopicFilter::new(topic.as_str()).map(drop),
                    Direction::Publish | Direction::Receive => {
                        TopicName::new(topic.as_str()).map(drop)
                    }
                };
                read.map_err(|error| wrong(error.to_string(), "d/NAME/… or me/…"))?;
                What::Topic { by, direction, topic }
            }
            (None, None, Some(to), Some(name)) if peer => {
                let operation = CommandName::new(&name)
                    .map_err(|error| wrong(error.to_string(), "such as open"))?;
                What::Peer { by: peer_of(&raw.by)?, to: peer_of(&to)?, operation }
            }
            (None, None, Some(to), Some(name)) => {
                let by = match members.get(&raw.by) {
                    Some(member) => Who::Member(member.clone()),
                    None => Who::Device(device(&raw.by)?),
                };
                let name = CommandName::new(&name)
                    .map_err(|error| wrong(error.to_string(), "such as restart"))?;
                What::Command { by, device: device(&to)?, name }
            }
            _ => {
                let hint = "publish, subscribe and receive have a topic; command has a device and \
                            a command, peer a device and an operation";
                return Err(wrong("the case asks for nothing, or for two things".to_owned(), hint));
            }
        };
        Ok(Self {
            name: raw.name,
            what,
            allowed: raw.expect == Expected::Allowed,
            because: raw.because.map(|ids| ids.into_iter().collect()),
        })
    }

    fn expectation(&self) -> String {
        let what = if self.allowed { "allowed" } else { "refused" };
        match &self.because {
            Some(ids) if !ids.is_empty() => {
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                format!("{what} by {}", ids.join(", "))
            }
            Some(_) => format!("{what} by nothing"),
            None => what.to_owned(),
        }
    }
}

/// A topic as it means: `me/…`, and names of devices in place of their ids.
fn absolute(topic: &str, by: &DeviceFacts, devices: &BTreeMap<String, PeerFacts>) -> String {
    let mut levels = topic.splitn(3, '/');
    match (levels.next(), levels.next(), levels.next()) {
        (Some(OWN), None, None) => format!("d/{}", by.device),
        (Some(OWN), Some(_), _) => {
            let rest = topic.get(OWN.len()..).unwrap_or_default();
            format!("d/{}{rest}", by.device)
        }
        (Some("d"), Some(name), rest) => match (devices.get(name), rest) {
            (Some(facts), Some(rest)) => format!("d/{}/{rest}", facts.device),
            (Some(facts), None) => format!("d/{}", facts.device),
            (None, _) => topic.to_owned(),
        },
        _ => topic.to_owned(),
    }
}

fn facts(
    name: &str,
    raw: &RawDevice,
    organisation: &OrganisationId,
    line: (usize, usize),
) -> Result<PeerFacts, Problems> {
    let wrong = |message: String, hint: &str| Problems::from(Problem::new(line, message, hint));
    let device = match &raw.id {
        Some(id) => {
            let hint = "32 hexadecimal digits in small letters, or leave it out";
            id.parse().map_err(|_| wrong(format!("{id} is no device's id"), hint))?
        }
        None => {
            let digest = crypto::sha256(format!("tegata/case/{name}").as_bytes());
            let mut bytes = [0; 16];
            for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
                *to = *from;
            }
            DeviceId::from_bytes(bytes)
        }
    };
    let product = match &raw.product {
        Some(text) => {
            let read = text
                .split_once('/')
                .and_then(|(maker, product)| Some((maker.parse().ok()?, product.parse().ok()?)));
            let hint = "write it as maker/product, such as maker-a/gateway";
            Some(read.ok_or_else(|| wrong(format!("{text} is no product line"), hint))?)
        }
        None => None,
    };
    let owner = match &raw.owner {
        Some(owner) if owner == NO_OWNER => None,
        Some(owner) => Some(slug(owner, line)?),
        None => Some(organisation.clone()),
    };
    Ok(PeerFacts { device, owner, product })
}

fn slug(text: &str, line: (usize, usize)) -> Result<OrganisationId, Problems> {
    text.parse().map_err(|_| {
        let message = format!("{text} is no organisation");
        Problem::new(line, message, "write its short name, such as plant").into()
    })
}

fn named(name: &str, line: (usize, usize)) -> Result<(), Problems> {
    let good = !name.is_empty()
        && name.chars().count() <= NAME_CHARACTERS_MAX
        && !name.chars().any(char::is_control);
    if good {
        return Ok(());
    }
    let hint = "1 to 120 characters without control characters";
    Err(Problem::new(line, "a name cannot be used", hint).into())
}
