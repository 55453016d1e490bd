//! Bodies in blocks (RFC 7959). `coap-lite` has a handler for them that fills holes with zeros; here a
//! body is whole or it is not taken.

use super::packet::{
    Answer, BAD_REQUEST, Block, CONTINUE, Code, INCOMPLETE, Request, TOO_LARGE, UNAVAILABLE,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Longest body, as by the other doors.
const BODY_BYTES_MAX: usize = 65_536;
/// How long a body may take from one block to the next.
const PATIENCE: Duration = Duration::from_secs(60);
/// Size of a block that an answer is cut into, where nobody wants smaller ones: it fits a datagram.
const EXPONENT: u8 = 6;

/// How many bytes of unfinished bodies there may be, of all clients.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    used: Arc<AtomicUsize>,
    most: usize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Self {
        Self { used: Arc::default(), most }
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self.used.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |used| {
            used.checked_add(bytes).filter(|all| *all <= self.most)
        });
        taken.is_ok()
    }
}

/// A body that is coming.
#[derive(Debug)]
struct Coming {
    /// what it is for: the same in each block
    path: Vec<String>,
    query: Vec<String>,
    format: Option<u16>,
    bytes: Vec<u8>,
    until: Instant,
    budget: Budget,
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes.len(), Ordering::SeqCst);
    }
}

/// The body that a client is sending; one at a time.
#[derive(Debug)]
pub(super) struct Bodies {
    coming: Option<Coming>,
    budget: Budget,
}

impl Bodies {
    pub(super) fn new(budget: Budget) -> Self {
        Self { coming: None, budget }
    }

    /// When what is coming has come for too long.
    pub(super) fn until(&self) -> Option<Instant> {
        self.coming.as_ref().map(|it| it.until)
    }

    /// Forgets what has come for too long.
    pub(super) fn forget(&mut self, now: Instant) {
        self.coming = self.coming.take().filter(|it| it.until > now);
    }

    /// Takes a block; with the last one the whole body stands in the request.
    ///
    /// # Errors
    /// The answer that asks for the next block, or says why there is none.
    pub(super) fn take(&mut self, request: &mut Request, now: Instant) -> Result<(), Answer> {
        let Some(block) = request.block1 else {
            let fits = request.payload.len() <= BODY_BYTES_MAX;
            return fits.then_some(()).ok_or_else(too_large);
        };
        let refuse = |code: Code| Answer { block1: Some(block), ..Answer::from(code) };
        if block.more && request.payload.len() != block.size() {
            return Err(refuse(BAD_REQUEST));
        }
        if request.payload.len() > block.size() {
            return Err(refuse(BAD_REQUEST));
        }
        if block.offset().saturating_add(request.payload.len()) > BODY_BYTES_MAX {
            self.coming = None;
            return Err(Answer { block1: Some(block), ..too_large() });
        }
        // What began too long ago has ended; block 0 begins anew.
        self.forget(now);
        self.coming = self.coming.take().filter(|_| block.number > 0);
        let coming = match &mut self.coming {
            Some(coming) => coming,
            None if block.number > 0 => return Err(refuse(INCOMPLETE)),
            None => self.coming.insert(Coming {
                path: request.path.clone(),
                query: request.query.clone(),
                format: request.format,
                bytes: Vec::new(),
                until: now,
                budget: self.budget.clone(),
            }),
        };
        let same = coming.path == request.path
            && coming.query == request.query
            && coming.format == request.format;
        if !same || coming.bytes.len() != block.offset() {
            self.coming = None;
            return Err(refuse(INCOMPLETE));
        }
        if !self.budget.take(request.payload.len()) {
            self.coming = None;
            return Err(Answer { max_age_s: Some(1), ..refuse(UNAVAILABLE) });
        }
        coming.bytes.extend_from_slice(&request.payload);
        coming.until = now + PATIENCE;
        if block.more {
            return Err(refuse(CONTINUE));
        }
        if let Some(coming) = self.coming.take() {
            request.payload.clone_from(&coming.bytes);
        }
        Ok(())
    }
}

fn too_large() -> Answer {
    let most = u32::try_from(BODY_BYTES_MAX).unwrap_or(u32::MAX);
    Answer { size1: Some(most), ..Answer::from(TOO_LARGE) }
}

/// What was rendered for a client, so that all blocks that it asks for are of one body.
#[derive(Debug, Default)]
pub(super) struct Rendered(Option<(Vec<u8>, Vec<u8>, Instant)>);

impl Rendered {
    /// Keeps a body that is longer than one block.
    pub(super) fn keep(&mut self, body: &[u8], etag: &[u8], now: Instant) {
        self.0 = Some((body.to_vec(), etag.to_vec(), now + PATIENCE));
    }

    /// When it has been kept for too long.
    pub(super) fn until(&self) -> Option<Instant> {
        self.0.as_ref().map(|(.., until)| *until)
    }

