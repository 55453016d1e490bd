//! The contents of each extension (RFC 5280 section 4.2), strictly.

use super::{
    AccessDescription, AuthorityKeyIdentifier, BasicConstraints, Extension, GeneralName, KeyUsage,
    NameConstraints, PolicyConstraints,
};
use crate::{
    Name, oid,
    strict::{self, DerError, Reader, Result, only, tag},
};
use const_oid::ObjectIdentifier;

/// Most policies or mappings of one certificate.
const POLICIES_MAX: usize = 64;

pub(super) fn one(list: &mut Reader<'_>) -> Result<Extension> {
    let mut entry = list.sequence()?;
    let oid = entry.oid()?;
    let critical = entry.default_false()?;
    let value = entry.expect(tag::OCTET_STRING)?.value.to_vec();
    entry.finish()?;
    Ok(Extension { oid, critical, value })
}

/// Contents of a SEQUENCE (SIZE 1..MAX) that is all of `value`.
fn entries(value: &[u8]) -> Result<Reader<'_>> {
    let entries = Reader::new(only(value, tag::SEQUENCE)?.value);
    if entries.is_empty() { Err(DerError("is an empty SEQUENCE")) } else { Ok(entries) }
}

pub(super) fn basic_constraints(value: &[u8]) -> Result<BasicConstraints> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let ca = fields.default_false()?;
    let path_len = match fields.optional(tag::INTEGER)? {
        Some(tlv) => Some(strict::small(tlv.value)?),
        None => None,
    };
    fields.finish()?;
    if path_len.is_some() && !ca {
        return Err(DerError("limits the path of a subject that is not a CA"));
    }
    Ok(BasicConstraints { ca, path_len })
}

pub(super) fn key_usage(value: &[u8]) -> Result<KeyUsage> {
    named_bits(only(value, tag::BIT_STRING)?.value).map(KeyUsage)
}

/// A BIT STRING of named bits in DER: without trailing zeros (X.690 section 11.2.2), not empty.
fn named_bits(contents: &[u8]) -> Result<u16> {
    const FORM: DerError = DerError("has bits that are not in DER");
    let (unused, bytes) = match contents {
        [0] | [_, 0] => return Err(DerError("allows nothing")),
        [unused @ 0..=7, bytes @ ..] if (1..=2).contains(&bytes.len()) => (*unused, bytes),
        _ => return Err(FORM),
    };
    let last = bytes.last().copied().unwrap_or(0);
    if last.trailing_zeros() != u32::from(unused) {
        return Err(FORM);
    }
    let mut bits = 0;
    for (byte, shift) in bytes.iter().zip([0, 8]) {
        bits |= u16::from(byte.reverse_bits()) << shift;
    }
    if bits >> 9 != 0 { Err(DerError("has bits that nobody defined")) } else { Ok(bits) }
}

pub(super) fn oids(value: &[u8]) -> Result<Vec<ObjectIdentifier>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(list.oid()?);
    }
    Ok(out)
}

/// Where a general name stands: its form differs in name constraints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Name,
    Constraint,
}

pub(super) fn general_names(value: &[u8], place: Use) -> Result<Vec<GeneralName>> {
    list_of_names(entries(value)?, place)
}

fn list_of_names(mut list: Reader<'_>, place: Use) -> Result<Vec<GeneralName>> {
    if list.is_empty() {
        return Err(DerError("is an empty SEQUENCE"));
    }
    let mut out = Vec::new();
    while !list.is_empty() {
        out.push(general_name(&mut list, place)?);
    }
    Ok(out)
}

