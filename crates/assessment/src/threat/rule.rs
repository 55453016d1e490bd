//! Measures, rules and forms: data under `catalogues/threats/`, read and checked here.

use crate::{
    AssessmentError, Bilingual, Library, LibraryFile, RecordRef, Threat,
    threat::{
        Actor, Category, Form, Harm, Model, Scope, Silence,
        condition::Condition,
        form_read,
        model_read::{self, RawModel, nearest},
    },
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeSet;

/// Rules, and measures, of one book.
pub const RULES_MAX: usize = 2_000;

/// Something that is done against threats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// stable name
    pub id: String,
    /// what is done
    pub title: Bilingual,
    /// requirements that ask for it
    pub requirements: Vec<RecordRef>,
    /// items of the check sheet that ask for it
    pub items: Vec<String>,
}

/// One way in which a product may be attacked or may fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// stable name
    pub id: String,
    /// what kind of threat
    pub threat: Threat,
    /// what it looks at
    pub scope: Scope,
    /// the condition, as it is written
    pub when: String,
    pub(crate) condition: Condition,
    /// what would silence it
    pub silence: Silence,
    /// what suffers
    pub harms: Vec<Harm>,
    /// how likely it is where nothing is done, 1 to 5
    pub likelihood: u8,
    /// who may do it
    pub actors: Vec<Actor>,
    /// only for products of one of these; empty for all
    pub categories: Vec<Category>,
    /// where it comes from
    pub reference: Vec<RecordRef>,
    /// rules whose threat it makes possible
    pub leads_to: Vec<String>,
    /// short title
    pub title: Bilingual,
    /// what happens
    pub text: Bilingual,
    /// a model that raises it
    pub example: Model,
    /// the only thing in the example that it is raised for
    pub example_subject: String,
}

/// The files of a rule book.
#[derive(Clone, Copy, Debug)]
pub struct RuleFiles<'a> {
    /// measures
    pub measures: LibraryFile<'a>,
    /// forms
    pub forms: LibraryFile<'a>,
    /// rules
    pub rules: &'a [LibraryFile<'a>],
}

