use super::{Language, text::format_number};
use fluent_bundle::{FluentResource, concurrent::FluentBundle};
use std::sync::LazyLock;
use unic_langid::langid;

/// One family of pages: its name, its English and its Japanese texts.
pub type Area = (&'static str, &'static str, &'static str);

macro_rules! areas {
    ($($name:literal,)+) => {
        /// Every area with its texts. A new one is one line here and two files.
        pub const AREAS: &[Area] = &[$((
            $name,
            include_str!(concat!("../../locales/en/", $name, ".ftl")),
            include_str!(concat!("../../locales/ja/", $name, ".ftl")),
        ),)+];
    };
}

areas! {
    "frame",
    "sign-in",
    "account",
    "guide",
    "glossary",
    "public",
    "words",
    "organisations",
    "products",
    "authorities",
    "audit",
    "log",
    "passport",
    "devices",
    "overview",
    "people",
    "approvals",
    "forms",
    "report",
    "releases",
    "campaigns",
    "vulnerabilities",
    "cases",
    "diagnoses",
    "operation",
    "threats",
    "impact",
    "messages",
    "device-log",
    "policies",
    "schemas",
    "consents",
    "mud",
    "outside-mud",
    "peer-trust",
    "routes",
    "alerts",
    "receivers",
    "traffic",
    "behaviour",
}

/// Every text, read once.
pub(super) static TEXTS: LazyLock<Texts> = LazyLock::new(Texts::load);

pub(super) struct Texts {
    en: FluentBundle<FluentResource>,
    ja: FluentBundle<FluentResource>,
}

impl Texts {
    fn load() -> Self {
        let mut en = FluentBundle::new_concurrent(vec![langid!("en")]);
        let mut ja = FluentBundle::new_concurrent(vec![langid!("ja")]);
        for bundle in [&mut en, &mut ja] {
            // Marks around arguments would end up in copied text; names here do not mix directions.
            bundle.set_use_isolating(false);
            bundle.set_formatter(Some(format_number));
        }
        for (area, english, japanese) in AREAS {
            add(&mut en, area, english);
            add(&mut ja, area, japanese);
        }
        Self { en, ja }
    }

    pub(super) fn bundle(&self, language: Language) -> &FluentBundle<FluentResource> {
        match language {
            Language::En => &self.en,
            Language::Ja => &self.ja,
        }
    }
}

/// Adds what can be read; the tests see to it that this is all.
fn add(bundle: &mut FluentBundle<FluentResource>, area: &str, source: &str) {
    let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(read, errors)| {
        tracing::error!(area, ?errors, "texts cannot be read");
        read
    });
    if let Err(errors) = bundle.add_resource(resource) {
        tracing::error!(area, ?errors, "texts clash");
    }
}
