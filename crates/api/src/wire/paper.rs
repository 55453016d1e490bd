//! Reports on paper.

use device::Language;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Language of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportLanguage {
    /// English
    En,
    /// Japanese
    Ja,
}

impl ReportLanguage {
    /// BCP 47 tag.
    pub fn name(self) -> &'static str {
        Language::from(self).name()
    }
}

impl From<ReportLanguage> for Language {
    fn from(language: ReportLanguage) -> Self {
        match language {
            ReportLanguage::En => Self::En,
            ReportLanguage::Ja => Self::Ja,
        }
    }
}

impl From<Language> for ReportLanguage {
    fn from(language: Language) -> Self {
        match language {
            Language::En => Self::En,
            Language::Ja => Self::Ja,
        }
    }
}

/// How a report is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReportQuery {
    /// Language of the report; the caller's own otherwise.
    #[param(inline)]
    pub lang: Option<ReportLanguage>,
}
