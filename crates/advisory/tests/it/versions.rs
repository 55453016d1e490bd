//! The orders of versions: the examples of their specifications, and what every order must obey.

use advisory::{Scheme, Version, compare};
use proptest::{collection::vec, prelude::*, sample::select};
use std::cmp::Ordering;

/// Each text is before the next; all that stand between `|` are equal.
fn rising(scheme: Scheme, list: &str) {
    let groups: Vec<Vec<&str>> =
        list.split_whitespace().map(|group| group.split('|').collect()).collect();
    for (i, left) in groups.iter().enumerate() {
        for (j, right) in groups.iter().enumerate() {
            for a in left {
                for b in right {
                    assert_eq!(compare(scheme, a, b), Some(i.cmp(&j)), "{} {a} {b}", scheme.name());
                }
            }
        }
    }
}

fn refused(scheme: Scheme, list: &[&str]) {
    for text in list {
        assert!(Version::parse(scheme, text).is_err(), "{} {text}", scheme.name());
    }
}

#[test]
fn semver_org() {
    // semver.org 2.0.0 section 11.
    rising(
        Scheme::SemVer,
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 \
         1.0.0|1.0.0+b1|v1.0.0|1.0|1 2.0.0 2.1.0 2.1.1 2.1.99999999999999999999999999",
    );
    refused(
        Scheme::SemVer,
        &["", "a", "1.0.0-", "1.0.0-a..b", "1.2.3.4", "1.0.0-ä", "1..2", "latest"],
    );
    // Build metadata counts in pub alone.
    rising(Scheme::Pub, "1.0.0-dev 1.0.0 1.0.0+1 1.0.0+2 1.0.1");
    // NuGet: four numbers, labels in any case.
    rising(Scheme::NuGet, "1.0.0-Alpha|1.0.0-alpha 1.0.0-BETA 1.0|1.0.0|1.0.0.0 1.0.0.1");
    // Go modules reference, "Pseudo-versions", and the toolchain's releases.
    rising(
        Scheme::Go,
        "v0.0.0-20191109021931-daa7c04131f5 v0.0.0-20200101000000-aaaaaaaaaaaa v1.2.3-pre \
         v1.2.4-0.20191109021931-daa7c04131f5 v1.2.4 go1.21rc2 go1.21rc10 go1.21|1.21.0|go1.21.0 go1.21.3 \
         v2.0.0+incompatible|v2.0.0",
    );
}

#[test]
fn pep_440() {
    // PEP 440, "Summary of permitted suffixes and relative ordering", and "Normalization".
    rising(
        Scheme::Pep440,
        "1.dev0 1.0.dev456 1.0a1|1.0.alpha1|1.0-a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2 \
         1.0b2.post345.dev456 1.0b2.post345 1.0rc1.dev456 1.0rc1|1.0c1 1.0|1|v1.0|1.0.0 1.0+abc.5 \
         1.0+abc.7 1.0+5 1.0.post456.dev34 1.0.post456|1.0-456 1.0.15 1.1.dev1 2!0.1",
    );
    refused(Scheme::Pep440, &["", "1.0-x-y", "french toast", "1.0+"]);
}

#[test]
fn debian_policy() {
    // Debian policy 5.6.12: tilde first, then the end, letters, the rest; and deb-version(7).
    rising(Scheme::Dpkg, "1.0~~ 1.0~~a 1.0~ 1.0|1.0-0|0:1.0 1.0a");
    rising(
        Scheme::Dpkg,
        "1.0~beta1~svn1245 1.0~beta1 1.0 1.0-1~bpo1 1.0-1 1.0-1+deb12u1 1.0-1.1 1.0-2 1.0-10 1.0+git1 1.1 \
         1:0.1",
    );
    rising(Scheme::Dpkg, "2.7.4+reloaded2-13 2.7.4+reloaded2-13ubuntu1 2.7.4+reloaded3");
    assert_eq!(compare(Scheme::Dpkg, "0:1.0-1", "1.0-1"), Some(Ordering::Equal));
    refused(Scheme::Dpkg, &["", "1.0 2", "a:1", "1.0-", "-1", "1_0", "1.0-ä"]);
}

