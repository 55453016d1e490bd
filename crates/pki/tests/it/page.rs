//! `docs/profiles.md` and the code say the same.

use pki::{KeyPolicy, ObjectIdentifier, Profile, oid};
use std::collections::BTreeSet;

const PAGE: &str = include_str!("../../../../docs/profiles.md");

fn usage_name(usage: &ObjectIdentifier) -> &'static str {
    match *usage {
        oid::KP_CLIENT_AUTH => "clientAuth",
        oid::KP_SERVER_AUTH => "serverAuth",
        oid::KP_OCSP_SIGNING => "OCSPSigning",
        pki::KP_DOCUMENT_SIGNING => "documentSigning",
        oid::KP_CODE_SIGNING => "codeSigning",
        oid::KP_EMAIL_PROTECTION => "emailProtection",
        _ => "?",
    }
}

#[test]
fn the_table_of_profiles_is_right() {
    let policy = KeyPolicy::default();
    for profile in Profile::ALL {
        let life = policy.lifetimes.iter().find(|life| life.profile == profile).unwrap();
        let purposes: Vec<_> = profile.extended_key_usage().iter().map(usage_name).collect();
        let purposes = if purposes.is_empty() { "–".into() } else { purposes.join(", ") };
        let forever = if life.forever { "yes" } else { "no" };
        let row = format!(
            "| `{profile}` | {} | {purposes} | {} | {} | {forever} |\n",
            profile.key_usage(),
            life.usual_days,
            life.days_max
        );
        assert!(PAGE.contains(&row), "docs/profiles.md lacks the row\n{row}");
        assert_eq!(profile.name().parse(), Ok(profile));
    }
    for deadline in policy.deadlines {
        let day = deadline.last.to_string();
        assert!(PAGE.contains(day.split('T').next().unwrap()), "{day}");
    }
}

#[test]
fn the_table_of_codes_is_complete() {
    let code = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let source: BTreeSet<&str> = include_str!("../../src/lint.rs")
        .split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| text.contains('-') && code(text))
        .collect();
    let page: BTreeSet<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(code, _)| code)
        .filter(|text| text.contains('-') && text.parse::<Profile>().is_err())
        .collect();
    assert!(source.len() > 30);
    assert_eq!(source, page);
}
