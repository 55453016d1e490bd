//! A campaign's moves.

use super::{
    action::{
        Action, Execution, Feedback, Outcome, Purpose, Reason, Record, Software, Step, Target,
        coded,
    },
    plan::{OnFailure, Plan},
};
use crypto::UnixTime;

coded! {
    /// Where a campaign stands.
    pub enum State {
        /// proposed; nobody gets anything
        Draft = 1 "draft",
        /// stage by stage
        Running = 2 "running",
        /// nobody begins; who began goes on
        Paused = 3 "paused",
        /// who runs the release goes back to the one before
        RollingBack = 4 "rolling-back",
        /// every member is through
        Finished = 5 "finished",
        /// every member that ran the release is back
        RolledBack = 6 "rolled-back",
        /// stopped for good
        Cancelled = 7 "cancelled",
    }
}

impl State {
    /// Whether devices may still get something.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::RollingBack)
    }

    /// Whether nothing comes any more.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::RolledBack | Self::Cancelled)
    }
}

coded! {
    /// Why a campaign paused.
    pub enum PauseCause {
        /// somebody wanted it
        Person = 1 "person",
        /// too many of a stage failed
        Errors = 2 "errors",
        /// too many of a stage failed for its success threshold ever to be reached
        Unreachable = 3 "unreachable",
        /// its release was withdrawn, or fell below its product's floor
        Release = 4 "release",
        /// the organisation that runs it was suspended
        Suspended = 5 "suspended",
    }
}

/// How the members of a stage stand. Who is in none of the fields has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// members
    pub total: u64,
    /// with an open action to the release
    pub open: u64,
    /// run the release
    pub succeeded: u64,
    /// failed
    pub failed: u64,
    /// need nothing, or left
    pub skipped: u64,
    /// stopped with the campaign
    pub cancelled: u64,
    /// on their way back
    pub rolling_back: u64,
    /// back
    pub rolled_back: u64,
    /// did not get back
    pub stranded: u64,
    /// of the failed, those that people resumed in spite of
    pub waived: u64,
    /// when the stage was opened, or resumed
    pub opened_at: Option<UnixTime>,
}

impl Counts {
    /// Members that have not begun.
    pub fn waiting(&self) -> u64 {
        let begun = [
            self.open,
            self.succeeded,
            self.failed,
            self.skipped,
            self.cancelled,
            self.rolling_back,
            self.rolled_back,
            self.stranded,
        ];
        begun.into_iter().fold(self.total, u64::saturating_sub)
    }

    /// Members that count for the thresholds.
    fn weighed(&self) -> u64 {
        self.total.saturating_sub(self.skipped).saturating_sub(self.waived.min(self.failed))
    }

    fn failures(&self) -> u64 {
        self.failed.saturating_sub(self.waived)
    }

    fn field(&mut self, record: &Record) -> Option<&mut u64> {
        Some(match record {
            Record::Open(Action { purpose: Purpose::Update, .. }) => &mut self.open,
            Record::Open(Action { purpose: Purpose::RollBack, .. }) => &mut self.rolling_back,
            Record::Over { purpose: Purpose::Update, outcome, .. } => match outcome {
                Outcome::Succeeded => &mut self.succeeded,
                Outcome::Failed => &mut self.failed,
                Outcome::Skipped => &mut self.skipped,
                Outcome::Cancelled => &mut self.cancelled,
                Outcome::Withdrawn => return None,
            },
            Record::Over { purpose: Purpose::RollBack, outcome, reason } => match outcome {
                Outcome::Succeeded => &mut self.rolled_back,
                // Gone, and no more of this campaign's.
                Outcome::Skipped => &mut self.skipped,
                Outcome::Failed if *reason == Reason::Regressed => &mut self.failed,
                Outcome::Failed => &mut self.stranded,
                // It still runs the release.
                Outcome::Withdrawn | Outcome::Cancelled => &mut self.succeeded,
            },
        })
    }

