use crate::{
    oid,
    strict::{DerError, Reader, Result, only, tag},
};
use const_oid::ObjectIdentifier;
use std::fmt;

/// Most attributes that a name may have: beyond that somebody wants to waste our time.
const ATTRIBUTES_MAX: usize = 64;

/// A distinguished name (RFC 5280 section 4.1.2.4). Displays as RFC 4514 says, with control
/// characters escaped, so that it is safe in a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name<'a> {
    // INVARIANT: passed `Name::parse`
    der: &'a [u8],
}

/// One attribute of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// type
    pub oid: ObjectIdentifier,
    /// which RelativeDistinguishedName it is part of, counted from 0
    pub rdn: usize,
    tag: u8,
    value: &'a [u8],
    whole: &'a [u8],
}

impl<'a> Name<'a> {
    /// Reads a `Name` in DER.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self> {
        let mut rdns = Reader::new(only(der, tag::SEQUENCE)?.value);
        let mut count = 0;
        while !rdns.is_empty() {
            let mut attributes = Reader::new(rdns.expect(tag::SET)?.value);
            if attributes.is_empty() {
                return Err(DerError("has an empty part"));
            }
            let mut before: &[u8] = &[];
            while !attributes.is_empty() {
                let whole = attributes.expect(tag::SEQUENCE)?;
                // DER sorts a SET OF by its encodings (X.690 section 11.6).
                if before > whole.whole {
                    return Err(DerError("has a SET that is not sorted"));
                }
                before = whole.whole;
                let mut attribute = Reader::new(whole.value);
                attribute.oid()?;
                let value = attribute.any()?;
                attribute.finish()?;
                let text = match value.tag {
                    tag::UTF8_STRING => std::str::from_utf8(value.value).is_ok(),
                    tag::PRINTABLE_STRING | tag::IA5_STRING => value.value.is_ascii(),
                    _ => true,
                };
                if !text {
                    return Err(DerError("has text that does not fit its type"));
                }
                count += 1;
                if count > ATTRIBUTES_MAX {
                    return Err(DerError("has more than 64 attributes"));
                }
            }
        }
        Ok(Self { der })
    }

    /// A name that passed [`Self::parse`] before.
    pub(crate) fn trusted(der: &'a [u8]) -> Self {
        Self { der }
    }

    /// The name in DER, as received.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Whether it has no attributes.
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// Its attributes in the order of the encoding.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        let mut rdns = Reader::new(only(self.der, tag::SEQUENCE).map_or(&[][..], |tlv| tlv.value));
        let mut attributes = Reader::new(&[]);
        let mut next_rdn = 0;
        std::iter::from_fn(move || {
            if attributes.is_empty() {
                attributes = Reader::new(rdns.expect(tag::SET).ok()?.value);
                next_rdn += 1;
            }
            let whole = attributes.expect(tag::SEQUENCE).ok()?;
            let mut attribute = Reader::new(whole.value);
            let oid = attribute.oid().ok()?;
            let value = attribute.any().ok()?;
            Some(Attribute {
                oid,
                rdn: next_rdn - 1,
                tag: value.tag,
                value: value.value,
                whole: value.whole,
            })
        })
    }

    /// Text of the first attribute of type `oid`, where it is text.
    pub fn attribute(&self, oid: &ObjectIdentifier) -> Option<String> {
        self.attributes().find(|attribute| attribute.oid == *oid)?.text()
    }

    /// Whether both names name the same: without regard to case, string type and repeated white
    /// space (RFC 5280 section 7.1).
    pub fn matches(&self, other: &Name<'_>) -> bool {
        if self.der == other.der {
            return true;
        }
        let (mut ours, mut theirs) = (self.attributes(), other.attributes());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their)) if our.same(&their) => {}
                (Some(our), Some(their)) if our.rdn == their.rdn => break,
                _ => return false,
            }
        }
        // Folding the case may have changed the order within a part of several attributes.
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (self.attributes().collect(), other.attributes().collect());
        let several = ours.last().is_some_and(|last| last.rdn + 1 < ours.len());
        several && ours.len() == theirs.len() && begins(&ours, &theirs)
    }

    /// Equal for names that match, so that maps can be keyed by it.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut attributes: Vec<_> = self
            .attributes()
            .map(|attribute| {
                let value = match attribute.text() {
                    Some(text) => prepared(&text).into_bytes(),
                    None => attribute.whole.to_vec(),
                };
                (attribute.rdn, attribute.oid, value)
            })
            .collect();
        attributes.sort_unstable();
        let mut out = Vec::with_capacity(self.der.len() + 16);
        for (rdn, oid, value) in attributes {
            for part in [&rdn.to_be_bytes()[..], oid.as_bytes(), &value] {
                out.extend_from_slice(&part.len().to_be_bytes());
                out.extend_from_slice(part);
            }
        }
        out
    }

    /// Whether this name lies in the subtree below `base` (RFC 5280 section 4.2.1.10): `base` is
    /// its beginning, whole parts only.
    pub fn is_within(&self, base: &Name<'_>) -> bool {
        let (ours, bases): (Vec<_>, Vec<_>) =
            (self.attributes().collect(), base.attributes().collect());
        let Some(last) = bases.last() else { return true };
        let parts: Vec<_> =
            ours.into_iter().filter(|attribute| attribute.rdn <= last.rdn).collect();
        parts.len() == bases.len() && begins(&parts, &bases)
    }
}

