//! People, their passkeys, the one-time links that let them in, and their sessions.

use super::{Tx, certificate, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

#[derive(Debug, Clone)]
pub(crate) struct PersonRow {
    pub(crate) id: i64,
    pub(crate) person_id: [u8; 16],
    pub(crate) organisation: i64,
    pub(crate) handle: String,
    pub(crate) display_name: String,
    pub(crate) roles: String,
    pub(crate) language: Option<String>,
    pub(crate) theme: Option<String>,
    /// since when it is an administrator, where it is one
    pub(crate) administrator_since: Option<UnixTime>,
    pub(crate) added_at: UnixTime,
    /// when the first passkey was registered
    pub(crate) registered_at: Option<UnixTime>,
    pub(crate) removed_at: Option<UnixTime>,
}

const PERSON: &str = "id, person_id, organisation, handle, display_name, roles, language, theme, \
                      added_at, registered_at, removed_at, administrator_since";

fn person_row(row: &Row<'_>) -> rusqlite::Result<PersonRow> {
    Ok(PersonRow {
        id: row.get(0)?,
        person_id: row.get(1)?,
        organisation: row.get(2)?,
        handle: row.get(3)?,
        display_name: row.get(4)?,
        roles: row.get(5)?,
        language: row.get(6)?,
        theme: row.get(7)?,
        added_at: UnixTime(row.get(8)?),
        registered_at: row.get::<_, Option<i64>>(9)?.map(UnixTime),
        removed_at: row.get::<_, Option<i64>>(10)?.map(UnixTime),
        administrator_since: row.get::<_, Option<i64>>(11)?.map(UnixTime),
    })
}

pub(crate) fn person(
    connection: &Connection,
    person_id: &[u8; 16],
) -> Result<Option<PersonRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {PERSON} FROM person WHERE person_id = ?1"))?
        .query_row([person_id], person_row)
        .optional()?)
}

pub(crate) fn person_by_row(
    connection: &Connection,
    id: i64,
) -> Result<Option<PersonRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {PERSON} FROM person WHERE id = ?1"))?
        .query_row([id], person_row)
        .optional()?)
}

pub(crate) fn person_by_handle(
    connection: &Connection,
    organisation: i64,
    handle: &str,
) -> Result<Option<PersonRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {PERSON} FROM person WHERE organisation = ?1 AND handle = ?2"
        ))?
        .query_row(params![organisation, handle], person_row)
        .optional()?)
}

pub(crate) fn people(
    connection: &Connection,
    organisation: i64,
    after: i64,
    limit: usize,
) -> Result<Vec<PersonRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PERSON} FROM person WHERE organisation = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    ))?;
    let rows = statement.query_map(params![organisation, after, limit_of(limit)], person_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether anybody of an organisation ever registered a passkey.
pub(crate) fn has_registered(
    connection: &Connection,
    organisation: i64,
) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT 1 FROM person WHERE organisation = ?1 AND registered_at IS NOT NULL LIMIT 1",
        )?
        .exists([organisation])?)
}

/// Whether an organisation has, or ever had, a person.
pub(crate) fn has_people(connection: &Connection, organisation: i64) -> Result<bool, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM person WHERE organisation = ?1 LIMIT 1")?
        .exists([organisation])?)
}

