//! Protobuf: the wire format (proto2 and proto3) against a message of a descriptor set.
//!
//! A payload has one reading: a field that may stand once stands once, of a `oneof` there is one, keys of
//! a map are unique, and numbers are written in as few bytes as they need. Readers disagree about the
//! rest, and what one of them shows is not what another acts on.

use crate::{
    Broken, DEPTH_MAX, DESCRIPTORS_BYTES_MAX, Definition, FormatError,
    place::{Place, Step, Violation},
    steps::{Exhausted, Steps, of_bytes},
};
use admission::{Problem, Problems, one_line};
use prost_reflect::{
    Cardinality, DescriptorPool, Kind, MessageDescriptor, prost::Message as _,
    prost_types::FileDescriptorSet,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    fmt::Display,
};

/// Messages that may be reached from one.
const MESSAGES_MAX: usize = 500;
/// Fields and values of enumerations of all of them.
const FIELDS_MAX: usize = 10_000;

/// A compiled schema: its messages, the first being the whole.
#[derive(Debug)]
pub(crate) struct Protobuf {
    messages: Vec<Message>,
    unknown_fields: bool,
}

#[derive(Debug)]
struct Message {
    name: String,
    fields: BTreeMap<u32, Field>,
    required: Vec<(u32, String)>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: What,
    list: bool,
    map: bool,
    oneof: Option<usize>,
}

#[derive(Debug)]
enum What {
    /// a varint
    Number(Number),
    Fixed32,
    Fixed64,
    Text,
    Bytes,
    Message(usize),
}

#[derive(Debug)]
enum Number {
    Bool,
    Int32,
    Uint32,
    /// 64 bits, whatever they mean
    Any,
    Sint32,
    Enum(BTreeSet<i32>),
}

/// Reads a descriptor set.
pub(crate) fn compile(definition: &Definition) -> Result<Protobuf, Problems> {
    let wrong = |message: String, hint: &str| Problems::from(Problem::new((0, 0), message, hint));
    let bytes = definition.source.as_slice();
    if bytes.len() > DESCRIPTORS_BYTES_MAX {
        let message = format!(
            "the descriptor set has {} bytes, and {DESCRIPTORS_BYTES_MAX} at most",
            bytes.len()
        );
        return Err(wrong(message, "leave out files that the message does not need"));
    }
    let none = |error: &dyn Display| {
        let hint = "make it with protoc --include_imports --descriptor_set_out=FILE";
        wrong(format!("this is no descriptor set: {}", one_line(&error.to_string())), hint)
    };
    // The pool panics where the first file has a syntax that it does not know.
    let set = FileDescriptorSet::decode(bytes).map_err(|error| none(&error))?;
    for file in &set.file {
        let syntax = file.syntax.as_deref();
        if let Some(other) = syntax.filter(|it| !["proto2", "proto3"].contains(it)) {
            let name = file.name();
            let text =
                format!("the syntax of {name:?} is {other:?}, and proto2 and proto3 are read");
            return Err(wrong(text, "write it in proto3: editions are not understood"));
        }
    }
    let pool = DescriptorPool::decode(bytes).map_err(|error| none(&error))?;
    let named = definition.root.as_deref().unwrap_or_default();
    let root = pool.get_message_by_name(named).ok_or_else(|| {
        let known: Vec<_> = pool.all_messages().filter(|it| !it.is_map_entry()).take(10).collect();
        let known: Vec<_> = known.iter().map(|it| it.full_name()).collect();
        let hint = format!("it has {}", known.join(", "));
        wrong(format!("the set has no message {named:?}"), &hint)
    })?;
    let mut reader = Reader { ids: HashMap::new(), waiting: VecDeque::new(), fields: 0 };
    reader.want(&root)?;
    let mut messages = Vec::new();
    while let Some(next) = reader.waiting.pop_front() {
        messages.push(reader.message(&next)?);
    }
    Ok(Protobuf { messages, unknown_fields: definition.unknown_fields })
}

struct Reader {
    ids: HashMap<String, usize>,
    waiting: VecDeque<MessageDescriptor>,
    fields: usize,
}

impl Reader {
    fn want(&mut self, message: &MessageDescriptor) -> Result<usize, Problems> {
        let name = message.full_name();
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let id = self.ids.len();
        if id >= MESSAGES_MAX {
            let text = format!("the message reaches more than {MESSAGES_MAX} others");
            return Err(Problem::new((0, 0), text, "a smaller message does for a topic").into());
        }
        self.ids.insert(name.to_owned(), id);
        self.waiting.push_back(message.clone());
        Ok(id)
    }

    fn count(&mut self, more: usize) -> Result<(), Problems> {
        self.fields = self.fields.saturating_add(more);
        if self.fields <= FIELDS_MAX {
            return Ok(());
        }
        let text = format!("there are more than {FIELDS_MAX} fields and values");
        Err(Problem::new((0, 0), text, "a smaller message does for a topic").into())
    }

