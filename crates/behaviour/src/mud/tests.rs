use super::*;
use proptest::prelude::*;

/// After the example of RFC 8520 section 9, with more kinds of entries.
const FILE: &str = r#"{
  "ietf-mud:mud": {
    "mud-version": 1, "mud-url": "https://lighting.example.com/lightbulb2000",
    "last-update": "2019-01-28T11:20:51+01:00", "cache-validity": 48, "is-supported": true,
    "systeminfo": "The BMS Example Light Bulb",
    "from-device-policy": {"access-lists": {"access-list": [{"name": "v6fr"}, {"name": "v4fr"}]}},
    "to-device-policy": {"access-lists": {"access-list": [{"name": "v6to"}]}}
  },
  "ietf-access-control-list:acls": {"acl": [
    {"name": "v6to", "type": "ipv6-acl-type", "aces": {"ace": [
      {"name": "cl0-todev", "matches": {"ipv6": {"ietf-acldns:src-dnsname": "test.example.com", "protocol": 6},
        "tcp": {"ietf-mud:direction-initiated": "from-device",
          "source-port": {"operator": "eq", "port": 443}}}, "actions": {"forwarding": "accept"}},
      {"name": "local", "matches": {"ietf-mud:mud": {"local-networks": [null]},
        "tcp": {"destination-port": {"lower-port": 80, "upper-port": 81}}},
        "actions": {"forwarding": "accept"}}]}},
    {"name": "v6fr", "type": "ipv6-acl-type", "aces": {"ace": [
      {"name": "cl0-frdev", "matches": {"ipv6": {"ietf-acldns:dst-dnsname": "test.example.com", "protocol": 6},
        "tcp": {"ietf-mud:direction-initiated": "from-device",
          "destination-port": {"operator": "eq", "port": 443}}}, "actions": {"forwarding": "accept"}}]}},
    {"name": "v4fr", "type": "ipv4-acl-type", "aces": {"ace": [
      {"name": "net", "matches": {"ipv4": {"destination-ipv4-network": "192.0.2.0/24"},
        "udp": {"destination-port": {"operator": "gte", "port": 5000}}}, "actions": {"forwarding": "accept"}}]}}
  ]}}"#;

fn asks(peer: &str, protocol: u8, port: u16) -> Connection {
    let peer = match peer.parse() {
        Ok(address) => Peer::Address(address),
        Err(_) => Peer::Name(peer.to_owned()),
    };
    Connection { opened_by: Direction::FromDevice, peer, protocol, port }
}

#[test]
fn the_example_of_the_rfc_is_read_and_judges() {
    let mud = Mud::parse(FILE.as_bytes()).unwrap();
    assert_eq!((mud.from_device.len(), mud.to_device.len()), (2, 2));
    let answer = |peer, protocol, port| match mud.check(&asks(peer, protocol, port)) {
        Answer::Allowed(ace) => format!("allowed by {}", ace.name),
        Answer::Denied => "denied".to_owned(),
        Answer::Unknown(ace) => format!("unknown by {}", ace.name),
    };
    assert_eq!(answer("TEST.example.com.", 6, 443), "allowed by cl0-frdev");
    assert_eq!(answer("test.example.com", 6, 22), "denied");
    assert_eq!(answer("test.example.com", 17, 443), "denied");
    assert_eq!(answer("evil.example", 6, 443), "denied");
    // Whose name an address has is not known here; another family is.
    assert_eq!(answer("2001:db8::1", 6, 443), "unknown by cl0-frdev");
    assert_eq!(answer("198.51.100.1", 6, 443), "denied");
    assert_eq!(answer("192.0.2.9", 17, 5001), "allowed by net");
    assert_eq!(answer("192.0.2.9", 17, 4999), "denied");
    let to = Connection { opened_by: Direction::ToDevice, ..asks("2001:db8::1", 6, 80) };
    assert!(matches!(mud.check(&to), Answer::Unknown(ace) if ace.name == "local"));
    let to = Connection { opened_by: Direction::ToDevice, ..asks("2001:db8::1", 6, 22) };
    assert_eq!(mud.check(&to), Answer::Denied);
    assert_eq!(
        mud.english()[0],
        "the device may send to test.example.com by TCP, the peer's port 443, in connections that the device opens"
    );
    assert_eq!(mud.english().len(), mud.japanese().len());
}

