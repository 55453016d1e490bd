use crate::{AdvisoryError, percent, text};
use std::{fmt, str::FromStr};

/// Longest CPE name that is read, in bytes.
pub const CPE_BYTES_MAX: usize = 1_024;
const EXPECTED: &str = "a CPE name";

/// Names of the attributes, in the order of the formatted string (NISTIR 7695 section 6.2).
const NAMES: [&str; 11] = [
    "part",
    "vendor",
    "product",
    "version",
    "update",
    "edition",
    "language",
    "sw_edition",
    "target_sw",
    "target_hw",
    "other",
];

/// A CPE name, read as 2.2 URI or 2.3 formatted string (NISTIR 7695).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpe([Attribute; 11]);

/// Value of an attribute. Text is lower case; `\` quotes a following `*`, `?` or `\`, and an
/// unquoted `*` or `?` is a wildcard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Attribute {
    /// anything, or not said
    #[default]
    Any,
    /// the attribute has no meaning here
    NotApplicable,
    /// a value
    Text(String),
}

impl Attribute {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Any | Self::NotApplicable => None,
        }
    }
}

/// How a component's name stands to an advisory's name (NISTIR 7696, reduced to what is decided).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpeRelation {
    /// the advisory's name covers the component's
    Covers,
    /// it may: the component's name leaves out what the advisory's distinguishes
    MayCover(&'static str),
    /// it does not
    Disjoint,
}

impl FromStr for Cpe {
    type Err = AdvisoryError;

    fn from_str(whole: &str) -> Result<Self, AdvisoryError> {
        let whole = whole.trim();
        if !text::is_plain(whole, CPE_BYTES_MAX) {
            return Err(AdvisoryError::malformed(EXPECTED, "empty, too long or not printable"));
        }
        let lower = whole.to_lowercase();
        let read = match lower.strip_prefix("cpe:2.3:") {
            Some(rest) => formatted(rest),
            None => lower.strip_prefix("cpe:/").and_then(uri),
        };
        let cpe = read.map(Self).filter(Self::is_of_something).ok_or_else(|| {
            AdvisoryError::malformed(
                EXPECTED,
                format!("{whole:?}: neither a 2.2 URI nor a 2.3 string"),
            )
        })?;
        // Quoting makes a name longer, and what is kept must be read again.
        if cpe.to_string().len() > CPE_BYTES_MAX {
            return Err(AdvisoryError::malformed(EXPECTED, "too long as a 2.3 string"));
        }
        Ok(cpe)
    }
}

impl Cpe {
    /// Whether the part is one that there is, and a product could be named.
    fn is_of_something(&self) -> bool {
        let [part, ..] = &self.0;
        let known = match part {
            Attribute::Any => true,
            Attribute::NotApplicable => false,
            Attribute::Text(part) => matches!(part.as_str(), "a" | "o" | "h"),
        };
        known && *self.product() != Attribute::NotApplicable
    }

    /// Vendor.
    pub fn vendor(&self) -> &Attribute {
        let [_, vendor, ..] = &self.0;
        vendor
    }

    /// Product.
    pub fn product(&self) -> &Attribute {
        let [_, _, product, ..] = &self.0;
        product
    }

    /// Version.
    pub fn version(&self) -> &Attribute {
        let [_, _, _, version, ..] = &self.0;
        version
    }

    /// Update: `p1`, `sp2`, `rc1`.
    pub fn update(&self) -> &Attribute {
        let [_, _, _, _, update, ..] = &self.0;
        update
    }

    /// The version with its update, in the spellings that are in use: `8.9` and `p1` are `8.9p1`.
    pub fn versions(&self) -> Vec<String> {
        let plain = |attribute: &Attribute| match attribute {
            Attribute::Text(text) if !has_wildcard(text) => Some(unquoted(text)),
            _ => None,
        };
        let Some(version) = plain(self.version()) else { return Vec::new() };
        match plain(self.update()) {
            Some(update) => vec![format!("{version}{update}"), format!("{version}-{update}")],
            None => vec![version],
        }
    }

    /// How `component` stands to this name, version and update apart.
    pub fn relation(&self, component: &Self) -> CpeRelation {
        let mut relation = CpeRelation::Covers;
        for ((name, ours), theirs) in NAMES.iter().copied().zip(&self.0).zip(&component.0) {
            if matches!(name, "version" | "update") {
                continue;
            }
            match (ours, theirs) {
                (Attribute::Any, _) => {}
                (ours, theirs) if ours == theirs => {}
                // Yocto writes no part and no vendor: its recipes are named as products are.
                (_, Attribute::Any) if matches!(name, "part" | "vendor") => {}
                (_, Attribute::Any) => relation = CpeRelation::MayCover(name),
                (Attribute::Text(pattern), Attribute::Text(value)) if wild(pattern, value) => {}
                _ => return CpeRelation::Disjoint,
            }
        }
        relation
    }

