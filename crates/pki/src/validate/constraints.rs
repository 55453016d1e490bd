//! Name constraints (RFC 5280 sections 4.2.1.10 and 6.1.4 (g)).

use super::{PathError, names};
use crate::{Certificate, GeneralName, Name, NameConstraints, oid};

/// Applies the constraints of every issuer in `path` to every certificate below it.
pub(super) fn check(path: &[Certificate], comparisons_max: usize) -> Result<(), PathError> {
    let mut left = comparisons_max;
    for (above, issuer) in path.iter().enumerate().skip(1) {
        let Some(constraints) = issuer.extensions().name_constraints() else { continue };
        for (depth, certificate) in path.iter().enumerate().take(above) {
            // Section 6.1.3 (b): a self-issued certificate is exempt, unless it ends the path.
            if depth > 0 && certificate.is_self_issued() {
                continue;
            }
            for name in names_of(certificate) {
                // Each name is compared with each constraint.
                let cost = constraints.permitted.len() + constraints.excluded.len();
                left = left.checked_sub(cost).ok_or(PathError::TooComplex {
                    most: comparisons_max,
                    what: "comparisons with name constraints",
                })?;
                violation(&name, constraints).map_or(Ok(()), |reason| {
                    Err(PathError::NameConstraint {
                        subject: certificate.subject().to_string(),
                        depth,
                        name: name.to_string(),
                        by: issuer.subject().to_string(),
                        reason,
                    })
                })?;
            }
        }
    }
    Ok(())
}

/// A name of a certificate that constraints apply to.
enum Held<'a> {
    Subject(Name<'a>),
    Alternative(&'a GeneralName),
    /// emailAddress in the subject
    Email(String),
}

impl std::fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Subject(name) => write!(f, "{name}"),
            Self::Email(name) => write!(f, "{}", name.escape_debug()),
            Self::Alternative(name) => write!(f, "{}", super::server_name::shown(name)),
        }
    }
}

fn names_of(certificate: &Certificate) -> impl Iterator<Item = Held<'_>> {
    let subject = certificate.subject();
    let alternatives = certificate.extensions().subject_alt_names();
    // Section 4.2.1.10: legacy names count where there is no alternative.
    let emails = subject
        .attributes()
        .filter(move |attribute| alternatives.is_empty() && attribute.oid == oid::EMAIL_ADDRESS)
        .map(|attribute| Held::Email(attribute.text().unwrap_or_default()));
    (!subject.is_empty())
        .then_some(Held::Subject(subject))
        .into_iter()
        .chain(alternatives.iter().map(Held::Alternative))
        .chain(emails)
}

/// How `name` compares with one constraint.
enum Match {
    /// of another kind: does not concern it
    Other,
    Inside,
    Outside,
    /// of the same kind, and one of both cannot be understood
    Unknown(&'static str),
}

fn violation(name: &Held<'_>, constraints: &NameConstraints) -> Option<&'static str> {
    for constraint in &constraints.excluded {
        match compare(name, constraint, Side::Excluded) {
            Match::Inside => return Some("it is excluded"),
            Match::Unknown(reason) => return Some(reason),
            Match::Other | Match::Outside => {}
        }
    }
    let mut concerned = false;
    for constraint in &constraints.permitted {
        match compare(name, constraint, Side::Permitted) {
            Match::Inside => return None,
            Match::Unknown(reason) => return Some(reason),
            Match::Outside => concerned = true,
            Match::Other => {}
        }
    }
    concerned.then_some("it is not permitted")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Permitted,
    Excluded,
}

fn compare(name: &Held<'_>, constraint: &GeneralName, side: Side) -> Match {
    use GeneralName as G;
    let inside = |inside: bool| if inside { Match::Inside } else { Match::Outside };
    let understood = |met: Option<bool>| match met {
        Some(met) => inside(met),
        None => Match::Unknown("the constraint is malformed"),
    };
    match (name, constraint) {
        (Held::Subject(name), G::Directory(_)) => {
            understood(constraint.directory().map(|base| name.is_within(&base)))
        }
        (Held::Alternative(name @ G::Directory(_)), G::Directory(_)) => {
            match (name.directory(), constraint.directory()) {
                (Some(name), Some(base)) => inside(name.is_within(&base)),
                _ => Match::Unknown("the name is malformed"),
            }
        }
        (Held::Alternative(G::Dns(name)), G::Dns(base)) => {
            if !names::is_dns_pattern(name) {
                return Match::Unknown("the name is malformed");
            }
            if !base.is_empty() && !names::is_dns(base) {
                return Match::Unknown("the constraint is malformed");
            }
            inside(match side {
                Side::Permitted => names::pattern_is_below(name, base),
                Side::Excluded => names::pattern_meets(name, base),
            })
        }
        (Held::Alternative(G::Email(name)), G::Email(base)) => mailbox(name, base),
        (Held::Email(name), G::Email(base)) => mailbox(name, base),
        (Held::Alternative(G::Uri(name)), G::Uri(base)) => match names::uri_host(name) {
            None => Match::Unknown("the URI has no host name"),
            Some(host) => understood(names::host_meets(host, base)),
        },
        (Held::Alternative(G::Ip(address)), G::Ip(network)) => {
            let (base, mask) = network.split_at(network.len() / 2);
            inside(
                address.len() == base.len()
                    && address
                        .iter()
                        .zip(base)
                        .zip(mask)
                        .all(|((address, base), mask)| address & mask == base & mask),
            )
        }
        // Kinds whose constraints nobody defined: refused where both sides have them.
        (Held::Alternative(G::Other { .. }), G::Other { .. })
        | (Held::Alternative(G::RegisteredId(_)), G::RegisteredId(_)) => {
            Match::Unknown("constraints on names of this kind are not understood")
        }
        (Held::Alternative(G::Unsupported(name)), G::Unsupported(base)) if name == base => {
            Match::Unknown("constraints on names of this kind are not understood")
        }
        _ => Match::Other,
    }
}

fn mailbox(name: &str, base: &str) -> Match {
    let Some(mailbox) = names::mailbox(name) else {
        return Match::Unknown("the name is malformed");
    };
    match names::mailbox_meets(mailbox, base) {
        Some(true) => Match::Inside,
        Some(false) => Match::Outside,
        None => Match::Unknown("the constraint is malformed"),
    }
}