/// Names of those who may decide as administrators now: people with a passkey, and members whose
/// certificate works, which is neither expired nor revoked nor suspended. A human who has both is in
/// both lists under the same name, however it is capitalised.
pub(crate) fn administrators(
    connection: &Connection,
    organisation: i64,
    now: UnixTime,
) -> Result<Vec<String>, ServiceError> {
    let administers = |roles: &str| {
        let roles: policy::Roles = roles.parse().unwrap_or_default();
        roles.contains(policy::Role::Administrator)
    };
    let mut names = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT handle, roles FROM person
         WHERE organisation = ?1 AND removed_at IS NULL AND registered_at IS NOT NULL
           AND EXISTS (SELECT 1 FROM passkey WHERE passkey.person = person.id)",
    )?;
    let rows = statement.query_map([organisation], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    for row in rows {
        let (name, roles) = row?;
        if administers(&roles) {
            names.push(name.to_lowercase());
        }
    }
    let mut statement = connection.prepare_cached(
        "SELECT name, roles, fingerprint FROM member
         WHERE organisation = ?1 AND removed_at IS NULL AND not_after > ?2",
    )?;
    let rows = statement.query_map(params![organisation, now.0], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, Sha256(row.get(2)?)))
    })?;
    for row in rows {
        let (name, roles, fingerprint) = row?;
        if administers(&roles) && works(connection, &fingerprint)? {
            names.push(name.to_lowercase());
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether a member's certificate is on record, and neither revoked nor suspended.
pub(crate) fn works(connection: &Connection, fingerprint: &Sha256) -> Result<bool, ServiceError> {
    let row = certificate::certificate_by_fingerprint(connection, fingerprint)?;
    Ok(row.is_some_and(|row| row.status == certificate::Status::Good))
}

pub(crate) fn insert_person(tx: &mut Tx<'_>, new: &PersonRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO person
            (person_id, organisation, handle, display_name, roles, added_at, administrator_since)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.person_id,
        new.organisation,
        new.handle,
        new.display_name,
        new.roles,
        new.added_at.0,
        new.administrator_since.map(|since| since.0)
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Changes roles; `since`: when it became an administrator, where it is one.
pub(crate) fn set_roles(
    tx: &mut Tx<'_>,
    id: i64,
    roles: &str,
    since: Option<UnixTime>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE person SET roles = ?2, administrator_since = ?3 WHERE id = ?1")?
        .execute(params![id, roles, since.map(|since| since.0)])?;
    Ok(())
}

pub(crate) fn set_registered(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE person SET registered_at = coalesce(registered_at, ?2) WHERE id = ?1",
    )?
    .execute(params![id, at.0])?;
    Ok(())
}

pub(crate) fn set_preferences(
    tx: &mut Tx<'_>,
    id: i64,
    language: Option<&str>,
    theme: Option<&str>,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE person SET language = ?2, theme = ?3 WHERE id = ?1")?
        .execute(params![id, language, theme])?;
    Ok(())
}

pub(crate) fn set_display_name(tx: &mut Tx<'_>, id: i64, name: &str) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE person SET display_name = ?2 WHERE id = ?1")?
        .execute(params![id, name])?;
    Ok(())
}

/// Marks a person removed and takes away everything that it could come in with.
pub(crate) fn remove_person(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE person SET removed_at = ?2 WHERE id = ?1")?
        .execute(params![id, at.0])?;
    end_access(tx, id, at)
}

/// Deletes a person's passkeys and sessions and ends its open links.
pub(crate) fn end_access(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM passkey WHERE person = ?1")?.execute([id])?;
    end_sessions(tx, id, None)?;
    end_links_of(tx, id, at)
}

#[derive(Debug, Clone)]
pub(crate) struct PasskeyRow {
    pub(crate) id: i64,
    pub(crate) person: i64,
    pub(crate) credential: Vec<u8>,
    pub(crate) passkey: String,
    pub(crate) counter: i64,
    pub(crate) name: String,
    pub(crate) added_at: UnixTime,
    pub(crate) last_used_at: Option<UnixTime>,
}

const PASSKEY: &str = "id, person, credential, passkey, counter, name, added_at, last_used_at";

fn passkey_row(row: &Row<'_>) -> rusqlite::Result<PasskeyRow> {
    Ok(PasskeyRow {
        id: row.get(0)?,
        person: row.get(1)?,
        credential: row.get(2)?,
        passkey: row.get(3)?,
        counter: row.get(4)?,
        name: row.get(5)?,
        added_at: UnixTime(row.get(6)?),
        last_used_at: row.get::<_, Option<i64>>(7)?.map(UnixTime),
    })
}

pub(crate) fn passkey(
    connection: &Connection,
    credential: &[u8],
) -> Result<Option<PasskeyRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {PASSKEY} FROM passkey WHERE credential = ?1"))?
        .query_row([credential], passkey_row)
        .optional()?)
}

