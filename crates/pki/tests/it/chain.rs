//! Makes certificates for the tests, right and wrong ones, without the code under test.

use crypto::{KeyAlgorithm, SignatureScheme, Signer, SoftwareKey, UnixTime};
use pki::{Certificate, ObjectIdentifier, oid};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// 2026-01-01, when everything made here is valid unless it says otherwise.
pub(crate) const NOW: UnixTime = UnixTime(1_767_225_600);
const DAY: i64 = 86_400;

pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match contents.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length @ 0x80..=0xff => out.extend([0x81, length as u8]),
        length @ 0x100..=0xffff => out.extend([0x82, (length >> 8) as u8, length as u8]),
        length => out.extend([0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    out.extend(contents);
    out
}

pub(crate) fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(crate) fn oid_der(oid: ObjectIdentifier) -> Vec<u8> {
    tlv(0x06, oid.as_bytes())
}

pub(crate) fn oids(list: &[ObjectIdentifier]) -> Vec<u8> {
    seq(&list.iter().map(|oid| oid_der(*oid)).collect::<Vec<_>>())
}

pub(crate) fn name(cn: &str) -> Vec<u8> {
    if cn.is_empty() {
        return seq(&[]);
    }
    seq(&[tlv(0x31, &seq(&[oid_der(oid::COMMON_NAME), tlv(0x0c, cn.as_bytes())]))])
}

fn time(at: UnixTime, generalized: bool) -> Vec<u8> {
    let (year, month, day, hour, minute, second) = at.civil().unwrap();
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) && !generalized {
        tlv(0x17, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        tlv(0x18, format!("{year:04}{rest}").as_bytes())
    }
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) certificate: Certificate,
    pub(crate) key: Arc<SoftwareKey>,
}

/// What to make.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) version: u8,
    pub(crate) subject: Vec<u8>,
    /// other than the issuer's subject
    pub(crate) issuer: Option<Vec<u8>>,
    pub(crate) dates: (UnixTime, UnixTime),
    /// GeneralizedTime before 2050 too
    pub(crate) generalized: bool,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) key: Option<Arc<SoftwareKey>>,
    pub(crate) key_identifiers: bool,
    /// other than the issuer's default; the signature is made by the default all the same
    pub(crate) signature_algorithm: Option<Vec<u8>>,
    pub(crate) extensions: Vec<(ObjectIdentifier, bool, Vec<u8>)>,
}

const CA: &[u8] = b"\x30\x03\x01\x01\xff";
const DIGITAL_SIGNATURE: &[u8] = b"\x03\x02\x07\x80";
const CERT_AND_CRL_SIGN: &[u8] = b"\x03\x02\x01\x06";

impl Template {
    pub(crate) fn leaf(cn: &str) -> Self {
        Self {
            version: 3,
            subject: name(cn),
            issuer: None,
            dates: (NOW.plus(-DAY), NOW.plus(365 * DAY)),
            generalized: false,
            algorithm: KeyAlgorithm::EcdsaP256,
            key: None,
            key_identifiers: true,
            signature_algorithm: None,
            extensions: vec![(oid::KEY_USAGE, true, DIGITAL_SIGNATURE.to_vec())],
        }
    }

    pub(crate) fn ca(cn: &str) -> Self {
        Self::leaf(cn).with(oid::KEY_USAGE, true, CERT_AND_CRL_SIGN.to_vec()).with(
            oid::BASIC_CONSTRAINTS,
            true,
            CA.to_vec(),
        )
    }

    /// Adds or replaces an extension.
    pub(crate) fn with(mut self, oid: ObjectIdentifier, critical: bool, value: Vec<u8>) -> Self {
        self = self.without(oid);
        self.extensions.push((oid, critical, value));
        self
    }

    pub(crate) fn without(mut self, oid: ObjectIdentifier) -> Self {
        self.extensions.retain(|(known, ..)| *known != oid);
        self
    }

    pub(crate) fn path_len(self, path_len: u8) -> Self {
        let value = seq(&[vec![1, 1, 0xff], vec![2, 1, path_len]]);
        self.with(oid::BASIC_CONSTRAINTS, true, value)
    }

    pub(crate) fn usages(self, usages: &[ObjectIdentifier]) -> Self {
        self.with(oid::EXT_KEY_USAGE, false, oids(usages))
    }

    pub(crate) fn policies(self, policies: &[ObjectIdentifier]) -> Self {
        let entries: Vec<_> = policies.iter().map(|policy| oids(&[*policy])).collect();
        self.with(oid::CERTIFICATE_POLICIES, false, seq(&entries))
    }

    /// Alternative names, each a complete GeneralName.
    pub(crate) fn names(self, names: &[Vec<u8>]) -> Self {
        let critical = self.subject == name("");
        self.with(oid::SUBJECT_ALT_NAME, critical, seq(names))
    }

