//! Campaigns: what may never happen, whatever devices and people do in whatever order.

use crypto::UnixTime;
use proptest::prelude::*;
use update::campaign::{
    Ask, Campaign, Change, Counts, Execution, Feedback, OnFailure, Outcome, PauseCause, Plan,
    Purpose, Reason, Record, Software, Stage, State, Step, Target, Why, Window,
};

const START: i64 = 1_800_000_000;
const DEADLINE: i64 = 600;

fn stage(share: u16, success_percent: u8, error_percent: u8) -> Stage {
    Stage { share, success_percent, error_percent, soak_s: 0 }
}

fn target() -> Target {
    Target {
        hardware_ids: vec!["gate-bg1".into()],
        version: "2.0".into(),
        release_counter: 20,
        security_version: 3,
        digests: Vec::new(),
    }
}

fn before() -> Target {
    Target { version: "1.0".into(), release_counter: 10, ..target() }
}

fn runs(release: &Target) -> Software {
    Software {
        hardware_id: Some("gate-bg1".into()),
        version: Some(release.version.clone()),
        release_counter: Some(release.release_counter),
        security_version: Some(release.security_version),
        digest: None,
        confirmed: true,
    }
}

fn says(execution: Execution) -> Feedback {
    Feedback { execution, progress: None, detail: None, installed: None }
}

/// A campaign and its members, as a store would keep them.
struct Fleet {
    plan: Plan,
    campaign: Campaign,
    members: Vec<(u8, Option<Record>)>,
    now: UnixTime,
    /// offers by minute
    offers: std::collections::HashMap<i64, u32>,
}

impl Fleet {
    fn new(plan: Plan, members: usize) -> Self {
        let lots: Vec<u64> = (0..members as u64).collect();
        let stages = plan.draw(&lots).unwrap();
        let mut totals = vec![0; plan.stages().len()];
        for stage in &stages {
            totals[usize::from(*stage)] += 1;
        }
        Self {
            campaign: Campaign::new(&totals),
            members: stages.into_iter().map(|stage| (stage, None)).collect(),
            plan,
            now: UnixTime(START),
            offers: std::collections::HashMap::new(),
        }
    }

    fn target_of(&self, member: usize) -> Target {
        let back = match self.members[member].1 {
            Some(Record::Open(action)) => action.purpose == Purpose::RollBack,
            Some(Record::Over { purpose, .. }) => purpose == Purpose::RollBack,
            None => false,
        };
        if back { before() } else { target() }
    }

    fn started(plan: Plan, members: usize) -> Self {
        let mut fleet = Self::new(plan, members);
        let changes = fleet.campaign.start(&fleet.plan, fleet.now).unwrap();
        fleet.check_changes(&changes);
        fleet
    }

    fn poll(&mut self, member: usize, said: &Software) -> Ask {
        let target = self.target_of(member);
        let (stage, record) = self.members[member];
        let state = self.campaign.state;
        let ask = self.campaign.ask(&self.plan, stage, record.as_ref(), said, &target, self.now);
        match ask {
            Ask::Offer(action) => {
                assert!(state.is_active(), "{state} gives something new");
                assert!(stage <= self.campaign.stage, "a stage that is not open");
                assert!(!matches!(record, Some(Record::Open(_))), "two open actions");
                assert_eq!(action.step, Step::Offered);
                let offers = self.offers.entry(self.now.0.div_euclid(60)).or_default();
                *offers += 1;
                assert!(self.plan.starts_per_minute.is_none_or(|most| *offers <= most));
                self.members[member].1 = Some(Record::Open(action));
            }
            Ask::Over(record) => self.members[member].1 = Some(record),
            Ask::Nothing(_) | Ask::Keep | Ask::Cancel => {}
        }
        self.settle();
        ask
    }

