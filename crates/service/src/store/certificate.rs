//! Certificates from their intent on, and the set of revoked ones.

use super::{Effect, Tx, organisation::limit_of};
use crate::ServiceError;
use crypto::{Sha256, UnixTime};
use pki::Certificate;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter, types::Value};

/// Where a certificate is in its life. The numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    Good = 1,
    Suspended = 2,
    Revoked = 3,
    /// an intent that came to nothing; the serial number is burned
    Abandoned = 4,
}

impl Status {
    fn from_number(number: u8) -> Option<Self> {
        [Self::Good, Self::Suspended, Self::Revoked, Self::Abandoned]
            .into_iter()
            .find(|status| *status as u8 == number)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CertificateRow {
    pub(crate) id: i64,
    pub(crate) ca: i64,
    pub(crate) serial: Vec<u8>,
    pub(crate) status: Status,
    pub(crate) profile: u8,
    pub(crate) organisation: i64,
    pub(crate) device: Option<i64>,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) der: Vec<u8>,
}

const CERTIFICATE: &str =
    "id, ca, serial, status, profile, organisation, device, not_before, not_after, der";

fn certificate_row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        id: row.get(0)?,
        ca: row.get(1)?,
        serial: row.get(2)?,
        status: status(row, 3)?,
        profile: row.get(4)?,
        organisation: row.get(5)?,
        device: row.get(6)?,
        not_before: UnixTime(row.get(7)?),
        not_after: UnixTime(row.get(8)?),
        der: row.get(9)?,
    })
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Status> {
    let number: u8 = row.get(column)?;
    Status::from_number(number)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number.into()))
}

pub(crate) fn certificate(
    connection: &Connection,
    ca: i64,
    serial: &[u8],
) -> Result<Option<CertificateRow>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!(
            "SELECT {CERTIFICATE} FROM certificate WHERE ca = ?1 AND serial = ?2"
        ))?
        .query_row(params![ca, serial], certificate_row)
        .optional()?)
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) status: Status,
    pub(crate) profile: u8,
    pub(crate) organisation: i64,
    pub(crate) device: [u8; 16],
}

/// The device whose certificate this is, byte for byte.
pub(crate) fn holder(
    connection: &Connection,
    ca: i64,
    serial: &[u8],
    der: &[u8],
) -> Result<Option<Holder>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT certificate.status, certificate.profile, certificate.organisation, device_id
             FROM certificate CROSS JOIN device ON device.id = certificate.device
             WHERE certificate.ca = ?1 AND certificate.serial = ?2 AND certificate.der = ?3",
        )?
        .query_row(params![ca, serial, der], |row| {
            Ok(Holder {
                status: status(row, 0)?,
                profile: row.get(1)?,
                organisation: row.get(2)?,
                device: row.get(3)?,
            })
        })
        .optional()?)
}

/// Certificates of a device, newest first.
pub(crate) fn certificates_of(
    connection: &Connection,
    device: i64,
) -> Result<Vec<CertificateRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CERTIFICATE} FROM certificate WHERE device = ?1 ORDER BY id DESC LIMIT 1000"
    ))?;
    let rows = statement.query_map([device], certificate_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What a device holds or held of one profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) profile: u8,
    pub(crate) status: Status,
}

