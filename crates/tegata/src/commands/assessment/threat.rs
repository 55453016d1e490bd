//! `tegata threat`.

use super::{both, bounded, library, today};
use crate::{
    cli::{
        Language,
        threat::{ModelArgs, ThreatCommand, ThreatFormat},
    },
    output::{Output, table},
};
use anyhow::{Context as _, bail};
use assessment::{
    Library,
    threat::{
        Analysis, Band, Cause, Gap, Level, Model, Rule, RuleBook, State, ThreatInstance, Tree,
        diagram, import, sarif, schema, silence_words,
    },
};
use device::Language as Tongue;
use serde_json::{Value, json};
use std::path::Path;

/// Runs `tegata threat`.
pub fn run(command: ThreatCommand, output: Output, language: Language) -> anyhow::Result<()> {
    let library = library()?;
    let book =
        RuleBook::embedded(&library).context("the rules that were built in do not fit together")?;
    let language = Tongue::from(language);
    match command {
        ThreatCommand::Check(args) => {
            with(&args, &book, |analysis| check(analysis, output, language))
        }
        ThreatCommand::List { model, all } => {
            with(&model, &book, |analysis| list(analysis, all, output, language))
        }
        ThreatCommand::Show { model, id } => {
            with(&model, &book, |analysis| show(analysis, &library, &id, output, language))
        }
        ThreatCommand::Risk(args) => {
            with(&args, &book, |analysis| risk(analysis, &library, output, language))
        }
        ThreatCommand::Diagram { model, theme } => with(&model, &book, |analysis| {
            output.line(diagram(analysis, theme, language).trim_end())
        }),
        ThreatCommand::Tree { model, threat, asset, theme } => with(&model, &book, |analysis| {
            let tree = match (&threat, &asset) {
                (Some(id), _) => Tree::of_threat(analysis, id, language).with_context(|| {
                    format!("no threat {id:?}; `tegata threat list` shows them")
                })?,
                (None, Some(id)) => Tree::of_asset(analysis, id, language)
                    .with_context(|| format!("the model has no asset {id:?}"))?,
                (None, None) => bail!("name a --threat or an --asset"),
            };
            if tree.1 > 0 {
                eprintln!("{} ways were left out; draw a tree of one of its threats", tree.1);
            }
            output.line(tree.0.to_svg(theme, language).trim_end())
        }),
        ThreatCommand::Import { file } => imported(&file, &book, output),
        ThreatCommand::Export { model, format } => {
            let name = model.file.display().to_string();
            with(&model, &book, |analysis| export(analysis, &name, format, output, language))
        }
        ThreatCommand::Rules { measures: true, .. } => measures(&book, output, language),
        ThreatCommand::Rules { rule, .. } => rules(&book, rule.as_deref(), output, language),
        ThreatCommand::Forms(args) => {
            with(&args, &book, |analysis| forms(analysis, output, language))
        }
        // Talks to a server, and does not come here.
        ThreatCommand::Kept(_) => Ok(()),
        ThreatCommand::Schema => output.line(&serde_json::to_string_pretty(&schema(&book))?),
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(bounded(path)?)
        .with_context(|| format!("{} is not UTF-8; save it as UTF-8", path.display()))
}

fn with(
    args: &ModelArgs,
    book: &RuleBook,
    act: impl FnOnce(&Analysis<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let model = Model::parse(&args.file.display().to_string(), &text(&args.file)?, book)?;
    act(&Analysis::of(&model, book, today(args.at)?))
}

fn check(analysis: &Analysis<'_>, output: Output, language: Tongue) -> anyhow::Result<()> {
    let mut rows: Vec<(&str, String, &str)> = Vec::new();
    let say = |en: &'static str, ja: &'static str| match language {
        Tongue::En => en,
        Tongue::Ja => ja,
    };
    for gap in analysis.model.gaps() {
        rows.push(match gap {
            Gap::NoCategory => (
                "no-category",
                "category".into(),
                say("rules for all categories apply", "全区分の規則を適用"),
            ),
            Gap::Unrated(one) => {
                ("unrated", one.id.clone(), say("5 is assumed for everything", "すべて5とみなす"))
            }
            Gap::NoZone(one) => (
                "no-zone",
                one.id.clone(),
                say("its flows cross no border", "境界を越えないものとみなす"),
            ),
            Gap::CarriesNothing(one) => (
                "carries-nothing",
                one.id.clone(),
                say("3 is assumed for everything", "すべて3とみなす"),
            ),
            Gap::Nowhere(one) => (
                "nowhere",
                one.id.clone(),
                say("nobody holds or carries it", "保持・搬送するものがない"),
            ),
        });
    }
    for (id, _) in &analysis.stale {
        let what =
            say("decision without a threat; drop it or correct the id", "該当する脅威がない決定");
        rows.push(("stale-decision", (*id).to_owned(), what));
    }
    if output.json {
        for (kind, at, note) in rows {
            output.line(&serde_json::to_string(&json!({"kind": kind, "at": at, "note": note}))?)?;
        }
        return Ok(());
    }
    let counts: Vec<String> = analysis
        .count()
        .iter()
        .map(|(state, count)| format!("{} {count}", state.title(language)))
        .collect();
    output.line(&format!("{}: {}", analysis.model.name, counts.join(", ")))?;
    if rows.is_empty() {
        return Ok(());
    }
    let head = match language {
        Tongue::En => ["finding", "at", "what it means"],
        Tongue::Ja => ["指摘", "場所", "扱い"],
    };
    let rows = rows.into_iter().map(|(kind, at, note)| vec![kind.to_owned(), at, note.to_owned()]);
    output.line(&table(&head, rows))
}

fn list(
    analysis: &Analysis<'_>,
    all: bool,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let chosen = analysis.threats.iter().filter(|one| all || one.is_open());
    if output.json {
        for one in chosen {
            output.line(&serde_json::to_string(&threat_json(analysis, one))?)?;
        }
        return Ok(());
    }
    let head = match language {
        Tongue::En => ["id", "risk", "target", "state", "subject", "threat"],
        Tongue::Ja => ["ID", "リスク", "目標", "状態", "対象", "脅威"],
    };
    let rows = chosen.map(|one| {
        vec![
            one.id.to_string(),
            level_text(one.risk.residual, language),
            one.risk.target.score().to_string(),
            one.state.title(language).to_owned(),
            one.subject.to_string(),
            one.title(language).to_owned(),
        ]
    });
    output.line(&table(&head, rows))
}

fn level_text(level: Level, language: Tongue) -> String {
    format!("{} {}", level.score(), level.band().title(language))
}

fn level_json(level: Level) -> Value {
    json!({
        "likelihood": level.likelihood, "impact": level.impact,
        "score": level.score(), "band": level.band().word(),
    })
}

fn threat_json(analysis: &Analysis<'_>, one: &ThreatInstance<'_>) -> Value {
    let (title, text) = match one.cause {
        Cause::Rule(rule) => (both(&rule.title), both(&rule.text)),
        Cause::Finding(finding) => (json!(finding.title), json!(finding.text)),
    };
    let requirements = |measure: &&str| -> Vec<String> {
        let found = analysis.book.measure(measure);
        found.into_iter().flat_map(|one| &one.requirements).map(ToString::to_string).collect()
    };
    let measure = |id: &&str| json!({"id": id, "requirements": requirements(id)});
    let actors: Vec<&str> = Analysis::actors(one).iter().map(|actor| actor.word()).collect();
    json!({
        "id": one.id.as_str(),
        "cause": match one.cause { Cause::Rule(_) => "rule", Cause::Finding(_) => "finding" },
        "rule": one.cause_id(),
        "threat": one.threat().word(),
        "subject": one.subject.to_string(),
        "subject_title": one.subject.title(analysis.model),
        "state": one.state.word(),
        "title": title,
        "text": text,
        "actors": actors,
        "inherent": level_json(one.risk.inherent),
        "residual": level_json(one.risk.residual),
        "target": level_json(one.risk.target),
        "in_place": one.in_place.iter().map(measure).collect::<Vec<_>>(),
        "planned": one.planned.iter().map(measure).collect::<Vec<_>>(),
        "missing": one.missing.iter().map(measure).collect::<Vec<_>>(),
        "decision": one.decision.map(|decision| json!({
            "verdict": decision.verdict.word(), "reason": decision.reason, "by": decision.by,
            "on": decision.on.to_string(), "until": decision.until.map(|day| day.to_string()),
        })),
    })
}

fn show(
    analysis: &Analysis<'_>,
    library: &Library,
    id: &str,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let one = analysis
        .threat(id)
        .with_context(|| format!("no threat {id:?}; `tegata threat list FILE --all` shows them"))?;
    if output.json {
        return output.line(&serde_json::to_string(&threat_json(analysis, one))?);
    }
    let names = match language {
        Tongue::En => [
            "subject",
            "kind",
            "state",
            "inherent",
            "residual",
            "target",
            "actors",
            "silenced by",
            "decision",
            "leads to",
        ],
        Tongue::Ja => [
            "対象",
            "種別",
            "状態",
            "対策前",
            "現在",
            "目標",
            "攻撃者",
            "解消条件",
            "決定",
            "つながる脅威",
        ],
    };
    output.line(&format!("{}  {}", one.id, one.title(language)))?;
    if !one.text(language).is_empty() {
        output.line(&format!("  {}", one.text(language)))?;
    }
    let subject = format!("{} ({})", one.subject.title(analysis.model), one.subject);
    output.line(&format!("  {}: {subject}", names[0]))?;
    output.line(&format!("  {}: {}", names[1], one.threat().title(language)))?;
    output.line(&format!("  {}: {}", names[2], one.state.title(language)))?;
    for (name, level) in
        names[3..6].iter().zip([one.risk.inherent, one.risk.residual, one.risk.target])
    {
        let (likelihood, impact) = (level.likelihood, level.impact);
        output.line(&format!(
            "  {name}: {likelihood} × {impact} = {}",
            level_text(level, language)
        ))?;
    }
    let actors: Vec<&str> = Analysis::actors(one).iter().map(|who| who.title(language)).collect();
    if !actors.is_empty() {
        output.line(&format!("  {}: {}", names[6], actors.join(", ")))?;
    }
    if let Some(decision) = one.decision {
        let until = decision.until.map_or_else(String::new, |day| format!(" – {day}"));
        let (verdict, by, on) = (decision.verdict.title(language), &decision.by, decision.on);
        output
            .line(&format!("  {}: {verdict}, {by}, {on}{until}: {}", names[8], decision.reason))?;
    }
    let Cause::Rule(rule) = one.cause else { return Ok(()) };
    output.line(&format!("  {}: {}", names[7], silence_words(rule, analysis.book, language)))?;
    for id in rule.silence.measures() {
        let mark = if one.in_place.contains(id) {
            "✓"
        } else if one.planned.contains(id) {
            "○"
        } else {
            "×"
        };
        output.line(&format!("  {mark} {id}"))?;
        let Some(measure) = analysis.book.measure(id) else { continue };
        for requirement in &measure.requirements {
            let title = library.record(requirement).map_or("", |record| record.title.of(language));
            output.line(&format!("      {requirement}  {title}"))?;
        }
        for item in measure.items.iter().filter_map(|item| library.item(item)) {
            output.line(&format!("      {}  {}", item.id, item.criterion.of(language)))?;
        }
    }
    let leads: Vec<&str> = rule
        .leads_to
        .iter()
        .filter_map(|id| analysis.book.rule(id))
        .map(|rule| rule.title.of(language))
        .collect();
    if !leads.is_empty() {
        output.line(&format!("  {}: {}", names[9], leads.join("; ")))?;
    }
    Ok(())
}

/// One of the three risks of a threat.
type LevelOf = fn(&ThreatInstance<'_>) -> Level;

fn risk(
    analysis: &Analysis<'_>,
    library: &Library,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let treated = |one: &&ThreatInstance<'_>| one.state != State::Dismissed;
    let kinds: [(&str, &str, LevelOf); 3] = [
        ("inherent", "対策前", |one| one.risk.inherent),
        ("residual", "現在", |one| one.risk.residual),
        ("target", "目標", |one| one.risk.target),
    ];
    let count = |of: LevelOf, band: Band| {
        analysis.threats.iter().filter(treated).filter(|one| of(one).band() == band).count()
    };
    let zones = analysis.zone_levels(library);
    let vulnerabilities = &analysis.model.vulnerabilities;
    let fixed = |one: &assessment::threat::Vulnerability| {
        one.fixed_on.is_some_and(|day| day <= analysis.on)
    };
    if output.json {
        let bands: serde_json::Map<String, Value> = kinds
            .iter()
            .map(|(name, _, of)| {
                let counts: serde_json::Map<String, Value> = Band::ALL
                    .iter()
                    .map(|band| (band.word().to_owned(), json!(count(*of, *band))))
                    .collect();
                ((*name).to_owned(), Value::Object(counts))
            })
            .collect();
        let zones: Vec<Value> = zones
            .iter()
            .map(|one| {
                json!({
                    "zone": one.zone.id, "sl_t": one.target, "sl_c": one.capability,
                    "sl_a_at_most": one.achieved_at_most, "missed": one.missed(),
                })
            })
            .collect();
        let vulnerabilities: Vec<Value> = vulnerabilities
            .iter()
            .map(|one| {
                json!({
                    "id": one.id, "title": one.title, "elements": one.elements,
                    "cvss": one.score.vector, "score": f64::from(one.score.tenths) / 10.0,
                    "fixed": fixed(one),
                })
            })
            .collect();
        return output.line(&serde_json::to_string(&json!({
            "threats": bands, "zones": zones, "vulnerabilities": vulnerabilities,
        }))?);
    }
    // The matrix: likelihood upwards, impact to the right, residual risk.
    let cell = |likelihood: u8, impact: u8| {
        let here = |one: &&ThreatInstance<'_>| {
            one.risk.residual == Level { likelihood, impact } && one.state != State::Dismissed
        };
        match analysis.threats.iter().filter(here).count() {
            0 => "·".to_owned(),
            count => count.to_string(),
        }
    };
    let head = match language {
        Tongue::En => ["likelihood \\ impact", "1", "2", "3", "4", "5"],
        Tongue::Ja => ["起こりやすさ＼影響", "1", "2", "3", "4", "5"],
    };
    let rows = (1..=5u8).rev().map(|likelihood| {
        let mut row = vec![likelihood.to_string()];
        row.extend((1..=5u8).map(|impact| cell(likelihood, impact)));
        row
    });
    output.line(&table(&head, rows))?;
    let mut head = vec![""];
    head.extend(Band::ALL.iter().rev().map(|band| band.title(language)));
    let rows = kinds.iter().map(|(en, ja, of)| {
        let name = match language {
            Tongue::En => en,
            Tongue::Ja => ja,
        };
        let mut row = vec![(*name).to_owned()];
        row.extend(Band::ALL.iter().rev().map(|band| count(*of, *band).to_string()));
        row
    });
    output.line(&table(&head, rows))?;
    if !zones.is_empty() {
        let vector = |levels: Option<[u8; 7]>| {
            levels.map_or_else(
                || "–".to_owned(),
                |levels| levels.map(|one| one.to_string()).join(" "),
            )
        };
        let head = match language {
            Tongue::En => ["zone", "SL-T (FR 1–7)", "SL-C", "SL-A at most", "FR missed"],
            Tongue::Ja => ["ゾーン", "SL-T（FR 1–7）", "SL-C", "SL-A上限", "未達FR"],
        };
        let rows = zones.iter().map(|one| {
            let missed: Vec<String> = one.missed().iter().map(ToString::to_string).collect();
            vec![
                one.zone.title.clone(),
                vector(one.target),
                vector(one.capability),
                vector(Some(one.achieved_at_most)),
                missed.join(" "),
            ]
        });
        output.line(&table(&head, rows))?;
    }
    if !vulnerabilities.is_empty() {
        let rows = vulnerabilities.iter().map(|one| {
            let state = match (fixed(one), language) {
                (true, Tongue::En) => "fixed",
                (true, Tongue::Ja) => "修正済み",
                (false, Tongue::En) => "open",
                (false, Tongue::Ja) => "未修正",
            };
            let score = format!("{}.{}", one.score.tenths / 10, one.score.tenths % 10);
            vec![
                one.id.clone(),
                score,
                state.to_owned(),
                one.elements.join(", "),
                one.title.clone(),
            ]
        });
        output.line(&table(&["CVE", "CVSS 4.0", "", "", ""], rows))?;
    }
    for form in analysis.book.forms() {
        let answers = analysis.model.forms.get(&form.id).cloned().unwrap_or_default();
        let open = form.open_in(&analysis.model.category, &answers).count();
        let words = match language {
            Tongue::En => format!("{}: {open} questions open", form.title.en),
            Tongue::Ja => format!("{}：未回答{open}問", form.title.ja),
        };
        output.line(&words)?;
    }
    Ok(())
}

fn imported(file: &Path, book: &RuleBook, output: Output) -> anyhow::Result<()> {
    let imported = import(&file.display().to_string(), &text(file)?, book)?;
    if output.json {
        let losses: Vec<Value> = imported
            .losses
            .iter()
            .map(|loss| json!({"place": loss.place, "count": loss.count, "detail": loss.detail}))
            .collect();
        return output.line(&serde_json::to_string(&json!({
            "from": imported.from.word(), "model": imported.model.to_yaml(), "losses": losses,
        }))?);
    }
    eprintln!("{}: {} places are not carried over", imported.from, imported.losses.len());
    for loss in &imported.losses {
        eprintln!("  {} × {}: {}", loss.count, loss.place, loss.detail);
    }
    output.line(imported.model.to_yaml().trim_end())
}

fn export(
    analysis: &Analysis<'_>,
    file: &str,
    format: ThreatFormat,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    if format == ThreatFormat::Sarif {
        return output.line(&serde_json::to_string_pretty(&sarif(analysis, file, language))?);
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "id", "rule", "threat", "subject", "state", "inherent", "residual", "target", "title",
        "text", "missing",
    ])?;
    for one in &analysis.threats {
        let missing: Vec<&str> = one.missing.iter().copied().collect();
        let score = |level: Level| level.score().to_string();
        let risk = [score(one.risk.inherent), score(one.risk.residual), score(one.risk.target)];
        let texts = [
            one.subject.title(analysis.model),
            one.title(language).to_owned(),
            one.text(language).to_owned(),
        ];
        let [subject, title, text] = texts.map(harmless);
        writer.write_record([
            one.id.as_str(),
            one.cause_id(),
            one.threat().word(),
            &subject,
            one.state.word(),
            &risk[0],
            &risk[1],
            &risk[2],
            &title,
            &text,
            &missing.join(" "),
        ])?;
    }
    let bytes = writer.into_inner().context("the table cannot be written")?;
    output.line(String::from_utf8(bytes)?.trim_end())
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: String) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        _ => text,
    }
}