#[test]
fn what_is_not_understood_is_refused() {
    let changes = [
        ("\"mud-version\": 1", "\"mud-version\": 2"),
        ("https://lighting", "http://lighting"),
        ("\"is-supported\": true,", "\"is-supported\": true, \"extensions\": [\"ol\"],"),
        ("\"is-supported\": true,", "\"is-supported\": true, \"surprise\": 1,"),
        ("\"cache-validity\": 48", "\"cache-validity\": 0"),
        ("{\"name\": \"v4fr\"}", "{\"name\": \"nobody\"}"),
        ("\"protocol\": 6}", "\"protocol\": 6, \"dscp\": 1}"),
        ("\"protocol\": 6}", "\"protocol\": 17}"),
        ("\"ipv4-acl-type\"", "\"eth-acl-type\""),
        ("192.0.2.0/24", "192.0.2.1/24"),
        ("192.0.2.0/24", "2001:db8::/32"),
        ("\"operator\": \"gte\"", "\"operator\": \"about\""),
        ("\"lower-port\": 80, \"upper-port\": 81", "\"lower-port\": 82, \"upper-port\": 81"),
        ("[null]", "[]"),
        ("ietf-acldns:dst-dnsname", "ietf-acldns:src-dnsname"),
        ("\"from-device\"", "\"sideways\""),
        ("\"accept\"}}]}},\n    {\"name\": \"v4fr\"", "\"maybe\"}}]}},\n    {\"name\": \"v4fr\""),
    ];
    for (from, to) in changes {
        let changed = FILE.replacen(from, to, 1);
        assert_ne!(changed, FILE, "{from}");
        assert!(Mud::parse(changed.as_bytes()).is_err(), "{to}");
    }
    let long = format!("{FILE}{}", " ".repeat(MUD_BYTES_MAX));
    assert!(matches!(Mud::parse(long.as_bytes()), Err(MudError::TooLong(_))));
}

/// The file with other access lists, which `policy` has from the device.
fn with_lists(policy: &[&str], acls: &serde_json::Value) -> Result<Mud, MudError> {
    let mut file: serde_json::Value = serde_json::from_str(FILE).unwrap();
    let names: Vec<_> = policy.iter().map(|name| serde_json::json!({"name": name})).collect();
    file["ietf-mud:mud"]["from-device-policy"]["access-lists"]["access-list"] = names.into();
    file["ietf-mud:mud"]["to-device-policy"]["access-lists"]["access-list"] = serde_json::json!([]);
    file["ietf-access-control-list:acls"]["acl"] = acls.clone();
    Mud::parse(file.to_string().as_bytes())
}

#[test]
fn a_name_that_one_family_denies_is_not_denied() {
    let list = |family: &str, name: &str, forwarding: &str| {
        serde_json::json!({"name": family, "type": format!("{family}-acl-type"), "aces": {"ace": [
            {"name": "drop", "matches": {family: {"ietf-acldns:dst-dnsname": name}},
             "actions": {"forwarding": forwarding}},
            {"name": "rest", "matches": {family: {"protocol": 6}}, "actions": {"forwarding": "accept"}}]}})
    };
    let answer = |first: &str, second: &str| {
        let acls = serde_json::json!([
            list("ipv4", "a.example", first),
            list("ipv6", "a.example", second)
        ]);
        let mud = with_lists(&["ipv4", "ipv6"], &acls).unwrap();
        match mud.check(&asks("a.example", 6, 443)) {
            Answer::Allowed(_) => "allowed",
            Answer::Unknown(_) => "unknown",
            Answer::Denied => "denied",
        }
    };
    assert_eq!(answer("drop", "accept"), "allowed");
    assert_eq!(answer("accept", "drop"), "allowed");
    assert_eq!(answer("drop", "drop"), "denied");
}

