//! Versions: put in, tested, in force.

use crate::{
    Page, Paged, PolicySetState, Service, ServiceError,
    live::found,
    store::{Effect, payload_schema as store},
};
use admission::{Problems, TopicFilter};
use audit::{Kind as EventKind, Outcome, Severity};
use crypto::UnixTime;
use device::{DeviceId, OrganisationId, ProductId};
use policy::{Action, Caller};
use schema::{Cases, Definition, Kind, Report, Schema};

/// Names of schemas of an organisation.
pub const SCHEMAS_MAX: usize = 200;
/// Schemas of an organisation that are in force.
pub const SCHEMAS_IN_FORCE_MAX: u64 = 50;
/// Bytes of all schemas of an organisation that are in force.
pub const SCHEMAS_IN_FORCE_BYTES_MAX: u64 = 1024 * 1024;
/// Versions of a schema that never were in force and are kept.
pub const SCHEMA_DRAFTS_MAX: usize = 20;
/// Longest name of a schema, or of its root, in bytes.
const NAME_BYTES_MAX: usize = 64;
const ROOT_BYTES_MAX: usize = 256;

/// A version to be put in.
#[derive(Debug, Clone)]
pub struct NewSchema {
    /// what it is called: small letters, digits and hyphens
    pub name: String,
    /// what it says
    pub definition: Definition,
    /// of which topics it speaks: a filter below a device's space
    pub topic: String,
    /// of which product line's devices, as maker/product; `None`: of all
    pub product: Option<String>,
    /// the cases that try it, in YAML or JSON
    pub cases: String,
    /// why, in the words of who puts it in
    pub reason: String,
}

/// How a schema is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchemaMode {
    /// what does not follow it is refused
    Enforce,
    /// what does not follow it is counted, and taken
    Observe,
}

impl SchemaMode {
    /// Stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }

    pub(super) fn code(self) -> u8 {
        match self {
            Self::Enforce => 1,
            Self::Observe => 2,
        }
    }

    /// What is not known refuses.
    pub(super) fn from_code(code: u8) -> Self {
        if code == 2 { Self::Observe } else { Self::Enforce }
    }
}

/// A version on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaView {
    /// what it is called
    pub name: String,
    /// its number
    pub version: u64,
    /// how far it is
    pub state: PolicySetState,
    /// how it is in force, where it is
    pub mode: Option<SchemaMode>,
    /// in which language
    pub kind: Kind,
    /// where it begins
    pub root: Option<String>,
    /// whether unknown fields of Protobuf are taken
    pub unknown_fields: bool,
    /// of which topics it speaks
    pub topic: String,
    /// of which product line's devices
    pub product: Option<String>,
    /// why it was put in
    pub reason: String,
    /// by whom
    pub made_by: String,
    /// when
    pub made_at: UnixTime,
    /// how many cases it has
    pub cases: u64,
    /// when they were tried last, by whom, and how many did not come out as expected
    pub tested: Option<(UnixTime, String, u64)>,
}

/// What came of payloads by one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFound {
    /// which rule was broken; `None`: none, the payload followed the schema
    pub rule: Option<String>,
    /// how often
    pub count: u64,
    /// when last
    pub last_at: UnixTime,
    /// where in that payload
    pub place: String,
    /// its topic
    pub topic: String,
    /// the device that sent it
    pub device: DeviceId,
}

/// What a version says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaTexts {
    /// which
    pub view: SchemaView,
    /// the schema
    pub source: Vec<u8>,
    /// the cases
    pub cases: String,
    /// what looks like a mistake in it
    pub warnings: Vec<String>,
    /// what comes of the cases, where they can be tried
    pub report: Option<Report>,
    /// what came of payloads, the most frequent first
    pub found: Vec<SchemaFound>,
}

/// What came of testing a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaTested {
    /// the version, as it stands now
    pub view: SchemaView,
    /// what came of its cases
    pub report: Report,
}

/// What was put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaActivation {
    /// which schema
    pub name: String,
    /// the version; `None`: none is in force since
    pub version: Option<u64>,
    /// how
    pub mode: SchemaMode,
    /// why
    pub reason: String,
    /// by whom
    pub by: String,
    /// when
    pub at: UnixTime,
}

/// A product line of which only topics with a schema are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStrictness {
    /// as maker/product; `None`: every one
    pub product: Option<String>,
    /// why
    pub reason: String,
    /// by whom
    pub by: String,
    /// when
    pub at: UnixTime,
}

fn gone() -> ServiceError {
    ServiceError::not_found("schema")
}

