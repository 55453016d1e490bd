//! Security events on their way to receivers (LG-3, docs/stream.md): one task per stream, which reads
//! the audit log from where its receiver stands, sends, and moves the stream on when events were taken.
//!
//! Delivery is at least once: what is sent again has the number that it had. Doors never wait for a
//! receiver.

mod https;
mod syslog;

use crate::{
    outward::{keep_running, lines, tls},
    tls::OwnCertificate,
};
use policy::Caller;
use service::{OpenedStream, Service, ServiceError, StreamPlace, StreamTarget, StreamedEvent};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::watch, time::sleep};

const CALLER: Caller = Caller::Platform { task: "audit-stream" };
/// How often a stream that has delivered everything looks for more.
const IDLE: Duration = Duration::from_millis(250);
/// Events that are sent at a time.
const BATCH: usize = 256;
/// First and longest time until a receiver that failed is tried again.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Longest time for a batch to be taken.
const TAKE: Duration = Duration::from_secs(30);

/// Delivers every stream until told to stop.
pub(crate) async fn run(service: Service, own: Arc<OwnCertificate>, stop: watch::Receiver<bool>) {
    let live = || service.live_streams(&CALLER);
    let begin = |id| tokio::spawn(deliver(service.clone(), own.clone(), id));
    keep_running("streams of security events", live, begin, stop).await;
}

/// A connection to a receiver, or what stands for one.
enum Sink {
    Syslog(Box<syslog::Syslog>),
    Https(Box<https::Https>),
    File(PathBuf),
}

impl Sink {
    fn open(
        stream: &OpenedStream,
        own: &Arc<OwnCertificate>,
        service: &Service,
    ) -> Result<Self, String> {
        Ok(match &stream.target {
            StreamTarget::SyslogTls { host, port } => {
                let tls = tls::config(&stream.roots, Some(own), &[])?;
                let origin = service.stream_host().to_owned();
                Self::Syslog(Box::new(syslog::Syslog::new(host, *port, tls, origin)))
            }
            StreamTarget::Https { host, port, path } => {
                let tls = tls::config(&stream.roots, Some(own), &[b"http/1.1"])?;
                let authorization = stream.authorization.as_ref();
                Self::Https(Box::new(https::Https::new(host, *port, path, tls, authorization)?))
            }
            StreamTarget::File => Self::File(service.stream_file(&stream.name)),
        })
    }

    /// Sends events, or none to see whether the receiver is still there. The place up to which they
    /// are known to be taken.
    async fn send(
        &mut self,
        stream: &str,
        events: &[StreamedEvent],
    ) -> Result<Option<StreamPlace>, String> {
        match self {
            Self::Syslog(sink) => sink.send(stream, events).await,
            Self::Https(sink) => sink.send(stream, events).await,
            Self::File(path) => {
                let Some(last) = events.last() else { return Ok(None) };
                let mut text = String::new();
                for event in events {
                    text.push_str(&event.json(stream));
                    text.push('\n');
                }
                lines::add(path, text, None).await?;
                Ok(Some(last.place()))
            }
        }
    }
}

async fn deliver(service: Service, own: Arc<OwnCertificate>, id: i64) {
    let mut again = AGAIN.0;
    loop {
        let why = match session(&service, &own, id, &mut again).await {
            Ok(()) => return,
            Err(why) => why,
        };
        tracing::warn!(why, "a receiver of security events takes nothing");
        if let Err(error) = service.stream_failed(&CALLER, id, &why).await {
            tracing::error!(%error, "that a receiver takes nothing cannot be noted");
        }
        // Receivers that failed together are not tried together.
        let [spread] = crypto::random::bytes::<1>();
        sleep(again + again * u32::from(spread) / 1024).await;
        again = (again * 2).min(AGAIN.1);
    }
}

/// Delivers from where the receiver stands until something fails, or the stream is gone.
async fn session(
    service: &Service,
    own: &Arc<OwnCertificate>,
    id: i64,
    again: &mut Duration,
) -> Result<(), String> {
    let told = |error: ServiceError| error.to_string();
    let Ok(stream) = service.open_stream(&CALLER, id) else { return Ok(()) };
    let mut sink = Sink::open(&stream, own, service)?;
    let (mut noted, mut sent) = (stream.place, stream.place);
    loop {
        let reader = service.clone();
        let read = move || reader.next_of_stream(&CALLER, id, sent, BATCH);
        let events = match tokio::task::spawn_blocking(read).await {
            Ok(Ok(events)) => events,
            Ok(Err(error)) if error.code() == "not-found" => return Ok(()),
            Ok(Err(error)) => return Err(told(error)),
            Err(error) => return Err(error.to_string()),
        };
        let taken = sink.send(&stream.name, &events).await?;
        if let Some(last) = events.last() {
            sent = last.place();
        }
        if let Some(taken) = taken.filter(|taken| taken.number > noted.number) {
            if !service.stream_reached(&CALLER, id, noted, taken).await.map_err(told)? {
                return Ok(());
            }
            noted = taken;
            *again = AGAIN.0;
        }
        if events.len() < BATCH {
            sleep(IDLE).await;
        }
    }
}