/// Measures, forms and rules that fit together and to the catalogues.
#[derive(Clone, Debug)]
pub struct RuleBook {
    measures: Vec<Measure>,
    forms: Vec<Form>,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeasures {
    measures: Vec<RawMeasure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeasure {
    id: Spanned<String>,
    title: Bilingual,
    requirements: Vec<Spanned<String>>,
    items: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRules {
    rules: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Spanned<String>,
    threat: Threat,
    scope: Scope,
    when: Spanned<String>,
    silence: Spanned<String>,
    harms: Vec<Harm>,
    likelihood: u8,
    actors: Vec<Actor>,
    #[serde(default)]
    categories: Vec<Category>,
    reference: Vec<Spanned<String>>,
    #[serde(default)]
    leads_to: Vec<Spanned<String>>,
    title: Bilingual,
    text: Bilingual,
    subject: String,
    example: RawModel,
}

impl RuleBook {
    /// The rules that come with Tegata (`catalogues/threats/`).
    ///
    /// # Errors
    /// Never for files that the tests have seen; the reason otherwise.
    pub fn embedded(library: &Library) -> Result<Self, AssessmentError> {
        Self::build(&crate::embedded::RULES, library)
    }

    /// Reads the files and checks that they fit together, and to `library`.
    ///
    /// # Errors
    /// [`AssessmentError`] with file and line of the first fault.
    pub fn build(files: &RuleFiles<'_>, library: &Library) -> Result<Self, AssessmentError> {
        let mut book = Self {
            measures: read_measures(files.measures, library)?,
            forms: form_read::read(files.forms, library)?,
            rules: Vec::new(),
        };
        let mut leads = Vec::new();
        for file in files.rules {
            let raw: RawRules = parse(file.name, file.text)?;
            for one in raw.rules {
                for to in &one.leads_to {
                    leads.push((file.name, to.clone()));
                }
                let at = one.id.clone();
                let rule = one.rule(file.name, &book, library)?;
                if book.rule(&rule.id).is_some() {
                    let detail = format!("there is a rule {} already", rule.id);
                    return Err(inconsistent(file.name, &at, detail));
                }
                if book.rules.len() >= RULES_MAX {
                    return Err(AssessmentError::TooLarge {
                        file: file.name.to_owned(),
                        what: "rules",
                        found: RULES_MAX + 1,
                        most: RULES_MAX,
                    });
                }
                book.rules.push(rule);
            }
        }
        let ids: Vec<&str> = book.rules.iter().map(|one| one.id.as_str()).collect();
        for (file, to) in leads {
            if !ids.contains(&to.value.as_str()) {
                let detail = format!("no rule {:?}{}", to.value, nearest(&to.value, &ids));
                return Err(inconsistent(file, &to, detail));
            }
        }
        form_read::check_rules(&book, files.forms)?;
        Ok(book)
    }

    /// Measures, in their order.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The measure `id`.
    pub fn measure(&self, id: &str) -> Option<&Measure> {
        self.measures.iter().find(|one| one.id == id)
    }

    /// Rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule `id`.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|one| one.id == id)
    }

    /// Forms, in their order.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The form `id`.
    pub fn form(&self, id: &str) -> Option<&Form> {
        self.forms.iter().find(|one| one.id == id)
    }

    pub(crate) fn form_ids(&self) -> String {
        self.forms.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn read_measures(
    file: LibraryFile<'_>,
    library: &Library,
) -> Result<Vec<Measure>, AssessmentError> {
    let raw: RawMeasures = parse(file.name, file.text)?;
    let mut seen = BTreeSet::new();
    let mut measures = Vec::with_capacity(raw.measures.len());
    for one in raw.measures {
        named(file.name, &one.id, &mut seen)?;
        if let Some(fault) = one.title.fault() {
            return Err(inconsistent(file.name, &one.id, fault));
        }
        if one.requirements.is_empty() {
            return Err(inconsistent(file.name, &one.id, "a measure names a requirement"));
        }
        for item in &one.items {
            if library.item(&item.value).is_none() {
                return Err(inconsistent(file.name, item, format!("no item {}", item.value)));
            }
        }
        measures.push(Measure {
            requirements: records(file.name, &one.requirements, library)?,
            items: one.items.into_iter().map(|item| item.value).collect(),
            id: one.id.value,
            title: one.title,
        });
    }
    Ok(measures)
}

impl RawRule {
    fn rule(self, file: &str, book: &RuleBook, library: &Library) -> Result<Rule, AssessmentError> {
        let at = &self.id;
        named(file, at, &mut BTreeSet::new())?;
        let fail = |detail: String| inconsistent(file, at, format!("{}: {detail}", at.value));
        if let Some(fault) = self.title.fault().or_else(|| self.text.fault()) {
            return Err(fail(fault));
        }
        if !(1..=5).contains(&self.likelihood) {
            return Err(fail("a likelihood is 1 to 5".to_owned()));
        }
        if self.harms.is_empty() || self.actors.is_empty() || self.reference.is_empty() {
            return Err(fail("a rule names harms, actors and references".to_owned()));
        }
        let condition = Condition::parse(&self.when.value, self.scope)
            .map_err(|detail| inconsistent(file, &self.when, detail))?;
        let silence = Silence::parse(&self.silence.value)
            .map_err(|detail| inconsistent(file, &self.silence, detail))?;
        if let Some(unknown) = silence.measures().into_iter().find(|id| book.measure(id).is_none())
        {
            let known: Vec<&str> = book.measures.iter().map(|one| one.id.as_str()).collect();
            let detail = format!("no measure {unknown:?}{}", nearest(unknown, &known));
            return Err(inconsistent(file, &self.silence, detail));
        }
        Ok(Rule {
            reference: records(file, &self.reference, library)?,
            example: model_read::example(file, self.example, book)?,
            id: self.id.value,
            threat: self.threat,
            scope: self.scope,
            when: self.when.value,
            condition,
            silence,
            harms: self.harms,
            likelihood: self.likelihood,
            actors: self.actors,
            categories: self.categories,
            leads_to: self.leads_to.into_iter().map(|one| one.value).collect(),
            title: self.title,
            text: self.text,
            example_subject: self.subject,
        })
    }
}

pub(super) fn records(
    file: &str,
    references: &[Spanned<String>],
    library: &Library,
) -> Result<Vec<RecordRef>, AssessmentError> {
    references
        .iter()
        .map(|one| {
            RecordRef::parse(&one.value)
                .filter(|reference| library.record(reference).is_some())
                .ok_or_else(|| inconsistent(file, one, format!("no record {}", one.value)))
        })
        .collect()
}

pub(super) fn named(
    file: &str,
    id: &Spanned<String>,
    seen: &mut BTreeSet<String>,
) -> Result<(), AssessmentError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.value.is_empty() || id.value.len() > 64 || !id.value.chars().all(allowed) {
        return Err(inconsistent(file, id, "an id is lower-case letters, digits and hyphens"));
    }
    if !seen.insert(id.value.clone()) {
        return Err(inconsistent(file, id, format!("{} is there already", id.value)));
    }
    Ok(())
}
