//! Paths, right and wrong, and the exact reason of each refusal.

use crate::chain::{self, Chain, Made, NOW, Template};
use crypto::{KeyAlgorithm, Signer as _, UnixTime};
use pki::{
    Certificate, KeyUsage, ObjectIdentifier, oid,
    validate::{
        Anchors, Conformance, DICE_EXTENSIONS, Limits, Options, Path, PathError, Purpose, validate,
    },
};

fn anchors(roots: &[&Made]) -> Anchors {
    roots.iter().map(|made| made.certificate.clone()).collect()
}

fn certificates(made: &[&Made]) -> Vec<Certificate> {
    made.iter().map(|made| made.certificate.clone()).collect()
}

fn check(chain: &Chain, options: &Options) -> Result<Path, PathError> {
    validate(
        &chain.leaf.certificate,
        &certificates(&[&chain.ca]),
        &anchors(&[&chain.root]),
        options,
    )
}

fn lenient() -> Options {
    Options { conformance: Conformance::Lenient, ..Options::any(NOW) }
}

fn leaf_name() -> String {
    "CN=device".into()
}

fn ca_name() -> String {
    "CN=Issuing CA".into()
}

#[test]
fn a_path_goes_from_leaf_to_anchor() {
    let chain = Chain::new();
    let path = check(&chain, &Options::client(NOW)).unwrap();
    let want = certificates(&[&chain.leaf, &chain.ca, &chain.root]);
    assert_eq!(path.certificates(), want);
    assert_eq!((path.leaf(), path.anchor()), (&want[0], &want[2]));
    let serials: Vec<_> = path.serials().collect();
    assert_eq!(
        serials,
        [(want[1].subject_der(), want[0].serial()), (want[2].subject_der(), want[1].serial())]
    );
    assert_eq!(path.not_after(), want[0].not_after());
}

#[test]
fn every_algorithm_issues_and_is_issued() {
    for algorithm in [
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa(2048),
        KeyAlgorithm::MlDsa44,
        KeyAlgorithm::MlDsa65,
        KeyAlgorithm::MlDsa87,
    ] {
        let chain = Chain::of(
            &Template::ca("Root").algorithm(algorithm),
            &Template::ca("Issuing CA").algorithm(algorithm),
            &Template::leaf("device").algorithm(algorithm),
        );
        check(&chain, &Options::client(NOW)).unwrap();
    }
}

#[test]
fn order_and_rubbish_do_not_matter() {
    let chain = Chain::new();
    let middle = Template::ca("Middle").issued_by(&chain.ca);
    let leaf = Template::leaf("device").issued_by(&middle);
    let stranger = Chain::new();
    let sent = certificates(&[
        &stranger.leaf,
        &middle,
        &stranger.ca,
        &leaf,
        &chain.root,
        &chain.ca,
        &chain.ca,
    ]);
    let path =
        validate(&leaf.certificate, &sent, &anchors(&[&chain.root]), &Options::any(NOW)).unwrap();
    assert_eq!(path.certificates().len(), 4);
}

#[test]
fn dates() {
    let (past, future) = (NOW.plus(-100), NOW.plus(100));
    let ended = |template: Template| template.dates(past, NOW.plus(-1));
    let to_come = |template: Template| template.dates(NOW.plus(1), future);
    let leaf = Template::leaf("device");
    let (root, ca) = (Template::ca("Root"), Template::ca("Issuing CA"));

    let expired = |chain: &Chain, subject: &str, depth| {
        assert_eq!(
            check(chain, &Options::any(NOW)),
            Err(PathError::Expired { subject: subject.into(), depth, not_after: NOW.plus(-1) })
        );
    };
    expired(&Chain::of(&root, &ca, &ended(leaf.clone())), "CN=device", 0);
    expired(&Chain::of(&root, &ended(ca.clone()), &leaf), "CN=Issuing CA", 1);
    expired(&Chain::of(&ended(root.clone()), &ca, &leaf), "CN=Root", 2);
    assert_eq!(
        check(&Chain::of(&root, &ca, &to_come(leaf.clone())), &Options::any(NOW)),
        Err(PathError::NotYetValid { subject: leaf_name(), depth: 0, not_before: NOW.plus(1) })
    );
    // Both ends belong to the period.
    let exact = Chain::of(&root, &ca, &leaf.clone().dates(NOW, NOW));
    check(&exact, &Options::any(NOW)).unwrap();
    check(&exact, &Options::any(NOW.plus(1))).unwrap_err();

    // "No well-defined expiration" of an IDevID
    let never = |template: Template| template.dates(past, UnixTime::NEVER);
    let chain = Chain::of(&never(root), &never(ca), &never(leaf));
    assert_eq!(check(&chain, &Options::any(UnixTime::NEVER)).unwrap().not_after(), UnixTime::NEVER);
}