fn general_name(reader: &mut Reader<'_>, place: Use) -> Result<GeneralName> {
    const OTHER: u8 = tag::constructed(0);
    const EMAIL: u8 = tag::context(1);
    const DNS: u8 = tag::context(2);
    const X400: u8 = tag::constructed(3);
    const DIRECTORY: u8 = tag::constructed(4);
    const EDI_PARTY: u8 = tag::constructed(5);
    const URI: u8 = tag::context(6);
    const IP: u8 = tag::context(7);
    const REGISTERED_ID: u8 = tag::context(8);
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(DerError("has a name that is not ASCII")),
    };
    let tlv = reader.any()?;
    Ok(match tlv.tag {
        OTHER => {
            let mut other = Reader::new(tlv.value);
            let type_id = other.oid()?;
            let value = other.expect(tag::constructed(0))?.value;
            other.finish()?;
            let mut inner = Reader::new(value);
            inner.any()?;
            inner.finish()?;
            GeneralName::Other { type_id, value: value.to_vec() }
        }
        EMAIL => GeneralName::Email(text(tlv.value)?),
        DNS => GeneralName::Dns(text(tlv.value)?),
        DIRECTORY => GeneralName::Directory(Name::parse(tlv.value)?.der().to_vec()),
        URI => GeneralName::Uri(text(tlv.value)?),
        IP => match (place, tlv.value.len()) {
            (Use::Name, 4 | 16) => GeneralName::Ip(tlv.value.to_vec()),
            (Use::Constraint, 8 | 32) if is_network(tlv.value) => {
                GeneralName::Ip(tlv.value.to_vec())
            }
            _ => return Err(DerError("has a malformed IP address")),
        },
        REGISTERED_ID => GeneralName::RegisteredId(strict::oid(tlv.value)?),
        X400 | EDI_PARTY => GeneralName::Unsupported(tlv.tag & 0x1f),
        _ => return Err(DerError("has a name of a kind that does not exist")),
    })
}

/// Whether the second half is a contiguous mask (RFC 4632).
fn is_network(bytes: &[u8]) -> bool {
    let (_, mask) = bytes.split_at(bytes.len() / 2);
    let ones: u32 = mask.iter().map(|byte| byte.leading_ones()).sum();
    let leading: u32 = {
        let full = mask.iter().take_while(|byte| **byte == 0xff).count();
        let next = mask.get(full).map_or(0, |byte| byte.leading_ones());
        u32::try_from(full).unwrap_or(0) * 8 + next
    };
    ones == leading && mask.iter().map(|byte| byte.count_ones()).sum::<u32>() == leading
}

pub(super) fn authority_key_identifier(value: &[u8]) -> Result<AuthorityKeyIdentifier> {
    let mut fields = Reader::new(only(value, tag::SEQUENCE)?.value);
    let key_identifier = fields.optional(tag::context(0))?.map(|tlv| tlv.value.to_vec());
    let issuer = match fields.optional(tag::constructed(1))? {
        Some(tlv) => Some(list_of_names(Reader::new(tlv.value), Use::Name)?),
        None => None,
    };
    let serial = match fields.optional(tag::context(2))? {
        Some(tlv) => Some(strict::integer(tlv.value)?.to_vec()),
        None => None,
    };
    fields.finish()?;
    Ok(AuthorityKeyIdentifier { key_identifier, issuer, serial })
}

pub(super) fn distribution_points(value: &[u8]) -> Result<Vec<GeneralName>> {
    let mut points = entries(value)?;
    let mut out = Vec::new();
    while !points.is_empty() {
        let mut point = points.sequence()?;
        let name = point.optional(tag::constructed(0))?;
        if let Some(name) = name {
            let mut choice = Reader::new(name.value);
            match choice.any()? {
                full if full.tag == tag::constructed(0) => {
                    out.extend(list_of_names(Reader::new(full.value), Use::Name)?);
                }
                relative if relative.tag == tag::constructed(1) => {}
                _ => return Err(DerError("has a name of a kind that does not exist")),
            }
            choice.finish()?;
        }
        if let Some(reasons) = point.optional(tag::context(1))? {
            named_bits(reasons.value)?;
        }
        let issuer = point.optional(tag::constructed(2))?;
        if let Some(issuer) = issuer {
            list_of_names(Reader::new(issuer.value), Use::Name)?;
        }
        point.finish()?;
        // RFC 5280 section 4.2.1.13: a point must not consist of reasons only.
        if name.is_none() && issuer.is_none() {
            return Err(DerError("has a point without a name"));
        }
    }
    Ok(out)
}