    fn feedback(&mut self, member: usize, said: &Feedback) {
        let target = self.target_of(member);
        let (stage, record) = self.members[member];
        match record {
            Some(Record::Open(action)) => {
                let next = self.campaign.feedback(&self.plan, stage, &action, said, &target);
                self.members[member].1 = Some(next);
            }
            Some(record) => {
                if let Some(next) = self.campaign.late(stage, &record, said, &target) {
                    self.members[member].1 = Some(next);
                }
            }
            None => {}
        }
        self.settle();
    }

    fn expire(&mut self) {
        for member in 0..self.members.len() {
            let (stage, record) = self.members[member];
            if let Some(Record::Open(action)) = record
                && let Some(over) = self.campaign.expire(stage, &action, self.now)
            {
                self.members[member].1 = Some(over);
                self.settle();
            }
        }
        while let Some(overdue) = self.campaign.overdue(&self.plan, self.now) {
            let waits = self.members.iter().position(|(stage, record)| {
                *stage == overdue
                    && matches!(
                        record,
                        None | Some(Record::Over {
                            outcome: Outcome::Withdrawn,
                            purpose: Purpose::Update,
                            ..
                        })
                    )
            });
            let member = waits.expect("somebody waits, say the counts");
            self.members[member].1 = Some(self.campaign.never_asked(overdue));
            self.settle();
        }
    }

    fn settle(&mut self) {
        let changes = self.campaign.settle(&self.plan, self.now);
        self.check_changes(&changes);
        self.check();
    }

    /// A stage opens only when all before it have reached their thresholds.
    fn check_changes(&self, changes: &[Change]) {
        for change in changes {
            let Change::Opened(opened) = change else { continue };
            for number in 0..usize::from(*opened) {
                let counts = self.campaign.counts[number];
                let weighed = counts.total - counts.skipped - counts.waived.min(counts.failed);
                let wanted = u64::from(self.plan.stages()[number].success_percent);
                // An earlier stage may have fallen behind since it was passed; the one before may not.
                if number + 1 == usize::from(*opened) {
                    assert!(counts.succeeded * 100 >= weighed * wanted, "{counts:?}");
                }
                assert!(counts.opened_at.is_some());
            }
        }
    }