#[test]
fn rpm() {
    // rpm's own test file of rpmvercmp (tests/rpmvercmp.at), a selection of its cases.
    rising(Scheme::Rpm, "1.0 2.0 2.0.1 2.0.1a 5.5p1 5.5p2 5.5p10 10xyz 10.1xyz");
    for (a, b, order) in [
        ("1.0", "1.0", Ordering::Equal),
        ("2.0.1a", "2.0.1", Ordering::Greater),
        ("5.5p1", "5.5p10", Ordering::Less),
        ("10xyz", "10.1xyz", Ordering::Less),
        ("xyz10", "xyz10.1", Ordering::Less),
        ("xyz.4", "8", Ordering::Less),
        ("xyz.4", "2", Ordering::Less),
        ("5.5p2", "5.6p1", Ordering::Less),
        ("5.6p1", "6.5p1", Ordering::Less),
        ("6.0.rc1", "6.0", Ordering::Greater),
        ("10b2", "10a1", Ordering::Greater),
        ("1.0aa", "1.0a", Ordering::Greater),
        ("10.0001", "10.1", Ordering::Equal),
        ("10.0001", "10.0039", Ordering::Less),
        ("4.999.9", "5.0", Ordering::Less),
        ("20101121", "20101122", Ordering::Less),
        ("2_0", "2.0", Ordering::Equal),
        ("a+", "a_", Ordering::Equal),
        ("1.0~rc1", "1.0", Ordering::Less),
        ("1.0~rc1", "1.0~rc2", Ordering::Less),
        ("1.0~rc1~git123", "1.0~rc1", Ordering::Less),
        ("1.0^", "1.0", Ordering::Greater),
        ("1.0^git1", "1.01", Ordering::Less),
        ("1.0^git1", "1.0^git2", Ordering::Less),
        ("1.0^20160101", "1.0.1", Ordering::Less),
        ("1.0^20160101^git1", "1.0^20160102", Ordering::Less),
        ("1.0~rc1^git1", "1.0~rc1", Ordering::Greater),
        ("1.0^git1~pre", "1.0^git1", Ordering::Less),
        ("1:1.0-1", "2.0-1", Ordering::Greater),
        ("1.0-1.el9", "1.0-2.el9", Ordering::Less),
    ] {
        assert_eq!(compare(Scheme::Rpm, a, b), Some(order), "{a} {b}");
        assert_eq!(compare(Scheme::Rpm, b, a), Some(order.reverse()), "{b} {a}");
    }
    refused(Scheme::Rpm, &["", "1 0", "x:1", "-1", "1-", "1/2"]);
}