fn rules(
    book: &RuleBook,
    name: Option<&str>,
    output: Output,
    language: Tongue,
) -> anyhow::Result<()> {
    let chosen: Vec<&Rule> =
        match name {
            None => book.rules().iter().collect(),
            Some(name) => {
                vec![book.rule(name).with_context(|| {
                    format!("no rule {name:?}; `tegata threat rules` lists them")
                })?]
            }
        };
    if output.json {
        for rule in chosen {
            output.line(&serde_json::to_string(&rule_json(rule, book))?)?;
        }
        return Ok(());
    }
    if name.is_none() {
        let rows = chosen.iter().map(|rule| {
            let kind = rule.threat.title(language).to_owned();
            vec![
                rule.id.clone(),
                kind,
                rule.likelihood.to_string(),
                rule.title.of(language).to_owned(),
            ]
        });
        return output.line(&table(&["rule", "kind", "likelihood", "title"], rows));
    }
    for rule in chosen {
        output.line(&format!("{}  {}", rule.id, rule.title.of(language)))?;
        output.line(&format!("  {}", rule.text.of(language)))?;
        output.line(&format!("  {}: {}", rule.scope.title(language), rule.when))?;
        output.line(&format!("  → {}", silence_words(rule, book, language)))?;
        for reference in &rule.reference {
            output.line(&format!("  {reference}"))?;
        }
    }
    Ok(())
}

