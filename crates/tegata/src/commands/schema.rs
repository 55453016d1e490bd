//! `tegata schema …`: an organisation's schemas for payloads.

use crate::{
    cli::{
        Language, ServerArgs,
        schema::{OnOff, SchemaCommand, SchemaForm, SchemaKindArg, SchemaModeArg, SchemaText},
    },
    output::{Output, table},
    remote::Remote,
};
use anyhow::{Context as _, bail};
use api::{
    Rest,
    wire::{
        ActivateSchema, NewSchema, SchemaActivation, SchemaDetail, SchemaKind, SchemaMode,
        SchemaReport, SchemaVersion, SetStrictness, TriedSchemaCase, scalar::Base64,
    },
};
use schema::{
    CASES_BYTES_MAX, Cases, DESCRIPTORS_BYTES_MAX, Definition, Kind, PAYLOAD_BYTES_MAX, STEPS_MAX,
    Schema, Steps,
};
use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Some cases do not come out as expected, or a payload does not follow the schema.
const FAILED: u8 = 2;

/// Runs `tegata schema …`.
pub async fn run(
    command: SchemaCommand,
    output: Output,
    language: Language,
) -> anyhow::Result<ExitCode> {
    match command {
        SchemaCommand::Put { server, name, schema, cases, form, topic, product, reason } => {
            let Definition { kind, source, root, unknown_fields } = definition(&schema, form)?;
            let kind = match kind {
                Kind::JsonSchema => SchemaKind::JsonSchema,
                Kind::Cddl => SchemaKind::Cddl,
                Kind::Protobuf => SchemaKind::Protobuf,
            };
            let cases = text(&cases)?;
            let schema = Base64(source);
            let new =
                NewSchema { kind, schema, root, unknown_fields, topic, product, cases, reason };
            let made = rest(&server, language)?.put_schema(&name, &new).await?;
            output.one(&made, |made| {
                format!(
                    "version {} of {} is a draft with {} cases; try them: tegata schema test {} --version {}",
                    made.version, made.name, made.cases, made.name, made.version
                )
            })?;
        }
        SchemaCommand::Test { server, schema, version: Some(version), .. } => {
            let tested = rest(&server, language)?.test_schema(&schema, version).await?;
            output.one(&tested, |tested| tried(&tested.report))?;
            return Ok(code(&tested.report));
        }
        SchemaCommand::Test { schema, cases, payloads, form, .. } => {
            let report = try_files(Path::new(&schema), cases.as_deref(), &payloads, form)?;
            output.one(&report, tried)?;
            return Ok(code(&report));
        }
        SchemaCommand::Activate { server, name, version, mode, reason } => {
            let mode = match mode {
                SchemaModeArg::Enforce => SchemaMode::Enforce,
                SchemaModeArg::Observe => SchemaMode::Observe,
            };
            let wanted = ActivateSchema { version: Some(version), mode, reason };
            let done = rest(&server, language)?.activate_schema(&name, &wanted).await?;
            output.one(&done, activated)?;
        }
        SchemaCommand::Retire { server, name, reason } => {
            let wanted = ActivateSchema { version: None, mode: SchemaMode::Enforce, reason };
            let done = rest(&server, language)?.activate_schema(&name, &wanted).await?;
            output.one(&done, activated)?;
        }
        SchemaCommand::List { server, name } => {
            let remote = Remote::open(&server, language)?;
            let all: Vec<SchemaVersion> = match name {
                Some(name) => {
                    let path = format!("/v1/schemas/{}/versions?limit=1000", checked(&name)?);
                    remote.all(&path).await?
                }
                None => Rest::new(remote.client().clone()).schemas().await?,
            };
            let head = [
                "schema", "version", "state", "mode", "kind", "topic", "product", "cases",
                "failed", "why",
            ];
            output.list(&all, &head, |it| {
                vec![
                    it.name.clone(),
                    it.version.to_string(),
                    it.state.clone(),
                    it.mode.map(|mode| mode_name(mode).to_owned()).unwrap_or_default(),
                    kind_name(it.kind).to_owned(),
                    it.topic.clone(),
                    it.product.clone().unwrap_or_default(),
                    it.cases.to_string(),
                    it.tested.as_ref().map(|it| it.failures.to_string()).unwrap_or_default(),
                    it.reason.clone(),
                ]
            })?;
        }
        SchemaCommand::History { server, name } => {
            let path = format!("/v1/schemas/{}/activations?limit=1000", checked(&name)?);
            let all: Vec<SchemaActivation> = Remote::open(&server, language)?.all(&path).await?;
            output.list(&all, &["version", "mode", "at", "by", "why"], |done| {
                vec![
                    done.version.map_or_else(|| "none".to_owned(), |it| it.to_string()),
                    mode_name(done.mode).to_owned(),
                    done.at.to_string(),
                    done.by.clone(),
                    done.reason.clone(),
                ]
            })?;
        }
        SchemaCommand::Show { server, name, version, only } => {
            let found = rest(&server, language)?.schema(&name, version).await?;
            match only {
                Some(SchemaText::Schema) => std::io::stdout().write_all(&found.schema.0)?,
                Some(SchemaText::Cases) => output.line(found.cases.trim_end())?,
                None => output.one(&found, detail)?,
            }
        }
        SchemaCommand::Strict { server, product, set, reason } => {
            let rest = rest(&server, language)?;
            let found = match set {
                Some(set) => {
                    let reason = reason.unwrap_or_default();
                    let wanted = SetStrictness { product, strict: set == OnOff::On, reason };
                    rest.set_schema_strictness(&wanted).await?
                }
                None => rest.schema_strictness().await?,
            };
            output.list(&found, &["product", "at", "by", "why"], |it| {
                vec![
                    it.product.clone().unwrap_or_else(|| "all".to_owned()),
                    it.at.to_string(),
                    it.by.clone(),
                    it.reason.clone(),
                ]
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn rest(server: &ServerArgs, language: Language) -> anyhow::Result<Rest> {
    Ok(Rest::new(Remote::open(server, language)?.client().clone()))
}

/// A name that stands in a path as it is.
fn checked(name: &str) -> anyhow::Result<&str> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(letters) {
        bail!("{name:?} is no schema's name: small letters, digits and hyphens");
    }
    Ok(name)
}

fn text(path: &Path) -> anyhow::Result<String> {
    let bytes = bytes(path, CASES_BYTES_MAX)?;
    String::from_utf8(bytes).ok().with_context(|| format!("{} is not text", path.display()))
}

/// A file, or as much of it as shows that it is too long.
fn bytes(path: &Path, most: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(most).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

fn definition(path: &Path, form: SchemaForm) -> anyhow::Result<Definition> {
    let kind = match form.kind {
        Some(SchemaKindArg::JsonSchema) => Kind::JsonSchema,
        Some(SchemaKindArg::Cddl) => Kind::Cddl,
        Some(SchemaKindArg::Protobuf) => Kind::Protobuf,
        None => match path.extension().and_then(|it| it.to_str()) {
            Some("json") => Kind::JsonSchema,
            Some("cddl") => Kind::Cddl,
            Some("pb" | "desc" | "binpb" | "protoset") => Kind::Protobuf,
            _ => bail!("what {} is does not show in its name; say --kind", path.display()),
        },
    };
    let source = bytes(path, DESCRIPTORS_BYTES_MAX)?;
    Ok(Definition { kind, source, root: form.root, unknown_fields: form.unknown_fields })
}

/// Tries files as a server would.
fn try_files(
    path: &Path,
    cases: Option<&Path>,
    payloads: &[PathBuf],
    form: SchemaForm,
) -> anyhow::Result<SchemaReport> {
    if cases.is_none() && payloads.is_empty() {
        bail!("nothing is tried; name a file of cases, --payload, or --version");
    }
    let compiled = Schema::compile(&definition(path, form)?);
    let compiled = compiled.with_context(|| path.display().to_string())?;
    for warning in compiled.warnings() {
        eprintln!("{}: {warning}", path.display());
    }
    let mut all = Vec::new();
    if let Some(cases) = cases {
        let read = Cases::parse(&text(cases)?).with_context(|| cases.display().to_string())?;
        all.extend(read.run(&compiled).cases.into_iter().map(|case| TriedSchemaCase {
            name: case.name,
            passed: case.passed,
            accepted: case.accepted,
            why: case.why,
            instead: case.instead,
            steps: case.steps,
        }));
    }
    for path in payloads {
        let most = usize::try_from(PAYLOAD_BYTES_MAX).unwrap_or(usize::MAX);
        let payload = bytes(path, most)?;
        let mut steps = Steps::new(STEPS_MAX);
        let why = compiled.check(&payload, &mut steps).err().map(|broken| broken.to_string());
        all.push(TriedSchemaCase {
            name: path.display().to_string(),
            passed: why.is_none(),
            accepted: why.is_none(),
            instead: why.is_some().then(|| "accepted".to_owned()),
            why,
            steps: steps.used(),
        });
    }
    Ok(SchemaReport { passed: all.iter().all(|case| case.passed), cases: all })
}

fn code(report: &SchemaReport) -> ExitCode {
    if report.passed { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}

fn kind_name(kind: SchemaKind) -> &'static str {
    match kind {
        SchemaKind::JsonSchema => Kind::JsonSchema.name(),
        SchemaKind::Cddl => Kind::Cddl.name(),
        SchemaKind::Protobuf => Kind::Protobuf.name(),
    }
}

fn mode_name(mode: SchemaMode) -> &'static str {
    match mode {
        SchemaMode::Enforce => "enforce",
        SchemaMode::Observe => "observe",
    }
}

fn activated(done: &SchemaActivation) -> String {
    match (done.version, done.mode) {
        (Some(version), SchemaMode::Enforce) => {
            format!("version {version} of {} is in force at every door", done.name)
        }
        (Some(version), SchemaMode::Observe) => format!(
            "version {version} of {} is asked at every door, and refuses nothing; see what it finds: \
             tegata schema show {} {version}",
            done.name, done.name
        ),
        (None, _) => format!("{} is retired: nothing asks it any more", done.name),
    }
}

fn tried(report: &SchemaReport) -> String {
    let rows = report.cases.iter().map(|case| {
        vec![
            if case.passed { "passed" } else { "FAILED" }.to_owned(),
            case.name.clone(),
            if case.accepted { "accepted" } else { "refused" }.to_owned(),
            case.why.clone().unwrap_or_default(),
            case.instead.clone().unwrap_or_default(),
            case.steps.to_string(),
        ]
    });
    let mut text = table(&["", "case", "came out", "why", "expected", "steps"], rows);
    let failed = report.cases.iter().filter(|case| !case.passed).count();
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{} cases, {failed} failed", report.cases.len());
    text
}

fn detail(found: &SchemaDetail) -> String {
    let it = &found.version;
    let product = it.product.as_deref().unwrap_or("every product line");
    let mode = it.mode.map_or("", mode_name);
    let mut text = format!(
        "version {} of {} is {} {mode}; {} for {} of {product}; put in at {} by {}, because “{}”\n",
        it.version,
        it.name,
        it.state,
        kind_name(it.kind),
        it.topic,
        it.made,
        it.made_by,
        it.reason
    );
    if let Some(tested) = &it.tested {
        let _ =
            writeln!(text, "tested at {} by {}: {} failed", tested.at, tested.by, tested.failures);
    }
    for warning in &found.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if let Some(report) = &found.report {
        let _ = writeln!(text, "{}", tried(report));
    }
    if !found.found.is_empty() {
        let rows = found.found.iter().map(|row| {
            vec![
                row.rule.clone().unwrap_or_else(|| "(followed)".to_owned()),
                row.count.to_string(),
                row.last.to_string(),
                row.place.clone(),
                row.topic.clone(),
            ]
        });
        let _ = writeln!(text, "\n{}", table(&["rule", "payloads", "last", "at", "topic"], rows));
    }
    match std::str::from_utf8(&found.schema.0) {
        Ok(schema) if it.kind != SchemaKind::Protobuf => {
            let _ = write!(text, "\n{}", schema.trim_end());
        }
        _ => {
            let root = it.root.as_deref().unwrap_or_default();
            let _ = write!(
                text,
                "\n{} bytes of descriptors; the message is {root}",
                found.schema.0.len()
            );
        }
    }
    text
}
