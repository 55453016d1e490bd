//! A file on its way to its place: in pieces, each synced and counted before the next part is asked
//! for, so that a crash costs at most one part; hashed from the first byte to the last, and opened on
//! the way where it is sealed.

use crate::{
    Failure, clock,
    engine::Sealed,
    fault,
    net::{Call, Client, Reply},
    slots,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Digester, HashAlgorithm, Secret, agreement::AgreementKey};
use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::Path,
};
use update::{
    client::Pace,
    sealed::{HEADER_BYTES, Header, Opener, Ticket},
};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;
/// Bytes after which what came is synced and counted.
const PART: u64 = 4 * 1024 * 1024;
/// Seconds in which a slow mirror is not judged.
const GRACE_S: u64 = 30;

/// How a download ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// whole, and what was signed for
    Right,
    /// whole, and something else
    Wrong(String),
}

/// What a download works with.
pub(crate) struct Download<'a> {
    pub(crate) client: &'a Client,
    /// path of the file on the server
    pub(crate) path: String,
    /// length of what is to lie there in the end
    pub(crate) length: u64,
    /// its SHA-256 in hexadecimal
    pub(crate) sha256: &'a str,
    /// where the file on the server is sealed
    pub(crate) sealed: Option<&'a Sealed>,
    /// keys that tickets may be for
    pub(crate) keys: &'a [AgreementKey],
    /// where it goes, for messages
    pub(crate) place: &'a Path,
    pub(crate) bytes_per_s_min: u64,
}

/// What becomes of the bytes that come.
struct Taking {
    /// of the file as the server has it
    digester: Digester,
    /// opens what is sealed, once its header is known
    opener: Option<Opener>,
    /// the beginning of a sealed file, until its header is whole
    head: Vec<u8>,
    /// next byte of the file that the server is to send
    from: u64,
    /// bytes that lie in place
    written: u64,
}