/// Whether two lists of equal length have the same attributes part by part, in any order within a
/// part.
fn begins(ours: &[Attribute<'_>], theirs: &[Attribute<'_>]) -> bool {
    let mut used = vec![false; ours.len()];
    theirs.iter().all(|want| {
        let found = ours.iter().zip(&mut used).find(|(have, used)| !**used && have.same(want));
        found.map(|(_, used)| *used = true).is_some()
    })
}

impl Attribute<'_> {
    /// The value as text, where it is of a string type.
    pub fn text(&self) -> Option<String> {
        match self.tag {
            tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING => {
                std::str::from_utf8(self.value).ok().map(str::to_owned)
            }
            // Everybody writes Latin-1 into it, whatever T.61 says.
            tag::TELETEX_STRING => Some(self.value.iter().copied().map(char::from).collect()),
            tag::BMP_STRING => {
                let (pairs, []) = self.value.as_chunks::<2>() else { return None };
                char::decode_utf16(pairs.iter().map(|pair| u16::from_be_bytes(*pair)))
                    .collect::<std::result::Result<_, _>>()
                    .ok()
            }
            tag::UNIVERSAL_STRING => {
                let (quads, []) = self.value.as_chunks::<4>() else { return None };
                quads.iter().map(|quad| char::from_u32(u32::from_be_bytes(*quad))).collect()
            }
            _ => None,
        }
    }

    fn same(&self, other: &Attribute<'_>) -> bool {
        self.rdn == other.rdn && self.oid == other.oid && self.same_value(other)
    }

    fn same_value(&self, other: &Attribute<'_>) -> bool {
        if self.tag == other.tag && self.value == other.value {
            return true;
        }
        match (self.text(), other.text()) {
            (Some(ours), Some(theirs)) => prepared(&ours) == prepared(&theirs),
            _ => false,
        }
    }
}

