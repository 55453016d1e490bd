//! What was planned and approved.

use super::window::Window;

/// Most stages of a campaign.
pub const STAGES_MAX: usize = 16;
/// Shortest and longest time for a device from the offer to a confirmed boot, in seconds.
const DEADLINE_S: std::ops::RangeInclusive<i64> = 60..=90 * 86_400;
/// Longest that a stage is watched before the next begins, in seconds.
const SOAK_S_MAX: i64 = 30 * 86_400;
/// Most downloads and most installations of one action.
const ATTEMPTS_MAX: u16 = 100;
/// Most starts per minute.
const STARTS_MAX: u32 = 1_000_000;

/// Why a plan cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// none, or more than [`STAGES_MAX`]
    #[error("a campaign has 1 to 16 stages")]
    Stages,
    /// shares that are no shares of a whole
    #[error("the shares of the stages are 1 to 10000 hundredths of a percent and sum to 10000")]
    Shares,
    /// thresholds out of range
    #[error(
        "of each stage 1 to 100 percent must succeed before the next begins, and 1 to 100 percent \
         of failures stop the campaign"
    )]
    Thresholds,
    /// a time out of range
    #[error("a device has 60 seconds to 90 days, a stage is watched for at most 30 days")]
    Times,
    /// a limit out of range
    #[error("1 to 100 attempts, 1 to 1000000 starts per minute")]
    Limits,
    /// a stage would have no device
    #[error(
        "a plan of {stages} stages needs at least as many devices, and there are {members}; leave \
         stages out, or widen the search"
    )]
    Empty {
        /// how many devices there are
        members: u64,
        /// how many stages there are
        stages: u64,
    },
}

/// What happens when a stage has too many failures. Either way no device begins any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// the campaign pauses, and people decide
    Pause,
    /// the devices that run the release go back to the one before
    RollBack,
}

/// One stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// its share of the members, in hundredths of a percent
    pub share: u16,
    /// the next stage begins when so many percent of this one's devices have succeeded
    pub success_percent: u8,
    /// the campaign stops when so many percent of this one's devices have failed
    pub error_percent: u8,
    /// how long the stage is watched after that before the next begins, in seconds
    pub soak_s: i64,
}

/// How a campaign proceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    stages: Vec<Stage>,
    /// when devices may begin; always, where there is none
    pub window: Option<Window>,
    /// how many devices may begin per minute
    pub starts_per_minute: Option<u32>,
    /// how long a device has from the offer to a confirmed boot, and how long a stage waits for a
    /// device that never asks, in seconds
    pub deadline_s: i64,
    /// how often a device may download or install within one action
    pub attempts_max: u16,
    /// what happens when a stage has too many failures
    pub on_failure: OnFailure,
    /// whether devices install without waiting for anybody at them
    pub force: bool,
    /// whether somebody at the device must agree first
    pub confirm: bool,
}

