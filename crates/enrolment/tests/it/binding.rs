use enrolment::est::{
    Binding, BindingError, ChannelBinding, EXPORTER_LABEL, TlsVersion, client::challenge_password,
};

const EXPORTER: [u8; 32] = [7; 32];
const UNIQUE: [u8; 12] = [9; 12];

fn connection(version: TlsVersion, exporter: bool, unique: bool) -> ChannelBinding<'static> {
    ChannelBinding {
        version,
        exporter: exporter.then_some(&EXPORTER[..]),
        unique: unique.then_some(&UNIQUE[..]),
    }
}

#[test]
fn a_binding_that_is_sent_must_be_right() {
    use BindingError::{Mismatch, Missing, NotKnown};
    use TlsVersion::{Tls12, Tls13};
    let exporter = challenge_password(&EXPORTER);
    assert_eq!(exporter, "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    let unique = "CQkJCQkJCQkJCQkJ".to_owned();
    let check = |connection: ChannelBinding<'_>, sent: Option<&str>, required, expected| {
        assert_eq!(connection.check(sent, required), expected, "{connection:?} {sent:?}");
    };
    let tls13 = connection(Tls13, true, false);
    check(tls13, None, false, Ok(Binding::None));
    check(tls13, None, true, Err(Missing));
    check(tls13, Some(&exporter), false, Ok(Binding::Exporter));
    check(tls13, Some(&exporter), true, Ok(Binding::Exporter));
    check(tls13, Some(&unique), false, Err(Mismatch));
    check(tls13, Some(exporter.trim_end_matches('=')), false, Err(Mismatch));
    check(tls13, Some(""), false, Err(Mismatch));
    // tls-unique does not exist in TLS 1.3, whatever the library says.
    check(connection(Tls13, true, true), Some(&unique), false, Err(Mismatch));
    check(connection(Tls13, false, false), Some(&exporter), false, Err(NotKnown));
    // TLS 1.2 where the library shows no tls-unique
    let tls12 = connection(Tls12, true, false);
    check(tls12, Some(&exporter), true, Ok(Binding::Exporter));
    check(tls12, Some(&unique), false, Err(NotKnown));
    check(tls12, None, false, Ok(Binding::None));
    // and where it does
    let tls12 = connection(Tls12, true, true);
    check(tls12, Some(&unique), true, Ok(Binding::Unique));
    check(tls12, Some("other"), false, Err(Mismatch));
    // An empty value binds nothing.
    let empty = ChannelBinding { version: Tls13, exporter: Some(&[]), unique: None };
    check(empty, Some(""), false, Err(Mismatch));
    assert_eq!(EXPORTER_LABEL, b"EXPORTER-Channel-Binding");
}