#[test]
fn strangers_and_forgers_are_told_apart() {
    let chain = Chain::new();
    // Nobody trusted, and the intermediate missing
    assert_eq!(
        validate(&chain.leaf.certificate, &[], &anchors(&[&chain.root]), &Options::any(NOW)),
        Err(PathError::UnknownIssuer { subject: leaf_name(), depth: 0, issuer: ca_name() })
    );
    let unknown_root =
        PathError::UnknownIssuer { subject: ca_name(), depth: 1, issuer: "CN=Root".into() };
    let sent = certificates(&[&chain.ca, &chain.root]);
    assert_eq!(
        validate(&chain.leaf.certificate, &sent, &Anchors::default(), &Options::any(NOW)),
        // The root that was sent is as unknown as its issuer, itself.
        Err(PathError::UnknownIssuer {
            subject: "CN=Root".into(),
            depth: 2,
            issuer: "CN=Root".into()
        })
    );
    // A root of the same name with another key
    let other = Template::ca("Root").self_signed();
    let under = |root: &Made| {
        validate(
            &chain.leaf.certificate,
            &certificates(&[&chain.ca]),
            &anchors(&[root]),
            &Options::any(NOW),
        )
    };
    assert_eq!(under(&other), Err(unknown_root));
    let anonymous = Template::ca("Root").without_key_identifiers().self_signed();
    assert_eq!(under(&anonymous), Err(PathError::BadSignature { subject: ca_name(), depth: 1 }));
}

#[test]
fn issuers_must_be_cas() {
    let not_ca = |chain: &Chain, options: &Options, reason| {
        assert_eq!(
            check(chain, options),
            Err(PathError::NotCa { subject: ca_name(), depth: 1, reason })
        );
    };
    let ca = Template::ca("Issuing CA");
    not_ca(
        &Chain::with_ca(&Template::leaf("Issuing CA")),
        &Options::any(NOW),
        "its certificate does not say that it is a CA",
    );
    not_ca(
        &Chain::with_ca(&ca.clone().with(oid::KEY_USAGE, true, b"\x03\x02\x07\x80".to_vec())),
        &lenient(),
        "its keyUsage lacks keyCertSign",
    );
    let mut first = ca.clone().without_key_identifiers();
    first.version = 1;
    first.extensions.clear();
    not_ca(&Chain::with_ca(&first), &lenient(), "its certificate is not of version 3");
    // Without keyUsage every use is allowed (RFC 5280 section 6.1.4 (n)).
    check(&Chain::with_ca(&ca.without(oid::KEY_USAGE)), &Options::any(NOW)).unwrap();
    // A leaf that issues: the classical attack
    let chain = Chain::new();
    let forged = Template::leaf("admiral").issued_by(&chain.leaf);
    let sent = certificates(&[&chain.leaf, &chain.ca]);
    assert_eq!(
        validate(&forged.certificate, &sent, &anchors(&[&chain.root]), &Options::any(NOW)),
        Err(PathError::NotCa {
            subject: leaf_name(),
            depth: 1,
            reason: "its certificate does not say that it is a CA"
        })
    );
}

#[test]
fn path_lengths() {
    let root = Template::ca("Root").path_len(0);
    let ca = Template::ca("Issuing CA");
    let leaf = Template::leaf("device");
    assert_eq!(
        check(&Chain::of(&root, &ca, &leaf), &Options::any(NOW)),
        Err(PathError::PathLength { subject: "CN=Root".into(), depth: 2, path_len: 0, found: 1 })
    );
    check(&Chain::of(&root.path_len(1), &ca.path_len(0), &leaf), &Options::any(NOW)).unwrap();
    let options = Options { depth_max: 0, ..Options::any(NOW) };
    assert_eq!(check(&Chain::new(), &options), Err(PathError::TooLong { most: 0 }));
}

