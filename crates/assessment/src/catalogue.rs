use crate::{
    AssessmentError, Bilingual, FeatureId, RecordRef, SourceId,
    named::words,
    text,
    yaml::{inconsistent, parse},
};
use serde::Deserialize;
use serde_saphyr::Spanned;
use std::collections::BTreeSet;

/// Records of one catalogue; the longest known, NIST SP 800-53, has about 1,200.
pub const RECORDS_MAX: usize = 5_000;

words! {
    /// What may be done with the text of a source.
    Licence {
        /// The text is free: public domain, CC0, or a law. Ours is our own wording all the same.
        Free "free" "free text" "自由に利用可",
        /// Identifiers may be named, the text is protected: only our own wording stands here.
        OwnWords "own-words" "identifiers and own wording" "識別子と独自の表現のみ",
        /// Free under the same licence.
        ShareAlike "share-alike" "free under the same licence" "同一条件で利用可",
    }
}

words! {
    /// How strongly a source asks.
    Strength {
        /// Must.
        Mandatory "mandatory" "mandatory" "必須",
        /// Should.
        Recommended "recommended" "recommended" "推奨",
        /// A topic to be looked at, without must or should.
        Topic "topic" "topic" "観点",
    }
}

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// short name, first part of every reference
    pub id: SourceId,
    /// title of the document
    pub title: Bilingual,
    /// who publishes it
    pub publisher: String,
    /// edition or year that the records follow
    pub edition: String,
    /// where the original can be had
    pub url: String,
    /// what may be done with its text
    pub licence: Licence,
    /// what to know before using these records
    pub note: Option<Bilingual>,
}

/// One requirement, provision or topic of a source, in our own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// source and id
    pub reference: RecordRef,
    /// heading under which the source has it
    pub group: String,
    /// short title
    pub title: Bilingual,
    /// what is asked, in our own words
    pub text: Bilingual,
    /// how strongly
    pub strength: Strength,
    /// lowest security level that asks for it (IEC 62443-4-2), 1 to 4
    pub security_level: Option<u8>,
    /// applies only where the product has all of these
    pub when: Vec<FeatureId>,
    /// condition in words, where features do not say it all
    pub condition: Option<Bilingual>,
    /// what may be done with the text of its source
    pub licence: Licence,
    /// who compared it with the original; `None` where nobody has
    pub checked: Option<String>,
}

