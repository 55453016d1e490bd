use crate::{certificate, member};
use crypto::{UnixTime, sha256};
use policy::{
    Caller, PresentedToken, Role, Roles, TOKEN_SECONDS_MAX, TokenError, TokenRecord, TokenRefusal,
};
use proptest::prelude::*;

const NOW: UnixTime = UnixTime(1_795_000_000);

fn random() -> [u8; 32] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

fn both() -> Roles {
    Roles::of(&[Role::Operator, Role::Auditor])
}

#[test]
fn a_token_is_its_holder_with_fewer_roles() {
    let alice = member("owner", both());
    let (text, record) =
        TokenRecord::grant(random(), &alice, Role::Auditor.into(), 900, NOW).unwrap();
    assert_eq!(text.expose(), "tgt_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
    assert_eq!(format!("{text:?}"), "TokenText(..)");
    let presented = PresentedToken::parse(text.expose()).unwrap();
    assert_eq!(presented.digest(), record.digest);
    let caller = record.check(&presented, Some(&certificate()), both(), NOW.plus(899)).unwrap();
    let Caller::Member { roles, token, .. } = &caller else { panic!("{caller:?}") };
    assert_eq!((*roles, *token), (Role::Auditor.into(), Some(record.digest)));
    assert_eq!(caller.to_string(), "member owner/alice");
    // A token grants no token.
    let again = TokenRecord::grant(random(), &caller, Role::Auditor.into(), 1, NOW);
    assert_eq!(again.unwrap_err(), TokenError::NotWithCertificate);
}

#[test]
fn a_token_is_refused_with_the_reason() {
    let (text, record) =
        TokenRecord::grant(random(), &member("owner", both()), both(), 60, NOW).unwrap();
    let presented = PresentedToken::parse(text.expose()).unwrap();
    let check = |certificate, roles, seconds, expected| {
        let given = record.check(&presented, certificate, roles, NOW.plus(seconds));
        assert_eq!(given.map(drop), expected);
    };
    let (own, other) = (certificate(), sha256(b"mallory's"));
    check(Some(&own), both(), 0, Ok(()));
    check(Some(&own), both(), -5, Ok(()));
    check(Some(&own), both(), -6, Err(TokenRefusal::NotYetValid));
    check(Some(&own), both(), 59, Ok(()));
    check(Some(&own), both(), 60, Err(TokenRefusal::Expired));
    check(Some(&other), both(), 0, Err(TokenRefusal::Certificate));
    check(None, both(), 0, Err(TokenRefusal::Certificate));
    check(Some(&own), Role::Reader.into(), 0, Err(TokenRefusal::NoRole));
    check(Some(&own), Role::Operator.into(), 0, Ok(()));
    let strange = PresentedToken::parse(&format!("tgt_{}", "A".repeat(43))).unwrap();
    let given = record.check(&strange, Some(&own), both(), NOW);
    assert_eq!(given, Err(TokenRefusal::Unknown));
    let endless = TokenRecord { expires_at: UnixTime::NEVER, ..record.clone() };
    let given = endless.check(&presented, Some(&own), both(), NOW);
    assert_eq!(given, Err(TokenRefusal::Expired));
}

#[test]
fn no_token_with_more_rights_longer_life_or_known_bytes() {
    let check = |random, caller: &Caller, roles, seconds, expected| {
        let given = TokenRecord::grant(random, caller, roles, seconds, NOW);
        assert_eq!(given.unwrap_err(), expected);
    };
    let alice = member("owner", both());
    check(random(), &alice, Roles::ALL, 60, TokenError::MoreRoles);
    check(random(), &alice, Role::Administrator.into(), 60, TokenError::MoreRoles);
    check(random(), &alice, Roles::NONE, 60, TokenError::NoRole);
    check(random(), &alice, both(), 0, TokenError::Lifetime);
    check(random(), &alice, both(), TOKEN_SECONDS_MAX + 1, TokenError::Lifetime);
    check([0; 32], &alice, both(), 60, TokenError::Random);
    check([0xff; 32], &alice, both(), 60, TokenError::Random);
    check(random(), &Caller::Anonymous, both(), 60, TokenError::NotWithCertificate);
}

#[test]
fn texts_that_are_no_tokens() {
    let good = format!("tgt_{}", "A".repeat(43));
    assert!(PresentedToken::parse(&good).is_ok());
    let last_bits = format!("tgt_{}B", "A".repeat(42));
    for bad in [
        "",
        "tgt_",
        good.trim_start_matches('t'),
        &good.to_uppercase(),
        &format!("{good}A"),
        &last_bits,
    ] {
        assert_eq!(PresentedToken::parse(bad), Err(TokenRefusal::Malformed), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,80}") {
        let _ = PresentedToken::parse(&text);
    }

    #[test]
    fn only_the_token_itself_passes(one: [u8; 32], other: [u8; 32]) {
        prop_assume!(one != other && one != [one[0]; 32] && other != [other[0]; 32]);
        let alice = member("owner", both());
        let (text, _) = TokenRecord::grant(one, &alice, both(), 60, NOW).unwrap();
        let (_, record) = TokenRecord::grant(other, &alice, both(), 60, NOW).unwrap();
        let presented = PresentedToken::parse(text.expose()).unwrap();
        let given = record.check(&presented, Some(&certificate()), both(), NOW);
        prop_assert_eq!(given, Err(TokenRefusal::Unknown));
    }
}
