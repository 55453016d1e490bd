//! Chance that goes by a seed: the same questions, the same answers, in whatever order they are asked.

/// What is asked for; another word, other numbers.
#[derive(Debug, Clone, Copy)]
pub enum Word {
    /// when a device begins
    Begin = 1,
    /// how much a message is early or late
    Jitter = 2,
    /// who is away
    Away = 3,
    /// when it is away
    Phase = 4,
    /// what a member of a payload says
    Payload = 5,
}

/// A number for a place: 64 bits that look like chance (the finaliser of SplitMix64, once per part).
pub fn number(seed: u64, word: Word, parts: &[u64]) -> u64 {
    let mut state = mix(seed ^ (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for part in parts {
        state = mix(state ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }
    state
}

/// The same from 0 up to and without 1.
pub fn share(seed: u64, word: Word, parts: &[u64]) -> f64 {
    part_of_one(number(seed, word, parts))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
fn part_of_one(number: u64) -> f64 {
    (number >> 11) as f64 / 9_007_199_254_740_992.0
}

fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_says_the_same_and_spreads() {
        assert_eq!(number(7, Word::Begin, &[1, 2]), number(7, Word::Begin, &[1, 2]));
        assert_ne!(number(7, Word::Begin, &[1, 2]), number(8, Word::Begin, &[1, 2]));
        assert_ne!(number(7, Word::Begin, &[1, 2]), number(7, Word::Jitter, &[1, 2]));
        let mut tenths = [0_u32; 10];
        for at in 0..10_000 {
            let share = share(1, Word::Away, &[at]);
            tenths[(share * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }
}