fn unreadable(what: &'static str, problems: &Problems) -> ServiceError {
    let (code, japanese) = match what {
        "schema" => ("schema", "スキーマを読み取れません"),
        _ => ("schema-cases", "テストケースを読み取れません"),
    };
    ServiceError::malformed(code, problems.to_string())
        .in_japanese(format!("{japanese}: {problems}"))
}

impl Service {
    /// Puts a version in: a draft, which is in force nowhere.
    ///
    /// # Errors
    /// `schema` and `schema-cases` with places and hints, `schema-name`, `topic`, `product`, `reason`,
    /// `role`, `limit`.
    pub async fn put_schema(
        &self,
        caller: &Caller,
        new: NewSchema,
    ) -> Result<SchemaView, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ManagePolicies)?;
        let reason = crate::policies::needed(&new.reason)?;
        let name = name_of(&new.name)?;
        let topic = topic_of(&new.topic)?;
        let product = new.product.as_deref().map(product_of).transpose()?;
        let NewSchema { definition, cases, .. } = new;
        if definition.root.as_ref().is_some_and(|root| root.len() > ROOT_BYTES_MAX) {
            let message = format!("the name of the root has more than {ROOT_BYTES_MAX} bytes");
            return Err(
                ServiceError::malformed("schema", message).in_japanese("root の名前が長すぎます")
            );
        }
        let tried = cases.clone();
        // Some milliseconds of one core for the largest there may be.
        let work = move || {
            Schema::compile(&definition).map_err(|it| unreadable("schema", &it))?;
            let cases = Cases::parse(&tried).map_err(|it| unreadable("cases", &it))?;
            Ok::<_, ServiceError>((definition, cases.count()))
        };
        let (definition, count) = self.pool.begin(work).outcome().await??;
        let digest = digest_of(&definition, &topic, product.as_deref(), &cases);
        let version = store::NewVersion {
            organisation: row.id,
            name,
            kind: code_of(definition.kind),
            source: definition.source,
            root: definition.root,
            unknown_fields: definition.unknown_fields,
            topic,
            product,
            cases,
            digest: *digest.as_bytes(),
            reason,
            made_by: caller.to_string(),
            made_at: self.now(),
            case_count: u64::try_from(count).unwrap_or(u64::MAX),
        };
        let event = self
            .event(caller, EventKind::ConfigurationChange, Outcome::Success)
            .detail("what", "schema-put")
            .detail("schema", &version.name)
            .detail("digest", &digest.to_string());
        let made = self
            .commit(move |tx| {
                let most = u64::try_from(SCHEMAS_MAX).unwrap_or(u64::MAX);
                let schema = store::name(tx, version.organisation, &version.name, most)?;
                let schema = schema.ok_or_else(|| {
                    let message = format!(
                        "the organisation has {SCHEMAS_MAX} schemas; put a version of one of them in"
                    );
                    ServiceError::conflict("limit", message)
                        .in_japanese("組織のスキーマ数が上限に達しています")
                })?;
                let number = store::insert(tx, schema, &version, SCHEMA_DRAFTS_MAX)?;
                tx.audit(&event.detail("version", &number.to_string()))?;
                store::version(tx, schema, number)
            })
            .await?;
        view(found(made, "version of the schema")?)
    }

    /// Tries a version's cases. What came of it stays with the version.
    ///
    /// # Errors
    /// `not-found`, `role`, `schema` and `schema-cases` where it cannot be read any more.
    pub async fn test_schema(
        &self,
        caller: &Caller,
        name: &str,
        version: u64,
    ) -> Result<SchemaTested, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ManagePolicies)?;
        let schema = self.schema_row(row.id, name)?;
        let (_, report) = self.try_schema(schema, version).await?;
        let failures = u64::try_from(report.failures()).unwrap_or(u64::MAX);
        let (by, at) = (caller.to_string(), self.now());
        let outcome = if failures == 0 { Outcome::Success } else { Outcome::Failure };
        let event = self
            .event(caller, EventKind::ConfigurationChange, outcome)
            .detail("what", "schema-tested")
            .detail("schema", name)
            .detail("version", &version.to_string())
            .detail("failures", &failures.to_string());
        let tested = self
            .commit(move |tx| {
                if !store::set_tested(tx, (schema, version), (&by, at), failures)? {
                    return Err(gone());
                }
                tx.audit(&event)?;
                store::version(tx, schema, version)
            })
            .await?;
        Ok(SchemaTested { view: view(tested.ok_or_else(gone)?)?, report })
    }

    /// Puts a version in force, at every door at once: one that was tested, or an older one again.
    /// `None`: none.
    ///
    /// # Errors
    /// `not-found`, `role`, `reason`; `schema-untested`, `schema-failed` where its cases were not tried
    /// or do not come out as expected; `limit`.
    pub async fn activate_schema(
        &self,
        caller: &Caller,
        name: &str,
        version: Option<u64>,
        mode: SchemaMode,
        reason: &str,
    ) -> Result<SchemaActivation, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ActivatePolicies)?;
        let reason = crate::policies::needed(reason)?;
        let (organisation, schema) = (row.id, self.schema_row(row.id, name)?);
        let mut size = 0;
        if let Some(version) = version {
            let known = self.read(|connection| store::version(connection, schema, version))?;
            if known.ok_or_else(gone)?.tested_at.is_none() {
                return Err(ServiceError::refused(
                    "schema-untested",
                    "the version was not tested; test it first, and see what comes of its cases",
                )
                .in_japanese("この版はまだテストされていません。先にテストを実行してください"));
            }
            // Tried again: the program that tested it may have been another one.
            let (bytes, report) = self.try_schema(schema, version).await?;
            size = u64::try_from(bytes).unwrap_or(u64::MAX);
            if !report.passed() {
                return Err(ServiceError::refused(
                    "schema-failed",
                    format!(
                        "{} of the version's cases do not come out as expected; put a mended version in",
                        report.failures()
                    ),
                )
                .in_japanese("テストケースの結果が期待と異なります。修正した版を登録してください"));
            }
        }
        let (by, at) = (caller.to_string(), self.now());
        let shown = version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        let event = self
            .event(caller, EventKind::ConfigurationChange, Outcome::Success)
            .severity(Severity::Medium)
            .detail("what", "schema-activated")
            .detail("schema", name)
            .detail("version", &shown)
            .detail("mode", mode.name())
            .detail("reason", &reason);
        let done = SchemaActivation {
            name: name.to_owned(),
            version,
            mode,
            reason: reason.clone(),
            by: by.clone(),
            at,
        };
        self.commit(move |tx| {
            if let Some(version) = version {
                store::version(tx, schema, version)?.ok_or_else(gone)?;
                let (count, bytes) = store::weight(tx, organisation, schema)?;
                if count >= SCHEMAS_IN_FORCE_MAX
                    || bytes.saturating_add(size) > SCHEMAS_IN_FORCE_BYTES_MAX
                {
                    let message = format!(
                        "at most {SCHEMAS_IN_FORCE_MAX} schemas with {SCHEMAS_IN_FORCE_BYTES_MAX} \
                         bytes in all are in force at a time; retire one first"
                    );
                    return Err(ServiceError::conflict("limit", message)
                        .in_japanese("有効なスキーマの数または合計サイズが上限に達しています"));
                }
            }
            let before = store::activations(tx, schema, i64::MAX, 1)?.pop();
            let before = before.and_then(|(row, _)| row.version);
            let before = before.map_or_else(|| "none".to_owned(), |before| before.to_string());
            store::activate(tx, (schema, version, mode.code()), (&by, at), &reason)?;
            tx.audit(&event.detail("before", &before))?;
            tx.effect(Effect::Schemas(organisation));
            Ok(())
        })
        .await?;
        Ok(done)
    }

    /// Of each schema of the organisation the version in force, or the newest where none is.
    ///
    /// # Errors
    /// `role`.
    pub async fn schemas(&self, caller: &Caller) -> Result<Vec<SchemaView>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let rows = self.read(|connection| store::all(connection, row.id, SCHEMAS_MAX))?;
        rows.into_iter().map(view).collect()
    }

    /// Versions of a schema, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn schema_versions(
        &self,
        caller: &Caller,
        name: &str,
        page: &Page,
    ) -> Result<Paged<SchemaView>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let schema = self.schema_row(row.id, name)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::versions(connection, schema, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |row| row.version.to_string()).try_map(view)
    }

    /// What was put in force of a schema, the newest first.
    ///
    /// # Errors
    /// `not-found`, `role`, `page`.
    pub async fn schema_activations(
        &self,
        caller: &Caller,
        name: &str,
        page: &Page,
    ) -> Result<Paged<SchemaActivation>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let schema = self.schema_row(row.id, name)?;
        let (place, limit) = page.rows(self.config.limits.page)?;
        let before = if page.after.is_some() { place } else { i64::MAX };
        let rows = self.read(|connection| {
            store::activations(connection, schema, before, limit.saturating_add(1))
        })?;
        Paged::cut(rows, limit, |(row, _)| row.id.to_string()).try_map(|(row, mode)| {
            Ok(SchemaActivation {
                name: name.to_owned(),
                version: row.version,
                mode: SchemaMode::from_code(mode),
                reason: row.reason,
                by: row.by,
                at: row.at,
            })
        })
    }

    /// A version with its texts, what comes of its cases, and what came of payloads.
    ///
    /// # Errors
    /// `not-found`, `role`.
    pub async fn schema_version(
        &self,
        caller: &Caller,
        name: &str,
        version: u64,
    ) -> Result<SchemaTexts, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let schema = self.schema_row(row.id, name)?;
        let (row, texts, rows) = self.read(|connection| {
            Ok((
                store::version(connection, schema, version)?.ok_or_else(gone)?,
                store::texts(connection, schema, version)?.ok_or_else(gone)?,
                store::found(connection, schema, version)?,
            ))
        })?;
        let (source, cases, _) = texts;
        let definition = definition_of(&row, source.clone());
        let compiled = definition.map(|it| Schema::compile(&it));
        let (warnings, readable) = match compiled {
            Some(Ok(compiled)) => (compiled.warnings().to_vec(), true),
            Some(Err(problems)) => (vec![problems.to_string()], false),
            None => (Vec::new(), false),
        };
        let report = match readable {
            true => self.try_schema(schema, version).await.ok().map(|(_, report)| report),
            false => None,
        };
        let found = rows.into_iter().map(|(row, device)| SchemaFound {
            rule: (!row.rule.is_empty()).then_some(row.rule),
            count: row.count,
            last_at: row.last_at,
            place: row.last_place,
            topic: row.last_topic,
            device: DeviceId::from_bytes(device),
        });
        Ok(SchemaTexts {
            view: view(row)?,
            source,
            cases,
            warnings,
            report,
            found: found.collect(),
        })
    }

    /// Product lines of which only topics with a schema are taken.
    ///
    /// # Errors
    /// `role`.
    pub async fn schema_strictness(
        &self,
        caller: &Caller,
    ) -> Result<Vec<SchemaStrictness>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ReadPolicies)?;
        let rows = self.read(|connection| store::strict(connection, row.id))?;
        let shown = rows.into_iter().map(|row| SchemaStrictness {
            product: (!row.product.is_empty()).then_some(row.product),
            reason: row.reason,
            by: row.by,
            at: row.at,
        });
        Ok(shown.collect())
    }

    /// Whether of a product line's devices (`None`: of all) only topics with a schema are taken.
    ///
    /// # Errors
    /// `role`, `product`, `reason`, `limit`.
    pub async fn set_schema_strictness(
        &self,
        caller: &Caller,
        product: Option<&str>,
        strict: bool,
        reason: &str,
    ) -> Result<Vec<SchemaStrictness>, ServiceError> {
        let (_, row) = self.for_policies(caller, Action::ActivatePolicies)?;
        let reason = crate::policies::needed(reason)?;
        let product = product.map(product_of).transpose()?.unwrap_or_default();
        let organisation = row.id;
        let event = self
            .event(caller, EventKind::ConfigurationChange, Outcome::Success)
            .severity(Severity::Medium)
            .detail("what", if strict { "schemas-strict" } else { "schemas-lenient" })
            .detail("product", if product.is_empty() { "all" } else { &product })
            .detail("reason", &reason);
        let new = store::StrictRow { product, reason, by: caller.to_string(), at: self.now() };
        self.commit(move |tx| {
            let known = store::strict(tx, organisation)?;
            if strict && known.len() >= SCHEMAS_MAX {
                let message =
                    format!("{SCHEMAS_MAX} product lines are strict; one for all does too");
                return Err(ServiceError::conflict("limit", message)
                    .in_japanese("製品ラインの設定数が上限に達しています"));
            }
            store::set_strict(tx, organisation, &new, strict)?;
            tx.audit(&event)?;
            tx.effect(Effect::Schemas(organisation));
            Ok(())
        })
        .await?;
        self.schema_strictness(caller).await
    }

    fn schema_row(&self, organisation: i64, name: &str) -> Result<i64, ServiceError> {
        self.read(|connection| store::named(connection, organisation, name))?.ok_or_else(gone)
    }

    /// Tries the cases of a version, beside the threads that answer; how many bytes its source has.
    async fn try_schema(&self, schema: i64, version: u64) -> Result<(usize, Report), ServiceError> {
        let (row, texts) = self.read(|connection| {
            let row = store::version(connection, schema, version)?.ok_or_else(gone)?;
            Ok((row, store::texts(connection, schema, version)?.ok_or_else(gone)?))
        })?;
        let (source, cases, _) = texts;
        let bytes = source.len();
        let definition = definition_of(&row, source).ok_or_else(gone)?;
        let work = move || {
            let compiled = Schema::compile(&definition).map_err(|it| unreadable("schema", &it))?;
            let cases = Cases::parse(&cases).map_err(|it| unreadable("cases", &it))?;
            Ok((bytes, cases.run(&compiled)))
        };
        self.pool.begin(work).outcome().await?
    }
}