fn rule_json(rule: &Rule, book: &RuleBook) -> Value {
    let words = |language| silence_words(rule, book, language);
    json!({
        "id": rule.id,
        "threat": rule.threat.word(),
        "scope": rule.scope.word(),
        "when": rule.when,
        "silence": {"measures": rule.silence.measures(), "en": words(Tongue::En), "ja": words(Tongue::Ja)},
        "harms": rule.harms.iter().map(|one| one.word()).collect::<Vec<_>>(),
        "likelihood": rule.likelihood,
        "actors": rule.actors.iter().map(|one| one.word()).collect::<Vec<_>>(),
        "categories": rule.categories.iter().map(|one| one.word()).collect::<Vec<_>>(),
        "reference": rule.reference.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "leads_to": rule.leads_to,
        "title": both(&rule.title),
        "text": both(&rule.text),
    })
}

fn measures(book: &RuleBook, output: Output, language: Tongue) -> anyhow::Result<()> {
    if output.json {
        for one in book.measures() {
            let requirements: Vec<String> =
                one.requirements.iter().map(ToString::to_string).collect();
            output.line(&serde_json::to_string(&json!({
                "id": one.id, "title": both(&one.title),
                "requirements": requirements, "items": one.items,
            }))?)?;
        }
        return Ok(());
    }
    let rows = book.measures().iter().map(|one| {
        let requirements: Vec<String> = one.requirements.iter().map(ToString::to_string).collect();
        vec![one.id.clone(), one.title.of(language).to_owned(), requirements.join(", ")]
    });
    output.line(&table(&["measure", "title", "requirements"], rows))
}

