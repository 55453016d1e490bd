//! The verifiable log: its newest checkpoint, its witnesses, its tiles, and the check of all of it.

use super::words;
use crate::{
    Answer, Console, Failure, Fields, Frame, Member, Section,
    i18n::{Locale, Moment},
    ui::{Badge, Command, Fingerprint, Message, Tile, Tone},
};
use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::IntoResponse as _,
    routing::{get, post},
};
use crypto::UnixTime;
use device::Language;
use http::header;
use ledger::{LogKey, SignedCheckpoint, TileKind, TilePath, WitnessKey};
use policy::Action;
use service::TrustStore;

/// A witness that was last heard of longer ago than this needs attention.
const SILENT_S: i64 = 3600;
/// Hashes in a full tile (C2SP tlog-tiles).
const TILE_WIDTH: u64 = 256;
/// Levels of tiles of the largest log there can be.
const LEVELS_MAX: u8 = 8;

pub(super) fn router() -> Router<Console> {
    Router::new()
        .route("/log", get(page))
        .route("/log/check", post(check))
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/tile/{*path}", get(tile))
}

/// A witness, and when it last cosigned.
struct WitnessRow {
    name: String,
    last: Option<Moment>,
    state: Badge,
}

/// What the newest checkpoint says, as far as its signatures hold.
struct Newest {
    size: u64,
    root: String,
    cosigned: Vec<(String, UnixTime)>,
}

fn newest(bytes: &[u8], trust: &TrustStore) -> Option<(Newest, Vec<WitnessKey>)> {
    let log: LogKey = trust.log_key.parse().ok()?;
    let witnesses: Vec<WitnessKey> =
        trust.witness_keys.iter().filter_map(|key| key.parse().ok()).collect();
    let checkpoint = SignedCheckpoint::parse(bytes).ok()?.verify(&log, &witnesses, 0).ok()?;
    let newest = Newest {
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        cosigned: checkpoint.cosigned_at.clone(),
    };
    Some((newest, witnesses))
}

/// Tiles at the right edge of the tree: the level, and the path of the last tile.
fn edge(size: u64) -> Vec<(String, String)> {
    let mut tiles = Vec::new();
    let mut nodes = size;
    for level in 0..LEVELS_MAX {
        if nodes == 0 {
            break;
        }
        let index = (nodes - 1) / TILE_WIDTH;
        let width = (nodes - 1) % TILE_WIDTH + 1;
        if let Ok(path) = TilePath::new(TileKind::Hashes(level), index, width) {
            tiles.push((level.to_string(), path.to_string()));
        }
        nodes /= TILE_WIDTH;
    }
    tiles
}