#[test]
fn apk() {
    // From apk-tools' test/version.data, a selection of its cases.
    for case in [
        "2.34 > 0.1.0_alpha",
        "0.1.0_alpha = 0.1.0_alpha",
        "0.1.0_alpha < 0.1.3_alpha",
        "0.1.3_alpha > 0.1.0",
        "0.1.0_alpha2 > 0.1.0_alpha",
        "0.1.0_alpha < 2.2.39-r1",
        "2.2.39-r1 > 1.0.4-r3",
        "1.0.4-r3 < 1.0.4-r4",
        "1.0.4-r4 < 1.6",
        "1.6 > 1.0.2",
        "1.0.2 > 0.7-r1",
        "1.2.3 > 1.2.3_rc1",
        "1.2.3_rc2 > 1.2.3_rc1",
        "1.2.3_p1 > 1.2.3",
        "1.05 < 1.1",
        "1.05 < 1.06",
        "1.1a > 1.1",
        "1.1a < 1.1b",
        "1.1a < 1.1.1",
        "1.0_alpha < 1.0_beta",
        "1.0_pre1 < 1.0_rc1",
        "1.0_git20200101 > 1.0",
        "1.0-r1 > 1.0",
        "0.12 > 0.9",
    ] {
        let mut words = case.split(' ');
        let (a, sign, b) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let order = match sign {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(compare(Scheme::Apk, a, b), Some(order), "{case}");
        assert_eq!(compare(Scheme::Apk, b, a), Some(order.reverse()), "{case}");
    }
    refused(
        Scheme::Apk,
        &["", "a", "1.0.", "1.0_", "1.0_foo", "1.0-r", "1.0-1", "1.0ab", "1.0-r1x"],
    );
}

#[test]
fn maven() {
    // Maven POM reference, "Version Order Specification", its examples.
    for (a, b, order) in [
        ("1", "1.1", Ordering::Less),
        ("1-snapshot", "1", Ordering::Less),
        ("1", "1-sp", Ordering::Less),
        ("1-foo2", "1-foo10", Ordering::Less),
        ("1.foo", "1-foo", Ordering::Equal),
        ("1-foo", "1-1", Ordering::Less),
        ("1-1", "1.1", Ordering::Less),
        ("1.ga", "1-ga", Ordering::Equal),
        ("1-ga", "1-0", Ordering::Equal),
        ("1-0", "1.0", Ordering::Equal),
        ("1.0", "1", Ordering::Equal),
        ("1-sp", "1-ga", Ordering::Greater),
        ("1-sp-1", "1-ga-1", Ordering::Less),
        ("1-a1", "1-alpha-1", Ordering::Equal),
        ("1.0-alpha1", "1.0-ALPHA1", Ordering::Equal),
        ("1.7", "1.K", Ordering::Greater),
        ("5.zebra", "5.aardvark", Ordering::Greater),
        ("1.0.RC2", "1.0-RC3", Ordering::Less),
        ("1.0-rc1", "1.0-cr1", Ordering::Equal),
        ("1.0-beta-2", "1.0-b2", Ordering::Equal),
        ("2.0", "10.0", Ordering::Less),
        ("1.0.0.Final", "1.0.0", Ordering::Equal),
        ("2.17.1", "2.17.0", Ordering::Greater),
        ("1-m3", "1-milestone-3", Ordering::Equal),
    ] {
        assert_eq!(compare(Scheme::Maven, a, b), Some(order), "{a} {b}");
        assert_eq!(compare(Scheme::Maven, b, a), Some(order.reverse()), "{b} {a}");
    }
    rising(
        Scheme::Maven,
        "1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc|1-cr 1-rc2 1-rc123 1-SNAPSHOT 1 \
         1-sp 1-sp2 1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123",
    );
}

#[test]
fn rubygems_composer_and_the_rest() {
    // Gem::Version's documentation.
    rising(Scheme::RubyGems, "0.9 1.0.a 1.0.a.2 1.0.b1 1|1.0|1.0.0 1.0.1 1.2 1.10");
    refused(Scheme::RubyGems, &["junk", "1..2", "1.2 3", "", "1.-"]);
    // Composer's documentation of stabilities, PHP's version_compare.
    rising(
        Scheme::Composer,
        "1.0.0-dev 1.0.0-alpha1|1.0.0a1 1.0.0-alpha2 1.0.0-beta1 1.0.0-RC1 1.0|v1.0.0|1.0.0.0|1.0.0-stable \
         1.0.0-patch1|1.0.0-pl1|1.0.0p1 1.0.1 1.2 1.10 2010.01.02",
    );
    refused(Scheme::Composer, &["dev-main", "1.x-dev", "", "1.0-foo", "v"]);
    rising(Scheme::Dotted, "1.0 1.0.0 1.0-1 1.2 1.10");
    // OpenSSL's letters, OpenSSH's patches, pre-releases.
    rising(
        Scheme::Generic,
        "1.0.2-rc1 1.0.2|v1.0.2 1.0.2a 1.0.2k 1.0.2z 1.0.2za 1.1|1.1.0 8.9 8.9p1 8.9p2 9.0p1",
    );
    assert_eq!(compare(Scheme::Generic, "1.1+git0", "1.1"), None);
    assert_eq!(compare(Scheme::Generic, "1.1+git0", "1.2"), Some(Ordering::Less));
    assert_eq!(compare(Scheme::Unknown, "1", "2"), None);
    assert_eq!(compare(Scheme::Unknown, "1", "1"), Some(Ordering::Equal));
}

/// Texts that look like versions of every kind, and some that do not.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => (0_u32..12).prop_map(|number| number.to_string()),
        2 => select(vec!["00", "01", "010", "20240101"]).prop_map(str::to_owned),
        4 => select(vec![".", "-", "_", "+", "~", ":", "^", "!"]).prop_map(str::to_owned),
        4 => select(vec![".", ".", "-"]).prop_map(str::to_owned),
        3 => select(vec![
            "a", "b", "rc", "alpha", "beta", "pre", "p", "r", "dev", "post", "final", "sp", "snapshot",
            "_rc", "_p", "-r1", "z", "x", "ga", "m", "git", "RC"
        ]).prop_map(str::to_owned),
    ];
    vec(part, 1..7).prop_map(|parts| parts.concat())
}

fn scheme() -> impl Strategy<Value = Scheme> {
    select(Scheme::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Any text is a version or is not; nothing panics.
    #[test]
    fn any_text_is_read(scheme in scheme(), a in any::<String>(), b in text()) {
        let _ = compare(scheme, &a, &b);
        prop_assert!(Version::parse(scheme, &"1".repeat(257)).is_err());
    }

    /// Reflexive and antisymmetric; transitive also through equality.
    #[test]
    fn every_order_is_an_order(scheme in scheme(), texts in vec(text(), 3)) {
        let read: Vec<Version> =
            texts.iter().filter_map(|text| Version::parse(scheme, text).ok()).collect();
        for a in &read {
            prop_assert_eq!(a.compare(a), Some(Ordering::Equal));
            for b in &read {
                prop_assert_eq!(a.compare(b), b.compare(a).map(Ordering::reverse));
                for c in &read {
                    if let (Some(ab), Some(bc)) = (a.compare(b), b.compare(c))
                        && (ab == bc || ab.is_eq() || bc.is_eq())
                        && scheme != Scheme::Unknown
                    {
                        let expected = if ab.is_eq() { bc } else { ab };
                        // An order that is open somewhere may be open here too.
                        let found = a.compare(c);
                        prop_assert!(
                            found == Some(expected) || (found.is_none() && scheme == Scheme::Generic),
                            "{} {:?} {:?} {:?}: {:?} {:?} {:?}", scheme.name(), a, b, c, ab, bc, found
                        );
                    }
                }
            }
        }
    }
}
