//! Migrations: numbered, applied in order, each in its own transaction, never edited once released.

use crate::ServiceError;
use rusqlite::{Connection, TransactionBehavior, params};

const MIGRATIONS: [&str; 40] = [
    include_str!("0001.sql"),
    include_str!("0002.sql"),
    include_str!("0003.sql"),
    include_str!("0004.sql"),
    include_str!("0005.sql"),
    include_str!("0006.sql"),
    include_str!("0007.sql"),
    include_str!("0008.sql"),
    include_str!("0009.sql"),
    include_str!("0010.sql"),
    include_str!("0011.sql"),
    include_str!("0012.sql"),
    include_str!("0013.sql"),
    include_str!("0014.sql"),
    include_str!("0015.sql"),
    include_str!("0016.sql"),
    include_str!("0017.sql"),
    include_str!("0018.sql"),
    include_str!("0019.sql"),
    include_str!("0020.sql"),
    include_str!("0021.sql"),
    include_str!("0022.sql"),
    include_str!("0023.sql"),
    include_str!("0024.sql"),
    include_str!("0025.sql"),
    include_str!("0026.sql"),
    include_str!("0027.sql"),
    include_str!("0028.sql"),
    include_str!("0029.sql"),
    include_str!("0030.sql"),
    include_str!("0031.sql"),
    include_str!("0032.sql"),
    include_str!("0033.sql"),
    include_str!("0034.sql"),
    include_str!("0035.sql"),
    include_str!("0036.sql"),
    include_str!("0037.sql"),
    include_str!("0038.sql"),
    include_str!("0039.sql"),
    include_str!("0040.sql"),
];

/// Brings the database to the newest version.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), ServiceError> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
            version INTEGER PRIMARY KEY,
            digest  BLOB NOT NULL
        ) STRICT;",
    )?;
    let applied: usize = connection
        .query_row("SELECT count(*) FROM migration", [], |row| row.get::<_, i64>(0))?
        .try_into()
        .unwrap_or(usize::MAX);
    if applied > MIGRATIONS.len() {
        return Err(ServiceError::fatal(
            "store-newer",
            "the store was made by a newer version of this program; use that one",
        ));
    }
    for (index, sql) in MIGRATIONS.iter().enumerate() {
        let version = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
        let digest = crypto::sha256(sql.as_bytes());
        if index < applied {
            let stored: Vec<u8> = connection.query_row(
                "SELECT digest FROM migration WHERE version = ?1",
                [version],
                |row| row.get(0),
            )?;
            if stored != digest.as_bytes() {
                return Err(ServiceError::fatal(
                    "store-foreign",
                    "the store was made by another build of this program; use that one",
                ));
            }
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.execute(
            "INSERT INTO migration VALUES (?1, ?2)",
            params![version, digest.as_bytes()],
        )?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applies_once_and_notices_strangers() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("UPDATE migration SET digest = x'00'", []).unwrap();
        assert_eq!(migrate(&mut connection).unwrap_err().code(), "store-foreign");
        connection.execute("INSERT INTO migration VALUES (99, x'00')", []).unwrap();
        assert_eq!(migrate(&mut connection).unwrap_err().code(), "store-newer");
    }
}
