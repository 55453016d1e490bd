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

    /// The stage of the member whose lot is `lot`, a number drawn evenly from all of 64 bits.
    pub fn stage_of(&self, lot: u64) -> u8 {
        // 10000 parts of the whole range.
        let part = (u128::from(lot) * 10_000) >> 64;
        let mut until = 0u128;
        for (number, stage) in self.stages.iter().enumerate() {
            until += u128::from(stage.share);
            if part < until {
                return u8::try_from(number).unwrap_or(u8::MAX);
            }
        }
        u8::try_from(self.stages.len().saturating_sub(1)).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(share: u16) -> Stage {
        Stage { share, success_percent: 90, error_percent: 10, soak_s: 0 }
    }

    #[test]
    fn lots_fall_into_stages_by_their_shares() {
        let plan = Plan::new(vec![stage(100), stage(1_900), stage(8_000)]).unwrap();
        assert_eq!(plan.stage_of(0), 0);
        assert_eq!(plan.stage_of(u64::MAX), 2);
        let mut counts = [0; 3];
        for n in 0..10_000u64 {
            counts[usize::from(plan.stage_of(n * (u64::MAX / 10_000) + u64::MAX / 20_000))] += 1;
        }
        assert_eq!(counts, [100, 1_900, 8_000]);
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
