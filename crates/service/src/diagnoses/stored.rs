//! Entries of diagnoses as they are kept, and diagnoses made of them.

use super::{check_sheet, damaged, day_of};
use crate::{
    Service, ServiceError,
    store::{
        Tx,
        diagnosis::{self as store, ChangeRow, DiagnosisRow, EntryRow},
    },
};
use assessment::{Answer, Day, Diagnosis, Entry, Evidence, Outcome, Score, State, Topic};
use crypto::{Sha256, UnixTime};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// `outcome` of a feature that is absent.
const ABSENT: &str = "absent";
/// `counts_until` of evidence without an end.
const NO_END: &str = "9999-12-31";

/// An entry as JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<StoredEvidence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredEvidence {
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    on: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

pub(super) fn write(entry: &Entry) -> Result<String, ServiceError> {
    let stored = match entry {
        Entry::Absent(reason) => Stored {
            answer: None,
            reason: Some(reason.clone()),
            evidence: Vec::new(),
            owner: None,
            due: None,
            comment: None,
        },
        Entry::Answer(answer) => Stored {
            answer: Some(answer.outcome.word().to_owned()),
            reason: answer.reason.clone(),
            evidence: answer
                .evidence
                .iter()
                .map(|piece| StoredEvidence {
                    what: piece.what.clone(),
                    sha256: piece.sha256.as_ref().map(ToString::to_string),
                    on: piece.on.to_string(),
                    until: piece.until.map(|day| day.to_string()),
                })
                .collect(),
            owner: answer.owner.clone(),
            due: answer.due.map(|day| day.to_string()),
            comment: answer.comment.clone(),
        },
    };
    serde_json::to_string(&stored).map_err(|_| damaged())
}

pub(super) fn read(text: &str) -> Result<Entry, ServiceError> {
    let stored: Stored = serde_json::from_str(text).map_err(|_| damaged())?;
    let day = |text: &str| Day::parse(text).ok_or_else(damaged);
    let Some(answer) = &stored.answer else {
        return stored.reason.map(Entry::Absent).ok_or_else(damaged);
    };
    let evidence = stored
        .evidence
        .into_iter()
        .map(|piece| {
            let sha256 = match &piece.sha256 {
                None => None,
                Some(hex) => Some(Sha256::from_hex(hex).ok_or_else(damaged)?),
            };
            let until = piece.until.as_deref().map(day).transpose()?;
            Ok(Evidence { on: day(&piece.on)?, what: piece.what, sha256, until })
        })
        .collect::<Result<Vec<_>, ServiceError>>()?;
    Ok(Entry::Answer(Answer {
        outcome: Outcome::of_word(answer).ok_or_else(damaged)?,
        reason: stored.reason,
        evidence,
        owner: stored.owner,
        due: stored.due.as_deref().map(day).transpose()?,
        comment: stored.comment,
    }))
}

/// A diagnosis with what the store knows about its topics.
pub(super) struct Loaded {
    pub(super) diagnosis: Diagnosis,
    /// by topic, those that were taken away included
    pub(super) entries: BTreeMap<String, EntryRow>,
    /// topics with an answer that the check sheet does not have any more
    pub(super) orphans: Vec<String>,
}

impl Loaded {
    /// The version of a topic: 0 where nothing ever stood there.
    pub(super) fn version_of(&self, topic: &str) -> u64 {
        self.entries.get(topic).map_or(0, |row| row.version)
    }
}

impl Service {
    /// What a diagnosis is called in its file: whose product, which one.
    pub(super) fn diagnosed_product(&self, row: &DiagnosisRow) -> Result<String, ServiceError> {
        let (organisation, product) = self.product_names(row.product)?;
        Ok(format!("{organisation}/{product}"))
    }

    /// A diagnosis as people answered it, of the day of its last change, with what collectors found.
    pub(super) fn load_diagnosis(
        &self,
        connection: &Connection,
        row: &DiagnosisRow,
    ) -> Result<Loaded, ServiceError> {
        let mut loaded = load(connection, row, &self.diagnosed_product(row)?)?;
        let checks = super::evidence::checks(connection, row.product)?;
        loaded.diagnosis.take_checks(check_sheet()?, &checks);
        Ok(loaded)
    }
}

