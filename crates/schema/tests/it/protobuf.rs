use crate::check;
use admission::FormatError;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions, OneofDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use schema::{Broken, Definition, Kind, Schema};

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        ..FieldDescriptorProto::default()
    }
}

fn of(name: &str, number: i32, kind: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.to_owned()), ..field(name, number, kind) }
}

fn list(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field }
}

fn chosen(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { oneof_index: Some(0), ..field }
}

/// As protoc makes it of a file with a message of every kind of field.
pub(crate) fn descriptors(syntax: &str) -> Vec<u8> {
    let entry = DescriptorProto {
        name: Some("TagsEntry".to_owned()),
        field: vec![field("key", 1, Type::String), field("value", 2, Type::Int32)],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    };
    let reading = DescriptorProto {
        name: Some("Reading".to_owned()),
        field: vec![
            field("celsius", 1, Type::Double),
            field("name", 2, Type::String),
            field("count", 3, Type::Int32),
            of("state", 4, Type::Enum, ".t.State"),
            list(of("children", 5, Type::Message, ".t.Reading")),
            list(field("samples", 6, Type::Sint64)),
            chosen(field("watt", 7, Type::Uint32)),
            chosen(field("on", 8, Type::Bool)),
            list(of("tags", 9, Type::Message, ".t.Reading.TagsEntry")),
            field("raw", 10, Type::Bytes),
        ],
        nested_type: vec![entry],
        oneof_decl: vec![OneofDescriptorProto { name: Some("what".to_owned()), options: None }],
        ..DescriptorProto::default()
    };
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        options: None,
    };
    let state = EnumDescriptorProto {
        name: Some("State".to_owned()),
        value: vec![value("OFF", 0), value("ON", 1)],
        ..EnumDescriptorProto::default()
    };
    let mut file = FileDescriptorProto {
        name: Some("t.proto".to_owned()),
        package: Some("t".to_owned()),
        message_type: vec![reading],
        enum_type: vec![state],
        syntax: Some(syntax.to_owned()),
        ..FileDescriptorProto::default()
    };
    if syntax == "proto2" {
        file.message_type[0].field[0].label = Some(Label::Required.into());
    }
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

pub(crate) fn definition(syntax: &str) -> Definition {
    let root = Some("t.Reading".to_owned());
    Definition { root, ..Definition::new(Kind::Protobuf, descriptors(syntax)) }
}

/// The library indexes a file that it has not taken yet where it does not know the first one's syntax.
#[test]
fn other_syntaxes_than_those_that_are_read_are_refused() {
    for other in ["editions", "", "proto4"] {
        let refused = Schema::compile(&definition(other)).unwrap_err().to_string();
        assert!(refused.contains(&format!("the syntax of \"t.proto\" is {other:?}")), "{refused}");
    }
    for syntax in ["proto2", "proto3"] {
        Schema::compile(&definition(syntax)).unwrap();
    }
}

#[test]
fn a_message_has_one_reading() {
    let schema = Schema::compile(&definition("proto3")).unwrap();
    let celsius = b"\x09\x00\x00\x00\x00\x00\x80\x35\x40";
    let good: [&[u8]; 9] = [
        b"",
        celsius,
        b"\x12\x03abc\x18\x07\x20\x01",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x2a\x02\x18\x01\x2a\x02\x18\x02",
        b"\x32\x02\x01\x02\x30\x03",
        b"\x38\x05",
        b"\x40\x01",
        b"\x4a\x05\x0a\x01a\x10\x01\x4a\x05\x0a\x01b\x10\x01",
    ];
    for payload in good {
        assert_eq!(check(&schema, payload), Ok(()), "{payload:02x?}");
    }
    let violations: [(&[u8], &str, &str); 12] = [
        (b"\x18\x01\x18\x02", "count", "t.Reading.count: stands more than once"),
        (b"\x58\x01", "", "t.Reading: field 11 is not known"),
        (b"\x08\x01", "celsius", "t.Reading.celsius: is written as another type"),
        (b"\x12\x01\xff", "name", "t.Reading.name: is not UTF-8"),
        (b"\x18\x80\x80\x80\x80\x08", "count", "t.Reading.count: is beyond 32 bits"),
        (b"\x20\x02", "state", "t.Reading.state: is no value of the enumeration"),
        (b"\x38\x05\x40\x01", "on", "t.Reading.on: another field of its oneof stands beside it"),
        (b"\x40\x02", "on", "t.Reading.on: is neither true nor false"),
        (b"\x2a\x00\x2a\x03\x12\x01\xff", "children[1].name", "t.Reading.name: is not UTF-8"),
        (b"\x4a\x03\x0a\x01a\x4a\x03\x0a\x01a", "tags[1]", "t.Reading.tags: the key stands twice"),
        (b"\x2a\x02\x58\x01", "children[0]", "t.Reading: field 11 is not known"),
        (b"\x38\x80\x80\x80\x80\x10", "watt", "t.Reading.watt: is beyond 32 bits"),
    ];
    for (payload, place, rule) in violations {
        let found = check(&schema, payload);
        let Err(Broken::Violation(found)) = found else { panic!("{payload:02x?} {found:?}") };
        assert_eq!((found.place.as_str(), found.rule.as_str()), (place, rule));
    }
    let malformed: [&[u8]; 9] = [
        b"\x18",
        b"\x00\x01",
        b"\x12\x05ab",
        b"\x18\x80",
        b"\x18\x80\x00",
        b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
        b"\x1b\x1c",
        b"\x32\x01\x80",
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    ];
    for payload in malformed {
        let found = check(&schema, payload);
        assert_eq!(found, Err(Broken::Format(FormatError::Malformed)), "{payload:02x?}");
    }
    let mut deep = Vec::new();
    for _ in 0..40 {
        let length = u8::try_from(deep.len()).unwrap();
        deep.splice(0..0, [0x2a, length]);
    }
    assert_eq!(check(&schema, &deep), Err(Broken::Format(FormatError::TooDeep)));
}

#[test]
fn unknown_fields_are_a_setting_and_required_ones_are_required() {
    let lenient = Definition { unknown_fields: true, ..definition("proto3") };
    let lenient = Schema::compile(&lenient).unwrap();
    for payload in
        [b"\x58\x01".as_slice(), b"\x20\x63", b"\x5a\x01\xff\x61\x00\x00\x00\x00\x00\x00\x00\x00"]
    {
        assert_eq!(check(&lenient, payload), Ok(()), "{payload:02x?}");
    }
    let proto2 = Schema::compile(&definition("proto2")).unwrap();
    let Err(Broken::Violation(found)) = check(&proto2, b"\x18\x01") else { panic!("it is absent") };
    assert_eq!(
        (found.place.as_str(), found.rule.as_str()),
        ("celsius", "t.Reading.celsius: is required")
    );
}

#[test]
fn a_descriptor_set_that_cannot_be_used_is_told_why() {
    let say = |definition: &Definition| Schema::compile(definition).unwrap_err().to_string();
    assert!(
        say(&Definition { source: b"x".to_vec(), ..definition("proto3") })
            .contains("no descriptor set")
    );
    let unnamed = Definition { root: None, ..definition("proto3") };
    assert!(say(&unnamed).contains("it has t.Reading"), "{}", say(&unnamed));
    let large = Definition { source: vec![0; 300_000], ..definition("proto3") };
    assert!(say(&large).contains("300000 bytes"));
    let wrong =
        Definition { unknown_fields: true, ..Definition::new(Kind::Cddl, b"a = int".to_vec()) };
    assert!(say(&wrong).contains("a setting of Protobuf alone"));
}