impl Download<'_> {
    /// Gets the file, of which the first `kept` bytes lie in place. `open` opens the place and drops
    /// what is behind so many bytes; `progress` keeps what is there for certain.
    ///
    /// # Errors
    /// `connection`, `slow-retrieval`, `endless-data`, `disk-full`, `slot-write`, `slot-in-use`,
    /// `slot-too-small`, `slot-short`, `missing-file`, `no-ticket`; and those of `progress`.
    pub(crate) fn run(
        &self,
        kept: u64,
        open: &mut dyn FnMut(u64) -> Result<File, Failure>,
        progress: &mut dyn FnMut(u64) -> Result<(), Failure>,
    ) -> Result<Outcome, Failure> {
        let failed = |error: std::io::Error| slots::slot_failed(self.place, &error);
        let whole = self.sealed.map_or(self.length, |sealed| sealed.length);
        let (mut taking, mut file) = self.take_up(kept.min(self.length), open)?;
        if taking.from < whole {
            let mut connection = self.client.connect()?;
            let mut call = Call::get(&self.path);
            if taking.from > 0 {
                call = call.with("Range", format!("bytes={}-", taking.from));
            }
            let mut reply = connection.send(&call)?;
            match reply.head.status {
                // The server does not do ranges: from the beginning, the place too.
                200 if taking.from > 0 => {
                    (taking, file) = (Taking::new(), open(0)?);
                    progress(0)?;
                }
                200 => {}
                206 => {
                    let range = reply.head.content_range();
                    if range != Some((taking.from, whole)) {
                        let from = taking.from;
                        let detail = format!("asked from {from}, and {range:?} came");
                        return Err(Failure::unavailable("http", detail));
                    }
                }
                416 => {
                    let detail = format!("the server has fewer than {} bytes of it", taking.from);
                    return Ok(Outcome::Wrong(detail));
                }
                other => return Err(self.missing(other)),
            }
            file.seek(SeekFrom::Start(taking.written)).map_err(failed)?;
            let pace = Pace::new(clock::wall(), self.bytes_per_s_min, GRACE_S);
            let (mut synced, begun) = (taking.written, taking.from);
            let mut buffer = vec![0; PIECE];
            let mut plain = Vec::new();
            loop {
                let read = reply.read(&mut buffer)?;
                let piece = buffer.get(..read).unwrap_or_default();
                if piece.is_empty() {
                    break;
                }
                taking.from = taking.from.saturating_add(piece.len() as u64);
                if taking.from > whole {
                    let detail = format!("more than the {whole} bytes that were signed for");
                    return Err(Failure::refused("endless-data", detail));
                }
                taking.digester.update(piece);
                let piece = match self.sealed {
                    None => piece,
                    Some(sealed) => {
                        plain.clear();
                        match self.open_piece(sealed, &mut taking, piece, &mut plain)? {
                            Outcome::Right => plain.as_slice(),
                            wrong => return Ok(wrong),
                        }
                    }
                };
                slots::write(&mut file, self.place, piece)?;
                taking.written = taking.written.saturating_add(piece.len() as u64);
                fault::point("piece-written");
                pace.check(taking.from.saturating_sub(begun), clock::wall())?;
                if taking.written.saturating_sub(synced) >= PART {
                    file.sync_data().map_err(failed)?;
                    progress(taking.written)?;
                    synced = taking.written;
                }
            }
            if taking.from < whole {
                file.sync_data().map_err(failed)?;
                progress(taking.written)?;
                let detail = format!("{} of {whole} bytes came", taking.from);
                return Err(Failure::unavailable("connection", detail));
            }
        }
        file.sync_all().map_err(failed)?;
        fault::point("download-complete");
        Ok(self.judge(taking))
    }

    /// Begins, or goes on with what lies in place.
    fn take_up(
        &self,
        kept: u64,
        open: &mut dyn FnMut(u64) -> Result<File, Failure>,
    ) -> Result<(Taking, File), Failure> {
        let mut taking = Taking::new();
        if kept == 0 {
            return Ok((taking, open(0)?));
        }
        let failed = |error: std::io::Error| slots::slot_failed(self.place, &error);
        let short = || Failure::refused("slot-short", "the place lost what was written to it");
        let Some(sealed) = self.sealed else {
            let mut file = open(kept)?;
            file.rewind().map_err(failed)?;
            if !slots::feed(&mut file, kept, &mut taking.digester).map_err(failed)? {
                return Err(short());
            }
            (taking.from, taking.written) = (kept, kept);
            return Ok((taking, file));
        };
        let head = self.fetch_head()?;
        let header = match self.header(&head) {
            Ok(header) => header,
            // Another file than the one that was signed for: its hash will show it.
            Err(_) => return Ok((taking, open(0)?)),
        };
        let mut opener = self.opener(sealed, header)?;
        let kept = opener.kept(kept);
        let mut file = open(kept)?;
        file.rewind().map_err(failed)?;
        taking.digester.update(&head);
        let mut chunk = vec![0; usize::try_from(header.chunk_bytes).unwrap_or(0)];
        let mut again = Vec::new();
        while taking.written < kept {
            file.read_exact(&mut chunk).map_err(|_| short())?;
            again.clear();
            opener.replay(&chunk, &mut again).map_err(|_| short())?;
            taking.digester.update(&again);
            taking.written = taking.written.saturating_add(chunk.len() as u64);
        }
        taking.from = opener.sealed_offset(kept);
        taking.opener = Some(opener);
        Ok((taking, file))
    }

    /// The first bytes of the file.
    fn fetch_head(&self) -> Result<Vec<u8>, Failure> {
        let mut connection = self.client.connect()?;
        let last = HEADER_BYTES.saturating_sub(1);
        let call = Call::get(&self.path).with("Range", format!("bytes=0-{last}"));
        let mut reply = connection.send(&call)?;
        // What follows is left unread where the server does not do ranges.
        match reply.head.status {
            200 | 206 => read_head(&mut reply),
            other => Err(self.missing(other)),
        }
    }

    fn open_piece(
        &self,
        sealed: &Sealed,
        taking: &mut Taking,
        piece: &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<Outcome, Failure> {
        let missing = HEADER_BYTES.saturating_sub(taking.head.len()).min(piece.len());
        let mut rest = piece;
        if taking.opener.is_none() {
            let (head, behind) = piece.split_at(missing);
            taking.head.extend_from_slice(head);
            rest = behind;
            if taking.head.len() < HEADER_BYTES {
                return Ok(Outcome::Right);
            }
            match self.header(&taking.head) {
                Ok(header) => taking.opener = Some(self.opener(sealed, header)?),
                Err(detail) => return Ok(Outcome::Wrong(detail)),
            }
        }
        let Some(opener) = &mut taking.opener else { return Ok(Outcome::Right) };
        match opener.push(rest, plain) {
            Ok(()) => Ok(Outcome::Right),
            Err(error) => Ok(Outcome::Wrong(error.to_string())),
        }
    }

    /// The header, where it announces what was signed for.
    fn header(&self, head: &[u8]) -> Result<Header, String> {
        let header = Header::parse(head).map_err(|error| error.to_string())?;
        let plain = (header.plain.length, header.plain.sha256.to_string());
        if plain != (self.length, self.sha256.to_owned()) {
            return Err("what is sealed is not what was signed for".to_owned());
        }
        Ok(header)
    }

    fn opener(&self, sealed: &Sealed, header: Header) -> Result<Opener, Failure> {
        let key = content_key(sealed, &header, self.keys)?;
        Opener::begin(&key, header)
            .map_err(|error| Failure::refused("no-ticket", error.to_string()))
    }

    fn judge(&self, taking: Taking) -> Outcome {
        let found = hex::encode(taking.digester.finish());
        let wanted = self.sealed.map_or(self.sha256, |sealed| sealed.sha256.as_str());
        if found != wanted {
            return Outcome::Wrong(format!("{} hashes to {found}, not {wanted}", self.path));
        }
        match (self.sealed, taking.opener.map(Opener::finish)) {
            (None, _) | (Some(_), Some(Ok(_))) => Outcome::Right,
            (Some(_), Some(Err(error))) => Outcome::Wrong(error.to_string()),
            (Some(_), None) => Outcome::Wrong("it has no header".to_owned()),
        }
    }

    fn missing(&self, status: u16) -> Failure {
        match status {
            403 | 404 | 410 => {
                Failure::unavailable("missing-file", format!("{} is not there", self.path))
            }
            other => {
                let detail = format!("{} answers {other}", self.path);
                Failure::unavailable("http-status", detail)
            }
        }
    }
}