pub(super) fn load(
    connection: &Connection,
    row: &DiagnosisRow,
    product: &str,
) -> Result<Loaded, ServiceError> {
    let library = check_sheet()?;
    let on = day_of(row.changed_at)?;
    let mut diagnosis = Diagnosis::new(product, &row.subject, on).map_err(|_| damaged())?;
    let (mut entries, mut orphans) = (BTreeMap::new(), Vec::new());
    for entry in store::entries(connection, row.id)? {
        if let Some(text) = &entry.entry {
            match (Topic::find(library, &entry.topic), read(text)?) {
                (None, _) => orphans.push(entry.topic.clone()),
                (Some(Topic::Item(id)), Entry::Answer(answer)) => {
                    diagnosis.answers.insert(id, answer);
                }
                (Some(Topic::Clause(reference)), Entry::Answer(answer)) => {
                    diagnosis.clauses.insert(reference, answer);
                }
                (Some(Topic::Absent(feature)), Entry::Absent(reason)) => {
                    diagnosis.absent.insert(feature, reason);
                }
                _ => return Err(damaged()),
            }
        }
        entries.insert(entry.topic.clone(), entry);
    }
    Ok(Loaded { diagnosis, entries, orphans })
}

/// The total of a diagnosis without reading what was written: for lists.
pub(super) fn total(
    connection: &Connection,
    row: &DiagnosisRow,
    at: Day,
) -> Result<Score, ServiceError> {
    let library = check_sheet()?;
    let today = at.to_string();
    let mut found = Diagnosis::new("any", &row.subject, at).map_err(|_| damaged())?;
    found.take_checks(library, &super::evidence::checks(connection, row.product)?);
    let mut absent: HashSet<String> = HashSet::new();
    let mut states: HashMap<String, State> = HashMap::new();
    store::each_outcome(connection, row.id, |topic, outcome, until| {
        if outcome == ABSENT {
            absent.insert(topic.to_owned());
        } else if let Some(state) = state_of(outcome, until, &today) {
            states.insert(topic.to_owned(), state);
        }
    })?;
    let mut score = Score::default();
    for item in library.items() {
        let missing = item.when.iter().any(|feature| absent.contains(feature.as_str()));
        let state = match missing {
            true => State::NotApplicable,
            false => {
                let answered = states.get(item.id.as_str()).copied().unwrap_or(State::Open);
                answered.with_checks(found.checks_of(&item.id), at)
            }
        };
        score.add(item.weight, state);
    }
    Ok(score)
}

/// As `State::of`, from the columns that lists read. Days compare as texts.
fn state_of(outcome: &str, until: Option<&str>, today: &str) -> Option<State> {
    Some(match Outcome::of_word(outcome)? {
        Outcome::NotApplicable => State::NotApplicable,
        Outcome::NotMet => State::NotMet,
        Outcome::Partly => State::Partly,
        Outcome::Met => match until {
            None => State::Claimed,
            Some(until) if today <= until => State::Met,
            Some(_) => State::Expired,
        },
    })
}

/// A change of a topic, to be committed.
pub(super) struct Put<'a> {
    pub(super) topic: &'a Topic,
    pub(super) before: Option<&'a Entry>,
    pub(super) after: Option<&'a Entry>,
    /// `answer`, `import`, `carried`, `sheet`
    pub(super) how: &'a str,
}

/// Commits a change under `version`, with its line of history.
pub(super) fn put(
    tx: &Tx<'_>,
    diagnosis: i64,
    change: &Put<'_>,
    version: u64,
    by: &str,
    at: UnixTime,
) -> Result<(), ServiceError> {
    let text = |entry: Option<&Entry>| entry.map(write).transpose();
    let (outcome, counts_until) = match change.after {
        None => (None, None),
        Some(Entry::Absent(_)) => (Some(ABSENT.to_owned()), None),
        Some(Entry::Answer(answer)) => {
            let ends = answer.evidence.iter();
            let last = ends
                .map(|piece| piece.until.map_or(NO_END.to_owned(), |day| day.to_string()))
                .max();
            (Some(answer.outcome.word().to_owned()), last)
        }
    };
    let (before, after) = (text(change.before)?, text(change.after)?);
    let row = EntryRow {
        topic: change.topic.to_string(),
        version,
        outcome,
        counts_until,
        entry: after.clone(),
        changed_by: by.to_owned(),
        changed_at: at,
    };
    store::put_entry(tx, diagnosis, &row)?;
    let history = ChangeRow {
        id: 0,
        version,
        topic: row.topic,
        how: change.how.to_owned(),
        before,
        after,
        by: row.changed_by,
        at,
    };
    store::insert_change(tx, diagnosis, &history)
}
