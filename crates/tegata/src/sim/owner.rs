//! The owner meanwhile: gives commands to devices, and looks what became of them (docs/command.md).

use super::{
    figures::Reasons,
    fleet::{Play, locked},
    scenario::Order,
};
use crate::remote::Remote;
use anyhow::Context as _;
use api::wire::{DeviceCommand, NewDeviceCommand};
use device::DeviceId;
use serde::Serialize;
use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

/// How long the last answers may take to be written down.
const PATIENCE: Duration = Duration::from_secs(10);

/// An order of the scenario at work.
pub struct OrderAtWork {
    /// what is wanted
    pub order: Order,
    given: Mutex<Vec<(DeviceId, String)>>,
    refused: Mutex<Reasons>,
}

/// What became of an order.
#[derive(Debug, Serialize)]
pub struct OrderReport {
    /// name of the command
    pub name: String,
    /// the group
    pub group: String,
    /// devices that were given it
    pub given: u64,
    /// of these, how many did it
    pub done: u64,
    /// how the others stand, and why the platform would not give it
    pub others: Reasons,
}

impl OrderAtWork {
    /// The orders of a scenario.
    pub fn all(play: &Play) -> Vec<Arc<Self>> {
        let one = |order: &Order| {
            let (given, refused) = (Mutex::default(), Mutex::default());
            Arc::new(Self { order: order.clone(), given, refused })
        };
        play.scenario.orders.iter().map(one).collect()
    }

    /// Waits for its time, and gives the command to the first devices of its group.
    pub async fn run(&self, play: &Play, remote: &Remote) -> anyhow::Result<()> {
        let given = self.give(play, remote).await;
        play.orders.fetch_sub(1, Ordering::Relaxed);
        given
    }

    async fn give(&self, play: &Play, remote: &Remote) -> anyhow::Result<()> {
        while play.now_ms() < self.order.start.ms() {
            if play.over() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let at = play.groups.iter().find(|at| at.group.name == self.order.group);
        let at = at.context("an order for no group")?;
        let new = NewDeviceCommand {
            name: self.order.name.clone(),
            parameters: serde_json::Map::new(),
            reason: "a drill of the simulator".to_owned(),
            lifetime_s: u32::try_from(self.order.lifetime.ms() / 1000)?,
        };
        for number in 0..self.order.count.min(at.honest) {
            if play.stopped.load(Ordering::Relaxed) {
                break;
            }
            let id = play.place(at, number)?.id;
            let given: anyhow::Result<DeviceCommand> =
                remote.post(&format!("/v1/devices/{id}/commands"), &new).await;
            match given {
                Ok(given) => locked(&self.given).push((id, given.id)),
                Err(error) => locked(&self.refused).add(&super::net::reason(&error)),
            }
        }
        Ok(())
    }

    /// What became of it.
    pub async fn report(&self, remote: &Remote) -> anyhow::Result<OrderReport> {
        let given = locked(&self.given).clone();
        let until = crate::clock::instant() + PATIENCE;
        loop {
            let (mut done, mut others) = (0, locked(&self.refused).clone());
            for (id, command) in &given {
                let path = format!("/v1/devices/{id}/commands/{command}");
                let command: DeviceCommand = remote.get(&path).await?;
                match command.state.as_str() {
                    "done" => done += 1,
                    state => others.add(state),
                }
            }
            if done == given.len() || crate::clock::instant() >= until {
                return Ok(OrderReport {
                    name: self.order.name.clone(),
                    group: self.order.group.clone(),
                    given: u64::try_from(given.len())?,
                    done: u64::try_from(done)?,
                    others,
                });
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
