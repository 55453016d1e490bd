//! The state machine alone, on a machine that loses its process and its power at any moment, tells
//! the agent the wrong thing, and boots what its boot record says. Whatever happens: the slot that
//! runs is never written, what starts is a whole image, and the result names what runs.

use agent::{
    Moment,
    boot::BootRecord,
    engine::{Execution, Happened, Image, Limits, Phase, Plan, Slot, State, Step},
};
use crypto::UnixTime;
use proptest::prelude::*;

const LIMITS: Limits =
    Limits { download_within_s: 1_000, boot_within_s: 50, confirm_within_s: 50, boots_max: 2 };
const LENGTH: u64 = 4;

/// What happens to the world between two instructions.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// nothing
    Fine,
    /// the process dies before the step
    DieBefore,
    /// the process dies after the step and before it is kept
    DieAfter,
    /// the power fails before the step
    PowerBefore,
    /// the power fails after the step and before it is kept
    PowerAfter,
    /// the step says no
    Fails,
    /// time passes
    Later(u16),
    /// the platform takes it back
    Cancel,
    /// a person says no
    Refuse,
}

struct Machine {
    /// what a crash leaves
    kept: State,
    record: BootRecord,
    /// bytes of each slot: which image, how much of it
    slots: [(u64, u64); 2],
    running: Slot,
    wall: i64,
    uptime: u64,
    boot: u32,
    /// whether the new image works
    works: bool,
    offered: u64,
}

fn index(slot: Slot) -> usize {
    match slot {
        Slot::A => 0,
        Slot::B => 1,
    }
}

impl Machine {
    fn new(works: bool) -> Self {
        Self {
            kept: State::default(),
            record: BootRecord { good: Slot::A, trying: None },
            slots: [(1, LENGTH), (0, 0)],
            running: Slot::A,
            wall: 1_800_000_000,
            uptime: 10,
            boot: 1,
            works,
            offered: 2,
        }
    }

    fn now(&self) -> Moment {
        Moment { wall: UnixTime(self.wall), uptime_s: self.uptime, boot_id: self.boot.to_string() }
    }

    fn start(&mut self) {
        let (slot, record) = self.record.choose();
        self.record = record;
        self.running = slot;
        self.boot += 1;
        self.uptime = 1;
        let (_, bytes) = self.slots[index(slot)];
        assert_eq!(bytes, LENGTH, "half an image starts");
    }

    fn apply(&mut self, happened: Happened) {
        let mut state = self.kept.clone();
        if state.apply(happened, &self.now(), &LIMITS).is_ok() {
            self.kept = state;
        }
    }

    /// One step of the driver, as `agent.rs` does it.
    fn round(&mut self, fate: Fate) {
        match fate {
            Fate::PowerBefore => self.start(),
            Fate::Later(seconds) => {
                self.uptime += u64::from(seconds);
                self.wall += i64::from(seconds);
            }
            Fate::Cancel => self.apply(Happened::CancelAsked { action: "1".into() }),
            Fate::Refuse => self.apply(Happened::RefusedByHand),
            _ => {}
        }
        let running = self.running;
        self.apply(Happened::Observed { running });
        if matches!(fate, Fate::DieBefore) {
            return;
        }
        let lost = matches!(fate, Fate::DieAfter | Fate::PowerAfter);
        let happened = self.act(matches!(fate, Fate::Fails));
        if let (Some(happened), false) = (happened, lost) {
            self.apply(happened);
        }
        if matches!(fate, Fate::PowerAfter) {
            self.start();
        }
    }

    fn write(&mut self, slot: Slot, content: (u64, u64)) {
        assert_ne!(slot, self.running, "what runs is written");
        assert_ne!(slot, self.record.good, "what is fallen back on is written");
        self.slots[index(slot)] = content;
    }

