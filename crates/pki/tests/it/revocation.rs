//! CRLs applied to paths.

use crate::chain::{Chain, Made, NOW, Template};
use pki::{
    Crl, IssuerInfo, Locations,
    crl::{CrlRequest, RevocationReason, RevokedEntry},
    validate::{Anchors, Options, Path, PathError, check_crls, validate},
};

struct List<'a> {
    number: u64,
    base: Option<u64>,
    revoked: &'a [(&'a Made, RevocationReason)],
}

const NOTHING: List<'_> = List { number: 1, base: None, revoked: &[] };

fn list(issuer: &Made, what: &List<'_>) -> Crl {
    let info = IssuerInfo::from_certificate(&issuer.certificate, Locations::default()).unwrap();
    let entry = |(made, reason): &(&Made, RevocationReason)| RevokedEntry {
        serial: *made.certificate.serial(),
        at: NOW.plus(-60),
        reason: *reason,
    };
    let request = CrlRequest {
        number: what.number,
        this_update: NOW.plus(-30),
        next_update: NOW.plus(30),
        entries: what.revoked.iter().map(entry).collect(),
        shard: None,
        only_user_certificates: false,
        base_number: what.base,
    };
    Crl::prepare(&info, &request).unwrap().sign(issuer.key.as_ref()).unwrap()
}

fn path(chain: &Chain) -> Path {
    let anchors: Anchors = [chain.root.certificate.clone()].into_iter().collect();
    let sent = [chain.ca.certificate.clone()];
    validate(&chain.leaf.certificate, &sent, &anchors, &Options::any(NOW)).unwrap()
}

#[test]
fn every_link_needs_a_current_list_of_its_issuer() {
    let chain = Chain::new();
    let path = path(&chain);
    let (of_root, of_ca) = (list(&chain.root, &NOTHING), list(&chain.ca, &NOTHING));
    let stranger = list(&Chain::new().ca, &NOTHING);
    let all = [of_ca.clone(), stranger.clone(), of_root.clone()];
    assert_eq!(check_crls(&path, &all, NOW), Ok(()));

    let unknown = |crls: &[Crl], time, depth| match check_crls(&path, crls, time) {
        Err(PathError::RevocationUnknown { depth: found, reason, .. }) if found == depth => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown(std::slice::from_ref(&of_ca), NOW, 1), "no CRL covers it");
    assert_eq!(unknown(std::slice::from_ref(&of_root), NOW, 0), "no CRL covers it");
    // The same name, another key
    assert_eq!(
        unknown(&[of_root.clone(), stranger], NOW, 0),
        "CRL is not by this issuer: its key identifier is another one"
    );
    assert!(unknown(&all, NOW.plus(31), 1).starts_with("its CRL is for the time from"));
    assert!(unknown(&all, NOW.plus(-31), 1).starts_with("its CRL is for the time from"));
    // A list that the issuer did not sign
    let mut der = of_ca.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let forged = Crl::parse(&der).unwrap();
    assert_eq!(unknown(&[of_root, forged], NOW, 0), "CRL: signature does not verify");
}

#[test]
fn revoked_and_suspended_are_told_apart() {
    let chain = Chain::new();
    let path = path(&chain);
    let of_root = list(&chain.root, &NOTHING);
    let run = |reason| {
        let revoked = [(&chain.leaf, reason)];
        let of_ca = list(&chain.ca, &List { revoked: &revoked, ..NOTHING });
        check_crls(&path, &[of_root.clone(), of_ca], NOW)
    };
    let (subject, since) = ("CN=device".to_owned(), NOW.plus(-60));
    assert_eq!(
        run(RevocationReason::KeyCompromise),
        Err(PathError::Revoked { subject: subject.clone(), depth: 0, since })
    );
    assert_eq!(
        run(RevocationReason::CertificateHold),
        Err(PathError::Suspended { subject, depth: 0, since })
    );
    // A revoked issuer takes everything below with it.
    let revoked = [(&chain.ca, RevocationReason::CaCompromise)];
    let of_root = list(&chain.root, &List { revoked: &revoked, ..NOTHING });
    assert_eq!(
        check_crls(&path, &[of_root, list(&chain.ca, &NOTHING)], NOW),
        Err(PathError::Revoked { subject: "CN=Issuing CA".into(), depth: 1, since })
    );
    // Another certificate's number means nothing.
    let other = Template::leaf("other").issued_by(&chain.ca);
    let revoked = [(&other, RevocationReason::KeyCompromise)];
    let of_ca = list(&chain.ca, &List { revoked: &revoked, ..NOTHING });
    assert_eq!(check_crls(&path, &[list(&chain.root, &NOTHING), of_ca], NOW), Ok(()));
}

#[test]
fn deltas_add_and_release() {
    let chain = Chain::new();
    let path = path(&chain);
    let of_root = list(&chain.root, &NOTHING);
    let held = [(&chain.leaf, RevocationReason::CertificateHold)];
    let released = [(&chain.leaf, RevocationReason::RemoveFromCrl)];
    let with_hold = list(&chain.ca, &List { number: 5, base: None, revoked: &held });
    let without = list(&chain.ca, &List { number: 5, base: None, revoked: &[] });
    let release = list(&chain.ca, &List { number: 6, base: Some(5), revoked: &released });
    let hold = list(&chain.ca, &List { number: 6, base: Some(5), revoked: &held });
    let unrelated = list(&chain.ca, &List { number: 9, base: Some(8), revoked: &held });
    let run = |of_ca: &[&Crl]| {
        let mut crls: Vec<_> = of_ca.iter().map(|crl| (*crl).clone()).collect();
        crls.push(of_root.clone());
        check_crls(&path, &crls, NOW)
    };
    assert!(matches!(run(&[&with_hold]), Err(PathError::Suspended { .. })));
    assert_eq!(run(&[&with_hold, &release]), Ok(()));
    assert_eq!(run(&[&without]), Ok(()));
    for lists in [[&hold, &without, &unrelated], [&unrelated, &without, &hold]] {
        assert!(matches!(run(&lists), Err(PathError::Suspended { .. })));
    }
    assert_eq!(run(&[&without, &unrelated]), Ok(()));
    // A delta alone is no answer.
    assert!(matches!(run(&[&hold]), Err(PathError::RevocationUnknown { depth: 0, .. })));
    // Of two complete lists the newer one counts.
    let newer = list(&chain.ca, &List { number: 7, base: None, revoked: &[] });
    assert_eq!(run(&[&newer, &with_hold]), Ok(()));
}