    /// Whether version and update of `component` are those that this name writes out, or any where
    /// it writes out none; `None` where the component has no version.
    pub fn version_covers(&self, component: &Self) -> Option<bool> {
        let mut sure = true;
        for (ours, theirs) in
            [(self.version(), component.version()), (self.update(), component.update())]
        {
            match (ours, theirs) {
                (Attribute::Any, _) => {}
                (ours, theirs) if ours == theirs => {}
                (_, Attribute::Any) => sure = false,
                (Attribute::Text(pattern), Attribute::Text(value)) if wild(pattern, value) => {}
                _ => return Some(false),
            }
        }
        sure.then_some(true)
    }
}

/// `*` and `?` at beginning and end stand for any, and for one or no character; elsewhere they are
/// not allowed and match only themselves.
fn wild(pattern: &str, value: &str) -> bool {
    if !has_wildcard(pattern) {
        return pattern == value;
    }
    let leading = pattern.chars().take_while(|c| matches!(c, '*' | '?')).count();
    let chars: Vec<char> = pattern.chars().collect();
    let mut end = chars.len();
    while end > leading {
        let before = end.checked_sub(2).and_then(|index| chars.get(index));
        match chars.get(end - 1) {
            Some('*' | '?') if before != Some(&'\\') => end -= 1,
            _ => break,
        }
    }
    let room = |part: Option<&[char]>| {
        let part = part.unwrap_or_default();
        if part.contains(&'*') { usize::MAX } else { part.len() }
    };
    let (room_before, room_after) = (room(chars.get(..leading)), room(chars.get(end..)));
    let core: String = chars.get(leading..end).unwrap_or_default().iter().collect();
    value.match_indices(&core).any(|(at, found)| {
        let before = value.get(..at).map_or(0, |text| text.chars().count());
        let after = value.get(at + found.len()..).map_or(0, |text| text.chars().count());
        before <= room_before && after <= room_after
    })
}

pub(crate) fn has_wildcard(text: &str) -> bool {
    let mut quoted = false;
    text.chars().any(|character| {
        let wild = !quoted && matches!(character, '*' | '?');
        quoted = !quoted && character == '\\';
        wild
    })
}

pub(crate) fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => out.extend(characters.next()),
            other => out.push(other),
        }
    }
    out
}

/// Eleven attributes between unquoted colons.
fn formatted(rest: &str) -> Option<[Attribute; 11]> {
    let mut attributes: [Attribute; 11] = Default::default();
    let mut slots = attributes.iter_mut();
    let mut value = String::new();
    let mut literal = false;
    let mut characters = rest.chars();
    loop {
        match characters.next() {
            Some('\\') => {
                literal = true;
                match characters.next()? {
                    quoted @ ('*' | '?' | '\\') => value.extend(['\\', quoted]),
                    other => value.push(other),
                }
            }
            Some(':') => {
                *slots.next()? = attribute(std::mem::take(&mut value), literal);
                literal = false;
            }
            Some(other) => value.push(other),
            None => break,
        }
    }
    *slots.next()? = attribute(value, literal);
    // Shorter names are written by tools that stop at the version; what is missing is not said.
    Some(attributes)
}

/// A value; a hyphen that was quoted (`literal`) is only a hyphen.
fn attribute(value: String, literal: bool) -> Attribute {
    match value.as_str() {
        "" | "*" => Attribute::Any,
        "-" if !literal => Attribute::NotApplicable,
        _ => Attribute::Text(value),
    }
}

/// `cpe:/part:vendor:product:version:update:edition:language`, the edition perhaps packed.
fn uri(rest: &str) -> Option<[Attribute; 11]> {
    let mut attributes: [Attribute; 11] = Default::default();
    let parts: Vec<&str> = rest.split(':').collect();
    if parts.len() > 7 {
        return None;
    }
    let mut set = |index: usize, text: &str| -> Option<()> {
        *attributes.get_mut(index)? = component(text)?;
        Some(())
    };
    for (index, part) in parts.iter().enumerate() {
        match (index, part.strip_prefix('~')) {
            // Packed: ~edition~sw_edition~target_sw~target_hw~other (NISTIR 7695 section 6.1.3.3).
            (5, Some(packed)) => {
                for (value, index) in packed.split('~').zip([5, 7, 8, 9, 10]) {
                    set(index, value)?;
                }
            }
            _ => set(index, part)?,
        }
    }
    Some(attributes)
}

fn component(encoded: &str) -> Option<Attribute> {
    Some(match encoded {
        "" | "*" => Attribute::Any,
        "-" => Attribute::NotApplicable,
        encoded => {
            // %01 and %02 are the wildcards; every other character stands for itself, but an
            // encoded capital is as little told apart as a plain one.
            let decoded = percent::decode(encoded)?.to_lowercase();
            if decoded.trim() != decoded {
                return None;
            }
            let mut value = String::with_capacity(decoded.len());
            for character in decoded.chars() {
                match character {
                    '\u{1}' => value.push('?'),
                    '\u{2}' => value.push('*'),
                    quoted @ ('*' | '?' | '\\') => value.extend(['\\', quoted]),
                    other if text::is_forbidden(other) => return None,
                    other => value.push(other),
                }
            }
            // An unquoted `*` that stands alone is ANY in the formatted string, too.
            match value.as_str() {
                "*" => Attribute::Any,
                _ => Attribute::Text(value),
            }
        }
    })
}

