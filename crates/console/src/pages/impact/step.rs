//! One step of a form: questions with what to think of, an example, and what follows. Works without script.

use super::{About, may};
use crate::{
    Answer, Console, Failure, Frame, Member, Section, failure,
    i18n::Locale,
    pages::sensitive,
    posted::Fields,
    ui::{Choice, Field, Message, Tone},
};
use askama::Template;
use assessment::threat::{Form, FormAnswers, Question, QuestionKind};
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use service::{ErrorKind, ImpactLooked, NewImpactAnswers, rule_book};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn router() -> Router<Console> {
    Router::new().route("/products/{maker}/{id}/impact/{form}/step/{step}", get(ask).post(save))
}

/// Characters of an answer that a form carries; a step of them fits into one form in any language.
const ANSWER_MAX: u32 = 1_000;

/// A question as it is shown.
struct Shown {
    field: Field,
    example: String,
    follows: Vec<(String, String)>,
    rates: Option<String>,
    rules: usize,
}

/// What is known of the form when a step is shown.
struct Known {
    version: u64,
    answers: FormAnswers,
    /// questions that concern the product, by step
    asked: Vec<(String, BTreeSet<String>)>,
}

async fn known(
    console: &Console,
    member: &Member,
    about: &About,
    form: &'static Form,
) -> Result<Known, Failure> {
    let look = move |looked: &ImpactLooked<'_>| {
        let answers = looked.answers.get(&form.id).cloned().unwrap_or_default();
        let categories = &looked.analysis.model.category;
        let asked = form
            .steps
            .iter()
            .map(|step| {
                let questions = step.questions.iter();
                let asked = questions.filter(|one| form.asks(one, categories, &answers));
                (step.id.clone(), asked.map(|one| one.id.clone()).collect())
            })
            .collect();
        let version = looked.standing.get(&form.id).map_or(0, |standing| standing.version);
        Known { version, asked, answers }
    };
    let (service, caller) = (&console.service, member.caller());
    Ok(service.look_at_impact(caller, &about.maker, &about.id, look).await?)
}

/// The name of a question's field.
fn name(question: &str) -> String {
    format!("q-{question}")
}

fn shown(t: Locale, question: &Question, said: Option<&str>, error: Option<String>) -> Shown {
    let language = t.language;
    let (id, ask) = (name(&question.id), question.ask.of(language));
    let choices =
        || question.choices().iter().map(|one| Choice::new(&one.word, one.title.of(language)));
    let field = match &question.kind {
        QuestionKind::Words => {
            let held =
                said.map_or(0, |said| u32::try_from(said.chars().count()).unwrap_or(u32::MAX));
            Field::area(t, &id, ask).value(said.unwrap_or_default()).most(ANSWER_MAX.max(held))
        }
        QuestionKind::One(_) => {
            let open = Choice::new("", t.text("impact-open-answer"));
            Field::radios(t, &id, ask, choices().chain([open]).collect())
                .value(said.unwrap_or_default())
        }
        QuestionKind::Several(_) => {
            let mut field = Field::checkboxes(t, &id, ask, choices().collect());
            for word in said.unwrap_or_default().split(',').map(str::trim) {
                field = field.value(word);
            }
            field
        }
    };
    let rates: Vec<&str> = question.rates.iter().map(|harm| harm.title(language)).collect();
    Shown {
        field: field.hint(question.help.of(language)).error(error),
        example: question.example.of(language).to_owned(),
        follows: question
            .choices()
            .iter()
            .filter_map(|one| {
                let then = one.then.as_ref()?;
                Some((one.title.of(language).to_owned(), then.of(language).to_owned()))
            })
            .collect(),
        rates: (!rates.is_empty()).then(|| rates.join(if t.tag() == "ja" { "、" } else { ", " })),
        rules: question.rules.len(),
    }
}

fn form_of(id: &str) -> Result<&'static Form, Failure> {
    rule_book()?.form(id).ok_or_else(Failure::not_found)
}

async fn ask(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form, step)): Path<(String, String, String, String)>,
) -> Answer {
    let about = About::of(&console, &member, &maker, &id).await?;
    if !may(&member, &about).0 {
        return Err(Failure::forbidden());
    }
    let form = form_of(&form)?;
    let known = known(&console, &member, &about, form).await?;
    let page = page(&member, &about, form, &step, &known, &BTreeMap::new(), None)?;
    Ok(member.page(&page))
}

