//! Byte ranges (RFC 9110 section 14): one range of a representation that never changes under its tag.
//! One place for all doors that give out files.

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// all of them
    Whole,
    /// from the first to the last, both included
    Part(u64, u64),
    /// none that there are
    None,
}

/// What `Range` asks of a representation of `length` bytes called `tag`, under what `If-Range` says.
/// What is malformed, of another unit or of several ranges counts as if it were not there, as the
/// standard allows.
pub fn wanted(range: Option<&str>, if_range: Option<&[u8]>, length: u64, tag: &str) -> Wanted {
    let Some(range) = range else { return Wanted::Whole };
    // Weak tags and dates never match: there is no date here.
    if if_range.is_some_and(|value| value != tag.as_bytes()) {
        return Wanted::Whole;
    }
    parse(range, length).unwrap_or(Wanted::Whole)
}

fn parse(range: &str, length: u64) -> Option<Wanted> {
    let (unit, set) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit are more bytes than there are.
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let end = length.checked_sub(1);
    Some(match (first.is_empty(), last.is_empty()) {
        (true, true) => return None,
        (true, false) => {
            let tail = number(last)?;
            match end {
                Some(end) if tail > 0 => Wanted::Part(length.saturating_sub(tail), end),
                _ => Wanted::None,
            }
        }
        (false, _) => {
            let first = number(first)?;
            let last = if last.is_empty() { u64::MAX } else { number(last)? };
            if last < first {
                return None;
            }
            match end {
                Some(end) if first <= end => Wanted::Part(first, last.min(end)),
                _ => Wanted::None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"t\"";

    #[test]
    fn ranges_mean_what_the_standard_says() {
        let check = |range: &str, length: u64, expected: Wanted| {
            assert_eq!(wanted(Some(range), None, length, TAG), expected, "{range} of {length}");
        };
        check("bytes=0-", 10, Wanted::Part(0, 9));
        check("bytes=3-5", 10, Wanted::Part(3, 5));
        check("Bytes=3-500", 10, Wanted::Part(3, 9));
        check("bytes=9-9", 10, Wanted::Part(9, 9));
        check("bytes=-4", 10, Wanted::Part(6, 9));
        check("bytes=-40", 10, Wanted::Part(0, 9));
        check("bytes=10-", 10, Wanted::None);
        check("bytes=-0", 10, Wanted::None);
        check("bytes=0-", 0, Wanted::None);
        check("bytes=-1", 0, Wanted::None);
        for odd in [
            "bytes=5-3",
            "bytes=-",
            "bytes=a-b",
            "bytes=1-2,4-5",
            "lines=1-2",
            "bytes",
            "bytes=+1-2",
        ] {
            check(odd, 10, Wanted::Whole);
        }
        check("bytes=99999999999999999999-", 10, Wanted::None);
        check("bytes=2-99999999999999999999", 10, Wanted::Part(2, 9));
        check("bytes=-99999999999999999999", 10, Wanted::Part(0, 9));
        assert_eq!(wanted(None, None, 10, TAG), Wanted::Whole);
    }

    #[test]
    fn a_range_of_something_else_is_the_whole() {
        for (condition, expected) in [
            (TAG, Wanted::Part(3, 5)),
            ("\"other\"", Wanted::Whole),
            ("W/\"t\"", Wanted::Whole),
            ("Sat, 21 Nov 2026 12:00:00 GMT", Wanted::Whole),
        ] {
            let found = wanted(Some("bytes=3-5"), Some(condition.as_bytes()), 10, TAG);
            assert_eq!(found, expected, "{condition}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_range_never_leaves_the_file(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Wanted::Part(first, last) = wanted(Some(&range), None, length, TAG) {
                proptest::prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn a_part_lies_within(value in ".{0,40}", length in 0_u64..100) {
            if let Wanted::Part(first, last) = wanted(Some(&value), None, length, TAG) {
                proptest::prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn what_is_asked_for_is_given(first in 0_u64..200, count in 1_u64..200, length in 0_u64..200) {
            let last = first + count - 1;
            let value = format!("bytes={first}-{last}");
            let expected = match first < length {
                true => Wanted::Part(first, last.min(length - 1)),
                false => Wanted::None,
            };
            proptest::prop_assert_eq!(wanted(Some(&value), None, length, TAG), expected);
        }
    }
}