#[test]
fn lists_are_named_once_and_have_so_many_entries_together() {
    let list = |name: &str, count: usize| {
        let ace = serde_json::json!({"name": "a", "actions": {"forwarding": "accept"}});
        serde_json::json!({"name": name, "type": "ipv4-acl-type", "aces": {"ace": vec![ace; count]}})
    };
    let one = serde_json::json!([list("a", 1)]);
    assert!(with_lists(&["a"], &one).is_ok());
    assert!(with_lists(&["a", "a"], &one).is_err());
    let names: Vec<String> = (0..17).map(|number| format!("l{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let full = names.iter().map(|name| list(name, ACES_MAX)).collect();
    assert_eq!(with_lists(&names[..16], &full).unwrap().from_device.len(), ENTRIES_MAX);
    assert!(with_lists(&names, &full).is_err());
}

#[test]
fn a_uri_has_the_characters_of_one() {
    let before = "{\"local-networks\": [null]}";
    for (uri, good) in [
        ("urn:ietf:params:mud:dns", true),
        ("https://maker.example/a?b=%20#c", true),
        ("its own controllers, which the owner names", false),
        ("https://maker.example/\u{202e}moc", false),
        ("https://maker.example/門", false),
        ("no-scheme", false),
        (":x", false),
        ("1a:x", false),
    ] {
        for key in ["controller", "model"] {
            let changed = FILE.replacen(before, &format!("{{\"{key}\": \"{uri}\"}}"), 1);
            assert_ne!(changed, FILE);
            assert_eq!(Mud::parse(changed.as_bytes()).is_ok(), good, "{key} {uri}");
        }
        let named = FILE.replacen("1, ", &format!("1, \"mud-signature\": \"{uri}\", "), 1);
        assert_eq!(Mud::parse(named.as_bytes()).is_ok(), good, "{uri}");
    }
    let url = FILE.replacen("lightbulb2000", "light bulb", 1);
    assert!(Mud::parse(url.as_bytes()).is_err());
}

#[test]
fn what_is_suggested_allows_what_was_named_and_nothing_else() {
    let of = Suggested {
        url: "https://acme.example/gate-3.json".into(),
        at: "2026-11-22T09:00:00Z".into(),
        systeminfo: "Barrier gate".into(),
        made: ("acme".into(), "gate-3".into()),
        doors: vec![
            Door::named("gate.example", 6, 8883).into(),
            Door::named("gate.example", 17, 5684).into(),
        ],
    };
    let mud = Mud::parse(suggest(&of).as_bytes()).unwrap();
    assert!(matches!(mud.check(&asks("gate.example", 6, 8883)), Answer::Allowed(_)));
    assert!(matches!(mud.check(&asks("gate.example", 17, 5684)), Answer::Allowed(_)));
    assert_eq!(mud.check(&asks("gate.example", 6, 22)), Answer::Denied);
    assert_eq!(mud.check(&asks("other.example", 6, 8883)), Answer::Denied);
    // Name servers are whom the owner's network says.
    assert!(matches!(mud.check(&asks("192.0.2.1", 17, 53)), Answer::Unknown(_)));
    let to = Connection { opened_by: Direction::ToDevice, ..asks("gate.example", 6, 8883) };
    assert!(!matches!(mud.check(&to), Answer::Allowed(_)));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(at in 0_usize..2_000, with: char, cut in 0_usize..2_000) {
        let mut text: Vec<char> = FILE.chars().collect();
        if let Some(place) = text.get_mut(at) {
            *place = with;
        }
        let text: String = text.into_iter().take(cut.max(1_000)).collect();
        if let Ok(mud) = Mud::parse(text.as_bytes()) {
            mud.check(&asks("192.0.2.1", 6, 443));
            prop_assert!(mud.english().len() <= ACLS_MAX * ACES_MAX);
        }
    }
}

#[test]
fn what_a_file_says_is_no_command_to_a_terminal() {
    let unknown = br#"{"\u001b[2J\u009b\u202e": 1}"#;
    let said = Mud::parse(unknown).unwrap_err().to_string();
    assert!(said.contains("\\u{1b}[2J\\u{9b}\\u{202e}"), "{said}");
    assert!(!said.chars().any(char::is_control), "{said}");
}