fn name_of(name: &str) -> Result<String, ServiceError> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(letters);
    if good {
        return Ok(name.to_owned());
    }
    let message = "a schema is called by 1 to 64 small letters, digits and hyphens";
    Err(ServiceError::malformed("schema-name", message)
        .in_japanese("スキーマ名は英小文字・数字・ハイフンで 64 文字以内です"))
}

/// A filter below a device's space; `me/` in front of it is what devices write.
fn topic_of(topic: &str) -> Result<String, ServiceError> {
    let below = topic.strip_prefix("me/").unwrap_or(topic);
    let wrong = |message: String| {
        ServiceError::malformed("topic", message)
            .in_japanese("トピックは機器の領域からの相対パスです（例: up/telemetry/+）")
    };
    if below.starts_with("d/") || below.starts_with('$') {
        let message = "the topic begins below the device's space, such as up/telemetry/+";
        return Err(wrong(message.to_owned()));
    }
    let filter = TopicFilter::new(below).map_err(|error| wrong(error.to_string()))?;
    Ok(filter.as_str().to_owned())
}

fn product_of(product: &str) -> Result<String, ServiceError> {
    let read = product.split_once('/').and_then(|(maker, line)| {
        let read = (maker.parse::<OrganisationId>().ok()?, line.parse::<ProductId>().ok()?);
        Some(format!("{}/{}", read.0, read.1))
    });
    read.ok_or_else(|| {
        let message = "a product line is written as maker/product, such as maker-a/sensor";
        ServiceError::malformed("product", message)
            .in_japanese("製品ラインは maker/product の形式で書いてください")
    })
}

