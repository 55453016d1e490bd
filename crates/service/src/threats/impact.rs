//! Use cases: impact assessments of a product (PR-1, AS-7): guided forms, answered step by step, concluded.
//!
//! Answers stand beside the model, as decisions do. What the model's file answers counts until somebody
//! answers here; a product without a model can be assessed as well.

use super::{damaged, model::kept, rule_book};
use crate::{
    Page, Paged, Service, ServiceError, ThreatModelVersion,
    store::impact::{self as store, AnswerRow, FormRow, Of},
};
use assessment::threat::{Analysis, Form, FormAnswers, Impact, Model};
use crypto::{Sha256, UnixTime};
use device::{Language, OrganisationId, ProductId};
use policy::{Action, Caller};
use std::collections::{BTreeMap, BTreeSet};

/// Versions of a form whose replaced answers are kept.
const VERSIONS_KEPT: u64 = 200;
/// Questions that a refusal names.
const NAMED_MAX: usize = 10;
/// Begins what a conclusion stands for.
const DIGEST: &[u8] = b"tegata/impact/v1\0";

/// Where a form of a product stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormStanding {
    /// counts its changes; 0 where nobody touched it here
    pub version: u64,
    /// who changed it last, and when
    pub changed: Option<(String, UnixTime)>,
    /// who concluded it, and when; counts while the answers are those that were concluded
    pub concluded: Option<(String, UnixTime)>,
    /// it was concluded, and something has changed since: answers, the model, the questions
    pub reopened: bool,
    /// questions that the model's file answers, and nobody here
    pub from_file: BTreeSet<String>,
}

/// The impact assessments of a product, as they stand today.
#[derive(Debug)]
pub struct ImpactLooked<'a> {
    /// which version of the threat model; `None` where there is none
    pub version: Option<&'a ThreatModelVersion>,
    /// what threatens the product; nothing where there is no model
    pub analysis: &'a Analysis<'a>,
    /// answers that count, by form; each form is there
    pub answers: &'a BTreeMap<String, FormAnswers>,
    /// where each form stands
    pub standing: &'a BTreeMap<String, FormStanding>,
}

/// Answers to some questions of a form.
#[derive(Debug, Clone)]
pub struct NewImpactAnswers {
    /// the version that was read; 0 where there was none
    pub version: u64,
    /// by question; `None` takes the answer back
    pub answers: BTreeMap<String, Option<String>>,
}

/// An answer on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImpactAnswerView {
    /// which question
    pub question: String,
    /// the version of the form that it made
    pub version: u64,
    /// what was said; `None`: the answer before was taken back
    pub answer: Option<String>,
    /// who
    pub by: String,
    /// when
    pub at: UnixTime,
}

/// What is known of a product's forms.
pub(super) struct Assessed {
    pub(super) version: Option<ThreatModelVersion>,
    pub(super) model: Model,
    pub(super) answers: BTreeMap<String, FormAnswers>,
    pub(super) standing: BTreeMap<String, FormStanding>,
    /// digests of what was concluded
    pub(super) digests: BTreeMap<String, Sha256>,
}

