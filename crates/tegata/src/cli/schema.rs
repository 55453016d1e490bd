//! Commands about an organisation's schemas for payloads (docs/schemas.md).

use super::ServerArgs;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Put a version in: a draft, which is in force nowhere
    Put {
        #[command(flatten)]
        server: ServerArgs,
        /// What the schema is called: small letters, digits and hyphens
        name: String,
        /// JSON Schema, CDDL, or a descriptor set (protoc --include_imports --descriptor_set_out)
        #[arg(value_hint = ValueHint::FilePath)]
        schema: PathBuf,
        /// Cases in YAML or JSON
        #[arg(value_hint = ValueHint::FilePath)]
        cases: PathBuf,
        #[command(flatten)]
        form: SchemaForm,
        /// Of which topics it speaks: a filter below a device's space, such as up/telemetry/+
        #[arg(long)]
        topic: String,
        /// Of which product line's devices alone, as maker/product
        #[arg(long)]
        product: Option<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Try cases or payloads: of files, without a server; or the cases of a version on a server. Exit code
    /// 2: some do not come out as expected, or a payload does not follow the schema
    Test {
        #[command(flatten)]
        server: ServerArgs,
        /// A schema in a file; or, with --version, what it is called on the server
        schema: String,
        /// Cases in YAML or JSON
        #[arg(value_hint = ValueHint::FilePath, conflicts_with = "version")]
        cases: Option<PathBuf>,
        /// Payloads, each in a file
        #[arg(long = "payload", value_hint = ValueHint::FilePath, conflicts_with = "version")]
        payloads: Vec<PathBuf>,
        #[command(flatten)]
        form: SchemaForm,
        /// Version on the server
        #[arg(long)]
        version: Option<u64>,
    },
    /// Put a tested version in force at every door, or an older one again
    Activate {
        #[command(flatten)]
        server: ServerArgs,
        /// What the schema is called
        name: String,
        /// Version
        version: u64,
        /// Whether what does not follow it is refused, or counted alone
        #[arg(long, value_enum, default_value = "enforce")]
        mode: SchemaModeArg,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Take a schema out of force
    Retire {
        #[command(flatten)]
        server: ServerArgs,
        /// What the schema is called
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Schemas: of each the version in force, or the newest
    List {
        #[command(flatten)]
        server: ServerArgs,
        /// Versions of this one instead, newest first
        name: Option<String>,
    },
    /// What was put in force of a schema when, by whom and why
    History {
        #[command(flatten)]
        server: ServerArgs,
        /// What the schema is called
        name: String,
    },
    /// A version: its schema, cases, what comes of them, and what came of payloads
    Show {
        #[command(flatten)]
        server: ServerArgs,
        /// What the schema is called
        name: String,
        /// Version
        version: u64,
        /// Nothing but one of its texts, as it was put in
        #[arg(long, value_enum)]
        only: Option<SchemaText>,
    },
    /// Take only topics with a schema, of a product line's devices or of all; without --set: what is so
    Strict {
        #[command(flatten)]
        server: ServerArgs,
        /// Of which product line's devices alone, as maker/product
        #[arg(long, requires = "set")]
        product: Option<String>,
        /// Whether it is to be so
        #[arg(long, value_enum, requires = "reason")]
        set: Option<OnOff>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

/// How a schema is to be read.
#[derive(Args, Debug)]
pub struct SchemaForm {
    /// In which language; without: by the file's name (.json, .cddl, .pb, .desc, .binpb)
    #[arg(long, value_enum)]
    pub kind: Option<SchemaKindArg>,
    /// Where it begins: a rule of CDDL (without: its first), or a message of Protobuf
    #[arg(long)]
    pub root: Option<String>,
    /// Take fields and values of enumerations that a Protobuf message does not know
    #[arg(long)]
    pub unknown_fields: bool,
}

/// In which language a schema is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaKindArg {
    /// JSON Schema 2020-12 or draft-07
    JsonSchema,
    /// CDDL (RFC 8610)
    Cddl,
    /// A descriptor set of Protobuf
    Protobuf,
}

/// How a schema is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaModeArg {
    /// What does not follow it is refused
    Enforce,
    /// What does not follow it is counted, and taken
    Observe,
}

/// A text of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaText {
    /// The schema
    Schema,
    /// The cases
    Cases,
}

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// It is
    On,
    /// It is not
    Off,
}