/// One source with its records, in the order of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalogue {
    /// where they come from
    pub source: Source,
    /// headings, in order: id and title
    pub groups: Vec<(String, Bilingual)>,
    /// records
    pub records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCatalogue {
    source: RawSource,
    groups: Vec<RawGroup>,
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    id: Spanned<String>,
    title: Bilingual,
    publisher: String,
    edition: String,
    url: String,
    licence: Licence,
    note: Option<Bilingual>,
    checked: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    id: Spanned<String>,
    title: Bilingual,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecord {
    id: Spanned<String>,
    group: String,
    title: Bilingual,
    text: Bilingual,
    strength: Option<Strength>,
    security_level: Option<u8>,
    #[serde(default)]
    when: Vec<String>,
    condition: Option<Bilingual>,
    checked: Option<String>,
}

impl Catalogue {
    /// Reads a catalogue file; `file` is its name in errors.
    ///
    /// # Errors
    /// [`AssessmentError::Malformed`] for what is not the form of `docs/assessment.md`,
    /// [`AssessmentError::Inconsistent`] for ids that are given twice or groups that do not exist,
    /// [`AssessmentError::TooLarge`] beyond a limit.
    pub fn parse(file: &str, text: &str) -> Result<Self, AssessmentError> {
        let raw: RawCatalogue = parse(file, text)?;
        let at = &raw.source.id;
        if raw.records.len() > RECORDS_MAX {
            return Err(AssessmentError::TooLarge {
                file: file.to_owned(),
                what: "records",
                found: raw.records.len(),
                most: RECORDS_MAX,
            });
        }
        let id = SourceId::parse(&at.value).ok_or_else(|| {
            inconsistent(file, at, "an id of a source is lower-case letters, digits and hyphens")
        })?;
        let source = Source {
            id,
            title: raw.source.title,
            publisher: raw.source.publisher,
            edition: raw.source.edition,
            url: raw.source.url,
            licence: raw.source.licence,
            note: raw.source.note,
        };
        let texts = [&source.publisher, &source.edition, &source.url, &raw.source.checked];
        let fault = texts
            .into_iter()
            .find_map(|text| text::fault(text))
            .or_else(|| source.title.fault())
            .or_else(|| source.note.as_ref().and_then(Bilingual::fault));
        if let Some(fault) = fault {
            return Err(inconsistent(file, at, fault));
        }
        let mut groups = Vec::with_capacity(raw.groups.len());
        let mut known = BTreeSet::new();
        for group in raw.groups {
            if !known.insert(group.id.value.clone()) {
                return Err(inconsistent(file, &group.id, "this group is there already"));
            }
            if let Some(fault) = group.title.fault().or_else(|| text::fault(&group.id.value)) {
                return Err(inconsistent(file, &group.id, fault));
            }
            groups.push((group.id.value, group.title));
        }
        let checked = named_checker(&raw.source.checked);
        let mut seen = BTreeSet::new();
        let mut records = Vec::with_capacity(raw.records.len());
        for raw in raw.records {
            let at = raw.id.clone();
            let record = raw.record(file, &source, checked.as_deref())?;
            if !known.contains(&record.group) {
                let detail = format!("no group {:?} in this file", record.group);
                return Err(inconsistent(file, &at, detail));
            }
            if !seen.insert(record.reference.id().to_owned()) {
                let detail = format!("the record {} is there already", record.reference);
                return Err(inconsistent(file, &at, detail));
            }
            records.push(record);
        }
        Ok(Self { source, groups, records })
    }

    /// The title of a group.
    pub fn group(&self, id: &str) -> Option<&Bilingual> {
        self.groups.iter().find(|(group, _)| group == id).map(|(_, title)| title)
    }
}

impl RawRecord {
    fn record(
        self,
        file: &str,
        source: &Source,
        checked: Option<&str>,
    ) -> Result<Record, AssessmentError> {
        let at = &self.id;
        let reference = RecordRef::new(&source.id, &at.value).ok_or_else(|| {
            inconsistent(file, at, "an id is letters, digits, dots, hyphens and brackets")
        })?;
        let fault = self
            .title
            .fault()
            .or_else(|| self.text.fault())
            .or_else(|| self.condition.as_ref().and_then(Bilingual::fault))
            .or_else(|| self.checked.as_deref().and_then(text::fault));
        if let Some(fault) = fault {
            return Err(inconsistent(file, at, format!("{reference}: {fault}")));
        }
        if self.security_level.is_some_and(|level| !(1..=4).contains(&level)) {
            return Err(inconsistent(file, at, "a security level is 1 to 4"));
        }
        let when = features(file, at, &self.when)?;
        Ok(Record {
            reference,
            group: self.group,
            title: self.title,
            text: self.text,
            strength: self.strength.unwrap_or(Strength::Mandatory),
            security_level: self.security_level,
            when,
            condition: self.condition,
            licence: source.licence,
            checked: match self.checked {
                None => checked.map(str::to_owned),
                Some(own) => named_checker(&own),
            },
        })
    }
}

pub(crate) fn features<T>(
    file: &str,
    at: &Spanned<T>,
    words: &[String],
) -> Result<Vec<FeatureId>, AssessmentError> {
    words
        .iter()
        .map(|word| {
            FeatureId::parse(word)
                .ok_or_else(|| inconsistent(file, at, format!("{word:?} is no feature")))
        })
        .collect()
}

/// `nobody` is written out, so that a missing line is an error and not a claim.
fn named_checker(text: &str) -> Option<String> {
    (text != "nobody").then(|| text.to_owned())
}
