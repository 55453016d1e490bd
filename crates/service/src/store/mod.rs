//! The embedded store: SQLite in WAL mode, one writer thread with group commit, readers beside it.
//!
//! Only this module contains SQL. Functions take a connection and typed arguments and return typed
//! rows; those that write are reachable only with a [`Tx`], which exists only on the writer thread
//! inside a transaction.

pub(crate) mod access;
pub(crate) mod advisory;
pub(crate) mod alert;
pub(crate) mod alert_receiver;
pub(crate) mod alert_rule;
pub(crate) mod approval;
pub(crate) mod behaviour;
pub(crate) mod blob;
pub(crate) mod campaign;
pub(crate) mod case;
pub(crate) mod certificate;
mod checkpoint;
pub(crate) mod command;
pub(crate) mod curve;
pub(crate) mod damaged;
pub(crate) mod device;
pub(crate) mod device_log;
pub(crate) mod diagnosis;
pub(crate) mod director;
pub(crate) mod event;
pub(crate) mod evidence;
pub(crate) mod exposure;
pub(crate) mod facts;
pub(crate) mod fleet;
pub(crate) mod form;
pub(crate) mod freshness;
pub(crate) mod impact;
pub(crate) mod job;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod message_key;
pub(crate) mod meta;
mod migrate;
pub(crate) mod mud;
pub(crate) mod mud_outside;
pub(crate) mod mud_seen;
pub(crate) mod named;
pub(crate) mod operation;
pub(crate) mod organisation;
pub(crate) mod payload_schema;
pub(crate) mod peer_trust;
pub(crate) mod person;
pub(crate) mod policy_set;
pub(crate) mod public;
pub(crate) mod purpose;
mod reader;
pub(crate) mod release;
pub(crate) mod repository;
pub(crate) mod route;
pub(crate) mod route_queue;
pub(crate) mod running;
pub(crate) mod sbom;
pub(crate) mod search;
pub(crate) mod search_person;
pub(crate) mod stream;
pub(crate) mod threat;
pub(crate) mod traffic;
mod tx;
pub(crate) mod update_token;
pub(crate) mod vex;
mod writer;

pub(crate) use reader::Readers;
pub(crate) use tx::{Effect, ShownKey, Tx, audit_head, to_i64};
pub(crate) use writer::{Effects, Guard, Writer};

use crate::{ServiceError, fault::Faults};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::{path::Path, sync::Arc};

/// Name of the database in the data directory.
pub(crate) const FILE: &str = "tegata.db";

/// Sizes that bound memory and latency.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// read-only connections
    pub(crate) readers: usize,
    /// page cache of the writer, in KiB
    pub(crate) writer_cache_kib: i64,
    /// page cache of each reader, in KiB
    pub(crate) reader_cache_kib: i64,
    /// commands that may wait for the writer; more callers wait before they queue
    pub(crate) queue: usize,
    /// most commands in one commit
    pub(crate) batch: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            readers: 4,
            writer_cache_kib: 128 * 1024,
            reader_cache_kib: 16 * 1024,
            queue: 4096,
            batch: 1000,
        }
    }
}

/// The open store.
pub(crate) struct Store {
    pub(crate) writer: Writer,
    pub(crate) readers: Readers,
}

impl Store {
    /// Opens the database of the data directory `dir` and brings it to the newest version.
    /// `effects` is applied on the writer thread after each commit, before anyone is told.
    pub(crate) fn open(
        dir: &Path,
        sizes: &Sizes,
        faults: Faults,
        effects: Arc<dyn Effects>,
    ) -> Result<Self, ServiceError> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Err(ServiceError::refused(
                "no-store",
                "this directory holds no store; create one first (`tegata ca init`)",
            ));
        }
        let mut connection = connect(&path, false, sizes.writer_cache_kib)?;
        migrate::migrate(&mut connection)?;
        let origin = meta::text(&connection, meta::ORIGIN)?.ok_or_else(|| {
            ServiceError::refused(
                "store-unfinished",
                "the store was not set up to its end; remove the directory and create it again",
            )
        })?;
        let readers = Readers::open(&path, sizes.readers, sizes.reader_cache_kib)?;
        let checkpoints = checkpoint::Checkpoints::start(&path)?;
        let writer = Writer::start(connection, checkpoints, origin, sizes, faults, effects)?;
        Ok(Self { writer, readers })
    }
}

/// Makes the database of a new data directory; `fill` runs in the transaction that finishes it.
pub(crate) fn create(
    dir: &Path,
    origin: &str,
    fill: impl FnOnce(&mut Tx<'_>) -> Result<(), ServiceError>,
) -> Result<(), ServiceError> {
    let path = dir.join(FILE);
    if path.exists() {
        return Err(ServiceError::conflict(
            "store-exists",
            "this directory holds a store already; choose an empty directory",
        ));
    }
    let mut connection = connect(&path, false, 16 * 1024)?;
    migrate::migrate(&mut connection)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    meta::set(&connection, meta::ORIGIN, origin.as_bytes())?;
    let mut tx = Tx::new(&connection, origin);
    fill(&mut tx)?;
    tx.finish()?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Opens one connection with the settings that durability and isolation rest on.
fn connect(path: &Path, read_only: bool, cache_kib: i64) -> Result<Connection, ServiceError> {
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    flags |= if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Plans do not depend on bound values; without this, statements whose tables have partial
    // indexes are compiled anew whenever a value changes, which is a fifth of the writer's time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    // A tampered schema must not call anything (SQLite's advice for untrusted files).
    connection.pragma_update(None, "trusted_schema", false)?;
    if !read_only {
        let mode: String =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(ServiceError::fatal(
                "store-no-wal",
                "the store's file system does not support write-ahead logging; use a local disk",
            ));
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        // `checkpoint` does it.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    }
    Ok(connection)
}
