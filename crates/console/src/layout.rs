//! What stands around every page.

use crate::{Visit, assets::Assets, i18n::Locale, ui::Icon};
use askama::filters::HtmlSafe;
use device::Language;
use std::fmt;

/// Light or dark, where it was chosen; otherwise the browser's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// dark on light
    Light,
    /// light on dark
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// Its word, in cookies and in `data-theme`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// From its word.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// A part of the console, as the navigation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// in no part
    None,
    /// overview
    Overview,
    /// devices
    Devices,
    /// bulk jobs
    Jobs,
    /// organisations
    Organisations,
    /// product lines
    Products,
    /// diagnoses of product lines
    Diagnoses,
    /// what product lines need for operation
    Operation,
    /// CAs and keys
    Authorities,
    /// releases
    Releases,
    /// campaigns
    Campaigns,
    /// vulnerabilities
    Vulnerabilities,
    /// cases that must be reported
    Cases,
    /// alerts
    Alerts,
    /// policies for the doors
    Policies,
    /// schemas of payloads
    Schemas,
    /// what data of devices is for, and who agreed to it
    Consents,
    /// what goes through the doors
    Traffic,
    /// people and roles
    People,
    /// what waits for a second person
    Approvals,
    /// audit log
    Audit,
    /// verifiable log
    Log,
    /// glossary
    Glossary,
    /// first steps
    Guide,
    /// the visitor's own account
    Account,
}

impl Section {
    /// What one must be allowed in one's own organisation to see it; `None`: nothing beyond being
    /// signed in.
    pub fn needs(self) -> Option<policy::Action> {
        use policy::Action;
        match self {
            Self::Overview | Self::Devices | Self::Jobs => Some(Action::ListDevices),
            Self::Organisations | Self::Authorities => Some(Action::ReadOrganisation),
            Self::Products => Some(Action::ReadProduct),
            Self::Diagnoses | Self::Operation => Some(Action::ReadDiagnosis),
            Self::Releases => Some(Action::ReadRelease),
            Self::Campaigns => Some(Action::ReadCampaign),
            Self::Vulnerabilities => Some(Action::ReadVulnerabilities),
            Self::Cases => Some(Action::ReadCases),
            Self::Audit => Some(Action::ReadAuditLog),
            Self::Policies | Self::Schemas => Some(Action::ReadPolicies),
            Self::Consents => Some(Action::ReadConsents),
            Self::Alerts => Some(Action::ReadAlerts),
            Self::Traffic => Some(Action::ReadMessages),
            Self::People => Some(Action::ReadPeople),
            Self::Approvals => Some(Action::ReadApprovals),
            Self::None | Self::Log | Self::Glossary | Self::Guide | Self::Account => None,
        }
    }
}

/// One entry of the navigation.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// which part
    pub section: Section,
    /// where
    pub href: &'static str,
    /// key of its name
    pub key: &'static str,
    /// picture
    pub icon: Icon,
}

macro_rules! navigation {
    ($($group:literal { $($section:ident, $href:literal, $key:literal, $icon:ident;)* })+) => {
        /// The navigation: groups, each with the key of its heading. A page that lands adds its line;
        /// a test sees to it that each is answered.
        pub const NAVIGATION: &[(&str, &[Item])] = &[$(($group, &[$(Item {
            section: Section::$section, href: $href, key: $key, icon: Icon::$icon,
        },)*]),)+];
    };
}

navigation! {
    "nav-group-fleet" {
        Overview, "/", "nav-overview", Overview;
        Devices, "/devices", "nav-devices", Device;
        Jobs, "/jobs", "nav-jobs", Jobs;
        Products, "/products", "nav-products", Product;
        Alerts, "/alerts", "nav-alerts", Warning;
    }
    "nav-group-assessment" {
        Diagnoses, "/diagnoses", "nav-diagnoses", Diagnosis;
        Operation, "/operation", "nav-operation", Gate;
    }
    "nav-group-software" {
        Releases, "/releases", "nav-releases", Release;
        Campaigns, "/campaigns", "nav-campaigns", Campaign;
        Vulnerabilities, "/vulnerabilities", "nav-vulnerabilities", Vulnerability;
        Cases, "/cases", "nav-cases", Clock;
    }
    "nav-group-trust" {
        Traffic, "/traffic", "nav-traffic", Jobs;
        Policies, "/policies", "nav-policies", Gate;
        Schemas, "/schemas", "nav-schemas", Gate;
        Consents, "/consents", "nav-consents", Approval;
        Authorities, "/authorities", "nav-authorities", Key;
        Log, "/log", "nav-log", Log;
        Audit, "/audit", "nav-audit", Audit;
    }
    "nav-group-who" {
        Organisations, "/organisations", "nav-organisations", Organisation;
        People, "/people", "nav-people", People;
        Approvals, "/approvals", "nav-approvals", Approval;
    }
    "nav-group-help" {
        Guide, "/guide", "nav-guide", Guide;
        Glossary, "/glossary", "nav-glossary", Book;
    }
}