impl Taking {
    fn new() -> Self {
        let digester = Digester::new(HashAlgorithm::Sha256);
        Self { digester, opener: None, head: Vec::new(), from: 0, written: 0 }
    }
}

fn read_head(reply: &mut Reply<'_>) -> Result<Vec<u8>, Failure> {
    let (mut head, mut buffer) = (Vec::new(), [0; HEADER_BYTES]);
    while head.len() < HEADER_BYTES {
        let room = HEADER_BYTES.saturating_sub(head.len());
        let read = reply.read(buffer.get_mut(..room).unwrap_or_default())?;
        if read == 0 {
            return Err(Failure::unavailable("connection", "the file ended within its header"));
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    Ok(head)
}

/// Whether one of the tickets is for a key that is here.
pub(crate) fn may_open(sealed: &Sealed, keys: &[AgreementKey]) -> bool {
    tickets(sealed)
        .any(|ticket| keys.iter().any(|key| key.public().fingerprint() == ticket.recipient))
}

fn tickets(sealed: &Sealed) -> impl Iterator<Item = Ticket> {
    let decode = |text: &String| Ticket::parse(&STANDARD.decode(text).ok()?).ok();
    sealed.tickets.iter().filter_map(decode)
}

/// The content key, by the first ticket that opens.
fn content_key(sealed: &Sealed, header: &Header, keys: &[AgreementKey]) -> Result<Secret, Failure> {
    tickets(sealed)
        .find_map(|ticket| keys.iter().find_map(|key| ticket.unwrap_for(header, key).ok()))
        .ok_or_else(|| {
            let detail =
                "no ticket opens it with a key of this device; it needs to be sealed for it";
            Failure::refused("no-ticket", detail)
        })
}