#[test]
fn usages_of_the_key() {
    let agreement = b"\x03\x02\x03\x08".to_vec();
    let chain = Chain::with_leaf(&Template::leaf("device").with(oid::KEY_USAGE, true, agreement));
    check(&chain, &Options::any(NOW)).unwrap();
    assert_eq!(
        check(&chain, &Options::client(NOW)),
        Err(PathError::KeyUsage {
            subject: leaf_name(),
            depth: 0,
            needed: "digitalSignature".into()
        })
    );
    let chain = Chain::new();
    let mut options = Options::client(NOW);
    options.allow_ca_leaf = false;
    assert_eq!(
        validate(&chain.ca.certificate, &[], &anchors(&[&chain.root]), &options),
        Err(PathError::CaAsLeaf { subject: ca_name() })
    );
    options = Options { key_usage: KeyUsage::KEY_CERT_SIGN, ..Options::any(NOW) };
    validate(&chain.ca.certificate, &[], &anchors(&[&chain.root]), &options).unwrap();
}

#[test]
fn purposes() {
    let client = [oid::KP_CLIENT_AUTH];
    let server = [oid::KP_SERVER_AUTH];
    let any = [oid::ANY_EXTENDED_KEY_USAGE];
    let refused = |subject: String, depth| {
        Err(PathError::ExtendedKeyUsage { subject, depth, needed: "clientAuth".into() })
    };
    let leaf = Template::leaf("device");
    let ca = Template::ca("Issuing CA");
    let options = Options::client(NOW);
    let run = |ca: &Template, leaf: &Template| {
        check(&Chain::of(&Template::ca("Root"), ca, leaf), &options).map(|_| ())
    };
    assert_eq!(run(&ca, &leaf.clone().usages(&client)), Ok(()));
    assert_eq!(run(&ca, &leaf.clone().usages(&server)), refused(leaf_name(), 0));
    assert_eq!(run(&ca, &leaf.clone().usages(&any)), refused(leaf_name(), 0));
    assert_eq!(run(&ca.clone().usages(&server), &leaf), refused(ca_name(), 1));
    assert_eq!(run(&ca.clone().usages(&any), &leaf), Ok(()));
    let strict = Options { require_extended_key_usage: true, ..options.clone() };
    assert_eq!(check(&Chain::new(), &strict).map(|_| ()), refused(leaf_name(), 0));
    let either = Options {
        purpose: Purpose::Usages(vec![oid::KP_CMC_RA, oid::KP_SERVER_AUTH]),
        ..Options::any(NOW)
    };
    check(&Chain::with_leaf(&leaf.clone().usages(&server)), &either).unwrap();
    // Each of two purposes for one of two certificates is none for both.
    let (agent, leaf) = (ca.usages(&[oid::KP_CMC_RA]), leaf.usages(&server));
    assert_eq!(
        check(&Chain::of(&Template::ca("Root"), &agent, &leaf), &either).map(|_| ()),
        Err(PathError::ExtendedKeyUsage {
            subject: leaf_name(),
            depth: 0,
            needed: "cmcRA or serverAuth".into()
        })
    );
}

#[test]
fn names_of_servers() {
    let options = |name: &str| Options::server(NOW, name.parse().unwrap());
    let names = [
        chain::dns("gate.example.com"),
        chain::dns("*.dev.example.com"),
        chain::ip(&[192, 0, 2, 1]),
    ];
    let chain = Chain::with_leaf(&Template::leaf("gate").names(&names));
    for good in ["gate.example.com", "GATE.example.COM", "a.dev.example.com", "192.0.2.1"] {
        check(&chain, &options(good)).unwrap();
    }
    for bad in ["dev.example.com", "a.b.dev.example.com", "192.0.2.2", "gate", "::1"] {
        assert_eq!(
            check(&chain, &options(bad)),
            Err(PathError::ServerName {
                expected: bad.into(),
                found: "gate.example.com, *.dev.example.com, 192.0.2.1".into()
            })
        );
    }
    // The common name does not count.
    let chain = Chain::with_leaf(&Template::leaf("gate.example.com"));
    assert!(matches!(
        check(&chain, &options("gate.example.com")),
        Err(PathError::ServerName { .. })
    ));
}