    /// Moves a member from one record to another.
    fn turn(&mut self, from: Option<&Record>, to: &Record) {
        if let Some(field) = from.and_then(|record| self.field(record)) {
            *field = field.saturating_sub(1);
        }
        if let Some(field) = self.field(to) {
            *field = field.saturating_add(1);
        }
    }
}

/// Where a campaign stands, with everything that its next move depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// where it stands
    pub state: State,
    /// why it paused, where it did
    pub paused: Option<PauseCause>,
    /// the last stage that is open, from 0
    pub stage: u8,
    /// since when that stage's success threshold has been reached
    pub reached_at: Option<UnixTime>,
    /// the minute in which devices began last, since 1970
    pub minute: i64,
    /// how many began in that minute
    pub starts: u32,
    /// per stage
    pub counts: Vec<Counts>,
}

/// What a device that asks is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// nothing, for now or for ever
    Nothing(Why),
    /// a new action
    Offer(Action),
    /// the open action stands
    Keep,
    /// it shall stop, and say so
    Cancel,
    /// its part is over; where it had an open action, it shall forget it unless it succeeded
    Over(Record),
}

/// Why a device gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// the campaign gives nothing out in this state
    State(State),
    /// its stage is not open
    Stage,
    /// outside the maintenance window, which opens then
    Window(Option<UnixTime>),
    /// as many as may have begun in this minute
    Rate(UnixTime),
    /// it is through
    Done,
}

/// What changed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// a stage was opened
    Opened(u8),
    /// it paused
    Paused(PauseCause),
    /// it rolls back
    RollingBack,
    /// every member is through
    Finished,
    /// every member is back
    RolledBack,
}

/// A move that is not possible from where the campaign stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the campaign is {0}")]
pub struct MoveError(pub State);

impl Campaign {
    /// A campaign over stages of so many members each.
    pub fn new(members: &[u64]) -> Self {
        let counts =
            members.iter().map(|total| Counts { total: *total, ..Counts::default() }).collect();
        Self {
            state: State::Draft,
            paused: None,
            stage: 0,
            reached_at: None,
            minute: 0,
            starts: 0,
            counts,
        }
    }

    /// Starts it: the first stage opens.
    ///
    /// # Errors
    /// [`MoveError`] unless it is a draft.
    pub fn start(&mut self, plan: &Plan, now: UnixTime) -> Result<Vec<Change>, MoveError> {
        if self.state != State::Draft {
            return Err(MoveError(self.state));
        }
        self.state = State::Running;
        self.open_stage(0, now);
        let mut changes = vec![Change::Opened(0)];
        changes.extend(self.settle(plan, now));
        Ok(changes)
    }

    /// Stops giving anything out.
    ///
    /// # Errors
    /// [`MoveError`] unless it runs.
    pub fn pause(&mut self) -> Result<(), MoveError> {
        if self.state != State::Running {
            return Err(MoveError(self.state));
        }
        self.state = State::Paused;
        self.paused = Some(PauseCause::Person);
        Ok(())
    }

    /// Stops for a reason of its own, whatever people wanted; `false` where it does not run. Where
    /// the release is not to be given out any more, devices that have begun are told to stop, too.
    pub fn hold(&mut self, cause: PauseCause) -> bool {
        let is_held = self.paused == Some(PauseCause::Release);
        if !matches!(self.state, State::Running | State::Paused) || is_held {
            return false;
        }
        let changes = self.state == State::Running || cause == PauseCause::Release;
        if changes {
            (self.state, self.paused) = (State::Paused, Some(cause));
        }
        changes
    }

    /// Goes on, in spite of the failures so far: they count no more.
    ///
    /// # Errors
    /// [`MoveError`] unless it is paused.
    pub fn resume(&mut self, plan: &Plan, now: UnixTime) -> Result<Vec<Change>, MoveError> {
        if self.state != State::Paused {
            return Err(MoveError(self.state));
        }
        self.state = State::Running;
        let cause = self.paused.take();
        let in_spite = matches!(cause, Some(PauseCause::Errors | PauseCause::Unreachable));
        for counts in &mut self.counts {
            if in_spite {
                counts.waived = counts.failed;
            }
            // Nobody could ask meanwhile: their time begins anew.
            if counts.opened_at.is_some() {
                counts.opened_at = Some(now);
            }
        }
        Ok(self.settle(plan, now))
    }