impl fmt::Display for Cpe {
    /// The 2.3 formatted string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cpe:2.3")?;
        for attribute in &self.0 {
            match attribute {
                Attribute::Any => f.write_str(":*")?,
                Attribute::NotApplicable => f.write_str(":-")?,
                Attribute::Text(text) => {
                    f.write_str(":")?;
                    let mut quoted = false;
                    for character in text.chars() {
                        let plain = character.is_alphanumeric()
                            || matches!(character, '_' | '.' | '-' | '*' | '?' | '\\');
                        // A value that is a hyphen alone would read as "not applicable".
                        let alone = text == "-";
                        if (!plain || alone) && !quoted {
                            f.write_str("\\")?;
                        }
                        write!(f, "{character}")?;
                        quoted = !quoted && character == '\\';
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bindings_are_read() {
        let check = |from: &str, to: &str| {
            assert_eq!(from.parse::<Cpe>().map(|cpe| cpe.to_string()).as_deref(), Ok(to), "{from}");
        };
        // NISTIR 7695 section 6, the examples of both bindings.
        check(
            "cpe:/a:microsoft:internet_explorer:8.0.6001:beta",
            "cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*",
        );
        check(
            "cpe:/a:microsoft:internet_explorer:8.%02:sp%01",
            "cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*",
        );
        check(
            "cpe:/a:hp:insight_diagnostics:7.4.0.1570::~~online~win2003~x64~",
            "cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:*:*:*:online:win2003:x64:*",
        );
        check(
            "cpe:2.3:a:foo\\\\bar:big\\$money:2010:*:*:*:special:ipod_touch:80gb:*",
            "cpe:2.3:a:foo\\\\bar:big\\$money:2010:*:*:*:special:ipod_touch:80gb:*",
        );
        check("cpe:2.3:*:*:openssl:3.0.8:*:*:*:*:*:*:*", "cpe:2.3:*:*:openssl:3.0.8:*:*:*:*:*:*:*");
        check("cpe:2.3:a:a:b:1\\:2:*:*:*:*:*:*:*", "cpe:2.3:a:a:b:1\\:2:*:*:*:*:*:*:*");
        check("cpe:/a:%02:b", "cpe:2.3:a:*:b:*:*:*:*:*:*:*:*");
        check("cpe:/a:a:b%41%3a:%2D", "cpe:2.3:a:a:ba\\::\\-:*:*:*:*:*:*:*");
        for wrong in
            ["", "cpe:", "cpe:2.3", "cpe:/x:a:b", "cpe:2.3:a:b:c:d:e:f:g:h:i:j:k:l", "cpe:/a:%zz"]
        {
            assert!(wrong.parse::<Cpe>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_compared_as_nistir_7696_says() {
        let relation = |advisory: &str, component: &str| {
            let [advisory, component] =
                [advisory, component].map(|text| text.parse::<Cpe>().unwrap());
            (advisory.relation(&component), advisory.version_covers(&component))
        };
        let openssl = "cpe:2.3:a:openssl:openssl:3.0.8:*:*:*:*:*:*:*";
        assert_eq!(relation("cpe:/a:openssl:openssl", openssl), (CpeRelation::Covers, Some(true)));
        assert_eq!(relation("cpe:/a:openssl:openssl:3.0.8", openssl).1, Some(true));
        assert_eq!(relation("cpe:/a:openssl:openssl:3.0.9", openssl).1, Some(false));
        assert_eq!(relation("cpe:/a:openssl:openssl:3.0.%02", openssl).1, Some(true));
        assert_eq!(relation("cpe:/a:openssl:openssl:3.0.8:rc1", openssl).1, None);
        assert_eq!(relation("cpe:/a:other:openssl", openssl).0, CpeRelation::Disjoint);
        let yocto = "cpe:2.3:*:*:openssl:3.0.8:*:*:*:*:*:*:*";
        assert_eq!(relation("cpe:/a:openssl:openssl", yocto).0, CpeRelation::Covers);
        assert_eq!(
            relation("cpe:2.3:a:a:b:*:*:*:*:*:wordpress:*:*", "cpe:/a:a:b:1").0,
            CpeRelation::MayCover("target_sw")
        );
        assert!(wild("a?", "ab") && wild("a?", "a") && !wild("a?", "abc") && wild("*", "x"));
        assert!(wild("*b*", "abc") && !wild("b\\*", "bc") && wild("b\\*", "b\\*"));
    }
}