/// What a device holds and held, newest first, without the certificates themselves. What came to
/// nothing is not among it.
pub(crate) fn held_by(connection: &Connection, device: i64) -> Result<Vec<Held>, ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT profile, status FROM certificate
         WHERE device = ?1 AND status != 4 ORDER BY id DESC LIMIT 1000",
    )?;
    let rows = statement
        .query_map([device], |row| Ok(Held { profile: row.get(0)?, status: status(row, 1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Which certificates are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertificateFilter {
    pub(crate) organisation: Option<i64>,
    pub(crate) device: Option<i64>,
    pub(crate) status: Option<Status>,
    pub(crate) expires_before: Option<UnixTime>,
}

pub(crate) fn certificates(
    connection: &Connection,
    filter: &CertificateFilter,
    after: i64,
    limit: usize,
) -> Result<Vec<CertificateRow>, ServiceError> {
    let mut values = vec![Value::Integer(after)];
    let mut sql = format!("SELECT {CERTIFICATE} FROM certificate WHERE id > ?1");
    let mut and = |condition: &str, value: i64| {
        values.push(Value::Integer(value));
        sql.push_str(&format!(" AND {condition} ?{}", values.len()));
    };
    if let Some(organisation) = filter.organisation {
        and("organisation =", organisation);
    }
    if let Some(device) = filter.device {
        and("device =", device);
    }
    if let Some(status) = filter.status {
        and("status =", i64::from(status as u8));
    }
    if let Some(before) = filter.expires_before {
        and("not_after <", before.0);
    }
    values.push(Value::Integer(limit_of(limit)));
    sql.push_str(&format!(" ORDER BY id LIMIT ?{}", values.len()));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), certificate_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Certificates that expire in a window, in the order in which they do: `(time, id)` is the place
/// to go on from.
pub(crate) fn expiring(
    connection: &Connection,
    organisation: Option<i64>,
    after: (UnixTime, i64),
    before: UnixTime,
    limit: usize,
) -> Result<Vec<CertificateRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CERTIFICATE} FROM certificate INDEXED BY certificate_by_expiry
         WHERE not_after < 253402300799 AND not_after < ?1 AND (not_after, id) > (?2, ?3)
           AND status = 1 AND (?4 IS NULL OR organisation = ?4)
         ORDER BY not_after, id LIMIT ?5"
    ))?;
    let rows = statement.query_map(
        params![before.0, after.0.0, after.1, organisation, limit_of(limit)],
        certificate_row,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is to be signed, or was.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) ca: i64,
    pub(crate) serial: Box<[u8]>,
    pub(crate) profile: u8,
    pub(crate) organisation: i64,
    pub(crate) device: Option<i64>,
    /// [`short_key`] of the subject's key
    pub(crate) subject_key: i64,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
}

/// Records what will be signed, before it is signed.
pub(crate) fn insert_intent(tx: &Tx<'_>, intent: &Intent, tbs: &[u8]) -> Result<i64, ServiceError> {
    tx.prepare_cached(
        "INSERT INTO intent (ca, serial, profile, organisation, device, subject_key, not_before,
                             not_after, tbs)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        intent.ca,
        intent.serial,
        intent.profile,
        intent.organisation,
        intent.device,
        intent.subject_key,
        intent.not_before.0,
        intent.not_after.0,
        tbs
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Replaces an intent by the signed certificate; false where there is no such intent any more.
pub(crate) fn complete_intent(
    tx: &Tx<'_>,
    id: i64,
    intent: &Intent,
    certificate: &Certificate,
) -> Result<bool, ServiceError> {
    if !delete_intent(tx, id, intent)? {
        return Ok(false);
    }
    let fingerprint = short_key(&certificate.fingerprint());
    insert_certificate(tx, intent, Status::Good, certificate.der(), Some(fingerprint))?;
    Ok(true)
}

/// Burns an intent that did not become a certificate; false where it is none any more.
pub(crate) fn abandon_intent(
    tx: &Tx<'_>,
    id: i64,
    intent: &Intent,
    tbs: &[u8],
) -> Result<bool, ServiceError> {
    if !delete_intent(tx, id, intent)? {
        return Ok(false);
    }
    insert_certificate(tx, intent, Status::Abandoned, tbs, None)?;
    Ok(true)
}

/// The serial number too: row numbers are used again.
fn delete_intent(tx: &Tx<'_>, id: i64, intent: &Intent) -> Result<bool, ServiceError> {
    let deleted = tx
        .prepare_cached("DELETE FROM intent WHERE id = ?1 AND ca = ?2 AND serial = ?3")?
        .execute(params![id, intent.ca, intent.serial])?;
    Ok(deleted == 1)
}

fn insert_certificate(
    tx: &Tx<'_>,
    intent: &Intent,
    status: Status,
    der: &[u8],
    fingerprint: Option<i64>,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO certificate (ca, serial, status, profile, organisation, device, subject_key,
                                  not_before, not_after, der, fingerprint)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        intent.ca,
        intent.serial,
        status as u8,
        intent.profile,
        intent.organisation,
        intent.device,
        intent.subject_key,
        intent.not_before.0,
        intent.not_after.0,
        der,
        fingerprint
    ])?;
    Ok(())
}