impl Plan {
    /// A plan of these stages with the usual limits: no window, no limit of starts, a day per device,
    /// three attempts, a pause on failure.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn new(stages: Vec<Stage>) -> Result<Self, PlanError> {
        let plan = Self {
            stages,
            window: None,
            starts_per_minute: None,
            deadline_s: 86_400,
            attempts_max: 3,
            on_failure: OnFailure::Pause,
            force: false,
            confirm: false,
        };
        plan.check()?;
        Ok(plan)
    }

    /// Whether everything is in range: after fields were set.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn check(&self) -> Result<(), PlanError> {
        if !(1..=STAGES_MAX).contains(&self.stages.len()) {
            return Err(PlanError::Stages);
        }
        let whole: u32 = self.stages.iter().map(|stage| u32::from(stage.share)).sum();
        if whole != 10_000 || self.stages.iter().any(|stage| stage.share == 0) {
            return Err(PlanError::Shares);
        }
        let percent = 1..=100;
        for stage in &self.stages {
            let (success, error) = (stage.success_percent, stage.error_percent);
            if !percent.contains(&success) || !percent.contains(&error) {
                return Err(PlanError::Thresholds);
            }
            if !(0..=SOAK_S_MAX).contains(&stage.soak_s) {
                return Err(PlanError::Times);
            }
        }
        if !DEADLINE_S.contains(&self.deadline_s) {
            return Err(PlanError::Times);
        }
        if !(1..=ATTEMPTS_MAX).contains(&self.attempts_max)
            || self.starts_per_minute.is_some_and(|starts| !(1..=STARTS_MAX).contains(&starts))
        {
            return Err(PlanError::Limits);
        }
        Ok(())
    }

    /// The stages, in their order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// How many of so many members each stage gets: by its share, and at least one.
    ///
    /// # Errors
    /// [`PlanError::Empty`] where there are fewer members than stages.
    pub fn sizes(&self, members: u64) -> Result<Vec<u64>, PlanError> {
        let stages = u64::try_from(self.stages.len()).unwrap_or(u64::MAX);
        if members < stages {
            return Err(PlanError::Empty { members, stages });
        }
        let (mut whole, mut given) = (0u128, 0u64);
        let mut later = stages;
        let sizes = self.stages.iter().map(|stage| {
            whole += u128::from(stage.share);
            later = later.saturating_sub(1);
            // Rounded where the stages up to this one end, so that together they are all.
            let until = (u128::from(members) * whole + 5_000) / 10_000;
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            // One for this stage, and one for each that follows.
            let until = until.max(given.saturating_add(1)).min(members.saturating_sub(later));
            let size = until.saturating_sub(given);
            given = until;
            size
        });
        Ok(sizes.collect())
    }

    /// The stage of each member, by their lots in the order of the members: the smallest lots are the
    /// first stage's. Of equal lots the earlier member's counts as the smaller.
    ///
    /// # Errors
    /// As [`Self::sizes`].
    pub fn draw(&self, lots: &[u64]) -> Result<Vec<u8>, PlanError> {
        let sizes = self.sizes(u64::try_from(lots.len()).unwrap_or(u64::MAX))?;
        let mut order: Vec<(u64, usize)> =
            lots.iter().enumerate().map(|(member, lot)| (*lot, member)).collect();
        order.sort_unstable();
        let mut stages = vec![0; lots.len()];
        let mut drawn = order.into_iter();
        for (stage, size) in (0u8..).zip(sizes) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            for (_, member) in drawn.by_ref().take(size) {
                if let Some(of) = stages.get_mut(member) {
                    *of = stage;
                }
            }
        }
        Ok(stages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(share: u16) -> Stage {
        Stage { share, success_percent: 90, error_percent: 10, soak_s: 0 }
    }

    #[test]
    fn each_stage_has_its_share_and_at_least_one() {
        let check = |shares: &[u16], members: u64, expected: &[u64]| {
            let plan = Plan::new(shares.iter().copied().map(stage).collect()).unwrap();
            assert_eq!(plan.sizes(members).unwrap(), expected, "{shares:?} of {members}");
        };
        check(&[100, 1_900, 8_000], 10_000, &[100, 1_900, 8_000]);
        check(&[1_000, 3_000, 6_000], 11, &[1, 3, 7]);
        check(&[100, 9_900], 2, &[1, 1]);
        check(&[9_900, 100], 2, &[1, 1]);
        check(&[100, 100, 9_800], 3, &[1, 1, 1]);
        check(&[9_800, 100, 100], 4, &[2, 1, 1]);
        check(&[1, 1, 9_998], 120, &[1, 1, 118]);
        check(&[10_000], 1, &[1]);
        check(&[625; 16], 16, &[1; 16]);
        let plan = Plan::new(vec![stage(5_000), stage(5_000)]).unwrap();
        assert_eq!(plan.sizes(1), Err(PlanError::Empty { members: 1, stages: 2 }));
        assert_eq!(plan.draw(&[7]), Err(PlanError::Empty { members: 1, stages: 2 }));
        assert_eq!(plan.draw(&[]), Err(PlanError::Empty { members: 0, stages: 2 }));
    }

    #[test]
    fn the_smallest_lots_begin() {
        let plan = Plan::new(vec![stage(2_500), stage(7_500)]).unwrap();
        assert_eq!(plan.draw(&[9, 4, u64::MAX, 5]).unwrap(), [1, 0, 1, 1]);
        assert_eq!(plan.draw(&[5, 5, 5, 5]).unwrap(), [0, 1, 1, 1]);
    }

    proptest::proptest! {
        #[test]
        fn nobody_is_left_out_and_no_stage_is_empty(
            cuts in proptest::collection::btree_set(1u16..10_000, 0..16),
            lots: Vec<u64>,
        ) {
            let ends: Vec<u16> = cuts.into_iter().chain([10_000]).collect();
            let mut before = 0;
            let stages = ends.iter().map(|end| {
                let share = end - before;
                before = *end;
                stage(share)
            });
            let plan = Plan::new(stages.collect()).unwrap();
            let drawn = plan.draw(&lots);
            if lots.len() < ends.len() {
                proptest::prop_assert!(drawn.is_err());
                return Ok(());
            }
            let (drawn, sizes) = (drawn.unwrap(), plan.sizes(lots.len() as u64).unwrap());
            proptest::prop_assert_eq!(sizes.iter().sum::<u64>(), lots.len() as u64);
            for (number, size) in sizes.iter().enumerate() {
                let members = drawn.iter().filter(|of| usize::from(**of) == number).count() as u64;
                proptest::prop_assert!(members == *size && members > 0);
                // Off by less than a device and those that other stages must have.
                let exact = lots.len() as f64 * f64::from(plan.stages()[number].share) / 10_000.0;
                proptest::prop_assert!((exact - members as f64).abs() <= ends.len() as f64);
            }
            for (lot, of) in lots.iter().zip(&drawn) {
                let later = lots.iter().zip(&drawn).filter(|(_, other)| *other > of);
                proptest::prop_assert!(later.clone().all(|(other, _)| other >= lot));
            }
        }
    }

    #[test]
    fn plans_out_of_range_are_refused() {
        assert_eq!(Plan::new(Vec::new()), Err(PlanError::Stages));
        assert_eq!(Plan::new(vec![stage(10); 17]), Err(PlanError::Stages));
        assert_eq!(Plan::new(vec![stage(5_000), stage(4_999)]), Err(PlanError::Shares));
        assert_eq!(Plan::new(vec![stage(10_000), stage(0)]), Err(PlanError::Shares));
        for (success, error) in [(0, 10), (101, 10), (50, 0), (50, 101)] {
            let odd = Stage { success_percent: success, error_percent: error, ..stage(10_000) };
            assert_eq!(Plan::new(vec![odd]), Err(PlanError::Thresholds));
        }
        let plan = Plan::new(vec![stage(10_000)]).unwrap();
        assert_eq!(Plan { deadline_s: 59, ..plan.clone() }.check(), Err(PlanError::Times));
        assert_eq!(Plan { attempts_max: 0, ..plan.clone() }.check(), Err(PlanError::Limits));
        assert_eq!(Plan { starts_per_minute: Some(0), ..plan }.check(), Err(PlanError::Limits));
    }
}
