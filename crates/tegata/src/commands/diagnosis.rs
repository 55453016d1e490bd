//! `tegata diagnosis …`: diagnoses of products on a server.

use crate::{
    cli::{
        Language, ServerArgs,
        assessment::OscalModel,
        diagnosis::{AnswerArgs, DiagnosisCommand, FileForm, ItemsArgs, ReportAs, ReportFor},
    },
    output::Output,
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::{
    Rest,
    client::percent_encode,
    wire::{
        AnswerImportQuery, ChangeAnswer, DiagnosedItem, DiagnosedTopic, Diagnosis, DiagnosisChange,
        DiagnosisEntry, DiagnosisEvidence, DiagnosisFigures, DiagnosisFileQuery,
        DiagnosisReportQuery, DiagnosisScore, NewDiagnosis, ReleaseProof, ReportAudience,
        ReportFormat, scalar::Digest,
    },
};
use assessment::oscal::DocumentKind;
use crypto::Sha256;
use device::Language as Tongue;
use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    path::Path,
};

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Runs `tegata diagnosis …`.
pub async fn run(
    command: DiagnosisCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<()> {
    let tongue = Tongue::from(language);
    match command {
        DiagnosisCommand::Open { server, organisation, product, subject, from } => {
            let new = NewDiagnosis { product: product.parse()?, subject, from };
            let rest = rest(&server, language)?;
            let opened = rest.open_diagnosis(&organisation.parse()?, &new).await?;
            output.one(&opened, line)?;
        }
        DiagnosisCommand::List { server, organisation, product } => {
            let mut path = format!("/v1/organisations/{}/diagnoses", percent_encode(&organisation));
            if let Some(product) = product {
                write!(path, "?product={}", percent_encode(&product))?;
            }
            let all: Vec<Diagnosis> = Remote::open(&server, language)?.all(&path).await?;
            let head = ["id", "product", "subject", "state", "fulfilled", "claimed", "answered"];
            output.list(&all, &head, |one| {
                vec![
                    one.id.clone(),
                    one.product.to_string(),
                    one.subject.clone(),
                    one.state.clone(),
                    percent(one.total.fulfilled_percent),
                    percent(one.total.claimed_percent),
                    percent(one.total.answered_percent),
                ]
            })?;
        }
        DiagnosisCommand::Show { server, diagnosis } => {
            let found = rest(&server, language)?.diagnosis(&diagnosis).await?;
            output.one(&found, |found| figures(found, tongue))?;
        }
        DiagnosisCommand::Items(args) => items(&args, output, language).await?,
        DiagnosisCommand::Topic { server, diagnosis, topic } => {
            let found = rest(&server, language)?.diagnosed(&diagnosis, &topic).await?;
            output.one(&found, topic_text)?;
        }
        DiagnosisCommand::Answer(args) => answer(args, output, language).await?,
        DiagnosisCommand::Gaps { server, diagnosis } => {
            let gaps = rest(&server, language)?.diagnosis_gaps(&diagnosis).await?;
            output.list(
                &gaps,
                &["item", "weight", "state", "owner", "due", "criterion"],
                |gap| {
                    let mark = if gap.overdue { " !" } else { "" };
                    vec![
                        gap.item.clone(),
                        gap.weight.to_string(),
                        gap.state.clone(),
                        gap.owner.clone().unwrap_or_default(),
                        gap.due.as_ref().map(|due| format!("{due}{mark}")).unwrap_or_default(),
                        of(&gap.criterion, tongue).to_owned(),
                    ]
                },
            )?;
        }
        DiagnosisCommand::Coverage { server, diagnosis, catalogue } => {
            let clauses =
                rest(&server, language)?.diagnosis_coverage(&diagnosis, &catalogue).await?;
            output.list(&clauses, &["clause", "state", "title"], |clause| {
                vec![
                    clause.clause.clone(),
                    clause.state.clone(),
                    of(&clause.title, tongue).to_owned(),
                ]
            })?;
        }
        DiagnosisCommand::History { server, diagnosis, topic } => {
            let mut path = format!("/v1/diagnoses/{}/history", percent_encode(&diagnosis));
            if let Some(topic) = topic {
                write!(path, "?topic={}", percent_encode(&topic))?;
            }
            let all: Vec<DiagnosisChange> = Remote::open(&server, language)?.all(&path).await?;
            let word = |entry: &Option<DiagnosisEntry>| {
                entry.as_ref().map_or("-".to_owned(), |entry| entry.answer.clone())
            };
            output.list(
                &all,
                &["version", "at", "by", "how", "topic", "before", "after"],
                |one| {
                    vec![
                        one.version.to_string(),
                        one.at.to_string(),
                        one.by.clone(),
                        one.how.clone(),
                        one.topic.clone(),
                        word(&one.before),
                        word(&one.after),
                    ]
                },
            )?;
        }
        DiagnosisCommand::Compare { server, diagnosis, with } => {
            let rest = rest(&server, language)?;
            let found = rest.compare_diagnoses(&diagnosis, with.as_deref()).await?;
            output.one(&found, |found| {
                let mut text = format!(
                    "before {}: {}\nafter:  {}",
                    found.before,
                    score(&found.before_total),
                    score(&found.after_total)
                );
                for change in &found.changes {
                    let _ = write!(
                        text,
                        "\n{:12} {:7} {} → {}",
                        change.item, change.direction, change.before, change.after
                    );
                }
                text
            })?;
        }
        DiagnosisCommand::Export { server, diagnosis, format, model, catalogue, out } => {
            let form = match (format, model.is_some() || catalogue.is_some()) {
                (None | Some(FileForm::Oscal), true) => FileForm::Oscal,
                (Some(_), true) => bail!("--model and --catalogue are of --format oscal"),
                (Some(form), false) => form,
                (None, false) => form_of(&out),
            };
            let how = DiagnosisFileQuery {
                format: Some(form_word(form).to_owned()),
                model: model.map(|model| model_of(model).word().to_owned()),
                catalogue,
            };
            let bytes = rest(&server, language)?.diagnosis_file(&diagnosis, &how).await?;
            std::fs::File::create_new(&out)
                .and_then(|mut file| file.write_all(&bytes))
                .with_context(|| {
                    format!("cannot write {}; it must not exist yet", out.display())
                })?;
        }
        DiagnosisCommand::Report { server, diagnosis, audience, format, out } => {
            let how = DiagnosisReportQuery {
                audience: Some(match audience {
                    ReportFor::Managers => ReportAudience::Managers,
                    ReportFor::Engineers => ReportAudience::Engineers,
                }),
                lang: Some(tongue.into()),
                format: Some(match format {
                    ReportAs::Html => ReportFormat::Html,
                    ReportAs::Pdf => ReportFormat::Pdf,
                }),
            };
            let bytes = rest(&server, language)?.diagnosis_report(&diagnosis, &how).await?;
            std::fs::File::create_new(&out)
                .and_then(|mut file| file.write_all(&bytes))
                .with_context(|| {
                    format!("cannot write {}; it must not exist yet", out.display())
                })?;
        }
        DiagnosisCommand::Import { server, diagnosis, file, format, replace, apply } => {
            let kind = match format.unwrap_or_else(|| form_of(&file)) {
                FileForm::Yaml => YAML,
                FileForm::Xlsx => XLSX,
                FileForm::Oscal => JSON,
            };
            let bytes = bounded(&file)?;
            let how = AnswerImportQuery { replace: Some(replace), apply };
            let rest = rest(&server, language)?;
            let done = rest.import_answers(&diagnosis, &how, kind, bytes).await?;
            output.one(&done, |done| {
                let mut text = String::new();
                if let Some(foreign) = &done.foreign {
                    let _ = writeln!(text, "the results are about {}", foreign.about);
                    for id in &foreign.unknown {
                        let _ = writeln!(text, "{id}: unknown here; left out");
                    }
                    for id in &foreign.contradicted {
                        let _ = writeln!(
                            text,
                            "{id}: findings contradict each other; the worse one counts"
                        );
                    }
                }
                let word = |entry: &Option<DiagnosisEntry>| {
                    entry.as_ref().map_or("-".to_owned(), |entry| entry.answer.clone())
                };
                for change in &done.changes {
                    let (before, after) = (word(&change.before), word(&change.after));
                    let _ = writeln!(text, "{}: {before} → {after}", change.topic);
                }
                let _ = match done.applied {
                    true => write!(
                        text,
                        "{} changes made; the diagnosis is at version {}",
                        done.changes.len(),
                        done.version
                    ),
                    false => write!(
                        text,
                        "{} changes; make them with --apply {}",
                        done.changes.len(),
                        done.version
                    ),
                };
                text
            })?;
        }
        DiagnosisCommand::AdoptSheet { server, diagnosis } => {
            let rest = rest(&server, language)?;
            let version = rest.diagnosis(&diagnosis).await?.diagnosis.version;
            output.one(&rest.adopt_sheet(&diagnosis, version).await?, line)?;
        }
        DiagnosisCommand::Sign { server, diagnosis, content } => {
            let content = Sha256::from_hex(&content)
                .context("the digest of the answers has 64 hexadecimal digits")?;
            let signed = rest(&server, language)?.sign_diagnosis(&diagnosis, content).await?;
            output.one(&signed, line)?;
        }
        DiagnosisCommand::Proof { server, diagnosis } => {
            proof(&rest(&server, language)?.diagnosis_proof(&diagnosis).await?, output)?;
        }
        DiagnosisCommand::Discard { server, diagnosis } => {
            rest(&server, language)?.discard_diagnosis(&diagnosis).await?;
        }
    }
    Ok(())
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

/// The form of a file by its name.
fn form_of(path: &Path) -> FileForm {
    let end = path.extension().map(|end| end.to_ascii_lowercase());
    match end.as_ref().and_then(|end| end.to_str()) {
        Some("xlsx") => FileForm::Xlsx,
        Some("json") => FileForm::Oscal,
        _ => FileForm::Yaml,
    }
}

fn form_word(form: FileForm) -> &'static str {
    match form {
        FileForm::Yaml => "yaml",
        FileForm::Xlsx => "xlsx",
        FileForm::Oscal => "oscal",
    }
}

fn model_of(model: OscalModel) -> DocumentKind {
    match model {
        OscalModel::Results => DocumentKind::Results,
        OscalModel::Poam => DocumentKind::ActionPlan,
        OscalModel::Component => DocumentKind::Component,
        OscalModel::Profile => DocumentKind::Profile,
    }
}

fn bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("cannot read the diagnosis {}", path.display()))?;
    let most = u64::try_from(assessment::FILE_BYTES_MAX)?.saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn of(text: &api::wire::BothLanguages, language: Tongue) -> &str {
    match language {
        Tongue::En => &text.en,
        Tongue::Ja => &text.ja,
    }
}