pub(super) fn access_descriptions(value: &[u8]) -> Result<Vec<AccessDescription>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let method = entry.oid()?;
        let location = general_name(&mut entry, Use::Name)?;
        entry.finish()?;
        out.push(AccessDescription { method, location });
    }
    Ok(out)
}

pub(super) fn policies(value: &[u8]) -> Result<Vec<ObjectIdentifier>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let policy = entry.oid()?;
        if let Some(qualifiers) = entry.optional(tag::SEQUENCE)? {
            let mut qualifiers = entries(qualifiers.whole)?;
            while !qualifiers.is_empty() {
                let mut qualifier = qualifiers.sequence()?;
                qualifier.oid()?;
                qualifier.any()?;
                qualifier.finish()?;
            }
        }
        entry.finish()?;
        // RFC 5280 section 4.2.1.4
        if out.contains(&policy) {
            return Err(DerError("names the same policy twice"));
        }
        if out.len() >= POLICIES_MAX {
            return Err(DerError("has more than 64 policies"));
        }
        out.push(policy);
    }
    Ok(out)
}

pub(super) fn mappings(value: &[u8]) -> Result<Vec<(ObjectIdentifier, ObjectIdentifier)>> {
    let mut list = entries(value)?;
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut entry = list.sequence()?;
        let pair = (entry.oid()?, entry.oid()?);
        entry.finish()?;
        // RFC 5280 section 4.2.1.5
        if pair.0 == oid::ANY_POLICY || pair.1 == oid::ANY_POLICY {
            return Err(DerError("maps anyPolicy"));
        }
        if out.len() >= POLICIES_MAX {
            return Err(DerError("has more than 64 mappings"));
        }
        out.push(pair);
    }
    Ok(out)
}

pub(super) fn policy_constraints(value: &[u8]) -> Result<PolicyConstraints> {
    let mut fields = entries(value)?;
    let mut skip = |number| match fields.optional(tag::context(number))? {
        Some(tlv) => strict::small(tlv.value).map(Some),
        None => Ok(None),
    };
    let out = PolicyConstraints { require_explicit: skip(0)?, inhibit_mapping: skip(1)? };
    fields.finish()?;
    Ok(out)
}

pub(super) fn name_constraints(value: &[u8]) -> Result<NameConstraints> {
    let mut fields = entries(value)?;
    let mut subtrees = |number| match fields.optional(tag::constructed(number))? {
        Some(tlv) => general_subtrees(Reader::new(tlv.value)),
        None => Ok(Vec::new()),
    };
    let out = NameConstraints { permitted: subtrees(0)?, excluded: subtrees(1)? };
    fields.finish()?;
    Ok(out)
}

