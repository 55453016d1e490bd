//! A few threads for work that would hold up an asynchronous task: verifying many signatures,
//! auditing a whole log.

use crate::ServiceError;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};
use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// Threads that take tasks from one queue.
pub(crate) struct Pool {
    queue: Mutex<Option<mpsc::Sender<Task>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    pub(crate) fn start(threads: usize) -> Result<Self, ServiceError> {
        let (sender, receiver) = mpsc::channel::<Task>();
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = (0..threads.max(1))
            .map(|_| {
                let receiver = Arc::clone(&receiver);
                std::thread::Builder::new().name("tegata-worker".into()).spawn(move || {
                    loop {
                        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        match next {
                            Ok(task) => task(),
                            Err(mpsc::RecvError) => return,
                        }
                    }
                })
            })
            .collect::<Result<_, _>>()
            .map_err(|_| ServiceError::fatal("no-thread", "a worker thread cannot be started"))?;
        Ok(Self { queue: Mutex::new(Some(sender)), threads: Mutex::new(threads) })
    }

    /// Begins `work` on one of the threads.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Begun<T> {
        let (reply, answer) = oneshot::channel();
        let task: Task = Box::new(move || {
            // What panics costs its own answer, not the thread that others wait for.
            let outcome = catch_unwind(AssertUnwindSafe(work));
            let _ = reply.send(outcome.ok());
        });
        if let Some(queue) = &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = queue.send(task);
        }
        Begun(answer)
    }

    /// Ends the threads when their work is done.
    pub(crate) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

/// Work that is going on.
pub(crate) struct Begun<T>(oneshot::Receiver<Option<T>>);

impl<T> Begun<T> {
    /// Waits for its outcome.
    ///
    /// # Errors
    /// `stopped` where the service ended, `work-failed` where the work panicked.
    pub(crate) async fn outcome(self) -> Result<T, ServiceError> {
        let done = self.0.await.map_err(|_| ServiceError::stopped())?;
        done.ok_or_else(|| {
            ServiceError::fatal(
                "work-failed",
                "a fault of the platform itself; hint: try once more, and tell \
                 whoever runs the platform what you sent if it fails again",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_panics_costs_one_answer() {
        let pool = Pool::start(1).unwrap();
        for _ in 0..3 {
            let failed = pool.begin::<()>(|| panic!("on purpose")).outcome().await.unwrap_err();
            assert_eq!(failed.problem().code, "work-failed");
        }
        assert_eq!(pool.begin(|| 7).outcome().await.unwrap(), 7);
        pool.close();
    }
}