fn code_of(kind: Kind) -> u8 {
    match kind {
        Kind::JsonSchema => 1,
        Kind::Cddl => 2,
        Kind::Protobuf => 3,
    }
}

fn kind_of(code: u8) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| code_of(*kind) == code)
}

/// What a row says, with its source.
pub(super) fn definition_of(row: &store::VersionRow, source: Vec<u8>) -> Option<Definition> {
    let (root, unknown_fields) = (row.root.clone(), row.unknown_fields);
    Some(Definition { kind: kind_of(row.kind)?, source, root, unknown_fields })
}

/// Under what a version is kept: everything that it says.
pub(super) fn digest_of(
    definition: &Definition,
    topic: &str,
    product: Option<&str>,
    cases: &str,
) -> crypto::Sha256 {
    let mut bytes = vec![code_of(definition.kind), u8::from(definition.unknown_fields)];
    let root = definition.root.as_deref();
    let parts: [Option<&[u8]>; 5] = [
        Some(&definition.source),
        root.map(str::as_bytes),
        Some(topic.as_bytes()),
        product.map(str::as_bytes),
        Some(cases.as_bytes()),
    ];
    for part in parts {
        let length = part.map_or(u64::MAX, |it| u64::try_from(it.len()).unwrap_or(u64::MAX));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.unwrap_or_default());
    }
    crypto::sha256(&bytes)
}

fn view(row: store::VersionRow) -> Result<SchemaView, ServiceError> {
    let mode = row.in_force.filter(|(version, _)| *version == row.version);
    let state = if mode.is_some() {
        PolicySetState::Active
    } else if row.was {
        PolicySetState::Former
    } else if row.failures == Some(0) {
        PolicySetState::Tested
    } else {
        PolicySetState::Draft
    };
    let tested = row.tested_at.zip(row.tested_by).zip(row.failures);
    Ok(SchemaView {
        name: row.name,
        version: row.version,
        state,
        mode: mode.map(|(_, mode)| SchemaMode::from_code(mode)),
        kind: kind_of(row.kind).ok_or_else(gone)?,
        root: row.root,
        unknown_fields: row.unknown_fields,
        topic: row.topic,
        product: row.product,
        reason: row.reason,
        made_by: row.made_by,
        made_at: row.made_at,
        cases: row.case_count,
        tested: tested.map(|((at, by), failures)| (at, by, failures)),
    })
}
