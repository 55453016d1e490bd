use super::{both, bounded, library, oscal, page, read, today};
use crate::{
    cli::{
        Language,
        assessment::{ChecksheetCommand, DiagnosisArgs},
    },
    output::{Output, table},
};
use anyhow::Context as _;
use assessment::{Bilingual, Day, Diagnosis, Item, Layer, Library, Phase, Score, SignOff, compare};
use device::Language as Tongue;
use serde_json::{Value, json};
use std::{io::Write as _, path::Path};

/// Runs `tegata checksheet`.
pub fn run(command: ChecksheetCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let library = library()?;
    let language = Tongue::from(language);
    match command {
        ChecksheetCommand::Items { layer, phase } => {
            items(&library, layer, phase, output, language)
        }
        ChecksheetCommand::Show { item } => show(&library, &item, output, language),
        ChecksheetCommand::New { product, subject, on } => {
            let diagnosis = Diagnosis::new(&product, &subject, today(on)?)?;
            output.line(&template(&library, &diagnosis, language))
        }
        ChecksheetCommand::Score(args) => score(&library, &args, output, language),
        ChecksheetCommand::Page(args) => page::run(&library, &args, output, language),
        ChecksheetCommand::Gaps(args) => gaps(&library, &args, output, language),
        ChecksheetCommand::Compare { before, after } => {
            let (before, after) = (read(&before, &library)?, read(&after, &library)?);
            comparison(&library, &before, &after, output, language)
        }
        ChecksheetCommand::Export { file, out } => {
            let book = read(&file, &library)?.to_xlsx(&library, language)?;
            std::fs::File::create_new(&out)
                .and_then(|mut file| file.write_all(&book))
                .with_context(|| format!("cannot write {}; it must not exist yet", out.display()))
        }
        ChecksheetCommand::Import { file } => {
            let bytes = bounded(&file)?;
            let diagnosis = Diagnosis::from_xlsx(&file.display().to_string(), &bytes, &library)?;
            output.line(diagnosis.to_yaml().trim_end())
        }
        ChecksheetCommand::Oscal { diagnosis, model, catalogue } => {
            oscal::of_diagnosis(&library, &diagnosis, model, &catalogue, output, language)
        }
        ChecksheetCommand::FromOscal { file } => oscal::to_diagnosis(&library, &file, output),
        ChecksheetCommand::Sign { file, name } => sign(&library, &file, &name, output, language),
    }
}

fn items(
    library: &Library,
    layer: Option<Layer>,
    phase: Option<Phase>,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let chosen = library.items().iter().filter(|item| {
        layer.is_none_or(|layer| item.layer == layer)
            && phase.is_none_or(|phase| item.phase == phase)
    });
    if output.json {
        for item in chosen {
            output.line(&serde_json::to_string(&item_json(item))?)?;
        }
        return Ok(());
    }
    let rows = chosen.map(|item| {
        vec![item.id.to_string(), item.weight.to_string(), item.criterion.of(language).to_owned()]
    });
    output.line(&table(&["item", "weight", "criterion"], rows))
}

fn item_json(item: &Item) -> Value {
    let verification: Vec<Value> = item
        .clauses
        .iter()
        .map(|clause| {
            json!({"record": clause.record.to_string(), "relation": clause.relation.word()})
        })
        .collect();
    let when: Vec<&str> = item.when.iter().map(|one| one.as_str()).collect();
    json!({
        "id": item.id.as_str(),
        "layer": item.layer.word(),
        "phase": item.phase.word(),
        "threat": item.threat.word(),
        "weight": item.weight,
        "when": when,
        "criterion": both(&item.criterion),
        "interpretation": {"attack": both(&item.attack), "measure": both(&item.measure)},
        "verification": verification,
        "check": both(&item.check),
        "evidence": both(&item.evidence),
    })
}

fn show(library: &Library, id: &str, output: Output, language: Tongue) -> anyhow::Result<()> {
    let item = library
        .item(id)
        .with_context(|| format!("no item {id:?}; `tegata checksheet items` lists them"))?;
    if output.json {
        return output.line(&serde_json::to_string(&item_json(item))?);
    }
    let (layer, phase) = (item.layer.title(language), item.phase.title(language));
    let threat = item.threat.title(language);
    output.line(&format!("{}  {layer} / {phase} / {threat} / {}", item.id, item.weight))?;
    let names: [&str; 5] = match language {
        Tongue::En => ["criterion", "attack", "measure", "check", "evidence"],
        Tongue::Ja => ["基準", "想定される攻撃", "対策", "確認方法", "証跡"],
    };
    for (name, (_, text)) in names.into_iter().zip(item.texts()) {
        output.line(&format!("  {name}: {}", text.of(language)))?;
    }
    for clause in &item.clauses {
        let title = library.record(&clause.record).map_or("", |one| one.title.of(language));
        output.line(&format!("  {:10} {}  {title}", clause.relation.word(), clause.record))?;
    }
    Ok(())
}

