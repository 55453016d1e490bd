//! Round figures for axes.

/// Where the axis ends, and how far its marks are apart: the next round figure, at most five marks.
pub(super) fn axis(most: u64) -> (u64, u64) {
    let mut step: u64 = 1;
    let mut next = [2_u64, 5, 10].into_iter().cycle();
    let mut base: u64 = 1;
    while step.saturating_mul(5) < most {
        match next.next() {
            Some(10) => {
                base = base.saturating_mul(10);
                step = base;
            }
            Some(factor) => step = base.saturating_mul(factor),
            None => break,
        }
    }
    let marks = most.div_ceil(step).max(1);
    (step.saturating_mul(marks), step)
}

/// `value` of `most`, as a length of `length`.
#[expect(clippy::cast_precision_loss, reason = "a picture's coordinate")]
pub(super) fn length(value: u64, most: u64, length: f64) -> f64 {
    if most == 0 { 0.0 } else { value as f64 / most as f64 * length }
}

/// 12,345 as it fits beside an axis: 12.3k.
pub(super) fn short(number: u64) -> String {
    let tenths = |unit: u64, mark: char| {
        let whole = number / unit;
        match number % unit * 10 / unit {
            0 => format!("{whole}{mark}"),
            tenth => format!("{whole}.{tenth}{mark}"),
        }
    };
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => tenths(1_000, 'k'),
        _ => tenths(1_000_000, 'M'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn axes_end_at_round_figures() {
        for (most, expected) in
            [(0, (1, 1)), (3, (3, 1)), (7, (8, 2)), (23, (25, 5)), (48, (50, 10)), (101, (150, 50))]
        {
            assert_eq!(axis(most), expected, "{most}");
        }
        assert_eq!(short(9_999), "9999");
        assert_eq!(short(12_345), "12.3k");
        assert_eq!(short(2_000_000), "2M");
    }

    proptest! {
        #[test]
        fn axes_hold_every_value(most in any::<u64>()) {
            let (end, step) = axis(most);
            prop_assert!(end >= most || end == u64::MAX);
            prop_assert!(step > 0 && end / step <= 5);
        }
    }
}