    /// Stops for good.
    ///
    /// # Errors
    /// [`MoveError`] where it is over.
    pub fn cancel(&mut self) -> Result<(), MoveError> {
        if self.state.is_over() {
            return Err(MoveError(self.state));
        }
        self.state = State::Cancelled;
        self.paused = None;
        Ok(())
    }

    /// Sends those that run the release back to the one before.
    ///
    /// # Errors
    /// [`MoveError`] unless it runs, is paused or finished.
    pub fn roll_back(&mut self, plan: &Plan, now: UnixTime) -> Result<Vec<Change>, MoveError> {
        if !matches!(self.state, State::Running | State::Paused | State::Finished) {
            return Err(MoveError(self.state));
        }
        self.state = State::RollingBack;
        self.paused = None;
        Ok(self.settle(plan, now))
    }

    /// A member of `stage` asks. `record` is the newest of it, `said` what it says that it runs,
    /// `target` what its action leads to, or would.
    pub fn ask(
        &mut self,
        plan: &Plan,
        stage: u8,
        record: Option<&Record>,
        said: &Software,
        target: &Target,
        now: UnixTime,
    ) -> Ask {
        match record {
            Some(Record::Open(action)) => self.ask_open(stage, action, said, target),
            Some(over @ Record::Over { purpose, outcome, reason }) => {
                let again = *purpose == Purpose::Update
                    && (*outcome == Outcome::Withdrawn || *reason == Reason::NeverAsked);
                let runs = *outcome == Outcome::Succeeded && *purpose == Purpose::Update
                    || *purpose == Purpose::RollBack
                        && matches!(outcome, Outcome::Withdrawn | Outcome::Cancelled);
                if runs && self.state == State::RollingBack {
                    if *purpose == Purpose::Update && is_beyond(said, target) {
                        // Something newer came to it since: it does not run the release any more.
                        let skipped = Record::Over {
                            purpose: Purpose::RollBack,
                            outcome: Outcome::Skipped,
                            reason: Reason::WouldDowngrade,
                        };
                        self.turn(stage, Some(over), &skipped);
                        return Ask::Over(skipped);
                    }
                    return self.begin(plan, stage, record, Purpose::RollBack, now);
                }
                if runs
                    && said.confirmed
                    && said.release_counter < Some(target.release_counter)
                    && said.release_counter.is_some()
                    && *purpose == Purpose::Update
                    && !self.state.is_over()
                {
                    let fallen = Record::Over {
                        purpose: Purpose::Update,
                        outcome: Outcome::Failed,
                        reason: Reason::Regressed,
                    };
                    self.turn(stage, Some(over), &fallen);
                    return Ask::Over(fallen);
                }
                if again {
                    return self.ask_anew(plan, stage, record, said, target, now);
                }
                Ask::Nothing(Why::Done)
            }
            None => self.ask_anew(plan, stage, record, said, target, now),
        }
    }

    fn ask_open(&mut self, stage: u8, action: &Action, said: &Software, target: &Target) -> Ask {
        let over = |outcome, reason| Record::Over { purpose: action.purpose, outcome, reason };
        // What runs says more than any message that was lost.
        if said.confirmed && said.release_counter.is_some() && target.is(said) {
            let done = over(Outcome::Succeeded, Reason::Confirmed);
            self.turn(stage, Some(&Record::Open(*action)), &done);
            return Ask::Over(done);
        }
        let stands = match action.purpose {
            Purpose::Update => matches!(self.state, State::Running),
            Purpose::RollBack => matches!(self.state, State::RollingBack),
        };
        if stands {
            return Ask::Keep;
        }
        let waits = self.state == State::Paused && !self.is_recalled();
        let taken_back = match waits {
            true => over(Outcome::Withdrawn, Reason::Paused),
            false => over(Outcome::Cancelled, Reason::Cancelled),
        };
        if !action.has_begun() {
            self.turn(stage, Some(&Record::Open(*action)), &taken_back);
            return Ask::Over(taken_back);
        }
        if waits { Ask::Keep } else { Ask::Cancel }
    }

