//! A policy set: parsed, valid by the schema, and decided with.

use crate::{
    facts::{Commander, DeviceFacts, MemberFacts, PeerFacts, Question, is_reserved, path_of},
    guard,
    problem::problem_of,
};
use admission::{Direction, PolicyAnswer, Problem, Problems, Says, one_line};
use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Request, RestrictedExpression, Schema,
    ValidationMode, Validator,
};
use miette::Diagnostic;
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    ops::Range,
    str::FromStr as _,
    sync::OnceLock,
};

/// The schema, as docs/policies.md publishes it.
pub const SCHEMA: &str = include_str!("schema.cedarschema");
/// Longest id of a policy, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Policies of an organisation that are valid by [`SCHEMA`].
pub struct Policies {
    set: PolicySet,
    ids: Vec<String>,
    /// what is asked about devices that speak to each other, and as it is written
    peers: (PolicySet, String),
    warnings: Vec<Problem>,
    frame: &'static Frame,
    authorizer: Authorizer,
}

/// What all sets have in common.
struct Frame {
    schema: Schema,
    actions: Vec<Entity>,
    types: Types,
}

struct Types {
    organisation: EntityTypeName,
    product: EntityTypeName,
    device: EntityTypeName,
    member: EntityTypeName,
    topic: EntityTypeName,
    action: EntityTypeName,
}

/// What a set says, and what went wrong while it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// the answer, for [`admission::decide`]
    pub answer: PolicyAnswer,
    /// policies that failed: then nothing is permitted by any
    pub failed: Vec<String>,
}

fn frame() -> Result<&'static Frame, Problems> {
    static FRAME: OnceLock<Result<Frame, String>> = OnceLock::new();
    let frame = FRAME.get_or_init(|| Frame::new().map_err(|error| error.to_string()));
    frame.as_ref().map_err(|error| {
        // A test keeps that from ever happening.
        Problem::new((0, 0), format!("the schema does not parse: {error}"), "report this").into()
    })
}

impl Frame {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let (schema, _warnings) = Schema::from_cedarschema_str(SCHEMA)?;
        let actions = schema.action_entities()?.iter().cloned().collect();
        let types = Types {
            organisation: EntityTypeName::from_str("Organisation")?,
            product: EntityTypeName::from_str("Product")?,
            device: EntityTypeName::from_str("Device")?,
            member: EntityTypeName::from_str("Member")?,
            topic: EntityTypeName::from_str("Topic")?,
            action: EntityTypeName::from_str("Action")?,
        };
        Ok(Self { schema, actions, types })
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("ids", &self.ids).finish_non_exhaustive()
    }
}

const WRITE_ID: &str =
    r#"write @id("a-name") in front of it: decisions name the policies that made them"#;

impl Policies {
    /// Reads a policy set. Each policy has an `@id`, which is its own.
    ///
    /// # Errors
    /// [`Problems`], with places and hints.
    pub fn parse(text: &str) -> Result<Self, Problems> {
        let frame = frame()?;
        let places = guard::check(text)?;
        let parsed = PolicySet::from_str(text).map_err(|errors| {
            let hint = "see docs/policies.md for examples";
            let related = errors.related().into_iter().flatten();
            let all: Vec<_> = std::iter::once(problem_of(text, &errors, hint))
                .chain(related.map(|it| problem_of(text, it, hint)))
                .collect();
            Problems::of(all)
        })?;
        if parsed.num_of_templates() > 0 {
            let hint = "name the class of devices instead of ?principal and ?resource";
            return Err(Problem::new((0, 0), "templates are not taken", hint).into());
        }
        let (set, ids) = named(text, &parsed, &places)?;
        let peers = for_peers(text, &set, &ids, &places)?;
        let validated = Validator::new(frame.schema.clone()).validate(&set, ValidationMode::Strict);
        let hint = "docs/policies.md has the schema";
        let wrong: Vec<_> =
            validated.validation_errors().map(|it| problem_of(text, it, hint)).collect();
        if !wrong.is_empty() {
            return Err(Problems::of(wrong));
        }
        let warnings = validated.validation_warnings();
        let warnings = Problems::of(warnings.map(|it| problem_of(text, it, hint))).0;
        Ok(Self { set, ids, peers, warnings, frame, authorizer: Authorizer::new() })
    }

    /// Ids of the policies, in the order of the text.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What is asked about devices that speak to each other, as it is written: policies that name the
    /// action `peer` or `peer-foreign`, and those that forbid every action. One that permits every action was not written
    /// with devices in mind that nobody watches. Empty where there are none.
    pub fn for_peers(&self) -> &str {
        &self.peers.1
    }

