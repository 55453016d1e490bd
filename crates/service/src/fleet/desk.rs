//! Threads for what operators look up, and turns at them: a search may look at thousands of rows,
//! which no asynchronous task has the time for, and no organisation may take all of the threads.

use crate::{Service, ServiceError, pool::Pool};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Threads that look up.
const THREADS: usize = 3;
/// Searches of one organisation that are looked up at once.
const AT_ONCE: usize = 2;
/// Searches of one organisation that wait for that; more are turned away.
const WAITING_MAX: usize = 32;

/// The threads, and who is at them.
pub(crate) struct Desk {
    pool: Pool,
    lines: Arc<Mutex<HashMap<i64, Line>>>,
}

/// The searches of one organisation.
struct Line {
    turns: Arc<Semaphore>,
    /// waiting and looked up
    open: usize,
}

/// A place in the line of an organisation, until it is dropped.
struct Placed {
    lines: Arc<Mutex<HashMap<i64, Line>>>,
    who: i64,
}

impl Drop for Placed {
    fn drop(&mut self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get_mut(&self.who) {
            line.open = line.open.saturating_sub(1);
            if line.open == 0 {
                lines.remove(&self.who);
            }
        }
    }
}

/// Whether somebody still waits for the answer.
#[derive(Clone, Default)]
pub(crate) struct Asked(Arc<AtomicBool>);

impl Asked {
    /// Ends a look-up whose asker is gone.
    ///
    /// # Errors
    /// `stopped`, which nobody reads.
    pub(crate) fn still(&self) -> Result<(), ServiceError> {
        if self.0.load(Ordering::Relaxed) { Err(ServiceError::stopped()) } else { Ok(()) }
    }
}

/// Says that the asker is gone once it is dropped.
struct Asking(Asked);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Desk {
    pub(crate) fn start() -> Result<Self, ServiceError> {
        Ok(Self { pool: Pool::start(THREADS)?, lines: Arc::default() })
    }

    pub(crate) fn close(&self) {
        self.pool.close();
    }

    /// Waits for a turn of organisation `who`.
    async fn turn(&self, who: i64) -> Result<(Placed, OwnedSemaphorePermit), ServiceError> {
        let (placed, turns) = {
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let line = lines
                .entry(who)
                .or_insert_with(|| Line { turns: Arc::new(Semaphore::new(AT_ONCE)), open: 0 });
            if line.open >= AT_ONCE + WAITING_MAX {
                return Err(ServiceError::too_many(
                    "too-many-searches",
                    "your organisation has as many searches under way as it may have; wait a \
                     moment and try again",
                )
                .in_japanese(
                    "組織で同時に実行できる検索の数を超えています。少し待ってからやり直してください",
                ));
            }
            line.open += 1;
            (Placed { lines: self.lines.clone(), who }, line.turns.clone())
        };
        let permit = turns.acquire_owned().await.map_err(|_| ServiceError::stopped())?;
        Ok((placed, permit))
    }
}

impl Service {
    /// Looks something up for organisation `who` on a thread of its own, in turn.
    ///
    /// # Errors
    /// `too-many-searches` where too many of the organisation wait already; those of the work.
    pub(crate) async fn at_desk<T: Send + 'static>(
        &self,
        who: i64,
        work: impl FnOnce(&Self, &Asked) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let turn = self.desk.turn(who).await?;
        let asking = Asking(Asked::default());
        let (service, asked) = (self.clone(), asking.0.clone());
        let found = self.desk.pool.begin(move || {
            // The turn ends with the work: who hangs up and asks again gains nothing.
            let _turn = turn;
            asked.still()?;
            work(&service, &asked)
        });
        found.outcome().await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::Future as _, pin::pin, task::Context};

    fn nobody() -> Context<'static> {
        Context::from_waker(std::task::Waker::noop())
    }

    #[test]
    fn one_organisation_leaves_turns_to_others_and_is_turned_away_in_the_end() {
        let desk = Desk::start().unwrap();
        let mut turns: Vec<_> =
            (0..AT_ONCE + WAITING_MAX).map(|_| Box::pin(desk.turn(1))).collect();
        let mut taken = Vec::new();
        for turn in &mut turns {
            if let std::task::Poll::Ready(turn) = turn.as_mut().poll(&mut nobody()) {
                taken.push(turn.unwrap());
            }
        }
        assert_eq!(taken.len(), AT_ONCE);
        let refused = pin!(desk.turn(1)).poll(&mut nobody());
        let std::task::Poll::Ready(Err(refused)) = refused else { panic!("it waits") };
        assert_eq!(refused.code(), "too-many-searches");
        let other = pin!(desk.turn(2)).poll(&mut nobody());
        assert!(other.is_ready(), "another organisation waits for this one");
        // Whoever hangs up leaves the line, and whoever is done lets the next one in.
        turns.pop();
        taken.pop();
        assert!(turns[AT_ONCE].as_mut().poll(&mut nobody()).is_ready());
        assert!(pin!(desk.turn(1)).poll(&mut nobody()).is_pending(), "there is room in the line");
        drop((turns, taken, other));
        assert!(desk.lines.lock().unwrap().is_empty());
        desk.close();
    }
}
