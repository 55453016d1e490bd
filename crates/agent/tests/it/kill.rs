//! The program is killed by SIGKILL at every named step of an update, and at random moments; the
//! machine loses its power at half of them. Whatever starts is the old image or the new one, whole;
//! in the end it is the one that the program says it is.

use crate::{
    site::{Site, custom},
    world::{Machine, copy_folder, image},
};
use agent::fault;
use std::{collections::BTreeSet, os::unix::process::ExitStatusExt as _, time::Duration};

const SIGKILL: i32 = 9;
/// Random moments at which the program dies.
const RANDOM: usize = 12;

pub(crate) struct Stage {
    pub(crate) site: Site,
    template: Machine,
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let site = Site::new();
        let (old, new) = (image(1, 300_000), image(2, 5 * 1024 * 1024));
        let template = Machine::new(&site, &image(0, 1000));
        template.enrol();
        site.release(&old, &custom(1));
        let mut template = template;
        template.settle(&mut |_| {});
        site.release(&new, &custom(2));
        Self { site, template, old, new }
    }

    /// A machine that runs the old image; the new one is on offer.
    pub(crate) fn machine(&self, hooks: &str, limits: &[(&str, &str)]) -> Machine {
        let mut machine = Machine::new(&self.site, b"");
        for name in ["a.img", "b.img", "boot", "machine-id", "sealing.key"] {
            std::fs::copy(self.template.path(name), machine.path(name)).unwrap();
        }
        let _ = std::fs::remove_dir_all(machine.path("state"));
        copy_folder(&self.template.path("state"), &machine.path("state"));
        machine.configure(&self.site, hooks, limits);
        assert_eq!(machine.start(), self.old);
        machine
    }

    /// One round that may be killed; the image that starts after it is a whole one.
    pub(crate) fn round(&self, machine: &mut Machine, kill_at: Option<&str>, power: bool) -> bool {
        let mut command = machine.command(&["once"]);
        if let Some(point) = kill_at {
            command.env(fault::VARIABLE, point);
        }
        let output = command.output().unwrap();
        let killed = output.status.signal() == Some(SIGKILL);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(killed || output.status.success(), "{kill_at:?}: {complained}");
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if said["outcome"] == "restarting" || (killed && power) {
            self.start(machine);
        }
        killed
    }

    fn start(&self, machine: &mut Machine) {
        let image = machine.start();
        assert!(image == self.old || image == self.new, "{} bytes start", image.len());
    }
}

#[test]
fn killed_at_every_step_it_ends_in_the_old_or_the_new_image() {
    let stage = Stage::new();
    let mut reached = BTreeSet::new();
    for (index, point) in fault::POINTS.into_iter().enumerate() {
        for (time, power) in [(1, index % 2 == 0), (3, index % 2 == 1)] {
            let mut machine = stage.machine("", &[]);
            let kill_at = format!("{point}:{time}");
            // Killed as often as it reaches the point in three rounds, then left alone.
            for _ in 0..3 {
                if stage.round(&mut machine, Some(&kill_at), power) {
                    reached.insert(point);
                }
            }
            let said = machine.settle(&mut |image| {
                assert!(image == stage.old || image == stage.new, "{kill_at}");
            });
            let last = &said["update"]["last"];
            assert_eq!(last["execution"], "success", "{kill_at} {power}: {said}");
            assert_eq!(machine.image(), stage.new, "{kill_at} {power}");
            assert_eq!(last["running"]["release_counter"], 2, "{kill_at} {power}");
            assert_eq!(machine.start(), stage.new, "{kill_at} {power}: and it stays");
        }
    }
    let missed: Vec<_> =
        fault::POINTS.into_iter().filter(|point| !reached.contains(point)).collect();
    assert!(missed.is_empty(), "nothing died at {missed:?}");
}

#[test]
fn killed_while_it_is_told_what_to_do_the_platform_learns_the_truth() {
    let stage = Stage::new();
    let mut reached = BTreeSet::new();
    let points = ["assignment-accepted", "after-boot-record", "before-confirm-hook"];
    for (action, point) in (1..).zip(points.into_iter().chain(fault::POINTS_TOLD)) {
        let mut machine = stage.machine("", &[("told", "true")]);
        stage.site.assign(action, &stage.new);
        for (time, power) in [(1, false), (1, true), (2, false)] {
            let kill_at = format!("{point}:{time}");
            if stage.round(&mut machine, Some(&kill_at), power) {
                reached.insert(point);
            }
        }
        machine.settle(&mut |image| assert!(image == stage.old || image == stage.new));
        assert_eq!(machine.image(), stage.new, "{point}");
        let heard = stage.site.heard(action);
        let last = heard.last().map(String::as_str);
        assert_eq!(last, Some("confirmed"), "{point}: {heard:?}");
        assert_eq!(heard.iter().filter(|word| *word == "confirmed").count(), 1, "{heard:?}");
        let waits = machine.status()["update"]["outbox"].as_array().unwrap().len();
        assert_eq!(waits, 0, "{point}");
    }
    assert_eq!(reached.len(), 5, "{reached:?}");
}

#[test]
fn killed_on_the_way_back_it_ends_in_the_old_image() {
    let stage = Stage::new();
    for point in fault::POINTS_BACK.into_iter().chain(["boot-record-not-renamed:2"]) {
        for power in [false, true] {
            let hooks = "health = [\"/bin/false\"]\n";
            let mut machine = stage.machine(hooks, &[("confirm_within_s", "1")]);
            let mut killed = 0;
            for _ in 0..60 {
                killed += usize::from(stage.round(&mut machine, Some(point), power));
                if killed >= 2 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            let said =
                machine.settle(&mut |image| assert!(image == stage.old || image == stage.new));
            assert_eq!(machine.image(), stage.old, "{point} {power}");
            assert_eq!(said["update"]["last"]["execution"], "failure", "{point} {power}");
            assert_eq!(machine.start(), stage.old, "{point} {power}: and it stays");
        }
    }
}

#[test]
fn killed_at_random_moments_it_ends_in_the_old_or_the_new_image() {
    let stage = Stage::new();
    let seed = u64::from_be_bytes(crypto::random::bytes());
    println!("seed {seed}");
    let mut dice = seed | 1;
    let mut next = |below: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % below
    };
    let mut machine = stage.machine("", &[]);
    for _ in 0..RANDOM {
        let mut child = machine.command(&["once"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(next(400)));
        let _ = child.kill();
        child.wait().unwrap();
        let restarting = machine.status()["update"]["phase"]["phase"] == "booting";
        if restarting || next(2) == 0 {
            stage.start(&mut machine);
        }
    }
    let said = machine.settle(&mut |image| assert!(image == stage.old || image == stage.new));
    let counter = said["update"]["last"]["running"]["release_counter"].as_u64();
    // A machine that loses its power while the new image is on trial may use up its tries.
    let (expected, counted) = match said["update"]["last"]["execution"].as_str() {
        Some("success") => (&stage.new, Some(2)),
        _ => (&stage.old, Some(1)),
    };
    assert_eq!((&machine.image(), counter), (expected, counted), "seed {seed}: {said}");
}