#[test]
fn critical_extensions() {
    let unknown = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55738.1");
    let leaf = |oid, critical| {
        Chain::with_leaf(&Template::leaf("device").with(oid, critical, vec![0x05, 0x00]))
    };
    check(&leaf(unknown, false), &Options::any(NOW)).unwrap();
    let refused = |oid| Err(PathError::CriticalExtension { subject: leaf_name(), depth: 0, oid });
    assert_eq!(check(&leaf(unknown, true), &Options::any(NOW)), refused(unknown));
    let mut dice = Options::client(NOW);
    dice.critical_extensions = DICE_EXTENSIONS.to_vec();
    let tcb_info = leaf(oid::TCG_DICE_TCB_INFO, true);
    assert_eq!(check(&tcb_info, &Options::client(NOW)), refused(oid::TCG_DICE_TCB_INFO));
    check(&tcb_info, &dice).unwrap();
    assert_eq!(check(&leaf(unknown, true), &dice), refused(unknown));
}

#[test]
fn weak_and_foreign_algorithms() {
    let sha1 = b"\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01".to_vec();
    let ed448 = b"\x30\x05\x06\x03\x2b\x65\x71".to_vec();
    let mut leaf = Template::leaf("device");
    leaf.signature_algorithm = Some(sha1);
    let error = check(&Chain::with_leaf(&leaf), &Options::any(NOW)).unwrap_err();
    assert_eq!(
        error,
        PathError::Weak {
            subject: leaf_name(),
            depth: 0,
            reason: "signature algorithm ecdsa-with-SHA1 is refused: its hash function is broken; sign with SHA-256 or stronger".into()
        }
    );
    leaf.signature_algorithm = Some(ed448);
    assert!(matches!(
        check(&Chain::with_leaf(&leaf), &Options::any(NOW)),
        Err(PathError::Algorithm { depth: 0, .. })
    ));
}

#[test]
fn rules_for_issuers_hold_unless_lenient() {
    let leaf = Template::leaf("device");
    let ca = Template::ca("Issuing CA");
    let mut early = leaf.clone();
    early.subject = chain::name("");
    let mut long_form = leaf.clone();
    long_form.generalized = true;
    let cases = [
        (
            Chain::with_leaf(&leaf.clone().without_key_identifiers()),
            0,
            "authorityKeyIdentifier is missing",
        ),
        (
            Chain::with_ca(&ca.clone().without_key_identifiers()),
            1,
            "subjectKeyIdentifier of a CA is missing",
        ),
        (
            Chain::with_ca(&ca.clone().with(
                oid::BASIC_CONSTRAINTS,
                false,
                b"\x30\x03\x01\x01\xff".to_vec(),
            )),
            1,
            "basicConstraints of a CA must be critical",
        ),
        (
            Chain::with_leaf(&leaf.clone().with(
                oid::KEY_USAGE,
                true,
                b"\x03\x02\x02\x84".to_vec(),
            )),
            0,
            "keyCertSign is for CAs only",
        ),
        (Chain::with_leaf(&long_form), 0, "dates before 2050 must be UTCTime"),
        (Chain::with_leaf(&early), 0, "without a subject there must be a critical subjectAltName"),
        (
            Chain::with_leaf(&leaf.clone().names(&[chain::dns("a_b.example")])),
            0,
            "subjectAltName has a malformed dNSName",
        ),
        (
            Chain::with_leaf(&leaf.clone().names(&[chain::email("a@b@c")])),
            0,
            "subjectAltName has a malformed rfc822Name",
        ),
        (
            Chain::with_leaf(&leaf.clone().names(&[chain::uri("//host")])),
            0,
            "subjectAltName has a URI without a scheme",
        ),
        (
            Chain::with_ca(&ca.clone().with(
                oid::POLICY_CONSTRAINTS,
                false,
                b"\x30\x03\x80\x01\x05".to_vec(),
            )),
            1,
            "policyConstraints must be critical",
        ),
        (
            Chain::with_ca(&ca.clone().with(oid::INHIBIT_ANY_POLICY, false, vec![2, 1, 5])),
            1,
            "inhibitAnyPolicy must be critical",
        ),
        (
            Chain::with_leaf(&leaf.clone().constraints(&[chain::dns("example")], &[])),
            0,
            "nameConstraints are for CAs only",
        ),
    ];
    for (chain, depth, rule) in cases {
        let error = check(&chain, &Options::any(NOW)).unwrap_err();
        assert!(
            matches!(&error, PathError::Nonconforming { depth: d, rule: r, .. } if (*d, *r) == (depth, rule)),
            "{rule}: {error:?}"
        );
        check(&chain, &lenient()).unwrap_or_else(|error| panic!("{rule}: {error}"));
    }
}

