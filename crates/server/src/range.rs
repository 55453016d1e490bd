//! Byte ranges (RFC 9110 section 14): one range of a representation that never changes under its tag.
//! One place for all doors.

use http::{HeaderMap, header};

/// Which bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// all of them
    Whole,
    /// from the first to the last, both included
    Part(u64, u64),
    /// none that there are
    None,
}

/// What the header asks of a representation of `length` bytes called `tag`. What is malformed, of
/// another unit or of several ranges counts as if it were not there, as the standard allows.
pub(crate) fn wanted(headers: &HeaderMap, length: u64, tag: &str) -> Wanted {
    let Some(range) = headers.get(header::RANGE).and_then(|value| value.to_str().ok()) else {
        return Wanted::Whole;
    };
    // Weak tags and dates never match: there is no date here.
    if headers.get(header::IF_RANGE).is_some_and(|value| value.as_bytes() != tag.as_bytes()) {
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
    use http::HeaderValue;

    #[test]
    fn ranges_mean_what_the_standard_says() {
        let check = |range: &str, length: u64, expected: Wanted| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(range).unwrap());
            assert_eq!(wanted(&headers, length, "\"t\""), expected, "{range} of {length}");
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
        assert_eq!(wanted(&HeaderMap::new(), 10, "\"t\""), Wanted::Whole);
    }

    #[test]
    fn a_range_of_something_else_is_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=3-5"));
        for (condition, expected) in [
            ("\"t\"", Wanted::Part(3, 5)),
            ("\"other\"", Wanted::Whole),
            ("W/\"t\"", Wanted::Whole),
            ("Sat, 21 Nov 2026 12:00:00 GMT", Wanted::Whole),
        ] {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(condition));
            assert_eq!(wanted(&headers, 10, "\"t\""), expected, "{condition}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_range_never_leaves_the_file(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, HeaderValue::from_str(&range).unwrap());
            if let Wanted::Part(first, last) = wanted(&headers, length, "\"t\"") {
                proptest::prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn a_part_lies_within(
            value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            length in 0_u64..100,
        ) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(header::RANGE, value);
            }
            if let Wanted::Part(first, last) = wanted(&headers, length, "\"t\"") {
                proptest::prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn what_is_asked_for_is_given(first in 0_u64..200, count in 1_u64..200, length in 0_u64..200) {
            let last = first + count - 1;
            let mut headers = HeaderMap::new();
            let value = format!("bytes={first}-{last}");
            headers.insert(header::RANGE, HeaderValue::from_str(&value).unwrap());
            let expected = match first < length {
                true => Wanted::Part(first, last.min(length - 1)),
                false => Wanted::None,
            };
            proptest::prop_assert_eq!(wanted(&headers, length, "\"t\""), expected);
        }
    }
}
