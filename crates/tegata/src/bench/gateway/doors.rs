//! How soon who may not be here is gone, by every door and under load.

use super::{
    super::{
        Bench,
        child::ServerProcess,
        figure::{Figure, percentile},
        load, machine,
        world::World,
    },
    BENCH, HANDSHAKES, PACE, PAYLOAD,
    client::Thing,
};
use crate::sim::{
    net::{Doors, From, Ports},
    scenario::{Door, Format},
    session::{Saying, Sent, Session},
};
use api::{Client, Rest, Settings, client::Est};
use device::Cause;
use std::{sync::Arc, time::Instant};

const TARGET_MS: f64 = 1000.0;
/// Devices that are suspended at each door.
const SUSPENDED: usize = 100;
const DOORS: [Door; 4] = [Door::Mqtt, Door::Websocket, Door::Http, Door::Coap];
const SAYING: Saying<'static> =
    Saying { topic: "me/up/t", payload: PAYLOAD, format: Format::Json, counter: None };

/// From the answer that a device is suspended to the end of its connection; by HTTP, to the first
/// message that is refused.
pub async fn cut_off(
    bench: &Bench,
    world: &World,
    server: &ServerProcess,
    things: &[Thing],
) -> anyhow::Result<()> {
    let base = format!("https://localhost:{}", server.tls.port());
    let roots = std::slice::from_ref(world.root());
    let station = &world.maker().identity;
    let client = Client::new(&base, roots, Some(station), Settings::default())?;
    let at = server.doors()?;
    let ports =
        Ports { mqtt: at.mqtt.port(), websocket: at.websocket.port(), coap: at.coap.port() };
    let mut doors = Doors::find(&base, ports, roots, u32::try_from(HANDSHAKES)?).await?;
    doors.know(&Est::new(client.clone(), None).ca_certificates().await?);
    let (doors, rest) = (Arc::new(doors), Rest::new(client));
    // Who is suspended stays out: each door has devices of its own for that.
    let each = SUSPENDED.min(things.len() / (2 * DOORS.len())).max(1);
    let mut left = things;
    let victims = DOORS.map(|door| {
        let (own, rest) = left.split_at(each.min(left.len()));
        left = rest;
        (door, own)
    });
    for (door, victims) in victims {
        let mut times = at_door(&doors, door, &rest, victims, left).await?;
        let what = match door {
            Door::Http => "to the first message that is refused",
            _ => "to the end of its connection",
        };
        let what = format!(
            "{}: from the answer that it is suspended {what}, p99 of {}, {} others send",
            door.name(),
            times.len(),
            left.len()
        );
        let p99 = percentile(&mut times, 0.99);
        bench.show(&Figure::new(BENCH, what, p99, "ms", TARGET_MS, "target"))?;
    }
    Ok(())
}

async fn at_door(
    doors: &Arc<Doors>,
    door: Door,
    rest: &Rest,
    victims: &[Thing],
    senders: &[Thing],
) -> anyhow::Result<Vec<f64>> {
    let open = |things: &[Thing]| {
        let doors = doors.clone();
        load::drive(things.to_vec(), HANDSHAKES, move |thing| {
            let doors = doors.clone();
            async move {
                let (name, from) = (thing.id.to_string(), From::Home(thing.number.try_into()?));
                let session = Session::open(&doors, door, &thing.credential, &name, from).await?;
                Ok((thing, session))
            }
        })
    };
    let (senders, _) = open(senders).await?;
    let (victims, _) = open(victims).await?;
    let (told, stopped) = tokio::sync::watch::channel(false);
    let at_once = senders.len().max(1);
    let sending = tokio::spawn(load::drive(senders, at_once, move |(_, mut session)| {
        let stopped = stopped.clone();
        async move {
            while !*stopped.borrow() {
                session.send(&SAYING).await?;
                tokio::time::sleep(PACE / 4).await;
            }
            session.close().await;
            Ok(())
        }
    }));
    let mut times = Vec::new();
    for (thing, session) in victims {
        let gone = tokio::spawn(gone(door, session));
        rest.suspend_device(&thing.id, Cause::Anomaly).await?;
        let done = machine::clock();
        // One may be gone before the answer is here.
        times.push(gone.await?.saturating_duration_since(done).as_secs_f64() * 1000.0);
    }
    let _gone = told.send(true);
    sending.await??;
    Ok(times)
}

/// When somebody is served no longer.
async fn gone(door: Door, mut session: Session) -> Instant {
    loop {
        let served = match door {
            Door::Http => {
                tokio::time::sleep(PACE / 4).await;
                matches!(session.send(&SAYING).await, Ok(Sent::Acknowledged))
            }
            _ => session.readable().await.is_ok() && session.take().await.is_ok(),
        };
        if !served {
            return machine::clock();
        }
    }
}
