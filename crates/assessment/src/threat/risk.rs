//! Risk on a 5 × 5 scale, and security levels of zones.

use crate::{
    Library,
    named::words,
    threat::{Analysis, Cause, SecurityLevels, State, Zone},
};

words! {
    /// A band of the 5 × 5 scale.
    Band {
        /// 1
        Minimal "minimal" "minimal" "極小",
        /// 2 to 5
        Low "low" "low" "低",
        /// 6 to 11
        Medium "medium" "medium" "中",
        /// 12 to 19
        High "high" "high" "高",
        /// 20 to 25
        Critical "critical" "critical" "重大",
    }
}

/// Likelihood and impact, each 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level {
    /// how likely, 1 to 5
    pub likelihood: u8,
    /// how bad, 1 to 5
    pub impact: u8,
}

impl Level {
    /// The product of both, 1 to 25.
    pub fn score(self) -> u8 {
        self.likelihood.saturating_mul(self.impact)
    }

    /// Its band.
    pub fn band(self) -> Band {
        match self.score() {
            20.. => Band::Critical,
            12..=19 => Band::High,
            6..=11 => Band::Medium,
            2..=5 => Band::Low,
            _ => Band::Minimal,
        }
    }
}

/// A risk without any measure, with what is in place, and with what is decided as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Risk {
    /// as if nothing had been done
    pub inherent: Level,
    /// with the measures in place
    pub residual: Level,
    /// with the measures that are decided, too
    pub target: Level,
}

/// `likelihood` after measures took away `steps`, at least 1.
pub(crate) fn lowered(likelihood: u8, steps: u8) -> u8 {
    likelihood.saturating_sub(steps).max(1)
}

/// The 62443 vectors of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneLevels<'a> {
    /// the zone
    pub zone: &'a Zone,
    /// SL-T
    pub target: Option<SecurityLevels>,
    /// SL-C
    pub capability: Option<SecurityLevels>,
    /// what SL-A is at most: per foundational requirement the highest level of which no
    /// requirement is asked for in vain by a threat to the zone, and never more than SL-C
    pub achieved_at_most: SecurityLevels,
}

impl ZoneLevels<'_> {
    /// Foundational requirements, 1 to 7, of which the target is missed.
    pub fn missed(&self) -> Vec<usize> {
        let Some(target) = self.target else { return Vec::new() };
        target
            .iter()
            .zip(&self.achieved_at_most)
            .zip(1..)
            .filter(|((target, achieved), _)| achieved < target)
            .map(|(_, number)| number)
            .collect()
    }
}

impl Analysis<'_> {
    /// The vectors of all zones. A threat that somebody accepted counts as not treated here.
    pub fn zone_levels(&self, library: &Library) -> Vec<ZoneLevels<'_>> {
        self.model
            .zones
            .iter()
            .map(|zone| {
                let mut achieved = zone.capability.unwrap_or([4; 7]);
                for one in &self.threats {
                    let untreated =
                        !matches!(one.state, State::Mitigated | State::Handled | State::Dismissed);
                    let here = one
                        .subject
                        .elements(self.model)
                        .iter()
                        .any(|element| element.zone.as_deref() == Some(zone.id.as_str()));
                    if !untreated || !here || !matches!(one.cause, Cause::Rule(_)) {
                        continue;
                    }
                    for (number, level) in
                        self.asked(one.missing.iter().chain(&one.planned), library)
                    {
                        if let Some(slot) = achieved.get_mut(number.saturating_sub(1)) {
                            *slot = (*slot).min(level.saturating_sub(1));
                        }
                    }
                }
                ZoneLevels {
                    zone,
                    target: zone.target,
                    capability: zone.capability,
                    achieved_at_most: achieved,
                }
            })
            .collect()
    }

    /// Foundational requirement and level of the 62443-4-2 requirements behind measures.
    fn asked<'m>(
        &self,
        measures: impl Iterator<Item = &'m &'m str>,
        library: &Library,
    ) -> Vec<(usize, u8)> {
        measures
            .filter_map(|id| self.book.measure(id))
            .flat_map(|measure| &measure.requirements)
            .filter(|one| one.source().as_str() == "iec-62443-4-2")
            .filter_map(|one| {
                let number = one.id().trim_start_matches(|c: char| c.is_ascii_alphabetic());
                let number = number.split('.').next()?.parse().ok()?;
                Some((number, library.record(one)?.security_level?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cut_the_scale_without_gaps() {
        let band = |likelihood, impact| Level { likelihood, impact }.band();
        assert_eq!(band(1, 1), Band::Minimal);
        assert_eq!([band(1, 2), band(1, 5)], [Band::Low, Band::Low]);
        assert_eq!([band(2, 3), band(3, 3)], [Band::Medium, Band::Medium]);
        assert_eq!([band(3, 4), band(4, 4)], [Band::High, Band::High]);
        assert_eq!([band(4, 5), band(5, 5)], [Band::Critical, Band::Critical]);
        assert_eq!(lowered(3, u8::MAX), 1);
        assert_eq!(lowered(5, 3), 2);
    }
}
