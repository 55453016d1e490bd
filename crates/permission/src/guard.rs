//! What a policy text may be before Cedar's parser sees it. That parser and what follows it call
//! themselves for each level of nesting, and nothing in them counts.

use admission::{Problem, Problems, place_of};
use std::ops::Range;

/// Longest text of a policy set, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Most policies of a set. A decision looks at each: with 100 it takes some 0.15 ms.
pub const POLICIES_MAX: usize = 100;
/// How deep brackets may nest.
pub const DEPTH_MAX: usize = 12;
/// Operators of one policy: each may be a level of its tree.
pub const OPERATORS_MAX: usize = 150;
/// `if` of one policy, and `!` and `-` in front of something, which nest without brackets.
pub const NESTED_MAX: usize = 8;
/// Longest pattern of a `like`, in bytes. What it is held against is longer, and a pattern that never
/// fits costs the product of both.
pub(crate) const PATTERN_BYTES_MAX: usize = 128;
/// Bytes of all patterns of a set.
pub(crate) const PATTERNS_BYTES_MAX: usize = 4096;

/// Where each policy begins and ends, in bytes.
pub(crate) fn check(text: &str) -> Result<Vec<Range<usize>>, Problems> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the text has {} bytes, and {TEXT_BYTES_MAX} at most", text.len());
        return Err(Problem::new((0, 0), message, "write fewer, more general policies").into());
    }
    let mut scan = Scan {
        text,
        places: Vec::new(),
        of: Counts::default(),
        inside: false,
        like: false,
        patterns: 0,
    };
    scan.run().map_err(|(at, message, hint)| {
        Problems::from(Problem::new(place_of(text, at), message, hint))
    })?;
    Ok(scan.places)
}

#[derive(Default)]
struct Counts {
    depth: usize,
    operators: usize,
    nested: usize,
}

struct Scan<'a> {
    text: &'a str,
    places: Vec<Range<usize>>,
    of: Counts,
    inside: bool,
    /// the word before was `like`
    like: bool,
    /// bytes of patterns so far
    patterns: usize,
}

type Found = (usize, String, &'static str);

impl Scan<'_> {
    fn run(&mut self) -> Result<(), Found> {
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c.is_whitespace() {
                continue;
            }
            if c == '/' && chars.peek().is_some_and(|(_, next)| *next == '/') {
                // As Cedar's: it ends with a carriage return, too.
                while chars.next_if(|(_, c)| !matches!(c, '\n' | '\r')).is_some() {}
                continue;
            }
            if !self.inside {
                self.inside = true;
                // It ends where the text does, unless a semicolon ends it before.
                self.places.push(at..self.text.len());
                if self.places.len() > POLICIES_MAX {
                    let message = format!("there are more than {POLICIES_MAX} policies");
                    return Err((at, message, "one policy for a class of devices does for many"));
                }
            }
            let like = std::mem::take(&mut self.like);
            match c {
                '"' => {
                    let (mut escaped, mut end) = (false, at);
                    for (place, c) in chars.by_ref() {
                        end = place;
                        match c {
                            _ if escaped => escaped = false,
                            '\\' => escaped = true,
                            '"' => break,
                            _ => {}
                        }
                    }
                    if like {
                        self.pattern(at, end.saturating_sub(at))?;
                    }
                }
                ';' if self.of.depth == 0 => {
                    self.inside = false;
                    self.of = Counts::default();
                    if let Some(place) = self.places.last_mut() {
                        place.end = at.saturating_add(1);
                    }
                }
                c if c.is_alphanumeric() || c == '_' => {
                    let mut word = c.to_string();
                    while let Some((_, c)) =
                        chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_')
                    {
                        word.push(c);
                    }
                    match word.as_str() {
                        "if" => self.of.nested = self.of.nested.saturating_add(1),
                        "in" | "has" | "is" => self.operator(),
                        "like" => {
                            self.like = true;
                            self.operator();
                        }
                        _ => {}
                    }
                }
                '(' | '[' | '{' => self.of.depth = self.of.depth.saturating_add(1),
                ')' | ']' | '}' => self.of.depth = self.of.depth.saturating_sub(1),
                '!' | '-' => self.of.nested = self.of.nested.saturating_add(1),
                ',' | ':' | '@' | ';' => {}
                _ => self.operator(),
            }
            self.bounded(at)?;
        }
        if self.of.depth > 0 {
            let message = "a bracket is not closed".to_owned();
            return Err((self.text.len(), message, "close it"));
        }
        Ok(())
    }

    fn pattern(&mut self, at: usize, bytes: usize) -> Result<(), Found> {
        self.patterns = self.patterns.saturating_add(bytes);
        let hint = "shorter patterns, or a comparison with branch or device, do the same";
        if bytes > PATTERN_BYTES_MAX {
            let message = format!("a pattern has more than {PATTERN_BYTES_MAX} bytes");
            return Err((at, message, hint));
        }
        if self.patterns > PATTERNS_BYTES_MAX {
            let message = format!("the patterns have more than {PATTERNS_BYTES_MAX} bytes in all");
            return Err((at, message, hint));
        }
        Ok(())
    }

    fn operator(&mut self) {
        self.of.operators = self.of.operators.saturating_add(1);
    }

    fn bounded(&self, at: usize) -> Result<(), Found> {
        let Counts { depth, operators, nested } = self.of;
        let message = if depth > DEPTH_MAX {
            format!("brackets nest more than {DEPTH_MAX} deep")
        } else if operators > OPERATORS_MAX {
            format!("the policy has more than {OPERATORS_MAX} operators")
        } else if nested > NESTED_MAX {
            format!("the policy has more than {NESTED_MAX} of if, ! and -")
        } else {
            return Ok(());
        };
        Err((at, message, "write it as several policies"))
    }
}