/// Intents that a crash left behind: row, intent, to-be-signed bytes.
pub(crate) fn intents(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<(i64, Intent, Vec<u8>)>, ServiceError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {INTENT} FROM intent ORDER BY id LIMIT ?1"))?;
    let rows = statement.query_map([limit_of(limit)], intent_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The to-be-signed bytes of an intent.
pub(crate) fn intended(
    connection: &Connection,
    id: i64,
) -> Result<Option<(Intent, Vec<u8>)>, ServiceError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {INTENT} FROM intent WHERE id = ?1"))?
        .query_row([id], intent_row)
        .optional()?
        .map(|(_, intent, tbs)| (intent, tbs)))
}

const INTENT: &str =
    "id, ca, serial, profile, organisation, device, subject_key, not_before, not_after, tbs";

fn intent_row(row: &Row<'_>) -> rusqlite::Result<(i64, Intent, Vec<u8>)> {
    let intent = Intent {
        ca: row.get(1)?,
        serial: row.get::<_, Vec<u8>>(2)?.into(),
        profile: row.get(3)?,
        organisation: row.get(4)?,
        device: row.get(5)?,
        subject_key: row.get(6)?,
        not_before: UnixTime(row.get(7)?),
        not_after: UnixTime(row.get(8)?),
    };
    Ok((row.get(0)?, intent, row.get(9)?))
}