pub(crate) fn passkeys(
    connection: &Connection,
    person: i64,
) -> Result<Vec<PasskeyRow>, ServiceError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {PASSKEY} FROM passkey WHERE person = ?1 ORDER BY id"))?;
    let rows = statement.query_map([person], passkey_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_passkey(tx: &mut Tx<'_>, new: &PasskeyRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO passkey (person, credential, passkey, counter, name, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        new.person,
        new.credential,
        new.passkey,
        new.counter,
        new.name,
        new.added_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn use_passkey(
    tx: &mut Tx<'_>,
    id: i64,
    passkey: &str,
    counter: i64,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE passkey SET passkey = ?2, counter = ?3, last_used_at = ?4 WHERE id = ?1",
    )?
    .execute(params![id, passkey, counter, at.0])?;
    Ok(())
}

pub(crate) fn rename_passkey(tx: &mut Tx<'_>, id: i64, name: &str) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE passkey SET name = ?2 WHERE id = ?1")?.execute(params![id, name])?;
    Ok(())
}

pub(crate) fn delete_passkey(tx: &mut Tx<'_>, id: i64) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM passkey WHERE id = ?1")?.execute([id])?;
    Ok(())
}

#[derive(Debug, Clone)]
pub(crate) struct LinkRow {
    pub(crate) id: i64,
    pub(crate) digest: Sha256,
    pub(crate) purpose: u8,
    pub(crate) organisation: i64,
    pub(crate) person: Option<i64>,
    pub(crate) created_by: String,
    pub(crate) created_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    /// used, replaced or withdrawn
    pub(crate) ended_at: Option<UnixTime>,
}

const LINK: &str = "id, digest, purpose, organisation, person, created_by, created_at, \
                    expires_at, ended_at";

fn link_row(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    Ok(LinkRow {
        id: row.get(0)?,
        digest: Sha256(row.get(1)?),
        purpose: row.get(2)?,
        organisation: row.get(3)?,
        person: row.get(4)?,
        created_by: row.get(5)?,
        created_at: UnixTime(row.get(6)?),
        expires_at: UnixTime(row.get(7)?),
        ended_at: row.get::<_, Option<i64>>(8)?.map(UnixTime),
    })
}

pub(crate) fn link(
    connection: &Connection,
    digest: &Sha256,
) -> Result<Option<LinkRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {LINK} FROM invitation WHERE digest = ?1"))?
        .query_row([digest.as_bytes()], link_row)
        .optional()?)
}

/// The open link of a person.
pub(crate) fn link_of(
    connection: &Connection,
    person: i64,
    now: UnixTime,
) -> Result<Option<LinkRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {LINK} FROM invitation
             WHERE ended_at IS NULL AND person = ?1 AND expires_at > ?2 ORDER BY id DESC LIMIT 1"
        ))?
        .query_row(params![person, now.0], link_row)
        .optional()?)
}

pub(crate) fn insert_link(tx: &mut Tx<'_>, new: &LinkRow) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO invitation
            (digest, purpose, organisation, person, created_by, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        new.digest.as_bytes(),
        new.purpose,
        new.organisation,
        new.person,
        new.created_by,
        new.created_at.0,
        new.expires_at.0
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(crate) fn end_link(tx: &mut Tx<'_>, id: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE invitation SET ended_at = ?2 WHERE id = ?1")?
        .execute(params![id, at.0])?;
    Ok(())
}

/// Ends the open links of a person.
pub(crate) fn end_links_of(tx: &mut Tx<'_>, person: i64, at: UnixTime) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "UPDATE invitation SET ended_at = ?2 WHERE ended_at IS NULL AND person = ?1",
    )?
    .execute(params![person, at.0])?;
    Ok(())
}

/// Ends the open links of one purpose in an organisation; how many there were.
pub(crate) fn end_links_for(
    tx: &mut Tx<'_>,
    organisation: i64,
    purpose: u8,
    at: UnixTime,
) -> Result<usize, ServiceError> {
    Ok(tx
        .prepare_cached(
            "UPDATE invitation SET ended_at = ?3
             WHERE ended_at IS NULL AND organisation = ?1 AND purpose = ?2",
        )?
        .execute(params![organisation, purpose, at.0])?)
}

#[derive(Debug, Clone)]
pub(crate) struct SessionRow {
    pub(crate) digest: Sha256,
    pub(crate) person: i64,
    pub(crate) created_at: UnixTime,
    pub(crate) last_seen: UnixTime,
    pub(crate) authenticated_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) label: String,
    pub(crate) network: String,
}

const SESSION: &str =
    "digest, person, created_at, last_seen, authenticated_at, expires_at, label, network";