    /// Whether what was given out is taken back from those who have begun, too.
    fn is_recalled(&self) -> bool {
        self.state == State::Paused && self.paused == Some(PauseCause::Release)
    }

    fn ask_anew(
        &mut self,
        plan: &Plan,
        stage: u8,
        record: Option<&Record>,
        said: &Software,
        target: &Target,
        now: UnixTime,
    ) -> Ask {
        if self.state != State::Running {
            return Ask::Nothing(Why::State(self.state));
        }
        if stage > self.stage {
            return Ask::Nothing(Why::Stage);
        }
        let newer = |said: Option<u64>, than: u64| said.is_some_and(|said| said > than);
        let other_hardware = said.hardware_id.as_ref().is_some_and(|hardware| {
            !target.hardware_ids.is_empty() && !target.hardware_ids.contains(hardware)
        });
        let needless = if other_hardware {
            Some(Reason::OtherHardware)
        } else if newer(said.security_version, target.security_version) {
            Some(Reason::WouldDowngrade)
        } else if said.confirmed
            && (target.is(said) || newer(said.release_counter, target.release_counter))
        {
            Some(Reason::Current)
        } else {
            None
        };
        if let Some(reason) = needless {
            let skipped =
                Record::Over { purpose: Purpose::Update, outcome: Outcome::Skipped, reason };
            self.turn(stage, record, &skipped);
            return Ask::Over(skipped);
        }
        self.begin(plan, stage, record, Purpose::Update, now)
    }

    /// Begins an action, where window and rate let it.
    fn begin(
        &mut self,
        plan: &Plan,
        stage: u8,
        record: Option<&Record>,
        purpose: Purpose,
        now: UnixTime,
    ) -> Ask {
        if let Some(window) = plan.window.as_ref().filter(|window| !window.is_open(now)) {
            return Ask::Nothing(Why::Window(window.opens_after(now)));
        }
        let minute = now.0.div_euclid(60);
        if self.minute != minute {
            (self.minute, self.starts) = (minute, 0);
        }
        if plan.starts_per_minute.is_some_and(|most| self.starts >= most) {
            return Ask::Nothing(Why::Rate(UnixTime(minute.saturating_add(1).saturating_mul(60))));
        }
        self.starts = self.starts.saturating_add(1);
        let action = Action {
            purpose,
            step: Step::Offered,
            offered_at: now,
            deadline: now.plus(plan.deadline_s),
            downloads: 0,
            installs: 0,
        };
        self.turn(stage, record, &Record::Open(action));
        Ask::Offer(action)
    }

    /// Takes up what a device says about its open action, and returns its new record.
    pub fn feedback(
        &mut self,
        plan: &Plan,
        stage: u8,
        action: &Action,
        said: &Feedback,
        target: &Target,
    ) -> Record {
        use Execution as E;
        let over = |outcome, reason| Record::Over { purpose: action.purpose, outcome, reason };
        let mut next = *action;
        let record = match said.execution {
            E::Confirmed => match &said.installed {
                Some(software) if target.contradicts(software) => {
                    over(Outcome::Failed, Reason::OtherSoftware)
                }
                // Told too early: what it tries out it may still give up.
                Some(software) if !software.confirmed => {
                    next.proceed(E::Installed);
                    Record::Open(next)
                }
                _ => over(Outcome::Succeeded, Reason::Confirmed),
            },
            E::Failed => over(Outcome::Failed, Reason::Reported),
            E::Rejected => over(Outcome::Failed, Reason::Rejected),
            E::Cancelled if self.wants_back(action) => over(Outcome::Cancelled, Reason::Cancelled),
            E::Cancelled => over(Outcome::Failed, Reason::Rejected),
            E::Proceeding | E::Downloading | E::Downloaded | E::Installing | E::Installed => {
                next.proceed(said.execution);
                if next.downloads > plan.attempts_max {
                    over(Outcome::Failed, Reason::DownloadLoop)
                } else if next.installs > plan.attempts_max {
                    over(Outcome::Failed, Reason::InstallLoop)
                } else {
                    Record::Open(next)
                }
            }
        };
        self.turn(stage, Some(&Record::Open(*action)), &record);
        record
    }