fn general_subtrees(mut list: Reader<'_>) -> Result<Vec<GeneralName>> {
    if list.is_empty() {
        return Err(DerError("is an empty SEQUENCE"));
    }
    let mut out = Vec::new();
    while !list.is_empty() {
        let mut subtree = list.sequence()?;
        out.push(general_name(&mut subtree, Use::Constraint)?);
        // RFC 5280 section 4.2.1.10: minimum is 0 (and so not written), maximum is absent.
        if !subtree.is_empty() {
            return Err(DerError("has a minimum or maximum"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usage_is_read_and_shown() {
        let usage = key_usage(b"\x03\x02\x01\x06").unwrap();
        assert_eq!(usage, KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN));
        assert_eq!(usage.to_string(), "keyCertSign, cRLSign");
        assert_eq!(key_usage(b"\x03\x03\x07\x00\x80").unwrap().to_string(), "decipherOnly");
        for bad in [
            &b"\x03\x02\x00\x06"[..],    // trailing zero counted as used
            b"\x03\x02\x02\x06",         // bit lost
            b"\x03\x01\x00",             // nothing
            b"\x03\x02\x00\x00",         // nothing, written out
            b"\x03\x04\x00\x01\x01\x01", // too long
            b"\x03\x03\x06\x00\x40",     // bit 9
            b"\x03\x00",
        ] {
            assert!(key_usage(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn basic_constraints_are_strict() {
        let check = |value: &[u8], ca, path_len| {
            assert_eq!(basic_constraints(value), Ok(BasicConstraints { ca, path_len }));
        };
        check(b"\x30\x00", false, None);
        check(b"\x30\x03\x01\x01\xff", true, None);
        check(b"\x30\x06\x01\x01\xff\x02\x01\x03", true, Some(3));
        for bad in [
            &b"\x30\x03\x01\x01\x00"[..],
            b"\x30\x03\x02\x01\x03",
            b"\x30\x06\x01\x01\xff\x02\x01\xff",
            b"\x30\x00\x00",
        ] {
            assert!(basic_constraints(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn masks_are_contiguous() {
        assert!(is_network(&[192, 0, 2, 0, 255, 255, 255, 0]));
        assert!(is_network(&[0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(is_network(&[10, 0, 0, 0, 255, 240, 0, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 255, 0, 255, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 0, 255, 0, 0]));
        assert!(!is_network(&[10, 0, 0, 0, 0b1010_0000, 0, 0, 0]));
    }

    #[test]
    fn malformed_values_are_refused() {
        fn refused<T: std::fmt::Debug>(result: Result<T>, why: &'static str) {
            assert_eq!(result.unwrap_err(), DerError(why));
        }
        let names = |value: &[u8]| general_names(value, Use::Name);
        refused(names(b"\x30\x00"), "is an empty SEQUENCE");
        refused(names(b"\x30\x0a\x87\x08\xc0\0\x02\0\xff\xff\xff\0"), "has a malformed IP address");
        refused(names(b"\x30\x03\x82\x01\xe4"), "has a name that is not ASCII");
        refused(names(b"\x30\x02\x89\x00"), "has a name of a kind that does not exist");
        // otherName with two values
        refused(
            names(b"\x30\x0d\xa0\x0b\x06\x03\x2a\x03\x04\xa0\x04\x05\0\x05\0"),
            "goes on after its end",
        );
        let network = |value: &[u8]| general_names(value, Use::Constraint);
        refused(network(b"\x30\x06\x87\x04\xc0\0\x02\0"), "has a malformed IP address");
        refused(network(b"\x30\x0a\x87\x08\xc0\0\x02\0\xff\0\xff\0"), "has a malformed IP address");
        let policy = b"\x30\x05\x06\x03\x2a\x03\x04";
        let twice = [&b"\x30\x0e"[..], policy, policy].concat();
        refused(policies(&twice), "names the same policy twice");
        assert_eq!(policies(&[&b"\x30\x07"[..], policy].concat()).unwrap().len(), 1);
        refused(
            mappings(b"\x30\x0d\x30\x0b\x06\x04\x55\x1d\x20\x00\x06\x03\x2a\x03\x04"),
            "maps anyPolicy",
        );
        refused(policy_constraints(b"\x30\x00"), "is an empty SEQUENCE");
        refused(name_constraints(b"\x30\x02\xa0\x00"), "is an empty SEQUENCE");
        // minimum 1
        refused(
            name_constraints(b"\x30\x0a\xa0\x08\x30\x06\x82\x01a\x80\x01\x01"),
            "has a minimum or maximum",
        );
        refused(distribution_points(b"\x30\x02\x30\x00"), "has a point without a name");
        refused(access_descriptions(b"\x30\x07\x30\x05\x06\x03\x2a\x03\x04"), "ends too early");
        refused(authority_key_identifier(b"\x30\x03\x83\x01\x00"), "goes on after its end");
        refused(
            oids(b"\x30\x02\x06\x00"),
            "has an object identifier that is malformed or too long",
        );
    }
}
