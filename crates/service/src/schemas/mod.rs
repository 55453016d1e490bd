//! Use cases: an organisation's schemas for the payloads of its devices (GW-2, GW-7): versions with cases,
//! tested before they are in force, what they refuse, and what they would. docs/schemas.md.
//!
//! What is in force is kept compiled in memory, and every door asks it there; activating a version drops
//! it in the moment of the commit. Who has no schema pays a look-up.

mod ask;
mod force;
mod found;
mod versions;

pub(crate) use ask::LongChecks;
pub(crate) use force::LiveSchemas;
pub(crate) use found::Found;
pub use versions::{
    NewSchema, SCHEMA_DRAFTS_MAX, SCHEMAS_IN_FORCE_BYTES_MAX, SCHEMAS_IN_FORCE_MAX, SCHEMAS_MAX,
    SchemaActivation, SchemaFound, SchemaMode, SchemaStrictness, SchemaTested, SchemaTexts,
    SchemaView,
};