    fn act(&mut self, fails: bool) -> Option<Happened> {
        let gave_up = || Happened::GaveUp { code: "test".into(), detail: String::new() };
        match self.kept.step() {
            Step::Poll => {
                if self.offered > 0 {
                    let mut state = self.kept.clone();
                    let running = self.running;
                    state.begin(plan(self.offered), running, &self.now(), &LIMITS).unwrap();
                    self.kept = state;
                    self.offered = 0;
                }
                None
            }
            Step::Download { slot, from } => {
                if fails {
                    return Some(gave_up());
                }
                let (counter, _) = (2, ());
                self.write(slot, (counter, from + 1));
                let received = from + 1;
                Some(if received == LENGTH {
                    Happened::Fetched
                } else {
                    Happened::Progress { received }
                })
            }
            Step::ReadBack { slot } => {
                let whole = self.slots[index(slot)] == (2, LENGTH);
                Some(if whole && !fails {
                    Happened::Intact
                } else {
                    Happened::WrongBytes { detail: "test".into() }
                })
            }
            Step::Activate { slot } => {
                if fails {
                    return Some(gave_up());
                }
                assert_eq!(self.slots[index(slot)], (2, LENGTH), "half an image is activated");
                self.record = BootRecord { good: slot.other(), trying: Some((slot, 2)) };
                Some(Happened::Activated)
            }
            Step::Reboot => {
                if !fails {
                    self.start();
                }
                None
            }
            Step::Health => Some(if self.works && !fails {
                Happened::Healthy
            } else {
                Happened::Unhealthy { detail: "test".into() }
            }),
            Step::Wait => None,
            Step::Confirm { slot } => {
                if fails {
                    return Some(gave_up());
                }
                self.record = BootRecord { good: slot, trying: None };
                Some(Happened::Confirmed)
            }
            Step::GoBack { slot } => {
                if fails {
                    return None;
                }
                self.record = BootRecord { good: slot, trying: None };
                Some(Happened::ToldToReturn)
            }
        }
    }
}

fn plan(counter: u64) -> Plan {
    Plan {
        action: Some("1".into()),
        organisation: "kairo".into(),
        address: "x".into(),
        image: Image {
            target: "x".into(),
            length: LENGTH,
            sha256: counter.to_string(),
            version: None,
            security_version: 1,
            release_counter: counter,
        },
        back: false,
        confirm_by_hand: false,
        sealed: None,
        delta: None,
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Fine),
        2 => Just(Fate::DieBefore),
        2 => Just(Fate::DieAfter),
        1 => Just(Fate::PowerBefore),
        1 => Just(Fate::PowerAfter),
        1 => Just(Fate::Fails),
        1 => (0u16..200).prop_map(Fate::Later),
        1 => Just(Fate::Cancel),
        1 => Just(Fate::Refuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whatever_happens_a_whole_image_runs_and_the_result_names_it(
        fates in proptest::collection::vec(fate(), 0..60),
        works in any::<bool>(),
    ) {
        let mut machine = Machine::new(works);
        for fate in fates {
            machine.round(fate);
        }
        // Left alone, it comes to an end.
        for _ in 0..60 {
            machine.round(Fate::Later(10));
        }
        prop_assert_eq!(&machine.kept.phase, &Phase::Idle);
        let last = machine.kept.last.clone().expect("a result");
        let (runs, bytes) = machine.slots[index(machine.running)];
        prop_assert_eq!(bytes, LENGTH);
        prop_assert_eq!(machine.record.trying, None, "nothing is tried any more");
        prop_assert_eq!(machine.record.good, machine.running);
        prop_assert_eq!(runs == 2, last.execution == Execution::Success, "{:?}", last);
        prop_assert_eq!(machine.kept.release_counter == 2, runs == 2);
        prop_assert!(machine.kept.outbox.contains(&last), "the result waits until it is told");
        let state = serde_json::to_string(&machine.kept).unwrap();
        prop_assert_eq!(&serde_json::from_str::<State>(&state).unwrap(), &machine.kept);
    }
}
