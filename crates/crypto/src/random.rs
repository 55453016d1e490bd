//! The one source of randomness: AWS-LC's CTR-DRBG seeded from the operating system.
//!
//! Domain crates take random bytes as arguments; services and binaries draw them here.

use crate::Secret;

/// `N` random bytes.
///
/// # Panics
/// Where the operating system gives no entropy: nothing safe can be done then.
#[expect(clippy::expect_used, reason = "without entropy the process must stop")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    #[expect(clippy::disallowed_methods, reason = "this is the one source")]
    aws_lc_rs::rand::fill(&mut out).expect("the operating system gives no entropy");
    out
}

/// `length` random bytes as a secret.
pub fn secret<const N: usize>() -> Secret {
    Secret::new(bytes::<N>().to_vec())
}
