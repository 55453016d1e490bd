//! Manufacturers' usage descriptions (RFC 8520): any bytes are one or not; what is read answers about any
//! connection, and says in words no more than it has entries.
#![no_main]

use behaviour::mud::{Answer, Connection, Direction, Mud, Peer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mud) = Mud::parse(bytes) else { return };
    let entries = mud.from_device.len() + mud.to_device.len();
    assert!(mud.english().len() <= entries && mud.japanese().len() <= entries);
    for opened_by in [Direction::FromDevice, Direction::ToDevice] {
        for peer in [
            Peer::Name("gate.example".to_owned()),
            Peer::Address([192, 0, 2, 1].into()),
            Peer::Address([0x20_01_u16, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
        ] {
            let asked = Connection { opened_by, peer, protocol: 6, port: 443 };
            if let Answer::Allowed(ace) = mud.check(&asked) {
                assert!(ace.accept && ace.protocol.is_none_or(|it| it == 6));
            }
        }
    }
});
