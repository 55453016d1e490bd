//! Revocation lists: read back by another parser, checked by openssl.

use crate::{openssl, world, world::NOW};
use crypto::KeyAlgorithm;
use der::{Decode as _, Encode as _};
use pki::{
    Certificate, Crl, IssuerInfo, Locations, Profile, Serial,
    crl::{CrlError, CrlRequest, RevocationReason, RevokedEntry, shard_of},
};
use proptest::prelude::*;
use std::sync::OnceLock;
use world::Authority;

fn ca() -> &'static (Authority, Authority) {
    static CA: OnceLock<(Authority, Authority)> = OnceLock::new();
    CA.get_or_init(|| {
        let root = world::root(KeyAlgorithm::EcdsaP256, true);
        let ca = world::issuing_ca(&root, KeyAlgorithm::EcdsaP256, world::locations("gates"));
        (root, ca)
    })
}

fn request(entries: Vec<RevokedEntry>) -> CrlRequest {
    CrlRequest {
        number: 7,
        this_update: NOW,
        next_update: NOW.plus(3600),
        entries,
        shard: None,
        only_user_certificates: false,
        base_number: None,
    }
}

fn entry(serial: Serial, reason: RevocationReason) -> RevokedEntry {
    RevokedEntry { serial, at: NOW.plus(-60), reason }
}

fn list(request: &CrlRequest) -> Crl {
    let (_, ca) = ca();
    Crl::prepare(&ca.info, request).unwrap().sign(&ca.key).unwrap()
}

fn leaf() -> Certificate {
    let key = world::key(KeyAlgorithm::EcdsaP256);
    world::issue(&ca().1, Profile::Ldevid, &world::request(Profile::Ldevid, &key, &ca().1.info))
}

const REASONS: [RevocationReason; 9] = [
    RevocationReason::Unspecified,
    RevocationReason::KeyCompromise,
    RevocationReason::CaCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::CertificateHold,
    RevocationReason::PrivilegeWithdrawn,
    RevocationReason::AaCompromise,
];

#[test]
fn lists_are_read_back_by_another_parser() {
    let entries: Vec<_> = REASONS.map(|reason| entry(world::serial(), reason)).to_vec();
    let ours = list(&request(entries.clone()));
    let read = x509_cert::crl::CertificateList::from_der(ours.der()).unwrap();
    assert_eq!(read.to_der().unwrap(), ours.der());
    let tbs = read.tbs_cert_list;
    assert_eq!(tbs.version, x509_cert::Version::V2);
    assert_eq!(tbs.this_update.to_unix_duration().as_secs() as i64, NOW.0);
    assert_eq!(tbs.next_update.unwrap().to_unix_duration().as_secs() as i64, NOW.0 + 3600);
    let revoked = tbs.revoked_certificates.unwrap();
    assert_eq!(revoked.len(), entries.len());
    for entry in &entries {
        let theirs = revoked
            .iter()
            .find(|theirs| theirs.serial_number.as_bytes() == entry.serial.as_bytes())
            .unwrap();
        assert_eq!(theirs.revocation_date.to_unix_duration().as_secs() as i64, entry.at.0);
        let code = theirs.crl_entry_extensions.as_ref().map(|extensions| {
            assert_eq!(extensions.len(), 1);
            x509_cert::ext::pkix::CrlReason::from_der(extensions[0].extn_value.as_bytes()).unwrap()
                as u8
        });
        let want = (entry.reason != RevocationReason::Unspecified).then(|| entry.reason.code());
        assert_eq!(code, want, "unspecified is left out");
        assert_eq!(ours.entry(&entry.serial), Some(entry));
        assert!(ours.is_revoked(&entry.serial));
    }
    assert!(!ours.is_revoked(&world::serial()));
    let empty = list(&request(vec![]));
    let read = x509_cert::crl::CertificateList::from_der(empty.der()).unwrap();
    assert!(read.tbs_cert_list.revoked_certificates.is_none());
}

#[test]
fn every_algorithm_signs_lists() {
    for algorithm in KeyAlgorithm::GENERATED {
        let root = world::root(algorithm, false);
        let revoked = entry(world::serial(), RevocationReason::KeyCompromise);
        let list = Crl::prepare(&root.info, &request(vec![revoked])).unwrap();
        let list = list.sign(&root.key).unwrap();
        list.verify(&root.certificate).unwrap();
        assert!(list.verify(&ca().0.certificate).is_err());
    }
}

