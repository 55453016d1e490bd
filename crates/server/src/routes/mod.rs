//! Messages of devices on their way to receivers (GW-5, docs/routes.md): one task per route, which
//! takes what is due out of the durable queue, sends it, and notes what became of it.
//!
//! Messages of one device keep their order; up to 16 devices are served at a time. Delivery is at
//! least once: what is sent again has the id that it had.

mod broker;
mod webhook;

use crate::outward::{keep_running, lines, reach::Reach};
use gateway::Gateway;
use policy::Caller;
use service::{Lane, LaneFailure, LaneOutcome, OpenedRoute, QueuedMessage, RouteTarget, Service};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

const CALLER: Caller = Caller::Platform { task: "route" };
/// Devices of a route that are served at a time.
const LANES_MAX: usize = 16;
/// How often a route looks for what is due: often while there is something, else more and more seldom,
/// since there may be a thousand of them.
const IDLE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Longest time until a receiver that failed is tried again, in seconds; and where it asks for more.
const PAUSE_S_MAX: (u32, u32) = (300, 3600);
/// Longest file of a route, in bytes: a tenant does not fill the machine's disk.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Delivers every route until told to stop.
pub(crate) async fn run(
    service: Service,
    gateway: Gateway,
    reach: Reach,
    stop: watch::Receiver<bool>,
) {
    let live = || service.live_routes(&CALLER);
    let begin = |id| tokio::spawn(deliver(service.clone(), gateway.clone(), reach.clone(), id));
    keep_running("routes", live, begin, stop).await;
}

/// What a route sends to.
enum Sink {
    Https(webhook::Webhook),
    File(Mutex<std::path::PathBuf>),
    Topic,
    Broker(broker::Broker),
    /// it cannot be sent to at all, and why
    Broken(String),
}

struct Route {
    opened: Arc<OpenedRoute>,
    sink: Sink,
    service: Service,
    gateway: Gateway,
}

async fn deliver(service: Service, gateway: Gateway, reach: Reach, id: i64) {
    let Ok(opened) = service.open_route(&CALLER, id) else { return };
    let sink = match &opened.target {
        RouteTarget::Https { host, port, path } => {
            let made = webhook::Webhook::new((host, *port, path), &opened, reach);
            made.map_or_else(Sink::Broken, Sink::Https)
        }
        RouteTarget::File => {
            Sink::File(Mutex::new(service.route_file(&opened.organisation, &opened.name)))
        }
        RouteTarget::Topic { .. } => Sink::Topic,
        RouteTarget::Nats { .. } | RouteTarget::Amqp { .. } => {
            broker::Broker::new(&opened, reach).map_or_else(Sink::Broken, Sink::Broker)
        }
        RouteTarget::Table => return,
    };
    let route = Arc::new(Route { opened: Arc::new(opened), sink, service, gateway });
    let mut running: JoinSet<i64> = JoinSet::new();
    let mut busy = HashSet::new();
    let mut idle = IDLE.0;
    loop {
        let free = LANES_MAX.saturating_sub(busy.len());
        if free > 0 {
            let (reader, known) = (route.service.clone(), busy.clone());
            let read = move || reader.due_lanes(&CALLER, id, &known, free);
            match tokio::task::spawn_blocking(read).await {
                Ok(Ok(lanes)) => {
                    idle = if lanes.is_empty() { (idle * 2).min(IDLE.1) } else { IDLE.0 };
                    for lane in lanes {
                        busy.insert(lane.device);
                        running.spawn(serve(route.clone(), lane));
                    }
                }
                Ok(Err(error)) => {
                    idle = (idle * 2).min(IDLE.1);
                    tracing::error!(%error, "the queue of a route cannot be read");
                }
                Err(error) => {
                    idle = (idle * 2).min(IDLE.1);
                    tracing::error!(%error, "the queue of a route was not read");
                }
            }
        }
        // As soon as one is done, the next begins; otherwise it is looked now and then.
        match timeout(idle, running.join_next()).await {
            Ok(Some(Ok(device))) => {
                busy.remove(&device);
            }
            Ok(Some(Err(error))) => {
                tracing::error!(%error, "a route was not served");
                return;
            }
            Ok(None) => sleep(idle).await,
            Err(_) => {}
        }
    }
}

/// Serves a device's messages, and notes what became of them. Which device that was.
async fn serve(route: Arc<Route>, lane: Lane) -> i64 {
    let mut outcome = route.send(&lane).await;
    outcome.withheld.extend_from_slice(&lane.withheld);
    let id = route.opened.id;
    let settled = route.service.settle_lane(&CALLER, id, (lane.device, lane.attempts), outcome);
    if let Err(error) = settled.await {
        // They are sent again; not at once, where the store is in trouble.
        tracing::error!(%error, "what became of messages of a route cannot be noted");
        sleep(Duration::from_secs(1)).await;
    }
    lane.device
}

/// What became of one message.
enum Sent {
    Taken,
    /// it will never be taken
    Never(String),
    /// not now; after so many seconds, where the receiver says so
    Later(String, Option<u32>),
    /// it may not be sent any more
    Withheld,
}