fn session_row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    Ok(SessionRow {
        digest: Sha256(row.get(0)?),
        person: row.get(1)?,
        created_at: UnixTime(row.get(2)?),
        last_seen: UnixTime(row.get(3)?),
        authenticated_at: UnixTime(row.get(4)?),
        expires_at: UnixTime(row.get(5)?),
        label: row.get(6)?,
        network: row.get(7)?,
    })
}

pub(crate) fn session(
    connection: &Connection,
    digest: &Sha256,
) -> Result<Option<SessionRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {SESSION} FROM session WHERE digest = ?1"))?
        .query_row([digest.as_bytes()], session_row)
        .optional()?)
}

pub(crate) fn sessions(
    connection: &Connection,
    person: i64,
) -> Result<Vec<SessionRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {SESSION} FROM session WHERE person = ?1 ORDER BY created_at DESC LIMIT 1000"
    ))?;
    let rows = statement.query_map([person], session_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn insert_session(tx: &mut Tx<'_>, new: &SessionRow) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO session
            (digest, person, created_at, last_seen, authenticated_at, expires_at, label, network)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        new.digest.as_bytes(),
        new.person,
        new.created_at.0,
        new.last_seen.0,
        new.authenticated_at.0,
        new.expires_at.0,
        new.label,
        new.network
    ])?;
    Ok(())
}

/// Ends all sessions of a person but its `keep` newest ones.
pub(crate) fn keep_newest_sessions(
    tx: &mut Tx<'_>,
    person: i64,
    keep: usize,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "DELETE FROM session WHERE person = ?1 AND digest NOT IN
            (SELECT digest FROM session WHERE person = ?1
             ORDER BY created_at DESC, digest LIMIT ?2)",
    )?
    .execute(params![person, limit_of(keep)])?;
    Ok(())
}

pub(crate) fn touch_session(
    tx: &mut Tx<'_>,
    digest: &Sha256,
    seen: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE session SET last_seen = max(last_seen, ?2) WHERE digest = ?1")?
        .execute(params![digest.as_bytes(), seen.0])?;
    Ok(())
}

/// Replaces a session's secret and notes that its person has just shown a passkey.
pub(crate) fn renew_session(
    tx: &mut Tx<'_>,
    old: &Sha256,
    new: &Sha256,
    at: UnixTime,
) -> Result<bool, ServiceError> {
    let changed = tx
        .prepare_cached(
            "UPDATE session SET digest = ?2, authenticated_at = ?3, last_seen = ?3
             WHERE digest = ?1",
        )?
        .execute(params![old.as_bytes(), new.as_bytes(), at.0])?;
    Ok(changed > 0)
}

/// Ends one session of a person; false where there was none.
pub(crate) fn end_session(
    tx: &mut Tx<'_>,
    person: i64,
    digest: &Sha256,
) -> Result<bool, ServiceError> {
    let ended = tx
        .prepare_cached("DELETE FROM session WHERE digest = ?1 AND person = ?2")?
        .execute(params![digest.as_bytes(), person])?;
    Ok(ended > 0)
}

/// Ends a person's sessions, but for one; how many ended.
pub(crate) fn end_sessions(
    tx: &mut Tx<'_>,
    person: i64,
    but: Option<&Sha256>,
) -> Result<usize, ServiceError> {
    let but = but.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
    Ok(tx
        .prepare_cached("DELETE FROM session WHERE person = ?1 AND digest <> ?2")?
        .execute(params![person, but])?)
}

/// Deletes what can never be used again: sessions past their end or idle too long.
pub(crate) fn delete_expired_sessions(
    tx: &mut Tx<'_>,
    now: UnixTime,
    idle_since: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("DELETE FROM session WHERE expires_at <= ?1 OR last_seen < ?2")?
        .execute(params![now.0, idle_since.0])?;
    Ok(())
}

/// Deletes a person who never registered, with the links that were made for it.
pub(crate) fn delete_person(tx: &mut Tx<'_>, id: i64) -> Result<(), ServiceError> {
    end_access(tx, id, UnixTime(0))?;
    tx.prepare_cached("DELETE FROM invitation WHERE person = ?1")?.execute([id])?;
    tx.prepare_cached("DELETE FROM person WHERE id = ?1 AND registered_at IS NULL")?
        .execute([id])?;
    Ok(())
}
