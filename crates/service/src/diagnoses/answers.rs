//! Use cases: what stands under a topic, who changed it, and changing it.

use super::{
    DiagnosisId, check_sheet,
    open::still_open,
    refused,
    stored::{Line, Loaded, Put, Stamp, outcomes, put, read},
};
use crate::{
    Page, Paged, Service, ServiceError,
    store::diagnosis::{self as store, DiagnosisRow, EntryRow},
};
use assessment::{Answer, Check, Day, Entry, Item, Layer, Phase, State, Topic};
use crypto::UnixTime;
use policy::{Action, Caller};

/// Bytes of what was said in one page of history; a single change may have more.
const HISTORY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What stands under a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerView {
    /// item, clause or feature
    pub topic: Topic,
    /// what stands there
    pub entry: Option<Entry>,
    /// which version of the diagnosis changed it last; 0 where nothing ever stood there
    pub version: u64,
    /// who changed it last
    pub changed_by: Option<String>,
    /// when
    pub changed_at: Option<UnixTime>,
}

/// An item of the check sheet as it stands in a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemView {
    /// where it stands today
    pub state: State,
    /// what was answered
    pub answer: AnswerView,
    /// the feature that the product does not have, with the reason, where that answers it
    pub absent: Option<(String, String)>,
    /// what collectors found
    pub checks: Vec<Check>,
}

/// Which items are wanted; all conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct ItemQuery {
    /// of this layer
    pub layer: Option<Layer>,
    /// of this phase
    pub phase: Option<Phase>,
    /// that stand so
    pub state: Option<State>,
    /// that this person sees to, as written in the answer
    pub owner: Option<String>,
    /// that hold these words somewhere: id, criterion in either language, comment, reason; words are
    /// told apart by spaces, and all must be there, in any case
    pub text: Option<String>,
}

/// A change of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeView {
    /// the version that it made
    pub version: u64,
    /// item, clause or feature, as it is written
    pub topic: String,
    /// `answer`, `import`, `carried`, `sheet`
    pub how: String,
    /// what stood there
    pub before: Option<Entry>,
    /// what stands there since
    pub after: Option<Entry>,
    /// who
    pub by: String,
    /// when
    pub at: UnixTime,
}

impl Service {
    /// Items of the check sheet as they stand in a diagnosis, in the order of the sheet.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn diagnosed_items(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        query: &ItemQuery,
        page: &Page,
    ) -> Result<Paged<ItemView>, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let (library, today) = (check_sheet()?, self.today()?);
        let (after, limit) = page.numbered(self.config.limits.page)?;
        let after = usize::try_from(after).map_err(|_| page.misplaced())?;
        let loaded = self.read(|connection| self.load_diagnosis(connection, &row))?;
        let words = query.text.as_deref().map(words_of).unwrap_or_default();
        let mut found = Vec::new();
        for (place, item) in library.items().iter().enumerate().skip(after) {
            let state = loaded.diagnosis.state(item, today);
            let answer = loaded.diagnosis.answers.get(&item.id);
            let owner = answer.and_then(|one| one.owner.as_ref());
            let wanted = query.layer.is_none_or(|layer| layer == item.layer)
                && query.phase.is_none_or(|phase| phase == item.phase)
                && query.state.is_none_or(|wanted| wanted == state)
                && query.owner.as_ref().is_none_or(|wanted| owner == Some(wanted))
                && holds(item, answer, &words);
            if !wanted {
                continue;
            }
            found.push((place, item_view(&loaded, item, today)));
            if found.len() > limit {
                break;
            }
        }
        // The place of the next page is that of the last item of this one, and one.
        let page = Paged::cut(found, limit, |(place, _)| place.saturating_add(1).to_string());
        page.try_map(|(_, view)| Ok(view))
    }

    /// One item as it stands.
    ///
    /// # Errors
    /// `not-found` also for an item that the check sheet does not have, `role`.
    pub async fn diagnosed_item(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        item: &str,
    ) -> Result<ItemView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let today = self.today()?;
        let item = check_sheet()?.item(item).ok_or_else(|| ServiceError::not_found("item"))?;
        let loaded = self.read(|connection| self.load_diagnosis(connection, &row))?;
        Ok(item_view(&loaded, item, today))
    }

    /// Every feature that a product may lack, with the reason where it does.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn diagnosed_features(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
    ) -> Result<Vec<AnswerView>, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let loaded = self.read(|connection| self.load_diagnosis(connection, &row))?;
        let features = check_sheet()?.features().iter();
        Ok(features
            .map(|feature| answer_view(&loaded, Topic::Absent(feature.id.clone())))
            .collect())
    }

    /// What stands under a topic.
    ///
    /// # Errors
    /// `topic`, `not-found`, `role`.
    pub async fn diagnosed(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        topic: &str,
    ) -> Result<AnswerView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let topic = topic_of(topic)?;
        let loaded = self.read(|connection| self.load_diagnosis(connection, &row))?;
        Ok(answer_view(&loaded, topic))
    }

    /// Changes what stands under a topic; `None` takes it away. `version` is that of the topic as the
    /// caller read it, 0 where nothing ever stood there: who comes second is told so.
    ///
    /// # Errors
    /// `topic`, `answer` for what the rules do not allow, `diagnosis-changed` where somebody changed
    /// the topic since, `diagnosis-size`, `quota`, `sheet-changed`, `diagnosis-signed`, `not-found`,
    /// `role`.
    pub async fn answer_diagnosis(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        topic: &str,
        version: u64,
        entry: Option<Entry>,
    ) -> Result<AnswerView, ServiceError> {
        let row = self.diagnosis_for(caller, Action::AnswerDiagnosis, id)?;
        let topic = topic_of(topic)?;
        let (now, today, by) = (self.now(), self.today()?, caller.to_string());
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(self.organisation_id(row.organisation)?.as_str())
            .subject(&id.to_string())
            .detail("what", "diagnosis-answered")
            .detail("topic", &topic.to_string());
        let product = self.diagnosed_product(&row)?;
        let most = self.config.limits.document_bytes_per_organisation;
        self.commit(move |tx| {
            let row = still_open(tx, row.id)?;
            with_sheet(&row)?;
            let name = topic.to_string();
            let stands = store::entry(tx, row.id, &name)?;
            let present = stands.as_ref().map_or(0, |row| row.version);
            if present != version {
                let who = stands.as_ref().map_or("somebody", |row| &row.changed_by);
                return Err(super::changed_meanwhile(&format!(
                    "{name} was changed since by {who}: it is at version {present}, not {version}"
                )));
            }
            let before =
                stands.as_ref().and_then(|row| row.entry.as_deref()).map(read).transpose()?;
            if before == entry {
                return Ok(entry_view(stands.as_ref(), before, topic));
            }
            let mut others = outcomes(tx, &row, &product, today)?;
            let library = check_sheet()?;
            others.put(library, &topic, entry.clone()).map_err(|error| refused(&error))?;
            let version = store::count_change(tx, row.id, &row.sheet, now)?;
            let one = Put { topic: &topic, before: before.as_ref(), after: entry.as_ref() };
            let stamp = Stamp { how: "answer", version, by: &by, at: now };
            put(tx, &row, vec![Line::of(&one)?], &stamp, most)?;
            let after = match &entry {
                None => "taken away",
                Some(Entry::Absent(_)) => "absent",
                Some(Entry::Answer(answer)) => answer.outcome.word(),
            };
            tx.audit(&event.detail("answer", after).detail("version", &version.to_string()))?;
            Ok(AnswerView { topic, entry, version, changed_by: Some(by), changed_at: Some(now) })
        })
        .await
    }

    /// Who changed what in a diagnosis, or of one topic of it, newest first.
    ///
    /// # Errors
    /// `topic`, `not-found`, `role`, `page`.
    pub async fn diagnosis_history(
        &self,
        caller: &Caller,
        id: &DiagnosisId,
        topic: Option<&str>,
        page: &Page,
    ) -> Result<Paged<ChangeView>, ServiceError> {
        let row = self.diagnosis_for(caller, Action::ReadDiagnosis, id)?;
        let topic = topic.map(topic_of).transpose()?.map(|topic| topic.to_string());
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let most = (limit, HISTORY_BYTES_MAX);
        let (rows, more) =
            self.read(|c| store::changes(c, row.id, topic.as_deref(), before, most))?;
        let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
        Paged { items: rows, next }.try_map(|row| {
            Ok(ChangeView {
                version: row.version,
                topic: row.topic,
                how: row.how,
                before: row.before.as_deref().map(read).transpose()?,
                after: row.after.as_deref().map(read).transpose()?,
                by: row.by,
                at: row.at,
            })
        })
    }
}