/// Asks whether a message may be sent at this moment; where that cannot be known, why.
type MayGo = Box<dyn Fn() -> Result<bool, String> + Send + Sync>;

/// How often a message of a lane was tried: the count is of the first that was in it.
fn attempts(lane: &Lane, outcome: &LaneOutcome, message: &QueuedMessage) -> u32 {
    let before = |id: &u64| *id < message.id;
    let fresh = outcome.delivered.is_empty()
        && outcome.dead.is_empty()
        && !lane.withheld.iter().chain(&outcome.withheld).any(before);
    if fresh { lane.attempts } else { 0 }
}

impl Route {
    async fn send(&self, lane: &Lane) -> LaneOutcome {
        let mut outcome = LaneOutcome::default();
        if let Sink::File(path) = &self.sink {
            if lane.messages.is_empty() {
                return outcome;
            }
            // All of a lane in one write and one fsync.
            let (mut text, mut written) = (String::new(), Vec::new());
            let path = path.lock().await;
            for message in &lane.messages {
                match self.may_go(lane, message)() {
                    Ok(true) => {
                        text.push_str(&message.json(&self.opened.name));
                        text.push('\n');
                        written.push(message);
                    }
                    Ok(false) => outcome.withheld.push(message.id),
                    Err(why) => {
                        let attempts = attempts(lane, &outcome, message);
                        outcome.failed = Some(failure(message, attempts, why, None));
                        break;
                    }
                }
            }
            let Some(first) = written.first() else { return outcome };
            match lines::add(&path, text, Some(FILE_BYTES_MAX)).await {
                Ok(()) => outcome.delivered = written.iter().map(|it| it.id).collect(),
                Err(why) => {
                    let attempts = attempts(lane, &outcome, first);
                    outcome.failed = Some(failure(first, attempts, why, None));
                }
            }
            return outcome;
        }
        for message in &lane.messages {
            let attempts = attempts(lane, &outcome, message);
            let may_go = self.may_go(lane, message);
            // Asked for each: those before it may have taken minutes.
            let sent = match may_go() {
                Ok(true) => self.send_one(message, may_go).await,
                Ok(false) => Sent::Withheld,
                Err(why) => Sent::Later(why, None),
            };
            match sent {
                Sent::Taken => outcome.delivered.push(message.id),
                Sent::Never(why) => outcome.dead.push((message.id, why)),
                Sent::Later(why, pause) => {
                    outcome.failed = Some(failure(message, attempts, why, pause));
                    break;
                }
                Sent::Withheld => outcome.withheld.push(message.id),
            }
        }
        outcome
    }

    /// Whether a message may be sent, for who asks at the last moment.
    fn may_go(&self, lane: &Lane, message: &QueuedMessage) -> MayGo {
        let (service, opened, device) = (self.service.clone(), self.opened.clone(), lane.device);
        let (topic, received_at) = (message.topic.clone(), message.received_at);
        Box::new(move || {
            let goes = service.may_go(&opened, device, (&topic, received_at));
            goes.map_err(|error| {
                tracing::error!(%error, "purposes could not be looked up: nothing is sent");
                error.to_string()
            })
        })
    }

    async fn send_one(&self, message: &QueuedMessage, may_go: MayGo) -> Sent {
        match (&self.sink, &self.opened.target) {
            (Sink::Https(hook), _) => hook.send(&self.opened.name, message).await,
            (Sink::Broker(broker), _) => broker.send(&self.opened.name, message, may_go).await,
            (Sink::Topic, RouteTarget::Topic { device, topic }) => {
                match self.service.route_reaches(&self.opened.organisation, device) {
                    Ok(true) => {}
                    Ok(false) => {
                        return Sent::Never("the device is not the organisation's any more".into());
                    }
                    Err(error) => return Sent::Later(error.to_string(), None),
                }
                let payload = message.payload.as_slice().into();
                let media_type = message.media_type.as_deref();
                match self.gateway.tell_routed(topic.clone(), payload, media_type) {
                    0 => Sent::Later("no session of the device listens".into(), None),
                    _ => Sent::Taken,
                }
            }
            (Sink::Broken(why), _) => Sent::Later(why.clone(), None),
            (Sink::File(_) | Sink::Topic, _) => Sent::Later("the route is damaged".into(), None),
        }
    }
}

/// That a message was not taken, and when it is tried again: after twice as long each time, spread so
/// that those which failed together are not tried together.
fn failure(message: &QueuedMessage, attempts: u32, why: String, asked: Option<u32>) -> LaneFailure {
    let usual = 1_u32.checked_shl(attempts).unwrap_or(u32::MAX).clamp(1, PAUSE_S_MAX.0);
    let [spread] = crypto::random::bytes::<1>();
    let usual = usual.saturating_add(usual.saturating_mul(u32::from(spread)) / 1024);
    let pause_s = asked.map_or(usual, |asked| asked.clamp(1, PAUSE_S_MAX.1));
    LaneFailure { message: message.id, pause_s, why }
}