fn percent(value: Option<u32>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value}%"))
}

fn score(score: &DiagnosisScore) -> String {
    format!(
        "{} items, {} not applicable: fulfilled {}, claimed without evidence {}, answered {}",
        score.items,
        score.not_applicable,
        percent(score.fulfilled_percent),
        percent(score.claimed_percent),
        percent(score.answered_percent)
    )
}

fn line(one: &Diagnosis) -> String {
    let mut text = format!(
        "diagnosis {}: {}/{} {}, {}, version {}",
        one.id, one.organisation, one.product, one.subject, one.state, one.version
    );
    if !one.sheet_current {
        text.push_str("\n  the check sheet has changed since: tegata diagnosis adopt-sheet");
    }
    if let Some(signed) = &one.signed {
        let _ = write!(
            text,
            "\n  signed {} by {} and {}, leaf {}, contents {}",
            signed.at, signed.by, signed.approved_by, signed.leaf, signed.content
        );
    }
    text
}

fn figures(found: &DiagnosisFigures, language: Tongue) -> String {
    let mut text = line(&found.diagnosis);
    let _ = write!(text, "\n{} ({})", score(&found.diagnosis.total), found.as_of);
    for layer in &found.layers {
        let _ = write!(text, "\n  {:22} {}", layer.layer, score(&layer.score));
    }
    for phase in &found.phases {
        let _ = write!(text, "\n  {:22} {}", phase.phase, score(&phase.score));
    }
    for one in &found.catalogues {
        let counts: Vec<String> = one
            .clauses
            .iter()
            .filter(|count| count.count > 0)
            .map(|count| format!("{} {}", count.count, count.state))
            .collect();
        let title = of(&one.title, language);
        let _ = write!(text, "\n  {:22} {} ({title})", one.catalogue, counts.join(", "));
    }
    let _ = write!(text, "\ncontents {}", found.content);
    text
}