    fn message(&mut self, message: &MessageDescriptor) -> Result<Message, Problems> {
        let mut fields = BTreeMap::new();
        let mut required = Vec::new();
        for field in message.fields() {
            self.count(1)?;
            if field.is_group() {
                let text = format!("{} is a group, which is not taken", field.full_name());
                return Err(Problem::new((0, 0), text, "make it a message").into());
            }
            let kind = match field.kind() {
                Kind::Bool => What::Number(Number::Bool),
                Kind::Int32 => What::Number(Number::Int32),
                Kind::Uint32 => What::Number(Number::Uint32),
                Kind::Sint32 => What::Number(Number::Sint32),
                Kind::Int64 | Kind::Uint64 | Kind::Sint64 => What::Number(Number::Any),
                Kind::Fixed32 | Kind::Sfixed32 | Kind::Float => What::Fixed32,
                Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => What::Fixed64,
                Kind::String => What::Text,
                Kind::Bytes => What::Bytes,
                Kind::Message(inner) => What::Message(self.want(&inner)?),
                Kind::Enum(of) => {
                    self.count(of.values().len())?;
                    What::Number(Number::Enum(of.values().map(|it| it.number()).collect()))
                }
            };
            if field.cardinality() == Cardinality::Required {
                required.push((field.number(), field.name().to_owned()));
            }
            let oneof = field.containing_oneof().and_then(|oneof| {
                message.oneofs().position(|it| it.full_name() == oneof.full_name())
            });
            let read = Field {
                name: field.name().to_owned(),
                kind,
                list: field.is_list(),
                map: field.is_map(),
                oneof,
            };
            fields.insert(field.number(), read);
        }
        Ok(Message { name: message.full_name().to_owned(), fields, required })
    }
}

/// What stops a walk.
enum Stop {
    Exhausted,
    /// it is no Protobuf
    Malformed,
    Deep,
    Violation(Violation),
}

impl From<Exhausted> for Stop {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Exhausted => Self::Costly,
            Stop::Malformed => Self::Format(FormatError::Malformed),
            Stop::Deep => Self::Format(FormatError::TooDeep),
            Stop::Violation(found) => Self::Violation(found),
        }
    }
}

impl Protobuf {
    /// Whether a payload is the message.
    pub(crate) fn check(&self, payload: &[u8], steps: &mut Steps) -> Result<(), Broken> {
        let mut walk = Walk { schema: self, steps };
        Ok(walk.message(0, payload, &Place::WHOLE, DEPTH_MAX).map(|_| ())?)
    }
}

struct Walk<'a> {
    schema: &'a Protobuf,
    steps: &'a mut Steps,
}

/// What was seen of one message so far.
#[derive(Default)]
struct Seen<'p> {
    counts: HashMap<u32, usize>,
    oneofs: HashSet<usize>,
    keys: HashSet<(u32, &'p [u8])>,
}

fn broken(message: &Message, place: &Place<'_>, field: &str, what: &str) -> Stop {
    let rule = match field {
        "" => format!("{}: {what}", message.name),
        field => format!("{}.{field}: {what}", message.name),
    };
    Stop::Violation(Violation::new(&place.path(), &rule))
}