#[test]
fn openssl_checks_certificates_against_the_lists() {
    if !openssl::is_there() {
        return;
    }
    let (root, ca) = ca();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    let (good, bad, held) = (leaf(), leaf(), leaf());
    let entries = vec![
        entry(*bad.serial(), RevocationReason::KeyCompromise),
        entry(*held.serial(), RevocationReason::CertificateHold),
    ];
    let of_ca = list(&CrlRequest { only_user_certificates: true, ..request(entries) });
    let of_root = Crl::prepare(&root.info, &request(vec![])).unwrap().sign(&root.key).unwrap();
    file("root.pem", root.certificate.to_pem().as_bytes());
    file("ca.pem", ca.certificate.to_pem().as_bytes());
    file("ca.crl", of_ca.der());
    file("root.crl", of_root.der());
    let mut lists = String::new();
    for name in ["ca", "root"] {
        let crl = format!("{name}.crl");
        let anchor = format!("{name}.pem");
        let arguments = [
            "crl", "-inform", "DER", "-in", &crl, "-CAfile", &anchor, "-verify", "-outform", "PEM",
        ];
        let (done, output) = openssl::run(folder.path(), &arguments);
        assert!(done && output.contains("verify OK"), "{output}");
        lists += &output.replace("verify OK\n", "");
    }
    file("crls.pem", lists.as_bytes());
    let time = NOW.0.to_string();
    for (certificate, want) in [
        (&good, "leaf.pem: OK"),
        (&bad, "certificate revoked"),
        // openssl knows no suspension: held is revoked
        (&held, "certificate revoked"),
    ] {
        file("leaf.pem", certificate.to_pem().as_bytes());
        let mut arguments = vec!["verify", "-crl_check_all", "-extended_crl", "-attime", &time];
        arguments.extend(["-CAfile", "root.pem", "-untrusted", "ca.pem", "-CRLfile", "crls.pem"]);
        arguments.push("leaf.pem");
        let (done, output) = openssl::run(folder.path(), &arguments);
        assert!(output.contains(want) && done == (want == "leaf.pem: OK"), "{output}");
    }
}

#[test]
fn impossible_lists_are_refused() {
    let check = |request: CrlRequest, want: &str| match Crl::prepare(&ca().1.info, &request) {
        Err(CrlError::Refused(why)) => assert!(why.contains(want), "{why}"),
        other => panic!("{other:?}"),
    };
    let one = entry(world::serial(), RevocationReason::Superseded);
    check(CrlRequest { next_update: NOW, ..request(vec![]) }, "nextUpdate");
    check(CrlRequest { shard: Some(1), ..request(vec![]) }, "shard");
    check(request(vec![one, one]), "twice");
    let back = RevokedEntry { reason: RevocationReason::RemoveFromCrl, ..one };
    check(request(vec![back]), "delta CRLs only");
    check(CrlRequest { base_number: Some(7), ..request(vec![]) }, "above its base's");
    let prepared = Crl::prepare(&ca().1.info, &request(vec![])).unwrap();
    assert!(matches!(prepared.sign(&ca().0.key), Err(CrlError::OtherIssuer(_))));
}

#[test]
fn a_delta_suspends_and_releases() {
    let (held, gone, new) = (world::serial(), world::serial(), world::serial());
    let base = list(&request(vec![
        entry(held, RevocationReason::CertificateHold),
        entry(gone, RevocationReason::KeyCompromise),
    ]));
    let changes = vec![
        entry(held, RevocationReason::RemoveFromCrl),
        entry(new, RevocationReason::CertificateHold),
    ];
    let delta = CrlRequest { number: 8, base_number: Some(7), ..request(changes) };
    let delta = list(&delta);
    let status = |serial| base.entry_with_delta(&delta, serial).unwrap().map(|entry| entry.reason);
    assert_eq!(status(&held), None, "released");
    assert_eq!(status(&new), Some(RevocationReason::CertificateHold));
    assert_eq!(status(&gone), Some(RevocationReason::KeyCompromise));
    assert_eq!(status(&world::serial()), None);
    assert!(!delta.is_revoked(&held));
    // A delta that begins after the base leaves a gap; a delta is no base.
    let late = list(&CrlRequest { number: 10, base_number: Some(9), ..request(vec![]) });
    assert!(base.entry_with_delta(&late, &held).is_err());
    assert!(delta.entry_with_delta(&delta, &held).is_err());
    let root = Crl::prepare(
        &ca().0.info,
        &CrlRequest { number: 8, base_number: Some(7), ..request(vec![]) },
    )
    .unwrap()
    .sign(&ca().0.key)
    .unwrap();
    assert!(base.entry_with_delta(&root, &held).is_err(), "another issuer's");
}

