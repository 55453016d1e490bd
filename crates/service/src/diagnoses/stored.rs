//! Entries of diagnoses as they are kept, and diagnoses made of them.

use super::{check_sheet, damaged, day_of};
use crate::{
    Service, ServiceError,
    store::{
        Tx,
        diagnosis::{self as store, ChangeRow, DiagnosisRow, EntryRow, Growth},
    },
};
use assessment::{
    Answer, Day, Diagnosis, Entry, Evidence, FILE_BYTES_MAX, Outcome, Score, State, Topic,
};
use crypto::{Sha256, UnixTime};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// `outcome` of a feature that is absent.
const ABSENT: &str = "absent";
/// Bytes of all entries of a diagnosis: as many as its file may have.
const ENTRY_BYTES_MAX: u64 = FILE_BYTES_MAX as u64;
/// What a line of history takes beside what was said.
pub(super) const LINE_BYTES: u64 = 512;
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
pub(crate) struct Loaded {
    pub(crate) diagnosis: Diagnosis,
    /// by topic, those that were taken away included
    pub(crate) entries: BTreeMap<String, EntryRow>,
    /// topics with an answer that the check sheet does not have any more
    pub(crate) orphans: Vec<String>,
}

impl Service {
    /// What a diagnosis is called in its file: whose product, which one.
    pub(super) fn diagnosed_product(&self, row: &DiagnosisRow) -> Result<String, ServiceError> {
        let (organisation, product) = self.product_names(row.product)?;
        Ok(format!("{organisation}/{product}"))
    }

    /// A diagnosis as people answered it, of the day of its last change, with what collectors found.
    pub(crate) fn load_diagnosis(
        &self,
        connection: &Connection,
        row: &DiagnosisRow,
    ) -> Result<Loaded, ServiceError> {
        let mut loaded = load(connection, row, &self.diagnosed_product(row)?)?;
        let checks = super::evidence::checks(connection, row.product, &row.subject)?;
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

/// A diagnosis with the outcomes of its answers and nothing else: enough for the rules between them,
/// however much was written, and so for the writer, whom everybody waits for.
pub(super) fn outcomes(
    connection: &Connection,
    row: &DiagnosisRow,
    product: &str,
    on: Day,
) -> Result<Diagnosis, ServiceError> {
    let library = check_sheet()?;
    let mut diagnosis = Diagnosis::new(product, &row.subject, on).map_err(|_| damaged())?;
    let mut odd = false;
    store::each_outcome(connection, row.id, |topic, outcome, _| {
        let answer = Outcome::of_word(outcome).map(|outcome| Answer {
            outcome,
            reason: None,
            evidence: Vec::new(),
            owner: None,
            due: None,
            comment: None,
        });
        match (Topic::find(library, topic), answer) {
            (None, _) => {}
            (Some(Topic::Item(id)), Some(answer)) => drop(diagnosis.answers.insert(id, answer)),
            (Some(Topic::Clause(reference)), Some(answer)) => {
                diagnosis.clauses.insert(reference, answer);
            }
            (Some(Topic::Absent(feature)), None) if outcome == ABSENT => {
                diagnosis.absent.insert(feature, String::new());
            }
            _ => odd = true,
        }
    })?;
    if odd { Err(damaged()) } else { Ok(diagnosis) }
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
    found.take_checks(library, &super::evidence::checks(connection, row.product, &row.subject)?);
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

/// A change of a topic.
pub(super) struct Put<'a> {
    pub(super) topic: &'a Topic,
    pub(super) before: Option<&'a Entry>,
    pub(super) after: Option<&'a Entry>,
}

/// A change of a topic as it is kept. It is made before the transaction: the writer is everybody's.
pub(super) struct Line {
    topic: String,
    outcome: Option<String>,
    counts_until: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

impl Line {
    pub(super) fn of(change: &Put<'_>) -> Result<Self, ServiceError> {
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
        Ok(Self { topic: change.topic.to_string(), outcome, counts_until, before, after })
    }

    /// What it adds to what is kept.
    fn growth(&self) -> Growth {
        growth(self.before.as_deref(), self.after.as_deref())
    }
}

/// What a change adds to what is kept.
pub(super) fn growth(before: Option<&str>, after: Option<&str>) -> Growth {
    let bytes = |text: Option<&str>| text.map_or(0, str::len);
    let (before, after) = (bytes(before), bytes(after));
    let number = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    Growth {
        entries: number(after).saturating_sub(number(before)),
        // The entry, and its line of history with both.
        kept: u64::try_from(before + 2 * after).unwrap_or(u64::MAX).saturating_add(LINE_BYTES),
    }
}

/// Who changes a diagnosis, and how.
#[derive(Clone, Copy)]
pub(super) struct Stamp<'a> {
    /// `answer`, `import`, `carried`, `sheet`
    pub(super) how: &'a str,
    /// the version that the changes make
    pub(super) version: u64,
    pub(super) by: &'a str,
    pub(super) at: UnixTime,
}

/// Commits changes, each with its line of history. `most` is how many bytes of diagnoses are kept for
/// an organisation.
///
/// # Errors
/// `diagnosis-size`, `quota`; what only takes away is never too much.
pub(super) fn put(
    tx: &Tx<'_>,
    diagnosis: &DiagnosisRow,
    lines: Vec<Line>,
    stamp: &Stamp<'_>,
    most: u64,
) -> Result<(), ServiceError> {
    let takes_away = lines.iter().all(|line| line.after.is_none());
    let mut whole = Growth::default();
    for line in lines {
        let growth = line.growth();
        whole.entries = whole.entries.saturating_add(growth.entries);
        whole.kept = whole.kept.saturating_add(growth.kept);
        let row = EntryRow {
            topic: line.topic,
            version: stamp.version,
            outcome: line.outcome,
            counts_until: line.counts_until,
            entry: line.after,
            changed_by: stamp.by.to_owned(),
            changed_at: stamp.at,
        };
        store::put_entry(tx, diagnosis.id, &row)?;
        let history = ChangeRow {
            id: 0,
            version: stamp.version,
            topic: row.topic,
            how: stamp.how.to_owned(),
            before: line.before,
            after: row.entry,
            by: row.changed_by,
            at: stamp.at,
        };
        store::insert_change(tx, diagnosis.id, &history)?;
    }
    let (entries, kept) = store::charge(tx, (diagnosis.id, diagnosis.organisation), whole)?;
    if takes_away {
        return Ok(());
    }
    if entries > ENTRY_BYTES_MAX {
        return Err(ServiceError::refused(
            "diagnosis-size",
            format!(
                "the answers would have {entries} bytes, and may have {ENTRY_BYTES_MAX}; keep \
                 documents elsewhere, and say where and with which digest"
            ),
        ));
    }
    within(kept, most)
}

/// Refuses where an organisation has too much of diagnoses.
pub(super) fn within(kept: u64, most: u64) -> Result<(), ServiceError> {
    if kept <= most {
        return Ok(());
    }
    Err(ServiceError::refused(
        "quota",
        format!(
            "your organisation's diagnoses and their history would have {kept} bytes, and may have \
             {most}; ask the platform's operator"
        ),
    )
    .in_japanese(format!(
        "組織の診断とその履歴が{kept}バイトになり、上限の{most}バイトを超えます。運用者に相談してください"
    )))
}
