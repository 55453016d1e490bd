//! What is in force.

use super::versions::{SchemaMode, definition_of, digest_of};
use crate::{Service, ServiceError, store::payload_schema as store};
use admission::{TopicFilter, TopicName};
use schema::Schema;
use std::{collections::HashSet, sync::Arc};

/// Schemas of an organisation, as the doors ask them.
#[derive(Debug, Default)]
pub(crate) struct LiveSchemas {
    pub(super) all: Vec<LiveSchema>,
    /// product lines of which only topics with a schema are taken; an empty one means all
    strict: HashSet<String>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct LiveSchema {
    pub(super) row: i64,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) mode: SchemaMode,
    product: Option<String>,
    topic: Option<TopicFilter>,
    /// `None`: it cannot be read, and nothing follows it
    pub(super) schema: Option<Schema>,
}

impl LiveSchemas {
    /// Whether nothing is asked of any payload.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.strict.is_empty()
    }

    /// Which of them speak of a topic below the space of a device of a product line.
    pub(super) fn of(&self, topic: &TopicName, product: Option<&str>) -> Vec<usize> {
        let speaks = |it: &LiveSchema| {
            it.product.as_deref().is_none_or(|line| product == Some(line))
                && it.topic.as_ref().is_none_or(|filter| filter.matches_below(topic))
        };
        let all = self.all.iter().enumerate();
        all.filter(|(_, it)| speaks(it)).map(|(index, _)| index).collect()
    }

    /// Whether a topic of which no schema speaks is refused.
    pub(super) fn is_strict(&self, product: Option<&str>) -> bool {
        self.strict.contains("") || product.is_some_and(|line| self.strict.contains(line))
    }
}

impl Service {
    /// What is in force of an organisation, by its row. From memory, but for the first time.
    pub(super) fn schemas_in_force(&self, owner: i64) -> Result<Arc<LiveSchemas>, ServiceError> {
        self.live.schemas.get_or_load(owner, || {
            let (rows, strict) = self.read(|connection| {
                let mut rows = Vec::new();
                for row in store::all(connection, owner, super::SCHEMAS_MAX)? {
                    if let Some((version, mode)) = row.in_force {
                        let texts = store::texts(connection, row.schema, version)?;
                        rows.push((row, mode, texts));
                    }
                }
                Ok((rows, store::strict(connection, owner)?))
            })?;
            let mut found = LiveSchemas {
                strict: strict.into_iter().map(|row| row.product).collect(),
                ..LiveSchemas::default()
            };
            for (row, mode, texts) in rows {
                let read = self.read_schema(&row, texts);
                let schema = match read {
                    Ok(schema) => Some(schema),
                    Err(why) => {
                        self.cannot_read_schema(owner, &row, &why);
                        None
                    }
                };
                found.all.push(LiveSchema {
                    row: row.schema,
                    name: row.name,
                    version: row.version,
                    mode: SchemaMode::from_code(mode),
                    product: row.product,
                    // Without a topic that can be read it speaks of all of them.
                    topic: TopicFilter::new(row.topic).ok(),
                    schema,
                });
            }
            Ok(Arc::new(found))
        })
    }

    fn read_schema(
        &self,
        row: &store::VersionRow,
        texts: Option<store::Texts>,
    ) -> Result<Schema, String> {
        let (source, cases, digest) = texts.ok_or("the version is missing")?;
        let definition = definition_of(row, source).ok_or("its kind is not known")?;
        let same = *digest_of(&definition, &row.topic, row.product.as_deref(), &cases).as_bytes();
        if same != digest {
            return Err("the schema is not what was put in".to_owned());
        }
        Schema::compile(&definition).map_err(|problems| problems.to_string())
    }

    /// Says loudly that a schema is in force that cannot be read.
    fn cannot_read_schema(&self, owner: i64, row: &store::VersionRow, why: &str) {
        let organisation = self.organisation_id(owner);
        let organisation = organisation.map_or_else(|_| owner.to_string(), |it| it.to_string());
        tracing::error!(
            organisation,
            schema = row.name,
            version = row.version,
            why,
            "a schema in force cannot be read; nothing follows it; activate another version"
        );
        let event = audit::SecurityEvent::new(
            self.now(),
            audit::Kind::ConfigurationChange,
            audit::Outcome::Failure,
        )
        .organisation(&organisation)
        .severity(audit::Severity::High)
        .detail("what", "schema-broken")
        .detail("schema", &row.name)
        .detail("version", &row.version.to_string());
        self.note(event);
    }
}