/// An empty diagnosis, each item a comment that becomes an answer when its mark is taken away.
fn template(library: &Library, diagnosis: &Diagnosis, language: Tongue) -> String {
    let heading = match language {
        Tongue::En => [
            "Features that the product does not have, each with a reason:",
            "Take the mark away from what you answer: met, partly, not-met, not-applicable.",
        ],
        Tongue::Ja => [
            "製品にない機能を、理由とともに記入する：",
            "回答する行の先頭の「#」を外す。値は met、partly、not-met、not-applicable のいずれか。",
        ],
    };
    let one_line = |text: &Bilingual| text.of(language).replace('\n', " ");
    let mut text = diagnosis.to_yaml();
    text.push_str(&format!("\n# {}\n# absent:\n", heading[0]));
    for feature in library.features() {
        text.push_str(&format!("#   {}: \"\"  # {}\n", feature.id, one_line(&feature.title)));
    }
    text.push_str(&format!("\n# {}\n# answers:\n", heading[1]));
    for item in library.items() {
        text.push_str(&format!(
            "#   {}: {{answer: met}}  # {}\n",
            item.id,
            one_line(&item.criterion)
        ));
    }
    text.trim_end().to_owned()
}

fn score_json(score: &Score) -> Value {
    json!({
        "items": score.items,
        "not_applicable": score.not_applicable,
        "weight": score.weight,
        "fulfilled_percent": score.fulfilled_percent(),
        "claimed_percent": score.claimed_percent(),
        "answered_percent": score.answered_percent(),
    })
}

fn sign_off_json(sign_off: &SignOff) -> Value {
    match sign_off {
        SignOff::Draft => json!({"state": "draft", "by": []}),
        SignOff::Once(name) => json!({"state": "once", "by": [name]}),
        SignOff::Signed(names) => json!({"state": "signed", "by": names}),
        SignOff::Changed => json!({"state": "changed", "by": []}),
    }
}

fn sign_off_text(sign_off: &SignOff, language: Tongue) -> String {
    match (sign_off, language) {
        (SignOff::Draft, Tongue::En) => "nobody has signed".to_owned(),
        (SignOff::Draft, Tongue::Ja) => "未署名".to_owned(),
        (SignOff::Once(name), Tongue::En) => format!("signed by {name}; a second person is needed"),
        (SignOff::Once(name), Tongue::Ja) => format!("{name} が署名済み。もう1名の署名が必要"),
        (SignOff::Signed(names), Tongue::En) => format!("signed by {}", names.join(", ")),
        (SignOff::Signed(names), Tongue::Ja) => format!("署名済み：{}", names.join("、")),
        (SignOff::Changed, Tongue::En) => "changed since it was signed; sign again".to_owned(),
        (SignOff::Changed, Tongue::Ja) => "署名後に変更あり。再署名が必要".to_owned(),
    }
}

fn score(
    library: &Library,
    args: &DiagnosisArgs,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let diagnosis = read(&args.file, library)?;
    let today = today(args.at)?;
    let total = diagnosis.score(library.items(), today);
    let cells = diagnosis.matrix(library, today);
    let sign_off = diagnosis.sign_off();
    if output.json {
        let cells: Vec<Value> = cells
            .iter()
            .map(|(layer, phase, score)| {
                json!({"layer": layer.word(), "phase": phase.word(), "score": score_json(score)})
            })
            .collect();
        let layers: Vec<Value> = Layer::ALL
            .iter()
            .map(|layer| {
                let items = library.items().iter().filter(|item| item.layer == *layer);
                json!({"layer": layer.word(), "score": score_json(&diagnosis.score(items, today))})
            })
            .collect();
        return output.line(&serde_json::to_string(&json!({
            "product": diagnosis.product, "subject": diagnosis.subject,
            "on": diagnosis.on.to_string(), "as_of": today.to_string(),
            "total": score_json(&total), "layers": layers, "cells": cells,
            "sign_off": sign_off_json(&sign_off), "content": diagnosis.content().to_string(),
        }))?);
    }
    output.line(&format!("{} {} ({today})", diagnosis.product, diagnosis.subject))?;
    output.line(&total_text(&total, language))?;
    let mut head = vec![""];
    head.extend(Layer::ALL.iter().map(|layer| layer.title(language)));
    let rows = Phase::ALL.iter().map(|phase| {
        let mut row = vec![phase.title(language).to_owned()];
        row.extend(Layer::ALL.iter().map(|layer| {
            let cell = cells.iter().find(|(at, when, _)| at == layer && when == phase);
            cell.map_or(String::new(), |(_, _, score)| cell_text(score))
        }));
        row
    });
    output.line(&table(&head, rows))?;
    output.line(&sign_off_text(&sign_off, language))
}

