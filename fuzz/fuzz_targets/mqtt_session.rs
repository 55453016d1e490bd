//! A whole conversation of MQTT with a device's session: bytes in whatever pieces, half of them after a
//! good CONNECT. What is said to the client is whole packets, the first of them CONNACK, and another
//! device, which listens to all that it may, hears nothing of it.
#![no_main]

#[allow(dead_code, reason = "the stage of the gateway's own tests, of which this needs a part")]
#[path = "../../crates/gateway/tests/it/world.rs"]
mod world;

use gateway::GatewayLimits;
use libfuzzer_sys::fuzz_target;
use std::{
    cell::{OnceCell, RefCell},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream},
    runtime::{Builder, Runtime},
    task::yield_now,
    time::timeout,
};
use world::{Thing, World};

/// CONNECT of MQTT 5 and of 3.1.1, clean, without keep alive, of the client `c`.
const WELCOME: [&[u8]; 2] =
    [b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01c", b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c"];
/// SUBSCRIBE to all that a device may hear.
const ALL: &[u8] = b"\x82\x0a\0\x01\0\0\x04me/#\x02";
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 3;
const SUBACK: u8 = 0x90;
/// What a client may be told: no server sends CONNECT, SUBSCRIBE, UNSUBSCRIBE or PINGREQ.
const TOLD: [u8; 10] = [2, PUBLISH, 4, 5, 6, 7, 9, 11, 13, 14];

struct Stage {
    runtime: Runtime,
    world: World,
    device: Thing,
    other: Thing,
    listens: RefCell<DuplexStream>,
}

thread_local! {
    static STAGE: OnceCell<Stage> = const { OnceCell::new() };
}

fn stage() -> Stage {
    // The clock runs on by itself when everybody waits, for the disk too: who is slowed down costs no
    // time, and nobody's patience may end for it.
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (world, device, other, listens) = runtime.block_on(async {
        let patience = Duration::from_secs(100 * 365 * 86_400);
        let limits = GatewayLimits { patience, ..GatewayLimits::default() };
        let world = World::quiet(limits).await;
        let (device, other) = (world.device().await, world.device().await);
        let listens = listen(&world, &other).await;
        (world, device, other, listens)
    });
    Stage { runtime, world, device, other, listens: RefCell::new(listens) }
}

/// Another device, which listens.
async fn listen(world: &World, other: &Thing) -> DuplexStream {
    let mut pipe = world.connect(other);
    pipe.write_all(&[WELCOME[0], ALL].concat()).await.expect("a pipe");
    let mut heard = Vec::new();
    while packets(&heard).is_none_or(|types| types.last() != Some(&SUBACK)) {
        let count = pipe.read_buf(&mut heard).await.expect("a pipe");
        assert!(count > 0, "turned away: {heard:?}");
    }
    pipe
}

/// The types of packets, where the bytes are whole packets and nothing else.
fn packets(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut types = Vec::new();
    while let Some((first, mut rest)) = bytes.split_first() {
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let (byte, behind) = rest.split_first()?;
            length |= usize::from(byte & 127) << shift;
            rest = behind;
            if byte & 128 == 0 {
                break;
            }
        }
        bytes = rest.get(length..)?;
        types.push(*first);
    }
    Some(types)
}

async fn converse(stage: &Stage, input: &[u8]) {
    let Some((how, rest)) = input.split_first() else { return };
    let mut client = stage.world.connect(&stage.device);
    let mut sent = Vec::new();
    if how & 1 == 1 {
        sent.extend_from_slice(WELCOME[usize::from(how >> 1 & 1)]);
    }
    sent.extend_from_slice(rest);
    let piece = if how & 4 == 0 { sent.len() } else { usize::from(how >> 3) };
    for part in sent.chunks(piece.max(1)) {
        if client.write_all(part).await.is_err() {
            break;
        }
        // The other end reads before there is more.
        yield_now().await;
    }
    let _gone = client.shutdown().await;
    let mut heard = Vec::new();
    let _end = client.read_to_end(&mut heard).await;
    let types = packets(&heard).expect("whole packets");
    assert!(types.first().is_none_or(|first| *first == CONNACK), "{types:?}");
    for one in types.iter().skip(1) {
        assert!(*one != CONNACK && TOLD.contains(&(one >> 4)), "{types:?}");
    }
}

/// The other device has heard nothing; its connection may have ended, since it says nothing either.
async fn silence(stage: &Stage) {
    let mut listens = stage.listens.borrow_mut();
    let mut heard = Vec::new();
    let over = timeout(Duration::from_millis(1), listens.read_to_end(&mut heard)).await.is_ok();
    let types = packets(&heard).expect("whole packets");
    assert!(types.iter().all(|one| one >> 4 != PUBLISH), "another's message: {types:?}");
    if over {
        *listens = listen(&stage.world, &stage.other).await;
    }
}

fuzz_target!(init: STAGE.with(|it| drop(it.set(stage()))), |input: &[u8]| {
    STAGE.with(|it| {
        let stage = it.get().expect("it is set up");
        stage.runtime.block_on(async {
            converse(stage, input).await;
            silence(stage).await;
        });
    });
});