impl Service {
    /// Looks at the impact assessments of a product today. The work is done beside other callers'
    /// requests.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn look_at_impact<T: Send + 'static>(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        look: impl FnOnce(&ImpactLooked<'_>) -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let row = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let (service, today) = (self.clone(), self.today()?);
        let work = move || {
            let mut assessed = service.assessed(row.id, &row.name)?;
            let analysis = Analysis::of(&assessed.model, rule_book()?, today);
            reopen(&analysis, &assessed.answers, &assessed.digests, &mut assessed.standing);
            Ok(look(&ImpactLooked {
                version: assessed.version.as_ref(),
                analysis: &analysis,
                answers: &assessed.answers,
                standing: &assessed.standing,
            }))
        };
        self.pool.begin(work).outcome().await?
    }

    /// Answers questions of a form, or takes answers back; answers to the version of the form that the
    /// caller read. The number of the version is returned: the same where nothing changes.
    ///
    /// # Errors
    /// `impact-answer` with the question and what to do, `impact-changed` where somebody was quicker,
    /// `not-found` also for a form that does not exist, `role`.
    pub async fn answer_impact(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        form: &str,
        new: NewImpactAnswers,
    ) -> Result<u64, ServiceError> {
        let row = self.modelled(caller, Action::ChangeThreatModel, organisation, product)?;
        let form = form_of(form)?;
        let mut read: Vec<(String, Option<String>)> = Vec::with_capacity(new.answers.len());
        for (id, answer) in new.answers {
            let Some(question) = form.question(&id) else {
                let shown: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
                let known: Vec<&str> = form.questions().map(|one| one.id.as_str()).collect();
                let detail =
                    format!("the form has no question {shown}; there are {}", known.join(", "));
                return Err(ServiceError::malformed("impact-answer", detail)
                    .in_japanese(format!("この様式に質問 {shown} はありません")));
            };
            let answer = match answer {
                None => None,
                Some(answer) => Some(question.read(&answer).map_err(|fault| {
                    let (en, ja) = (fault.text(Language::En), fault.text(Language::Ja));
                    ServiceError::malformed("impact-answer", format!("{id}: {en}"))
                        .in_japanese(format!("「{}」：{ja}", question.ask.ja))
                })?),
            };
            read.push((id, answer));
        }
        let (now, by) = (self.now(), caller.to_string());
        let of = Of { organisation: row.organisation, product: row.id };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .detail("what", "impact-answered")
            .detail("form", &form.id);
        let read_version = new.version;
        self.commit(move |tx| {
            let present = store::form(tx, of.product, &form.id)?;
            same_version(present.as_ref(), read_version)?;
            let stand: BTreeMap<String, Option<String>> = store::answers(tx, of.product)?
                .into_iter()
                .filter(|one| one.form == form.id)
                .map(|one| (one.question, one.answer))
                .collect();
            // Taking back what nobody said here matters where the model's file says it.
            let changed: Vec<(String, Option<String>)> =
                read.into_iter().filter(|(id, answer)| stand.get(id) != Some(answer)).collect();
            if changed.is_empty() {
                return Ok(read_version);
            }
            let next = FormRow {
                form: form.id.clone(),
                version: read_version.saturating_add(1),
                by,
                at: now,
                concluded: present.and_then(|row| row.concluded),
            };
            store::answer(tx, of, &next, &changed, VERSIONS_KEPT)?;
            let questions: Vec<&str> = changed.iter().map(|(id, _)| id.as_str()).collect();
            let event = event
                .detail("version", &next.version.to_string())
                .detail("questions", &questions.join(" "));
            tx.audit(&event)?;
            Ok(next.version)
        })
        .await
    }

    /// Concludes a form: an administrator stands for the answers that were read. Nothing may be open, and
    /// the threat model must not contradict an answer. A change of either reopens it.
    ///
    /// # Errors
    /// `impact-open` with what is missing, `impact-changed`, `not-found`, `role`.
    pub async fn conclude_impact(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        form: &str,
        version: u64,
    ) -> Result<(), ServiceError> {
        let row = self.modelled(caller, Action::DecideThreat, organisation, product)?;
        let form = form_of(form)?;
        let (service, today, of) = (self.clone(), self.today()?, row.clone());
        let work = move || {
            let assessed = service.assessed(of.id, &of.name)?;
            let analysis = Analysis::of(&assessed.model, rule_book()?, today);
            let answers = assessed.answers.get(&form.id).ok_or_else(damaged)?;
            let impact = Impact::of(form, answers, &analysis);
            if !impact.is_complete() {
                return Err(open_in(&impact));
            }
            Ok(digest_of(form, answers))
        };
        let digest = self.pool.begin(work).outcome().await??;
        let (now, by) = (self.now(), caller.to_string());
        let of = Of { organisation: row.organisation, product: row.id };
        let event = self
            .event(caller, audit::Kind::ConfigurationChange, audit::Outcome::Success)
            .organisation(organisation.as_str())
            .subject(product.as_str())
            .severity(audit::Severity::Medium)
            .detail("what", "impact-concluded")
            .detail("form", &form.id)
            .detail("version", &version.to_string())
            .detail("sha256", &digest.to_string());
        self.commit(move |tx| {
            let present = store::form(tx, of.product, &form.id)?;
            same_version(present.as_ref(), version)?;
            // A form that the model's file answers alone was never touched here.
            let mut next = present.unwrap_or_else(|| FormRow {
                form: form.id.clone(),
                version,
                by: by.clone(),
                at: now,
                concluded: None,
            });
            next.concluded = Some((by, now, digest));
            store::set(tx, of, &next)?;
            tx.audit(&event).map(|_| ())
        })
        .await
    }

    /// Answers of a form, newest first; those that were replaced long ago are gone.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn impact_history(
        &self,
        caller: &Caller,
        organisation: &OrganisationId,
        product: &ProductId,
        form: &str,
        page: &Page,
    ) -> Result<Paged<ImpactAnswerView>, ServiceError> {
        let row = self.modelled(caller, Action::ReadThreatModel, organisation, product)?;
        let form = form_of(form)?;
        let (before, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_none() { i64::MAX } else { before };
        let rows = self.read(|c| store::answered(c, row.id, &form.id, before, limit + 1))?;
        Paged::cut(rows, limit, |row| row.id.to_string()).try_map(|row| Ok(view(row)))
    }

    /// The model of a product with what was answered here. Work of the pool.
    pub(super) fn assessed(&self, product: i64, name: &str) -> Result<Assessed, ServiceError> {
        let (kept, rows, answers) = self.read(|connection| {
            Ok((
                kept(connection, product)?,
                store::forms(connection, product)?,
                store::answers(connection, product)?,
            ))
        })?;
        let (version, model) = match kept {
            None => (None, Model { name: name.to_owned(), ..Model::default() }),
            Some(kept) => (Some(kept.version), kept.model),
        };
        let mut all = BTreeMap::new();
        let mut standing = BTreeMap::new();
        let mut digests = BTreeMap::new();
        for form in rule_book()?.forms() {
            let mut said = model.forms.get(&form.id).cloned().unwrap_or_default();
            let mut from_file: BTreeSet<String> = said.keys().cloned().collect();
            for one in answers.iter().filter(|one| one.form == form.id) {
                from_file.remove(&one.question);
                // A question or a choice may have gone with a new version of the platform.
                let known = form.question(&one.question);
                let answer = one
                    .answer
                    .as_deref()
                    .zip(known)
                    .and_then(|(answer, question)| question.read(answer).ok());
                match answer {
                    None => said.remove(&one.question),
                    Some(answer) => said.insert(one.question.clone(), answer),
                };
            }
            let row = rows.iter().find(|row| row.form == form.id);
            let concluded = row.and_then(|row| row.concluded.clone());
            if let Some((_, _, digest)) = &concluded {
                digests.insert(form.id.clone(), *digest);
            }
            let stands = FormStanding {
                version: row.map_or(0, |row| row.version),
                changed: row.filter(|row| row.version > 0).map(|row| (row.by.clone(), row.at)),
                concluded: concluded.map(|(by, at, _)| (by, at)),
                reopened: false,
                from_file,
            };
            all.insert(form.id.clone(), said);
            standing.insert(form.id.clone(), stands);
        }
        Ok(Assessed { version, model, answers: all, standing, digests })
    }
}

