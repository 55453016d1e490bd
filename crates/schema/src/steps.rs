//! The budget of a check.

/// Most steps of one check, whatever schema and payload (docs/schemas.md).
pub const STEPS_MAX: u64 = 1_000_000;
/// Steps that a check may take at once, on the thread that talks to devices; who needs more waits for
/// one of the threads that have time.
pub const STEPS_AT_ONCE: u64 = 5_000;

/// There are no steps left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

/// Steps that are left. One is a rule that is asked about a value.
#[derive(Debug, Clone)]
pub struct Steps {
    left: u64,
    used: u64,
}

impl Steps {
    /// That many.
    pub fn new(most: u64) -> Self {
        Self { left: most, used: 0 }
    }

    /// How many were taken.
    pub fn used(&self) -> u64 {
        self.used
    }

    /// Takes some.
    ///
    /// # Errors
    /// Where there are not as many; then none are left.
    pub(crate) fn take(&mut self, count: u64) -> Result<(), Exhausted> {
        let count_taken = count.min(self.left);
        self.used = self.used.saturating_add(count_taken);
        self.left = self.left.saturating_sub(count);
        if count_taken < count { Err(Exhausted) } else { Ok(()) }
    }
}

/// Steps for going over bytes once.
pub(crate) fn of_bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX) / 64 + 1
}
