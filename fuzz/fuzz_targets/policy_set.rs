//! Policies of an organisation: any text is a set or not, and whatever set it is, it never opens another
//! organisation's devices nor the topics that commands come by. Any text is cases or not.
#![no_main]

use admission::{Direction, Says};
use device::DeviceId;
use libfuzzer_sys::fuzz_target;
use permission::{Cases, DeviceFacts, Policies, Question};

fn device(number: u8, owner: &str) -> DeviceFacts {
    let product = ("maker-a".parse().unwrap(), "gateway".parse().unwrap());
    DeviceFacts {
        device: DeviceId::from_bytes([number; 16]),
        owner: owner.parse().unwrap(),
        product: Some(product),
    }
}

fuzz_target!(|text: &str| {
    let cases = Cases::parse(text);
    let Ok(set) = Policies::parse(text) else { return };
    let (by, other, rival) = (device(1, "plant"), device(2, "plant"), device(3, "rival"));
    for direction in [Direction::Publish, Direction::Subscribe, Direction::Receive] {
        let ask = |space: &DeviceFacts, path: &str| {
            let topic = format!("d/{}/{path}", space.device);
            set.ask(&Question::Topic { by: &by, direction, topic: &topic, space: Some(space) })
        };
        let found = ask(&other, "up/x");
        assert!(found.answer.because.iter().all(|id| set.ids().contains(id)));
        assert_eq!(ask(&rival, "up/x").answer.says, Says::Nothing);
        if direction == Direction::Publish {
            assert_eq!(ask(&other, "down/commands/x").answer.says, Says::Nothing);
        }
    }
    if let Ok(cases) = cases {
        let _ = cases.run(&set);
    }
});