    /// Takes up a confirmation that comes after an action was given up: what runs, runs. `None` where
    /// it changes nothing.
    pub fn late(
        &mut self,
        stage: u8,
        record: &Record,
        said: &Feedback,
        target: &Target,
    ) -> Option<Record> {
        let Record::Over { purpose, outcome, reason } = record else { return None };
        let given_up = matches!(outcome, Outcome::Withdrawn | Outcome::Cancelled)
            || matches!(reason, Reason::Silent | Reason::Stuck);
        let runs = said
            .installed
            .as_ref()
            .is_none_or(|software| software.confirmed && !target.contradicts(software));
        if said.execution != Execution::Confirmed || !given_up || !runs {
            return None;
        }
        let done = Record::Over {
            purpose: *purpose,
            outcome: Outcome::Succeeded,
            reason: Reason::Confirmed,
        };
        self.turn(stage, Some(record), &done);
        Some(done)
    }

    /// Ends an action whose deadline has passed; `None` where it has not.
    pub fn expire(&mut self, stage: u8, action: &Action, now: UnixTime) -> Option<Record> {
        if now < action.deadline {
            return None;
        }
        let recalled = self.is_recalled() || self.state != State::Paused;
        let (outcome, reason) = if self.wants_back(action) && recalled {
            (Outcome::Cancelled, Reason::Cancelled)
        } else if self.state == State::Paused && !action.has_begun() {
            (Outcome::Withdrawn, Reason::Paused)
        } else if action.has_begun() {
            (Outcome::Failed, Reason::Stuck)
        } else {
            (Outcome::Failed, Reason::Silent)
        };
        let record = Record::Over { purpose: action.purpose, outcome, reason };
        self.turn(stage, Some(&Record::Open(*action)), &record);
        Some(record)
    }

    /// Which open stage has waited long enough for members that never asked.
    pub fn overdue(&self, plan: &Plan, now: UnixTime) -> Option<u8> {
        if self.state != State::Running || plan.window.as_ref().is_some_and(|w| !w.is_open(now)) {
            return None;
        }
        let stage = self.counts.iter().position(|counts| {
            counts.waiting() > 0
                && counts.opened_at.is_some_and(|at| now >= at.plus(plan.deadline_s))
        })?;
        u8::try_from(stage).ok()
    }

    /// A member of `stage` without a record, or whose action was withdrawn, never asked in time.
    pub fn never_asked(&mut self, stage: u8) -> Record {
        let record = Record::Over {
            purpose: Purpose::Update,
            outcome: Outcome::Failed,
            reason: Reason::NeverAsked,
        };
        self.turn(stage, None, &record);
        record
    }

    /// A member left: it was sold, or its owner's consent ended.
    pub fn leave(&mut self, stage: u8, record: Option<&Record>) -> Record {
        let purpose = match record {
            Some(Record::Open(action)) => action.purpose,
            Some(Record::Over { purpose, .. }) => *purpose,
            None => Purpose::Update,
        };
        let left = Record::Over { purpose, outcome: Outcome::Skipped, reason: Reason::Left };
        self.turn(stage, record, &left);
        left
    }