async fn items(args: &ItemsArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let tongue = Tongue::from(language);
    let mut path = format!("/v1/diagnoses/{}/items", percent_encode(&args.diagnosis));
    for (name, value) in [
        ("layer", &args.layer),
        ("phase", &args.phase),
        ("state", &args.state),
        ("owner", &args.owner),
        ("text", &args.text),
    ] {
        if let Some(value) = value {
            let mark = if path.contains('?') { '&' } else { '?' };
            write!(path, "{mark}{name}={}", percent_encode(value))?;
        }
    }
    let all: Vec<DiagnosedItem> = Remote::open(&args.server, language)?.all(&path).await?;
    output.list(&all, &["item", "weight", "state", "owner", "criterion"], |one| {
        let owner = one.answer.entry.as_ref().and_then(|entry| entry.owner.clone());
        vec![
            one.answer.topic.clone(),
            one.weight.to_string(),
            one.state.clone(),
            owner.unwrap_or_default(),
            of(&one.criterion, tongue).to_owned(),
        ]
    })
}

fn topic_text(found: &DiagnosedTopic) -> String {
    let mut text = format!("{} (version {})", found.topic, found.version);
    let Some(entry) = &found.entry else {
        text.push_str("\n  nobody has answered");
        return text;
    };
    let _ = write!(text, "\n  {}", entry.answer);
    for (name, value) in [
        ("reason", &entry.reason),
        ("owner", &entry.owner),
        ("due", &entry.due),
        ("comment", &entry.comment),
    ] {
        if let Some(value) = value {
            let _ = write!(text, "\n  {name}: {value}");
        }
    }
    for piece in &entry.evidence {
        let until = piece.until.as_deref().map(|until| format!(" until {until}"));
        let _ = write!(
            text,
            "\n  evidence of {}{}: {}",
            piece.on,
            until.unwrap_or_default(),
            piece.what
        );
    }
    if let (Some(by), Some(at)) = (&found.changed_by, &found.changed) {
        let _ = write!(text, "\n  changed by {by} at {at}");
    }
    text
}

