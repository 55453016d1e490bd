//! Files of releases that are sealed or deltas, for whom they are sealed, and devices' encryption keys.

use super::{Tx, organisation::limit_of, to_i64};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use update::{
    delta::{self, Image},
    sealed,
};

/// What a file is beside its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// of a sealed file
    pub(crate) header: Option<sealed::Header>,
    /// of a delta
    pub(crate) delta: Option<delta::Header>,
}

impl Form {
    /// Whether it is just its bytes.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What lies in a slot once a file of these bytes is installed; `None` for a delta.
    pub(crate) fn image(&self, length: u64, sha256: Sha256) -> Option<Image> {
        match (self.delta, self.header) {
            (Some(_), _) => None,
            (None, Some(header)) => {
                let sealed::Plain { length, sha256 } = header.plain;
                Some(Image { length, sha256 })
            }
            (None, None) => Some(Image { length, sha256 }),
        }
    }
}

/// The form in two columns, the first of which is `at`; a file without a row is just its bytes.
pub(crate) fn form_columns(row: &Row<'_>, at: usize) -> rusqlite::Result<Form> {
    let bytes = |at: usize| row.get::<_, Option<Vec<u8>>>(at);
    let odd = |at: usize| rusqlite::Error::IntegralValueOutOfRange(at, 0);
    let header = bytes(at)?.map(|bytes| sealed::Header::parse(&bytes).map_err(|_| odd(at)));
    let delta = bytes(at + 1)?.map(|bytes| delta::Header::parse(&bytes).map_err(|_| odd(at + 1)));
    Ok(Form { header: header.transpose()?, delta: delta.transpose()? })
}

/// Keeps what a file is; nothing where it is just its bytes.
pub(crate) fn set_form(tx: &mut Tx<'_>, artifact: i64, form: &Form) -> Result<(), ServiceError> {
    if form.is_plain() {
        return Ok(());
    }
    let plain = form.header.filter(|_| form.delta.is_none()).map(|header| header.plain);
    tx.prepare_cached(
        "INSERT INTO artifact_form (artifact, header, delta, plain, plain_length)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (artifact) DO UPDATE
         SET header = ?2, delta = ?3, plain = ?4, plain_length = ?5",
    )?
    .execute(params![
        artifact,
        form.header.map(|header| header.to_bytes()),
        form.delta.map(|delta| delta.to_bytes()),
        plain.map(|plain| plain.sha256.0),
        plain.map(|plain| to_i64(plain.length)),
    ])?;
    Ok(())
}

/// Whether an image is one that a published release of a product installs.
pub(crate) fn installs(
    connection: &Connection,
    product: i64,
    image: &Image,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM blob
             JOIN artifact ON artifact.blob = blob.id JOIN release ON release.id = artifact.release
             LEFT JOIN artifact_form ON artifact_form.artifact = artifact.id
             WHERE blob.sha256 = ?2 AND blob.length = ?3 AND artifact_form.artifact IS NULL
               AND release.product = ?1 AND release.state IN (1, 2)
             UNION ALL
             SELECT 1 FROM artifact_form
             JOIN artifact ON artifact.id = artifact_form.artifact
             JOIN release ON release.id = artifact.release
             WHERE artifact_form.plain = ?2 AND artifact_form.plain_length = ?3
               AND release.product = ?1 AND release.state IN (1, 2)
             LIMIT 1",
        )?
        .exists(params![product, image.sha256.as_bytes(), to_i64(image.length)])?)
}

/// Keeps a content key, sealed; false where the file is not sealed.
pub(crate) fn set_content_key(
    tx: &mut Tx<'_>,
    artifact: i64,
    sealed: &[u8],
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE artifact_form SET content_key = ?2 WHERE artifact = ?1 AND header IS NOT NULL",
        )?
        .execute(params![artifact, sealed])?;
    Ok(changed == 1)
}

