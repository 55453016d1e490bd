use super::{both, library, oscal, read, today};
use crate::{
    cli::{
        Language,
        assessment::{CatalogueCommand, CoverageArgs},
    },
    output::{Output, table},
};
use anyhow::{Context as _, bail};
use assessment::{
    Basis, Catalogue, ClauseCoverage, ClauseState, Coverage, Library, Record, RecordRef, Relation,
};
use device::Language as Tongue;
use serde_json::{Value, json};

/// Runs `tegata catalogue`.
pub fn run(command: CatalogueCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let library = library()?;
    let language = Tongue::from(language);
    match command {
        CatalogueCommand::List { catalogue } => {
            list(&library, catalogue.as_deref(), output, language)
        }
        CatalogueCommand::Show { reference } => show(&library, &reference, output, language),
        CatalogueCommand::Diff { from, to } => diff(&library, &from, &to, output, language),
        CatalogueCommand::Oscal { catalogue, at } => {
            oscal::of_catalogue(&library, &catalogue, at, output, language)
        }
        CatalogueCommand::Coverage(args) => coverage(&library, &args, output, language),
    }
}

pub(super) fn named<'a>(library: &'a Library, id: &str) -> anyhow::Result<&'a Catalogue> {
    library.catalogue(id).with_context(|| {
        let all: Vec<&str> =
            library.catalogues().iter().map(|one| one.source.id.as_str()).collect();
        format!("no catalogue {id:?}; there are {}", all.join(", "))
    })
}

fn list(
    library: &Library,
    catalogue: Option<&str>,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let chosen: Vec<&Catalogue> = match catalogue {
        Some(id) => vec![named(library, id)?],
        None => library.catalogues().iter().collect(),
    };
    if output.json {
        for catalogue in chosen {
            for record in &catalogue.records {
                output.line(&serde_json::to_string(&record_json(library, catalogue, record))?)?;
            }
        }
        return Ok(());
    }
    if catalogue.is_none() {
        let rows = chosen.iter().map(|one| {
            vec![
                one.source.id.to_string(),
                one.records.len().to_string(),
                one.source.licence.title(language).to_owned(),
                one.source.title.of(language).to_owned(),
            ]
        });
        return output.line(&table(&["catalogue", "records", "licence", "title"], rows));
    }
    let records = chosen.iter().flat_map(|one| &one.records).map(|record| {
        let title = record.title.of(language).to_owned();
        vec![record.reference.to_string(), record.strength.title(language).to_owned(), title]
    });
    output.line(&table(&["record", "strength", "title"], records))
}

fn record_json(library: &Library, catalogue: &Catalogue, record: &Record) -> Value {
    let source = &catalogue.source;
    let when: Vec<&str> = record.when.iter().map(|one| one.as_str()).collect();
    let related: Vec<Value> = library
        .neighbours(&record.reference)
        .iter()
        .map(|(relation, to)| json!({"relation": relation.word(), "record": to.to_string()}))
        .collect();
    json!({
        "reference": record.reference.to_string(),
        "source": source.id.as_str(),
        "edition": source.edition,
        "url": source.url,
        "licence": record.licence.word(),
        "checked": record.checked,
        "id": record.reference.id(),
        "group": catalogue.group(&record.group).map(both),
        "strength": record.strength.word(),
        "security_level": record.security_level,
        "when": when,
        "condition": record.condition.as_ref().map(both),
        "title": both(&record.title),
        "text": both(&record.text),
        "related": related,
    })
}

fn show(
    library: &Library,
    reference: &str,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let found = RecordRef::parse(reference).and_then(|one| library.record(&one));
    let record = found.with_context(|| {
        format!("no record {reference:?}; `tegata catalogue list NAME` shows the records of one")
    })?;
    let catalogue = named(library, record.reference.source().as_str())?;
    let items: Vec<_> = library.items_of(&record.reference).collect();
    if output.json {
        let mut value = record_json(library, catalogue, record);
        let items: Vec<Value> = items
            .iter()
            .map(|(item, relation)| json!({"item": item.id.as_str(), "relation": relation.word()}))
            .collect();
        if let Some(fields) = value.as_object_mut() {
            fields.insert("items".to_owned(), Value::Array(items));
        }
        return output.line(&serde_json::to_string(&value)?);
    }
    output.line(&format!("{}  {}", record.reference, record.title.of(language)))?;
    output.line(&format!("  {}", record.text.of(language)))?;
    if let Some(condition) = &record.condition {
        output.line(&format!("  ({})", condition.of(language)))?;
    }
    let of = match language {
        Tongue::En => {
            ["strength", "applies with", "source", "licence", "compared by", "nobody yet"]
        }
        Tongue::Ja => ["強さ", "適用条件", "出典", "ライセンス", "原文との照合", "未照合"],
    };
    output.line(&format!("  {}: {}", of[0], record.strength.title(language)))?;
    if !record.when.is_empty() {
        let when = library.features().iter().filter(|one| record.when.contains(&one.id));
        let titles: Vec<&str> = when.map(|one| one.title.of(language)).collect();
        output.line(&format!("  {}: {}", of[1], titles.join("; ")))?;
    }
    let source = &catalogue.source;
    output.line(&format!("  {}: {}, {}", of[2], source.edition, source.url))?;
    output.line(&format!("  {}: {}", of[3], record.licence.title(language)))?;
    output.line(&format!("  {}: {}", of[4], record.checked.as_deref().unwrap_or(of[5])))?;
    for (relation, to) in library.neighbours(&record.reference) {
        let title = library.record(to).map_or("", |record| record.title.of(language));
        output.line(&format!("  {:10} {to}  {title}", relation.word()))?;
    }
    for (item, relation) in items {
        let criterion = item.criterion.of(language);
        output.line(&format!("  {:10} {}  {criterion}", relation.inverse().word(), item.id))?;
    }
    Ok(())
}

