//! A diagnosis piece by piece: what can be answered, what stands there, and how two contents differ.

use crate::{
    Answer, AssessmentError, Day, Diagnosis, FeatureId, ItemId, Library, Outcome, RecordRef,
    Refusal, text,
};
use std::fmt;

/// What an entry of a diagnosis is about. The three are told apart by how they are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// an item of the check sheet: `DEV-SWD-01`
    Item(ItemId),
    /// a clause of a catalogue: `etsi-en-303-645:5.1-1`
    Clause(RecordRef),
    /// a feature that the product does not have: `removable-media`
    Absent(FeatureId),
}

impl Topic {
    /// The topic that `text` names in `library`.
    pub fn find(library: &Library, text: &str) -> Option<Self> {
        if let Some(item) = library.item(text) {
            return Some(Self::Item(item.id.clone()));
        }
        if let Some(feature) = library.feature(text) {
            return Some(Self::Absent(feature.id.clone()));
        }
        let reference = RecordRef::parse(text)?;
        library.record(&reference).map(|record| Self::Clause(record.reference.clone()))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(id) => id.fmt(f),
            Self::Clause(reference) => reference.fmt(f),
            Self::Absent(feature) => feature.fmt(f),
        }
    }
}

/// What stands under a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// to an item or a clause
    Answer(Answer),
    /// why the product does not have the feature
    Absent(String),
}

/// A topic whose entry differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicChange {
    /// which
    pub topic: Topic,
    /// what stood there
    pub before: Option<Entry>,
    /// what stands there after
    pub after: Option<Entry>,
}

impl Diagnosis {
    /// What stands under `topic`.
    pub fn entry(&self, topic: &Topic) -> Option<Entry> {
        match topic {
            Topic::Item(id) => self.answers.get(id).cloned().map(Entry::Answer),
            Topic::Clause(reference) => self.clauses.get(reference).cloned().map(Entry::Answer),
            Topic::Absent(feature) => self.absent.get(feature).cloned().map(Entry::Absent),
        }
    }

    /// Puts an entry under `topic`, or takes it away.
    ///
    /// # Errors
    /// [`AssessmentError::Refused`] for what the rules of a diagnosis do not allow: "not applicable"
    /// without a reason, evidence from after the diagnosis, texts that do not print, and an answer
    /// about a feature that the product does not have. Nothing is changed then.
    pub fn put(
        &mut self,
        library: &Library,
        topic: &Topic,
        entry: Option<Entry>,
    ) -> Result<(), AssessmentError> {
        let refuse =
            |why: Refusal| Err(AssessmentError::Refused(Refusal::At(topic.clone(), Box::new(why))));
        match (topic, entry) {
            (Topic::Absent(feature), Some(Entry::Absent(reason))) => {
                if let Some(fault) = text::refusal(&reason) {
                    return refuse(fault);
                }
                if let Some(other) = self.answered_with(library, feature) {
                    return refuse(Refusal::Depends(other));
                }
                self.absent.insert(feature.clone(), reason);
            }
            (Topic::Item(id), Some(Entry::Answer(answer))) => {
                let when = library.item(id.as_str()).map_or(&[] as &[_], |item| &item.when);
                if let Some(fault) = self.fault_of(when, &answer) {
                    return refuse(fault);
                }
                self.answers.insert(id.clone(), answer);
            }
            (Topic::Clause(reference), Some(Entry::Answer(answer))) => {
                let when = library.record(reference).map_or(&[] as &[_], |record| &record.when);
                if let Some(fault) = self.fault_of(when, &answer) {
                    return refuse(fault);
                }
                self.clauses.insert(reference.clone(), answer);
            }
            (Topic::Item(id), None) => drop(self.answers.remove(id)),
            (Topic::Clause(reference), None) => drop(self.clauses.remove(reference)),
            (Topic::Absent(feature), None) => drop(self.absent.remove(feature)),
            (Topic::Absent(_), Some(Entry::Answer(_))) => {
                return refuse(Refusal::FeatureAnswered);
            }
            (_, Some(Entry::Absent(_))) => {
                return refuse(Refusal::ItemAbsent);
            }
        }
        Ok(())
    }

    /// How `other` differs, in the order of the topics: features first, because answers depend on
    /// them.
    pub fn changes_to(&self, other: &Self) -> Vec<TopicChange> {
        let topics = |one: &Self| -> Vec<Topic> {
            one.absent
                .keys()
                .cloned()
                .map(Topic::Absent)
                .chain(one.answers.keys().cloned().map(Topic::Item))
                .chain(one.clauses.keys().cloned().map(Topic::Clause))
                .collect()
        };
        let mut all = topics(self);
        all.extend(topics(other));
        let rank = |topic: &Topic| match topic {
            Topic::Absent(_) => 0,
            Topic::Item(_) => 1,
            Topic::Clause(_) => 2,
        };
        all.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
        all.dedup();
        all.into_iter()
            .filter_map(|topic| {
                let (before, after) = (self.entry(&topic), other.entry(&topic));
                (before != after).then_some(TopicChange { topic, before, after })
            })
            .collect()
    }

    /// What goes over into a diagnosis of another version: all that people said, but evidence was
    /// about the version before, and what rested on it is only claimed until there is new one.
    pub fn carried_to(&self, subject: &str, on: Day) -> Result<Self, AssessmentError> {
        let mut next = Self::new(&self.product, subject, on)?;
        next.absent.clone_from(&self.absent);
        next.answers.clone_from(&self.answers);
        next.clauses.clone_from(&self.clauses);
        if subject != self.subject {
            for answer in next.answers.values_mut().chain(next.clauses.values_mut()) {
                answer.evidence.clear();
            }
        }
        Ok(next)
    }

    fn fault_of(&self, when: &[FeatureId], answer: &Answer) -> Option<Refusal> {
        if let Some(fault) = answer.fault(self.on) {
            return Some(fault);
        }
        match self.absence(when) {
            Some((feature, _)) if answer.outcome != Outcome::NotApplicable => {
                Some(Refusal::Absent { outcome: answer.outcome, feature: feature.clone() })
            }
            _ => None,
        }
    }

    /// An answer that says otherwise than that the product has no `feature`.
    fn answered_with(&self, library: &Library, feature: &FeatureId) -> Option<Topic> {
        let otherwise = |answer: &Answer| answer.outcome != Outcome::NotApplicable;
        let item = self.answers.iter().find(|(id, answer)| {
            let item = library.item(id.as_str());
            otherwise(answer) && item.is_some_and(|item| item.when.contains(feature))
        });
        if let Some((id, _)) = item {
            return Some(Topic::Item(id.clone()));
        }
        let clause = self.clauses.iter().find(|(reference, answer)| {
            let record = library.record(reference);
            otherwise(answer) && record.is_some_and(|record| record.when.contains(feature))
        });
        clause.map(|(reference, _)| Topic::Clause(reference.clone()))
    }
}
