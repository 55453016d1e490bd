//! Forms of names, and whether one lies within another (RFC 5280 sections 4.2.1.6 and 4.2.1.10).

/// Whether `name` is a host name in the preferred syntax (RFC 1034 section 3.5, RFC 1123).
pub(super) fn is_dns(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Whether `name` is a host name or one with `*` as its whole first label.
pub(super) fn is_dns_pattern(name: &str) -> bool {
    is_dns(name.strip_prefix("*.").unwrap_or(name))
}

/// Whether host name `name` is `base` or below it. The empty base holds every name.
pub(super) fn is_below(name: &str, base: &str) -> bool {
    match name.len().checked_sub(base.len()) {
        _ if base.is_empty() => true,
        Some(0) => name.eq_ignore_ascii_case(base),
        Some(more) => {
            let (head, tail) = (name.get(..more), name.get(more..));
            head.is_some_and(|head| head.ends_with('.'))
                && tail.is_some_and(|tail| tail.eq_ignore_ascii_case(base))
        }
        None => false,
    }
}

/// Whether every name that `pattern` stands for lies below `base`.
pub(super) fn pattern_is_below(pattern: &str, base: &str) -> bool {
    is_below(pattern.strip_prefix("*.").unwrap_or(pattern), base)
}

/// Whether any name that `pattern` stands for lies below `base`.
pub(super) fn pattern_meets(pattern: &str, base: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => is_below(pattern, base),
        Some(suffix) => {
            is_below(suffix, base)
                || base.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(suffix))
        }
    }
}

/// Local part and host of a mailbox `local@host`. Quoted local parts do not occur.
pub(super) fn mailbox(name: &str) -> Option<(&str, &str)> {
    let (local, host) = name.split_once('@')?;
    let visible = |byte: u8| byte.is_ascii_graphic();
    let sound = !local.is_empty() && local.bytes().all(visible) && is_dns(host);
    sound.then_some((local, host))
}

/// A constraint on mailboxes: one mailbox, all at a host, or all at hosts below a domain.
pub(super) fn mailbox_meets(name: (&str, &str), constraint: &str) -> Option<bool> {
    let (local, host) = name;
    if constraint.contains('@') {
        let (wanted, at) = mailbox(constraint)?;
        return Some(local == wanted && host.eq_ignore_ascii_case(at));
    }
    host_meets(host, constraint)
}

/// A constraint on hosts: one host, or with a leading dot all below a domain.
pub(super) fn host_meets(host: &str, constraint: &str) -> Option<bool> {
    match constraint.strip_prefix('.') {
        Some(domain) if is_dns(domain) => Some(is_below(host, domain) && host.len() > domain.len()),
        None if is_dns(constraint) => Some(host.eq_ignore_ascii_case(constraint)),
        None if constraint.is_empty() => Some(true),
        _ => None,
    }
}

/// Whether `uri` has a scheme (RFC 3986 section 3.1).
pub(super) fn is_absolute_uri(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

/// The host of a URI, where it has one that is a name.
pub(super) fn uri_host(uri: &str) -> Option<&str> {
    if !is_absolute_uri(uri) {
        return None;
    }
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => host,
    };
    let numeric = host.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    (is_dns(host) && !numeric).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in ["a", "example.com", "xn--628h.example.com", "1.2", "a-b.c"] {
            assert!(is_dns(good), "{good}");
        }
        let long = format!("{}.com", "a".repeat(64));
        for bad in ["", ".", ".com", "com.", "a..b", "a_b", "-a", "a-", "*.com", "a b", &long] {
            assert!(!is_dns(bad), "{bad}");
        }
        assert!(is_dns_pattern("*.example.com"));
        for bad in ["*", "a.*.com", "ba*.example.com", "*.*.com", "*.", ""] {
            assert!(!is_dns_pattern(bad), "{bad}");
        }
    }

    #[test]
    fn subtrees_end_at_dots() {
        assert!(is_below("a.Example.com", "example.COM"));
        assert!(is_below("example.com", "example.com"));
        assert!(is_below("anything", ""));
        assert!(!is_below("notexample.com", "example.com"));
        assert!(!is_below("com", "example.com"));
        assert!(pattern_is_below("*.example.com", "example.com"));
        assert!(!pattern_is_below("*.example.com", "foo.example.com"));
        assert!(pattern_meets("*.example.com", "foo.example.com"));
        assert!(pattern_meets("*.example.com", "com"));
        assert!(!pattern_meets("*.example.com", "a.b.example.com"));
        assert!(!pattern_meets("*.example.com", "example.org"));
    }

    #[test]
    fn mailboxes_and_their_constraints() {
        let at = |name| mailbox(name).unwrap();
        let check = |name, constraint, want| {
            assert_eq!(mailbox_meets(at(name), constraint), want, "{name} {constraint}");
        };
        check("foo@example.com", "foo@Example.com", Some(true));
        check("foo@example.com", "Foo@example.com", Some(false));
        check("foo@example.com", "example.com", Some(true));
        check("foo@a.example.com", "example.com", Some(false));
        check("foo@a.example.com", ".example.com", Some(true));
        check("foo@example.com", ".example.com", Some(false));
        check("*@example.com", "*@example.com", Some(true));
        check("user@example.com", "*@example.com", Some(false));
        check("foo@example.com", "a@b@example.com", None);
        assert_eq!(mailbox("a@b@c"), None);
        assert_eq!(mailbox("@c"), None);
        assert_eq!(mailbox("a"), None);
    }

    #[test]
    fn hosts_of_uris() {
        let check = |uri, want| assert_eq!(uri_host(uri), want, "{uri}");
        check("https://example.com/a?b#c", Some("example.com"));
        check("https://user@example.com:443", Some("example.com"));
        check("coap://example.com", Some("example.com"));
        check("urn:uuid:1", None);
        check("https://192.0.2.1/", None);
        check("https://[::1]/", None);
        check("//example.com", None);
        check("https://example.com:x/", None);
    }
}
