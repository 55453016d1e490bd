//! `tegata threat impact`: impact assessments of products on a server.

use crate::{
    cli::{
        Language,
        threat_impact::{ImpactArgs, ImpactCommand},
    },
    output::Output,
    remote::Remote,
};
use anyhow::Context as _;
use api::{
    Rest,
    client::percent_encode,
    wire::{
        AnswerImpact, BothLanguages, ConcludeImpact, ImpactAnswer, ImpactAssessment, ImpactQuestion,
    },
};
use device::{Language as Tongue, OrganisationId, ProductId};
use std::{collections::BTreeMap, fmt::Write as _};

/// Runs `tegata threat impact`.
pub async fn run(command: ImpactCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let tongue = Tongue::from(language);
    match command {
        ImpactCommand::Show { of } => {
            let (rest, organisation, product) = open(&of, language)?;
            let found = rest.impact(&organisation, &product, &of.form).await?;
            output.one(&found, |found| shown(found, tongue))?;
        }
        ImpactCommand::Answer { of, answers, take_back } => {
            let (rest, organisation, product) = open(&of, language)?;
            let mut said: BTreeMap<String, Option<String>> =
                take_back.into_iter().map(|question| (question, None)).collect();
            for one in answers {
                let (question, answer) =
                    one.split_once('=').with_context(|| format!("{one}: write QUESTION=ANSWER"))?;
                said.insert(question.to_owned(), Some(answer.to_owned()));
            }
            let version = rest.impact(&organisation, &product, &of.form).await?.version;
            let new = AnswerImpact { version, answers: said };
            let done = rest.answer_impact(&organisation, &product, &of.form, &new).await?;
            output.one(&done, |done| match tongue {
                Tongue::En => format!("version {}", done.version),
                Tongue::Ja => format!("第{}版", done.version),
            })?;
        }
        ImpactCommand::Conclude { of, read } => {
            let (rest, organisation, product) = open(&of, language)?;
            let read = ConcludeImpact { version: read };
            let done = rest.conclude_impact(&organisation, &product, &of.form, &read).await?;
            output.one(&done, |done| shown(done, tongue))?;
        }
        ImpactCommand::History { of } => {
            let (line, form) = (percent_encode(&of.product), percent_encode(&of.form));
            let path = format!(
                "/v1/organisations/{}/products/{line}/impact/{form}/history",
                percent_encode(&of.organisation)
            );
            let all: Vec<ImpactAnswer> = Remote::open(&of.server, language)?.all(&path).await?;
            output.list(&all, &["at", "version", "question", "by", "answer"], |one| {
                vec![
                    one.at.to_string(),
                    one.version.to_string(),
                    one.question.clone(),
                    one.by.clone(),
                    one.answer.clone().unwrap_or_else(|| "–".to_owned()),
                ]
            })?;
        }
    }
    Ok(())
}

fn open(of: &ImpactArgs, language: Language) -> anyhow::Result<(Rest, OrganisationId, ProductId)> {
    let rest = Rest::new(Remote::open(&of.server, language)?.client().clone());
    Ok((rest, of.organisation.parse()?, of.product.parse()?))
}

fn text(both: &BothLanguages, language: Tongue) -> &str {
    match language {
        Tongue::En => &both.en,
        Tongue::Ja => &both.ja,
    }
}

fn shown(found: &ImpactAssessment, language: Tongue) -> String {
    let ja = language == Tongue::Ja;
    let mut out = text(&found.title, language).to_owned();
    let _ = match (&found.concluded_by, ja) {
        (Some(by), false) => write!(out, "\nversion {}, concluded by {by}", found.version),
        (Some(by), true) => write!(out, "\n第{}版、{by}が評価を完了", found.version),
        (None, false) => write!(out, "\nversion {}, {} questions open", found.version, found.open),
        (None, true) => write!(out, "\n第{}版、未回答{}問", found.version, found.open),
    };
    for one in &found.ratings {
        let _ = write!(out, "\n{} {}  ({})", one.harm, one.level, one.by.join(", "));
    }
    for one in &found.questions {
        let _ = write!(out, "\n\n{}: {}", one.id, text(&one.ask, language));
        let _ = match &one.answer {
            Some(answer) => write!(out, "\n  → {}", said(one, answer, language)),
            None => write!(out, "\n  ({})", text(&one.help, language)),
        };
        if one.answer.is_none() {
            for choice in &one.choices {
                let _ = write!(out, "\n  {}: {}", choice.word, text(&choice.title, language));
            }
        }
    }
    if !found.duties.is_empty() {
        out.push('\n');
    }
    for one in &found.duties {
        let mark = if one.state == "applies" { '!' } else { '?' };
        let (law, title) = (text(&one.law, language), text(&one.title, language));
        let _ = write!(out, "\n{mark} {title} – {law}: {}", text(&one.document, language));
    }
    for one in &found.contradictions {
        let what = one.what.join(", ");
        let _ = match (one.kind.as_str(), ja) {
            ("denied", false) => write!(out, "\n× {}: the threat model has {what}", one.at),
            ("denied", true) => write!(out, "\n× {}：脅威モデルには{what}がある", one.at),
            (_, false) => write!(out, "\n× {}: no asset is rated {what}", one.at),
            (_, true) => write!(out, "\n× {}：評価{what}の資産がない", one.at),
        };
    }
    for one in &found.threats {
        let title = text(&one.title, language);
        let _ = write!(out, "\n{}  {:>2} {}  {title}", one.id, one.score, one.state);
    }
    out
}

/// An answer with the titles of what was chosen.
fn said(question: &ImpactQuestion, answer: &str, language: Tongue) -> String {
    if question.choices.is_empty() {
        return answer.to_owned();
    }
    let words: Vec<&str> = answer.split(", ").collect();
    let chosen = question.choices.iter().filter(|one| words.contains(&one.word.as_str()));
    chosen.map(|one| text(&one.title, language)).collect::<Vec<_>>().join("; ")
}