    /// What is allowed and yet looks like a mistake, such as a policy that can never apply.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// What the set says.
    ///
    /// Nothing is ever said of what is not the asker's own organisation's, and nobody is permitted to
    /// publish where commands and settings come from. A policy that fails while it is asked (an
    /// overflow) permits nothing, and keeps the others from permitting anything.
    pub fn ask(&self, question: &Question<'_>) -> Verdict {
        if !within(question) {
            return Verdict::default();
        }
        let (request, entities) = match self.request(question) {
            Ok(asked) => asked,
            // Not reached: what is asked follows the schema. Nothing is permitted by it.
            Err(error) => {
                let failed = vec![one_line(&error.to_string())];
                return Verdict { failed, ..Verdict::default() };
            }
        };
        let set = match question {
            Question::Peer { .. } => &self.peers.0,
            Question::Topic { .. } | Question::Command { .. } => &self.set,
        };
        let response = self.authorizer.is_authorized(&request, set, &entities);
        let diagnostics = response.diagnostics();
        let ids = diagnostics.reason().map(|id| AsRef::<str>::as_ref(id).to_owned());
        let because: Vec<String> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let failed: Vec<String> =
            diagnostics.errors().map(|error| one_line(&error.to_string())).collect();
        let says = match response.decision() {
            Decision::Allow if failed.is_empty() => Says::Permit,
            Decision::Deny if !because.is_empty() => Says::Forbid,
            Decision::Allow | Decision::Deny => Says::Nothing,
        };
        let because = if says == Says::Nothing { Vec::new() } else { because };
        Verdict { answer: PolicyAnswer { says, because }, failed }
    }

    fn request(
        &self,
        question: &Question<'_>,
    ) -> Result<(Request, Entities), Box<dyn std::error::Error>> {
        let types = &self.frame.types;
        let mut all = Gathered { types, entities: HashMap::new() };
        let (principal, action, resource, context) = match question {
            Question::Topic { by, direction, topic, space } => {
                let principal = all.device(by);
                let resource = all.topic(by, topic, *space)?;
                (principal, direction.name(), resource, Context::empty())
            }
            Question::Command { by, device, name } => {
                let principal = match by {
                    Commander::Device(device) => all.device(device),
                    Commander::Member(member) => all.member(member)?,
                };
                let name = RestrictedExpression::new_string(name.as_str().to_owned());
                let context = Context::from_pairs([("name".to_owned(), name)])?;
                (principal, "command", all.device(device), context)
            }
            Question::Peer { of, by, to, operation } => {
                let ours = |one: &PeerFacts| one.owner.as_ref() == Some(*of);
                // What was written for the organisation's own devices opens nothing to others.
                let action = if ours(by) && ours(to) { PEER } else { PEER_FOREIGN };
                let operation = RestrictedExpression::new_string(operation.as_str().to_owned());
                let context = Context::from_pairs([("operation".to_owned(), operation)])?;
                (all.peer(by), action, all.peer(to), context)
            }
        };
        let action = uid(&types.action, action);
        let request = Request::new(principal, action, resource, context, None)?;
        let entities = all.entities.into_values().chain(self.frame.actions.iter().cloned());
        Ok((request, Entities::from_entities(entities, None)?))
    }
}

/// Whether the question stays within one organisation, and within what policies may open.
fn within(question: &Question<'_>) -> bool {
    match question {
        Question::Topic { by, direction, topic, space } => {
            let ours = space.is_none_or(|space| space.owner == by.owner);
            let path = path_of(topic);
            let open = *direction != Direction::Publish || !is_reserved(path);
            ours && open && !path.is_empty()
        }
        Question::Command { by, device, .. } => {
            let of = match by {
                Commander::Device(by) => &by.owner,
                Commander::Member(by) => &by.organisation,
            };
            *of == device.owner
        }
        Question::Peer { of, by, to, .. } => {
            [by, to].into_iter().any(|one| one.owner.as_ref() == Some(*of))
        }
    }
}

/// What a policy says that is about devices which speak to each other.
const PEER: &str = "peer";
/// The same where one of the two is not the organisation's own.
const PEER_FOREIGN: &str = "peer-foreign";

/// The policies that say something of devices which speak to each other, and as they are written.
fn for_peers(
    text: &str,
    set: &PolicySet,
    ids: &[String],
    places: &[Range<usize>],
) -> Result<(PolicySet, String), Problems> {
    let is_peer = |action: &EntityUid| [PEER, PEER_FOREIGN].contains(&action.id().unescaped());
    let (mut found, mut written) = (Vec::new(), String::new());
    for (id, place) in ids.iter().zip(places) {
        let Some(policy) = set.policy(&PolicyId::new(id)) else { continue };
        let wanted = match policy.action_constraint() {
            ActionConstraint::Any => policy.effect() == Effect::Forbid,
            // No group has them.
            ActionConstraint::Eq(action) => is_peer(&action),
            ActionConstraint::In(actions) => actions.iter().any(is_peer),
        };
        if wanted && let Some(text) = text.get(place.clone()) {
            found.push(policy.clone());
            written.push_str(text);
            written.push('\n');
        }
    }
    let found = PolicySet::from_policies(found).map_err(|error| {
        Problems::from(problem_of(text, &error, "give each policy an id of its own"))
    })?;
    Ok((found, written))
}

/// Cedar numbers policies in the order of the text.
fn numbered(at: usize) -> PolicyId {
    PolicyId::new(format!("policy{at}"))
}