#[test]
fn every_certificate_has_one_shard_and_no_other_stands_for_it() {
    const SHARDS: u16 = 5;
    let (root, _) = ca();
    let locations = Locations {
        crl: Some("http://pki.example/crl/{shard}.crl".into()),
        crl_shards: SHARDS,
        ..Locations::default()
    };
    let ca = world::issuing_ca(root, KeyAlgorithm::EcdsaP256, locations);
    let key = world::key(KeyAlgorithm::EcdsaP256);
    let certificates: Vec<_> = (0..20)
        .map(|_| {
            let request = world::request(Profile::Ldevid, &key, &ca.info);
            world::issue(&ca, Profile::Ldevid, &request)
        })
        .collect();
    let lists: Vec<_> = (0..SHARDS)
        .map(|shard| {
            let here = |c: &&Certificate| shard_of(c.serial(), SHARDS) == shard;
            let revoked = certificates
                .iter()
                .filter(here)
                .map(|c| entry(*c.serial(), RevocationReason::KeyCompromise))
                .collect();
            let request =
                CrlRequest { shard: Some(shard), only_user_certificates: true, ..request(revoked) };
            Crl::prepare(&ca.info, &request).unwrap().sign(&ca.key).unwrap()
        })
        .collect();
    for certificate in &certificates {
        let covering: Vec<_> = lists.iter().filter(|list| list.covers(certificate)).collect();
        assert_eq!(covering.len(), 1);
        assert!(covering[0].is_revoked(certificate.serial()));
        assert!(covering[0].verify(&ca.certificate).is_ok());
    }
    // Neither the wrong shard, nor a CA in a list of end entities, nor a stranger's certificate
    assert!(lists.iter().all(|list| !list.covers(&ca.certificate) && !list.covers(&leaf())));
    let elsewhere = entry(*certificates[0].serial(), RevocationReason::KeyCompromise);
    let wrong = (shard_of(&elsewhere.serial, SHARDS) + 1) % SHARDS;
    let request = CrlRequest { shard: Some(wrong), ..request(vec![elsewhere]) };
    assert!(matches!(Crl::prepare(&ca.info, &request), Err(CrlError::Refused(_))));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (_, ca) = ca();
    let entries = vec![entry(world::serial(), RevocationReason::CertificateHold)];
    let list = list(&CrlRequest { only_user_certificates: true, ..request(entries) });
    for at in 0..list.der().len() {
        for bit in [0x01, 0x80] {
            let mut altered = list.der().to_vec();
            altered[at] ^= bit;
            let verdict = Crl::parse(&altered).and_then(|l| l.verify(&ca.certificate).map(|_| ()));
            assert!(verdict.is_err(), "byte {at} is not protected");
        }
    }
}

#[test]
fn scopes_that_nobody_here_knows_are_refused() {
    let good = list(&CrlRequest { only_user_certificates: true, ..request(vec![]) });
    let check = |from: &[u8], to: &[u8], want: CrlError| {
        let at = good.der().windows(from.len()).position(|bytes| bytes == from).unwrap();
        let mut der = good.der().to_vec();
        der[at..at + to.len()].copy_from_slice(to);
        assert_eq!(Crl::parse(&der).map(|_| ()), Err(want));
    };
    let malformed = |field, reason| CrlError::Malformed { field, reason };
    let scope = "restricts the CRL in a way that is not supported";
    // onlyContainsUserCerts becomes indirectCRL, then onlyContainsAttributeCerts
    check(&[0x81, 1, 0xff], &[0x84, 1, 0xff], malformed("issuingDistributionPoint", scope));
    check(&[0x81, 1, 0xff], &[0x85, 1, 0xff], malformed("issuingDistributionPoint", scope));
    check(
        &[0x55, 0x1d, 28],
        &[0x55, 0x1d, 99],
        CrlError::CriticalExtension("2.5.29.99".parse().unwrap()),
    );
    check(&[0x55, 0x1d, 20], &[0x55, 0x1d, 99], malformed("crlNumber", "is missing"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_listed_is_found(serials in prop::collection::btree_set(any::<[u8; 16]>(), 0..80)) {
        let entries: Vec<_> = serials
            .iter()
            .zip(REASONS.iter().cycle())
            .map(|(random, reason)| entry(Serial::from_random(*random), *reason))
            .collect();
        let mut unique = entries.clone();
        unique.sort_by_key(|entry| entry.serial);
        unique.dedup_by_key(|entry| entry.serial);
        prop_assume!(unique.len() == entries.len());
        let list = list(&request(entries));
        prop_assert_eq!(list.entries(), &unique[..]);
        prop_assert!(unique.iter().all(|entry| list.is_revoked(&entry.serial)));
    }

    #[test]
    fn no_input_panics(bytes: Vec<u8>) {
        let _ = Crl::parse(&bytes);
    }
}

#[test]
fn issuers_need_the_right_to_sign_lists() {
    let certificate = leaf();
    assert!(IssuerInfo::from_certificate(&certificate, Locations::default()).is_err());
    let list = list(&request(vec![]));
    assert!(matches!(list.verify(&certificate), Err(CrlError::OtherIssuer(_))));
}