impl<'a> Walk<'a> {
    /// Reads a message; what its first field holds, for keys of maps.
    fn message<'p>(
        &mut self,
        id: usize,
        bytes: &'p [u8],
        place: &Place<'_>,
        depth: u8,
    ) -> Result<&'p [u8], Stop> {
        let schema = self.schema;
        let Some(message) = schema.messages.get(id) else { return Err(Stop::Malformed) };
        let Some(depth) = depth.checked_sub(1) else { return Err(Stop::Deep) };
        let mut wire = Wire { rest: bytes };
        let mut seen = Seen::default();
        let mut key: &[u8] = &[];
        while !wire.rest.is_empty() {
            self.steps.take(1)?;
            let (number, piece) = wire.field()?;
            let Some(field) = message.fields.get(&number) else {
                if self.schema.unknown_fields {
                    continue;
                }
                let what = format!("field {number} is not known");
                return Err(broken(message, place, "", &what));
            };
            if number == 1 {
                key = piece.bytes;
            }
            self.field(message, (number, field), piece, &mut seen, place, depth)?;
        }
        for (number, name) in &message.required {
            if !seen.counts.contains_key(number) {
                return Err(broken(message, &place.below(Step::Name(name)), name, "is required"));
            }
        }
        Ok(key)
    }

    fn field<'p>(
        &mut self,
        message: &Message,
        (number, field): (u32, &Field),
        piece: Piece<'p>,
        seen: &mut Seen<'p>,
        place: &Place<'_>,
        depth: u8,
    ) -> Result<(), Stop> {
        let named = place.below(Step::Name(&field.name));
        let wrong = |what: &str| broken(message, &named, &field.name, what);
        let count = seen.counts.entry(number).or_insert(0);
        if *count > 0 && !field.list && !field.map {
            return Err(wrong("stands more than once"));
        }
        if let Some(oneof) = field.oneof
            && !seen.oneofs.insert(oneof)
        {
            return Err(wrong("another field of its oneof stands beside it"));
        }
        let packs = matches!(field.kind, What::Number(_) | What::Fixed32 | What::Fixed64);
        if field.list && packs && piece.kind == LENGTH {
            // Packed: many in one piece, of any number of pieces.
            let mut wire = Wire { rest: piece.bytes };
            while !wire.rest.is_empty() {
                self.steps.take(1)?;
                let kind = wire_kind(&field.kind);
                let at = named.below(Step::Index(*count));
                let one = wire.piece(kind)?;
                self.value(message, field, one, &at, depth)?;
                *count = count.saturating_add(1);
            }
            *count = (*count).max(1);
            return Ok(());
        }
        let index = *count;
        *count = count.saturating_add(1);
        if piece.kind != wire_kind(&field.kind) {
            return Err(wrong("is written as another type"));
        }
        if field.list || field.map {
            let at = named.below(Step::Index(index));
            let key = self.value(message, field, piece, &at, depth)?;
            if field.map && !seen.keys.insert((number, key)) {
                return Err(broken(message, &at, &field.name, "the key stands twice"));
            }
            return Ok(());
        }
        self.value(message, field, piece, &named, depth).map(|_| ())
    }

    fn value<'p>(
        &mut self,
        message: &Message,
        field: &Field,
        piece: Piece<'p>,
        place: &Place<'_>,
        depth: u8,
    ) -> Result<&'p [u8], Stop> {
        let wrong = |what: &str| broken(message, place, &field.name, what);
        match &field.kind {
            What::Fixed32 | What::Fixed64 | What::Bytes => {}
            What::Text => {
                self.steps.take(of_bytes(piece.bytes.len()))?;
                if std::str::from_utf8(piece.bytes).is_err() {
                    return Err(wrong("is not UTF-8"));
                }
            }
            What::Message(id) => return self.message(*id, piece.bytes, place, depth),
            What::Number(number) => {
                let value = piece.number;
                // Negative numbers of 32 bits are written as 64 bits.
                let signed = i64::from_le_bytes(value.to_le_bytes());
                let (fits, what) = match number {
                    Number::Any => (true, ""),
                    Number::Bool => (value <= 1, "is neither true nor false"),
                    Number::Int32 => (i32::try_from(signed).is_ok(), "is beyond 32 bits"),
                    Number::Uint32 | Number::Sint32 => {
                        (u32::try_from(value).is_ok(), "is beyond 32 bits")
                    }
                    Number::Enum(values) => {
                        self.steps.take(2)?;
                        let known = i32::try_from(signed);
                        let fits = known
                            .is_ok_and(|it| self.schema.unknown_fields || values.contains(&it));
                        (fits, "is no value of the enumeration")
                    }
                };
                if !fits {
                    return Err(wrong(what));
                }
            }
        }
        Ok(piece.bytes)
    }
}

const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED_32: u8 = 5;

fn wire_kind(kind: &What) -> u8 {
    match kind {
        What::Number(_) => VARINT,
        What::Fixed64 => FIXED_64,
        What::Text | What::Bytes | What::Message(_) => LENGTH,
        What::Fixed32 => FIXED_32,
    }
}

/// A value as it is written.
#[derive(Clone, Copy)]
struct Piece<'p> {
    kind: u8,
    bytes: &'p [u8],
    /// where it is a varint
    number: u64,
}

struct Wire<'p> {
    rest: &'p [u8],
}

impl<'p> Wire<'p> {
    fn field(&mut self) -> Result<(u32, Piece<'p>), Stop> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Stop::Malformed)?;
        if number == 0 || number > 536_870_911 {
            return Err(Stop::Malformed);
        }
        let kind = u8::try_from(tag & 7).map_err(|_| Stop::Malformed)?;
        Ok((number, self.piece(kind)?))
    }

    fn piece(&mut self, kind: u8) -> Result<Piece<'p>, Stop> {
        let before = self.rest;
        let mut number = 0;
        let bytes = match kind {
            VARINT => {
                number = self.varint()?;
                let used = before.len().saturating_sub(self.rest.len());
                before.get(..used).ok_or(Stop::Malformed)?
            }
            FIXED_64 => self.bytes(8)?,
            FIXED_32 => self.bytes(4)?,
            LENGTH => {
                let length = self.varint()?;
                self.bytes(length)?
            }
            // Groups, which no message here has.
            _ => return Err(Stop::Malformed),
        };
        Ok(Piece { kind, bytes, number })
    }

    fn bytes(&mut self, count: u64) -> Result<&'p [u8], Stop> {
        let count = usize::try_from(count).map_err(|_| Stop::Malformed)?;
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Stop::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A number in as few bytes as it needs.
    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0_u64;
        for index in 0..10_u32 {
            let (byte, rest) = self.rest.split_first().ok_or(Stop::Malformed)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return Err(Stop::Malformed);
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                let shortest = index == 0 || bits != 0;
                return if shortest { Ok(value) } else { Err(Stop::Malformed) };
            }
        }
        Err(Stop::Malformed)
    }
}