    /// Forgets what was kept for too long.
    pub(super) fn forget(&mut self, now: Instant) {
        self.0 = self.0.take().filter(|(.., until)| *until > now);
    }

    /// The body and its tag, where it is there still.
    pub(super) fn get(&mut self, now: Instant) -> Option<(&[u8], &[u8])> {
        self.forget(now);
        self.0.as_ref().map(|(body, etag, _)| (body.as_slice(), etag.as_slice()))
    }
}

/// The part of a body that is asked for, and which block it is; `None` where there is no such part.
/// A body that is one block needs none.
pub(super) fn part(body: &[u8], wanted: Option<Block>) -> Option<(Vec<u8>, Option<Block>)> {
    let first = Block { number: 0, more: false, exponent: EXPONENT };
    let wanted = wanted.unwrap_or(first);
    let (from, size) = (wanted.offset(), wanted.size());
    let rest = body.get(from..).filter(|rest| !rest.is_empty() || from == 0)?;
    let part = rest.get(..size).unwrap_or(rest);
    let more = rest.len() > size;
    let whole = from == 0 && !more;
    Some((part.to_vec(), (!whole).then_some(Block { more, ..wanted })))
}

#[cfg(test)]
mod tests {
    use super::{super::packet::Method, *};
    use proptest::prelude::*;

    fn request(number: u32, more: bool, payload: &[u8]) -> Request {
        Request {
            method: Method::Post,
            path: vec!["me".into()],
            query: Vec::new(),
            format: None,
            accept: None,
            block1: Some(Block { number, more, exponent: 0 }),
            block2: None,
            payload: payload.to_vec(),
        }
    }

    fn code(taken: Result<(), Answer>) -> Code {
        taken.unwrap_err().code
    }

    #[test]
    fn a_body_is_whole_or_not_taken() {
        let (budget, now) = (Budget::new(1000), Instant::now());
        let mut bodies = Bodies::new(budget.clone());
        assert_eq!(code(bodies.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
        assert_eq!(budget.used.load(Ordering::SeqCst), 16);
        assert_eq!(code(bodies.take(&mut request(2, true, &[3; 16]), now)), INCOMPLETE, "a hole");
        assert_eq!(budget.used.load(Ordering::SeqCst), 0);
        assert_eq!(code(bodies.take(&mut request(1, false, &[2; 3]), now)), INCOMPLETE);
        // Anew, and to the end.
        assert_eq!(code(bodies.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
        assert_eq!(code(bodies.take(&mut request(0, true, &[4; 16]), now)), CONTINUE);
        let mut last = request(1, false, &[2; 3]);
        bodies.take(&mut last, now).unwrap();
        assert_eq!(last.payload, [[4; 16].as_slice(), &[2; 3]].concat());
        assert_eq!(budget.used.load(Ordering::SeqCst), 0);
        // Too short, of something else, too late, too much.
        assert_eq!(code(bodies.take(&mut request(0, true, &[1; 15]), now)), BAD_REQUEST);
        assert_eq!(code(bodies.take(&mut request(0, false, &[1; 17]), now)), BAD_REQUEST);
        assert_eq!(code(bodies.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
        let other = Request { path: vec!["you".into()], ..request(1, false, &[2; 3]) };
        assert_eq!(code(bodies.take(&mut other.clone(), now)), INCOMPLETE);
        assert_eq!(code(bodies.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
        let late = now + PATIENCE;
        assert_eq!(code(bodies.take(&mut request(1, false, &[2; 3]), late)), INCOMPLETE);
        let far = bodies.take(&mut request(4096, false, &[2; 3]), now).unwrap_err();
        assert_eq!((far.code, far.size1), (TOO_LARGE, Some(65_536)));
    }

    #[test]
    fn all_clients_share_what_there_is_for_bodies() {
        let (budget, now) = (Budget::new(20), Instant::now());
        let mut one = Bodies::new(budget.clone());
        let mut other = Bodies::new(budget);
        assert_eq!(code(one.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
        assert_eq!(code(other.take(&mut request(0, true, &[1; 16]), now)), UNAVAILABLE);
        drop(one);
        assert_eq!(code(other.take(&mut request(0, true, &[1; 16]), now)), CONTINUE);
    }

    proptest! {
        /// A body that is cut into parts is the same body again, whatever their size.
        #[test]
        fn parts_are_the_whole(body in proptest::collection::vec(any::<u8>(), 0..5000), exponent in 0..=6_u8) {
            let mut again = Vec::new();
            for number in 0.. {
                let wanted = Block { number, more: false, exponent };
                let (bytes, block) = part(&body, Some(wanted)).unwrap();
                again.extend(bytes);
                if !block.is_some_and(|block| block.more) {
                    prop_assert_eq!(part(&body, Some(Block { number: number + 1, ..wanted })), None);
                    break;
                }
            }
            prop_assert_eq!(again, body);
        }
    }
}