/// Something to say above a page.
#[derive(Debug, Clone)]
pub struct Notice {
    /// the text
    pub text: String,
}

/// Person and organisation in the header.
#[derive(Debug, Clone)]
pub struct Person {
    /// the person's name
    pub name: String,
    /// name of the organisation
    pub organisation: String,
}

/// What the layout shows; each page's template has one as `frame`, and `t` beside it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// texts
    pub t: Locale,
    /// title of the page
    pub title: String,
    /// which part of the navigation
    pub section: Section,
    /// who is signed in
    pub person: Option<Person>,
    /// said once above the page
    pub notice: Option<Notice>,
    /// files
    pub assets: Assets,
    theme: Option<Theme>,
    path: String,
    token: String,
    navigation: Vec<(&'static str, Vec<Item>)>,
}

impl Frame {
    pub(crate) fn new(visit: &Visit, section: Section, title: String) -> Self {
        Self {
            t: visit.t,
            title,
            section,
            person: visit.signed.as_ref().map(|signed| Person {
                name: signed.name.clone(),
                organisation: signed.organisation_name.clone(),
            }),
            notice: visit
                .notice
                .as_deref()
                .map(|notice| Notice { text: visit.t.word("notice", notice).to_string() }),
            assets: Assets,
            theme: visit.theme,
            path: visit.path.clone(),
            token: visit.token(),
            navigation: visit.signed.as_ref().map(reachable).unwrap_or_default(),
        }
    }

    /// The hidden field that every form carries.
    pub fn token(&self) -> Token<'_> {
        Token(&self.token)
    }

    /// The theme's word for `data-theme`.
    pub fn theme(&self) -> Option<&'static str> {
        self.theme.map(Theme::name)
    }

    /// Where to come back to after a choice of language or theme.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `lang` of this request's address: pages without cookies carry it on.
    pub fn kept_language(&self) -> Option<&'static str> {
        let query = self.path.split_once('?').map(|(_, query)| query)?;
        query.split('&').find_map(|pair| match pair {
            "lang=en" => Some("en"),
            "lang=ja" => Some("ja"),
            _ => None,
        })
    }

    /// Where numbers are typed, in the language of this request's address.
    pub fn number_form(&self) -> String {
        match self.kept_language() {
            Some(language) => format!("/p?lang={language}"),
            None => "/p".to_owned(),
        }
    }

    /// Groups of the navigation, with what the visitor's roles allow.
    pub fn navigation(&self) -> &[(&'static str, Vec<Item>)] {
        &self.navigation
    }

    /// The other language: its code and its own name.
    pub fn other_language(&self) -> (&'static str, &'static str) {
        let other = match self.t.language {
            Language::En => Language::Ja,
            Language::Ja => Language::En,
        };
        (other.name(), crate::i18n::own_name(other))
    }
}

/// What of the navigation the visitor's roles reach. Only what is shown depends on it: the service
/// decides what is done.
fn reachable(signed: &crate::SignedIn) -> Vec<(&'static str, Vec<Item>)> {
    let own = policy::Resource::organisation(&signed.organisation);
    let reaches = |item: &&Item| match item.section.needs() {
        Some(action) => policy::authorize(&signed.caller, action, &own).is_ok(),
        None => true,
    };
    NAVIGATION
        .iter()
        .map(|(heading, items)| (*heading, items.iter().filter(reaches).copied().collect()))
        .filter(|(_, items): &(_, Vec<Item>)| !items.is_empty())
        .collect()
}

/// See [`Frame::token`].
#[derive(Debug, Clone, Copy)]
pub struct Token<'a>(&'a str);

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<input type=\"hidden\" name=\"csrf\" value=\"{}\">", self.0)
    }
}

// Hexadecimal digits only.
impl HtmlSafe for Token<'_> {}