/// The certificate of a fingerprint.
pub(crate) fn certificate_by_fingerprint(
    connection: &Connection,
    fingerprint: &Sha256,
) -> Result<Option<CertificateRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CERTIFICATE} FROM certificate WHERE fingerprint = ?1 LIMIT 16"
    ))?;
    let rows = statement.query_map([short_key(fingerprint)], certificate_row)?;
    for row in rows {
        let row = row?;
        if crypto::sha256(&row.der) == *fingerprint {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Whom a public key belongs to: device rows (0 for none) of certificates with this key that were
/// not abandoned, and of those under way.
pub(crate) fn holders_of_key(
    connection: &Connection,
    key: &Sha256,
) -> Result<Vec<i64>, ServiceError> {
    let mut holders = Vec::new();
    for sql in [
        "SELECT device FROM certificate WHERE subject_key = ?1 AND status != 4 LIMIT 64",
        "SELECT device FROM intent WHERE subject_key = ?1 LIMIT 64",
    ] {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([short_key(key)], |row| row.get::<_, Option<i64>>(0))?;
        for device in rows {
            holders.push(device?.unwrap_or(0));
        }
    }
    Ok(holders)
}

/// The newest certificate with this key of each holder and profile, those aside that came to nothing: what
/// a key may mean. Their keys are alike in the first 8 bytes of their fingerprints; the caller compares.
pub(crate) fn certificates_of_key(
    connection: &Connection,
    key: &Sha256,
) -> Result<Vec<CertificateRow>, ServiceError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {CERTIFICATE} FROM certificate WHERE id IN (
            SELECT max(id) FROM certificate WHERE subject_key = ?1 AND status != 4
            GROUP BY device, profile)
         ORDER BY id DESC LIMIT 64"
    ))?;
    let rows = statement.query_map([short_key(key)], certificate_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The row of a device's newest certificate of a profile, those aside that came to nothing.
pub(crate) fn newest_of(
    connection: &Connection,
    device: i64,
    profile: u8,
) -> Result<Option<i64>, ServiceError> {
    Ok(connection
        .prepare_cached(
            "SELECT max(id) FROM certificate WHERE device = ?1 AND profile = ?2 AND status != 4",
        )?
        .query_row(params![device, profile], |row| row.get(0))?)
}

/// How the newest certificate of a device and profile stands, this one or one that was renewed for the same
/// key; `None` where it is for another key.
pub(crate) fn newest_of_key(
    connection: &Connection,
    ca: i64,
    serial: &[u8],
) -> Result<Option<Status>, ServiceError> {
    let Some(own) = certificate(connection, ca, serial)? else { return Ok(None) };
    let Some(device) = own.device else { return Ok(None) };
    let newest = newest_of(connection, device, own.profile)?;
    if newest == Some(own.id) {
        return Ok(Some(own.status));
    }
    let newest = connection
        .prepare_cached(&format!("SELECT {CERTIFICATE} FROM certificate WHERE id = ?1"))?
        .query_row([newest], certificate_row)
        .optional()?;
    let Some(newest) = newest else { return Ok(None) };
    let read = |row: &CertificateRow| {
        let damaged = |_| ServiceError::fatal("store-damaged", "a certificate is damaged");
        Certificate::from_der(&row.der).map_err(damaged)
    };
    let same = read(&newest)?.spki_der() == read(&own)?.spki_der();
    Ok(same.then_some(newest.status))
}

/// The first 8 bytes of a fingerprint: enough to find, and half the index of the whole.
pub(crate) fn short_key(key: &Sha256) -> i64 {
    let mut short = [0; 8];
    for (to, from) in short.iter_mut().zip(key.as_bytes()) {
        *to = *from;
    }
    i64::from_be_bytes(short)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevocationRow {
    pub(crate) ca: i64,
    pub(crate) serial: Vec<u8>,
    pub(crate) reason: u8,
    pub(crate) at: UnixTime,
}

/// Revokes or suspends a certificate and tells memory.
pub(crate) fn revoke(
    tx: &mut Tx<'_>,
    certificate: &CertificateRow,
    status: Status,
    reason: u8,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE certificate SET status = ?2 WHERE id = ?1")?
        .execute(params![certificate.id, status as u8])?;
    insert_revocation(tx, certificate.ca, &certificate.serial, reason, at)
}

/// The revocation alone: for serial numbers that never became certificates, too.
pub(crate) fn insert_revocation(
    tx: &mut Tx<'_>,
    ca: i64,
    serial: &[u8],
    reason: u8,
    at: UnixTime,
) -> Result<(), ServiceError> {
    tx.prepare_cached(
        "INSERT INTO revocation (ca, serial, reason, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (ca, serial) DO UPDATE SET reason = excluded.reason, at = excluded.at",
    )?
    .execute(params![ca, serial, reason, at.0])?;
    tx.effect(Effect::Revoked { ca, serial: serial.to_vec(), reason, at });
    Ok(())
}

/// Since when a certificate does not work.
pub(crate) fn revoked_at(
    connection: &Connection,
    certificate: &CertificateRow,
) -> Result<Option<UnixTime>, ServiceError> {
    Ok(connection
        .prepare_cached("SELECT at FROM revocation WHERE ca = ?1 AND serial = ?2")?
        .query_row(params![certificate.ca, certificate.serial], |row| row.get(0).map(UnixTime))
        .optional()?)
}

/// Ends a suspension.
pub(crate) fn release(tx: &mut Tx<'_>, certificate: &CertificateRow) -> Result<(), ServiceError> {
    tx.prepare_cached("UPDATE certificate SET status = 1 WHERE id = ?1 AND status = 2")?
        .execute([certificate.id])?;
    tx.prepare_cached("DELETE FROM revocation WHERE ca = ?1 AND serial = ?2")?
        .execute(params![certificate.ca, certificate.serial])?;
    tx.effect(Effect::Released { ca: certificate.ca, serial: certificate.serial.clone() });
    Ok(())
}

/// Calls `each` for every revocation: the set that is kept in memory.
pub(crate) fn each_revocation(
    connection: &Connection,
    ca: Option<i64>,
    mut each: impl FnMut(RevocationRow),
) -> Result<(), ServiceError> {
    let mut statement = connection.prepare_cached(
        "SELECT ca, serial, reason, at FROM revocation WHERE ?1 IS NULL OR ca = ?1",
    )?;
    let mut rows = statement.query([ca])?;
    while let Some(row) = rows.next()? {
        each(RevocationRow {
            ca: row.get(0)?,
            serial: row.get(1)?,
            reason: row.get(2)?,
            at: UnixTime(row.get(3)?),
        });
    }
    Ok(())
}

pub(crate) fn certificate_count(connection: &Connection) -> Result<u64, ServiceError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM certificate WHERE status IN (1, 2, 3)")?
        .query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