/// The page of a step; `faults` are what is wrong with answers, by question.
fn page(
    member: &Member,
    about: &About,
    form: &'static Form,
    step: &str,
    known: &Known,
    faults: &BTreeMap<String, String>,
    wrong: Option<String>,
) -> Result<StepPage, Failure> {
    let t = member.t;
    let at = form.steps.iter().position(|one| one.id == step).ok_or_else(Failure::not_found)?;
    let this = form.steps.get(at).ok_or_else(Failure::not_found)?;
    let asked =
        |id: &str| known.asked.iter().any(|(step, ids)| step == &this.id && ids.contains(id));
    let questions: Vec<&Question> = this.questions.iter().filter(|one| asked(&one.id)).collect();
    let steps: Vec<&(String, BTreeSet<String>)> =
        known.asked.iter().filter(|(_, ids)| !ids.is_empty()).collect();
    let place = steps.iter().position(|(id, _)| *id == this.id).unwrap_or(0);
    let beside = |step: Option<&&(String, BTreeSet<String>)>| {
        step.map(|(id, _)| format!("{}/step/{id}", about.form(&form.id)))
    };
    let title = this.title.of(t.language).to_owned();
    let mut crumbs = about.crumbs(t);
    crumbs.push((about.form(&form.id), form.title.of(t.language).to_owned()));
    Ok(StepPage {
        t,
        frame: member.frame(
            Section::Products,
            format!("{title} – {} – {}", form.title.of(t.language), about.name),
        ),
        crumbs,
        title,
        progress: t
            .text("impact-step-of")
            .arg("step", place + 1)
            .arg("steps", steps.len())
            .to_string(),
        place: place + 1,
        count: steps.len(),
        here: format!("{}/step/{}", about.form(&form.id), this.id),
        back: place
            .checked_sub(1)
            .and_then(|before| beside(steps.get(before)))
            .unwrap_or_else(|| about.form(&form.id)),
        last: place + 1 >= steps.len(),
        version: known.version,
        asked: questions.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(","),
        questions: questions
            .into_iter()
            .map(|one| {
                let said = known.answers.get(&one.id).map(String::as_str);
                shown(t, one, said, faults.get(&one.id).cloned())
            })
            .collect(),
        wrong: wrong.map(|text| {
            Message::new(Tone::Bad, text).title(t.text("forms-nothing-saved").to_string())
        }),
    })
}

async fn save(
    State(console): State<Console>,
    member: Member,
    Path((maker, id, form, step)): Path<(String, String, String, String)>,
    fields: Fields,
) -> Answer {
    let t = member.t;
    let about = About::of(&console, &member, &maker, &id).await?;
    if !may(&member, &about).0 {
        return Err(Failure::forbidden());
    }
    let form = form_of(&form)?;
    let this = form.step(&step).ok_or_else(Failure::not_found)?;
    let version: u64 = fields.get("version").parse().map_err(|_| Failure::bad_request())?;
    // What the page showed: a checkbox that nobody ticked sends nothing.
    let asked: BTreeSet<&str> = fields.get("asked").split(',').collect();
    let (mut answers, mut faults) = (BTreeMap::new(), BTreeMap::new());
    let mut typed = FormAnswers::new();
    for question in this.questions.iter().filter(|one| asked.contains(one.id.as_str())) {
        let field = name(&question.id);
        // Browsers send CR LF for each line break of a text area.
        let said = fields.all(&field).collect::<Vec<_>>().join(",").replace("\r\n", "\n");
        if said.trim().is_empty() {
            answers.insert(question.id.clone(), None);
            continue;
        }
        match question.read(&said) {
            Ok(answer) => {
                typed.insert(question.id.clone(), answer.clone());
                answers.insert(question.id.clone(), Some(answer));
            }
            Err(fault) => {
                typed.insert(question.id.clone(), said);
                faults.insert(question.id.clone(), fault.text(t.language));
            }
        }
    }
    let (service, caller) = (&console.service, member.caller());
    let refuse = async |typed: FormAnswers,
                        faults: BTreeMap<String, String>,
                        wrong: String|
           -> Result<Response, Failure> {
        let mut known = known(&console, &member, &about, form).await?;
        // What was typed stays, and so do the questions that were shown.
        known.answers = typed;
        for (of, ids) in &mut known.asked {
            if *of == this.id {
                *ids = asked.iter().map(|id| (*id).to_owned()).collect();
            }
        }
        let page = page(&member, &about, form, &step, &known, &faults, Some(wrong))?;
        Ok(member.page_with(StatusCode::UNPROCESSABLE_ENTITY, &page))
    };
    if !faults.is_empty() {
        return refuse(typed, faults, t.text("forms-look").to_string()).await;
    }
    // Nobody has said anything there, and nobody does now.
    let before = known(&console, &member, &about, form).await?;
    answers.retain(|question, answer| answer.is_some() || before.answers.contains_key(question));
    let new = NewImpactAnswers { version, answers };
    let here = format!("{}/step/{}", about.form(&form.id), this.id);
    match service.answer_impact(caller, &about.maker, &about.id, &form.id, new).await {
        Ok(_) => {}
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Malformed | ErrorKind::Refused | ErrorKind::Conflict
            ) =>
        {
            let said = failure::said(t.language, error.problem());
            return refuse(typed, BTreeMap::new(), said).await;
        }
        Err(error) => return sensitive::answer(&member, error, &here),
    }
    let to = match fields.get("go") {
        "next" => {
            // Answers decide which questions, and so which steps, come next.
            let after = known(&console, &member, &about, form).await?;
            let rest = after.asked.iter().skip_while(|(id, _)| *id != this.id).skip(1);
            let next = rest.into_iter().find(|(_, ids)| !ids.is_empty());
            next.map(|(id, _)| format!("{}/step/{id}", about.form(&form.id)))
        }
        _ => None,
    };
    Ok(member.done(&to.unwrap_or_else(|| about.form(&form.id)), "impact-saved"))
}

#[derive(Template)]
#[template(path = "impact/step.html")]
struct StepPage {
    t: Locale,
    frame: Frame,
    crumbs: Vec<(String, String)>,
    title: String,
    progress: String,
    place: usize,
    count: usize,
    here: String,
    back: String,
    last: bool,
    version: u64,
    asked: String,
    questions: Vec<Shown>,
    wrong: Option<Message>,
}
