//! Syslog over TLS (RFC 5425).
//!
//! Receivers acknowledge nothing: what was written may be lost with the connection or with the
//! receiver. So what was written counts as taken only when the connection has stood a while longer;
//! what was written shortly before it broke is written again on the next one.

use super::TAKE;
use crate::outward::{reach::Reach, tls};
use audit::syslog;
use rustls::ClientConfig;
use service::{StreamPlace, StreamedEvent};
use std::{collections::VecDeque, future::poll_fn, pin::Pin, sync::Arc, task::Poll};
use tokio::{
    io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::{Duration, Instant, timeout},
};
use tokio_rustls::client::TlsStream;

/// How long a connection has to stand until what was written counts as taken.
const STANDS: Duration = Duration::from_secs(3);

pub(super) struct Syslog {
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
    /// `HOSTNAME` of the messages
    origin: String,
    connection: Option<TlsStream<TcpStream>>,
    written: VecDeque<(Instant, StreamPlace)>,
}

impl Syslog {
    pub(super) fn new(host: &str, port: u16, tls: Arc<ClientConfig>, origin: String) -> Self {
        let (host, written) = (host.to_owned(), VecDeque::new());
        Self { host, port, tls, origin, connection: None, written }
    }

    pub(super) async fn send(
        &mut self,
        stream: &str,
        events: &[StreamedEvent],
    ) -> Result<Option<StreamPlace>, String> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => {
                none.insert(tls::connect(&self.host, self.port, &self.tls, &Reach::Anywhere).await?)
            }
        };
        if let Some(last) = events.last() {
            let mut bytes = Vec::new();
            for event in events {
                let json = event.json(stream);
                let message =
                    syslog::message(&event.event, &event.record(stream), &self.origin, &json);
                bytes.extend_from_slice(&syslog::frame(&message));
            }
            let write = async {
                connection.write_all(&bytes).await?;
                connection.flush().await
            };
            timeout(TAKE, write)
                .await
                .map_err(|_| "the receiver takes nothing: it reads too slowly".to_owned())?
                .map_err(|error| format!("the connection broke: {error}"))?;
            self.written.push_back((Instant::now(), last.place()));
        }
        look(connection).await?;
        let mut taken = None;
        while let Some((_, place)) = self.written.pop_front_if(|(at, _)| at.elapsed() >= STANDS) {
            taken = Some(place);
        }
        Ok(taken)
    }
}

/// Fails where the other end has closed, or says why it will: receivers never say anything else.
async fn look(connection: &mut TlsStream<TcpStream>) -> Result<(), String> {
    let mut room = [0; 512];
    let mut buffer = ReadBuf::new(&mut room);
    let found = poll_fn(|context| {
        Poll::Ready(match Pin::new(&mut *connection).poll_read(context, &mut buffer) {
            Poll::Pending => None,
            Poll::Ready(read) => Some(read),
        })
    })
    .await;
    match found {
        None => Ok(()),
        Some(Ok(())) if !buffer.filled().is_empty() => Ok(()),
        Some(Ok(())) => Err("the receiver closed the connection".into()),
        Some(Err(error)) => Err(format!("the receiver ended the connection: {error}")),
    }
}