/// A content key, sealed.
pub(crate) fn content_key(
    connection: &Connection,
    artifact: i64,
) -> Result<Option<Vec<u8>>, ServiceError> {
    let found: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT content_key FROM artifact_form WHERE artifact = ?1")?
        .query_row([artifact], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// How many tickets a file has, and how many of them are for groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tickets {
    pub(crate) all: u64,
    pub(crate) groups: u64,
}

/// Keeps tickets that the maker brought, by their recipients; one for the same recipient is replaced.
/// How many there are then is counted along: to look at all of them would stop everybody who writes.
pub(crate) fn set_tickets<'a>(
    tx: &mut Tx<'_>,
    organisation: i64,
    artifact: i64,
    tickets: impl Iterator<Item = (&'a Sha256, &'a [u8])>,
    is_group: bool,
    now: UnixTime,
) -> Result<Tickets, ServiceError> {
    let (mut all, mut groups) = (0, 0);
    for (recipient, ticket) in tickets {
        let key = params![artifact, recipient.as_bytes()];
        let was_group: Option<bool> = tx
            .prepare_cached(
                "SELECT is_group FROM artifact_ticket WHERE artifact = ?1 AND recipient = ?2",
            )?
            .query_row(key, |row| row.get(0))
            .optional()?;
        tx.prepare_cached(
            "INSERT INTO artifact_ticket (artifact, recipient, is_group, ticket, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (artifact, recipient) DO UPDATE
             SET is_group = ?3, ticket = ?4, created_at = ?5",
        )?
        .execute(params![artifact, recipient.as_bytes(), is_group, ticket, now.0])?;
        all += i64::from(was_group.is_none());
        groups += i64::from(is_group) - i64::from(was_group == Some(true));
    }
    Ok(tx
        .prepare_cached(
            "UPDATE artifact_form
             SET tickets_of = ?2, tickets = tickets + ?3, group_tickets = group_tickets + ?4
             WHERE artifact = ?1 RETURNING tickets, group_tickets",
        )?
        .query_row(params![artifact, organisation, all, groups], tickets_row)?)
}

fn tickets_row(row: &Row<'_>) -> rusqlite::Result<Tickets> {
    let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Tickets { all: count(0)?, groups: count(1)? })
}

/// How many tickets the maker brought for a file.
pub(crate) fn count_tickets(
    connection: &Connection,
    artifact: i64,
) -> Result<Tickets, ServiceError> {
    let found = connection
        .prepare_cached("SELECT tickets, group_tickets FROM artifact_form WHERE artifact = ?1")?
        .query_row([artifact], tickets_row)
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Takes away some tickets of a draft's files, or of one of them; whether there are more. All of them in
/// one transaction would keep everybody waiting.
pub(crate) fn shed_tickets(
    tx: &mut Tx<'_>,
    release: i64,
    name: Option<&str>,
    most: usize,
) -> Result<bool, ServiceError> {
    let next: Option<i64> = tx
        .prepare_cached(
            "SELECT f.artifact FROM artifact_form f JOIN artifact a ON a.id = f.artifact
             WHERE a.release = ?1 AND (?2 IS NULL OR a.name = ?2) AND f.tickets > 0 LIMIT 1",
        )?
        .query_row(params![release, name], |row| row.get(0))
        .optional()?;
    let Some(artifact) = next else { return Ok(false) };
    let recipients: Vec<[u8; 32]> = {
        let sql = "SELECT recipient FROM artifact_ticket WHERE artifact = ?1 LIMIT ?2";
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map(params![artifact, limit_of(most)], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut groups: i64 = 0;
    for recipient in &recipients {
        let was_group: bool = tx
            .prepare_cached(
                "DELETE FROM artifact_ticket WHERE artifact = ?1 AND recipient = ?2
                 RETURNING is_group",
            )?
            .query_row(params![artifact, recipient], |row| row.get(0))?;
        groups = groups.saturating_add(i64::from(was_group));
    }
    tx.prepare_cached(
        "UPDATE artifact_form SET tickets = tickets - ?2, group_tickets = group_tickets - ?3
         WHERE artifact = ?1",
    )?
    .execute(params![artifact, limit_of(recipients.len()), groups])?;
    // One file after the other: the next look finds the rest.
    Ok(!recipients.is_empty())
}

/// How many tickets there are for all files of an organisation.
pub(crate) fn tickets_of_organisation(
    connection: &Connection,
    organisation: i64,
) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(tickets), 0) FROM artifact_form
             WHERE tickets_of = ?1 AND tickets > 0",
        )?
        .query_row([organisation], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// The maker's tickets that may open a file for a device: its own, and those of groups.
pub(crate) fn tickets(
    connection: &Connection,
    artifact: i64,
    recipient: Option<&Sha256>,
) -> Result<Vec<Vec<u8>>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT ticket FROM artifact_ticket WHERE artifact = ?1 AND recipient = ?2
         UNION SELECT ticket FROM artifact_ticket WHERE artifact = ?1 AND is_group = 1",
    )?;
    let recipient = recipient.map(|recipient| recipient.0);
    let rows = statement.query_map(params![artifact, recipient], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The encryption key that a device stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub(crate) owner: i64,
    pub(crate) certificate: Sha256,
    pub(crate) recipient: Sha256,
    pub(crate) statement: Vec<u8>,
    pub(crate) until: UnixTime,
}

pub(crate) fn encryption_key(
    connection: &Connection,
    device: i64,
) -> Result<Option<KeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT owner, certificate, recipient, statement, until
             FROM device_encryption_key WHERE device = ?1",
        )?
        .query_row([device], |row| {
            Ok(KeyRow {
                owner: row.get(0)?,
                certificate: Sha256(row.get(1)?),
                recipient: Sha256(row.get(2)?),
                statement: row.get(3)?,
                until: UnixTime(row.get(4)?),
            })
        })
        .optional()?)
}