    /// Name constraints, each a complete GeneralName.
    pub(crate) fn constraints(self, permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Self {
        let mut parts = Vec::new();
        for (tag, list) in [(0xa0, permitted), (0xa1, excluded)] {
            if !list.is_empty() {
                let subtrees: Vec<_> = list.iter().map(|n| seq(std::slice::from_ref(n))).collect();
                parts.push(tlv(tag, &subtrees.concat()));
            }
        }
        self.with(oid::NAME_CONSTRAINTS, true, seq(&parts))
    }

    pub(crate) fn dates(mut self, not_before: UnixTime, not_after: UnixTime) -> Self {
        self.dates = (not_before, not_after);
        self
    }

    pub(crate) fn algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    pub(crate) fn key_of(mut self, other: &Made) -> Self {
        self.key = Some(other.key.clone());
        self
    }

    pub(crate) fn without_key_identifiers(mut self) -> Self {
        self.key_identifiers = false;
        self
    }

    pub(crate) fn self_signed(&self) -> Made {
        let key = self.own_key();
        self.make(&key.clone(), &self.subject, key)
    }

    pub(crate) fn issued_by(&self, issuer: &Made) -> Made {
        self.make(&issuer.key, issuer.certificate.subject_der(), self.own_key())
    }

    fn own_key(&self) -> Arc<SoftwareKey> {
        let new = || Arc::new(SoftwareKey::generate(self.algorithm).unwrap());
        self.key.clone().unwrap_or_else(new)
    }

    fn make(&self, signer: &SoftwareKey, issuer: &[u8], key: Arc<SoftwareKey>) -> Made {
        static SERIAL: AtomicU32 = AtomicU32::new(0x0100_0000);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let scheme = signer.public_key().default_scheme();
        let algorithm = self
            .signature_algorithm
            .clone()
            .unwrap_or_else(|| scheme.algorithm_identifier().to_vec());
        let mut extensions = self.extensions.clone();
        if self.key_identifiers {
            let own = tlv(0x04, &key.public_key().key_identifier());
            let above = seq(&[tlv(0x80, &signer.public_key().key_identifier())]);
            extensions.push((oid::SUBJECT_KEY_IDENTIFIER, false, own));
            extensions.push((oid::AUTHORITY_KEY_IDENTIFIER, false, above));
        }
        let extensions: Vec<_> = extensions
            .iter()
            .map(|(oid, critical, value)| {
                let critical = if *critical { vec![1, 1, 0xff] } else { vec![] };
                seq(&[oid_der(*oid), critical, tlv(0x04, value)])
            })
            .collect();
        let mut fields = Vec::new();
        if self.version > 1 {
            fields.push(tlv(0xa0, &[2, 1, self.version - 1]));
        }
        fields.push(tlv(0x02, &serial));
        fields.push(algorithm.clone());
        fields.push(self.issuer.clone().unwrap_or_else(|| issuer.to_vec()));
        let (from, to) = self.dates;
        fields.push(seq(&[time(from, self.generalized), time(to, self.generalized)]));
        fields.push(self.subject.clone());
        fields.push(key.public_key().spki().to_vec());
        if !extensions.is_empty() {
            fields.push(tlv(0xa3, &seq(&extensions)));
        }
        let tbs = seq(&fields);
        let der = finish(signer, scheme, &tbs, &algorithm);
        Made { certificate: Certificate::from_der(&der).unwrap(), key }
    }
}

pub(crate) fn finish(
    signer: &SoftwareKey,
    scheme: SignatureScheme,
    tbs: &[u8],
    algorithm: &[u8],
) -> Vec<u8> {
    let mut signature = vec![0];
    signature.extend(signer.sign(scheme, tbs).unwrap());
    seq(&[tbs.to_vec(), algorithm.to_vec(), tlv(0x03, &signature)])
}

pub(crate) fn dns(name: &str) -> Vec<u8> {
    tlv(0x82, name.as_bytes())
}

pub(crate) fn email(name: &str) -> Vec<u8> {
    tlv(0x81, name.as_bytes())
}

pub(crate) fn uri(name: &str) -> Vec<u8> {
    tlv(0x86, name.as_bytes())
}

pub(crate) fn ip(bytes: &[u8]) -> Vec<u8> {
    tlv(0x87, bytes)
}

pub(crate) fn directory(name: &[u8]) -> Vec<u8> {
    tlv(0xa4, name)
}

pub(crate) fn other(type_id: ObjectIdentifier, value: &[u8]) -> Vec<u8> {
    tlv(0xa0, &[oid_der(type_id), tlv(0xa0, value)].concat())
}

/// Root, issuing CA and leaf, all in order.
pub(crate) struct Chain {
    pub(crate) root: Made,
    pub(crate) ca: Made,
    pub(crate) leaf: Made,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self::of(&Template::ca("Root"), &Template::ca("Issuing CA"), &Template::leaf("device"))
    }

    pub(crate) fn of(root: &Template, ca: &Template, leaf: &Template) -> Self {
        let root = root.self_signed();
        let ca = ca.issued_by(&root);
        let leaf = leaf.issued_by(&ca);
        Self { root, ca, leaf }
    }

    pub(crate) fn with_leaf(leaf: &Template) -> Self {
        Self::of(&Template::ca("Root"), &Template::ca("Issuing CA"), leaf)
    }

    pub(crate) fn with_ca(ca: &Template) -> Self {
        Self::of(&Template::ca("Root"), ca, &Template::leaf("device"))
    }
}