async fn answer(args: AnswerArgs, output: Output, language: Language) -> anyhow::Result<()> {
    let rest = rest(&args.server, language)?;
    let now = rest.diagnosed(&args.diagnosis, &args.topic).await?;
    let entry = match args.answer {
        None => None,
        Some(answer) => {
            let mut evidence =
                now.entry.as_ref().map(|entry| entry.evidence.clone()).unwrap_or_default();
            if answer == "absent" {
                evidence.clear();
            }
            if let Some(what) = args.evidence {
                let sha256 = match &args.document {
                    None => None,
                    Some(path) => {
                        let bytes = std::fs::read(path)
                            .with_context(|| format!("cannot read {}", path.display()))?;
                        Some(Digest(crypto::sha256(&bytes)))
                    }
                };
                let on = args.on.context("say with --on from which day the evidence is")?;
                evidence.push(DiagnosisEvidence { what, sha256, on, until: args.until });
            }
            Some(DiagnosisEntry {
                answer,
                reason: args.reason,
                evidence,
                owner: args.owner,
                due: args.due,
                comment: args.comment,
            })
        }
    };
    let change = ChangeAnswer { version: args.version.unwrap_or(now.version), entry };
    let done = rest.answer_diagnosis(&args.diagnosis, &args.topic, &change).await?;
    output.one(&done, topic_text)
}

/// Holds the proof against the checkpoint that came with it.
fn proof(found: &ReleaseProof, output: Output) -> anyhow::Result<()> {
    let statement = assessment::DiagnosisStatement::parse(&found.statement.0)?;
    super::release::included(found)
        .context("the proof does not hold: the log does not hold this diagnosis")?;
    let inclusion = &found.inclusion;
    output.one(found, |_| {
        format!(
            "leaf {} of {} commits to diagnosis {} ({}/{} {}), contents {}, signed {}",
            inclusion.leaf,
            inclusion.size,
            statement.diagnosis,
            statement.organisation,
            statement.product,
            statement.subject,
            statement.content,
            statement.at
        )
    })
}
