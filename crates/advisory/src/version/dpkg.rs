use super::numbers::{digits, is_digits, take};
use std::cmp::Ordering;

/// Debian policy manual section 5.6.12: `[epoch:]upstream[-revision]`.
#[derive(Debug, Clone)]
pub(super) struct Dpkg {
    epoch: String,
    upstream: String,
    revision: Option<String>,
}

impl Dpkg {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (epoch, rest),
            None => ("0", text),
        };
        let (upstream, revision) = match rest.rsplit_once('-') {
            Some((upstream, revision)) => (upstream, Some(revision)),
            None => (rest, None),
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+~".contains(&byte);
        let good = is_digits(epoch)
            && !upstream.is_empty()
            && upstream.bytes().all(|byte| allowed(byte) || byte == b'-' || byte == b':')
            && revision.is_none_or(|text| !text.is_empty() && text.bytes().all(allowed));
        good.then(|| Self {
            epoch: epoch.to_owned(),
            upstream: upstream.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let revision = |version: &Self| version.revision.clone().unwrap_or_default();
        self.compare_upstream(other).then_with(|| part(&revision(self), &revision(other)))
    }

    pub(super) fn compare_to_bound(&self, bound: &Self) -> Ordering {
        match bound.revision {
            Some(_) => self.compare(bound),
            None => self.compare_upstream(bound),
        }
    }

    fn compare_upstream(&self, other: &Self) -> Ordering {
        digits(&self.epoch, &other.epoch).then_with(|| part(&self.upstream, &other.upstream))
    }
}

/// Text and numbers in turn. In text, `~` is before the end, the end before letters, letters before
/// the rest.
fn part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = take(a, |byte| !byte.is_ascii_digit());
        let (text_b, rest_b) = take(b, |byte| !byte.is_ascii_digit());
        let order = text(text_a, text_b);
        let (number_a, rest_a) = take(rest_a, |byte| byte.is_ascii_digit());
        let (number_b, rest_b) = take(rest_b, |byte| byte.is_ascii_digit());
        let order = order.then_with(|| digits(number_a, number_b));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn text(a: &str, b: &str) -> Ordering {
    let weight = |byte: Option<u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(byte) => i32::from(byte) + 256,
    };
    let (mut a, mut b) = (a.bytes(), b.bytes());
    loop {
        let (left, right) = (a.next(), b.next());
        match weight(left).cmp(&weight(right)) {
            Ordering::Equal if left.is_none() && right.is_none() => return Ordering::Equal,
            Ordering::Equal => {}
            order => return order,
        }
    }
}