fn forms(analysis: &Analysis<'_>, output: Output, language: Tongue) -> anyhow::Result<()> {
    for form in analysis.book.forms() {
        let answers = analysis.model.forms.get(&form.id).cloned().unwrap_or_default();
        let categories = &analysis.model.category;
        if !output.json {
            output.line(&format!("{}  {}", form.id, form.title.of(language)))?;
        }
        for question in form.questions() {
            let answer = answers.get(&question.id);
            if answer.is_none() && !form.asks(question, categories, &answers) {
                continue;
            }
            if output.json {
                output.line(&serde_json::to_string(&json!({
                    "form": form.id, "question": question.id, "ask": both(&question.ask),
                    "help": both(&question.help), "example": both(&question.example),
                    "choices": question.choices().iter().map(|one| one.word.as_str())
                        .collect::<Vec<_>>(),
                    "answer": answer,
                }))?)?;
                continue;
            }
            output.line(&format!("  {}: {}", question.id, question.ask.of(language)))?;
            match answer {
                Some(answer) => {
                    output.line(&format!("    → {}", question.shown(answer, language)))?;
                }
                None => {
                    output.line(&format!("    ({})", question.help.of(language)))?;
                    for one in question.choices() {
                        output.line(&format!("    {}: {}", one.word, one.title.of(language)))?;
                    }
                }
            }
        }
    }
    Ok(())
}