/// The policies by the names that they give themselves.
fn named(
    text: &str,
    parsed: &PolicySet,
    places: &[Range<usize>],
) -> Result<(PolicySet, Vec<String>), Problems> {
    let mut problems = Vec::new();
    let mut ids: Vec<String> = Vec::new();
    let mut policies = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let Some(policy) = parsed.policy(&numbered(at)) else { continue };
        let place = admission::place_of(text, place.start);
        let id = policy.annotation("id").unwrap_or_default();
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let (message, hint) = if id.is_empty() {
            ("the policy has no id".to_owned(), WRITE_ID)
        } else if id.len() > ID_BYTES_MAX || !id.chars().all(letters) {
            let hint = "an id has at most 64 small letters, digits and hyphens";
            ("the policy's id cannot be used".to_owned(), hint)
        } else if id == admission::OWN_SPACE {
            (format!("{id} is what decisions say of a device's own space"), "choose another id")
        } else if ids.iter().any(|known| known == id) {
            (format!("the id {id} stands twice"), "give each policy an id of its own")
        } else {
            ids.push(id.to_owned());
            policies.push(policy.new_id(PolicyId::new(id)));
            continue;
        };
        problems.push(Problem::new(place, message, hint));
    }
    if problems.is_empty() && policies.len() != parsed.num_of_policies() {
        let hint = "end each policy with a semicolon of its own";
        problems.push(Problem::new((0, 0), "the policies cannot be told apart", hint));
    }
    if !problems.is_empty() {
        return Err(Problems::of(problems));
    }
    let set = PolicySet::from_policies(policies).map_err(|error| {
        Problems::from(problem_of(text, &error, "give each policy an id of its own"))
    })?;
    Ok((set, ids))
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// The entities of one question.
struct Gathered<'a> {
    types: &'a Types,
    entities: HashMap<EntityUid, Entity>,
}

impl Gathered<'_> {
    fn add(&mut self, entity: Entity) -> EntityUid {
        let uid = entity.uid();
        self.entities.entry(uid.clone()).or_insert(entity);
        uid
    }

    fn bare(&mut self, uid: EntityUid) -> EntityUid {
        self.add(Entity::new_no_attrs(uid, HashSet::new()))
    }

    fn device(&mut self, facts: &DeviceFacts) -> EntityUid {
        self.peer(&facts.into())
    }

    fn peer(&mut self, facts: &PeerFacts) -> EntityUid {
        let owner = facts.owner.as_ref();
        let owner = owner.map(|it| self.bare(uid(&self.types.organisation, it.as_str())));
        let product = facts.product.as_ref().map(|(maker, product)| {
            self.bare(uid(&self.types.product, &format!("{maker}/{product}")))
        });
        let parents = product.into_iter().chain(owner).collect();
        let device = uid(&self.types.device, &facts.device.to_string());
        self.add(Entity::new_no_attrs(device, parents))
    }

    fn member(&mut self, facts: &MemberFacts) -> Result<EntityUid, Box<dyn std::error::Error>> {
        let organisation = self.bare(uid(&self.types.organisation, facts.organisation.as_str()));
        let roles = facts.roles.iter().cloned().map(RestrictedExpression::new_string);
        let attributes = [("roles".to_owned(), RestrictedExpression::new_set(roles))];
        let member = uid(&self.types.member, &facts.name);
        let parents = HashSet::from([organisation]);
        Ok(self.add(Entity::new(member, HashMap::from(attributes), parents)?))
    }

    fn topic(
        &mut self,
        by: &DeviceFacts,
        topic: &str,
        space: Option<&DeviceFacts>,
    ) -> Result<EntityUid, Box<dyn std::error::Error>> {
        let path = path_of(topic);
        let branch = path.split('/').next().unwrap_or_default();
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let own = space.is_some_and(|space| space.device == by.device);
        let mut attributes = HashMap::from([
            ("name".to_owned(), text(topic)),
            ("path".to_owned(), text(path)),
            ("branch".to_owned(), text(branch)),
            ("wildcard".to_owned(), RestrictedExpression::new_bool(topic.contains(['+', '#']))),
            ("own".to_owned(), RestrictedExpression::new_bool(own)),
        ]);
        let parents = match space {
            Some(space) => {
                let device = self.device(space);
                let whose = RestrictedExpression::new_entity_uid(device.clone());
                attributes.insert("device".to_owned(), whose);
                HashSet::from([device])
            }
            None => HashSet::from([self.bare(uid(&self.types.organisation, by.owner.as_str()))]),
        };
        let topic = uid(&self.types.topic, topic);
        Ok(self.add(Entity::new(topic, attributes, parents)?))
    }
}

/// What the policies of a text do, for lists: id and whether it permits.
impl Policies {
    /// Ids with what each does: `true` where it permits.
    pub fn effects(&self) -> Vec<(String, bool)> {
        let effect = |id: &String| {
            let policy = self.set.policy(&PolicyId::new(id));
            policy.is_some_and(|policy| policy.effect() == Effect::Permit)
        };
        self.ids.iter().map(|id| (id.clone(), effect(id))).collect()
    }
}