#[test]
fn name_constraints() {
    let dn = |cn| chain::directory(&chain::name(cn));
    let net = chain::ip(&[192, 0, 2, 0, 255, 255, 255, 0]);
    let module = chain::other(oid::ON_HARDWARE_MODULE_NAME, &[0x05, 0x00]);
    let run = |permitted: &[Vec<u8>], excluded: &[Vec<u8>], names: &[Vec<u8>]| {
        let ca = Template::ca("Issuing CA").constraints(permitted, excluded);
        let leaf = Template::leaf("device").names(names);
        check(&Chain::of(&Template::ca("Root"), &ca, &leaf), &Options::any(NOW)).map(|_| ())
    };
    let refused = |name: &str, reason| {
        Err(PathError::NameConstraint {
            subject: leaf_name(),
            depth: 0,
            name: name.into(),
            by: ca_name(),
            reason,
        })
    };
    let d = chain::dns;
    assert_eq!(run(&[d("example.com")], &[], &[d("a.example.com")]), Ok(()));
    assert_eq!(
        run(&[d("example.com")], &[], &[d("a.example.com"), d("example.org")]),
        refused("example.org", "it is not permitted")
    );
    assert_eq!(
        run(&[d("example.com")], &[d("b.example.com")], &[d("*.example.com")]),
        refused("*.example.com", "it is excluded")
    );
    assert_eq!(run(std::slice::from_ref(&net), &[], &[chain::ip(&[192, 0, 2, 7])]), Ok(()));
    assert_eq!(
        run(std::slice::from_ref(&net), &[], &[chain::ip(&[192, 0, 3, 7])]),
        refused("192.0.3.7", "it is not permitted")
    );
    assert_eq!(
        run(std::slice::from_ref(&net), &[], &[chain::ip(&[0; 16])]),
        refused("::", "it is not permitted")
    );
    assert_eq!(
        run(&[], &[chain::uri(".example.com")], &[chain::uri("coaps://a.example.com/x")]),
        refused("coaps://a.example.com/x", "it is excluded")
    );
    assert_eq!(
        run(&[], &[chain::uri("example.com")], &[chain::uri("urn:dev:1")]),
        refused("urn:dev:1", "the URI has no host name")
    );
    assert_eq!(
        run(&[chain::email("example.com")], &[], &[chain::email("a@example.org")]),
        refused("a@example.org", "it is not permitted")
    );
    // The subject counts as a directory name.
    assert_eq!(run(&[dn("DEVICE")], &[], &[d("a")]), Ok(()));
    assert_eq!(run(&[dn("other")], &[], &[d("a")]), refused("CN=device", "it is not permitted"));
    // Kinds without rules are refused where both sides have them, and only there.
    assert_eq!(
        run(&[], std::slice::from_ref(&module), std::slice::from_ref(&module)),
        refused(
            "otherName 1.3.6.1.5.5.7.8.4",
            "constraints on names of this kind are not understood"
        )
    );
    assert_eq!(run(&[d("example.com")], &[], &[module]), Ok(()));
    // Old-fashioned addresses in the subject count too.
    let mut leaf = Template::leaf("device");
    let address = [chain::oid_der(oid::EMAIL_ADDRESS), chain::tlv(0x16, b"a@example.org")];
    leaf.subject = chain::seq(&[chain::tlv(0x31, &chain::seq(&address))]);
    let ca = Template::ca("Issuing CA").constraints(&[chain::email("example.com")], &[]);
    let error =
        check(&Chain::of(&Template::ca("Root"), &ca, &leaf), &Options::any(NOW)).unwrap_err();
    assert!(matches!(error, PathError::NameConstraint { name, .. } if name == "a@example.org"));
}

const GOLD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55738.2.1");
const SILVER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55738.2.2");
const TIN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55738.2.3");

