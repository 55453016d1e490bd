use super::numbers::{digits, is_digits, is_zero};
use std::cmp::Ordering;

/// Maven's `ComparableVersion`: items between dots, and lists that hyphens and changes between
/// digits and letters open.
#[derive(Debug, Clone)]
pub(super) struct Maven(Vec<Item>);

#[derive(Debug, Clone)]
enum Item {
    Number(String),
    Word(String),
    List(Vec<Item>),
}

/// Qualifiers in their order; the empty one is the release itself. Unknown ones come after `sp`.
const QUALIFIERS: &[&str] = &["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const RELEASE: usize = 5;

impl Maven {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // "Versions are expected to start with numbers"; the order of others has circles.
        if !text.is_ascii() || !text.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let mut open: Vec<Vec<Item>> = vec![Vec::new()];
        let mut token = String::new();
        let add = |open: &mut Vec<Vec<Item>>, token: &mut String, before_digit: bool| {
            let text = std::mem::take(token);
            let word = !text.is_empty() && !is_digits(&text);
            // A word opens a list of its own, whether a dot or a hyphen stands before it.
            if word && open.last().is_some_and(|list| !list.is_empty()) {
                open.push(Vec::new());
            }
            if let Some(list) = open.last_mut() {
                list.push(match text {
                    text if text.is_empty() => Item::Number("0".to_owned()),
                    text if word => Item::Word(qualifier(&text, before_digit)),
                    text => Item::Number(text),
                });
            }
        };
        for character in text.to_ascii_lowercase().chars() {
            match character {
                '.' => add(&mut open, &mut token, false),
                '-' | '_' => {
                    add(&mut open, &mut token, false);
                    open.push(Vec::new());
                }
                character => {
                    let last = token.chars().next_back();
                    if last.is_some_and(|last| last.is_ascii_digit() != character.is_ascii_digit())
                    {
                        add(&mut open, &mut token, character.is_ascii_digit());
                        open.push(Vec::new());
                    }
                    token.push(character);
                }
            }
        }
        if !token.is_empty() {
            add(&mut open, &mut token, false);
        }
        // Each list is the last item of the one before it.
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = open.pop() {
            if let Some(inner) = inner.take() {
                list.push(Item::List(inner));
            }
            trim(&mut list);
            // What stood before a qualifier meant nothing: 1-0.rc is 1-rc, or the order has circles.
            if let ([Item::List(only)], false) = (list.as_slice(), open.is_empty())
                && matches!(only.first(), Some(Item::Word(_)))
            {
                list = only.clone();
            }
            inner = Some(list);
        }
        inner.map(Self)
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        compare_lists(&self.0, &other.0)
    }
}

fn qualifier(word: &str, before_digit: bool) -> String {
    match (word, before_digit) {
        ("a", true) => "alpha",
        ("b", true) => "beta",
        ("m", true) => "milestone",
        ("ga" | "final" | "release", _) => "",
        ("cr", _) => "rc",
        (other, _) => other,
    }
    .to_owned()
}

/// Takes away what means nothing at the end of a list and before a list.
fn trim(list: &mut Vec<Item>) {
    for index in (0..list.len()).rev() {
        let null = list.get(index).is_some_and(|item| match item {
            Item::Number(digits) => is_zero(digits),
            Item::Word(word) => word.is_empty(),
            Item::List(list) => list.is_empty(),
        });
        if null {
            list.remove(index);
        } else if !matches!(list.get(index), Some(Item::List(_))) {
            break;
        }
    }
}

fn compare_lists(a: &[Item], b: &[Item]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|index| match (a.get(index), b.get(index)) {
            (Some(a), Some(b)) => compare(a, b),
            (Some(a), None) => compare_to_nothing(a),
            (None, Some(b)) => compare_to_nothing(b).reverse(),
            (None, None) => Ordering::Equal,
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn compare(a: &Item, b: &Item) -> Ordering {
    match (a, b) {
        (Item::Number(a), Item::Number(b)) => digits(a, b),
        (Item::Word(a), Item::Word(b)) => rank(a).cmp(&rank(b)),
        (Item::List(a), Item::List(b)) => compare_lists(a, b),
        // 1.1 is after 1-1, which is after 1-sp.
        (a, b) => kind(a).cmp(&kind(b)),
    }
}

fn kind(item: &Item) -> u8 {
    match item {
        Item::Word(_) => 0,
        Item::List(_) => 1,
        Item::Number(_) => 2,
    }
}

fn compare_to_nothing(item: &Item) -> Ordering {
    match item {
        Item::Number(number) if is_zero(number) => Ordering::Equal,
        Item::Number(_) => Ordering::Greater,
        Item::Word(word) => rank(word).cmp(&(RELEASE, "")),
        Item::List(list) => list
            .iter()
            .map(compare_to_nothing)
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal),
    }
}

fn rank(word: &str) -> (usize, &str) {
    match QUALIFIERS.iter().position(|qualifier| *qualifier == word) {
        Some(position) => (position, ""),
        None => (QUALIFIERS.len(), word),
    }
}