fn topic_of(text: &str) -> Result<Topic, ServiceError> {
    Topic::find(check_sheet()?, text).ok_or_else(|| {
        ServiceError::malformed(
            "topic",
            "name an item of the check sheet, a clause of a catalogue or a feature; `tegata \
             checksheet items` and `tegata catalogue list` show them",
        )
    })
}

/// Refuses where the check sheet has changed since the diagnosis was opened.
pub(super) fn with_sheet(row: &DiagnosisRow) -> Result<(), ServiceError> {
    if row.sheet == check_sheet()?.digest() {
        return Ok(());
    }
    Err(ServiceError::conflict(
        "sheet-changed",
        "the check sheet has changed since this diagnosis was opened; adopt it first",
    ))
}

/// An item with all that is known of it.
pub(super) fn item_view(loaded: &Loaded, item: &Item, today: Day) -> ItemView {
    let absent = loaded.diagnosis.absence(&item.when);
    ItemView {
        state: loaded.diagnosis.state(item, today),
        answer: answer_view(loaded, Topic::Item(item.id.clone())),
        absent: absent.map(|(feature, why)| (feature.to_string(), why.to_owned())),
        checks: loaded.diagnosis.checks_of(&item.id).to_vec(),
    }
}

/// Words that are looked for, in lower case.
fn words_of(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Whether each word stands somewhere in an item or its answer.
fn holds(item: &Item, answer: Option<&Answer>, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let said = answer.into_iter().flat_map(|one| [&one.reason, &one.owner, &one.comment]);
    let all: Vec<String> = [item.id.as_str(), &item.criterion.en, &item.criterion.ja]
        .into_iter()
        .chain(said.flatten().map(String::as_str))
        .map(str::to_lowercase)
        .collect();
    words.iter().all(|word| all.iter().any(|text| text.contains(word.as_str())))
}

fn answer_view(loaded: &Loaded, topic: Topic) -> AnswerView {
    let row = loaded.entries.get(&topic.to_string());
    entry_view(row, loaded.diagnosis.entry(&topic), topic)
}

fn entry_view(row: Option<&EntryRow>, entry: Option<Entry>, topic: Topic) -> AnswerView {
    AnswerView {
        entry,
        version: row.map_or(0, |row| row.version),
        changed_by: row.map(|row| row.changed_by.clone()),
        changed_at: row.map(|row| row.changed_at),
        topic,
    }
}