    fn check(&self) {
        let mut counted = vec![Counts::default(); self.plan.stages().len()];
        for (stage, record) in &self.members {
            let counts = &mut counted[usize::from(*stage)];
            counts.total += 1;
            match record {
                None => {}
                Some(Record::Open(action)) => match action.purpose {
                    Purpose::Update => counts.open += 1,
                    Purpose::RollBack => counts.rolling_back += 1,
                },
                Some(Record::Over { purpose: Purpose::Update, outcome, .. }) => match outcome {
                    Outcome::Succeeded => counts.succeeded += 1,
                    Outcome::Failed => counts.failed += 1,
                    Outcome::Skipped => counts.skipped += 1,
                    Outcome::Cancelled => counts.cancelled += 1,
                    Outcome::Withdrawn => {}
                },
                Some(Record::Over { outcome, .. }) => match outcome {
                    Outcome::Succeeded => counts.rolled_back += 1,
                    Outcome::Failed => counts.stranded += 1,
                    Outcome::Skipped => counts.skipped += 1,
                    Outcome::Withdrawn | Outcome::Cancelled => counts.succeeded += 1,
                },
            }
        }
        for (number, (counted, kept)) in counted.iter().zip(&self.campaign.counts).enumerate() {
            let same = Counts { waived: kept.waived, opened_at: kept.opened_at, ..*counted };
            assert_eq!(same, *kept, "stage {number}");
            // An error threshold that is reached stops the campaign.
            let failures = kept.failed.saturating_sub(kept.waived);
            let weighed = kept.total - kept.skipped - kept.waived.min(kept.failed);
            let percent = u64::from(self.plan.stages()[number].error_percent);
            if number <= usize::from(self.campaign.stage)
                && failures > 0
                && failures * 100 >= weighed * percent
            {
                assert_ne!(self.campaign.state, State::Running, "stage {number}: {kept:?}");
            }
            if number > usize::from(self.campaign.stage) {
                assert_eq!(kept.waiting() + kept.skipped, kept.total, "stage {number}");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Move {
    Poll(usize, u8),
    Say(usize, u8, u8),
    Wait(i64),
    Expire,
    Pause,
    Resume,
    Cancel,
    RollBack,
    Leave(usize),
}

fn moves(members: usize) -> impl Strategy<Value = Vec<Move>> {
    let member = 0..members;
    let one = prop_oneof![
        12 => (member.clone(), 0u8..4).prop_map(|(m, what)| Move::Poll(m, what)),
        16 => (member.clone(), 1u8..10, 0u8..4).prop_map(|(m, e, i)| Move::Say(m, e, i)),
        3 => (1i64..400).prop_map(Move::Wait),
        2 => Just(Move::Expire),
        1 => Just(Move::Pause),
        3 => Just(Move::Resume),
        1 => Just(Move::RollBack),
        1 => member.prop_map(Move::Leave),
    ];
    let cancel = prop_oneof![200 => Just(false), 1 => Just(true)];
    proptest::collection::vec((one, cancel), 1..300).prop_map(|all| {
        all.into_iter().map(|(one, cancel)| if cancel { Move::Cancel } else { one }).collect()
    })
}

fn software(what: u8) -> Software {
    match what {
        0 => runs(&before()),
        1 => runs(&target()),
        2 => Software { confirmed: false, ..runs(&target()) },
        _ => Software::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_happens_that_may_not(
        moves in moves(24),
        success in 1u8..=100,
        error in 1u8..=100,
        rate in proptest::option::of(1u32..4),
        back in any::<bool>(),
    ) {
        let stages = vec![stage(1_000, success, error), stage(3_000, success, error), stage(6_000, success, error)];
        let mut plan = Plan::new(stages).unwrap();
        plan.deadline_s = DEADLINE;
        plan.starts_per_minute = rate;
        plan.on_failure = if back { OnFailure::RollBack } else { OnFailure::Pause };
        let mut fleet = Fleet::started(plan, 24);
        for one in moves {
            match one {
                Move::Poll(member, what) => {
                    fleet.poll(member, &software(what));
                }
                Move::Say(member, execution, installed) => {
                    let said = Feedback {
                        installed: (installed < 3).then(|| software(installed)),
                        ..says(Execution::from_code(execution).unwrap())
                    };
                    fleet.feedback(member, &said);
                }
                Move::Wait(seconds) => fleet.now = fleet.now.plus(seconds),
                Move::Expire => fleet.expire(),
                Move::Pause => { let _ = fleet.campaign.pause(); }
                Move::Resume => {
                    if let Ok(changes) = fleet.campaign.resume(&fleet.plan, fleet.now) {
                        fleet.check_changes(&changes);
                    }
                }
                Move::Cancel => { let _ = fleet.campaign.cancel(); }
                Move::RollBack => { let _ = fleet.campaign.roll_back(&fleet.plan, fleet.now); }
                Move::Leave(member) => {
                    let (stage, record) = fleet.members[member];
                    if stage <= fleet.campaign.stage {
                        let left = fleet.campaign.leave(stage, record.as_ref());
                        fleet.members[member].1 = Some(left);
                        fleet.settle();
                    }
                }
            }
            fleet.check();
        }
    }

    #[test]
    fn every_campaign_comes_to_an_end(good in 0u8..=100, members in 2usize..40, seed in any::<u64>()) {
        let stages = vec![stage(2_000, 80, 30), stage(8_000, 80, 30)];
        let mut plan = Plan::new(stages).unwrap();
        plan.deadline_s = DEADLINE;
        let mut fleet = Fleet::started(plan, members);
        let mut luck = seed;
        for _ in 0..20 {
            for member in 0..members {
                luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let well = (luck >> 33) % 100 < u64::from(good);
                if let Ask::Offer(_) = fleet.poll(member, &runs(&before())) && well {
                    fleet.feedback(member, &says(Execution::Installed));
                    fleet.feedback(member, &Feedback { installed: Some(runs(&target())), ..says(Execution::Confirmed) });
                }
            }
            fleet.now = fleet.now.plus(DEADLINE + 1);
            fleet.expire();
            let _ = fleet.campaign.resume(&fleet.plan, fleet.now);
            if fleet.campaign.state == State::Finished {
                break;
            }
        }
        prop_assert_eq!(fleet.campaign.state, State::Finished);
    }
}

fn one_stage(error: u8) -> Plan {
    let mut plan = Plan::new(vec![stage(10_000, 50, error)]).unwrap();
    plan.deadline_s = DEADLINE;
    plan
}

#[test]
fn silence_trips_the_error_threshold() {
    // Ten devices take the release and are never heard of again; ten never ask at all.
    for asked in [10, 0] {
        let mut fleet = Fleet::started(one_stage(25), 20);
        for member in 0..asked {
            assert!(matches!(fleet.poll(member, &runs(&before())), Ask::Offer(_)));
        }
        fleet.now = fleet.now.plus(DEADLINE - 1);
        fleet.expire();
        assert_eq!(fleet.campaign.state, State::Running);
        fleet.now = fleet.now.plus(1);
        fleet.expire();
        assert_eq!(fleet.campaign.state, State::Paused);
        assert_eq!(fleet.campaign.paused, Some(PauseCause::Errors));
        assert!(fleet.campaign.counts[0].failed >= 5);
        let reason = if asked > 0 { Reason::Silent } else { Reason::NeverAsked };
        let first = Record::Over { purpose: Purpose::Update, outcome: Outcome::Failed, reason };
        assert_eq!(fleet.members[0].1, Some(first));
        // Nobody else begins.
        assert_eq!(fleet.poll(19, &runs(&before())), Ask::Nothing(Why::State(State::Paused)));
    }
}

#[test]
fn success_is_a_confirmed_boot_and_nothing_less() {
    let mut fleet = Fleet::started(one_stage(100), 2);
    fleet.poll(0, &runs(&before()));
    for execution in [
        Execution::Proceeding,
        Execution::Downloading,
        Execution::Downloaded,
        Execution::Installing,
        Execution::Installed,
    ] {
        fleet.feedback(0, &says(execution));
        assert_eq!(fleet.campaign.counts[0].succeeded, 0, "{execution}");
    }
    // On trial: it says that it runs it, and may still give it up.
    let trial = Software { confirmed: false, ..runs(&target()) };
    fleet.feedback(0, &Feedback { installed: Some(trial.clone()), ..says(Execution::Confirmed) });
    assert_eq!(fleet.poll(0, &trial), Ask::Keep);
    assert_eq!(fleet.campaign.counts[0].succeeded, 0);
    // The message is lost; the next poll shows what runs.
    assert!(matches!(fleet.poll(0, &runs(&target())), Ask::Over(_)));
    assert_eq!(fleet.campaign.counts[0].succeeded, 1);
    // Whoever says that it is through and runs something else is not.
    fleet.poll(1, &runs(&before()));
    fleet.feedback(1, &Feedback { installed: Some(runs(&before())), ..says(Execution::Confirmed) });
    let failed = Record::Over {
        purpose: Purpose::Update,
        outcome: Outcome::Failed,
        reason: Reason::OtherSoftware,
    };
    assert_eq!(fleet.members[1].1, Some(failed));
}

#[test]
fn loops_are_ended() {
    for (again, reason) in [
        ([Execution::Downloading, Execution::Downloaded], Reason::DownloadLoop),
        ([Execution::Installing, Execution::Installed], Reason::InstallLoop),
    ] {
        let mut fleet = Fleet::started(one_stage(100), 1);
        fleet.poll(0, &runs(&before()));
        for round in 0..3 {
            for execution in again {
                // Progress within a phase is no repetition.
                for _ in 0..5 {
                    fleet.feedback(0, &says(execution));
                }
            }
            assert!(matches!(fleet.members[0].1, Some(Record::Open(_))), "{round}");
        }
        fleet.feedback(0, &says(again[0]));
        let over = Record::Over { purpose: Purpose::Update, outcome: Outcome::Failed, reason };
        assert_eq!(fleet.members[0].1, Some(over));
        // It asks again, and gets nothing.
        assert_eq!(fleet.poll(0, &runs(&before())), Ask::Nothing(Why::Done));
    }
}

#[test]
fn a_stuck_device_fails_and_a_late_confirmation_mends_it() {
    let mut fleet = Fleet::started(one_stage(100), 2);
    fleet.poll(0, &runs(&before()));
    fleet.feedback(0, &says(Execution::Installing));
    fleet.now = fleet.now.plus(DEADLINE);
    fleet.expire();
    let stuck =
        Record::Over { purpose: Purpose::Update, outcome: Outcome::Failed, reason: Reason::Stuck };
    assert_eq!(fleet.members[0].1, Some(stuck));
    fleet.feedback(0, &Feedback { installed: Some(runs(&before())), ..says(Execution::Confirmed) });
    assert_eq!(fleet.members[0].1, Some(stuck), "it runs something else");
    fleet.feedback(0, &Feedback { installed: Some(runs(&target())), ..says(Execution::Confirmed) });
    assert_eq!(fleet.campaign.counts[0].succeeded, 1);
}

#[test]
fn a_regression_is_a_failure() {
    let mut fleet = Fleet::started(one_stage(60), 3);
    for member in 0..2 {
        fleet.poll(member, &runs(&before()));
        fleet.feedback(member, &says(Execution::Confirmed));
    }
    assert_eq!(fleet.campaign.counts[0].succeeded, 2);
    assert_eq!(fleet.poll(0, &Software::default()), Ask::Nothing(Why::Done));
    assert!(matches!(
        fleet.poll(0, &runs(&before())),
        Ask::Over(Record::Over { reason: Reason::Regressed, .. })
    ));
    assert_eq!((fleet.campaign.counts[0].succeeded, fleet.campaign.counts[0].failed), (1, 1));
    fleet.poll(1, &runs(&before()));
    assert_eq!(fleet.campaign.state, State::Paused, "two of three: the threshold");
}

#[test]
fn too_many_failures_roll_back_those_that_run_it() {
    let mut plan = one_stage(30);
    plan.on_failure = OnFailure::RollBack;
    let mut fleet = Fleet::started(plan, 10);
    for member in 0..4 {
        fleet.poll(member, &runs(&before()));
    }
    fleet.poll(9, &runs(&before()));
    fleet.feedback(9, &says(Execution::Downloading));
    fleet.feedback(0, &says(Execution::Confirmed));
    for member in 1..4 {
        fleet.feedback(member, &says(Execution::Failed));
    }
    assert_eq!(fleet.campaign.state, State::RollingBack);
    assert_eq!(fleet.poll(5, &runs(&before())), Ask::Nothing(Why::State(State::RollingBack)));
    // Who is under way is stopped.
    assert_eq!(fleet.poll(9, &runs(&before())), Ask::Cancel);
    fleet.feedback(9, &says(Execution::Cancelled));
    // Who runs it goes back.
    let Ask::Offer(action) = fleet.poll(0, &runs(&target())) else { panic!("an offer") };
    assert_eq!(action.purpose, Purpose::RollBack);
    fleet.feedback(0, &Feedback { installed: Some(runs(&before())), ..says(Execution::Confirmed) });
    assert_eq!(fleet.campaign.counts[0].rolled_back, 1);
    assert_eq!(fleet.campaign.state, State::RolledBack);
}

#[test]
fn nobody_begins_outside_the_window() {
    let mut plan = one_stage(50);
    // 2027-01-15 08:00 UTC is a Friday.
    plan.window = Some(Window::new("UTC", 0b001_0000, 9 * 60, 10 * 60).unwrap());
    let mut fleet = Fleet::started(plan, 2);
    let Ask::Nothing(Why::Window(Some(opens))) = fleet.poll(0, &runs(&before())) else {
        panic!("the window is closed")
    };
    assert_eq!(opens, UnixTime(START + 3600));
    fleet.now = opens;
    assert!(matches!(fleet.poll(0, &runs(&before())), Ask::Offer(_)));
}

#[test]
fn people_may_go_on_in_spite_of_failures() {
    let stages = vec![stage(5_000, 80, 90), stage(5_000, 80, 90)];
    let mut fleet = Fleet::started(Plan::new(stages).unwrap(), 20);
    let first: Vec<usize> = (0..20).filter(|m| fleet.members[*m].0 == 0).collect();
    for (n, member) in first.iter().enumerate() {
        fleet.poll(*member, &runs(&before()));
        let said = if n < 7 { Execution::Confirmed } else { Execution::Failed };
        if fleet.campaign.state == State::Running {
            fleet.feedback(*member, &says(said));
        }
    }
    assert_eq!(fleet.campaign.paused, Some(PauseCause::Unreachable));
    assert_eq!(fleet.campaign.resume(&fleet.plan, fleet.now), Ok(vec![Change::Opened(1)]));
}

#[test]
fn a_rollback_downgrades_nobody_that_went_on_to_something_newer() {
    let mut fleet = Fleet::started(one_stage(100), 3);
    for member in 0..3 {
        fleet.poll(member, &runs(&before()));
        fleet.feedback(member, &says(Execution::Confirmed));
    }
    assert_eq!(fleet.campaign.state, State::Finished);
    fleet.campaign.roll_back(&fleet.plan.clone(), fleet.now).unwrap();
    let newer = Target { version: "3.0".into(), release_counter: 30, ..target() };
    let safer = Software { security_version: Some(4), release_counter: None, ..runs(&newer) };
    for (member, said) in [(0, runs(&newer)), (1, safer)] {
        let ask = fleet.poll(member, &said);
        let Ask::Over(Record::Over { purpose, outcome, reason }) = ask else { panic!("{ask:?}") };
        assert_eq!((purpose, outcome), (Purpose::RollBack, Outcome::Skipped));
        assert_eq!(reason, Reason::WouldDowngrade);
    }
    // Who still runs the release goes back.
    assert!(matches!(fleet.poll(2, &runs(&target())), Ask::Offer(_)));
    fleet.poll(2, &runs(&before()));
    assert_eq!(fleet.campaign.state, State::RolledBack);
}

#[test]
fn a_release_that_is_recalled_is_taken_back_from_those_who_have_begun() {
    let mut fleet = Fleet::started(one_stage(100), 4);
    for member in 0..3 {
        fleet.poll(member, &runs(&before()));
    }
    fleet.feedback(0, &says(Execution::Confirmed));
    fleet.feedback(1, &says(Execution::Downloading));
    fleet.campaign.pause().unwrap();
    assert!(fleet.campaign.hold(PauseCause::Release));
    assert!(!fleet.campaign.hold(PauseCause::Suspended), "the graver cause stays");
    assert_eq!(fleet.poll(1, &runs(&before())), Ask::Cancel);
    let ask = fleet.poll(2, &runs(&before()));
    let Ask::Over(Record::Over { outcome, .. }) = ask else { panic!("{ask:?}") };
    assert_eq!(outcome, Outcome::Cancelled);
    assert!(matches!(fleet.poll(3, &runs(&before())), Ask::Nothing(Why::State(State::Paused))));
    fleet.now = fleet.now.plus(DEADLINE + 1);
    fleet.expire();
    assert_eq!((fleet.campaign.counts[0].cancelled, fleet.campaign.counts[0].failed), (2, 0));
    // Who runs it can still be brought back.
    fleet.campaign.roll_back(&fleet.plan.clone(), fleet.now).unwrap();
    assert!(matches!(fleet.poll(0, &runs(&target())), Ask::Offer(_)));
}