async fn page(State(console): State<Console>, member: Member) -> Answer {
    let t = member.t;
    let trust = console.service.trust_store().await?;
    let bytes = console.service.checkpoint();
    let health = console.service.health();
    let found = newest(&bytes, &trust);
    let mut messages = Vec::new();
    if let Some(failed) = &health.integration {
        let title = t.text("log-stopped");
        let failed = words::told(t, failed, health.integration_ja.as_deref());
        messages.push(Message::new(Tone::Bad, failed).title(title));
    }
    let mut witnesses = Vec::new();
    let mut tiles = vec![
        Tile::new(t.text("log-size"), t.number(health.tree_size)),
        Tile::new(t.text("log-waiting"), t.number(health.waiting)),
    ];
    let mut root = None;
    let mut edges = Vec::new();
    match found {
        None => messages.push(Message::new(Tone::Bad, t.text("log-unreadable"))),
        Some((newest, keys)) => {
            let silent = keys.iter().filter(|key| {
                let last = newest.cosigned.iter().find(|(name, _)| name == key.name());
                last.is_none_or(|(_, at)| member.now.since(*at) > SILENT_S)
            });
            let silent = silent.count();
            let heard = keys.len().saturating_sub(silent);
            let quorum = usize::try_from(trust.quorum).unwrap_or(usize::MAX);
            let tone = if heard >= quorum { Tone::Good } else { Tone::Warn };
            let figure = format!("{heard} / {}", keys.len());
            let note = t.text("log-quorum").arg("quorum", trust.quorum);
            tiles.push(Tile::new(t.text("log-witnesses"), figure).tone(tone).note(note));
            for key in &keys {
                let last = newest.cosigned.iter().find(|(name, _)| name == key.name());
                let state = match last {
                    None => Badge::new(Tone::Warn, t.text("log-never-cosigned")),
                    Some((_, at)) if member.now.since(*at) > SILENT_S => {
                        Badge::new(Tone::Warn, t.text("log-silent"))
                    }
                    Some(_) => Badge::new(Tone::Good, t.text("log-cosigning")),
                };
                witnesses.push(WitnessRow {
                    name: key.name().to_owned(),
                    last: last.map(|(_, at)| t.ago(*at, member.now)),
                    state,
                });
            }
            edges = edge(newest.size);
            root = Some(Fingerprint::new(t, &newest.root));
        }
    }
    let page = LogPage {
        t,
        frame: member.frame(Section::Log, t.text("log-title")),
        messages,
        tiles,
        root,
        integrated: health.integrated_at.map(|at| t.ago(at, member.now)),
        checkpoint: Command::new(t, String::from_utf8_lossy(&bytes).into_owned()),
        log_key: trust.log_key,
        witnesses,
        edges,
        may_check: words::may(&member, Action::CheckLog, &member.signed().organisation),
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "log/log.html")]
struct LogPage {
    t: Locale,
    frame: Frame,
    messages: Vec<Message>,
    tiles: Vec<Tile>,
    root: Option<Fingerprint>,
    integrated: Option<Moment>,
    checkpoint: Command,
    log_key: String,
    witnesses: Vec<WitnessRow>,
    edges: Vec<(String, String)>,
    may_check: bool,
}

/// Takes time in proportion to the log; noted in the audit log.
async fn check(State(console): State<Console>, member: Member, _form: Fields) -> Answer {
    let check = console.service.check_log(member.caller()).await?;
    let t = member.t;
    let result = if check.problems.is_empty() {
        Message::new(Tone::Good, t.text("log-holds"))
    } else {
        Message::new(Tone::Bad, t.text("log-broken"))
    };
    let page = CheckPage {
        t,
        frame: member.frame(Section::Log, t.text("log-check-title")),
        result,
        figures: vec![
            (t.text("log-size").to_string(), t.number(check.entries)),
            (t.text("log-waiting").to_string(), t.number(check.pending)),
            (t.text("log-events-checked").to_string(), t.number(check.events_checked)),
            (t.text("log-events-erased").to_string(), t.number(check.events_erased)),
            (t.text("log-heads-checked").to_string(), t.number(check.audit_heads_checked)),
        ],
        problems: match t.language {
            Language::En => check.problems,
            Language::Ja => check.problems_ja,
        },
    };
    Ok(member.page(&page))
}

#[derive(Template)]
#[template(path = "log/check.html")]
struct CheckPage {
    t: Locale,
    frame: Frame,
    result: Message,
    figures: Vec<(String, String)>,
    problems: Vec<String>,
}

async fn checkpoint(State(console): State<Console>, _member: Member) -> Answer {
    let bytes = console.service.checkpoint().to_vec();
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], bytes).into_response())
}

async fn tile(State(console): State<Console>, _member: Member, Path(path): Path<String>) -> Answer {
    // What is no tile's path is not found, like any other address.
    let path: TilePath = format!("tile/{path}").parse().map_err(|_| Failure::not_found())?;
    let bytes = console.service.tile(&path.to_string()).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
    ];
    Ok((headers, bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edge_has_the_last_tile_of_each_level() {
        let paths = |size| edge(size).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        assert_eq!(paths(0), Vec::<String>::new());
        assert_eq!(paths(5), ["tile/0/000.p/5"]);
        assert_eq!(paths(256), ["tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(paths(257), ["tile/0/001.p/1", "tile/1/000.p/1"]);
        assert_eq!(paths(1 << 32).len(), 5);
        assert_eq!(paths(u64::MAX), Vec::<String>::new(), "larger than a log can be");
    }
}