/// The essence of RFC 4518's string preparation: case folded, white space collapsed.
fn prepared(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 4514 section 2.1: the last part first.
        let mut attributes: Vec<_> = self.attributes().collect();
        attributes.sort_by_key(|attribute| std::cmp::Reverse(attribute.rdn));
        let mut before = None;
        for attribute in attributes {
            match before {
                None => {}
                Some(rdn) if rdn == attribute.rdn => f.write_str("+")?,
                Some(_) => f.write_str(",")?,
            }
            before = Some(attribute.rdn);
            match (short_name(&attribute.oid), attribute.text()) {
                (Some(name), Some(text)) => {
                    write!(f, "{name}=")?;
                    escaped(f, &text)?;
                }
                (name, _) => {
                    match name {
                        Some(name) => f.write_str(name)?,
                        None => write!(f, "{}", attribute.oid)?,
                    }
                    write!(f, "=#{}", hex::encode(attribute.whole))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// RFC 4514 section 3, and the names that everybody uses for the other two.
fn short_name(oid: &ObjectIdentifier) -> Option<&'static str> {
    Some(match *oid {
        oid::COMMON_NAME => "CN",
        oid::LOCALITY_NAME => "L",
        oid::STATE_OR_PROVINCE_NAME => "ST",
        oid::ORGANIZATION_NAME => "O",
        oid::ORGANIZATIONAL_UNIT_NAME => "OU",
        oid::COUNTRY_NAME => "C",
        oid::STREET_ADDRESS => "STREET",
        oid::DOMAIN_COMPONENT => "DC",
        oid::USER_ID => "UID",
        oid::SERIAL_NUMBER => "serialNumber",
        oid::EMAIL_ADDRESS => "emailAddress",
        _ => return None,
    })
}

/// RFC 4514 section 2.4. Control and direction-changing characters are escaped too.
fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.chars().count().saturating_sub(1);
    for (at, c) in text.chars().enumerate() {
        let hidden = c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if hidden {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                write!(f, "\\{byte:02X}")?;
            }
        } else {
            let special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
                || (c == '#' && at == 0)
                || (c == ' ' && (at == 0 || at == last));
            if special {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let contents = parts.concat();
        let mut out = vec![tag, u8::try_from(contents.len()).unwrap()];
        out.extend(contents);
        out
    }

    fn attribute(oid: &str, tag: u8, value: &[u8]) -> Vec<u8> {
        let oid = ObjectIdentifier::new(oid).unwrap();
        tlv(
            tag::SEQUENCE,
            &[tlv(tag::OID, &[oid.as_bytes().to_vec()]), tlv(tag, &[value.to_vec()])],
        )
    }

    fn cn(tag: u8, value: &[u8]) -> Vec<u8> {
        tlv(tag::SET, &[attribute("2.5.4.3", tag, value)])
    }

    fn o(value: &str) -> Vec<u8> {
        tlv(tag::SET, &[attribute("2.5.4.10", tag::UTF8_STRING, value.as_bytes())])
    }

    fn name(parts: &[Vec<u8>]) -> Vec<u8> {
        tlv(tag::SEQUENCE, parts)
    }

    #[test]
    fn displays_as_rfc_4514() {
        let check = |der: &[u8], want: &str| {
            assert_eq!(Name::parse(der).unwrap().to_string(), want);
        };
        check(&name(&[]), "");
        check(
            &name(&[o("Example"), cn(tag::UTF8_STRING, b"Before\rAfter")]),
            "CN=Before\\0DAfter,O=Example",
        );
        check(&name(&[cn(tag::UTF8_STRING, b"#1 a,b+c\"d ")]), "CN=\\#1 a\\,b\\+c\\\"d\\ ");
        check(&name(&[cn(tag::UTF8_STRING, "蛇口\u{202e}".as_bytes())]), "CN=蛇口\\E2\\80\\AE");
        check(&name(&[cn(tag::BMP_STRING, &[0x86, 0xc7])]), "CN=蛇");
        check(
            &name(&[tlv(tag::SET, &[attribute("1.3.6.1.4.1.1466.0", tag::OCTET_STRING, b"Hi")])]),
            "1.3.6.1.4.1.1466.0=#04024869",
        );
        let pair = [
            attribute("2.5.4.3", tag::UTF8_STRING, b"a"),
            attribute("2.5.4.11", tag::UTF8_STRING, b"b"),
        ];
        check(&name(&[o("x"), tlv(tag::SET, &pair)]), "CN=a+OU=b,O=x");
    }

    #[test]
    fn names_match_without_regard_to_case_type_and_white_space() {
        let check = |a: &[u8], b: &[u8], want| {
            let (a, b) = (Name::parse(a).unwrap(), Name::parse(b).unwrap());
            assert_eq!((a.matches(&b), b.matches(&a), a.key() == b.key()), (want, want, want));
        };
        let pair = |first: &[u8], second: &[u8]| {
            let mut pair =
                [first, second].map(|value| attribute("2.5.4.3", tag::UTF8_STRING, value));
            pair.sort();
            name(&[tlv(tag::SET, &pair)])
        };
        check(&pair(b"a", b"B"), &pair(b"A", b"b"), true);
        check(&pair(b"a", b"b"), &pair(b"A", b"c"), false);
        let printable = name(&[cn(tag::PRINTABLE_STRING, b"Example  CA")]);
        let utf8 = name(&[cn(tag::UTF8_STRING, b" example ca")]);
        check(&printable, &utf8, true);
        check(&printable, &name(&[cn(tag::UTF8_STRING, b"exampleca")]), false);
        check(&printable, &name(&[o("Example CA")]), false);
        check(&printable, &name(&[cn(tag::UTF8_STRING, b"example ca"), o("x")]), false);
        check(&name(&[]), &printable, false);
    }

    #[test]
    fn subtrees_are_whole_leading_parts() {
        let check = |a: &[u8], base: &[u8], want| {
            assert_eq!(Name::parse(a).unwrap().is_within(&Name::parse(base).unwrap()), want);
        };
        let long = name(&[o("Maker"), cn(tag::UTF8_STRING, b"chip")]);
        check(&long, &name(&[o("MAKER")]), true);
        check(&long, &name(&[]), true);
        check(&long, &long, true);
        check(&name(&[o("Maker")]), &long, false);
        check(&long, &name(&[cn(tag::UTF8_STRING, b"chip")]), false);
        // A part with one attribute more is another part.
        let pair = [
            attribute("2.5.4.3", tag::UTF8_STRING, b"a"),
            attribute("2.5.4.10", tag::UTF8_STRING, b"Maker"),
        ];
        check(&name(&[tlv(tag::SET, &pair)]), &name(&[o("Maker")]), false);
    }

    #[test]
    fn malformed_names_are_refused() {
        let refuse = |der: &[u8]| assert!(Name::parse(der).is_err(), "{der:02x?}");
        refuse(&name(&[tlv(tag::SET, &[])]));
        refuse(&name(&[cn(tag::UTF8_STRING, &[0xff])]));
        refuse(&name(&[cn(tag::PRINTABLE_STRING, &[0xe4])]));
        let mut pair = [
            attribute("2.5.4.3", tag::UTF8_STRING, b"a"),
            attribute("2.5.4.11", tag::UTF8_STRING, b"b"),
        ];
        pair.reverse();
        refuse(&name(&[tlv(tag::SET, &pair)]));
        refuse(b"\x30\x02\x31\x05");
        refuse(b"");
    }
}