#[test]
fn policies() {
    let ca = || Template::ca("Issuing CA");
    let leaf = || Template::leaf("device");
    let run = |ca: Template, leaf: Template, options: &Options| {
        check(&Chain::of(&Template::ca("Root"), &ca, &leaf), options)
            .map(|path| path.policies().to_vec())
    };
    let refused = |depth| Err(PathError::Policy { subject: leaf_name(), depth });
    let any = Options::any(NOW);
    let mut explicit = Options::any(NOW);
    explicit.policies.require_explicit = true;
    let mut gold = explicit.clone();
    gold.policies.accepted = vec![GOLD];

    assert_eq!(run(ca(), leaf(), &any), Ok(vec![]));
    assert_eq!(run(ca(), leaf(), &explicit), refused(1));
    assert_eq!(run(ca().policies(&[GOLD]), leaf(), &explicit), refused(0));
    let both = |on_ca: &[_], on_leaf: &[_], options: &Options| {
        run(ca().policies(on_ca), leaf().policies(on_leaf), options)
    };
    assert_eq!(both(&[GOLD, SILVER], &[GOLD, TIN], &explicit), Ok(vec![GOLD]));
    assert_eq!(both(&[oid::ANY_POLICY], &[GOLD, TIN], &gold), Ok(vec![GOLD]));
    assert_eq!(both(&[oid::ANY_POLICY], &[oid::ANY_POLICY], &gold), Ok(vec![GOLD]));
    assert_eq!(both(&[SILVER], &[SILVER], &gold), refused(0));
    assert_eq!(both(&[SILVER], &[GOLD], &explicit), refused(0));
    let mut no_any = gold.clone();
    no_any.policies.inhibit_any = true;
    assert_eq!(both(&[oid::ANY_POLICY], &[GOLD], &no_any), refused(1));

    // The CA calls gold what its own domain calls tin.
    let map = chain::seq(&[chain::oids(&[GOLD, TIN])]);
    let mapping = || ca().policies(&[GOLD]).with(oid::POLICY_MAPPINGS, true, map.clone());
    assert_eq!(run(mapping(), leaf().policies(&[TIN]), &gold), Ok(vec![GOLD]));
    assert_eq!(run(mapping(), leaf().policies(&[GOLD]), &gold), refused(0));
    let mut no_mapping = gold.clone();
    no_mapping.policies.inhibit_mapping = true;
    assert_eq!(run(mapping(), leaf().policies(&[TIN]), &no_mapping), refused(0));

    // A CA that demands a policy from the next certificate on
    let demand = |skip| vec![0x30, 3, 0x80, 1, skip];
    let demanding = |skip| ca().with(oid::POLICY_CONSTRAINTS, true, demand(skip));
    assert_eq!(run(demanding(0), leaf(), &any), refused(0));
    assert_eq!(run(demanding(1), leaf(), &any), refused(0));
    assert_eq!(run(demanding(2), leaf(), &any), Ok(vec![]));
    // A leaf may demand it of itself.
    let own = leaf().with(oid::POLICY_CONSTRAINTS, true, demand(0));
    assert_eq!(run(ca(), own.clone(), &any), refused(0));
    assert_eq!(run(ca().policies(&[GOLD]), own.policies(&[GOLD]), &any), Ok(vec![GOLD]));
    let inhibiting =
        ca().policies(&[oid::ANY_POLICY]).with(oid::INHIBIT_ANY_POLICY, true, vec![2, 1, 0]);
    assert_eq!(run(inhibiting, leaf().policies(&[oid::ANY_POLICY]), &explicit), refused(0));
}

#[test]
fn self_issued_certificates_do_not_count_where_the_standard_exempts_them() {
    // A CA certifies its new key: root → CA (old key) → CA (new key) → leaf.
    let root = Template::ca("Root").path_len(1).self_signed();
    let run = |old: &Template, new: &Template, leaf: &Template| {
        let old = old.issued_by(&root);
        let new = new.issued_by(&old);
        let leaf = leaf.issued_by(&new);
        let sent = certificates(&[&old, &new]);
        let options = Options { depth_max: 1, ..Options::any(NOW) };
        validate(&leaf.certificate, &sent, &anchors(&[&root]), &options).map(|_| ())
    };
    let (ca, leaf) = (Template::ca("Issuing CA"), Template::leaf("device"));
    assert_eq!(run(&ca, &ca, &leaf), Ok(()));
    // Names: the new key's certificate is exempt, a self-issued leaf is not.
    let constrained = ca.clone().constraints(&[chain::dns("example.com")], &[]);
    let foreign = |template: &Template| template.clone().names(&[chain::dns("example.org")]);
    assert_eq!(run(&constrained, &foreign(&ca), &leaf), Ok(()));
    assert!(matches!(
        run(&constrained, &ca, &foreign(&Template::leaf("Issuing CA"))),
        Err(PathError::NameConstraint { depth: 0, .. })
    ));
    // Policies: a self-issued certificate does not use up a skipped one.
    let demanding = ca.clone().with(oid::POLICY_CONSTRAINTS, true, vec![0x30, 3, 0x80, 1, 2]);
    assert_eq!(run(&demanding, &ca, &leaf), Ok(()));
}

