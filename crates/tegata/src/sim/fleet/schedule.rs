//! Whose turn it is: a heap of times, and as many tasks as connections may be open.

use super::{Play, locked};
use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};
use tokio::sync::mpsc;

impl Play {
    /// Plays until every device is done, or the time is over.
    pub async fn run(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut staying = tokio::task::JoinSet::new();
        let mut heap = BinaryHeap::new();
        for (place, at) in self.groups.iter().enumerate() {
            for number in 0..at.honest {
                if at.stays {
                    let permit = self.permits.clone().acquire_owned().await?;
                    let play = self.clone();
                    staying.spawn(async move {
                        let _permit = permit;
                        if let Some(at) = play.groups.get(place) {
                            play.stay(at, number).await;
                        }
                    });
                } else {
                    heap.push(Reverse((self.due_ms(at, number, 0), u32::try_from(place)?, number)));
                }
            }
        }
        self.visits(heap).await?;
        while let Some(done) = staying.join_next().await {
            done?;
        }
        for at in &self.groups {
            let waiting: u64 = (0..at.honest)
                .filter_map(|number| self.member(at, number))
                .map(|member| u64::from(member.made - member.next))
                .sum();
            locked(&at.figures).waiting = waiting;
        }
        Ok(())
    }

    async fn visits(
        self: &Arc<Self>,
        mut heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
    ) -> anyhow::Result<()> {
        let (told, mut back) = mpsc::unbounded_channel::<(u32, u32, Option<u64>)>();
        let mut under_way = 0_u64;
        let end = self.scenario.duration.ms();
        loop {
            let returned = |(place, number, next): (u32, u32, Option<u64>)| {
                next.map(|next| Reverse((next, place, number)))
            };
            while let Ok(one) = back.try_recv() {
                under_way -= 1;
                heap.extend(returned(one));
            }
            let now = self.now_ms();
            let over = self.over();
            match heap.peek() {
                _ if over && under_way == 0 => return Ok(()),
                None if under_way == 0 => return Ok(()),
                // At the end those who were away come once more.
                Some(Reverse((due, place, number))) if !over && (*due).min(end) <= now => {
                    let (place, number) = (*place, *number);
                    let Ok(permit) = self.permits.clone().try_acquire_owned() else {
                        // All are taken: one that comes back gives its own.
                        let pause = Duration::from_millis(200);
                        if let Ok(Some(one)) = tokio::time::timeout(pause, back.recv()).await {
                            under_way -= 1;
                            heap.extend(returned(one));
                        }
                        continue;
                    };
                    heap.pop();
                    under_way += 1;
                    let (play, told) = (self.clone(), told.clone());
                    tokio::spawn(async move {
                        let next = match play.groups.get(usize::try_from(place).unwrap_or(0)) {
                            Some(at) => play.visit(at, number).await,
                            None => None,
                        };
                        drop(permit);
                        let _told = told.send((place, number, next));
                    });
                }
                soonest => {
                    let due = soonest.map_or(u64::MAX, |Reverse((due, ..))| *due);
                    let pause = due.min(end.max(now.saturating_add(1))).saturating_sub(now);
                    let pause = Duration::from_millis(pause.clamp(1, 500));
                    if let Ok(Some(one)) = tokio::time::timeout(pause, back.recv()).await {
                        under_way -= 1;
                        heap.extend(returned(one));
                    }
                }
            }
        }
    }
}
