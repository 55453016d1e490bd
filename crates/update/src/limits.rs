/// What is read at most. The defaults are those of python-tuf 7 where it has one, so that both
/// clients accept the same repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// bytes of a root file
    pub root_bytes_max: u64,
    /// bytes of a timestamp file
    pub timestamp_bytes_max: u64,
    /// bytes of a snapshot file
    pub snapshot_bytes_max: u64,
    /// bytes of a targets file
    pub targets_bytes_max: u64,
    /// root files that follow each other in one refresh
    pub root_rotations_max: usize,
    /// roles that one search visits
    pub roles_visited_max: usize,
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        root_bytes_max: 512_000,
        timestamp_bytes_max: 16_384,
        snapshot_bytes_max: 2_000_000,
        targets_bytes_max: 5_000_000,
        root_rotations_max: 256,
        roles_visited_max: 32,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Most signatures on one file.
pub const SIGNATURES_MAX: usize = 64;
/// Most keys that one file names.
pub const KEYS_MAX: usize = 1_024;
/// Most keys of one role.
pub const ROLE_KEYS_MAX: usize = 64;
/// Most roles that one targets file delegates to.
pub const DELEGATIONS_MAX: usize = 4_096;
/// Most path patterns or prefixes of one delegation.
pub const PATTERNS_MAX: usize = 4_096;
/// Longest path of a target and longest pattern, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Most hash algorithms beside one file.
pub const HASHES_MAX: usize = 8;
