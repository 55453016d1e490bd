//! Whether a purpose stands for a device.

use super::Basis;
use crypto::UnixTime;

/// What somebody decided about a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentDecision {
    /// consent is given
    Given,
    /// consent is withdrawn, or refused
    Withdrawn,
    /// of a device: what the organisation decided for all of its devices holds
    AsOrganisation,
}

impl ConsentDecision {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Given, Self::Withdrawn, Self::AsOrganisation];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Withdrawn => "withdrawn",
            Self::AsOrganisation => "as-organisation",
        }
    }
}

/// A decision that is on record: the newest of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// what was decided
    pub decision: ConsentDecision,
    /// about which version of the purpose
    pub version: u64,
    /// its place in the order of all decisions
    pub order: i64,
    /// when
    pub at: UnixTime,
}

/// Since when a purpose stands for a device; `None`: it does not.
///
/// Consent is to one version: another text needs it anew. What the organisation withdraws ends what it
/// gave for single devices before; what it gives does not end what it withdrew for one.
pub fn agreed_since(
    basis: &Basis,
    version: u64,
    organisation: Option<&Decided>,
    device: Option<&Decided>,
) -> Option<UnixTime> {
    if matches!(basis, Basis::Necessary(_)) {
        return Some(UnixTime(i64::MIN));
    }
    let given = |it: &Decided| it.decision == ConsentDecision::Given && it.version == version;
    let of_organisation = organisation.filter(|it| given(it)).map(|it| it.at);
    match device {
        Some(own) if own.decision == ConsentDecision::Withdrawn => None,
        Some(own) if given(own) => {
            let ended = organisation.is_some_and(|it| {
                it.decision == ConsentDecision::Withdrawn && it.order > own.order
            });
            if ended { None } else { Some(own.at) }
        }
        _ => of_organisation,
    }
}

/// As [`agreed_since`], by the record: since when without a break. Who gives again what stands has not
/// broken it.
///
/// `organisation` and `device` are the newest decisions of both kinds, in any order. Of a kind of which there
/// are `most`, older ones may be left out: nothing is said of what was before them.
pub fn stands_since(
    basis: &Basis,
    version: u64,
    (organisation, device): (&[Decided], &[Decided]),
    most: usize,
) -> Option<UnixTime> {
    if matches!(basis, Basis::Necessary(_)) {
        return Some(UnixTime(i64::MIN));
    }
    let oldest = |of: &[Decided]| of.iter().map(|it| it.order).min().filter(|_| of.len() >= most);
    let known_from = oldest(organisation).max(oldest(device));
    let mut all: Vec<(bool, &Decided)> = organisation.iter().map(|it| (false, it)).collect();
    all.extend(device.iter().map(|it| (true, it)));
    all.sort_by_key(|(_, it)| it.order);
    let (mut of_organisation, mut own, mut since) = (None, None, None);
    for (is_own, decided) in all {
        if is_own {
            own = Some(decided);
        } else {
            of_organisation = Some(decided);
        }
        since = match agreed_since(basis, version, of_organisation, own) {
            Some(_) if known_from.is_none_or(|from| from <= decided.order) => {
                since.or(Some(decided.at))
            }
            _ => None,
        };
    }
    since
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConsentDecision::{AsOrganisation, Given, Withdrawn};
    use proptest::prelude::*;

    fn decided(decision: ConsentDecision, version: u64, order: i64) -> Decided {
        Decided { decision, version, order, at: UnixTime(order) }
    }

    #[test]
    fn the_owner_decides_and_a_withdrawal_weighs_more() {
        let consent = Basis::Consent;
        let ask = |organisation: Option<Decided>, device: Option<Decided>| {
            agreed_since(&consent, 2, organisation.as_ref(), device.as_ref()).map(|at| at.0)
        };
        let given = |order| Some(decided(Given, 2, order));
        let gone = |order| Some(decided(Withdrawn, 2, order));
        let old = |order| Some(decided(Given, 1, order));
        let like = |order| Some(decided(AsOrganisation, 2, order));
        for (organisation, device, since) in [
            (None, None, None),
            (given(1), None, Some(1)),
            (gone(1), None, None),
            (old(1), None, None),
            // A device's own word.
            (None, given(1), Some(1)),
            (given(1), gone(2), None),
            (given(3), gone(2), None),
            (given(3), like(4), Some(3)),
            (gone(3), like(4), None),
            // A withdrawal for all ends what was given before it, not what is given after.
            (gone(3), given(2), None),
            (gone(3), given(4), Some(4)),
            // Another text needs consent anew, from whomever.
            (None, old(1), None),
            (given(3), old(2), Some(3)),
        ] {
            assert_eq!(ask(organisation, device), since, "{organisation:?} {device:?}");
        }
        let necessary = Basis::Necessary("contract".into());
        assert!(agreed_since(&necessary, 2, gone(1).as_ref(), gone(2).as_ref()).is_some());
    }

    #[test]
    fn what_stood_throughout_stands_since_its_beginning() {
        let ask = |organisation: &[Decided], device: &[Decided]| {
            let since = stands_since(&Basis::Consent, 2, (organisation, device), 4);
            since.map(|at| at.0)
        };
        let given = |order| decided(Given, 2, order);
        let gone = |order| decided(Withdrawn, 2, order);
        let like = |order| decided(AsOrganisation, 2, order);
        for (organisation, device, since) in [
            (vec![given(1), given(5)], vec![], Some(1)),
            (vec![given(1)], vec![given(5)], Some(1)),
            (vec![given(5)], vec![given(1)], Some(1)),
            (vec![given(1)], vec![given(2), like(3)], Some(1)),
            // What was withdrawn between does not come back.
            (vec![given(1)], vec![gone(2), given(5)], Some(5)),
            (vec![given(1)], vec![gone(2), like(3), given(5)], Some(3)),
            (vec![given(1), gone(2), given(3)], vec![], Some(3)),
            (vec![given(1), gone(4)], vec![given(2)], None),
            (vec![given(1), gone(2)], vec![given(3), given(4)], Some(3)),
            (vec![decided(Given, 1, 1), given(3)], vec![], Some(3)),
            (vec![], vec![], None),
            // Older ones may be missing: nothing is said of that time.
            (vec![given(1)], vec![given(5), given(6), given(7), given(8)], Some(5)),
            (vec![given(6), given(7), given(8), given(9)], vec![given(5)], Some(6)),
        ] {
            assert_eq!(ask(&organisation, &device), since, "{organisation:?} {device:?}");
        }
    }

    proptest! {
        /// Nothing that was not given for the version in force makes a purpose stand.
        #[test]
        fn without_consent_to_this_text_nothing_stands(
            all in proptest::collection::vec((0_usize..3, 1_u64..4, 1_i64..9), 2),
        ) {
            let made = |&(which, version, order): &(usize, u64, i64)| {
                decided(ConsentDecision::ALL[which], version, order)
            };
            let (organisation, device) = (made(&all[0]), made(&all[1]));
            let since = agreed_since(&Basis::Consent, 2, Some(&organisation), Some(&device));
            if since.is_some() {
                let given = |it: &Decided| it.decision == Given && it.version == 2;
                prop_assert!(given(&organisation) || given(&device));
                prop_assert!(device.decision != Withdrawn);
            }
        }
    }
}
