use super::numbers::{digits, is_digits, take};
use std::cmp::Ordering;

/// `[epoch:]version[-release]` as rpm orders it, with `~` (before) and `^` (after).
#[derive(Debug, Clone)]
pub(super) struct Evr {
    epoch: String,
    version: String,
    release: Option<String>,
}

impl Evr {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch, rest),
            None => ("0", text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~^-".contains(&byte);
        let good = is_digits(epoch)
            && !version.is_empty()
            && version.bytes().all(allowed)
            && release.is_none_or(|text| !text.is_empty() && text.bytes().all(allowed));
        good.then(|| Self {
            epoch: epoch.to_owned(),
            version: version.to_owned(),
            release: release.map(str::to_owned),
        })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.compare_version(other).then_with(|| match (&self.release, &other.release) {
            (Some(a), Some(b)) => segments(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        })
    }

    pub(super) fn compare_to_bound(&self, bound: &Self) -> Ordering {
        match bound.release {
            Some(_) => self.compare(bound),
            None => self.compare_version(bound),
        }
    }

    fn compare_version(&self, other: &Self) -> Ordering {
        digits(&self.epoch, &other.epoch).then_with(|| segments(&self.version, &other.version))
    }
}

/// Runs of digits or letters, whatever stands between them.
fn segments(mut a: &str, mut b: &str) -> Ordering {
    loop {
        let between = |byte: u8| !byte.is_ascii_alphanumeric() && byte != b'~' && byte != b'^';
        a = take(a, between).1;
        b = take(b, between).1;
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(rest_a), Some(rest_b)) => {
                (a, b) = (rest_a, rest_b);
                continue;
            }
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => {}
        }
        match (a.strip_prefix('^'), b.strip_prefix('^')) {
            (Some(rest_a), Some(rest_b)) => {
                (a, b) = (rest_a, rest_b);
                continue;
            }
            // After the version itself, before the next segment of a longer one.
            (Some(_), None) => {
                return if b.is_empty() { Ordering::Greater } else { Ordering::Less };
            }
            (None, Some(_)) => {
                return if a.is_empty() { Ordering::Less } else { Ordering::Greater };
            }
            (None, None) => {}
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        let number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
        let order = match (number(a), number(b)) {
            (true, true) => {
                let (left, rest_a) = take(a, |byte| byte.is_ascii_digit());
                let (right, rest_b) = take(b, |byte| byte.is_ascii_digit());
                (a, b) = (rest_a, rest_b);
                digits(left, right)
            }
            (false, false) => {
                let (left, rest_a) = take(a, |byte| byte.is_ascii_alphabetic());
                let (right, rest_b) = take(b, |byte| byte.is_ascii_alphabetic());
                (a, b) = (rest_a, rest_b);
                left.cmp(right)
            }
            // A number is after letters.
            (left, right) => left.cmp(&right),
        };
        if order.is_ne() {
            return order;
        }
    }
}