/// Opens again what was concluded for other answers, or what the model contradicts now.
pub(super) fn reopen(
    analysis: &Analysis<'_>,
    answers: &BTreeMap<String, FormAnswers>,
    digests: &BTreeMap<String, Sha256>,
    standing: &mut BTreeMap<String, FormStanding>,
) {
    for form in analysis.book.forms() {
        let (Some(answers), Some(digest)) = (answers.get(&form.id), digests.get(&form.id)) else {
            continue;
        };
        let same = digest_of(form, answers) == *digest
            && Impact::of(form, answers, analysis).is_complete();
        if let Some(standing) = standing.get_mut(&form.id).filter(|_| !same) {
            standing.concluded = None;
            standing.reopened = true;
        }
    }
}

fn form_of(id: &str) -> Result<&'static Form, ServiceError> {
    rule_book()?.form(id).ok_or_else(|| ServiceError::not_found("form"))
}

fn same_version(present: Option<&FormRow>, read: u64) -> Result<(), ServiceError> {
    let version = present.map_or(0, |row| row.version);
    if version == read {
        return Ok(());
    }
    let who = present.map_or("nobody", |row| row.by.as_str());
    Err(ServiceError::conflict(
        "impact-changed",
        format!("the form is at version {version} by {who}, not {read}; look at it again"),
    ))
}

/// What keeps a form from being concluded.
fn open_in(impact: &Impact<'_>) -> ServiceError {
    let names = |language: Language| -> String {
        let open = impact.open.iter().copied();
        let denied = impact.denied.iter().map(|(question, _, _)| *question);
        let all: Vec<&str> = open.chain(denied).map(|one| one.ask.of(language)).collect();
        let more = all.len().saturating_sub(NAMED_MAX);
        let mut some: Vec<String> =
            all.into_iter().take(NAMED_MAX).map(|ask| format!("“{ask}”")).collect();
        if more > 0 {
            some.push(format!("+{more}"));
        }
        some.join(" ")
    };
    ServiceError::refused(
        "impact-open",
        format!(
            "answer what is open, and settle what the threat model contradicts: {}",
            names(Language::En)
        ),
    )
    .in_japanese(format!(
        "未回答の質問に答え、脅威モデルと矛盾する回答を見直してください：{}",
        names(Language::Ja)
    ))
}

/// What a conclusion stands for: the form and each answer.
fn digest_of(form: &Form, answers: &FormAnswers) -> Sha256 {
    let mut parts: Vec<&[u8]> = vec![DIGEST, form.id.as_bytes()];
    for (question, answer) in answers {
        // Neither holds a NUL: ids are letters, and texts that do not print are refused.
        parts.extend([b"\0".as_slice(), question.as_bytes(), b"\0".as_slice(), answer.as_bytes()]);
    }
    crypto::sha256_of(&parts)
}

fn view(row: AnswerRow) -> ImpactAnswerView {
    ImpactAnswerView {
        question: row.question,
        version: row.version,
        answer: row.answer,
        by: row.by,
        at: row.at,
    }
}
