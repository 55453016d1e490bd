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

/// Whom a report of a diagnosis is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportAudience {
    /// two pages: verdict, scores, heaviest gaps, deadlines
    Managers,
    /// every item with its evidence
    Engineers,
}

impl ReportAudience {
    /// Its word in the query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Managers => "managers",
            Self::Engineers => "engineers",
        }
    }
}

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReportFormat {
    /// one page that needs nothing else
    Html,
    /// PDF on A4
    Pdf,
}

impl ReportFormat {
    /// Its word in the query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
        }
    }
}

/// How a report of a diagnosis is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DiagnosisReportQuery {
    /// Whom it is for; managers otherwise.
    #[param(inline)]
    pub audience: Option<ReportAudience>,
    /// Language of the report; the caller's own otherwise.
    #[param(inline)]
    pub lang: Option<ReportLanguage>,
    /// Its form; HTML otherwise.
    #[param(inline)]
    pub format: Option<ReportFormat>,
}