/// For each record of `to`: what is related in `from`, the strongest first.
fn diff(
    library: &Library,
    from: &str,
    to: &str,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let (from, to) = (named(library, from)?, named(library, to)?);
    if from.source.id == to.source.id {
        bail!("both are {}; name two catalogues", from.source.id);
    }
    let strength = |relation: Relation| match relation {
        Relation::Equal => 0,
        Relation::Superset => 1,
        Relation::Subset => 2,
        Relation::Intersect => 3,
    };
    let mut rows = Vec::new();
    for record in &to.records {
        // Seen from `from`, hence inverted.
        let mut related: Vec<(Relation, &RecordRef)> = library
            .neighbours(&record.reference)
            .iter()
            .filter(|(_, other)| other.source() == &from.source.id)
            .map(|(relation, other)| (relation.inverse(), other))
            .collect();
        related.sort_by_key(|(relation, _)| strength(*relation));
        let covered = match related.first() {
            Some((relation, _)) if relation.hands_on_success() => "met",
            Some(_) => "partly",
            None => "missing",
        };
        rows.push((record, covered, related));
    }
    if output.json {
        for (record, covered, related) in rows {
            let related: Vec<Value> = related
                .iter()
                .map(|(relation, other)| {
                    json!({"relation": relation.word(), "record": other.to_string()})
                })
                .collect();
            output.line(&serde_json::to_string(&json!({
                "record": record.reference.to_string(), "covered": covered, "by": related,
                "title": both(&record.title),
            }))?)?;
        }
        return Ok(());
    }
    let lines = rows.iter().map(|(record, covered, related)| {
        let by: Vec<String> =
            related.iter().map(|(relation, other)| format!("{} {relation}", other.id())).collect();
        let covered = match (*covered, language) {
            ("met", Tongue::Ja) => "充足",
            ("partly", Tongue::Ja) => "一部",
            ("missing", Tongue::Ja) => "なし",
            (word, _) => word,
        };
        let title = record.title.of(language).to_owned();
        vec![record.reference.id().to_owned(), covered.to_owned(), by.join(", "), title]
    });
    output.line(&table(&["record", "covered", "by", "title"], lines))
}

fn coverage(
    library: &Library,
    args: &CoverageArgs,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let diagnosis = read(&args.file, library)?;
    let coverage = Coverage::of(library, &diagnosis, today(args.at)?);
    let chosen: Vec<&Catalogue> = match &args.catalogue {
        Some(id) => vec![named(library, id)?],
        None => library.catalogues().iter().collect(),
    };
    let missing =
        |state: ClauseState| !matches!(state, ClauseState::Met | ClauseState::NotApplicable);
    if output.json || args.catalogue.is_some() || args.missing {
        let clauses = chosen
            .iter()
            .flat_map(|one| coverage.catalogue(library, &one.source.id))
            .filter(|clause| !args.missing || missing(clause.state));
        if output.json {
            for clause in clauses {
                output.line(&serde_json::to_string(&clause_json(clause))?)?;
            }
            return Ok(());
        }
        let rows = clauses.map(|clause| {
            let title = library.record(&clause.record).map_or("", |one| one.title.of(language));
            let state = clause.state.title(language).to_owned();
            vec![clause.record.to_string(), state, basis_text(clause), title.to_owned()]
        });
        return output.line(&table(&["clause", "state", "by", "title"], rows));
    }
    let mut head = vec!["catalogue"];
    head.extend(ClauseState::ALL.iter().map(|state| state.title(language)));
    let rows = chosen.iter().map(|one| {
        let counts = coverage.count(&one.source.id);
        let mut row = vec![one.source.id.to_string()];
        row.extend(counts.iter().map(|(_, count)| count.to_string()));
        row
    });
    output.line(&table(&head, rows))
}

fn clause_json(clause: &ClauseCoverage) -> Value {
    let basis: Vec<Value> = clause
        .basis
        .iter()
        .map(|basis| match basis {
            Basis::Answer(state) => json!({"answer": state.word()}),
            Basis::Item(item, relation, state) => {
                json!({"item": item.as_str(), "relation": relation.word(), "state": state.word()})
            }
            Basis::Record(record, relation, state) => json!({
                "record": record.to_string(), "relation": relation.word(), "state": state.word(),
            }),
            Basis::Absent(reason) => json!({"absent": reason}),
        })
        .collect();
    json!({"clause": clause.record.to_string(), "state": clause.state.word(), "basis": basis})
}

fn basis_text(clause: &ClauseCoverage) -> String {
    let mut parts: Vec<String> = clause
        .basis
        .iter()
        .map(|basis| match basis {
            Basis::Answer(state) => format!("answer {state}"),
            Basis::Item(item, _, state) => format!("{item} {state}"),
            Basis::Record(record, relation, _) => format!("{record} {relation}"),
            Basis::Absent(reason) => reason.clone(),
        })
        .collect();
    let more = parts.len().saturating_sub(3);
    parts.truncate(3);
    if more > 0 {
        parts.push(format!("+{more}"));
    }
    parts.join(", ")
}