#[test]
fn whatever_is_trusted_is_an_anchor() {
    let chain = Chain::new();
    let none: &[Certificate] = &[];
    let options = Options::client(NOW);
    // an intermediate, not self-signed
    let path = validate(&chain.leaf.certificate, none, &anchors(&[&chain.ca]), &options).unwrap();
    assert_eq!(path.certificates().len(), 2);
    // the leaf itself
    let path = validate(&chain.leaf.certificate, none, &anchors(&[&chain.leaf]), &options).unwrap();
    assert_eq!(path.certificates().len(), 1);
    assert_eq!(path.serials().count(), 0);
    // which then issues nothing
    let below = Template::leaf("below").issued_by(&chain.leaf);
    assert!(matches!(
        validate(&below.certificate, none, &anchors(&[&chain.leaf]), &options),
        Err(PathError::NotCa { depth: 1, .. })
    ));
    // and still obeys its dates.
    let late = Options::client(chain.leaf.certificate.not_after().plus(1));
    assert!(matches!(
        validate(&chain.leaf.certificate, none, &anchors(&[&chain.leaf]), &late),
        Err(PathError::Expired { depth: 0, .. })
    ));
    // A damaged self-signature harms nothing: the anchor is trusted, not verified.
    let mut der = chain.root.certificate.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let damaged: Anchors = [Certificate::from_der(&der).unwrap()].into_iter().collect();
    let sent = certificates(&[&chain.ca]);
    validate(&chain.leaf.certificate, &sent, &damaged, &options).unwrap();
    // Nor need it have key identifiers for its own issuer.
    let key_identifier = chain::tlv(0x04, &chain.root.key.public_key().key_identifier());
    let bare = Template::ca("Root")
        .key_of(&chain.root)
        .without_key_identifiers()
        .with(oid::SUBJECT_KEY_IDENTIFIER, false, key_identifier)
        .issued_by(&Template::ca("Root").self_signed());
    validate(&chain.leaf.certificate, &sent, &anchors(&[&bare]), &options).unwrap();
}

#[test]
fn validated_intermediates_are_remembered() {
    let chain = Chain::new();
    let mut known = anchors(&[&chain.root]);
    let options = Options::client(NOW);
    known.add_intermediate_validated(&chain.ca.certificate, &[], &options).unwrap();
    known.add_intermediate_validated(&chain.ca.certificate, &[], &options).unwrap();
    assert_eq!(known.iter().count(), 1, "an intermediate is not an anchor");
    assert!(!known.contains(&chain.ca.certificate));
    // Nothing sent, one signature verified, the whole path told
    let one =
        Options { limits: Limits { signature_checks: 1, ..Limits::default() }, ..options.clone() };
    let path = validate(&chain.leaf.certificate, &[], &known, &one).unwrap();
    assert_eq!(path, check(&chain, &options).unwrap());
    // Its rules still count.
    let late = Options::client(chain.ca.certificate.not_after().plus(1));
    let long_lived = Template::leaf("device").dates(NOW, UnixTime::NEVER).issued_by(&chain.ca);
    assert!(matches!(
        validate(&long_lived.certificate, &[], &known, &late),
        Err(PathError::Expired { depth: 1, .. })
    ));
    // Strangers and leaves are not taken.
    let stranger = Chain::new();
    assert!(matches!(
        known.add_intermediate_validated(&stranger.ca.certificate, &[], &options),
        Err(PathError::UnknownIssuer { .. })
    ));
    assert!(matches!(
        known.add_intermediate_validated(&chain.leaf.certificate, &[], &options),
        Err(PathError::KeyUsage { .. })
    ));
    let free = Template::leaf("device").without(oid::KEY_USAGE).issued_by(&chain.ca);
    assert!(matches!(
        known.add_intermediate_validated(&free.certificate, &[], &options),
        Err(PathError::NotCa { .. })
    ));
    // The whole path counts against the depth.
    let flat = Options { depth_max: 0, ..options };
    assert_eq!(
        validate(&chain.leaf.certificate, &[], &known, &flat),
        Err(PathError::TooLong { most: 0 })
    );
}

