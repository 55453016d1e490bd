//! Work in parallel: on all cores, or as many tasks waiting on the service at once.

use super::machine::{clock, cores};
use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// `make(0..count)` on all cores; the outputs in order. Blocks, but not the runtime.
pub fn prepare<T: Send>(
    count: usize,
    bar: &indicatif::ProgressBar,
    make: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    const STEP: usize = 64;
    let next = AtomicUsize::new(0);
    let parts = Mutex::new(Vec::new());
    let work = || -> anyhow::Result<()> {
        loop {
            let from = next.fetch_add(STEP, Ordering::Relaxed);
            if from >= count {
                return Ok(());
            }
            let to = from.saturating_add(STEP).min(count);
            let made = (from..to).map(&make).collect::<anyhow::Result<Vec<T>>>()?;
            parts.lock().unwrap_or_else(PoisonError::into_inner).push((from, made));
            bar.inc((to - from) as u64);
        }
    };
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
            })
        })
    })?;
    bar.finish_and_clear();
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_unstable_by_key(|(from, _)| *from);
    Ok(parts.into_iter().flat_map(|(_, made)| made).collect())
}

/// `work` for every item, `at_once` of them at any time, each in a task of its own; the outputs in
/// no order, and how long all took together. The first error ends it.
pub async fn drive<I, T, F>(
    items: Vec<I>,
    at_once: usize,
    work: impl Fn(I) -> F + Clone + Send + Sync + 'static,
) -> anyhow::Result<(Vec<T>, Duration)>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>> + Send,
{
    let items = Arc::new(Mutex::new(items.into_iter()));
    let start = clock();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..at_once {
        let (items, work) = (items.clone(), work.clone());
        tasks.spawn(async move {
            let mut outputs = Vec::new();
            loop {
                let item = items.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(item) = item else { return anyhow::Ok(outputs) };
                outputs.push(work(item).await?);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(outputs) = tasks.join_next().await {
        all.extend(outputs??);
    }
    Ok((all, start.elapsed()))
}

/// Cuts a list into owned pieces of `size`.
pub fn pieces<T>(list: Vec<T>, size: usize) -> Vec<Vec<T>> {
    let mut list = list.into_iter();
    let mut pieces = Vec::new();
    loop {
        let piece: Vec<T> = list.by_ref().take(size.max(1)).collect();
        if piece.is_empty() {
            return pieces;
        }
        pieces.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn nothing_is_lost_and_the_first_error_ends_it() {
        let bar = indicatif::ProgressBar::hidden();
        let made = prepare(1000, &bar, Ok).unwrap();
        assert_eq!(made, (0..1000).collect::<Vec<_>>());
        assert!(
            prepare(1000, &bar, |n| if n == 777 { anyhow::bail!("no") } else { Ok(n) }).is_err()
        );
        let (mut outputs, _) = drive(made, 7, |n| async move { Ok(n * 2) }).await.unwrap();
        outputs.sort_unstable();
        assert_eq!(outputs, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        let failed = drive(vec![1, 2, 3], 2, |n: u8| async move {
            anyhow::ensure!(n != 2, "two");
            Ok(n)
        });
        assert!(failed.await.is_err());
        assert_eq!(pieces(vec![1, 2, 3], 2), [vec![1, 2], vec![3]]);
    }
}