fn percent(value: Option<u32>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value}%"))
}

fn total_text(score: &Score, language: Tongue) -> String {
    let fulfilled = percent(score.fulfilled_percent());
    let claimed = percent(score.claimed_percent());
    let answered = percent(score.answered_percent());
    match language {
        Tongue::En => format!(
            "{} items, {} not applicable: fulfilled {fulfilled}, claimed without evidence {claimed}, \
             answered {answered}; each cell: fulfilled/answered",
            score.items, score.not_applicable
        ),
        Tongue::Ja => format!(
            "{}項目（対象外{}項目）：適合 {fulfilled}、証跡なしの主張 {claimed}、回答済み {answered}。\
             各欄は適合率/回答率",
            score.items, score.not_applicable
        ),
    }
}

fn cell_text(score: &Score) -> String {
    format!("{}/{}", percent(score.fulfilled_percent()), percent(score.answered_percent()))
}

fn gaps(
    library: &Library,
    args: &DiagnosisArgs,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let diagnosis = read(&args.file, library)?;
    let gaps = diagnosis.gaps(library, today(args.at)?);
    if output.json {
        for gap in gaps {
            output.line(&serde_json::to_string(&json!({
                "item": gap.item.as_str(), "state": gap.state.word(), "weight": gap.weight,
                "owner": gap.owner, "due": gap.due.map(|due| due.to_string()),
                "overdue": gap.overdue,
            }))?)?;
        }
        return Ok(());
    }
    let rows = gaps.iter().map(|gap| {
        let due = gap.due.map_or(String::new(), |due| match gap.overdue {
            true => format!("{due} !"),
            false => due.to_string(),
        });
        vec![
            gap.item.to_string(),
            gap.weight.to_string(),
            gap.state.title(language).to_owned(),
            gap.owner.clone().unwrap_or_default(),
            due,
            library
                .item(gap.item.as_str())
                .map_or("", |item| item.criterion.of(language))
                .to_owned(),
        ]
    });
    output.line(&table(&["item", "weight", "state", "owner", "due", "criterion"], rows))
}

fn comparison(
    library: &Library,
    before: &Diagnosis,
    after: &Diagnosis,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let changes = compare(library, before, after)?;
    if output.json {
        for change in changes {
            output.line(&serde_json::to_string(&json!({
                "item": change.item.as_str(), "direction": change.direction.word(),
                "before": change.before.word(), "after": change.after.word(),
                "weight": change.weight,
            }))?)?;
        }
        return Ok(());
    }
    let total = |one: &Diagnosis| one.score(library.items(), one.on);
    output.line(&format!("{}  {}", before.on, total_text(&total(before), language)))?;
    output.line(&format!("{}  {}", after.on, total_text(&total(after), language)))?;
    let rows = changes.iter().map(|change| {
        vec![
            change.item.to_string(),
            change.direction.title(language).to_owned(),
            change.before.title(language).to_owned(),
            change.after.title(language).to_owned(),
        ]
    });
    output.line(&table(&["item", "direction", "before", "after"], rows))
}

/// Signs and writes the file anew, in its canonical form, whole or not at all.
fn sign(
    library: &Library,
    path: &Path,
    name: &str,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let mut diagnosis = read(path, library)?;
    let today: Day = today(None)?;
    diagnosis.sign(name, today)?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write beside {}", path.display()))?;
    file.write_all(diagnosis.to_yaml().as_bytes())?;
    file.as_file().set_permissions(std::fs::metadata(path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    let sign_off = diagnosis.sign_off();
    match output.json {
        true => output.line(&serde_json::to_string(&sign_off_json(&sign_off))?),
        false => output.line(&sign_off_text(&sign_off, language)),
    }
}
