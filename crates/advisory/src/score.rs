use crate::text;
use std::fmt;

/// How bad a vulnerability is said to be, in the words of CVSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rating {
    /// 0.0
    None,
    /// 0.1 to 3.9
    Low,
    /// 4.0 to 6.9
    Medium,
    /// 7.0 to 8.9
    High,
    /// 9.0 to 10.0
    Critical,
}

impl Rating {
    /// Every rating, rising.
    pub const ALL: [Self; 5] = [Self::None, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads a name, or a word that databases use for one.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "none" | "negligible" | "unimportant" => Self::None,
            "low" | "minor" => Self::Low,
            "medium" | "moderate" => Self::Medium,
            "high" | "important" => Self::High,
            "critical" | "urgent" => Self::Critical,
            _ => return None,
        })
    }

    /// Of a score in tenths (CVSS v3.1 section 5, v4.0 section 6; v2 is rated by the same scale).
    pub fn of_tenths(tenths: u8) -> Self {
        match tenths {
            0 => Self::None,
            1..=39 => Self::Low,
            40..=69 => Self::Medium,
            70..=89 => Self::High,
            _ => Self::Critical,
        }
    }
}

/// Whose scale a score is on; a later one says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScoreSystem {
    /// a word without a vector
    Word,
    /// CVSS v2.0
    V2,
    /// CVSS v3.0, v3.1
    V3,
    /// CVSS v4.0
    V4,
}

/// A score with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Score {
    /// the scale
    pub system: ScoreSystem,
    /// the vector, or the word
    pub vector: String,
    /// the base score in tenths, 0 to 100; of a word, the least score that has this rating
    pub tenths: u8,
}

impl Score {
    /// Computes the base score of a CVSS vector, or takes a word.
    pub fn parse(text: &str) -> Option<Self> {
        let vector = text.trim();
        if !text::is_plain(vector, 512) {
            return None;
        }
        if let Some(rating) = Rating::from_word(vector) {
            let tenths = match rating {
                Rating::None => 0,
                Rating::Low => 1,
                Rating::Medium => 40,
                Rating::High => 70,
                Rating::Critical => 90,
            };
            return Some(Self {
                system: ScoreSystem::Word,
                vector: rating.name().to_owned(),
                tenths,
            });
        }
        let (system, score) = if vector.starts_with("CVSS:4.0/") {
            (ScoreSystem::V4, vector.parse::<cvss::v4::Vector>().ok()?.score().value())
        } else if vector.starts_with("CVSS:3.") {
            (ScoreSystem::V3, vector.parse::<cvss::v3::Vector>().ok()?.score().value())
        } else {
            let bare = vector.trim_start_matches("CVSS:2.0/").trim_matches(['(', ')']);
            (ScoreSystem::V2, bare.parse::<cvss::v2::Vector>().ok()?.score().value())
        };
        // A vector that leaves out a base metric, or says one twice, has no score.
        let base: &[&str] = match system {
            ScoreSystem::V4 => &["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"],
            ScoreSystem::V3 => &["AV", "AC", "PR", "UI", "S", "C", "I", "A"],
            _ => &["AV", "AC", "Au", "C", "I", "A"],
        };
        let named = |metric: &&str| {
            vector
                .split('/')
                .filter(|part| {
                    part.split_once(':')
                        .is_some_and(|(name, _)| name.trim_start_matches('(') == *metric)
                })
                .count()
                == 1
        };
        if !base.iter().all(named) {
            return None;
        }
        let tenths = (score * 10.0).round();
        if !(0.0..=100.0).contains(&tenths) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let tenths = tenths as u8;
        Some(Self { system, vector: vector.to_owned(), tenths })
    }

    /// The rating.
    pub fn rating(&self) -> Rating {
        Rating::of_tenths(self.tenths)
    }

    /// The one to go by: the highest of those on the newest scales; v2 and words count only where
    /// there is no other.
    pub fn worst<'a>(scores: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        scores.into_iter().max_by_key(|score| {
            let tier = match score.system {
                ScoreSystem::Word => 0,
                ScoreSystem::V2 => 1,
                ScoreSystem::V3 | ScoreSystem::V4 => 2,
            };
            (tier, score.tenths, score.system)
        })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.system {
            ScoreSystem::Word => f.write_str(&self.vector),
            _ => write!(f, "{}.{} {}", self.tenths / 10, self.tenths % 10, self.rating().name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_have_the_scores_of_the_specifications() {
        let check = |vector: &str, tenths, rating| {
            let score = Score::parse(vector).unwrap();
            assert_eq!((score.tenths, score.rating()), (tenths, rating), "{vector}");
        };
        // CVSS v2.0 section 3.3.1 (CVE-2002-0392), v3.1 examples 1 and 27, v4.0 example Log4Shell.
        check("AV:N/AC:L/Au:N/C:N/I:N/A:C", 78, Rating::High);
        check("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98, Rating::Critical);
        check("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 64, Rating::Medium);
        check(
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H",
            100,
            Rating::Critical,
        );
        check("MODERATE", 40, Rating::Medium);
        for wrong in ["", "CVSS:3.1/AV:N", "CVSS:9.0/AV:N", "bad", "AV:N"] {
            assert_eq!(Score::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_vector_outranks_a_word() {
        let scores: Vec<Score> = [
            "critical",
            "AV:N/AC:L/Au:N/C:C/I:C/A:C",
            "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N",
        ]
        .into_iter()
        .filter_map(Score::parse)
        .collect();
        assert_eq!(Score::worst(&scores).map(|score| score.tenths), Some(64));
        assert_eq!(Score::worst(&scores[..2]).map(|score| score.tenths), Some(100));
    }
}
