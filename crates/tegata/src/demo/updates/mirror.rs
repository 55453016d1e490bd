//! A mirror between devices and the platform's plain door: it passes files on, and lies where it is
//! told to. It holds no key of anybody's, as no mirror does.

use anyhow::Context as _;
use api::{Client, Settings, client::Call};
use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What a mirror does with a file: its path, and what the platform has there.
type Lie = Arc<dyn Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync>;

/// Files by path, as they once were.
pub(super) type Tape = HashMap<String, Vec<u8>>;

/// A mirror that serves until it is dropped.
pub(super) struct Mirror {
    /// where it serves
    pub(super) url: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

struct State {
    platform: Client,
    lie: Mutex<Lie>,
    /// what was passed on so far
    tape: Mutex<Tape>,
}

impl Mirror {
    /// A mirror of what is served at `platform`, honest at first.
    pub(super) async fn start(platform: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            platform: Client::public(platform, Settings::default())?,
            lie: Mutex::new(Arc::new(|_, file| file)),
            tape: Mutex::default(),
        });
        let serves = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&serves);
                // A client that hangs up is no concern of the mirror's.
                tokio::spawn(async move { state.answer(stream).await.ok() });
            }
        });
        Ok(Self { url, state, serving })
    }

    /// From now on lies so.
    pub(super) fn lies(
        &self,
        lie: impl Fn(&str, Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) {
        *self.state.lie.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(lie);
    }

    /// Everything that was passed on so far.
    pub(super) fn tape(&self) -> Tape {
        self.state.tape.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn answer(&self, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut head = Vec::with_capacity(1024);
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            anyhow::ensure!(head.len() < HEAD_BYTES_MAX, "the request's head is too long");
            anyhow::ensure!(stream.read_buf(&mut head).await? > 0, "the request broke off");
        }
        let head = String::from_utf8_lossy(&head);
        let path = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
        let path = path.context("a mirror answers GET alone")?;
        let answer = self.platform.send(Call::get(path)).await?;
        let there = (answer.status.as_u16() == 200).then(|| answer.body.to_vec());
        if let Some(file) = &there {
            let mut tape = self.tape.lock().unwrap_or_else(PoisonError::into_inner);
            tape.insert(path.to_owned(), file.clone());
        }
        let lie = Arc::clone(&self.lie.lock().unwrap_or_else(PoisonError::into_inner));
        let (status, body) = match lie(path, there) {
            Some(file) => ("200 OK", file),
            None => ("404 Not Found", Vec::new()),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
        Ok(stream.shutdown().await?)
    }
}
