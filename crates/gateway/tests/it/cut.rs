//! Whole sessions of any bytes in any pieces. What is answered does not depend on how the bytes were
//! cut, all of it is packets, and nothing is kept of what was not acknowledged.

use crate::{
    client::{Client, connect, packet, publish, subscribe, unsubscribe},
    world::{Thing, World},
};
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

/// What a client may do, well or badly.
#[derive(Debug, Clone)]
enum Act {
    Publish {
        flags: u8,
        id: u16,
        topic: &'static str,
        payload: Vec<u8>,
    },
    Subscribe {
        id: u16,
        filter: &'static str,
        options: u8,
    },
    Unsubscribe {
        id: u16,
        filter: &'static str,
    },
    /// an acknowledgement of any kind
    Acknowledge {
        first: u8,
        id: u16,
    },
    Ping,
    Bytes(Vec<u8>),
}

impl Act {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Publish { flags, id, topic, payload } => {
                publish(*flags, topic, *id, &[], payload)
            }
            Self::Subscribe { id, filter, options } => subscribe(*id, &[], &[(filter, *options)]),
            Self::Unsubscribe { id, filter } => unsubscribe(*id, &[filter]),
            Self::Acknowledge { first, id } => packet(*first, &[&id.to_be_bytes()]),
            Self::Ping => vec![0xc0, 0],
            Self::Bytes(bytes) => bytes.clone(),
        }
    }
}

fn act(listens: bool) -> impl Strategy<Value = Act> {
    let topic =
        prop::sample::select(vec!["me/up/a", "me/up/b", "me/down/a", "d/x", "", "me/+", "ü"]);
    let filter = prop::sample::select(vec!["me/up/#", "me/up/a", "#", "a/#/b", "$share/g/me/#"]);
    let id = 0..4_u16;
    let acknowledgements = if listens { vec![0x62] } else { vec![0x40_u8, 0x50, 0x62, 0x70] };
    prop_oneof![
        4 => (0..16_u8, id.clone(), topic, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(flags, id, topic, payload)| Act::Publish { flags, id, topic, payload }),
        if listens { 2 } else { 0 } => (id.clone(), filter.clone(), 0..64_u8)
            .prop_map(|(id, filter, options)| Act::Subscribe { id, filter, options }),
        1 => (id.clone(), filter).prop_map(|(id, filter)| Act::Unsubscribe { id, filter }),
        3 => (prop::sample::select(acknowledgements), id)
            .prop_map(|(first, id)| Act::Acknowledge { first, id }),
        1 => Just(Act::Ping),
        1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(Act::Bytes),
    ]
}

/// All that is answered until the connection ends: when nothing more comes, at the latest.
async fn played(world: &World, device: &Thing, pieces: &[Vec<u8>]) -> Vec<crate::client::Packet> {
    let mut client = Client::new(world, device);
    for piece in pieces {
        client.send(piece).await;
    }
    client.finish().await;
    client.last_words().await
}

#[test]
fn the_cuts_do_not_matter() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    // Who listens acknowledges nothing here: whether something is there to be acknowledged depends on
    // how soon it was delivered, and that on the cuts.
    let acts = prop_oneof![
        prop::collection::vec(act(true), 0..12),
        prop::collection::vec(act(false), 0..12),
    ];
    let cuts = prop::collection::vec(1..9_usize, 1..20);
    // The same ones each time.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let played = TestRunner::new_with_rng(config, rng).run(&(acts, cuts), |(acts, cuts)| {
        let bytes: Vec<u8> =
            std::iter::once(connect("c")).chain(acts.iter().map(Act::bytes)).flatten().collect();
        let mut pieces = Vec::new();
        let (mut rest, mut sizes) = (&bytes[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = after;
        }
        // Two devices, so that neither hears what the other kept.
        let (whole, cut, kept) = runtime.block_on(async {
            let (one, two) = (world.device().await, world.device().await);
            let whole = self::played(&world, &one, &[bytes]).await;
            let cut = self::played(&world, &two, &pieces).await;
            (whole, cut, (world.kept(&one).await, world.kept(&two).await))
        });
        // Deliveries come when they come; answers come in order, and the same ones.
        let answers = |all: &[crate::client::Packet]| {
            all.iter().filter(|it| it.0 >> 4 != 3).cloned().collect::<Vec<_>>()
        };
        prop_assert_eq!(answers(&whole), answers(&cut));
        // QoS 0 is kept when it is kept; what was acknowledged is on disk by then.
        let acknowledged =
            whole.iter().filter(|it| it.0 == 0x40 && it.1.get(2).is_none_or(|it| *it == 0)).count();
        prop_assert!(kept.0.len() >= acknowledged && kept.1.len() >= acknowledged);
        Ok(())
    });
    played.unwrap();
    runtime.block_on(async { drop(world) });
}