/// When the device stated a key by this certificate.
pub(crate) fn encryption_key_stated(
    connection: &Connection,
    device: i64,
    certificate: &Sha256,
) -> Result<Option<UnixTime>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT stated_at FROM device_encryption_key WHERE device = ?1 AND certificate = ?2",
        )?
        .query_row(params![device, certificate.as_bytes()], |row| Ok(UnixTime(row.get(0)?)))
        .optional()?)
}

pub(crate) fn set_encryption_key(
    tx: &mut Tx<'_>,
    device: i64,
    key: &KeyRow,
    now: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO device_encryption_key
            (device, owner, certificate, recipient, statement, until, stated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        device,
        key.owner,
        key.certificate.as_bytes(),
        key.recipient.as_bytes(),
        key.statement,
        key.until.0,
        now.0
    ])?;
    Ok(())
}

/// What a device found when it last tested itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SelfTestRow {
    pub(crate) owner: i64,
    pub(crate) passed: bool,
    pub(crate) findings: String,
    pub(crate) heard_at: UnixTime,
    /// when the hour began in which events are counted
    pub(crate) told_from: UnixTime,
    /// events since then
    pub(crate) told: u32,
    /// whether something changed that no event told
    pub(crate) untold: bool,
}

pub(crate) fn self_test(
    connection: &Connection,
    device: i64,
) -> Result<Option<SelfTestRow>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT owner, passed, findings, heard_at, told_from, told, untold
             FROM device_self_test WHERE device = ?1",
        )?
        .query_row([device], |row| {
            Ok(SelfTestRow {
                owner: row.get(0)?,
                passed: row.get(1)?,
                findings: row.get(2)?,
                heard_at: UnixTime(row.get(3)?),
                told_from: UnixTime(row.get(4)?),
                told: row.get(5)?,
                untold: row.get(6)?,
            })
        })
        .optional()?)
}

pub(crate) fn set_self_test(
    tx: &mut Tx<'_>,
    device: i64,
    row: &SelfTestRow,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO device_self_test
            (device, owner, passed, findings, heard_at, told_from, told, untold)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        device,
        row.owner,
        row.passed,
        row.findings,
        row.heard_at.0,
        row.told_from.0,
        row.told,
        row.untold
    ])?;
    Ok(())
}