#[test]
fn one_bad_way_does_not_hide_a_good_one() {
    // The issuing CA is certified by two roots, and the first certificate has expired.
    let (old, new) =
        (Template::ca("Old root").self_signed(), Template::ca("New root").self_signed());
    let expired = Template::ca("Issuing CA").dates(NOW.plus(-2), NOW.plus(-1)).issued_by(&old);
    let crossed = Template::ca("Issuing CA").key_of(&expired).issued_by(&new);
    let leaf = Template::leaf("device").issued_by(&expired);
    let sent = certificates(&[&expired, &crossed]);
    let path = validate(&leaf.certificate, &sent, &anchors(&[&old, &new]), &Options::any(NOW));
    assert_eq!(path.unwrap().anchor(), &new.certificate);
    let only_old = validate(&leaf.certificate, &sent, &anchors(&[&old]), &Options::any(NOW));
    assert!(matches!(only_old, Err(PathError::Expired { depth: 1, .. })));
}

#[test]
fn work_is_bounded() {
    // Every CA has the same name and no key identifier, so that each may have issued each.
    let template = Template::ca("CA").without_key_identifiers();
    let mut maze = vec![template.self_signed()];
    while maze.len() < 32 {
        maze.push(template.issued_by(maze.last().unwrap()));
    }
    let leaf = Template::leaf("device").issued_by(maze.last().unwrap());
    let root = Template::ca("Root").self_signed();
    let sent: Vec<_> = maze.iter().map(|made| made.certificate.clone()).collect();
    let run = |options: &Options| {
        validate(&leaf.certificate, &sent, &anchors(&[&root]), options).unwrap_err()
    };
    let options = Options { depth_max: 16, ..Options::any(NOW) };
    assert_eq!(run(&options), PathError::TooComplex { most: 64, what: "signature checks" });
    let few =
        Options { limits: Limits { intermediates: 31, ..Limits::default() }, ..Options::any(NOW) };
    assert_eq!(run(&few), PathError::TooComplex { most: 31, what: "intermediate certificates" });
    let names: Vec<_> = (0..300).map(|n| chain::dns(&format!("n{n}.example.com"))).collect();
    let chain = Chain::of(
        &Template::ca("Root"),
        &Template::ca("Issuing CA").constraints(&names, &[]),
        &Template::leaf("device").names(&names),
    );
    assert_eq!(
        check(&chain, &Options::any(NOW)),
        Err(PathError::TooComplex { most: 65_536, what: "comparisons with name constraints" })
    );
    // Seventeen certificates of the same root, all expired
    let root = Template::ca("Root").self_signed();
    let mut many = Anchors::default();
    for _ in 0..17 {
        let again = Template::ca("Root").key_of(&root).dates(NOW.plus(-2), NOW.plus(-1));
        many.add(again.self_signed().certificate);
    }
    let leaf = Template::leaf("device").issued_by(&root);
    assert_eq!(
        validate(&leaf.certificate, &[], &many, &Options::any(NOW)),
        Err(PathError::TooComplex { most: 16, what: "paths to trusted roots" })
    );
    // Self-issued certificates do not count against the depth, and still come to an end.
    let mut keys = vec![Template::ca("CA").issued_by(&root)];
    while keys.len() < 16 {
        keys.push(Template::ca("CA").issued_by(keys.last().unwrap()));
    }
    let run = |count: usize| {
        let leaf = Template::leaf("device").issued_by(&keys[count - 1]);
        let sent: Vec<_> = keys[..count].iter().map(|made| made.certificate.clone()).collect();
        validate(&leaf.certificate, &sent, &anchors(&[&root]), &Options::any(NOW))
            .map(|path| path.certificates().len())
    };
    assert_eq!(run(14), Ok(16));
    assert_eq!(run(15), Err(PathError::TooLong { most: 5 }));
}