    /// What follows from the counts by itself: pause, the next stage, the end. To be called after
    /// each step, and now and then, since stages are watched for a time.
    pub fn settle(&mut self, plan: &Plan, now: UnixTime) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some(change) = self.settle_once(plan, now) {
            changes.push(change);
        }
        changes
    }

    fn settle_once(&mut self, plan: &Plan, now: UnixTime) -> Option<Change> {
        match self.state {
            State::Running => {}
            State::RollingBack => {
                let left = |counts: &Counts| {
                    counts.open > 0 || counts.rolling_back > 0 || counts.succeeded > 0
                };
                if self.counts.iter().any(left) {
                    return None;
                }
                self.state = State::RolledBack;
                return Some(Change::RolledBack);
            }
            _ => return None,
        }
        if let Some(cause) = self.trouble(plan) {
            return Some(match plan.on_failure {
                OnFailure::RollBack if cause == PauseCause::Errors => {
                    self.state = State::RollingBack;
                    Change::RollingBack
                }
                _ => {
                    self.state = State::Paused;
                    self.paused = Some(cause);
                    Change::Paused(cause)
                }
            });
        }
        let last = self.counts.len().saturating_sub(1);
        let current = usize::from(self.stage);
        if current >= last {
            let through = |counts: &Counts| counts.open == 0 && counts.waiting() == 0;
            if self.counts.iter().all(through) {
                self.state = State::Finished;
                return Some(Change::Finished);
            }
            return None;
        }
        let (stage, counts) = plan.stages().get(current).zip(self.counts.get(current))?;
        let reached = percent_reached(counts.succeeded, counts.weighed(), stage.success_percent);
        if !reached {
            self.reached_at = None;
            return None;
        }
        let since = *self.reached_at.get_or_insert(now);
        // Nobody to be watched: an empty stage is passed at once.
        if counts.weighed() > 0 && now < since.plus(stage.soak_s) {
            return None;
        }
        let next = self.stage.saturating_add(1);
        self.open_stage(next, now);
        Some(Change::Opened(next))
    }

    /// Whether an open stage has too many failures.
    fn trouble(&self, plan: &Plan) -> Option<PauseCause> {
        let open = plan.stages().iter().zip(&self.counts).take(usize::from(self.stage) + 1);
        let mut unreachable = None;
        for (number, (stage, counts)) in open.enumerate() {
            let (failures, all) = (counts.failures(), counts.weighed());
            if failures > 0 && percent_reached(failures, all, stage.error_percent) {
                return Some(PauseCause::Errors);
            }
            // Only the stage that the next one waits for.
            let waits =
                number == usize::from(self.stage) && number + 1 < self.counts.len() && failures > 0;
            let rest = all.saturating_sub(failures);
            if waits && !percent_reached(rest, all, stage.success_percent) {
                unreachable = Some(PauseCause::Unreachable);
            }
        }
        unreachable
    }

    /// Whether the campaign does not want this action to go on.
    fn wants_back(&self, action: &Action) -> bool {
        match self.state {
            State::Cancelled | State::Paused | State::Finished | State::RolledBack => true,
            State::RollingBack => action.purpose == Purpose::Update,
            State::Draft | State::Running => false,
        }
    }

    fn open_stage(&mut self, stage: u8, now: UnixTime) {
        self.stage = stage;
        self.reached_at = None;
        if let Some(counts) = self.counts.get_mut(usize::from(stage)) {
            counts.opened_at = Some(now);
        }
    }

    fn turn(&mut self, stage: u8, from: Option<&Record>, to: &Record) {
        if let Some(counts) = self.counts.get_mut(usize::from(stage)) {
            counts.turn(from, to);
        }
    }
}

/// Whether a device runs something newer than a release.
fn is_beyond(said: &Software, target: &Target) -> bool {
    let more = |said: Option<u64>, than: u64| said.is_some_and(|said| said > than);
    more(said.release_counter, target.release_counter)
        || more(said.security_version, target.security_version)
}

/// Whether `part` is at least `percent` of `whole`.
fn percent_reached(part: u64, whole: u64, percent: u8) -> bool {
    u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}
